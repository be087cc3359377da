/* bench-memory.c: does a run take the memory that its plan says?
 *
 *   bench-memory [--model gpt2] [--rows 1] [--tokens 1024] [--gradient-checkpointing] [--chunk-size N] [--dtype f32]
 *                [--use-8bit-optimizer] [--json]
 *
 * Trains two steps in this fresh process and compares the kernel's own peak of resident memory (VmHWM) with the plan:
 * the arena and what the device says that it takes outside of it. Exits with 0 when the peak is within 5% + 64 MB of
 * the plan, with 1 when it is not.
 */
#include "tests/support/engine-fixture.h"
#include "core/base/fen-io.h"
#include "core/base/fen-json.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* VmHWM of /proc/self/status in bytes; 0 when there is none. */
static guint64
peak_resident (void)
{
  g_autofree char *text = NULL;
  const char *line;

  if (!g_file_get_contents ("/proc/self/status", &text, NULL, NULL))
    return 0;
  line = strstr (text, "VmHWM:");
  return line == NULL ? 0 : g_ascii_strtoull (line + strlen ("VmHWM:"), NULL, 10) * 1024;
}

static gboolean
train (EngineFixture *f, GError **error)
{
  const FenPlanSettings *s = fen_plan_settings (f->plan);
  const gint64 n = s->rows * s->row_tokens, vocab = fen_model_config (f->model)->vocab_size;
  const FenUpdate update
      = { .learning_rate = 1e-4, .beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8, .grad_clip = 1 };
  g_autofree gint32 *tokens = g_new (gint32, n), *targets = g_new (gint32, n);
  FenBatch batch = { .rows = s->rows, .row_tokens = s->row_tokens, .tokens = tokens, .targets = targets };
  FenUpdateResult result;

  for (gint64 i = 0; i < n; i++)
    tokens[i] = (gint32)(i * 7919 % vocab);
  engine_fixture_targets (tokens, s->rows, s->row_tokens, targets);
  for (int i = 0; i < 2; i++)
    if (!fen_engine_micro_step (f->engine, &batch, 1.0 / (double)n, error)
        || !fen_engine_update (f->engine, &update, &result, error))
      return FALSE;
  return TRUE;
}

static int
report (const EngineFixture *f, gboolean json)
{
  const guint64 plan
      = fen_plan_device_bytes (f->plan) + fen_plan_host_bytes (f->plan) + f->properties.overhead_bytes;
  const guint64 peak = peak_resident ();
  const double difference = (double)peak - (double)plan, allowed = 0.05 * (double)plan + 64e6;
  const gboolean ok = peak > 0 && fabs (difference) <= allowed;

  if (json)
    {
      g_autoptr (FenJsonWriter) writer = fen_json_writer_new (2);
      gsize length;
      fen_json_writer_begin_object (writer, NULL);
      fen_json_writer_string (writer, "schedule", fen_schedule_name (fen_plan_settings (f->plan)->schedule));
      fen_json_writer_int (writer, "plan_bytes", (gint64)plan);
      fen_json_writer_int (writer, "peak_bytes", (gint64)peak);
      fen_json_writer_double (writer, "allowed_bytes", allowed);
      fen_json_writer_boolean (writer, "ok", ok);
      fen_json_writer_end_object (writer);
      printf ("%s\n", fen_json_writer_text (writer, &length));
    }
  else
    {
      g_autofree char *plan_text = fen_format_bytes (plan), *peak_text = fen_format_bytes (peak);
      printf ("%s %s: plan %s, peak %s (%+.1f MB, allowed %.1f MB) %s\n", fen_model_name (f->model),
              fen_schedule_name (fen_plan_settings (f->plan)->schedule), plan_text, peak_text,
              difference / 1e6, allowed / 1e6, ok ? "ok" : "FAIL");
    }
  return ok ? 0 : 1;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *model = NULL, *dtype = NULL;
  gint64 rows = 1, tokens = 1024, chunk = 0;
  gboolean checkpointing = FALSE, adam8 = FALSE, json = FALSE;
  EngineFixture f = { 0 };
  g_autoptr (FenConfig) config = NULL;
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  const GOptionEntry entries[]
      = { { "model", 0, 0, G_OPTION_ARG_STRING, &model, "preset or folder", "NAME" },
          { "dtype", 0, 0, G_OPTION_ARG_STRING, &dtype, "f32 or bf16", "TYPE" },
          { "rows", 0, 0, G_OPTION_ARG_INT64, &rows, "rows of a batch", "N" },
          { "tokens", 0, 0, G_OPTION_ARG_INT64, &tokens, "tokens of a row", "N" },
          { "chunk-size", 0, 0, G_OPTION_ARG_INT64, &chunk, "exact chunking", "TOKENS" },
          { "gradient-checkpointing", 0, 0, G_OPTION_ARG_NONE, &checkpointing, "recompute layers", NULL },
          { "use-8bit-optimizer", 0, 0, G_OPTION_ARG_NONE, &adam8, "8-bit AdamW", NULL },
          { "json", 0, 0, G_OPTION_ARG_NONE, &json, "for machines", NULL },
          { NULL } };
  int status = 2;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      fprintf (stderr, "bench-memory: %s\n", error->message);
      return 2;
    }
  config = engine_fixture_config (model != NULL ? model : "gpt2", rows, tokens);
  config->gradient_checkpointing = checkpointing;
  config->use_chunked_training = chunk > 0;
  config->chunk_size = chunk;
  config->use_8bit_optimizer = adam8;
  config->amp = dtype != NULL && strcmp (dtype, "bf16") == 0;
  config->amp_dtype = FEN_AMP_BF16;
  if (engine_fixture_open (&f, config, FEN_PLAN_TRAIN, 0, NULL, &error) && train (&f, &error))
    status = report (&f, json);
  else
    fprintf (stderr, "bench-memory: %s\n", error->message);
  engine_fixture_close (&f);
  return status;
}
