/* fen-runs-sidebar-actions.c: what can be done with a run: its menu, renaming in a popover, deleting with a toast that
 * takes it back. */
#include "gui/runs/fen-runs-sidebar-private.h"

#include <glib/gi18n.h>
#include <string.h>

static void
show_toast (FenRunsSidebar *self, AdwToast *toast)
{
  fen_runs_sidebar_emit (self, FEN_SIDEBAR_TOAST, toast);
}

/* Toasts show markup; a name or an error's path may hold any character. */
static void
show_text (FenRunsSidebar *self, const char *text)
{
  g_autofree char *markup = g_markup_escape_text (text, -1);
  show_toast (self, adw_toast_new (markup));
}

/* ---- delete ---- */

/* What a toast with Undo needs when the sidebar may be gone. */
typedef struct {
  FenRunStore *store;
  char *discarded;
  GWeakRef sidebar;
  gboolean undone;
} Deleted;

static void
deleted_free (gpointer data, GClosure *closure)
{
  Deleted *deleted = data;
  g_object_unref (deleted->store);
  g_free (deleted->discarded);
  g_weak_ref_clear (&deleted->sidebar);
  g_free (deleted);
}

static void
undone (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (FenRunsSidebar) self = user_data;
  g_autoptr (GError) error = NULL;
  if (!fen_run_store_undo_delete_finish (FEN_RUN_STORE (object), result, &error))
    show_text (self, error->message);
}

static void
undone_without_sidebar (GObject *object, GAsyncResult *result, gpointer user_data)
{
  fen_run_store_undo_delete_finish (FEN_RUN_STORE (object), result, NULL);
}

static void
on_undo (AdwToast *toast, Deleted *deleted)
{
  g_autoptr (FenRunsSidebar) self = g_weak_ref_get (&deleted->sidebar);
  deleted->undone = TRUE;
  fen_run_store_undo_delete_async (deleted->store, deleted->discarded,
                                   self != NULL ? undone : undone_without_sidebar,
                                   self != NULL ? g_object_ref (self) : NULL);
}

static void
on_dismissed (AdwToast *toast, Deleted *deleted)
{
  if (!deleted->undone)
    fen_run_store_delete_for_good (deleted->store, deleted->discarded);
}

typedef struct {
  FenRunsSidebar *sidebar;
  FenRunItem *item;
} Pending;

static void
show_undo (FenRunsSidebar *self, FenRunStore *store, const char *name, char *discarded)
{
  g_autofree char *shown = g_markup_escape_text (name, -1);
  /* TRANSLATORS: a toast. A run's name. */
  g_autofree char *title = g_strdup_printf (_ ("“%s” deleted"), shown);
  AdwToast *toast = adw_toast_new (title);
  Deleted *deleted = g_new0 (Deleted, 1);
  deleted->store = g_object_ref (store);
  deleted->discarded = discarded;
  g_weak_ref_init (&deleted->sidebar, self);
  adw_toast_set_button_label (toast, _ ("_Undo"));
  adw_toast_set_timeout (toast, 8);
  g_signal_connect (toast, "button-clicked", G_CALLBACK (on_undo), deleted);
  /* Nothing else holds it: a window that closes with its toast leaves the rest to the next start. */
  g_signal_connect_data (toast, "dismissed", G_CALLBACK (on_dismissed), deleted, deleted_free, 0);
  show_toast (self, toast);
}

static void
deleted (GObject *object, GAsyncResult *result, gpointer user_data)
{
  Pending *pending = user_data;
  g_autoptr (FenRunsSidebar) self = pending->sidebar;
  g_autoptr (FenRunItem) item = pending->item;
  g_autoptr (GError) error = NULL;
  const char *name = fen_run_item_get_name (item);
  g_free (pending);
  char *discarded = fen_run_store_delete_finish (FEN_RUN_STORE (object), result, &error);
  if (self->deleting != NULL)
    g_hash_table_remove (self->deleting, item);
  if (discarded != NULL)
    show_undo (self, FEN_RUN_STORE (object), name, discarded);
  else if (g_error_matches (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_LOCKED))
    {
      /* TRANSLATORS: a toast, why a run cannot be deleted. A run's name. */
      g_autofree char *text = g_strdup_printf (_ ("“%s” is being trained; stop it first"), name);
      show_text (self, text);
    }
  else
    show_text (self, error->message);
}

