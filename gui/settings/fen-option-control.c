/* fen-option-control.c: see fen-option-control-private.h. */
#include "gui/settings/fen-option-control-private.h"

#include <adwaita.h>
#include <glib/gi18n.h>

/* All controls at the end of a row are equally wide and so are the units behind them: their edges are lines. */
#define CONTROL_WIDTH 220
#define ENTRY_CHARS 6
#define UNIT_CHARS 9
#define LIST_HEIGHT 320

typedef struct {
  char *value, *title, *description;
} Suggestion;

struct _FenOptionControl {
  FenSettings *settings; /* owned */
  const FenOption *option;
  GtkWidget *box;    /* owned; the rest is in it */
  GtkWidget *linked; /* the control and what belongs to it */
  GtkWidget *widget;
  GtkWidget *suggest;     /* the menu button, or NULL */
  GPtrArray *suggestions; /* Suggestion */
  GtkFileChooserNative *chooser;
  gulong handler; /* of the widget's own signal, blocked while the settings are shown */
};

static void
suggestion_free (Suggestion *suggestion)
{
  g_free (suggestion->value);
  g_free (suggestion->title);
  g_free (suggestion->description);
  g_free (suggestion);
}

/* ---- what a person does ---- */

static void
on_toggled (FenOptionControl *self)
{
  fen_settings_set_boolean (self->settings, self->option,
                            gtk_check_button_get_active (GTK_CHECK_BUTTON (self->widget)));
}

static void
on_typed (FenOptionControl *self)
{
  fen_settings_set_text (self->settings, self->option, gtk_editable_get_text (GTK_EDITABLE (self->widget)));
}

static void
on_chosen (FenOptionControl *self)
{
  guint choice = gtk_drop_down_get_selected (GTK_DROP_DOWN (self->widget));
  if (choice != GTK_INVALID_LIST_POSITION)
    fen_settings_set_text (self->settings, self->option, self->option->choices[choice]);
}

/* ---- suggestions ---- */

static void
on_suggestion (FenOptionControl *self, GtkListBoxRow *row)
{
  const Suggestion *suggestion = g_object_get_data (G_OBJECT (row), "suggestion");
  gtk_menu_button_popdown (GTK_MENU_BUTTON (self->suggest));
  gtk_editable_set_text (GTK_EDITABLE (self->widget), suggestion->value);
}

static GtkWidget *
suggestion_row_new (const Suggestion *suggestion)
{
  GtkWidget *row = gtk_list_box_row_new (), *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 3);
  GtkWidget *title = gtk_label_new (suggestion->title);
  gtk_label_set_xalign (GTK_LABEL (title), 0);
  gtk_widget_set_margin_start (box, 6);
  gtk_widget_set_margin_end (box, 6);
  gtk_widget_set_margin_top (box, 6);
  gtk_widget_set_margin_bottom (box, 6);
  gtk_box_append (GTK_BOX (box), title);
  gtk_accessible_update_relation (GTK_ACCESSIBLE (row), GTK_ACCESSIBLE_RELATION_LABELLED_BY, title, NULL, -1);
  if (suggestion->description != NULL)
    {
      GtkWidget *label = gtk_label_new (suggestion->description);
      gtk_label_set_xalign (GTK_LABEL (label), 0);
      gtk_label_set_wrap (GTK_LABEL (label), TRUE);
      gtk_label_set_max_width_chars (GTK_LABEL (label), 44);
      gtk_widget_add_css_class (label, "caption");
      gtk_widget_add_css_class (label, "dim-label");
      gtk_box_append (GTK_BOX (box), label);
      gtk_accessible_update_relation (GTK_ACCESSIBLE (row), GTK_ACCESSIBLE_RELATION_DESCRIBED_BY, label, NULL,
                                      -1);
    }
  gtk_list_box_row_set_child (GTK_LIST_BOX_ROW (row), box);
  g_object_set_data (G_OBJECT (row), "suggestion", (gpointer)suggestion);
  return row;
}

