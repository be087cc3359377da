/* fen-cuda-attention.h: what the attention kernels share: parameters, the mask, the tiles that the mask leaves, and the
 * statistics of backward.
 *
 * Paths, chosen in fen-cuda-attention.cu for each call:
 *
 *   mma    16-bit storage on the tensor cores       fen-cuda-attention-mma-forward.cu, -mma-backward.cu
 *   simt   any storage, any layout, fp32 arithmetic fen-cuda-attention-simt-forward.cu, -simt-backward.cu
 *   plain  FlashAttn-2 off: scores through GEMM     fen-cuda-attention-plain.cu
 *
 * Positions are absolute (q0 + i, k0 + j), indices count from the call's first query (i) or key (j). Both are 64-bit;
 * inside a tile they are ints relative to the tile.
 */
#pragma once

#include "kernels/cuda/fen-cuda-private.h"

#include <math.h>

#define FEN_LOG2E 1.44269504088896340736f
#define FEN_LN2 0.69314718055994530942f

/* ---- the paths (host) ---- */

#ifdef __CUDACC__

/* `takes`: 16-bit storage, head_dim a multiple of 8, pointers and strides of 16 bytes, and shared memory enough. NULL
 * pointers count as aligned: `describe` asks so. `tiles` names what would run: "128x64" (queries x keys). */
bool fen_cuda_attention_mma_forward_takes (const FenDeviceProperties *properties, const FenAttention *a);
void fen_cuda_attention_mma_forward_tiles (const FenDeviceProperties *properties, const FenAttention *a,
                                           char *text, size_t size);
void fen_cuda_attention_mma_forward (const FenCudaCall &call, const FenAttention *a);

/* The statistics (below) are in the workspace when this is called, d_sink_logits are done. `workspace`: bytes that it
 * needs behind them (fen_attention_stats_end); asked from the shape alone, whether it takes the call or not. */
bool fen_cuda_attention_mma_backward_takes (const FenDeviceProperties *properties,
                                            const FenAttentionBackward *g);
void fen_cuda_attention_mma_backward_tiles (const FenDeviceProperties *properties,
                                            const FenAttentionBackward *g, char *text, size_t size);
uint64_t fen_cuda_attention_mma_backward_workspace (const FenDeviceProperties *properties,
                                                    const FenAttentionBackward *g);
void fen_cuda_attention_mma_backward (const FenCudaCall &call, const FenAttentionBackward *g);

/* Take everything. `tiles` as above; backward's are the dK, dV kernel's. */
void fen_cuda_attention_simt_forward (const FenCudaCall &call, const FenAttention *a);
void fen_cuda_attention_simt_backward (const FenCudaCall &call, const FenAttentionBackward *g);
void fen_cuda_attention_simt_forward_tiles (const FenAttention *a, char *text, size_t size);
void fen_cuda_attention_simt_backward_tiles (const FenAttentionBackward *g, char *text, size_t size);

/* g NULL: forward. `block`: queries of a block of scores. */
bool fen_cuda_attention_plain_supports (const FenAttention *a, const FenAttentionBackward *g);
uint64_t fen_cuda_attention_plain_workspace (const FenDeviceProperties *properties, const FenAttention *a,
                                             const FenAttentionBackward *g);
int64_t fen_cuda_attention_plain_block (const FenAttention *a);
void fen_cuda_attention_plain_forward (const FenCudaCall &call, const FenAttention *a);
void fen_cuda_attention_plain_backward (const FenCudaCall &call, const FenAttentionBackward *g);

/* ---- kernel parameters, passed by value ---- */

struct FenAttentionMask {
  int64_t q0, k0, nq, nk;
  int64_t window, sinks;
  const int32_t *doc_start, *doc_end; /* NULL = one document */
  int64_t doc_stride;
};

struct FenAttentionParams {
  FenAttentionMask mask;
  int64_t batch;
  int heads, kv_heads, group, head_dim; /* group = heads / kv_heads */
  FenDType dtype, dkv_dtype;
  float scale;
  float scale_log2; /* scale * log2 e: scores in units of log 2 */
  float softcap;    /* 0 = none */
  const float *sink_logits;
  FenHeadView q, k, v, o;
  float *lse; /* or NULL */
  int64_t lse_batch_stride, lse_head_stride;

