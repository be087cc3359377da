/* test-window.c: the whole application in this process: actions by state, closing during a run, what is remembered, and
 * that nothing of it stays behind. Runs are real ones, of a few parameters. */
#include "gui/run/fen-run-page.h"
#include "tests/gui/runs-fixture.h"
#include "tests/gui/window-scene.h"

/* ---- looking ---- */

static gboolean
has_button (Scene *scene, const char *id)
{
  return gtk_widget_get_mapped (fen_gui_find_id (GTK_WIDGET (window_of (scene)), id));
}

static char *
remembered (Scene *scene, const char *key)
{
  return g_settings_get_string (fen_application_get_gsettings (scene->application), key);
}

/* ---- actions ---- */

static void
play_idle (Scene *scene)
{
  GtkWidget *window = GTK_WIDGET (window_of (scene));
  fen_gui_settle (window);
  g_assert_true (can (scene, "start") && can (scene, "settings") && can (scene, "toggle-sidebar"));
  g_assert_false (can (scene, "pause") || can (scene, "continue") || can (scene, "stop")
                  || can (scene, "checkpoint") || can (scene, "resume"));
  g_assert_true (has_button (scene, "start_button"));
  g_assert_false (has_button (scene, "stop_button"));
  g_assert_true (fen_gui_shows_text (window, "Training Settings"));
  fen_gui_picture (window, "window-idle");
}

static void
test_idle (void)
{
  perform (play_idle, NULL);
}

static void
play_run (Scene *scene)
{
  settle_settings (scene, 1000000);
  FenRunSession *own = start_and_wait (scene);
  g_autofree char *path = g_strdup (fen_run_session_get_path (own));
  g_autofree char *owned = remembered (scene, FEN_KEY_OWN_RUN);
  g_assert_cmpstr (owned, ==, path);
  /* Its Output Folder is no place of the preferences: it is listed all the same. */
  FenRunStore *runs = fen_application_get_runs (scene->application);
  fen_gui_wait (fen_run_store_find (runs, path) != NULL, 5000);
  g_assert_false (can (scene, "start"));
  fen_gui_wait (can (scene, "pause") && can (scene, "stop") && can (scene, "checkpoint"), 5000);
  fen_gui_settle (GTK_WIDGET (window_of (scene)));
  g_assert_true (has_button (scene, "pause_button") && has_button (scene, "stop_button"));
  g_assert_false (has_button (scene, "start_button"));

  act (scene, "pause");
  fen_gui_wait (phase_of (own) == FEN_PHASE_PAUSED && can (scene, "continue"), 30000);
  g_assert_true (has_button (scene, "continue_button"));
  g_assert_false (can (scene, "pause"));
  act (scene, "continue");
  fen_gui_wait (phase_of (own) == FEN_PHASE_TRAINING && can (scene, "pause"), 30000);

  act (scene, "checkpoint");
  FenTrainerStatus status = { .checkpoint_step = -1 };
  fen_gui_wait ((fen_run_session_status (own, &status), status.checkpoint_step > 0), 30000);
  fen_gui_picture (GTK_WIDGET (window_of (scene)), "window-running");

  stop_and_wait (scene);
  g_autofree char *none = remembered (scene, FEN_KEY_OWN_RUN);
  g_autofree char *last = remembered (scene, FEN_KEY_LAST_RUN);
  g_assert_cmpstr (none, ==, "");
  g_assert_cmpstr (last, ==, path);
  g_autoptr (FenRunInfo) info = fen_run_info (path);
  g_assert_cmpint (info->status, ==, FEN_RUN_STOPPED);
  g_assert_cmpint (info->checkpoint_step, ==, info->step);

  fen_gui_wait (can (scene, "start") && can (scene, "resume"), 10000);
  act (scene, "resume");
  own = fen_application_get_own_run (scene->application);
  fen_gui_wait (phase_of (own) == FEN_PHASE_TRAINING && can (scene, "stop"), 60000);
  g_assert_cmpstr (fen_run_session_get_path (own), ==, path);
  stop_and_wait (scene);
}

static void
test_run (void)
{
  perform (play_run, NULL);
}

/* The disk with the runs is taken out and the text is deleted: the run goes on and the page says what is missing; its
 * end is a failure that says why, everywhere. */
static void
play_disk_gone (Scene *scene)
{
  FenSettings *settings = fen_application_get_settings (scene->application);
  settle_settings (scene, 1000000);
  g_assert_true (fen_settings_set_text (settings, fen_config_find_option ("checkpoint_interval"), "20"));
  g_autofree char *text = g_build_filename (scene->folder, "text.txt", NULL);
  FenRunSession *own = start_and_wait (scene);
  g_autofree char *runs = g_path_get_dirname (fen_run_session_get_path (own));
  g_autofree char *away = g_strconcat (runs, ".away", NULL);
  g_assert_cmpint (g_unlink (text), ==, 0);
  g_assert_cmpint (g_rename (runs, away), ==, 0);
  GtkWidget *window = GTK_WIDGET (window_of (scene));
  fen_gui_wait (fen_gui_shows_text (window, "The run goes on, with a problem"), 10000);
  fen_gui_wait (fen_gui_shows_text (window, "the run folder is not there any more"), 10000);
  stop_and_wait (scene);
  fen_gui_wait (fen_gui_shows_text (window, "The run failed"), 10000);
  g_assert_true (fen_gui_shows_text (window, "Check that the disk is there"));
  fen_gui_run_for (1500); /* the folder was looked for meanwhile */
  g_assert_false (fen_gui_shows_text (window, "Damaged"));
  fen_gui_picture (window, "window-disk-gone");
  g_assert_false (g_file_test (runs, G_FILE_TEST_EXISTS));
}

