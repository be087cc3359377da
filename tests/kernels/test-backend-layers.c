/* test-backend-layers.c: GEMM, embedding, norms, rotary positions, activations and bias gradients of a back end
 * against the reference. Shapes are odd on purpose: single rows and columns, nothing a multiple of anything. */
#include "tests/kernels/fen-op-harness.h"

#include <math.h>

static const FenDType dtypes[] = { FEN_F32, FEN_BF16, FEN_F16 };

/* ---- GEMM ---- */

typedef struct {
  gint64 m, n, k, gap; /* gap: by how much leading dimensions exceed the widths */
} GemmShape;

static const GemmShape gemm_shapes[] = {
  { 1, 1, 1, 0 },     { 1, 77, 129, 3 },  { 2, 131, 66, 0 }, { 3, 1, 200, 1 },    { 4, 600, 37, 5 },
  { 5, 3, 2, 0 },     { 17, 33, 65, 2 },  { 64, 96, 48, 0 }, { 130, 61, 257, 7 }, { 33, 515, 40, 0 },
  { 7, 19, 1100, 1 }, { 521, 45, 34, 0 }, { 6, 6, 0, 0 },
};

/* fp32 sums of k products of about 1, in any order: k roundings of partial sums that reach 4 sqrt k. They add up like
 * noise, to about 2^-24 * k in the mean; a run compares millions of sums, so the bound stands at 12 times that.
 * A 16-bit C may round twice on its way when something is added to the product: by half a unit, at most 2^-8 (bf16) or
 * 2^-11 of what is there, which is the result less what is added, values of about 1 that stay under 5. */
static FenOpTolerance
gemm_tolerance (const FenGemm *p, gboolean with_bias)
{
  FenOpTolerance tolerance = { 0x1p-24 * (12 * (double)p->k + 64), 4 * 0x1p-24 };
  if (p->c_dtype != FEN_F32 && (with_bias || p->beta != 0))
    {
      const double half = p->c_dtype == FEN_BF16 ? 0x1p-8 : 0x1p-11;
      tolerance.relative += 2 * half;
      tolerance.absolute += 2 * half * 5 * (fabsf (p->beta) + (with_bias ? 1 : 0));
    }
  return tolerance;
}

static void
gemm_case (FenOpHarness *h, const GemmShape *s, FenDType ab, FenDType c, int bits)
{
  const gboolean ta = bits & 1, tb = bits & 2, with_bias = bits & 4;
  const float betas[] = { 0, 1, -0.5f }, alphas[] = { 1, 0.75f };
  FenGemm p = { .m = s->m, .n = s->n, .k = s->k, .trans_a = ta, .trans_b = tb, .ab_dtype = ab, .c_dtype = c };
  p.alpha = alphas[(bits >> 3) % 2];
  p.beta = betas[(bits >> 4) % 3];
  p.lda = (ta ? s->m : MAX (s->k, 1)) + s->gap;
  p.ldb = (tb ? MAX (s->k, 1) : s->n) + s->gap;
  p.ldc = s->n + s->gap;
  h->skew = bits % 4 == 1 ? bits % 7 : 0; /* nothing is promised about the alignment of matrices */
  FenOpTensor *a = fen_op_random (h, ab, p.lda * (ta ? MAX (s->k, 1) : s->m), 0, 1);
  FenOpTensor *b = fen_op_random (h, ab, p.ldb * (tb ? s->n : MAX (s->k, 1)), 0, 1);
  FenOpTensor *out
      = p.beta == 0 ? fen_op_tensor (h, c, p.ldc * s->m) : fen_op_random (h, c, p.ldc * s->m, 0, 1);
  FenOpTensor *bias = with_bias ? fen_op_random (h, ab, s->n, 0, 1) : NULL;
  fen_op_upload (h);
  p.a = fen_op_host (a), p.b = fen_op_host (b), p.c = fen_op_host (out), p.bias = fen_op_host (bias);
  h->reference->gemm (h->reference_device, NULL, &p);
  p.a = fen_op_device (a), p.b = fen_op_device (b), p.c = fen_op_device (out), p.bias = fen_op_device (bias);
  p.workspace = fen_op_workspace (h, FEN_OP_GEMM, &p);
  h->backend->gemm (h->device, NULL, &p);
  fen_op_finish (h);
  fen_op_compare (h, "c", out, s->m, s->n, p.ldc, gemm_tolerance (&p, with_bias));
  fen_op_unchanged (h, "a", a);
  fen_op_unchanged (h, "b", b);
  h->skew = 0;
}

