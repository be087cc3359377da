/* fen-application-run.c: the run that this process trains: it outlives the window, holds off suspend and logout, says
 * when it ends, and ends with a checkpoint when the process is asked to go. */
#include "gui/app/fen-application-private.h"

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <math.h>

#include "gui/app/fen-schema.h"
#include "gui/run/fen-run-page.h"

/* How long the process stays after a background run, so that its notification can still bring up the window where the
 * desktop cannot start the program again. It sleeps meanwhile. */
#define LINGER_MS (10 * 60 * 1000)

FenRunSession *
fen_application_get_own_run (FenApplication *self)
{
  return self->own_run;
}

static gboolean
is_watched_by_person (FenApplication *self)
{
  for (GList *l = gtk_application_get_windows (GTK_APPLICATION (self)); l != NULL; l = l->next)
    if (gtk_window_is_active (l->data))
      return TRUE;
  return FALSE;
}

static void
notify_end (FenApplication *self, FenRunSession *session)
{
  FenTrainerStatus status;
  fen_run_session_status (session, &status);
  const char *name = fen_run_session_get_name (session);
  const char *reason = fen_run_session_get_reason (session);
  g_autofree char *steps = fen_format_count (status.step);
  g_autofree char *body = NULL;
  if (status.phase == FEN_PHASE_FAILED && reason != NULL)
    body = g_strdup (reason);
  else if (isfinite (status.loss))
    /* TRANSLATORS: a notification. The run's name, a number of steps, the last loss. */
    body = g_strdup_printf (_ ("“%s”: %s steps done, loss %.3f"), name, steps, status.loss);
  else
    /* TRANSLATORS: a notification. The run's name and a number of steps. */
    body = g_strdup_printf (_ ("“%s”: %s steps done"), name, steps);

  g_autoptr (GNotification) notification = g_notification_new (
      status.phase == FEN_PHASE_FINISHED
          ? _ ("Training Finished")
          : (status.phase == FEN_PHASE_FAILED ? _ ("Training Failed") : _ ("Training Stopped")));
  g_notification_set_body (notification, body);
  g_notification_set_priority (notification, status.phase == FEN_PHASE_FAILED
                                                 ? G_NOTIFICATION_PRIORITY_HIGH
                                                 : G_NOTIFICATION_PRIORITY_NORMAL);
  const char *path = fen_run_session_get_path (session);
  g_notification_set_default_action_and_target (notification, "app.show-run", "s", path != NULL ? path : "");
  g_application_send_notification (G_APPLICATION (self), "run-ended", notification);
}

static void
let_go (FenApplication *self)
{
  g_autoptr (FenRunSession) session = g_steal_pointer (&self->own_run);
  g_signal_handlers_disconnect_by_data (session, self);
  g_settings_set_string (self->gsettings, FEN_KEY_OWN_RUN, "");
  if (self->inhibit_cookie != 0)
    gtk_application_uninhibit (GTK_APPLICATION (self), self->inhibit_cookie);
  self->inhibit_cookie = 0;
  if (!self->quit_when_done && !is_watched_by_person (self)
      && g_settings_get_boolean (self->gsettings, FEN_KEY_NOTIFY))
    {
      notify_end (self, session);
      g_application_set_inactivity_timeout (G_APPLICATION (self), LINGER_MS);
    }
  g_object_notify (G_OBJECT (self), "own-run");
  fen_run_store_refresh (self->runs);
  if (self->quit_when_done)
    g_application_quit (G_APPLICATION (self));
  g_application_release (G_APPLICATION (self));
}

static void
on_final (FenRunSession *session, GParamSpec *pspec, FenApplication *self)
{
  FenTrainerStatus status;
  fen_run_session_status (session, &status);
  if (session == self->own_run && status.phase >= FEN_PHASE_FINISHED)
    let_go (self);
}

/* From now on a crash leaves this key behind, and the next start finds the run by it. */
static void
on_path (FenRunSession *session, GParamSpec *pspec, FenApplication *self)
{
  const char *path = fen_run_session_get_path (session);
  if (path == NULL)
    return;
  g_settings_set_string (self->gsettings, FEN_KEY_OWN_RUN, path);
  /* Where the settings' Output Folder put it, it is found again. */
  g_autofree char *place = g_path_get_dirname (path);
  fen_schema_add_place (self->gsettings, place);
  fen_run_store_refresh (self->runs);
}

static FenRunSession *
adopt (FenApplication *self, FenRunSession *session)
{
  if (session == NULL)
    return NULL;
  GtkWindow *window = gtk_application_get_active_window (GTK_APPLICATION (self));
  self->own_run = session;
  g_application_hold (G_APPLICATION (self));
  g_application_withdraw_notification (G_APPLICATION (self), "run-ended");
  self->inhibit_cookie = gtk_application_inhibit (
      GTK_APPLICATION (self), window, GTK_APPLICATION_INHIBIT_LOGOUT | GTK_APPLICATION_INHIBIT_SUSPEND,
      _ ("A language model is being trained"));
  g_signal_connect (session, "notify::path", G_CALLBACK (on_path), self);
  g_signal_connect (session, "notify::final", G_CALLBACK (on_final), self);
  on_path (session, NULL, self);
  g_object_notify (G_OBJECT (self), "own-run");
  return session;
}

static gboolean
may_start (FenApplication *self, GError **error)
{
  if (self->own_run == NULL)
    return TRUE;
  g_set_error_literal (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_STATE,
                       _ ("A run goes on in this window; stop it before another one is started"));
  return FALSE;
}

FenRunSession *
fen_application_start_run (FenApplication *self, GError **error)
{
  const char *blocker = fen_settings_get_blocker (self->settings, NULL);
  if (!may_start (self, error))
    return NULL;
  if (blocker != NULL)
    {
      g_set_error_literal (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_CONFLICT, blocker);
      return NULL;
    }
  return adopt (self, fen_run_session_new (fen_settings_get_config (self->settings), error));
}

FenRunSession *
fen_application_resume_run (FenApplication *self, const char *path, gint64 steps, GError **error)
{
  if (!may_start (self, error))
    return NULL;
  return adopt (self, fen_run_session_new_resume (path, steps, error));
}

void
fen_application_stop_own_run (FenApplication *self)
{
  if (self->own_run != NULL)
    fen_run_session_command (self->own_run, FEN_COMMAND_STOP);
}

void
fen_application_stop_and_quit (FenApplication *self)
{
  if (self->own_run == NULL)
    {
      g_application_quit (G_APPLICATION (self));
      return;
    }
  self->quit_when_done = TRUE;
  fen_application_stop_own_run (self);
}

/* The first signal asks for a checkpoint and the end; a second one gives the step up. */
static gboolean
on_signal (gpointer data)
{
  FenApplication *self = data;
  if (self->signals_received++ > 0 && self->own_run != NULL)
    fen_run_session_command (self->own_run, FEN_COMMAND_ABANDON);
  else
    fen_application_stop_and_quit (self);
  return G_SOURCE_CONTINUE;
}

void
fen_application_run_watch_signals (FenApplication *self)
{
  static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
  G_STATIC_ASSERT (G_N_ELEMENTS (signals) == G_N_ELEMENTS (self->signal_sources));
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    self->signal_sources[i] = g_unix_signal_add (signals[i], on_signal, self);
}

void
fen_application_run_shutdown (FenApplication *self)
{
  if (self->own_run != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->own_run, self);
      fen_application_stop_own_run (self);
      g_clear_object (&self->own_run);
    }
  fen_run_sessions_wait ();
}
