/* fen-cuda-attention-mma-forward-tiles.h: which block, warp and thread of the tensor-core forward does what: the shape of
 * its tiles, their order, what the mask leaves each warp, and the copies of K and V.
 */
#pragma once

#include "kernels/cuda/fen-cuda-attention.h"
#include "kernels/cuda/fen-cuda-mma.h"

#ifdef __CUDACC__

/* BLOCKS: of 16 queries a warp. Q_KEPT: Q's operands stay in registers, else they are read from shared memory for every
 * tile. Q_OVER: Q comes by way of the stages' memory (Q_KEPT only). RESIDENT: blocks that should fit on a
 * multiprocessor. AHEAD: groups of products by which operands are read before their own. */
template <int D_, int N_, int WARPS_, int BLOCKS_, int STAGES_, bool Q_KEPT_, bool Q_OVER_, int RESIDENT_,
          int AHEAD_>
struct FenForwardShape {
  static constexpr int D = D_, N = N_, WARPS = WARPS_, BLOCKS = BLOCKS_, STAGES = STAGES_;
  static constexpr int RESIDENT = RESIDENT_, AHEAD = AHEAD_;
  static constexpr bool Q_KEPT = Q_KEPT_, Q_OVER = Q_OVER_;
  static constexpr int R = 16 * BLOCKS, M = WARPS * R, THREADS = 32 * WARPS;
  typedef FenSwizzle<D> Layout;
  static constexpr int Q_BYTES = M * Layout::ROW_BYTES, TILE_BYTES = N * Layout::ROW_BYTES;
  static constexpr int STAGES_AT = Q_OVER ? 0 : Q_BYTES, END = STAGES_AT + STAGES * 2 * TILE_BYTES;
  static constexpr int SHARED_BYTES = END > Q_BYTES ? END : Q_BYTES;
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

/* Copies K and V of one tile after the other into the stages. A thread keeps where it reads next in shared memory: worked
 * out for every tile it would cost more instructions than the copies, and registers there are none. */
template <typename T, typename Shape> struct FenForwardCopy {
  typedef FenTileCopy<Shape::D, Shape::N, Shape::THREADS> Copy;
  typedef FenForwardTiles<Shape::N, Shape::WARPS> Tiles;
  struct alignas (16) From {
    const T *k, *v;
  };
  From from[Shape::THREADS];

  /* Zeros in the columns that no whole tile brings. */
  __device__ __forceinline__ void
  clear (const FenAttentionParams &p, uint32_t stages)
  {
    if constexpr (Copy::WALKS)
      if (Copy::chunk (0, threadIdx.x) * 8 >= p.head_dim)
#pragma unroll 1
        for (int i = 0; i < 2 * Shape::STAGES * Copy::PASSES; i++)
          fen_copy_async (stages + Copy::place (i, threadIdx.x), p.k.data, false);
  }

  /* k, v: key 0 of the head. Strides are 32-bit here, products with them are not. */
  __device__ __forceinline__ void
  aim (const FenAttentionParams &p, const Tiles &all, int t, const T *k, const T *v)
  {
    const unsigned thread = forward_thread ();
    const int64_t j = all.tile (t).x + Copy::row (0, thread);
    const int chunk = Copy::chunk (0, thread);

    if constexpr (Copy::WALKS)
      from[thread] = { k + j * (int)p.k.token_stride + chunk * 8, v + j * (int)p.v.token_stride + chunk * 8 };
  }

  __device__ __forceinline__ void
  start (const FenAttentionParams &p, const Tiles &all, int t, const T *k, const T *v, uint32_t stage)
  {
    const unsigned thread = forward_thread ();
    const int k_stride = (int)p.k.token_stride, v_stride = (int)p.v.token_stride;

    /* The last tile of a range may end inside. Columns past head_dim are zeros already. */
    if (Copy::WALKS && t + 1 != all.tiles && t + 1 != all.sink_tiles)
      {
        if (Copy::chunk (0, thread) * 8 >= p.head_dim)
          return;
        From at = from[thread];
        const uint32_t to = stage + Copy::place (0, thread);
#pragma unroll
        for (int i = 0; i < Copy::PASSES; i++, at.k += (int64_t)Copy::STEP * k_stride)
          fen_copy_async (to + i * Copy::STEP * Shape::Layout::ROW_BYTES, at.k);
#pragma unroll
        for (int i = 0; i < Copy::PASSES; i++, at.v += (int64_t)Copy::STEP * v_stride)
          fen_copy_async (to + Shape::TILE_BYTES + i * Copy::STEP * Shape::Layout::ROW_BYTES, at.v);
        from[thread] = at;
      }
    else
      {
        const int2 tile = all.tile (t);
#pragma unroll(Copy::WALKS ? 1 : Copy::PASSES)
        for (int i = 0; i < Copy::PASSES; i++)
          {
            Copy::template pass<false> (i, stage, k + (int64_t)tile.x * k_stride, k_stride, tile.y,
                                        p.head_dim, thread);
            Copy::template pass<false> (i, stage + Shape::TILE_BYTES, v + (int64_t)tile.x * v_stride,
                                        v_stride, tile.y, p.head_dim, thread);
          }
        if (t + 1 == all.sink_tiles)
          aim (p, all, t + 1, k, v);
      }
  }
};

#endif /* __CUDACC__ */
