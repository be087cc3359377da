/* fen-model-save.c: a model as a folder that transformers loads.
 *
 * config.json says everything that decides the mathematics, also what equals a default, for transformers 4 and 5
 * alike (rope_theta and rope_scaling beside rope_parameters, torch_dtype beside dtype). What a folder's own
 * config.json says besides stays as it was.
 */
#include "core/model/fen-model-private.h"

#include <math.h>
#include <string.h>

#include "core/base/fen-io.h"
#include "core/base/fen-number.h"
#include "core/base/fen-json.h"
#include "core/model/fen-float-private.h"

/* What config.json says of a model without a limit of its own when nobody said a context. */
#define DEFAULT_CONTEXT 2048
#define PIECE ((gint64)1 << 18) /* values in memory at a time: an embedding can have billions */

static const struct {
  const char *dtype, *safetensors;
} dtype_names[] = {
  [FEN_F32] = { "float32", "F32" },
  [FEN_BF16] = { "bfloat16", "BF16" },
  [FEN_F16] = { "float16", "F16" },
};

/* ---- config.json ---- */

typedef struct {
  const FenModelConfig *config;
  JsonObject *source;  /* the folder's config.json, or NULL */
  GHashTable *written; /* keys that stand in the result */
  FenJsonWriter *json;
} Out;

/* Notes that `key` is written, and returns it. */
static const char *
once (Out *out, const char *key)
{
  g_hash_table_add (out->written, (gpointer)key);
  return key;
}

static void
put_int (Out *out, const char *key, gint64 value)
{
  fen_json_writer_int (out->json, once (out, key), value);
}

static void
put_double (Out *out, const char *key, double value)
{
  fen_json_writer_double (out->json, once (out, key), value);
}

static void
put_boolean (Out *out, const char *key, gboolean value)
{
  fen_json_writer_boolean (out->json, once (out, key), value);
}

static void
put_string (Out *out, const char *key, const char *value)
{
  fen_json_writer_string (out->json, once (out, key), value);
}

/* 0 = null */
static void
put_size_or_null (Out *out, const char *key, gint64 value)
{
  if (value > 0)
    put_int (out, key, value);
  else
    fen_json_writer_null (out->json, once (out, key));
}

static void
put_rope_scaling (Out *out, const char *key, gboolean with_theta)
{
  static const char *const kinds[]
      = { [FEN_ROPE_DEFAULT] = "default", [FEN_ROPE_LINEAR] = "linear", [FEN_ROPE_LLAMA3] = "llama3" };
  const FenModelConfig *config = out->config;
  fen_json_writer_begin_object (out->json, once (out, key));
  fen_json_writer_string (out->json, "rope_type", kinds[config->rope]);
  if (with_theta)
    fen_json_writer_double (out->json, "rope_theta", config->rope_theta);
  if (config->rope != FEN_ROPE_DEFAULT)
    fen_json_writer_double (out->json, "factor", config->rope_factor);
  if (config->rope == FEN_ROPE_LLAMA3)
    {
      fen_json_writer_double (out->json, "low_freq_factor", config->rope_low_freq_factor);
      fen_json_writer_double (out->json, "high_freq_factor", config->rope_high_freq_factor);
      fen_json_writer_int (out->json, "original_max_position_embeddings", config->rope_original_positions);
    }
  fen_json_writer_end_object (out->json);
}

static void
put_rope (Out *out)
{
  put_double (out, "rope_theta", out->config->rope_theta);
  if (out->config->rope == FEN_ROPE_DEFAULT)
    fen_json_writer_null (out->json, once (out, "rope_scaling"));
  else
    put_rope_scaling (out, "rope_scaling", FALSE);
  put_rope_scaling (out, "rope_parameters", TRUE);
}

