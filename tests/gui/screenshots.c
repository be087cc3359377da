/* screenshots.c: every page and state of the window as a picture: fen-screenshots FOLDER WIDTHxHEIGHT ltr|rtl TEXT_SCALE
 *
 * Run by screenshots.sh, which sets language, colours and a profile with real runs. The real application, in this
 * process: its actions are activated, its widgets rendered. Text that has no room is printed, one line each. */
#include <gtk/gtk.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "gui/app/fen-application.h"
#include "gui/app/fen-places.h"
#include "gui/app/fen-window.h"
#include "gui/runs/fen-runs-sidebar.h"
#include "gui/settings/fen-settings-dialog.h"
#include "tests/gui/fen-gui-test.h"

static const char *folder;
static int wanted_width, wanted_height;
static FenApplication *application;
static guint n_pictures;

/* ---- taking ---- */

static void
report_clipped (GtkWidget *widget, const char *name)
{
  g_autofree char *clipped = fen_gui_clipped_text (widget);
  g_auto (GStrv) lines = g_strsplit (clipped ? clipped : "", "\n", -1);
  for (guint i = 0; lines[i]; i++)
    if (*lines[i])
      g_print ("%s: %s\n", name, lines[i]);
}

static void
take (GtkWidget *widget, const char *name)
{
  g_autofree char *path = g_strdup_printf ("%s/%02u-%s.png", folder, ++n_pictures, name);
  fen_gui_save_png (widget, path);
  report_clipped (widget, name);
}

/* The newest toplevel of this type. */
static GtkWidget *
toplevel (const char *type_name)
{
  g_autoptr (GListModel) all = g_object_ref (gtk_window_get_toplevels ());
  GtkWidget *found = NULL;
  for (guint i = 0; i < g_list_model_get_n_items (all); i++)
    {
      g_autoptr (GtkWidget) window = g_list_model_get_item (all, i);
      if (g_str_equal (G_OBJECT_TYPE_NAME (window), type_name) && gtk_widget_get_mapped (window))
        found = window;
    }
  return found;
}

static GtkWidget *
wait_toplevel (const char *type_name)
{
  fen_gui_wait (toplevel (type_name) != NULL, 5000);
  GtkWidget *window = toplevel (type_name);
  fen_gui_settle (window);
  return window;
}

static void
close_toplevel (GtkWidget *window)
{
  gtk_window_destroy (GTK_WINDOW (window));
  fen_gui_run_for (50);
}

static void
activate (GtkWidget *widget, const char *action)
{
  if (!gtk_widget_activate_action (widget, action, NULL))
    g_error ("no action %s", action);
}

/* A page longer than its window: a second picture of its end. */
static void
scroll (GtkWidget *root, gboolean to_end)
{
  for (GtkWidget *child = gtk_widget_get_first_child (root); child;
       child = gtk_widget_get_next_sibling (child))
    scroll (child, to_end);
  if (!GTK_IS_SCROLLED_WINDOW (root) || !gtk_widget_get_mapped (root))
    return;
  GtkAdjustment *adjustment = gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (root));
  gtk_adjustment_set_value (adjustment, to_end ? gtk_adjustment_get_upper (adjustment)
                                                     - gtk_adjustment_get_page_size (adjustment)
                                               : 0);
}

/* ---- settings ---- */

static void
set (const char *option, const char *text)
{
  fen_settings_set_text (fen_application_get_settings (application), fen_config_find_option (option), text);
}

static void
wait_facts (void)
{
  FenSettingsFacts *facts = fen_application_get_facts (application);
  fen_gui_run_for (250); /* a look begins 150 ms after a change */
  fen_gui_wait (!fen_settings_facts_is_busy (facts), 20000);
  fen_gui_run_for (50);
}

static void
small_run (gint64 steps)
{
  g_autoptr (FenConfig) config = fen_config_new ();
  FenSettings *settings = fen_application_get_settings (application);
  fen_settings_set_config (settings, config);
  set ("model", "nano");
  set ("tokenizer", "bytes");
  set ("max_seq_len", "256");
  set ("warmup_steps", "10");
  set ("learning_rate", "0.003");
  set ("eval_interval", "20");
  set ("checkpoint_interval", "40");
  g_autofree char *text = g_strdup_printf ("%" G_GINT64_FORMAT, steps);
  set ("steps", text);
}

