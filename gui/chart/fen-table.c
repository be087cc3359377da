/* fen-table.c: a chart's values in a window, as a table for people who cannot see the drawing.
 *
 * The table is of the moment when it was opened or refreshed. Its rows are counted on a worker; afterwards a row is made
 * when the list asks for it, so a million rows cost what the visible ones do.
 */
#include "gui/chart/fen-rows-private.h"

#include <adwaita.h>
#include <glib/gi18n.h>

/* ---- one row ---- */

#define FEN_TYPE_TABLE_ROW (fen_table_row_get_type ())
G_DECLARE_FINAL_TYPE (FenTableRow, fen_table_row, FEN, TABLE_ROW, GObject)

struct _FenTableRow {
  GObject parent_instance;
  double place;
  double *y;
  gboolean *there;
};

G_DEFINE_FINAL_TYPE (FenTableRow, fen_table_row, G_TYPE_OBJECT)

static void
fen_table_row_finalize (GObject *object)
{
  g_free (FEN_TABLE_ROW (object)->y);
  g_free (FEN_TABLE_ROW (object)->there);
  G_OBJECT_CLASS (fen_table_row_parent_class)->finalize (object);
}

static void
fen_table_row_class_init (FenTableRowClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = fen_table_row_finalize;
}

static void
fen_table_row_init (FenTableRow *self)
{
}

/* ---- all rows ---- */

#define FEN_TYPE_TABLE_MODEL (fen_table_model_get_type ())
G_DECLARE_FINAL_TYPE (FenTableModel, fen_table_model, FEN, TABLE_MODEL, GObject)

struct _FenTableModel {
  GObject parent_instance;
  FenRows *rows;
  FenRowReader *reader;
};

static GType
table_model_get_item_type (GListModel *model)
{
  return FEN_TYPE_TABLE_ROW;
}

static guint
table_model_get_n_items (GListModel *model)
{
  return (guint)MIN (fen_rows_length (FEN_TABLE_MODEL (model)->rows), G_MAXUINT - 1);
}

static gpointer
table_model_get_item (GListModel *model, guint position)
{
  FenTableModel *self = FEN_TABLE_MODEL (model);
  guint n = fen_rows_n_columns (self->rows);
  const FenRow *from;
  if (position >= table_model_get_n_items (model))
    return NULL;
  fen_row_reader_seek (self->reader, position);
  if (!fen_row_reader_next (self->reader, &from))
    return NULL;
  FenTableRow *row = g_object_new (FEN_TYPE_TABLE_ROW, NULL);
  row->place = from->x[fen_rows_axis (self->rows)];
  row->y = g_memdup2 (from->y, n * sizeof *from->y);
  row->there = g_memdup2 (from->there, n * sizeof *from->there);
  return row;
}

static void
table_model_list_init (GListModelInterface *iface)
{
  iface->get_item_type = table_model_get_item_type;
  iface->get_n_items = table_model_get_n_items;
  iface->get_item = table_model_get_item;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (FenTableModel, fen_table_model, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, table_model_list_init))

static void
fen_table_model_finalize (GObject *object)
{
  FenTableModel *self = FEN_TABLE_MODEL (object);
  fen_row_reader_free (self->reader);
  fen_rows_unref (self->rows);
  G_OBJECT_CLASS (fen_table_model_parent_class)->finalize (object);
}

static void
fen_table_model_class_init (FenTableModelClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = fen_table_model_finalize;
}

static void
fen_table_model_init (FenTableModel *self)
{
}

/* ---- the window ---- */

#define FEN_TYPE_TABLE_WINDOW (fen_table_window_get_type ())
G_DECLARE_FINAL_TYPE (FenTableWindow, fen_table_window, FEN, TABLE_WINDOW, GtkWindow)

struct _FenTableWindow {
  GtkWindow parent_instance;
  GWeakRef chart;
  GtkWidget *refresh, *stack, *view;
  GCancellable *cancellable; /* of the counting */
};

