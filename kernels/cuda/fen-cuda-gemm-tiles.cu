/* fen-cuda-gemm-tiles.cu: a plain tiled matrix product, for what cuBLASLt has no algorithm for.
 *
 * Shapes, types or alignments that cuBLASLt's heuristics turn down on some card or in some version must still come out
 * right, so this kernel takes everything that fen-backend.h documents. It is not meant to be fast: fp32 multiply-adds
 * out of shared memory, no tensor cores.
 *
 *        STEP            TILE              A block computes one TILE x TILE tile of C, then the next of its grid's
 *      +------+    +-------------+         stride: the number of tiles may exceed a grid. A thread holds 4 x 4 sums,
 * TILE |  A   | *  |  B          | STEP    16 rows and 16 columns apart, so that neighbours read and write
 *      +------+    +-------------+         neighbouring columns.
 */
#include "kernels/cuda/fen-cuda-gemm.h"

#define TILE 64
#define STEP 16
#define THREADS 256
#define EACH (TILE / 16)

/* rows [row, row + TILE) x inner [l0, l0 + STEP) of op(X) into tile[inner][row], zeros outside. `transposed`: X is stored
 * (inner, rows). Threads run along whatever lies contiguous in memory. */
template <typename T>
__device__ __forceinline__ void
load_tile (float (*tile)[TILE + 1], const T *x, int64_t ld, bool transposed, int64_t row, int64_t rows,
           int64_t l0, int64_t inner)
{
  for (int e = threadIdx.x; e < TILE * STEP; e += THREADS)
    {
      const int r = transposed ? e % TILE : e / STEP, l = transposed ? e / TILE : e % STEP;
      const bool inside = row + r < rows && l0 + l < inner;
      const int64_t at = transposed ? (l0 + l) * ld + row + r : (row + r) * ld + l0 + l;
      tile[l][r] = inside ? fen_load (x[at]) : 0.0f;
    }
}

template <typename T, typename C>
__device__ __forceinline__ void
store_tile (const FenGemm &p, const float (&sums)[EACH][EACH], int64_t row, int64_t column)
{
  const T *bias = (const T *)p.bias;
  for (int i = 0; i < EACH; i++)
    for (int j = 0; j < EACH; j++)
      {
        const int64_t r = row + threadIdx.x / 16 + 16 * i, c = column + threadIdx.x % 16 + 16 * j;
        if (r >= p.m || c >= p.n)
          continue;
        C *out = (C *)p.c + r * p.ldc + c;
        float value = p.alpha * sums[i][j];
        if (p.beta != 0)
          value += p.beta * fen_load (*out);
        if (bias != NULL)
          value += fen_load (bias[c]);
        *out = fen_store<C> (value);
      }
}

template <typename T, typename C>
__global__ void
__launch_bounds__ (THREADS) gemm_tiles (const FenGemm p, int64_t tiles, int64_t tiles_n)
{
  __shared__ float a[STEP][TILE + 1], b[STEP][TILE + 1];
  for (int64_t index = blockIdx.x; index < tiles; index += gridDim.x)
    {
      const int64_t row = index / tiles_n * TILE, column = index % tiles_n * TILE;
      float sums[EACH][EACH] = {};
      for (int64_t l0 = 0; l0 < p.k; l0 += STEP)
        {
          load_tile (a, (const T *)p.a, p.lda, p.trans_a, row, p.m, l0, p.k);
          load_tile (b, (const T *)p.b, p.ldb, !p.trans_b, column, p.n, l0, p.k);
          __syncthreads ();
#pragma unroll
          for (int l = 0; l < STEP; l++)
#pragma unroll
            for (int i = 0; i < EACH; i++)
#pragma unroll
              for (int j = 0; j < EACH; j++)
                sums[i][j]
                    = fmaf (a[l][threadIdx.x / 16 + 16 * i], b[l][threadIdx.x % 16 + 16 * j], sums[i][j]);
          __syncthreads (); /* before the next step overwrites the tiles */
        }
      store_tile<T, C> (p, sums, row, column);
    }
}

template <typename T, typename C>
__global__ void
gemm_begin (const FenGemm p)
{
  const int64_t column = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  if (column >= p.n)
    return;
  const float bias = p.bias != NULL ? fen_load (((const T *)p.bias)[column]) : 0.0f;
  for (int64_t row = blockIdx.y; row < p.m; row += gridDim.y)
    {
      C *c = (C *)p.c + row * p.ldc + column;
      *c = fen_store<C> (p.beta != 0 ? p.beta * fen_load (*c) + bias : bias);
    }
}

/* body (T (), C ()) with the types of A, B and bias, and of C. */
template <typename Body>
static void
dispatch (const FenGemm *p, Body body)
{
  fen_cuda_dispatch (p->ab_dtype, [&] (auto type) {
    if (p->c_dtype == FEN_F32)
      body (type, float ());
    else
      body (type, type);
  });
}

void
fen_cuda_gemm_begin (const FenCudaCall &call, const FenGemm *p)
{
  const dim3 grid ((unsigned)((p->n + 255) / 256), (unsigned)(p->m < 65535 ? p->m : 65535));
  dispatch (p, [&] (auto ab, auto c) {
    gemm_begin<decltype (ab), decltype (c)><<<grid, 256, 0, call.stream>>> (*p);
  });
  call.launched ("matrix product: bias");
}

void
fen_cuda_gemm_tiles (const FenCudaCall &call, const FenGemm *p)
{
  const int64_t tiles_n = (p->n + TILE - 1) / TILE, tiles = (p->m + TILE - 1) / TILE * tiles_n;
  const unsigned blocks = (unsigned)(tiles < INT32_MAX ? tiles : INT32_MAX);
  dispatch (p, [&] (auto ab, auto c) {
    gemm_tiles<decltype (ab), decltype (c)><<<blocks, THREADS, 0, call.stream>>> (*p, tiles, tiles_n);
  });
  call.launched ("matrix product: tiles");
}
