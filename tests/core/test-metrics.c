/* metrics.jsonl: what is written is read back, whatever the file looks like in between. */
#include "core/train/fen-metrics.h"

#include "core/base/fen-io.h"
#include "core/train/fen-train-error.h"

#include <glib/gstdio.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct {
  char *folder, *path, *copy;
} Place;

static void
set_up (Place *place, gconstpointer data)
{
  place->folder = g_dir_make_tmp ("fen-metrics-XXXXXX", NULL);
  place->path = g_build_filename (place->folder, "metrics.jsonl", NULL);
  place->copy = g_build_filename (place->folder, "copy.jsonl", NULL);
}

static void
tear_down (Place *place, gconstpointer data)
{
  g_assert_true (fen_io_remove_tree (place->folder, NULL));
  g_free (place->folder);
  g_free (place->path);
  g_free (place->copy);
}

static void
append_text (Place *place, const char *text)
{
  /* In place: a reader follows the same file. */
  FILE *file = g_fopen (place->path, "a");
  g_assert_nonnull (file);
  g_assert_cmpint (fputs (text, file), >=, 0);
  g_assert_cmpint (fclose (file), ==, 0);
}

static void
train_sample (FenSample *sample, gint64 step)
{
  fen_sample_init (sample, FEN_SAMPLE_TRAIN, step);
  sample->tokens = step * 768;
  sample->loss = 1.0 / 3 + (double)step;
  sample->grad_norm = 0.1;
  sample->learning_rate = 1e-8;
  sample->tokens_per_second = 123456.789;
  sample->step_us = 6220;
}

#define assert_same_double(a, b) g_assert_true ((isnan (a) && isnan (b)) || (a) == (b))

static void
assert_same (const FenSample *a, const FenSample *b)
{
  g_assert_cmpint (a->kind, ==, b->kind);
  g_assert_cmpint (a->step, ==, b->step);
  g_assert_true (isnan (a->time) == isnan (b->time) && !(fabs (a->time - b->time) > 0.0011));
  g_assert_cmpint (a->tokens, ==, b->tokens);
  assert_same_double (a->loss, b->loss);
  assert_same_double (a->smoothed_loss, b->smoothed_loss);
  assert_same_double (a->grad_norm, b->grad_norm);
  assert_same_double (a->learning_rate, b->learning_rate);
  assert_same_double (a->tokens_per_second, b->tokens_per_second);
  assert_same_double (a->step_us, b->step_us);
  assert_same_double (a->eta_seconds, b->eta_seconds);
  assert_same_double (a->mfu, b->mfu);
  g_assert_cmpint (a->skipped_updates, ==, b->skipped_updates);
  g_assert_cmpint (a->skipped, ==, b->skipped);
  g_assert_cmpint (a->eval_rows, ==, b->eval_rows);
  assert_same_double (a->eval_seconds, b->eval_seconds);
  g_assert_cmpmem (a->category_bytes, sizeof a->category_bytes, b->category_bytes, sizeof b->category_bytes);
  g_assert_cmpint (a->has_device, ==, b->has_device);
  g_assert_cmpint (a->has_device_process, ==, b->has_device_process);
  g_assert_cmpint (a->has_host, ==, b->has_host);
  g_assert_cmpuint (a->device_used_bytes, ==, b->device_used_bytes);
  g_assert_cmpuint (a->device_total_bytes, ==, b->device_total_bytes);
  g_assert_cmpuint (a->process_rss_bytes, ==, b->process_rss_bytes);
  g_assert_cmpuint (a->host_available_bytes, ==, b->host_available_bytes);
  assert_same_double (a->cpu_process, b->cpu_process);
  assert_same_double (a->temperature, b->temperature);
  g_assert_cmpint (a->level, ==, b->level);
  g_assert_cmpstr (a->event, ==, b->event);
  g_assert_cmpstr (a->text, ==, b->text);
}

