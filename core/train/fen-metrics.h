/* fen-metrics.h: metrics.jsonl, written line by line and followed while it grows.
 *
 * One JSON object a line (fen-sample.h). Each line is written with one write call, so a reader in another process
 * sees whole lines, save for the last one after a crash or a full disk. Nothing is fsynced here: metrics must not
 * cost tokens; the trainer syncs at checkpoints.
 *
 * Threads: a writer or reader is used by one thread at a time.
 */
#pragma once

#include "core/train/fen-sample.h"

G_BEGIN_DECLS

#define FEN_METRICS_MAX_LINE_BYTES (64u << 10)

typedef struct _FenMetricsWriter FenMetricsWriter;

/* May a new run write its copy to `path`? Asked before anything is made: a place that cannot be written
 * (FEN_TRAIN_ERROR_CANNOT_WRITE), a file that is no metrics file, or another run's own metrics (_DAMAGED) is an error
 * that names it. Changes nothing. */
gboolean fen_metrics_check_copy (const char *path, GError **error);
/* Opens `path` for appending; a torn last line (killed while writing) is cut off. `copy_path` (NULL or "" = none) gets
 * the same lines: a new run begins it anew, a resumed one (`append_copy`) appends. A file there that does not begin
 * with a metrics line is not ours and is an error, not overwritten. */
FenMetricsWriter *fen_metrics_writer_new (const char *path, const char *copy_path, gboolean append_copy,
                                          GError **error);
void fen_metrics_writer_free (FenMetricsWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenMetricsWriter, fen_metrics_writer_free)

/* Appends a line to both files. After a failure (full disk) nothing half-written stays, and later calls try again. */
gboolean fen_metrics_writer_write (FenMetricsWriter *writer, const FenSample *sample, GError **error);
/* Before a checkpoint counts: what it supersedes must be on the disk too. */
gboolean fen_metrics_writer_sync (FenMetricsWriter *writer, GError **error);

typedef struct _FenMetricsReader FenMetricsReader;

typedef enum {
  FEN_METRICS_SAMPLE,    /* *sample is filled */
  FEN_METRICS_DAMAGED,   /* a damaged line, named by number in *error; the next call goes on behind it */
  FEN_METRICS_RESTARTED, /* the file was replaced or cut: forget all samples, reading begins anew */
  FEN_METRICS_END,       /* no further whole line now; call again when the file has grown */
  FEN_METRICS_FAILED,    /* the file cannot be read: *error says why; a missing file is FEN_METRICS_END */
} FenMetricsStatus;

/* The file is opened at the first read; it need not exist yet. */
FenMetricsReader *fen_metrics_reader_new (const char *path);
void fen_metrics_reader_free (FenMetricsReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenMetricsReader, fen_metrics_reader_free)

/* Takes no line that ends behind this byte of the file: FEN_METRICS_END comes before it. For a reader of what was there
 * at some moment, while a writer goes on. */
void fen_metrics_reader_stop_at (FenMetricsReader *reader, gint64 bytes);

FenMetricsStatus fen_metrics_reader_next (FenMetricsReader *reader, FenSample *sample, GError **error);
gint64 fen_metrics_reader_line (FenMetricsReader *reader); /* number of the last line read, from 1 */

/* The last train and eval lines of a file, found from its end (at most the last 256 KiB are looked at): for lists of
 * runs. `step` stays -1 in what was not found. */
void fen_metrics_last (const char *path, FenSample *train, FenSample *eval);

G_END_DECLS
