/* fen-series.c: the points of a curve (see fen-series.h): a column of places for each axis, the y under their pyramid,
 * where lines begin, and what was taken back.
 */
#include "gui/chart/fen-pyramid-private.h"
#include "gui/chart/fen-series-private.h"

#include <math.h>

G_STATIC_ASSERT (FEN_PYRAMID_FANOUT == FEN_SERIES_FANOUT);

typedef struct {
  guint64 revision; /* after it */
  gsize length;     /* what was kept */
} Rewind;

struct _FenSeries {
  gatomicrefcount refs;
  FenSeries *source; /* of places and breaks; NULL: they are here */
  FenColumn places[FEN_N_AXES];
  FenPyramid y;        /* its length is the series' */
  GArray *breaks;      /* gsize, rising: where lines begin, but for the first */
  gboolean break_next; /* the next point begins a line */
  gsize n_not_finite;
  guint64 revision;
  GArray *rewinds; /* Rewind, both rising: one that a later one surpassed is forgotten */
};

/* ---- life ---- */

FenSeries *
fen_series_new (void)
{
  FenSeries *series = g_new0 (FenSeries, 1);
  g_atomic_ref_count_init (&series->refs);
  series->breaks = g_array_new (FALSE, FALSE, sizeof (gsize));
  series->rewinds = g_array_new (FALSE, FALSE, sizeof (Rewind));
  return series;
}

FenSeries *
fen_series_new_derived (FenSeries *source)
{
  FenSeries *series = fen_series_new ();
  series->source = fen_series_ref (source);
  return series;
}

FenSeries *
fen_series_ref (FenSeries *series)
{
  g_atomic_ref_count_inc (&series->refs);
  return series;
}

void
fen_series_unref (FenSeries *series)
{
  if (!g_atomic_ref_count_dec (&series->refs))
    return;
  for (guint axis = 0; axis < FEN_N_AXES; axis++)
    fen_column_clear (&series->places[axis]);
  fen_pyramid_clear (&series->y);
  g_array_unref (series->breaks);
  g_array_unref (series->rewinds);
  g_clear_pointer (&series->source, fen_series_unref);
  g_free (series);
}

FenSeries *
fen_series_freeze (FenSeries *series)
{
  FenSeries *copy = fen_series_new ();
  if (series->source != NULL)
    copy->source = fen_series_freeze (series->source);
  for (guint axis = 0; axis < FEN_N_AXES; axis++)
    fen_column_share (&copy->places[axis], &series->places[axis]);
  fen_pyramid_share (&copy->y, &series->y);
  g_array_append_vals (copy->breaks, series->breaks->data, series->breaks->len);
  copy->n_not_finite = series->n_not_finite;
  copy->revision = series->revision;
  return copy;
}

/* ---- adding and taking back ---- */

static void
append_y (FenSeries *series, double y)
{
  fen_pyramid_append (&series->y, y);
  series->n_not_finite += !isfinite (y);
  series->revision++;
}

void
fen_series_append (FenSeries *series, const double *x, double y)
{
  g_return_if_fail (series->source == NULL);
  gsize index = series->y.length;
  for (guint axis = 0; axis < FEN_N_AXES; axis++)
    {
      double place = isfinite (x[axis]) ? x[axis] : -INFINITY;
      if (index > 0)
        place = MAX (place, fen_column_get (&series->places[axis], index - 1));
      else if (!isfinite (place))
        place = 0;
      fen_column_append (&series->places[axis], index, place);
    }
  if (series->break_next && index > 0)
    g_array_append_val (series->breaks, index);
  series->break_next = FALSE;
  append_y (series, y);
}

void
fen_series_derive (FenSeries *series, double y)
{
  g_return_if_fail (series->source != NULL && series->y.length < series->source->y.length);
  append_y (series, y);
}

void
fen_series_truncate (FenSeries *series, gsize length)
{
  if (length >= series->y.length)
    return;
  for (gsize i = length; i < series->y.length; i++)
    series->n_not_finite -= !isfinite (fen_column_get (&series->y.values, i));
  fen_pyramid_truncate (&series->y, length);
  if (series->source == NULL)
    for (guint axis = 0; axis < FEN_N_AXES; axis++)
      fen_column_truncate (&series->places[axis], length);
  while (series->breaks->len > 0 && g_array_index (series->breaks, gsize, series->breaks->len - 1) >= length)
    g_array_set_size (series->breaks, series->breaks->len - 1);

  Rewind rewind = { ++series->revision, length };
  while (series->rewinds->len > 0
         && g_array_index (series->rewinds, Rewind, series->rewinds->len - 1).length >= length)
    g_array_set_size (series->rewinds, series->rewinds->len - 1);
  g_array_append_val (series->rewinds, rewind);
}

void
fen_series_rewind (FenSeries *series, double step)
{
  g_return_if_fail (series->source == NULL);
  fen_series_truncate (series, fen_series_upper_bound (series, FEN_AXIS_STEP, step));
  series->break_next = TRUE;
  series->revision++;
}

void
fen_series_clear (FenSeries *series)
{
  fen_series_truncate (series, 0);
  series->break_next = FALSE;
  series->revision++;
}

