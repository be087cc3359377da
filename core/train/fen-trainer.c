/* fen-trainer.c: the trainer's door: making one, commands, status, the worker's beginning and end. */
#include "core/train/fen-trainer-private.h"

#include "core/base/fen-error.h"
#include "core/base/fen-io.h"
#include "core/config/fen-presets.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RING_CAPACITY 4096

static const char *const phase_names[]
    = { "new",     "planning", "tokenizing", "loading",  "training", "evaluating", "checkpointing",
        "pausing", "paused",   "stopping",   "finished", "stopped",  "failed" };
G_STATIC_ASSERT (G_N_ELEMENTS (phase_names) == FEN_PHASE_FAILED + 1);

const char *
fen_trainer_phase_name (FenTrainerPhase phase)
{
  return phase_names[phase];
}

/* ---- making ---- */

static void
make_absolute (char **path)
{
  char *absolute = g_canonicalize_filename (*path, NULL);
  g_free (*path);
  *path = absolute;
}

/* A run folder's config.json means the same from every working directory. */
static void
make_paths_absolute (FenConfig *config)
{
  if (config->dataset_file[0] != '\0')
    make_absolute (&config->dataset_file);
  if (config->output_dir[0] != '\0')
    make_absolute (&config->output_dir);
  if (config->log_file[0] != '\0')
    make_absolute (&config->log_file);
  if (fen_preset_find (config->model) == NULL && g_file_test (config->model, G_FILE_TEST_EXISTS))
    make_absolute (&config->model);
  if (config->tokenizer[0] != '\0' && strcmp (config->tokenizer, "bytes") != 0
      && !g_str_has_prefix (config->tokenizer, "bpe:") && g_file_test (config->tokenizer, G_FILE_TEST_EXISTS))
    make_absolute (&config->tokenizer);
}

static FenRunInfo *
info_new (const FenConfig *config)
{
  FenRunInfo *info = g_new0 (FenRunInfo, 1);
  info->name = g_strdup (config->run_name);
  info->reason = g_strdup ("");
  info->model = g_strdup (config->model);
  info->dataset = g_strdup (config->dataset_file);
  info->device = g_strdup ("");
  info->peak = g_strdup ("");
  info->steps = config->steps;
  info->loss = info->eval_loss = NAN;
  info->started = g_get_real_time () / G_USEC_PER_SEC;
  return info;
}

static FenTrainer *
trainer_new (FenConfig *config, GError **error)
{
  FenTrainer *trainer = g_new0 (FenTrainer, 1);
  trainer->config = config;
  make_paths_absolute (config);
  pthread_mutex_init (&trainer->mutex, NULL);
  trainer->command_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  trainer->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  trainer->ring = fen_ring_new (RING_CAPACITY);
  trainer->cancellable = g_cancellable_new ();
  trainer->notes = g_ptr_array_new_with_free_func (g_free);
  trainer->damaged = g_ptr_array_new_with_free_func (g_free);
  trainer->monitor = fen_monitor_new ();
  trainer->info = info_new (config);
  fen_train_state_init (&trainer->state);
  trainer->state.seed = (guint64)config->seed;
  trainer->checkpoint_step = -1;
  trainer->rows_first = trainer->counted_first = -1;
  trainer->status = (FenTrainerStatus){ .phase = FEN_PHASE_NEW,
                                        .progress = -1,
                                        .steps = config->steps,
                                        .loss = NAN,
                                        .smoothed_loss = NAN,
                                        .eval_loss = NAN,
                                        .tokens_per_second = NAN,
                                        .eta_seconds = NAN,
                                        .checkpoint_step = -1 };
  if (trainer->command_fd >= 0 && trainer->wake_fd >= 0)
    return trainer;
  fen_error_set_errno (error, errno, "eventfd", "cannot make the command channel");
  fen_trainer_free (trainer);
  return NULL;
}

