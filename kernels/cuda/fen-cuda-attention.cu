/* fen-cuda-attention.cu: attention of the CUDA back end: which path runs, its workspace, and the statistics that every
 * backward starts with. fen-cuda-attention.h names the paths.
 *
 * The tensor-core path takes 16-bit storage whose rows can be read 16 bytes at a time; the generic one takes the rest.
 * `supports`, `workspace_bytes` and `describe` know no pointers, so they count pointers as aligned, and the workspace is
 * what the hungriest of the possible paths needs.
 */
#include "kernels/cuda/fen-cuda-attention.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The forward description of either operation's parameters; the backward one, or NULL. */
static const FenAttention *
forward_of (FenOp op, const void *params)
{
  return op == FEN_OP_ATTENTION_BACKWARD ? &((const FenAttentionBackward *)params)->forward
                                         : (const FenAttention *)params;
}

static const FenAttentionBackward *
backward_of (FenOp op, const void *params)
{
  return op == FEN_OP_ATTENTION_BACKWARD ? (const FenAttentionBackward *)params : NULL;
}

/* FENESTRA_CUDA_ATTENTION keeps one of the flash paths out (tests, benches): "simt" the tensor cores; "mma" the generic
 * kernels, so that a call which the tensor cores do not take is refused. Read once: a run does not change its mind. */
static bool
only (const char *path)
{
  static const char *const wish = getenv ("FENESTRA_CUDA_ATTENTION");
  return wish != NULL && strcmp (wish, path) == 0;
}

static bool
forward_on_mma (const FenDeviceProperties *properties, const FenAttention *a)
{
  return !only ("simt") && fen_cuda_attention_mma_forward_takes (properties, a);
}

static bool
backward_on_mma (const FenDeviceProperties *properties, const FenAttentionBackward *g)
{
  return !only ("simt") && fen_cuda_attention_mma_backward_takes (properties, g);
}

/* A call with its pointers, for the generic kernels: false when they are kept out. */
static bool
simt_allowed (const FenCudaCall &call)
{
  FenStatus why;
  if (!only ("mma"))
    return true;
  fen_cuda_status (&why, FEN_STATUS_UNSUPPORTED,
                   "cuda attention: the tensor cores do not take this call, and "
                   "FENESTRA_CUDA_ATTENTION=mma forbids the rest");
  fen_cuda_refuse (call.device, &why);
  return false;
}

/* As a question asks it: pointers count as aligned. */
static FenAttention
without_pointers (const FenAttention *a)
{
  FenAttention copy = *a;
  copy.q.data = copy.k.data = copy.v.data = copy.o.data = NULL;
  return copy;
}

static FenAttentionBackward
without_pointers (const FenAttentionBackward *g)
{
  FenAttentionBackward copy = *g;
  copy.forward = without_pointers (&g->forward);
  copy.d_o.data = copy.dq.data = copy.dk.data = copy.dv.data = NULL;
  return copy;
}

/* ---- questions ---- */

bool
fen_cuda_attention_supports (const FenDeviceProperties *properties, FenOp op, const void *params,
                             FenStatus *why)
{
  const FenAttention *a = forward_of (op, params);
  /* The grid of the smallest blocks, four rows, must count in 31 bits. */
  const double blocks
      = ((double)a->nq + (double)a->nk + FEN_STATS_ROWS) / 4 * (double)a->batch * (double)a->heads;
  if (a->path == FEN_ATTENTION_PLAIN && !fen_cuda_attention_plain_supports (a, backward_of (op, params)))
    {
      fen_cuda_status (why, FEN_STATUS_UNSUPPORTED,
                       "cuda plain attention: rows and strides are counted in 31 bits, and token strides are "
                       "head_dim at least; use FlashAttn-2");
      return false;
    }
  if (blocks < 2147483647.0)
    return true;
  fen_cuda_status (why, FEN_STATUS_UNSUPPORTED,
                   "cuda attention: %lld rows of %lld tokens with %d heads are too many for one call",
                   (long long)a->batch, (long long)a->nq, (int)a->heads);
  return false;
}

