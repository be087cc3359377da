/* fen-series-private.h: series that are made from others, for the room's own use.
 *
 * A derived series (a smoothed line, the sum of a stack) has y of its own and borrows its places and breaks from the
 * series it was made from; that costs 9 bytes a point instead of 41. A frozen copy shares its blocks with the series it
 * was taken from, so that a worker can read a million points without anybody copying them.
 */
#pragma once

#include "gui/chart/fen-series.h"

G_BEGIN_DECLS

/* Places and breaks are those of `source`; only fen_series_derive appends to it. */
FenSeries *fen_series_new_derived (FenSeries *source);
/* Appends the y of the next point; the source must have it. */
void fen_series_derive (FenSeries *series, double y);
/* Keeps the first `length` points. */
void fen_series_truncate (FenSeries *series, gsize length);
/* Of the first `length` points that were there at `revision`: how many still are. */
gsize fen_series_kept_since (const FenSeries *series, guint64 revision, gsize length);

/* The points of now, for reading alone, on any one thread, whatever happens to `series` meanwhile. O(n / 1024). */
FenSeries *fen_series_freeze (FenSeries *series);

/* fen_series_lower_bound for an x that is probably near and certainly not before point `from`. */
gsize fen_series_seek (const FenSeries *series, FenAxis axis, gsize from, double x);
/* First index whose place is > x. */
gsize fen_series_upper_bound (const FenSeries *series, FenAxis axis, double x);
/* The first point of [first, end) that has the greatest finite y; FALSE when there is none. */
gboolean fen_series_find_max (const FenSeries *series, gsize first, gsize end, gsize *index);
/* The least y above zero; looks at no more than some ten thousand nodes, so an endless mix of signs may answer with a
 * value that is not quite the least. FALSE when none was found. */
gboolean fen_series_min_positive (const FenSeries *series, gsize first, gsize end, double *min);
/* Is there a line from the point before `index` to it? */
gboolean fen_series_joined (const FenSeries *series, gsize index);

G_END_DECLS
