/* test-attention.c: attention of the CPU back end against the reference, and the reference against finite differences.
 *
 * Inputs are fresh at every run (GLib prints the seed; --seed repeats it). They are rounded to the storage type first
 * and the reference gets the rounded values in double, so what is measured is the operation's own error. Every buffer
 * has gaps between its rows, heads and batches; gaps and outputs start as NaN, so that a value read from a gap or never
 * written shows, and the gaps must keep their bits.
 *
 * Tolerance, relative to the largest magnitude of the reference result (or 0.1 when that is smaller):
 *   F32   2e-5  sums of up to some hundred fp32 products, exp to 1e-7
 *   BF16  2^-7  O, dQ (and dK, dV when stored so) round to 2^-9
 *   F16   2^-10 the same with 2^-12
 * dQ, dK and the learned sinks get a second term: D = rowsum (dO * O) is taken of the rounded O and dP - D cancels, so
 * every dS is off by P * u * |dO * O| (u the rounding of the storage type), whatever is left of the gradient itself.
 * noise () computes that term from the case's own values; four to eight standard deviations are allowed.
 * LSE is fp32 everywhere: 1e-5 absolute plus 1e-6 relative.
 */
#include "tests/kernels/attention-fixture.h"

/* ---- against the reference ---- */

static double
tolerance_of (FenDType dtype)
{
  return dtype == FEN_F32 ? 2e-5 : dtype == FEN_BF16 ? 0x1p-7 : 0x1p-10;
}

static double
largest_of (const Tensor *x)
{
  double largest = 0;

  FOR_TENSOR (x) largest = fmax (largest, fabs (x->dense[dense_at (x, b, t, h, e)]));
  return largest;
}

/* One standard deviation of D: u * |dO * O| for the storage of O, and fp32's own sums in dP. */
static double
noise (const Fixture *f)
{
  const double u = f->dtype == FEN_F32 ? 0x1p-24 : f->dtype == FEN_BF16 ? 0x1p-9 : 0x1p-12;
  const int64_t d = f->c.head_dim, rows = f->c.batch * f->c.nq * f->c.heads;
  double stored = 0, products = 0;

  for (int64_t r = 0; r < rows; r++)
    {
      double o = 0, plain = 0;

      for (int64_t e = 0; e < d; e++)
        {
          const double x = f->d_o.dense[r * d + e];

          o += x * x * f->o.dense[r * d + e] * f->o.dense[r * d + e];
          plain += x * x;
        }
      stored = fmax (stored, sqrt (o));
      products = fmax (products, sqrt (plain));
    }
  return u * stored + 0x1p-23 * products * largest_of (&f->v);
}

static void
check_statistics (const Fixture *f)
{
  for (int64_t i = 0; i < f->c.batch * f->c.heads * f->c.nq && !f->c.no_lse; i++)
    if (isinf (f->lse_want[i]))
      g_assert_true (f->lse[i] == f->lse_want[i]);
    else
      g_assert_cmpfloat (fabsf (f->lse[i] - f->lse_want[i]), <=, 1e-5f + 1e-6f * fabsf (f->lse_want[i]));
}

static void
fresh_outputs (Fixture *f)
{
  Tensor *outputs[] = { &f->o, &f->dq, &f->dk, &f->dv };

  for (gsize i = 0; i < G_N_ELEMENTS (outputs); i++)
    {
      g_free (outputs[i]->memory);
      tensor_allocate (outputs[i]);
    }
  for (int64_t i = 0; i < f->c.batch * f->c.heads * f->c.nq; i++)
    f->lse[i] = NAN;
  memset (f->d_sinks, 0, sizeof (float) * (gsize)f->c.heads);
}

