/* train-fixture.c: see train-fixture.h. */
#include "tests/support/train-fixture.h"

#include "core/base/fen-random.h"
#include "core/train/fen-metrics.h"

#include <string.h>

char *
train_fixture_folder (void)
{
  char *folder = g_strdup ("/dev/shm/fen-train-XXXXXX");
  if (g_mkdtemp (folder) == NULL)
    {
      g_free (folder);
      folder = g_dir_make_tmp ("fen-train-XXXXXX", NULL);
    }
  return folder;
}

void
train_fixture_write_text (const char *folder, guint lines)
{
  static const char *const words[] = { "the", "cat", "dog", "sat", "on", "under", "a", "mat", "tree", "and" };
  g_autoptr (GString) text = g_string_new (NULL);
  g_autofree char *path = g_build_filename (folder, "text.txt", NULL);
  FenRandom random;
  fen_random_init (&random, 7, 1000);
  for (guint i = 0; i < lines; i++)
    for (guint k = 0; k < 10; k++)
      g_string_append_printf (text, "%s%s", words[fen_random_below (&random, G_N_ELEMENTS (words))],
                              k < 9 ? " " : ".\n");
  g_assert_true (g_file_set_contents (path, text->str, (gssize)text->len, NULL));
}

static void
set_text (char **target, const char *text)
{
  g_free (*target);
  *target = g_strdup (text);
}

FenConfig *
train_fixture_config (const char *folder, gint64 steps)
{
  FenConfig *config = fen_config_new ();
  g_autofree char *text = g_build_filename (folder, "text.txt", NULL);
  g_autofree char *runs = g_build_filename (folder, "runs", NULL);
  set_text (&config->dataset_file, text);
  set_text (&config->output_dir, runs);
  set_text (&config->model, "1M");
  set_text (&config->tokenizer, "bytes");
  set_text (&config->device, "cpu");
  config->expert = TRUE;
  config->threads = 1;
  config->max_seq_len = 64;
  config->window_size = 16;
  config->batch_size = 2;
  config->gradient_accumulation_steps = 2;
  config->steps = steps;
  config->warmup_steps = 2;
  config->eval_interval = 5;
  config->eval_rows = 3;
  config->eval_share = 0.1;
  config->checkpoint_interval = 4;
  config->keep_checkpoints = 2;
  return config;
}

char *
train_fixture_losses (const char *run_path)
{
  g_autofree char *path = g_build_filename (run_path, "metrics.jsonl", NULL);
  g_autoptr (FenMetricsReader) reader = fen_metrics_reader_new (path);
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  FenSample sample;
  FenMetricsStatus status;
  while ((status = fen_metrics_reader_next (reader, &sample, &error)) == FEN_METRICS_SAMPLE)
    {
      if (sample.kind != FEN_SAMPLE_TRAIN && sample.kind != FEN_SAMPLE_EVAL)
        continue;
      /* Two places a step: the step itself, and the evaluation after it. */
      const guint place = (guint)sample.step * 2 + (sample.kind == FEN_SAMPLE_EVAL);
      if (lines->len <= place)
        g_ptr_array_set_size (lines, (gint)place + 1);
      g_free (lines->pdata[place]);
      lines->pdata[place] = g_strdup_printf (
          "%s %" G_GINT64_FORMAT " tokens %" G_GINT64_FORMAT " loss %a smoothed %a norm %a lr %a",
          fen_sample_kind_name (sample.kind), sample.step, sample.tokens, sample.loss, sample.smoothed_loss,
          sample.grad_norm, sample.learning_rate);
    }
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, FEN_METRICS_END);
  g_autoptr (GString) text = g_string_new (NULL);
  for (guint i = 0; i < lines->len; i++)
    if (lines->pdata[i] != NULL)
      g_string_append_printf (text, "%s\n", (char *)lines->pdata[i]);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

guint
train_fixture_count_events (const char *run_path, const char *event)
{
  g_autofree char *path = g_build_filename (run_path, "metrics.jsonl", NULL);
  g_autoptr (FenMetricsReader) reader = fen_metrics_reader_new (path);
  FenSample sample;
  guint count = 0;
  while (fen_metrics_reader_next (reader, &sample, NULL) == FEN_METRICS_SAMPLE)
    count += sample.kind == FEN_SAMPLE_EVENT && strcmp (sample.event, event) == 0;
  return count;
}
