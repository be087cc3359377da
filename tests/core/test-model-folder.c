/* test-model-folder.c: folders of weights: damaged, sharded, foreign; and what fen_model_save writes. */
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "core/base/fen-io.h"
#include "core/model/fen-model.h"
#include "core/model/fen-safetensors.h"

static char *root; /* of the whole program; each case makes a folder in it */

static const char llama_config[]
    = "{\"model_type\": \"llama\", \"vocab_size\": 6, \"hidden_size\": 4, \"num_hidden_layers\": 1, "
      "\"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"intermediate_size\": 5}";
static const char tied_config[]
    = "{\"model_type\": \"llama\", \"vocab_size\": 6, \"hidden_size\": 4, \"num_hidden_layers\": 1, "
      "\"num_attention_heads\": 2, \"num_key_value_heads\": 1, \"intermediate_size\": 5, "
      "\"tie_word_embeddings\": true}";

/* The tensors of llama_config in an order of their own. */
typedef struct {
  const char *name;
  int rank;
  gint64 shape[2];
} Tensor;

static const Tensor tensors[] = {
  { "lm_head.weight", 2, { 6, 4 } },
  { "model.embed_tokens.weight", 2, { 6, 4 } },
  { "model.layers.0.input_layernorm.weight", 1, { 4, 1 } },
  { "model.layers.0.mlp.down_proj.weight", 2, { 4, 5 } },
  { "model.layers.0.mlp.gate_proj.weight", 2, { 5, 4 } },
  { "model.layers.0.mlp.up_proj.weight", 2, { 5, 4 } },
  { "model.layers.0.post_attention_layernorm.weight", 1, { 4, 1 } },
  { "model.layers.0.self_attn.k_proj.weight", 2, { 2, 4 } },
  { "model.layers.0.self_attn.o_proj.weight", 2, { 4, 4 } },
  { "model.layers.0.self_attn.q_proj.weight", 2, { 4, 4 } },
  { "model.layers.0.self_attn.v_proj.weight", 2, { 2, 4 } },
  { "model.norm.weight", 1, { 4, 1 } },
};

/* What is wrong with a file: tensor `index` left out, renamed, reshaped, of another type, or with a bad value. */
typedef struct {
  int skip, rename, reshape, retype, poison;
  const char *new_name;
  FenDType dtype;
  float value;
  gsize first, last; /* tensors of this file */
  const char *extra; /* one more tensor, (1) */
  gboolean bare;     /* without "model." */
} Flaw;

static const Flaw none = { -1, -1, -1, -1, -1, NULL, FEN_F32, 0, 0, G_N_ELEMENTS (tensors), NULL, FALSE };

static float
value_of (gsize tensor, gint64 element)
{
  return (float)tensor + (float)element / 64.0f;
}

static void
write_file (const char *folder, const char *file_name, const Flaw *flaw)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (folder, file_name, NULL);
  g_autoptr (FenSafetensorsWriter) writer = fen_safetensors_writer_new (path, &error);
  g_assert_no_error (error);
  for (gsize i = flaw->first; i < flaw->last; i++)
    if (flaw->skip != (int)i)
      {
        const char *name = flaw->rename == (int)i ? flaw->new_name : tensors[i].name;
        if (flaw->bare && g_str_has_prefix (name, "model."))
          name += strlen ("model.");
        gint64 shape[2] = { tensors[i].shape[0], tensors[i].shape[1] };
        if (flaw->reshape == (int)i)
          {
            shape[0] = tensors[i].shape[1];
            shape[1] = tensors[i].shape[0];
          }
        fen_safetensors_writer_add (writer, name, flaw->retype == (int)i ? flaw->dtype : FEN_F32,
                                    tensors[i].rank, shape);
      }
  if (flaw->extra != NULL)
    fen_safetensors_writer_add (writer, flaw->extra, FEN_F32, 1, (gint64[]){ 1 });
  for (gsize i = flaw->first; i < flaw->last; i++)
    for (gint64 j = 0; flaw->skip != (int)i && j < tensors[i].shape[0] * tensors[i].shape[1]; j++)
      {
        float value = flaw->poison == (int)i && j == 3 ? flaw->value : value_of (i, j);
        g_assert_true (fen_safetensors_writer_data (writer, &value, 4, NULL));
      }
  float extra = 1;
  if (flaw->extra != NULL)
    g_assert_true (fen_safetensors_writer_data (writer, &extra, 4, NULL));
  g_assert_true (fen_safetensors_writer_commit (writer, NULL, &error));
}

