/* fen-window-close.c: closing the window while a run goes on asks once what becomes of the run. */
#include "gui/app/fen-window-private.h"

#include <glib/gi18n.h>

static gboolean
close_window (gpointer window)
{
  gtk_window_close (window);
  return G_SOURCE_REMOVE;
}

static void
on_answer (AdwMessageDialog *dialog, const char *response, FenWindow *self)
{
  if (g_str_equal (response, "stop"))
    {
      /* The window shows how the run stops, and goes with the process; closed before that, it is not missed. */
      self->closing = TRUE;
      fen_application_stop_and_quit (self->application);
    }
  else if (g_str_equal (response, "background"))
    {
      /* The application stays for the run. The window goes after its question, which still needs its parent. */
      self->closing = TRUE;
      g_idle_add_full (G_PRIORITY_DEFAULT, close_window, g_object_ref (self), g_object_unref);
    }
}

static gboolean
run_goes_on (FenWindow *self)
{
  return fen_application_get_own_run (self->application) != NULL;
}

void
fen_window_ask_to_close (FenWindow *self)
{
  if (!run_goes_on (self))
    {
      gtk_window_close (GTK_WINDOW (self));
      return;
    }
  if (self->question != NULL)
    {
      gtk_window_present (GTK_WINDOW (self->question));
      return;
    }
  GtkWidget *question = adw_message_dialog_new (GTK_WINDOW (self), _ ("Keep Training in the Background?"),
                                                _ ("A run goes on. It can go on without the window; you are "
                                                   "told when it ends. Or it can stop now, with a "
                                                   "checkpoint to resume from."));
  AdwMessageDialog *dialog = ADW_MESSAGE_DIALOG (question);
  adw_message_dialog_add_responses (dialog, "cancel", _ ("_Cancel"), "stop", _ ("_Stop and Save"),
                                    "background", _ ("_Keep Training"), NULL);
  adw_message_dialog_set_response_appearance (dialog, "background", ADW_RESPONSE_SUGGESTED);
  adw_message_dialog_set_default_response (dialog, "background");
  adw_message_dialog_set_close_response (dialog, "cancel");
  g_set_weak_pointer (&self->question, question);
  g_signal_connect_object (dialog, "response", G_CALLBACK (on_answer), self, 0);
  gtk_window_present (GTK_WINDOW (dialog));
}

/* TRUE keeps the window. */
gboolean
fen_window_close_request (GtkWindow *window)
{
  FenWindow *self = FEN_WINDOW (window);
  if (run_goes_on (self) && !self->closing)
    {
      fen_window_ask_to_close (self);
      return TRUE;
    }
  GtkWindowClass *parent = GTK_WINDOW_CLASS (g_type_class_peek (ADW_TYPE_APPLICATION_WINDOW));
  return parent->close_request (window);
}
