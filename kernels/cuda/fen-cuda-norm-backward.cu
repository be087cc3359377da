/* fen-cuda-norm-backward.cu: gradients of LayerNorm and RMSNorm. With xhat = (x - mean) rstd and g = dy * weight:
 *
 *     dx = d_residual + rstd * (g - mean (g) - xhat * mean (g * xhat))       (RMSNorm: without mean (g))
 *     d_weight += sum over rows of dy * xhat,  d_bias += sum over rows of dy
 *
 * A team (as many warps as a row has packs of 16 bytes for) visits rows one after another, and each of its threads the
 * same columns of all of them: their share of d_weight and d_bias stays in registers, and goes into the workspace once
 * at the end, added up over the teams of a block. x, dy and d_residual are read once, STAGES rows ahead, by cp.async
 * into shared memory: each thread copies and reads its own packs alone, so that nobody waits for a barrier, and what is
 * in flight takes no registers from the sums. How many teams there are depends on the shape and the card alone, and
 * partial sums are added in order: the same bits every time.
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

/* ---- shapes of teams ---- */

/* Of a block's teams together, where they are smaller; two such blocks fit on an SM. LayerNorm's sums take more
 * registers: 80 a thread, where RMSNorm is content with 64. */
#define BLOCK_THREADS(layer) ((layer) ? 384 : 512)
#define MAX_TEAMS 16

typedef struct {
  int threads; /* of a team, a multiple of 32; 0 = packs do not fit */
  int teams;   /* of a block */
  int packs;   /* of each thread */
  int64_t blocks;
} Shape;

static Shape
shape_of (int units, FenNormKind kind, int64_t rows, int64_t width, int elements)
{
  const int64_t packs = width / elements;
  const int block = BLOCK_THREADS (kind == FEN_NORM_LAYER);
  Shape s = { 0, 1, 1, 0 };
  if (width % elements != 0 || packs > 2048)
    return s;
  s.packs = packs <= 1024 ? 1 : 2;
  s.threads = (int)fen_ceil_div (packs, 32 * s.packs) * 32;
  if (s.threads < block)
    s.teams = block / s.threads < MAX_TEAMS ? block / s.threads : MAX_TEAMS;
  s.blocks = (int64_t)(units > 0 ? units : 1) * (s.threads * s.teams <= block ? 2 : 1);
  const int64_t most = fen_ceil_div (rows, s.teams);
  if (s.blocks > most)
    s.blocks = most;
  return s;
}

uint64_t
fen_cuda_norm_backward_workspace (int units, const FenNormBackward *p)
{
  const Shape s = shape_of (units, p->kind, p->rows, p->width, p->dtype == FEN_F32 ? 4 : 8);
  return (uint64_t)s.blocks * (uint64_t)p->width * 2 * sizeof (float);
}

/* ---- rows in registers ---- */

/* Two sums over a team, to all its threads; `shared` is the team's own, and alternates. Barrier 0 is __syncthreads's;
 * the teams take those behind it: 8 of 15 at most, as a team of one warp needs none. */
static __device__ __forceinline__ float2
team_sum2 (float a, float b, int team, int threads, float *shared)
{
  const int lane = threadIdx.x % 32, warps = threads / 32, warp = threadIdx.x / 32 - team * warps;
  a = fen_warp_sum (a);
  b = fen_warp_sum (b);
  if (warps == 1)
    return make_float2 (a, b);
  if (lane == 0)
    *(float2 *)(shared + 2 * warp) = make_float2 (a, b);
  asm volatile("bar.sync %0, %1;" ::"r"(team + 1), "r"(threads) : "memory");
  const float2 other = lane < warps ? *(const float2 *)(shared + 2 * lane) : make_float2 (0, 0);
  return make_float2 (fen_warp_sum (other.x), fen_warp_sum (other.y));
}

/* This thread's packs of a row: x, dy, d_residual, NV of each, at [(which * NV + v) * blockDim.x]. */
template <typename T, int NV>
static __device__ __forceinline__ void
fetch (const Backward &p, int64_t row, int member, int threads, uint4 *slot)
{
  constexpr int N = 16 / sizeof (T);
  const int64_t base = row * p.width;
  if (row < p.rows)
#pragma unroll
    for (int v = 0; v < NV; v++)
      {
        const int at = (member + v * threads) * N;
        if (at < p.width)
          {
            fen_copy_ahead (slot + v * blockDim.x, (const T *)p.x + base + at);
            fen_copy_ahead (slot + (NV + v) * blockDim.x, (const T *)p.dy + base + at);
            if (p.d_residual != NULL)
              fen_copy_ahead (slot + (2 * NV + v) * blockDim.x, (const T *)p.d_residual + base + at);
          }
      }
  fen_copy_group (); /* an empty one too: the waits count them */
}

