/* fen-cpu-rope.c: rotary positions. A row's sines and cosines are formed once, in double, and serve all its heads. */
#include "kernels/fen-op-check.h"
#include "kernels/cpu/fen-cpu-isa.h"

#define MAX_PAIRS (FEN_MAX_ROTARY / 2)

static void
row_angles (const FenRope *p, int64_t r, int64_t pairs, float *sine, float *cosine)
{
  const double position = p->positions[r];
  const float sign = p->inverse ? -p->scale : p->scale, scale = p->scale;
  for (int64_t i = 0; i < pairs; i++)
    {
      float s, c;
      fs_sincos (position * (double)p->inv_freq[i], &s, &c);
      sine[i] = s * sign;
      cosine[i] = c * scale;
    }
}

FV_INLINE void
rotate_head (FenDType dtype, void *x, int64_t at, int64_t pairs, const float *sine, const float *cosine)
{
  int64_t i = 0;
  for (; i + FEN_VW <= pairs; i += FEN_VW)
    {
      const FenVec a = fv_load (dtype, x, at + i), b = fv_load (dtype, x, at + pairs + i);
      const FenVec s = fv_load (FEN_F32, sine, i), c = fv_load (FEN_F32, cosine, i);
      fv_store (dtype, x, at + i, a * c - b * s);
      fv_store (dtype, x, at + pairs + i, b * c + a * s);
    }
  for (; i < pairs; i++)
    {
      const float a = fs_load (dtype, x, at + i), b = fs_load (dtype, x, at + pairs + i);
      fs_store (dtype, x, at + i, a * cosine[i] - b * sine[i]);
      fs_store (dtype, x, at + pairs + i, b * cosine[i] + a * sine[i]);
    }
}

static void
rope_body (void *data, int64_t begin, int64_t end, int worker)
{
  const FenRope *p = data;
  const int64_t pairs = p->rotary_dim / 2;
  float sine[MAX_PAIRS], cosine[MAX_PAIRS];
  for (int64_t r = begin; r < end; r++)
    {
      row_angles (p, r, pairs, sine, cosine);
      for (int64_t h = 0; h < p->heads; h++)
        {
#define CALL(type) rotate_head (type, p->x, r * p->token_stride + h * p->head_stride, pairs, sine, cosine)
          FEN_CPU_BY_DTYPE (p->dtype, CALL);
#undef CALL
        }
    }
}

void
FEN_ISA (fen_cpu_rope) (FenDevice *device, const FenRope *p)
{
  fen_cpu_for (device, p->rows, 1 + 4096 / ((int64_t)p->heads * p->head_dim), rope_body, (void *)p);
}
