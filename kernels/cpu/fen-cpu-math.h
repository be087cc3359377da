/* fen-cpu-math.h: exp, tanh, the normal distribution and sine/cosine of whole vectors.
 *
 * The polynomials are our own minimax fits (Lawson's iteration on Chebyshev nodes) of the functions named beside
 * them. Bounds below are the largest errors against double precision that tests/kernels/test-cpu-math.c allows; ulp
 * are of the result. Results follow IEEE at the ends: overflow gives infinity, NaN stays NaN, tiny results are
 * subnormal.
 */
#pragma once

#include "kernels/cpu/fen-cpu-simd.h"

/* e^x, 2 ulp (absolute error of half the smallest subnormal below that). x = n ln 2 + r. */
FV_INLINE FenVec
fv_exp (FenVec x)
{
  const FenVec magic = fv_set (0x1.8p23f); /* adding it rounds to an integer in the low bits */
  /* Bounds outside of which the result is 0 or infinite; min and max keep a NaN, their second operand. */
  x = fv_max (fv_set (-105.0f), fv_min (fv_set (89.5f), x));
  const FenVec shifted = fv_fma (x, fv_set (1.442695041f), magic);
  const FenVec n = shifted - magic;
  FenVec r
      = fv_fma (n, fv_set (-0x1.62e4p-1f), x); /* ln 2 in two parts, the first short enough to be exact */
  r = fv_fma (n, fv_set (-1.42860677e-6f), r);
  /* (e^r - 1 - r) / r^2 */
  FenVec p = fv_fma (r, fv_set (1.390177285e-03f), fv_set (8.364345280e-03f));
  p = fv_fma (p, r, fv_set (4.166686890e-02f));
  p = fv_fma (p, r, fv_set (1.666656996e-01f));
  p = fv_fma (p, r, fv_set (4.999999950e-01f));
  p = fv_fma (p, r * r, r) + 1.0f;
#if FEN_CPU_ISA == 2
  return (FenVec)_mm512_scalef_ps ((__m512)p, (__m512)n);
#else
  /* 2^n in two factors: n reaches from -152 to 129. */
  const FenVecI whole = (FenVecI)shifted - (FenVecI)magic;
  const FenVecI half = whole >> 1;
  return p * (FenVec)((half + 127) << 23) * (FenVec)((whole - half + 127) << 23);
#endif
}

/* 1 / (1 + e^-x), 3 ulp. */
FV_INLINE FenVec
fv_sigmoid (FenVec x)
{
  return 1.0f / (1.0f + fv_exp (-x));
}

/* tanh x, 3 ulp. */
FV_INLINE FenVec
fv_tanh (FenVec x)
{
  const FenVec z = x * x;
  /* (tanh x / x - 1) / x^2 in x^2 */
  FenVec p = fv_fma (z, fv_set (-5.923982390e-03f), fv_set (2.087367823e-02f));
  p = fv_fma (p, z, fv_set (-5.382381678e-02f));
  p = fv_fma (p, z, fv_set (1.333258420e-01f));
  p = fv_fma (p, z, fv_set (-3.333332703e-01f));
  const FenVec small = fv_fma (p, z * x, x);
  const FenVec large = 1.0f - 2.0f / (fv_exp (2.0f * fv_abs (x)) + 1.0f);
  const FenVec sign = (FenVec)((FenVecI)x & (int32_t)0x80000000);
  return fv_select (fv_abs (x) < 0.625f, small, (FenVec)((FenVecI)large | (FenVecI)sign));
}

/* The normal distribution's Phi (x) = (1 + erf (x / sqrt 2)) / 2, 6 ulp for |x| < 9:
 * erfc (z) = e^(-z^2) erfcx (z), with erfcx as a polynomial in (z - 3) / (z + 3). */
FV_INLINE FenVec
fv_normal_cdf (FenVec x)
{
  /* The second operand of min is what a NaN leaves. */
  const FenVec z = fv_min (fv_set (10.2f), fv_abs (x) * 0.707106781f);
  const FenVec t = (z - 3.0f) / (z + 3.0f);
  /* e^(z^2) erfc (z) (1 + 2 z) */
  FenVec p = fv_fma (t, fv_set (-2.671835269e-04f), fv_set (-7.751261402e-04f));
  p = fv_fma (p, t, fv_set (2.003350848e-03f));
  p = fv_fma (p, t, fv_set (2.566566347e-03f));
  p = fv_fma (p, t, fv_set (-2.379853627e-02f));
  p = fv_fma (p, t, fv_set (6.829574891e-02f));
  p = fv_fma (p, t, fv_set (-1.192707960e-01f));
  p = fv_fma (p, t, fv_set (1.296464338e-01f));
  p = fv_fma (p, t, fv_set (-4.756240963e-02f));
  p = fv_fma (p, t, fv_set (-1.356211401e-01f));
  p = fv_fma (p, t, fv_set (1.253008059e+00f));
  /* x^2 / 2 must not be rounded before the exponential: its error, up to 50 * 2^-24, is put back. */
  const FenVec capped = fv_min (fv_set (14.42f), fv_abs (x));
  const FenVec square = capped * capped;
#if FEN_CPU_ISA > 0
  const FenVec rest = fv_fma (capped, capped, -square);
#else /* Dekker's product: the halves' products are exact */
  const FenVec upper = (FenVec)((FenVecI)capped & (int32_t)0xfffff000), lower = capped - upper;
  const FenVec rest = ((upper * upper - square) + 2.0f * upper * lower) + lower * lower;
#endif
  const FenVec tail = fv_exp (-0.5f * square) * (1.0f - 0.5f * rest)
                      * (0.5f * p / fv_fma (z, fv_set (2.0f), fv_set (1.0f)));
  return fv_select (x > 0.0f, 1.0f - tail, tail);
}

/* The normal density e^(-x^2/2) / sqrt (2 pi). */
FV_INLINE FenVec
fv_normal_density (FenVec x)
{
  return 0.398942280f * fv_exp (-0.5f * x * x);
}

/* Sine and cosine of a double angle up to 2^31, as floats, 1 ulp: reduced by multiples of pi/2 kept in three parts.
 * Branchless, so that loops over it become vectors. */
FV_INLINE void
fs_sincos (double angle, float *sine, float *cosine)
{
  const double magic = 0x1.8p52;
  const double shifted = angle * 0.63661977236758134308 + magic;
  const double n = shifted - magic;
  double r = angle - n * 0x1.921fb544p+0;
  r -= n * 0x1.0b4611a6p-34;
  r -= n * 0x1.3198a2e037073p-69;
  const double z = r * r;
  const double s
      = r
        * (0.99999999999999534
           + z
                 * (-0.1666666666661345
                    + z
                          * (0.0083333333234477912
                             + z
                                   * (-0.00019841263097145556
                                      + z * (2.7555233474576585e-06 + z * -2.4753992413810394e-08)))));
  const double c
      = 1
        + z
              * (-0.49999999999997718
                 + z
                       * (0.041666666666113919
                          + z
                                * (-0.0013888888844836599
                                   + z
                                         * (2.480157098333067e-05
                                            + z * (-2.7554206492024572e-07 + z * 2.0578301349972095e-09)))));
  int64_t quadrant;
  memcpy (&quadrant, &shifted, sizeof quadrant);
  const double a = quadrant & 1 ? c : s, b = quadrant & 1 ? s : c;
  *sine = (float)(quadrant & 2 ? -a : a);
  *cosine = (float)((quadrant + 1) & 2 ? -b : b);
}