uint64_t
fen_cuda_attention_workspace (const FenDeviceProperties *properties, FenOp op, const void *params)
{
  const FenAttention *a = forward_of (op, params);
  const FenAttentionBackward *g = backward_of (op, params);
  uint64_t bytes = g != NULL ? 2 * fen_attention_stats_bytes (a) : 0;
  if (a->path == FEN_ATTENTION_PLAIN)
    bytes += fen_cuda_attention_plain_workspace (properties, a, g);
  else if (g != NULL)
    bytes += fen_cuda_attention_mma_backward_workspace (properties, g);
  return bytes;
}

static void
describe_forward (const FenDeviceProperties *properties, FenAttention a, char *text, size_t size)
{
  char tiles[32];
  const bool mma = forward_on_mma (properties, &a);
  if (mma)
    fen_cuda_attention_mma_forward_tiles (properties, &a, tiles, sizeof tiles);
  else
    fen_cuda_attention_simt_forward_tiles (&a, tiles, sizeof tiles);
  snprintf (text, size, mma ? "cuda flash mma sm_%d %s" : "cuda flash simt sm_%d %s", properties->capability,
            tiles);
}

static void
describe_backward (const FenDeviceProperties *properties, FenAttentionBackward g, char *text, size_t size)
{
  char tiles[32];
  const bool mma = backward_on_mma (properties, &g);
  if (mma)
    fen_cuda_attention_mma_backward_tiles (properties, &g, tiles, sizeof tiles);
  else
    fen_cuda_attention_simt_backward_tiles (&g, tiles, sizeof tiles);
  snprintf (text, size, mma ? "cuda flash mma sm_%d %s" : "cuda flash simt sm_%d %s", properties->capability,
            tiles);
}

void
fen_cuda_attention_describe (const FenDeviceProperties *properties, FenOp op, const void *params, char *text,
                             size_t size)
{
  const FenAttention *a = forward_of (op, params);
  const FenAttentionBackward *g = backward_of (op, params);
  if (a->path == FEN_ATTENTION_PLAIN)
    {
      snprintf (text, size, "cuda plain cublasLt, blocks of %lld queries",
                (long long)fen_cuda_attention_plain_block (a));
      return;
    }
  if (g != NULL)
    describe_backward (properties, without_pointers (g), text, size);
  else
    describe_forward (properties, without_pointers (a), text, size);
}

/* ---- statistics ---- */

#define STATISTICS_THREADS 128

/* `lanes` lanes of a warp share a row; they read 16 bytes at once where the views allow. A block has rows of one head:
 * what is divided is its number, once. */
template <typename T, bool ALIGNED>
static __global__ void
__launch_bounds__ (STATISTICS_THREADS) statistics (FenAttentionParams p, float *lse2, float *delta, int lanes)
{
  const int lane = threadIdx.x % lanes, rows = STATISTICS_THREADS / lanes;
  const unsigned blocks = (unsigned)(p.stats_stride / rows), head = blockIdx.x / blocks;
  const int64_t i = (int64_t)(blockIdx.x % blocks) * rows + threadIdx.x / lanes;
  const int64_t b = head / (unsigned)p.heads, h = head % (unsigned)p.heads, row = head * p.stats_stride + i;
  constexpr int N = ALIGNED ? FenVec<T>::N : 1;
  float sum = 0;
  if (i < p.mask.nq)
    {
      const T *o = fen_head_row<const T> (p.o, b, i, h), *d_o = fen_head_row<const T> (p.d_o, b, i, h);
      for (int e = lane * N; e < p.head_dim; e += lanes * N)
        {
          if constexpr (ALIGNED)
            {
              const FenVec<T> x = *(const FenVec<T> *)(o + e), y = *(const FenVec<T> *)(d_o + e);
#pragma unroll
              for (int n = 0; n < N; n++)
                sum += fen_load (x.x[n]) * fen_load (y.x[n]);
            }
          else
            sum += fen_load (o[e]) * fen_load (d_o[e]);
        }
    }
  for (int step = lanes / 2; step > 0; step /= 2)
    sum += __shfl_xor_sync (0xffffffffu, sum, step);
  if (lane != 0)
    return;
  const float lse = i < p.mask.nq ? p.lse[b * p.lse_batch_stride + h * p.lse_head_stride + i] : -INFINITY;
  lse2[row] = lse == -INFINITY ? INFINITY : lse * FEN_LOG2E;
  delta[row] = sum;
}