template <typename T>
static __device__ __forceinline__ void
unpack (const uint4 &raw, float (&values)[16 / sizeof (T)])
{
  FenPack<T, 16 / sizeof (T)> pack;
  pack.raw[0] = raw;
  pack.get (values);
}

/* The teams' sums of a block, added in order, to `out`. */
template <int N, int NV>
static __device__ __forceinline__ void
flush (const float (&sums)[NV][N], const Backward &p, int member, int threads, int teams, float *out,
       float *shared)
{
  const int team = threadIdx.x / threads;
  if (teams > 1)
    {
      __syncthreads ();
#pragma unroll
      for (int v = 0; v < NV; v++)
#pragma unroll
        for (int j = 0; j < N; j++)
          shared[((team * NV + v) * N + j) * threads + member] = sums[v][j];
      __syncthreads ();
    }
  if (team > 0)
    return;
#pragma unroll
  for (int v = 0; v < NV; v++)
    if ((member + v * threads) * N < p.width)
#pragma unroll
      for (int j = 0; j < N; j++)
        {
          float sum = sums[v][j];
          for (int t = 1; t < teams; t++)
            sum += shared[((t * NV + v) * N + j) * threads + member];
          out[(member + v * threads) * N + j] = sum;
        }
}

/* Sums of g and of g * xhat over this thread's columns, and its share of the columns' sums. */
template <typename T, int NV, bool LAYER>
static __device__ __forceinline__ float2
row_sums (const Backward &p, const uint4 *slot, int member, int threads, float mean, float rstd,
          float (&d_weight)[NV][16 / sizeof (T)], float (&d_bias)[LAYER ? NV : 1][16 / sizeof (T)])
{
  constexpr int N = 16 / sizeof (T);
  float2 sums = make_float2 (0, 0);
#pragma unroll
  for (int v = 0; v < NV; v++)
    if ((member + v * threads) * N < p.width)
      {
        float x[N], dy[N], weight[N];
        unpack<T> (((const uint4 *)p.weight)[member + v * threads], weight);
        unpack<T> (slot[v * blockDim.x], x);
        unpack<T> (slot[(NV + v) * blockDim.x], dy);
#pragma unroll
        for (int j = 0; j < N; j++)
          {
            const float xhat = (x[j] - mean) * rstd, g = dy[j] * weight[j];
            sums.x += g;
            sums.y = fmaf (g, xhat, sums.y);
            d_weight[v][j] = fmaf (dy[j], xhat, d_weight[v][j]);
            if constexpr (LAYER)
              d_bias[v][j] += dy[j];
          }
      }
  return sums;
}

template <typename T, int NV>
static __device__ __forceinline__ void
write_row (const Backward &p, const uint4 *slot, int64_t row, int member, int threads, float mean, float rstd,
           float2 means)
{
  constexpr int N = 16 / sizeof (T);
#pragma unroll
  for (int v = 0; v < NV; v++)
    if ((member + v * threads) * N < p.width)
      {
        float x[N], dy[N], weight[N], residual[N] = {};
        FenPack<T, N> out;
        unpack<T> (((const uint4 *)p.weight)[member + v * threads], weight);
        unpack<T> (slot[v * blockDim.x], x);
        unpack<T> (slot[(NV + v) * blockDim.x], dy);
        if (p.d_residual != NULL)
          unpack<T> (slot[(2 * NV + v) * blockDim.x], residual);
#pragma unroll
        for (int j = 0; j < N; j++)
          {
            const float xhat = (x[j] - mean) * rstd, g = dy[j] * weight[j];
            x[j] = fmaf (rstd, g - means.x - xhat * means.y, residual[j]);
          }
        out.set (x);
        out.store ((T *)p.dx + row * p.width + (member + v * threads) * N);
      }
}

