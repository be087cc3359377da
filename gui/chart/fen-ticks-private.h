/* fen-ticks-private.h: where an axis has its ticks and what they say.
 *
 * All functions answer with a GArray of FenTick, ascending, inside [min, max], at most `most` of them (at least 1);
 * empty when the range is not one (min >= max, not finite). Pure: nothing of the screen is needed.
 */
#pragma once

#include "gui/chart/fen-chart.h"

G_BEGIN_DECLS

typedef struct {
  double value;
  char *label;
} FenTick;

GArray *fen_ticks_linear (FenUnit unit, double min, double max, guint most);
/* min > 0. Whole decades, every nth when there are many, 1-2-5 or a plain scale when there are few. */
GArray *fen_ticks_log (FenUnit unit, double min, double max, guint most);
GArray *fen_ticks_place (FenAxis axis, double min, double max, guint most);

/* A place on an axis for people, exactly: "1,240", "0:05:12", "Nov 22, 19:13:42". Free with g_free. */
char *fen_axis_format (FenAxis axis, double place);
/* A value of `unit` on an axis whose ticks are `step` apart: no more digits than tell them apart. */
char *fen_unit_format_tick (FenUnit unit, double value, double step);
/* Hours, minutes and seconds; tenths and below when `step` asks for them. */
char *fen_format_clock (double seconds, double step);

G_END_DECLS
