/* fen-run-log.c: the text of log.txt, followed while its end is in view.
 *
 * Who scrolls up wants to read: new lines then grow below without moving what is on the screen, and a button leads back.
 * Whether the end is in view is decided when the person scrolls and not when the text grows: a text view learns the
 * height of new lines bit by bit, moves itself meanwhile (even to the top), and takes no new position in the middle of
 * that. So a change of size is answered once it is over, and what moves until then is not the person's doing.
 */
#include "gui/run/fen-run-log-private.h"

#include <glib/gi18n.h>
#include <string.h>

/* A run of weeks writes some megabytes; a text view wants memory a multiple of that. The file has all of it. */
#define KEPT_CHARS (1 << 20)

struct _FenRunLog {
  GtkWidget parent_instance;

  GtkWidget *end_button, *search_bar, *search_entry, *search_result, *scroller, *view;

  gsize n_shown;   /* bytes of the session's text that have been taken over */
  gboolean follow; /* the end is in view */
  guint settling;  /* source that runs when the text view has measured everything; 0 = it has */
};

G_DEFINE_FINAL_TYPE (FenRunLog, fen_run_log, GTK_TYPE_WIDGET)

static GtkTextBuffer *
buffer_of (FenRunLog *self)
{
  return gtk_text_view_get_buffer (GTK_TEXT_VIEW (self->view));
}

static GtkAdjustment *
adjustment_of (FenRunLog *self)
{
  return gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (self->scroller));
}

/* ---- following the end ---- */

static void
set_follow (FenRunLog *self, gboolean follow)
{
  self->follow = follow;
  gtk_widget_set_visible (self->end_button, !follow);
}

static void
scroll_to_end (FenRunLog *self)
{
  GtkAdjustment *adjustment = adjustment_of (self);
  gtk_adjustment_set_value (adjustment, gtk_adjustment_get_upper (adjustment)
                                            - gtk_adjustment_get_page_size (adjustment));
}

static gboolean
on_settled (gpointer data)
{
  FenRunLog *self = data;
  self->settling = 0;
  if (self->follow)
    scroll_to_end (self);
  return G_SOURCE_REMOVE;
}

/* The text or the widget has another height. */
static void
on_size_changed (FenRunLog *self)
{
  if (self->settling == 0)
    self->settling = g_idle_add_full (GTK_TEXT_VIEW_PRIORITY_VALIDATE + 5, on_settled, self, NULL);
}

static void
on_scrolled (FenRunLog *self)
{
  GtkAdjustment *adjustment = adjustment_of (self);
  const double end = gtk_adjustment_get_value (adjustment) + gtk_adjustment_get_page_size (adjustment);
  if (self->settling == 0)
    set_follow (self, end >= gtk_adjustment_get_upper (adjustment) - 2);
}

static void
on_jump_to_end (FenRunLog *self)
{
  /* The button is about to vanish: focus must not fall to the top of the window with it. */
  gtk_widget_grab_focus (self->view);
  set_follow (self, TRUE);
  scroll_to_end (self);
}

gboolean
fen_run_log_is_at_end (FenRunLog *self)
{
  return self->follow;
}

/* ---- text ---- */

/* Only whole lines go, and the first ones. */
static void
forget_beginning (FenRunLog *self)
{
  GtkTextBuffer *buffer = buffer_of (self);
  const int excess = gtk_text_buffer_get_char_count (buffer) - KEPT_CHARS;
  GtkTextIter start, end;
  if (excess <= 0)
    return;
  gtk_text_buffer_get_start_iter (buffer, &start);
  gtk_text_buffer_get_iter_at_offset (buffer, &end, excess + KEPT_CHARS / 8);
  gtk_text_iter_forward_line (&end);
  gtk_text_buffer_delete (buffer, &start, &end);
}

void
fen_run_log_set_text (FenRunLog *self, const char *text)
{
  GtkTextIter end;
  gsize length = text != NULL ? strlen (text) : 0;
  if (length < self->n_shown)
    fen_run_log_clear (self);
  if (length == self->n_shown)
    return;
  const char *rest = text + self->n_shown;
  if (length - self->n_shown > KEPT_CHARS)
    {
      const char *cut = strchr (text + length - KEPT_CHARS, '\n');
      rest = cut != NULL ? cut + 1 : text + length;
    }
  /* A log is written by programs that may be killed in the middle of a character. */
  g_autofree char *valid = g_utf8_make_valid (rest, -1);
  gtk_text_buffer_get_end_iter (buffer_of (self), &end);
  gtk_text_buffer_insert (buffer_of (self), &end, valid, -1);
  self->n_shown = length;
  forget_beginning (self);
}

void
fen_run_log_clear (FenRunLog *self)
{
  gtk_text_buffer_set_text (buffer_of (self), "", 0);
  self->n_shown = 0;
  set_follow (self, TRUE);
}

