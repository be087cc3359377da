/* fen-cpu-system.c: what this machine offers a CPU device: threads, memory, instruction sets, and words for errors.
 *
 * Containers: the processor and memory limits of a control group (version 2 and 1) bound what the process may use,
 * however much the machine has. A group's limit holds for everything below it, so every ancestor is asked.
 */
#include "kernels/cpu/fen-cpu-system.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

void
fen_cpu_status (FenStatus *status, FenStatusCode code, const char *format, ...)
{
  va_list arguments;
  if (status == NULL)
    return;
  status->code = code;
  va_start (arguments, format);
  vsnprintf (status->message, sizeof status->message, format, arguments);
  va_end (arguments);
}

void
fen_cpu_fail (FenDevice *device, FenStatusCode code, const char *format, ...)
{
  va_list arguments;
  if (device->error.code != FEN_STATUS_OK)
    return;
  device->error.code = code;
  va_start (arguments, format);
  vsnprintf (device->error.message, sizeof device->error.message, format, arguments);
  va_end (arguments);
}

/* ---- small files of the kernel ---- */

/* The file's text, cut at `size`; false when it cannot be read. */
static bool
read_text (const char *path, char *text, size_t size)
{
  FILE *file = fopen (path, "re");
  if (file == NULL)
    return false;
  const size_t n = fread (text, 1, size - 1, file);
  fclose (file);
  text[n] = '\0';
  return n > 0;
}

static bool
read_number (const char *path, int64_t *number)
{
  char text[64];
  char *end;
  if (!read_text (path, text, sizeof text))
    return false;
  errno = 0;
  *number = strtoll (text, &end, 10);
  return end != text && errno == 0; /* "max" is no number */
}

/* The process's group under `controller` ("" for version 2), "/..." ; false when there is none. */
static bool
group_path (const char *controller, char *path, size_t size)
{
  char line[1024];
  bool found = false;
  FILE *file = fopen ("/proc/self/cgroup", "re");
  if (file == NULL)
    return false;
  while (!found && fgets (line, sizeof line, file) != NULL)
    {
      char *names = strchr (line, ':');
      char *group = names != NULL ? strchr (names + 1, ':') : NULL;
      if (group == NULL)
        continue;
      *group++ = '\0';
      names++;
      group[strcspn (group, "\n")] = '\0';
      for (char *save, *name = strtok_r (names, ",", &save); name != NULL; name = strtok_r (NULL, ",", &save))
        found = found || strcmp (name, controller) == 0;
      found = found || (*controller == '\0' && *names == '\0');
      if (found && (size_t)snprintf (path, size, "%s", group) >= size)
        found = false;
    }
  fclose (file);
  return found;
}

typedef int64_t (*GroupLimit) (const char *folder);

/* The smallest limit from the process's group up to the root; INT64_MAX when nothing limits. */
static int64_t
smallest_limit (const char *controller, const char *root, GroupLimit limit)
{
  char group[512], folder[640];
  int64_t smallest = INT64_MAX;
  if (!group_path (controller, group, sizeof group))
    snprintf (group, sizeof group, "/");
  for (;;)
    {
      snprintf (folder, sizeof folder, "%s%s", root, strcmp (group, "/") == 0 ? "" : group);
      smallest = fen_cpu_min (smallest, limit (folder));
      char *slash = strrchr (group, '/');
      if (slash == NULL || strcmp (group, "/") == 0)
        return smallest;
      slash[slash == group] = '\0'; /* "/a" becomes "/", "/a/b" becomes "/a" */
    }
}

/* ---- threads ---- */

/* Threads' worth of time a period, rounded up: 1.5 processors keep two threads busy most of the time. */
static int64_t
cpu_limit_v2 (const char *folder)
{
  char path[704], text[128];
  int64_t quota, period;
  snprintf (path, sizeof path, "%s/cpu.max", folder);
  if (!read_text (path, text, sizeof text) || sscanf (text, "%" SCNd64 " %" SCNd64, &quota, &period) != 2
      || quota <= 0 || period <= 0)
    return INT64_MAX;
  return fen_cpu_ceil_div (quota, period);
}

