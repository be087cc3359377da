/* fen-cuda-reduce.cu: the bias gradient, sums over everything in double, and what clipping makes of the norm.
 *
 * Nothing here uses atomics: partial sums go into the workspace and are added in the order of the blocks, and how the
 * data are cut depends on the shape and the card alone.
 */
#include "kernels/cuda/fen-cuda-columns.h"
#include "kernels/cuda/fen-cuda-embedding.h"
#include "kernels/cuda/fen-cuda-norm.h"

/* ---- columns ---- */

#define FINISH_WARPS 32

static __global__ void __launch_bounds__ (32 * FINISH_WARPS)
    columns_finish_kernel (const float *partials, const int64_t splits, const int64_t stride,
                           const int64_t width, float *first, float *second)
{
  __shared__ double shared[FINISH_WARPS][33];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t column = (int64_t)blockIdx.x * 32 + lane;
  float *out = blockIdx.y == 0 ? first : second;
  if (out == NULL)
    return;
  partials += blockIdx.y * width;
  double sum = 0;
  if (column < width)
    for (int64_t s = warp; s < splits; s += 4 * FINISH_WARPS)
      {
        float x[4];
#pragma unroll
        for (int u = 0; u < 4; u++)
          x[u] = s + u * FINISH_WARPS < splits ? partials[(s + u * FINISH_WARPS) * stride + column] : 0;
        sum += ((double)x[0] + (double)x[1]) + ((double)x[2] + (double)x[3]);
      }
  shared[warp][lane] = sum;
  __syncthreads ();
  sum = shared[lane][warp]; /* warp w now holds column w's sums */
#pragma unroll
  for (int step = 16; step > 0; step /= 2)
    sum += __shfl_xor_sync (0xffffffffu, sum, step);
  const int64_t mine = (int64_t)blockIdx.x * 32 + warp;
  if (lane == 0 && mine < width)
    out[mine] = (float)((double)out[mine] + sum);
}

void
fen_cuda_columns_finish (const FenCudaCall &call, const float *partials, int64_t splits, int64_t stride,
                         int64_t width, float *out, float *second)
{
  if (out == NULL && second == NULL)
    return;
  const dim3 grid ((unsigned)fen_ceil_div (width, 32), second != NULL ? 2 : 1);
  columns_finish_kernel<<<grid, 32 * FINISH_WARPS, 0, call.stream>>> (partials, splits, stride, width, out,
                                                                      second);
  call.launched ("columns_finish");
}

/* ---- bias gradient ---- */

template <typename T> struct BiasOp {
  const T *dy;
  int64_t ldy;
  template <int N> struct Loaded {
    FenPack<T, N> dy;
  };
  template <int N>
  __device__ __forceinline__ Loaded<N>
  load (int64_t row, int64_t column) const
  {
    Loaded<N> in;
    in.dy.load (dy + row * ldy + column);
    return in;
  }
  template <int N>
  __device__ __forceinline__ void
  add (const Loaded<N> &in, float (&sums)[1][N]) const
  {
    float d[N];
    in.dy.get (d);
#pragma unroll
    for (int j = 0; j < N; j++)
      sums[0][j] += d[j];
  }
};

void
fen_cuda_bias_gradient (FenDevice *device, FenStream *stream, const FenBiasGradient *p)
{
  const FenCudaCall call (device, stream, FEN_OP_BIAS_GRADIENT, p);
  if (!call.ready || p->rows == 0)
    return;
  int64_t splits = 0;
  fen_cuda_dispatch (p->dtype, [&] (auto zero) {
    using T = decltype (zero);
    constexpr int N = 16 / sizeof (T);
    const BiasOp<T> op = { (const T *)p->dy, p->ldy };
    if (p->n % N == 0 && p->ldy % N == 0 && fen_aligned (p->dy))
      splits = fen_columns<N, 1, 8> (call, "bias_gradient", p->rows, p->n, op, (float *)p->workspace);
    else
      splits = fen_columns<1, 1, 8> (call, "bias_gradient", p->rows, p->n, op, (float *)p->workspace);
  });
  fen_cuda_columns_finish (call, (const float *)p->workspace, splits, p->n, p->n, p->d_bias, NULL);
}

/* ---- sum and sum of squares ---- */

#define SUM_THREADS 256
#define SUM_BLOCKS 8 /* on an SM */
#define SUM_PACKS 4  /* in flight */

static int64_t
sum_blocks (int units, int64_t n)
{
  const int64_t most = fen_ceil_div (n, 4 * SUM_THREADS),
                wanted = (int64_t)SUM_BLOCKS * (units > 0 ? units : 1);
  return wanted < most ? wanted : most > 1 ? most : 1;
}

/* To thread 0. */
static __device__ __forceinline__ double
block_sum (double sum, double *shared)
{
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
#pragma unroll
  for (int step = 16; step > 0; step /= 2)
    sum += __shfl_xor_sync (0xffffffffu, sum, step);
  if (lane == 0)
    shared[warp] = sum;
  __syncthreads ();
  sum = lane < warps ? shared[lane] : 0;
#pragma unroll
  for (int step = 16; step > 0; step /= 2)
    sum += __shfl_xor_sync (0xffffffffu, sum, step);
  return sum;
}

template <bool SQUARES, int N>
static __device__ __forceinline__ double
add_pack (double sum, const float (&values)[N])
{
#pragma unroll
  for (int j = 0; j < N; j++)
    sum = SQUARES ? fma ((double)values[j], (double)values[j], sum) : sum + (double)values[j];
  return sum;
}

