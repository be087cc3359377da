/* bench-kernels.c: what each operation of a back end reaches.
 *
 *   bench-kernels [--device cpu|cuda] [--json] [--threads N] [--dtype f32|bf16|f16] [--seconds S] [--only TEXT]
 *
 * GEMM in GFLOP/s; everything else in GB/s of memory that the operation must at least move, and as a share of what a
 * copy of device memory reaches in the same run (bytes read plus bytes written). Shapes are a GPT-2 124M step's of
 * 1,024 tokens on the CPU. On a GPU every tensor is some 100 MB and more, so that its L2 cache cannot serve them, and
 * there are wider models' shapes too.
 *
 * Calls are timed together up to the back end's own `synchronize`; rounds repeat for the seconds given. The best round
 * is printed on the CPU, where a busy machine only ever makes a round slower, and the median on a GPU.
 */
#include "kernels/fen-backend.h"

#include <cblas.h>
#include <glib.h>
#include <math.h>
#include <string.h>

extern void openblas_set_num_threads (int) __attribute__ ((weak));

static gboolean json;
static int threads;
static double seconds = 0.5;
static char *dtype_name, *device_name, *only;

typedef struct {
  const FenBackend *backend;
  FenDevice *device;
  FenDeviceProperties properties;
  FenDType dtype;
  gsize size;              /* of an element of dtype */
  gboolean wide;           /* a GPU's shapes */
  gint64 elements;         /* of an activation, (rows, width) */
  gint64 parameters;       /* of the optimizers */
  guint64 bytes;           /* of each buffer */
  char *a, *b, *c, *d, *e; /* big buffers that the operations use as they like */
  char *workspace;
  gint32 *ids, *positions; /* tokens below 50257, skewed as text is; 0 .. 1023 again and again */
  float *ones, *small;     /* statistics and frequencies: 1 and falling; 4 bytes an element */
  FenStepStats *stats;
  gsize statistics; /* elements of ones and of small */
  double copy;      /* bytes a second */
} Bench;

enum { IDS = 1 << 17, VOCAB = 50257, POSITIONS = 1024 };

typedef void (*Round) (Bench *bench, gconstpointer data);

/* ---- timing and printing ---- */

