/* fen-help-window.c: see fen-help-window.h. The files are read on a worker; searching hides chapters and marks words. */
#include "gui/app/fen-help-window.h"

#include <glib/gi18n.h>
#include <string.h>

#include "core/base/fen-paths.h"
#include "gui/app/fen-guide.h"

struct _FenHelpWindow {
  AdwWindow parent_instance;

  /* from fen-help-window.ui */
  AdwLeaflet *leaflet;
  GtkSearchEntry *search;
  GtkStack *list_stack, *text_stack;
  GtkListBox *chapters;
  GtkWidget *reader, *back;
  AdwWindowTitle *title;
  GtkTextView *text;
  AdwStatusPage *missing;

  GPtrArray *guide; /* of FenGuideChapter; NULL until it is read */
  GtkTextTag *found;
  GCancellable *cancellable;
};

G_DEFINE_FINAL_TYPE (FenHelpWindow, fen_help_window, ADW_TYPE_WINDOW)

/* ---- the text ---- */

/* Marks every word of the query; scrolls to the first. */
static void
mark_found (FenHelpWindow *self)
{
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (self->text);
  GtkTextIter start, end, first;
  gboolean any = FALSE;
  gtk_text_buffer_get_bounds (buffer, &start, &end);
  gtk_text_buffer_remove_tag (buffer, self->found, &start, &end);
  g_auto (GStrv) words = g_strsplit_set (gtk_editable_get_text (GTK_EDITABLE (self->search)), " \t\n", -1);
  for (guint i = 0; words[i] != NULL; i++)
    {
      GtkTextIter at, match_start, match_end;
      gtk_text_buffer_get_start_iter (buffer, &at);
      while (words[i][0] != '\0'
             && gtk_text_iter_forward_search (&at, words[i], GTK_TEXT_SEARCH_CASE_INSENSITIVE, &match_start,
                                              &match_end, NULL))
        {
          gtk_text_buffer_apply_tag (buffer, self->found, &match_start, &match_end);
          if (!any || gtk_text_iter_compare (&match_start, &first) < 0)
            first = match_start;
          any = TRUE;
          at = match_end;
        }
    }
  if (any)
    {
      gtk_text_buffer_place_cursor (buffer, &first);
      gtk_text_view_scroll_to_mark (self->text, gtk_text_buffer_get_insert (buffer), 0.1, FALSE, 0, 0);
    }
}

static void
show_chapter (FenHelpWindow *self, const FenGuideChapter *chapter)
{
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (self->text);
  GtkTextIter start;
  gtk_text_buffer_set_text (buffer, chapter->text, -1);
  gtk_text_buffer_get_start_iter (buffer, &start);
  gtk_text_buffer_place_cursor (buffer, &start);
  /* Not to the first line: the margin above it is part of the page. */
  gtk_adjustment_set_value (gtk_scrollable_get_vadjustment (GTK_SCROLLABLE (self->text)), 0);
  adw_window_title_set_title (self->title, chapter->title);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->text), GTK_ACCESSIBLE_PROPERTY_LABEL, chapter->title,
                                  -1);
  gtk_stack_set_visible_child_name (self->text_stack, "text");
  mark_found (self);
}

static const FenGuideChapter *
chapter_of (FenHelpWindow *self, GtkListBoxRow *row)
{
  return g_ptr_array_index (self->guide, (guint)gtk_list_box_row_get_index (row));
}

static void
on_row_selected (GtkListBox *list, GtkListBoxRow *row, FenHelpWindow *self)
{
  if (row != NULL && self->guide != NULL)
    show_chapter (self, chapter_of (self, row));
}

static void
on_row_activated (GtkListBox *list, GtkListBoxRow *row, FenHelpWindow *self)
{
  adw_leaflet_set_visible_child (self->leaflet, self->reader);
}

static void
on_back (GtkButton *button, FenHelpWindow *self)
{
  adw_leaflet_navigate (self->leaflet, ADW_NAVIGATION_DIRECTION_BACK);
}

/* ---- search ---- */

static gboolean
filter (GtkListBoxRow *row, gpointer data)
{
  FenHelpWindow *self = data;
  return self->guide == NULL
         || fen_guide_chapter_matches (chapter_of (self, row),
                                       gtk_editable_get_text (GTK_EDITABLE (self->search)));
}

static void
on_search (GtkSearchEntry *entry, FenHelpWindow *self)
{
  if (self->guide == NULL)
    return;
  GtkListBoxRow *selected = gtk_list_box_get_selected_row (self->chapters), *first = NULL;
  gtk_list_box_invalidate_filter (self->chapters);
  for (guint i = 0; i < self->guide->len && first == NULL; i++)
    {
      GtkListBoxRow *row = gtk_list_box_get_row_at_index (self->chapters, (int)i);
      if (filter (row, self))
        first = row;
    }
  gtk_stack_set_visible_child_name (self->list_stack, first != NULL ? "list" : "nothing");
  if (first != NULL && (selected == NULL || !filter (selected, self)))
    gtk_list_box_select_row (self->chapters, first);
  else
    mark_found (self);
}

