/* The trainer: from a configuration to a model; stopped, paused, resumed, on a full disk, with bad input. */
#include "core/train/fen-trainer.h"

#include "core/base/fen-io.h"
#include "core/model/fen-model.h"
#include "core/train/fen-checkpoint.h"
#include "core/train/fen-metrics.h"
#include "tests/support/comma-locale.h"
#include "tests/support/train-fixture.h"

#include <glib/gstdio.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct {
  char *folder;
} Place;

static void
set_up (Place *place, gconstpointer data)
{
  place->folder = train_fixture_folder ();
  train_fixture_write_text (place->folder, 200);
}

static void
tear_down (Place *place, gconstpointer data)
{
  g_assert_true (fen_io_remove_tree (place->folder, NULL));
  g_free (place->folder);
}

static void
set_text (char **target, const char *text)
{
  g_free (*target);
  *target = g_strdup (text);
}

/* Runs to its end; the run's path. */
static char *
finish (FenTrainer *trainer)
{
  g_autoptr (GError) error = NULL;
  fen_trainer_start (trainer);
  g_assert_true (fen_trainer_join (trainer, &error));
  g_assert_no_error (error);
  return fen_trainer_run_path (trainer);
}

static char *
run_new (FenConfig *config)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenTrainer) trainer = fen_trainer_new (config, &error);
  g_assert_no_error (error);
  return finish (trainer);
}

static void
run_resume (const char *run, gint64 steps)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenTrainer) trainer = fen_trainer_new_resume (run, steps, &error);
  g_assert_no_error (error);
  g_autofree char *path = finish (trainer);
  g_assert_cmpstr (path, ==, run);
}

static FenRunStatus
status_of (const char *run)
{
  g_autoptr (FenRunInfo) info = fen_run_info (run);
  return info->status;
}

/* Waits for a sample of step `step` or later; gives up when the run is over. */
static void
wait_for_step (FenTrainer *trainer, gint64 step)
{
  for (;;)
    {
      FenSample sample;
      while (fen_trainer_poll (trainer, &sample))
        if (sample.kind == FEN_SAMPLE_TRAIN && sample.step >= step)
          return;
      if (fen_trainer_is_final (trainer))
        return;
      struct pollfd fd = { .fd = fen_trainer_fd (trainer), .events = POLLIN };
      g_assert_cmpint (poll (&fd, 1, 60000), ==, 1);
    }
}

static void
wait_for_phase (FenTrainer *trainer, FenTrainerPhase phase)
{
  FenTrainerStatus status;
  for (int i = 0; i < 30000; i++)
    {
      fen_trainer_status (trainer, &status);
      if (status.phase == phase)
        return;
      g_usleep (2000);
    }
  g_error ("the phase %s never came", fen_trainer_phase_name (phase));
}

/* ---- numbers in files ---- */

static char *
read_file (const char *run, const char *name)
{
  g_autofree char *path = g_build_filename (run, name, NULL);
  char *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  return text;
}

/* The lines of a text that match: how many. */
static guint
count_matches (const char *pattern, const char *text)
{
  g_autoptr (GRegex) regex = g_regex_new (pattern, G_REGEX_MULTILINE, 0, NULL);
  g_autoptr (GMatchInfo) match = NULL;
  guint count = 0;
  g_assert_nonnull (regex);
  for (g_regex_match (regex, text, 0, &match); g_match_info_matches (match); g_match_info_next (match, NULL))
    count++;
  return count;
}

