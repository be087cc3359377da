/* test-backend-step.c: loss, elementwise operations, reductions, clipping and the optimizers of a back end against
 * the reference. */
#include "tests/kernels/fen-op-harness.h"
#include "kernels/reference/fen-reference-private.h"

#include <math.h>
#include <string.h>

static const FenDType dtypes[] = { FEN_F32, FEN_BF16, FEN_F16 };

/* ---- cross-entropy ---- */

typedef struct {
  gint64 rows, vocab, gap;
} LossShape;

static const LossShape loss_shapes[]
    = { { 1, 1, 0 }, { 5, 2, 1 }, { 7, 33, 0 }, { 9, 257, 63 }, { 3, 5003, 5 } };

static void
loss_case (FenOpHarness *h, const LossShape *s, FenDType dtype, float softcap, gboolean gradient,
           double deviation)
{
  const gint64 ld = s->vocab + s->gap;
  FenOpTensor *logits = fen_op_random (h, dtype, s->rows * ld, 3, deviation);
  FenOpTensor *targets = fen_op_integers (h, s->rows, 0, s->vocab),
              *losses = fen_op_tensor (h, FEN_F32, s->rows);
  if (s->rows > 2)
    ((gint32 *)fen_op_host (targets))[1] = -1;
  fen_op_upload (h);
#define PARAMETERS(at)                                                                                       \
  {                                                                                                          \
    s->rows, s->vocab, ld, dtype, at (logits), at (targets), at (losses), 0.125f, softcap, gradient          \
  }
  const FenCrossEntropy host = PARAMETERS (fen_op_host), device = PARAMETERS (fen_op_device);
#undef PARAMETERS
  h->reference->cross_entropy (h->reference_device, NULL, &host);
  fen_op_workspace (h, FEN_OP_CROSS_ENTROPY, &device);
  h->backend->cross_entropy (h->device, NULL, &device);
  fen_op_finish (h);
  /* Logits of up to 40 are exact to 2^-19, and e^x has the absolute error of x as its relative one. */
  fen_op_compare (h, "losses", losses, s->rows, 1, 1, (FenOpTolerance){ 0x1p-19, 0x1p-21 });
  if (gradient) /* scaled by 1/8 */
    fen_op_compare (h, "gradient", logits, s->rows, ld, ld, (FenOpTolerance){ 0x1p-22, 0x1p-17 });
  else
    fen_op_unchanged (h, "logits", logits);
}

static void
test_loss (FenOpHarness *h, gconstpointer data)
{
  for (guint d = 0; d < G_N_ELEMENTS (dtypes); d++)
    for (int bits = 0; bits < 8; bits++)
      {
        h->skew = bits % 3;
        loss_case (h, data, dtypes[d], bits & 1 ? 10 : 0, bits & 2, bits & 4 ? 8 : 1);
      }
}

/* Vocabularies of real models: rows that no block of a GPU holds alone, aligned (50,304) or not. */
static const LossShape wide_loss_shapes[]
    = { { 3, 50257, 0 }, { 4, 50257, 47 }, { 3, 128256, 0 }, { 3, 256000, 3 }, { 1, 1000003, 0 } };

static void
test_loss_wide (FenOpHarness *h, gconstpointer data)
{
  for (guint d = 0; d < G_N_ELEMENTS (dtypes); d++)
    {
      h->skew = 0;
      loss_case (h, data, dtypes[d], 0, TRUE, 4);
      h->skew = 1;
      loss_case (h, data, dtypes[d], 30, TRUE, 8);
      loss_case (h, data, dtypes[d], 0, FALSE, 1);
    }
}

static const LossShape tall_loss_shape = { 70001, 9, 7 };

