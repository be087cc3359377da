/* fen-cpu-isa.h: what the files that are compiled once an instruction set give each other. */
#pragma once

#include "kernels/cpu/fen-cpu-private.h"
#include "kernels/cpu/fen-cpu-math.h"
#include "kernels/cpu/fen-cpu-simd.h"

/* The slots of FenCpuKernels. */
void FEN_ISA (fen_cpu_embedding_forward) (FenDevice *device, const FenEmbeddingForward *p);
void FEN_ISA (fen_cpu_embedding_backward) (FenDevice *device, const FenEmbeddingBackward *p);
void FEN_ISA (fen_cpu_norm_forward) (FenDevice *device, const FenNormForward *p);
void FEN_ISA (fen_cpu_norm_backward) (FenDevice *device, const FenNormBackward *p);
void FEN_ISA (fen_cpu_rope) (FenDevice *device, const FenRope *p);
void FEN_ISA (fen_cpu_activation_forward) (FenDevice *device, const FenActivation *p);
void FEN_ISA (fen_cpu_activation_backward) (FenDevice *device, const FenActivation *p);
void FEN_ISA (fen_cpu_bias_gradient) (FenDevice *device, const FenBiasGradient *p);
void FEN_ISA (fen_cpu_cross_entropy) (FenDevice *device, const FenCrossEntropy *p);
void FEN_ISA (fen_cpu_add) (FenDevice *device, const FenAdd *p);
void FEN_ISA (fen_cpu_fill) (FenDevice *device, const FenFill *p);
void FEN_ISA (fen_cpu_cast) (FenDevice *device, const FenCast *p);
void FEN_ISA (fen_cpu_sum) (FenDevice *device, const FenSum *p);
void FEN_ISA (fen_cpu_sum_squares) (FenDevice *device, const FenSum *p);
void FEN_ISA (fen_cpu_adamw) (FenDevice *device, const FenAdamW *p);
void FEN_ISA (fen_cpu_adamw8) (FenDevice *device, const FenAdamW8 *p);
void FEN_ISA (fen_cpu_to_f32) (FenDType dtype, const void *src, int64_t ld_src, float *dst, int64_t ld_dst,
                               int64_t rows, int64_t columns);
void FEN_ISA (fen_cpu_from_f32) (FenDType dtype, const float *src, int64_t ld_src, void *dst, int64_t ld_dst,
                                 int64_t rows, int64_t columns);
void FEN_ISA (fen_cpu_thin_gemm) (const FenGemm *p, int64_t first, int64_t end);

/* Sums over rows (fen-cpu-reduce.c). Within a block, fp32 sums of at most FEN_CPU_ROW_CHUNK rows are flushed into
 * the block's partial sums in double: stored when `first`, else added. */
void FEN_ISA (fen_cpu_columns_flush) (const float *sums, int64_t n, bool first, double *partial);
/* out (n) += the sum of partials (blocks, n) over the blocks, in their order. */
void FEN_ISA (fen_cpu_columns_finish) (FenDevice *device, const double *partials, int64_t blocks, int64_t n,
                                       float *out);