static void
run_one (Fixture *f, FenCpuIsa isa, FenAttentionPath path, int threads)
{
  const double tolerance = tolerance_of (f->dtype);
  const double unit
      = noise (f) * 1.3 / sqrt (f->c.head_dim); /* times scale: the noise of dS before its factor */
  FenDevice device;
  FenAttentionBackward g;

  device_init (&device, isa, threads);
  fresh_outputs (f);
  if (f->c.accumulate)
    {
      /* What is there counts: run_reference started from the same 0.5. */
      FOR_TENSOR (&f->dk) fen_reference_set (FEN_F32, f->dk.memory, at (&f->dk.view, b, t, h, e), 0.5);
      FOR_TENSOR (&f->dv) fen_reference_set (FEN_F32, f->dv.memory, at (&f->dv.view, b, t, h, e), 0.5);
    }
  g = describe (f, path);
  if (f->c.no_lse)
    {
      FenAttention without = g.forward;

      without.lse = NULL;
      forward (&device, &without);
      tensor_check (&f->o, "O without LSE", tolerance, 0);
    }
  forward (&device, &g.forward);
  backward (&device, &g);
  tensor_check (&f->o, "O", tolerance, 0);
  check_statistics (f);
  tensor_check (&f->dq, "dQ", tolerance, 4 * unit * largest_of (&f->k));
  /* A key collects the noise of all heads of its group, and of many queries. */
  tensor_check (&f->dk, "dK", tolerance, 8 * sqrt (f->c.heads / f->c.kv_heads) * unit * largest_of (&f->q));
  tensor_check (&f->dv, "dV", tolerance, 0);
  for (int h = 0; h < f->c.heads && f->c.learned_sink; h++)
    if (fabs ((double)f->d_sinks[h] - (double)f->d_sinks_want[h])
        > tolerance * fabs ((double)f->d_sinks_want[h])
              + 4 * noise (f) * sqrt ((double)(f->c.batch * f->c.nq)))
      g_error ("d_sink[%d] is %.9g, should be %.9g", h, (double)f->d_sinks[h], (double)f->d_sinks_want[h]);
  fen_cpu_pool_free (device.pool);
}

static void
describe_case (const Case *c, FenDType dtype)
{
  g_test_message (
      "%s: dtype %d batch %ld q %ld@%ld k %ld@%ld heads %d/%d d %d window %ld sinks %ld docs %d layout %d "
      "softcap %g sink %d accumulate %d",
      c->name, dtype, (long)c->batch, (long)c->nq, (long)c->q0, (long)c->nk, (long)c->k0, c->heads,
      c->kv_heads, c->head_dim, (long)c->window, (long)c->sinks, c->docs, c->layout, (double)c->softcap,
      c->learned_sink, c->accumulate);
}

/* One case on every instruction set and both paths. */
static void
run_case (const Case *c, FenDType dtype)
{
  Fixture f;
  int threads = 1;

  describe_case (c, dtype);
  fixture_init (&f, c, dtype);
  FOR_TENSOR (&f.dk) f.dk.dense[dense_at (&f.dk, b, t, h, e)] = 0.5;
  FOR_TENSOR (&f.dv) f.dv.dense[dense_at (&f.dv, b, t, h, e)] = 0.5;
  run_reference (&f);
  for (int isa = 0; isa < FEN_CPU_N_ISAS; isa++)
    for (int path = FEN_ATTENTION_FLASH; path <= FEN_ATTENTION_PLAIN; path++, threads = threads % 3 + 1)
      if (isa_present (isa))
        run_one (&f, isa, path, threads);
  fixture_clear (&f);
}

#define SQUARE(n) 1, n, n, 0, 0