/* Logits of 1e4 and more: the maximum must be taken off before the exponential. */
static void
test_loss_large (FenOpHarness *h, gconstpointer data)
{
  const float values[] = { 1e4f, 9999, 2e4f, -3e4f, 1.9999e4f };
  FenOpTensor *logits = fen_op_tensor (h, FEN_F32, 5), *losses = fen_op_tensor (h, FEN_F32, 1);
  FenOpTensor *targets = fen_op_integers (h, 1, 4, 5);
  memcpy (fen_op_host (logits), values, sizeof values);
  fen_op_upload (h);
  const FenCrossEntropy device
      = { 1, 5, 5,   FEN_F32, fen_op_device (logits), fen_op_device (targets), fen_op_device (losses),
          1, 0, TRUE };
  const FenCrossEntropy host
      = { 1, 5, 5, FEN_F32, fen_op_host (logits), fen_op_host (targets), fen_op_host (losses), 1, 0, TRUE };
  h->reference->cross_entropy (h->reference_device, NULL, &host);
  h->backend->cross_entropy (h->device, NULL, &device);
  fen_op_finish (h);
  fen_op_compare (h, "losses", losses, 1, 1, 1, (FenOpTolerance){ 0, 0x1p-21 });
  fen_op_compare (h, "gradient", logits, 1, 5, 5, (FenOpTolerance){ 0x1p-22, 0x1p-21 });
  g_assert_cmpfloat_with_epsilon (((float *)fen_op_host (losses))[0], 1.3132616875, 1e-6); /* log (1 + e) */
}

/* ---- elementwise ---- */

static const gint64 counts[] = { 0, 1, 15, 16, 17, 1000, 65536, 200001 };

static void
test_add (FenOpHarness *h, gconstpointer data)
{
  for (guint d = 0; d < G_N_ELEMENTS (dtypes); d++)
    {
      const gint64 n = *(const gint64 *)data;
      h->skew = n % 5; /* odd counts start at odd places too */
      FenOpTensor *x = fen_op_random (h, dtypes[d], n, 0, 1), *y = fen_op_random (h, dtypes[d], n, 0, 1);
      fen_op_upload (h);
      const FenAdd host = { n, dtypes[d], fen_op_host (x), fen_op_host (y) };
      const FenAdd device = { n, dtypes[d], fen_op_device (x), fen_op_device (y) };
      h->reference->add (h->reference_device, NULL, &host);
      fen_op_workspace (h, FEN_OP_ADD, &device);
      h->backend->add (h->device, NULL, &device);
      fen_op_finish (h);
      fen_op_compare (h, "y", y, 1, n, MAX (n, 1), (FenOpTolerance){ 0, 0x1p-24 });
      fen_op_unchanged (h, "x", x);
    }
}

static void
test_fill (FenOpHarness *h, gconstpointer data)
{
  static const FenDType all[] = { FEN_F32, FEN_BF16, FEN_F16, FEN_F64, FEN_I32, FEN_U8 };
  for (guint d = 0; d < G_N_ELEMENTS (all); d++)
    {
      const gint64 n = *(const gint64 *)data;
      h->skew = n % 5;
      FenOpTensor *x = fen_op_tensor (h, all[d], n);
      fen_op_upload (h);
      const double value = d < 4 ? 0.1 : 37;
      const FenFill host = { n, all[d], fen_op_host (x), value },
                    device = { n, all[d], fen_op_device (x), value };
      h->reference->fill (h->reference_device, NULL, &host);
      fen_op_workspace (h, FEN_OP_FILL, &device);
      h->backend->fill (h->device, NULL, &device);
      fen_op_finish (h);
      fen_op_compare (h, "x", x, 1, n, MAX (n, 1), (FenOpTolerance){ 0, 0 });
    }
}

/* Every 16-bit pattern widened and narrowed, and fp32 values at and beside every rounding boundary: equal bits, as
 * rounding to nearest even has one answer. */
