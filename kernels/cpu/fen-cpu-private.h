/* fen-cpu-private.h: what the files of the CPU back end share: the device, its threads, and the instruction sets.
 *
 * Instruction sets. A file of operations is compiled three times (kernels/cpu/meson.build, list `cpu_isa_sources`)
 * with -DFEN_CPU_ISA=0, 1 or 2: plain C on the baseline, AVX2 + FMA + F16C, AVX-512 (F, BW, DQ, VL). Everything in
 * such a file is `static` or named FEN_ISA (name), which appends the set's suffix. Each set exports one table,
 * FenCpuKernels, and `fen_cpu_open` picks it once. Files in `cpu_sources` are compiled once, for the baseline.
 *
 * Threads. A device owns `threads - 1` threads besides its caller. Work is handed out in two ways, both of which give
 * equal bits from run to run as long as each index writes its own outputs:
 *   fen_cpu_for    cuts [0, n) into one contiguous range a thread (streaming operations);
 *   fen_cpu_tasks  hands out single tasks as threads become free (unequal tasks: attention tiles, GEMM tiles).
 */
#pragma once

#include "kernels/fen-backend.h"
#include "kernels/fen-dynamic-map.h"

#include <pthread.h>

#define FEN_CPU_ALIGN 256
#define FEN_CPU_MAX_THREADS 256

typedef enum { FEN_CPU_PLAIN, FEN_CPU_AVX2, FEN_CPU_AVX512, FEN_CPU_N_ISAS } FenCpuIsa;

/* The operations of one instruction set. Threading is inside; each is what its slot of FenBackend says. */
typedef struct {
  const char *name; /* "plain", "avx2", "avx512" */
  int vector_bits;
  void (*embedding_forward) (FenDevice *, const FenEmbeddingForward *);
  void (*embedding_backward) (FenDevice *, const FenEmbeddingBackward *);
  void (*norm_forward) (FenDevice *, const FenNormForward *);
  void (*norm_backward) (FenDevice *, const FenNormBackward *);
  void (*rope) (FenDevice *, const FenRope *);
  void (*activation_forward) (FenDevice *, const FenActivation *);
  void (*activation_backward) (FenDevice *, const FenActivation *);
  void (*bias_gradient) (FenDevice *, const FenBiasGradient *);
  void (*cross_entropy) (FenDevice *, const FenCrossEntropy *);
  void (*add) (FenDevice *, const FenAdd *);
  void (*fill) (FenDevice *, const FenFill *);
  void (*cast) (FenDevice *, const FenCast *);
  void (*sum) (FenDevice *, const FenSum *);
  void (*sum_squares) (FenDevice *, const FenSum *);
  void (*adamw) (FenDevice *, const FenAdamW *);
  void (*adamw8) (FenDevice *, const FenAdamW8 *);
  /* Pieces of GEMM. to_f32 and from_f32 convert a (rows, columns) block of 16- or 32-bit storage. */
  void (*to_f32) (FenDType dtype, const void *src, int64_t ld_src, float *dst, int64_t ld_dst, int64_t rows,
                  int64_t columns);
  void (*from_f32) (FenDType dtype, const float *src, int64_t ld_src, void *dst, int64_t ld_dst, int64_t rows,
                    int64_t columns);
  /* C (m, columns first .. end-1) of a GEMM with few rows; op(B) is read once, where it lies. */
  void (*thin_gemm) (const FenGemm *p, int64_t first, int64_t end);
} FenCpuKernels;

extern const FenCpuKernels fen_cpu_kernels_plain;
extern const FenCpuKernels fen_cpu_kernels_avx2;
extern const FenCpuKernels fen_cpu_kernels_avx512;

/* The set that this processor runs best, or the one that FENESTRA_CPU_ISA=plain|avx2|avx512 names (a name that is
 * unknown or that the processor lacks is an error in words). */
bool fen_cpu_isa_choose (FenCpuIsa *isa, FenStatus *status);
const FenCpuKernels *fen_cpu_isa_kernels (FenCpuIsa isa);

/* ---- threads ---- */

typedef struct FenCpuPool FenCpuPool;

/* [begin, end) of the range, by thread number `worker` (0 .. threads-1, 0 is the caller). */
typedef void (*FenCpuRange) (void *data, int64_t begin, int64_t end, int worker);
typedef void (*FenCpuTask) (void *data, int64_t index, int worker);

