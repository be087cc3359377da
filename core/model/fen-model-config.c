/* fen-model-config.c: config.json -> FenModelConfig.
 *
 * A configuration from a stranger may ask for mathematics that we do not do, and most such keys do no harm to the
 * shapes: the model would load, train and be wrong. So every key must be known. One table says of each key, for each
 * architecture, what it is: a size or a switch that is read, one that must have the only value that we compute, one
 * that cannot change the result, or one that a function of its own reads. A key that the table lacks is an error.
 * Defaults for missing keys are transformers' own.
 */
#include "core/model/fen-model-private.h"

#include <math.h>
#include <string.h>

#include "core/base/fen-error.h"
#include "core/base/fen-json.h"

#define G2 (1u << FEN_ARCH_GPT2)
#define LL (1u << FEN_ARCH_LLAMA)
#define MI (1u << FEN_ARCH_MISTRAL)
#define Q2 (1u << FEN_ARCH_QWEN2)
#define ROTARY (LL | MI | Q2)
#define ANY (G2 | ROTARY)

#define MAX_LAYERS 1024
#define MAX_POSITIONS (1 << 30)

/* What is read, before it becomes a FenModelConfig. */
typedef struct {
  FenModelConfig config;
  gboolean scale_attention; /* gpt2: scores are divided by sqrt (head_dim) */
  gboolean use_sliding_window;
  gint64 sliding_window; /* 0 = none */
  gint64 max_window_layers;
} Raw;

typedef enum {
  SIZE,     /* an integer of `min` to `max` at `offset`; 0 there means missing */
  NUMBER,   /* a double of `min` to `max` at `offset` */
  SWITCH,   /* a gboolean at `offset` */
  DROPOUT,  /* read for a note: we train without */
  ONLY,     /* must be one of the values in `only` */
  HARMLESS, /* cannot change the result */
  APART,    /* read by a function below or in fen-rope-scaling.c */
} KeyKind;

typedef struct {
  const char *key;
  guint architectures; /* where it is known */
  KeyKind kind;
  guint required; /* architectures that have no sensible default */
  gsize offset;   /* into Raw */
  double min, max;
  const char *only; /* JSON texts, separated by | */
} Key;

#define AT(field) G_STRUCT_OFFSET (Raw, field)

