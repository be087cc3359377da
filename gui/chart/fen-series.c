/* fen-series.c: the points of a curve, in blocks, under a min/max pyramid (see fen-series.h).
 *
 * Columns are lists of blocks of 1,024 numbers: growing never copies and never holds twice what is needed (a doubling
 * array would, and 40 bytes of numbers would become 80). Blocks are counted, so a frozen copy shares them: appending
 * writes behind what the copy may read, and only taking points back has to copy a block that somebody else holds.
 */
#include "gui/chart/fen-series-private.h"

#include <glib/gi18n.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SHIFT 10
#define BLOCK_LENGTH (1u << BLOCK_SHIFT)
#define FIRST_CAPACITY 16 /* the first block grows: a run has many curves, most of them short */
#define FANOUT_SHIFT 4    /* 1 << FANOUT_SHIFT is FEN_SERIES_FANOUT */
#define MAX_LEVELS (64 / FANOUT_SHIFT)
#define QUANTILE_SAMPLE 4096
#define POSITIVE_BUDGET 65536 /* nodes */

G_STATIC_ASSERT (1 << FANOUT_SHIFT == FEN_SERIES_FANOUT);

typedef struct {
  gatomicrefcount refs;
  guint capacity;
  double values[];
} Block;

typedef struct {
  Block **blocks;
  gsize n_blocks, allocated;
} Column;

/* Nothing finite is min > max. */
typedef struct {
  double min, max;
} Extent;

typedef struct {
  Extent *extents;
  gsize length, allocated;
} Level;

typedef struct {
  guint64 revision; /* after it */
  gsize length;     /* what was kept */
} Rewind;

struct _FenSeries {
  gatomicrefcount refs;
  FenSeries *source; /* of places and breaks; NULL: they are here */
  Column places[FEN_N_AXES];
  Column y;
  gsize length;
  Level levels
      [MAX_LEVELS]; /* levels[k - 1] has one extent for each FANOUT^k points; the last one may be partial */
  guint n_levels;
  GArray *breaks;      /* gsize, rising: where lines begin, but for the first */
  gboolean break_next; /* the next point begins a line */
  gsize n_not_finite;
  guint64 revision;
  GArray *rewinds; /* Rewind, both rising: one that a later one surpassed is forgotten */
};

static const Extent empty_extent = { INFINITY, -INFINITY };

const char *
fen_axis_title (FenAxis axis)
{
  static const char *const titles[FEN_N_AXES] = {
    [FEN_AXIS_STEP] = N_ ("Step"),
    [FEN_AXIS_TOKENS] = N_ ("Tokens"),
    [FEN_AXIS_RELATIVE] = N_ ("Time since Start"),
    [FEN_AXIS_WALL] = N_ ("Time of Day"),
  };
  g_return_val_if_fail ((guint)axis < FEN_N_AXES, "");
  return _ (titles[axis]);
}

/* ---- blocks ---- */

static Block *
block_new (guint capacity)
{
  Block *block = g_malloc (sizeof (Block) + capacity * sizeof (double));
  g_atomic_ref_count_init (&block->refs);
  block->capacity = capacity;
  return block;
}

static void
block_unref (Block *block)
{
  if (g_atomic_ref_count_dec (&block->refs))
    g_free (block);
}

/* A block of one's own with the first `length` numbers of `block`, whose reference is given up. */
static Block *
block_copy (Block *block, guint capacity, guint length)
{
  Block *copy = block_new (capacity);
  memcpy (copy->values, block->values, length * sizeof (double));
  block_unref (block);
  return copy;
}

static inline double
column_get (const Column *column, gsize index)
{
  return column->blocks[index >> BLOCK_SHIFT]->values[index & (BLOCK_LENGTH - 1)];
}

static void
column_append (Column *column, gsize index, double value)
{
  gsize b = index >> BLOCK_SHIFT;
  guint at = index & (BLOCK_LENGTH - 1);
  if (b == column->n_blocks)
    {
      if (column->n_blocks == column->allocated)
        {
          column->allocated = MAX (4, column->allocated + column->allocated / 2);
          column->blocks = g_renew (Block *, column->blocks, column->allocated);
        }
      column->blocks[column->n_blocks++] = block_new (b == 0 ? FIRST_CAPACITY : BLOCK_LENGTH);
    }
  else if (at == column->blocks[b]->capacity)
    column->blocks[b] = block_copy (column->blocks[b], at * 2, at);
  column->blocks[b]->values[at] = value;
}

