/* fen-cuda-embedding-backward.cu: table[id] += the sum of the rows of d_out whose id it is.
 *
 * Tokens are skewed (a comma may be one in twenty): atomics would queue up on them, and would add in any order. So rows
 * are sorted by id first, stably, and then summed in their order: the same bits every time.
 *
 * 1. Sort: least significant digit first, up to DIGIT_BITS a pass, two launches a pass. Rows are cut into at most
 *    MAX_TILES tiles. Each counts its digits; then each places its rows behind those of smaller digits and of earlier
 *    tiles. Within a tile a warp owns neighbouring rows, and __match_any_sync ranks equal digits.
 * 2. Chunks of neighbouring sorted rows are summed, one block of columns to a thread. A run of equal ids that starts in
 *    a chunk is added to the table by that chunk, alone; the part of a run that came over from the chunk before goes
 *    into `partials`. Adding is a reduction at the L2 cache, which nobody waits for (a rare token is a run of one row,
 *    so that a chunk would wait for memory at each of its rows); with one addition to an element its order is no matter.
 * 3. Where a run left its chunk, one block adds the partials that follow, in order.
 *
 *     ids      3 3 3 5 | 5 5 5 5 | 5 7 7 9        chunk 0 adds 3 and its 5, chunk 2 its 7 and 9;
 *     partials    -    |  5s     | 5s             the block of chunk 1 adds both partials to 5
 *
 * Tokens and positions go through the same launches (blockIdx.y). Rows beyond SLICE take another round.
 */
#include "kernels/cuda/fen-cuda-embedding.h"
#include "kernels/cuda/fen-cuda-vector.h"

#define SLICE ((int64_t)1 << 20)
#define DIGIT_BITS 9
#define BINS (1 << DIGIT_BITS)
#define MAX_TILES 128
#define SORT_THREADS BINS
#define SORT_WARPS (SORT_THREADS / 32)
#define KEYS 4 /* of each thread in a round */
#define ROUND (SORT_THREADS * KEYS)
#define MAX_CHUNKS 2048
#define CHUNK_ROWS 32 /* at least */

/* One table's rows on their way. */
struct Sort {
  const int32_t *ids; /* the caller's (rows) */
  int32_t *keys[2], *rows[2];
  uint32_t *counts;        /* (tiles, BINS) */
  float *table, *partials; /* (chunks, width) */
  int32_t height;
};

struct Sorts {
  Sort of[2];
};

struct Sizes {
  int64_t rows;                          /* of a slice */
  int tiles, chunks, chunk_rows, rounds; /* rounds: of ROUND rows in a tile */
};

static Sizes
sizes_of (int64_t rows)
{
  Sizes s;
  s.rows = rows < SLICE ? rows : SLICE;
  s.rounds = (int)fen_ceil_div (fen_ceil_div (s.rows, MAX_TILES), ROUND);
  s.rounds = s.rounds > 0 ? s.rounds : 1;
  s.tiles = (int)fen_ceil_div (s.rows, (int64_t)s.rounds * ROUND);
  s.chunk_rows = (int)fen_ceil_div (s.rows, MAX_CHUNKS);
  s.chunk_rows = s.chunk_rows > CHUNK_ROWS ? s.chunk_rows : CHUNK_ROWS;
  s.chunks = (int)fen_ceil_div (s.rows, s.chunk_rows);
  return s;
}

static uint64_t
align (uint64_t bytes)
{
  return (bytes + 255) / 256 * 256;
}

static uint64_t
table_bytes (const Sizes &s, int64_t width)
{
  return 4 * align ((uint64_t)s.rows * 4) + align ((uint64_t)s.tiles * BINS * 4)
         + align ((uint64_t)s.chunks * (uint64_t)width * 4);
}

uint64_t
fen_cuda_embedding_backward_workspace (const FenEmbeddingBackward *p)
{
  /* `max_positions` says whether there are positions: pointers are not looked at. */
  return table_bytes (sizes_of (p->rows), p->width) * (p->max_positions > 0 ? 2 : 1);
}

/* ---- 1. sort ---- */