static const Key keys[] = {
  { "model_type", ANY, APART },
  /* sizes */
  { "vocab_size", ANY, SIZE, ANY, AT (config.vocab_size), 1, 1 << 20 },
  { "hidden_size", ROTARY, SIZE, ROTARY, AT (config.hidden), 1, 65536 },
  { "n_embd", G2, SIZE, G2, AT (config.hidden), 1, 65536 },
  { "num_hidden_layers", ROTARY, SIZE, ROTARY, AT (config.layers), 1, MAX_LAYERS },
  { "n_layer", G2, SIZE, G2, AT (config.layers), 1, MAX_LAYERS },
  { "num_attention_heads", ROTARY, SIZE, ROTARY, AT (config.heads), 1, 1024 },
  { "n_head", G2, SIZE, G2, AT (config.heads), 1, 1024 },
  { "num_key_value_heads", ROTARY, SIZE, 0, AT (config.kv_heads), 1, 1024 },
  { "head_dim", ROTARY, SIZE, 0, AT (config.head_dim), 1, 1024 },
  { "intermediate_size", ROTARY, SIZE, ROTARY, AT (config.intermediate), 1, 1 << 20 },
  { "n_inner", G2, SIZE, 0, AT (config.intermediate), 1, 1 << 20 },
  { "max_position_embeddings", ROTARY, SIZE, 0, AT (config.max_positions), 1, MAX_POSITIONS },
  { "n_positions", G2, SIZE, 0, AT (config.max_positions), 1, 1 << 24 },
  /* mathematics that we do */
  { "hidden_act", ROTARY, APART },
  { "activation_function", G2, APART },
  { "rms_norm_eps", ROTARY, NUMBER, 0, AT (config.norm_epsilon), 1e-12, 1 },
  { "layer_norm_epsilon", G2, NUMBER, 0, AT (config.norm_epsilon), 1e-12, 1 },
  { "initializer_range", ANY, NUMBER, 0, AT (config.initializer_range), 0, 1 },
  { "tie_word_embeddings", ANY, SWITCH, 0, AT (config.tied) },
  { "attention_bias", LL, SWITCH, 0, AT (config.qkv_bias) },
  { "mlp_bias", LL, SWITCH, 0, AT (config.mlp_bias) },
  { "scale_attn_weights", G2, SWITCH, 0, AT (scale_attention) },
  { "sliding_window", MI | Q2, APART },
  { "use_sliding_window", Q2, SWITCH, 0, AT (use_sliding_window) },
  { "max_window_layers", Q2, SIZE, 0, AT (max_window_layers), 0, 1 << 20 },
  { "layer_types", Q2, APART },
  { "rope_theta", ROTARY, APART },
  { "rope_scaling", ROTARY, APART },
  { "rope_parameters", ROTARY, APART },
  { "bos_token_id", ANY, APART },
  { "eos_token_id", ANY, APART },
  { "pad_token_id", ROTARY, APART },
  { "attn_pdrop", G2, DROPOUT },
  { "embd_pdrop", G2, DROPOUT },
  { "resid_pdrop", G2, DROPOUT },
  { "attention_dropout", ROTARY, DROPOUT },
  /* mathematics that we do not do */
  { "scale_attn_by_inverse_layer_idx", G2, ONLY, .only = "false|null" },
  { "add_cross_attention", ANY, ONLY, .only = "false|null" },
  { "is_encoder_decoder", ANY, ONLY, .only = "false|null" },
  { "tie_encoder_decoder", ANY, ONLY, .only = "false|null" },
  { "cross_attention_hidden_size", ANY, ONLY, .only = "null" },
  { "pruned_heads", ANY, ONLY, .only = "{}|null" },
  { "quantization_config", ANY, ONLY, .only = "null" },
  { "auto_map", ANY, ONLY, .only = "{}|null" },
  { "attention_bias", MI, ONLY, .only = "false|null" },
  { "mlp_bias", MI, ONLY, .only = "false|null" },
  { "partial_rotary_factor", ROTARY, ONLY, .only = "1|null" },
  { "rope_interleaved", ROTARY, ONLY, .only = "false|null" },
  { "use_mrope", Q2, ONLY, .only = "false|null" },
  { "sliding_window", LL, ONLY, .only = "null" },
  /* the same result, computed in another order or precision */
  { "reorder_and_upcast_attn", G2, HARMLESS },
  { "pretraining_tp", LL, HARMLESS },
  { "chunk_size_feed_forward", ANY, HARMLESS },
  { "use_cache", ANY, HARMLESS },
  { "dtype", ANY, HARMLESS },
  { "torch_dtype", ANY, HARMLESS },
  { "_attn_implementation", ANY, HARMLESS },
  { "_attn_implementation_autoset", ANY, HARMLESS },
  { "attn_implementation", ANY, HARMLESS },
  { "_flash_attn_2_enabled", ANY, HARMLESS },
  { "_experts_implementation", ANY, HARMLESS },
  { "use_bfloat16", ANY, HARMLESS },
  { "torchscript", ANY, HARMLESS },
  { "is_decoder", ANY, HARMLESS },
  { "n_ctx", G2, HARMLESS },
  /* about the file, the tokenizer, or heads for other tasks */
  { "_name_or_path", ANY, HARMLESS },
  { "name_or_path", ANY, HARMLESS },
  { "_commit_hash", ANY, HARMLESS },
  { "_from_model_config", ANY, HARMLESS },
  { "_num_labels", ANY, HARMLESS },
  { "architectures", ANY, HARMLESS },
  { "transformers_version", ANY, HARMLESS },
  { "transformers.js_config", ANY, HARMLESS },
  { "unsloth_fixed", ANY, HARMLESS },
  { "unsloth_version", ANY, HARMLESS },
  { "is_llama_config", LL, HARMLESS },
  { "model_max_length", ANY, HARMLESS },
  { "tokenizer_class", ANY, HARMLESS },
  { "prefix", ANY, HARMLESS },
  { "pad_token_id", G2, HARMLESS }, /* GPT-2's embedding takes no notice of it */
  { "sep_token_id", ANY, HARMLESS },
  { "decoder_start_token_id", ANY, HARMLESS },
  { "task_specific_params", ANY, HARMLESS },
  { "finetuning_task", ANY, HARMLESS },
  { "problem_type", ANY, HARMLESS },
  { "id2label", ANY, HARMLESS },
  { "label2id", ANY, HARMLESS },
  { "num_labels", ANY, HARMLESS },
  { "summary_activation", ANY, HARMLESS },
  { "summary_first_dropout", ANY, HARMLESS },
  { "summary_proj_to_labels", ANY, HARMLESS },
  { "summary_type", ANY, HARMLESS },
  { "summary_use_proj", ANY, HARMLESS },
  { "output_attentions", ANY, HARMLESS },
  { "output_hidden_states", ANY, HARMLESS },
  { "output_past", ANY, HARMLESS },
  { "output_scores", ANY, HARMLESS },
  { "return_dict", ANY, HARMLESS },
  { "return_dict_in_generate", ANY, HARMLESS },
  { "tf_legacy_loss", ANY, HARMLESS },
  /* how to sample, as transformers 4 wrote it beside the model */
  { "bad_words_ids", ANY, HARMLESS },
  { "begin_suppress_tokens", ANY, HARMLESS },
  { "diversity_penalty", ANY, HARMLESS },
  { "do_sample", ANY, HARMLESS },
  { "early_stopping", ANY, HARMLESS },
  { "encoder_no_repeat_ngram_size", ANY, HARMLESS },
  { "exponential_decay_length_penalty", ANY, HARMLESS },
  { "forced_bos_token_id", ANY, HARMLESS },
  { "forced_eos_token_id", ANY, HARMLESS },
  { "length_penalty", ANY, HARMLESS },
  { "max_length", ANY, HARMLESS },
  { "min_length", ANY, HARMLESS },
  { "no_repeat_ngram_size", ANY, HARMLESS },
  { "num_beam_groups", ANY, HARMLESS },
  { "num_beams", ANY, HARMLESS },
  { "num_return_sequences", ANY, HARMLESS },
  { "remove_invalid_values", ANY, HARMLESS },
  { "repetition_penalty", ANY, HARMLESS },
  { "suppress_tokens", ANY, HARMLESS },
  { "temperature", ANY, HARMLESS },
  { "top_k", ANY, HARMLESS },
  { "top_p", ANY, HARMLESS },
  { "typical_p", ANY, HARMLESS },
};

