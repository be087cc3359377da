/* test-model-config.c: config.json of strangers: what is read, what is refused and in which words. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "core/base/fen-io.h"
#include "core/model/fen-model.h"

/* Small but complete; a case changes or adds members in front of these, which `drop` takes out. */
#define GPT2_KEYS "\"vocab_size\": 64, \"n_embd\": 8, \"n_layer\": 2, \"n_head\": 2"
#define LLAMA_KEYS                                                                                           \
  "\"vocab_size\": 64, \"hidden_size\": 32, \"num_hidden_layers\": 3, \"num_attention_heads\": 4, "          \
  "\"intermediate_size\": 48"
#define GPT2(more) "{\"model_type\": \"gpt2\", " GPT2_KEYS more "}"
#define LLAMA(more) "{\"model_type\": \"llama\", " LLAMA_KEYS more "}"
#define MISTRAL(more) "{\"model_type\": \"mistral\", \"num_key_value_heads\": 2, " LLAMA_KEYS more "}"
#define QWEN2(more) "{\"model_type\": \"qwen2\", \"num_key_value_heads\": 2, " LLAMA_KEYS more "}"

static char *folder; /* of the whole program; each case overwrites config.json */

static FenModel *
open_text (const char *text, gssize length, GError **error)
{
  g_autofree char *path = g_build_filename (folder, "config.json", NULL);
  g_assert_true (g_file_set_contents (path, text, length, NULL));
  return fen_model_open_config (folder, 0, error);
}

static FenModel *
open_good (const char *text)
{
  g_autoptr (GError) error = NULL;
  FenModel *model = open_text (text, -1, &error);
  g_assert_no_error (error);
  return model;
}

static void
assert_refused (const char *text, gssize length, FenModelError code, const char *message)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (open_text (text, length, &error));
  g_assert_error (error, FEN_MODEL_ERROR, (int)code);
  g_autofree char *prefix = g_build_filename (folder, "config.json", NULL);
  g_assert_true (g_str_has_prefix (error->message, prefix));
  g_assert_cmpstr (error->message + strlen (prefix), ==, message);
}

