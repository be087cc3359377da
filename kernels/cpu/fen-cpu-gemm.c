/* fen-cpu-gemm.c: matrix products through CBLAS, threaded by our own pool.
 *
 * C is cut into tiles and each tile is one single-threaded cblas_sgemm on a thread of the device. OpenBLAS's own
 * threads stay asleep (openblas_set_num_threads (1), a setting of the whole process that is the same for every
 * device, so that devices cannot disturb each other): after a product they would spin for milliseconds on the
 * processors that our next operation needs. tests/bench/bench-kernels.c measures what tiling costs.
 *
 * 16-bit storage: a tile's panels of A and B are widened to fp32 in blocks of BLOCK, the tile is summed in fp32 over
 * the blocks of k and rounded once. The workspace holds three blocks a thread, whatever the matrices' size.
 *
 * A product with few rows (generation) reads B once where it lies and packs nothing: FenCpuKernels.thin_gemm.
 */
#include "kernels/cpu/fen-cpu-gemm.h"

#include <cblas.h>
#include <limits.h>
#include <string.h>

#define BLOCK 512
#define THIN_ROWS 4
#define OVERHEAD_BYTES (UINT64_C (4) << 20)
#define PANEL_ROWS 2048
#define TILE_ALIGN 48 /* a multiple of the register tiles of the usual kernels */

/* Another CBLAS has none of these. */
extern void openblas_set_num_threads (int) __attribute__ ((weak));
extern int openblas_get_parallel (void) __attribute__ ((weak));
extern char *openblas_get_config (void) __attribute__ ((weak));

/* A sequential OpenBLAS built without locks shares one scratch buffer between all threads of the process. */
static pthread_mutex_t unsafe_blas = PTHREAD_MUTEX_INITIALIZER;

static bool
blas_is_unsafe (void)
{
  return openblas_get_parallel != NULL && openblas_get_config != NULL && openblas_get_parallel () == 0
         && strstr (openblas_get_config (), "USE_LOCKING") == NULL;
}

void
fen_cpu_gemm_init (void)
{
  if (openblas_set_num_threads != NULL)
    openblas_set_num_threads (1);
}

/* Resident memory grew by 2.2 MiB a thread with OpenBLAS 0.3.21's AVX-512 kernels; others pack larger panels. */
uint64_t
fen_cpu_gemm_overhead (int threads)
{
  return (uint64_t)threads * OVERHEAD_BYTES;
}

typedef struct {
  const FenGemm *p;
  const FenCpuKernels *kernels;
  int64_t tile_m, tile_n, tiles_n;
  float *workspace; /* 3 blocks a thread */
} Gemm;

/* ---- fp32 ---- */

/* C's tile = beta * C + bias, for a product that is then added. */
static void
begin_tile (const FenGemm *p, const float *bias, int64_t row, int64_t column, int64_t m, int64_t n)
{
  for (int64_t r = 0; r < m; r++)
    {
      float *c = (float *)p->c + (row + r) * p->ldc + column;
      if (p->beta == 0)
        memcpy (c, bias, (size_t)n * sizeof *c);
      else
        for (int64_t i = 0; i < n; i++)
          c[i] = p->beta * c[i] + bias[i];
    }
}

static void
tile_f32 (const FenGemm *p, int64_t row, int64_t column, int64_t m, int64_t n)
{
  const float *a = (const float *)p->a + (p->trans_a ? row : row * p->lda);
  const float *b = (const float *)p->b + (p->trans_b ? column * p->ldb : column);
  float *c = (float *)p->c + row * p->ldc + column;
  float beta = p->beta;
  if (p->bias != NULL)
    {
      begin_tile (p, (const float *)p->bias + column, row, column, m, n);
      beta = 1;
    }
  cblas_sgemm (CblasRowMajor, p->trans_a ? CblasTrans : CblasNoTrans, p->trans_b ? CblasTrans : CblasNoTrans,
               (int)m, (int)n, (int)p->k, p->alpha, a, (int)p->lda, b, (int)p->ldb, beta, c, (int)p->ldc);
}

