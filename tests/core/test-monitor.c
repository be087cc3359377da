/* The monitor against made-up /proc and /sys trees, and against this machine. */
#include "core/monitor/fen-monitor.h"

#include "core/base/fen-io.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

typedef struct {
  char *root;
} Place;

static void
set_up (Place *place, gconstpointer data)
{
  place->root = g_dir_make_tmp ("fen-monitor-XXXXXX", NULL);
}

static void
tear_down (Place *place, gconstpointer data)
{
  g_assert_true (fen_io_remove_tree (place->root, NULL));
  g_free (place->root);
}

static void
put (Place *place, const char *path, const char *text)
{
  g_autofree char *full = g_strconcat (place->root, path, NULL);
  g_autofree char *folder = g_path_get_dirname (full);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0777), ==, 0);
  g_assert_true (g_file_set_contents (full, text, -1, NULL));
}

static void
put_machine (Place *place)
{
  put (place, "/proc/self/status",
       "Name:\ttest\nVmPeak:\t  9999 kB\nVmHWM:\t    3000 kB\nVmRSS:\t    2000 kB\n");
  put (place, "/proc/meminfo", "MemTotal:       16000000 kB\nMemFree:  1 kB\nMemAvailable:   12000000 kB\n");
}

static void
sample (Place *place, FenHostSample *result)
{
  g_autoptr (FenMonitor) monitor = fen_monitor_new_at (place->root);
  fen_monitor_sample (monitor, result);
}

/* A tree with nothing in it: everything is unknown, nothing is zero by accident. */
static void
test_nothing_known (Place *place, gconstpointer data)
{
  FenHostSample s;
  sample (place, &s);
  g_assert_false (s.memory.has_rss || s.memory.has_peak || s.memory.has_total || s.memory.has_available
                  || s.memory.has_limit);
  g_assert_true (isnan (s.cpu_process) && isnan (s.cpu_machine) && isnan (s.temperature));
}

static void
test_memory (Place *place, gconstpointer data)
{
  FenHostSample s;
  put_machine (place);
  sample (place, &s);
  g_assert_true (s.memory.has_rss && s.memory.has_peak && s.memory.has_total && s.memory.has_available);
  g_assert_cmpuint (s.memory.rss_bytes, ==, 2000 * 1024);
  g_assert_cmpuint (s.memory.peak_bytes, ==, 3000 * 1024);
  g_assert_cmpuint (s.memory.total_bytes, ==, G_GUINT64_CONSTANT (16000000) * 1024);
  g_assert_cmpuint (s.memory.available_bytes, ==, G_GUINT64_CONSTANT (12000000) * 1024);
  g_assert_false (s.memory.has_limit);
}

/* Version 2: the parent's limit is the smaller one and counts; file cache that can be dropped is available. */
static void
test_cgroup_v2 (Place *place, gconstpointer data)
{
  FenHostSample s;
  put_machine (place);
  put (place, "/proc/self/cgroup", "0::/outer/inner\n");
  put (place, "/sys/fs/cgroup/outer/inner/memory.max", "max\n");
  put (place, "/sys/fs/cgroup/outer/memory.max", "4000000000\n");
  put (place, "/sys/fs/cgroup/outer/memory.current", "1500000000\n");
  put (place, "/sys/fs/cgroup/outer/memory.stat", "anon 5\ninactive_file 500000000\n");
  sample (place, &s);
  g_assert_true (s.memory.has_limit);
  g_assert_cmpuint (s.memory.limit_bytes, ==, G_GUINT64_CONSTANT (4000000000));
  g_assert_cmpuint (s.memory.available_bytes, ==, G_GUINT64_CONSTANT (3000000000));
}

