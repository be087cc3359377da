/* The list of runs: what appears, changes and goes, and that nothing of it disturbs the rest. */
#include "gui/runs/fen-run-store.h"

#include <locale.h>
#include <signal.h>

#include "runs-fixture.h"

typedef struct {
  char *folder, *root, *other; /* two places; the first is the store's default one */
} Place;

static void
set_up (Place *place, gconstpointer data)
{
  place->folder = g_dir_make_tmp ("fen-store-XXXXXX", NULL);
  place->root = fixture_empty_root ();
  place->other = g_build_filename (place->folder, "other", NULL);
}

static void
tear_down (Place *place, gconstpointer data)
{
  g_assert_true (fen_io_remove_tree (place->root, NULL));
  g_assert_true (fen_io_remove_tree (place->folder, NULL));
  g_free (place->folder);
  g_free (place->root);
  g_free (place->other);
}

static guint
count (FenRunStore *store)
{
  return g_list_model_get_n_items (G_LIST_MODEL (store));
}

static FenRunItem *
nth (FenRunStore *store, guint position)
{
  g_autoptr (FenRunItem) item = g_list_model_get_item (G_LIST_MODEL (store), position);
  return item;
}

static FenRunStore *
open_store (const char *const *places)
{
  FenRunStore *store = fen_run_store_new (places);
  fixture_wait (fen_run_store_is_ready (store), 5);
  return store;
}

static void
test_order (Place *place, gconstpointer data)
{
  g_autofree char *old = fixture_make_run (place->root, "old", FEN_RUN_FINISHED, 100, 2.5);
  g_autofree char *new = fixture_make_run (place->root, "new", FEN_RUN_FAILED, 300, NAN);
  g_autofree char *middle = fixture_make_run (place->other, "middle", FEN_RUN_STOPPED, 200, 1.25);
  FenRunStore *store = open_store ((const char *const[]){ place->other, NULL });
  g_assert_cmpuint (count (store), ==, 3);
  g_assert_cmpstr (fen_run_item_get_path (nth (store, 0)), ==, new);
  g_assert_cmpstr (fen_run_item_get_path (nth (store, 1)), ==, middle);
  g_assert_cmpstr (fen_run_item_get_path (nth (store, 2)), ==, old);
  g_assert_true (fen_run_store_find (store, middle) == nth (store, 1));
  g_assert_null (fen_run_store_find (store, "/nowhere"));
  g_assert_cmpstr (fen_run_item_get_status_text (nth (store, 0)), ==, "Failed");
  g_assert_cmpstr (fen_run_item_get_status_text (nth (store, 2)), ==, "Finished · loss 2.5");
  g_assert_null (fen_run_store_get_problem (store));

  /* Places go and come; the default one stays; one given twice counts once. */
  FenRunItem *kept = nth (store, 2);
  fen_run_store_set_places (store, NULL);
  g_assert_cmpuint (count (store), ==, 2);
  g_assert_true (nth (store, 1) == kept);
  fen_run_store_set_places (store, (const char *const[]){ place->other, place->other, place->root, NULL });
  fixture_wait (count (store) == 3, 5);
  g_assert_true (nth (store, 2) == kept);
  fixture_close_store (store);
}

typedef struct {
  guint changes, removed, added;
} Changes;

static void
on_items_changed (GListModel *model, guint position, guint removed, guint added, Changes *changes)
{
  changes->changes++;
  changes->removed += removed;
  changes->added += added;
}

static void
count_up (guint *counter)
{
  (*counter)++;
}

