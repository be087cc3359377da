/* fen-cuda-norm.cu: LayerNorm and RMSNorm with the residual addition fused in, forward. Backward:
 * fen-cuda-norm-backward.cu.
 *
 * A row stays in registers between its passes (mean, squared distances from it, scale), so that memory sees it once:
 * up to 256 packs of 16 bytes in one warp, up to 4096 in one block. Wider rows, and widths or pointers that packs do
 * not fit, are read again for each pass, mostly from the caches.
 */
#include "kernels/cuda/fen-cuda-vector.h"

struct Forward {
  int64_t rows;
  int width;
  float epsilon;
  const void *x, *delta, *weight, *bias;
  void *sum, *y;
  float *mean, *rstd;
};

#define WARP_ROWS 4 /* of a block, one in each warp */

/* A sum over the warp or the block, to all; `shared` has 32 floats, its own for each sum. */
template <bool WARP>
static __device__ __forceinline__ float
team_sum (float x, float *shared)
{
  x = fen_warp_sum (x);
  if constexpr (WARP)
    return x;
  const int lane = threadIdx.x % 32;
  if (lane == 0)
    shared[threadIdx.x / 32] = x;
  __syncthreads ();
  return fen_warp_sum (lane < (int)blockDim.x / 32 ? shared[lane] : 0);
}

template <typename T, int NV, bool LAYER, bool WARP>
static __global__ void
__launch_bounds__ (WARP ? 32 * WARP_ROWS : 1024) forward_kernel (const Forward p)
{
  constexpr int N = 16 / sizeof (T);
  __shared__ float shared[2][32];
  const int team = WARP ? 32 : blockDim.x, member = WARP ? threadIdx.x % 32 : threadIdx.x;
  const int64_t row = WARP ? (int64_t)blockIdx.x * WARP_ROWS + threadIdx.x / 32 : blockIdx.x;
  if (WARP && row >= p.rows)
    return;
  const int64_t base = row * p.width;
  FenPack<T, N> x[NV];
  float values[N], total = 0;
#pragma unroll
  for (int v = 0; v < NV; v++)
    if ((member + v * team) * N < p.width)
      x[v].load ((const T *)p.x + base + (member + v * team) * N);
  if (p.delta != NULL)
    {
      FenPack<T, N> delta[NV];
#pragma unroll
      for (int v = 0; v < NV; v++)
        if ((member + v * team) * N < p.width)
          delta[v].load ((const T *)p.delta + base + (member + v * team) * N);
#pragma unroll
      for (int v = 0; v < NV; v++)
        if ((member + v * team) * N < p.width)
          {
            float add[N];
            x[v].get (values);
            delta[v].get (add);
#pragma unroll
            for (int j = 0; j < N; j++)
              values[j] += add[j];
            x[v].set (values);
            x[v].store ((T *)p.sum + base + (member + v * team) * N);
          }
    }
  float mean = 0;
  if constexpr (LAYER)
    {
#pragma unroll
      for (int v = 0; v < NV; v++)
        if ((member + v * team) * N < p.width)
          {
            x[v].get (values);
#pragma unroll
            for (int j = 0; j < N; j++)
              total += values[j];
          }
      mean = team_sum<WARP> (total, shared[0]) / (float)p.width;
    }
  total = 0;
#pragma unroll
  for (int v = 0; v < NV; v++)
    if ((member + v * team) * N < p.width)
      {
        x[v].get (values);
#pragma unroll
        for (int j = 0; j < N; j++)
          total = fmaf (values[j] - mean, values[j] - mean, total);
      }
  const float variance = team_sum<WARP> (total, shared[1]) / (float)p.width;
  const float rstd = __frcp_rn (__fsqrt_rn (variance + p.epsilon));
#pragma unroll
  for (int v = 0; v < NV; v++)
    if ((member + v * team) * N < p.width)
      {
        const int at = (member + v * team) * N;
        FenPack<T, N> pack;
        float weight[N], bias[N] = {};
        x[v].get (values);
        pack.load ((const T *)p.weight + at);
        pack.get (weight);
        if (p.bias != NULL)
          {
            pack.load ((const T *)p.bias + at);
            pack.get (bias);
          }
#pragma unroll
        for (int j = 0; j < N; j++)
          values[j] = fmaf ((values[j] - mean) * rstd, weight[j], bias[j]);
        pack.set (values);
        pack.store ((T *)p.y + base + at);
      }
  if (member == 0 && p.mean != NULL)
    p.mean[row] = mean;
  if (member == 0 && p.rstd != NULL)
    p.rstd[row] = rstd;
}

