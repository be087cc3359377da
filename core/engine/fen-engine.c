/* fen-engine.c: an engine's life, and the steps that the trainer asks for. See fen-engine.h. */
#include "core/engine/fen-engine-private.h"

/* fp16: gradients below 6e-8 vanish, so losses are scaled up (Micikevicius et al. 2018, Mixed Precision Training,
 * section 3.2). The scale is halved when a gradient overflows and doubled at every multiple of the interval, which
 * makes it a function of saved state alone. */
#define FIRST_LOSS_SCALE 65536.0
#define LARGEST_LOSS_SCALE 16777216.0
#define LOSS_SCALE_INTERVAL 2000

static gboolean
status_error (const FenStatus *status, FenEngineError code, const char *what, GError **error)
{
  const gboolean lost = status->code == FEN_STATUS_DEVICE_LOST;
  g_set_error (error, FEN_ENGINE_ERROR, lost ? FEN_ENGINE_ERROR_LOST : code, "%s: %s", what, status->message);
  return FALSE;
}

static gboolean
take_arenas (FenEngine *engine, GError **error)
{
  const FenPlan *plan = engine->plan;
  FenStatus status = { 0 };

  engine->step.arena
      = engine->backend->alloc (engine->device, FEN_MEMORY_DEVICE, plan->device_bytes, &status);
  if (engine->step.arena == NULL)
    return status_error (&status, FEN_ENGINE_ERROR_OUT_OF_MEMORY, "memory of the run", error);
  if (plan->host_bytes == 0)
    return TRUE;
  engine->host_arena
      = engine->backend->alloc (engine->device, FEN_MEMORY_PINNED_HOST, plan->host_bytes, &status);
  return engine->host_arena != NULL
         || status_error (&status, FEN_ENGINE_ERROR_OUT_OF_MEMORY, "host memory of the run", error);
}

static gboolean
take_events (FenEngine *engine, GError **error)
{
  FenStatus status = { 0 };

  for (guint i = 0; i < FEN_STAGING_SLOTS; i++)
    if ((engine->staged[i] = engine->backend->event_new (engine->device, &status)) == NULL)
      return status_error (&status, FEN_ENGINE_ERROR_DEVICE, "events of the run", error);
  return TRUE;
}

static void
write_frequencies (FenEngine *engine)
{
  float frequencies[128]; /* head_dim <= 256 */
  if (engine->step.config->rope == FEN_ROPE_NONE)
    return;
  fen_model_inverse_frequencies (engine->model, frequencies);
  fen_ops_copy (&engine->step.ops, fen_step_buffer (&engine->step, FEN_STEP_INV_FREQ), frequencies,
                (guint64)engine->step.config->head_dim / 2 * 4);
  engine->backend->synchronize (engine->device, NULL);
}

static void
zero (FenEngine *engine, FenStepBuffer id)
{
  int index = engine->plan->step_buffer[id];
  if (index >= 0)
    fen_ops_fill (&engine->step.ops, FEN_U8, fen_step_buffer (&engine->step, id),
                  (gint64)g_array_index (engine->plan->buffers, FenPlanBuffer, index).bytes, 0);
}

/* All that outlives a step starts at zero: gaps between slots never hold a NaN. */
static void
zero_state (FenEngine *engine)
{
  static const FenStepBuffer ids[]
      = { FEN_STEP_WEIGHTS, FEN_STEP_MASTER,  FEN_STEP_GRADIENTS, FEN_STEP_MOMENT1,
          FEN_STEP_MOMENT2, FEN_STEP_ABSMAX1, FEN_STEP_ABSMAX2,   FEN_STEP_STATS };
  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    zero (engine, ids[i]);
  engine->update_count = 0;
  engine->n_targets = 0;
  engine->n_fed = 0;
  engine->loss_scale = engine->plan->settings.storage == FEN_F16 ? FIRST_LOSS_SCALE : 1;
}

FenEngine *
fen_engine_new (FenPlan *plan, FenModel *model, const FenBackend *backend, FenDevice *device, GError **error)
{
  g_autoptr (FenEngine) engine = g_new0 (FenEngine, 1);

  engine->plan = fen_plan_ref (plan);
  engine->model = fen_model_ref (model);
  engine->backend = backend;
  engine->device = device;
  engine->step = (FenStep){ .plan = engine->plan,
                            .model = engine->model,
                            .config = fen_model_config (engine->model),
                            .rows = plan->settings.rows,
                            .row_tokens = plan->settings.row_tokens };
  engine->step.ops = (FenOps){ .backend = backend, .device = device, .properties = &engine->plan->device };
  if (fen_model_space (model) != fen_model_space (plan->model))
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "the plan was made for another model than %s", fen_model_name (model));
      return NULL;
    }
  if (!take_arenas (engine, error) || !take_events (engine, error))
    return NULL;
  fen_engine_list_state (engine);
  zero_state (engine);
  write_frequencies (engine);
  if (!fen_engine_finish (engine, error))
    return NULL;
  return g_steal_pointer (&engine);
}

void
fen_engine_free (FenEngine *engine)
{
  /* A run that ends with an error may have work in flight that reads the arenas. */
  engine->backend->synchronize (engine->device, NULL);
  for (guint i = 0; i < FEN_STAGING_SLOTS; i++)
    if (engine->staged[i] != NULL)
      engine->backend->event_free (engine->device, engine->staged[i]);
  if (engine->step.arena != NULL)
    engine->backend->free (engine->device, FEN_MEMORY_DEVICE, engine->step.arena, engine->plan->device_bytes);
  if (engine->host_arena != NULL)
    engine->backend->free (engine->device, FEN_MEMORY_PINNED_HOST, engine->host_arena,
                           engine->plan->host_bytes);
  g_clear_error (&engine->step.ops.error);
  g_clear_pointer (&engine->state, g_array_unref);
  g_clear_pointer (&engine->places, g_array_unref);
  g_clear_pointer (&engine->names, g_string_chunk_free);
  fen_model_unref (engine->model);
  fen_plan_unref (engine->plan);
  g_free (engine);
}

