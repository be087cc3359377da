/* fen-nvml-private.h: the NVIDIA Management Library as this room uses it: opened at run time, declared here.
 *
 * NVML is the driver's own library (libnvidia-ml.so.1). Nothing of it is needed to build Fenestra: the few functions
 * are looked up by name, and the structures they fill are declared in fen-nvml.c with the layout that the NVML API
 * reference documents. A driver that lacks a function lacks the value, not the rest.
 *
 * Threads: an FenNvml is used by one thread at a time. Calls may take milliseconds, or seconds with a card that hangs.
 */
#pragma once

#include "core/monitor/fen-gpu-monitor.h"

G_BEGIN_DECLS

typedef struct _FenNvml FenNvml;

/* Loads the library (NULL: what FENESTRA_NVML names, else libnvidia-ml.so.1) and finds the card at `pci_bus_id` (NULL:
 * none, for questions about the driver). NULL with a line in words in `reason`. */
FenNvml *fen_nvml_open (const char *library, const char *pci_bus_id, char reason[FEN_GPU_REASON_BYTES]);
void fen_nvml_close (FenNvml *nvml);

/* Every value that the card tells now. */
void fen_nvml_read (FenNvml *nvml, FenGpuSample *sample);
gboolean fen_nvml_driver (FenNvml *nvml, char version[FEN_GPU_DRIVER_BYTES]);

G_END_DECLS
