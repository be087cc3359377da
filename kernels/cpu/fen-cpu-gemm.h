/* fen-cpu-gemm.h: matrix products (the operation itself is declared in fen-cpu-private.h). */
#pragma once

#include "kernels/cpu/fen-cpu-private.h"

/* Puts the process's CBLAS into the mode that fen_cpu_gemm expects. Harmless to repeat; each `open` does. */
void fen_cpu_gemm_init (void);

/* Bytes that the CBLAS takes for itself: a packing buffer a thread, of which it touches this much. */
uint64_t fen_cpu_gemm_overhead (int threads);
