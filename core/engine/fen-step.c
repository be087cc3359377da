/* fen-step.c: the order of a step, and where its buffers are. */
#include "core/engine/fen-engine-private.h"

/* ---- places ---- */

static void *
place (const FenStep *step, int index)
{
  if (index < 0)
    return NULL;
  if (step->measuring)
    return FEN_NOWHERE;
  return step->arena + g_array_index (step->plan->buffers, FenPlanBuffer, index).offset;
}

void *
fen_step_buffer (const FenStep *step, FenStepBuffer id)
{
  return place (step, step->plan->step_buffer[id]);
}

void *
fen_step_layer_buffer (const FenStep *step, FenPass pass, gint64 layer, FenLayerBuffer id)
{
  return place (step, step->plan->layer_buffer[pass][layer * FEN_N_LAYER_BUFFERS + id]);
}

void *
fen_step_weight (const FenStep *step, gint64 layer, FenSlotKind kind)
{
  const FenSlot *slot = fen_model_slot (step->model, layer, kind);
  char *weights = fen_step_buffer (step, FEN_STEP_WEIGHTS);
  if (slot->elements == 0)
    return NULL;
  return weights + slot->offset * (gint64)fen_dtype_size (step->plan->settings.storage);
}

float *
fen_step_gradient (const FenStep *step, gint64 layer, FenSlotKind kind)
{
  const FenSlot *slot = fen_model_slot (step->model, layer, kind);
  float *gradients = fen_step_buffer (step, FEN_STEP_GRADIENTS);
  return slot->elements == 0 ? NULL : gradients + slot->offset;
}

/* ---- phases ---- */

#define GUARD_BYTE 0xA5

static void
check_guard (FenStep *step, const FenPlanBuffer *buffer)
{
  const guint8 *guard = (const guint8 *)step->arena + buffer->offset + buffer->bytes;

  for (guint64 i = 0; i < step->plan->guard; i++)
    if (guard[i] != GUARD_BYTE && step->ops.error == NULL)
      g_set_error (&step->ops.error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_DEVICE,
                   "byte %" G_GUINT64_FORMAT " behind %s (%" G_GUINT64_FORMAT " bytes) was written", i,
                   buffer->name, buffer->bytes);
}

/* The host's arena is not looked at: it counts as living always, and has no guard. */
static gboolean
lives_always (const FenStep *step, const FenPlanBuffer *buffer)
{
  return buffer->host || (buffer->first == 0 && buffer->last == step->plan->n_phases - 1);
}

/* Content becomes NaN in every type; the guard behind it is drawn. */
static void
begin_life (const FenStep *step, const FenPlanBuffer *buffer)
{
  memset (step->arena + buffer->offset, 0xFF, buffer->bytes);
  memset (step->arena + buffer->offset + buffer->bytes, GUARD_BYTE, step->plan->guard);
}

/* On to `to`: lives that ended on the way must have left their guards whole; lives begin. */
static void
check_advance (FenStep *step, guint to)
{
  const FenPlan *plan = step->plan;
  const guint from = step->next_phase;

  for (guint i = 0; i < plan->buffers->len; i++)
    {
      const FenPlanBuffer *buffer = &g_array_index (plan->buffers, FenPlanBuffer, i);
      if (!lives_always (step, buffer) && buffer->first < from && buffer->last + 1 >= from
          && buffer->last < to)
        check_guard (step, buffer);
    }
  for (guint i = 0; i < plan->buffers->len; i++)
    {
      const FenPlanBuffer *buffer = &g_array_index (plan->buffers, FenPlanBuffer, i);
      if (!lives_always (step, buffer) && buffer->first >= from && buffer->first <= to && buffer->last >= to)
        begin_life (step, buffer);
    }
}

/* Back to `to`, with the next chunk: what lives in all phases of the round goes on, everything else begins anew. */
static void
check_return (FenStep *step, guint to)
{
  const FenPlan *plan = step->plan;
  const guint from = step->next_phase - 1;

  for (guint i = 0; i < plan->buffers->len; i++)
    {
      const FenPlanBuffer *buffer = &g_array_index (plan->buffers, FenPlanBuffer, i);
      if (!lives_always (step, buffer) && buffer->first <= from && buffer->last >= from)
        check_guard (step, buffer);
    }
  for (guint i = 0; i < plan->buffers->len; i++)
    {
      const FenPlanBuffer *buffer = &g_array_index (plan->buffers, FenPlanBuffer, i);
      if (buffer->first <= to && buffer->last >= to && buffer->last < from)
        begin_life (step, buffer);
    }
}

void
fen_step_begin (FenStep *step)
{
  if (!step->checking)
    return;
  step->next_phase = 0;
  for (guint i = 0; i < step->plan->buffers->len; i++)
    {
      const FenPlanBuffer *buffer = &g_array_index (step->plan->buffers, FenPlanBuffer, i);
      if (!buffer->host && lives_always (step, buffer))
        memset (step->arena + buffer->offset + buffer->bytes, GUARD_BYTE, step->plan->guard);
    }
}