/* Tiles are 128 (or 64) columns, 64 rows, blocks of 8, 16 or 32: sizes around them. */
static const Case cases[] = {
  { "one", SQUARE (1), 1, 1, 64, 0, 0 },
  { "one query", 2, 1, 77, 76, 0, 2, 1, 64, 0, 0 },
  { "one key", 1, 5, 1, 3, 3, 1, 1, 16, 0, 0 },
  { "no visible key", 1, 40, 30, 100, 0, 2, 2, 32, 16, 0 },
  { "keys of the future", 1, 20, 90, 10, 5, 1, 1, 16, 0, 0 },
  { "odd", 2, 131, 131, 0, 0, 3, 3, 17, 0, 0 },
  { "tile - 1", SQUARE (63), 1, 1, 64, 0, 0 },
  { "tile", SQUARE (64), 1, 1, 64, 0, 0 },
  { "tile + 1", SQUARE (65), 1, 1, 64, 0, 0 },
  { "columns + 1", SQUARE (129), 1, 1, 64, 0, 0 },
  { "window 1", SQUARE (140), 2, 2, 32, 1, 0 },
  { "window 2", SQUARE (140), 2, 2, 32, 2, 0 },
  { "window 31", SQUARE (140), 2, 1, 32, 31, 0 },
  { "window 63", SQUARE (200), 1, 1, 64, 63, 0 },
  { "window 64", SQUARE (200), 1, 1, 64, 64, 0 },
  { "window 65", SQUARE (200), 1, 1, 64, 65, 0 },
  { "window 127", SQUARE (300), 1, 1, 32, 127, 0 },
  { "window 128", SQUARE (300), 1, 1, 32, 128, 0 },
  { "window 129", SQUARE (300), 1, 1, 32, 129, 0 },
  { "window > row", SQUARE (90), 1, 1, 32, 4096, 0 },
  { "chunk far out", 1, 70, 200, 5000, 4870, 2, 2, 64, 100, 0 },
  { "chunk without its window", 1, 70, 70, 5000, 5000, 2, 1, 64, 100, 3 },
  { "sinks", SQUARE (260), 2, 2, 32, 33, 4 },
  { "sinks past the window", SQUARE (260), 2, 1, 32, 20, 70 },
  { "sinks of short documents", 2, 200, 200, 0, 0, 2, 2, 32, 3, 2, DOCS_SHORT },
  { "sinks of documents", 2, 300, 300, 0, 0, 2, 1, 32, 17, 5, DOCS_LONG },
  { "sinks, rectangle", 1, 50, 220, 170, 0, 2, 1, 32, 17, 5, DOCS_LONG },
  { "documents of one token", 2, 100, 100, 0, 0, 1, 1, 32, 0, 0, DOCS_ONE_TOKEN },
  { "short documents", 2, 200, 200, 0, 0, 1, 1, 32, 0, 0, DOCS_SHORT },
  { "documents", 2, 300, 300, 0, 0, 2, 2, 64, 0, 0, DOCS_LONG },
  { "documents and window", 1, 300, 300, 0, 0, 2, 2, 64, 50, 0, DOCS_LONG },
  { "group 2", SQUARE (150), 4, 2, 64, 40, 0, DOCS_NONE, LAYOUT_PACKED },
  { "group 3", SQUARE (150), 6, 2, 32, 40, 2, DOCS_LONG, LAYOUT_PACKED },
  { "group 16", 1, 60, 90, 30, 0, 16, 1, 32, 25, 1, DOCS_LONG, LAYOUT_HEADS },
  { "group 130", SQUARE (9), 130, 1, 16, 0, 0 },
  { "packed", 2, 100, 100, 0, 0, 3, 3, 64, 0, 0, DOCS_NONE, LAYOUT_PACKED },
  { "heads first", 2, 100, 100, 0, 0, 3, 1, 64, 30, 0, DOCS_NONE, LAYOUT_HEADS },
  { "d 1", SQUARE (70), 2, 1, 1, 0, 0 },
  { "d 16", SQUARE (70), 2, 1, 16, 0, 0 },
  { "d 80", SQUARE (70), 2, 1, 80, 0, 0 },
  { "d 96", SQUARE (70), 2, 1, 96, 33, 0 },
  { "d 128", SQUARE (140), 2, 1, 128, 0, 0 },
  { "d 256", SQUARE (140), 2, 1, 256, 70, 3 },
  { "soft cap", SQUARE (140), 2, 1, 64, 60, 2, DOCS_LONG, LAYOUT_TOKENS, 1.5f },
  { "large soft cap", SQUARE (70), 2, 1, 64, 0, 0, DOCS_NONE, LAYOUT_TOKENS, 50 },
  { "learned sink", SQUARE (140), 4, 2, 64, 60, 2, DOCS_LONG, LAYOUT_TOKENS, 0, TRUE },
  { "learned sink, nothing visible", 1, 10, 10, 50, 0, 2, 2, 16, 4, 0, DOCS_NONE, LAYOUT_TOKENS, 0, TRUE },
  { "all", 2, 130, 170, 40, 0, 6, 2, 48, 37, 3, DOCS_LONG, LAYOUT_HEADS, 5, TRUE, TRUE, TRUE },
  { "accumulate", SQUARE (140), 2, 2, 64, 30, 0, DOCS_NONE, LAYOUT_TOKENS, 0, FALSE, TRUE },
  { "stored dK, dV", SQUARE (140), 2, 1, 64, 30, 0, DOCS_NONE, LAYOUT_TOKENS, 0, FALSE, FALSE, TRUE, TRUE },
};

