/* fen-plan-settings.c: from what was asked to what will run.
 *
 * Every decision that depends on model, back end and device is made here, once, with a note in words where it
 * differs from what the configuration says.
 */
#include "core/engine/fen-engine-private.h"

#define LEAST_LOGITS_BYTES ((gint64)64 << 20) /* enough rows for a fast GEMM, little beside the model */
#define MOST_LOGITS_BYTES ((gint64)512 << 20)
#define MAX_HEAD_ROWS 4096

G_GNUC_PRINTF (2, 3)
static void
note (FenPlan *plan, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_ptr_array_add (plan->notes, g_strdup_vprintf (format, args));
  va_end (args);
}

static const char *const dtype_names[] = { "fp32", "bf16", "fp16", "fp64", "int32", "uint8" };

static gboolean
resolve_dtype (FenPlan *plan, GError **error)
{
  const FenConfig *config = plan->config;
  const FenDeviceProperties *device = &plan->device;
  FenDType dtype = FEN_F32;

  if (!config->amp)
    {
      /* The reference back end is there to be exact. */
      if (strcmp (device->kind, "reference") == 0 && device->storage[FEN_F64])
        dtype = FEN_F64;
    }
  else if (config->amp_dtype == FEN_AMP_BF16)
    dtype = FEN_BF16;
  else if (config->amp_dtype == FEN_AMP_FP16)
    dtype = FEN_F16;
  else if (device->host_memory)
    note (plan,
          "amp: fp32, because this processor computes in fp32 anyway (amp_dtype bf16 halves the memory of "
          "weights and activations)");
  else if (device->storage[FEN_BF16] && device->capability >= 80)
    dtype = FEN_BF16;
  else
    {
      dtype = FEN_F16;
      note (plan, "amp: fp16 with a loss scaler, because %s has no bf16", device->name);
    }

  if (!device->storage[dtype])
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "amp_dtype: %s (%s) cannot store %s; choose amp_dtype auto or turn amp off", device->name,
                   device->kind, dtype_names[dtype]);
      return fen_engine_error_blame (error, "amp_dtype");
    }
  plan->settings.storage = dtype;
  plan->settings.master_weights = dtype != FEN_F32 && plan->purpose == FEN_PLAN_TRAIN;
  return TRUE;
}

static gboolean
resolve_shape (FenPlan *plan, GError **error)
{
  const FenConfig *config = plan->config;
  const FenModelConfig *model = fen_model_config (plan->model);
  FenPlanSettings *s = &plan->settings;
  const gint64 limit = G_MAXINT32 - 1; /* positions are 32-bit */

  s->rows = plan->purpose == FEN_PLAN_GENERATE ? 1 : config->batch_size;
  s->row_tokens = config->max_seq_len;
  if (s->row_tokens < 1 || s->row_tokens > limit)
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "max_seq_len: %" G_GINT64_FORMAT " is out of range (1 to %" G_GINT64_FORMAT " tokens)",
                   s->row_tokens, limit);
      return fen_engine_error_blame (error, "max_seq_len");
    }
  if (s->rows < 1 || s->rows > limit)
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "batch_size: %" G_GINT64_FORMAT " is out of range (1 to %" G_GINT64_FORMAT " rows)",
                   s->rows, limit);
      return fen_engine_error_blame (error, "batch_size");
    }
  if (model->learned_positions && s->row_tokens > model->max_positions)
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "max_seq_len: %" G_GINT64_FORMAT " is more than the model's %" G_GINT64_FORMAT
                   " learned positions",
                   s->row_tokens, model->max_positions);
      return fen_engine_error_blame (error, "max_seq_len");
    }
  if (model->head_dim > 256)
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "head_dim: %" G_GINT64_FORMAT " is not supported (at most 256)", model->head_dim);
      return fen_engine_error_blame (error, "model");
    }
  return TRUE;
}

