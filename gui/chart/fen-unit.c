/* fen-unit.c: numbers and places as people read them on a chart, in their locale.
 *
 * Two readings of each unit: a value by itself (legend, table: enough digits to compare), and a tick (only the digits
 * that tell it from its neighbours).
 */
#include "gui/chart/fen-ticks-private.h"

#include <glib/gi18n.h>
#include <math.h>

#define MAX_DECIMALS 9

/* With the locale's grouping and decimal point. */
static char *
fixed (double value, int decimals)
{
  double unit = pow (10, -decimals);
  /* -0 and what rounds to it. */
  if (fabs (value) < unit / 2)
    value = 0;
  return g_strdup_printf ("%'.*f", decimals, value);
}

/* Decimals that `value` needs, no more than `most`: 1.50 needs one. */
static int
decimals_needed (double value, int most)
{
  for (int decimals = 0; decimals < most; decimals++)
    {
      double scaled = value * pow (10, decimals);
      if (fabs (scaled - round (scaled)) < 0.5 * pow (10, decimals - most))
        return decimals;
    }
  return MAX (most, 0);
}

/* Decimals that leave `digits` significant ones. */
static int
decimals_for (double value, int digits)
{
  int before = value == 0 ? 1 : (int)floor (log10 (fabs (value))) + 1;
  return CLAMP (digits - before, 0, MAX_DECIMALS);
}

static char *
significant (double value, int digits)
{
  return fixed (value, decimals_needed (value, decimals_for (value, digits)));
}

/* 3e-4: as people who train models write it. */
static char *
scientific (double value, int digits)
{
  int exponent = (int)floor (log10 (fabs (value)));
  double mantissa = value / pow (10, exponent);
  /* 9.9996 with four digits is 10: one more power. Tiny subnormals overflow pow: printf knows them. */
  if (!isfinite (mantissa))
    return g_strdup_printf ("%.*g", digits, value);
  if (fabs (mantissa) >= 10 - 0.5 * pow (10, 1 - digits))
    {
      mantissa /= 10;
      exponent++;
    }
  g_autofree char *text = significant (mantissa, digits);
  return g_strdup_printf ("%se%d", text, exponent);
}

static char *
not_finite (double value)
{
  return g_strdup (isnan (value) ? "–" : value > 0 ? "∞" : "−∞");
}

/* ---- prefixes ---- */

typedef struct {
  double factor;
  const char *format; /* of one string, translated */
} Prefix;

static const Prefix thousands[] = {
  /* TRANSLATORS: a number in thousands, millions, ... on a chart's axis */
  { 1e12, N_ ("%sT") }, { 1e9, N_ ("%sG") }, { 1e6, N_ ("%sM") }, { 1e3, N_ ("%sk") }, { 1, "%s" },
};

static const Prefix binary[] = {
  { 1125899906842624.0, N_ ("%s PiB") }, { 1099511627776.0, N_ ("%s TiB") }, { 1073741824.0, N_ ("%s GiB") },
  { 1048576.0, N_ ("%s MiB") },          { 1024.0, N_ ("%s KiB") },          { 1, N_ ("%s B") },
};

static const Prefix *
find_prefix (const Prefix *prefixes, guint n, double size)
{
  guint i = 0;
  while (i + 1 < n && size < prefixes[i].factor)
    i++;
  return &prefixes[i];
}

/* Formats come from the tables above (and their translations, which msgfmt checks against them). */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static char *
in_words (const char *format, const char *number)
{
  return g_strdup_printf (_ (format), number);
}
#pragma GCC diagnostic pop

static char *
with_prefix (const Prefix *prefixes, guint n, double value, int digits)
{
  const Prefix *prefix = find_prefix (prefixes, n, fabs (value));
  /* 999.9k with three digits reads 1,000k: it is 1M. */
  double scaled = value / prefix->factor;
  double step = prefix > prefixes ? (prefix - 1)->factor / prefix->factor : INFINITY;
  if (fabs (scaled) >= step - 0.5 * pow (10, -decimals_for (scaled, digits)))
    {
      prefix--;
      scaled = value / prefix->factor;
    }
  g_autofree char *number = significant (scaled, digits);
  return in_words (prefix->format, number);
}

char *
fen_unit_format (FenUnit unit, double value)
{
  g_autofree char *number = NULL;
  if (!isfinite (value))
    return not_finite (value);
  switch (unit)
    {
    case FEN_UNIT_BYTES:
      return with_prefix (binary, G_N_ELEMENTS (binary), value, 3);
    case FEN_UNIT_RATE:
      number = with_prefix (thousands, G_N_ELEMENTS (thousands), value, 3);
      /* TRANSLATORS: how fast a model is trained; %s is a number such as 12.4k */
      return g_strdup_printf (_ ("%s tokens/s"), number);
    case FEN_UNIT_SHARE:
      number = significant (value * 100, fabs (value) < 0.1 ? 2 : 3);
      /* TRANSLATORS: a share, such as 87 % */
      return g_strdup_printf (_ ("%s %%"), number);
    case FEN_UNIT_CELSIUS:
      number = significant (value, 3);
      return g_strdup_printf (_ ("%s °C"), number);
    case FEN_UNIT_WATTS:
      number = significant (value, 4);
      return g_strdup_printf (_ ("%s W"), number);
    case FEN_UNIT_NUMBER:
    default:
      if (value != 0 && (fabs (value) < 1e-3 || fabs (value) >= 1e7))
        return scientific (value, 4);
      /* Losses keep their width while they change; a learning rate of 0.003 needs no more zeros. */
      if (fabs (value) < 0.1)
        return significant (value, 5);
      return fixed (value, value == round (value) ? 0 : MIN (decimals_for (value, 5), 4));
    }
}

