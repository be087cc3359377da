/* fen-cpu-attention-forward.c: one query tile of FlashAttention-2's forward pass (Dao 2023, algorithm 1) on the CPU.
 *
 * Q (d, columns) is transposed once, with the scale folded in. For each visible tile of keys and each block of columns:
 *
 *     S = K Q        m' = max (m, S)     P = 2^(S - m')     l = l 2^(m - m') + sum P     O = O 2^(m - m') + V^T P
 *
 * with S and P (rows, block) in L1. Blocks are trimmed to the keys that some of their queries see, and only those that
 * hold an invisible pair are masked.
 */
#include "kernels/cpu/fen-cpu-attention-isa.h"
#include "kernels/cpu/fen-cpu-attention-tile.h"

/* A tile at work; column arrays are (blocks, d, BLOCK). */
typedef struct {
  const FenAttention *a;
  int64_t b, kv_head, head0, heads, i0;
  Positions columns;
  float *q, *o;   /* (d, columns) */
  float *k, *v;   /* (rows, d) */
  float *s, *row; /* (rows, BLOCK), (d) */
  float max[FEN_ATTENTION_MAX_COLUMNS], sum[FEN_ATTENTION_MAX_COLUMNS];
} Tile;

/* S (n, BLOCK) becomes P; updates max and sum (BLOCK), gives what O is to be multiplied by. */
static inline void
online_softmax (int64_t n, float *s, float *max, float *sum, float *rescale)
{
  const FenVec none = at_broadcast (-INFINITY), old0 = at_load (max), old1 = at_load (max + FEN_VW);
  FenVec m0 = old0, m1 = old1, sum0 = { 0 }, sum1 = { 0 };

  for (int64_t j = 0; j < n; j++)
    {
      m0 = fv_max (at_load (s + j * BLOCK), m0);
      m1 = fv_max (at_load (s + j * BLOCK + FEN_VW), m1);
    }
  at_store (max, m0);
  at_store (max + FEN_VW, m1);
  /* A column that has seen nothing yet: -inf - -inf would be NaN. */
  m0 = fv_select (m0 == none, (FenVec){ 0 }, m0);
  m1 = fv_select (m1 == none, (FenVec){ 0 }, m1);
  for (int64_t j = 0; j < n; j++)
    {
      const FenVec p0 = at_exp2 (at_load (s + j * BLOCK) - m0);
      const FenVec p1 = at_exp2 (at_load (s + j * BLOCK + FEN_VW) - m1);

      at_store (s + j * BLOCK, p0);
      at_store (s + j * BLOCK + FEN_VW, p1);
      sum0 += p0;
      sum1 += p1;
    }
  at_store (rescale, at_exp2 (old0 - m0));
  at_store (rescale + FEN_VW, at_exp2 (old1 - m1));
  at_store (sum, fv_fma (at_load (sum), at_load (rescale), sum0));
  at_store (sum + FEN_VW, fv_fma (at_load (sum + FEN_VW), at_load (rescale + FEN_VW), sum1));
}

/* Keys [begin, begin + n), which lie in t->k and t->v, for the block of columns from c0 on. */
static void
forward_block (Tile *t, int64_t c0, int64_t begin, int64_t n)
{
  const int64_t d = t->a->head_dim, c1 = fen_cpu_min (c0 + BLOCK, t->columns.n) - 1;
  const FenSpan part = visible_part (&t->columns, c0, c1, begin, begin + n);
  const int64_t skip = (part.begin - begin) * d, rows = part.end - part.begin;
  float rescale[BLOCK];

  if (rows <= 0)
    return;
  at_scores (rows, d, t->k + skip, t->q + c0 * d, t->s);
  if (t->a->softcap > 0)
    cap_scores (t->a, rows, t->s);
  if (!all_visible (&t->columns, c0, c1, part.begin, part.end))
    mask_keys (&t->columns, c0, part.begin, rows, t->s);
  online_softmax (rows, t->s, t->max + c0, t->sum + c0, rescale);
  at_values (d, rows, t->v + skip, t->s, t->o + c0 * d, rescale);
}

/* Divides by the sum (the learned sink is part of it), stores O and LSE of column c. */
static void
finish_column (Tile *t, int64_t c)
{
  const FenAttention *a = t->a;
  const int64_t i = t->i0 + c / t->heads, h = t->head0 + c % t->heads;
  float max = t->max[c], sum = t->sum[c], scale = 1;

  if (a->sink_logits && a->sink_logits[h] > -INFINITY)
    {
      const float sink = a->sink_logits[h] * FEN_LOG2E, top = sink > max ? sink : max;

      scale = exp2f (max - top);
      sum = sum * scale + exp2f (sink - top);
      max = top;
    }
  /* sum is 0 only where nothing was seen; a NaN must come through. */
  store_column (a->dtype, t->o, a->head_dim, c, sum == 0 ? 0 : scale / sum, false, &a->o, t->b, i, h, t->row);
  if (a->lse)
    a->lse[t->b * a->lse_batch_stride + h * a->lse_head_stride + i]
        = sum == 0 ? -INFINITY : max * FEN_LN2 + logf (sum);
}

void
FEN_ISA (fen_cpu_attention_forward_tile) (const FenAttention *a, int64_t item, float *scratch)
{
  const FenAttentionQueryTile at = fen_attention_query_tile (a, item);
  const int64_t d = a->head_dim, n = at.heads * at.queries, padded = fen_cpu_ceil_div (n, BLOCK) * BLOCK;
  Tile t = { .a = a, .b = at.b, .kv_head = at.kv_head, .head0 = at.head0, .heads = at.heads, .i0 = at.i0 };
  FenSpan spans[2];

  t.q = scratch;
  t.o = t.q + fen_attention_columns (a) * d;
  t.k = t.o + fen_attention_columns (a) * d;
  t.v = t.k + FEN_ATTENTION_ROWS * d;
  t.s = t.v + FEN_ATTENTION_ROWS * d;
  t.row = t.s + FEN_ATTENTION_ROWS * BLOCK;
  positions_fill (&t.columns, a, t.b, t.i0 * t.heads, n, t.heads);
  load_columns (a, &a->q, t.b, t.i0 * t.heads, n, t.head0, t.heads, score_scale (a), t.row, t.q);
  memset (t.o, 0, sizeof (float) * (size_t)(padded * d));
  for (int64_t c = 0; c < padded; c++)
    {
      t.max[c] = -INFINITY;
      t.sum[c] = 0;
    }
  fen_attention_key_spans (a, t.b, t.columns.q[0], t.columns.q[n - 1], spans);
  for (int s = 0; s < 2; s++)
    for (int64_t k = spans[s].begin; k < spans[s].end; k += FEN_ATTENTION_ROWS)
      {
        const int64_t rows = fen_cpu_min (FEN_ATTENTION_ROWS, spans[s].end - k);

        load_rows (a, &a->k, t.b, k - a->k0, rows, t.kv_head, 1, t.k);
        load_rows (a, &a->v, t.b, k - a->k0, rows, t.kv_head, 1, t.v);
        for (int64_t c0 = 0; c0 < n; c0 += BLOCK)
          forward_block (&t, c0, k, rows);
      }
  for (int64_t c = 0; c < n; c++)
    finish_column (&t, c);
}
