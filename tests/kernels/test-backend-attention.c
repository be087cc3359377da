/* test-backend-attention.c: attention of any back end, through its table, against the reference: `--backend cuda`.
 *
 * A case's tensors live on the host (attention-fixture.h); each run copies their bytes, gaps and poison included, to the
 * device and what came of them back. Every case runs on the flash and on the plain path, in its own layout, and on GPUs
 * once more in the engine's packed one where head_dim allows: that decides between the tensor cores and the generic
 * kernels (FENESTRA_CUDA_ATTENTION=simt forces the latter). test-attention.c asks the CPU's instruction sets one by one.
 */
#include "tests/kernels/attention-cases.h"
#include "tests/kernels/attention-device.h"

/* ---- against the reference ---- */

static void
run_path (FenOpHarness *h, Fixture *f, FenAttentionPath path)
{
  Mirrors m = { .h = h };
  fresh_outputs (f);
  const FenAttentionBackward host = describe (f, path);
  if (f->c.no_lse)
    {
      mirror_fixture (&m, f);
      FenAttention without = moved_call (&m, &host).forward;
      without.lse = NULL;
      forward (h, &without);
      mirrors_finish (&m);
      tensor_check (&f->o, "O without LSE", tolerance_of (f->dtype), 0);
      fresh_outputs (f);
    }
  const FenAttentionBackward again = describe (f, path);
  mirror_fixture (&m, f);
  FenAttentionBackward g = moved_call (&m, &again);
  forward_and_backward (h, &g);
  mirrors_finish (&m);
  check_results (f);
}

static void
run_case (FenOpHarness *h, const Case *c, FenDType dtype)
{
  Fixture f;
  describe_case (c, dtype);
  fixture_init (&f, c, dtype);
  expect (&f);
  for (int path = FEN_ATTENTION_FLASH; path <= FEN_ATTENTION_PLAIN; path++)
    {
      g_test_message ("path %d", path);
      run_path (h, &f, path);
    }
  fixture_clear (&f);
}

static const FenDType dtypes[] = { FEN_F32, FEN_BF16, FEN_F16 };

static void
test_case (FenOpHarness *h, gconstpointer data)
{
  const Case *c = data;
  for (guint d = 0; d < G_N_ELEMENTS (dtypes); d++)
    {
      Case packed = *c;
      run_case (h, c, dtypes[d]);
      packed.layout = LAYOUT_ALIGNED;
      if (c->layout != LAYOUT_ALIGNED && c->head_dim % 8 == 0 && dtypes[d] != FEN_F32
          && !h->properties.host_memory)
        run_case (h, &packed, dtypes[d]);
    }
}