static void
launch_statistics (const FenCudaCall &call, const FenAttentionBackward *g)
{
  const FenAttention *a = &g->forward;
  const FenAttentionParams p = fen_attention_params (a, g);
  const bool aligned = fen_view_aligned (&a->o, a->dtype) && fen_view_aligned (&g->d_o, a->dtype)
                       && a->head_dim % (16 / fen_dtype_size (a->dtype)) == 0;
  const int vector = aligned ? 16 / (int)fen_dtype_size (a->dtype) : 1;
  int lanes = 1;
  while (lanes < 32 && lanes * vector < a->head_dim)
    lanes *= 2;
  const unsigned blocks = (unsigned)(a->batch * a->heads * p.stats_stride / (STATISTICS_THREADS / lanes));
  float *lse2 = (float *)p.lse2, *delta = (float *)p.delta;
  fen_cuda_dispatch (a->dtype, [&] (auto type) {
    using T = decltype (type);
    if (aligned)
      statistics<T, true><<<blocks, STATISTICS_THREADS, 0, call.stream>>> (p, lse2, delta, lanes);
    else
      statistics<T, false><<<blocks, STATISTICS_THREADS, 0, call.stream>>> (p, lse2, delta, lanes);
  });
  call.launched ("attention statistics");
}

/* dsink_h += - sum over rows and queries of exp (sink_h - LSE) * D, by one block a head in a fixed order. */
static __global__ void
sink_gradient (FenAttentionParams p, float *d_sink)
{
  __shared__ double parts[32];
  const int h = blockIdx.x;
  const float sink = p.sink_logits[h] * FEN_LOG2E;
  double sum = 0;
  for (int64_t b = 0; b < p.batch; b++)
    {
      const int64_t row = (b * p.heads + h) * p.stats_stride;
      for (int64_t i = threadIdx.x; i < p.mask.nq; i += blockDim.x)
        sum += (double)(exp2f (sink - p.lse2[row + i]) * p.delta[row + i]);
    }
  for (int step = 16; step > 0; step /= 2)
    sum += __shfl_xor_sync (0xffffffffu, sum, step);
  if (threadIdx.x % 32 == 0)
    parts[threadIdx.x / 32] = sum;
  __syncthreads ();
  if (threadIdx.x > 0)
    return;
  for (unsigned w = 1; w < blockDim.x / 32; w++)
    sum += parts[w];
  d_sink[h] -= (float)sum;
}

/* ---- running ---- */

static bool
empty (const FenAttention *a)
{
  return a->batch == 0 || a->heads == 0;
}

void
fen_cuda_attention_forward (FenDevice *device, FenStream *stream, const FenAttention *a)
{
  const FenCudaCall call (device, stream, FEN_OP_ATTENTION_FORWARD, a);
  if (!call.ready || empty (a) || a->nq == 0)
    return;
  if (a->path == FEN_ATTENTION_PLAIN)
    fen_cuda_attention_plain_forward (call, a);
  else if (forward_on_mma (&device->properties, a))
    fen_cuda_attention_mma_forward (call, a);
  else if (simt_allowed (call))
    fen_cuda_attention_simt_forward (call, a);
}

void
fen_cuda_attention_backward (FenDevice *device, FenStream *stream, const FenAttentionBackward *g)
{
  const FenCudaCall call (device, stream, FEN_OP_ATTENTION_BACKWARD, g);
  const FenAttention *a = &g->forward;
  if (!call.ready || empty (a))
    return;
  if (a->nq > 0)
    launch_statistics (call, g);
  if (a->nq > 0 && g->d_sink_logits != NULL && a->sink_logits != NULL)
    {
      sink_gradient<<<a->heads, 1024, 0, call.stream>>> (fen_attention_params (a, g), g->d_sink_logits);
      call.launched ("attention sink gradient");
    }
  if (a->path == FEN_ATTENTION_PLAIN)
    fen_cuda_attention_plain_backward (call, g);
  else if (backward_on_mma (&device->properties, g))
    fen_cuda_attention_mma_backward (call, g);
  else if (simt_allowed (call))
    fen_cuda_attention_simt_backward (call, g);
}
