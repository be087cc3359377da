/* fen-cpu-supports.c: which parameters the CPU back end takes, in words, and the scratch memory of each operation. */
#include "kernels/cpu/fen-cpu-private.h"
#include "kernels/fen-op-check.h"

bool
fen_cpu_supports (const FenDeviceProperties *properties, FenOp op, const void *params, FenStatus *why)
{
  if (!fen_op_check ("cpu", op, params, why))
    return false;
  if (op == FEN_OP_ATTENTION_FORWARD || op == FEN_OP_ATTENTION_BACKWARD)
    return fen_cpu_attention_supports (properties, op, params, why);
  return true;
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
