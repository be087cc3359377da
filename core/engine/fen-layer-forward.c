/* fen-layer-forward.c: one transformer layer, forward, over the tokens of a visit.
 *
 *   x = residual + delta;  h1 = norm1 (x);  q,k,v = h1 Wqkv;  rope;  o = attention;  h2 = o Wo
 *   xmid = x + h2;  h2 = norm2 (xmid);  act = f (h2 Wup);  out = xmid + act Wdown
 *
 * Both residual additions are fused: the first into norm 2, the second into the down projection's GEMM (out is xmid
 * and the product is added) or, resident, where xmid must survive, into the next layer's norm 1.
 */
#include "core/engine/fen-engine-private.h"

/* Turns heads at the visit's positions, in place. */
void
fen_layer_rope (FenStep *step, FenDType dtype, void *x, gint64 ld, gint64 heads, gint64 n, gint64 token0,
                gboolean inverse)
{
  const gint32 *positions = fen_step_buffer (step, FEN_STEP_POSITIONS);
  FenRope rope = { .rows = n,
                   .heads = (gint32)heads,
                   .head_dim = (gint32)step->config->head_dim,
                   .rotary_dim = (gint32)step->config->head_dim,
                   .dtype = dtype,
                   .x = x,
                   .token_stride = ld,
                   .head_stride = step->config->head_dim,
                   .positions = positions + token0,
                   .inv_freq = fen_step_buffer (step, FEN_STEP_INV_FREQ),
                   .scale = 1,
                   .inverse = inverse };
  if (step->config->rope != FEN_ROPE_NONE)
    fen_ops_rope (&step->ops, &rope);
}

static void
norm1 (FenStep *step, const FenVisit *v)
{
  FenNormForward norm = { .kind = step->config->norm,
                          .rows = v->n,
                          .width = step->config->hidden,
                          .dtype = step->plan->settings.storage,
                          .epsilon = (float)step->config->norm_epsilon,
                          .x = v->x,
                          .weight = fen_step_weight (step, v->layer, FEN_SLOT_NORM1_WEIGHT),
                          .bias = fen_step_weight (step, v->layer, FEN_SLOT_NORM1_BIAS),
                          .y = v->h1,
                          .mean = v->mean1,
                          .rstd = v->rstd1 };
  if (v->residual != NULL)
    {
      norm.x = v->residual;
      norm.delta = v->h1;
      norm.sum = v->x;
    }
  fen_ops_norm_forward (&step->ops, &norm);
}

/* Norm 1, then q, or k and v, or all three. */
void
fen_layer_qkv (FenStep *step, const FenVisit *v, guint want)
{
  const FenModelConfig *m = step->config;
  const FenDType dtype = step->plan->settings.storage;
  const gint64 q = m->heads * m->head_dim, kv = m->kv_heads * m->head_dim;
  FenLinear linear = fen_linear (step, v->layer, FEN_SLOT_QKV_WEIGHT, FEN_SLOT_QKV_BIAS);

  norm1 (step, v);
  if (v->packed)
    {
      fen_linear_forward (step, &linear, v->n, v->h1, v->q, v->ldq, FALSE);
      /* k follows q in a row, so both turn in one call. */
      fen_layer_rope (step, dtype, v->q, v->ldq, m->heads + m->kv_heads, v->n, v->token0, FALSE);
      return;
    }
  if (want & FEN_WANT_Q)
    {
      linear.out = q;
      fen_linear_forward (step, &linear, v->n, v->h1, v->q, v->ldq, FALSE);
      fen_layer_rope (step, dtype, v->q, v->ldq, m->heads, v->n, v->token0, FALSE);
    }
  if (want & FEN_WANT_KV)
    {
      linear.begin = q;
      linear.out = 2 * kv;
      fen_linear_forward (step, &linear, v->n, v->h1, v->kv, v->ldkv, FALSE);
      fen_layer_rope (step, dtype, v->kv, v->ldkv, m->kv_heads, v->n, v->token0, FALSE);
    }
}

