/* fen-cuda-attention-simt-backward.cu: FlashAttention-2 backward (Dao 2023, algorithm 2) in fp32 arithmetic, for every
 * storage type, layout and head_dim.
 *
 * Two kernels, each of which owns what it writes: query tiles give dQ, key tiles give dK and dV (over all query heads of
 * the group). Scores are computed twice (7 products instead of 5); in return no block adds to what another one writes,
 * so results do not depend on timing and there is no buffer of sums.
 *
 *     P = 2^(S - lse2)     dP = dO V^T     dS = P (dP - D), times 1 - tanh^2 under a soft cap
 *     dQ = scale dS K              dV = P^T dO      dK = scale dS^T Q
 *
 * Shared memory, at most the 99 KB of sm_86, sm_89 and sm_120, one buffer for what streams by (V then K; Q, dO, Q again):
 *
 *     dQ:      Q (M, D)   dO (M, D)   V | K (N, D)        dS (M, N)
 *     dK, dV:  K (N, D)   V (N, D)    Q | dO | Q (M, D)   P | dS (M, N)
 */
#include "kernels/cuda/fen-cuda-attention-simt.h"

#include <stdio.h>

struct Aligned {
  bool q, k, v, d_o;
};

template <int RM, int TY>
static __device__ __forceinline__ void
load_statistics (const FenAttentionParams &p, int64_t b, int64_t h, int64_t i0, float (&lse2)[RM],
                 float (&delta)[RM])
{
  const int64_t row = (b * p.heads + h) * p.stats_stride;
#pragma unroll
  for (int i = 0; i < RM; i++)
    {
      const int64_t query = i0 + threadIdx.x / FEN_SIMT_LANES + i * TY;
      lse2[i] = query < p.mask.nq ? p.lse2[row + query] : INFINITY;
      delta[i] = query < p.mask.nq ? p.delta[row + query] : 0;
    }
}

/* P of a score; dS of the score, its P and dP. Hidden pairs (score -inf) have neither, whatever V holds. */
static __device__ __forceinline__ float
probability (float score, float lse2)
{
  return score == -INFINITY ? 0 : exp2f (score - lse2);
}

static __device__ __forceinline__ float
score_gradient (const FenAttentionParams &p, float score, float probability, float dp, float delta)
{
  if (score == -INFINITY)
    return 0;
  const float ds = probability * (dp - delta);
  return p.softcap > 0 ? ds * fen_attention_slope (p, score) : ds;
}

/* dS over dP, given P's parts. */
template <int RM, int RN>
static __device__ __forceinline__ void
finish_gradients (const FenAttentionParams &p, const float (&s)[RM][RN], const float (&lse2)[RM],
                  const float (&delta)[RM], float (&dp)[RM][RN])
{
#pragma unroll
  for (int i = 0; i < RM; i++)
#pragma unroll
    for (int j = 0; j < RN; j++)
      dp[i][j] = score_gradient (p, s[i][j], probability (s[i][j], lse2[i]), dp[i][j], delta[i]);
}

template <int R, int C>
static __device__ __forceinline__ void
clear (float (&x)[R][C])
{
#pragma unroll
  for (int i = 0; i < R; i++)
#pragma unroll
    for (int c = 0; c < C; c++)
      x[i][c] = 0;
}

/* A thread's row of an accumulator to row t of head h. */
template <int C>
static __device__ __forceinline__ void
store_row (FenDType dtype, bool add, const FenHeadView &view, int64_t b, int64_t t, int64_t h, int head_dim,
           float scale, const float (&row)[C])
{
#pragma unroll
  for (int c = 0; c < C; c += 4)
    {
      const float x[4] = { row[c] * scale, row[c + 1] * scale, row[c + 2] * scale, row[c + 3] * scale };
      const int e = threadIdx.x % FEN_SIMT_LANES * 4 + c * FEN_SIMT_LANES;
      fen_simt_store (dtype, add, view, b, t, h, e, head_dim, x);
    }
}

/* ---- dQ ---- */

template <int D> struct QueryShape;
template <> struct QueryShape<64> {
  static constexpr int M = 64, N = 64, TY = 16, RESIDENT = 3;
};
template <> struct QueryShape<128> {
  static constexpr int M = 64, N = 32, TY = 16, RESIDENT = 2;
};
template <> struct QueryShape<192> {
  static constexpr int M = 32, N = 32, TY = 16, RESIDENT = 2;
};
template <> struct QueryShape<256> {
  static constexpr int M = 32, N = 16, TY = 16, RESIDENT = 2;
};

template <int D, int M = QueryShape<D>::M, int N = QueryShape<D>::N, int TY = QueryShape<D>::TY,
          int RESIDENT = QueryShape<D>::RESIDENT>
