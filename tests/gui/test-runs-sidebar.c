/* The list of runs at the left: what a person reads, clicks and types there. */
#include "gui/runs/fen-runs-sidebar.h"

#include "fen-gui-test.h"
#include "runs-fixture.h"

typedef struct {
  char *root;
  FenRunStore *store;
  GtkWidget *sidebar, *window;
  FenRunItem *opened, *reused, *resumed;
  AdwToast *toast;
  GListModel *compared;
} Side;

static void
on_item (FenRunsSidebar *sidebar, FenRunItem *item, FenRunItem **where)
{
  *where = item;
}

static void
on_toast (FenRunsSidebar *sidebar, AdwToast *toast, Side *side)
{
  g_clear_object (&side->toast);
  side->toast = toast;
}

static void
on_compare (FenRunsSidebar *sidebar, GListModel *runs, Side *side)
{
  g_set_object (&side->compared, runs);
}

static void
set_up (Side *side, gconstpointer data)
{
  const gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  side->root = fixture_empty_root ();
  G_GNUC_UNUSED g_autofree char *finished
      = fixture_make_run (side->root, "small and finished", FEN_RUN_FINISHED, now - 3 * 3600, 2.312);
  G_GNUC_UNUSED g_autofree char *failed
      = fixture_make_run (side->root, "full disk", FEN_RUN_FAILED, now - 86400 * 2, 3.5);
  G_GNUC_UNUSED g_autofree char *stopped
      = fixture_make_run (side->root, "stopped early", FEN_RUN_STOPPED, now - 3000, NAN);
  g_autofree char *bad = fixture_make_run (side->root, "bad", FEN_RUN_STOPPED, now - 100, 1);
  fixture_put (bad, "run.json", "{\"v\":1,\"status\":\"dancing\",\"step\":1,\"steps\":2}");
  side->store = fen_run_store_new (NULL);
  side->sidebar = fen_runs_sidebar_new (side->store);
  g_signal_connect (side->sidebar, "open", G_CALLBACK (on_item), &side->opened);
  g_signal_connect (side->sidebar, "reuse-settings", G_CALLBACK (on_item), &side->reused);
  g_signal_connect (side->sidebar, "resume", G_CALLBACK (on_item), &side->resumed);
  g_signal_connect (side->sidebar, "toast", G_CALLBACK (on_toast), side);
  g_signal_connect (side->sidebar, "compare", G_CALLBACK (on_compare), side);
  side->window = fen_gui_show (side->sidebar, 300, 640);
  fen_gui_wait (fen_run_store_is_ready (side->store), 5000);
  fen_gui_settle (side->sidebar);
}

static void
tear_down (Side *side, gconstpointer data)
{
  g_clear_object (&side->toast);
  g_clear_object (&side->compared);
  if (side->window != NULL)
    fen_gui_destroy (side->window);
  fixture_close_store (side->store);
  g_assert_true (fen_io_remove_tree (side->root, NULL));
  g_free (side->root);
}

static FenRunItem *
run (Side *side, const char *id)
{
  return fixture_find_run (side->store, side->root, id);
}

/* The list's own widget around a row, which has the focus and the accessible name. */
static GtkWidget *
holder (Side *side, const char *name)
{
  GtkWidget *label = fen_gui_find (side->sidebar, GTK_TYPE_LABEL, name);
  g_assert_nonnull (label);
  GtkWidget *row = gtk_widget_get_ancestor (label, g_type_from_name ("FenRunRow"));
  return gtk_widget_get_parent (row);
}

static void
activate (Side *side, FenRunItem *item, const char *action)
{
  g_assert_nonnull (item);
  fen_gui_click (fen_gui_find_id (holder (side, fen_run_item_get_name (item)), "menu"));
  fen_gui_settle (side->sidebar);
  g_assert_true (gtk_widget_activate_action (side->sidebar, action, NULL));
  GtkWidget *menu = fen_gui_find (side->sidebar, GTK_TYPE_POPOVER_MENU, NULL);
  gtk_popover_popdown (GTK_POPOVER (menu));
}

