/* fen-series.h: one curve: an append-only array with a min/max pyramid, so that drawing costs O(pixels).
 *
 * A point has one y and a place on each axis: step, tokens, seconds since the run's first sample, seconds since 1970.
 * Along every axis places never fall. Level k of the pyramid keeps the least and greatest finite y of each
 * FEN_SERIES_FANOUT^k points, so a range query touches O(log n) entries and a spike of one point among a million is
 * still drawn. y may be NAN (a gap) or infinite (a gap too; fen_series_n_not_finite counts both).
 *
 * When a run is resumed, the points behind the checkpoint were undone: fen_series_rewind removes them and the line
 * breaks there.
 *
 * Memory: at most 64 bytes a point, all axes and the pyramid included, once there are thousands.
 * Threads: used by one thread at a time; a series may be built on a worker and handed over.
 */
#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

typedef enum {
  FEN_AXIS_STEP,
  FEN_AXIS_TOKENS,
  FEN_AXIS_RELATIVE, /* seconds since the run's first sample */
  FEN_AXIS_WALL,     /* seconds since 1970, shown as local time */
  FEN_N_AXES
} FenAxis;

#define FEN_SERIES_FANOUT 16

typedef struct _FenSeries FenSeries;

FenSeries *fen_series_new (void);
FenSeries *fen_series_ref (FenSeries *series);
void fen_series_unref (FenSeries *series);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenSeries, fen_series_unref)

/* Appends a point; `x` has FEN_N_AXES places. A place before the last point's is moved up to it. O(1) amortised. */
void fen_series_append (FenSeries *series, const double *x, double y);
/* Removes the points whose step is larger than `step`; the next point begins a new line. */
void fen_series_rewind (FenSeries *series, double step);
void fen_series_clear (FenSeries *series);

gsize fen_series_length (const FenSeries *series);
double fen_series_x (const FenSeries *series, FenAxis axis, gsize index);
double fen_series_y (const FenSeries *series, gsize index);
/* Does a new line begin at this point? */
gboolean fen_series_breaks_at (const FenSeries *series, gsize index);
gsize fen_series_n_not_finite (const FenSeries *series);
gsize fen_series_bytes (const FenSeries *series); /* of memory in use */

/* First index whose place is >= x; the length when there is none. */
gsize fen_series_lower_bound (const FenSeries *series, FenAxis axis, double x);
/* The point nearest to x on the axis; FALSE when there are no points. */
gboolean fen_series_nearest (const FenSeries *series, FenAxis axis, double x, gsize *index);
/* Least and greatest finite y of the points [first, end); FALSE when there is none. */
gboolean fen_series_min_max (const FenSeries *series, gsize first, gsize end, double *min, double *max);
/* The value below which `share` (0 to 1) of the finite y in [first, end) lie; exact up to 4,096 points and from an even
 * sample of that many beyond. FALSE when there is none. */
gboolean fen_series_quantile (const FenSeries *series, gsize first, gsize end, double share, double *value);
/* Changes whenever points are added or removed: what was drawn for an old one is stale. */
guint64 fen_series_revision (const FenSeries *series);

/* Bias-corrected exponential moving average of `source` with weight 0 to 0.99 ("smoothing"), kept up to date by
 * fen_smoothed_update at a cost of the new points alone. Breaks and gaps are the source's: the average goes on across
 * them, as TensorBoard's does. */
typedef struct _FenSmoothed FenSmoothed;
FenSmoothed *fen_smoothed_new (FenSeries *source, double weight);
void fen_smoothed_free (FenSmoothed *smoothed);
void fen_smoothed_set_weight (FenSmoothed *smoothed, double weight);
void fen_smoothed_update (FenSmoothed *smoothed);
FenSeries *fen_smoothed_series (FenSmoothed *smoothed); /* borrowed */

G_END_DECLS
