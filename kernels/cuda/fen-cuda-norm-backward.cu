/* fen-cuda-norm-backward.cu: gradients of LayerNorm and RMSNorm. With xhat = (x - mean) rstd and g = dy * weight:
 *
 *     dx = d_residual + rstd * (g - mean (g) - xhat * mean (g * xhat))       (RMSNorm: without mean (g))
 *     d_weight += sum over rows of dy * xhat,  d_bias += sum over rows of dy
 *
 * A team (a warp, or a block) keeps a row in registers, and each of its threads the same columns for all the rows it
 * visits: their share of d_weight and d_bias stays in registers too, and goes into the workspace once at the end. So
 * x, dy and d_residual are read once and dx is written once. How many teams there are depends on the shape and the card
 * alone, and partial sums are added in order: the same bits every time.
 *
 * Widths and pointers that packs do not fit, and rows of more than 2048 packs, take two passes: sums of columns
 * (fen-cuda-columns.h), then dx.
 */
#include "kernels/cuda/fen-cuda-columns.h"
#include "kernels/cuda/fen-cuda-norm.h"

struct Backward {
  int64_t rows;
  int width;
  const void *dy, *x, *weight, *d_residual;
  const float *mean, *rstd;
  void *dx;
  float *partials; /* (blocks, 1 or 2, width) */
};

#define TEAMS 8 /* warps of a block, when each is a team */

/* ---- shapes of teams ---- */

typedef struct {
  int threads; /* of a team: 32, or a block of 128 to 1024; 0 = packs do not fit */
  int packs;   /* of each thread */
  int64_t blocks;
} Shape;

static Shape
shape_of (int units, int64_t rows, int64_t width, int elements)
{
  const int64_t packs = width / elements;
  Shape s = { 0, 0, 0 };
  if (width % elements != 0 || packs > 2048)
    return s;
  if (units < 1)
    units = 1;
  int64_t most;
  if (packs <= 96)
    {
      s.threads = 32;
      s.packs = (int)fen_ceil_div (packs, 32);
      s.blocks = 2 * units;
      most = fen_ceil_div (rows, TEAMS);
    }
  else
    {
      s.packs = packs <= 1024 ? 1 : 2;
      s.threads = (int)fen_ceil_div (fen_ceil_div (packs, s.packs), 32) * 32;
      s.blocks = (int64_t)units * (s.threads <= 1024 ? 1024 / s.threads : 1);
      most = rows;
    }
  if (s.blocks > most)
    s.blocks = most;
  return s;
}

uint64_t
fen_cuda_norm_backward_workspace (int units, const FenNormBackward *p)
{
  const Shape s = shape_of (units, p->rows, p->width, p->dtype == FEN_F32 ? 4 : 8);
  return (uint64_t)s.blocks * (uint64_t)p->width * 2 * sizeof (float);
}

/* ---- rows in registers ---- */

/* The sums of a block's teams, in order: (TEAMS, columns) in shared memory. */
template <int N, int NV>
static __device__ __forceinline__ void
flush_warps (const float (&sums)[NV][N], int width, float *out, float *shared)
{
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  __syncthreads ();
#pragma unroll
  for (int v = 0; v < NV; v++)
#pragma unroll
    for (int j = 0; j < N; j++)
      shared[(warp * NV * N + v * N + j) * 32 + lane] = sums[v][j];
  __syncthreads ();
  for (int i = threadIdx.x; i < width; i += 32 * TEAMS)
    {
      const int v = i / (32 * N), j = i % N, from = i / N % 32;
      float sum = 0;
      for (int w = 0; w < TEAMS; w++)
        sum += shared[(w * NV * N + v * N + j) * 32 + from];
      out[i] = sum;
    }
}

