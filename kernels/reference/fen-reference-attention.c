/* fen-reference-attention.c: attention in double precision, as the formulas stand. The oracle of the tests.
 *
 * Every (query, key) pair is asked whether it is visible, every visible pair is visited in order, nothing is tiled.
 * The backward pass does not trust the forward's o and lse (they are rounded): it computes the probabilities again,
 * so that with F64 storage its gradients agree with finite differences to about 1e-8.
 *
 *   s = scale * q.k                s' = softcap * tanh (s / softcap)          p = exp (s' - lse)
 *   dv += p do                     dp = do.v      D = sum p dp                ds' = p (dp - D)
 *   ds = ds' (1 - tanh^2)          dq += scale ds k      dk += scale ds q     dsink = -exp (sink - lse) D
 */
#include "kernels/reference/fen-reference-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool
visible (const FenAttention *a, int64_t b, int64_t q, int64_t k)
{
  const int64_t start = a->doc_start ? a->doc_start[b * a->doc_stride + q] : 0;

  if (k > q || k < start)
    return false;
  return a->window == 0 || k > q - a->window || k < start + a->sinks;
}

static int64_t
element (const FenHeadView *view, int64_t b, int64_t t, int64_t h, int64_t e)
{
  return b * view->batch_stride + t * view->token_stride + h * view->head_stride + e;
}

static double
get (const FenHeadView *view, FenDType dtype, int64_t b, int64_t t, int64_t h, int64_t e)
{
  return fen_reference_get (dtype, view->data, element (view, b, t, h, e));
}

/* One query's view of its keys. */
typedef struct {
  double *p;     /* (nk) score, then probability */
  double *slope; /* (nk) d s' / d s of the soft cap; 1 without */
  double lse;
} Row;

/* Fills the row of query i of head h: probabilities (0 where invisible), slopes and lse. */
static void
compute_row (const FenAttention *a, int64_t b, int64_t h, int64_t i, Row *row)
{
  const int64_t kv_head = h / (a->heads / a->kv_heads);
  const double sink = a->sink_logits ? (double)a->sink_logits[h] : -INFINITY;
  double max = sink, sum = 0;

  for (int64_t j = 0; j < a->nk; j++)
    {
      double s = 0;

      row->p[j] = -INFINITY;
      row->slope[j] = 1;
      if (!visible (a, b, a->q0 + i, a->k0 + j))
        continue;
      for (int64_t e = 0; e < a->head_dim; e++)
        s += get (&a->q, a->dtype, b, i, h, e) * get (&a->k, a->dtype, b, j, kv_head, e);
      s *= (double)a->scale;
      if (a->softcap > 0)
        {
          const double t = tanh (s / (double)a->softcap);

          s = (double)a->softcap * t;
          row->slope[j] = 1 - t * t;
        }
      row->p[j] = s;
      max = s > max ? s : max;
    }
  if (max > -INFINITY)
    {
      sum = exp (sink - max);
      for (int64_t j = 0; j < a->nk; j++)
        sum += exp (row->p[j] - max);
    }
  row->lse = sum > 0 ? max + log (sum) : -INFINITY;
  for (int64_t j = 0; j < a->nk; j++)
    row->p[j] = sum > 0 ? exp (row->p[j] - row->lse) : 0;
}

static void
forward_row (const FenAttention *a, int64_t b, int64_t h, int64_t i, Row *row)
{
  const int64_t kv_head = h / (a->heads / a->kv_heads);

  compute_row (a, b, h, i, row);
  for (int64_t e = 0; e < a->head_dim; e++)
    {
      double o = 0;

      for (int64_t j = 0; j < a->nk; j++)
        if (row->p[j] != 0)
          o += row->p[j] * get (&a->v, a->dtype, b, j, kv_head, e);
      fen_reference_set (a->dtype, a->o.data, element (&a->o, b, i, h, e), o);
    }
  if (a->lse)
    a->lse[b * a->lse_batch_stride + h * a->lse_head_stride + i] = (float)row->lse;
}

/* Scratch of the oracle comes from malloc: the tests that link it have no plan to keep to. */
static double *
scratch_new (int64_t n)
{
  double *scratch = calloc ((size_t)n + 1, sizeof *scratch);

  if (scratch == NULL)
    abort ();
  return scratch;
}