static void
put_gpt2 (Out *out, gint64 positions)
{
  static const char *const activations[]
      = { [FEN_GELU_TANH] = "gelu_new", [FEN_GELU_ERF] = "gelu", [FEN_SILU] = "silu", [FEN_RELU] = "relu" };
  const FenModelConfig *config = out->config;
  put_int (out, "vocab_size", config->vocab_size);
  put_int (out, "n_positions", positions);
  put_int (out, "n_embd", config->hidden);
  put_int (out, "n_layer", config->layers);
  put_int (out, "n_head", config->heads);
  put_size_or_null (out, "n_inner", config->intermediate == 4 * config->hidden ? 0 : config->intermediate);
  put_string (out, "activation_function", activations[config->activation]);
  put_double (out, "layer_norm_epsilon", config->norm_epsilon);
  put_boolean (out, "scale_attn_weights", config->attention_scale != 1.0 || config->head_dim == 1);
  if (out->source == NULL) /* transformers' defaults of 0.1 are not how it was trained */
    {
      put_double (out, "attn_pdrop", 0);
      put_double (out, "embd_pdrop", 0);
      put_double (out, "resid_pdrop", 0);
    }
}

static void
put_rotary (Out *out, gint64 positions)
{
  static const char *const activations[] = {
    [FEN_GELU_TANH] = "gelu_pytorch_tanh", [FEN_GELU_ERF] = "gelu", [FEN_SILU] = "silu", [FEN_RELU] = "relu"
  };
  const FenModelConfig *config = out->config;
  put_int (out, "vocab_size", config->vocab_size);
  put_int (out, "max_position_embeddings", positions);
  put_int (out, "hidden_size", config->hidden);
  put_int (out, "intermediate_size", config->intermediate);
  put_int (out, "num_hidden_layers", config->layers);
  put_int (out, "num_attention_heads", config->heads);
  put_int (out, "num_key_value_heads", config->kv_heads);
  put_int (out, "head_dim", config->head_dim);
  put_string (out, "hidden_act", activations[config->activation]);
  put_double (out, "rms_norm_eps", config->norm_epsilon);
  put_rope (out);
  if (config->architecture == FEN_ARCH_LLAMA)
    {
      put_boolean (out, "attention_bias", config->qkv_bias);
      put_boolean (out, "mlp_bias", config->mlp_bias);
    }
  if (config->architecture == FEN_ARCH_MISTRAL)
    put_size_or_null (out, "sliding_window", config->layer_window[0]);
  if (config->architecture == FEN_ARCH_QWEN2 && out->source == NULL)
    put_boolean (out, "use_sliding_window", FALSE); /* a folder's own four window keys stay */
}

/* The members of the folder's own configuration that we did not write. */
static void
put_rest (Out *out)
{
  JsonObjectIter iter;
  const char *key;
  JsonNode *node;
  json_object_iter_init (&iter, out->source);
  while (json_object_iter_next (&iter, &key, &node))
    if (!g_hash_table_contains (out->written, key))
      fen_json_writer_node (out->json, key, node);
}

char *
fen_model_config_json (const FenModel *model, FenDType dtype)
{
  static const char *const classes[] = {
    [FEN_ARCH_GPT2] = "GPT2LMHeadModel",
    [FEN_ARCH_LLAMA] = "LlamaForCausalLM",
    [FEN_ARCH_MISTRAL] = "MistralForCausalLM",
    [FEN_ARCH_QWEN2] = "Qwen2ForCausalLM",
  };
  const FenModelConfig *config = &model->config;
  g_autoptr (FenJsonWriter) json = fen_json_writer_new (2);
  g_autoptr (GHashTable) written = g_hash_table_new (g_str_hash, g_str_equal);
  Out out = { config, model->source != NULL ? json_node_get_object (model->source) : NULL, written, json };
  gint64 positions = config->max_positions > 0 ? config->max_positions
                     : model->context > 0      ? model->context
                                               : DEFAULT_CONTEXT;
  fen_json_writer_begin_object (json, NULL);
  fen_json_writer_begin_array (json, once (&out, "architectures"));
  fen_json_writer_string (json, NULL, classes[config->architecture]);
  fen_json_writer_end_array (json);
  put_string (&out, "model_type", fen_model_architecture_name (config->architecture));
  put_string (&out, "dtype", dtype_names[dtype].dtype);
  put_string (&out, "torch_dtype", dtype_names[dtype].dtype);
  if (config->architecture == FEN_ARCH_GPT2)
    put_gpt2 (&out, positions);
  else
    put_rotary (&out, positions);
  put_boolean (&out, "tie_word_embeddings", config->tied);
  put_double (&out, "initializer_range", config->initializer_range);
  if (out.source != NULL)
    put_rest (&out);
  else
    {
      fen_json_writer_null (json, "bos_token_id");
      fen_json_writer_null (json, "eos_token_id");
    }
  fen_json_writer_end_object (json);
  return g_strconcat (fen_json_writer_text (json, NULL), "\n", NULL);
}

