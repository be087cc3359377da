/* test-settings-dialog.c: Training Settings as a person meets it: every option once, what typing does to rows and Start,
 * advice that is applied when it is asked for, files, the command, and nothing left behind. */
#include "gui/settings/fen-option-row-private.h"
#include "gui/settings/fen-settings-dialog-private.h"
#include "tests/gui/fen-gui-test.h"

#include <string.h>

typedef struct {
  FenSettings *settings;
  FenSettingsFacts *facts;
  GtkWidget *dialog;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->settings = fen_settings_new ();
  fixture->facts = fen_settings_facts_new (fixture->settings);
  fixture->dialog = fen_settings_dialog_new (NULL, fixture->settings, fixture->facts);
  gtk_window_present (GTK_WINDOW (fixture->dialog));
  fen_gui_settle (fixture->dialog);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  fen_gui_destroy (fixture->dialog);
  fen_gui_wait (!fen_settings_facts_is_busy (fixture->facts), 20000);
  fen_gui_wait (!fen_settings_facts_is_scanning (fixture->facts), 20000);
  fen_gui_assert_finalized (fixture->facts);
  fen_gui_assert_finalized (fixture->settings);
}

static guint
count_rows (GtkWidget *widget, const FenOption *option, FenOptionRow **row)
{
  guint n = 0;
  if (FEN_IS_OPTION_ROW (widget) && fen_option_row_get_option (FEN_OPTION_ROW (widget)) == option)
    {
      *row = FEN_OPTION_ROW (widget);
      n++;
    }
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL;
       child = gtk_widget_get_next_sibling (child))
    n += count_rows (child, option, row);
  return n;
}

static void
test_rows (Fixture *fixture, gconstpointer data)
{
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    {
      FenOptionRow *row = NULL;
      g_test_message ("%s", option->name);
      g_assert_cmpuint (count_rows (fixture->dialog, option, &row), ==,
                        g_str_equal (option->name, "expert") ? 0 : 1);
      if (row != NULL)
        g_assert_cmpstr (adw_preferences_row_get_title (ADW_PREFERENCES_ROW (row)), ==, option->title);
    }
}

static FenOptionRow *
row_of (Fixture *fixture, const char *name)
{
  FenOptionRow *row = NULL;
  g_assert_cmpuint (count_rows (fixture->dialog, fen_config_find_option (name), &row), ==, 1);
  return row;
}

static GtkWidget *
control_of (Fixture *fixture, const char *name)
{
  return fen_option_row_get_control (row_of (fixture, name));
}

static void
wait_for_facts (Fixture *fixture)
{
  fen_gui_wait (!fen_settings_facts_is_busy (fixture->facts), 20000);
  fen_gui_wait (!fen_settings_facts_is_scanning (fixture->facts), 20000);
}

/* Goes to the row, as a person would, then types. */
static void
type (Fixture *fixture, const char *name, const char *text)
{
  fen_settings_dialog_show_option (FEN_SETTINGS_DIALOG (fixture->dialog), name);
  fen_gui_wait (gtk_widget_get_mapped (control_of (fixture, name)), 2000);
  fen_gui_type (control_of (fixture, name), text);
}

static void
click (Fixture *fixture, const char *name)
{
  fen_settings_dialog_show_option (FEN_SETTINGS_DIALOG (fixture->dialog), name);
  fen_gui_wait (gtk_widget_get_mapped (control_of (fixture, name)), 2000);
  fen_gui_click (control_of (fixture, name));
}

static GtkWidget *
start_button (Fixture *fixture)
{
  return fen_gui_find_id (fixture->dialog, "start_button");
}

static void
assert_says (Fixture *fixture, const char *name, const char *id, const char *text)
{
  GtkWidget *label = fen_gui_find_id (GTK_WIDGET (row_of (fixture, name)), id);
  g_assert_cmpstr (gtk_label_get_text (GTK_LABEL (label)), ==, text);
  g_assert_true (gtk_widget_get_visible (label));
}

/* ---- windows ---- */

