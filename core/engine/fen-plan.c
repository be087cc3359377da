/* fen-plan.c: making a plan: settings, buffers, workspaces, places. See fen-plan.h. */
#include "core/engine/fen-engine-private.h"

const char *
fen_memory_category_name (FenMemoryCategory category)
{
  static const char *const names[] = { "weights",   "gradients", "optimizer", "checkpoints", "activations",
                                       "attention", "logits",    "workspace", "offload_host" };
  G_STATIC_ASSERT (G_N_ELEMENTS (names) == FEN_N_MEMORY_CATEGORIES);
  return names[category];
}

const char *
fen_schedule_name (FenSchedule schedule)
{
  static const char *const names[] = { "resident", "checkpoint", "chunked", "truncated", "inference" };
  return names[schedule];
}

const char *
fen_slot_kind_name (FenSlotKind kind)
{
  static const char *const names[]
      = { "token_embedding", "position_embedding", "final_norm_weight", "final_norm_bias", "lm_head",
          "norm1_weight",    "norm1_bias",         "qkv_weight",        "qkv_bias",        "o_weight",
          "o_bias",          "norm2_weight",       "norm2_bias",        "up_weight",       "up_bias",
          "down_weight",     "down_bias" };
  G_STATIC_ASSERT (G_N_ELEMENTS (names) == FEN_N_SLOTS);
  return names[kind];
}

/* Columns of the logits' rows: a multiple of 64, so that each row begins on a cache line, and as many as the LM head has
 * rows with those of zeros. */
gint64
fen_plan_logits_ld (const FenPlan *plan)
{
  return fen_model_vocab_rows (plan->model);
}

GArray *
fen_engine_slots_new (const FenModel *model)
{
  GArray *slots = g_array_new (FALSE, TRUE, sizeof (FenEngineSlot));
  const FenModelConfig *config = fen_model_config (model);
  const FenSlot *embedding = fen_model_slot (model, -1, FEN_SLOT_TOKEN_EMBEDDING);
  gint64 absmax = 0;

  for (gint64 layer = -1; layer < config->layers; layer++)
    for (int kind = layer < 0 ? 0 : FEN_SLOT_NORM1_WEIGHT;
         kind < (layer < 0 ? (int)FEN_SLOT_NORM1_WEIGHT : FEN_N_SLOTS); kind++)
      {
        FenEngineSlot entry = { .kind = kind, .layer = layer, .slot = fen_model_slot (model, layer, kind) };
        if (entry.slot->elements == 0
            || (kind == FEN_SLOT_LM_HEAD && entry.slot->offset == embedding->offset))
          continue;
        entry.absmax = absmax;
        entry.n_blocks = (entry.slot->elements + FEN_ADAMW8_BLOCK - 1) / FEN_ADAMW8_BLOCK;
        absmax += entry.n_blocks;
        g_array_append_val (slots, entry);
      }
  return slots;
}

static void
prepare_tables (FenPlan *plan)
{
  gint64 layers = fen_model_config (plan->model)->layers;

  plan->n_phases = plan->purpose == FEN_PLAN_GENERATE ? fen_plan_head_phase (plan) + 1
                                                      : fen_plan_update_phase (plan) + 1;
  for (guint i = 0; i < FEN_N_STEP_BUFFERS; i++)
    plan->step_buffer[i] = -1;
  for (guint pass = 0; pass < FEN_N_PASSES; pass++)
    {
      plan->layer_buffer[pass] = g_new (int, layers *FEN_N_LAYER_BUFFERS);
      for (gint64 i = 0; i < layers * FEN_N_LAYER_BUFFERS; i++)
        plan->layer_buffer[pass][i] = -1;
    }
  plan->phase_workspace = g_new (int, plan->n_phases);
}

static void
describe_attention (FenPlan *plan)
{
  FenPlanSettings *s = &plan->settings;
  const FenModelConfig *m = fen_model_config (plan->model);
  FenAttention params = { .path = s->path,
                          .dtype = s->storage,
                          .batch = s->rows,
                          .nq = s->chunk,
                          .nk = s->row_tokens,
                          .q0 = s->row_tokens - s->chunk,
                          .heads = (gint32)m->heads,
                          .kv_heads = (gint32)m->kv_heads,
                          .head_dim = (gint32)m->head_dim,
                          .scale = (float)m->attention_scale,
                          .window = s->layer_window[0],
                          .sinks = s->sinks,
                          .doc_stride = s->row_tokens };
  plan->backend->describe (&plan->device, FEN_OP_ATTENTION_FORWARD, &params, s->attention_kernel,
                           sizeof s->attention_kernel);
}

