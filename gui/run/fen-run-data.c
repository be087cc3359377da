/* fen-run-data.c: samples become curves, events and last values.
 *
 * Every curve has its own places, because train, eval and memory lines come at different times. A place that a sample
 * does not say (the tokens of a memory line) is that of the last train line.
 *
 * What was undone is removed: an event `resume` names the checkpoint's step, and everything behind it was trained
 * again. The same holds for a step that comes a second time without such an event (its line was damaged): of each step
 * the last value counts.
 */
#include "gui/run/fen-run-data.h"

#include <math.h>
#include <string.h>

#define MAX_EVENTS 10000

struct _FenRunData {
  GObject parent_instance;

  FenSeries *series[FEN_N_CURVES];
  FenSample last[FEN_N_SAMPLE_KINDS];
  gboolean has_last[FEN_N_SAMPLE_KINDS];
  double first_time; /* NAN before the first sample */
  double last_time;  /* stands in for a time that a line does not say */
  gint64 tokens;     /* of the last train or eval line that still counts */

  /* A ring: `first_event` is the oldest once there are MAX_EVENTS. */
  GArray *events; /* FenRunEvent */
  guint first_event;
  guint64 events_added;

  guint n_damaged;
  char *damaged_reason;
  gboolean changed; /* since the last flush */
};

G_DEFINE_FINAL_TYPE (FenRunData, fen_run_data, G_TYPE_OBJECT)

enum { SIGNAL_CHANGED, N_SIGNALS };
static guint signals[N_SIGNALS];

static void
clear_event (gpointer data)
{
  FenRunEvent *event = data;
  g_clear_pointer (&event->event, g_free);
  g_clear_pointer (&event->text, g_free);
}

static void
fen_run_data_finalize (GObject *object)
{
  FenRunData *self = FEN_RUN_DATA (object);
  for (guint i = 0; i < FEN_N_CURVES; i++)
    fen_series_unref (self->series[i]);
  g_array_unref (self->events);
  g_free (self->damaged_reason);
  G_OBJECT_CLASS (fen_run_data_parent_class)->finalize (object);
}

