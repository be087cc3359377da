/* cli-plan.c: the memory of a run, before the run and without a device. */
#include "core/cli/cli.h"

#include <string.h>

#include "core/corpus/fen-tokenizer-spec.h"
#include "core/engine/fen-device.h"
#include "core/engine/fen-plan.h"

static FenModel *
open_model (const FenConfig *config, GError **error)
{
  const gboolean is_folder = g_file_test (config->model, G_FILE_TEST_IS_DIR);
  if (is_folder || config->vocab_size > 0)
    return fen_model_open_config (config->model, config->vocab_size, error);
  FenTokenizerSpec spec;
  if (!fen_tokenizer_spec_parse (config->tokenizer, NULL, &spec, error))
    return NULL;
  const gint64 vocab_size = fen_tokenizer_spec_vocab_size (&spec, error);
  return vocab_size > 0 ? fen_model_open_config (config->model, vocab_size, error) : NULL;
}

static void
print_notes (const GPtrArray *notes)
{
  for (guint i = 0; i < notes->len; i++)
    g_printerr ("note: %s\n", (const char *) g_ptr_array_index (notes, i));
}

static FenPlan *
make_plan (const FenConfig *config, GPtrArray *notes, GError **error)
{
  if (!fen_config_validate (config, notes, error))
    return NULL;
  g_autoptr (FenModel) model = open_model (config, error);
  if (model == NULL)
    return NULL;
  FenModelShape shape;
  fen_model_shape (model, &shape);
  FenDeviceChoice choice;
  if (!fen_config_validate_model (config, &shape, notes, error) || !fen_device_choose (config, &choice, notes, error))
    return NULL;
  return fen_plan_new (config, model, choice.backend, &choice.properties, FEN_PLAN_TRAIN, error);
}

int
cli_plan (int argc, char **argv)
{
  gboolean json = FALSE;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    { NULL },
  };
  g_autoptr (FenConfig) config = fen_config_new ();
  int exit_code;
  if (!cli_parse ("plan", argc, argv, entries, config, NULL, NULL, &exit_code))
    return exit_code;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (FenPlan) plan = make_plan (config, notes, &error);
  print_notes (notes);
  if (plan == NULL)
    return cli_report (error);
  g_autofree char *text = json ? fen_plan_to_json (plan) : fen_plan_to_text (plan);
  if (!cli_print (text, strlen (text)))
    return FEN_EXIT_WRITE;
  return fen_plan_fits (plan, &error) ? FEN_EXIT_OK : cli_report (error);
}
