/* fen-window-runs.c: what the sidebar, the run page and the bars ask of the window. */
#include "gui/app/fen-window-private.h"

#include <glib/gi18n.h>

#include "gui/app/fen-schema.h"

/* ---- the sidebar ---- */

static void
on_open (FenRunsSidebar *sidebar, FenRunItem *item, FenWindow *self)
{
  fen_window_show_run (self, fen_run_item_get_path (item));
  if (adw_flap_get_folded (self->flap)) /* it lies over the run that was asked for */
    adw_flap_set_reveal_flap (self->flap, FALSE);
}

static void
on_reuse (FenRunsSidebar *sidebar, FenRunItem *item, FenWindow *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenConfig) config = fen_config_new ();
  g_autofree char *path = g_build_filename (fen_run_item_get_path (item), "config.json", NULL);
  if (!fen_config_load (config, path, &error))
    {
      fen_window_show_problem (self, error->message);
      return;
    }
  fen_window_reuse_settings (self, config, fen_run_item_get_name (item));
  fen_window_open_settings (self, NULL);
}

static void
on_resume (FenRunsSidebar *sidebar, FenRunItem *item, FenWindow *self)
{
  fen_window_resume (self, fen_run_item_get_path (item));
}

static void
on_toast (FenRunsSidebar *sidebar, AdwToast *toast, FenWindow *self)
{
  fen_window_toast (self, toast);
}

static void
on_compare (FenRunsSidebar *sidebar, GListModel *runs, FenWindow *self)
{
  fen_compare_page_set_runs (self->compare_page, runs);
  gtk_stack_set_visible_child (self->pages, GTK_WIDGET (self->compare_page));
  if (adw_flap_get_folded (self->flap))
    adw_flap_set_reveal_flap (self->flap, FALSE);
}

static void
on_compare_back (FenComparePage *page, FenWindow *self)
{
  gtk_stack_set_visible_child (self->pages, GTK_WIDGET (self->run_page));
  fen_compare_page_set_runs (self->compare_page, NULL);
}

/* ---- the run page ---- */

/* "Chunk size 2,048 would need 4.1 GB": the failed run's own settings with this one changed, and off it goes. */
static void
on_apply_suggestion (FenRunPage *page, const char *name, const char *value, FenWindow *self)
{
  FenSettings *settings = fen_application_get_settings (self->application);
  const FenConfig *config = self->shown != NULL ? fen_run_session_get_config (self->shown) : NULL;
  const FenOption *option = fen_config_find_option (name);
  if (config != NULL)
    fen_window_reuse_settings (self, config, fen_run_session_get_name (self->shown));
  if (option == NULL || !fen_settings_set_text (settings, option, value))
    {
      fen_window_open_settings (self, name);
      return;
    }
  g_action_group_activate_action (G_ACTION_GROUP (self), "start", NULL);
}

static void
on_page_reuse (FenRunPage *page, FenWindow *self)
{
  const FenConfig *config = self->shown != NULL ? fen_run_session_get_config (self->shown) : NULL;
  if (config != NULL)
    fen_window_reuse_settings (self, config, fen_run_session_get_name (self->shown));
  fen_window_open_settings (self, NULL);
}

/* ---- the run that a crash interrupted ---- */

static void
on_interrupted_response (GtkInfoBar *bar, int response, FenWindow *self)
{
  gtk_info_bar_set_revealed (bar, FALSE);
  g_settings_set_string (fen_application_get_gsettings (self->application), FEN_KEY_OWN_RUN, "");
  if (response == GTK_RESPONSE_OK)
    fen_window_resume (self, self->interrupted_path);
}

static void
look_at_run (GTask *task, gpointer source, gpointer path, GCancellable *cancellable)
{
  g_task_return_pointer (task, fen_run_info (path), (GDestroyNotify)fen_run_info_free);
}

static void
on_looked (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (FenRunInfo) info = g_task_propagate_pointer (G_TASK (result), NULL);
  if (info == NULL) /* cancelled: the window is gone */
    return;
  FenWindow *self = FEN_WINDOW (source);
  if (fen_application_get_own_run (self->application)
      != NULL) /* one was started meanwhile: the key is its own */
    return;
  if (info->status != FEN_RUN_INTERRUPTED) /* resumed by somebody else, deleted, or ended after all */
    {
      g_settings_set_string (fen_application_get_gsettings (self->application), FEN_KEY_OWN_RUN, "");
      return;
    }
  g_autofree char *step = fen_format_count (info->step);
  g_autofree char *kept = fen_format_count (MAX (info->checkpoint_step, 0));
  g_autofree char *text
      = info->checkpoint_step >= 0
            /* TRANSLATORS: a run's name, a step, the step of its last checkpoint. */
            ? g_strdup_printf (
                _ ("“%s” was interrupted at step %s. It can go on from its checkpoint at step %s."),
                info->name, step, kept)
            /* TRANSLATORS: a run's name and a step. */
            : g_strdup_printf (
                _ ("“%s” was interrupted at step %s, before its first checkpoint. It would begin again."),
                info->name, step);
  g_free (self->interrupted_path);
  self->interrupted_path = g_strdup (info->path);
  gtk_label_set_text (self->interrupted_label, text);
  gtk_info_bar_set_revealed (self->interrupted_bar, TRUE);
}

/* The key is set while this window trains and cleared when its run ends: found at a start, the process was killed. */
void
fen_window_look_for_interrupted_run (FenWindow *self)
{
  g_autofree char *path
      = g_settings_get_string (fen_application_get_gsettings (self->application), FEN_KEY_OWN_RUN);
  if (path[0] == '\0' || fen_application_get_own_run (self->application) != NULL)
    return;
  g_autoptr (GTask) task = g_task_new (self, self->cancellable, on_looked, NULL);
  g_task_set_task_data (task, g_steal_pointer (&path), g_free);
  g_task_run_in_thread (task, look_at_run);
}

void
fen_window_connect_rooms (FenWindow *self)
{
  g_signal_connect_object (self->sidebar, "open", G_CALLBACK (on_open), self, 0);
  g_signal_connect_object (self->sidebar, "reuse-settings", G_CALLBACK (on_reuse), self, 0);
  g_signal_connect_object (self->sidebar, "resume", G_CALLBACK (on_resume), self, 0);
  g_signal_connect_object (self->sidebar, "toast", G_CALLBACK (on_toast), self, 0);
  g_signal_connect_object (self->sidebar, "compare", G_CALLBACK (on_compare), self, 0);
  g_signal_connect_object (self->compare_page, "back", G_CALLBACK (on_compare_back), self, 0);
  g_signal_connect_object (self->run_page, "apply-suggestion", G_CALLBACK (on_apply_suggestion), self, 0);
  g_signal_connect_object (self->run_page, "reuse-settings", G_CALLBACK (on_page_reuse), self, 0);
  g_signal_connect_object (self->interrupted_bar, "response", G_CALLBACK (on_interrupted_response), self, 0);
}
