/* fen-engine-private.h: what the files of the engine room share; its tests read it too.
 *
 * A step is written once, as calls of FenOps on pointers of a FenStep. The plan runs the same code without a device
 * ("measuring": pointers are not looked at) to learn which operations a step makes and how much workspace each
 * phase needs, so that the plan and the run cannot drift apart.
 *
 * Token geometry. A batch is (rows, T) tokens, one after another: N = rows * T. A layer is run in VISITS: either all
 * rows at once (resident, checkpointing), or one row's tokens [c0, c1) (chunked). Either way a visit's tokens are
 * contiguous, so every matrix of a visit is (n, width).
 */
#pragma once

#include "core/engine/fen-engine.h"
#include <math.h>
#include <string.h>

G_BEGIN_DECLS

/* Buffers that exist once. */
typedef enum {
  FEN_STEP_WEIGHTS,
  FEN_STEP_MASTER,
  FEN_STEP_GRADIENTS,
  FEN_STEP_MOMENT1,
  FEN_STEP_MOMENT2,
  FEN_STEP_ABSMAX1, /* 8-bit AdamW: fp32, FenEngineSlot.absmax elements into it */
  FEN_STEP_ABSMAX2,
  FEN_STEP_STATS, /* two FenStepStats: training, evaluation */
  FEN_STEP_INV_FREQ,
  FEN_STEP_TOKENS,
  FEN_STEP_TARGETS,
  FEN_STEP_POSITIONS,
  FEN_STEP_DOC_START,
  FEN_STEP_DOC_END,
  FEN_STEP_STAGING, /* fp32 pieces on their way between host and 16-bit weights, outside of steps */
  FEN_STEP_X_FINAL, /* (N, hidden): output of the last layer, unless resident */
  FEN_STEP_DX, /* (N, hidden): the final norm's output, then the gradient of the residual stream, in place */
  FEN_STEP_HEAD_X, /* (head_rows, hidden): resident: input of the final norm */
  FEN_STEP_HEAD_MEAN,
  FEN_STEP_HEAD_RSTD,
  FEN_STEP_LOGITS,  /* (head_rows, fen_plan_logits_ld) */
  FEN_STEP_LOSSES,  /* (head_rows) fp32 */
  FEN_STEP_PAD_ROW, /* (hidden) fp32: the padding token's gradient, kept from the embedding's */
  FEN_STEP_KV_BLOCK, /* inference: keys and values that a block of a prompt sees in a windowed layer, in order */
  FEN_STEP_WORKSPACE, /* what most operations need; phases that need much more have their own */
  FEN_N_STEP_BUFFERS
} FenStepBuffer;

/* Buffers of one layer. `n` is the tokens of a visit. */
typedef enum {
  FEN_LAYER_X,     /* (N, hidden): the layer's input */
  FEN_LAYER_H1,    /* (n, hidden): norm 1 */
  FEN_LAYER_MEAN1, /* (n) fp32 */
  FEN_LAYER_RSTD1,
  FEN_LAYER_Q,    /* (n, heads * head_dim); or, packed, (n, (heads + 2 kv_heads) * head_dim) = [q | k | v] */
  FEN_LAYER_KV,   /* chunked: (T, 2 kv_heads * head_dim) = [k | v] of one row; inference: the layer's cache */
  FEN_LAYER_O,    /* (n, heads * head_dim); (N, ..) when kept */
  FEN_LAYER_LSE,  /* (rows, heads, T) fp32, or (heads, n) for a chunk */
  FEN_LAYER_XMID, /* (n, hidden): after attention's residual */
  FEN_LAYER_H2,   /* (n, hidden): output projection, then norm 2 in its place */
  FEN_LAYER_MEAN2,
  FEN_LAYER_RSTD2,
  FEN_LAYER_UP,  /* (n, intermediate) or (n, 2 intermediate); becomes its own gradient in place */
  FEN_LAYER_ACT, /* (n, intermediate) */
  FEN_LAYER_D_ACT,
  FEN_LAYER_D_H2,
  FEN_LAYER_D_O,
  FEN_LAYER_D_Q,     /* like Q */
  FEN_LAYER_DKV_SUM, /* chunked: (T, 2 kv_heads * head_dim) fp32 of one row, added up over its chunks */
  FEN_LAYER_D_KV,    /* chunked, 16-bit storage: (n, 2 kv_heads * head_dim), rounded from the sum */
  FEN_LAYER_D_H1,
  FEN_N_LAYER_BUFFERS
} FenLayerBuffer;

