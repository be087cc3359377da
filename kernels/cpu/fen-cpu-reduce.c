/* fen-cpu-reduce.c: sums over everything and sums over rows, with the same bits for any number of threads.
 *
 * The data are cut into blocks that depend on the shape alone. Each block leaves its partial sums, in double, in the
 * workspace; then the partials are added in the order of the blocks. Threads only decide who computes a block.
 */
#include "kernels/cpu/fen-cpu-isa.h"

/* ---- sum and sum of squares ---- */

typedef float Half __attribute__ ((vector_size (FEN_VW * 2)));
typedef double Double __attribute__ ((vector_size (FEN_VW * 4)));

typedef struct {
  const FenSum *p;
  bool squares;
} Sum;

FV_INLINE double
sum_block (FenDType dtype, bool squares, const void *x, int64_t begin, int64_t end)
{
  Double low = { 0 }, high = { 0 };
  int64_t i = begin;
  for (; i + FEN_VW <= end; i += FEN_VW)
    {
      const FenVec a = fv_load (dtype, x, i);
      Half halves[2];
      memcpy (halves, &a, sizeof a);
      const Double l = __builtin_convertvector(halves[0], Double),
                   h = __builtin_convertvector(halves[1], Double);
      low += squares ? l * l : l;
      high += squares ? h * h : h;
    }
  low += high;
  double total = 0;
  for (int j = 0; j < FEN_VW / 2; j++)
    total += low[j];
  for (; i < end; i++)
    {
      const double a = fs_load (dtype, x, i);
      total += squares ? a * a : a;
    }
  return total;
}

static void
sum_task (void *data, int64_t block, int worker)
{
  const Sum *job = data;
  const FenSum *p = job->p;
  const int64_t begin = block * FEN_CPU_SUM_BLOCK, end = fen_cpu_min (begin + FEN_CPU_SUM_BLOCK, p->n);
  double *partial = (double *)p->workspace + block;
#define CALL(type)                                                                                           \
  (*partial                                                                                                  \
   = job->squares ? sum_block (type, true, p->x, begin, end) : sum_block (type, false, p->x, begin, end))
  FEN_CPU_BY_DTYPE (p->dtype, CALL);
#undef CALL
}

static void
sum_any (FenDevice *device, const FenSum *p, bool squares)
{
  Sum job = { p, squares };
  const int64_t blocks = fen_cpu_ceil_div (p->n, FEN_CPU_SUM_BLOCK);
  const double *partials = p->workspace;
  double total = 0;
  fen_cpu_tasks (device, blocks, sum_task, &job);
  for (int64_t b = 0; b < blocks; b++)
    total += partials[b];
  *p->sum += total;
}

void
FEN_ISA (fen_cpu_sum) (FenDevice *device, const FenSum *p)
{
  sum_any (device, p, false);
}

void
FEN_ISA (fen_cpu_sum_squares) (FenDevice *device, const FenSum *p)
{
  sum_any (device, p, true);
}

/* ---- columns ---- */

typedef struct {
  const double *partials;
  int64_t blocks, n;
  float *out;
} Columns;

#define STRIP 64

static void
columns_body (void *data, int64_t begin, int64_t end, int worker)
{
  const Columns *job = data;
  for (int64_t first = begin; first < end; first += STRIP)
    {
      double totals[STRIP] = { 0 };
      const int64_t count = fen_cpu_min (STRIP, end - first);
      for (int64_t b = 0; b < job->blocks; b++)
        for (int64_t i = 0; i < count; i++)
          totals[i] += job->partials[b * job->n + first + i];
      for (int64_t i = 0; i < count; i++)
        job->out[first + i] = (float)(job->out[first + i] + totals[i]);
    }
}

void
FEN_ISA (fen_cpu_columns_finish) (FenDevice *device, const double *partials, int64_t blocks, int64_t n,
                                  float *out)
{
  Columns job = { partials, blocks, n, out };
  fen_cpu_for (device, n, STRIP * 4, columns_body, &job);
}

void
FEN_ISA (fen_cpu_columns_flush) (const float *sums, int64_t n, bool first, double *partial)
{
  if (first)
    for (int64_t i = 0; i < n; i++)
      partial[i] = sums[i];
  else
    for (int64_t i = 0; i < n; i++)
      partial[i] += sums[i];
}

/* ---- gradient of a bias ---- */

typedef struct {
  const FenBiasGradient *p;
  double *partials; /* (blocks, n) */
  float *scratch;   /* (threads, n) */
} Bias;

/* sums (n) = column sums of rows begin .. end-1; the rows are few, so fp32 does. */
FV_INLINE void
bias_rows (FenDType dtype, const FenBiasGradient *p, int64_t begin, int64_t end, float *sums)
{
  memset (sums, 0, (size_t)p->n * sizeof *sums);
  int64_t r = begin;
  for (; r + 4 <= end; r += 4)
    {
      const int64_t r0 = r * p->ldy, r1 = r0 + p->ldy, r2 = r1 + p->ldy, r3 = r2 + p->ldy;
      int64_t i = 0;
      for (; i + FEN_VW <= p->n; i += FEN_VW)
        fv_store (FEN_F32, sums, i,
                  fv_load (FEN_F32, sums, i)
                      + ((fv_load (dtype, p->dy, r0 + i) + fv_load (dtype, p->dy, r1 + i))
                         + (fv_load (dtype, p->dy, r2 + i) + fv_load (dtype, p->dy, r3 + i))));
      for (; i < p->n; i++)
        sums[i] += (fs_load (dtype, p->dy, r0 + i) + fs_load (dtype, p->dy, r1 + i))
                   + (fs_load (dtype, p->dy, r2 + i) + fs_load (dtype, p->dy, r3 + i));
    }
  for (; r < end; r++)
    for (int64_t i = 0; i < p->n; i++)
      sums[i] += fs_load (dtype, p->dy, r * p->ldy + i);
}

static void
bias_task (void *data, int64_t block, int worker)
{
  const Bias *job = data;
  const FenBiasGradient *p = job->p;
  const int64_t size = fen_cpu_row_block (p->rows), first = block * size;
  const int64_t end = fen_cpu_min (first + size, p->rows);
  float *sums = job->scratch + worker * p->n;
  for (int64_t r = first; r < end; r += FEN_CPU_ROW_CHUNK)
    {
      const int64_t stop = fen_cpu_min (r + FEN_CPU_ROW_CHUNK, end);
#define CALL(type) bias_rows (type, p, r, stop, sums)
      FEN_CPU_BY_DTYPE (p->dtype, CALL);
#undef CALL
      FEN_ISA (fen_cpu_columns_flush) (sums, p->n, r == first, job->partials + block * p->n);
    }
}

void
FEN_ISA (fen_cpu_bias_gradient) (FenDevice *device, const FenBiasGradient *p)
{
  const int64_t blocks = fen_cpu_row_blocks (p->rows);
  Bias job = { p, p->workspace, NULL };
  job.scratch = (float *)(job.partials + blocks * p->n);
  fen_cpu_tasks (device, blocks, bias_task, &job);
  FEN_ISA (fen_cpu_columns_finish) (device, job.partials, blocks, p->n, p->d_bias);
}
