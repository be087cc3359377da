/* fen-settings-dialog.c: Training Settings (see fen-settings-dialog.h): the window around the pages. The pages are made
 * in fen-settings-pages.c, files are read and written in fen-settings-files.c; here are the foot (planned memory, Start
 * and what blocks it), the menu and the messages. Errors stand in the window, in words, until they are closed. */
#include "gui/settings/fen-settings-dialog-private.h"

#include <glib/gi18n.h>

#include "gui/settings/fen-advice-box-private.h"
#include "gui/settings/fen-plan-bar.h"
#include "gui/settings/fen-settings-files-private.h"
#include "gui/settings/fen-settings-pages-private.h"

/* Kept free around a row that is gone to, in pixels; how long libadwaita's expander takes. */
#define ROW_MARGIN 12
#define EXPANDING_MS 300

struct _FenSettingsDialog {
  AdwWindow parent;
  GtkStack *stack;
  GtkWidget *switcher;
  AdwToastOverlay *toasts;
  GtkRevealer *problem_revealer;
  GtkLabel *problem, *blocker_label;
  GtkButton *blocker, *start_button;
  GtkWidget *blocker_arrow;
  GtkBox *foot;
  GMenu *presets;

  FenSettings *settings;
  FenSettingsFacts *facts;
  FenSettingsPages pages;
  char *blocked;          /* the reason from outside, or NULL */
  const FenOption *blame; /* the option that blocks Start, or NULL */
  FenConfig *before;      /* what Undo brings back, or NULL */
  GCancellable *cancellable;
  GtkFileChooserNative *chooser; /* while it is open */
};

G_DEFINE_FINAL_TYPE (FenSettingsDialog, fen_settings_dialog, ADW_TYPE_WINDOW)

enum { SIGNAL_START, N_SIGNALS };
static guint signals[N_SIGNALS];

/* ---- Start and what blocks it ---- */

/* The first of: the reason from outside, the settings, the model, the dataset, the plan. */
static const char *
find_blocker (FenSettingsDialog *self, const FenOption **option)
{
  *option = NULL;
  if (self->blocked != NULL)
    return self->blocked;
  const char *reason = fen_settings_get_blocker (self->settings, option);
  if (reason != NULL)
    return reason;
  reason = fen_settings_facts_get_model_error (self->facts);
  *option = fen_config_find_option ("model");
  if (reason != NULL)
    return reason;
  reason = fen_settings_facts_get_dataset_error (self->facts);
  *option = fen_config_find_option ("dataset_file");
  if (reason != NULL)
    return reason;
  return fen_settings_facts_get_plan_error (self->facts, option);
}

static void
update_start (FenSettingsDialog *self)
{
  const char *reason = find_blocker (self, &self->blame);
  const FenOption *option
      = fen_settings_pages_find_row (&self->pages, self->blame != NULL ? self->blame->name : "") != NULL
            ? self->blame
            : NULL;
  self->blame = option;
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "settings.start", reason == NULL);
  gtk_label_set_text (self->blocker_label, reason != NULL ? reason : "");
  gtk_widget_set_visible (GTK_WIDGET (self->blocker), reason != NULL);
  gtk_widget_set_visible (self->blocker_arrow, option != NULL);
  gtk_widget_set_sensitive (GTK_WIDGET (self->blocker), option != NULL);
  /* TRANSLATORS: %s is a setting's title. */
  g_autofree char *show = option != NULL ? g_strdup_printf (_ ("Show %s"), _ (option->title)) : NULL;
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->blocker), show);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->start_button), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                  reason != NULL ? reason : "", -1);
}

static void
update (FenSettingsDialog *self)
{
  gboolean whole = fen_settings_get_blocker (self->settings, NULL) == NULL;
  fen_settings_pages_update (&self->pages);
  fen_settings_extras_update (&self->pages, self->settings, self->facts);
  update_start (self);
  /* An entry that is not valid would be left out of a file or a command without a word. */
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "settings.save", whole);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "settings.copy-command", whole);
}

static void
start_action (GtkWidget *widget, const char *name, GVariant *parameter)
{
  g_signal_emit (widget, signals[SIGNAL_START], 0);
}