static void
test_rows (Side *side, gconstpointer data)
{
  g_assert_true (fen_gui_shows_text (side->window, "small and finished"));
  g_assert_true (fen_gui_shows_text (side->window, "Finished · loss 2.31"));
  g_assert_true (fen_gui_shows_text (side->window, "2 h ago"));
  g_assert_true (fen_gui_shows_text (side->window, "Failed · loss 3.5"));
  g_assert_true (fen_gui_shows_text (side->window, "the disk was full"));
  g_assert_true (fen_gui_shows_text (side->window, "Stopped"));
  g_assert_true (fen_gui_shows_text (side->window, "Damaged"));
  g_assert_true (fen_gui_shows_text (side->window, "run.json: status is \"dancing\""));
  g_assert_false (fen_gui_shows_text (side->window, "Shown in this window"));
  gtk_test_accessible_assert_property (holder (side, "small and finished"), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                       "small and finished, Finished · loss 2.31, 2 h ago");
  gtk_test_accessible_assert_property (holder (side, "full disk"), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                       "the disk was full");
  gtk_test_accessible_assert_property (fen_gui_find (side->sidebar, GTK_TYPE_SEARCH_ENTRY, NULL),
                                       GTK_ACCESSIBLE_PROPERTY_LABEL, "Search runs");

  fen_runs_sidebar_set_current (FEN_RUNS_SIDEBAR (side->sidebar),
                                fen_run_item_get_path (run (side, "full disk")));
  g_assert_true (fen_gui_shows_text (holder (side, "full disk"), "Shown in this window"));
  g_assert_false (fen_gui_shows_text (holder (side, "small and finished"), "Shown in this window"));
  fen_gui_settle (side->sidebar);
  fen_gui_picture (side->window, "runs-sidebar");
  fen_runs_sidebar_set_current (FEN_RUNS_SIDEBAR (side->sidebar), NULL);
  g_assert_false (fen_gui_shows_text (side->window, "Shown in this window"));
}

/* A run's row follows its folder. */
static void
test_live (Side *side, gconstpointer data)
{
  fen_run_store_set_active (side->store, TRUE);
  g_autoptr (FenRunFolder) folder
      = fixture_open_run (side->root, "live", NULL, g_get_real_time () / G_USEC_PER_SEC);
  fen_gui_wait (fen_gui_shows_text (side->window, "just now"), 3000);
  g_autofree char *metrics = fen_run_folder_file (folder, "metrics.jsonl");
  g_assert_true (g_file_set_contents (
      metrics, "{\"v\":1,\"kind\":\"train\",\"step\":50,\"loss\":1.5,\"tokens\":5700}\n", -1, NULL));
  fen_gui_wait (fen_gui_shows_text (side->window, "Running, 50 % · loss 1.5"), 3000);
  fen_run_store_set_active (side->store, FALSE);
}

static void
test_menu (Side *side, gconstpointer data)
{
  activate (side, run (side, "stopped early"), "run.open");
  g_assert_true (side->opened == run (side, "stopped early"));
  activate (side, run (side, "stopped early"), "run.resume");
  g_assert_true (side->resumed == run (side, "stopped early"));
  activate (side, run (side, "small and finished"), "run.reuse-settings");
  g_assert_true (side->reused == run (side, "small and finished"));
  /* All steps of this one are done. */
  side->resumed = NULL;
  activate (side, run (side, "small and finished"), "run.resume");
  g_assert_null (side->resumed);
  /* The list item's activation, as Enter and double click cause it. */
  side->opened = NULL;
  GtkWidget *list = fen_gui_find (side->sidebar, GTK_TYPE_LIST_VIEW, NULL);
  g_signal_emit_by_name (list, "activate", 0);
  g_assert_true (side->opened == run (side, "bad"));
}

static void
test_rename (Side *side, gconstpointer data)
{
  GtkWidget *entry = fen_gui_find_id (side->sidebar, "rename_entry");
  gtk_widget_grab_focus (holder (side, "full disk"));
  g_assert_true (fen_gui_key (holder (side, "full disk"), GDK_KEY_F2, 0));
  fen_gui_wait (gtk_widget_get_mapped (entry), 2000);
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (entry)), ==, "full disk");
  g_autoptr (GString) long_name = g_string_new (NULL);
  for (int i = 0; i < 201; i++)
    g_string_append_c (long_name, 'x');
  fen_gui_type (entry, long_name->str);
  fen_gui_click (fen_gui_find_id (side->sidebar, "rename_button"));
  fen_gui_wait (
      fen_gui_shows_text (gtk_widget_get_parent (gtk_widget_get_parent (entry)), "at most 200 bytes"), 2000);
  gtk_test_accessible_assert_state (entry, GTK_ACCESSIBLE_STATE_INVALID, GTK_ACCESSIBLE_INVALID_TRUE);
  fen_gui_type (entry, "a better name");
  gtk_test_accessible_assert_state (entry, GTK_ACCESSIBLE_STATE_INVALID, GTK_ACCESSIBLE_INVALID_FALSE);
  fen_gui_click (fen_gui_find_id (side->sidebar, "rename_button"));
  fen_gui_wait (fen_gui_shows_text (side->window, "a better name"), 2000);
  fen_gui_wait (!gtk_widget_get_mapped (entry), 2000);
  g_assert_cmpstr (fen_run_item_get_name (run (side, "full disk")), ==, "a better name");
}