/* Each kind survives the way through JSON with every bit of every number. */
static void
test_round_trip (void)
{
  FenSample samples[5], back;
  g_autoptr (GError) error = NULL;
  train_sample (&samples[0], 7);
  samples[0].skipped = TRUE;
  samples[0].skipped_updates = 3;
  samples[0].eta_seconds = 5e-324;
  fen_sample_init (&samples[1], FEN_SAMPLE_EVAL, 50);
  samples[1].loss = 2.5;
  samples[1].eval_rows = 8;
  samples[1].eval_seconds = 0.25;
  fen_sample_init (&samples[2], FEN_SAMPLE_MEMORY, 50);
  for (guint i = 0; i < FEN_N_MEMORY_CATEGORIES; i++)
    samples[2].category_bytes[i] = G_GUINT64_CONSTANT (1) << (20 + i);
  samples[2].has_device = samples[2].has_host = TRUE;
  samples[2].device_used_bytes = 5;
  samples[2].device_total_bytes = G_GUINT64_CONSTANT (1) << 40;
  samples[2].process_rss_bytes = 77;
  samples[2].cpu_process = 1.5;
  fen_sample_init (&samples[3], FEN_SAMPLE_MEMORY, 51); /* nothing known */
  fen_sample_init_event (&samples[4], 3, FEN_EVENT_WARNING, "not-finite", "line\nbreak \"quoted\" \xC3\xA9");
  for (gsize i = 0; i < G_N_ELEMENTS (samples); i++)
    {
      g_autofree char *json = fen_sample_to_json (&samples[i]);
      g_assert_null (strchr (json, '\n'));
      g_assert_true (fen_sample_from_json (&back, json, strlen (json), "test", &error));
      g_assert_no_error (error);
      assert_same (&samples[i], &back);
    }
}

/* Train lines have a quick way in; a space more in the line takes the parser's. Both say the same of every line. */
static void
assert_both_ways (const char *line)
{
  FenSample quick, slow;
  g_autofree char *spaced = g_strdup_printf ("{ %s", line + 1);
  const gboolean is_line = fen_sample_from_json (&quick, line, strlen (line), "test", NULL);
  g_test_message ("%s: %s", is_line ? "read" : "refused", line);
  g_assert_cmpint (fen_sample_from_json (&slow, spaced, strlen (spaced), "test", NULL), ==, is_line);
  if (is_line)
    assert_same (&quick, &slow);
}

static void
test_both_ways (void)
{
  static const char *const members[] = { "\"step\":7",
                                         "\"step\":0",
                                         "\"step\":-1",
                                         "\"step\":7.0",
                                         "\"step\":07",
                                         "\"step\":9223372036854775807",
                                         "\"step\":9223372036854775808",
                                         "\"step\":",
                                         "\"step\":null",
                                         "\"step\":\"7\"",
                                         "\"step\" :7",
                                         "\"step\":7,\"time\":1763000000.25",
                                         "\"step\":7,\"time\":-1",
                                         "\"step\":7,\"time\":1e16",
                                         "\"step\":7,\"step\":8",
                                         "\"step\":7,\"loss\":2.5e-3",
                                         "\"step\":7,\"loss\":1e999",
                                         "\"step\":7,\"loss\":-1.5",
                                         "\"step\":7,\"loss\":null",
                                         "\"step\":7,\"loss\":0x10",
                                         "\"step\":7,\"loss\":.5",
                                         "\"step\":7,\"loss\":5.",
                                         "\"step\":7,\"loss\":1e",
                                         "\"step\":7,\"loss\":nan",
                                         "\"step\":7,\"loss\":-",
                                         "\"step\":7,\"tokens\":12,\"skipped\":3",
                                         "\"step\":7,\"tokens\":-12",
                                         "\"step\":7,\"skip\":true",
                                         "\"step\":7,\"rows\":3",
                                         "\"step\":7,\"new\":{\"a\":[1]}",
                                         "\"step\":7,",
                                         "\"step\":7}",
                                         "\"step\":7 ",
                                         "" };
  for (gsize i = 0; i < G_N_ELEMENTS (members); i++)
    {
      g_autofree char *line = g_strdup_printf ("{\"v\":1,\"kind\":\"train\",%s}", members[i]);
      assert_both_ways (line);
    }
  /* Cut anywhere, and with any byte another. */
  FenSample sample;
  train_sample (&sample, 12);
  g_autofree char *json = fen_sample_to_json (&sample);
  g_assert_true (g_str_has_prefix (json, "{\"v\":1,\"kind\":\"train\","));
  for (gsize i = 1; i <= strlen (json); i++)
    {
      g_autofree char *cut = g_strndup (json, i), *bent = g_strdup (json);
      assert_both_ways (cut);
      bent[i - 1] = "0-,\"}e. "[i % 8];
      if (i > 1)
        assert_both_ways (bent);
    }
}

