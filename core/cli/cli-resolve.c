/* cli-resolve.c: a model given as a run folder. See cli_resolve_run in cli.h. */
#include "core/cli/cli.h"

#include <string.h>

#include "core/config/fen-presets.h"
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
inherit (FenConfig *config, const FenConfig *run, const char *name, GHashTable *explicit_options,
         GError **error)
{
  const FenOption *option = fen_config_find_option (name);
  if (g_hash_table_contains (explicit_options, option->name))
    return TRUE;
  g_autofree char *value = fen_config_get_text (run, option);
  return fen_config_set (config, option, value, error);
}

/* The run that a model folder belongs to: RUN for RUN, RUN/model and RUN/checkpoints/step-N; NULL for others. */
static char *
find_owner (const char *model)
{
  g_autofree char *path = g_canonicalize_filename (model, NULL);
  for (int up = 0; up < 3; up++)
    {
      if (is_run_folder (path))
        return g_steal_pointer (&path);
      g_autofree char *base = g_path_get_basename (path);
      const gboolean inside = up == 0 ? strcmp (base, "model") == 0 || g_str_has_prefix (base, "step-")
                                      : strcmp (base, "checkpoints") == 0;
      if (!inside)
        return NULL;
      char *parent = g_path_get_dirname (path);
      g_free (path);
      path = parent;
    }
  return NULL;
}

/* What the model was trained with and computes with; `expert` first, since it widens the others' ranges. */
static gboolean
inherit_all (FenConfig *config, const char *run_path, GHashTable *explicit_options, GError **error)
{
  static const char *const inherited[] = { "expert", "window_size", "window_pattern", "sink_tokens", NULL };
  g_autofree char *path = g_build_filename (run_path, "config.json", NULL);
  g_autoptr (FenConfig) run = fen_config_new ();
  if (!fen_config_load (run, path, error))
    return FALSE;
  for (const char *const *name = inherited; *name != NULL; name++)
    if (!inherit (config, run, *name, explicit_options, error))
      return FALSE;
  return TRUE;
}

gboolean
cli_resolve_run (FenConfig *config, GHashTable *explicit_options, GError **error)
{
  /* What is neither a folder nor a preset may be the name of a run in the usual place. */
  if (!g_file_test (config->model, G_FILE_TEST_EXISTS) && fen_preset_find (config->model) == NULL)
    {
      g_autofree char *root = fen_runs_root (config);
      char *found = fen_runs_find (root, config->model, NULL);
      if (found != NULL)
        {
          g_free (config->model);
          config->model = found;
        }
    }
  g_autofree char *owner = find_owner (config->model);
  if (owner == NULL)
    {
      /* A model that is no run computes as its own configuration says unless told otherwise. */
      if (!g_hash_table_contains (explicit_options, "window_pattern")
          && !g_hash_table_contains (explicit_options, "window_size"))
        config->window_pattern = FEN_WINDOW_MODEL;
      return TRUE;
    }
  if (!inherit_all (config, owner, explicit_options, error))
    return FALSE;
  if (!is_run_folder (config->model))
    return TRUE;
  char *folder = fen_run_model_folder (config->model, error);
  if (folder == NULL)
    return FALSE;
  g_free (config->model);
  config->model = folder;
  return TRUE;
}
