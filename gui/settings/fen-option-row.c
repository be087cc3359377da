/* fen-option-row.c: see fen-option-row-private.h. The controls themselves are made in fen-option-control.c. */
#include "gui/settings/fen-option-row-private.h"

#include <glib/gi18n.h>

#include "gui/settings/fen-option-control-private.h"

struct _FenOptionRow {
  AdwPreferencesRow parent;
  GtkBox *start, *end, *below;
  GtkLabel *title_label, *subtitle, *note, *fact;
  GtkButton *reset;
  GtkMenuButton *info;

  FenSettings *settings;
  const FenOption *option;
  FenOptionControl *control;
  char *default_value;
  char *fact_text, *fact_error;
};

G_DEFINE_FINAL_TYPE (FenOptionRow, fen_option_row, ADW_TYPE_PREFERENCES_ROW)

/* ---- what the row says ---- */

static void
set_class (gpointer widget, const char *name, gboolean on)
{
  if (on)
    gtk_widget_add_css_class (widget, name);
  else
    gtk_widget_remove_css_class (widget, name);
}

static void
show_line (GtkLabel *label, const char *text)
{
  if (g_strcmp0 (gtk_label_get_text (label), text) != 0)
    gtk_label_set_text (label, text != NULL ? text : "");
  gtk_widget_set_visible (GTK_WIDGET (label), text != NULL);
}

gboolean
fen_option_row_is_changed (FenOptionRow *self)
{
  if (fen_settings_get_error (self->settings, self->option) != NULL)
    return TRUE;
  g_autofree char *value = fen_config_get_text (fen_settings_get_config (self->settings), self->option);
  return !g_str_equal (value, self->default_value);
}

/* An empty place instead of no button, so that the entries of a page stay in one line. */
static void
show_reset (FenOptionRow *self)
{
  gboolean changed = fen_option_row_is_changed (self);
  gtk_widget_set_opacity (GTK_WIDGET (self->reset), changed ? 1 : 0);
  gtk_widget_set_sensitive (GTK_WIDGET (self->reset), changed);
  gtk_widget_set_can_target (GTK_WIDGET (self->reset), changed);
}

/* What was found out about the value, or what its 0 means: a placeholder may be too long for its entry. */
static void
show_fact (FenOptionRow *self)
{
  const FenOption *option = self->option;
  if (self->fact_text != NULL || option->zero_means == NULL)
    {
      show_line (self->fact, self->fact_text);
      return;
    }
  g_autofree char *value = fen_config_get_text (fen_settings_get_config (self->settings), option);
  /* TRANSLATORS: %s is what a setting of 0 stands for, like "full attention". */
  g_autofree char *text = g_strdup_printf (_ ("Now: %s"), _ (option->zero_means));
  gboolean zero = g_str_equal (value, "0") && fen_settings_get_error (self->settings, option) == NULL;
  show_line (self->fact, zero ? text : NULL);
}

static void
refresh (FenOptionRow *self)
{
  const char *error = fen_settings_get_error (self->settings, self->option);
  if (error == NULL)
    error = self->fact_error;
  /* What is wrong can be put right: an error keeps the control usable. */
  const char *reason = error == NULL ? fen_settings_get_inactive_reason (self->settings, self->option) : NULL;
  const char *words = error != NULL ? error : reason != NULL ? reason : _ (self->option->help);
  show_line (self->subtitle, words);
  show_line (self->note,
             error == NULL && reason == NULL ? fen_settings_get_note (self->settings, self->option) : NULL);
  set_class (self->subtitle, "error", error != NULL);
  set_class (self->subtitle, "dim-label", error == NULL);
  set_class (self->title_label, "dim-label", reason != NULL);
  set_class (self->fact, "dim-label", reason != NULL);
  gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (self),
                                    self->option->type == FEN_OPTION_BOOLEAN && reason == NULL);
  fen_option_control_update (self->control, error != NULL, reason != NULL);
  show_fact (self);
  show_reset (self);
}

void
fen_option_row_set_fact (FenOptionRow *self, const char *text)
{
  g_return_if_fail (FEN_IS_OPTION_ROW (self));
  if (g_strcmp0 (text, self->fact_text) == 0)
    return;
  g_free (self->fact_text);
  self->fact_text = g_strdup (text);
  show_fact (self);
}

void
fen_option_row_set_fact_error (FenOptionRow *self, const char *text)
{
  g_return_if_fail (FEN_IS_OPTION_ROW (self));
  if (g_strcmp0 (text, self->fact_error) == 0)
    return;
  g_free (self->fact_error);
  self->fact_error = g_strdup (text);
  refresh (self);
}

/* ---- the longer help ---- */

static void
add_paragraph (GtkBox *box, const char *text, const char *css_class)
{
  GtkWidget *label = gtk_label_new (text);
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_max_width_chars (GTK_LABEL (label), 48);
  /* A screen reader reads what can be reached; so can a copy of the text. */
  gtk_label_set_selectable (GTK_LABEL (label), TRUE);
  if (css_class != NULL)
    gtk_widget_add_css_class (label, css_class);
  gtk_box_append (box, label);
}

