/* fen-cuda-attention-mma-forward.h: attention forward on the tensor cores (Dao 2023, FlashAttention-2), the kernel.
 *
 * A block owns M queries of one head and walks over the key tiles that their mask leaves, N keys at a time:
 *
 *              K, V tiles in shared memory, two stages, copied one tile ahead
 *             |----|----|----|----|
 *   warp 0    |mmmm|ffff|mmmm|    |     R = 16 * BLOCKS queries a warp: scores, probabilities, sums and the output
 *   warp 1    |mmmm|ffff|ffff|mmmm|     stay in its registers, warps meet once a tile
 *
 *   S = Q K^T     P = 2^(c S - c m)     l += P 1     O += P V          c = scale * log2 e
 *
 * Warps skip the tiles that hide all their pairs (blank) and mask only where some pair is hidden (m).
 *
 * The reference m of a row is not its maximum: it moves only when a score exceeds it by 2^8 or more (FLASH_SLACK), and
 * then for the whole warp at once. Probabilities up to 2^8 lose nothing, P being rounded relatively, and in nearly every
 * tile a row then needs neither the exchange between its four lanes nor the scaling of O.
 *
 * Between P's rounding and the products of 16 keys lies one step: the powers of the next 16 keys are taken among the
 * products of these, so that the special function unit and the tensor cores work at the same time.
 */
#pragma once

#include "kernels/cuda/fen-cuda-attention.h"
#include "kernels/cuda/fen-cuda-mma.h"

#ifdef __CUDACC__

/* How far scores may exceed the reference of their row, in powers of two. */
#define FLASH_SLACK 8.0f

/* Q_KEPT: Q's operands stay in registers, else they are read from shared memory for every tile. Q_OVER: Q comes by
 * way of the stages' memory (Q_KEPT only). RESIDENT: blocks that should fit on a multiprocessor. */
template <int D_, int N_, int WARPS_, int BLOCKS_, int STAGES_, bool Q_KEPT_, bool Q_OVER_, int RESIDENT_,
          bool MIX_ = true>
struct FenForwardShape {
  static constexpr int D = D_, N = N_, WARPS = WARPS_, BLOCKS = BLOCKS_, STAGES = STAGES_,
                       RESIDENT = RESIDENT_;
  static constexpr bool Q_KEPT = Q_KEPT_, Q_OVER = Q_OVER_, MIX = MIX_;
  static constexpr int R = 16 * BLOCKS, M = WARPS * R, THREADS = 32 * WARPS;
  static constexpr int Q_BYTES = M * D * 2, TILE_BYTES = N * D * 2;
  static constexpr int STAGES_AT = Q_OVER ? 0 : Q_BYTES;
  static constexpr int SHARED_BYTES
      = (STAGES_AT + STAGES * 2 * TILE_BYTES) > Q_BYTES ? STAGES_AT + STAGES * 2 * TILE_BYTES : Q_BYTES;
  static_assert (!Q_OVER || Q_KEPT, "Q cannot stay where K goes");
};

/* Blocks in launch order: groups of `heads` heads (all batches' heads in a row), whose keys and values share the L2
 * cache; within a group the late query tiles first, since without a window they take longest. */
struct FenForwardGrid {
  unsigned tiles, heads, all_heads;
};

struct FenForwardPlace {
  int64_t b;
  int h, i0;
};

template <int M>
__device__ __forceinline__ FenForwardPlace
forward_place (const FenForwardGrid &grid, const FenAttentionParams &p)
{
  const unsigned group = blockIdx.x / (grid.tiles * grid.heads),
                 rest = blockIdx.x % (grid.tiles * grid.heads);
  const unsigned heads = min (grid.heads, grid.all_heads - group * grid.heads);
  const unsigned head = group * grid.heads + rest % heads, tile = grid.tiles - 1 - rest / heads;
  return { (int64_t)(head / p.heads), (int)(head % p.heads), (int)(tile * M) };
}

/* The tiles of one warp, among those of its block: [begin, end) show it a pair, [full_begin, full_end) every pair.
 * Sinks' tiles (before the band's) are always visited. */
struct FenWarpTiles {
  int begin, end, full_begin, full_end;
};