static void
assert_window (Fixture *fixture, const char *text, gint64 value)
{
  GtkWidget *entry = control_of (fixture, "window_size");
  fen_gui_type (entry, text);
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (entry)), ==, text);
  g_assert_cmpint (fen_settings_get_config (fixture->settings)->window_size, ==, value);
  g_assert_false (gtk_widget_has_css_class (entry, "error"));
  gtk_test_accessible_assert_state (entry, GTK_ACCESSIBLE_STATE_INVALID, GTK_ACCESSIBLE_INVALID_FALSE);
  assert_says (fixture, "window_size", "subtitle", fen_config_find_option ("window_size")->help);
  g_assert_true (gtk_widget_get_sensitive (start_button (fixture)));
}

static void
assert_bad_window (Fixture *fixture, const char *text)
{
  GtkWidget *entry = control_of (fixture, "window_size");
  fen_gui_type (entry, text);
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (entry)), ==, text);
  g_assert_true (gtk_widget_has_css_class (entry, "error"));
  gtk_test_accessible_assert_state (entry, GTK_ACCESSIBLE_STATE_INVALID, GTK_ACCESSIBLE_INVALID_TRUE);
  GtkWidget *subtitle = fen_gui_find_id (GTK_WIDGET (row_of (fixture, "window_size")), "subtitle");
  const char *words = gtk_label_get_text (GTK_LABEL (subtitle));
  g_assert_nonnull (strstr (words, "256"));
  g_assert_nonnull (strstr (words, "8192"));
  g_assert_nonnull (strstr (words, "full attention"));
  g_assert_false (gtk_widget_get_sensitive (start_button (fixture)));
  g_assert_true (fen_gui_shows_text (fen_gui_find_id (fixture->dialog, "blocker"), "Window Size"));
}

static void
test_windows (Fixture *fixture, gconstpointer data)
{
  fen_settings_dialog_show_page (FEN_SETTINGS_DIALOG (fixture->dialog), "attention");
  type (fixture, "max_seq_len", "16384");
  type (fixture, "model", "1M");
  wait_for_facts (fixture);
  fen_settings_dialog_show_option (FEN_SETTINGS_DIALOG (fixture->dialog), "window_size");
  fen_gui_settle (fixture->dialog);
  assert_window (fixture, "", 0);
  assert_says (fixture, "window_size", "fact", "Now: full attention");
  assert_window (fixture, "0", 0);
  assert_bad_window (fixture, "255");
  assert_window (fixture, "256", 256);
  assert_window (fixture, "8192", 8192);
  assert_bad_window (fixture, "8193");
  fen_gui_picture (fixture->dialog, "settings-error");
  assert_bad_window (fixture, "abc");
  /* Wider ranges, at once. */
  assert_bad_window (fixture, "255");
  fen_settings_set_boolean (fixture->settings, fen_config_find_option ("expert"), TRUE);
  assert_window (fixture, "255", 255);
}

static void
test_words (Fixture *fixture, gconstpointer data)
{
  FenOptionRow *row = row_of (fixture, "window_size");
  GtkWidget *entry = control_of (fixture, "window_size");
  gtk_test_accessible_assert_relation (entry, GTK_ACCESSIBLE_RELATION_LABELLED_BY,
                                       fen_gui_find_id (GTK_WIDGET (row), "title_label"), NULL);
  gtk_test_accessible_assert_relation (
      entry, GTK_ACCESSIBLE_RELATION_DESCRIBED_BY, fen_gui_find_id (GTK_WIDGET (row), "subtitle"),
      fen_gui_find_id (GTK_WIDGET (row), "note"), fen_gui_find_id (GTK_WIDGET (row), "fact"), NULL);
  gtk_test_accessible_assert_property (fen_gui_find_id (GTK_WIDGET (row), "info"),
                                       GTK_ACCESSIBLE_PROPERTY_LABEL, "About Window Size");
  gtk_test_accessible_assert_role (control_of (fixture, "use_flash_attn"), GTK_ACCESSIBLE_ROLE_CHECKBOX);
}

/* ---- what has no effect, what blocks ---- */

