/* fen-trainer-open.c: run folder, device, engine, and the values that training begins with. */
#include "core/train/fen-trainer-private.h"

#include "core/base/fen-io.h"

#include <string.h>

/* The run keeps its own tokenizer: a resume must not depend on a file elsewhere, and a BPE that was trained on the
 * data exists nowhere else. */
static gboolean
keep_tokenizer (FenTrainer *trainer, GError **error)
{
  g_autofree char *path = fen_run_folder_file (trainer->folder, "tokenizer.json");
  if (g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  if (trainer->tokenizer_source != NULL)
    {
      g_autofree char *folder = g_path_get_dirname (trainer->tokenizer_source);
      g_autofree char *beside = g_build_filename (folder, "tokenizer_config.json", NULL);
      g_autofree char *target = fen_run_folder_file (trainer->folder, "tokenizer_config.json");
      g_autofree char *text = NULL;
      gsize bytes;
      if (g_file_get_contents (beside, &text, &bytes, NULL)
          && !fen_io_write_file (target, text, bytes, error))
        return FALSE;
    }
  return fen_tokenizer_save (trainer->tokenizer, path, error);
}

static gboolean
open_folder (FenTrainer *trainer, GError **error)
{
  if (!trainer->resume)
    {
      trainer->folder = fen_run_folder_create (trainer->config, error);
      if (trainer->folder == NULL)
        return FALSE;
      pthread_mutex_lock (&trainer->mutex);
      trainer->run_path = g_strdup (fen_run_folder_path (trainer->folder));
      pthread_mutex_unlock (&trainer->mutex);
    }
  else
    {
      /* The number of steps may be another one now. */
      g_autofree char *path = fen_run_folder_file (trainer->folder, "config.json");
      if (!fen_config_save (trainer->config, path, error))
        return FALSE;
    }
  g_autofree char *metrics = fen_run_folder_file (trainer->folder, "metrics.jsonl");
  trainer->metrics = fen_metrics_writer_new (metrics, trainer->config->log_file, trainer->resume, error);
  return trainer->metrics != NULL && keep_tokenizer (trainer, error)
         && fen_trainer_save_info (trainer, FEN_RUN_RUNNING, "", error);
}

/* Before the engine takes its memory, because measuring takes some too. Only cards have a peak that means something to
 * people; on a processor the share of it is not shown. */
static void
find_peak (FenTrainer *trainer)
{
  const FenDeviceChoice *choice = &trainer->choice;
  FenStatus why = { 0 };
  if (strcmp (choice->properties.kind, "cuda") != 0)
    return;
  trainer->peak = fen_peak_published (&choice->properties);
  if (trainer->peak.source == FEN_PEAK_UNKNOWN)
    trainer->peak = fen_peak_measure (choice->backend, trainer->device, &choice->properties, &why);
  if (trainer->peak.source == FEN_PEAK_UNKNOWN)
    {
      fen_trainer_note (trainer, g_strdup_printf ("MFU is not known: the peak of %s cannot be measured: %s",
                                                  choice->properties.name, why.message));
      return;
    }
  g_free (trainer->info->peak);
  trainer->info->peak = fen_peak_text (trainer->peak);
  if (fen_plan_settings (trainer->plan)->storage == FEN_F32)
    fen_trainer_note (trainer, g_strdup ("MFU: fp32, as here, reaches a small part of a card's bf16 rate"));
}

/* The device, and what is watched and known of it. */
static gboolean
open_device (FenTrainer *trainer, GError **error)
{
  /* Equal bits run after run are what makes a resumed run the same run. On the CPU they cost nothing. */
  trainer->choice.options.deterministic = trainer->choice.properties.host_memory;
  trainer->device = fen_device_open (&trainer->choice, error);
  if (trainer->device == NULL)
    return FALSE;
  if (trainer->choice.properties.pci_bus_id[0] != '\0')
    trainer->gpu = fen_gpu_monitor_new (NULL, trainer->choice.properties.pci_bus_id);
  find_peak (trainer);
  return TRUE;
}

/* What a person who reads the log wants to know first. */
static void
log_beginning (FenTrainer *trainer)
{
  const FenDatasetInfo *data = fen_dataset_info (trainer->dataset);
  const FenPlanSettings *settings = fen_plan_settings (trainer->plan);
  g_autofree char *command = fen_config_command_line (trainer->config, "fenestra-cli");
  g_autofree char *device_bytes = fen_format_bytes (fen_plan_device_bytes (trainer->plan));
  fen_trainer_log (trainer, "Fenestra %s: %s", FEN_VERSION, command);
  for (guint i = 0; i < trainer->notes->len; i++)
    fen_trainer_log (trainer, "note: %s", (const char *)trainer->notes->pdata[i]);
  trainer->log_begun = TRUE;
  fen_trainer_log (trainer, "model %s: %" G_GINT64_FORMAT " parameters, vocabulary %" G_GINT64_FORMAT,
                   trainer->config->model, fen_model_n_parameters (trainer->model),
                   fen_model_config (trainer->model)->vocab_size);
  fen_trainer_log (trainer,
                   "data: %" G_GINT64_FORMAT " documents, %" G_GINT64_FORMAT " tokens; %" G_GINT64_FORMAT
                   " train rows an epoch, %" G_GINT64_FORMAT " eval rows",
                   data->documents, data->tokens, data->train_rows, data->eval_rows);
  fen_trainer_log (trainer, "device %s: %s planned; schedule %s, attention %s",
                   trainer->choice.properties.name, device_bytes, fen_schedule_name (settings->schedule),
                   settings->attention_kernel);
  if (trainer->info->peak[0] != '\0')
    fen_trainer_log (trainer, "MFU is the share of %s", trainer->info->peak);
}

static void
allocate_rows (FenTrainer *trainer)
{
  const gsize n = (gsize)trainer->config->batch_size * (gsize)trainer->config->max_seq_len;
  trainer->rows.tokens = g_new (gint32, n);
  trainer->rows.targets = g_new (gint32, n);
  trainer->rows.positions = g_new (gint32, n);
  if (!trainer->config->document_mask)
    return;
  trainer->rows.doc_start = g_new (gint32, n);
  trainer->rows.doc_end = g_new (gint32, n);
}

static gboolean
restore (FenTrainer *trainer, GError **error)
{
  FenCheckpointContent content;
  fen_checkpoint_content_init (&content, trainer->engine);
  if (strcmp (trainer->state.tokenizer_fingerprint, fen_tokenizer_fingerprint (trainer->tokenizer)) != 0)
    {
      g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_MISMATCH,
                   "%s: was trained with another tokenizer than the run has now", trainer->checkpoint_path);
      return FALSE;
    }
  if (!fen_checkpoint_restore (trainer->checkpoint_path, &content, error))
    return FALSE;
  fen_engine_set_update_count (trainer->engine, trainer->state.update_count);
  fen_engine_set_loss_scale (trainer->engine, trainer->state.loss_scale);
  fen_trainer_event (trainer, FEN_EVENT_INFO, "resume",
                     "continues from the checkpoint of step %" G_GINT64_FORMAT, trainer->state.step);
  if (strcmp (trainer->state.dataset_hash, fen_dataset_info (trainer->dataset)->content_hash) != 0)
    fen_trainer_event (trainer, FEN_EVENT_WARNING, "data-changed",
                       "the text is not the one that the run began with: rows from here on are others");
  return TRUE;
}

