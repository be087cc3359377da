/* fen-engine.h: one optimizer step of a run, on one device.
 *
 * The engine owns two arenas laid out by the plan, and the order of operations of a step (engine.md, "A step's
 * schedules"). It knows no files, no threads and no time: the trainer feeds it batches and takes numbers out.
 *
 *   fen_engine_new -> load_parameters -> { micro_step x accumulation -> update } ... -> free
 *
 * Nothing is allocated during a step, and the only wait is for the statistics in `update`.
 *
 * Threads: an engine is used by one thread at a time.
 */
#pragma once

#include "core/engine/fen-plan.h"

G_BEGIN_DECLS

typedef struct _FenEngine FenEngine;

/* A micro-batch in host memory: `rows` rows of `row_tokens` tokens, all arrays (rows, row_tokens). Read during the
 * call only. doc_start/doc_end: position in the row where the token's document starts / ends (exclusive). */
typedef struct {
  gint64 rows, row_tokens;
  const gint32 *tokens;
  const gint32 *targets;             /* next token; < 0 = ignored */
  const gint32 *doc_start, *doc_end; /* both NULL = one document a row */
  const gint32 *positions;
} FenBatch;

typedef struct {
  double loss_sum; /* over the targets of all micro-steps since the last update */
  gint64 n_targets;
  double gradient_norm; /* of the mean loss, before clipping */
  gboolean skipped;     /* not finite: nothing was changed */
} FenUpdateResult;

/* Opens nothing: `device` belongs to the caller and outlives the engine. Takes both arenas (the only allocations). */
FenEngine *fen_engine_new (FenPlan *plan, FenModel *model, const FenBackend *backend, FenDevice *device,
                           GError **error);
void fen_engine_free (FenEngine *engine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenEngine, fen_engine_free)

const FenPlan *fen_engine_plan (const FenEngine *engine);

/* Reads every parameter from the model's files (or draws it from `seed`), zeroes gradients and optimizer states. */
gboolean fen_engine_load_parameters (FenEngine *engine, guint64 seed, GError **error);

/* Forward and backward of one micro-batch; gradients are added up. `grad_scale` is 1 / (number of targets of the
 * whole optimizer step), so that the sum is the gradient of the mean loss. */
gboolean fen_engine_micro_step (FenEngine *engine, const FenBatch *batch, double grad_scale, GError **error);

/* Clips, updates, zeroes the gradients and waits for the statistics. */
typedef struct {
  double learning_rate, beta1, beta2, epsilon, weight_decay, grad_clip;
  gboolean decay_all;
} FenUpdate;
gboolean fen_engine_update (FenEngine *engine, const FenUpdate *update, FenUpdateResult *result,
                            GError **error);
/* The same in two: everything is enqueued, and nothing but `end` may be called next; between them the caller has time
 * to make the next batch while a GPU is still busy with this one. */
void fen_engine_update_begin (FenEngine *engine, const FenUpdate *update);
gboolean fen_engine_update_end (FenEngine *engine, FenUpdateResult *result, GError **error);

/* Forward only: sum of the losses of the batch's targets. */
gboolean fen_engine_evaluate (FenEngine *engine, const FenBatch *batch, double *loss_sum, GError **error);

/* Forward only: logits of every token as fp32 (rows * row_tokens, vocab_size), host memory of the caller. */
gboolean fen_engine_logits (FenEngine *engine, const FenBatch *batch, float *logits, GError **error);

/* Values [first, first + n) of one parameter (of the fp32 master values when there are any), and the gradients of
 * one, as fp32 in host memory. */
gboolean fen_engine_read_param (FenEngine *engine, const FenParam *param, gint64 first, gint64 n,
                                float *values, GError **error);
gboolean fen_engine_read_gradient (FenEngine *engine, const FenParam *param, float *values, GError **error);
void fen_engine_zero_gradients (FenEngine *engine);

/* ---- state, for checkpoints ----
 * Everything that training changes on the device, as named arrays that are copied byte by byte: restoring them and
 * `update_count` gives bit for bit the same continuation. */
typedef struct {
  const char *name; /* "weights.<parameter>", "master.<parameter>", "m.<parameter>", "v.<slot>.absmax", ... */
  FenDType dtype;
  gint64 elements;
  gint64 shape[2];
  int rank;
  gboolean
      is_weight; /* belongs into model.safetensors under the parameter's name, not into optimizer.safetensors */
} FenStateTensor;

const FenStateTensor *fen_engine_state_tensors (FenEngine *engine, gsize *n_tensors);
guint64 fen_state_tensor_bytes (const FenStateTensor *tensor);
/* Copies n_bytes at first_byte of an array out or in: any ranges, so that nobody needs memory for a whole one. */
gboolean fen_engine_read_state (FenEngine *engine, const FenStateTensor *tensor, guint64 first_byte,
                                guint64 n_bytes, void *bytes, GError **error);
gboolean fen_engine_write_state (FenEngine *engine, const FenStateTensor *tensor, guint64 first_byte,
                                 guint64 n_bytes, const void *bytes, GError **error);
/* Optimizer updates made (skipped ones not counted): AdamW's t. */
gint64 fen_engine_update_count (const FenEngine *engine);
void fen_engine_set_update_count (FenEngine *engine, gint64 count);
/* fp16's loss scale (1 otherwise). */
double fen_engine_loss_scale (const FenEngine *engine);
void fen_engine_set_loss_scale (FenEngine *engine, double scale);

/* ---- generating ----
 * With a FEN_PLAN_GENERATE plan: feeds n tokens that follow those fed before, and gives the logits after the last of
 * them (vocab_size fp32). Windowed layers keep a ring of their window, others everything. */
gboolean fen_engine_feed (FenEngine *engine, const gint32 *tokens, gint64 n, float *logits, GError **error);
void fen_engine_rewind (FenEngine *engine); /* forget all tokens fed */
gint64 fen_engine_n_fed (const FenEngine *engine);

G_END_DECLS