static void
test_delete (Side *side, gconstpointer data)
{
  GtkWidget *row = holder (side, "stopped early");
  FenRunItem *item = run (side, "stopped early");
  g_autofree char *path = g_strdup (fen_run_item_get_path (item));
  gtk_widget_grab_focus (row);
  g_assert_true (fen_gui_key (row, GDK_KEY_Delete, 0));
  fen_gui_wait (side->toast != NULL, 2000);
  g_assert_cmpstr (adw_toast_get_title (side->toast), ==, "“stopped early” deleted");
  g_assert_cmpstr (adw_toast_get_button_label (side->toast), ==, "_Undo");
  fen_gui_settle (side->sidebar);
  g_assert_false (fen_gui_shows_text (side->window, "stopped early"));
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_signal_emit_by_name (side->toast, "button-clicked");
  g_signal_emit_by_name (side->toast, "dismissed");
  fen_gui_wait (fen_gui_shows_text (side->window, "stopped early"), 2000);
  g_assert_true (run (side, "stopped early") == item);

  /* And for good, once the toast has gone. */
  g_clear_object (&side->toast);
  activate (side, item, "run.delete");
  fen_gui_wait (side->toast != NULL, 2000);
  g_autofree char *discarded = g_build_filename (side->root, ".discarded-stopped early", NULL);
  g_assert_true (g_file_test (discarded, G_FILE_TEST_IS_DIR));
  g_signal_emit_by_name (side->toast, "dismissed");
  fen_gui_wait (!g_file_test (discarded, G_FILE_TEST_EXISTS), 2000);
}

/* A run that somebody trains is not deleted, and the toast says why. */
static void
test_delete_in_use (Side *side, gconstpointer data)
{
  g_autofree char *path = g_build_filename (side->root, "full disk", NULL);
  G_GNUC_UNUSED g_autoptr (FenRunFolder) folder = fen_run_folder_open (path, NULL);
  GtkWidget *row = holder (side, "full disk");
  gtk_widget_grab_focus (row);
  g_assert_true (fen_gui_key (row, GDK_KEY_Delete, 0));
  fen_gui_wait (side->toast != NULL, 2000);
  g_assert_cmpstr (adw_toast_get_title (side->toast), ==, "“full disk” is being trained; stop it first");
  g_assert_true (fen_gui_shows_text (side->window, "full disk"));
  g_assert_true (g_file_test (path, G_FILE_TEST_IS_DIR));
}

static void
test_search (Side *side, gconstpointer data)
{
  GtkWidget *entry = fen_gui_find (side->sidebar, GTK_TYPE_SEARCH_ENTRY, NULL);
  fen_gui_type (entry, "FULL");
  fen_gui_wait (!fen_gui_shows_text (side->window, "stopped early"), 2000);
  g_assert_true (fen_gui_shows_text (side->window, "full disk"));
  fen_gui_type (entry, "no such run");
  fen_gui_wait (fen_gui_shows_text (side->window, "No Runs Found"), 2000);
  fen_gui_type (entry, "BOOK.txt");
  fen_gui_wait (fen_gui_shows_text (side->window, "stopped early"), 2000);
  g_signal_emit_by_name (entry, "stop-search");
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (entry)), ==, "");
}

