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
  g_set_error (error, FEN_ENGINE_ERROR, code, "%s: %s", what, status->message);
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
  if (!take_arenas (engine, error))
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

/* ---- batches ---- */

static gboolean
check_ids (const gint32 *ids, gint64 row_tokens, gint64 n, gint32 lowest, gint64 limit, const char *what,
           GError **error)
{
  for (gint64 i = 0; i < n; i++)
    if (G_UNLIKELY (ids[i] < lowest || ids[i] >= limit))
      {
        g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                     "%s %d at row %" G_GINT64_FORMAT ", token %" G_GINT64_FORMAT
                     " is out of range (below %" G_GINT64_FORMAT ")",
                     what, ids[i], i / row_tokens, i % row_tokens, limit);
        return FALSE;
      }
  return TRUE;
}

static gboolean
check_documents (const FenBatch *batch, GError **error)
{
  const gint64 n = batch->rows * batch->row_tokens;

  if ((batch->doc_start == NULL) != (batch->doc_end == NULL))
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "document starts and ends come together or not at all");
      return FALSE;
    }
  for (gint64 i = 0; batch->doc_start != NULL && i < n; i++)
    {
      gint64 p = i % batch->row_tokens;
      if (batch->doc_start[i] < 0 || batch->doc_start[i] > p || batch->doc_end[i] <= p
          || batch->doc_end[i] > batch->row_tokens)
        {
          g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                       "document [%d, %d) does not hold its token %" G_GINT64_FORMAT
                       " of row %" G_GINT64_FORMAT,
                       batch->doc_start[i], batch->doc_end[i], p, i / batch->row_tokens);
          return FALSE;
        }
    }
  return TRUE;
}

static gboolean
check_batch (const FenEngine *engine, const FenBatch *batch, GError **error)
{
  const FenPlanSettings *s = &engine->plan->settings;
  const FenModelConfig *m = engine->step.config;
  gint64 n, positions = m->learned_positions ? m->max_positions : G_MAXINT32;

  if (engine->plan->purpose != FEN_PLAN_TRAIN)
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "a batch needs a plan made for training, not for generating");
      return FALSE;
    }
  if (batch->rows < 1 || batch->rows > s->rows || batch->row_tokens < 1 || batch->row_tokens > s->row_tokens)
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "a batch of %" G_GINT64_FORMAT " x %" G_GINT64_FORMAT
                   " tokens is not in the plan's %" G_GINT64_FORMAT " x %" G_GINT64_FORMAT,
                   batch->rows, batch->row_tokens, s->rows, s->row_tokens);
      return FALSE;
    }
  n = batch->rows * batch->row_tokens;
  return check_ids (batch->tokens, batch->row_tokens, n, 0, m->vocab_size, "token", error)
         && (batch->targets == NULL
             || check_ids (batch->targets, batch->row_tokens, n, G_MININT32, m->vocab_size, "target", error))
         && (batch->positions == NULL
             || check_ids (batch->positions, batch->row_tokens, n, 0, positions, "position", error))
         && check_documents (batch, error);
}

/* Without positions, a token's place in its row is its position. */
static void
write_positions (FenEngine *engine, const FenBatch *batch)
{
  FenStep *step = &engine->step;
  gint32 *device = fen_step_buffer (step, FEN_STEP_POSITIONS);
  const gint64 n = batch->rows * batch->row_tokens;
  gint32 piece[1024];

  if (batch->positions != NULL)
    {
      fen_ops_copy (&step->ops, device, batch->positions, (guint64)n * 4);
      return;
    }
  for (gint64 i = 0; i < n; i += (gint64)G_N_ELEMENTS (piece))
    {
      gint64 now = MIN ((gint64)G_N_ELEMENTS (piece), n - i);
      for (gint64 k = 0; k < now; k++)
        piece[k] = (gint32)((i + k) % batch->row_tokens);
      fen_ops_copy (&step->ops, device + i, piece, (guint64)now * 4);
    }
}

static gboolean
write_batch (FenEngine *engine, const FenBatch *batch, GError **error)
{
  FenStep *step = &engine->step;
  const guint64 bytes = (guint64)(batch->rows * batch->row_tokens) * 4;

  if (!check_batch (engine, batch, error))
    return FALSE;
  step->rows = batch->rows;
  step->row_tokens = batch->row_tokens;
  step->documents = batch->doc_start != NULL;
  fen_step_begin (step);
  fen_ops_copy (&step->ops, fen_step_buffer (step, FEN_STEP_TOKENS), batch->tokens, bytes);
  if (batch->targets != NULL)
    fen_ops_copy (&step->ops, fen_step_buffer (step, FEN_STEP_TARGETS), batch->targets, bytes);
  write_positions (engine, batch);
  if (step->documents)
    {
      fen_ops_copy (&step->ops, fen_step_buffer (step, FEN_STEP_DOC_START), batch->doc_start, bytes);
      fen_ops_copy (&step->ops, fen_step_buffer (step, FEN_STEP_DOC_END), batch->doc_end, bytes);
    }
  return TRUE;
}

/* ---- steps ---- */

gboolean
fen_engine_micro_step (FenEngine *engine, const FenBatch *batch, double grad_scale, GError **error)
{
  FenStep *step = &engine->step;
  FenStepStats *stats = fen_step_buffer (step, FEN_STEP_STATS);
  FenHeadRun head = { .grad_scale = grad_scale * engine->loss_scale, .gradient = TRUE };

  if (!write_batch (engine, batch, error))
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

gboolean
fen_engine_update (FenEngine *engine, const FenUpdate *update, FenUpdateResult *result, GError **error)
{
  FenStep *step = &engine->step;
  FenStepStats *device_stats = fen_step_buffer (step, FEN_STEP_STATS);
  FenStepStats stats = { 0 };

  fen_optimizer_run (step, update, engine->update_count + 1, engine->loss_scale);
  fen_ops_copy (&step->ops, &stats, device_stats, sizeof stats);
  fen_ops_fill (&step->ops, FEN_U8, device_stats, sizeof stats, 0);
  engine->backend->synchronize (engine->device, step->ops.stream);
  *result = (FenUpdateResult){ .loss_sum = stats.loss_sum,
                               .n_targets = engine->n_targets,
                               .gradient_norm = stats.gradient_norm,
                               .skipped = stats.skip != 0 };
  engine->n_targets = 0;
  if (!fen_engine_finish (engine, error))
    return FALSE;
  if (!result->skipped)
    engine->update_count++;
  adapt_loss_scale (engine, result->skipped);
  return TRUE;
}

gboolean
fen_engine_evaluate (FenEngine *engine, const FenBatch *batch, double *loss_sum, GError **error)
{
  FenStep *step = &engine->step;
  FenStepStats *stats = fen_step_buffer (step, FEN_STEP_STATS);
  FenHeadRun head = { .gradient = FALSE };

  if (!write_batch (engine, batch, error))
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

  if (!write_batch (engine, batch, error))
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
