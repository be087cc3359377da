/* Curves against an oracle that keeps plain arrays and looks at every point. */
#include "gui/chart/fen-series-private.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

typedef struct {
  double x[FEN_N_AXES];
  double y;
  gboolean breaks;
} Point;

typedef struct {
  FenSeries *series;
  GArray *points; /* Point: the oracle */
  gboolean break_next;
} Pair;

static void
pair_init (Pair *pair)
{
  pair->series = fen_series_new ();
  pair->points = g_array_new (FALSE, FALSE, sizeof (Point));
  pair->break_next = FALSE;
}

static void
pair_clear (Pair *pair)
{
  fen_series_unref (pair->series);
  g_array_unref (pair->points);
}

#define point_at(pair, i) g_array_index ((pair)->points, Point, i)

static double
random_y (GRand *rand)
{
  switch (g_rand_int_range (rand, 0, 12))
    {
    case 0:
      return NAN;
    case 1:
      return g_rand_boolean (rand) ? INFINITY : -INFINITY;
    case 2:
      return 0;
    default:
      return g_rand_double_range (rand, -1, 1) * pow (10, g_rand_int_range (rand, -8, 9));
    }
}

static void
pair_append (Pair *pair, const double *x, double y)
{
  Point point = { .y = y, .breaks = pair->break_next };
  for (guint axis = 0; axis < FEN_N_AXES; axis++)
    {
      double last = pair->points->len > 0 ? point_at (pair, pair->points->len - 1).x[axis] : -INFINITY;
      point.x[axis] = isfinite (x[axis]) && x[axis] > last ? x[axis] : last;
      if (!isfinite (point.x[axis]))
        point.x[axis] = 0;
    }
  g_array_append_val (pair->points, point);
  pair->break_next = FALSE;
  fen_series_append (pair->series, x, y);
}

static void
pair_append_random (Pair *pair, GRand *rand)
{
  /* Equal places, places that fall and places that are no numbers are all among them. */
  double x[FEN_N_AXES];
  gsize n = pair->points->len;
  for (guint axis = 0; axis < FEN_N_AXES; axis++)
    {
      double last = n > 0 ? point_at (pair, n - 1).x[axis] : 100;
      x[axis] = last + floor (g_rand_double_range (rand, -1, 3)) * (axis + 1);
      if (g_rand_int_range (rand, 0, 50) == 0)
        x[axis] = g_rand_boolean (rand) ? NAN : INFINITY;
    }
  pair_append (pair, x, random_y (rand));
}

static void
pair_rewind (Pair *pair, double step)
{
  guint keep = 0;
  while (keep < pair->points->len && !(point_at (pair, keep).x[FEN_AXIS_STEP] > step))
    keep++;
  g_array_set_size (pair->points, keep);
  pair->break_next = TRUE;
  fen_series_rewind (pair->series, step);
}

static void
assert_same_points (const FenSeries *series, const GArray *points)
{
  gsize not_finite = 0;
  g_assert_cmpuint (fen_series_length (series), ==, points->len);
  for (guint i = 0; i < points->len; i++)
    {
      const Point *point = &g_array_index (points, Point, i);
      for (guint axis = 0; axis < FEN_N_AXES; axis++)
        g_assert_true (fen_series_x (series, axis, i) == point->x[axis]);
      double y = fen_series_y (series, i);
      g_assert_true (y == point->y || (isnan (y) && isnan (point->y)));
      g_assert_cmpint (fen_series_breaks_at (series, i), ==, i == 0 || point->breaks);
      not_finite += !isfinite (y);
    }
  g_assert_cmpuint (fen_series_n_not_finite (series), ==, not_finite);
}

static void
assert_same_range (Pair *pair, gsize first, gsize end)
{
  double min = INFINITY, max = -INFINITY, positive = INFINITY, got_min, got_max, got;
  gsize found = 0, at_max = 0, at;
  for (gsize i = first; i < end && i < pair->points->len; i++)
    {
      double y = point_at (pair, i).y;
      if (!isfinite (y))
        continue;
      if (y > max)
        at_max = i;
      min = MIN (min, y);
      max = MAX (max, y);
      if (y > 0)
        positive = MIN (positive, y);
      found++;
    }
  g_assert_cmpint (fen_series_min_max (pair->series, first, end, &got_min, &got_max), ==, found > 0);
  g_assert_cmpint (fen_series_find_max (pair->series, first, end, &at), ==, found > 0);
  g_assert_cmpint (fen_series_min_positive (pair->series, first, end, &got), ==, isfinite (positive));
  if (found > 0)
    {
      g_assert_true (got_min == min && got_max == max);
      g_assert_cmpuint (at, ==, at_max);
    }
  if (isfinite (positive))
    g_assert_true (got == positive);
}

