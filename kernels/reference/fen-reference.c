/* fen-reference.c: the reference back end's table. Its device is a box with nothing in it. */
#include "kernels/reference/fen-reference-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct FenDevice {
  FenDeviceOptions options;
};

static void
say (FenStatus *status, FenStatusCode code, const char *message)
{
  if (status == NULL)
    return;
  status->code = code;
  snprintf (status->message, sizeof status->message, "%s", message);
}

static int
device_count (FenStatus *status)
{
  say (status, FEN_STATUS_OK, "");
  return 1;
}

static bool
device_properties (int index, const FenDeviceOptions *options, FenDeviceProperties *properties,
                   FenStatus *status)
{
  *properties = (FenDeviceProperties){ .name = "reference (double precision)",
                                       .kind = "reference",
                                       .units = 1,
                                       .capability = 64,
                                       .host_memory = true };
  properties->storage[FEN_F32] = properties->storage[FEN_BF16] = properties->storage[FEN_F16] = true;
  properties->storage[FEN_F64] = true;
  say (status, index == 0 ? FEN_STATUS_OK : FEN_STATUS_NO_DEVICE, index == 0 ? "" : "there is one, number 0");
  return index == 0;
}

static FenDevice *
device_open (int index, const FenDeviceOptions *options, FenStatus *status)
{
  FenDeviceProperties properties;
  if (!device_properties (index, options, &properties, status))
    return NULL;
  FenDevice *device = calloc (1, sizeof *device);
  if (device == NULL)
    say (status, FEN_STATUS_OUT_OF_MEMORY, "no memory for a device");
  return device;
}

static void
device_close (FenDevice *device)
{
  free (device);
}

static void *
memory_alloc (FenDevice *device, FenMemoryKind kind, uint64_t bytes, FenStatus *status)
{
  void *memory = bytes <= SIZE_MAX - 512 ? aligned_alloc (256, (bytes / 256 + 1) * 256) : NULL;
  if (memory == NULL)
    say (status, FEN_STATUS_OUT_OF_MEMORY, "no memory");
  else
    say (status, FEN_STATUS_OK, "");
  return memory;
}

static void
memory_free (FenDevice *device, FenMemoryKind kind, void *memory, uint64_t bytes)
{
  free (memory);
}

static bool
memory_info (FenDevice *device, uint64_t *used, uint64_t *total)
{
  return false;
}

/* Streams and events order nothing here: the one object there is stands for all of them. */
static FenStream *
stream_new (FenDevice *device, FenStatus *status)
{
  say (status, FEN_STATUS_OK, "");
  return (FenStream *)device;
}

static void
stream_free (FenDevice *device, FenStream *stream)
{
}

static FenEvent *
event_new (FenDevice *device, FenStatus *status)
{
  say (status, FEN_STATUS_OK, "");
  return (FenEvent *)device;
}

static void
event_free (FenDevice *device, FenEvent *event)
{
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

static void
copy (FenDevice *device, FenStream *stream, void *dst, const void *src, uint64_t bytes)
{
  memcpy (dst, src, bytes);
}

static FenStatusCode
check (FenDevice *device, FenStatus *status)
{
  say (status, FEN_STATUS_OK, "");
  return FEN_STATUS_OK;
}

static bool
supports (const FenDeviceProperties *properties, FenOp op, const void *params, FenStatus *why)
{
  say (why, FEN_STATUS_OK, "");
  return true;
}

static uint64_t
workspace_bytes (const FenDeviceProperties *properties, FenOp op, const void *params)
{
  return 0;
}

static void
describe (const FenDeviceProperties *properties, FenOp op, const void *params, char *text, size_t size)
{
  snprintf (text, size, "reference, double precision");
}

#define OPERATION(name, Type)                                                                                \
  static void name (FenDevice *device, FenStream *stream, const Type *p)                                     \
  {                                                                                                          \
    fen_reference_##name (p);                                                                                \
  }

OPERATION (gemm, FenGemm)
OPERATION (embedding_forward, FenEmbeddingForward)
OPERATION (embedding_backward, FenEmbeddingBackward)
OPERATION (norm_forward, FenNormForward)
OPERATION (norm_backward, FenNormBackward)
OPERATION (rope, FenRope)
OPERATION (activation_forward, FenActivation)
OPERATION (activation_backward, FenActivation)
OPERATION (bias_gradient, FenBiasGradient)
OPERATION (attention_forward, FenAttention)
OPERATION (attention_backward, FenAttentionBackward)
OPERATION (cross_entropy, FenCrossEntropy)
OPERATION (add, FenAdd)
OPERATION (fill, FenFill)
OPERATION (cast, FenCast)
OPERATION (sum, FenSum)
OPERATION (sum_squares, FenSum)
OPERATION (clip, FenClip)
OPERATION (adamw, FenAdamW)
OPERATION (adamw8, FenAdamW8)

static const FenBackend reference_backend = {
  .abi = FEN_BACKEND_ABI,
  .name = "reference",
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
  .supports = supports,
  .workspace_bytes = workspace_bytes,
  .describe = describe,
  .gemm = gemm,
  .embedding_forward = embedding_forward,
  .embedding_backward = embedding_backward,
  .norm_forward = norm_forward,
  .norm_backward = norm_backward,
  .rope = rope,
  .activation_forward = activation_forward,
  .activation_backward = activation_backward,
  .bias_gradient = bias_gradient,
  .attention_forward = attention_forward,
  .attention_backward = attention_backward,
  .cross_entropy = cross_entropy,
  .add = add,
  .fill = fill,
  .cast = cast,
  .sum = sum,
  .sum_squares = sum_squares,
  .clip = clip,
  .adamw = adamw,
  .adamw8 = adamw8,
};

const FenBackend *
fen_backend_reference (void)
{
  return &reference_backend;
}
