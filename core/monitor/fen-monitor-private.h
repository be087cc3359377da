/* fen-monitor-private.h: reading the kernel's small text files, shared by the files of this room. */
#pragma once

#include "core/monitor/fen-monitor.h"

G_BEGIN_DECLS

/* The whole of <root><path>, NUL-terminated and at most 64 KiB, into `text`; FALSE when it cannot be read. Files of
 * /proc and /sys report size 0, so g_file_get_contents is not asked. */
#define FEN_MONITOR_TEXT_BYTES (64 * 1024)
gboolean fen_monitor_read (const char *root, const char *path, char text[FEN_MONITOR_TEXT_BYTES]);

/* The number after `key` at the start of a line ("VmRSS:     1234 kB" -> 1234). */
gboolean fen_monitor_find (const char *text, const char *key, guint64 *value);

void fen_monitor_memory_at (const char *root, FenHostMemory *memory);

G_END_DECLS