static const struct {
  const char *name;
  FenActivationKind kind;
} activations[] = {
  { "silu", FEN_SILU },     { "swish", FEN_SILU },          { "gelu_new", FEN_GELU_TANH },
  { "gelu", FEN_GELU_ERF }, { "gelu_fast", FEN_GELU_TANH }, { "gelu_pytorch_tanh", FEN_GELU_TANH },
  { "relu", FEN_RELU },
};

static gboolean G_GNUC_PRINTF (3, 4) fail (GError **error, FenModelError code, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, FEN_MODEL_ERROR, (int)code, message);
  return FALSE;
}

/* A value as one line of JSON, cut for an error message. */
static char *
value_text (JsonNode *node, gsize most)
{
  g_autoptr (FenJsonWriter) writer = fen_json_writer_new (0);
  fen_json_writer_node (writer, NULL, node);
  const char *text = fen_json_writer_text (writer, NULL);
  if (strlen (text) <= most)
    return g_strdup (text);
  g_autofree char *cut = g_utf8_make_valid (text, (gssize)most);
  return g_strconcat (cut, "...", NULL);
}

static const Key *
find_key (const char *name, FenArchitecture architecture)
{
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    if ((keys[i].architectures & 1u << architecture) != 0 && strcmp (keys[i].key, name) == 0)
      return &keys[i];
  return NULL;
}

static gboolean
check_only (const Key *key, JsonNode *node, const char *where, GError **error)
{
  g_autofree char *found = value_text (node, 60);
  g_auto (GStrv) allowed = g_strsplit (key->only, "|", 0);
  if (g_strv_contains ((const char *const *)allowed, found))
    return TRUE;
  g_autofree char *list = g_strjoinv (" or ", allowed);
  return fail (error, FEN_MODEL_ERROR_UNSUPPORTED,
               "%s: %s is %s, which changes the mathematics; supported: %s", where, key->key, found, list);
}

/* Dropout is a choice of training, not of the model: the weights are good without it. */
static gboolean
note_dropout (FenModel *model, const Key *key, JsonObject *object, const char *where, GError **error)
{
  double share = 0;
  if (!fen_json_get_double (object, where, key->key, FALSE, 0, 1, &share, error))
    return FALSE;
  char text[32];
  if (share > 0)
    fen_model_add_note (model, "%s: %s is %s; Fenestra trains without dropout", where, key->key,
                        fen_json_format_double (share, text));
  return TRUE;
}