typedef enum { FEN_PASS_FORWARD, FEN_PASS_BACKWARD, FEN_N_PASSES } FenPass;

/* Phases: embedding, two a layer forward, head, six a layer backward (layers in reverse), embedding's gradient,
 * update. Chunks go round the phases of their layer, so what lives from chunk to chunk lives in all of them. */
enum { FEN_FORWARD_ATTENTION, FEN_FORWARD_MLP, FEN_N_FORWARD_PHASES };
enum {
  FEN_BACKWARD_REBUILD,   /* chunked: K and V of the whole row */
  FEN_BACKWARD_RECOMPUTE, /* up to the output projection */
  FEN_BACKWARD_DOWN,      /* MLP again; gradient of the down projection's weight */
  FEN_BACKWARD_MLP,       /* back to attention's residual */
  FEN_BACKWARD_ATTENTION,
  FEN_BACKWARD_QKV,
  FEN_N_BACKWARD_PHASES
};

/* A slot that the optimizer updates, once each (a tied LM head is the embedding). */
typedef struct {
  FenSlotKind kind;
  gint64 layer;
  const FenSlot *slot; /* the model's */
  gint64 absmax;       /* its first block in the absmax arrays */
  gint64 n_blocks;
} FenEngineSlot;

struct _FenPlan {
  gatomicrefcount references;
  FenConfig *config;
  FenModel *model;
  const FenBackend *backend;
  FenDeviceProperties device;
  FenPlanPurpose purpose;
  FenPlanSettings settings;
  gint64 *layer_window;
  GPtrArray *notes; /* NULL-terminated once the plan is made */
  GArray *slots;    /* FenEngineSlot */
  GArray *buffers;  /* FenPlanBuffer */
  GStringChunk *names;
  guint n_phases;
  int step_buffer[FEN_N_STEP_BUFFERS]; /* index into buffers, or -1 */
  int *layer_buffer[FEN_N_PASSES];     /* (layers, FEN_N_LAYER_BUFFERS) */
  int *phase_workspace;                /* (n_phases) a phase's own workspace, or -1 */
  guint64 device_bytes, host_bytes;
  guint64 peak_bytes; /* live bytes of the busiest phase: no packing can do better */
  guint peak_phase;
  guint64 guard; /* tests: bytes behind each buffer that nobody may touch */
  gboolean overflow;
};

/* fen-plan.c */
FenPlan *fen_plan_new_guarded (const FenConfig *config, const FenModel *model, const FenBackend *backend,
                               const FenDeviceProperties *device, FenPlanPurpose purpose, guint64 guard,
                               GError **error);
gint64 fen_plan_logits_ld (const FenPlan *plan);
GArray *fen_engine_slots_new (const FenModel *model);
const char *fen_slot_kind_name (FenSlotKind kind);

/* fen-plan-settings.c */
gboolean fen_plan_resolve (FenPlan *plan, GError **error);
static inline gboolean
fen_plan_chunked (const FenPlan *plan)
{
  return plan->settings.schedule == FEN_SCHEDULE_CHUNKED;
}

/* fen-plan-phases.c */
guint fen_plan_forward_phase (const FenPlan *plan, gint64 layer, guint part);
guint fen_plan_head_phase (const FenPlan *plan);
guint fen_plan_backward_phase (const FenPlan *plan, gint64 layer, guint part);
guint fen_plan_embedding_backward_phase (const FenPlan *plan);
guint fen_plan_update_phase (const FenPlan *plan);

/* fen-plan-buffers.c */
void fen_plan_list_buffers (FenPlan *plan);
int fen_plan_add_buffer (FenPlan *plan, const char *name, FenMemoryCategory category, guint64 bytes,
                         guint first, guint last);
void fen_plan_add_workspaces (FenPlan *plan, const guint64 *need);

/* fen-plan-pack.c: offsets of all buffers and the arena's size. */
void fen_plan_pack (FenPlan *plan);
guint64 fen_plan_packed_bytes (const FenPlan *plan, const FenPlanBuffer *buffer); /* with guard, rounded */

/* ---- running ---- */

/* Operations of one device, in the current phase. The first error is kept and everything after it is skipped. */
typedef struct {
  const FenBackend *backend;
  FenDevice *device;
  FenStream *stream;
  const FenDeviceProperties *properties;
  void *workspace;
  guint64 workspace_bytes;
  guint64 *need; /* measuring: (n_phases), grown to the largest need; NULL when running */
  guint phase;
  GError *error;
} FenOps;

