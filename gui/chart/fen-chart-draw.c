/* fen-chart-draw.c: a chart's layers, from the back to the front: grid, areas, lines, levels, markers, cursor. */
#include "gui/chart/fen-chart-private.h"

#include <glib/gi18n.h>

#define LABEL_ROOM 8.0  /* between the widest label and the edge */
#define LINE_WIDTH 2.0  /* covers a whole row of pixels wherever it is */
#define THICK_WIDTH 2.5 /* smoothed lines */
#define TOP_ROOM 10.0   /* for the markers' heads and half a label */
#define HEAD 4.0        /* half the size of a marker's head */
#define CURSOR_DISC 3.5

FenPen
fen_chart_item_pen (const FenChartItem *item, const FenLook *look)
{
  return (FenPen){ look->palette[item->color % FEN_N_COLORS],
                   item->style == FEN_CHART_SMOOTHED ? THICK_WIDTH : LINE_WIDTH, item->dash };
}

void
fen_chart_draw_sample (const FenChartItem *item, GtkSnapshot *snapshot, const FenLook *look, double x,
                       double middle, double pixel)
{
  FenPen pen = fen_chart_item_pen (item, look);
  FenFrame frame = { .pixel = pixel };
  double top = middle - FEN_SAMPLE_HEIGHT / 2.0;
  if (item->style == FEN_CHART_STACKED)
    {
      GdkRGBA fill = pen.color;
      fill.alpha *= (float)look->area_alpha;
      fen_draw_box (snapshot, &fill, x, top, FEN_SAMPLE_WIDTH, FEN_SAMPLE_HEIGHT);
      fen_draw_box (snapshot, &pen.color, x, top, FEN_SAMPLE_WIDTH, 1.5);
      return;
    }
  for (double along = 0; along < FEN_SAMPLE_WIDTH; along += pixel)
    if (fen_dash_is_on (pen.dash, along))
      fen_draw_box (snapshot, &pen.color, x + along, middle - pen.width / 2, pixel, pen.width);
  if (item->style == FEN_CHART_POINTS)
    fen_draw_disc (snapshot, &frame, &pen.color, x + FEN_SAMPLE_WIDTH / 2.0, middle, 3);
}

static void
draw_item (FenChart *self, GtkSnapshot *snapshot, const FenLook *look, const FenFrame *frame,
           const FenChartItem *item)
{
  FenAxis axis = fen_chart_group_get_axis (self->group);
  FenPen pen = fen_chart_item_pen (item, look);
  if (item->style == FEN_CHART_SMOOTHED && fen_chart_group_get_smoothing (self->group) > 0)
    {
      FenPen faint = { pen.color, 1, FEN_DASH_SOLID };
      faint.color.alpha *= (float)look->faint_alpha;
      fen_draw_line (snapshot, frame, item->series, axis, &faint);
      fen_draw_line (snapshot, frame, fen_smoothed_series (item->smoothed), axis, &pen);
      return;
    }
  fen_draw_line (snapshot, frame, item->series, axis, &pen);
  if (item->style == FEN_CHART_POINTS)
    fen_draw_points (snapshot, frame, item->series, axis, &pen.color);
}

static void
draw_stack (FenChart *self, GtkSnapshot *snapshot, const FenLook *look, const FenFrame *frame)
{
  g_autofree GdkRGBA *colors = g_new (GdkRGBA, self->items->len + 1);
  guint n = 0;
  for (guint i = 0; i < self->items->len; i++)
    {
      const FenChartItem *item = fen_chart_item (self, i);
      if (item->style == FEN_CHART_STACKED && item->visible)
        colors[n++] = look->palette[item->color % FEN_N_COLORS];
    }
  /* Visibility changed since the last refresh: the next frame has both. */
  if (n == fen_stack_n_parts (self->stack))
    fen_draw_stack (snapshot, frame, self->stack, fen_chart_group_get_axis (self->group), colors,
                    look->area_alpha);
}

/* Is there room for a label whose top is here, among those that stand already? */
static gboolean
has_room (const GArray *tops, double top, double line, const FenFrame *frame)
{
  if (top < frame->top || top + line > frame->top + frame->height)
    return FALSE;
  for (guint i = 0; i < tops->len; i++)
    if (fabs (g_array_index (tops, double, i) - top) < line)
      return FALSE;
  return TRUE;
}

