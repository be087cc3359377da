/* fen-op-check.c: the documented ranges of fen-backend.h, checked the same way for every back end. */
#include "kernels/fen-op-check.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void __attribute__ ((format (printf, 3, 4)))
say (FenStatus *why, FenStatusCode code, const char *format, ...)
{
  if (why == NULL)
    return;
  va_list arguments;
  va_start (arguments, format);
  why->code = code;
  vsnprintf (why->message, sizeof why->message, format, arguments);
  va_end (arguments);
}

static bool
refuse (FenStatus *why, const char *operation, const char *name, int64_t value, const char *allowed)
{
  say (why, FEN_STATUS_UNSUPPORTED, "%s: %s = %" PRId64 ", allowed: %s", operation, name, value, allowed);
  return false;
}

static bool
check_dtype (FenStatus *why, const char *operation, const char *name, FenDType dtype)
{
  if (dtype == FEN_F32 || dtype == FEN_BF16 || dtype == FEN_F16)
    return true;
  say (why, FEN_STATUS_UNSUPPORTED, "%s: %s: storage type %d, allowed: F32, BF16, F16", operation, name,
       (int)dtype);
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
      || p->rotary_dim > FEN_MAX_ROTARY)
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

static bool
attention_supported (const FenAttention *a, const FenAttentionBackward *g, FenStatus *why)
{
  const char *name = g != NULL ? "attention_backward" : "attention";
  const int64_t counts[] = { a->batch, a->nq, a->nk, a->q0, a->k0, a->window, a->sinks };
  static const char *const names[] = { "batch", "nq", "nk", "q0", "k0", "window", "sinks" };
  if (!check_dtype (why, name, "dtype", a->dtype))
    return false;
  if (a->head_dim < 1 || a->head_dim > 256)
    return refuse (why, name, "head_dim", a->head_dim, "1 to 256");
  if (a->kv_heads < 1)
    return refuse (why, name, "kv_heads", a->kv_heads, "1 and more");
  if (a->heads < 1 || a->heads % a->kv_heads != 0)
    return refuse (why, name, "heads", a->heads, "multiples of kv_heads");
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
    if (!check_count (why, name, names[i], counts[i]))
      return false;
  if (!a->doc_start != !a->doc_end)
    return refuse (why, name, "doc_end", a->doc_end != NULL, "given exactly when doc_start is");
  if (g != NULL && g->dkv_dtype != FEN_F32 && (g->accumulate || g->dkv_dtype != a->dtype))
    return refuse (why, name, "dkv_dtype", g->dkv_dtype,
                   "F32, or the storage type when dK and dV are stored");
  return true;
}

static bool
check (FenOp op, const void *params, FenStatus *why)
{
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
      return attention_supported (params, NULL, why);
    case FEN_OP_ATTENTION_BACKWARD:
      return attention_supported (&((const FenAttentionBackward *)params)->forward, params, why);
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
  say (why, FEN_STATUS_UNSUPPORTED, "there is no operation %d", (int)op);
  return false;
}

/* Who refuses goes in front, once. */
bool
fen_op_check (const char *backend, FenOp op, const void *params, FenStatus *why)
{
  FenStatus reason = { 0 };
  if (why != NULL)
    *why = reason;
  if (check (op, params, &reason))
    return true;
  say (why, reason.code, "%.20s %.450s", backend, reason.message);
  return false;
}