void
fen_runs_sidebar_delete (FenRunsSidebar *self, FenRunItem *item)
{
  if (!g_hash_table_add (self->deleting, item))
    return;
  Pending *pending = g_new0 (Pending, 1);
  pending->sidebar = g_object_ref (self);
  pending->item = g_object_ref (item);
  fen_run_store_delete_async (self->store, item, deleted, pending);
}

/* ---- rename ---- */

static void
set_rename_error (FenRunsSidebar *self, const char *text)
{
  gtk_label_set_text (self->rename_error, text != NULL ? text : "");
  gtk_widget_set_visible (GTK_WIDGET (self->rename_error), text != NULL);
  if (text != NULL)
    gtk_widget_add_css_class (GTK_WIDGET (self->rename_entry), "error");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self->rename_entry), "error");
  gtk_accessible_update_state (GTK_ACCESSIBLE (self->rename_entry), GTK_ACCESSIBLE_STATE_INVALID,
                               text != NULL ? GTK_ACCESSIBLE_INVALID_TRUE : GTK_ACCESSIBLE_INVALID_FALSE, -1);
}

static void
renamed (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (FenRunsSidebar) self = user_data;
  g_autoptr (GError) error = NULL;
  const gboolean ok = fen_run_store_rename_finish (FEN_RUN_STORE (object), result, &error);
  if (self->rename_popover == NULL)
    return;
  if (ok)
    {
      gtk_popover_popdown (self->rename_popover);
      gtk_filter_changed (self->filter, GTK_FILTER_CHANGE_DIFFERENT);
    }
  else if (gtk_widget_get_visible (GTK_WIDGET (self->rename_popover)))
    set_rename_error (self, error->message);
  else
    show_text (self, error->message);
}

static void
on_rename_activate (FenRunsSidebar *self)
{
  if (self->target != NULL)
    fen_run_store_rename_async (self->store, self->target, gtk_editable_get_text (self->rename_entry),
                                renamed, g_object_ref (self));
}

static void
on_rename_changed (FenRunsSidebar *self)
{
  set_rename_error (self, NULL);
}

/* ---- popovers ---- */

/* Points at the run's row, or at the whole list when the row has scrolled away. */
static void
point_at (FenRunsSidebar *self, GtkPopover *popover, FenRunItem *item, int x, int y)
{
  GdkRectangle area = { 0, 0, gtk_widget_get_width (GTK_WIDGET (self)), 1 };
  FenRunRow *row = fen_runs_sidebar_row_of (self, item);
  double left, top;
  if (row != NULL && x >= 0)
    area = (GdkRectangle){ x, y, 1, 1 };
  else if (row != NULL)
    fen_run_row_get_menu_area (row, &area);
  if (row != NULL
      && gtk_widget_translate_coordinates (GTK_WIDGET (row), GTK_WIDGET (self), area.x, area.y, &left, &top))
    {
      area.x = (int)left;
      area.y = (int)top;
    }
  gtk_popover_set_pointing_to (popover, &area);
}

static void
enable (FenRunsSidebar *self, const char *name, gboolean enabled)
{
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self->actions), name);
  g_simple_action_set_enabled (G_SIMPLE_ACTION (action), enabled);
}

void
fen_runs_sidebar_popup_menu (FenRunsSidebar *self, FenRunItem *item, int x, int y)
{
  const FenRunStatus status = fen_run_item_get_info (item)->status;
  g_set_object (&self->target, item);
  enable (self, "resume",
          status == FEN_RUN_STOPPED || status == FEN_RUN_FAILED || status == FEN_RUN_INTERRUPTED);
  enable (self, "compare", status != FEN_RUN_DAMAGED);
  enable (self, "delete", status != FEN_RUN_RUNNING);
  point_at (self, GTK_POPOVER (self->menu), item, x, y);
  gtk_popover_popup (GTK_POPOVER (self->menu));
}

void
fen_runs_sidebar_rename (FenRunsSidebar *self, FenRunItem *item)
{
  g_set_object (&self->target, item);
  gtk_editable_set_text (self->rename_entry, fen_run_item_get_name (item));
  set_rename_error (self, NULL);
  point_at (self, self->rename_popover, item, -1, -1);
  gtk_popover_popup (self->rename_popover);
  gtk_widget_grab_focus (GTK_WIDGET (self->rename_entry));
  gtk_editable_select_region (self->rename_entry, 0, -1);
}

static void
on_popover_closed (FenRunsSidebar *self)
{
  if (!gtk_widget_get_visible (GTK_WIDGET (self->rename_popover)))
    gtk_widget_grab_focus (GTK_WIDGET (self->list));
}

/* ---- the menu's actions ---- */

