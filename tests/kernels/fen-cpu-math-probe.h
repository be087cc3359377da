/* fen-cpu-math-probe.h: the vector functions of each instruction set as plain functions. */
#pragma once

typedef struct {
  void (*exp) (const float *x, float *y, int n);
  void (*tanh) (const float *x, float *y, int n);
  void (*sigmoid) (const float *x, float *y, int n);
  void (*normal_cdf) (const float *x, float *y, int n);
  void (*sincos) (const double *angles, float *sines, float *cosines, int n);
} FenCpuMathProbe;

extern const FenCpuMathProbe fen_cpu_math_probe_plain;
extern const FenCpuMathProbe fen_cpu_math_probe_avx2;
extern const FenCpuMathProbe fen_cpu_math_probe_avx512;
