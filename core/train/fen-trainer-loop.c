/* fen-trainer-loop.c: steps, evaluations, checkpoints and the final model.
 *
 * After each step, in this order: evaluation when it is due, checkpoint when it is due, commands. So everything that
 * metrics.jsonl says up to a checkpoint's step was written before the checkpoint, and a resumed run writes exactly the
 * lines that follow.
 */
#include "core/train/fen-trainer-private.h"

#include "core/base/fen-io.h"
#include "core/base/fen-number.h"
#include "core/train/fen-checkpoint-private.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* ---- a step ---- */

static FenBatch
current_batch (FenTrainer *trainer, gint64 n_rows)
{
  return (FenBatch){ .rows = n_rows,
                     .row_tokens = trainer->config->max_seq_len,
                     .tokens = trainer->rows.tokens,
                     .targets = trainer->rows.targets,
                     .doc_start = trainer->rows.doc_start,
                     .doc_end = trainer->rows.doc_end,
                     .positions = trainer->rows.positions };
}

/* Rows first .. first + batch_size - 1 into trainer->rows; returns the targets in them, -1 with an error. */
static gint64
fill_rows (FenTrainer *trainer, gint64 first, GError **error)
{
  const gint64 n = fen_dataset_fill (trainer->dataset, FEN_SPLIT_TRAIN, first, trainer->config->batch_size,
                                     &trainer->rows, error);
  trainer->rows_first = n < 0 ? -1 : first;
  return n;
}

/* Targets of the whole optimizer step that begins with row `first`: the gradient is that of their mean, however they are
 * spread over micro-batches. Counted beforehand instead of kept: many micro-batches of a long context would not fit.
 * From the last micro-batch to the first, which is then ready to be used. */
static gint64
count_targets (FenTrainer *trainer, gint64 first, GError **error)
{
  const FenConfig *config = trainer->config;
  if (trainer->counted_first == first)
    return trainer->counted;
  trainer->counted_first = -1;
  trainer->counted = 0;
  for (gint64 i = config->gradient_accumulation_steps - 1; i >= 0; i--)
    {
      const gint64 n = fill_rows (trainer, first + i * config->batch_size, error);
      if (n < 0)
        return -1;
      trainer->counted += n;
    }
  trainer->counted_first = first;
  return trainer->counted;
}

static gboolean
accumulate (FenTrainer *trainer, GError **error)
{
  const FenConfig *config = trainer->config;
  const gint64 n_targets = count_targets (trainer, trainer->state.rows_consumed, error);
  if (n_targets < 0)
    return FALSE;
  const double grad_scale = 1.0 / (double)MAX (n_targets, 1);
  for (gint64 i = 0; i < config->gradient_accumulation_steps; i++)
    {
      const gint64 first = trainer->state.rows_consumed + i * config->batch_size;
      if (trainer->rows_first != first && fill_rows (trainer, first, error) < 0)
        return FALSE;
      const FenBatch batch = current_batch (trainer, config->batch_size);
      if (!fen_engine_micro_step (trainer->engine, &batch, grad_scale, error))
        return FALSE;
    }
  return TRUE;
}

/* The update; a GPU is busy with it and all that came before while the next step's rows are made. What goes wrong with
 * them is told when their turn comes. */
static gboolean
run_update (FenTrainer *trainer, const FenUpdate *update, FenUpdateResult *result, GError **error)
{
  const FenConfig *config = trainer->config;
  const gint64 n_rows = config->batch_size * config->gradient_accumulation_steps;
  fen_engine_update_begin (trainer->engine, update);
  if (trainer->state.step + 1 < config->steps)
    count_targets (trainer, trainer->state.rows_consumed + n_rows, NULL);
  return fen_engine_update_end (trainer->engine, result, error);
}

/* Counts an update that was left out. FALSE when there were too many in a row: training goes nowhere from here. With
 * fp16 the engine halves its loss scale each time, so only skips at the smallest scale count. */
static gboolean
count_skipped (FenTrainer *trainer, const FenUpdateResult *result, double scale_before, GError **error)
{
  FenTrainState *state = &trainer->state;
  if (!result->skipped)
    {
      state->skipped_in_row = 0;
      return TRUE;
    }
  state->skipped_updates++;
  if (scale_before <= 1)
    state->skipped_in_row++;
  fen_trainer_event (trainer, FEN_EVENT_WARNING, "not-finite",
                     "the gradient is not finite: the update is left out (%" G_GINT64_FORMAT " in all)",
                     state->skipped_updates);
  if (state->skipped_in_row < FEN_TRAINER_MAX_SKIPPED)
    return TRUE;
  g_set_error (
      error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NOT_FINITE,
      "%d updates in a row had a gradient that is not finite; %s; a lower learning_rate or grad_clip "
      "may help",
      FEN_TRAINER_MAX_SKIPPED,
      trainer->checkpoint_step < 0 ? "no checkpoint had been written yet" : "the last checkpoint is intact");
  return FALSE;
}

