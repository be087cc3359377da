/* Comparing runs: the same charts, the figures, and the settings in which they differ. */
#include "gui/runs/fen-compare-page.h"

#include "gui/chart/fen-chart.h"

#include "fen-gui-test.h"
#include "runs-fixture.h"

typedef struct {
  char *root;
  FenRunStore *store;
  GtkWidget *page, *window;
  GListStore *runs;
} Compare;

/* `n` steps whose loss falls from `first`; evaluations and memory now and then. Runs that begin above 4 also know their
 * device's memory, of which other programs have most. */
static void
write_metrics (const char *path, int begin, int n, double first)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *file = g_build_filename (path, "metrics.jsonl", NULL);
  g_autoptr (FenMetricsWriter) writer = fen_metrics_writer_new (file, NULL, FALSE, &error);
  g_assert_no_error (error);
  for (int step = begin; step < begin + n; step++)
    {
      FenSample sample;
      fen_sample_init (&sample, FEN_SAMPLE_TRAIN, step);
      sample.time = 1700000000 + step;
      sample.tokens = step * 1000;
      sample.loss = first / (1 + 0.02 * step) + 0.05 * sin (step);
      sample.tokens_per_second = 1000 * first;
      g_assert_true (fen_metrics_writer_write (writer, &sample, NULL));
      if (step % 20 != 0)
        continue;
      fen_sample_init (&sample, FEN_SAMPLE_EVAL, step);
      sample.time = 1700000000 + step;
      sample.loss = first / (1 + 0.02 * step) + 0.2;
      g_assert_true (fen_metrics_writer_write (writer, &sample, NULL));
      fen_sample_init (&sample, FEN_SAMPLE_MEMORY, step);
      sample.time = 1700000000 + step;
      sample.has_host = TRUE;
      sample.process_rss_bytes = 500u << 20;
      sample.process_peak_bytes = 512u << 20;
      sample.has_device = sample.has_device_process = first > 4;
      sample.device_used_bytes = G_GUINT64_CONSTANT (3) << 30;
      sample.device_process_bytes = 384u << 20;
      g_assert_true (fen_metrics_writer_write (writer, &sample, NULL));
    }
}

static FenRunFolder *
add_run (Compare *compare, const char *id, gint64 window, gboolean amp, double first, gint64 started)
{
  g_autoptr (FenConfig) config = fen_config_new ();
  config->window_size = window;
  config->amp = amp;
  FenRunFolder *folder = fixture_open_run (compare->root, id, config, started);
  write_metrics (fen_run_folder_path (folder), 1, 100, first);
  fixture_write_state (folder, FEN_RUN_FINISHED, started, first / 3);
  return folder;
}

static void
set_up (Compare *compare, gconstpointer data)
{
  compare->root = fixture_empty_root ();
  fen_run_folder_free (add_run (compare, "wide", 2048, TRUE, 4, 300));
  fen_run_folder_free (add_run (compare, "full", 0, TRUE, 5, 200));
  fen_run_folder_free (add_run (compare, "full twin", 0, TRUE, 5, 100));
  compare->store = fen_run_store_new (NULL);
  fen_gui_wait (fen_run_store_is_ready (compare->store), 5000);
  compare->runs = g_list_store_new (FEN_TYPE_RUN_ITEM);
  compare->page = fen_compare_page_new ();
}

static void
tear_down (Compare *compare, gconstpointer data)
{
  fen_gui_destroy (compare->window);
  fen_gui_assert_finalized (compare->runs);
  fixture_close_store (compare->store);
  g_assert_true (fen_io_remove_tree (compare->root, NULL));
  g_free (compare->root);
}

static FenRunItem *
run (Compare *compare, const char *id)
{
  FenRunItem *item = fixture_find_run (compare->store, compare->root, id);
  g_assert_nonnull (item);
  return item;
}

static void
show (Compare *compare, const char *first, const char *second, const char *third)
{
  g_list_store_append (compare->runs, run (compare, first));
  g_list_store_append (compare->runs, run (compare, second));
  if (third != NULL)
    g_list_store_append (compare->runs, run (compare, third));
  compare->window = fen_gui_show (compare->page, 900, 1300);
  fen_compare_page_set_runs (FEN_COMPARE_PAGE (compare->page), G_LIST_MODEL (compare->runs));
}

