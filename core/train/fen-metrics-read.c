/* fen-metrics-read.c: the reading half of fen-metrics.h: following a file that another process appends to.
 *
 * Only whole lines are consumed, and the place of the next one is kept as a file offset: bytes behind the last newline
 * are read again next time, so it does not matter whether they grow or are cut off by a resumed run. A file that is
 * shorter than what was consumed, or another file under the same name, was replaced: reading begins anew.
 */
#include "core/train/fen-metrics.h"

#include "core/base/fen-error.h"
#include "core/train/fen-train-error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES (2 * FEN_METRICS_MAX_LINE_BYTES)
#define LAST_BYTES (256 * 1024)

struct _FenMetricsReader {
  char *path;
  int fd;
  dev_t device; /* which file `fd` is, to notice another one under the same name */
  ino_t inode;
  off_t offset; /* in the file, of buffer[0] */
  gint64 end;   /* no line behind this byte is taken */
  gsize first;  /* of the unconsumed bytes in the buffer */
  gsize used;
  gint64 line;       /* whole lines consumed */
  gboolean skipping; /* inside a line longer than allowed, already reported */
  char *buffer;
};

FenMetricsReader *
fen_metrics_reader_new (const char *path)
{
  FenMetricsReader *reader = g_new0 (FenMetricsReader, 1);
  reader->path = g_strdup (path);
  reader->fd = -1;
  reader->end = G_MAXINT64;
  reader->buffer = g_malloc (BUFFER_BYTES);
  return reader;
}

void
fen_metrics_reader_free (FenMetricsReader *reader)
{
  if (reader == NULL)
    return;
  if (reader->fd >= 0)
    close (reader->fd);
  g_free (reader->buffer);
  g_free (reader->path);
  g_free (reader);
}

gint64
fen_metrics_reader_line (FenMetricsReader *reader)
{
  return reader->line;
}

void
fen_metrics_reader_stop_at (FenMetricsReader *reader, gint64 bytes)
{
  reader->end = bytes;
}

static void
forget (FenMetricsReader *reader)
{
  if (reader->fd >= 0)
    close (reader->fd);
  reader->fd = -1;
  reader->offset = 0;
  reader->first = reader->used = 0;
  reader->line = 0;
  reader->skipping = FALSE;
}

/* FEN_METRICS_SAMPLE = go on reading. */
static FenMetricsStatus
open_or_check (FenMetricsReader *reader, GError **error)
{
  struct stat named, opened;
  if (stat (reader->path, &named) != 0)
    {
      if (errno != ENOENT)
        {
          fen_error_set_errno (error, errno, reader->path, "cannot read");
          return FEN_METRICS_FAILED;
        }
      if (reader->fd < 0 || reader->line == 0)
        return FEN_METRICS_END;
      forget (reader);
      return FEN_METRICS_RESTARTED;
    }
  if (reader->fd >= 0
      && (named.st_dev != reader->device || named.st_ino != reader->inode
          || named.st_size < reader->offset + (off_t)reader->first))
    {
      forget (reader);
      return FEN_METRICS_RESTARTED;
    }
  if (reader->fd >= 0)
    return FEN_METRICS_SAMPLE;
  /* O_NONBLOCK: a pipe of that name must not hang the window. */
  reader->fd = open (reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (reader->fd < 0 || fstat (reader->fd, &opened) != 0 || !S_ISREG (opened.st_mode))
    {
      fen_error_set_errno (error, reader->fd < 0 ? errno : EINVAL, reader->path, "cannot read");
      forget (reader);
      return FEN_METRICS_FAILED;
    }
  reader->device = opened.st_dev;
  reader->inode = opened.st_ino;
  return FEN_METRICS_SAMPLE;
}

/* Drops what was consumed and what is only part of a line, and reads from there. FALSE: nothing new, or an error. */
static gboolean
refill (FenMetricsReader *reader, GError **error)
{
  reader->offset += (off_t)reader->first;
  reader->first = 0;
  ssize_t got;
  do
    got = pread (reader->fd, reader->buffer, BUFFER_BYTES, reader->offset);
  while (got < 0 && errno == EINTR);
  if (got < 0)
    {
      reader->used = 0;
      return fen_error_set_errno (error, errno, reader->path, "cannot read");
    }
  reader->used = (gsize)got;
  return got > 0;
}

static FenMetricsStatus
take_line (FenMetricsReader *reader, const char *text, gsize length, FenSample *sample, GError **error)
{
  if (length > FEN_METRICS_MAX_LINE_BYTES)
    {
      g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_DAMAGED,
                   "%s: line %" G_GINT64_FORMAT " is longer than %u bytes", reader->path, reader->line,
                   FEN_METRICS_MAX_LINE_BYTES);
      return FEN_METRICS_DAMAGED;
    }
  g_autofree char *where = g_strdup_printf ("%s: line %" G_GINT64_FORMAT, reader->path, reader->line);
  return fen_sample_from_json (sample, text, length, where, error) ? FEN_METRICS_SAMPLE : FEN_METRICS_DAMAGED;
}

