/* fen-cuda-cross-entropy.cu: the loss of a row of logits and its gradient, in place.
 *
 * A row is read once and written once: 50,257 16-bit logits are 98 KiB, 128,256 are 251 KiB, and both must stay on the
 * chip between the sum of exponentials and the gradient. From sm_90 on a cluster of up to 8 blocks shares a row, each
 * with a part of it in shared memory, so small that several blocks fit on an SM and one's arithmetic hides under
 * another's memory traffic; maximum and sum go through distributed shared memory. Without clusters a block has the whole
 * row; what its shared memory does not hold is read again for the gradient, mostly from the L2 cache.
 *
 * The sum is taken against a running maximum (Milakov, Gimelshein, "Online normalizer calculation for softmax", 2018),
 * so that one visit gives both. Rows need not be aligned: packs lie between the row's 16-byte boundaries, and the few
 * elements before and behind them have a thread each.
 */
#include "kernels/cuda/fen-cuda-vector.h"

#include <cooperative_groups.h>
#include <type_traits>

namespace cg = cooperative_groups;

#define THREADS 256
#define BLOCKS 4                /* on an SM */
#define PACKS 4                 /* in flight */
#define SHARE_BYTES (54 * 1024) /* of a row in a block: BLOCKS of them on an SM of sm_90 */
#define MAX_CLUSTER 8

struct Loss {
  int64_t ld;
  int vocab;
  int share, kept; /* packs of a row in each block; packs of those in shared memory */
  int cluster;
  float grad_scale, softcap;
  bool gradient;
  const int32_t *targets;
  float *losses;
};

/* tanh x, 3 ulp: the fit of kernels/cpu/fen-cpu-math.h for small x, else 1 - 2 / (1 + e^2x). */
__device__ __forceinline__ float
fast_tanh (float x)
{
  const float z = x * x;
  float p = fmaf (z, -5.923982390e-03f, 2.087367823e-02f);
  p = fmaf (p, z, -5.382381678e-02f);
  p = fmaf (p, z, 1.333258420e-01f);
  p = fmaf (p, z, -3.333332703e-01f);
  if (fabsf (x) < 0.625f)
    return fmaf (p, z * x, x);
  const float large = 1.0f - 2.0f * fen_reciprocal (1.0f + fen_exp2 (fabsf (x) * 2.885390082f));
  return copysignf (large, x);
}

/* The logits as the softmax sees them. */
template <bool CAP, int N>
__device__ __forceinline__ void
cap (float (&values)[N], float softcap)
{
  if constexpr (CAP)
#pragma unroll
    for (int j = 0; j < N; j++)
      values[j] = softcap * fast_tanh (values[j] * (1 / softcap));
}

/* ---- packs over a row ---- */

/* A block's part of a row: whole packs first .. first+packs-1 counted from `base`, and for this thread perhaps one
 * element outside of all blocks' packs.
 *
 *     base                                   row's end
 *      | . . . e e|e e e e e e|e e e e e e|e e . . . |       rank 0 has the elements before the first boundary,
 *               ^ row                                        the last rank those behind the last one
 */
template <typename T> struct Part {
  static constexpr int N = 16 / sizeof (T);
  T *base; /* 16-byte aligned */
  int packs;
  T *edge; /* NULL: none */

  __device__ __forceinline__
  Part (T *row, int vocab, int share, int rank, bool last)
  {
    const uint32_t begin = (uint32_t)((uintptr_t)row % 16 / sizeof (T)), end = begin + (uint32_t)vocab;
    const uint32_t low = begin > 0 ? 1 : 0, high = max (end / N, low);
    const uint32_t first = min (low + (uint32_t)rank * (uint32_t)share, high);
    base = row - begin + (int64_t)first * N;
    packs = (int)min ((uint32_t)share, high - first);
    const uint32_t lane = threadIdx.x % 32, at = threadIdx.x < 32 ? lane : high * N + lane;
    const bool head = threadIdx.x < 32 && rank == 0 && low > 0 && at < N && at >= begin && at < end;
    const bool tail = threadIdx.x / 32 == 1 && last && at < end;
    edge = head || tail ? row - begin + at : NULL;
  }
};

/* ---- sum of exponentials ----
 *
 * e^(x - highest) = 2^(x LOG2E - from), from = highest * LOG2E rounded: one fused multiply-add, exact but for its last
 * bit, and the hardware's power of two. Any `from` near the maximum does, as long as the same one is taken off at the
 * end; that is done in double, once a row, with this LOG2E and not the true one. */
