/* fen-cpu-attention-tile.h: loading, transposing and masking the tiles of CPU attention (compiled once an instruction
 * set, shared by forward and backward). fen-cpu-attention-private.h draws the picture.
 */
#pragma once

#include "kernels/cpu/fen-cpu-attention-micro.h"

/* What the mask says of each column or row of a tile, as absolute positions. Unused ones have q = -1: nothing is
 * visible to them. */
typedef struct {
  int64_t n;
  int64_t q[FEN_ATTENTION_MAX_COLUMNS];        /* last visible position */
  int64_t lo[FEN_ATTENTION_MAX_COLUMNS];       /* first of the band */
  int64_t start[FEN_ATTENTION_MAX_COLUMNS];    /* of the document */
  int64_t sink_end[FEN_ATTENTION_MAX_COLUMNS]; /* one past the document's sinks */
} Positions;

/* Queries i0 .. of `heads` heads each: entry c is query i0 + c / heads. Rows need no padding to blocks. */
static inline void
positions_fill (Positions *p, const FenAttention *a, int64_t b, int64_t first, int64_t n, int64_t heads)
{
  p->n = n;
  for (int64_t c = 0; c < n; c++)
    {
      const int64_t q = a->q0 + (first + c) / heads;

      p->q[c] = q;
      p->lo[c] = fen_attention_lo (a, b, q);
      p->start[c] = fen_attention_doc_start (a, b, q);
      p->sink_end[c] = p->start[c] + a->sinks;
    }
  for (int64_t c = n; c < FEN_ATTENTION_MAX_COLUMNS; c++)
    {
      p->q[c] = -1;
      p->lo[c] = p->start[c] = p->sink_end[c] = 0;
    }
}

FV_INLINE void
convert_row_as (FenDType dtype, const void *src, int64_t at, int64_t n, float *dst)
{
  int64_t e = 0;

  for (; e + FEN_VW <= n; e += FEN_VW)
    at_store (dst + e, fv_load (dtype, src, at + e));
  for (; e < n; e++)
    dst[e] = fs_load (dtype, src, at + e);
}

/* Row (b, t, h) of a view as fp32. */
static inline void
convert_row (FenDType dtype, const FenHeadView *view, int64_t b, int64_t t, int64_t h, int64_t n, float *dst)
{
  const int64_t at = b * view->batch_stride + t * view->token_stride + h * view->head_stride;

#define CALL(type) convert_row_as (type, view->data, at, n, dst)
  FEN_CPU_BY_DTYPE (dtype, CALL);
#undef CALL
}

/* Rows first .. first + n - 1 of a view whose rows are (token, head of the group): (n, head_dim). Keys: heads = 1. */
static inline void
load_rows (const FenAttention *a, const FenHeadView *view, int64_t b, int64_t first, int64_t n, int64_t head0,
           int64_t heads, float *dst)
{
  for (int64_t r = 0; r < n; r++)
    convert_row (a->dtype, view, b, (first + r) / heads, head0 + (first + r) % heads, a->head_dim,
                 dst + r * a->head_dim);
}

/* Where column c's element e stands in a column array: (blocks, head_dim, BLOCK). */
FV_INLINE int64_t
column_at (int64_t head_dim, int64_t c, int64_t e)
{
  return (c / BLOCK * head_dim + e) * BLOCK + c % BLOCK;
}

/* The same rows as columns, times `scale`; columns up to the end of the last block become 0. */
static inline void
load_columns (const FenAttention *a, const FenHeadView *view, int64_t b, int64_t first, int64_t n,
              int64_t head0, int64_t heads, float scale, float *row, float *dst)
{
  const int64_t d = a->head_dim, padded = fen_cpu_ceil_div (n, BLOCK) * BLOCK;

  for (int64_t c = 0; c < padded; c++)
    {
      float *to = dst + column_at (d, c, 0);

      if (c < n)
        convert_row (a->dtype, view, b, (first + c) / heads, head0 + (first + c) % heads, d, row);
      for (int64_t e = 0; e < d; e++)
        to[e * BLOCK] = c < n ? row[e] * scale : 0;
    }
}

FV_INLINE void
store_row_as (FenDType dtype, const float *src, int64_t n, void *dst, int64_t at)
{
  int64_t e = 0;

  for (; e + FEN_VW <= n; e += FEN_VW)
    fv_store (dtype, dst, at + e, at_load (src + e));
  for (; e < n; e++)
    fs_store (dtype, dst, at + e, src[e]);
}