static void
create_suggestions (GtkMenuButton *button, gpointer user_data)
{
  FenOptionControl *self = user_data;
  if (gtk_menu_button_get_popover (button) != NULL)
    return;
  GtkWidget *popover = gtk_popover_new (), *scroller = gtk_scrolled_window_new (),
            *list = gtk_list_box_new ();
  gtk_list_box_set_selection_mode (GTK_LIST_BOX (list), GTK_SELECTION_NONE);
  for (guint i = 0; i < self->suggestions->len; i++)
    gtk_list_box_append (GTK_LIST_BOX (list), suggestion_row_new (g_ptr_array_index (self->suggestions, i)));
  g_signal_connect_swapped (list, "row-activated", G_CALLBACK (on_suggestion), self);
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroller), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_propagate_natural_height (GTK_SCROLLED_WINDOW (scroller), TRUE);
  gtk_scrolled_window_set_propagate_natural_width (GTK_SCROLLED_WINDOW (scroller), TRUE);
  gtk_scrolled_window_set_max_content_height (GTK_SCROLLED_WINDOW (scroller), LIST_HEIGHT);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scroller), list);
  gtk_popover_set_child (GTK_POPOVER (popover), scroller);
  gtk_widget_add_css_class (popover, "menu");
  gtk_menu_button_set_popover (button, popover);
}

static void
add_suggest_button (FenOptionControl *self)
{
  /* TRANSLATORS: %s is a setting's title. */
  g_autofree char *name = g_strdup_printf (_ ("Suggestions for %s"), _ (self->option->title));
  self->suggest = gtk_menu_button_new ();
  gtk_menu_button_set_icon_name (GTK_MENU_BUTTON (self->suggest), "pan-down-symbolic");
  gtk_widget_set_tooltip_text (self->suggest, name);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->suggest), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  gtk_menu_button_set_create_popup_func (GTK_MENU_BUTTON (self->suggest), create_suggestions, self, NULL);
  gtk_box_append (GTK_BOX (self->linked), self->suggest);
}

void
fen_option_control_add_suggestion (FenOptionControl *self, const char *value, const char *title,
                                   const char *description)
{
  g_return_if_fail (GTK_IS_ENTRY (self->widget));
  Suggestion *suggestion = g_new0 (Suggestion, 1);
  suggestion->value = g_strdup (value);
  suggestion->title = g_strdup (title);
  suggestion->description = g_strdup (description);
  g_ptr_array_add (self->suggestions, suggestion);
  if (self->suggest == NULL)
    add_suggest_button (self);
  else
    gtk_menu_button_set_popover (GTK_MENU_BUTTON (self->suggest), NULL); /* a list that was shown is made anew */
}

/* ---- files ---- */

static void
on_file (FenOptionControl *self, int response)
{
  g_autoptr (GFile) file = NULL;
  if (response == GTK_RESPONSE_ACCEPT)
    file = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (self->chooser));
  g_autofree char *path = file != NULL ? g_file_get_path (file) : NULL;
  /* Settings are UTF-8; a name that is not cannot be written into them. */
  if (path != NULL && g_utf8_validate (path, -1, NULL))
    gtk_editable_set_text (GTK_EDITABLE (self->widget), path);
  g_clear_object (&self->chooser);
}

static void
on_choose (FenOptionControl *self, GtkWidget *button)
{
  GtkFileChooserAction action = GPOINTER_TO_INT (g_object_get_data (G_OBJECT (button), "action"));
  GtkRoot *root = gtk_widget_get_root (self->box);
  if (self->chooser != NULL)
    {
      gtk_native_dialog_destroy (GTK_NATIVE_DIALOG (self->chooser));
      g_clear_object (&self->chooser);
    }
  self->chooser
      = gtk_file_chooser_native_new (_ (self->option->title), GTK_IS_WINDOW (root) ? GTK_WINDOW (root) : NULL,
                                     action, _ ("Choose"), _ ("Cancel"));
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (self->chooser), TRUE);
  const char *path = gtk_editable_get_text (GTK_EDITABLE (self->widget));
  if (g_path_is_absolute (path))
    {
      g_autoptr (GFile) file = g_file_new_for_path (path);
      gtk_file_chooser_set_file (GTK_FILE_CHOOSER (self->chooser), file, NULL);
    }
  g_signal_connect_swapped (self->chooser, "response", G_CALLBACK (on_file), self);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (self->chooser));
}

static void
add_chooser (FenOptionControl *self, GtkFileChooserAction action)
{
  gboolean folder = action == GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER;
  GtkWidget *button
      = gtk_button_new_from_icon_name (folder ? "folder-open-symbolic" : "document-open-symbolic");
  /* TRANSLATORS: %s is a setting's title, like Dataset. */
  g_autofree char *name = g_strdup_printf (
      folder ? _ ("Choose a Folder for %s…") : _ ("Choose a File for %s…"), _ (self->option->title));
  gtk_widget_set_tooltip_text (button, name);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  g_object_set_data (G_OBJECT (button), "action", GINT_TO_POINTER (action));
  g_signal_connect_swapped (button, "clicked", G_CALLBACK (on_choose), self);
  gtk_box_append (GTK_BOX (self->box), button);
}

