/* fake-cuda.h: a CUDA back end that is none: the CPU's operations under a card's name (fake-cuda.c).
 *
 * With FENESTRA_MODULE_DIR at the folder of the tests' support library, program and window take it for the module of
 * the CUDA back end: device memory that the host may not read directly, a bus address for the driver's monitor
 * (fake-nvml.h has the same one), a card to look up. So everything around a card is tested where there is none. The
 * arithmetic is the CPU's. A test that opens the same file changes what it says through the symbol `fake_cuda`.
 */
#pragma once

#include <stdint.h>

typedef struct {
  char name[128];
  int units;
  uint64_t total_bytes;
  uint64_t overhead_bytes;
  int n_devices;
  int lost;       /* the next check finds that the device is lost; read and written atomically */
  int n_measured; /* the products of fen_peak_measure that came in; they are not computed */
} FakeCuda;
