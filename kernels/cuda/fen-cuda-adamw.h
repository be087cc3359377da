/* fen-cuda-adamw.h: what `open` prepares for the 8-bit optimizer. */
#pragma once

#include <cuda_runtime.h>

/* Copies the dynamic maps to the current device; waits. */
cudaError_t fen_cuda_adamw_init (void);
