/* fen-cpu-attention-backward.c: tiles of FlashAttention-2's backward pass (Dao 2023, algorithm 2) on the CPU.
 *
 * Two passes, each of which owns what it writes: query tiles give dQ, key tiles give dK and dV. The scores are computed
 * twice (7 products instead of 5), in return no thread ever adds to what another one writes, so the result does not
 * depend on timing and T tokens need no buffer of sums.
 *
 *     P = 2^(S - lse2)     dP = V dO     dS = P (dP - D), times 1 - tanh^2 under a soft cap
 *     query tile: dQ = scale * K^T dS         key tile: dV = dO^T P,  dK = scale * Q^T dS
 */
#include "kernels/cpu/fen-cpu-attention-isa.h"
#include "kernels/cpu/fen-cpu-attention-tile.h"
#include "kernels/cpu/fen-cpu-isa.h"

typedef struct {
  const FenAttention *a;
  Positions queries;          /* the columns of a query tile, the current rows of a key tile */
  float *c0, *c1, *dc0, *dc1; /* (d, columns): q, dO, dQ, unused; or k, v, dK, dV */
  float *r0, *r1;             /* (rows, d): k, v; or q, dO */
  float *s, *ds, *row;        /* (rows, BLOCK) twice, (d) */
} Tile;

static void
tile_init (Tile *t, const FenAttention *a, float *scratch)
{
  const int64_t column_array = fen_attention_columns (a) * a->head_dim;
  const int64_t row_array = FEN_ATTENTION_ROWS * (int64_t)a->head_dim;

  t->a = a;
  t->c0 = scratch;
  t->c1 = t->c0 + column_array;
  t->dc0 = t->c1 + column_array;
  t->dc1 = t->dc0 + column_array;
  t->r0 = t->dc1 + column_array;
  t->r1 = t->r0 + row_array;
  t->s = t->r1 + row_array;
  t->ds = t->s + FEN_ATTENTION_ROWS * BLOCK;
  t->row = t->ds + FEN_ATTENTION_ROWS * BLOCK;
}

void
FEN_ISA (fen_cpu_attention_stats_rows) (const FenAttentionBackward *g, const FenAttentionStats *stats,
                                        int64_t b, int64_t kv_head, int64_t begin, int64_t end)
{
  const FenAttention *a = &g->forward;
  const int64_t group = a->heads / a->kv_heads;
  float o[256], d_o[256];

  for (int64_t r = begin; r < end; r++)
    {
      const int64_t i = r / group, h = kv_head * group + r % group,
                    at = fen_attention_stats_at (a, b, kv_head, r);
      const float lse = a->lse[b * a->lse_batch_stride + h * a->lse_head_stride + i];
      float delta = 0;

      convert_row (a->dtype, &a->o, b, i, h, a->head_dim, o);
      convert_row (a->dtype, &g->d_o, b, i, h, a->head_dim, d_o);
      for (int64_t e = 0; e < a->head_dim; e++)
        delta += o[e] * d_o[e];
      stats->delta[at] = delta;
      stats->lse2[at] = lse == -INFINITY ? INFINITY : lse * FEN_LOG2E;
    }
}

/* One score vector and its dP become P and dS. cap: softcap * log2 e, or 0. */
FV_INLINE void
backward_scores (float *s, float *dp, FenVec lse2, FenVec delta, float cap)
{
  const FenVec score = at_load (s), p = at_exp2 (score - lse2);
  FenVec ds = p * (at_load (dp) - delta);

  if (cap > 0)
    {
      /* Hidden scores are -inf: their slope must be a number, for it is multiplied by 0. */
      const FenVec t = fv_max (at_broadcast (-1), score * at_broadcast (1 / cap));

      ds *= at_broadcast (1) - t * t;
    }
  at_store (s, p);
  at_store (dp, ds);
}

/* ---- dQ ---- */

/* Keys [begin, begin + n), which lie in r0 and r1, for the block of queries from column c on. */
static void
query_block (Tile *t, int64_t c, int64_t begin, int64_t n, const float *lse2, const float *delta)
{
  const int64_t d = t->a->head_dim, last = fen_cpu_min (c + BLOCK, t->queries.n) - 1;
  const FenSpan part = visible_part (&t->queries, c, last, begin, begin + n);
  const int64_t skip = (part.begin - begin) * d, rows = part.end - part.begin;
  const float cap = t->a->softcap * FEN_LOG2E;
  const FenVec l0 = at_load (lse2 + c), l1 = at_load (lse2 + c + FEN_VW);
  const FenVec d0 = at_load (delta + c), d1 = at_load (delta + c + FEN_VW);

  if (rows <= 0)
    return;
  at_scores (rows, d, t->r0 + skip, t->c0 + c * d, t->s);
  at_scores (rows, d, t->r1 + skip, t->c1 + c * d, t->ds);
  if (cap > 0)
    cap_scores (t->a, rows, t->s);
  if (!all_visible (&t->queries, c, last, part.begin, part.end))
    mask_keys (&t->queries, c, part.begin, rows, t->s);
  for (int64_t j = 0; j < rows; j++)
    {
      backward_scores (t->s + j * BLOCK, t->ds + j * BLOCK, l0, d0, cap);
      backward_scores (t->s + j * BLOCK + FEN_VW, t->ds + j * BLOCK + FEN_VW, l1, d1, cap);
    }
  at_values (d, rows, t->r0 + skip, t->ds, t->dc0 + c * d, NULL);
}

