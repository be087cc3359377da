/* fen-cuda-attention-plain.cu: attention with FlashAttn-2 off: scores materialised through GEMM, block by block.
 *
 * For each head, a block of queries at a time: S = Q K^T in fp32, an own softmax over the band, O = P V; backward runs S
 * and dP = dO V^T again, then dQ = dS K, dK += dS^T Q, dV += P^T dO. P and dS are rounded to the storage type, because
 * the two factors of a GEMM share one. The columns of S are [sinks | band]:
 *
 *        sinks   band of the block
 *       +-----+--------------------+
 *       |xx   |xxxxxxx             |  first query of the block
 *       |xx   |   xxxxxxx          |
 *       |xx   |            xxxxxxx |  last
 *       +-----+--------------------+
 *
 * The host chooses the columns, and documents lie in device memory: so documents are masked but not skipped, and sinks
 * of documents, which may be anywhere before the block, make the band begin at the first key. Blocks shrink as rows
 * grow: memory stays near MAX_SCORES and never grows with queries times keys.
 *
 * 16-bit P and dS take the place of the fp32 scores, row by row: value c moves from byte 4c to byte 2c, and a block of
 * threads walks a row from the left, so what a value overwrites has been read before.
 */
#include "kernels/cuda/fen-cuda-attention.h"

#include <limits.h>

#define MAX_SCORES (16 << 20) /* 64 MiB a block of scores */
#define MAX_BLOCK 1024
#define THREADS 256

/* Columns of a block: keys [begin[0], begin[0] + sinks), then [begin[1], begin[1] + band). */
struct Columns {
  int64_t begin[2];
  int sinks, band;
};

struct Plain {
  const FenCudaCall *call;
  FenAttentionParams p;
  const FenAttention *a;
  const FenAttentionBackward *g; /* NULL: forward */
  int64_t block, width;          /* queries a block; columns of s, at most, a multiple of 8 */
  float *s, *ds;                 /* (block, width) */
  float *rows;                   /* (block, head_dim): O or dQ of two products before it is rounded */
  float *dk_copy, *dv_copy;      /* (nk, head_dim): sums of 16-bit dK and dV */
  void *scratch;                 /* of GEMM */

  /* of the current head and block */
  int64_t b, h, kv_head, first, n; /* queries [first, first + n) */
  Columns columns;
};

/* A matrix as FenGemm takes it. */
struct Matrix {
  FenDType dtype;
  void *data;
  int64_t ld;
};

/* ---- shapes ---- */

static int64_t
smaller (int64_t x, int64_t y)
{
  return x < y ? x : y;
}

static int64_t
larger (int64_t x, int64_t y)
{
  return x > y ? x : y;
}

static bool
band_only (const FenAttention *a)
{
  return a->window > 0 && (a->sinks == 0 || a->doc_start == NULL);
}

/* At most; the band begins and ends at multiples of 8. */
static int64_t
block_width (const FenAttention *a, int64_t block)
{
  int64_t width = a->nk;
  if (band_only (a))
    width = smaller (a->nk, smaller (a->sinks, a->nk) + smaller (a->window, a->nk) + block + 16);
  return (width + 7) / 8 * 8;
}

static int64_t
block_of (const FenAttention *a)
{
  int64_t block = larger (1, smaller (MAX_BLOCK, a->nq));
  while (block > 1 && block_width (a, block) > MAX_SCORES / block)
    block = (block + 1) / 2;
  return block;
}

/* Cuts the workspace; with a NULL base it only counts. Backward's begins behind the statistics. */
static uint64_t
cut (Plain *p, const FenDeviceProperties *properties, char *base)
{
  const FenAttention *a = p->a;
  const uint64_t d = (uint64_t)a->head_dim, scores = 4 * (uint64_t)p->block * (uint64_t)p->width;
  const bool narrow = a->dtype != FEN_F32;
  const uint64_t keys = p->g != NULL && p->g->dkv_dtype != FEN_F32 ? 4 * (uint64_t)a->nk * d : 0;
  const FenGemm gemm = {};
  const struct {
    void **to;
    uint64_t bytes;
  } parts[] = {
    { (void **)&p->s, scores },
    { (void **)&p->ds, p->g != NULL ? scores : 0 },
    { (void **)&p->rows, narrow && a->sinks > 0 ? 4 * (uint64_t)p->block * d : 0 },
    { (void **)&p->dk_copy, keys },
    { (void **)&p->dv_copy, keys },
    { &p->scratch, fen_cuda_gemm_workspace (properties, &gemm) },
  };
  uint64_t at = 0;
  for (const auto &part : parts)
    {
      *part.to = base != NULL && part.bytes > 0 ? base + at : NULL;
      at += (part.bytes + 255) / 256 * 256;
    }
  return at;
}

