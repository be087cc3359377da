/* fen-run-session-watch.c: a run folder, whoever writes it.
 *
 *   bite (worker) -> batch -> hand over (main loop, a few ms a turn) -> next bite: at once while there is more to read,
 *   a quarter of a second later while somebody trains, otherwise when the folder changes.
 *
 * A past run's folder is watched by the file monitor, since taking the lock writes into it; a slow timer stands in for
 * file systems that tell nothing.
 */
#include "gui/run/fen-run-session-private.h"

#include <math.h>
#include <string.h>

#define LIVE_BITE_MS 250
#define PAST_BITE_S 5
#define GONE_BITE_S 1
#define INFO_US G_USEC_PER_SEC
#define RECENT_STEPS 32

/* ---- handing over ---- */

/* What the folder says about the run as a whole. */
static void
take_info (FenRunSession *self, FenFollowBatch *batch)
{
  if (batch->gone != self->gone)
    fen_run_session_touch (self);
  self->gone = batch->gone;
  if (self->gone && self->info != NULL && self->info->status != FEN_RUN_DAMAGED)
    {
      /* Name, model and figures are still worth showing. */
      self->info->status = FEN_RUN_DAMAGED;
      self->info->pid = 0;
      g_free (self->info->reason);
      self->info->reason = g_strdup_printf ("%s: not there any more", self->path);
    }
  if (batch->info == NULL)
    return;
  g_clear_pointer (&self->info, fen_run_info_free);
  self->info = g_steal_pointer (&batch->info);
  fen_run_session_touch (self);
}

static void
replace_error (FenRunSession *self, char **error, char **by)
{
  if (g_strcmp0 (*error, *by) != 0)
    fen_run_session_touch (self);
  g_free (*error);
  *error = g_steal_pointer (by);
}

static void
take_config (FenRunSession *self, FenFollowBatch *batch)
{
  if (self->own || (batch->config == NULL && batch->config_error == NULL))
    return;
  replace_error (self, &self->config_error, &batch->config_error);
  if (batch->config == NULL)
    return;
  fen_run_session_set_config (self, g_steal_pointer (&batch->config));
  fen_run_session_make_plan (self);
}

static void
take_item (FenRunSession *self, const FenFollowItem *item)
{
  switch (item->status)
    {
    case FEN_METRICS_SAMPLE:
      fen_run_session_add_sample (self, &item->sample);
      break;
    case FEN_METRICS_RESTARTED:
      fen_run_data_clear (self->data);
      self->paused = FALSE;
      break;
    default:
      fen_run_data_add_damaged (self->data, item->sample.text);
      break;
    }
}

/* Another process went on with a run that this one had trained: from here on it is the folder that tells. */
static void
become_watched (FenRunSession *self)
{
  g_clear_error (&self->error);
  g_clear_pointer (&self->suggestions, g_array_unref);
  fen_run_data_clear (self->data);
  fen_run_session_unfollow (self);
  fen_run_session_set_own (self, FALSE);
  fen_run_session_follow (self, FEN_FOLLOW_ALL);
}

static gboolean
bite_again (gpointer data)
{
  FenRunSession *self = data;
  self->bite_source = 0;
  fen_run_session_want_bite (self);
  return G_SOURCE_REMOVE;
}

static void
folder_changed (GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event,
                FenRunSession *self)
{
  self->next_info_us = 0;
  fen_run_session_want_bite (self);
}

static void
watch_past_folder (FenRunSession *self)
{
  if (self->monitor == NULL && !self->gone)
    {
      g_autoptr (GFile) folder = g_file_new_for_path (self->path);
      self->monitor = g_file_monitor_directory (folder, G_FILE_MONITOR_NONE, NULL, NULL);
      if (self->monitor != NULL)
        g_signal_connect (self->monitor, "changed", G_CALLBACK (folder_changed), self);
    }
  self->next_info_us = 0;
  self->bite_source = g_timeout_add_seconds (self->gone ? GONE_BITE_S : PAST_BITE_S, bite_again, self);
}

static void
drop_monitor (FenRunSession *self)
{
  if (self->monitor == NULL)
    return;
  g_signal_handlers_disconnect_by_func (self->monitor, folder_changed, self);
  g_file_monitor_cancel (self->monitor);
  g_clear_object (&self->monitor);
}

