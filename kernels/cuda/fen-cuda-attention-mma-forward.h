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

#include <type_traits>

#ifdef __CUDACC__

/* How far scores may exceed the reference of their row, in powers of two. */
#define FLASH_SLACK 8.0f

/* Q_KEPT: Q's operands stay in registers, else they are read from shared memory for every tile. Q_OVER: Q comes by
 * way of the stages' memory (Q_KEPT only). RESIDENT: blocks that should fit on a multiprocessor. */
template <int D_, int N_, int WARPS_, int BLOCKS_, int STAGES_, bool Q_KEPT_, bool Q_OVER_, int RESIDENT_,
          bool MIX_ = true, bool PAD_ = false, int AHEAD_ = 2>
struct FenForwardShape {
  static constexpr int D = D_, N = N_, WARPS = WARPS_, BLOCKS = BLOCKS_, STAGES = STAGES_,
                       RESIDENT = RESIDENT_;
  static constexpr bool Q_KEPT = Q_KEPT_, Q_OVER = Q_OVER_, MIX = MIX_, PAD = PAD_;
  static constexpr int AHEAD = AHEAD_;
  static constexpr int R = 16 * BLOCKS, M = WARPS * R, THREADS = 32 * WARPS;
  typedef std::conditional_t<PAD, FenPadded<D>, FenSwizzle<D>> Layout;
  typedef std::conditional_t<PAD, FenPaddedOperand<D, FEN_ROWS_FIRST>, FenOperand<D, FEN_ROWS_FIRST>>
      RowsFirst;
  typedef std::conditional_t<PAD, FenPaddedOperand<D, FEN_COLUMNS_FIRST>, FenOperand<D, FEN_COLUMNS_FIRST>>
      ColumnsFirst;
  static constexpr int Q_BYTES = M * Layout::ROW_BYTES, TILE_BYTES = N * Layout::ROW_BYTES;
  static constexpr int STAGES_AT = Q_OVER ? 0 : Q_BYTES;
  static constexpr int SHARED_BYTES
      = (STAGES_AT + STAGES * 2 * TILE_BYTES) > Q_BYTES ? STAGES_AT + STAGES * 2 * TILE_BYTES : Q_BYTES;
  static_assert (!Q_OVER || Q_KEPT, "Q cannot stay where K goes");
};

/* threadIdx.x, asked anew each time: what copies derive from it would otherwise stay in registers that the loop lacks. */
__device__ __forceinline__ unsigned
forward_thread ()
{
  unsigned thread;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
  return thread;
}

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
struct alignas (16) FenWarpTiles {
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
  typedef typename Shape::RowsFirst RowsFirst;
  typedef typename Shape::ColumnsFirst ColumnsFirst;
  typedef typename Shape::Layout Layout;

