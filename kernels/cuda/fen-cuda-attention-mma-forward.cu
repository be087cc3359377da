/* fen-cuda-attention-mma-forward.cu: which calls the tensor-core forward takes, and in which tiles it runs them.
 *
 * Every head_dim that is a multiple of 8 runs in the next of 32, 64, 96, 128, 256 columns; those past it are zeros in
 * shared memory and are never stored. All tiles need at most 99 KB, what sm_86, sm_89 and sm_120 have.
 */
#include "kernels/cuda/fen-cuda-attention-mma-forward.h"

#include <limits.h>
#include <stdio.h>

/*                      D    N  warps blocks stages Q kept, over; resident */
typedef FenForwardShape<32, 64, 4, 2, 2, true, false, 2> Shape32;
typedef FenForwardShape<64, 64, 4, 2, 2, true, false, 2> Shape64;
typedef FenForwardShape<96, 64, 4, 2, 2, false, false, 2, true, true> Shape96;
typedef FenForwardShape<128, 64, 4, 2, 2, false, false, 2> Shape128;
typedef FenForwardShape<256, 32, 8, 1, 2, true, true, 1, true, false, 1> Shape256;

/* body (Shape ()) with the shape that runs this head_dim. */
template <typename Body>
static void
with_shape (int head_dim, Body body)
{
  if (head_dim <= 32)
    body (Shape32 ());
  else if (head_dim <= 64)
    body (Shape64 ());
  else if (head_dim <= 96)
    body (Shape96 ());
  else if (head_dim <= 128)
    body (Shape128 ());
  else
    body (Shape256 ());
}

/* Positions, tile numbers and the strides of K and V are ints in the kernel. */
static bool
small (const FenAttention *a)
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
         && fen_view_aligned (&a->v, a->dtype) && fen_view_aligned (&a->o, a->dtype) && small (a)
         && a->scale > 0 && isfinite (a->scale); /* rows are compared before they are scaled */
}

void
fen_cuda_attention_mma_forward_tiles (const FenDeviceProperties *, const FenAttention *a, char *text,
                                      size_t size)
{
  with_shape (a->head_dim, [&] (auto shape) { snprintf (text, size, "%dx%d", shape.M, shape.N); });
}

void
fen_cuda_attention_mma_forward (const FenCudaCall &call, const FenAttention *a)
{
  const FenAttentionParams p = fen_attention_params (a, NULL);
  cudaError_t error = cudaSuccess;

  if (a->batch == 0 || a->nq == 0)
    return;
  with_shape (a->head_dim, [&] (auto shape) {
    if (a->dtype == FEN_BF16)
      error = fen_forward_launch<__nv_bfloat16, decltype (shape)> (p, call.stream);
    else
      error = fen_forward_launch<__half, decltype (shape)> (p, call.stream);
  });
  if (fen_cuda_keep (call.device, error, "attention forward's shared memory"))
    call.launched ("attention forward (mma)");
}
