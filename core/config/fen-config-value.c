/* fen-config-value.c: one value of the option table: from text and JSON, its range, to text. */
#include "core/config/fen-config-private.h"

#include "core/base/fen-error.h"
#include "core/base/fen-io.h"
#include "core/base/fen-json.h"

#include <glib/gi18n-lib.h>
#include <math.h>
#include <string.h>

static const char *
type_words (FenOptionType type)
{
  static const char *const words[] = {
    [FEN_OPTION_BOOLEAN] = N_ ("true or false"),
    [FEN_OPTION_INT] = N_ ("a whole number"),
    [FEN_OPTION_DOUBLE] = N_ ("a number"),
    [FEN_OPTION_BYTES] = N_ ("an amount like 8GiB, 512MiB or 1073741824"),
    [FEN_OPTION_STRING] = N_ ("text"),
    [FEN_OPTION_FILE] = N_ ("a path"),
    [FEN_OPTION_CHOICE] = N_ ("text"),
  };
  return _ (words[type]);
}

/* Where a value stands: how to speak of it, and the file that it comes from (NULL: a flag or an entry). */
typedef struct {
  FenWords words;
  const char *source;
} Place;

/* "config.json: message". Takes the message. */
static gboolean
fail (const Place *place, FenConfigError code, const FenOption *option, char *message, GError **error)
{
  if (place->source != NULL)
    {
      char *bare = message;
      message = g_strdup_printf ("%s: %s", place->source, bare);
      g_free (bare);
    }
  return fen_config_fail (error, code, option, message);
}

static gboolean
fail_type (const FenOption *option, const Place *place, const char *found, GError **error)
{
  const char *type = type_words (option->type);
  if (place->words == FEN_WORDS_NAMES)
    /* TRANSLATORS: a setting's name, what it must be ("a whole number"), what was found instead. */
    return fail (place, FEN_CONFIG_ERROR_TYPE, option,
                 g_strdup_printf (_ ("%s must be %s, not %s"), option->name, type, found), error);
  if (option->type == FEN_OPTION_STRING || option->type == FEN_OPTION_FILE)
    return fail (place, FEN_CONFIG_ERROR_TYPE, option, g_strdup (_ ("The text is not valid UTF-8")), error);
  g_autofree char *allowed = fen_option_range_words (option, FALSE, place->words);
  /* TRANSLATORS: what was typed, what is wanted ("a whole number"), what is allowed ("1 to 64 tokens"). */
  return fail (place, FEN_CONFIG_ERROR_TYPE, option,
               g_strdup_printf (_ ("%s is not %s; allowed: %s"), found, type, allowed), error);
}

static gboolean
fail_range (const FenOption *option, gboolean expert, const Place *place, const char *found, GError **error)
{
  g_autofree char *allowed = fen_option_range_words (option, expert, place->words);
  g_autofree char *wider = expert ? NULL : fen_option_expert_text (option);
  char *message;
  if (place->words == FEN_WORDS_TITLES)
    /* TRANSLATORS: what was typed, what is allowed ("1 to 64 tokens"). */
    message = g_strdup_printf (_ ("%s cannot be used; allowed: %s"), found, allowed);
  else if (wider != NULL)
    /* TRANSLATORS: a setting's name, its value, what is allowed, what is allowed with the setting "expert". */
    message = g_strdup_printf (_ ("%s is %s; allowed: %s (expert: %s)"), option->name, found, allowed, wider);
  else
    /* TRANSLATORS: a setting's name, its value, what is allowed. */
    message = g_strdup_printf (_ ("%s is %s; allowed: %s"), option->name, found, allowed);
  return fail (place, FEN_CONFIG_ERROR_RANGE, option, message, error);
}

static gboolean
parse_boolean (const char *text, gboolean *value)
{
  static const char *const words[][2]
      = { { "false", "true" }, { "off", "on" }, { "no", "yes" }, { "0", "1" } };
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    for (guint b = 0; b < 2; b++)
      if (g_ascii_strcasecmp (text, words[i][b]) == 0)
        {
          *value = b == 1;
          return TRUE;
        }
  return FALSE;
}

