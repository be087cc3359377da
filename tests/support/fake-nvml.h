/* fake-nvml.h: what the made-up driver library (fake-nvml.c) answers, for tests that load it.
 *
 * The library is a module of its own, as the driver's is. A test opens the same file, which gives the same instance, and
 * changes the answers through the symbol `fake_nvml`. Without a test it answers what stands in fake-nvml.c.
 */
#pragma once

#include <pthread.h>

#define FAKE_NVML_BUS_ID "0000:1B:00.0"
#define FAKE_NVML_DRIVER "580.95.05"
#define FAKE_NVML_NONE (~0ull) /* an amount that the driver does not tell */

/* Every call has its code; 0 = it succeeds. */
typedef struct {
  pthread_mutex_t mutex; /* held by the library during a call, by a test while it changes answers */
  int init, find, memory, processes, utilization, temperature, power;
  unsigned long long total, reserved, used;
  unsigned int n_processes;
  unsigned int pids[4];
  unsigned long long process_bytes[4];
  unsigned int percent, degrees, milliwatts;
  int begun;             /* nvmlInit less nvmlShutdown */
  int n_reads;           /* times that utilisation was asked for */
  unsigned int sleep_us; /* before each answer about utilisation: a driver that takes its time */
} FakeNvml;
