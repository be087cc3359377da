/* bench-attention.c: what attention costs over context length T and window W, forward and backward.
 *
 * GFLOP/s counts visible pairs only: 4 * d a pair and head forward, 10 * d backward; so a kernel that visits what the
 * mask hides looks as slow as it is. "of full" is the time against full attention of the same T in the same run, next
 * to the share of pairs: a library that is silently quadratic under windows shows there. "of gemm" compares with a
 * square GEMM of the same device: 1,024^3 in fp32 and the same threads on the CPU, 8,192^3 of --dtype on a GPU.
 * After one call that is not counted, times are the best of --repeats on the CPU, where a busy machine only ever makes
 * a call slower, and the median on a GPU.
 *
 *   bench-attention [--device cpu|cuda] [--threads N] [--tokens 1024,4096,16384] [--windows 0,512] [--heads 1]
 *                   [--kv-heads 1] [--head-dim 64] [--batch-tokens 0] [--dtype f32|bf16|f16] [--plain] [--repeats 3]
 *                   [--json]
 *
 * The tables of a GPU (32,768 tokens a batch, heads * head_dim 2,048; head_dim 128 with 16 heads likewise), beside which
 * attention-peers.py prints what PyTorch reaches:
 *
 *   bench-attention --device cuda --dtype bf16 --head-dim 64 --heads 32 --kv-heads 32 --batch-tokens 32768 \
 *                   --repeats 9 --tokens 2048,4096,8192,16384,32768 --windows 0
 *   ...             --tokens 16384,65536 --windows 512,1024,2048,4096
 */
#include "kernels/fen-backend.h"

#include <glib.h>
#include <math.h>
#include <string.h>

typedef struct {
  const FenBackend *backend;
  FenDevice *device;
  FenDeviceProperties properties;
  FenDType dtype;
  int heads, kv_heads, head_dim, repeats;
  int64_t batch_tokens; /* rows are batched up to this many tokens */
  gboolean plain, json;
  double gemm; /* FLOP/s */
} Bench;

typedef struct {
  int64_t tokens, window;
  double forward, backward; /* seconds, of the whole batch */
} Result;

static int64_t
batch_of (const Bench *bench, int64_t tokens)
{
  return MAX (bench->batch_tokens / tokens, 1);
}

/* ---- device memory ---- */

static void *
allocate (const Bench *bench, uint64_t bytes)
{
  FenStatus status = { 0 };
  void *memory = bench->backend->alloc (bench->device, FEN_MEMORY_DEVICE, MAX (bytes, 256), &status);

  if (memory == NULL)
    {
      g_printerr ("bench-attention: %s\n", status.message);
      exit (1);
    }
  return memory;
}

/* Near enough to normal, and fast: a GPU's tables fill some 10^9 values. */
static float
random_value (uint64_t *state)
{
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  const uint32_t x = (uint32_t)(*state >> 32);
  const int sum = (int)(x & 255) + (int)(x >> 8 & 255) + (int)(x >> 16 & 255) + (int)(x >> 24);

  return (float)(sum - 510) / 148;
}

/* n values of mean 0 and deviation 1, of the bench's type. */
static void *
random_values (const Bench *bench, int64_t n)
{
  float *host = g_new (float, n);
  void *as_f32 = allocate (bench, (uint64_t)n * 4);
  void *values = allocate (bench, (uint64_t)n * fen_dtype_size (bench->dtype));
  const FenCast cast = { n, FEN_F32, bench->dtype, as_f32, values };

  uint64_t state = g_random_int ();

  for (int64_t i = 0; i < n; i++)
    host[i] = random_value (&state);
  bench->backend->copy (bench->device, NULL, as_f32, host, (uint64_t)n * 4);
  bench->backend->cast (bench->device, NULL, &cast);
  bench->backend->synchronize (bench->device, NULL);
  bench->backend->free (bench->device, FEN_MEMORY_DEVICE, as_f32, (uint64_t)n * 4);
  g_free (host);
  return values;
}

/* ---- measuring ---- */

