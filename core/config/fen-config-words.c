/* fen-config-words.c: options and values in words: ranges, titles, numbers as the locale writes them.
 *
 * Files, command lines and JSON never pass through here: their numbers are the program's own, with a point. */
#include "core/config/fen-config-private.h"

#include "core/base/fen-json.h"

#include <glib/gi18n-lib.h>
#include <locale.h>
#include <string.h>

/* ---- numbers and the locale ---- */

char *
fen_double_to_locale (const char *text)
{
  const char *mark = localeconv ()->decimal_point;
  const char *point = strchr (text, '.');
  if (point == NULL || *mark == '\0')
    return g_strdup (text);
  g_autofree char *whole = g_strndup (text, (gsize)(point - text));
  return g_strconcat (whole, mark, point + 1, NULL);
}

char *
fen_double_from_locale (const char *text)
{
  const char *mark = localeconv ()->decimal_point;
  const char *found = *mark != '\0' ? strstr (text, mark) : NULL;
  if (found == NULL)
    return g_strdup (text);
  g_autofree char *whole = g_strndup (text, (gsize)(found - text));
  return g_strconcat (whole, ".", found + strlen (mark), NULL);
}

/* Only whole groups are taken out, so that "1,5" and "81,92" stay what they are: mistakes. */
char *
fen_int_from_locale (const char *text)
{
  const char *mark = localeconv ()->thousands_sep;
  if (*mark == '\0' || strstr (text, mark) == NULL)
    return g_strdup (text);
  g_auto (GStrv) groups = g_strsplit (text, mark, -1);
  for (guint i = 0; groups[i] != NULL; i++)
    {
      gsize digits = strspn (groups[i], "0123456789");
      if (groups[i][digits] != '\0' || digits == 0 || digits > 3 || (i > 0 && digits != 3))
        return g_strdup (text);
    }
  return g_strjoinv ("", groups);
}

char *
fen_int_to_words (gint64 value, FenWords words)
{
  return words == FEN_WORDS_TITLES ? g_strdup_printf ("%'" G_GINT64_FORMAT, value)
                                   : g_strdup_printf ("%" G_GINT64_FORMAT, value);
}

/* ---- values ---- */

char *
fen_value_to_words (const FenOption *option, const FenValue *value)
{
  if (option->type == FEN_OPTION_CHOICE && value->choice >= 0
      && (guint)value->choice < g_strv_length ((char **)option->choices))
    return g_strdup (_ (option->choice_titles[value->choice]));
  g_autofree char *text = fen_value_to_text (option, value);
  return option->type == FEN_OPTION_DOUBLE ? fen_double_to_locale (text) : g_steal_pointer (&text);
}

char *
fen_config_get_words (const FenConfig *config, const FenOption *option, FenWords words)
{
  FenValue value;
  fen_value_load (config, option, &value);
  return words == FEN_WORDS_TITLES ? fen_value_to_words (option, &value) : fen_value_to_text (option, &value);
}

/* ---- ranges ---- */

static char *
number_words (const FenOption *option, double number, FenWords words)
{
  if (option->type == FEN_OPTION_INT)
    return fen_int_to_words ((gint64)number, words);
  FenValue value = { .number = number, .bytes = option->type == FEN_OPTION_BYTES ? (guint64)number : 0 };
  return words == FEN_WORDS_TITLES ? fen_value_to_words (option, &value) : fen_value_to_text (option, &value);
}

static char *
choices_words (const FenOption *option, FenWords words)
{
  g_autoptr (GString) text = g_string_new (NULL);
  for (guint i = 0; option->choices[i] != NULL; i++)
    {
      const char *word = words == FEN_WORDS_TITLES ? _ (option->choice_titles[i]) : option->choices[i];
      if (i > 0 && option->choices[i + 1] == NULL)
        {
          /* TRANSLATORS: the end of a list of choices: "cosine, linear, constant" and "wsd". */
          char *all = g_strdup_printf (_ ("%s or %s"), text->str, word);
          g_string_assign (text, all);
          g_free (all);
        }
      else
        /* TRANSLATORS: between two names of a list. */
        g_string_append_printf (text, "%s%s", i == 0 ? "" : C_ ("list", ", "), word);
    }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static char *
bounds_words (const FenOption *option, gboolean expert, FenWords words)
{
  g_autofree char *min = number_words (option, expert ? option->expert_min : option->min, words);
  g_autofree char *max = number_words (option, expert ? option->expert_max : option->max, words);
  if (option->unit == NULL)
    /* TRANSLATORS: a range of numbers. */
    return g_strdup_printf (_ ("%s to %s"), min, max);
  /* TRANSLATORS: a range of numbers and their unit: "256 to 8192 tokens". */
  return g_strdup_printf (_ ("%s to %s %s"), min, max, _ (option->unit));
}

char *
fen_option_range_words (const FenOption *option, gboolean expert, FenWords words)
{
  switch (option->type)
    {
    case FEN_OPTION_BOOLEAN:
      return g_strdup (_ ("true or false (also on, off, yes, no, 1, 0)"));
    case FEN_OPTION_CHOICE:
      return choices_words (option, words);
    case FEN_OPTION_STRING:
      return g_strdup (option->allowed != NULL ? _ (option->allowed) : _ ("text"));
    case FEN_OPTION_FILE:
      return g_strdup (option->allowed != NULL ? _ (option->allowed) : _ ("a path"));
    case FEN_OPTION_INT:
    case FEN_OPTION_DOUBLE:
    case FEN_OPTION_BYTES:
      break;
    }
  g_autofree char *bounds = bounds_words (option, expert, words);
  if (option->zero_means == NULL)
    return g_steal_pointer (&bounds);
  /* TRANSLATORS: what 0 stands for ("full attention") and the range that is allowed besides. */
  return g_strdup_printf (_ ("0 (%s) or %s"), _ (option->zero_means), bounds);
}

char *
fen_option_range_text (const FenOption *option, gboolean expert)
{
  return fen_option_range_words (option, expert, FEN_WORDS_NAMES);
}

char *
fen_option_expert_text (const FenOption *option)
{
  if (option->min == option->expert_min && option->max == option->expert_max)
    return NULL;
  return bounds_words (option, TRUE, FEN_WORDS_NAMES);
}