/* A run that another process writes: there within 2 s, its loss follows, and nobody else is touched. */
static void
test_live (Place *place, gconstpointer data)
{
  G_GNUC_UNUSED g_autofree char *past = fixture_make_run (place->root, "past", FEN_RUN_FINISHED, 100, 2.5);
  FenRunStore *store = open_store (NULL);
  fen_run_store_set_active (store, TRUE);
  Changes changes = { 0 };
  g_signal_connect (store, "items-changed", G_CALLBACK (on_items_changed), &changes);
  FenRunItem *past_item = nth (store, 0);

  g_autoptr (FenRunFolder) folder = fixture_open_run (place->root, "live", NULL, 200);
  g_assert_cmpfloat (fixture_wait (count (store) == 2, 5), <, 2);
  FenRunItem *live = nth (store, 0);
  g_assert_true (nth (store, 1) == past_item);
  g_assert_cmpint (fen_run_item_get_info (live)->status, ==, FEN_RUN_RUNNING);
  g_assert_cmpuint (changes.changes, ==, 1);
  g_assert_cmpuint (changes.removed, ==, 0);
  g_assert_cmpuint (changes.added, ==, 1);

  guint losses = 0, others = 0;
  g_signal_connect_swapped (live, "notify::loss", G_CALLBACK (count_up), &losses);
  g_signal_connect_swapped (past_item, "changed", G_CALLBACK (count_up), &others);
  g_autofree char *metrics = fen_run_folder_file (folder, "metrics.jsonl");
  g_assert_true (g_file_set_contents (
      metrics, "{\"v\":1,\"kind\":\"train\",\"step\":50,\"loss\":1.5,\"tokens\":5700}\n", -1, NULL));
  g_assert_cmpfloat (fixture_wait (losses > 0, 5), <, 2);
  g_assert_cmpfloat (fen_run_item_get_info (live)->loss, ==, 1.5);
  g_assert_cmpstr (fen_run_item_get_status_text (live), ==, "Running, 50 % · loss 1.5");

  /* Its process goes without a word: no file changes, the state does. */
  g_clear_pointer (&folder, fen_run_folder_free);
  g_assert_cmpfloat (fixture_wait (fen_run_item_get_info (live)->status == FEN_RUN_INTERRUPTED, 5), <, 2);
  /* And somebody goes on with it. */
  folder = fen_run_folder_open (fen_run_item_get_path (live), NULL);
  g_assert_cmpfloat (fixture_wait (fen_run_item_get_info (live)->status == FEN_RUN_RUNNING, 5), <, 2);
  g_assert_true (nth (store, 0) == live);
  g_assert_cmpuint (changes.changes, ==, 1);
  g_assert_cmpuint (others, ==, 0);
  fixture_close_store (store);
}

/* The program itself, in another process. */
static void
test_cli (Place *place, gconstpointer data)
{
  FenRunStore *store = open_store ((const char *const[]){ place->folder, NULL });
  fen_run_store_set_active (store, TRUE);
  g_autoptr (GError) error = NULL;
  g_autofree char *text = g_build_filename (place->folder, "text.txt", NULL);
  g_assert_true (fen_io_make_folder (place->other, NULL));
  g_autoptr (GString) words = g_string_new (NULL);
  for (int i = 0; i < 2000; i++)
    g_string_append_printf (words, "line %d of a small text. ", i);
  g_assert_true (g_file_set_contents (text, words->str, -1, NULL));
  fen_run_store_set_places (store, (const char *const[]){ place->other, NULL });
  g_autoptr (GSubprocess) cli = g_subprocess_new (
      G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, &error,
      g_getenv ("FENESTRA_CLI"), "train", "--model", "1M", "--tokenizer", "bytes", "--dataset-file", text,
      "--max-seq-len", "64", "--window-size", "0", "--steps", "1000000", "--device", "cpu", "--threads", "1",
      "--output-dir", place->other, "--run-name", "from the command line", NULL);
  g_assert_no_error (error);
  g_autofree char *path = g_build_filename (place->other, "from the command line", NULL);
  g_autofree char *state = g_build_filename (path, "run.json", NULL);
  fixture_wait (g_file_test (state, G_FILE_TEST_EXISTS), 60);
  g_assert_cmpfloat (fixture_wait (count (store) == 1, 5), <, 2);
  FenRunItem *item = nth (store, 0);
  g_assert_cmpstr (fen_run_item_get_path (item), ==, path);
  fixture_wait (isfinite (fen_run_item_get_info (item)->loss), 30);
  g_assert_cmpint (fen_run_item_get_info (item)->status, ==, FEN_RUN_RUNNING);
  const gint64 step = fen_run_item_get_info (item)->step;
  fixture_wait (fen_run_item_get_info (item)->step > step, 30);

  g_subprocess_send_signal (cli, SIGKILL);
  g_assert_true (g_subprocess_wait (cli, NULL, NULL));
  g_assert_cmpfloat (fixture_wait (fen_run_item_get_info (item)->status == FEN_RUN_INTERRUPTED, 5), <, 2);
  g_assert_true (nth (store, 0) == item);
  fixture_close_store (store);
}

