/* fen-engine-state.c: parameters in and out, and the arrays that a checkpoint holds. */
#include "core/engine/fen-engine-private.h"

/* fp32 values on their way to the device. The plan knows no more than this of the host's memory, so it is small. */
#define PIECE ((gint64)1 << 18)

/* ---- values ---- */

/* Copies fp32 values of the host into `count` weights at `offset` of the flat space, in the storage type. */
static void
write_weights (FenEngine *engine, gint64 offset, gint64 count, const float *values)
{
  FenStep *step = &engine->step;
  const FenDType dtype = engine->plan->settings.storage;
  const gint64 size = (gint64)fen_dtype_size (dtype);
  char *weights = (char *)fen_step_buffer (step, FEN_STEP_WEIGHTS) + offset * size;
  float *staging = fen_step_buffer (step, FEN_STEP_STAGING);
  gint64 piece;

  if (dtype == FEN_F32)
    {
      fen_ops_copy (&step->ops, weights, values, (guint64)count * 4);
      return;
    }
  piece = (gint64)g_array_index (engine->plan->buffers, FenPlanBuffer,
                                 engine->plan->step_buffer[FEN_STEP_STAGING])
              .bytes
          / 4;
  for (gint64 i = 0; i < count; i += piece)
    {
      FenCast cast = { .n = MIN (piece, count - i),
                       .src_dtype = FEN_F32,
                       .dst_dtype = dtype,
                       .src = staging,
                       .dst = weights + i * size };
      fen_ops_copy (&step->ops, staging, values + i, (guint64)cast.n * 4);
      fen_ops_cast (&step->ops, &cast);
      engine->backend->synchronize (engine->device, step->ops.stream);
    }
}

static void
write_param (FenEngine *engine, const FenParam *param, gint64 first, gint64 n, const float *values)
{
  float *master = fen_step_buffer (&engine->step, FEN_STEP_MASTER);

  write_weights (engine, param->offset + first, n, values);
  if (master != NULL)
    fen_ops_copy (&engine->step.ops, master + param->offset + first, values, (guint64)n * 4);
  engine->backend->synchronize (engine->device, engine->step.ops.stream);
}

gboolean
fen_engine_load_parameters (FenEngine *engine, guint64 seed, GError **error)
{
  gsize n_params;
  const FenParam *params = fen_model_params (engine->model, &n_params);
  g_autofree float *values = g_new (float, PIECE);

  for (gsize i = 0; i < n_params; i++)
    for (gint64 first = 0; first < params[i].elements; first += PIECE)
      {
        const gint64 n = MIN (PIECE, params[i].elements - first);
        if (!fen_model_read_param (engine->model, &params[i], seed, first, n, values, error))
          return FALSE;
        write_param (engine, &params[i], first, n, values);
      }
  if (engine->plan->purpose == FEN_PLAN_TRAIN)
    {
      static const FenStepBuffer moments[]
          = { FEN_STEP_MOMENT1, FEN_STEP_MOMENT2, FEN_STEP_ABSMAX1, FEN_STEP_ABSMAX2 };
      for (guint i = 0; i < G_N_ELEMENTS (moments); i++)
        {
          int index = engine->plan->step_buffer[moments[i]];
          if (index >= 0)
            fen_ops_fill (&engine->step.ops, FEN_U8, fen_step_buffer (&engine->step, moments[i]),
                          (gint64)g_array_index (engine->plan->buffers, FenPlanBuffer, index).bytes, 0);
        }
      fen_engine_zero_gradients (engine);
      engine->update_count = 0;
    }
  engine->n_fed = 0;
  return fen_engine_finish (engine, error);
}