/* What comes next is written where a frozen copy may be reading: it keeps the block, we go on in another. */
static void
column_truncate (Column *column, gsize length)
{
  gsize keep = (length + BLOCK_LENGTH - 1) >> BLOCK_SHIFT;
  guint at = length & (BLOCK_LENGTH - 1);
  while (column->n_blocks > keep)
    block_unref (column->blocks[--column->n_blocks]);
  if (at != 0 && !g_atomic_ref_count_compare (&column->blocks[keep - 1]->refs, 1))
    column->blocks[keep - 1] = block_copy (column->blocks[keep - 1], column->blocks[keep - 1]->capacity, at);
}

static void
column_share (Column *column, const Column *from)
{
  column->blocks = g_memdup2 (from->blocks, from->n_blocks * sizeof (Block *));
  column->n_blocks = column->allocated = from->n_blocks;
  for (gsize i = 0; i < from->n_blocks; i++)
    g_atomic_ref_count_inc (&from->blocks[i]->refs);
}

static void
column_clear (Column *column)
{
  column_truncate (column, 0);
  g_clear_pointer (&column->blocks, g_free);
  column->allocated = 0;
}

static gsize
column_bytes (const Column *column)
{
  gsize bytes = column->allocated * sizeof (Block *);
  for (gsize i = 0; i < column->n_blocks; i++)
    bytes += sizeof (Block) + column->blocks[i]->capacity * sizeof (double);
  return bytes;
}

/* ---- the pyramid ---- */

static inline void
extent_add (Extent *extent, Extent other)
{
  extent->min = MIN (extent->min, other.min);
  extent->max = MAX (extent->max, other.max);
}

static inline Extent
point_extent (double y)
{
  return isfinite (y) ? (Extent){ y, y } : empty_extent;
}

static Extent
node (const FenSeries *series, guint level, gsize index)
{
  return level == 0 ? point_extent (column_get (&series->y, index))
                    : series->levels[level - 1].extents[index];
}

static gsize
level_length (const FenSeries *series, guint level)
{
  return level == 0 ? series->length : series->levels[level - 1].length;
}

/* The extent of everything below one node, from the level under it. */
static Extent
gather (const FenSeries *series, guint level, gsize index)
{
  Extent sum = empty_extent;
  gsize first = index << FANOUT_SHIFT;
  gsize end = MIN (first + FEN_SERIES_FANOUT, level_length (series, level - 1));
  for (gsize i = first; i < end; i++)
    extent_add (&sum, node (series, level - 1, i));
  return sum;
}

static void
level_push (Level *level, Extent extent)
{
  if (level->length == level->allocated)
    {
      level->allocated = MAX (4, level->allocated + level->allocated / 2);
      level->extents = g_renew (Extent, level->extents, level->allocated);
    }
  level->extents[level->length++] = extent;
}

/* Point `index` with this y was appended: series->length counts it. */
static void
pyramid_append (FenSeries *series, gsize index, double y)
{
  Extent point = point_extent (y);
  for (guint k = 1; k <= series->n_levels; k++)
    {
      Level *level = &series->levels[k - 1];
      gsize at = index >> (k * FANOUT_SHIFT);
      if (at == level->length)
        level_push (level, point);
      else
        {
          Extent *extent = &level->extents[at];
          /* What is inside here is inside everything above, too. */
          if (point.min >= extent->min && point.max <= extent->max)
            return;
          extent_add (extent, point);
        }
    }
  if (series->n_levels < MAX_LEVELS && level_length (series, series->n_levels) > 1)
    {
      guint k = ++series->n_levels;
      level_push (&series->levels[k - 1], gather (series, k, 0));
    }
}

static void
pyramid_truncate (FenSeries *series)
{
  for (guint k = 1; k <= series->n_levels; k++)
    {
      gsize span = (gsize)1 << (k * FANOUT_SHIFT);
      Level *level = &series->levels[k - 1];
      level->length = series->length / span + (series->length % span != 0);
      if (level->length > 0)
        level->extents[level->length - 1] = gather (series, k, level->length - 1);
    }
}

/* The highest node that begins at `first` and ends by `end`. */
static guint
climb (const FenSeries *series, gsize first, gsize end)
{
  guint level = 0;
  while (level < series->n_levels)
    {
      gsize span = (gsize)1 << ((level + 1) * FANOUT_SHIFT);
      if (first % span != 0 || (end - first < span && end < series->length))
        break;
      level++;
    }
  return level;
}

