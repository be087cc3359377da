/* test-model.c: models from folders and presets: shapes, names, places, values. */
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "core/base/fen-io.h"
#include "core/config/fen-presets.h"
#include "core/model/fen-model.h"
#include "core/model/fen-safetensors.h"

/* ---- helpers ---- */

static char *
golden_path (const char *model, const char *file)
{
  return g_build_filename (g_getenv ("FENESTRA_GOLDEN_DIR"), model, file, NULL);
}

static FenModel *
open_golden (const char *name)
{
  g_autofree char *path = golden_path (name, NULL);
  g_autoptr (GError) error = NULL;
  FenModel *model = fen_model_open (path, 0, &error);
  g_assert_no_error (error);
  g_assert_nonnull (model);
  return model;
}

static FenModel *
open_preset (const char *name, gint64 vocab_size)
{
  g_autoptr (GError) error = NULL;
  FenModel *model = fen_model_open (name, vocab_size, &error);
  g_assert_no_error (error);
  return model;
}

static float *
read_values (const FenModel *model, const FenParam *param, guint64 seed)
{
  g_autoptr (GError) error = NULL;
  float *values = g_new (float, (gsize)param->elements);
  gboolean ok = fen_model_read_param (model, param, seed, 0, param->elements, values, &error);
  g_assert_no_error (error);
  g_assert_true (ok);
  return values;
}

static const FenParam *
find_param (const FenModel *model, const char *name)
{
  gsize n_params;
  const FenParam *params = fen_model_params (model, &n_params);
  for (gsize i = 0; i < n_params; i++)
    if (strcmp (params[i].name, name) == 0)
      return &params[i];
  g_error ("no parameter %s", name);
}

/* ---- the golden folders ---- */

static const char *const goldens[] = { "gpt2", "llama", "mistral-w16", "qwen2" };

/* An independent look at the file: the header's JSON through json-glib, the bytes by offset. */
static void
test_golden_values (gconstpointer data)
{
  const char *name = data;
  g_autoptr (FenModel) model = open_golden (name);
  g_autofree char *path = golden_path (name, "model.safetensors");
  g_autofree char *content = NULL;
  gsize size;
  g_assert_true (g_file_get_contents (path, &content, &size, NULL));
  guint64 header;
  memcpy (&header, content, 8);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_assert_true (json_parser_load_from_data (parser, content + 8, (gssize)header, NULL));
  JsonObject *object = json_node_get_object (json_parser_get_root (parser));

  gsize n_params;
  const FenParam *params = fen_model_params (model, &n_params);
  g_assert_cmpuint (n_params, ==, json_object_get_size (object) - 1); /* __metadata__ */
  gint64 total = 0;
  for (gsize i = 0; i < n_params; i++)
    {
      JsonObject *tensor = json_object_get_object_member (object, params[i].name);
      JsonArray *offsets = json_object_get_array_member (tensor, "data_offsets");
      gint64 begin = json_array_get_int_element (offsets, 0), end = json_array_get_int_element (offsets, 1);
      g_autofree float *values = read_values (model, &params[i], 0);
      g_assert_cmpmem (values, (gsize)params[i].elements * 4, content + 8 + header + begin,
                       (gsize)(end - begin));
      total += params[i].elements;
    }
  g_assert_cmpint (total, ==, fen_model_n_parameters (model));
  g_assert_cmpuint ((gsize)total * 4, ==, size - 8 - header);
}

