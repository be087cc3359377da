/* fen-cuda-rope.cu: rotary positions (Su et al. 2021). A block's sines and cosines are formed once and serve all heads.
 *
 * position * inv_freq is formed in double (its product with 2/pi too), reduced to within pi/4 of a multiple of pi/2
 * by two fused multiply-adds with pi/2 in two parts, and only then rounded to float: the angle is off by 2^-26, at
 * position 2^31 by 2^-22. That is six operations in double for an angle, so that even cards with few double units
 * stay bound by memory.
 *
 * A block takes `rows` rows and `heads` heads, so that 256 threads have up to ITEMS packs of pairs each. The packs are
 * loaded before the angles are computed: the loads hide them.
 */
#include "kernels/cuda/fen-cuda-vector.h"

#define THREADS 256
#define ITEMS 2
#define MAX_ANGLES 1024 /* sines and as many cosines of a block */

/* |x| <= pi/4: 2^-24 of 1. Taylor, to x^9 and x^8. */
__device__ __forceinline__ void
small_sincos (float x, float *sine, float *cosine)
{
  const float z = x * x;
  float s = fmaf (z, 2.7183114939898219e-6f, -1.9839334836096632e-4f);
  s = fmaf (s, z, 8.3333293858894632e-3f);
  s = fmaf (s, z, -1.6666666641626524e-1f);
  *sine = fmaf (s * z, x, x);
  float c = fmaf (z, 2.4390450703564542e-5f, -1.3886763774609929e-3f);
  c = fmaf (c, z, 4.1666623323739063e-2f);
  c = fmaf (c, z, -4.9999999725103100e-1f);
  *cosine = fmaf (c, z, 1.0f);
}

__device__ __forceinline__ float2
angle_sincos (int32_t position, float inv_freq)
{
  const double angle = (double)position * (double)inv_freq;
  const double shifted = fma (angle, 0.63661977236758134308, 0x1.8p52), n = shifted - 0x1.8p52;
  double r = fma (n, -0x1.921fb54442d18p+0, angle);
  r = fma (n, -0x1.1a62633145c07p-54, r);
  const int quadrant = __double2loint (shifted);
  float s, c;
  small_sincos ((float)r, &s, &c);
  const float a = quadrant & 1 ? c : s, b = quadrant & 1 ? s : c;
  return make_float2 (quadrant & 2 ? -a : a, (quadrant + 1) & 2 ? -b : b);
}

struct Rope {
  int64_t rows, token_stride, head_stride;
  int32_t heads, pairs;
  int32_t block_rows, block_heads, head_blocks;
  const int32_t *positions;
  const float *inv_freq;
  float scale, sine_scale;
};

template <typename T, int N>
__global__ void
__launch_bounds__ (THREADS) rope_kernel (const Rope p, const FenDivisor row_packs,
                                         const FenDivisor head_packs, const FenDivisor pairs, T *x)
{
  __shared__ __align__ (16) float sines[MAX_ANGLES], cosines[MAX_ANGLES];
  const int64_t row0 = (int64_t)(blockIdx.x / p.head_blocks) * p.block_rows;
  const int head0 = (int)(blockIdx.x % p.head_blocks) * p.block_heads;
  const int rows = (int)min ((int64_t)p.block_rows, p.rows - row0),
            heads = min (p.block_heads, p.heads - head0);
  const int total = rows * (int)row_packs.divisor;
  FenPack<T, N> low[ITEMS], high[ITEMS];
  int64_t at[ITEMS];
  int angle[ITEMS];
#pragma unroll
  for (int u = 0; u < ITEMS; u++)
    {
      const int item = threadIdx.x + u * THREADS;
      uint32_t in_row, pack;
      const int row = (int)row_packs.divide (item, &in_row), head = (int)head_packs.divide (in_row, &pack);
      at[u] = item < total && head < heads
                  ? (row0 + row) * p.token_stride + (head0 + head) * p.head_stride + pack * N
                  : -1;
      angle[u] = row * p.pairs + pack * N;
      if (at[u] >= 0)
        {
          low[u].load (x + at[u]);
          high[u].load (x + at[u] + p.pairs);
        }
    }
  for (int i = threadIdx.x; i < rows * p.pairs; i += THREADS)
    {
      uint32_t pair;
      const int64_t row = pairs.divide (i, &pair);
      const float2 sc = angle_sincos (p.positions[row0 + row], p.inv_freq[pair]);
      sines[i] = sc.x * p.sine_scale;
      cosines[i] = sc.y * p.scale;
    }
  __syncthreads ();
#pragma unroll
  for (int u = 0; u < ITEMS; u++)
    {
      if (at[u] < 0)
        continue;
      float a[N], b[N];
      FenPack<float, N> s, c;
      low[u].get (a);
      high[u].get (b);
      s.load (sines + angle[u]);
      c.load (cosines + angle[u]);
      float sine[N], cosine[N];
      s.get (sine);
      c.get (cosine);
#pragma unroll
      for (int j = 0; j < N; j++)
        {
          const float first = a[j];
          a[j] = first * cosine[j] - b[j] * sine[j];
          b[j] = b[j] * cosine[j] + first * sine[j];
        }
      low[u].set (a);
      high[u].set (b);
      low[u].store (x + at[u]);
      high[u].store (x + at[u] + p.pairs);
    }
}

template <typename T, int N>
static void
rope (const FenCudaCall &call, const FenRope *p)
{
  const int32_t pairs = p->rotary_dim / 2, packs = pairs / N, items = THREADS * ITEMS;
  Rope q = { p->rows,        p->token_stride,
             p->head_stride, p->heads,
             pairs,          1,
             p->heads,       1,
             p->positions,   p->inv_freq,
             p->scale,       p->inverse ? -p->scale : p->scale };
  if ((int64_t)p->heads * packs > items) /* a row's heads are shared out: packs is 512 at most */
    {
      q.head_blocks = (int32_t)fen_ceil_div ((int64_t)p->heads * packs, items);
      q.block_heads = (int32_t)fen_ceil_div (p->heads, q.head_blocks);
      if (q.block_heads * packs > items)
        q.block_heads = items / packs;
      q.head_blocks = (int32_t)fen_ceil_div (p->heads, q.block_heads);
    }
  else
    q.block_rows = min (items / (p->heads * packs), MAX_ANGLES / pairs);
  /* Few rows: every SM should have work. */
  while (q.block_rows > 1 && p->rows / q.block_rows < 2 * call.device->properties.units)
    q.block_rows = (q.block_rows + 1) / 2;
  const int64_t blocks = fen_ceil_div (p->rows, q.block_rows) * q.head_blocks;
  rope_kernel<T, N><<<(unsigned)blocks, THREADS, 0, call.stream>>> (
      q, FenDivisor (q.block_heads * packs), FenDivisor (packs), FenDivisor (pairs), (T *)p->x);
  call.launched ("rope");
}

void
fen_cuda_rope (FenDevice *device, FenStream *stream, const FenRope *p)
{
  const FenCudaCall call (device, stream, FEN_OP_ROPE, p);
  if (!call.ready || p->rows == 0)
    return;
  fen_cuda_dispatch (p->dtype, [&] (auto zero) {
    using T = decltype (zero);
    constexpr int N = 16 / sizeof (T);
    if (p->rotary_dim / 2 % N == 0 && p->token_stride % N == 0 && p->head_stride % N == 0
        && fen_aligned (p->x))
      rope<T, N> (call, p);
    else
      rope<T, 1> (call, p);
  });
}