/* ---- 16-bit storage ---- */

static const void *
element (FenDType dtype, const void *base, int64_t i)
{
  return (const char *)base + i * (int64_t)fen_dtype_size (dtype);
}

/* sums (m, ld) = beta * sums + alpha * op(A) op(B) for one block of k. */
static void
block_16 (const Gemm *job, float *panels, int64_t row, int64_t column, int64_t first, int64_t m, int64_t n,
          int64_t k, float beta, float *sums, int64_t ld)
{
  const FenGemm *p = job->p;
  float *a = panels, *b = panels + BLOCK * BLOCK;
  if (p->trans_a)
    job->kernels->to_f32 (p->ab_dtype, element (p->ab_dtype, p->a, first * p->lda + row), p->lda, a, m, k, m);
  else
    job->kernels->to_f32 (p->ab_dtype, element (p->ab_dtype, p->a, row * p->lda + first), p->lda, a, k, m, k);
  if (p->trans_b)
    job->kernels->to_f32 (p->ab_dtype, element (p->ab_dtype, p->b, column * p->ldb + first), p->ldb, b, k, n,
                          k);
  else
    job->kernels->to_f32 (p->ab_dtype, element (p->ab_dtype, p->b, first * p->ldb + column), p->ldb, b, n, k,
                          n);
  cblas_sgemm (CblasRowMajor, p->trans_a ? CblasTrans : CblasNoTrans, p->trans_b ? CblasTrans : CblasNoTrans,
               (int)m, (int)n, (int)k, p->alpha, a, (int)(p->trans_a ? m : k), b, (int)(p->trans_b ? k : n),
               beta, sums, (int)ld);
}

/* The tile's sums, with beta * C and the bias, rounded into C. `row_buffer` holds n floats. */
static void
finish_16 (const Gemm *job, float *sums, float *row_buffer, int64_t row, int64_t column, int64_t m, int64_t n)
{
  const FenGemm *p = job->p;
  for (int64_t r = 0; r < m; r++)
    {
      float *s = sums + r * n;
      void *c = (void *)element (p->c_dtype, p->c, (row + r) * p->ldc + column);
      if (p->beta != 0)
        {
          job->kernels->to_f32 (p->c_dtype, c, n, row_buffer, n, 1, n);
          for (int64_t i = 0; i < n; i++)
            s[i] += p->beta * row_buffer[i];
        }
      if (p->bias != NULL)
        {
          job->kernels->to_f32 (p->ab_dtype, element (p->ab_dtype, p->bias, column), n, row_buffer, n, 1, n);
          for (int64_t i = 0; i < n; i++)
            s[i] += row_buffer[i];
        }
      job->kernels->from_f32 (p->c_dtype, s, n, c, n, 1, n);
    }
}

static void
tile_16 (const Gemm *job, int64_t row, int64_t column, int64_t m, int64_t n, int worker)
{
  const FenGemm *p = job->p;
  float *panels = job->workspace + (int64_t)worker * 3 * BLOCK * BLOCK;
  const bool direct = p->c_dtype == FEN_F32;
  float *sums = direct ? (float *)p->c + row * p->ldc + column : panels + 2 * BLOCK * BLOCK;
  float beta = direct ? p->beta : 0;
  if (direct && p->bias != NULL)
    {
      float *bias = panels;
      job->kernels->to_f32 (p->ab_dtype, element (p->ab_dtype, p->bias, column), n, bias, n, 1, n);
      begin_tile (p, bias, row, column, m, n);
      beta = 1;
    }
  for (int64_t first = 0; first < p->k; first += BLOCK, beta = 1)
    block_16 (job, panels, row, column, first, m, n, fen_cpu_min (BLOCK, p->k - first), beta, sums,
              direct ? p->ldc : n);
  if (!direct)
    finish_16 (job, sums, panels, row, column, m, n);
}

/* ---- tiles ---- */

