/* fen-trainer-report.c: everything the trainer says: to the ring, metrics.jsonl, log.txt, run.json and its status. */
#include "core/train/fen-trainer-private.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fen-number.h"

#define MEMORY_INTERVAL_US G_USEC_PER_SEC
#define LOG_INTERVAL_US (10 * G_USEC_PER_SEC)
#define WARM_UP_STEPS 2 /* first touches of memory, caches, thread start: not what the rest will take */
#define SMOOTHING 0.95  /* about the last 20 steps */

static void
wake (FenTrainer *trainer)
{
  const guint64 one = 1;
  /* EAGAIN: the counter is full, which is as readable as can be. */
  if (write (trainer->wake_fd, &one, sizeof one) < 0)
    g_debug ("eventfd: %s", g_strerror (errno));
}

void
fen_trainer_set_phase (FenTrainer *trainer, FenTrainerPhase phase, double progress, const char *format, ...)
{
  va_list args;
  pthread_mutex_lock (&trainer->mutex);
  FenTrainerStatus *status = &trainer->status;
  status->phase = phase;
  status->progress = progress;
  va_start (args, format);
  g_vsnprintf (status->message, sizeof status->message, format, args);
  va_end (args);
  const char *end;
  if (!g_utf8_validate (status->message, -1, &end))
    status->message[end - status->message] = '\0';
  pthread_mutex_unlock (&trainer->mutex);
  wake (trainer);
}

void
fen_trainer_log (FenTrainer *trainer, const char *format, ...)
{
  if (trainer->folder == NULL)
    return;
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  fen_run_folder_log (trainer->folder, text);
}

void
fen_trainer_note (FenTrainer *trainer, char *note)
{
  /* The log begins with all notes so far. */
  if (trainer->log_begun)
    fen_trainer_log (trainer, "note: %s", note);
  pthread_mutex_lock (&trainer->mutex);
  g_ptr_array_add (trainer->notes, note);
  pthread_mutex_unlock (&trainer->mutex);
}

/* A full disk must not end a run: what cannot be written is counted and told, once when it begins and once when it is
 * over. The ring has every sample all the same. */
static void
write_metrics (FenTrainer *trainer, const FenSample *sample)
{
  g_autoptr (GError) error = NULL;
  FenSample event;
  if (trainer->metrics == NULL)
    return;
  if (!fen_metrics_writer_write (trainer->metrics, sample, &error))
    {
      if (trainer->metrics_lost++ > 0)
        return;
      fen_sample_init_event (&event, trainer->state.step, FEN_EVENT_WARNING, "metrics-failed",
                             error->message);
      fen_ring_push (trainer->ring, &event);
      fen_trainer_log (trainer, "metrics-failed: %s", error->message);
      return;
    }
  if (trainer->metrics_lost == 0)
    return;
  g_autofree char *text = g_strdup_printf ("%" G_GUINT64_FORMAT " lines are missing, now there is room again",
                                           trainer->metrics_lost);
  trainer->metrics_lost = 0;
  fen_trainer_event (trainer, FEN_EVENT_WARNING, "metrics-failed", "%s", text);
}

void
fen_trainer_emit (FenTrainer *trainer, const FenSample *sample)
{
  write_metrics (trainer, sample);
  fen_ring_push (trainer->ring, sample);
  wake (trainer);
}

void
fen_trainer_event (FenTrainer *trainer, FenEventLevel level, const char *event, const char *format, ...)
{
  FenSample sample;
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  fen_sample_init_event (&sample, trainer->state.step, level, event, text);
  fen_trainer_log (trainer, "%s: %s", event, text);
  fen_trainer_emit (trainer, &sample);
}

/* ---- a step ---- */

static double
mean_step_us (FenTrainer *trainer)
{
  const gint64 usable = MIN (trainer->n_timed - WARM_UP_STEPS, FEN_TRAINER_RECENT_STEPS);
  double sum = 0;
  for (gint64 i = 0; i < usable; i++)
    sum += trainer->recent_us[(trainer->n_timed - 1 - i) % FEN_TRAINER_RECENT_STEPS];
  return usable > 0 ? sum / (double)usable : NAN;
}