  /* backward */
  FenHeadView d_o, dq, dk, dv;
  bool accumulate;
  const float *lse2, *delta; /* (batch, heads, stats_stride) */
  int64_t stats_stride;
};

/* ---- what backward computes first, for every path ----
 *
 * lse2 = LSE * log2 e, or +inf where the query sees nothing, so that P = 2^(S - lse2) is 0; delta D = rowsum (dO * O).
 * Rows are padded to a multiple of FEN_STATS_ROWS queries with (+inf, 0): tiles need no bounds there. */
#define FEN_STATS_ROWS 128

static inline int64_t
fen_attention_stats_stride (const FenAttention *a)
{
  return (a->nq + FEN_STATS_ROWS - 1) / FEN_STATS_ROWS * FEN_STATS_ROWS;
}

/* Bytes of one of the two arrays; a multiple of 256. */
static inline uint64_t
fen_attention_stats_bytes (const FenAttention *a)
{
  return 4 * (uint64_t)a->batch * (uint64_t)a->heads * (uint64_t)fen_attention_stats_stride (a);
}

/* Where scratch memory behind the statistics begins. */
static inline void *
fen_attention_stats_end (const FenAttentionBackward *g)
{
  return (char *)g->workspace + 2 * fen_attention_stats_bytes (&g->forward);
}

/* g NULL: forward. */
static inline FenAttentionParams
fen_attention_params (const FenAttention *a, const FenAttentionBackward *g)
{
  FenAttentionParams p = {};
  p.mask = { a->q0, a->k0, a->nq, a->nk, a->window, a->sinks, a->doc_start, a->doc_end, a->doc_stride };
  p.batch = a->batch;
  p.heads = a->heads;
  p.kv_heads = a->kv_heads;
  p.group = a->heads / a->kv_heads;
  p.head_dim = a->head_dim;
  p.dtype = a->dtype;
  p.scale = a->scale;
  p.scale_log2 = a->scale * FEN_LOG2E;
  p.softcap = a->softcap;
  p.sink_logits = a->sink_logits;
  p.q = a->q, p.k = a->k, p.v = a->v, p.o = a->o;
  p.lse = a->lse;
  p.lse_batch_stride = a->lse_batch_stride;
  p.lse_head_stride = a->lse_head_stride;
  if (g != NULL)
    {
      p.d_o = g->d_o, p.dq = g->dq, p.dk = g->dk, p.dv = g->dv;
      p.dkv_dtype = g->dkv_dtype;
      p.accumulate = g->accumulate;
      p.lse2 = (const float *)g->workspace;
      p.delta = (const float *)((const char *)g->workspace + fen_attention_stats_bytes (a));
      p.stats_stride = fen_attention_stats_stride (a);
    }
  return p;
}

/* ---- addresses ---- */

/* Where row t of head h begins. */
template <typename T>
__host__ __device__ __forceinline__ T *
fen_head_row (const FenHeadView &view, int64_t b, int64_t t, int64_t h)
{
  return (T *)view.data + b * view.batch_stride + t * view.token_stride + h * view.head_stride;
}

/* May the rows of this view be read 16 bytes at a time? */
static inline bool
fen_view_aligned (const FenHeadView *view, FenDType dtype)
{
  const int64_t n = 16 / (int64_t)fen_dtype_size (dtype);
  return (uintptr_t)view->data % 16 == 0 && view->batch_stride % n == 0 && view->token_stride % n == 0
         && view->head_stride % n == 0;
}

/* The mask's functions run on the host too: so a test can ask them without a device. */
#define FEN_MASK_FUNCTION __host__ __device__ __forceinline__

/* ---- the mask: query q sees [lo, q] and the sinks [start, start + sinks) up to q ---- */