gboolean
fen_engine_read_param (FenEngine *engine, const FenParam *param, gint64 first, gint64 n, float *values,
                       GError **error)
{
  FenStep *step = &engine->step;
  const FenDType dtype = engine->plan->settings.storage;
  const char *weights = fen_step_buffer (step, FEN_STEP_WEIGHTS);
  const float *master = fen_step_buffer (step, FEN_STEP_MASTER);

  g_return_val_if_fail (first >= 0 && n >= 0 && n <= param->elements - first, FALSE);
  if (master == NULL && dtype == FEN_F32)
    master = (const float *)(const void *)weights;
  if (master != NULL)
    fen_ops_copy (&step->ops, values, master + param->offset + first, (guint64)n * 4);
  else
    {
      float *staging = fen_step_buffer (step, FEN_STEP_STAGING);
      const gint64 size = (gint64)fen_dtype_size (dtype), piece = (1 << 20) / 4;
      for (gint64 i = 0; i < n; i += piece)
        {
          FenCast cast = { .n = MIN (piece, n - i),
                           .src_dtype = dtype,
                           .dst_dtype = FEN_F32,
                           .src = weights + (param->offset + first + i) * size,
                           .dst = staging };
          fen_ops_cast (&step->ops, &cast);
          fen_ops_copy (&step->ops, values + i, staging, (guint64)cast.n * 4);
        }
    }
  engine->backend->synchronize (engine->device, step->ops.stream);
  return fen_engine_finish (engine, error);
}

gboolean
fen_engine_read_gradient (FenEngine *engine, const FenParam *param, float *values, GError **error)
{
  const float *gradients = fen_step_buffer (&engine->step, FEN_STEP_GRADIENTS);

  if (gradients == NULL)
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "%s: a generating engine has no gradients", param->name);
      return FALSE;
    }
  fen_ops_copy (&engine->step.ops, values, gradients + param->offset, (guint64)param->elements * 4);
  engine->backend->synchronize (engine->device, engine->step.ops.stream);
  return fen_engine_finish (engine, error);
}

/* ---- checkpoints ---- */

/* Where a state tensor lies. Kept beside the public part, which is the first member. */
typedef struct {
  FenStateTensor tensor;
  FenStepBuffer buffer;
  gint64 offset; /* elements */
} State;

static void
add_state (FenEngine *engine, GArray *all, const char *prefix, const char *name, const char *suffix,
           FenDType dtype, const gint64 *shape, int rank, FenStepBuffer buffer, gint64 offset)
{
  g_autofree char *full = g_strconcat (prefix, name, suffix, NULL);
  State state = { .buffer = buffer, .offset = offset };

  if (engine->plan->step_buffer[buffer] < 0)
    return;
  state.tensor.name = g_string_chunk_insert (engine->names, full);
  state.tensor.dtype = dtype;
  state.tensor.rank = rank;
  state.tensor.shape[0] = shape[0];
  state.tensor.shape[1] = rank > 1 ? shape[1] : 1;
  state.tensor.elements = state.tensor.shape[0] * state.tensor.shape[1];
  state.tensor.is_weight = buffer == FEN_STEP_WEIGHTS;
  g_array_append_val (all, state);
}

static void
list_params (FenEngine *engine, GArray *all, const char *prefix, FenDType dtype, FenStepBuffer buffer)
{
  gsize n_params;
  const FenParam *params = fen_model_params (engine->model, &n_params);

  for (gsize i = 0; i < n_params; i++)
    add_state (engine, all, prefix, params[i].name, "", dtype, params[i].shape, params[i].rank, buffer,
               params[i].offset);
}

static void
list_slots (FenEngine *engine, GArray *all)
{
  const GArray *slots = engine->plan->slots;

  for (guint i = 0; i < slots->len; i++)
    {
      const FenEngineSlot *entry = &g_array_index (slots, FenEngineSlot, i);
      g_autofree char *name = entry->layer < 0
                                  ? g_strdup (fen_slot_kind_name (entry->kind))
                                  : g_strdup_printf ("layer%" G_GINT64_FORMAT ".%s", entry->layer,
                                                     fen_slot_kind_name (entry->kind));
      gint64 elements = entry->slot->elements, blocks = entry->n_blocks, offset = entry->slot->offset;
      add_state (engine, all, "m.", name, "", FEN_U8, &elements, 1, FEN_STEP_MOMENT1, offset);
      add_state (engine, all, "v.", name, "", FEN_U8, &elements, 1, FEN_STEP_MOMENT2, offset);
      add_state (engine, all, "m.", name, ".absmax", FEN_F32, &blocks, 1, FEN_STEP_ABSMAX1, entry->absmax);
      add_state (engine, all, "v.", name, ".absmax", FEN_F32, &blocks, 1, FEN_STEP_ABSMAX2, entry->absmax);
    }
}