static double
measure_gemm (Bench *bench)
{
  const gboolean gpu = !bench->properties.host_memory;
  const int64_t n = gpu ? 8192 : 1024;
  const FenDType dtype = bench->dtype;
  double best = INFINITY;

  if (!gpu)
    bench->dtype = FEN_F32;
  FenGemm gemm = { .m = n,
                   .n = n,
                   .k = n,
                   .ab_dtype = bench->dtype,
                   .c_dtype = bench->dtype,
                   .lda = n,
                   .ldb = n,
                   .ldc = n,
                   .alpha = 1 };
  void *a = random_values (bench, n * n), *b = random_values (bench, n * n),
       *c = random_values (bench, n * n);
  const uint64_t size = (uint64_t)(n * n) * fen_dtype_size (bench->dtype);
  bench->dtype = dtype;
  const uint64_t bytes = bench->backend->workspace_bytes (&bench->properties, FEN_OP_GEMM, &gemm);
  gemm.a = a;
  gemm.b = b;
  gemm.c = c;
  gemm.workspace = allocate (bench, bytes);
  for (int i = 0; i < 10; i++)
    {
      const gint64 start = g_get_monotonic_time ();

      bench->backend->gemm (bench->device, NULL, &gemm);
      bench->backend->synchronize (bench->device, NULL);
      best = fmin (best, (double)(g_get_monotonic_time () - start) / 1e6);
    }
  bench->backend->free (bench->device, FEN_MEMORY_DEVICE, gemm.workspace, MAX (bytes, 256));
  bench->backend->free (bench->device, FEN_MEMORY_DEVICE, a, size);
  bench->backend->free (bench->device, FEN_MEMORY_DEVICE, b, size);
  bench->backend->free (bench->device, FEN_MEMORY_DEVICE, c, size);
  return 2.0 * (double)(n * n * n) / best;
}

typedef struct {
  FenAttentionBackward g;
  int64_t q_elements, kv_elements;
  uint64_t workspace;
} Setup;

static void
setup (const Bench *bench, Setup *s, const Result *result)
{
  const int64_t t = result->tokens, batch = batch_of (bench, t), d = bench->head_dim;
  const int64_t q_row = bench->heads * d, kv_row = bench->kv_heads * d, q_size = t * q_row,
                kv_size = t * kv_row;
  FenAttention *a = &s->g.forward;
  FenStatus why = { 0 };

  memset (s, 0, sizeof *s);
  s->q_elements = batch * q_size;
  s->kv_elements = batch * kv_size;
  *a = (FenAttention){ .path = bench->plain ? FEN_ATTENTION_PLAIN : FEN_ATTENTION_FLASH,
                       .dtype = bench->dtype,
                       .batch = batch,
                       .nq = t,
                       .nk = t,
                       .heads = bench->heads,
                       .kv_heads = bench->kv_heads,
                       .head_dim = bench->head_dim,
                       .scale = (float)(1 / sqrt ((double)d)),
                       .window = result->window,
                       .lse_batch_stride = bench->heads * t,
                       .lse_head_stride = t };
  a->q = (FenHeadView){ random_values (bench, s->q_elements), q_size, q_row, d };
  a->o = (FenHeadView){ random_values (bench, s->q_elements), q_size, q_row, d };
  s->g.d_o = (FenHeadView){ random_values (bench, s->q_elements), q_size, q_row, d };
  s->g.dq = (FenHeadView){ random_values (bench, s->q_elements), q_size, q_row, d };
  a->k = (FenHeadView){ random_values (bench, s->kv_elements), kv_size, kv_row, d };
  a->v = (FenHeadView){ random_values (bench, s->kv_elements), kv_size, kv_row, d };
  s->g.dk = (FenHeadView){ allocate (bench, (uint64_t)s->kv_elements * 4), kv_size, kv_row, d };
  s->g.dv = (FenHeadView){ allocate (bench, (uint64_t)s->kv_elements * 4), kv_size, kv_row, d };
  s->g.dkv_dtype = FEN_F32;
  a->lse = allocate (bench, (uint64_t)(batch * bench->heads * t) * 4);
  if (!bench->backend->supports (&bench->properties, FEN_OP_ATTENTION_BACKWARD, &s->g, &why))
    {
      g_printerr ("bench-attention: %s\n", why.message);
      exit (1);
    }
  s->workspace = MAX (bench->backend->workspace_bytes (&bench->properties, FEN_OP_ATTENTION_BACKWARD, &s->g),
                      bench->backend->workspace_bytes (&bench->properties, FEN_OP_ATTENTION_FORWARD, a));
  a->workspace = s->g.workspace = allocate (bench, s->workspace);
}

static void
teardown (const Bench *bench, Setup *s)
{
  const uint64_t size = fen_dtype_size (bench->dtype);
  const FenAttention *a = &s->g.forward;
  const struct {
    void *memory;
    uint64_t bytes;
  } all[] = {
    { a->q.data, (uint64_t)s->q_elements * size },           { a->o.data, (uint64_t)s->q_elements * size },
    { s->g.d_o.data, (uint64_t)s->q_elements * size },       { s->g.dq.data, (uint64_t)s->q_elements * size },
    { a->k.data, (uint64_t)s->kv_elements * size },          { a->v.data, (uint64_t)s->kv_elements * size },
    { s->g.dk.data, (uint64_t)s->kv_elements * 4 },          { s->g.dv.data, (uint64_t)s->kv_elements * 4 },
    { a->lse, (uint64_t)(a->batch * a->heads * a->nq) * 4 }, { a->workspace, s->workspace }
  };

  for (gsize i = 0; i < G_N_ELEMENTS (all); i++)
    bench->backend->free (bench->device, FEN_MEMORY_DEVICE, all[i].memory, MAX (all[i].bytes, 256));
}

