/* cli-resolve.c: a model given as a run folder. See cli_resolve_run in cli.h. */
#include "core/cli/cli.h"

#include <string.h>

#include "core/train/fen-run-folder.h"

/* A run folder is told from a model folder by run.json. */
static gboolean
is_run_folder (const char *path)
{
  g_autofree char *state = g_build_filename (path, "run.json", NULL);
  return g_file_test (state, G_FILE_TEST_IS_REGULAR);
}

/* Takes a setting over from the run unless a flag gave it. */
static gboolean
inherit (FenConfig *config, const FenConfig *run, const char *name, GHashTable *explicit_options, GError **error)
{
  const FenOption *option = fen_config_find_option (name);
  if (g_hash_table_contains (explicit_options, option->name))
    return TRUE;
  g_autofree char *value = fen_config_get_text (run, option);
  return fen_config_set (config, option, value, error);
}

gboolean
cli_resolve_run (FenConfig *config, GHashTable *explicit_options, GError **error)
{
  /* What the model was trained with and computes with; `expert` first, since it widens the others' ranges. */
  static const char *const inherited[] = { "expert", "window_size", "window_pattern", "sink_tokens", NULL };

  if (!is_run_folder (config->model))
    {
      /* A model that is no run computes as its own configuration says unless told otherwise. */
      if (!g_hash_table_contains (explicit_options, "window_pattern")
          && !g_hash_table_contains (explicit_options, "window_size"))
        config->window_pattern = FEN_WINDOW_MODEL;
      return TRUE;
    }
  g_autofree char *run_config_path = g_build_filename (config->model, "config.json", NULL);
  g_autoptr (FenConfig) run = fen_config_new ();
  if (!fen_config_load (run, run_config_path, error))
    return FALSE;
  for (const char *const *name = inherited; *name != NULL; name++)
    if (!inherit (config, run, *name, explicit_options, error))
      return FALSE;
  char *folder = fen_run_model_folder (config->model, error);
  if (folder == NULL)
    return FALSE;
  g_free (config->model);
  config->model = folder;
  return TRUE;
}
