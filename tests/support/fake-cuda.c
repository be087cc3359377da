/* fake-cuda.c: the CPU back end in a card's clothes (see fake-cuda.h). */
#include "tests/support/fake-cuda.h"

#include "kernels/fen-backend.h"
#include "tests/support/fake-nvml.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__ ((visibility ("default")))

extern FakeCuda fake_cuda;
EXPORT FakeCuda fake_cuda = { .name = "NVIDIA GeForce RTX 3090",
                              .units = 82,
                              .n_devices = 1,
                              .total_bytes = (24ull << 30) - (512ull << 20) };

#define MEASURED 4096 /* edge of the matrices of fen_peak_measure: far too large for a processor */

static int
device_count (FenStatus *status)
{
  status->code = FEN_STATUS_OK;
  return fake_cuda.n_devices;
}

static bool
device_properties (int index, const FenDeviceOptions *options, FenDeviceProperties *properties,
                   FenStatus *status)
{
  if (!fen_backend_cpu ()->device_properties (0, options, properties, status))
    return false;
  snprintf (properties->name, sizeof properties->name, "%s", fake_cuda.name);
  snprintf (properties->kind, sizeof properties->kind, "cuda");
  snprintf (properties->pci_bus_id, sizeof properties->pci_bus_id, "%s", FAKE_NVML_BUS_ID);
  properties->index = index;
  properties->total_bytes = fake_cuda.total_bytes;
  properties->free_bytes = fake_cuda.total_bytes / 2;
  properties->overhead_bytes = fake_cuda.overhead_bytes;
  properties->units = fake_cuda.units;
  properties->capability = 86;
  properties->host_memory = false;
  return true;
}

static bool
memory_info (FenDevice *device, uint64_t *used, uint64_t *total)
{
  *used = 1ull << 30;
  *total = fake_cuda.total_bytes;
  return true;
}

static FenDevice *
device_open (int index, const FenDeviceOptions *options, FenStatus *status)
{
  return fen_backend_cpu ()->open (0, options, status);
}

static FenStatusCode
check (FenDevice *device, FenStatus *status)
{
  if (!__atomic_load_n (&fake_cuda.lost, __ATOMIC_SEQ_CST))
    return fen_backend_cpu ()->check (device, status);
  status->code = FEN_STATUS_DEVICE_LOST;
  snprintf (status->message, sizeof status->message,
            "attention on %s: an illegal memory access was encountered; the GPU was lost in this process; "
            "restart the application to use it again",
            fake_cuda.name);
  return status->code;
}

static void
gemm (FenDevice *device, FenStream *stream, const FenGemm *p)
{
  if (p->m != MEASURED || p->n != MEASURED || p->k != MEASURED)
    {
      fen_backend_cpu ()->gemm (device, stream, p);
      return;
    }
  fake_cuda.n_measured++;
  usleep (500);
}

/* ---- questions: answered for the processor that computes ---- */

static FenDeviceProperties
processor (void)
{
  FenDeviceProperties properties;
  FenStatus status;
  fen_backend_cpu ()->device_properties (0, NULL, &properties, &status);
  return properties;
}

static bool
supports (const FenDeviceProperties *properties, FenOp op, const void *params, FenStatus *why)
{
  const FenDeviceProperties cpu = processor ();
  return fen_backend_cpu ()->supports (&cpu, op, params, why);
}

static uint64_t
workspace_bytes (const FenDeviceProperties *properties, FenOp op, const void *params)
{
  const FenDeviceProperties cpu = processor ();
  return fen_backend_cpu ()->workspace_bytes (&cpu, op, params);
}

static void
describe (const FenDeviceProperties *properties, FenOp op, const void *params, char *text, size_t size)
{
  const bool attention = op == FEN_OP_ATTENTION_FORWARD || op == FEN_OP_ATTENTION_BACKWARD;
  snprintf (text, size, "%s", attention ? "cuda flash sm_80 128x64" : "cuda");
}

const FenBackend *fen_backend_module (void);

EXPORT const FenBackend *
fen_backend_module (void)
{
  static FenBackend backend;
  backend = *fen_backend_cpu ();
  backend.name = "cuda";
  backend.device_count = device_count;
  backend.device_properties = device_properties;
  backend.open = device_open;
  backend.check = check;
  backend.memory_info = memory_info;
  backend.gemm = gemm;
  backend.supports = supports;
  backend.workspace_bytes = workspace_bytes;
  backend.describe = describe;
  return &backend;
}