/* ---- life ---- */

FenSeries *
fen_series_new (void)
{
  FenSeries *series = g_new0 (FenSeries, 1);
  g_atomic_ref_count_init (&series->refs);
  series->breaks = g_array_new (FALSE, FALSE, sizeof (gsize));
  series->rewinds = g_array_new (FALSE, FALSE, sizeof (Rewind));
  return series;
}

FenSeries *
fen_series_new_derived (FenSeries *source)
{
  FenSeries *series = fen_series_new ();
  series->source = fen_series_ref (source);
  return series;
}

FenSeries *
fen_series_ref (FenSeries *series)
{
  g_atomic_ref_count_inc (&series->refs);
  return series;
}

void
fen_series_unref (FenSeries *series)
{
  if (!g_atomic_ref_count_dec (&series->refs))
    return;
  for (guint axis = 0; axis < FEN_N_AXES; axis++)
    column_clear (&series->places[axis]);
  column_clear (&series->y);
  for (guint k = 0; k < MAX_LEVELS; k++)
    g_free (series->levels[k].extents);
  g_array_unref (series->breaks);
  g_array_unref (series->rewinds);
  g_clear_pointer (&series->source, fen_series_unref);
  g_free (series);
}

FenSeries *
fen_series_freeze (FenSeries *series)
{
  FenSeries *copy = fen_series_new ();
  if (series->source != NULL)
    copy->source = fen_series_freeze (series->source);
  for (guint axis = 0; axis < FEN_N_AXES; axis++)
    column_share (&copy->places[axis], &series->places[axis]);
  column_share (&copy->y, &series->y);
  copy->length = series->length;
  copy->n_levels = series->n_levels;
  for (guint k = 0; k < series->n_levels; k++)
    {
      const Level *level = &series->levels[k];
      copy->levels[k].extents = g_memdup2 (level->extents, level->length * sizeof (Extent));
      copy->levels[k].length = copy->levels[k].allocated = level->length;
    }
  g_array_append_vals (copy->breaks, series->breaks->data, series->breaks->len);
  copy->n_not_finite = series->n_not_finite;
  copy->revision = series->revision;
  return copy;
}

/* ---- adding and taking back ---- */

static void
append_y (FenSeries *series, double y)
{
  gsize index = series->length;
  column_append (&series->y, index, y);
  series->length++;
  series->n_not_finite += !isfinite (y);
  series->revision++;
  pyramid_append (series, index, y);
}

void
fen_series_append (FenSeries *series, const double *x, double y)
{
  g_return_if_fail (series->source == NULL);
  gsize index = series->length;
  for (guint axis = 0; axis < FEN_N_AXES; axis++)
    {
      double place = isfinite (x[axis]) ? x[axis] : -INFINITY;
      if (index > 0)
        place = MAX (place, column_get (&series->places[axis], index - 1));
      else if (!isfinite (place))
        place = 0;
      column_append (&series->places[axis], index, place);
    }
  if (series->break_next && index > 0)
    g_array_append_val (series->breaks, index);
  series->break_next = FALSE;
  append_y (series, y);
}

void
fen_series_derive (FenSeries *series, double y)
{
  g_return_if_fail (series->source != NULL && series->length < series->source->length);
  append_y (series, y);
}

void
fen_series_truncate (FenSeries *series, gsize length)
{
  if (length >= series->length)
    return;
  for (gsize i = length; i < series->length; i++)
    series->n_not_finite -= !isfinite (column_get (&series->y, i));
  series->length = length;
  column_truncate (&series->y, length);
  if (series->source == NULL)
    for (guint axis = 0; axis < FEN_N_AXES; axis++)
      column_truncate (&series->places[axis], length);
  pyramid_truncate (series);
  while (series->breaks->len > 0 && g_array_index (series->breaks, gsize, series->breaks->len - 1) >= length)
    g_array_set_size (series->breaks, series->breaks->len - 1);

  Rewind rewind = { ++series->revision, length };
  while (series->rewinds->len > 0
         && g_array_index (series->rewinds, Rewind, series->rewinds->len - 1).length >= length)
    g_array_set_size (series->rewinds, series->rewinds->len - 1);
  g_array_append_val (series->rewinds, rewind);
}

void
fen_series_rewind (FenSeries *series, double step)
{
  g_return_if_fail (series->source == NULL);
  fen_series_truncate (series, fen_series_upper_bound (series, FEN_AXIS_STEP, step));
  series->break_next = TRUE;
  series->revision++;
}

