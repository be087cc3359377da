/* fen-cpu-attention-rows.c: the softmax of the plain path, one row of scores at a time, forward and backward.
 *
 * A row stands as GEMM wrote it: scores of the sinks' columns, then those of the band's. Only its two visible segments
 * are read; everything outside them becomes 0, so that the products after it may run over whole columns.
 */
#include "kernels/cpu/fen-cpu-attention-isa.h"
#include "kernels/cpu/fen-cpu-attention-micro.h"

/* In place, from raw products q.k to scores in units of log 2. */
FV_INLINE FenVec
score (FenVec raw, const FenAttentionRow *r)
{
  if (r->softcap > 0)
    return at_tanh (raw * at_broadcast (r->scale / r->softcap)) * at_broadcast (r->softcap * FEN_LOG2E);
  return raw * at_broadcast (r->scale * FEN_LOG2E);
}

static void
clear_outside (const FenAttentionRow *r, float *s)
{
  int64_t at = 0;

  for (int i = 0; i < 2; i++)
    {
      if (r->visible[i].begin >= r->visible[i].end)
        continue;
      memset (s + at, 0, sizeof (float) * (size_t)(r->visible[i].begin - at));
      at = r->visible[i].end;
    }
  memset (s + at, 0, sizeof (float) * (size_t)(r->columns - at));
}

/* Every vector of the visible segments, from column j on. */
#define FOR_VISIBLE(r)                                                                                       \
  for (int part = 0; part < 2; part++)                                                                       \
    for (int64_t j = (r)->visible[part].begin; j < (r)->visible[part].end; j += FEN_VW)

/* Lanes in use of the vector at column j of the segment. */
FV_INLINE int64_t
lanes_at (const FenAttentionRow *r, int part, int64_t j)
{
  const int64_t left = r->visible[part].end - j;

  return left < FEN_VW ? left : FEN_VW;
}

FV_INLINE FenVec
load_lanes (const float *p, int64_t lanes, float pad)
{
  return lanes == FEN_VW ? at_load (p) : fv_load_n (FEN_F32, p, 0, lanes, pad);
}

FV_INLINE void
store_lanes (float *p, int64_t lanes, FenVec x)
{
  if (lanes == FEN_VW)
    at_store (p, x);
  else
    fv_store_n (FEN_F32, p, 0, lanes, x);
}

float
FEN_ISA (fen_cpu_attention_softmax_row) (const FenAttentionRow *r, float *s)
{
  const float sink = r->sink * FEN_LOG2E;
  FenVec top = at_broadcast (sink), total = { 0 };

  FOR_VISIBLE (r)
  {
    const int64_t lanes = lanes_at (r, part, j);
    const FenVec x = score (load_lanes (s + j, lanes, 0), r);

    store_lanes (s + j, lanes, x);
    top = fv_max (load_lanes (s + j, lanes, -INFINITY), top);
  }
  const float max = fv_max_lane (top);
  if (max == -INFINITY)
    {
      memset (s, 0, sizeof (float) * (size_t)r->columns);
      return -INFINITY;
    }
  FOR_VISIBLE (r)
  {
    const int64_t lanes = lanes_at (r, part, j);
    const FenVec p = at_exp2 (load_lanes (s + j, lanes, -INFINITY) - at_broadcast (max));

    store_lanes (s + j, lanes, p);
    total += p;
  }
  const float sum = fv_sum (total) + exp2f (sink - max);
  const FenVec inverse = at_broadcast (1 / sum);
  FOR_VISIBLE (r)
  {
    const int64_t lanes = lanes_at (r, part, j);

    store_lanes (s + j, lanes, load_lanes (s + j, lanes, 0) * inverse);
  }
  clear_outside (r, s);
  return max * FEN_LN2 + logf (sum);
}

void
FEN_ISA (fen_cpu_attention_gradient_row) (const FenAttentionRow *r, float lse2, float delta, float *s,
                                          float *dp)
{
  const FenVec l = at_broadcast (lse2), d = at_broadcast (delta);
  const FenVec inverse_cap = at_broadcast (r->softcap > 0 ? 1 / (r->softcap * FEN_LOG2E) : 0);

  FOR_VISIBLE (r)
  {
    const int64_t lanes = lanes_at (r, part, j);
    const FenVec x = score (load_lanes (s + j, lanes, 0), r), p = at_exp2 (x - l), t = x * inverse_cap;

    store_lanes (s + j, lanes, p);
    store_lanes (dp + j, lanes, p * (load_lanes (dp + j, lanes, 0) - d) * (at_broadcast (1) - t * t));
  }
  clear_outside (r, s);
  clear_outside (r, dp);
}
