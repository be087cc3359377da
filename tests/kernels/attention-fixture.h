/* attention-fixture.h: what test-attention.c runs on: tensors with gaps, one case's inputs and outputs, devices of any
 * instruction set. Gaps and outputs start as NaN, so that a stray read, a stray write and a missing write all show.
 */
#pragma once

#include "kernels/cpu/fen-cpu-private.h"
#include "kernels/reference/fen-reference-private.h"

#include <glib.h>
#include <math.h>
#include <string.h>

typedef enum { DOCS_NONE, DOCS_ONE_TOKEN, DOCS_SHORT, DOCS_LONG } Docs;
typedef enum { LAYOUT_TOKENS, LAYOUT_HEADS, LAYOUT_PACKED } Layout;

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

static int64_t
at (const FenHeadView *v, int64_t b, int64_t t, int64_t h, int64_t e)
{
  return b * v->batch_stride + t * v->token_stride + h * v->head_stride + e;
}

static int64_t
dense_at (const Tensor *x, int64_t b, int64_t t, int64_t h, int64_t e)
{
  return ((b * x->tokens + t) * x->heads + h) * x->d + e;
}

#define FOR_TENSOR(x)                                                                                        \
  for (int64_t b = 0; b < (x)->batch; b++)                                                                   \
    for (int64_t t = 0; t < (x)->tokens; t++)                                                                \
      for (int64_t h = 0; h < (x)->heads; h++)                                                               \
        for (int64_t e = 0; e < (x)->d; e++)

static void
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
static void
tensor_allocate (Tensor *x)
{
  x->memory = g_malloc ((gsize)x->elements * fen_dtype_size (x->dtype));
  memset (x->memory, 0xff, (gsize)x->elements * fen_dtype_size (x->dtype));
  x->view.data = x->memory;
}

static void
tensor_clear (Tensor *x)
{
  g_free (x->memory);
  g_free (x->dense);
}

static double
normal (void)
{
  return sqrt (-2 * log (1 - g_test_rand_double ())) * cos (2 * G_PI * g_test_rand_double ());
}

static void
tensor_fill (Tensor *x)
{
  FOR_TENSOR (x)
  {
    fen_reference_set (x->dtype, x->view.data, at (&x->view, b, t, h, e), normal ());
    x->dense[dense_at (x, b, t, h, e)]
        = fen_reference_get (x->dtype, x->view.data, at (&x->view, b, t, h, e));
  }
}

static FenHeadView
dense_view (const Tensor *x)
{
  return (FenHeadView){ x->dense, x->tokens * x->heads * x->d, x->heads * x->d, x->d };
}

/* Fails unless every element is near `dense` and every gap keeps its bits. Returns the relative error. */
static double
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

static void
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

static void
fixture_init (Fixture *f, const Case *c, FenDType dtype)
{
  const FenDType dkv = c->stored_dkv ? dtype : FEN_F32;

  memset (f, 0, sizeof *f);
  f->c = *c;
  f->dtype = dtype;
  tensor_init (&f->q, dtype, c->batch, c->nq, c->heads, c->head_dim, c->layout);
  tensor_init (&f->k, dtype, c->batch, c->nk, c->kv_heads, c->head_dim, c->layout);
  tensor_init (&f->v, dtype, c->batch, c->nk, c->kv_heads, c->head_dim, c->layout);
  if (c->layout == LAYOUT_PACKED && c->nq == c->nk)
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

static void
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

static FenAttentionBackward
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
static void
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

/* ---- devices ---- */

static gboolean
isa_present (FenCpuIsa isa)
{
#ifdef __x86_64__
  if (isa == FEN_CPU_AVX2)
    return __builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma");
  if (isa == FEN_CPU_AVX512)
    return __builtin_cpu_supports ("avx512f") && __builtin_cpu_supports ("avx512bw")
           && __builtin_cpu_supports ("avx512dq") && __builtin_cpu_supports ("avx512vl");
#endif
  return isa == FEN_CPU_PLAIN;
}

static void
device_init (FenDevice *device, FenCpuIsa isa, int threads)
{
  static const int bits[] = { 128, 256, 512 };
  FenStatus status = { 0 };

  memset (device, 0, sizeof *device);
  device->properties.units = device->threads = threads;
  device->properties.capability = bits[isa];
  device->isa = isa;
  device->pool = fen_cpu_pool_new (threads, &status);
  g_assert_nonnull (device->pool);
}

static void *
workspace_new (FenDevice *device, FenOp op, const void *params)
{
  FenStatus why = { 0 };
  const uint64_t bytes = fen_cpu_attention_workspace (&device->properties, op, params);
  char *memory;

  if (!fen_cpu_attention_supports (&device->properties, op, params, &why))
    g_error ("%s", why.message);
  memory = g_malloc (bytes + 64);
  memset (memory, 0xff, bytes + 64); /* NaN inside; a guard behind */
  return memory;
}

static void
workspace_check (FenDevice *device, FenOp op, const void *params, char *memory)
{
  const uint64_t bytes = fen_cpu_attention_workspace (&device->properties, op, params);

  for (int i = 0; i < 64; i++)
    g_assert_cmpuint ((guint8)memory[bytes + (uint64_t)i], ==, 0xff);
  g_free (memory);
}

static void
forward (FenDevice *device, FenAttention *a)
{
  a->workspace = workspace_new (device, FEN_OP_ATTENTION_FORWARD, a);
  fen_cpu_attention_forward (device, a);
  workspace_check (device, FEN_OP_ATTENTION_FORWARD, a, a->workspace);
}

static void
backward (FenDevice *device, FenAttentionBackward *g)
{
  g->workspace = workspace_new (device, FEN_OP_ATTENTION_BACKWARD, g);
  fen_cpu_attention_backward (device, g);
  workspace_check (device, FEN_OP_ATTENTION_BACKWARD, g, g->workspace);
}
