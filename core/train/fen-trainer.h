/* fen-trainer.h: a run: from a configuration to a trained model in a run folder, on a thread of its own.
 *
 *   FenTrainer *trainer = fen_trainer_new (config, &error);          (or fen_trainer_new_resume)
 *   fen_trainer_start (trainer);
 *   ... fen_trainer_poll / fen_trainer_status when fen_trainer_fd is readable ...
 *   fen_trainer_join (trainer, &error);
 *   fen_trainer_free (trainer);
 *
 * Order of work: configuration and model are checked, the tokenizer is loaded or trained, the memory is planned and
 * must fit, the text is tokenised, and only then is the run folder made: input that cannot be trained on leaves nothing
 * behind. Then device, engine, parameters (or the newest whole checkpoint), steps, evaluations, checkpoints, and at the
 * end model/.
 *
 * A step whose gradient is not finite changes nothing and is counted; FEN_TRAINER_MAX_SKIPPED of them in a row end the
 * run as failed. A checkpoint or metrics line that cannot be written (full disk) is an event and the run goes on; at the
 * end of the run it is an error.
 *
 * Threads: fen_trainer_command may be called from any thread and from a signal handler. fen_trainer_poll belongs to one
 * thread at a time. Everything else may be called from any thread and does not block, except join and free.
 */
#pragma once

#include "core/config/fen-config.h"
#include "core/train/fen-run-folder.h"
#include "core/train/fen-sample.h"

G_BEGIN_DECLS

#define FEN_TRAINER_MAX_SKIPPED 10

typedef struct _FenTrainer FenTrainer;

typedef enum {
  FEN_PHASE_NEW, /* not started */
  FEN_PHASE_PLANNING,
  FEN_PHASE_TOKENIZING, /* also training a tokenizer and checking the token cache */
  FEN_PHASE_LOADING,
  FEN_PHASE_TRAINING,
  FEN_PHASE_EVALUATING,
  FEN_PHASE_CHECKPOINTING,
  FEN_PHASE_PAUSING,
  FEN_PHASE_PAUSED,
  FEN_PHASE_STOPPING,
  FEN_PHASE_FINISHED, /* the last three are final */
  FEN_PHASE_STOPPED,
  FEN_PHASE_FAILED,
} FenTrainerPhase;

const char *fen_trainer_phase_name (FenTrainerPhase phase); /* "training" */

/* Commands may be given in any phase and are taken up after the current step. */
typedef enum {
  FEN_COMMAND_PAUSE, /* keeps device memory */
  FEN_COMMAND_CONTINUE,
  FEN_COMMAND_STOP, /* after this step: checkpoint, then end. Before the first step: end without a run folder */
  FEN_COMMAND_CHECKPOINT, /* now, and go on */
  FEN_COMMAND_ABANDON,    /* after this step, without a checkpoint: what came after the last one is lost */
} FenTrainerCommand;

typedef struct {
  FenTrainerPhase phase;
  double progress; /* of the phase, 0 to 1; < 0 = not known */
  gint64 step, steps;
  gint64 tokens;
  double loss, smoothed_loss, eval_loss; /* NAN = none yet */
  double tokens_per_second;              /* mean of recent steps; NAN = none yet */
  double eta_seconds;                    /* NAN = not known */
  gint64 skipped_updates;
  gint64 checkpoint_step; /* newest whole one; -1 = none */
  char message[240];      /* what is being done, for people: "tokenizing book.txt" */
} FenTrainerStatus;

/* A new run. The configuration is copied; it is validated here (fen_config_validate). */
FenTrainer *fen_trainer_new (const FenConfig *config, GError **error);
/* Continues a run folder from its newest whole checkpoint up to its own number of steps, or up to `steps` when > 0.
 * Takes the folder's lock. A run killed before its first checkpoint begins again from step 0. FEN_TRAIN_ERROR_STATE
 * when all steps are done already. */
FenTrainer *fen_trainer_new_resume (const char *run_path, gint64 steps, GError **error);
/* Waits for the worker: a running trainer is told to stop (with a checkpoint) first. */
void fen_trainer_free (FenTrainer *trainer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenTrainer, fen_trainer_free)

void fen_trainer_start (FenTrainer *trainer);
void fen_trainer_command (FenTrainer *trainer, FenTrainerCommand command);
/* Waits until the worker has ended. TRUE for finished and stopped; FALSE with the reason for failed. */
gboolean fen_trainer_join (FenTrainer *trainer, GError **error);

/* Becomes readable (poll, g_unix_fd_add) when there is a sample or the phase changed; fen_trainer_poll makes it
 * unreadable again once it has returned FALSE. Owned by the trainer. */
int fen_trainer_fd (FenTrainer *trainer);
/* The next sample; FALSE when there is none now. */
gboolean fen_trainer_poll (FenTrainer *trainer, FenSample *sample);
guint64
fen_trainer_dropped (FenTrainer *trainer); /* samples lost because nobody polled; metrics.jsonl has them */
void fen_trainer_status (FenTrainer *trainer, FenTrainerStatus *status);
gboolean fen_trainer_is_final (FenTrainer *trainer); /* finished, stopped or failed */

/* What is known so far: NULL before. Free with g_free / fen_plan_unref / fen_config_free / g_error_free. */
char *fen_trainer_run_path (FenTrainer *trainer);
FenPlan *fen_trainer_plan (FenTrainer *trainer); /* also one that does not fit */
FenConfig *fen_trainer_config (FenTrainer *trainer); /* the running one; paths made absolute */
GError *fen_trainer_error (FenTrainer *trainer);
/* Notes of configuration, plan and data so far, in words. An array of char *; free with g_ptr_array_unref. */
GPtrArray *fen_trainer_notes (FenTrainer *trainer);

G_END_DECLS