static __device__ __forceinline__ uint32_t
digit_of (int32_t id, int shift, int bits)
{
  return (uint32_t)id >> shift & ((1u << bits) - 1);
}

static __global__ void
__launch_bounds__ (SORT_THREADS) count_kernel (const Sorts sorts, const int64_t rows, const int rounds,
                                               const int from, const int shift, const int bits)
{
  __shared__ uint32_t counts[BINS];
  const Sort &s = sorts.of[blockIdx.y];
  const int32_t *keys = from < 0 ? s.ids : s.keys[from];
  const int64_t begin = (int64_t)blockIdx.x * rounds * ROUND, end = min (begin + rounds * ROUND, rows);
  counts[threadIdx.x] = 0;
  __syncthreads ();
  for (int64_t i = begin + threadIdx.x; i < end; i += SORT_THREADS)
    atomicAdd (&counts[digit_of (keys[i], shift, bits)], 1); /* integers: any order is the same */
  __syncthreads ();
  s.counts[(int64_t)blockIdx.x * BINS + threadIdx.x] = counts[threadIdx.x];
}

/* Where this tile's rows of digit threadIdx.x begin. */
static __device__ __forceinline__ uint32_t
first_place (const uint32_t *counts, uint32_t *shared)
{
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  uint32_t before = 0, total = 0;
  for (int first = 0; first < (int)gridDim.x; first += 16)
    {
      uint32_t count[16];
#pragma unroll
      for (int u = 0; u < 16; u++)
        count[u] = first + u < (int)gridDim.x ? counts[(first + u) * BINS + threadIdx.x] : 0;
#pragma unroll
      for (int u = 0; u < 16; u++)
        {
          before += first + u < (int)blockIdx.x ? count[u] : 0;
          total += count[u];
        }
    }
  uint32_t sum = total; /* inclusive scan over digits */
#pragma unroll
  for (int step = 1; step < 32; step *= 2)
    {
      const uint32_t other = __shfl_up_sync (0xffffffffu, sum, step);
      sum += lane >= step ? other : 0;
    }
  if (lane == 31)
    shared[warp] = sum;
  __syncthreads ();
  for (int w = 0; w < warp; w++)
    sum += shared[w];
  return sum - total + before;
}

static __global__ void
__launch_bounds__ (SORT_THREADS) place_kernel (const Sorts sorts, const int64_t rows, const int rounds,
                                               const int from, const int shift, const int bits)
{
  __shared__ uint32_t places[BINS], scan[SORT_WARPS];
  __shared__ uint16_t ranks[SORT_WARPS][BINS];
  const Sort &s = sorts.of[blockIdx.y];
  const int32_t *keys = from < 0 ? s.ids : s.keys[from];
  int32_t *keys_out = s.keys[from == 0], *rows_out = s.rows[from == 0];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  places[threadIdx.x] = first_place (s.counts, scan);
  for (int round = 0; round < rounds; round++)
    {
      const int64_t begin = ((int64_t)blockIdx.x * rounds + round) * ROUND + warp * 32 * KEYS + lane;
      int32_t key[KEYS];
      uint32_t digit[KEYS], rank[KEYS];
      for (int b = lane; b < BINS; b += 32)
        ranks[warp][b] = 0;
      __syncwarp ();
#pragma unroll
      for (int k = 0; k < KEYS; k++)
        {
          const bool mine = begin + k * 32 < rows;
          key[k] = mine ? keys[begin + k * 32] : 0;
          digit[k] = mine ? digit_of (key[k], shift, bits)
                          : BINS; /* rows that are not there are equal, and no digit */
          const uint32_t equal = __match_any_sync (0xffffffffu, digit[k]);
          const uint32_t before = __popc (equal & ((1u << lane) - 1));
          rank[k] = mine ? ranks[warp][digit[k]] + before : 0;
          __syncwarp ();
          if (mine && before == 0)
            ranks[warp][digit[k]] += (uint16_t)__popc (equal);
          __syncwarp ();
        }
      __syncthreads ();
      uint32_t sum = 0; /* thread b turns digit b's counts into places within the round */
      for (int w = 0; w < SORT_WARPS; w++)
        {
          const uint32_t count = ranks[w][threadIdx.x];
          ranks[w][threadIdx.x] = (uint16_t)sum;
          sum += count;
        }
      __syncthreads ();
#pragma unroll
      for (int k = 0; k < KEYS; k++)
        if (digit[k] < BINS)
          {
            const uint32_t to = places[digit[k]] + ranks[warp][digit[k]] + rank[k];
            keys_out[to] = key[k];
            rows_out[to] = from < 0 ? (int32_t)(begin + k * 32) : s.rows[from][begin + k * 32];
          }
      __syncthreads ();
      places[threadIdx.x] += sum;
    }
}

