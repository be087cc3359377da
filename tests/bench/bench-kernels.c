/* bench-kernels.c: what each operation of the CPU back end reaches at the shapes of a GPT-2 124M step of 1,024 tokens.
 *
 *   bench-kernels [--json] [--threads N] [--dtype f32|bf16|f16] [--seconds S]
 *
 * GEMM in GFLOP/s, beside what OpenBLAS reaches with its own threads on a 2048^3 SGEMM in the same process (its
 * setting is put back afterwards); everything else in GB/s of memory that the operation must at least move. The best
 * of several rounds is printed: a busy machine only ever makes a round slower.
 */
#include "kernels/fen-backend.h"

#include <cblas.h>
#include <glib.h>
#include <string.h>

extern void openblas_set_num_threads (int) __attribute__ ((weak));

enum { ROWS = 1024, WIDTH = 768, VOCAB = 50257, PARAMETERS = 1 << 24 };

static gboolean json;
static int threads;
static double seconds = 0.5;
static char *dtype_name;

typedef struct {
  const FenBackend *backend;
  FenDevice *device;
  FenDeviceProperties properties;
  FenDType dtype;
  gsize size;              /* of an element of dtype */
  char *a, *b, *c, *d, *e; /* big buffers that the operations use as they like */
  char *workspace;
} Bench;

enum { BUFFER = 4 * VOCAB * ROWS }; /* bytes: logits in fp32, the largest array of the step */

typedef void (*Round) (Bench *bench, gconstpointer data);

static void
report (Bench *bench, const char *name, double amount, const char *unit, double best)
{
  if (json)
    g_print ("{\"op\":\"%s\",\"%s\":%.3f,\"ms\":%.4f}\n", name, unit, amount / best * 1e-9, best * 1e3);
  else
    g_print ("%-34s %9.1f %s %10.3f ms\n", name, amount / best * 1e-9, unit, best * 1e3);
}

static double
best_of (Bench *bench, Round round, gconstpointer data)
{
  const gint64 until = g_get_monotonic_time () + (gint64)(seconds * 1e6);
  double best = G_MAXDOUBLE;
  for (int i = 0; i < 2 || g_get_monotonic_time () < until; i++)
    {
      const gint64 start = g_get_monotonic_time ();
      round (bench, data);
      best = MIN (best, (double)MAX (g_get_monotonic_time () - start, 1) * 1e-6);
    }
  FenStatus status;
  if (bench->backend->check (bench->device, &status) != FEN_STATUS_OK)
    g_error ("%s", status.message);
  return best;
}

/* ---- GEMM ---- */

static void
gemm_round (Bench *bench, gconstpointer data)
{
  bench->backend->gemm (bench->device, NULL, data);
}

static void
blas_round (Bench *bench, gconstpointer data)
{
  enum { N = 2048 };
  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, (float *)(void *)bench->a, N,
               (float *)(void *)bench->b, N, 0, (float *)(void *)bench->c, N);
}

static void
bench_gemm (Bench *bench)
{
  static const struct {
    const char *name;
    int m, n, k;
    gboolean ta, tb;
  } shapes[] = {
    { "qkv", ROWS, 3 * WIDTH, WIDTH, FALSE, FALSE },
    { "qkv input gradient", ROWS, WIDTH, 3 * WIDTH, FALSE, TRUE },
    { "qkv weight gradient", WIDTH, 3 * WIDTH, ROWS, TRUE, FALSE },
    { "projection", ROWS, WIDTH, WIDTH, FALSE, FALSE },
    { "mlp up", ROWS, 4 * WIDTH, WIDTH, FALSE, FALSE },
    { "mlp down", ROWS, WIDTH, 4 * WIDTH, FALSE, FALSE },
    { "mlp weight gradient", 4 * WIDTH, WIDTH, ROWS, TRUE, FALSE },
    { "logits", ROWS, VOCAB, WIDTH, FALSE, TRUE },
    { "logits input gradient", ROWS, WIDTH, VOCAB, FALSE, FALSE },
    { "logits weight gradient", VOCAB, WIDTH, ROWS, TRUE, FALSE },
    { "one token's logits", 1, VOCAB, WIDTH, FALSE, TRUE },
  };
  if (openblas_set_num_threads != NULL)
    openblas_set_num_threads (bench->properties.units);
  report (bench, "OpenBLAS sgemm 2048^3", 2.0 * 2048 * 2048 * 2048, "GFLOP/s",
          best_of (bench, blas_round, NULL));
  if (openblas_set_num_threads != NULL)
    openblas_set_num_threads (1);
  for (guint i = 0; i < G_N_ELEMENTS (shapes); i++)
    {
      const gboolean ta = shapes[i].ta, tb = shapes[i].tb;
      const int m = shapes[i].m, n = shapes[i].n, k = shapes[i].k;
      const FenGemm p = { .m = m,
                          .n = n,
                          .k = k,
                          .trans_a = ta,
                          .trans_b = tb,
                          .ab_dtype = bench->dtype,
                          .c_dtype = ta ? FEN_F32 : bench->dtype,
                          .a = bench->a,
                          .b = bench->b,
                          .c = bench->c,
                          .lda = ta ? m : k,
                          .ldb = tb ? k : n,
                          .ldc = n,
                          .alpha = 1,
                          .beta = ta ? 1 : 0,
                          .workspace = bench->workspace };
      g_autofree char *name = g_strdup_printf ("gemm %s", shapes[i].name);
      report (bench, name, 2.0 * m * n * k, "GFLOP/s", best_of (bench, gemm_round, &p));
    }
}

