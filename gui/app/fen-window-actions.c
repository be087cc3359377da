/* fen-window-actions.c: the window's actions, and when each can be done. */
#include "gui/app/fen-window-private.h"

#include <glib/gi18n.h>

static void
on_dialog_start (FenSettingsDialog *dialog, FenWindow *self)
{
  gtk_window_close (GTK_WINDOW (dialog));
  g_action_group_activate_action (G_ACTION_GROUP (self), "start", NULL);
}

static void
update_dialog (FenWindow *self)
{
  if (self->dialog != NULL)
    fen_settings_dialog_set_blocked (self->dialog, fen_application_get_own_run (self->application) != NULL
                                                       ? _ ("A run goes on in this window")
                                                       : NULL);
}

void
fen_window_open_settings (FenWindow *self, const char *option)
{
  if (self->dialog == NULL)
    {
      GtkWidget *dialog
          = fen_settings_dialog_new (GTK_WINDOW (self), fen_application_get_settings (self->application),
                                     fen_application_get_facts (self->application));
      g_set_weak_pointer (&self->dialog, FEN_SETTINGS_DIALOG (dialog));
      g_signal_connect_object (dialog, "start", G_CALLBACK (on_dialog_start), self, 0);
      update_dialog (self);
    }
  gtk_window_present (GTK_WINDOW (self->dialog));
  if (option != NULL)
    fen_settings_dialog_show_option (self->dialog, option);
}

/* Takes up what start and resume gave: a session is shown by on_own_run, an error by the bar. */
static gboolean
took_off (FenWindow *self, FenRunSession *session, const GError *error)
{
  if (session == NULL)
    {
      fen_window_show_problem (self, error->message);
      return FALSE;
    }
  gtk_info_bar_set_revealed (self->problem_bar, FALSE);
  gtk_info_bar_set_revealed (self->interrupted_bar, FALSE);
  return TRUE;
}

/* Start is never silently impossible: settings that keep a run from starting are shown where they can be changed. */
static void
on_start (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  FenWindow *self = data;
  g_autoptr (GError) error = NULL;
  const FenOption *option = NULL;
  const char *blocker = fen_settings_get_blocker (fen_application_get_settings (self->application), &option);
  FenRunSession *session = fen_application_start_run (self->application, &error);
  if (!took_off (self, session, error) && blocker != NULL && option != NULL)
    fen_window_open_settings (self, option->name);
}

void
fen_window_resume (FenWindow *self, const char *path)
{
  g_autoptr (GError) error = NULL;
  FenRunSession *session = fen_application_resume_run (self->application, path, 0, &error);
  took_off (self, session, error);
}

static void
on_resume (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  FenWindow *self = data;
  g_autofree char *path
      = g_strdup (fen_run_session_get_path (self->shown)); /* of the session that is replaced */
  fen_window_resume (self, path);
}

static void
command (FenWindow *self, FenTrainerCommand what)
{
  FenRunSession *own = fen_application_get_own_run (self->application);
  if (own != NULL)
    fen_run_session_command (own, what);
  fen_window_update_actions (self);
}

static void
on_pause (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  command (data, FEN_COMMAND_PAUSE);
}

static void
on_continue (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  command (data, FEN_COMMAND_CONTINUE);
}

static void
on_stop (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  command (data, FEN_COMMAND_STOP);
}

static void
on_checkpoint (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  FenWindow *self = data;
  command (self, FEN_COMMAND_CHECKPOINT);
  fen_window_toast (self, adw_toast_new (_ ("A checkpoint is saved after this step")));
}

static void
on_settings (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  fen_window_open_settings (data, NULL);
}

static const GActionEntry entries[] = {
  { "start", on_start },   { "pause", on_pause },           { "continue", on_continue }, { "stop", on_stop },
  { "resume", on_resume }, { "checkpoint", on_checkpoint }, { "settings", on_settings },
};

static void
enable (FenWindow *self, const char *name, gboolean enabled)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self), name);
  if (action != NULL && g_action_get_enabled (action) != enabled)
    g_simple_action_set_enabled (G_SIMPLE_ACTION (action), enabled);
}

/* Can the run that is shown be gone on with? What cannot be known here, the trainer says when it is tried. */
static gboolean
is_resumable (FenWindow *self)
{
  const FenRunInfo *info = self->shown != NULL ? fen_run_session_get_info (self->shown) : NULL;
  if (info == NULL || fen_run_session_is_active (self->shown))
    return FALSE;
  switch (info->status)
    {
    case FEN_RUN_STOPPED:
    case FEN_RUN_INTERRUPTED:
    case FEN_RUN_FAILED:
      return info->steps <= 0 || info->step < info->steps;
    case FEN_RUN_RUNNING:
    case FEN_RUN_FINISHED:
    case FEN_RUN_DAMAGED:
      return FALSE;
    }
  return FALSE;
}

/* In pairs: what can be done, and which button stands in the header. A button that cannot be used for a moment (stopping)
 * stays where it is. */
void
fen_window_update_actions (FenWindow *self)
{
  FenRunSession *own = fen_application_get_own_run (self->application);
  FenTrainerStatus status = { .phase = FEN_PHASE_STOPPED };
  if (own != NULL)
    fen_run_session_status (own, &status);
  const gboolean active = own != NULL && status.phase < FEN_PHASE_FINISHED;
  const gboolean stopping = status.phase == FEN_PHASE_STOPPING;
  const gboolean paused = active && (status.phase == FEN_PHASE_PAUSED || status.phase == FEN_PHASE_PAUSING);

  enable (self, "start", !active);
  enable (self, "resume", !active && is_resumable (self));
  enable (self, "pause", active && !paused && !stopping);
  enable (self, "continue", paused);
  enable (self, "stop", active && !stopping);
  enable (self, "checkpoint", active && !stopping && status.phase >= FEN_PHASE_TRAINING);

  /* The keyboard must not fall out of the header when its button is exchanged. */
  GtkWidget *focus = gtk_window_get_focus (GTK_WINDOW (self));
  gtk_widget_set_visible (self->start_button, !active);
  gtk_widget_set_visible (self->pause_button, active && !paused);
  gtk_widget_set_visible (self->continue_button, paused);
  gtk_widget_set_visible (self->stop_button, active);
  if (focus == self->start_button || focus == self->pause_button || focus == self->continue_button
      || focus == self->stop_button)
    if (!gtk_widget_get_visible (focus))
      gtk_widget_grab_focus (!active  ? self->start_button
                             : paused ? self->continue_button
                                      : self->pause_button);
  update_dialog (self);
}

void
fen_window_add_actions (FenWindow *self)
{
  g_action_map_add_action_entries (G_ACTION_MAP (self), entries, G_N_ELEMENTS (entries), self);
  g_autoptr (GPropertyAction) sidebar = g_property_action_new ("toggle-sidebar", self->flap, "reveal-flap");
  g_action_map_add_action (G_ACTION_MAP (self), G_ACTION (sidebar));
}