static void
plan_next_bite (FenRunSession *self, gboolean more)
{
  if (more || self->bite_wanted)
    {
      fen_run_session_want_bite (self);
      return;
    }
  if (self->trainer != NULL)
    return; /* the beat asks */
  if (fen_run_session_trains (self))
    {
      drop_monitor (self);
      self->bite_source = g_timeout_add (LIVE_BITE_MS, bite_again, self);
    }
  else
    watch_past_folder (self);
}

static void
finish_batch (FenRunSession *self)
{
  const gboolean more = self->batch->more;
  replace_error (self, &self->metrics_error, &self->batch->metrics_error);
  g_clear_pointer (&self->batch, fen_follow_batch_free);
  if (!more && self->loading)
    {
      self->loading = FALSE;
      if (self->own && !self->from_file)
        fen_run_follower_set_metrics (self->follower, FALSE);
      fen_run_session_touch (self);
    }
  if (self->own && self->bite_of_past && self->trainer == NULL && self->info != NULL
      && self->info->status == FEN_RUN_RUNNING)
    become_watched (self);
  else
    plan_next_bite (self, more);
}

/* A few milliseconds of the batch. TRUE: there is more of it. */
static gboolean
hand_over (FenRunSession *self)
{
  const gint64 until = g_get_monotonic_time () + FEN_SESSION_BUDGET_US;
  const GArray *items = self->batch->items;
  const GPtrArray *lines = self->batch->log;
  while (self->next_item < items->len)
    {
      take_item (self, &g_array_index (items, FenFollowItem, self->next_item++));
      if (g_get_monotonic_time () >= until)
        return TRUE;
    }
  if (items->len > 0)
    fen_run_session_touch (self);
  /* A listener may drop the session's folder: the batch is looked at again each time. */
  while (self->batch != NULL && self->next_line < lines->len)
    {
      fen_run_session_add_log (self, g_ptr_array_index (lines, self->next_line++));
      if (g_get_monotonic_time () >= until)
        return TRUE;
    }
  return FALSE;
}

static gboolean
hand_on (gpointer data)
{
  g_autoptr (FenRunSession) self = g_object_ref (FEN_RUN_SESSION (data));
  if (self->batch != NULL && hand_over (self))
    return G_SOURCE_CONTINUE;
  self->hand_source = 0;
  if (self->batch != NULL)
    finish_batch (self);
  return G_SOURCE_REMOVE;
}

/* ---- bites ---- */

typedef struct {
  FenRunFollower *follower;
  gboolean with_info;
} Bite;

static void
bite_free (gpointer data)
{
  Bite *bite = data;
  fen_run_follower_unref (bite->follower);
  g_free (bite);
}

static void
read_bite (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Bite *bite = data;
  g_task_return_pointer (task, fen_run_follower_read (bite->follower, bite->with_info, cancellable),
                         (GDestroyNotify)fen_follow_batch_free);
}

static void
bite_done (GObject *source, GAsyncResult *result, gpointer data)
{
  /* Cancelled: the session may be gone. */
  FenFollowBatch *batch = g_task_propagate_pointer (G_TASK (result), NULL);
  if (batch == NULL)
    return;
  g_autoptr (FenRunSession) self = g_object_ref (FEN_RUN_SESSION (data));
  g_clear_object (&self->bite);
  self->batch = batch;
  self->next_item = self->next_line = 0;
  take_info (self, batch);
  take_config (self, batch);
  if (hand_over (self))
    self->hand_source = g_idle_add_full (G_PRIORITY_DEFAULT_IDLE, hand_on, self, NULL);
  else if (self->batch != NULL)
    finish_batch (self);
}

void
fen_run_session_want_bite (FenRunSession *self)
{
  if (self->follower == NULL)
    return;
  self->bite_wanted = self->bite != NULL || self->batch != NULL;
  if (self->bite_wanted)
    return;
  g_clear_handle_id (&self->bite_source, g_source_remove);
  const gint64 now = g_get_monotonic_time ();
  Bite *bite = g_new0 (Bite, 1);
  bite->follower = fen_run_follower_ref (self->follower);
  bite->with_info = now >= self->next_info_us;
  if (bite->with_info)
    self->next_info_us = now + INFO_US;
  self->bite_of_past = self->trainer == NULL;
  self->bite = g_cancellable_new ();
  g_autoptr (GTask) task = g_task_new (NULL, self->bite, bite_done, self);
  g_task_set_task_data (task, bite, bite_free);
  g_task_run_in_thread (task, read_bite);
}

