/* bench-train.c: how fast is a training step, against what this machine's BLAS or this card can do?
 *
 *   bench-train [--device cpu|cuda] [--model gpt2] [--rows 1] [--tokens 1024] [--micro-batches 1] [--steps 5]
 *               [--threads 0] [--dtype f32|bf16|f16] [--gradient-checkpointing] [--chunk-size N] [--window N] [--json]
 *
 * FLOPs of a step as engine.md counts them (forward and backward, in-window pairs, nothing for recomputation), over
 * its time including the update. On the CPU that is divided by the rate of a 2048^3 cblas_sgemm on the same number of
 * threads; the two alternate, so that a busy machine slows both. On a card it is divided by the card's peak (MFU, see
 * fen-peak.h). Figures are medians of the steps.
 *
 * A table says where the time went: each operation is called through a table of functions that measures and passes on.
 * A card works while the program goes on, so there the table comes from one more step that waits after each operation:
 * its sum is more than a step's time, by the waiting.
 */
#include "tests/support/engine-fixture.h"
#include "core/base/fen-json.h"
#include "core/engine/fen-peak.h"
#include "core/monitor/fen-gpu-monitor.h"
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
static gboolean waiting; /* after each operation, until it is done */

#define MEASURED(function, op, Type, work)                                                                   \
  static void measured_##function (FenDevice *device, FenStream *stream, const Type *params)                 \
  {                                                                                                          \
    gint64 start = g_get_monotonic_time ();                                                                  \
    real->function (device, stream, params);                                                                 \
    if (waiting)                                                                                             \
      real->synchronize (device, stream);                                                                    \
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
  gint64 steps, micro_batches;
  gboolean json;
  FenPeak peak; /* of a card */
  double *blas, *step, *ratio, *seconds;
  gint64 clocked; /* steps that the clocks have */
  FenGpuSample gpu;
} Bench;

/* The rate that a step is held against, now. */
static double
yardstick (const EngineFixture *f, const Bench *bench, float *a, float *b, float *c)
{
  return f->properties.host_memory ? sgemm_rate (f->properties.units, a, b, c) : bench->peak.flops;
}

static gboolean
train (EngineFixture *f, const Bench *bench, const FenBatch *batch, GError **error)
{
  const double n = (double)(batch->rows * batch->row_tokens * bench->micro_batches);
  const FenUpdate update
      = { .learning_rate = 1e-4, .beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8, .grad_clip = 1 };
  FenUpdateResult result;
  for (gint64 i = 0; i < bench->micro_batches; i++)
    if (!fen_engine_micro_step (f->engine, batch, 1.0 / n, error))
      return FALSE;
  return fen_engine_update (f->engine, &update, &result, error);
}

/* Where a card's time goes. */
static gboolean
clock_card (EngineFixture *f, Bench *bench, const FenBatch *batch, GError **error)
{
  char reason[FEN_GPU_REASON_BYTES];
  fen_gpu_look_once (NULL, f->properties.pci_bus_id, &bench->gpu, reason);
  memset (clocks, 0, sizeof clocks);
  waiting = TRUE;
  const gboolean ok = train (f, bench, batch, error);
  waiting = FALSE;
  bench->clocked = 1;
  return ok;
}

static gboolean
measure (EngineFixture *f, Bench *bench, GError **error)
{
  const FenPlanSettings *s = fen_plan_settings (f->plan);
  const gint64 n = s->rows * s->row_tokens, vocab = fen_model_config (f->model)->vocab_size;
  const double flops = fen_plan_flops_per_token (f->plan) * (double)(n * bench->micro_batches);
  g_autofree gint32 *tokens = g_new (gint32, n), *targets = g_new (gint32, n);
  g_autofree float *a = g_new (float, SIZE *SIZE), *b = g_new (float, SIZE *SIZE),
                   *c = g_new (float, SIZE *SIZE);
  FenBatch batch = { .rows = s->rows, .row_tokens = s->row_tokens, .tokens = tokens, .targets = targets };

  for (gint64 i = 0; i < n; i++)
    tokens[i] = (gint32)(i * 7919 % vocab);
  engine_fixture_targets (tokens, s->rows, s->row_tokens, targets);
  for (gint64 i = 0; i < SIZE * SIZE; i++)
    a[i] = b[i] = (float)(i % 17) * 0.01f;
  for (gint64 i = f->properties.host_memory ? -1 : -3; i < bench->steps; i++) /* the first ones warm up */
    {
      const double before = yardstick (f, bench, a, b, c);
      if (i == 0)
        memset (clocks, 0, sizeof clocks);
      const gint64 start = g_get_monotonic_time ();
      if (!train (f, bench, &batch, error))
        return FALSE;
      const gint64 end = g_get_monotonic_time ();
      const double after = yardstick (f, bench, a, b, c);
      if (i < 0)
        continue;
      bench->seconds[i] = (double)(end - start) * 1e-6;
      bench->blas[i] = (before + after) / 2;
      bench->step[i] = flops / bench->seconds[i];
      bench->ratio[i] = bench->blas[i] > 0 ? bench->step[i] / bench->blas[i] : 0;
    }
  bench->clocked = bench->steps;
  return f->properties.host_memory || clock_card (f, bench, &batch, error);
}