static const struct {
  const char *name, *text;
  FenModelError code;
  const char *message;
} bad[] = {
  { "empty", "", FEN_MODEL_ERROR_CONFIG,
    ": line 1, column 1: not JSON: a value expected, but the text ends" },
  { "not-json", "{model_type: gpt2}", FEN_MODEL_ERROR_CONFIG,
    ": line 1, column 2: not JSON: a key in double quotes expected, found \"m\"" },
  { "array", "[]", FEN_MODEL_ERROR_CONFIG, ": must hold a JSON object, not an array" },
  { "no-type", "{}", FEN_MODEL_ERROR_CONFIG, ": model_type is missing" },
  { "type-number", "{\"model_type\": 2}", FEN_MODEL_ERROR_CONFIG, ": model_type must be a string, not 2" },
  { "unknown-architecture", "{\"model_type\": \"mamba\"}", FEN_MODEL_ERROR_UNSUPPORTED,
    ": model_type is \"mamba\"; supported: gpt2, llama, mistral, qwen2" },
  { "missing-size", "{\"model_type\": \"gpt2\", \"vocab_size\": 64}", FEN_MODEL_ERROR_CONFIG,
    ": n_embd is missing" },
  { "null-size", "{\"model_type\": \"gpt2\", \"vocab_size\": 64, \"n_embd\": null}", FEN_MODEL_ERROR_CONFIG,
    ": n_embd is null, but it is required" },
  { "wrong-type", "{\"model_type\": \"gpt2\", \"vocab_size\": \"64\"}", FEN_MODEL_ERROR_CONFIG,
    ": vocab_size must be an integer, not \"64\"" },
  { "fraction", "{\"model_type\": \"gpt2\", \"vocab_size\": 64.5}", FEN_MODEL_ERROR_CONFIG,
    ": vocab_size must be an integer, not 64.5" },
  { "vocab-zero", "{\"model_type\": \"gpt2\", \"vocab_size\": 0}", FEN_MODEL_ERROR_CONFIG,
    ": vocab_size is 0; allowed: 1 to 1048576" },
  { "vocab-huge", "{\"model_type\": \"gpt2\", \"vocab_size\": 9223372036854775807}", FEN_MODEL_ERROR_CONFIG,
    ": vocab_size is 9223372036854775807; allowed: 1 to 1048576" },
  { "layers-huge",
    "{\"model_type\": \"gpt2\", \"vocab_size\": 64, \"n_embd\": 8, \"n_layer\": 100000, \"n_head\": 2}",
    FEN_MODEL_ERROR_CONFIG, ": n_layer is 100000; allowed: 1 to 1024" },
  { "hidden-negative",
    "{\"model_type\": \"gpt2\", \"vocab_size\": 64, \"n_embd\": -8, \"n_layer\": 1, \"n_head\": 2}",
    FEN_MODEL_ERROR_CONFIG, ": n_embd is -8; allowed: 1 to 65536" },
  { "heads-divide",
    "{\"model_type\": \"gpt2\", \"vocab_size\": 64, \"n_embd\": 8, \"n_layer\": 1, \"n_head\": 3}",
    FEN_MODEL_ERROR_CONFIG, ": n_embd is 8; allowed: a multiple of the 3 heads" },
  { "kv-divide", LLAMA (", \"num_key_value_heads\": 3"), FEN_MODEL_ERROR_CONFIG,
    ": num_key_value_heads is 3; allowed: a divisor of the 4 heads" },
  { "kv-more", LLAMA (", \"num_key_value_heads\": 8"), FEN_MODEL_ERROR_CONFIG,
    ": num_key_value_heads is 8; allowed: a divisor of the 4 heads" },
  { "odd-head", LLAMA (", \"head_dim\": 9"), FEN_MODEL_ERROR_CONFIG,
    ": a head has 9 dimensions; allowed: an even number, for rotary positions" },
  { "big-head",
    "{\"model_type\": \"gpt2\", \"vocab_size\": 64, \"n_embd\": 2048, \"n_layer\": 1, \"n_head\": 1}",
    FEN_MODEL_ERROR_CONFIG, ": a head has 2048 dimensions; allowed: 1 to 1024" },
  { "epsilon", LLAMA (", \"rms_norm_eps\": 0"), FEN_MODEL_ERROR_CONFIG,
    ": rms_norm_eps is 0; allowed: 1e-12 to 1" },
  { "epsilon-text", LLAMA (", \"rms_norm_eps\": \"1e-6\""), FEN_MODEL_ERROR_CONFIG,
    ": rms_norm_eps must be a number, not \"1e-6\"" },
  { "tied-number", LLAMA (", \"tie_word_embeddings\": 1"), FEN_MODEL_ERROR_CONFIG,
    ": tie_word_embeddings must be true or false, not 1" },
  { "dropout-range", GPT2 (", \"attn_pdrop\": 2"), FEN_MODEL_ERROR_CONFIG,
    ": attn_pdrop is 2; allowed: 0 to 1" },
  { "mistral-kv", "{\"model_type\": \"mistral\", " LLAMA_KEYS "}", FEN_MODEL_ERROR_CONFIG,
    ": num_key_value_heads is missing" },
  { "unknown-key", LLAMA (", \"qk_norm\": true"), FEN_MODEL_ERROR_UNSUPPORTED,
    ": unknown key \"qk_norm\" (true) in a llama model: it may change the mathematics, so the model is not "
    "used; "
    "remove the key if it does not" },
  { "key-of-another", GPT2 (", \"rope_theta\": 10000"), FEN_MODEL_ERROR_UNSUPPORTED,
    ": unknown key \"rope_theta\" (10000) in a gpt2 model: it may change the mathematics, so the model is "
    "not "
    "used; remove the key if it does not" },
  { "activation", LLAMA (", \"hidden_act\": \"quick_gelu\""), FEN_MODEL_ERROR_UNSUPPORTED,
    ": hidden_act is \"quick_gelu\"; supported: silu, swish, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, "
    "relu" },
  { "activation-type", GPT2 (", \"activation_function\": []"), FEN_MODEL_ERROR_CONFIG,
    ": activation_function must be a string, not an array" },
  { "inverse-layer", GPT2 (", \"scale_attn_by_inverse_layer_idx\": true"), FEN_MODEL_ERROR_UNSUPPORTED,
    ": scale_attn_by_inverse_layer_idx is true, which changes the mathematics; supported: false or null" },
  { "cross-attention", GPT2 (", \"add_cross_attention\": true"), FEN_MODEL_ERROR_UNSUPPORTED,
    ": add_cross_attention is true, which changes the mathematics; supported: false or null" },
  { "quantized", LLAMA (", \"quantization_config\": {\"bits\": 4}"), FEN_MODEL_ERROR_UNSUPPORTED,
    ": quantization_config is {\"bits\":4}, which changes the mathematics; supported: null" },
  { "own-code", LLAMA (", \"auto_map\": {\"AutoModel\": \"x.Y\"}"), FEN_MODEL_ERROR_UNSUPPORTED,
    ": auto_map is {\"AutoModel\":\"x.Y\"}, which changes the mathematics; supported: {} or null" },
  { "partial-rotary", LLAMA (", \"partial_rotary_factor\": 0.5"), FEN_MODEL_ERROR_UNSUPPORTED,
    ": partial_rotary_factor is 0.5, which changes the mathematics; supported: 1 or null" },
  { "llama-window", LLAMA (", \"sliding_window\": 128"), FEN_MODEL_ERROR_UNSUPPORTED,
    ": sliding_window is 128, which changes the mathematics; supported: null" },
  { "window-zero", MISTRAL (", \"sliding_window\": 0"), FEN_MODEL_ERROR_CONFIG,
    ": sliding_window is 0; allowed: 1 to 1073741824" },
  { "eos-text", LLAMA (", \"eos_token_id\": [\"x\"]"), FEN_MODEL_ERROR_CONFIG,
    ": eos_token_id must be an integer, a list of integers or null" },
  { "rope-type", LLAMA (", \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}"),
    FEN_MODEL_ERROR_UNSUPPORTED,
    ": rope_scaling: rope_type is \"dynamic\"; supported: default, linear, llama3" },
  { "rope-type-5", QWEN2 (", \"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 4}"),
    FEN_MODEL_ERROR_UNSUPPORTED,
    ": rope_parameters: rope_type is \"yarn\"; supported: default, linear, llama3" },
  { "rope-not-object", LLAMA (", \"rope_scaling\": 2"), FEN_MODEL_ERROR_CONFIG,
    ": rope_scaling must be an object, not 2" },
  { "rope-nested", LLAMA (", \"rope_parameters\": {\"full_attention\": {}}"), FEN_MODEL_ERROR_UNSUPPORTED,
    ": rope_parameters: unknown key \"full_attention\": it may change the mathematics, so the model is not "
    "used" },
  { "rope-no-factor", LLAMA (", \"rope_scaling\": {\"type\": \"linear\"}"), FEN_MODEL_ERROR_CONFIG,
    ": rope_scaling: factor is missing" },
  { "rope-factor", LLAMA (", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 0.5}"),
    FEN_MODEL_ERROR_CONFIG, ": rope_scaling: factor is 0.5; allowed: 1 to 1000000" },
  { "rope-theta", LLAMA (", \"rope_theta\": 0"), FEN_MODEL_ERROR_CONFIG,
    ": rope_theta is 0; allowed: 1 to 1000000000000" },
  { "rope-bands",
    LLAMA (", \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, "
           "\"high_freq_factor\": 1}"),
    FEN_MODEL_ERROR_CONFIG, ": rope_scaling: high_freq_factor is 1; allowed: more than low_freq_factor, 4" },
  { "rope-partial", LLAMA (", \"rope_parameters\": {\"partial_rotary_factor\": 0.25}"),
    FEN_MODEL_ERROR_UNSUPPORTED,
    ": rope_parameters: partial_rotary_factor is 0.25, which changes the mathematics; supported: 1" },
  { "rope-twice", LLAMA (", \"rope_theta\": 10000, \"rope_parameters\": {\"rope_theta\": 500000}"),
    FEN_MODEL_ERROR_CONFIG,
    ": rope_parameters says otherwise than rope_theta and rope_scaling; allowed: the same, or one of both" },
  { "layer-types-count", QWEN2 (", \"layer_types\": [\"full_attention\"]"), FEN_MODEL_ERROR_CONFIG,
    ": layer_types has 1 entries; allowed: 3, one a layer" },
  { "layer-types-kind", QWEN2 (", \"layer_types\": [\"full_attention\", \"linear_attention\", 3]"),
    FEN_MODEL_ERROR_UNSUPPORTED,
    ": layer_types[1] is \"linear_attention\"; supported: full_attention, sliding_attention" },
  { "layer-types-off",
    QWEN2 (", \"layer_types\": [\"full_attention\", \"sliding_attention\", \"full_attention\"]"),
    FEN_MODEL_ERROR_CONFIG, ": layer_types[1] is sliding_attention, but use_sliding_window is false" },
  { "layer-types-null",
    QWEN2 (", \"use_sliding_window\": true, \"sliding_window\": null, \"layer_types\": [\"full_attention\", "
           "\"full_attention\", \"sliding_attention\"]"),
    FEN_MODEL_ERROR_CONFIG, ": layer_types[2] is sliding_attention, but sliding_window is null" },
};

