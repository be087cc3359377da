/* The GPU monitor against made-up driver libraries: every value, what lacks, what fails, what hangs. */
#include "core/monitor/fen-gpu-monitor.h"

#include "tests/support/fake-nvml.h"
#include "tests/support/patience.h"

#include <dlfcn.h>
#include <math.h>
#include <string.h>

#define NOT_SUPPORTED 3
#define GPU_IS_LOST 15
#define GIB(n) ((guint64)(n) << 30)

typedef struct {
  char *path;
  FakeNvml *fake;
  FakeNvml before;
} Place;

static char *
library_path (const char *variant)
{
  return g_strdup_printf ("%s/libfake-nvml-%s.so", FAKE_NVML_FOLDER, variant);
}

static void
set_up (Place *place, gconstpointer variant)
{
  place->path = library_path (variant);
  void *module = dlopen (place->path, RTLD_NOW | RTLD_LOCAL);
  g_assert_nonnull (module);
  place->fake = dlsym (module, "fake_nvml");
  g_assert_nonnull (place->fake);
  place->before = *place->fake;
}

static void
tear_down (Place *place, gconstpointer variant)
{
  /* All that was begun was ended, also after failures. */
  g_assert_cmpint (place->fake->begun, ==, 0);
  *place->fake = place->before;
  g_free (place->path);
}

static void
look (Place *place, FenGpuSample *sample)
{
  char reason[FEN_GPU_REASON_BYTES];
  if (!fen_gpu_look_once (place->path, FAKE_NVML_BUS_ID, sample, reason))
    g_error ("%s", reason);
}

static void
assert_numbers_unknown (const FenGpuSample *s)
{
  g_assert_true (isnan (s->utilization) && isnan (s->temperature) && isnan (s->power));
}

static void
assert_unknown (const FenGpuSample *s)
{
  g_assert_false (s->has_memory || s->has_process);
  assert_numbers_unknown (s);
}

static void
test_every_value (Place *place, gconstpointer variant)
{
  FenGpuSample s;
  look (place, &s);
  g_assert_true (s.has_memory && s.has_process);
  g_assert_cmpuint (s.total_bytes, ==, GIB (24) - (512u << 20));
  g_assert_cmpuint (s.used_bytes, ==, GIB (9));
  g_assert_cmpuint (s.process_bytes, ==, GIB (5));
  g_assert_cmpfloat (s.utilization, ==, 0.87);
  g_assert_cmpfloat (s.temperature, ==, 61);
  g_assert_cmpfloat (s.power, ==, 254.5);
  g_assert_false (s.lost);
  char version[FEN_GPU_DRIVER_BYTES];
  g_assert_true (fen_gpu_driver_version (place->path, version));
  g_assert_cmpstr (version, ==, FAKE_NVML_DRIVER);
}

/* Before driver 510 nobody tells what is reserved: it counts as used, as nvidia-smi showed it. */
static void
test_old_driver (Place *place, gconstpointer variant)
{
  FenGpuSample s;
  look (place, &s);
  g_assert_cmpuint (s.total_bytes, ==, GIB (24));
  g_assert_cmpuint (s.used_bytes, ==, GIB (9) + (512u << 20));
  g_assert_cmpuint (s.process_bytes, ==, GIB (5));
  g_assert_cmpfloat (s.power, ==, 254.5);
}

static void
test_missing_functions (Place *place, gconstpointer variant)
{
  FenGpuSample s;
  char version[FEN_GPU_DRIVER_BYTES];
  look (place, &s);
  g_assert_false (s.has_memory || s.has_process);
  g_assert_true (isnan (s.utilization) && isnan (s.power));
  g_assert_cmpfloat (s.temperature, ==, 61);
  g_assert_false (fen_gpu_driver_version (place->path, version));
}

