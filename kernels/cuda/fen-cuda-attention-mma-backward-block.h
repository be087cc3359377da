/* fen-cuda-attention-mma-backward-block.h: tile shapes and what one warp does with a tile of queries: products, the
 * softmax's gradient between them, and the results (fen-cuda-attention-mma-backward.h has the picture).
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

template <class C, bool CAP> struct Block {
  using T = typename C::T;
  static constexpr int ROW = FenSwizzle<C::D>::ROW_BYTES;
  const FenMmaBackward &a;
  uint32_t shared;
  int lane, warp, group, half;
  int low;             /* query index of the first query that sees the group's first key */
  int least, greatest; /* of hi over the group's keys */
  float dk[C::MI][C::NI][4], dv[C::MI][C::NI][4];

  __device__ __forceinline__
  Block (const FenMmaBackward &a, uint32_t shared)
      : a (a), shared (shared)
  {
    lane = threadIdx.x % 32;
    warp = threadIdx.x / 32;
    group = warp
            / C::DS; /* warps w and w + 4 share a scheduler: give them far groups, that edges idle in turn */
    half = warp % C::DS;
#pragma unroll
    for (int m = 0; m < C::MI; m++)
#pragma unroll
      for (int n = 0; n < C::NI; n++)
#pragma unroll
        for (int c = 0; c < 4; c++)
          dk[m][n][c] = dv[m][n][c] = 0;
  }

  /* s[m][n] (16 keys x 8 queries each) += X (group's keys, D) * Y (queries from `query` on, D)^T
   * between (i), i < MI * N, is called along the way: arithmetic that fills the gaps between the products. */
  template <int N, typename Between>
  __device__ __forceinline__ void
  scores (float (&s)[C::MI][N][4], uint32_t x, uint32_t y, int query, Between between) const
  {
    x += group * C::KM * ROW + rows_first<C::D> (lane);
    y += query * ROW + columns_first<C::D> (lane);
#pragma unroll
    for (int k = 0; k < C::D / 16; k++)
      {
        uint32_t f[C::MI][4];
#pragma unroll
        for (int m = 0; m < C::MI; m++)
          fen_ldmatrix (f[m], further<C::D> (x, m, k));
#pragma unroll
        for (int n = 0; n < N / 2; n++)
          {
            uint32_t g[4];
            fen_ldmatrix (g, further<C::D> (y, n, k));
#pragma unroll
            for (int m = 0; m < C::MI; m++)
              {
                fen_mma<T> (s[m][2 * n], f[m], g[0], g[1]);
                fen_mma<T> (s[m][2 * n + 1], f[m], g[2], g[3]);
              }
          }
#pragma unroll
        for (int i = k * C::MI * N / (C::D / 16); i < (k + 1) * C::MI * N / (C::D / 16); i++)
          between (i);
      }
  }

  /* d (group's keys, own columns) += f[n] (group's keys, 16 queries each) * Y (queries from `query` on, own columns) */
  template <int N, typename Between>
  __device__ __forceinline__ void
  values (float (&d)[C::MI][C::NI][4], const uint32_t (&f)[N][C::MI][4], uint32_t y, int query,
          Between between) const
  {
    y += query * ROW + half * C::DW * 2 + rows_first<C::D> (lane);
#pragma unroll
    for (int k = 0; k < N; k++)
#pragma unroll
      for (int n = 0; n < C::NI / 2; n++)
        {
          uint32_t g[4];
          fen_ldmatrix_trans (g, further<C::D> (y, k, n));
#pragma unroll
          for (int m = 0; m < C::MI; m++)
            {
              fen_mma<T> (d[m][2 * n], f[k][m], g[0], g[1]);
              fen_mma<T> (d[m][2 * n + 1], f[k][m], g[2], g[3]);
            }
          constexpr int STEPS = N * C::NI / 2, ALL = C::MI * N * 2;
#pragma unroll
          for (int i = (k * C::NI / 2 + n) * ALL / STEPS; i < (k * C::NI / 2 + n + 1) * ALL / STEPS; i++)
            between (i);
        }
  }

  /* Does the group meet any of the 32 queries from index i on; do all its keys meet all of them? */
  __device__ __forceinline__ bool
  meets (int i) const
  {
    return i + 31 >= low && i < greatest;
  }
  __device__ __forceinline__ bool
  meets_all (int i) const
  {
    return i >= low + C::KM - 1 && i + 31 < least;
  }

  /* Bit (m * N + n) * 4 + c: does the pair see each other? i: index of the first query. */
  template <int N>
  __device__ __forceinline__ uint32_t
  visible (int i) const
  {
    static_assert (C::MI * N <= 8, "32 pairs a lane");
    const int query = i + lane % 4 * 2;
    uint32_t bits = 0;
#pragma unroll
    for (int m = 0; m < C::MI; m++)
#pragma unroll
      for (int r = 0; r < 2; r++)
        {
          const int key = m * 16 + r * 8 + lane / 4;
          int hi;
          asm volatile("ld.shared.s32 %0, [%1];"
                       : "=r"(hi)
                       : "r"(shared + C::HI + (group * C::KM + key) * 4));
#pragma unroll
          for (int n = 0; n < N; n++)
#pragma unroll
            for (int c = 0; c < 2; c++)
              if (query + n * 8 + c >= low + key && query + n * 8 + c < hi)
                bits |= 1u << ((m * N + n) * 4 + r * 2 + c);
        }
    return bits;
  }

  /* Fragment i of the products s (8 queries each; i counts keys fastest) to probabilities, and into A operands f. With
   * a soft cap s becomes P times the cap's slope, 1 - tanh^2, and hidden pairs are told by `bits`. */
  template <int N>
  __device__ __forceinline__ void
  probabilities (float (&s)[C::MI][N][4], uint32_t (&f)[N / 2][C::MI][4], uint32_t lse2, uint32_t bits,
                 int i) const
  {
    const int m = i % C::MI, n = i / C::MI;
    const float2 at = load_shared_pair (lse2 + n * 32);
    float p[4];
#pragma unroll
    for (int c = 0; c < 4; c++)
      {
        const float l = c % 2 == 0 ? at.x : at.y;
        if constexpr (CAP)
          {
            const float t = tanh_fast (s[m][n][c] * (a.p.scale / a.p.softcap));
            const bool seen = bits >> ((m * N + n) * 4 + c) & 1;
            p[c] = seen ? fen_exp2 (t * (a.p.softcap * FEN_LOG2E) - l) : 0;
            s[m][n][c] = p[c] * (1 - t * t);
          }
        else
          s[m][n][c] = p[c] = fen_exp2 (s[m][n][c] * a.p.scale_log2 - l);
      }
    f[n / 2][m][n % 2 * 2] = fen_pack<T> (p[0], p[1]);
    f[n / 2][m][n % 2 * 2 + 1] = fen_pack<T> (p[2], p[3]);
  }

  /* Fragment i of dP - D, in place of P, to dS, and into A operands f. */
  template <int N>
  __device__ __forceinline__ static void
  gradients (float (&s)[C::MI][N][4], const float (&dp)[C::MI][N][4], uint32_t (&f)[N / 2][C::MI][4], int i)
  {
    const int m = i % C::MI, n = i / C::MI;
#pragma unroll
    for (int c = 0; c < 4; c += 2)
      f[n / 2][m][n % 2 * 2 + c / 2]
          = fen_pack<T> (s[m][n][c] * dp[m][n][c], s[m][n][c + 1] * dp[m][n][c + 1]);
  }

  /* Operands to shared memory, (KEYS, QN). query: first column. */
  template <int N>
  __device__ __forceinline__ void
  store_operand (uint32_t to, const uint32_t (&f)[N][C::MI][4], int query) const
  {
    to += FenSwizzle<C::QN>::offset (group * C::KM + lane / 4, query / 8) + lane % 4 * 4;
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
      for (int m = 0; m < C::MI; m++)
#pragma unroll
        for (int c = 0; c < 4; c++)
          store_shared ((to ^ (n * 2 + c / 2) << 4) + (m * 16 + c % 2 * 8) * C::QN * 2, f[n][m][c]);
  }

  /* S, P, dP, dS of QS queries from `query` of the tile on (index i), with their part of dV and dK. The exponentials
   * stand between the products of dP, dS between those of dV: neither waits for the other. */
  __device__ __forceinline__ void
  queries (uint32_t q, uint32_t d_o, uint32_t stats, uint32_t ds, int query, int i)
  {
    constexpr int N = C::QS / 8;
    const uint32_t at = stats + (query + lane % 4 * 2) * 4;
    const auto nothing = [] (int) {};
    float s[C::MI][N][4] = {}, dp[C::MI][N][4];
    uint32_t f[N / 2][C::MI][4], g[N / 2][C::MI][4], bits = ~0u;

    scores (s, shared + C::K, q, query, nothing);
    if (!meets_all (i & ~31))
      {
        bits = visible<N> (i);
        if constexpr (!CAP)
#pragma unroll
          for (int x = 0; x < C::MI * N * 4; x++)
            if (!(bits >> x & 1))
              s[x / (N * 4)][x / 4 % N][x % 4] = -INFINITY;
      }
#pragma unroll
    for (int n = 0; n < N; n++)
      {
        const float2 delta = load_shared_pair (at + C::QN * 4 + n * 32);
#pragma unroll
        for (int m = 0; m < C::MI; m++)
          {
            dp[m][n][0] = dp[m][n][2] = -delta.x;
            dp[m][n][1] = dp[m][n][3] = -delta.y;
          }
      }
    scores (dp, shared + C::V, d_o, query, [&] (int x) { probabilities (s, f, at, bits, x); });
    if constexpr (C::DS == 2)
      store_operand (shared + C::P, f, query);
    values (dv, f, d_o, query, [&] (int x) { gradients (s, dp, g, x); });
    store_operand (ds, g, query);
    values (dk, g, q, query, nothing);
  }

  /* The queries that the other warp of the pair took: their P and dS come from shared memory. */
  __device__ __forceinline__ void
  other_queries (uint32_t q, uint32_t d_o, uint32_t ds, int query)
  {
    const auto nothing = [] (int) {};
    const uint32_t from = FenSwizzle<C::QN>::offset (group * C::KM + lane % 16, query / 8 + lane / 16);
    uint32_t f[C::QS / 16][C::MI][4];
    load_operand (f, shared + C::P + from);
    values (dv, f, d_o, query, nothing);
    load_operand (f, ds + from);
    values (dk, f, q, query, nothing);
  }

  __device__ __forceinline__ static void
  load_operand (uint32_t (&f)[C::QS / 16][C::MI][4], uint32_t from)
  {
#pragma unroll
    for (int n = 0; n < C::QS / 16; n++)
#pragma unroll
      for (int m = 0; m < C::MI; m++)
        fen_ldmatrix (f[n][m], (from ^ n << 5) + m * 16 * C::QN * 2);
  }

  /* dV and dK of the query tile at index i. */
  __device__ __forceinline__ void
  tile (uint32_t q, uint32_t d_o, uint32_t stats, uint32_t ds, int i)
  {
    if constexpr (C::DS == 1)
      {
#pragma unroll 1
        for (int query = 0; query < C::QN; query += 32)
          if (meets (i + query))
            queries (q, d_o, stats, ds, query, i + query);
      }
    else
      {
        const int own = half * C::QS, other = C::QS - own;
        if (meets ((i + own) & ~31))
          queries (q, d_o, stats, ds, own, i + own);
        asm volatile("bar.sync %0, 64;" ::"r"(1 + group) : "memory");
        if (meets ((i + other) & ~31))
          other_queries (q, d_o, ds, other);
      }
  }

  /* x (32 queries, ND * 8 columns) += dS K over the keys of group g. ds, keys: the lane's addresses for the first. */
  __device__ __forceinline__ static void
  query_products (float (&x)[2][C::ND][4], uint32_t ds, const uint32_t (&keys)[C::ND / 2], int g)
  {
#pragma unroll
    for (int k = 0; k < C::MI; k++)
      {
        const int key = g * C::KM + k * 16;
        uint32_t f[2][4];
#pragma unroll
        for (int m = 0; m < 2; m++)
          fen_ldmatrix_trans (f[m], (ds ^ m << 5) + key * C::QN * 2);
#pragma unroll
        for (int n = 0; n < C::ND / 2; n++)
          {
            uint32_t y[4];
            fen_ldmatrix_trans (y, keys[n] + key * ROW);
#pragma unroll
            for (int m = 0; m < 2; m++)
              {
                fen_mma<T> (x[m][2 * n], f[m], y[0], y[1]);
                fen_mma<T> (x[m][2 * n + 1], f[m], y[2], y[3]);
              }
          }
      }
  }

  /* dQ += dS K: this warp's 32 queries and columns, over the groups of keys that they meet. low0: query index of the
   * block's first key; top0: least of the groups' greatest hi. */
  __device__ __forceinline__ void
  query_gradient (float *dq, uint32_t scores, int i, int low0, int top0) const
  {
    const int wq = warp % C::WQ, wd = warp / C::WQ, first = i + wq * 32;
    const uint32_t ds
        = scores + FenSwizzle<C::QN>::offset ((lane & 7) | lane >> 4 << 3, wq * 4 + (lane >> 3 & 1));
    uint32_t keys[C::ND / 2];
    float x[2][C::ND][4] = {};
#pragma unroll
    for (int n = 0; n < C::ND / 2; n++)
      keys[n] = shared + C::K + FenSwizzle<C::D>::offset (lane % 16, wd * C::ND + 2 * n + lane / 16);
    if (first + 31 >= low0 + C::KEYS - C::KM && first < top0)
#pragma unroll
      for (int g = 0; g < C::KG; g++)
        query_products (x, ds, keys, g);
    else
#pragma unroll 1
      for (int g = 0; g < C::KG; g++)
        {
          int top;
          asm volatile("ld.shared.s32 %0, [%1];" : "=r"(top) : "r"(shared + C::GROUPS + g * 8 + 4));
          if (first + 31 >= low0 + g * C::KM && first < top)
            query_products (x, ds, keys, g);
        }
    /* Fragments (16 queries x 8 columns) in the order [query / 16][column / 8]. */
    dq += (wq * 2 * (C::D / 8) + wd * C::ND) * 128 + lane * 4;
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
      for (int n = 0; n < C::ND; n++)
        add4 (dq + (m * (C::D / 8) + n) * 128, x[m][n]);
  }

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
  store_staged (char *memory, const Place &at) const
  {
    __syncthreads (); /* nobody reads K and V any more */
    stage (shared + C::V, dv, 1);
    stage (shared + C::K, dk, a.p.scale);
    __syncthreads ();
    copy_out (memory + C::V, a.p.dv, at);
    copy_out (memory + C::K, a.p.dk, at);
  }

  __device__ __forceinline__ void
  store (const Place &at) const
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