/* The window trains in the locale of its person: what a run writes is the same there, and is read back. */
static void
test_comma_locale (Place *place, gconstpointer data)
{
  comma_locale_begin (place->folder);
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 8);
  config->eval_share = 0.000001; /* a note that tells it */
  g_autofree char *without_eval = run_new (config);
  config->eval_share = 0.125;
  g_autofree char *run = run_new (config);
  run_resume (run, 12);
  comma_locale_end ();

  g_autofree char *note = read_file (without_eval, "log.txt");
  g_assert_cmpuint (count_matches ("eval_share 1e-06 of [0-9]+ tokens", note), >, 0);
  g_autofree char *log = read_file (run, "log.txt");
  g_assert_cmpuint (count_matches ("^[-0-9:TZ]+ step 1 of 8: loss [0-9]+\\.[0-9]{4}, [0-9]+ tokens/s$", log),
                    ==, 1);
  g_assert_cmpuint (count_matches ("^[-0-9:TZ]+ step 10: eval loss [0-9]+\\.[0-9]{4} over", log), ==, 1);
  g_assert_cmpuint (count_matches ("^[-0-9:TZ]+ checkpoint: step 8 in [0-9]+\\.[0-9] s$", log), ==, 1);
  g_assert_cmpuint (count_matches ("[0-9],[0-9]", log), ==, 0);
  g_autofree char *settings = read_file (run, "config.json");
  g_assert_cmpuint (count_matches ("\"eval_share\": 0\\.125,?$", settings), ==, 1);
  g_autofree char *losses = train_fixture_losses (run);
  g_assert_cmpuint (count_matches ("^(train )?12 ", losses), >=, 1);
  g_assert_cmpuint (train_fixture_count_events (run, "checkpoint"), >, 0);
  g_assert_cmpint (status_of (run), ==, FEN_RUN_FINISHED);
}

/* ---- a whole run ---- */

/* What the ring brought and what metrics.jsonl holds is the same, the loss went down, and the model can be opened. */
static void
test_whole_run (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 30);
  g_autoptr (GError) error = NULL;
  g_autoptr (FenTrainer) trainer = fen_trainer_new (config, &error);
  FenTrainerStatus status;
  g_assert_no_error (error);
  g_autofree char *run = finish (trainer);
  fen_trainer_status (trainer, &status);
  g_assert_cmpint (status.phase, ==, FEN_PHASE_FINISHED);
  g_assert_cmpint (status.step, ==, 30);
  g_assert_cmpint (status.checkpoint_step, ==, 30);
  g_assert_cmpint (status.tokens, ==, 30 * 2 * 2 * 64);
  g_assert_cmpuint (fen_trainer_dropped (trainer), ==, 0);

  g_autofree char *metrics = g_build_filename (run, "metrics.jsonl", NULL);
  g_autoptr (FenMetricsReader) reader = fen_metrics_reader_new (metrics);
  FenSample pushed, read;
  double first = NAN, last = NAN;
  guint n_train = 0, n_eval = 0, n_memory = 0;
  while (fen_trainer_poll (trainer, &pushed))
    {
      g_assert_cmpint (fen_metrics_reader_next (reader, &read, NULL), ==, FEN_METRICS_SAMPLE);
      g_assert_cmpint (pushed.kind, ==, read.kind);
      g_assert_cmpint (pushed.step, ==, read.step);
      n_train += pushed.kind == FEN_SAMPLE_TRAIN;
      n_eval += pushed.kind == FEN_SAMPLE_EVAL;
      n_memory += pushed.kind == FEN_SAMPLE_MEMORY;
      if (pushed.kind != FEN_SAMPLE_TRAIN)
        continue;
      g_assert_cmpfloat (pushed.loss, ==, read.loss);
      first = isnan (first) ? pushed.loss : first;
      last = pushed.loss;
      g_assert_cmpfloat (pushed.tokens_per_second, >, 0);
    }
  g_assert_cmpint (fen_metrics_reader_next (reader, &read, NULL), ==, FEN_METRICS_END);
  g_assert_cmpuint (n_train, ==, 30);
  g_assert_cmpuint (n_eval, ==, 6);
  g_assert_cmpuint (n_memory, >=, 1);
  g_assert_cmpfloat (last, <, first - 1);
  g_assert_cmpfloat (status.loss, ==, last);

  g_autofree char *model_path = fen_run_model_folder (run, &error);
  g_assert_no_error (error);
  g_autoptr (FenModel) model = fen_model_open (model_path, 0, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fen_model_config (model)->vocab_size, ==, 257);
  g_autoptr (FenRunInfo) info = fen_run_info (run);
  g_assert_cmpint (info->status, ==, FEN_RUN_FINISHED);
  g_assert_cmpfloat (info->loss, ==, last);
  /* A checkpoint folder is a model folder too. */
  g_autofree char *checkpoint = fen_checkpoint_path (run, 30);
  g_autoptr (FenModel) again = fen_model_open (checkpoint, 0, &error);
  g_assert_no_error (error);
  g_assert_nonnull (again);
}

