/* fen-io.h: files that are whole or not there.
 *
 * A file that matters is written to a temporary name in the same folder, written completely, fsynced, renamed over
 * the target, and the folder fsynced: after a crash at any moment the target is the old file or the new one.
 * Every failure (full disk, read-only, quota) is an error that names the path and errno's words; the temporary
 * file is removed. A process killed while it writes leaves a ".NAME.xxxxxxxx.tmp" behind, never a half target. A
 * symbolic link is followed; a device, pipe or folder is refused.
 *
 * Threads: reentrant.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* A file being written under a temporary name beside `path`. Buffered; keeps the first error and ignores what
 * follows it, so a writer may check once, at commit. */
typedef struct _FenFileWriter FenFileWriter;

FenFileWriter *fen_file_writer_new (const char *path, GError **error);
gboolean fen_file_writer_write (FenFileWriter *writer, const void *data, gsize bytes, GError **error);
/* Bytes written so far. */
guint64 fen_file_writer_tell (FenFileWriter *writer);
/* Flush, fsync, rename, fsync the folder. `hash` (may be NULL) receives XXH3-128 of the content in hex. */
gboolean fen_file_writer_commit (FenFileWriter *writer, char hash[33], GError **error);
/* Removes the temporary file unless committed. */
void fen_file_writer_free (FenFileWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenFileWriter, fen_file_writer_free)

/* One call for small files. */
gboolean fen_io_write_file (const char *path, const char *text, gsize bytes, GError **error);

/* XXH3-128 of a file's content, in hex. */
gboolean fen_io_hash_file (const char *path, char hash[33], GError **error);

gboolean fen_io_make_folder (const char *path, GError **error); /* with parents, 0777 & ~umask */
gboolean fen_io_sync_folder (const char *path, GError **error); /* fsync of the directory */
gboolean fen_io_remove_tree (const char *path,
                             GError **error); /* follows no symbolic link; TRUE when not there */
/* Renames within one file system and fsyncs the parent. */
gboolean fen_io_rename (const char *from, const char *to, GError **error);
/* Free bytes for this user where `path` is (or its nearest existing parent). */
gboolean fen_io_free_bytes (const char *path, guint64 *bytes, GError **error);

/* "1.5 GiB", "640 KiB", "12 bytes": for people, three significant digits. Free with g_free. */
char *fen_format_bytes (guint64 bytes);
/* "8GiB", "8G" (binary), "8GB" (decimal), "512MiB", "123456": FALSE when it is none of these or overflows. */
gboolean fen_parse_bytes (const char *text, guint64 *bytes);

G_END_DECLS