static void
add_facts_about_option (FenOptionRow *self, GtkBox *box)
{
  const FenConfig *config = fen_settings_get_config (self->settings);
  const FenOption *option = self->option;
  if (option->type != FEN_OPTION_BOOLEAN && option->type != FEN_OPTION_CHOICE)
    {
      g_autofree char *range = fen_option_range_words (option, config->expert, FEN_WORDS_TITLES);
      /* TRANSLATORS: %s is a range or a list, like "0 (full attention) or 256 to 8192 tokens". */
      g_autofree char *line = g_strdup_printf (_ ("Allowed: %s"), range);
      if (*range != '\0')
        add_paragraph (box, line, "dim-label");
    }
  if (*self->default_value != '\0')
    {
      g_autofree char *line = g_strdup_printf (_ ("Default: %s"), self->default_value);
      add_paragraph (box, line, "dim-label");
    }
  /* TRANSLATORS: %s is the setting's name, like window_size. */
  g_autofree char *name = g_strdup_printf (_ ("Name in files and commands: %s"), option->name);
  add_paragraph (box, name, "dim-label");
}

/* Made when it is opened: a page has fifteen of them and the range depends on the expert setting. */
static void
create_info (GtkMenuButton *button, gpointer user_data)
{
  FenOptionRow *self = user_data;
  GtkWidget *popover = gtk_popover_new ();
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  gtk_widget_set_margin_start (box, 6);
  gtk_widget_set_margin_end (box, 6);
  gtk_widget_set_margin_top (box, 6);
  gtk_widget_set_margin_bottom (box, 6);
  add_paragraph (GTK_BOX (box), _ (self->option->help), "heading");
  if (self->option->details != NULL)
    add_paragraph (GTK_BOX (box), _ (self->option->details), NULL);
  add_facts_about_option (self, GTK_BOX (box));
  gtk_popover_set_child (GTK_POPOVER (popover), box);
  gtk_menu_button_set_popover (button, popover);
}

/* ---- what a person does ---- */

static void
on_reset (FenOptionRow *self)
{
  /* The button is about to vanish: the focus goes to what it belongs to. */
  gtk_widget_grab_focus (GTK_WIDGET (self));
  fen_settings_reset (self->settings, self->option);
}

static void
fen_option_row_activate (GtkListBoxRow *row)
{
  FenOptionRow *self = FEN_OPTION_ROW (row);
  if (self->option->type == FEN_OPTION_BOOLEAN)
    gtk_widget_activate (fen_option_row_get_control (self));
}

static void
on_row_activated (FenOptionRow *self, GtkListBoxRow *row)
{
  if (row == GTK_LIST_BOX_ROW (self))
    fen_option_row_activate (row);
}

/* A click on a row reaches its list, not the row. */
static void
fen_option_row_root (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (fen_option_row_parent_class)->root (widget);
  GtkWidget *list = gtk_widget_get_parent (widget);
  if (GTK_IS_LIST_BOX (list))
    g_signal_connect_object (list, "row-activated", G_CALLBACK (on_row_activated), widget, G_CONNECT_SWAPPED);
}

static void
fen_option_row_unroot (GtkWidget *widget)
{
  GtkWidget *list = gtk_widget_get_parent (widget);
  if (list != NULL)
    g_signal_handlers_disconnect_by_func (list, on_row_activated, widget);
  GTK_WIDGET_CLASS (fen_option_row_parent_class)->unroot (widget);
}

/* Tab goes from control to control: a stop on the row itself would say the same thing twice. */
static gboolean
fen_option_row_focus (GtkWidget *widget, GtkDirectionType direction)
{
  GtkWidget *child = gtk_list_box_row_get_child (GTK_LIST_BOX_ROW (widget));
  return child != NULL && gtk_widget_child_focus (child, direction);
}

static gboolean
fen_option_row_grab_focus (GtkWidget *widget)
{
  FenOptionRow *self = FEN_OPTION_ROW (widget);
  GtkWidget *control = fen_option_row_get_control (self);
  if (gtk_widget_is_sensitive (control))
    return gtk_widget_grab_focus (control);
  return gtk_widget_grab_focus (GTK_WIDGET (self->info));
}

/* ---- object ---- */

static void
fen_option_row_dispose (GObject *object)
{
  FenOptionRow *self = FEN_OPTION_ROW (object);
  if (self->settings != NULL)
    g_signal_handlers_disconnect_by_data (self->settings, self);
  g_clear_pointer (&self->control, fen_option_control_free);
  if (self->info != NULL)
    gtk_menu_button_set_create_popup_func (self->info, NULL, NULL, NULL);
  gtk_widget_dispose_template (GTK_WIDGET (self), FEN_TYPE_OPTION_ROW);
  g_clear_object (&self->settings);
  G_OBJECT_CLASS (fen_option_row_parent_class)->dispose (object);
}

