/* fen-head.c: final norm, LM head, loss and its gradient, a block of tokens at a time.
 *
 * Logits of `head_rows` tokens exist at once, never (N, vocab): for each block the norm, the logits, the loss fused
 * with its gradient in the logits' place, both products with it, and the norm's gradient. The residual gradient's
 * buffer first holds the norm's output, then the gradient that replaces it: dW is made before it goes.
 *
 * The products take the head's rows of zeros along (FEN_VOCAB_ALIGN): logits behind the vocabulary are ignored by the
 * loss, which leaves 0 there as their gradient, so dx gains 0 * 0 and those rows' dW stays 0.
 */
#include "core/engine/fen-engine-private.h"

typedef struct {
  gint64 begin, n; /* tokens of the batch */
  char *x;         /* (n, hidden): what was normalised */
  char *dx;        /* (n, hidden): the norm's output, then dx */
  FenNormForward norm;
} HeadBlock;

static void
norm_block (FenStep *step, HeadBlock *block)
{
  const FenModelConfig *m = step->config;
  const FenDType dtype = step->plan->settings.storage;
  const gint64 offset = block->begin * m->hidden * (gint64)fen_dtype_size (dtype);
  char *x = fen_step_buffer (step, FEN_STEP_X_FINAL);

  block->dx = (char *)fen_step_buffer (step, FEN_STEP_DX) + offset;
  block->norm = (FenNormForward){ .kind = m->norm,
                                  .rows = block->n,
                                  .width = m->hidden,
                                  .dtype = dtype,
                                  .epsilon = (float)m->norm_epsilon,
                                  .weight = fen_step_weight (step, -1, FEN_SLOT_FINAL_NORM_WEIGHT),
                                  .bias = fen_step_weight (step, -1, FEN_SLOT_FINAL_NORM_BIAS),
                                  .y = block->dx,
                                  .mean = fen_step_buffer (step, FEN_STEP_HEAD_MEAN),
                                  .rstd = fen_step_buffer (step, FEN_STEP_HEAD_RSTD) };
  if (x != NULL)
    block->norm.x = block->x = x + offset;
  else
    {
      /* Resident: the last MLP's output lies where dx will be; the sum is needed for this block only. */
      char *xmid = fen_step_layer_buffer (step, FEN_PASS_FORWARD, m->layers - 1, FEN_LAYER_XMID);
      block->norm.x = xmid + offset;
      block->norm.delta = block->dx;
      block->norm.sum = block->x = fen_step_buffer (step, FEN_STEP_HEAD_X);
    }
  fen_ops_norm_forward (&step->ops, &block->norm);
}

/* `columns` is the vocabulary or, with it, the rows of zeros. */
static FenGemm
logits_gemm (const FenStep *step, gint64 n, gint64 columns, const void *x, void *logits, FenDType dtype)
{
  const FenModelConfig *m = step->config;
  return (FenGemm){ .m = n,
                    .n = columns,
                    .k = m->hidden,
                    .trans_b = true,
                    .ab_dtype = step->plan->settings.storage,
                    .c_dtype = dtype,
                    .a = x,
                    .b = fen_step_weight (step, -1, FEN_SLOT_LM_HEAD),
                    .c = logits,
                    .lda = m->hidden,
                    .ldb = m->hidden,
                    .ldc = columns,
                    .alpha = 1 };
}

