/* fen-cuda-attention-simt.h: the pieces of the generic attention kernels: tiles in shared memory as fp32, and the three
 * products on them.
 *
 * A block is 8 lanes across (tx) and TY down (ty), so that a warp is 8 x 4: of its 16-byte reads of two tiles, 4 rows
 * of one and 8 of the other, each takes one pass over the 32 banks (a pitch of D + 4 floats puts neighbouring rows 4
 * banks apart).
 *
 *   scores    S (M, N)  = A (M, D) B (N, D)^T      a thread has rows ty + TY i, columns tx + 8 j
 *   rows      O (M, D) += P (M, N) X (N, D)        rows ty + TY i, elements tx * 4 + 32 c ..
 *   columns   G (N, D) += P (M, N)^T X (M, D)      rows ty * RK .., elements tx * 4 + 32 c ..
 *
 * D is head_dim rounded up to 64; what lies behind head_dim is 0.
 */
#pragma once

#include "kernels/cuda/fen-cuda-attention.h"

#include <type_traits>

#define FEN_SIMT_LANES 8

template <int D> constexpr int fen_simt_pitch = D + 4;

__device__ __forceinline__ float
fen_simt_element (FenDType dtype, const void *data, int64_t at)
{
  if (dtype == FEN_BF16)
    return fen_load (((const __nv_bfloat16 *)data)[at]);
  if (dtype == FEN_F16)
    return fen_load (((const __half *)data)[at]);
  return ((const float *)data)[at];
}

/* Eight 16-bit values, 16-byte aligned, as fp32. */
__device__ __forceinline__ void
fen_simt_widen (FenDType dtype, const void *from, float4 &low, float4 &high)
{
  float x[8];
  if (dtype == FEN_BF16)
    {
      const FenVec<__nv_bfloat16> v = *(const FenVec<__nv_bfloat16> *)from;
#pragma unroll
      for (int i = 0; i < 8; i++)
        x[i] = fen_load (v.x[i]);
    }
  else
    {
      const FenVec<__half> v = *(const FenVec<__half> *)from;
#pragma unroll
      for (int i = 0; i < 8; i++)
        x[i] = fen_load (v.x[i]);
    }
  low = make_float4 (x[0], x[1], x[2], x[3]);
  high = make_float4 (x[4], x[5], x[6], x[7]);
}

/* Tokens [t0, t0 + n) of a head into a tile of ROWS rows; 0 behind them and behind head_dim. `aligned`: rows may be
 * read 16 bytes at a time, and head_dim is a multiple of what fits. */
template <int ROWS, int D, int TY>
__device__ __forceinline__ void
fen_simt_load (float *tile, FenDType dtype, bool aligned, const FenHeadView &view, int64_t b, int64_t t0,
               int64_t h, int n, int head_dim)
{
  constexpr int pitch = fen_simt_pitch<D>;
  const int tx = threadIdx.x % FEN_SIMT_LANES, ty = threadIdx.x / FEN_SIMT_LANES;
  const int64_t base = b * view.batch_stride + t0 * view.token_stride + h * view.head_stride;
  const float4 zero = make_float4 (0, 0, 0, 0);

  if (aligned && dtype == FEN_F32)
    {
      /* Several reads on the way before the first is written. */
      constexpr int across = D / (FEN_SIMT_LANES * 4),
                    down = (ROWS / TY) * across > 8 ? 8 / across + 1 : ROWS / TY;
      const float *rows = (const float *)view.data + base + tx * 4;
#pragma unroll 1
      for (int r = ty; r < ROWS; r += TY * down)
        {
          float4 x[down][across];
#pragma unroll
          for (int i = 0; i < down; i++)
#pragma unroll
            for (int c = 0; c < across; c++)
              {
                const int at = r + i * TY, e = c * FEN_SIMT_LANES * 4;
                x[i][c] = at < n && e + tx * 4 < head_dim
                              ? *(const float4 *)(rows + at * view.token_stride + e)
                              : zero;
              }
#pragma unroll
          for (int i = 0; i < down; i++)
#pragma unroll
            for (int c = 0; c < across; c++)
              if (ROWS % (TY * down) == 0 || r + i * TY < ROWS)
                *(float4 *)(tile + (r + i * TY) * pitch + tx * 4 + c * FEN_SIMT_LANES * 4) = x[i][c];
        }
    }
  else if (aligned)
    for (int r = ty; r < ROWS; r += TY)
      {
        const uint16_t *row = (const uint16_t *)view.data + base + r * view.token_stride;
#pragma unroll
        for (int e = tx * 8; e < D; e += FEN_SIMT_LANES * 8)
          {
            float4 low = zero, high = zero;
            if (r < n && e < head_dim)
              fen_simt_widen (dtype, row + e, low, high);
            *(float4 *)(tile + r * pitch + e) = low;
            *(float4 *)(tile + r * pitch + e + 4) = high;
          }
      }
  else
    for (int r = ty; r < ROWS; r += TY)
      for (int e = tx; e < D; e += FEN_SIMT_LANES)
        tile[r * pitch + e] = r < n && e < head_dim
                                  ? fen_simt_element (dtype, view.data, base + r * view.token_stride + e)
                                  : 0;
}

