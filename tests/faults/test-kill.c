/* A run that is killed with SIGKILL again and again, at random moments and inside checkpoints, and resumed each time,
 * ends with exactly the losses of one that nobody disturbed: every step's loss, gradient norm and learning rate, and
 * every evaluation, bit for bit. FENESTRA_KILLS=30 kills that often (8 otherwise). */
#include "tests/support/train-fixture.h"

#include "core/base/fen-io.h"
#include "core/base/fen-random.h"
#include "core/train/fen-run-folder.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *
driver_path (void)
{
  return g_test_build_filename (G_TEST_BUILT, "faults", "train-driver", NULL);
}

static char **
make_environment (const char *folder, const char *fault, guint64 at)
{
  g_autofree char *cache = g_build_filename (folder, "cache", NULL);
  char **environment = g_environ_setenv (g_get_environ (), "XDG_CACHE_HOME", cache, TRUE);
  const char *asan = g_getenv ("ASAN_OPTIONS");
  g_autofree char *shim = g_test_build_filename (G_TEST_BUILT, "faults", "libfault-shim.so", NULL);
  g_autofree char *number = g_strdup_printf ("%" G_GUINT64_FORMAT, at);
  g_autofree char *options
      = g_strconcat (asan != NULL ? asan : "", asan != NULL ? ":" : "", "verify_asan_link_order=0", NULL);
  if (fault == NULL)
    return environment;
  environment = g_environ_setenv (environment, "LD_PRELOAD", shim, TRUE);
  environment = g_environ_setenv (environment, "ASAN_OPTIONS", options, TRUE);
  environment = g_environ_setenv (environment, "FENESTRA_FAULT", fault, TRUE);
  environment = g_environ_setenv (environment, "FENESTRA_FAULT_AT", number, TRUE);
  return g_environ_setenv (environment, "FENESTRA_FAULT_PATH", "checkpoints/.writing", TRUE);
}

static GPid
start_driver (const char *folder, const char *command, const char *argument, const char *fault, guint64 at)
{
  g_autofree char *driver = driver_path ();
  g_auto (GStrv) environment = make_environment (folder, fault, at);
  char *arguments[] = { driver, (char *)command, (char *)argument, NULL };
  g_autoptr (GError) error = NULL;
  GPid child;
  g_spawn_async (NULL, arguments, environment, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL, NULL,
                 NULL, &child, &error);
  g_assert_no_error (error);
  return child;
}

/* Waits at most `us` for the child, then kills it. TRUE when it was killed, by us or by the shim. */
static gboolean
wait_or_kill (GPid child, gint64 us)
{
  const gint64 end = g_get_monotonic_time () + us;
  int status;
  while (waitpid (child, &status, WNOHANG) == 0)
    {
      if (g_get_monotonic_time () >= end)
        {
          kill (child, SIGKILL);
          g_assert_cmpint (waitpid (child, &status, 0), ==, child);
          break;
        }
      g_usleep (500);
    }
  if (WIFSIGNALED (status))
    {
      g_assert_cmpint (WTERMSIG (status), ==, SIGKILL);
      return TRUE;
    }
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);
  return FALSE;
}

/* The one run folder of a configuration's output folder, NULL when there is none yet. */
static char *
only_run (const char *root)
{
  g_autoptr (GPtrArray) runs = fen_runs_list (root, NULL);
  g_assert_nonnull (runs);
  g_assert_cmpuint (runs->len, <=, 1);
  return runs->len == 1 ? g_strdup (((FenRunInfo *)runs->pdata[0])->path) : NULL;
}

static char *
write_config (const char *folder, const char *name, gint64 steps)
{
  g_autoptr (FenConfig) config = train_fixture_config (folder, steps);
  g_autofree char *file = g_strconcat (name, ".json", NULL);
  char *path = g_build_filename (folder, file, NULL);
  g_free (config->output_dir);
  config->output_dir = g_build_filename (folder, name, NULL);
  config->checkpoint_interval = 3;
  g_assert_true (fen_config_save (config, path, NULL));
  return path;
}

