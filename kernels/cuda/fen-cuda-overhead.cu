/* fen-cuda-overhead.cu: device memory that working takes beside the arena, measured once a process and card.
 *
 * A plan promises what a run will take, so it must know what the plan does not own. The driver's context exists by the
 * time that free memory can be asked for, and is in use then; what comes later is cuBLASLt's handle and the code of the
 * kernels that the driver loads at their first launch. So: one product in each type, the largest in use of a small step,
 * and the difference in free memory before and after. Another process that takes or gives memory in these milliseconds
 * disturbs the figure, hence the limit.
 */
#include "kernels/cuda/fen-cuda-private.h"

#include <mutex>

#define MAX_DEVICES 64
#define SIDE 512
#define LIMIT ((uint64_t)512 << 20)

static uint64_t
free_bytes (void)
{
  size_t free_now = 0, total = 0;
  return cudaMemGetInfo (&free_now, &total) == cudaSuccess ? free_now : 0;
}

/* A (SIDE, SIDE) twice and C, in every pair of types that a step has. */
static void
multiply (FenDevice *device, char *memory)
{
  static const FenDType types[][2]
      = { { FEN_F32, FEN_F32 }, { FEN_BF16, FEN_BF16 }, { FEN_BF16, FEN_F32 }, { FEN_F16, FEN_F16 } };
  const int64_t bytes = (int64_t)SIDE * SIDE * 4;
  for (const FenDType *type : types)
    for (int trans = 0; trans < 3; trans++)
      {
        FenGemm p = {};
        p.m = p.n = p.k = p.lda = p.ldb = p.ldc = SIDE;
        p.trans_a = trans == 1;
        p.trans_b = trans == 2;
        p.ab_dtype = type[0];
        p.c_dtype = type[1];
        p.a = memory;
        p.b = memory + bytes;
        p.c = memory + 2 * bytes;
        p.alpha = 1;
        p.bias = trans == 0 && type[0] == type[1] ? memory : NULL;
        p.workspace = memory + 3 * bytes;
        fen_cuda_gemm (device, NULL, &p);
      }
}

/* 0 = it cannot be known. The device is current. */
static uint64_t
measure (const FenDeviceProperties *properties)
{
  const FenGemm none = {};
  const uint64_t workspace = fen_cuda_gemm_workspace (properties, &none);
  const uint64_t before = free_bytes ();
  uint64_t after = before;
  char *memory = NULL;
  FenDevice device = {};
  FenStatus status;
  device.index = properties->index;
  device.properties = *properties;
  if (cudaStreamCreateWithFlags (&device.stream, cudaStreamNonBlocking) == cudaSuccess)
    {
      device.gemms = fen_cuda_gemms_new (&device, &status);
      if (device.gemms != NULL
          && cudaMalloc (&memory, (size_t)3 * SIDE * SIDE * 4 + workspace) == cudaSuccess)
        {
          cudaMemsetAsync (memory, 0, (size_t)3 * SIDE * SIDE * 4, device.stream);
          multiply (&device, memory);
          cudaStreamSynchronize (device.stream);
          cudaFree (memory);
          after = free_bytes ();
        }
      fen_cuda_gemms_free (device.gemms);
      cudaStreamDestroy (device.stream);
    }
  /* What failed here is told by the one who opens the device, for whom it fails as well. */
  cudaGetLastError ();
  return after < before && before - after <= LIMIT ? before - after : 0;
}

uint64_t
fen_cuda_overhead (const FenDeviceProperties *properties)
{
  static std::mutex mutex;
  static uint64_t measured[MAX_DEVICES];
  static bool known[MAX_DEVICES];
  if (properties->index >= MAX_DEVICES)
    return 0;
  const std::lock_guard<std::mutex> lock (mutex);
  if (!known[properties->index])
    measured[properties->index] = measure (properties);
  known[properties->index] = true;
  return measured[properties->index];
}
