/* fen-nvml.c: the driver's management library, opened at run time (see fen-nvml-private.h).
 *
 * Layouts and codes are those of the NVML API reference (docs.nvidia.com/deploy/nvml-api). Versioned structures carry
 * their size and version in their first word: size | version << 24.
 *
 * Whose memory it is: NVML lists the processes with a context on the card by PID of the namespace that the driver
 * knows. Inside of a container that may be another one than getpid () tells, and some drivers name the thread that made
 * the context, or 0 bytes. So a process is ours when it is one of our threads, or when it is the only one, since we
 * have a context there; an amount that cannot be right counts as not told.
 */
#include "core/monitor/fen-nvml-private.h"

#include <dlfcn.h>
#include <math.h>
#include <string.h>

typedef int NvmlReturn; /* nvmlReturn_t */
enum {
  NVML_SUCCESS = 0,
  NVML_INSUFFICIENT_SIZE = 7,
  NVML_GPU_IS_LOST = 15,
  NVML_RESET_REQUIRED = 16,
};

typedef struct _NvmlDevice *NvmlDevice; /* nvmlDevice_t: opaque */

typedef struct { /* nvmlMemory_t: `used` has what the driver reserves in it */
  unsigned long long total, free, used;
} NvmlMemory;

typedef struct { /* nvmlMemory_v2_t, driver 510 and newer: total = reserved + free + used */
  unsigned int version;
  unsigned long long total, reserved, free, used;
} NvmlMemory2;

typedef struct { /* nvmlUtilization_t, percent */
  unsigned int gpu, memory;
} NvmlUtilization;

typedef struct { /* nvmlTemperature_v1_t, degrees */
  unsigned int version;
  int sensor;
  int temperature;
} NvmlTemperature;

typedef struct { /* nvmlProcessInfo_v1_t */
  unsigned int pid;
  unsigned long long used;
} NvmlProcess1;

typedef struct { /* nvmlProcessInfo_v2_t, also of the third version of the call */
  unsigned int pid;
  unsigned long long used;
  unsigned int gpu_instance, compute_instance;
} NvmlProcess2;

G_STATIC_ASSERT (sizeof (NvmlMemory) == 24 && sizeof (NvmlMemory2) == 40);
G_STATIC_ASSERT (sizeof (NvmlProcess1) == 16 && sizeof (NvmlProcess2) == 24);
#define STRUCT_VERSION(type, number) ((unsigned int)(sizeof (type) | (number) << 24))

#define MAX_PROCESSES 256
#define TEMPERATURE_GPU 0 /* the sensor on the chip */

struct _FenNvml {
  void *module;
  NvmlDevice device;
  gboolean begun; /* nvmlInit succeeded */

  NvmlReturn (*init) (void);
  NvmlReturn (*shutdown) (void);
  const char *(*error_string) (NvmlReturn);
  NvmlReturn (*driver_version) (char *, unsigned int);
  NvmlReturn (*by_bus_id) (const char *, NvmlDevice *);
  NvmlReturn (*memory) (NvmlDevice, NvmlMemory *);
  NvmlReturn (*memory2) (NvmlDevice, NvmlMemory2 *);
  NvmlReturn (*processes1) (NvmlDevice, unsigned int *, NvmlProcess1 *);
  NvmlReturn (*processes2) (NvmlDevice, unsigned int *, NvmlProcess2 *);
  NvmlReturn (*utilization) (NvmlDevice, NvmlUtilization *);
  NvmlReturn (*temperature) (NvmlDevice, int, unsigned int *);
  NvmlReturn (*temperature_v) (NvmlDevice, NvmlTemperature *);
  NvmlReturn (*power) (NvmlDevice, unsigned int *);
};