static void
test_disk_gone (void)
{
  perform (play_disk_gone, NULL);
}

/* Start with settings that cannot be trained says what is wrong, and where. */
static void
play_blocked (Scene *scene)
{
  FenSettings *settings = fen_application_get_settings (scene->application);
  g_assert_false (fen_settings_set_text (settings, fen_config_find_option ("window_size"), "abc"));
  act (scene, "start");
  g_assert_null (fen_application_get_own_run (scene->application));
  fen_gui_settle (GTK_WIDGET (window_of (scene)));
  GtkWidget *bar = fen_gui_find_id (GTK_WIDGET (window_of (scene)), "problem_bar");
  g_assert_true (gtk_info_bar_get_revealed (GTK_INFO_BAR (bar)));
  g_assert_true (fen_gui_shows_text (bar, "abc"));
}

static void
test_blocked (void)
{
  perform (play_blocked, NULL);
}

/* ---- closing ---- */

static void
play_close_in_background (Scene *scene)
{
  settle_settings (scene, 1000000);
  FenRunSession *own = start_and_wait (scene);
  gtk_window_close (GTK_WINDOW (window_of (scene)));
  fen_gui_wait (question () != NULL, 3000);
  gtk_window_close (GTK_WINDOW (window_of (scene))); /* asked once, however often it is closed */
  fen_gui_run_for (50);
  fen_gui_picture (GTK_WIDGET (question ()), "close-question");
  answer ("_Cancel");
  g_assert_null (question ());
  g_assert_nonnull (window_of (scene));

  gtk_window_close (GTK_WINDOW (window_of (scene)));
  fen_gui_wait (question () != NULL, 3000);
  answer ("_Keep Training");
  fen_gui_wait (window_of (scene) == NULL, 3000);
  FenTrainerStatus before, after;
  fen_run_session_status (own, &before);
  fen_gui_wait ((fen_run_session_status (own, &after), after.step > before.step + 5), 30000);

  g_application_activate (G_APPLICATION (scene->application));
  g_assert_nonnull (window_of (scene));
  fen_gui_wait (can (scene, "stop"), 3000);
  stop_and_wait (scene);
}

static void
test_close_in_background (void)
{
  perform (play_close_in_background, NULL);
}

static void
play_close_and_stop (Scene *scene)
{
  settle_settings (scene, 1000000);
  FenRunSession *own = start_and_wait (scene);
  g_autofree char *path = g_strdup (fen_run_session_get_path (own));
  gtk_window_close (GTK_WINDOW (window_of (scene)));
  fen_gui_wait (question () != NULL, 3000);
  answer ("_Stop and Save");
  fen_gui_wait (fen_application_get_own_run (scene->application) == NULL, 60000);
  g_autoptr (FenRunInfo) info = fen_run_info (path);
  g_assert_cmpint (info->status, ==, FEN_RUN_STOPPED);
  g_assert_cmpint (info->checkpoint_step, >, 0);
}

static void
test_close_and_stop (void)
{
  perform (play_close_and_stop, NULL);
}

/* ---- what is remembered ---- */

/* A run that was trained by a window that was killed: its folder says running, and nobody has its lock. */
static char *
make_interrupted (Scene *scene)
{
  g_autoptr (FenRunFolder) folder = fixture_open_run (scene->folder, "lost", NULL, 1000);
  return g_strdup (fen_run_folder_path (folder));
}

static void
play_interrupted (Scene *scene)
{
  g_autofree char *path = make_interrupted (scene);
  GSettings *gsettings = fen_application_get_gsettings (scene->application);
  gtk_window_destroy (GTK_WINDOW (window_of (scene)));
  g_application_hold (G_APPLICATION (scene->application));
  g_settings_set_string (gsettings, FEN_KEY_OWN_RUN, path);

  g_application_activate (G_APPLICATION (scene->application));
  GtkWidget *bar = fen_gui_find_id (GTK_WIDGET (window_of (scene)), "interrupted_bar");
  fen_gui_wait (gtk_info_bar_get_revealed (GTK_INFO_BAR (bar)), 5000);
  fen_gui_settle (bar);
  g_assert_true (fen_gui_shows_text (bar, "“lost” was interrupted at step 40"));
  fen_gui_picture (GTK_WIDGET (window_of (scene)), "window-interrupted");
  gtk_info_bar_response (GTK_INFO_BAR (bar), GTK_RESPONSE_CLOSE);
  g_assert_false (gtk_info_bar_get_revealed (GTK_INFO_BAR (bar)));
  g_autofree char *left = remembered (scene, FEN_KEY_OWN_RUN);
  g_assert_cmpstr (left, ==, "");
  g_application_release (G_APPLICATION (scene->application));
}

