/* fen-model-open.c: a name becomes a model: a preset's shape, or a folder. */
#include "core/model/fen-model-private.h"

#include <math.h>
#include <string.h>

#include "core/base/fen-error.h"
#include "core/base/fen-json.h"
#include "core/config/fen-presets.h"

/* The vocabulary that the presets' names count ("10M"), for those without one of their own. */
#define PRESET_VOCABULARY 4096
#define MAX_VOCABULARY (1 << 20)

static FenArchitecture
preset_architecture (const FenPreset *preset)
{
  for (int i = FEN_ARCH_GPT2; i <= FEN_ARCH_QWEN2; i++)
    if (strcmp (preset->architecture, fen_model_architecture_name ((FenArchitecture)i)) == 0)
      return (FenArchitecture)i;
  g_assert_not_reached (); /* the table is ours, and a test opens every entry */
}

static void
configure_from_preset (FenModel *model, const FenPreset *preset, gint64 vocab_size)
{
  FenArchitecture architecture = preset_architecture (preset);
  gboolean gpt2 = architecture == FEN_ARCH_GPT2;
  const FenPresetRopeScaling *scaling = &preset->rope_scaling;
  if (vocab_size == 0)
    vocab_size = PRESET_VOCABULARY;
  model->layer_window = g_new0 (gint64, (gsize)preset->layers);
  for (gint64 i = 0; i < preset->layers; i++)
    model->layer_window[i] = preset->window;
  model->config = (FenModelConfig){
    .architecture = architecture,
    .hidden = preset->hidden,
    .layers = preset->layers,
    .heads = preset->heads,
    .kv_heads = preset->kv_heads,
    .head_dim = preset->head_dim,
    .intermediate = preset->intermediate,
    .vocab_size = preset->vocab_size > 0 ? preset->vocab_size : vocab_size,
    .max_positions = preset->max_positions,
    .learned_positions = gpt2,
    .norm = gpt2 ? FEN_NORM_LAYER : FEN_NORM_RMS,
    .norm_epsilon = preset->norm_epsilon,
    .activation = gpt2 ? FEN_GELU_TANH : FEN_SILU,
    .gated = !gpt2,
    .tied = preset->tie_embeddings,
    .qkv_bias = gpt2 || architecture == FEN_ARCH_QWEN2,
    .o_bias = gpt2,
    .mlp_bias = gpt2,
    .rope = gpt2                  ? FEN_ROPE_NONE
            : scaling->factor > 0 ? FEN_ROPE_LLAMA3
                                  : FEN_ROPE_DEFAULT,
    .rope_theta = preset->rope_theta,
    .rope_factor = scaling->factor,
    .rope_low_freq_factor = scaling->low_freq_factor,
    .rope_high_freq_factor = scaling->high_freq_factor,
    .rope_original_positions = scaling->original_positions,
    .attention_scale = 1.0 / sqrt ((double)preset->head_dim),
    .layer_window = model->layer_window,
    .initializer_range = 0.02,
    .bos_id = -1,
    .eos_id = -1,
    .pad_id = -1,
  };
}

/* A tokenizer must not make ids that the model has no embedding for; fewer are fine (padded embeddings). */
static gboolean
check_vocabulary (FenModel *model, gint64 vocab_size, GError **error)
{
  if (vocab_size >= 0 && vocab_size <= model->config.vocab_size)
    return TRUE;
  g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_CONFIG,
               "vocab_size is %" G_GINT64_FORMAT ", but model %s has embeddings for %" G_GINT64_FORMAT
               " tokens; allowed: 0 (its own) to %" G_GINT64_FORMAT,
               vocab_size, model->name, model->config.vocab_size, model->config.vocab_size);
  return FALSE;
}

static gboolean
build_preset (FenModel *model, const FenPreset *preset, gint64 vocab_size, GError **error)
{
  if (preset->vocab_size == 0 && (vocab_size < 0 || vocab_size > MAX_VOCABULARY))
    {
      g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_CONFIG,
                   "vocab_size is %" G_GINT64_FORMAT "; allowed: 0 (unknown) to %d", vocab_size,
                   MAX_VOCABULARY);
      return FALSE;
    }
  configure_from_preset (model, preset, vocab_size);
  if (g_file_test (model->name, G_FILE_TEST_IS_DIR))
    fen_model_add_note (model,
                        "%s is the preset, initialised at random; for the folder of that name write ./%s",
                        model->name, model->name);
  return check_vocabulary (model, vocab_size, error) && fen_model_check_config (model, model->name, error)
         && fen_model_lay_out (model, model->name, error);
}

static gboolean
build_folder (FenModel *model, gint64 vocab_size, gboolean with_tensors, GError **error)
{
  g_autofree char *path = g_build_filename (model->folder, "config.json", NULL);
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    {
      g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_NOT_FOUND,
                   "%s: no model folder: config.json is not there", model->folder);
      return FALSE;
    }
  GError *inner = NULL;
  g_autoptr (JsonNode) root = fen_json_load (path, FEN_JSON_MAX_BYTES_CONFIG, &inner);
  if (root == NULL)
    return fen_model_claim_error (error, FEN_MODEL_ERROR_CONFIG, inner);
  return fen_model_read_config (model, root, path, error) && check_vocabulary (model, vocab_size, error)
         && fen_model_lay_out (model, path, error) && (!with_tensors || fen_model_bind (model, error));
}

static FenModel *
open_model (const char *name, gint64 vocab_size, gboolean with_tensors, GError **error)
{
  const FenPreset *preset = fen_preset_find (name);
  if (preset == NULL && !g_file_test (name, G_FILE_TEST_IS_DIR))
    {
      GError *inner = NULL;
      fen_preset_lookup (name, &inner); /* its words list the presets */
      fen_model_claim_error (error, FEN_MODEL_ERROR_NOT_FOUND, inner);
      return NULL;
    }
  g_autoptr (FenModel) model = fen_model_new (name, preset == NULL ? name : NULL);
  gboolean built = preset != NULL ? build_preset (model, preset, vocab_size, error)
                                  : build_folder (model, vocab_size, with_tensors, error);
  return built ? g_steal_pointer (&model) : NULL;
}

FenModel *
fen_model_open (const char *name, gint64 vocab_size, GError **error)
{
  return open_model (name, vocab_size, TRUE, error);
}

FenModel *
fen_model_open_config (const char *name, gint64 vocab_size, GError **error)
{
  return open_model (name, vocab_size, FALSE, error);
}
