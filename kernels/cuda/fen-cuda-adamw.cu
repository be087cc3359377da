/* fen-cuda-adamw.cu: the optimizer's update, with fp32 states and with 8-bit block-wise states.
 *
 * One pass: 28 bytes of a parameter with fp32 states (and its 16-bit copy), 16 with 8-bit states. Divisions and roots
 * are IEEE's: at 30 bytes an element there is time for them.
 *
 * 8-bit states (Dettmers et al. 2021): 256 values share one fp32 absmax; a byte is an index into the dynamic map of
 * kernels/fen-dynamic-map.h, and the state is map[byte] * absmax. A warp takes a block of 256, 8 values a lane: the new
 * absmax is a maximum over the warp. Blocks of threads stay for many blocks of values, as each first copies the tables
 * (39 KiB) into shared memory. The parameter's update uses the states before they are coded.
 */
#include "kernels/cuda/fen-cuda-adamw.h"
#include "kernels/cuda/fen-cuda-vector.h"
#include "kernels/fen-dynamic-map.h"

#include <math.h>

/* The update's constants, the same in both optimizers. */
struct Constants {
  float decay;                      /* 1 - lr * weight_decay */
  float beta1, beta2, rest1, rest2; /* rest = 1 - beta */
  float step;                       /* lr / bias1 */
  float root;                       /* 1 / sqrt (bias2) */
  float epsilon;
};

template <typename P>
static Constants
constants_of (const P *p)
{
  Constants c;
  c.decay = (float)(1.0 - (double)p->lr * p->weight_decay);
  c.beta1 = p->beta1;
  c.beta2 = p->beta2;
  c.rest1 = (float)(1.0 - (double)p->beta1);
  c.rest2 = (float)(1.0 - (double)p->beta2);
  c.step = (float)((double)p->lr / p->bias1);
  c.root = (float)(1.0 / sqrt ((double)p->bias2));
  c.epsilon = p->epsilon;
  return c;
}

__device__ __forceinline__ void
update (const Constants &c, float g, float *m, float *v, float *w)
{
  *m = fmaf (c.rest1, g, c.beta1 * *m);
  *v = fmaf (c.rest2 * g, g, c.beta2 * *v);
  const float denominator = fmaf (__fsqrt_rn (*v), c.root, c.epsilon);
  *w = *w * c.decay - __fdiv_rn (c.step * *m, denominator);
}

/* ---- fp32 states ---- */

/* OWN: the parameter is its own master. */
template <typename T, bool OWN> struct AdamWOp {
  Constants c;
  T *param;
  float *master, *m, *v;
  const float *gradient;
  const FenStepStats *stats;
  template <int N> struct Loaded {
    FenPack<float, N> g, w, m, v;
  };
  template <int N>
  __device__ __forceinline__ Loaded<N>
  load (int64_t i) const
  {
    Loaded<N> in;
    in.g.load (gradient + i);
    in.w.load (master + i);
    in.m.load (m + i);
    in.v.load (v + i);
    return in;
  }
  template <int N>
  __device__ __forceinline__ void
  store (int64_t i, Loaded<N> in) const
  {
    if (stats->skip)
      return;
    const float scale = stats->gradient_scale;
    float gs[N], ws[N], ms[N], vs[N];
    in.g.get (gs);
    in.w.get (ws);
    in.m.get (ms);
    in.v.get (vs);
#pragma unroll
    for (int j = 0; j < N; j++)
      update (c, gs[j] * scale, &ms[j], &vs[j], &ws[j]);
    in.m.set (ms);
    in.m.store (m + i);
    in.v.set (vs);
    in.v.store (v + i);
    in.w.set (ws);
    in.w.store (master + i);
    if constexpr (!OWN)
      {
        FenPack<T, N> out;
        out.set (ws);
        out.store (param + i);
      }
  }
};