  float s[BLOCKS][N / 8][4]; /* scores, then probabilities */
  float o[BLOCKS][D / 8][4];
  float m[BLOCKS][2], l[BLOCKS][2]; /* of rows lane / 4 and lane / 4 + 8 of each block; l: this lane's part */
  uint32_t q[Shape::Q_KEPT ? D / 16 : 1][BLOCKS][4];
  const RowsFirst rows;       /* Q, V */
  const ColumnsFirst columns; /* K */

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
    constexpr int ELEMENTS = 8 * BLOCKS, GROUPS = D / 16, STEPS = N / 16, AHEAD = Shape::AHEAD;
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
    for (int step = 0; step < (Shape::MIX ? 1 : STEPS); step++)
#pragma unroll
      for (int e = 0; e < ELEMENTS; e++)
        power (step, e, c, cm);
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
            if (Shape::MIX && step + 1 < STEPS)
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
    const int lane = (int)(forward_thread () % 32);
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

/* What a block knows about its tiles. In shared memory: read once a tile, it would cost registers all the time. */
template <int N, int WARPS> struct FenForwardTiles {
  int sink_begin, sink_end, band_begin, band_end; /* key indices */
  int sink_tiles, tiles;
  FenWarpTiles warps[WARPS];

  /* First key of tile t, and how many keys from there to the end of its range. */
  __device__ __forceinline__ int2
  tile (int t) const
  {
    const bool sink = t < sink_tiles;
    const int j0 = sink ? sink_begin + t * N : band_begin + (t - sink_tiles) * N;
    return make_int2 (j0, (sink ? sink_end : band_end) - j0);
  }
};

/* Starts copying K and V of tile t into its stage. k, v: key 0 of the head. Strides are 32-bit here, products not. */
template <typename T, typename Shape>
__device__ __forceinline__ void
forward_copy (const FenAttentionParams &p, int2 tile, const T *k, const T *v, uint32_t stage)
{
  typedef FenTileCopy<Shape::D, Shape::N, Shape::THREADS, typename Shape::Layout> Copy;
  const int k_stride = (int)p.k.token_stride, v_stride = (int)p.v.token_stride;
  const unsigned thread = forward_thread ();

  Copy::start (stage, k + (int64_t)tile.x * k_stride, k_stride, tile.y, p.head_dim, thread);
  Copy::start (stage + Shape::TILE_BYTES, v + (int64_t)tile.x * v_stride, v_stride, tile.y, p.head_dim,
               thread);
}

template <typename T, typename Shape>
__global__ void
__launch_bounds__ (Shape::THREADS, Shape::RESIDENT)
    fen_attention_mma_forward_kernel (const __grid_constant__ FenAttentionParams p, const FenForwardGrid grid)
{
  constexpr int N = Shape::N, M = Shape::M, STAGES = Shape::STAGES;
  extern __shared__ uint4 fen_forward_shared[];
  __shared__ FenForwardTiles<N, Shape::WARPS> all;
  char *const shared = (char *)fen_forward_shared;
  const FenForwardPlace at = forward_place<M> (grid, p);
  const int64_t b = at.b;
  const int kv_head = at.h / p.group;
  const uint32_t stages = fen_shared_address (shared) + Shape::STAGES_AT;
  const float c = p.softcap > 0 ? 1 : p.scale_log2, slack = FLASH_SLACK / c;
  const T *const k = fen_head_row<const T> (p.k, b, 0, kv_head), *const v
                                                                 = fen_head_row<const T> (p.v, b, 0, kv_head);

  {
    const int q_rows = (int)min (p.mask.nq - at.i0, (int64_t)M),
              warp_i0 = at.i0 + threadIdx.x / 32 * Shape::R;
    FenTileCopy<Shape::D, M, Shape::THREADS, typename Shape::Layout>::start (
        fen_shared_address (shared), fen_head_row<const T> (p.q, b, at.i0, at.h), p.q.token_stride, q_rows,
        p.head_dim, threadIdx.x);
    fen_copy_commit ();
    const FenKeyTiles keys = fen_key_tiles<N> (p.mask, b, at.i0, at.i0 + q_rows);
    if (threadIdx.x % 32 == 0)
      all.warps[threadIdx.x / 32] = warp_tiles<N> (p.mask, b, keys, warp_i0, warp_i0 + Shape::R);
    if (threadIdx.x == 0)
      {
        all.sink_begin = (int)keys.sink_begin, all.sink_end = (int)keys.sink_end;
        all.band_begin = (int)keys.band_begin, all.band_end = (int)keys.band_end;
        all.sink_tiles = keys.sink_tiles, all.tiles = keys.tiles;
      }
    if constexpr (Shape::Q_OVER)
      fen_copy_wait<0> ();
    __syncthreads ();
  }
  const uint32_t q_tile
      = fen_shared_address (shared) + threadIdx.x / 32 * Shape::R * Shape::Layout::ROW_BYTES;
  const int tiles = all.tiles;
  FenForward<T, Shape> flash (threadIdx.x % 32);
  if constexpr (Shape::Q_OVER)
    {
      flash.keep_q (q_tile);
      __syncthreads ();
    }
#pragma unroll
  for (int t = 0; t < STAGES - 1; t++)
    {
      if (t < tiles)
        forward_copy<T, Shape> (p, all.tile (t), k, v, stages + t % STAGES * (2 * Shape::TILE_BYTES));
      fen_copy_commit ();
    }
  if constexpr (Shape::Q_KEPT && !Shape::Q_OVER)
    {
      fen_copy_wait<STAGES - 1> ();
      __syncthreads ();
      flash.keep_q (q_tile);
    }

#pragma unroll 1
  for (int t = 0; t < tiles; t++)
    {
      /* Tile t is here for every thread, and nobody reads the stage of tile t - 1 any more. */
      fen_copy_wait<STAGES - 2> ();
      __syncthreads ();
      const int next = t + STAGES - 1;
      if (next < tiles)
        forward_copy<T, Shape> (p, all.tile (next), k, v, stages + next % STAGES * (2 * Shape::TILE_BYTES));
      fen_copy_commit ();
      const int4 mine = *(const int4 *)&all.warps[forward_thread () / 32]; /* begin, end, full begin, end */
      if (t >= mine.y || (t < mine.x && t >= all.sink_tiles))
        continue;
      const uint32_t k_tile = stages + t % STAGES * (2 * Shape::TILE_BYTES),
                     v_tile = k_tile + Shape::TILE_BYTES;
      flash.scores (q_tile, k_tile);
      if (p.softcap > 0)
        flash.cap (2 * FEN_LOG2E * p.scale / p.softcap, p.softcap * FEN_LOG2E);
      if (t < mine.z || t >= mine.w)
        {
          const int2 tile = all.tile (t);
          const int i0 = at.i0 + (int)(forward_thread () / 32) * Shape::R, start = (int)-p.mask.k0 - tile.x;
          const int query = (int)(p.mask.q0 - p.mask.k0) + i0 - tile.x;
          if (p.mask.sinks > 0)
            flash.template mask<true> (p.mask, b, i0, query, start, tile.y);
          else
            flash.template mask<false> (p.mask, b, i0, query, start, tile.y);
        }
      flash.follow_scores (c, slack);
      flash.values (v_tile, c);
    }
  fen_copy_wait<0> ();
  if constexpr (Shape::Q_OVER)
    __syncthreads ();
  const int warp = (int)(forward_thread () / 32);
  flash.finish (p, c, b, at.h, at.i0 + warp * Shape::R, shared + warp * Shape::R * Shape::Layout::ROW_BYTES);
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
