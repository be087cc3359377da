/* fen-cpu-device.c: the CPU back end's table: device, memory, streams, and the way from each slot to its code.
 *
 * Work is done at once, in the calling thread and the device's own, so streams and events have nothing to remember
 * and `synchronize` nothing to wait for.
 */
#include "kernels/cpu/fen-cpu-gemm.h"
#include "kernels/cpu/fen-cpu-system.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGES_FROM (UINT64_C (64) << 20)
#define SMALL_BYTES (UINT64_C (1) << 20) /* are given without asking the system how much there is */

struct FenStream {
  FenDevice *device;
};

struct FenEvent {
  FenDevice *device;
};

/* ---- devices ---- */

static int
device_count (FenStatus *status)
{
  fen_cpu_status (status, FEN_STATUS_OK, "%s", "");
  return 1;
}

static bool
device_properties (int index, const FenDeviceOptions *options, FenDeviceProperties *properties,
                   FenStatus *status)
{
  const int wanted = options != NULL ? options->threads : 0;
  FenCpuIsa isa;
  fen_cpu_status (status, FEN_STATUS_OK, "%s", "");
  *properties = (FenDeviceProperties){ 0 };
  if (index != 0)
    {
      fen_cpu_status (status, FEN_STATUS_NO_DEVICE, "cpu device %d: there is one, number 0", index);
      return false;
    }
  if (wanted < 0 || wanted > FEN_CPU_MAX_THREADS)
    {
      fen_cpu_status (status, FEN_STATUS_UNSUPPORTED, "threads = %d, allowed: 0 (all) to %d", wanted,
                      FEN_CPU_MAX_THREADS);
      return false;
    }
  if (!fen_cpu_isa_choose (&isa, status))
    return false;
  properties->units = wanted > 0 ? wanted : fen_cpu_threads_available ();
  fen_cpu_name (properties->units, properties->name, sizeof properties->name);
  snprintf (properties->kind, sizeof properties->kind, "cpu");
  properties->index = index;
  properties->total_bytes = fen_cpu_memory_total ();
  properties->free_bytes = fen_cpu_memory_free ();
  properties->overhead_bytes = fen_cpu_gemm_overhead (properties->units);
  properties->capability = fen_cpu_isa_kernels (isa)->vector_bits;
  properties->storage[FEN_F32] = properties->storage[FEN_BF16] = properties->storage[FEN_F16] = true;
  properties->host_memory = true;
  return true;
}

static void
device_close (FenDevice *device)
{
  if (device == NULL)
    return;
  fen_cpu_pool_free (device->pool);
  free (device->maps);
  free (device);
}

static FenDevice *
device_open (int index, const FenDeviceOptions *options, FenStatus *status)
{
  FenDeviceProperties properties;
  FenCpuIsa isa;
  if (!device_properties (index, options, &properties, status) || !fen_cpu_isa_choose (&isa, status))
    return NULL;
  FenDevice *device = calloc (1, sizeof *device);
  FenDynamicMap *maps = calloc (2, sizeof *maps);
  if (device == NULL || maps == NULL)
    {
      free (device);
      free (maps);
      fen_cpu_status (status, FEN_STATUS_OUT_OF_MEMORY, "no memory to open the CPU device");
      return NULL;
    }
  device->properties = properties;
  if (options != NULL)
    device->options = *options;
  device->threads = properties.units;
  device->isa = isa;
  device->kernels = fen_cpu_isa_kernels (isa);
  device->maps = maps;
  fen_dynamic_map_init (&maps[0], true);
  fen_dynamic_map_init (&maps[1], false);
  fen_cpu_gemm_init ();
  device->pool = fen_cpu_pool_new (device->threads, status);
  if (device->pool == NULL)
    {
      device_close (device);
      return NULL;
    }
  return device;
}

/* ---- memory ---- */

/* Pages of their own, so that what is never touched costs nothing. The system would promise more than it has and
 * kill somebody later: what is there is asked first. */