/* Decimal only: strtod would also take "nan", "0x10" and leading spaces. May be infinite. */
static gboolean
parse_double (const char *text, double *value)
{
  char *end;
  if (strspn (text, "0123456789+-.eE") != strlen (text))
    return FALSE;
  *value = g_ascii_strtod (text, &end);
  return end != text && *end == '\0';
}

/* Out of 64 bits is a matter of range, not of type. */
static gboolean
parse_int (const char *text, gint64 *value, gboolean *fits)
{
  g_autoptr (GError) error = NULL;
  *fits = g_ascii_string_to_signed (text, 10, G_MININT64, G_MAXINT64, value, &error);
  return *fits || g_error_matches (error, G_NUMBER_PARSER_ERROR, G_NUMBER_PARSER_ERROR_OUT_OF_BOUNDS);
}

static gboolean
parse_choice (const FenOption *option, const char *text, int *choice)
{
  for (int i = 0; option->choices[i] != NULL; i++)
    if (g_str_equal (option->choices[i], text))
      {
        *choice = i;
        return TRUE;
      }
  return FALSE;
}

/* Text of a flag, an entry or a JSON string. */
static gboolean
parse_text (const FenOption *option, const char *text, const Place *place, FenValue *value, GError **error)
{
  gboolean ok = FALSE, fits = TRUE;
  switch (option->type)
    {
    case FEN_OPTION_BOOLEAN:
      ok = parse_boolean (text, &value->boolean);
      break;
    case FEN_OPTION_INT:
      ok = parse_int (text, &value->integer, &fits);
      break;
    case FEN_OPTION_DOUBLE:
      ok = parse_double (text, &value->number);
      fits = ok && isfinite (value->number);
      break;
    case FEN_OPTION_BYTES:
      ok = fen_parse_bytes (text, &value->bytes);
      break;
    case FEN_OPTION_CHOICE:
      ok = TRUE;
      fits = parse_choice (option, text, &value->choice);
      break;
    case FEN_OPTION_STRING:
    case FEN_OPTION_FILE:
      value->text = text;
      ok = g_utf8_validate (text, -1, NULL);
      break;
    }
  if (ok && fits)
    return TRUE;
  gboolean number = ok && (option->type == FEN_OPTION_INT || option->type == FEN_OPTION_DOUBLE);
  g_autofree char *found = number ? g_strdup_printf ("%.40s", text) : fen_error_quote (text);
  return ok ? fail_range (option, FALSE, place, found, error) : fail_type (option, place, found, error);
}

gboolean
fen_value_parse_text (const FenOption *option, const char *text, FenWords words, FenValue *value,
                      GError **error)
{
  const Place place = { .words = words };
  if (words == FEN_WORDS_NAMES || option->type == FEN_OPTION_STRING || option->type == FEN_OPTION_FILE)
    return parse_text (option, text, &place, value, error);
  g_autofree char *stripped = g_strstrip (g_strdup (text));
  g_autofree char *plain = option->type == FEN_OPTION_INT      ? fen_int_from_locale (stripped)
                           : option->type == FEN_OPTION_DOUBLE ? fen_double_from_locale (stripped)
                                                               : NULL;
  if (plain != NULL && parse_text (option, plain, &place, value, NULL))
    return TRUE;
  return parse_text (option, stripped, &place, value, error); /* the error shows what was typed */
}

/* What stands in the file, short and on one line. */
static char *
describe (JsonNode *node)
{
  if (JSON_NODE_HOLDS_OBJECT (node))
    return g_strdup (_ ("an object"));
  if (JSON_NODE_HOLDS_ARRAY (node))
    return g_strdup (_ ("an array"));
  if (json_node_get_value_type (node) == G_TYPE_STRING)
    return fen_error_quote (json_node_get_string (node));
  if (json_node_get_value_type (node) == G_TYPE_DOUBLE && !isfinite (json_node_get_double (node)))
    return g_strdup (_ ("a number beyond every range"));
  g_autoptr (FenJsonWriter) writer = fen_json_writer_new (0);
  fen_json_writer_node (writer, NULL, node);
  return g_strdup (fen_json_writer_text (writer, NULL));
}