/* Every parameter lies in its slot, slots begin aligned, parts of a slot follow each other, nothing overlaps. */
static void
check_layout (const FenModel *model)
{
  gsize n_params;
  const FenParam *params = fen_model_params (model, &n_params);
  gint64 end = 0;
  for (gsize i = 0; i < n_params; i++)
    {
      const FenParam *param = &params[i];
      const FenSlot *slot = fen_model_slot (model, param->layer, param->slot);
      gboolean continues = i > 0 && params[i - 1].slot == param->slot && params[i - 1].layer == param->layer;
      if (continues)
        g_assert_cmpint (param->offset, ==, end);
      else
        {
          g_assert_cmpint (param->offset % FEN_PARAM_ALIGN, ==, 0);
          g_assert_cmpint (param->offset, ==, slot->offset);
        }
      g_assert_cmpint (param->offset, >=, end);
      g_assert_cmpint (param->elements, ==, param->shape[0] * (param->rank == 2 ? param->shape[1] : 1));
      end = param->offset + param->elements;
      g_assert_cmpint (end, <=, slot->offset + slot->elements);
      g_assert_cmpint (slot->elements, ==, slot->out * slot->in);
      g_assert_cmpint (slot->decay, ==, param->rank == 2);
    }
  g_assert_cmpint (fen_model_space (model), ==, end);
}

static void
assert_slot (const FenModel *model, gint64 layer, FenSlotKind kind, gint64 out, gint64 in, gboolean in_out)
{
  const FenSlot *slot = fen_model_slot (model, layer, kind);
  g_assert_cmpint (slot->out, ==, out);
  g_assert_cmpint (slot->in, ==, in);
  g_assert_cmpint (slot->elements, ==, out * in);
  g_assert_cmpint (slot->in_out, ==, in_out);
}

static void
test_gpt2_layout (void)
{
  g_autoptr (FenModel) model = open_golden ("gpt2");
  const FenModelConfig *config = fen_model_config (model);
  g_assert_cmpint (config->architecture, ==, FEN_ARCH_GPT2);
  g_assert_cmpint (config->intermediate, ==, 256); /* n_inner null */
  g_assert_cmpint (config->kv_heads, ==, 4);
  g_assert_cmpint (config->head_dim, ==, 16);
  g_assert_cmpint (config->max_positions, ==, 256);
  g_assert_true (config->learned_positions && config->tied && config->qkv_bias && config->o_bias
                 && config->mlp_bias);
  g_assert_false (config->gated);
  g_assert_cmpint (config->norm, ==, FEN_NORM_LAYER);
  g_assert_cmpint (config->activation, ==, FEN_GELU_TANH);
  g_assert_cmpfloat (config->norm_epsilon, ==, 1e-5);
  g_assert_cmpfloat (config->attention_scale, ==, 0.25);
  g_assert_cmpint (config->bos_id, ==, 1);
  g_assert_cmpint (config->eos_id, ==, 2);
  check_layout (model);
  assert_slot (model, -1, FEN_SLOT_TOKEN_EMBEDDING, 512, 64, FALSE);
  assert_slot (model, -1, FEN_SLOT_POSITION_EMBEDDING, 256, 64, FALSE);
  assert_slot (model, 2, FEN_SLOT_QKV_WEIGHT, 192, 64, TRUE);
  assert_slot (model, 2, FEN_SLOT_QKV_BIAS, 192, 1, FALSE);
  assert_slot (model, 1, FEN_SLOT_UP_WEIGHT, 256, 64, TRUE);
  assert_slot (model, 1, FEN_SLOT_DOWN_WEIGHT, 64, 256, TRUE);
  const FenSlot *head = fen_model_slot (model, -1, FEN_SLOT_LM_HEAD);
  g_assert_cmpint (head->offset, ==, fen_model_slot (model, -1, FEN_SLOT_TOKEN_EMBEDDING)->offset);
  g_assert_cmpint (head->elements, ==, 512 * 64);
  /* 12 d^2 a layer and the head; 13 d of vectors a layer and 2 d behind. */
  g_assert_cmpint (fen_model_n_matmul_parameters (model), ==, 3 * 12 * 64 * 64 + 512 * 64);
  g_assert_cmpint (fen_model_n_parameters (model), ==,
                   3 * (12 * 64 * 64 + 13 * 64) + 2 * 64 + 512 * 64 + 256 * 64);
}