static void
cast_case (FenOpHarness *h, FenDType from, FenDType to, gint64 n, FenOpTensor *src)
{
  FenOpTensor *dst = fen_op_tensor (h, to, n);
  fen_op_upload (h);
  const FenCast host = { n, from, to, fen_op_host (src), fen_op_host (dst) };
  const FenCast device = { n, from, to, fen_op_device (src), fen_op_device (dst) };
  h->reference->cast (h->reference_device, NULL, &host);
  fen_op_workspace (h, FEN_OP_CAST, &device);
  h->backend->cast (h->device, NULL, &device);
  fen_op_finish (h);
  g_autofree char *got = g_malloc (dst->bytes);
  h->backend->copy (h->device, NULL, got, dst->device, dst->bytes);
  h->backend->synchronize (h->device, NULL);
  const char *first = got + ((char *)fen_op_host (dst) - (char *)dst->host);
  for (gint64 i = 0; i < n; i++)
    {
      const double value = fen_op_value (to, first, i), wanted = fen_op_value (to, fen_op_host (dst), i);
      if (value != wanted && !(isnan (value) && isnan (wanted)))
        g_error ("%s: %s to %s: element %d = %.9g, reference %.9g", h->name->str, fen_op_dtype_name (from),
                 fen_op_dtype_name (to), (int)i, value, wanted);
    }
}

static void
test_cast (FenOpHarness *h, gconstpointer data)
{
  for (guint from = 1; from < 3; from++)
    {
      FenOpTensor *src = fen_op_tensor (h, dtypes[from], 65536);
      for (gint64 i = 0; i < 65536; i++)
        ((guint16 *)fen_op_host (src))[i] = (guint16)i;
      for (guint to = 0; to < 3; to++)
        cast_case (h, dtypes[from], dtypes[to], 65536, src);
      /* The middles between neighbours, and one fp32 step to either side. */
      FenOpTensor *middles = fen_op_tensor (h, FEN_F32, 3 * 65536);
      float *x = fen_op_host (middles);
      for (gint64 i = 0; i < 65536; i++)
        {
          const double a = fen_op_value (dtypes[from], fen_op_host (src), i);
          const double b = fen_op_value (dtypes[from], fen_op_host (src), (i + 1) % 65536);
          x[3 * i] = isfinite (a) && isfinite (b) ? (float)((a + b) / 2) : (float)(a * 1.001);
          x[3 * i + 1] = nextafterf (x[3 * i], INFINITY);
          x[3 * i + 2] = nextafterf (x[3 * i], -INFINITY);
        }
      for (guint to = 0; to < 3; to++)
        cast_case (h, FEN_F32, dtypes[to], 3 * 65536, middles);
    }
}

/* Elements beyond 2^31, where 32 bits count wrong. Only with `-m slow`, and on a GPU: 17 GB. All elements are the same,
 * so that an exact sum in double tells whether each was visited once. */
