/* fen-cuda-attention-mma-backward-d128.cu: the shapes of the tensor-core backward pass for heads of 97 to 128 columns. */
#include "kernels/cuda/fen-cuda-attention-mma-backward-kernel.h"

FenMmaBackwardShape
fen_mma_backward_shape_128 (int shared)
{
  if (shared >= 227 * 1024)
    return fen_mma_backward::shape<128, 128, 64, 4, 2, 2, 1> ();
  if (shared >= 163 * 1024) /* two blocks */
    return fen_mma_backward::shape<128, 64, 32, 4, 1, 2, 2> ();
  return fen_mma_backward::shape<128, 64, 32, 4, 2, 2, 1> ();
}
