/* fen-bytes.c: amounts of memory as people write them (see fen-io.h). */
#include "core/base/fen-io.h"

#include <string.h>

char *
fen_format_bytes (guint64 bytes)
{
  static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
  if (bytes < 1024)
    return g_strdup_printf (bytes == 1 ? "%u byte" : "%u bytes", (guint)bytes);

  double value = (double)bytes / 1024.0;
  guint unit = 0;
  /* 999.5 and more would need a fourth digit: the next unit shows it as 0.976. */
  while (value >= 999.5 && unit + 1 < G_N_ELEMENTS (units))
    {
      value /= 1024.0;
      unit++;
    }
  int decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : value >= 0.9995 ? 2 : 3;
  char format[8], number[G_ASCII_DTOSTR_BUF_SIZE];
  g_snprintf (format, sizeof format, "%%.%df", decimals);
  g_ascii_formatd (number, sizeof number, format, value);
  if (decimals > 0)
    {
      char *end = number + strlen (number);
      while (end[-1] == '0')
        *--end = '\0';
      if (end[-1] == '.')
        end[-1] = '\0';
    }
  return g_strdup_printf ("%s %s", number, units[unit]);
}

/* The factor of a unit's name, or 0. One letter is binary, as in every memory setting of the field. */
static guint64
unit_factor (const char *unit)
{
  static const struct {
    const char *name;
    guint64 factor;
  } units[] = {
    { "", 1 },
    { "b", 1 },
    { "byte", 1 },
    { "bytes", 1 },
    { "k", G_GUINT64_CONSTANT (1) << 10 },
    { "kib", G_GUINT64_CONSTANT (1) << 10 },
    { "kb", 1000 },
    { "m", G_GUINT64_CONSTANT (1) << 20 },
    { "mib", G_GUINT64_CONSTANT (1) << 20 },
    { "mb", 1000 * 1000 },
    { "g", G_GUINT64_CONSTANT (1) << 30 },
    { "gib", G_GUINT64_CONSTANT (1) << 30 },
    { "gb", 1000 * 1000 * 1000 },
    { "t", G_GUINT64_CONSTANT (1) << 40 },
    { "tib", G_GUINT64_CONSTANT (1) << 40 },
    { "tb", G_GUINT64_CONSTANT (1000000000000) },
    { "p", G_GUINT64_CONSTANT (1) << 50 },
    { "pib", G_GUINT64_CONSTANT (1) << 50 },
    { "pb", G_GUINT64_CONSTANT (1000000000000000) },
  };
  for (guint i = 0; i < G_N_ELEMENTS (units); i++)
    if (g_ascii_strcasecmp (unit, units[i].name) == 0)
      return units[i].factor;
  return 0;
}

gboolean
fen_parse_bytes (const char *text, guint64 *bytes)
{
  const char *p = text;
  /* The number is digits / scale, exactly. */
  unsigned __int128 digits = 0, scale = 1;
  guint seen = 0;
  gboolean fraction = FALSE;
  for (; g_ascii_isdigit (*p) || (*p == '.' && !fraction); p++)
    {
      if (*p == '.')
        {
          fraction = TRUE;
          continue;
        }
      if (++seen > 20)
        return FALSE;
      digits = digits * 10 + (guint)(*p - '0');
      if (fraction)
        scale *= 10;
    }
  if (seen == 0 || p[-1] == '.')
    return FALSE;
  while (*p == ' ')
    p++;
  guint64 factor = unit_factor (p);
  /* Half a byte is a forgotten unit; it must not become 0, which often means "no limit". */
  if (factor == 0 || (fraction && factor == 1))
    return FALSE;
  /* 20 digits are below 2^67 and the factor is at most 2^50: no overflow. */
  unsigned __int128 product = digits * factor / scale;
  if (product > G_MAXUINT64 || (product == 0 && digits > 0))
    return FALSE;
  *bytes = (guint64)product;
  return TRUE;
}