static void
show_settings (GtkWidget *window)
{
  static const char *const pages[] = { "data", "training", "attention", "output" };
  activate (window, "win.settings");
  GtkWidget *dialog = wait_toplevel ("FenSettingsDialog");
  gtk_window_set_default_size (GTK_WINDOW (dialog), MIN (wanted_width, 900), wanted_height);
  wait_facts ();
  for (guint i = 0; i < G_N_ELEMENTS (pages); i++)
    {
      g_autofree char *name = g_strdup_printf ("settings-%s", pages[i]);
      g_autofree char *end = g_strdup_printf ("settings-%s-end", pages[i]);
      fen_settings_dialog_show_page (FEN_SETTINGS_DIALOG (dialog), pages[i]);
      fen_gui_run_for (100);
      take (dialog, name);
      scroll (dialog, TRUE);
      take (dialog, end);
    }
  fen_settings_dialog_show_page (FEN_SETTINGS_DIALOG (dialog), "attention");
  set ("window_size", "8193");
  set ("use_chunked_training", "true");
  set ("chunk_size", "abc");
  fen_settings_dialog_show_option (FEN_SETTINGS_DIALOG (dialog), "window_size");
  wait_facts ();
  take (dialog, "settings-errors");
  set ("window_size", "512");
  set ("chunk_size", "2048");
  set ("use_chunked_training", "false");
  set ("model", "gpt2");
  set ("max_seq_len", "65536");
  set ("batch_size", "64");
  fen_settings_dialog_show_page (FEN_SETTINGS_DIALOG (dialog), "training");
  wait_facts ();
  take (dialog, "settings-conflict");
  set ("model", "llama-1b");
  wait_facts ();
  take (dialog, "settings-does-not-fit");
  close_toplevel (dialog);
}

/* ---- runs ---- */

static FenRunItem *
find_run (const char *name)
{
  GListModel *runs = G_LIST_MODEL (fen_application_get_runs (application));
  for (guint i = 0; i < g_list_model_get_n_items (runs); i++)
    {
      g_autoptr (FenRunItem) item = g_list_model_get_item (runs, i);
      if (strstr (fen_run_item_get_path (item), name))
        return item;
    }
  return NULL;
}

static void
show_run (GtkWidget *window, const char *run, const char *name)
{
  fen_gui_wait (find_run (run) != NULL, 10000);
  fen_window_show_run (FEN_WINDOW (window), fen_run_item_get_path (find_run (run)));
  fen_gui_run_for (900);
  take (window, name);
  g_autofree char *end = g_strconcat (name, "-end", NULL);
  scroll (window, TRUE);
  fen_gui_run_for (200);
  take (window, end);
}

static void
show_runs (GtkWidget *window)
{
  show_run (window, "Window of 32", "run-finished");
  show_run (window, "Learning rate", "run-failed");
  show_run (window, "Overnight", "run-interrupted");
  show_run (window, "Copied by", "run-damaged");
}

static void
show_compare (GtkWidget *window)
{
  GtkWidget *sidebar = fen_gui_find (window, FEN_TYPE_RUNS_SIDEBAR, NULL);
  GListStore *runs = g_list_store_new (FEN_TYPE_RUN_ITEM);
  g_list_store_append (runs, find_run ("Full attention"));
  g_list_store_append (runs, find_run ("Window of 32"));
  g_signal_emit_by_name (sidebar, "compare", runs);
  fen_gui_run_for (900);
  take (window, "compare");
  scroll (window, TRUE);
  take (window, "compare-end");
  g_object_unref (runs);
}

/* ---- a run of this process ---- */

static FenTrainerPhase
own_phase (void)
{
  FenTrainerStatus status = { .phase = FEN_PHASE_FINISHED };
  FenRunSession *own = fen_application_get_own_run (application);
  if (own)
    fen_run_session_status (own, &status);
  return status.phase;
}

