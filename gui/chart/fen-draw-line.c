/* fen-draw-line.c: a curve as one rectangle a pixel column.
 *
 * For each column of device pixels: the least and greatest y of the points in it (from the pyramid, so a column of a
 * thousand points costs what one of ten does), and of the line where it comes in and goes out, so that columns meet.
 *
 *        in  .-'|          column c: points a..b-1
 *      .-'      |  .-' out in:  where the line from a-1 to a crosses the left edge
 *     |    .    |-'        out: where the line from b-1 to b crosses the right edge
 *     |  a   b-1|          drawn: from the least to the greatest of all these, half a pen more at both ends
 *
 * Ends of rectangles are not rounded to pixels: the renderer covers the last pixel by its share, which smooths slopes.
 */
#include "gui/chart/fen-draw-private.h"

#define DOT_SIZE 3.0 /* of a point that no line leads to */
#define STEEP                                                                                                \
  4.0 /* between two dashes, a column this tall is drawn faintly: a spike must not fall in a gap */
#define GAP_ALPHA 0.35f /* how faintly */
#define ROOM_A_POINT 6.0

static const struct {
  double lengths[4]; /* on, off, on, off */
  double period;
} dashes[FEN_N_DASHES] = {
  [FEN_DASH_SOLID] = { { 1, 0, 0, 0 }, 1 },
  [FEN_DASH_LONG] = { { 9, 4, 0, 0 }, 13 },
  [FEN_DASH_SHORT] = { { 3, 3, 0, 0 }, 6 },
  [FEN_DASH_MIXED] = { { 9, 3, 2, 3 }, 17 },
};

gboolean
fen_dash_is_on (FenDash dash, double along)
{
  const double *lengths = dashes[dash].lengths;
  double at = fmod (along, dashes[dash].period);
  return at < lengths[0] || (at >= lengths[0] + lengths[1] && at < lengths[0] + lengths[1] + lengths[2]);
}

void
fen_draw_box (GtkSnapshot *snapshot, const GdkRGBA *color, double x, double y, double width, double height)
{
  gtk_snapshot_append_color (snapshot, color,
                             &GRAPHENE_RECT_INIT ((float)x, (float)y, (float)width, (float)height));
}

/* From rows of device pixels. */
void
fen_draw_disc (GtkSnapshot *snapshot, const FenFrame *frame, const GdkRGBA *color, double x, double y,
               double radius)
{
  for (double row = -radius + frame->pixel / 2; row < radius; row += frame->pixel)
    {
      double half = sqrt (radius * radius - row * row);
      fen_draw_box (snapshot, color, x - half, y + row - frame->pixel / 2, 2 * half, frame->pixel);
    }
}

/* ---- columns ---- */

typedef struct {
  GtkSnapshot *snapshot;
  const FenFrame *frame;
  const FenPen *pen;
  /* Columns in a row that look the same are one rectangle. */
  double from, to; /* x */
  double top, bottom;
  gboolean faint, open;
} Ink;

static void
ink_flush (Ink *ink)
{
  const FenFrame *frame = ink->frame;
  const FenPen *pen = ink->pen;
  double top = MAX (ink->top - pen->width / 2, frame->top);
  double bottom = MIN (ink->bottom + pen->width / 2, frame->top + frame->height);
  if (ink->open && top < bottom)
    {
      GdkRGBA color = pen->color;
      if (ink->faint)
        color.alpha *= GAP_ALPHA;
      /* A thick pen is thick sideways, too, where the line is steep. */
      double more = ink->bottom - ink->top > pen->width ? MAX (0, pen->width - frame->pixel) / 2 : 0;
      double left = MAX (ink->from - more, frame->left);
      double right = MIN (ink->to + more, frame->left + frame->width);
      fen_draw_box (ink->snapshot, &color, left, top, right - left, bottom - top);
    }
  ink->open = FALSE;
}

