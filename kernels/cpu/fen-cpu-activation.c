/* fen-cpu-activation.c: GELU (tanh and erf), SiLU and ReLU, plain and gated, and their gradients.
 *
 * tanh-GELU is written through the logistic function, 0.5 x (1 + tanh u) = x * sigmoid (2u), which keeps its relative
 * accuracy far into the negative tail, where 1 + tanh u would cancel.
 */
#include "kernels/cpu/fen-cpu-isa.h"

#define GELU_SCALE 1.5957691216057308f /* 2 sqrt (2 / pi) */
#define GELU_CUBIC 0.044715f

/* f (x) and, when `slope` is not NULL, f' (x). */
FV_INLINE FenVec
activate (FenActivationKind kind, FenVec x, FenVec *slope)
{
  if (kind == FEN_RELU)
    {
      const FenVecI positive = x > 0.0f;
      if (slope != NULL)
        *slope = fv_select (positive, fv_set (1), fv_set (0));
      return fv_select (x <= 0.0f, fv_set (0), x); /* NaN passes */
    }
  if (kind == FEN_GELU_ERF)
    {
      const FenVec cdf = fv_normal_cdf (x);
      if (slope != NULL)
        *slope = fv_fma (x, fv_normal_density (x), cdf);
      return x * cdf;
    }
  const FenVec square = x * x;
  const FenVec u = kind == FEN_SILU ? x : GELU_SCALE * x * fv_fma (square, fv_set (GELU_CUBIC), fv_set (1));
  const FenVec s = fv_sigmoid (u);
  if (slope != NULL)
    {
      const FenVec du
          = kind == FEN_SILU ? fv_set (1) : GELU_SCALE * fv_fma (square, fv_set (3 * GELU_CUBIC), fv_set (1));
      *slope = fv_fma (x * du * s, 1.0f - s, s);
    }
  return x * s;
}

/* ---- one vector of a row, or its tail of n elements ---- */

FV_INLINE FenVec
read (FenDType dtype, const void *x, int64_t at, int64_t n)
{
  return n == FEN_VW ? fv_load (dtype, x, at) : fv_load_n (dtype, x, at, n, 0);
}

FV_INLINE void
write (FenDType dtype, void *x, int64_t at, int64_t n, FenVec a)
{
  if (n == FEN_VW)
    fv_store (dtype, x, at, a);
  else
    fv_store_n (dtype, x, at, n, a);
}

FV_INLINE void
forward_piece (FenDType dtype, FenActivationKind kind, bool gated, const FenActivation *p, int64_t in,
               int64_t out, int64_t n)
{
  FenVec y = activate (kind, read (dtype, p->x, in, n), NULL);
  if (gated)
    y *= read (dtype, p->x, in + p->width, n);
  write (dtype, p->y, out, n, y);
}

FV_INLINE void
backward_piece (FenDType dtype, FenActivationKind kind, bool gated, const FenActivation *p, int64_t in,
                int64_t out, int64_t n)
{
  FenVec slope;
  const FenVec value = activate (kind, read (dtype, p->x, in, n), &slope);
  const FenVec dy = read (dtype, p->dy, out, n);
  if (gated)
    {
      const FenVec up = read (dtype, p->x, in + p->width, n);
      write (dtype, p->dx, in + p->width, n, dy * value);
      slope *= up;
    }
  write (dtype, p->dx, in, n, dy * slope);
}

FV_INLINE void
rows (FenDType dtype, FenActivationKind kind, bool gated, bool backward, const FenActivation *p,
      int64_t begin, int64_t end)
{
  for (int64_t r = begin; r < end; r++)
    for (int64_t i = 0; i < p->width; i += FEN_VW)
      {
        const int64_t in = r * p->ldx + i, out = r * p->width + i;
        const int64_t n = i + FEN_VW <= p->width ? FEN_VW : p->width - i;
        if (backward)
          backward_piece (dtype, kind, gated, p, in, out, n);
        else
          forward_piece (dtype, kind, gated, p, in, out, n);
      }
}

FV_INLINE void
rows_by_kind (FenDType dtype, bool gated, bool backward, const FenActivation *p, int64_t begin, int64_t end)
{
  if (p->kind == FEN_GELU_TANH)
    rows (dtype, FEN_GELU_TANH, gated, backward, p, begin, end);
  else if (p->kind == FEN_GELU_ERF)
    rows (dtype, FEN_GELU_ERF, gated, backward, p, begin, end);
  else if (p->kind == FEN_SILU)
    rows (dtype, FEN_SILU, gated, backward, p, begin, end);
  else
    rows (dtype, FEN_RELU, gated, backward, p, begin, end);
}

static void
forward_body (void *data, int64_t begin, int64_t end, int worker)
{
  const FenActivation *p = data;
#define CALL(type)                                                                                           \
  (p->gated ? rows_by_kind (type, true, false, p, begin, end)                                                \
            : rows_by_kind (type, false, false, p, begin, end))
  FEN_CPU_BY_DTYPE (p->dtype, CALL);
#undef CALL
}

static void
backward_body (void *data, int64_t begin, int64_t end, int worker)
{
  const FenActivation *p = data;
#define CALL(type)                                                                                           \
  (p->gated ? rows_by_kind (type, true, true, p, begin, end)                                                 \
            : rows_by_kind (type, false, true, p, begin, end))
  FEN_CPU_BY_DTYPE (p->dtype, CALL);
#undef CALL
}

void
FEN_ISA (fen_cpu_activation_forward) (FenDevice *device, const FenActivation *p)
{
  fen_cpu_for (device, p->rows, 1 + 4096 / p->width, forward_body, (void *)p);
}

void
FEN_ISA (fen_cpu_activation_backward) (FenDevice *device, const FenActivation *p)
{
  fen_cpu_for (device, p->rows, 1 + 4096 / p->width, backward_body, (void *)p);
}