/* ---- reading ---- */

static void
load_guide (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = fen_sample_path ();
  GPtrArray *guide = NULL;
  if (folder == NULL)
    error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _ ("It is not installed."));
  else
    guide = fen_guide_load (folder, &error);
  if (guide != NULL)
    g_task_return_pointer (task, guide, (GDestroyNotify)g_ptr_array_unref);
  else
    g_task_return_error (task, g_steal_pointer (&error));
}

static void
on_loaded (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *guide = g_task_propagate_pointer (G_TASK (result), &error);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  FenHelpWindow *self = FEN_HELP_WINDOW (source);
  if (guide == NULL)
    {
      adw_status_page_set_description (self->missing, error->message);
      gtk_stack_set_visible_child_name (self->text_stack, "missing");
      return;
    }
  self->guide = guide;
  for (guint i = 0; i < guide->len; i++)
    {
      const FenGuideChapter *chapter = g_ptr_array_index (guide, i);
      GtkWidget *label = gtk_label_new (chapter->title);
      gtk_label_set_xalign (GTK_LABEL (label), 0);
      gtk_label_set_wrap (GTK_LABEL (label), TRUE);
      gtk_list_box_append (self->chapters, label);
    }
  gtk_list_box_select_row (self->chapters, gtk_list_box_get_row_at_index (self->chapters, 0));
  on_search (self->search, self);
}

GtkWidget *
fen_help_window_new (void)
{
  return g_object_new (FEN_TYPE_HELP_WINDOW, NULL);
}

static void
fen_help_window_dispose (GObject *object)
{
  g_cancellable_cancel (FEN_HELP_WINDOW (object)->cancellable);
  gtk_widget_dispose_template (GTK_WIDGET (object), FEN_TYPE_HELP_WINDOW);
  G_OBJECT_CLASS (fen_help_window_parent_class)->dispose (object);
}

static void
fen_help_window_finalize (GObject *object)
{
  FenHelpWindow *self = FEN_HELP_WINDOW (object);
  g_clear_pointer (&self->guide, g_ptr_array_unref);
  g_clear_object (&self->cancellable);
  G_OBJECT_CLASS (fen_help_window_parent_class)->finalize (object);
}

static void
fen_help_window_class_init (FenHelpWindowClass *class)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  G_OBJECT_CLASS (class)->dispose = fen_help_window_dispose;
  G_OBJECT_CLASS (class)->finalize = fen_help_window_finalize;
  gtk_widget_class_set_template_from_resource (widget_class, "/org/fenestra/Fenestra/app/fen-help-window.ui");
  gtk_widget_class_bind_template_child (widget_class, FenHelpWindow, leaflet);
  gtk_widget_class_bind_template_child (widget_class, FenHelpWindow, search);
  gtk_widget_class_bind_template_child (widget_class, FenHelpWindow, list_stack);
  gtk_widget_class_bind_template_child (widget_class, FenHelpWindow, text_stack);
  gtk_widget_class_bind_template_child (widget_class, FenHelpWindow, chapters);
  gtk_widget_class_bind_template_child (widget_class, FenHelpWindow, reader);
  gtk_widget_class_bind_template_child (widget_class, FenHelpWindow, back);
  gtk_widget_class_bind_template_child (widget_class, FenHelpWindow, title);
  gtk_widget_class_bind_template_child (widget_class, FenHelpWindow, text);
  gtk_widget_class_bind_template_child (widget_class, FenHelpWindow, missing);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Escape, 0, "window.close", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_w, GDK_CONTROL_MASK, "window.close", NULL);
}

static void
fen_help_window_init (FenHelpWindow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->cancellable = g_cancellable_new ();
  self->found = gtk_text_buffer_create_tag (gtk_text_view_get_buffer (self->text), "found", "weight",
                                            PANGO_WEIGHT_BOLD, "underline", PANGO_UNDERLINE_SINGLE, NULL);
  gtk_list_box_set_filter_func (self->chapters, filter, self, NULL);
  gtk_search_entry_set_key_capture_widget (self->search, GTK_WIDGET (self));
  g_signal_connect_object (self->chapters, "row-selected", G_CALLBACK (on_row_selected), self, 0);
  g_signal_connect_object (self->chapters, "row-activated", G_CALLBACK (on_row_activated), self, 0);
  g_signal_connect_object (self->search, "search-changed", G_CALLBACK (on_search), self, 0);
  g_signal_connect_object (self->back, "clicked", G_CALLBACK (on_back), self, 0);
  g_autoptr (GTask) task = g_task_new (self, self->cancellable, on_loaded, NULL);
  g_task_run_in_thread (task, load_guide);
}