static void
test_bad (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  assert_refused (bad[i].text, -1, bad[i].code, bad[i].message);
}

static void
test_deep (void)
{
  GString *text = g_string_new ("{\"model_type\": ");
  for (int i = 0; i < 200000; i++)
    g_string_append_c (text, '[');
  g_autoptr (GError) error = NULL;
  g_assert_null (open_text (text->str, (gssize)text->len, &error));
  g_assert_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_CONFIG);
  g_assert_nonnull (strstr (error->message, "config.json: line 1, column "));
  g_string_free (text, TRUE);
}

static void
test_not_a_folder (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (fen_model_open ("no-such-model", 0, &error));
  g_assert_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_NOT_FOUND);
  g_assert_true (g_str_has_prefix (
      error->message, "model \"no-such-model\" is neither a folder nor a preset; the presets are "));
  g_assert_nonnull (strstr (error->message, "gpt2"));
  g_clear_error (&error);
  g_autofree char *empty = g_build_filename (folder, "empty", NULL);
  g_assert_cmpint (g_mkdir (empty, 0700), ==, 0);
  g_assert_null (fen_model_open (empty, 0, &error));
  g_assert_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_NOT_FOUND);
  g_autofree char *message = g_strdup_printf ("%s: no model folder: config.json is not there", empty);
  g_assert_cmpstr (error->message, ==, message);
}

