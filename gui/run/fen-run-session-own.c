/* fen-run-session-own.c: a trainer of this process.
 *
 * Its ring is drained by the beat. Of its folder only the log and the state are read, a few times a second; a resumed
 * run's earlier metrics are read first, and what the ring says meanwhile waits. Should the ring ever run over (the main
 * loop stood still for long), metrics.jsonl has every sample, and they are taken from there.
 */
#include "gui/run/fen-run-session-private.h"

#include <string.h>

#define BITE_BEATS 4 /* half a second between two looks at the log */

void
fen_run_session_adopt (FenRunSession *self, FenTrainer *trainer)
{
  self->trainer = trainer;
  fen_run_session_set_own (self, TRUE);
  fen_run_session_set_config (self, fen_trainer_config (trainer));
  fen_trainer_start (trainer);
  fen_run_session_touch (self);
}

/* ---- draining ---- */

/* The ring lost samples: from now on they come from the file, all of them. */
static void
read_file_instead (FenRunSession *self)
{
  if (self->from_file || self->path == NULL || fen_trainer_dropped (self->trainer) == 0)
    return;
  self->from_file = TRUE;
  g_array_set_size (self->waiting, 0);
  self->next_waiting = 0;
  fen_run_data_clear (self->data);
  fen_run_session_unfollow (self);
  fen_run_session_follow (self, FEN_FOLLOW_ALL);
}

static gboolean
next_sample (FenRunSession *self, FenSample *sample)
{
  if (self->loading || self->next_waiting == self->waiting->len)
    return fen_trainer_poll (self->trainer, sample);
  *sample = g_array_index (self->waiting, FenSample, self->next_waiting++);
  if (self->next_waiting == self->waiting->len)
    {
      g_array_set_size (self->waiting, 0);
      self->next_waiting = 0;
    }
  return TRUE;
}

/* Takes samples for a few milliseconds; FALSE when there are none left now. */
static gboolean
drain (FenRunSession *self)
{
  const gint64 until = g_get_monotonic_time () + FEN_SESSION_BUDGET_US;
  FenSample sample;
  while (next_sample (self, &sample))
    {
      if (self->from_file)
        ;
      else if (self->loading)
        g_array_append_val (self->waiting, sample);
      else
        fen_run_session_add_sample (self, &sample);
      if (g_get_monotonic_time () >= until)
        return TRUE;
    }
  return FALSE;
}

static void end_when_final (FenRunSession *self);

static gboolean
drain_on (gpointer data)
{
  g_autoptr (FenRunSession) self = g_object_ref (FEN_RUN_SESSION (data));
  if (self->trainer != NULL && drain (self))
    return G_SOURCE_CONTINUE;
  self->drain_source = 0;
  end_when_final (self);
  return G_SOURCE_REMOVE;
}

/* ---- the beat ---- */

/* Plan and notes are few and grow while the run begins: taken over whenever they changed. */
static void
take_facts (FenRunSession *self)
{
  g_autoptr (FenPlan) plan = fen_trainer_plan (self->trainer);
  g_autoptr (GPtrArray) notes = fen_trainer_notes (self->trainer);
  g_autofree char *path = fen_trainer_run_path (self->trainer);
  if (plan != self->plan)
    {
      g_clear_pointer (&self->plan, fen_plan_unref);
      self->plan = g_steal_pointer (&plan);
    }
  if (notes->len != self->notes->len)
    {
      g_ptr_array_unref (self->notes);
      self->notes = g_steal_pointer (&notes);
    }
  if (path == NULL && self->path != NULL)
    fen_run_session_unfollow (self); /* a run that never began took its folder with it */
  fen_run_session_set_path (self, path);
  if (path != NULL && self->follower == NULL)
    fen_run_session_follow (self, FEN_FOLLOW_LOG);
}

/* The trainer has ended and everything it said was taken: what remains is kept here and its memory is given back. */
static void
end_when_final (FenRunSession *self)
{
  if (self->trainer == NULL || self->drain_source != 0 || self->loading
      || !fen_trainer_is_final (self->trainer))
    return;
  /* What came between the last look and the end. */
  if (drain (self) || self->waiting->len > 0)
    return;
  take_facts (self);
  fen_trainer_join (self->trainer, &self->error);
  fen_trainer_status (self->trainer, &self->status);
  fen_trainer_free (g_steal_pointer (&self->trainer));
  fen_run_session_make_suggestions (self);
  self->next_info_us = 0;
  fen_run_session_want_bite (self);
  fen_run_session_touch (self);
}

void
fen_run_session_own_beat (FenRunSession *self)
{
  take_facts (self);
  read_file_instead (self);
  if (self->drain_source == 0 && drain (self))
    self->drain_source = g_idle_add_full (G_PRIORITY_DEFAULT_IDLE, drain_on, self, NULL);
  if (self->own_beats++ % BITE_BEATS == 0)
    fen_run_session_want_bite (self);
  FenTrainerStatus status;
  fen_trainer_status (self->trainer, &status);
  if (memcmp (&status, &self->status, sizeof status) != 0)
    fen_run_session_touch (self);
  self->status = status;
  end_when_final (self);
}

void
fen_run_session_own_status (FenRunSession *self, FenTrainerStatus *status)
{
  if (self->trainer != NULL)
    fen_trainer_status (self->trainer, status);
  else
    *status = self->status;
}

/* ---- letting go ---- */

static struct {
  GMutex mutex;
  GCond cond;
  guint n; /* trainers that a thread is waiting for */
} leaving;

static gpointer
wait_for_trainer (gpointer trainer)
{
  fen_trainer_free (trainer);
  g_mutex_lock (&leaving.mutex);
  leaving.n--;
  g_cond_broadcast (&leaving.cond);
  g_mutex_unlock (&leaving.mutex);
  return NULL;
}

void
fen_run_session_drop_trainer (FenRunSession *self)
{
  if (self->trainer == NULL)
    return;
  g_mutex_lock (&leaving.mutex);
  leaving.n++;
  g_mutex_unlock (&leaving.mutex);
  g_thread_unref (g_thread_new ("fen-leaving", wait_for_trainer, g_steal_pointer (&self->trainer)));
}

void
fen_run_sessions_wait (void)
{
  g_mutex_lock (&leaving.mutex);
  while (leaving.n > 0)
    g_cond_wait (&leaving.cond, &leaving.mutex);
  g_mutex_unlock (&leaving.mutex);
}
