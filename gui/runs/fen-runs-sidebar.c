/* fen-runs-sidebar.c: the list of runs: rows, search, keys (see fen-runs-sidebar.h). */
#include "gui/runs/fen-runs-sidebar-private.h"

#include <string.h>

#define TIME_SECONDS 30

static guint signals[FEN_N_SIDEBAR_SIGNALS];

G_DEFINE_FINAL_TYPE (FenRunsSidebar, fen_runs_sidebar, ADW_TYPE_BIN)

void
fen_runs_sidebar_emit (FenRunsSidebar *self, FenSidebarSignal which, gpointer argument)
{
  /* A toast is given away with the signal: without a taker it goes here. */
  if (which == FEN_SIDEBAR_TOAST && !g_signal_has_handler_pending (self, signals[which], 0, FALSE))
    g_object_unref (argument);
  else
    g_signal_emit (self, signals[which], 0, argument);
}

FenRunRow *
fen_runs_sidebar_row_of (FenRunsSidebar *self, FenRunItem *item)
{
  GHashTableIter iter;
  gpointer row;
  g_hash_table_iter_init (&iter, self->rows);
  while (g_hash_table_iter_next (&iter, &row, NULL))
    if (fen_run_row_get_item (row) == item && gtk_widget_get_mapped (row))
      return row;
  return NULL;
}

FenRunItem *
fen_runs_sidebar_focused (FenRunsSidebar *self)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  GtkWidget *focus = root != NULL ? gtk_root_get_focus (root) : NULL;
  if (focus == NULL || !gtk_widget_is_ancestor (focus, GTK_WIDGET (self->list)))
    return NULL;
  /* The list's own widget around a row has the focus, or something in the row. */
  GtkWidget *row = gtk_widget_get_first_child (focus);
  if (row == NULL || !FEN_IS_RUN_ROW (row))
    row = gtk_widget_get_ancestor (focus, FEN_TYPE_RUN_ROW);
  return row != NULL ? fen_run_row_get_item (FEN_RUN_ROW (row)) : NULL;
}

/* ---- rows ---- */

static void
choose (FenRunsSidebar *self, FenRunItem *item)
{
  if (fen_runs_sidebar_is_selecting (self))
    fen_runs_sidebar_check (self, item, !g_hash_table_contains (self->checked, item));
  else
    fen_runs_sidebar_emit (self, FEN_SIDEBAR_OPEN, item);
}

static void
on_row_open (FenRunRow *row, FenRunsSidebar *self)
{
  if (fen_run_row_get_item (row) != NULL)
    choose (self, fen_run_row_get_item (row));
}

static void
on_row_menu (FenRunRow *row, int x, int y, FenRunsSidebar *self)
{
  if (fen_run_row_get_item (row) != NULL && !fen_runs_sidebar_is_selecting (self))
    fen_runs_sidebar_popup_menu (self, fen_run_row_get_item (row), x, y);
}

static void
on_row_checked (FenRunRow *row, gboolean checked, FenRunsSidebar *self)
{
  if (fen_run_row_get_item (row) != NULL)
    fen_runs_sidebar_check (self, fen_run_row_get_item (row), checked);
}

static void
setup_row (GtkListItemFactory *factory, GtkListItem *list_item, FenRunsSidebar *self)
{
  GtkWidget *row = fen_run_row_new ();
  g_signal_connect_object (row, "open", G_CALLBACK (on_row_open), self, 0);
  g_signal_connect_object (row, "menu", G_CALLBACK (on_row_menu), self, 0);
  g_signal_connect_object (row, "checked", G_CALLBACK (on_row_checked), self, 0);
  gtk_list_item_set_child (list_item, row);
}

static void
bind_row (GtkListItemFactory *factory, GtkListItem *list_item, FenRunsSidebar *self)
{
  FenRunRow *row = FEN_RUN_ROW (gtk_list_item_get_child (list_item));
  FenRunItem *item = gtk_list_item_get_item (list_item);
  fen_run_row_set_item (row, item);
  fen_run_row_set_current (row, g_strcmp0 (self->current, fen_run_item_get_path (item)) == 0);
  fen_run_row_set_selecting (row, fen_runs_sidebar_is_selecting (self),
                             g_hash_table_contains (self->checked, item));
  g_hash_table_add (self->rows, row);
}