void
FEN_ISA (fen_cpu_attention_query_tile) (const FenAttentionBackward *g, const FenAttentionStats *stats,
                                        int64_t item, float *scratch)
{
  const FenAttention *a = &g->forward;
  const FenAttentionQueryTile at = fen_attention_query_tile (a, item);
  const int64_t n = at.heads * at.queries, first = at.i0 * at.heads, group = a->heads / a->kv_heads;
  float lse2[FEN_ATTENTION_MAX_COLUMNS], delta[FEN_ATTENTION_MAX_COLUMNS];
  FenSpan spans[2];
  Tile t;

  tile_init (&t, a, scratch);
  positions_fill (&t.queries, a, at.b, first, n, at.heads);
  load_columns (a, &a->q, at.b, first, n, at.head0, at.heads, score_scale (a), t.row, t.c0);
  load_columns (a, &g->d_o, at.b, first, n, at.head0, at.heads, 1, t.row, t.c1);
  memset (t.dc0, 0, sizeof (float) * (size_t)(fen_cpu_ceil_div (n, BLOCK) * BLOCK * a->head_dim));
  for (int64_t c = 0; c < FEN_ATTENTION_MAX_COLUMNS; c++)
    {
      const int64_t row = (at.i0 + c / at.heads) * group + at.head0 - at.kv_head * group + c % at.heads;

      lse2[c] = c < n ? stats->lse2[fen_attention_stats_at (a, at.b, at.kv_head, row)] : INFINITY;
      delta[c] = c < n ? stats->delta[fen_attention_stats_at (a, at.b, at.kv_head, row)] : 0;
    }
  fen_attention_key_spans (a, at.b, t.queries.q[0], t.queries.q[n - 1], spans);
  for (int s = 0; s < 2; s++)
    for (int64_t k = spans[s].begin; k < spans[s].end; k += FEN_ATTENTION_ROWS)
      {
        const int64_t rows = fen_cpu_min (FEN_ATTENTION_ROWS, spans[s].end - k);

        load_rows (a, &a->k, at.b, k - a->k0, rows, at.kv_head, 1, t.r0);
        load_rows (a, &a->v, at.b, k - a->k0, rows, at.kv_head, 1, t.r1);
        for (int64_t c = 0; c < n; c += BLOCK)
          query_block (&t, c, k, rows, lse2, delta);
      }
  for (int64_t c = 0; c < n; c++)
    store_column (a->dtype, t.dc0, a->head_dim, c, a->scale, false, &g->dq, at.b, at.i0 + c / at.heads,
                  at.head0 + c % at.heads, t.row);
}

/* ---- dK, dV ---- */

/* The queries that see some key of [k, k + n), as positions inside the call. */
static FenSpan
query_span (const FenAttention *a, int64_t b, int64_t k, int64_t n)
{
  FenSpan span = { fen_cpu_max (k, a->q0), 0 };

  for (int64_t j = k; j < k + n; j++)
    span.end = fen_cpu_max (span.end, fen_attention_hi (a, b, j));
  span.end = fen_cpu_min (span.end, a->q0 + a->nq);
  return span;
}

/* Query rows [first, first + n), which lie in r0 and r1, for the block of keys from column c (position k) on, which
 * queries of `span` see. */
static void
key_block (Tile *t, int64_t c, int64_t k, int64_t keys, FenSpan span, int64_t first, int64_t n,
           const float *lse2, const float *delta)
{
  const FenAttention *a = t->a;
  const int64_t d = a->head_dim, group = a->heads / a->kv_heads;
  const int64_t begin = fen_cpu_max ((span.begin - a->q0) * group, first) - first;
  const int64_t rows = fen_cpu_min ((span.end - a->q0) * group, first + n) - first - begin;
  const float cap = a->softcap * FEN_LOG2E;

  if (rows <= 0)
    return;
  at_scores (rows, d, t->r0 + begin * d, t->c0 + c * d, t->s);
  at_scores (rows, d, t->r1 + begin * d, t->c1 + c * d, t->ds);
  if (cap > 0)
    cap_scores (a, rows, t->s);
  if (!all_visible (&t->queries, begin, begin + rows - 1, k, k + keys))
    mask_queries (&t->queries, begin, k, rows, t->s);
  for (int64_t j = 0; j < rows; j++)
    {
      const FenVec l = at_broadcast (lse2[begin + j]), dl = at_broadcast (delta[begin + j]);

      backward_scores (t->s + j * BLOCK, t->ds + j * BLOCK, l, dl, cap);
      backward_scores (t->s + j * BLOCK + FEN_VW, t->ds + j * BLOCK + FEN_VW, l, dl, cap);
    }
  at_values (d, rows, t->r1 + begin * d, t->s, t->dc1 + c * d, NULL);
  at_values (d, rows, t->r0 + begin * d, t->ds, t->dc0 + c * d, NULL);
}

