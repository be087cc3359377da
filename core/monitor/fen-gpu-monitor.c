/* fen-gpu-monitor.c: the thread that asks the driver, and the answer that everybody may look at.
 *
 * The state belongs to both sides and goes with the last of them: freeing a monitor whose thread is stuck in the
 * driver must not wait, because that is the end of a training run or the window's main loop.
 */
#include "core/monitor/fen-nvml-private.h"

#include <math.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define INTERVAL_US (G_USEC_PER_SEC / 2)
#define STALE_US (5 * G_USEC_PER_SEC) /* an older answer says nothing about now */

struct _FenGpuMonitor {
  gint references; /* atomic: the owner's and the thread's */
  char *library, *pci_bus_id;

  pthread_mutex_t mutex; /* not GMutex, whose futex ThreadSanitizer does not see */
  pthread_cond_t stopping;
  gboolean stop;
  FenGpuSample sample;
  gint64 time_us; /* of `sample`; 0 = there is none */
  char reason[FEN_GPU_REASON_BYTES];
};

static void
unref (FenGpuMonitor *monitor)
{
  if (!g_atomic_int_dec_and_test (&monitor->references))
    return;
  pthread_cond_destroy (&monitor->stopping);
  pthread_mutex_destroy (&monitor->mutex);
  g_free (monitor->library);
  g_free (monitor->pci_bus_id);
  g_free (monitor);
}

/* Waits for the next turn; FALSE when there is none. */
static gboolean
wait_for_turn (FenGpuMonitor *monitor)
{
  struct timespec until;
  clock_gettime (CLOCK_MONOTONIC, &until);
  const gint64 nanoseconds = until.tv_nsec + (gint64)INTERVAL_US * 1000;
  until.tv_sec += nanoseconds / 1000000000;
  until.tv_nsec = nanoseconds % 1000000000;
  pthread_mutex_lock (&monitor->mutex);
  while (!monitor->stop && pthread_cond_timedwait (&monitor->stopping, &monitor->mutex, &until) == 0)
    ;
  const gboolean go_on = !monitor->stop;
  pthread_mutex_unlock (&monitor->mutex);
  return go_on;
}

static void
keep (FenGpuMonitor *monitor, const FenGpuSample *sample)
{
  pthread_mutex_lock (&monitor->mutex);
  monitor->sample = *sample;
  monitor->time_us = g_get_monotonic_time ();
  pthread_mutex_unlock (&monitor->mutex);
}

static void
say (FenGpuMonitor *monitor, const char *reason)
{
  pthread_mutex_lock (&monitor->mutex);
  g_strlcpy (monitor->reason, reason, sizeof monitor->reason);
  pthread_mutex_unlock (&monitor->mutex);
}

static gpointer
work (gpointer data)
{
  FenGpuMonitor *monitor = data;
  FenGpuSample sample;
  char reason[FEN_GPU_REASON_BYTES] = "";
  FenNvml *nvml = fen_nvml_open (monitor->library, monitor->pci_bus_id, reason);
  if (nvml == NULL)
    say (monitor, reason);
  else
    {
      say (monitor, "the driver does not answer");
      do
        {
          fen_nvml_read (nvml, &sample);
          keep (monitor, &sample);
        }
      while (wait_for_turn (monitor));
      fen_nvml_close (nvml);
    }
  unref (monitor);
  return NULL;
}

FenGpuMonitor *
fen_gpu_monitor_new (const char *library, const char *pci_bus_id)
{
  FenGpuMonitor *monitor = g_new0 (FenGpuMonitor, 1);
  pthread_condattr_t attributes;
  monitor->references = 2;
  monitor->library = g_strdup (library);
  monitor->pci_bus_id = g_strdup (pci_bus_id);
  g_strlcpy (monitor->reason, "the driver has not answered yet", sizeof monitor->reason);
  pthread_mutex_init (&monitor->mutex, NULL);
  pthread_condattr_init (&attributes);
  pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
  pthread_cond_init (&monitor->stopping, &attributes);
  pthread_condattr_destroy (&attributes);
  g_autoptr (GError) error = NULL;
  GThread *thread = g_thread_try_new ("fen-gpu", work, monitor, &error);
  if (thread != NULL)
    g_thread_unref (thread);
  else
    {
      say (monitor, error->message);
      unref (monitor);
    }
  return monitor;
}

void
fen_gpu_monitor_free (FenGpuMonitor *monitor)
{
  if (monitor == NULL)
    return;
  pthread_mutex_lock (&monitor->mutex);
  monitor->stop = TRUE;
  pthread_cond_signal (&monitor->stopping);
  pthread_mutex_unlock (&monitor->mutex);
  unref (monitor);
}

gboolean
fen_gpu_monitor_look (FenGpuMonitor *monitor, FenGpuSample *sample, char reason[FEN_GPU_REASON_BYTES])
{
  pthread_mutex_lock (&monitor->mutex);
  const gboolean known = monitor->time_us != 0 && g_get_monotonic_time () - monitor->time_us <= STALE_US;
  *sample = known ? monitor->sample : (FenGpuSample){ .utilization = NAN, .temperature = NAN, .power = NAN };
  if (reason != NULL)
    g_strlcpy (reason, known ? "" : monitor->reason, FEN_GPU_REASON_BYTES);
  pthread_mutex_unlock (&monitor->mutex);
  return known;
}

/* ---- one look ---- */

gboolean
fen_gpu_look_once (const char *library, const char *pci_bus_id, FenGpuSample *sample,
                   char reason[FEN_GPU_REASON_BYTES])
{
  *sample = (FenGpuSample){ .utilization = NAN, .temperature = NAN, .power = NAN };
  reason[0] = '\0';
  FenNvml *nvml = fen_nvml_open (library, pci_bus_id, reason);
  if (nvml == NULL)
    return FALSE;
  fen_nvml_read (nvml, sample);
  fen_nvml_close (nvml);
  return TRUE;
}

gboolean
fen_gpu_driver_version (const char *library, char version[FEN_GPU_DRIVER_BYTES])
{
  char reason[FEN_GPU_REASON_BYTES];
  FenNvml *nvml = fen_nvml_open (library, NULL, reason);
  version[0] = '\0';
  if (nvml == NULL)
    return FALSE;
  const gboolean known = fen_nvml_driver (nvml, version);
  fen_nvml_close (nvml);
  return known;
}
