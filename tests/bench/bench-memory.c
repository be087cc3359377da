/* bench-memory.c: does a run take the memory that its plan says?
 *
 *   bench-memory [--model gpt2] [--rows 1] [--tokens 1024] [--gradient-checkpointing] [--chunk-size N] [--dtype f32]
 *                [--use-8bit-optimizer] [--json]
 *   bench-memory --cli build/core/cli/fenestra-cli [--dataset-file FILE] [--json]
 *
 * The first trains two steps in this fresh process and compares the kernel's own peak of resident memory (VmHWM) with the plan:
 * the arena and what the device says that it takes outside of it. Exits with 0 when the peak is within 5% + 64 MB of
 * the plan, with 1 when it is not.
 *
 * The second does the same for whole runs of `fenestra-cli train`, each a process of its own: tokenizer, tokens,
 * parameters, steps, evaluation, checkpoint and saved model. A row a run; a few minutes in all.
 */
#include "tests/support/engine-fixture.h"
#include "core/base/fen-io.h"
#include "core/base/fen-json.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

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

/* One row of the table; TRUE when the peak is as near to the plan as it has to be. */
static gboolean
report (const char *name, guint64 plan, guint64 peak, gboolean json)
{
  const double difference = (double)peak - (double)plan, allowed = 0.05 * (double)plan + 64e6;
  const gboolean ok = peak > 0 && fabs (difference) <= allowed;

  if (json)
    {
      g_autoptr (FenJsonWriter) writer = fen_json_writer_new (0);
      gsize length;
      fen_json_writer_begin_object (writer, NULL);
      fen_json_writer_string (writer, "run", name);
      fen_json_writer_int (writer, "plan_bytes", (gint64)plan);
      fen_json_writer_int (writer, "peak_bytes", (gint64)peak);
      fen_json_writer_double (writer, "allowed_bytes", allowed);
      fen_json_writer_boolean (writer, "ok", ok);
      fen_json_writer_end_object (writer);
      printf ("%s\n", fen_json_writer_text (writer, &length));
    }
  else
    printf ("%-28s plan %8.1f MB  peak %8.1f MB  difference %+6.1f MB  allowed %6.1f MB  %s\n", name,
            (double)plan / 1e6, (double)peak / 1e6, difference / 1e6, allowed / 1e6, ok ? "ok" : "FAIL");
  fflush (stdout);
  return ok;
}

static gboolean
report_fixture (const EngineFixture *f, gboolean json)
{
  const guint64 plan
      = fen_plan_device_bytes (f->plan) + fen_plan_host_bytes (f->plan) + f->properties.overhead_bytes;
  g_autofree char *name = g_strdup_printf ("%s %s", fen_model_name (f->model),
                                           fen_schedule_name (fen_plan_settings (f->plan)->schedule));
  return report (name, plan, peak_resident (), json);
}

/* ---- whole runs ---- */

static const struct {
  const char *name, *options;
} runs[] = {
  { "gpt2 resident", "--model gpt2 --max-seq-len 1024 --no-gradient-checkpointing" },
  { "gpt2 gradient checkpointing", "--model gpt2 --max-seq-len 1024 --gradient-checkpointing" },
  { "20M chunked", "--model 20M --max-seq-len 4096 --use-chunked-training --chunk-size 512" },
};

/* What `fenestra-cli plan` says that the run takes, arenas and overhead; 0 with an error. */
static guint64
planned (char **argv, GError **error)
{
  g_autofree char *text = NULL;
  int status;
  gint64 device = 0, host = 0, overhead = 0;

  if (!g_spawn_sync (NULL, argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &text, NULL, &status, error)
      || !g_spawn_check_wait_status (status, error))
    return 0;
  g_autoptr (JsonNode) root = fen_json_parse (text, strlen (text), "plan", G_MAXUINT32, error);
  JsonObject *object = root != NULL ? fen_json_root_object (root, "plan", error) : NULL;
  if (object == NULL
      || !fen_json_get_int (object, "plan", "device_bytes", TRUE, 0, G_MAXINT64, &device, error)
      || !fen_json_get_int (object, "plan", "host_bytes", TRUE, 0, G_MAXINT64, &host, error)
      || !fen_json_get_int (object, "plan", "overhead_bytes", TRUE, 0, G_MAXINT64, &overhead, error))
    return 0;
  return (guint64)(device + host + overhead);
}

