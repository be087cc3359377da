/* fen-cuda-device.cu: devices, memory, streams, events, and what becomes of errors.
 *
 * A stream of the interface is a cudaStream_t, an event a cudaEvent_t: nothing is wrapped. Streams do not wait for the
 * legacy default stream. After a sticky error the context of the process is lost; `lost` then answers every later call
 * in words, because CUDA cannot be used again without a new process.
 */
#include "kernels/cuda/fen-cuda-adamw.h"
#include "kernels/cuda/fen-cuda-private.h"

#include <atomic>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static std::atomic<bool> lost (false);
#define LOST_MESSAGE "the GPU was lost in this process; restart the application to use it again"

void
fen_cuda_status (FenStatus *status, FenStatusCode code, const char *format, ...)
{
  if (status == NULL)
    return;
  va_list arguments;
  va_start (arguments, format);
  status->code = code;
  vsnprintf (status->message, sizeof status->message, format, arguments);
  va_end (arguments);
}

/* ---- errors ---- */

/* After these the context answers every call with the same error. */
static bool
is_sticky (cudaError_t error)
{
  switch (error)
    {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
    case cudaErrorDevicesUnavailable:
    case cudaErrorUnknown:
      return true;
    default:
      return false;
    }
}

bool
fen_cuda_keep (FenDevice *device, cudaError_t error, const char *what)
{
  if (error == cudaSuccess)
    return true;
  const bool sticky = is_sticky (error);
  if (sticky)
    lost = true;
  if (device->error.code == FEN_STATUS_OK)
    fen_cuda_status (&device->error, sticky ? FEN_STATUS_DEVICE_LOST : FEN_STATUS_LAUNCH, "%s on %s: %s%s",
                     what, device->properties.name, cudaGetErrorString (error),
                     sticky ? "; " LOST_MESSAGE : "");
  return false;
}

void
fen_cuda_refuse (FenDevice *device, const FenStatus *why)
{
  if (device->error.code == FEN_STATUS_OK)
    device->error = *why;
}

FenStatusCode
fen_cuda_check (FenDevice *device, FenStatus *status)
{
  fen_cuda_keep (device, cudaGetLastError (), "an earlier launch");
  const FenStatus error = device->error;
  device->error.code = FEN_STATUS_OK;
  device->error.message[0] = '\0';
  if (status != NULL)
    *status = error;
  return error.code;
}

FenCudaCall::FenCudaCall (FenDevice *device, FenStream *stream, FenOp op, const void *params)
    : device (device), stream (fen_cuda_stream (device, stream)), ready (false)
{
  FenStatus why;
  if (!fen_cuda_keep (device, cudaSetDevice (device->index), "choosing the device"))
    return;
  ready = fen_cuda_supports (&device->properties, op, params, &why);
  if (!ready)
    fen_cuda_refuse (device, &why);
}

void
FenCudaCall::launched (const char *kernel) const
{
  cudaError_t error = cudaGetLastError ();
  if (error == cudaSuccess && device->check_launches)
    error = cudaStreamSynchronize (stream);
  fen_cuda_keep (device, error, kernel);
}

/* ---- devices ---- */

static FenStatusCode
code_of (cudaError_t error)
{
  if (error == cudaErrorNoDevice)
    return FEN_STATUS_NO_DEVICE;
  return error == cudaErrorMemoryAllocation ? FEN_STATUS_OUT_OF_MEMORY : FEN_STATUS_NO_DRIVER;
}

