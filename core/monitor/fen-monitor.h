/* fen-monitor.h: what the machine does while a run goes on: memory, CPU, temperature.
 *
 * Sources: /proc/self/status, /proc/self/stat, /proc/stat, /proc/meminfo, the control group's limits (v1 and v2),
 * /sys/class/hwmon and /sys/class/thermal. A machine or container may lack any of them, so every value has its own
 * validity: unknown numbers are NAN, unknown sizes have their has_ flag FALSE.
 *
 * Threads: a FenMonitor is used by one thread at a time; fen_monitor_memory is reentrant.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  gboolean has_rss, has_peak, has_total, has_available, has_limit;
  guint64 rss_bytes, peak_bytes; /* of this process, now and at most */
  guint64 total_bytes;           /* of the machine */
  guint64
      available_bytes; /* that this process may still take: MemAvailable, cut by the control group's limit */
  guint64 limit_bytes; /* the control group's, when it has one below total_bytes */
} FenHostMemory;

/* One look, without state; also for sizing the CPU device. */
void fen_monitor_memory (FenHostMemory *memory);
/* Bytes that this process may still allocate, and all that it could ever have (the machine's or the control group's);
 * FALSE when neither is known. */
gboolean fen_monitor_available (guint64 *available, guint64 *total);

typedef struct {
  FenHostMemory memory;
  double
      cpu_process; /* cores busy with this process since the last look (1.0 = one core); NAN at the first */
  double cpu_machine; /* share of the machine's cores that is busy, 0 to 1; NAN at the first */
  double temperature; /* of the CPU, degrees Celsius */
} FenHostSample;

typedef struct _FenMonitor FenMonitor;

FenMonitor *fen_monitor_new (void);
/* Reads from another root ("" = the machine): tests bring their own /proc and /sys. */
FenMonitor *fen_monitor_new_at (const char *root);
void fen_monitor_free (FenMonitor *monitor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenMonitor, fen_monitor_free)

void fen_monitor_sample (FenMonitor *monitor, FenHostSample *sample);

G_END_DECLS