#define LOG2E 1.442695041f

struct Softmax {
  float from, sum;
};

__device__ __forceinline__ float
power (float x, float from)
{
  return fen_exp2 (fmaf (x, LOG2E, -from));
}

/* -infinity against -infinity is an empty sum, not NaN. */
__device__ __forceinline__ float
finite (float from)
{
  return from == -INFINITY ? 0 : from;
}

/* Of two parts. */
__device__ __forceinline__ Softmax
join (Softmax a, Softmax b)
{
  Softmax c;
  c.from = fmaxf (a.from, b.from);
  c.sum = a.sum * fen_exp2 (a.from - finite (c.from)) + b.sum * fen_exp2 (b.from - finite (c.from));
  return c;
}

/* To all threads; the order of the additions is fixed. */
__device__ __forceinline__ Softmax
block_softmax (Softmax a, Softmax *shared)
{
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
  for (int step = 16; step > 0; step /= 2)
    a = join (a, { __shfl_xor_sync (0xffffffffu, a.from, step), __shfl_xor_sync (0xffffffffu, a.sum, step) });
  if (lane == 0)
    shared[warp] = a;
  __syncthreads ();
  a = shared[0];
  for (int w = 1; w < THREADS / 32; w++)
    a = join (a, shared[w]);
  return a;
}

template <typename T>
__device__ __forceinline__ FenPack<T, 16 / sizeof (T)>
minus_infinity ()
{
  FenPack<T, 16 / sizeof (T)> out;
  const uint32_t bits = sizeof (T) == 4                  ? 0xff800000
                        : std::is_same<T, __half>::value ? 0xfc00fc00
                                                         : 0xff80ff80;
  out.raw[0] = make_uint4 (bits, bits, bits, bits);
  return out;
}

/* PACKS packs at a time: their maximum first, so that the sum so far is scaled once for all of them and the powers do
 * not wait for each other. */
template <typename T, bool CAP>
__device__ __forceinline__ Softmax
read_part (const Loss &p, const Part<T> &part, uint4 *kept)
{
  constexpr int N = Part<T>::N;
  Softmax mine = { -INFINITY, 0 };
  if (part.edge != NULL)
    {
      float value[1] = { fen_load (*part.edge) };
      cap<CAP> (value, p.softcap);
      mine.from = value[0] * LOG2E;
      mine.sum = power (value[0], finite (mine.from));
    }
  for (int i = threadIdx.x; i < part.packs; i += THREADS * PACKS)
    {
      FenPack<T, N> in[PACKS];
      float values[PACKS][N], sums[PACKS] = {}, highest = -INFINITY;
#pragma unroll
      for (int u = 0; u < PACKS; u++)
        {
          in[u] = minus_infinity<T> ();
          if (i + u * THREADS < part.packs)
            in[u].load (part.base + (int64_t)(i + u * THREADS) * N);
        }
#pragma unroll
      for (int u = 0; u < PACKS; u++)
        {
          if (i + u * THREADS < min (part.packs, p.kept))
            kept[i + u * THREADS] = in[u].raw[0];
          in[u].get (values[u]);
          cap<CAP> (values[u], p.softcap);
#pragma unroll
          for (int j = 0; j < N; j++)
            {
              if (CAP && i + u * THREADS >= part.packs) /* the cap made it finite */
                values[u][j] = -INFINITY;
              highest = fmaxf (highest, values[u][j]);
            }
        }
      const float from = fmaxf (mine.from, highest * LOG2E), shift = finite (from);
#pragma unroll
      for (int u = 0; u < PACKS; u++)
#pragma unroll
        for (int j = 0; j < N; j++)
          sums[u] += power (values[u][j], shift);
      float sum = 0;
#pragma unroll
      for (int u = 0; u < PACKS; u++)
        sum += sums[u];
      mine.sum = fmaf (mine.sum, fen_exp2 (mine.from - shift), sum);
      mine.from = from;
    }
  return mine;
}

/* softmax * scale, times the cap's slope 1 - (capped / softcap)^2. */
template <bool CAP, int N>
__device__ __forceinline__ void
gradient (float (&values)[N], float from, float scale, float softcap)
{
  cap<CAP> (values, softcap);
#pragma unroll
  for (int j = 0; j < N; j++)
    {
      const float t = CAP ? values[j] * (1 / softcap) : 0, slope = CAP ? 1 - t * t : 1;
      values[j] = power (values[j], from) * scale;
      if (CAP)
        values[j] *= slope;
    }
}

