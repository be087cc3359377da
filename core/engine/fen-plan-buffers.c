/* fen-plan-buffers.c: every buffer of a run, its bytes and the phases in which it lives.
 *
 * Lifetimes are the whole memory policy: what "checkpointing" saves is that a layer's buffers end with its forward
 * phases and live again, under the same names, in its backward phases.
 */
#include "core/engine/fen-engine-private.h"

/* ---- sizes: products that may overflow set a flag, once ---- */

static guint64
product (FenPlan *plan, gint64 a, gint64 b, gint64 c)
{
  gint64 ab, abc;
  if (__builtin_mul_overflow (a, b, &ab) || __builtin_mul_overflow (ab, c, &abc) || abc > G_MAXINT64 / 1024)
    {
      plan->overflow = TRUE;
      return 0;
    }
  return (guint64)abc;
}

int
fen_plan_add_buffer (FenPlan *plan, const char *name, FenMemoryCategory category, guint64 bytes, guint first,
                     guint last)
{
  FenPlanBuffer buffer = { 0 };
  if (bytes == 0)
    return -1;
  buffer.name = g_string_chunk_insert_const (plan->names, name);
  buffer.category = category;
  buffer.bytes = bytes;
  buffer.first = first;
  buffer.last = last;
  g_array_append_val (plan->buffers, buffer);
  return (int)plan->buffers->len - 1;
}

static void
add_step (FenPlan *plan, FenStepBuffer id, const char *name, FenMemoryCategory category, guint64 bytes,
          guint first, guint last)
{
  plan->step_buffer[id] = fen_plan_add_buffer (plan, name, category, bytes, first, last);
}

static void
add_layer (FenPlan *plan, FenPass pass, gint64 layer, FenLayerBuffer id, const char *name,
           FenMemoryCategory category, guint64 bytes, guint first, guint last)
{
  g_autofree char *full = g_strdup_printf ("layer %" G_GINT64_FORMAT " %s", layer, name);
  plan->layer_buffer[pass][layer * FEN_N_LAYER_BUFFERS + id]
      = fen_plan_add_buffer (plan, full, category, bytes, first, last);
}

/* ---- what lives through every step ---- */

static void
list_parameters (FenPlan *plan)
{
  const FenPlanSettings *s = &plan->settings;
  gint64 space = fen_model_space (plan->model);
  guint last = plan->n_phases - 1;
  const FenEngineSlot *slot = &g_array_index (plan->slots, FenEngineSlot, plan->slots->len - 1);
  gint64 blocks = slot->absmax + slot->n_blocks;
  gint64 width = s->adam8 ? 1 : 4;

  add_step (plan, FEN_STEP_WEIGHTS, "weights", FEN_MEMORY_WEIGHTS,
            product (plan, space, (gint64)fen_dtype_size (s->storage), 1), 0, last);
  if (plan->purpose == FEN_PLAN_GENERATE)
    return;
  add_step (plan, FEN_STEP_GRADIENTS, "gradients", FEN_MEMORY_GRADIENTS, product (plan, space, 4, 1), 0,
            last);
  if (s->master_weights)
    add_step (plan, FEN_STEP_MASTER, "master weights", FEN_MEMORY_OPTIMIZER, product (plan, space, 4, 1), 0,
              last);
  add_step (plan, FEN_STEP_MOMENT1, "first moments", FEN_MEMORY_OPTIMIZER, product (plan, space, width, 1), 0,
            last);
  add_step (plan, FEN_STEP_MOMENT2, "second moments", FEN_MEMORY_OPTIMIZER, product (plan, space, width, 1),
            0, last);
  if (s->adam8)
    {
      add_step (plan, FEN_STEP_ABSMAX1, "first moments' scales", FEN_MEMORY_OPTIMIZER, (guint64)blocks * 4, 0,
                last);
      add_step (plan, FEN_STEP_ABSMAX2, "second moments' scales", FEN_MEMORY_OPTIMIZER, (guint64)blocks * 4,
                0, last);
    }
}