/* One value that a card does not have takes no other with it. */
static void
test_each_alone (Place *place, gconstpointer variant)
{
  int *const codes[] = { &place->fake->memory, &place->fake->processes, &place->fake->utilization,
                         &place->fake->temperature, &place->fake->power };
  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      FenGpuSample s;
      *codes[i] = NOT_SUPPORTED;
      look (place, &s);
      *codes[i] = 0;
      g_assert_cmpint (s.has_memory, ==, i != 0);
      g_assert_cmpint (s.has_process, ==, i > 1); /* an amount is only believed beside the card's */
      g_assert_cmpint (isnan (s.utilization) != 0, ==, i == 2);
      g_assert_cmpint (isnan (s.temperature) != 0, ==, i == 3);
      g_assert_cmpint (isnan (s.power) != 0, ==, i == 4);
      g_assert_false (s.lost);
    }
}

static void
test_lost (Place *place, gconstpointer variant)
{
  FenGpuSample s;
  place->fake->memory = place->fake->processes = place->fake->utilization = GPU_IS_LOST;
  place->fake->temperature = place->fake->power = GPU_IS_LOST;
  look (place, &s);
  g_assert_true (s.lost);
  assert_unknown (&s);
}

/* Whose memory: our PID, a lone process under another PID (a container's), amounts that cannot be. */
static void
test_processes (Place *place, gconstpointer variant)
{
  static const struct {
    guint n;
    guint pid;
    guint64 bytes;
    gboolean known;
  } cases[] = {
    { 2, 0, GIB (5), TRUE },
    { 2, 4000000000u, GIB (5), FALSE },
    { 1, 4000000000u, GIB (5), TRUE },
    { 1, 0, FAKE_NVML_NONE, FALSE },
    { 1, 0, 0, FALSE },
    { 0, 0, GIB (5), FALSE },
    { 2, 0, GIB (24) + 1, FALSE },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      FenGpuSample s;
      place->fake->n_processes = cases[i].n;
      place->fake->pids[0] = cases[i].pid;
      place->fake->process_bytes[0] = cases[i].bytes;
      look (place, &s);
      g_assert_cmpint (s.has_process, ==, cases[i].known);
      g_assert_cmpuint (s.process_bytes, ==, cases[i].known ? cases[i].bytes : 0);
    }
}

/* Nonsense from the driver is unknown, not shown. */
static void
test_nonsense (Place *place, gconstpointer variant)
{
  FenGpuSample s;
  place->fake->percent = 4000;
  place->fake->used = GIB (25);
  look (place, &s);
  g_assert_false (s.has_memory || s.has_process);
  g_assert_true (isnan (s.utilization));
  g_assert_cmpuint (s.total_bytes, ==, 0);
}

static void
test_cannot_open (Place *place, gconstpointer variant)
{
  FenGpuSample s;
  char reason[FEN_GPU_REASON_BYTES];
  g_assert_false (fen_gpu_look_once (place->path, "0000:02:00.0", &s, reason));
  g_assert_nonnull (strstr (reason, "0000:02:00.0: Not Found"));
  assert_unknown (&s);
  place->fake->init = 9;
  g_assert_false (fen_gpu_look_once (place->path, FAKE_NVML_BUS_ID, &s, reason));
  g_assert_nonnull (strstr (reason, "NVML error 9"));
  g_assert_false (fen_gpu_look_once ("/no/such/library.so", FAKE_NVML_BUS_ID, &s, reason));
  g_assert_nonnull (strstr (reason, "/no/such/library.so"));
  g_autofree char *useless = library_path ("useless");
  g_assert_false (fen_gpu_look_once (useless, FAKE_NVML_BUS_ID, &s, reason));
  g_assert_nonnull (strstr (reason, "lacks nvmlInit_v2"));
}

/* ---- the thread ---- */

static gboolean
answers (FenGpuMonitor *monitor, FenGpuSample *sample)
{
  const gint64 end = g_get_monotonic_time () + 10 * test_patience () * G_USEC_PER_SEC;
  while (g_get_monotonic_time () < end)
    {
      if (fen_gpu_monitor_look (monitor, sample, NULL))
        return TRUE;
      g_usleep (1000);
    }
  return FALSE;
}

static void
wait_until_ended (Place *place)
{
  const gint64 end = g_get_monotonic_time () + 10 * test_patience () * G_USEC_PER_SEC;
  int begun = 1;
  while (begun != 0 && g_get_monotonic_time () < end)
    {
      g_usleep (1000);
      pthread_mutex_lock (&place->fake->mutex);
      begun = place->fake->begun;
      pthread_mutex_unlock (&place->fake->mutex);
    }
  g_assert_cmpint (begun, ==, 0);
}

