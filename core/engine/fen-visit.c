/* fen-visit.c: where a visit's data lies.
 *
 * The same layer code serves every schedule because all differences between them are here: which buffer, at which
 * token, with which leading dimension.
 */
#include "core/engine/fen-engine-private.h"

/* (row, token, head, element) of a matrix with `ld` columns whose rows are tokens, row_n of them a row. */
FenHeadView
fen_head_view (const FenStep *step, void *data, gint64 ld, gint64 row_n)
{
  return (FenHeadView){
    .data = data, .batch_stride = row_n * ld, .token_stride = ld, .head_stride = step->config->head_dim
  };
}

/* Buffers of a pass, at token `token` of rows of `width` elements of `size` bytes; NULL stays NULL. */
static char *
at (const FenStep *step, FenPass pass, gint64 layer, FenLayerBuffer id, gint64 token, gint64 width,
    gsize size)
{
  char *buffer = fen_step_layer_buffer (step, pass, layer, id);
  return buffer == NULL ? NULL : buffer + token * width * (gint64)size;
}

static void
place_attention (FenVisit *v, const FenStep *step, FenPass pass, gint64 kept_token)
{
  const FenModelConfig *m = step->config;
  const FenPlanSettings *s = &step->plan->settings;
  const gsize size = fen_dtype_size (s->storage);
  const gint64 q = m->heads * m->head_dim, kv = m->kv_heads * m->head_dim;
  char *row;

  v->q = at (step, pass, v->layer, FEN_LAYER_Q, 0, 0, 0);
  if (v->packed)
    {
      v->ldq = v->ldkv = q + 2 * kv;
      row = v->kv = v->q + q * (gint64)size;
    }
  else
    {
      v->ldq = q;
      v->ldkv = 2 * kv;
      row = at (step, pass, v->layer, FEN_LAYER_KV, 0, 0, 0);
      v->kv = row + v->c0 * v->ldkv * (gint64)size;
      /* Keys that no query of this visit sees need not be in the call; sinks may be anywhere. */
      if (v->window > 0 && v->sinks == 0)
        v->k0 = MAX (0, v->c0 - v->window + 1);
      row += v->k0 * v->ldkv * (gint64)size;
    }
  v->nk = v->c0 + v->row_n - v->k0;
  v->keys = fen_head_view (step, row, v->ldkv, v->packed ? v->row_n : step->row_tokens);
  v->values = fen_head_view (step, row + kv * (gint64)size, v->ldkv, v->packed ? v->row_n : step->row_tokens);
  v->o = at (step, pass, v->layer, FEN_LAYER_O, kept_token, q, size);
  v->lse = fen_step_layer_buffer (step, pass, v->layer, FEN_LAYER_LSE);
  v->lse_head_stride = v->row_n;
  if (v->lse != NULL && (s->keep_attention || v->packed))
    {
      v->lse_head_stride = step->row_tokens;
      v->lse += v->row0 * m->heads * step->row_tokens + v->c0;
    }
  v->lse_batch_stride = m->heads * v->lse_head_stride;
}

static void
place_mlp (FenVisit *v, const FenStep *step, FenPass pass)
{
  const gint64 last = step->config->layers - 1;
  const gint64 stream
      = v->token0 * step->config->hidden * (gint64)fen_dtype_size (step->plan->settings.storage);

  v->h2 = fen_step_layer_buffer (step, pass, v->layer, FEN_LAYER_H2);
  v->mean2 = fen_step_layer_buffer (step, pass, v->layer, FEN_LAYER_MEAN2);
  v->rstd2 = fen_step_layer_buffer (step, pass, v->layer, FEN_LAYER_RSTD2);
  v->up = fen_step_layer_buffer (step, pass, v->layer, FEN_LAYER_UP);
  v->act = fen_step_layer_buffer (step, pass, v->layer, FEN_LAYER_ACT);
  v->xmid = fen_step_layer_buffer (step, pass, v->layer, FEN_LAYER_XMID);
  if (pass == FEN_PASS_BACKWARD)
    return;
  if (step->plan->settings.schedule == FEN_SCHEDULE_RESIDENT)
    {
      v->out = v->layer < last ? fen_step_layer_buffer (step, pass, v->layer + 1, FEN_LAYER_H1)
                               : fen_step_buffer (step, FEN_STEP_DX);
      return;
    }
  v->out = v->layer < last ? fen_step_layer_buffer (step, pass, v->layer + 1, FEN_LAYER_X)
                           : fen_step_buffer (step, FEN_STEP_X_FINAL);
  v->out += stream;
  v->xmid = v->out;
  v->out_add = TRUE;
}