/* ---- ticks ---- */

/* The decimals that tell numbers `step` apart. */
static int
decimals_of_step (double step)
{
  return CLAMP ((int)ceil (-log10 (step) - 1e-9), 0, MAX_DECIMALS);
}

static char *
prefixed_tick (const Prefix *prefixes, guint n, double value, double step)
{
  if (value == 0)
    return in_words (prefixes[n - 1].format, "0");
  const Prefix *prefix = find_prefix (prefixes, n, fabs (value) * (1 + 1e-12));
  double scaled = value / prefix->factor;
  g_autofree char *number
      = fixed (scaled, decimals_needed (scaled, decimals_of_step (step / prefix->factor) + 2));
  return in_words (prefix->format, number);
}

static char *
number_tick (double value, double step)
{
  if (value == 0)
    return g_strdup ("0");
  if (fabs (value) >= 1e15 || (fabs (value) < 1e-2 && step < 1e-3))
    return scientific (value, 2 + (int)fmax (0, floor (log10 (fabs (value))) - floor (log10 (step))));
  /* 50k, 100k: neighbours are written alike. */
  if (fabs (value) >= 1e5 || (fabs (value) >= 1e4 && step >= 1e4))
    return prefixed_tick (thousands, G_N_ELEMENTS (thousands), value, step);
  return fixed (value, decimals_of_step (step));
}

char *
fen_unit_format_tick (FenUnit unit, double value, double step)
{
  g_autofree char *number = NULL;
  switch (unit)
    {
    case FEN_UNIT_BYTES:
      return prefixed_tick (binary, G_N_ELEMENTS (binary), value, step);
    case FEN_UNIT_RATE:
      if (fabs (value) >= 1e3)
        return prefixed_tick (thousands, G_N_ELEMENTS (thousands), value, step);
      return number_tick (value, step);
    case FEN_UNIT_SHARE:
      number = fixed (value * 100, decimals_of_step (step * 100));
      return g_strdup_printf (_ ("%s %%"), number);
    case FEN_UNIT_CELSIUS:
      number = number_tick (value, step);
      return g_strdup_printf (_ ("%s °C"), number);
    case FEN_UNIT_WATTS:
      number = number_tick (value, step);
      return g_strdup_printf (_ ("%s W"), number);
    case FEN_UNIT_NUMBER:
    default:
      return number_tick (value, step);
    }
}

/* ---- places ---- */

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

char *
fen_format_clock (double seconds, double step)
{
  int decimals = step < 1 ? decimals_of_step (step) : 0;
  double unit = pow (10, -decimals);
  /* Rounded once, so that 59.99 does not read 0:60. */
  double rounded = round (fabs (seconds) / unit) * unit;
  const char *sign = seconds < 0 && rounded > 0 ? "−" : "";
  double hours = floor (rounded / 3600 + 1e-9);
  double minutes = floor ((rounded - hours * 3600) / 60 + 1e-9);
  double rest = fmax (0, rounded - hours * 3600 - minutes * 60);
  int width = decimals > 0 ? 3 + decimals : 2;
  if (hours >= 1)
    return g_strdup_printf ("%s%.0f:%02.0f:%0*.*f", sign, hours, minutes, width, decimals, rest);
  return g_strdup_printf ("%s%.0f:%0*.*f", sign, minutes, width, decimals, rest);
}

char *
fen_axis_format (FenAxis axis, double place)
{
  if (!isfinite (place))
    return not_finite (place);
  if (axis == FEN_AXIS_RELATIVE)
    return fen_format_clock (place, fabs (place) < 60 ? 0.01 : 1);
  if (axis == FEN_AXIS_WALL)
    {
      /* A number that no gint64 holds is no moment; GDateTime refuses the rest. */
      g_autoptr (GDateTime) time
          = fabs (place) < 1e18 ? g_date_time_new_from_unix_local ((gint64)floor (place)) : NULL;
      /* TRANSLATORS: a moment on a chart: month, day and time; see g_date_time_format */
      char *text = time != NULL ? g_date_time_format (time, _ ("%b %-e, %H:%M:%S")) : NULL;
      return text != NULL ? text : not_finite (NAN);
    }
  return fixed (place, decimals_needed (place, 3));
}
