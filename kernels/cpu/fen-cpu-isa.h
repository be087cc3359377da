/* fen-cpu-isa.h: what the files that are compiled once an instruction set give each other. */
#pragma once

#include "kernels/cpu/fen-cpu-private.h"
#include "kernels/cpu/fen-cpu-simd.h"

void FEN_ISA (fen_cpu_to_f32) (FenDType dtype, const void *src, int64_t ld_src, float *dst, int64_t ld_dst,
                               int64_t rows, int64_t columns);
void FEN_ISA (fen_cpu_from_f32) (FenDType dtype, const float *src, int64_t ld_src, void *dst, int64_t ld_dst,
                                 int64_t rows, int64_t columns);