/* Any width and alignment: a thread's elements are its own in all passes, so that what it wrote it may read. */
template <typename T, bool LAYER>
static __global__ void __launch_bounds__ (1024) forward_any_kernel (const Forward p)
{
  __shared__ float shared[2][32];
  const int64_t row = blockIdx.x, base = row * p.width;
  const T *x = (const T *)(p.delta != NULL ? p.sum : p.x) + base;
  float mean = 0, total = 0;
  for (int i = threadIdx.x; i < p.width; i += blockDim.x)
    {
      float value = fen_load (((const T *)p.x)[base + i]);
      if (p.delta != NULL)
        {
          const T sum = fen_store<T> (value + fen_load (((const T *)p.delta)[base + i]));
          ((T *)p.sum)[base + i] = sum;
          value = fen_load (sum);
        }
      total += value;
    }
  if (LAYER)
    mean = team_sum<false> (total, shared[0]) / (float)p.width;
  total = 0;
  for (int i = threadIdx.x; i < p.width; i += blockDim.x)
    {
      const float value = fen_load (x[i]) - mean;
      total = fmaf (value, value, total);
    }
  const float variance = team_sum<false> (total, shared[1]) / (float)p.width;
  const float rstd = __frcp_rn (__fsqrt_rn (variance + p.epsilon));
  for (int i = threadIdx.x; i < p.width; i += blockDim.x)
    {
      const float bias = p.bias != NULL ? fen_load (((const T *)p.bias)[i]) : 0;
      const float xhat = (fen_load (x[i]) - mean) * rstd;
      ((T *)p.y)[base + i] = fen_store<T> (fmaf (xhat, fen_load (((const T *)p.weight)[i]), bias));
    }
  if (threadIdx.x == 0 && p.mean != NULL)
    p.mean[row] = mean;
  if (threadIdx.x == 0 && p.rstd != NULL)
    p.rstd[row] = rstd;
}

/* ---- which kernel ---- */

template <typename T, bool LAYER, int NV>
static void
in_warps (const FenCudaCall &call, const Forward &p)
{
  forward_kernel<T, NV, LAYER, true>
      <<<(unsigned)fen_ceil_div (p.rows, WARP_ROWS), 32 * WARP_ROWS, 0, call.stream>>> (p);
}

template <typename T, bool LAYER>
static void
forward (const FenCudaCall &call, const Forward &p)
{
  constexpr int N = 16 / sizeof (T);
  const int packs = p.width / N, per_lane = (packs + 31) / 32;
  const bool aligned = p.width % N == 0 && fen_aligned (p.x) && fen_aligned (p.delta)
                       && fen_aligned (p.weight) && fen_aligned (p.bias)
                       && (p.delta == NULL || fen_aligned (p.sum)) && fen_aligned (p.y);
  const unsigned rows = (unsigned)p.rows, any_threads = p.width < 1024 ? (p.width + 31) / 32 * 32 : 1024;
  if (!aligned || packs > 4096)
    forward_any_kernel<T, LAYER><<<rows, any_threads, 0, call.stream>>> (p);
  else if (per_lane <= 1)
    in_warps<T, LAYER, 1> (call, p);
  else if (per_lane <= 2)
    in_warps<T, LAYER, 2> (call, p);
  else if (per_lane <= 3)
    in_warps<T, LAYER, 3> (call, p);
  else if (per_lane <= 4)
    in_warps<T, LAYER, 4> (call, p);
  else if (per_lane <= 6)
    in_warps<T, LAYER, 6> (call, p);
  else if (per_lane <= 8)
    in_warps<T, LAYER, 8> (call, p);
  else
    forward_kernel<T, 4, LAYER, false><<<rows, ((packs + 3) / 4 + 31) / 32 * 32, 0, call.stream>>> (p);
  call.launched ("norm_forward");
}

void
fen_cuda_norm_forward (FenDevice *device, FenStream *stream, const FenNormForward *p)
{
  const FenCudaCall call (device, stream, FEN_OP_NORM_FORWARD, p);
  if (!call.ready)
    return;
  /* A grid has 2^31 - 1 blocks at most. */
  for (int64_t first = 0; first < p->rows; first += 1 << 30)
    fen_cuda_dispatch (p->dtype, [&] (auto zero) {
      using T = decltype (zero);
      const int64_t at = first * p->width, left = p->rows - first;
      const Forward q = { left < 1 << 30 ? left : 1 << 30,
                          (int)p->width,
                          p->epsilon,
                          (const T *)p->x + at,
                          p->delta != NULL ? (const T *)p->delta + at : NULL,
                          p->weight,
                          p->bias,
                          p->delta != NULL ? (T *)p->sum + at : NULL,
                          (T *)p->y + at,
                          p->kind == FEN_NORM_LAYER && p->mean != NULL ? p->mean + first : NULL,
                          p->rstd != NULL ? p->rstd + first : NULL };
      if (p->kind == FEN_NORM_LAYER)
        forward<T, true> (call, q);
      else
        forward<T, false> (call, q);
    });
}