void
fen_step_end (FenStep *step)
{
  if (!step->checking)
    return;
  for (guint i = 0; i < step->plan->buffers->len; i++)
    {
      const FenPlanBuffer *buffer = &g_array_index (step->plan->buffers, FenPlanBuffer, i);
      gboolean open = buffer->first < step->next_phase && buffer->last + 1 >= step->next_phase;
      if (!buffer->host && (lives_always (step, buffer) || open))
        check_guard (step, buffer);
    }
}

void
fen_step_enter (FenStep *step, guint phase)
{
  const FenPlan *plan = step->plan;
  int own;

  step->ops.phase = phase;
  if (step->measuring)
    return;
  own = plan->phase_workspace[phase];
  if (own < 0)
    own = plan->step_buffer[FEN_STEP_WORKSPACE];
  step->ops.workspace = place (step, own);
  step->ops.workspace_bytes = own < 0 ? 0 : g_array_index (plan->buffers, FenPlanBuffer, own).bytes;
  if (!step->checking || phase + 1 == step->next_phase)
    return;
  if (phase >= step->next_phase)
    check_advance (step, phase);
  else
    check_return (step, phase);
  step->next_phase = phase + 1;
}

/* The chunk that follows chunk i. Measuring: chunks in the middle of a row ask nothing new. */
gint64
fen_step_chunk_after (const FenStep *step, gint64 i, gint64 n_chunks)
{
  return step->measuring && i == 1 && n_chunks > 4 ? n_chunks - 2 : i + 1;
}

gint64
fen_step_like (const FenStep *step, gint64 layer)
{
  const gint64 *window = step->plan->settings.layer_window;
  gint64 first = 0;

  while (window[first] != window[layer])
    first++;
  return first;
}

/* Measuring: a layer asks what the first layer with its window asks. */
static gboolean
same_as_before (const FenStep *step, gint64 layer)
{
  return step->measuring && fen_step_like (step, layer) < layer;
}

/* ---- the step ---- */

void
fen_step_embed (FenStep *step)
{
  const FenModelConfig *m = step->config;
  FenEmbeddingForward embedding
      = { .rows = step->rows * step->row_tokens,
          .width = m->hidden,
          .dtype = step->plan->settings.storage,
          .tokens = fen_step_buffer (step, FEN_STEP_TOKENS),
          .positions = fen_step_buffer (step, FEN_STEP_POSITIONS),
          .token_table = fen_step_weight (step, -1, FEN_SLOT_TOKEN_EMBEDDING),
          .position_table = fen_step_weight (step, -1, FEN_SLOT_POSITION_EMBEDDING) };

  fen_step_enter (step, 0);
  embedding.out = fen_step_layer_buffer (step, FEN_PASS_FORWARD, 0, FEN_LAYER_X);
  fen_ops_embedding_forward (&step->ops, &embedding);
}

void
fen_step_forward (FenStep *step)
{
  for (gint64 layer = 0; layer < step->config->layers; layer++)
    if (!same_as_before (step, layer))
      fen_layer_forward (step, layer);
}

/* The padding token's embedding gets no gradient, but with tied embeddings the LM head's part stays: the row is put
 * aside before the embedding adds to it and put back after. */
static void
keep_pad_row (FenStep *step, gboolean save)
{
  const gint64 width = step->config->hidden;
  float *gradient = fen_step_gradient (step, -1, FEN_SLOT_TOKEN_EMBEDDING);
  float *row = fen_step_buffer (step, FEN_STEP_PAD_ROW);

  gradient += step->config->pad_id * width;
  fen_ops_copy (&step->ops, save ? row : gradient, save ? gradient : row, (guint64)width * 4);
}

void
fen_step_backward (FenStep *step)
{
  const FenModelConfig *m = step->config;
  FenEmbeddingBackward embedding = { .rows = step->rows * step->row_tokens,
                                     .width = m->hidden,
                                     .vocab = m->vocab_size,
                                     .max_positions = m->max_positions,
                                     .dtype = step->plan->settings.storage,
                                     .tokens = fen_step_buffer (step, FEN_STEP_TOKENS),
                                     .positions = fen_step_buffer (step, FEN_STEP_POSITIONS),
                                     .d_out = fen_step_buffer (step, FEN_STEP_DX) };

  for (gint64 layer = m->layers - 1; layer >= 0; layer--)
    if (!same_as_before (step, layer))
      fen_layer_backward (step, layer);
  fen_step_enter (step, fen_plan_embedding_backward_phase (step->plan));
  embedding.d_token_table = fen_step_gradient (step, -1, FEN_SLOT_TOKEN_EMBEDDING);
  embedding.d_position_table = fen_step_gradient (step, -1, FEN_SLOT_POSITION_EMBEDDING);
  if (m->pad_id >= 0)
    keep_pad_row (step, TRUE);
  fen_ops_embedding_backward (&step->ops, &embedding);
  if (m->pad_id >= 0)
    keep_pad_row (step, FALSE);
}
