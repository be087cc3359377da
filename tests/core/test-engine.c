/* test-engine.c: one step, in every way that the plan can choose, computes one thing.
 *
 * The golden folders give four small architectures with real weights (test of their values: golden-check). Here
 * batches, windows, sinks, documents, chunks and storage vary, and ways of running are compared with each other.
 */
#include "tests/support/engine-fixture.h"
#include "core/base/fen-random.h"
#include "core/engine/fen-engine-private.h"
#include "kernels/reference/fen-reference.h"
#include <math.h>
#include <stdlib.h>

static const char *const models[] = { "gpt2", "llama", "mistral-w16", "qwen2" };

/* A sanitizer owns malloc itself; gcc and clang say so in different ways. */
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !__has_feature(address_sanitizer)     \
    && !__has_feature(thread_sanitizer)
#define COUNT_ALLOCATIONS 1
#endif

#ifdef COUNT_ALLOCATIONS
/* Counts calls of malloc and friends of the whole process, libraries included, while `counting`. */
extern void *__libc_malloc (size_t bytes);
extern void *__libc_calloc (size_t n, size_t bytes);
extern void *__libc_realloc (void *memory, size_t bytes);
static int counting, n_allocations;

void *
malloc (size_t bytes)
{
  if (g_atomic_int_get (&counting))
    g_atomic_int_inc (&n_allocations);
  return __libc_malloc (bytes);
}

void *
calloc (size_t n, size_t bytes)
{
  if (g_atomic_int_get (&counting))
    g_atomic_int_inc (&n_allocations);
  return __libc_calloc (n, bytes);
}

void *
realloc (void *memory, size_t bytes)
{
  if (g_atomic_int_get (&counting))
    g_atomic_int_inc (&n_allocations);
  return __libc_realloc (memory, bytes);
}
#endif

static FenConfig *
golden_config (const char *model, gint64 rows, gint64 row_tokens)
{
  g_autofree char *folder = g_build_filename (g_getenv ("FENESTRA_GOLDEN_DIR"), model, NULL);
  FenConfig *config = engine_fixture_config (folder, rows, row_tokens);
  config->threads = 2;
  return config;
}

/* ---- batches ---- */

typedef struct {
  FenBatch batch;
  gint32 *tokens, *targets, *doc_start, *doc_end, *positions;
} RandomBatch;

static void
random_batch (RandomBatch *b, FenRandom *random, gint64 rows, gint64 T, gboolean documents)
{
  const gint64 n = rows * T;

  b->tokens = g_new (gint32, n);
  b->targets = g_new (gint32, n);
  b->doc_start = g_new (gint32, n);
  b->doc_end = g_new (gint32, n);
  b->positions = g_new (gint32, n);
  for (gint64 i = 0; i < n; i++)
    b->tokens[i] = (gint32)fen_random_below (random, 512);
  engine_fixture_targets (b->tokens, rows, T, b->targets);
  for (gint64 row = 0; row < rows; row++)
    for (gint64 start = 0, end; start < T; start = end)
      {
        gint64 length = documents ? 1 + (gint64)fen_random_below (random, (guint64)T) : T;
        end = MIN (T, start + length);
        for (gint64 p = start; p < end; p++)
          {
            b->doc_start[row * T + p] = (gint32)start;
            b->doc_end[row * T + p] = (gint32)end;
            b->positions[row * T + p] = (gint32)(p - start);
          }
        b->targets[row * T + end - 1] = -1; /* the next token is of another document */
      }
  b->batch = (FenBatch){ .rows = rows, .row_tokens = T, .tokens = b->tokens, .targets = b->targets };
  if (documents)
    {
      b->batch.doc_start = b->doc_start;
      b->batch.doc_end = b->doc_end;
      b->batch.positions = b->positions;
    }
}

static void
free_batch (RandomBatch *b)
{
  g_free (b->tokens);
  g_free (b->targets);
  g_free (b->doc_start);
  g_free (b->doc_end);
  g_free (b->positions);
}

/* ---- running ---- */

typedef struct {
  double loss;
  float *gradient; /* the flat space's parameters, one after another */
  gint64 n;
} Outcome;