/* Queries [i0, i1) of the warp; none when i0 >= nq. */
template <int N>
__device__ __forceinline__ FenWarpTiles
warp_tiles (const FenAttentionMask &m, int64_t b, const FenKeyTiles &keys, int i0, int i1)
{
  if (i0 >= m.nq)
    return { 0, 0, 0, 0 };
  const FenMaskRow first = fen_mask_row (m, b, i0), last = fen_mask_row (m, b, min ((int64_t)i1, m.nq) - 1);
  const int base = (int)keys.band_begin, width = (int)(keys.band_end - keys.band_begin);
  /* Relative to the band: where some row begins to see (a sink inside the band counts), where all do; ends. */
  const int any = last.sink_end > keys.band_begin && m.sinks > 0 ? 0 : max ((int)first.lo - base, 0);
  const int all = max ((int)last.lo - base, 0);
  const int any_end = min ((int)last.last + 1 - base, width),
            all_end = min ((int)first.last + 1 - base, width);
  FenWarpTiles t;

  t.begin = keys.sink_tiles + any / N;
  t.end = any_end > 0 ? keys.sink_tiles + (any_end + N - 1) / N : keys.sink_tiles;
  t.full_begin = keys.sink_tiles + (all + N - 1) / N;
  t.full_end = keys.sink_tiles + max (all_end, 0) / N;
  return t;
}

template <typename T, typename Shape> struct FenForward {
  static constexpr int D = Shape::D, N = Shape::N, BLOCKS = Shape::BLOCKS;
  typedef FenOperand<D, FEN_ROWS_FIRST> RowsFirst;
  typedef FenOperand<D, FEN_COLUMNS_FIRST> ColumnsFirst;

  float s[BLOCKS][N / 8][4]; /* scores, then probabilities */
  float o[BLOCKS][D / 8][4];
  float m[BLOCKS][2], l[BLOCKS][2]; /* of rows lane / 4 and lane / 4 + 8 of each block; l: this lane's part */
  uint32_t q[Shape::Q_KEPT ? D / 16 : 1][BLOCKS][4];
  const int lane;
  const RowsFirst rows;       /* Q, V */
  const ColumnsFirst columns; /* K */

  __device__ __forceinline__
  FenForward (int lane)
      : lane (lane), rows (lane), columns (lane)
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

  /* `among` (k): other work to stand between the products of 16 columns and the next. */
  template <typename Among>
  __device__ __forceinline__ void
  scores (uint32_t q_tile, uint32_t k_tile, Among among)
  {
#pragma unroll
    for (int i = 0; i < BLOCKS; i++)
#pragma unroll
      for (int j = 0; j < N / 8; j++)
#pragma unroll
        for (int e = 0; e < 4; e++)
          s[i][j][e] = 0;
#pragma unroll
    for (int k = 0; k < D / 16; k++)
      {
        uint32_t (&a)[BLOCKS][4] = q[Shape::Q_KEPT ? k : 0];
        if constexpr (!Shape::Q_KEPT)
          load_q (a, q_tile, k);
#pragma unroll
        for (int j = 0; j < N / 16; j++)
          {
            uint32_t b[4];
            fen_ldmatrix (b, k_tile + columns.at (j, k));
#pragma unroll
            for (int i = 0; i < BLOCKS; i++)
              {
                fen_mma<T> (s[i][2 * j], a[i], b[0], b[1]);
                fen_mma<T> (s[i][2 * j + 1], a[i], b[2], b[3]);
              }
          }
        among (k);
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

  /* Element e of the 8 * BLOCKS that this lane has of keys 16 * step ..: to its probability. */
  __device__ __forceinline__ void
  power (int step, int e, float c, const float (&cm)[BLOCKS][2])
  {
    const int i = e / 8, j = 2 * step + e / 4 % 2, half = e / 2 % 2;
    float &x = s[i][j][e % 4];
    x = fen_exp2 (fmaf (x, c, -cm[i][half]));
    l[i][half] += x;
  }

  /* Probabilities, and O += P V. */
  __device__ __forceinline__ void
  values (uint32_t v_tile, float c)
  {
    constexpr int ELEMENTS = 8 * BLOCKS, GROUPS = D / 16;
    float cm[BLOCKS][2];
#pragma unroll
    for (int i = 0; i < BLOCKS; i++)
#pragma unroll
      for (int half = 0; half < 2; half++)
        cm[i][half] = m[i][half] == -INFINITY ? 0 : m[i][half] * c;
#pragma unroll
    for (int step = 0; step < (Shape::MIX ? 1 : N / 16); step++)
#pragma unroll
      for (int e = 0; e < ELEMENTS; e++)
        power (step, e, c, cm);
#pragma unroll
    for (int step = 0; step < N / 16; step++)
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
            uint32_t b[4];
            fen_ldmatrix_trans (b, v_tile + rows.at (step, g));
#pragma unroll
            for (int i = 0; i < BLOCKS; i++)
              {
                fen_mma<T> (o[i][2 * g], a[i], b[0], b[1]);
                fen_mma<T> (o[i][2 * g + 1], a[i], b[2], b[3]);
              }
            if (Shape::MIX && step + 1 < N / 16)
#pragma unroll
              for (int e = 0; e < ELEMENTS; e++)
                if (e * GROUPS / ELEMENTS == g)
                  power (step + 1, e, c, cm);
          }
      }
  }

  /* Divides by the sums and stores O by way of the warp's rows of `tile`, and LSE. */
  __device__ __forceinline__ void
  finish (const FenAttentionParams &p, float c, int64_t b, int h, int i0, char *tile)
  {
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
            *(uint32_t *)(tile + FenSwizzle<D>::offset (row, j) + lane % 4 * 4)
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
              = *(const uint4 *)(tile + FenSwizzle<D>::offset (row, chunk));
      }
  }
};

