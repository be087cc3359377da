/* fen-model.c: a model's life and what may be asked of it (see fen-model.h). */
#include "core/model/fen-model-private.h"

G_DEFINE_QUARK (fen - model - error - quark, fen_model_error)

gboolean
fen_model_claim_error (GError **error, FenModelError code, GError *inner)
{
  if (inner->domain == FEN_MODEL_ERROR)
    {
      g_propagate_error (error, inner);
      return FALSE;
    }
  g_set_error_literal (error, FEN_MODEL_ERROR, (int)code, inner->message);
  g_error_free (inner);
  return FALSE;
}

FenModel *
fen_model_new (const char *name, const char *folder)
{
  FenModel *model = g_new0 (FenModel, 1);
  g_atomic_ref_count_init (&model->ref_count);
  model->name = g_strdup (name);
  model->folder = g_strdup (folder);
  model->notes = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (model->notes, NULL);
  model->files = g_ptr_array_new_with_free_func ((GDestroyNotify)fen_safetensors_free);
  return model;
}

FenModel *
fen_model_ref (FenModel *model)
{
  g_atomic_ref_count_inc (&model->ref_count);
  return model;
}

void
fen_model_unref (FenModel *model)
{
  if (model == NULL || !g_atomic_ref_count_dec (&model->ref_count))
    return;
  g_ptr_array_unref (model->notes);
  g_ptr_array_unref (model->files);
  g_clear_pointer (&model->source, json_node_unref);
  g_clear_pointer (&model->names, g_string_chunk_free);
  g_free (model->sources);
  g_free (model->params);
  g_free (model->layer_slots);
  g_free (model->layer_window);
  g_free (model->folder);
  g_free (model->name);
  g_free (model);
}

void
fen_model_add_note (FenModel *model, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  model->notes->pdata[model->notes->len - 1] = g_strdup_vprintf (format, args);
  va_end (args);
  g_ptr_array_add (model->notes, NULL);
}

const char *
fen_model_name (const FenModel *model)
{
  return model->name;
}

const char *
fen_model_folder (const FenModel *model)
{
  return model->folder;
}

const FenModelConfig *
fen_model_config (const FenModel *model)
{
  return &model->config;
}

const char *const *
fen_model_notes (const FenModel *model)
{
  return (const char *const *)model->notes->pdata;
}

const char *
fen_model_architecture_name (FenArchitecture architecture)
{
  static const char *const names[] = {
    [FEN_ARCH_GPT2] = "gpt2",
    [FEN_ARCH_LLAMA] = "llama",
    [FEN_ARCH_MISTRAL] = "mistral",
    [FEN_ARCH_QWEN2] = "qwen2",
  };
  return names[architecture];
}

void
fen_model_shape (const FenModel *model, FenModelShape *shape)
{
  const FenModelConfig *config = &model->config;
  *shape = (FenModelShape){
    .hidden = config->hidden,
    .heads = config->heads,
    .kv_heads = config->kv_heads,
    .layers = config->layers,
    .vocab_size = config->vocab_size,
    .max_positions = config->max_positions,
    .learned_positions = config->learned_positions,
  };
  for (gint64 layer = 0; layer < config->layers && shape->model_window == 0; layer++)
    shape->model_window = config->layer_window[layer];
}

void
fen_model_set_context (FenModel *model, gint64 context)
{
  model->context = context;
}

const FenSlot *
fen_model_slot (const FenModel *model, gint64 layer, FenSlotKind slot)
{
  g_return_val_if_fail (layer >= -1 && layer < model->config.layers && slot < FEN_N_SLOTS,
                        &model->once[slot]);
  return layer < 0 ? &model->once[slot] : &model->layer_slots[layer * FEN_N_SLOTS + slot];
}

const FenParam *
fen_model_params (const FenModel *model, gsize *n_params)
{
  *n_params = model->n_params;
  return model->params;
}

gint64
fen_model_space (const FenModel *model)
{
  return model->space;
}

gint64
fen_model_vocab_rows (const FenModel *model)
{
  return (model->config.vocab_size + FEN_VOCAB_ALIGN - 1) / FEN_VOCAB_ALIGN * FEN_VOCAB_ALIGN;
}

gint64
fen_model_n_parameters (const FenModel *model)
{
  return model->n_parameters;
}

gint64
fen_model_n_matmul_parameters (const FenModel *model)
{
  return model->n_matmul;
}

gint64
fen_model_layer_window (const FenModel *model, const FenConfig *config, gint64 layer)
{
  switch (config->window_pattern)
    {
    case FEN_WINDOW_ALL:
      return config->window_size;
    case FEN_WINDOW_ALTERNATE:
      return layer % 2 == 0 ? config->window_size : 0;
    case FEN_WINDOW_MODEL:
      break;
    }
  return model->config.layer_window[layer];
}
