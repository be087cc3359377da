/* fen-preferences.c: see fen-preferences.h. Every row is bound to a key; the list of places is made again when its key
 * changes, whoever changed it. An AdwWindow: libadwaita 1.2's AdwPreferencesWindow never frees its groups. */
#include "gui/app/fen-preferences.h"

#include <glib/gi18n.h>
#include <string.h>

#include "core/train/fen-run-folder.h"
#include "gui/app/fen-schema.h"

struct _FenPreferences {
  AdwWindow parent_instance;
  GSettings *gsettings;

  /* from fen-preferences.ui */
  AdwComboRow *color_scheme, *start_view;
  GtkSwitch *notify, *expert;
  AdwPreferencesGroup *places;
  GtkWidget *add_place;

  GPtrArray *rows; /* of the places, borrowed */
  GtkFileChooserNative *chooser;
};

G_DEFINE_FINAL_TYPE (FenPreferences, fen_preferences, ADW_TYPE_WINDOW)

/* ---- choices: the rows' order is the enum's ---- */

static void
on_combo (AdwComboRow *row, GParamSpec *pspec, FenPreferences *self)
{
  g_settings_set_enum (self->gsettings, row == self->color_scheme ? FEN_KEY_COLOR_SCHEME : FEN_KEY_START_VIEW,
                       (int)adw_combo_row_get_selected (row));
}

static void
on_choice_changed (GSettings *gsettings, const char *key, FenPreferences *self)
{
  adw_combo_row_set_selected (self->color_scheme,
                              (guint)g_settings_get_enum (gsettings, FEN_KEY_COLOR_SCHEME));
  adw_combo_row_set_selected (self->start_view, (guint)g_settings_get_enum (gsettings, FEN_KEY_START_VIEW));
}

/* ---- places ---- */

static void
on_remove (GtkButton *button, FenPreferences *self)
{
  const char *path = g_object_get_data (G_OBJECT (button), "path");
  g_auto (GStrv) places = g_settings_get_strv (self->gsettings, FEN_KEY_PLACES);
  g_autoptr (GStrvBuilder) left = g_strv_builder_new ();
  for (guint i = 0; places[i] != NULL; i++)
    if (!g_str_equal (places[i], path))
      g_strv_builder_add (left, places[i]);
  g_auto (GStrv) strv = g_strv_builder_end (left);
  g_settings_set_strv (self->gsettings, FEN_KEY_PLACES, (const char *const *)strv);
}

/* A path for people: ~ for the home, and valid UTF-8 whatever the disk says. */
static char *
path_text (const char *path)
{
  const char *home = g_get_home_dir ();
  g_autofree char *inside = g_str_has_prefix (path, home) && path[strlen (home)] == '/'
                                ? g_strconcat ("~", path + strlen (home), NULL)
                                : g_strdup (path);
  g_autofree char *shown = g_filename_display_name (inside);
  return g_markup_escape_text (shown, -1);
}

static void
add_row (FenPreferences *self, const char *path, gboolean removable)
{
  g_autofree char *title = path_text (path);
  GtkWidget *row = adw_action_row_new ();
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_action_row_set_title_lines (ADW_ACTION_ROW (row), 2);
  if (removable)
    {
      GtkWidget *button = gtk_button_new_from_icon_name ("user-trash-symbolic");
      /* TRANSLATORS: a folder's path. */
      g_autofree char *label = g_strdup_printf (_ ("Remove “%s” From the List"), path);
      gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
      gtk_widget_add_css_class (button, "flat");
      gtk_widget_set_tooltip_text (button, _ ("Remove From the List"));
      gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
      g_object_set_data_full (G_OBJECT (button), "path", g_strdup (path), g_free);
      g_signal_connect_object (button, "clicked", G_CALLBACK (on_remove), self, 0);
      adw_action_row_add_suffix (ADW_ACTION_ROW (row), button);
    }
  else
    adw_action_row_set_subtitle (ADW_ACTION_ROW (row),
                                 _ ("New runs are made here unless their settings say otherwise"));
  adw_preferences_group_add (self->places, row);
  g_ptr_array_add (self->rows, row);
}

static void
on_places_changed (GSettings *gsettings, const char *key, FenPreferences *self)
{
  g_auto (GStrv) places = g_settings_get_strv (gsettings, FEN_KEY_PLACES);
  g_autofree char *root = fen_runs_root (NULL);
  for (guint i = 0; i < self->rows->len; i++)
    adw_preferences_group_remove (self->places, g_ptr_array_index (self->rows, i));
  g_ptr_array_set_size (self->rows, 0);
  add_row (self, root, FALSE);
  for (guint i = 0; places[i] != NULL; i++)
    add_row (self, places[i], TRUE);
}