static void
list_inputs (FenPlan *plan)
{
  const FenPlanSettings *s = &plan->settings;
  const FenModelConfig *m = fen_model_config (plan->model);
  guint last = plan->n_phases - 1;
  gboolean train = plan->purpose == FEN_PLAN_TRAIN;
  guint64 bytes = product (plan, s->rows, train ? s->row_tokens : s->chunk, 4);

  add_step (plan, FEN_STEP_TOKENS, "tokens", FEN_MEMORY_WORKSPACE, bytes, 0, last);
  add_step (plan, FEN_STEP_POSITIONS, "positions", FEN_MEMORY_WORKSPACE, bytes, 0, last);
  if (m->rope != FEN_ROPE_NONE)
    add_step (plan, FEN_STEP_INV_FREQ, "rotary frequencies", FEN_MEMORY_WORKSPACE,
              (guint64)m->head_dim / 2 * 4, 0, last);
  /* Used while nothing of a step lives: it hides behind the embedding phase. */
  if (s->storage != FEN_F32)
    add_step (plan, FEN_STEP_STAGING, "conversion of weights", FEN_MEMORY_WORKSPACE, 1 << 20, 0, 0);
  if (!train)
    return;
  add_step (plan, FEN_STEP_TARGETS, "targets", FEN_MEMORY_WORKSPACE, bytes, 0, last);
  add_step (plan, FEN_STEP_DOC_START, "document starts", FEN_MEMORY_WORKSPACE, bytes, 0, last);
  add_step (plan, FEN_STEP_DOC_END, "document ends", FEN_MEMORY_WORKSPACE, bytes, 0, last);
  add_step (plan, FEN_STEP_STATS, "statistics", FEN_MEMORY_WORKSPACE, 2 * sizeof (FenStepStats), 0, last);
}

/* ---- one layer ---- */

/* Widths in elements of a token, and tokens of a visit: everything that the tables below are made of. */
typedef struct {
  gint64 n, all; /* tokens of a visit, of the batch */
  gint64 hidden, q, kv2, up, act;
  gint64 size; /* bytes of an element */
} Widths;

static Widths
widths (const FenPlan *plan)
{
  const FenPlanSettings *s = &plan->settings;
  const FenModelConfig *m = fen_model_config (plan->model);
  Widths w = { 0 };

  w.all = s->rows * s->row_tokens;
  w.n = fen_plan_chunked (plan) || plan->purpose == FEN_PLAN_GENERATE ? s->chunk : w.all;
  w.hidden = m->hidden;
  w.q = m->heads * m->head_dim;
  w.kv2 = 2 * m->kv_heads * m->head_dim;
  w.up = m->gated ? 2 * m->intermediate : m->intermediate;
  w.act = m->intermediate;
  w.size = (gint64)fen_dtype_size (s->storage);
  return w;
}

/* What a forward visit computes. `attention`, `norm` ... are the last phases in which each is read, so the same
 * list serves a layer that is kept for backward, one that is dropped at once, and one that is recomputed. */
typedef struct {
  FenPass pass;
  guint first, mlp;                    /* phases that make the attention half and the MLP half */
  guint h1, qkv, o, xmid, h2, up, act; /* last phases */
  gboolean statistics;                 /* for backward: mean, rstd, LSE */
  gboolean with_o, with_kv, with_xmid;
} Computed;

