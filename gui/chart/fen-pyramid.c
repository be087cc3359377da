/* fen-pyramid.c: see fen-pyramid-private.h. */
#include "gui/chart/fen-pyramid-private.h"

#include <math.h>

#define FANOUT_SHIFT FEN_PYRAMID_FANOUT_SHIFT
#define POSITIVE_BUDGET 65536 /* nodes */

static const FenExtent empty_extent = { INFINITY, -INFINITY };

static inline void
extent_add (FenExtent *extent, FenExtent other)
{
  extent->min = MIN (extent->min, other.min);
  extent->max = MAX (extent->max, other.max);
}

static inline FenExtent
point_extent (double value)
{
  return isfinite (value) ? (FenExtent){ value, value } : empty_extent;
}

static FenExtent
node (const FenPyramid *pyramid, guint level, gsize index)
{
  return level == 0 ? point_extent (fen_column_get (&pyramid->values, index))
                    : pyramid->levels[level - 1].extents[index];
}

static gsize
level_length (const FenPyramid *pyramid, guint level)
{
  return level == 0 ? pyramid->length : pyramid->levels[level - 1].length;
}

/* The extent of everything below one node, from the level under it. */
static FenExtent
gather (const FenPyramid *pyramid, guint level, gsize index)
{
  FenExtent sum = empty_extent;
  gsize first = index << FANOUT_SHIFT;
  gsize end = MIN (first + FEN_PYRAMID_FANOUT, level_length (pyramid, level - 1));
  for (gsize i = first; i < end; i++)
    extent_add (&sum, node (pyramid, level - 1, i));
  return sum;
}

static void
level_push (FenLevel *level, FenExtent extent)
{
  if (level->length == level->allocated)
    {
      level->allocated = MAX (4, level->allocated + level->allocated / 2);
      level->extents = g_renew (FenExtent, level->extents, level->allocated);
    }
  level->extents[level->length++] = extent;
}

/* ---- growing and shrinking ---- */

void
fen_pyramid_append (FenPyramid *pyramid, double value)
{
  FenExtent point = point_extent (value);
  gsize index = pyramid->length;
  fen_column_append (&pyramid->values, index, value);
  pyramid->length++;
  for (guint k = 1; k <= pyramid->n_levels; k++)
    {
      FenLevel *level = &pyramid->levels[k - 1];
      gsize at = index >> (k * FANOUT_SHIFT);
      if (at == level->length)
        level_push (level, point);
      else
        {
          FenExtent *extent = &level->extents[at];
          /* What is inside here is inside everything above, too. */
          if (point.min >= extent->min && point.max <= extent->max)
            return;
          extent_add (extent, point);
        }
    }
  if (pyramid->n_levels < FEN_PYRAMID_MAX_LEVELS && level_length (pyramid, pyramid->n_levels) > 1)
    {
      guint k = ++pyramid->n_levels;
      level_push (&pyramid->levels[k - 1], gather (pyramid, k, 0));
    }
}

void
fen_pyramid_truncate (FenPyramid *pyramid, gsize length)
{
  fen_column_truncate (&pyramid->values, length);
  pyramid->length = length;
  for (guint k = 1; k <= pyramid->n_levels; k++)
    {
      gsize span = (gsize)1 << (k * FANOUT_SHIFT);
      FenLevel *level = &pyramid->levels[k - 1];
      level->length = length / span + (length % span != 0);
      if (level->length > 0)
        level->extents[level->length - 1] = gather (pyramid, k, level->length - 1);
    }
}

void
fen_pyramid_share (FenPyramid *pyramid, const FenPyramid *from)
{
  fen_column_share (&pyramid->values, &from->values);
  pyramid->length = from->length;
  pyramid->n_levels = from->n_levels;
  for (guint k = 0; k < from->n_levels; k++)
    {
      const FenLevel *level = &from->levels[k];
      pyramid->levels[k].extents = g_memdup2 (level->extents, level->length * sizeof (FenExtent));
      pyramid->levels[k].length = pyramid->levels[k].allocated = level->length;
    }
}