/* A JSON number; `fits` says whether the option's type can hold it. */
static gboolean
parse_json_number (const FenOption *option, JsonNode *node, FenValue *value, gboolean *fits)
{
  gboolean is_integer = json_node_get_value_type (node) == G_TYPE_INT64;
  gint64 integer = is_integer ? json_node_get_int (node) : 0;
  double number = is_integer ? (double)integer : json_node_get_double (node);
  *fits = isfinite (number);
  if (option->type == FEN_OPTION_DOUBLE)
    {
      value->number = number;
      return TRUE;
    }
  if (option->type != FEN_OPTION_INT && option->type != FEN_OPTION_BYTES)
    return FALSE;
  if (!is_integer)
    {
      if (isfinite (number) && trunc (number) != number)
        return FALSE;
      *fits = fabs (number) <= 0x1p53; /* 1e3 is an integer; beyond 2^53 a double no longer says which */
      integer = *fits ? (gint64)number : 0;
    }
  *fits = *fits && (option->type == FEN_OPTION_INT || integer >= 0);
  value->integer = integer;
  value->bytes = (guint64)integer;
  return TRUE;
}

gboolean
fen_value_parse_json (const FenOption *option, JsonNode *node, const char *source, FenValue *value,
                      GError **error)
{
  const Place place = { .words = FEN_WORDS_NAMES, .source = source };
  GType type = json_node_get_value_type (node);
  gboolean ok = FALSE, fits = TRUE;
  if (type == G_TYPE_STRING)
    {
      /* A number in quotes is a mistake that should not pass unseen; amounts and choices are text by nature. */
      if (option->type != FEN_OPTION_BOOLEAN && option->type != FEN_OPTION_INT
          && option->type != FEN_OPTION_DOUBLE)
        return parse_text (option, json_node_get_string (node), &place, value, error);
    }
  else if (type == G_TYPE_BOOLEAN)
    {
      ok = option->type == FEN_OPTION_BOOLEAN;
      value->boolean = json_node_get_boolean (node);
    }
  else if (type == G_TYPE_INT64 || type == G_TYPE_DOUBLE)
    ok = parse_json_number (option, node, value, &fits);
  if (ok && fits)
    return TRUE;
  g_autofree char *found = describe (node);
  return ok ? fail_range (option, FALSE, &place, found, error) : fail_type (option, &place, found, error);
}

gboolean
fen_value_check (const FenOption *option, const FenValue *value, gboolean expert, FenWords words,
                 const char *source, GError **error)
{
  const Place place = { .words = words, .source = source };
  gboolean ok = TRUE;
  double number = 0;
  switch (option->type)
    {
    case FEN_OPTION_BOOLEAN:
      return TRUE;
    case FEN_OPTION_CHOICE:
      ok = value->choice >= 0 && (guint)value->choice < g_strv_length ((char **)option->choices);
      break;
    case FEN_OPTION_STRING:
    case FEN_OPTION_FILE:
      ok = g_utf8_validate (value->text, -1, NULL) && (option->check == NULL || option->check (value->text));
      break;
    case FEN_OPTION_INT:
      number = (double)value->integer;
      break;
    case FEN_OPTION_DOUBLE:
      number = value->number;
      break;
    case FEN_OPTION_BYTES:
      number = (double)value->bytes;
      break;
    }
  if (option->type == FEN_OPTION_INT || option->type == FEN_OPTION_DOUBLE || option->type == FEN_OPTION_BYTES)
    {
      double min = expert ? option->expert_min : option->min, max = expert ? option->expert_max : option->max;
      /* Written so that NaN fails. */
      ok = (number == 0 && option->zero_means != NULL) || (number >= min && number <= max);
    }
  if (ok)
    return TRUE;
  g_autofree char *shown
      = words == FEN_WORDS_TITLES ? fen_value_to_words (option, value) : fen_value_to_text (option, value);
  gboolean quote = option->type == FEN_OPTION_STRING || option->type == FEN_OPTION_FILE;
  g_autofree char *found = quote ? fen_error_quote (shown) : g_steal_pointer (&shown);
  return fail_range (option, expert, &place, found, error);
}