static void
test_llama_layout (void)
{
  g_autoptr (FenModel) model = open_golden ("llama");
  const FenModelConfig *config = fen_model_config (model);
  g_assert_true (config->gated && !config->tied && !config->qkv_bias && !config->o_bias && !config->mlp_bias);
  g_assert_cmpint (config->rope, ==, FEN_ROPE_DEFAULT);
  g_assert_cmpfloat (config->rope_theta, ==, 10000);
  g_assert_cmpint (config->kv_heads, ==, 2);
  check_layout (model);
  assert_slot (model, 0, FEN_SLOT_QKV_WEIGHT, 64 + 2 * 32, 64, FALSE);
  assert_slot (model, 0, FEN_SLOT_UP_WEIGHT, 320, 64, FALSE);
  assert_slot (model, 0, FEN_SLOT_DOWN_WEIGHT, 64, 160, FALSE);
  g_assert_cmpint (fen_model_slot (model, 0, FEN_SLOT_QKV_BIAS)->elements, ==, 0);
  g_assert_cmpint (fen_model_slot (model, -1, FEN_SLOT_POSITION_EMBEDDING)->elements, ==, 0);
  /* q, k, v in this order, gate before up. */
  gint64 q = find_param (model, "model.layers.1.self_attn.q_proj.weight")->offset;
  g_assert_cmpint (fen_model_slot (model, 1, FEN_SLOT_QKV_WEIGHT)->offset, ==, q);
  g_assert_cmpint (find_param (model, "model.layers.1.self_attn.k_proj.weight")->offset, ==, q + 64 * 64);
  g_assert_cmpint (find_param (model, "model.layers.1.self_attn.v_proj.weight")->offset, ==,
                   q + 64 * 64 + 32 * 64);
  gint64 gate = find_param (model, "model.layers.1.mlp.gate_proj.weight")->offset;
  g_assert_cmpint (fen_model_slot (model, 1, FEN_SLOT_UP_WEIGHT)->offset, ==, gate);
  g_assert_cmpint (find_param (model, "model.layers.1.mlp.up_proj.weight")->offset, ==, gate + 160 * 64);
  gint64 layer = 64 * 64 * 2 + 32 * 64 * 2 + 3 * 160 * 64;
  g_assert_cmpint (fen_model_n_matmul_parameters (model), ==, 3 * layer + 512 * 64);
  g_assert_cmpint (fen_model_n_parameters (model), ==, 3 * (layer + 2 * 64) + 64 + 2 * 512 * 64);
}

static void
test_mistral_windows (void)
{
  g_autoptr (FenModel) model = open_golden ("mistral-w16");
  for (gint64 layer = 0; layer < 3; layer++)
    g_assert_cmpint (fen_model_config (model)->layer_window[layer], ==, 16);
  FenModelShape shape;
  fen_model_shape (model, &shape);
  g_assert_cmpint (shape.model_window, ==, 16);
  g_assert_cmpint (shape.hidden, ==, 64);
  g_assert_cmpint (shape.vocab_size, ==, 512);
  g_assert_cmpint (shape.max_positions, ==, 256);
  g_assert_false (shape.learned_positions);

  FenConfig config = { .window_size = 8 };
  config.window_pattern = FEN_WINDOW_ALL;
  g_assert_cmpint (fen_model_layer_window (model, &config, 1), ==, 8);
  config.window_pattern = FEN_WINDOW_ALTERNATE;
  g_assert_cmpint (fen_model_layer_window (model, &config, 0), ==, 8);
  g_assert_cmpint (fen_model_layer_window (model, &config, 1), ==, 0);
  g_assert_cmpint (fen_model_layer_window (model, &config, 2), ==, 8);
  config.window_pattern = FEN_WINDOW_MODEL;
  g_assert_cmpint (fen_model_layer_window (model, &config, 1), ==, 16);
}