FEN_MASK_FUNCTION int64_t
fen_mask_start (const FenAttentionMask &m, int64_t b, int64_t position)
{
  return m.doc_start != NULL ? (int64_t)m.doc_start[b * m.doc_stride + position] : 0;
}

FEN_MASK_FUNCTION int64_t
fen_mask_end (const FenAttentionMask &m, int64_t b, int64_t position)
{
  return m.doc_end != NULL ? (int64_t)m.doc_end[b * m.doc_stride + position] : INT64_MAX / 2;
}

/* First position of the band. */
FEN_MASK_FUNCTION int64_t
fen_mask_lo (const FenAttentionMask &m, int64_t b, int64_t q)
{
  const int64_t start = fen_mask_start (m, b, q);
  return m.window > 0 ? max (start, q - m.window + 1) : start;
}

/* The definition; kernels use the relative form below. */
FEN_MASK_FUNCTION bool
fen_mask_visible (const FenAttentionMask &m, int64_t b, int64_t q, int64_t k)
{
  const int64_t start = fen_mask_start (m, b, q);
  if (k > q || k < start)
    return false;
  return m.window == 0 || k > q - m.window || k < start + m.sinks;
}

/* What one query sees, as key INDICES: j <= last and (j >= lo or sink_begin <= j < sink_end). */
struct FenMaskRow {
  int64_t last, lo, sink_begin, sink_end;
};

/* Query index i. Indices from nq on see nothing. */
FEN_MASK_FUNCTION FenMaskRow
fen_mask_row (const FenAttentionMask &m, int64_t b, int64_t i)
{
  if (i >= m.nq)
    return { -1, 0, 0, 0 };
  const int64_t q = m.q0 + i, start = fen_mask_start (m, b, q);
  const int64_t lo = m.window > 0 ? max (start, q - m.window + 1) : start;
  return { min (q - m.k0, m.nk - 1), lo - m.k0, start - m.k0, start + m.sinks - m.k0 };
}

/* The same relative to the key index j0 of a tile whose keys end at index `stop`: 32 bits. */
struct FenMaskTileRow {
  int last, lo, sink_begin, sink_end;
};

FEN_MASK_FUNCTION int
fen_mask_clamp (int64_t x)
{
  return (int)max ((int64_t)-1, min (x, (int64_t)1 << 20));
}

FEN_MASK_FUNCTION FenMaskTileRow
fen_mask_tile_row (const FenMaskRow &row, int64_t j0, int64_t stop)
{
  return { fen_mask_clamp (min (row.last, stop - 1) - j0), fen_mask_clamp (row.lo - j0),
           fen_mask_clamp (row.sink_begin - j0), fen_mask_clamp (row.sink_end - j0) };
}

/* j: key relative to the tile, >= 0. */
FEN_MASK_FUNCTION bool
fen_mask_sees (const FenMaskTileRow &row, int j)
{
  return j <= row.last && (j >= row.lo || (j >= row.sink_begin && j < row.sink_end));
}

/* Without sinks. */
FEN_MASK_FUNCTION bool
fen_mask_sees_band (const FenMaskTileRow &row, int j)
{
  return j <= row.last && j >= row.lo;
}

/* ---- key tiles of a query tile ----
 *
 *   keys   sinks            band of queries first .. last
 *         |xx..|           |mmmm|ffff|ffff|mmmm|mm  |       m: some pairs hidden, f: full
 *   tile    0                 1    2    3    4    5
 *
 * Sinks: those of the first query's document, as far as they lie before the band (a document that starts at a later
 * query starts inside the band). Tiles start where each range starts, not at multiples of N, so a band of W + M - 1
 * keys takes the fewest. The last tile of a range may be cut: keys at `stop` and beyond belong to no pair there. */
struct FenKeyTiles {
  int64_t sink_begin, sink_end, band_begin, band_end; /* key indices */
  int sink_tiles, tiles;                              /* tiles: of both ranges */
  int full_begin, full_end;                           /* tile numbers whose every pair is visible */
};

struct FenKeyTile {
  int64_t j0, stop;
};

