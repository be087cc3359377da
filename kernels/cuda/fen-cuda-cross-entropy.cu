/* fen-cuda-cross-entropy.cu: the loss of a row of logits and its gradient, in place.
 *
 * A row is read once and written once: 50,257 16-bit logits are 98 KiB, 128,256 are 251 KiB, and both must stay on the
 * chip between the sum of exponentials and the gradient. From sm_90 on a cluster of up to 8 blocks shares a row, each
 * with a part of it in shared memory, so small that several blocks fit on an SM and one's arithmetic hides under
 * another's memory traffic; maximum and sum go through distributed shared memory. Without clusters a block has the whole
 * row; what its shared memory does not hold is read again for the gradient, mostly from the L2 cache.
 *
 * The sum is taken against a running maximum (Milakov, Gimelshein, "Online normalizer calculation for softmax", 2018),
 * so that one visit gives both. Rows need not be aligned: packs are laid over them from the 16-byte boundary below, and
 * elements of the first and last pack that are not the row's count as -infinity and are not written.
 */
#include "kernels/cuda/fen-cuda-vector.h"

#include <cooperative_groups.h>

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

template <typename T>
__device__ __forceinline__ float
exponential (float x)
{
  return sizeof (T) == 4 ? expf (x) : __expf (x);
}

/* The logits as the softmax sees them. */
template <bool CAP, int N>
__device__ __forceinline__ void
cap (float (&values)[N], float softcap)
{
  if constexpr (CAP)
#pragma unroll
    for (int j = 0; j < N; j++)
      values[j] = softcap * tanhf (values[j] * (1 / softcap));
}

/* ---- packs over a row ---- */

template <typename T> struct Row {
  static constexpr int N = 16 / sizeof (T);
  T *base;             /* 16-byte aligned */
  uint32_t begin, end; /* the row's elements, from base */

  __device__ __forceinline__
  Row (T *row, int vocab)
  {
    begin = (uint32_t)((uintptr_t)row % 16 / sizeof (T));
    base = row - begin;
    end = begin + vocab;
  }
  __device__ __forceinline__ bool
  whole (int pack) const
  {
    return (uint32_t)pack * N >= begin && (uint32_t)(pack + 1) * N <= end;
  }
  __device__ __forceinline__ FenPack<T, N>
  load (int pack) const
  {
    FenPack<T, N> out;
    if (whole (pack))
      out.load (base + (int64_t)pack * N);
    else
      {
        float values[N];
#pragma unroll
        for (int j = 0; j < N; j++)
          {
            const uint32_t at = (uint32_t)pack * N + j;
            values[j] = at >= begin && at < end ? fen_load (base[at]) : -INFINITY;
          }
        out.set (values);
      }
    return out;
  }
  /* What is not the row's counts for nothing, whatever the cap made of it. */
  __device__ __forceinline__ void
  mask (int pack, float (&values)[N]) const
  {
    if (!whole (pack))
#pragma unroll
      for (int j = 0; j < N; j++)
        if ((uint32_t)pack * N + j < begin || (uint32_t)pack * N + j >= end)
          values[j] = -INFINITY;
  }
  __device__ __forceinline__ void
  store (int pack, const FenPack<T, N> &in) const
  {
    if (whole (pack))
      return in.store (base + (int64_t)pack * N);
    float values[N];
    in.get (values);
#pragma unroll
    for (int j = 0; j < N; j++)
      {
        const uint32_t at = (uint32_t)pack * N + j;
        if (at >= begin && at < end)
          base[at] = fen_store<T> (values[j]);
      }
  }
};

/* ---- maximum and sum of exponentials against it ---- */

struct Softmax {
  float highest, sum;
};

/* Of two parts. -infinity against -infinity is an empty sum, not NaN. */
template <typename T>
__device__ __forceinline__ Softmax
join (Softmax a, Softmax b)
{
  Softmax c;
  c.highest = fmaxf (a.highest, b.highest);
  const float from = c.highest == -INFINITY ? 0 : c.highest;
  c.sum = a.sum * exponential<T> (a.highest - from) + b.sum * exponential<T> (b.highest - from);
  return c;
}

template <typename T, int N>
__device__ __forceinline__ void
join_pack (Softmax *a, const float (&values)[N])
{
  float highest = a->highest;
#pragma unroll
  for (int j = 0; j < N; j++)
    highest = fmaxf (highest, values[j]);
  const float from = highest == -INFINITY ? 0 : highest;
  float sum = 0;
#pragma unroll
  for (int j = 0; j < N; j++)
    sum += exponential<T> (values[j] - from);
  a->sum = fmaf (a->sum, exponential<T> (a->highest - from), sum);
  a->highest = highest;
}

/* To all threads; the order of the additions is fixed. */
template <typename T>
__device__ __forceinline__ Softmax
block_softmax (Softmax a, Softmax *shared)
{
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
  for (int step = 16; step > 0; step /= 2)
    a = join<T> (
        a, { __shfl_xor_sync (0xffffffffu, a.highest, step), __shfl_xor_sync (0xffffffffu, a.sum, step) });
  if (lane == 0)
    shared[warp] = a;
  __syncthreads ();
  a = shared[0];
  for (int w = 1; w < THREADS / 32; w++)
    a = join<T> (a, shared[w]);
  return a;
}

/* ---- a row ---- */

