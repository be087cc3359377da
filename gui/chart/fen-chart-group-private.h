/* fen-chart-group-private.h: what the charts of a group tell each other. */
#pragma once

#include "gui/chart/fen-chart.h"

G_BEGIN_DECLS

/* The first and last place of what `chart` shows, on the group's axis, and the width its tick labels take; min > max:
 * it shows nothing. Charts of one page show the union, so that the same place is at the same spot in all of them. */
void fen_chart_group_tell (FenChartGroup *self, gpointer chart, double min, double max, double gutter);
/* Inside "changed": does it come from new data, and from which chart? NULL: a person did something. */
gpointer fen_chart_group_get_teller (FenChartGroup *self);
void fen_chart_group_forget (FenChartGroup *self, gpointer chart);

/* All that there is; FALSE when no chart shows anything. */
gboolean fen_chart_group_get_extent (FenChartGroup *self, double *min, double *max);
double fen_chart_group_get_gutter (FenChartGroup *self);
/* What is to be drawn: the zoomed range or everything, never empty (min < max). */
void fen_chart_group_get_shown (FenChartGroup *self, double *min, double *max);

/* Changes with everything but the cursor: what was drawn for an old one is stale. */
guint64 fen_chart_group_get_generation (FenChartGroup *self);

/* Moves the range by a share of its width, or makes it `factor` times as wide around `center`. Stays inside the extent;
 * as wide as all of it is not zoomed. FALSE when nothing changed. */
gboolean fen_chart_group_pan (FenChartGroup *self, double share);
gboolean fen_chart_group_zoom (FenChartGroup *self, double center, double factor);

G_END_DECLS
