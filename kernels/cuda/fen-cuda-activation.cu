/* fen-cuda-activation.cu: GELU (tanh and erf), SiLU and ReLU, plain and gated, and their gradients.
 *
 * tanh-GELU is written through the logistic function, 0.5 x (1 + tanh u) = x * sigmoid (2u), which keeps its relative
 * accuracy far into the negative tail, where 1 + tanh u would cancel. Phi (x) = e^(-x^2/2) times a polynomial keeps
 * it too, and shares its exponential with the density that the gradient needs.
 *
 * At 4.8 TB/s an SM has some 25 instructions for each element of a 16-bit forward pass, so 16-bit storage takes the
 * hardware's exponential (2^-21 relative near 0) and a short fit of Phi, and fp32 storage exact ones.
 */
#include "kernels/cuda/fen-cuda-vector.h"

#define GELU_SCALE 1.5957691216057308f /* 2 sqrt (2 / pi) */
#define GELU_CUBIC 0.044715f

template <typename T>
__device__ __forceinline__ float
exponential (float x)
{
  return sizeof (T) == 4 ? expf (x) : fen_exp2 (x * 1.442695041f);
}

/* e^(x^2/2) Phi (-x) for x >= 0, to 2^-23: with z = x / sqrt 2, (1 + 2z) erfcx (z) is a polynomial in (z - 3) / (z + 3),
 * the fit of kernels/cpu/fen-cpu-math.h. */
__device__ __forceinline__ float
scaled_tail (float x)
{
  const float z = x * 0.707106781f, t = (z - 3.0f) * fen_reciprocal (z + 3.0f);
  float p = fmaf (t, -2.671835269e-04f, -7.751261402e-04f);
  p = fmaf (p, t, 2.003350848e-03f);
  p = fmaf (p, t, 2.566566347e-03f);
  p = fmaf (p, t, -2.379853627e-02f);
  p = fmaf (p, t, 6.829574891e-02f);
  p = fmaf (p, t, -1.192707960e-01f);
  p = fmaf (p, t, 1.296464338e-01f);
  p = fmaf (p, t, -4.756240963e-02f);
  p = fmaf (p, t, -1.356211401e-01f);
  p = fmaf (p, t, 1.253008059e+00f);
  return 0.5f * p * fen_reciprocal (fmaf (z, 2.0f, 1.0f));
}

/* The same with one reciprocal, for 16-bit storage: polynomials in 1 / (1 + q x), which is the form of Abramowitz, Stegun
 * 7.1.26; our own minimax fits of the relative error on [0, 6]. To 9e-6, a fiftieth of fp16's rounding, for values; to
 * 2e-7 for slopes, whose terms cancel near their zero. */
template <bool SLOPE>
__device__ __forceinline__ float
scaled_tail_16 (float x)
{
  const float t = fen_reciprocal (fmaf (x, SLOPE ? 0.34f : 0.36f, 1.0f));
  float p;
  if constexpr (SLOPE)
    {
      p = fmaf (t, 4.645247887e-02f, -2.075974761e-01f);
      p = fmaf (p, t, 2.766177605e-01f);
      p = fmaf (p, t, -4.230897616e-02f);
      p = fmaf (p, t, 1.624380921e-01f);
      p = fmaf (p, t, 1.282133426e-01f);
      p = fmaf (p, t, 1.361847183e-01f);
    }
  else
    {
      p = fmaf (t, -9.658394349e-02f, 2.476775254e-01f);
      p = fmaf (p, t, 4.402174712e-02f);
      p = fmaf (p, t, 1.630707107e-01f);
      p = fmaf (p, t, 1.418096578e-01f);
    }
  return p * t;
}

