/* fen-cpu-cross-entropy.c: the loss of a row of logits and its gradient, in place.
 *
 * A row (50,257 values and more) stays in the second-level cache for its passes: maximum; sum of exponentials;
 * gradient. The exponentials are summed in fp32 in pieces of PIECE values and the pieces in double, so that a large
 * vocabulary costs no accuracy. With fp32 storage the exponentials are kept in place for the gradient.
 */
#include "kernels/cpu/fen-cpu-isa.h"

#define PIECE 2048

/* Logit i .. i+n-1 after the soft cap; lanes beyond are -infinity. */
FV_INLINE FenVec
capped (FenDType dtype, bool cap, const FenCrossEntropy *p, int64_t at, int64_t n)
{
  FenVec a = n == FEN_VW ? fv_load (dtype, p->logits, at) : fv_load_n (dtype, p->logits, at, n, -INFINITY);
  if (!cap)
    return a;
  a = p->softcap * fv_tanh (a * (1 / p->softcap));
  for (int64_t j = n; j < FEN_VW; j++)
    a[j] = -INFINITY;
  return a;
}

FV_INLINE float
row_max (FenDType dtype, bool cap, const FenCrossEntropy *p, int64_t at)
{
  FenVec highest = fv_set (-INFINITY);
  for (int64_t i = 0; i < p->vocab; i += FEN_VW)
    highest = fv_max (capped (dtype, cap, p, at + i, fen_cpu_min (FEN_VW, p->vocab - i)), highest);
  return fv_max_lane (highest);
}

/* Sum of e^(logit - highest); fp32 rows keep the exponentials when `keep`. */
FV_INLINE double
row_sum (FenDType dtype, bool cap, bool keep, const FenCrossEntropy *p, int64_t at, float highest)
{
  double total = 0;
  for (int64_t first = 0; first < p->vocab; first += PIECE)
    {
      const int64_t end = fen_cpu_min (first + PIECE, p->vocab);
      FenVec sum = fv_set (0);
      int64_t i = first;
      for (; i + FEN_VW <= end; i += FEN_VW)
        {
          const FenVec e = fv_exp (capped (dtype, cap, p, at + i, FEN_VW) - highest);
          sum += e;
          if (keep)
            fv_store (dtype, p->logits, at + i, e);
        }
      if (i < end)
        {
          const FenVec e = fv_exp (capped (dtype, cap, p, at + i, end - i) - highest);
          sum += e;
          if (keep)
            fv_store_n (dtype, p->logits, at + i, end - i, e);
        }
      total += fv_sum_double (sum);
    }
  return total;
}

/* Gradient before the target's share: softmax * scale, times the cap's slope 1 - (capped / softcap)^2. */
FV_INLINE void
row_gradient (FenDType dtype, bool cap, bool kept, const FenCrossEntropy *p, int64_t at, float highest,
              float scale)
{
  for (int64_t i = 0; i < p->vocab; i += FEN_VW)
    {
      const int64_t n = fen_cpu_min (FEN_VW, p->vocab - i);
      FenVec value = capped (dtype, cap, p, at + i, n);
      FenVec g = (kept ? value : fv_exp (value - highest)) * scale;
      if (cap)
        {
          value *= 1 / p->softcap;
          g *= 1.0f - value * value;
        }
      if (n == FEN_VW)
        fv_store (dtype, p->logits, at + i, g);
      else
        fv_store_n (dtype, p->logits, at + i, n, g);
    }
}

static void
zero_elements (FenDType dtype, void *base, int64_t at, int64_t n)
{
  const int64_t size = (int64_t)fen_dtype_size (dtype);
  memset ((char *)base + at * size, 0, (size_t)(n * size));
}

FV_INLINE void
loss_row (FenDType dtype, bool cap, const FenCrossEntropy *p, int64_t r)
{
  const int64_t at = r * p->ld, target = p->targets[r];
  if (target < 0)
    {
      p->losses[r] = 0;
      if (p->gradient)
        zero_elements (dtype, p->logits, at, p->ld);
      return;
    }
  const bool keep = dtype == FEN_F32 && !cap && p->gradient;
  float wanted = fs_load (dtype, p->logits, at + target), slope = 1;
  if (cap) /* by the vector code, so that it cancels against the row's maximum */
    {
      const float t = fv_tanh (fv_set (wanted * (1 / p->softcap)))[0];
      wanted = p->softcap * t;
      slope = 1 - t * t;
    }
  const float highest = row_max (dtype, cap, p, at);
  const double sum = row_sum (dtype, cap, keep, p, at, highest);
  p->losses[r] = (float)(log (sum) + ((double)highest - wanted));
  if (!p->gradient)
    return;
  const double probability = exp ((double)wanted - highest) / sum;
  row_gradient (dtype, cap, keep, p, at, highest, (float)(p->grad_scale / sum));
  fs_store (dtype, p->logits, at + target, (float)((probability - 1) * p->grad_scale * slope));
  zero_elements (dtype, p->logits, at + p->vocab, p->ld - p->vocab);
}

static void
loss_task (void *data, int64_t r, int worker)
{
  const FenCrossEntropy *p = data;
#define CALL(type) (p->softcap > 0 ? loss_row (type, true, p, r) : loss_row (type, false, p, r))
  FEN_CPU_BY_DTYPE (p->dtype, CALL);
#undef CALL
}

void
FEN_ISA (fen_cpu_cross_entropy) (FenDevice *device, const FenCrossEntropy *p)
{
  fen_cpu_tasks (device, p->rows, loss_task, (void *)p);
}