/* A function by its names, newest first. Those that are not required leave their value unknown when they lack. */
static const struct {
  gsize offset;
  gboolean required;
  const char *names[3];
} functions[] = {
#define AT(field) G_STRUCT_OFFSET (struct _FenNvml, field)
  { AT (init), TRUE, { "nvmlInit_v2", "nvmlInit" } },
  { AT (shutdown), TRUE, { "nvmlShutdown" } },
  { AT (by_bus_id), TRUE, { "nvmlDeviceGetHandleByPciBusId_v2", "nvmlDeviceGetHandleByPciBusId" } },
  { AT (error_string), FALSE, { "nvmlErrorString" } },
  { AT (driver_version), FALSE, { "nvmlSystemGetDriverVersion" } },
  { AT (memory), FALSE, { "nvmlDeviceGetMemoryInfo" } },
  { AT (memory2), FALSE, { "nvmlDeviceGetMemoryInfo_v2" } },
  { AT (processes1), FALSE, { "nvmlDeviceGetComputeRunningProcesses" } },
  { AT (processes2),
    FALSE,
    { "nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2" } },
  { AT (utilization), FALSE, { "nvmlDeviceGetUtilizationRates" } },
  { AT (temperature), FALSE, { "nvmlDeviceGetTemperature" } },
  { AT (temperature_v), FALSE, { "nvmlDeviceGetTemperatureV" } },
  { AT (power), FALSE, { "nvmlDeviceGetPowerUsage" } },
#undef AT
};

/* ---- opening ---- */