static void
test_qwen2_layout (void)
{
  g_autoptr (FenModel) model = open_golden ("qwen2");
  const FenModelConfig *config = fen_model_config (model);
  g_assert_true (config->tied && config->qkv_bias && !config->o_bias && !config->mlp_bias);
  check_layout (model);
  assert_slot (model, 0, FEN_SLOT_QKV_BIAS, 128, 1, FALSE);
  g_assert_cmpint (find_param (model, "model.layers.0.self_attn.v_proj.bias")->offset, ==,
                   fen_model_slot (model, 0, FEN_SLOT_QKV_BIAS)->offset + 96);
  for (gint64 layer = 0; layer < 3; layer++)
    g_assert_cmpint (config->layer_window[layer], ==, 0);
}

/* ---- presets ---- */

static void
test_presets (void)
{
  for (const FenPreset *preset = fen_presets (); preset->name != NULL; preset++)
    {
      g_autoptr (FenModel) model = open_preset (preset->name, 0);
      check_layout (model);
      g_assert_cmpint (fen_model_n_parameters (model), ==, fen_preset_n_parameters (preset, 4096));
      g_assert_null (fen_model_folder (model));
      g_assert_cmpstr (fen_model_name (model), ==, preset->name);
    }
  g_autoptr (FenModel) gpt2 = open_preset ("gpt2", 0);
  g_assert_cmpint (fen_model_n_parameters (gpt2), ==, 124439808); /* as published */
  g_autoptr (FenModel) llama = open_preset ("llama-8b", 0);
  g_assert_cmpint (fen_model_n_parameters (llama), ==, 8030261248);
  g_autoptr (FenModel) small = open_preset ("1M", 256);
  g_assert_cmpint (fen_model_config (small)->vocab_size, ==, 256);
}

static void
assert_moments (const float *values, gint64 n, double deviation)
{
  double sum = 0, squares = 0;
  for (gint64 i = 0; i < n; i++)
    {
      sum += values[i];
      squares += (double)values[i] * values[i];
    }
  double mean = sum / (double)n, variance = squares / (double)n - mean * mean;
  /* Six standard errors: a right generator fails once in 500 million seeds. */
  g_assert_cmpfloat (fabs (mean), <, 6 * deviation / sqrt ((double)n));
  g_assert_cmpfloat (fabs (sqrt (variance) / deviation - 1), <, 6 / sqrt (2.0 * (double)n));
}

static void
test_init (void)
{
  g_autoptr (FenModel) model = open_preset ("5M", 1024);
  gsize n_params;
  const FenParam *params = fen_model_params (model, &n_params);
  double residual = 0.02 / sqrt (2.0 * 6);
  for (gsize i = 0; i < n_params; i++)
    {
      g_autofree float *values = read_values (model, &params[i], 7);
      gboolean scaled = params[i].slot == FEN_SLOT_O_WEIGHT || params[i].slot == FEN_SLOT_DOWN_WEIGHT;
      if (params[i].rank == 2)
        assert_moments (values, params[i].elements, scaled ? residual : 0.02);
      else
        for (gint64 j = 0; j < params[i].elements; j++)
          g_assert_cmpfloat (values[j], ==, 1.0f); /* norms; this family has no biases */
    }
  g_autoptr (FenModel) gpt2 = open_preset ("nano", 256);
  g_autofree float *bias = read_values (gpt2, find_param (gpt2, "transformer.h.3.mlp.c_fc.bias"), 7);
  for (gint64 j = 0; j < 512; j++)
    g_assert_cmpfloat (bias[j], ==, 0.0f);
}

/* The share of values within 1, 2 and 3 deviations is that of a normal distribution, not only its moments. */
static void
test_init_is_normal (void)
{
  g_autoptr (FenModel) model = open_preset ("5M", 4096);
  const FenParam *param = find_param (model, "model.embed_tokens.weight");
  g_autofree float *values = read_values (model, param, 3);
  static const double shares[] = { 0.682689492137, 0.954499736104, 0.997300203937 };
  for (int k = 0; k < 3; k++)
    {
      gint64 inside = 0;
      for (gint64 i = 0; i < param->elements; i++)
        inside += fabsf (values[i]) < 0.02 * (k + 1);
      double error = sqrt (shares[k] * (1 - shares[k]) / (double)param->elements);
      g_assert_cmpfloat (fabs ((double)inside / (double)param->elements - shares[k]), <, 6 * error);
    }
  /* Neighbours come from one pair and one block: they must not be correlated. */
  for (gint64 lag = 1; lag <= 4; lag++)
    {
      double sum = 0;
      for (gint64 i = lag; i < param->elements; i++)
        sum += (double)values[i] * values[i - lag] / (0.02 * 0.02);
      g_assert_cmpfloat (fabs (sum / sqrt ((double)param->elements)), <, 6);
    }
}

