/* fen-monitor-memory.c: how much memory there is, and how much of it a control group leaves (see fen-monitor.h).
 *
 * In a container MemAvailable is the whole machine's. What this process may take is the smallest of that and, for its
 * control group and each of its ancestors, limit - (use - file cache that the kernel can drop).
 */
#include "core/monitor/fen-monitor-private.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

gboolean
fen_monitor_read (const char *root, const char *path, char text[FEN_MONITOR_TEXT_BYTES])
{
  g_autofree char *full = g_strconcat (root, path, NULL);
  const int fd = open (full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return FALSE;
  gsize used = 0;
  ssize_t got;
  while (used < FEN_MONITOR_TEXT_BYTES - 1
         && (got = read (fd, text + used, FEN_MONITOR_TEXT_BYTES - 1 - used)) > 0)
    used += (gsize)got;
  close (fd);
  text[used] = '\0';
  return used > 0;
}

gboolean
fen_monitor_find (const char *text, const char *key, guint64 *value)
{
  const gsize length = strlen (key);
  for (const char *line = text; line != NULL && *line != '\0'; line = strchr (line, '\n'))
    {
      line += *line == '\n';
      if (strncmp (line, key, length) != 0)
        continue;
      const char *number = line + length + strspn (line + length, ": \t");
      if (!g_ascii_isdigit (*number))
        return FALSE;
      *value = g_ascii_strtoull (number, NULL, 10);
      return TRUE;
    }
  return FALSE;
}

static gboolean
find_kib (const char *text, const char *key, guint64 *bytes)
{
  guint64 kib;
  if (!fen_monitor_find (text, key, &kib) || kib > G_MAXUINT64 / 1024)
    return FALSE;
  *bytes = kib * 1024;
  return TRUE;
}

static gboolean
read_number (const char *root, const char *path, char *text, guint64 *value)
{
  if (!fen_monitor_read (root, path, text) || !g_ascii_isdigit (*text))
    return FALSE; /* "max": no limit */
  *value = g_ascii_strtoull (text, NULL, 10);
  return TRUE;
}

/* Names that differ between the two versions of control groups. */
typedef struct {
  const char *mount;
  const char *limit, *use;
  const char *droppable; /* in memory.stat: file cache that is not in use */
} GroupFiles;

static const GroupFiles group_v1
    = { "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file" };
static const GroupFiles group_v2 = { "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file" };

/* One group's limit, and what it leaves. */
static void
apply_group (const char *root, const GroupFiles *files, const char *group, char *text, FenHostMemory *memory)
{
  guint64 limit, used, droppable = 0;
  g_autofree char *limit_path = g_strdup_printf ("%s%s/%s", files->mount, group, files->limit);
  g_autofree char *use_path = g_strdup_printf ("%s%s/%s", files->mount, group, files->use);
  g_autofree char *stat_path = g_strdup_printf ("%s%s/memory.stat", files->mount, group);
  if (!read_number (root, limit_path, text, &limit))
    return;
  /* Version 1 writes a number near 2^63 for "no limit". */
  if (memory->has_total && limit >= memory->total_bytes)
    return;
  if (!memory->has_limit || limit < memory->limit_bytes)
    memory->limit_bytes = limit;
  memory->has_limit = TRUE;
  if (!read_number (root, use_path, text, &used))
    return;
  if (fen_monitor_read (root, stat_path, text))
    fen_monitor_find (text, files->droppable, &droppable);
  used -= MIN (used, droppable);
  const guint64 left = limit - MIN (limit, used);
  if (!memory->has_available || left < memory->available_bytes)
    memory->available_bytes = left;
  memory->has_available = TRUE;
}

/* The group that a line of /proc/self/cgroup names, and its ancestors up to the mount. Inside a container the path
 * may be the host's and not exist here; the mount itself is then the container's group. */
static void
apply_groups (const char *root, const GroupFiles *files, const char *path, char *text, FenHostMemory *memory)
{
  g_autofree char *group = g_strdup (path);
  while (group[0] == '/' && group[1] != '\0')
    {
      if (strstr (group, "/..") == NULL)
        apply_group (root, files, group, text, memory);
      *strrchr (group, '/') = '\0';
    }
  apply_group (root, files, "", text, memory);
}

static void
apply_control_groups (const char *root, char *text, FenHostMemory *memory)
{
  if (!fen_monitor_read (root, "/proc/self/cgroup", text))
    return;
  g_auto (GStrv) lines = g_strsplit (text, "\n", 64);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      /* hierarchy-ID:controllers:path; version 2 has "0::". */
      g_auto (GStrv) parts = g_strsplit (lines[i], ":", 3);
      if (g_strv_length (parts) != 3)
        continue;
      g_auto (GStrv) controllers = g_strsplit (parts[1], ",", 32);
      if (parts[1][0] == '\0')
        apply_groups (root, &group_v2, parts[2], text, memory);
      else if (g_strv_contains ((const char *const *)controllers, "memory"))
        apply_groups (root, &group_v1, parts[2], text, memory);
    }
}

void
fen_monitor_memory_at (const char *root, FenHostMemory *memory)
{
  memset (memory, 0, sizeof *memory);
  g_autofree char *text = g_malloc (FEN_MONITOR_TEXT_BYTES);
  if (fen_monitor_read (root, "/proc/self/status", text))
    {
      memory->has_rss = find_kib (text, "VmRSS", &memory->rss_bytes);
      memory->has_peak = find_kib (text, "VmHWM", &memory->peak_bytes);
    }
  if (fen_monitor_read (root, "/proc/meminfo", text))
    {
      memory->has_total = find_kib (text, "MemTotal", &memory->total_bytes);
      memory->has_available = find_kib (text, "MemAvailable", &memory->available_bytes);
    }
  apply_control_groups (root, text, memory);
}

void
fen_monitor_memory (FenHostMemory *memory)
{
  fen_monitor_memory_at ("", memory);
}

gboolean
fen_monitor_available (guint64 *available, guint64 *total)
{
  FenHostMemory memory;
  fen_monitor_memory (&memory);
  if (!memory.has_available || (!memory.has_total && !memory.has_limit))
    return FALSE;
  *total = memory.has_limit ? memory.limit_bytes : memory.total_bytes;
  *available = MIN (memory.available_bytes, *total);
  return TRUE;
}