/* All query rows [begin, end) of the key tile of n keys from position k on. */
static void
key_tile_rows (Tile *t, const FenAttentionBackward *g, const FenAttentionStats *stats, int64_t b,
               int64_t kv_head, int64_t k, int64_t n)
{
  const FenAttention *a = t->a;
  const int64_t group = a->heads / a->kv_heads, blocks = fen_cpu_ceil_div (n, BLOCK);
  FenSpan spans[FEN_ATTENTION_MAX_COLUMNS / BLOCK];
  int64_t begin = INT64_MAX, end = 0;

  for (int64_t i = 0; i < blocks; i++)
    {
      spans[i] = query_span (a, b, k + i * BLOCK, fen_cpu_min (BLOCK, n - i * BLOCK));
      begin = fen_cpu_min (begin, (spans[i].begin - a->q0) * group);
      end = fen_cpu_max (end, (spans[i].end - a->q0) * group);
    }
  for (int64_t r = begin; r < end; r += FEN_ATTENTION_ROWS)
    {
      const int64_t rows = fen_cpu_min (FEN_ATTENTION_ROWS, end - r);
      const int64_t at = fen_attention_stats_at (a, b, kv_head, r);

      positions_fill (&t->queries, a, b, r, rows, group);
      load_rows (a, &a->q, b, r, rows, kv_head * group, group, t->r0);
      load_rows (a, &g->d_o, b, r, rows, kv_head * group, group, t->r1);
      for (int64_t i = 0; i < blocks; i++)
        key_block (t, i * BLOCK, k + i * BLOCK, fen_cpu_min (BLOCK, n - i * BLOCK), spans[i], r, rows,
                   stats->lse2 + at, stats->delta + at);
    }
}

void
FEN_ISA (fen_cpu_attention_key_tile) (const FenAttentionBackward *g, const FenAttentionStats *stats,
                                      int64_t item, float *scratch)
{
  const FenAttention *a = &g->forward;
  const int64_t columns = fen_attention_columns (a), heads = a->batch * a->kv_heads;
  const int64_t b = item % heads / a->kv_heads, kv_head = item % heads % a->kv_heads;
  const int64_t j0 = item / heads * columns, n = fen_cpu_min (columns, a->nk - j0);
  const size_t bytes = sizeof (float) * (size_t)(fen_cpu_ceil_div (n, BLOCK) * BLOCK * a->head_dim);
  Tile t;

  tile_init (&t, a, scratch);
  load_columns (a, &a->k, b, j0, n, kv_head, 1, score_scale (a), t.row, t.c0);
  load_columns (a, &a->v, b, j0, n, kv_head, 1, 1, t.row, t.c1);
  memset (t.dc0, 0, bytes);
  memset (t.dc1, 0, bytes);
  key_tile_rows (&t, g, stats, b, kv_head, a->k0 + j0, n);
  for (int64_t c = 0; c < n; c++)
    {
      store_column (g->dkv_dtype, t.dc0, a->head_dim, c, a->scale, g->accumulate, &g->dk, b, j0 + c, kv_head,
                    t.row);
      store_column (g->dkv_dtype, t.dc1, a->head_dim, c, 1, g->accumulate, &g->dv, b, j0 + c, kv_head, t.row);
    }
}

const FenAttentionKernels FEN_ISA (fen_cpu_attention_kernels) = {
  .block = BLOCK,
  .forward_tile = FEN_ISA (fen_cpu_attention_forward_tile),
  .stats_rows = FEN_ISA (fen_cpu_attention_stats_rows),
  .query_tile = FEN_ISA (fen_cpu_attention_query_tile),
  .key_tile = FEN_ISA (fen_cpu_attention_key_tile),
  .softmax_row = FEN_ISA (fen_cpu_attention_softmax_row),
  .gradient_row = FEN_ISA (fen_cpu_attention_gradient_row),
  .to_f32 = FEN_ISA (fen_cpu_to_f32),
  .from_f32 = FEN_ISA (fen_cpu_from_f32),
};
