/* fen-run-session.h: a run as the window shows it, whoever trains it.
 *
 * Three kinds behind one face:
 *   - own: a FenTrainer of this process (fen_run_session_new, _new_resume);
 *   - watched: a run folder that another process writes: metrics.jsonl, run.json and log.txt are followed;
 *   - past: a run folder that nobody writes.
 * A past run turns into a watched one when somebody takes its lock, and back.
 *
 * Nothing here blocks: files are read on a worker, batches are handed to the main loop, and each turn of the main loop
 * takes at most a few milliseconds of them. Samples of an own run are drained from the trainer's ring on a timeout of
 * 8 Hz, not one wake-up a sample.
 *
 * Properties (all notify): data (FenRunData), phase (int), path (string, NULL before the folder exists), own (boolean),
 * final (boolean). Signal "status-changed": anything of fen_run_session_status or below may have changed; at most 8
 * times a second. Thread: main.
 */
#pragma once

#include "core/train/fen-trainer.h"
#include "gui/run/fen-run-data.h"

G_BEGIN_DECLS

#define FEN_TYPE_RUN_SESSION (fen_run_session_get_type ())
G_DECLARE_FINAL_TYPE (FenRunSession, fen_run_session, FEN, RUN_SESSION, GObject)

/* Starts a new run in this process. The configuration is copied. NULL with an error when it is refused at once; what
 * turns out later (model, memory, text) ends in phase FAILED. */
FenRunSession *fen_run_session_new (const FenConfig *config, GError **error);
/* Goes on with a run folder in this process; `steps` > 0 lengthens it. `data` of the earlier part is read first. */
FenRunSession *fen_run_session_new_resume (const char *path, gint64 steps, GError **error);
/* Shows a run folder. Never fails: what cannot be read is the status' business. */
FenRunSession *fen_run_session_new_watch (const char *path);

gboolean fen_run_session_is_own (FenRunSession *self);
gboolean fen_run_session_is_active (FenRunSession *self);  /* being trained by somebody now */
gboolean fen_run_session_is_loading (FenRunSession *self); /* earlier metrics are still being read */
FenRunData *fen_run_session_get_data (FenRunSession *self);
const char *fen_run_session_get_path (FenRunSession *self);
const char *fen_run_session_get_name (FenRunSession *self);
/* The folder's state as lists show it; owned by the session, refreshed once a second while somebody writes it. NULL
 * before the folder exists. */
const FenRunInfo *fen_run_session_get_info (FenRunSession *self);
/* For watched and past runs it is derived from run.json and the last samples. */
void fen_run_session_status (FenRunSession *self, FenTrainerStatus *status);
/* The RUNNING configuration (config.json of the folder, or the trainer's); NULL while not known. */
const FenConfig *fen_run_session_get_config (FenRunSession *self);
/* The plan: the trainer's, or made again from config.json on a worker. NULL while not known. */
FenPlan *fen_run_session_get_plan (FenRunSession *self);
/* Why it failed, is damaged or was interrupted; NULL when none of these. */
const char *fen_run_session_get_reason (FenRunSession *self);
/* The GError behind it for an own run (to tell out of memory from other things); NULL otherwise. */
const GError *fen_run_session_get_error (FenRunSession *self);
/* Settings whose change alone would make it fit, from the plan, when that is why it failed. FenPlanSuggestion; NULL when
 * that is not why. Owned by the session. */
const GArray *fen_run_session_get_suggestions (FenRunSession *self);
/* Notes of configuration, plan and data (char *); owned by the session. */
const GPtrArray *fen_run_session_get_notes (FenRunSession *self);
/* The text of log.txt (the last MiB of it, and what came since) grows only; lines are told by "log-line" (signal, const
 * char *) after they were appended. */
const char *fen_run_session_get_log (FenRunSession *self);

/* Own runs only; ignored otherwise. */
void fen_run_session_command (FenRunSession *self, FenTrainerCommand command);

/* A session may be dropped while its trainer runs: a thread then stops it, with a checkpoint. This waits for all such
 * trainers: for the end of main. */
void fen_run_sessions_wait (void);

/* "FlashAttn-2 (tiled, AVX-512) · fp32 · window 512 · each token sees 512 tokens, itself included; 12 layers reach back
 * 6,133", and the reason of every fallback, for the badge. NULL while the plan is not known. Free with g_free. */
char *fen_run_session_badge_text (FenRunSession *self);
char *fen_run_session_badge_details (FenRunSession *self);

G_END_DECLS