static char *
make_folder (const char *config)
{
  static int count;
  char *folder = g_strdup_printf ("%s/%d", root, count++);
  g_assert_true (fen_io_make_folder (folder, NULL));
  g_autofree char *path = g_build_filename (folder, "config.json", NULL);
  g_assert_true (g_file_set_contents (path, config, -1, NULL));
  return folder;
}

/* Takes `message` with the folder's path for %s. */
static void G_GNUC_PRINTF (2, 3) assert_open_fails (const char *folder, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_autoptr (GError) error = NULL;
  g_assert_null (fen_model_open (folder, 0, &error));
  g_assert_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS);
  g_assert_cmpstr (error->message, ==, message);
}

static gboolean
read_all (FenModel *model, GError **error)
{
  gsize n_params;
  const FenParam *params = fen_model_params (model, &n_params);
  for (gsize i = 0; i < n_params; i++)
    {
      g_autofree float *values = g_new (float, (gsize)params[i].elements);
      if (!fen_model_read_param (model, &params[i], 0, 0, params[i].elements, values, error))
        return FALSE;
      for (gsize k = 0; k < G_N_ELEMENTS (tensors); k++)
        if (strcmp (tensors[k].name, params[i].name) == 0)
          for (gint64 j = 0; j < params[i].elements; j++)
            g_assert_cmpfloat (values[j], ==, value_of (k, j));
    }
  return TRUE;
}

static void
assert_opens (const char *folder)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenModel) model = fen_model_open (folder, 0, &error);
  g_assert_no_error (error);
  read_all (model, &error);
  g_assert_no_error (error);
}

/* ---- one file ---- */

static void
test_whole (void)
{
  g_autofree char *folder = make_folder (llama_config);
  write_file (folder, "model.safetensors", &none);
  assert_opens (folder);
  Flaw bare = none; /* a checkpoint of the model without its head's wrapper */
  bare.bare = TRUE;
  write_file (folder, "model.safetensors", &bare);
  assert_opens (folder);
  Flaw buffer = none;
  buffer.extra = "model.layers.0.self_attn.rotary_emb.inv_freq";
  write_file (folder, "model.safetensors", &buffer);
  assert_opens (folder);
}

static void
test_no_files (void)
{
  g_autofree char *folder = make_folder (llama_config);
  assert_open_fails (folder, "%s: has neither model.safetensors nor model.safetensors.index.json", folder);
  g_autofree char *pickle = g_build_filename (folder, "pytorch_model.bin", NULL);
  g_assert_true (g_file_set_contents (pickle, "x", 1, NULL));
  assert_open_fails (
      folder,
      "%s: has pytorch_model.bin only, a format that can run code when it is read; convert the model "
      "to safetensors (save_pretrained in transformers does)",
      folder);
  g_autoptr (GError) error = NULL;
  g_autoptr (FenModel) planned = fen_model_open_config (folder, 0, &error);
  g_assert_no_error (error);
  gsize n_params;
  const FenParam *params = fen_model_params (planned, &n_params);
  g_autofree float *values = g_new0 (float, (gsize)params[0].elements);
  g_assert_true (fen_model_read_param (planned, &params[0], 1, 0, params[0].elements, values,
                                       &error)); /* drawn, as for a preset */
  g_assert_cmpfloat (fabsf (values[0]), >, 0);
}