static void
read_gradients (EngineFixture *f, Outcome *outcome)
{
  gsize n_params;
  const FenParam *params = fen_model_params (f->model, &n_params);

  outcome->gradient = g_new (float, fen_model_n_parameters (f->model));
  outcome->n = 0;
  for (gsize i = 0; i < n_params; i++)
    {
      g_autoptr (GError) error = NULL;
      fen_engine_read_gradient (f->engine, &params[i], outcome->gradient + outcome->n, &error);
      g_assert_no_error (error);
      outcome->n += params[i].elements;
    }
}

/* Loss and gradients of a batch; then a step with AdamW, so that the update phase is run and checked as well. */
static void
run (const FenConfig *config, const FenBatch *batch, guint64 guard, Outcome *outcome)
{
  EngineFixture f;
  g_autoptr (GError) error = NULL;
  FenUpdate update = { .learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8, .grad_clip = 1 };
  FenUpdateResult result;
  double evaluated;

  engine_fixture_open (&f, config, FEN_PLAN_TRAIN, guard, NULL, &error);
  g_assert_no_error (error);
  fen_engine_evaluate (f.engine, batch, &evaluated, &error);
  g_assert_no_error (error);
  fen_engine_micro_step (f.engine, batch, 0.01, &error);
  g_assert_no_error (error);
  read_gradients (&f, outcome);
  fen_engine_update (f.engine, &update, &result, &error);
  g_assert_no_error (error);
  g_assert_false (result.skipped);
  outcome->loss = result.loss_sum;
  g_assert_cmpfloat (fabs (evaluated - result.loss_sum), <=, 1e-6 * fabs (evaluated));
  engine_fixture_close (&f);
}

static double
relative_difference (const Outcome *a, const Outcome *b)
{
  double difference = 0, norm = 0;

  g_assert_cmpint (a->n, ==, b->n);
  for (gint64 i = 0; i < a->n; i++)
    {
      double d = (double)a->gradient[i] - (double)b->gradient[i];
      difference += d * d;
      norm += (double)b->gradient[i] * (double)b->gradient[i];
    }
  g_assert_cmpfloat (norm, >, 0);
  return sqrt (difference / norm);
}

static void
random_attention (FenConfig *config, FenRandom *random)
{
  if (fen_random_below (random, 3) == 0)
    return;
  config->window_size = 1 + (gint64)fen_random_below (random, (guint64)config->max_seq_len + 4);
  config->window_pattern = fen_random_below (random, 2) == 0 ? FEN_WINDOW_ALL : FEN_WINDOW_ALTERNATE;
  config->sink_tokens = fen_random_below (random, 2) == 0 ? 0 : (gint64)fen_random_below (random, 5);
}

/* ---- tests ---- */

/* Exact chunking is exact: fp32 gradients differ by rounding alone. The sums are taken in another order, and each
 * order's own error is about 5e-7 (golden-check), hence 1e-6. */
static void
test_chunked (void)
{
  FenRandom random;
  double worst = 0;

  fen_random_init (&random, 7, 1);
  for (int i = 0; i < 32; i++)
    {
      gint64 rows = 1 + (gint64)fen_random_below (&random, 3), T = 3 + (gint64)fen_random_below (&random, 90);
      g_autoptr (FenConfig) config = golden_config (models[i % 4], rows, T);
      RandomBatch batch;
      Outcome whole, chunked;
      double difference;

      random_attention (config, &random);
      random_batch (&batch, &random, rows, T, fen_random_below (&random, 2) == 0);
      run (config, &batch.batch, 0, &whole);
      config->use_chunked_training = TRUE;
      config->chunk_size = 1 + (gint64)fen_random_below (&random, (guint64)T);
      config->checkpoint_attention = fen_random_below (&random, 2) == 0;
      run (config, &batch.batch, 0, &chunked);
      difference = relative_difference (&chunked, &whole);
      worst = MAX (worst, difference);
      if (difference > 1e-6)
        g_test_message ("%g %s docs %d keep %d rows %d T %d window %d chunk %d", difference, models[i % 4],
                        batch.batch.doc_start != NULL, config->checkpoint_attention, (int)rows, (int)T,
                        (int)config->window_size, (int)config->chunk_size);
      g_assert_cmpfloat (difference, <=, 1e-6);
      g_assert_cmpfloat (fabs (chunked.loss - whole.loss), <=, 1e-6 * whole.loss);
      g_free (whole.gradient);
      g_free (chunked.gradient);
      free_batch (&batch);
    }
  g_test_message ("worst relative difference %.2e", worst);
}

