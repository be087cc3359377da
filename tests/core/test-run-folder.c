/* Run folders: made, locked, listed, found, renamed, discarded; and what is damaged says so. */
#include "core/train/fen-run-folder.h"

#include "core/base/fen-io.h"
#include "core/train/fen-metrics.h"

#include <glib/gstdio.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
  char *root;
  FenConfig *config;
} Place;

static void
set_up (Place *place, gconstpointer data)
{
  g_autofree char *folder = g_dir_make_tmp ("fen-runs-XXXXXX", NULL);
  place->root = g_build_filename (folder, "runs", NULL);
  place->config = fen_config_new ();
  g_free (place->config->output_dir);
  place->config->output_dir = g_strdup (place->root);
}

static void
tear_down (Place *place, gconstpointer data)
{
  g_autofree char *folder = g_path_get_dirname (place->root);
  g_assert_true (fen_io_remove_tree (folder, NULL));
  g_free (place->root);
  fen_config_free (place->config);
}

static FenRunInfo *
write_state (FenRunFolder *folder, FenRunStatus status, gint64 started)
{
  g_autoptr (GError) error = NULL;
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
  info->loss = 2.5;
  info->eval_loss = NAN;
  info->started = started;
  info->parameters = 1234;
  g_assert_true (fen_run_folder_write_state (folder, info, &error));
  g_assert_no_error (error);
  return info;
}

/* A run that ended, and its path. */
static char *
make_run (Place *place, FenRunStatus status, gint64 started)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenRunFolder) folder = fen_run_folder_create (place->config, &error);
  g_assert_no_error (error);
  g_autoptr (FenRunInfo) info = write_state (folder, status, started);
  g_assert_nonnull (info);
  return g_strdup (fen_run_folder_path (folder));
}

