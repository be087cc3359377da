/* fen-cuda-attention-mma-forward.h: attention forward on the tensor cores (Dao 2023, FlashAttention-2), the kernel.
 *
 * A block owns M queries of one head and walks over the key tiles that their mask leaves, N keys at a time:
 *
 *              K, V tiles in shared memory, two stages, copied one tile ahead
 *             |----|----|----|----|
 *   warp 0    |mmmm|ffff|mmmm|    |     R = 16 * BLOCKS queries a warp: scores, probabilities, sums and the output
 *   warp 1    |mmmm|ffff|ffff|mmmm|     stay in its registers, warps meet once a tile
 *
 * Warps skip the tiles that hide all their pairs (blank) and mask only where some pair is hidden (m).
 */
#pragma once

#include "kernels/cuda/fen-cuda-attention-mma-forward-warp.h"

#ifdef __CUDACC__

template <typename T, typename Shape>
__global__ void
__launch_bounds__ (Shape::THREADS, Shape::RESIDENT)
    fen_attention_mma_forward_kernel (const __grid_constant__ FenAttentionParams p, const FenForwardGrid grid)
{
  constexpr int N = Shape::N, M = Shape::M, STAGES = Shape::STAGES;
  extern __shared__ uint4 fen_forward_shared[];
  __shared__ FenForwardTiles<N, Shape::WARPS> all;
  __shared__ FenForwardCopy<T, Shape> copy;
  char *const shared = (char *)fen_forward_shared;
  const FenForwardPlace at = forward_place<M> (grid, p);
  const int64_t b = at.b;
  const int kv_head = at.h / p.group;
  const uint32_t stages = fen_shared_address (shared) + Shape::STAGES_AT;
  const float c = p.softcap > 0 ? 1 : p.scale_log2, slack = FLASH_SLACK / c;
  const T *const k = fen_head_row<const T> (p.k, b, 0, kv_head);
  const T *const v = fen_head_row<const T> (p.v, b, 0, kv_head);

  {
    const int q_rows = (int)min (p.mask.nq - at.i0, (int64_t)M),
              warp_i0 = at.i0 + threadIdx.x / 32 * Shape::R;
    FenTileCopy<Shape::D, M, Shape::THREADS>::start (fen_shared_address (shared),
                                                     fen_head_row<const T> (p.q, b, at.i0, at.h),
                                                     p.q.token_stride, q_rows, p.head_dim, threadIdx.x);
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
  copy.clear (p, stages);
  copy.aim (p, all, 0, k, v);
#pragma unroll
  for (int t = 0; t < STAGES - 1; t++)
    {
      if (t < tiles)
        copy.start (p, all, t, k, v, stages + t % STAGES * (2 * Shape::TILE_BYTES));
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
        copy.start (p, all, next, k, v, stages + next % STAGES * (2 * Shape::TILE_BYTES));
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
  /* O goes where Q came to: by all threads' copies, which no barrier has awaited when there were no tiles. */
  if (Shape::Q_OVER || tiles == 0)
    __syncthreads ();
  const int warp = (int)(forward_thread () / 32);
  flash.finish (p, c, b, at.h, at.i0 + warp * Shape::R, shared + warp * Shape::R * Shape::Layout::ROW_BYTES);
}

/* How many heads' keys and values may share the L2 cache, at most. */
#define FEN_FORWARD_L2_BYTES (24.0 * 1024 * 1024)

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