/* The medians, in the order in which they are printed. */
typedef struct {
  double seconds, tokens_per_second, step, blas, ratio;
} Figures;

static Figures
find_figures (const EngineFixture *f, Bench *bench)
{
  const FenPlanSettings *s = fen_plan_settings (f->plan);
  Figures figures = { .seconds = median (bench->seconds, bench->steps),
                      .step = median (bench->step, bench->steps),
                      .blas = median (bench->blas, bench->steps),
                      .ratio = median (bench->ratio, bench->steps) };
  figures.tokens_per_second = (double)(s->rows * s->row_tokens * bench->micro_batches) / figures.seconds;
  return figures;
}

static void
print_json (const EngineFixture *f, const Bench *bench, const Figures *figures)
{
  const FenPlanSettings *s = fen_plan_settings (f->plan);
  g_autoptr (FenJsonWriter) json = fen_json_writer_new (2);
  gsize length;
  fen_json_writer_begin_object (json, NULL);
  fen_json_writer_string (json, "model", fen_model_name (f->model));
  fen_json_writer_string (json, "device", f->properties.name);
  fen_json_writer_int (json, "threads", f->properties.units);
  fen_json_writer_int (json, "tokens", s->rows * s->row_tokens);
  fen_json_writer_int (json, "micro_batches", bench->micro_batches);
  fen_json_writer_string (json, "schedule", fen_schedule_name (s->schedule));
  fen_json_writer_string (json, "attention", s->attention_kernel);
  fen_json_writer_double (json, "step_seconds", figures->seconds);
  fen_json_writer_double (json, "tokens_per_second", figures->tokens_per_second);
  fen_json_writer_double (json, "step_flops", figures->step);
  fen_json_writer_double (json, f->properties.host_memory ? "sgemm_flops" : "peak_flops", figures->blas);
  fen_json_writer_double (json, f->properties.host_memory ? "ratio" : "mfu", figures->ratio);
  if (!f->properties.host_memory)
    fen_json_writer_string (json, "peak_source", fen_peak_source_name (bench->peak.source));
  fen_json_writer_int (json, "planned_bytes", (gint64)fen_plan_device_bytes (f->plan));
  if (bench->gpu.has_process)
    fen_json_writer_int (json, "process_bytes", (gint64)bench->gpu.process_bytes);
  fen_json_writer_begin_object (json, "milliseconds");
  for (guint i = 0; i < FEN_N_OPS; i++)
    if (clocks[i].calls > 0)
      fen_json_writer_double (json, clocks[i].name, (double)clocks[i].us / 1e3 / (double)bench->clocked);
  fen_json_writer_end_object (json);
  fen_json_writer_end_object (json);
  printf ("%s\n", fen_json_writer_text (json, &length));
}

static void
print_clocks (const Bench *bench)
{
  double total = 0;
  for (guint i = 0; i < FEN_N_OPS; i++)
    total += (double)clocks[i].us / 1e3 / (double)bench->clocked;
  for (guint i = 0; i < FEN_N_OPS; i++)
    if (clocks[i].calls > 0)
      {
        const double ms = (double)clocks[i].us / 1e3 / (double)bench->clocked;
        printf ("%-20s %6" G_GINT64_FORMAT " calls %9.2f ms %5.1f%%", clocks[i].name,
                clocks[i].calls / bench->clocked, ms, 100 * ms / total);
        if (clocks[i].flops > 0)
          printf ("  %.1f GFLOP/s", clocks[i].flops / (double)clocks[i].us / 1e3);
        printf ("\n");
      }
}

