/* fen-stack.c: see fen-stack-private.h. */
#include "gui/chart/fen-stack-private.h"

#define EDGE 1.5 /* logical pixels of full colour on top of each area */

typedef struct {
  FenSeries *series;
  guint64 revision;
  gsize length; /* at the last update */
} Part;

struct _FenStack {
  GArray *parts; /* Part */
  FenSeries *total;
};

static void
part_clear (gpointer data)
{
  fen_series_unref (((Part *)data)->series);
}

FenStack *
fen_stack_new (void)
{
  FenStack *stack = g_new0 (FenStack, 1);
  stack->parts = g_array_new (FALSE, FALSE, sizeof (Part));
  g_array_set_clear_func (stack->parts, part_clear);
  return stack;
}

void
fen_stack_clear (FenStack *stack)
{
  g_clear_pointer (&stack->total, fen_series_unref);
  g_array_set_size (stack->parts, 0);
}

void
fen_stack_free (FenStack *stack)
{
  fen_stack_clear (stack);
  g_array_unref (stack->parts);
  g_free (stack);
}

#define part_at(stack, i) (&g_array_index ((stack)->parts, Part, i))

void
fen_stack_add (FenStack *stack, FenSeries *series)
{
  Part part = { fen_series_ref (series), 0, 0 };
  g_array_append_val (stack->parts, part);
  if (stack->total == NULL)
    stack->total = fen_series_new_derived (series);
  fen_series_truncate (stack->total, 0);
}

static double
raw_value (FenStack *stack, guint part, gsize index)
{
  FenSeries *first = part_at (stack, 0)->series, *series = part_at (stack, part)->series;
  if (series == first)
    return fen_series_y (series, index);
  double place = fen_series_x (first, FEN_AXIS_WALL, index);
  /* Curves of one sample have their points at the same index, too. */
  if (index < fen_series_length (series) && fen_series_x (series, FEN_AXIS_WALL, index) == place)
    return fen_series_y (series, index);
  gsize after = fen_series_upper_bound (series, FEN_AXIS_WALL, place);
  return after > 0 ? fen_series_y (series, after - 1) : 0;
}

double
fen_stack_value (FenStack *stack, guint part, gsize index)
{
  double value = raw_value (stack, part, index);
  return isfinite (value) ? value : 0;
}

/* NAN where no part has a value. */
static double
sum_at (FenStack *stack, gsize index)
{
  double sum = 0;
  gboolean any = FALSE;
  for (guint part = 0; part < stack->parts->len; part++)
    {
      double value = raw_value (stack, part, index);
      any |= isfinite (value);
      sum += isfinite (value) ? value : 0;
    }
  return any ? sum : NAN;
}

void
fen_stack_update (FenStack *stack)
{
  if (stack->total == NULL)
    return;
  gsize kept = G_MAXSIZE, length = fen_series_length (part_at (stack, 0)->series);
  for (guint i = 0; i < stack->parts->len; i++)
    {
      Part *part = part_at (stack, i);
      gsize still = fen_series_kept_since (part->series, part->revision, part->length);
      /* The places of the others are not those of the first: whatever was taken back, begin again. */
      if (still < part->length)
        kept = i == 0 ? MIN (kept, still) : 0;
      part->revision = fen_series_revision (part->series);
      part->length = fen_series_length (part->series);
    }
  fen_series_truncate (stack->total, kept);
  for (gsize i = fen_series_length (stack->total); i < length; i++)
    fen_series_derive (stack->total, sum_at (stack, i));
}

FenSeries *
fen_stack_total (FenStack *stack)
{
  return stack->total;
}

guint
fen_stack_n_parts (FenStack *stack)
{
  return stack->parts->len;
}

/* ---- drawing ---- */