static gboolean
train_step (FenTrainer *trainer, GError **error)
{
  const FenConfig *config = trainer->config;
  FenTrainState *state = &trainer->state;
  const FenUpdate update = { .learning_rate = fen_config_learning_rate (config, state->step),
                             .beta1 = config->beta1,
                             .beta2 = config->beta2,
                             .epsilon = config->adam_epsilon,
                             .weight_decay = config->weight_decay,
                             .grad_clip = config->grad_clip,
                             .decay_all = config->decay_all };
  const double scale_before = fen_engine_loss_scale (trainer->engine);
  FenUpdateResult result;
  const gint64 begin = g_get_monotonic_time ();
  if (!accumulate (trainer, error) || !run_update (trainer, &update, &result, error))
    return FALSE;
  const double step_us = (double)(g_get_monotonic_time () - begin);

  const gint64 n_rows = config->batch_size * config->gradient_accumulation_steps;
  state->step++;
  state->rows_consumed += n_rows;
  state->tokens += n_rows * config->max_seq_len;
  state->update_count = fen_engine_update_count (trainer->engine);
  state->loss_scale = fen_engine_loss_scale (trainer->engine);
  /* Rows of one-token documents have nothing to predict: their loss is unknown, not 0. */
  state->loss = result.n_targets > 0 ? result.loss_sum / (double)result.n_targets : NAN;
  const gboolean go_on = count_skipped (trainer, &result, scale_before, error);
  if (!isfinite (state->loss))
    fen_trainer_event (trainer, FEN_EVENT_WARNING, "not-finite",
                       result.n_targets > 0 ? "the loss of step %" G_GINT64_FORMAT " is not finite"
                                            : "step %" G_GINT64_FORMAT " had no token to predict",
                       state->step);
  fen_trainer_report_step (trainer, &result, state->loss, step_us, update.learning_rate);
  return go_on;
}

/* ---- evaluation ---- */

static gboolean
evaluate (FenTrainer *trainer, GError **error)
{
  const FenConfig *config = trainer->config;
  const gint64 all = fen_dataset_info (trainer->dataset)->eval_rows;
  const gint64 n_rows = config->eval_rows > 0 ? MIN (config->eval_rows, all) : all;
  const gint64 begin = g_get_monotonic_time ();
  double loss_sum = 0;
  gint64 n_targets = 0;
  for (gint64 first = 0; first < n_rows; first += config->batch_size)
    {
      const gint64 now = MIN (config->batch_size, n_rows - first);
      const FenBatch batch = current_batch (trainer, now);
      double loss = 0;
      fen_trainer_set_phase (trainer, FEN_PHASE_EVALUATING, (double)first / (double)n_rows, "evaluating");
      trainer->rows_first = -1;
      const gint64 n = fen_dataset_fill (trainer->dataset, FEN_SPLIT_EVAL, first, now, &trainer->rows, error);
      if (n < 0 || !fen_engine_evaluate (trainer->engine, &batch, &loss, error))
        return FALSE;
      loss_sum += loss;
      n_targets += n;
    }
  trainer->eval_us = (double)(g_get_monotonic_time () - begin);
  trainer->state.eval_loss = n_targets > 0 ? loss_sum / (double)n_targets : NAN;
  trainer->state.eval_step = trainer->state.step;
  fen_trainer_report_eval (trainer, trainer->state.eval_loss, n_rows, trainer->eval_us / G_USEC_PER_SEC);
  return TRUE;
}

static gboolean
evaluation_due (FenTrainer *trainer)
{
  const gint64 step = trainer->state.step, interval = trainer->config->eval_interval;
  return fen_dataset_info (trainer->dataset)->eval_rows > 0 && step > 0 && trainer->state.eval_step != step
         && (step == trainer->config->steps || (interval > 0 && step % interval == 0));
}

/* ---- checkpoints ---- */

