/* fen-cpu-thin-gemm.c: products with one to four rows, as generation makes them: bound by reading B once.
 *
 * B (n, k), transposed: a dot product a column, four columns' worth of loads in flight. B (k, n): a strip of columns
 * is summed in first-level cache while k runs, four rows of B at a time.
 */
#include "kernels/cpu/fen-cpu-isa.h"

#define MAX_ROWS 4
#define STRIP 512

/* C[r][column] from its product. */
FV_INLINE void
finish (const FenGemm *p, int64_t r, int64_t column, float product)
{
  const int64_t at = r * p->ldc + column;
  float value = p->alpha * product;
  if (p->beta != 0)
    value += p->beta * fs_load (p->c_dtype, p->c, at);
  if (p->bias != NULL)
    value += fs_load (p->ab_dtype, p->bias, column);
  fs_store (p->c_dtype, p->c, at, value);
}

FV_INLINE void
dots (FenDType dtype, int rows, const FenGemm *p, int64_t first, int64_t end)
{
  for (int64_t j = first; j < end; j++)
    {
      FenVec sums[MAX_ROWS][2];
      float rest[MAX_ROWS];
      for (int r = 0; r < rows; r++)
        sums[r][0] = sums[r][1] = fv_set (0), rest[r] = 0;
      int64_t i = 0;
      for (; i + 2 * FEN_VW <= p->k; i += 2 * FEN_VW)
        {
          const FenVec b0 = fv_load (dtype, p->b, j * p->ldb + i),
                       b1 = fv_load (dtype, p->b, j * p->ldb + i + FEN_VW);
          for (int r = 0; r < rows; r++)
            {
              sums[r][0] = fv_fma (fv_load (dtype, p->a, r * p->lda + i), b0, sums[r][0]);
              sums[r][1] = fv_fma (fv_load (dtype, p->a, r * p->lda + i + FEN_VW), b1, sums[r][1]);
            }
        }
      for (; i < p->k; i++)
        for (int r = 0; r < rows; r++)
          rest[r] += fs_load (dtype, p->a, r * p->lda + i) * fs_load (dtype, p->b, j * p->ldb + i);
      for (int r = 0; r < rows; r++)
        finish (p, r, j, fv_sum (sums[r][0] + sums[r][1]) + rest[r]);
    }
}

FV_INLINE void
strip (FenDType dtype, int rows, const FenGemm *p, int64_t first, int64_t n)
{
  float sums[MAX_ROWS][STRIP];
  memset (sums, 0, (size_t)rows * sizeof sums[0]);
  for (int64_t i = 0; i < p->k; i += 4)
    {
      float a[MAX_ROWS][4];
      const int64_t count = fen_cpu_min (4, p->k - i);
      int64_t b[4];
      for (int64_t q = 0; q < 4; q++)
        b[q] = (i + q) * p->ldb + first;
      for (int r = 0; r < rows; r++)
        for (int64_t q = 0; q < count; q++)
          a[r][q] = fs_load (dtype, p->a, r * p->lda + i + q);
      int64_t j = 0;
      if (count == 4)
        for (; j + FEN_VW <= n; j += FEN_VW)
          {
            const FenVec b0 = fv_load (dtype, p->b, b[0] + j), b1 = fv_load (dtype, p->b, b[1] + j);
            const FenVec b2 = fv_load (dtype, p->b, b[2] + j), b3 = fv_load (dtype, p->b, b[3] + j);
            for (int r = 0; r < rows; r++)
              {
                FenVec s = fv_load (FEN_F32, sums[r], j);
                s = fv_fma (b1, fv_set (a[r][1]), fv_fma (b0, fv_set (a[r][0]), s));
                s = fv_fma (b3, fv_set (a[r][3]), fv_fma (b2, fv_set (a[r][2]), s));
                fv_store (FEN_F32, sums[r], j, s);
              }
          }
      for (; j < n; j++)
        for (int r = 0; r < rows; r++)
          for (int64_t q = 0; q < count; q++)
            sums[r][j] += a[r][q] * fs_load (dtype, p->b, b[q] + j);
    }
  for (int r = 0; r < rows; r++)
    for (int64_t j = 0; j < n; j++)
      finish (p, r, first + j, sums[r][j]);
}

FV_INLINE void
columns (FenDType dtype, int rows, const FenGemm *p, int64_t first, int64_t end)
{
  if (p->trans_b)
    dots (dtype, rows, p, first, end);
  else
    for (; first < end; first += STRIP)
      strip (dtype, rows, p, first, fen_cpu_min (STRIP, end - first));
}

FV_INLINE void
by_rows (FenDType dtype, const FenGemm *p, int64_t first, int64_t end)
{
  if (p->m == 1)
    columns (dtype, 1, p, first, end);
  else if (p->m == 2)
    columns (dtype, 2, p, first, end);
  else if (p->m == 3)
    columns (dtype, 3, p, first, end);
  else
    columns (dtype, 4, p, first, end);
}

void
FEN_ISA (fen_cpu_thin_gemm) (const FenGemm *p, int64_t first, int64_t end)
{
#define CALL(type) by_rows (type, p, first, end)
  FEN_CPU_BY_DTYPE (p->ab_dtype, CALL);
#undef CALL
}
