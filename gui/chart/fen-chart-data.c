/* fen-chart-data.c: what a chart has to show, in numbers and words; nothing of the screen. */
#include "gui/chart/fen-chart-private.h"

#include <glib/gi18n.h>

#define MARGIN 0.05    /* of the y range, above and below the curves */
#define LARGEST 1e300  /* beyond, ranges would overflow */
#define LOW_SHARE 0.01 /* percentiles */
#define HIGH_SHARE 0.99
#define MOST_MARKERS 6 /* in one tooltip */

/* ---- bringing up to date ---- */

static void
rebuild_stack (FenChart *self)
{
  fen_stack_clear (self->stack);
  for (guint i = 0; i < self->items->len; i++)
    {
      FenChartItem *item = fen_chart_item (self, i);
      if (item->style == FEN_CHART_STACKED && item->visible)
        fen_stack_add (self->stack, item->series);
    }
  self->stack_stale = FALSE;
}

void
fen_chart_refresh (FenChart *self)
{
  double min, max, gutter = 0;
  if (self->stack_stale)
    rebuild_stack (self);
  fen_stack_update (self->stack);
  for (guint i = 0; i < self->items->len; i++)
    {
      FenChartItem *item = fen_chart_item (self, i);
      if (item->smoothed != NULL)
        {
          fen_smoothed_set_weight (item->smoothed, fen_chart_group_get_smoothing (self->group));
          fen_smoothed_update (item->smoothed);
        }
    }
  if (!fen_chart_extent (self, &min, &max))
    {
      min = INFINITY;
      max = -INFINITY;
    }
  if (gtk_widget_get_height (self->plot) > 0)
    gutter = fen_chart_gutter (self, fen_plot_get_look (FEN_PLOT (self->plot)),
                               gtk_widget_get_height (self->plot));
  fen_chart_group_tell (self->group, self, min, max, gutter);
}

/* ---- ranges ---- */

gboolean
fen_chart_extent (FenChart *self, double *min, double *max)
{
  FenAxis axis = fen_chart_group_get_axis (self->group);
  double low = INFINITY, high = -INFINITY;
  for (guint i = 0; i < self->items->len; i++)
    {
      const FenChartItem *item = fen_chart_item (self, i);
      gsize length = fen_series_length (item->series);
      if (!item->visible || length == 0)
        continue;
      low = MIN (low, fen_series_x (item->series, axis, 0));
      high = MAX (high, fen_series_x (item->series, axis, length - 1));
    }
  if (low > high)
    return FALSE;
  *min = low;
  *max = high;
  return TRUE;
}

void
fen_chart_seen (FenChart *self, const FenSeries *series, double x_min, double x_max, gsize *first, gsize *end)
{
  FenAxis axis = fen_chart_group_get_axis (self->group);
  *first = fen_series_lower_bound (series, axis, x_min);
  *end = fen_series_upper_bound (series, axis, x_max);
  if (fen_series_joined (series, *first))
    --*first;
  if (fen_series_joined (series, *end))
    ++*end;
}

typedef struct {
  double min, max;
  gboolean hidden; /* there was something at or below zero on a logarithmic scale */
} Range;

static void
range_add (Range *range, double min, double max)
{
  range->min = MIN (range->min, min);
  range->max = MAX (range->max, max);
}

static void
range_add_series (FenChart *self, Range *range, const FenSeries *series, double x_min, double x_max)
{
  gsize first, end;
  double min, max;
  fen_chart_seen (self, series, x_min, x_max, &first, &end);
  if (!fen_series_min_max (series, first, end, &min, &max))
    return;
  if (self->fit_percentiles)
    {
      fen_series_quantile (series, first, end, LOW_SHARE, &min);
      fen_series_quantile (series, first, end, HIGH_SHARE, &max);
    }
  if (self->log_scale && min <= 0)
    {
      range->hidden = TRUE;
      if (max <= 0 || !fen_series_min_positive (series, first, end, &min))
        return;
    }
  range_add (range, min, MAX (min, max));
}

