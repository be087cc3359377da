/* fen-float-private.h: 16-bit floating-point numbers to fp32 and back.
 *
 * BF16 is the upper half of an fp32. F16 is IEEE 754 binary16. Both roundings are to nearest, ties to even, as
 * hardware and the frameworks do it; NaN stays NaN, and what is too large for F16 becomes infinity.
 */
#pragma once

#include <glib.h>
#include <string.h>

static inline float
fen_float_from_bits (guint32 bits)
{
  float value;
  memcpy (&value, &bits, sizeof value);
  return value;
}

static inline guint32
fen_float_to_bits (float value)
{
  guint32 bits;
  memcpy (&bits, &value, sizeof bits);
  return bits;
}

static inline float
fen_float_from_bf16 (guint16 half)
{
  return fen_float_from_bits ((guint32)half << 16);
}

static inline guint16
fen_float_to_bf16 (float value)
{
  guint32 bits = fen_float_to_bits (value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
    return (guint16)(bits >> 16 | 0x40); /* quiet, so that a NaN whose payload is cut stays one */
  return (guint16)((bits + 0x7FFFu + (bits >> 16 & 1)) >> 16);
}

static inline float
fen_float_from_f16 (guint16 half)
{
  guint32 sign = (guint32)(half & 0x8000u) << 16, exponent = half >> 10 & 0x1F, mantissa = half & 0x3FF;
  if (exponent == 0x1F)
    return fen_float_from_bits (sign | 0x7F800000u | mantissa << 13);
  if (exponent != 0)
    return fen_float_from_bits (sign | (exponent + 112) << 23 | mantissa << 13);
  float magnitude = (float)mantissa * 0x1p-24f; /* subnormal: exact */
  return sign != 0 ? -magnitude : magnitude;
}

static inline guint16
fen_float_to_f16 (float value)
{
  guint32 bits = fen_float_to_bits (value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u)
    return (guint16)(sign | 0x7E00u);
  if (magnitude >= 0x477FF000u) /* 65520 and more round to infinity */
    return (guint16)(sign | 0x7C00u);
  if (magnitude < 0x38800000u) /* below 2^-14: a multiple of 2^-24; adding 0.5 rounds to it */
    return (guint16)(sign | (fen_float_to_bits (fen_float_from_bits (magnitude) + 0.5f) - 0x3F000000u));
  guint32 rounded = magnitude + 0xFFFu + (magnitude >> 13 & 1);
  return (guint16)(sign | (rounded - 0x38000000u) >> 13);
}