static void
test_vocabulary (void)
{
  g_autoptr (FenModel) model = open_good (GPT2 (""));
  g_assert_cmpint (fen_model_config (model)->vocab_size, ==, 64);
  g_autoptr (GError) error = NULL;
  g_autoptr (FenModel) same = fen_model_open_config (folder, 64, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fen_model_config (same)->vocab_size, ==, 64);
  g_assert_null (fen_model_open_config (folder, 65, &error));
  g_assert_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_CONFIG);
  g_autofree char *message = g_strdup_printf (
      "vocab_size is 65, but model %s has embeddings for 64 tokens; allowed: 0 (its own) to 64", folder);
  g_assert_cmpstr (error->message, ==, message);
  g_clear_error (&error);
  g_assert_null (fen_model_open ("gpt2", 50258, &error));
  g_assert_cmpstr (error->message, ==,
                   "vocab_size is 50258, but model gpt2 has embeddings for 50257 tokens; "
                   "allowed: 0 (its own) to 50257");
  g_clear_error (&error);
  g_assert_null (fen_model_open ("1M", -1, &error));
  g_assert_cmpstr (error->message, ==, "vocab_size is -1; allowed: 0 (unknown) to 1048576");
}

/* ---- what is read ---- */

/* gpt2's published configuration loads; its dropout is a note. */
static void
test_published_gpt2 (void)
{
  g_autoptr (FenModel) model = open_good (
      "{\"activation_function\": \"gelu_new\", \"architectures\": [\"GPT2LMHeadModel\"], \"attn_pdrop\": "
      "0.1, "
      "\"bos_token_id\": 50256, \"embd_pdrop\": 0.1, \"eos_token_id\": 50256, \"initializer_range\": 0.02, "
      "\"layer_norm_epsilon\": 1e-05, \"model_type\": \"gpt2\", \"n_ctx\": 1024, \"n_embd\": 768, "
      "\"n_head\": 12, "
      "\"n_layer\": 12, \"n_positions\": 1024, \"resid_pdrop\": 0.0, \"summary_activation\": null, "
      "\"summary_first_dropout\": 0.1, \"summary_proj_to_labels\": true, \"summary_type\": \"cls_index\", "
      "\"summary_use_proj\": true, \"task_specific_params\": {\"text-generation\": {\"do_sample\": true, "
      "\"max_length\": 50}}, \"vocab_size\": 50257}");
  g_assert_cmpint (fen_model_n_parameters (model), ==, 124439808);
  g_assert_cmpint (fen_model_config (model)->eos_id, ==, 50256);
  const char *const *notes = fen_model_notes (model);
  g_assert_nonnull (strstr (notes[0], "attn_pdrop is 0.1; Fenestra trains without dropout"));
  g_assert_nonnull (strstr (notes[1], "embd_pdrop is 0.1"));
  g_assert_null (notes[2]);
}