FenTrainer *
fen_trainer_new (const FenConfig *config, GError **error)
{
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  if (!fen_config_validate (config, notes, error))
    return NULL;
  FenTrainer *trainer = trainer_new (fen_config_copy (config), error);
  if (trainer != NULL)
    g_ptr_array_extend_and_steal (trainer->notes, g_steal_pointer (&notes));
  return trainer;
}

/* The folder's own configuration, with the number of steps that is wanted now. */
static FenConfig *
load_run_config (FenRunFolder *folder, gint64 steps, GPtrArray *notes, GError **error)
{
  g_autoptr (FenConfig) config = fen_config_new ();
  g_autofree char *path = fen_run_folder_file (folder, "config.json");
  if (!fen_config_load (config, path, error))
    return NULL;
  if (steps > 0)
    config->steps = steps;
  return fen_config_validate (config, notes, error) ? g_steal_pointer (&config) : NULL;
}

FenTrainer *
fen_trainer_new_resume (const char *run_path, gint64 steps, GError **error)
{
  g_autoptr (FenRunFolder) folder = fen_run_folder_open (run_path, error);
  if (folder == NULL)
    return NULL;
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  FenConfig *config = load_run_config (folder, steps, notes, error);
  if (config == NULL)
    return NULL;
  g_autoptr (FenRunInfo) before = fen_run_info (fen_run_folder_path (folder));
  if (before->has_model && before->checkpoint_step >= config->steps)
    {
      g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_STATE,
                   "%s: all %" G_GINT64_FORMAT " steps are done; ask for more steps to go on", run_path,
                   config->steps);
      fen_config_free (config);
      return NULL;
    }
  FenTrainer *trainer = trainer_new (config, error);
  if (trainer == NULL)
    return NULL;
  trainer->resume = TRUE;
  trainer->folder = g_steal_pointer (&folder);
  trainer->run_path = g_strdup (fen_run_folder_path (trainer->folder));
  if (before->started > 0 && before->status != FEN_RUN_DAMAGED)
    trainer->info->started = before->started;
  g_ptr_array_extend_and_steal (trainer->notes, g_steal_pointer (&notes));
  return trainer;
}

static void
close_run (FenTrainer *trainer)
{
  g_clear_pointer (&trainer->gpu, fen_gpu_monitor_free);
  g_clear_pointer (&trainer->engine, fen_engine_free);
  if (trainer->device != NULL)
    trainer->choice.backend->close (trainer->device);
  trainer->device = NULL;
  g_clear_pointer (&trainer->dataset, fen_dataset_unref);
  g_clear_pointer (&trainer->tokenizer, fen_tokenizer_unref);
  g_clear_pointer (&trainer->model, fen_model_unref);
  g_clear_pointer (&trainer->metrics, fen_metrics_writer_free);
  g_clear_pointer (&trainer->rows.tokens, g_free);
  g_clear_pointer (&trainer->rows.targets, g_free);
  g_clear_pointer (&trainer->rows.positions, g_free);
  g_clear_pointer (&trainer->rows.doc_start, g_free);
  g_clear_pointer (&trainer->rows.doc_end, g_free);
  /* Last: with the lock gone another process may go on with the run. */
  g_clear_pointer (&trainer->folder, fen_run_folder_free);
}

void
fen_trainer_free (FenTrainer *trainer)
{
  if (trainer == NULL)
    return;
  if (trainer->thread != NULL)
    {
      fen_trainer_command (trainer, FEN_COMMAND_STOP);
      fen_trainer_join (trainer, NULL);
    }
  close_run (trainer);
  if (trainer->command_fd >= 0)
    close (trainer->command_fd);
  if (trainer->wake_fd >= 0)
    close (trainer->wake_fd);
  fen_ring_free (trainer->ring);
  fen_monitor_free (trainer->monitor);
  fen_run_info_free (trainer->info);
  fen_config_free (trainer->config);
  g_object_unref (trainer->cancellable);
  g_ptr_array_unref (trainer->notes);
  g_ptr_array_unref (trainer->damaged);
  g_clear_pointer (&trainer->plan, fen_plan_unref);
  g_clear_error (&trainer->error);
  g_free (trainer->run_path);
  g_free (trainer->tokenizer_source);
  g_free (trainer->checkpoint_path);
  pthread_mutex_destroy (&trainer->mutex);
  g_free (trainer);
}