template <typename T, bool CAP>
__device__ __forceinline__ void
write_part (const Loss &p, const Part<T> &part, const uint4 *kept, float from, float scale)
{
  constexpr int N = Part<T>::N;
  FenPack<T, N> pack;
  float values[N];
#pragma unroll 4
  for (int i = threadIdx.x; i < min (part.packs, p.kept); i += THREADS)
    {
      pack.raw[0] = kept[i];
      pack.get (values);
      gradient<CAP> (values, from, scale, p.softcap);
      pack.set (values);
      pack.store (part.base + (int64_t)i * N);
    }
  /* What shared memory had no room for. Threads keep their packs, so nobody has overwritten them. */
  for (int i = threadIdx.x + (p.kept - (int)threadIdx.x + THREADS - 1) / THREADS * THREADS; i < part.packs;
       i += THREADS)
    {
      pack.load (part.base + (int64_t)i * N);
      pack.get (values);
      gradient<CAP> (values, from, scale, p.softcap);
      pack.set (values);
      pack.store (part.base + (int64_t)i * N);
    }
  if (part.edge != NULL)
    {
      float value[1] = { fen_load (*part.edge) };
      gradient<CAP> (value, from, scale, p.softcap);
      *part.edge = fen_store<T> (value[0]);
    }
}

template <typename T>
__device__ __forceinline__ void
zero (T *x, int64_t n)
{
  for (int64_t i = threadIdx.x; i < n; i += THREADS)
    x[i] = fen_store<T> (0);
}

/* ---- a row ---- */

/* The whole row's, from every block's. */
template <bool CLUSTER>
__device__ __forceinline__ Softmax
join_blocks (Softmax mine, Softmax *shared, int blocks)
{
#if __CUDA_ARCH__ >= 900
  if constexpr (CLUSTER)
    {
      const cg::cluster_group cluster = cg::this_cluster ();
      if (threadIdx.x == 0)
        *shared = mine;
      cluster.sync ();
      Softmax whole = *cluster.map_shared_rank (shared, 0);
      for (int i = 1; i < blocks; i++)
        whole = join (whole, *cluster.map_shared_rank (shared, i));
      cluster.barrier_arrive (); /* nobody leaves while another reads its part: `leave` waits */
      return whole;
    }
#endif
  return mine;
}

template <bool CLUSTER>
__device__ __forceinline__ void
leave ()
{
#if __CUDA_ARCH__ >= 900
  if constexpr (CLUSTER)
    cg::this_cluster ().barrier_wait ();
#endif
}

/* Blocks rank of 0 .. cluster-1 share a row. The target's gradient, (p - 1) scale without the rounding of p, is
 * written last, over what its pack got, in the block that has it. */
template <typename T, bool CAP, bool CLUSTER>
static __global__ void
__launch_bounds__ (THREADS, BLOCKS) loss_kernel (const Loss p, T *logits)
{
  extern __shared__ uint4 kept[];
  __shared__ Softmax warps[THREADS / 32], shared;
  const int rank = CLUSTER ? (int)(blockIdx.x % p.cluster) : 0;
  const int64_t r = CLUSTER ? blockIdx.x / p.cluster : blockIdx.x;
  const bool last = rank == p.cluster - 1;
  T *row = logits + r * p.ld;
  const Part<T> part (row, p.vocab, p.share, rank, last);
  const int target = p.targets[r];
  if (target < 0)
    {
      if (threadIdx.x == 0 && rank == 0)
        p.losses[r] = 0;
      if (p.gradient)
        {
          zero (part.base, (int64_t)part.packs * Part<T>::N);
          if (part.edge != NULL)
            *part.edge = fen_store<T> (0);
          if (last)
            zero (row + p.vocab, p.ld - p.vocab);
        }
      return;
    }
  float wanted[1] = { fen_load (row[target]) }; /* before anybody writes a gradient */
  cap<CAP> (wanted, p.softcap);
  const Softmax mine = block_softmax (read_part<T, CAP> (p, part, kept), warps);
  const Softmax whole = join_blocks<CLUSTER> (mine, &shared, p.cluster);
  if (threadIdx.x == 0 && rank == 0)
    p.losses[r] = (float)(log ((double)whole.sum) + ((double)whole.from / (double)LOG2E - (double)wanted[0]));
  if (p.gradient)
    {
      const float from = finite (whole.from), scale = p.grad_scale / whole.sum;
      write_part<T, CAP> (p, part, kept, from, scale);
      if (last)
        zero (row + p.vocab, p.ld - p.vocab);
      const T *at = row + target;
      __syncthreads ();
      const bool in_packs = at >= part.base && at < part.base + (int64_t)part.packs * Part<T>::N;
      if (in_packs ? threadIdx.x == 0
                   : at == part.edge) /* the thread that has it, or one after the barrier */
        {
          const float t = CAP ? wanted[0] * (1 / p.softcap) : 0;
          row[target] = fen_store<T> ((power (wanted[0], from) - whole.sum) * scale * (1 - t * t));
        }
    }
  leave<CLUSTER> ();
}

