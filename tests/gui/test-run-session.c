/* A run as the window sees it: own, of another process, past; and from one to the other. No display is needed. */
#include "gui/run/fen-run-session.h"

#include "tests/gui/run-place-fixture.h"
#include "tests/support/patience.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define PATIENCE_S (60 * test_patience ())

static void
set_text (char **target, const char *text)
{
  g_free (*target);
  *target = g_strdup (text);
}

static FenConfig *
small_config (Place *place, gint64 steps)
{
  FenConfig *config = train_fixture_config (place->folder, steps);
  set_text (&config->model, "nano");
  config->max_seq_len = 32;
  config->batch_size = config->gradient_accumulation_steps = 1;
  return config;
}

/* ---- waiting ---- */

typedef gboolean (*Condition) (FenRunSession *session);

static gboolean
tick (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

static gboolean
wait_some (FenRunSession *session, Condition condition, double seconds)
{
  const gint64 until = g_get_monotonic_time () + (gint64)(seconds * G_USEC_PER_SEC);
  const guint source = g_timeout_add (5, tick, NULL);
  while (!condition (session) && g_get_monotonic_time () < until)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (source);
  return condition (session);
}

#define wait_for(session, condition) g_assert_true (wait_some (session, condition, PATIENCE_S))

static gboolean
never (FenRunSession *session)
{
  return FALSE;
}

static gboolean
is_final (FenRunSession *session)
{
  gboolean final;
  g_object_get (session, "final", &final, NULL);
  return final && !fen_run_session_is_active (session) && !fen_run_session_is_loading (session);
}

static gboolean
is_active (FenRunSession *session)
{
  return fen_run_session_is_active (session);
}

static gsize
n_losses (FenRunSession *session)
{
  return fen_series_length (fen_run_data_series (fen_run_session_get_data (session), FEN_CURVE_LOSS));
}

static gboolean
has_trained (FenRunSession *session)
{
  return n_losses (session) >= 3;
}

static FenTrainerPhase
phase (FenRunSession *session)
{
  FenTrainerStatus status;
  int told;
  fen_run_session_status (session, &status);
  g_object_get (session, "phase", &told, NULL);
  return (FenTrainerPhase)told == status.phase ? status.phase : FEN_PHASE_NEW;
}

static gboolean
is_paused (FenRunSession *session)
{
  return phase (session) == FEN_PHASE_PAUSED;
}

static gboolean
goes_on (FenRunSession *session)
{
  return phase (session) == FEN_PHASE_TRAINING;
}

static gboolean
has_failed (FenRunSession *session)
{
  return phase (session) == FEN_PHASE_FAILED;
}

static gboolean
has_plan (FenRunSession *session)
{
  return fen_run_session_get_plan (session) != NULL;
}

static gboolean
status_is (FenRunSession *session, FenRunStatus status)
{
  const FenRunInfo *info = fen_run_session_get_info (session);
  return info != NULL && info->status == status;
}

static gboolean
is_finished (FenRunSession *session)
{
  return status_is (session, FEN_RUN_FINISHED) && is_final (session);
}

static gboolean
is_stopped (FenRunSession *session)
{
  return status_is (session, FEN_RUN_STOPPED) && is_final (session);
}

static gboolean
is_interrupted (FenRunSession *session)
{
  return status_is (session, FEN_RUN_INTERRUPTED) && is_final (session);
}

/* ---- looking ---- */

/* Each step once, in order: nothing was lost, doubled or left from an undone part. */
static void
assert_steps (FenRunSession *session, gsize steps)
{
  const FenSeries *loss = fen_run_data_series (fen_run_session_get_data (session), FEN_CURVE_LOSS);
  g_assert_cmpuint (fen_series_length (loss), ==, steps);
  for (gsize i = 0; i < steps; i++)
    {
      g_assert_cmpfloat (fen_series_x (loss, FEN_AXIS_STEP, i), ==, (double)(i + 1));
      g_assert_true (isfinite (fen_series_y (loss, i)));
    }
}

static guint
count_events (FenRunSession *session, const char *event)
{
  FenRunData *data = fen_run_session_get_data (session);
  guint n = 0;
  for (guint i = 0; i < fen_run_data_n_events (data); i++)
    n += strcmp (fen_run_data_event (data, i)->event, event) == 0;
  return n;
}

static FenRunSession *
start (FenConfig *config)
{
  g_autoptr (GError) error = NULL;
  FenRunSession *session = fen_run_session_new (config, &error);
  g_assert_no_error (error);
  return session;
}

/* A run from its beginning to its end; the path of its folder. */
static char *
past_run (Place *place, gint64 steps)
{
  g_autoptr (FenConfig) config = small_config (place, steps);
  FenRunSession *session = start (config);
  wait_for (session, is_finished);
  char *path = g_strdup (fen_run_session_get_path (session));
  g_assert_finalize_object (session);
  return path;
}

/* ---- own runs ---- */

static void
count (FenRunSession *session, gpointer what, guint *n)
{
  (*n)++;
}

static void
test_own (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = small_config (place, 30);
  FenRunSession *session = start (config);
  guint phases = 0, paths = 0, finals = 0;
  g_signal_connect (session, "notify::phase", G_CALLBACK (count), &phases);
  g_signal_connect (session, "notify::path", G_CALLBACK (count), &paths);
  g_signal_connect (session, "notify::final", G_CALLBACK (count), &finals);
  g_assert_true (fen_run_session_is_own (session));
  g_assert_true (fen_run_session_is_active (session));
  g_assert_null (fen_run_session_get_path (session));
  g_assert_cmpint (fen_run_session_get_config (session)->steps, ==, 30);

  wait_for (session, is_finished);
  assert_steps (session, 30);
  g_assert_cmpint (phase (session), ==, FEN_PHASE_FINISHED);
  g_assert_cmpuint (phases, >=, 1);
  g_assert_cmpuint (paths, ==, 1);
  g_assert_cmpuint (finals, ==, 1);
  g_assert_null (fen_run_session_get_reason (session));
  g_assert_null (fen_run_session_get_error (session));
  g_assert_null (fen_run_session_get_suggestions (session));
  g_assert_nonnull (strstr (fen_run_session_get_log (session), "end: finished"));
  g_assert_cmpuint (count_events (session, "start"), ==, 1);
  g_assert_cmpuint (count_events (session, "end"), ==, 1);

  FenTrainerStatus status;
  fen_run_session_status (session, &status);
  g_assert_cmpint (status.step, ==, 30);
  g_assert_cmpint (status.checkpoint_step, ==, 30);
  FenRunData *values = fen_run_session_get_data (session);
  g_assert_cmpuint (fen_series_length (fen_run_data_series (values, FEN_CURVE_EVAL_LOSS)), ==, 6);
  g_assert_cmpuint (fen_series_length (fen_run_data_series (values, FEN_CURVE_RSS)), >=, 1);
  g_assert_finalize_object (session);
}

static void
test_badge (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = small_config (place, 2);
  FenRunSession *session = start (config);
  g_assert_null (fen_run_session_badge_text (session));
  wait_for (session, is_finished);
  g_autofree char *text = fen_run_session_badge_text (session);
  g_autofree char *details = fen_run_session_badge_details (session);
  g_test_message ("%s | %s", text, details);
  g_assert_true (g_str_has_prefix (text, "FlashAttn-2 (cpu flash"));
  g_assert_nonnull (strstr (text, "fp32 · window 16 · each token sees 16 tokens, itself included"));
  g_assert_nonnull (strstr (details, "Schedule: "));
  g_assert_nonnull (strstr (details, "amp: fp32, because"));
  g_assert_finalize_object (session);

  config->use_flash_attn = FALSE;
  config->max_seq_len = 64;
  config->window_size = 0;
  config->use_chunked_training = TRUE;
  config->chunk_size = 32;
  session = start (config);
  wait_for (session, is_finished);
  g_autofree char *plain = fen_run_session_badge_text (session);
  g_test_message ("%s", plain);
  g_assert_true (g_str_has_prefix (plain, "Plain attention ("));
  g_assert_nonnull (strstr (plain, "full attention · chunks of 32"));
  g_assert_null (strstr (plain, "each token sees"));
  g_assert_finalize_object (session);
}

static gboolean
has_checkpoint (FenRunSession *session)
{
  return count_events (session, "checkpoint") >= 1;
}

static void
test_commands (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = small_config (place, 1000000);
  config->checkpoint_interval = 0;
  config->eval_interval = 0;
  FenRunSession *session = start (config);
  wait_for (session, has_trained);

  fen_run_session_command (session, FEN_COMMAND_PAUSE);
  wait_for (session, is_paused);
  const gsize before = n_losses (session);
  g_assert_false (wait_some (session, never, 0.3));
  g_assert_cmpuint (n_losses (session) - before, <=, 200); /* what the ring had, and nothing after it */
  const gsize paused = n_losses (session);
  g_assert_false (wait_some (session, never, 0.3));
  g_assert_cmpuint (n_losses (session), ==, paused);

  fen_run_session_command (session, FEN_COMMAND_CONTINUE);
  wait_for (session, goes_on);
  fen_run_session_command (session, FEN_COMMAND_CHECKPOINT);
  wait_for (session, has_checkpoint);

  fen_run_session_command (session, FEN_COMMAND_STOP);
  wait_for (session, is_stopped);
  assert_steps (session, n_losses (session));
  g_assert_null (fen_run_session_get_reason (session));
  fen_run_session_command (session, FEN_COMMAND_STOP); /* of no effect */
  g_assert_finalize_object (session);
}

static void
test_resume (Place *place, gconstpointer data)
{
  g_autofree char *path = past_run (place, 20);
  g_autoptr (GError) error = NULL;
  FenRunSession *session = fen_run_session_new_resume (path, 0, &error);
  g_assert_null (session);
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_STATE);
  g_clear_error (&error);

  session = fen_run_session_new_resume (path, 45, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (fen_run_session_get_path (session), ==, path);
  g_assert_true (fen_run_session_is_loading (session));
  wait_for (session, is_finished);
  assert_steps (session, 45);
  g_assert_cmpuint (count_events (session, "start"), ==, 1);
  g_assert_cmpuint (count_events (session, "resume"), ==, 1);
  const FenSeries *loss = fen_run_data_series (fen_run_session_get_data (session), FEN_CURVE_LOSS);
  g_assert_true (fen_series_breaks_at (loss, 20));
  g_assert_finalize_object (session);
}

static void
test_refused (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = small_config (place, 5);
  g_autoptr (GError) error = NULL;
  set_text (&config->log_file, config->dataset_file);
  g_assert_null (fen_run_session_new (config, &error));
  g_assert_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_CONFLICT);
  g_clear_error (&error);
  g_assert_null (fen_run_session_new_resume ("/nowhere", 0, &error));
  g_assert_nonnull (error);

  /* What turns out later is a failed run that says why. */
  set_text (&config->log_file, "");
  set_text (&config->dataset_file, "/nowhere/text.txt");
  FenRunSession *session = start (config);
  wait_for (session, is_final);
  g_assert_cmpint (phase (session), ==, FEN_PHASE_FAILED);
  g_assert_nonnull (strstr (fen_run_session_get_reason (session), "/nowhere/text.txt"));
  g_assert_nonnull (fen_run_session_get_error (session));
  g_assert_null (fen_run_session_get_suggestions (session));
  g_assert_null (fen_run_session_get_path (session));
  g_assert_finalize_object (session);
}