/* Beside attention-cases.h: tile borders of GPU kernels, every head_dim, positions past 2^31. */
static const Case more_cases[] = {
  { "window 2 in long rows", SQUARE (400), 1, 1, 64, 2, 0 },
  { "window 127, d 64", SQUARE (400), 1, 1, 64, 127, 0 },
  { "window 128, d 64", SQUARE (400), 1, 1, 64, 128, 0 },
  { "window 129, d 64", SQUARE (400), 1, 1, 64, 129, 0 },
  { "window 255", SQUARE (600), 1, 1, 64, 255, 0 },
  { "window 256", SQUARE (600), 1, 1, 64, 256, 0 },
  { "window 257", SQUARE (600), 1, 1, 64, 257, 0 },
  { "window 257, d 128", SQUARE (513), 1, 1, 128, 257, 0 },
  { "257 tokens", SQUARE (257), 2, 1, 64, 0, 0 },
  { "rectangle", 1, 129, 515, 386, 0, 2, 1, 64, 0, 0 },
  { "rectangle with window", 1, 129, 515, 386, 0, 2, 1, 128, 200, 0 },
  { "one query far out", 1, 1, 700, 699, 0, 4, 2, 128, 0, 0 },
  { "past 2^31", 1, 130, 300, 5000000170, 5000000000, 2, 1, 64, 100, 0 },
  { "past 2^31, no window", 1, 130, 300, 5000000170, 5000000000, 2, 1, 64, 0, 7 },
  { "sinks and window, d 128", SQUARE (400), 2, 1, 128, 65, 4 },
  { "many sinks", SQUARE (500), 1, 1, 64, 50, 150 },
  { "sinks before the chunk", 1, 140, 400, 260, 0, 2, 2, 64, 60, 5 },
  { "documents, d 128", 2, 400, 400, 0, 0, 2, 1, 128, 0, 0, DOCS_LONG },
  { "documents of one token, d 64", 1, 200, 200, 0, 0, 2, 1, 64, 0, 0, DOCS_ONE_TOKEN },
  { "documents, chunk", 1, 150, 450, 300, 0, 2, 1, 64, 0, 0, DOCS_LONG },
  { "documents, sinks, window, d 128", 2, 400, 400, 0, 0, 4, 2, 128, 33, 3, DOCS_LONG },
  { "group 4", SQUARE (200), 8, 2, 128, 0, 0 },
  { "group 8", SQUARE (130), 8, 1, 64, 0, 0 },
  { "group 16, d 64", SQUARE (140), 16, 1, 64, 70, 0 },
  /* Whole tiles of queries before all keys: O is 0 without a single key tile. */
  { "nothing visible, d 64", 2, 300, 40, 10, 500, 4, 1, 64, 0, 0 },
  { "nothing visible, d 96", 2, 300, 40, 10, 500, 4, 1, 96, 0, 0 },
  { "nothing visible, d 128", 2, 300, 40, 10, 500, 4, 1, 128, 100, 2 },
  { "nothing visible, d 256", 2, 300, 40, 10, 500, 4, 1, 256, 0, 0 },
  { "d 2", SQUARE (70), 2, 1, 2, 0, 0 },
  { "d 7", SQUARE (70), 2, 1, 7, 0, 0 },
  { "d 8", SQUARE (150), 2, 1, 8, 0, 0 },
  { "d 20", SQUARE (150), 2, 1, 20, 0, 0 },
  { "d 32", SQUARE (150), 2, 1, 32, 0, 0 },
  { "d 40", SQUARE (150), 2, 1, 40, 0, 0 },
  { "d 48", SQUARE (150), 2, 1, 48, 40, 0 },
  { "d 72", SQUARE (150), 2, 1, 72, 0, 0 },
  { "d 88", SQUARE (150), 2, 1, 88, 0, 0 },
  { "d 96, longer", SQUARE (150), 2, 1, 96, 0, 0 },
  { "d 112", SQUARE (150), 2, 1, 112, 0, 0 },
  { "d 127", SQUARE (150), 1, 1, 127, 0, 0 },
  { "d 136", SQUARE (150), 2, 1, 136, 0, 0 },
  { "d 160", SQUARE (150), 2, 1, 160, 0, 0 },
  { "d 192", SQUARE (150), 2, 1, 192, 0, 0 },
  { "d 200", SQUARE (150), 2, 1, 200, 60, 2 },
  { "d 255", SQUARE (100), 1, 1, 255, 0, 0 },
  { "d 256, longer", SQUARE (300), 2, 1, 256, 0, 0 },
  { "soft cap, d 128", SQUARE (200), 2, 1, 128, 60, 2, DOCS_LONG, LAYOUT_TOKENS, 1.5f },
  { "soft cap, d 256", SQUARE (200), 2, 1, 256, 0, 0, DOCS_NONE, LAYOUT_TOKENS, 50 },
  { "learned sink, d 64", 2, 200, 200, 0, 0, 4, 2, 64, 128, 0, DOCS_NONE, LAYOUT_ALIGNED, 0, TRUE },
  { "accumulate, aligned", SQUARE (200), 4, 2, 128, 0, 0, DOCS_NONE, LAYOUT_ALIGNED, 0, FALSE, TRUE },
  { "stored dK, dV, aligned", SQUARE (200), 4, 2, 64, 30, 0, DOCS_NONE, LAYOUT_ALIGNED, 0, FALSE, FALSE, TRUE,
    TRUE },
};

