/* fen-cpu-table.c: the operations of one instruction set, in one table. */
#include "kernels/cpu/fen-cpu-isa.h"

const FenCpuKernels FEN_ISA (fen_cpu_kernels) = {
#if FEN_CPU_ISA == 2
  .name = "avx512",
#elif FEN_CPU_ISA == 1
  .name = "avx2",
#else
  .name = "plain",
#endif
  .vector_bits = FEN_VW * 32,
  .embedding_forward = FEN_ISA (fen_cpu_embedding_forward),
  .embedding_backward = FEN_ISA (fen_cpu_embedding_backward),
  .norm_forward = FEN_ISA (fen_cpu_norm_forward),
  .norm_backward = FEN_ISA (fen_cpu_norm_backward),
  .rope = FEN_ISA (fen_cpu_rope),
  .activation_forward = FEN_ISA (fen_cpu_activation_forward),
  .activation_backward = FEN_ISA (fen_cpu_activation_backward),
  .bias_gradient = FEN_ISA (fen_cpu_bias_gradient),
  .cross_entropy = FEN_ISA (fen_cpu_cross_entropy),
  .add = FEN_ISA (fen_cpu_add),
  .fill = FEN_ISA (fen_cpu_fill),
  .cast = FEN_ISA (fen_cpu_cast),
  .sum = FEN_ISA (fen_cpu_sum),
  .sum_squares = FEN_ISA (fen_cpu_sum_squares),
  .adamw = FEN_ISA (fen_cpu_adamw),
  .adamw8 = FEN_ISA (fen_cpu_adamw8),
  .to_f32 = FEN_ISA (fen_cpu_to_f32),
  .from_f32 = FEN_ISA (fen_cpu_from_f32),
  .thin_gemm = FEN_ISA (fen_cpu_thin_gemm),
};
