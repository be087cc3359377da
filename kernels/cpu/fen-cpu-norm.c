/* fen-cpu-norm.c: LayerNorm and RMSNorm with the residual addition fused in, and their gradients.
 *
 * Forward keeps a row in the first-level cache for its passes: add and sum, squared distances from the mean, scale.
 * Backward, with xhat = (x - mean) rstd and g = dy * weight:
 *     dx = d_residual + rstd * (g - mean (g) - xhat * mean (g * xhat))       (RMSNorm: without mean (g))
 *     d_weight += sum over rows of dy * xhat,  d_bias += sum over rows of dy
 * where the row sums go through fen-cpu-reduce.c's blocks.
 */
#include "kernels/cpu/fen-cpu-isa.h"

/* ---- forward ---- */

/* Row r: sum = x + delta, rounded. Returns where the row to be normalised lies. */
FV_INLINE const void *
add_delta (FenDType dtype, const FenNormForward *p, int64_t r)
{
  const int64_t at = r * p->width;
  if (p->delta == NULL)
    return p->x;
  int64_t i = 0;
  for (; i + FEN_VW <= p->width; i += FEN_VW)
    fv_store (dtype, p->sum, at + i, fv_load (dtype, p->x, at + i) + fv_load (dtype, p->delta, at + i));
  for (; i < p->width; i++)
    fs_store (dtype, p->sum, at + i, fs_load (dtype, p->x, at + i) + fs_load (dtype, p->delta, at + i));
  return p->sum;
}

/* Sum of (x - mean) ^ power over a row, power 1 or 2. */
FV_INLINE double
row_moment (FenDType dtype, const void *x, int64_t at, int64_t width, float mean, int power)
{
  FenVec a = fv_set (0), b = fv_set (0);
  double total = 0;
  int64_t i = 0;
  for (; i + 2 * FEN_VW <= width; i += 2 * FEN_VW)
    {
      const FenVec u = fv_load (dtype, x, at + i) - mean, v = fv_load (dtype, x, at + i + FEN_VW) - mean;
      a = power == 1 ? a + u : fv_fma (u, u, a);
      b = power == 1 ? b + v : fv_fma (v, v, b);
    }
  for (; i < width; i++)
    {
      const double u = (double)fs_load (dtype, x, at + i) - mean;
      total += power == 1 ? u : u * u;
    }
  return total + fv_sum_double (a + b);
}

FV_INLINE void
forward_row (FenDType dtype, FenNormKind kind, const FenNormForward *p, int64_t r)
{
  const int64_t at = r * p->width, width = p->width;
  const void *x = add_delta (dtype, p, r);
  const float mean
      = kind == FEN_NORM_LAYER ? (float)(row_moment (dtype, x, at, width, 0, 1) / (double)width) : 0;
  const double variance = row_moment (dtype, x, at, width, mean, 2) / (double)width;
  const float rstd = (float)(1 / sqrt (variance + p->epsilon));
  int64_t i = 0;
  for (; i + FEN_VW <= width; i += FEN_VW)
    {
      const FenVec xhat = (fv_load (dtype, x, at + i) - mean) * rstd;
      const FenVec w = fv_load (dtype, p->weight, i);
      fv_store (dtype, p->y, at + i,
                p->bias != NULL ? fv_fma (xhat, w, fv_load (dtype, p->bias, i)) : xhat * w);
    }
  for (; i < width; i++)
    {
      const float xhat = (fs_load (dtype, x, at + i) - mean) * rstd;
      const float bias = p->bias != NULL ? fs_load (dtype, p->bias, i) : 0;
      fs_store (dtype, p->y, at + i, xhat * fs_load (dtype, p->weight, i) + bias);
    }
  if (p->mean != NULL)
    p->mean[r] = mean;
  if (p->rstd != NULL)
    p->rstd[r] = rstd;
}

FV_INLINE void
forward_rows (FenDType dtype, const FenNormForward *p, int64_t begin, int64_t end)
{
  for (int64_t r = begin; r < end; r++)
    if (p->kind == FEN_NORM_LAYER)
      forward_row (dtype, FEN_NORM_LAYER, p, r);
    else
      forward_row (dtype, FEN_NORM_RMS, p, r);
}

static void
forward_body (void *data, int64_t begin, int64_t end, int worker)
{
  const FenNormForward *p = data;
#define CALL(type) forward_rows (type, p, begin, end)
  FEN_CPU_BY_DTYPE (p->dtype, CALL);
#undef CALL
}

void
FEN_ISA (fen_cpu_norm_forward) (FenDevice *device, const FenNormForward *p)
{
  fen_cpu_for (device, p->rows, 1 + 8192 / p->width, forward_body, (void *)p);
}

/* ---- backward ---- */

typedef struct {
  const FenNormBackward *p;
  double *weight_partials, *bias_partials; /* (blocks, width); NULL = not wanted */
  float *scratch;                          /* (threads, 2, width) */
} Backward;