/* Any accepted configuration: nothing is written outside a buffer of the plan (guards), nothing is read before it is
 * written or after it has died (poison), and the loss and gradients are those of the simplest schedule. */
static void
test_properties (void)
{
  FenRandom random;

  fen_random_init (&random, 11, 1);
  for (int i = 0; i < 200; i++)
    {
      gint64 rows = 1 + (gint64)fen_random_below (&random, 3), T = 1 + (gint64)fen_random_below (&random, 40);
      g_autoptr (FenConfig) config = golden_config (models[fen_random_below (&random, 4)], rows, T);
      g_autoptr (FenConfig) simple = NULL;
      RandomBatch batch;
      Outcome ours, reference;

      random_attention (config, &random);
      simple = fen_config_copy (config);
      config->gradient_checkpointing = fen_random_below (&random, 2) == 0;
      config->checkpoint_attention = fen_random_below (&random, 2) == 0;
      config->use_chunked_training = fen_random_below (&random, 2) == 0;
      config->chunk_size = 1 + (gint64)fen_random_below (&random, 50);
      config->use_flash_attn = fen_random_below (&random, 4) != 0;
      config->use_8bit_optimizer = fen_random_below (&random, 4) == 0;
      random_batch (&batch, &random, rows, T, fen_random_below (&random, 2) == 0);
      if (T == 1)
        batch.targets[0] = 5; /* something to learn */
      run (simple, &batch.batch, 0, &reference);
      run (config, &batch.batch, 256, &ours);
      if (reference.loss == 0)
        g_assert_cmpfloat (ours.loss, ==, 0); /* every document had one token */
      else
        {
          g_assert_cmpfloat (fabs (ours.loss - reference.loss), <=, 2e-6 * reference.loss);
          g_assert_cmpfloat (relative_difference (&ours, &reference), <=, 2e-6);
        }
      g_free (ours.gradient);
      g_free (reference.gradient);
      free_batch (&batch);
    }
}

/* 16-bit storage of every schedule runs inside its plan, too, and means the same. */
static void
test_storage (void)
{
  FenRandom random;

  fen_random_init (&random, 13, 1);
  for (int i = 0; i < 24; i++)
    {
      g_autoptr (FenConfig) config = golden_config (models[i % 4], 2, 33);
      RandomBatch batch;
      Outcome exact, rounded;

      random_attention (config, &random);
      random_batch (&batch, &random, 2, 33, i % 2 == 0);
      run (config, &batch.batch, 0, &exact);
      config->amp = TRUE;
      config->amp_dtype = i % 3 == 0 ? FEN_AMP_FP16 : FEN_AMP_BF16;
      config->gradient_checkpointing = i % 2 == 0;
      config->use_chunked_training = i % 4 == 1;
      config->chunk_size = 7;
      run (config, &batch.batch, 256, &rounded);
      /* The loss scale is in the gradients that an fp16 engine holds. */
      for (gint64 k = 0; k < rounded.n && i % 3 == 0; k++)
        rounded.gradient[k] /= 65536;
      g_assert_cmpfloat (relative_difference (&rounded, &exact), <=, 5e-2);
      g_assert_cmpfloat (fabs (rounded.loss - exact.loss), <=, 5e-3 * exact.loss);
      g_free (exact.gradient);
      g_free (rounded.gradient);
      free_batch (&batch);
    }
}