static void
list_computed (FenPlan *plan, gint64 layer, const Computed *c)
{
  const FenModelConfig *m = fen_model_config (plan->model);
  const Widths w = widths (plan);
  const FenMemoryCategory act = FEN_MEMORY_ACTIVATIONS, att = FEN_MEMORY_ATTENTION;
  gboolean packed = !fen_plan_chunked (plan) && plan->purpose == FEN_PLAN_TRAIN;
  gboolean means = c->statistics && m->norm == FEN_NORM_LAYER;
  guint64 stat = product (plan, w.n, 4, 1);

  add_layer (plan, c->pass, layer, FEN_LAYER_H1, "norm 1", act, product (plan, w.n, w.hidden, w.size),
             c->first, c->h1);
  add_layer (plan, c->pass, layer, FEN_LAYER_Q, packed ? "qkv" : "q", att,
             product (plan, w.n, packed ? w.q + w.kv2 : w.q, w.size), c->first, c->qkv);
  if (!packed && c->with_kv)
    add_layer (plan, c->pass, layer, FEN_LAYER_KV, "keys and values", att,
               product (plan, plan->settings.row_tokens, w.kv2, w.size), c->first, c->qkv);
  if (c->with_o)
    {
      add_layer (plan, c->pass, layer, FEN_LAYER_O, "attention output", att, product (plan, w.n, w.q, w.size),
                 c->first, c->o);
      if (c->statistics)
        add_layer (plan, c->pass, layer, FEN_LAYER_LSE, "attention LSE", att,
                   product (plan, w.n, m->heads, 4), c->first, c->o);
    }
  if (c->with_xmid)
    add_layer (plan, c->pass, layer, FEN_LAYER_XMID, "middle", act, product (plan, w.n, w.hidden, w.size),
               c->mlp, c->xmid);
  add_layer (plan, c->pass, layer, FEN_LAYER_H2, "norm 2", act, product (plan, w.n, w.hidden, w.size),
             c->first, c->h2);
  add_layer (plan, c->pass, layer, FEN_LAYER_UP, m->gated ? "gate and up" : "up", act,
             product (plan, w.n, w.up, w.size), c->mlp, c->up);
  add_layer (plan, c->pass, layer, FEN_LAYER_ACT, "activation", act, product (plan, w.n, w.act, w.size),
             c->mlp, c->act);
  if (c->statistics)
    {
      add_layer (plan, c->pass, layer, FEN_LAYER_RSTD1, "norm 1 rstd", act, stat, c->first, c->h1);
      add_layer (plan, c->pass, layer, FEN_LAYER_RSTD2, "norm 2 rstd", act, stat, c->mlp, c->xmid);
    }
  if (means)
    {
      add_layer (plan, c->pass, layer, FEN_LAYER_MEAN1, "norm 1 mean", act, stat, c->first, c->h1);
      add_layer (plan, c->pass, layer, FEN_LAYER_MEAN2, "norm 2 mean", act, stat, c->mlp, c->xmid);
    }
}

static void
list_forward (FenPlan *plan, gint64 layer)
{
  const FenPlanSettings *s = &plan->settings;
  gboolean resident = s->schedule == FEN_SCHEDULE_RESIDENT;
  guint attention = fen_plan_forward_phase (plan, layer, FEN_FORWARD_ATTENTION);
  guint mlp = fen_plan_forward_phase (plan, layer, FEN_FORWARD_MLP);
  Computed c = { .pass = FEN_PASS_FORWARD, .first = attention, .mlp = mlp };

  c.h1 = c.qkv = attention;
  c.o = attention;
  c.h2 = c.up = c.act = c.xmid = mlp;
  c.with_o = !s->keep_attention;
  c.with_kv = TRUE;
  if (fen_plan_chunked (plan))
    c.qkv = mlp; /* keys and values stay while the chunks go round both phases */
  if (resident)
    {
      c.h1 = fen_plan_backward_phase (plan, layer, FEN_BACKWARD_QKV);
      c.qkv = c.o = fen_plan_backward_phase (plan, layer, FEN_BACKWARD_ATTENTION);
      c.xmid = c.h2 = c.up = fen_plan_backward_phase (plan, layer, FEN_BACKWARD_MLP);
      c.act = fen_plan_backward_phase (plan, layer, FEN_BACKWARD_DOWN);
      c.statistics = c.with_xmid = TRUE;
    }
  list_computed (plan, layer, &c);
  if (resident)
    {
      /* The MLP of the layer before writes its output into this layer's norm 1, which the norm then replaces. */
      int h1 = plan->layer_buffer[FEN_PASS_FORWARD][layer * FEN_N_LAYER_BUFFERS + FEN_LAYER_H1];
      if (layer > 0 && h1 >= 0) /* no buffer when its size overflowed, which is reported at the end */
        g_array_index (plan->buffers, FenPlanBuffer, h1).first
            = fen_plan_forward_phase (plan, layer - 1, FEN_FORWARD_MLP);
    }
}

