/* fen-cuda-private.h: what the files of the CUDA back end share: the device, error keeping, launching, storage types.
 *
 * Every operation looks like this (C linkage, declared below, listed in fen-cuda-table.c):
 *
 *   void fen_cuda_rope (FenDevice *device, FenStream *stream, const FenRope *p)
 *   {
 *     const FenCudaCall call (device, stream, FEN_OP_ROPE, p);   // current device, parameters checked
 *     if (!call.ready || p->rows == 0) return;
 *     kernel<<<grid, block, shared, call.stream>>> (...);
 *     call.launched ("rope");
 *   }
 *
 * Nothing here allocates, waits or reads device memory during an operation. Kernels index with int64_t wherever a
 * tensor's elements are counted. Errors: the first one is kept in the device and told by `check`; a sticky CUDA error
 * (illegal access, lost device) marks the whole process, since its context is beyond repair.
 */
#pragma once

#include "kernels/fen-backend.h"
#include "kernels/fen-op-check.h"

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the table's functions ---- */

int fen_cuda_device_count (FenStatus *status);
bool fen_cuda_device_properties (int index, const FenDeviceOptions *options, FenDeviceProperties *properties,
                                 FenStatus *status);
FenDevice *fen_cuda_open (int index, const FenDeviceOptions *options, FenStatus *status);
void fen_cuda_close (FenDevice *device);
void *fen_cuda_alloc (FenDevice *device, FenMemoryKind kind, uint64_t bytes, FenStatus *status);
void fen_cuda_free (FenDevice *device, FenMemoryKind kind, void *memory, uint64_t bytes);
bool fen_cuda_memory_info (FenDevice *device, uint64_t *used, uint64_t *total);
FenStream *fen_cuda_stream_new (FenDevice *device, FenStatus *status);
void fen_cuda_stream_free (FenDevice *device, FenStream *stream);
FenEvent *fen_cuda_event_new (FenDevice *device, FenStatus *status);
void fen_cuda_event_free (FenDevice *device, FenEvent *event);
void fen_cuda_event_record (FenDevice *device, FenStream *stream, FenEvent *event);
void fen_cuda_stream_wait (FenDevice *device, FenStream *stream, FenEvent *event);
void fen_cuda_event_synchronize (FenDevice *device, FenEvent *event);
void fen_cuda_synchronize (FenDevice *device, FenStream *stream);
void fen_cuda_copy (FenDevice *device, FenStream *stream, void *dst, const void *src, uint64_t bytes);
FenStatusCode fen_cuda_check (FenDevice *device, FenStatus *status);

bool fen_cuda_supports (const FenDeviceProperties *properties, FenOp op, const void *params, FenStatus *why);
uint64_t fen_cuda_workspace_bytes (const FenDeviceProperties *properties, FenOp op, const void *params);
void fen_cuda_describe (const FenDeviceProperties *properties, FenOp op, const void *params, char *text,
                        size_t size);

void fen_cuda_gemm (FenDevice *, FenStream *, const FenGemm *);
void fen_cuda_embedding_forward (FenDevice *, FenStream *, const FenEmbeddingForward *);
void fen_cuda_embedding_backward (FenDevice *, FenStream *, const FenEmbeddingBackward *);
void fen_cuda_norm_forward (FenDevice *, FenStream *, const FenNormForward *);
void fen_cuda_norm_backward (FenDevice *, FenStream *, const FenNormBackward *);
void fen_cuda_rope (FenDevice *, FenStream *, const FenRope *);
void fen_cuda_activation_forward (FenDevice *, FenStream *, const FenActivation *);
void fen_cuda_activation_backward (FenDevice *, FenStream *, const FenActivation *);
void fen_cuda_bias_gradient (FenDevice *, FenStream *, const FenBiasGradient *);
void fen_cuda_attention_forward (FenDevice *, FenStream *, const FenAttention *);
void fen_cuda_attention_backward (FenDevice *, FenStream *, const FenAttentionBackward *);
void fen_cuda_cross_entropy (FenDevice *, FenStream *, const FenCrossEntropy *);
void fen_cuda_add (FenDevice *, FenStream *, const FenAdd *);
void fen_cuda_fill (FenDevice *, FenStream *, const FenFill *);
void fen_cuda_cast (FenDevice *, FenStream *, const FenCast *);
void fen_cuda_sum (FenDevice *, FenStream *, const FenSum *);
void fen_cuda_sum_squares (FenDevice *, FenStream *, const FenSum *);
void fen_cuda_clip (FenDevice *, FenStream *, const FenClip *);
void fen_cuda_adamw (FenDevice *, FenStream *, const FenAdamW *);
void fen_cuda_adamw8 (FenDevice *, FenStream *, const FenAdamW8 *);

