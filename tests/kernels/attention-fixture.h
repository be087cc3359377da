/* attention-fixture.h: what the attention tests share: tensors with gaps, one case's inputs and outputs, what the
 * reference says of them, and how near a back end must come. Gaps and outputs start as NaN, so that a stray read, a stray
 * write and a missing write all show.
 *
 * Inputs are rounded to the storage type first and the reference gets the rounded values in double, so what is measured
 * is the operation's own error.
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
#pragma once

#include "kernels/reference/fen-reference-private.h"

#include <glib.h>
#include <math.h>
#include <string.h>

typedef enum { DOCS_NONE, DOCS_ONE_TOKEN, DOCS_SHORT, DOCS_LONG } Docs;
/* ALIGNED: as PACKED, with strides of whole 16 bytes when head_dim is a multiple of 8. */
typedef enum { LAYOUT_TOKENS, LAYOUT_HEADS, LAYOUT_PACKED, LAYOUT_ALIGNED } Layout;

typedef struct {
  const char *name;
  int64_t batch, nq, nk, q0, k0;
  int heads, kv_heads, head_dim;
  int64_t window, sinks;
  Docs docs;
  Layout layout;
  float softcap;
  gboolean learned_sink, accumulate, no_lse, stored_dkv; /* stored_dkv: dK and dV in the storage type */
} Case;

/* ---- tensors with gaps ---- */

typedef struct {
  FenDType dtype;
  int64_t batch, tokens, heads, d, elements;
  FenHeadView view; /* into memory */
  void *memory;     /* owned; NULL when it lies in another tensor's memory */
  double *dense;    /* (batch, tokens, heads, d), what the reference sees */
} Tensor;

static inline int64_t
at (const FenHeadView *v, int64_t b, int64_t t, int64_t h, int64_t e)
{
  return b * v->batch_stride + t * v->token_stride + h * v->head_stride + e;
}

static inline int64_t
dense_at (const Tensor *x, int64_t b, int64_t t, int64_t h, int64_t e)
{
  return ((b * x->tokens + t) * x->heads + h) * x->d + e;
}

#define FOR_TENSOR(x)                                                                                        \
  for (int64_t b = 0; b < (x)->batch; b++)                                                                   \
    for (int64_t t = 0; t < (x)->tokens; t++)                                                                \
      for (int64_t h = 0; h < (x)->heads; h++)                                                               \
        for (int64_t e = 0; e < (x)->d; e++)

static inline void
tensor_init (Tensor *x, FenDType dtype, int64_t batch, int64_t tokens, int64_t heads, int64_t d,
             Layout layout)
{
  *x = (Tensor){ .dtype = dtype, .batch = batch, .tokens = tokens, .heads = heads, .d = d };
  if (layout == LAYOUT_HEADS)
    {
      x->view.token_stride = d + 1;
      x->view.head_stride = tokens * x->view.token_stride + 3;
      x->view.batch_stride = heads * x->view.head_stride + 5;
    }
  else if (layout == LAYOUT_ALIGNED)
    {
      x->view.head_stride = d;
      x->view.token_stride = heads * d + 8;
      x->view.batch_stride = tokens * x->view.token_stride + 16;
    }
  else
    {
      x->view.head_stride = d + (layout == LAYOUT_TOKENS ? 2 : 0);
      x->view.token_stride = heads * x->view.head_stride + 3;
      x->view.batch_stride = tokens * x->view.token_stride + 5;
    }
  x->elements = batch * x->view.batch_stride + 7;
  x->dense = g_new0 (double, batch *tokens *heads *d + 1);
}

/* All ones: a NaN in each storage type. */
static inline void
tensor_allocate (Tensor *x)
{
  x->memory = g_malloc ((gsize)x->elements * fen_dtype_size (x->dtype));
  memset (x->memory, 0xff, (gsize)x->elements * fen_dtype_size (x->dtype));
  x->view.data = x->memory;
}

static inline void
tensor_clear (Tensor *x)
{
  g_free (x->memory);
  g_free (x->dense);
}

