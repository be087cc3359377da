/* fen-chart-actions.c: a chart's context menu and what its entries do.
 *
 * Actions belong to the widget ("chart.reset", "chart.log-scale", ...), so a page may put them into menus of its own.
 * What went wrong with an export is said in a line at the foot of the chart, not in a dialog.
 */
#include "gui/chart/fen-chart-private.h"

#include <glib/gi18n.h>

GMenuModel *
fen_chart_menu_new (void)
{
  GMenu *menu = g_menu_new ();
  g_autoptr (GMenu) view = g_menu_new ();
  g_autoptr (GMenu) values = g_menu_new ();
  g_autoptr (GMenu) files = g_menu_new ();
  g_menu_append (view, _ ("_Logarithmic Scale"), "chart.log-scale");
  g_menu_append (view, _ ("_Cut Off Spikes"), "chart.fit-percentiles");
  g_menu_append (view, _ ("_Show Everything"), "chart.reset");
  g_menu_append (values, _ ("Show as _Table"), "chart.show-table");
  g_menu_append (values, _ ("C_opy Value"), "chart.copy-value");
  g_menu_append (files, _ ("Export as _PNG…"), "chart.export-png");
  g_menu_append (files, _ ("Export as CS_V…"), "chart.export-csv");
  g_menu_append_section (menu, NULL, G_MENU_MODEL (view));
  g_menu_append_section (menu, NULL, G_MENU_MODEL (values));
  g_menu_append_section (menu, NULL, G_MENU_MODEL (files));
  return G_MENU_MODEL (menu);
}

static void
reset (GtkWidget *widget, const char *name, GVariant *parameter)
{
  fen_chart_group_reset_range (FEN_CHART (widget)->group);
}

static void
show_table (GtkWidget *widget, const char *name, GVariant *parameter)
{
  GtkWidget *window = fen_chart_table_window_new (FEN_CHART (widget));
  GtkRoot *root = gtk_widget_get_root (widget);
  if (GTK_IS_WINDOW (root))
    gtk_window_set_transient_for (GTK_WINDOW (window), GTK_WINDOW (root));
  gtk_window_present (GTK_WINDOW (window));
}

static void
copy_value (GtkWidget *widget, const char *name, GVariant *parameter)
{
  g_autofree char *text = fen_chart_values_text (FEN_CHART (widget));
  gdk_clipboard_set_text (gtk_widget_get_clipboard (widget), text);
}

/* ---- the line at the foot ---- */

static void
say (FenChart *self, const char *text, gboolean is_error)
{
  gtk_label_set_text (GTK_LABEL (self->message_label), text);
  if (is_error)
    gtk_widget_add_css_class (self->message_label, "error");
  else
    gtk_widget_remove_css_class (self->message_label, "error");
  gtk_widget_set_visible (self->message, text[0] != '\0');
}

static void
on_message_closed (FenChart *self)
{
  say (self, "", FALSE);
  gtk_widget_grab_focus (self->plot);
}

void
fen_chart_build_message (FenChart *self)
{
  GtkWidget *close = gtk_button_new_from_icon_name ("window-close-symbolic");
  self->message = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  self->message_label
      = g_object_new (GTK_TYPE_LABEL, "accessible-role", GTK_ACCESSIBLE_ROLE_ALERT, "wrap", TRUE, "wrap-mode",
                      PANGO_WRAP_WORD_CHAR, "xalign", 0.0f, "hexpand", TRUE, "selectable", TRUE, NULL);
  gtk_widget_add_css_class (self->message_label, "caption");
  gtk_widget_add_css_class (close, "flat");
  gtk_widget_add_css_class (close, "circular");
  gtk_widget_set_valign (close, GTK_ALIGN_CENTER);
  gtk_widget_set_tooltip_text (close, _ ("Close Message"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (close), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Close Message"),
                                  -1);
  g_signal_connect_swapped (close, "clicked", G_CALLBACK (on_message_closed), self);
  gtk_box_append (GTK_BOX (self->message), self->message_label);
  gtk_box_append (GTK_BOX (self->message), close);
  gtk_widget_set_visible (self->message, FALSE);
  gtk_widget_set_parent (self->message, GTK_WIDGET (self));
}

/* ---- export ---- */

static void
on_exported (GObject *object, GAsyncResult *result, gpointer data)
{
  FenChart *self = FEN_CHART (object);
  g_autofree char *path = data;
  g_autofree char *name = g_filename_display_basename (path);
  g_autoptr (GError) error = NULL;
  gboolean done = g_async_result_is_tagged (result, fen_chart_export_csv_async)
                      ? fen_chart_export_csv_finish (self, result, &error)
                      : fen_chart_export_png_finish (self, result, &error);
  if (self->message == NULL || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  /* TRANSLATORS: %s is a file's name */
  g_autofree char *text = done ? g_strdup_printf (_ ("Saved as “%s”"), name) : g_strdup (error->message);
  say (self, text, !done);
}

void
fen_chart_export_to (FenChart *self, const char *path, gboolean csv)
{
  if (csv)
    fen_chart_export_csv_async (self, path, self->cancellable, on_exported, g_strdup (path));
  else
    fen_chart_export_png_async (self, path, self->cancellable, on_exported, g_strdup (path));
}

static void
on_file_chosen (GtkNativeDialog *dialog, int response, FenChart *self)
{
  if (response == GTK_RESPONSE_ACCEPT)
    {
      g_autoptr (GFile) file = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (dialog));
      g_autofree char *path = g_file_get_path (file);
      if (path != NULL)
        fen_chart_export_to (self, path, g_object_get_data (G_OBJECT (dialog), "csv") != NULL);
      else
        say (self, _ ("Only files on this computer can be written"), TRUE);
    }
  g_clear_object (&self->chooser);
}

static void export(GtkWidget *widget, const char *name, GVariant *parameter)
{
  FenChart *self = FEN_CHART (widget);
  GtkRoot *root = gtk_widget_get_root (widget);
  gboolean csv = g_str_equal (name, "chart.export-csv");
  g_autofree char *stem = g_strdelimit (g_strdup (self->title), "/", '-');
  g_autofree char *file_name = g_strconcat (stem, csv ? ".csv" : ".png", NULL);
  g_clear_object (&self->chooser);
  self->chooser = gtk_file_chooser_native_new (csv ? _ ("Export as CSV") : _ ("Export as PNG"),
                                               GTK_IS_WINDOW (root) ? GTK_WINDOW (root) : NULL,
                                               GTK_FILE_CHOOSER_ACTION_SAVE, _ ("_Export"), _ ("_Cancel"));
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (self->chooser), TRUE);
  gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (self->chooser), file_name);
  g_object_set_data (G_OBJECT (self->chooser), "csv", csv ? self->chooser : NULL);
  g_signal_connect_object (self->chooser, "response", G_CALLBACK (on_file_chosen), self, 0);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (self->chooser));
}

void
fen_chart_install_actions (GtkWidgetClass *klass)
{
  gtk_widget_class_install_action (klass, "chart.reset", NULL, reset);
  gtk_widget_class_install_action (klass, "chart.show-table", NULL, show_table);
  gtk_widget_class_install_action (klass, "chart.copy-value", NULL, copy_value);
  gtk_widget_class_install_action (klass, "chart.export-png", NULL, export);
  gtk_widget_class_install_action (klass, "chart.export-csv", NULL, export);
  gtk_widget_class_install_property_action (klass, "chart.log-scale", "log-scale");
  gtk_widget_class_install_property_action (klass, "chart.fit-percentiles", "fit-percentiles");
}