static void
keep_result (GObject *object, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **)user_data = g_object_ref (result);
}

static void
test_rename (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = fixture_make_run (place->root, "plain", FEN_RUN_FINISHED, 100, 2.5);
  FenRunStore *store = open_store (NULL);
  FenRunItem *item = nth (store, 0);
  guint names = 0;
  g_signal_connect_swapped (item, "notify::name", G_CALLBACK (count_up), &names);
  g_autoptr (GAsyncResult) result = NULL;
  fen_run_store_rename_async (store, item, " größer ", keep_result, &result);
  fixture_wait (result != NULL, 5);
  g_assert_true (fen_run_store_rename_finish (store, result, &error));
  g_assert_cmpstr (fen_run_item_get_name (item), ==, "größer");
  g_assert_cmpuint (names, ==, 1);
  g_assert_true (fen_run_store_find (store, path) == item);
  g_autoptr (FenRunInfo) info = fen_run_info (path);
  g_assert_cmpstr (info->name, ==, "größer");

  g_clear_object (&result);
  fen_run_store_rename_async (store, item, "two\nlines", keep_result, &result);
  fixture_wait (result != NULL, 5);
  g_assert_false (fen_run_store_rename_finish (store, result, &error));
  g_assert_nonnull (strstr (error->message, "one line"));
  g_assert_cmpstr (fen_run_item_get_name (item), ==, "größer");

  /* By another process. */
  fen_run_store_set_active (store, TRUE);
  g_assert_true (fen_run_rename (path, "", NULL));
  g_assert_cmpfloat (fixture_wait (strcmp (fen_run_item_get_name (item), "plain") == 0, 5), <, 2);
  g_clear_object (&result);
  fixture_close_store (store);
}

static void
test_delete (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *first = fixture_make_run (place->root, "first", FEN_RUN_FINISHED, 100, 2.5);
  g_autofree char *second = fixture_make_run (place->root, "second", FEN_RUN_FINISHED, 200, 2.5);
  FenRunStore *store = open_store (NULL);
  fen_run_store_set_active (store, TRUE);
  FenRunItem *item = fen_run_store_find (store, first);

  g_autoptr (GAsyncResult) deleted = NULL, undone = NULL, again = NULL;
  fen_run_store_delete_async (store, item, keep_result, &deleted);
  fixture_wait (deleted != NULL, 5);
  g_autofree char *discarded = fen_run_store_delete_finish (store, deleted, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count (store), ==, 1);
  g_assert_null (fen_run_store_find (store, first));
  g_assert_false (g_file_test (first, G_FILE_TEST_EXISTS));

  fen_run_store_undo_delete_async (store, discarded, keep_result, &undone);
  fixture_wait (undone != NULL, 5);
  /* A look finds the folder before the store is told: the item that the window shows comes back all the same. */
  fixture_wait (fen_run_store_find (store, first) != NULL, 10);
  g_assert_true (fen_run_store_undo_delete_finish (store, undone, &error));
  g_assert_cmpuint (count (store), ==, 2);
  g_assert_true (fen_run_store_find (store, first) == item);
  g_assert_true (nth (store, 1) == item);
  g_assert_true (g_file_test (first, G_FILE_TEST_IS_DIR));

  fen_run_store_delete_async (store, item, keep_result, &again);
  fixture_wait (again != NULL, 5);
  g_autofree char *gone = fen_run_store_delete_finish (store, again, &error);
  g_assert_true (g_file_test (gone, G_FILE_TEST_IS_DIR));
  fen_run_store_delete_for_good (store, gone);
  fixture_wait (!g_file_test (gone, G_FILE_TEST_EXISTS), 5);
  g_assert_null (fen_run_store_get_problem (store));
  /* What is no discarded run is never removed, and says so. */
  fen_run_store_delete_for_good (store, second);
  fixture_wait (fen_run_store_get_problem (store) != NULL, 5);
  g_assert_true (g_file_test (second, G_FILE_TEST_IS_DIR));
  g_clear_object (&deleted);
  g_clear_object (&undone);
  g_clear_object (&again);
  fixture_close_store (store);
}

