/* fen-cpu-attention.c: attention of the CPU back end: what it supports, which path runs, its workspace, its threads.
 *
 * The flash path hands tiles to threads (fen-cpu-attention-forward.c, -backward.c); the plain path runs scores through
 * GEMM in blocks of queries (fen-cpu-attention-plain.c).
 */
#include "kernels/cpu/fen-cpu-attention-private.h"

#include <stdio.h>

const FenAttentionKernels *
fen_cpu_attention_isa (FenCpuIsa isa)
{
  static const FenAttentionKernels *const kernels[FEN_CPU_N_ISAS] = {
    [FEN_CPU_PLAIN] = &fen_cpu_attention_kernels_plain,
#ifdef __x86_64__
    [FEN_CPU_AVX2] = &fen_cpu_attention_kernels_avx2,
    [FEN_CPU_AVX512] = &fen_cpu_attention_kernels_avx512,
#endif
  };

  return kernels[isa];
}

/* The forward description of either operation's parameters. */
static const FenAttention *
forward_of (FenOp op, const void *params)
{
  return op == FEN_OP_ATTENTION_BACKWARD ? &((const FenAttentionBackward *)params)->forward
                                         : (const FenAttention *)params;
}

/* ---- questions ---- */

static bool
refuse (FenStatus *why, const char *message)
{
  fen_cpu_status (why, FEN_STATUS_UNSUPPORTED, "%s", message);
  return false;
}

static bool
strides_fit (const FenHeadView *view)
{
  return view->token_stride <= INT32_MAX && view->token_stride >= 0;
}

static bool
supports_plain (const FenAttention *a, const FenAttentionBackward *g, FenStatus *why)
{
  const bool fit = strides_fit (&a->q) && strides_fit (&a->k) && strides_fit (&a->v) && strides_fit (&a->o)
                   && (!g
                       || (strides_fit (&g->d_o) && strides_fit (&g->dq) && strides_fit (&g->dk)
                           && strides_fit (&g->dv)));

  if (a->nk > INT32_MAX || a->nq > INT32_MAX || !fit)
    return refuse (
        why, "plain attention on the CPU: OpenBLAS counts rows and strides in 32 bits; use FlashAttn-2");
  return true;
}

bool
fen_cpu_attention_supports (const FenDeviceProperties *properties, FenOp op, const void *params,
                            FenStatus *why)
{
  const FenAttention *a = forward_of (op, params);
  const FenAttentionBackward *g = op == FEN_OP_ATTENTION_BACKWARD ? params : NULL;

  return a->path == FEN_ATTENTION_FLASH || supports_plain (a, g, why);
}

static uint64_t
stats_bytes (const FenAttention *a)
{
  return fen_cpu_align (4 * (uint64_t)a->batch * (uint64_t)a->heads * (uint64_t)a->nq);
}

static uint64_t
scratch_bytes (const FenAttention *a)
{
  return fen_cpu_align (4 * (uint64_t)fen_attention_scratch (a));
}

uint64_t
fen_cpu_attention_workspace (const FenDeviceProperties *properties, FenOp op, const void *params)
{
  const FenAttention *a = forward_of (op, params);
  const bool backward = op == FEN_OP_ATTENTION_BACKWARD;
  const uint64_t threads = properties->units > 0 ? (uint64_t)properties->units : 1;

  return (backward ? 2 * stats_bytes (a) : 0)
         + (a->path == FEN_ATTENTION_PLAIN ? fen_cpu_attention_plain_workspace (a, backward ? params : NULL)
                                           : threads * scratch_bytes (a));
}

void
fen_cpu_attention_describe (const FenDeviceProperties *properties, FenOp op, const void *params, char *text,
                            size_t size)
{
  const FenAttention *a = forward_of (op, params);
  const int width = properties->capability;
  const FenCpuIsa isa = width >= 512 ? FEN_CPU_AVX512 : width >= 256 ? FEN_CPU_AVX2 : FEN_CPU_PLAIN;
  static const char *const names[] = { "plain C", "avx2", "avx512" };

  if (a->path == FEN_ATTENTION_PLAIN)
    snprintf (text, size, "cpu plain gemm %s, blocks of %lld queries", names[isa],
              (long long)fen_cpu_attention_plain_block (a));
  else
    snprintf (text, size, "cpu flash %s %lldx%d", names[isa], (long long)fen_attention_columns (a),
              FEN_ATTENTION_ROWS);
}

