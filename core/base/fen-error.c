/* fen-error.c: quoting, errno and "did you mean" (see fen-error.h). */
#include "core/base/fen-error.h"

#include <gio/gio.h>
#include <string.h>

#define QUOTE_CHARS 60
#define NEAREST_CHARS 64 /* nobody mistypes a longer name; bounds the distance's cost */

gboolean
fen_error_set_errno (GError **error, int errnum, const char *path, const char *what)
{
  g_autofree char *shown = g_filename_display_name (path);
  g_set_error (error, G_FILE_ERROR, (int)g_file_error_from_errno (errnum), "%s: %s: %s", shown, what,
               g_strerror (errnum));
  return FALSE;
}

char *
fen_error_quote (const char *text)
{
  GString *out = g_string_new ("\"");
  const char *p = text;
  for (guint shown = 0; *p != '\0'; shown++)
    {
      if (shown == QUOTE_CHARS)
        {
          g_string_append (out, "...");
          break;
        }
      gunichar c = g_utf8_get_char_validated (p, -1);
      if (c == (gunichar)-1 || c == (gunichar)-2)
        {
          g_string_append_printf (out, "\\x%02x", (guchar)*p++);
          continue;
        }
      if (c == '"' || c == '\\')
        g_string_append_c (out, '\\');
      if (c == '\n')
        g_string_append (out, "\\n");
      else if (c == '\t')
        g_string_append (out, "\\t");
      else if (g_unichar_iscntrl (c) || c == 0x2028 || c == 0x2029)
        g_string_append_printf (out, "\\u%04x", c);
      else
        g_string_append_unichar (out, c);
      p = g_utf8_next_char (p);
    }
  g_string_append_c (out, '"');
  return g_string_free (out, FALSE);
}

static char
fold (char c)
{
  return c == '-' ? '_' : g_ascii_tolower (c);
}

/* Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours cost 1. */
static guint
edit_distance (const char *a, gsize a_length, const char *b, gsize b_length)
{
  guint rows[3][NEAREST_CHARS + 1];
  for (gsize j = 0; j <= b_length; j++)
    rows[0][j] = (guint)j;
  for (gsize i = 1; i <= a_length; i++)
    {
      guint *row = rows[i % 3];
      const guint *above = rows[(i + 2) % 3];
      const guint *before = rows[(i + 1) % 3];
      row[0] = (guint)i;
      for (gsize j = 1; j <= b_length; j++)
        {
          guint cost = fold (a[i - 1]) == fold (b[j - 1]) ? 0 : 1;
          guint best = MIN (MIN (above[j], row[j - 1]) + 1, above[j - 1] + cost);
          if (i > 1 && j > 1 && fold (a[i - 1]) == fold (b[j - 2]) && fold (a[i - 2]) == fold (b[j - 1]))
            best = MIN (best, before[j - 2] + 1);
          row[j] = best;
        }
    }
  return rows[a_length % 3][b_length];
}

const char *
fen_error_nearest (const char *text, const char *const *candidates)
{
  gsize length = strlen (text);
  if (length == 0 || length > NEAREST_CHARS)
    return NULL;
  const char *nearest = NULL;
  guint smallest = (guint)MAX (1, length / 3) + 1;
  for (gsize i = 0; candidates[i] != NULL; i++)
    {
      gsize candidate_length = strlen (candidates[i]);
      if (candidate_length > NEAREST_CHARS)
        continue;
      guint distance = edit_distance (text, length, candidates[i], candidate_length);
      if (distance < smallest)
        {
          smallest = distance;
          nearest = candidates[i];
        }
    }
  return nearest;
}
