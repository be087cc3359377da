/* fen-run-charts-markers.c: events of a run as marks in its charts. */
#include "gui/run/fen-run-charts-parts-private.h"

#define MAX_MARKERS 2000 /* the newest ones; a page of lines says nothing any more */

void
fen_run_charts_clear_markers (FenRunCharts *self)
{
  for (guint i = 0; i < N_RUN_CHARTS; i++)
    fen_chart_clear_markers (self->charts[i]);
  self->n_markers = 0;
  self->events_seen = 0;
}

static gboolean
marker_kind (const FenRunEvent *event, FenMarkerKind *kind)
{
  static const struct {
    const char *event;
    FenMarkerKind kind;
  } kinds[] = {
    { "checkpoint", FEN_MARKER_CHECKPOINT },  { "resume", FEN_MARKER_RESUME },
    { "not-finite", FEN_MARKER_WARNING },     { "checkpoint-failed", FEN_MARKER_WARNING },
    { "metrics-failed", FEN_MARKER_WARNING }, { "data-changed", FEN_MARKER_SETTINGS },
    { "gpu-lost", FEN_MARKER_WARNING },       { "damaged-checkpoint", FEN_MARKER_WARNING },
    { "settings", FEN_MARKER_SETTINGS },
  };
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (g_str_equal (event->event, kinds[i].event))
      {
        *kind = kinds[i].kind;
        return TRUE;
      }
  return FALSE;
}

static void
add_marker (FenRunCharts *self, const FenRunEvent *event)
{
  FenMarkerKind kind;
  if (!marker_kind (event, &kind))
    return;
  for (guint i = 0; i < N_RUN_CHARTS; i++)
    if (!fen_run_charts_is_quiet (i) || kind == FEN_MARKER_RESUME || kind == FEN_MARKER_SETTINGS)
      fen_chart_add_marker (self->charts[i], kind, event->x, event->text);
  self->n_markers++;
}

/* New events become markers; when there were too many, the newest of them begin anew. */
void
fen_run_charts_update_markers (FenRunCharts *self)
{
  const guint64 added = fen_run_data_events_added (self->data);
  const guint kept = fen_run_data_n_events (self->data);
  if (added < self->events_seen || self->n_markers + (added - self->events_seen) > 2 * MAX_MARKERS)
    fen_run_charts_clear_markers (self);
  if (!self->show_markers || added == self->events_seen)
    return;
  const guint64 fresh = MIN (added - self->events_seen, MIN (kept, MAX_MARKERS));
  for (guint64 i = kept - fresh; i < kept; i++)
    add_marker (self, fen_run_data_event (self->data, (guint)i));
  self->events_seen = added;
}
