/* window-scene.h: the whole application in the test's own process, with real runs of a few parameters, for the tests of
 * what it does as a whole. */
#pragma once

#include "core/base/fen-io.h"
#include "gui/app/fen-schema.h"
#include "gui/app/fen-window.h"
#include "tests/gui/fen-gui-test.h"
#include "tests/support/train-fixture.h"

G_BEGIN_DECLS

typedef struct {
  FenApplication *application;
  char *folder;
} Scene;

typedef void (*Play) (Scene *scene);

typedef struct {
  Scene scene;
  Play play;
} Stage;

static inline gboolean
on_idle (gpointer data)
{
  Stage *stage = data;
  stage->play (&stage->scene);
  GtkApplication *application = GTK_APPLICATION (stage->scene.application);
  g_assert_null (fen_application_get_own_run (stage->scene.application));
  while (gtk_application_get_windows (application) != NULL)
    fen_gui_destroy (gtk_application_get_windows (application)->data);
  g_application_quit (G_APPLICATION (application));
  return G_SOURCE_REMOVE;
}

static inline void
forget (void)
{
  g_autoptr (GSettings) gsettings = fen_schema_open (NULL);
  static const char *const keys[] = { FEN_KEY_OWN_RUN,      FEN_KEY_LAST_RUN,      FEN_KEY_EXPERT,
                                      FEN_KEY_PLACES,       FEN_KEY_SMOOTHING,     FEN_KEY_AXIS,
                                      FEN_KEY_WINDOW_WIDTH, FEN_KEY_WINDOW_HEIGHT, FEN_KEY_SIDEBAR_VISIBLE };
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    g_settings_reset (gsettings, keys[i]);
  /* Most tests have nobody on their bus who shows notifications: GIO would warn, some time later. */
  g_settings_set_boolean (gsettings, FEN_KEY_NOTIFY, FALSE);
}

/* Runs the application as main does; `play` is called once its window is there, and again nothing is left after it. */
static inline void
perform (Play play, const char *argument)
{
  Stage stage = { .play = play };
  char *argv[] = { (char *)"fenestra", (char *)argument, NULL };
  stage.scene.folder = train_fixture_folder ();
  train_fixture_write_text (stage.scene.folder, 200);
  stage.scene.application = fen_application_new ();
  g_application_set_flags (G_APPLICATION (stage.scene.application),
                           G_APPLICATION_HANDLES_COMMAND_LINE | G_APPLICATION_NON_UNIQUE);
  g_idle_add (on_idle, &stage);
  g_assert_cmpint (
      g_application_run (G_APPLICATION (stage.scene.application), argument != NULL ? 2 : 1, argv), ==, 0);
  fen_gui_clear_finalized (&stage.scene.application);
  g_assert_true (fen_io_remove_tree (stage.scene.folder, NULL));
  g_free (stage.scene.folder);
  forget ();
}

/* ---- looking ---- */

static inline FenWindow *
window_of (Scene *scene)
{
  for (GList *l = gtk_application_get_windows (GTK_APPLICATION (scene->application)); l != NULL; l = l->next)
    if (FEN_IS_WINDOW (l->data))
      return l->data;
  return NULL;
}

static inline gboolean
can (Scene *scene, const char *action)
{
  return g_action_group_get_action_enabled (G_ACTION_GROUP (window_of (scene)), action);
}

static inline void
act (Scene *scene, const char *action)
{
  g_assert_true (can (scene, action));
  g_action_group_activate_action (G_ACTION_GROUP (window_of (scene)), action, NULL);
}

static inline FenTrainerPhase
phase_of (FenRunSession *session)
{
  FenTrainerStatus status;
  fen_run_session_status (session, &status);
  return status.phase;
}

/* Settings that train for a while: far more steps than any test waits for. */
static inline void
settle_settings (Scene *scene, gint64 steps)
{
  g_autoptr (FenConfig) config = train_fixture_config (scene->folder, steps);
  g_free (config->model);
  config->model = g_strdup ("nano");
  config->max_seq_len = 32;
  config->batch_size = config->gradient_accumulation_steps = 1;
  fen_settings_set_config (fen_application_get_settings (scene->application), config);
}

static inline FenRunSession *
start_and_wait (Scene *scene)
{
  act (scene, "start");
  FenRunSession *own = fen_application_get_own_run (scene->application);
  g_assert_nonnull (own);
  fen_gui_wait (phase_of (own) == FEN_PHASE_TRAINING && fen_run_session_get_path (own) != NULL, 60000);
  return own;
}

static inline void
stop_and_wait (Scene *scene)
{
  act (scene, "stop");
  fen_gui_wait (fen_application_get_own_run (scene->application) == NULL, 60000);
}

/* ---- the question at closing ---- */

static inline AdwMessageDialog *
question (void)
{
  for (guint i = 0; i < g_list_model_get_n_items (gtk_window_get_toplevels ()); i++)
    {
      g_autoptr (GObject) window = g_list_model_get_item (gtk_window_get_toplevels (), i);
      if (ADW_IS_MESSAGE_DIALOG (window))
        return ADW_MESSAGE_DIALOG (window); /* GTK keeps it */
    }
  return NULL;
}

/* Presses a button of the question; a press closes it. */
static inline void
answer (const char *label)
{
  GtkWidget *dialog = GTK_WIDGET (question ());
  g_assert_nonnull (dialog);
  fen_gui_settle (dialog);
  GtkWidget *button = fen_gui_find (dialog, GTK_TYPE_BUTTON, label);
  g_assert_nonnull (button);
  fen_gui_click (button);
  fen_gui_wait (question () == NULL, 3000);
}

G_END_DECLS