void
fen_series_clear (FenSeries *series)
{
  fen_series_truncate (series, 0);
  series->break_next = FALSE;
  series->revision++;
}

gsize
fen_series_kept_since (const FenSeries *series, guint64 revision, gsize length)
{
  for (guint i = 0; i < series->rewinds->len; i++)
    {
      const Rewind *rewind = &g_array_index (series->rewinds, Rewind, i);
      if (rewind->revision > revision)
        /* The first one since is the one that kept the least: lengths rise. */
        return MIN (length, rewind->length);
    }
  return length;
}

/* ---- reading ---- */

gsize
fen_series_length (const FenSeries *series)
{
  /* A derived series that was not brought up to date yet must not show places that are gone. */
  return series->source != NULL ? MIN (series->length, series->source->length) : series->length;
}

double
fen_series_x (const FenSeries *series, FenAxis axis, gsize index)
{
  const FenSeries *owner = series->source != NULL ? series->source : series;
  g_return_val_if_fail ((guint)axis < FEN_N_AXES && index < owner->length, NAN);
  return column_get (&owner->places[axis], index);
}

double
fen_series_y (const FenSeries *series, gsize index)
{
  g_return_val_if_fail (index < series->length, NAN);
  return column_get (&series->y, index);
}

gboolean
fen_series_breaks_at (const FenSeries *series, gsize index)
{
  const GArray *breaks = series->source != NULL ? series->source->breaks : series->breaks;
  guint low = 0, high = breaks->len;
  while (low < high)
    {
      guint middle = low + (high - low) / 2;
      if (g_array_index (breaks, gsize, middle) < index)
        low = middle + 1;
      else
        high = middle;
    }
  return index == 0 || (low < breaks->len && g_array_index (breaks, gsize, low) == index);
}

gboolean
fen_series_joined (const FenSeries *series, gsize index)
{
  return index > 0 && index < fen_series_length (series) && isfinite (column_get (&series->y, index - 1))
         && isfinite (column_get (&series->y, index)) && !fen_series_breaks_at (series, index);
}

gsize
fen_series_n_not_finite (const FenSeries *series)
{
  return series->n_not_finite;
}

gsize
fen_series_bytes (const FenSeries *series)
{
  gsize bytes = sizeof (FenSeries) + column_bytes (&series->y) + series->breaks->len * sizeof (gsize)
                + series->rewinds->len * sizeof (Rewind);
  for (guint axis = 0; axis < FEN_N_AXES; axis++)
    bytes += column_bytes (&series->places[axis]);
  for (guint k = 0; k < series->n_levels; k++)
    bytes += series->levels[k].allocated * sizeof (Extent);
  return bytes;
}

guint64
fen_series_revision (const FenSeries *series)
{
  return series->revision;
}

static const Column *
places (const FenSeries *series, FenAxis axis)
{
  return &(series->source != NULL ? series->source : series)->places[axis];
}

/* First index of [low, high) whose place is >= x, or > x when `after`; high when there is none. */
static gsize
bound (const FenSeries *series, FenAxis axis, gsize low, gsize high, double x, gboolean after)
{
  const Column *column = places (series, axis);
  while (low < high)
    {
      gsize middle = low + (high - low) / 2;
      double place = column_get (column, middle);
      if (after ? !(place > x) : place < x)
        low = middle + 1;
      else
        high = middle;
    }
  return low;
}

gsize
fen_series_lower_bound (const FenSeries *series, FenAxis axis, double x)
{
  return bound (series, axis, 0, fen_series_length (series), x, FALSE);
}

gsize
fen_series_upper_bound (const FenSeries *series, FenAxis axis, double x)
{
  return bound (series, axis, 0, fen_series_length (series), x, TRUE);
}

/* Strides that double until they are past it. */
gsize
fen_series_seek (const FenSeries *series, FenAxis axis, gsize from, double x)
{
  gsize length = fen_series_length (series), stride = 1;
  const Column *column = places (series, axis);
  while (from + stride < length && column_get (column, from + stride) < x)
    {
      from += stride;
      stride *= 2;
    }
  return bound (series, axis, from, MIN (from + stride + 1, length), x, FALSE);
}

