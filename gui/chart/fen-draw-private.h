/* fen-draw-private.h: drawing a chart's layers into a snapshot, at any size: the screen's or a picture's.
 *
 * A FenFrame says where places and values are; a FenLook with what they are drawn. Both are values: nothing here knows
 * a widget. Everything is made of rectangles of one colour, which is what GTK draws fastest.
 */
#pragma once

#include "gui/chart/fen-series-private.h"
#include "gui/chart/fen-ticks-private.h"

#include <math.h>

G_BEGIN_DECLS

#define FEN_N_COLORS 8

typedef struct {
  GdkRGBA foreground, background;
  GdkRGBA palette[FEN_N_COLORS];
  GdkRGBA warning;
  double grid_alpha, faint_alpha, area_alpha; /* higher in high contrast */
  PangoContext *context;                      /* for labels; borrowed */
  gboolean rtl; /* tick labels are at the other side; places still run left to right */
} FenLook;

typedef struct {
  double left, top, width, height; /* of the plot area, in logical pixels */
  double pixel;                    /* size of a device's pixel: 1, or 0.5 on a screen of scale 2 */
  double x_min, x_max;
  double y_min, y_max; /* log10 of the values when `log` */
  gboolean log;
} FenFrame;

static inline double
fen_frame_x (const FenFrame *frame, double place)
{
  return frame->left + (place - frame->x_min) / (frame->x_max - frame->x_min) * frame->width;
}

static inline double
fen_frame_place (const FenFrame *frame, double x)
{
  return frame->x_min + (x - frame->left) / frame->width * (frame->x_max - frame->x_min);
}

/* Far outside, values are kept at a distance that single precision can still tell. Zero and less is far below on a
 * logarithmic scale. */
static inline double
fen_frame_y (const FenFrame *frame, double value)
{
  double scaled = frame->log ? (value > 0 ? log10 (value) : -INFINITY) : value;
  double share = (scaled - frame->y_min) / (frame->y_max - frame->y_min);
  return frame->top + frame->height * (1 - CLAMP (share, -100, 100));
}

typedef enum { FEN_DASH_SOLID, FEN_DASH_LONG, FEN_DASH_SHORT, FEN_DASH_MIXED, FEN_N_DASHES } FenDash;

typedef struct {
  GdkRGBA color;
  double width;
  FenDash dash;
} FenPen;

/* Is there ink at this distance along the line? */
gboolean fen_dash_is_on (FenDash dash, double along);

void fen_draw_box (GtkSnapshot *snapshot, const GdkRGBA *color, double x, double y, double width,
                   double height);
void fen_draw_disc (GtkSnapshot *snapshot, const FenFrame *frame, const GdkRGBA *color, double x, double y,
                    double radius);
void fen_draw_line (GtkSnapshot *snapshot, const FenFrame *frame, const FenSeries *series, FenAxis axis,
                    const FenPen *pen);
/* A disc on each point, when there is room for that many. */
void fen_draw_points (GtkSnapshot *snapshot, const FenFrame *frame, const FenSeries *series, FenAxis axis,
                      const GdkRGBA *color);

/* Text at x, y; `across` and `down` say which part of it is there (0 start, 0.5 middle, 1 end). */
void fen_draw_text (GtkSnapshot *snapshot, const FenLook *look, const char *text, const GdkRGBA *color,
                    double x, double y, double across, double down);
/* Widest of these labels, and the height of a line. */
double fen_look_text_width (const FenLook *look, const char *text);
double fen_look_line_height (const FenLook *look);

/* Grid, tick labels and the axis' line. The ticks are made for a frame whose width or height is known. */
GArray *fen_frame_y_ticks (const FenFrame *frame, const FenLook *look, FenUnit unit);
GArray *fen_frame_x_ticks (const FenFrame *frame, const FenLook *look, FenAxis axis);
double fen_ticks_width (const GArray *ticks, const FenLook *look);
void fen_draw_grid (GtkSnapshot *snapshot, const FenFrame *frame, const FenLook *look, const GArray *x_ticks,
                    const GArray *y_ticks);
void fen_draw_labels (GtkSnapshot *snapshot, const FenFrame *frame, const FenLook *look,
                      const GArray *x_ticks, const GArray *y_ticks);

G_END_DECLS
