/* fen-linear.c: y = x W + b and its gradients, for weights stored either way round.
 *
 * Linear layers of llama-like models are stored (out, in), GPT-2's Conv1D (in, out). A part of the outputs, such as
 * q of a q|k|v matrix, is a block of rows of the first and of columns of the second: same GEMM, other pointer.
 */
#include "core/engine/fen-engine-private.h"

FenLinear
fen_linear (const FenStep *step, gint64 layer, FenSlotKind weight, FenSlotKind bias)
{
  return (FenLinear){ .layer = layer,
                      .weight = weight,
                      .bias = bias,
                      .begin = 0,
                      .out = fen_model_slot (step->model, layer, weight)->out };
}

static gint64
part_offset (const FenSlot *slot, const FenLinear *linear)
{
  return slot->in_out ? linear->begin : linear->begin * slot->in;
}

static const void *
part_weight (const FenStep *step, const FenSlot *slot, const FenLinear *linear)
{
  const char *weight = fen_step_weight (step, linear->layer, linear->weight);
  return weight + part_offset (slot, linear) * (gint64)fen_dtype_size (step->plan->settings.storage);
}

/* y (n, out) = [y +] x (n, in) W + b; x and, in backward, dx are contiguous. */
void
fen_linear_forward (FenStep *step, const FenLinear *linear, gint64 n, const void *x, void *y, gint64 ldy,
                    gboolean add)
{
  const FenSlot *slot = fen_model_slot (step->model, linear->layer, linear->weight);
  const FenDType dtype = step->plan->settings.storage;
  const char *bias = fen_step_weight (step, linear->layer, linear->bias);
  FenGemm gemm = { .m = n,
                   .n = linear->out,
                   .k = slot->in,
                   .trans_b = !slot->in_out,
                   .ab_dtype = dtype,
                   .c_dtype = dtype,
                   .a = x,
                   .b = part_weight (step, slot, linear),
                   .c = y,
                   .lda = slot->in,
                   .ldb = slot->in_out ? slot->out : slot->in,
                   .ldc = ldy,
                   .alpha = 1,
                   .beta = add ? 1 : 0 };
  if (bias != NULL)
    gemm.bias = bias + linear->begin * (gint64)fen_dtype_size (dtype);
  fen_ops_gemm (&step->ops, &gemm);
}

/* dx (n, in) = [dx +] dy (n, out) W^T */
void
fen_linear_backward_input (FenStep *step, const FenLinear *linear, gint64 n, const void *dy, gint64 ldy,
                           void *dx, gboolean add)
{
  const FenSlot *slot = fen_model_slot (step->model, linear->layer, linear->weight);
  const FenDType dtype = step->plan->settings.storage;
  FenGemm gemm = { .m = n,
                   .n = slot->in,
                   .k = linear->out,
                   .trans_b = slot->in_out,
                   .ab_dtype = dtype,
                   .c_dtype = dtype,
                   .a = dy,
                   .b = part_weight (step, slot, linear),
                   .c = dx,
                   .lda = ldy,
                   .ldb = slot->in_out ? slot->out : slot->in,
                   .ldc = slot->in,
                   .alpha = 1,
                   .beta = add ? 1 : 0 };
  fen_ops_gemm (&step->ops, &gemm);
}

/* dW += dy^T x (or x^T dy), db += column sums of dy */
void
fen_linear_backward_weight (FenStep *step, const FenLinear *linear, gint64 n, const void *x, const void *dy,
                            gint64 ldy)
{
  const FenSlot *slot = fen_model_slot (step->model, linear->layer, linear->weight);
  const FenDType dtype = step->plan->settings.storage;
  float *bias = fen_step_gradient (step, linear->layer, linear->bias);
  FenGemm gemm = { .m = slot->in_out ? slot->in : linear->out,
                   .n = slot->in_out ? linear->out : slot->in,
                   .k = n,
                   .trans_a = true,
                   .ab_dtype = dtype,
                   .c_dtype = FEN_F32,
                   .a = slot->in_out ? x : dy,
                   .b = slot->in_out ? dy : x,
                   .c = fen_step_gradient (step, linear->layer, linear->weight) + part_offset (slot, linear),
                   .lda = slot->in_out ? slot->in : ldy,
                   .ldb = slot->in_out ? ldy : slot->in,
                   .ldc = slot->in_out ? slot->out : slot->in,
                   .alpha = 1,
                   .beta = 1 };
  fen_ops_gemm (&step->ops, &gemm);
  if (bias != NULL)
    {
      FenBiasGradient params = {
        .rows = n, .n = linear->out, .ldy = ldy, .dtype = dtype, .dy = dy, .d_bias = bias + linear->begin
      };
      fen_ops_bias_gradient (&step->ops, &params);
    }
}