static void
test_gpt2_variants (void)
{
  static const struct {
    const char *name;
    FenActivationKind kind;
  } names[] = { { "gelu_new", FEN_GELU_TANH }, { "gelu_pytorch_tanh", FEN_GELU_TANH },
                { "gelu", FEN_GELU_ERF },      { "relu", FEN_RELU },
                { "silu", FEN_SILU },          { "swish", FEN_SILU } };
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *text = g_strdup_printf (GPT2 (", \"activation_function\": \"%s\""), names[i].name);
      g_autoptr (FenModel) model = open_good (text);
      g_assert_cmpint (fen_model_config (model)->activation, ==, names[i].kind);
    }
  g_autoptr (FenModel) model
      = open_good (GPT2 (", \"n_inner\": 20, \"scale_attn_weights\": false, "
                         "\"tie_word_embeddings\": false, \"reorder_and_upcast_attn\": true"));
  const FenModelConfig *config = fen_model_config (model);
  g_assert_cmpint (config->intermediate, ==, 20);
  g_assert_cmpfloat (config->attention_scale, ==, 1);
  g_assert_false (config->tied);
  g_assert_cmpint (fen_model_slot (model, -1, FEN_SLOT_LM_HEAD)->offset, >,
                   fen_model_slot (model, -1, FEN_SLOT_TOKEN_EMBEDDING)->offset);
  g_assert_null (fen_model_notes (model)[0]);
}

static void
test_llama_variants (void)
{
  g_autoptr (FenModel) plain = open_good (LLAMA (""));
  g_assert_cmpint (fen_model_config (plain)->kv_heads, ==, 4);
  g_assert_cmpint (fen_model_config (plain)->head_dim, ==, 8);
  g_assert_cmpint (fen_model_config (plain)->max_positions, ==, 2048);
  g_assert_cmpfloat (fen_model_config (plain)->rope_theta, ==, 10000);
  g_autoptr (FenModel) model = open_good (
      LLAMA (", \"attention_bias\": true, \"mlp_bias\": true, \"head_dim\": 16, \"num_key_value_heads\": "
             "2, \"eos_token_id\": [5, 6], \"bos_token_id\": 4000, \"torch_dtype\": \"bfloat16\""));
  const FenModelConfig *config = fen_model_config (model);
  g_assert_true (config->qkv_bias && config->o_bias && config->mlp_bias);
  g_assert_cmpint (config->eos_id, ==, 5);
  g_assert_cmpint (config->bos_id, ==, -1);
  g_assert_nonnull (strstr (fen_model_notes (model)[0], "bos_token_id 4000 is outside the vocabulary of 64"));
  g_assert_cmpfloat (config->attention_scale, ==, 0.25);
  const FenSlot *qkv = fen_model_slot (model, 2, FEN_SLOT_QKV_WEIGHT),
                *o = fen_model_slot (model, 2, FEN_SLOT_O_WEIGHT);
  g_assert_cmpint (qkv->out, ==, (4 + 2 * 2) * 16);
  g_assert_cmpint (qkv->in, ==, 32);
  g_assert_cmpint (o->out, ==, 32);
  g_assert_cmpint (o->in, ==, 64);
  g_assert_cmpint (fen_model_slot (model, 2, FEN_SLOT_UP_BIAS)->out, ==, 96);
}

static void
assert_windows (const char *text, gint64 first, gint64 second, gint64 third)
{
  g_autoptr (FenModel) model = open_good (text);
  g_assert_cmpint (fen_model_config (model)->layer_window[0], ==, first);
  g_assert_cmpint (fen_model_config (model)->layer_window[1], ==, second);
  g_assert_cmpint (fen_model_config (model)->layer_window[2], ==, third);
}

static void
test_windows (void)
{
  assert_windows (MISTRAL (""), 4096, 4096, 4096); /* transformers' default */
  assert_windows (MISTRAL (", \"sliding_window\": null"), 0, 0, 0);
  assert_windows (MISTRAL (", \"sliding_window\": 7"), 7, 7, 7);
  assert_windows (QWEN2 (", \"sliding_window\": 7, \"max_window_layers\": 1"), 0, 0, 0);
  assert_windows (QWEN2 (", \"use_sliding_window\": true, \"sliding_window\": 7, \"max_window_layers\": 1"),
                  0, 7, 7);
  assert_windows (QWEN2 (", \"use_sliding_window\": true, \"sliding_window\": 7"), 0, 0,
                  0); /* from layer 28 on */
  assert_windows (QWEN2 (", \"use_sliding_window\": true, \"sliding_window\": 7, \"layer_types\": "
                         "[\"sliding_attention\", \"full_attention\", \"sliding_attention\"]"),
                  7, 0, 7);
}

