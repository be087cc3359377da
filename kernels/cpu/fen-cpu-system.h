/* fen-cpu-system.h: what this machine offers a CPU device (threads: fen-cpu-private.h). */
#pragma once

#include "kernels/cpu/fen-cpu-private.h"

/* Bytes of memory that the process may use at all, and that it may still take now: the machine's, its control
 * group's, and its own limits (ulimit -v, -d), whichever is smallest. */
uint64_t fen_cpu_memory_total (void);
uint64_t fen_cpu_memory_free (void);

/* "AMD EPYC 9B14 (2 threads)" */
void fen_cpu_name (int threads, char *name, size_t size);