static void
test_far (FenOpHarness *h, gconstpointer data)
{
  const gint64 n = ((gint64)1 << 31) + 1029, wide = n / 3;
  FenStatus status;
  double sums[3] = { 0 };
  if (!g_test_slow () || g_str_equal (h->properties.kind, "cpu"))
    {
      g_test_skip ("-m slow, on a GPU");
      return;
    }
  char *x = h->backend->alloc (h->device, FEN_MEMORY_DEVICE, (guint64)n * 4, &status);
  char *y = h->backend->alloc (h->device, FEN_MEMORY_DEVICE, (guint64)n * 4, &status);
  double *sum = h->backend->alloc (h->device, FEN_MEMORY_DEVICE, sizeof sums, &status);
  g_assert_true (x != NULL && y != NULL && sum != NULL);
  FenSum total = { .n = n, .dtype = FEN_BF16, .x = y, .sum = sum };
  total.workspace = fen_op_workspace (h, FEN_OP_SUM, &total);
  h->backend->copy (h->device, NULL, sum, sums, sizeof sums);
  h->backend->fill (h->device, NULL, &(FenFill){ n, FEN_BF16, x, 1 });
  h->backend->fill (h->device, NULL, &(FenFill){ n, FEN_BF16, y, 2 });
  h->backend->add (h->device, NULL, &(FenAdd){ n, FEN_BF16, x, y });
  h->backend->sum (h->device, NULL, &total);
  h->backend->cast (h->device, NULL, &(FenCast){ n, FEN_BF16, FEN_F32, y, x });
  total.dtype = FEN_F32, total.x = x, total.sum = sum + 1;
  h->backend->sum (h->device, NULL, &total);
  /* Gated: rows of 2 * wide, relu (3) * 3. */
  const FenActivation gated
      = { FEN_RELU, TRUE, 3, wide / 8 * 8, 2 * (wide / 8 * 8), FEN_BF16, x, y, NULL, NULL };
  h->backend->fill (h->device, NULL, &(FenFill){ 2 * n, FEN_BF16, x, 3 });
  h->backend->activation_forward (h->device, NULL, &gated);
  total.n = gated.rows * gated.width, total.dtype = FEN_BF16, total.x = y, total.sum = sum + 2;
  h->backend->sum (h->device, NULL, &total);
  fen_op_finish (h);
  h->backend->copy (h->device, NULL, sums, sum, sizeof sums);
  h->backend->synchronize (h->device, NULL);
  g_assert_true (sums[0] == 3 * (double)n && sums[1] == 3 * (double)n && sums[2] == 9 * (double)total.n);
  h->backend->free (h->device, FEN_MEMORY_DEVICE, x, (guint64)n * 4);
  h->backend->free (h->device, FEN_MEMORY_DEVICE, y, (guint64)n * 4);
  h->backend->free (h->device, FEN_MEMORY_DEVICE, sum, sizeof sums);
}

/* ---- reductions ---- */

static void
test_sum (FenOpHarness *h, gconstpointer data)
{
  const gint64 n = *(const gint64 *)data;
  for (guint d = 0; d < G_N_ELEMENTS (dtypes); d++)
    for (int squares = 0; squares < 2; squares++)
      {
        h->skew = squares ? n % 5 : 0;
        FenOpTensor *x = fen_op_random (h, dtypes[d], n, 0.5, 1);
        h->skew = 0;
        FenOpTensor *sum = fen_op_random (h, FEN_F64, 1, 10, 1);
        fen_op_upload (h);
        const FenSum host = { n, dtypes[d], fen_op_host (x), fen_op_host (sum), NULL };
        FenSum device = { n, dtypes[d], fen_op_device (x), fen_op_device (sum), NULL };
        (squares ? h->reference->sum_squares : h->reference->sum) (h->reference_device, NULL, &host);
        device.workspace = fen_op_workspace (h, squares ? FEN_OP_SUM_SQUARES : FEN_OP_SUM, &device);
        (squares ? h->backend->sum_squares : h->backend->sum) (h->device, NULL, &device);
        fen_op_finish (h);
        /* Sums in double, in another order: at most n roundings of 2^-53 of the whole sum. */
        fen_op_compare (h, "sum", sum, 1, 1, 1,
                        (FenOpTolerance){ 1e-15 * ((double)n + 20), 1e-13 + 0x1p-53 * (double)n });
      }
}