static void
test_cases (gconstpointer data)
{
  const FenDType dtype = GPOINTER_TO_INT (data);

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    run_case (&cases[i], dtype);
}

static void
test_random (void)
{
  static const int dims[] = { 8, 16, 24, 32, 64, 72 };
  static const FenDType dtypes[] = { FEN_F32, FEN_F32, FEN_BF16, FEN_F16 };

  for (int i = 0; i < 60; i++)
    {
      const int kv_heads = g_test_rand_int_range (1, 3);
      Case c = { .name = "random",
                 .batch = g_test_rand_int_range (1, 3),
                 .nq = g_test_rand_int_range (1, 150),
                 .nk = g_test_rand_int_range (1, 200),
                 .k0 = g_test_rand_int_range (0, 40),
                 .heads = kv_heads * g_test_rand_int_range (1, 5),
                 .kv_heads = kv_heads,
                 .head_dim = dims[g_test_rand_int_range (0, G_N_ELEMENTS (dims))],
                 .window = g_test_rand_int_range (0, 2) ? g_test_rand_int_range (1, 120) : 0,
                 .sinks = g_test_rand_int_range (0, 2) ? g_test_rand_int_range (1, 40) : 0,
                 .docs = g_test_rand_int_range (DOCS_NONE, DOCS_LONG + 1),
                 .layout = g_test_rand_int_range (LAYOUT_TOKENS, LAYOUT_PACKED + 1),
                 .softcap = g_test_rand_int_range (0, 4) ? 0 : 3,
                 .learned_sink = g_test_rand_int_range (0, 3) == 0,
                 .accumulate = g_test_rand_int_range (0, 2) };

      c.q0 = g_test_rand_int_range (0, 2) ? c.k0 + MAX (0, c.nk - c.nq) : g_test_rand_int_range (0, 100);
      run_case (&c, dtypes[g_test_rand_int_range (0, G_N_ELEMENTS (dtypes))]);
    }
}

/* ---- the reference against finite differences ---- */

/* Sum of w * O in F64. */
static double
loss_of (Fixture *f, const FenAttentionBackward *g)
{
  double sum = 0;

  fen_reference_attention_forward (&g->forward);
  for (int64_t i = 0; i < f->c.batch * f->c.nq * f->c.heads * f->c.head_dim; i++)
    sum += f->o.dense[i] * f->d_o.dense[i];
  return sum;
}

static void
check_gradient (Fixture *f, const FenAttentionBackward *g, Tensor *x, const double *gradient,
                const char *what)
{
  const double step = 1e-5;

  for (int64_t i = 0; i < x->batch * x->tokens * x->heads * x->d; i++)
    {
      const double value = x->dense[i];
      double up, down;

      x->dense[i] = value + step;
      up = loss_of (f, g);
      x->dense[i] = value - step;
      down = loss_of (f, g);
      x->dense[i] = value;
      /* Truncation h^2 and rounding 1e-16 / h, with values of a few units. */
      if (!(fabs ((up - down) / (2 * step) - gradient[i]) <= 1e-7))
        g_error ("%s[%ld] is %.12g, finite differences give %.12g", what, (long)i, gradient[i],
                 (up - down) / (2 * step));
    }
}