static void
test_gemm (FenOpHarness *h, gconstpointer data)
{
  const GemmShape *s = data;
  for (guint d = 0; d < G_N_ELEMENTS (dtypes); d++)
    for (int bits = 0; bits < 48; bits++)
      {
        /* All of fp32; of the 16-bit types every fifth combination, fp32 results on every second of those. */
        if (d > 0 && bits % 5 != (int)d)
          continue;
        gemm_case (h, s, dtypes[d], d > 0 && bits % 2 == 0 ? FEN_F32 : dtypes[d], bits);
      }
}

/* ---- embedding ---- */

typedef struct {
  gint64 rows, width, vocab, positions;
} EmbeddingShape;

static const EmbeddingShape embedding_shapes[] = {
  { 1, 1, 1, 1 },      { 9, 7, 3, 0 },         { 40, 100, 11, 17 },  { 3, 769, 50, 5 },
  { 130, 33, 2, 130 }, { 5000, 8, 1000, 600 }, { 300, 2, 70000, 0 }, { 64, 1, 300000, 0 },
};

/* Token i with a chance that falls as 1 / i, as in text: some rows meet hundreds of times, others never. */
static FenOpTensor *
skewed_tokens (FenOpHarness *h, gint64 rows, gint64 vocab)
{
  FenOpTensor *t = fen_op_tensor (h, FEN_I32, rows);
  for (gint64 i = 0; i < rows; i++)
    ((gint32 *)fen_op_host (t))[i]
        = (gint32)MIN (pow ((double)vocab + 1, fen_op_uniform (h)) - 1, (double)vocab - 1);
  return t;
}

static void
embedding_case (FenOpHarness *h, const EmbeddingShape *s, FenDType dtype)
{
  FenOpTensor *tokens = skewed_tokens (h, s->rows, s->vocab);
  FenOpTensor *positions = s->positions > 0 ? fen_op_integers (h, s->rows, 0, s->positions) : NULL;
  FenOpTensor *table = fen_op_random (h, dtype, s->vocab * s->width, 0, 1);
  FenOpTensor *places = positions != NULL ? fen_op_random (h, dtype, s->positions * s->width, 0, 1) : NULL;
  FenOpTensor *out = fen_op_tensor (h, dtype, s->rows * s->width);
  FenOpTensor *d_out = fen_op_random (h, dtype, s->rows * s->width, 0, 1);
  FenOpTensor *d_table = fen_op_random (h, FEN_F32, s->vocab * s->width, 0, 1);
  FenOpTensor *d_places
      = positions != NULL ? fen_op_random (h, FEN_F32, s->positions * s->width, 0, 1) : NULL;
  fen_op_upload (h);
#define FORWARD(at)                                                                                          \
  {                                                                                                          \
    s->rows, s->width, dtype, at (tokens), at (positions), at (table), at (places), at (out)                 \
  }
#define BACKWARD(at, scratch)                                                                                \
  {                                                                                                          \
    s->rows, s->width, s->vocab, s->positions, dtype, at (tokens), at (positions), at (d_out), at (d_table), \
        at (d_places), scratch                                                                               \
  }
  const FenEmbeddingForward forward = FORWARD (fen_op_host), forward_device = FORWARD (fen_op_device);
  const FenEmbeddingBackward backward = BACKWARD (fen_op_host, NULL);
  FenEmbeddingBackward backward_device = BACKWARD (fen_op_device, NULL);
  h->reference->embedding_forward (h->reference_device, NULL, &forward);
  h->reference->embedding_backward (h->reference_device, NULL, &backward);
  fen_op_workspace (h, FEN_OP_EMBEDDING_FORWARD, &forward_device);
  h->backend->embedding_forward (h->device, NULL, &forward_device);
  backward_device.workspace = fen_op_workspace (h, FEN_OP_EMBEDDING_BACKWARD, &backward_device);
  h->backend->embedding_backward (h->device, NULL, &backward_device);
  fen_op_finish (h);
  fen_op_compare (h, "out", out, s->rows, s->width, s->width, (FenOpTolerance){ 0, 0x1p-23 });
  /* At most `rows` additions of values of about 1 in fp32. */
  const FenOpTolerance sums = { (double)s->rows * 0x1p-22, 0x1p-22 };
  fen_op_compare (h, "d_token_table", d_table, s->vocab, s->width, s->width, sums);
  if (d_places != NULL)
    fen_op_compare (h, "d_position_table", d_places, s->positions, s->width, s->width, sums);
}

