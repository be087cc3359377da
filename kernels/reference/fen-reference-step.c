/* fen-reference-step.c: loss, elementwise operations, reductions and the optimizers, as their formulas stand in
 * fen-backend.h. */
#include "kernels/reference/fen-reference-private.h"

#include <math.h>
#include <stdlib.h>

#define get fen_reference_get
#define set fen_reference_set

/* ---- loss ---- */

static double
logit (const FenCrossEntropy *p, int64_t r, int64_t j)
{
  const double x = get (p->dtype, p->logits, r * p->ld + j);
  return p->softcap > 0 ? p->softcap * tanh (x / p->softcap) : x;
}

static void
loss_row (const FenCrossEntropy *p, int64_t r)
{
  const int64_t target = p->targets[r];
  double highest = -INFINITY, sum = 0;
  for (int64_t j = 0; j < p->vocab; j++)
    highest = fmax (highest, logit (p, r, j));
  for (int64_t j = 0; j < p->vocab; j++)
    sum += exp (logit (p, r, j) - highest);
  const double logsumexp = highest + log (sum);
  p->losses[r] = target < 0 ? 0 : (float)(logsumexp - logit (p, r, target));
  for (int64_t j = 0; p->gradient && j < p->ld; j++)
    {
      double gradient = 0;
      if (j < p->vocab && target >= 0)
        {
          const double value = logit (p, r, j), t = p->softcap > 0 ? value / p->softcap : 0;
          gradient = (exp (value - logsumexp) - (j == target)) * p->grad_scale * (1 - t * t);
        }
      set (p->dtype, p->logits, r * p->ld + j, gradient);
    }
}

void
fen_reference_cross_entropy (const FenCrossEntropy *p)
{
  for (int64_t r = 0; r < p->rows; r++)
    loss_row (p, r);
}

/* ---- elementwise, reductions ---- */

void
fen_reference_add (const FenAdd *p)
{
  for (int64_t i = 0; i < p->n; i++)
    set (p->dtype, p->y, i, get (p->dtype, p->y, i) + get (p->dtype, p->x, i));
}

void
fen_reference_fill (const FenFill *p)
{
  for (int64_t i = 0; i < p->n; i++)
    set (p->dtype, p->x, i, p->value);
}

void
fen_reference_cast (const FenCast *p)
{
  for (int64_t i = 0; i < p->n; i++)
    set (p->dst_dtype, p->dst, i, get (p->src_dtype, p->src, i));
}

void
fen_reference_sum (const FenSum *p)
{
  for (int64_t i = 0; i < p->n; i++)
    *p->sum += get (p->dtype, p->x, i);
}

void
fen_reference_sum_squares (const FenSum *p)
{
  for (int64_t i = 0; i < p->n; i++)
    *p->sum += pow (get (p->dtype, p->x, i), 2);
}

void
fen_reference_clip (const FenClip *p)
{
  const double norm = sqrt (p->stats->gradient_sumsq) * (double)p->inverse_loss_scale;
  double factor = 1;
  if (p->max_norm > 0)
    factor = fmin (1, p->max_norm / (norm + 1e-6));
  p->stats->gradient_norm = (float)norm;
  p->stats->skip = !isfinite (p->stats->gradient_norm);
  p->stats->gradient_scale = p->stats->skip ? 0 : (float)(p->inverse_loss_scale * factor);
}

/* ---- optimizers ---- */

void
fen_reference_adamw (const FenAdamW *p)
{
  for (int64_t i = 0; !p->stats->skip && i < p->n; i++)
    {
      float *master = p->master != NULL ? p->master : p->param;
      const double g = (double)p->gradient[i] * p->stats->gradient_scale;
      const double m = p->beta1 * (double)p->m[i] + (1 - (double)p->beta1) * g;
      const double v = p->beta2 * (double)p->v[i] + (1 - (double)p->beta2) * g * g;
      double w = master[i];
      w -= (double)p->lr * p->weight_decay * w;
      w -= (double)p->lr / p->bias1 * m / (sqrt (v / p->bias2) + p->epsilon);
      p->m[i] = (float)m;
      p->v[i] = (float)v;
      master[i] = (float)w;
      if (p->master != NULL)
        set (p->dtype, p->param, i, w);
    }
}

static int
rising (const void *a, const void *b)
{
  const float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

void
fen_reference_map (bool is_signed, float values[256])
{
  int n = 0;
  values[n++] = 0;
  values[n++] = 1;
  for (int decade = 1; decade <= 7; decade++)
    {
      const double top = pow (10, 1 - decade); /* the largest decade has the most values */
      const int count = 1 << (is_signed ? 7 - decade : 8 - decade);
      for (int i = 0; i < count; i++)
        {
          const double low = 0.1 + 0.9 * i / count, high = 0.1 + 0.9 * (i + 1) / count;
          values[n++] = (float)(top * (low + high) / 2);
          if (is_signed)
            values[n++] = (float)(-top * (low + high) / 2);
        }
    }
  qsort (values, 256, sizeof values[0], rising);
}

static uint8_t
nearest (const float values[256], double x)
{
  int best = 0;
  for (int i = 1; i < 256; i++)
    if (fabs (values[i] - x) < fabs (values[best] - x))
      best = i;
  return (uint8_t)best;
}

/* Codes n new states (first .. first+n-1) and their absmax. */
static void
encode (const float values[256], const double *states, int64_t n, uint8_t *codes, float *absmax)
{
  double highest = 0;
  for (int64_t i = 0; i < n; i++)
    highest = fmax (highest, fabs (states[i]));
  *absmax = (float)highest;
  for (int64_t i = 0; i < n; i++)
    codes[i] = nearest (values, *absmax > 0 ? states[i] / *absmax : 0);
}

static void
adamw8_block (const FenAdamW8 *p, const float m_map[256], const float v_map[256], int64_t block)
{
  const int64_t first = block * FEN_ADAMW8_BLOCK;
  const int64_t n = p->n - first < FEN_ADAMW8_BLOCK ? p->n - first : FEN_ADAMW8_BLOCK;
  double m[FEN_ADAMW8_BLOCK], v[FEN_ADAMW8_BLOCK];
  for (int64_t i = 0; i < n; i++)
    {
      float *master = p->master != NULL ? p->master : p->param;
      const double g = (double)p->gradient[first + i] * p->stats->gradient_scale;
      const double old_m = (double)m_map[p->m[first + i]] * p->m_absmax[block];
      const double old_v = (double)v_map[p->v[first + i]] * p->v_absmax[block];
      double w = master[first + i];
      m[i] = p->beta1 * old_m + (1 - (double)p->beta1) * g;
      v[i] = p->beta2 * old_v + (1 - (double)p->beta2) * g * g;
      w -= (double)p->lr * p->weight_decay * w;
      w -= (double)p->lr / p->bias1 * m[i] / (sqrt (v[i] / p->bias2) + p->epsilon);
      master[first + i] = (float)w;
      if (p->master != NULL)
        set (p->dtype, p->param, first + i, w);
    }
  encode (m_map, m, n, p->m + first, &p->m_absmax[block]);
  encode (v_map, v, n, p->v + first, &p->v_absmax[block]);
}

void
fen_reference_adamw8 (const FenAdamW8 *p)
{
  float m_map[256], v_map[256];
  fen_reference_map (true, m_map);
  fen_reference_map (false, v_map);
  for (int64_t block = 0; !p->stats->skip && block * FEN_ADAMW8_BLOCK < p->n; block++)
    adamw8_block (p, m_map, v_map, block);
}