static void
on_blocker (FenSettingsDialog *self)
{
  if (self->blame != NULL)
    fen_settings_dialog_show_option (self, self->blame->name);
}

/* ---- messages ---- */

static void
show_problem (FenSettingsDialog *self, const char *text)
{
  gtk_label_set_text (self->problem, text != NULL ? text : "");
  gtk_revealer_set_reveal_child (self->problem_revealer, text != NULL);
}

static void
on_problem_closed (FenSettingsDialog *self)
{
  show_problem (self, NULL);
  gtk_widget_child_focus (GTK_WIDGET (self->stack), GTK_DIR_TAB_FORWARD);
}

/* `undo`: the toast offers to bring `before` back. */
static void
show_toast (FenSettingsDialog *self, const char *text, gboolean undo)
{
  AdwToast *toast = adw_toast_new (text);
  if (undo)
    {
      adw_toast_set_button_label (toast, _ ("_Undo"));
      adw_toast_set_action_name (toast, "settings.undo");
    }
  adw_toast_overlay_add_toast (self->toasts, toast);
}

static void
replace_settings (FenSettingsDialog *self, const FenConfig *config, const char *text)
{
  FenConfig *before = fen_config_copy (fen_settings_get_config (self->settings));
  g_clear_pointer (&self->before, fen_config_free);
  self->before = before;
  show_problem (self, NULL);
  fen_settings_set_config (self->settings, config);
  show_toast (self, text, TRUE);
}

static void
undo_action (GtkWidget *widget, const char *name, GVariant *parameter)
{
  FenSettingsDialog *self = FEN_SETTINGS_DIALOG (widget);
  g_autoptr (FenConfig) before = g_steal_pointer (&self->before);
  if (before != NULL)
    fen_settings_set_config (self->settings, before);
}

/* ---- files ---- */

static void
on_loaded (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (FenSettingsDialog) self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (FenConfig) config = fen_settings_file_load_finish (result, &error);
  g_autofree char *name = g_path_get_basename (fen_settings_file_path (result));
  g_autofree char *shown = g_filename_display_name (name);
  if (self->settings == NULL || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  /* TRANSLATORS: %s is a file's name. */
  g_autofree char *text = g_strdup_printf (_ ("%s loaded"), shown);
  if (config != NULL)
    replace_settings (self, config, text);
  else
    show_problem (self, error->message);
}

void
fen_settings_dialog_load_file (FenSettingsDialog *self, const char *path)
{
  fen_settings_file_load_async (path, self->cancellable, on_loaded, g_object_ref (self));
}

static void
on_saved (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (FenSettingsDialog) self = user_data;
  g_autoptr (GError) error = NULL;
  gboolean ok = fen_settings_file_save_finish (result, &error);
  g_autofree char *name = g_path_get_basename (fen_settings_file_path (result));
  g_autofree char *shown = g_filename_display_name (name);
  if (self->settings == NULL)
    return;
  /* TRANSLATORS: %s is a file's name. */
  g_autofree char *text = g_strdup_printf (_ ("Saved as %s"), shown);
  show_problem (self, ok ? NULL : error->message);
  if (ok)
    show_toast (self, text, FALSE);
}

void
fen_settings_dialog_save_file (FenSettingsDialog *self, const char *path)
{
  const char *blocker = fen_settings_get_blocker (self->settings, NULL);
  if (blocker != NULL)
    show_problem (self, blocker);
  else
    fen_settings_file_save_async (fen_settings_get_config (self->settings), path, NULL, on_saved,
                                  g_object_ref (self));
}

static void
on_file (FenSettingsDialog *self, int response)
{
  GtkFileChooserAction action = gtk_file_chooser_get_action (GTK_FILE_CHOOSER (self->chooser));
  g_autoptr (GFile) file
      = response == GTK_RESPONSE_ACCEPT ? gtk_file_chooser_get_file (GTK_FILE_CHOOSER (self->chooser)) : NULL;
  g_autofree char *path = file != NULL ? g_file_get_path (file) : NULL;
  g_clear_object (&self->chooser);
  if (file != NULL && path == NULL)
    show_problem (self, _ ("Only files on this machine can be used"));
  else if (path != NULL && action == GTK_FILE_CHOOSER_ACTION_OPEN)
    fen_settings_dialog_load_file (self, path);
  else if (path != NULL)
    fen_settings_dialog_save_file (self, path);
}

static void
choose_file (FenSettingsDialog *self, GtkFileChooserAction action)
{
  gboolean saves = action == GTK_FILE_CHOOSER_ACTION_SAVE;
  g_autoptr (GtkFileFilter) filter = gtk_file_filter_new ();
  if (self->chooser != NULL)
    return;
  self->chooser = gtk_file_chooser_native_new (saves ? _ ("Save Configuration") : _ ("Load Configuration"),
                                               GTK_WINDOW (self), action, saves ? _ ("_Save") : _ ("_Load"),
                                               _ ("_Cancel"));
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (self->chooser), TRUE);
  gtk_file_filter_set_name (filter, _ ("Configurations"));
  gtk_file_filter_add_pattern (filter, "*.json");
  gtk_file_chooser_add_filter (GTK_FILE_CHOOSER (self->chooser), filter);
  if (saves)
    gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (self->chooser), "fenestra.json");
  g_signal_connect_swapped (self->chooser, "response", G_CALLBACK (on_file), self);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (self->chooser));
}