static void
test_select (Side *side, gconstpointer data)
{
  GtkWidget *compare = fen_gui_find_id (side->sidebar, "compare");
  activate (side, run (side, "full disk"), "run.compare");
  fen_gui_settle (side->sidebar);
  g_assert_true (fen_gui_shows_text (side->window, "1 selected"));
  g_assert_false (gtk_widget_get_sensitive (compare));
  GtkWidget *check = fen_gui_find (holder (side, "small and finished"), GTK_TYPE_CHECK_BUTTON, NULL);
  gtk_test_accessible_assert_property (check, GTK_ACCESSIBLE_PROPERTY_LABEL, "small and finished");
  fen_gui_click (check);
  g_assert_true (fen_gui_shows_text (side->window, "2 selected"));
  fen_gui_settle (side->sidebar);
  fen_gui_picture (side->window, "runs-sidebar-select");
  /* Enter on a row checks it instead of opening. */
  GtkWidget *list = fen_gui_find (side->sidebar, GTK_TYPE_LIST_VIEW, NULL);
  g_signal_emit_by_name (list, "activate", 1);
  g_assert_true (fen_gui_shows_text (side->window, "3 selected"));
  g_assert_null (side->opened);
  g_signal_emit_by_name (list, "activate", 1);
  fen_gui_click (compare);
  g_assert_cmpuint (g_list_model_get_n_items (side->compared), ==, 2);
  g_autoptr (FenRunItem) first = g_list_model_get_item (side->compared, 0);
  g_autoptr (FenRunItem) second = g_list_model_get_item (side->compared, 1);
  g_assert_true (first == run (side, "small and finished"));
  g_assert_true (second == run (side, "full disk"));
  fen_gui_settle (side->sidebar);
  g_assert_false (gtk_widget_get_mapped (check));

  /* Escape leaves, and nothing stays checked. */
  fen_gui_click (fen_gui_find_id (side->sidebar, "select"));
  g_signal_emit_by_name (list, "activate", 1);
  g_assert_true (fen_gui_key (list, GDK_KEY_Escape, 0));
  fen_gui_click (fen_gui_find_id (side->sidebar, "select"));
  g_assert_false (gtk_widget_get_sensitive (compare));
}

/* A checked run that is deleted counts no more. */
static void
test_select_deleted (Side *side, gconstpointer data)
{
  GtkWidget *list = fen_gui_find (side->sidebar, GTK_TYPE_LIST_VIEW, NULL);
  fen_gui_click (fen_gui_find_id (side->sidebar, "select"));
  g_signal_emit_by_name (list, "activate", 1);
  g_signal_emit_by_name (list, "activate", 2);
  g_assert_true (gtk_widget_get_sensitive (fen_gui_find_id (side->sidebar, "compare")));
  g_assert_true (fen_io_remove_tree (fen_run_item_get_path (run (side, "small and finished")), NULL));
  fen_run_store_refresh (side->store);
  fen_gui_wait (fen_gui_shows_text (side->window, "1 selected"), 2000);
  g_assert_false (gtk_widget_get_sensitive (fen_gui_find_id (side->sidebar, "compare")));
}

static void
test_empty (Side *side, gconstpointer data)
{
  g_assert_true (fen_io_remove_tree (side->root, NULL));
  fen_run_store_refresh (side->store);
  fen_gui_wait (fen_gui_shows_text (side->window, "No Runs Yet"), 2000);
  fen_gui_settle (side->sidebar);
  fen_gui_picture (side->window, "runs-sidebar-empty");
  g_autofree char *missing = g_build_filename (side->root, "missing", NULL);
  fen_run_store_set_places (side->store, (const char *const[]){ missing, NULL });
  fen_gui_wait (fen_gui_shows_text (side->window, "missing"), 2000);
}

/* The window goes while the toast is there: the run is deleted at the next start, nothing leaks. */
static void
test_gone_with_toast (Side *side, gconstpointer data)
{
  activate (side, run (side, "full disk"), "run.delete");
  fen_gui_wait (side->toast != NULL, 2000);
  fen_gui_destroy (g_steal_pointer (&side->window));
  g_signal_emit_by_name (side->toast, "button-clicked");
  g_autofree char *path = g_build_filename (side->root, "full disk", NULL);
  fen_gui_wait (g_file_test (path, G_FILE_TEST_IS_DIR), 2000);
  fen_gui_run_for (100);
}

int
main (int argc, char **argv)
{
  fen_gui_test_init (&argc, &argv);
#define ADD(name) g_test_add ("/runs-sidebar/" #name, Side, NULL, set_up, test_##name, tear_down)
  ADD (rows);
  ADD (live);
  ADD (menu);
  ADD (rename);
  ADD (delete);
  ADD (delete_in_use);
  ADD (search);
  ADD (select);
  ADD (select_deleted);
  ADD (empty);
  ADD (gone_with_toast);
  return fen_gui_test_run ();
}