static void
test_embedding (FenOpHarness *h, gconstpointer data)
{
  for (guint d = 0; d < G_N_ELEMENTS (dtypes); d++)
    {
      h->skew = 0;
      embedding_case (h, data, dtypes[d]);
      h->skew = 3;
      embedding_case (h, data, dtypes[d]);
    }
}

/* The same sums twice, of tokens that meet often: equal bits. */
static void
test_embedding_repeats (FenOpHarness *h, gconstpointer data)
{
  enum { ROWS = 20000, WIDTH = 24, TOKENS = 300 };
  FenOpTensor *tokens = skewed_tokens (h, ROWS, TOKENS);
  FenOpTensor *d_out = fen_op_random (h, FEN_F32, ROWS * WIDTH, 0, 1);
  FenOpTensor *d_table = fen_op_random (h, FEN_F32, TOKENS * WIDTH, 0, 1);
  FenEmbeddingBackward p = { .rows = ROWS, .width = WIDTH, .vocab = TOKENS, .dtype = FEN_F32 };
  g_autofree float *first = g_new (float, TOKENS *WIDTH), *again = g_new (float, TOKENS *WIDTH);
  float *const results[] = { first, again };
  p.tokens = fen_op_device (tokens), p.d_out = fen_op_device (d_out),
  p.d_token_table = fen_op_device (d_table);
  for (int i = 0; i < 2; i++)
    {
      fen_op_upload (h);
      p.workspace = fen_op_workspace (h, FEN_OP_EMBEDDING_BACKWARD, &p);
      h->backend->embedding_backward (h->device, NULL, &p);
      fen_op_finish (h);
      h->backend->copy (h->device, NULL, results[i], p.d_token_table, TOKENS * WIDTH * sizeof (float));
      h->backend->synchronize (h->device, NULL);
    }
  g_assert_cmpmem (first, TOKENS * WIDTH * sizeof (float), again, TOKENS * WIDTH * sizeof (float));
}

/* ---- norms ---- */

typedef struct {
  gint64 rows, width;
} Shape;

static const Shape shapes[]
    = { { 1, 1 }, { 1, 130 }, { 3, 5 }, { 33, 64 }, { 70, 97 }, { 7, 768 }, { 2100, 3 } };

/* What GPU kernels choose their shape by: one warp or one block for a row, how much of it each thread has, and rows
 * beyond what a grid's second dimension counts. */
static const Shape wide_shapes[] = { { 5, 1032 },  { 6, 2048 },  { 3, 4096 },  { 2, 8192 },
                                     { 3, 16384 }, { 2, 16392 }, { 2, 33000 }, { 301, 768 } };
static const Shape tall_shape = { 70001, 8 };