/* config.json of a run folder is complete: it runs again, and to the same losses. */
static void
test_runs_again (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 8);
  g_autofree char *run = run_new (config);
  g_autofree char *path = g_build_filename (run, "config.json", NULL);
  g_autoptr (FenConfig) again = fen_config_new ();
  g_assert_true (fen_config_load (again, path, NULL));
  g_autofree char *second = run_new (again);
  g_assert_cmpstr (run, !=, second);
  g_autofree char *a = train_fixture_losses (run), *b = train_fixture_losses (second);
  g_assert_cmpstr (a, ==, b);
}

/* The effective batch decides, not how it is cut: 4 x 1 and 1 x 4 and 2 x 2 train alike up to rounding. */
static void
test_accumulation (Place *place, gconstpointer data)
{
  double losses[3];
  for (int i = 0; i < 3; i++)
    {
      FenSample train, eval;
      g_autoptr (FenConfig) config = train_fixture_config (place->folder, 6);
      config->batch_size = 1 << i;
      config->gradient_accumulation_steps = 4 >> i;
      g_autofree char *run = run_new (config);
      g_autofree char *metrics = g_build_filename (run, "metrics.jsonl", NULL);
      fen_metrics_last (metrics, &train, &eval);
      losses[i] = train.loss;
    }
  g_assert_cmpfloat_with_epsilon (losses[0], losses[1], 1e-4);
  g_assert_cmpfloat_with_epsilon (losses[0], losses[2], 1e-4);
}

/* ---- commands ---- */

/* Stopped in the middle and resumed, twice: the losses of a run that nobody stopped. */
static void
test_stop_and_resume (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 24);
  g_autoptr (GError) error = NULL;
  g_autofree char *calm = run_new (config);
  g_autofree char *expected = train_fixture_losses (calm);

  g_autofree char *run = NULL;
  for (int i = 0; i < 2; i++)
    {
      g_autoptr (FenTrainer) trainer
          = i == 0 ? fen_trainer_new (config, &error) : fen_trainer_new_resume (run, 0, &error);
      g_assert_no_error (error);
      fen_trainer_start (trainer);
      wait_for_step (trainer, 6 + 7 * i);
      fen_trainer_command (trainer, FEN_COMMAND_STOP);
      g_assert_true (fen_trainer_join (trainer, &error));
      FenTrainerStatus status;
      fen_trainer_status (trainer, &status);
      /* A quick machine may have been done by then; the losses must be the same all the same. */
      if (status.phase == FEN_PHASE_STOPPED)
        g_assert_cmpint (status.checkpoint_step, ==, status.step);
      g_free (run);
      run = fen_trainer_run_path (trainer);
      g_assert_cmpint (status_of (run), ==,
                       status.phase == FEN_PHASE_STOPPED ? FEN_RUN_STOPPED : FEN_RUN_FINISHED);
    }
  if (status_of (run) == FEN_RUN_STOPPED)
    run_resume (run, 0);
  g_autofree char *found = train_fixture_losses (run);
  g_assert_cmpstr (found, ==, expected);
  /* All done: more steps have to be asked for, and then it goes on. */
  g_assert_null (fen_trainer_new_resume (run, 0, &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_STATE);
  run_resume (run, 27);
  g_autoptr (FenRunInfo) info = fen_run_info (run);
  g_assert_cmpint (info->step, ==, 27);
  g_assert_cmpint (info->steps, ==, 27);
}

