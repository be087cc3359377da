/* fen-run-follower-private.h: reads a run folder in bounded bites, on a worker.
 *
 * One bite (fen_run_follower_read) is at most FEN_FOLLOW_MAX_ITEMS samples and 64 KiB of log, so that its memory and
 * the time that the main loop needs for it are bounded whatever the folder holds. The state of the run is read before
 * the metrics: when it says that nobody writes any more, everything that was written is in the files already.
 *
 * A file or folder that disappears takes nothing away: samples are forgotten (FEN_METRICS_RESTARTED) only when the first
 * one of their successor has been read.
 *
 * Threads: reference counted atomically; a follower is used by one bite at a time.
 */
#pragma once

#include "core/train/fen-metrics.h"
#include "core/train/fen-run-folder.h"

#include <gio/gio.h>

G_BEGIN_DECLS

#define FEN_FOLLOW_MAX_ITEMS 1024

typedef struct _FenRunFollower FenRunFollower;

typedef struct {
  FenMetricsStatus status; /* SAMPLE, DAMAGED (the reason is in sample.text) or RESTARTED */
  FenSample sample;
} FenFollowItem;

typedef struct {
  GArray *items;       /* FenFollowItem, in the file's order */
  GPtrArray *log;      /* lines of log.txt (char *, valid UTF-8), without newline */
  gboolean more;       /* there is more to read at once */
  gboolean gone;       /* the folder is not there (any more) */
  FenRunInfo *info;    /* NULL: not looked at this time */
  FenConfig *config;   /* NULL: as it was, or not readable */
  char *config_error;  /* why config.json is not readable, when it changed */
  char *metrics_error; /* why metrics.jsonl is not readable */
} FenFollowBatch;

FenRunFollower *fen_run_follower_new (const char *path, gboolean with_metrics);
FenRunFollower *fen_run_follower_ref (FenRunFollower *self);
void fen_run_follower_unref (FenRunFollower *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenRunFollower, fen_run_follower_unref)

/* Metrics up to the end of the last whole line of now, and no further: what comes after it comes another way. Reads at
 * most 64 KiB. */
void fen_run_follower_stop_here (FenRunFollower *self);
/* From the next bite on. */
void fen_run_follower_set_metrics (FenRunFollower *self, gboolean with_metrics);

/* `with_info`: look at the run's state too; the first bite always does. Stops early when cancelled. */
FenFollowBatch *fen_run_follower_read (FenRunFollower *self, gboolean with_info, GCancellable *cancellable);
void fen_follow_batch_free (FenFollowBatch *batch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenFollowBatch, fen_follow_batch_free)

G_END_DECLS