static void
unbind_row (GtkListItemFactory *factory, GtkListItem *list_item, FenRunsSidebar *self)
{
  FenRunRow *row = FEN_RUN_ROW (gtk_list_item_get_child (list_item));
  g_hash_table_remove (self->rows, row);
  fen_run_row_set_item (row, NULL);
}

static void
on_activate (GtkListView *list, guint position, FenRunsSidebar *self)
{
  g_autoptr (FenRunItem) item = g_list_model_get_item (G_LIST_MODEL (self->selection), position);
  if (item != NULL)
    choose (self, item);
}

/* ---- search ---- */

static char *
fold (const char *text)
{
  g_autofree char *normal = g_utf8_normalize (text, -1, G_NORMALIZE_ALL);
  return g_utf8_casefold (normal != NULL ? normal : "", -1);
}

static gboolean
contains (const char *text, const char *needle)
{
  g_autofree char *folded = fold (text);
  return strstr (folded, needle) != NULL;
}

static gboolean
matches (gpointer item, gpointer user_data)
{
  FenRunsSidebar *self = user_data;
  const FenRunInfo *info = fen_run_item_get_info (item);
  g_autofree char *dataset = g_path_get_basename (info->dataset);
  return self->needle == NULL || contains (info->name, self->needle) || contains (info->id, self->needle)
         || contains (info->model, self->needle) || contains (dataset, self->needle);
}

static void
update_page (FenRunsSidebar *self)
{
  const char *page = "list";
  if (g_list_model_get_n_items (G_LIST_MODEL (self->store)) == 0)
    page = fen_run_store_is_ready (self->store) ? "empty" : "looking";
  else if (g_list_model_get_n_items (G_LIST_MODEL (self->selection)) == 0)
    page = "none";
  gtk_stack_set_visible_child_name (self->stack, page);
}

static void
on_search_changed (FenRunsSidebar *self)
{
  g_autofree char *text = g_strstrip (g_strdup (gtk_editable_get_text (GTK_EDITABLE (self->search))));
  g_clear_pointer (&self->needle, g_free);
  if (*text != '\0')
    self->needle = fold (text);
  gtk_filter_changed (self->filter, GTK_FILTER_CHANGE_DIFFERENT);
  update_page (self);
}

static void
on_search_done (FenRunsSidebar *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self->list));
}

static void
on_search_stopped (FenRunsSidebar *self)
{
  gtk_editable_set_text (GTK_EDITABLE (self->search), "");
  gtk_widget_grab_focus (GTK_WIDGET (self->list));
}

/* ---- the store ---- */

static void
on_items_changed (FenRunsSidebar *self)
{
  fen_runs_sidebar_prune_checked (self);
  update_page (self);
}

static void
on_problem (FenRunsSidebar *self)
{
  const char *problem = fen_run_store_get_problem (self->store);
  gtk_label_set_text (self->problem, problem != NULL ? problem : "");
  gtk_widget_set_visible (self->problem_box, problem != NULL);
}

void
fen_runs_sidebar_set_current (FenRunsSidebar *self, const char *path)
{
  GHashTableIter iter;
  gpointer row;
  g_return_if_fail (FEN_IS_RUNS_SIDEBAR (self));
  if (g_strcmp0 (path, self->current) == 0)
    return;
  g_free (self->current);
  self->current = g_strdup (path);
  g_hash_table_iter_init (&iter, self->rows);
  while (g_hash_table_iter_next (&iter, &row, NULL))
    {
      const char *shown = fen_run_item_get_path (fen_run_row_get_item (row));
      fen_run_row_set_current (row, g_strcmp0 (shown, path) == 0);
    }
}

/* ---- keys ---- */

