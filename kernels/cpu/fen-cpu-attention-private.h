/* fen-cpu-attention-private.h: what the files of CPU attention share: the mask, the tiles and the scratch layout.
 *
 * One picture serves forward and backward. A tile has COLUMNS, which fill the lanes of vectors, and visits ROWS:
 *
 *     forward, dQ:  columns = (query, head of the group)   rows = keys
 *     dK, dV:       columns = keys                         rows = (query, head of the group)
 *
 * so scores stand transposed, S (rows, columns). A row-wise softmax is then a vertical max and sum without any
 * shuffle, and both products of a tile read their left factor one scalar at a time (a broadcast) exactly as it is
 * stored: nothing but the columns' vectors is ever transposed, once a tile. All heads of a group share the columns, so
 * that grouped heads read K and V once.
 */
#pragma once

#include "kernels/cpu/fen-cpu-private.h"

#include <math.h>

/* Columns of a tile, at most; rows that are loaded (and converted to fp32) at once. */
#define FEN_ATTENTION_MAX_COLUMNS 128
#define FEN_ATTENTION_ROWS 64
/* Columns of a block, the unit of masking and of register blocks: two vectors. The widest one. */
#define FEN_ATTENTION_MAX_BLOCK 32

#define FEN_LOG2E 1.44269504088896340736f
#define FEN_LN2 0.69314718055994530942f

/* Positions [begin, end). */
typedef struct {
  int64_t begin, end;
} FenSpan;

/* ---- the mask ---- */

static inline int64_t
fen_attention_doc_start (const FenAttention *a, int64_t b, int64_t position)
{
  return a->doc_start ? a->doc_start[b * a->doc_stride + position] : 0;
}

/* First position of the band of query q. */
static inline int64_t
fen_attention_lo (const FenAttention *a, int64_t b, int64_t q)
{
  const int64_t start = fen_attention_doc_start (a, b, q);

  return a->window > 0 ? fen_cpu_max (start, q - a->window + 1) : start;
}

/* The queries of key k are [k, hi): to the end of its document when it is a sink. */
static inline int64_t
fen_attention_hi (const FenAttention *a, int64_t b, int64_t k)
{
  const int64_t end = a->doc_end ? a->doc_end[b * a->doc_stride + k] : INT64_MAX;
  const bool sink = k - fen_attention_doc_start (a, b, k) < a->sinks;

  return a->window > 0 && !sink ? fen_cpu_min (end, k + a->window) : end;
}

/* The keys of queries first..last are two intervals: the sinks of the first query's document, as far as they lie
 * before the band, and the band [lo (first), last]. (A document that starts later starts inside the band.) Both are
 * cut to the keys of the call; either may be empty. */
static inline void
fen_attention_key_spans (const FenAttention *a, int64_t b, int64_t first, int64_t last, FenSpan spans[2])
{
  const int64_t start = fen_attention_doc_start (a, b, first), lo = fen_attention_lo (a, b, first);
  const int64_t end = a->k0 + a->nk;

  spans[0].begin = fen_cpu_max (start, a->k0);
  spans[0].end = fen_cpu_min (fen_cpu_min (start + a->sinks, lo), end);
  spans[1].begin = fen_cpu_max (lo, a->k0);
  spans[1].end = fen_cpu_min (last + 1, end);
}

/* ---- tiles ---- */

/* Wide heads take fewer columns, so that a tile's buffers stay in L2. */
static inline int64_t
fen_attention_columns (const FenAttention *a)
{
  return a->head_dim > 128 ? FEN_ATTENTION_MAX_COLUMNS / 2 : FEN_ATTENTION_MAX_COLUMNS;
}

/* Query tiles: `heads` heads of one group times `queries` queries. */
typedef struct {
  int64_t heads, chunks;   /* heads a tile, tiles a group */
  int64_t queries, blocks; /* queries a tile, tiles a row */
  int64_t items;
} FenAttentionQueryGrid;

static inline FenAttentionQueryGrid
fen_attention_query_grid (const FenAttention *a)
{
  const int64_t group = a->heads / a->kv_heads, columns = fen_attention_columns (a);
  FenAttentionQueryGrid grid;

  grid.heads = fen_cpu_min (group, columns);
  grid.chunks = (group + grid.heads - 1) / grid.heads;
  grid.queries = columns / grid.heads;
  grid.blocks = (a->nq + grid.queries - 1) / grid.queries;
  grid.items = a->batch * a->kv_heads * grid.chunks * grid.blocks;
  return grid;
}

/* One query tile: queries i0 .. of heads head0 ..; column c is query i0 + c / heads of head head0 + c % heads. */
typedef struct {
  int64_t b, kv_head, head0, heads, i0, queries;
} FenAttentionQueryTile;

