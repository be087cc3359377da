/* bench-startup.c: how long the window needs from exec to its first frame, and what it costs while nothing happens.
 *
 *   tests/gui/headless.sh build-release/tests/bench/bench-startup build-release/gui/fenestra
 *
 * The program says "first frame" on its debug channel when GTK has painted it; the clock runs here, from before the fork.
 * Each start has a home of its own that the start before it has warmed: caches of fonts and icons are a person's second
 * start, not their first. */
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STARTS 9
#define IDLE_SECONDS 5

static GSubprocess *
launch (const char *program, double *milliseconds)
{
  g_autoptr (GSubprocessLauncher) launcher
      = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
  g_subprocess_launcher_setenv (launcher, "G_MESSAGES_DEBUG", "fenestra", TRUE);
  g_subprocess_launcher_setenv (launcher, "GSETTINGS_BACKEND", "memory", TRUE);
  g_autoptr (GError) error = NULL;
  const gint64 start_us = g_get_monotonic_time ();
  GSubprocess *process = g_subprocess_launcher_spawn (launcher, &error, program, NULL);
  if (process == NULL)
    g_error ("%s", error->message);
  g_autoptr (GDataInputStream) lines = g_data_input_stream_new (g_subprocess_get_stdout_pipe (process));
  for (;;)
    {
      g_autofree char *line = g_data_input_stream_read_line (lines, NULL, NULL, NULL);
      if (line == NULL)
        g_error ("%s ended before its first frame", program);
      if (strstr (line, "first frame") != NULL)
        break;
    }
  *milliseconds = (double)(g_get_monotonic_time () - start_us) / 1000.0;
  return process;
}

static void
finish (GSubprocess *process)
{
  g_subprocess_send_signal (process, SIGTERM);
  g_subprocess_wait (process, NULL, NULL);
  g_object_unref (process);
}

/* Seconds of processor time that a process has used. */
static double
cpu_seconds (const char *pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%s/stat", pid);
  g_autofree char *text = NULL;
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return 0;
  unsigned long user = 0, system = 0;
  const char *fields = strrchr (text, ')'); /* the name may hold anything */
  if (fields == NULL
      || sscanf (fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
    return 0;
  return (double)(user + system) / (double)sysconf (_SC_CLK_TCK);
}

static int
compare (const void *a, const void *b)
{
  return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

int
main (int argc, char **argv)
{
  if (argc != 2)
    {
      g_printerr ("usage: bench-startup PROGRAM (under a display, such as tests/gui/headless.sh)\n");
      return 2;
    }
  double times[STARTS];
  for (int i = 0; i < STARTS; i++)
    finish (launch (argv[1], &times[i]));
  qsort (times, STARTS, sizeof times[0], compare);
  printf ("first frame after exec: median %.0f ms, least %.0f, most %.0f of %d starts (limit 400)\n",
          times[STARTS / 2], times[0], times[STARTS - 1], STARTS);

  double unused;
  GSubprocess *process = launch (argv[1], &unused);
  g_usleep (3 * G_USEC_PER_SEC); /* what a start does in the background is over by then */
  const double before = cpu_seconds (g_subprocess_get_identifier (process));
  g_usleep (IDLE_SECONDS * G_USEC_PER_SEC);
  const double used = cpu_seconds (g_subprocess_get_identifier (process)) - before;
  printf ("idle without a run: %.2f %% of a core over %d s\n", 100.0 * used / IDLE_SECONDS, IDLE_SECONDS);
  finish (process);
  return 0;
}
