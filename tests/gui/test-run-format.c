/* test-run-format.c: a run's numbers and states in words. */
#include "gui/run/fen-run-page.h"

#include <locale.h>
#include <math.h>
#include <string.h>

/* The oracle: digits in groups of three with the locale's mark between them. */
static char *
group (const char *digits)
{
  GString *text = g_string_new (NULL);
  const struct lconv *lc = localeconv ();
  const gboolean grouped = lc->grouping[0] == 3 && *lc->thousands_sep != '\0';
  for (gsize i = 0, n = strlen (digits); i < n; i++)
    {
      if (grouped && i > 0 && (n - i) % 3 == 0)
        g_string_append (text, lc->thousands_sep);
      g_string_append_c (text, digits[i]);
    }
  return g_string_free (text, FALSE);
}

static void
assert_count (gint64 count, const char *digits)
{
  g_autofree char *text = fen_format_count (count), *expected = group (digits);
  g_assert_cmpstr (text, ==, expected);
}

static void
test_count (void)
{
  assert_count (0, "0");
  assert_count (999, "999");
  assert_count (1240, "1240");
  assert_count (10000000, "10000000");
  assert_count (G_MAXINT64, "9223372036854775807");
}

static void
assert_duration (double seconds, const char *expected)
{
  g_autofree char *text = fen_format_duration (seconds);
  g_assert_cmpstr (text, ==, expected);
}

static void
test_duration (void)
{
  assert_duration (0, "1 s");
  assert_duration (0.2, "1 s");
  assert_duration (59.6, "60 s");
  assert_duration (119.4, "119 s");
  assert_duration (119.6, "2 min");
  assert_duration (720, "12 min");
  assert_duration (59.4 * 60, "59 min");
  assert_duration (59.6 * 60, "1 h");
  assert_duration (3661, "1 h 1 min");
  assert_duration (23 * 3600 + 59 * 60 + 20, "23 h 59 min");
  assert_duration (24 * 3600, "1 d 0 h");
  assert_duration (3 * 86400 + 4 * 3600 + 1900, "3 d 5 h");
  assert_duration (NAN, "–");
  assert_duration (INFINITY, "–");
  assert_duration (-1, "–");
  /* Too large for any integer type: a number all the same. */
  g_autofree char *ages = fen_format_duration (1e300);
  g_assert_true (g_str_has_suffix (ages, "h"));
}

static FenTrainerStatus
status_at (FenTrainerPhase phase, gint64 step, gint64 steps)
{
  return (FenTrainerStatus){ .phase = phase,
                             .progress = -1,
                             .step = step,
                             .steps = steps,
                             .loss = NAN,
                             .smoothed_loss = NAN,
                             .eval_loss = NAN,
                             .tokens_per_second = NAN,
                             .eta_seconds = NAN,
                             .checkpoint_step = -1 };
}

static void
assert_status (const FenTrainerStatus *status, const char *expected)
{
  g_autofree char *text = fen_format_status (status);
  g_assert_cmpstr (text, ==, expected);
}

static void
test_status_steps (void)
{
  FenTrainerStatus status = status_at (FEN_PHASE_TRAINING, 124, 500);
  assert_status (&status, "Step 124 of 500");
  status.eta_seconds = 720;
  assert_status (&status, "Step 124 of 500, about 12 min left");
  status.phase = FEN_PHASE_EVALUATING;
  assert_status (&status, "Step 124 of 500, about 12 min left");
  status.phase = FEN_PHASE_PAUSED;
  assert_status (&status, "Step 124 of 500, about 12 min of training left");
  /* A run that is told to stop will not take the rest of its time. */
  status.phase = FEN_PHASE_STOPPING;
  assert_status (&status, "Step 124 of 500");
  /* The last step has nothing left. */
  status = status_at (FEN_PHASE_CHECKPOINTING, 500, 500);
  status.eta_seconds = 0;
  assert_status (&status, "Step 500 of 500");
}

static void
test_status_before (void)
{
  FenTrainerStatus status = status_at (FEN_PHASE_TOKENIZING, 0, 500);
  assert_status (&status, "Turning the text into tokens");
  status.progress = 0.459;
  assert_status (&status, "45% done");
  status.progress = 7; /* never beyond the end */
  assert_status (&status, "100% done");
  status.progress = NAN;
  assert_status (&status, "Turning the text into tokens");
}

static void
test_status_after (void)
{
  FenTrainerStatus status = status_at (FEN_PHASE_FINISHED, 500, 500);
  assert_status (&status, "Step 500 of 500, saved");
  status = status_at (FEN_PHASE_STOPPED, 124, 500);
  status.checkpoint_step = 124;
  assert_status (&status, "Step 124 of 500, saved");
  status.checkpoint_step = 100;
  assert_status (&status, "Step 124 of 500, last checkpoint at step 100");
  status.checkpoint_step = -1;
  assert_status (&status, "Step 124 of 500, no checkpoint");
  status = status_at (FEN_PHASE_FAILED, 0, 500);
  assert_status (&status, "No step was made");
}

/* Every phase and state has a word of its own and every phase a sentence, also with nothing known. */
static void
test_every_state (void)
{
  g_autoptr (GHashTable) words = g_hash_table_new (g_str_hash, g_str_equal);
  for (int phase = FEN_PHASE_NEW; phase <= FEN_PHASE_FAILED; phase++)
    {
      const FenTrainerStatus status = status_at (phase, 0, 0);
      g_autofree char *text = fen_format_status (&status);
      g_assert_cmpuint (strlen (text), >, 0);
      g_assert_null (strstr (text, "nan"));
      g_assert_true (g_hash_table_add (words, (gpointer)fen_phase_title (phase)));
    }
  g_hash_table_remove_all (words);
  for (int state = FEN_RUN_RUNNING; state <= FEN_RUN_DAMAGED; state++)
    g_assert_true (g_hash_table_add (words, (gpointer)fen_run_status_title (state)));
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/run-format/count", test_count);
  g_test_add_func ("/run-format/duration", test_duration);
  g_test_add_func ("/run-format/status/steps", test_status_steps);
  g_test_add_func ("/run-format/status/before", test_status_before);
  g_test_add_func ("/run-format/status/after", test_status_after);
  g_test_add_func ("/run-format/every-state", test_every_state);
  return g_test_run ();
}