static void
test_wrong_tensors (void)
{
  g_autofree char *folder = make_folder (llama_config);
  Flaw flaw = none;
  flaw.skip = 7;
  write_file (folder, "model.safetensors", &flaw);
  assert_open_fails (folder, "%s: tensor model.layers.0.self_attn.k_proj.weight is missing", folder);
  flaw = none;
  flaw.skip = 0;
  write_file (folder, "model.safetensors", &flaw);
  assert_open_fails (folder, "%s: tensor lm_head.weight is missing (tie_word_embeddings is false)", folder);
  flaw = none;
  flaw.reshape = 4;
  write_file (folder, "model.safetensors", &flaw);
  assert_open_fails (folder,
                     "%s/model.safetensors: tensor model.layers.0.mlp.gate_proj.weight has shape (4, 5); "
                     "config.json makes it (5, 4)",
                     folder);
  flaw = none;
  flaw.retype = 2;
  flaw.dtype = FEN_I32;
  write_file (folder, "model.safetensors", &flaw);
  assert_open_fails (
      folder,
      "%s/model.safetensors: tensor model.layers.0.input_layernorm.weight has an integer type; "
      "allowed: F32, BF16, F16, F64",
      folder);
  flaw = none;
  flaw.extra = "score.weight";
  write_file (folder, "model.safetensors", &flaw);
  assert_open_fails (
      folder,
      "%s/model.safetensors: tensor \"score.weight\" is no part of a llama model of 1 layers (1 such "
      "tensors); allowed: its parameters and known buffers",
      folder);
}

static void
test_bad_values (void)
{
  static const struct {
    float value;
    const char *word;
  } cases[] = { { NAN, "NaN" }, { INFINITY, "infinite" }, { -INFINITY, "infinite" } };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *folder = make_folder (llama_config);
      Flaw flaw = none;
      flaw.poison = 9;
      flaw.value = cases[i].value;
      write_file (folder, "model.safetensors", &flaw);
      g_autoptr (GError) error = NULL;
      g_autoptr (FenModel) model = fen_model_open (folder, 0, &error);
      g_assert_no_error (error);
      g_assert_false (read_all (model, &error));
      g_assert_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS);
      g_autofree char *message = g_strdup_printf (
          "%s/model.safetensors: tensor model.layers.0.self_attn.q_proj.weight: element 3 is %s; "
          "allowed: finite numbers",
          folder, cases[i].word);
      g_assert_cmpstr (error->message, ==, message);
    }
}

/* A tied model's file may hold the head as well, when it is the embedding. */
static void
test_tied_copy (void)
{
  g_autofree char *folder = make_folder (tied_config);
  Flaw flaw = none;
  flaw.skip = 0;
  write_file (folder, "model.safetensors", &flaw);
  assert_opens (folder);
  write_file (folder, "model.safetensors", &none); /* lm_head 0 + i/64, embedding 1 + i/64 */
  g_autoptr (GError) error = NULL;
  g_autoptr (FenModel) model = fen_model_open (folder, 0, &error);
  g_assert_no_error (error);
  g_assert_false (read_all (model, &error));
  g_autofree char *message = g_strdup_printf (
      "%s/model.safetensors: lm_head.weight differs from the token embedding, but config.json says "
      "tie_word_embeddings; allowed: equal, or tie_word_embeddings false",
      folder);
  g_assert_cmpstr (error->message, ==, message);

  g_autofree char *path = g_build_filename (folder, "model.safetensors", NULL);
  g_autofree char *content = NULL;
  gsize size;
  guint64 header;
  g_assert_true (g_file_get_contents (path, &content, &size, NULL));
  memcpy (&header, content, 8);
  memcpy (content + 8 + header, content + 8 + header + 96, 96); /* the head becomes the embedding */
  g_assert_true (g_file_set_contents (path, content, (gssize)size, NULL));
  assert_opens (folder);
}