/* Two micro-steps of a row each are one micro-step of two rows. */
static void
test_accumulation (void)
{
  FenRandom random;
  RandomBatch batch;
  g_autoptr (FenConfig) config = golden_config ("llama", 2, 40);
  g_autoptr (FenConfig) single = golden_config ("llama", 1, 40);
  g_autoptr (GError) error = NULL;
  EngineFixture f;
  Outcome together, apart;

  fen_random_init (&random, 3, 1);
  random_batch (&batch, &random, 2, 40, TRUE);
  run (config, &batch.batch, 0, &together);
  engine_fixture_open (&f, single, FEN_PLAN_TRAIN, 256, NULL, &error);
  g_assert_no_error (error);
  for (int row = 0; row < 2; row++)
    {
      FenBatch one = batch.batch;
      one.rows = 1;
      one.tokens += row * 40;
      one.targets += row * 40;
      one.doc_start += row * 40;
      one.doc_end += row * 40;
      one.positions += row * 40;
      fen_engine_micro_step (f.engine, &one, 0.01, &error);
      g_assert_no_error (error);
    }
  read_gradients (&f, &apart);
  g_assert_cmpfloat (relative_difference (&apart, &together), <=, 1e-6);
  engine_fixture_close (&f);
  g_free (together.gradient);
  g_free (apart.gradient);
  free_batch (&batch);
}

/* A batch smaller than the plan's gives what a plan of its own size gives. */
static void
test_small_batch (void)
{
  FenRandom random;
  fen_random_init (&random, 5, 1);
  for (int i = 0; i < 8; i++)
    {
      g_autoptr (FenConfig) large = golden_config (models[i % 4], 3, 64);
      g_autoptr (FenConfig) small = golden_config (models[i % 4], 2, 21);
      RandomBatch batch;
      Outcome a, b;

      large->use_chunked_training = small->use_chunked_training = i >= 4;
      large->chunk_size = small->chunk_size = 8;
      random_batch (&batch, &random, 2, 21, i % 2 == 0);
      run (large, &batch.batch, 256, &a);
      run (small, &batch.batch, 256, &b);
      g_assert_cmpfloat (relative_difference (&a, &b), <=, 1e-6);
      g_free (a.gradient);
      g_free (b.gradient);
      free_batch (&batch);
    }
}

static double
train (FenEngine *engine, const FenBatch *batch, GError **error)
{
  FenUpdate update = {
    .learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8, .weight_decay = 0.1, .grad_clip = 1
  };
  FenUpdateResult result = { 0 };

  if (!fen_engine_micro_step (engine, batch, 0.01, error)
      || !fen_engine_update (engine, &update, &result, error))
    return NAN;
  return result.loss_sum;
}

/* Everything that training changes is in the state: another engine that is given it goes on bit for bit. */
static void
test_resume (void)
{
  FenRandom random;
  RandomBatch batch;

  fen_random_init (&random, 17, 1);
  random_batch (&batch, &random, 2, 32, TRUE);
  for (int kind = 0; kind < 4; kind++)
    {
      g_autoptr (FenConfig) config = golden_config (models[kind], 2, 32);
      g_autoptr (GError) error = NULL;
      EngineFixture a, b;
      gsize n, n_b;
      const FenStateTensor *from, *to;

      config->use_8bit_optimizer = kind == 1;
      config->amp = kind >= 2;
      config->amp_dtype = kind == 2 ? FEN_AMP_BF16 : FEN_AMP_FP16;
      engine_fixture_open (&a, config, FEN_PLAN_TRAIN, 0, NULL, &error);
      g_assert_no_error (error);
      for (int i = 0; i < 3; i++)
        train (a.engine, &batch.batch, &error);
      g_assert_no_error (error);

      config->seed = 99;
      engine_fixture_open (&b, config, FEN_PLAN_TRAIN, 0, NULL, &error);
      g_assert_no_error (error);
      train (b.engine, &batch.batch, &error); /* something else in every array */
      from = fen_engine_state_tensors (a.engine, &n);
      to = fen_engine_state_tensors (b.engine, &n_b);
      g_assert_cmpuint (n, ==, n_b);
      for (gsize i = 0; i < n; i++)
        {
          g_autofree void *bytes = g_malloc ((gsize)from[i].elements * fen_dtype_size (from[i].dtype));
          g_assert_cmpstr (from[i].name, ==, to[i].name);
          fen_engine_read_state (a.engine, &from[i], 0, fen_state_tensor_bytes (&from[i]), bytes, &error);
          fen_engine_write_state (b.engine, &to[i], 0, fen_state_tensor_bytes (&to[i]), bytes, &error);
          g_assert_no_error (error);
        }
      fen_engine_set_update_count (b.engine, fen_engine_update_count (a.engine));
      fen_engine_set_loss_scale (b.engine, fen_engine_loss_scale (a.engine));
      for (int i = 0; i < 3; i++)
        {
          double x = train (a.engine, &batch.batch, &error), y = train (b.engine, &batch.batch, &error);
          g_assert_no_error (error);
          g_assert_cmpfloat (x, ==, y);
        }
      engine_fixture_close (&a);
      engine_fixture_close (&b);
    }
  free_batch (&batch);
}

