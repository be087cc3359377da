/* fen-cpu-convert.c: blocks of 16-bit storage to fp32 and back, for GEMM; and casts between all storage types. */
#include "kernels/cpu/fen-cpu-isa.h"

FV_INLINE void
to_f32_rows (FenDType dtype, const void *src, int64_t ld_src, float *dst, int64_t ld_dst, int64_t rows,
             int64_t columns)
{
  for (int64_t r = 0; r < rows; r++)
    {
      int64_t i = 0;
      for (; i + FEN_VW <= columns; i += FEN_VW)
        fv_store (FEN_F32, dst, r * ld_dst + i, fv_load (dtype, src, r * ld_src + i));
      for (; i < columns; i++)
        dst[r * ld_dst + i] = fs_load (dtype, src, r * ld_src + i);
    }
}

void
FEN_ISA (fen_cpu_to_f32) (FenDType dtype, const void *src, int64_t ld_src, float *dst, int64_t ld_dst,
                          int64_t rows, int64_t columns)
{
#define CALL(type) to_f32_rows (type, src, ld_src, dst, ld_dst, rows, columns)
  FEN_CPU_BY_DTYPE (dtype, CALL);
#undef CALL
}

FV_INLINE void
from_f32_rows (FenDType dtype, const float *src, int64_t ld_src, void *dst, int64_t ld_dst, int64_t rows,
               int64_t columns)
{
  for (int64_t r = 0; r < rows; r++)
    {
      int64_t i = 0;
      for (; i + FEN_VW <= columns; i += FEN_VW)
        fv_store (dtype, dst, r * ld_dst + i, fv_load (FEN_F32, src, r * ld_src + i));
      for (; i < columns; i++)
        fs_store (dtype, dst, r * ld_dst + i, src[r * ld_src + i]);
    }
}

void
FEN_ISA (fen_cpu_from_f32) (FenDType dtype, const float *src, int64_t ld_src, void *dst, int64_t ld_dst,
                            int64_t rows, int64_t columns)
{
#define CALL(type) from_f32_rows (type, src, ld_src, dst, ld_dst, rows, columns)
  FEN_CPU_BY_DTYPE (dtype, CALL);
#undef CALL
}
