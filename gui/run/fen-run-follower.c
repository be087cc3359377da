/* fen-run-follower.c: reading a run folder in bites (see fen-run-follower-private.h). */
#include "gui/run/fen-run-follower-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_BITE_BYTES (64 * 1024)
/* Of a long log the end is shown: a year of steps is no help when looking for what went wrong today. */
#define LOG_FIRST_BYTES (1024 * 1024)
/* A bite is over then, however few items it has: what was read should be seen soon. */
#define BITE_US (50 * 1000)

/* What tells one version of a small file from the next. */
typedef struct {
  dev_t device;
  ino_t inode;
  off_t bytes;
  struct timespec changed;
} Stamp;

struct _FenRunFollower {
  gatomicrefcount references;
  char *path;

  char *metrics_path;
  FenMetricsReader *metrics;
  gboolean with_metrics;
  gboolean restarted; /* not told yet: the successor may never come */

  char *log_path;
  Stamp log;         /* of the file that `log_offset` counts in; inode 0 = none yet */
  off_t log_offset;  /* of the first byte that was not given out */
  gboolean log_skip; /* begins inside a line: it is thrown away */

  char *config_path;
  Stamp config;
  gboolean looked; /* the first bite is done */
};

FenRunFollower *
fen_run_follower_new (const char *path, gboolean with_metrics)
{
  FenRunFollower *self = g_new0 (FenRunFollower, 1);
  g_atomic_ref_count_init (&self->references);
  self->path = g_strdup (path);
  self->metrics_path = g_build_filename (path, "metrics.jsonl", NULL);
  self->log_path = g_build_filename (path, "log.txt", NULL);
  self->config_path = g_build_filename (path, "config.json", NULL);
  self->metrics = fen_metrics_reader_new (self->metrics_path);
  self->with_metrics = with_metrics;
  return self;
}

FenRunFollower *
fen_run_follower_ref (FenRunFollower *self)
{
  g_atomic_ref_count_inc (&self->references);
  return self;
}

void
fen_run_follower_unref (FenRunFollower *self)
{
  if (!g_atomic_ref_count_dec (&self->references))
    return;
  fen_metrics_reader_free (self->metrics);
  g_free (self->metrics_path);
  g_free (self->log_path);
  g_free (self->config_path);
  g_free (self->path);
  g_free (self);
}

void
fen_run_follower_set_metrics (FenRunFollower *self, gboolean with_metrics)
{
  self->with_metrics = with_metrics;
}

void
fen_run_follower_stop_here (FenRunFollower *self)
{
  char text[FEN_METRICS_MAX_LINE_BYTES];
  struct stat info;
  gint64 end = 0;
  const int fd = open (self->metrics_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd >= 0 && fstat (fd, &info) == 0)
    {
      const off_t first = MAX (info.st_size - (off_t)sizeof text, 0);
      const ssize_t got = pread (fd, text, sizeof text, first);
      const char *newline = got > 0 ? memrchr (text, '\n', (gsize)got) : NULL;
      end = newline != NULL ? first + (newline - text) + 1 : info.st_size;
    }
  if (fd >= 0)
    close (fd);
  fen_metrics_reader_stop_at (self->metrics, end);
}

void
fen_follow_batch_free (FenFollowBatch *batch)
{
  if (batch == NULL)
    return;
  g_array_unref (batch->items);
  g_ptr_array_unref (batch->log);
  g_clear_pointer (&batch->info, fen_run_info_free);
  g_clear_pointer (&batch->config, fen_config_free);
  g_free (batch->config_error);
  g_free (batch->metrics_error);
  g_free (batch);
}

/* ---- small files ---- */

static gboolean
stamp_of (const char *path, Stamp *stamp)
{
  struct stat info;
  *stamp = (Stamp){ 0 };
  if (stat (path, &info) != 0)
    return FALSE;
  *stamp = (Stamp){
    .device = info.st_dev, .inode = info.st_ino, .bytes = info.st_size, .changed = info.st_mtim
  };
  return TRUE;
}

