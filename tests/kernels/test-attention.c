/* test-attention.c: attention of the CPU back end against the reference, and the reference against finite differences.
 *
 * Inputs are fresh at every run (GLib prints the seed; --seed repeats it). attention-fixture.h says how near is near
 * enough; test-backend-attention.c asks the same of any back end through its table.
 */
#include "tests/kernels/attention-cases.h"
#include "tests/kernels/attention-cpu.h"

/* ---- against the reference ---- */

static void
run_one (Fixture *f, FenCpuIsa isa, FenAttentionPath path, int threads)
{
  FenDevice device;
  FenAttentionBackward g;

  device_init (&device, isa, threads);
  fresh_outputs (f);
  g = describe (f, path);
  if (f->c.no_lse)
    {
      FenAttention without = g.forward;

      without.lse = NULL;
      forward (&device, &without);
      tensor_check (&f->o, "O without LSE", tolerance_of (f->dtype), 0);
    }
  forward (&device, &g.forward);
  backward (&device, &g);
  check_results (f);
  fen_cpu_pool_free (device.pool);
}

/* One case on every instruction set and both paths. */
static void
run_case (const Case *c, FenDType dtype)
{
  Fixture f;
  int threads = 1;

  describe_case (c, dtype);
  fixture_init (&f, c, dtype);
  expect (&f);
  for (int isa = 0; isa < FEN_CPU_N_ISAS; isa++)
    for (int path = FEN_ATTENTION_FLASH; path <= FEN_ATTENTION_PLAIN; path++, threads = threads % 3 + 1)
      if (isa_present (isa))
        run_one (&f, isa, path, threads);
  fixture_clear (&f);
}

static void
test_cases (gconstpointer data)
{
  const FenDType dtype = GPOINTER_TO_INT (data);

  for (gsize i = 0; i < G_N_ELEMENTS (attention_cases); i++)
    run_case (&attention_cases[i], dtype);
}

static void
test_random (void)
{
  static const FenDType dtypes[] = { FEN_F32, FEN_F32, FEN_BF16, FEN_F16 };

  for (int i = 0; i < 60; i++)
    {
      const Case c = random_case ();

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