G_DEFINE_FINAL_TYPE (FenTableWindow, fen_table_window, GTK_TYPE_WINDOW)

/* Which column a factory fills: 0 is the place, n + 1 the nth curve. */
typedef struct {
  FenRows *rows;
  guint column;
} Cell;

static void
cell_free (gpointer data, GClosure *closure)
{
  fen_rows_unref (((Cell *)data)->rows);
  g_free (data);
}

static void
set_up_cell (GtkListItemFactory *factory, GtkListItem *item, gpointer data)
{
  GtkWidget *label = gtk_label_new (NULL);
  gtk_label_set_xalign (GTK_LABEL (label), 1);
  gtk_widget_add_css_class (label, "numeric");
  gtk_list_item_set_child (item, label);
}

static void
bind_cell (GtkListItemFactory *factory, GtkListItem *item, gpointer data)
{
  const Cell *cell = data;
  const FenTableRow *row = gtk_list_item_get_item (item);
  g_autofree char *text = NULL;
  if (cell->column == 0)
    text = fen_axis_format (fen_rows_axis (cell->rows), row->place);
  else if (row->there[cell->column - 1])
    text = fen_unit_format (fen_rows_unit (cell->rows), row->y[cell->column - 1]);
  gtk_label_set_text (GTK_LABEL (gtk_list_item_get_child (item)), text != NULL ? text : "");
}

static void
add_column (FenTableWindow *self, FenRows *rows, guint number, const char *title)
{
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
  Cell *cell = g_new (Cell, 1);
  cell->rows = fen_rows_ref (rows);
  cell->column = number;
  g_signal_connect (factory, "setup", G_CALLBACK (set_up_cell), NULL);
  g_signal_connect_data (factory, "bind", G_CALLBACK (bind_cell), cell, cell_free, 0);
  g_autoptr (GtkColumnViewColumn) column = gtk_column_view_column_new (title, factory);
  gtk_column_view_column_set_resizable (column, TRUE);
  gtk_column_view_column_set_expand (column, TRUE);
  gtk_column_view_append_column (GTK_COLUMN_VIEW (self->view), column);
}

static void
show_rows (FenTableWindow *self, FenRows *rows)
{
  GListModel *columns = gtk_column_view_get_columns (GTK_COLUMN_VIEW (self->view));
  gtk_column_view_set_model (GTK_COLUMN_VIEW (self->view), NULL);
  while (g_list_model_get_n_items (columns) > 0)
    {
      g_autoptr (GtkColumnViewColumn) column = g_list_model_get_item (columns, 0);
      gtk_column_view_remove_column (GTK_COLUMN_VIEW (self->view), column);
    }
  add_column (self, rows, 0, fen_axis_title (fen_rows_axis (rows)));
  for (guint i = 0; i < fen_rows_n_columns (rows); i++)
    add_column (self, rows, i + 1, fen_rows_column_name (rows, i));
  FenTableModel *model = g_object_new (FEN_TYPE_TABLE_MODEL, NULL);
  model->rows = fen_rows_ref (rows);
  model->reader = fen_row_reader_new (rows);
  g_autoptr (GtkSelectionModel) selection
      = GTK_SELECTION_MODEL (gtk_single_selection_new (G_LIST_MODEL (model)));
  gtk_column_view_set_model (GTK_COLUMN_VIEW (self->view), selection);
  gtk_stack_set_visible_child_name (GTK_STACK (self->stack), fen_rows_length (rows) > 0 ? "rows" : "empty");
}

static void
count_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  if (!g_task_return_error_if_cancelled (task))
    g_task_return_boolean (task, fen_rows_index (data, cancellable));
}

static void
on_counted (GObject *object, GAsyncResult *result, gpointer data)
{
  if (g_task_propagate_boolean (G_TASK (result), NULL))
    show_rows (FEN_TABLE_WINDOW (object), g_task_get_task_data (G_TASK (result)));
}

