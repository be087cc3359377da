/* fen-ticks.c: nice places for ticks (see fen-ticks-private.h).
 *
 * Steps are 1, 2 or 5 times a power of ten; powers of two for bytes; what clocks and calendars use for time. Among
 * those, the least step that gives no more ticks than there is room for.
 */
#include "gui/chart/fen-ticks-private.h"

#include <glib/gi18n.h>
#include <math.h>

#define DAY 86400.0
#define MAX_TICKS 1000 /* whatever the caller asks for */

static void
tick_clear (gpointer data)
{
  g_free (((FenTick *)data)->label);
}

static GArray *
ticks_new (void)
{
  GArray *ticks = g_array_new (FALSE, FALSE, sizeof (FenTick));
  g_array_set_clear_func (ticks, tick_clear);
  return ticks;
}

static void
add_tick (GArray *ticks, double value, char *label)
{
  FenTick tick = { value, label };
  g_array_append_val (ticks, tick);
}

static gboolean
is_range (double min, double max)
{
  return isfinite (min) && isfinite (max) && min < max && isfinite (max - min);
}

/* ---- steps ---- */

/* Multiples of step in [min, max]: the first one and how many. A tolerance keeps a tick at the very end of the range; it is small
 * beside the step and beside the range. */
static double
tolerance (double min, double max, double step)
{
  return 1e-9 * fmin (1, (max - min) / step);
}

static double
first_multiple (double min, double max, double step)
{
  return ceil (min / step - tolerance (min, max, step));
}

static double
n_multiples (double min, double max, double step)
{
  return floor (max / step + tolerance (min, max, step)) - first_multiple (min, max, step) + 1;
}

static double
decimal_step (double min, double max, guint most)
{
  static const double mantissas[] = { 1, 2, 5 };
  int exponent = (int)floor (log10 ((max - min) / most)) - 1;
  for (;; exponent++)
    for (guint i = 0; i < G_N_ELEMENTS (mantissas); i++)
      if (n_multiples (min, max, mantissas[i] * pow (10, exponent)) <= most)
        return mantissas[i] * pow (10, exponent);
}

static double
binary_step (double min, double max, guint most)
{
  double step = fmax (1, exp2 (floor (log2 ((max - min) / most)) - 1));
  while (n_multiples (min, max, step) > most)
    step *= 2;
  return step;
}

static double
time_step (double min, double max, guint most)
{
  static const double steps[]
      = { 1,    2,    5,    10,    15,    30,    60,  120,     300,     600,      900,
          1800, 3600, 7200, 10800, 21600, 43200, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 28 * DAY };
  if ((max - min) / most < 1)
    {
      double step = decimal_step (min, max, most);
      if (step < 1)
        return step;
    }
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    if (n_multiples (min, max, steps[i]) <= most)
      return steps[i];
  return DAY * decimal_step (min / DAY, max / DAY, most);
}

/* ---- axes of numbers ---- */

typedef char *(*LabelFunc) (int what, double value, double step);

static char *
unit_label (int unit, double value, double step)
{
  return fen_unit_format_tick ((FenUnit)unit, value, step);
}

static char *
clock_label (int axis, double value, double step)
{
  return fen_format_clock (value, step);
}

static GArray *
multiples (double min, double max, double step, LabelFunc label, int what)
{
  GArray *ticks = ticks_new ();
  double first = first_multiple (min, max, step);
  double n = fmin (n_multiples (min, max, step), MAX_TICKS);
  for (double i = 0; i < n; i++)
    {
      double value = (first + i) * step;
      add_tick (ticks, value, label (what, value, step));
    }
  return ticks;
}

GArray *
fen_ticks_linear (FenUnit unit, double min, double max, guint most)
{
  if (!is_range (min, max))
    return ticks_new ();
  most = CLAMP (most, 1, MAX_TICKS);
  double step = unit == FEN_UNIT_BYTES ? binary_step (min, max, most) : decimal_step (min, max, most);
  return multiples (min, max, step, unit_label, (int)unit);
}