int
fen_cuda_device_count (FenStatus *status)
{
  int n = 0, driver = 0, runtime = 0;
  if (lost)
    {
      fen_cuda_status (status, FEN_STATUS_DEVICE_LOST, LOST_MESSAGE);
      return 0;
    }
  cudaRuntimeGetVersion (&runtime);
  const cudaError_t error = cudaGetDeviceCount (&n);
  if (error == cudaErrorInsufficientDriver && cudaDriverGetVersion (&driver) == cudaSuccess)
    {
      if (driver == 0)
        fen_cuda_status (status, FEN_STATUS_NO_DRIVER,
                         "no NVIDIA driver is installed (libcuda.so.1 is missing)");
      else
        fen_cuda_status (status, FEN_STATUS_NO_DRIVER,
                         "the NVIDIA driver is too old: it knows CUDA %d.%d, this program needs %d.%d",
                         driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    }
  else if (error != cudaSuccess)
    fen_cuda_status (status, code_of (error), "CUDA finds no device: %s", cudaGetErrorString (error));
  else if (n == 0)
    fen_cuda_status (status, FEN_STATUS_NO_DEVICE, "this machine has no NVIDIA GPU");
  else
    {
      fen_cuda_status (status, FEN_STATUS_OK, "%s", "");
      return n;
    }
  cudaGetLastError ();
  return 0;
}

bool
fen_cuda_device_properties (int index, const FenDeviceOptions *options, FenDeviceProperties *properties,
                            FenStatus *status)
{
  cudaDeviceProp device;
  size_t free_bytes = 0, total_bytes = 0;
  memset (properties, 0, sizeof *properties);
  const int n = fen_cuda_device_count (status);
  if (n <= 0)
    return false;
  if (index < 0 || index >= n)
    {
      fen_cuda_status (status, FEN_STATUS_NO_DEVICE, "there is no cuda:%d; this machine has %d (0 to %d)",
                       index, n, n - 1);
      return false;
    }
  cudaError_t error = cudaGetDeviceProperties (&device, index);
  if (error == cudaSuccess && device.major < 8)
    {
      fen_cuda_status (status, FEN_STATUS_UNSUPPORTED,
                       "%s has compute capability %d.%d; Fenestra's kernels need 8.0 (Ampere) or newer",
                       device.name, device.major, device.minor);
      return false;
    }
  if (error == cudaSuccess)
    error = cudaSetDevice (index);
  if (error == cudaSuccess)
    error = cudaMemGetInfo (&free_bytes, &total_bytes);
  if (error != cudaSuccess)
    {
      cudaGetLastError ();
      if (is_sticky (error))
        lost = true;
      fen_cuda_status (status, code_of (error), "cuda:%d does not answer: %s", index,
                       cudaGetErrorString (error));
      return false;
    }
  snprintf (properties->name, sizeof properties->name, "%s", device.name);
  snprintf (properties->kind, sizeof properties->kind, "cuda");
  if (cudaDeviceGetPCIBusId (properties->pci_bus_id, sizeof properties->pci_bus_id, index) != cudaSuccess)
    {
      cudaGetLastError ();
      properties->pci_bus_id[0] = '\0';
    }
  properties->index = index;
  properties->total_bytes = total_bytes;
  properties->free_bytes = free_bytes;
  properties->units = device.multiProcessorCount;
  properties->capability = device.major * 10 + device.minor;
  properties->storage[FEN_F32] = properties->storage[FEN_BF16] = properties->storage[FEN_F16] = true;
  properties->storage[FEN_I32] = properties->storage[FEN_U8] = true;
  /* Already in use by now, and counted as overhead by those who ask what is left for an arena. */
  properties->overhead_bytes = fen_cuda_overhead (properties);
  if (cudaMemGetInfo (&free_bytes, &total_bytes) == cudaSuccess)
    properties->free_bytes = free_bytes + properties->overhead_bytes;
  return true;
}

FenDevice *
fen_cuda_open (int index, const FenDeviceOptions *options, FenStatus *status)
{
  FenDeviceProperties properties;
  if (!fen_cuda_device_properties (index, options, &properties, status))
    return NULL;
  FenDevice *device = new FenDevice ();
  device->index = index;
  device->properties = properties;
  if (options != NULL)
    device->options = *options;
  const char *check = getenv ("FENESTRA_CUDA_CHECK");
#ifdef FEN_CUDA_CHECK_LAUNCHES
  device->check_launches = check == NULL || strcmp (check, "0") != 0;
#else
  device->check_launches = check != NULL && strcmp (check, "1") == 0;
#endif
  cudaError_t error
      = cudaDeviceGetAttribute (&device->shared_optin, cudaDevAttrMaxSharedMemoryPerBlockOptin, index);
  if (error == cudaSuccess)
    error = cudaStreamCreateWithFlags (&device->stream, cudaStreamNonBlocking);
  if (error == cudaSuccess)
    error = fen_cuda_adamw_init ();
  if (error != cudaSuccess)
    fen_cuda_status (status, code_of (error), "%s cannot be opened: %s", properties.name,
                     cudaGetErrorString (error));
  else if ((device->gemms = fen_cuda_gemms_new (device, status)) != NULL)
    return device;
  if (device->stream != NULL)
    cudaStreamDestroy (device->stream);
  cudaGetLastError ();
  delete device;
  return NULL;
}

void
fen_cuda_close (FenDevice *device)
{
  if (device == NULL)
    return;
  cudaSetDevice (device->index);
  fen_cuda_gemms_free (device->gemms);
  cudaStreamDestroy (device->stream);
  cudaGetLastError ();
  delete device;
}

/* ---- memory ---- */

void *
fen_cuda_alloc (FenDevice *device, FenMemoryKind kind, uint64_t bytes, FenStatus *status)
{
  void *memory = NULL;
  size_t free_bytes = 0, total_bytes = 0;
  cudaError_t error = cudaSetDevice (device->index);
  if (error == cudaSuccess)
    error = kind == FEN_MEMORY_DEVICE ? cudaMalloc (&memory, bytes > 0 ? bytes : 1)
                                      : cudaMallocHost (&memory, bytes > 0 ? bytes : 1);
  if (error == cudaSuccess)
    return memory;
  cudaGetLastError ();
  cudaMemGetInfo (&free_bytes, &total_bytes);
  cudaGetLastError ();
  if (error != cudaErrorMemoryAllocation)
    fen_cuda_status (status, is_sticky (error) ? FEN_STATUS_DEVICE_LOST : FEN_STATUS_LAUNCH,
                     "%s: memory cannot be had: %s", device->properties.name, cudaGetErrorString (error));
  else if (kind == FEN_MEMORY_DEVICE)
    fen_cuda_status (
        status, FEN_STATUS_OUT_OF_MEMORY,
        "%s has %.1f MiB free of %.1f MiB, %.1f MiB were asked for; another program may have taken it",
        device->properties.name, (double)free_bytes / 1048576, (double)total_bytes / 1048576,
        (double)bytes / 1048576);
  else
    fen_cuda_status (
        status, FEN_STATUS_OUT_OF_MEMORY,
        "%.1f MiB of page-locked host memory could not be had: the machine has too little left, or a "
        "limit on locked memory (ulimit -l) forbids it",
        (double)bytes / 1048576);
  return NULL;
}

void
fen_cuda_free (FenDevice *device, FenMemoryKind kind, void *memory, uint64_t bytes)
{
  if (memory == NULL)
    return;
  fen_cuda_keep (device, cudaSetDevice (device->index), "choosing the device");
  fen_cuda_keep (device, kind == FEN_MEMORY_DEVICE ? cudaFree (memory) : cudaFreeHost (memory),
                 "freeing memory");
}

bool
fen_cuda_memory_info (FenDevice *device, uint64_t *used, uint64_t *total)
{
  size_t free_bytes, total_bytes;
  if (cudaSetDevice (device->index) != cudaSuccess
      || cudaMemGetInfo (&free_bytes, &total_bytes) != cudaSuccess)
    {
      cudaGetLastError ();
      return false;
    }
  *used = total_bytes - free_bytes;
  *total = total_bytes;
  return true;
}

/* ---- streams and events ---- */

FenStream *
fen_cuda_stream_new (FenDevice *device, FenStatus *status)
{
  cudaStream_t stream = NULL;
  cudaError_t error = cudaSetDevice (device->index);
  if (error == cudaSuccess)
    error = cudaStreamCreateWithFlags (&stream, cudaStreamNonBlocking);
  if (error != cudaSuccess)
    fen_cuda_status (status, FEN_STATUS_LAUNCH, "a stream on %s could not be made: %s",
                     device->properties.name, cudaGetErrorString (error));
  return (FenStream *)stream;
}

void
fen_cuda_stream_free (FenDevice *device, FenStream *stream)
{
  if (stream != NULL)
    fen_cuda_keep (device, cudaStreamDestroy ((cudaStream_t)stream), "freeing a stream");
}

FenEvent *
fen_cuda_event_new (FenDevice *device, FenStatus *status)
{
  cudaEvent_t event = NULL;
  cudaError_t error = cudaSetDevice (device->index);
  if (error == cudaSuccess)
    error = cudaEventCreateWithFlags (&event, cudaEventDisableTiming);
  if (error != cudaSuccess)
    fen_cuda_status (status, FEN_STATUS_LAUNCH, "an event on %s could not be made: %s",
                     device->properties.name, cudaGetErrorString (error));
  return (FenEvent *)event;
}

void
fen_cuda_event_free (FenDevice *device, FenEvent *event)
{
  if (event != NULL)
    fen_cuda_keep (device, cudaEventDestroy ((cudaEvent_t)event), "freeing an event");
}

void
fen_cuda_event_record (FenDevice *device, FenStream *stream, FenEvent *event)
{
  fen_cuda_keep (device, cudaEventRecord ((cudaEvent_t)event, fen_cuda_stream (device, stream)),
                 "recording an event");
}

void
fen_cuda_stream_wait (FenDevice *device, FenStream *stream, FenEvent *event)
{
  fen_cuda_keep (device, cudaStreamWaitEvent (fen_cuda_stream (device, stream), (cudaEvent_t)event, 0),
                 "waiting for an event");
}

void
fen_cuda_event_synchronize (FenDevice *device, FenEvent *event)
{
  fen_cuda_keep (device, cudaEventSynchronize ((cudaEvent_t)event), "work on the device");
}

void
fen_cuda_synchronize (FenDevice *device, FenStream *stream)
{
  fen_cuda_keep (device, cudaSetDevice (device->index), "choosing the device");
  fen_cuda_keep (device,
                 stream != NULL ? cudaStreamSynchronize ((cudaStream_t)stream) : cudaDeviceSynchronize (),
                 "work on the device");
}

void
fen_cuda_copy (FenDevice *device, FenStream *stream, void *dst, const void *src, uint64_t bytes)
{
  if (bytes == 0)
    return;
  fen_cuda_keep (device, cudaSetDevice (device->index), "choosing the device");
  fen_cuda_keep (device,
                 cudaMemcpyAsync (dst, src, bytes, cudaMemcpyDefault, fen_cuda_stream (device, stream)),
                 "a copy");
}
