/* fen-run-session.c: the session's door: making one, properties, what is known, the beat (see the private header). */
#include "gui/run/fen-run-session-private.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

G_DEFINE_FINAL_TYPE (FenRunSession, fen_run_session, G_TYPE_OBJECT)

enum { PROP_0, PROP_DATA, PROP_PHASE, PROP_PATH, PROP_OWN, PROP_FINAL, N_PROPS };
static GParamSpec *properties[N_PROPS];

enum { SIGNAL_STATUS_CHANGED, SIGNAL_LOG_LINE, N_SIGNALS };
static guint signals[N_SIGNALS];

/* ---- the object ---- */

static void
fen_run_session_get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  FenRunSession *self = FEN_RUN_SESSION (object);
  switch (id)
    {
    case PROP_DATA:
      g_value_set_object (value, self->data);
      break;
    case PROP_PHASE:
      g_value_set_int (value, (int)self->phase);
      break;
    case PROP_PATH:
      g_value_set_string (value, self->path);
      break;
    case PROP_OWN:
      g_value_set_boolean (value, self->own);
      break;
    case PROP_FINAL:
      g_value_set_boolean (value, self->told_final);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    }
}

static void
fen_run_session_dispose (GObject *object)
{
  FenRunSession *self = FEN_RUN_SESSION (object);
  g_clear_handle_id (&self->beat_source, g_source_remove);
  g_clear_handle_id (&self->drain_source, g_source_remove);
  fen_run_session_drop_trainer (self);
  fen_run_session_unfollow (self);
  fen_run_session_cancel_plan (self);
  G_OBJECT_CLASS (fen_run_session_parent_class)->dispose (object);
}

static void
fen_run_session_finalize (GObject *object)
{
  FenRunSession *self = FEN_RUN_SESSION (object);
  g_object_unref (self->data);
  g_string_free (self->log, TRUE);
  g_array_unref (self->waiting);
  g_ptr_array_unref (self->notes);
  g_clear_pointer (&self->suggestions, g_array_unref);
  g_clear_pointer (&self->info, fen_run_info_free);
  g_clear_pointer (&self->config, fen_config_free);
  g_clear_pointer (&self->plan, fen_plan_unref);
  g_clear_error (&self->error);
  g_free (self->path);
  g_free (self->name);
  g_free (self->config_error);
  g_free (self->metrics_error);
  g_free (self->reason);
  G_OBJECT_CLASS (fen_run_session_parent_class)->finalize (object);
}

static void
fen_run_session_class_init (FenRunSessionClass *class)
{
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  object_class->get_property = fen_run_session_get_property;
  object_class->dispose = fen_run_session_dispose;
  object_class->finalize = fen_run_session_finalize;
  properties[PROP_DATA] = g_param_spec_object ("data", NULL, NULL, FEN_TYPE_RUN_DATA, flags);
  properties[PROP_PHASE] = g_param_spec_int ("phase", NULL, NULL, 0, FEN_PHASE_FAILED, 0, flags);
  properties[PROP_PATH] = g_param_spec_string ("path", NULL, NULL, NULL, flags);
  properties[PROP_OWN] = g_param_spec_boolean ("own", NULL, NULL, FALSE, flags);
  properties[PROP_FINAL] = g_param_spec_boolean ("final", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  signals[SIGNAL_STATUS_CHANGED] = g_signal_new ("status-changed", FEN_TYPE_RUN_SESSION, G_SIGNAL_RUN_LAST, 0,
                                                 NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[SIGNAL_LOG_LINE] = g_signal_new ("log-line", FEN_TYPE_RUN_SESSION, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                           NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
fen_run_session_init (FenRunSession *self)
{
  self->data = fen_run_data_new ();
  self->log = g_string_new (NULL);
  self->waiting = g_array_new (FALSE, FALSE, sizeof (FenSample));
  self->notes = g_ptr_array_new_with_free_func (g_free);
}

FenRunSession *
fen_run_session_new (const FenConfig *config, GError **error)
{
  FenTrainer *trainer = fen_trainer_new (config, error);
  if (trainer == NULL)
    return NULL;
  FenRunSession *self = g_object_new (FEN_TYPE_RUN_SESSION, NULL);
  fen_run_session_adopt (self, trainer);
  return self;
}

FenRunSession *
fen_run_session_new_resume (const char *path, gint64 steps, GError **error)
{
  FenTrainer *trainer = fen_trainer_new_resume (path, steps, error);
  if (trainer == NULL)
    return NULL;
  FenRunSession *self = g_object_new (FEN_TYPE_RUN_SESSION, NULL);
  g_autofree char *real = fen_trainer_run_path (trainer);
  fen_run_session_set_path (self, real);
  /* Before the trainer begins to write: it tells what is new itself. */
  self->trainer = trainer;
  fen_run_session_follow (self, FEN_FOLLOW_NOW);
  fen_run_session_adopt (self, trainer);
  return self;
}

FenRunSession *
fen_run_session_new_watch (const char *path)
{
  g_autofree char *real = g_canonicalize_filename (path, NULL);
  FenRunSession *self = g_object_new (FEN_TYPE_RUN_SESSION, NULL);
  fen_run_session_set_path (self, real);
  fen_run_session_follow (self, FEN_FOLLOW_ALL);
  fen_run_session_touch (self);
  return self;
}

/* ---- the beat ---- */

static void
tell_phase (FenRunSession *self)
{
  FenTrainerStatus status;
  fen_run_session_status (self, &status);
  if (status.phase != self->phase)
    {
      self->phase = status.phase;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PHASE]);
    }
  /* Until the folder was looked at, nobody knows. */
  const gboolean final = !fen_run_session_trains (self) && (self->own || self->info != NULL || self->gone);
  if (final != self->told_final)
    {
      self->told_final = final;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_FINAL]);
    }
}

