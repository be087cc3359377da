/* fen-cuda-attention-mma-backward-block.h: what one warp does with a tile of queries: the five products and the softmax's
 * gradient between them (fen-cuda-attention-mma-backward.h has the picture).
 */
#pragma once

#include "kernels/cuda/fen-cuda-attention-mma-backward-store.h"

namespace fen_mma_backward {

template <class C, bool CAP> struct Block : Store<C> {
  using Base = Store<C>;
  using Base::a, Base::shared, Base::lane, Base::warp, Base::group, Base::half, Base::ROW;
  using typename Base::T;
  int low;             /* query index of the first query that sees the group's first key */
  int least, greatest; /* of hi over the group's keys */
  typename Base::Part dk, dv;

  __device__ __forceinline__
  Block (const FenMmaBackward &a, uint32_t shared)
      : Base (a, shared)
  {
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

  /* A tile of queries in shared memory. */
  struct Stage {
    uint32_t q, d_o, stats, ds, p;
  };
  __device__ __forceinline__ Stage
  stage_of (int stage) const
  {
    return { shared + C::Q + stage * C::Q_BYTES, shared + C::DO + stage * C::Q_BYTES,
             shared + C::STATS + stage * C::STATS_BYTES, shared + C::DSC + stage * C::S_BYTES,
             shared + C::P };
  }

  /* S, P, dP, dS of QS queries from `query` of the tile on (index i), with their part of dV and dK. The exponentials
   * stand between the products of dP, dS between those of dV: neither waits for the other. */
  __device__ __forceinline__ void
  queries (const Stage &at_stage, int query, int i)
  {
    constexpr int N = C::QS / 8;
    const uint32_t q = at_stage.q, d_o = at_stage.d_o, at = at_stage.stats + (query + lane % 4 * 2) * 4;
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
      store_operand (at_stage.p, f, query);
    values (dv, f, d_o, query, [&] (int x) { gradients (s, dp, g, x); });
    store_operand (at_stage.ds, g, query);
    values (dk, g, q, query, nothing);
  }

  /* The queries that the other warp of the pair took: their P and dS come from shared memory. */
  __device__ __forceinline__ void
  other_queries (const Stage &at, int query)
  {
    const auto nothing = [] (int) {};
    const uint32_t from = FenSwizzle<C::QN>::offset (group * C::KM + lane % 16, query / 8 + lane / 16);
    uint32_t f[C::QS / 16][C::MI][4];
    load_operand (f, at.p + from);
    values (dv, f, at.d_o, query, nothing);
    load_operand (f, at.ds + from);
    values (dk, f, at.q, query, nothing);
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
  tile (const Stage &at, int i)
  {
    if constexpr (C::DS == 1)
      {
#pragma unroll 1
        for (int query = 0; query < C::QN; query += 32)
          if (meets (i + query))
            queries (at, query, i + query);
      }
    else
      {
        const int own = half * C::QS, other = C::QS - own;
        if (meets ((i + own) & ~31))
          queries (at, own, i + own);
        asm volatile("bar.sync %0, 64;" ::"r"(1 + group) : "memory");
        if (meets ((i + other) & ~31))
          other_queries (at, other);
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

  /* x = dS K: this warp's 32 queries and columns, over the groups of keys that they meet. low0: query index of the
   * block's first key; top0: least of the groups' greatest hi. */
  __device__ __forceinline__ void
  query_gradient (float (&x)[2][C::ND][4], uint32_t scores, int i, int low0, int top0) const
  {
    const int wq = warp % C::WQ, wd = warp / C::WQ, first = i + wq * 32;
    const uint32_t ds
        = scores + FenSwizzle<C::QN>::offset ((lane & 7) | lane >> 4 << 3, wq * 4 + (lane >> 3 & 1));
    uint32_t keys[C::ND / 2];
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
  }
};

} /* namespace fen_mma_backward */
