/* chart-stage.h: a chart in a window, and what was drawn where. Shared by the chart's test programs. */
#pragma once

#include "gui/chart/fen-chart-private.h"
#include "tests/gui/fen-gui-test.h"

G_BEGIN_DECLS

typedef struct {
  GtkWidget *window;
  FenChartGroup *group;
  FenChart *chart;
  FenPlot *plot;
} Stage;

static inline void
stage_init (Stage *stage, FenUnit unit)
{
  stage->window = NULL;
  stage->group = fen_chart_group_new ();
  stage->chart = fen_chart_new ("Loss", unit, stage->group);
  stage->plot = FEN_PLOT (stage->chart->plot);
}

/* Until the plot has drawn anew and the group has nothing more to say. */
static inline void
stage_settle (Stage *stage)
{
  for (guint i = 0; i < 2; i++)
    {
      guint drawn = fen_plot_get_n_drawn (stage->plot);
      fen_plot_queue (stage->plot, FALSE);
      fen_gui_wait (fen_plot_get_n_drawn (stage->plot) > drawn, 5000);
    }
}

static inline void
stage_show (Stage *stage)
{
  stage->window = fen_gui_show (GTK_WIDGET (stage->chart), 600, 400);
  stage_settle (stage);
}

/* Nothing of it may live on. */
static inline void
stage_clear (Stage *stage)
{
  fen_gui_destroy (stage->window);
  fen_gui_assert_finalized (stage->group);
}

static inline void
append (FenSeries *series, double step, double y)
{
  const double x[FEN_N_AXES] = { step, step * 100, step / 10, 1.7e9 + step / 10 };
  fen_series_append (series, x, y);
}

/* Is there ink of about this colour within `reach` pixels of x, y? */
static inline gboolean
stage_has_ink (GdkTexture *texture, const GdkRGBA *color, double x, double y, int reach)
{
  for (int py = (int)y - reach; py <= (int)y + reach; py++)
    for (int px = (int)x - reach; px <= (int)x + reach; px++)
      {
        if (px < 0 || py < 0 || px >= gdk_texture_get_width (texture)
            || py >= gdk_texture_get_height (texture))
          continue;
        guint32 rgb = fen_gui_pixel (texture, px, py);
        if (fabs (((rgb >> 16) & 255) / 255.0 - color->red) < 0.2
            && fabs (((rgb >> 8) & 255) / 255.0 - color->green) < 0.2
            && fabs ((rgb & 255) / 255.0 - color->blue) < 0.2)
          return TRUE;
      }
  return FALSE;
}

/* Is there ink of this palette colour where the chart has this value? `texture` is of the plot. */
static inline gboolean
stage_ink_at (Stage *stage, GdkTexture *texture, guint color, double place, double value)
{
  FenFrame frame;
  g_assert_true (fen_plot_get_frame (stage->plot, &frame));
  return stage_has_ink (texture, &fen_plot_get_look (stage->plot)->palette[color],
                        fen_frame_x (&frame, place), fen_frame_y (&frame, value), 1);
}

static inline GdkTexture *
stage_render (Stage *stage)
{
  return fen_gui_render (GTK_WIDGET (stage->plot));
}

G_END_DECLS