static gboolean
write_checkpoint (FenTrainer *trainer, GError **error)
{
  FenCheckpointContent content;
  g_autofree char *tokenizer = fen_run_folder_file (trainer->folder, "tokenizer.json");
  g_autofree char *model_config
      = fen_model_config_json (trainer->model, fen_plan_settings (trainer->plan)->storage);
  FenTrainState *state = &trainer->state;
  g_strlcpy (state->dataset_hash, fen_dataset_info (trainer->dataset)->content_hash,
             sizeof state->dataset_hash);
  g_strlcpy (state->tokenizer_fingerprint, fen_tokenizer_fingerprint (trainer->tokenizer),
             sizeof state->tokenizer_fingerprint);
  fen_checkpoint_content_init (&content, trainer->engine);
  content.model_config = model_config;
  content.tokenizer_path = tokenizer;
  return fen_run_folder_is_there (trainer->folder, error) && fen_metrics_writer_sync (trainer->metrics, error)
         && fen_checkpoint_write (fen_run_folder_path (trainer->folder), &content, state,
                                  (guint)trainer->config->keep_checkpoints, error)
         && fen_trainer_save_info (trainer, FEN_RUN_RUNNING, "", error);
}

/* With `required` (the end of the run) a failure is an error; otherwise the run goes on, tells it, and tries again when
 * the next one is due: hours of training are not thrown away for a disk that somebody may clean up. */
static gboolean
checkpoint (FenTrainer *trainer, gboolean required, GError **error)
{
  g_autoptr (GError) failure = NULL;
  const gint64 begin = g_get_monotonic_time ();
  fen_trainer_set_phase (trainer, FEN_PHASE_CHECKPOINTING, -1,
                         "writing the checkpoint of step %" G_GINT64_FORMAT, trainer->state.step);
  if (write_checkpoint (trainer, &failure))
    {
      trainer->checkpoint_step = trainer->state.step;
      pthread_mutex_lock (&trainer->mutex);
      trainer->status.checkpoint_step = trainer->checkpoint_step;
      pthread_mutex_unlock (&trainer->mutex);
      fen_trainer_event (
          trainer, FEN_EVENT_INFO, "checkpoint", "step %" G_GINT64_FORMAT " in %s s", trainer->state.step,
          fen_number ("%.1f", (double)(g_get_monotonic_time () - begin) / G_USEC_PER_SEC).text);
      return TRUE;
    }
  fen_trainer_event (trainer, required ? FEN_EVENT_ERROR : FEN_EVENT_WARNING, "checkpoint-failed", "%s%s",
                     failure->message, required ? "" : "; the run goes on and tries again at the next one");
  if (!required)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

static gboolean
checkpoint_due (FenTrainer *trainer)
{
  const gint64 step = trainer->state.step, interval = trainer->config->checkpoint_interval;
  return trainer->checkpoint_step != step && interval > 0 && step > 0 && step % interval == 0;
}

/* ---- the final model ---- */

static gboolean
read_param (const FenParam *param, gint64 first, gint64 n, float *values, gpointer engine, GError **error)
{
  return fen_engine_read_param (engine, param, first, n, values, error);
}

/* Copies the run's tokenizer files into a model folder. */
static gboolean
add_tokenizer (FenTrainer *trainer, const char *folder, GError **error)
{
  static const char *const names[] = { "tokenizer.json", "tokenizer_config.json" };
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *source = fen_run_folder_file (trainer->folder, names[i]);
      g_autofree char *target = g_build_filename (folder, names[i], NULL);
      g_autofree char *text = NULL;
      gsize bytes;
      if (!g_file_test (source, G_FILE_TEST_EXISTS))
        continue;
      if (!g_file_get_contents (source, &text, &bytes, error)
          || !fen_io_write_file (target, text, bytes, error))
        return FALSE;
    }
  return TRUE;
}

/* model/ is whole or not there, like a checkpoint. Its values are what evaluation used: the storage type. */
static gboolean
save_model (FenTrainer *trainer, GError **error)
{
  g_autofree char *target = fen_run_folder_file (trainer->folder, "model");
  g_autofree char *temporary = fen_run_folder_file (trainer->folder, ".model.writing.tmp");
  g_autofree char *replaced = fen_run_folder_file (trainer->folder, ".model.replaced.tmp");
  fen_trainer_set_phase (trainer, FEN_PHASE_CHECKPOINTING, -1, "writing the model");
  if (!fen_run_folder_is_there (trainer->folder, error) || !fen_io_remove_tree (temporary, error)
      || !fen_model_save (trainer->model, temporary, fen_plan_settings (trainer->plan)->storage, read_param,
                          trainer->engine, error)
      || !add_tokenizer (trainer, temporary, error) || !fen_io_sync_folder (temporary, error)
      || !fen_checkpoint_publish (temporary, target, replaced, error))
    {
      fen_io_remove_tree (temporary, NULL);
      return FALSE;
    }
  fen_trainer_log (trainer, "model: %s", target);
  return TRUE;
}