static void
test_reference (void)
{
  static const Case few[] = {
    { "full", 1, 5, 5, 0, 0, 2, 1, 3, 0, 0 },
    { "everything", 2, 7, 9, 4, 1, 4, 2, 3, 3, 2, DOCS_SHORT, LAYOUT_TOKENS, 2, TRUE },
    { "window", 1, 6, 10, 4, 0, 2, 2, 2, 3, 1, DOCS_NONE, LAYOUT_TOKENS, 0, TRUE },
  };

  for (gsize n = 0; n < G_N_ELEMENTS (few); n++)
    {
      Fixture f;
      FenAttentionBackward g;

      fixture_init (&f, &few[n], FEN_F32);
      g = describe (&f, FEN_ATTENTION_FLASH);
      g.forward.dtype = FEN_F64;
      g.forward.q = dense_view (&f.q);
      g.forward.k = dense_view (&f.k);
      g.forward.v = dense_view (&f.v);
      g.forward.o = dense_view (&f.o);
      run_reference (&f);
      check_gradient (&f, &g, &f.q, f.dq.dense, "dQ");
      check_gradient (&f, &g, &f.k, f.dk.dense, "dK");
      check_gradient (&f, &g, &f.v, f.dv.dense, "dV");
      for (int h = 0; h < few[n].heads && few[n].learned_sink; h++)
        {
          /* Sinks are fp32: a step that fp32 holds exactly, and a stencil of fourth order (error h^4 / 30). */
          const float value = roundf (f.sinks[h] * 64) / 64, step = 0x1p-5f;
          double l[4];

          f.sinks[h] = value;
          memset (f.d_sinks_want, 0, sizeof (float) * (gsize)few[n].heads);
          run_reference (&f);
          for (int i = 0; i < 4; i++)
            {
              f.sinks[h] = value + step * (float)(i < 2 ? i - 2 : i - 1);
              l[i] = loss_of (&f, &g);
            }
          f.sinks[h] = value;
          g_assert_cmpfloat (
              fabs ((l[0] - l[3] + 8 * (l[2] - l[1])) / (12 * (double)step) - (double)f.d_sinks_want[h]), <=,
              2e-6);
        }
      fixture_clear (&f);
    }
}

/* ---- properties ---- */

/* dK and dV accumulated over chunks of queries, last chunk first as the engine goes, equal the unchunked ones. */
static void
test_chunks (void)
{
  const Case c = { "chunks", 2, 211, 211, 0, 0, 4, 2, 32, 70, 3, DOCS_LONG, LAYOUT_TOKENS, 0, TRUE, TRUE };
  const int64_t chunk = 50;
  FenDevice device;
  Fixture f;

  describe_case (&c, FEN_F32);
  fixture_init (&f, &c, FEN_F32);
  run_reference (&f);
  device_init (&device, isa_present (FEN_CPU_AVX512) ? FEN_CPU_AVX512 : FEN_CPU_PLAIN, 2);
  for (int path = FEN_ATTENTION_FLASH; path <= FEN_ATTENTION_PLAIN; path++)
    {
      fresh_outputs (&f);
      FOR_TENSOR (&f.dk) fen_reference_set (FEN_F32, f.dk.memory, at (&f.dk.view, b, t, h, e), 0);
      FOR_TENSOR (&f.dv) fen_reference_set (FEN_F32, f.dv.memory, at (&f.dv.view, b, t, h, e), 0);
      for (int64_t first = c.nq / chunk * chunk; first >= 0; first -= chunk)
        {
          FenAttentionBackward g = describe (&f, path);
          FenHeadView *views[] = { &g.forward.q, &g.forward.o, &g.d_o, &g.dq };

          g.forward.q0 = first;
          g.forward.nq = MIN (chunk, c.nq - first);
          g.forward.nk = first + g.forward.nq;
          g.forward.lse += first;
          for (gsize i = 0; i < G_N_ELEMENTS (views); i++)
            views[i]->data = (float *)views[i]->data + first * views[i]->token_stride;
          forward (&device, &g.forward);
          backward (&device, &g);
        }
      tensor_check (&f.o, "O", 2e-5, 1e-5);
      tensor_check (&f.dq, "dQ", 2e-5, 1e-5);
      tensor_check (&f.dk, "dK", 2e-5, 1e-5);
      tensor_check (&f.dv, "dV", 2e-5, 1e-5);
      for (int h = 0; h < c.heads; h++)
        g_assert_cmpfloat (fabsf (f.d_sinks[h] - f.d_sinks_want[h]), <=, 1e-4f);
    }
  fen_cpu_pool_free (device.pool);
  fixture_clear (&f);
}