static void
test_pause (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 20);
  g_autoptr (GError) error = NULL;
  config->checkpoint_interval = 0;
  g_autofree char *calm = run_new (config);
  g_autofree char *expected = train_fixture_losses (calm);
  FenTrainerStatus before, after;
  g_autoptr (FenTrainer) trainer = fen_trainer_new (config, &error);
  fen_trainer_command (trainer, FEN_COMMAND_PAUSE); /* before the start: paused before the first step */
  fen_trainer_start (trainer);
  wait_for_phase (trainer, FEN_PHASE_PAUSED);
  fen_trainer_command (trainer, FEN_COMMAND_CONTINUE);
  wait_for_step (trainer, 3);
  fen_trainer_command (trainer, FEN_COMMAND_PAUSE);
  wait_for_phase (trainer, FEN_PHASE_PAUSED);
  fen_trainer_status (trainer, &before);
  g_usleep (50000);
  fen_trainer_status (trainer, &after);
  g_assert_cmpint (before.step, ==, after.step);
  g_assert_cmpint (after.checkpoint_step, ==, -1);
  fen_trainer_command (trainer, FEN_COMMAND_CHECKPOINT);
  for (int i = 0; i < 10000 && after.checkpoint_step != after.step; i++)
    {
      g_usleep (2000);
      fen_trainer_status (trainer, &after);
    }
  g_assert_cmpint (after.checkpoint_step, ==, before.step);
  wait_for_phase (trainer, FEN_PHASE_PAUSED);
  fen_trainer_command (trainer, FEN_COMMAND_CONTINUE);
  g_assert_true (fen_trainer_join (trainer, &error));
  g_autofree char *run = fen_trainer_run_path (trainer);
  g_autofree char *found = train_fixture_losses (run);
  g_assert_cmpstr (found, ==, expected);
}

/* Abandoned: what came after the last checkpoint is lost, and nothing else. Freed while running: stopped. */
static void
test_abandon_and_free (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 100000);
  g_autoptr (GError) error = NULL;
  config->checkpoint_interval = 5;
  FenTrainer *trainer = fen_trainer_new (config, &error);
  fen_trainer_start (trainer);
  wait_for_step (trainer, 8);
  fen_trainer_command (trainer, FEN_COMMAND_ABANDON);
  g_assert_true (fen_trainer_join (trainer, &error));
  g_autofree char *run = fen_trainer_run_path (trainer);
  fen_trainer_free (trainer);
  g_autoptr (FenRunInfo) info = fen_run_info (run);
  g_assert_cmpint (info->status, ==, FEN_RUN_STOPPED);
  g_assert_cmpint (info->checkpoint_step % 5, ==, 0);

  trainer = fen_trainer_new_resume (run, 0, &error);
  g_assert_no_error (error);
  fen_trainer_start (trainer);
  wait_for_step (trainer, info->checkpoint_step + 2);
  fen_trainer_free (trainer);
  g_autoptr (FenRunInfo) freed = fen_run_info (run);
  g_assert_cmpint (freed->status, ==, FEN_RUN_STOPPED);
  g_assert_cmpint (freed->checkpoint_step, >=, info->checkpoint_step + 2);
}

/* Stopped before the first step: as if it had never been. */
static void
test_stop_at_once (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 10);
  g_autoptr (GError) error = NULL;
  g_autoptr (FenTrainer) trainer = fen_trainer_new (config, &error);
  fen_trainer_command (trainer, FEN_COMMAND_STOP);
  fen_trainer_start (trainer);
  g_assert_true (fen_trainer_join (trainer, &error));
  g_assert_null (fen_trainer_run_path (trainer));
  g_assert_false (g_file_test (config->output_dir, G_FILE_TEST_EXISTS));
}

/* ---- things that go wrong ---- */

static void
test_damaged_newest (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 20);
  g_autofree char *run = run_new (config);
  g_autofree char *expected = train_fixture_losses (run);
  g_autofree char *newest = fen_checkpoint_path (run, 20);
  g_autofree char *weights = g_build_filename (newest, "model.safetensors", NULL);
  g_autofree char *model = g_build_filename (run, "model", NULL);
  g_assert_cmpint (truncate (weights, 1000), ==, 0);
  g_assert_true (fen_io_remove_tree (model, NULL));
  run_resume (run, 0);
  g_autofree char *log = g_build_filename (run, "log.txt", NULL), *text = NULL;
  g_assert_true (g_file_get_contents (log, &text, NULL, NULL));
  g_assert_nonnull (strstr (text, "the checkpoint of step 20 is damaged and not used"));
  g_assert_nonnull (strstr (text, "continues from the checkpoint of step 16"));
  g_assert_cmpuint (train_fixture_count_events (run, "damaged-checkpoint"), ==, 1);
  g_autofree char *found = train_fixture_losses (run);
  g_assert_cmpstr (found, ==, expected);
  g_assert_true (g_file_test (model, G_FILE_TEST_IS_DIR));
}