static gboolean
read_key (FenModel *model, const Key *key, JsonObject *object, const char *where, Raw *raw, GError **error)
{
  gboolean required = (key->required & 1u << raw->config.architecture) != 0;
  gpointer field = G_STRUCT_MEMBER_P (raw, key->offset);
  switch (key->kind)
    {
    case SIZE:
      return fen_json_get_int (object, where, key->key, required, (gint64)key->min, (gint64)key->max, field,
                               error);
    case NUMBER:
      return fen_json_get_double (object, where, key->key, required, key->min, key->max, field, error);
    case SWITCH:
      return fen_json_get_boolean (object, where, key->key, required, field, error);
    case DROPOUT:
      return note_dropout (model, key, object, where, error);
    case ONLY:
      if (json_object_has_member (object, key->key))
        return check_only (key, json_object_get_member (object, key->key), where, error);
      return TRUE;
    case HARMLESS:
    case APART:
      break;
    }
  return TRUE;
}

static gboolean
check_all_known (JsonObject *object, FenArchitecture architecture, const char *where, GError **error)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;
  json_object_iter_init (&iter, object);
  while (json_object_iter_next (&iter, &name, &node))
    if (find_key (name, architecture) == NULL)
      {
        g_autofree char *quoted = fen_error_quote (name), *found = value_text (node, 60);
        return fail (
            error, FEN_MODEL_ERROR_UNSUPPORTED,
            "%s: unknown key %s (%s) in a %s model: it may change the mathematics, so the model is not "
            "used; remove the key if it does not",
            where, quoted, found, fen_model_architecture_name (architecture));
      }
  return TRUE;
}

static gboolean
read_architecture (JsonObject *object, const char *where, FenArchitecture *architecture, GError **error)
{
  const char *type = NULL;
  if (!fen_json_get_string (object, where, "model_type", TRUE, &type, error))
    return FALSE;
  for (int i = FEN_ARCH_GPT2; i <= FEN_ARCH_QWEN2; i++)
    if (strcmp (type, fen_model_architecture_name ((FenArchitecture)i)) == 0)
      {
        *architecture = (FenArchitecture)i;
        return TRUE;
      }
  g_autofree char *quoted = fen_error_quote (type);
  return fail (error, FEN_MODEL_ERROR_UNSUPPORTED,
               "%s: model_type is %s; supported: gpt2, llama, mistral, qwen2", where, quoted);
}

static gboolean
read_activation (JsonObject *object, const char *where, FenModelConfig *config, GError **error)
{
  const char *key = config->architecture == FEN_ARCH_GPT2 ? "activation_function" : "hidden_act";
  const char *name = config->architecture == FEN_ARCH_GPT2 ? "gelu_new" : "silu";
  if (!fen_json_get_string (object, where, key, FALSE, &name, error))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (activations); i++)
    if (strcmp (activations[i].name, name) == 0)
      {
        config->activation = activations[i].kind;
        return TRUE;
      }
  g_autofree char *quoted = fen_error_quote (name);
  return fail (error, FEN_MODEL_ERROR_UNSUPPORTED,
               "%s: %s is %s; supported: silu, swish, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu",
               where, key, quoted);
}

/* An id, the first of a list of ids, or none. An id outside the vocabulary never comes up: none, with a note. */
static gboolean
read_token_id (FenModel *model, JsonObject *object, const char *where, const char *key, gint64 *id,
               GError **error)
{
  *id = -1;
  JsonNode *node = json_object_get_member (object, key);
  if (node != NULL && JSON_NODE_HOLDS_ARRAY (node))
    {
      JsonArray *list = json_node_get_array (node);
      if (json_array_get_length (list) == 0)
        return TRUE;
      node = json_array_get_element (list, 0);
      if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_INT64)
        return fail (error, FEN_MODEL_ERROR_CONFIG, "%s: %s must be an integer, a list of integers or null",
                     where, key);
      *id = json_node_get_int (node);
    }
  else if (!fen_json_get_int (object, where, key, FALSE, -1, G_MAXINT32, id, error))
    return FALSE;
  if (*id >= model->config.vocab_size || *id < -1)
    {
      fen_model_add_note (model,
                          "%s: %s %" G_GINT64_FORMAT " is outside the vocabulary of %" G_GINT64_FORMAT
                          " and is not used",
                          where, key, *id, model->config.vocab_size);
      *id = -1;
    }
  return TRUE;
}