/* What the table says that the text may be the path of. */
static void
add_choosers (FenOptionControl *self)
{
  if (self->option->path & FEN_PATH_OPEN_FILE)
    add_chooser (self, GTK_FILE_CHOOSER_ACTION_OPEN);
  if (self->option->path & (FEN_PATH_OPEN_FOLDER | FEN_PATH_MAKE_FOLDER))
    add_chooser (self, GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER);
  if (self->option->path & FEN_PATH_SAVE_FILE)
    add_chooser (self, GTK_FILE_CHOOSER_ACTION_SAVE);
}

/* ---- making ---- */

static GtkWidget *
entry_new (FenOptionControl *self)
{
  GtkWidget *entry = gtk_entry_new ();
  const FenOption *option = self->option;
  gtk_widget_set_hexpand (entry, TRUE);
  gtk_editable_set_width_chars (GTK_EDITABLE (entry), ENTRY_CHARS);
  gtk_editable_set_max_width_chars (GTK_EDITABLE (entry), ENTRY_CHARS);
  if (option->zero_means != NULL)
    gtk_entry_set_placeholder_text (GTK_ENTRY (entry), _ (option->zero_means));
  if (option->type == FEN_OPTION_INT)
    gtk_entry_set_input_purpose (GTK_ENTRY (entry), GTK_INPUT_PURPOSE_DIGITS);
  gtk_widget_add_css_class (entry, "numeric");
  self->handler = g_signal_connect_swapped (entry, "changed", G_CALLBACK (on_typed), self);
  return entry;
}

static GtkWidget *
drop_down_new (FenOptionControl *self)
{
  g_autoptr (GtkStringList) titles = gtk_string_list_new (NULL);
  for (guint i = 0; self->option->choices[i] != NULL; i++)
    gtk_string_list_append (titles, _ (self->option->choice_titles[i]));
  GtkWidget *drop_down = gtk_drop_down_new (G_LIST_MODEL (g_steal_pointer (&titles)), NULL);
  gtk_widget_set_hexpand (drop_down, TRUE);
  self->handler = g_signal_connect_swapped (drop_down, "notify::selected", G_CALLBACK (on_chosen), self);
  return drop_down;
}

static GtkWidget *
check_new (FenOptionControl *self)
{
  GtkWidget *check = gtk_check_button_new ();
  self->handler = g_signal_connect_swapped (check, "toggled", G_CALLBACK (on_toggled), self);
  return check;
}

/* Also without a unit, for the line that the controls make. */
static void
add_unit (FenOptionControl *self)
{
  GtkWidget *unit = gtk_label_new (self->option->unit != NULL ? _ (self->option->unit) : NULL);
  gtk_widget_add_css_class (unit, "dim-label");
  gtk_widget_add_css_class (unit, "caption");
  gtk_label_set_xalign (GTK_LABEL (unit), 0);
  gtk_label_set_width_chars (GTK_LABEL (unit), UNIT_CHARS);
  gtk_box_append (GTK_BOX (self->box), unit);
}

static GtkWidget *
widget_new (FenOptionControl *self)
{
  if (self->option->type == FEN_OPTION_BOOLEAN)
    return check_new (self);
  if (self->option->type == FEN_OPTION_CHOICE)
    return drop_down_new (self);
  return entry_new (self);
}

FenOptionControl *
fen_option_control_new (FenSettings *settings, const FenOption *option)
{
  FenOptionControl *self = g_new0 (FenOptionControl, 1);
  self->settings = g_object_ref (settings);
  self->option = option;
  self->suggestions = g_ptr_array_new_with_free_func ((GDestroyNotify)suggestion_free);
  self->box = g_object_ref_sink (gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6));
  self->linked = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0);
  self->widget = widget_new (self);
  gtk_box_append (GTK_BOX (self->linked), self->widget);
  if (option->type == FEN_OPTION_BOOLEAN)
    {
      gtk_box_append (GTK_BOX (self->box), self->linked);
      return self;
    }
  gtk_widget_add_css_class (self->linked, "linked");
  /* Set in any case: otherwise the entry's own wish to fill its box would reach the row. */
  gtk_widget_set_hexpand (self->linked, fen_option_control_is_wide (self));
  if (fen_option_control_is_wide (self))
    gtk_box_append (GTK_BOX (self->box), self->linked);
  else
    {
      /* No wider either, whatever a placeholder would like. */
      GtkWidget *clamp = g_object_new (ADW_TYPE_CLAMP, "maximum-size", CONTROL_WIDTH, "tightening-threshold",
                                       CONTROL_WIDTH, NULL);
      gtk_widget_set_size_request (self->linked, CONTROL_WIDTH, -1);
      adw_clamp_set_child (ADW_CLAMP (clamp), self->linked);
      gtk_box_append (GTK_BOX (self->box), clamp);
      add_unit (self);
    }
  add_choosers (self);
  return self;
}