static __global__ void
__launch_bounds__ (FEN_SIMT_LANES *TY, RESIDENT)
    simt_queries (const FenAttentionParams p, const Aligned aligned)
{
  constexpr int RM = M / TY, RN = N / FEN_SIMT_LANES, pitch = fen_simt_pitch<D>;
  extern __shared__ float4 shared[];
  float *const qs = (float *)shared, *const os = qs + M * pitch, *const kv = os + M * pitch,
               *const ds = kv + N * pitch;
  const int64_t rows = p.batch * p.heads, tiles = (p.mask.nq + M - 1) / M;
  const int64_t i0 = (tiles - 1 - blockIdx.x / rows) * M, b = blockIdx.x % rows / p.heads;
  const int64_t h = blockIdx.x % rows % p.heads, kv_head = h / p.group, i1 = min (i0 + M, p.mask.nq);
  const FenKeyTiles keys = fen_key_tiles<N> (p.mask, b, i0, i1);
  float dq[RM][D / FEN_SIMT_LANES], lse2[RM], delta[RM];

  clear (dq);
  load_statistics<RM, TY> (p, b, h, i0, lse2, delta);
  fen_simt_load<M, D, TY> (qs, p.dtype, aligned.q, p.q, b, i0, h, (int)(i1 - i0), p.head_dim);
  fen_simt_load<M, D, TY> (os, p.dtype, aligned.d_o, p.d_o, b, i0, h, (int)(i1 - i0), p.head_dim);
  for (int t = 0; t < keys.tiles; t++)
    {
      const FenKeyTile tile = fen_key_tile<N> (keys, t);
      const int n = (int)min ((int64_t)N, tile.stop - tile.j0);
      float s[RM][RN], dp[RM][RN];

      __syncthreads (); /* the last K and dS are used up */
      fen_simt_load<N, D, TY> (kv, p.dtype, aligned.v, p.v, b, tile.j0, kv_head, n, p.head_dim);
      __syncthreads ();
      fen_simt_scores<RM, RN, D, TY> (os, kv, p.head_dim, dp);
      __syncthreads ();
      fen_simt_load<N, D, TY> (kv, p.dtype, aligned.k, p.k, b, tile.j0, kv_head, n, p.head_dim);
      __syncthreads ();
      fen_simt_scores<RM, RN, D, TY> (qs, kv, p.head_dim, s);
      fen_simt_finish_scores<RM, RN, TY> (p, b, i0, tile.j0, tile.stop,
                                          t < keys.full_begin || t >= keys.full_end, s);
      finish_gradients (p, s, lse2, delta, dp);
      fen_simt_spread<RM, RN, TY> (ds, dp);
      __syncthreads ();
      fen_simt_rows<RM, N, D, TY> (ds, kv, n, dq);
    }
#pragma unroll
  for (int i = 0; i < RM; i++)
    {
      const int64_t query = i0 + threadIdx.x / FEN_SIMT_LANES + i * TY;
      if (query < i1)
        store_row (p.dtype, false, p.dq, b, query, h, p.head_dim, p.scale, dq[i]);
    }
}

/* ---- dK, dV ---- */

template <int D> struct KeyShape;
template <> struct KeyShape<64> {
  static constexpr int M = 64, N = 64, TY = 16, RESIDENT = 3;
};
template <> struct KeyShape<128> {
  static constexpr int M = 32, N = 64, TY = 16, RESIDENT = 2;
};
template <> struct KeyShape<192> {
  static constexpr int M = 32, N = 32, TY = 16, RESIDENT = 2;
};
template <> struct KeyShape<256> {
  static constexpr int M = 16, N = 32, TY = 16, RESIDENT = 2;
};

template <int D, int M = KeyShape<D>::M, int N = KeyShape<D>::N, int TY = KeyShape<D>::TY,
          int RESIDENT = KeyShape<D>::RESIDENT>