static void
ink_column (Ink *ink, double x, double top, double bottom)
{
  gboolean on = fen_dash_is_on (ink->pen->dash, x - ink->frame->left);
  if (!on && bottom - top < STEEP)
    {
      ink_flush (ink);
      return;
    }
  if (ink->open && ink->faint == !on && fabs (ink->top - top) < 0.02 && fabs (ink->bottom - bottom) < 0.02)
    {
      ink->to = x + ink->frame->pixel;
      return;
    }
  ink_flush (ink);
  *ink = (Ink){ ink->snapshot, ink->frame, ink->pen, x, x + ink->frame->pixel, top, bottom, !on, TRUE };
}

/* Where the line from point index - 1 to `index` crosses x. */
static double
crossing (const FenFrame *frame, const FenSeries *series, FenAxis axis, gsize index, double x)
{
  double x0 = fen_frame_x (frame, fen_series_x (series, axis, index - 1));
  double x1 = fen_frame_x (frame, fen_series_x (series, axis, index));
  double y0 = fen_frame_y (frame, fen_series_y (series, index - 1));
  double y1 = fen_frame_y (frame, fen_series_y (series, index));
  double share = x1 > x0 ? CLAMP ((x - x0) / (x1 - x0), 0, 1) : 1;
  return y0 + (y1 - y0) * share;
}

static void
draw_column (Ink *ink, const FenSeries *series, FenAxis axis, gsize first, gsize end, double x)
{
  const FenFrame *frame = ink->frame;
  double top = INFINITY, bottom = -INFINITY, min, max;
  gboolean in = fen_series_joined (series, first), out = end > first && fen_series_joined (series, end);
  if (in)
    {
      double y = crossing (frame, series, axis, first, x);
      top = bottom = y;
    }
  if (out || (in && end == first))
    {
      double y = crossing (frame, series, axis, end, x + frame->pixel);
      top = MIN (top, y);
      bottom = MAX (bottom, y);
    }
  if (end > first && fen_series_min_max (series, first, end, &min, &max))
    {
      top = MIN (top, fen_frame_y (frame, max));
      bottom = MAX (bottom, fen_frame_y (frame, min));
      if (!in && !out && end - first == 1)
        {
          double size = MAX (DOT_SIZE, ink->pen->width);
          ink_flush (ink);
          if (top >= frame->top - size && bottom <= frame->top + frame->height + size)
            fen_draw_box (ink->snapshot, &ink->pen->color, x + (frame->pixel - size) / 2, top - size / 2,
                          size, size);
          return;
        }
    }
  if (top <= bottom)
    ink_column (ink, x, top, bottom);
  else
    ink_flush (ink);
}

void
fen_draw_line (GtkSnapshot *snapshot, const FenFrame *frame, const FenSeries *series, FenAxis axis,
               const FenPen *pen)
{
  gsize length = fen_series_length (series);
  guint n_columns = (guint)ceil (frame->width / frame->pixel);
  Ink ink = { .snapshot = snapshot, .frame = frame, .pen = pen };
  gsize first = fen_series_lower_bound (series, axis, frame->x_min);
  for (guint column = 0; column < n_columns && (first < length || column == 0); column++)
    {
      double x = frame->left + column * frame->pixel;
      /* The last place belongs to the last column, not behind it. */
      gsize end = column + 1 == n_columns
                      ? fen_series_upper_bound (series, axis, frame->x_max)
                      : fen_series_seek (series, axis, first, fen_frame_place (frame, x + frame->pixel));
      if (first < length)
        draw_column (&ink, series, axis, first, MAX (first, end), x);
      first = MAX (first, end);
    }
  ink_flush (&ink);
}

void
fen_draw_points (GtkSnapshot *snapshot, const FenFrame *frame, const FenSeries *series, FenAxis axis,
                 const GdkRGBA *color)
{
  gsize first = fen_series_lower_bound (series, axis, frame->x_min);
  gsize end = fen_series_upper_bound (series, axis, frame->x_max);
  if ((double)(end - first) * ROOM_A_POINT > frame->width)
    return;
  for (gsize i = first; i < end; i++)
    {
      double y = fen_series_y (series, i);
      double at = isfinite (y) ? fen_frame_y (frame, y) : NAN;
      if (at >= frame->top && at <= frame->top + frame->height)
        fen_draw_disc (snapshot, frame, color, fen_frame_x (frame, fen_series_x (series, axis, i)), at, 2.5);
    }
}