void
fen_option_control_free (FenOptionControl *self)
{
  g_signal_handler_disconnect (self->widget, self->handler);
  if (self->suggest != NULL)
    gtk_menu_button_set_create_popup_func (GTK_MENU_BUTTON (self->suggest), NULL, NULL, NULL);
  if (self->chooser != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->chooser, self);
      gtk_native_dialog_destroy (GTK_NATIVE_DIALOG (self->chooser));
    }
  g_clear_object (&self->chooser);
  g_clear_object (&self->box);
  g_clear_object (&self->settings);
  g_ptr_array_unref (self->suggestions);
  g_free (self);
}

GtkWidget *
fen_option_control_get_box (FenOptionControl *self)
{
  return self->box;
}

GtkWidget *
fen_option_control_get_widget (FenOptionControl *self)
{
  return self->widget;
}

gboolean
fen_option_control_is_wide (FenOptionControl *self)
{
  return self->option->path != 0;
}

void
fen_option_control_set_placeholder (FenOptionControl *self, const char *text)
{
  g_return_if_fail (GTK_IS_ENTRY (self->widget));
  gtk_entry_set_placeholder_text (GTK_ENTRY (self->widget), text);
}

/* ---- what the settings have ---- */

/* A 0 that means something else than the number is shown as an empty entry, whose placeholder says what it means; a 0
 * that was typed stays. */
static void
show_text (FenOptionControl *self)
{
  const char *text = fen_settings_get_text (self->settings, self->option);
  const char *shown = gtk_editable_get_text (GTK_EDITABLE (self->widget));
  if (g_str_equal (shown, text))
    return;
  if (self->option->zero_means != NULL && g_str_equal (text, "0"))
    text = "";
  if (!g_str_equal (shown, text))
    gtk_editable_set_text (GTK_EDITABLE (self->widget), text);
}

static void
show_entry (FenOptionControl *self, gboolean error)
{
  show_text (self);
  if (error)
    gtk_widget_add_css_class (self->widget, "error");
  else
    gtk_widget_remove_css_class (self->widget, "error");
  gtk_entry_set_icon_from_icon_name (GTK_ENTRY (self->widget), GTK_ENTRY_ICON_SECONDARY,
                                     error ? "dialog-error-symbolic" : NULL);
  gtk_entry_set_icon_activatable (GTK_ENTRY (self->widget), GTK_ENTRY_ICON_SECONDARY, FALSE);
}

static void
show_choice (FenOptionControl *self)
{
  g_autofree char *value = fen_config_get_text (fen_settings_get_config (self->settings), self->option);
  for (guint i = 0; self->option->choices[i] != NULL; i++)
    if (g_str_equal (value, self->option->choices[i]))
      gtk_drop_down_set_selected (GTK_DROP_DOWN (self->widget), i);
}

void
fen_option_control_update (FenOptionControl *self, gboolean error, gboolean inactive)
{
  g_signal_handler_block (self->widget, self->handler);
  if (self->option->type == FEN_OPTION_BOOLEAN)
    gtk_check_button_set_active (GTK_CHECK_BUTTON (self->widget),
                                 fen_settings_get_boolean (self->settings, self->option));
  else if (self->option->type == FEN_OPTION_CHOICE)
    show_choice (self);
  else
    show_entry (self, error);
  g_signal_handler_unblock (self->widget, self->handler);
  gtk_widget_set_sensitive (self->box, !inactive);
  gtk_accessible_update_state (GTK_ACCESSIBLE (self->widget), GTK_ACCESSIBLE_STATE_INVALID,
                               error ? GTK_ACCESSIBLE_INVALID_TRUE : GTK_ACCESSIBLE_INVALID_FALSE, -1);
}