/* ---- rotary positions ---- */

static void
assert_frequencies (const char *text, double theta, gint64 head_dim, double factor, double low, double high,
                    double original)
{
  g_autoptr (FenModel) model = open_good (text);
  g_assert_cmpint (fen_model_config (model)->head_dim, ==, head_dim);
  g_autofree float *got = g_new (float, (gsize)head_dim / 2);
  fen_model_inverse_frequencies (model, got);
  for (gint64 i = 0; i < head_dim / 2; i++)
    {
      double want = 1.0 / pow (theta, (double)(2 * i) / (double)head_dim);
      if (low > 0) /* transformers' _compute_llama3_parameters, in its own order of operations */
        {
          double wavelen = 2 * G_PI / want, scaled = wavelen > original / low ? want / factor : want;
          double smooth = (original / wavelen - low) / (high - low);
          double smoothed = (1 - smooth) * scaled / factor + smooth * scaled;
          gboolean medium = !(wavelen < original / high) && !(wavelen > original / low);
          want = medium ? smoothed : scaled;
        }
      else
        want /= factor;
      g_assert_cmpfloat (fabs (got[i] / want - 1), <, 1e-7); /* one fp32 rounding is 6e-8 */
    }
}

static void
test_frequencies (void)
{
  assert_frequencies (LLAMA (", \"head_dim\": 64"), 10000, 64, 1, 0, 0, 0);
  assert_frequencies (LLAMA (", \"head_dim\": 64, \"rope_theta\": 500000.0"), 500000, 64, 1, 0, 0, 0);
  assert_frequencies (LLAMA (", \"head_dim\": 64, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}"),
                      10000, 64, 4, 0, 0, 0);
  /* Llama 3.2 1B as transformers 4 and 5 write it, and both at once. */
#define SCALING                                                                                              \
  "\"factor\": 32.0, \"high_freq_factor\": 4.0, \"low_freq_factor\": 1.0, "                                  \
  "\"original_max_position_embeddings\": 8192, \"rope_type\": \"llama3\""
#define FOUR ", \"rope_theta\": 500000.0, \"rope_scaling\": {" SCALING "}"
#define FIVE ", \"rope_parameters\": {\"rope_theta\": 500000.0, " SCALING "}"
  assert_frequencies (LLAMA (", \"head_dim\": 64" FOUR), 500000, 64, 32, 1, 4, 8192);
  assert_frequencies (LLAMA (", \"head_dim\": 128" FIVE), 500000, 128, 32, 1, 4, 8192);
  assert_frequencies (LLAMA (", \"head_dim\": 64" FOUR FIVE), 500000, 64, 32, 1, 4, 8192);
  /* Only the theta stands outside, and the trained length is the model's own. */
  assert_frequencies (
      LLAMA (", \"head_dim\": 32, \"rope_theta\": 20000, \"max_position_embeddings\": 512, "
             "\"rope_parameters\": null, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8, "
             "\"low_freq_factor\": 1, \"high_freq_factor\": 4}"),
      20000, 32, 8, 1, 4, 512);
  g_autoptr (FenModel) gpt2 = open_good (GPT2 (""));
  float untouched = 5;
  fen_model_inverse_frequencies (gpt2, &untouched);
  g_assert_cmpfloat (untouched, ==, 5);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("fen-model-config-XXXXXX", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *path = g_strconcat ("/model-config/bad/", bad[i].name, NULL);
      g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_bad);
    }
  g_test_add_func ("/model-config/bad/deep", test_deep);
  g_test_add_func ("/model-config/bad/not-a-folder", test_not_a_folder);
  g_test_add_func ("/model-config/bad/vocabulary", test_vocabulary);
  g_test_add_func ("/model-config/published-gpt2", test_published_gpt2);
  g_test_add_func ("/model-config/gpt2-variants", test_gpt2_variants);
  g_test_add_func ("/model-config/llama-variants", test_llama_variants);
  g_test_add_func ("/model-config/windows", test_windows);
  g_test_add_func ("/model-config/frequencies", test_frequencies);
  int status = g_test_run ();
  g_assert_true (fen_io_remove_tree (folder, NULL));
  g_free (folder);
  return status;
}