void
fen_preferences_add_place (FenPreferences *self, const char *path)
{
  fen_schema_add_place (self->gsettings, path);
}

static void
on_chosen (GtkNativeDialog *chooser, int response, FenPreferences *self)
{
  if (response == GTK_RESPONSE_ACCEPT)
    {
      g_autoptr (GFile) file = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (chooser));
      g_autofree char *path = file != NULL ? g_file_get_path (file) : NULL;
      if (path != NULL)
        fen_preferences_add_place (self, path);
    }
  g_clear_object (&self->chooser);
}

static void
on_add_place (GtkButton *button, FenPreferences *self)
{
  g_clear_object (&self->chooser);
  self->chooser = gtk_file_chooser_native_new (_ ("Add a Folder With Runs"), GTK_WINDOW (self),
                                               GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER, _ ("_Add"), NULL);
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (self->chooser), TRUE);
  g_signal_connect_object (self->chooser, "response", G_CALLBACK (on_chosen), self, 0);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (self->chooser));
}

/* ---- object ---- */

GtkWidget *
fen_preferences_new (GtkWindow *parent, GSettings *gsettings)
{
  FenPreferences *self = g_object_new (FEN_TYPE_PREFERENCES, "transient-for", parent, "modal", TRUE, NULL);
  self->gsettings = g_object_ref (gsettings);
  on_choice_changed (gsettings, NULL, self);
  on_places_changed (gsettings, NULL, self);
  g_settings_bind (gsettings, FEN_KEY_NOTIFY, self->notify, "active", G_SETTINGS_BIND_DEFAULT);
  g_settings_bind (gsettings, FEN_KEY_EXPERT, self->expert, "active", G_SETTINGS_BIND_DEFAULT);
  g_signal_connect_object (gsettings, "changed::" FEN_KEY_COLOR_SCHEME, G_CALLBACK (on_choice_changed), self,
                           0);
  g_signal_connect_object (gsettings, "changed::" FEN_KEY_START_VIEW, G_CALLBACK (on_choice_changed), self,
                           0);
  g_signal_connect_object (gsettings, "changed::" FEN_KEY_PLACES, G_CALLBACK (on_places_changed), self, 0);
  g_signal_connect_object (self->color_scheme, "notify::selected", G_CALLBACK (on_combo), self, 0);
  g_signal_connect_object (self->start_view, "notify::selected", G_CALLBACK (on_combo), self, 0);
  g_signal_connect_object (self->add_place, "clicked", G_CALLBACK (on_add_place), self, 0);
  return GTK_WIDGET (self);
}

static void
fen_preferences_dispose (GObject *object)
{
  FenPreferences *self = FEN_PREFERENCES (object);
  g_clear_object (&self->chooser);
  g_clear_object (&self->gsettings);
  gtk_widget_dispose_template (GTK_WIDGET (object), FEN_TYPE_PREFERENCES);
  G_OBJECT_CLASS (fen_preferences_parent_class)->dispose (object);
}

static void
fen_preferences_finalize (GObject *object)
{
  g_ptr_array_unref (FEN_PREFERENCES (object)->rows);
  G_OBJECT_CLASS (fen_preferences_parent_class)->finalize (object);
}

static void
fen_preferences_class_init (FenPreferencesClass *class)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  G_OBJECT_CLASS (class)->dispose = fen_preferences_dispose;
  G_OBJECT_CLASS (class)->finalize = fen_preferences_finalize;
  gtk_widget_class_set_template_from_resource (widget_class, "/org/fenestra/Fenestra/app/fen-preferences.ui");
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Escape, 0, "window.close", NULL);
  gtk_widget_class_bind_template_child (widget_class, FenPreferences, color_scheme);
  gtk_widget_class_bind_template_child (widget_class, FenPreferences, start_view);
  gtk_widget_class_bind_template_child (widget_class, FenPreferences, notify);
  gtk_widget_class_bind_template_child (widget_class, FenPreferences, expert);
  gtk_widget_class_bind_template_child (widget_class, FenPreferences, places);
  gtk_widget_class_bind_template_child (widget_class, FenPreferences, add_place);
}

static void
fen_preferences_init (FenPreferences *self)
{
  self->rows = g_ptr_array_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
}