/* threadIdx.x, asked anew each time: what copies derive from it would otherwise stay in registers that the loop lacks. */
__device__ __forceinline__ unsigned
forward_thread ()
{
  unsigned thread;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
  return thread;
}

/* Copies K and V of one tile after the other into the stages: begin, every pass, end. Without branches, so that the
 * passes can stand among products. Past the last tile it fills a stage that nobody reads with zeros. */
template <typename T, typename Shape> struct FenForwardCopy {
  typedef FenTileCopy<Shape::D, Shape::N, Shape::THREADS> Copy;
  static constexpr int PASSES = 2 * Copy::PASSES;
  int next, j0, stop; /* the next tile, its first key, the end of its range */
  uint32_t to;        /* its stage */
  unsigned thread;

  __device__ __forceinline__
  FenForwardCopy (const FenKeyTiles &keys)
      : next (0)
  {
    aim (keys);
  }

  __device__ __forceinline__ void
  aim (const FenKeyTiles &keys)
  {
    const FenKeyTile tile = fen_key_tile<Shape::N> (keys, next);
    j0 = (int)tile.j0;
    stop = (int)tile.stop;
  }

  __device__ __forceinline__ void
  begin (uint32_t stages)
  {
    to = stages + next % Shape::STAGES * (2 * Shape::TILE_BYTES);
    thread = forward_thread ();
  }

  /* k, v: key 0 of the head. Strides are 32-bit here, their products are not. */
  __device__ __forceinline__ void
  pass (int i, const FenAttentionParams &p, const T *k, const T *v)
  {
    if (i < Copy::PASSES)
      Copy::template pass<false> (i, to, k + (int64_t)j0 * (int)p.k.token_stride, (int)p.k.token_stride,
                                  stop - j0, p.head_dim, thread);
    else
      Copy::template pass<false> (i - Copy::PASSES, to + Shape::TILE_BYTES,
                                  v + (int64_t)j0 * (int)p.v.token_stride, (int)p.v.token_stride, stop - j0,
                                  p.head_dim, thread);
  }

  __device__ __forceinline__ void
  end (const FenKeyTiles &keys)
  {
    fen_copy_commit ();
    next++;
    j0 += Shape::N;
    if (next == keys.sink_tiles)
      aim (keys);
  }

  __device__ __forceinline__ void
  all (const FenAttentionParams &p, const FenKeyTiles &keys, const T *k, const T *v, uint32_t stages)
  {
    begin (stages);
#pragma unroll
    for (int i = 0; i < PASSES; i++)
      pass (i, p, k, v);
    end (keys);
  }
};

