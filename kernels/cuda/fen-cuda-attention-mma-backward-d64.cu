/* fen-cuda-attention-mma-backward-d64.cu: the shapes of the tensor-core backward pass for heads of 33 to 64 columns. */
#include "kernels/cuda/fen-cuda-attention-mma-backward-kernel.h"

FenMmaBackwardShape
fen_mma_backward_shape_64 (int shared)
{
  if (shared >= 227 * 1024)
    return fen_mma_backward::shape<64, 128, 64, 4, 1, 2, 2> ();
  if (shared >= 163 * 1024) /* two blocks */
    return fen_mma_backward::shape<64, 128, 32, 4, 1, 2, 2> ();
  return fen_mma_backward::shape<64, 128, 64, 8, 1, 2, 1> ();
}