/* No file may become larger than 400 KB: checkpoints (2 MB and more) fail, the run goes on, its end is an error; with
 * room again it resumes. */
static void
test_full_disk (Place *place, gconstpointer data)
{
  struct rlimit before, small;
  g_autoptr (GError) error = NULL;
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 10);
  g_autofree char *calm = run_new (config);
  g_autofree char *expected = train_fixture_losses (calm);
  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  small = before;
  small.rlim_cur = 400000;
  g_autoptr (FenTrainer) trainer = fen_trainer_new (config, &error);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &small), ==, 0);
  fen_trainer_start (trainer);
  const gboolean ok = fen_trainer_join (trainer, &error);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
  g_assert_false (ok);
  g_assert_nonnull (strstr (error->message, "model.safetensors"));
  g_autofree char *run = fen_trainer_run_path (trainer);
  g_autoptr (FenRunInfo) info = fen_run_info (run);
  g_assert_cmpint (info->status, ==, FEN_RUN_FAILED);
  g_assert_cmpint (info->step, ==, 10);
  g_assert_cmpuint (train_fixture_count_events (run, "checkpoint-failed"), ==, 3);
  run_resume (run, 0);
  g_autofree char *found = train_fixture_losses (run);
  g_assert_cmpstr (found, ==, expected);
}

/* The run folder vanishes, as with a disk that is taken out: the run goes on and says so, its end is an error, and
 * nothing is made again where the folder was. Back at its place, it takes checkpoints again. */
