/* fen-rope-scaling.c: rotary frequencies, and the keys of config.json that say how they are scaled.
 *
 * transformers 4 writes `rope_theta` and `rope_scaling` {rope_type or type, ...}; transformers 5 writes
 * `rope_parameters` with rope_theta inside. Both are read. A file with both must say the same twice: transformers 4
 * and 5 would otherwise load two different models from it.
 */
#include "core/model/fen-model-private.h"

#include <math.h>
#include <string.h>

#include "core/base/fen-error.h"
#include "core/base/fen-json.h"

#define DEFAULT_THETA 10000.0
#define MAX_THETA 1e12

typedef struct {
  FenRopeKind kind;
  double theta, factor, low_freq_factor, high_freq_factor;
  gint64 original_positions;
} Rope;

static const char *const rope_keys[] = {
  "rope_type",
  "type",
  "rope_theta",
  "factor",
  "low_freq_factor",
  "high_freq_factor",
  "original_max_position_embeddings",
  "partial_rotary_factor",
};

static gboolean
check_keys (JsonObject *object, const char *where, GError **error)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;
  json_object_iter_init (&iter, object);
  while (json_object_iter_next (&iter, &name, &node))
    {
      gboolean known = FALSE;
      for (gsize i = 0; i < G_N_ELEMENTS (rope_keys) && !known; i++)
        known = strcmp (rope_keys[i], name) == 0;
      if (!known)
        {
          g_autofree char *quoted = fen_error_quote (name);
          g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_UNSUPPORTED,
                       "%s: unknown key %s: it may change the mathematics, so the model is not used", where,
                       quoted);
          return FALSE;
        }
    }
  double share = 1;
  if (!fen_json_get_double (object, where, "partial_rotary_factor", FALSE, 0, 1, &share, error))
    return FALSE;
  char text[32];
  if (share != 1)
    g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_UNSUPPORTED,
                 "%s: partial_rotary_factor is %s, which changes the mathematics; supported: 1", where,
                 fen_json_format_double (share, text));
  return share == 1;
}

static gboolean
read_kind (JsonObject *object, const char *where, FenRopeKind *kind, GError **error)
{
  static const struct {
    const char *name;
    FenRopeKind kind;
  } kinds[]
      = { { "default", FEN_ROPE_DEFAULT }, { "linear", FEN_ROPE_LINEAR }, { "llama3", FEN_ROPE_LLAMA3 } };
  const char *name = "default";
  if (!fen_json_get_string (object, where, "type", FALSE, &name, error)
      || !fen_json_get_string (object, where, "rope_type", FALSE, &name, error))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (strcmp (kinds[i].name, name) == 0)
      {
        *kind = kinds[i].kind;
        return TRUE;
      }
  g_autofree char *quoted = fen_error_quote (name);
  g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_UNSUPPORTED,
               "%s: rope_type is %s; supported: default, linear, llama3", where, quoted);
  return FALSE;
}

static gboolean
read_rope (JsonObject *object, const char *where, gint64 max_positions, Rope *rope, GError **error)
{
  if (!check_keys (object, where, error) || !read_kind (object, where, &rope->kind, error)
      || !fen_json_get_double (object, where, "rope_theta", FALSE, 1, MAX_THETA, &rope->theta, error))
    return FALSE;
  if (rope->kind == FEN_ROPE_DEFAULT)
    return TRUE; /* transformers reads no more of it either */
  if (!fen_json_get_double (object, where, "factor", TRUE, 1, 1e6, &rope->factor, error))
    return FALSE;
  if (rope->kind == FEN_ROPE_LINEAR)
    return TRUE;
  rope->original_positions = max_positions;
  if (!fen_json_get_double (object, where, "low_freq_factor", TRUE, 1e-3, 1e6, &rope->low_freq_factor, error)
      || !fen_json_get_double (object, where, "high_freq_factor", TRUE, 1e-3, 1e6, &rope->high_freq_factor,
                               error)
      || !fen_json_get_int (object, where, "original_max_position_embeddings", FALSE, 1, 1 << 30,
                            &rope->original_positions, error))
    return FALSE;
  if (rope->high_freq_factor > rope->low_freq_factor)
    return TRUE;
  char low[32], high[32];
  g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_CONFIG,
               "%s: high_freq_factor is %s; allowed: more than low_freq_factor, %s", where,
               fen_json_format_double (rope->high_freq_factor, high),
               fen_json_format_double (rope->low_freq_factor, low));
  return FALSE;
}

