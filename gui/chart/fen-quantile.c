/* fen-quantile.c: the value below which a share of a curve's points lie, for axes that cut spikes off. */
#include "gui/chart/fen-series-private.h"

#include <math.h>
#include <stdlib.h>

#define QUANTILE_SAMPLE 4096

static int
compare_doubles (const void *a, const void *b)
{
  double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

/* Finite y of [first, end), every one or an even sample; how many. */
static gsize
sample_finite (const FenSeries *series, gsize first, gsize end, double *sample)
{
  gsize n = end - first, found = 0, taken = MIN (n, QUANTILE_SAMPLE);
  for (gsize i = 0; i < taken; i++)
    {
      /* n / taken each, without overflow and without drift. */
      gsize at = n <= QUANTILE_SAMPLE ? i : (gsize)(((double)i + 0.5) * (double)n / (double)taken);
      double y = fen_series_y (series, first + at);
      if (isfinite (y))
        sample[found++] = y;
    }
  /* Few finite ones among many gaps: the sample may have missed them all. */
  if (found == 0)
    for (gsize i = first; i < end && found < QUANTILE_SAMPLE; i++)
      {
        double y = fen_series_y (series, i);
        if (isfinite (y))
          sample[found++] = y;
      }
  return found;
}

gboolean
fen_series_quantile (const FenSeries *series, gsize first, gsize end, double share, double *value)
{
  double sample[QUANTILE_SAMPLE];
  end = MIN (end, fen_series_length (series));
  if (first >= end)
    return FALSE;
  gsize n = sample_finite (series, first, end, sample);
  if (n == 0)
    return FALSE;
  qsort (sample, n, sizeof (double), compare_doubles);
  /* Between two of them: on the line that joins them. */
  double at = CLAMP (share, 0, 1) * (double)(n - 1);
  gsize below = (gsize)at, above = MIN (below + 1, n - 1);
  double part = at - (double)below;
  *value = sample[below] * (1 - part) + sample[above] * part;
  return TRUE;
}