FenCpuPool *fen_cpu_pool_new (int threads, FenStatus *status);
void fen_cpu_pool_free (FenCpuPool *pool);

/* What the process may use: its affinity mask and its control group's limit. */
int fen_cpu_threads_available (void);

struct FenDevice {
  FenDeviceProperties properties;
  FenDeviceOptions options;
  int threads;
  FenCpuIsa isa;
  const FenCpuKernels *kernels;
  FenCpuPool *pool;
  FenDynamicMap *maps;         /* of 8-bit states: signed, unsigned */
  uint64_t promised_bytes; /* by `alloc`, touched or not */
  FenStatus error;         /* the first since the last `check` */
};

/* Calls `body` on [0, n) cut into at most one range a thread, none smaller than `grain` (but the last); range bounds
 * are multiples of `grain`. Runs in the caller alone when one range is enough. Not to be called from inside a body. */
void fen_cpu_for (FenDevice *device, int64_t n, int64_t grain, FenCpuRange body, void *data);

/* Calls `body` for 0 .. n-1, each once, in rising order of start; whoever is free takes the next. */
void fen_cpu_tasks (FenDevice *device, int64_t n, FenCpuTask body, void *data);

/* ---- helpers ---- */

void fen_cpu_status (FenStatus *status, FenStatusCode code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* Remembers a failure for `check`; the first one wins. */
void fen_cpu_fail (FenDevice *device, FenStatusCode code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

static inline uint64_t
fen_cpu_align (uint64_t bytes)
{
  return (bytes + FEN_CPU_ALIGN - 1) / FEN_CPU_ALIGN * FEN_CPU_ALIGN;
}

static inline int64_t
fen_cpu_min (int64_t a, int64_t b)
{
  return a < b ? a : b;
}

static inline int64_t
fen_cpu_max (int64_t a, int64_t b)
{
  return a > b ? a : b;
}

static inline int64_t
fen_cpu_ceil_div (int64_t a, int64_t b)
{
  return (a + b - 1) / b;
}

/* ---- how reductions are cut (by shape alone: equal bits for any number of threads) ---- */

#define FEN_CPU_SUM_BLOCK 65536 /* elements a partial sum of FenSum */
#define FEN_CPU_ROW_CHUNK 32    /* rows that are summed in fp32 before they go into a double */
#define FEN_CPU_ROW_BLOCKS 64   /* at most; each has a row of partial sums */

/* Rows of a block: a multiple of the chunk. */
static inline int64_t
fen_cpu_row_block (int64_t rows)
{
  return fen_cpu_ceil_div (fen_cpu_ceil_div (rows, FEN_CPU_ROW_BLOCKS), FEN_CPU_ROW_CHUNK)
         * FEN_CPU_ROW_CHUNK;
}

static inline int64_t
fen_cpu_row_blocks (int64_t rows)
{
  return rows > 0 ? fen_cpu_ceil_div (rows, fen_cpu_row_block (rows)) : 0;
}

/* ---- operations that are compiled once ---- */

bool fen_cpu_supports (const FenDeviceProperties *properties, FenOp op, const void *params, FenStatus *why);
uint64_t fen_cpu_workspace_bytes (const FenDeviceProperties *properties, FenOp op, const void *params);
uint64_t fen_cpu_gemm_workspace (const FenDeviceProperties *properties, const FenGemm *p);
void fen_cpu_gemm (FenDevice *device, const FenGemm *p);

/* Attention (fen-cpu-attention*.c). `op` tells forward from backward; properties->units is the number of threads and
 * properties->capability the vector width in bits. Workspace may be cut by thread number. */
void fen_cpu_attention_forward (FenDevice *device, const FenAttention *p);
void fen_cpu_attention_backward (FenDevice *device, const FenAttentionBackward *p);
bool fen_cpu_attention_supports (const FenDeviceProperties *properties, FenOp op, const void *params,
                                 FenStatus *why);
uint64_t fen_cpu_attention_workspace (const FenDeviceProperties *properties, FenOp op, const void *params);
void fen_cpu_attention_describe (const FenDeviceProperties *properties, FenOp op, const void *params,
                                 char *text, size_t size);
