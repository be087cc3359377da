/* fen-run-charts-parts-private.h: what the files of FenRunCharts share: fen-run-charts.c (composition, controls),
 * fen-run-charts-memory.c and fen-run-charts-markers.c. */
#pragma once

#include "gui/run/fen-run-charts-private.h"

G_BEGIN_DECLS

typedef enum {
  CHART_LOSS,
  CHART_MEMORY,
  CHART_THROUGHPUT,
  CHART_LEARNING_RATE,
  CHART_GRAD_NORM,
  CHART_UTILIZATION,
  CHART_TEMPERATURE,
  CHART_POWER,
  N_RUN_CHARTS
} FenRunChartKind;

struct _FenRunCharts {
  GtkWidget parent_instance;

  GtkWidget *controls, *axis, *smoothing, *waiting, *first, *others, *missing;
  GtkAdjustment *smoothing_adjustment;

  FenChartGroup *group;
  FenChart *charts[N_RUN_CHARTS];
  GtkWidget *frames[N_RUN_CHARTS]; /* what is hidden with a chart */
  GtkWidget *memory_text;          /* under the memory chart */

  FenRunSession *session;
  FenRunData *data;    /* whose curves the charts have */
  guint memory_parts;  /* bit mask of the areas of the memory chart; G_MAXUINT = none chosen yet */
  guint64 events_seen; /* markers are made of the events before this one */
  guint n_markers;
  gboolean show_markers;
};

/* Titles and places are known before the run is: only the memory chart is made a second time, with another title. */
GtkWidget *fen_run_charts_make_chart (FenRunCharts *self, FenRunChartKind kind, const char *title);
/* Does the chart mark resumes and changes alone? */
gboolean fen_run_charts_is_quiet (FenRunChartKind kind);

/* Levels, areas, title and text of the memory chart. */
void fen_run_charts_show_memory (FenRunCharts *self);

void fen_run_charts_clear_markers (FenRunCharts *self);
/* Marks what happened since the last call. */
void fen_run_charts_update_markers (FenRunCharts *self);

G_END_DECLS
