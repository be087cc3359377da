/* fen-settings-files.c: see fen-settings-files-private.h. */
#include "gui/settings/fen-settings-files-private.h"

#include <string.h>

#include "core/base/fen-paths.h"

typedef struct {
  char *path;
  FenConfig *config; /* to write; NULL when reading */
} Job;

static void
job_free (Job *job)
{
  g_clear_pointer (&job->config, fen_config_free);
  g_free (job->path);
  g_free (job);
}

static void
run (const char *path, const FenConfig *config, GTaskThreadFunc worker, GCancellable *cancellable,
     GAsyncReadyCallback callback, gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  Job *job = g_new0 (Job, 1);
  job->path = g_strdup (path);
  job->config = config != NULL ? fen_config_copy (config) : NULL;
  g_task_set_task_data (task, job, (GDestroyNotify)job_free);
  g_task_run_in_thread (task, worker);
}

const char *
fen_settings_file_path (GAsyncResult *result)
{
  Job *job = g_task_get_task_data (G_TASK (result));
  return job->path;
}

/* ---- one file ---- */

static void
load (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Job *job = data;
  g_autoptr (FenConfig) config = fen_config_new ();
  g_autoptr (GError) error = NULL;
  if (fen_config_load (config, job->path, &error))
    g_task_return_pointer (task, g_steal_pointer (&config), (GDestroyNotify)fen_config_free);
  else
    g_task_return_error (task, g_steal_pointer (&error));
}

void
fen_settings_file_load_async (const char *path, GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer user_data)
{
  run (path, NULL, load, cancellable, callback, user_data);
}

FenConfig *
fen_settings_file_load_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
save (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Job *job = data;
  g_autoptr (GError) error = NULL;
  if (fen_config_save (job->config, job->path, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, g_steal_pointer (&error));
}

void
fen_settings_file_save_async (const FenConfig *config, const char *path, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data)
{
  run (path, config, save, cancellable, callback, user_data);
}

gboolean
fen_settings_file_save_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* ---- presets ---- */

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(const char *const *)a, *(const char *const *)b);
}

static void
list_presets (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *folder = fen_data_path ("presets");
  g_autoptr (GDir) dir = folder != NULL ? g_dir_open (folder, 0, NULL) : NULL;
  const char *name;
  /* No presets are no error: the menu then has none. */
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_suffix (name, ".json") && g_utf8_validate (name, -1, NULL))
      g_ptr_array_add (names, g_strndup (name, strlen (name) - strlen (".json")));
  g_ptr_array_sort (names, compare_names);
  g_task_return_pointer (task, g_steal_pointer (&names), (GDestroyNotify)g_ptr_array_unref);
}

void
fen_settings_presets_async (GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
  run (NULL, NULL, list_presets, cancellable, callback, user_data);
}

GPtrArray *
fen_settings_presets_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

char *
fen_settings_preset_path (const char *name)
{
  g_autofree char *file = g_strdup_printf ("presets/%s.json", name);
  return fen_data_path (file);
}
