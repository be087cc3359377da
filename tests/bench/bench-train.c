/* bench-train.c: how fast is a training step, against what this machine's BLAS can do?
 *
 *   bench-train [--model gpt2] [--rows 1] [--tokens 1024] [--steps 5] [--threads 0] [--dtype f32|bf16]
 *               [--gradient-checkpointing] [--chunk-size N] [--window N] [--json]
 *
 * FLOPs of a step as engine.md counts them (forward and backward, in-window pairs, nothing for recomputation), over
 * its time including the update, divided by the rate of a 2048^3 cblas_sgemm on the same number of threads. The two
 * alternate, so that a busy machine slows both; the ratio is the median of the steps'. A table says where the time
 * went: each operation is called through a table of functions that measures and passes on.
 */
#include "tests/support/engine-fixture.h"
#include "core/base/fen-json.h"
#include <cblas.h>
#include <stdio.h>
#include <string.h>

extern void openblas_set_num_threads (int) __attribute__ ((weak));

#define SIZE 2048

typedef struct {
  const char *name;
  gint64 calls, us;
  double flops;
} Clock;

/* One bench, one process: the measuring table has nowhere else to keep its counts. */
static const FenBackend *real;
static Clock clocks[FEN_N_OPS];

#define MEASURED(function, op, Type, work)                                                                   \
  static void measured_##function (FenDevice *device, FenStream *stream, const Type *params)                 \
  {                                                                                                          \
    gint64 start = g_get_monotonic_time ();                                                                  \
    real->function (device, stream, params);                                                                 \
    clocks[op].name = #function;                                                                             \
    clocks[op].us += g_get_monotonic_time () - start;                                                        \
    clocks[op].calls++;                                                                                      \
    clocks[op].flops += (work);                                                                              \
  }

MEASURED (gemm, FEN_OP_GEMM, FenGemm, 2.0 * (double)params->m * (double)params->n * (double)params->k)
MEASURED (embedding_forward, FEN_OP_EMBEDDING_FORWARD, FenEmbeddingForward, 0)
MEASURED (embedding_backward, FEN_OP_EMBEDDING_BACKWARD, FenEmbeddingBackward, 0)
MEASURED (norm_forward, FEN_OP_NORM_FORWARD, FenNormForward, 0)
MEASURED (norm_backward, FEN_OP_NORM_BACKWARD, FenNormBackward, 0)
MEASURED (rope, FEN_OP_ROPE, FenRope, 0)
MEASURED (activation_forward, FEN_OP_ACTIVATION_FORWARD, FenActivation, 0)
MEASURED (activation_backward, FEN_OP_ACTIVATION_BACKWARD, FenActivation, 0)
MEASURED (bias_gradient, FEN_OP_BIAS_GRADIENT, FenBiasGradient, 0)
MEASURED (attention_forward, FEN_OP_ATTENTION_FORWARD, FenAttention, 0)
MEASURED (attention_backward, FEN_OP_ATTENTION_BACKWARD, FenAttentionBackward, 0)
MEASURED (cross_entropy, FEN_OP_CROSS_ENTROPY, FenCrossEntropy, 0)
MEASURED (add, FEN_OP_ADD, FenAdd, 0)
MEASURED (fill, FEN_OP_FILL, FenFill, 0)
MEASURED (cast, FEN_OP_CAST, FenCast, 0)
MEASURED (sum, FEN_OP_SUM, FenSum, 0)
MEASURED (sum_squares, FEN_OP_SUM_SQUARES, FenSum, 0)
MEASURED (clip, FEN_OP_CLIP, FenClip, 0)
MEASURED (adamw, FEN_OP_ADAMW, FenAdamW, 0)
MEASURED (adamw8, FEN_OP_ADAMW8, FenAdamW8, 0)

static void
measure_table (FenBackend *table)
{
  real = fen_backend_cpu ();
  *table = *real;
  table->gemm = measured_gemm;
  table->embedding_forward = measured_embedding_forward;
  table->embedding_backward = measured_embedding_backward;
  table->norm_forward = measured_norm_forward;
  table->norm_backward = measured_norm_backward;
  table->rope = measured_rope;
  table->activation_forward = measured_activation_forward;
  table->activation_backward = measured_activation_backward;
  table->bias_gradient = measured_bias_gradient;
  table->attention_forward = measured_attention_forward;
  table->attention_backward = measured_attention_backward;
  table->cross_entropy = measured_cross_entropy;
  table->add = measured_add;
  table->fill = measured_fill;
  table->cast = measured_cast;
  table->sum = measured_sum;
  table->sum_squares = measured_sum_squares;
  table->clip = measured_clip;
  table->adamw = measured_adamw;
  table->adamw8 = measured_adamw8;
}

