/* fen-cuda-supports.c: which parameters the CUDA back end takes, the scratch memory of each operation, and the kernel
 * that would run. From the shape and the properties alone: the plan asks on machines without a device.
 */
#include "kernels/cuda/fen-cuda-private.h"

#include <stdio.h>

bool
fen_cuda_supports (const FenDeviceProperties *properties, FenOp op, const void *params, FenStatus *why)
{
  if (!fen_op_check ("cuda", op, params, why))
    return false;
  if (op == FEN_OP_ATTENTION_FORWARD || op == FEN_OP_ATTENTION_BACKWARD)
    return fen_cuda_attention_supports (properties, op, params, why);
  return true;
}

uint64_t
fen_cuda_workspace_bytes (const FenDeviceProperties *properties, FenOp op, const void *params)
{
  uint64_t bytes;
  if (op == FEN_OP_GEMM)
    bytes = fen_cuda_gemm_workspace (properties, params);
  else if (op == FEN_OP_ATTENTION_FORWARD || op == FEN_OP_ATTENTION_BACKWARD)
    bytes = fen_cuda_attention_workspace (properties, op, params);
  else
    bytes = fen_cuda_pointwise_workspace (properties, op, params);
  return (bytes + 255) / 256 * 256;
}

void
fen_cuda_describe (const FenDeviceProperties *properties, FenOp op, const void *params, char *text,
                   size_t size)
{
  if (op == FEN_OP_ATTENTION_FORWARD || op == FEN_OP_ATTENTION_BACKWARD)
    fen_cuda_attention_describe (properties, op, params, text, size);
  else
    snprintf (text, size, op == FEN_OP_GEMM ? "cuda cublasLt" : "cuda");
}