static gboolean
has_suggestions (FenRunSession *session)
{
  return fen_run_session_get_suggestions (session) != NULL;
}

static void
test_suggestions (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, 5);
  config->max_seq_len = 2048;
  config->batch_size = 4;
  config->gradient_checkpointing = FALSE;
  config->memory_limit = 100u << 20;
  FenRunSession *session = start (config);
  wait_for (session, has_suggestions);
  g_assert_cmpint (phase (session), ==, FEN_PHASE_FAILED);
  g_assert_error (fen_run_session_get_error (session), FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_DOES_NOT_FIT);
  g_assert_nonnull (strstr (fen_run_session_get_reason (session), "does not fit"));
  g_assert_nonnull (fen_run_session_get_plan (session));
  const GArray *suggestions = fen_run_session_get_suggestions (session);
  g_assert_cmpuint (suggestions->len, >, 0);
  for (guint i = 0; i < suggestions->len; i++)
    g_assert_true (g_array_index (suggestions, FenPlanSuggestion, i).fits);
  g_assert_finalize_object (session);
}

/* ---- runs of another process ---- */

/* `fenestra-cli train` or `resume`. */
static GSubprocess *
spawn (const char *const *arguments)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GStrvBuilder) command = g_strv_builder_new ();
  g_strv_builder_add (command, g_getenv ("FENESTRA_CLI"));
  g_strv_builder_addv (command, (const char **)arguments);
  g_auto (GStrv) argv = g_strv_builder_end (command);
  GSubprocess *process
      = g_subprocess_newv ((const char *const *)argv,
                           G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, &error);
  g_assert_no_error (error);
  return process;
}