template <typename T, bool OWN>
static void
adamw (const FenCudaCall &call, const FenAdamW *p)
{
  const AdamWOp<T, OWN> op
      = { constants_of (p), (T *)p->param, OWN ? (float *)p->param : p->master, p->m, p->v,
          p->gradient,      p->stats };
  if (fen_aligned (p->param, 4 * sizeof (T)) && fen_aligned (op.master) && fen_aligned (p->m)
      && fen_aligned (p->v) && fen_aligned (p->gradient))
    fen_flat<4, 1> (call, "adamw", p->n, op);
  else
    fen_flat<1, 2> (call, "adamw", p->n, op);
}

void
fen_cuda_adamw (FenDevice *device, FenStream *stream, const FenAdamW *p)
{
  const FenCudaCall call (device, stream, FEN_OP_ADAMW, p);
  if (!call.ready || p->n == 0)
    return;
  if (p->master == NULL)
    return adamw<float, true> (call, p);
  fen_cuda_dispatch (p->dtype, [&] (auto zero) { adamw<decltype (zero), false> (call, p); });
}

/* ---- 8-bit states ---- */

/* The part of a map that a kernel needs: v is never negative. */
struct Tables {
  float m_values[256], v_values[256];
  int32_t m_buckets[2 * FEN_DYNAMIC_MAP_BUCKETS], v_buckets[FEN_DYNAMIC_MAP_BUCKETS];
};

static __device__ Tables device_tables;
static __constant__ uint8_t zero_codes[2]; /* of m and v */

cudaError_t
fen_cuda_adamw_init (void)
{
  FenDynamicMap *maps = new FenDynamicMap[2];
  Tables *tables = new Tables;
  fen_dynamic_map_init (&maps[0], 1);
  fen_dynamic_map_init (&maps[1], 0);
  memcpy (tables->m_values, maps[0].values, sizeof tables->m_values);
  memcpy (tables->v_values, maps[1].values, sizeof tables->v_values);
  memcpy (tables->m_buckets, maps[0].buckets, sizeof tables->m_buckets);
  memcpy (tables->v_buckets, maps[1].buckets, sizeof tables->v_buckets);
  const uint8_t zeros[2] = { maps[0].zero, maps[1].zero };
  cudaError_t error = cudaMemcpyToSymbol (device_tables, tables, sizeof *tables);
  if (error == cudaSuccess)
    error = cudaMemcpyToSymbol (zero_codes, zeros, sizeof zeros);
  delete tables;
  delete[] maps;
  return error;
}

struct AdamW8 {
  int64_t n;
  Constants c;
  void *param;
  float *master, *m_absmax, *v_absmax;
  const float *gradient;
  uint8_t *m, *v;
  const FenStepStats *stats;
};

#define ADAMW8_THREADS 512
#define LANE_VALUES (FEN_ADAMW8_BLOCK / 32)

/* The code of state / absmax: fen-dynamic-map.h's sums. */
template <bool SIGNED>
__device__ __forceinline__ uint32_t
code_of (const int32_t *buckets, float x)
{
  const int32_t bits = __float_as_int (x), sign = SIGNED ? bits >> 31 : 0;
  const int32_t low = ((bits & 0xffff) ^ sign) - sign;
  int32_t bucket = (bits >> 16 & 0x7fff) - FEN_DYNAMIC_MAP_FIRST;
  bucket = min (max (bucket, 0), FEN_DYNAMIC_MAP_BUCKETS - 1) + (sign & FEN_DYNAMIC_MAP_BUCKETS);
  return (uint32_t)(buckets[bucket] + low) >> 16 & 0xff;
}

/* Elements of a lane: all N at once from 16-byte accesses, or `count` one by one, others `missing`. */
template <bool PACKS, typename T, int N>
__device__ __forceinline__ void
read (const T *x, int count, T missing, T (&values)[N])
{
  if constexpr (PACKS)
    {
      FenPack<T, N> pack;
      pack.load (x);
      memcpy (values, pack.raw, sizeof values);
    }
  else
#pragma unroll
    for (int j = 0; j < N; j++)
      values[j] = j < count ? x[j] : missing;
}

