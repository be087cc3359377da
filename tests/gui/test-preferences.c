/* test-preferences.c: what the window remembers: the schema is found, has what the program asks for, and its rows follow. */
#include "gui/app/fen-preferences.h"
#include "gui/app/fen-schema.h"
#include "tests/gui/fen-gui-test.h"

static GSettings *
open_schema (void)
{
  g_autoptr (GError) error = NULL;
  GSettings *gsettings = fen_schema_open (&error);
  g_assert_no_error (error);
  return gsettings;
}

/* The enums of the program are the schema's, and what is out of range is refused instead of stored. */
static void
test_schema (void)
{
  g_autoptr (GSettings) gsettings = open_schema ();
  g_assert_cmpint (g_settings_get_enum (gsettings, FEN_KEY_COLOR_SCHEME), ==, FEN_COLOR_SCHEME_SYSTEM);
  g_assert_cmpint (g_settings_get_enum (gsettings, FEN_KEY_START_VIEW), ==, FEN_START_VIEW_LAST_RUN);
  g_assert_cmpfloat (g_settings_get_double (gsettings, FEN_KEY_SMOOTHING), ==, 0.6);
  g_assert_true (g_settings_set_enum (gsettings, FEN_KEY_COLOR_SCHEME, FEN_COLOR_SCHEME_DARK));
  g_autofree char *dark = g_settings_get_string (gsettings, FEN_KEY_COLOR_SCHEME);
  g_assert_cmpstr (dark, ==, "dark");
  g_autoptr (GSettingsSchema) schema = NULL;
  g_object_get (gsettings, "settings-schema", &schema, NULL);
  g_autoptr (GSettingsSchemaKey) key = g_settings_schema_get_key (schema, FEN_KEY_SMOOTHING);
  g_autoptr (GVariant) too_much = g_variant_ref_sink (g_variant_new_double (1.5));
  g_assert_false (g_settings_schema_key_range_check (key, too_much));
  g_settings_reset (gsettings, FEN_KEY_COLOR_SCHEME);
}

static void
test_rows_follow (void)
{
  g_autoptr (GSettings) gsettings = open_schema ();
  GtkWidget *parent = fen_gui_show (gtk_label_new ("parent"), 300, 200);
  GtkWidget *window = fen_preferences_new (GTK_WINDOW (parent), gsettings);
  gtk_window_present (GTK_WINDOW (window));
  fen_gui_settle (window);
  fen_gui_picture (window, "preferences");

  GtkWidget *expert = fen_gui_find_id (window, "expert");
  g_assert_false (gtk_switch_get_active (GTK_SWITCH (expert)));
  fen_gui_click (expert);
  g_assert_true (g_settings_get_boolean (gsettings, FEN_KEY_EXPERT));

  AdwComboRow *scheme = ADW_COMBO_ROW (fen_gui_find_id (window, "color_scheme"));
  adw_combo_row_set_selected (scheme, 2);
  g_assert_cmpint (g_settings_get_enum (gsettings, FEN_KEY_COLOR_SCHEME), ==, FEN_COLOR_SCHEME_DARK);
  g_settings_reset (gsettings, FEN_KEY_COLOR_SCHEME);
  g_assert_cmpuint (adw_combo_row_get_selected (scheme), ==, 0);
  g_settings_reset (gsettings, FEN_KEY_EXPERT);
  g_assert_false (gtk_switch_get_active (GTK_SWITCH (expert)));
  fen_gui_destroy (window);
  fen_gui_destroy (parent);
}

static guint
n_places (GSettings *gsettings)
{
  g_auto (GStrv) places = g_settings_get_strv (gsettings, FEN_KEY_PLACES);
  return g_strv_length (places);
}

static GtkWidget *
find_by_tooltip (GtkWidget *root, const char *text)
{
  if (g_strcmp0 (gtk_widget_get_tooltip_text (root), text) == 0)
    return root;
  GtkWidget *found = NULL;
  for (GtkWidget *child = gtk_widget_get_first_child (root); child != NULL && found == NULL;
       child = gtk_widget_get_next_sibling (child))
    found = find_by_tooltip (child, text);
  return found;
}

static void
test_places (void)
{
  g_autoptr (GSettings) gsettings = open_schema ();
  g_autofree char *folder = fen_gui_test_folder ("more runs & <things>");
  GtkWidget *parent = fen_gui_show (gtk_label_new ("parent"), 300, 200);
  GtkWidget *window = fen_preferences_new (GTK_WINDOW (parent), gsettings);
  gtk_window_present (GTK_WINDOW (window));
  fen_gui_settle (window);
  g_assert_true (fen_gui_shows_text (window, "fenestra/runs"));

  fen_preferences_add_place (FEN_PREFERENCES (window), folder);
  fen_preferences_add_place (FEN_PREFERENCES (window), folder);
  g_assert_cmpuint (n_places (gsettings), ==, 1);
  fen_gui_settle (window);
  g_assert_true (fen_gui_shows_text (window, "more runs & <things>"));
  /* The one button of a row that has a tooltip of removing. */
  GtkWidget *remove = find_by_tooltip (window, "Remove From the List");
  g_assert_nonnull (remove);
  fen_gui_picture (window, "preferences-places");
  fen_gui_click (remove);
  g_assert_cmpuint (n_places (gsettings), ==, 0);
  fen_gui_settle (window);
  g_assert_false (fen_gui_shows_text (window, "more runs"));
  g_assert_true (fen_gui_shows_text (window, "fenestra/runs"));
  fen_gui_destroy (window);
  fen_gui_destroy (parent);
}

int
main (int argc, char **argv)
{
  fen_gui_test_init (&argc, &argv);
  g_test_add_func ("/preferences/schema", test_schema);
  g_test_add_func ("/preferences/rows-follow", test_rows_follow);
  g_test_add_func ("/preferences/places", test_places);
  return fen_gui_test_run ();
}