/* The steps that are left at the recent pace, and the evaluations among them. */
static double
eta_seconds (FenTrainer *trainer, double step_us)
{
  const FenConfig *config = trainer->config;
  const gint64 left = config->steps - trainer->state.step;
  const gint64 evals = config->eval_interval > 0 ? config->steps / config->eval_interval
                                                       - trainer->state.step / config->eval_interval
                                                 : 1;
  return ((double)left * step_us + (double)evals * trainer->eval_us) / G_USEC_PER_SEC;
}

/* Exponential moving average that starts unbiased: s = sum of weights * losses, w = sum of weights. */
static double
smooth (FenTrainState *state, double loss)
{
  if (isfinite (loss))
    {
      state->smoothed_loss = SMOOTHING * state->smoothed_loss + (1 - SMOOTHING) * loss;
      state->smoothed_weight = SMOOTHING * state->smoothed_weight + (1 - SMOOTHING);
    }
  return state->smoothed_weight > 0 ? state->smoothed_loss / state->smoothed_weight : NAN;
}

static void
show_step (FenTrainer *trainer, const FenSample *sample, double mean_us)
{
  const double tokens = sample->tokens_per_second * sample->step_us;
  pthread_mutex_lock (&trainer->mutex);
  FenTrainerStatus *status = &trainer->status;
  status->phase = FEN_PHASE_TRAINING;
  status->step = sample->step;
  status->tokens = sample->tokens;
  status->progress = (double)sample->step / (double)MAX (trainer->config->steps, 1);
  status->loss = sample->loss;
  status->smoothed_loss = sample->smoothed_loss;
  status->tokens_per_second = isnan (mean_us) ? sample->tokens_per_second : tokens / mean_us;
  status->eta_seconds = sample->eta_seconds;
  status->skipped_updates = sample->skipped_updates;
  g_strlcpy (status->message, "training", sizeof status->message);
  pthread_mutex_unlock (&trainer->mutex);
}

void
fen_trainer_report_step (FenTrainer *trainer, const FenUpdateResult *result, double loss, double step_us,
                         double learning_rate)
{
  const FenConfig *config = trainer->config;
  const double tokens = (double)config->batch_size * (double)config->gradient_accumulation_steps
                        * (double)config->max_seq_len;
  FenSample sample;
  trainer->recent_us[trainer->n_timed++ % FEN_TRAINER_RECENT_STEPS] = step_us;
  const double mean_us = mean_step_us (trainer);

  fen_sample_init (&sample, FEN_SAMPLE_TRAIN, trainer->state.step);
  sample.tokens = trainer->state.tokens;
  sample.loss = loss;
  sample.smoothed_loss = smooth (&trainer->state, loss);
  sample.grad_norm = result->gradient_norm;
  sample.learning_rate = learning_rate;
  sample.step_us = step_us;
  sample.tokens_per_second = tokens / MAX (step_us, 1) * G_USEC_PER_SEC;
  sample.eta_seconds = eta_seconds (trainer, mean_us);
  if (trainer->peak.flops > 0)
    sample.mfu = fen_plan_flops_per_token (trainer->plan) * sample.tokens_per_second / trainer->peak.flops;
  sample.skipped = result->skipped;
  sample.skipped_updates = trainer->state.skipped_updates;
  show_step (trainer, &sample, mean_us);
  fen_trainer_emit (trainer, &sample);

  const gint64 now = g_get_monotonic_time ();
  if (now >= trainer->next_memory_us)
    {
      trainer->next_memory_us = now + MEMORY_INTERVAL_US;
      fen_trainer_report_memory (trainer);
    }
  if (now >= trainer->next_log_us)
    {
      trainer->next_log_us = now + LOG_INTERVAL_US;
      fen_trainer_log (trainer, "step %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT ": loss %s, %s tokens/s",
                       sample.step, config->steps, fen_number ("%.4f", loss).text,
                       fen_number ("%.0f", sample.tokens_per_second).text);
    }
}

void
fen_trainer_report_eval (FenTrainer *trainer, double loss, gint64 rows, double seconds)
{
  FenSample sample;
  fen_sample_init (&sample, FEN_SAMPLE_EVAL, trainer->state.step);
  sample.tokens = trainer->state.tokens;
  sample.loss = loss;
  sample.eval_rows = rows;
  sample.eval_seconds = seconds;
  pthread_mutex_lock (&trainer->mutex);
  trainer->status.eval_loss = loss;
  pthread_mutex_unlock (&trainer->mutex);
  fen_trainer_log (trainer, "step %" G_GINT64_FORMAT ": eval loss %s over %" G_GINT64_FORMAT " rows",
                   trainer->state.step, fen_number ("%.4f", loss).text, rows);
  fen_trainer_emit (trainer, &sample);
}