static GSubprocess *
spawn_train (Place *place, FenConfig *config)
{
  g_autofree char *path = g_build_filename (place->folder, "config.json", NULL);
  g_assert_true (fen_config_save (config, path, NULL));
  return spawn ((const char *const[]){ "train", "--config", path, NULL });
}

/* The only run of the place, once there is one. */
static char *
wait_for_run (Place *place)
{
  g_autofree char *root = g_build_filename (place->folder, "runs", NULL);
  for (int i = 0; i < PATIENCE_S * 100; i++)
    {
      g_autoptr (GPtrArray) runs = fen_runs_list (root, NULL);
      if (runs != NULL && runs->len > 0)
        return g_strdup (((FenRunInfo *)runs->pdata[0])->path);
      g_usleep (10000);
    }
  g_error ("no run appeared");
}

static void
test_watched (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = small_config (place, 600);
  config->checkpoint_interval = 0;
  g_autoptr (GSubprocess) process = spawn_train (place, config);
  g_autofree char *path = wait_for_run (place);
  FenRunSession *session = fen_run_session_new_watch (path);
  g_assert_false (fen_run_session_is_own (session));
  wait_for (session, is_active);
  wait_for (session, has_trained);
  fen_run_session_command (session, FEN_COMMAND_STOP); /* not ours: ignored */
  wait_for (session, is_finished);
  g_assert_cmpint (phase (session), ==, FEN_PHASE_FINISHED);
  assert_steps (session, 600);
  wait_for (session, has_plan);
  g_autofree char *badge = fen_run_session_badge_text (session);
  g_assert_nonnull (strstr (badge, "window 16"));
  g_assert_cmpint (fen_run_session_get_config (session)->steps, ==, 600);
  g_assert_nonnull (strstr (fen_run_session_get_log (session), "end: finished"));
  g_assert_null (fen_run_session_get_reason (session));
  g_assert_true (g_subprocess_wait_check (process, NULL, NULL));
  g_assert_finalize_object (session);
}