/* What is not a number is null or left out, never 0. */
static void
test_unknown (void)
{
  FenSample sample, back;
  train_sample (&sample, 1);
  sample.loss = NAN;
  sample.grad_norm = INFINITY;
  g_autofree char *json = fen_sample_to_json (&sample);
  g_assert_nonnull (strstr (json, "\"loss\":null"));
  g_assert_nonnull (strstr (json, "\"grad_norm\":null"));
  g_assert_null (strstr (json, "mfu"));
  g_assert_null (strstr (json, "eta_s"));
  g_assert_true (fen_sample_from_json (&back, json, strlen (json), "test", NULL));
  g_assert_true (isnan (back.loss) && isnan (back.grad_norm) && isnan (back.mfu));
  /* A text that is too long is cut between characters. */
  g_autoptr (GString) text = g_string_new (NULL);
  while (text->len < 2 * FEN_EVENT_TEXT_BYTES)
    g_string_append (text, "\xE2\x82\xAC");
  fen_sample_init_event (&sample, 1, FEN_EVENT_INFO, "x", text->str);
  g_assert_true (g_utf8_validate (sample.text, -1, NULL));
  g_assert_cmpuint (strlen (sample.text), >, FEN_EVENT_TEXT_BYTES - 5);
}

static void
write_steps (FenMetricsWriter *writer, gint64 first, gint64 last)
{
  FenSample sample;
  for (gint64 i = first; i <= last; i++)
    {
      train_sample (&sample, i);
      g_assert_true (fen_metrics_writer_write (writer, &sample, NULL));
    }
}

static void
expect_step (FenMetricsReader *reader, gint64 step)
{
  FenSample sample;
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (fen_metrics_reader_next (reader, &sample, &error), ==, FEN_METRICS_SAMPLE);
  g_assert_no_error (error);
  g_assert_cmpint (sample.step, ==, step);
}

static void
expect_end (FenMetricsReader *reader)
{
  FenSample sample;
  g_assert_cmpint (fen_metrics_reader_next (reader, &sample, NULL), ==, FEN_METRICS_END);
}

static void
test_follow (Place *place, gconstpointer data)
{
  g_autoptr (FenMetricsReader) reader = fen_metrics_reader_new (place->path);
  expect_end (reader); /* not there yet */
  g_autoptr (FenMetricsWriter) writer = fen_metrics_writer_new (place->path, place->copy, FALSE, NULL);
  g_assert_nonnull (writer);
  expect_end (reader);
  write_steps (writer, 1, 2000); /* several buffers */
  for (gint64 i = 1; i <= 2000; i++)
    expect_step (reader, i);
  expect_end (reader);
  write_steps (writer, 2001, 2002);
  expect_step (reader, 2001);
  expect_step (reader, 2002);
  expect_end (reader);
  g_assert_cmpint (fen_metrics_reader_line (reader), ==, 2002);
  g_autofree char *a = NULL, *b = NULL;
  g_assert_true (g_file_get_contents (place->path, &a, NULL, NULL));
  g_assert_true (g_file_get_contents (place->copy, &b, NULL, NULL));
  g_assert_cmpstr (a, ==, b);
}

/* A line without its end waits; a resumed run cuts it off and writes others in its place. */
static void
test_torn_line (Place *place, gconstpointer data)
{
  g_autoptr (FenMetricsReader) reader = fen_metrics_reader_new (place->path);
  FenMetricsWriter *writer = fen_metrics_writer_new (place->path, NULL, FALSE, NULL);
  write_steps (writer, 1, 2);
  fen_metrics_writer_free (writer);
  append_text (place, "{\"v\":1,\"kind\":\"train\",\"step\":3,\"ti");
  expect_step (reader, 1);
  expect_step (reader, 2);
  expect_end (reader);
  expect_end (reader);
  writer = fen_metrics_writer_new (place->path, NULL, TRUE, NULL);
  write_steps (writer, 3, 4);
  fen_metrics_writer_free (writer);
  expect_step (reader, 3);
  expect_step (reader, 4);
  expect_end (reader);
}