static void
load_action (GtkWidget *widget, const char *name, GVariant *parameter)
{
  choose_file (FEN_SETTINGS_DIALOG (widget), GTK_FILE_CHOOSER_ACTION_OPEN);
}

static void
save_action (GtkWidget *widget, const char *name, GVariant *parameter)
{
  choose_file (FEN_SETTINGS_DIALOG (widget), GTK_FILE_CHOOSER_ACTION_SAVE);
}

static void
preset_action (GtkWidget *widget, const char *name, GVariant *parameter)
{
  FenSettingsDialog *self = FEN_SETTINGS_DIALOG (widget);
  g_autofree char *path = fen_settings_preset_path (g_variant_get_string (parameter, NULL));
  if (path != NULL)
    fen_settings_dialog_load_file (self, path);
  else
    show_problem (self, _ ("This preset is not there any more"));
}

static void
on_presets (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (FenSettingsDialog) self = user_data;
  g_autoptr (GPtrArray) names = fen_settings_presets_finish (result, NULL);
  for (guint i = 0; names != NULL && self->presets != NULL && i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autoptr (GMenuItem) item = g_menu_item_new (name, NULL);
      g_menu_item_set_action_and_target (item, "settings.preset", "s", name);
      g_menu_append_item (self->presets, item);
    }
}

/* ---- menu ---- */

static void
copy_command_action (GtkWidget *widget, const char *name, GVariant *parameter)
{
  FenSettingsDialog *self = FEN_SETTINGS_DIALOG (widget);
  g_autofree char *command = fen_settings_command_line (self->settings);
  gdk_clipboard_set_text (gtk_widget_get_clipboard (widget), command);
  show_toast (self, _ ("Command copied"), FALSE);
}

/* The ranges are the application's preference, not one of this dialog's settings: they stay. */
static void
reset_all_action (GtkWidget *widget, const char *name, GVariant *parameter)
{
  FenSettingsDialog *self = FEN_SETTINGS_DIALOG (widget);
  g_autoptr (FenConfig) defaults = fen_config_new ();
  defaults->expert = fen_settings_get_config (self->settings)->expert;
  replace_settings (self, defaults, _ ("All settings are at their defaults"));
}

/* ---- finding rows ---- */

/* With large text the pages' buttons have no room beside each other: that of the page comes into view. It is not pressed
 * yet when this is called, so it is found by its place. */