/* Equal inputs and threads give equal bits, whichever thread takes which tile. */
static void
test_deterministic (void)
{
  const Case c = { "repeat", 1, 700, 700, 0, 0, 4, 2, 32, 0, 0, DOCS_LONG };
  FenDevice device;
  Fixture f;

  fixture_init (&f, &c, FEN_F32);
  device_init (&device, isa_present (FEN_CPU_AVX2) ? FEN_CPU_AVX2 : FEN_CPU_PLAIN, 3);
  for (int path = FEN_ATTENTION_FLASH; path <= FEN_ATTENTION_PLAIN; path++)
    {
      Tensor *outputs[] = { &f.o, &f.dq, &f.dk, &f.dv };
      void *before[4] = { NULL };

      for (int run = 0; run < 3; run++)
        {
          FenAttentionBackward g;

          fresh_outputs (&f);
          g = describe (&f, path);
          forward (&device, &g.forward);
          backward (&device, &g);
          for (int i = 0; i < 4; i++)
            {
              const gsize bytes = (gsize)outputs[i]->elements * sizeof (float);

              if (run > 0)
                g_assert_cmpmem (before[i], bytes, outputs[i]->memory, bytes);
              g_free (before[i]);
              before[i] = g_memdup2 (outputs[i]->memory, bytes);
            }
        }
      for (int i = 0; i < 4; i++)
        g_free (before[i]);
    }
  fen_cpu_pool_free (device.pool);
  fixture_clear (&f);
}

/* A NaN in a visible key reaches O and LSE: broken activations must not come out as plausible ones. */
static void
test_nan (void)
{
  const Case c = { "nan", SQUARE (80), 1, 1, 32, 20, 0 };
  Fixture f;

  fixture_init (&f, &c, FEN_F32);
  fen_reference_set (FEN_F32, f.k.view.data, at (&f.k.view, 0, 40, 0, 3), NAN);
  for (int isa = 0; isa < FEN_CPU_N_ISAS; isa++)
    for (int path = FEN_ATTENTION_FLASH; path <= FEN_ATTENTION_PLAIN && isa_present (isa); path++)
      {
        FenDevice device;
        FenAttentionBackward g;

        device_init (&device, isa, 1);
        fresh_outputs (&f);
        g = describe (&f, path);
        forward (&device, &g.forward);
        g_assert_true (isnan (f.lse[45]) && isfinite (f.lse[39]) && isfinite (f.lse[70]));
        g_assert_true (isnan (fen_reference_get (FEN_F32, f.o.memory, at (&f.o.view, 0, 45, 0, 0))));
        g_assert_true (isfinite (fen_reference_get (FEN_F32, f.o.memory, at (&f.o.view, 0, 39, 0, 0))));
        fen_cpu_pool_free (device.pool);
      }
  fixture_clear (&f);
}

/* T = 65,536, W = 512: O and dQ of sampled queries and dK, dV of sampled keys against a reference of their surroundings. */
static void
test_long (void)
{
  const Case c = { "long", SQUARE (65536), 1, 1, 32, 512, 0 };
  const int64_t around = c.window - 1;
  FenDevice device;
  Fixture f;
  FenAttentionBackward g;

  fixture_init (&f, &c, FEN_F32);
  device_init (&device, isa_present (FEN_CPU_AVX512) ? FEN_CPU_AVX512 : FEN_CPU_PLAIN, 2);
  fresh_outputs (&f);
  g = describe (&f, FEN_ATTENTION_FLASH);
  forward (&device, &g.forward);
  backward (&device, &g);
  for (int sample = 0; sample < 3; sample++)
    {
      /* Queries [x, x + W) see key x; together they reach from x - W + 1 to x + W - 1. */
      const int64_t x = g_test_rand_int_range (512, (int)(c.nq - 512));
      const Case near = { "near", 1, c.window, 2 * around + 1, x, x - around, 1, 1, 32, 512, 0 };
      Fixture part;

      fixture_init (&part, &near, FEN_F32);
      memcpy (part.q.dense, f.q.dense + x * 32, sizeof (double) * (gsize)near.nq * 32);
      memcpy (part.d_o.dense, f.d_o.dense + x * 32, sizeof (double) * (gsize)near.nq * 32);
      memcpy (part.k.dense, f.k.dense + near.k0 * 32, sizeof (double) * (gsize)near.nk * 32);
      memcpy (part.v.dense, f.v.dense + near.k0 * 32, sizeof (double) * (gsize)near.nk * 32);
      run_reference (&part);
      for (int64_t e = 0; e < 32; e++)
        {
          const struct {
            const Tensor *whole, *part;
            int64_t row;
          } pairs[] = { { &f.o, &part.o, 0 },
                        { &f.dq, &part.dq, 0 },
                        { &f.dk, &part.dk, around },
                        { &f.dv, &part.dv, around } };

          for (gsize i = 0; i < G_N_ELEMENTS (pairs); i++)
            g_assert_cmpfloat (fabs (fen_reference_get (FEN_F32, pairs[i].whole->memory,
                                                        at (&pairs[i].whole->view, 0, x, 0, e))
                                     - pairs[i].part->dense[pairs[i].row * 32 + e]),
                               <=, 2e-5);
        }
      fixture_clear (&part);
    }
  fen_cpu_pool_free (device.pool);
  fixture_clear (&f);
}

