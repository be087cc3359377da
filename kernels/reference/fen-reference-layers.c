/* fen-reference-layers.c: the operations of a layer but attention, each as its formula stands in fen-backend.h. */
#include "kernels/reference/fen-reference-private.h"

#include <math.h>
#include <stdlib.h>

#define get fen_reference_get
#define set fen_reference_set

void
fen_reference_gemm (const FenGemm *p)
{
  for (int64_t i = 0; i < p->m; i++)
    for (int64_t j = 0; j < p->n; j++)
      {
        double sum = 0;
        for (int64_t l = 0; l < p->k; l++)
          sum += get (p->ab_dtype, p->a, p->trans_a ? l * p->lda + i : i * p->lda + l)
                 * get (p->ab_dtype, p->b, p->trans_b ? j * p->ldb + l : l * p->ldb + j);
        double value = p->alpha * sum;
        if (p->beta != 0)
          value += p->beta * get (p->c_dtype, p->c, i * p->ldc + j);
        if (p->bias != NULL)
          value += get (p->ab_dtype, p->bias, j);
        set (p->c_dtype, p->c, i * p->ldc + j, value);
      }
}

void
fen_reference_embedding_forward (const FenEmbeddingForward *p)
{
  for (int64_t r = 0; r < p->rows; r++)
    for (int64_t i = 0; i < p->width; i++)
      {
        double value = get (p->dtype, p->token_table, p->tokens[r] * p->width + i);
        if (p->position_table != NULL)
          value += get (p->dtype, p->position_table, p->positions[r] * p->width + i);
        set (p->dtype, p->out, r * p->width + i, value);
      }
}

/* table[id] += the sum of the rows of d_out whose id it is, rounded once. */
static void
scatter (const FenEmbeddingBackward *p, const int32_t *ids, int64_t height, float *table)
{
  for (int64_t id = 0; id < height; id++)
    for (int64_t i = 0; i < p->width; i++)
      {
        double sum = table[id * p->width + i];
        bool met = false;
        for (int64_t r = 0; r < p->rows; r++)
          if (ids[r] == id)
            {
              sum += get (p->dtype, p->d_out, r * p->width + i);
              met = true;
            }
        if (met)
          table[id * p->width + i] = (float)sum;
      }
}

void
fen_reference_embedding_backward (const FenEmbeddingBackward *p)
{
  scatter (p, p->tokens, p->vocab, p->d_token_table);
  if (p->d_position_table != NULL)
    scatter (p, p->positions, p->max_positions, p->d_position_table);
}

/* ---- norms ---- */

static void
norm_row (const FenNormForward *p, int64_t r)
{
  const int64_t at = r * p->width;
  const double width = (double)p->width;
  const void *x = p->x;
  double mean = 0, variance = 0;
  if (p->delta != NULL)
    {
      for (int64_t i = 0; i < p->width; i++)
        set (p->dtype, p->sum, at + i, get (p->dtype, p->x, at + i) + get (p->dtype, p->delta, at + i));
      x = p->sum;
    }
  if (p->kind == FEN_NORM_LAYER)
    for (int64_t i = 0; i < p->width; i++)
      mean += get (p->dtype, x, at + i) / width;
  for (int64_t i = 0; i < p->width; i++)
    variance += pow (get (p->dtype, x, at + i) - mean, 2) / width;
  const double rstd = 1 / sqrt (variance + p->epsilon);
  for (int64_t i = 0; i < p->width; i++)
    {
      double y = (get (p->dtype, x, at + i) - mean) * rstd * get (p->dtype, p->weight, i);
      if (p->bias != NULL)
        y += get (p->dtype, p->bias, i);
      set (p->dtype, p->y, at + i, y);
    }
  if (p->mean != NULL)
    p->mean[r] = (float)mean;
  if (p->rstd != NULL)
    p->rstd[r] = (float)rstd;
}

void
fen_reference_norm_forward (const FenNormForward *p)
{
  for (int64_t r = 0; r < p->rows; r++)
    norm_row (p, r);
}

static double
xhat (const FenNormBackward *p, int64_t r, int64_t i)
{
  const double mean = p->kind == FEN_NORM_LAYER ? p->mean[r] : 0;
  return (get (p->dtype, p->x, r * p->width + i) - mean) * p->rstd[r];
}

static void
norm_backward_row (const FenNormBackward *p, int64_t r)
{
  const double width = (double)p->width;
  double g_mean = 0, gx_mean = 0;
  for (int64_t i = 0; i < p->width; i++)
    {
      const double g = get (p->dtype, p->dy, r * p->width + i) * get (p->dtype, p->weight, i);
      if (p->kind == FEN_NORM_LAYER)
        g_mean += g / width;
      gx_mean += g * xhat (p, r, i) / width;
    }
  for (int64_t i = 0; i < p->width; i++)
    {
      const double g = get (p->dtype, p->dy, r * p->width + i) * get (p->dtype, p->weight, i);
      double dx = p->rstd[r] * (g - g_mean - xhat (p, r, i) * gx_mean);
      if (p->d_residual != NULL)
        dx += get (p->dtype, p->d_residual, r * p->width + i);
      set (p->dtype, p->dx, r * p->width + i, dx);
    }
}

