/* fen-cuda-attention-simt-forward.cu: FlashAttention-2 forward (Dao 2023, algorithm 1) in fp32 arithmetic, for every
 * storage type, layout and head_dim.
 *
 * A block has a tile of M queries of one head and visits the key tiles that the mask leaves. Shared memory stays under
 * the 99 KB of sm_86, sm_89 and sm_120:
 *
 *      Q (M, D)    K, then V (N, D)    P (M, N)        registers: O (M, D), row maximum and sum
 *
 * K and V take turns in one buffer. A second one, filled by cp.async while the first is used, was measured and lost: it
 * costs blocks (H200, d 64: 36.4 TFLOP/s with 4 blocks on an SM, 35.1 with 3 and two buffers). The sum is kept a lane
 * (each has seen its own keys) and reduced once at the end.
 */
#include "kernels/cuda/fen-cuda-attention-simt.h"

#include <stdio.h>

template <int D> struct Shape;
template <> struct Shape<64> {
  static constexpr int M = 64, N = 64, TY = 16, RESIDENT = 4;
};
template <> struct Shape<128> {
  static constexpr int M = 64, N = 64, TY = 16, RESIDENT = 2;
};
template <> struct Shape<192> {
  static constexpr int M = 64, N = 32, TY = 16, RESIDENT = 2;
};
template <> struct Shape<256> {
  static constexpr int M = 32, N = 32, TY = 16, RESIDENT = 2;
};

struct Aligned {
  bool q, k, v;
};

template <int RM, int C> struct Sums {
  float max[RM], sum[RM], o[RM][C];
};

/* One tile of scores: P in place of s, and the sums brought to the new maximum. */
template <int RM, int RN, int C>
static __device__ __forceinline__ void
online_softmax (float (&s)[RM][RN], Sums<RM, C> &sums)
{
#pragma unroll
  for (int i = 0; i < RM; i++)
    {
      float top = s[i][0];
#pragma unroll
      for (int j = 1; j < RN; j++)
        top = fmaxf (top, s[i][j]);
      top = fmaxf (sums.max[i], fen_simt_row_max (top));
      /* A row that has seen nothing yet: any finite number does. */
      const float base = top == -INFINITY ? 0 : top, shrink = exp2f (sums.max[i] - base);
      sums.max[i] = top;
      sums.sum[i] *= shrink;
#pragma unroll
      for (int j = 0; j < RN; j++)
        {
          s[i][j] = exp2f (s[i][j] - base);
          sums.sum[i] += s[i][j];
        }
#pragma unroll
      for (int c = 0; c < C; c++)
        sums.o[i][c] *= shrink;
    }
}

/* O and LSE of a query row; the learned sink joins the sum here. */
template <int RM, int C>
static __device__ __forceinline__ void
finish_row (const FenAttentionParams &p, int64_t b, int64_t h, int64_t query, int i, Sums<RM, C> &sums)
{
  const float sink = p.sink_logits != NULL ? p.sink_logits[h] * FEN_LOG2E : -INFINITY;
  const float top = fmaxf (sums.max[i], sink), base = top == -INFINITY ? 0 : top;
  const float shrink = exp2f (sums.max[i] - base), total = sums.sum[i] * shrink + exp2f (sink - base);
  const float factor = shrink / total;
  const int tx = threadIdx.x % FEN_SIMT_LANES;

#pragma unroll
  for (int c = 0; c < C; c += 4)
    {
      float x[4];
#pragma unroll
      for (int l = 0; l < 4; l++)
        x[l] = total == 0 ? 0 : sums.o[i][c + l] * factor;
      fen_simt_store (p.dtype, false, p.o, b, query, h, tx * 4 + c * FEN_SIMT_LANES, p.head_dim, x);
    }
  if (tx == 0 && p.lse != NULL)
    p.lse[b * p.lse_batch_stride + h * p.lse_head_stride + query]
        = total == 0 ? -INFINITY : base * FEN_LN2 + logf (total);
}

template <int D, int M = Shape<D>::M, int N = Shape<D>::N, int TY = Shape<D>::TY,
          int RESIDENT = Shape<D>::RESIDENT>