void
fen_engine_list_state (FenEngine *engine)
{
  engine->names = g_string_chunk_new (4096);
  engine->places = g_array_new (FALSE, TRUE, sizeof (State));
  engine->state = g_array_new (FALSE, TRUE, sizeof (FenStateTensor));
  list_params (engine, engine->places, "weights.", engine->plan->settings.storage, FEN_STEP_WEIGHTS);
  list_params (engine, engine->places, "master.", FEN_F32, FEN_STEP_MASTER);
  if (engine->plan->settings.adam8)
    list_slots (engine, engine->places);
  else
    {
      list_params (engine, engine->places, "m.", FEN_F32, FEN_STEP_MOMENT1);
      list_params (engine, engine->places, "v.", FEN_F32, FEN_STEP_MOMENT2);
    }
  for (guint i = 0; i < engine->places->len; i++)
    g_array_append_val (engine->state, g_array_index (engine->places, State, i).tensor);
}

const FenStateTensor *
fen_engine_state_tensors (FenEngine *engine, gsize *n_tensors)
{
  *n_tensors = engine->state->len;
  return (const FenStateTensor *)(const void *)engine->state->data;
}

/* `tensor` is an element of the array above. */
static char *
state_place (FenEngine *engine, const FenStateTensor *tensor)
{
  gsize index = (gsize)(tensor - (const FenStateTensor *)(const void *)engine->state->data);
  const State *state = &g_array_index (engine->places, State, index);
  char *buffer = fen_step_buffer (&engine->step, state->buffer);
  return buffer + state->offset * (gint64)fen_dtype_size (tensor->dtype);
}

guint64
fen_state_tensor_bytes (const FenStateTensor *tensor)
{
  return (guint64)tensor->elements * fen_dtype_size (tensor->dtype);
}

static gboolean
in_tensor (const FenStateTensor *tensor, guint64 first_byte, guint64 n_bytes)
{
  const guint64 bytes = fen_state_tensor_bytes (tensor);
  return first_byte <= bytes && n_bytes <= bytes - first_byte;
}

gboolean
fen_engine_read_state (FenEngine *engine, const FenStateTensor *tensor, guint64 first_byte, guint64 n_bytes,
                       void *bytes, GError **error)
{
  g_return_val_if_fail (in_tensor (tensor, first_byte, n_bytes), FALSE);
  fen_ops_copy (&engine->step.ops, bytes, state_place (engine, tensor) + first_byte, n_bytes);
  engine->backend->synchronize (engine->device, engine->step.ops.stream);
  return fen_engine_finish (engine, error);
}

gboolean
fen_engine_write_state (FenEngine *engine, const FenStateTensor *tensor, guint64 first_byte, guint64 n_bytes,
                        const void *bytes, GError **error)
{
  g_return_val_if_fail (in_tensor (tensor, first_byte, n_bytes), FALSE);
  fen_ops_copy (&engine->step.ops, state_place (engine, tensor) + first_byte, bytes, n_bytes);
  engine->backend->synchronize (engine->device, engine->step.ops.stream);
  return fen_engine_finish (engine, error);
}

gint64
fen_engine_update_count (const FenEngine *engine)
{
  return engine->update_count;
}

void
fen_engine_set_update_count (FenEngine *engine, gint64 count)
{
  engine->update_count = count;
}

double
fen_engine_loss_scale (const FenEngine *engine)
{
  return engine->loss_scale;
}

void
fen_engine_set_loss_scale (FenEngine *engine, double scale)
{
  engine->loss_scale = scale;
}