static void
set_defaults (Raw *raw, FenArchitecture architecture)
{
  static const gint64 max_positions[] = {
    [FEN_ARCH_GPT2] = 1024, [FEN_ARCH_LLAMA] = 2048, [FEN_ARCH_MISTRAL] = 131072, [FEN_ARCH_QWEN2] = 32768
  };
  gboolean gpt2 = architecture == FEN_ARCH_GPT2;
  *raw = (Raw){ .scale_attention = TRUE, .max_window_layers = 28 };
  raw->config = (FenModelConfig){
    .architecture = architecture,
    .max_positions = max_positions[architecture],
    .learned_positions = gpt2,
    .norm = gpt2 ? FEN_NORM_LAYER : FEN_NORM_RMS,
    .norm_epsilon = gpt2 ? 1e-5 : 1e-6,
    .gated = !gpt2,
    .tied = gpt2,
    .qkv_bias = gpt2 || architecture == FEN_ARCH_QWEN2,
    .o_bias = gpt2,
    .mlp_bias = gpt2,
    .initializer_range = 0.02,
    .bos_id = -1,
    .eos_id = -1,
    .pad_id = -1,
  };
}

/* Sizes that follow from others when they are missing or null. */
static gboolean
derive (Raw *raw, JsonObject *object, const char *where, GError **error)
{
  FenModelConfig *config = &raw->config;
  if (config->architecture == FEN_ARCH_LLAMA)
    config->o_bias = config->qkv_bias;
  if (config->intermediate == 0)
    config->intermediate = 4 * config->hidden;
  /* Missing, transformers gives a Mistral or Qwen2 model 8 or 32 heads whatever its size: ask rather than guess. */
  if (config->kv_heads == 0
      && (config->architecture == FEN_ARCH_MISTRAL || config->architecture == FEN_ARCH_QWEN2)
      && !json_object_has_member (object, "num_key_value_heads"))
    return fail (error, FEN_MODEL_ERROR_CONFIG, "%s: num_key_value_heads is missing", where);
  if (config->kv_heads == 0)
    config->kv_heads = config->heads;
  if (config->head_dim == 0)
    {
      if (config->hidden % config->heads != 0)
        return fail (error, FEN_MODEL_ERROR_CONFIG,
                     "%s: %s is %" G_GINT64_FORMAT "; allowed: a multiple of the %" G_GINT64_FORMAT " heads",
                     where, config->architecture == FEN_ARCH_GPT2 ? "n_embd" : "hidden_size", config->hidden,
                     config->heads);
      config->head_dim = config->hidden / config->heads;
    }
  config->attention_scale = raw->scale_attention ? 1.0 / sqrt ((double)config->head_dim) : 1.0;
  return TRUE;
}

/* "full_attention" or "sliding_attention" for each layer; *sliding (layers) receives which. */
static gboolean
read_layer_types (JsonArray *types, const char *where, gint64 layers, gboolean *sliding, GError **error)
{
  if (json_array_get_length (types) != layers)
    return fail (error, FEN_MODEL_ERROR_CONFIG,
                 "%s: layer_types has %u entries; allowed: %" G_GINT64_FORMAT ", one a layer", where,
                 json_array_get_length (types), layers);
  for (gint64 i = 0; i < layers; i++)
    {
      JsonNode *node = json_array_get_element (types, (guint)i);
      g_autofree char *text = value_text (node, 60);
      sliding[i] = strcmp (text, "\"sliding_attention\"") == 0;
      if (!sliding[i] && strcmp (text, "\"full_attention\"") != 0)
        return fail (error, FEN_MODEL_ERROR_UNSUPPORTED,
                     "%s: layer_types[%" G_GINT64_FORMAT
                     "] is %s; supported: full_attention, sliding_attention",
                     where, i, text);
    }
  return TRUE;
}

/* Mistral: one window for all layers, 4096 when the key is missing. Qwen2: layers from max_window_layers on, or as
 * layer_types says, and only with use_sliding_window. */