/* Above its line when there is room, below otherwise; a label that has none is left out, its line is not. */
static void
draw_level_label (FenChart *self, GtkSnapshot *snapshot, const FenLook *look, const FenFrame *frame,
                  const FenLevel *level, double y, GArray *tops)
{
  double line = fen_look_line_height (look), top = y - line - 1;
  if (!has_room (tops, top, line, frame))
    top = y + 2;
  if (!has_room (tops, top, line, frame))
    return;
  g_array_append_val (tops, top);
  g_autofree char *value = fen_unit_format (self->unit, level->value);
  /* TRANSLATORS: the name of a line across a chart and its value, such as "Planned: 3.2 GiB" */
  g_autofree char *text = g_strdup_printf (_ ("%s: %s"), level->name, value);
  fen_draw_text (snapshot, look, text, &look->foreground,
                 look->rtl ? frame->left + 3 : frame->left + frame->width - 3, top, look->rtl ? 0 : 1, 0);
}

static void
draw_levels (FenChart *self, GtkSnapshot *snapshot, const FenLook *look, const FenFrame *frame)
{
  double right = frame->left + frame->width;
  g_autoptr (GArray) tops = g_array_new (FALSE, FALSE, sizeof (double));
  for (guint i = 0; i < self->levels->len; i++)
    {
      const FenLevel *level = &g_array_index (self->levels, FenLevel, i);
      double y = fen_frame_y (frame, level->value);
      if (y < frame->top || y > frame->top + frame->height)
        continue;
      y = floor (y / frame->pixel) * frame->pixel;
      for (double x = frame->left; x < right; x += 9)
        fen_draw_box (snapshot, &look->foreground, x, y, MIN (5, right - x), 1);
      draw_level_label (self, snapshot, look, frame, level, y, tops);
    }
}

/* Kinds differ in shape: checkpoint a square, resume a triangle, warning a cross, settings a diamond. */
static void
draw_head (GtkSnapshot *snapshot, const FenFrame *frame, FenMarkerKind kind, const GdkRGBA *color, double x,
           double y)
{
  for (double row = -HEAD; row < HEAD; row += frame->pixel)
    {
      double half = HEAD;
      if (kind == FEN_MARKER_RESUME)
        half = (HEAD - row) / 2;
      else if (kind == FEN_MARKER_SETTINGS)
        half = HEAD - fabs (row);
      if (kind == FEN_MARKER_WARNING)
        {
          double at = fabs (row);
          fen_draw_box (snapshot, color, x - at - 1, y + row, 2, frame->pixel);
          fen_draw_box (snapshot, color, x + at - 1, y + row, 2, frame->pixel);
        }
      else
        fen_draw_box (snapshot, color, x - half, y + row, 2 * half, frame->pixel);
    }
}

static void
draw_markers (FenChart *self, GtkSnapshot *snapshot, const FenLook *look, const FenFrame *frame)
{
  FenAxis axis = fen_chart_group_get_axis (self->group);
  double last_line[4] = { -INFINITY, -INFINITY, -INFINITY, -INFINITY }, last_head[4];
  memcpy (last_head, last_line, sizeof last_line);
  for (guint i = 0; i < self->markers->len; i++)
    {
      const FenMarker *marker = &g_array_index (self->markers, FenMarker, i);
      double x = fen_frame_x (frame, marker->x[axis]);
      /* Ten thousand checkpoints: no more than can be told apart. */
      if (!(x >= frame->left && x <= frame->left + frame->width) || fabs (x - last_line[marker->kind]) < 2)
        continue;
      GdkRGBA color = marker->kind == FEN_MARKER_WARNING ? look->warning : look->foreground;
      GdkRGBA line = color;
      line.alpha *= (float)look->faint_alpha;
      x = floor (x / frame->pixel) * frame->pixel;
      fen_draw_box (snapshot, &line, x, frame->top, 1, frame->height);
      last_line[marker->kind] = x;
      if (fabs (x - last_head[marker->kind]) < 2 * HEAD + 2)
        continue;
      draw_head (snapshot, frame, marker->kind, &color, x + 0.5, frame->top - HEAD - 1);
      last_head[marker->kind] = x;
    }
}