/* Killed; taken up by the CLI while the window looks; back to a past run. */
static void
test_killed (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = small_config (place, 1000000);
  config->checkpoint_interval = 50;
  g_autoptr (GSubprocess) process = spawn_train (place, config);
  g_autofree char *path = wait_for_run (place);
  FenRunSession *session = fen_run_session_new_watch (path);
  wait_for (session, has_trained);
  g_assert_false (wait_some (session, never, 0.5));
  g_subprocess_send_signal (process, SIGKILL);
  wait_for (session, is_interrupted);
  g_assert_nonnull (fen_run_session_get_reason (session));
  g_assert_cmpint (phase (session), ==, FEN_PHASE_STOPPED);
  g_subprocess_wait (process, NULL, NULL);

  const FenRunInfo *info = fen_run_session_get_info (session);
  g_autofree char *steps = g_strdup_printf ("%" G_GINT64_FORMAT, info->checkpoint_step + 600);
  const gsize wanted = (gsize)info->checkpoint_step + 600;
  G_GNUC_UNUSED g_autoptr (GSubprocess) second
      = spawn ((const char *const[]){ "train", "--resume", path, "--steps", steps, NULL });
  wait_for (session, is_active);
  wait_for (session, is_finished);
  g_assert_null (fen_run_session_get_reason (session));
  assert_steps (session, wanted);
  g_assert_cmpint (fen_run_session_get_config (session)->steps, ==, (gint64)wanted);
  g_assert_finalize_object (session);
}

