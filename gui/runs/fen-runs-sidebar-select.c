/* fen-runs-sidebar-select.c: choosing two or more runs for comparing. What is checked is kept apart from the list's own
 * selection, so that it survives searching and arrow keys. */
#include "gui/runs/fen-runs-sidebar-private.h"

#include <glib/gi18n.h>

gboolean
fen_runs_sidebar_is_selecting (FenRunsSidebar *self)
{
  return gtk_toggle_button_get_active (self->select);
}

static void
update (FenRunsSidebar *self)
{
  GHashTableIter iter;
  gpointer row;
  const gboolean selecting = fen_runs_sidebar_is_selecting (self);
  const guint n = g_hash_table_size (self->checked);
  g_hash_table_iter_init (&iter, self->rows);
  while (g_hash_table_iter_next (&iter, &row, NULL))
    fen_run_row_set_selecting (row, selecting,
                               g_hash_table_contains (self->checked, fen_run_row_get_item (row)));
  /* TRANSLATORS: how many runs are checked for comparing. */
  g_autofree char *text = g_strdup_printf (ngettext ("%u selected", "%u selected", n), n);
  gtk_label_set_text (self->n_selected, n == 0 ? _ ("Select two or more") : text);
  gtk_widget_set_sensitive (self->compare, n >= 2);
  gtk_revealer_set_reveal_child (self->compare_bar, selecting);
}

void
fen_runs_sidebar_set_selecting (FenRunsSidebar *self, gboolean selecting)
{
  gtk_toggle_button_set_active (self->select, selecting);
}

void
fen_runs_sidebar_check (FenRunsSidebar *self, FenRunItem *item, gboolean checked)
{
  if (checked)
    g_hash_table_add (self->checked, g_object_ref (item));
  else
    g_hash_table_remove (self->checked, item);
  update (self);
}

void
fen_runs_sidebar_prune_checked (FenRunsSidebar *self)
{
  GHashTableIter iter;
  gpointer item;
  gboolean pruned = FALSE;
  g_hash_table_iter_init (&iter, self->checked);
  while (g_hash_table_iter_next (&iter, &item, NULL))
    if (fen_run_store_find (self->store, fen_run_item_get_path (item)) != item)
      {
        g_hash_table_iter_remove (&iter);
        pruned = TRUE;
      }
  if (pruned)
    update (self);
}

static void
on_select_toggled (FenRunsSidebar *self)
{
  if (!fen_runs_sidebar_is_selecting (self))
    g_hash_table_remove_all (self->checked);
  update (self);
}

static void
on_cancel (FenRunsSidebar *self)
{
  fen_runs_sidebar_set_selecting (self, FALSE);
  gtk_widget_grab_focus (GTK_WIDGET (self->list));
}

/* In the list's order, whatever the order of checking. */
static void
on_compare (FenRunsSidebar *self)
{
  g_autoptr (GListStore) runs = g_list_store_new (FEN_TYPE_RUN_ITEM);
  const guint n = g_list_model_get_n_items (G_LIST_MODEL (self->store));
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (FenRunItem) item = g_list_model_get_item (G_LIST_MODEL (self->store), i);
      if (g_hash_table_contains (self->checked, item))
        g_list_store_append (runs, item);
    }
  fen_runs_sidebar_set_selecting (self, FALSE);
  fen_runs_sidebar_emit (self, FEN_SIDEBAR_COMPARE, runs);
}

void
fen_runs_sidebar_init_select (FenRunsSidebar *self)
{
  g_signal_connect_swapped (self->select, "toggled", G_CALLBACK (on_select_toggled), self);
  g_signal_connect_swapped (self->cancel, "clicked", G_CALLBACK (on_cancel), self);
  g_signal_connect_swapped (self->compare, "clicked", G_CALLBACK (on_compare), self);
  update (self);
}
