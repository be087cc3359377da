/* fen-picture.c: a chart as a PNG: title, legend and plot, as they are on the screen now, at any size.
 *
 * Drawn by the cairo renderer, which needs no display of its own, so that a picture is the same whatever the window is
 * drawn with.
 */
#include "core/base/fen-io.h"
#include "gui/chart/fen-chart-private.h"
#include "gui/chart/fen-export-private.h"

#include <gio/gio.h>
#include <glib/gi18n.h>

#define EDGE 12.0 /* logical pixels around everything */
#define GAP 8.0
#define LEAST 16
#define MOST 16384

/* The visible curves' samples and names in rows; returns where the rows end. */
static double
draw_legend (FenChart *self, GtkSnapshot *snapshot, const FenLook *look, double y, double width, double pixel)
{
  double line = fen_look_line_height (look), x = EDGE;
  gboolean any = FALSE;
  for (guint i = 0; i < self->items->len; i++)
    {
      const FenChartItem *item = fen_chart_item (self, i);
      if (!item->visible)
        continue;
      double need = FEN_SAMPLE_WIDTH + GAP + fen_look_text_width (look, item->name);
      if (x > EDGE && x + need > width - EDGE)
        {
          x = EDGE;
          y += line + GAP / 2;
        }
      double at = look->rtl ? width - x - need : x;
      fen_chart_draw_sample (item, snapshot, look, look->rtl ? at + need - FEN_SAMPLE_WIDTH : at,
                             y + line / 2, pixel);
      fen_draw_text (snapshot, look, item->name, &look->foreground,
                     look->rtl ? at : at + FEN_SAMPLE_WIDTH + GAP, y, 0, 0);
      x += need + 2 * GAP;
      any = TRUE;
    }
  return any ? y + line + GAP : y;
}

GdkTexture *
fen_chart_render (FenChart *self, double width, double height, double scale, GError **error)
{
  const FenLook *look = fen_plot_get_look (FEN_PLOT (self->plot));
  g_autoptr (GtkSnapshot) snapshot = gtk_snapshot_new ();
  g_autoptr (GskRenderer) renderer = gsk_cairo_renderer_new ();
  FenFrame frame;
  if (!gsk_renderer_realize (renderer, NULL, error))
    return NULL;
  fen_chart_refresh (self);
  gtk_snapshot_scale (snapshot, (float)scale, (float)scale);
  fen_draw_box (snapshot, &look->background, 0, 0, width, height);
  fen_draw_text (snapshot, look, self->title, &look->foreground, look->rtl ? width - EDGE : EDGE, EDGE,
                 look->rtl ? 1 : 0, 0);
  double y = draw_legend (self, snapshot, look, EDGE + fen_look_line_height (look) + GAP, width, 1 / scale);
  gtk_snapshot_save (snapshot);
  /* On whole pixels: the curves' columns are. */
  gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT ((float)EDGE, (float)ceil (y)));
  fen_chart_draw (self, snapshot, look, MAX (LEAST, width - 2 * EDGE), MAX (LEAST, height - ceil (y) - EDGE),
                  1 / scale, 0, &frame);
  fen_chart_draw_cursor (self, snapshot, look, &frame);
  gtk_snapshot_restore (snapshot);
  g_autoptr (GskRenderNode) node = gtk_snapshot_free_to_node (g_steal_pointer (&snapshot));
  GdkTexture *texture = gsk_renderer_render_texture (
      renderer, node, &GRAPHENE_RECT_INIT (0, 0, (float)(width * scale), (float)(height * scale)));
  gsk_renderer_unrealize (renderer);
  return texture;
}

static gboolean
save (gpointer texture, const char *path, GCancellable *cancellable, GError **error)
{
  g_autoptr (GBytes) bytes = gdk_texture_save_to_png_bytes (texture);
  return fen_io_write_file (path, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), error);
}

gboolean
fen_chart_export_png (FenChart *self, const char *path, int width, int height, GError **error)
{
  g_return_val_if_fail (FEN_IS_CHART (self) && path != NULL, FALSE);
  g_autoptr (GdkTexture) texture
      = fen_chart_render (self, CLAMP (width, LEAST, MOST), CLAMP (height, LEAST, MOST), 1, error);
  return texture != NULL && save (texture, path, NULL, error);
}

void
fen_chart_export_png_async (FenChart *self, const char *path, GCancellable *cancellable,
                            GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  GError *error = NULL;
  int width = MAX (gtk_widget_get_width (GTK_WIDGET (self)), 480);
  int height = MAX (gtk_widget_get_height (GTK_WIDGET (self)), 270);
  /* Twice as fine as the screen: it goes into a report. */
  GdkTexture *texture = fen_chart_render (self, width, height, 2, &error);
  g_task_set_source_tag (task, fen_chart_export_png_async);
  if (texture == NULL)
    g_task_return_error (task, error);
  else
    fen_export_run (task, path, texture, g_object_unref, save);
}

gboolean
fen_chart_export_png_finish (FenChart *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}
