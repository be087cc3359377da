/* fen-cuda-gemm.h: what the files of the matrix product share. */
#pragma once

#include "kernels/cuda/fen-cuda-private.h"

/* C = beta * C + bias (bias may be NULL): all that k = 0 leaves to do, and what comes before a product that is added. */
void fen_cuda_gemm_begin (const FenCudaCall &call, const FenGemm *p);

/* The whole product without cuBLASLt. */
void fen_cuda_gemm_tiles (const FenCudaCall &call, const FenGemm *p);