void fen_ops_gemm (FenOps *ops, FenGemm *params);
void fen_ops_embedding_forward (FenOps *ops, FenEmbeddingForward *params);
void fen_ops_embedding_backward (FenOps *ops, FenEmbeddingBackward *params);
void fen_ops_norm_forward (FenOps *ops, FenNormForward *params);
void fen_ops_norm_backward (FenOps *ops, FenNormBackward *params);
void fen_ops_rope (FenOps *ops, FenRope *params);
void fen_ops_activation_forward (FenOps *ops, FenActivation *params);
void fen_ops_activation_backward (FenOps *ops, FenActivation *params);
void fen_ops_bias_gradient (FenOps *ops, FenBiasGradient *params);
void fen_ops_attention_forward (FenOps *ops, FenAttention *params);
void fen_ops_attention_backward (FenOps *ops, FenAttentionBackward *params);
void fen_ops_cross_entropy (FenOps *ops, FenCrossEntropy *params);
void fen_ops_sum (FenOps *ops, FenSum *params);
void fen_ops_sum_squares (FenOps *ops, FenSum *params);
void fen_ops_cast (FenOps *ops, FenCast *params);
void fen_ops_fill (FenOps *ops, FenDType dtype, void *x, gint64 n, double value);
void fen_ops_clip (FenOps *ops, FenClip *params);
void fen_ops_adamw (FenOps *ops, FenAdamW *params);
void fen_ops_adamw8 (FenOps *ops, FenAdamW8 *params);
void fen_ops_copy (FenOps *ops, void *dst, const void *src, guint64 bytes);

/* A batch on its way through the model. */
typedef struct {
  FenOps ops;
  const FenPlan *plan;
  const FenModel *model;
  const FenModelConfig *config;
  char *arena;
  gboolean measuring;
  gint64 rows, row_tokens; /* of this batch, at most the plan's */
  gboolean documents;
  /* Tests: fill each buffer with NaN when its life begins and check the guards when it ends. */
  gboolean checking;
  guint next_phase; /* checking: the first phase not yet entered in this step */
} FenStep;

/* What measuring passes as device memory: never looked at, but not NULL, which means "not wanted". */
#define FEN_NOWHERE ((char *)(gsize)4096)

void fen_step_enter (FenStep *step, guint phase);
void fen_step_begin (FenStep *step); /* checking: a new step, phases start over */
void fen_step_end (FenStep *step);
void *fen_step_buffer (const FenStep *step, FenStepBuffer id);
void *fen_step_layer_buffer (const FenStep *step, FenPass pass, gint64 layer, FenLayerBuffer id);
void *fen_step_weight (const FenStep *step, gint64 layer, FenSlotKind kind); /* NULL when the slot is empty */
float *fen_step_gradient (const FenStep *step, gint64 layer, FenSlotKind kind);

/* fen-linear.c: y = x W + b for a part of a slot's outputs, and its gradients. */
typedef struct {
  gint64 layer;
  FenSlotKind weight, bias;
  gint64 begin, out; /* the outputs [begin, begin + out) */
} FenLinear;
FenLinear fen_linear (const FenStep *step, gint64 layer, FenSlotKind weight, FenSlotKind bias);
void fen_linear_forward (FenStep *step, const FenLinear *linear, gint64 n, const void *x, void *y, gint64 ldy,
                         gboolean add);
void fen_linear_backward_input (FenStep *step, const FenLinear *linear, gint64 n, const void *dy, gint64 ldy,
                                void *dx, gboolean add);
void fen_linear_backward_weight (FenStep *step, const FenLinear *linear, gint64 n, const void *x,
                                 const void *dy, gint64 ldy);

/* One visit of one layer: pointers at the visit's first token. */
typedef struct {
  gint64 layer;
  gint64 row0, rows; /* rows of the batch */
  gint64 c0, row_n;  /* tokens [c0, c0 + row_n) of each */
  gint64 n;          /* rows * row_n */
  gint64 token0;     /* first token, in the batch */
  gboolean packed;   /* q, k, v in one matrix */
  gboolean kept;     /* o and lse are there from the forward pass */
  char *x;
  const char
      *residual; /* resident, after the first layer: x = residual + delta is still to be made, delta in h1 */
  char *h1;
  float *mean1, *rstd1;
  char *q, *kv; /* kv: the visit's own rows */
  gint64 ldq, ldkv;
  FenHeadView keys, values; /* what the visit's queries see: keys k0 .. k0 + nk - 1 */
  gint64 q0, k0, nk, window, sinks;
  char *o;
  float *lse;
  gint64 lse_batch_stride, lse_head_stride;
  char *xmid, *h2;
  float *mean2, *rstd2;
  char *up, *act;
  char *out;        /* what the down projection writes */
  gboolean out_add; /* out is xmid and the projection is added to it */
} FenVisit;

