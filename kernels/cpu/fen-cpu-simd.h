/* fen-cpu-simd.h: vectors of 4, 8 or 16 floats for the files that are compiled once an instruction set.
 *
 * The vectors are the compilers' own (gcc's vector extension, which clang shares), so that + - * / and comparisons
 * are plain operators, a * b + c becomes a fused multiply-add where the set has one, and the same source builds on
 * any processor. Intrinsics stand only where the extension has no word for the thing: conversions of fp16, square
 * root, min, max, masked tails.
 *
 * Storage types are read and written by fv_load and fv_store with a `dtype` that is constant where they are inlined;
 * FEN_CPU_BY_DTYPE makes it so.
 */
#pragma once

#include "kernels/fen-backend.h"

#include <math.h>
#include <string.h>

#ifndef FEN_CPU_ISA
#error "compiled through cpu_isa_sources only"
#endif

#if FEN_CPU_ISA > 0 || defined(__x86_64__)
#include <immintrin.h>
#endif

#if FEN_CPU_ISA == 2
#define FEN_ISA(name) name##_avx512
#define FEN_VW 16
#elif FEN_CPU_ISA == 1
#define FEN_ISA(name) name##_avx2
#define FEN_VW 8
#else
#define FEN_ISA(name) name##_plain
#define FEN_VW 4
#endif

#define FV_INLINE static inline __attribute__ ((always_inline, unused))

typedef float FenVec __attribute__ ((vector_size (FEN_VW * 4)));
typedef int32_t FenVecI __attribute__ ((vector_size (FEN_VW * 4)));
typedef uint32_t FenVecU __attribute__ ((vector_size (FEN_VW * 4)));
typedef uint16_t FenVecH __attribute__ ((vector_size (FEN_VW * 2)));

/* Runs CALL (dtype) with a constant, so that everything inlined under it loses its branches. */
#define FEN_CPU_BY_DTYPE(dtype, CALL)                                                                        \
  do                                                                                                         \
    {                                                                                                        \
      if ((dtype) == FEN_F32)                                                                                \
        CALL (FEN_F32);                                                                                      \
      else if ((dtype) == FEN_BF16)                                                                          \
        CALL (FEN_BF16);                                                                                     \
      else                                                                                                   \
        CALL (FEN_F16);                                                                                      \
    }                                                                                                        \
  while (0)

/* ---- lanes ---- */

FV_INLINE FenVec
fv_set (float x)
{
  return (FenVec){ 0 } + x; /* x + 0: -0 becomes +0, which no user minds */
}

FV_INLINE FenVecI
fv_bits (FenVec a)
{
  return (FenVecI)a;
}

/* mask lanes are all ones or all zeros, as comparisons give them. */
FV_INLINE FenVec
fv_select (FenVecI mask, FenVec yes, FenVec no)
{
  return (FenVec)((mask & (FenVecI)yes) | (~mask & (FenVecI)no));
}

FV_INLINE FenVec
fv_abs (FenVec a)
{
  return (FenVec)((FenVecI)a & 0x7fffffff);
}

/* The second operand when either is NaN (x86's rule; the plain version follows it). */
FV_INLINE FenVec
fv_max (FenVec a, FenVec b)
{
#if FEN_CPU_ISA == 2
  return (FenVec)_mm512_max_ps ((__m512)a, (__m512)b);
#elif FEN_CPU_ISA == 1
  return (FenVec)_mm256_max_ps ((__m256)a, (__m256)b);
#else
  return fv_select (a > b, a, b);
#endif
}

FV_INLINE FenVec
fv_min (FenVec a, FenVec b)
{
#if FEN_CPU_ISA == 2
  return (FenVec)_mm512_min_ps ((__m512)a, (__m512)b);
#elif FEN_CPU_ISA == 1
  return (FenVec)_mm256_min_ps ((__m256)a, (__m256)b);
#else
  return fv_select (a < b, a, b);
#endif
}

FV_INLINE FenVec
fv_sqrt (FenVec a)
{
#if FEN_CPU_ISA == 2
  return (FenVec)_mm512_sqrt_ps ((__m512)a);
#elif FEN_CPU_ISA == 1
  return (FenVec)_mm256_sqrt_ps ((__m256)a);
#else
  for (int i = 0; i < FEN_VW; i++)
    a[i] = sqrtf (a[i]);
  return a;
#endif
}

