/* fen-gpu-monitor.h: what an NVIDIA card does while a run goes on: memory, utilisation, temperature, power.
 *
 * Source: NVML, the library of the driver. A card, a driver or a container may withhold any of it, so every value has
 * its own validity: unknown numbers are NAN, unknown sizes have their has_ flag FALSE.
 *
 * The library is asked on a thread of the monitor's own, twice a second, because its calls take milliseconds and hang
 * for seconds when a card is lost: whoever looks takes the last answer and never waits.
 *
 * Threads: a monitor may be looked at from any thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define FEN_GPU_REASON_BYTES 256
#define FEN_GPU_DRIVER_BYTES 80

typedef struct {
  gboolean has_memory;
  guint64 used_bytes;  /* by everybody, without what the driver reserves */
  guint64 total_bytes; /* that programs can have */
  gboolean has_process;
  guint64 process_bytes; /* by this process: its context, its arena, its libraries */
  double utilization;    /* share of the last sample period with a kernel running, 0 to 1 */
  double temperature;    /* degrees Celsius */
  double power;          /* watts */
  gboolean lost;         /* the card fell off the bus or must be reset */
} FenGpuSample;

typedef struct _FenGpuMonitor FenGpuMonitor;

/* For the card at `pci_bus_id` (FenDeviceProperties.pci_bus_id), on which this process has a context. Indexes of CUDA
 * and NVML differ under CUDA_VISIBLE_DEVICES, bus addresses do not. `library` is for tests; NULL = the driver's. Never
 * fails: a monitor that cannot see its card knows nothing and says why. */
FenGpuMonitor *fen_gpu_monitor_new (const char *library, const char *pci_bus_id);
/* Does not wait for a call that hangs. */
void fen_gpu_monitor_free (FenGpuMonitor *monitor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenGpuMonitor, fen_gpu_monitor_free)

/* The last answer, at most a few seconds old. FALSE, everything unknown and a line in `reason` (may be NULL) when there
 * is none: not yet, no longer, or never. */
gboolean fen_gpu_monitor_look (FenGpuMonitor *monitor, FenGpuSample *sample,
                               char reason[FEN_GPU_REASON_BYTES]);

/* One look that waits for the library: for `fenestra-cli info`. FALSE with a line in `reason`. */
gboolean fen_gpu_look_once (const char *library, const char *pci_bus_id, FenGpuSample *sample,
                            char reason[FEN_GPU_REASON_BYTES]);
/* The driver's version, "580.95.05". Waits for the library. */
gboolean fen_gpu_driver_version (const char *library, char version[FEN_GPU_DRIVER_BYTES]);

G_END_DECLS