/* Nobody trains: nothing is told, and next to nothing is done. */
static void
test_idle (Place *place, gconstpointer data)
{
  g_autofree char *path = past_run (place, 5);
  FenRunSession *session = fen_run_session_new_watch (path);
  wait_for (session, is_finished);
  wait_for (session, has_plan);
  g_assert_false (wait_some (session, never, 0.5));
  guint told = 0, changed = 0;
  g_signal_connect (session, "status-changed", G_CALLBACK (count), &told);
  g_signal_connect (fen_run_session_get_data (session), "changed", G_CALLBACK (count), &changed);
  const clock_t before = clock ();
  const gint64 until = g_get_monotonic_time () + 2 * G_USEC_PER_SEC;
  const guint source = g_timeout_add (500, tick, NULL);
  while (g_get_monotonic_time () < until)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (source);
  g_assert_cmpuint (told + changed, ==, 0);
  g_assert_cmpint (clock () - before, <, CLOCKS_PER_SEC / 20);
  g_assert_finalize_object (session);
}

/* A run of this process that ended, and that another process goes on with. */
static void
test_taken_over (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = small_config (place, 20);
  FenRunSession *session = start (config);
  wait_for (session, is_finished);
  G_GNUC_UNUSED g_autoptr (GSubprocess) process = spawn ((const char *const[]){
      "train", "--resume", fen_run_session_get_path (session), "--steps", "600", NULL });
  wait_for (session, is_active);
  g_assert_false (fen_run_session_is_own (session));
  wait_for (session, is_finished);
  assert_steps (session, 600);
  g_assert_finalize_object (session);
}

/* ---- bad folders ---- */

static gboolean
has_reason (FenRunSession *session)
{
  return fen_run_session_get_reason (session) != NULL;
}

static gboolean
has_no_reason (FenRunSession *session)
{
  return fen_run_session_get_reason (session) == NULL;
}

/* What cannot be read is said, and no longer once it can be. */
static void
test_unreadable (Place *place, gconstpointer data)
{
  g_autofree char *path = past_run (place, 5);
  g_autofree char *config = g_build_filename (path, "config.json", NULL);
  g_autofree char *metrics = g_build_filename (path, "metrics.jsonl", NULL);
  g_autofree char *aside = g_build_filename (path, "aside", NULL);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (config, &text, NULL, NULL));
  g_assert_true (g_file_set_contents (config, "{\"window_size\": \"wide\"}", -1, NULL));
  FenRunSession *session = fen_run_session_new_watch (path);
  wait_for (session, is_finished);
  wait_for (session, has_reason);
  g_assert_nonnull (strstr (fen_run_session_get_reason (session), "window_size"));
  g_assert_null (fen_run_session_get_config (session));
  g_assert_true (g_file_set_contents (config, text, -1, NULL));
  wait_for (session, has_no_reason);
  wait_for (session, has_plan);
  /* A folder of that name is no metrics file; what was read stays. */
  g_assert_cmpint (g_rename (metrics, aside), ==, 0);
  g_assert_cmpint (g_mkdir (metrics, 0700), ==, 0);
  wait_for (session, has_reason);
  assert_steps (session, 5);
  g_assert_cmpint (g_rmdir (metrics), ==, 0);
  g_assert_cmpint (g_rename (aside, metrics), ==, 0);
  wait_for (session, has_no_reason);
  assert_steps (session, 5);
  g_assert_finalize_object (session);
}

static void
append (const char *path, const char *name, const char *text)
{
  g_autofree char *file = g_build_filename (path, name, NULL);
  FILE *stream = g_fopen (file, "a");
  g_assert_nonnull (stream);
  fputs (text, stream);
  fclose (stream);
}

static gboolean
has_damage (FenRunSession *session)
{
  return fen_run_data_n_damaged (fen_run_session_get_data (session), NULL) > 0;
}