static void
on_page_changed (FenSettingsDialog *self)
{
  GtkWidget *scroller = gtk_widget_get_ancestor (self->switcher, GTK_TYPE_SCROLLED_WINDOW);
  GtkAdjustment *adjustment = gtk_scrolled_window_get_hadjustment (GTK_SCROLLED_WINDOW (scroller));
  GtkWidget *button = gtk_widget_get_first_child (self->switcher);
  GtkWidget *page = gtk_widget_get_first_child (GTK_WIDGET (self->stack));
  graphene_rect_t bounds;
  while (button != NULL && page != NULL && page != gtk_stack_get_visible_child (self->stack))
    {
      button = gtk_widget_get_next_sibling (button);
      page = gtk_widget_get_next_sibling (page);
    }
  if (button != NULL && gtk_widget_compute_bounds (button, self->switcher, &bounds))
    gtk_adjustment_clamp_page (adjustment, bounds.origin.x, (double)bounds.origin.x + bounds.size.width);
}

void
fen_settings_dialog_show_page (FenSettingsDialog *self, const char *page)
{
  g_return_if_fail (FEN_IS_SETTINGS_DIALOG (self) && page != NULL);
  if (gtk_stack_get_child_by_name (self->stack, page) != NULL)
    gtk_stack_set_visible_child_name (self->stack, page);
}

/* The whole row with its words and a margin: GTK's own scrolling stops at the focused entry. */
static gboolean
scroll_to_row (gpointer row)
{
  GtkWidget *scroller = gtk_widget_get_ancestor (row, GTK_TYPE_SCROLLED_WINDOW);
  GtkWidget *content
      = scroller != NULL ? gtk_scrolled_window_get_child (GTK_SCROLLED_WINDOW (scroller)) : NULL;
  graphene_rect_t place;
  if (content == NULL || !gtk_widget_get_mapped (row)
      || !gtk_widget_compute_bounds (row, gtk_widget_get_first_child (content), &place))
    return G_SOURCE_REMOVE;
  gtk_adjustment_clamp_page (gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (scroller)),
                             place.origin.y - ROW_MARGIN, place.origin.y + place.size.height + ROW_MARGIN);
  return G_SOURCE_REMOVE;
}

static gboolean
focus_row (gpointer row)
{
  gtk_widget_grab_focus (row);
  scroll_to_row (row);
  /* Once more when "More" has opened: its rows have no place before. */
  g_timeout_add_full (G_PRIORITY_DEFAULT, EXPANDING_MS, scroll_to_row, g_object_ref (row), g_object_unref);
  return G_SOURCE_REMOVE;
}

void
fen_settings_dialog_show_option (FenSettingsDialog *self, const char *option)
{
  g_return_if_fail (FEN_IS_SETTINGS_DIALOG (self) && option != NULL);
  FenOptionRow *row = fen_settings_pages_find_row (&self->pages, option);
  if (row == NULL)
    return;
  fen_settings_dialog_show_page (self, self->pages.pages[fen_option_row_get_option (row)->group].name);
  fen_settings_pages_reveal (&self->pages, row);
  /* After the page's first layout, which the scrolling needs. */
  g_idle_add_full (GDK_PRIORITY_REDRAW + 10, focus_row, g_object_ref (row), g_object_unref);
}

void
fen_settings_dialog_set_blocked (FenSettingsDialog *self, const char *reason)
{
  g_return_if_fail (FEN_IS_SETTINGS_DIALOG (self));
  char *copy = g_strdup (reason);
  g_free (self->blocked);
  self->blocked = copy;
  update_start (self);
}

/* ---- object ---- */

static void
fen_settings_dialog_dispose (GObject *object)
{
  FenSettingsDialog *self = FEN_SETTINGS_DIALOG (object);
  /* A worker may hold the dialog longer than its window lives. */
  if (self->settings != NULL)
    g_signal_handlers_disconnect_by_data (self->settings, self);
  if (self->facts != NULL)
    g_signal_handlers_disconnect_by_data (self->facts, self);
  g_cancellable_cancel (self->cancellable);
  if (self->chooser != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->chooser, self);
      gtk_native_dialog_destroy (GTK_NATIVE_DIALOG (self->chooser));
    }
  g_clear_object (&self->chooser);
  gtk_widget_dispose_template (GTK_WIDGET (self), FEN_TYPE_SETTINGS_DIALOG);
  fen_settings_pages_clear (&self->pages);
  g_clear_object (&self->settings);
  g_clear_object (&self->facts);
  G_OBJECT_CLASS (fen_settings_dialog_parent_class)->dispose (object);
}