static inline double
normal (void)
{
  return sqrt (-2 * log (1 - g_test_rand_double ())) * cos (2 * G_PI * g_test_rand_double ());
}

static inline void
tensor_fill (Tensor *x)
{
  FOR_TENSOR (x)
  {
    fen_reference_set (x->dtype, x->view.data, at (&x->view, b, t, h, e), normal ());
    x->dense[dense_at (x, b, t, h, e)]
        = fen_reference_get (x->dtype, x->view.data, at (&x->view, b, t, h, e));
  }
}

static inline FenHeadView
dense_view (const Tensor *x)
{
  return (FenHeadView){ x->dense, x->tokens * x->heads * x->d, x->heads * x->d, x->d };
}

/* Fails unless every element is near `dense` and every gap keeps its bits. Returns the relative error. */
static inline double
tensor_check (const Tensor *x, const char *what, double tolerance, double noise)
{
  const gsize size = fen_dtype_size (x->dtype);
  g_autofree guint8 *used = g_malloc0 ((gsize)x->elements);
  double largest = 0.1, error = 0;

  FOR_TENSOR (x) largest = fmax (largest, fabs (x->dense[dense_at (x, b, t, h, e)]));
  FOR_TENSOR (x)
  {
    const int64_t i = at (&x->view, b, t, h, e);
    const double got = fen_reference_get (x->dtype, x->view.data, i),
                 want = x->dense[dense_at (x, b, t, h, e)];

    used[i] = 1;
    error = fmax (error, fabs (got - want) / largest);
    if (!(fabs (got - want) <= tolerance * largest + noise))
      g_error ("%s (b %ld, t %ld, h %ld, e %ld) is %.9g, should be %.9g (largest %.3g)", what, (long)b,
               (long)t, (long)h, (long)e, got, want, largest);
  }
  for (int64_t i = 0; i < x->elements; i++)
    for (gsize j = 0; j < size && !used[i]; j++)
      if (((const guint8 *)x->memory)[(gsize)i * size + j] != 0xff)
        g_error ("%s: element %ld lies in a gap and was written", what, (long)i);
  return error;
}

/* ---- one case's tensors ---- */

typedef struct {
  Case c;
  FenDType dtype;
  Tensor packed, q, k, v, o, d_o, dq, dk, dv;
  float *lse, *lse_want;
  float *sinks, *d_sinks, *d_sinks_want;
  int32_t *doc_start, *doc_end;
  int64_t positions;
} Fixture;

static inline void
fill_documents (Fixture *f)
{
  f->positions = MAX (f->c.q0 + f->c.nq, f->c.k0 + f->c.nk) + 3;
  f->doc_start = g_new0 (int32_t, f->c.batch * f->positions);
  f->doc_end = g_new0 (int32_t, f->c.batch * f->positions);
  for (int64_t b = 0; b < f->c.batch; b++)
    for (int64_t p = 0; p < f->positions;)
      {
        const int longest = f->c.docs == DOCS_ONE_TOKEN ? 1 : f->c.docs == DOCS_SHORT ? 9 : 150;
        const int64_t length = g_test_rand_int_range (1, longest + 1), end = MIN (f->positions, p + length);

        for (int64_t i = p; i < end; i++)
          {
            f->doc_start[b * f->positions + i] = (int32_t)p;
            f->doc_end[b * f->positions + i] = (int32_t)end;
          }
        p = end;
      }
}