static void
test_chunking (Fixture *fixture, gconstpointer data)
{
  GtkWidget *chunk = control_of (fixture, "chunk_size"), *carry = control_of (fixture, "chunk_carry");
  fen_settings_dialog_show_page (FEN_SETTINGS_DIALOG (fixture->dialog), "attention");
  fen_gui_settle (fixture->dialog);
  g_assert_false (gtk_widget_is_sensitive (chunk));
  g_assert_false (gtk_widget_is_sensitive (carry));
  assert_says (fixture, "chunk_size", "subtitle", "No effect: Context Chunking is off");
  click (fixture, "use_chunked_training");
  g_assert_true (fen_settings_get_config (fixture->settings)->use_chunked_training);
  type (fixture, "chunk_size", "512");
  g_assert_true (gtk_widget_is_sensitive (chunk));
  g_assert_true (gtk_widget_is_sensitive (carry));
  assert_says (fixture, "chunk_size", "fact", "4 chunks a row");
  fen_gui_picture (fixture->dialog, "settings-chunks");
  click (fixture, "use_chunked_training");
  g_assert_false (gtk_widget_is_sensitive (chunk));
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (chunk)), ==, "512");
}

static void
count_start (guint *n)
{
  (*n)++;
}

static void
test_start (Fixture *fixture, gconstpointer data)
{
  FenSettingsDialog *dialog = FEN_SETTINGS_DIALOG (fixture->dialog);
  GtkWidget *start = start_button (fixture), *blocker = fen_gui_find_id (fixture->dialog, "blocker");
  guint n = 0;
  g_signal_connect_swapped (dialog, "start", G_CALLBACK (count_start), &n);
  wait_for_facts (fixture);
  fen_gui_click (start);
  g_assert_cmpuint (n, ==, 1);
  fen_settings_dialog_set_blocked (dialog, "a run goes on in this window");
  g_assert_false (gtk_widget_get_sensitive (start));
  gtk_widget_activate_action (fixture->dialog, "settings.start", NULL);
  g_assert_cmpuint (n, ==, 1);
  fen_gui_settle (fixture->dialog);
  g_assert_true (fen_gui_shows_text (blocker, "a run goes on in this window"));
  fen_settings_dialog_set_blocked (dialog, NULL);
  g_assert_true (gtk_widget_get_sensitive (start));
  /* An error behind "More": the link opens it and leads to the entry. */
  type (fixture, "beta1", "2");
  fen_gui_settle (fixture->dialog);
  g_assert_true (gtk_widget_get_mapped (blocker));
  fen_gui_click (blocker);
  fen_gui_wait (gtk_widget_get_mapped (control_of (fixture, "beta1")), 2000);
  fen_gui_wait (
      gtk_widget_is_ancestor (gtk_root_get_focus (GTK_ROOT (dialog)), control_of (fixture, "beta1")), 2000);
  /* The row is inside what is visible of the page. */
  GtkWidget *row = GTK_WIDGET (row_of (fixture, "beta1"));
  GtkWidget *scroller = gtk_widget_get_ancestor (row, GTK_TYPE_SCROLLED_WINDOW);
  fen_gui_run_for (400);
  graphene_rect_t place;
  g_assert_true (gtk_widget_compute_bounds (row, scroller, &place));
  g_assert_cmpfloat (place.origin.y, >=, 0);
  g_assert_cmpfloat (place.origin.y + place.size.height, <=, gtk_widget_get_height (scroller));
  fen_gui_picture (fixture->dialog, "settings-blocked");
}

static void
test_plan (Fixture *fixture, gconstpointer data)
{
  type (fixture, "memory_limit", "64MiB");
  wait_for_facts (fixture);
  fen_gui_settle (fixture->dialog);
  g_assert_false (gtk_widget_get_sensitive (start_button (fixture)));
  g_assert_true (fen_gui_shows_text (fixture->dialog, "Does not fit"));
  fen_gui_picture (fixture->dialog, "settings-does-not-fit");
  type (fixture, "memory_limit", "");
  wait_for_facts (fixture);
  g_assert_true (gtk_widget_get_sensitive (start_button (fixture)));
  type (fixture, "dataset_file", "/nowhere/text.txt");
  wait_for_facts (fixture);
  fen_gui_wait (!gtk_widget_get_sensitive (start_button (fixture)), 5000);
  gtk_test_accessible_assert_state (control_of (fixture, "dataset_file"), GTK_ACCESSIBLE_STATE_INVALID,
                                    GTK_ACCESSIBLE_INVALID_TRUE);
}

