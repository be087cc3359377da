/* fen-layer-backward.c: one transformer layer, backward, over the tokens of a visit.
 *
 * The gradient of the residual stream, dx (N, hidden), is one buffer for all layers: it comes in as the gradient of
 * the layer's output and goes out as the gradient of its input, in place.
 *
 * Chunked (engine.md, A step's schedules, 3): K and V of the row are rebuilt, then its chunks go in reverse order.
 * Each is recomputed and taken back through MLP and attention, whose dK and dV are added, in fp32, to the row's
 * sums. All later chunks have then been seen, so this chunk's own part of the sums is complete, and its QKV gradient,
 * norm gradient and dx finish at once: nothing of a chunk is left over for later.
 */
#include "core/engine/fen-engine-private.h"

static char *
visit_dx (const FenStep *step, const FenVisit *v)
{
  char *dx = fen_step_buffer (step, FEN_STEP_DX);
  return dx + v->token0 * step->config->hidden * (gint64)fen_dtype_size (step->plan->settings.storage);
}

/* dx = dx + (d norm / d x) (dy): the gradient that went round the branch and the one that went through it. */
static void
norm_backward (FenStep *step, const FenVisit *v, FenSlotKind weight, FenSlotKind bias, const void *dy,
               const void *x, const float *mean, const float *rstd)
{
  void *dx = visit_dx (step, v);
  FenNormBackward norm = { .kind = step->config->norm,
                           .rows = v->n,
                           .width = step->config->hidden,
                           .dtype = step->plan->settings.storage,
                           .dy = dy,
                           .x = x,
                           .weight = fen_step_weight (step, v->layer, weight),
                           .mean = mean,
                           .rstd = rstd,
                           .d_residual = dx,
                           .dx = dx,
                           .d_weight = fen_step_gradient (step, v->layer, weight),
                           .d_bias = fen_step_gradient (step, v->layer, bias) };
  fen_ops_norm_backward (&step->ops, &norm);
}

static void
backward_mlp (FenStep *step, const FenVisit *v)
{
  const FenModelConfig *m = step->config;
  const FenPass pass = FEN_PASS_BACKWARD;
  FenLinear up = fen_linear (step, v->layer, FEN_SLOT_UP_WEIGHT, FEN_SLOT_UP_BIAS);
  FenLinear down = fen_linear (step, v->layer, FEN_SLOT_DOWN_WEIGHT, FEN_SLOT_DOWN_BIAS);
  void *dx = visit_dx (step, v), *d_act, *d_h2;
  FenActivation activation;

  fen_linear_backward_weight (step, &down, v->n, v->act, dx, m->hidden);

  fen_step_enter (step, fen_plan_backward_phase (step->plan, v->layer, FEN_BACKWARD_MLP));
  d_act = fen_step_layer_buffer (step, pass, v->layer, FEN_LAYER_D_ACT);
  d_h2 = fen_step_layer_buffer (step, pass, v->layer, FEN_LAYER_D_H2);
  fen_linear_backward_input (step, &down, v->n, dx, m->hidden, d_act, FALSE);
  activation = (FenActivation){ .kind = m->activation,
                                .gated = m->gated,
                                .rows = v->n,
                                .width = m->intermediate,
                                .ldx = up.out,
                                .dtype = step->plan->settings.storage,
                                .x = v->up,
                                .dy = d_act,
                                .dx = v->up };
  fen_ops_activation_backward (&step->ops, &activation);
  fen_linear_backward_weight (step, &up, v->n, v->h2, v->up, up.out);
  fen_linear_backward_input (step, &up, v->n, v->up, up.out, d_h2, FALSE);
  norm_backward (step, v, FEN_SLOT_NORM2_WEIGHT, FEN_SLOT_NORM2_BIAS, d_h2, v->xmid, v->mean2, v->rstd2);
}