static int
rising (gconstpointer a, gconstpointer b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double
time_calls (Bench *bench, Round round, gconstpointer data, int calls)
{
  const gint64 start = g_get_monotonic_time ();
  for (int i = 0; i < calls; i++)
    round (bench, data);
  bench->backend->synchronize (bench->device, NULL);
  return (double)MAX (g_get_monotonic_time () - start, 1) * 1e-6 / calls;
}

static double
seconds_of (Bench *bench, Round round, gconstpointer data)
{
  enum { MOST = 512 };
  double times[MOST];
  int n = 0;
  time_calls (bench, round, data, 1);
  const double once = time_calls (bench, round, data, 2);
  /* On a GPU: 5 ms of calls between two waits, so that the wait itself does not count. */
  const int calls = bench->wide ? CLAMP ((int)(5e-3 / once), 2, 1000) : 1;
  const gint64 until = g_get_monotonic_time () + (gint64)(seconds * 1e6);
  while (n < 2 || (n < MOST && g_get_monotonic_time () < until))
    times[n++] = time_calls (bench, round, data, calls);
  FenStatus status;
  if (bench->backend->check (bench->device, &status) != FEN_STATUS_OK)
    g_error ("%s", status.message);
  qsort (times, (size_t)n, sizeof times[0], rising);
  return times[bench->wide ? n / 2 : 0];
}

static gboolean
wanted (const char *name)
{
  return only == NULL || strstr (name, only) != NULL;
}

static void
report_flops (const char *name, double flops, double time)
{
  if (json)
    g_print ("{\"op\":\"%s\",\"GFLOP/s\":%.3f,\"ms\":%.4f}\n", name, flops / time * 1e-9, time * 1e3);
  else
    g_print ("%-42s %10.4f ms  %38.1f GFLOP/s\n", name, time * 1e3, flops / time * 1e-9);
}

static void
measure (Bench *bench, const char *name, double bytes, Round round, gconstpointer data)
{
  if (!wanted (name))
    return;
  const double time = seconds_of (bench, round, data), rate = bytes / time, share = rate / bench->copy;
  if (json)
    g_print ("{\"op\":\"%s\",\"ms\":%.4f,\"bytes\":%.0f,\"GB/s\":%.3f,\"of_copy\":%.4f}\n", name, time * 1e3,
             bytes, rate * 1e-9, share);
  else
    g_print ("%-42s %10.4f ms %10.1f MB %9.1f GB/s %6.1f %% of copy\n", name, time * 1e3, bytes * 1e-6,
             rate * 1e-9, share * 100);
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

/* OpenBLAS with its own threads, in the same process; its setting is put back afterwards. */
static void
bench_blas (Bench *bench)
{
  if (bench->wide || !wanted ("OpenBLAS"))
    return;
  if (openblas_set_num_threads != NULL)
    openblas_set_num_threads (bench->properties.units);
  report_flops ("OpenBLAS sgemm 2048^3", 2.0 * 2048 * 2048 * 2048, seconds_of (bench, blas_round, NULL));
  if (openblas_set_num_threads != NULL)
    openblas_set_num_threads (1);
}

static void
bench_gemm (Bench *bench)
{
  enum { WIDTH = 768 };
  const gint64 rows = bench->wide ? 16384 : 1024;
  const struct {
    const char *name;
    gint64 m, n, k;
    gboolean ta, tb;
  } shapes[] = {
    { "qkv", rows, 3 * WIDTH, WIDTH, FALSE, FALSE },
    { "qkv input gradient", rows, WIDTH, 3 * WIDTH, FALSE, TRUE },
    { "qkv weight gradient", WIDTH, 3 * WIDTH, rows, TRUE, FALSE },
    { "projection", rows, WIDTH, WIDTH, FALSE, FALSE },
    { "mlp up", rows, 4 * WIDTH, WIDTH, FALSE, FALSE },
    { "mlp down", rows, WIDTH, 4 * WIDTH, FALSE, FALSE },
    { "mlp weight gradient", 4 * WIDTH, WIDTH, rows, TRUE, FALSE },
    { "logits", 1024, VOCAB, WIDTH, FALSE, TRUE },
    { "logits input gradient", 1024, WIDTH, VOCAB, FALSE, FALSE },
    { "logits weight gradient", VOCAB, WIDTH, 1024, TRUE, FALSE },
    { "one token's logits", 1, VOCAB, WIDTH, FALSE, TRUE },
  };
  for (guint i = 0; i < G_N_ELEMENTS (shapes); i++)
    {
      const gboolean ta = shapes[i].ta, tb = shapes[i].tb;
      const gint64 m = shapes[i].m, n = shapes[i].n, k = shapes[i].k;
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
      if (wanted (name))
        report_flops (name, 2.0 * (double)m * (double)n * (double)k, seconds_of (bench, gemm_round, &p));
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

#define MEASURE(op, bytes, what, ...)                                                                        \
  do                                                                                                         \
    {                                                                                                        \
      g_autofree char *measure_name = g_strdup_printf what;                                                  \
      measure (bench, measure_name, (double)(bytes), op##_round, &(__VA_ARGS__));                            \
    }                                                                                                        \
  while (0)

static void
copy_round (Bench *bench, gconstpointer data)
{
  bench->backend->copy (bench->device, NULL, bench->c, bench->a, (guint64)bench->parameters * 4);
}

static void
bench_copy (Bench *bench)
{
  const double bytes = 2 * 4 * (double)bench->parameters;
  bench->copy = bytes / seconds_of (bench, copy_round, NULL);
  if (json)
    g_print ("{\"op\":\"copy\",\"ms\":%.4f,\"bytes\":%.0f,\"GB/s\":%.3f,\"of_copy\":1}\n",
             bytes / bench->copy * 1e3, bytes, bench->copy * 1e-9);
  else
    g_print ("%-42s %10.4f ms %10.1f MB %9.1f GB/s\n", "copy", bytes / bench->copy * 1e3, bytes * 1e-6,
             bench->copy * 1e-9);
}

static int
distinct (Bench *bench, gint64 rows)
{
  g_autofree gint32 *ids = g_new (gint32, rows);
  g_autofree guint8 *seen = g_new0 (guint8, VOCAB);
  int n = 0;
  bench->backend->copy (bench->device, NULL, ids, bench->ids, (guint64)rows * sizeof *ids);
  bench->backend->synchronize (bench->device, NULL);
  for (gint64 i = 0; i < rows; i++)
    n += !seen[ids[i]], seen[ids[i]] = 1;
  return n;
}

static void
bench_embedding (Bench *bench, gint64 width)
{
  Bench *b = bench;
  const gint64 rows = MIN (b->elements / width, IDS), places = MIN (rows, POSITIONS);
  const double w = (double)width, s = (double)b->size, n = (double)rows * w, met = distinct (b, rows);
  MEASURE (embedding_forward, (n + (met + (double)places) * w) * s, ("embedding_forward %d", (int)width),
           (FenEmbeddingForward){ rows, width, b->dtype, b->ids, b->positions, b->a, b->b, b->c });
  MEASURE (embedding_backward, n * s + (met + (double)places) * w * 8,
           ("embedding_backward %d positions", (int)width),
           (FenEmbeddingBackward){ rows, width, VOCAB, POSITIONS, b->dtype, b->ids, b->positions, b->a,
                                   (float *)(void *)b->c, (float *)(void *)b->d, b->workspace });
  MEASURE (embedding_backward, n * s + met * w * 8, ("embedding_backward %d", (int)width),
           (FenEmbeddingBackward){ rows, width, VOCAB, 0, b->dtype, b->ids, NULL, b->a, (float *)(void *)b->c,
                                   NULL, b->workspace });
}

static void
bench_norms (Bench *bench, gint64 width)
{
  Bench *b = bench;
  const gint64 rows = b->elements / width;
  const double n = (double)(rows * width), s = (double)b->size;
  float *gradients = (float *)(void *)b->e, *statistics = gradients + 65536;
  for (FenNormKind kind = FEN_NORM_LAYER; kind <= FEN_NORM_RMS; kind++)
    {
      const char *name = kind == FEN_NORM_LAYER ? "layer" : "rms";
      char *bias = kind == FEN_NORM_LAYER ? b->d + 65536 : NULL;
      MEASURE (norm_forward, 4 * n * s, ("norm_forward %s %d residual", name, (int)width),
               (FenNormForward){ kind, rows, width, b->dtype, 1e-5f, b->a, b->b, b->a, b->d, bias, b->c,
                                 statistics, statistics + rows });
      MEASURE (norm_forward, 2 * n * s, ("norm_forward %s %d", name, (int)width),
               (FenNormForward){ kind, rows, width, b->dtype, 1e-5f, b->a, NULL, NULL, b->d, bias, b->c,
                                 statistics, statistics + rows });
      MEASURE (norm_backward, 4 * n * s, ("norm_backward %s %d residual", name, (int)width),
               (FenNormBackward){ kind, rows, width, b->dtype, b->a, b->b, b->d, b->small, b->ones, b->c,
                                  b->c, gradients, gradients + 32768, b->workspace });
    }
}

static void
bench_mlp (Bench *bench, gint64 width)
{
  Bench *b = bench;
  static const char *const kinds[] = { "gelu_tanh", "gelu_erf", "silu", "relu" };
  const gint64 rows = b->elements / width;
  const double n = (double)(rows * width), s = (double)b->size;
  for (FenActivationKind kind = FEN_GELU_TANH; kind <= FEN_SILU; kind++)
    for (int gated = 0; gated < 2; gated++)
      {
        const gint64 ldx = (gated ? 2 : 1) * width;
        const char *mark = gated ? " gated" : "";
        MEASURE (activation_forward, (gated ? 3 : 2) * n * s,
                 ("activation_forward %s%s %d", kinds[kind], mark, (int)width),
                 (FenActivation){ kind, gated, rows, width, ldx, b->dtype, b->a, b->b });
        MEASURE (activation_backward, (gated ? 5 : 3) * n * s,
                 ("activation_backward %s%s %d", kinds[kind], mark, (int)width),
                 (FenActivation){ kind, gated, rows, width, ldx, b->dtype, b->a, NULL, b->b, b->c });
      }
  MEASURE (bias_gradient, n * s, ("bias_gradient %d", (int)width),
           (FenBiasGradient){ rows, width, width, b->dtype, b->a, (float *)(void *)b->e, b->workspace });
}

static void
bench_rope (Bench *bench, int heads, int head_dim)
{
  Bench *b = bench;
  const gint64 width = (gint64)heads * head_dim, rows = MIN (b->elements / width, IDS);
  MEASURE (rope, 2.0 * (double)(rows * width) * (double)b->size, ("rope %d x %d", heads, head_dim),
           (FenRope){ rows, heads, head_dim, head_dim, b->dtype, b->a, width, head_dim, b->positions,
                      b->small, 1, FALSE });
}

static void
bench_loss (Bench *bench, gint64 vocab, gint64 ld, float softcap)
{
  Bench *b = bench;
  const gint64 rows = MIN ((gint64)(b->bytes / 4) / ld, IDS);
  MEASURE (cross_entropy, 2.0 * (double)(rows * vocab) * (double)b->size,
           ("cross_entropy %d ld %d%s", (int)vocab, (int)ld, softcap > 0 ? " softcap" : ""),
           (FenCrossEntropy){ rows, vocab, ld, b->dtype, b->c, b->ids, (float *)(void *)b->e, 1e-3f, softcap,
                              TRUE });
}

static void
bench_step (Bench *bench)
{
  Bench *b = bench;
  const gint64 count = b->parameters;
  const double n = (double)count, s = (double)b->size;
  float *a = (float *)(void *)b->a, *c = (float *)(void *)b->c, *d = (float *)(void *)b->d;
  float *master = b->dtype == FEN_F32 ? NULL : (float *)(void *)b->e;
  b->backend->fill (b->device, NULL, &(FenFill){ count, FEN_F32, d, 1e-3 });
  MEASURE (add, 3 * n * s, ("add"), (FenAdd){ count, b->dtype, b->a, b->c });
  MEASURE (fill, n * s, ("fill"), (FenFill){ count, b->dtype, b->c, 0.5 });
  MEASURE (cast, n * (4 + s), ("cast"), (FenCast){ count, FEN_F32, b->dtype, b->a, b->c });
  MEASURE (sum_squares, n * 4, ("sum_squares f32"),
           (FenSum){ count, FEN_F32, b->a, &b->stats[1].gradient_sumsq, b->workspace });
  MEASURE (adamw, n * (28 + (master != NULL ? s : 0)), ("adamw"),
           (FenAdamW){ count, b->dtype, b->b, master, a, c, d, 1e-4f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.5f, 0.5f,
                       b->stats });
  MEASURE (adamw8, n * (16 + (master != NULL ? s : 0)), ("adamw8"),
           (FenAdamW8){ count, b->dtype, b->b, master, a, (guint8 *)b->c, (guint8 *)b->d, b->ones,
                        (float *)(void *)(b->d + 2 * count), 1e-4f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.5f, 0.5f,
                        b->stats });
}

/* ---- memory ---- */

static char *
new_memory (Bench *bench, guint64 bytes)
{
  FenStatus status;
  char *memory = bench->backend->alloc (bench->device, FEN_MEMORY_DEVICE, bytes, &status);
  if (memory == NULL)
    g_error ("%s", status.message);
  return memory;
}

/* Values of -1 to 1 in the storage type: never zeros, which move and compute more easily. */
static char *
new_buffer (Bench *bench)
{
  enum { PIECE = 1 << 20 };
  g_autofree float *host = g_new (float, PIECE);
  char *memory = new_memory (bench, bench->bytes), *values = new_memory (bench, PIECE * sizeof (float));
  guint64 step = PIECE * bench->size;
  for (int i = 0; i < PIECE; i++)
    host[i] = (float)g_random_double_range (-1, 1);
  bench->backend->copy (bench->device, NULL, values, host, PIECE * sizeof (float));
  bench->backend->cast (bench->device, NULL, &(FenCast){ PIECE, FEN_F32, bench->dtype, values, memory });
  for (guint64 at = step; at < bench->bytes; at += step)
    bench->backend->copy (bench->device, NULL, memory + at, memory, MIN (step, bench->bytes - at));
  bench->backend->synchronize (bench->device, NULL);
  bench->backend->free (bench->device, FEN_MEMORY_DEVICE, values, PIECE * sizeof (float));
  return memory;
}

static gpointer
upload (Bench *bench, gconstpointer host, gsize bytes)
{
  char *memory = new_memory (bench, bytes);
  bench->backend->copy (bench->device, NULL, memory, host, bytes);
  bench->backend->synchronize (bench->device, NULL);
  return memory;
}

/* Token frequencies fall as 1 / rank (Zipf): id = vocab ^ u - 1 with u uniform. */
static void
new_inputs (Bench *bench)
{
  const gsize statistics = (gsize)MAX (bench->parameters / FEN_ADAMW8_BLOCK + 1, IDS);
  g_autofree gint32 *ids = g_new (gint32, IDS), *positions = g_new (gint32, IDS);
  g_autofree float *ones = g_new (float, statistics), *small = g_new (float, statistics);
  const FenStepStats stats[2] = { { .gradient_scale = 1 } };
  bench->statistics = statistics;
  for (int i = 0; i < IDS; i++)
    {
      ids[i] = MIN ((gint32)pow (VOCAB, g_random_double ()) - 1, VOCAB - 1);
      positions[i] = i % POSITIONS;
    }
  for (gsize i = 0; i < statistics; i++)
    ones[i] = 1, small[i] = 1.0f / (float)(1 + i);
  bench->ids = upload (bench, ids, IDS * sizeof *ids);
  bench->positions = upload (bench, positions, IDS * sizeof *positions);
  bench->ones = upload (bench, ones, statistics * sizeof *ones);
  bench->small = upload (bench, small, statistics * sizeof *small);
  bench->stats = upload (bench, stats, sizeof stats);
}

static void
bench_all (Bench *bench)
{
  bench_copy (bench);
  bench_blas (bench);
  bench_gemm (bench);
  bench_embedding (bench, 768);
  bench_norms (bench, 768);
  bench_rope (bench, 12, 64);
  bench_mlp (bench, 3072);
  bench_loss (bench, VOCAB, VOCAB, 0);
  if (bench->wide)
    {
      bench_embedding (bench, 2048);
      bench_norms (bench, 2048);
      bench_norms (bench, 4096);
      bench_norms (bench, 16384);
      bench_rope (bench, 32, 128);
      bench_rope (bench, 2, 128);
      bench_mlp (bench, 8192);
      bench_loss (bench, VOCAB, 50304, 0);
      bench_loss (bench, 128256, 128256, 0);
      bench_loss (bench, 256000, 256000, 30);
    }
  bench_step (bench);
}

static gboolean
open_device (Bench *bench)
{
  FenStatus status;
  const FenDeviceOptions options = { .threads = threads };
  const gboolean cuda = g_strcmp0 (device_name, "cuda") == 0;
  bench->backend = fen_backend_find (device_name != NULL ? device_name : "cpu", &status);
  bench->device = bench->backend != NULL ? bench->backend->open (0, &options, &status) : NULL;
  if (bench->device == NULL || !bench->backend->device_properties (0, &options, &bench->properties, &status))
    {
      g_printerr ("%s\n", status.message);
      return FALSE;
    }
  if (g_strcmp0 (dtype_name, "bf16") == 0)
    bench->dtype = FEN_BF16;
  else if (g_strcmp0 (dtype_name, "f16") == 0)
    bench->dtype = FEN_F16;
  bench->size = fen_dtype_size (bench->dtype);
  bench->wide = cuda;
  bench->elements = cuda ? 98304 * 768 : 1024 * 768;
  bench->parameters = cuda ? 1 << 27 : 1 << 24;
  /* Logits of 1,024 tokens; on a GPU as many as four activations. */
  bench->bytes = cuda ? (guint64)bench->elements * 4 * 4 : 4 * VOCAB * 1024;
  return TRUE;
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {
    { "device", 0, 0, G_OPTION_ARG_STRING, &device_name, "back end: cpu, cuda (cpu)", "NAME" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "one JSON object a line", NULL },
    { "threads", 0, 0, G_OPTION_ARG_INT, &threads, "threads (all)", "N" },
    { "dtype", 0, 0, G_OPTION_ARG_STRING, &dtype_name, "storage type: f32, bf16, f16 (f32)", "TYPE" },
    { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &seconds, "time for each operation (0.5)", "S" },
    { "only", 0, 0, G_OPTION_ARG_STRING, &only, "operations whose line has TEXT", "TEXT" },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("- measure a back end's operations");
  g_autoptr (GError) error = NULL;
  Bench bench = { 0 };
  char text[128];
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      g_printerr ("%s\n", error->message);
      return 2;
    }
  if (!open_device (&bench))
    return 1;
  bench.backend->describe (&bench.properties, FEN_OP_ADD, NULL, text, sizeof text);
  if (!json)
    g_print ("%s: %s\n", bench.properties.name, text);
  g_random_set_seed (1);
  char **const buffers[] = { &bench.a, &bench.b, &bench.c, &bench.d, &bench.e, &bench.workspace };
  for (guint i = 0; i < G_N_ELEMENTS (buffers); i++)
    *buffers[i] = new_buffer (&bench);
  new_inputs (&bench);
  bench_all (&bench);
  for (guint i = 0; i < G_N_ELEMENTS (buffers); i++)
    bench.backend->free (bench.device, FEN_MEMORY_DEVICE, *buffers[i], bench.bytes);
  const struct {
    gpointer memory;
    gsize bytes;
  } inputs[] = { { bench.ids, IDS * sizeof *bench.ids },
                 { bench.positions, IDS * sizeof *bench.positions },
                 { bench.ones, bench.statistics * sizeof *bench.ones },
                 { bench.small, bench.statistics * sizeof *bench.small },
                 { bench.stats, 2 * sizeof *bench.stats } };
  for (guint i = 0; i < G_N_ELEMENTS (inputs); i++)
    bench.backend->free (bench.device, FEN_MEMORY_DEVICE, inputs[i].memory, inputs[i].bytes);
  bench.backend->close (bench.device);
  return 0;
}