/* With text of twice its size the buttons of the pages do not all fit: that of the page which is shown is in view. */
static void
test_large_text (Fixture *fixture, gconstpointer data)
{
  static const char *const pages[] = { "output", "data", "attention" };
  static const char *const titles[] = { "Output", "Data and Model", "Attention and Memory" };
  GtkWidget *switcher = fen_gui_find_id (fixture->dialog, "switcher");
  GtkWidget *viewport = gtk_widget_get_parent (switcher);
  graphene_rect_t bounds;
  int dpi;
  g_object_get (gtk_settings_get_default (), "gtk-xft-dpi", &dpi, NULL);
  g_object_set (gtk_settings_get_default (), "gtk-xft-dpi", 2 * 96 * 1024, NULL);
  gtk_window_set_default_size (GTK_WINDOW (fixture->dialog), 640, 600);
  fen_gui_settle (fixture->dialog);
  g_assert_cmpint (gtk_widget_get_width (switcher), >, gtk_widget_get_width (viewport));
  for (guint i = 0; i < G_N_ELEMENTS (pages); i++)
    {
      fen_settings_dialog_show_page (FEN_SETTINGS_DIALOG (fixture->dialog), pages[i]);
      fen_gui_settle (fixture->dialog);
      GtkWidget *label = fen_gui_find (switcher, GTK_TYPE_LABEL, titles[i]);
      g_assert_true (gtk_widget_compute_bounds (label, viewport, &bounds));
      g_assert_cmpfloat (bounds.origin.x, >=, 0);
      g_assert_cmpfloat (bounds.origin.x + bounds.size.width, <=, gtk_widget_get_width (viewport));
    }
  g_object_set (gtk_settings_get_default (), "gtk-xft-dpi", dpi, NULL);
}

/* ---- advice, menu ---- */

static void
test_advice (Fixture *fixture, gconstpointer data)
{
  GtkWidget *use = fen_gui_find_id (fixture->dialog, "use");
  fen_settings_dialog_show_page (FEN_SETTINGS_DIALOG (fixture->dialog), "attention");
  type (fixture, "max_seq_len", "32768");
  type (fixture, "model", "1M");
  type (fixture, "window_size", "");
  wait_for_facts (fixture);
  fen_gui_settle (fixture->dialog);
  /* Nothing happened by itself. */
  g_assert_cmpint (fen_settings_get_config (fixture->settings)->window_size, ==, 0);
  g_assert_true (fen_gui_shows_text (fixture->dialog, "A window of 512 tokens (512 to 1024)"));
  /* The rule would chunk; the plan says that the row fits, so Use leaves chunking off. */
  g_assert_true (fen_gui_shows_text (fixture->dialog, "the whole row fits as it is"));
  fen_gui_picture (fixture->dialog, "settings-advice");
  fen_gui_click (use);
  g_assert_cmpint (fen_settings_get_config (fixture->settings)->window_size, ==, 512);
  g_assert_false (fen_settings_get_config (fixture->settings)->use_chunked_training);
  g_assert_false (gtk_widget_get_sensitive (use));
  /* Where it does not fit, the rule holds. */
  type (fixture, "memory_limit", "64MiB");
  wait_for_facts (fixture);
  g_assert_true (gtk_widget_get_sensitive (use));
  fen_gui_click (use);
  g_assert_true (fen_settings_get_config (fixture->settings)->use_chunked_training);
  g_assert_cmpint (fen_settings_get_config (fixture->settings)->chunk_size, ==, 2048);
}