/* Says in the plot why there is nothing, or not everything, to see. */
static void
draw_note (FenChart *self, GtkSnapshot *snapshot, const FenLook *look, const FenFrame *frame, gboolean hidden)
{
  double min, max;
  const char *text = NULL;
  if (!fen_chart_extent (self, &min, &max))
    text = _ ("No values yet");
  else if (hidden)
    text = _ ("Values of zero and less are not on a logarithmic scale");
  if (text != NULL)
    fen_draw_text (snapshot, look, text, &look->foreground, frame->left + frame->width / 2,
                   hidden ? frame->top + frame->height - 2 : frame->top + frame->height / 2, 0.5,
                   hidden ? 1 : 0.5);
}

/* ---- all of it ---- */

static void
lay_out (FenChart *self, const FenLook *look, double width, double height, double pixel, double gutter,
         FenFrame *frame)
{
  double line = fen_look_line_height (look);
  fen_chart_group_get_shown (self->group, &frame->x_min, &frame->x_max);
  frame->pixel = pixel;
  frame->left = look->rtl ? 1 : ceil (gutter);
  frame->top = MAX (TOP_ROOM, ceil (line / 2));
  frame->width = MAX (1, floor (width - ceil (gutter) - 1));
  frame->height = MAX (1, floor (height - frame->top - line - 4));
}

double
fen_chart_gutter (FenChart *self, const FenLook *look, double height)
{
  FenFrame frame;
  lay_out (self, look, 1000, height, 1, 0, &frame);
  fen_chart_fit (self, &frame, NULL);
  g_autoptr (GArray) ticks = fen_frame_y_ticks (&frame, look, self->unit);
  return ceil (fen_ticks_width (ticks, look) + LABEL_ROOM);
}

void
fen_chart_draw (FenChart *self, GtkSnapshot *snapshot, const FenLook *look, double width, double height,
                double pixel, double gutter, FenFrame *frame)
{
  gboolean hidden;
  if (gutter == 0)
    gutter = fen_chart_gutter (self, look, height);
  lay_out (self, look, width, height, pixel, gutter, frame);
  fen_chart_fit (self, frame, &hidden);
  g_autoptr (GArray) y_ticks = fen_frame_y_ticks (frame, look, self->unit);
  g_autoptr (GArray) x_ticks = fen_frame_x_ticks (frame, look, fen_chart_group_get_axis (self->group));
  fen_draw_grid (snapshot, frame, look, x_ticks, y_ticks);
  fen_draw_labels (snapshot, frame, look, x_ticks, y_ticks);
  draw_stack (self, snapshot, look, frame);
  for (guint i = 0; i < self->items->len; i++)
    {
      const FenChartItem *item = fen_chart_item (self, i);
      if (item->visible && item->style != FEN_CHART_STACKED)
        draw_item (self, snapshot, look, frame, item);
    }
  draw_levels (self, snapshot, look, frame);
  draw_markers (self, snapshot, look, frame);
  draw_note (self, snapshot, look, frame, hidden);
}

void
fen_chart_draw_cursor (FenChart *self, GtkSnapshot *snapshot, const FenLook *look, const FenFrame *frame)
{
  FenAxis axis = fen_chart_group_get_axis (self->group);
  double cursor = fen_chart_group_get_cursor (self->group);
  gsize index;
  double x = fen_frame_x (frame, cursor);
  if (!(x >= frame->left && x <= frame->left + frame->width))
    return;
  fen_draw_box (snapshot, &look->foreground, floor (x / frame->pixel) * frame->pixel, frame->top, 1,
                frame->height);
  for (guint i = 0; i < self->items->len; i++)
    {
      const FenChartItem *item = fen_chart_item (self, i);
      if (!item->visible || item->style == FEN_CHART_STACKED
          || !fen_series_nearest (item->series, axis, cursor, &index)
          || !isfinite (fen_series_y (item->series, index)))
        continue;
      double at = fen_frame_x (frame, fen_series_x (item->series, axis, index));
      double y = fen_frame_y (frame, fen_series_y (item->series, index));
      if (at < frame->left || at > frame->left + frame->width || y < frame->top
          || y > frame->top + frame->height)
        continue;
      fen_draw_disc (snapshot, frame, &look->background, at, y, CURSOR_DISC + 1);
      fen_draw_disc (snapshot, frame, &look->palette[item->color % FEN_N_COLORS], at, y, CURSOR_DISC);
    }
}
