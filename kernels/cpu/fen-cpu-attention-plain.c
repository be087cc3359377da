/* fen-cpu-attention-plain.c: attention with FlashAttn-2 off: scores materialised through GEMM, block by block.
 *
 * For each head, a block of queries at a time: S = Q K^T, an own softmax over the band, O = P V; backward runs S and
 * dP = dO V^T again, then dQ = dS K, dK += dS^T Q, dV += P^T dO. Only the keys between the first query's lo and the last
 * query (and the sinks before) are touched. The columns of S are [sinks | band]:
 *
 *        sinks   band of the block
 *       +-----+--------------------+
 *       |xx   |xxxxxxx             |  first query of the block
 *       |xx   |   xxxxxxx          |
 *       |xx   |            xxxxxxx |  last
 *       +-----+--------------------+
 *
 * Blocks shrink as rows grow, so memory stays near MAX_SCORES and never grows with queries times keys. Threads take
 * stripes of the block's queries, then (for dK, dV) stripes of its keys; each calls single-threaded BLAS.
 */
#include "kernels/cpu/fen-cpu-attention-private.h"

#include <cblas.h>
#include <string.h>

#define MAX_SCORES (4 << 20) /* 16 MiB a block of scores */
#define MAX_BLOCK 256

/* A matrix of fp32 rows. */
typedef struct {
  float *data;
  int64_t ld;
} Matrix;

typedef struct {
  FenDevice *device;
  const FenAttentionKernels *kernels;
  const FenAttention *a;
  const FenAttentionBackward *g;    /* NULL: forward */
  FenAttentionStats stats;          /* backward */
  int64_t block, width;             /* queries a block; columns of s, at most */
  float *s, *ds;                    /* (block, width) */
  float *q_copy, *o_copy, *do_copy; /* (block, d): queries converted, or O and dQ before they are rounded */
  float *k_copy, *v_copy, *dk_copy, *dv_copy; /* (nk, d) */

  /* of the current head and block */
  int64_t b, h, kv_head, first, n; /* queries [first, first + n) */
  Matrix k, v, dk, dv;
  FenSpan spans[2]; /* keys: sinks, band; absolute positions */
} Plain;

/* ---- shapes ---- */

static int64_t
block_width (const FenAttention *a, int64_t block)
{
  if (a->window == 0)
    return a->nk;
  return fen_cpu_min (a->nk, fen_cpu_min (a->sinks, a->nk) + fen_cpu_min (a->window, a->nk) + block);
}

int64_t
fen_cpu_attention_plain_block (const FenAttention *a)
{
  int64_t block = fen_cpu_max (1, fen_cpu_min (MAX_BLOCK, a->nq));

  while (block > 1 && block_width (a, block) > MAX_SCORES / block)
    block = (block + 1) / 2;
  return block;
}

/* Cuts the workspace; with a NULL base it only counts. */
static uint64_t
plain_cut (Plain *p, char *base)
{
  const uint64_t scores = 4 * (uint64_t)p->block * (uint64_t)p->width;
  const uint64_t queries = 4 * (uint64_t)p->block * (uint64_t)p->a->head_dim;
  const uint64_t keys = 4 * (uint64_t)p->a->nk * (uint64_t)p->a->head_dim;
  const bool convert = p->a->dtype != FEN_F32, convert_dkv = p->g && p->g->dkv_dtype != FEN_F32;
  const struct {
    float **to;
    uint64_t bytes;
  } parts[] = {
    { &p->s, scores },
    { &p->ds, p->g ? scores : 0 },
    { &p->q_copy, convert ? queries : 0 },
    { &p->o_copy, convert ? queries : 0 },
    { &p->do_copy, convert && p->g ? queries : 0 },
    { &p->k_copy, convert ? keys : 0 },
    { &p->v_copy, convert ? keys : 0 },
    { &p->dk_copy, convert_dkv ? keys : 0 },
    { &p->dv_copy, convert_dkv ? keys : 0 },
  };
  uint64_t at = 0;

  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    {
      *parts[i].to = base && parts[i].bytes ? (float *)(base + at) : NULL;
      at += fen_cpu_align (parts[i].bytes);
    }
  return at;
}

static void
plain_init (Plain *p, const FenAttention *a, const FenAttentionBackward *g)
{
  memset (p, 0, sizeof *p);
  p->a = a;
  p->g = g;
  p->block = fen_cpu_attention_plain_block (a);
  p->width = block_width (a, p->block);
}

uint64_t
fen_cpu_attention_plain_workspace (const FenAttention *a, const FenAttentionBackward *g)
{
  Plain p;

  plain_init (&p, a, g);
  return plain_cut (&p, NULL);
}