/* ---- shards ---- */

static void
write_index (const char *folder, const char *text)
{
  g_autofree char *path = g_build_filename (folder, "model.safetensors.index.json", NULL);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static char *
index_text (const char *last_file)
{
  GString *text = g_string_new ("{\"metadata\": {\"total_size\": 1}, \"weight_map\": {");
  for (gsize i = 0; i < G_N_ELEMENTS (tensors); i++)
    g_string_append_printf (text, "%s\"%s\": \"%s\"", i > 0 ? ", " : "", tensors[i].name,
                            i == G_N_ELEMENTS (tensors) - 1 ? last_file
                            : i < 5                         ? "model-00001-of-00002.safetensors"
                                                            : "model-00002-of-00002.safetensors");
  g_string_append (text, "}}");
  return g_string_free (text, FALSE);
}

static void
test_shards (void)
{
  g_autofree char *folder = make_folder (llama_config);
  Flaw one = none, two = none;
  one.last = 5;
  two.first = 5;
  write_file (folder, "model-00001-of-00002.safetensors", &one);
  write_file (folder, "model-00002-of-00002.safetensors", &two);
  g_autofree char *good = index_text ("model-00002-of-00002.safetensors");
  write_index (folder, good);
  assert_opens (folder);

  g_autofree char *index = g_build_filename (folder, "model.safetensors.index.json", NULL);
  static const char *const escapes[] = {
    "../x.safetensors", "/etc/passwd", "a/b.safetensors", "x.bin", ".safetensors", "a\\\\b.safetensors", ""
  };
  static const char *const shown[]
      = { "../x.safetensors", "/etc/passwd", "a/b.safetensors", "x.bin", ".safetensors", NULL, "" };
  for (gsize i = 0; i < G_N_ELEMENTS (escapes); i++)
    {
      g_autofree char *text = index_text (escapes[i]);
      write_index (folder, text);
      if (shown[i] != NULL)
        assert_open_fails (
            folder,
            "%s: weight_map: \"model.norm.weight\" is in \"%s\"; allowed: a .safetensors file of the "
            "same folder",
            index, shown[i]);
      g_assert_null (fen_model_open (folder, 0, NULL));
    }
  g_autofree char *elsewhere = index_text ("model-00001-of-00002.safetensors");
  write_index (folder, elsewhere);
  assert_open_fails (
      folder, "%s: weight_map: tensor \"model.norm.weight\" is not in model-00001-of-00002.safetensors",
      index);
  write_index (folder, "{\"weight_map\": {\"a\": 1}}");
  assert_open_fails (folder, "%s: weight_map: a must be a string, not 1", index);
  write_index (folder, "{\"weight_map\": []}");
  assert_open_fails (folder, "%s: weight_map must be an object, not an array", index);
  write_index (folder, "{}");
  assert_open_fails (folder, "%s: weight_map is missing", index);
  write_index (folder, "{\"weight_map\": {}}");
  assert_open_fails (folder, "%s: tensor model.embed_tokens.weight is missing", folder);
  write_index (folder, good);
  write_file (folder, "model-00001-of-00002.safetensors", &none);
  assert_open_fails (
      folder,
      "%s/model-00002-of-00002.safetensors: tensor \"model.layers.0.mlp.up_proj.weight\" is in "
      "%s/model-00001-of-00002.safetensors as well",
      folder, folder);
}

/* ---- saving ---- */

static gboolean
read_through (const FenParam *param, gint64 first, gint64 n, float *values, gpointer user_data,
              GError **error)
{
  return fen_model_read_param (user_data, param, 5, first, n, values, error);
}

static FenModel *
save_and_open (FenModel *model, FenDType dtype, const char *folder)
{
  g_autoptr (GError) error = NULL;
  fen_model_save (model, folder, dtype, read_through, model, &error);
  g_assert_no_error (error);
  FenModel *again = fen_model_open (folder, 0, &error);
  g_assert_no_error (error);
  return again;
}

static void
assert_same_config (const FenModelConfig *a, const FenModelConfig *b)
{
  for (gint64 i = 0; i < a->layers; i++)
    g_assert_cmpint (a->layer_window[i], ==, b->layer_window[i]);
  FenModelConfig x = *a, y = *b;
  x.layer_window = y.layer_window = NULL;
  g_assert_cmpint (x.architecture, ==, y.architecture);
  g_assert_cmpint (x.hidden, ==, y.hidden);
  g_assert_cmpint (x.layers, ==, y.layers);
  g_assert_cmpint (x.heads, ==, y.heads);
  g_assert_cmpint (x.kv_heads, ==, y.kv_heads);
  g_assert_cmpint (x.head_dim, ==, y.head_dim);
  g_assert_cmpint (x.intermediate, ==, y.intermediate);
  g_assert_cmpint (x.vocab_size, ==, y.vocab_size);
  g_assert_cmpint (x.activation, ==, y.activation);
  g_assert_cmpint (x.tied, ==, y.tied);
  g_assert_cmpint (x.qkv_bias, ==, y.qkv_bias);
  g_assert_cmpint (x.o_bias, ==, y.o_bias);
  g_assert_cmpint (x.mlp_bias, ==, y.mlp_bias);
  g_assert_cmpfloat (x.norm_epsilon, ==, y.norm_epsilon);
  g_assert_cmpfloat (x.attention_scale, ==, y.attention_scale);
  g_assert_cmpfloat (x.initializer_range, ==, y.initializer_range);
  g_assert_cmpint (x.rope, ==, y.rope);
  g_assert_cmpfloat (x.rope_theta, ==, y.rope_theta);
  g_assert_cmpfloat (x.rope_factor, ==, y.rope_factor);
  g_assert_cmpfloat (x.rope_low_freq_factor, ==, y.rope_low_freq_factor);
  g_assert_cmpfloat (x.rope_high_freq_factor, ==, y.rope_high_freq_factor);
  g_assert_cmpint (x.rope_original_positions, ==, y.rope_original_positions);
  g_assert_cmpint (x.bos_id, ==, y.bos_id);
  g_assert_cmpint (x.eos_id, ==, y.eos_id);
}

static void
assert_same_values (FenModel *a, FenModel *b, double tolerance)
{
  gsize n_params, n_others;
  const FenParam *params = fen_model_params (a, &n_params), *others = fen_model_params (b, &n_others);
  g_assert_cmpuint (n_params, ==, n_others);
  for (gsize i = 0; i < n_params; i++)
    {
      g_autofree float *x = g_new (float, (gsize)params[i].elements),
                       *y = g_new (float, (gsize)params[i].elements);
      g_assert_true (fen_model_read_param (a, &params[i], 5, 0, params[i].elements, x, NULL));
      g_assert_true (fen_model_read_param (b, &others[i], 5, 0, others[i].elements, y, NULL));
      for (gint64 j = 0; j < params[i].elements; j++)
        g_assert_cmpfloat (fabsf (x[j] - y[j]), <=, tolerance * fabsf (x[j]) + (tolerance > 0 ? 3e-8 : 0));
    }
}

static void
test_save_goldens (void)
{
  static const char *const goldens[] = { "gpt2", "llama", "mistral-w16", "qwen2" };
  for (gsize i = 0; i < G_N_ELEMENTS (goldens); i++)
    {
      g_autofree char *from = g_build_filename (g_getenv ("FENESTRA_GOLDEN_DIR"), goldens[i], NULL);
      g_autofree char *to = g_build_filename (root, "saved", goldens[i], NULL);
      g_autoptr (FenModel) model = fen_model_open (from, 0, NULL);
      /* F32 exactly, BF16 with 8 and F16 with 11 bits of mantissa. */
      static const struct {
        FenDType dtype;
        double tolerance;
      } dtypes[] = { { FEN_F32, 0 }, { FEN_BF16, 0x1p-8 }, { FEN_F16, 0x1p-11 } };
      for (gsize k = 0; k < G_N_ELEMENTS (dtypes); k++)
        {
          g_autoptr (FenModel) again = save_and_open (model, dtypes[k].dtype, to);
          assert_same_config (fen_model_config (model), fen_model_config (again));
          assert_same_values (model, again, dtypes[k].tolerance);
        }
    }
}

static void
test_save_presets (void)
{
  static const char *const presets[] = { "nano", "1M" };
  for (gsize i = 0; i < G_N_ELEMENTS (presets); i++)
    {
      g_autofree char *to = g_build_filename (root, "preset", presets[i], NULL);
      g_autoptr (FenModel) model = fen_model_open (presets[i], 256, NULL);
      fen_model_set_context (model, 777);
      g_autoptr (FenModel) again = save_and_open (model, FEN_F32, to);
      assert_same_config (fen_model_config (model), fen_model_config (again));
      g_assert_cmpint (fen_model_config (again)->max_positions, ==, i == 0 ? 1024 : 777);
      assert_same_values (model, again, 0);
    }
  /* Every architecture and rope kind, as text. */
  static const char *const large[] = { "gpt2", "llama-8b", "mistral-7b", "qwen2-0.5b" };
  for (gsize i = 0; i < G_N_ELEMENTS (large); i++)
    {
      g_autoptr (FenModel) model = fen_model_open (large[i], 0, NULL);
      g_autofree char *text = fen_model_config_json (model, FEN_BF16);
      g_autofree char *folder = make_folder (text);
      g_autoptr (GError) error = NULL;
      g_autoptr (FenModel) again = fen_model_open_config (folder, 0, &error);
      g_assert_no_error (error);
      assert_same_config (fen_model_config (model), fen_model_config (again));
      g_assert_cmpint (fen_model_n_parameters (model), ==, fen_model_n_parameters (again));
    }
}

/* transformers 4 and 5 must read one model: both spellings, and what we do not use stays as it was. */
static void
test_saved_config (void)
{
  g_autofree char *folder = make_folder (
      "{\"model_type\": \"llama\", \"vocab_size\": 6, \"hidden_size\": 4, \"num_hidden_layers\": 1, "
      "\"num_attention_heads\": 2, \"intermediate_size\": 5, \"eos_token_id\": [2, 3], \"pad_token_id\": 4, "
      "\"torch_dtype\": \"float16\", \"architectures\": [\"LlamaModel\"], \"attention_dropout\": 0.1, "
      "\"rope_parameters\": {\"rope_type\": \"llama3\", \"rope_theta\": 5000, \"factor\": 8, "
      "\"low_freq_factor\": 1, "
      "\"high_freq_factor\": 4, \"original_max_position_embeddings\": 64}, \"_name_or_path\": \"a "
      "\\\"b\\\"\"}");
  g_autoptr (FenModel) model = fen_model_open_config (folder, 0, NULL);
  g_autofree char *text = fen_model_config_json (model, FEN_BF16);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_assert_true (json_parser_load_from_data (parser, text, -1, NULL));
  JsonObject *object = json_node_get_object (json_parser_get_root (parser));
  g_assert_cmpstr (json_object_get_string_member (object, "dtype"), ==, "bfloat16");
  g_assert_cmpstr (json_object_get_string_member (object, "torch_dtype"), ==, "bfloat16");
  g_assert_cmpstr (json_array_get_string_element (json_object_get_array_member (object, "architectures"), 0),
                   ==, "LlamaForCausalLM");
  g_assert_cmpint (json_array_get_int_element (json_object_get_array_member (object, "eos_token_id"), 1), ==,
                   3);
  g_assert_cmpint (json_object_get_int_member (object, "pad_token_id"), ==, 4);
  g_assert_cmpfloat (json_object_get_double_member (object, "attention_dropout"), ==, 0.1);
  g_assert_cmpstr (json_object_get_string_member (object, "_name_or_path"), ==, "a \"b\"");
  g_assert_false (json_object_get_boolean_member (object, "tie_word_embeddings"));
  JsonObject *four = json_object_get_object_member (object, "rope_scaling");
  JsonObject *five = json_object_get_object_member (object, "rope_parameters");
  g_assert_cmpstr (json_object_get_string_member (four, "rope_type"), ==, "llama3");
  g_assert_cmpfloat (json_object_get_double_member (object, "rope_theta"), ==, 5000);
  g_assert_cmpfloat (json_object_get_double_member (five, "rope_theta"), ==, 5000);
  g_assert_cmpint (json_object_get_int_member (four, "original_max_position_embeddings"), ==, 64);
  g_assert_cmpfloat (json_object_get_double_member (five, "factor"), ==, 8);
}

static gboolean
read_bad (const FenParam *param, gint64 first, gint64 n, float *values, gpointer user_data, GError **error)
{
  for (gint64 i = 0; i < n; i++)
    values[i] = param->slot == FEN_SLOT_DOWN_WEIGHT && first + i == 2 ? *(float *)user_data : 1.0f;
  return TRUE;
}

/* What could not be read again is not written, and the old folder stays. */
static void
test_save_bad (void)
{
  g_autofree char *folder = make_folder (llama_config);
  write_file (folder, "model.safetensors", &none);
  static struct {
    float value;
    FenDType dtype;
    const char *message;
  } cases[] = {
    { NAN, FEN_F32, "element 2 is nan; allowed: finite numbers that F32 can hold" },
    { -INFINITY, FEN_BF16, "element 2 is -inf; allowed: finite numbers that BF16 can hold" },
    { 70000, FEN_F16, "element 2 is 70000; allowed: finite numbers that F16 can hold" },
    { 3.4e38f, FEN_BF16, "element 2 is 3.4e+38; allowed: finite numbers that BF16 can hold" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (FenModel) model = fen_model_open (folder, 0, NULL);
      g_autoptr (GError) error = NULL;
      g_assert_false (fen_model_save (model, folder, cases[i].dtype, read_bad, &cases[i].value, &error));
      g_autofree char *message
          = g_strconcat ("cannot save model.layers.0.mlp.down_proj.weight: ", cases[i].message, NULL);
      g_assert_cmpstr (error->message, ==, message);
      assert_opens (folder);
    }
  /* In place, from its own mapped file. */
  g_autoptr (FenModel) model = fen_model_open (folder, 0, NULL);
  g_autoptr (GError) error = NULL;
  g_assert_true (fen_model_save (model, folder, FEN_F32, read_through, model, &error));
  g_assert_no_error (error);
  assert_opens (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  root = g_dir_make_tmp ("fen-model-folder-XXXXXX", NULL);
  g_test_add_func ("/model-folder/whole", test_whole);
  g_test_add_func ("/model-folder/no-files", test_no_files);
  g_test_add_func ("/model-folder/wrong-tensors", test_wrong_tensors);
  g_test_add_func ("/model-folder/bad-values", test_bad_values);
  g_test_add_func ("/model-folder/tied-copy", test_tied_copy);
  g_test_add_func ("/model-folder/shards", test_shards);
  g_test_add_func ("/model-folder/save/goldens", test_save_goldens);
  g_test_add_func ("/model-folder/save/presets", test_save_presets);
  g_test_add_func ("/model-folder/save/config", test_saved_config);
  g_test_add_func ("/model-folder/save/bad", test_save_bad);
  int status = g_test_run ();
  g_assert_true (fen_io_remove_tree (root, NULL));
  g_free (root);
  return status;
}