FenMetricsStatus
fen_metrics_reader_next (FenMetricsReader *reader, FenSample *sample, GError **error)
{
  gboolean refilled = FALSE;
  for (;;)
    {
      const char *text = reader->buffer + reader->first;
      const gsize left = reader->used - reader->first;
      const char *newline = left > 0 ? memchr (text, '\n', left) : NULL;
      if (newline != NULL)
        {
          const gsize length = (gsize)(newline - text);
          const gboolean reported = reader->skipping;
          if (reader->offset + (off_t)(reader->first + length + 1) > reader->end)
            return FEN_METRICS_END;
          reader->first += length + 1;
          reader->skipping = FALSE;
          if (reported)
            continue;
          reader->line++;
          if (length == 0)
            continue;
          return take_line (reader, text, length, sample, error);
        }
      if (left > FEN_METRICS_MAX_LINE_BYTES)
        {
          /* A line without an end in sight: report it once, then throw its pieces away. */
          const gboolean reported = reader->skipping;
          reader->first = reader->used;
          reader->skipping = TRUE;
          if (reported)
            continue;
          reader->line++;
          return take_line (reader, text, left, sample, error);
        }
      if (refilled && reader->used < BUFFER_BYTES)
        return FEN_METRICS_END;
      const FenMetricsStatus status = open_or_check (reader, error);
      if (status != FEN_METRICS_SAMPLE)
        return status;
      g_autoptr (GError) failure = NULL;
      if (!refill (reader, &failure))
        {
          if (failure == NULL)
            return FEN_METRICS_END;
          g_propagate_error (error, g_steal_pointer (&failure));
          return FEN_METRICS_FAILED;
        }
      refilled = TRUE;
    }
}

void
fen_metrics_last (const char *path, FenSample *train, FenSample *eval)
{
  FenSample sample;
  fen_sample_init (train, FEN_SAMPLE_TRAIN, -1);
  fen_sample_init (eval, FEN_SAMPLE_EVAL, -1);
  struct stat info;
  g_autoptr (FenMetricsReader) reader = fen_metrics_reader_new (path);
  if (open_or_check (reader, NULL) != FEN_METRICS_SAMPLE || fstat (reader->fd, &info) != 0)
    return;
  /* Jumping into the middle of a line: what is left of it is thrown away like the rest of one that is too long. */
  reader->offset = MAX (info.st_size - LAST_BYTES, 0);
  reader->skipping = reader->offset > 0;
  for (;;)
    {
      const FenMetricsStatus status = fen_metrics_reader_next (reader, &sample, NULL);
      if (status == FEN_METRICS_DAMAGED)
        continue;
      if (status != FEN_METRICS_SAMPLE)
        return;
      if (sample.kind == FEN_SAMPLE_TRAIN)
        *train = sample;
      else if (sample.kind == FEN_SAMPLE_EVAL)
        *eval = sample;
    }
}