static void
test_random (FenOpHarness *h, gconstpointer data)
{
  for (int i = 0; i < 40; i++)
    {
      const Case c = random_case ();
      run_case (h, &c, dtypes[g_test_rand_int_range (0, G_N_ELEMENTS (dtypes))]);
    }
}

/* ---- properties ---- */

/* dK and dV accumulated over chunks of queries, last chunk first as the engine goes, equal the unchunked ones. */
static void
test_chunks (FenOpHarness *h, gconstpointer data)
{
  const Case c = { "chunks", 2, 211, 211, 0, 0, 4, 2, 32, 70, 3, DOCS_LONG, LAYOUT_ALIGNED, 0, TRUE, TRUE };
  const FenDType dtype = GPOINTER_TO_INT (data);
  const int64_t chunk = 50;
  Fixture f;
  describe_case (&c, dtype);
  fixture_init (&f, &c, dtype);
  expect (&f);
  for (int path = FEN_ATTENTION_FLASH; path <= FEN_ATTENTION_PLAIN; path++)
    {
      Mirrors m = { .h = h };
      fresh_outputs (&f);
      mirror_fixture (&m, &f);
      for (int64_t first = c.nq / chunk * chunk; first >= 0; first -= chunk)
        {
          const FenAttentionBackward host = describe (&f, path);
          FenAttentionBackward g = moved_call (&m, &host);
          FenHeadView *views[] = { &g.forward.q, &g.forward.o, &g.d_o, &g.dq };
          g.forward.q0 = first;
          g.forward.nq = MIN (chunk, c.nq - first);
          g.forward.nk = first + g.forward.nq;
          g.forward.lse += first;
          for (gsize i = 0; i < G_N_ELEMENTS (views); i++)
            views[i]->data
                = (char *)views[i]->data + first * views[i]->token_stride * (int64_t)fen_dtype_size (dtype);
          forward_and_backward (h, &g);
        }
      mirrors_finish (&m);
      check_results (&f);
    }
  fixture_clear (&f);
}

/* Equal inputs give equal bits. */
static void
test_deterministic (FenOpHarness *h, gconstpointer data)
{
  const FenDType dtype = GPOINTER_TO_INT (data);
  const Case c = { "repeat", 1, 700, 700, 0, 0, 4, 2, 64, 0, 0, DOCS_LONG, LAYOUT_ALIGNED };
  Fixture f;
  fixture_init (&f, &c, dtype);
  for (int path = FEN_ATTENTION_FLASH; path <= FEN_ATTENTION_PLAIN; path++)
    {
      Tensor *outputs[] = { &f.o, &f.dq, &f.dk, &f.dv };
      void *before[G_N_ELEMENTS (outputs)] = { NULL };
      for (int run = 0; run < 4; run++)
        {
          Mirrors m = { .h = h };
          fresh_outputs (&f);
          const FenAttentionBackward host = describe (&f, path);
          mirror_fixture (&m, &f);
          FenAttentionBackward g = moved_call (&m, &host);
          forward_and_backward (h, &g);
          mirrors_finish (&m);
          for (gsize i = 0; i < G_N_ELEMENTS (outputs); i++)
            {
              const gsize bytes = (gsize)outputs[i]->elements * fen_dtype_size (outputs[i]->dtype);
              if (run > 0)
                g_assert_cmpmem (before[i], bytes, outputs[i]->memory, bytes);
              g_free (before[i]);
              before[i] = g_memdup2 (outputs[i]->memory, bytes);
            }
        }
      for (gsize i = 0; i < G_N_ELEMENTS (outputs); i++)
        g_free (before[i]);
    }
  fixture_clear (&f);
}