static gboolean
beat (gpointer data)
{
  /* Whoever listens may drop the session. */
  g_autoptr (FenRunSession) self = g_object_ref (FEN_RUN_SESSION (data));
  if (self->trainer != NULL)
    fen_run_session_own_beat (self);
  fen_run_data_flush (self->data);
  if (self->status_changed)
    {
      self->status_changed = FALSE;
      tell_phase (self);
      g_signal_emit (self, signals[SIGNAL_STATUS_CHANGED], 0);
    }
  if (self->trainer != NULL || self->loading || self->status_changed || fen_run_session_trains (self))
    return G_SOURCE_CONTINUE;
  self->beat_source = 0;
  return G_SOURCE_REMOVE;
}

void
fen_run_session_touch (FenRunSession *self)
{
  self->status_changed = TRUE;
  if (self->beat_source == 0)
    self->beat_source = g_timeout_add (FEN_SESSION_BEAT_MS, beat, self);
}

gboolean
fen_run_session_trains (FenRunSession *self)
{
  if (self->own)
    return self->trainer != NULL;
  return self->info != NULL && self->info->status == FEN_RUN_RUNNING && !self->gone;
}

/* ---- what the parts find out ---- */

void
fen_run_session_set_path (FenRunSession *self, const char *path)
{
  if (g_strcmp0 (path, self->path) == 0)
    return;
  g_free (self->path);
  self->path = g_strdup (path);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PATH]);
  fen_run_session_touch (self);
}

void
fen_run_session_set_config (FenRunSession *self, FenConfig *config)
{
  g_clear_pointer (&self->config, fen_config_free);
  self->config = config;
  fen_run_session_touch (self);
}

void
fen_run_session_set_own (FenRunSession *self, gboolean own)
{
  if (own == self->own)
    return;
  self->own = own;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_OWN]);
  fen_run_session_touch (self);
}

void
fen_run_session_add_sample (FenRunSession *self, const FenSample *sample)
{
  fen_run_data_add (self->data, sample);
  if (sample->kind == FEN_SAMPLE_EVENT)
    self->paused = strcmp (sample->event, "pause") == 0;
  fen_run_session_touch (self);
}

void
fen_run_session_add_log (FenRunSession *self, const char *line)
{
  g_string_append (self->log, line);
  g_string_append_c (self->log, '\n');
  g_signal_emit (self, signals[SIGNAL_LOG_LINE], 0, line);
}

/* ---- what is known ---- */

gboolean
fen_run_session_is_own (FenRunSession *self)
{
  g_return_val_if_fail (FEN_IS_RUN_SESSION (self), FALSE);
  return self->own;
}