static void
expect_damaged (FenMetricsReader *reader, const char *words)
{
  FenSample sample;
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (fen_metrics_reader_next (reader, &sample, &error), ==, FEN_METRICS_DAMAGED);
  g_assert_nonnull (error);
  if (strstr (error->message, words) == NULL)
    g_error ("\"%s\" does not say \"%s\"", error->message, words);
  g_assert_null (strchr (error->message, '\n'));
}

static void
test_damaged_lines (Place *place, gconstpointer data)
{
  g_autoptr (FenMetricsReader) reader = fen_metrics_reader_new (place->path);
  g_autoptr (GString) deep = g_string_new (NULL);
  for (int i = 0; i < 30000; i++)
    g_string_append_c (deep, '[');
  append_text (place, "{\"v\":1,\"kind\":\"train\",\"step\":1}\n"
                      "garbage\n"
                      "\n"
                      "{\"v\":2,\"kind\":\"train\",\"step\":1}\n"
                      "{\"v\":1,\"kind\":\"dance\",\"step\":1}\n"
                      "{\"v\":1,\"kind\":\"train\",\"step\":-4}\n"
                      "{\"v\":1,\"kind\":\"train\",\"step\":\"two\"}\n"
                      "{\"v\":1,\"kind\":\"event\",\"step\":2,\"level\":\"loud\",\"event\":\"x\"}\n");
  append_text (place, deep->str);
  append_text (place, "\n\xFF\xFE\n{\"v\":1,\"kind\":\"eval\",\"step\":9,\"later\":[1]}\n");
  expect_step (reader, 1);
  expect_damaged (reader, "line 2");
  expect_damaged (reader, "line 4");
  expect_damaged (reader, "kind is \"dance\"; allowed: train, eval, memory, event");
  expect_damaged (reader, "line 6");
  expect_damaged (reader, "line 7");
  expect_damaged (reader, "allowed: info, warning, error");
  expect_damaged (reader, "line 9");
  expect_damaged (reader, "line 10");
  expect_step (reader, 9);
  expect_end (reader);
}

/* A line of any length takes no more memory than the buffer and is one damaged line. */
static void
test_long_line (Place *place, gconstpointer data)
{
  g_autofree char *block = g_strnfill (1 << 20, 'x');
  g_autoptr (FenMetricsReader) reader = fen_metrics_reader_new (place->path);
  append_text (place, "{\"v\":1,\"kind\":\"train\",\"step\":1}\n");
  for (int i = 0; i < 3; i++)
    append_text (place, block);
  expect_step (reader, 1);
  expect_damaged (reader, "line 2 is longer than 65536 bytes");
  expect_end (reader);
  append_text (place, "\n{\"v\":1,\"kind\":\"train\",\"step\":3}\n");
  expect_step (reader, 3);
  g_assert_cmpint (fen_metrics_reader_line (reader), ==, 3);
  expect_end (reader);
}

static void
test_replaced (Place *place, gconstpointer data)
{
  FenSample sample;
  g_autoptr (FenMetricsReader) reader = fen_metrics_reader_new (place->path);
  append_text (place, "{\"v\":1,\"kind\":\"train\",\"step\":1}\n{\"v\":1,\"kind\":\"train\",\"step\":2}\n");
  expect_step (reader, 1);
  expect_step (reader, 2);
  g_assert_cmpint (truncate (place->path, 10), ==, 0);
  g_assert_cmpint (fen_metrics_reader_next (reader, &sample, NULL), ==, FEN_METRICS_RESTARTED);
  expect_end (reader);
  g_assert_true (g_file_set_contents (place->path, "{\"v\":1,\"kind\":\"train\",\"step\":5}\n", -1, NULL));
  g_assert_cmpint (fen_metrics_reader_next (reader, &sample, NULL), ==, FEN_METRICS_RESTARTED);
  expect_step (reader, 5);
  g_unlink (place->path);
  g_assert_cmpint (fen_metrics_reader_next (reader, &sample, NULL), ==, FEN_METRICS_RESTARTED);
  expect_end (reader);
}