static void
test_clip (FenOpHarness *h, gconstpointer data)
{
  static const double sums[] = { 0, 1e-20, 4, 1e12, INFINITY, NAN };
  static const float limits[] = { 0, 1, 1e9f };
  for (guint i = 0; i < G_N_ELEMENTS (sums) * G_N_ELEMENTS (limits) * 2; i++)
    {
      FenOpTensor *tensor = fen_op_tensor (h, FEN_U8, sizeof (FenStepStats));
      FenStepStats *host = fen_op_host (tensor), got;
      memset (host, 0, sizeof *host);
      host->gradient_sumsq = sums[i / 2 % G_N_ELEMENTS (sums)];
      fen_op_upload (h);
      const float limit = limits[i / 2 / G_N_ELEMENTS (sums)], inverse = i % 2 ? 0x1p-10f : 1;
      const FenClip on_host = { host, limit, inverse },
                    on_device = { fen_op_device (tensor), limit, inverse };
      h->reference->clip (h->reference_device, NULL, &on_host);
      h->backend->clip (h->device, NULL, &on_device);
      fen_op_finish (h);
      h->backend->copy (h->device, NULL, &got, fen_op_device (tensor), sizeof got);
      h->backend->synchronize (h->device, NULL);
      g_assert_cmpint (got.skip, ==, host->skip);
      g_assert_cmpint (got.skip, ==, !isfinite (host->gradient_sumsq));
      if (got.skip)
        continue;
      g_assert_true (fabs (got.gradient_norm - host->gradient_norm) <= 1e-6 * host->gradient_norm);
      g_assert_true (fabs (got.gradient_scale - host->gradient_scale) <= 1e-6 * host->gradient_scale);
    }
}

/* ---- optimizers ---- */

static FenOpTensor *
new_stats (FenOpHarness *h, float scale, gboolean skip)
{
  const gint64 skew = h->skew;
  h->skew = 0; /* a structure lies where its type wants it */
  FenOpTensor *tensor = fen_op_tensor (h, FEN_U8, sizeof (FenStepStats));
  FenStepStats *stats = fen_op_host (tensor);
  memset (stats, 0, sizeof *stats);
  stats->gradient_scale = scale;
  stats->skip = skip;
  h->skew = skew;
  return tensor;
}

static void
adamw_case (FenOpHarness *h, gint64 n, FenDType dtype, gboolean own_master, gboolean skip)
{
  FenOpTensor *param = fen_op_random (h, dtype, n, 0, 1);
  FenOpTensor *master = own_master ? fen_op_random (h, FEN_F32, n, 0, 1) : NULL;
  FenOpTensor *gradient = fen_op_random (h, FEN_F32, n, 0, 1), *m = fen_op_random (h, FEN_F32, n, 0, 0.1);
  FenOpTensor *v = fen_op_random (h, FEN_F32, n, 0, 0.1), *stats = new_stats (h, 0.5f, skip);
  for (gint64 i = 0; i < n; i++)
    ((float *)fen_op_host (v))[i] = fabsf (((float *)fen_op_host (v))[i]);
  fen_op_upload (h);
#define PARAMETERS(at)                                                                                       \
  {                                                                                                          \
    n, dtype, at (param), at (master), at (gradient), at (m), at (v), 1e-2f, 0.9f, 0.95f, 1e-8f, 0.1f,       \
        0.271f, 0.142625f, at (stats)                                                                        \
  }
  const FenAdamW host = PARAMETERS (fen_op_host), device = PARAMETERS (fen_op_device);
#undef PARAMETERS
  h->reference->adamw (h->reference_device, NULL, &host);
  fen_op_workspace (h, FEN_OP_ADAMW, &device);
  h->backend->adamw (h->device, NULL, &device);
  fen_op_finish (h);
  const FenOpTolerance tolerance = { skip ? 0 : 0x1p-22, skip ? 0 : 0x1p-21 };
  fen_op_compare (h, "param", param, 1, n, MAX (n, 1), tolerance);
  fen_op_compare (h, "m", m, 1, n, MAX (n, 1), tolerance);
  fen_op_compare (h, "v", v, 1, n, MAX (n, 1), tolerance);
  if (master != NULL)
    fen_op_compare (h, "master", master, 1, n, MAX (n, 1), tolerance);
}

static void
test_adamw (FenOpHarness *h, gconstpointer data)
{
  adamw_case (h, *(const gint64 *)data, FEN_F32, FALSE, FALSE);
  adamw_case (h, *(const gint64 *)data, FEN_BF16, TRUE, FALSE);
  adamw_case (h, *(const gint64 *)data, FEN_F16, TRUE, FALSE);
  adamw_case (h, *(const gint64 *)data, FEN_F32, TRUE, TRUE);
  h->skew = 1;
  adamw_case (h, *(const gint64 *)data, FEN_BF16, TRUE, FALSE);
}