static const char *
cell (Compare *compare, const char *grid, int column, int row)
{
  GtkWidget *label = gtk_grid_get_child_at (GTK_GRID (fen_gui_find_id (compare->page, grid)), column, row);
  return label != NULL ? gtk_label_get_text (GTK_LABEL (label)) : NULL;
}

/* The row with this title; its cell of a run. */
static const char *
cell_of (Compare *compare, const char *grid, const char *title, int column)
{
  for (int row = 1; cell (compare, grid, 0, row) != NULL; row++)
    if (strcmp (cell (compare, grid, 0, row), title) == 0)
      return cell (compare, grid, column, row);
  return NULL;
}

static void
test_two (Compare *compare, gconstpointer data)
{
  show (compare, "wide", "full", NULL);
  fen_gui_wait (g_strcmp0 (cell_of (compare, "figures", "Peak memory", 2), "384 MiB") == 0, 5000);
  g_assert_cmpstr (cell_of (compare, "figures", "Peak memory", 1), ==, "512 MiB of RAM");
  g_assert_true (fen_gui_shows_text (compare->window, "Comparing 2 Runs"));
  g_assert_cmpstr (cell (compare, "figures", 1, 0), ==, "wide");
  g_assert_cmpstr (cell (compare, "figures", 2, 0), ==, "full");
  g_assert_cmpstr (cell_of (compare, "figures", "State", 1), ==, "Finished");
  g_autofree char *speed = fen_unit_format (FEN_UNIT_RATE, 5000);
  g_assert_cmpstr (cell_of (compare, "figures", "Speed (median)", 2), ==, speed);
  g_autofree char *loss = fen_unit_format (FEN_UNIT_NUMBER, 4 / 3.0 + 0.05 * sin (100));
  /* The two are read side by side: this one may come later. */
  fen_gui_wait (g_strcmp0 (cell_of (compare, "figures", "Last loss", 1), loss) == 0, 5000);

  /* Only what differs, titles from the option table. */
  fen_gui_wait (cell (compare, "settings", 0, 1) != NULL, 5000);
  const char *title = fen_config_find_option ("window_size")->title;
  g_assert_cmpstr (cell (compare, "settings", 0, 1), ==, title);
  g_assert_nonnull (strstr (cell (compare, "settings", 1, 1), "2048"));
  g_assert_cmpstr (cell (compare, "settings", 2, 1), ==, fen_config_find_option ("window_size")->zero_means);
  g_assert_null (cell (compare, "settings", 0, 2));

  /* Both runs stand in the legend of the loss chart, which has drawn something. */
  g_assert_true (fen_gui_shows_text (compare->window, "wide"));
  g_assert_true (fen_gui_shows_text (compare->window, "full, evaluation"));
  fen_gui_settle (compare->page);
  g_autoptr (GdkTexture) picture = fen_gui_render (fen_gui_find (compare->page, FEN_TYPE_CHART, NULL));
  g_assert_cmpuint (fen_gui_n_drawn (picture), >, 2000);
  fen_gui_picture (compare->window, "compare-page");
}

/* Three with two settings; then others: nothing of the first stays. */
static void
test_again (Compare *compare, gconstpointer data)
{
  show (compare, "wide", "full", "full twin");
  fen_gui_wait (cell (compare, "settings", 3, 1) != NULL, 5000);
  g_assert_true (fen_gui_shows_text (compare->window, "Comparing 3 Runs"));
  g_list_store_remove_all (compare->runs);
  g_list_store_append (compare->runs, run (compare, "full"));
  g_list_store_append (compare->runs, run (compare, "full twin"));
  fen_compare_page_set_runs (FEN_COMPARE_PAGE (compare->page), G_LIST_MODEL (compare->runs));
  fen_gui_wait (fen_gui_shows_text (compare->window, "These runs have the same settings."), 5000);
  g_assert_null (cell (compare, "figures", 3, 0));
  g_assert_null (cell (compare, "settings", 0, 1));
  g_assert_false (fen_gui_shows_text (compare->window, "wide"));
}

/* Runs of one name are told apart; a rename is followed. */
static void
test_names (Compare *compare, gconstpointer data)
{
  g_assert_true (fen_run_rename (fen_run_item_get_path (run (compare, "full twin")), "full", NULL));
  fen_run_store_refresh (compare->store);
  fen_gui_wait (strcmp (fen_run_item_get_name (run (compare, "full twin")), "full") == 0, 5000);
  show (compare, "full", "full twin", NULL);
  g_assert_cmpstr (cell (compare, "figures", 1, 0), ==, "full (full)");
  g_assert_cmpstr (cell (compare, "figures", 2, 0), ==, "full (full twin)");
  g_assert_true (fen_run_rename (fen_run_item_get_path (run (compare, "full twin")), "another", NULL));
  fen_run_store_refresh (compare->store);
  fen_gui_wait (g_strcmp0 (cell (compare, "figures", 2, 0), "another") == 0, 5000);
  g_assert_cmpstr (cell (compare, "figures", 1, 0), ==, "full");
  g_assert_true (fen_gui_shows_text (compare->window, "another, evaluation"));
}

