/* fen-chart-private.h: the insides of a FenChart, for the files of this room. */
#pragma once

#include "gui/chart/fen-chart-group-private.h"
#include "gui/chart/fen-stack-private.h"

G_BEGIN_DECLS

/* One curve of the chart. */
typedef struct {
  char *name;
  FenSeries *series;
  FenSmoothed *smoothed; /* of FEN_CHART_SMOOTHED alone */
  FenChartStyle style;
  guint color; /* index into the palette */
  FenDash dash;
  gboolean visible;
  GtkWidget *entry, *value_label; /* in the legend; borrowed */
} FenChartItem;

typedef struct {
  char *name;
  double value;
} FenLevel;

typedef struct {
  FenMarkerKind kind;
  double x[FEN_N_AXES];
  char *text;
} FenMarker;

struct _FenChart {
  GtkWidget parent_instance;

  char *title;
  FenUnit unit;
  FenChartGroup *group;
  GPtrArray *items; /* FenChartItem */
  GArray *levels;   /* FenLevel */
  GArray *markers;  /* FenMarker */
  FenStack *stack;  /* of the visible stacked items */
  gboolean stack_stale;
  gboolean log_scale;
  gboolean fit_percentiles;
  gulong group_changed;
  guint64 generation; /* of the group, as last heard */

  GtkWidget *header, *title_label, *place_label, *legend, *plot, *message, *message_label;
  GtkFileChooserNative *chooser; /* while one is open */
  GCancellable *cancellable;     /* of exports */
};

#define fen_chart_item(self, i) ((FenChartItem *)g_ptr_array_index ((self)->items, i))

/* ---- fen-chart-data.c: what the series say ---- */

/* Brings smoothed lines and sums up to date and tells the group what there is. */
void fen_chart_refresh (FenChart *self);
/* First and last place of the visible series; FALSE when they have no points. */
gboolean fen_chart_extent (FenChart *self, double *min, double *max);
/* The points of `series` that are seen, those just outside included when a line leads to them. */
void fen_chart_seen (FenChart *self, const FenSeries *series, double x_min, double x_max, gsize *first,
                     gsize *end);
/* The y range of a frame that shows [frame->x_min, frame->x_max]: sets y_min, y_max and log. `hidden` (may be NULL) is
 * set when values are there that a logarithmic scale cannot show. */
void fen_chart_fit (FenChart *self, FenFrame *frame, gboolean *hidden);
/* "loss: last 2.41, minimum 2.38, maximum 7.01; ..." of what is seen. */
char *fen_chart_describe (FenChart *self);
/* Where the cursor goes from `from`: to the next point of any visible curve in this direction (NAN: none). */
double fen_chart_neighbour (FenChart *self, double from, int direction);
/* The place of the point nearest to `place`, of any visible curve; NAN: none. */
double fen_chart_snap (FenChart *self, double place);
/* What a curve's legend entry says: at the cursor, or last. */
char *fen_chart_item_value (FenChart *self, const FenChartItem *item);

/* The cursor's place and each visible curve's value there, one a line; the last ones without a cursor. */
char *fen_chart_values_text (FenChart *self);
/* The texts of the markers within `reach` of a place, one a line; NULL: none. */
char *fen_chart_markers_near (FenChart *self, double place, double reach);

#define FEN_MARKER_REACH 5.0 /* logical pixels */

/* ---- fen-chart-draw.c ---- */

/* Everything but the cursor into a plot of this size, labels included. Sets *frame to where the plot area came to lie.
 * `gutter`: the room for the labels of the y axis; 0: as much as they need. */
void fen_chart_draw (FenChart *self, GtkSnapshot *snapshot, const FenLook *look, double width, double height,
                     double pixel, double gutter, FenFrame *frame);
/* Room that the labels of the y axis need in a plot of this height. */
double fen_chart_gutter (FenChart *self, const FenLook *look, double height);
/* The cursor's line and a disc on each curve. */
void fen_chart_draw_cursor (FenChart *self, GtkSnapshot *snapshot, const FenLook *look,
                            const FenFrame *frame);
/* How the line of an item is drawn: the same in the plot and in the legend. */
FenPen fen_chart_item_pen (const FenChartItem *item, const FenLook *look);
/* A piece of it, FEN_SAMPLE_WIDTH by FEN_SAMPLE_HEIGHT, from x, around `middle`. */
#define FEN_SAMPLE_WIDTH 22
#define FEN_SAMPLE_HEIGHT 10
void fen_chart_draw_sample (const FenChartItem *item, GtkSnapshot *snapshot, const FenLook *look, double x,
                            double middle, double pixel);

/* ---- fen-picture.c ---- */

/* The whole chart, `scale` device pixels to a logical one. */
GdkTexture *fen_chart_render (FenChart *self, double width, double height, double scale, GError **error);
void fen_chart_export_png_async (FenChart *self, const char *path, GCancellable *cancellable,
                                 GAsyncReadyCallback callback, gpointer user_data);
gboolean fen_chart_export_png_finish (FenChart *self, GAsyncResult *result, GError **error);

/* ---- fen-chart-actions.c ---- */

void fen_chart_install_actions (GtkWidgetClass *klass);
GMenuModel *fen_chart_menu_new (void);
/* The line at the foot that says how an export went. */
void fen_chart_build_message (FenChart *self);
/* What choosing a file does. */
void fen_chart_export_to (FenChart *self, const char *path, gboolean csv);

/* ---- fen-plot.c: the drawing widget ---- */

#define FEN_TYPE_PLOT (fen_plot_get_type ())
G_DECLARE_FINAL_TYPE (FenPlot, fen_plot, FEN, PLOT, GtkWidget)

GtkWidget *fen_plot_new (FenChart *chart); /* the chart is its parent and outlives it */
/* Draw again: `paced` no sooner than a thirtieth of a second after the last time, otherwise with the next frame. */
void fen_plot_queue (FenPlot *self, gboolean paced);
void fen_plot_queue_cursor (FenPlot *self); /* only the cursor has moved */
const FenLook *fen_plot_get_look (FenPlot *self);
/* Where the plot area lies; FALSE before anything was drawn. */
gboolean fen_plot_get_frame (FenPlot *self, FenFrame *frame);
/* How often the curves were drawn: for tests and benches. */
guint fen_plot_get_n_drawn (FenPlot *self);

/* ---- legend ---- */

GtkWidget *fen_legend_new (void);
/* Entries for all items. */
void fen_chart_build_legend (FenChart *self);
/* Their values, and the place of the cursor. */
void fen_chart_update_legend (FenChart *self);

G_END_DECLS
