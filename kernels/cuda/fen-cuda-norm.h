/* fen-cuda-norm.h: how much scratch memory the norm's backward kernels for rows in registers want. */
#pragma once

#include "kernels/fen-backend.h"

uint64_t fen_cuda_norm_backward_workspace (int units, const FenNormBackward *p);