static Plain
plain_of (const FenAttention *a, const FenAttentionBackward *g)
{
  Plain p = {};
  p.a = a;
  p.g = g;
  p.p = fen_attention_params (a, g);
  p.block = block_of (a);
  p.width = block_width (a, p.block);
  return p;
}

uint64_t
fen_cuda_attention_plain_workspace (const FenDeviceProperties *properties, const FenAttention *a,
                                    const FenAttentionBackward *g)
{
  Plain p = plain_of (a, g);
  return cut (&p, properties, NULL);
}

int64_t
fen_cuda_attention_plain_block (const FenAttention *a)
{
  return block_of (a);
}

static bool
fits (const FenAttention *a, const FenHeadView *view, int64_t rows)
{
  return rows < 2 || (view->token_stride >= a->head_dim && view->token_stride <= INT_MAX);
}

bool
fen_cuda_attention_plain_supports (const FenAttention *a, const FenAttentionBackward *g)
{
  return a->nq <= INT_MAX && a->nk <= INT_MAX && fits (a, &a->q, a->nq) && fits (a, &a->o, a->nq)
         && fits (a, &a->k, a->nk) && fits (a, &a->v, a->nk)
         && (g == NULL
             || (fits (a, &g->d_o, a->nq) && fits (a, &g->dq, a->nq) && fits (a, &g->dk, a->nk)
                 && fits (a, &g->dv, a->nk)));
}

/* The keys that a block can see, as far as the host knows. */
static void
choose_columns (Plain *p)
{
  const FenAttention *a = p->a;
  const int64_t first = a->q0 + p->first, last = first + p->n - 1;
  const int64_t lo = band_only (a) ? larger (0, first - a->window + 1 - a->k0) : 0;
  const int64_t end = smaller (a->nk, (larger (0, last + 1 - a->k0) + 7) / 8 * 8);
  Columns *c = &p->columns;
  c->begin[1] = smaller (lo, end) / 8 * 8;
  c->band = (int)(end - c->begin[1]);
  c->begin[0] = 0;
  c->sinks = band_only (a) ? (int)larger (0, smaller (a->sinks - a->k0, c->begin[1])) : 0;
}

/* ---- kernels ---- */

__device__ __forceinline__ int64_t
key_of (const Columns &columns, int c)
{
  return c < columns.sinks ? columns.begin[0] + c : columns.begin[1] + (c - columns.sinks);
}

__device__ __forceinline__ bool
row_sees (const FenMaskRow &row, int64_t j)
{
  return j <= row.last && (j >= row.lo || (j >= row.sink_begin && j < row.sink_end));
}

template <bool MAX>
static __device__ float
block_reduce (float x)
{
  __shared__ float parts[THREADS / 32];
  x = MAX ? fen_warp_max (x) : fen_warp_sum (x);
  __syncthreads (); /* an earlier reduction may still be read */
  if (threadIdx.x % 32 == 0)
    parts[threadIdx.x / 32] = x;
  __syncthreads ();
  x = parts[0];
  for (int w = 1; w < THREADS / 32; w++)
    x = MAX ? fmaxf (x, parts[w]) : x + parts[w];
  return x;
}

