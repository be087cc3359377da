/* fen-cuda-mma.h: tensor cores and asynchronous copies as sm_80 has them, for the attention kernels.
 *
 * The product is mma.sync m16n8k16: A (16, 16) row-major, B (16, 8) column-major, C (16, 8) fp32. A lane holds, with
 * row = lane / 4 and col = lane % 4 * 2,
 *
 *     a[0] A[row][col..col+1]   a[1] A[row+8][col..]   a[2] A[row][col+8..]   a[3] A[row+8][col+8..]
 *     b[0] B[col..col+1][row]   b[1] B[col+8..][row]
 *     c[0], c[1] C[row][col..col+1]   c[2], c[3] C[row+8][col..]
 *
 * so two C blocks side by side, rounded to 16 bits, are an A operand: probabilities never leave registers.
 *
 * Tiles in shared memory are (rows, D) without padding. Their 16-byte chunks are exchanged within a row so that the
 * 8 chunks that ldmatrix reads at once, those of 8 rows at one column, lie in different banks:
 *
 *     chunk' = chunk ^ (row & 7)          when a row is a multiple of 128 bytes,
 *     chunk' = chunk ^ (row >> 1 & 3)     when it is an odd multiple of 64 (head_dim 32, 96).
 *
 * Source: PTX ISA, sections "Matrix fragments for mma.m16n8k16", "ldmatrix" and "cp.async".
 */
#pragma once

#include "kernels/cuda/fen-cuda-private.h"

#ifdef __CUDACC__

/* ---- products ---- */

