/* fen-io.c: whole-or-nothing files and the few folder operations around them (see fen-io.h). */
#include "core/base/fen-io.h"

#include "core/base/fen-error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

#define BUFFER_BYTES (256 * 1024)

struct _FenFileWriter {
  char *path;      /* the target; the file behind it when it is a symbolic link */
  char *temporary; /* beside it; NULL once renamed or removed */
  int fd;
  guchar *buffer;
  gsize used;      /* bytes in `buffer` */
  guint64 written; /* bytes accepted, `used` included */
  XXH3_state_t *hash;
  GError *first_error;
};

static void
hash_to_hex (XXH3_state_t *state, char hash[33])
{
  XXH128_hash_t value = XXH3_128bits_digest (state);
  g_snprintf (hash, 33, "%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", (guint64)value.high64,
              (guint64)value.low64);
}

/* The file that a write to `path` replaces. A device, a folder or a pipe must not be renamed over. */
static char *
resolve_target (const char *path, GError **error)
{
  struct stat info;
  if (lstat (path, &info) != 0)
    return g_strdup (path);
  g_autofree char *resolved = g_strdup (path);
  if (S_ISLNK (info.st_mode))
    {
      char *real = realpath (path, NULL);
      if (real == NULL || stat (real, &info) != 0)
        {
          int saved = errno;
          free (real);
          fen_error_set_errno (error, saved, path, "cannot follow the symbolic link");
          return NULL;
        }
      g_free (resolved);
      resolved = g_strdup (real);
      free (real);
    }
  if (!S_ISREG (info.st_mode))
    {
      g_autofree char *shown = g_filename_display_name (path);
      g_set_error (error, G_FILE_ERROR, S_ISDIR (info.st_mode) ? G_FILE_ERROR_ISDIR : G_FILE_ERROR_INVAL,
                   "%s: cannot write: %s", shown,
                   S_ISDIR (info.st_mode) ? "is a folder" : "not a regular file");
      return NULL;
    }
  return g_steal_pointer (&resolved);
}

/* mkstemp would make the file 0600; a run's files follow the umask like any other. */
static int
open_temporary (const char *path, char **temporary)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *base = g_path_get_basename (path);
  for (int attempt = 0; attempt < 100; attempt++)
    {
      g_autofree char *name = g_strdup_printf (".%.200s.%08x.tmp", base, g_random_int ());
      g_autofree char *candidate = g_build_filename (folder, name, NULL);
      int fd = open (candidate, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (fd >= 0)
        {
          *temporary = g_steal_pointer (&candidate);
          return fd;
        }
      if (errno != EEXIST)
        return -1;
    }
  return -1;
}

FenFileWriter *
fen_file_writer_new (const char *path, GError **error)
{
  g_autofree char *target = resolve_target (path, error);
  if (target == NULL)
    return NULL;
  g_autofree char *temporary = NULL;
  int fd = open_temporary (target, &temporary);
  if (fd < 0)
    {
      fen_error_set_errno (error, errno, path, "cannot create");
      return NULL;
    }
  FenFileWriter *writer = g_new0 (FenFileWriter, 1);
  writer->path = g_steal_pointer (&target);
  writer->temporary = g_steal_pointer (&temporary);
  writer->fd = fd;
  writer->buffer = g_malloc (BUFFER_BYTES);
  writer->hash = XXH3_createState ();
  XXH3_128bits_reset (writer->hash);
  return writer;
}

static gboolean
write_fully (FenFileWriter *writer, const guchar *data, gsize bytes)
{
  while (bytes > 0)
    {
      gssize done = write (writer->fd, data, bytes);
      if (done < 0 && errno == EINTR)
        continue;
      if (done <= 0)
        return fen_error_set_errno (&writer->first_error, done == 0 ? ENOSPC : errno, writer->path,
                                    "cannot write");
      data += done;
      bytes -= (gsize)done;
    }
  return TRUE;
}