void
fen_reference_attention_forward (const FenAttention *a)
{
  double *scratch = scratch_new (2 * a->nk);
  Row row = { scratch, scratch + a->nk, 0 };

  for (int64_t b = 0; b < a->batch; b++)
    for (int64_t h = 0; h < a->heads; h++)
      for (int64_t i = 0; i < a->nq; i++)
        forward_row (a, b, h, i, &row);
  free (scratch);
}

/* Adds query i of head h to dk and dv ((nk, head_dim) each, double), stores its dq; returns its part of d_sink. */
static double
backward_row (const FenAttentionBackward *g, int64_t b, int64_t h, int64_t i, Row *row, double *dp,
              double *dk, double *dv)
{
  const FenAttention *a = &g->forward;
  const int64_t kv_head = h / (a->heads / a->kv_heads), d = a->head_dim;
  double delta = 0;

  compute_row (a, b, h, i, row);
  for (int64_t j = 0; j < a->nk; j++)
    {
      dp[j] = 0;
      if (row->p[j] != 0)
        for (int64_t e = 0; e < d; e++)
          dp[j] += get (&g->d_o, a->dtype, b, i, h, e) * get (&a->v, a->dtype, b, j, kv_head, e);
      delta += row->p[j] * dp[j];
    }
  for (int64_t j = 0; j < a->nk; j++)
    {
      const double ds = row->p[j] * (dp[j] - delta) * row->slope[j] * (double)a->scale;

      for (int64_t e = 0; e < d && row->p[j] != 0; e++)
        {
          dv[j * d + e] += row->p[j] * get (&g->d_o, a->dtype, b, i, h, e);
          dk[j * d + e] += ds * get (&a->q, a->dtype, b, i, h, e);
        }
      dp[j] = ds;
    }
  for (int64_t e = 0; e < d; e++)
    {
      double dq = 0;

      for (int64_t j = 0; j < a->nk; j++)
        if (row->p[j] != 0)
          dq += dp[j] * get (&a->k, a->dtype, b, j, kv_head, e);
      fen_reference_set (a->dtype, g->dq.data, element (&g->dq, b, i, h, e), dq);
    }
  return a->sink_logits && row->lse > -INFINITY ? -exp ((double)a->sink_logits[h] - row->lse) * delta : 0;
}

/* One key head: all queries of all its query heads. */
static void
backward_head (const FenAttentionBackward *g, int64_t b, int64_t kv_head, double *scratch)
{
  const FenAttention *a = &g->forward;
  const int64_t group = a->heads / a->kv_heads, d = a->head_dim;
  Row row = { scratch, scratch + a->nk, 0 };
  double *dp = scratch + 2 * a->nk;
  double *dk = dp + a->nk;
  double *dv = dk + a->nk * d;

  memset (dk, 0, sizeof (double) * (size_t)(2 * a->nk * d));
  for (int64_t h = kv_head * group; h < (kv_head + 1) * group; h++)
    {
      double d_sink = 0;

      for (int64_t i = 0; i < a->nq; i++)
        d_sink += backward_row (g, b, h, i, &row, dp, dk, dv);
      if (g->d_sink_logits)
        g->d_sink_logits[h] = (float)((double)g->d_sink_logits[h] + d_sink);
    }
  for (int64_t j = 0; j < a->nk; j++)
    for (int64_t e = 0; e < d; e++)
      {
        const int64_t at_k = element (&g->dk, b, j, kv_head, e), at_v = element (&g->dv, b, j, kv_head, e);
        double k = dk[j * d + e], v = dv[j * d + e];

        if (g->accumulate)
          {
            k += fen_reference_get (g->dkv_dtype, g->dk.data, at_k);
            v += fen_reference_get (g->dkv_dtype, g->dv.data, at_v);
          }
        fen_reference_set (g->dkv_dtype, g->dk.data, at_k, k);
        fen_reference_set (g->dkv_dtype, g->dv.data, at_v, v);
      }
}

void
fen_reference_attention_backward (const FenAttentionBackward *g)
{
  const FenAttention *a = &g->forward;
  double *scratch = scratch_new (a->nk * (3 + 2 * a->head_dim));

  for (int64_t b = 0; b < a->batch; b++)
    for (int64_t h = 0; h < a->kv_heads; h++)
      backward_head (g, b, h, scratch);
  free (scratch);
}
