/* fen-cuda-columns.h: sums over rows, column by column, in a fixed order and without atomics: the bias gradient, and
 * the gradients of a norm's weight and bias.
 *
 * The rows are cut into splits; each leaves its sums in fp32 in the workspace, (splits, K, width), and
 * fen_cuda_columns_finish adds them up in double. How many splits there are depends on the shape and the card alone.
 *
 *            32 lanes x N columns
 *          +---------------------+ warp 0: rows 0, 8, 16 ...
 *   split  |                     | warp 1: rows 1, 9, 17 ...      then the 8 warps' sums, in order
 *          +---------------------+
 */
#pragma once

#include "kernels/cuda/fen-cuda-vector.h"

#ifdef __CUDACC__

/* out[c] += sum over s of partials[s * stride + c], c < width; and the same of the `width` columns behind for `second`.
 * NULL: not wanted. fen-cuda-reduce.cu. */
void fen_cuda_columns_finish (const FenCudaCall &call, const float *partials, int64_t splits, int64_t stride,
                              int64_t width, float *out, float *second);

#define FEN_COLUMN_WARPS 8
#define FEN_COLUMN_BLOCKS 4 /* of 256 threads on an SM */

/* So many splits that the blocks fill the card once, or four times and the last of it matters little. */
static inline int64_t
fen_column_splits (int units, int64_t rows, int64_t width, int pack)
{
  const int64_t tiles = fen_ceil_div (width, 32 * pack),
                slots = (int64_t)FEN_COLUMN_BLOCKS * (units > 0 ? units : 1);
  const int64_t wanted = (tiles > slots / 8 ? 4 * slots : slots) / tiles;
  const int64_t most = fen_ceil_div (rows, 4 * FEN_COLUMN_WARPS), splits = wanted < most ? wanted : most;
  return splits > 1 ? splits : 1;
}

/* Op: `template <int N> struct Loaded`, `load<N> (row, column)`, `add<N> (const Loaded<N> &, float (&sums)[K][N])`. */
template <int N, int K, int U, typename Op>
__global__ void __launch_bounds__ (32 * FEN_COLUMN_WARPS)
    fen_columns_kernel (const int64_t rows, const int64_t width, const int64_t split_rows, const int tiles,
                        const Op op, float *partials)
{
  __shared__ float shared[FEN_COLUMN_WARPS][32 * N];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t split = blockIdx.x / tiles, tile0 = (int64_t)(blockIdx.x % tiles) * 32 * N;
  const int64_t column = tile0 + lane * N, begin = split * split_rows, end = min (begin + split_rows, rows);
  float sums[K][N] = {};
  if (column < width)
    for (int64_t r = begin + warp; r < end; r += FEN_COLUMN_WARPS * U)
      {
        typename Op::template Loaded<N> in[U];
#pragma unroll
        for (int u = 0; u < U; u++)
          if (r + u * FEN_COLUMN_WARPS < end)
            in[u] = op.template load<N> (r + u * FEN_COLUMN_WARPS, column);
#pragma unroll
        for (int u = 0; u < U; u++)
          if (r + u * FEN_COLUMN_WARPS < end)
            op.template add<N> (in[u], sums);
      }
#pragma unroll
  for (int k = 0; k < K; k++)
    {
      __syncthreads ();
#pragma unroll
      for (int j = 0; j < N; j++)
        shared[warp][j * 32 + lane] = sums[k][j];
      __syncthreads ();
      for (int i = threadIdx.x; i < 32 * N; i += 32 * FEN_COLUMN_WARPS)
        {
          float sum = 0;
          for (int w = 0; w < FEN_COLUMN_WARPS; w++)
            sum += shared[w][i % N * 32 + i / N];
          if (tile0 + i < width)
            partials[(split * K + k) * width + tile0 + i] = sum;
        }
    }
}

/* Fills partials, (splits, K, width), and returns how many splits there are. */
template <int N, int K, int U, typename Op>
static int64_t
fen_columns (const FenCudaCall &call, const char *name, int64_t rows, int64_t width, const Op &op,
             float *partials)
{
  const int64_t tiles = fen_ceil_div (width, 32 * N);
  const int64_t wanted = fen_column_splits (call.device->properties.units, rows, width, N);
  const int64_t split_rows = fen_ceil_div (rows, wanted), splits = fen_ceil_div (rows, split_rows);
  fen_columns_kernel<N, K, U><<<(unsigned)(tiles * splits), 32 * FEN_COLUMN_WARPS, 0, call.stream>>> (
      rows, width, split_rows, (int)tiles, op, partials);
  call.launched (name);
  return splits;
}

#endif /* __CUDACC__ */