static void
fen_settings_dialog_finalize (GObject *object)
{
  FenSettingsDialog *self = FEN_SETTINGS_DIALOG (object);
  g_clear_pointer (&self->before, fen_config_free);
  g_clear_object (&self->cancellable);
  g_free (self->blocked);
  G_OBJECT_CLASS (fen_settings_dialog_parent_class)->finalize (object);
}

static void
install_actions (GtkWidgetClass *widget_class)
{
  gtk_widget_class_install_action (widget_class, "settings.start", NULL, start_action);
  gtk_widget_class_install_action (widget_class, "settings.load", NULL, load_action);
  gtk_widget_class_install_action (widget_class, "settings.save", NULL, save_action);
  gtk_widget_class_install_action (widget_class, "settings.preset", "s", preset_action);
  gtk_widget_class_install_action (widget_class, "settings.copy-command", NULL, copy_command_action);
  gtk_widget_class_install_action (widget_class, "settings.reset-all", NULL, reset_all_action);
  gtk_widget_class_install_action (widget_class, "settings.undo", NULL, undo_action);
}

static void
fen_settings_dialog_class_init (FenSettingsDialogClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = fen_settings_dialog_dispose;
  G_OBJECT_CLASS (klass)->finalize = fen_settings_dialog_finalize;
  signals[SIGNAL_START] = g_signal_new ("start", FEN_TYPE_SETTINGS_DIALOG, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                        NULL, G_TYPE_NONE, 0);
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/org/fenestra/Fenestra/settings/fen-settings-dialog.ui");
  gtk_widget_class_bind_template_child (widget_class, FenSettingsDialog, stack);
  gtk_widget_class_bind_template_child (widget_class, FenSettingsDialog, switcher);
  gtk_widget_class_bind_template_callback (widget_class, on_page_changed);
  gtk_widget_class_bind_template_child (widget_class, FenSettingsDialog, toasts);
  gtk_widget_class_bind_template_child (widget_class, FenSettingsDialog, problem_revealer);
  gtk_widget_class_bind_template_child (widget_class, FenSettingsDialog, problem);
  gtk_widget_class_bind_template_child (widget_class, FenSettingsDialog, blocker);
  gtk_widget_class_bind_template_child (widget_class, FenSettingsDialog, blocker_label);
  gtk_widget_class_bind_template_child (widget_class, FenSettingsDialog, blocker_arrow);
  gtk_widget_class_bind_template_child (widget_class, FenSettingsDialog, start_button);
  gtk_widget_class_bind_template_child (widget_class, FenSettingsDialog, foot);
  gtk_widget_class_bind_template_child (widget_class, FenSettingsDialog, presets);
  gtk_widget_class_bind_template_callback (widget_class, on_problem_closed);
  gtk_widget_class_bind_template_callback (widget_class, on_blocker);
  install_actions (widget_class);
}

static void
fen_settings_dialog_init (FenSettingsDialog *self)
{
  self->cancellable = g_cancellable_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
fen_settings_dialog_new (GtkWindow *parent, FenSettings *settings, FenSettingsFacts *facts)
{
  g_return_val_if_fail (FEN_IS_SETTINGS (settings) && FEN_IS_SETTINGS_FACTS (facts), NULL);
  FenSettingsDialog *self = g_object_new (FEN_TYPE_SETTINGS_DIALOG, "transient-for", parent, NULL);
  self->settings = g_object_ref (settings);
  self->facts = g_object_ref (facts);
  fen_settings_pages_init (&self->pages, self->stack, settings);
  fen_settings_extras_init (&self->pages, settings);
  gtk_box_prepend (self->pages.pages[FEN_GROUP_ATTENTION].content, fen_advice_box_new (settings, facts));
  gtk_box_prepend (self->foot, fen_plan_bar_new (facts));
  g_signal_connect_object (settings, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (facts, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  fen_settings_presets_async (self->cancellable, on_presets, g_object_ref (self));
  update (self);
  return GTK_WIDGET (self);
}
