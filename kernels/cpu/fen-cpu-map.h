/* fen-cpu-map.h: the dynamic maps of 8-bit optimizer states, and coding by table.
 *
 * Dettmers, Lewis, Shleifer, Zettlemoyer, "8-bit Optimizers via Block-wise Quantization" (2021): seven decades from
 * 1 down to 1e-7, each an order of magnitude smaller with half as many values in it, at the middles of equal parts
 * of [0.1, 1]; and 0 and 1. The signed map gives a decade 2^i values of each sign, the unsigned one 2^(i+1).
 *
 * Coding picks the nearest value (the lower of two equally near). The upper half of a float's bits is coarse enough
 * to be an index and fine enough (steps of 1/128) that at most one boundary between values falls among the floats
 * that share it: so a code is one look-up and one comparison.
 */
#pragma once

#include <stdint.h>
#include <string.h>

typedef struct {
  float values[256];     /* rising */
  float boundaries[256]; /* the middle between value i and the next; infinity at the end */
  uint8_t lowest[65536]; /* upper half of the bits -> code of the smallest float that has them */
} FenCpuMap;

void fen_cpu_map_init (FenCpuMap *map, int is_signed);

/* x in [-1, 1]; NaN gives some code. */
static inline uint8_t
fen_cpu_map_code (const FenCpuMap *map, float x)
{
  uint32_t bits;
  memcpy (&bits, &x, sizeof bits);
  const uint8_t code = map->lowest[bits >> 16];
  return (uint8_t)(code + (x > map->boundaries[code]));
}