static gboolean
same_rope (const Rope *a, const Rope *b)
{
  return a->kind == b->kind && a->theta == b->theta && a->factor == b->factor
         && a->low_freq_factor == b->low_freq_factor && a->high_freq_factor == b->high_freq_factor
         && a->original_positions == b->original_positions;
}

gboolean
fen_model_read_rope (FenModel *model, JsonObject *object, const char *where, GError **error)
{
  JsonObject *scaling = NULL, *parameters = NULL;
  double theta = DEFAULT_THETA;
  if (!fen_json_get_double (object, where, "rope_theta", FALSE, 1, MAX_THETA, &theta, error)
      || !fen_json_get_object (object, where, "rope_scaling", FALSE, &scaling, error)
      || !fen_json_get_object (object, where, "rope_parameters", FALSE, &parameters, error))
    return FALSE;
  FenModelConfig *config = &model->config;
  g_autofree char *where_scaling = g_strdup_printf ("%s: rope_scaling", where);
  g_autofree char *where_parameters = g_strdup_printf ("%s: rope_parameters", where);
  Rope four = { .kind = FEN_ROPE_DEFAULT, .theta = theta }, five = four;
  if (scaling != NULL && !read_rope (scaling, where_scaling, config->max_positions, &four, error))
    return FALSE;
  if (parameters != NULL && !read_rope (parameters, where_parameters, config->max_positions, &five, error))
    return FALSE;
  gboolean has_four = scaling != NULL || fen_json_has (object, "rope_theta");
  if (parameters != NULL && has_four && !same_rope (&four, &five))
    {
      g_set_error (
          error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_CONFIG,
          "%s: rope_parameters says otherwise than rope_theta and rope_scaling; allowed: the same, or one "
          "of both",
          where);
      return FALSE;
    }
  const Rope *rope = parameters != NULL ? &five : &four;
  config->rope = rope->kind;
  config->rope_theta = rope->theta;
  config->rope_factor = rope->factor;
  config->rope_low_freq_factor = rope->low_freq_factor;
  config->rope_high_freq_factor = rope->high_freq_factor;
  config->rope_original_positions = rope->original_positions;
  return TRUE;
}

/* Linear and Llama 3 scaling as transformers' modeling_rope_utils has them. Llama 3: wavelengths beyond
 * original / low_freq_factor are stretched by `factor`, those below original / high_freq_factor stay, and those
 * between are interpolated. In double and rounded once: transformers' fp32 values differ in the last bit at most. */
static double
scale_frequency (const FenModelConfig *config, double frequency)
{
  if (config->rope == FEN_ROPE_LINEAR)
    return frequency / config->rope_factor;
  if (config->rope != FEN_ROPE_LLAMA3)
    return frequency;
  double original = (double)config->rope_original_positions, wavelength = 2.0 * G_PI / frequency;
  double low = config->rope_low_freq_factor, high = config->rope_high_freq_factor;
  if (wavelength < original / high)
    return frequency;
  if (wavelength > original / low)
    return frequency / config->rope_factor;
  double smooth = (original / wavelength - low) / (high - low);
  return (1.0 - smooth) * frequency / config->rope_factor + smooth * frequency;
}

void
fen_model_inverse_frequencies (const FenModel *model, float *inv_freq)
{
  const FenModelConfig *config = &model->config;
  if (config->rope == FEN_ROPE_NONE)
    return;
  for (gint64 i = 0; i < config->head_dim / 2; i++)
    {
      double frequency = pow (config->rope_theta, -2.0 * (double)i / (double)config->head_dim);
      inv_freq[i] = (float)scale_frequency (config, frequency);
    }
}