/* ---- 2. sums of chunks ---- */

/* 4 at once where a pack of T is aligned: rows of the fp32 table are, when rows of d_out are. */
template <int N>
static __device__ __forceinline__ void
add_to (float *to, const float (&sums)[N])
{
#if __CUDA_ARCH__ >= 900
  constexpr bool PACKS = N % 4 == 0;
#else
  constexpr bool PACKS = false;
#endif
#pragma unroll
  for (int j = 0; j < N; j += PACKS ? 4 : 1)
    if constexpr (PACKS)
      asm volatile("red.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(to + j), "f"(sums[j]),
                   "f"(sums[j + 1]), "f"(sums[j + 2]), "f"(sums[j + 3])
                   : "memory");
    else
      atomicAdd (to + j, sums[j]);
}

#define CHUNK_THREADS 128
#define CHUNK_FLIGHT 8 /* rows in flight */

/* Sums of a thread's columns over the run that it is in. */
template <int N> struct Run {
  float sums[N];
  int32_t id;
  bool over; /* it came from the chunk before */

  __device__ __forceinline__ void
  end (const Sort &s, int64_t chunk, int64_t width, int64_t column)
  {
    if (over)
#pragma unroll
      for (int j = 0; j < N; j++)
        s.partials[chunk * width + column + j] = sums[j];
    else if ((uint32_t)id < (uint32_t)s.height)
      add_to (s.table + id * width + column, sums);
  }
  __device__ __forceinline__ void
  begin (int32_t next, bool continued)
  {
    id = next;
    over = continued;
#pragma unroll
    for (int j = 0; j < N; j++)
      sums[j] = 0;
  }
};

template <typename T, int N>
static __global__ void
__launch_bounds__ (CHUNK_THREADS)
    chunk_kernel (const Sorts sorts, const int last, const T *d_out, const int64_t rows, const int64_t width,
                  const int chunk_rows, const int column_blocks)
{
  /* Ids and rows ahead of their use: the loads of d_out need not wait for them. */
  __shared__ int32_t ids[CHUNK_THREADS], from[CHUNK_THREADS];
  const Sort &s = sorts.of[blockIdx.y];
  const int32_t *keys = s.keys[last];
  const int64_t chunk = blockIdx.x / column_blocks;
  const int64_t column = ((int64_t)(blockIdx.x % column_blocks) * CHUNK_THREADS + threadIdx.x) * N;
  const int64_t begin = chunk * chunk_rows, end = min (begin + chunk_rows, rows);
  const bool mine = column < width;
  Run<N> run;
  run.begin (keys[begin], begin > 0 && keys[begin - 1] == keys[begin]);
  for (int64_t first = begin; first < end; first += CHUNK_THREADS)
    {
      const int count = (int)min ((int64_t)CHUNK_THREADS, end - first);
      __syncthreads ();
      if (threadIdx.x < count)
        {
          ids[threadIdx.x] = keys[first + threadIdx.x];
          from[threadIdx.x] = s.rows[last][first + threadIdx.x];
        }
      __syncthreads ();
      for (int i = 0; i < count && mine; i += CHUNK_FLIGHT)
        {
          FenPack<T, N> in[CHUNK_FLIGHT];
#pragma unroll
          for (int u = 0; u < CHUNK_FLIGHT; u++)
            if (i + u < count)
              in[u].load (d_out + from[i + u] * width + column);
#pragma unroll
          for (int u = 0; u < CHUNK_FLIGHT; u++)
            if (i + u < count)
              {
                float values[N];
                in[u].get (values);
                if (ids[i + u] != run.id)
                  {
                    run.end (s, chunk, width, column);
                    run.begin (ids[i + u], false);
                  }
#pragma unroll
                for (int j = 0; j < N; j++)
                  run.sums[j] += values[j];
              }
        }
    }
  if (mine)
    run.end (s, chunk, width, column);
}

