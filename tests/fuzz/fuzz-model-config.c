/* config.json of a model. Promises: no input crashes its reader; an error is one line; what it accepts has a layout,
 * and the config.json that we would save of it is accepted and is the same model. */
#include "core/base/fen-json.h"
#include "core/model/fen-model-private.h"
#include "tests/fuzz/fuzz-target.h"

#include <string.h>

static FenModel *
read_model (const char *text, gsize length, GError **error)
{
  g_autoptr (JsonNode) root = fen_json_parse (text, length, "fuzz", 1 << 16, error);
  if (root == NULL)
    return NULL;
  g_autoptr (FenModel) model = fen_model_new ("fuzz", NULL);
  if (!fen_model_read_config (model, root, "fuzz", error) || !fen_model_lay_out (model, "fuzz", error))
    return NULL;
  return g_steal_pointer (&model);
}

static void
assert_same_model (FenModel *a, FenModel *b)
{
  const FenModelConfig *x = fen_model_config (a), *y = fen_model_config (b);
  g_assert_cmpint (x->layers, ==, y->layers);
  for (gint64 i = 0; i < x->layers; i++)
    g_assert_cmpint (x->layer_window[i], ==, y->layer_window[i]);
  g_assert_cmpint (x->max_positions, ==, y->max_positions);
  g_assert_cmpint (x->head_dim, ==, y->head_dim);
  g_assert_cmpint (x->activation, ==, y->activation);
  g_assert_cmpint (x->rope, ==, y->rope);
  g_assert_true (x->tied == y->tied && x->bos_id == y->bos_id && x->eos_id == y->eos_id);
  g_assert_true (x->norm_epsilon == y->norm_epsilon && x->attention_scale == y->attention_scale
                 && x->initializer_range == y->initializer_range);
  g_assert_true (x->rope_theta == y->rope_theta && x->rope_factor == y->rope_factor
                 && x->rope_low_freq_factor == y->rope_low_freq_factor
                 && x->rope_high_freq_factor == y->rope_high_freq_factor
                 && x->rope_original_positions == y->rope_original_positions);
  gsize n, m;
  const FenParam *params = fen_model_params (a, &n), *others = fen_model_params (b, &m);
  g_assert_cmpuint (n, ==, m);
  for (gsize i = 0; i < n; i++)
    {
      g_assert_cmpstr (params[i].name, ==, others[i].name);
      g_assert_cmpint (params[i].offset, ==, others[i].offset);
      g_assert_cmpint (params[i].elements, ==, others[i].elements);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenModel) model = read_model ((const char *)data, size, &error);
  g_assert_true ((model == NULL) == (error != NULL));
  if (model == NULL)
    {
      g_assert_null (strchr (error->message, '\n'));
      return 0;
    }
  g_assert_cmpint (fen_model_n_parameters (model), >, 0);
  g_assert_cmpint (fen_model_space (model), >=, fen_model_n_parameters (model));
  g_autofree float *frequencies = g_new0 (float, (gsize)fen_model_config (model)->head_dim);
  fen_model_inverse_frequencies (model, frequencies);
  g_autofree char *text = fen_model_config_json (model, FEN_F32);
  g_autoptr (FenModel) again = read_model (text, strlen (text), &error);
  g_assert_no_error (error);
  assert_same_model (model, again);
  return 0;
}