static inline void
fixture_init (Fixture *f, const Case *c, FenDType dtype)
{
  const FenDType dkv = c->stored_dkv ? dtype : FEN_F32;

  memset (f, 0, sizeof *f);
  f->c = *c;
  f->dtype = dtype;
  tensor_init (&f->q, dtype, c->batch, c->nq, c->heads, c->head_dim, c->layout);
  tensor_init (&f->k, dtype, c->batch, c->nk, c->kv_heads, c->head_dim, c->layout);
  tensor_init (&f->v, dtype, c->batch, c->nk, c->kv_heads, c->head_dim, c->layout);
  if (c->layout >= LAYOUT_PACKED && c->nq == c->nk)
    {
      /* One (batch, tokens, q heads | k heads | v heads) buffer, as a fused projection writes it. */
      tensor_init (&f->packed, dtype, c->batch, c->nq, c->heads + 2 * c->kv_heads, c->head_dim, c->layout);
      tensor_allocate (&f->packed);
      f->q.view = f->k.view = f->v.view = f->packed.view;
      f->k.view.data = (char *)f->packed.memory + (gsize)(c->heads * c->head_dim) * fen_dtype_size (dtype);
      f->v.view.data = (char *)f->packed.memory
                       + (gsize)((c->heads + c->kv_heads) * c->head_dim) * fen_dtype_size (dtype);
    }
  else
    {
      tensor_allocate (&f->q);
      tensor_allocate (&f->k);
      tensor_allocate (&f->v);
    }
  tensor_init (&f->o, dtype, c->batch, c->nq, c->heads, c->head_dim, c->layout);
  tensor_init (&f->d_o, dtype, c->batch, c->nq, c->heads, c->head_dim, c->layout);
  tensor_init (&f->dq, dtype, c->batch, c->nq, c->heads, c->head_dim, c->layout);
  tensor_init (&f->dk, dkv, c->batch, c->nk, c->kv_heads, c->head_dim, c->layout);
  tensor_init (&f->dv, dkv, c->batch, c->nk, c->kv_heads, c->head_dim, c->layout);
  tensor_allocate (&f->d_o);
  tensor_fill (&f->q);
  tensor_fill (&f->k);
  tensor_fill (&f->v);
  tensor_fill (&f->d_o);
  f->lse = g_new (float, c->batch * c->heads * c->nq + 1);
  f->lse_want = g_new (float, c->batch * c->heads * c->nq + 1);
  f->sinks = g_new (float, c->heads);
  f->d_sinks = g_new0 (float, c->heads);
  f->d_sinks_want = g_new0 (float, c->heads);
  for (int h = 0; h < c->heads; h++)
    f->sinks[h] = (float)normal ();
  if (c->docs != DOCS_NONE)
    fill_documents (f);
}

static inline void
fixture_clear (Fixture *f)
{
  Tensor *all[] = { &f->packed, &f->q, &f->k, &f->v, &f->o, &f->d_o, &f->dq, &f->dk, &f->dv };

  for (gsize i = 0; i < G_N_ELEMENTS (all); i++)
    tensor_clear (all[i]);
  g_free (f->lse);
  g_free (f->lse_want);
  g_free (f->sinks);
  g_free (f->d_sinks);
  g_free (f->d_sinks_want);
  g_free (f->doc_start);
  g_free (f->doc_end);
}

static inline FenAttentionBackward
describe (const Fixture *f, FenAttentionPath path)
{
  const Case *c = &f->c;
  FenAttentionBackward g = { 0 };

  g.forward = (FenAttention){ .path = path,
                              .dtype = f->dtype,
                              .batch = c->batch,
                              .nq = c->nq,
                              .nk = c->nk,
                              .q0 = c->q0,
                              .k0 = c->k0,
                              .heads = c->heads,
                              .kv_heads = c->kv_heads,
                              .head_dim = c->head_dim,
                              .scale = (float)(1.3 / sqrt (c->head_dim)),
                              .softcap = c->softcap,
                              .sink_logits = c->learned_sink ? f->sinks : NULL,
                              .window = c->window,
                              .sinks = c->sinks,
                              .doc_start = f->doc_start,
                              .doc_end = f->doc_end,
                              .doc_stride = f->positions,
                              .q = f->q.view,
                              .k = f->k.view,
                              .v = f->v.view,
                              .o = f->o.view,
                              .lse = f->lse,
                              .lse_batch_stride = c->heads * c->nq,
                              .lse_head_stride = c->nq };
  g.d_o = f->d_o.view;
  g.dq = f->dq.view;
  g.dk = f->dk.view;
  g.dv = f->dv.view;
  g.dkv_dtype = f->dk.dtype;
  g.accumulate = c->accumulate;
  g.d_sink_logits = c->learned_sink ? f->d_sinks : NULL;
  return g;
}

