/* fen-cpu-supports.c: which parameters the CPU back end takes, in words, and the scratch memory of each operation.
 *
 * The device asks `supports` before each call too: a caller's error is then a message of `check` instead of wrong
 * arithmetic or a write out of bounds.
 */
#include "kernels/cpu/fen-cpu-private.h"

#include <inttypes.h>
#include <limits.h>

static bool
refuse (FenStatus *why, const char *operation, const char *name, int64_t value, const char *allowed)
{
  fen_cpu_status (why, FEN_STATUS_UNSUPPORTED, "cpu %s: %s = %" PRId64 ", allowed: %s", operation, name,
                  value, allowed);
  return false;
}

static bool
check_dtype (FenStatus *why, const char *operation, const char *name, FenDType dtype)
{
  if (dtype == FEN_F32 || dtype == FEN_BF16 || dtype == FEN_F16)
    return true;
  fen_cpu_status (why, FEN_STATUS_UNSUPPORTED, "cpu %s: %s: storage type %d, allowed: F32, BF16, F16",
                  operation, name, (int)dtype);
  return false;
}

/* Rows and counts may be 0: nothing is done then. */
static bool
check_count (FenStatus *why, const char *operation, const char *name, int64_t value)
{
  return (value >= 0 && value <= INT64_MAX / 64) || refuse (why, operation, name, value, "0 to 2^57");
}

static bool
check_width (FenStatus *why, const char *operation, const char *name, int64_t value)
{
  return (value >= 1 && value <= INT_MAX) || refuse (why, operation, name, value, "1 to 2^31 - 1");
}

static bool
gemm_supported (const FenGemm *p, FenStatus *why)
{
  const int64_t a_width = p->trans_a ? p->m : p->k, b_width = p->trans_b ? p->k : p->n;
  if (!check_dtype (why, "gemm", "ab_dtype", p->ab_dtype)
      || !check_dtype (why, "gemm", "c_dtype", p->c_dtype))
    return false;
  if (p->c_dtype != p->ab_dtype && p->c_dtype != FEN_F32)
    return refuse (why, "gemm", "c_dtype", p->c_dtype, "ab_dtype or F32");
  if (p->m < 0 || p->m > INT_MAX)
    return refuse (why, "gemm", "m", p->m, "0 to 2^31 - 1");
  if (p->n < 0 || p->n > INT_MAX)
    return refuse (why, "gemm", "n", p->n, "0 to 2^31 - 1");
  if (p->k < 0 || p->k > INT_MAX)
    return refuse (why, "gemm", "k", p->k, "0 to 2^31 - 1");
  if (p->lda < a_width || p->lda > INT_MAX)
    return refuse (why, "gemm", "lda", p->lda, "the stored width of A to 2^31 - 1");
  if (p->ldb < b_width || p->ldb > INT_MAX)
    return refuse (why, "gemm", "ldb", p->ldb, "the stored width of B to 2^31 - 1");
  return (p->ldc >= p->n && p->ldc <= INT_MAX) || refuse (why, "gemm", "ldc", p->ldc, "n to 2^31 - 1");
}

static bool
rope_supported (const FenRope *p, FenStatus *why)
{
  if (!check_dtype (why, "rope", "dtype", p->dtype) || !check_count (why, "rope", "rows", p->rows)
      || !check_width (why, "rope", "heads", p->heads) || !check_width (why, "rope", "head_dim", p->head_dim))
    return false;
  if (p->rotary_dim < 2 || p->rotary_dim % 2 != 0 || p->rotary_dim > p->head_dim
      || p->rotary_dim > FEN_CPU_MAX_ROTARY)
    return refuse (why, "rope", "rotary_dim", p->rotary_dim, "even, 2 to head_dim and 1024");
  return true;
}

static bool
activation_supported (const FenActivation *p, FenStatus *why)
{
  if (!check_dtype (why, "activation", "dtype", p->dtype) || !check_count (why, "activation", "rows", p->rows)
      || !check_width (why, "activation", "width", p->width))
    return false;
  if (p->kind < FEN_GELU_TANH || p->kind > FEN_RELU)
    return refuse (why, "activation", "kind", p->kind, "GELU (tanh, erf), SiLU, ReLU");
  return p->ldx >= (p->gated ? 2 : 1) * p->width
         || refuse (why, "activation", "ldx", p->ldx, "width, or 2 * width when gated, and more");
}

static bool
cast_supported (const FenCast *p, FenStatus *why)
{
  return check_dtype (why, "cast", "src_dtype", p->src_dtype)
         && check_dtype (why, "cast", "dst_dtype", p->dst_dtype) && check_count (why, "cast", "n", p->n);
}

static bool
norm_supported (const char *name, FenNormKind kind, FenDType dtype, int64_t rows, int64_t width,
                FenStatus *why)
{
  if (kind != FEN_NORM_LAYER && kind != FEN_NORM_RMS)
    return refuse (why, name, "kind", kind, "LayerNorm, RMSNorm");
  return check_dtype (why, name, "dtype", dtype) && check_count (why, name, "rows", rows)
         && check_width (why, name, "width", width);
}

static bool
cross_entropy_supported (const FenCrossEntropy *p, FenStatus *why)
{
  if (!check_dtype (why, "cross_entropy", "dtype", p->dtype)
      || !check_count (why, "cross_entropy", "rows", p->rows)
      || !check_width (why, "cross_entropy", "vocab", p->vocab))
    return false;
  return p->ld >= p->vocab || refuse (why, "cross_entropy", "ld", p->ld, "vocab and more");
}