static gboolean
read_windows (FenModel *model, Raw *raw, JsonObject *object, const char *where, GError **error)
{
  FenModelConfig *config = &raw->config;
  gint64 layers = config->layers, window = 0;
  model->layer_window = g_new0 (gint64, (gsize)layers);
  config->layer_window = model->layer_window;
  if (config->architecture != FEN_ARCH_MISTRAL && config->architecture != FEN_ARCH_QWEN2)
    return TRUE;
  if (!json_object_has_member (object, "sliding_window"))
    window = 4096;
  if (!fen_json_get_int (object, where, "sliding_window", FALSE, 1, MAX_POSITIONS, &window, error))
    return FALSE;
  g_autofree gboolean *sliding = g_new0 (gboolean, (gsize)layers);
  JsonArray *types = NULL;
  if (config->architecture == FEN_ARCH_QWEN2
      && !fen_json_get_array (object, where, "layer_types", FALSE, &types, error))
    return FALSE;
  if (types != NULL && !read_layer_types (types, where, layers, sliding, error))
    return FALSE;
  gboolean off = config->architecture == FEN_ARCH_QWEN2 && !raw->use_sliding_window;
  for (gint64 i = 0; i < layers; i++)
    {
      if (types == NULL)
        sliding[i] = config->architecture == FEN_ARCH_MISTRAL || (!off && i >= raw->max_window_layers);
      if (types != NULL && sliding[i] && (off || window == 0))
        return fail (error, FEN_MODEL_ERROR_CONFIG,
                     "%s: layer_types[%" G_GINT64_FORMAT "] is sliding_attention, but %s", where, i,
                     off ? "use_sliding_window is false" : "sliding_window is null");
      model->layer_window[i] = sliding[i] ? window : 0;
    }
  return TRUE;
}

gboolean
fen_model_check_config (FenModel *model, const char *where, GError **error)
{
  const FenModelConfig *config = &model->config;
  if (config->heads % config->kv_heads != 0)
    return fail (error, FEN_MODEL_ERROR_CONFIG,
                 "%s: num_key_value_heads is %" G_GINT64_FORMAT
                 "; allowed: a divisor of the %" G_GINT64_FORMAT " heads",
                 where, config->kv_heads, config->heads);
  if (config->head_dim > 1024)
    return fail (error, FEN_MODEL_ERROR_CONFIG,
                 "%s: a head has %" G_GINT64_FORMAT " dimensions; allowed: 1 to 1024", where,
                 config->head_dim);
  if (config->rope != FEN_ROPE_NONE && config->head_dim % 2 != 0)
    return fail (error, FEN_MODEL_ERROR_CONFIG,
                 "%s: a head has %" G_GINT64_FORMAT
                 " dimensions; allowed: an even number, for rotary positions",
                 where, config->head_dim);
  return TRUE;
}

static gboolean
read_config (FenModel *model, JsonNode *root, const char *where, GError **error)
{
  JsonObject *object = fen_json_root_object (root, where, error);
  FenArchitecture architecture = FEN_ARCH_GPT2;
  Raw raw;
  if (object == NULL || !read_architecture (object, where, &architecture, error)
      || !check_all_known (object, architecture, where, error))
    return FALSE;
  set_defaults (&raw, architecture);
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    if ((keys[i].architectures & 1u << architecture) != 0
        && !read_key (model, &keys[i], object, where, &raw, error))
      return FALSE;
  if (!read_activation (object, where, &raw.config, error) || !derive (&raw, object, where, error)
      || !read_windows (model, &raw, object, where, error))
    return FALSE;
  model->config = raw.config;
  if (!read_token_id (model, object, where, "bos_token_id", &model->config.bos_id, error)
      || !read_token_id (model, object, where, "eos_token_id", &model->config.eos_id, error)
      || (architecture != FEN_ARCH_GPT2
          && !read_token_id (model, object, where, "pad_token_id", &model->config.pad_id, error)))
    return FALSE;
  return (architecture == FEN_ARCH_GPT2 || fen_model_read_rope (model, object, where, error))
         && fen_model_check_config (model, where, error);
}

gboolean
fen_model_read_config (FenModel *model, JsonNode *root, const char *where, GError **error)
{
  GError *inner = NULL;
  if (!read_config (model, root, where, &inner))
    return fen_model_claim_error (error, FEN_MODEL_ERROR_CONFIG, inner);
  model->source = json_node_ref (root);
  json_node_seal (model->source);
  return TRUE;
}