/* The reference in double over the dense copies. dK and dV start at `start` when accumulating. */
static inline void
run_reference (Fixture *f)
{
  FenAttentionBackward g = describe (f, FEN_ATTENTION_FLASH);

  g.forward.dtype = FEN_F64;
  g.dkv_dtype = FEN_F64;
  g.forward.q = dense_view (&f->q);
  g.forward.k = dense_view (&f->k);
  g.forward.v = dense_view (&f->v);
  g.forward.o = dense_view (&f->o);
  g.d_o = dense_view (&f->d_o);
  g.dq = dense_view (&f->dq);
  g.dk = dense_view (&f->dk);
  g.dv = dense_view (&f->dv);
  g.forward.lse = f->lse_want;
  g.d_sink_logits = f->c.learned_sink ? f->d_sinks_want : NULL;
  fen_reference_attention_forward (&g.forward);
  fen_reference_attention_backward (&g);
}

/* ---- how near ---- */

static inline double
tolerance_of (FenDType dtype)
{
  return dtype == FEN_F32 ? 2e-5 : dtype == FEN_BF16 ? 0x1p-7 : 0x1p-10;
}

static inline double
largest_of (const Tensor *x)
{
  double largest = 0;

  FOR_TENSOR (x) largest = fmax (largest, fabs (x->dense[dense_at (x, b, t, h, e)]));
  return largest;
}

/* One standard deviation of D: u * |dO * O| for the storage of O, and fp32's own sums in dP. */
static inline double
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

static inline void
check_statistics (const Fixture *f)
{
  for (int64_t i = 0; i < f->c.batch * f->c.heads * f->c.nq && !f->c.no_lse; i++)
    if (isinf (f->lse_want[i]))
      g_assert_true (f->lse[i] == f->lse_want[i]);
    else
      g_assert_cmpfloat (fabsf (f->lse[i] - f->lse_want[i]), <=, 1e-5f + 1e-6f * fabsf (f->lse_want[i]));
}

/* Outputs poisoned again; dK and dV at the 0.5 that run_reference started from when they accumulate. */
static inline void
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
  if (!f->c.accumulate)
    return;
  FOR_TENSOR (&f->dk) fen_reference_set (FEN_F32, f->dk.memory, at (&f->dk.view, b, t, h, e), 0.5);
  FOR_TENSOR (&f->dv) fen_reference_set (FEN_F32, f->dv.memory, at (&f->dv.view, b, t, h, e), 0.5);
}

/* Runs the reference once for a case, whatever paths are compared with it afterwards. */
static inline void
expect (Fixture *f)
{
  FOR_TENSOR (&f->dk) f->dk.dense[dense_at (&f->dk, b, t, h, e)] = 0.5;
  FOR_TENSOR (&f->dv) f->dv.dense[dense_at (&f->dv, b, t, h, e)] = 0.5;
  run_reference (f);
}

/* All results against the reference. */
static inline void
check_results (const Fixture *f)
{
  const double tolerance = tolerance_of (f->dtype);
  const double unit
      = noise (f) * 1.3 / sqrt (f->c.head_dim); /* times scale: the noise of dS before its factor */

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
}

static inline void
describe_case (const Case *c, FenDType dtype)
{
  g_test_message (
      "%s: dtype %d batch %ld q %ld@%ld k %ld@%ld heads %d/%d d %d window %ld sinks %ld docs %d layout %d "
      "softcap %g sink %d accumulate %d",
      c->name, dtype, (long)c->batch, (long)c->nq, (long)c->q0, (long)c->nk, (long)c->k0, c->heads,
      c->kv_heads, c->head_dim, (long)c->window, (long)c->sinks, c->docs, c->layout, (double)c->softcap,
      c->learned_sink, c->accumulate);
}