/* Queries of indices [i0, i1), i0 < i1 <= nq. (Rows of a tile past nq see nothing, but are not looked at here.) */
template <int N>
FEN_MASK_FUNCTION FenKeyTiles
fen_key_tiles (const FenAttentionMask &m, int64_t b, int64_t i0, int64_t i1)
{
  const int64_t first = m.q0 + i0, last = m.q0 + i1 - 1;
  const int64_t start = fen_mask_start (m, b, first), end = m.k0 + m.nk;
  const int64_t lo = m.window > 0 ? max (start, first - m.window + 1) : start;
  FenKeyTiles t;

  t.sink_begin = max (start, m.k0) - m.k0;
  t.sink_end = max (t.sink_begin, min (min (start + m.sinks, lo), end) - m.k0);
  t.band_begin = max (lo, m.k0) - m.k0;
  t.band_end = max (t.band_begin, min (last + 1, end) - m.k0);
  t.sink_tiles = (int)((t.sink_end - t.sink_begin + N - 1) / N);
  t.tiles = t.sink_tiles + (int)((t.band_end - t.band_begin + N - 1) / N);

  /* From where on the last query sees the band, and as far as the first one sees it. */
  const int64_t from = max (fen_mask_lo (m, b, last) - m.k0, t.band_begin) - t.band_begin;
  const int64_t to = min (first + 1 - m.k0, t.band_end) - t.band_begin;
  t.full_begin = t.sink_tiles + (int)min ((from + N - 1) / N, (int64_t)(t.tiles - t.sink_tiles));
  t.full_end = max (t.full_begin, t.sink_tiles + (int)(max (to, (int64_t)0) / N));
  return t;
}

template <int N>
FEN_MASK_FUNCTION FenKeyTile
fen_key_tile (const FenKeyTiles &t, int tile)
{
  if (tile < t.sink_tiles)
    return { t.sink_begin + (int64_t)tile * N, t.sink_end };
  return { t.band_begin + (int64_t)(tile - t.sink_tiles) * N, t.band_end };
}

/* ---- queries of a key tile: k <= q < hi(k), an interval for the whole tile ----
 *
 * Query indices [begin, end) see some key of [j0, j1); those of [full_begin, full_end) (maybe empty) see all of them. */
struct FenQueryRange {
  int64_t begin, end, full_begin, full_end;
};

FEN_MASK_FUNCTION FenQueryRange
fen_query_range (const FenAttentionMask &m, int64_t b, int64_t j0, int64_t j1)
{
  const int64_t first = m.k0 + j0, last = m.k0 + j1 - 1;
  const int64_t start = fen_mask_start (m, b, last), end = fen_mask_end (m, b, last);
  /* A document that starts inside the tile has its first sink here; else all keys are of one document. */
  const bool some_sink = m.sinks > max (start, first) - start;
  const bool all_sinks = start <= first && m.sinks > last - start;
  const int64_t first_end = fen_mask_end (m, b, first);
  const int64_t hi = m.window > 0 && !some_sink ? min (end, last + m.window) : end;
  const int64_t full = m.window > 0 && !all_sinks ? min (first_end, first + m.window) : first_end;
  FenQueryRange r;

  r.begin = min (max (first - m.q0, (int64_t)0), m.nq);
  r.end = max (r.begin, min (hi - m.q0, m.nq));
  r.full_begin = max (last - m.q0, (int64_t)0);
  r.full_end = min (full - m.q0, m.nq);
  return r;
}

/* ---- scores ---- */

/* A raw product q.k as a score in units of log 2. */
__device__ __forceinline__ float
fen_attention_score (const FenAttentionParams &p, float raw)
{
  if (p.softcap > 0)
    return p.softcap * FEN_LOG2E * tanhf (raw * p.scale / p.softcap);
  return raw * p.scale_log2;
}

/* d score / d (raw * scale) of the soft cap at a score in units of log 2: 1 - tanh^2. */
__device__ __forceinline__ float
fen_attention_slope (const FenAttentionParams &p, float score)
{
  const float t = score / (p.softcap * FEN_LOG2E);
  return 1 - t * t;
}

#endif /* __CUDACC__ */
