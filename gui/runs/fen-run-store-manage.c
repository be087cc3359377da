/* fen-run-store-manage.c: renaming and deleting runs, with a way back (see fen-run-store.h).
 *
 * Each is a few small writes, but they are synced, and a disk that takes a checkpoint at this moment makes a sync last:
 * so all of it runs on workers. What comes back is shown at once; the next look confirms it.
 */
#include "gui/runs/fen-run-store-private.h"

/* What a worker is to do, and what it brings. */
typedef struct _Job Job;
typedef gboolean (*Work) (Job *job, GError **error);

struct _Job {
  Work work;
  char *path, *name;
  FenRunItem *item; /* touched by the main loop only */
  FenRunInfo *info; /* as it is afterwards */
  char *discarded;  /* where it lies now */
};

static void
job_free (Job *job)
{
  g_free (job->path);
  g_free (job->name);
  g_clear_object (&job->item);
  fen_run_info_free (job->info);
  g_free (job->discarded);
  g_free (job);
}

static GTask *
job_new (FenRunStore *self, const char *path, FenRunItem *item, gpointer tag, GAsyncReadyCallback callback,
         gpointer user_data)
{
  GTask *task = g_task_new (self, NULL, callback, user_data);
  Job *job = g_new0 (Job, 1);
  job->path = g_strdup (path);
  job->item = item != NULL ? g_object_ref (item) : NULL;
  g_task_set_source_tag (task, tag);
  g_task_set_task_data (task, job, (GDestroyNotify)job_free);
  return task;
}

static void
work_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Job *job = data;
  GError *error = NULL;
  if (job->work (job, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
run_job (GTask *task, Work work)
{
  Job *job = g_task_get_task_data (task);
  job->work = work;
  g_task_run_in_thread (task, work_in_thread);
}

static void
invalidate (FenRunStore *self, const char *path)
{
  FenRunPlace *place = fen_run_store_place_of (self, path);
  if (place != NULL)
    fen_run_place_invalidate (place);
}

/* ---- rename ---- */

static gboolean
rename_run (Job *job, GError **error)
{
  if (!fen_run_rename (job->path, job->name, error))
    return FALSE;
  job->info = fen_run_info (job->path);
  return TRUE;
}

void
fen_run_store_rename_async (FenRunStore *self, FenRunItem *item, const char *name,
                            GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (FEN_IS_RUN_STORE (self) && FEN_IS_RUN_ITEM (item));
  g_autoptr (GTask) task
      = job_new (self, fen_run_item_get_path (item), item, fen_run_store_rename_async, callback, user_data);
  Job *job = g_task_get_task_data (task);
  job->name = g_strdup (name);
  run_job (task, rename_run);
}

gboolean
fen_run_store_rename_finish (FenRunStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  Job *job = g_task_get_task_data (G_TASK (result));
  if (!g_task_propagate_boolean (G_TASK (result), error))
    return FALSE;
  fen_run_store_update (self, g_steal_pointer (&job->info));
  invalidate (self, job->path);
  return TRUE;
}

/* ---- delete ---- */

static gboolean
discard_run (Job *job, GError **error)
{
  job->discarded = fen_run_discard (job->path, error);
  return job->discarded != NULL;
}

void
fen_run_store_delete_async (FenRunStore *self, FenRunItem *item, GAsyncReadyCallback callback,
                            gpointer user_data)
{
  g_return_if_fail (FEN_IS_RUN_STORE (self) && FEN_IS_RUN_ITEM (item));
  g_autoptr (GTask) task
      = job_new (self, fen_run_item_get_path (item), item, fen_run_store_delete_async, callback, user_data);
  run_job (task, discard_run);
}

char *
fen_run_store_delete_finish (FenRunStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  Job *job = g_task_get_task_data (G_TASK (result));
  if (!g_task_propagate_boolean (G_TASK (result), error))
    return NULL;
  g_hash_table_insert (fen_run_store_discarded_items (self), g_strdup (job->discarded),
                       g_object_ref (job->item));
  fen_run_store_remove (self, job->item);
  invalidate (self, job->path);
  return g_steal_pointer (&job->discarded);
}

/* ---- undo ---- */

static gboolean
restore_run (Job *job, GError **error)
{
  return fen_run_restore (job->path, error);
}

void
fen_run_store_undo_delete_async (FenRunStore *self, const char *discarded_path, GAsyncReadyCallback callback,
                                 gpointer user_data)
{
  g_return_if_fail (FEN_IS_RUN_STORE (self) && discarded_path != NULL);
  FenRunItem *item = g_hash_table_lookup (fen_run_store_discarded_items (self), discarded_path);
  g_autoptr (GTask) task
      = job_new (self, discarded_path, item, fen_run_store_undo_delete_async, callback, user_data);
  run_job (task, restore_run);
}

gboolean
fen_run_store_undo_delete_finish (FenRunStore *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  const Job *job = g_task_get_task_data (G_TASK (result));
  if (!g_task_propagate_boolean (G_TASK (result), error))
    return FALSE;
  /* Only while its place is still listed. */
  if (job->item != NULL && fen_run_store_place_of (self, fen_run_item_get_path (job->item)) != NULL)
    {
      /* A look may have found the folder before this was told: what is shown elsewhere is the item from before. */
      FenRunItem *found = fen_run_store_find (self, fen_run_item_get_path (job->item));
      if (found != NULL && found != job->item)
        fen_run_store_remove (self, found);
      fen_run_store_insert (self, job->item);
    }
  g_hash_table_remove (fen_run_store_discarded_items (self), job->path);
  invalidate (self, job->path);
  return TRUE;
}

/* ---- for good ---- */

static gboolean
remove_run (Job *job, GError **error)
{
  return fen_run_remove (job->path, error);
}

static void
removed (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  if (!g_task_propagate_boolean (G_TASK (result), &error))
    fen_run_store_set_failure (FEN_RUN_STORE (object), error->message);
}

void
fen_run_store_delete_for_good (FenRunStore *self, const char *discarded_path)
{
  g_return_if_fail (FEN_IS_RUN_STORE (self) && discarded_path != NULL);
  g_hash_table_remove (fen_run_store_discarded_items (self), discarded_path);
  g_autoptr (GTask) task = job_new (self, discarded_path, NULL, fen_run_store_delete_for_good, removed, NULL);
  run_job (task, remove_run);
}