/* c += a b. */
template <typename T>
__device__ __forceinline__ void
fen_mma (float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
  if constexpr (__is_same(T, __nv_bfloat16))
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  else
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* Two fp32 values as two 16-bit ones, `low` in the low half. */
template <typename T>
__device__ __forceinline__ uint32_t
fen_pack (float low, float high)
{
  uint32_t packed;
  if constexpr (__is_same(T, __nv_bfloat16))
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  else
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

/* 2^x to 2 ulp, one instruction; results below 2^-126 are 0. */
__device__ __forceinline__ float
fen_exp2 (float x)
{
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/* ---- shared memory ---- */

__device__ __forceinline__ uint32_t
fen_shared_address (const void *p)
{
  return (uint32_t)__cvta_generic_to_shared (p);
}

/* Four 8 x 8 blocks of 16-bit values: lanes 8 i .. 8 i + 7 give the addresses of the rows of block i. */
__device__ __forceinline__ void
fen_ldmatrix (uint32_t (&r)[4], uint32_t address)
{
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

/* The same with each block transposed. */
__device__ __forceinline__ void
fen_ldmatrix_trans (uint32_t (&r)[4], uint32_t address)
{
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

/* Byte offsets into a swizzled tile of D columns. */
template <int D> struct FenSwizzle {
  static constexpr int ROW_BYTES = 2 * D;
  static constexpr int CHUNKS = D / 8; /* of a row */
  /* 16-column steps after which the pattern repeats: beyond them an offset is a constant away. */
  static constexpr int PERIOD = D % 64 == 0 ? 4 : 2;
  static_assert (D % 32 == 0, "rows are multiples of 64 bytes");

  static __device__ __forceinline__ int
  key (int row)
  {
    return D % 64 == 0 ? row & 7 : row >> 1 & 3;
  }
  static __device__ __forceinline__ int
  offset (int row, int chunk)
  {
    return row * ROW_BYTES + ((chunk ^ key (row)) << 4);
  }
};

/* The offsets from which a lane reads ldmatrix operands of a tile (rows, D), 16 x 16 values at a time.
 *
 *   FEN_ROWS_FIRST     lanes 0-15 rows 0-15 at columns 0-7, lanes 16-31 the same rows at columns 8-15:
 *                      A of a product, or (transposed) B whose k are the tile's rows, two n blocks
 *   FEN_COLUMNS_FIRST  lanes 0-7 rows 0-7 at columns 0-7, 8-15 the same rows at 8-15, 16-31 rows 8-15:
 *                      B whose n are the tile's rows, two n blocks; or (transposed) A whose k are the rows */
enum FenOperandOrder { FEN_ROWS_FIRST, FEN_COLUMNS_FIRST };

template <int D, FenOperandOrder order> struct FenOperand {
  uint32_t base[FenSwizzle<D>::PERIOD];

  __device__ __forceinline__
  FenOperand (int lane)
  {
    const int row = order == FEN_ROWS_FIRST ? lane & 15 : (lane & 7) | (lane >> 4 << 3);
    const int half = order == FEN_ROWS_FIRST ? lane >> 4 : lane >> 3 & 1;
#pragma unroll
    for (int i = 0; i < FenSwizzle<D>::PERIOD; i++)
      base[i] = FenSwizzle<D>::offset (row, 2 * i + half);
  }

  /* Rows 16 * row16 .., columns 16 * column16 .. of the tile; both constants after unrolling. */
  __device__ __forceinline__ uint32_t
  at (int row16, int column16) const
  {
    constexpr int PERIOD = FenSwizzle<D>::PERIOD;
    return base[column16 % PERIOD] + row16 * 16 * FenSwizzle<D>::ROW_BYTES + column16 / PERIOD * PERIOD * 32;
  }
};

/* ---- asynchronous copies ---- */

/* 16 bytes from global to shared memory, past L1; zeros when not `valid` (then the source is not read). */
__device__ __forceinline__ void
fen_copy_async (uint32_t shared, const void *global, bool valid)
{
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(shared), "l"(global),
               "r"(valid ? 16 : 0)
               : "memory");
}

__device__ __forceinline__ void
fen_copy_async (uint32_t shared, const void *global)
{
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(shared), "l"(global) : "memory");
}

/* Closes a group of copies. */
__device__ __forceinline__ void
fen_copy_commit ()
{
  asm volatile("cp.async.commit_group;" ::: "memory");
}

/* Until at most N of this thread's groups are under way. */
template <int N>
__device__ __forceinline__ void
fen_copy_wait ()
{
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

/* Starts copying rows [row0, row0 + ROWS) of `source` (any rows of 16-byte aligned, 16-bit values, `stride` elements
 * apart) into a swizzled tile, by THREADS threads. Rows from `rows` on and columns from `columns` on become 0.
 * `columns`: a multiple of 8, at most D. */
template <int D, int ROWS, int THREADS> struct FenTileCopy {
  static constexpr int CHUNKS = D / 8;
  static_assert (ROWS * CHUNKS % THREADS == 0, "every thread copies as much");
  /* A row's chunks divide the threads: a thread keeps its column and walks down STEP rows at a time. */
  static constexpr bool WALKS = THREADS % CHUNKS == 0 && THREADS / CHUNKS % 8 == 0;
  static constexpr int STEP = THREADS / CHUNKS;

  static constexpr int PASSES = ROWS * CHUNKS / THREADS;

  /* Of pass i: the row, the chunk of it, and its place in the tile. */
  static __device__ __forceinline__ int
  row (int i, unsigned thread)
  {
    return WALKS ? (int)(thread / CHUNKS) + i * STEP : (int)((thread + i * THREADS) / CHUNKS);
  }

  static __device__ __forceinline__ int
  chunk (int i, unsigned thread)
  {
    return WALKS ? (int)(thread % CHUNKS) : (int)((thread + i * THREADS) % CHUNKS);
  }

  static __device__ __forceinline__ uint32_t
  place (int i, unsigned thread)
  {
    if constexpr (WALKS)
      return FenSwizzle<D>::offset (row (0, thread), chunk (0, thread)) + i * STEP * FenSwizzle<D>::ROW_BYTES;
    else
      return FenSwizzle<D>::offset (row (i, thread), chunk (i, thread));
  }

  /* One of the PASSES, without a branch: it may stand among other work. WHOLE: nothing lies outside. */
  template <bool WHOLE, typename T>
  static __device__ __forceinline__ void
  pass (int i, uint32_t tile, const T *source, int64_t stride, int rows, int columns, unsigned thread)
  {
    const T *from = source + row (0, thread) * stride + chunk (0, thread) * 8 + i * STEP * stride;
    if constexpr (!WALKS)
      from = source + row (i, thread) * stride + chunk (i, thread) * 8;
    if constexpr (WHOLE)
      fen_copy_async (tile + place (i, thread), from);
    else
      fen_copy_async (tile + place (i, thread), from,
                      row (i, thread) < rows && chunk (i, thread) * 8 < columns);
  }

  template <typename T>
  static __device__ __forceinline__ void
  start (uint32_t tile, const T *source, int64_t stride, int rows, int columns, unsigned thread)
  {
    if (rows >= ROWS && columns == D)
      {
#pragma unroll
        for (int i = 0; i < PASSES; i++)
          pass<true> (i, tile, source, stride, rows, columns, thread);
      }
    else
      {
#pragma unroll
        for (int i = 0; i < PASSES; i++)
          pass<false> (i, tile, source, stride, rows, columns, thread);
      }
  }
};

#endif /* __CUDACC__ */