static int64_t
cpu_limit_v1 (const char *folder)
{
  char path[704];
  int64_t quota, period;
  snprintf (path, sizeof path, "%s/cpu.cfs_quota_us", folder);
  if (!read_number (path, &quota) || quota <= 0)
    return INT64_MAX;
  snprintf (path, sizeof path, "%s/cpu.cfs_period_us", folder);
  if (!read_number (path, &period) || period <= 0)
    return INT64_MAX;
  return fen_cpu_ceil_div (quota, period);
}

int
fen_cpu_threads_available (void)
{
  cpu_set_t set;
  int64_t threads = sched_getaffinity (0, sizeof set, &set) == 0 ? CPU_COUNT (&set) : 0;
  if (threads <= 0) /* more processors than a cpu_set_t holds */
    threads = sysconf (_SC_NPROCESSORS_ONLN);
  threads = fen_cpu_min (threads, smallest_limit ("", "/sys/fs/cgroup", cpu_limit_v2));
  threads = fen_cpu_min (threads, smallest_limit ("cpu", "/sys/fs/cgroup/cpu", cpu_limit_v1));
  return (int)fen_cpu_max (1, fen_cpu_min (threads, FEN_CPU_MAX_THREADS));
}

/* ---- memory ---- */

/* A line "Name:   123 kB" of /proc/meminfo or /proc/self/status, in bytes; 0 when missing. */
static uint64_t
proc_kilobytes (const char *path, const char *name)
{
  char line[256];
  uint64_t kilobytes = 0;
  FILE *file = fopen (path, "re");
  if (file == NULL)
    return 0;
  while (fgets (line, sizeof line, file) != NULL)
    if (strncmp (line, name, strlen (name)) == 0 && line[strlen (name)] == ':')
      {
        kilobytes = strtoull (line + strlen (name) + 1, NULL, 10);
        break;
      }
  fclose (file);
  return kilobytes * 1024;
}

static int64_t
memory_limit_v2 (const char *folder)
{
  char path[704];
  int64_t limit;
  snprintf (path, sizeof path, "%s/memory.max", folder);
  return read_number (path, &limit) ? limit : INT64_MAX;
}

static int64_t
memory_limit_v1 (const char *folder)
{
  char path[704];
  int64_t limit;
  snprintf (path, sizeof path, "%s/memory.limit_in_bytes", folder);
  return read_number (path, &limit) ? limit : INT64_MAX;
}

/* A field of a group's memory.stat; 0 when missing. */
static int64_t
memory_stat (const char *folder, const char *name)
{
  char path[704], line[128];
  int64_t bytes = 0;
  snprintf (path, sizeof path, "%s/memory.stat", folder);
  FILE *file = fopen (path, "re");
  if (file == NULL)
    return 0;
  while (fgets (line, sizeof line, file) != NULL)
    if (strncmp (line, name, strlen (name)) == 0 && line[strlen (name)] == ' ')
      {
        bytes = strtoll (line + strlen (name) + 1, NULL, 10);
        break;
      }
  fclose (file);
  return bytes;
}

/* What a group may still take: its limit less what it uses, page cache that can go counted as free. */
static int64_t
group_room (const char *folder, int64_t limit, const char *usage_file)
{
  char path[704];
  int64_t usage;
  if (limit == INT64_MAX)
    return INT64_MAX;
  snprintf (path, sizeof path, "%s/%s", folder, usage_file);
  if (!read_number (path, &usage))
    return INT64_MAX;
  return fen_cpu_max (0, limit - usage + memory_stat (folder, "inactive_file"));
}

static int64_t
memory_room_v2 (const char *folder)
{
  return group_room (folder, memory_limit_v2 (folder), "memory.current");
}

static int64_t
memory_room_v1 (const char *folder)
{
  return group_room (folder, memory_limit_v1 (folder), "memory.usage_in_bytes");
}