/* Raw products of query first + blockIdx.x to probabilities, in place; LSE. */
template <typename T>
static __global__ void
__launch_bounds__ (THREADS) plain_softmax (const FenAttentionParams p, int64_t b, int64_t h, int64_t first,
                                           const Columns columns, float *scores, int64_t ld)
{
  const int n = columns.sinks + columns.band;
  const int64_t i = first + blockIdx.x;
  const FenMaskRow row = fen_mask_row (p.mask, b, i);
  const float sink = p.sink_logits != NULL ? p.sink_logits[h] * FEN_LOG2E : -INFINITY;
  float *s = scores + blockIdx.x * ld, max = -INFINITY, sum = 0;
  T *out = (T *)s;

  for (int c = threadIdx.x; c < n; c += THREADS)
    if (row_sees (row, key_of (columns, c)))
      max = fmaxf (max, fen_attention_score (p, s[c]));
  max = fmaxf (block_reduce<true> (max), sink);
  const float base = max == -INFINITY ? 0 : max;
  for (int c = threadIdx.x; c < n; c += THREADS)
    if (row_sees (row, key_of (columns, c)))
      sum += exp2f (fen_attention_score (p, s[c]) - base);
  sum = block_reduce<false> (sum) + exp2f (sink - base);
  const float inverse = sum == 0 ? 0 : 1 / sum;
  for (int begin = 0; begin < n; begin += THREADS)
    {
      const int c = begin + threadIdx.x;
      const bool seen = c < n && row_sees (row, key_of (columns, c));
      const float x = seen ? exp2f (fen_attention_score (p, s[c]) - base) * inverse : 0;
      if (sizeof (T) < 4)
        __syncthreads ();
      if (c < n)
        out[c] = fen_store<T> (x);
    }
  if (threadIdx.x == 0 && p.lse != NULL)
    p.lse[b * p.lse_batch_stride + h * p.lse_head_stride + i]
        = sum == 0 ? -INFINITY : base * FEN_LN2 + logf (sum);
}

/* Raw products to P, dP to dS (without `scale`), in place. */
template <typename T>
static __global__ void
__launch_bounds__ (THREADS)
    plain_gradient (const FenAttentionParams p, int64_t b, int64_t h, int64_t first, const Columns columns,
                    float *scores, float *gradients, int64_t ld)
{
  const int n = columns.sinks + columns.band;
  const int64_t i = first + blockIdx.x, at = (b * p.heads + h) * p.stats_stride + i;
  const FenMaskRow row = fen_mask_row (p.mask, b, i);
  const float lse2 = p.lse2[at], delta = p.delta[at];
  const float *s = scores + blockIdx.x * ld, *dp = gradients + blockIdx.x * ld;
  T *p_out = (T *)s, *ds_out = (T *)dp;

  for (int begin = 0; begin < n; begin += THREADS)
    {
      const int c = begin + threadIdx.x;
      float x = 0, dx = 0;
      if (c < n && row_sees (row, key_of (columns, c)))
        {
          const float score = fen_attention_score (p, s[c]);
          x = exp2f (score - lse2);
          dx = x * (dp[c] - delta);
          if (p.softcap > 0)
            dx *= fen_attention_slope (p, score);
        }
      if (sizeof (T) < 4)
        __syncthreads ();
      if (c < n)
        {
          p_out[c] = fen_store<T> (x);
          ds_out[c] = fen_store<T> (dx);
        }
    }
}

/* Rows of fp32 (n, head_dim) to rows of a head, rounded; `src` NULL: zeros. */
template <typename T>
static __global__ void
plain_rows (const float *src, FenHeadView view, int64_t b, int64_t first, int64_t h, int64_t n, int head_dim)
{
  const int64_t at = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, r = at / head_dim;
  if (r < n)
    fen_head_row<T> (view, b, first + r, h)[at % head_dim] = src != NULL ? fen_store<T> (src[at]) : T (0.0f);
}

static void
rows_to_view (const Plain *p, FenDType dtype, const float *src, const FenHeadView *view, int64_t first,
              int64_t h, int64_t n)
{
  const int64_t blocks = (n * p->a->head_dim + 255) / 256;
  if (blocks == 0)
    return;
  fen_cuda_dispatch (dtype, [&] (auto type) {
    plain_rows<decltype (type)>
        <<<(unsigned)blocks, 256, 0, p->call->stream>>> (src, *view, p->b, first, h, n, p->a->head_dim);
  });
  p->call->launched ("plain attention rows");
}