/* ---- everything else: (name, bytes that must move, one call) ---- */

#define OP_ROUND(op, Type)                                                                                   \
  static void op##_round (Bench *bench, gconstpointer data)                                                  \
  {                                                                                                          \
    bench->backend->op (bench->device, NULL, (const Type *)data);                                            \
  }

OP_ROUND (embedding_forward, FenEmbeddingForward)
OP_ROUND (embedding_backward, FenEmbeddingBackward)
OP_ROUND (norm_forward, FenNormForward)
OP_ROUND (norm_backward, FenNormBackward)
OP_ROUND (rope, FenRope)
OP_ROUND (activation_forward, FenActivation)
OP_ROUND (activation_backward, FenActivation)
OP_ROUND (bias_gradient, FenBiasGradient)
OP_ROUND (cross_entropy, FenCrossEntropy)
OP_ROUND (add, FenAdd)
OP_ROUND (fill, FenFill)
OP_ROUND (cast, FenCast)
OP_ROUND (sum_squares, FenSum)
OP_ROUND (adamw, FenAdamW)
OP_ROUND (adamw8, FenAdamW8)

#define MEASURE(op, bytes, ...)                                                                              \
  report (bench, #op, (double)(bytes), "GB/s", best_of (bench, op##_round, &(__VA_ARGS__)))

static void
bench_layers (Bench *b)
{
  Bench *bench = b;
  const double n = (double)ROWS * WIDTH, s = (double)b->size;
  g_autofree gint32 *ids = g_new (gint32, ROWS);
  float *statistics = (float *)(void *)b->e, frequencies[32];
  for (int i = 0; i < ROWS; i++)
    ids[i] = i;
  for (int i = 0; i < 32; i++)
    frequencies[i] = 1.0f / (float)(1 + i);
  memset (b->e, 0, 1 << 20);
  MEASURE (embedding_forward, 3 * n * s,
           (FenEmbeddingForward){ ROWS, WIDTH, b->dtype, ids, ids, b->a, b->b, b->c });
  MEASURE (embedding_backward, n * (s + 16),
           (FenEmbeddingBackward){ ROWS, WIDTH, VOCAB, ROWS, b->dtype, ids, ids, b->a, (float *)(void *)b->c,
                                   (float *)(void *)b->d, b->workspace });
  MEASURE (norm_forward, 4 * n * s,
           (FenNormForward){ FEN_NORM_LAYER, ROWS, WIDTH, b->dtype, 1e-5f, b->a, b->b, b->c, b->d, b->d,
                             b->d + 65536, statistics, statistics + ROWS });
  MEASURE (norm_backward, 4 * n * s,
           (FenNormBackward){ FEN_NORM_LAYER, ROWS, WIDTH, b->dtype, b->a, b->b, b->c, statistics,
                              statistics + ROWS, b->d, b->d, statistics + 2 * ROWS, statistics + 3 * ROWS,
                              b->workspace });
  MEASURE (rope, 2 * n * s,
           (FenRope){ ROWS, 12, 64, 64, b->dtype, b->a, WIDTH, 64, ids, frequencies, 1, FALSE });
  MEASURE (activation_forward, 8 * n * s,
           (FenActivation){ FEN_GELU_TANH, FALSE, ROWS, 4 * WIDTH, 4 * WIDTH, b->dtype, b->a, b->b });
  MEASURE (
      activation_backward, 12 * n * s,
      (FenActivation){ FEN_GELU_TANH, FALSE, ROWS, 4 * WIDTH, 4 * WIDTH, b->dtype, b->a, NULL, b->b, b->c });
  MEASURE (
      bias_gradient, 4 * n * s,
      (FenBiasGradient){ ROWS, 4 * WIDTH, 4 * WIDTH, b->dtype, b->a, (float *)(void *)b->c, b->workspace });
}

static void
bench_step (Bench *b)
{
  Bench *bench = b;
  const double n = PARAMETERS, s = (double)b->size;
  const gsize states = (gsize)PARAMETERS;
  FenStepStats stats = { .gradient_scale = 1 };
  double sum = 0;
  g_autofree gint32 *targets = g_new0 (gint32, ROWS);
  g_autofree float *losses = g_new (float, ROWS);
  float *a = (float *)(void *)b->a, *c = (float *)(void *)b->c, *d = (float *)(void *)b->d;
  float *master = b->dtype == FEN_F32 ? NULL : (float *)(void *)(b->b + states * 4 / 2);
  memset (b->d, 0, BUFFER);
  MEASURE (cross_entropy, 2.0 * ROWS * VOCAB * s,
           (FenCrossEntropy){ ROWS, VOCAB, VOCAB, b->dtype, b->c, targets, losses, 1, 0, TRUE });
  MEASURE (add, 3 * n * s, (FenAdd){ PARAMETERS, b->dtype, b->a, b->c });
  MEASURE (fill, n * s, (FenFill){ PARAMETERS, b->dtype, b->c, 0 });
  MEASURE (cast, n * (4 + s), (FenCast){ PARAMETERS, FEN_F32, b->dtype, b->a, b->c });
  MEASURE (sum_squares, n * s, (FenSum){ PARAMETERS, b->dtype, b->a, &sum, b->workspace });
  MEASURE (adamw, n * (28 + (master != NULL ? s : 0)),
           (FenAdamW){ PARAMETERS, b->dtype, b->b, master, a, c, d, 1e-4f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.5f,
                       0.5f, &stats });
  MEASURE (adamw8, n * (16 + (master != NULL ? s : 0)),
           (FenAdamW8){ PARAMETERS, b->dtype, b->b, master, a, (guint8 *)b->c, (guint8 *)b->d,
                        c + PARAMETERS / 2, d + PARAMETERS / 2, 1e-4f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.5f, 0.5f,
                        &stats });
}

static char *
buffer (Bench *bench, double scale)
{
  FenStatus status;
  char *memory = bench->backend->alloc (bench->device, FEN_MEMORY_DEVICE, BUFFER, &status);
  if (memory == NULL)
    g_error ("%s", status.message);
  float *x = (float *)(void *)memory;
  for (gsize i = 0; i < BUFFER / sizeof (float); i++)
    x[i] = (float)((double)(i * 7919 % 1009) * scale);
  return memory;
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "one JSON object a line", NULL },
    { "threads", 0, 0, G_OPTION_ARG_INT, &threads, "threads (all)", "N" },
    { "dtype", 0, 0, G_OPTION_ARG_STRING, &dtype_name, "storage type: f32, bf16, f16 (f32)", "TYPE" },
    { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &seconds, "time for each operation (0.5)", "S" },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- measure the CPU back end");
  g_autoptr (GError) error = NULL;
  FenStatus status;
  char text[128];
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      g_printerr ("%s\n", error->message);
      return 2;
    }
  Bench bench = { .backend = fen_backend_cpu () };
  const FenDeviceOptions options = { .threads = threads };
  if (g_strcmp0 (dtype_name, "bf16") == 0)
    bench.dtype = FEN_BF16;
  else if (g_strcmp0 (dtype_name, "f16") == 0)
    bench.dtype = FEN_F16;
  bench.size = fen_dtype_size (bench.dtype);
  bench.device = bench.backend->open (0, &options, &status);
  if (bench.device == NULL || !bench.backend->device_properties (0, &options, &bench.properties, &status))
    {
      g_printerr ("%s\n", status.message);
      return 1;
    }
  bench.backend->describe (&bench.properties, FEN_OP_ADD, NULL, text, sizeof text);
  if (!json)
    g_print ("%s: %s\n", bench.properties.name, text);
  bench.a = buffer (&bench, 1e-3), bench.b = buffer (&bench, 1e-3), bench.c = buffer (&bench, 1e-3);
  bench.d = buffer (&bench, 1e-3), bench.e = buffer (&bench, 0), bench.workspace = buffer (&bench, 0);
  bench_gemm (&bench);
  bench_layers (&bench);
  bench_step (&bench);
  char *const buffers[] = { bench.a, bench.b, bench.c, bench.d, bench.e, bench.workspace };
  for (guint i = 0; i < G_N_ELEMENTS (buffers); i++)
    bench.backend->free (bench.device, FEN_MEMORY_DEVICE, buffers[i], BUFFER);
  bench.backend->close (bench.device);
  return 0;
}