static gboolean
load (FenNvml *nvml, const char *library, char reason[FEN_GPU_REASON_BYTES])
{
  /* Not unloaded again: a library with threads or handlers of its own may not survive that. */
  nvml->module = dlopen (library, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (nvml->module == NULL)
    {
      const char *why = dlerror ();
      g_snprintf (reason, FEN_GPU_REASON_BYTES, "the driver's monitoring library cannot be loaded: %s",
                  why != NULL ? why : library);
      return FALSE;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (functions); i++)
    {
      void *symbol = NULL;
      for (gsize j = 0; symbol == NULL && j < 3 && functions[i].names[j] != NULL; j++)
        symbol = dlsym (nvml->module, functions[i].names[j]);
      if (symbol == NULL && functions[i].required)
        {
          g_snprintf (reason, FEN_GPU_REASON_BYTES, "%s lacks %s", library, functions[i].names[0]);
          return FALSE;
        }
      /* ISO C has no cast from an object pointer to a function pointer. */
      memcpy ((char *)nvml + functions[i].offset, &symbol, sizeof symbol);
    }
  return TRUE;
}

static gboolean
answered (FenNvml *nvml, NvmlReturn code, const char *what, char reason[FEN_GPU_REASON_BYTES])
{
  if (code == NVML_SUCCESS)
    return TRUE;
  const char *words = nvml->error_string != NULL ? nvml->error_string (code) : NULL;
  g_snprintf (reason, FEN_GPU_REASON_BYTES, "%s: %s (NVML error %d)", what,
              words != NULL ? words : "no reason given", code);
  return FALSE;
}

FenNvml *
fen_nvml_open (const char *library, const char *pci_bus_id, char reason[FEN_GPU_REASON_BYTES])
{
  FenNvml *nvml = g_new0 (FenNvml, 1);
  const char *named = g_getenv ("FENESTRA_NVML");
  if (library == NULL)
    library = named != NULL && *named != '\0' ? named : "libnvidia-ml.so.1";
  if (load (nvml, library, reason))
    {
      nvml->begun = answered (nvml, nvml->init (), "the driver cannot be monitored", reason);
      if (nvml->begun
          && (pci_bus_id == NULL
              || answered (nvml, nvml->by_bus_id (pci_bus_id, &nvml->device), pci_bus_id, reason)))
        return nvml;
    }
  fen_nvml_close (nvml);
  return NULL;
}

void
fen_nvml_close (FenNvml *nvml)
{
  if (nvml->begun)
    nvml->shutdown ();
  if (nvml->module != NULL)
    dlclose (nvml->module);
  g_free (nvml);
}

gboolean
fen_nvml_driver (FenNvml *nvml, char version[FEN_GPU_DRIVER_BYTES])
{
  version[0] = '\0';
  if (nvml->driver_version == NULL || nvml->driver_version (version, FEN_GPU_DRIVER_BYTES) != NVML_SUCCESS)
    version[0] = '\0';
  version[FEN_GPU_DRIVER_BYTES - 1] = '\0';
  return version[0] != '\0' && g_utf8_validate (version, -1, NULL);
}

/* ---- values ---- */

/* TRUE for an answer; remembers when the card is gone. */
static gboolean
got (NvmlReturn code, FenGpuSample *sample)
{
  sample->lost = sample->lost || code == NVML_GPU_IS_LOST || code == NVML_RESET_REQUIRED;
  return code == NVML_SUCCESS;
}

static void
read_memory (FenNvml *nvml, FenGpuSample *sample)
{
  NvmlMemory2 memory = { .version = STRUCT_VERSION (NvmlMemory2, 2) };
  NvmlMemory old = { 0 };
  if (nvml->memory2 != NULL && got (nvml->memory2 (nvml->device, &memory), sample)
      && memory.reserved <= memory.total)
    {
      sample->total_bytes = memory.total - memory.reserved;
      sample->used_bytes = memory.used;
    }
  else if (nvml->memory != NULL && got (nvml->memory (nvml->device, &old), sample))
    {
      sample->total_bytes = old.total;
      sample->used_bytes = old.used;
    }
  sample->has_memory = sample->total_bytes > 0 && sample->used_bytes <= sample->total_bytes;
  if (!sample->has_memory)
    sample->total_bytes = sample->used_bytes = 0;
}

/* The list as the newest version has it; at most MAX_PROCESSES. -1: not told. */
static int
list_processes (FenNvml *nvml, NvmlProcess2 *list, FenGpuSample *sample)
{
  unsigned int n = MAX_PROCESSES;
  NvmlProcess1 old[MAX_PROCESSES];
  if (nvml->processes2 != NULL)
    return got (nvml->processes2 (nvml->device, &n, list), sample) ? (int)MIN (n, MAX_PROCESSES) : -1;
  if (nvml->processes1 == NULL || !got (nvml->processes1 (nvml->device, &n, old), sample))
    return -1;
  n = MIN (n, MAX_PROCESSES);
  for (unsigned int i = 0; i < n; i++)
    list[i] = (NvmlProcess2){ .pid = old[i].pid, .used = old[i].used };
  return (int)n;
}

static gboolean
is_our_thread (unsigned int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/task/%u", pid);
  return g_file_test (path, G_FILE_TEST_IS_DIR);
}

static void
read_process (FenNvml *nvml, FenGpuSample *sample)
{
  NvmlProcess2 list[MAX_PROCESSES];
  const int n = list_processes (nvml, list, sample);
  guint64 bytes = 0;
  for (int i = 0; i < n; i++)
    if (n == 1 || is_our_thread (list[i].pid))
      bytes = MAX (bytes, list[i].used);
  /* ULLONG_MAX is "not available"; no context takes 0 bytes. */
  sample->has_process = bytes > 0 && sample->has_memory && bytes <= sample->total_bytes;
  sample->process_bytes = sample->has_process ? bytes : 0;
}

static void
read_numbers (FenNvml *nvml, FenGpuSample *sample)
{
  NvmlUtilization utilization = { 0 };
  NvmlTemperature measured = { .version = STRUCT_VERSION (NvmlTemperature, 1), .sensor = TEMPERATURE_GPU };
  unsigned int degrees = 0, milliwatts = 0;
  if (nvml->utilization != NULL && got (nvml->utilization (nvml->device, &utilization), sample)
      && utilization.gpu <= 100)
    sample->utilization = utilization.gpu / 100.0;
  if (nvml->temperature != NULL && got (nvml->temperature (nvml->device, TEMPERATURE_GPU, &degrees), sample))
    sample->temperature = degrees;
  else if (nvml->temperature_v != NULL && got (nvml->temperature_v (nvml->device, &measured), sample))
    sample->temperature = measured.temperature;
  if (nvml->power != NULL && got (nvml->power (nvml->device, &milliwatts), sample))
    sample->power = milliwatts / 1000.0;
}

void
fen_nvml_read (FenNvml *nvml, FenGpuSample *sample)
{
  *sample = (FenGpuSample){ .utilization = NAN, .temperature = NAN, .power = NAN };
  read_memory (nvml, sample);
  read_process (nvml, sample);
  read_numbers (nvml, sample);
}
