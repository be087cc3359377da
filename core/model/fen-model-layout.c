/* fen-model-layout.c: the names and places of a model's parameters.
 *
 * A family's parameters are three static lists: those before the layers, those of one layer, those after them. A
 * row says which slot a tensor belongs to, its name, its shape in terms of the configuration, and when it is there.
 * Rows of one slot follow each other: their tensors lie together without a gap and the engine reads them as one
 * matrix. To add an architecture whose layer has these slots, write its lists here and its keys in
 * fen-model-config-keys.c.
 */
#include "core/model/fen-model-private.h"

#include <string.h>

typedef enum {
  DIM_NONE, /* a vector has one dimension only */
  DIM_VOCAB,
  DIM_POSITIONS,
  DIM_HIDDEN,
  DIM_QUERY, /* heads head_dim */
  DIM_KEY,   /* kv_heads head_dim */
  DIM_QKV,   /* query + 2 key */
  DIM_INTERMEDIATE,
} Dimension;

typedef enum { ALWAYS, IF_UNTIED, IF_QKV_BIAS, IF_O_BIAS, IF_MLP_BIAS } Condition;

typedef struct {
  FenSlotKind slot;
  const char *name; /* behind the prefix, in a layer behind the layer's number */
  Dimension shape[2];
  Condition condition;
} Row;

typedef struct {
  const char *prefix;                /* of all but the LM head */
  const char *layers;                /* "h" in transformer.h.0.ln_1.weight */
  gboolean in_out;                   /* the matrices of a layer are stored (in, out) */
  const Row *before, *layer, *after; /* each ended by a row without a name */
} Family;

