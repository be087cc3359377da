/* fen-run-session-private.h: the session's parts.
 *
 *   fen-run-session.c        the door: making, properties, what is known, the beat
 *   fen-run-session-own.c    a trainer of this process: draining, ending, dropping
 *   fen-run-session-watch.c  a folder: bites of a follower, handed over a few milliseconds at a time
 *   fen-run-session-plan.c   the plan and what would make it fit, made on a worker
 *   fen-run-badge.c          the plan in words
 *
 * The beat: while anything goes on (a trainer, a folder that somebody writes, metrics that are still being read), a
 * timeout of 8 Hz drains, flushes the data and tells what changed, once. It stops when there is nothing to do.
 */
#pragma once

#include "gui/run/fen-run-follower-private.h"
#include "gui/run/fen-run-session.h"

G_BEGIN_DECLS

#define FEN_SESSION_BEAT_MS 125
#define FEN_SESSION_BUDGET_US 4000 /* of one turn of the main loop, for adding samples and log lines */

struct _FenRunSession {
  GObject parent_instance;

  FenRunData *data;
  char *path; /* NULL before the folder exists */
  char *name;
  GString *log;
  gboolean own;
  gboolean loading;
  FenTrainerPhase phase;   /* the last one that was told */
  gboolean told_final;     /* likewise */
  gboolean status_changed; /* since the last beat */
  guint beat_source;

  /* own */
  FenTrainer *trainer;     /* NULL once it has ended */
  FenTrainerStatus status; /* of the trainer that has ended */
  GError *error;
  GArray *waiting; /* FenSample: of the ring, while the earlier part is still being read */
  guint next_waiting;
  guint drain_source; /* goes on with what did not fit into one turn's budget */
  gboolean from_file; /* the ring ran over: samples come from metrics.jsonl from now on */
  guint own_beats;

  /* folder */
  FenRunFollower *follower;
  GCancellable *bite; /* of the bite under way; NULL = none */
  FenFollowBatch *batch;
  guint next_item, next_line;
  guint hand_source;     /* goes on with the batch */
  guint bite_source;     /* begins the next bite */
  gboolean bite_of_past; /* begun when no trainer of ours was there: whom it sees training is another one */
  gboolean bite_wanted;  /* when the present one is done */
  gint64 next_info_us;
  GFileMonitor *monitor; /* of a past run's folder: does somebody take it up? */
  FenRunInfo *info;
  gboolean gone;
  gboolean paused;                    /* by what the events say */
  char *config_error, *metrics_error; /* why a file cannot be read */

  /* plan */
  FenConfig *config;
  FenPlan *plan;
  GPtrArray *notes;
  GArray *suggestions;
  GCancellable *planning; /* NULL = not under way */

  char *reason;
};

/* ---- fen-run-session.c ---- */
/* Something that fen_run_session_status or the functions below it say may have changed: told at the next beat. */
void fen_run_session_touch (FenRunSession *self);
/* Own runs too: is somebody training it now? */
gboolean fen_run_session_trains (FenRunSession *self);
void fen_run_session_set_path (FenRunSession *self, const char *path);
void fen_run_session_set_config (FenRunSession *self, FenConfig *config); /* takes it */
void fen_run_session_set_own (FenRunSession *self, gboolean own);
void fen_run_session_add_log (FenRunSession *self, const char *line);
void fen_run_session_add_sample (FenRunSession *self, const FenSample *sample);

/* ---- fen-run-session-own.c ---- */
void fen_run_session_adopt (FenRunSession *self, FenTrainer *trainer);
void fen_run_session_own_beat (FenRunSession *self);
/* Lets go of the trainer without waiting: a running one is stopped, with a checkpoint, by a thread of its own. */
void fen_run_session_drop_trainer (FenRunSession *self);
void fen_run_session_own_status (FenRunSession *self, FenTrainerStatus *status);

/* ---- fen-run-session-watch.c ---- */
/* Begins to read the folder. FEN_FOLLOW_NOW: the metrics that are there at this moment, and no later ones. */
typedef enum { FEN_FOLLOW_LOG, FEN_FOLLOW_NOW, FEN_FOLLOW_ALL } FenFollowWhat;
void fen_run_session_follow (FenRunSession *self, FenFollowWhat what);
void fen_run_session_want_bite (FenRunSession *self);
void fen_run_session_unfollow (FenRunSession *self);
void fen_run_session_watched_status (FenRunSession *self, FenTrainerStatus *status);

/* ---- fen-run-session-plan.c ---- */
/* Plans the folder's configuration. */
void fen_run_session_make_plan (FenRunSession *self);
/* Looks for settings that would make the plan fit. */
void fen_run_session_make_suggestions (FenRunSession *self);
void fen_run_session_cancel_plan (FenRunSession *self);

G_END_DECLS