static void
print (const EngineFixture *f, Bench *bench)
{
  const FenPlanSettings *s = fen_plan_settings (f->plan);
  const Figures figures = find_figures (f, bench);

  if (bench->json)
    {
      print_json (f, bench, &figures);
      return;
    }
  printf ("%s on %s, %d %s, %s, %s, %" G_GINT64_FORMAT " x %" G_GINT64_FORMAT " x %" G_GINT64_FORMAT
          " tokens\n",
          fen_model_name (f->model), f->properties.name, f->properties.units,
          f->properties.host_memory ? "threads" : "SMs", fen_schedule_name (s->schedule), s->attention_kernel,
          bench->micro_batches, s->rows, s->row_tokens);
  if (f->properties.host_memory)
    printf ("step %.3f s, %.0f tokens/s, %.1f GFLOP/s; sgemm %d^3 %.1f GFLOP/s; ratio %.3f\n",
            figures.seconds, figures.tokens_per_second, figures.step / 1e9, SIZE, figures.blas / 1e9,
            figures.ratio);
  else
    {
      g_autofree char *peak = fen_peak_text (bench->peak);
      printf ("step %.1f ms, %.0f tokens/s, %.1f TFLOP/s, MFU %.3f of %s\n", 1e3 * figures.seconds,
              figures.tokens_per_second, figures.step / 1e12, figures.ratio, peak);
      printf ("memory planned %.1f MiB, of this process %.1f MiB, measured beside the arena %.1f MiB\n",
              (double)fen_plan_device_bytes (f->plan) / 1048576, (double)bench->gpu.process_bytes / 1048576,
              (double)f->properties.overhead_bytes / 1048576);
    }
  print_clocks (bench);
}

/* Before the engine takes its memory. */
static gboolean
open_device (EngineFixture *f, Bench *bench, const FenConfig *config, const FenBackend *table, GError **error)
{
  FenStatus status = { 0 };
  FenDeviceProperties properties;
  const FenDeviceOptions options = { .threads = (int)config->threads };
  if (real->device_properties (0, &options, &properties, &status) && !properties.host_memory)
    {
      bench->peak = fen_peak_published (&properties);
      FenDevice *device = bench->peak.source == FEN_PEAK_UNKNOWN ? real->open (0, &options, &status) : NULL;
      if (device != NULL)
        {
          bench->peak = fen_peak_measure (real, device, &properties, &status);
          real->close (device);
        }
    }
  return engine_fixture_open (f, config, FEN_PLAN_TRAIN, 0, table, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *model = NULL, *dtype = NULL, *device = NULL;
  gint64 rows = 1, tokens = 1024, threads = 0, chunk = 0, window = 0;
  gboolean checkpointing = FALSE, ok;
  Bench bench = { .steps = 5, .micro_batches = 1 };
  FenStatus status = { 0 };
  FenBackend table;
  EngineFixture f = { 0 };
  g_autoptr (FenConfig) config = NULL;
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  const GOptionEntry entries[]
      = { { "device", 0, 0, G_OPTION_ARG_STRING, &device, "cpu or cuda", "NAME" },
          { "model", 0, 0, G_OPTION_ARG_STRING, &model, "preset or folder", "NAME" },
          { "dtype", 0, 0, G_OPTION_ARG_STRING, &dtype, "f32, bf16 or f16", "TYPE" },
          { "rows", 0, 0, G_OPTION_ARG_INT64, &rows, "rows of a batch", "N" },
          { "tokens", 0, 0, G_OPTION_ARG_INT64, &tokens, "tokens of a row", "N" },
          { "micro-batches", 0, 0, G_OPTION_ARG_INT64, &bench.micro_batches, "of a step", "N" },
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
  bench.micro_batches = CLAMP (bench.micro_batches, 1, 1000);
  real = fen_backend_find (device != NULL ? device : "cpu", &status);
  if (real == NULL)
    {
      fprintf (stderr, "bench-train: %s\n", status.message);
      return 2;
    }
  config = engine_fixture_config (model != NULL ? model : "gpt2", rows, tokens);
  config->threads = threads;
  config->gradient_checkpointing = checkpointing;
  config->use_chunked_training = chunk > 0;
  config->chunk_size = chunk;
  config->amp = dtype != NULL && (strcmp (dtype, "bf16") == 0 || strcmp (dtype, "f16") == 0);
  config->amp_dtype = dtype != NULL && strcmp (dtype, "f16") == 0 ? FEN_AMP_FP16 : FEN_AMP_BF16;
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
  ok = open_device (&f, &bench, config, &table, &error) && measure (&f, &bench, &error);
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