template <bool PACKS, typename T, int N>
__device__ __forceinline__ void
write (T *x, int count, const T (&values)[N])
{
  if constexpr (PACKS)
    {
      FenPack<T, N> pack;
      memcpy (pack.raw, values, sizeof values);
      pack.store (x);
    }
  else
#pragma unroll
    for (int j = 0; j < N; j++)
      if (j < count)
        x[j] = values[j];
}

/* A lane's share of a block of values on its way. */
template <bool PACKS> struct Lane {
  int64_t at;
  int count;
  float g[LANE_VALUES], w[LANE_VALUES], m_scale, v_scale;
  uint8_t m[LANE_VALUES], v[LANE_VALUES];

  __device__ __forceinline__ void
  load (const AdamW8 &p, int64_t block)
  {
    at = block * FEN_ADAMW8_BLOCK + threadIdx.x % 32 * LANE_VALUES;
    const int64_t left = p.n - at;
    count = left >= LANE_VALUES ? LANE_VALUES : left > 0 ? (int)left : 0;
    read<PACKS> (p.gradient + at, count, 0.0f, g);
    read<PACKS> (p.master + at, count, 0.0f, w);
    read<PACKS> (p.m + at, count, zero_codes[0], m);
    read<PACKS> (p.v + at, count, zero_codes[1], v);
    m_scale = p.m_absmax[block];
    v_scale = p.v_absmax[block];
  }
};

/* The new states of a lane, whose codes wait for the block's maximum; parameters are written at once. */
template <typename T, bool OWN, bool PACKS>
__device__ __forceinline__ void
update_lane (const AdamW8 &p, const Tables &tables, Lane<PACKS> &in, float scale, float (&ms)[LANE_VALUES],
             float (&vs)[LANE_VALUES])
{
#pragma unroll
  for (int j = 0; j < LANE_VALUES; j++)
    {
      ms[j] = tables.m_values[in.m[j]] * in.m_scale;
      vs[j] = tables.v_values[in.v[j]] * in.v_scale;
      update (p.c, in.g[j] * scale, &ms[j], &vs[j], &in.w[j]);
    }
  write<PACKS> (p.master + in.at, in.count, in.w);
  if constexpr (!OWN)
    {
      T out[LANE_VALUES];
#pragma unroll
      for (int j = 0; j < LANE_VALUES; j += 2)
        fen_pair_store (out + j, in.w[j], in.w[j + 1]);
      write<PACKS> ((T *)p.param + in.at, in.count, out);
    }
}

/* x / highest for every lane of a block, as x * power * (1 / (highest * power)): the power of two keeps the reciprocal of
 * a subnormal maximum finite. */
struct Quotient {
  float power, reciprocal;

  __device__ __forceinline__
  Quotient (float highest)
  {
    power = highest < 0x1p-100f ? 0x1p100f : 1;
    reciprocal = __frcp_rn (highest > 0 ? highest * power : 1);
  }
  __device__ __forceinline__ float
  of (float x) const
  {
    return x * power * reciprocal;
  }
};

template <bool PACKS>
__device__ __forceinline__ void
encode_lane (const AdamW8 &p, const Tables &tables, int64_t block, int64_t at, int count,
             const float (&ms)[LANE_VALUES], const float (&vs)[LANE_VALUES])
{
  float m_highest = 0, v_highest = 0;
  uint8_t m[LANE_VALUES], v[LANE_VALUES];
#pragma unroll
  for (int j = 0; j < LANE_VALUES; j++)
    {
      m_highest = fmaxf (m_highest, fabsf (ms[j]));
      v_highest = fmaxf (v_highest, vs[j]);
    }
  m_highest = fen_warp_max (m_highest);
  v_highest = fen_warp_max (v_highest);
  const Quotient by_m (m_highest), by_v (v_highest);
#pragma unroll
  for (int j = 0; j < LANE_VALUES; j++)
    {
      m[j] = (uint8_t)code_of<true> (tables.m_buckets, by_m.of (ms[j]));
      v[j] = (uint8_t)code_of<false> (tables.v_buckets, by_v.of (vs[j]));
    }
  write<PACKS> (p.m + at, count, m);
  write<PACKS> (p.v + at, count, v);
  if (threadIdx.x % 32 == 0)
    {
      p.m_absmax[block] = m_highest;
      p.v_absmax[block] = v_highest;
    }
}