/* Phi (x) = (1 + erf (x / sqrt 2)) / 2 and the density e^(-x^2/2) / sqrt (2 pi), which share the exponential. */
template <typename T, bool SLOPE>
__device__ __forceinline__ float
normal_cdf (float x, float *density)
{
  const float magnitude = fabsf (x);
  float e, tail;
  if constexpr (sizeof (T) == 4)
    {
      /* x^2 / 2 must not be rounded before the exponential: its error, up to 50 * 2^-24, is put back. */
      const float capped = magnitude > 14.42f ? 14.42f : magnitude; /* NaN stays */
      const float square = capped * capped, rest = fmaf (capped, capped, -square);
      e = expf (-0.5f * square) * (1.0f - 0.5f * rest);
      tail = e * scaled_tail (fminf (magnitude, 14.42f));
    }
  else
    {
      e = fen_exp2 (x * x * -0.7213475204f);
      tail = e * scaled_tail_16<SLOPE> (magnitude);
    }
  *density = 0.398942280f * e;
  return x > 0 ? 1.0f - tail : tail;
}

/* f (x), and f' (x), which is exact when SLOPE. */
template <typename T, FenActivationKind KIND, bool SLOPE>
__device__ __forceinline__ float
activate (float x, float *slope)
{
  if constexpr (KIND == FEN_RELU)
    {
      *slope = x > 0 ? 1 : 0;
      return x <= 0 ? 0 : x; /* NaN passes */
    }
  if constexpr (KIND == FEN_GELU_ERF)
    {
      float density;
      const float cdf = normal_cdf<T, SLOPE> (x, &density);
      *slope = fmaf (x, density, cdf);
      return x * cdf;
    }
  const float square = x * x;
  const float u = KIND == FEN_SILU ? x : GELU_SCALE * x * fmaf (square, GELU_CUBIC, 1.0f);
  const float du = KIND == FEN_SILU ? 1.0f : GELU_SCALE * fmaf (square, 3 * GELU_CUBIC, 1.0f);
  const float e = exponential<T> (-u), s = fen_reciprocal (1.0f + e);
  /* x du s (1 - s); where s is 1 or 0 the product would be infinity times 0. */
  const float bend = x * du * s * (1.0f - s);
  *slope = s == 1.0f || s == 0.0f ? s : s + bend;
  return x * s;
}

/* Elements are counted over y's (rows, width); x has a leading dimension of its own. */
template <typename T, FenActivationKind KIND, bool GATED> struct ForwardOp {
  const T *x;
  T *y;
  int64_t width, ldx;
  FenDivisor packs; /* in a row: rows are whole packs, or packs are single elements */
  template <int N> struct Loaded {
    FenPack<T, N> x, up;
  };
  template <int N>
  __device__ __forceinline__ Loaded<N>
  load (int64_t i) const
  {
    Loaded<N> in;
    uint32_t column;
    int64_t at = packs.divide (i / N, &column) * ldx;
    at += (int64_t)column * N;
    in.x.load (x + at);
    if constexpr (GATED)
      in.up.load (x + at + width);
    return in;
  }
  template <int N>
  __device__ __forceinline__ void
  store (int64_t i, const Loaded<N> &in) const
  {
    float a[N], up[N], slope;
    FenPack<T, N> out;
    in.x.get (a);
    if constexpr (GATED)
      in.up.get (up);
#pragma unroll
    for (int j = 0; j < N; j++)
      {
        a[j] = activate<T, KIND, false> (a[j], &slope);
        if constexpr (GATED)
          a[j] *= up[j];
      }
    out.set (a);
    out.store (y + i);
  }
};

