/* fen-cpu-math-probe.c: the vector functions of one instruction set, reachable from a test; compiled once a set. */
#include "kernels/cpu/fen-cpu-math.h"
#include "tests/kernels/fen-cpu-math-probe.h"

#define PROBE(name)                                                                                          \
  static void probe_##name (const float *x, float *y, int n)                                                 \
  {                                                                                                          \
    for (int i = 0; i < n; i += FEN_VW)                                                                      \
      {                                                                                                      \
        const int rest = n - i < FEN_VW ? n - i : FEN_VW;                                                    \
        const FenVec a = rest == FEN_VW ? fv_load (FEN_F32, x, i) : fv_load_n (FEN_F32, x, i, rest, 0);      \
        if (rest == FEN_VW)                                                                                  \
          fv_store (FEN_F32, y, i, fv_##name (a));                                                           \
        else                                                                                                 \
          fv_store_n (FEN_F32, y, i, rest, fv_##name (a));                                                   \
      }                                                                                                      \
  }

PROBE (exp)
PROBE (tanh)
PROBE (sigmoid)
PROBE (normal_cdf)

static void
probe_sincos (const double *angles, float *sines, float *cosines, int n)
{
  for (int i = 0; i < n; i++)
    fs_sincos (angles[i], &sines[i], &cosines[i]);
}

const FenCpuMathProbe FEN_ISA (fen_cpu_math_probe)
    = { probe_exp, probe_tanh, probe_sigmoid, probe_normal_cdf, probe_sincos };