/* The states of one call in double: what was asked for before it was coded. */
typedef struct {
  gint64 n;
  double *states, *slack; /* slack: what fp32 may be off by, in units of the state */
} States;

/* keep * (old state) + rest * input, of codes as they are before the call. Each product, sum and constant rounds once;
 * the quotient by the absmax and the absmax itself do so too: 8 roundings of 2^-24 are more than all of them. */
static States
states_before (const float map[256], const FenOpTensor *codes, const FenOpTensor *absmax, gint64 n,
               double keep, double rest, const float *gradient, double scale, gboolean squares)
{
  States s = { n, g_new (double, n), g_new (double, n) };
  for (gint64 i = 0; i < n; i++)
    {
      const double g = gradient[i] * scale;
      const double old = keep * (double)map[((guint8 *)fen_op_host (codes))[i]]
                         * (double)((float *)fen_op_host (absmax))[i / FEN_ADAMW8_BLOCK];
      const double input = rest * (squares ? g * g : g);
      s.states[i] = old + input;
      s.slack[i] = 8 * 0x1p-24 * (fabs (old) + fabs (input));
    }
  return s;
}

/* Each code is the nearest (the lower of two equally near) to its state. Another than the reference's is accepted only
 * where the state lies within fp32's rounding of the middle between the two. */
static void
compare_codes (FenOpHarness *h, FenOpTensor *codes, const FenOpTensor *absmax, const float map[256],
               States *s)
{
  g_autofree guint8 *got = g_malloc (s->n + 1);
  const guint8 *wanted = fen_op_host (codes);
  h->backend->copy (h->device, NULL, got, fen_op_device (codes), (guint64)s->n);
  h->backend->synchronize (h->device, NULL);
  for (gint64 i = 0; i < s->n; i++)
    {
      const int low = MIN (got[i], wanted[i]);
      const double scale = (double)((float *)fen_op_host (absmax))[i / FEN_ADAMW8_BLOCK];
      if (got[i] == wanted[i])
        continue;
      const double middle = 0.5 * ((double)map[low] + (double)map[MIN (low + 1, 255)]);
      if (ABS (got[i] - wanted[i]) > 1 || !(fabs (s->states[i] - middle * scale) <= s->slack[i]))
        g_error ("%s: code %d = %d, reference %d: state %.9g, middle %.9g", h->name->str, (int)i, got[i],
                 wanted[i], s->states[i], middle * scale);
    }
  g_free (s->states);
  g_free (s->slack);
}