static void
test_follows (Place *place, gconstpointer variant)
{
  FenGpuSample s;
  FenGpuMonitor *monitor = fen_gpu_monitor_new (place->path, FAKE_NVML_BUS_ID);
  g_assert_true (answers (monitor, &s));
  g_assert_cmpfloat (s.temperature, ==, 61);
  pthread_mutex_lock (&place->fake->mutex);
  place->fake->degrees = 70;
  pthread_mutex_unlock (&place->fake->mutex);
  const gint64 end = g_get_monotonic_time () + 10 * test_patience () * G_USEC_PER_SEC;
  while (s.temperature < 70 && g_get_monotonic_time () < end && answers (monitor, &s))
    g_usleep (1000);
  g_assert_cmpfloat (s.temperature, ==, 70);
  fen_gpu_monitor_free (monitor);
  wait_until_ended (place);
}

/* A driver that hangs holds up neither a look nor the end. */
static void
test_hangs (Place *place, gconstpointer variant)
{
  FenGpuSample s;
  char reason[FEN_GPU_REASON_BYTES];
  place->fake->sleep_us = 1500000;
  FenGpuMonitor *monitor = fen_gpu_monitor_new (place->path, FAKE_NVML_BUS_ID);
  int reads = 0;
  while (reads == 0)
    {
      pthread_mutex_lock (&place->fake->mutex);
      reads = place->fake->n_reads;
      pthread_mutex_unlock (&place->fake->mutex);
    }
  const gint64 begin = g_get_monotonic_time ();
  g_assert_false (fen_gpu_monitor_look (monitor, &s, reason));
  assert_unknown (&s);
  g_assert_cmpstr (reason, ==, "the driver does not answer");
  fen_gpu_monitor_free (monitor);
  pthread_mutex_lock (&place->fake->mutex);
  const int begun = place->fake->begun;
  pthread_mutex_unlock (&place->fake->mutex);
  /* The thread was still inside, so nobody waited for it; only then does the time mean anything. */
  if (g_get_monotonic_time () - begin < 1000000)
    g_assert_cmpint (begun, ==, 1);
  wait_until_ended (place);
}

static void
test_thread_without_library (void)
{
  FenGpuSample s;
  char reason[FEN_GPU_REASON_BYTES] = "";
  g_autoptr (FenGpuMonitor) monitor = fen_gpu_monitor_new ("/no/such/library.so", FAKE_NVML_BUS_ID);
  const gint64 end = g_get_monotonic_time () + 10 * test_patience () * G_USEC_PER_SEC;
  while (strstr (reason, "/no/such/library.so") == NULL && g_get_monotonic_time () < end)
    {
      g_assert_false (fen_gpu_monitor_look (monitor, &s, reason));
      g_usleep (1000);
    }
  g_assert_nonnull (strstr (reason, "/no/such/library.so"));
  assert_unknown (&s);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, variant, function) g_test_add (path, Place, variant, set_up, function, tear_down)
  ADD ("/gpu-monitor/every-value", "full", test_every_value);
  ADD ("/gpu-monitor/old-driver", "old", test_old_driver);
  ADD ("/gpu-monitor/missing-functions", "bare", test_missing_functions);
  ADD ("/gpu-monitor/each-alone", "full", test_each_alone);
  ADD ("/gpu-monitor/each-alone-old", "old", test_each_alone);
  ADD ("/gpu-monitor/lost", "full", test_lost);
  ADD ("/gpu-monitor/processes", "full", test_processes);
  ADD ("/gpu-monitor/processes-old", "old", test_processes);
  ADD ("/gpu-monitor/nonsense", "full", test_nonsense);
  ADD ("/gpu-monitor/cannot-open", "full", test_cannot_open);
  ADD ("/gpu-monitor/follows", "full", test_follows);
  ADD ("/gpu-monitor/hangs", "full", test_hangs);
  g_test_add_func ("/gpu-monitor/thread-without-library", test_thread_without_library);
  return g_test_run ();
}
