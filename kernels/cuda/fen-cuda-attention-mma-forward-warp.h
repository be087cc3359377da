/* fen-cuda-attention-mma-forward-warp.h: the arithmetic of one warp of the tensor-core forward, a tile of N keys at a time.
 *
 *     S = Q K^T     P = 2^(c S - c m)     l += P 1     O += P V          c = scale * log2 e
 *
 * The reference m of a row is not its maximum: it moves only when a score exceeds it by 2^8 or more (FLASH_SLACK), and
 * then for the whole warp at once. Probabilities up to 2^8 lose nothing, P being rounded relatively, and in nearly every
 * tile a row then needs neither the exchange between its four lanes nor the scaling of O.
 *
 * Between P's rounding and the products of 16 keys lies one step: the powers of the next 16 keys are taken among the
 * products of these, so that the special function unit and the tensor cores work at the same time.
 */
#pragma once

#include "kernels/cuda/fen-cuda-attention-mma-forward-tiles.h"

#ifdef __CUDACC__

/* How far scores may exceed the reference of their row, in powers of two. */
#define FLASH_SLACK 8.0f

template <typename T, typename Shape> struct FenForward {
  static constexpr int D = Shape::D, N = Shape::N, BLOCKS = Shape::BLOCKS;
  typedef typename Shape::Layout Layout;

  float s[BLOCKS][N / 8][4]; /* scores, then probabilities */
  float o[BLOCKS][D / 8][4];
  float m[BLOCKS][2], l[BLOCKS][2]; /* of rows lane / 4 and lane / 4 + 8 of each block; l: this lane's part */
  uint32_t q[Shape::Q_KEPT ? D / 16 : 1][BLOCKS][4];
  const FenOperand<D, FEN_ROWS_FIRST> rows;       /* Q, V */
  const FenOperand<D, FEN_COLUMNS_FIRST> columns; /* K */

  __device__ __forceinline__
  FenForward (int lane)
      : rows (lane), columns (lane)
  {
#pragma unroll
    for (int i = 0; i < BLOCKS; i++)
      {
#pragma unroll
        for (int j = 0; j < D / 8; j++)
#pragma unroll
          for (int e = 0; e < 4; e++)
            o[i][j][e] = 0;
        m[i][0] = m[i][1] = -INFINITY;
        l[i][0] = l[i][1] = 0;
      }
  }

  /* From this warp's rows of Q. */
  __device__ __forceinline__ void
  load_q (uint32_t (&a)[BLOCKS][4], uint32_t q_tile, int k)
  {
#pragma unroll
    for (int i = 0; i < BLOCKS; i++)
      fen_ldmatrix (a[i], q_tile + rows.at (i, k));
  }

  __device__ __forceinline__ void
  keep_q (uint32_t q_tile)
  {
    if constexpr (Shape::Q_KEPT)
#pragma unroll
      for (int k = 0; k < D / 16; k++)
        load_q (q[k], q_tile, k);
  }

  /* S = Q K^T. Operands are read AHEAD groups of products before they are used: a group takes about 25 cycles, ldmatrix
   * more than that. */
  __device__ __forceinline__ void
  scores (uint32_t q_tile, uint32_t k_tile)
  {
    constexpr int STEPS = D / 16, GROUPS = N / 16, AHEAD = Shape::AHEAD;
    uint32_t a[Shape::Q_KEPT ? 1 : 2][BLOCKS][4], b[AHEAD + 1][4];

#pragma unroll
    for (int i = 0; i < BLOCKS; i++)
#pragma unroll
      for (int j = 0; j < N / 8; j++)
#pragma unroll
        for (int e = 0; e < 4; e++)
          s[i][j][e] = 0;
    if constexpr (!Shape::Q_KEPT)
      load_q (a[0], q_tile, 0);
#pragma unroll
    for (int f = 0; f < AHEAD; f++)
      fen_ldmatrix (b[f], k_tile + columns.at (f % GROUPS, f / GROUPS));
#pragma unroll
    for (int f = 0; f < STEPS * GROUPS; f++)
      {
        const int k = f / GROUPS, j = f % GROUPS, next = f + AHEAD;
        if (next < STEPS * GROUPS)
          fen_ldmatrix (b[next % (AHEAD + 1)], k_tile + columns.at (next % GROUPS, next / GROUPS));
        if constexpr (!Shape::Q_KEPT)
          if (j == 0 && k + 1 < STEPS)
            load_q (a[(k + 1) % 2], q_tile, k + 1);
        const uint32_t (&kb)[4] = b[f % (AHEAD + 1)];
#pragma unroll
        for (int i = 0; i < BLOCKS; i++)
          {
            const uint32_t (&qa)[4]
                = Shape::Q_KEPT ? q[Shape::Q_KEPT ? k : 0][i] : a[Shape::Q_KEPT ? 0 : k % 2][i];
            fen_mma<T> (s[i][2 * j], qa, kb[0], kb[1]);
            fen_mma<T> (s[i][2 * j + 1], qa, kb[2], kb[3]);
          }
      }
  }

  /* Soft cap: to units of log 2, so that c is 1. tanh x = 1 - 2 / (e^2x + 1), exact to a few 2^-24 of the cap. */
  __device__ __forceinline__ void
  cap (float inside, float outside)
  {
#pragma unroll
    for (int i = 0; i < BLOCKS; i++)
#pragma unroll
      for (int j = 0; j < N / 8; j++)
#pragma unroll
        for (int e = 0; e < 4; e++)
          s[i][j][e] = outside - __fdividef (2 * outside, fen_exp2 (s[i][j][e] * inside) + 1);
  }

  /* Hidden pairs become -inf. Without branches; sinks are looked at only where some exist. Keys are counted from the
   * tile's first one: `query` is the key of the warp's first query, `start` that of position 0, `stop` the end. */
  template <bool SINKS>
  __device__ __forceinline__ void
  mask (const FenAttentionMask &mask, int64_t b, int i0, int query, int start, int stop)
  {
    const int lane = (int)(forward_thread () % 32);
    const int window = mask.window > 0 ? (int)min (mask.window, (int64_t)1 << 30) : 1 << 30;
    const int sinks = (int)min (mask.sinks, (int64_t)1 << 30);
#pragma unroll
    for (int i = 0; i < BLOCKS; i++)
#pragma unroll
      for (int half = 0; half < 2; half++)
        {
          const int row = 16 * i + 8 * half + lane / 4, column = lane % 4 * 2;
          const int position = (int)mask.q0 + min (i0 + row, (int)mask.nq - 1);
          const int from = start - column
                           + (mask.doc_start != NULL ? mask.doc_start[b * mask.doc_stride + position] : 0);
          const int lo = max (from, query - column + row - window + 1);
          const int last = min (query + row, stop - 1) - column;
#pragma unroll
          for (int j = 0; j < N / 8; j++)
#pragma unroll
            for (int e = 0; e < 2; e++)
              {
                const int key = 8 * j + e;
                bool seen = key >= lo;
                if constexpr (SINKS)
                  seen = seen | ((key >= from) & (key - from < sinks));
                seen = seen & (key <= last);
                float &x = s[i][j][2 * half + e];
                x = seen ? x : -INFINITY;
              }
        }
  }

  /* Moves the references to the rows' maxima; what was summed so far is scaled to them. */
  __device__ __forceinline__ void
  move_references (const float (&top)[BLOCKS][2], float c)
  {
#pragma unroll
    for (int i = 0; i < BLOCKS; i++)
#pragma unroll
      for (int half = 0; half < 2; half++)
        {
          float x = fmaxf (top[i][half], __shfl_xor_sync (0xffffffffu, top[i][half], 1));
          x = fmaxf (x, __shfl_xor_sync (0xffffffffu, x, 2));
          const float old = m[i][half], now = fmaxf (old, x);
          const float factor = now == old ? 1 : fen_exp2 ((old - now) * c);
          m[i][half] = now;
          l[i][half] *= factor;
#pragma unroll
          for (int j = 0; j < D / 8; j++)
            {
              o[i][j][2 * half] *= factor;
              o[i][j][2 * half + 1] *= factor;
            }
        }
  }

  __device__ __forceinline__ void
  follow_scores (float c, float slack)
  {
    float top[BLOCKS][2];
    bool above = false;
#pragma unroll
    for (int i = 0; i < BLOCKS; i++)
#pragma unroll
      for (int half = 0; half < 2; half++)
        {
          float x = -INFINITY;
#pragma unroll
          for (int j = 0; j < N / 8; j++)
            x = fmaxf (x, fmaxf (s[i][j][2 * half], s[i][j][2 * half + 1]));
          top[i][half] = x;
          above |= x > m[i][half] + slack;
        }
    if (__any_sync (0xffffffffu, above))
      move_references (top, c);
  }

  /* Pair e of the 4 * BLOCKS that this lane has of keys 16 * step ..: to probabilities. Added to each other before they
   * are added to the row's sum, whose additions wait for one another. */
  __device__ __forceinline__ void
  powers (int step, int e, float c, const float (&cm)[BLOCKS][2])
  {
    const int i = e / 4, j = 2 * step + e / 2 % 2, half = e % 2;
    float &x = s[i][j][2 * half], &y = s[i][j][2 * half + 1];
    x = fen_exp2 (fmaf (x, c, -cm[i][half]));
    y = fen_exp2 (fmaf (y, c, -cm[i][half]));
    l[i][half] += x + y;
  }

  /* Probabilities, and O += P V. */
  __device__ __forceinline__ void
  values (uint32_t v_tile, float c)
  {
    constexpr int PAIRS = 4 * BLOCKS, GROUPS = D / 16, STEPS = N / 16, AHEAD = Shape::AHEAD;
    float cm[BLOCKS][2];
    uint32_t b[AHEAD + 1][4];
#pragma unroll
    for (int f = 0; f < AHEAD; f++)
      fen_ldmatrix_trans (b[f], v_tile + rows.at (f / GROUPS, f % GROUPS));
#pragma unroll
    for (int i = 0; i < BLOCKS; i++)
#pragma unroll
      for (int half = 0; half < 2; half++)
        cm[i][half] = m[i][half] == -INFINITY ? 0 : m[i][half] * c;
#pragma unroll
    for (int e = 0; e < PAIRS; e++)
      powers (0, e, c, cm);
#pragma unroll
    for (int step = 0; step < STEPS; step++)
      {
        uint32_t a[BLOCKS][4];
#pragma unroll
        for (int i = 0; i < BLOCKS; i++)
#pragma unroll
          for (int r = 0; r < 4; r++)
            a[i][r] = fen_pack<T> (s[i][2 * step + r / 2][r % 2 * 2], s[i][2 * step + r / 2][r % 2 * 2 + 1]);
#pragma unroll
        for (int g = 0; g < GROUPS; g++)
          {
            const int f = step * GROUPS + g, next = f + AHEAD;
            if (next < STEPS * GROUPS)
              fen_ldmatrix_trans (b[next % (AHEAD + 1)], v_tile + rows.at (next / GROUPS, next % GROUPS));
            const uint32_t (&vb)[4] = b[f % (AHEAD + 1)];
#pragma unroll
            for (int i = 0; i < BLOCKS; i++)
              {
                fen_mma<T> (o[i][2 * g], a[i], vb[0], vb[1]);
                fen_mma<T> (o[i][2 * g + 1], a[i], vb[2], vb[3]);
              }
            if (step + 1 < STEPS)
#pragma unroll
              for (int e = 0; e < PAIRS; e++)
                if (e * GROUPS / PAIRS == g)
                  powers (step + 1, e, c, cm);
          }
      }
  }

  /* Divides by the sums and stores O by way of the warp's rows of `tile`, and LSE. */
  __device__ __forceinline__ void
  finish (const FenAttentionParams &p, float c, int64_t b, int h, int i0, char *tile)
  {
    const int lane = (int)(forward_thread () % 32);
    __syncwarp (); /* every lane has read Q, whose place this takes */
    const float sink = p.sink_logits != NULL ? p.sink_logits[h] * FEN_LOG2E : -INFINITY;
#pragma unroll
    for (int i = 0; i < BLOCKS; i++)
#pragma unroll
      for (int half = 0; half < 2; half++)
        {
          const int row = 16 * i + 8 * half + lane / 4;
          float sum = l[i][half];
          sum += __shfl_xor_sync (0xffffffffu, sum, 1);
          sum += __shfl_xor_sync (0xffffffffu, sum, 2);
          const float reference = m[i][half] * c, top = fmaxf (reference, sink);
          const float factor = top == reference ? 1 : fen_exp2 (reference - top);
          sum = sum * factor + (sink > -INFINITY ? fen_exp2 (sink - top) : 0);
          const float inverse = sum == 0 ? 0 : factor / sum;
          if (p.lse != NULL && lane % 4 == 0 && i0 + row < p.mask.nq)
            p.lse[b * p.lse_batch_stride + h * p.lse_head_stride + i0 + row]
                = sum == 0 ? -INFINITY : (top + log2f (sum)) * FEN_LN2;
#pragma unroll
          for (int j = 0; j < D / 8; j++)
            *(uint32_t *)(tile + Layout::offset (row, j) + lane % 4 * 4)
                = fen_pack<T> (o[i][j][2 * half] * inverse, o[i][j][2 * half + 1] * inverse);
        }
    __syncwarp ();
    constexpr int CHUNKS = D / 8;
#pragma unroll 4
    for (int at = lane; at < Shape::R * CHUNKS; at += 32)
      {
        const int row = at / CHUNKS, chunk = at % CHUNKS;
        if (i0 + row < p.mask.nq && chunk * 8 < p.head_dim)
          *(uint4 *)(fen_head_row<T> (p.o, b, i0 + row, h) + chunk * 8)
              = *(const uint4 *)(tile + Layout::offset (row, chunk));
      }
  }
};

#endif /* __CUDACC__ */