static void
list_recomputed (FenPlan *plan, gint64 layer)
{
  Computed c = { .pass = FEN_PASS_BACKWARD, .statistics = TRUE, .with_xmid = TRUE };
  int *row = plan->layer_buffer[FEN_PASS_BACKWARD] + layer * FEN_N_LAYER_BUFFERS;
  gboolean chunked = fen_plan_chunked (plan);

  c.first = fen_plan_backward_phase (plan, layer, FEN_BACKWARD_RECOMPUTE);
  c.mlp = fen_plan_backward_phase (plan, layer, FEN_BACKWARD_DOWN);
  c.h1 = fen_plan_backward_phase (plan, layer, FEN_BACKWARD_QKV);
  c.qkv = c.o = fen_plan_backward_phase (plan, layer, FEN_BACKWARD_ATTENTION);
  c.xmid = c.h2 = c.up = fen_plan_backward_phase (plan, layer, FEN_BACKWARD_MLP);
  c.act = c.mlp;
  c.with_o = !plan->settings.keep_attention;
  c.with_kv = TRUE;
  list_computed (plan, layer, &c);
  if (chunked)
    {
      FenPlanBuffer *buffers = (FenPlanBuffer *)(void *)plan->buffers->data;
      guint rebuild = fen_plan_backward_phase (plan, layer, FEN_BACKWARD_REBUILD);
      buffers[row[FEN_LAYER_H1]].first = rebuild;
      buffers[row[FEN_LAYER_KV]].first = rebuild;
      buffers[row[FEN_LAYER_KV]].last = c.h1;
    }
}

static void
list_gradients (FenPlan *plan, gint64 layer)
{
  const Widths w = widths (plan);
  const FenMemoryCategory act = FEN_MEMORY_ACTIVATIONS, att = FEN_MEMORY_ATTENTION;
  gboolean chunked = fen_plan_chunked (plan);
  guint recompute = fen_plan_backward_phase (plan, layer, FEN_BACKWARD_RECOMPUTE);
  guint mlp = fen_plan_backward_phase (plan, layer, FEN_BACKWARD_MLP);
  guint attention = fen_plan_backward_phase (plan, layer, FEN_BACKWARD_ATTENTION);
  guint qkv = fen_plan_backward_phase (plan, layer, FEN_BACKWARD_QKV);
  const FenPass pass = FEN_PASS_BACKWARD;

  add_layer (plan, pass, layer, FEN_LAYER_D_ACT, "activation gradient", act,
             product (plan, w.n, w.act, w.size), mlp, mlp);
  add_layer (plan, pass, layer, FEN_LAYER_D_H2, "norm 2 gradient", act, product (plan, w.n, w.hidden, w.size),
             mlp, mlp);
  add_layer (plan, pass, layer, FEN_LAYER_D_O, "attention output gradient", att,
             product (plan, w.n, w.q, w.size), attention, attention);
  add_layer (plan, pass, layer, FEN_LAYER_D_Q, chunked ? "q gradient" : "qkv gradient", att,
             product (plan, w.n, chunked ? w.q : w.q + w.kv2, w.size), attention, qkv);
  add_layer (plan, pass, layer, FEN_LAYER_D_H1, "norm 1 gradient", act, product (plan, w.n, w.hidden, w.size),
             qkv, qkv);
  if (!chunked)
    return;
  add_layer (plan, pass, layer, FEN_LAYER_DKV_SUM, "key and value gradients", att,
             product (plan, plan->settings.row_tokens, w.kv2, 4), recompute, qkv);
  if (plan->settings.storage != FEN_F32)
    add_layer (plan, pass, layer, FEN_LAYER_D_KV, "key and value gradients of a chunk", att,
               product (plan, w.n, w.kv2, w.size), qkv, qkv);
}

/* Where backward finds what forward kept. */
static void
share_kept (FenPlan *plan, gint64 layer)
{
  const FenPlanSettings *s = &plan->settings;
  const Widths w = widths (plan);
  int *forward = plan->layer_buffer[FEN_PASS_FORWARD] + layer * FEN_N_LAYER_BUFFERS;
  int *backward = plan->layer_buffer[FEN_PASS_BACKWARD] + layer * FEN_N_LAYER_BUFFERS;
  guint first = fen_plan_forward_phase (plan, layer, FEN_FORWARD_ATTENTION);
  /* With chunks, the last phase of one comes before the attention of the next. */
  guint last = fen_plan_backward_phase (plan, layer,
                                        fen_plan_chunked (plan) ? FEN_BACKWARD_QKV : FEN_BACKWARD_ATTENTION);

  if (s->keep_attention)
    {
      add_layer (plan, FEN_PASS_FORWARD, layer, FEN_LAYER_O, "attention output (kept)",
                 FEN_MEMORY_CHECKPOINTS, product (plan, w.all, w.q, w.size), first, last);
      add_layer (plan, FEN_PASS_FORWARD, layer, FEN_LAYER_LSE, "attention LSE (kept)", FEN_MEMORY_CHECKPOINTS,
                 product (plan, w.all, fen_model_config (plan->model)->heads, 4), first, last);
      backward[FEN_LAYER_O] = forward[FEN_LAYER_O];
      backward[FEN_LAYER_LSE] = forward[FEN_LAYER_LSE];
    }
  backward[FEN_LAYER_X] = forward[FEN_LAYER_X];
  if (s->schedule == FEN_SCHEDULE_RESIDENT)
    for (int id = 0; id < FEN_LAYER_D_ACT; id++)
      backward[id] = forward[id];
}

