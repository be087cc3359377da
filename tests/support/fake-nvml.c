/* fake-nvml.c: a driver library that is none: as much of NVML as the monitor asks for, with answers that tests choose.
 *
 * Written from the documented interface, not from fen-nvml.c, whose declarations it puts to the test. Built several
 * times: FAKE_OLD has the functions of drivers before 510, FAKE_BARE hardly any, FAKE_USELESS not even the first.
 */
#include "tests/support/fake-nvml.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define EXPORT __attribute__ ((visibility ("default")))
#define INVALID_ARGUMENT 2
#define NOT_FOUND 6
#define INSUFFICIENT_SIZE 7

extern FakeNvml fake_nvml;
EXPORT FakeNvml fake_nvml = { .mutex = PTHREAD_MUTEX_INITIALIZER,
                              .total = 24ull << 30,
                              .reserved = 512ull << 20,
                              .used = 9ull << 30,
                              .n_processes = 2,
                              .pids = { 0, 4000000001u },
                              .process_bytes = { 5ull << 30, 3ull << 30 },
                              .percent = 87,
                              .degrees = 61,
                              .milliwatts = 254500 };

static char card; /* the address is the handle */

/* Runs `body` under the mutex unless the call is to fail. */
#define ANSWER(code, body)                                                                                   \
  do                                                                                                         \
    {                                                                                                        \
      pthread_mutex_lock (&fake_nvml.mutex);                                                                 \
      int result_ = device != (void *)&card ? INVALID_ARGUMENT : fake_nvml.code;                             \
      if (result_ == 0)                                                                                      \
        {                                                                                                    \
          body                                                                                               \
        }                                                                                                    \
      pthread_mutex_unlock (&fake_nvml.mutex);                                                               \
      return result_;                                                                                        \
    }                                                                                                        \
  while (0)

#ifndef FAKE_USELESS
EXPORT int
nvmlInit_v2 (void)
{
  pthread_mutex_lock (&fake_nvml.mutex);
  const int code = fake_nvml.init;
  fake_nvml.begun += code == 0;
  pthread_mutex_unlock (&fake_nvml.mutex);
  return code;
}
#endif

EXPORT int
nvmlShutdown (void)
{
  pthread_mutex_lock (&fake_nvml.mutex);
  fake_nvml.begun--;
  pthread_mutex_unlock (&fake_nvml.mutex);
  return 0;
}

EXPORT int
nvmlDeviceGetHandleByPciBusId_v2 (const char *bus_id, void **device)
{
  pthread_mutex_lock (&fake_nvml.mutex);
  const int code = strcasecmp (bus_id, FAKE_NVML_BUS_ID) != 0 ? NOT_FOUND : fake_nvml.find;
  pthread_mutex_unlock (&fake_nvml.mutex);
  if (code == 0)
    *device = &card;
  return code;
}

EXPORT int
nvmlDeviceGetTemperature (void *device, int sensor, unsigned int *degrees)
{
  if (sensor != 0)
    return INVALID_ARGUMENT;
  ANSWER (temperature, *degrees = fake_nvml.degrees;);
}

#ifndef FAKE_BARE

EXPORT const char *
nvmlErrorString (int code)
{
  return code == NOT_FOUND ? "Not Found" : "some error";
}

EXPORT int
nvmlSystemGetDriverVersion (char *version, unsigned int length)
{
  if (length < sizeof FAKE_NVML_DRIVER)
    return INSUFFICIENT_SIZE;
  memcpy (version, FAKE_NVML_DRIVER, sizeof FAKE_NVML_DRIVER);
  return 0;
}

/* nvmlMemory_t: total, free, used, all of 8 bytes; what is reserved counts as used. */
EXPORT int
nvmlDeviceGetMemoryInfo (void *device, uint64_t *memory)
{
  ANSWER (memory, memory[0] = fake_nvml.total;
          memory[1] = fake_nvml.total - fake_nvml.reserved - fake_nvml.used;
          memory[2] = fake_nvml.used + fake_nvml.reserved;);
}

static unsigned int
pid_of (unsigned int i)
{
  return fake_nvml.pids[i] != 0 ? fake_nvml.pids[i] : (unsigned int)getpid ();
}

/* `stride` bytes a process: its PID in the first four, its memory in the second eight. */
static int
list (unsigned int *n, unsigned char *entries, size_t stride)
{
  const unsigned int room = *n;
  *n = fake_nvml.n_processes;
  if (room < fake_nvml.n_processes)
    return INSUFFICIENT_SIZE;
  for (unsigned int i = 0; i < fake_nvml.n_processes; i++)
    {
      const unsigned int pid = pid_of (i);
      memset (entries + i * stride, 0xFF, stride);
      memcpy (entries + i * stride, &pid, 4);
      memcpy (entries + i * stride + 8, &fake_nvml.process_bytes[i], 8);
    }
  return 0;
}

EXPORT int
nvmlDeviceGetComputeRunningProcesses (void *device, unsigned int *n, unsigned char *entries)
{
  ANSWER (processes, result_ = list (n, entries, 16););
}

#ifndef FAKE_OLD

static void
put_memory (unsigned char *target)
{
  const uint64_t free_bytes = fake_nvml.total - fake_nvml.reserved - fake_nvml.used;
  const uint64_t values[4] = { fake_nvml.total, fake_nvml.reserved, free_bytes, fake_nvml.used };
  memcpy (target, values, sizeof values);
}

/* nvmlMemory_v2_t: version, 4 bytes of padding, then total, reserved, free, used. */
EXPORT int
nvmlDeviceGetMemoryInfo_v2 (void *device, unsigned char *memory)
{
  unsigned int version;
  memcpy (&version, memory, 4);
  if (version != 0x02000028)
    return 25; /* NVML_ERROR_ARGUMENT_VERSION_MISMATCH */
  ANSWER (memory, put_memory (memory + 8););
}

EXPORT int
nvmlDeviceGetComputeRunningProcesses_v3 (void *device, unsigned int *n, unsigned char *entries)
{
  ANSWER (processes, result_ = list (n, entries, 24););
}

#endif

EXPORT int
nvmlDeviceGetUtilizationRates (void *device, unsigned int *rates)
{
  pthread_mutex_lock (&fake_nvml.mutex);
  const unsigned int sleep_us = fake_nvml.sleep_us;
  fake_nvml.n_reads++;
  pthread_mutex_unlock (&fake_nvml.mutex);
  if (sleep_us > 0)
    usleep (sleep_us);
  ANSWER (utilization, rates[0] = fake_nvml.percent; rates[1] = 1;);
}

EXPORT int
nvmlDeviceGetPowerUsage (void *device, unsigned int *milliwatts)
{
  ANSWER (power, *milliwatts = fake_nvml.milliwatts;);
}

#endif