static gboolean
flush (FenFileWriter *writer)
{
  gsize used = writer->used;
  writer->used = 0;
  return write_fully (writer, writer->buffer, used);
}

static gboolean
report_first_error (FenFileWriter *writer, GError **error)
{
  g_propagate_error (error, g_error_copy (writer->first_error));
  return FALSE;
}

gboolean
fen_file_writer_write (FenFileWriter *writer, const void *data, gsize bytes, GError **error)
{
  if (writer->first_error != NULL)
    return report_first_error (writer, error);
  if (bytes == 0)
    return TRUE;
  XXH3_128bits_update (writer->hash, data, bytes);
  writer->written += bytes;
  if (writer->used + bytes > BUFFER_BYTES && !flush (writer))
    return report_first_error (writer, error);
  if (bytes >= BUFFER_BYTES)
    return write_fully (writer, data, bytes) || report_first_error (writer, error);
  memcpy (writer->buffer + writer->used, data, bytes);
  writer->used += bytes;
  return TRUE;
}

guint64
fen_file_writer_tell (FenFileWriter *writer)
{
  return writer->written;
}

static gboolean
close_file (FenFileWriter *writer)
{
  int fd = writer->fd;
  writer->fd = -1;
  /* Linux frees the descriptor even when close reports EINTR; a delayed write error shows up as EIO or ENOSPC. */
  if (close (fd) != 0 && errno != EINTR)
    return fen_error_set_errno (&writer->first_error, errno, writer->path, "cannot write");
  return TRUE;
}

gboolean
fen_file_writer_commit (FenFileWriter *writer, char hash[33], GError **error)
{
  if (writer->first_error != NULL)
    return report_first_error (writer, error);
  g_return_val_if_fail (writer->temporary != NULL, FALSE);

  if (!flush (writer))
    return report_first_error (writer, error);
  if (fsync (writer->fd) != 0)
    {
      fen_error_set_errno (&writer->first_error, errno, writer->path, "cannot write to the disk");
      return report_first_error (writer, error);
    }
  if (!close_file (writer))
    return report_first_error (writer, error);
  if (!fen_io_rename (writer->temporary, writer->path, &writer->first_error))
    {
      /* The rename itself may have happened (the folder's fsync failed): then there is nothing to remove. */
      return report_first_error (writer, error);
    }
  g_clear_pointer (&writer->temporary, g_free);
  if (hash != NULL)
    hash_to_hex (writer->hash, hash);
  return TRUE;
}

void
fen_file_writer_free (FenFileWriter *writer)
{
  if (writer == NULL)
    return;
  if (writer->fd >= 0)
    close (writer->fd);
  if (writer->temporary != NULL)
    unlink (writer->temporary);
  XXH3_freeState (writer->hash);
  g_clear_error (&writer->first_error);
  g_free (writer->buffer);
  g_free (writer->temporary);
  g_free (writer->path);
  g_free (writer);
}

gboolean
fen_io_write_file (const char *path, const char *text, gsize bytes, GError **error)
{
  g_autoptr (FenFileWriter) writer = fen_file_writer_new (path, error);
  return writer != NULL && fen_file_writer_write (writer, text, bytes, error)
         && fen_file_writer_commit (writer, NULL, error);
}

gboolean
fen_io_hash_file (const char *path, char hash[33], GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return fen_error_set_errno (error, errno, path, "cannot open");
  g_autofree guchar *buffer = g_malloc (BUFFER_BYTES);
  XXH3_state_t *state = XXH3_createState ();
  XXH3_128bits_reset (state);
  gboolean ok = TRUE;
  for (;;)
    {
      gssize got = read (fd, buffer, BUFFER_BYTES);
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        ok = fen_error_set_errno (error, errno, path, "cannot read");
      if (got <= 0)
        break;
      XXH3_128bits_update (state, buffer, (gsize)got);
    }
  if (ok)
    hash_to_hex (state, hash);
  XXH3_freeState (state);
  close (fd);
  return ok;
}

