/* fen-ops.c: one function an operation: workspace, errors, measuring.
 *
 * Running: gives the operation the phase's workspace and calls the back end. The need is asked again at each call,
 * which costs nanoseconds, so that a shape that the plan did not foresee is an error and never a write past the end.
 * Measuring: asks `supports` and keeps the largest need of the phase.
 */
#include "core/engine/fen-engine-private.h"

static const char *const op_names[] = { "matrix product",
                                        "embedding",
                                        "embedding gradient",
                                        "norm",
                                        "norm gradient",
                                        "rotary positions",
                                        "activation",
                                        "activation gradient",
                                        "bias gradient",
                                        "attention",
                                        "attention gradient",
                                        "cross-entropy",
                                        "add",
                                        "fill",
                                        "conversion",
                                        "sum",
                                        "sum of squares",
                                        "clipping",
                                        "AdamW",
                                        "8-bit AdamW" };

/* TRUE when the operation is to be called. */
static gboolean
prepare (FenOps *ops, FenOp op, const void *params)
{
  guint64 need;

  G_STATIC_ASSERT (G_N_ELEMENTS (op_names) == FEN_N_OPS);
  if (G_UNLIKELY (ops->error != NULL))
    return FALSE;
  need = ops->backend->workspace_bytes (ops->properties, op, params);
  if (ops->need != NULL)
    {
      FenStatus why = { 0 };
      ops->need[ops->phase] = MAX (ops->need[ops->phase], need);
      if (!ops->backend->supports (ops->properties, op, params, &why))
        g_set_error (&ops->error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED, "%s on %s: %s",
                     op_names[op], ops->backend->name, why.message);
      return FALSE;
    }
  if (G_UNLIKELY (need > ops->workspace_bytes))
    {
      g_set_error (&ops->error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "%s on %s needs %" G_GUINT64_FORMAT " bytes of workspace; the plan has %" G_GUINT64_FORMAT,
                   op_names[op], ops->backend->name, need, ops->workspace_bytes);
      return FALSE;
    }
  return TRUE;
}

#define WITH_WORKSPACE(function, op, Type)                                                                   \
  void fen_ops_##function (FenOps *ops, Type *params)                                                        \
  {                                                                                                          \
    params->workspace = ops->workspace;                                                                      \
    if (prepare (ops, op, params))                                                                           \
      ops->backend->function (ops->device, ops->stream, params);                                             \
  }
#define WITHOUT_WORKSPACE(function, op, Type)                                                                \
  void fen_ops_##function (FenOps *ops, Type *params)                                                        \
  {                                                                                                          \
    if (prepare (ops, op, params))                                                                           \
      ops->backend->function (ops->device, ops->stream, params);                                             \
  }

WITH_WORKSPACE (gemm, FEN_OP_GEMM, FenGemm)
WITHOUT_WORKSPACE (embedding_forward, FEN_OP_EMBEDDING_FORWARD, FenEmbeddingForward)
WITH_WORKSPACE (embedding_backward, FEN_OP_EMBEDDING_BACKWARD, FenEmbeddingBackward)
WITHOUT_WORKSPACE (norm_forward, FEN_OP_NORM_FORWARD, FenNormForward)
WITH_WORKSPACE (norm_backward, FEN_OP_NORM_BACKWARD, FenNormBackward)
WITHOUT_WORKSPACE (rope, FEN_OP_ROPE, FenRope)
WITHOUT_WORKSPACE (activation_forward, FEN_OP_ACTIVATION_FORWARD, FenActivation)
WITHOUT_WORKSPACE (activation_backward, FEN_OP_ACTIVATION_BACKWARD, FenActivation)
WITH_WORKSPACE (bias_gradient, FEN_OP_BIAS_GRADIENT, FenBiasGradient)
WITH_WORKSPACE (attention_forward, FEN_OP_ATTENTION_FORWARD, FenAttention)
WITH_WORKSPACE (attention_backward, FEN_OP_ATTENTION_BACKWARD, FenAttentionBackward)
WITHOUT_WORKSPACE (cross_entropy, FEN_OP_CROSS_ENTROPY, FenCrossEntropy)
WITHOUT_WORKSPACE (cast, FEN_OP_CAST, FenCast)
WITH_WORKSPACE (sum, FEN_OP_SUM, FenSum)
WITH_WORKSPACE (sum_squares, FEN_OP_SUM_SQUARES, FenSum)
WITHOUT_WORKSPACE (clip, FEN_OP_CLIP, FenClip)
WITHOUT_WORKSPACE (adamw, FEN_OP_ADAMW, FenAdamW)
WITHOUT_WORKSPACE (adamw8, FEN_OP_ADAMW8, FenAdamW8)

void
fen_ops_fill (FenOps *ops, FenDType dtype, void *x, gint64 n, double value)
{
  const FenFill params = { .n = n, .dtype = dtype, .x = x, .value = value };
  if (prepare (ops, FEN_OP_FILL, &params))
    ops->backend->fill (ops->device, ops->stream, &params);
}

void
fen_ops_copy (FenOps *ops, void *dst, const void *src, guint64 bytes)
{
  if (ops->error == NULL && ops->need == NULL)
    ops->backend->copy (ops->device, ops->stream, dst, src, bytes);
}
