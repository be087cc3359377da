/* attention-device.h: attention of any back end on a fixture's tensors: their bytes go to the device and come back. */
#pragma once

#include "tests/kernels/attention-fixture.h"
#include "tests/kernels/fen-op-harness.h"

/* ---- a device copy of host memory ---- */

typedef struct {
  char *host, *device;
  gsize bytes;
} Mirror;

#define MAX_MIRRORS 16

typedef struct {
  FenOpHarness *h;
  Mirror all[MAX_MIRRORS];
  int n;
} Mirrors;

static inline void
mirror (Mirrors *m, void *host, gsize bytes)
{
  FenStatus status;
  if (host == NULL)
    return;
  g_assert_cmpint (m->n, <, MAX_MIRRORS);
  Mirror *new = &m->all[m->n++];
  *new = (Mirror){ host, m->h->backend->alloc (m->h->device, FEN_MEMORY_DEVICE, bytes, &status), bytes };
  if (new->device == NULL)
    g_error ("%s", status.message);
  m->h->backend->copy (m->h->device, NULL, new->device, host, bytes);
}

/* Where the byte at `host` lies on the device. */
static inline void *
moved (const Mirrors *m, const void *host)
{
  for (int i = 0; i < m->n && host != NULL; i++)
    if ((const char *)host >= m->all[i].host && (const char *)host < m->all[i].host + m->all[i].bytes)
      return m->all[i].device + ((const char *)host - m->all[i].host);
  g_assert_null (host);
  return NULL;
}

/* Everything back, inputs too: what was written to them by mistake shows in the next comparison. */
static inline void
mirrors_finish (Mirrors *m)
{
  for (int i = 0; i < m->n; i++)
    {
      m->h->backend->copy (m->h->device, NULL, m->all[i].host, m->all[i].device, m->all[i].bytes);
      m->h->backend->synchronize (m->h->device, NULL);
      m->h->backend->free (m->h->device, FEN_MEMORY_DEVICE, m->all[i].device, m->all[i].bytes);
    }
  m->n = 0;
}

/* ---- running ---- */

static inline void
mirror_fixture (Mirrors *m, Fixture *f)
{
  const Tensor *tensors[] = { &f->packed, &f->q, &f->k, &f->v, &f->o, &f->d_o, &f->dq, &f->dk, &f->dv };
  const gsize heads = (gsize)f->c.heads, docs = (gsize)(f->c.batch * f->positions);
  for (gsize i = 0; i < G_N_ELEMENTS (tensors); i++)
    mirror (m, tensors[i]->memory, (gsize)tensors[i]->elements * fen_dtype_size (tensors[i]->dtype));
  mirror (m, f->lse, sizeof (float) * (gsize)(f->c.batch * f->c.heads * f->c.nq + 1));
  mirror (m, f->sinks, sizeof (float) * heads);
  mirror (m, f->d_sinks, sizeof (float) * heads);
  mirror (m, f->doc_start, sizeof (int32_t) * docs);
  mirror (m, f->doc_end, sizeof (int32_t) * docs);
}

static inline FenAttentionBackward
moved_call (const Mirrors *m, const FenAttentionBackward *host)
{
  FenAttentionBackward g = *host;
  FenHeadView *views[]
      = { &g.forward.q, &g.forward.k, &g.forward.v, &g.forward.o, &g.d_o, &g.dq, &g.dk, &g.dv };
  for (gsize i = 0; i < G_N_ELEMENTS (views); i++)
    views[i]->data = moved (m, views[i]->data);
  g.forward.lse = moved (m, g.forward.lse);
  g.forward.sink_logits = moved (m, g.forward.sink_logits);
  g.forward.doc_start = moved (m, g.forward.doc_start);
  g.forward.doc_end = moved (m, g.forward.doc_end);
  g.d_sink_logits = moved (m, g.d_sink_logits);
  return g;
}

static inline void
forward (FenOpHarness *h, FenAttention *a)
{
  a->workspace = fen_op_workspace (h, FEN_OP_ATTENTION_FORWARD, a);
  h->backend->attention_forward (h->device, NULL, a);
  fen_op_finish (h);
}

static inline void
forward_and_backward (FenOpHarness *h, FenAttentionBackward *g)
{
  forward (h, &g->forward);
  g->workspace = fen_op_workspace (h, FEN_OP_ATTENTION_BACKWARD, g);
  h->backend->attention_backward (h->device, NULL, g);
  fen_op_finish (h);
}