template <typename T, typename Shape>
__global__ void
__launch_bounds__ (Shape::THREADS, Shape::RESIDENT)
    fen_attention_mma_forward_kernel (const __grid_constant__ FenAttentionParams p, const FenForwardGrid grid)
{
  constexpr int N = Shape::N, M = Shape::M, STAGES = Shape::STAGES;
  extern __shared__ uint4 fen_forward_shared[];
  char *const shared = (char *)fen_forward_shared;
  const int warp = threadIdx.x / 32;
  const FenForwardPlace at = forward_place<M> (grid, p);
  const int64_t b = at.b;
  const int kv_head = at.h / p.group, warp_i0 = at.i0 + warp * Shape::R;
  const int q_rows = (int)min (p.mask.nq - at.i0, (int64_t)M);
  const FenKeyTiles keys = fen_key_tiles<N> (p.mask, b, at.i0, at.i0 + q_rows);
  const FenWarpTiles mine = warp_tiles<N> (p.mask, b, keys, warp_i0, warp_i0 + Shape::R);
  const uint32_t stages = fen_shared_address (shared) + Shape::STAGES_AT;
  const uint32_t q_tile = fen_shared_address (shared) + warp * Shape::R * Shape::D * 2;
  const float c = p.softcap > 0 ? 1 : p.scale_log2, slack = FLASH_SLACK / c;
  FenForward<T, Shape> flash (threadIdx.x % 32);
  FenForwardCopy<T, Shape> copy (keys);
  const T *const k = fen_head_row<const T> (p.k, b, 0, kv_head), *const v
                                                                 = fen_head_row<const T> (p.v, b, 0, kv_head);

  FenTileCopy<Shape::D, M, Shape::THREADS>::start (fen_shared_address (shared),
                                                   fen_head_row<const T> (p.q, b, at.i0, at.h),
                                                   p.q.token_stride, q_rows, p.head_dim, threadIdx.x);
  fen_copy_commit ();
  if constexpr (Shape::Q_OVER)
    {
      fen_copy_wait<0> ();
      __syncthreads ();
      flash.keep_q (q_tile);
      __syncthreads ();
    }
#pragma unroll
  for (int t = 0; t < STAGES - 1; t++)
    copy.all (p, keys, k, v, stages);
  if constexpr (Shape::Q_KEPT && !Shape::Q_OVER)
    {
      fen_copy_wait<STAGES - 1> ();
      __syncthreads ();
      flash.keep_q (q_tile);
    }

#pragma unroll 1
  for (int t = 0; t < keys.tiles; t++)
    {
      /* Tile t is here for every thread, and nobody reads the stage of tile t - 1 any more. */
      fen_copy_wait<STAGES - 2> ();
      __syncthreads ();
      if (t >= mine.end || (t < mine.begin && t >= keys.sink_tiles))
        {
          copy.all (p, keys, k, v, stages);
          continue;
        }
      const uint32_t k_tile = stages + t % STAGES * (2 * Shape::TILE_BYTES),
                     v_tile = k_tile + Shape::TILE_BYTES;
      copy.begin (stages);
      flash.scores (q_tile, k_tile, [&] (int step) {
        constexpr int STEPS = Shape::D / 16;
#pragma unroll
        for (int i = 0; i < copy.PASSES; i++)
          if (i * STEPS / copy.PASSES == step)
            copy.pass (i, p, k, v);
      });
      copy.end (keys);
      if (p.softcap > 0)
        flash.cap (2 * FEN_LOG2E * p.scale / p.softcap, p.softcap * FEN_LOG2E);
      if (t < mine.full_begin || t >= mine.full_end)
        {
          const FenKeyTile tile = fen_key_tile<N> (keys, t);
          const int query = (int)(p.mask.q0 - p.mask.k0 - tile.j0) + warp_i0,
                    start = (int)(-p.mask.k0 - tile.j0);
          const int stop = (int)(tile.stop - tile.j0);
          if (p.mask.sinks > 0)
            flash.template mask<true> (p.mask, b, warp_i0, query, start, stop);
          else
            flash.template mask<false> (p.mask, b, warp_i0, query, start, stop);
        }
      flash.follow_scores (c, slack);
      flash.values (v_tile, c);
    }
  fen_copy_wait<0> ();
  if constexpr (Shape::Q_OVER)
    __syncthreads ();
  flash.finish (p, c, b, at.h, warp_i0, shared + warp * Shape::R * Shape::D * 2);
}

/* How many heads' keys and values may share the L2 cache, at most. */
#ifndef FEN_FORWARD_L2_BYTES
#define FEN_FORWARD_L2_BYTES (24.0 * 1024 * 1024)
#endif

template <typename T, typename Shape>
static inline cudaError_t
fen_forward_launch (const FenAttentionParams &p, cudaStream_t stream)
{
  const double head_bytes = 4.0 * (double)p.mask.nk * p.head_dim / p.group;
  const double fit = FEN_FORWARD_L2_BYTES / (head_bytes > 1 ? head_bytes : 1);
  const unsigned all = (unsigned)(p.batch * p.heads),
                 tiles = (unsigned)((p.mask.nq + Shape::M - 1) / Shape::M);
  const unsigned heads = fit >= all      ? all
                         : fit < p.group ? (unsigned)p.group
                                         : (unsigned)fit / p.group * p.group;
  const cudaError_t error
      = cudaFuncSetAttribute (fen_attention_mma_forward_kernel<T, Shape>,
                              cudaFuncAttributeMaxDynamicSharedMemorySize, Shape::SHARED_BYTES);
  if (error != cudaSuccess)
    return error;
  fen_attention_mma_forward_kernel<T, Shape>
      <<<tiles * all, Shape::THREADS, Shape::SHARED_BYTES, stream>>> (p, { tiles, heads, all });
  return cudaSuccess;
}

#endif /* __CUDACC__ */