/* bits: RMS, delta, in place, statistics wanted, no bias. */
static void
norm_forward_case (FenOpHarness *h, const Shape *s, FenDType dtype, int bits)
{
  const gint64 n = s->rows * s->width;
  const gboolean rms = bits & 1, with_delta = bits & 2, in_place = bits & 4, statistics = bits & 8;
  FenOpTensor *x = fen_op_random (h, dtype, n, 0.7, 2), *sum = in_place ? x : fen_op_tensor (h, dtype, n);
  FenOpTensor *delta = with_delta ? fen_op_random (h, dtype, n, 0, 1) : NULL;
  FenOpTensor *y = in_place && with_delta ? delta : fen_op_tensor (h, dtype, n);
  FenOpTensor *weight = fen_op_random (h, dtype, s->width, 1, 0.3);
  FenOpTensor *bias = rms || bits & 16 ? NULL : fen_op_random (h, dtype, s->width, 0, 1);
  FenOpTensor *mean = statistics && !rms ? fen_op_tensor (h, FEN_F32, s->rows) : NULL;
  FenOpTensor *rstd = statistics ? fen_op_tensor (h, FEN_F32, s->rows) : NULL;
  fen_op_upload (h);
#define PARAMETERS(at)                                                                                       \
  {                                                                                                          \
    rms ? FEN_NORM_RMS : FEN_NORM_LAYER, s->rows, s->width, dtype, 1e-5f, at (x), at (delta), at (sum),      \
        at (weight), at (bias), at (y), at (mean), at (rstd)                                                 \
  }
  const FenNormForward host = PARAMETERS (fen_op_host), device = PARAMETERS (fen_op_device);
#undef PARAMETERS
  h->reference->norm_forward (h->reference_device, NULL, &host);
  fen_op_workspace (h, FEN_OP_NORM_FORWARD, &device);
  h->backend->norm_forward (h->device, NULL, &device);
  fen_op_finish (h);
  /* Two values of almost equal sums make rstd as large as 1 / sqrt epsilon: errors of x grow with it. */
  const double spread = s->width < 8 ? 200 : 4;
  const FenOpTolerance tolerance = { spread * 0x1p-21, spread * 0x1p-21 };
  if (with_delta)
    fen_op_compare (h, "sum", sum, s->rows, s->width, s->width, (FenOpTolerance){ 0, 0x1p-23 });
  fen_op_compare (h, "y", y, s->rows, s->width, s->width, tolerance);
  if (mean != NULL)
    fen_op_compare (h, "mean", mean, s->rows, 1, 1, (FenOpTolerance){ 0x1p-21, 0x1p-21 });
  if (rstd != NULL)
    fen_op_compare (h, "rstd", rstd, s->rows, 1, 1, tolerance);
}

/* bits: RMS, residual, dx over dy or over the residual, no weight gradients. */
static void
norm_backward_case (FenOpHarness *h, const Shape *s, FenDType dtype, int bits)
{
  const gint64 n = s->rows * s->width;
  const gboolean rms = bits & 1, residual = bits & 2, in_place = bits & 4, wanted = !(bits & 8);
  FenOpTensor *dy = fen_op_random (h, dtype, n, 0, 1), *x = fen_op_random (h, dtype, n, 0.7, 2);
  FenOpTensor *weight = fen_op_random (h, dtype, s->width, 1, 0.3);
  FenOpTensor *mean = rms ? NULL : fen_op_random (h, FEN_F32, s->rows, 0.7, 0.1);
  FenOpTensor *rstd = fen_op_random (h, FEN_F32, s->rows, 0.5, 0.1);
  FenOpTensor *d_residual = residual ? fen_op_random (h, dtype, n, 0, 1) : NULL;
  FenOpTensor *dx = !in_place ? fen_op_tensor (h, dtype, n) : residual ? d_residual : dy;
  FenOpTensor *d_weight = wanted ? fen_op_random (h, FEN_F32, s->width, 0, 1) : NULL;
  FenOpTensor *d_bias = wanted && !rms ? fen_op_random (h, FEN_F32, s->width, 0, 1) : NULL;
  fen_op_upload (h);
#define PARAMETERS(at)                                                                                       \
  {                                                                                                          \
    rms ? FEN_NORM_RMS : FEN_NORM_LAYER, s->rows, s->width, dtype, at (dy), at (x), at (weight), at (mean),  \
        at (rstd), at (d_residual), at (dx), at (d_weight), at (d_bias), NULL                                \
  }
  const FenNormBackward host = PARAMETERS (fen_op_host);
  FenNormBackward device = PARAMETERS (fen_op_device);
#undef PARAMETERS
  h->reference->norm_backward (h->reference_device, NULL, &host);
  device.workspace = fen_op_workspace (h, FEN_OP_NORM_BACKWARD, &device);
  h->backend->norm_backward (h->device, NULL, &device);
  fen_op_finish (h);
  /* Two terms of a few units cancel. Where few columns share the mean of dy * xhat, its product with xhat reaches 6 * 6
   * * 4 now and then: roundings of 2^-24 of that. */
  const double cancelled = s->width < 8 ? 0x1p-17 : 0x1p-20;
  fen_op_compare (h, "dx", dx, s->rows, s->width, s->width, (FenOpTolerance){ cancelled, 0x1p-21 });
  /* Terms of about 1, up to 32 of them summed in fp32 before they go into a double. */
  const FenOpTolerance sums = { 32 * 0x1p-24 * sqrt ((double)s->rows) + 0x1p-21, 0x1p-22 };
  if (d_weight != NULL)
    fen_op_compare (h, "d_weight", d_weight, 1, s->width, s->width, sums);
  if (d_bias != NULL)
    fen_op_compare (h, "d_bias", d_bias, 1, s->width, s->width, sums);
}