void
fen_reference_norm_backward (const FenNormBackward *p)
{
  for (int64_t i = 0; i < p->width; i++) /* before dx, which may lie over dy */
    {
      double d_weight = 0, d_bias = 0;
      for (int64_t r = 0; r < p->rows; r++)
        {
          const double dy = get (p->dtype, p->dy, r * p->width + i);
          d_weight += dy * xhat (p, r, i);
          d_bias += dy;
        }
      if (p->d_weight != NULL)
        p->d_weight[i] = (float)(p->d_weight[i] + d_weight);
      if (p->d_bias != NULL && p->kind == FEN_NORM_LAYER)
        p->d_bias[i] = (float)(p->d_bias[i] + d_bias);
    }
  for (int64_t r = 0; r < p->rows; r++)
    norm_backward_row (p, r);
}

/* ---- rotary positions ---- */

void
fen_reference_rope (const FenRope *p)
{
  const int64_t pairs = p->rotary_dim / 2;
  for (int64_t r = 0; r < p->rows; r++)
    for (int64_t h = 0; h < p->heads; h++)
      for (int64_t i = 0; i < pairs; i++)
        {
          const int64_t a = r * p->token_stride + h * p->head_stride + i, b = a + pairs;
          const double angle = (p->inverse ? -1.0 : 1.0) * p->positions[r] * (double)p->inv_freq[i];
          const double c = cos (angle) * p->scale, s = sin (angle) * p->scale;
          const double x = get (p->dtype, p->x, a), y = get (p->dtype, p->x, b);
          set (p->dtype, p->x, a, x * c - y * s);
          set (p->dtype, p->x, b, y * c + x * s);
        }
}

/* ---- activations ---- */

static double
activation (FenActivationKind kind, double x)
{
  switch (kind)
    {
    case FEN_GELU_TANH:
      return 0.5 * x * (1 + tanh (sqrt (2 / M_PI) * (x + 0.044715 * x * x * x)));
    case FEN_GELU_ERF:
      return 0.5 * x * erfc (-x / M_SQRT2);
    case FEN_SILU:
      return x / (1 + exp (-x));
    case FEN_RELU:
      return x > 0 ? x : 0;
    }
  return (double)NAN;
}

static double
activation_slope (FenActivationKind kind, double x)
{
  const double u = sqrt (2 / M_PI) * (x + 0.044715 * x * x * x), t = tanh (u);
  const double s = 1 / (1 + exp (-x));
  switch (kind)
    {
    case FEN_GELU_TANH:
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * sqrt (2 / M_PI) * (1 + 3 * 0.044715 * x * x);
    case FEN_GELU_ERF:
      return 0.5 * erfc (-x / M_SQRT2) + x * exp (-0.5 * x * x) / sqrt (2 * M_PI);
    case FEN_SILU:
      return s + x * s * (1 - s);
    case FEN_RELU:
      return x > 0 ? 1 : 0;
    }
  return (double)NAN;
}

void
fen_reference_activation_forward (const FenActivation *p)
{
  for (int64_t r = 0; r < p->rows; r++)
    for (int64_t i = 0; i < p->width; i++)
      {
        double y = activation (p->kind, get (p->dtype, p->x, r * p->ldx + i));
        if (p->gated)
          y *= get (p->dtype, p->x, r * p->ldx + p->width + i);
        set (p->dtype, p->y, r * p->width + i, y);
      }
}

void
fen_reference_activation_backward (const FenActivation *p)
{
  for (int64_t r = 0; r < p->rows; r++)
    for (int64_t i = 0; i < p->width; i++)
      {
        const double x = get (p->dtype, p->x, r * p->ldx + i), dy = get (p->dtype, p->dy, r * p->width + i);
        const double up = p->gated ? get (p->dtype, p->x, r * p->ldx + p->width + i) : 1;
        set (p->dtype, p->dx, r * p->ldx + i, dy * up * activation_slope (p->kind, x));
        if (p->gated)
          set (p->dtype, p->dx, r * p->ldx + p->width + i, dy * activation (p->kind, x));
      }
}

void
fen_reference_bias_gradient (const FenBiasGradient *p)
{
  for (int64_t i = 0; i < p->n; i++)
    {
      double sum = p->d_bias[i];
      for (int64_t r = 0; r < p->rows; r++)
        sum += get (p->dtype, p->dy, r * p->ldy + i);
      p->d_bias[i] = (float)sum;
    }
}
