/* test-desktop.c: what a run asks of the desktop, seen from the desktop's side: no suspend while it trains, and word of
 * its end to a person who has closed the window. */
#include "tests/gui/mock-desktop.h"
#include "tests/gui/window-scene.h"

#define BOTH (GTK_APPLICATION_INHIBIT_LOGOUT | GTK_APPLICATION_INHIBIT_SUSPEND)

static MockDesktop desktop;

/* ---- suspend and logout ---- */

static void
play_inhibit (Scene *scene)
{
  settle_settings (scene, 1000000);
  fen_gui_run_for (100);
  g_assert_cmpuint (mock_desktop_inhibited (&desktop), ==, 0);
  FenRunSession *own = start_and_wait (scene);
  g_assert_cmpuint (mock_desktop_inhibited (&desktop), ==, BOTH);
  g_assert_cmpstr (desktop.reason, ==, "A language model is being trained");
  /* A pause is no end: what is in memory would be lost. */
  fen_run_session_command (own, FEN_COMMAND_PAUSE);
  fen_gui_wait (phase_of (own) == FEN_PHASE_PAUSED, 30000);
  g_assert_cmpuint (mock_desktop_inhibited (&desktop), ==, BOTH);
  stop_and_wait (scene);
  fen_gui_wait (mock_desktop_inhibited (&desktop) == 0, 3000);

  /* Each run anew, also the one that goes on. */
  fen_gui_wait (can (scene, "resume"), 10000);
  act (scene, "resume");
  fen_gui_wait (mock_desktop_inhibited (&desktop) == BOTH, 3000);
  stop_and_wait (scene);
  fen_gui_wait (mock_desktop_inhibited (&desktop) == 0, 3000);
  g_assert_cmpuint (desktop.n_calls, ==, 2);
  g_assert_cmpuint (mock_desktop_n_notifications (&desktop), ==, 0); /* they are off in these settings */
}

/* ---- word of the end ---- */

/* A run that waits for fen_run_session_command (..., FEN_COMMAND_CONTINUE) while nobody has a window open. */
static FenRunSession *
train_in_background (Scene *scene)
{
  g_settings_set_boolean (fen_application_get_gsettings (scene->application), FEN_KEY_NOTIFY, TRUE);
  FenRunSession *own = start_and_wait (scene);
  fen_run_session_command (own, FEN_COMMAND_PAUSE);
  fen_gui_wait (phase_of (own) == FEN_PHASE_PAUSED, 30000);
  gtk_window_close (GTK_WINDOW (window_of (scene)));
  fen_gui_wait (question () != NULL, 3000);
  answer ("_Keep Training");
  fen_gui_wait (window_of (scene) == NULL, 3000);
  g_assert_cmpuint (mock_desktop_inhibited (&desktop), ==, BOTH);
  g_assert_cmpuint (mock_desktop_n_notifications (&desktop), ==, 0);
  return own;
}

static void
wait_for_word (Scene *scene)
{
  fen_gui_wait (fen_application_get_own_run (scene->application) == NULL, 60000);
  fen_gui_wait (mock_desktop_n_notifications (&desktop) == 1, 3000);
  fen_gui_wait (mock_desktop_inhibited (&desktop) == 0, 3000);
}

static void
play_finished (Scene *scene)
{
  settle_settings (scene, 300);
  FenRunSession *own = train_in_background (scene);
  g_autofree char *name = g_strdup (fen_run_session_get_name (own));
  fen_run_session_command (own, FEN_COMMAND_CONTINUE);
  wait_for_word (scene);
  g_assert_cmpstr (desktop.summary, ==, "Training Finished");
  g_autofree char *body = g_strdup_printf ("“%s”: 300 steps done, loss ", name);
  g_assert_true (g_str_has_prefix (desktop.body, body));

  mock_desktop_press_notification (&desktop);
  fen_gui_wait (window_of (scene) != NULL, 5000);
  fen_gui_wait (fen_gui_shows_text (GTK_WIDGET (window_of (scene)), "Step 300 of 300"), 10000);
}

/* At this rate no gradient stays finite; the trainer gives up after ten updates in a row. */
static void
play_failed (Scene *scene)
{
  settle_settings (scene, 1000000);
  FenSettings *settings = fen_application_get_settings (scene->application);
  g_autoptr (FenConfig) config = fen_config_copy (fen_settings_get_config (settings));
  config->expert = TRUE;
  config->warmup_steps = 200; /* the run gets as far as its pause */
  config->learning_rate = 100;
  config->grad_clip = 0;
  fen_settings_set_config (settings, config);
  fen_run_session_command (train_in_background (scene), FEN_COMMAND_CONTINUE);
  wait_for_word (scene);
  g_assert_cmpstr (desktop.summary, ==, "Training Failed");
  g_assert_true (g_str_has_prefix (desktop.body, "10 updates in a row"));
}

/* ---- the tests ---- */

static void
perform_on_desktop (gconstpointer play)
{
  mock_desktop_start (&desktop);
  perform ((Play)play, NULL);
  mock_desktop_stop (&desktop);
}

int
main (int argc, char **argv)
{
  fen_gui_test_init (&argc, &argv);
  g_test_add_data_func ("/desktop/inhibit", play_inhibit, perform_on_desktop);
  g_test_add_data_func ("/desktop/finished-in-background", play_finished, perform_on_desktop);
  g_test_add_data_func ("/desktop/failed-in-background", play_failed, perform_on_desktop);
  return fen_gui_test_run ();
}