template <typename T, int N, bool SQUARES>
static __global__ void
__launch_bounds__ (SUM_THREADS) sum_kernel (const T *x, const int64_t n, double *partials)
{
  __shared__ double shared[32];
  const int64_t stride = (int64_t)gridDim.x * SUM_THREADS * N, whole = n - n % N;
  double sums[SUM_PACKS] = {};
  float values[N];
  int64_t i = ((int64_t)blockIdx.x * SUM_THREADS + threadIdx.x) * N;
  for (; i + (SUM_PACKS - 1) * stride < whole; i += SUM_PACKS * stride)
    {
      FenPack<T, N> in[SUM_PACKS];
#pragma unroll
      for (int u = 0; u < SUM_PACKS; u++)
        in[u].load (x + i + u * stride);
#pragma unroll
      for (int u = 0; u < SUM_PACKS; u++)
        {
          in[u].get (values);
          sums[u] = add_pack<SQUARES> (sums[u], values);
        }
    }
  for (; i < whole; i += stride)
    {
      FenPack<T, N> in;
      in.load (x + i);
      in.get (values);
      sums[0] = add_pack<SQUARES> (sums[0], values);
    }
  if (blockIdx.x == 0 && threadIdx.x < n - whole)
    {
      const float last[1] = { fen_load (x[whole + threadIdx.x]) };
      sums[1] = add_pack<SQUARES> (sums[1], last);
    }
  const double sum = block_sum ((sums[0] + sums[1]) + (sums[2] + sums[3]), shared);
  if (threadIdx.x == 0)
    partials[blockIdx.x] = sum;
}

static __global__ void __launch_bounds__ (1024)
    sum_finish_kernel (const double *partials, const int64_t blocks, double *total)
{
  __shared__ double shared[32];
  double sum = 0;
  for (int64_t i = threadIdx.x; i < blocks; i += 1024)
    sum += partials[i];
  sum = block_sum (sum, shared);
  if (threadIdx.x == 0)
    *total += sum;
}

template <bool SQUARES>
static void
sum (const FenCudaCall &call, const FenSum *p)
{
  double *partials = (double *)p->workspace;
  const int64_t blocks = sum_blocks (call.device->properties.units, p->n);
  fen_cuda_dispatch (p->dtype, [&] (auto zero) {
    using T = decltype (zero);
    constexpr int N = 16 / sizeof (T);
    if (fen_aligned (p->x))
      sum_kernel<T, N, SQUARES>
          <<<(unsigned)blocks, SUM_THREADS, 0, call.stream>>> ((const T *)p->x, p->n, partials);
    else
      sum_kernel<T, 1, SQUARES>
          <<<(unsigned)blocks, SUM_THREADS, 0, call.stream>>> ((const T *)p->x, p->n, partials);
  });
  call.launched ("sum");
  sum_finish_kernel<<<1, 1024, 0, call.stream>>> (partials, blocks, p->sum);
  call.launched ("sum_finish");
}

void
fen_cuda_sum (FenDevice *device, FenStream *stream, const FenSum *p)
{
  const FenCudaCall call (device, stream, FEN_OP_SUM, p);
  if (call.ready && p->n > 0)
    sum<false> (call, p);
}

void
fen_cuda_sum_squares (FenDevice *device, FenStream *stream, const FenSum *p)
{
  const FenCudaCall call (device, stream, FEN_OP_SUM_SQUARES, p);
  if (call.ready && p->n > 0)
    sum<true> (call, p);
}

/* ---- clip ---- */

static __global__ void
clip_kernel (FenStepStats *stats, const float max_norm, const float inverse_loss_scale)
{
  const double norm = sqrt (stats->gradient_sumsq) * (double)inverse_loss_scale;
  const double factor = max_norm > 0 ? fmin (1.0, (double)max_norm / (norm + 1e-6)) : 1;
  stats->gradient_norm = (float)norm;
  stats->skip = !isfinite (stats->gradient_norm);
  stats->gradient_scale = stats->skip ? 0 : (float)((double)inverse_loss_scale * factor);
}

void
fen_cuda_clip (FenDevice *device, FenStream *stream, const FenClip *p)
{
  const FenCudaCall call (device, stream, FEN_OP_CLIP, p);
  if (!call.ready)
    return;
  clip_kernel<<<1, 1, 0, call.stream>>> (p->stats, p->max_norm, p->inverse_loss_scale);
  call.launched ("clip");
}

/* ---- scratch memory of the operations of one pass ---- */

static uint64_t
columns_bytes (int units, int64_t rows, int64_t width, int sums)
{
  const int64_t single = fen_column_splits (units, rows, width, 1),
                packs = fen_column_splits (units, rows, width, 8);
  return (uint64_t)(single > packs ? single : packs) * (uint64_t)width * sums * sizeof (float);
}

uint64_t
fen_cuda_pointwise_workspace (const FenDeviceProperties *properties, FenOp op, const void *params)
{
  const int units = properties->units;
  switch (op)
    {
      case FEN_OP_BIAS_GRADIENT: {
        const FenBiasGradient *p = (const FenBiasGradient *)params;
        return columns_bytes (units, p->rows, p->n, 1);
      }
      case FEN_OP_NORM_BACKWARD: {
        const FenNormBackward *p = (const FenNormBackward *)params;
        const uint64_t columns = columns_bytes (units, p->rows, p->width, 2);
        const uint64_t rows = fen_cuda_norm_backward_workspace (units, p);
        return rows > columns ? rows : columns;
      }
    case FEN_OP_SUM:
    case FEN_OP_SUM_SQUARES:
      return (uint64_t)sum_blocks (units, ((const FenSum *)params)->n) * sizeof (double);
    case FEN_OP_EMBEDDING_BACKWARD:
      return fen_cuda_embedding_backward_workspace ((const FenEmbeddingBackward *)params);
    default:
      return 0;
    }
}