static void
open_run (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  FenRunsSidebar *self = user_data;
  if (self->target != NULL)
    fen_runs_sidebar_emit (self, FEN_SIDEBAR_OPEN, self->target);
}

static void
resume_run (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  FenRunsSidebar *self = user_data;
  if (self->target != NULL)
    fen_runs_sidebar_emit (self, FEN_SIDEBAR_RESUME, self->target);
}

static void
reuse_settings (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  FenRunsSidebar *self = user_data;
  if (self->target != NULL)
    fen_runs_sidebar_emit (self, FEN_SIDEBAR_REUSE, self->target);
}

static void
compare_run (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  FenRunsSidebar *self = user_data;
  if (self->target == NULL)
    return;
  fen_runs_sidebar_set_selecting (self, TRUE);
  fen_runs_sidebar_check (self, self->target, TRUE);
}

static void
rename_run (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  FenRunsSidebar *self = user_data;
  if (self->target != NULL)
    fen_runs_sidebar_rename (self, self->target);
}

static void
delete_run (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  FenRunsSidebar *self = user_data;
  if (self->target != NULL)
    fen_runs_sidebar_delete (self, self->target);
}

static void
folder_opened (GObject *object, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (FenRunsSidebar) self = user_data;
  g_autoptr (GError) error = NULL;
  if (!g_app_info_launch_default_for_uri_finish (result, &error))
    show_text (self, error->message);
}

static void
open_folder (GSimpleAction *action, GVariant *parameter, gpointer user_data)
{
  FenRunsSidebar *self = user_data;
  if (self->target == NULL)
    return;
  g_autoptr (GdkAppLaunchContext) context
      = gdk_display_get_app_launch_context (gtk_widget_get_display (GTK_WIDGET (self)));
  g_autofree char *uri = g_filename_to_uri (fen_run_item_get_path (self->target), NULL, NULL);
  if (uri != NULL)
    g_app_info_launch_default_for_uri_async (uri, G_APP_LAUNCH_CONTEXT (context), NULL, folder_opened,
                                             g_object_ref (self));
}

static const GActionEntry entries[] = {
  { .name = "open", .activate = open_run },
  { .name = "resume", .activate = resume_run },
  { .name = "reuse-settings", .activate = reuse_settings },
  { .name = "compare", .activate = compare_run },
  { .name = "rename", .activate = rename_run },
  { .name = "open-folder", .activate = open_folder },
  { .name = "delete", .activate = delete_run },
};

void
fen_runs_sidebar_init_actions (FenRunsSidebar *self)
{
  self->actions = g_simple_action_group_new ();
  g_action_map_add_action_entries (G_ACTION_MAP (self->actions), entries, G_N_ELEMENTS (entries), self);
  gtk_widget_insert_action_group (GTK_WIDGET (self), "run", G_ACTION_GROUP (self->actions));
  self->menu = gtk_popover_menu_new_from_model (self->run_menu);
  gtk_popover_set_has_arrow (GTK_POPOVER (self->menu), FALSE);
  gtk_widget_set_halign (self->menu, GTK_ALIGN_START);
  gtk_widget_set_parent (self->menu, GTK_WIDGET (self));
  gtk_widget_set_parent (GTK_WIDGET (self->rename_popover), GTK_WIDGET (self));
  g_signal_connect_swapped (self->menu, "closed", G_CALLBACK (on_popover_closed), self);
  g_signal_connect_swapped (self->rename_popover, "closed", G_CALLBACK (on_popover_closed), self);
  g_signal_connect_swapped (self->rename_entry, "activate", G_CALLBACK (on_rename_activate), self);
  g_signal_connect_swapped (self->rename_entry, "changed", G_CALLBACK (on_rename_changed), self);
  g_signal_connect_swapped (self->rename_button, "clicked", G_CALLBACK (on_rename_activate), self);
}

void
fen_runs_sidebar_dispose_actions (FenRunsSidebar *self)
{
  if (self->menu == NULL)
    return;
  g_signal_handlers_disconnect_by_func (self->menu, on_popover_closed, self);
  g_signal_handlers_disconnect_by_func (self->rename_popover, on_popover_closed, self);
  g_clear_pointer (&self->menu, gtk_widget_unparent);
  gtk_widget_unparent (GTK_WIDGET (self->rename_popover));
  self->rename_popover = NULL;
  gtk_widget_insert_action_group (GTK_WIDGET (self), "run", NULL);
  g_clear_object (&self->actions);
  g_clear_object (&self->target);
}