static gboolean
on_key (GtkEventControllerKey *controller, guint keyval, guint keycode, GdkModifierType state,
        FenRunsSidebar *self)
{
  const GdkModifierType modifiers = state & gtk_accelerator_get_default_mod_mask ();
  FenRunItem *item = fen_runs_sidebar_focused (self);
  if (keyval == GDK_KEY_f && modifiers == GDK_CONTROL_MASK)
    return gtk_widget_grab_focus (GTK_WIDGET (self->search));
  if (keyval == GDK_KEY_Escape && fen_runs_sidebar_is_selecting (self))
    fen_runs_sidebar_set_selecting (self, FALSE);
  else if (item == NULL)
    return GDK_EVENT_PROPAGATE;
  else if (keyval == GDK_KEY_F2 && modifiers == 0)
    fen_runs_sidebar_rename (self, item);
  else if ((keyval == GDK_KEY_Delete || keyval == GDK_KEY_KP_Delete) && modifiers == 0)
    fen_runs_sidebar_delete (self, item);
  else if ((keyval == GDK_KEY_Menu && modifiers == 0)
           || (keyval == GDK_KEY_F10 && modifiers == GDK_SHIFT_MASK))
    fen_runs_sidebar_popup_menu (self, item, -1, -1);
  else
    return GDK_EVENT_PROPAGATE;
  return GDK_EVENT_STOP;
}

/* ---- life ---- */

static gboolean
on_time (gpointer user_data)
{
  FenRunsSidebar *self = user_data;
  GHashTableIter iter;
  gpointer row;
  g_hash_table_iter_init (&iter, self->rows);
  while (g_hash_table_iter_next (&iter, &row, NULL))
    fen_run_row_update_time (row);
  return G_SOURCE_CONTINUE;
}

static void
map (GtkWidget *widget)
{
  FenRunsSidebar *self = FEN_RUNS_SIDEBAR (widget);
  GTK_WIDGET_CLASS (fen_runs_sidebar_parent_class)->map (widget);
  on_time (self);
  self->time_source = g_timeout_add_seconds (TIME_SECONDS, on_time, self);
}

static void
unmap (GtkWidget *widget)
{
  FenRunsSidebar *self = FEN_RUNS_SIDEBAR (widget);
  g_clear_handle_id (&self->time_source, g_source_remove);
  GTK_WIDGET_CLASS (fen_runs_sidebar_parent_class)->unmap (widget);
}

static void
set_up_list (FenRunsSidebar *self)
{
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
  g_signal_connect_object (factory, "setup", G_CALLBACK (setup_row), self, 0);
  g_signal_connect_object (factory, "bind", G_CALLBACK (bind_row), self, 0);
  g_signal_connect_object (factory, "unbind", G_CALLBACK (unbind_row), self, 0);
  self->filter = GTK_FILTER (gtk_custom_filter_new (matches, self, NULL));
  GtkFilterListModel *filtered
      = gtk_filter_list_model_new (G_LIST_MODEL (g_object_ref (self->store)), g_object_ref (self->filter));
  self->selection = gtk_single_selection_new (G_LIST_MODEL (filtered));
  gtk_single_selection_set_autoselect (self->selection, FALSE);
  gtk_single_selection_set_can_unselect (self->selection, TRUE);
  gtk_list_view_set_factory (self->list, factory);
  gtk_list_view_set_model (self->list, GTK_SELECTION_MODEL (self->selection));
  g_object_unref (factory);
}

