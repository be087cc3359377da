/* test-backend-attention-long.c: a million tokens with a window, in rows so wide that elements are counted past 2^31.
 *
 * Inputs repeat after LONG_PERIOD tokens, which no power of two is a multiple of: an offset that lost its upper bits
 * reads other values. Sampled queries and keys are compared with the reference of their surroundings. On the CPU the row
 * is short unless the test runs with `-m slow`.
 */
#include "tests/kernels/attention-device.h"

#define LONG_D 64
#define LONG_WINDOW 512
#define LONG_PERIOD 3000 /* tokens after which the inputs repeat: more than what a query and its keys span */

/* Buffers of `tokens` rows that are `stride` elements wide, of which the columns of one head are used:
 * in (dtype): q | k | v | dO,  out (dtype): O | dQ,  sums (fp32): dK | dV. */
typedef struct {
  FenOpHarness *h;
  FenDType dtype;
  int64_t tokens, stride;
  gpointer in, out, sums;
  gsize narrow_bytes, wide_bytes;
  double *values; /* (LONG_PERIOD, 4 * LONG_D) of `in`, as stored */
} Long;

static int64_t
long_at (const Long *l, int64_t token, int64_t column)
{
  return token % LONG_PERIOD * 4 * LONG_D + column;
}

/* Fills device memory with a pattern, doubling what is there. */
static gpointer
repeat (FenOpHarness *h, gconstpointer pattern, gsize pattern_bytes, gsize bytes)
{
  FenStatus status;
  char *memory = h->backend->alloc (h->device, FEN_MEMORY_DEVICE, bytes, &status);
  if (memory == NULL)
    g_error ("%s", status.message);
  h->backend->copy (h->device, NULL, memory, pattern, MIN (pattern_bytes, bytes));
  for (gsize done = pattern_bytes; done < bytes; done *= 2)
    h->backend->copy (h->device, NULL, memory + done, memory, MIN (done, bytes - done));
  h->backend->synchronize (h->device, NULL);
  return memory;
}

static void
long_init (Long *l, FenOpHarness *h, FenDType dtype)
{
  const gsize size = fen_dtype_size (dtype);
  *l = (Long){ .h = h, .dtype = dtype, .tokens = 1 << 20, .stride = 2560 };
  if (h->properties.host_memory && !g_test_slow ())
    l->tokens = 1 << 14;
  while (l->stride > 320 && (double)(l->tokens * l->stride) * 8 > 0.9 * (double)h->properties.free_bytes)
    l->stride /= 2;
  l->narrow_bytes = (gsize)(l->tokens * l->stride) * size;
  l->wide_bytes = (gsize)(l->tokens * l->stride) * sizeof (float);
  l->values = g_new (double, LONG_PERIOD * 4 * LONG_D);

  const gsize pattern_bytes = (gsize)(LONG_PERIOD * l->stride) * size;
  g_autofree char *pattern = g_malloc (pattern_bytes);
  memset (pattern, 0xff, pattern_bytes);
  const gsize row = (gsize)l->stride * size;
  l->out = repeat (h, pattern, row, l->narrow_bytes);
  l->sums = repeat (h, pattern, row, l->wide_bytes);
  for (int64_t t = 0; t < LONG_PERIOD; t++)
    for (int64_t c = 0; c < 4 * LONG_D; c++)
      {
        fen_reference_set (dtype, pattern, t * l->stride + c, normal ());
        l->values[long_at (l, t, c)] = fen_reference_get (dtype, pattern, t * l->stride + c);
      }
  l->in = repeat (h, pattern, pattern_bytes, l->narrow_bytes);
}

static void
long_clear (Long *l)
{
  l->h->backend->free (l->h->device, FEN_MEMORY_DEVICE, l->in, l->narrow_bytes);
  l->h->backend->free (l->h->device, FEN_MEMORY_DEVICE, l->out, l->narrow_bytes);
  l->h->backend->free (l->h->device, FEN_MEMORY_DEVICE, l->sums, l->wide_bytes);
  g_free (l->values);
}

static FenHeadView
long_view (const Long *l, gpointer buffer, FenDType dtype, int64_t part)
{
  char *data = (char *)buffer + (gsize)(part * LONG_D) * fen_dtype_size (dtype);
  return (FenHeadView){ data, l->tokens * l->stride, l->stride, LONG_D };
}