static void *
memory_alloc (FenDevice *device, FenMemoryKind kind, uint64_t bytes, FenStatus *status)
{
  const bool small = bytes < SMALL_BYTES;
  uint64_t available = small ? UINT64_MAX : fen_cpu_memory_free ();
  void *memory = MAP_FAILED;
  fen_cpu_status (status, FEN_STATUS_OK, "%s", "");
  if (small
      || (bytes <= available && bytes <= SIZE_MAX - 4096
          && device->promised_bytes + bytes <= fen_cpu_memory_total ()))
    memory = mmap (NULL, (size_t)(bytes > 0 ? bytes : 1), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    {
      available = fen_cpu_memory_free ();
      fen_cpu_status (
          status, FEN_STATUS_OUT_OF_MEMORY,
          "host memory: %" PRIu64 " bytes (%.2f GiB) asked, %" PRIu64 " bytes (%.2f GiB) available, "
          "%" PRIu64 " bytes held by this device",
          bytes, (double)bytes / 0x1p30, available, (double)available / 0x1p30, device->promised_bytes);
      return NULL;
    }
  if (bytes >= HUGE_PAGES_FROM)
    madvise (memory, (size_t)bytes, MADV_HUGEPAGE); /* a hint: fewer page faults and TLB misses */
  device->promised_bytes += bytes;
  return memory;
}

static void
memory_free (FenDevice *device, FenMemoryKind kind, void *memory, uint64_t bytes)
{
  if (memory == NULL)
    return;
  munmap (memory, (size_t)(bytes > 0 ? bytes : 1));
  device->promised_bytes -= bytes;
}

static bool
memory_info (FenDevice *device, uint64_t *used, uint64_t *total)
{
  const uint64_t room = fen_cpu_memory_free ();
  *total = fen_cpu_memory_total ();
  *used = *total > room ? *total - room : 0;
  return true;
}

/* ---- streams and events ---- */

static FenStream *
stream_new (FenDevice *device, FenStatus *status)
{
  FenStream *stream = calloc (1, sizeof *stream);
  if (stream == NULL)
    fen_cpu_status (status, FEN_STATUS_OUT_OF_MEMORY, "no memory for a stream");
  else
    stream->device = device;
  return stream;
}

static void
stream_free (FenDevice *device, FenStream *stream)
{
  free (stream);
}

static FenEvent *
event_new (FenDevice *device, FenStatus *status)
{
  FenEvent *event = calloc (1, sizeof *event);
  if (event == NULL)
    fen_cpu_status (status, FEN_STATUS_OUT_OF_MEMORY, "no memory for an event");
  else
    event->device = device;
  return event;
}

static void
event_free (FenDevice *device, FenEvent *event)
{
  free (event);
}

static void
event_record (FenDevice *device, FenStream *stream, FenEvent *event)
{
}

static void
stream_wait (FenDevice *device, FenStream *stream, FenEvent *event)
{
}

static void
event_synchronize (FenDevice *device, FenEvent *event)
{
}

static void
synchronize (FenDevice *device, FenStream *stream)
{
}

typedef struct {
  char *dst;
  const char *src;
} Copy;

static void
copy_body (void *data, int64_t begin, int64_t end, int worker)
{
  const Copy *job = data;
  memcpy (job->dst + begin, job->src + begin, (size_t)(end - begin));
}

static void
copy (FenDevice *device, FenStream *stream, void *dst, const void *src, uint64_t bytes)
{
  Copy job = { dst, src };
  fen_cpu_for (device, (int64_t)bytes, 65536, copy_body, &job);
}

static FenStatusCode
check (FenDevice *device, FenStatus *status)
{
  const FenStatus error = device->error;
  device->error = (FenStatus){ 0 };
  if (status != NULL)
    *status = error;
  return error.code;
}

/* ---- questions ---- */

static void
describe (const FenDeviceProperties *properties, FenOp op, const void *params, char *text, size_t size)
{
  const int bits = properties->capability;
  if (op == FEN_OP_ATTENTION_FORWARD || op == FEN_OP_ATTENTION_BACKWARD)
    fen_cpu_attention_describe (properties, op, params, text, size);
  else
    snprintf (text, size, "cpu %s, %d thread%s",
              bits == 512   ? "avx512"
              : bits == 256 ? "avx2"
                            : "plain",
              properties->units, properties->units == 1 ? "" : "s");
}

/* ---- operations ---- */

/* Refuses what `supports` refuses; the refusal is the message of `check`. */
static bool
admitted (FenDevice *device, FenOp op, const void *params)
{
  FenStatus why;
  if (fen_cpu_supports (&device->properties, op, params, &why))
    return true;
  fen_cpu_fail (device, why.code, "%s", why.message);
  return false;
}

static void
op_gemm (FenDevice *device, FenStream *stream, const FenGemm *p)
{
  if (admitted (device, FEN_OP_GEMM, p))
    fen_cpu_gemm (device, p);
}

/* The gradient of a sink, the norm, and the decision to skip: one thread's work. */
static void
op_clip (FenDevice *device, FenStream *stream, const FenClip *p)
{
  FenStepStats *stats = p->stats;
  const double norm = sqrt (stats->gradient_sumsq) * (double)p->inverse_loss_scale;
  double scale = p->inverse_loss_scale;
  stats->gradient_norm = (float)norm;
  stats->skip = !isfinite (stats->gradient_norm);
  if (p->max_norm > 0 && norm + 1e-6 > p->max_norm)
    scale *= p->max_norm / (norm + 1e-6);
  stats->gradient_scale = stats->skip ? 0 : (float)scale;
}

#define OPERATION(name, Type, OP)                                                                            \
  static void op_##name (FenDevice *device, FenStream *stream, const Type *p)                                \
  {                                                                                                          \
    if (admitted (device, OP, p))                                                                            \
      device->kernels->name (device, p);                                                                     \
  }

OPERATION (embedding_forward, FenEmbeddingForward, FEN_OP_EMBEDDING_FORWARD)
OPERATION (embedding_backward, FenEmbeddingBackward, FEN_OP_EMBEDDING_BACKWARD)
OPERATION (norm_forward, FenNormForward, FEN_OP_NORM_FORWARD)
OPERATION (norm_backward, FenNormBackward, FEN_OP_NORM_BACKWARD)
OPERATION (rope, FenRope, FEN_OP_ROPE)
OPERATION (activation_forward, FenActivation, FEN_OP_ACTIVATION_FORWARD)
OPERATION (activation_backward, FenActivation, FEN_OP_ACTIVATION_BACKWARD)
OPERATION (bias_gradient, FenBiasGradient, FEN_OP_BIAS_GRADIENT)
OPERATION (cross_entropy, FenCrossEntropy, FEN_OP_CROSS_ENTROPY)
OPERATION (add, FenAdd, FEN_OP_ADD)
OPERATION (fill, FenFill, FEN_OP_FILL)
OPERATION (cast, FenCast, FEN_OP_CAST)
OPERATION (sum, FenSum, FEN_OP_SUM)
OPERATION (sum_squares, FenSum, FEN_OP_SUM_SQUARES)
OPERATION (adamw, FenAdamW, FEN_OP_ADAMW)
OPERATION (adamw8, FenAdamW8, FEN_OP_ADAMW8)

static void
op_attention_forward (FenDevice *device, FenStream *stream, const FenAttention *p)
{
  if (admitted (device, FEN_OP_ATTENTION_FORWARD, p))
    fen_cpu_attention_forward (device, p);
}

static void
op_attention_backward (FenDevice *device, FenStream *stream, const FenAttentionBackward *p)
{
  if (admitted (device, FEN_OP_ATTENTION_BACKWARD, p))
    fen_cpu_attention_backward (device, p);
}

static const FenBackend cpu_backend = {
  .abi = FEN_BACKEND_ABI,
  .name = "cpu",
  .device_count = device_count,
  .device_properties = device_properties,
  .open = device_open,
  .close = device_close,
  .alloc = memory_alloc,
  .free = memory_free,
  .memory_info = memory_info,
  .stream_new = stream_new,
  .stream_free = stream_free,
  .event_new = event_new,
  .event_free = event_free,
  .event_record = event_record,
  .stream_wait = stream_wait,
  .event_synchronize = event_synchronize,
  .synchronize = synchronize,
  .copy = copy,
  .check = check,
  .supports = fen_cpu_supports,
  .workspace_bytes = fen_cpu_workspace_bytes,
  .describe = describe,
  .gemm = op_gemm,
  .embedding_forward = op_embedding_forward,
  .embedding_backward = op_embedding_backward,
  .norm_forward = op_norm_forward,
  .norm_backward = op_norm_backward,
  .rope = op_rope,
  .activation_forward = op_activation_forward,
  .activation_backward = op_activation_backward,
  .bias_gradient = op_bias_gradient,
  .attention_forward = op_attention_forward,
  .attention_backward = op_attention_backward,
  .cross_entropy = op_cross_entropy,
  .add = op_add,
  .fill = op_fill,
  .cast = op_cast,
  .sum = op_sum,
  .sum_squares = op_sum_squares,
  .clip = op_clip,
  .adamw = op_adamw,
  .adamw8 = op_adamw8,
};

const FenBackend *
fen_backend_cpu (void)
{
  return &cpu_backend;
}