template <typename T, bool CAP>
__device__ __forceinline__ Softmax
read_row (const Loss &p, const Row<T> &row, int first, int count, uint4 *kept)
{
  constexpr int N = Row<T>::N;
  Softmax part = { -INFINITY, 0 };
  for (int i = threadIdx.x; i < count; i += THREADS * PACKS)
    {
      FenPack<T, N> in[PACKS];
      float values[N];
#pragma unroll
      for (int u = 0; u < PACKS; u++)
        if (i + u * THREADS < count)
          in[u] = row.load (first + i + u * THREADS);
#pragma unroll
      for (int u = 0; u < PACKS; u++)
        if (i + u * THREADS < count)
          {
            if (i + u * THREADS < p.kept)
              kept[i + u * THREADS] = in[u].raw[0];
            in[u].get (values);
            cap<CAP> (values, p.softcap);
            if (CAP)
              row.mask (first + i + u * THREADS, values);
            join_pack<T> (&part, values);
          }
    }
  return part;
}

template <typename T, bool CAP>
__device__ __forceinline__ void
write_gradient (const Loss &p, const Row<T> &row, int first, int count, const uint4 *kept, Softmax whole,
                int target)
{
  constexpr int N = Row<T>::N;
  const float scale = p.grad_scale / whole.sum, from = whole.highest == -INFINITY ? 0 : whole.highest;
  const uint32_t at = row.begin + (uint32_t)target;
#pragma unroll 2
  for (int i = threadIdx.x; i < count; i += THREADS)
    {
      FenPack<T, N> pack;
      float values[N], g[N];
      if (i < p.kept)
        pack.raw[0] = kept[i];
      else
        pack = row.load (first + i);
      pack.get (values);
      cap<CAP> (values, p.softcap);
#pragma unroll
      for (int j = 0; j < N; j++)
        g[j] = exponential<T> (values[j] - from) * scale;
      if ((uint32_t)(first + i) == at / N)
#pragma unroll
        for (int j = 0; j < N; j++)
          if (at % N == j) /* (p - 1) scale without the rounding of p */
            g[j] = (exponential<T> (values[j] - from) - whole.sum) * scale;
      if constexpr (CAP)
#pragma unroll
        for (int j = 0; j < N; j++)
          {
            const float t = values[j] * (1 / p.softcap);
            g[j] *= 1 - t * t;
          }
      pack.set (g);
      row.store (first + i, pack);
    }
}

template <typename T>
__device__ __forceinline__ void
zero (T *x, int64_t n)
{
  for (int64_t i = threadIdx.x; i < n; i += THREADS)
    x[i] = fen_store<T> (0);
}

/* Blocks rank of 0 .. cluster-1 share a row. */
template <typename T, bool CAP, bool CLUSTER>
static __global__ void
__launch_bounds__ (THREADS, BLOCKS) loss_kernel (const Loss p, T *logits)
{
  extern __shared__ uint4 kept[];
  __shared__ Softmax warps[THREADS / 32], mine;
  const int rank = CLUSTER ? (int)(blockIdx.x % p.cluster) : 0;
  const int64_t r = CLUSTER ? blockIdx.x / p.cluster : blockIdx.x;
  const Row<T> row (logits + r * p.ld, p.vocab);
  const int packs = (int)((row.end + Row<T>::N - 1) / Row<T>::N), first = min (rank * p.share, packs);
  const int count = min (p.share, packs - first), target = p.targets[r];
  const bool last = rank == p.cluster - 1;
  if (target < 0)
    {
      if (threadIdx.x == 0 && rank == 0)
        p.losses[r] = 0;
      if (p.gradient)
        {
          const uint32_t begin = min (max ((uint32_t)first * Row<T>::N, row.begin), row.end);
          const uint32_t end = min ((uint32_t)(first + count) * Row<T>::N, row.end);
          zero (row.base + begin, last ? row.begin + p.ld - begin : (int64_t)end - begin);
        }
      return;
    }
  float wanted[1] = { 0 };
  if (threadIdx.x == 0 && rank == 0) /* before anybody writes a gradient */
    {
      wanted[0] = fen_load (row.base[row.begin + target]);
      cap<CAP> (wanted, p.softcap);
    }
  Softmax whole = block_softmax<T> (read_row<T, CAP> (p, row, first, count, kept), warps);
#if __CUDA_ARCH__ >= 900
  if constexpr (CLUSTER)
    {
      const cg::cluster_group cluster = cg::this_cluster ();
      if (threadIdx.x == 0)
        mine = whole;
      cluster.sync ();
      whole = *cluster.map_shared_rank (&mine, 0);
      for (int i = 1; i < p.cluster; i++)
        whole = join<T> (whole, *cluster.map_shared_rank (&mine, i));
      cluster.barrier_arrive (); /* nobody leaves while another reads its part */
    }
#endif
  if (threadIdx.x == 0 && rank == 0)
    p.losses[r] = logf (whole.sum) + (whole.highest - wanted[0]);
  if (p.gradient)
    {
      write_gradient<T, CAP> (p, row, first, count, kept, whole, target);
      if (last)
        zero (row.base + row.end, p.ld - p.vocab);
    }
#if __CUDA_ARCH__ >= 900
  if constexpr (CLUSTER)
    cg::this_cluster ().barrier_wait ();
#endif
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
  const int64_t packs = (p->vocab + 2 * (N - 1)) / N; /* at any alignment */
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
