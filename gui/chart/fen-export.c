/* fen-export.c: see fen-export-private.h. */
#include "gui/chart/fen-export-private.h"

typedef struct {
  char *path;
  gpointer content;
  GDestroyNotify destroy;
  FenExportWrite write;
} Job;

static void
job_free (gpointer data)
{
  Job *job = data;
  job->destroy (job->content);
  g_free (job->path);
  g_free (job);
}

static void
write_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const Job *job = data;
  GError *error = NULL;
  if (job->write (job->content, job->path, cancellable, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

void
fen_export_run (GTask *task, const char *path, gpointer content, GDestroyNotify destroy, FenExportWrite write)
{
  Job *job = g_new0 (Job, 1);
  job->path = g_strdup (path);
  job->content = content;
  job->destroy = destroy;
  job->write = write;
  g_task_set_task_data (task, job, job_free);
  g_task_run_in_thread (task, write_in_thread);
}
