/* fen-cuda-attention-mma-backward-shape.h: the tile shape of a kernel, its shared memory, a block's place in the grid, and
 * how lanes find their operands.
 */
#pragma once

#include "kernels/cuda/fen-cuda-attention-mma-backward.h"
#include "kernels/cuda/fen-cuda-mma.h"

#include <type_traits>

namespace fen_mma_backward {

/* ---- small things ---- */

/* tanh from one exponential: exact to about 1e-7 relative to 1. */
__device__ __forceinline__ float
tanh_fast (float x)
{
  return 1 - __fdividef (2.0f, fen_exp2 (x * (2 * FEN_LOG2E)) + 1);
}

__device__ __forceinline__ void
store_shared (uint32_t shared, uint32_t x)
{
  asm volatile("st.shared.b32 [%0], %1;" ::"r"(shared), "r"(x) : "memory");
}

__device__ __forceinline__ float2
load_shared_pair (uint32_t shared)
{
  float2 x;
  asm volatile("ld.shared.v2.f32 {%0,%1}, [%2];" : "=f"(x.x), "=f"(x.y) : "r"(shared) : "memory");
  return x;
}

/* ---- addresses in swizzled tiles (FenSwizzle) ----
 *
 * Tiles begin at multiples of 128 bytes and the swizzle is an exclusive or on bits 4 to 6, so a lane keeps one address
 * an operand and reaches the others by constants: 16 columns further is an exclusive or, or an addition where the
 * pattern repeats; 16 rows further is an addition. */

/* Offset of the 16-byte chunk that a lane gives to ldmatrix: see FenOperandOrder. */
template <int D>
__device__ __forceinline__ uint32_t
rows_first (int lane)
{
  return FenSwizzle<D>::offset (lane & 15, lane >> 4);
}
template <int D>
__device__ __forceinline__ uint32_t
columns_first (int lane)
{
  return FenSwizzle<D>::offset ((lane & 7) | lane >> 4 << 3, lane >> 3 & 1);
}

/* The address 16 * row16 rows and 16 * column16 columns further. */
template <int D>
__device__ __forceinline__ uint32_t
further (uint32_t address, int row16, int column16)
{
  constexpr int PERIOD = FenSwizzle<D>::PERIOD;
  return (address ^ column16 % PERIOD << 5)
         + (row16 * 16 * FenSwizzle<D>::ROW_BYTES + column16 / PERIOD * PERIOD * 32);
}

/* ---- the tile shape ---- */

template <typename T_, int D_, int KEYS_, int QN_, int KG_, int DS_, int STAGES_, int BLOCKS_> struct Shape {
  using T = T_;
  static constexpr int D = D_, KEYS = KEYS_, QN = QN_, KG = KG_, DS = DS_, STAGES = STAGES_, BLOCKS = BLOCKS_;
  static constexpr int WARPS = KG * DS, THREADS = 32 * WARPS;
  static constexpr int KM = KEYS / KG, MI = KM / 16;  /* keys of a group, in fragments of 16 */
  static constexpr int QS = DS == 1 ? 32 : QN / DS;   /* queries a warp takes at once */
  static constexpr int DW = D / DS, NI = DW / 8;      /* columns of dK, dV of a warp */
  static constexpr int WQ = QN / 32, WD = WARPS / WQ; /* warps over dQ: 32 queries x D / WD columns each */
  static constexpr int ND = D / WD / 8;
  static_assert (DS == 1 || DS == 2, "pairs of warps");
  static_assert (KM % 16 == 0 && QN % 32 == 0 && QS % 16 == 0 && WARPS % WQ == 0 && ND % 2 == 0
                     && NI % 2 == 0,
                 "whole fragments");
  static_assert (DS == 1 || DW % 64 == 0, "half a row is whole periods of the swizzle");

  /* Shared memory, in bytes. */
  static constexpr int K = 0, V = K + KEYS * D * 2;
  static constexpr int Q = V + KEYS * D * 2, Q_BYTES = QN * D * 2;
  static constexpr int DO = Q + STAGES * Q_BYTES;
  static constexpr int STATS = DO + STAGES * Q_BYTES, STATS_BYTES = 2 * QN * 4; /* lse2, delta */
  static constexpr int DSC = STATS + STAGES * STATS_BYTES, S_BYTES = KEYS * QN * 2;
  static constexpr int P = DSC + STAGES * S_BYTES; /* dS has as many stages as Q and dO */
  static constexpr int HI = P + (DS == 2 ? S_BYTES : 0);
  static constexpr int GROUPS = HI + KEYS * 4; /* per group: least and greatest hi */
  static constexpr int BYTES = GROUPS + KG * 8;
};

/* ---- a block and its place ---- */

/* One block's place in the grid. Heads are taken `band` at a time, so that what they read and add to stays in L2;
 * within a band the first key tiles, which most queries see, come first. */
struct Place {
  int b, kv_head, split, tile;
};

__device__ __forceinline__ Place
block_place (const FenMmaBackward &a)
{
  const unsigned heads = (unsigned)a.p.batch * a.p.kv_heads * a.splits, x = blockIdx.x;
  const unsigned group = x / ((unsigned)a.band * a.key_tiles), first = group * a.band;
  const unsigned width = min ((unsigned)a.band, heads - first), rest = x - first * a.key_tiles;
  const unsigned head = first + rest % width;
  Place at;
  at.tile = (int)(rest / width);
  at.split = (int)(head % a.splits);
  at.kv_head = (int)(head / a.splits % a.p.kv_heads);
  at.b = (int)(head / a.splits / a.p.kv_heads);
  return at;
}

/* Who a warp is. */
template <class C> struct Warp {
  const FenMmaBackward &a;
  uint32_t shared;
  int lane, warp;
  /* Of keys; of the columns of dK and dV, and of the queries (DS = 2). Warps w and w + 4 share a scheduler and get far
   * groups, so that edges idle them in turn. */
  int group, half;

  __device__ __forceinline__
  Warp (const FenMmaBackward &a, uint32_t shared)
      : a (a), shared (shared), lane (threadIdx.x % 32), warp (threadIdx.x / 32), group (warp / C::DS),
        half (warp % C::DS)
  {
  }
};

} /* namespace fen_mma_backward */
