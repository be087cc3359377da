/* fen-draw-axes.c: the grid and what stands at it.
 *
 * The plot is not mirrored in right-to-left languages: places run from left to right as curves in books of those
 * languages do; the labels of the values change sides with everything else.
 */
#include "gui/chart/fen-draw-private.h"

#define LABEL_GAP 6.0    /* between the plot and its labels */
#define LABEL_SPACE 18.0 /* at least, between two labels in a row */
#define LINES_A_TICK 2.2 /* line heights for each tick of the y axis */
#define FEWEST 2

double
fen_look_text_width (const FenLook *look, const char *text)
{
  int width;
  g_autoptr (PangoLayout) layout = pango_layout_new (look->context);
  pango_layout_set_text (layout, text, -1);
  pango_layout_get_pixel_size (layout, &width, NULL);
  return width;
}

double
fen_look_line_height (const FenLook *look)
{
  int height;
  g_autoptr (PangoLayout) layout = pango_layout_new (look->context);
  pango_layout_set_text (layout, "0", -1);
  pango_layout_get_pixel_size (layout, NULL, &height);
  return height;
}

void
fen_draw_text (GtkSnapshot *snapshot, const FenLook *look, const char *text, const GdkRGBA *color, double x,
               double y, double across, double down)
{
  int width, height;
  g_autoptr (PangoLayout) layout = pango_layout_new (look->context);
  pango_layout_set_text (layout, text, -1);
  pango_layout_get_pixel_size (layout, &width, &height);
  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (
      snapshot, &GRAPHENE_POINT_INIT ((float)round (x - across * width), (float)round (y - down * height)));
  gtk_snapshot_append_layout (snapshot, layout, color);
  gtk_snapshot_restore (snapshot);
}

double
fen_ticks_width (const GArray *ticks, const FenLook *look)
{
  double width = 0;
  for (guint i = 0; i < ticks->len; i++)
    width = MAX (width, fen_look_text_width (look, g_array_index (ticks, FenTick, i).label));
  return width;
}

GArray *
fen_frame_y_ticks (const FenFrame *frame, const FenLook *look, FenUnit unit)
{
  guint most = (guint)MAX (FEWEST, frame->height / (LINES_A_TICK * fen_look_line_height (look)));
  if (frame->log)
    return fen_ticks_log (unit, pow (10, frame->y_min), pow (10, frame->y_max), most);
  return fen_ticks_linear (unit, frame->y_min, frame->y_max, most);
}

/* As many as have room side by side. */
GArray *
fen_frame_x_ticks (const FenFrame *frame, const FenLook *look, FenAxis axis)
{
  guint most = (guint)MAX (FEWEST, frame->width / 50);
  for (;;)
    {
      GArray *ticks = fen_ticks_place (axis, frame->x_min, frame->x_max, most);
      double need = ticks->len * (fen_ticks_width (ticks, look) + LABEL_SPACE);
      if (need <= frame->width || most <= FEWEST)
        return ticks;
      most = MAX (FEWEST, MIN (most, ticks->len) - 1);
      g_array_unref (ticks);
    }
}

/* One device pixel, on the pixels' grid. */
static double
crisp (const FenFrame *frame, double at)
{
  return floor (at / frame->pixel) * frame->pixel;
}

void
fen_draw_grid (GtkSnapshot *snapshot, const FenFrame *frame, const FenLook *look, const GArray *x_ticks,
               const GArray *y_ticks)
{
  GdkRGBA color = look->foreground;
  color.alpha *= (float)look->grid_alpha;
  for (guint i = 0; i < x_ticks->len; i++)
    fen_draw_box (snapshot, &color,
                  crisp (frame, fen_frame_x (frame, g_array_index (x_ticks, FenTick, i).value)), frame->top,
                  frame->pixel, frame->height);
  for (guint i = 0; i < y_ticks->len; i++)
    fen_draw_box (snapshot, &color, frame->left,
                  crisp (frame, fen_frame_y (frame, g_array_index (y_ticks, FenTick, i).value)), frame->width,
                  frame->pixel);
  color.alpha = MIN (1, color.alpha * 3);
  fen_draw_box (snapshot, &color, frame->left, crisp (frame, frame->top + frame->height), frame->width,
                frame->pixel);
}

void
fen_draw_labels (GtkSnapshot *snapshot, const FenFrame *frame, const FenLook *look, const GArray *x_ticks,
                 const GArray *y_ticks)
{
  double right = frame->left + frame->width, bottom = frame->top + frame->height;
  for (guint i = 0; i < y_ticks->len; i++)
    {
      const FenTick *tick = &g_array_index (y_ticks, FenTick, i);
      fen_draw_text (snapshot, look, tick->label, &look->foreground,
                     look->rtl ? right + LABEL_GAP : frame->left - LABEL_GAP,
                     fen_frame_y (frame, tick->value), look->rtl ? 0 : 1, 0.5);
    }
  for (guint i = 0; i < x_ticks->len; i++)
    {
      const FenTick *tick = &g_array_index (x_ticks, FenTick, i);
      double half = fen_look_text_width (look, tick->label) / 2;
      double x = CLAMP (fen_frame_x (frame, tick->value), frame->left + half,
                        MAX (right - half, frame->left + half));
      fen_draw_text (snapshot, look, tick->label, &look->foreground, x, bottom + LABEL_GAP / 2, 0.5, 0);
    }
}
