/* bench-live.c: does the window stay alive while samples pour in?
 *
 *   xvfb-run bench-live [--rate N] [--seconds S] [--lines N]
 *
 * A thread writes a run folder's metrics.jsonl as another process would, N lines a second (by default 1,000 and then
 * 200,000); a FenRunSession follows it on its worker, and two charts in a window draw it. Then a finished file of
 * --lines lines (1,000,000) is loaded at once.
 *
 * Measured is one turn of the main loop, from poll's return to the next poll: its longest wall time (what a person
 * feels, other processes' share included) and its longest CPU time (what we are to blame for). Frames are those that
 * the window's frame clock painted.
 */
#include "core/train/fen-metrics.h"
#include "gui/chart/fen-chart.h"
#include "gui/run/fen-run-session.h"

#include "core/base/fen-io.h"

#include <adwaita.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

/* ---- turns of the main loop ---- */

static struct {
  GPollFunc poll;
  gint64 wall_us, cpu_us; /* when poll returned */
  gint64 longest_wall_us, longest_cpu_us, cpu_sum_us;
  guint64 n, n_over_50ms;
} turns;

static gint64
cpu_us (void)
{
  struct timespec now;
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return (gint64)now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

static gint
timed_poll (GPollFD *fds, guint n, gint timeout)
{
  if (turns.wall_us != 0)
    {
      const gint64 wall = g_get_monotonic_time () - turns.wall_us, cpu = cpu_us () - turns.cpu_us;
      turns.longest_wall_us = MAX (turns.longest_wall_us, wall);
      turns.longest_cpu_us = MAX (turns.longest_cpu_us, cpu);
      turns.cpu_sum_us += cpu;
      turns.n_over_50ms += wall > 50000;
      turns.n++;
    }
  const gint result = turns.poll (fds, n, timeout);
  turns.wall_us = g_get_monotonic_time ();
  turns.cpu_us = cpu_us ();
  return result;
}

static void
begin_turns (void)
{
  if (turns.poll == NULL)
    {
      turns.poll = g_main_context_get_poll_func (NULL);
      g_main_context_set_poll_func (NULL, timed_poll);
    }
  turns.longest_wall_us = turns.longest_cpu_us = turns.cpu_sum_us = 0;
  turns.n = turns.n_over_50ms = 0;
}

/* ---- the producer ---- */

typedef struct {
  char *path; /* of metrics.jsonl */
  double rate;
  atomic_bool stop;
  atomic_llong written;
} Producer;

/* A train line as the trainer writes it, without json-glib: 200,000 a second have to be made. */
static void
append_line (GString *text, gint64 step)
{
  g_string_append_printf (text,
                          "{\"v\":1,\"kind\":\"train\",\"time\":%.3f,\"step\":%" G_GINT64_FORMAT
                          ",\"tokens\":%" G_GINT64_FORMAT
                          ",\"loss\":%.5f,\"smoothed_loss\":%.5f,\"grad_norm\":%.4f,\"lr\":0.0003,"
                          "\"tokens_per_s\":%.1f,\"step_us\":1000.0,\"eta_s\":100.0,\"skipped\":0}\n",
                          (double)g_get_real_time () / G_USEC_PER_SEC, step, step * 2048,
                          3 + 4 * exp (-(double)step / 20000) + 0.2 * sin ((double)step), 3.0,
                          1 + 0.5 * cos ((double)step), 20000 + 500 * sin ((double)step / 7));
}

static gpointer
produce (gpointer data)
{
  Producer *producer = data;
  FILE *stream = fopen (producer->path, "a");
  g_autoptr (GString) text = g_string_new (NULL);
  const gint64 begin = g_get_monotonic_time ();
  gint64 step = 0;
  g_assert_nonnull (stream);
  setvbuf (stream, NULL, _IONBF, 0);
  while (!producer->stop)
    {
      const gint64 due
          = (gint64)(producer->rate * (double)(g_get_monotonic_time () - begin) / G_USEC_PER_SEC);
      g_string_truncate (text, 0);
      while (step < due && text->len < (1u << 20))
        append_line (text, ++step);
      fwrite (text->str, 1, text->len, stream);
      producer->written = step;
      g_usleep (1000);
    }
  fclose (stream);
  return NULL;
}

/* ---- the window ---- */

typedef struct {
  FenRunSession *session;
  FenChart *charts[2];
  GtkWidget *window;
  guint64 frames;
} View;

static void
data_changed (FenRunData *data, View *view)
{
  for (int i = 0; i < 2; i++)
    fen_chart_data_changed (view->charts[i]);
}

static void
painted (GdkFrameClock *clock, View *view)
{
  view->frames++;
}

static void
open_view (View *view, const char *path)
{
  g_autoptr (FenChartGroup) group = fen_chart_group_new ();
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  view->session = fen_run_session_new_watch (path);
  FenRunData *data = fen_run_session_get_data (view->session);
  view->charts[0] = fen_chart_new ("Loss", FEN_UNIT_NUMBER, group);
  view->charts[1] = fen_chart_new ("Throughput", FEN_UNIT_RATE, group);
  fen_chart_add_series (view->charts[0], "train", fen_run_data_series (data, FEN_CURVE_LOSS),
                        FEN_CHART_SMOOTHED, 0);
  fen_chart_add_series (view->charts[1], "tokens/s", fen_run_data_series (data, FEN_CURVE_TOKENS_PER_SECOND),
                        FEN_CHART_LINE, 1);
  view->window = gtk_window_new ();
  gtk_window_set_default_size (GTK_WINDOW (view->window), 1024, 700);
  for (int i = 0; i < 2; i++)
    {
      gtk_widget_set_vexpand (GTK_WIDGET (view->charts[i]), TRUE);
      gtk_box_append (GTK_BOX (box), GTK_WIDGET (view->charts[i]));
    }
  gtk_window_set_child (GTK_WINDOW (view->window), box);
  g_signal_connect (data, "changed", G_CALLBACK (data_changed), view);
  gtk_window_present (GTK_WINDOW (view->window));
  view->frames = 0;
  g_signal_connect (gtk_native_get_surface (GTK_NATIVE (view->window)) != NULL
                        ? gdk_surface_get_frame_clock (gtk_native_get_surface (GTK_NATIVE (view->window)))
                        : gtk_widget_get_frame_clock (view->window),
                    "paint", G_CALLBACK (painted), view);
}

static void
close_view (View *view)
{
  g_signal_handlers_disconnect_by_data (fen_run_session_get_data (view->session), view);
  gtk_window_destroy (GTK_WINDOW (view->window));
  g_object_unref (view->session);
}

static gsize
shown (View *view)
{
  return fen_series_length (fen_run_data_series (fen_run_session_get_data (view->session), FEN_CURVE_LOSS));
}

static gboolean
tick (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

static double
rss_mb (void)
{
  g_autofree char *text = NULL;
  long pages = 0;
  if (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL))
    sscanf (text, "%*d %ld", &pages);
  return (double)pages * 4096 / 1e6;
}

static void
report (View *view, double seconds, const char *what)
{
  g_print ("%s: %" G_GSIZE_FORMAT
           " samples shown in %.1f s; %.1f frames/s; longest turn %.1f ms wall, %.1f ms cpu; "
           "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
           " turns over 50 ms; main thread %.0f%% of a core; RSS %.0f MB\n",
           what, shown (view), seconds, (double)view->frames / seconds, (double)turns.longest_wall_us / 1000,
           (double)turns.longest_cpu_us / 1000, turns.n_over_50ms, turns.n,
           100 * (double)turns.cpu_sum_us / (seconds * G_USEC_PER_SEC), rss_mb ());
}

/* ---- the measurements ---- */

/* A run folder that somebody trains, with its lock held. */
static FenRunFolder *
make_run (const char *root, FenRunStatus status)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenConfig) config = fen_config_new ();
  g_free (config->output_dir);
  config->output_dir = g_strdup (root);
  config->steps = 100000000;
  FenRunFolder *folder = fen_run_folder_create (config, &error);
  char empty[] = "";
  FenRunInfo info = { .name = empty,
                      .reason = empty,
                      .model = config->model,
                      .dataset = empty,
                      .device = empty,
                      .status = status,
                      .steps = config->steps,
                      .loss = NAN,
                      .eval_loss = NAN };
  if (folder == NULL || !fen_run_folder_write_state (folder, &info, &error))
    g_error ("%s", error->message);
  return folder;
}