/* ---- products ---- */

static Matrix
rows_of (const Plain *p, const FenHeadView *view, FenDType dtype, int64_t t, int64_t h)
{
  const int64_t at = p->b * view->batch_stride + t * view->token_stride + h * view->head_stride;
  /* A single row may have any stride. */
  return { dtype, (char *)view->data + at * (int64_t)fen_dtype_size (dtype),
           larger (view->token_stride, p->a->head_dim) };
}

/* Columns of a block of scores: fp32 as GEMM wrote them, or P and dS in the storage type. */
static Matrix
scores_at (const Plain *p, float *s, FenDType dtype, int column)
{
  const int64_t size = (int64_t)fen_dtype_size (dtype);
  return { dtype, (char *)s + column * size, p->width * 4 / size };
}

/* C (m, n) = alpha op(A) op(B) + beta C. */
static void
gemm (const Plain *p, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, Matrix a,
      Matrix b, float beta, Matrix c)
{
  FenGemm g = {};
  g.m = m, g.n = n, g.k = k;
  g.trans_a = trans_a, g.trans_b = trans_b;
  g.ab_dtype = a.dtype, g.c_dtype = c.dtype;
  g.a = a.data, g.b = b.data, g.c = c.data;
  g.lda = a.ld, g.ldb = b.ld, g.ldc = c.ld;
  g.alpha = alpha, g.beta = beta;
  g.workspace = p->scratch;
  fen_cuda_gemm (p->call->device, (FenStream *)p->call->stream, &g);
}

struct Part {
  int64_t key; /* index */
  int column, n;
};

static Part
part_of (const Plain *p, int i)
{
  const Columns &c = p->columns;
  return i == 0 ? Part{ c.begin[0], 0, c.sinks } : Part{ c.begin[1], c.sinks, c.band };
}

/* s (n, columns) = X keys^T in fp32. */
static void
products (const Plain *p, const FenHeadView *x, const FenHeadView *keys, float *s)
{
  const FenDType dtype = p->a->dtype;
  for (int i = 0; i < 2; i++)
    {
      const Part part = part_of (p, i);
      if (part.n > 0)
        gemm (p, false, true, p->n, part.n, p->a->head_dim, 1, rows_of (p, x, dtype, p->first, p->h),
              rows_of (p, keys, dtype, part.key, p->kv_head), 0, scores_at (p, s, FEN_F32, part.column));
    }
}

/* Rows of a view = alpha * s keys. Two products are summed in fp32 before they are rounded. */
static void
combine (const Plain *p, float *s, const FenHeadView *keys, float alpha, const FenHeadView *out)
{
  const FenDType dtype = p->a->dtype;
  const bool staged = p->columns.sinks > 0 && dtype != FEN_F32;
  const Matrix c
      = staged ? Matrix{ FEN_F32, p->rows, p->a->head_dim } : rows_of (p, out, dtype, p->first, p->h);
  for (int i = p->columns.sinks > 0 ? 0 : 1; i < 2; i++)
    {
      const Part part = part_of (p, i);
      const bool second = i == 1 && p->columns.sinks > 0;
      if (part.n > 0 || !second)
        gemm (p, false, false, p->n, p->a->head_dim, part.n, alpha, scores_at (p, s, dtype, part.column),
              rows_of (p, keys, dtype, part.n > 0 ? part.key : 0, p->kv_head), second ? 1 : 0, c);
    }
  if (staged)
    rows_to_view (p, dtype, p->rows, out, p->first, p->h, p->n);
}

/* Rows of dK or dV += alpha * s^T X. */
static void
combine_keys (const Plain *p, float *s, const FenHeadView *x, float alpha, float *copy,
              const FenHeadView *out)
{
  const FenDType dtype = p->a->dtype;
  for (int i = 0; i < 2; i++)
    {
      const Part part = part_of (p, i);
      const Matrix c = copy != NULL ? Matrix{ FEN_F32, copy + part.key * p->a->head_dim, p->a->head_dim }
                                    : rows_of (p, out, FEN_F32, part.key, p->kv_head);
      if (part.n > 0)
        gemm (p, true, false, part.n, p->a->head_dim, p->n, alpha, scores_at (p, s, dtype, part.column),
              rows_of (p, x, dtype, p->first, p->h), 1, c);
    }
}