void
fen_visit_init (FenVisit *v, const FenStep *step, FenPass pass, gint64 layer, gint64 row0, gint64 rows,
                gint64 c0, gint64 row_n)
{
  const FenPlanSettings *s = &step->plan->settings;
  const gsize size = fen_dtype_size (s->storage);

  *v = (FenVisit){ .layer = layer,
                   .row0 = row0,
                   .rows = rows,
                   .c0 = c0,
                   .row_n = row_n,
                   .n = rows * row_n,
                   .token0 = row0 * step->row_tokens + c0,
                   .packed = s->schedule == FEN_SCHEDULE_RESIDENT || s->schedule == FEN_SCHEDULE_CHECKPOINT,
                   .kept = s->keep_attention && pass == FEN_PASS_BACKWARD,
                   .q0 = c0,
                   .window = s->layer_window[layer],
                   .sinks = s->sinks };
  v->x = at (step, FEN_PASS_FORWARD, layer, FEN_LAYER_X, v->token0, step->config->hidden, size);
  if (s->schedule == FEN_SCHEDULE_RESIDENT && layer > 0)
    v->residual = fen_step_layer_buffer (step, FEN_PASS_FORWARD, layer - 1, FEN_LAYER_XMID);
  v->h1 = fen_step_layer_buffer (step, pass, layer, FEN_LAYER_H1);
  v->mean1 = fen_step_layer_buffer (step, pass, layer, FEN_LAYER_MEAN1);
  v->rstd1 = fen_step_layer_buffer (step, pass, layer, FEN_LAYER_RSTD1);
  place_attention (v, step, pass, s->keep_attention ? v->token0 : 0);
  place_mlp (v, step, pass);
}

void
fen_visit_attention (const FenStep *step, const FenVisit *v, FenAttention *params)
{
  const FenModelConfig *m = step->config;
  const FenPlanSettings *s = &step->plan->settings;

  *params = (FenAttention){ .path = s->path,
                            .dtype = s->storage,
                            .batch = v->rows,
                            .nq = v->row_n,
                            .nk = v->nk,
                            .q0 = v->q0,
                            .k0 = v->k0,
                            .heads = (gint32)m->heads,
                            .kv_heads = (gint32)m->kv_heads,
                            .head_dim = (gint32)m->head_dim,
                            .scale = (float)m->attention_scale,
                            .window = v->window,
                            .sinks = v->sinks,
                            .doc_stride = step->row_tokens,
                            .q = fen_head_view (step, v->q, v->ldq, v->row_n),
                            .k = v->keys,
                            .v = v->values,
                            .o = fen_head_view (step, v->o, m->heads * m->head_dim, v->row_n),
                            .lse = v->lse,
                            .lse_batch_stride = v->lse_batch_stride,
                            .lse_head_stride = v->lse_head_stride };
  const gint32 *start = fen_step_buffer (step, FEN_STEP_DOC_START);
  const gint32 *end = fen_step_buffer (step, FEN_STEP_DOC_END);
  if (step->documents && start != NULL) /* NULL while planning, when nothing is computed */
    {
      params->doc_start = start + v->row0 * step->row_tokens;
      params->doc_end = end + v->row0 * step->row_tokens;
    }
}
