/* fen-chart.h: a chart widget: layers (grid, area, lines, markers, cursor) over one plot area.
 *
 * A FenChart draws FenSeries; it never copies their points. Lines are drawn as one rectangle from min to max for each
 * pixel column (gtk_snapshot_append_color), measured far cheaper than a stroked path. It redraws when told
 * (fen_chart_data_changed, at the pace of whoever feeds it), at most 30 times a second, from the frame clock, and not at
 * all while unmapped; what a person does (zoom, pan, cursor) is drawn with the next frame.
 *
 * Charts of one page share a FenChartGroup: the x axis (what it shows, the zoomed range), the cursor and the smoothing.
 * Zoom: drag over the plot; double-click, or the action chart.reset, shows everything again; scroll pans a zoomed
 * chart (otherwise the page scrolls), Ctrl+scroll zooms; a zoom stays while data streams in. Keys on the focused chart: Left and Right move the cursor to the
 * neighbouring point, Home and End to the first and last, Page Up and Down by a tenth, + and - zoom, 0 resets.
 * Context menu (also Menu and Shift+F10): log scale, fit to data or percentiles, show as table, copy value, export as
 * PNG, export as CSV.
 *
 * Accessibility: the chart is a group with the title as its name; the plot in it is focusable, has the role img, the
 * title as its name and the description "loss: last 2.41, minimum 2.38, maximum 7.01 ..." (after the values at the
 * cursor, when there is one), refreshed at most once a second. Series differ by dash or weight as well as by colour.
 *
 * Colours come from the style (@accent_color, @success_color, ... looked up on css_changed), so light, dark and high
 * contrast follow. Ownership: the chart holds references to series and group. Thread: main.
 */
#pragma once

#include <gtk/gtk.h>

#include "gui/chart/fen-series.h"

G_BEGIN_DECLS

/* ---- what charts share ---- */

#define FEN_TYPE_CHART_GROUP (fen_chart_group_get_type ())
G_DECLARE_FINAL_TYPE (FenChartGroup, fen_chart_group, FEN, CHART_GROUP, GObject)

/* Properties: axis (FenAxis as int), smoothing (double 0 to 0.99), zoomed (boolean, read only), cursor (double; NAN =
 * none). Signals: "changed" (anything that needs redrawing). */
FenChartGroup *fen_chart_group_new (void);
FenAxis fen_chart_group_get_axis (FenChartGroup *self);
void fen_chart_group_set_axis (FenChartGroup *self, FenAxis axis); /* resets the zoom */
double fen_chart_group_get_smoothing (FenChartGroup *self);
void fen_chart_group_set_smoothing (FenChartGroup *self, double smoothing);
/* The zoomed range; FALSE (and *min, *max untouched) when everything is shown. */
gboolean fen_chart_group_get_range (FenChartGroup *self, double *min, double *max);
void fen_chart_group_set_range (FenChartGroup *self, double min, double max);
void fen_chart_group_reset_range (FenChartGroup *self);
double fen_chart_group_get_cursor (FenChartGroup *self);
void fen_chart_group_set_cursor (FenChartGroup *self, double x);

/* ---- the widget ---- */

#define FEN_TYPE_CHART (fen_chart_get_type ())
G_DECLARE_FINAL_TYPE (FenChart, fen_chart, FEN, CHART, GtkWidget)

typedef enum {
  FEN_CHART_LINE,     /* as it is */
  FEN_CHART_SMOOTHED, /* faint raw line and the smoothed one over it */
  FEN_CHART_POINTS,   /* few points (evaluations): dots joined by a line */
  FEN_CHART_STACKED,  /* area on top of the stacked series added before it */
} FenChartStyle;

/* How numbers read on the axis, at the cursor and in the table. */
typedef enum {
  FEN_UNIT_NUMBER,  /* 2.4132 */
  FEN_UNIT_BYTES,   /* 3.2 GiB */
  FEN_UNIT_RATE,    /* 12.4k tokens/s */
  FEN_UNIT_SHARE,   /* 87 % of a value from 0 to 1 */
  FEN_UNIT_CELSIUS, /* 61 °C */
  FEN_UNIT_WATTS,   /* 312 W */
} FenUnit;
char *fen_unit_format (FenUnit unit, double value); /* for people, in their locale; NAN reads "–". Free with g_free */

const char *fen_axis_title (FenAxis axis); /* "Step", translated */

/* `title` and all names below are shown to people (translated by the caller). */
FenChart *fen_chart_new (const char *title, FenUnit unit, FenChartGroup *group);
const char *fen_chart_get_title (FenChart *self);
/* `name` is shown in the legend. `color` is an index into the palette (0 = accent). Returns the series' number. */
guint fen_chart_add_series (FenChart *self, const char *name, FenSeries *series, FenChartStyle style, guint color);
void fen_chart_clear_series (FenChart *self);
/* Hides and shows a series (what clicking its legend entry does). */
void fen_chart_set_series_visible (FenChart *self, guint number, gboolean visible);

/* A dashed horizontal line (planned memory, the device's total). `value` NAN removes it. */
void fen_chart_set_level (FenChart *self, const char *name, double value);

/* Vertical markers: something happened at this place. */
typedef enum { FEN_MARKER_CHECKPOINT, FEN_MARKER_RESUME, FEN_MARKER_WARNING, FEN_MARKER_SETTINGS } FenMarkerKind;
void fen_chart_add_marker (FenChart *self, FenMarkerKind kind, const double *x, const char *text);
void fen_chart_clear_markers (FenChart *self);

void fen_chart_set_log_scale (FenChart *self, gboolean log_scale); /* also the property log-scale */
gboolean fen_chart_get_log_scale (FenChart *self);
/* TRUE: the y axis fits the 1st to 99th percentile of what is visible, spikes are cut. Property fit-percentiles. */
void fen_chart_set_fit_percentiles (FenChart *self, gboolean fit);
gboolean fen_chart_get_fit_percentiles (FenChart *self);

/* The series have changed. Cheap: any number of calls between two frames is one redraw. */
void fen_chart_data_changed (FenChart *self);

/* What is shown now, as a picture or as text with one row a point ("step,tokens,seconds,time,NAME..."). CSV of long
 * series is written on a worker. Errors name the file. */
gboolean fen_chart_export_png (FenChart *self, const char *path, int width, int height, GError **error);
void fen_chart_export_csv_async (FenChart *self, const char *path, GCancellable *cancellable,
                                 GAsyncReadyCallback callback, gpointer user_data);
gboolean fen_chart_export_csv_finish (FenChart *self, GAsyncResult *result, GError **error);

/* The values as a GtkColumnView in a window of its own, for people who cannot see the drawing: one row a point, the
 * visible range. */
GtkWidget *fen_chart_table_window_new (FenChart *self);

G_END_DECLS
