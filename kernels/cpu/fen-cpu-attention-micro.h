/* fen-cpu-attention-micro.h: the inner products, exponential and tanh of CPU attention.
 *
 * A block is BLOCK = 2 vectors of columns. Both products keep MR rows x 2 vectors of sums in registers and read one
 * left scalar (a broadcast) for two fused multiply-adds:
 *
 *                 columns                         AVX-512  8 x 2 sums + 2 + 1 of 32 registers
 *            +-----+-----+                        AVX2     6 x 2 sums + 2 + 1 of 16
 *       a0 > | c00 | c01 |                        plain    4 x 2 sums
 *       a1 > | c10 | c11 |
 *            +-----+-----+      16 sums hide the latency (4) of two multiply-adds a cycle.
 */
#pragma once

#include "kernels/cpu/fen-cpu-attention-private.h"
#include "kernels/cpu/fen-cpu-simd.h"

#define BLOCK (2 * FEN_VW)

FV_INLINE FenVec
at_load (const float *p)
{
  FenVec v;
  memcpy (&v, p, sizeof v);
  return v;
}

FV_INLINE void
at_store (float *p, FenVec v)
{
  memcpy (p, &v, sizeof v);
}

/* One instruction; fv_set's addition of 0 would be a second one in the innermost loop. */
FV_INLINE FenVec
at_broadcast (float x)
{
#if FEN_CPU_ISA == 2
  return (FenVec)_mm512_set1_ps (x);
#elif FEN_CPU_ISA == 1
  return (FenVec)_mm256_set1_ps (x);
#else
  return x - (FenVec){ 0 };
#endif
}

#define AT_REPEAT_1(X) X (0)
#define AT_REPEAT_2(X) AT_REPEAT_1 (X) X (1)
#define AT_REPEAT_4(X) AT_REPEAT_2 (X) X (2) X (3)
#define AT_REPEAT_6(X) AT_REPEAT_4 (X) X (4) X (5)
#define AT_REPEAT_8(X) AT_REPEAT_6 (X) X (6) X (7)

#define AT_ZERO(i) FenVec c##i##0 = { 0 }, c##i##1 = { 0 };
#define AT_SCALED(i)                                                                                         \
  FenVec c##i##0 = at_load (c + i * BLOCK) * s0, c##i##1 = at_load (c + i * BLOCK + FEN_VW) * s1;
#define AT_STEP_ROWS(i)                                                                                      \
  {                                                                                                          \
    const FenVec x = at_broadcast (a[i * lda]);                                                              \
    c##i##0 = fv_fma (x, b0, c##i##0);                                                                       \
    c##i##1 = fv_fma (x, b1, c##i##1);                                                                       \
  }
#define AT_STEP_COLUMNS(i)                                                                                   \
  {                                                                                                          \
    const FenVec x = at_broadcast (a[i]);                                                                    \
    c##i##0 = fv_fma (x, b0, c##i##0);                                                                       \
    c##i##1 = fv_fma (x, b1, c##i##1);                                                                       \
  }