static const Row gpt2_before[] = {
  { FEN_SLOT_TOKEN_EMBEDDING, "wte.weight", { DIM_VOCAB, DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_POSITION_EMBEDDING, "wpe.weight", { DIM_POSITIONS, DIM_HIDDEN }, ALWAYS },
  { 0 },
};

static const Row gpt2_layer[] = {
  { FEN_SLOT_NORM1_WEIGHT, "ln_1.weight", { DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_NORM1_BIAS, "ln_1.bias", { DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_QKV_WEIGHT, "attn.c_attn.weight", { DIM_HIDDEN, DIM_QKV }, ALWAYS },
  { FEN_SLOT_QKV_BIAS, "attn.c_attn.bias", { DIM_QKV }, ALWAYS },
  { FEN_SLOT_O_WEIGHT, "attn.c_proj.weight", { DIM_QUERY, DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_O_BIAS, "attn.c_proj.bias", { DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_NORM2_WEIGHT, "ln_2.weight", { DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_NORM2_BIAS, "ln_2.bias", { DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_UP_WEIGHT, "mlp.c_fc.weight", { DIM_HIDDEN, DIM_INTERMEDIATE }, ALWAYS },
  { FEN_SLOT_UP_BIAS, "mlp.c_fc.bias", { DIM_INTERMEDIATE }, ALWAYS },
  { FEN_SLOT_DOWN_WEIGHT, "mlp.c_proj.weight", { DIM_INTERMEDIATE, DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_DOWN_BIAS, "mlp.c_proj.bias", { DIM_HIDDEN }, ALWAYS },
  { 0 },
};

static const Row gpt2_after[] = {
  { FEN_SLOT_FINAL_NORM_WEIGHT, "ln_f.weight", { DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_FINAL_NORM_BIAS, "ln_f.bias", { DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_LM_HEAD, "lm_head.weight", { DIM_VOCAB, DIM_HIDDEN }, IF_UNTIED },
  { 0 },
};

static const Row llama_before[] = {
  { FEN_SLOT_TOKEN_EMBEDDING, "embed_tokens.weight", { DIM_VOCAB, DIM_HIDDEN }, ALWAYS },
  { 0 },
};

static const Row llama_layer[] = {
  { FEN_SLOT_NORM1_WEIGHT, "input_layernorm.weight", { DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_QKV_WEIGHT, "self_attn.q_proj.weight", { DIM_QUERY, DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_QKV_WEIGHT, "self_attn.k_proj.weight", { DIM_KEY, DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_QKV_WEIGHT, "self_attn.v_proj.weight", { DIM_KEY, DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_QKV_BIAS, "self_attn.q_proj.bias", { DIM_QUERY }, IF_QKV_BIAS },
  { FEN_SLOT_QKV_BIAS, "self_attn.k_proj.bias", { DIM_KEY }, IF_QKV_BIAS },
  { FEN_SLOT_QKV_BIAS, "self_attn.v_proj.bias", { DIM_KEY }, IF_QKV_BIAS },
  { FEN_SLOT_O_WEIGHT, "self_attn.o_proj.weight", { DIM_HIDDEN, DIM_QUERY }, ALWAYS },
  { FEN_SLOT_O_BIAS, "self_attn.o_proj.bias", { DIM_HIDDEN }, IF_O_BIAS },
  { FEN_SLOT_NORM2_WEIGHT, "post_attention_layernorm.weight", { DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_UP_WEIGHT, "mlp.gate_proj.weight", { DIM_INTERMEDIATE, DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_UP_WEIGHT, "mlp.up_proj.weight", { DIM_INTERMEDIATE, DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_UP_BIAS, "mlp.gate_proj.bias", { DIM_INTERMEDIATE }, IF_MLP_BIAS },
  { FEN_SLOT_UP_BIAS, "mlp.up_proj.bias", { DIM_INTERMEDIATE }, IF_MLP_BIAS },
  { FEN_SLOT_DOWN_WEIGHT, "mlp.down_proj.weight", { DIM_HIDDEN, DIM_INTERMEDIATE }, ALWAYS },
  { FEN_SLOT_DOWN_BIAS, "mlp.down_proj.bias", { DIM_HIDDEN }, IF_MLP_BIAS },
  { 0 },
};

static const Row llama_after[] = {
  { FEN_SLOT_FINAL_NORM_WEIGHT, "norm.weight", { DIM_HIDDEN }, ALWAYS },
  { FEN_SLOT_LM_HEAD, "lm_head.weight", { DIM_VOCAB, DIM_HIDDEN }, IF_UNTIED },
  { 0 },
};

static const Family families[] = {
  [FEN_ARCH_GPT2] = { "transformer.", "h", TRUE, gpt2_before, gpt2_layer, gpt2_after },
  [FEN_ARCH_LLAMA] = { "model.", "layers", FALSE, llama_before, llama_layer, llama_after },
  [FEN_ARCH_MISTRAL] = { "model.", "layers", FALSE, llama_before, llama_layer, llama_after },
  [FEN_ARCH_QWEN2] = { "model.", "layers", FALSE, llama_before, llama_layer, llama_after },
};

const char *
fen_model_name_prefix (FenArchitecture architecture)
{
  return families[architecture].prefix;
}

static gint64
dimension (const FenModelConfig *config, Dimension dim)
{
  /* Every factor is at most 2^30 (see the ranges of the keys): no product of two overflows. */
  switch (dim)
    {
    case DIM_VOCAB:
      return config->vocab_size;
    case DIM_POSITIONS:
      return config->max_positions;
    case DIM_HIDDEN:
      return config->hidden;
    case DIM_QUERY:
      return config->heads * config->head_dim;
    case DIM_KEY:
      return config->kv_heads * config->head_dim;
    case DIM_QKV:
      return (config->heads + 2 * config->kv_heads) * config->head_dim;
    case DIM_INTERMEDIATE:
      return config->intermediate;
    case DIM_NONE:
      break;
    }
  return 1;
}

static gboolean
is_there (const FenModelConfig *config, Condition condition)
{
  switch (condition)
    {
    case IF_UNTIED:
      return !config->tied;
    case IF_QKV_BIAS:
      return config->qkv_bias;
    case IF_O_BIAS:
      return config->o_bias;
    case IF_MLP_BIAS:
      return config->mlp_bias;
    case ALWAYS:
      break;
    }
  return TRUE;
}

/* Name, shape, slot and layer of a row's tensor; its place follows in `place`. */
static FenParam
describe (FenModel *model, const Family *family, const Row *row, gint64 layer)
{
  FenParam param = { .slot = row->slot, .layer = layer, .rank = row->shape[1] == DIM_NONE ? 1 : 2 };
  const char *prefix = row->slot == FEN_SLOT_LM_HEAD ? "" : family->prefix;
  g_autofree char *name = layer < 0 ? g_strconcat (prefix, row->name, NULL)
                                    : g_strdup_printf ("%s%s.%" G_GINT64_FORMAT ".%s", prefix, family->layers,
                                                       layer, row->name);
  param.name = g_string_chunk_insert (model->names, name);
  for (int i = 0; i < 2; i++)
    param.shape[i] = dimension (&model->config, row->shape[i]);
  param.elements = param.shape[0] * param.shape[1];
  return param;
}

/* Appends `param` to the flat space and to its slot, which it begins or continues. FALSE when the space overflows. */
static gboolean
place (FenModel *model, FenParam *param, gboolean in_out)
{
  FenSlot *slot = param->layer < 0 ? &model->once[param->slot]
                                   : &model->layer_slots[param->layer * FEN_N_SLOTS + param->slot];
  gint64 out = in_out ? param->shape[1] : param->shape[0];
  if (slot->elements == 0)
    {
      if (__builtin_add_overflow (model->space, FEN_PARAM_ALIGN - 1, &model->space))
        return FALSE;
      model->space &= ~(gint64)(FEN_PARAM_ALIGN - 1);
      slot->offset = model->space;
      slot->in = in_out ? param->shape[0] : param->shape[1];
      slot->in_out = in_out;
      slot->decay = param->rank == 2;
    }
  param->offset = model->space;
  slot->out += out;
  slot->elements += param->elements;
  /* fp32 weights, gradients, masters and two moments are 20 bytes an element: keep that countable too. */
  if (__builtin_add_overflow (model->space, param->elements, &model->space) || model->space > G_MAXINT64 / 64)
    return FALSE;
  const FenSlotKind head = model->config.tied ? FEN_SLOT_TOKEN_EMBEDDING : FEN_SLOT_LM_HEAD;
  if (param->slot == head)
    model->space += (fen_model_vocab_rows (model) - param->shape[0]) * param->shape[1];
  model->n_parameters += param->elements;
  gboolean embedding = param->slot == FEN_SLOT_TOKEN_EMBEDDING || param->slot == FEN_SLOT_POSITION_EMBEDDING;
  if (param->rank == 2 && !embedding)
    model->n_matmul += param->elements;
  return TRUE;
}

static gboolean
place_rows (FenModel *model, const Family *family, const Row *rows, gint64 layer, GArray *params)
{
  for (const Row *row = rows; row->name != NULL; row++)
    {
      if (!is_there (&model->config, row->condition))
        continue;
      FenParam param = describe (model, family, row, layer);
      if (!place (model, &param, family->in_out && layer >= 0 && param.rank == 2))
        return FALSE;
      g_array_append_val (params, param);
    }
  return TRUE;
}

gboolean
fen_model_lay_out (FenModel *model, const char *where, GError **error)
{
  const Family *family = &families[model->config.architecture];
  gint64 layers = model->config.layers;
  GArray *params = g_array_new (FALSE, FALSE, sizeof (FenParam));
  model->names = g_string_chunk_new (4096);
  model->layer_slots = g_new0 (FenSlot, (gsize)layers * FEN_N_SLOTS);
  gboolean fits = place_rows (model, family, family->before, -1, params);
  for (gint64 layer = 0; fits && layer < layers; layer++)
    fits = place_rows (model, family, family->layer, layer, params);
  fits = fits && place_rows (model, family, family->after, -1, params);
  if (model->config.tied)
    {
      model->once[FEN_SLOT_LM_HEAD] = model->once[FEN_SLOT_TOKEN_EMBEDDING];
      model->n_matmul += model->once[FEN_SLOT_LM_HEAD].elements;
    }
  model->n_params = params->len;
  model->params = (FenParam *)g_array_free (params, FALSE);
  if (!fits)
    g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_CONFIG,
                 "%s: the sizes make more than 2^57 parameters", where);
  return fits;
}
