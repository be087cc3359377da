/* fen-trainer-private.h: the trainer's parts.
 *
 *   fen-trainer.c          the door: making, commands, status, the worker's beginning and end
 *   fen-trainer-prepare.c  everything that is checked before a run folder exists
 *   fen-trainer-open.c     run folder, device, engine, parameters or checkpoint
 *   fen-trainer-loop.c     steps, evaluations, checkpoints, the final model
 *   fen-trainer-report.c   samples, events, log, state of the run on disk
 *
 * Fields in the first two groups are shared; the rest belongs to the worker once it has been started.
 */
#pragma once

#include <pthread.h>

#include "core/corpus/fen-dataset.h"
#include "core/corpus/fen-tokenizer.h"
#include "core/engine/fen-device.h"
#include "core/engine/fen-engine.h"
#include "core/engine/fen-peak.h"
#include "core/monitor/fen-gpu-monitor.h"
#include "core/monitor/fen-monitor.h"
#include "core/train/fen-checkpoint.h"
#include "core/train/fen-metrics.h"
#include "core/train/fen-ring.h"
#include "core/train/fen-trainer.h"

#include <stdatomic.h>

G_BEGIN_DECLS

#define FEN_TRAINER_RECENT_STEPS 32

struct _FenTrainer {
  /* constant after fen_trainer_new */
  FenConfig *config;
  gboolean resume;
  int command_fd; /* eventfd: a command was given */
  int wake_fd;    /* eventfd: a sample, or another phase */
  FenRing *ring;
  GCancellable *cancellable;

  /* the command channel: written by anybody, also by signal handlers */
  atomic_bool pause, stop, abandon, checkpoint;

  /* under the mutex: written by the worker, read by anybody */
  pthread_mutex_t mutex; /* not GMutex, whose futex ThreadSanitizer does not see */
  FenTrainerStatus status;
  GError *error;
  char *run_path;
  FenPlan *plan;
  GPtrArray *notes;

  GThread *thread;
  gboolean joined;

  /* the worker's */
  FenRunFolder *folder;
  FenRunInfo *info;
  gboolean log_begun; /* log.txt has the notes so far */
  FenMetricsWriter *metrics;
  guint64 metrics_lost; /* lines that could not be written since the last that could */
  FenMonitor *monitor;
  FenGpuMonitor *gpu;                 /* of the card that trains; NULL on the CPU */
  gboolean gpu_lost;                  /* told already */
  gint64 next_memory_us, next_log_us; /* monotonic time of the next memory sample and step line in the log */

  FenDeviceChoice choice;
  FenDevice *device;
  FenPeak peak; /* what MFU is a share of */
  FenModel *model;
  FenTokenizer *tokenizer;
  char *tokenizer_source; /* the file it came from; NULL = trained or bytes */
  FenDataset *dataset;
  FenEngine *engine;
  FenTrainState state;
  char *checkpoint_path;  /* resumed from; NULL = from the start */
  gint64 checkpoint_step; /* newest whole one; -1 = none */
  GPtrArray *damaged;     /* lines about checkpoints that were not used, until metrics.jsonl is open */

  FenRows rows;         /* one micro-batch */
  gint64 rows_first;    /* the first row in it, of the train split; -1 = something else is in it */
  gint64 counted_first; /* the first row of the step whose targets were counted ahead; -1 = none */
  gint64 counted;
  double recent_us[FEN_TRAINER_RECENT_STEPS];
  gint64 n_timed; /* steps since the start of this process */
  double eval_us; /* the last evaluation's time, 0 = none yet */
};

/* ---- fen-trainer.c ---- */
gboolean fen_trainer_stop_wanted (FenTrainer *trainer);
/* FALSE with G_IO_ERROR_CANCELLED when the run is to be stopped: for the long phases before the first step. */
gboolean fen_trainer_go_on (FenTrainer *trainer, GError **error);

/* ---- fen-trainer-prepare.c ---- */
/* A tokenizer.json of the run when there is one (resumed), "" otherwise. */
gboolean fen_trainer_prepare (FenTrainer *trainer, GError **error);

/* ---- fen-trainer-open.c ---- */
gboolean fen_trainer_open (FenTrainer *trainer, GError **error);

/* ---- fen-trainer-loop.c ---- */
gboolean fen_trainer_loop (FenTrainer *trainer, GError **error);

/* ---- fen-trainer-report.c ---- */
void fen_trainer_set_phase (FenTrainer *trainer, FenTrainerPhase phase, double progress, const char *format,
                            ...) G_GNUC_PRINTF (4, 5);
void fen_trainer_emit (FenTrainer *trainer, const FenSample *sample);
void fen_trainer_event (FenTrainer *trainer, FenEventLevel level, const char *event, const char *format, ...)
    G_GNUC_PRINTF (4, 5);
void fen_trainer_log (FenTrainer *trainer, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* Keeps a line for fen_trainer_notes and, once there is a folder, for the log. Takes ownership. */
void fen_trainer_note (FenTrainer *trainer, char *note);
/* The sample of the step just done. */
void fen_trainer_report_step (FenTrainer *trainer, const FenUpdateResult *result, double loss, double step_us,
                              double learning_rate);
void fen_trainer_report_eval (FenTrainer *trainer, double loss, gint64 rows, double seconds);
void fen_trainer_report_memory (FenTrainer *trainer);
/* Brings run.json up to date. */
gboolean fen_trainer_save_info (FenTrainer *trainer, FenRunStatus status, const char *reason, GError **error);

G_END_DECLS