/* The loss at weights + at * direction, for one parameter in double storage. */
static double
loss_at (EngineFixture *f, const FenStateTensor *state, const double *weights, const double *direction,
         double at, const FenBatch *batch)
{
  g_autoptr (GError) error = NULL;
  g_autofree double *moved = g_new (double, state->elements);
  double loss = 0;

  for (gint64 i = 0; i < state->elements; i++)
    moved[i] = weights[i] + at * direction[i];
  fen_engine_write_state (f->engine, state, 0, fen_state_tensor_bytes (state), moved, &error);
  g_assert_no_error (error);
  fen_engine_evaluate (f->engine, batch, &loss, &error);
  g_assert_no_error (error);
  return loss;
}

/* The slope of the loss along each parameter's own gradient is the gradient's norm. Weights and activations are in
 * double precision; losses and gradients are fp32 by contract, so the five-point difference of a sum of some 20
 * losses of about 6 is good to about 1e-5 and its own error, h^4, to less. A wrong factor anywhere is far outside. */
static void
check_slopes (EngineFixture *f, const FenBatch *batch)
{
  gsize n_params, n_state;
  const FenParam *params = fen_model_params (f->model, &n_params);
  const FenStateTensor *state = fen_engine_state_tensors (f->engine, &n_state);
  g_autoptr (GError) error = NULL;

  fen_engine_micro_step (f->engine, batch, 1, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < n_params; i++)
    {
      const gint64 n = params[i].elements;
      g_autofree float *gradient = g_new (float, n);
      g_autofree double *weights = g_new (double, n), *direction = g_new (double, n);
      double norm = 0, h, slope;

      g_assert_true (state[i].is_weight && state[i].elements == n && state[i].dtype == FEN_F64);
      fen_engine_read_gradient (f->engine, &params[i], gradient, &error);
      fen_engine_read_state (f->engine, &state[i], 0, fen_state_tensor_bytes (&state[i]), weights, &error);
      g_assert_no_error (error);
      for (gint64 k = 0; k < n; k++)
        norm += (double)gradient[k] * (double)gradient[k];
      norm = sqrt (norm);
      /* Key biases move all scores of a query alike: softmax takes no notice, and the gradient is rounding noise. */
      if (norm < 1e-3)
        continue;
      for (gint64 k = 0; k < n; k++)
        direction[k] = (double)gradient[k] / norm;
      h = MIN (0.05, 0.05 / norm * 4);
      slope = (8
                   * (loss_at (f, &state[i], weights, direction, h, batch)
                      - loss_at (f, &state[i], weights, direction, -h, batch))
               - (loss_at (f, &state[i], weights, direction, 2 * h, batch)
                  - loss_at (f, &state[i], weights, direction, -2 * h, batch)))
              / (12 * h);
      loss_at (f, &state[i], weights, direction, 0, batch);
      if (fabs (slope / norm - 1) > 1e-3)
        g_test_message ("%s: slope %g, gradient %g", params[i].name, slope, norm);
      g_assert_cmpfloat (fabs (slope / norm - 1), <=, 1e-3);
    }
}

