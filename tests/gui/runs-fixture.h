/* runs-fixture.h: run folders for the tests of the list of runs, made with the trainer's own functions, and the list. */
#pragma once

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "core/base/fen-io.h"
#include "core/train/fen-metrics.h"
#include "core/train/fen-run-folder.h"
#include "gui/runs/fen-run-store.h"
#include "tests/support/patience.h"

/* A state as the trainer writes it; free with fen_run_info_free. */
static inline FenRunInfo *
fixture_state (FenRunStatus status, gint64 started, double loss)
{
  FenRunInfo *info = g_new0 (FenRunInfo, 1);
  info->status = status;
  info->reason = g_strdup (status == FEN_RUN_FAILED ? "the disk was full" : "");
  info->name = g_strdup ("");
  info->model = g_strdup ("10M");
  info->dataset = g_strdup ("/data/book.txt");
  info->device = g_strdup ("cpu");
  info->step = 40;
  info->steps = 100;
  info->tokens = 4000;
  info->loss = loss;
  info->eval_loss = NAN;
  info->started = started;
  info->ended = status == FEN_RUN_RUNNING ? 0 : started + 60;
  info->parameters = 1234;
  return info;
}

static inline void
fixture_write_state (FenRunFolder *folder, FenRunStatus status, gint64 started, double loss)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenRunInfo) info = fixture_state (status, started, loss);
  g_assert_true (fen_run_folder_write_state (folder, info, &error));
  g_assert_no_error (error);
}

/* A locked folder called `id` in `root`: a run that this process trains. `config` may be NULL. */
static inline FenRunFolder *
fixture_open_run (const char *root, const char *id, const FenConfig *config, gint64 started)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenConfig) own = config != NULL ? fen_config_copy (config) : fen_config_new ();
  g_free (own->output_dir);
  own->output_dir = g_strdup (root);
  g_free (own->run_name);
  own->run_name = g_strdup (id);
  FenRunFolder *folder = fen_run_folder_create (own, &error);
  g_assert_no_error (error);
  fixture_write_state (folder, FEN_RUN_RUNNING, started, NAN);
  return folder;
}

/* A run that ended, and its path. */
static inline char *
fixture_make_run (const char *root, const char *id, FenRunStatus status, gint64 started, double loss)
{
  g_autoptr (FenRunFolder) folder = fixture_open_run (root, id, NULL, started);
  fixture_write_state (folder, status, started, loss);
  return g_strdup (fen_run_folder_path (folder));
}

static inline void
fixture_put (const char *folder, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static inline gboolean
fixture_wake (gpointer unused)
{
  return G_SOURCE_CONTINUE;
}

/* Runs the main loop until `condition` or the time is over. The seconds that it took. */
#define fixture_wait(condition, seconds)                                                                     \
  ({                                                                                                         \
    const gint64 begin_ = g_get_monotonic_time ();                                                           \
    const guint wake_ = g_timeout_add (10, fixture_wake, NULL);                                              \
    while (!(condition) && g_get_monotonic_time () - begin_ < (gint64)((seconds)*1e6) * test_patience ())    \
      g_main_context_iteration (NULL, TRUE);                                                                 \
    g_source_remove (wake_);                                                                                 \
    if (!(condition))                                                                                        \
      g_error ("%s:%d: waited %g s in vain for " #condition, __FILE__, __LINE__, (double)(seconds));         \
    (double)(g_get_monotonic_time () - begin_) / 1e6;                                                        \
  })

/* An empty folder where runs lie by default. Free with g_free. */
static inline char *
fixture_empty_root (void)
{
  char *root = fen_runs_root (NULL);
  g_assert_true (fen_io_remove_tree (root, NULL));
  return root;
}

/* The run in the folder `id` of `root`; NULL. */
static inline FenRunItem *
fixture_find_run (FenRunStore *store, const char *root, const char *id)
{
  g_autofree char *path = g_build_filename (root, id, NULL);
  return fen_run_store_find (store, path);
}

/* Workers hold the store while they run (and so do results): released, not necessarily gone at once. */
static inline void
fixture_close_store (FenRunStore *store)
{
  FenRunStore *last = store;
  g_object_add_weak_pointer (G_OBJECT (store), (gpointer *)&store);
  fen_run_store_set_active (last, FALSE);
  g_object_unref (last);
  fixture_wait (store == NULL, 5);
}
