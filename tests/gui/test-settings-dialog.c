/* test-settings-dialog.c: Training Settings as a person meets it: every option once, what typing does to rows and Start,
 * advice that is applied when it is asked for, files, the command, and nothing left behind. */
#include "gui/settings/fen-option-row-private.h"
#include "gui/settings/fen-settings-dialog-private.h"
#include "tests/gui/fen-gui-test.h"

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

#define ADD(name, function) g_test_add ("/settings-dialog/" name, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  fen_gui_test_init (&argc, &argv);
  ADD ("rows", test_rows);
  ADD ("pages", test_pictures);
  return fen_gui_test_run ();
}
