/* fen-smoothed.c: a curve's exponential moving average (see fen-series.h).
 *
 * s = w s + (1 - w) y begins at 0, so the first values are too small by the weight that no value has had yet: s is
 * divided by 1 - w^n, as Adam's moments are (Kingma and Ba, 2015, section 3). The series of averages borrows its places
 * from the source.
 */
#include "gui/chart/fen-series-private.h"

#include <math.h>

#define MAX_WEIGHT 0.99

typedef struct {
  double sum;     /* s */
  double missing; /* w^n */
} Average;

struct _FenSmoothed {
  FenSeries *source;
  FenSeries *series;
  double weight;
  Average average;
  guint64 revision; /* the source's, at the last update */
  gsize length;     /* points that were averaged by then */
};

FenSmoothed *
fen_smoothed_new (FenSeries *source, double weight)
{
  FenSmoothed *smoothed = g_new0 (FenSmoothed, 1);
  smoothed->source = fen_series_ref (source);
  smoothed->series = fen_series_new_derived (source);
  fen_smoothed_set_weight (smoothed, weight);
  return smoothed;
}

void
fen_smoothed_free (FenSmoothed *smoothed)
{
  fen_series_unref (smoothed->series);
  fen_series_unref (smoothed->source);
  g_free (smoothed);
}

void
fen_smoothed_set_weight (FenSmoothed *smoothed, double weight)
{
  weight = isnan (weight) ? 0 : CLAMP (weight, 0, MAX_WEIGHT);
  if (weight == smoothed->weight)
    return;
  smoothed->weight = weight;
  smoothed->length = 0;
}

static double
average_add (Average *average, double weight, double y)
{
  if (!isfinite (y))
    return y;
  average->sum = weight * average->sum + (1 - weight) * y;
  average->missing *= weight;
  return average->sum / (1 - average->missing);
}

/* Where the average stood after the first `length` points. Adding them up again gives the very same numbers, and takes
 * a few milliseconds for a million; it happens only when a run was resumed. */
static Average
average_after (const FenSmoothed *smoothed, gsize length)
{
  Average average = { 0, 1 };
  for (gsize i = 0; i < length; i++)
    average_add (&average, smoothed->weight, fen_series_y (smoothed->source, i));
  return average;
}

void
fen_smoothed_update (FenSmoothed *smoothed)
{
  gsize length = fen_series_length (smoothed->source);
  gsize kept = fen_series_kept_since (smoothed->source, smoothed->revision, smoothed->length);
  fen_series_truncate (smoothed->series, kept);
  if (kept == 0 || kept < smoothed->length)
    smoothed->average = average_after (smoothed, kept);
  for (gsize i = kept; i < length; i++)
    fen_series_derive (smoothed->series, average_add (&smoothed->average, smoothed->weight,
                                                      fen_series_y (smoothed->source, i)));
  smoothed->length = length;
  smoothed->revision = fen_series_revision (smoothed->source);
}

FenSeries *
fen_smoothed_series (FenSmoothed *smoothed)
{
  return smoothed->series;
}