static void
test_create (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_free (place->config->model);
  place->config->model = g_strdup ("/models/.my model:7B");
  g_autoptr (FenRunFolder) a = fen_run_folder_create (place->config, &error);
  g_assert_no_error (error);
  g_autoptr (FenRunFolder) b = fen_run_folder_create (place->config, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (fen_run_folder_path (a), !=, fen_run_folder_path (b));
  g_assert_true (g_str_has_prefix (fen_run_folder_id (a), "run.my-model-7B-20"));
  g_autofree char *path = fen_run_folder_file (a, "config.json");
  g_autoptr (FenConfig) back = fen_config_new ();
  g_assert_true (fen_config_load (back, path, &error));
  g_assert_cmpstr (back->model, ==, place->config->model);
  fen_run_folder_log (a, "two\nlines");
  g_autofree char *log = fen_run_folder_file (a, "log.txt"), *text = NULL;
  g_assert_true (g_file_get_contents (log, &text, NULL, NULL));
  g_assert_true (g_str_has_suffix (text, "Z two lines\n"));
}

/* A name that a person chose is taken as it is, once. */
static void
test_chosen_name (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_free (place->config->run_name);
  place->config->run_name = g_strdup ("my first");
  g_autoptr (FenRunFolder) a = fen_run_folder_create (place->config, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (fen_run_folder_id (a), ==, "my first");
  g_assert_null (fen_run_folder_create (place->config, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_EXIST);
  g_assert_nonnull (strstr (error->message, "my first"));
}

/* In use: by this process, and by another one, which the message names; free again when that one is killed. */
static void
test_lock (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = make_run (place, FEN_RUN_RUNNING, 5);
  g_autoptr (FenRunFolder) mine = fen_run_folder_open (path, &error);
  g_assert_no_error (error);
  g_assert_null (fen_run_folder_open (path, &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_LOCKED);
  g_clear_error (&error);
  g_clear_pointer (&mine, fen_run_folder_free);

  int pipes[2];
  g_assert_cmpint (pipe (pipes), ==, 0);
  const pid_t child = fork ();
  if (child == 0)
    {
      FenRunFolder *folder = fen_run_folder_open (path, NULL);
      if (write (pipes[1], folder != NULL ? "y" : "n", 1) != 1)
        _exit (2);
      for (;;)
        pause ();
    }
  char answer;
  g_assert_cmpint (read (pipes[0], &answer, 1), ==, 1);
  g_assert_cmpint (answer, ==, 'y');
  g_assert_null (fen_run_folder_open (path, &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_LOCKED);
  g_autofree char *pid = g_strdup_printf ("process %d", (int)child);
  g_assert_nonnull (strstr (error->message, pid));
  g_assert_nonnull (strstr (error->message, path));
  g_clear_error (&error);
  g_assert_null (fen_run_discard (path, &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_LOCKED);
  g_clear_error (&error);
  g_autoptr (FenRunInfo) running = fen_run_info (path);
  g_assert_cmpint (running->status, ==, FEN_RUN_RUNNING);
  g_assert_cmpint (running->pid, ==, child);

  kill (child, SIGKILL);
  g_assert_cmpint (waitpid (child, NULL, 0), ==, child);
  g_autoptr (FenRunInfo) killed = fen_run_info (path);
  g_assert_cmpint (killed->status, ==, FEN_RUN_INTERRUPTED);
  g_assert_cmpint (killed->pid, ==, 0);
  mine = fen_run_folder_open (path, &error);
  g_assert_no_error (error);
  close (pipes[0]);
  close (pipes[1]);
}

/* An interrupted run's last step is metrics.jsonl's. */
static void
test_info (Place *place, gconstpointer data)
{
  g_autofree char *path = make_run (place, FEN_RUN_RUNNING, 5);
  g_autofree char *metrics = g_build_filename (path, "metrics.jsonl", NULL);
  g_assert_true (
      g_file_set_contents (metrics,
                           "{\"v\":1,\"kind\":\"train\",\"step\":57,\"loss\":1.5,\"tokens\":5700}\n"
                           "{\"v\":1,\"kind\":\"eval\",\"step\":50,\"loss\":1.75}\n{\"v\":1,\"ki",
                           -1, NULL));
  g_autoptr (FenRunInfo) info = fen_run_info (path);
  g_assert_cmpint (info->status, ==, FEN_RUN_INTERRUPTED);
  g_assert_cmpint (info->step, ==, 57);
  g_assert_cmpint (info->steps, ==, 100);
  g_assert_cmpint (info->tokens, ==, 5700);
  g_assert_cmpfloat (info->loss, ==, 1.5);
  g_assert_cmpfloat (info->eval_loss, ==, 1.75);
  g_assert_cmpint (info->checkpoint_step, ==, -1);
  g_assert_cmpstr (info->model, ==, "10M");
  g_assert_cmpint (info->parameters, ==, 1234);
}

static void
put (const char *folder, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

/* Newest first; damaged ones with their reason; what is no run is not listed. */
static void
test_list (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) none = fen_runs_list (place->root, &error);
  g_assert_cmpuint (none->len, ==, 0);
  g_autofree char *old = make_run (place, FEN_RUN_FINISHED, 100);
  g_autofree char *failed = make_run (place, FEN_RUN_FAILED, 300);
  g_autofree char *damaged = make_run (place, FEN_RUN_STOPPED, 200);
  put (damaged, "run.json", "{\"v\":1,\"status\":\"dancing\",\"step\":1,\"steps\":2}");
  g_autofree char *model = g_build_filename (place->root, "some-model", NULL);
  g_assert_cmpint (g_mkdir (model, 0777), ==, 0);
  put (model, "config.json", "{}");
  put (place->root, "notes.txt", "hello");

  g_autoptr (GPtrArray) runs = fen_runs_list (place->root, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (runs->len, ==, 3);
  const FenRunInfo *first = runs->pdata[0], *second = runs->pdata[1], *third = runs->pdata[2];
  /* A damaged one is sorted by its folder's time: now. */
  g_assert_cmpstr (first->path, ==, damaged);
  g_assert_cmpint (first->status, ==, FEN_RUN_DAMAGED);
  g_assert_nonnull (strstr (first->reason, "dancing"));
  g_assert_cmpstr (second->path, ==, failed);
  g_assert_cmpint (second->status, ==, FEN_RUN_FAILED);
  g_assert_cmpstr (second->reason, ==, "the disk was full");
  g_assert_cmpstr (third->path, ==, old);
  g_assert_cmpfloat (third->loss, ==, 2.5);
  g_assert_true (isnan (third->eval_loss));

  /* "last" is one that can be read. */
  g_autofree char *last = fen_runs_find (place->root, "last", &error);
  g_assert_cmpstr (last, ==, failed);
  static const char *const bad[] = { "",
                                     "[]",
                                     "{",
                                     "{\"v\":1}",
                                     "{\"v\":9,\"status\":\"failed\",\"step\":1,\"steps\":2}",
                                     "{\"v\":1,\"status\":\"failed\",\"step\":-1,\"steps\":2}",
                                     "\xFF" };
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      put (damaged, "run.json", bad[i]);
      g_autoptr (FenRunInfo) info = fen_run_info (damaged);
      g_assert_cmpint (info->status, ==, FEN_RUN_DAMAGED);
      g_assert_cmpstr (info->reason, !=, "");
      g_assert_null (strchr (info->reason, '\n'));
    }
  g_autofree char *json = g_build_filename (damaged, "run.json", NULL);
  put (damaged, "metrics.jsonl", "");
  g_unlink (json);
  g_autoptr (FenRunInfo) missing = fen_run_info (damaged);
  g_assert_cmpint (missing->status, ==, FEN_RUN_DAMAGED);
}

static void
test_find_and_rename (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *one = make_run (place, FEN_RUN_FINISHED, 100);
  g_autofree char *two = make_run (place, FEN_RUN_FINISHED, 200);
  g_assert_cmpstr (one, !=, two);
  g_autofree char *id = g_path_get_basename (one);
  g_autofree char *by_id = fen_runs_find (place->root, id, &error);
  g_assert_cmpstr (by_id, ==, one);
  g_autofree char *by_path = fen_runs_find ("/nowhere", one, &error);
  g_assert_cmpstr (by_path, ==, one);
  g_assert_true (fen_run_rename (one, "  The good one ", &error));
  g_autofree char *by_name = fen_runs_find (place->root, "The good one", &error);
  g_assert_cmpstr (by_name, ==, one);
  /* Half an id that two runs have. */
  g_assert_null (fen_runs_find (place->root, "10M-", &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, id));
  g_clear_error (&error);
  g_assert_false (fen_run_rename (one, "a\nb", &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_true (fen_run_rename (one, "", &error));
  g_autoptr (FenRunInfo) info = fen_run_info (one);
  g_assert_cmpstr (info->name, ==, id);
  g_assert_false (fen_run_rename (place->root, "x", &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NOT_FOUND);
}

static void
test_discard (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = make_run (place, FEN_RUN_FINISHED, 100);
  g_autofree char *away = fen_run_discard (path, &error);
  g_assert_no_error (error);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_autoptr (GPtrArray) runs = fen_runs_list (place->root, &error);
  g_assert_cmpuint (runs->len, ==, 0);
  g_assert_true (fen_run_restore (away, &error));
  g_autoptr (FenRunInfo) info = fen_run_info (path);
  g_assert_cmpint (info->status, ==, FEN_RUN_FINISHED);
  /* Only what was discarded is ever removed. */
  g_assert_false (fen_run_remove (path, &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_STATE);
  g_clear_error (&error);
  g_autofree char *again = fen_run_discard (path, &error);
  g_assert_true (fen_run_remove (again, &error));
  g_assert_false (g_file_test (again, G_FILE_TEST_EXISTS));
  g_autofree char *third = make_run (place, FEN_RUN_FINISHED, 100);
  g_autofree char *third_away = fen_run_discard (third, &error);
  g_autoptr (GPtrArray) all_away = fen_runs_discarded (place->root);
  g_assert_cmpuint (all_away->len, ==, 1);
  g_assert_cmpstr (all_away->pdata[0], ==, third_away);
  fen_runs_purge (place->root);
  g_assert_false (g_file_test (third_away, G_FILE_TEST_EXISTS));
  g_assert_null (fen_run_discard (place->root, &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NOT_FOUND);
}

/* A place where nothing can be made: a file in the way (root may write anywhere, so permissions are no test). */
static void
test_no_place (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (g_file_set_contents (place->root, "a file", -1, NULL));
  g_assert_null (fen_run_folder_create (place->config, &error));
  g_assert_nonnull (strstr (error->message, place->root));
}

/* What killed writes left is gone after the next open; a model that was moved away for one that never came is back. */
static void
test_leftovers (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = make_run (place, FEN_RUN_RUNNING, 100);
  put (path, ".config.json.1234abcd.tmp", "half");
  g_autofree char *replaced = g_build_filename (path, ".model.replaced.tmp", NULL);
  g_autofree char *writing = g_build_filename (path, "checkpoints", ".writing-step-9", NULL);
  g_autofree char *moved = g_build_filename (path, "checkpoints", ".replaced-step-3", NULL);
  g_assert_cmpint (g_mkdir (replaced, 0777), ==, 0);
  g_assert_cmpint (g_mkdir_with_parents (writing, 0777), ==, 0);
  g_assert_cmpint (g_mkdir (moved, 0777), ==, 0);
  put (replaced, "model.safetensors", "x");
  put (writing, "model.safetensors", "x");
  g_autoptr (FenRunFolder) folder = fen_run_folder_open (path, &error);
  g_assert_no_error (error);
  g_assert_nonnull (folder);
  g_assert_false (g_file_test (writing, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (moved, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (replaced, G_FILE_TEST_EXISTS));
  g_autofree char *model = g_build_filename (path, "model", "model.safetensors", NULL);
  g_autofree char *back = g_build_filename (path, "checkpoints", "step-3", NULL);
  g_autofree char *temporary = g_build_filename (path, ".config.json.1234abcd.tmp", NULL);
  g_assert_true (g_file_test (model, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (back, G_FILE_TEST_IS_DIR));
  g_assert_false (g_file_test (temporary, G_FILE_TEST_EXISTS));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Place, NULL, set_up, function, tear_down)
  ADD ("/run-folder/create", test_create);
  ADD ("/run-folder/chosen-name", test_chosen_name);
  ADD ("/run-folder/lock", test_lock);
  ADD ("/run-folder/info", test_info);
  ADD ("/run-folder/list", test_list);
  ADD ("/run-folder/find-and-rename", test_find_and_rename);
  ADD ("/run-folder/discard", test_discard);
  ADD ("/run-folder/no-place", test_no_place);
  ADD ("/run-folder/leftovers", test_leftovers);
  return g_test_run ();
}