static void
assert_same_search (Pair *pair, FenAxis axis, double x)
{
  gsize lower = 0, upper = 0, nearest = 0, at, n = pair->points->len;
  while (lower < n && point_at (pair, lower).x[axis] < x)
    lower++;
  while (upper < n && point_at (pair, upper).x[axis] <= x)
    upper++;
  for (gsize i = 1; i < n; i++)
    if (fabs (point_at (pair, i).x[axis] - x) < fabs (point_at (pair, nearest).x[axis] - x))
      nearest = i;
  g_assert_cmpuint (fen_series_lower_bound (pair->series, axis, x), ==, lower);
  g_assert_cmpuint (fen_series_upper_bound (pair->series, axis, x), ==, upper);
  g_assert_cmpint (fen_series_nearest (pair->series, axis, x, &at), ==, n > 0);
  if (n > 0)
    /* Among equal places any will do. */
    g_assert_cmpfloat (fabs (point_at (pair, at).x[axis] - x), ==,
                       fabs (point_at (pair, nearest).x[axis] - x));
}

static int
compare_doubles (const void *a, const void *b)
{
  double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

static void
assert_same_quantile (Pair *pair, gsize first, gsize end, double share)
{
  g_autofree double *values = g_new (double, end - first + 1);
  gsize n = 0;
  double got;
  for (gsize i = first; i < end; i++)
    if (isfinite (point_at (pair, i).y))
      values[n++] = point_at (pair, i).y;
  g_assert_cmpint (fen_series_quantile (pair->series, first, end, share, &got), ==, n > 0);
  if (n == 0)
    return;
  qsort (values, n, sizeof (double), compare_doubles);
  double at = share * (double)(n - 1);
  double low = values[(gsize)floor (at)], high = values[(gsize)ceil (at)];
  double want = low + (high - low) * (at - floor (at));
  /* Both are convex combinations in double: a few roundings of the larger one apart. */
  g_assert_cmpfloat (fabs (got - want), <=, 1e-14 * MAX (fabs (low), fabs (high)));
}

static void
assert_same_smoothed (FenSmoothed *smoothed, Pair *pair, double weight)
{
  double sum = 0, missing = 1;
  fen_smoothed_update (smoothed);
  FenSeries *series = fen_smoothed_series (smoothed);
  g_assert_cmpuint (fen_series_length (series), ==, pair->points->len);
  for (guint i = 0; i < pair->points->len; i++)
    {
      const Point *point = &point_at (pair, i);
      double y = fen_series_y (series, i);
      g_assert_true (fen_series_x (series, FEN_AXIS_TOKENS, i) == point->x[FEN_AXIS_TOKENS]);
      g_assert_cmpint (fen_series_breaks_at (series, i), ==, i == 0 || point->breaks);
      if (!isfinite (point->y))
        {
          g_assert_false (isfinite (y));
          continue;
        }
      sum = weight * sum + (1 - weight) * point->y;
      missing *= weight;
      double want = sum / (1 - missing);
      g_assert_true (y == want);
    }
}

static void
test_against_oracle (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (4711);
  for (guint round = 0; round < 40; round++)
    {
      Pair pair;
      pair_init (&pair);
      double weight = round % 4 == 0 ? 0 : g_rand_double_range (rand, 0, 0.99);
      FenSmoothed *smoothed = fen_smoothed_new (pair.series, weight);
      guint target = (guint)pow (10, g_rand_double_range (rand, 0, 3.7));
      for (guint phase = 0; phase < 4; phase++)
        {
          for (guint i = 0; i < target; i++)
            pair_append_random (&pair, rand);
          if (g_rand_boolean (rand))
            fen_smoothed_update (smoothed); /* else it is two changes behind */
          assert_same_points (pair.series, pair.points);
          for (guint i = 0; i < 60; i++)
            {
              gsize first = g_rand_int_range (rand, 0, pair.points->len + 1);
              gsize end = g_rand_int_range (rand, first, pair.points->len + 1);
              assert_same_range (&pair, first, end);
              if (end - first <= 4096)
                assert_same_quantile (&pair, first, end, g_rand_double (rand));
              double last = point_at (&pair, pair.points->len - 1).x[i % FEN_N_AXES];
              assert_same_search (&pair, i % FEN_N_AXES, floor (g_rand_double_range (rand, 90, last + 10)));
            }
          assert_same_range (&pair, 0, G_MAXSIZE);
          /* Sometimes to a step in the middle, sometimes nothing goes, sometimes all. */
          double last = point_at (&pair, pair.points->len - 1).x[FEN_AXIS_STEP];
          pair_rewind (&pair, floor (g_rand_double_range (rand, 50, last + 20)));
          assert_same_points (pair.series, pair.points);
          assert_same_range (&pair, 0, pair.points->len);
        }
      assert_same_smoothed (smoothed, &pair, weight);
      fen_smoothed_set_weight (smoothed, 0.9);
      assert_same_smoothed (smoothed, &pair, 0.9);
      fen_smoothed_free (smoothed);
      pair_clear (&pair);
    }
}

static void
test_empty (void)
{
  g_autoptr (FenSeries) series = fen_series_new ();
  double min = 1, max = 2;
  gsize index;
  g_assert_cmpuint (fen_series_length (series), ==, 0);
  g_assert_false (fen_series_min_max (series, 0, 10, &min, &max));
  g_assert_false (fen_series_quantile (series, 0, 10, 0.5, &min));
  g_assert_false (fen_series_nearest (series, FEN_AXIS_STEP, 3, &index));
  g_assert_cmpuint (fen_series_lower_bound (series, FEN_AXIS_WALL, 3), ==, 0);
  fen_series_rewind (series, 5);
  fen_series_clear (series);
  g_assert_cmpuint (fen_series_length (series), ==, 0);
}

/* Whoever drew a series can tell that it has changed. */
static void
test_revision (void)
{
  g_autoptr (FenSeries) series = fen_series_new ();
  const double x[FEN_N_AXES] = { 1, 2, 3, 4 };
  guint64 seen = fen_series_revision (series);
  fen_series_append (series, x, 1);
  g_assert_cmpuint (fen_series_revision (series), !=, seen);
  seen = fen_series_revision (series);
  fen_series_rewind (series, 0);
  fen_series_append (series, x, 1);
  g_assert_cmpuint (fen_series_revision (series), !=, seen);
  seen = fen_series_revision (series);
  fen_series_clear (series);
  g_assert_cmpuint (fen_series_revision (series), !=, seen);
}

/* A copy for a worker keeps what it was, whatever is taken back and added after. */
static void
test_freeze (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (12);
  for (guint round = 0; round < 20; round++)
    {
      Pair pair;
      pair_init (&pair);
      guint n = g_rand_int_range (rand, 1, 5000);
      for (guint i = 0; i < n; i++)
        pair_append_random (&pair, rand);
      FenSeries *copy = fen_series_freeze (pair.series);
      g_autoptr (GArray) points = g_array_copy (pair.points);
      if (round % 2 == 0)
        pair_rewind (&pair, point_at (&pair, n / 2).x[FEN_AXIS_STEP]);
      for (guint i = 0; i < 3000; i++)
        pair_append_random (&pair, rand);
      assert_same_points (copy, points);
      assert_same_points (pair.series, pair.points);
      fen_series_unref (copy);
      assert_same_points (pair.series, pair.points);
      pair_clear (&pair);
    }
}

/* 64 bytes a point, pyramid and a smoothed line included, at every length and not only right after growing. */
static void
test_memory (void)
{
  g_autoptr (FenSeries) series = fen_series_new ();
  FenSmoothed *smoothed = fen_smoothed_new (series, 0.6);
  for (gsize i = 1; i <= 1000000; i++)
    {
      const double x[FEN_N_AXES] = { i, i * 768.0, i * 0.1, 1.7e9 + i * 0.1 };
      fen_series_append (series, x, sin ((double)i));
      if (i % 5000 == 0 || i % 16384 < 2)
        {
          fen_smoothed_update (smoothed);
          gsize bytes = fen_series_bytes (series) + fen_series_bytes (fen_smoothed_series (smoothed));
          if (i >= 5000)
            g_assert_cmpuint (bytes, <=, 64 * i);
        }
    }
  g_test_message ("%.2f bytes a point, %.2f with its smoothed line", fen_series_bytes (series) / 1e6,
                  (fen_series_bytes (series) + fen_series_bytes (fen_smoothed_series (smoothed))) / 1e6);
  fen_smoothed_free (smoothed);
}

/* Beyond 4,096 points the quantile is of a sample: near the truth for data that does not beat with it. */
static void
test_quantile_of_many (void)
{
  g_autoptr (FenSeries) series = fen_series_new ();
  g_autoptr (GRand) rand = g_rand_new_with_seed (3);
  double value;
  for (guint i = 0; i < 200000; i++)
    {
      const double x[FEN_N_AXES] = { i, i, i, i };
      fen_series_append (series, x, g_rand_double (rand));
    }
  g_assert_true (fen_series_quantile (series, 0, 200000, 0.25, &value));
  /* Five standard deviations of a sample quantile of 4,096: 5 sqrt (0.25 * 0.75 / 4096). */
  g_assert_cmpfloat (fabs (value - 0.25), <, 0.034);
  /* One finite point among gaps, where no even sample finds it. */
  fen_series_clear (series);
  for (guint i = 0; i < 100000; i++)
    {
      const double x[FEN_N_AXES] = { i, i, i, i };
      fen_series_append (series, x, i == 31 ? 7 : NAN);
    }
  g_assert_true (fen_series_quantile (series, 0, 100000, 0.5, &value));
  g_assert_cmpfloat (value, ==, 7);
}

int
main (int argc, char *argv[])
{
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/series/against-oracle", test_against_oracle);
  g_test_add_func ("/series/empty", test_empty);
  g_test_add_func ("/series/revision", test_revision);
  g_test_add_func ("/series/freeze", test_freeze);
  g_test_add_func ("/series/memory", test_memory);
  g_test_add_func ("/series/quantile-of-many", test_quantile_of_many);
  return g_test_run ();
}
