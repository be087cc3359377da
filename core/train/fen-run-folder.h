/* fen-run-folder.h: a folder is the whole truth of a run.
 *
 *   runs/<id>/  config.json  run.json  name.txt  metrics.jsonl  log.txt  lock
 *               tokenizer.json
 *               checkpoints/step-N/{config.json, model.safetensors, tokenizer.json, optimizer.safetensors, state.json}
 *               model/   the final model, loadable by transformers
 *               tune/    results of Optimize Settings
 *
 * run.json is the run's state, replaced atomically by the process that trains. `lock` is locked (an open file
 * description lock: gone with the process, whatever kills it) while a process writes the folder. A run whose run.json
 * says "running" and whose lock is free was killed: it is listed as interrupted. name.txt is the name that a person
 * gave; it is a file of its own so that renaming never races with the trainer.
 *
 * Threads: functions are reentrant; a FenRunFolder is used by one thread at a time. All of them read or write a few
 * small files and are quick, except fen_run_remove.
 */
#pragma once

#include "core/config/fen-config.h"
#include "core/train/fen-train-error.h"

G_BEGIN_DECLS

typedef enum {
  FEN_RUN_RUNNING,
  FEN_RUN_FINISHED,    /* all steps done, model/ is there */
  FEN_RUN_STOPPED,     /* by command, with a checkpoint */
  FEN_RUN_FAILED,      /* `reason` says why */
  FEN_RUN_INTERRUPTED, /* killed, or the machine went down */
  FEN_RUN_DAMAGED,     /* the folder is no readable run; `reason` says why */
} FenRunStatus;

const char *fen_run_status_name (FenRunStatus status); /* "running" */

/* What a list shows. Strings are owned by the info; unknown ones are "". */
typedef struct {
  char *id;   /* the folder's name */
  char *path; /* absolute */
  char *name; /* given by a person, otherwise the option run_name, otherwise the id */
  FenRunStatus status;
  char *reason;
  gint64 step, steps; /* done (checkpoint or not) and wanted */
  gint64 tokens;
  double loss, eval_loss; /* last values, NAN when there are none */
  gint64 started, ended;  /* seconds since 1970; ended 0 = not yet, or not known */
  gint64 pid;             /* of the process that trains; 0 when none */
  char *model, *dataset, *device;
  char *peak; /* what MFU is a share of: "989.4 TFLOP/s (dense bf16, published)"; "" = there is no MFU */
  gint64 parameters;
  gint64 checkpoint_step; /* newest checkpoint's; -1 = none */
  gboolean has_model;     /* model/ is there */
} FenRunInfo;

void fen_run_info_free (FenRunInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenRunInfo, fen_run_info_free)

/* ---- looking, from any process ---- */

/* The folder that holds run folders: config->output_dir, or fenestra/runs in the user's data folder. `config` may be
 * NULL. Free with g_free. */
char *fen_runs_root (const FenConfig *config);
/* TRUE for a folder with at least one file that only runs have: nothing else is ever listed or deleted. */
gboolean fen_run_looks_like_one (const char *path);
/* Never NULL: what cannot be read is FEN_RUN_DAMAGED with its reason. */
FenRunInfo *fen_run_info (const char *path);
/* All runs of a root, newest first, as FenRunInfo (the array frees them). A root that is not there is empty. Damaged
 * folders are listed; files and names with a leading dot are not. */
GPtrArray *fen_runs_list (const char *root, GError **error);
/* A run by path, id, display name, the start of an id that no other run has, or "last" (the newest). Returns the path
 * (free with g_free) or NULL with FEN_TRAIN_ERROR_NOT_FOUND that names what there is. */
char *fen_runs_find (const char *root, const char *what, GError **error);
/* The folder to generate from: model/ of a finished run, otherwise the newest whole checkpoint. NULL with an error. */
char *fen_run_model_folder (const char *path, GError **error);

/* The name that lists show; "" takes it back to the default. Works while the run goes on. */
gboolean fen_run_rename (const char *path, const char *name, GError **error);

/* Deleting with a way back. discard moves the folder out of the list (".discarded-<id>" beside it) and returns its new
 * path; restore brings it back; remove deletes it for good (may take a while: use a thread). A run in use cannot be
 * discarded (FEN_TRAIN_ERROR_LOCKED). purge removes what an earlier process discarded and never removed; discarded lists
 * that (paths), for a window that removes it in the background while people go on discarding. */
char *fen_run_discard (const char *path, GError **error);
gboolean fen_run_restore (const char *discarded_path, GError **error);
gboolean fen_run_remove (const char *discarded_path, GError **error);
GPtrArray *fen_runs_discarded (const char *root);
void fen_runs_purge (const char *root);

/* ---- writing: the trainer's side ---- */

typedef struct _FenRunFolder FenRunFolder;

/* Makes <root>/<id>/ with its lock held and config.json in it; the id is made from model and UTC time and is new. */
FenRunFolder *fen_run_folder_create (const FenConfig *config, GError **error);
/* Locks an existing folder. FEN_TRAIN_ERROR_LOCKED names the pid of the process that has it. Leftovers of killed
 * writes are removed. */
FenRunFolder *fen_run_folder_open (const char *path, GError **error);
/* Gives the lock back. */
void fen_run_folder_free (FenRunFolder *folder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenRunFolder, fen_run_folder_free)

const char *fen_run_folder_path (FenRunFolder *folder);
const char *fen_run_folder_id (FenRunFolder *folder);
/* <path>/<name>; free with g_free. */
char *fen_run_folder_file (FenRunFolder *folder, const char *name);

/* FALSE (FEN_TRAIN_ERROR_CANNOT_WRITE) when the path is not the folder any more whose lock is held: without this look,
 * a run whose disk was taken out would make its folders again on the disk below. */
gboolean fen_run_folder_is_there (FenRunFolder *folder, GError **error);

/* Writes run.json from `info` (id, path, name, pid and checkpoint_step are not taken from it). */
gboolean fen_run_folder_write_state (FenRunFolder *folder, const FenRunInfo *info, GError **error);
/* Appends "2026-11-22T16:05:00Z text" to log.txt. A log that cannot be written stops nothing: errors are dropped. */
void fen_run_folder_log (FenRunFolder *folder, const char *text);

G_END_DECLS
