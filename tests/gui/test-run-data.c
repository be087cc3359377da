/* Samples become curves, events and last values; what was undone goes away. */
#include "gui/run/fen-run-data.h"

#include <math.h>
#include <string.h>

static FenSample
train (gint64 step, double loss)
{
  FenSample sample;
  fen_sample_init (&sample, FEN_SAMPLE_TRAIN, step);
  sample.time = 1000 + (double)step;
  sample.tokens = 64 * step;
  sample.loss = loss;
  sample.grad_norm = 1;
  sample.learning_rate = 1e-3;
  sample.tokens_per_second = 500;
  return sample;
}

static void
add_train (FenRunData *data, gint64 step, double loss)
{
  const FenSample sample = train (step, loss);
  fen_run_data_add (data, &sample);
}

static void
add_eval (FenRunData *data, gint64 step, double loss)
{
  FenSample sample;
  fen_sample_init (&sample, FEN_SAMPLE_EVAL, step);
  sample.time = 1000.5 + (double)step;
  sample.tokens = 64 * step;
  sample.loss = loss;
  fen_run_data_add (data, &sample);
}

static void
add_event (FenRunData *data, gint64 step, const char *event, const char *text)
{
  FenSample sample;
  fen_sample_init_event (&sample, step, FEN_EVENT_INFO, event, text);
  sample.time = 5000;
  fen_run_data_add (data, &sample);
}

static gsize
length (FenRunData *data, FenCurve curve)
{
  return fen_series_length (fen_run_data_series (data, curve));
}

static void
count (FenRunData *data, guint *n)
{
  (*n)++;
}

static void
test_curves (void)
{
  FenRunData *data = fen_run_data_new ();
  for (int i = 0; i < FEN_N_CURVES; i++)
    g_assert_cmpuint (length (data, (FenCurve)i), ==, 0);
  g_assert_null (fen_run_data_last (data, FEN_SAMPLE_TRAIN));
  add_train (data, 1, 5.0);
  add_train (data, 2, NAN);
  add_eval (data, 2, 4.5);
  FenSample timeless = train (3, 4.0);
  timeless.time = NAN; /* a line need not say it */
  fen_run_data_add (data, &timeless);

  const FenSeries *loss = fen_run_data_series (data, FEN_CURVE_LOSS);
  g_assert_cmpuint (fen_series_length (loss), ==, 3);
  g_assert_true (isnan (fen_series_y (loss, 1)));
  g_assert_cmpfloat (fen_series_x (loss, FEN_AXIS_STEP, 2), ==, 3);
  g_assert_cmpfloat (fen_series_x (loss, FEN_AXIS_TOKENS, 2), ==, 192);
  g_assert_cmpfloat (fen_series_x (loss, FEN_AXIS_RELATIVE, 1), ==, 1);
  g_assert_cmpfloat (fen_series_x (loss, FEN_AXIS_WALL, 1), ==, 1002);
  g_assert_cmpfloat (fen_series_x (loss, FEN_AXIS_WALL, 2), ==, 1002.5);
  g_assert_cmpuint (length (data, FEN_CURVE_EVAL_LOSS), ==, 1);
  g_assert_cmpuint (length (data, FEN_CURVE_TOKENS_PER_SECOND), ==, 3);
  g_assert_cmpuint (length (data, FEN_CURVE_MFU), ==, 0); /* never known: nothing to draw */
  g_assert_cmpint (fen_run_data_last (data, FEN_SAMPLE_TRAIN)->step, ==, 3);
  g_assert_cmpfloat (fen_run_data_last (data, FEN_SAMPLE_EVAL)->loss, ==, 4.5);
  g_assert_finalize_object (data);
}

static void
test_memory (void)
{
  FenRunData *data = fen_run_data_new ();
  FenSample sample;
  add_train (data, 7, 3);
  fen_sample_init (&sample, FEN_SAMPLE_MEMORY, 7);
  sample.time = 1010;
  sample.category_bytes[FEN_MEMORY_WEIGHTS] = 100;
  fen_run_data_add (data, &sample);
  g_assert_cmpuint (length (data, FEN_CURVE_DEVICE_USED), ==, 0);
  g_assert_cmpuint (length (data, FEN_CURVE_RSS), ==, 0);
  g_assert_cmpfloat (fen_series_y (fen_run_data_series (data, FEN_CURVE_MEMORY + FEN_MEMORY_WEIGHTS), 0), ==,
                     100);

  sample.has_device = sample.has_device_process = sample.has_host = TRUE;
  sample.device_used_bytes = 900;
  sample.device_process_bytes = 300;
  sample.process_rss_bytes = 50;
  sample.temperature = 61;
  fen_run_data_add (data, &sample);
  g_assert_cmpfloat (fen_series_y (fen_run_data_series (data, FEN_CURVE_DEVICE_USED), 0), ==, 900);
  g_assert_cmpfloat (fen_series_y (fen_run_data_series (data, FEN_CURVE_DEVICE_OTHERS), 0), ==, 600);
  g_assert_cmpfloat (fen_series_y (fen_run_data_series (data, FEN_CURVE_RSS), 0), ==, 50);
  g_assert_cmpfloat (fen_series_y (fen_run_data_series (data, FEN_CURVE_TEMPERATURE), 0), ==, 61);
  g_assert_cmpuint (length (data, FEN_CURVE_POWER), ==, 0);
  /* A process can be told more than everybody together: never an endless number. */
  sample.device_process_bytes = 1000;
  fen_run_data_add (data, &sample);
  g_assert_cmpfloat (fen_series_y (fen_run_data_series (data, FEN_CURVE_DEVICE_OTHERS), 1), ==, 0);
  /* What is not known any more is a gap, and stands at the last train line's tokens. */
  sample.has_device = FALSE;
  fen_run_data_add (data, &sample);
  const FenSeries *used = fen_run_data_series (data, FEN_CURVE_DEVICE_USED);
  g_assert_cmpuint (fen_series_length (used), ==, 3);
  g_assert_true (isnan (fen_series_y (used, 2)));
  g_assert_cmpfloat (fen_series_x (used, FEN_AXIS_TOKENS, 2), ==, 448);
  g_assert_finalize_object (data);
}