void
fen_value_load (const FenConfig *config, const FenOption *option, FenValue *value)
{
  gconstpointer field = (const char *)config + option->offset;
  *value = (FenValue){ 0 };
  switch (option->type)
    {
    case FEN_OPTION_BOOLEAN:
      value->boolean = *(const gboolean *)field;
      break;
    case FEN_OPTION_INT:
      value->integer = *(const gint64 *)field;
      break;
    case FEN_OPTION_DOUBLE:
      value->number = *(const double *)field;
      break;
    case FEN_OPTION_BYTES:
      value->bytes = *(const guint64 *)field;
      break;
    case FEN_OPTION_STRING:
    case FEN_OPTION_FILE:
      value->text = *(char *const *)field;
      break;
    case FEN_OPTION_CHOICE:
      value->choice = *(const int *)field;
      break;
    }
}

void
fen_value_store (FenConfig *config, const FenOption *option, const FenValue *value)
{
  gpointer field = (char *)config + option->offset;
  switch (option->type)
    {
    case FEN_OPTION_BOOLEAN:
      *(gboolean *)field = value->boolean;
      break;
    case FEN_OPTION_INT:
      *(gint64 *)field = value->integer;
      break;
    case FEN_OPTION_DOUBLE:
      *(double *)field = value->number;
      break;
    case FEN_OPTION_BYTES:
      *(guint64 *)field = value->bytes;
      break;
    case FEN_OPTION_STRING:
      case FEN_OPTION_FILE: {
        char *copy = g_strdup (value->text); /* before the free: it may be the same text */
        g_free (*(char **)field);
        *(char **)field = copy;
        break;
      }
    case FEN_OPTION_CHOICE:
      *(int *)field = value->choice;
      break;
    }
}

/* The largest binary unit that says it exactly: "8GiB", "1536MiB", "123456". */
static char *
bytes_to_text (guint64 bytes)
{
  static const char *const units[] = { "", "KiB", "MiB", "GiB", "TiB", "PiB" };
  guint unit = 0;
  while (bytes > 0 && bytes % 1024 == 0 && unit + 1 < G_N_ELEMENTS (units))
    {
      bytes /= 1024;
      unit++;
    }
  return g_strdup_printf ("%" G_GUINT64_FORMAT "%s", bytes, units[unit]);
}

char *
fen_value_to_text (const FenOption *option, const FenValue *value)
{
  char buffer[32];
  switch (option->type)
    {
    case FEN_OPTION_BOOLEAN:
      return g_strdup (value->boolean ? "true" : "false");
    case FEN_OPTION_INT:
      return g_strdup_printf ("%" G_GINT64_FORMAT, value->integer);
      case FEN_OPTION_DOUBLE: {
        const char *text = fen_json_format_double (value->number, buffer);
        return g_strdup (text != NULL ? text : "not a number");
      }
    case FEN_OPTION_BYTES:
      return bytes_to_text (value->bytes);
    case FEN_OPTION_STRING:
    case FEN_OPTION_FILE:
      return g_strdup (value->text);
    case FEN_OPTION_CHOICE:
      if (value->choice >= 0 && (guint)value->choice < g_strv_length ((char **)option->choices))
        return g_strdup (option->choices[value->choice]);
      return g_strdup_printf ("%d", value->choice);
    }
  g_return_val_if_reached (NULL);
}