/* A run in use stays, with the reason; what an earlier process discarded goes at the next start. */
static void
test_delete_in_use (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *old = fixture_make_run (place->root, "old", FEN_RUN_FINISHED, 100, 2.5);
  g_autofree char *left = fen_run_discard (old, &error);
  g_autoptr (FenRunFolder) folder = fixture_open_run (place->root, "live", NULL, 200);
  FenRunStore *store = open_store (NULL);
  fixture_wait (!g_file_test (left, G_FILE_TEST_EXISTS), 5);
  g_assert_cmpuint (count (store), ==, 1);

  g_autoptr (GAsyncResult) result = NULL;
  fen_run_store_delete_async (store, nth (store, 0), keep_result, &result);
  fixture_wait (result != NULL, 5);
  g_assert_null (fen_run_store_delete_finish (store, result, &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_LOCKED);
  g_assert_cmpuint (count (store), ==, 1);
  g_assert_true (g_file_test (fen_run_folder_path (folder), G_FILE_TEST_IS_DIR));
  g_clear_object (&result);
  fixture_close_store (store);
}

static void
test_damaged (Place *place, gconstpointer data)
{
  g_autofree char *good = fixture_make_run (place->root, "good", FEN_RUN_FINISHED, 100, 2.5);
  g_autofree char *bad = fixture_make_run (place->root, "bad", FEN_RUN_FINISHED, 50, 2.5);
  g_autofree char *model = g_build_filename (place->root, "some-model", NULL);
  g_assert_cmpint (g_mkdir (model, 0777), ==, 0);
  fixture_put (model, "config.json", "{}");
  fixture_put (place->root, "notes.txt", "hello");
  FenRunStore *store = open_store (NULL);
  fen_run_store_set_active (store, TRUE);
  g_assert_cmpuint (count (store), ==, 2);
  FenRunItem *good_item = fen_run_store_find (store, good), *bad_item = fen_run_store_find (store, bad);

  /* Damaged in place while the window is open. */
  fixture_put (bad, "run.json", "{\"v\":1,\"status\":\"dancing\",\"step\":1,\"steps\":2}");
  g_assert_cmpfloat (fixture_wait (fen_run_item_get_info (bad_item)->status == FEN_RUN_DAMAGED, 5), <, 2);
  g_assert_nonnull (strstr (fen_run_item_get_info (bad_item)->reason, "dancing"));
  g_assert_cmpstr (fen_run_item_get_status_text (bad_item), ==, "Damaged");
  g_assert_true (fen_run_store_find (store, bad) == bad_item);
  g_assert_true (fen_run_store_find (store, good) == good_item);
  g_assert_cmpint (fen_run_item_get_info (good_item)->status, ==, FEN_RUN_FINISHED);
  g_assert_null (fen_run_store_get_problem (store));

  /* It can be deleted, too. */
  g_autoptr (GAsyncResult) result = NULL;
  fen_run_store_delete_async (store, bad_item, keep_result, &result);
  fixture_wait (result != NULL, 5);
  g_autofree char *discarded = fen_run_store_delete_finish (store, result, NULL);
  g_assert_nonnull (discarded);
  g_assert_cmpuint (count (store), ==, 1);
  g_clear_object (&result);
  fixture_close_store (store);
}

/* An added place that goes (a disk pulled out) and comes back. */
static void
test_place_gone (Place *place, gconstpointer data)
{
  g_autofree char *here = fixture_make_run (place->root, "here", FEN_RUN_FINISHED, 100, 2.5);
  G_GNUC_UNUSED g_autofree char *there = fixture_make_run (place->other, "there", FEN_RUN_FINISHED, 200, 2.5);
  g_autofree char *away = g_build_filename (place->folder, "away", NULL);
  FenRunStore *store = open_store ((const char *const[]){ place->other, NULL });
  fen_run_store_set_active (store, TRUE);
  FenRunItem *item = fen_run_store_find (store, here);
  guint problems = 0;
  g_signal_connect_swapped (store, "notify::problem", G_CALLBACK (count_up), &problems);
  g_assert_cmpuint (count (store), ==, 2);

  g_assert_cmpint (g_rename (place->other, away), ==, 0);
  g_assert_cmpfloat (fixture_wait (fen_run_store_get_problem (store) != NULL, 5), <, 2);
  g_assert_nonnull (strstr (fen_run_store_get_problem (store), place->other));
  g_assert_cmpuint (count (store), ==, 1);
  g_assert_true (nth (store, 0) == item);

  g_assert_cmpint (g_rename (away, place->other), ==, 0);
  g_assert_cmpfloat (fixture_wait (count (store) == 2, 5), <, 2);
  g_assert_null (fen_run_store_get_problem (store));
  g_assert_cmpuint (problems, ==, 2);
  fixture_close_store (store);
}

/* Thousands: listed once; a look afterwards reads none of them again. */
static void
test_many (Place *place, gconstpointer data)
{
  enum { N = 3000 };
  g_autofree char *first = fixture_make_run (place->root, "run-0", FEN_RUN_FINISHED, 1000, 2.5);
  g_autofree char *state = g_build_filename (first, "run.json", NULL), *text = NULL;
  g_assert_true (g_file_get_contents (state, &text, NULL, NULL));
  for (int i = 1; i < N; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/run-%d", i % 2 == 0 ? place->root : place->other, i);
      g_autofree char *file = g_build_filename (path, "run.json", NULL);
      g_assert_cmpint (g_mkdir_with_parents (path, 0777), ==, 0);
      FILE *out = fopen (file, "w");
      g_assert_nonnull (out);
      g_assert_cmpint (fputs (text, out), >=, 0);
      g_assert_cmpint (fclose (out), ==, 0);
    }
  FenRunStore *store = open_store ((const char *const[]){ place->other, NULL });
  g_assert_cmpuint (count (store), ==, N);
  guint others = 0;
  Changes changes = { 0 };
  for (guint i = 0; i < N; i++)
    g_signal_connect_swapped (nth (store, i), "changed", G_CALLBACK (count_up), &others);
  g_signal_connect (store, "items-changed", G_CALLBACK (on_items_changed), &changes);
  fen_run_store_set_active (store, TRUE);
  g_autofree char *added = fixture_make_run (place->root, "added", FEN_RUN_FINISHED, 1500, 2.5);
  const double seconds = fixture_wait (count (store) == N + 1, 10);
  g_test_message ("among %d runs a new one appears after %.3f s", N, seconds);
  g_assert_cmpstr (fen_run_item_get_path (nth (store, 0)), ==, added);
  g_assert_cmpuint (changes.changes, ==, 1);
  g_assert_cmpuint (changes.added, ==, 1);
  g_assert_cmpuint (others, ==, 0);
  fixture_close_store (store);
}

/* A hidden window looks at nothing; shown again, it looks at once. */
static void
test_inactive (Place *place, gconstpointer data)
{
  FenRunStore *store = open_store (NULL);
  G_GNUC_UNUSED g_autofree char *path = fixture_make_run (place->root, "unseen", FEN_RUN_FINISHED, 100, 2.5);
  const gint64 end = g_get_monotonic_time () + 1500000;
  fixture_wait (g_get_monotonic_time () >= end, 3);
  g_assert_cmpuint (count (store), ==, 0);
  fen_run_store_set_active (store, TRUE);
  g_assert_cmpfloat (fixture_wait (count (store) == 1, 5), <, 1);
  fixture_close_store (store);
}

/* Let go of in the middle of its first look. */
static void
test_dropped (Place *place, gconstpointer data)
{
  G_GNUC_UNUSED g_autofree char *path = fixture_make_run (place->root, "one", FEN_RUN_FINISHED, 100, 2.5);
  FenRunStore *store = fen_run_store_new (NULL);
  g_assert_finalize_object (store);
  const gint64 end = g_get_monotonic_time () + 50000;
  fixture_wait (g_get_monotonic_time () >= end, 3);
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
#define ADD(name) g_test_add ("/run-store/" #name, Place, NULL, set_up, test_##name, tear_down)
  ADD (order);
  ADD (live);
  ADD (cli);
  ADD (rename);
  ADD (delete);
  ADD (delete_in_use);
  ADD (damaged);
  ADD (place_gone);
  ADD (many);
  ADD (inactive);
  ADD (dropped);
  return g_test_run ();
}