/* log_file: a fresh run begins it anew, a resumed one appends, and a file that is something else is left alone. */
static void
test_copy (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (g_file_set_contents (place->copy, "Once upon a time\n", -1, NULL));
  g_assert_null (fen_metrics_writer_new (place->path, place->copy, FALSE, &error));
  g_assert_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_DAMAGED);
  g_assert_nonnull (strstr (error->message, "copy.jsonl"));
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (place->copy, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "Once upon a time\n");
  g_unlink (place->copy);
  for (int run = 0; run < 3; run++)
    {
      FenMetricsWriter *writer = fen_metrics_writer_new (place->path, place->copy, run == 2, NULL);
      g_assert_nonnull (writer);
      write_steps (writer, run * 10 + 1, run * 10 + 2);
      fen_metrics_writer_free (writer);
    }
  g_autoptr (FenMetricsReader) copy = fen_metrics_reader_new (place->copy);
  expect_step (copy, 11);
  expect_step (copy, 12);
  expect_step (copy, 21);
  expect_step (copy, 22);
  expect_end (copy);
}

/* A disk that is full in the middle of a line: an error, no torn line, and the next line is written once there is room. */
static void
test_full_disk (Place *place, gconstpointer data)
{
  struct rlimit before, small;
  g_autoptr (GError) error = NULL;
  FenSample sample;
  g_autoptr (FenMetricsWriter) writer = fen_metrics_writer_new (place->path, NULL, FALSE, NULL);
  write_steps (writer, 1, 1);
  GStatBuf info;
  g_assert_cmpint (g_stat (place->path, &info), ==, 0);
  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  small = before;
  small.rlim_cur = (rlim_t)info.st_size + 20;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &small), ==, 0);
  train_sample (&sample, 2);
  const gboolean written = fen_metrics_writer_write (writer, &sample, &error);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
  g_assert_false (written);
  g_assert_nonnull (strstr (error->message, "metrics.jsonl"));
  g_autoptr (FenMetricsReader) reader = fen_metrics_reader_new (place->path);
  expect_step (reader, 1);
  expect_end (reader);
  write_steps (writer, 3, 3);
  expect_step (reader, 3);
  expect_end (reader);
}

static void
test_last (Place *place, gconstpointer data)
{
  FenSample train, eval;
  fen_metrics_last (place->path, &train, &eval);
  g_assert_cmpint (train.step, ==, -1);
  g_autoptr (FenMetricsWriter) writer = fen_metrics_writer_new (place->path, NULL, FALSE, NULL);
  write_steps (writer, 1, 3000); /* more than is looked at */
  FenSample sample;
  fen_sample_init (&sample, FEN_SAMPLE_EVAL, 3000);
  sample.loss = 4;
  g_assert_true (fen_metrics_writer_write (writer, &sample, NULL));
  fen_metrics_last (place->path, &train, &eval);
  g_assert_cmpint (train.step, ==, 3000);
  g_assert_cmpint (eval.step, ==, 3000);
  g_assert_cmpfloat (eval.loss, ==, 4);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/metrics/round-trip", test_round_trip);
  g_test_add_func ("/metrics/both-ways", test_both_ways);
  g_test_add_func ("/metrics/unknown", test_unknown);
#define ADD(path, function) g_test_add (path, Place, NULL, set_up, function, tear_down)
  ADD ("/metrics/follow", test_follow);
  ADD ("/metrics/torn-line", test_torn_line);
  ADD ("/metrics/damaged-lines", test_damaged_lines);
  ADD ("/metrics/long-line", test_long_line);
  ADD ("/metrics/replaced", test_replaced);
  ADD ("/metrics/copy", test_copy);
  ADD ("/metrics/full-disk", test_full_disk);
  ADD ("/metrics/last", test_last);
  return g_test_run ();
}