/* ---- parts of `supports`, `workspace_bytes` and `describe`, beside the operations they speak of ---- */

/* Scratch bytes; each is asked for its own operations only. */
uint64_t fen_cuda_gemm_workspace (const FenDeviceProperties *properties, const FenGemm *p);
uint64_t fen_cuda_pointwise_workspace (const FenDeviceProperties *properties, FenOp op, const void *params);
uint64_t fen_cuda_attention_workspace (const FenDeviceProperties *properties, FenOp op, const void *params);
bool fen_cuda_attention_supports (const FenDeviceProperties *properties, FenOp op, const void *params,
                                  FenStatus *why);
void fen_cuda_attention_describe (const FenDeviceProperties *properties, FenOp op, const void *params,
                                  char *text, size_t size);

void fen_cuda_status (FenStatus *status, FenStatusCode code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

#ifdef __cplusplus
}
#endif

#ifdef __CUDACC__

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

struct FenCudaGemms; /* fen-cuda-gemm.cu: the cuBLASLt handle and the algorithms chosen so far */

struct FenDevice {
  int index;
  FenDeviceOptions options;
  FenDeviceProperties properties;
  cudaStream_t stream; /* what NULL means */
  int shared_optin;    /* bytes of shared memory that a block may ask for */
  bool check_launches; /* wait after each launch (debug builds, or FENESTRA_CUDA_CHECK=1) */
  FenStatus error;     /* the first since the last `check` */
  FenCudaGemms *gemms;
};

/* Keeps `error` in the device (the first one wins); true when there was none. */
bool fen_cuda_keep (FenDevice *device, cudaError_t error, const char *what);
/* The same with words of our own. */
void fen_cuda_refuse (FenDevice *device, const FenStatus *why);

/* fen-cuda-gemm.cu */
FenCudaGemms *fen_cuda_gemms_new (FenDevice *device, FenStatus *status);
void fen_cuda_gemms_free (FenCudaGemms *gemms);

/* fen-cuda-overhead.cu: what working takes beside the arena and the context; the device is current. */
uint64_t fen_cuda_overhead (const FenDeviceProperties *properties);

/* One call of an operation: makes the device current on this thread, checks the parameters, names errors. */
struct FenCudaCall {
  FenDevice *device;
  cudaStream_t stream;
  bool ready;
  FenCudaCall (FenDevice *device, FenStream *stream, FenOp op, const void *params);
  /* After each launch: the name goes into the message. */
  void launched (const char *kernel) const;
};

static inline cudaStream_t
fen_cuda_stream (FenDevice *device, FenStream *stream)
{
  return stream != NULL ? (cudaStream_t)stream : device->stream;
}

/* ---- storage types ---- */

/* body (T ()) with T the C++ type of a storage type that kernels compute on: float, __nv_bfloat16 or __half. */
template <typename Body>
static inline void
fen_cuda_dispatch (FenDType dtype, Body body)
{
  if (dtype == FEN_BF16)
    body (__nv_bfloat16 ());
  else if (dtype == FEN_F16)
    body (__half ());
  else
    body (float ());
}

__device__ __forceinline__ float
fen_load (float x)
{
  return x;
}
__device__ __forceinline__ float
fen_load (__nv_bfloat16 x)
{
  return __bfloat162float (x);
}
__device__ __forceinline__ float
fen_load (__half x)
{
  return __half2float (x);
}
/* Round to nearest even. */
template <typename T> __device__ __forceinline__ T fen_store (float x);
template <>
__device__ __forceinline__ float
fen_store<float> (float x)
{
  return x;
}
template <>
__device__ __forceinline__ __nv_bfloat16
fen_store<__nv_bfloat16> (float x)
{
  return __float2bfloat16_rn (x);
}
template <>
__device__ __forceinline__ __half
fen_store<__half> (float x)
{
  return __float2half_rn (x);
}

/* 16 bytes at once: N = 4 floats or 8 16-bit values. Pointers must be 16-byte aligned. */
template <typename T> struct alignas (16) FenVec
{
  static constexpr int N = 16 / sizeof (T);
  T x[N];
};

/* ---- sums over a warp and a block ---- */

__device__ __forceinline__ float
fen_warp_sum (float x)
{
#pragma unroll
  for (int lane = 16; lane > 0; lane /= 2)
    x += __shfl_xor_sync (0xffffffffu, x, lane);
  return x;
}

__device__ __forceinline__ float
fen_warp_max (float x)
{
#pragma unroll
  for (int lane = 16; lane > 0; lane /= 2)
    x = fmaxf (x, __shfl_xor_sync (0xffffffffu, x, lane));
  return x;
}

#endif /* __CUDACC__ */