template <typename T, FenActivationKind KIND, bool GATED> struct BackwardOp {
  const T *x, *dy;
  T *dx;
  int64_t width, ldx;
  FenDivisor packs;
  template <int N> struct Loaded {
    FenPack<T, N> x, up, dy;
    int64_t at;
  };
  template <int N>
  __device__ __forceinline__ Loaded<N>
  load (int64_t i) const
  {
    Loaded<N> in;
    uint32_t column;
    in.at = packs.divide (i / N, &column) * ldx;
    in.at += (int64_t)column * N;
    in.x.load (x + in.at);
    in.dy.load (dy + i);
    if constexpr (GATED)
      in.up.load (x + in.at + width);
    return in;
  }
  template <int N>
  __device__ __forceinline__ void
  store (int64_t i, const Loaded<N> &in) const
  {
    float a[N], up[N], d[N], slope;
    FenPack<T, N> out;
    in.x.get (a);
    in.dy.get (d);
    if constexpr (GATED)
      in.up.get (up);
#pragma unroll
    for (int j = 0; j < N; j++)
      {
        const float value = activate<T, KIND, true> (a[j], &slope);
        if constexpr (GATED)
          {
            a[j] = d[j] * up[j] * slope;
            up[j] = d[j] * value;
          }
        else
          a[j] = d[j] * slope;
      }
    out.set (a);
    out.store (dx + in.at);
    if constexpr (GATED)
      {
        out.set (up);
        out.store (dx + in.at + width);
      }
  }
};

template <typename T, FenActivationKind KIND, bool GATED, bool BACKWARD>
static void
run (const FenCudaCall &call, const FenActivation *p)
{
  constexpr int N = 16 / sizeof (T);
  const bool packs = p->width % N == 0 && (p->rows == 1 || p->ldx % N == 0) && fen_aligned (p->x)
                     && fen_aligned (BACKWARD ? p->dy : p->y) && (!BACKWARD || fen_aligned (p->dx));
  const int64_t n = p->rows * p->width;
  const FenDivisor divisor (packs ? p->width / N : p->width);
  if constexpr (BACKWARD)
    {
      const BackwardOp<T, KIND, GATED> op
          = { (const T *)p->x, (const T *)p->dy, (T *)p->dx, p->width, p->ldx, divisor };
      if (packs)
        fen_flat<N, 2> (call, "activation_backward", n, op);
      else
        fen_flat<1, 4> (call, "activation_backward", n, op);
    }
  else
    {
      const ForwardOp<T, KIND, GATED> op = { (const T *)p->x, (T *)p->y, p->width, p->ldx, divisor };
      if (packs)
        fen_flat<N, GATED ? 2 : 4> (call, "activation_forward", n, op);
      else
        fen_flat<1, 4> (call, "activation_forward", n, op);
    }
}

template <typename T, FenActivationKind KIND, bool BACKWARD>
static void
run_kind (const FenCudaCall &call, const FenActivation *p)
{
  if (p->gated)
    run<T, KIND, true, BACKWARD> (call, p);
  else
    run<T, KIND, false, BACKWARD> (call, p);
}

template <bool BACKWARD>
static void
run_any (const FenCudaCall &call, const FenActivation *p)
{
  fen_cuda_dispatch (p->dtype, [&] (auto zero) {
    using T = decltype (zero);
    if (p->kind == FEN_GELU_TANH)
      run_kind<T, FEN_GELU_TANH, BACKWARD> (call, p);
    else if (p->kind == FEN_GELU_ERF)
      run_kind<T, FEN_GELU_ERF, BACKWARD> (call, p);
    else if (p->kind == FEN_SILU)
      run_kind<T, FEN_SILU, BACKWARD> (call, p);
    else
      run_kind<T, FEN_RELU, BACKWARD> (call, p);
  });
}

void
fen_cuda_activation_forward (FenDevice *device, FenStream *stream, const FenActivation *p)
{
  const FenCudaCall call (device, stream, FEN_OP_ACTIVATION_FORWARD, p);
  if (call.ready && p->rows > 0)
    run_any<false> (call, p);
}

void
fen_cuda_activation_backward (FenDevice *device, FenStream *stream, const FenActivation *p)
{
  const FenCudaCall call (device, stream, FEN_OP_ACTIVATION_BACKWARD, p);
  if (call.ready && p->rows > 0)
    run_any<true> (call, p);
}