template <typename T, int NV, bool LAYER, bool WARP>
static __global__ void
__launch_bounds__ (WARP ? 32 * TEAMS : 1024, WARP ? 2 : 1) backward_kernel (const Backward p)
{
  constexpr int N = 16 / sizeof (T);
  __shared__ float shared[WARP ? TEAMS * NV * N * 32 : 2 * 64];
  const int team = WARP ? 32 : blockDim.x, member = WARP ? threadIdx.x % 32 : threadIdx.x;
  const int64_t teams = WARP ? (int64_t)gridDim.x * TEAMS : gridDim.x;
  float d_weight[NV][N] = {}, d_bias[LAYER ? NV : 1][N] = {};
  const float inverse_width = 1.0f / (float)p.width;
  int odd = 0;
  for (int64_t row = WARP ? (int64_t)blockIdx.x * TEAMS + threadIdx.x / 32 : blockIdx.x; row < p.rows;
       row += teams)
    {
      const int64_t base = row * p.width;
      FenPack<T, N> x[NV], dy[NV];
#pragma unroll
      for (int v = 0; v < NV; v++)
        if ((member + v * team) * N < p.width)
          {
            x[v].load ((const T *)p.x + base + (member + v * team) * N);
            dy[v].load ((const T *)p.dy + base + (member + v * team) * N);
          }
      const float mean = LAYER ? p.mean[row] : 0, rstd = p.rstd[row];
      float g_sum = 0, gx_sum = 0;
#pragma unroll
      for (int v = 0; v < NV; v++)
        if ((member + v * team) * N < p.width)
          {
            float xs[N], dys[N], weight[N];
            FenPack<T, N> w;
            w.load ((const T *)p.weight + (member + v * team) * N);
            x[v].get (xs);
            dy[v].get (dys);
            w.get (weight);
#pragma unroll
            for (int j = 0; j < N; j++)
              {
                const float xhat = (xs[j] - mean) * rstd, g = dys[j] * weight[j];
                g_sum += g;
                gx_sum = fmaf (g, xhat, gx_sum);
                d_weight[v][j] = fmaf (dys[j], xhat, d_weight[v][j]);
                if constexpr (LAYER)
                  d_bias[v][j] += dys[j];
              }
          }
      if constexpr (WARP)
        {
          g_sum = LAYER ? fen_warp_sum (g_sum) : 0;
          gx_sum = fen_warp_sum (gx_sum);
        }
      else
        {
          const float2 sums = fen_block_sum2 (g_sum, gx_sum, shared + 64 * odd);
          g_sum = sums.x;
          gx_sum = sums.y;
          odd ^= 1;
        }
      const float g_mean = LAYER ? g_sum * inverse_width : 0, gx_mean = gx_sum * inverse_width;
#pragma unroll
      for (int v = 0; v < NV; v++)
        if ((member + v * team) * N < p.width)
          {
            float xs[N], dys[N], weight[N], residual[N] = {};
            FenPack<T, N> w;
            const int at = (member + v * team) * N;
            w.load ((const T *)p.weight + at);
            x[v].get (xs);
            dy[v].get (dys);
            w.get (weight);
            if (p.d_residual != NULL)
              {
                w.load ((const T *)p.d_residual + base + at);
                w.get (residual);
              }
#pragma unroll
            for (int j = 0; j < N; j++)
              {
                const float xhat = (xs[j] - mean) * rstd, g = dys[j] * weight[j];
                xs[j] = fmaf (rstd, g - g_mean - xhat * gx_mean, residual[j]);
              }
            w.set (xs);
            w.store ((T *)p.dx + base + at);
          }
    }
  float *out = p.partials + (int64_t)blockIdx.x * (LAYER ? 2 : 1) * p.width;
  if constexpr (WARP)
    {
      flush_warps<N, NV> (d_weight, p.width, out, shared);
      if constexpr (LAYER)
        flush_warps<N, NV> (d_bias, p.width, out + p.width, shared);
    }
  else
#pragma unroll
    for (int v = 0; v < NV; v++)
      if ((member + v * team) * N < p.width)
#pragma unroll
        for (int j = 0; j < N; j++)
          {
            out[(member + v * team) * N + j] = d_weight[v][j];
            if constexpr (LAYER)
              out[p.width + (member + v * team) * N + j] = d_bias[v][j];
          }
}

/* ---- any width ---- */

template <typename T> struct ColumnsOp {
  const T *dy, *x;
  const float *mean, *rstd;
  int64_t width;
  template <int N> struct Loaded {
    FenPack<T, N> dy, x;
    float mean, rstd;
  };
  template <int N>
  __device__ __forceinline__ Loaded<N>
  load (int64_t row, int64_t column) const
  {
    Loaded<N> in;
    in.dy.load (dy + row * width + column);
    in.x.load (x + row * width + column);
    in.mean = mean != NULL ? mean[row] : 0;
    in.rstd = rstd[row];
    return in;
  }
  template <int N>
  __device__ __forceinline__ void
  add (const Loaded<N> &in, float (&sums)[2][N]) const
  {
    float d[N], values[N];
    in.dy.get (d);
    in.x.get (values);
#pragma unroll
    for (int j = 0; j < N; j++)
      {
        sums[0][j] = fmaf (d[j], (values[j] - in.mean) * in.rstd, sums[0][j]);
        sums[1][j] += d[j];
      }
  }
};

template <typename T, bool LAYER>
static __global__ void __launch_bounds__ (1024) dx_any_kernel (const Backward p)
{
  __shared__ float shared[64];
  const int64_t row = blockIdx.x, base = row * p.width;
  const T *dy = (const T *)p.dy + base, *x = (const T *)p.x + base, *weight = (const T *)p.weight;
  const float mean = LAYER ? p.mean[row] : 0, rstd = p.rstd[row];
  float g_sum = 0, gx_sum = 0;
  for (int i = threadIdx.x; i < p.width; i += blockDim.x)
    {
      const float g = fen_load (dy[i]) * fen_load (weight[i]);
      g_sum += g;
      gx_sum = fmaf (g, (fen_load (x[i]) - mean) * rstd, gx_sum);
    }
  const float2 sums = fen_block_sum2 (g_sum, gx_sum, shared);
  const float g_mean = LAYER ? sums.x / (float)p.width : 0, gx_mean = sums.y / (float)p.width;
  for (int i = threadIdx.x; i < p.width; i += blockDim.x)
    {
      const float g = fen_load (dy[i]) * fen_load (weight[i]), xhat = (fen_load (x[i]) - mean) * rstd;
      const float residual = p.d_residual != NULL ? fen_load (((const T *)p.d_residual)[base + i]) : 0;
      ((T *)p.dx)[base + i] = fen_store<T> (fmaf (rstd, g - g_mean - xhat * gx_mean, residual));
    }
}

