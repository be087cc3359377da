/* fen-run-session-plan.c: the memory plan of a folder's run, and what would make a plan fit.
 *
 * Both are quick but not quick enough for the main loop: the model's files are read, and each suggestion is a plan of
 * its own.
 */
#include "gui/run/fen-run-session-private.h"

#include "core/train/fen-run-plan.h"

typedef struct {
  char *path;
  FenConfig *config; /* to plan; NULL = `plan` is given */
  FenPlan *plan;
  GPtrArray *notes;
  GArray *suggestions;
} Job;

static void
job_free (gpointer data)
{
  Job *job = data;
  g_free (job->path);
  g_clear_pointer (&job->config, fen_config_free);
  g_clear_pointer (&job->plan, fen_plan_unref);
  g_clear_pointer (&job->notes, g_ptr_array_unref);
  g_clear_pointer (&job->suggestions, g_array_unref);
  g_free (job);
}

/* ---- on the worker ---- */

static void
plan_folder (Job *job)
{
  g_autoptr (GError) error = NULL;
  job->plan = fen_run_plan_folder (job->path, job->config, job->notes, &error);
  if (job->plan == NULL)
    {
      g_ptr_array_add (job->notes, g_strdup (error->message));
      return;
    }
  for (const char *const *note = fen_plan_notes (job->plan); *note != NULL; note++)
    g_ptr_array_add (job->notes, g_strdup (*note));
}

/* Those whose change alone is enough, in the plan's order. */
static void
suggest (Job *job)
{
  g_autoptr (GArray) all = fen_plan_suggestions (job->plan);
  job->suggestions = g_array_new (FALSE, FALSE, sizeof (FenPlanSuggestion));
  for (guint i = 0; i < all->len; i++)
    {
      const FenPlanSuggestion *suggestion = &g_array_index (all, FenPlanSuggestion, i);
      if (suggestion->fits)
        g_array_append_val (job->suggestions, *suggestion);
    }
}

static void
work (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Job *job = data;
  if (job->config != NULL)
    plan_folder (job);
  else
    suggest (job);
  g_task_return_boolean (task, TRUE);
}

/* ---- on the main loop ---- */

static void
done (GObject *source, GAsyncResult *result, gpointer data)
{
  /* Cancelled: the session may be gone. */
  if (!g_task_propagate_boolean (G_TASK (result), NULL))
    return;
  FenRunSession *self = FEN_RUN_SESSION (data);
  Job *job = g_task_get_task_data (G_TASK (result));
  g_clear_object (&self->planning);
  if (job->config != NULL)
    {
      g_clear_pointer (&self->plan, fen_plan_unref);
      self->plan = g_steal_pointer (&job->plan);
      g_ptr_array_unref (self->notes);
      self->notes = g_steal_pointer (&job->notes);
    }
  else
    {
      g_clear_pointer (&self->suggestions, g_array_unref);
      self->suggestions = g_steal_pointer (&job->suggestions);
    }
  fen_run_session_touch (self);
}

static void
start (FenRunSession *self, Job *job)
{
  fen_run_session_cancel_plan (self);
  self->planning = g_cancellable_new ();
  g_autoptr (GTask) task = g_task_new (NULL, self->planning, done, self);
  g_task_set_task_data (task, job, job_free);
  g_task_run_in_thread (task, work);
}

void
fen_run_session_make_plan (FenRunSession *self)
{
  Job *job = g_new0 (Job, 1);
  job->path = g_strdup (self->path);
  job->config = fen_config_copy (self->config);
  job->notes = g_ptr_array_new_with_free_func (g_free);
  start (self, job);
}

void
fen_run_session_make_suggestions (FenRunSession *self)
{
  const gboolean memory = g_error_matches (self->error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_DOES_NOT_FIT)
                          || g_error_matches (self->error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_OUT_OF_MEMORY);
  if (!memory || self->plan == NULL)
    return;
  Job *job = g_new0 (Job, 1);
  job->plan = fen_plan_ref (self->plan);
  start (self, job);
}

void
fen_run_session_cancel_plan (FenRunSession *self)
{
  if (self->planning != NULL)
    g_cancellable_cancel (self->planning);
  g_clear_object (&self->planning);
}
