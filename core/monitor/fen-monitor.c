/* fen-monitor.c: processor time and temperature between two looks (see fen-monitor.h). */
#include "core/monitor/fen-monitor-private.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

struct _FenMonitor {
  char *root;
  char *text;             /* FEN_MONITOR_TEXT_BYTES of scratch */
  char *temperature_path; /* the sensor found at the start; NULL = none */
  double tick_seconds;
  /* at the last look; time 0 = there was none */
  gint64 time_us;
  guint64 process_ticks;
  guint64 machine_busy, machine_all;
  gboolean had_process, had_machine;
};

/* Drivers of processor temperature sensors, and thermal zones of the package. */
static const char *const sensor_names[] = { "coretemp", "k10temp", "zenpower", "cpu_thermal", NULL };
static const char *const zone_types[] = { "x86_pkg_temp", "cpu-thermal", "cpu_thermal", "soc_thermal", NULL };

#define MAX_SENSORS 64

/* The first of <folder><i>/<name_file> whose content is in `names`; the path of its reading, or NULL. */
static char *
find_sensor (FenMonitor *monitor, const char *folder, const char *name_file, const char *const *names,
             const char *reading)
{
  for (guint i = 0; i < MAX_SENSORS; i++)
    {
      g_autofree char *name_path = g_strdup_printf ("%s%u/%s", folder, i, name_file);
      g_autofree char *path = g_strdup_printf ("%s%u/%s", folder, i, reading);
      if (!fen_monitor_read (monitor->root, name_path, monitor->text))
        continue;
      g_strstrip (monitor->text);
      if (g_strv_contains (names, monitor->text) && fen_monitor_read (monitor->root, path, monitor->text))
        return g_steal_pointer (&path);
    }
  return NULL;
}

FenMonitor *
fen_monitor_new_at (const char *root)
{
  FenMonitor *monitor = g_new0 (FenMonitor, 1);
  monitor->root = g_strdup (root);
  monitor->text = g_malloc (FEN_MONITOR_TEXT_BYTES);
  const long ticks = sysconf (_SC_CLK_TCK);
  monitor->tick_seconds = ticks > 0 ? 1.0 / (double)ticks : 0.01;
  monitor->temperature_path
      = find_sensor (monitor, "/sys/class/hwmon/hwmon", "name", sensor_names, "temp1_input");
  if (monitor->temperature_path == NULL)
    monitor->temperature_path
        = find_sensor (monitor, "/sys/class/thermal/thermal_zone", "type", zone_types, "temp");
  return monitor;
}

FenMonitor *
fen_monitor_new (void)
{
  return fen_monitor_new_at ("");
}

void
fen_monitor_free (FenMonitor *monitor)
{
  if (monitor == NULL)
    return;
  g_free (monitor->temperature_path);
  g_free (monitor->text);
  g_free (monitor->root);
  g_free (monitor);
}

/* utime + stime of /proc/self/stat, fields 14 and 15. The second field is the program's name in parentheses, which
 * may hold spaces and parentheses: counting begins behind the last one. */
static gboolean
read_process_ticks (FenMonitor *monitor, guint64 *ticks)
{
  if (!fen_monitor_read (monitor->root, "/proc/self/stat", monitor->text))
    return FALSE;
  const char *p = strrchr (monitor->text, ')');
  for (int i = 0; p != NULL && i < 12; i++)
    p = strchr (p + 1, ' ');
  if (p == NULL)
    return FALSE;
  char *end;
  const guint64 user = g_ascii_strtoull (p + 1, &end, 10);
  if (end == p + 1 || *end != ' ')
    return FALSE;
  *ticks = user + g_ascii_strtoull (end + 1, NULL, 10);
  return TRUE;
}

/* "cpu  user nice system idle iowait irq softirq steal guest guest_nice": guest time is in user already. */
static gboolean
read_machine_ticks (FenMonitor *monitor, guint64 *busy, guint64 *all)
{
  if (!fen_monitor_read (monitor->root, "/proc/stat", monitor->text)
      || !g_str_has_prefix (monitor->text, "cpu "))
    return FALSE;
  char *p = monitor->text + strlen ("cpu ");
  *busy = *all = 0;
  int i = 0;
  for (; i < 8; i++)
    {
      char *end;
      const guint64 value = g_ascii_strtoull (p, &end, 10);
      if (end == p)
        break;
      p = end;
      *all += value;
      if (i != 3 && i != 4)
        *busy += value;
    }
  return i >= 4;
}

static double
read_temperature (FenMonitor *monitor)
{
  if (monitor->temperature_path == NULL
      || !fen_monitor_read (monitor->root, monitor->temperature_path, monitor->text))
    return NAN;
  char *end;
  const double thousandths = g_ascii_strtod (monitor->text, &end);
  const double celsius = thousandths / 1000;
  /* A sensor that is off reports 0 or nonsense. */
  return end != monitor->text && celsius > 0 && celsius < 150 ? celsius : NAN;
}

void
fen_monitor_sample (FenMonitor *monitor, FenHostSample *sample)
{
  guint64 process = 0, busy = 0, all = 0;
  const gint64 now = g_get_monotonic_time ();
  const gboolean has_process = read_process_ticks (monitor, &process);
  const gboolean has_machine = read_machine_ticks (monitor, &busy, &all);
  const double seconds = (double)(now - monitor->time_us) / G_USEC_PER_SEC;

  fen_monitor_memory_at (monitor->root, &sample->memory);
  sample->temperature = read_temperature (monitor);
  sample->cpu_process = NAN;
  sample->cpu_machine = NAN;
  if (has_process && monitor->had_process && seconds > 0 && process >= monitor->process_ticks)
    sample->cpu_process = (double)(process - monitor->process_ticks) * monitor->tick_seconds / seconds;
  /* iowait may run backwards; a look without any tick between says nothing. */
  if (has_machine && monitor->had_machine && all > monitor->machine_all && busy >= monitor->machine_busy)
    sample->cpu_machine
        = MIN ((double)(busy - monitor->machine_busy) / (double)(all - monitor->machine_all), 1.0);

  monitor->time_us = now;
  monitor->process_ticks = process;
  monitor->machine_busy = busy;
  monitor->machine_all = all;
  monitor->had_process = has_process;
  monitor->had_machine = has_machine;
}
