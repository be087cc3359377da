/* fen-application-actions.c: what can be done wherever the window is: preferences, help, about, quit; and the keys. */
#include "gui/app/fen-application-private.h"

#include "gui/app/fen-about.h"
#include "gui/app/fen-help-window.h"
#include "gui/app/fen-preferences.h"

static void
on_preferences (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  FenApplication *self = data;
  GtkWindow *parent = GTK_WINDOW (fen_application_present_window (self));
  gtk_window_present (GTK_WINDOW (fen_preferences_new (parent, self->gsettings)));
}

/* One help window, however often it is asked for. */
static void
on_help (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  FenApplication *self = data;
  for (GList *l = gtk_application_get_windows (GTK_APPLICATION (self)); l != NULL; l = l->next)
    if (FEN_IS_HELP_WINDOW (l->data))
      {
        gtk_window_present (l->data);
        return;
      }
  GtkWidget *window = fen_help_window_new ();
  gtk_window_set_application (GTK_WINDOW (window), GTK_APPLICATION (self));
  gtk_window_present (GTK_WINDOW (window));
}

static void
on_about (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  GtkWindow *parent = GTK_WINDOW (fen_application_present_window (data));
  gtk_window_present (GTK_WINDOW (fen_about_window_new (parent)));
}

/* The window asks what becomes of a run that goes on. */
static void
on_quit (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  FenApplication *self = data;
  if (self->own_run != NULL)
    fen_window_ask_to_close (fen_application_present_window (self));
  else
    g_application_quit (G_APPLICATION (self));
}

static void
on_show_run (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  FenApplication *self = data;
  const char *path = g_variant_get_string (parameter, NULL);
  FenWindow *window = fen_application_present_window (self);
  g_application_withdraw_notification (G_APPLICATION (self), "run-ended");
  if (path[0] != '\0')
    fen_window_show_run (window, path);
}

static const GActionEntry entries[] = {
  { "preferences", on_preferences }, { "help", on_help }, { "about", on_about }, { "quit", on_quit },
  { "show-run", on_show_run, "s" },
};

/* Also listed, for people, in help-overlay.ui. */
static const struct {
  const char *action;
  const char *keys[3];
} accelerators[] = {
  { "app.preferences", { "<Ctrl>comma" } },
  { "app.help", { "F1" } },
  { "app.quit", { "<Ctrl>q" } },
  { "window.close", { "<Ctrl>w" } },
  { "win.start", { "<Ctrl>Return", "<Ctrl>KP_Enter" } },
  { "win.pause", { "<Ctrl>p" } },
  { "win.continue", { "<Ctrl>p" } },
  { "win.stop", { "<Ctrl>period" } },
  { "win.checkpoint", { "<Ctrl>s" } },
  { "win.resume", { "<Ctrl>r" } },
  { "win.settings", { "<Ctrl>t" } },
  { "win.toggle-sidebar", { "F9" } },
};

void
fen_application_add_actions (FenApplication *self)
{
  g_action_map_add_action_entries (G_ACTION_MAP (self), entries, G_N_ELEMENTS (entries), self);
  for (gsize i = 0; i < G_N_ELEMENTS (accelerators); i++)
    gtk_application_set_accels_for_action (GTK_APPLICATION (self), accelerators[i].action,
                                           accelerators[i].keys);
}