/* a * b + c, fused where the set has it. */
FV_INLINE FenVec
fv_fma (FenVec a, FenVec b, FenVec c)
{
#if FEN_CPU_ISA == 2
  return (FenVec)_mm512_fmadd_ps ((__m512)a, (__m512)b, (__m512)c);
#elif FEN_CPU_ISA == 1
  return (FenVec)_mm256_fmadd_ps ((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}

/* Sum of the lanes, pairwise. */
FV_INLINE float
fv_sum (FenVec a)
{
  float x[FEN_VW];
  memcpy (x, &a, sizeof a);
  for (int half = FEN_VW / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++)
      x[i] += x[i + half];
  return x[0];
}

/* The same in double: for sums that run over long rows. */
FV_INLINE double
fv_sum_double (FenVec a)
{
  float x[FEN_VW];
  double total = 0;
  memcpy (x, &a, sizeof a);
  for (int i = 0; i < FEN_VW; i++)
    total += x[i];
  return total;
}

FV_INLINE float
fv_max_lane (FenVec a)
{
  float x[FEN_VW];
  memcpy (x, &a, sizeof a);
  for (int half = FEN_VW / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++)
      x[i] = x[i] > x[i + half] ? x[i] : x[i + half];
  return x[0];
}

/* ---- storage types, one value ---- */

FV_INLINE float
fs_from_bits (uint32_t bits)
{
  float x;
  memcpy (&x, &bits, sizeof x);
  return x;
}

FV_INLINE uint32_t
fs_to_bits (float x)
{
  uint32_t bits;
  memcpy (&bits, &x, sizeof bits);
  return bits;
}

FV_INLINE uint16_t
fs_to_bf16 (float x)
{
  const uint32_t bits = fs_to_bits (x);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return (uint16_t)(bits >> 16 | 0x40); /* NaN stays NaN */
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

FV_INLINE float
fs_from_f16 (uint16_t half)
{
  const uint32_t sign = (uint32_t)(half & 0x8000) << 16;
  const uint32_t rest = half & 0x7fff;
  if (rest >= 0x7c00) /* infinity, NaN */
    return fs_from_bits (sign | 0x7f800000 | rest << 13);
  if (rest >= 0x0400) /* normal */
    return fs_from_bits (sign | ((rest << 13) + 0x38000000));
  const float tiny = (float)rest * 0x1p-24f; /* subnormal: exact */
  return fs_from_bits (sign | fs_to_bits (tiny));
}

FV_INLINE uint16_t
fs_to_f16 (float x)
{
  const uint32_t bits = fs_to_bits (x);
  const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  const uint32_t rest = bits & 0x7fffffff;
  if (rest > 0x7f800000)
    return (uint16_t)(sign | 0x7e00 | (rest >> 13 & 0x3ff));
  if (rest >= 0x477ff000) /* rounds to 65536 or more */
    return (uint16_t)(sign | 0x7c00);
  if (rest < 0x38800000) /* subnormal: let an addition round at the right bit */
    return (uint16_t)(sign | (fs_to_bits (fs_from_bits (rest) + 0.5f) - 0x3f000000));
  return (uint16_t)(sign | ((rest - 0x38000000 + 0xfff + (rest >> 13 & 1)) >> 13));
}

FV_INLINE float
fs_load (FenDType dtype, const void *base, int64_t i)
{
  if (dtype == FEN_F32)
    return ((const float *)base)[i];
  if (dtype == FEN_BF16)
    return fs_from_bits ((uint32_t)((const uint16_t *)base)[i] << 16);
  return fs_from_f16 (((const uint16_t *)base)[i]);
}

FV_INLINE void
fs_store (FenDType dtype, void *base, int64_t i, float x)
{
  if (dtype == FEN_F32)
    ((float *)base)[i] = x;
  else if (dtype == FEN_BF16)
    ((uint16_t *)base)[i] = fs_to_bf16 (x);
  else
    ((uint16_t *)base)[i] = fs_to_f16 (x);
}

/* ---- storage types, a vector ---- */

FV_INLINE FenVec
fv_from_bf16 (FenVecH h)
{
  return (FenVec)(__builtin_convertvector(h, FenVecU) << 16);
}

FV_INLINE FenVecH
fv_to_bf16 (FenVec a)
{
  const FenVecU bits = (FenVecU)a;
  const FenVecU rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const FenVecU nan = (FenVecU)(a != a);
  return __builtin_convertvector((rounded & ~nan) | ((bits >> 16 | 0x40) & nan), FenVecH);
}

FV_INLINE FenVec
fv_from_f16 (FenVecH h)
{
#if FEN_CPU_ISA == 2
  return (FenVec)_mm512_cvtph_ps ((__m256i)h);
#elif FEN_CPU_ISA == 1
  return (FenVec)_mm256_cvtph_ps ((__m128i)h);
#else
  FenVec a;
  for (int i = 0; i < FEN_VW; i++)
    a[i] = fs_from_f16 (h[i]);
  return a;
#endif
}

FV_INLINE FenVecH
fv_to_f16 (FenVec a)
{
#if FEN_CPU_ISA == 2
  return (FenVecH)_mm512_cvtps_ph ((__m512)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif FEN_CPU_ISA == 1
  return (FenVecH)_mm256_cvtps_ph ((__m256)a, _MM_FROUND_TO_NEAREST_INT);
#else
  FenVecH h;
  for (int i = 0; i < FEN_VW; i++)
    h[i] = fs_to_f16 (a[i]);
  return h;
#endif
}

/* FEN_VW elements from element i on; no alignment needed. */
FV_INLINE FenVec
fv_load (FenDType dtype, const void *base, int64_t i)
{
  if (dtype == FEN_F32)
    {
      FenVec a;
      memcpy (&a, (const float *)base + i, sizeof a);
      return a;
    }
  FenVecH h;
  memcpy (&h, (const uint16_t *)base + i, sizeof h);
  return dtype == FEN_BF16 ? fv_from_bf16 (h) : fv_from_f16 (h);
}

FV_INLINE void
fv_store (FenDType dtype, void *base, int64_t i, FenVec a)
{
  if (dtype == FEN_F32)
    {
      memcpy ((float *)base + i, &a, sizeof a);
      return;
    }
  const FenVecH h = dtype == FEN_BF16 ? fv_to_bf16 (a) : fv_to_f16 (a);
  memcpy ((uint16_t *)base + i, &h, sizeof h);
}

/* The last n < FEN_VW elements of a row; the other lanes are `pad` on loading and are not touched on storing. */
FV_INLINE FenVec
fv_load_n (FenDType dtype, const void *base, int64_t i, int64_t n, float pad)
{
#if FEN_CPU_ISA == 2
  if (dtype == FEN_F32)
    return (FenVec)_mm512_mask_loadu_ps (_mm512_set1_ps (pad), (__mmask16)((1u << n) - 1),
                                         (const float *)base + i);
#endif
  FenVec a = fv_set (pad);
  for (int64_t j = 0; j < n; j++)
    a[j] = fs_load (dtype, base, i + j);
  return a;
}

FV_INLINE void
fv_store_n (FenDType dtype, void *base, int64_t i, int64_t n, FenVec a)
{
#if FEN_CPU_ISA == 2
  if (dtype == FEN_F32)
    {
      _mm512_mask_storeu_ps ((float *)base + i, (__mmask16)((1u << n) - 1), (__m512)a);
      return;
    }
#endif
  for (int64_t j = 0; j < n; j++)
    fs_store (dtype, base, i + j, a[j]);
}

/* ---- bytes and tables ---- */

/* The low bytes of integers. */
FV_INLINE void
fv_store_u8 (uint8_t *bytes, FenVecI a)
{
#if FEN_CPU_ISA == 2
  _mm_storeu_si128 ((__m128i *)(void *)bytes, _mm512_cvtepi32_epi8 ((__m512i)a));
#elif FEN_CPU_ISA == 1
  const __m128i halves = _mm_packs_epi32 (_mm256_castsi256_si128 ((__m256i)(a & 255)),
                                          _mm256_extracti128_si256 ((__m256i)(a & 255), 1));
  _mm_storel_epi64 ((__m128i *)(void *)bytes, _mm_packus_epi16 (halves, halves));
#else
  for (int i = 0; i < FEN_VW; i++)
    bytes[i] = (uint8_t)a[i];
#endif
}

/* out[i] = table[index[i]] for n values of 32 bits, n a multiple of 8. Single loads, two results a store: gather
 * instructions are slower than that on half of the processors that have them and no faster on the others. */
#define FV_TABLE(name, type, per_word, bits)                                                                 \
  FV_INLINE void name (const void *table, const type *index, int n, void *out)                               \
  {                                                                                                          \
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first of a pair is the low half");        \
    const uint32_t *values = table;                                                                          \
    for (int i = 0; i < n; i += per_word)                                                                    \
      {                                                                                                      \
        uint64_t word, pairs[per_word / 2];                                                                  \
        memcpy (&word, index + i, sizeof word);                                                              \
        for (int j = 0; j < per_word / 2; j++, word >>= bits)                                                \
          {                                                                                                  \
            pairs[j] = values[(type)word];                                                                   \
            word >>= bits;                                                                                   \
            pairs[j] |= (uint64_t)values[(type)word] << 32;                                                  \
          }                                                                                                  \
        memcpy ((uint32_t *)out + i, pairs, sizeof pairs);                                                   \
      }                                                                                                      \
  }
FV_TABLE (fv_table_u8, uint8_t, 8, 8)
FV_TABLE (fv_table_u16, uint16_t, 4, 16)

/* ---- bounds for loops: whole vectors first, then one tail ----
 *
 *   int64_t i = 0;
 *   for (; i + FEN_VW <= n; i += FEN_VW)  ... fv_load (dtype, x, i)
 *   if (i < n)                            ... fv_load_n (dtype, x, i, n - i, 0)
 */