/* Version 1 in a container: the path names the host's tree and is not here, the mount itself is the group. */
static void
test_cgroup_v1 (Place *place, gconstpointer data)
{
  FenHostSample s;
  put_machine (place);
  put (place, "/proc/self/cgroup", "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n");
  put (place, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000000\n");
  put (place, "/sys/fs/cgroup/memory/memory.usage_in_bytes", "900000000\n");
  put (place, "/sys/fs/cgroup/memory/memory.stat", "total_inactive_file 100000000\n");
  sample (place, &s);
  g_assert_true (s.memory.has_limit);
  g_assert_cmpuint (s.memory.available_bytes, ==, 1200000000);
  /* No limit is a number near 2^63. */
  put (place, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  sample (place, &s);
  g_assert_false (s.memory.has_limit);
  g_assert_cmpuint (s.memory.available_bytes, ==, G_GUINT64_CONSTANT (12000000) * 1024);
}

static void
test_cpu_and_temperature (Place *place, gconstpointer data)
{
  FenHostSample s;
  put (place, "/proc/self/stat", "12 (a) b) c) R 1 2 3 4 5 6 7 8 9 10 100 50 0 0 20 0 1\n");
  put (place, "/proc/stat", "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3 4\n");
  put (place, "/sys/class/hwmon/hwmon0/name", "nvme\n");
  put (place, "/sys/class/hwmon/hwmon0/temp1_input", "31000\n");
  put (place, "/sys/class/hwmon/hwmon3/name", "coretemp\n");
  put (place, "/sys/class/hwmon/hwmon3/temp1_input", "54500\n");
  g_autoptr (FenMonitor) monitor = fen_monitor_new_at (place->root);
  fen_monitor_sample (monitor, &s);
  g_assert_true (isnan (s.cpu_process) && isnan (s.cpu_machine));
  g_assert_cmpfloat (s.temperature, ==, 54.5);

  g_usleep (20000);
  put (place, "/proc/self/stat", "12 (a) b) c) R 1 2 3 4 5 6 7 8 9 10 160 60 0 0 20 0 1\n");
  put (place, "/proc/stat", "cpu  150 0 125 725 100 0 0 0 0 0\ncpu0 1 2 3 4\n");
  put (place, "/sys/class/hwmon/hwmon3/temp1_input", "0\n");
  fen_monitor_sample (monitor, &s);
  g_assert_cmpfloat (s.cpu_machine, ==, 0.75);
  g_assert_cmpfloat (s.cpu_process, >, 0); /* 70 ticks in a time that this test does not control */
  g_assert_true (isnan (s.temperature));

  /* A sensor or file that goes away. */
  put (place, "/proc/self/stat", "nonsense");
  put (place, "/proc/stat", "intr 5");
  fen_monitor_sample (monitor, &s);
  g_assert_true (isnan (s.cpu_process) && isnan (s.cpu_machine));
}

/* This machine: memory that is written shows up, and a busy thread is about one core. */
static void
test_this_machine (void)
{
  FenHostSample s;
  g_autoptr (FenMonitor) monitor = fen_monitor_new ();
  fen_monitor_sample (monitor, &s);
  const guint64 before = s.memory.rss_bytes;
  if (!s.memory.has_rss || !s.memory.has_available)
    {
      g_test_skip ("no /proc here");
      return;
    }
  const gsize bytes = 64u << 20;
  g_autofree char *block = g_malloc (bytes);
  volatile guint sum = 0;
  for (gint64 end = g_get_monotonic_time () + 200000; g_get_monotonic_time () < end;)
    {
      memset (block, (int)(sum & 0x7F) + 1, bytes);
      sum += (guint)block[bytes / 2];
    }
  fen_monitor_sample (monitor, &s);
  g_assert_cmpuint (s.memory.rss_bytes, >, before + bytes / 2);
  g_assert_cmpuint (s.memory.peak_bytes + (1u << 20), >=, s.memory.rss_bytes);
  g_assert_cmpfloat (s.cpu_process, >, 0.02); /* the machine may be shared */
  guint64 available, total;
  g_assert_true (fen_monitor_available (&available, &total));
  g_assert_cmpuint (available, <=, total);
  g_assert_cmpuint (available, >, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function) g_test_add (path, Place, NULL, set_up, function, tear_down)
  ADD ("/monitor/nothing-known", test_nothing_known);
  ADD ("/monitor/memory", test_memory);
  ADD ("/monitor/cgroup-v2", test_cgroup_v2);
  ADD ("/monitor/cgroup-v1", test_cgroup_v1);
  ADD ("/monitor/cpu-and-temperature", test_cpu_and_temperature);
  g_test_add_func ("/monitor/this-machine", test_this_machine);
  return g_test_run ();
}