static void
test_norm (FenOpHarness *h, gconstpointer data)
{
  for (guint d = 0; d < G_N_ELEMENTS (dtypes); d++)
    for (int bits = 0; bits < 32; bits++)
      {
        h->skew = bits % 4 == 3 ? bits % 7 : 0;
        norm_forward_case (h, data, dtypes[d], bits);
        if (bits < 16)
          norm_backward_case (h, data, dtypes[d], bits);
      }
}

/* Fewer combinations: LayerNorm and RMSNorm with all that they can have, and with nothing. */
static void
test_norm_wide (FenOpHarness *h, gconstpointer data)
{
  static const int combinations[] = { 2 | 8, 1 | 2 | 4, 0, 1 };
  for (guint d = 0; d < G_N_ELEMENTS (dtypes); d++)
    for (guint i = 0; i < G_N_ELEMENTS (combinations); i++)
      {
        norm_forward_case (h, data, dtypes[d], combinations[i]);
        norm_backward_case (h, data, dtypes[d], combinations[i]);
      }
}

/* ---- rotary positions ---- */

typedef struct {
  gint64 rows;
  int heads, head_dim, rotary;
  gint64 last; /* positions below */
} RopeShape;

static const RopeShape rope_shapes[] = {
  { 1, 1, 2, 2, 10 },           { 5, 3, 64, 64, 4096 },         { 9, 2, 80, 32, 100 },
  { 33, 4, 96, 96, 5000000 },   { 4, 1, 256, 254, 2147483647 }, { 7, 40, 128, 128, 2000000 },
  { 300, 2, 128, 128, 131072 }, { 3, 150, 64, 48, 3000000 },    { 70000, 1, 16, 16, 70000 },
};

static void
rope_case (FenOpHarness *h, const RopeShape *s, FenDType dtype, gboolean inverse, gint64 gap)
{
  const gint64 head_stride = s->head_dim + gap, stride = s->heads * head_stride + 2 * gap;
  FenOpTensor *x = fen_op_random (h, dtype, s->rows * stride, 0, 1);
  FenOpTensor *positions = fen_op_integers (h, s->rows, 0, s->last);
  FenOpTensor *frequencies = fen_op_tensor (h, FEN_F32, s->rotary / 2);
  for (int i = 0; i < s->rotary / 2; i++)
    fen_op_set (FEN_F32, fen_op_host (frequencies), i, pow (10000, -2.0 * i / s->rotary));
  fen_op_upload (h);
#define PARAMETERS(at)                                                                                       \
  {                                                                                                          \
    s->rows, s->heads, s->head_dim, s->rotary, dtype, at (x), stride, head_stride, at (positions),           \
        at (frequencies), inverse ? 1 : 1.25f, inverse                                                       \
  }
  const FenRope host = PARAMETERS (fen_op_host), device = PARAMETERS (fen_op_device);
#undef PARAMETERS
  h->reference->rope (h->reference_device, NULL, &host);
  fen_op_workspace (h, FEN_OP_ROPE, &device);
  h->backend->rope (h->device, NULL, &device);
  fen_op_finish (h);
  /* The gaps between heads and rows hold inputs that nobody changes: equal on both sides, so they pass exactly. */
  /* A product in double loses 2^-53 of an angle of up to 2^31: 2^-22. */
  const FenOpTolerance tolerance = { 0x1p-20, 0x1p-22 };
  fen_op_compare (h, "x", x, s->rows, stride, stride, tolerance);
}