static void
test_folder_gone (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 1000000);
  config->checkpoint_interval = 5;
  g_autoptr (FenTrainer) trainer = fen_trainer_new (config, &error);
  FenTrainerStatus status;
  fen_trainer_start (trainer);
  wait_for_step (trainer, 5);
  g_autofree char *run = fen_trainer_run_path (trainer), *away = g_strconcat (run, ".away", NULL);
  g_assert_cmpint (g_rename (run, away), ==, 0);
  fen_trainer_status (trainer, &status);
  wait_for_step (trainer, status.step + 15);
  g_assert_false (g_file_test (run, G_FILE_TEST_EXISTS));
  g_assert_cmpint (g_rename (away, run), ==, 0);
  fen_trainer_status (trainer, &status);
  wait_for_step (trainer, status.step + 15);
  const gint64 back = status.step;
  fen_trainer_status (trainer, &status);
  g_assert_cmpint (status.checkpoint_step, >, back);

  g_assert_cmpint (g_rename (run, away), ==, 0);
  fen_trainer_command (trainer, FEN_COMMAND_STOP);
  g_assert_false (fen_trainer_join (trainer, &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_CANNOT_WRITE);
  g_assert_nonnull (strstr (error->message, "is not there any more"));
  g_assert_false (g_file_test (run, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (train_fixture_count_events (away, "checkpoint-failed"), >, 1);
}

static gboolean
huge_values (const FenParam *param, gint64 first, gint64 n, float *values, gpointer data, GError **error)
{
  for (gint64 i = 0; i < n; i++)
    values[i] = 1e30f;
  return TRUE;
}

/* Weights whose products overflow: every gradient is NaN. The updates are left out and counted, ten in a row end the
 * run as failed, and the values are still those that the folder had. */
static void
test_not_finite (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_build_filename (place->folder, "huge", NULL);
  g_autoptr (FenModel) model = fen_model_open ("1M", 257, &error);
  g_assert_true (fen_model_save (model, folder, FEN_F32, huge_values, NULL, &error));
  g_assert_no_error (error);
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 100);
  set_text (&config->model, folder);
  g_autoptr (FenTrainer) trainer = fen_trainer_new (config, &error);
  g_assert_no_error (error);
  fen_trainer_start (trainer);
  g_assert_false (fen_trainer_join (trainer, &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NOT_FINITE);
  g_clear_error (&error);
  g_autofree char *run = fen_trainer_run_path (trainer);
  g_autoptr (FenRunInfo) info = fen_run_info (run);
  g_assert_cmpint (info->status, ==, FEN_RUN_FAILED);
  g_assert_cmpint (info->step, ==, FEN_TRAINER_MAX_SKIPPED);
  FenTrainerStatus status;
  fen_trainer_status (trainer, &status);
  g_assert_cmpint (status.skipped_updates, ==, FEN_TRAINER_MAX_SKIPPED);
  g_assert_cmpuint (train_fixture_count_events (run, "not-finite"), >=, FEN_TRAINER_MAX_SKIPPED);
  /* The checkpoint of step 8 is whole; nothing was updated in it. */
  FenTrainState state;
  g_autofree char *newest = fen_checkpoint_newest (run, &state, FALSE, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (state.step, ==, 8);
  g_assert_cmpint (state.update_count, ==, 0);
  g_autoptr (FenModel) kept = fen_model_open (newest, 0, &error);
  gsize n_params;
  const FenParam *params = fen_model_params (kept, &n_params);
  g_autofree float *values = g_new (float, params[0].elements);
  g_assert_true (fen_model_read_param (kept, &params[0], 0, 0, params[0].elements, values, &error));
  g_assert_cmpfloat (values[0], ==, 1e30f);
}

/* A run that another trainer has. */
static void
test_in_use (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 100000);
  g_autoptr (FenTrainer) trainer = fen_trainer_new (config, &error);
  fen_trainer_start (trainer);
  wait_for_step (trainer, 1);
  g_autofree char *run = fen_trainer_run_path (trainer);
  g_assert_null (fen_trainer_new_resume (run, 0, &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_LOCKED);
  g_autofree char *pid = g_strdup_printf ("process %ld", (long)getpid ());
  g_assert_nonnull (strstr (error->message, pid));
  fen_trainer_command (trainer, FEN_COMMAND_ABANDON);
  g_assert_true (fen_trainer_join (trainer, NULL));
}

/* Fails in words, and leaves nothing behind. */
static void
expect_refused (FenConfig *config, const char *words)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenTrainer) trainer = fen_trainer_new (config, &error);
  if (trainer != NULL)
    {
      fen_trainer_start (trainer);
      g_assert_false (fen_trainer_join (trainer, &error));
      g_assert_null (fen_trainer_run_path (trainer));
      FenTrainerStatus status;
      fen_trainer_status (trainer, &status);
      g_assert_cmpint (status.phase, ==, FEN_PHASE_FAILED);
      g_autoptr (GError) same = fen_trainer_error (trainer);
      g_assert_cmpstr (same->message, ==, error->message);
    }
  g_assert_nonnull (error);
  g_assert_null (strchr (error->message, '\n'));
  if (strstr (error->message, words) == NULL)
    g_error ("\"%s\" does not say \"%s\"", error->message, words);
  g_assert_false (g_file_test (config->output_dir, G_FILE_TEST_IS_DIR));
}

static void
test_bad_input (Place *place, gconstpointer data)
{
  const char *golden = g_getenv ("FENESTRA_GOLDEN_DIR");
  g_autofree char *short_text = g_build_filename (place->folder, "short.txt", NULL);
  g_autofree char *file = g_build_filename (place->folder, "file", NULL);
  g_autofree char *no_file = g_build_filename (place->folder, "missing.txt", NULL);
  g_assert_true (g_file_set_contents (short_text, "too short", -1, NULL));
  g_assert_true (g_file_set_contents (file, "x", -1, NULL));
  const struct {
    gsize offset;
    const char *value, *words;
  } cases[] = {
    { G_STRUCT_OFFSET (FenConfig, dataset_file), no_file, "missing.txt" },
    { G_STRUCT_OFFSET (FenConfig, dataset_file), short_text, "short.txt" },
    { G_STRUCT_OFFSET (FenConfig, model), "12M", "12M" },
    { G_STRUCT_OFFSET (FenConfig, model), file, "file" },
    { G_STRUCT_OFFSET (FenConfig, tokenizer), no_file, "missing.txt" },
    { G_STRUCT_OFFSET (FenConfig, tokenizer), "bpe:3", "bpe:3" },
    { G_STRUCT_OFFSET (FenConfig, device), "cuda:900", "cuda" },
    { G_STRUCT_OFFSET (FenConfig, output_dir), file, "file" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (FenConfig) config = train_fixture_config (place->folder, 5);
      set_text (G_STRUCT_MEMBER_P (config, cases[i].offset), cases[i].value);
      expect_refused (config, cases[i].words);
    }
  /* More memory than is allowed. */
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 5);
  config->memory_limit = 1 << 20;
  expect_refused (config, "MiB");
  /* A tokenizer with more tokens than the model: both are named. */
  g_autoptr (FenConfig) mismatch = train_fixture_config (place->folder, 5);
  g_autofree char *model = g_build_filename (golden, "llama", NULL);
  g_autofree char *tokenizer = g_build_filename (golden, "tokenizers", "metaspace-2048", NULL);
  set_text (&mismatch->model, model);
  set_text (&mismatch->tokenizer, tokenizer);
  expect_refused (mismatch, "vocab");
}

/* What is found only when the parameters are read: the run folder that was made for them goes again. */
static void
test_nan_weights_leave_nothing (Place *place, gconstpointer data)
{
  g_autofree char *golden = g_build_filename (g_getenv ("FENESTRA_GOLDEN_DIR"), "llama", NULL);
  g_autofree char *model = g_build_filename (place->folder, "nan", NULL);
  g_autofree char *tokenizer
      = g_build_filename (g_getenv ("FENESTRA_GOLDEN_DIR"), "tokenizers", "bytelevel-512", NULL);
  g_assert_cmpint (g_mkdir (model, 0777), ==, 0);
  static const char *const names[] = { "config.json", "model.safetensors" };
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *from = g_build_filename (golden, names[i], NULL);
      g_autofree char *to = g_build_filename (model, names[i], NULL);
      g_autofree char *content = NULL;
      gsize bytes;
      g_assert_true (g_file_get_contents (from, &content, &bytes, NULL));
      if (i == 1)
        memset (content + bytes - 4, 0xff, 4); /* a NaN of 32 bits */
      g_assert_true (g_file_set_contents (to, content, (gssize)bytes, NULL));
    }
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 5);
  set_text (&config->model, model);
  set_text (&config->tokenizer, tokenizer);
  g_autoptr (GError) error = NULL;
  g_autoptr (FenTrainer) trainer = fen_trainer_new (config, &error);
  g_assert_no_error (error);
  fen_trainer_start (trainer);
  g_assert_false (fen_trainer_join (trainer, &error));
  g_assert_nonnull (strstr (error->message, "NaN"));
  g_autofree char *path = fen_trainer_run_path (trainer);
  g_assert_null (path);
  g_autoptr (GPtrArray) runs = fen_runs_list (config->output_dir, NULL);
  g_assert_cmpuint (runs->len, ==, 0);
}