static __global__ void
__launch_bounds__ (FEN_SIMT_LANES *TY, RESIDENT) simt_keys (const FenAttentionParams p, const Aligned aligned)
{
  constexpr int RM = M / TY, RN = N / FEN_SIMT_LANES, RK = N / TY, C = D / FEN_SIMT_LANES,
                pitch = fen_simt_pitch<D>;
  extern __shared__ float4 shared[];
  float *const ks = (float *)shared, *const vs = ks + N * pitch, *const stream = vs + N * pitch;
  float *const ps = stream + M * pitch;
  /* Early keys first: they have the most queries. */
  const int64_t rows = p.batch * p.kv_heads, j0 = blockIdx.x / rows * N, j1 = min (j0 + N, p.mask.nk);
  const int64_t b = blockIdx.x % rows / p.kv_heads, kv_head = blockIdx.x % rows % p.kv_heads;
  const FenQueryRange range = fen_query_range (p.mask, b, j0, j1);
  float dk[RK][C], dv[RK][C];

  clear (dk);
  clear (dv);
  fen_simt_load<N, D, TY> (ks, p.dtype, aligned.k, p.k, b, j0, kv_head, (int)(j1 - j0), p.head_dim);
  fen_simt_load<N, D, TY> (vs, p.dtype, aligned.v, p.v, b, j0, kv_head, (int)(j1 - j0), p.head_dim);
  for (int64_t h = kv_head * p.group; h < (kv_head + 1) * p.group; h++)
    for (int64_t i0 = range.begin; i0 < range.end; i0 += M)
      {
        const int m = (int)min ((int64_t)M, range.end - i0);
        const bool masked = i0 < range.full_begin || i0 + M > range.full_end;
        float s[RM][RN], dp[RM][RN], lse2[RM], delta[RM];

        load_statistics<RM, TY> (p, b, h, i0, lse2, delta);
        __syncthreads (); /* the last Q and dS are used up */
        fen_simt_load<M, D, TY> (stream, p.dtype, aligned.q, p.q, b, i0, h, m, p.head_dim);
        __syncthreads ();
        fen_simt_scores<RM, RN, D, TY> (stream, ks, p.head_dim, s);
        fen_simt_finish_scores<RM, RN, TY> (p, b, i0, j0, j1, masked, s);
#pragma unroll
        for (int i = 0; i < RM; i++)
#pragma unroll
          for (int j = 0; j < RN; j++)
            dp[i][j] = probability (s[i][j], lse2[i]);
        fen_simt_spread<RM, RN, TY> (ps, dp);
        __syncthreads ();
        fen_simt_load<M, D, TY> (stream, p.dtype, aligned.d_o, p.d_o, b, i0, h, m, p.head_dim);
        __syncthreads ();
        fen_simt_columns<RK, N, D> (ps, stream, m, dv);
        fen_simt_scores<RM, RN, D, TY> (stream, vs, p.head_dim, dp);
        finish_gradients (p, s, lse2, delta, dp);
        __syncthreads ();
        fen_simt_spread<RM, RN, TY> (ps, dp);
        fen_simt_load<M, D, TY> (stream, p.dtype, aligned.q, p.q, b, i0, h, m, p.head_dim);
        __syncthreads ();
        fen_simt_columns<RK, N, D> (ps, stream, m, dk);
      }
#pragma unroll
  for (int i = 0; i < RK; i++)
    {
      const int64_t key = j0 + threadIdx.x / FEN_SIMT_LANES * RK + i;
      if (key >= j1)
        continue;
      store_row (p.dkv_dtype, p.accumulate, p.dk, b, key, kv_head, p.head_dim, p.scale, dk[i]);
      store_row (p.dkv_dtype, p.accumulate, p.dv, b, key, kv_head, p.head_dim, 1, dv[i]);
    }
}

/* ---- launches ---- */

template <int D>
static void
launch (const FenCudaCall &call, const FenAttentionBackward *g)
{
  typedef QueryShape<D> Q;
  typedef KeyShape<D> K;
  constexpr int pitch = fen_simt_pitch<D>;
  constexpr size_t query_bytes = 4 * ((2 * Q::M + Q::N) * pitch + Q::M * (Q::N + 4));
  constexpr size_t key_bytes = 4 * ((2 * K::N + K::M) * pitch + K::M * (K::N + 4));
  static_assert (query_bytes <= 99 * 1024 && key_bytes <= 99 * 1024, "sm_86 and sm_89");
  const FenAttention *a = &g->forward;
  const FenAttentionParams p = fen_attention_params (a, g);
  const Aligned aligned = { fen_simt_aligned (a, &a->q), fen_simt_aligned (a, &a->k),
                            fen_simt_aligned (a, &a->v), fen_simt_aligned (a, &g->d_o) };
  const int64_t query_blocks = a->batch * a->heads * ((a->nq + Q::M - 1) / Q::M);
  const int64_t key_blocks = a->batch * a->kv_heads * ((a->nk + K::N - 1) / K::N);
  if (query_blocks > 0)
    {
      FEN_SIMT_LAUNCH (call, simt_queries<D>, (unsigned)query_blocks, FEN_SIMT_LANES * Q::TY, query_bytes, p,
                       aligned);
      call.launched ("attention dQ");
    }
  if (key_blocks > 0)
    {
      FEN_SIMT_LAUNCH (call, simt_keys<D>, (unsigned)key_blocks, FEN_SIMT_LANES * K::TY, key_bytes, p,
                       aligned);
      call.launched ("attention dK, dV");
    }
}

void
fen_cuda_attention_simt_backward_tiles (const FenAttentionBackward *g, char *text, size_t size)
{
  fen_simt_by_head_dim (g->forward.head_dim, [&] (auto d) {
    snprintf (text, size, "%dx%d", KeyShape<d ()>::M, KeyShape<d ()>::N);
  });
}

void
fen_cuda_attention_simt_backward (const FenCudaCall &call, const FenAttentionBackward *g)
{
  fen_simt_by_head_dim (g->forward.head_dim, [&] (auto d) { launch<d ()> (call, g); });
}