static gint64
own_step (void)
{
  FenTrainerStatus status = { 0 };
  FenRunSession *own = fen_application_get_own_run (application);
  if (own)
    fen_run_session_status (own, &status);
  return status.step;
}

static void
show_training (GtkWidget *window)
{
  small_run (100000);
  activate (window, "win.start");
  fen_gui_wait (own_step () >= 60, 60000);
  fen_gui_run_for (300);
  take (window, "training");
  scroll (window, TRUE);
  take (window, "training-end");
  activate (window, "win.pause");
  fen_gui_wait (own_phase () == FEN_PHASE_PAUSED, 10000);
  scroll (window, FALSE);
  fen_gui_run_for (800);
  take (window, "paused");
  activate (window, "window.close");
  take (wait_toplevel ("AdwMessageDialog"), "close-question");
  close_toplevel (toplevel ("AdwMessageDialog"));
  activate (window, "win.stop");
  fen_gui_wait (own_phase () >= FEN_PHASE_FINISHED, 20000);
  fen_gui_run_for (1500);
  take (window, "stopped");
  scroll (window, TRUE);
  fen_gui_run_for (200);
  take (window, "stopped-end");
}

/* ---- windows beside it ---- */

static void
show_others (GtkWidget *window)
{
  static const struct {
    const char *action, *type, *name;
  } others[] = {
    { "app.preferences", "FenPreferences", "preferences" },
    { "app.about", "AdwAboutWindow", "about" },
    { "app.help", "FenHelpWindow", "help" },
    { "win.show-help-overlay", "GtkShortcutsWindow", "shortcuts" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    {
      activate (window, others[i].action);
      GtkWidget *other = wait_toplevel (others[i].type);
      fen_gui_run_for (200);
      take (other, others[i].name);
      if (g_str_equal (others[i].type, "GtkShortcutsWindow"))
        gtk_widget_set_visible (other, FALSE);
      else
        close_toplevel (other);
    }
}

static GtkWidget *
open_window (void)
{
  g_autoptr (GError) error = NULL;
  application = fen_application_new ();
  if (!g_application_register (G_APPLICATION (application), NULL, &error))
    g_error ("%s", error->message);
  g_object_set (gtk_settings_get_default (), "gtk-enable-animations", FALSE, NULL);
  GSettings *gsettings = fen_application_get_gsettings (application);
  g_settings_set_int (gsettings, "window-width", wanted_width);
  g_settings_set_int (gsettings, "window-height", wanted_height);
  g_settings_set_string (gsettings, "start-view", "empty");
  FenWindow *window = fen_window_new (application);
  gtk_window_present (GTK_WINDOW (window));
  fen_gui_settle (GTK_WIDGET (window));
  return GTK_WIDGET (window);
}

int
main (int argc, char **argv)
{
  if (argc != 5 || sscanf (argv[2], "%dx%d", &wanted_width, &wanted_height) != 2)
    {
      g_printerr ("usage: fen-screenshots FOLDER WIDTHxHEIGHT ltr|rtl TEXT_SCALE\n");
      return 2;
    }
  folder = argv[1];
  g_assert_cmpint (g_mkdir_with_parents (folder, 0755), ==, 0);
  fen_places_init_translations ();
  gtk_init ();
  /* What the desktop's text-scaling-factor comes to. */
  g_object_set (gtk_settings_get_default (), "gtk-xft-dpi", (int)(96 * 1024 * g_ascii_strtod (argv[4], NULL)),
                NULL);
  gtk_widget_set_default_direction (g_str_equal (argv[3], "rtl") ? GTK_TEXT_DIR_RTL : GTK_TEXT_DIR_LTR);

  GtkWidget *window = open_window ();
  fen_gui_run_for (500);
  take (window, "empty");
  show_runs (window);
  show_compare (window);
  show_settings (window);
  show_training (window);
  show_others (window);
  g_application_quit (G_APPLICATION (application));
  return 0;
}