GtkWidget *
fen_runs_sidebar_new (FenRunStore *store)
{
  g_return_val_if_fail (FEN_IS_RUN_STORE (store), NULL);
  FenRunsSidebar *self = g_object_new (FEN_TYPE_RUNS_SIDEBAR, NULL);
  self->store = g_object_ref (store);
  set_up_list (self);
  g_signal_connect_object (store, "items-changed", G_CALLBACK (on_items_changed), self,
                           G_CONNECT_SWAPPED | G_CONNECT_AFTER);
  g_signal_connect_object (store, "notify::ready", G_CALLBACK (update_page), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (store, "notify::problem", G_CALLBACK (on_problem), self, G_CONNECT_SWAPPED);
  on_problem (self);
  update_page (self);
  return GTK_WIDGET (self);
}

static void
dispose (GObject *object)
{
  FenRunsSidebar *self = FEN_RUNS_SIDEBAR (object);
  g_clear_handle_id (&self->time_source, g_source_remove);
  fen_runs_sidebar_dispose_actions (self);
  if (self->list != NULL)
    gtk_list_view_set_model (self->list, NULL);
  G_OBJECT_CLASS (fen_runs_sidebar_parent_class)->dispose (object);
  g_clear_object (&self->selection);
  g_clear_object (&self->filter);
  g_clear_object (&self->store);
}

static void
finalize (GObject *object)
{
  FenRunsSidebar *self = FEN_RUNS_SIDEBAR (object);
  g_hash_table_unref (self->rows);
  g_hash_table_unref (self->checked);
  g_hash_table_unref (self->deleting);
  g_free (self->needle);
  g_free (self->current);
  G_OBJECT_CLASS (fen_runs_sidebar_parent_class)->finalize (object);
}

static void
bind_children (GtkWidgetClass *widget_class)
{
  gtk_widget_class_bind_template_child (widget_class, FenRunsSidebar, search);
  gtk_widget_class_bind_template_child (widget_class, FenRunsSidebar, select);
  gtk_widget_class_bind_template_child (widget_class, FenRunsSidebar, problem_box);
  gtk_widget_class_bind_template_child (widget_class, FenRunsSidebar, problem);
  gtk_widget_class_bind_template_child (widget_class, FenRunsSidebar, stack);
  gtk_widget_class_bind_template_child (widget_class, FenRunsSidebar, list);
  gtk_widget_class_bind_template_child (widget_class, FenRunsSidebar, compare_bar);
  gtk_widget_class_bind_template_child (widget_class, FenRunsSidebar, n_selected);
  gtk_widget_class_bind_template_child (widget_class, FenRunsSidebar, cancel);
  gtk_widget_class_bind_template_child (widget_class, FenRunsSidebar, compare);
  gtk_widget_class_bind_template_child (widget_class, FenRunsSidebar, run_menu);
  gtk_widget_class_bind_template_child (widget_class, FenRunsSidebar, rename_popover);
  gtk_widget_class_bind_template_child (widget_class, FenRunsSidebar, rename_entry);
  gtk_widget_class_bind_template_child (widget_class, FenRunsSidebar, rename_button);
  gtk_widget_class_bind_template_child (widget_class, FenRunsSidebar, rename_error);
}

static void
fen_runs_sidebar_class_init (FenRunsSidebarClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  static const char *const item_signals[] = { "open", "reuse-settings", "resume" };
  object_class->dispose = dispose;
  object_class->finalize = finalize;
  widget_class->map = map;
  widget_class->unmap = unmap;
  for (guint i = 0; i < G_N_ELEMENTS (item_signals); i++)
    signals[FEN_SIDEBAR_OPEN + i] = g_signal_new (item_signals[i], FEN_TYPE_RUNS_SIDEBAR, G_SIGNAL_RUN_LAST,
                                                  0, NULL, NULL, NULL, G_TYPE_NONE, 1, FEN_TYPE_RUN_ITEM);
  signals[FEN_SIDEBAR_TOAST] = g_signal_new ("toast", FEN_TYPE_RUNS_SIDEBAR, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                             NULL, G_TYPE_NONE, 1, ADW_TYPE_TOAST);
  signals[FEN_SIDEBAR_COMPARE] = g_signal_new ("compare", FEN_TYPE_RUNS_SIDEBAR, G_SIGNAL_RUN_LAST, 0, NULL,
                                               NULL, NULL, G_TYPE_NONE, 1, G_TYPE_LIST_MODEL);
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/org/fenestra/Fenestra/runs/fen-runs-sidebar.ui");
  bind_children (widget_class);
}

static void
fen_runs_sidebar_init (FenRunsSidebar *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->rows = g_hash_table_new (NULL, NULL);
  self->checked = g_hash_table_new_full (NULL, NULL, g_object_unref, NULL);
  self->deleting = g_hash_table_new (NULL, NULL);
  fen_runs_sidebar_init_actions (self);
  fen_runs_sidebar_init_select (self);
  g_signal_connect_swapped (self->search, "search-changed", G_CALLBACK (on_search_changed), self);
  g_signal_connect_swapped (self->search, "activate", G_CALLBACK (on_search_done), self);
  g_signal_connect_swapped (self->search, "stop-search", G_CALLBACK (on_search_stopped), self);
  g_signal_connect (self->list, "activate", G_CALLBACK (on_activate), self);
  GtkEventController *keys = gtk_event_controller_key_new ();
  g_signal_connect (keys, "key-pressed", G_CALLBACK (on_key), self);
  gtk_widget_add_controller (GTK_WIDGET (self->list), keys);
}