/* ---- the loop ---- */

/* Waits until the run is to go on or to end. Checkpoints asked for meanwhile are written. */
static gboolean
wait_while_paused (FenTrainer *trainer, GError **error)
{
  if (!atomic_load (&trainer->pause) || fen_trainer_stop_wanted (trainer))
    return TRUE;
  fen_trainer_event (trainer, FEN_EVENT_INFO, "pause", "paused after step %" G_GINT64_FORMAT,
                     trainer->state.step);
  while (atomic_load (&trainer->pause) && !fen_trainer_stop_wanted (trainer))
    {
      guint64 count;
      struct pollfd command = { .fd = trainer->command_fd, .events = POLLIN };
      if (atomic_exchange (&trainer->checkpoint, false) && !checkpoint (trainer, FALSE, error))
        return FALSE;
      fen_trainer_set_phase (trainer, FEN_PHASE_PAUSED,
                             (double)trainer->state.step / (double)trainer->config->steps, "paused");
      if (poll (&command, 1, -1) > 0 && read (trainer->command_fd, &count, sizeof count) < 0
          && errno != EAGAIN)
        break;
    }
  fen_trainer_event (trainer, FEN_EVENT_INFO, "continue", "goes on after step %" G_GINT64_FORMAT,
                     trainer->state.step);
  return TRUE;
}

static gboolean
take_commands (FenTrainer *trainer, GError **error)
{
  if (atomic_exchange (&trainer->checkpoint, false) && trainer->checkpoint_step != trainer->state.step
      && !checkpoint (trainer, FALSE, error))
    return FALSE;
  return wait_while_paused (trainer, error);
}

static gboolean
after_step (FenTrainer *trainer, GError **error)
{
  if (evaluation_due (trainer) && !evaluate (trainer, error))
    return FALSE;
  return !checkpoint_due (trainer) || checkpoint (trainer, FALSE, error);
}

/* After a lost device the first question is what is left of the run. */
static gboolean
fail_step (FenTrainer *trainer, GError **error)
{
  if (error == NULL || !g_error_matches (*error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_LOST))
    return FALSE;
  char *message = (*error)->message;
  (*error)->message = trainer->checkpoint_step >= 0
                          ? g_strdup_printf ("%s; the checkpoint of step %" G_GINT64_FORMAT " is intact",
                                             message, trainer->checkpoint_step)
                          : g_strdup_printf ("%s; there is no checkpoint yet", message);
  g_free (message);
  return FALSE;
}

gboolean
fen_trainer_loop (FenTrainer *trainer, GError **error)
{
  const gint64 steps = trainer->config->steps;
  pthread_mutex_lock (&trainer->mutex);
  trainer->status.step = trainer->state.step;
  trainer->status.tokens = trainer->state.tokens;
  trainer->status.checkpoint_step = trainer->checkpoint_step;
  trainer->status.loss = trainer->state.loss;
  trainer->status.eval_loss = trainer->state.eval_loss;
  pthread_mutex_unlock (&trainer->mutex);
  fen_trainer_set_phase (trainer, FEN_PHASE_TRAINING, (double)trainer->state.step / (double)MAX (steps, 1),
                         "training");
  if (!after_step (trainer, error))
    return FALSE;
  while (trainer->state.step < steps)
    {
      if (!take_commands (trainer, error))
        return FALSE;
      if (fen_trainer_stop_wanted (trainer))
        break;
      if (!train_step (trainer, error) || !after_step (trainer, error))
        return fail_step (trainer, error);
    }
  if (trainer->n_timed > 0)
    fen_trainer_report_memory (trainer);
  if (atomic_load (&trainer->abandon) && trainer->state.step < steps)
    return TRUE;
  /* A stop before the first step of a new run leaves nothing worth a checkpoint. */
  if (trainer->checkpoint_step != trainer->state.step && trainer->state.step > 0
      && !checkpoint (trainer, TRUE, error))
    return FALSE;
  return trainer->state.step < steps || save_model (trainer, error);
}