/* dq, and dk and dv beside it (packed) or added to the row's sums (chunked). */
static void
backward_attention (FenStep *step, const FenVisit *v)
{
  const FenModelConfig *m = step->config;
  const gsize size = fen_dtype_size (step->plan->settings.storage);
  const gint64 q = m->heads * m->head_dim, kv = m->kv_heads * m->head_dim;
  FenLinear linear = fen_linear (step, v->layer, FEN_SLOT_O_WEIGHT, FEN_SLOT_O_BIAS);
  FenAttentionBackward attention = { .accumulate = !v->packed };
  void *dx = visit_dx (step, v);
  char *d_o, *d_q, *d_k, *d_v;

  d_o = fen_step_layer_buffer (step, FEN_PASS_BACKWARD, v->layer, FEN_LAYER_D_O);
  d_q = fen_step_layer_buffer (step, FEN_PASS_BACKWARD, v->layer, FEN_LAYER_D_Q);
  fen_linear_backward_weight (step, &linear, v->n, v->o, dx, m->hidden);
  fen_linear_backward_input (step, &linear, v->n, dx, m->hidden, d_o, FALSE);

  fen_visit_attention (step, v, &attention.forward);
  attention.d_o = fen_head_view (step, d_o, q, v->row_n);
  attention.dq = fen_head_view (step, d_q, v->ldq, v->row_n);
  if (v->packed)
    {
      attention.dkv_dtype = step->plan->settings.storage;
      d_k = d_q + q * (gint64)size;
      d_v = d_k + kv * (gint64)size;
    }
  else
    {
      float *sum = fen_step_layer_buffer (step, FEN_PASS_BACKWARD, v->layer, FEN_LAYER_DKV_SUM);
      attention.dkv_dtype = FEN_F32;
      d_k = (char *)(sum + v->k0 * v->ldkv);
      d_v = d_k + kv * 4;
    }
  attention.dk = fen_head_view (step, d_k, v->ldkv, v->packed ? v->row_n : step->row_tokens);
  attention.dv = fen_head_view (step, d_v, v->ldkv, v->packed ? v->row_n : step->row_tokens);
  fen_ops_attention_backward (&step->ops, &attention);
}

/* The chunk's own part of the row's dK and dV, complete now: unrotated in fp32, then rounded to storage. */
static void *
finish_dkv (FenStep *step, const FenVisit *v)
{
  const FenDType dtype = step->plan->settings.storage;
  float *sum = fen_step_layer_buffer (step, FEN_PASS_BACKWARD, v->layer, FEN_LAYER_DKV_SUM);
  FenCast cast = { .n = v->n * v->ldkv, .src_dtype = FEN_F32, .dst_dtype = dtype };

  sum += v->c0 * v->ldkv;
  fen_layer_rope (step, FEN_F32, sum, v->ldkv, step->config->kv_heads, v->n, v->token0, TRUE);
  if (dtype == FEN_F32)
    return sum;
  cast.src = sum;
  cast.dst = fen_step_layer_buffer (step, FEN_PASS_BACKWARD, v->layer, FEN_LAYER_D_KV);
  fen_ops_cast (&step->ops, &cast);
  return cast.dst;
}