static void
test_finite_differences (void)
{
  for (int i = 0; i < 4; i++)
    {
      g_autoptr (FenConfig) config = golden_config (models[i], 2, 9);
      g_autoptr (GError) error = NULL;
      FenRandom random;
      RandomBatch batch;
      EngineFixture f;

      if (i % 2 == 1)
        {
          config->window_size = 5;
          config->window_pattern = FEN_WINDOW_ALTERNATE;
          config->sink_tokens = 1;
          config->use_chunked_training = TRUE;
          config->chunk_size = 4;
        }
      fen_random_init (&random, 41 + (guint64)i, 1);
      random_batch (&batch, &random, 2, 9, i % 2 == 1);
      for (int k = 0; k < 18; k++)
        batch.tokens[k]
            += batch.tokens[k] == 0; /* the padding token's embedding has no gradient on purpose */
      engine_fixture_targets (batch.tokens, 2, 9, batch.targets);
      engine_fixture_open (&f, config, FEN_PLAN_TRAIN, 256, fen_backend_reference (), &error);
      g_assert_no_error (error);
      g_assert_cmpint (fen_plan_settings (f.plan)->storage, ==, FEN_F64);
      check_slopes (&f, &batch.batch);
      engine_fixture_close (&f);
      free_batch (&batch);
    }
}

/* A weight that became infinite: the update is skipped, nothing changes, fp16 halves its scale. */
static void
test_skip (void)
{
  for (int half = 0; half < 2; half++)
    {
      FenRandom random;
      RandomBatch batch;
      g_autoptr (FenConfig) config = golden_config ("llama", 1, 16);
      g_autoptr (GError) error = NULL;
      EngineFixture f;
      FenUpdate update = { .learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8 };
      FenUpdateResult result;
      gsize n_params, n;
      const FenParam *params;
      const FenStateTensor *state;
      g_autofree float *before = NULL, *after = NULL;
      g_autofree guint16 *broken = NULL;
      double scale;

      fen_random_init (&random, 23, 1);
      random_batch (&batch, &random, 1, 16, FALSE);
      config->amp = half;
      config->amp_dtype = FEN_AMP_FP16;
      engine_fixture_open (&f, config, FEN_PLAN_TRAIN, 256, NULL, &error);
      g_assert_no_error (error);
      params = fen_model_params (f.model, &n_params);
      state = fen_engine_state_tensors (f.engine, &n);
      broken = g_malloc ((gsize)state[1].elements * fen_dtype_size (state[1].dtype));
      fen_engine_read_state (f.engine, &state[1], 0, fen_state_tensor_bytes (&state[1]), broken, &error);
      memset (broken, 0xFF, 64); /* NaN in every type */
      fen_engine_write_state (f.engine, &state[1], 0, fen_state_tensor_bytes (&state[1]), broken, &error);
      before = g_new (float, params[3].elements);
      after = g_new (float, params[3].elements);
      fen_engine_read_param (f.engine, &params[3], 0, params[3].elements, before, &error);
      scale = fen_engine_loss_scale (f.engine);
      fen_engine_micro_step (f.engine, &batch.batch, 0.01, &error);
      fen_engine_update (f.engine, &update, &result, &error);
      g_assert_no_error (error);
      g_assert_true (result.skipped);
      g_assert_cmpint (fen_engine_update_count (f.engine), ==, 0);
      fen_engine_read_param (f.engine, &params[3], 0, params[3].elements, after, &error);
      g_assert_cmpmem (before, (gsize)params[3].elements * 4, after, (gsize)params[3].elements * 4);
      g_assert_cmpfloat (fen_engine_loss_scale (f.engine), ==, half ? scale / 2 : 1);
      engine_fixture_close (&f);
      free_batch (&batch);
    }
}

static void
test_no_allocation (void)
{
#ifdef COUNT_ALLOCATIONS
  for (int schedule = 0; schedule < 3; schedule++)
    {
      FenRandom random;
      RandomBatch batch;
      g_autoptr (FenConfig) config = golden_config (models[schedule], 2, 48);
      g_autoptr (GError) error = NULL;
      EngineFixture f;

      fen_random_init (&random, 29, 1);
      random_batch (&batch, &random, 2, 48, TRUE);
      config->gradient_checkpointing = schedule == 1;
      config->use_chunked_training = schedule == 2;
      config->chunk_size = 16;
      engine_fixture_open (&f, config, FEN_PLAN_TRAIN, 0, NULL, &error);
      g_assert_no_error (error);
      train (f.engine, &batch.batch, &error); /* BLAS takes its own buffers once */
      g_atomic_int_set (&n_allocations, 0);
      g_atomic_int_set (&counting, 1);
      train (f.engine, &batch.batch, &error);
      g_atomic_int_set (&counting, 0);
      g_assert_no_error (error);
      g_assert_cmpint (g_atomic_int_get (&n_allocations), ==, 0);
      engine_fixture_close (&f);
      free_batch (&batch);
    }
#else
  g_test_message ("the sanitizer owns malloc; counted in the other builds");
#endif
}

