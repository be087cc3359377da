/* fen-pyramid-private.h: numbers under a min/max pyramid: the extremes of any range in O(log n).
 *
 * Level k has the least and greatest finite number of each FEN_PYRAMID_FANOUT^k numbers; the last entry of a level may
 * stand for fewer. Level 0 are the numbers themselves. A spike of one number among a million is in every level.
 * Ranges are [first, end); an end behind the last number is that of the numbers.
 */
#pragma once

#include "gui/chart/fen-column-private.h"

G_BEGIN_DECLS

#define FEN_PYRAMID_FANOUT_SHIFT 4
#define FEN_PYRAMID_FANOUT (1 << FEN_PYRAMID_FANOUT_SHIFT)
#define FEN_PYRAMID_MAX_LEVELS (64 / FEN_PYRAMID_FANOUT_SHIFT)

/* Nothing finite is min > max. */
typedef struct {
  double min, max;
} FenExtent;

typedef struct {
  FenExtent *extents;
  gsize length, allocated;
} FenLevel;

/* All zero: an empty one. */
typedef struct {
  FenColumn values;
  gsize length;
  FenLevel levels[FEN_PYRAMID_MAX_LEVELS]; /* levels[k - 1] is level k */
  guint n_levels;
} FenPyramid;

void fen_pyramid_append (FenPyramid *pyramid, double value); /* O(1) amortised */
/* Keeps the first `length` numbers. */
void fen_pyramid_truncate (FenPyramid *pyramid, gsize length);
/* Into an empty pyramid: what `from` has, for reading alone. The numbers are shared, the levels copied. */
void fen_pyramid_share (FenPyramid *pyramid, const FenPyramid *from);
void fen_pyramid_clear (FenPyramid *pyramid);
gsize fen_pyramid_bytes (const FenPyramid *pyramid); /* of memory in use, without the struct */

/* The least and greatest finite number; FALSE when there is none. */
gboolean fen_pyramid_min_max (const FenPyramid *pyramid, gsize first, gsize end, double *min, double *max);
/* The first of the greatest finite numbers; FALSE when there is none. */
gboolean fen_pyramid_find_max (const FenPyramid *pyramid, gsize first, gsize end, gsize *index);
/* The least number above zero; looks at no more than some ten thousand nodes, so an endless mix of signs may answer with
 * a value that is not quite the least. FALSE when none was found. */
gboolean fen_pyramid_min_positive (const FenPyramid *pyramid, gsize first, gsize end, double *min);

G_END_DECLS