static gboolean
has_no_losses (FenRunSession *session)
{
  return n_losses (session) == 0;
}

static void
test_damaged_lines (Place *place, gconstpointer data)
{
  g_autofree char *path = past_run (place, 10);
  append (path, "metrics.jsonl", "{\"v\":1,\"kind\":\"train\",\nnothing\n");
  append (path, "metrics.jsonl",
          "{\"v\":1,\"kind\":\"train\",\"time\":1e9,\"step\":11,\"loss\":2.5,\"tokens\":9}\n{\"v\":1,\"ki");
  append (path, "log.txt", "not \xff text\nand no end");
  FenRunSession *session = fen_run_session_new_watch (path);
  wait_for (session, is_finished);
  const char *reason;
  g_assert_cmpuint (fen_run_data_n_damaged (fen_run_session_get_data (session), &reason), ==, 2);
  g_assert_nonnull (strstr (reason, "line"));
  assert_steps (session, 11);
  g_assert_true (g_utf8_validate (fen_run_session_get_log (session), -1, NULL));
  g_assert_true (g_str_has_suffix (fen_run_session_get_log (session), "text\n"));
  /* A session that is past notices what comes later. */
  append (path, "metrics.jsonl",
          "nd\n{\"v\":1,\"kind\":\"train\",\"time\":1e9,\"step\":12,\"loss\":2,\"tokens\":9}\n");
  append (path, "log.txt", "\n");
  for (int i = 0; i < 600 && n_losses (session) < 12; i++)
    wait_some (session, never, 0.02);
  assert_steps (session, 12);
  g_assert_true (g_str_has_suffix (fen_run_session_get_log (session), "and no end\n"));
  g_assert_finalize_object (session);
}

static void
test_replaced (Place *place, gconstpointer data)
{
  g_autofree char *path = past_run (place, 10);
  FenRunSession *session = fen_run_session_new_watch (path);
  wait_for (session, is_finished);
  assert_steps (session, 10);
  g_autofree char *metrics = g_build_filename (path, "metrics.jsonl", NULL);
  const char *text = "{\"v\":1,\"kind\":\"train\",\"time\":1e9,\"step\":1,\"loss\":2.5,\"tokens\":9}\n";
  g_assert_true (g_file_set_contents (metrics, text, -1, NULL));
  for (int i = 0; i < 600 && n_losses (session) != 1; i++)
    wait_some (session, never, 0.02);
  assert_steps (session, 1);

  /* A folder that goes away keeps what was seen; one that comes back is a run again. */
  g_autoptr (GError) error = NULL;
  g_autofree char *discarded = fen_run_discard (path, &error);
  g_assert_no_error (error);
  for (int i = 0; i < 600 && fen_run_session_get_reason (session) == NULL; i++)
    wait_some (session, never, 0.02);
  g_assert_nonnull (strstr (fen_run_session_get_reason (session), "not there any more"));
  wait_for (session, has_failed);
  assert_steps (session, 1);
  g_assert_true (fen_run_restore (discarded, &error));
  wait_for (session, is_finished);
  for (int i = 0; i < 600 && fen_run_session_get_reason (session) != NULL; i++)
    wait_some (session, never, 0.02);
  g_assert_null (fen_run_session_get_reason (session));
  assert_steps (session, 1);
  g_assert_finalize_object (session);
}

static void
test_no_run (Place *place, gconstpointer data)
{
  FenRunSession *session = fen_run_session_new_watch (place->folder);
  wait_for (session, is_final);
  g_assert_true (status_is (session, FEN_RUN_DAMAGED));
  g_assert_nonnull (fen_run_session_get_reason (session));
  g_assert_cmpint (phase (session), ==, FEN_PHASE_FAILED);
  g_assert_true (has_no_losses (session) && !has_damage (session));
  g_assert_finalize_object (session);

  session = fen_run_session_new_watch ("/nowhere/at/all");
  wait_for (session, is_final);
  g_assert_nonnull (fen_run_session_get_reason (session));
  g_assert_cmpstr (fen_run_session_get_name (session), ==, "all");
  g_assert_finalize_object (session);
}

/* ---- large, late and dropped ---- */