void
fen_run_session_follow (FenRunSession *self, FenFollowWhat what)
{
  self->follower = fen_run_follower_new (self->path, what != FEN_FOLLOW_LOG);
  if (what == FEN_FOLLOW_NOW)
    fen_run_follower_stop_here (self->follower);
  self->loading = what != FEN_FOLLOW_LOG;
  self->next_info_us = 0;
  fen_run_session_want_bite (self);
}

void
fen_run_session_unfollow (FenRunSession *self)
{
  if (self->bite != NULL)
    g_cancellable_cancel (self->bite);
  g_clear_object (&self->bite);
  g_clear_pointer (&self->batch, fen_follow_batch_free);
  g_clear_handle_id (&self->hand_source, g_source_remove);
  g_clear_handle_id (&self->bite_source, g_source_remove);
  g_clear_pointer (&self->follower, fen_run_follower_unref);
  self->bite_wanted = FALSE;
  self->loading = FALSE;
  drop_monitor (self);
}

/* ---- the status of a run of others ---- */

static FenTrainerPhase
phase_of (FenRunSession *self)
{
  if (self->info == NULL)
    return self->gone ? FEN_PHASE_FAILED : FEN_PHASE_LOADING;
  switch (self->info->status)
    {
    case FEN_RUN_RUNNING:
      if (self->paused)
        return FEN_PHASE_PAUSED;
      return fen_run_data_last (self->data, FEN_SAMPLE_TRAIN) != NULL ? FEN_PHASE_TRAINING
                                                                      : FEN_PHASE_LOADING;
    case FEN_RUN_FINISHED:
      return FEN_PHASE_FINISHED;
    case FEN_RUN_STOPPED:
    case FEN_RUN_INTERRUPTED:
      return FEN_PHASE_STOPPED;
    case FEN_RUN_FAILED:
    case FEN_RUN_DAMAGED:
      break;
    }
  return FEN_PHASE_FAILED;
}

/* Mean of the last steps, weighted by their time: tokens by seconds, as the trainer's own. */
static double
recent_rate (FenRunSession *self)
{
  const FenSeries *rate = fen_run_data_series (self->data, FEN_CURVE_TOKENS_PER_SECOND);
  const gsize n = fen_series_length (rate), first = n > RECENT_STEPS ? n - RECENT_STEPS : 0;
  double seconds_a_token = 0;
  gsize known = 0;
  for (gsize i = first; i < n; i++)
    {
      const double value = fen_series_y (rate, i);
      if (!isfinite (value) || value <= 0)
        continue;
      seconds_a_token += 1 / value;
      known++;
    }
  return known > 0 ? (double)known / seconds_a_token : NAN;
}

void
fen_run_session_watched_status (FenRunSession *self, FenTrainerStatus *status)
{
  const FenSample *train = fen_run_data_last (self->data, FEN_SAMPLE_TRAIN);
  const FenSample *eval = fen_run_data_last (self->data, FEN_SAMPLE_EVAL);
  const FenRunInfo *info = self->info;
  const gboolean trains = fen_run_session_trains (self);
  *status = (FenTrainerStatus){ .phase = phase_of (self),
                                .progress = -1,
                                .loss = NAN,
                                .smoothed_loss = NAN,
                                .eval_loss = NAN,
                                .tokens_per_second = NAN,
                                .eta_seconds = NAN,
                                .checkpoint_step = -1 };
  if (info != NULL)
    {
      status->step = info->step;
      status->steps = info->steps;
      status->tokens = info->tokens;
      status->loss = info->loss;
      status->eval_loss = info->eval_loss;
      status->checkpoint_step = info->checkpoint_step;
    }
  /* The samples are newer than what the folder's state said, once all of them were read. */
  if (train != NULL && !self->loading)
    {
      if (trains)
        {
          status->step = train->step;
          status->tokens = train->tokens;
          status->eta_seconds = train->eta_seconds;
        }
      status->loss = train->loss;
      status->smoothed_loss = train->smoothed_loss;
      status->skipped_updates = train->skipped_updates;
      status->tokens_per_second = recent_rate (self);
    }
  if (eval != NULL && !self->loading)
    status->eval_loss = eval->loss;
  if (status->steps > 0)
    status->progress = CLAMP ((double)status->step / (double)status->steps, 0, 1);
  g_strlcpy (status->message, fen_trainer_phase_name (status->phase), sizeof status->message);
}
