/* fen-dynamic-map.h: the dynamic maps of 8-bit optimizer states, and coding by table.
 *
 * Dettmers, Lewis, Shleifer, Zettlemoyer, "8-bit Optimizers via Block-wise Quantization" (2021): seven decades from
 * 1 down to 1e-7, each an order of magnitude smaller with half as many values in it, at the middles of equal parts
 * of [0.1, 1]; and 0 and 1. The signed map gives a decade 2^i values of each sign, the unsigned one 2^(i+1).
 *
 * Coding picks the nearest value (the lower of two equally near). The upper half of a float's bits is coarse enough
 * to be an index and fine enough (steps of 1/128) that at most one boundary between values falls among the floats
 * that share it. So a bucket, the floats of one sign and upper half, has at most two codes, and one integer holds both
 * and the lower half where they change. With `low` the lower half, positive floats of a bucket have code c up to
 * low = t and c + 1 beyond: (c << 16) + (0xffff - t) + low carries into the code just then. A negative float's code
 * falls as its magnitude grows, and subtracting `low` borrows in the same way: (c << 16) + t - 1 - low. Buckets below
 * 2^-24 are one, as all of it is the code of 0. NaN gives some code.
 */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FEN_DYNAMIC_MAP_FIRST ((127 - 24) << 7) /* upper half of 2^-24; the last bucket is that of 1 */
#define FEN_DYNAMIC_MAP_BUCKETS ((24 << 7) + 1)

typedef struct {
  float values[256];     /* rising */
  float boundaries[256]; /* the largest float that is coded as value i; infinity at the end */
  int32_t
      buckets[2
              * FEN_DYNAMIC_MAP_BUCKETS]; /* of positive floats, then of negative ones; rising in magnitude */
  uint8_t zero;                           /* the code of 0 */
} FenDynamicMap;

void fen_dynamic_map_init (FenDynamicMap *map, int is_signed);

#ifdef __cplusplus
}
#endif