static bool
bias_gradient_supported (const FenBiasGradient *p, FenStatus *why)
{
  if (!check_dtype (why, "bias_gradient", "dtype", p->dtype)
      || !check_count (why, "bias_gradient", "rows", p->rows)
      || !check_width (why, "bias_gradient", "n", p->n))
    return false;
  return p->ldy >= p->n || refuse (why, "bias_gradient", "ldy", p->ldy, "n and more");
}

static bool
adamw_supported (const char *name, FenDType dtype, const float *master, int64_t n, FenStatus *why)
{
  if (!check_dtype (why, name, "dtype", dtype) || !check_count (why, name, "n", n))
    return false;
  return true;
}

bool
fen_cpu_supports (const FenDeviceProperties *properties, FenOp op, const void *params, FenStatus *why)
{
  if (why != NULL)
    *why = (FenStatus){ 0 };
  switch (op)
    {
    case FEN_OP_GEMM:
      return gemm_supported (params, why);
      case FEN_OP_EMBEDDING_FORWARD: {
        const FenEmbeddingForward *p = params;
        return check_dtype (why, "embedding", "dtype", p->dtype)
               && check_count (why, "embedding", "rows", p->rows)
               && check_width (why, "embedding", "width", p->width);
      }
      case FEN_OP_EMBEDDING_BACKWARD: {
        const FenEmbeddingBackward *p = params;
        return check_dtype (why, "embedding_backward", "dtype", p->dtype)
               && check_count (why, "embedding_backward", "rows", p->rows)
               && check_width (why, "embedding_backward", "width", p->width);
      }
      case FEN_OP_NORM_FORWARD: {
        const FenNormForward *p = params;
        return norm_supported ("norm", p->kind, p->dtype, p->rows, p->width, why);
      }
      case FEN_OP_NORM_BACKWARD: {
        const FenNormBackward *p = params;
        return norm_supported ("norm_backward", p->kind, p->dtype, p->rows, p->width, why);
      }
    case FEN_OP_ROPE:
      return rope_supported (params, why);
    case FEN_OP_ACTIVATION_FORWARD:
    case FEN_OP_ACTIVATION_BACKWARD:
      return activation_supported (params, why);
    case FEN_OP_BIAS_GRADIENT:
      return bias_gradient_supported (params, why);
    case FEN_OP_ATTENTION_FORWARD:
    case FEN_OP_ATTENTION_BACKWARD:
      return fen_cpu_attention_supports (properties, op, params, why);
    case FEN_OP_CROSS_ENTROPY:
      return cross_entropy_supported (params, why);
      case FEN_OP_ADD: {
        const FenAdd *p = params;
        return check_dtype (why, "add", "dtype", p->dtype) && check_count (why, "add", "n", p->n);
      }
      case FEN_OP_FILL: {
        const FenFill *p = params;
        if (p->dtype < FEN_F32 || p->dtype > FEN_U8)
          return refuse (why, "fill", "dtype", p->dtype, "a FenDType");
        return check_count (why, "fill", "n", p->n);
      }
    case FEN_OP_CAST:
      return cast_supported (params, why);
    case FEN_OP_SUM:
      case FEN_OP_SUM_SQUARES: {
        const FenSum *p = params;
        return check_dtype (why, "sum", "dtype", p->dtype) && check_count (why, "sum", "n", p->n);
      }
    case FEN_OP_CLIP:
      return true;
      case FEN_OP_ADAMW: {
        const FenAdamW *p = params;
        return adamw_supported ("adamw", p->dtype, p->master, p->n, why);
      }
      case FEN_OP_ADAMW8: {
        const FenAdamW8 *p = params;
        return adamw_supported ("adamw8", p->dtype, p->master, p->n, why);
      }
    case FEN_N_OPS:
      break;
    }
  fen_cpu_status (why, FEN_STATUS_UNSUPPORTED, "cpu: there is no operation %d", (int)op);
  return false;
}

uint64_t
fen_cpu_workspace_bytes (const FenDeviceProperties *properties, FenOp op, const void *params)
{
  const uint64_t threads = (uint64_t)properties->units;
  uint64_t bytes = 0;
  if (op == FEN_OP_GEMM)
    bytes = fen_cpu_gemm_workspace (properties, params);
  else if (op == FEN_OP_ATTENTION_FORWARD || op == FEN_OP_ATTENTION_BACKWARD)
    bytes = fen_cpu_attention_workspace (properties, op, params);
  else if (op == FEN_OP_NORM_BACKWARD)
    {
      const FenNormBackward *p = params;
      const uint64_t blocks = (uint64_t)fen_cpu_row_blocks (p->rows);
      bytes = (2 * blocks * sizeof (double) + 2 * threads * sizeof (float)) * (uint64_t)p->width;
    }
  else if (op == FEN_OP_BIAS_GRADIENT)
    {
      const FenBiasGradient *p = params;
      const uint64_t blocks = (uint64_t)fen_cpu_row_blocks (p->rows);
      bytes = (blocks * sizeof (double) + threads * sizeof (float)) * (uint64_t)p->n;
    }
  else if (op == FEN_OP_SUM || op == FEN_OP_SUM_SQUARES)
    bytes = (uint64_t)fen_cpu_ceil_div (((const FenSum *)params)->n, FEN_CPU_SUM_BLOCK) * sizeof (double);
  return fen_cpu_align (bytes);
}