/* Column c of a column array times `scale` into row (b, t, h) of a view, added to it when `add` (F32). */
static inline void
store_column (FenDType dtype, const float *columns, int64_t head_dim, int64_t c, float scale, bool add,
              const FenHeadView *view, int64_t b, int64_t t, int64_t h, float *row)
{
  const int64_t at = b * view->batch_stride + t * view->token_stride + h * view->head_stride;
  const float *from = columns + column_at (head_dim, c, 0);

  for (int64_t e = 0; e < head_dim; e++)
    row[e] = from[e * BLOCK] * scale;
  if (add)
    for (int64_t e = 0; e < head_dim; e++)
      row[e] += ((const float *)view->data)[at + e];
#define CALL(type) store_row_as (type, row, head_dim, view->data, at)
  FEN_CPU_BY_DTYPE (dtype, CALL);
#undef CALL
}

/* ---- masks ---- */

FV_INLINE int32_t
clamp_to_tile (int64_t x)
{
  return (int32_t)fen_cpu_max (-1, fen_cpu_min (x, 1 << 20));
}

FV_INLINE void
hide (float *s, FenVecI visible)
{
  at_store (s, fv_select (visible, at_load (s), at_broadcast (-INFINITY)));
}

/* Scores (n keys from position k on, BLOCK queries from column c0 on): what is not visible becomes -inf. */
static inline void
mask_keys (const Positions *p, int64_t c0, int64_t k, int64_t n, float *s)
{
  for (int64_t v = 0; v < BLOCK; v += FEN_VW)
    {
      FenVecI q, lo, start, sink_end;

      for (int64_t l = 0; l < FEN_VW; l++)
        {
          const int64_t c = c0 + v + l;

          q[l] = clamp_to_tile (p->q[c] - k);
          lo[l] = clamp_to_tile (p->lo[c] - k);
          start[l] = clamp_to_tile (p->start[c] - k);
          sink_end[l] = clamp_to_tile (p->sink_end[c] - k);
        }
      for (int64_t j = 0; j < n; j++)
        {
          const FenVecI key = (FenVecI){ 0 } + (int32_t)j;

          hide (s + j * BLOCK + v, (key <= q) & ((key >= lo) | ((key >= start) & (key < sink_end))));
        }
    }
}

/* Scores (n queries from row r0 on, BLOCK keys from position k on). */
static inline void
mask_queries (const Positions *p, int64_t r0, int64_t k, int64_t n, float *s)
{
  FenVecI lane;

  for (int32_t l = 0; l < FEN_VW; l++)
    lane[l] = l;
  for (int64_t r = r0; r < r0 + n; r++)
    for (int32_t v = 0; v < BLOCK; v += FEN_VW)
      {
        const FenVecI key = lane + v;

        hide (s + (r - r0) * BLOCK + v, (key <= clamp_to_tile (p->q[r] - k))
                                            & ((key >= clamp_to_tile (p->lo[r] - k))
                                               | ((key >= clamp_to_tile (p->start[r] - k))
                                                  & (key < clamp_to_tile (p->sink_end[r] - k)))));
      }
}

/* True when queries c0..c1 see all keys of [begin, end). */
static inline bool
all_visible (const Positions *p, int64_t c0, int64_t c1, int64_t begin, int64_t end)
{
  if (end - 1 > p->q[c0])
    return false;
  return p->lo[c1] <= begin
         || (p->start[c0] == p->start[c1] && p->start[c0] <= begin && end <= p->sink_end[c0]);
}

/* The part of [begin, end) that some query of c0..c1 may see, as one interval; empty when begin >= end. */
static inline FenSpan
visible_part (const Positions *p, int64_t c0, int64_t c1, int64_t begin, int64_t end)
{
  const FenSpan spans[2]
      = { { p->start[c0], fen_cpu_min (p->sink_end[c0], p->lo[c0]) }, { p->lo[c0], p->q[c1] + 1 } };
  FenSpan part = { end, begin };

  for (int i = 0; i < 2; i++)
    {
      const int64_t from = fen_cpu_max (begin, spans[i].begin), to = fen_cpu_min (end, spans[i].end);

      if (from < to)
        {
          part.begin = fen_cpu_min (part.begin, from);
          part.end = fen_cpu_max (part.end, to);
        }
    }
  return part;
}

/* ---- scores ---- */

/* What the columns (or rows) of scores are multiplied by: scores come out in units of log 2, except under a soft cap,
 * which needs the natural ones and converts afterwards. */
static inline float
score_scale (const FenAttention *a)
{
  return a->softcap > 0 ? a->scale : a->scale * FEN_LOG2E;
}

static inline void
cap_scores (const FenAttention *a, int64_t n, float *s)
{
  const FenVec inverse = at_broadcast (1 / a->softcap), cap = at_broadcast (a->softcap * FEN_LOG2E);

  for (int64_t i = 0; i < n * BLOCK; i += FEN_VW)
    at_store (s + i, at_tanh (at_load (s + i) * inverse) * cap);
}