/* ---- how a row is shared out ---- */

/* A kernel that the driver compiled from the PTX of an older architecture has no clusters in it. */
static bool
has_clusters (const void *kernel)
{
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes (&attributes, kernel) == cudaSuccess && attributes.ptxVersion >= 90;
}

static void
launch (const FenCudaCall &call, const void *kernel, int64_t rows, const Loss &p, void *logits)
{
  cudaLaunchConfig_t config = {};
  cudaLaunchAttribute attribute = {};
  Loss loss = p;
  void *arguments[] = { &loss, &logits };
  const int shared = p.kept * 16;
  config.gridDim = dim3 ((unsigned)(rows * p.cluster));
  config.blockDim = dim3 (THREADS);
  config.dynamicSmemBytes = (size_t)shared;
  config.stream = call.stream;
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = (unsigned)p.cluster;
  attribute.val.clusterDim.y = attribute.val.clusterDim.z = 1;
  config.attrs = &attribute;
  config.numAttrs = p.cluster > 1 ? 1 : 0;
  if (fen_cuda_keep (call.device,
                     cudaFuncSetAttribute (kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared),
                     "cross_entropy"))
    fen_cuda_keep (call.device, cudaLaunchKernelExC (&config, kernel, arguments), "cross_entropy");
  call.launched ("cross_entropy");
}

template <typename T, bool CAP>
static void
cross_entropy (const FenCudaCall &call, const FenCrossEntropy *p)
{
  constexpr int N = 16 / sizeof (T);
  const void *single = (const void *)loss_kernel<T, CAP, false>,
             *clustered = (const void *)loss_kernel<T, CAP, true>;
  const int64_t packs = p->vocab / N + 1; /* at most, at any alignment */
  const int room = (call.device->shared_optin - 1024) / 16;
  Loss q = { p->ld, (int)p->vocab, (int)packs, 0, 1, p->grad_scale, p->softcap, p->gradient, NULL, NULL };
  if (call.device->properties.capability >= 90 && packs * 16 > SHARE_BYTES && has_clusters (clustered))
    while (q.cluster < MAX_CLUSTER && fen_ceil_div (packs, q.cluster) * 16 > SHARE_BYTES)
      q.cluster *= 2;
  q.share = (int)fen_ceil_div (packs, q.cluster);
  /* Whole where two blocks fit on an SM, or where a cluster was made for it. */
  q.kept = min (q.share, q.cluster > 1 ? room : room / 2);
  if (!p->gradient)
    q.kept = 0;
  for (int64_t first = 0; first < p->rows; first += 1 << 27) /* a grid has 2^31 - 1 blocks at most */
    {
      q.targets = p->targets + first;
      q.losses = p->losses + first;
      launch (call, q.cluster > 1 ? clustered : single, p->rows - first < 1 << 27 ? p->rows - first : 1 << 27,
              q, (T *)p->logits + first * p->ld);
    }
}

void
fen_cuda_cross_entropy (FenDevice *device, FenStream *stream, const FenCrossEntropy *p)
{
  const FenCudaCall call (device, stream, FEN_OP_CROSS_ENTROPY, p);
  if (!call.ready || p->rows == 0)
    return;
  fen_cuda_dispatch (p->dtype, [&] (auto zero) {
    using T = decltype (zero);
    if (p->softcap > 0)
      cross_entropy<T, true> (call, p);
    else
      cross_entropy<T, false> (call, p);
  });
}
