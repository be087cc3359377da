/* fen-run-data.h: everything that one run has said so far, as curves, events and last values.
 *
 * The same object stands behind a run of this process, a run that another process writes and a run of last year: samples
 * come in through fen_run_data_add and nothing else. The feeder calls fen_run_data_flush 4 to 10 times a second, and
 * "changed" is emitted then, once, however many samples came in.
 *
 * Threads: used by one thread at a time; may be filled on a worker before it is handed over.
 */
#pragma once

#include "core/train/fen-sample.h"
#include "gui/chart/fen-series.h"

G_BEGIN_DECLS

#define FEN_TYPE_RUN_DATA (fen_run_data_get_type ())
G_DECLARE_FINAL_TYPE (FenRunData, fen_run_data, FEN, RUN_DATA, GObject)

typedef enum {
  FEN_CURVE_LOSS,
  FEN_CURVE_EVAL_LOSS,
  FEN_CURVE_TOKENS_PER_SECOND,
  FEN_CURVE_LEARNING_RATE,
  FEN_CURVE_GRAD_NORM,
  FEN_CURVE_MFU,
  FEN_CURVE_DEVICE_USED,    /* bytes, by everybody */
  FEN_CURVE_DEVICE_OTHERS,  /* bytes, by other processes */
  FEN_CURVE_DEVICE_PROCESS, /* bytes, by the process that trains */
  FEN_CURVE_RSS,            /* bytes of this process in host memory */
  FEN_CURVE_HOST_AVAILABLE, /* bytes */
  FEN_CURVE_CPU,            /* share of the machine, 0 to 1 */
  FEN_CURVE_GPU,            /* utilisation, 0 to 1 */
  FEN_CURVE_TEMPERATURE,    /* degrees Celsius */
  FEN_CURVE_POWER,          /* watts */
  FEN_CURVE_MEMORY,         /* + FenMemoryCategory: bytes of the device arena */
  FEN_N_CURVES = FEN_CURVE_MEMORY + FEN_N_MEMORY_CATEGORIES
} FenCurve;

typedef struct {
  double x[FEN_N_AXES];
  FenEventLevel level;
  char *event; /* "checkpoint", see FenSample.event */
  char *text;
} FenRunEvent;

FenRunData *fen_run_data_new (void);
void fen_run_data_add (FenRunData *self, const FenSample *sample);
/* Emits "changed" when something was added since the last call. */
void fen_run_data_flush (FenRunData *self);
void fen_run_data_clear (FenRunData *self); /* the metrics file was replaced */

/* Borrowed, never NULL; an empty series for what this run does not measure. */
FenSeries *fen_run_data_series (FenRunData *self, FenCurve curve);
/* Events, oldest first (at most the newest 10,000 are kept). Owned by the data; valid until the next add. */
guint fen_run_data_n_events (FenRunData *self);
const FenRunEvent *fen_run_data_event (FenRunData *self, guint index);
/* Counts every event that was ever added: what is new since a viewer last looked. */
guint64 fen_run_data_events_added (FenRunData *self);

/* The last sample of a kind; NULL when there was none. */
const FenSample *fen_run_data_last (FenRunData *self, FenSampleKind kind);
/* Lines of metrics.jsonl that could not be read, and the last reason. */
guint fen_run_data_n_damaged (FenRunData *self, const char **reason);
void fen_run_data_add_damaged (FenRunData *self, const char *reason);

G_END_DECLS