static void
test_interrupted (void)
{
  perform (play_interrupted, NULL);
}

static void
play_state (Scene *scene)
{
  g_application_hold (G_APPLICATION (scene->application));
  fen_gui_settle (GTK_WIDGET (window_of (scene)));
  gtk_window_set_default_size (GTK_WINDOW (window_of (scene)), 1024, 600);
  fen_gui_settle (GTK_WIDGET (window_of (scene)));
  act (scene, "toggle-sidebar");
  GtkWidget *charts = fen_gui_find (GTK_WIDGET (window_of (scene)), FEN_TYPE_RUN_PAGE, NULL);
  FenChartGroup *group = fen_run_page_get_chart_group (FEN_RUN_PAGE (charts));
  fen_chart_group_set_smoothing (group, 0.25);
  fen_chart_group_set_axis (group, FEN_AXIS_WALL);
  gtk_window_close (GTK_WINDOW (window_of (scene)));
  fen_gui_wait (window_of (scene) == NULL, 3000);

  g_application_activate (G_APPLICATION (scene->application));
  int width, height;
  gtk_window_get_default_size (GTK_WINDOW (window_of (scene)), &width, &height);
  g_assert_cmpint (width, ==, 1024);
  g_assert_cmpint (height, ==, 600);
  g_autoptr (GVariant) shown
      = g_action_group_get_action_state (G_ACTION_GROUP (window_of (scene)), "toggle-sidebar");
  g_assert_false (g_variant_get_boolean (shown));
  charts = fen_gui_find (GTK_WIDGET (window_of (scene)), FEN_TYPE_RUN_PAGE, NULL);
  group = fen_run_page_get_chart_group (FEN_RUN_PAGE (charts));
  g_assert_cmpfloat (fen_chart_group_get_smoothing (group), ==, 0.25);
  g_assert_cmpint (fen_chart_group_get_axis (group), ==, FEN_AXIS_WALL);
  g_application_release (G_APPLICATION (scene->application));
}

static void
test_state (void)
{
  perform (play_state, NULL);
}

/* The preference and the option are one switch; a configuration that needs it turns it on. */
static void
play_expert (Scene *scene)
{
  GSettings *gsettings = fen_application_get_gsettings (scene->application);
  FenSettings *settings = fen_application_get_settings (scene->application);
  const FenOption *expert = fen_config_find_option ("expert");
  g_settings_set_boolean (gsettings, FEN_KEY_EXPERT, TRUE);
  g_assert_true (fen_settings_get_boolean (settings, expert));
  g_autoptr (FenConfig) plain = fen_config_new ();
  fen_settings_set_config (settings, plain);
  g_assert_true (fen_settings_get_boolean (settings, expert));
  g_settings_set_boolean (gsettings, FEN_KEY_EXPERT, FALSE);
  g_assert_false (fen_settings_get_boolean (settings, expert));
  plain->expert = TRUE;
  fen_settings_set_config (settings, plain);
  g_assert_true (g_settings_get_boolean (gsettings, FEN_KEY_EXPERT));
}

static void
test_expert (void)
{
  perform (play_expert, NULL);
}

/* `fenestra RUN` with a run that is not there opens the window and says so. */
static void
play_unknown_run (Scene *scene)
{
  fen_gui_wait (window_of (scene) != NULL, 3000);
  GtkWidget *bar = fen_gui_find_id (GTK_WIDGET (window_of (scene)), "problem_bar");
  fen_gui_wait (gtk_info_bar_get_revealed (GTK_INFO_BAR (bar)), 5000);
  fen_gui_settle (bar);
  g_assert_true (fen_gui_shows_text (bar, "no-such-run"));
}

static void
test_unknown_run (void)
{
  if (g_test_subprocess ())
    {
      perform (play_unknown_run, "no-such-run");
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_stderr ("*fenestra: *no-such-run*");
}

int
main (int argc, char **argv)
{
  fen_gui_test_init (&argc, &argv);
  g_test_add_func ("/window/idle", test_idle);
  g_test_add_func ("/window/run", test_run);
  g_test_add_func ("/window/disk-gone", test_disk_gone);
  g_test_add_func ("/window/blocked", test_blocked);
  g_test_add_func ("/window/close-in-background", test_close_in_background);
  g_test_add_func ("/window/close-and-stop", test_close_and_stop);
  g_test_add_func ("/window/interrupted", test_interrupted);
  g_test_add_func ("/window/state", test_state);
  g_test_add_func ("/window/expert", test_expert);
  g_test_add_func ("/window/unknown-run", test_unknown_run);
  return fen_gui_test_run ();
}