static gboolean
same_stamp (const Stamp *a, const Stamp *b)
{
  return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes
         && a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* A resumed run may have other settings (more steps): config.json is read again when it changed. */
static void
read_config (FenRunFollower *self, FenFollowBatch *batch)
{
  Stamp stamp;
  stamp_of (self->config_path, &stamp);
  if (self->looked && same_stamp (&stamp, &self->config))
    return;
  self->config = stamp;
  g_autoptr (GError) error = NULL;
  g_autoptr (FenConfig) config = fen_config_new ();
  if (fen_config_load (config, self->config_path, &error))
    batch->config = g_steal_pointer (&config);
  else
    batch->config_error = g_strdup (error->message);
}

/* ---- metrics ---- */

static void
add_item (FenFollowBatch *batch, FenMetricsStatus status, const FenSample *sample, const char *reason)
{
  const guint n = batch->items->len;
  g_array_set_size (batch->items, n + 1);
  FenFollowItem *item = &g_array_index (batch->items, FenFollowItem, n);
  item->status = status;
  if (sample != NULL)
    item->sample = *sample;
  else
    fen_sample_init_event (&item->sample, 0, FEN_EVENT_WARNING, "", reason != NULL ? reason : "");
}

static void
add_line (FenRunFollower *self, FenFollowBatch *batch, FenMetricsStatus status, const FenSample *sample,
          const char *reason)
{
  if (self->restarted)
    add_item (batch, FEN_METRICS_RESTARTED, NULL, NULL);
  self->restarted = FALSE;
  add_item (batch, status, sample, reason);
}

static void
read_metrics (FenRunFollower *self, FenFollowBatch *batch, GCancellable *cancellable)
{
  const gint64 until = g_get_monotonic_time () + BITE_US;
  FenSample sample;
  while (batch->items->len < FEN_FOLLOW_MAX_ITEMS && g_get_monotonic_time () < until
         && !g_cancellable_is_cancelled (cancellable))
    {
      g_autoptr (GError) error = NULL;
      switch (fen_metrics_reader_next (self->metrics, &sample, &error))
        {
        case FEN_METRICS_SAMPLE:
          add_line (self, batch, FEN_METRICS_SAMPLE, &sample, NULL);
          break;
        case FEN_METRICS_DAMAGED:
          add_line (self, batch, FEN_METRICS_DAMAGED, NULL, error->message);
          break;
        case FEN_METRICS_RESTARTED:
          self->restarted = TRUE;
          break;
        case FEN_METRICS_FAILED:
          batch->metrics_error = g_strdup (error->message);
          return;
        case FEN_METRICS_END:
          return;
        }
    }
  batch->more = TRUE;
}

/* ---- log ---- */

/* Where to begin with a file that was not read before. */
static void
begin_log (FenRunFollower *self, const Stamp *stamp)
{
  self->log_offset = MAX (stamp->bytes - LOG_FIRST_BYTES, 0);
  self->log_skip = self->log_offset > 0;
}

/* Gives out the whole lines of `text`; returns the bytes that they take. */
static gsize
take_lines (FenRunFollower *self, FenFollowBatch *batch, const char *text, gsize bytes)
{
  gsize taken = 0;
  const char *newline;
  while ((newline = memchr (text + taken, '\n', bytes - taken)) != NULL)
    {
      const gsize length = (gsize)(newline - text) - taken;
      if (!self->log_skip)
        g_ptr_array_add (batch->log, g_utf8_make_valid (text + taken, (gssize)length));
      self->log_skip = FALSE;
      taken += length + 1;
    }
  if (taken == 0 && bytes == LOG_BITE_BYTES)
    {
      /* No log of ours has such a line: it is given out in pieces. */
      g_ptr_array_add (batch->log, g_utf8_make_valid (text, (gssize)bytes));
      return bytes;
    }
  return taken;
}

static void
read_log (FenRunFollower *self, FenFollowBatch *batch)
{
  Stamp stamp;
  if (!stamp_of (self->log_path, &stamp))
    return;
  if (self->log.inode != stamp.inode || self->log.device != stamp.device || stamp.bytes < self->log_offset)
    begin_log (self, &stamp);
  self->log = stamp;
  if (stamp.bytes <= self->log_offset)
    return;
  const int fd = open (self->log_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return;
  g_autofree char *text = g_malloc (LOG_BITE_BYTES);
  const ssize_t got = pread (fd, text, LOG_BITE_BYTES, self->log_offset);
  close (fd);
  if (got <= 0)
    return;
  self->log_offset += (off_t)take_lines (self, batch, text, (gsize)got);
  batch->more |= got == LOG_BITE_BYTES;
}

/* ---- a bite ---- */

FenFollowBatch *
fen_run_follower_read (FenRunFollower *self, gboolean with_info, GCancellable *cancellable)
{
  FenFollowBatch *batch = g_new0 (FenFollowBatch, 1);
  batch->items = g_array_new (FALSE, FALSE, sizeof (FenFollowItem));
  batch->log = g_ptr_array_new_with_free_func (g_free);
  if (!g_file_test (self->path, G_FILE_TEST_IS_DIR))
    {
      batch->gone = TRUE;
      return batch;
    }
  if (with_info || !self->looked)
    batch->info = fen_run_info (self->path);
  read_config (self, batch);
  self->looked = TRUE;
  if (self->with_metrics)
    read_metrics (self, batch, cancellable);
  read_log (self, batch);
  return batch;
}
