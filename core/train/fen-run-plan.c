/* fen-run-plan.c: from a configuration to its memory plan (see fen-run-plan.h). */
#include "core/train/fen-run-plan.h"

#include "core/config/fen-presets.h"
#include "core/corpus/fen-tokenizer-spec.h"
#include "core/engine/fen-device.h"
#include "core/train/fen-checkpoint.h"

/* The tokens of a preset's tokenizer; `own` is the run's tokenizer.json or NULL. -1 with an error. */
static gint64
preset_vocab_size (const FenConfig *config, const char *own, GError **error)
{
  FenTokenizerSpec spec;
  if (!fen_tokenizer_spec_parse (config->tokenizer, NULL, &spec, error))
    return -1;
  if (own != NULL && spec.kind != FEN_TOKENIZER_BYTES && g_file_test (own, G_FILE_TEST_EXISTS))
    spec = (FenTokenizerSpec){ .kind = FEN_TOKENIZER_FILE, .path = own };
  return fen_tokenizer_spec_vocab_size (&spec, error);
}

/* The newest checkpoint of a run: it has the model's shape too when the folder that the run began from is gone. */
static FenModel *
open_checkpoint (const char *run_path, gint64 vocab_size)
{
  g_autoptr (GArray) steps = fen_checkpoint_list (run_path);
  if (steps->len == 0)
    return NULL;
  g_autofree char *path = fen_checkpoint_path (run_path, g_array_index (steps, gint64, steps->len - 1));
  return fen_model_open_config (path, vocab_size, NULL);
}

static FenModel *
open_model (const char *run_path, const FenConfig *config, GError **error)
{
  gint64 vocab_size = config->vocab_size;
  if (vocab_size == 0 && fen_preset_find (config->model) != NULL)
    {
      g_autofree char *own = run_path != NULL ? g_build_filename (run_path, "tokenizer.json", NULL) : NULL;
      vocab_size = preset_vocab_size (config, own, error);
      if (vocab_size <= 0)
        return NULL;
    }
  g_autoptr (GError) failure = NULL;
  FenModel *model = fen_model_open_config (config->model, vocab_size, &failure);
  if (model == NULL && run_path != NULL)
    model = open_checkpoint (run_path, vocab_size);
  if (model == NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  else
    fen_model_set_context (model, config->max_seq_len);
  return model;
}

FenModel *
fen_run_plan_model (const FenConfig *config, GError **error)
{
  return open_model (NULL, config, error);
}

static void
add_notes (GPtrArray *notes, const char *const *lines)
{
  for (guint i = 0; notes != NULL && lines != NULL && lines[i] != NULL; i++)
    g_ptr_array_add (notes, g_strdup (lines[i]));
}

FenPlan *
fen_run_plan_folder (const char *run_path, const FenConfig *config, GPtrArray *notes, GError **error)
{
  if (!fen_config_validate (config, notes, error))
    return NULL;
  g_autoptr (FenModel) model = open_model (run_path, config, error);
  if (model == NULL)
    return NULL;
  FenModelShape shape;
  FenDeviceChoice choice;
  fen_model_shape (model, &shape);
  if (!fen_config_validate_model (config, &shape, notes, error)
      || !fen_device_choose (config, &choice, notes, error))
    return NULL;
  FenPlan *plan = fen_plan_new (config, model, choice.backend, &choice.properties, FEN_PLAN_TRAIN, error);
  if (plan != NULL)
    add_notes (notes, fen_model_notes (model));
  return plan;
}

FenPlan *
fen_run_plan (const FenConfig *config, GPtrArray *notes, GError **error)
{
  return fen_run_plan_folder (NULL, config, notes, error);
}