/* ---- model.safetensors ---- */

/* n values of fp32 as `dtype`, in place of n * size bytes. */
static void
convert (const float *values, gint64 n, FenDType dtype, guint16 *halves)
{
  for (gint64 i = 0; i < n; i++)
    halves[i] = dtype == FEN_BF16 ? fen_float_to_bf16 (values[i]) : fen_float_to_f16 (values[i]);
}

/* A folder that cannot be read again must not be written: rounding up may leave the type's range, too. */
static gboolean
check_values (const FenParam *param, gint64 first, gint64 n, const float *values, FenDType dtype,
              GError **error)
{
  gint64 bad = -1;
  for (gint64 i = 0; i < n && bad < 0; i++)
    {
      float stored = values[i];
      if (dtype == FEN_BF16)
        stored = fen_float_from_bf16 (fen_float_to_bf16 (stored));
      else if (dtype == FEN_F16)
        stored = fen_float_from_f16 (fen_float_to_f16 (stored));
      if (!isfinite (stored))
        bad = i;
    }
  if (bad < 0)
    return TRUE;
  g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS,
               "cannot save %s: element %" G_GINT64_FORMAT " is %s; allowed: finite numbers that %s can hold",
               param->name, first + bad, fen_number ("%g", (double)values[bad]).text,
               dtype_names[dtype].safetensors);
  return FALSE;
}

static gboolean
write_values (FenSafetensorsWriter *writer, gint64 n, const float *values, FenDType dtype, GError **error)
{
  if (dtype == FEN_F32)
    return fen_safetensors_writer_data (writer, values, (gsize)n * sizeof (float), error);
  guint16 halves[8192];
  for (gint64 i = 0; i < n; i += (gint64)G_N_ELEMENTS (halves))
    {
      gint64 count = MIN (n - i, (gint64)G_N_ELEMENTS (halves));
      convert (values + i, count, dtype, halves);
      if (!fen_safetensors_writer_data (writer, halves, (gsize)count * sizeof (guint16), error))
        return FALSE;
    }
  return TRUE;
}

/* `values` has room for a piece. */
static gboolean
write_param (FenSafetensorsWriter *writer, const FenParam *param, FenDType dtype, FenParamReader reader,
             gpointer user_data, float *values, GError **error)
{
  for (gint64 i = 0; i < param->elements; i += PIECE)
    {
      gint64 n = MIN (param->elements - i, PIECE);
      if (!reader (param, i, n, values, user_data, error) || !check_values (param, i, n, values, dtype, error)
          || !write_values (writer, n, values, dtype, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
save_weights (const FenModel *model, const char *path, FenDType dtype, FenParamReader reader,
              gpointer user_data, GError **error)
{
  g_autoptr (FenSafetensorsWriter) writer = fen_safetensors_writer_new (path, error);
  if (writer == NULL)
    return FALSE;
  fen_safetensors_writer_set_metadata (writer, "format", "pt"); /* transformers insists */
  for (gsize i = 0; i < model->n_params; i++)
    {
      const FenParam *param = &model->params[i];
      fen_safetensors_writer_add (writer, param->name, dtype, param->rank, param->shape);
    }
  g_autofree float *values = g_new (float, (gsize)PIECE);
  for (gsize i = 0; i < model->n_params; i++)
    if (!write_param (writer, &model->params[i], dtype, reader, user_data, values, error))
      return FALSE;
  return fen_safetensors_writer_commit (writer, NULL, error);
}

gboolean
fen_model_save (const FenModel *model, const char *folder, FenDType dtype, FenParamReader reader,
                gpointer user_data, GError **error)
{
  g_return_val_if_fail (dtype == FEN_F32 || dtype == FEN_BF16 || dtype == FEN_F16, FALSE);
  g_autofree char *weights = g_build_filename (folder, "model.safetensors", NULL);
  g_autofree char *config = g_build_filename (folder, "config.json", NULL);
  g_autofree char *text = fen_model_config_json (model, dtype);
  /* config.json last: a folder without it is no model, so a crash between the two leaves none in a new folder. */
  return fen_io_make_folder (folder, error) && save_weights (model, weights, dtype, reader, user_data, error)
         && fen_io_write_file (config, text, strlen (text), error);
}