static void
test_questions (void)
{
  const Case c = { "questions", SQUARE (1000), 4, 2, 64, 100, 0 };
  FenDeviceProperties properties = { .units = 2, .capability = 512 };
  FenStatus why = { 0 };
  FenAttentionBackward g;
  Fixture f;
  char text[64];

  fixture_init (&f, &c, FEN_F32);
  g = describe (&f, FEN_ATTENTION_FLASH);
  fen_cpu_attention_describe (&properties, FEN_OP_ATTENTION_FORWARD, &g.forward, text, sizeof text);
  g_assert_cmpstr (text, ==, "cpu flash avx512 128x64");
  g_assert_true (fen_cpu_supports (&properties, FEN_OP_ATTENTION_BACKWARD, &g, &why));
  g.forward.head_dim = 257;
  g_assert_false (fen_cpu_supports (&properties, FEN_OP_ATTENTION_BACKWARD, &g, &why));
  g_assert_cmpstr (why.message, ==, "cpu attention_backward: head_dim = 257, allowed: 1 to 256");
  g.forward.head_dim = 64;
  g.forward.kv_heads = 3;
  g_assert_false (fen_cpu_supports (&properties, FEN_OP_ATTENTION_FORWARD, &g.forward, &why));
  g.forward.kv_heads = 2;
  g.forward.dtype = FEN_F64;
  g_assert_false (fen_cpu_supports (&properties, FEN_OP_ATTENTION_FORWARD, &g.forward, &why));
  g.forward.dtype = g.dkv_dtype = FEN_BF16;
  g.accumulate = true;
  g_assert_false (fen_cpu_supports (&properties, FEN_OP_ATTENTION_BACKWARD, &g, &why));

  /* Nothing grows with queries times keys. */
  g = describe (&f, FEN_ATTENTION_FLASH);
  for (int path = FEN_ATTENTION_FLASH; path <= FEN_ATTENTION_PLAIN; path++)
    {
      g.forward.path = path;
      g.forward.window = 0;
      g.forward.nq = g.forward.nk = 1 << 20;
      g_assert_cmpuint (fen_cpu_attention_workspace (&properties, FEN_OP_ATTENTION_BACKWARD, &g), <,
                        128u << 20);
    }
  fixture_clear (&f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/attention/reference", test_reference);
  g_test_add_data_func ("/attention/f32", GINT_TO_POINTER (FEN_F32), test_cases);
  g_test_add_data_func ("/attention/bf16", GINT_TO_POINTER (FEN_BF16), test_cases);
  g_test_add_data_func ("/attention/f16", GINT_TO_POINTER (FEN_F16), test_cases);
  g_test_add_func ("/attention/random", test_random);
  g_test_add_func ("/attention/chunks", test_chunks);
  g_test_add_func ("/attention/deterministic", test_deterministic);
  g_test_add_func ("/attention/nan", test_nan);
  g_test_add_func ("/attention/long", test_long);
  g_test_add_func ("/attention/questions", test_questions);
  return g_test_run ();
}