/* More lines than a bite, with an undone part in the middle. */
static void
test_long (Place *place, gconstpointer data)
{
  g_autofree char *path = past_run (place, 4);
  g_autofree char *metrics = g_build_filename (path, "metrics.jsonl", NULL);
  g_autoptr (GString) text = g_string_new (NULL);
  for (int i = 1; i <= 8000; i++)
    g_string_append_printf (
        text, "{\"v\":1,\"kind\":\"train\",\"time\":%d,\"step\":%d,\"loss\":2.5,\"tokens\":%d,\"lr\":1e-3}\n",
        1000000000 + i, i, 64 * i);
  g_string_append (text, "{\"v\":1,\"kind\":\"event\",\"time\":1000009000,\"step\":5000,\"level\":\"info\","
                         "\"event\":\"resume\",\"text\":\"continues\"}\n");
  for (int i = 5001; i <= 6000; i++)
    g_string_append_printf (text,
                            "{\"v\":1,\"kind\":\"train\",\"time\":%d,\"step\":%d,\"loss\":2,\"tokens\":%d}\n",
                            1000009000 + i, i, 64 * i);
  g_assert_true (g_file_set_contents (metrics, text->str, (gssize)text->len, NULL));
  FenRunSession *session = fen_run_session_new_watch (path);
  g_assert_true (fen_run_session_is_loading (session));
  wait_for (session, is_finished);
  assert_steps (session, 6000);
  FenRunData *values = fen_run_session_get_data (session);
  const FenSeries *loss = fen_run_data_series (values, FEN_CURVE_LOSS);
  g_assert_true (fen_series_breaks_at (loss, 5000));
  g_assert_cmpfloat (fen_series_x (loss, FEN_AXIS_TOKENS, 5999), ==, 64.0 * 6000);
  g_assert_finalize_object (session);
}

/* The main loop stands still so long that the ring runs over: every sample comes all the same. */
static void
test_stalled (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = small_config (place, 6000);
  config->max_seq_len = 8;
  config->window_size = 0;
  config->batch_size = 1;
  config->gradient_accumulation_steps = 1;
  config->eval_interval = config->checkpoint_interval = 0;
  FenRunSession *session = start (config);
  wait_for (session, has_trained);
  const char *path = fen_run_session_get_path (session);
  for (int i = 0; i < PATIENCE_S * 100; i++)
    {
      g_autoptr (FenRunInfo) info = fen_run_info (path);
      if (info->step >= 5900)
        break;
      g_usleep (10000);
    }
  wait_for (session, is_finished);
  assert_steps (session, 6000);
  g_assert_finalize_object (session);
}

static void
test_dropped (Place *place, gconstpointer data)
{
  g_autofree char *path = past_run (place, 10);
  g_autoptr (FenConfig) config = small_config (place, 1000000);
  for (int i = 0; i < 24; i++)
    {
      g_autoptr (GError) error = NULL;
      FenRunSession *session = i % 3 == 0   ? fen_run_session_new_watch (path)
                               : i % 3 == 1 ? start (config)
                                            : fen_run_session_new_resume (path, 1000000, &error);
      g_assert_no_error (error);
      wait_some (session, never, 0.002 * i * (i % 5));
      g_assert_finalize_object (session);
      fen_run_sessions_wait ();
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function)                                                                                  \
  g_test_add ("/run-session/" name, Place, NULL, place_set_up, function, place_tear_down)
  ADD ("own", test_own);
  ADD ("badge", test_badge);
  ADD ("commands", test_commands);
  ADD ("resume", test_resume);
  ADD ("refused", test_refused);
  ADD ("suggestions", test_suggestions);
  ADD ("watched", test_watched);
  ADD ("killed", test_killed);
  ADD ("idle", test_idle);
  ADD ("taken-over", test_taken_over);
  ADD ("unreadable", test_unreadable);
  ADD ("damaged-lines", test_damaged_lines);
  ADD ("replaced", test_replaced);
  ADD ("no-run", test_no_run);
  ADD ("long", test_long);
  ADD ("stalled", test_stalled);
  ADD ("dropped", test_dropped);
  return g_test_run ();
}
