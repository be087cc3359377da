/* bench-chart: what a chart costs: frames a second while panning and zooming over a million points, the share of a core
 * while data streams in, and bytes a point. Run under a display: tests/gui/headless.sh build/tests/bench/bench-chart.
 *
 * Frames are counted where they happen: the plot counts how often it drew its curves, the frame clock how often the
 * window was painted. A step of the pan is taken only after the last one is on the screen, so the figure is what a
 * person gets, not how fast calls return.
 */
#include "gui/chart/fen-chart-private.h"

#include <adwaita.h>
#include <time.h>

#define POINTS 1000000
#define STREAM_POINTS 100000
#define SECONDS 3.0

typedef struct {
  GtkWidget *window;
  FenChartGroup *group;
  FenChart *chart;
  FenPlot *plot;
} Stage;

static double
now (clockid_t clock)
{
  struct timespec at;
  clock_gettime (clock, &at);
  return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void
append (FenSeries *series, GRand *rand, double i)
{
  const double x[FEN_N_AXES] = { i, i * 768, i * 0.2, 1.7e9 + i * 0.2 };
  fen_series_append (series, x, 2 + 6 * exp (-i / 2e5) + g_rand_double_range (rand, -0.3, 0.3));
}

/* Until the curves were drawn and painted once more. */
static void
next_frame (Stage *stage)
{
  guint drawn = fen_plot_get_n_drawn (stage->plot);
  while (fen_plot_get_n_drawn (stage->plot) == drawn)
    g_main_context_iteration (NULL, TRUE);
}

/* Makes the plot itself, not the whole chart, 1000 by 300. */
static Stage
stage_new (FenSeries *series)
{
  Stage stage;
  stage.group = fen_chart_group_new ();
  stage.chart = fen_chart_new ("Loss", FEN_UNIT_NUMBER, stage.group);
  stage.plot = FEN_PLOT (stage.chart->plot);
  fen_chart_add_series (stage.chart, "train", series, FEN_CHART_SMOOTHED, 0);
  gtk_widget_set_size_request (stage.chart->plot, 1000, 300);
  stage.window = gtk_window_new ();
  gtk_window_set_child (GTK_WINDOW (stage.window), GTK_WIDGET (stage.chart));
  gtk_window_present (GTK_WINDOW (stage.window));
  next_frame (&stage);
  for (gint64 end = g_get_monotonic_time () + G_TIME_SPAN_SECOND / 2; g_get_monotonic_time () < end;)
    g_main_context_iteration (NULL, FALSE);
  g_print ("plot %d x %d, renderer %s\n", gtk_widget_get_width (stage.chart->plot),
           gtk_widget_get_height (stage.chart->plot),
           G_OBJECT_TYPE_NAME (gtk_native_get_renderer (GTK_NATIVE (stage.window))));
  return stage;
}

static void
stage_clear (Stage *stage)
{
  gtk_window_destroy (GTK_WINDOW (stage->window));
  g_object_unref (stage->group);
}

/* One kind of movement; `at` goes from 0 to 1 and again. */
typedef void (*MoveFunc) (FenChartGroup *group, double at);

static void
pan (FenChartGroup *group, double at)
{
  fen_chart_group_set_range (group, at * POINTS / 2, at * POINTS / 2 + POINTS / 2.0);
}

static void
zoom (FenChartGroup *group, double at)
{
  double width = POINTS * pow (1e-4, at);
  fen_chart_group_set_range (group, 0.37 * (POINTS - width), 0.37 * (POINTS - width) + width);
}

static void
move_cursor (FenChartGroup *group, double at)
{
  fen_chart_group_set_cursor (group, at * POINTS);
}

static void
bench_moves (Stage *stage, const char *name, MoveFunc move)
{
  GdkFrameClock *clock = gtk_widget_get_frame_clock (stage->window);
  guint steps = 0;
  gint64 first = gdk_frame_clock_get_frame_counter (clock);
  double start = now (CLOCK_MONOTONIC), cpu = now (CLOCK_PROCESS_CPUTIME_ID), worst = 0, last = start;
  while (now (CLOCK_MONOTONIC) < start + SECONDS)
    {
      gint64 frame = gdk_frame_clock_get_frame_counter (clock);
      move (stage->group, fmod (0.011 * ++steps, 1));
      if (move == move_cursor)
        while (gdk_frame_clock_get_frame_counter (clock) == frame)
          g_main_context_iteration (NULL, TRUE);
      else
        next_frame (stage);
      worst = MAX (worst, now (CLOCK_MONOTONIC) - last);
      last = now (CLOCK_MONOTONIC);
    }
  double took = now (CLOCK_MONOTONIC) - start;
  cpu = now (CLOCK_PROCESS_CPUTIME_ID) - cpu;
  g_print ("%-7s %5.1f frames/s drawn (%.1f painted), %.1f ms of CPU a frame, worst gap %.0f ms\n", name,
           steps / took, (double)(gdk_frame_clock_get_frame_counter (clock) - first) / took,
           cpu / steps * 1e3, worst * 1e3);
}

typedef struct {
  Stage stage;
  FenSeries *series;
  GRand *rand;
  guint n;
} Stream;

/* As a producer of 1,000 samples a second is drained. */
static gboolean
on_batch (gpointer data)
{
  Stream *stream = data;
  for (guint i = 0; i < 100; i++)
    append (stream->series, stream->rand, stream->n++);
  fen_chart_data_changed (stream->stage.chart);
  return G_SOURCE_CONTINUE;
}

static void
bench_stream (GRand *rand)
{
  g_autoptr (FenSeries) series = fen_series_new ();
  Stream stream = { .series = series, .rand = rand };
  while (stream.n < STREAM_POINTS)
    append (series, rand, stream.n++);
  stream.stage = stage_new (series);
  guint timer = g_timeout_add (100, on_batch, &stream);
  guint drawn = fen_plot_get_n_drawn (stream.stage.plot);
  double start = now (CLOCK_MONOTONIC), cpu = now (CLOCK_PROCESS_CPUTIME_ID);
  while (now (CLOCK_MONOTONIC) < start + SECONDS)
    g_main_context_iteration (NULL, TRUE);
  double took = now (CLOCK_MONOTONIC) - start;
  g_print ("stream  %u points, 10 updates/s: %.1f frames/s drawn, %.1f %% of a core\n", STREAM_POINTS,
           (fen_plot_get_n_drawn (stream.stage.plot) - drawn) / took,
           (now (CLOCK_PROCESS_CPUTIME_ID) - cpu) / took * 100);
  g_source_remove (timer);
  stage_clear (&stream.stage);
}

int
main (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  g_autoptr (FenSeries) series = fen_series_new ();
  adw_init ();
  double start = now (CLOCK_PROCESS_CPUTIME_ID);
  for (guint i = 0; i < POINTS; i++)
    append (series, rand, i);
  g_print ("append  %.0f ns a point\n", (now (CLOCK_PROCESS_CPUTIME_ID) - start) / POINTS * 1e9);
  start = now (CLOCK_PROCESS_CPUTIME_ID);
  FenSmoothed *smoothed = fen_smoothed_new (series, 0.9);
  fen_smoothed_update (smoothed);
  g_print ("smooth  %.1f ms for all %u points\n", (now (CLOCK_PROCESS_CPUTIME_ID) - start) * 1e3, POINTS);
  g_print ("memory  %.2f bytes a point, %.2f with its smoothed line\n",
           (double)fen_series_bytes (series) / POINTS,
           (double)(fen_series_bytes (series) + fen_series_bytes (fen_smoothed_series (smoothed))) / POINTS);
  fen_smoothed_free (smoothed);

  Stage stage = stage_new (series);
  bench_moves (&stage, "pan", pan);
  bench_moves (&stage, "zoom", zoom);
  bench_moves (&stage, "cursor", move_cursor);
  stage_clear (&stage);
  bench_stream (rand);
  return 0;
}