/* Late queries first: without a window they see the most keys, and the longest tiles should not come last. */
static inline FenAttentionQueryTile
fen_attention_query_tile (const FenAttention *a, int64_t item)
{
  const FenAttentionQueryGrid grid = fen_attention_query_grid (a);
  const int64_t group = a->heads / a->kv_heads, rows = a->batch * a->kv_heads * grid.chunks;
  const int64_t block = grid.blocks - 1 - item / rows, row = item % rows, chunk = row % grid.chunks;
  FenAttentionQueryTile tile;

  tile.b = row / grid.chunks / a->kv_heads;
  tile.kv_head = row / grid.chunks % a->kv_heads;
  tile.head0 = tile.kv_head * group + chunk * grid.heads;
  tile.heads = fen_cpu_min (grid.heads, group - chunk * grid.heads);
  tile.i0 = block * grid.queries;
  tile.queries = fen_cpu_min (grid.queries, a->nq - tile.i0);
  return tile;
}

/* Key tiles of the dK, dV pass. */
static inline int64_t
fen_attention_key_items (const FenAttention *a)
{
  return a->batch * a->kv_heads * fen_cpu_ceil_div (a->nk, fen_attention_columns (a));
}

/* ---- scratch ---- */

/* fp32 values that one thread needs for one tile: four column arrays (head_dim, columns), two row arrays
 * (rows, head_dim), two score blocks (rows, block), one row to convert. */
static inline int64_t
fen_attention_scratch (const FenAttention *a)
{
  return 4 * fen_attention_columns (a) * a->head_dim + 2 * FEN_ATTENTION_ROWS * (int64_t)a->head_dim
         + 2 * FEN_ATTENTION_ROWS * FEN_ATTENTION_MAX_BLOCK + 256;
}

/* What backward keeps of a (query, head): lse * log2 e (+inf when the query sees nothing, which makes every
 * probability 0) and D = rowsum (dO * O), both (batch, kv_heads, nq, group): the order of the dK, dV pass's rows. */
typedef struct {
  float *lse2, *delta;
} FenAttentionStats;

static inline int64_t
fen_attention_stats_at (const FenAttention *a, int64_t b, int64_t kv_head, int64_t row)
{
  return (b * a->kv_heads + kv_head) * a->nq * (a->heads / a->kv_heads) + row;
}

/* ---- the plain path's rows ---- */

/* One query's row of a block of scores, `columns` wide. */
typedef struct {
  int64_t columns;
  FenSpan visible[2]; /* columns: among the sinks, then in the band; rising, either may be empty */
  float scale, softcap;
  float sink; /* learned logit, or -inf */
} FenAttentionRow;

/* ---- kernels, one table an instruction set ---- */

typedef struct {
  int block; /* columns of a block */
  void (*forward_tile) (const FenAttention *a, int64_t item, float *scratch);
  /* lse2 and D of rows [begin, end) of (b, kv_head). */
  void (*stats_rows) (const FenAttentionBackward *g, const FenAttentionStats *stats, int64_t b,
                      int64_t kv_head, int64_t begin, int64_t end);
  void (*query_tile) (const FenAttentionBackward *g, const FenAttentionStats *stats, int64_t item,
                      float *scratch);
  void (*key_tile) (const FenAttentionBackward *g, const FenAttentionStats *stats, int64_t item,
                    float *scratch);
  /* Raw products to probabilities; returns LSE. */
  float (*softmax_row) (const FenAttentionRow *row, float *s);
  /* Raw products s to P, dP to dS (without `scale`). */
  void (*gradient_row) (const FenAttentionRow *row, float lse2, float delta, float *s, float *dp);
  void (*to_f32) (FenDType dtype, const void *src, int64_t ld_src, float *dst, int64_t ld_dst, int64_t rows,
                  int64_t columns);
  void (*from_f32) (FenDType dtype, const float *src, int64_t ld_src, void *dst, int64_t ld_dst, int64_t rows,
                    int64_t columns);
} FenAttentionKernels;

extern const FenAttentionKernels fen_cpu_attention_kernels_plain;
extern const FenAttentionKernels fen_cpu_attention_kernels_avx2;
extern const FenAttentionKernels fen_cpu_attention_kernels_avx512;

/* ---- the two paths ---- */

const FenAttentionKernels *fen_cpu_attention_isa (FenCpuIsa isa);

uint64_t fen_cpu_attention_plain_workspace (const FenAttention *a, const FenAttentionBackward *g);
int64_t fen_cpu_attention_plain_block (const FenAttention *a);
void fen_cpu_attention_plain_forward (FenDevice *device, const FenAttention *a);
void fen_cpu_attention_plain_backward (FenDevice *device, const FenAttentionBackward *g,
                                       const FenAttentionStats *stats, void *workspace);