/* FLOP/s of the BLAS with its own threads; the engine's setting (one, see fen-cpu-gemm.c) is put back. */
static double
sgemm_rate (int threads, float *a, float *b, float *c)
{
  gint64 start;

  if (openblas_set_num_threads != NULL)
    openblas_set_num_threads (threads);
  start = g_get_monotonic_time ();
  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans, SIZE, SIZE, SIZE, 1, a, SIZE, b, SIZE, 0, c, SIZE);
  start = g_get_monotonic_time () - start;
  if (openblas_set_num_threads != NULL)
    openblas_set_num_threads (1);
  return 2.0 * SIZE * SIZE * SIZE / ((double)start * 1e-6);
}

static int
by_value (const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double
median (double *values, gint64 n)
{
  qsort (values, (gsize)n, sizeof *values, by_value);
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

typedef struct {
  gint64 steps;
  gboolean json;
  double *blas, *step, *ratio, *seconds;
} Bench;

static gboolean
measure (EngineFixture *f, Bench *bench, GError **error)
{
  const FenPlanSettings *s = fen_plan_settings (f->plan);
  const gint64 n = s->rows * s->row_tokens, vocab = fen_model_config (f->model)->vocab_size;
  const double flops = fen_plan_flops_per_token (f->plan) * (double)n;
  const FenUpdate update
      = { .learning_rate = 1e-4, .beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8, .grad_clip = 1 };
  g_autofree gint32 *tokens = g_new (gint32, n), *targets = g_new (gint32, n);
  g_autofree float *a = g_new (float, SIZE *SIZE), *b = g_new (float, SIZE *SIZE),
                   *c = g_new (float, SIZE *SIZE);
  FenBatch batch = { .rows = s->rows, .row_tokens = s->row_tokens, .tokens = tokens, .targets = targets };

  for (gint64 i = 0; i < n; i++)
    tokens[i] = (gint32)(i * 7919 % vocab);
  engine_fixture_targets (tokens, s->rows, s->row_tokens, targets);
  for (gint64 i = 0; i < SIZE * SIZE; i++)
    a[i] = b[i] = (float)(i % 17) * 0.01f;
  for (gint64 i = -1; i < bench->steps; i++) /* the first warms up */
    {
      FenUpdateResult result;
      double before = sgemm_rate (f->properties.units, a, b, c), after;
      gint64 start;

      if (i == 0)
        memset (clocks, 0, sizeof clocks);
      start = g_get_monotonic_time ();
      if (!fen_engine_micro_step (f->engine, &batch, 1.0 / (double)n, error)
          || !fen_engine_update (f->engine, &update, &result, error))
        return FALSE;
      start = g_get_monotonic_time () - start;
      after = sgemm_rate (f->properties.units, a, b, c);
      if (i < 0)
        continue;
      bench->seconds[i] = (double)start * 1e-6;
      bench->blas[i] = (before + after) / 2;
      bench->step[i] = flops / bench->seconds[i];
      bench->ratio[i] = bench->step[i] / bench->blas[i];
    }
  return TRUE;
}

static void
print (const EngineFixture *f, Bench *bench)
{
  double total = 0, ratio = median (bench->ratio, bench->steps), blas = median (bench->blas, bench->steps);
  double step = median (bench->step, bench->steps), seconds = median (bench->seconds, bench->steps);
  const FenPlanSettings *s = fen_plan_settings (f->plan);

  if (bench->json)
    {
      g_autoptr (FenJsonWriter) json = fen_json_writer_new (2);
      gsize length;
      fen_json_writer_begin_object (json, NULL);
      fen_json_writer_string (json, "model", fen_model_name (f->model));
      fen_json_writer_string (json, "device", f->properties.name);
      fen_json_writer_int (json, "threads", f->properties.units);
      fen_json_writer_int (json, "tokens", s->rows * s->row_tokens);
      fen_json_writer_string (json, "schedule", fen_schedule_name (s->schedule));
      fen_json_writer_double (json, "step_seconds", seconds);
      fen_json_writer_double (json, "step_flops", step);
      fen_json_writer_double (json, "sgemm_flops", blas);
      fen_json_writer_double (json, "ratio", ratio);
      fen_json_writer_begin_object (json, "milliseconds");
      for (guint i = 0; i < FEN_N_OPS; i++)
        if (clocks[i].calls > 0)
          fen_json_writer_double (json, clocks[i].name, (double)clocks[i].us / 1e3 / (double)bench->steps);
      fen_json_writer_end_object (json);
      fen_json_writer_end_object (json);
      printf ("%s\n", fen_json_writer_text (json, &length));
      return;
    }
  printf ("%s on %s, %d threads, %s, %s\n", fen_model_name (f->model), f->properties.name,
          f->properties.units, fen_schedule_name (s->schedule), s->attention_kernel);
  printf ("step %.3f s, %.1f GFLOP/s; sgemm %d^3 %.1f GFLOP/s; ratio %.3f\n", seconds, step / 1e9, SIZE,
          blas / 1e9, ratio);
  for (guint i = 0; i < FEN_N_OPS; i++)
    total += (double)clocks[i].us / 1e3 / (double)bench->steps;
  for (guint i = 0; i < FEN_N_OPS; i++)
    if (clocks[i].calls > 0)
      {
        double ms = (double)clocks[i].us / 1e3 / (double)bench->steps;
        printf ("%-20s %6" G_GINT64_FORMAT " calls %9.2f ms %5.1f%%", clocks[i].name,
                clocks[i].calls / bench->steps, ms, 100 * ms / total);
        if (clocks[i].flops > 0)
          printf ("  %.1f GFLOP/s", clocks[i].flops / (double)clocks[i].us / 1e3);
        printf ("\n");
      }
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *model = NULL, *dtype = NULL;
  gint64 rows = 1, tokens = 1024, threads = 0, chunk = 0, window = 0;
  gboolean checkpointing = FALSE, ok;
  Bench bench = { .steps = 5 };
  FenBackend table;
  EngineFixture f = { 0 };
  g_autoptr (FenConfig) config = NULL;
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  const GOptionEntry entries[]
      = { { "model", 0, 0, G_OPTION_ARG_STRING, &model, "preset or folder", "NAME" },
          { "dtype", 0, 0, G_OPTION_ARG_STRING, &dtype, "f32 or bf16", "TYPE" },
          { "rows", 0, 0, G_OPTION_ARG_INT64, &rows, "rows of a batch", "N" },
          { "tokens", 0, 0, G_OPTION_ARG_INT64, &tokens, "tokens of a row", "N" },
          { "steps", 0, 0, G_OPTION_ARG_INT64, &bench.steps, "steps to measure", "N" },
          { "threads", 0, 0, G_OPTION_ARG_INT64, &threads, "0 = all", "N" },
          { "chunk-size", 0, 0, G_OPTION_ARG_INT64, &chunk, "exact chunking", "TOKENS" },
          { "window", 0, 0, G_OPTION_ARG_INT64, &window, "attention window", "TOKENS" },
          { "gradient-checkpointing", 0, 0, G_OPTION_ARG_NONE, &checkpointing, "recompute layers", NULL },
          { "json", 0, 0, G_OPTION_ARG_NONE, &bench.json, "for machines", NULL },
          { NULL } };

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      fprintf (stderr, "bench-train: %s\n", error->message);
      return 2;
    }
  bench.steps = CLAMP (bench.steps, 1, 1000);
  config = engine_fixture_config (model != NULL ? model : "gpt2", rows, tokens);
  config->threads = threads;
  config->gradient_checkpointing = checkpointing;
  config->use_chunked_training = chunk > 0;
  config->chunk_size = chunk;
  config->amp = dtype != NULL && strcmp (dtype, "bf16") == 0;
  config->amp_dtype = FEN_AMP_BF16;
  if (window > 0)
    {
      config->window_size = window;
      config->window_pattern = FEN_WINDOW_ALL;
    }
  bench.blas = g_new0 (double, bench.steps);
  bench.step = g_new0 (double, bench.steps);
  bench.ratio = g_new0 (double, bench.steps);
  bench.seconds = g_new0 (double, bench.steps);
  measure_table (&table);
  ok = engine_fixture_open (&f, config, FEN_PLAN_TRAIN, 0, &table, &error) && measure (&f, &bench, &error);
  if (ok)
    print (&f, &bench);
  else
    fprintf (stderr, "bench-train: %s\n", error->message);
  engine_fixture_close (&f);
  g_free (bench.blas);
  g_free (bench.step);
  g_free (bench.ratio);
  g_free (bench.seconds);
  return ok ? 0 : 2;
}