static void
adamw8_case (FenOpHarness *h, gint64 n, FenDType dtype, gboolean own_master, gboolean fresh)
{
  const gint64 blocks = (n + FEN_ADAMW8_BLOCK - 1) / FEN_ADAMW8_BLOCK;
  float signed_map[256], unsigned_map[256];
  FenOpTensor *param = fen_op_random (h, dtype, n, 0, 1);
  FenOpTensor *master = own_master ? fen_op_random (h, FEN_F32, n, 0, 1) : NULL;
  FenOpTensor *gradient = fen_op_random (h, FEN_F32, n, 0, 1), *stats = new_stats (h, 0.5f, FALSE);
  FenOpTensor *m = fen_op_tensor (h, FEN_U8, n), *v = fen_op_tensor (h, FEN_U8, n);
  FenOpTensor *m_absmax = fen_op_tensor (h, FEN_F32, blocks), *v_absmax = fen_op_tensor (h, FEN_F32, blocks);
  for (gint64 i = 0; i < n; i++)
    {
      ((guint8 *)fen_op_host (m))[i] = (guint8)(256 * fen_op_uniform (h));
      ((guint8 *)fen_op_host (v))[i] = (guint8)(256 * fen_op_uniform (h));
    }
  for (gint64 i = 0; i < blocks; i++)
    {
      ((float *)fen_op_host (m_absmax))[i] = fresh ? 0 : (float)fen_op_uniform (h);
      ((float *)fen_op_host (v_absmax))[i] = fresh ? 0 : (float)fen_op_uniform (h);
    }
  fen_op_upload (h);
#define PARAMETERS(at)                                                                                       \
  {                                                                                                          \
    n, dtype, at (param), at (master), at (gradient), at (m), at (v), at (m_absmax), at (v_absmax), 1e-2f,   \
        0.9f, 0.95f, 1e-8f, 0.1f, 0.271f, 0.142625f, at (stats)                                              \
  }
  const FenAdamW8 host = PARAMETERS (fen_op_host), device = PARAMETERS (fen_op_device);
#undef PARAMETERS
  fen_reference_map (TRUE, signed_map);
  fen_reference_map (FALSE, unsigned_map);
  States m_states = states_before (signed_map, m, m_absmax, n, host.beta1, 1 - (double)host.beta1,
                                   host.gradient, host.stats->gradient_scale, FALSE);
  States v_states = states_before (unsigned_map, v, v_absmax, n, host.beta2, 1 - (double)host.beta2,
                                   host.gradient, host.stats->gradient_scale, TRUE);
  h->reference->adamw8 (h->reference_device, NULL, &host);
  fen_op_workspace (h, FEN_OP_ADAMW8, &device);
  h->backend->adamw8 (h->device, NULL, &device);
  fen_op_finish (h);
  /* A v of code 0 makes updates of a few units, which cancel against the parameter. */
  const FenOpTolerance tolerance = { 0x1p-19, 0x1p-21 };
  fen_op_compare (h, "param", param, 1, n, n, tolerance);
  if (master != NULL)
    fen_op_compare (h, "master", master, 1, n, n, tolerance);
  fen_op_compare (h, "m_absmax", m_absmax, 1, blocks, blocks, tolerance);
  fen_op_compare (h, "v_absmax", v_absmax, 1, blocks, blocks, tolerance);
  compare_codes (h, m, m_absmax, signed_map, &m_states);
  compare_codes (h, v, v_absmax, unsigned_map, &v_states);
}

/* Every boundary between codes, hit exactly and one fp32 step to either side. With betas of 0 and an absmax of 1 the
 * state is the gradient (its square, for v), so nothing rounds and the code must be the nearest. */
