/* fen-cpu-map.c: builds the tables of fen-cpu-map.h once a device. */
#include "kernels/cpu/fen-cpu-map.h"

#include <math.h>
#include <stdlib.h>

#define DECADES 7

static int
compare (const void *a, const void *b)
{
  const float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* The code of the smallest float with these upper bits: the first of the positive ones, the last of the negative. */
static uint8_t
lowest (const FenCpuMap *map, uint32_t upper, int code)
{
  const uint32_t bits = upper << 16 | (upper & 0x8000 ? 0xffff : 0);
  float x;
  memcpy (&x, &bits, sizeof x);
  if (isnan (x))
    return 0;
  while (code > 0 && x <= map->boundaries[code - 1])
    code--;
  while (x > map->boundaries[code])
    code++;
  return (uint8_t)code;
}

void
fen_cpu_map_init (FenCpuMap *map, int is_signed)
{
  int n = 0;
  for (int i = 0; i < DECADES; i++)
    {
      const int count = 1 << (is_signed ? i : i + 1);
      for (int j = 0; j < count; j++)
        {
          const double middle = 0.1 + 0.9 * (j + 0.5) / count;
          const float value = (float)(middle * pow (10, i - (DECADES - 1)));
          map->values[n++] = value;
          if (is_signed)
            map->values[n++] = -value;
        }
    }
  map->values[n++] = 0;
  map->values[n++] = 1;
  qsort (map->values, 256, sizeof map->values[0], compare);
  for (int i = 0; i < 255; i++)
    map->boundaries[i] = (float)(0.5 * ((double)map->values[i] + map->values[i + 1]));
  map->boundaries[255] = INFINITY;
  for (uint32_t upper = 0; upper < 65536; upper++) /* neighbours have neighbouring codes */
    map->lowest[upper] = lowest (map, upper, upper > 0 ? map->lowest[upper - 1] : 0);
}