static void
warm_up (View *view)
{
  const gint64 until = g_get_monotonic_time () + G_USEC_PER_SEC;
  while (g_get_monotonic_time () < until)
    g_main_context_iteration (NULL, TRUE);
  view->frames = 0;
  begin_turns ();
}

static void
measure_live (const char *root, double rate, double seconds)
{
  g_autoptr (FenRunFolder) folder = make_run (root, FEN_RUN_RUNNING);
  Producer producer = { .path = fen_run_folder_file (folder, "metrics.jsonl"), .rate = rate };
  View view = { NULL };
  open_view (&view, fen_run_folder_path (folder));
  const guint source = g_timeout_add (10, tick, NULL);
  warm_up (&view);
  GThread *thread = g_thread_new ("producer", produce, &producer);
  const gint64 begin = g_get_monotonic_time ();
  while (g_get_monotonic_time () - begin < (gint64)(seconds * G_USEC_PER_SEC))
    g_main_context_iteration (NULL, TRUE);
  producer.stop = true;
  g_autofree char *what
      = g_strdup_printf ("%.0f samples/s wanted, %.0f written", rate, (double)producer.written / seconds);
  report (&view, seconds, what);
  g_thread_join (thread);
  g_source_remove (source);
  close_view (&view);
  g_free (producer.path);
}