/* Adds the row's share to the sums for d_weight and d_bias, and returns mean (g) and mean (g * xhat). */
FV_INLINE void
backward_sums (FenDType dtype, FenNormKind kind, const FenNormBackward *p, int64_t at, float mean, float rstd,
               float *d_weight, float *d_bias, float *g_mean, float *gx_mean)
{
  FenVec g_sum = fv_set (0), gx_sum = fv_set (0);
  double g_total = 0, gx_total = 0;
  int64_t i = 0;
  for (; i + FEN_VW <= p->width; i += FEN_VW)
    {
      const FenVec dy = fv_load (dtype, p->dy, at + i);
      const FenVec xhat = (fv_load (dtype, p->x, at + i) - mean) * rstd;
      const FenVec g = dy * fv_load (dtype, p->weight, i);
      g_sum += g;
      gx_sum = fv_fma (g, xhat, gx_sum);
      fv_store (FEN_F32, d_weight, i, fv_fma (dy, xhat, fv_load (FEN_F32, d_weight, i)));
      if (kind == FEN_NORM_LAYER)
        fv_store (FEN_F32, d_bias, i, fv_load (FEN_F32, d_bias, i) + dy);
    }
  for (; i < p->width; i++)
    {
      const float dy = fs_load (dtype, p->dy, at + i);
      const float xhat = (fs_load (dtype, p->x, at + i) - mean) * rstd;
      const float g = dy * fs_load (dtype, p->weight, i);
      g_total += g;
      gx_total += g * xhat;
      d_weight[i] += dy * xhat;
      d_bias[i] += dy;
    }
  *g_mean = kind == FEN_NORM_LAYER ? (float)((g_total + fv_sum_double (g_sum)) / (double)p->width) : 0;
  *gx_mean = (float)((gx_total + fv_sum_double (gx_sum)) / (double)p->width);
}

FV_INLINE void
backward_row (FenDType dtype, FenNormKind kind, const FenNormBackward *p, int64_t r, float *d_weight,
              float *d_bias)
{
  const int64_t at = r * p->width;
  const float mean = kind == FEN_NORM_LAYER ? p->mean[r] : 0, rstd = p->rstd[r];
  float g_mean, gx_mean;
  backward_sums (dtype, kind, p, at, mean, rstd, d_weight, d_bias, &g_mean, &gx_mean);
  int64_t i = 0;
  for (; i + FEN_VW <= p->width; i += FEN_VW)
    {
      const FenVec xhat = (fv_load (dtype, p->x, at + i) - mean) * rstd;
      const FenVec g = fv_load (dtype, p->dy, at + i) * fv_load (dtype, p->weight, i);
      FenVec dx = rstd * (g - g_mean - xhat * gx_mean);
      if (p->d_residual != NULL)
        dx += fv_load (dtype, p->d_residual, at + i);
      fv_store (dtype, p->dx, at + i, dx);
    }
  for (; i < p->width; i++)
    {
      const float xhat = (fs_load (dtype, p->x, at + i) - mean) * rstd;
      const float g = fs_load (dtype, p->dy, at + i) * fs_load (dtype, p->weight, i);
      float dx = rstd * (g - g_mean - xhat * gx_mean);
      if (p->d_residual != NULL)
        dx += fs_load (dtype, p->d_residual, at + i);
      fs_store (dtype, p->dx, at + i, dx);
    }
}

FV_INLINE void
backward_chunk (FenDType dtype, const FenNormBackward *p, int64_t begin, int64_t end, float *sums)
{
  memset (sums, 0, (size_t)p->width * 2 * sizeof *sums);
  for (int64_t r = begin; r < end; r++)
    if (p->kind == FEN_NORM_LAYER)
      backward_row (dtype, FEN_NORM_LAYER, p, r, sums, sums + p->width);
    else
      backward_row (dtype, FEN_NORM_RMS, p, r, sums, sums + p->width);
}

static void
backward_task (void *data, int64_t block, int worker)
{
  const Backward *job = data;
  const FenNormBackward *p = job->p;
  const int64_t size = fen_cpu_row_block (p->rows), first = block * size;
  const int64_t end = fen_cpu_min (first + size, p->rows);
  float *sums = job->scratch + worker * 2 * p->width;
  for (int64_t r = first; r < end; r += FEN_CPU_ROW_CHUNK)
    {
      const int64_t stop = fen_cpu_min (r + FEN_CPU_ROW_CHUNK, end);
#define CALL(type) backward_chunk (type, p, r, stop, sums)
      FEN_CPU_BY_DTYPE (p->dtype, CALL);
#undef CALL
      if (job->weight_partials != NULL)
        FEN_ISA (fen_cpu_columns_flush) (sums, p->width, r == first, job->weight_partials + block * p->width);
      if (job->bias_partials != NULL)
        FEN_ISA (fen_cpu_columns_flush)
      (sums + p->width, p->width, r == first, job->bias_partials + block * p->width);
    }
}

void
FEN_ISA (fen_cpu_norm_backward) (FenDevice *device, const FenNormBackward *p)
{
  const int64_t blocks = fen_cpu_row_blocks (p->rows);
  const bool bias = p->d_bias != NULL && p->kind == FEN_NORM_LAYER;
  double *partials = p->workspace;
  Backward job = { p, NULL, NULL, (float *)(partials + 2 * blocks * p->width) };
  if (p->d_weight != NULL)
    job.weight_partials = partials;
  if (bias)
    job.bias_partials = partials + blocks * p->width;
  fen_cpu_tasks (device, blocks, backward_task, &job);
  if (p->d_weight != NULL)
    FEN_ISA (fen_cpu_columns_finish) (device, job.weight_partials, blocks, p->width, p->d_weight);
  if (bias)
    FEN_ISA (fen_cpu_columns_finish) (device, job.bias_partials, blocks, p->width, p->d_bias);
}
