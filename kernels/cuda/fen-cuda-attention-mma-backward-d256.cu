/* fen-cuda-attention-mma-backward-d256.cu: the shapes of the tensor-core backward pass for heads of 129 to 256 columns. */
#include "kernels/cuda/fen-cuda-attention-mma-backward-kernel.h"

FenMmaBackwardShape
fen_mma_backward_shape_256 (int shared)
{
  if (shared >= 227 * 1024)
    return fen_mma_backward::shape<256, 64, 64, 4, 2, 2, 1> ();
  if (shared >= 163 * 1024)
    return fen_mma_backward::shape<256, 64, 64, 4, 2, 1, 1> ();
  return fen_mma_backward::shape<256, 32, 32, 2, 2, 1, 1> ();
}