gboolean
fen_run_session_is_active (FenRunSession *self)
{
  g_return_val_if_fail (FEN_IS_RUN_SESSION (self), FALSE);
  return fen_run_session_trains (self);
}

gboolean
fen_run_session_is_loading (FenRunSession *self)
{
  g_return_val_if_fail (FEN_IS_RUN_SESSION (self), FALSE);
  return self->loading;
}

FenRunData *
fen_run_session_get_data (FenRunSession *self)
{
  g_return_val_if_fail (FEN_IS_RUN_SESSION (self), NULL);
  return self->data;
}

const char *
fen_run_session_get_path (FenRunSession *self)
{
  g_return_val_if_fail (FEN_IS_RUN_SESSION (self), NULL);
  return self->path;
}

const char *
fen_run_session_get_name (FenRunSession *self)
{
  g_return_val_if_fail (FEN_IS_RUN_SESSION (self), NULL);
  g_free (self->name);
  if (self->info != NULL)
    self->name = g_strdup (self->info->name);
  else if (self->config != NULL && self->config->run_name[0] != '\0')
    self->name = g_strdup (self->config->run_name);
  else
    self->name = self->path != NULL ? g_path_get_basename (self->path) : g_strdup (_ ("New run"));
  return self->name;
}

const FenRunInfo *
fen_run_session_get_info (FenRunSession *self)
{
  g_return_val_if_fail (FEN_IS_RUN_SESSION (self), NULL);
  return self->info;
}

void
fen_run_session_status (FenRunSession *self, FenTrainerStatus *status)
{
  g_return_if_fail (FEN_IS_RUN_SESSION (self) && status != NULL);
  if (self->own)
    fen_run_session_own_status (self, status);
  else
    fen_run_session_watched_status (self, status);
}

const FenConfig *
fen_run_session_get_config (FenRunSession *self)
{
  g_return_val_if_fail (FEN_IS_RUN_SESSION (self), NULL);
  return self->config;
}

FenPlan *
fen_run_session_get_plan (FenRunSession *self)
{
  g_return_val_if_fail (FEN_IS_RUN_SESSION (self), NULL);
  return self->plan;
}

/* The run's own words first: that its folder is gone now matters less than why it failed. */
const char *
fen_run_session_get_reason (FenRunSession *self)
{
  g_return_val_if_fail (FEN_IS_RUN_SESSION (self), NULL);
  const FenRunInfo *info = self->info;
  g_clear_pointer (&self->reason, g_free);
  if (self->error != NULL)
    self->reason = g_strdup (self->error->message);
  else if (self->gone)
    self->reason = g_strdup_printf (_ ("The folder of this run is not there any more: %s"), self->path);
  else if (info != NULL && info->reason[0] != '\0' && !(self->own && self->trainer != NULL)
           && (info->status == FEN_RUN_FAILED || info->status == FEN_RUN_INTERRUPTED
               || info->status == FEN_RUN_DAMAGED))
    self->reason = g_strdup (info->reason);
  else
    self->reason = g_strdup (self->metrics_error != NULL ? self->metrics_error : self->config_error);
  return self->reason;
}

const GError *
fen_run_session_get_error (FenRunSession *self)
{
  g_return_val_if_fail (FEN_IS_RUN_SESSION (self), NULL);
  return self->error;
}

const GArray *
fen_run_session_get_suggestions (FenRunSession *self)
{
  g_return_val_if_fail (FEN_IS_RUN_SESSION (self), NULL);
  return self->suggestions;
}

const GPtrArray *
fen_run_session_get_notes (FenRunSession *self)
{
  g_return_val_if_fail (FEN_IS_RUN_SESSION (self), NULL);
  return self->notes;
}

const char *
fen_run_session_get_log (FenRunSession *self)
{
  g_return_val_if_fail (FEN_IS_RUN_SESSION (self), NULL);
  return self->log->str;
}

void
fen_run_session_command (FenRunSession *self, FenTrainerCommand command)
{
  g_return_if_fail (FEN_IS_RUN_SESSION (self));
  if (self->trainer != NULL)
    fen_trainer_command (self->trainer, command);
}
