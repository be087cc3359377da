/* fen-cuda-attention-mma-backward-kernel.h: the kernel of the tensor-core backward pass: a block's walk over the query
 * tiles of its keys, with the copies that run ahead of it; and its launch. One file a head_dim includes this.
 */
#pragma once

#include "kernels/cuda/fen-cuda-attention-mma-backward-block.h"

#include <limits.h>

namespace fen_mma_backward {

/* Index of the query behind the last one that sees key j; 0 when j is no key. */
__device__ __forceinline__ int
query_limit (const FenAttentionMask &m, int b, int64_t j)
{
  if (j >= m.nk)
    return 0;
  const int64_t k = m.k0 + j, end = fen_mask_end (m, b, k);
  const bool sink = m.sinks > 0 && k - fen_mask_start (m, b, k) < m.sinks;
  const int64_t hi = m.window > 0 && !sink ? min (end, k + m.window) : end;
  return (int)max ((int64_t)0, min (hi - m.q0, m.nq));
}

/* The mask of the block's keys into shared memory; the block's greatest hi. */
template <class C>
__device__ __forceinline__ int
prepare_mask (const FenAttentionMask &m, char *shared, const Place &at)
{
  int *hi = (int *)(shared + C::HI), *groups = (int *)(shared + C::GROUPS), top = 0;
  for (int j = threadIdx.x; j < C::KEYS; j += C::THREADS)
    hi[j] = query_limit (m, at.b, (int64_t)at.tile * C::KEYS + j);
  __syncthreads ();
  if (threadIdx.x < C::KG)
    {
      int least = INT_MAX, greatest = 0;
      for (int j = 0; j < C::KM; j++)
        {
          const int x = hi[threadIdx.x * C::KM + j];
          least = min (least, x);
          greatest = max (greatest, x);
        }
      groups[threadIdx.x * 2] = least;
      groups[threadIdx.x * 2 + 1] = greatest;
    }
  __syncthreads ();
  for (int g = 0; g < C::KG; g++)
    top = max (top, groups[g * 2 + 1]);
  return top;
}

template <class C, bool CAP, bool ORDERED>
__global__ void
__launch_bounds__ (C::THREADS, C::BLOCKS) backward (const __grid_constant__ FenMmaBackward a)
{
  using T = typename C::T;
  extern __shared__ __align__ (1024) char memory[];
  const uint32_t shared = fen_shared_address (memory);
  const FenAttentionParams &p = a.p;
  const Place at = block_place (a);
  const int first = at.tile * C::KEYS, nq = (int)p.mask.nq, nk = (int)p.mask.nk;

  using Keys = FenTileCopy<C::D, C::KEYS, C::THREADS>;
  using Queries = FenTileCopy<C::D, C::QN, C::THREADS>;
  Keys::start (shared + C::K, fen_head_row<const T> (p.k, at.b, first, at.kv_head), p.k.token_stride,
               nk - first, p.head_dim, threadIdx.x);
  Keys::start (shared + C::V, fen_head_row<const T> (p.v, at.b, first, at.kv_head), p.v.token_stride,
               nk - first, p.head_dim, threadIdx.x);

  const int top = prepare_mask<C> (p.mask, memory, at);
  const int64_t shift = p.mask.k0 - p.mask.q0 + first;
  const int low = (int)max ((int64_t) - (1 << 30), min (shift, (int64_t)nq + C::QN));
  const int tile0 = max (low, 0) / C::QN, tiles = max ((top + C::QN - 1) / C::QN - tile0, 0);
  const int heads = p.group / a.splits, head0 = at.kv_head * p.group + at.split * heads;

  Block<C, CAP> block (a, shared);
  block.low = low + block.group * C::KM;
  block.least = ((int *)(memory + C::GROUPS))[block.group * 2];
  block.greatest = ((int *)(memory + C::GROUPS))[block.group * 2 + 1];
  int top0 = nq;
  for (int g = 0; g < C::KG; g++)
    top0 = min (top0, ((int *)(memory + C::GROUPS))[g * 2 + 1]);

  auto load = [&] (int head, int tile, int stage) {
    const int64_t row = ((int64_t)at.b * p.heads + head) * p.stats_stride + tile * C::QN;
    const int i = tile * C::QN;
    Queries::start (shared + C::Q + stage * C::Q_BYTES, fen_head_row<const T> (p.q, at.b, i, head),
                    p.q.token_stride, nq - i, p.head_dim, threadIdx.x);
    Queries::start (shared + C::DO + stage * C::Q_BYTES, fen_head_row<const T> (p.d_o, at.b, i, head),
                    p.d_o.token_stride, nq - i, p.head_dim, threadIdx.x);
    if (threadIdx.x < C::QN / 2)
      {
        const int chunk = threadIdx.x % (C::QN / 4);
        fen_copy_async (shared + C::STATS + stage * C::STATS_BYTES + threadIdx.x * 16,
                        (threadIdx.x < C::QN / 4 ? p.lse2 : p.delta) + row + chunk * 4);
      }
    fen_copy_commit ();
  };

  /* dQ of a tile whose dS lies in stage `stage`. Under a window, the end of a warp's turn is told at its next one: the
   * sums have arrived by then and nobody waits for that. Without one the next block waits already. */
  int *counter = NULL;
  int number = 0;
  const auto end_turn_before = [&] () {
    if (ORDERED && counter != NULL)
      end_turn (counter, number, block.lane);
    counter = NULL;
  };
  const auto query_gradient = [&] (int head, int tile, int stage) {
    float x[2][C::ND][4] = {};
    const int64_t at_tile = ((int64_t)at.b * p.heads + head) * a.query_tiles + tile;
    float *dq = a.dq + at_tile * (C::QN * C::D);
    end_turn_before ();
    block.query_gradient (x, shared + C::DSC + stage * C::S_BYTES, tile * C::QN, low, top0);
    if constexpr (ORDERED)
      {
        const Turn turn = turn_of<C> (p.mask, at.b, at.tile, tile * C::QN);
        int *mine = a.turns + at_tile * C::WARPS + block.warp;
        block.turn_query_gradient (at, head, tile, dq, x, mine, turn);
        if (!turn.last)
          {
            counter = mine;
            number = turn.number;
            if (p.mask.window == 0)
              end_turn_before ();
          }
      }
    else
      block.add_query_gradient (dq, x);
  };

  /* Warps w and w + 4 share a scheduler: one begins with the dQ of the tile before, which is products alone, the other
   * ends with it, so that the exponentials of one meet the products of the other. */
  const bool late = C::WARPS > 4 && block.warp >= C::WARPS / 2;

  /* In turn from the last query tile down (-order.h), else up. */
  const int begin = ORDERED ? tile0 + tiles - 1 : tile0, end = ORDERED ? tile0 - 1 : tile0 + tiles;
  const int steps = tiles * heads;
  int head = head0, tile = begin, last_head = head0, last_tile = begin;

  if (steps > 0)
    load (head, tile, 0);
#pragma unroll 1
  for (int step = 0; step < steps; step++)
    {
      const int stage = C::STAGES == 2 ? step & 1 : 0;
      int next_head = head, next_tile = ORDERED ? tile - 1 : tile + 1;
      if (next_tile == end)
        next_tile = begin, next_head++;
      fen_copy_wait<0> ();
      /* The tile is there; dS of the tile before is whole; nobody reads that tile's Q and dO any more, nor the dS of the
       * tile before it. */
      __syncthreads ();
      if (C::STAGES == 2)
        {
          if (step + 1 < steps)
            load (next_head, next_tile, stage ^ 1);
          if (step > 0 && !late)
            query_gradient (last_head, last_tile, stage ^ 1);
          block.tile (block.stage_of (stage), tile * C::QN);
          if (step > 0 && late)
            query_gradient (last_head, last_tile, stage ^ 1);
        }
      else
        {
          block.tile (block.stage_of (0), tile * C::QN);
          __syncthreads (); /* dS is whole, Q and dO are free */
          if (step + 1 < steps)
            load (next_head, next_tile, 0);
          query_gradient (head, tile, 0);
        }
      last_head = head;
      last_tile = tile;
      head = next_head;
      tile = next_tile;
    }
  if (C::STAGES == 2 && steps > 0)
    {
      __syncthreads ();
      query_gradient (last_head, last_tile, steps - 1 & 1);
    }
  end_turn_before ();
  fen_copy_wait<0> ();
  if (a.partial == NULL && p.dkv_dtype != FEN_F32)
    block.store_staged (memory, at, block.dk, block.dv);
  else if (steps > 0 || !p.accumulate || a.partial != NULL)
    block.store (at, block.dk, block.dv);
}

template <class C, bool CAP, bool ORDERED>
void
launch (const FenCudaCall &call, const FenMmaBackward &a)
{
  const unsigned blocks = (unsigned)(a.p.batch * a.p.kv_heads * a.splits * a.key_tiles);
  fen_cuda_keep (
      call.device,
      cudaFuncSetAttribute (backward<C, CAP, ORDERED>, cudaFuncAttributeMaxDynamicSharedMemorySize, C::BYTES),
      "attention backward's shared memory");
  backward<C, CAP, ORDERED><<<blocks, C::THREADS, C::BYTES, call.stream>>> (a);
  call.launched ("attention backward");
}

template <int D, int KEYS, int QN, int KG, int DS, int STAGES, int BLOCKS>
FenMmaBackwardShape
shape ()
{
  using B = Shape<__nv_bfloat16, D, KEYS, QN, KG, DS, STAGES, BLOCKS>;
  using H = Shape<__half, D, KEYS, QN, KG, DS, STAGES, BLOCKS>;
  return { D,
           KEYS,
           QN,
           B::WARPS,
           BLOCKS,
           { { { launch<B, false, false>, launch<B, false, true> },
               { launch<B, true, false>, launch<B, true, true> } },
             { { launch<H, false, false>, launch<H, false, true> },
               { launch<H, true, false>, launch<H, true, true> } } } };
}

} /* namespace fen_mma_backward */