static void
test_rope (FenOpHarness *h, gconstpointer data)
{
  for (guint d = 0; d < G_N_ELEMENTS (dtypes); d++)
    {
      rope_case (h, data, dtypes[d], FALSE, 3);
      rope_case (h, data, dtypes[d], TRUE, 3);
      rope_case (h, data, dtypes[d], FALSE, 8);
      rope_case (h, data, dtypes[d], TRUE, 0);
    }
}

/* ---- activations ---- */

static void
activation_case (FenOpHarness *h, const Shape *s, FenDType dtype, FenActivationKind kind, gboolean gated,
                 gboolean in_place, gint64 gap)
{
  const gint64 ldx = (gated ? 2 : 1) * s->width + gap, n = s->rows * s->width;
  FenOpTensor *x = fen_op_random (h, dtype, s->rows * ldx, 0, 4);
  FenOpTensor *y = fen_op_tensor (h, dtype, n), *dy = fen_op_random (h, dtype, n, 0, 1);
  FenOpTensor *dx = in_place ? x : fen_op_tensor (h, dtype, s->rows * ldx);
  fen_op_upload (h);
#define PARAMETERS(at)                                                                                       \
  {                                                                                                          \
    kind, gated, s->rows, s->width, ldx, dtype, at (x), at (y), at (dy), at (dx)                             \
  }
  const FenActivation host = PARAMETERS (fen_op_host), device = PARAMETERS (fen_op_device);
#undef PARAMETERS
  h->reference->activation_forward (h->reference_device, NULL, &host);
  h->reference->activation_backward (h->reference_device, NULL, &host);
  fen_op_workspace (h, FEN_OP_ACTIVATION_FORWARD, &device);
  fen_op_workspace (h, FEN_OP_ACTIVATION_BACKWARD, &device);
  h->backend->activation_forward (h->device, NULL, &device);
  h->backend->activation_backward (h->device, NULL, &device);
  fen_op_finish (h);
  /* The exponent is a product of rounded factors: up to 20 * 2^-24 relative; slopes cancel near their zeros. */
  fen_op_compare (h, "y", y, s->rows, s->width, s->width, (FenOpTolerance){ 0x1p-22, 40 * 0x1p-24 });
  fen_op_compare (h, "dx", dx, s->rows, ldx - gap, ldx, (FenOpTolerance){ 0x1p-19, 40 * 0x1p-24 });
}

static void
test_activation (FenOpHarness *h, gconstpointer data)
{
  for (guint d = 0; d < G_N_ELEMENTS (dtypes); d++)
    for (FenActivationKind kind = FEN_GELU_TANH; kind <= FEN_RELU; kind++)
      for (int bits = 0; bits < 8; bits++)
        activation_case (h, data, dtypes[d], kind, bits & 1, bits & 2, bits & 4 ? 3 : bits & 2 ? 8 : 0);
}

/* Far out, where a careless formula gives NaN or loses the tail. */
static void
test_activation_ends (FenOpHarness *h, gconstpointer data)
{
  static const double values[]
      = { 0, -0.0, 1e-30, -1e-30, 12, -12, 60, -60, 95, -95, 1e4, -1e4, 3e38, -3e38 };
  const gint64 n = G_N_ELEMENTS (values);
  for (FenActivationKind kind = FEN_GELU_TANH; kind <= FEN_RELU; kind++)
    {
      FenOpTensor *x = fen_op_tensor (h, FEN_F32, n), *y = fen_op_tensor (h, FEN_F32, n);
      for (gint64 i = 0; i < n; i++)
        fen_op_set (FEN_F32, fen_op_host (x), i, values[i]);
      fen_op_upload (h);
      const FenActivation host
          = { kind, FALSE, 1, n, n, FEN_F32, fen_op_host (x), fen_op_host (y), NULL, NULL };
      const FenActivation device = { kind, FALSE, 1, n, n, FEN_F32, fen_op_device (x), fen_op_device (y) };
      h->reference->activation_forward (h->reference_device, NULL, &host);
      h->backend->activation_forward (h->device, NULL, &device);
      fen_op_finish (h);
      fen_op_compare (h, "y", y, 1, n, n, (FenOpTolerance){ 1e-30, 1e-4 });
    }
}