/* A NaN in a visible key reaches O and LSE: broken activations must not come out as plausible ones. */
static void
test_nan (FenOpHarness *h, gconstpointer data)
{
  const FenDType dtype = GPOINTER_TO_INT (data);
  const Case c = { "nan", SQUARE (80), 1, 1, 32, 20, 0, DOCS_NONE, LAYOUT_ALIGNED };
  Fixture f;
  fixture_init (&f, &c, dtype);
  fen_reference_set (dtype, f.k.view.data, at (&f.k.view, 0, 40, 0, 3), NAN);
  for (int path = FEN_ATTENTION_FLASH; path <= FEN_ATTENTION_PLAIN; path++)
    {
      Mirrors m = { .h = h };
      fresh_outputs (&f);
      const FenAttentionBackward host = describe (&f, path);
      mirror_fixture (&m, &f);
      FenAttentionBackward g = moved_call (&m, &host);
      forward_and_backward (h, &g);
      mirrors_finish (&m);
      for (int i = 0; i < 80; i++)
        {
          const gboolean reached = i >= 40 && i < 60;
          g_assert_true (isnan (f.lse[i]) == reached);
          g_assert_true (isnan (fen_reference_get (dtype, f.o.memory, at (&f.o.view, 0, i, 0, 0)))
                         == reached);
          g_assert_true (isnan (fen_reference_get (dtype, f.dq.memory, at (&f.dq.view, 0, i, 0, 0)))
                         == reached);
        }
    }
  fixture_clear (&f);
}

static void
test_questions (FenOpHarness *h, gconstpointer data)
{
  const Case c = { "questions", SQUARE (100), 4, 2, 64, 100, 0, DOCS_NONE, LAYOUT_ALIGNED };
  FenStatus why = { 0 };
  Fixture f;
  fixture_init (&f, &c, FEN_BF16);
  for (int path = FEN_ATTENTION_FLASH; path <= FEN_ATTENTION_PLAIN; path++)
    {
      FenAttentionBackward g = describe (&f, path);
      char text[80] = "", start[32];
      h->backend->describe (&h->properties, FEN_OP_ATTENTION_BACKWARD, &g, text, sizeof text);
      g_test_message ("backward: %s", text);
      h->backend->describe (&h->properties, FEN_OP_ATTENTION_FORWARD, &g.forward, text, sizeof text);
      g_test_message ("forward: %s", text);
      g_snprintf (start, sizeof start, "%s %s ", h->backend->name,
                  path == FEN_ATTENTION_FLASH ? "flash" : "plain");
      g_assert_true (g_str_has_prefix (text, start));
      /* Nothing grows with queries times keys: twice the row takes twice the scratch memory at most. */
      g.forward.window = 0;
      g.forward.nq = g.forward.nk = 1 << 20;
      g_assert_true (h->backend->supports (&h->properties, FEN_OP_ATTENTION_BACKWARD, &g, &why));
      const guint64 once = h->backend->workspace_bytes (&h->properties, FEN_OP_ATTENTION_BACKWARD, &g);
      g.forward.nq = g.forward.nk = 2 << 20;
      g_assert_cmpuint (h->backend->workspace_bytes (&h->properties, FEN_OP_ATTENTION_BACKWARD, &g), <=,
                        2 * once);
      g.forward.head_dim = 257;
      g_assert_false (h->backend->supports (&h->properties, FEN_OP_ATTENTION_FORWARD, &g.forward, &why));
    }
  fixture_clear (&f);
}

static void
add_cases (const Case *cases, gsize n)
{
  for (gsize i = 0; i < n; i++)
    {
      g_autofree char *name = g_strdup_printf ("/attention/%s", cases[i].name);
      fen_op_add_once (name, test_case, &cases[i]);
    }
}

int
main (int argc, char **argv)
{
  fen_op_init (&argc, &argv);
  add_cases (attention_cases, G_N_ELEMENTS (attention_cases));
  add_cases (more_cases, G_N_ELEMENTS (more_cases));
  fen_op_add_once ("/attention/random", test_random, NULL);
  for (guint d = 0; d < G_N_ELEMENTS (dtypes); d++)
    {
      static const char *const tests[] = { "chunks", "deterministic", "nan" };
      static const FenOpCase bodies[] = { test_chunks, test_deterministic, test_nan };
      for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
        {
          g_autofree char *name
              = g_strdup_printf ("/attention/%s/%s", tests[i], fen_op_dtype_name (dtypes[d]));
          fen_op_add_once (name, bodies[i], GINT_TO_POINTER (dtypes[d]));
        }
    }
  fen_op_add_once ("/attention/questions", test_questions, NULL);
  return g_test_run ();
}
