/* fen-cuda-attention-mma-backward-order.h: adding to dQ in turn.
 *
 * The blocks whose keys a query tile sees add to its dQ one after the other, by rising key tile:
 *
 *     key tile      s0 ..      b0   b0+1 ..   b1             s: sinks before the band, b: the band
 *     turn          0          1    2         3
 *                   stores     add  add       adds and writes the rows of dq
 *
 * So equal inputs give equal bits: the deterministic option. Blocks walk from the last query tile down: under a window
 * the block of the next keys then comes to a tile KEYS / QN steps later; without one all blocks of a head come at once and
 * queue. It needs no zeros in scratch memory and no kernel that turns it into rows, yet it is not the faster way even
 * under a window: asking for a turn and telling its end cost 7-23 % of a step (H200, W 512-4096), more than they save.
 *
 * A warp owns the same part of dQ in every block, so the warps of a block queue apart: one counter a warp and tile.
 * A waiting block waits for blocks of smaller index only; the hardware starts blocks by rising index (CUTLASS's serial
 * split-K stands on the same), so the awaited one is running or done.
 */
#pragma once

#include "kernels/cuda/fen-cuda-attention-mma-backward.h"

namespace fen_mma_backward {

struct Turn {
  int number; /* blocks that come before */
  bool last;
};

/* The turn of key tile n at the query tile of indices [i, i + QN), which it visits. (Key k is seen by [k, hi (k)) and
 * hi never falls, sinks aside: the tiles of the band are consecutive.) */
template <class C>
__device__ __forceinline__ Turn
turn_of (const FenAttentionMask &m, int b, int n, int i)
{
  const int64_t first = m.q0 + i, start = fen_mask_start (m, b, first);
  const int64_t lo = m.window > 0 ? max (start, first - m.window + 1) : start;
  const int64_t last_key = min (first + C::QN - 1 - m.k0, m.nk - 1);
  const int b0 = (int)(min (max (lo - m.k0, (int64_t)0), m.nk) / C::KEYS);
  const int b1 = lo - m.k0 < m.nk && last_key >= 0 ? (int)(last_key / C::KEYS) : -1;
  int s0 = 0, s1 = 0; /* [s0, s1): tiles of sinks alone */
  if (m.window > 0 && m.sinks > 0)
    {
      const int64_t begin = max (start - m.k0, (int64_t)0),
                    end = min (min (start + m.sinks, lo) - m.k0, m.nk);
      if (end > begin)
        {
          s0 = (int)(begin / C::KEYS);
          s1 = (int)((end - 1) / C::KEYS) + 1;
          s1 = b1 >= b0 ? min (s1, b0) : s1;
        }
    }
  Turn turn;
  turn.number = max (0, min (n, s1) - s0) + (b1 >= b0 ? max (0, n - b0) : 0);
  turn.last = b1 >= b0 ? n == b1 : n == s1 - 1;
  return turn;
}

/* Until `number` blocks have had their turn; what they wrote is visible then. */
__device__ __forceinline__ void
wait_turn (const int *counter, int number)
{
  int x;
  do
    asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(x) : "l"(counter) : "memory");
  while (x < number);
}

/* The whole warp's writes so far come before the next turn. */
__device__ __forceinline__ void
end_turn (int *counter, int number, int lane)
{
  __syncwarp ();
  if (lane == 0)
    asm volatile("st.release.gpu.global.s32 [%0], %1;" ::"l"(counter), "r"(number + 1) : "memory");
}

} /* namespace fen_mma_backward */