static void
on_copy (FenRunLog *self)
{
  GtkTextIter start, end;
  gtk_text_buffer_get_bounds (buffer_of (self), &start, &end);
  g_autofree char *text = gtk_text_buffer_get_text (buffer_of (self), &start, &end, FALSE);
  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)), text);
}

/* ---- find ---- */

/* Selects the next match from the selection on, around the end; the same place again when it is the only one. */
static void
find (FenRunLog *self, gboolean forward, gboolean from_here)
{
  const char *needle = gtk_editable_get_text (GTK_EDITABLE (self->search_entry));
  GtkTextBuffer *buffer = buffer_of (self);
  const GtkTextSearchFlags flags = GTK_TEXT_SEARCH_CASE_INSENSITIVE | GTK_TEXT_SEARCH_TEXT_ONLY;
  GtkTextIter from, to, match, match_end;
  gboolean found;

  gtk_label_set_text (GTK_LABEL (self->search_result), "");
  if (*needle == '\0')
    return;
  gtk_text_buffer_get_selection_bounds (buffer, &from, &to);
  if (forward)
    {
      GtkTextIter begin = from_here ? from : to;
      found = gtk_text_iter_forward_search (&begin, needle, flags, &match, &match_end, NULL);
      gtk_text_buffer_get_start_iter (buffer, &begin);
      found = found || gtk_text_iter_forward_search (&begin, needle, flags, &match, &match_end, NULL);
    }
  else
    {
      GtkTextIter begin = from;
      found = gtk_text_iter_backward_search (&begin, needle, flags, &match, &match_end, NULL);
      gtk_text_buffer_get_end_iter (buffer, &begin);
      found = found || gtk_text_iter_backward_search (&begin, needle, flags, &match, &match_end, NULL);
    }
  if (!found)
    {
      gtk_label_set_text (GTK_LABEL (self->search_result), _ ("Not found"));
      return;
    }
  gtk_text_buffer_select_range (buffer, &match, &match_end);
  /* Reading a found line and following the end exclude each other. */
  set_follow (self, FALSE);
  gtk_text_view_scroll_to_mark (GTK_TEXT_VIEW (self->view), gtk_text_buffer_get_insert (buffer), 0.1, FALSE,
                                0, 0);
}

static void
on_search_changed (FenRunLog *self)
{
  find (self, TRUE, TRUE);
}

static void
on_search_next (FenRunLog *self)
{
  find (self, TRUE, FALSE);
}

static void
on_search_previous (FenRunLog *self)
{
  find (self, FALSE, FALSE);
}

/* ---- life ---- */

static void
fen_run_log_dispose (GObject *object)
{
  FenRunLog *self = FEN_RUN_LOG (object);
  GtkWidget *child;
  g_clear_handle_id (&self->settling, g_source_remove);
  /* The scroller moves its adjustment once more when it goes. */
  if (self->scroller != NULL)
    g_signal_handlers_disconnect_by_data (adjustment_of (self), self);
  gtk_widget_dispose_template (GTK_WIDGET (object), FEN_TYPE_RUN_LOG);
  while ((child = gtk_widget_get_first_child (GTK_WIDGET (object))) != NULL)
    gtk_widget_unparent (child);
  G_OBJECT_CLASS (fen_run_log_parent_class)->dispose (object);
}

static void
fen_run_log_class_init (FenRunLogClass *class)
{
  GtkWidgetClass *widget = GTK_WIDGET_CLASS (class);
  G_OBJECT_CLASS (class)->dispose = fen_run_log_dispose;
  gtk_widget_class_set_template_from_resource (widget, "/org/fenestra/Fenestra/run/fen-run-log.ui");
  gtk_widget_class_set_css_name (widget, "fen-run-log");
  gtk_widget_class_bind_template_child (widget, FenRunLog, end_button);
  gtk_widget_class_bind_template_child (widget, FenRunLog, search_bar);
  gtk_widget_class_bind_template_child (widget, FenRunLog, search_entry);
  gtk_widget_class_bind_template_child (widget, FenRunLog, search_result);
  gtk_widget_class_bind_template_child (widget, FenRunLog, scroller);
  gtk_widget_class_bind_template_child (widget, FenRunLog, view);
  gtk_widget_class_bind_template_callback (widget, on_jump_to_end);
  gtk_widget_class_bind_template_callback (widget, on_copy);
  gtk_widget_class_bind_template_callback (widget, on_search_changed);
  gtk_widget_class_bind_template_callback (widget, on_search_next);
  gtk_widget_class_bind_template_callback (widget, on_search_previous);
}

static void
fen_run_log_init (FenRunLog *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->follow = TRUE;
  gtk_search_bar_connect_entry (GTK_SEARCH_BAR (self->search_bar), GTK_EDITABLE (self->search_entry));
  g_signal_connect_object (adjustment_of (self), "changed", G_CALLBACK (on_size_changed), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (adjustment_of (self), "value-changed", G_CALLBACK (on_scrolled), self,
                           G_CONNECT_SWAPPED);
}
