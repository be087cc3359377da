/* Whatever call fails or is the last one before a power cut while a checkpoint is written: afterwards the newest
 * checkpoint is a whole one, the old or the new, and nothing half-written is taken for whole. Exhaustive: every call of
 * a whole checkpoint, in every way to fail. */
#include "tests/support/checkpoint-fixture.h"

#include "core/base/fen-io.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

typedef struct {
  const char *mode;
  gboolean stays;
} Fault;

typedef enum { ENDED_WELL, ENDED_WITH_ERROR, ENDED_BY_KILL } Ending;

/* On a RAM disk when there is one: thousands of fsyncs on a real one would take minutes. */
static char *
make_run_folder (void)
{
  char *shm = g_strdup ("/dev/shm/fen-faults-XXXXXX");
  if (g_mkdtemp (shm) != NULL)
    return shm;
  g_free (shm);
  return g_dir_make_tmp ("fen-faults-XXXXXX", NULL);
}

static char **
make_environment (const char *fault, gboolean stays, long at, const char *count_path)
{
  char **environment = g_get_environ ();
  g_autofree char *shim = g_test_build_filename (G_TEST_BUILT, "faults", "libfault-shim.so", NULL);
  g_autofree char *number = g_strdup_printf ("%ld", at);
  const char *asan = g_getenv ("ASAN_OPTIONS");
  g_autofree char *options = g_strconcat (asan != NULL ? asan : "", asan != NULL ? ":" : "",
                                          "verify_asan_link_order=0:detect_leaks=0", NULL);
  environment = g_environ_setenv (environment, "LD_PRELOAD", shim, TRUE);
  environment = g_environ_setenv (environment, "ASAN_OPTIONS", options, TRUE);
  environment = g_environ_setenv (environment, "FENESTRA_FAULT", fault, TRUE);
  environment = g_environ_setenv (environment, "FENESTRA_FAULT_AT", number, TRUE);
  if (stays)
    environment = g_environ_setenv (environment, "FENESTRA_FAULT_STAYS", "1", TRUE);
  if (count_path != NULL)
    environment = g_environ_setenv (environment, "FENESTRA_FAULT_COUNT", count_path, TRUE);
  return environment;
}

static Ending
write_with_fault (const char *run, const char *step, const Fault *fault, long at, const char *count_path)
{
  g_autofree char *writer = g_test_build_filename (G_TEST_BUILT, "faults", "checkpoint-writer", NULL);
  g_auto (GStrv) environment = make_environment (fault->mode, fault->stays, at, count_path);
  char *arguments[] = { writer, (char *)run, (char *)step, (char *)"1", NULL };
  g_autoptr (GError) error = NULL;
  g_autofree char *words = NULL;
  int status;
  g_assert_true (g_spawn_sync (NULL, arguments, environment, G_SPAWN_DEFAULT, NULL, NULL, NULL, &words,
                               &status, &error));
  g_assert_no_error (error);
  if (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL)
    return ENDED_BY_KILL;
  g_assert_true (WIFEXITED (status));
  if (WEXITSTATUS (status) == 0)
    return ENDED_WELL;
  if (WEXITSTATUS (status) != 3)
    g_error ("%s at call %ld: exit status %d: %s", fault->mode, at, WEXITSTATUS (status), words);
  /* One line that names a file. */
  g_assert_nonnull (strchr (words, '/'));
  g_assert_true (strchr (words, '\n') == words + strlen (words) - 1);
  return ENDED_WITH_ERROR;
}

/* The step of the newest checkpoint, whose every byte is compared. */
static gint64
check_newest (const char *run, const char *what, long at)
{
  g_autoptr (CheckpointFixture) fixture = checkpoint_fixture_new (3000);
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  FenTrainState state;
  g_autofree char *path = fen_checkpoint_newest (run, &state, FALSE, notes, &error);
  if (path == NULL)
    g_error ("%s at call %ld: %s", what, at, error->message);
  if (notes->len > 0)
    g_error ("%s at call %ld: something half-written looks like a checkpoint: %s", what, at,
             (char *)notes->pdata[0]);
  g_assert_true (fen_checkpoint_restore (path, &fixture->content, &error));
  g_assert_no_error (error);
  if (!checkpoint_fixture_is_step (fixture, &state, state.step))
    g_error ("%s at call %ld: step %" G_GINT64_FORMAT " is a mixture", what, at, state.step);
  return state.step;
}

/* `new_step` over `old_step`: each call fails once. The old checkpoint is written again when the new one came through. */
static void
try_all_calls (const char *old_step, const char *new_step)
{
  static const Fault faults[]
      = { { "ENOSPC", FALSE }, { "ENOSPC", TRUE }, { "EIO", FALSE }, { "KILL", FALSE }, { "TEAR", FALSE } };
  static const Fault none = { "NONE", FALSE };
  const gboolean same = strcmp (old_step, new_step) == 0;
  for (gsize i = 0; i < G_N_ELEMENTS (faults); i++)
    {
      g_autofree char *run = make_run_folder ();
      g_autofree char *count_path = g_build_filename (run, "count", NULL);
      g_autofree char *text = NULL;
      g_assert_cmpint (write_with_fault (run, old_step, &none, 0, NULL), ==, ENDED_WELL);
      g_assert_cmpint (write_with_fault (run, new_step, &none, 0, count_path), ==, ENDED_WELL);
      g_assert_true (g_file_get_contents (count_path, &text, NULL, NULL));
      const long n_calls = atol (text);
      g_assert_cmpint (n_calls, >, 20);
      gboolean old_is_newest = same;
      guint n_old = 0;
      for (long at = 1; at <= n_calls; at++)
        {
          if (!old_is_newest)
            {
              g_autofree char *folder = g_build_filename (run, "checkpoints", NULL);
              g_assert_true (fen_io_remove_tree (folder, NULL));
              g_assert_cmpint (write_with_fault (run, old_step, &none, 0, NULL), ==, ENDED_WELL);
            }
          const Ending ending = write_with_fault (run, new_step, &faults[i], at, NULL);
          const gint64 before_cleaning = check_newest (run, faults[i].mode, at);
          fen_checkpoint_clean (run);
          const gint64 step = check_newest (run, faults[i].mode, at);
          g_assert_cmpint (before_cleaning, ==, step);
          g_assert_true (step == atoll (old_step) || step == atoll (new_step));
          if (ending == ENDED_WELL)
            g_assert_cmpint (step, ==, atoll (new_step));
          old_is_newest = same || step == atoll (old_step);
          n_old += old_is_newest;
        }
      /* The faults did happen: most of the calls come before the rename. */
      g_assert_cmpuint (n_old, >, n_calls / 3);
      g_test_message ("%s%s: %ld calls", faults[i].mode, faults[i].stays ? " that stays" : "", n_calls);
      g_assert_true (fen_io_remove_tree (run, NULL));
    }
}

static void
test_next_step (void)
{
  try_all_calls ("10", "20");
}

/* The same step again, as after a damaged one: old and new change places. */
static void
test_same_step (void)
{
  try_all_calls ("10", "10");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/faults/checkpoint/next-step", test_next_step);
  g_test_add_func ("/faults/checkpoint/same-step", test_same_step);
  return g_test_run ();
}