#define AT_STORE(i)                                                                                          \
  at_store (c + i * BLOCK, c##i##0);                                                                         \
  at_store (c + i * BLOCK + FEN_VW, c##i##1);

/* scores_MR: c (MR, BLOCK) = a (MR, depth; rows lda apart) * b (depth, BLOCK).
 * values_MR: c (MR, BLOCK) = c * scale (BLOCK) + a (depth, MR; rows lda apart) transposed * b (depth, BLOCK). */
#define AT_DEFINE(MR)                                                                                        \
  FV_INLINE void scores_##MR (int64_t depth, const float *a, int64_t lda, const float *b, float *c)          \
  {                                                                                                          \
    AT_REPEAT_##MR (AT_ZERO) for (int64_t e = 0; e < depth; e++, a++, b += BLOCK)                            \
    {                                                                                                        \
      const FenVec b0 = at_load (b), b1 = at_load (b + FEN_VW);                                              \
      AT_REPEAT_##MR (AT_STEP_ROWS)                                                                          \
    }                                                                                                        \
    AT_REPEAT_##MR (AT_STORE)                                                                                \
  }                                                                                                          \
  FV_INLINE void values_##MR (int64_t depth, const float *a, int64_t lda, const float *b, float *c,          \
                              FenVec s0, FenVec s1)                                                          \
  {                                                                                                          \
    AT_REPEAT_##MR (AT_SCALED) for (int64_t k = 0; k < depth; k++, a += lda, b += BLOCK)                     \
    {                                                                                                        \
      const FenVec b0 = at_load (b), b1 = at_load (b + FEN_VW);                                              \
      AT_REPEAT_##MR (AT_STEP_COLUMNS)                                                                       \
    }                                                                                                        \
    AT_REPEAT_##MR (AT_STORE)                                                                                \
  }

AT_DEFINE (1)
AT_DEFINE (2)
AT_DEFINE (4)
#if FEN_CPU_ISA == 2
#define AT_MR 8
AT_DEFINE (8)
#define AT_SCORES scores_8
#define AT_VALUES values_8
#elif FEN_CPU_ISA == 1
#define AT_MR 6
AT_DEFINE (6)
#define AT_SCORES scores_6
#define AT_VALUES values_6
#else
#define AT_MR 4
#define AT_SCORES scores_4
#define AT_VALUES values_4
#endif

/* c (rows, BLOCK) = a (rows, depth) * b (depth, BLOCK); a's rows are `depth` apart. */
static inline void
at_scores (int64_t rows, int64_t depth, const float *a, const float *b, float *c)
{
  int64_t i = 0;

  for (; i + AT_MR <= rows; i += AT_MR)
    AT_SCORES (depth, a + i * depth, depth, b, c + i * BLOCK);
#if AT_MR > 4
  if (i + 4 <= rows)
    {
      scores_4 (depth, a + i * depth, depth, b, c + i * BLOCK);
      i += 4;
    }
#endif
  if (i + 2 <= rows)
    {
      scores_2 (depth, a + i * depth, depth, b, c + i * BLOCK);
      i += 2;
    }
  if (i < rows)
    scores_1 (depth, a + i * depth, depth, b, c + i * BLOCK);
}

/* c (rows, BLOCK) = c * scale + a (depth, rows) transposed * b (depth, BLOCK); a's rows are `rows` apart. scale
 * (BLOCK) or NULL for 1. */
static inline void
at_values (int64_t rows, int64_t depth, const float *a, const float *b, float *c, const float *scale)
{
  const FenVec s0 = scale ? at_load (scale) : at_broadcast (1), s1 = scale ? at_load (scale + FEN_VW) : s0;
  int64_t i = 0;

  for (; i + AT_MR <= rows; i += AT_MR)
    AT_VALUES (depth, a + i, rows, b, c + i * BLOCK, s0, s1);
#if AT_MR > 4
  if (i + 4 <= rows)
    {
      values_4 (depth, a + i, rows, b, c + i * BLOCK, s0, s1);
      i += 4;
    }
#endif
  if (i + 2 <= rows)
    {
      values_2 (depth, a + i, rows, b, c + i * BLOCK, s0, s1);
      i += 2;
    }
  if (i < rows)
    values_1 (depth, a + i, rows, b, c + i * BLOCK, s0, s1);
}

/* 2^x for x <= 127: round to n + f with |f| <= 1/2, a polynomial of degree 6 for 2^f (our Remez fit, relative error
 * 2e-9), n added to the exponent. Below 2^-126 exactly 0, so that what a mask hides adds nothing. NaN stays NaN: a
 * broken score must not turn into a plausible one. */
FV_INLINE FenVec
at_exp2 (FenVec x)
{
  const FenVec magic = at_broadcast (12582912.0f); /* 1.5 * 2^23: the sum's low bits are round (x) */
  const FenVec clamped = fv_max (at_broadcast (-126), x);
  const FenVec shifted = clamped + magic;
  const FenVec f = clamped - (shifted - magic);
  FenVec p = at_broadcast (1.534581242594868e-4f);

  p = fv_fma (p, f, at_broadcast (1.3399930903688073e-3f));
  p = fv_fma (p, f, at_broadcast (9.618489071726799e-3f));
  p = fv_fma (p, f, at_broadcast (5.550328642129898e-2f));
  p = fv_fma (p, f, at_broadcast (0.24022646248340607f));
  p = fv_fma (p, f, at_broadcast (0.6931471824645996f));
  p = fv_fma (p, f, at_broadcast (1.0f));
  p = (FenVec)((FenVecI)p + ((FenVecI)shifted << 23));
#if FEN_CPU_ISA == 2
  return (FenVec)_mm512_maskz_mov_ps (_mm512_cmp_ps_mask ((__m512)x, _mm512_set1_ps (-126), _CMP_NLT_UQ),
                                      (__m512)p);
#else
  return (FenVec)((FenVecI)p & ~(x < at_broadcast (-126)));
#endif
}

/* tanh: its Taylor polynomial where 1 - 2 / (e^2x + 1) would cancel. */
FV_INLINE FenVec
at_tanh (FenVec x)
{
  const FenVec size = fv_min (at_broadcast (15), fv_abs (x)), square = size * size;
  const FenVec grown = at_exp2 (size * at_broadcast (2 * FEN_LOG2E));
  const FenVec far = at_broadcast (1) - at_broadcast (2) / (grown + at_broadcast (1));
  FenVec p = at_broadcast (-8.8632355e-3f);

  p = fv_fma (p, square, at_broadcast (2.1869488e-2f));
  p = fv_fma (p, square, at_broadcast (-5.3968254e-2f));
  p = fv_fma (p, square, at_broadcast (0.13333333f));
  p = fv_fma (p, square, at_broadcast (-0.33333333f));
  p = fv_fma (p * square, size, size);
  p = fv_select (size < at_broadcast (0.35f), p, far);
  return (FenVec)((FenVecI)p | ((FenVecI)x & INT32_MIN));
}