/* ---- blocks and heads ---- */

static void
forward_block (const Plain *p)
{
  products (p, &p->a->q, &p->a->k, p->s);
  fen_cuda_dispatch (p->a->dtype, [&] (auto type) {
    plain_softmax<decltype (type)><<<(unsigned)p->n, THREADS, 0, p->call->stream>>> (
        p->p, p->b, p->h, p->first, p->columns, p->s, p->width);
  });
  p->call->launched ("plain attention softmax");
  combine (p, p->s, &p->a->v, 1, &p->a->o);
}

static void
backward_block (const Plain *p)
{
  const FenAttentionBackward *g = p->g;
  products (p, &p->a->q, &p->a->k, p->s);
  products (p, &g->d_o, &p->a->v, p->ds);
  fen_cuda_dispatch (p->a->dtype, [&] (auto type) {
    plain_gradient<decltype (type)><<<(unsigned)p->n, THREADS, 0, p->call->stream>>> (
        p->p, p->b, p->h, p->first, p->columns, p->s, p->ds, p->width);
  });
  p->call->launched ("plain attention gradient");
  combine (p, p->ds, &p->a->k, p->a->scale, &g->dq);
  combine_keys (p, p->ds, &p->a->q, p->a->scale, p->dk_copy, &g->dk);
  combine_keys (p, p->s, &g->d_o, 1, p->dv_copy, &g->dv);
}

static void
run_head (Plain *p)
{
  for (p->first = 0; p->first < p->a->nq; p->first += p->block)
    {
      p->n = smaller (p->block, p->a->nq - p->first);
      choose_columns (p);
      if (p->g != NULL)
        backward_block (p);
      else
        forward_block (p);
    }
}

/* What dK and dV of a key head start from. */
static void
enter_key_head (const Plain *p)
{
  const FenAttentionBackward *g = p->g;
  const size_t bytes = 4 * (size_t)p->a->nk * (size_t)p->a->head_dim;
  if (p->dk_copy != NULL)
    {
      fen_cuda_keep (p->call->device, cudaMemsetAsync (p->dk_copy, 0, bytes, p->call->stream), "clearing dK");
      fen_cuda_keep (p->call->device, cudaMemsetAsync (p->dv_copy, 0, bytes, p->call->stream), "clearing dV");
    }
  else if (!g->accumulate)
    {
      rows_to_view (p, FEN_F32, NULL, &g->dk, 0, p->kv_head, p->a->nk);
      rows_to_view (p, FEN_F32, NULL, &g->dv, 0, p->kv_head, p->a->nk);
    }
}

static void
run (Plain *p)
{
  const FenAttentionBackward *g = p->g;
  for (p->b = 0; p->b < p->a->batch; p->b++)
    for (p->kv_head = 0; p->kv_head < p->a->kv_heads; p->kv_head++)
      {
        if (g != NULL)
          enter_key_head (p);
        for (p->h = p->kv_head * p->p.group; p->h < (p->kv_head + 1) * p->p.group; p->h++)
          run_head (p);
        if (g != NULL && p->dk_copy != NULL)
          {
            rows_to_view (p, g->dkv_dtype, p->dk_copy, &g->dk, 0, p->kv_head, p->a->nk);
            rows_to_view (p, g->dkv_dtype, p->dv_copy, &g->dv, 0, p->kv_head, p->a->nk);
          }
      }
}

void
fen_cuda_attention_plain_forward (const FenCudaCall &call, const FenAttention *a)
{
  Plain p = plain_of (a, NULL);
  p.call = &call;
  cut (&p, &call.device->properties, (char *)a->workspace);
  run (&p);
}

void
fen_cuda_attention_plain_backward (const FenCudaCall &call, const FenAttentionBackward *g)
{
  Plain p = plain_of (&g->forward, g);
  p.call = &call;
  cut (&p, &call.device->properties, (char *)fen_attention_stats_end (g));
  run (&p);
}