/* The values of all parts at pixel column [x, x + pixel), added up from the bottom; FALSE: a gap. */
static gboolean
column_sums (FenStack *stack, const FenFrame *frame, FenAxis axis, gsize first, gsize end, double x,
             double *sums)
{
  gsize at, before;
  double share = 0;
  if (fen_series_find_max (stack->total, first, end, &at))
    before = at;
  else if (end == first && fen_series_joined (stack->total, first))
    {
      /* No sample here: on the straight line between two. */
      at = first;
      before = first - 1;
      double x0 = fen_frame_x (frame, fen_series_x (stack->total, axis, before));
      double x1 = fen_frame_x (frame, fen_series_x (stack->total, axis, at));
      share = x1 > x0 ? CLAMP ((x + frame->pixel / 2 - x0) / (x1 - x0), 0, 1) : 1;
    }
  else
    return FALSE;
  double sum = 0;
  for (guint part = 0; part < stack->parts->len; part++)
    {
      double value = fen_stack_value (stack, part, before);
      if (at != before)
        value += (fen_stack_value (stack, part, at) - value) * share;
      sums[part] = sum += value;
    }
  return TRUE;
}

static double
inside (const FenFrame *frame, double y)
{
  double snapped = round (y / frame->pixel) * frame->pixel;
  return CLAMP (snapped, frame->top, frame->top + frame->height);
}

/* One part over all columns; columns of equal height are one rectangle. */
static void
draw_part (GtkSnapshot *snapshot, const FenFrame *frame, const double *sums, guint n_parts, guint part,
           guint n_columns, const GdkRGBA *color, double area_alpha)
{
  GdkRGBA fill = *color;
  fill.alpha *= (float)area_alpha;
  double floor_y = frame->top + frame->height;
  for (guint column = 0, next; column < n_columns; column = next)
    {
      const double *at = sums + (gsize)column * n_parts;
      next = column + 1;
      if (isnan (at[0]))
        continue;
      double top = inside (frame, fen_frame_y (frame, at[part]));
      double bottom = part == 0 ? floor_y : inside (frame, fen_frame_y (frame, at[part - 1]));
      for (; next < n_columns && !isnan (sums[(gsize)next * n_parts]); next++)
        {
          const double *other = sums + (gsize)next * n_parts;
          if (inside (frame, fen_frame_y (frame, other[part])) != top
              || (part > 0 && inside (frame, fen_frame_y (frame, other[part - 1])) != bottom))
            break;
        }
      double x = frame->left + column * frame->pixel, width = (next - column) * frame->pixel;
      if (top >= bottom)
        continue;
      fen_draw_box (snapshot, &fill, x, top, width, bottom - top);
      fen_draw_box (snapshot, color, x, top, width, MIN (EDGE, bottom - top));
    }
}

void
fen_draw_stack (GtkSnapshot *snapshot, const FenFrame *frame, FenStack *stack, FenAxis axis,
                const GdkRGBA *colors, double area_alpha)
{
  guint n_parts = stack->parts->len, n_columns = (guint)floor (frame->width / frame->pixel);
  if (n_parts == 0 || n_columns == 0)
    return;
  gsize length = fen_series_length (stack->total);
  g_autofree double *sums = g_new (double, (gsize)n_parts *n_columns);
  gsize first = fen_series_lower_bound (stack->total, axis, frame->x_min);
  for (guint column = 0; column < n_columns; column++)
    {
      double x = frame->left + column * frame->pixel;
      gsize end = column + 1 == n_columns ? fen_series_upper_bound (stack->total, axis, frame->x_max)
                                          : fen_series_seek (stack->total, axis, first,
                                                             fen_frame_place (frame, x + frame->pixel));
      end = MAX (first, end);
      if (first >= length || !column_sums (stack, frame, axis, first, end, x, sums + (gsize)column * n_parts))
        sums[(gsize)column * n_parts] = NAN;
      first = end;
    }
  for (guint part = 0; part < n_parts; part++)
    draw_part (snapshot, frame, sums, n_parts, part, n_columns, &colors[part], area_alpha);
}