static void
refresh (FenTableWindow *self)
{
  g_autoptr (FenChart) chart = g_weak_ref_get (&self->chart);
  if (chart == NULL)
    {
      /* The run's page is gone; what was shown stays. */
      gtk_widget_set_sensitive (self->refresh, FALSE);
      return;
    }
  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  self->cancellable = g_cancellable_new ();
  g_autoptr (GTask) task = g_task_new (self, self->cancellable, on_counted, NULL);
  g_task_set_task_data (task, fen_rows_new (chart), (GDestroyNotify)fen_rows_unref);
  g_task_run_in_thread (task, count_thread);
}

static void
fen_table_window_dispose (GObject *object)
{
  FenTableWindow *self = FEN_TABLE_WINDOW (object);
  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  g_weak_ref_set (&self->chart, NULL);
  G_OBJECT_CLASS (fen_table_window_parent_class)->dispose (object);
}

static void
fen_table_window_finalize (GObject *object)
{
  g_weak_ref_clear (&FEN_TABLE_WINDOW (object)->chart);
  G_OBJECT_CLASS (fen_table_window_parent_class)->finalize (object);
}

static void
fen_table_window_class_init (FenTableWindowClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = fen_table_window_dispose;
  G_OBJECT_CLASS (klass)->finalize = fen_table_window_finalize;
  gtk_widget_class_add_binding_action (GTK_WIDGET_CLASS (klass), GDK_KEY_Escape, 0, "window.close", NULL);
  gtk_widget_class_add_binding_action (GTK_WIDGET_CLASS (klass), GDK_KEY_w, GDK_CONTROL_MASK, "window.close",
                                       NULL);
}

static void
fen_table_window_init (FenTableWindow *self)
{
  GtkWidget *header = adw_header_bar_new (), *scrolled = gtk_scrolled_window_new (), *empty;
  g_weak_ref_init (&self->chart, NULL);
  self->refresh = gtk_button_new_from_icon_name ("view-refresh-symbolic");
  gtk_widget_set_tooltip_text (self->refresh, _ ("Refresh"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->refresh), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _ ("Refresh"), -1);
  g_signal_connect_swapped (self->refresh, "clicked", G_CALLBACK (refresh), self);
  adw_header_bar_pack_start (ADW_HEADER_BAR (header), self->refresh);
  gtk_window_set_titlebar (GTK_WINDOW (self), header);

  self->view = gtk_column_view_new (NULL);
  gtk_column_view_set_show_row_separators (GTK_COLUMN_VIEW (self->view), TRUE);
  gtk_widget_add_css_class (self->view, "data-table");
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scrolled), self->view);
  empty = adw_status_page_new ();
  adw_status_page_set_title (ADW_STATUS_PAGE (empty), _ ("No Values in This Range"));
  self->stack = gtk_stack_new ();
  gtk_stack_add_named (GTK_STACK (self->stack), g_object_new (GTK_TYPE_SPINNER, "spinning", TRUE, NULL),
                       "counting");
  gtk_stack_add_named (GTK_STACK (self->stack), scrolled, "rows");
  gtk_stack_add_named (GTK_STACK (self->stack), empty, "empty");
  gtk_window_set_child (GTK_WINDOW (self), self->stack);
  gtk_window_set_default_size (GTK_WINDOW (self), 480, 560);
}

GtkWidget *
fen_chart_table_window_new (FenChart *chart)
{
  g_return_val_if_fail (FEN_IS_CHART (chart), NULL);
  FenTableWindow *self = g_object_new (FEN_TYPE_TABLE_WINDOW, NULL);
  g_weak_ref_set (&self->chart, chart);
  gtk_window_set_title (GTK_WINDOW (self), fen_chart_get_title (chart));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->view), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  fen_chart_get_title (chart), -1);
  refresh (self);
  return GTK_WIDGET (self);
}
