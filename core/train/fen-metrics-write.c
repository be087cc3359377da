/* fen-metrics-write.c: the writing half of fen-metrics.h. */
#include "core/train/fen-metrics.h"

#include "core/base/fen-error.h"
#include "core/train/fen-train-error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One file that lines are appended to; `end` is where the last whole line ends. */
typedef struct {
  char *path;
  int fd; /* -1 = not used */
  off_t end;
  gboolean torn; /* a failed write may have left bytes behind `end` */
} LineFile;

struct _FenMetricsWriter {
  LineFile main, copy;
};

/* Where the last whole line of the open file ends: behind its last newline. */
static off_t
find_whole_end (int fd, off_t size)
{
  char block[4096];
  for (off_t end = size; end > 0;)
    {
      const off_t start = MAX (end - (off_t)sizeof block, 0);
      const ssize_t got = pread (fd, block, (size_t)(end - start), start);
      if (got <= 0)
        return size;
      const char *newline = memrchr (block, '\n', (size_t)got);
      if (newline != NULL)
        return start + (newline - block) + 1;
      end = start;
    }
  return 0;
}

/* Does an existing file look like metrics? An empty one may be taken too. */
static gboolean
check_is_metrics (const LineFile *file, off_t size, GError **error)
{
  if (size == 0)
    return TRUE;
  g_autofree char *block = g_malloc (FEN_METRICS_MAX_LINE_BYTES);
  const ssize_t got = pread (file->fd, block, FEN_METRICS_MAX_LINE_BYTES, 0);
  const char *newline = got > 0 ? memchr (block, '\n', (size_t)got) : NULL;
  FenSample sample;
  if (newline != NULL && fen_sample_from_json (&sample, block, (gsize)(newline - block), file->path, NULL))
    return TRUE;
  g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_DAMAGED,
               "log_file: %s exists and is not a metrics file; it is not overwritten, choose another name",
               file->path);
  return FALSE;
}

static gboolean
open_lines (LineFile *file, const char *path, gboolean truncate, gboolean check, GError **error)
{
  struct stat info;
  file->path = g_strdup (path);
  file->fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file->fd < 0)
    return fen_error_set_errno (error, errno, path, "cannot open for writing");
  if (fstat (file->fd, &info) != 0)
    return fen_error_set_errno (error, errno, path, "cannot open for writing");
  /* A pipe or terminal (/dev/stderr) has no end to look for. */
  if (!S_ISREG (info.st_mode))
    {
      file->end = -1;
      return TRUE;
    }
  if (check && !check_is_metrics (file, info.st_size, error))
    return FALSE;
  file->end = truncate ? 0 : find_whole_end (file->fd, info.st_size);
  if (file->end < info.st_size && ftruncate (file->fd, file->end) != 0)
    return fen_error_set_errno (error, errno, path, "cannot cut off the torn last line");
  return TRUE;
}

static gboolean
fail_cannot_write (GError **error, int errnum, const char *path)
{
  g_autofree char *shown = g_filename_display_name (path);
  g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_CANNOT_WRITE,
               "log_file: %s: cannot open for writing: %s", shown, g_strerror (errnum));
  return FALSE;
}

gboolean
fen_metrics_check_copy (const char *path, GError **error)
{
  g_autofree char *full = g_canonicalize_filename (path, NULL);
  g_autofree char *folder = g_path_get_dirname (full);
  g_autofree char *state = g_build_filename (folder, "run.json", NULL);
  LineFile file = { .path = full };
  struct stat info;
  if (g_file_test (state, G_FILE_TEST_EXISTS))
    {
      g_set_error (
          error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_DAMAGED,
          "log_file: %s is inside of the folder of a run, which would be harmed; choose another place", full);
      return FALSE;
    }
  file.fd = open (full, O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (file.fd < 0)
    {
      const int failure = errno;
      if (failure == ENXIO) /* a pipe that nobody reads yet */
        return TRUE;
      if (failure != ENOENT)
        return fail_cannot_write (error, failure, full);
      return access (folder, W_OK | X_OK) == 0 || fail_cannot_write (error, errno, full);
    }
  const gboolean ok = fstat (file.fd, &info) != 0 || !S_ISREG (info.st_mode)
                      || check_is_metrics (&file, info.st_size, error);
  close (file.fd);
  return ok;
}

static void
close_lines (LineFile *file)
{
  if (file->fd >= 0)
    close (file->fd);
  g_free (file->path);
}

FenMetricsWriter *
fen_metrics_writer_new (const char *path, const char *copy_path, gboolean append_copy, GError **error)
{
  g_autoptr (FenMetricsWriter) writer = g_new0 (FenMetricsWriter, 1);
  writer->main.fd = writer->copy.fd = -1;
  if (!open_lines (&writer->main, path, FALSE, FALSE, error))
    return NULL;
  if (copy_path != NULL && *copy_path != '\0'
      && !open_lines (&writer->copy, copy_path, !append_copy, TRUE, error))
    return NULL;
  return g_steal_pointer (&writer);
}

void
fen_metrics_writer_free (FenMetricsWriter *writer)
{
  if (writer == NULL)
    return;
  close_lines (&writer->main);
  close_lines (&writer->copy);
  g_free (writer);
}

static gboolean
append (LineFile *file, const char *line, gsize length, GError **error)
{
  if (file->fd < 0)
    return TRUE;
  if (file->torn && ftruncate (file->fd, file->end) != 0)
    return fen_error_set_errno (error, errno, file->path, "cannot cut off the torn last line");
  file->torn = FALSE;
  for (gsize done = 0; done < length;)
    {
      const ssize_t got = file->end >= 0
                              ? pwrite (file->fd, line + done, length - done, file->end + (off_t)done)
                              : write (file->fd, line + done, length - done);
      if (got < 0 && errno == EINTR)
        continue;
      if (got <= 0)
        {
          const int saved = got == 0 ? ENOSPC : errno;
          file->torn = file->end >= 0 && ftruncate (file->fd, file->end) != 0;
          return fen_error_set_errno (error, saved, file->path, "cannot write");
        }
      done += (gsize)got;
    }
  if (file->end >= 0)
    file->end += (off_t)length;
  return TRUE;
}

gboolean
fen_metrics_writer_write (FenMetricsWriter *writer, const FenSample *sample, GError **error)
{
  g_autofree char *json = fen_sample_to_json (sample);
  g_autofree char *line = g_strconcat (json, "\n", NULL);
  const gsize length = strlen (line);
  const gboolean main_ok = append (&writer->main, line, length, error);
  /* The copy gets its line even when the original could not; the first error is the one that is told. */
  return append (&writer->copy, line, length, main_ok ? error : NULL) && main_ok;
}

gboolean
fen_metrics_writer_sync (FenMetricsWriter *writer, GError **error)
{
  /* EINVAL, EROFS: a pipe or terminal that has nothing to sync. */
  if (fdatasync (writer->main.fd) != 0 && errno != EINVAL && errno != EROFS)
    return fen_error_set_errno (error, errno, writer->main.path, "cannot write to the disk");
  return TRUE;
}