void
fen_pyramid_clear (FenPyramid *pyramid)
{
  fen_column_clear (&pyramid->values);
  for (guint k = 0; k < FEN_PYRAMID_MAX_LEVELS; k++)
    g_free (pyramid->levels[k].extents);
  *pyramid = (FenPyramid){ 0 };
}

gsize
fen_pyramid_bytes (const FenPyramid *pyramid)
{
  gsize bytes = fen_column_bytes (&pyramid->values);
  for (guint k = 0; k < pyramid->n_levels; k++)
    bytes += pyramid->levels[k].allocated * sizeof (FenExtent);
  return bytes;
}

/* ---- asking ---- */

/* The highest node that begins at `first` and ends by `end`. */
static guint
climb (const FenPyramid *pyramid, gsize first, gsize end)
{
  guint level = 0;
  while (level < pyramid->n_levels)
    {
      gsize span = (gsize)1 << ((level + 1) * FANOUT_SHIFT);
      if (first % span != 0 || (end - first < span && end < pyramid->length))
        break;
      level++;
    }
  return level;
}

gboolean
fen_pyramid_min_max (const FenPyramid *pyramid, gsize first, gsize end, double *min, double *max)
{
  FenExtent sum = empty_extent;
  end = MIN (end, pyramid->length);
  while (first < end)
    {
      guint level = climb (pyramid, first, end);
      extent_add (&sum, node (pyramid, level, first >> (level * FANOUT_SHIFT)));
      first += (gsize)1 << (level * FANOUT_SHIFT);
    }
  if (sum.min > sum.max)
    return FALSE;
  *min = sum.min;
  *max = sum.max;
  return TRUE;
}

gboolean
fen_pyramid_find_max (const FenPyramid *pyramid, gsize first, gsize end, gsize *index)
{
  double min, max;
  end = MIN (end, pyramid->length);
  if (!fen_pyramid_min_max (pyramid, first, end, &min, &max))
    return FALSE;
  guint level = climb (pyramid, first, end);
  gsize at = first >> (level * FANOUT_SHIFT);
  while (node (pyramid, level, at).max != max)
    {
      first += (gsize)1 << (level * FANOUT_SHIFT);
      level = climb (pyramid, first, end);
      at = first >> (level * FANOUT_SHIFT);
    }
  for (; level > 0; level--)
    for (at <<= FANOUT_SHIFT; node (pyramid, level - 1, at).max != max;)
      at++;
  *index = at;
  return TRUE;
}

static void
min_positive_below (const FenPyramid *pyramid, guint level, gsize index, guint *budget, double *best)
{
  FenExtent extent = node (pyramid, level, index);
  if (*budget == 0 || extent.max <= 0 || extent.min > extent.max || extent.min >= *best)
    return;
  --*budget;
  if (extent.min > 0)
    {
      *best = extent.min;
      return;
    }
  gsize first = index << FANOUT_SHIFT;
  gsize end = MIN (first + FEN_PYRAMID_FANOUT, level == 0 ? 0 : level_length (pyramid, level - 1));
  for (gsize i = first; i < end; i++)
    min_positive_below (pyramid, level - 1, i, budget, best);
}

gboolean
fen_pyramid_min_positive (const FenPyramid *pyramid, gsize first, gsize end, double *min)
{
  double best = INFINITY;
  guint budget = POSITIVE_BUDGET;
  end = MIN (end, pyramid->length);
  while (first < end)
    {
      guint level = climb (pyramid, first, end);
      min_positive_below (pyramid, level, first >> (level * FANOUT_SHIFT), &budget, &best);
      first += (gsize)1 << (level * FANOUT_SHIFT);
    }
  if (!isfinite (best))
    return FALSE;
  *min = best;
  return TRUE;
}