/* The peak of a whole process, from its start to the saved model; 0 with an error. */
static guint64
peak_of (char **argv, char **environment, GError **error)
{
  GPid pid;
  int status;
  struct rusage usage;

  if (!g_spawn_async (NULL, argv, environment,
                      G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                      NULL, NULL, &pid, error))
    return 0;
  while (wait4 (pid, &status, 0, &usage) < 0 && errno == EINTR)
    ;
  return g_spawn_check_wait_status (status, error) ? (guint64)usage.ru_maxrss * 1024 : 0;
}

/* Runs a row of the table with the program `cli`, everything that it writes under `folder`. */
static gboolean
measure_run (const char *cli, const char *dataset, const char *options, const char *folder, guint64 *plan,
             guint64 *peak, GError **error)
{
  g_autofree char *output = g_build_filename (folder, "runs", NULL);
  g_autofree char *cache = g_build_filename (folder, "cache", NULL);
  g_auto (GStrv) environment = g_environ_setenv (g_get_environ (), "XDG_CACHE_HOME", cache, TRUE);
  g_auto (GStrv) own = g_strsplit (options, " ", -1);
  g_autoptr (GPtrArray) arguments = g_ptr_array_new ();
  const char *const common[] = { "--batch-size",
                                 "1",
                                 "--steps",
                                 "2",
                                 "--eval-rows",
                                 "1",
                                 "--tokenizer",
                                 "bpe:4096",
                                 "--output-dir",
                                 output,
                                 dataset != NULL ? "--dataset-file" : NULL,
                                 dataset };

  g_ptr_array_add (arguments, (gpointer)cli);
  g_ptr_array_add (arguments, (gpointer) "plan");
  for (guint i = 0; own[i] != NULL; i++)
    g_ptr_array_add (arguments, own[i]);
  for (guint i = 0; i < G_N_ELEMENTS (common) && common[i] != NULL; i++)
    g_ptr_array_add (arguments, (gpointer)common[i]);
  g_ptr_array_add (arguments, (gpointer) "--json");
  g_ptr_array_add (arguments, NULL);
  *plan = planned ((char **)arguments->pdata, error);
  if (*plan == 0)
    return FALSE;
  arguments->pdata[1] = (gpointer) "train";
  *peak = peak_of ((char **)arguments->pdata, environment, error);
  return *peak > 0;
}

/* Every row, each run in a process of its own. The exit status of the program. */
static int
measure_runs (const char *cli, const char *dataset, gboolean json)
{
  int status = 0;

  for (guint i = 0; i < G_N_ELEMENTS (runs); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *folder = g_dir_make_tmp ("fen-bench-memory-XXXXXX", &error);
      guint64 plan, peak;

      if (folder == NULL || !measure_run (cli, dataset, runs[i].options, folder, &plan, &peak, &error))
        {
          fprintf (stderr, "bench-memory: %s: %s\n", runs[i].name, error->message);
          status = 2;
        }
      else if (!report (runs[i].name, plan, peak, json))
        status = MAX (status, 1);
      if (folder != NULL)
        fen_io_remove_tree (folder, NULL);
    }
  return status;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *model = NULL, *dtype = NULL, *cli = NULL, *dataset = NULL;
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
          { "cli", 0, 0, G_OPTION_ARG_FILENAME, &cli, "measure whole runs with this fenestra-cli",
            "PROGRAM" },
          { "dataset-file", 0, 0, G_OPTION_ARG_FILENAME, &dataset, "text of these runs", "FILE" },
          { "json", 0, 0, G_OPTION_ARG_NONE, &json, "for machines", NULL },
          { NULL } };
  int status = 2;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      fprintf (stderr, "bench-memory: %s\n", error->message);
      return 2;
    }
  if (cli != NULL)
    return measure_runs (cli, dataset, json);
  config = engine_fixture_config (model != NULL ? model : "gpt2", rows, tokens);
  config->gradient_checkpointing = checkpointing;
  config->use_chunked_training = chunk > 0;
  config->chunk_size = chunk;
  config->use_8bit_optimizer = adam8;
  config->amp = dtype != NULL && strcmp (dtype, "bf16") == 0;
  config->amp_dtype = FEN_AMP_BF16;
  if (engine_fixture_open (&f, config, FEN_PLAN_TRAIN, 0, NULL, &error) && train (&f, &error))
    status = report_fixture (&f, json) ? 0 : 1;
  else
    fprintf (stderr, "bench-memory: %s\n", error->message);
  engine_fixture_close (&f);
  return status;
}