static void
tile_task (void *data, int64_t index, int worker)
{
  const Gemm *job = data;
  const FenGemm *p = job->p;
  const int64_t row = index / job->tiles_n * job->tile_m, column = index % job->tiles_n * job->tile_n;
  const int64_t m = fen_cpu_min (job->tile_m, p->m - row), n = fen_cpu_min (job->tile_n, p->n - column);
  if (p->ab_dtype == FEN_F32)
    tile_f32 (p, row, column, m, n);
  else
    tile_16 (job, row, column, m, n, worker);
}

static int64_t
cut (int64_t n, int64_t parts)
{
  return fen_cpu_ceil_div (fen_cpu_ceil_div (n, parts), TILE_ALIGN) * TILE_ALIGN;
}

/* Tiles for the threads: of all grids with `parts` tiles, the one whose tiles have the least rim, since a tile packs
 * its panels of A and B for itself. */
static void
choose_grid (Gemm *job, int64_t parts)
{
  const FenGemm *p = job->p;
  int64_t best = INT64_MAX;
  for (int64_t rows = 1; rows <= parts; rows++)
    {
      if (parts % rows != 0)
        continue;
      const int64_t m = cut (p->m, rows), n = cut (p->n, parts / rows);
      /* Grids that leave threads idle lose more than a long rim costs. */
      const int64_t tiles = fen_cpu_ceil_div (p->m, m) * fen_cpu_ceil_div (p->n, n);
      const int64_t cost = (m + n) * (tiles < parts ? 4 : 1);
      if (cost < best)
        {
          best = cost;
          job->tile_m = m;
          job->tile_n = n;
        }
    }
}

/* OpenBLAS packs a panel as long as a tile has rows, and never gives its memory back: without a limit the LM head's
 * weight gradient, with a row for each of the vocabulary's tokens, takes 32 MB a thread for the rest of the process.
 * Tiles of equal height, so that the threads still end together. */
static void
limit_panel (Gemm *job)
{
  job->tile_m = cut (job->tile_m, fen_cpu_ceil_div (job->tile_m, PANEL_ROWS));
}

static void
thin_body (void *data, int64_t begin, int64_t end, int worker)
{
  const Gemm *job = data;
  job->kernels->thin_gemm (job->p, begin, end);
}

/* C = beta * C + bias. */
static void
no_product (FenDevice *device, const FenGemm *p)
{
  FenGemm thin = *p;
  for (int64_t row = 0; row < p->m; row++)
    {
      thin.m = 1;
      thin.c = (void *)element (p->c_dtype, p->c, row * p->ldc);
      device->kernels->thin_gemm (&thin, 0, p->n);
    }
}

uint64_t
fen_cpu_gemm_workspace (const FenDeviceProperties *properties, const FenGemm *p)
{
  if (p->ab_dtype == FEN_F32)
    return 0;
  return (uint64_t)properties->units * 3 * BLOCK * BLOCK * sizeof (float);
}

void
fen_cpu_gemm (FenDevice *device, const FenGemm *p)
{
  Gemm job = { .p = p, .kernels = device->kernels, .workspace = p->workspace };
  if (p->k == 0)
    {
      no_product (device, p);
      return;
    }
  if (p->m <= THIN_ROWS && !p->trans_a)
    {
      fen_cpu_for (device, p->n, 64, thin_body, &job);
      return;
    }
  choose_grid (&job, device->threads);
  limit_panel (&job);
  if (p->ab_dtype != FEN_F32)
    {
      job.tile_m = fen_cpu_min (job.tile_m, BLOCK);
      job.tile_n = fen_cpu_min (job.tile_n, BLOCK);
    }
  job.tiles_n = fen_cpu_ceil_div (p->n, job.tile_n);
  const int64_t tiles = fen_cpu_ceil_div (p->m, job.tile_m) * job.tiles_n;
  if (blas_is_unsafe ())
    {
      pthread_mutex_lock (&unsafe_blas);
      for (int64_t i = 0; i < tiles; i++)
        tile_task (&job, i, 0);
      pthread_mutex_unlock (&unsafe_blas);
      return;
    }
  fen_cpu_tasks (device, tiles, tile_task, &job);
}
