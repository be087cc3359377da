/* fen-cuda-attention-mma-backward-d32.cu: the shapes of the tensor-core backward pass for heads of up to 32 columns. */
#include "kernels/cuda/fen-cuda-attention-mma-backward-kernel.h"

FenMmaBackwardShape
fen_mma_backward_shape_32 (int shared)
{
  return fen_mma_backward::shape<32, 128, 64, 4, 1, 2, 3> ();
}