GArray *
fen_ticks_log (FenUnit unit, double min, double max, guint most)
{
  static const double few[] = { 1, 2, 5 };
  if (!is_range (min, max) || min <= 0)
    return ticks_new ();
  most = CLAMP (most, 1, MAX_TICKS);
  int low = (int)ceil (log10 (min) - 1e-9), high = (int)floor (log10 (max) + 1e-9);
  int decades = high - low + 1;
  /* Less than a decade and a half: round numbers in even distance say more than powers do. */
  if (max / min < 30)
    return fen_ticks_linear (unit, min, max, most);
  GArray *ticks = ticks_new ();
  guint n = 0;
  for (int e = low - 1; e <= high; e++)
    for (guint i = 0; i < G_N_ELEMENTS (few); i++)
      n += few[i] * pow (10, e) >= min && few[i] * pow (10, e) <= max;
  int every = MAX (1, (decades + (int)most - 1) / (int)most);
  for (int e = low - 1; e <= high; e++)
    for (guint i = 0; i < (n <= most ? G_N_ELEMENTS (few) : 1); i++)
      {
        double value = few[i] * pow (10, e);
        if (value >= min * (1 - 1e-9) && value <= max * (1 + 1e-9) && (n <= most || (e - low) % every == 0))
          add_tick (ticks, value, fen_unit_format_tick (unit, value, value));
      }
  return ticks;
}

/* ---- the calendar ---- */

/* Local midnights, every `days` days counted from a fixed one, so that ticks stay where they are while the range
 * moves. A day is 23 or 25 hours long twice a year: the calendar knows, arithmetic does not. */
static GArray *
midnights (double min, double max, double days)
{
  GArray *ticks = ticks_new ();
  g_autoptr (GDateTime) start = g_date_time_new_from_unix_local ((gint64)floor (min));
  if (start == NULL)
    return ticks;
  g_autoptr (GDate) date = g_date_new_dmy (g_date_time_get_day_of_month (start),
                                           g_date_time_get_month (start), g_date_time_get_year (start));
  guint32 late = g_date_get_julian (date) % (guint32)days;
  if (late != 0)
    g_date_add_days (date, (guint)days - late);
  while (ticks->len < MAX_TICKS)
    {
      g_autoptr (GDateTime) midnight = g_date_time_new_local (g_date_get_year (date), g_date_get_month (date),
                                                              g_date_get_day (date), 0, 0, 0);
      if (midnight == NULL || (double)g_date_time_to_unix (midnight) > max)
        break;
      if ((double)g_date_time_to_unix (midnight) >= min)
        /* TRANSLATORS: a day on a chart's axis: month and day; see g_date_time_format */
        add_tick (ticks, (double)g_date_time_to_unix (midnight), g_date_time_format (midnight, _ ("%b %-e")));
      g_date_add_days (date, (guint)days);
    }
  return ticks;
}

static char *
time_of_day (GDateTime *time, double place, double step)
{
  if (step >= 60)
    return g_date_time_format (time, "%H:%M");
  if (step >= 1)
    return g_date_time_format (time, "%H:%M:%S");
  g_autofree char *minutes = g_date_time_format (time, "%H:%M");
  return g_strdup_printf ("%s:%06.3f", minutes, g_date_time_get_second (time) + place - floor (place));
}

/* The first tick of each day says which day. */
static GArray *
times_of_day (double min, double max, double step)
{
  GArray *ticks = ticks_new ();
  g_autoptr (GDateTime) start = g_date_time_new_from_unix_local ((gint64)floor (min));
  if (start == NULL)
    return ticks;
  double offset = (double)g_date_time_get_utc_offset (start) / G_TIME_SPAN_SECOND;
  double first = first_multiple (min + offset, max + offset, step);
  double n = fmin (n_multiples (min + offset, max + offset, step), MAX_TICKS);
  int day = -1;
  for (double i = 0; i < n; i++)
    {
      double place = (first + i) * step - offset;
      g_autoptr (GDateTime) time = g_date_time_new_from_unix_local ((gint64)floor (place + 1e-6));
      if (time == NULL)
        break;
      g_autofree char *clock = time_of_day (time, place, step);
      if (day != g_date_time_get_day_of_month (time))
        {
          g_autofree char *date = g_date_time_format (time, _ ("%b %-e"));
          /* TRANSLATORS: a day and a time of that day on a chart's axis */
          add_tick (ticks, place, g_strdup_printf (_ ("%s, %s"), date, clock));
        }
      else
        add_tick (ticks, place, g_steal_pointer (&clock));
      day = g_date_time_get_day_of_month (time);
    }
  return ticks;
}

GArray *
fen_ticks_place (FenAxis axis, double min, double max, guint most)
{
  if (!is_range (min, max))
    return ticks_new ();
  most = CLAMP (most, 1, MAX_TICKS);
  if (axis == FEN_AXIS_RELATIVE)
    return multiples (min, max, time_step (min, max, most), clock_label, (int)axis);
  if (axis == FEN_AXIS_WALL)
    {
      double step = time_step (min, max, most);
      return step >= DAY ? midnights (min, max, step / DAY) : times_of_day (min, max, step);
    }
  /* Half a step or half a token is nowhere. */
  return multiples (min, max, fmax (1, decimal_step (min, max, most)), unit_label, FEN_UNIT_NUMBER);
}