/* ---- 3. runs over several chunks ---- */

#define RUN_WARPS 8
#define RUN_COLUMNS 128 /* of a block: 4 to a lane */
#define RUN_CHUNKS 4    /* of a block, one after another: most have nothing to do */

/* The partials of the run that began in chunk first-1 and goes on at chunk first, added up: a warp takes every
 * RUN_WARPS-th of them, and the warps' sums are added in order. */
static __device__ __forceinline__ void
add_run (const Sort &s, const int32_t *keys, int32_t id, int first, int chunks, int chunk_rows, int64_t width,
         int64_t column0, float (*shared)[RUN_COLUMNS])
{
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float sums[4] = {};
#pragma unroll 4
  for (int c = first + warp; c < chunks && keys[(int64_t)c * chunk_rows] == id; c += RUN_WARPS)
#pragma unroll
    for (int k = 0; k < 4; k++)
      if (column0 + k * 32 + lane < width)
        sums[k] += s.partials[c * width + column0 + k * 32 + lane];
  __syncthreads (); /* the run before has been read */
#pragma unroll
  for (int k = 0; k < 4; k++)
    shared[warp][k * 32 + lane] = sums[k];
  __syncthreads ();
  const int mine = threadIdx.x;
  if (mine >= RUN_COLUMNS || column0 + mine >= width)
    return;
  float sum = 0;
  for (int w = 0; w < RUN_WARPS; w++)
    sum += shared[w][mine];
  s.table[id * width + column0 + mine] += sum;
}

static __global__ void __launch_bounds__ (32 * RUN_WARPS)
    run_kernel (const Sorts sorts, const int last, const int64_t width, const int chunk_rows,
                const int chunks, const int column_blocks)
{
  __shared__ float shared[RUN_WARPS][RUN_COLUMNS];
  const Sort &s = sorts.of[blockIdx.y];
  const int32_t *keys = s.keys[last];
  const int first = (int)(blockIdx.x / column_blocks) * RUN_CHUNKS;
  const int64_t column0 = (int64_t)(blockIdx.x % column_blocks) * RUN_COLUMNS;
  int32_t id[RUN_CHUNKS], before[RUN_CHUNKS], earlier[RUN_CHUNKS];
#pragma unroll
  for (int i = 0; i < RUN_CHUNKS; i++)
    {
      const int64_t begin = (int64_t)(first + i) * chunk_rows;
      const bool is = first + i > 0 && first + i < chunks;
      id[i] = is ? keys[begin] : -1;
      before[i] = is ? keys[begin - 1] : -2;
      earlier[i] = is && first + i > 1 ? keys[begin - chunk_rows - 1] : -1;
    }
#pragma unroll
  for (int i = 0; i < RUN_CHUNKS; i++)
    if (id[i] == before[i] && id[i] != earlier[i] && (uint32_t)id[i] < (uint32_t)s.height)
      add_run (s, keys, id[i], first + i, chunks, chunk_rows, width, column0, shared);
}

/* ---- all of it ---- */

static int
bits_of (int64_t height)
{
  int bits = 1;
  while (bits < 31 && (int64_t)1 << bits < height)
    bits++;
  return bits;
}