static void
boundary_case (FenOpHarness *h, gboolean squares)
{
  const int rounds = 12, n = rounds * FEN_ADAMW8_BLOCK;
  float map[256];
  FenOpTensor *param = fen_op_random (h, FEN_F32, n, 0, 1), *gradient = fen_op_tensor (h, FEN_F32, n);
  FenOpTensor *m = fen_op_tensor (h, FEN_U8, n), *v = fen_op_tensor (h, FEN_U8, n);
  FenOpTensor *m_absmax = fen_op_tensor (h, FEN_F32, rounds), *v_absmax = fen_op_tensor (h, FEN_F32, rounds);
  FenOpTensor *stats = new_stats (h, 1, FALSE);
  float *g = fen_op_host (gradient);
  fen_reference_map (!squares, map);
  memset (fen_op_host (m), 0, n);
  memset (fen_op_host (v), 0, n);
  memset (fen_op_host (m_absmax), 0, rounds * sizeof (float));
  memset (fen_op_host (v_absmax), 0, rounds * sizeof (float));
  for (int i = 0; i < n; i++)
    {
      const int code = i % FEN_ADAMW8_BLOCK, step = i / FEN_ADAMW8_BLOCK - rounds / 2;
      const double middle = code < 255 ? 0.5 * ((double)map[code] + (double)map[code + 1]) : 1;
      g[i] = (float)(squares ? sqrt (middle) : middle);
      for (int s = 0; s < ABS (step) && code < 255; s++)
        g[i] = nextafterf (g[i], step < 0 ? -INFINITY : INFINITY);
    }
  fen_op_upload (h);
  const FenAdamW8 device = { n,
                             FEN_F32,
                             fen_op_device (param),
                             NULL,
                             fen_op_device (gradient),
                             fen_op_device (m),
                             fen_op_device (v),
                             fen_op_device (m_absmax),
                             fen_op_device (v_absmax),
                             1e-2f,
                             0,
                             0,
                             1e-8f,
                             0,
                             1,
                             1,
                             fen_op_device (stats) };
  fen_op_workspace (h, FEN_OP_ADAMW8, &device);
  h->backend->adamw8 (h->device, NULL, &device);
  fen_op_finish (h);
  g_autofree guint8 *got = g_malloc (n);
  h->backend->copy (h->device, NULL, got, fen_op_device (squares ? v : m), (guint64)n);
  h->backend->synchronize (h->device, NULL);
  for (int i = 0; i < n; i++)
    {
      const double x = squares ? (double)(float)((double)g[i] * (double)g[i]) : (double)g[i];
      int nearest = 0;
      for (int code = 1; code < 256; code++)
        if (fabs ((double)map[code] - x) < fabs ((double)map[nearest] - x))
          nearest = code;
      if (got[i] != nearest)
        g_error ("%s: %.9g has code %d, nearest is %d", h->name->str, x, got[i], nearest);
    }
}

static void
test_adamw8_boundaries (FenOpHarness *h, gconstpointer data)
{
  boundary_case (h, FALSE);
  boundary_case (h, TRUE);
}

static void
test_adamw8 (FenOpHarness *h, gconstpointer data)
{
  const gint64 n = *(const gint64 *)data;
  if (n == 0)
    return;
  adamw8_case (h, n, FEN_F32, FALSE, FALSE);
  adamw8_case (h, n, FEN_BF16, TRUE, FALSE);
  adamw8_case (h, n, FEN_F16, TRUE, TRUE);
  h->skew = 1;
  adamw8_case (h, n, FEN_BF16, TRUE, FALSE);
}

int
main (int argc, char **argv)
{
  fen_op_init (&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS (loss_shapes); i++)
    {
      g_autofree char *name
          = g_strdup_printf ("/cross-entropy/%dx%d", (int)loss_shapes[i].rows, (int)loss_shapes[i].vocab);
      fen_op_add (name, test_loss, &loss_shapes[i]);
    }
  fen_op_add ("/cross-entropy/large", test_loss_large, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (wide_loss_shapes); i++)
    {
      g_autofree char *name = g_strdup_printf ("/cross-entropy/%dx%d/%d", (int)wide_loss_shapes[i].rows,
                                               (int)wide_loss_shapes[i].vocab, (int)wide_loss_shapes[i].gap);
      fen_op_add_once (name, test_loss_wide, &wide_loss_shapes[i]);
    }
  fen_op_add_once ("/cross-entropy/tall", test_loss, &tall_loss_shape);
  for (guint i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      static const struct {
        const char *name;
        FenOpCase body;
      } cases[] = { { "add", test_add },
                    { "fill", test_fill },
                    { "sum", test_sum },
                    { "adamw", test_adamw },
                    { "adamw8", test_adamw8 } };
      for (guint c = 0; c < G_N_ELEMENTS (cases); c++)
        {
          g_autofree char *name = g_strdup_printf ("/%s/%d", cases[c].name, (int)counts[i]);
          fen_op_add (name, cases[c].body, &counts[i]);
        }
    }
  fen_op_add ("/adamw8/boundaries", test_adamw8_boundaries, NULL);
  fen_op_add ("/cast", test_cast, NULL);
  fen_op_add ("/clip", test_clip, NULL);
  fen_op_add_once ("/far", test_far, NULL);
  return g_test_run ();
}