static int
rising (gconstpointer a, gconstpointer b)
{
  const double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

/* The time that counts of those measured: see the top. */
static double
settle (const Bench *bench, double *seconds)
{
  qsort (seconds, (size_t)bench->repeats, sizeof *seconds, rising);
  return seconds[bench->properties.host_memory ? 0 : bench->repeats / 2];
}

static void
measure (const Bench *bench, Result *result)
{
  g_autofree double *forward = g_new (double, bench->repeats);
  g_autofree double *backward = g_new (double, bench->repeats);
  Setup s;
  FenStatus status = { 0 };

  setup (bench, &s, result);
  for (int i = -1; i < bench->repeats; i++)
    {
      const gint64 start = g_get_monotonic_time ();

      bench->backend->attention_forward (bench->device, NULL, &s.g.forward);
      bench->backend->synchronize (bench->device, NULL);
      const gint64 middle = g_get_monotonic_time ();
      bench->backend->attention_backward (bench->device, NULL, &s.g);
      bench->backend->synchronize (bench->device, NULL);
      if (i < 0)
        continue;
      forward[i] = (double)(middle - start) / 1e6;
      backward[i] = (double)(g_get_monotonic_time () - middle) / 1e6;
    }
  result->forward = settle (bench, forward);
  result->backward = settle (bench, backward);
  teardown (bench, &s);
  if (bench->backend->check (bench->device, &status) != FEN_STATUS_OK)
    {
      g_printerr ("bench-attention: %s\n", status.message);
      exit (1);
    }
}

/* ---- printing ---- */

static double
pairs_of (int64_t tokens, int64_t window)
{
  const double t = (double)tokens, w = window > 0 && window < tokens ? (double)window : t;

  return w * (w + 1) / 2 + (t - w) * w;
}

static void
print_result (const Bench *bench, const Result *r, const Result *full)
{
  const double work = pairs_of (r->tokens, r->window) * bench->heads * bench->head_dim
                      * (double)batch_of (bench, r->tokens);
  const double forward = 4 * work / r->forward, backward = 10 * work / r->backward;
  const double time = full ? (r->forward + r->backward) / (full->forward + full->backward) : NAN;
  const double pairs = pairs_of (r->tokens, r->window) / pairs_of (r->tokens, 0);

  if (bench->json)
    {
      g_print ("{\"tokens\": %" G_GINT64_FORMAT ", \"window\": %" G_GINT64_FORMAT ", \"forward_s\": %.6f, "
               "\"backward_s\": %.6f, \"forward_gflops\": %.2f, \"backward_gflops\": %.2f, "
               "\"pairs_of_full\": %.6f, "
               "\"gemm_gflops\": %.2f",
               r->tokens, r->window, r->forward, r->backward, forward / 1e9, backward / 1e9, pairs,
               bench->gemm / 1e9);
      if (full)
        g_print (", \"time_of_full\": %.6f", time);
      g_print ("}\n");
      return;
    }
  g_print ("%8" G_GINT64_FORMAT " %8" G_GINT64_FORMAT " %10.2f %10.2f %8.1f %8.1f %7.0f%% %7.0f%%", r->tokens,
           r->window, r->forward * 1e3, r->backward * 1e3, forward / 1e9, backward / 1e9,
           100 * forward / bench->gemm, 100 * backward / bench->gemm);
  if (full && full != r)
    g_print ("   1/%.1f (pairs 1/%.1f)", 1 / time, 1 / pairs);
  g_print ("\n");
}

static void
print_head (const Bench *bench)
{
  const FenAttention shape = { .path = bench->plain ? FEN_ATTENTION_PLAIN : FEN_ATTENTION_FLASH,
                               .dtype = bench->dtype,
                               .nq = 16384,
                               .nk = 16384,
                               .batch = 1,
                               .heads = bench->heads,
                               .kv_heads = bench->kv_heads,
                               .head_dim = bench->head_dim };
  char kernel[128];

  if (bench->json)
    return;
  bench->backend->describe (&bench->properties, FEN_OP_ATTENTION_FORWARD, &shape, kernel, sizeof kernel);
  g_print ("%s, %s\n%d/%d heads of %d, %" G_GINT64_FORMAT " tokens a batch, gemm %s: %.1f GFLOP/s\n\n",
           bench->properties.name, kernel, bench->heads, bench->kv_heads, bench->head_dim,
           bench->batch_tokens, bench->properties.host_memory ? "1024^3 fp32" : "8192^3", bench->gemm / 1e9);
  g_print ("       T        W forward ms backward ms   fwd GF   bwd GF  of gemm  of gemm   time of full\n");
}

static void
run (Bench *bench, char **tokens, char **windows)
{
  print_head (bench);
  for (int i = 0; tokens[i]; i++)
    {
      Result full = { 0 };
      gboolean have_full = FALSE;

      for (int j = 0; windows[j]; j++)
        {
          Result r = { .tokens = g_ascii_strtoll (tokens[i], NULL, 10),
                       .window = g_ascii_strtoll (windows[j], NULL, 10) };

          if (r.tokens < 1 || r.window < 0)
            {
              g_printerr ("bench-attention: T %s and W %s must be positive counts\n", tokens[i], windows[j]);
              exit (2);
            }
          if (r.window >= r.tokens)
            continue;
          measure (bench, &r);
          if (r.window == 0)
            {
              full = r;
              have_full = TRUE;
            }
          print_result (bench, &r, have_full && r.window > 0 ? &full : NULL);
        }
    }
}

static gboolean
open_device (Bench *bench, const char *name, int threads)
{
  const FenDeviceOptions options = { .threads = threads };
  FenStatus status = { 0 };

  bench->backend = fen_backend_find (name, &status);
  if (bench->backend && bench->backend->device_properties (0, &options, &bench->properties, &status))
    bench->device = bench->backend->open (0, &options, &status);
  if (bench->device == NULL)
    g_printerr ("bench-attention: %s\n", status.message);
  return bench->device != NULL;
}

int
main (int argc, char **argv)
{
  Bench bench = { .heads = 1, .kv_heads = 1, .head_dim = 64, .repeats = 3 };
  g_autofree char *device = g_strdup ("cpu"), *tokens = g_strdup ("1024,4096,16384");
  g_autofree char *windows = g_strdup ("0,128,512,2048"), *dtype = g_strdup ("f32");
  int threads = 0;
  const GOptionEntry entries[]
      = { { "device", 0, 0, G_OPTION_ARG_STRING, &device, "back end: cpu or cuda", "NAME" },
          { "threads", 0, 0, G_OPTION_ARG_INT, &threads, "CPU threads (0: all)", "N" },
          { "tokens", 0, 0, G_OPTION_ARG_STRING, &tokens, "context lengths", "T,..." },
          { "windows", 0, 0, G_OPTION_ARG_STRING, &windows, "windows; 0 is full and comes first", "W,..." },
          { "heads", 0, 0, G_OPTION_ARG_INT, &bench.heads, "query heads", "N" },
          { "kv-heads", 0, 0, G_OPTION_ARG_INT, &bench.kv_heads, "key heads", "N" },
          { "head-dim", 0, 0, G_OPTION_ARG_INT, &bench.head_dim, "width of a head", "N" },
          { "batch-tokens", 0, 0, G_OPTION_ARG_INT64, &bench.batch_tokens,
            "rows of T tokens are batched up to this many; 0: one row", "N" },
          { "dtype", 0, 0, G_OPTION_ARG_STRING, &dtype, "f32, bf16 or f16", "TYPE" },
          { "repeats", 0, 0, G_OPTION_ARG_INT, &bench.repeats,
            "runs, of which the best counts (on a GPU the median)", "N" },
          { "plain", 0, 0, G_OPTION_ARG_NONE, &bench.plain, "the path without FlashAttn-2", NULL },
          { "json", 0, 0, G_OPTION_ARG_NONE, &bench.json, "one JSON object a line", NULL },
          { 0 } };
  g_autoptr (GOptionContext) context = g_option_context_new ("- cost of attention over T and W");
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      g_printerr ("bench-attention: %s\n", error->message);
      return 2;
    }
  bench.dtype = g_str_equal (dtype, "bf16") ? FEN_BF16 : g_str_equal (dtype, "f16") ? FEN_F16 : FEN_F32;
  if (bench.heads < 1 || bench.kv_heads < 1 || bench.head_dim < 1 || bench.repeats < 1 || threads < 0
      || (bench.dtype == FEN_F32 && !g_str_equal (dtype, "f32")))
    {
      g_printerr (
          "bench-attention: heads, head-dim and repeats must be at least 1; dtype is f32, bf16 or f16\n");
      return 2;
    }
  if (!open_device (&bench, device, threads))
    return 1;
  bench.gemm = measure_gemm (&bench);
  g_auto (GStrv) token_list = g_strsplit (tokens, ",", -1);
  g_auto (GStrv) window_list = g_strsplit (windows, ",", -1);
  run (&bench, token_list, window_list);
  bench.backend->close (bench.device);
  return 0;
}