static void
long_run (const Long *l, FenAttentionPath path)
{
  FenOpHarness *h = l->h;
  FenStatus status;
  const gsize lse_bytes = sizeof (float) * (gsize)l->tokens;
  FenAttentionBackward g = { .dkv_dtype = FEN_F32 };
  g.forward = (FenAttention){ .path = path,
                              .dtype = l->dtype,
                              .batch = 1,
                              .nq = l->tokens,
                              .nk = l->tokens,
                              .heads = 1,
                              .kv_heads = 1,
                              .head_dim = LONG_D,
                              .scale = (float)(1.3 / sqrt (LONG_D)),
                              .window = LONG_WINDOW,
                              .q = long_view (l, l->in, l->dtype, 0),
                              .k = long_view (l, l->in, l->dtype, 1),
                              .v = long_view (l, l->in, l->dtype, 2),
                              .o = long_view (l, l->out, l->dtype, 0),
                              .lse = h->backend->alloc (h->device, FEN_MEMORY_DEVICE, lse_bytes, &status),
                              .lse_batch_stride = l->tokens,
                              .lse_head_stride = l->tokens };
  g.d_o = long_view (l, l->in, l->dtype, 3);
  g.dq = long_view (l, l->out, l->dtype, 1);
  g.dk = long_view (l, l->sums, FEN_F32, 0);
  g.dv = long_view (l, l->sums, FEN_F32, 1);
  forward_and_backward (h, &g);
  h->backend->free (h->device, FEN_MEMORY_DEVICE, g.forward.lse, lse_bytes);
}

/* Row `token` of a result against row `row` of the reference's. */
static void
long_compare (const Long *l, const char *what, gpointer buffer, FenDType dtype, int64_t part, int64_t token,
              const Tensor *want, int64_t row, double allowed)
{
  const FenHeadView view = long_view (l, buffer, dtype, part);
  const gsize size = fen_dtype_size (dtype);
  char got[LONG_D * sizeof (float)];
  l->h->backend->copy (l->h->device, NULL, got, (char *)view.data + (gsize)(token * l->stride) * size,
                       LONG_D * size);
  l->h->backend->synchronize (l->h->device, NULL);
  for (int64_t e = 0; e < LONG_D; e++)
    {
      const double x = fen_reference_get (dtype, got, e), wanted = want->dense[row * LONG_D + e];
      if (!(fabs (x - wanted) <= tolerance_of (l->dtype) * fmax (0.1, largest_of (want)) + allowed))
        g_error ("%s of token %ld, element %ld is %.9g, should be %.9g", what, (long)token, (long)e, x,
                 wanted);
    }
}

/* Query x, and key x with all the queries that see it: queries [x, x + W) reach keys (x - W, x + W). */
static void
long_sample (const Long *l, int64_t x)
{
  const int64_t around = LONG_WINDOW - 1;
  const Case near = { "near", 1, LONG_WINDOW, 2 * around + 1, x, x - around, 1, 1, LONG_D, LONG_WINDOW, 0 };
  Fixture f;
  fixture_init (&f, &near, FEN_F32);
  for (int64_t e = 0; e < LONG_D; e++)
    {
      for (int64_t i = 0; i < near.nq; i++)
        {
          f.q.dense[i * LONG_D + e] = l->values[long_at (l, x + i, e)];
          f.d_o.dense[i * LONG_D + e] = l->values[long_at (l, x + i, 3 * LONG_D + e)];
        }
      for (int64_t j = 0; j < near.nk; j++)
        {
          f.k.dense[j * LONG_D + e] = l->values[long_at (l, near.k0 + j, LONG_D + e)];
          f.v.dense[j * LONG_D + e] = l->values[long_at (l, near.k0 + j, 2 * LONG_D + e)];
        }
    }
  run_reference (&f);
  f.dtype = l->dtype; /* whose rounding the noise is of */
  const double unit = noise (&f) * 1.3 / sqrt (LONG_D);
  long_compare (l, "O", l->out, l->dtype, 0, x, &f.o, 0, 0);
  long_compare (l, "dQ", l->out, l->dtype, 1, x, &f.dq, 0, 4 * unit * largest_of (&f.k));
  long_compare (l, "dK", l->sums, FEN_F32, 0, x, &f.dk, around, 8 * unit * largest_of (&f.q));
  long_compare (l, "dV", l->sums, FEN_F32, 1, x, &f.dv, around, 0);
  fixture_clear (&f);
}

/* A million tokens in rows so wide that elements are counted past 2^31 (as far as memory goes). */
static void
test_long (FenOpHarness *h, gconstpointer data)
{
  Long l;
  for (int path = FEN_ATTENTION_FLASH; path <= FEN_ATTENTION_PLAIN; path++)
    {
      long_init (&l, h, GPOINTER_TO_INT (data));
      long_run (&l, path);
      long_sample (&l, l.tokens - LONG_WINDOW);
      for (int sample = 0; sample < 2; sample++)
        long_sample (&l, g_test_rand_int_range (LONG_WINDOW, (int)l.tokens - LONG_WINDOW));
      long_clear (&l);
    }
}

int
main (int argc, char **argv)
{
  static const FenDType dtypes[] = { FEN_F32, FEN_BF16, FEN_F16 };
  fen_op_init (&argc, &argv);
  for (guint d = 0; d < G_N_ELEMENTS (dtypes); d++)
    {
      g_autofree char *name = g_strdup_printf ("/attention/long/%s", fen_op_dtype_name (dtypes[d]));
      fen_op_add_once (name, test_long, GINT_TO_POINTER (dtypes[d]));
    }
  return g_test_run ();
}
