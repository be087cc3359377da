/* fen-cuda-attention-mma-backward.cu: the tensor-core backward pass around its kernel: which shape runs, the scratch
 * memory, and what happens after: dQ from fragment order to rows, and the sum of a group's parts of dK and dV.
 *
 * Scratch behind the statistics: dQ in fp32, then the parts of dK and dV where the query heads of a group are split
 * among blocks (few keys, many query heads: else the card would stay half empty), then the turns of dQ.
 */
#include "kernels/cuda/fen-cuda-attention-mma-backward.h"

#include <stdio.h>

/* ---- shapes ---- */

/* Bytes of shared memory that a block may have (CUDA programming guide, technical specifications). */
static int
shared_limit (const FenDeviceProperties *properties)
{
  const int c = properties->capability;
  if (c == 80 || c == 87)
    return 163 * 1024;
  return c >= 90 && c < 120 ? 227 * 1024 : 99 * 1024;
}

static FenMmaBackwardShape
shape_of (const FenDeviceProperties *properties, const FenAttention *a)
{
  const int shared = shared_limit (properties);
  if (a->head_dim <= 32)
    return fen_mma_backward_shape_32 (shared);
  if (a->head_dim <= 64)
    return fen_mma_backward_shape_64 (shared);
  if (a->head_dim <= 96)
    return fen_mma_backward_shape_96 (shared);
  if (a->head_dim <= 128)
    return fen_mma_backward_shape_128 (shared);
  return fen_mma_backward_shape_256 (shared);
}

/* How the work of one call is cut. */
struct Cut {
  FenMmaBackwardShape shape;
  int64_t query_tiles, key_tiles;
  int splits;
  uint64_t dq_bytes, partial_bytes, turns_bytes;
};

/* Query heads of a group are split when its key tiles alone would not fill the card twice over. */
static int
splits_of (const FenDeviceProperties *properties, const FenAttention *a, int64_t blocks, int resident)
{
  const int group = a->heads / a->kv_heads, units = properties->units > 0 ? properties->units : 1;
  for (int splits = 1; splits < group; splits++)
    if (group % splits == 0 && blocks * splits >= (int64_t)2 * units * resident)
      return splits;
  return group;
}

static Cut
cut_of (const FenDeviceProperties *properties, const FenAttention *a)
{
  Cut c;
  c.shape = shape_of (properties, a);
  c.query_tiles = (a->nq + c.shape.queries - 1) / c.shape.queries;
  c.key_tiles = (a->nk + c.shape.keys - 1) / c.shape.keys;
  c.splits = splits_of (properties, a, a->batch * a->kv_heads * c.key_tiles, c.shape.blocks);
  c.dq_bytes = (uint64_t)(a->batch * a->heads * c.query_tiles) * c.shape.queries * c.shape.d * 4;
  c.partial_bytes
      = c.splits > 1 ? (uint64_t)(a->batch * a->kv_heads * a->nk) * c.splits * 2 * c.shape.d * 4 : 0;
  c.turns_bytes = (uint64_t)(a->batch * a->heads * c.query_tiles) * c.shape.warps * 4;
  return c;
}

bool
fen_cuda_attention_mma_backward_takes (const FenDeviceProperties *properties, const FenAttentionBackward *g)
{
  const FenAttention *a = &g->forward;
  if ((a->dtype != FEN_BF16 && a->dtype != FEN_F16) || a->head_dim % 8 != 0 || properties->capability < 80)
    return false;
  /* Hidden scores become -inf before they are scaled. */
  if (!(a->scale > 0))
    return false;
  /* Indices inside a call are ints. */
  if (a->nq > 1 << 30 || a->nk > 1 << 30)
    return false;
  return fen_view_aligned (&a->q, a->dtype) && fen_view_aligned (&a->k, a->dtype)
         && fen_view_aligned (&a->v, a->dtype) && fen_view_aligned (&g->d_o, a->dtype)
         && fen_view_aligned (&g->dq, a->dtype) && fen_view_aligned (&g->dk, g->dkv_dtype)
         && fen_view_aligned (&g->dv, g->dkv_dtype);
}

