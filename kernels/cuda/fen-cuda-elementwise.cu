/* fen-cuda-elementwise.cu: add, fill and cast: one pass over memory each. */
#include "kernels/cuda/fen-cuda-vector.h"

#include <type_traits>

/* ---- y += x ---- */

template <typename T> struct AddOp {
  const T *x;
  T *y;
  template <int N> struct Loaded {
    FenPack<T, N> x, y;
  };
  template <int N>
  __device__ Loaded<N>
  load (int64_t i) const
  {
    Loaded<N> in;
    in.x.load (x + i);
    in.y.load (y + i);
    return in;
  }
  template <int N>
  __device__ void
  store (int64_t i, const Loaded<N> &in) const
  {
    float a[N], b[N];
    FenPack<T, N> out;
    in.x.get (a);
    in.y.get (b);
#pragma unroll
    for (int j = 0; j < N; j++)
      b[j] += a[j];
    out.set (b);
    out.store (y + i);
  }
};

void
fen_cuda_add (FenDevice *device, FenStream *stream, const FenAdd *p)
{
  const FenCudaCall call (device, stream, FEN_OP_ADD, p);
  if (!call.ready || p->n == 0)
    return;
  fen_cuda_dispatch (p->dtype, [&] (auto zero) {
    using T = decltype (zero);
    const AddOp<T> op = { (const T *)p->x, (T *)p->y };
    if (fen_aligned (p->x) && fen_aligned (p->y))
      fen_flat<16 / sizeof (T), 2> (call, "add", p->n, op);
    else
      fen_flat<1, 4> (call, "add", p->n, op);
  });
}

/* ---- fill ---- */

/* T: an unsigned integer of the element's size, as only bits matter. */
template <typename T> struct FillOp {
  T *x;
  T value;
  template <int N> struct Loaded {
  };
  template <int N>
  __device__ Loaded<N>
  load (int64_t i) const
  {
    return {};
  }
  template <int N>
  __device__ void
  store (int64_t i, const Loaded<N> &) const
  {
    T values[N];
    FenPack<T, N> out;
#pragma unroll
    for (int j = 0; j < N; j++)
      values[j] = value;
    memcpy (out.raw, values, sizeof values);
    out.store (x + i);
  }
};

template <typename T, typename Value>
static void
fill (const FenCudaCall &call, const FenFill *p, Value value)
{
  FillOp<T> op = { (T *)p->x, 0 };
  static_assert (sizeof (T) == sizeof value, "bits of the element");
  memcpy (&op.value, &value, sizeof value);
  if (fen_aligned (p->x))
    fen_flat<16 / sizeof (T), 4> (call, "fill", p->n, op);
  else
    fen_flat<1, 4> (call, "fill", p->n, op);
}

void
fen_cuda_fill (FenDevice *device, FenStream *stream, const FenFill *p)
{
  const FenCudaCall call (device, stream, FEN_OP_FILL, p);
  if (!call.ready || p->n == 0)
    return;
  switch (p->dtype)
    {
    case FEN_F32:
      return fill<uint32_t> (call, p, (float)p->value);
    case FEN_BF16:
      return fill<uint16_t> (call, p, __float2bfloat16_rn ((float)p->value));
    case FEN_F16:
      return fill<uint16_t> (call, p, __float2half_rn ((float)p->value));
    case FEN_F64:
      return fill<uint64_t> (call, p, p->value);
    case FEN_I32:
      return fill<uint32_t> (call, p, (int32_t)p->value);
    case FEN_U8:
      return fill<uint8_t> (call, p, (uint8_t)p->value);
    }
}

/* ---- cast ---- */

template <typename From, typename To> struct CastOp {
  const From *src;
  To *dst;
  template <int N> struct Loaded {
    FenPack<From, N> x;
  };
  template <int N>
  __device__ Loaded<N>
  load (int64_t i) const
  {
    Loaded<N> in;
    in.x.load (src + i);
    return in;
  }
  template <int N>
  __device__ void
  store (int64_t i, const Loaded<N> &in) const
  {
    float values[N];
    FenPack<To, N> out;
    in.x.get (values);
    out.set (values);
    out.store (dst + i);
  }
};

void
fen_cuda_cast (FenDevice *device, FenStream *stream, const FenCast *p)
{
  const FenCudaCall call (device, stream, FEN_OP_CAST, p);
  if (!call.ready || p->n == 0)
    return;
  if (p->src_dtype == p->dst_dtype) /* bits, not values: a signalling NaN stays as it is */
    {
      fen_cuda_copy (device, stream, p->dst, p->src, (uint64_t)p->n * fen_dtype_size (p->src_dtype));
      return;
    }
  fen_cuda_dispatch (p->src_dtype, [&] (auto from) {
    fen_cuda_dispatch (p->dst_dtype, [&] (auto to) {
      using From = decltype (from);
      using To = decltype (to);
      if constexpr (!std::is_same<From, To>::value)
        {
          const CastOp<From, To> op = { (const From *)p->src, (To *)p->dst };
          if (fen_aligned (p->src) && fen_aligned (p->dst))
            fen_flat<8, 2> (call, "cast", p->n, op);
          else
            fen_flat<1, 4> (call, "cast", p->n, op);
        }
    });
  });
}