/* Four elements e .. e + 3 of row (b, t, h), as far as head_dim goes; added to what is there when `add` (F32). */
__device__ __forceinline__ void
fen_simt_store (FenDType dtype, bool add, const FenHeadView &view, int64_t b, int64_t t, int64_t h, int e,
                int head_dim, const float *x)
{
  const int64_t at = b * view.batch_stride + t * view.token_stride + h * view.head_stride + e;
#pragma unroll
  for (int i = 0; i < 4; i++)
    {
      if (e + i >= head_dim)
        return;
      if (dtype == FEN_BF16)
        ((__nv_bfloat16 *)view.data)[at + i] = fen_store<__nv_bfloat16> (x[i]);
      else if (dtype == FEN_F16)
        ((__half *)view.data)[at + i] = fen_store<__half> (x[i]);
      else
        ((float *)view.data)[at + i] = add ? ((const float *)view.data)[at + i] + x[i] : x[i];
    }
}

/* s = a b^T over head_dim (rounded up to 4). */
template <int RM, int RN, int D, int TY>
__device__ __forceinline__ void
fen_simt_scores (const float *a, const float *b, int head_dim, float (&s)[RM][RN])
{
  constexpr int pitch = fen_simt_pitch<D>;
  a += threadIdx.x / FEN_SIMT_LANES * pitch;
  b += threadIdx.x % FEN_SIMT_LANES * pitch;
#pragma unroll
  for (int i = 0; i < RM; i++)
#pragma unroll
    for (int j = 0; j < RN; j++)
      s[i][j] = 0;
#pragma unroll 2
  for (int e = 0; e < head_dim; e += 4)
    {
      float4 x[RM];
#pragma unroll
      for (int i = 0; i < RM; i++)
        x[i] = *(const float4 *)(a + i * TY * pitch + e);
#pragma unroll
      for (int j = 0; j < RN; j++)
        {
          const float4 y = *(const float4 *)(b + j * FEN_SIMT_LANES * pitch + e);
#pragma unroll
          for (int i = 0; i < RM; i++)
            {
              s[i][j] = fmaf (x[i].x, y.x, s[i][j]);
              s[i][j] = fmaf (x[i].y, y.y, s[i][j]);
              s[i][j] = fmaf (x[i].z, y.z, s[i][j]);
              s[i][j] = fmaf (x[i].w, y.w, s[i][j]);
            }
        }
    }
}

/* A thread's part of P (M, N), which has a pitch of N + 4. */
template <int RM, int RN, int TY>
__device__ __forceinline__ void
fen_simt_spread (float *p, const float (&s)[RM][RN])
{
  constexpr int pitch = RN * FEN_SIMT_LANES + 4;
  p += threadIdx.x / FEN_SIMT_LANES * pitch + threadIdx.x % FEN_SIMT_LANES;
#pragma unroll
  for (int i = 0; i < RM; i++)
#pragma unroll
    for (int j = 0; j < RN; j++)
      p[i * TY * pitch + j * FEN_SIMT_LANES] = s[i][j];
}

template <int R, int D>
__device__ __forceinline__ void
fen_simt_multiply (const float (&p)[R], const float *x, float (&o)[R][D / FEN_SIMT_LANES])
{
#pragma unroll
  for (int c = 0; c < D / (FEN_SIMT_LANES * 4); c++)
    {
      const float4 v = *(const float4 *)(x + c * FEN_SIMT_LANES * 4);
#pragma unroll
      for (int i = 0; i < R; i++)
        {
          o[i][c * 4] = fmaf (p[i], v.x, o[i][c * 4]);
          o[i][c * 4 + 1] = fmaf (p[i], v.y, o[i][c * 4 + 1]);
          o[i][c * 4 + 2] = fmaf (p[i], v.z, o[i][c * 4 + 2]);
          o[i][c * 4 + 3] = fmaf (p[i], v.w, o[i][c * 4 + 3]);
        }
    }
}

/* o += P X over the first n (rounded up to 4) of N rows of X. */
template <int RM, int N, int D, int TY>
__device__ __forceinline__ void
fen_simt_rows (const float *p, const float *x, int n, float (&o)[RM][D / FEN_SIMT_LANES])
{
  constexpr int pitch = N + 4;
  p += threadIdx.x / FEN_SIMT_LANES * pitch;
  x += threadIdx.x % FEN_SIMT_LANES * 4;
#pragma unroll 2
  for (int k = 0; k < n; k += 4)
    {
      float4 part[RM];
#pragma unroll
      for (int i = 0; i < RM; i++)
        part[i] = *(const float4 *)(p + i * TY * pitch + k);
#pragma unroll
      for (int l = 0; l < 4; l++)
        {
          float column[RM];
#pragma unroll
          for (int i = 0; i < RM; i++)
            column[i] = l == 0 ? part[i].x : l == 1 ? part[i].y : l == 2 ? part[i].z : part[i].w;
          fen_simt_multiply<RM, D> (column, x + (k + l) * fen_simt_pitch<D>, o);
        }
    }
}