static void
fen_run_data_class_init (FenRunDataClass *class)
{
  G_OBJECT_CLASS (class)->finalize = fen_run_data_finalize;
  /* At most once a flush, however many samples came in. */
  signals[SIGNAL_CHANGED]
      = g_signal_new ("changed", FEN_TYPE_RUN_DATA, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
fen_run_data_init (FenRunData *self)
{
  for (guint i = 0; i < FEN_N_CURVES; i++)
    self->series[i] = fen_series_new ();
  self->events = g_array_new (FALSE, FALSE, sizeof (FenRunEvent));
  g_array_set_clear_func (self->events, clear_event);
  self->first_time = NAN;
}

FenRunData *
fen_run_data_new (void)
{
  return g_object_new (FEN_TYPE_RUN_DATA, NULL);
}

/* ---- curves ---- */

/* Where a sample stands on each axis. */
static void
place (FenRunData *self, const FenSample *sample, double x[FEN_N_AXES])
{
  x[FEN_AXIS_STEP] = (double)sample->step;
  x[FEN_AXIS_TOKENS] = (double)self->tokens;
  x[FEN_AXIS_RELATIVE] = self->last_time - self->first_time;
  x[FEN_AXIS_WALL] = self->last_time;
}

/* A value that this run does not know leaves its curve empty; once the curve has begun, it is a gap. */
static void
append_known (FenRunData *self, FenCurve curve, const double *x, double y)
{
  if (isfinite (y) || fen_series_length (self->series[curve]) > 0)
    fen_series_append (self->series[curve], x, y);
}

/* Forgets what stands behind `step`. */
static void
rewind_to (FenRunData *self, gint64 step)
{
  for (guint i = 0; i < FEN_N_CURVES; i++)
    if (fen_series_length (self->series[i]) > 0)
      fen_series_rewind (self->series[i], (double)step);
  const FenSeries *loss = self->series[FEN_CURVE_LOSS];
  const gsize n = fen_series_length (loss);
  self->tokens = n > 0 ? (gint64)fen_series_x (loss, FEN_AXIS_TOKENS, n - 1) : 0;
}

static gboolean
step_came_before (FenRunData *self, FenCurve curve, gint64 step)
{
  const FenSeries *series = self->series[curve];
  const gsize n = fen_series_length (series);
  return n > 0 && (double)step <= fen_series_x (series, FEN_AXIS_STEP, n - 1);
}

static void
add_train (FenRunData *self, const FenSample *sample)
{
  double x[FEN_N_AXES];
  if (step_came_before (self, FEN_CURVE_LOSS, sample->step))
    rewind_to (self, sample->step - 1);
  self->tokens = sample->tokens;
  place (self, sample, x);
  /* Loss and gradient norm are always measured: what is not finite there is something to see. */
  fen_series_append (self->series[FEN_CURVE_LOSS], x, sample->loss);
  fen_series_append (self->series[FEN_CURVE_GRAD_NORM], x, sample->grad_norm);
  append_known (self, FEN_CURVE_TOKENS_PER_SECOND, x, sample->tokens_per_second);
  append_known (self, FEN_CURVE_LEARNING_RATE, x, sample->learning_rate);
  append_known (self, FEN_CURVE_MFU, x, sample->mfu);
}

static void
add_eval (FenRunData *self, const FenSample *sample)
{
  double x[FEN_N_AXES];
  if (step_came_before (self, FEN_CURVE_EVAL_LOSS, sample->step))
    fen_series_rewind (self->series[FEN_CURVE_EVAL_LOSS], (double)(sample->step - 1));
  self->tokens = MAX (self->tokens, sample->tokens);
  place (self, sample, x);
  fen_series_append (self->series[FEN_CURVE_EVAL_LOSS], x, sample->loss);
}

static double
bytes_or_nan (gboolean known, guint64 bytes)
{
  return known ? (double)bytes : NAN;
}

static void
add_memory (FenRunData *self, const FenSample *sample)
{
  double x[FEN_N_AXES];
  place (self, sample, x);
  const gboolean others = sample->has_device && sample->has_device_process;
  append_known (self, FEN_CURVE_DEVICE_USED, x, bytes_or_nan (sample->has_device, sample->device_used_bytes));
  append_known (self, FEN_CURVE_DEVICE_OTHERS, x,
                bytes_or_nan (others, sample->device_used_bytes
                                          - MIN (sample->device_used_bytes, sample->device_process_bytes)));
  append_known (self, FEN_CURVE_DEVICE_PROCESS, x,
                bytes_or_nan (sample->has_device_process, sample->device_process_bytes));
  append_known (self, FEN_CURVE_RSS, x, bytes_or_nan (sample->has_host, sample->process_rss_bytes));
  append_known (self, FEN_CURVE_HOST_AVAILABLE, x,
                bytes_or_nan (sample->has_host, sample->host_available_bytes));
  append_known (self, FEN_CURVE_CPU, x, sample->cpu_machine);
  append_known (self, FEN_CURVE_GPU, x, sample->gpu_utilization);
  append_known (self, FEN_CURVE_TEMPERATURE, x, sample->temperature);
  append_known (self, FEN_CURVE_POWER, x, sample->power);
  for (guint i = 0; i < FEN_N_MEMORY_CATEGORIES; i++)
    fen_series_append (self->series[FEN_CURVE_MEMORY + i], x, (double)sample->category_bytes[i]);
}

/* ---- events ---- */

static void
add_event (FenRunData *self, const FenSample *sample)
{
  if (strcmp (sample->event, "resume") == 0)
    rewind_to (self, sample->step);
  FenRunEvent event
      = { .level = sample->level, .event = g_strdup (sample->event), .text = g_strdup (sample->text) };
  place (self, sample, event.x);
  self->events_added++;
  if (self->events->len < MAX_EVENTS)
    {
      g_array_append_val (self->events, event);
      return;
    }
  FenRunEvent *oldest = &g_array_index (self->events, FenRunEvent, self->first_event);
  clear_event (oldest);
  *oldest = event;
  self->first_event = (self->first_event + 1) % MAX_EVENTS;
}

guint
fen_run_data_n_events (FenRunData *self)
{
  g_return_val_if_fail (FEN_IS_RUN_DATA (self), 0);
  return self->events->len;
}

const FenRunEvent *
fen_run_data_event (FenRunData *self, guint index)
{
  g_return_val_if_fail (FEN_IS_RUN_DATA (self) && index < self->events->len, NULL);
  return &g_array_index (self->events, FenRunEvent, (self->first_event + index) % self->events->len);
}

guint64
fen_run_data_events_added (FenRunData *self)
{
  g_return_val_if_fail (FEN_IS_RUN_DATA (self), 0);
  return self->events_added;
}

/* ---- the door ---- */

void
fen_run_data_add (FenRunData *self, const FenSample *sample)
{
  g_return_if_fail (FEN_IS_RUN_DATA (self) && sample->kind < FEN_N_SAMPLE_KINDS);
  if (isfinite (sample->time))
    self->last_time = sample->time;
  if (isnan (self->first_time))
    self->first_time = self->last_time;
  switch (sample->kind)
    {
    case FEN_SAMPLE_TRAIN:
      add_train (self, sample);
      break;
    case FEN_SAMPLE_EVAL:
      add_eval (self, sample);
      break;
    case FEN_SAMPLE_MEMORY:
      add_memory (self, sample);
      break;
    case FEN_SAMPLE_EVENT:
    case FEN_N_SAMPLE_KINDS:
      add_event (self, sample);
      break;
    }
  self->last[sample->kind] = *sample;
  self->has_last[sample->kind] = TRUE;
  self->changed = TRUE;
}

void
fen_run_data_flush (FenRunData *self)
{
  g_return_if_fail (FEN_IS_RUN_DATA (self));
  if (!self->changed)
    return;
  self->changed = FALSE;
  g_signal_emit (self, signals[SIGNAL_CHANGED], 0);
}

void
fen_run_data_clear (FenRunData *self)
{
  g_return_if_fail (FEN_IS_RUN_DATA (self));
  for (guint i = 0; i < FEN_N_CURVES; i++)
    fen_series_clear (self->series[i]);
  memset (self->has_last, 0, sizeof self->has_last);
  g_array_set_size (self->events, 0);
  self->first_event = 0;
  self->first_time = NAN;
  self->last_time = 0;
  self->tokens = 0;
  self->n_damaged = 0;
  g_clear_pointer (&self->damaged_reason, g_free);
  self->changed = TRUE;
}

FenSeries *
fen_run_data_series (FenRunData *self, FenCurve curve)
{
  g_return_val_if_fail (FEN_IS_RUN_DATA (self) && curve < FEN_N_CURVES, NULL);
  return self->series[curve];
}

const FenSample *
fen_run_data_last (FenRunData *self, FenSampleKind kind)
{
  g_return_val_if_fail (FEN_IS_RUN_DATA (self) && kind < FEN_N_SAMPLE_KINDS, NULL);
  return self->has_last[kind] ? &self->last[kind] : NULL;
}

guint
fen_run_data_n_damaged (FenRunData *self, const char **reason)
{
  g_return_val_if_fail (FEN_IS_RUN_DATA (self), 0);
  if (reason != NULL)
    *reason = self->damaged_reason;
  return self->n_damaged;
}

void
fen_run_data_add_damaged (FenRunData *self, const char *reason)
{
  g_return_if_fail (FEN_IS_RUN_DATA (self));
  self->n_damaged++;
  g_free (self->damaged_reason);
  self->damaged_reason = g_strdup (reason);
  self->changed = TRUE;
}