static Range
range_of_all (FenChart *self, double x_min, double x_max)
{
  Range range = { INFINITY, -INFINITY, FALSE };
  for (guint i = 0; i < self->items->len; i++)
    {
      const FenChartItem *item = fen_chart_item (self, i);
      if (item->visible && item->style != FEN_CHART_STACKED)
        range_add_series (self, &range, item->series, x_min, x_max);
    }
  if (fen_stack_total (self->stack) != NULL)
    range_add_series (self, &range, fen_stack_total (self->stack), x_min, x_max);
  for (guint i = 0; i < self->levels->len; i++)
    {
      double value = g_array_index (self->levels, FenLevel, i).value;
      if (!self->log_scale || value > 0)
        range_add (&range, value, value);
    }
  return range;
}

/* Quantities of which there can be none: their curves are read against zero. */
static gboolean
begins_at_zero (FenChart *self)
{
  return self->unit == FEN_UNIT_BYTES || self->unit == FEN_UNIT_SHARE || self->unit == FEN_UNIT_RATE
         || self->unit == FEN_UNIT_WATTS || fen_stack_total (self->stack) != NULL;
}

static void
fit_linear (FenChart *self, FenFrame *frame, Range range)
{
  gboolean from_zero = begins_at_zero (self) && range.min >= 0 && range.max > 0;
  if (from_zero)
    range.min = 0;
  if (self->unit == FEN_UNIT_SHARE && from_zero && range.max <= 1)
    range.max = 1;
  double size = MAX (fabs (range.min), fabs (range.max));
  if (range.max - range.min <= 1e-12 * size)
    {
      double half = size > 0 ? size * 0.1 : 1;
      range.min -= half;
      range.max += half;
    }
  double margin = (range.max - range.min) * MARGIN;
  frame->y_min = from_zero ? 0 : range.min - margin;
  frame->y_max = range.max + margin;
}

static void
fit_log (FenFrame *frame, Range range)
{
  double low = log10 (range.min), high = log10 (range.max);
  double margin = high - low > 1e-9 ? (high - low) * MARGIN : 0.1;
  frame->y_min = low - margin;
  frame->y_max = high + margin;
}

void
fen_chart_fit (FenChart *self, FenFrame *frame, gboolean *hidden)
{
  Range range = range_of_all (self, frame->x_min, frame->x_max);
  gboolean empty = range.min > range.max;
  if (hidden != NULL)
    *hidden = range.hidden;
  range.min = empty ? 0 : CLAMP (range.min, -LARGEST, LARGEST);
  range.max = empty ? 1 : CLAMP (range.max, -LARGEST, LARGEST);
  frame->log = self->log_scale && !empty;
  if (frame->log)
    fit_log (frame, range);
  else
    fit_linear (self, frame, range);
}

/* ---- words ---- */

