/* fen-cuda-attention-mma-backward-store.h: what a warp does with its results: dQ into scratch memory, in any order or in
 * turn (-order.h); dK and dV into their rows.
 */
#pragma once

#include "kernels/cuda/fen-cuda-attention-mma-backward-order.h"
#include "kernels/cuda/fen-cuda-attention-mma-backward-shape.h"

namespace fen_mma_backward {

/* Adds 16 bytes a lane to device memory. */
__device__ __forceinline__ void
add4 (float *p, const float (&x)[4])
{
#if __CUDA_ARCH__ >= 900
  asm volatile("red.global.add.v4.f32 [%0], {%1,%2,%3,%4};" ::"l"(p), "f"(x[0]), "f"(x[1]), "f"(x[2]),
               "f"(x[3])
               : "memory");
#else
#pragma unroll
  for (int i = 0; i < 4; i++)
    asm volatile("red.global.add.f32 [%0], %1;" ::"l"(p + i), "f"(x[i]) : "memory");
#endif
}

template <class C> struct Store : Warp<C> {
  using T = typename C::T;
  using Warp<C>::a, Warp<C>::shared, Warp<C>::lane, Warp<C>::warp, Warp<C>::group, Warp<C>::half;
  using Part = float[C::MI][C::NI][4]; /* of dK or dV: the group's keys, own columns */
  static constexpr int ROW = FenSwizzle<C::D>::ROW_BYTES;

  using Warp<C>::Warp;

  /* ---- dQ ---- */

  /* Adds x to the scratch memory of its query tile, where fragments (16 queries x 8 columns) lie in the order
   * [query / 16][column / 8]. */
  __device__ __forceinline__ void
  add_query_gradient (float *dq, const float (&x)[2][C::ND][4]) const
  {
    const int wq = warp % C::WQ, wd = warp / C::WQ;
    dq += (wq * 2 * (C::D / 8) + wd * C::ND) * 128 + lane * 4;
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
      for (int n = 0; n < C::ND; n++)
        add4 (dq + (m * (C::D / 8) + n) * 128, x[m][n]);
  }

  /* The same in turn: the first stores, the last writes rows. tile: of queries. */
  __device__ __forceinline__ void
  turn_query_gradient (const Place &at, int head, int tile, float *dq, float (&x)[2][C::ND][4], int *counter,
                       Turn turn) const
  {
    const FenAttentionParams &p = a.p;
    const int wq = warp % C::WQ, wd = warp / C::WQ;
    float4 *mine = (float4 *)dq + (wq * 2 * (C::D / 8) + wd * C::ND) * 32 + lane;
    if (turn.number > 0)
      wait_turn (counter, turn.number);
    if (!turn.last)
      {
        if (turn.number > 0)
          add_query_gradient (dq, x);
        else
#pragma unroll
          for (int m = 0; m < 2; m++)
#pragma unroll
            for (int n = 0; n < C::ND; n++)
              __stcg (mine + (m * (C::D / 8) + n) * 32,
                      make_float4 (x[m][n][0], x[m][n][1], x[m][n][2], x[m][n][3]));
        return;
      }
#pragma unroll
    for (int m = 0; m < 2; m++)
      {
        if (turn.number > 0)
#pragma unroll
          for (int n = 0; n < C::ND; n++)
            {
              const float4 sum = __ldcg (mine + (m * (C::D / 8) + n) * 32);
              x[m][n][0] += sum.x, x[m][n][1] += sum.y, x[m][n][2] += sum.z, x[m][n][3] += sum.w;
            }
#pragma unroll
        for (int r = 0; r < 2; r++)
          {
            const int64_t i = (int64_t)tile * C::QN + wq * 32 + m * 16 + r * 8 + lane / 4;
            uint32_t *row = (uint32_t *)(fen_head_row<T> (p.dq, at.b, i, head) + wd * C::ND * 8) + lane % 4;
            if (i < p.mask.nq)
#pragma unroll
              for (int n = 0; n < C::ND; n++)
                if ((wd * C::ND + n) * 8 < p.head_dim)
                  row[n * 4] = fen_pack<T> (x[m][n][r * 2] * p.scale, x[m][n][r * 2 + 1] * p.scale);
          }
      }
  }

  /* ---- dK, dV ---- */

  /* Two neighbouring elements of a row of dK or dV: lanes of a quad fill a sector of 32 bytes. */
  __device__ __forceinline__ void
  store_pair (float *to, float x, float y) const
  {
    if (a.p.accumulate)
      {
        const float2 sum = *(const float2 *)to;
        x += sum.x, y += sum.y;
      }
    *(float2 *)to = make_float2 (x, y);
  }

  /* x (group's keys, own columns) into a tile of the storage type where K or V were. */
  __device__ __forceinline__ void
  stage (uint32_t to, const float (&x)[C::MI][C::NI][4], float scale) const
  {
    to += FenSwizzle<C::D>::offset (group * C::KM + lane / 4, 0) + half * C::DW * 2 + lane % 4 * 4;
#pragma unroll
    for (int m = 0; m < C::MI; m++)
#pragma unroll
      for (int n = 0; n < C::NI; n++)
#pragma unroll
        for (int r = 0; r < 2; r++)
          {
            constexpr int PERIOD = 2 * FenSwizzle<C::D>::PERIOD; /* chunks */
            store_shared ((to ^ n % PERIOD << 4) + n / PERIOD * PERIOD * 16 + (m * 16 + r * 8) * ROW,
                          fen_pack<T> (x[m][n][r * 2] * scale, x[m][n][r * 2 + 1] * scale));
          }
  }

  /* A staged tile to the rows of a view, 16 bytes a lane. */
  __device__ __forceinline__ void
  copy_out (const char *tile, const FenHeadView &view, const Place &at) const
  {
    const int rows = (int)min ((int64_t)C::KEYS, a.p.mask.nk - (int64_t)at.tile * C::KEYS);
    T *to = fen_head_row<T> (view, at.b, (int64_t)at.tile * C::KEYS, at.kv_head);
#pragma unroll 4
    for (int x = threadIdx.x; x < C::KEYS * C::D / 8; x += C::THREADS)
      {
        const int row = x / (C::D / 8), chunk = x % (C::D / 8);
        if (row < rows && chunk * 8 < a.p.head_dim)
          *(uint4 *)(to + row * view.token_stride + chunk * 8)
              = *(const uint4 *)(tile + FenSwizzle<C::D>::offset (row, chunk));
      }
  }

  __device__ __forceinline__ void
  store_staged (char *memory, const Place &at, const Part &dk, const Part &dv) const
  {
    __syncthreads (); /* nobody reads K and V any more */
    stage (shared + C::V, dv, 1);
    stage (shared + C::K, dk, a.p.scale);
    __syncthreads ();
    copy_out (memory + C::V, a.p.dv, at);
    copy_out (memory + C::K, a.p.dk, at);
  }

  __device__ __forceinline__ void
  store (const Place &at, const Part &dk, const Part &dv) const
  {
    const FenAttentionParams &p = a.p;
    const int64_t rows = p.batch * p.kv_heads * p.mask.nk;
#pragma unroll
    for (int m = 0; m < C::MI; m++)
#pragma unroll
      for (int r = 0; r < 2; r++)
        {
          const int64_t j = (int64_t)at.tile * C::KEYS + group * C::KM + m * 16 + r * 8 + lane / 4;
          if (j >= p.mask.nk)
            continue;
          const int64_t row = ((int64_t)at.b * p.kv_heads + at.kv_head) * p.mask.nk + j;
          float *parts = a.partial + at.split * 2 * rows * C::D + row * C::D;
          float *k_row = fen_head_row<float> (p.dk, at.b, j, at.kv_head);
          float *v_row = fen_head_row<float> (p.dv, at.b, j, at.kv_head);
#pragma unroll
          for (int n = 0; n < C::NI; n++)
            {
              const int column = half * C::DW + n * 8 + lane % 4 * 2;
              const float v0 = dv[m][n][r * 2], v1 = dv[m][n][r * 2 + 1];
              const float k0 = dk[m][n][r * 2] * p.scale, k1 = dk[m][n][r * 2 + 1] * p.scale;
              if (a.partial != NULL)
                {
                  *(float2 *)(parts + column) = make_float2 (v0, v1);
                  *(float2 *)(parts + rows * C::D + column) = make_float2 (k0, k1);
                }
              else if (column < p.head_dim)
                {
                  store_pair (v_row + column, v0, v1);
                  store_pair (k_row + column, k0, k1);
                }
            }
        }
  }
};

} /* namespace fen_mma_backward */