static void
fen_option_row_finalize (GObject *object)
{
  FenOptionRow *self = FEN_OPTION_ROW (object);
  g_free (self->default_value);
  g_free (self->fact_text);
  g_free (self->fact_error);
  G_OBJECT_CLASS (fen_option_row_parent_class)->finalize (object);
}

static void
fen_option_row_class_init (FenOptionRowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = fen_option_row_dispose;
  G_OBJECT_CLASS (klass)->finalize = fen_option_row_finalize;
  widget_class->root = fen_option_row_root;
  widget_class->unroot = fen_option_row_unroot;
  widget_class->focus = fen_option_row_focus;
  widget_class->grab_focus = fen_option_row_grab_focus;
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/org/fenestra/Fenestra/settings/fen-option-row.ui");
  gtk_widget_class_bind_template_child (widget_class, FenOptionRow, start);
  gtk_widget_class_bind_template_child (widget_class, FenOptionRow, end);
  gtk_widget_class_bind_template_child (widget_class, FenOptionRow, below);
  gtk_widget_class_bind_template_child (widget_class, FenOptionRow, title_label);
  gtk_widget_class_bind_template_child (widget_class, FenOptionRow, subtitle);
  gtk_widget_class_bind_template_child (widget_class, FenOptionRow, note);
  gtk_widget_class_bind_template_child (widget_class, FenOptionRow, fact);
  gtk_widget_class_bind_template_child (widget_class, FenOptionRow, reset);
  gtk_widget_class_bind_template_child (widget_class, FenOptionRow, info);
  gtk_widget_class_bind_template_callback (widget_class, on_reset);
}

static void
fen_option_row_init (FenOptionRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

/* A screen reader on the control reads title, value, and help, reason or error. */
static void
tie_words_to_control (FenOptionRow *self)
{
  GtkWidget *control = fen_option_row_get_control (self);
  gtk_accessible_update_relation (GTK_ACCESSIBLE (control), GTK_ACCESSIBLE_RELATION_LABELLED_BY,
                                  self->title_label, NULL, GTK_ACCESSIBLE_RELATION_DESCRIBED_BY,
                                  self->subtitle, self->note, self->fact, NULL, -1);
  gtk_accessible_update_relation (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_RELATION_LABELLED_BY,
                                  self->title_label, NULL, -1);
}

static void
name_buttons (FenOptionRow *self)
{
  const char *title = _ (self->option->title);
  /* TRANSLATORS: %s is a setting's title. */
  g_autofree char *reset = g_strdup_printf (_ ("Reset %s to the Default"), title);
  g_autofree char *info = g_strdup_printf (_ ("About %s"), title);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->reset), reset);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->info), info);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->reset), GTK_ACCESSIBLE_PROPERTY_LABEL, reset, -1);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->info), GTK_ACCESSIBLE_PROPERTY_LABEL, info, -1);
}

GtkWidget *
fen_option_row_new (FenSettings *settings, const FenOption *option)
{
  g_return_val_if_fail (FEN_IS_SETTINGS (settings) && option != NULL, NULL);
  FenOptionRow *self = g_object_new (FEN_TYPE_OPTION_ROW, NULL);
  self->settings = g_object_ref (settings);
  self->option = option;
  g_autoptr (FenConfig) defaults = fen_config_new ();
  self->default_value = fen_config_get_text (defaults, option);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self), _ (option->title));
  gtk_label_set_text (self->title_label, _ (option->title));
  self->control = fen_option_control_new (settings, option);
  GtkBox *place = option->type == FEN_OPTION_BOOLEAN           ? self->start
                  : fen_option_control_is_wide (self->control) ? self->below
                                                               : self->end;
  gtk_box_append (place, fen_option_control_get_box (self->control));
  gtk_widget_set_visible (GTK_WIDGET (place), TRUE);
  tie_words_to_control (self);
  name_buttons (self);
  gtk_menu_button_set_create_popup_func (self->info, create_info, self, NULL);
  g_signal_connect_object (settings, "changed", G_CALLBACK (refresh), self, G_CONNECT_SWAPPED);
  refresh (self);
  return GTK_WIDGET (self);
}

const FenOption *
fen_option_row_get_option (FenOptionRow *self)
{
  g_return_val_if_fail (FEN_IS_OPTION_ROW (self), NULL);
  return self->option;
}

GtkWidget *
fen_option_row_get_control (FenOptionRow *self)
{
  g_return_val_if_fail (FEN_IS_OPTION_ROW (self), NULL);
  return fen_option_control_get_widget (self->control);
}

void
fen_option_row_set_placeholder (FenOptionRow *self, const char *text)
{
  fen_option_control_set_placeholder (self->control, text);
}

void
fen_option_row_add_suggestion (FenOptionRow *self, const char *value, const char *title,
                               const char *description)
{
  fen_option_control_add_suggestion (self->control, value, title, description);
}