void
fen_cuda_attention_mma_backward_tiles (const FenDeviceProperties *properties, const FenAttentionBackward *g,
                                       char *text, size_t size)
{
  const FenMmaBackwardShape shape = shape_of (properties, &g->forward);
  snprintf (text, size, "%dx%d", shape.queries, shape.keys);
}

uint64_t
fen_cuda_attention_mma_backward_workspace (const FenDeviceProperties *properties,
                                           const FenAttentionBackward *g)
{
  const Cut c = cut_of (properties, &g->forward);
  return c.dq_bytes + c.partial_bytes + c.turns_bytes;
}

/* ---- after the kernel ---- */

/* 16 queries of dQ, from fragments (16 x 8, four values a lane) to scaled rows of the storage type. */
template <typename T, int D>
static __global__ void __launch_bounds__ (128) query_rows (FenAttentionParams p, const float *dq, int blocks)
{
  constexpr int PITCH = D + 4;
  __shared__ __align__ (16) float rows[16 * PITCH];
  const int64_t x = blockIdx.x, head = x / blocks;
  const int i0 = (int)(x % blocks) * 16, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const float4 *from = (const float4 *)(dq + x * (16 * D));
#pragma unroll
  for (int n = warp; n < D / 8; n += 4)
    {
      const float4 f = from[n * 32 + lane];
      float *to = rows + lane / 4 * PITCH + n * 8 + lane % 4 * 2;
      *(float2 *)to = make_float2 (f.x * p.scale, f.y * p.scale);
      *(float2 *)(to + 8 * PITCH) = make_float2 (f.z * p.scale, f.w * p.scale);
    }
  __syncthreads ();
#pragma unroll
  for (int at = threadIdx.x; at < 16 * D / 8; at += 128)
    {
      const int row = at / (D / 8), column = at % (D / 8) * 8;
      if (i0 + row >= p.mask.nq || column >= p.head_dim)
        continue;
      FenVec<T> out;
#pragma unroll
      for (int e = 0; e < 8; e++)
        out.x[e] = fen_store<T> (rows[row * PITCH + column + e]);
      *(FenVec<T> *)(fen_head_row<T> (p.dq, head / p.heads, i0 + row, head % p.heads) + column) = out;
    }
}

template <typename T>
static void
launch_query_rows (const FenCudaCall &call, const FenMmaBackward &m, const Cut &c)
{
  const int blocks = (int)c.query_tiles * (c.shape.queries / 16);
  const unsigned grid = (unsigned)(m.p.batch * m.p.heads * blocks);
  switch (c.shape.d)
    {
    case 32:
      query_rows<T, 32><<<grid, 128, 0, call.stream>>> (m.p, m.dq, blocks);
      break;
    case 64:
      query_rows<T, 64><<<grid, 128, 0, call.stream>>> (m.p, m.dq, blocks);
      break;
    case 96:
      query_rows<T, 96><<<grid, 128, 0, call.stream>>> (m.p, m.dq, blocks);
      break;
    case 128:
      query_rows<T, 128><<<grid, 128, 0, call.stream>>> (m.p, m.dq, blocks);
      break;
    default:
      query_rows<T, 256><<<grid, 128, 0, call.stream>>> (m.p, m.dq, blocks);
    }
  call.launched ("attention backward's dQ");
}

/* One element of dV or dK: the sum of the parts, in order. Lanes follow columns. */
template <typename T>
static __global__ void
sum_parts (FenMmaBackward m, int d)
{
  const FenAttentionParams &p = m.p;
  const int64_t rows = p.batch * p.kv_heads * p.mask.nk, at = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  const int column = (int)(at % d);
  const int64_t row = at / d % rows, which = at / d / rows;
  if (which >= 2 || column >= p.head_dim)
    return;
  float sum = 0;
  for (int s = 0; s < m.splits; s++)
    sum += m.partial[(s * 2 * rows) * d + at];
  const FenHeadView &view = which == 0 ? p.dv : p.dk;
  const int64_t b = row / p.mask.nk / p.kv_heads, h = row / p.mask.nk % p.kv_heads, j = row % p.mask.nk;
  if (p.dkv_dtype == FEN_F32)
    {
      float *to = fen_head_row<float> (view, b, j, h) + column;
      *to = p.accumulate ? *to + sum : sum;
    }
  else
    fen_head_row<T> (view, b, j, h)[column] = fen_store<T> (sum);
}

