/* fen-cuda-vector.h: how kernels of the CUDA back end that are bound by memory read and write it.
 *
 * A pack is N neighbouring elements that move in accesses of up to 16 bytes. Kernels are written for packs and are
 * instantiated twice: with packs of 16 bytes where every pointer and stride allows it, and with single elements for
 * anything else (odd widths, unaligned slices). Loads of several packs stand before the first use: an H200 needs some
 * 25 KiB in flight on each SM to fill its memory.
 */
#pragma once

#include "kernels/cuda/fen-cuda-private.h"

#ifdef __CUDACC__

/* ---- packs ---- */

template <int BYTES> struct FenRaw;
template <> struct FenRaw<1> {
  using Type = uint8_t;
};
template <> struct FenRaw<2> {
  using Type = uint16_t;
};
template <> struct FenRaw<4> {
  using Type = uint32_t;
};
template <> struct FenRaw<8> {
  using Type = uint2;
};
template <> struct FenRaw<16> {
  using Type = uint4;
};

__device__ __forceinline__ void
fen_pair_store (float *x, float a, float b)
{
  x[0] = a;
  x[1] = b;
}
__device__ __forceinline__ void
fen_pair_store (__nv_bfloat16 *x, float a, float b)
{
  const __nv_bfloat162 pair = __floats2bfloat162_rn (a, b);
  x[0] = pair.x;
  x[1] = pair.y;
}
__device__ __forceinline__ void
fen_pair_store (__half *x, float a, float b)
{
  const __half2 pair = __floats2half2_rn (a, b);
  x[0] = __low2half (pair);
  x[1] = __high2half (pair);
}

template <typename T, int N> struct FenPack {
  static constexpr int BYTES = N * (int)sizeof (T), CHUNK = BYTES > 16 ? 16 : BYTES;
  using Raw = typename FenRaw<CHUNK>::Type;
  Raw raw[BYTES / CHUNK];

  __device__ __forceinline__ void
  load (const T *x)
  {
#pragma unroll
    for (int i = 0; i < BYTES / CHUNK; i++)
      raw[i] = ((const Raw *)x)[i];
  }
  __device__ __forceinline__ void
  store (T *x) const
  {
#pragma unroll
    for (int i = 0; i < BYTES / CHUNK; i++)
      ((Raw *)x)[i] = raw[i];
  }
  __device__ __forceinline__ void
  get (float (&values)[N]) const
  {
    T x[N];
    memcpy (x, raw, sizeof x);
#pragma unroll
    for (int i = 0; i < N; i++)
      values[i] = fen_load (x[i]);
  }
  /* Rounded to nearest even. */
  __device__ __forceinline__ void
  set (const float (&values)[N])
  {
    T x[N];
    if constexpr (N == 1)
      x[0] = fen_store<T> (values[0]);
    else
      {
#pragma unroll
        for (int i = 0; i < N; i += 2)
          fen_pair_store (x + i, values[i], values[i + 1]);
      }
    memcpy (raw, x, sizeof x);
  }
};

/* ---- the hardware's functions ----
 *
 * Without the steps that CUDA adds for subnormal numbers, which cost more than the function: results below 2^-126 are 0. */