FenPlan *
fen_plan_new_guarded (const FenConfig *config, const FenModel *model, const FenBackend *backend,
                      const FenDeviceProperties *device, FenPlanPurpose purpose, guint64 guard,
                      GError **error)
{
  g_autoptr (FenPlan) plan = g_new0 (FenPlan, 1);
  g_autofree guint64 *need = NULL;

  g_atomic_ref_count_init (&plan->references);
  plan->config = fen_config_copy (config);
  plan->model = fen_model_ref ((FenModel *)model);
  plan->backend = backend;
  plan->device = *device;
  plan->purpose = purpose;
  plan->guard = guard;
  plan->notes = g_ptr_array_new_with_free_func (g_free);
  plan->buffers = g_array_new (FALSE, TRUE, sizeof (FenPlanBuffer));
  plan->names = g_string_chunk_new (4096);
  plan->slots = fen_engine_slots_new (model);
  if (!fen_plan_resolve (plan, error))
    return NULL;
  g_ptr_array_add (plan->notes, NULL);
  prepare_tables (plan);
  fen_plan_list_buffers (plan);
  if (plan->overflow)
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "batch_size %" G_GINT64_FORMAT " and max_seq_len %" G_GINT64_FORMAT
                   " need more bytes than a 64-bit number counts",
                   plan->settings.rows, plan->settings.row_tokens);
      fen_engine_error_blame (error, "max_seq_len");
      return NULL;
    }
  need = g_new0 (guint64, plan->n_phases);
  if (!fen_plan_measure (plan, need, error))
    return NULL;
  fen_plan_add_workspaces (plan, need);
  describe_attention (plan);
  fen_plan_pack (plan);
  return g_steal_pointer (&plan);
}

FenPlan *
fen_plan_new (const FenConfig *config, const FenModel *model, const FenBackend *backend,
              const FenDeviceProperties *device, FenPlanPurpose purpose, GError **error)
{
  return fen_plan_new_guarded (config, model, backend, device, purpose, 0, error);
}

FenPlan *
fen_plan_ref (FenPlan *plan)
{
  g_atomic_ref_count_inc (&plan->references);
  return plan;
}

void
fen_plan_unref (FenPlan *plan)
{
  if (!g_atomic_ref_count_dec (&plan->references))
    return;
  fen_config_free (plan->config);
  fen_model_unref (plan->model);
  g_ptr_array_unref (plan->notes);
  g_array_unref (plan->buffers);
  g_array_unref (plan->slots);
  g_string_chunk_free (plan->names);
  g_free (plan->layer_window);
  for (guint pass = 0; pass < FEN_N_PASSES; pass++)
    g_free (plan->layer_buffer[pass]);
  g_free (plan->phase_workspace);
  g_free (plan);
}

/* ---- answers ---- */

const FenPlanSettings *
fen_plan_settings (const FenPlan *plan)
{
  return &plan->settings;
}

const char *const *
fen_plan_notes (const FenPlan *plan)
{
  return (const char *const *)plan->notes->pdata;
}

const FenPlanBuffer *
fen_plan_buffers (const FenPlan *plan, gsize *n_buffers)
{
  *n_buffers = plan->buffers->len;
  return (const FenPlanBuffer *)(const void *)plan->buffers->data;
}

guint64
fen_plan_device_bytes (const FenPlan *plan)
{
  return plan->device_bytes;
}

guint64
fen_plan_host_bytes (const FenPlan *plan)
{
  return plan->host_bytes;
}

const FenDeviceProperties *
fen_plan_device (const FenPlan *plan)
{
  return &plan->device;
}

void
fen_plan_categories (const FenPlan *plan, guint64 *bytes, guint64 *unused)
{
  for (guint i = 0; i < FEN_N_MEMORY_CATEGORIES; i++)
    bytes[i] = 0;
  for (guint i = 0; i < plan->buffers->len; i++)
    {
      const FenPlanBuffer *buffer = &g_array_index (plan->buffers, FenPlanBuffer, i);
      if (!buffer->host && buffer->first <= plan->peak_phase && plan->peak_phase <= buffer->last)
        bytes[buffer->category] += fen_plan_packed_bytes (plan, buffer);
    }
  *unused = plan->device_bytes - plan->peak_bytes;
}

/* Pairs of query and visible key of a row of T tokens under window W (0 = all) with n sinks: T(T+1)/2, or
 * W(W+1)/2 + (T-W)W, and min (n, q - W + 1) sinks more for each query q >= W. */
static double
visible_pairs (gint64 tokens, gint64 window, gint64 sinks)
{
  double t = (double)tokens, w = (double)window, pairs;
  gint64 past = tokens - window, rising;

  if (window <= 0 || window >= tokens)
    return t * (t + 1) / 2;
  pairs = w * (w + 1) / 2 + (t - w) * w;
  rising = MIN (sinks, past);
  return pairs + (double)rising * (double)(rising + 1) / 2 + (double)(past - rising) * (double)sinks;
}

double
fen_plan_flops_per_token (const FenPlan *plan)
{
  const FenModelConfig *m = fen_model_config (plan->model);
  const FenPlanSettings *s = &plan->settings;
  double keys = 0;

  for (gint64 layer = 0; layer < m->layers; layer++)
    keys += visible_pairs (s->row_tokens, s->layer_window[layer], s->sinks) / (double)s->row_tokens;
  return 6 * (double)fen_model_n_matmul_parameters (plan->model)
         + 12 * (double)(m->heads * m->head_dim) * keys;
}

gint64
fen_plan_receptive_field (const FenPlan *plan)
{
  const FenPlanSettings *s = &plan->settings;
  gint64 field = 1;

  for (gint64 layer = 0; layer < fen_model_config (plan->model)->layers && field < s->row_tokens; layer++)
    field += (s->layer_window[layer] == 0 ? s->row_tokens : s->layer_window[layer]) - 1;
  return MIN (field, s->row_tokens);
}