char *
fen_chart_describe (FenChart *self)
{
  g_autoptr (GString) text = g_string_new (NULL);
  double x_min, x_max, min, max;
  gsize first, end;
  fen_chart_group_get_shown (self->group, &x_min, &x_max);
  for (guint i = 0; i < self->items->len; i++)
    {
      const FenChartItem *item = fen_chart_item (self, i);
      fen_chart_seen (self, item->series, x_min, x_max, &first, &end);
      if (!item->visible || !fen_series_min_max (item->series, first, end, &min, &max))
        continue;
      g_autofree char *last = fen_unit_format (self->unit, fen_series_y (item->series, end - 1));
      g_autofree char *least = fen_unit_format (self->unit, min);
      g_autofree char *most = fen_unit_format (self->unit, max);
      if (text->len > 0)
        /* TRANSLATORS: between what is said about two curves of a chart */
        g_string_append (text, _ ("; "));
      /* TRANSLATORS: a curve's name and its values, for people who cannot see the chart */
      g_string_append_printf (text, _ ("%s: last %s, minimum %s, maximum %s"), item->name, last, least, most);
    }
  if (text->len == 0)
    return g_strdup (_ ("No values yet"));
  for (guint i = 0; i < self->levels->len; i++)
    {
      const FenLevel *level = &g_array_index (self->levels, FenLevel, i);
      g_autofree char *value = fen_unit_format (self->unit, level->value);
      g_string_append (text, _ ("; "));
      g_string_append_printf (text, _ ("%s: %s"), level->name, value);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static char *
value_at (FenChart *self, const FenChartItem *item, gsize index)
{
  double y = fen_series_y (item->series, index);
  g_autofree char *value = fen_unit_format (self->unit, y);
  if (item->smoothed == NULL || fen_chart_group_get_smoothing (self->group) == 0
      || index >= fen_series_length (fen_smoothed_series (item->smoothed)))
    return g_steal_pointer (&value);
  g_autofree char *smooth
      = fen_unit_format (self->unit, fen_series_y (fen_smoothed_series (item->smoothed), index));
  /* TRANSLATORS: a value and, in brackets, the smoothed one */
  return g_strdup_printf (_ ("%s (smoothed %s)"), value, smooth);
}

char *
fen_chart_item_value (FenChart *self, const FenChartItem *item)
{
  FenAxis axis = fen_chart_group_get_axis (self->group);
  double cursor = fen_chart_group_get_cursor (self->group), x_min, x_max;
  gsize index = fen_series_length (item->series);
  if (index == 0)
    return fen_unit_format (self->unit, NAN);
  if (!fen_series_nearest (item->series, axis, cursor, &index))
    return value_at (self, item, index - 1);
  g_autofree char *value = value_at (self, item, index);
  double place = fen_series_x (item->series, axis, index);
  fen_chart_group_get_shown (self->group, &x_min, &x_max);
  /* A curve with few points: its nearest one may be far from the cursor, and then says where it is. */
  if (fabs (place - cursor) <= 0.01 * (x_max - x_min))
    return g_steal_pointer (&value);
  g_autofree char *where = fen_axis_format (axis, place);
  /* TRANSLATORS: a value and the place (step, time) where it was measured */
  return g_strdup_printf (_ ("%s at %s"), value, where);
}

char *
fen_chart_values_text (FenChart *self)
{
  FenAxis axis = fen_chart_group_get_axis (self->group);
  double cursor = fen_chart_group_get_cursor (self->group);
  g_autoptr (GString) text = g_string_new (NULL);
  if (!isnan (cursor))
    {
      g_autofree char *place = fen_axis_format (axis, cursor);
      g_string_append_printf (text, _ ("%s %s"), fen_axis_title (axis), place);
    }
  for (guint i = 0; i < self->items->len; i++)
    {
      const FenChartItem *item = fen_chart_item (self, i);
      if (!item->visible)
        continue;
      g_autofree char *value = fen_chart_item_value (self, item);
      if (text->len > 0)
        g_string_append_c (text, '\n');
      g_string_append_printf (text, _ ("%s: %s"), item->name, value);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

char *
fen_chart_markers_near (FenChart *self, double place, double reach)
{
  FenAxis axis = fen_chart_group_get_axis (self->group);
  g_autoptr (GString) text = g_string_new (NULL);
  guint n = 0;
  for (guint i = 0; i < self->markers->len; i++)
    {
      const FenMarker *marker = &g_array_index (self->markers, FenMarker, i);
      if (!(fabs (marker->x[axis] - place) <= reach) || n++ >= MOST_MARKERS)
        continue;
      if (text->len > 0)
        g_string_append_c (text, '\n');
      g_string_append (text, marker->text);
    }
  if (n == 0)
    return NULL;
  if (n > MOST_MARKERS)
    {
      g_string_append_c (text, '\n');
      g_string_append_printf (text, ngettext ("and %u more", "and %u more", n - MOST_MARKERS),
                              n - MOST_MARKERS);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* ---- the cursor ---- */

double
fen_chart_neighbour (FenChart *self, double from, int direction)
{
  FenAxis axis = fen_chart_group_get_axis (self->group);
  double best = NAN;
  for (guint i = 0; i < self->items->len; i++)
    {
      const FenChartItem *item = fen_chart_item (self, i);
      if (!item->visible)
        continue;
      gsize length = fen_series_length (item->series);
      gsize at = direction > 0 ? fen_series_upper_bound (item->series, axis, from)
                               : fen_series_lower_bound (item->series, axis, from);
      if (direction > 0 ? at == length : at == 0)
        continue;
      double place = fen_series_x (item->series, axis, direction > 0 ? at : at - 1);
      if (isnan (best) || (direction > 0 ? place < best : place > best))
        best = place;
    }
  return best;
}

double
fen_chart_snap (FenChart *self, double place)
{
  FenAxis axis = fen_chart_group_get_axis (self->group);
  double best = NAN;
  gsize index;
  for (guint i = 0; i < self->items->len; i++)
    {
      const FenChartItem *item = fen_chart_item (self, i);
      if (!item->visible || !fen_series_nearest (item->series, axis, place, &index))
        continue;
      double at = fen_series_x (item->series, axis, index);
      if (isnan (best) || fabs (at - place) < fabs (best - place))
        best = at;
    }
  return best;
}