static void
list_layer_input (FenPlan *plan, gint64 layer)
{
  const Widths w = widths (plan);
  gboolean resident = plan->settings.schedule == FEN_SCHEDULE_RESIDENT;
  guint first = 0;

  /* Resident: the norm makes it. Otherwise the MLP of the layer before writes it. */
  if (layer > 0)
    first = resident ? fen_plan_forward_phase (plan, layer, FEN_FORWARD_ATTENTION)
                     : fen_plan_forward_phase (plan, layer - 1, FEN_FORWARD_MLP);
  if (layer > 0 && fen_plan_chunked (plan))
    first = fen_plan_forward_phase (plan, layer - 1, FEN_FORWARD_ATTENTION);
  add_layer (plan, FEN_PASS_FORWARD, layer, FEN_LAYER_X, "input",
             resident ? FEN_MEMORY_ACTIVATIONS : FEN_MEMORY_CHECKPOINTS,
             product (plan, w.all, w.hidden, w.size), first,
             fen_plan_backward_phase (plan, layer, FEN_BACKWARD_QKV));
}

/* ---- the head ---- */

static void
list_head (FenPlan *plan)
{
  const FenPlanSettings *s = &plan->settings;
  const FenModelConfig *m = fen_model_config (plan->model);
  const Widths w = widths (plan);
  guint head = fen_plan_head_phase (plan);
  guint last_mlp = fen_plan_forward_phase (plan, m->layers - 1, FEN_FORWARD_MLP);
  guint last_layer = fen_plan_forward_phase (plan, m->layers - 1, FEN_FORWARD_ATTENTION);
  gboolean resident = s->schedule == FEN_SCHEDULE_RESIDENT;
  guint64 stat = product (plan, s->head_rows, 4, 1);

  add_step (plan, FEN_STEP_LOGITS, "logits", FEN_MEMORY_LOGITS,
            product (plan, s->head_rows, fen_plan_logits_ld (plan), w.size), head, head);
  add_step (plan, FEN_STEP_LOSSES, "losses", FEN_MEMORY_LOGITS, stat, head, head);
  add_step (plan, FEN_STEP_HEAD_RSTD, "final norm rstd", FEN_MEMORY_LOGITS, stat, head, head);
  if (m->norm == FEN_NORM_LAYER)
    add_step (plan, FEN_STEP_HEAD_MEAN, "final norm mean", FEN_MEMORY_LOGITS, stat, head, head);
  if (resident)
    add_step (plan, FEN_STEP_HEAD_X, "final norm input", FEN_MEMORY_LOGITS,
              product (plan, s->head_rows, w.hidden, w.size), head, head);
  else
    add_step (plan, FEN_STEP_X_FINAL, "output of the last layer", FEN_MEMORY_ACTIVATIONS,
              product (plan, w.all, w.hidden, w.size), fen_plan_chunked (plan) ? last_layer : last_mlp, head);
  if (m->pad_id >= 0)
    add_step (plan, FEN_STEP_PAD_ROW, "padding token's gradient", FEN_MEMORY_WORKSPACE,
              product (plan, w.hidden, 4, 1), fen_plan_embedding_backward_phase (plan),
              fen_plan_embedding_backward_phase (plan));
  add_step (plan, FEN_STEP_DX, "residual gradient", FEN_MEMORY_ACTIVATIONS,
            product (plan, w.all, w.hidden, w.size), resident ? last_mlp : head,
            fen_plan_embedding_backward_phase (plan));
}