/* STAGES rows in flight or at work; dynamic shared memory: (STAGES, 3, NV, threads of the block) packs. */
template <typename T, int NV, bool LAYER, int STAGES, int THREADS>
static __global__ void
__launch_bounds__ (THREADS, THREADS == BLOCK_THREADS (LAYER) ? 2 : 1)
    backward_kernel (const Backward p, const int threads)
{
  constexpr int N = 16 / sizeof (T);
  extern __shared__ uint4 slots[];
  __shared__ float2 shared[2][32]; /* a block has 32 warps at most: each team its own */
  const int team = threadIdx.x / threads, member = threadIdx.x % threads, teams = blockDim.x / threads;
  const int slot_packs = 3 * NV * blockDim.x;
  const int64_t step = (int64_t)gridDim.x * teams;
  const float inverse_width = 1.0f / (float)p.width;
  float d_weight[NV][N] = {}, d_bias[LAYER ? NV : 1][N] = {};
  int64_t row = (int64_t)blockIdx.x * teams + team;
  int stage = 0, odd = 0;
#pragma unroll
  for (int s = 0; s < STAGES; s++)
    fetch<T, NV> (p, row + s * step, member, threads, slots + s * slot_packs + threadIdx.x);
  float next_mean = LAYER && row < p.rows ? p.mean[row] : 0, next_rstd = row < p.rows ? p.rstd[row] : 0;
  for (; row < p.rows; row += step)
    {
      uint4 *slot = slots + stage * slot_packs + threadIdx.x;
      const float mean = next_mean, rstd = next_rstd;
      if (row + step < p.rows)
        {
          next_mean = LAYER ? p.mean[row + step] : 0;
          next_rstd = p.rstd[row + step];
        }
      fen_copy_wait<STAGES - 1> ();
      float2 sums = row_sums<T, NV, LAYER> (p, slot, member, threads, mean, rstd, d_weight, d_bias);
      sums = team_sum2 (sums.x, sums.y, team, threads, (float *)(shared[odd] + team * (threads / 32)));
      const float2 means = make_float2 (LAYER ? sums.x * inverse_width : 0, sums.y * inverse_width);
      write_row<T, NV> (p, slot, row, member, threads, mean, rstd, means);
      fetch<T, NV> (p, row + STAGES * step, member, threads, slot);
      stage = stage + 1 < STAGES ? stage + 1 : 0;
      odd ^= 1;
    }
  fen_copy_wait<0> ();
  float *out = p.partials + (int64_t)blockIdx.x * (LAYER ? 2 : 1) * p.width;
  flush<N, NV> (d_weight, p, member, threads, teams, out, (float *)slots);
  if constexpr (LAYER)
    flush<N, NV> (d_bias, p, member, threads, teams, out + p.width, (float *)slots);
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

template <typename T, int NV, bool LAYER, int STAGES, int THREADS>
static void
launch (const FenCudaCall &call, const Backward &p, const Shape &s)
{
  const unsigned threads = (unsigned)(s.threads * s.teams);
  const int shared = STAGES * 3 * NV * (int)threads * 16;
  const auto kernel = backward_kernel<T, NV, LAYER, STAGES, THREADS>;
  if (fen_cuda_keep (call.device,
                     cudaFuncSetAttribute (kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared),
                     "norm_backward"))
    kernel<<<(unsigned)s.blocks, threads, shared, call.stream>>> (p, s.threads);
  call.launched ("norm_backward");
}

template <typename T, bool LAYER, int STAGES>
static void
launch_single (const FenCudaCall &call, const Backward &p, const Shape &s)
{
  const int threads = s.threads * s.teams;
  if (threads <= BLOCK_THREADS (LAYER))
    launch<T, 1, LAYER, STAGES, BLOCK_THREADS (LAYER)> (call, p, s);
  else if (LAYER && threads <= 512)
    launch<T, 1, LAYER, STAGES, LAYER ? 512 : 1024> (call, p, s);
  else
    launch<T, 1, LAYER, STAGES, 1024> (call, p, s);
}

/* 48 bytes of each thread's pack and stage; 2048 packs take 96 KiB a stage, which every card from sm_80 on has once. */
template <typename T, bool LAYER>
static void
in_registers (const FenCudaCall &call, const Backward &p, const Shape &s)
{
  const bool roomy = call.device->shared_optin >= 200 * 1024;
  if (s.packs == 2 && roomy)
    launch<T, 2, LAYER, 2, 1024> (call, p, s);
  else if (s.packs == 2)
    launch<T, 2, LAYER, 1, 1024> (call, p, s);
  else if (roomy)
    launch_single<T, LAYER, 3> (call, p, s);
  else
    launch_single<T, LAYER, 2> (call, p, s);
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
  const Shape s = shape_of (call.device->properties.units, p->kind, p->rows, p->width, 16 / sizeof (T));
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
  fen_cuda_columns_finish (call, q.partials, splits, sums * p->width, p->width, p->d_weight,
                           LAYER ? p->d_bias : NULL);
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