static __global__ void
__launch_bounds__ (FEN_SIMT_LANES *TY, RESIDENT)
    simt_forward (const FenAttentionParams p, const Aligned aligned)
{
  constexpr int RM = M / TY, RN = N / FEN_SIMT_LANES, C = D / FEN_SIMT_LANES;
  extern __shared__ float4 shared[];
  float *const qs = (float *)shared, *const kv = qs + M * fen_simt_pitch<D>,
               *const ps = kv + N * fen_simt_pitch<D>;
  /* Late queries first: without a window they see the most keys, and the longest tiles should not come last. */
  const int64_t rows = p.batch * p.heads, tiles = (p.mask.nq + M - 1) / M;
  const int64_t i0 = (tiles - 1 - blockIdx.x / rows) * M, b = blockIdx.x % rows / p.heads;
  const int64_t h = blockIdx.x % rows % p.heads, kv_head = h / p.group, i1 = min (i0 + M, p.mask.nq);
  const FenKeyTiles keys = fen_key_tiles<N> (p.mask, b, i0, i1);
  Sums<RM, C> sums;

#pragma unroll
  for (int i = 0; i < RM; i++)
    {
      sums.max[i] = -INFINITY;
      sums.sum[i] = 0;
#pragma unroll
      for (int c = 0; c < C; c++)
        sums.o[i][c] = 0;
    }
  fen_simt_load<M, D, TY> (qs, p.dtype, aligned.q, p.q, b, i0, h, (int)(i1 - i0), p.head_dim);
  for (int t = 0; t < keys.tiles; t++)
    {
      const FenKeyTile tile = fen_key_tile<N> (keys, t);
      const int n = (int)min ((int64_t)N, tile.stop - tile.j0);
      float s[RM][RN];

      __syncthreads (); /* the last V is used up */
      fen_simt_load<N, D, TY> (kv, p.dtype, aligned.k, p.k, b, tile.j0, kv_head, n, p.head_dim);
      __syncthreads ();
      fen_simt_scores<RM, RN, D, TY> (qs, kv, p.head_dim, s);
      fen_simt_finish_scores<RM, RN, TY> (p, b, i0, tile.j0, tile.stop,
                                          t < keys.full_begin || t >= keys.full_end, s);
      online_softmax (s, sums);
      fen_simt_spread<RM, RN, TY> (ps, s);
      __syncthreads (); /* K is used up */
      fen_simt_load<N, D, TY> (kv, p.dtype, aligned.v, p.v, b, tile.j0, kv_head, n, p.head_dim);
      __syncthreads ();
      fen_simt_rows<RM, N, D, TY> (ps, kv, n, sums.o);
    }
#pragma unroll
  for (int i = 0; i < RM; i++)
    {
      const int64_t query = i0 + threadIdx.x / FEN_SIMT_LANES + i * TY;
      sums.sum[i] = fen_simt_row_sum (sums.sum[i]);
      if (query < i1)
        finish_row (p, b, h, query, i, sums);
    }
}

template <int D>
static void
launch (const FenCudaCall &call, const FenAttention *a)
{
  constexpr int M = Shape<D>::M, N = Shape<D>::N, TY = Shape<D>::TY;
  constexpr size_t bytes = 4 * ((M + N) * fen_simt_pitch<D> + M * (N + 4));
  const Aligned aligned
      = { fen_simt_aligned (a, &a->q), fen_simt_aligned (a, &a->k), fen_simt_aligned (a, &a->v) };
  const int64_t blocks = a->batch * a->heads * ((a->nq + M - 1) / M);
  static_assert (bytes <= 99 * 1024, "sm_86 and sm_89");
  FEN_SIMT_LAUNCH (call, simt_forward<D>, (unsigned)blocks, FEN_SIMT_LANES * TY, bytes,
                   fen_attention_params (a, NULL), aligned);
  call.launched ("attention forward");
}

void
fen_cuda_attention_simt_forward_tiles (const FenAttention *a, char *text, size_t size)
{
  fen_simt_by_head_dim (a->head_dim,
                        [&] (auto d) { snprintf (text, size, "%dx%d", Shape<d ()>::M, Shape<d ()>::N); });
}

void
fen_cuda_attention_simt_forward (const FenCudaCall &call, const FenAttention *a)
{
  fen_simt_by_head_dim (a->head_dim, [&] (auto d) { launch<d ()> (call, a); });
}