/* Feeding gives the logits of the full forward pass, however the tokens are cut into calls, with rings that wrap many
 * times and sinks. */
static void
test_feed (void)
{
  static const gint64 cuts[][6]
      = { { 90 }, { 1, 1, 1, 1, 1, 85 }, { 7, 1, 30, 1, 1, 50 }, { 40, 40, 1, 1, 1, 7 } };
  FenRandom random;

  fen_random_init (&random, 31, 1);
  for (int i = 0; i < 24; i++)
    {
      g_autoptr (FenConfig) config = golden_config (models[i % 4], 1, 90);
      g_autoptr (GError) error = NULL;
      g_autofree float *logits = g_new (float, 90 * 512), *fed = g_new (float, 512);
      EngineFixture train_fixture, f;
      RandomBatch batch;
      gint64 at = 0;

      if (i >= 4)
        {
          config->window_size = 1 + (gint64)fen_random_below (&random, 40);
          config->window_pattern = i % 2 ? FEN_WINDOW_ALL : FEN_WINDOW_ALTERNATE;
          config->sink_tokens = i % 3 == 0 ? 0 : (gint64)fen_random_below (&random, 6);
        }
      random_batch (&batch, &random, 1, 90, FALSE);
      engine_fixture_open (&train_fixture, config, FEN_PLAN_TRAIN, 0, NULL, &error);
      g_assert_no_error (error);
      fen_engine_logits (train_fixture.engine, &batch.batch, logits, &error);
      g_assert_no_error (error);
      engine_fixture_open (&f, config, FEN_PLAN_GENERATE, 0, NULL, &error);
      g_assert_no_error (error);
      for (guint turn = 0; turn < 2; turn++) /* the second one after a rewind */
        {
          for (guint k = 0; k < 6 && cuts[i % 4][k] > 0; k++)
            {
              double worst = 0, largest = 0;
              fen_engine_feed (f.engine, batch.tokens + at, cuts[i % 4][k], fed, &error);
              g_assert_no_error (error);
              at += cuts[i % 4][k];
              g_assert_cmpint (fen_engine_n_fed (f.engine), ==, at);
              for (int v = 0; v < 512; v++)
                {
                  largest = fmax (largest, fabs ((double)logits[(at - 1) * 512 + v]));
                  worst = fmax (worst, fabs ((double)(logits[(at - 1) * 512 + v] - fed[v])));
                }
              g_assert_cmpfloat (worst, <=, 1e-5 * largest);
            }
          fen_engine_rewind (f.engine);
          at = 0;
        }
      engine_fixture_close (&train_fixture);
      engine_fixture_close (&f);
      free_batch (&batch);
    }
}

static void
expect_refusal (FenEngine *engine, const FenBatch *batch, const char *words)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (fen_engine_micro_step (engine, batch, 1, &error));
  g_assert_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, words));
}

static void
test_bad_batches (void)
{
  g_autoptr (FenConfig) config = golden_config ("gpt2", 1, 16);
  g_autoptr (GError) error = NULL;
  EngineFixture f;
  FenRandom random;
  RandomBatch b;
  FenBatch batch;
  float logits[512];

  fen_random_init (&random, 37, 1);
  random_batch (&b, &random, 1, 16, TRUE);
  engine_fixture_open (&f, config, FEN_PLAN_TRAIN, 0, NULL, &error);
  g_assert_no_error (error);
  batch = b.batch;
  batch.rows = 2;
  expect_refusal (f.engine, &batch, "2 x 16");
  batch = b.batch;
  batch.doc_end = NULL;
  expect_refusal (f.engine, &batch, "document");
  b.tokens[5] = 512;
  expect_refusal (f.engine, &b.batch, "token 512");
  b.tokens[5] = -1;
  expect_refusal (f.engine, &b.batch, "token -1");
  b.tokens[5] = 5;
  b.targets[4] = 600;
  expect_refusal (f.engine, &b.batch, "target 600");
  b.targets[4] = 6;
  b.positions[3] = 256;
  expect_refusal (f.engine, &b.batch, "position 256");
  b.positions[3] = 3;
  b.doc_start[2] = 9;
  expect_refusal (f.engine, &b.batch, "document");
  g_assert_false (fen_engine_feed (f.engine, b.tokens, 1, logits, &error));
  g_assert_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED);
  engine_fixture_close (&f);
  free_batch (&b);
}