/* Reads a parameter in ranges of rising, odd lengths and compares with all of it at once. */
static void
assert_ranges (const FenModel *model, const FenParam *param)
{
  g_autoptr (GError) error = NULL;
  g_autofree float *whole = read_values (model, param, 9);
  for (gint64 first = 0, n = 1; first < param->elements; first += n, n = n * 3 + 2)
    {
      n = MIN (n, param->elements - first);
      g_autofree float *piece = g_new (float, (gsize)n + 1);
      piece[n] = 77;
      g_assert_true (fen_model_read_param (model, param, 9, first, n, piece, &error));
      g_assert_no_error (error);
      g_assert_cmpmem (piece, (gsize)n * sizeof (float), whole + first, (gsize)n * sizeof (float));
      g_assert_cmpfloat (piece[n], ==, 77);
    }
}

static void
test_ranges (void)
{
  g_autoptr (FenModel) drawn = open_preset ("5M", 1027);
  g_autoptr (FenModel) loaded = open_golden ("gpt2");
  const FenModel *models[] = { drawn, loaded };
  for (gsize k = 0; k < G_N_ELEMENTS (models); k++)
    {
      gsize n_params;
      const FenParam *params = fen_model_params (models[k], &n_params);
      for (gsize i = 0; i < n_params; i++)
        assert_ranges (models[k], &params[i]);
    }
}

static void
test_init_order (void)
{
  g_autoptr (FenModel) first = open_preset ("1M", 256);
  g_autoptr (FenModel) second = open_preset ("1M", 256);
  gsize n_params;
  const FenParam *params = fen_model_params (first, &n_params);
  const FenParam *others = fen_model_params (second, &n_params);
  g_autoptr (GPtrArray) forward = g_ptr_array_new_with_free_func (g_free);
  for (gsize i = 0; i < n_params; i++)
    g_ptr_array_add (forward, read_values (first, &params[i], 42));
  for (gsize i = n_params; i-- > 0;)
    {
      g_autofree float *values = read_values (second, &others[i], 42);
      gsize bytes = (gsize)params[i].elements * 4;
      g_assert_cmpmem (values, bytes, forward->pdata[i], bytes);
      g_autofree float *changed = read_values (second, &others[i], 43);
      if (params[i].rank == 2)
        g_assert_cmpint (memcmp (changed, values, bytes), !=, 0);
    }
  const float *q = forward->pdata[2], *k = forward->pdata[3];
  g_assert_cmpint (memcmp (q, k, 4096), !=, 0); /* parameters draw from streams of their own */
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (goldens); i++)
    {
      g_autofree char *path = g_strconcat ("/model/golden/values/", goldens[i], NULL);
      g_test_add_data_func (path, goldens[i], test_golden_values);
    }
  g_test_add_func ("/model/golden/gpt2-layout", test_gpt2_layout);
  g_test_add_func ("/model/golden/llama-layout", test_llama_layout);
  g_test_add_func ("/model/golden/mistral-windows", test_mistral_windows);
  g_test_add_func ("/model/golden/qwen2-layout", test_qwen2_layout);
  g_test_add_func ("/model/presets", test_presets);
  g_test_add_func ("/model/init/moments", test_init);
  g_test_add_func ("/model/init/normal", test_init_is_normal);
  g_test_add_func ("/model/init/order", test_init_order);
  g_test_add_func ("/model/ranges", test_ranges);
  return g_test_run ();
}