/* ---- the worker ---- */

gboolean
fen_trainer_stop_wanted (FenTrainer *trainer)
{
  return atomic_load (&trainer->stop) || atomic_load (&trainer->abandon);
}

gboolean
fen_trainer_go_on (FenTrainer *trainer, GError **error)
{
  if (!fen_trainer_stop_wanted (trainer))
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "stopped before the first step");
  return FALSE;
}

/* A new run that failed before its first step (weights that are NaN, memory that the machine does not give) leaves
 * nothing behind, not even its name. */
static void
remove_unbegun (FenTrainer *trainer)
{
  g_autofree char *path = NULL;
  pthread_mutex_lock (&trainer->mutex);
  path = g_steal_pointer (&trainer->run_path);
  pthread_mutex_unlock (&trainer->mutex);
  if (path != NULL)
    fen_io_remove_tree (path, NULL);
}

/* Writes the end of the run where everybody will look for it: run.json, metrics.jsonl, log.txt, status. */
static void
finish (FenTrainer *trainer, gboolean begun, gboolean ok, GError *error)
{
  const gboolean stopped
      = ok ? trainer->state.step < trainer->config->steps
           : g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) && fen_trainer_stop_wanted (trainer);
  const FenRunStatus status = stopped ? FEN_RUN_STOPPED : ok ? FEN_RUN_FINISHED : FEN_RUN_FAILED;
  const FenTrainerPhase phase = stopped ? FEN_PHASE_STOPPED : ok ? FEN_PHASE_FINISHED : FEN_PHASE_FAILED;
  const char *reason = status == FEN_RUN_FAILED ? error->message : "";

  if (trainer->folder != NULL)
    {
      g_autoptr (GError) failure = NULL;
      fen_trainer_event (trainer, status == FEN_RUN_FAILED ? FEN_EVENT_ERROR : FEN_EVENT_INFO, "end",
                         "%s%s%s", fen_run_status_name (status), *reason != '\0' ? ": " : "", reason);
      trainer->info->ended = g_get_real_time () / G_USEC_PER_SEC;
      if (!fen_trainer_save_info (trainer, status, reason, &failure))
        fen_trainer_log (trainer, "run.json: %s", failure->message);
    }
  if (status == FEN_RUN_FAILED && !begun && !trainer->resume)
    remove_unbegun (trainer);
  close_run (trainer);
  pthread_mutex_lock (&trainer->mutex);
  if (status == FEN_RUN_FAILED)
    trainer->error = error;
  else
    g_clear_error (&error);
  pthread_mutex_unlock (&trainer->mutex);
  fen_trainer_set_phase (trainer, phase, phase == FEN_PHASE_FINISHED ? 1 : -1, "%s",
                         status == FEN_RUN_FAILED ? reason : fen_trainer_phase_name (phase));
}

static gpointer
work (gpointer data)
{
  FenTrainer *trainer = data;
  GError *error = NULL;
  const gboolean begun = fen_trainer_prepare (trainer, &error) && fen_trainer_open (trainer, &error);
  const gboolean ok = begun && fen_trainer_loop (trainer, &error);
  finish (trainer, begun, ok, error);
  return NULL;
}

void
fen_trainer_start (FenTrainer *trainer)
{
  g_return_if_fail (trainer->thread == NULL && !trainer->joined);
  trainer->thread = g_thread_new ("fen-trainer", work, trainer);
}

gboolean
fen_trainer_join (FenTrainer *trainer, GError **error)
{
  if (trainer->thread != NULL)
    g_thread_join (trainer->thread);
  trainer->thread = NULL;
  trainer->joined = TRUE;
  if (trainer->error != NULL && error != NULL)
    *error = g_error_copy (trainer->error);
  return trainer->error == NULL;
}

/* ---- commands: nothing here may lock or allocate, a signal handler may be calling ---- */