const FenPlan *
fen_engine_plan (const FenEngine *engine)
{
  return engine->plan;
}

void
fen_engine_set_checking (FenEngine *engine, gboolean checking)
{
  engine->step.checking = checking;
  fen_step_begin (&engine->step);
}

gboolean
fen_engine_finish (FenEngine *engine, GError **error)
{
  FenStatus status = { 0 };

  fen_step_end (&engine->step);
  if (engine->step.ops.error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&engine->step.ops.error));
      return FALSE;
    }
  if (engine->backend->check (engine->device, &status) != FEN_STATUS_OK)
    return status_error (&status, FEN_ENGINE_ERROR_DEVICE, engine->backend->name, error);
  return TRUE;
}

/* ---- steps ---- */

gboolean
fen_engine_micro_step (FenEngine *engine, const FenBatch *batch, double grad_scale, GError **error)
{
  FenStep *step = &engine->step;
  FenStepStats *stats = fen_step_buffer (step, FEN_STEP_STATS);
  FenHeadRun head = { .grad_scale = grad_scale * engine->loss_scale, .gradient = TRUE };

  if (!fen_batch_write (engine, batch, error))
    return FALSE;
  head.loss_sum = &stats[0].loss_sum;
  for (gint64 i = 0; i < batch->rows * batch->row_tokens; i++)
    engine->n_targets += batch->targets[i] >= 0;
  fen_step_embed (step);
  fen_step_forward (step);
  fen_head_run (step, &head);
  fen_step_backward (step);
  return fen_engine_finish (engine, error);
}

static void
adapt_loss_scale (FenEngine *engine, gboolean skipped)
{
  if (engine->plan->settings.storage != FEN_F16)
    return;
  if (skipped)
    engine->loss_scale = MAX (engine->loss_scale / 2, 1);
  else if (engine->update_count % LOSS_SCALE_INTERVAL == 0)
    engine->loss_scale = MIN (engine->loss_scale * 2, LARGEST_LOSS_SCALE);
}

/* Where the statistics arrive: pinned memory where there is some, so that copying them out does not make the caller wait
 * before it has to. */
static FenStepStats *
stats_here (FenEngine *engine)
{
  return engine->host_arena != NULL ? engine->host_arena : &engine->stats;
}

void
fen_engine_update_begin (FenEngine *engine, const FenUpdate *update)
{
  FenStep *step = &engine->step;
  FenStepStats *stats = fen_step_buffer (step, FEN_STEP_STATS);

  fen_optimizer_run (step, update, engine->update_count + 1, engine->loss_scale);
  fen_ops_copy (&step->ops, stats_here (engine), stats, sizeof *stats);
  fen_ops_fill (&step->ops, FEN_U8, stats, sizeof *stats, 0);
}

gboolean
fen_engine_update_end (FenEngine *engine, FenUpdateResult *result, GError **error)
{
  const FenStepStats *stats = stats_here (engine);

  engine->backend->synchronize (engine->device, engine->step.ops.stream);
  *result = (FenUpdateResult){ .loss_sum = stats->loss_sum,
                               .n_targets = engine->n_targets,
                               .gradient_norm = stats->gradient_norm,
                               .skipped = stats->skip != 0 };
  engine->n_targets = 0;
  if (!fen_engine_finish (engine, error))
    return FALSE;
  if (!result->skipped)
    engine->update_count++;
  adapt_loss_scale (engine, result->skipped);
  return TRUE;
}

gboolean
fen_engine_update (FenEngine *engine, const FenUpdate *update, FenUpdateResult *result, GError **error)
{
  fen_engine_update_begin (engine, update);
  return fen_engine_update_end (engine, result, error);
}

gboolean
fen_engine_evaluate (FenEngine *engine, const FenBatch *batch, double *loss_sum, GError **error)
{
  FenStep *step = &engine->step;
  FenStepStats *stats = fen_step_buffer (step, FEN_STEP_STATS);
  FenHeadRun head = { .gradient = FALSE };

  if (!fen_batch_write (engine, batch, error))
    return FALSE;
  head.loss_sum = &stats[1].loss_sum;
  fen_ops_fill (&step->ops, FEN_U8, &stats[1], sizeof *stats, 0);
  fen_step_embed (step);
  fen_step_forward (step);
  fen_head_run (step, &head);
  fen_ops_copy (&step->ops, loss_sum, head.loss_sum, sizeof *loss_sum);
  engine->backend->synchronize (engine->device, step->ops.stream);
  return fen_engine_finish (engine, error);
}

gboolean
fen_engine_logits (FenEngine *engine, const FenBatch *batch, float *logits, GError **error)
{
  FenStep *step = &engine->step;
  const FenHeadRun head = { .logits = logits };

  if (!fen_batch_write (engine, batch, error))
    return FALSE;
  fen_step_embed (step);
  fen_step_forward (step);
  fen_head_run (step, &head);
  engine->backend->synchronize (engine->device, step->ops.stream);
  return fen_engine_finish (engine, error);
}

void
fen_engine_zero_gradients (FenEngine *engine)
{
  zero (engine, FEN_STEP_GRADIENTS);
  zero (engine, FEN_STEP_STATS);
  engine->n_targets = 0;
}