/* ---- running ---- */

typedef struct {
  const FenAttentionKernels *kernels;
  const FenAttention *a;
  const FenAttentionBackward *g;
  FenAttentionStats stats;
  char *scratch;
  uint64_t scratch_bytes;
} Job;

static float *
scratch_of (const Job *job, int worker)
{
  return (float *)(job->scratch + (uint64_t)worker * job->scratch_bytes);
}

static void
forward_task (void *data, int64_t item, int worker)
{
  const Job *job = data;

  job->kernels->forward_tile (job->a, item, scratch_of (job, worker));
}

static void
query_task (void *data, int64_t item, int worker)
{
  const Job *job = data;

  job->kernels->query_tile (job->g, &job->stats, item, scratch_of (job, worker));
}

static void
key_task (void *data, int64_t item, int worker)
{
  const Job *job = data;

  job->kernels->key_tile (job->g, &job->stats, item, scratch_of (job, worker));
}

/* Rows of one (batch, key head) a task. */
#define STATS_ROWS 1024

static int64_t
stats_blocks (const FenAttention *a)
{
  return fen_cpu_ceil_div (a->nq * (a->heads / a->kv_heads), STATS_ROWS);
}

static void
stats_task (void *data, int64_t item, int worker)
{
  const Job *job = data;
  const FenAttention *a = job->a;
  const int64_t rows = a->nq * (a->heads / a->kv_heads), blocks = stats_blocks (a), head = item / blocks;
  const int64_t begin = item % blocks * STATS_ROWS;

  job->kernels->stats_rows (job->g, &job->stats, head / a->kv_heads, head % a->kv_heads, begin,
                            fen_cpu_min (begin + STATS_ROWS, rows));
}

/* dsink_h = - sum over b, i of exp (sink_h - lse) D. One thread: it is one pass over a value a query. */
static void
sink_gradient (const FenAttentionBackward *g, const FenAttentionStats *stats)
{
  const FenAttention *a = &g->forward;
  const int64_t group = a->heads / a->kv_heads;

  for (int64_t h = 0; h < a->heads; h++)
    {
      double sum = 0;

      for (int64_t b = 0; b < a->batch; b++)
        for (int64_t i = 0; i < a->nq; i++)
          {
            const int64_t at = fen_attention_stats_at (a, b, h / group, i * group + h % group);

            sum += (double)(exp2f (a->sink_logits[h] * FEN_LOG2E - stats->lse2[at]) * stats->delta[at]);
          }
      g->d_sink_logits[h] -= (float)sum;
    }
}

static bool
empty (const FenAttention *a)
{
  return a->batch == 0 || a->heads == 0;
}

void
fen_cpu_attention_forward (FenDevice *device, const FenAttention *a)
{
  Job job = { .kernels = fen_cpu_attention_isa (device->isa), .a = a, .scratch = a->workspace };

  if (empty (a) || a->nq == 0)
    return;
  if (a->path == FEN_ATTENTION_PLAIN)
    {
      fen_cpu_attention_plain_forward (device, a);
      return;
    }
  job.scratch_bytes = scratch_bytes (a);
  fen_cpu_tasks (device, fen_attention_query_grid (a).items, forward_task, &job);
}

void
fen_cpu_attention_backward (FenDevice *device, const FenAttentionBackward *g)
{
  const FenAttention *a = &g->forward;
  char *workspace = g->workspace;
  Job job = { .kernels = fen_cpu_attention_isa (device->isa), .a = a, .g = g };

  if (empty (a))
    return;
  job.stats.lse2 = (float *)workspace;
  job.stats.delta = (float *)(workspace + stats_bytes (a));
  job.scratch = workspace + 2 * stats_bytes (a);
  job.scratch_bytes = scratch_bytes (a);
  fen_cpu_tasks (device, a->batch * a->kv_heads * stats_blocks (a), stats_task, &job);
  if (g->d_sink_logits && a->sink_logits)
    sink_gradient (g, &job.stats);
  if (a->path == FEN_ATTENTION_PLAIN)
    {
      fen_cpu_attention_plain_backward (device, g, &job.stats, job.scratch);
      return;
    }
  if (a->nq > 0)
    fen_cpu_tasks (device, fen_attention_query_grid (a).items, query_task, &job);
  fen_cpu_tasks (device, fen_attention_key_items (a), key_task, &job);
}