static void
add_host (FenTrainer *trainer, FenSample *sample)
{
  FenHostSample host;
  fen_monitor_sample (trainer->monitor, &host);
  sample->has_host = host.memory.has_rss && host.memory.has_peak && host.memory.has_available
                     && (host.memory.has_total || host.memory.has_limit);
  sample->process_rss_bytes = host.memory.rss_bytes;
  sample->process_peak_bytes = host.memory.peak_bytes;
  sample->host_available_bytes = host.memory.available_bytes;
  sample->host_total_bytes = host.memory.has_limit ? host.memory.limit_bytes : host.memory.total_bytes;
  sample->cpu_process = host.cpu_process;
  sample->cpu_machine = host.cpu_machine;
  if (!trainer->choice.properties.host_memory)
    return;
  /* The device's memory is the host's. */
  sample->temperature = host.temperature;
  sample->has_device_process = host.memory.has_rss;
  sample->device_process_bytes = host.memory.rss_bytes;
}

/* Is the card's memory the device's? A slice of a card (MIG) has less. */
static gboolean
is_whole_card (FenTrainer *trainer, const FenGpuSample *gpu)
{
  const guint64 device = trainer->choice.properties.total_bytes;
  return gpu->has_memory && gpu->total_bytes - MIN (gpu->total_bytes, device) < device / 16;
}

/* What the driver says of the card. TRUE when it told its memory. */
static gboolean
add_gpu (FenTrainer *trainer, FenSample *sample)
{
  FenGpuSample gpu;
  fen_gpu_monitor_look (trainer->gpu, &gpu, NULL);
  if (gpu.lost && !trainer->gpu_lost)
    fen_trainer_event (trainer, FEN_EVENT_WARNING, "gpu-lost",
                       "the driver has lost the card; the machine may have to be restarted");
  trainer->gpu_lost = gpu.lost;
  sample->gpu_utilization = gpu.utilization;
  sample->temperature = gpu.temperature;
  sample->power = gpu.power;
  if (!is_whole_card (trainer, &gpu))
    return FALSE;
  sample->has_device = TRUE;
  sample->device_used_bytes = gpu.used_bytes;
  sample->device_total_bytes = gpu.total_bytes;
  sample->has_device_process = gpu.has_process;
  sample->device_process_bytes = gpu.process_bytes;
  return TRUE;
}

/* Where the driver does not tell this process' share: its arena and what the device takes beside it, if that was
 * measured. */
static void
add_own_share (FenTrainer *trainer, FenSample *sample)
{
  const guint64 overhead = trainer->choice.properties.overhead_bytes;
  if (sample->has_device_process || !sample->has_device || overhead == 0)
    return;
  sample->has_device_process = TRUE;
  sample->device_process_bytes
      = MIN (fen_plan_device_bytes (trainer->plan) + overhead, sample->device_used_bytes);
}

void
fen_trainer_report_memory (FenTrainer *trainer)
{
  FenSample sample;
  uint64_t used, total;
  guint64 unused;
  fen_sample_init (&sample, FEN_SAMPLE_MEMORY, trainer->state.step);
  fen_plan_categories (trainer->plan, sample.category_bytes, &unused);
  add_host (trainer, &sample);
  if ((trainer->gpu == NULL || !add_gpu (trainer, &sample))
      && trainer->choice.backend->memory_info (trainer->device, &used, &total))
    {
      sample.has_device = TRUE;
      sample.device_used_bytes = used;
      sample.device_total_bytes = total;
    }
  if (trainer->gpu != NULL)
    add_own_share (trainer, &sample);
  fen_trainer_emit (trainer, &sample);
}

gboolean
fen_trainer_save_info (FenTrainer *trainer, FenRunStatus status, const char *reason, GError **error)
{
  FenRunInfo *info = trainer->info;
  info->status = status;
  g_free (info->reason);
  info->reason = g_strdup (reason);
  info->step = trainer->state.step;
  info->tokens = trainer->state.tokens;
  info->loss = trainer->state.loss;
  info->eval_loss = trainer->state.eval_loss;
  return fen_run_folder_write_state (trainer->folder, info, error);
}
