/* fen-cuda-attention-mma-forward.cu: which calls the tensor-core forward takes, and in which tiles it runs them.
 *
 * Every head_dim that is a multiple of 8 runs in the next of 32, 64, 96, 128, 256 columns; those past it are zeros in
 * shared memory and are never stored.
 *
 * 32 queries a warp read K and V from shared memory half as often as 16 do, and two blocks of 4 such warps fill the
 * registers of a multiprocessor. Where its shared memory holds only one block, 8 warps of 16 queries share a tile and
 * keep Q in registers (measured on an H200 at head_dim 128: 0.78 of the rate of two blocks).
 */
#include "kernels/cuda/fen-cuda-attention-mma-forward.h"

#include <limits.h>
#include <stdio.h>

/*                      D    N  warps blocks stages; Q kept, over; resident, ahead */
typedef FenForwardShape<32, 64, 4, 2, 2, true, false, 3, 1> Shape32;
typedef FenForwardShape<64, 64, 4, 2, 2, true, false, 2, 2> Shape64;
typedef FenForwardShape<96, 64, 4, 2, 2, false, false, 2, 1> Shape96;
typedef FenForwardShape<96, 64, 8, 1, 2, true, true, 1, 2> Small96;
typedef FenForwardShape<128, 64, 4, 2, 2, false, false, 2, 1> Shape128;
typedef FenForwardShape<128, 32, 4, 2, 2, false, false, 2, 1> Middle128;
typedef FenForwardShape<128, 64, 8, 1, 2, true, true, 1, 2> Small128;
typedef FenForwardShape<256, 64, 8, 1, 2, false, false, 1, 2> Shape256;
typedef FenForwardShape<256, 32, 8, 1, 2, true, true, 1, 1> Small256;

/* Shared memory of a multiprocessor: 100 KB, 164 KB, 228 KB (CUDA C++ Programming Guide, "Compute Capabilities"). A
 * capability that is not known counts as the smallest. */
enum Memory { MEMORY_SMALL, MEMORY_MIDDLE, MEMORY_LARGE };

static Memory
memory_of (const FenDeviceProperties *properties)
{
  switch (properties->capability)
    {
    case 80:
    case 87:
      return MEMORY_MIDDLE;
    case 90:
    case 100:
    case 103:
      return MEMORY_LARGE;
    default:
      return MEMORY_SMALL;
    }
}

/* body (Shape ()) with the shape that runs this head_dim. */
template <typename Body>
static void
with_shape (const FenDeviceProperties *properties, int head_dim, Body body)
{
  const Memory memory = memory_of (properties);
  if (head_dim <= 32)
    body (Shape32 ());
  else if (head_dim <= 64)
    body (Shape64 ());
  else if (head_dim <= 96)
    memory == MEMORY_SMALL ? body (Small96 ()) : body (Shape96 ());
  else if (head_dim <= 128 && memory == MEMORY_LARGE)
    body (Shape128 ());
  else if (head_dim <= 128)
    memory == MEMORY_MIDDLE ? body (Middle128 ()) : body (Small128 ());
  else
    memory == MEMORY_LARGE ? body (Shape256 ()) : body (Small256 ());
}

/* Positions, tile numbers and the strides of K and V are ints in the kernel. */
static bool
indexed (const FenAttention *a)
{
  const int64_t limit = (int64_t)1 << 29;
  return a->nq <= limit && a->nk <= limit && a->q0 <= limit && a->k0 <= limit && a->k.token_stride <= INT_MAX
         && a->v.token_stride <= INT_MAX && a->k.token_stride >= 0 && a->v.token_stride >= 0
         && (double)a->batch * a->heads * (double)((a->nq + 63) / 64) < 2147483648.0;
}

bool
fen_cuda_attention_mma_forward_takes (const FenDeviceProperties *properties, const FenAttention *a)
{
  return properties->capability >= 80 && (a->dtype == FEN_BF16 || a->dtype == FEN_F16) && a->head_dim % 8 == 0
         && a->head_dim <= 256 && fen_view_aligned (&a->q, a->dtype) && fen_view_aligned (&a->k, a->dtype)
         && fen_view_aligned (&a->v, a->dtype) && fen_view_aligned (&a->o, a->dtype) && indexed (a)
         && a->scale > 0 && isfinite (a->scale); /* rows are compared before they are scaled */
}

void
fen_cuda_attention_mma_forward_tiles (const FenDeviceProperties *properties, const FenAttention *a,
                                      char *text, size_t size)
{
  with_shape (properties, a->head_dim,
              [&] (auto shape) { snprintf (text, size, "%dx%d", shape.M, shape.N); });
}

void
fen_cuda_attention_mma_forward (const FenCudaCall &call, const FenAttention *a)
{
  const FenAttentionParams p = fen_attention_params (a, NULL);
  cudaError_t error = cudaSuccess;

  if (a->batch == 0 || a->nq == 0)
    return;
  with_shape (&call.device->properties, a->head_dim, [&] (auto shape) {
    if (a->dtype == FEN_BF16)
      error = fen_forward_launch<__nv_bfloat16, decltype (shape)> (p, call.stream);
    else
      error = fen_forward_launch<__half, decltype (shape)> (p, call.stream);
  });
  if (fen_cuda_keep (call.device, error, "attention forward's shared memory"))
    call.launched ("attention forward (mma)");
}