/* A run that goes on while it is looked at. */
static void
test_live (Compare *compare, gconstpointer data)
{
  g_autoptr (FenRunFolder) live = add_run (compare, "live", 512, FALSE, 6, 400);
  fixture_write_state (live, FEN_RUN_RUNNING, 400, 2);
  fen_run_store_refresh (compare->store);
  fen_gui_wait (g_list_model_get_n_items (G_LIST_MODEL (compare->store)) == 4, 5000);
  show (compare, "live", "full", NULL);
  g_autofree char *before = fen_unit_format (FEN_UNIT_NUMBER, 6 / 3.0 + 0.05 * sin (100));
  g_autofree char *after = fen_unit_format (FEN_UNIT_NUMBER, 6 / (1 + 0.02 * 140) + 0.05 * sin (140));
  fen_gui_wait (g_strcmp0 (cell_of (compare, "figures", "Last loss", 1), before) == 0, 5000);
  g_assert_cmpstr (cell_of (compare, "figures", "State", 1), ==, "Running");
  write_metrics (fen_run_folder_path (live), 101, 40, 6);
  fen_gui_wait (g_strcmp0 (cell_of (compare, "figures", "Last loss", 1), after) == 0, 5000);
  g_assert_cmpstr (cell_of (compare, "settings", fen_config_find_option ("amp")->title, 1), ==, "Off");
}

/* A run without settings and metrics: its cells are empty, the others are there. */
static void
test_damaged (Compare *compare, gconstpointer data)
{
  fixture_put (fen_run_item_get_path (run (compare, "wide")), "config.json", "{ broken");
  show (compare, "wide", "full", NULL);
  fen_gui_wait (fen_gui_shows_text (compare->window, "cannot be read"), 5000);
  fen_gui_wait (g_strcmp0 (cell_of (compare, "figures", "Peak memory", 2), "384 MiB") == 0, 5000);
}

static void
count_up (guint *counter)
{
  (*counter)++;
}

static void
test_controls (Compare *compare, gconstpointer data)
{
  guint backs = 0;
  show (compare, "wide", "full", NULL);
  g_signal_connect_swapped (compare->page, "back", G_CALLBACK (count_up), &backs);
  fen_gui_click (fen_gui_find_id (compare->page, "back"));
  g_assert_cmpuint (backs, ==, 1);
  g_assert_true (fen_gui_key (fen_gui_find_id (compare->page, "back"), GDK_KEY_Escape, 0));
  g_assert_cmpuint (backs, ==, 2);
  GtkWidget *axis = fen_gui_find_id (compare->page, "axis");
  gtk_test_accessible_assert_property (axis, GTK_ACCESSIBLE_PROPERTY_LABEL, "Horizontal axis");
  gtk_test_accessible_assert_property (fen_gui_find_id (compare->page, "smoothing_scale"),
                                       GTK_ACCESSIBLE_PROPERTY_LABEL, "Smoothing");
  gtk_drop_down_set_selected (GTK_DROP_DOWN (axis), FEN_AXIS_WALL);
  fen_gui_settle (compare->page);
  /* Hidden and shown again, it reads its runs again. */
  gtk_widget_hide (compare->page);
  gtk_widget_show (compare->page);
  fen_gui_wait (g_strcmp0 (cell_of (compare, "figures", "Peak memory", 2), "384 MiB") == 0, 5000);
  fen_compare_page_set_runs (FEN_COMPARE_PAGE (compare->page), NULL);
  g_assert_true (fen_gui_shows_text (compare->window, "Comparing 0 Runs"));
}

int
main (int argc, char **argv)
{
  fen_gui_test_init (&argc, &argv);
#define ADD(name) g_test_add ("/compare-page/" #name, Compare, NULL, set_up, test_##name, tear_down)
  ADD (two);
  ADD (again);
  ADD (names);
  ADD (live);
  ADD (damaged);
  ADD (controls);
  return fen_gui_test_run ();
}
