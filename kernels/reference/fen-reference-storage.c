/* fen-reference-storage.c: storage types to double and back, from their definitions (sign, exponent, fraction). */
#include "kernels/reference/fen-reference-private.h"

#include <math.h>
#include <string.h>

/* The value of a 16-bit float with `fraction_bits` of fraction. */
static double
half_value (uint16_t bits, int fraction_bits)
{
  const int exponent_bits = 15 - fraction_bits, bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
  const int fraction = bits & ((1 << fraction_bits) - 1);
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1)
    return fraction != 0 ? (double)NAN : sign * INFINITY;
  if (exponent == 0)
    return sign * ldexp (fraction, 1 - bias - fraction_bits);
  return sign * ldexp ((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
}

/* The nearest such float, ties to even. */
static uint16_t
half_bits (double value, int fraction_bits)
{
  const int exponent_bits = 15 - fraction_bits, bias = (1 << (exponent_bits - 1)) - 1;
  const uint16_t sign = signbit (value) ? 0x8000 : 0;
  const uint16_t infinite = (uint16_t)(((1 << exponent_bits) - 1) << fraction_bits);
  if (isnan (value))
    return (uint16_t)(sign | infinite | 1 << (fraction_bits - 1));
  if (isinf (value))
    return sign | infinite;
  if (value == 0)
    return sign;
  int exponent = ilogb (value);
  if (exponent < 1 - bias)
    exponent = 1 - bias;
  /* In units of the last place; rounding up to the next power of two carries into the exponent by itself. */
  const double units = nearbyint (ldexp (fabs (value), fraction_bits - exponent));
  const double bits = ldexp (exponent - 1 + bias, fraction_bits) + units;
  return bits >= infinite ? sign | infinite : (uint16_t)(sign | (uint16_t)bits);
}

double
fen_reference_get (FenDType dtype, const void *base, int64_t i)
{
  switch (dtype)
    {
    case FEN_F32:
      return ((const float *)base)[i];
    case FEN_BF16:
      return half_value (((const uint16_t *)base)[i], 7);
    case FEN_F16:
      return half_value (((const uint16_t *)base)[i], 10);
    case FEN_F64:
      return ((const double *)base)[i];
    case FEN_I32:
      return ((const int32_t *)base)[i];
    case FEN_U8:
      return ((const uint8_t *)base)[i];
    }
  return (double)NAN;
}

void
fen_reference_set (FenDType dtype, void *base, int64_t i, double value)
{
  switch (dtype)
    {
    case FEN_F32:
      ((float *)base)[i] = (float)value;
      break;
    case FEN_BF16:
      ((uint16_t *)base)[i] = half_bits (value, 7);
      break;
    case FEN_F16:
      ((uint16_t *)base)[i] = half_bits (value, 10);
      break;
    case FEN_F64:
      ((double *)base)[i] = value;
      break;
    case FEN_I32:
      ((int32_t *)base)[i] = (int32_t)value;
      break;
    case FEN_U8:
      ((uint8_t *)base)[i] = (uint8_t)value;
      break;
    }
}
