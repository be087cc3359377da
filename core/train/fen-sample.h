/* fen-sample.h: what a run says about itself: one struct for the ring, one JSON line for metrics.jsonl.
 *
 * A sample is plain data without pointers, so that the ring copies it and nobody frees it. What is not known is NAN
 * (numbers) or FALSE in a `has_` flag, never a false 0; in JSON it is left out, except `loss` and `grad_norm`, which
 * are null when they are NaN or infinite (an event line then says so too).
 *
 * Steps count finished optimizer steps: the first sample has step 1. A resumed run writes an event `resume` whose step
 * is the checkpoint's: lines with a larger step that stand before it were undone by the crash. A reader keeps, for each
 * step, the last value.
 */
#pragma once

#include "core/engine/fen-plan.h"

G_BEGIN_DECLS

#define FEN_SAMPLE_VERSION 1 /* "v" of every line */

typedef enum {
  FEN_SAMPLE_TRAIN,  /* one optimizer step */
  FEN_SAMPLE_EVAL,   /* mean loss over the eval rows after `step` steps */
  FEN_SAMPLE_MEMORY, /* device and host, about once a second */
  FEN_SAMPLE_EVENT,  /* something happened: resume, checkpoint, skipped update, disk full, ... */
  FEN_N_SAMPLE_KINDS
} FenSampleKind;

typedef enum { FEN_EVENT_INFO, FEN_EVENT_WARNING, FEN_EVENT_ERROR } FenEventLevel;

#define FEN_EVENT_NAME_BYTES 24
#define FEN_EVENT_TEXT_BYTES 400

/* JSON names stand in comments; (t) = train lines, (e) = eval, (m) = memory, (v) = event. */
typedef struct {
  FenSampleKind kind;
  double time; /* "time": seconds since 1970, UTC */
  gint64 step; /* "step": optimizer steps done */

  /* (t) */
  gint64 tokens;            /* "tokens": trained on so far in this run, also (e) */
  double loss;              /* "loss": mean over the step's targets, also (e) */
  double smoothed_loss;     /* "smoothed_loss": moving average over about 20 steps, bias-corrected */
  double grad_norm;         /* "grad_norm": before clipping */
  double learning_rate;     /* "lr" */
  double tokens_per_second; /* "tokens_per_s": of this step */
  double step_us;           /* "step_us" */
  double eta_seconds;       /* "eta_s": until the last step; NAN during warm-up */
  double mfu;               /* "mfu": share of the device's peak, 0 to 1; NAN when the peak is not known */
  gint64 skipped_updates;   /* "skipped": so far in this run */
  gboolean skipped;         /* "skip": this update was left out (gradient not finite) */

  /* (e) */
  gint64 eval_rows;    /* "rows" */
  double eval_seconds; /* "seconds" */

  /* (m) "memory": {category: bytes} of the device arena, from the plan */
  guint64 category_bytes[FEN_N_MEMORY_CATEGORIES];
  gboolean has_device, has_device_process, has_host;
  guint64 device_used_bytes;    /* "device_used": by everybody */
  guint64 device_total_bytes;   /* "device_total" */
  guint64 device_process_bytes; /* "device_process": by this process; others = used - process */
  guint64 process_rss_bytes, process_peak_bytes;  /* "rss", "rss_peak" */
  guint64 host_available_bytes, host_total_bytes; /* "host_available", "host_total" */
  double cpu_process;     /* "cpu_process": cores busy with this process, 1.0 = one core */
  double cpu_machine;     /* "cpu_machine": share of the machine, 0 to 1 */
  double gpu_utilization; /* "gpu": 0 to 1 */
  double temperature;     /* "temperature": degrees Celsius of the device that trains */
  double power;           /* "power": watts */

  /* (v) */
  FenEventLevel level; /* "level": info, warning, error */
  char event
      [FEN_EVENT_NAME_BYTES]; /* "event": start, resume, checkpoint, checkpoint-failed, damaged-checkpoint,
                                     * not-finite, pause, continue, metrics-failed, gpu-lost, end, ... */
  char text[FEN_EVENT_TEXT_BYTES]; /* "text": one line for people */
} FenSample;

/* Everything unknown, time = now. */
void fen_sample_init (FenSample *sample, FenSampleKind kind, gint64 step);
/* An event; `text` is cut at the last whole character that fits. */
void fen_sample_init_event (FenSample *sample, gint64 step, FenEventLevel level, const char *event,
                            const char *text);

const char *fen_sample_kind_name (FenSampleKind kind); /* "train" */
const char *fen_event_level_name (FenEventLevel level);

/* One line without the newline. Free with g_free. */
char *fen_sample_to_json (const FenSample *sample);
/* Reads one line; unknown members are ignored (a newer version may add some). Errors: not JSON, wrong types, an
 * unknown kind or a "v" that is not known: FEN_TRAIN_ERROR_DAMAGED or FEN_JSON_ERROR, beginning with `where`. */
gboolean fen_sample_from_json (FenSample *sample, const char *line, gsize length, const char *where,
                               GError **error);

G_END_DECLS