/* g += P^T X over the first m rows of P and X. */
template <int RK, int N, int D>
__device__ __forceinline__ void
fen_simt_columns (const float *p, const float *x, int m, float (&g)[RK][D / FEN_SIMT_LANES])
{
  constexpr int pitch = N + 4;
  static_assert (RK == 2 || RK % 4 == 0, "16 or 8 bytes at a time");
  p += threadIdx.x / FEN_SIMT_LANES * RK;
  x += threadIdx.x % FEN_SIMT_LANES * 4;
#pragma unroll 4
  for (int r = 0; r < m; r++)
    {
      float row[RK];
      if constexpr (RK % 4 == 0)
        {
#pragma unroll
          for (int i = 0; i < RK; i += 4)
            {
              const float4 v = *(const float4 *)(p + r * pitch + i);
              row[i] = v.x, row[i + 1] = v.y, row[i + 2] = v.z, row[i + 3] = v.w;
            }
        }
      else
        {
          const float2 v = *(const float2 *)(p + r * pitch);
          row[0] = v.x, row[1] = v.y;
        }
      fen_simt_multiply<RK, D> (row, x + r * fen_simt_pitch<D>, g);
    }
}

/* Over the lanes of a row. */
__device__ __forceinline__ float
fen_simt_row_max (float x)
{
#pragma unroll
  for (int lane = FEN_SIMT_LANES / 2; lane > 0; lane /= 2)
    x = fmaxf (x, __shfl_xor_sync (0xffffffffu, x, lane));
  return x;
}

__device__ __forceinline__ float
fen_simt_row_sum (float x)
{
#pragma unroll
  for (int lane = FEN_SIMT_LANES / 2; lane > 0; lane /= 2)
    x += __shfl_xor_sync (0xffffffffu, x, lane);
  return x;
}

/* Raw products of queries i0 + ty + TY i with keys of a tile at index j0 to scores in units of log 2; -inf where
 * hidden, when `masked`. */
template <int RM, int RN, int TY>
__device__ __forceinline__ void
fen_simt_finish_scores (const FenAttentionParams &p, int64_t b, int64_t i0, int64_t j0, int64_t stop,
                        bool masked, float (&s)[RM][RN])
{
#pragma unroll
  for (int i = 0; i < RM; i++)
    {
#pragma unroll
      for (int j = 0; j < RN; j++)
        s[i][j] = fen_attention_score (p, s[i][j]);
      if (!masked)
        continue;
      const int64_t q = i0 + threadIdx.x / FEN_SIMT_LANES + i * TY;
      const FenMaskTileRow row = fen_mask_tile_row (fen_mask_row (p.mask, b, q), j0, stop);
#pragma unroll
      for (int j = 0; j < RN; j++)
        if (!fen_mask_sees (row, threadIdx.x % FEN_SIMT_LANES + j * FEN_SIMT_LANES))
          s[i][j] = -INFINITY;
    }
}

/* What FenAttention has, for the loads: rows that may be read 16 bytes at a time. */
static inline bool
fen_simt_aligned (const FenAttention *a, const FenHeadView *view)
{
  return a->head_dim % (16 / (int)fen_dtype_size (a->dtype)) == 0 && fen_view_aligned (view, a->dtype);
}

/* More than 48 KB of shared memory must be asked for, once a kernel and device; asking again is cheap. */
#define FEN_SIMT_LAUNCH(call, kernel, blocks, threads, bytes, ...)                                           \
  do                                                                                                         \
    {                                                                                                        \
      fen_cuda_keep (                                                                                        \
          (call).device,                                                                                     \
          cudaFuncSetAttribute (kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)(bytes)),          \
          "shared memory of attention");                                                                     \
      kernel<<<(blocks), (threads), (bytes), (call).stream>>> (__VA_ARGS__);                                 \
    }                                                                                                        \
  while (0)

/* body (std::integral_constant<int, D>) for the kernel of a head_dim. */
template <typename Body>
static void
fen_simt_by_head_dim (int head_dim, Body body)
{
  if (head_dim <= 64)
    body (std::integral_constant<int, 64> ());
  else if (head_dim <= 128)
    body (std::integral_constant<int, 128> ());
  else if (head_dim <= 192)
    body (std::integral_constant<int, 192> ());
  else
    body (std::integral_constant<int, 256> ());
}