void fen_visit_init (FenVisit *visit, const FenStep *step, FenPass pass, gint64 layer, gint64 row0,
                     gint64 rows, gint64 c0, gint64 row_n);
FenHeadView fen_head_view (const FenStep *step, void *data, gint64 ld, gint64 row_n);
void fen_visit_attention (const FenStep *step, const FenVisit *visit, FenAttention *params);

/* fen-layer-forward.c */
enum { FEN_WANT_Q = 1, FEN_WANT_KV = 2 };
void fen_layer_qkv (FenStep *step, const FenVisit *visit, guint want);
void fen_layer_attend (FenStep *step, const FenVisit *visit);
void fen_layer_mlp_up (FenStep *step, const FenVisit *visit);
void fen_layer_mlp_down (FenStep *step, const FenVisit *visit);
void fen_layer_forward (FenStep *step, gint64 layer);
void fen_layer_rope (FenStep *step, FenDType dtype, void *x, gint64 ld, gint64 heads, gint64 n, gint64 token0,
                     gboolean inverse);

/* fen-layer-backward.c */
void fen_layer_backward (FenStep *step, gint64 layer);

/* fen-head.c */
typedef struct {
  double grad_scale;
  gboolean gradient;
  double *loss_sum; /* device; NULL = not wanted */
  float *logits;    /* host (N, vocab) fp32; NULL = not wanted */
} FenHeadRun;
void fen_head_run (FenStep *step, const FenHeadRun *run);
/* Logits of one normed row (1, hidden) as fp32 (vocab), device memory. */
void fen_head_logits_row (FenStep *step, const void *x, float *logits);

/* fen-step.c: everything between the token arrays and the gradients. */
gint64 fen_step_chunk_after (const FenStep *step, gint64 i, gint64 n_chunks);
gint64 fen_step_like (const FenStep *step, gint64 layer); /* first layer with this layer's window */
void fen_step_embed (FenStep *step);
void fen_step_forward (FenStep *step);
void fen_step_backward (FenStep *step);

/* fen-optimizer.c */
void fen_optimizer_run (FenStep *step, const FenUpdate *update, gint64 t, double loss_scale);

/* fen-feed.c */
#define FEN_PROMPT_BLOCK 256 /* most tokens of a prompt that are fed at once */
void fen_feed_block (FenStep *step, const gint32 *tokens, gint64 n_fed, gint64 n);
gint64 fen_feed_cache_rows (const FenPlan *plan, gint64 layer); /* tokens that a layer's cache holds */

/* fen-plan-measure.c: workspace of each phase, and whether the back end has every operation of a step. */
gboolean fen_plan_measure (FenPlan *plan, guint64 *need, GError **error);

#define FEN_STAGING_SLOTS 2

struct _FenEngine {
  FenPlan *plan;
  FenModel *model;
  const FenBackend *backend;
  FenDevice *device;
  FenStep step;
  void *host_arena; /* pinned: a FenStepStats on its way out, then micro-batches on their way in (fen-batch.c) */
  FenEvent *staged[FEN_STAGING_SLOTS]; /* behind the copies of each slot's last use */
  guint slot;
  GArray *state;  /* FenStateTensor */
  GArray *places; /* the same tensors with their places, fen-engine-state.c */
  GStringChunk *names;
  FenStepStats stats; /* of the last update, without a pinned arena */
  gint64 n_targets; /* since the last update */
  gint64 update_count;
  double loss_scale;
  gint64 n_fed;
};

/* fen-batch.c: pinned memory that feeding a device with its own memory takes; and checking and copying one. */
guint64 fen_batch_host_bytes (const FenPlan *plan);
gboolean fen_batch_write (FenEngine *engine, const FenBatch *batch, GError **error);

/* Tests: poison and guards, see FenStep.checking. The plan must have been made with a guard. */
void fen_engine_set_checking (FenEngine *engine, gboolean checking);

/* fen-engine-state.c */
void fen_engine_list_state (FenEngine *engine);
gboolean fen_engine_finish (FenEngine *engine,
                            GError **error); /* errors of the operations and of the device */

G_END_DECLS