gboolean
fen_io_make_folder (const char *path, GError **error)
{
  if (g_mkdir_with_parents (path, 0777) != 0)
    return fen_error_set_errno (error, errno, path, "cannot make the folder");
  return TRUE;
}

gboolean
fen_io_sync_folder (const char *path, GError **error)
{
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return fen_error_set_errno (error, errno, path, "cannot open the folder");
  int saved = fsync (fd) == 0 ? 0 : errno;
  close (fd);
  /* EINVAL: this file system has no fsync for folders; there is nothing more that anybody could do. */
  if (saved != 0 && saved != EINVAL)
    return fen_error_set_errno (error, saved, path, "cannot write the folder to the disk");
  return TRUE;
}

/* Removes what the folder `fd` holds and closes it. `path` names it in errors. */
static gboolean
remove_content (int fd, const char *path, GError **error)
{
  DIR *folder = fdopendir (fd);
  if (folder == NULL)
    {
      int saved = errno;
      close (fd);
      return fen_error_set_errno (error, saved, path, "cannot read the folder");
    }
  gboolean ok = TRUE;
  struct dirent *entry;
  while (ok && (errno = 0, entry = readdir (folder)) != NULL)
    {
      if (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0)
        continue;
      g_autofree char *child = g_build_filename (path, entry->d_name, NULL);
      int inner = openat (dirfd (folder), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      gboolean is_folder = inner >= 0;
      if (is_folder)
        ok = remove_content (inner, child, error);
      else if (errno != ENOTDIR && errno != ELOOP && errno != ENOENT)
        ok = fen_error_set_errno (error, errno, child, "cannot open the folder");
      if (ok && unlinkat (dirfd (folder), entry->d_name, is_folder ? AT_REMOVEDIR : 0) != 0
          && errno != ENOENT)
        ok = fen_error_set_errno (error, errno, child, "cannot remove");
    }
  if (ok && errno != 0)
    ok = fen_error_set_errno (error, errno, path, "cannot read the folder");
  closedir (folder);
  return ok;
}

gboolean
fen_io_remove_tree (const char *path, GError **error)
{
  struct stat info;
  if (lstat (path, &info) != 0)
    return errno == ENOENT || fen_error_set_errno (error, errno, path, "cannot remove");
  if (S_ISDIR (info.st_mode))
    {
      int fd = open (path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (fd < 0)
        return fen_error_set_errno (error, errno, path, "cannot open the folder");
      if (!remove_content (fd, path, error))
        return FALSE;
    }
  if (remove (path) != 0 && errno != ENOENT)
    return fen_error_set_errno (error, errno, path, "cannot remove");
  return TRUE;
}

gboolean
fen_io_rename (const char *from, const char *to, GError **error)
{
  if (rename (from, to) != 0)
    {
      g_autofree char *what = NULL;
      g_autofree char *shown = g_filename_display_name (from);
      what = g_strdup_printf ("cannot rename %s to it", shown);
      return fen_error_set_errno (error, errno, to, what);
    }
  g_autofree char *from_folder = g_path_get_dirname (from);
  g_autofree char *to_folder = g_path_get_dirname (to);
  if (!fen_io_sync_folder (to_folder, error))
    return FALSE;
  return strcmp (from_folder, to_folder) == 0 || fen_io_sync_folder (from_folder, error);
}

gboolean
fen_io_free_bytes (const char *path, guint64 *bytes, GError **error)
{
  g_autofree char *place = g_strdup (path);
  struct statvfs info;
  while (statvfs (place, &info) != 0)
    {
      int saved = errno;
      char *parent = g_path_get_dirname (place);
      if ((saved != ENOENT && saved != ENOTDIR) || strcmp (parent, place) == 0)
        {
          g_free (parent);
          return fen_error_set_errno (error, saved, path, "cannot ask for the free space");
        }
      g_free (place);
      place = parent;
    }
  *bytes = (guint64)info.f_bavail * (guint64)info.f_frsize;
  return TRUE;
}
