/* fen-cuda-attention-mma-backward-d96.cu: the shapes of the tensor-core backward pass for heads of 65 to 96 columns. */
#include "kernels/cuda/fen-cuda-attention-mma-backward-kernel.h"

FenMmaBackwardShape
fen_mma_backward_shape_96 (int shared)
{
  return fen_mma_backward::shape<96, 64, 64, 4, 1, 2, 2> ();
}