static void
measure_load (const char *root, gint64 lines)
{
  g_autoptr (FenRunFolder) folder = make_run (root, FEN_RUN_STOPPED);
  g_autofree char *metrics = fen_run_folder_file (folder, "metrics.jsonl");
  g_autofree char *path = g_strdup (fen_run_folder_path (folder));
  g_autoptr (GString) text = g_string_new (NULL);
  FILE *stream = fopen (metrics, "w");
  for (gint64 i = 1; i <= lines; i++)
    {
      g_string_truncate (text, 0);
      append_line (text, i);
      fwrite (text->str, 1, text->len, stream);
    }
  fclose (stream);
  g_clear_pointer (&folder, fen_run_folder_free);
  const double before = rss_mb ();
  View view = { NULL };
  open_view (&view, path);
  warm_up (&view);
  const gint64 begin = g_get_monotonic_time ();
  const guint source = g_timeout_add (10, tick, NULL);
  while (fen_run_session_is_loading (view.session))
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (source);
  report (&view, (double)(g_get_monotonic_time () - begin) / G_USEC_PER_SEC, "load");
  g_print ("load: %.1f bytes of memory a line\n", (rss_mb () - before) * 1e6 / (double)lines);
  close_view (&view);
}

int
main (int argc, char **argv)
{
  double rate = 0, seconds = 10;
  gint64 lines = 1000000;
  const GOptionEntry entries[]
      = { { "rate", 0, 0, G_OPTION_ARG_DOUBLE, &rate, "One producer of so many samples a second", "N" },
          { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &seconds, "How long each is watched (10)", "S" },
          { "lines", 0, 0, G_OPTION_ARG_INT64, &lines, "Lines of the file that is loaded (1000000; 0 = none)",
            "N" },
          { NULL } };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      g_printerr ("%s\n", error->message);
      return 2;
    }
  adw_init ();
  g_autofree char *root = g_dir_make_tmp ("fen-live-XXXXXX", NULL);
  if (rate > 0)
    measure_live (root, rate, seconds);
  else
    {
      measure_live (root, 1000, seconds);
      measure_live (root, 200000, seconds);
    }
  if (lines > 0)
    measure_load (root, lines);
  fen_io_remove_tree (root, NULL);
  return 0;
}