static void
test_files (Fixture *fixture, gconstpointer data)
{
  FenSettingsDialog *dialog = FEN_SETTINGS_DIALOG (fixture->dialog);
  g_autofree char *folder = fen_gui_test_folder ("files");
  g_autofree char *path = g_build_filename (folder, "mine.json", NULL);
  g_autofree char *bad = g_build_filename (folder, "bad.json", NULL);
  type (fixture, "steps", "777");
  fen_settings_dialog_save_file (dialog, path);
  fen_gui_wait (g_file_test (path, G_FILE_TEST_EXISTS), 5000);
  gtk_widget_activate_action (fixture->dialog, "settings.reset-all", NULL);
  g_assert_cmpint (fen_settings_get_config (fixture->settings)->steps, ==, 100);
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (control_of (fixture, "steps"))), ==, "100");
  gtk_widget_activate_action (fixture->dialog, "settings.undo", NULL);
  g_assert_cmpint (fen_settings_get_config (fixture->settings)->steps, ==, 777);
  fen_settings_reset (fixture->settings, fen_config_find_option ("steps"));
  fen_settings_dialog_load_file (dialog, path);
  fen_gui_wait (fen_settings_get_config (fixture->settings)->steps == 777, 5000);
  /* What is wrong with a file stands in the window and changes nothing. */
  g_assert_true (g_file_set_contents (bad, "{ \"steps\": -1 }", -1, NULL));
  fen_settings_dialog_load_file (dialog, bad);
  fen_gui_wait (fen_gui_shows_text (fixture->dialog, "bad.json"), 5000);
  g_assert_cmpint (fen_settings_get_config (fixture->settings)->steps, ==, 777);
  fen_gui_picture (fixture->dialog, "settings-bad-file");
  gtk_widget_activate_action (fixture->dialog, "settings.preset", "s", "sample");
  fen_gui_wait (fen_settings_get_config (fixture->settings)->steps == 150, 5000);
}

static void
test_command (Fixture *fixture, gconstpointer data)
{
  type (fixture, "window_size", "256");
  gtk_widget_activate_action (fixture->dialog, "settings.copy-command", NULL);
  g_autofree char *text = fen_gui_paste (fixture->dialog);
  g_assert_cmpstr (text, ==, "fenestra-cli train --window-size 256");
}

/* ---- pictures ---- */

static void
test_pictures (Fixture *fixture, gconstpointer data)
{
  static const char *const pages[] = { "data", "training", "attention", "output" };
  fen_gui_wait (!fen_settings_facts_is_busy (fixture->facts), 20000);
  fen_gui_wait (!fen_settings_facts_is_scanning (fixture->facts), 20000);
  for (guint i = 0; i < G_N_ELEMENTS (pages); i++)
    {
      g_autofree char *name = g_strdup_printf ("settings-%s", pages[i]);
      fen_settings_dialog_show_page (FEN_SETTINGS_DIALOG (fixture->dialog), pages[i]);
      fen_gui_settle (fixture->dialog);
      fen_gui_picture (fixture->dialog, name);
      g_autofree char *clipped = fen_gui_clipped_text (fixture->dialog);
      g_assert_cmpstr (clipped, ==, NULL);
    }
}

/* 700 wide, and from right to left: nothing is cut off. */
static void
test_narrow (Fixture *fixture, gconstpointer data)
{
  gtk_widget_set_default_direction (GTK_TEXT_DIR_RTL);
  FenSettings *settings = fen_settings_new ();
  FenSettingsFacts *facts = fen_settings_facts_new (settings);
  GtkWidget *dialog = fen_settings_dialog_new (NULL, settings, facts);
  gtk_window_set_default_size (GTK_WINDOW (dialog), 600, 560);
  gtk_window_present (GTK_WINDOW (dialog));
  fen_settings_dialog_show_page (FEN_SETTINGS_DIALOG (dialog), "attention");
  fen_gui_wait (!fen_settings_facts_is_busy (facts), 20000);
  fen_gui_wait (!fen_settings_facts_is_scanning (facts), 20000);
  fen_gui_settle (dialog);
  g_assert_cmpint (gtk_widget_get_width (dialog), <=, 600);
  fen_gui_picture (dialog, "settings-narrow-rtl");
  g_autofree char *clipped = fen_gui_clipped_text (dialog);
  g_assert_cmpstr (clipped, ==, NULL);
  gtk_widget_set_default_direction (GTK_TEXT_DIR_LTR);
  fen_gui_destroy (dialog);
  fen_gui_assert_finalized (facts);
  fen_gui_assert_finalized (settings);
}

#define ADD(name, function) g_test_add ("/settings-dialog/" name, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  fen_gui_test_init (&argc, &argv);
  ADD ("rows", test_rows);
  ADD ("windows", test_windows);
  ADD ("words", test_words);
  ADD ("chunking", test_chunking);
  ADD ("start", test_start);
  ADD ("plan", test_plan);
  ADD ("large-text", test_large_text);
  ADD ("advice", test_advice);
  ADD ("files", test_files);
  ADD ("command", test_command);
  ADD ("pages", test_pictures);
  ADD ("narrow", test_narrow);
  return fen_gui_test_run ();
}