/* 2^x, 2 ulp. */
__device__ __forceinline__ float
fen_exp2 (float x)
{
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
/* 1 / x, 1 ulp. */
__device__ __forceinline__ float
fen_reciprocal (float x)
{
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/* ---- copies ahead ----
 *
 * cp.async: 16 bytes to shared memory, past the L1 cache and without registers. What a thread copied itself it may read
 * after the wait, without a barrier. */

__device__ __forceinline__ void
fen_copy_ahead (void *shared, const void *global)
{
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"((uint32_t)__cvta_generic_to_shared (shared)),
               "l"(global)
               : "memory");
}
/* Ends a group of copies, which may be empty. */
__device__ __forceinline__ void
fen_copy_group ()
{
  asm volatile("cp.async.commit_group;" ::: "memory");
}
/* Waits until at most PENDING groups are under way. */
template <int PENDING>
__device__ __forceinline__ void
fen_copy_wait ()
{
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

/* ---- may packs of N elements be used? ---- */

static inline bool
fen_aligned (const void *x, size_t bytes = 16)
{
  return (uintptr_t)x % bytes == 0; /* NULL is */
}

/* ---- one pass over n elements ----
 *
 * Op: `template <int N> struct Loaded`, and for N elements from i on
 *   template <int N> __device__ Loaded<N> load (int64_t i) const;
 *   template <int N> __device__ void store (int64_t i, const Loaded<N> &) const;
 * Each thread has U packs in flight. */

#define FEN_FLAT_THREADS 256

template <int N, int U, typename Op>
__global__ void
__launch_bounds__ (FEN_FLAT_THREADS) fen_flat_kernel (const int64_t n, const Op op)
{
  const int64_t first = ((int64_t)blockIdx.x * U * FEN_FLAT_THREADS + threadIdx.x) * N;
  typename Op::template Loaded<N> in[U];
#pragma unroll
  for (int u = 0; u < U; u++)
    if (first + u * FEN_FLAT_THREADS * N + N <= n)
      in[u] = op.template load<N> (first + u * FEN_FLAT_THREADS * N);
#pragma unroll
  for (int u = 0; u < U; u++)
    if (first + u * FEN_FLAT_THREADS * N + N <= n)
      op.template store<N> (first + u * FEN_FLAT_THREADS * N, in[u]);
  if (N > 1 && blockIdx.x == gridDim.x - 1 && threadIdx.x < n % N)
    {
      const int64_t i = n - n % N + threadIdx.x;
      op.template store<1> (i, op.template load<1> (i));
    }
}

template <int N, int U, typename Op>
static void
fen_flat (const FenCudaCall &call, const char *name, int64_t n, const Op &op)
{
  const int64_t tile = (int64_t)N * U * FEN_FLAT_THREADS;
  fen_flat_kernel<N, U, Op><<<(unsigned)((n + tile - 1) / tile), FEN_FLAT_THREADS, 0, call.stream>>> (n, op);
  call.launched (name);
}

/* ---- division by a number that the host knows ----
 *
 * Granlund, Montgomery, "Division by Invariant Integers using Multiplication" (1994), figure 4.1, for dividends below
 * 2^31; larger ones are divided as they are. */
struct FenDivisor {
  uint32_t divisor, factor, shift;

  FenDivisor (int64_t d) : divisor ((uint32_t)d), shift (0)
  {
    while ((uint64_t)1 << shift < (uint64_t)d)
      shift++;
    factor = (uint32_t)((((uint64_t)1 << 32) * (((uint64_t)1 << shift) - (uint64_t)d)) / (uint64_t)d + 1);
  }
  __device__ __forceinline__ int64_t
  divide (int64_t x, uint32_t *rest) const
  {
    if (x >> 31)
      {
        *rest = (uint32_t)(x % divisor);
        return x / divisor;
      }
    const uint32_t small = (uint32_t)x, quotient = (__umulhi (small, factor) + small) >> shift;
    *rest = small - quotient * divisor;
    return quotient;
  }
};

/* ---- sums over a block ---- */

/* Two sums over all threads of a block (a multiple of 32), to all threads; `shared` has 64 floats. Always the same
 * order. Two calls need another barrier or another `shared` between them. */
__device__ __forceinline__ float2
fen_block_sum2 (float a, float b, float *shared)
{
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
  a = fen_warp_sum (a);
  b = fen_warp_sum (b);
  if (lane == 0)
    {
      shared[2 * warp] = a;
      shared[2 * warp + 1] = b;
    }
  __syncthreads ();
  a = fen_warp_sum (lane < warps ? shared[2 * lane] : 0);
  b = fen_warp_sum (lane < warps ? shared[2 * lane + 1] : 0);
  return make_float2 (a, b);
}

static inline __host__ __device__ int64_t
fen_ceil_div (int64_t a, int64_t b)
{
  return (a + b - 1) / b;
}

#endif /* __CUDACC__ */
