/* fen-config-value.c: one value of the option table: from text and JSON, its range, to text. */
#include "core/config/fen-config-private.h"

#include "core/base/fen-error.h"
#include "core/base/fen-io.h"
#include "core/base/fen-json.h"

#include <math.h>
#include <string.h>

static const char *
type_words (FenOptionType type)
{
  static const char *const words[] = {
    [FEN_OPTION_BOOLEAN] = "true or false", [FEN_OPTION_INT] = "a whole number",
    [FEN_OPTION_DOUBLE] = "a number",       [FEN_OPTION_BYTES] = "an amount like 8GiB, 512MiB or 1073741824",
    [FEN_OPTION_STRING] = "text",           [FEN_OPTION_FILE] = "a path",
    [FEN_OPTION_CHOICE] = "text",
  };
  return words[type];
}

static gboolean
fail_type (const FenOption *option, const char *source, const char *found, GError **error)
{
  g_set_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_TYPE, "%s%s%s must be %s, not %s",
               source != NULL ? source : "", source != NULL ? ": " : "", option->name,
               type_words (option->type), found);
  return FALSE;
}

static gboolean
fail_range (const FenOption *option, gboolean expert, const char *source, const char *found, GError **error)
{
  g_autofree char *allowed = fen_option_range_text (option, expert);
  g_autofree char *wider = expert ? NULL : fen_option_expert_text (option);
  gboolean hint = wider != NULL;
  g_set_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_RANGE, "%s%s%s is %s; allowed: %s%s%s%s",
               source != NULL ? source : "", source != NULL ? ": " : "", option->name, found, allowed,
               hint ? " (expert: " : "", hint ? wider : "", hint ? ")" : "");
  return FALSE;
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
parse_text (const FenOption *option, const char *text, const char *source, FenValue *value, GError **error)
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
  return ok ? fail_range (option, FALSE, source, found, error) : fail_type (option, source, found, error);
}

gboolean
fen_value_parse_text (const FenOption *option, const char *text, FenValue *value, GError **error)
{
  return parse_text (option, text, NULL, value, error);
}

/* What stands in the file, short and on one line. */
static char *
describe (JsonNode *node)
{
  if (JSON_NODE_HOLDS_OBJECT (node))
    return g_strdup ("an object");
  if (JSON_NODE_HOLDS_ARRAY (node))
    return g_strdup ("an array");
  if (json_node_get_value_type (node) == G_TYPE_STRING)
    return fen_error_quote (json_node_get_string (node));
  if (json_node_get_value_type (node) == G_TYPE_DOUBLE && !isfinite (json_node_get_double (node)))
    return g_strdup ("a number beyond every range");
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
  GType type = json_node_get_value_type (node);
  gboolean ok = FALSE, fits = TRUE;
  if (type == G_TYPE_STRING)
    {
      /* A number in quotes is a mistake that should not pass unseen; amounts and choices are text by nature. */
      if (option->type != FEN_OPTION_BOOLEAN && option->type != FEN_OPTION_INT
          && option->type != FEN_OPTION_DOUBLE)
        return parse_text (option, json_node_get_string (node), source, value, error);
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
  return ok ? fail_range (option, FALSE, source, found, error) : fail_type (option, source, found, error);
}

gboolean
fen_value_check (const FenOption *option, const FenValue *value, gboolean expert, const char *source,
                 GError **error)
{
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
  g_autofree char *shown = fen_value_to_text (option, value);
  gboolean quote = option->type == FEN_OPTION_STRING || option->type == FEN_OPTION_FILE;
  g_autofree char *found = quote ? fen_error_quote (shown) : g_steal_pointer (&shown);
  return fail_range (option, expert, source, found, error);
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

static char *
number_text (const FenOption *option, double number)
{
  char buffer[32];
  if (option->type == FEN_OPTION_BYTES)
    return bytes_to_text ((guint64)number);
  return g_strdup (fen_json_format_double (number, buffer));
}

static char *
choices_text (const FenOption *option)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; option->choices[i] != NULL; i++)
    {
      const char *separator = i == 0 ? "" : option->choices[i + 1] == NULL ? " or " : ", ";
      g_string_append_printf (text, "%s%s", separator, option->choices[i]);
    }
  return g_string_free (text, FALSE);
}

static char *
bounds_text (const FenOption *option, gboolean expert)
{
  g_autofree char *min = number_text (option, expert ? option->expert_min : option->min);
  g_autofree char *max = number_text (option, expert ? option->expert_max : option->max);
  return g_strdup_printf ("%s to %s%s%s", min, max, option->unit != NULL ? " " : "",
                          option->unit != NULL ? option->unit : "");
}

char *
fen_option_range_text (const FenOption *option, gboolean expert)
{
  switch (option->type)
    {
    case FEN_OPTION_BOOLEAN:
      return g_strdup ("true or false (also on, off, yes, no, 1, 0)");
    case FEN_OPTION_CHOICE:
      return choices_text (option);
    case FEN_OPTION_STRING:
    case FEN_OPTION_FILE:
      return g_strdup (option->allowed != NULL ? option->allowed : type_words (option->type));
    case FEN_OPTION_INT:
    case FEN_OPTION_DOUBLE:
    case FEN_OPTION_BYTES:
      break;
    }
  g_autofree char *bounds = bounds_text (option, expert);
  return option->zero_means != NULL ? g_strdup_printf ("0 (%s) or %s", option->zero_means, bounds)
                                    : g_steal_pointer (&bounds);
}

char *
fen_option_expert_text (const FenOption *option)
{
  if (option->min == option->expert_min && option->max == option->expert_max)
    return NULL;
  return bounds_text (option, TRUE);
}