gsize
fen_series_kept_since (const FenSeries *series, guint64 revision, gsize length)
{
  for (guint i = 0; i < series->rewinds->len; i++)
    {
      const Rewind *rewind = &g_array_index (series->rewinds, Rewind, i);
      if (rewind->revision > revision)
        /* The first one since is the one that kept the least: lengths rise. */
        return MIN (length, rewind->length);
    }
  return length;
}

/* ---- reading ---- */

gsize
fen_series_length (const FenSeries *series)
{
  /* A derived series that was not brought up to date yet must not show places that are gone. */
  return series->source != NULL ? MIN (series->y.length, series->source->y.length) : series->y.length;
}

double
fen_series_x (const FenSeries *series, FenAxis axis, gsize index)
{
  const FenSeries *owner = series->source != NULL ? series->source : series;
  g_return_val_if_fail ((guint)axis < FEN_N_AXES && index < owner->y.length, NAN);
  return fen_column_get (&owner->places[axis], index);
}

double
fen_series_y (const FenSeries *series, gsize index)
{
  g_return_val_if_fail (index < series->y.length, NAN);
  return fen_column_get (&series->y.values, index);
}

gboolean
fen_series_breaks_at (const FenSeries *series, gsize index)
{
  const GArray *breaks = series->source != NULL ? series->source->breaks : series->breaks;
  guint low = 0, high = breaks->len;
  while (low < high)
    {
      guint middle = low + (high - low) / 2;
      if (g_array_index (breaks, gsize, middle) < index)
        low = middle + 1;
      else
        high = middle;
    }
  return index == 0 || (low < breaks->len && g_array_index (breaks, gsize, low) == index);
}

gboolean
fen_series_joined (const FenSeries *series, gsize index)
{
  return index > 0 && index < fen_series_length (series)
         && isfinite (fen_column_get (&series->y.values, index - 1))
         && isfinite (fen_column_get (&series->y.values, index)) && !fen_series_breaks_at (series, index);
}

gsize
fen_series_n_not_finite (const FenSeries *series)
{
  return series->n_not_finite;
}

gsize
fen_series_bytes (const FenSeries *series)
{
  gsize bytes = sizeof (FenSeries) + fen_pyramid_bytes (&series->y) + series->breaks->len * sizeof (gsize)
                + series->rewinds->len * sizeof (Rewind);
  for (guint axis = 0; axis < FEN_N_AXES; axis++)
    bytes += fen_column_bytes (&series->places[axis]);
  return bytes;
}

guint64
fen_series_revision (const FenSeries *series)
{
  return series->revision;
}

static const FenColumn *
places (const FenSeries *series, FenAxis axis)
{
  return &(series->source != NULL ? series->source : series)->places[axis];
}

/* First index of [low, high) whose place is >= x, or > x when `after`; high when there is none. */
static gsize
bound (const FenSeries *series, FenAxis axis, gsize low, gsize high, double x, gboolean after)
{
  const FenColumn *column = places (series, axis);
  while (low < high)
    {
      gsize middle = low + (high - low) / 2;
      double place = fen_column_get (column, middle);
      if (after ? !(place > x) : place < x)
        low = middle + 1;
      else
        high = middle;
    }
  return low;
}

gsize
fen_series_lower_bound (const FenSeries *series, FenAxis axis, double x)
{
  return bound (series, axis, 0, fen_series_length (series), x, FALSE);
}

gsize
fen_series_upper_bound (const FenSeries *series, FenAxis axis, double x)
{
  return bound (series, axis, 0, fen_series_length (series), x, TRUE);
}

/* Strides that double until they are past it. */
gsize
fen_series_seek (const FenSeries *series, FenAxis axis, gsize from, double x)
{
  gsize length = fen_series_length (series), stride = 1;
  const FenColumn *column = places (series, axis);
  while (from + stride < length && fen_column_get (column, from + stride) < x)
    {
      from += stride;
      stride *= 2;
    }
  return bound (series, axis, from, MIN (from + stride + 1, length), x, FALSE);
}

gboolean
fen_series_nearest (const FenSeries *series, FenAxis axis, double x, gsize *index)
{
  gsize length = fen_series_length (series);
  if (length == 0 || isnan (x))
    return FALSE;
  gsize after = fen_series_lower_bound (series, axis, x);
  if (after == length)
    *index = length - 1;
  else if (after == 0)
    *index = 0;
  else
    {
      double back = x - fen_series_x (series, axis, after - 1);
      double ahead = fen_series_x (series, axis, after) - x;
      *index = back <= ahead ? after - 1 : after;
    }
  return TRUE;
}

/* ---- asking for y ---- */

gboolean
fen_series_min_max (const FenSeries *series, gsize first, gsize end, double *min, double *max)
{
  return fen_pyramid_min_max (&series->y, first, end, min, max);
}

gboolean
fen_series_find_max (const FenSeries *series, gsize first, gsize end, gsize *index)
{
  return fen_pyramid_find_max (&series->y, first, end, index);
}

gboolean
fen_series_min_positive (const FenSeries *series, gsize first, gsize end, double *min)
{
  return fen_pyramid_min_positive (&series->y, first, end, min);
}