/* What a limit of the process (address space, data) leaves; INT64_MAX when unlimited. */
static int64_t
process_room (int resource, const char *used_name)
{
  struct rlimit limit;
  if (getrlimit (resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return INT64_MAX;
  const uint64_t used = proc_kilobytes ("/proc/self/status", used_name);
  return limit.rlim_cur > used ? (int64_t)fen_cpu_min ((int64_t)(limit.rlim_cur - used), INT64_MAX) : 0;
}

uint64_t
fen_cpu_memory_total (void)
{
  int64_t total = (int64_t)proc_kilobytes ("/proc/meminfo", "MemTotal");
  if (total == 0)
    total = (int64_t)sysconf (_SC_PHYS_PAGES) * sysconf (_SC_PAGESIZE);
  total = fen_cpu_min (total, smallest_limit ("", "/sys/fs/cgroup", memory_limit_v2));
  return (uint64_t)fen_cpu_min (total, smallest_limit ("memory", "/sys/fs/cgroup/memory", memory_limit_v1));
}

uint64_t
fen_cpu_memory_free (void)
{
  int64_t room = (int64_t)proc_kilobytes ("/proc/meminfo", "MemAvailable");
  if (room == 0)
    room = (int64_t)sysconf (_SC_AVPHYS_PAGES) * sysconf (_SC_PAGESIZE);
  room = fen_cpu_min (room, smallest_limit ("", "/sys/fs/cgroup", memory_room_v2));
  room = fen_cpu_min (room, smallest_limit ("memory", "/sys/fs/cgroup/memory", memory_room_v1));
  room = fen_cpu_min (room, process_room (RLIMIT_AS, "VmSize"));
  return (uint64_t)fen_cpu_min (room, process_room (RLIMIT_DATA, "VmData"));
}

/* ---- name ---- */

void
fen_cpu_name (int threads, char *name, size_t size)
{
  char line[256], model[96] = "CPU";
  FILE *file = fopen ("/proc/cpuinfo", "re");
  while (file != NULL && fgets (line, sizeof line, file) != NULL)
    {
      char *colon = strchr (line, ':');
      if (colon == NULL || strncmp (line, "model name", 10) != 0)
        continue;
      colon[1 + strcspn (colon + 1, "\n")] = '\0';
      snprintf (model, sizeof model, "%.90s", colon + 1 + strspn (colon + 1, " "));
      break;
    }
  if (file != NULL)
    fclose (file);
  snprintf (name, size, "%s (%d thread%s)", model, threads, threads == 1 ? "" : "s");
}

/* ---- instruction sets ---- */

const FenCpuKernels *
fen_cpu_isa_kernels (FenCpuIsa isa)
{
#if defined(__x86_64__)
  static const FenCpuKernels *const table[]
      = { &fen_cpu_kernels_plain, &fen_cpu_kernels_avx2, &fen_cpu_kernels_avx512 };
  return table[isa];
#else
  return &fen_cpu_kernels_plain;
#endif
}

/* Asks the processor and, through the compiler's runtime, the system (which must save the wide registers). */
static bool
isa_present (FenCpuIsa isa)
{
#if defined(__x86_64__)
  if (isa == FEN_CPU_AVX512)
    return __builtin_cpu_supports ("avx512f") && __builtin_cpu_supports ("avx512bw")
           && __builtin_cpu_supports ("avx512dq") && __builtin_cpu_supports ("avx512vl")
           && isa_present (FEN_CPU_AVX2);
  if (isa == FEN_CPU_AVX2) /* every processor with AVX2 has F16C too */
    return __builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma");
#endif
  return isa == FEN_CPU_PLAIN;
}

bool
fen_cpu_isa_choose (FenCpuIsa *isa, FenStatus *status)
{
  static const char *const names[] = { "plain", "avx2", "avx512" };
  const char *wanted = getenv ("FENESTRA_CPU_ISA");
  if (wanted == NULL || *wanted == '\0')
    {
      for (*isa = FEN_CPU_N_ISAS - 1; !isa_present (*isa);)
        *isa -= 1;
      return true;
    }
  for (*isa = FEN_CPU_PLAIN; *isa < FEN_CPU_N_ISAS; *isa += 1)
    if (strcmp (wanted, names[*isa]) == 0)
      {
        if (isa_present (*isa))
          return true;
        fen_cpu_status (status, FEN_STATUS_UNSUPPORTED, "FENESTRA_CPU_ISA=%s: this processor lacks it",
                        wanted);
        return false;
      }
  fen_cpu_status (status, FEN_STATUS_UNSUPPORTED, "FENESTRA_CPU_ISA=%.40s: not one of plain, avx2, avx512",
                  wanted);
  return false;
}
