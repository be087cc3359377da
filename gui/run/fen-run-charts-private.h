/* fen-run-charts-private.h: all charts of a run over one axis, and the controls that they share. */
#pragma once

#include <adwaita.h>

#include "gui/chart/fen-chart.h"
#include "gui/run/fen-run-session.h"

G_BEGIN_DECLS

#define FEN_TYPE_RUN_CHARTS (fen_run_charts_get_type ())
G_DECLARE_FINAL_TYPE (FenRunCharts, fen_run_charts, FEN, RUN_CHARTS, GtkWidget)

/* Another run: its curves take the place of those shown. NULL shows none. */
void fen_run_charts_set_session (FenRunCharts *self, FenRunSession *session);
/* The run's data or plan may have changed. */
void fen_run_charts_update (FenRunCharts *self);

FenChartGroup *fen_run_charts_get_group (FenRunCharts *self);

G_END_DECLS