/* Blocks of values first, first + step .. of a warp; the next one's loads go out before this one's codes are sought. */
template <typename T, bool OWN, bool PACKS>
__device__ __forceinline__ void
adamw8_blocks (const AdamW8 &p, const Tables &tables, int64_t first, int64_t end, int64_t step, float scale)
{
  Lane<PACKS> lane;
  float ms[LANE_VALUES], vs[LANE_VALUES];
  if (first < end)
    lane.load (p, first);
  for (int64_t block = first; block < end; block += step)
    {
      update_lane<T, OWN, PACKS> (p, tables, lane, scale, ms, vs);
      const int64_t at = lane.at;
      const int count = lane.count;
      if (block + step < end)
        lane.load (p, block + step);
      encode_lane<PACKS> (p, tables, block, at, count, ms, vs);
    }
}

template <typename T, bool OWN, bool PACKS>
static __global__ void
__launch_bounds__ (ADAMW8_THREADS, 2) adamw8_kernel (const AdamW8 p)
{
  __shared__ Tables tables;
  if (p.stats->skip)
    return;
  for (int i = threadIdx.x; i < (int)(sizeof tables / 4); i += ADAMW8_THREADS)
    ((uint32_t *)&tables)[i] = ((const uint32_t *)&device_tables)[i];
  __syncthreads ();
  const float scale = p.stats->gradient_scale;
  const int64_t whole = p.n / FEN_ADAMW8_BLOCK, warps = (int64_t)gridDim.x * ADAMW8_THREADS / 32;
  const int64_t warp = ((int64_t)blockIdx.x * ADAMW8_THREADS + threadIdx.x) / 32;
  if (PACKS)
    {
      adamw8_blocks<T, OWN, PACKS> (p, tables, warp, whole, warps, scale);
      if (warp == 0 && whole * FEN_ADAMW8_BLOCK < p.n) /* the last, cut short */
        adamw8_blocks<T, OWN, false> (p, tables, whole, whole + 1, 1, scale);
    }
  else
    adamw8_blocks<T, OWN, false> (p, tables, warp, fen_ceil_div (p.n, FEN_ADAMW8_BLOCK), warps, scale);
}

template <typename T, bool OWN>
static void
adamw8 (const FenCudaCall &call, const FenAdamW8 *p)
{
  const AdamW8 q = { p->n,        constants_of (p), p->param,    OWN ? (float *)p->param : p->master,
                     p->m_absmax, p->v_absmax,      p->gradient, p->m,
                     p->v,        p->stats };
  const int64_t most = fen_ceil_div (p->n, FEN_ADAMW8_BLOCK * (ADAMW8_THREADS / 32));
  const int64_t wanted = 2 * (int64_t)call.device->properties.units;
  const unsigned blocks = (unsigned)(wanted < most ? wanted : most);
  if (fen_aligned (p->param) && fen_aligned (q.master) && fen_aligned (p->gradient) && fen_aligned (p->m, 8)
      && fen_aligned (p->v, 8))
    adamw8_kernel<T, OWN, true><<<blocks, ADAMW8_THREADS, 0, call.stream>>> (q);
  else
    adamw8_kernel<T, OWN, false><<<blocks, ADAMW8_THREADS, 0, call.stream>>> (q);
  call.launched ("adamw8");
}

void
fen_cuda_adamw8 (FenDevice *device, FenStream *stream, const FenAdamW8 *p)
{
  const FenCudaCall call (device, stream, FEN_OP_ADAMW8, p);
  if (!call.ready || p->n == 0)
    return;
  if (p->master == NULL)
    return adamw8<float, true> (call, p);
  fen_cuda_dispatch (p->dtype, [&] (auto zero) { adamw8<decltype (zero), false> (call, p); });
}