/* ---- bias gradient ---- */

static void
bias_case (FenOpHarness *h, const Shape *s, FenDType dtype, gint64 gap)
{
  const gint64 ldy = s->width + gap;
  FenOpTensor *dy = fen_op_random (h, dtype, s->rows * ldy, 0.1, 1);
  FenOpTensor *d_bias = fen_op_random (h, FEN_F32, s->width, 0, 1);
  fen_op_upload (h);
  const FenBiasGradient host
      = { s->rows, s->width, ldy, dtype, fen_op_host (dy), fen_op_host (d_bias), NULL };
  FenBiasGradient device
      = { s->rows, s->width, ldy, dtype, fen_op_device (dy), fen_op_device (d_bias), NULL };
  h->reference->bias_gradient (h->reference_device, NULL, &host);
  device.workspace = fen_op_workspace (h, FEN_OP_BIAS_GRADIENT, &device);
  h->backend->bias_gradient (h->device, NULL, &device);
  fen_op_finish (h);
  fen_op_compare (h, "d_bias", d_bias, 1, s->width, s->width,
                  (FenOpTolerance){ 32 * 0x1p-24 * sqrt ((double)s->rows) + 0x1p-22, 0x1p-22 });
}

static void
test_bias_gradient (FenOpHarness *h, gconstpointer data)
{
  for (guint d = 0; d < G_N_ELEMENTS (dtypes); d++)
    {
      bias_case (h, data, dtypes[d], 2);
      bias_case (h, data, dtypes[d], 8);
    }
}

int
main (int argc, char **argv)
{
  fen_op_init (&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS (gemm_shapes); i++)
    {
      const GemmShape *s = &gemm_shapes[i];
      g_autofree char *name = g_strdup_printf ("/gemm/%dx%dx%d", (int)s->m, (int)s->n, (int)s->k);
      fen_op_add (name, test_gemm, s);
    }
  for (guint i = 0; i < G_N_ELEMENTS (embedding_shapes); i++)
    {
      g_autofree char *name = g_strdup_printf ("/embedding/%u", i);
      fen_op_add (name, test_embedding, &embedding_shapes[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (rope_shapes); i++)
    {
      g_autofree char *name = g_strdup_printf ("/rope/%u", i);
      fen_op_add (name, test_rope, &rope_shapes[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (shapes); i++)
    {
      g_autofree char *size = g_strdup_printf ("%dx%d", (int)shapes[i].rows, (int)shapes[i].width);
      g_autofree char *norm = g_strdup_printf ("/norm/%s", size);
      g_autofree char *activation = g_strdup_printf ("/activation/%s", size);
      g_autofree char *bias = g_strdup_printf ("/bias-gradient/%s", size);
      fen_op_add (norm, test_norm, &shapes[i]);
      fen_op_add (activation, test_activation, &shapes[i]);
      fen_op_add (bias, test_bias_gradient, &shapes[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (wide_shapes); i++)
    {
      const Shape *s = &wide_shapes[i];
      g_autofree char *norm = g_strdup_printf ("/norm/%dx%d", (int)s->rows, (int)s->width);
      g_autofree char *bias = g_strdup_printf ("/bias-gradient/%dx%d", (int)s->rows, (int)s->width);
      fen_op_add_once (norm, test_norm_wide, s);
      fen_op_add_once (bias, test_bias_gradient, s);
    }
  fen_op_add_once ("/norm/tall", test_norm_wide, &tall_shape);
  fen_op_add_once ("/bias-gradient/tall", test_bias_gradient, &tall_shape);
  fen_op_add_once ("/embedding/repeats", test_embedding_repeats, NULL);
  fen_op_add ("/activation/ends", test_activation_ends, NULL);
  return g_test_run ();
}