gboolean
fen_trainer_open (FenTrainer *trainer, GError **error)
{
  fen_trainer_set_phase (trainer, FEN_PHASE_LOADING, -1, "opening the device");
  trainer->info->parameters = fen_model_n_parameters (trainer->model);
  g_free (trainer->info->device);
  trainer->info->device = g_strdup (trainer->choice.properties.name);
  trainer->info->step = trainer->state.step;
  trainer->info->tokens = trainer->state.tokens;
  trainer->info->loss = trainer->state.loss;
  trainer->info->eval_loss = trainer->state.eval_loss;
  if (!open_device (trainer, error) || !open_folder (trainer, error))
    return FALSE;
  log_beginning (trainer);
  for (guint i = 0; i < trainer->damaged->len; i++)
    fen_trainer_event (trainer, FEN_EVENT_WARNING, "damaged-checkpoint", "%s",
                       (const char *)trainer->damaged->pdata[i]);
  trainer->engine
      = fen_engine_new (trainer->plan, trainer->model, trainer->choice.backend, trainer->device, error);
  if (trainer->engine == NULL)
    return FALSE;
  allocate_rows (trainer);
  fen_trainer_set_phase (trainer, FEN_PHASE_LOADING, -1, "reading the parameters");
  if (trainer->checkpoint_path != NULL)
    return restore (trainer, error);
  fen_trainer_event (trainer, FEN_EVENT_INFO, trainer->resume ? "resume" : "start", "begins at step 0 on %s",
                     trainer->choice.properties.name);
  return fen_engine_load_parameters (trainer->engine, (guint64)trainer->config->seed, error);
}