/* Documents of one token each and no token between them: there is nothing to predict, so the loss is unknown, and
 * neither 0 nor a division by it. */
static void
test_nothing_to_predict (Place *place, gconstpointer data)
{
  g_autofree char *source = g_build_filename (g_getenv ("FENESTRA_GOLDEN_DIR"), "tokenizers", "bytelevel-512",
                                              "tokenizer.json", NULL);
  g_autofree char *tokenizer = g_build_filename (place->folder, "no-end.json", NULL);
  g_autofree char *lines = g_build_filename (place->folder, "letters.jsonl", NULL);
  g_autofree char *content = NULL;
  g_assert_true (g_file_get_contents (source, &content, NULL, NULL));
  g_autoptr (GString) changed = g_string_new (content);
  g_assert_cmpuint (g_string_replace (changed, "<|endoftext|>", "<|nothing|>", 0), >, 0);
  g_assert_true (g_file_set_contents (tokenizer, changed->str, -1, NULL));
  g_string_truncate (changed, 0);
  for (guint i = 0; i < 2000; i++)
    g_string_append_printf (changed, "{\"text\": \"%c\"}\n", 'a' + (char)(i % 26));
  g_string_append (changed,
                   "{\"text\": \"the only document to learn from\"}\n"); /* never reached in two steps */
  g_assert_true (g_file_set_contents (lines, changed->str, -1, NULL));

  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 2);
  config->shuffle = FALSE;
  set_text (&config->tokenizer, tokenizer);
  set_text (&config->dataset_file, lines);
  config->eval_share = 0.1;
  g_autoptr (GError) error = NULL;
  g_autoptr (FenTrainer) trainer = fen_trainer_new (config, &error);
  g_assert_no_error (error);
  fen_trainer_start (trainer);
  fen_trainer_join (trainer, &error);
  g_assert_no_error (error);
  FenTrainerStatus status;
  fen_trainer_status (trainer, &status);
  g_assert_cmpint (status.phase, ==, FEN_PHASE_FINISHED);
  g_assert_true (isnan (status.loss));
}