/* Sorts `tables` tables; returns which of the two buffers holds the result. */
static int
sort (const FenCudaCall &call, const Sorts &sorts, int tables, const Sizes &s, int64_t rows)
{
  int64_t height = sorts.of[0].height;
  if (tables > 1 && sorts.of[1].height > height)
    height = sorts.of[1].height;
  const int bits = bits_of (height), passes = (bits + DIGIT_BITS - 1) / DIGIT_BITS,
            each = (bits + passes - 1) / passes;
  const dim3 grid ((unsigned)fen_ceil_div (rows, (int64_t)s.rounds * ROUND), (unsigned)tables);
  int from = -1;
  for (int pass = 0; pass < passes; pass++)
    {
      count_kernel<<<grid, SORT_THREADS, 0, call.stream>>> (sorts, rows, s.rounds, from, pass * each, each);
      call.launched ("embedding_backward count");
      place_kernel<<<grid, SORT_THREADS, 0, call.stream>>> (sorts, rows, s.rounds, from, pass * each, each);
      call.launched ("embedding_backward place");
      from = from == 0;
    }
  return from;
}

template <typename T, int N>
static void
add_rows (const FenCudaCall &call, const Sorts &sorts, int tables, const Sizes &s, int last, const T *d_out,
          int64_t rows, int64_t width)
{
  const int64_t chunks = fen_ceil_div (rows, s.chunk_rows), columns = fen_ceil_div (width, N * CHUNK_THREADS);
  chunk_kernel<T, N>
      <<<dim3 ((unsigned)(chunks * columns), (unsigned)tables), CHUNK_THREADS, 0, call.stream>>> (
          sorts, last, d_out, rows, width, s.chunk_rows, (int)columns);
  call.launched ("embedding_backward chunks");
  if (chunks == 1)
    return;
  const int64_t blocks = fen_ceil_div (chunks, RUN_CHUNKS), wide = fen_ceil_div (width, RUN_COLUMNS);
  run_kernel<<<dim3 ((unsigned)(blocks * wide), (unsigned)tables), 32 * RUN_WARPS, 0, call.stream>>> (
      sorts, last, width, s.chunk_rows, (int)chunks, (int)wide);
  call.launched ("embedding_backward runs");
}

static Sort
carve (char *workspace, const Sizes &s, int64_t width, float *table, int64_t height)
{
  const uint64_t list = align ((uint64_t)s.rows * 4), counts = align ((uint64_t)s.tiles * BINS * 4);
  Sort sort = {};
  sort.keys[0] = (int32_t *)workspace;
  sort.keys[1] = (int32_t *)(workspace + list);
  sort.rows[0] = (int32_t *)(workspace + 2 * list);
  sort.rows[1] = (int32_t *)(workspace + 3 * list);
  sort.counts = (uint32_t *)(workspace + 4 * list);
  sort.partials = (float *)(workspace + 4 * list + counts);
  sort.table = table;
  sort.height = (int32_t)height;
  return sort;
}

void
fen_cuda_embedding_backward (FenDevice *device, FenStream *stream, const FenEmbeddingBackward *p)
{
  const FenCudaCall call (device, stream, FEN_OP_EMBEDDING_BACKWARD, p);
  if (!call.ready || p->rows == 0)
    return;
  const Sizes s = sizes_of (p->rows);
  const int tables = p->d_position_table != NULL && p->max_positions > 0 ? 2 : 1;
  Sorts sorts = {};
  sorts.of[0] = carve ((char *)p->workspace, s, p->width, p->d_token_table, p->vocab);
  if (tables > 1)
    sorts.of[1] = carve ((char *)p->workspace + table_bytes (s, p->width), s, p->width, p->d_position_table,
                         p->max_positions);
  for (int64_t first = 0; first < p->rows; first += s.rows)
    {
      const int64_t rows = p->rows - first < s.rows ? p->rows - first : s.rows;
      sorts.of[0].ids = p->tokens + first;
      sorts.of[1].ids = tables > 1 ? p->positions + first : NULL;
      const int last = sort (call, sorts, tables, s, rows);
      fen_cuda_dispatch (p->dtype, [&] (auto zero) {
        using T = decltype (zero);
        constexpr int N = 16 / sizeof (T);
        const T *d_out = (const T *)p->d_out + first * p->width;
        if (p->width % N == 0 && fen_aligned (p->d_out) && fen_aligned (p->d_token_table)
            && fen_aligned (p->d_position_table))
          add_rows<T, N> (call, sorts, tables, s, last, d_out, rows, p->width);
        else
          add_rows<T, 1> (call, sorts, tables, s, last, d_out, rows, p->width);
      });
    }
}
