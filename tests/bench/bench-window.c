/* bench-window.c: what does the open window cost a training run?
 *
 *   FENESTRA_CLI=build/core/cli/fenestra-cli xvfb-run bench-window [--steps N] [--repeats N] [--model NAME]
 *
 * The same run is trained alternately by fenestra-cli and by this process with a window that shows its run page.
 * Tokens a second are counted from the samples' times, from the first fifth of the steps to the last step, so that what
 * happens between steps counts too. The figure is the median of the ratios of neighbouring runs: what else the machine
 * does hits both.
 */
#include "core/base/fen-io.h"
#include "core/train/fen-metrics.h"
#include "gui/run/fen-run-page.h"

#include <adwaita.h>
#include <math.h>
#include <stdlib.h>

typedef struct {
  char *root;
  FenConfig *config;
  GtkWidget *window;
  guint64 frames;
} Bench;

/* ---- counting ---- */

static double
tokens_per_second (const char *run_path, gint64 steps)
{
  g_autofree char *path = g_build_filename (run_path, "metrics.jsonl", NULL);
  g_autoptr (FenMetricsReader) reader = fen_metrics_reader_new (path);
  double first_time = NAN, last_time = NAN;
  gint64 first_tokens = 0, last_tokens = 0;
  FenSample sample;
  while (fen_metrics_reader_next (reader, &sample, NULL) == FEN_METRICS_SAMPLE)
    {
      if (sample.kind != FEN_SAMPLE_TRAIN)
        continue;
      if (sample.step == steps / 5)
        {
          first_time = sample.time;
          first_tokens = sample.tokens;
        }
      last_time = sample.time;
      last_tokens = sample.tokens;
    }
  return (double)(last_tokens - first_tokens) / (last_time - first_time);
}

static double
count_and_remove (Bench *bench)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) runs = fen_runs_list (bench->root, &error);
  if (runs == NULL || runs->len != 1)
    g_error ("no run was made: %s", error != NULL ? error->message : "the folder is empty");
  const FenRunInfo *info = runs->pdata[0];
  const double rate = tokens_per_second (info->path, bench->config->steps);
  fen_io_remove_tree (info->path, NULL);
  return rate;
}

/* ---- the two ways ---- */

static double
run_cli (Bench *bench, const char *cli)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (bench->root, ".config.json", NULL);
  const char *argv[] = { cli, "train", "--config", path, NULL };
  if (!fen_config_save (bench->config, path, &error)
      || !g_spawn_sync (NULL, (char **)argv, NULL,
                        G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                        NULL, NULL, NULL, NULL, &error))
    g_error ("%s", error->message);
  return count_and_remove (bench);
}

static void
painted (GdkFrameClock *clock, Bench *bench)
{
  bench->frames++;
}

static void
show (Bench *bench, FenRunSession *session)
{
  GtkWidget *page = fen_run_page_new ();
  fen_run_page_set_session (FEN_RUN_PAGE (page), session);
  bench->window = gtk_window_new ();
  gtk_window_set_default_size (GTK_WINDOW (bench->window), 1024, 700);
  gtk_window_set_child (GTK_WINDOW (bench->window), page);
  gtk_window_present (GTK_WINDOW (bench->window));
  g_signal_connect (gtk_widget_get_frame_clock (bench->window), "paint", G_CALLBACK (painted), bench);
}

static double
run_window (Bench *bench, double *frames_per_second)
{
  g_autoptr (GError) error = NULL;
  FenRunSession *session = fen_run_session_new (bench->config, &error);
  if (session == NULL)
    g_error ("%s", error->message);
  show (bench, session);
  bench->frames = 0;
  const gint64 begin = g_get_monotonic_time ();
  while (fen_run_session_is_active (session))
    g_main_context_iteration (NULL, TRUE);
  *frames_per_second = (double)bench->frames * G_USEC_PER_SEC / (double)(g_get_monotonic_time () - begin);
  if (fen_run_session_get_reason (session) != NULL)
    g_error ("%s", fen_run_session_get_reason (session));
  gtk_window_destroy (GTK_WINDOW (bench->window));
  g_object_unref (session);
  return count_and_remove (bench);
}

/* ---- the measurement ---- */

static int
compare (const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void
configure (Bench *bench, gint64 steps, const char *model)
{
  FenConfig *config = bench->config = fen_config_new ();
  g_free (config->output_dir);
  config->output_dir = g_strdup (bench->root);
  g_free (config->model);
  config->model = g_strdup (model);
  g_free (config->tokenizer);
  config->tokenizer = g_strdup ("bytes");
  g_free (config->device);
  config->device = g_strdup ("cpu");
  config->max_seq_len = 512;
  config->window_size = 256;
  config->steps = steps;
  config->eval_interval = config->checkpoint_interval = 0;
  config->eval_rows = 1;
}

int
main (int argc, char **argv)
{
  gint64 steps = 100;
  int repeats = 5;
  g_autofree char *model = NULL;
  const GOptionEntry entries[] = { { "steps", 0, 0, G_OPTION_ARG_INT64, &steps, "Steps a run (100)", "N" },
                                   { "repeats", 0, 0, G_OPTION_ARG_INT, &repeats, "Pairs of runs (5)", "N" },
                                   { "model", 0, 0, G_OPTION_ARG_STRING, &model, "The model (1M)", "NAME" },
                                   { NULL } };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  g_option_context_add_main_entries (context, entries, NULL);
  const char *cli = g_getenv ("FENESTRA_CLI");
  if (!g_option_context_parse (context, &argc, &argv, &error) || repeats < 1 || repeats > 99 || cli == NULL)
    {
      g_printerr ("%s\n", error != NULL ? error->message : "set FENESTRA_CLI and 1 to 99 repeats");
      return 2;
    }
  adw_init ();
  g_autofree char *root = g_dir_make_tmp ("fen-window-XXXXXX", NULL);
  Bench bench = {
    .root = root,
  };
  configure (&bench, steps, model != NULL ? model : "1M");
  double ratios[99];
  for (int i = 0; i < repeats; i++)
    {
      double frames = 0, cli_rate, window_rate;
      /* Who goes first changes, so that a machine that warms up or fills up favours nobody. */
      if (i % 2 == 0)
        cli_rate = run_cli (&bench, cli), window_rate = run_window (&bench, &frames);
      else
        window_rate = run_window (&bench, &frames), cli_rate = run_cli (&bench, cli);
      ratios[i] = window_rate / cli_rate;
      g_print ("cli %.0f tokens/s, window %.0f tokens/s (%.1f frames/s): %.4f\n", cli_rate, window_rate,
               frames, ratios[i]);
    }
  qsort (ratios, (gsize)repeats, sizeof ratios[0], compare);
  g_print ("median %.4f of the CLI's tokens/s\n", ratios[repeats / 2]);
  fen_config_free (bench.config);
  fen_io_remove_tree (root, NULL);
  return 0;
}