/* A tokenizer from elsewhere is kept in the run: a resume needs neither it nor the model's folder. */
static void
test_moved_sources (Place *place, gconstpointer data)
{
  const char *golden = g_getenv ("FENESTRA_GOLDEN_DIR");
  g_autofree char *source = g_build_filename (golden, "tokenizers", "bytelevel-512", "tokenizer.json", NULL);
  g_autofree char *elsewhere = g_build_filename (place->folder, "elsewhere.json", NULL);
  g_autofree char *text = NULL;
  gsize bytes;
  g_assert_true (g_file_get_contents (source, &text, &bytes, NULL));
  g_assert_true (g_file_set_contents (elsewhere, text, (gssize)bytes, NULL));
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 8);
  set_text (&config->tokenizer, elsewhere);
  g_autofree char *run = run_new (config);
  g_assert_cmpint (g_unlink (elsewhere), ==, 0);
  run_resume (run, 12);
  g_assert_cmpint (status_of (run), ==, FEN_RUN_FINISHED);
  g_autofree char *kept = g_build_filename (run, "model", "tokenizer.json", NULL);
  g_assert_true (g_file_test (kept, G_FILE_TEST_EXISTS));
}

/* A BPE trained on the data: kept in the run, and the same after a resume. */
static void
test_trained_tokenizer (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 8);
  set_text (&config->tokenizer, "bpe:280");
  config->max_seq_len = 64;
  g_autofree char *run = run_new (config);
  run_resume (run, 12);
  config->steps = 12;
  g_assert_cmpint (status_of (run), ==, FEN_RUN_FINISHED);
  g_autofree char *model = g_build_filename (run, "model", NULL);
  g_autoptr (FenModel) opened = fen_model_open (model, 0, NULL);
  g_assert_nonnull (opened);
  g_assert_cmpint (fen_model_config (opened)->vocab_size, <=, 280);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
#define ADD(path, function) g_test_add (path, Place, NULL, set_up, function, tear_down)
  ADD ("/trainer/comma-locale", test_comma_locale); /* first: see comma-locale.h */
  ADD ("/trainer/whole-run", test_whole_run);
  ADD ("/trainer/runs-again", test_runs_again);
  ADD ("/trainer/accumulation", test_accumulation);
  ADD ("/trainer/stop-and-resume", test_stop_and_resume);
  ADD ("/trainer/pause", test_pause);
  ADD ("/trainer/abandon-and-free", test_abandon_and_free);
  ADD ("/trainer/stop-at-once", test_stop_at_once);
  ADD ("/trainer/damaged-newest", test_damaged_newest);
  ADD ("/trainer/full-disk", test_full_disk);
  ADD ("/trainer/folder-gone", test_folder_gone);
  ADD ("/trainer/not-finite", test_not_finite);
  ADD ("/trainer/in-use", test_in_use);
  ADD ("/trainer/bad-input", test_bad_input);
  ADD ("/trainer/nothing-to-predict", test_nothing_to_predict);
  ADD ("/trainer/nan-weights-leave-nothing", test_nan_weights_leave_nothing);
  ADD ("/trainer/moved-sources", test_moved_sources);
  ADD ("/trainer/trained-tokenizer", test_trained_tokenizer);
  return g_test_run ();
}