/* ---- pieces ---- */

static float *
at_row (Matrix m, int64_t row)
{
  return m.data + row * m.ld;
}

/* C (m, n) = alpha * op(A) op(B) + beta * C. */
static void
gemm (bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
      const float *b, int64_t ldb, float beta, float *c, int64_t ldc)
{
  if (m > 0 && n > 0)
    cblas_sgemm (CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans, trans_b ? CblasTrans : CblasNoTrans,
                 (int)m, (int)n, (int)k, alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
}

/* A head's rows as they lie (F32). */
static Matrix
view_rows (const FenHeadView *view, int64_t b, int64_t h)
{
  return (Matrix){ (float *)view->data + b * view->batch_stride + h * view->head_stride, view->token_stride };
}

/* Rows [begin, end) of a head, in 16-bit storage, to fp32 at dst + (begin - base) * d; and back. */
static void
convert_in (const Plain *p, const FenHeadView *view, int64_t h, int64_t base, int64_t begin, int64_t end,
            float *dst)
{
  const int64_t d = p->a->head_dim;
  const char *src = (const char *)view->data
                    + (p->b * view->batch_stride + h * view->head_stride + begin * view->token_stride) * 2;

  p->kernels->to_f32 (p->a->dtype, src, view->token_stride, dst + (begin - base) * d, d, end - begin, d);
}

static void
convert_out (const Plain *p, const float *src, const FenHeadView *view, int64_t h, int64_t base,
             int64_t begin, int64_t end)
{
  const int64_t d = p->a->head_dim;
  char *dst = (char *)view->data
              + (p->b * view->batch_stride + h * view->head_stride + begin * view->token_stride) * 2;

  p->kernels->from_f32 (p->a->dtype, src + (begin - base) * d, d, dst, view->token_stride, end - begin, d);
}

/* The queries' rows of a view as fp32, rows [begin, end) counted inside the block. */
static Matrix
block_rows (const Plain *p, const FenHeadView *view, float *copy, int64_t begin, int64_t end)
{
  if (p->a->dtype != FEN_F32)
    {
      convert_in (p, view, p->h, p->first, p->first + begin, p->first + end, copy);
      return (Matrix){ copy + begin * p->a->head_dim, p->a->head_dim };
    }
  Matrix m = view_rows (view, p->b, p->h);
  m.data += (p->first + begin) * m.ld;
  return m;
}

static int64_t
span_length (FenSpan span)
{
  return fen_cpu_max (0, span.end - span.begin);
}

static int64_t
block_columns (const Plain *p)
{
  return span_length (p->spans[0]) + span_length (p->spans[1]);
}

/* Where span i starts among the block's columns. */
static int64_t
span_column (const Plain *p, int i)
{
  return i == 0 ? 0 : span_length (p->spans[0]);
}

static FenAttentionRow
describe_row (const Plain *p, int64_t i)
{
  const FenAttention *a = p->a;
  const int64_t q = a->q0 + p->first + i, start = fen_attention_doc_start (a, p->b, q);
  const int64_t lo = fen_attention_lo (a, p->b, q), sinks_end = fen_cpu_min (start + a->sinks, lo);
  FenAttentionRow row = { .columns = block_columns (p),
                          .scale = a->scale,
                          .softcap = a->softcap,
                          .sink = a->sink_logits ? a->sink_logits[p->h] : -INFINITY };

  /* A later document's sinks, and those before its own lo, may lie inside the block's band: then they are columns of
   * it, left of the row's own band. */
  for (int part = 0; part < 2; part++)
    {
      const FenSpan span = p->spans[part];
      const int64_t from = fen_cpu_max (span.begin, start), to = fen_cpu_min (span.end, sinks_end);

      if (from < to)
        {
          const int64_t shift = span_column (p, part) - span.begin;
          FenSpan *visible = &row.visible[0];

          /* Two pieces of one document's sinks are adjacent columns: the sink span ends where the band begins. */
          visible->begin = visible->begin < visible->end ? visible->begin : from + shift;
          visible->end = to + shift;
        }
    }
  row.visible[1].begin = fen_cpu_max (lo, p->spans[1].begin) - p->spans[1].begin + span_column (p, 1);
  row.visible[1].end = fen_cpu_min (q + 1, p->spans[1].end) - p->spans[1].begin + span_column (p, 1);
  return row;
}

/* s (end - begin, columns) = x (rows, d) * keys^T, over both spans. */
static void
products (const Plain *p, Matrix x, Matrix keys, int64_t rows, float *s)
{
  for (int i = 0; i < 2; i++)
    gemm (false, true, rows, span_length (p->spans[i]), p->a->head_dim, 1, x.data, x.ld,
          at_row (keys, p->spans[i].begin - p->a->k0), keys.ld, 0, s + span_column (p, i), p->width);
}

/* y (rows, d) = alpha * s (rows, columns) * keys. */
static void
combine (const Plain *p, const float *s, Matrix keys, int64_t rows, float alpha, Matrix y)
{
  bool first = true;

  for (int i = 0; i < 2; i++)
    if (span_length (p->spans[i]) > 0)
      {
        gemm (false, false, rows, p->a->head_dim, span_length (p->spans[i]), alpha, s + span_column (p, i),
              p->width, at_row (keys, p->spans[i].begin - p->a->k0), keys.ld, first ? 0 : 1, y.data, y.ld);
        first = false;
      }
  for (int64_t i = 0; first && i < rows; i++)
    memset (at_row (y, i), 0, sizeof (float) * (size_t)p->a->head_dim);
}

/* Where stripe results of the block go: the view itself, or a copy that convert_out rounds. */
static Matrix
output_rows (const Plain *p, const FenHeadView *view, int64_t begin)
{
  if (p->a->dtype != FEN_F32)
    return (Matrix){ p->o_copy + begin * p->a->head_dim, p->a->head_dim };
  Matrix m = view_rows (view, p->b, p->h);
  m.data += (p->first + begin) * m.ld;
  return m;
}

/* ---- stripes ---- */

static void
forward_stripe (void *data, int64_t begin, int64_t end, int worker)
{
  const Plain *p = data;
  const FenAttention *a = p->a;
  const Matrix q = block_rows (p, &a->q, p->q_copy, begin, end);
  float *s = p->s + begin * p->width;

  products (p, q, p->k, end - begin, s);
  for (int64_t i = begin; i < end; i++)
    {
      const FenAttentionRow row = describe_row (p, i);
      const float lse = p->kernels->softmax_row (&row, s + (i - begin) * p->width);

      if (a->lse)
        a->lse[p->b * a->lse_batch_stride + p->h * a->lse_head_stride + p->first + i] = lse;
    }
  combine (p, s, p->v, end - begin, 1, output_rows (p, &a->o, begin));
  if (a->dtype != FEN_F32)
    convert_out (p, p->o_copy, &a->o, p->h, p->first, p->first + begin, p->first + end);
}

/* P and dS of a stripe of queries, and its dQ. */
static void
backward_stripe (void *data, int64_t begin, int64_t end, int worker)
{
  const Plain *p = data;
  const FenAttention *a = p->a;
  const Matrix q = block_rows (p, &a->q, p->q_copy, begin, end);
  const Matrix d_o = block_rows (p, &p->g->d_o, p->do_copy, begin, end);
  const int64_t group = a->heads / a->kv_heads;
  float *s = p->s + begin * p->width, *ds = p->ds + begin * p->width;

  products (p, q, p->k, end - begin, s);
  products (p, d_o, p->v, end - begin, ds);
  for (int64_t i = begin; i < end; i++)
    {
      const FenAttentionRow row = describe_row (p, i);
      const int64_t at
          = fen_attention_stats_at (a, p->b, p->kv_head, (p->first + i) * group + p->h - p->kv_head * group);

      p->kernels->gradient_row (&row, p->stats.lse2[at], p->stats.delta[at], s + (i - begin) * p->width,
                                ds + (i - begin) * p->width);
    }
  combine (p, ds, p->k, end - begin, a->scale, output_rows (p, &p->g->dq, begin));
  if (a->dtype != FEN_F32)
    convert_out (p, p->o_copy, &p->g->dq, p->h, p->first, p->first + begin, p->first + end);
}

/* dK and dV of columns [begin, end) of the block: += dS^T Q, P^T dO. */
static void
key_stripe (void *data, int64_t begin, int64_t end, int worker)
{
  const Plain *p = data;
  const FenAttention *a = p->a;
  const int64_t d = a->head_dim;
  Matrix q = { p->q_copy, d }, d_o = { p->do_copy, d };

  if (a->dtype == FEN_F32)
    {
      q = view_rows (&a->q, p->b, p->h);
      q.data += p->first * q.ld;
      d_o = view_rows (&p->g->d_o, p->b, p->h);
      d_o.data += p->first * d_o.ld;
    }
  for (int i = 0; i < 2; i++)
    {
      const int64_t column = span_column (p, i), from = fen_cpu_max (begin, column);
      const int64_t to = fen_cpu_min (end, column + span_length (p->spans[i]));
      const int64_t key = p->spans[i].begin - a->k0 + from - column;

      if (from >= to)
        continue;
      gemm (true, false, to - from, d, p->n, a->scale, p->ds + from, p->width, q.data, q.ld, 1,
            at_row (p->dk, key), p->dk.ld);
      gemm (true, false, to - from, d, p->n, 1, p->s + from, p->width, d_o.data, d_o.ld, 1,
            at_row (p->dv, key), p->dv.ld);
    }
}

/* ---- heads ---- */

static void
convert_keys (void *data, int64_t begin, int64_t end, int worker)
{
  const Plain *p = data;

  convert_in (p, &p->a->k, p->kv_head, 0, begin, end, p->k_copy);
  convert_in (p, &p->a->v, p->kv_head, 0, begin, end, p->v_copy);
}

static void
clear_gradients (void *data, int64_t begin, int64_t end, int worker)
{
  const Plain *p = data;

  for (int64_t j = begin; j < end; j++)
    {
      memset (at_row (p->dk, j), 0, sizeof (float) * (size_t)p->a->head_dim);
      memset (at_row (p->dv, j), 0, sizeof (float) * (size_t)p->a->head_dim);
    }
}

static void
round_gradients (void *data, int64_t begin, int64_t end, int worker)
{
  const Plain *p = data;

  convert_out (p, p->dk_copy, &p->g->dk, p->kv_head, 0, begin, end);
  convert_out (p, p->dv_copy, &p->g->dv, p->kv_head, 0, begin, end);
}

/* Rows a thread, at least, when it only moves memory. */
#define MOVE_ROWS 64

static void
enter_key_head (Plain *p)
{
  const FenAttention *a = p->a;

  if (a->dtype == FEN_F32)
    {
      p->k = view_rows (&a->k, p->b, p->kv_head);
      p->v = view_rows (&a->v, p->b, p->kv_head);
    }
  else
    {
      p->k = (Matrix){ p->k_copy, a->head_dim };
      p->v = (Matrix){ p->v_copy, a->head_dim };
      fen_cpu_for (p->device, a->nk, MOVE_ROWS, convert_keys, p);
    }
  if (!p->g)
    return;
  p->dk = p->dk_copy ? (Matrix){ p->dk_copy, a->head_dim } : view_rows (&p->g->dk, p->b, p->kv_head);
  p->dv = p->dv_copy ? (Matrix){ p->dv_copy, a->head_dim } : view_rows (&p->g->dv, p->b, p->kv_head);
  if (!p->g->accumulate)
    fen_cpu_for (p->device, a->nk, MOVE_ROWS, clear_gradients, p);
}

static void
run_head (Plain *p)
{
  const FenAttention *a = p->a;

  for (p->first = 0; p->first < a->nq; p->first += p->block)
    {
      const int64_t q = a->q0 + p->first;

      p->n = fen_cpu_min (p->block, a->nq - p->first);
      fen_attention_key_spans (a, p->b, q, q + p->n - 1, p->spans);
      fen_cpu_for (p->device, p->n, 8, p->g ? backward_stripe : forward_stripe, p);
      if (p->g)
        fen_cpu_for (p->device, block_columns (p), 16, key_stripe, p);
    }
}

static void
run (Plain *p)
{
  const FenAttention *a = p->a;
  const int64_t group = a->heads / a->kv_heads;

  for (p->b = 0; p->b < a->batch; p->b++)
    for (p->kv_head = 0; p->kv_head < a->kv_heads; p->kv_head++)
      {
        enter_key_head (p);
        for (p->h = p->kv_head * group; p->h < (p->kv_head + 1) * group; p->h++)
          run_head (p);
        if (p->g && p->dk_copy)
          fen_cpu_for (p->device, a->nk, MOVE_ROWS, round_gradients, p);
      }
}

void
fen_cpu_attention_plain_forward (FenDevice *device, const FenAttention *a)
{
  Plain p;

  plain_init (&p, a, NULL);
  plain_cut (&p, a->workspace);
  p.device = device;
  p.kernels = fen_cpu_attention_isa (device->isa);
  run (&p);
}

void
fen_cpu_attention_plain_backward (FenDevice *device, const FenAttentionBackward *g,
                                  const FenAttentionStats *stats, void *workspace)
{
  Plain p;

  plain_init (&p, &g->forward, g);
  plain_cut (&p, workspace);
  p.device = device;
  p.kernels = fen_cpu_attention_isa (device->isa);
  p.stats = *stats;
  run (&p);
}