static void
remove_damaged_beginnings (const char *root)
{
  /* Killed while the folder was being made, before run.json: a person would see it as damaged and begin anew. */
  g_autoptr (GPtrArray) runs = fen_runs_list (root, NULL);
  for (guint i = 0; i < runs->len; i++)
    {
      const FenRunInfo *info = runs->pdata[i];
      if (info->status == FEN_RUN_DAMAGED)
        g_assert_true (fen_io_remove_tree (info->path, NULL));
    }
}

static void
test_kill (void)
{
  const char *wanted = g_getenv ("FENESTRA_KILLS");
  const gint64 kills = wanted != NULL ? MAX (atoll (wanted), 1) : 8;
  const gint64 steps = 12 * kills + 24;
  g_autofree char *folder = train_fixture_folder ();
  FenRandom random;
  fen_random_init (&random, (guint64)g_test_rand_int (), 1);
  train_fixture_write_text (folder, 400);

  g_autofree char *calm_config = write_config (folder, "calm", steps);
  g_autofree char *calm_root = g_build_filename (folder, "calm", NULL);
  const gint64 begin = g_get_monotonic_time ();
  g_assert_false (wait_or_kill (start_driver (folder, "new", calm_config, NULL, 0), 300 * G_USEC_PER_SEC));
  const gint64 duration = g_get_monotonic_time () - begin;
  g_autofree char *calm = only_run (calm_root);
  g_autofree char *expected = train_fixture_losses (calm);

  g_autofree char *config = write_config (folder, "killed", steps);
  g_autofree char *root = g_build_filename (folder, "killed", NULL);
  gint64 n_killed = 0, n_inside = 0;
  for (gint64 i = 0; i < kills; i++)
    {
      remove_damaged_beginnings (root);
      g_autofree char *run = only_run (root);
      /* Every third time inside a checkpoint, at one of its calls. */
      const gboolean inside = i % 3 == 2;
      const guint64 at = 1 + fen_random_below (&random, 60);
      const gint64 delay
          = inside ? 60 * G_USEC_PER_SEC
                   : (gint64)(fen_random_uniform (&random) * 1.5 * (double)duration / (double)kills);
      const GPid child = start_driver (folder, run != NULL ? "resume" : "new", run != NULL ? run : config,
                                       inside ? (i % 2 ? "KILL" : "TEAR") : NULL, at);
      const gboolean killed = wait_or_kill (child, delay);
      n_killed += killed;
      n_inside += killed && inside;
      if (!killed)
        break; /* the run is finished */
    }
  remove_damaged_beginnings (root);
  g_autofree char *run = only_run (root);
  g_autoptr (FenRunInfo) before = run != NULL ? fen_run_info (run) : NULL;
  if (before == NULL || before->status != FEN_RUN_FINISHED)
    g_assert_false (wait_or_kill (
        start_driver (folder, run != NULL ? "resume" : "new", run != NULL ? run : config, NULL, 0),
        300 * G_USEC_PER_SEC));
  g_autofree char *final = only_run (root);
  g_autofree char *found = train_fixture_losses (final);
  g_assert_cmpstr (found, ==, expected);
  g_assert_cmpuint (strlen (expected), >, 100);
  g_autoptr (FenRunInfo) info = fen_run_info (final);
  g_assert_cmpint (info->status, ==, FEN_RUN_FINISHED);
  g_assert_cmpint (info->step, ==, steps);
  g_assert_true (info->has_model);
  g_test_message ("%" G_GINT64_FORMAT " kills, %" G_GINT64_FORMAT
                  " of them inside checkpoints; %u resumes; %" G_GINT64_FORMAT " steps in %.1f s undisturbed",
                  n_killed, n_inside, train_fixture_count_events (final, "resume"), steps,
                  (double)duration / G_USEC_PER_SEC);
  g_assert_cmpint (n_killed, >=, MIN (kills, 3));
  g_assert_true (fen_io_remove_tree (folder, NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/kill/losses-equal", test_kill);
  return g_test_run ();
}