/* ---- which kernels ---- */

template <typename T, bool LAYER>
static void
in_registers (const FenCudaCall &call, const Backward &p, const Shape &s)
{
  const unsigned blocks = (unsigned)s.blocks;
  if (s.threads == 32 && s.packs == 1)
    backward_kernel<T, 1, LAYER, true><<<blocks, 32 * TEAMS, 0, call.stream>>> (p);
  else if (s.threads == 32 && s.packs == 2)
    backward_kernel<T, 2, LAYER, true><<<blocks, 32 * TEAMS, 0, call.stream>>> (p);
  else if (s.threads == 32)
    backward_kernel<T, 3, LAYER, true><<<blocks, 32 * TEAMS, 0, call.stream>>> (p);
  else if (s.packs == 1)
    backward_kernel<T, 1, LAYER, false><<<blocks, s.threads, 0, call.stream>>> (p);
  else
    backward_kernel<T, 2, LAYER, false><<<blocks, s.threads, 0, call.stream>>> (p);
  call.launched ("norm_backward");
}

template <typename T, bool LAYER>
static int64_t
in_two_passes (const FenCudaCall &call, const Backward &p)
{
  constexpr int N = 16 / sizeof (T);
  const ColumnsOp<T> op = { (const T *)p.dy, (const T *)p.x, LAYER ? p.mean : NULL, p.rstd, p.width };
  int64_t splits;
  if (p.width % N == 0 && fen_aligned (p.dy) && fen_aligned (p.x))
    splits = fen_columns<N, 2, 2> (call, "norm_backward columns", p.rows, p.width, op, p.partials);
  else
    splits = fen_columns<1, 2, 4> (call, "norm_backward columns", p.rows, p.width, op, p.partials);
  const int threads = p.width < 1024 ? (p.width + 31) / 32 * 32 : 1024;
  /* A grid has 2^31 - 1 blocks at most. */
  for (int64_t first = 0; first < p.rows; first += 1 << 30)
    {
      const int64_t at = first * p.width, left = p.rows - first;
      Backward q = p;
      q.dy = (const T *)p.dy + at;
      q.x = (const T *)p.x + at;
      q.d_residual = p.d_residual != NULL ? (const T *)p.d_residual + at : NULL;
      q.dx = (T *)p.dx + at;
      q.mean = LAYER ? p.mean + first : NULL;
      q.rstd = p.rstd + first;
      dx_any_kernel<T, LAYER><<<(unsigned)(left < 1 << 30 ? left : 1 << 30), threads, 0, call.stream>>> (q);
      call.launched ("norm_backward");
    }
  return splits;
}

template <typename T, bool LAYER>
static void
backward (const FenCudaCall &call, const FenNormBackward *p)
{
  const Backward q = { p->rows,       (int)p->width, p->dy,   p->x,  p->weight,
                       p->d_residual, p->mean,       p->rstd, p->dx, (float *)p->workspace };
  const Shape s = shape_of (call.device->properties.units, p->rows, p->width, 16 / sizeof (T));
  const bool aligned = fen_aligned (p->dy) && fen_aligned (p->x) && fen_aligned (p->weight)
                       && fen_aligned (p->d_residual) && fen_aligned (p->dx);
  int64_t splits = s.blocks, sums = LAYER ? 2 : 1;
  if (aligned && s.threads > 0)
    in_registers<T, LAYER> (call, q, s);
  else
    {
      splits = in_two_passes<T, LAYER> (call, q);
      sums = 2;
    }
  if (p->d_weight != NULL)
    fen_cuda_columns_finish (call, q.partials, splits, sums * p->width, p->width, p->d_weight);
  if (LAYER && p->d_bias != NULL)
    fen_cuda_columns_finish (call, q.partials + p->width, splits, sums * p->width, p->width, p->d_bias);
}

void
fen_cuda_norm_backward (FenDevice *device, FenStream *stream, const FenNormBackward *p)
{
  const FenCudaCall call (device, stream, FEN_OP_NORM_BACKWARD, p);
  if (!call.ready || p->rows == 0)
    return;
  fen_cuda_dispatch (p->dtype, [&] (auto zero) {
    using T = decltype (zero);
    if (p->kind == FEN_NORM_LAYER)
      backward<T, true> (call, p);
    else
      backward<T, false> (call, p);
  });
}