/* ---- inference: caches, and one layer's scratch for a block ---- */

static void
list_inference (FenPlan *plan)
{
  const FenModelConfig *m = fen_model_config (plan->model);
  const FenPlanSettings *s = &plan->settings;
  const Widths w = widths (plan);
  guint last = plan->n_phases - 1;
  gint64 largest = 0;

  for (gint64 layer = 0; layer < m->layers; layer++)
    {
      guint first = fen_plan_forward_phase (plan, layer, FEN_FORWARD_ATTENTION);
      guint mlp = fen_plan_forward_phase (plan, layer, FEN_FORWARD_MLP);
      Computed c = { .pass = FEN_PASS_FORWARD, .first = first, .mlp = mlp, .with_o = TRUE };
      gint64 rows = fen_feed_cache_rows (plan, layer);

      c.h1 = c.qkv = c.o = first;
      c.h2 = c.up = c.act = mlp;
      list_computed (plan, layer, &c);
      add_layer (plan, FEN_PASS_FORWARD, layer, FEN_LAYER_KV, "KV cache", FEN_MEMORY_ATTENTION,
                 product (plan, rows, w.kv2, w.size), 0, last);
      if (rows < s->row_tokens)
        largest = MAX (largest, rows);
    }
  add_step (plan, FEN_STEP_X_FINAL, "residual stream", FEN_MEMORY_ACTIVATIONS,
            product (plan, w.n, w.hidden, w.size), 0, last);
  add_step (plan, FEN_STEP_DX, "final norm", FEN_MEMORY_ACTIVATIONS, product (plan, 1, w.hidden, w.size),
            last, last);
  add_step (plan, FEN_STEP_LOGITS, "logits", FEN_MEMORY_LOGITS, product (plan, m->vocab_size, 4, 1), last,
            last);
  if (largest > 0)
    add_step (plan, FEN_STEP_KV_BLOCK, "keys and values of a block", FEN_MEMORY_ATTENTION,
              product (plan, largest + s->chunk, w.kv2, w.size), 1, last);
}

/* The pinned host arena. */
static void
list_host (FenPlan *plan)
{
  int index = fen_plan_add_buffer (plan, "batches and statistics on their way", FEN_MEMORY_OFFLOAD_HOST,
                                   fen_batch_host_bytes (plan), 0, plan->n_phases - 1);
  if (index >= 0)
    g_array_index (plan->buffers, FenPlanBuffer, index).host = TRUE;
}

void
fen_plan_list_buffers (FenPlan *plan)
{
  const FenModelConfig *m = fen_model_config (plan->model);

  list_parameters (plan);
  list_inputs (plan);
  list_host (plan);
  if (plan->purpose == FEN_PLAN_GENERATE)
    {
      list_inference (plan);
      return;
    }
  for (gint64 layer = 0; layer < m->layers; layer++)
    {
      list_layer_input (plan, layer);
      list_forward (plan, layer);
      if (plan->settings.schedule != FEN_SCHEDULE_RESIDENT)
        list_recomputed (plan, layer);
      share_kept (plan, layer);
      list_gradients (plan, layer);
    }
  list_head (plan);
}

/* Small workspaces share one buffer; a phase that needs much has its own, so that it can lie where another phase's
 * buffers were. */
#define SMALL_WORKSPACE ((guint64)1 << 20)

void
fen_plan_add_workspaces (FenPlan *plan, const guint64 *need)
{
  guint64 small = 0;

  for (guint phase = 0; phase < plan->n_phases; phase++)
    {
      plan->phase_workspace[phase] = -1;
      if (need[phase] <= SMALL_WORKSPACE)
        small = MAX (small, need[phase]);
      else
        {
          g_autofree char *name = g_strdup_printf ("workspace of %s", fen_plan_phase_name (plan, phase));
          plan->phase_workspace[phase]
              = fen_plan_add_buffer (plan, name, FEN_MEMORY_WORKSPACE, need[phase], phase, phase);
        }
    }
  add_step (plan, FEN_STEP_WORKSPACE, "workspace", FEN_MEMORY_WORKSPACE, small, 0, plan->n_phases - 1);
}