static void
backward_qkv (FenStep *step, const FenVisit *v)
{
  const FenModelConfig *m = step->config;
  const FenDType dtype = step->plan->settings.storage;
  const gint64 q = m->heads * m->head_dim, kv = m->kv_heads * m->head_dim;
  FenLinear linear = fen_linear (step, v->layer, FEN_SLOT_QKV_WEIGHT, FEN_SLOT_QKV_BIAS);
  void *d_q = fen_step_layer_buffer (step, FEN_PASS_BACKWARD, v->layer, FEN_LAYER_D_Q);
  void *d_h1 = fen_step_layer_buffer (step, FEN_PASS_BACKWARD, v->layer, FEN_LAYER_D_H1);

  if (v->packed)
    fen_layer_rope (step, dtype, d_q, v->ldq, m->heads + m->kv_heads, v->n, v->token0, TRUE);
  else
    {
      linear.out = q;
      fen_layer_rope (step, dtype, d_q, v->ldq, m->heads, v->n, v->token0, TRUE);
    }
  fen_linear_backward_weight (step, &linear, v->n, v->h1, d_q, v->ldq);
  fen_linear_backward_input (step, &linear, v->n, d_q, v->ldq, d_h1, FALSE);
  if (!v->packed)
    {
      void *d_kv = finish_dkv (step, v);
      linear.begin = q;
      linear.out = 2 * kv;
      fen_linear_backward_weight (step, &linear, v->n, v->h1, d_kv, v->ldkv);
      fen_linear_backward_input (step, &linear, v->n, d_kv, v->ldkv, d_h1, TRUE);
    }
  norm_backward (step, v, FEN_SLOT_NORM1_WEIGHT, FEN_SLOT_NORM1_BIAS, d_h1, v->x, v->mean1, v->rstd1);
}

static void
backward_visit (FenStep *step, const FenVisit *v)
{
  const FenPlan *plan = step->plan;
  gboolean recompute = plan->settings.schedule != FEN_SCHEDULE_RESIDENT;

  fen_step_enter (step, fen_plan_backward_phase (plan, v->layer, FEN_BACKWARD_RECOMPUTE));
  if (recompute)
    {
      fen_layer_qkv (step, v, FEN_WANT_Q);
      fen_layer_attend (step, v);
    }
  fen_step_enter (step, fen_plan_backward_phase (plan, v->layer, FEN_BACKWARD_DOWN));
  if (recompute)
    fen_layer_mlp_up (step, v);
  backward_mlp (step, v);
  fen_step_enter (step, fen_plan_backward_phase (plan, v->layer, FEN_BACKWARD_ATTENTION));
  backward_attention (step, v);
  fen_step_enter (step, fen_plan_backward_phase (plan, v->layer, FEN_BACKWARD_QKV));
  backward_qkv (step, v);
}

static void
backward_row (FenStep *step, gint64 layer, gint64 row)
{
  const FenModelConfig *m = step->config;
  const gint64 T = step->row_tokens, chunk = MIN (step->plan->settings.chunk, T);
  const gint64 n_chunks = (T + chunk - 1) / chunk;
  FenVisit visit;

  fen_step_enter (step, fen_plan_backward_phase (step->plan, layer, FEN_BACKWARD_REBUILD));
  for (gint64 i = 0; i < n_chunks; i = fen_step_chunk_after (step, i, n_chunks))
    {
      fen_visit_init (&visit, step, FEN_PASS_BACKWARD, layer, row, 1, i * chunk, MIN (chunk, T - i * chunk));
      fen_layer_qkv (step, &visit, FEN_WANT_KV);
    }
  fen_step_enter (step, fen_plan_backward_phase (step->plan, layer, FEN_BACKWARD_RECOMPUTE));
  fen_ops_fill (&step->ops, FEN_F32,
                fen_step_layer_buffer (step, FEN_PASS_BACKWARD, layer, FEN_LAYER_DKV_SUM),
                T * 2 * m->kv_heads * m->head_dim, 0);
  for (gint64 i = 0; i < n_chunks; i = fen_step_chunk_after (step, i, n_chunks))
    {
      const gint64 c0 = (n_chunks - 1 - i) * chunk;
      fen_visit_init (&visit, step, FEN_PASS_BACKWARD, layer, row, 1, c0, MIN (chunk, T - c0));
      backward_visit (step, &visit);
    }
}

void
fen_layer_backward (FenStep *step, gint64 layer)
{
  FenVisit visit;

  if (fen_plan_chunked (step->plan))
    {
      for (gint64 row = 0; row < (step->measuring ? 1 : step->rows); row++)
        backward_row (step, layer, row);
      return;
    }
  fen_visit_init (&visit, step, FEN_PASS_BACKWARD, layer, 0, step->rows, 0, step->row_tokens);
  backward_visit (step, &visit);
}