/* Attention and its output projection, which stays apart from the residual stream until norm 2. */
void
fen_layer_attend (FenStep *step, const FenVisit *v)
{
  FenLinear linear = fen_linear (step, v->layer, FEN_SLOT_O_WEIGHT, FEN_SLOT_O_BIAS);

  if (!v->kept)
    {
      FenAttention attention;
      fen_visit_attention (step, v, &attention);
      fen_ops_attention_forward (&step->ops, &attention);
    }
  fen_linear_forward (step, &linear, v->n, v->o, v->h2, step->config->hidden, FALSE);
}

void
fen_layer_mlp_up (FenStep *step, const FenVisit *v)
{
  const FenModelConfig *m = step->config;
  const FenDType dtype = step->plan->settings.storage;
  FenLinear up = fen_linear (step, v->layer, FEN_SLOT_UP_WEIGHT, FEN_SLOT_UP_BIAS);
  FenNormForward norm = { .kind = m->norm,
                          .rows = v->n,
                          .width = m->hidden,
                          .dtype = dtype,
                          .epsilon = (float)m->norm_epsilon,
                          .x = v->x,
                          .delta = v->h2,
                          .sum = v->xmid,
                          .weight = fen_step_weight (step, v->layer, FEN_SLOT_NORM2_WEIGHT),
                          .bias = fen_step_weight (step, v->layer, FEN_SLOT_NORM2_BIAS),
                          .y = v->h2,
                          .mean = v->mean2,
                          .rstd = v->rstd2 };
  FenActivation activation = { .kind = m->activation,
                               .gated = m->gated,
                               .rows = v->n,
                               .width = m->intermediate,
                               .ldx = up.out,
                               .dtype = dtype,
                               .x = v->up,
                               .y = v->act };

  fen_ops_norm_forward (&step->ops, &norm);
  fen_linear_forward (step, &up, v->n, v->h2, v->up, up.out, FALSE);
  fen_ops_activation_forward (&step->ops, &activation);
}

void
fen_layer_mlp_down (FenStep *step, const FenVisit *v)
{
  FenLinear down = fen_linear (step, v->layer, FEN_SLOT_DOWN_WEIGHT, FEN_SLOT_DOWN_BIAS);
  fen_linear_forward (step, &down, v->n, v->act, v->out, step->config->hidden, v->out_add);
}

static void
forward_visit (FenStep *step, const FenVisit *v)
{
  fen_step_enter (step, fen_plan_forward_phase (step->plan, v->layer, FEN_FORWARD_ATTENTION));
  fen_layer_qkv (step, v, FEN_WANT_Q | FEN_WANT_KV);
  fen_layer_attend (step, v);
  fen_step_enter (step, fen_plan_forward_phase (step->plan, v->layer, FEN_FORWARD_MLP));
  fen_layer_mlp_up (step, v);
  fen_layer_mlp_down (step, v);
}

/* The whole batch through one layer: at once, or row by row and chunk by chunk. */
void
fen_layer_forward (FenStep *step, gint64 layer)
{
  const gint64 chunk = MIN (step->plan->settings.chunk, step->row_tokens);
  const gint64 n_chunks = (step->row_tokens + chunk - 1) / chunk;
  FenVisit visit;

  if (!fen_plan_chunked (step->plan))
    {
      fen_visit_init (&visit, step, FEN_PASS_FORWARD, layer, 0, step->rows, 0, step->row_tokens);
      forward_visit (step, &visit);
      return;
    }
  for (gint64 row = 0; row < (step->measuring ? 1 : step->rows); row++)
    for (gint64 i = 0; i < n_chunks; i = fen_step_chunk_after (step, i, n_chunks))
      {
        const gint64 c0 = i * chunk;
        fen_visit_init (&visit, step, FEN_PASS_FORWARD, layer, row, 1, c0,
                        MIN (chunk, step->row_tokens - c0));
        forward_visit (step, &visit);
      }
}