/* Losses and norms of three updates of two micro-batches each: positions given, then counted, shorter rows. */
static void
staged_losses (FenEngine *engine, const RandomBatch *b, double *numbers)
{
  const FenUpdate update
      = { .learning_rate = 1e-2, .beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8, .grad_clip = 1 };

  for (int step = 0; step < 3; step++)
    {
      g_autoptr (GError) error = NULL;
      FenUpdateResult result;
      FenBatch plain = b[1].batch;
      plain.rows = 1;
      plain.row_tokens = 11;
      fen_engine_micro_step (engine, &b[0].batch, 0.02, &error);
      g_assert_no_error (error);
      fen_engine_micro_step (engine, &plain, 0.02, &error);
      g_assert_no_error (error);
      fen_engine_update (engine, &update, &result, &error);
      g_assert_no_error (error);
      numbers[2 * step] = result.loss_sum;
      numbers[2 * step + 1] = result.gradient_norm;
    }
}

/* A device with memory of its own gets its batches through the pinned arena, and computes the same. The processor stands
 * in for one: only the plan believes that its memory is another. */
static void
test_staging (void)
{
  g_autoptr (FenConfig) config = golden_config ("gpt2", 2, 24);
  g_autoptr (GError) error = NULL;
  FenRandom random;
  RandomBatch b[2];
  double direct[6], staged[6];
  EngineFixture f;

  fen_random_init (&random, 5, 1);
  random_batch (&b[0], &random, 2, 24, TRUE);
  random_batch (&b[1], &random, 2, 24, FALSE);
  g_assert_true (engine_fixture_open (&f, config, FEN_PLAN_TRAIN, 0, NULL, &error));
  g_assert_cmpuint (fen_plan_host_bytes (f.plan), ==, 0);
  staged_losses (f.engine, b, direct);

  FenDeviceProperties properties = f.properties;
  properties.host_memory = false;
  g_autoptr (FenPlan) plan = fen_plan_new (config, f.model, f.backend, &properties, FEN_PLAN_TRAIN, &error);
  g_assert_no_error (error);
  /* statistics, and two slots of five arrays of 48 numbers */
  g_assert_cmpuint (fen_plan_host_bytes (plan), ==, 256 + 2 * 5 * 256);
  g_autoptr (FenEngine) engine = fen_engine_new (plan, f.model, f.backend, f.device, &error);
  g_assert_no_error (error);
  g_assert_true (fen_engine_load_parameters (engine, (guint64)config->seed, &error));
  staged_losses (engine, b, staged);
  g_assert_cmpmem (direct, sizeof direct, staged, sizeof staged);
  g_clear_pointer (&engine, fen_engine_free);
  engine_fixture_close (&f);
  free_batch (&b[0]);
  free_batch (&b[1]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/finite-differences", test_finite_differences);
  g_test_add_func ("/engine/chunked", test_chunked);
  g_test_add_func ("/engine/properties", test_properties);
  g_test_add_func ("/engine/storage", test_storage);
  g_test_add_func ("/engine/accumulation", test_accumulation);
  g_test_add_func ("/engine/small-batch", test_small_batch);
  g_test_add_func ("/engine/resume", test_resume);
  g_test_add_func ("/engine/skip", test_skip);
  g_test_add_func ("/engine/no-allocation", test_no_allocation);
  g_test_add_func ("/engine/staging", test_staging);
  g_test_add_func ("/engine/feed", test_feed);
  g_test_add_func ("/engine/bad-batches", test_bad_batches);
  return g_test_run ();
}
