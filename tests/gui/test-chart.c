/* A chart as a person meets it: what is drawn, what it says, what keys and pointer do. */
#include "gui/chart/fen-chart-private.h"

#include <adwaita.h>
#include <locale.h>
#include <math.h>

/* ---- helpers ---- */

typedef struct {
  GtkWidget *window;
  FenChartGroup *group;
  FenChart *chart;
  FenPlot *plot;
} Stage;

static void
set_true (gpointer data)
{
  *(gboolean *)data = TRUE;
}

static void
wait_ms (guint ms)
{
  gboolean done = FALSE;
  g_timeout_add_once (ms, set_true, &done);
  while (!done)
    g_main_context_iteration (NULL, TRUE);
}

/* Until the plot has drawn what it was asked to. */
static void
wait_drawn (Stage *stage, guint more_than)
{
  gint64 end = g_get_monotonic_time () + 5 * G_TIME_SPAN_SECOND;
  while (fen_plot_get_n_drawn (stage->plot) <= more_than && g_get_monotonic_time () < end)
    g_main_context_iteration (NULL, FALSE);
  g_assert_cmpuint (fen_plot_get_n_drawn (stage->plot), >, more_than);
}

static void
settle (Stage *stage)
{
  guint drawn = fen_plot_get_n_drawn (stage->plot);
  fen_plot_queue (stage->plot, FALSE);
  wait_drawn (stage, drawn);
  wait_ms (60); /* what the frame asked of the group, too */
}

static void
stage_init (Stage *stage, FenUnit unit)
{
  stage->group = fen_chart_group_new ();
  stage->chart = fen_chart_new ("Loss", unit, stage->group);
  stage->plot = FEN_PLOT (stage->chart->plot);
  stage->window = gtk_window_new ();
  gtk_window_set_default_size (GTK_WINDOW (stage->window), 600, 400);
  gtk_window_set_child (GTK_WINDOW (stage->window), GTK_WIDGET (stage->chart));
}

static void
stage_show (Stage *stage)
{
  gtk_window_present (GTK_WINDOW (stage->window));
  wait_drawn (stage, 0);
  settle (stage);
}

/* Nothing of it may live on. */
static void
stage_clear (Stage *stage)
{
  g_object_add_weak_pointer (G_OBJECT (stage->chart), (gpointer *)&stage->chart);
  g_object_add_weak_pointer (G_OBJECT (stage->plot), (gpointer *)&stage->plot);
  gtk_window_destroy (GTK_WINDOW (stage->window));
  for (guint i = 0; i < 50 && stage->chart != NULL; i++)
    wait_ms (10);
  g_assert_null (stage->chart);
  g_assert_null (stage->plot);
  g_assert_finalize_object (stage->group);
}

static void
append (FenSeries *series, double step, double y)
{
  const double x[FEN_N_AXES] = { step, step * 100, step / 10, 1.7e9 + step / 10 };
  fen_series_append (series, x, y);
}

/* ---- pixels ---- */

typedef struct {
  int width, height;
  guint32 *pixels; /* premultiplied ARGB */
} Picture;

static void
picture_clear (Picture *picture)
{
  g_free (picture->pixels);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Picture, picture_clear)

static Picture
take_picture (Stage *stage)
{
  Picture picture;
  g_autoptr (GdkPaintable) paintable = gtk_widget_paintable_new (GTK_WIDGET (stage->plot));
  g_autoptr (GtkSnapshot) snapshot = gtk_snapshot_new ();
  picture.width = gtk_widget_get_width (GTK_WIDGET (stage->plot));
  picture.height = gtk_widget_get_height (GTK_WIDGET (stage->plot));
  gdk_paintable_snapshot (paintable, snapshot, picture.width, picture.height);
  g_autoptr (GskRenderNode) node = gtk_snapshot_free_to_node (g_steal_pointer (&snapshot));
  GskRenderer *renderer = gtk_native_get_renderer (gtk_widget_get_native (GTK_WIDGET (stage->plot)));
  g_autoptr (GdkTexture) texture = gsk_renderer_render_texture (
      renderer, node, &GRAPHENE_RECT_INIT (0, 0, picture.width, picture.height));
  picture.pixels = g_new0 (guint32, (gsize)picture.width * picture.height);
  gdk_texture_download (texture, (guchar *)picture.pixels, (gsize)picture.width * 4);
  return picture;
}

/* Is there ink of about this colour within a pixel of x, y? */
static gboolean
has_ink (const Picture *picture, const GdkRGBA *color, double x, double y, int reach)
{
  for (int py = (int)y - reach; py <= (int)y + reach; py++)
    for (int px = (int)x - reach; px <= (int)x + reach; px++)
      {
        if (px < 0 || py < 0 || px >= picture->width || py >= picture->height)
          continue;
        guint32 argb = picture->pixels[py * picture->width + px];
        double alpha = (argb >> 24) / 255.0;
        if (alpha > 0.5 && fabs (((argb >> 16) & 255) / 255.0 / alpha - color->red) < 0.15
            && fabs (((argb >> 8) & 255) / 255.0 / alpha - color->green) < 0.15
            && fabs ((argb & 255) / 255.0 / alpha - color->blue) < 0.15)
          return TRUE;
      }
  return FALSE;
}

/* Where a value of the chart is in the picture. */
static gboolean
ink_at (Stage *stage, const Picture *picture, guint color, double place, double value)
{
  FenFrame frame;
  g_assert_true (fen_plot_get_frame (stage->plot, &frame));
  return has_ink (picture, &fen_plot_get_look (stage->plot)->palette[color], fen_frame_x (&frame, place),
                  fen_frame_y (&frame, value), 1);
}

/* ---- tests ---- */

static void
test_life (void)
{
  Stage stage;
  g_autoptr (FenSeries) series = fen_series_new ();
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "train", series, FEN_CHART_SMOOTHED, 0);
  g_assert_cmpstr (fen_chart_get_title (stage.chart), ==, "Loss");
  stage_show (&stage);
  stage_clear (&stage);

  /* Never shown. */
  FenChart *chart = fen_chart_new ("Loss", FEN_UNIT_NUMBER, NULL);
  g_object_ref_sink (chart);
  fen_chart_data_changed (chart);
  g_assert_finalize_object (chart);
}

static void
test_spike (void)
{
  Stage stage;
  g_autoptr (FenSeries) series = fen_series_new ();
  for (guint i = 0; i < 1000000; i++)
    append (series, i, i == 654321 ? 10 : 1);
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "train", series, FEN_CHART_LINE, 0);
  stage_show (&stage);
  g_auto (Picture) picture = take_picture (&stage);
  g_assert_true (ink_at (&stage, &picture, 0, 654321, 9.9));
  g_assert_true (ink_at (&stage, &picture, 0, 654321, 5));
  g_assert_true (ink_at (&stage, &picture, 0, 300000, 1));
  g_assert_false (ink_at (&stage, &picture, 0, 300000, 5));
  stage_clear (&stage);
}

int
main (int argc, char *argv[])
{
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, NULL);
  adw_init ();
  g_test_add_func ("/chart/life", test_life);
  g_test_add_func ("/chart/spike", test_spike);
  return g_test_run ();
}