gboolean
fen_series_nearest (const FenSeries *series, FenAxis axis, double x, gsize *index)
{
  gsize length = fen_series_length (series);
  if (length == 0 || isnan (x))
    return FALSE;
  gsize after = fen_series_lower_bound (series, axis, x);
  if (after == length)
    *index = length - 1;
  else if (after == 0)
    *index = 0;
  else
    {
      double back = x - fen_series_x (series, axis, after - 1);
      double ahead = fen_series_x (series, axis, after) - x;
      *index = back <= ahead ? after - 1 : after;
    }
  return TRUE;
}

gboolean
fen_series_min_max (const FenSeries *series, gsize first, gsize end, double *min, double *max)
{
  Extent sum = empty_extent;
  end = MIN (end, series->length);
  while (first < end)
    {
      guint level = climb (series, first, end);
      extent_add (&sum, node (series, level, first >> (level * FANOUT_SHIFT)));
      first += (gsize)1 << (level * FANOUT_SHIFT);
    }
  if (sum.min > sum.max)
    return FALSE;
  *min = sum.min;
  *max = sum.max;
  return TRUE;
}

gboolean
fen_series_find_max (const FenSeries *series, gsize first, gsize end, gsize *index)
{
  double min, max;
  end = MIN (end, series->length);
  if (!fen_series_min_max (series, first, end, &min, &max))
    return FALSE;
  guint level = climb (series, first, end);
  gsize at = first >> (level * FANOUT_SHIFT);
  while (node (series, level, at).max != max)
    {
      first += (gsize)1 << (level * FANOUT_SHIFT);
      level = climb (series, first, end);
      at = first >> (level * FANOUT_SHIFT);
    }
  for (; level > 0; level--)
    for (at <<= FANOUT_SHIFT; node (series, level - 1, at).max != max;)
      at++;
  *index = at;
  return TRUE;
}

static void
min_positive_below (const FenSeries *series, guint level, gsize index, guint *budget, double *best)
{
  Extent extent = node (series, level, index);
  if (*budget == 0 || extent.max <= 0 || extent.min > extent.max || extent.min >= *best)
    return;
  --*budget;
  if (extent.min > 0)
    {
      *best = extent.min;
      return;
    }
  gsize first = index << FANOUT_SHIFT;
  gsize end = MIN (first + FEN_SERIES_FANOUT, level == 0 ? 0 : level_length (series, level - 1));
  for (gsize i = first; i < end; i++)
    min_positive_below (series, level - 1, i, budget, best);
}

gboolean
fen_series_min_positive (const FenSeries *series, gsize first, gsize end, double *min)
{
  double best = INFINITY;
  guint budget = POSITIVE_BUDGET;
  end = MIN (end, series->length);
  while (first < end)
    {
      guint level = climb (series, first, end);
      min_positive_below (series, level, first >> (level * FANOUT_SHIFT), &budget, &best);
      first += (gsize)1 << (level * FANOUT_SHIFT);
    }
  if (!isfinite (best))
    return FALSE;
  *min = best;
  return TRUE;
}

static int
compare_doubles (const void *a, const void *b)
{
  double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

/* Finite y of [first, end), every one or an even sample; how many. */
static gsize
sample_finite (const FenSeries *series, gsize first, gsize end, double *sample)
{
  gsize n = end - first, found = 0, taken = MIN (n, QUANTILE_SAMPLE);
  for (gsize i = 0; i < taken; i++)
    {
      /* n / taken each, without overflow and without drift. */
      gsize at = n <= QUANTILE_SAMPLE ? i : (gsize)(((double)i + 0.5) * (double)n / (double)taken);
      double y = column_get (&series->y, first + at);
      if (isfinite (y))
        sample[found++] = y;
    }
  /* Few finite ones among many gaps: the sample may have missed them all. */
  if (found == 0)
    for (gsize i = first; i < end && found < QUANTILE_SAMPLE; i++)
      {
        double y = column_get (&series->y, i);
        if (isfinite (y))
          sample[found++] = y;
      }
  return found;
}

gboolean
fen_series_quantile (const FenSeries *series, gsize first, gsize end, double share, double *value)
{
  double sample[QUANTILE_SAMPLE];
  end = MIN (end, series->length);
  if (first >= end)
    return FALSE;
  gsize n = sample_finite (series, first, end, sample);
  if (n == 0)
    return FALSE;
  qsort (sample, n, sizeof (double), compare_doubles);
  /* Between two of them: on the line that joins them. */
  double at = CLAMP (share, 0, 1) * (double)(n - 1);
  gsize below = (gsize)at, above = MIN (below + 1, n - 1);
  double part = at - (double)below;
  *value = sample[below] * (1 - part) + sample[above] * part;
  return TRUE;
}
