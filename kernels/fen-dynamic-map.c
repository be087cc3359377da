/* fen-dynamic-map.c: builds the tables of fen-dynamic-map.h once a device. */
#include "kernels/fen-dynamic-map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DECADES 7

static int
compare (const void *a, const void *b)
{
  const float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static float
float_of (uint32_t bits)
{
  float x;
  memcpy (&x, &bits, sizeof x);
  return x;
}

/* The nearest value's code, by walking from `code`. */
static int
nearest (const FenDynamicMap *map, float x, int code)
{
  while (code > 0 && x <= map->boundaries[code - 1])
    code--;
  while (x > map->boundaries[code])
    code++;
  return code;
}

static void
fill_buckets (FenDynamicMap *map)
{
  int up = map->zero, down = map->zero;
  for (uint32_t i = 0; i < FEN_DYNAMIC_MAP_BUCKETS; i++)
    {
      const uint32_t first = i == 0 ? 0 : (FEN_DYNAMIC_MAP_FIRST + i) << 16,
                     last = (FEN_DYNAMIC_MAP_FIRST + i) << 16 | 0xffff;
      uint32_t change;
      up = nearest (map, float_of (first), up);
      memcpy (&change, &map->boundaries[up], sizeof change);
      map->buckets[i] = (up << 16) + (change >> 16 == last >> 16 ? 0xffff - (int32_t)(change & 0xffff) : 0);
      down = nearest (map, float_of (first | 0x80000000), down);
      if (down > 0) /* the code below starts at its boundary's magnitude */
        memcpy (&change, &map->boundaries[down - 1], sizeof change);
      map->buckets[FEN_DYNAMIC_MAP_BUCKETS + i]
          = (down << 16)
            + (down > 0 && change >> 16 == (last >> 16 | 0x8000) ? (int32_t)(change & 0xffff) - 1 : 0xffff);
    }
}

void
fen_dynamic_map_init (FenDynamicMap *map, int is_signed)
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
    {
      /* Exact in double: what lies at the middle or below is code i's. */
      const double middle = 0.5 * ((double)map->values[i] + map->values[i + 1]);
      const float boundary = (float)middle;
      map->boundaries[i] = boundary > middle ? nextafterf (boundary, -INFINITY) : boundary;
    }
  map->boundaries[255] = INFINITY;
  map->zero = 0;
  while (map->values[map->zero] != 0)
    map->zero++;
  fill_buckets (map);
}