/* Undone steps go; the others stay as they were. */
static void
test_resume (void)
{
  FenRunData *data = fen_run_data_new ();
  for (int i = 1; i <= 10; i++)
    add_train (data, i, 10 - i);
  add_eval (data, 5, 4);
  add_eval (data, 10, 3);
  add_event (data, 6, "resume", "continues");
  g_assert_cmpuint (length (data, FEN_CURVE_LOSS), ==, 6);
  g_assert_cmpuint (length (data, FEN_CURVE_EVAL_LOSS), ==, 1);
  g_assert_cmpfloat (fen_run_data_event (data, 0)->x[FEN_AXIS_TOKENS], ==, 6 * 64);
  add_train (data, 7, 1);
  const FenSeries *loss = fen_run_data_series (data, FEN_CURVE_LOSS);
  g_assert_cmpuint (fen_series_length (loss), ==, 7);
  g_assert_true (fen_series_breaks_at (loss, 6));
  g_assert_false (fen_series_breaks_at (loss, 5));
  /* The event's line was damaged: the last value of a step counts all the same. */
  add_train (data, 3, 0.5);
  g_assert_cmpuint (fen_series_length (loss), ==, 3);
  g_assert_cmpfloat (fen_series_y (loss, 2), ==, 0.5);
  add_eval (data, 5, 2);
  add_eval (data, 5, 1);
  g_assert_cmpuint (length (data, FEN_CURVE_EVAL_LOSS), ==, 1);
  g_assert_cmpfloat (fen_series_y (fen_run_data_series (data, FEN_CURVE_EVAL_LOSS), 0), ==, 1);
  /* From the very beginning. */
  add_event (data, 0, "resume", "begins at step 0");
  g_assert_cmpuint (fen_series_length (loss), ==, 0);
  add_train (data, 1, 9);
  g_assert_cmpuint (fen_series_length (loss), ==, 1);
  g_assert_finalize_object (data);
}

static void
test_events (void)
{
  FenRunData *data = fen_run_data_new ();
  for (int i = 0; i < 10050; i++)
    {
      g_autofree char *text = g_strdup_printf ("number %d", i);
      add_event (data, i, "checkpoint", text);
    }
  g_assert_cmpuint (fen_run_data_n_events (data), ==, 10000);
  g_assert_cmpuint (fen_run_data_events_added (data), ==, 10050);
  g_assert_cmpstr (fen_run_data_event (data, 0)->text, ==, "number 50");
  g_assert_cmpstr (fen_run_data_event (data, 9999)->text, ==, "number 10049");
  fen_run_data_clear (data);
  g_assert_cmpuint (fen_run_data_n_events (data), ==, 0);
  add_event (data, 1, "pause", "again");
  g_assert_cmpstr (fen_run_data_event (data, 0)->text, ==, "again");
  g_assert_cmpuint (fen_run_data_events_added (data), ==, 10051);
  g_assert_finalize_object (data);
}

static void
test_flush (void)
{
  FenRunData *data = fen_run_data_new ();
  guint n = 0;
  const char *reason;
  g_signal_connect (data, "changed", G_CALLBACK (count), &n);
  fen_run_data_flush (data);
  g_assert_cmpuint (n, ==, 0);
  for (int i = 1; i < 100; i++)
    add_train (data, i, 1);
  g_assert_cmpuint (n, ==, 0);
  fen_run_data_flush (data);
  fen_run_data_flush (data);
  g_assert_cmpuint (n, ==, 1);
  g_assert_cmpuint (fen_run_data_n_damaged (data, &reason), ==, 0);
  g_assert_null (reason);
  fen_run_data_add_damaged (data, "line 3");
  fen_run_data_add_damaged (data, "line 9");
  g_assert_cmpuint (fen_run_data_n_damaged (data, &reason), ==, 2);
  g_assert_cmpstr (reason, ==, "line 9");
  fen_run_data_clear (data);
  g_assert_cmpuint (fen_run_data_n_damaged (data, NULL), ==, 0);
  g_assert_cmpuint (length (data, FEN_CURVE_LOSS), ==, 0);
  g_assert_null (fen_run_data_last (data, FEN_SAMPLE_TRAIN));
  fen_run_data_flush (data);
  g_assert_cmpuint (n, ==, 2);
  /* The next run's first sample is the new beginning. */
  add_train (data, 40, 1);
  g_assert_cmpfloat (fen_series_x (fen_run_data_series (data, FEN_CURVE_LOSS), FEN_AXIS_RELATIVE, 0), ==, 0);
  g_assert_finalize_object (data);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/run-data/curves", test_curves);
  g_test_add_func ("/run-data/memory", test_memory);
  g_test_add_func ("/run-data/resume", test_resume);
  g_test_add_func ("/run-data/events", test_events);
  g_test_add_func ("/run-data/flush", test_flush);
  return g_test_run ();
}