static void
launch_sum_parts (const FenCudaCall &call, const FenMmaBackward &m, const Cut &c)
{
  const int64_t n = 2 * m.p.batch * m.p.kv_heads * m.p.mask.nk * c.shape.d;
  const unsigned blocks = (unsigned)((n + 255) / 256);
  if (m.p.dtype == FEN_F16)
    sum_parts<__half><<<blocks, 256, 0, call.stream>>> (m, c.shape.d);
  else
    sum_parts<__nv_bfloat16><<<blocks, 256, 0, call.stream>>> (m, c.shape.d);
  call.launched ("attention backward's parts");
}

/* ---- running ---- */

/* Heads whose key tiles are scheduled together: enough blocks for four rounds of the card, so that the long first tiles
 * of one band hide the short last ones of the band before, and no more, so that the band's dQ stays in L2. */
static int
band_of (const FenDevice *device, const FenAttention *a, const Cut &c)
{
  const int64_t heads = a->batch * a->kv_heads * c.splits;
  const int64_t blocks = (int64_t)4 * device->properties.units * c.shape.blocks;
  if (a->window > 0 || c.key_tiles == 0)
    return 1;
  return (int)min (heads, (blocks + c.key_tiles - 1) / c.key_tiles);
}

/* Are there queries whose own key is not in the call? They may see no key at all; the others see themselves. */
static bool
some_blind (const FenAttention *a)
{
  return a->q0 < a->k0 || a->q0 + a->nq > a->k0 + a->nk;
}

/* Zeros for the rows of dq: 8 elements a thread. */
template <typename T>
static __global__ void
clear_rows (FenAttentionParams p, int vectors)
{
  const int64_t at = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, row = at / vectors;
  const int64_t h = row % p.heads, i = row / p.heads % p.mask.nq, b = row / p.heads / p.mask.nq;
  if (b < p.batch)
    *(uint4 *)(fen_head_row<T> (p.dq, b, i, h) + at % vectors * 8) = make_uint4 (0, 0, 0, 0);
}

static void
launch_clear_rows (const FenCudaCall &call, const FenMmaBackward &m)
{
  const int vectors = m.p.head_dim / 8;
  const unsigned blocks = (unsigned)((m.p.batch * m.p.heads * m.p.mask.nq * vectors + 255) / 256);
  clear_rows<__half><<<blocks, 256, 0, call.stream>>> (m.p, vectors); /* zero is zero in either type */
  call.launched ("attention backward's blind queries");
}

void
fen_cuda_attention_mma_backward (const FenCudaCall &call, const FenAttentionBackward *g)
{
  const FenAttention *a = &g->forward;
  const Cut c = cut_of (&call.device->properties, a);
  const bool turns = call.device->options.deterministic; /* dQ in turn (-order.h) */
  char *scratch = (char *)fen_attention_stats_end (g);
  FenMmaBackward m;
  m.p = fen_attention_params (a, g);
  m.dq = (float *)scratch;
  m.partial = c.splits > 1 ? (float *)(scratch + c.dq_bytes) : NULL;
  m.turns = turns ? (int *)(scratch + c.dq_bytes + c.partial_bytes) : NULL;
  m.query_tiles = (int)c.query_tiles;
  m.key_tiles = (int)c.key_tiles;
  m.splits = c.splits;
  m.band = band_of (call.device, a, c);

  if (a->nq > 0)
    {
      fen_cuda_keep (call.device,
                     turns ? cudaMemsetAsync (m.turns, 0, c.turns_bytes, call.stream)
                           : cudaMemsetAsync (m.dq, 0, c.dq_bytes, call.stream),
                     "clearing dQ");
      if (turns && some_blind (a))
        launch_clear_rows (call, m);
    }
  if (c.key_tiles > 0)
    c.shape.launch[a->dtype == FEN_F16][a->softcap > 0][turns](call, m);
  if (m.partial != NULL && c.key_tiles > 0)
    launch_sum_parts (call, m, c);
  if (a->nq > 0 && !turns && a->dtype == FEN_F16)
    launch_query_rows<__half> (call, m, c);
  else if (a->nq > 0 && !turns)
    launch_query_rows<__nv_bfloat16> (call, m, c);
}