static void
backward_block (FenStep *step, const HeadBlock *block, const void *d_logits, gint64 ld)
{
  const FenModelConfig *m = step->config;
  const FenDType dtype = step->plan->settings.storage;
  FenGemm weight = { .m = ld,
                     .n = m->hidden,
                     .k = block->n,
                     .trans_a = true,
                     .ab_dtype = dtype,
                     .c_dtype = FEN_F32,
                     .a = d_logits,
                     .b = block->dx,
                     .c = fen_step_gradient (step, -1, FEN_SLOT_LM_HEAD),
                     .lda = ld,
                     .ldb = m->hidden,
                     .ldc = m->hidden,
                     .alpha = 1,
                     .beta = 1 };
  FenGemm input = { .m = block->n,
                    .n = m->hidden,
                    .k = ld,
                    .ab_dtype = dtype,
                    .c_dtype = dtype,
                    .a = d_logits,
                    .b = fen_step_weight (step, -1, FEN_SLOT_LM_HEAD),
                    .c = block->dx,
                    .lda = ld,
                    .ldb = m->hidden,
                    .ldc = m->hidden,
                    .alpha = 1 };
  FenNormBackward norm = { .kind = m->norm,
                           .rows = block->n,
                           .width = m->hidden,
                           .dtype = dtype,
                           .dy = block->dx,
                           .x = block->x,
                           .weight = block->norm.weight,
                           .mean = block->norm.mean,
                           .rstd = block->norm.rstd,
                           .dx = block->dx,
                           .d_weight = fen_step_gradient (step, -1, FEN_SLOT_FINAL_NORM_WEIGHT),
                           .d_bias = fen_step_gradient (step, -1, FEN_SLOT_FINAL_NORM_BIAS) };

  fen_ops_gemm (&step->ops, &weight);
  fen_ops_gemm (&step->ops, &input);
  fen_ops_norm_backward (&step->ops, &norm);
}

static void
loss_block (FenStep *step, const HeadBlock *block, const FenHeadRun *run)
{
  const FenDType dtype = step->plan->settings.storage;
  const gint64 ld = fen_plan_logits_ld (step->plan);
  const gint32 *targets = fen_step_buffer (step, FEN_STEP_TARGETS);
  void *logits = fen_step_buffer (step, FEN_STEP_LOGITS);
  FenGemm gemm = logits_gemm (step, block->n, ld, block->dx, logits, dtype);
  FenCrossEntropy loss = { .rows = block->n,
                           .vocab = step->config->vocab_size,
                           .ld = ld,
                           .dtype = dtype,
                           .logits = logits,
                           .targets = targets + block->begin,
                           .losses = fen_step_buffer (step, FEN_STEP_LOSSES),
                           .grad_scale = (float)run->grad_scale,
                           .gradient = run->gradient };
  FenSum sum = { .n = block->n, .dtype = FEN_F32, .x = loss.losses, .sum = run->loss_sum };

  fen_ops_gemm (&step->ops, &gemm);
  fen_ops_cross_entropy (&step->ops, &loss);
  fen_ops_sum (&step->ops, &sum);
  if (run->gradient)
    backward_block (step, block, logits, ld);
}

/* fp32 logits of a block, in pieces that the logits' buffer holds. */
static void
read_block (FenStep *step, const HeadBlock *block, float *host)
{
  const FenPlan *plan = step->plan;
  const gint64 vocab = step->config->vocab_size, hidden = step->config->hidden;
  const gsize size = fen_dtype_size (plan->settings.storage);
  const gint64 capacity = plan->settings.head_rows * fen_plan_logits_ld (plan) * (gint64)size;
  const gint64 rows = MAX (1, capacity / (vocab * 4));
  float *logits = fen_step_buffer (step, FEN_STEP_LOGITS);

  for (gint64 i = 0; i < block->n; i += rows)
    {
      gint64 n = MIN (rows, block->n - i);
      FenGemm gemm = logits_gemm (step, n, vocab, block->dx + i * hidden * (gint64)size, logits, FEN_F32);
      fen_ops_gemm (&step->ops, &gemm);
      fen_ops_copy (&step->ops, host + (block->begin + i) * vocab, logits, (guint64)(n * vocab) * 4);
    }
}

void
fen_head_run (FenStep *step, const FenHeadRun *run)
{
  const gint64 all = step->rows * step->row_tokens, rows = step->plan->settings.head_rows;

  fen_step_enter (step, fen_plan_head_phase (step->plan));
  for (gint64 begin = 0; begin < all; begin += rows)
    {
      HeadBlock block = { .begin = begin, .n = MIN (rows, all - begin) };
      /* Measuring: a full block and the last one. */
      if (step->measuring && begin > 0 && begin + rows < all)
        continue;
      norm_block (step, &block);
      if (run->logits != NULL)
        read_block (step, &block, run->logits);
      else
        loss_block (step, &block, run);
    }
}

void
fen_head_logits_row (FenStep *step, const void *x, float *logits)
{
  FenGemm gemm = logits_gemm (step, 1, step->config->vocab_size, x, logits, FEN_F32);
  fen_ops_gemm (&step->ops, &gemm);
}
