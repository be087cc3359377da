/* attention-cpu.h: the CPU back end's attention of any instruction set and number of threads, called directly. */
#pragma once

#include "kernels/cpu/fen-cpu-private.h"
#include "tests/kernels/attention-fixture.h"

/* ---- devices ---- */

static inline gboolean
isa_present (FenCpuIsa isa)
{
#ifdef __x86_64__
  if (isa == FEN_CPU_AVX2)
    return __builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma");
  if (isa == FEN_CPU_AVX512)
    return __builtin_cpu_supports ("avx512f") && __builtin_cpu_supports ("avx512bw")
           && __builtin_cpu_supports ("avx512dq") && __builtin_cpu_supports ("avx512vl");
#endif
  return isa == FEN_CPU_PLAIN;
}

static inline void
device_init (FenDevice *device, FenCpuIsa isa, int threads)
{
  static const int bits[] = { 128, 256, 512 };
  FenStatus status = { 0 };

  memset (device, 0, sizeof *device);
  device->properties.units = device->threads = threads;
  device->properties.capability = bits[isa];
  device->isa = isa;
  device->pool = fen_cpu_pool_new (threads, &status);
  g_assert_nonnull (device->pool);
}

static inline void *
workspace_new (FenDevice *device, FenOp op, const void *params)
{
  FenStatus why = { 0 };
  const uint64_t bytes = fen_cpu_attention_workspace (&device->properties, op, params);
  char *memory;

  if (!fen_cpu_attention_supports (&device->properties, op, params, &why))
    g_error ("%s", why.message);
  memory = g_malloc (bytes + 64);
  memset (memory, 0xff, bytes + 64); /* NaN inside; a guard behind */
  return memory;
}

static inline void
workspace_check (FenDevice *device, FenOp op, const void *params, char *memory)
{
  const uint64_t bytes = fen_cpu_attention_workspace (&device->properties, op, params);

  for (int i = 0; i < 64; i++)
    g_assert_cmpuint ((guint8)memory[bytes + (uint64_t)i], ==, 0xff);
  g_free (memory);
}

static inline void
forward (FenDevice *device, FenAttention *a)
{
  a->workspace = workspace_new (device, FEN_OP_ATTENTION_FORWARD, a);
  fen_cpu_attention_forward (device, a);
  workspace_check (device, FEN_OP_ATTENTION_FORWARD, a, a->workspace);
}

static inline void
backward (FenDevice *device, FenAttentionBackward *g)
{
  g->workspace = workspace_new (device, FEN_OP_ATTENTION_BACKWARD, g);
  fen_cpu_attention_backward (device, g);
  workspace_check (device, FEN_OP_ATTENTION_BACKWARD, g, g->workspace);
}