static gboolean
resolve_schedule (FenPlan *plan, GError **error)
{
  const FenConfig *config = plan->config;
  FenPlanSettings *s = &plan->settings;

  s->chunk = s->row_tokens;
  s->n_chunks = 1;
  if (plan->purpose == FEN_PLAN_GENERATE)
    {
      s->schedule = FEN_SCHEDULE_INFERENCE;
      s->chunk = MIN (s->row_tokens, FEN_PROMPT_BLOCK);
      s->n_chunks = (s->row_tokens + s->chunk - 1) / s->chunk;
      return TRUE;
    }
  if (!config->use_chunked_training)
    {
      s->schedule = config->gradient_checkpointing ? FEN_SCHEDULE_CHECKPOINT : FEN_SCHEDULE_RESIDENT;
      s->keep_attention = config->gradient_checkpointing && config->checkpoint_attention;
      return TRUE;
    }
  if (config->chunk_carry == FEN_CARRY_TRUNCATED)
    {
      g_set_error (
          error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
          "chunk_carry: truncated comes with a later release; chunk_carry exact chunks the same context "
          "without truncating its gradients");
      return fen_engine_error_blame (error, "chunk_carry");
    }
  if (config->chunk_size < 1)
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "chunk_size: %" G_GINT64_FORMAT " is out of range (at least 1 token)", config->chunk_size);
      return fen_engine_error_blame (error, "chunk_size");
    }
  s->schedule = FEN_SCHEDULE_CHUNKED;
  s->keep_attention = config->checkpoint_attention;
  s->chunk = MIN (config->chunk_size, s->row_tokens);
  s->n_chunks = (s->row_tokens + s->chunk - 1) / s->chunk;
  if (config->chunk_size > s->row_tokens)
    note (plan, "chunk_size: %" G_GINT64_FORMAT ", because a row has no more tokens", s->row_tokens);
  if (config->gradient_checkpointing)
    note (plan, "gradient_checkpointing: chunked training recomputes every layer already");
  return TRUE;
}

static void
resolve_windows (FenPlan *plan)
{
  const FenModelConfig *model = fen_model_config (plan->model);
  FenPlanSettings *s = &plan->settings;
  gboolean any = FALSE;

  plan->layer_window = g_new0 (gint64, model->layers);
  for (gint64 layer = 0; layer < model->layers; layer++)
    {
      gint64 window = fen_model_layer_window (plan->model, plan->config, layer);
      /* A window that reaches over the whole row is full attention: one case fewer for everybody. */
      plan->layer_window[layer] = window >= s->row_tokens ? 0 : MAX (window, 0);
      any |= plan->layer_window[layer] != 0;
    }
  s->layer_window = plan->layer_window;
  s->layers = model->layers;
  s->sinks = any ? MAX (plan->config->sink_tokens, 0) : 0;
}

/* Each block of rows reads and writes the whole fp32 gradient of the head's weight: 309 MB for GPT-2, 50 times a batch
 * of 32,768 tokens in blocks of 64 MiB. A GPU multiplies so fast that this traffic shows, so blocks grow with its
 * memory: a 256th of it, or of what the run may take. */
static gint64
logits_bytes (const FenPlan *plan)
{
  gint64 limit = plan->config->memory_limit;
  gint64 memory = (gint64)MIN (plan->device.total_bytes, (guint64)G_MAXINT64);

  if (plan->device.host_memory)
    return LEAST_LOGITS_BYTES;
  if (limit > 0)
    memory = MIN (memory, limit);
  return CLAMP (memory / 256, LEAST_LOGITS_BYTES, MOST_LOGITS_BYTES);
}

static void
resolve_head (FenPlan *plan)
{
  FenPlanSettings *s = &plan->settings;
  gint64 tokens = s->rows * s->row_tokens;
  gint64 row_bytes = fen_plan_logits_ld (plan) * (gint64)fen_dtype_size (s->storage);
  gint64 rows = logits_bytes (plan) / row_bytes / 64 * 64;

  if (plan->purpose == FEN_PLAN_GENERATE)
    s->head_rows = 1;
  else
    s->head_rows = MIN (CLAMP (rows, 64, MAX_HEAD_ROWS), tokens);
}

gboolean
fen_plan_resolve (FenPlan *plan, GError **error)
{
  FenPlanSettings *s = &plan->settings;

  if (!resolve_dtype (plan, error) || !resolve_shape (plan, error) || !resolve_schedule (plan, error))
    return FALSE;
  resolve_windows (plan);
  s->adam8 = plan->purpose == FEN_PLAN_TRAIN && plan->config->use_8bit_optimizer;
  s->path = plan->config->use_flash_attn ? FEN_ATTENTION_FLASH : FEN_ATTENTION_PLAIN;
  if (!plan->config->use_flash_attn)
    note (plan, "use_flash_attn: off, so attention scores are written out in blocks of queries");
  resolve_head (plan);
  return TRUE;
}