void
fen_trainer_command (FenTrainer *trainer, FenTrainerCommand command)
{
  const int saved = errno;
  const guint64 one = 1;
  switch (command)
    {
    case FEN_COMMAND_PAUSE:
      atomic_store (&trainer->pause, true);
      break;
    case FEN_COMMAND_CONTINUE:
      atomic_store (&trainer->pause, false);
      break;
    case FEN_COMMAND_STOP:
      atomic_store (&trainer->stop, true);
      break;
    case FEN_COMMAND_CHECKPOINT:
      atomic_store (&trainer->checkpoint, true);
      break;
    case FEN_COMMAND_ABANDON:
      atomic_store (&trainer->abandon, true);
      break;
    }
  /* A full counter (EAGAIN) wakes as well. */
  if (write (trainer->command_fd, &one, sizeof one) < 0)
    errno = saved;
  errno = saved;
}

/* ---- looking ---- */

int
fen_trainer_fd (FenTrainer *trainer)
{
  return trainer->wake_fd;
}

gboolean
fen_trainer_poll (FenTrainer *trainer, FenSample *sample)
{
  guint64 count;
  if (fen_ring_pop (trainer->ring, sample))
    return TRUE;
  /* Made quiet first and looked at again after: a sample pushed in between makes it readable once more. */
  if (read (trainer->wake_fd, &count, sizeof count) < 0)
    return fen_ring_pop (trainer->ring, sample);
  return fen_ring_pop (trainer->ring, sample);
}

guint64
fen_trainer_dropped (FenTrainer *trainer)
{
  return fen_ring_dropped (trainer->ring);
}

void
fen_trainer_status (FenTrainer *trainer, FenTrainerStatus *status)
{
  pthread_mutex_lock (&trainer->mutex);
  *status = trainer->status;
  pthread_mutex_unlock (&trainer->mutex);
  /* A command that the worker has not taken up yet shows all the same. */
  const gboolean running = status->phase == FEN_PHASE_TRAINING || status->phase == FEN_PHASE_EVALUATING;
  const gboolean before = status->phase >= FEN_PHASE_PLANNING && status->phase <= FEN_PHASE_LOADING;
  if ((running || before || status->phase == FEN_PHASE_PAUSED) && fen_trainer_stop_wanted (trainer))
    status->phase = FEN_PHASE_STOPPING;
  else if (running && atomic_load (&trainer->pause))
    status->phase = FEN_PHASE_PAUSING;
}

gboolean
fen_trainer_is_final (FenTrainer *trainer)
{
  FenTrainerStatus status;
  fen_trainer_status (trainer, &status);
  return status.phase >= FEN_PHASE_FINISHED;
}

char *
fen_trainer_run_path (FenTrainer *trainer)
{
  pthread_mutex_lock (&trainer->mutex);
  char *path = g_strdup (trainer->run_path);
  pthread_mutex_unlock (&trainer->mutex);
  return path;
}

FenPlan *
fen_trainer_plan (FenTrainer *trainer)
{
  pthread_mutex_lock (&trainer->mutex);
  FenPlan *plan = trainer->plan != NULL ? fen_plan_ref (trainer->plan) : NULL;
  pthread_mutex_unlock (&trainer->mutex);
  return plan;
}

FenConfig *
fen_trainer_config (FenTrainer *trainer)
{
  return fen_config_copy (trainer->config);
}

GError *
fen_trainer_error (FenTrainer *trainer)
{
  pthread_mutex_lock (&trainer->mutex);
  GError *error = trainer->error != NULL ? g_error_copy (trainer->error) : NULL;
  pthread_mutex_unlock (&trainer->mutex);
  return error;
}

GPtrArray *
fen_trainer_notes (FenTrainer *trainer)
{
  GPtrArray *notes = g_ptr_array_new_with_free_func (g_free);
  pthread_mutex_lock (&trainer->mutex);
  for (guint i = 0; i < trainer->notes->len; i++)
    g_ptr_array_add (notes, g_strdup (trainer->notes->pdata[i]));
  pthread_mutex_unlock (&trainer->mutex);
  return notes;
}
