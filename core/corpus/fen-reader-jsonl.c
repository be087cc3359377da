/* fen-reader-jsonl.c: the text in one line of .jsonl.
 *
 * A line may come from anywhere and be 64 MiB long, of which only one string is wanted. A parser that builds a tree
 * would need gigabytes for a line of "[[],[],..." and most of its time for values that nobody reads, so this one checks
 * the grammar (RFC 8259) as it goes, keeps nothing but the wanted string, and recurses at most FEN_JSON_MAX_DEPTH deep.
 */
#include "core/corpus/fen-reader-private.h"

#include <string.h>

#include "core/base/fen-json.h"

#define MAX_KEYS_NAMED 6

typedef struct {
  const char *start, *at, *end;
  const char *field;
  gsize field_bytes;
  GString *text;          /* the wanted member's value */
  GString *problem;       /* what is wrong; empty while nothing is */
  const char *wrong_type; /* of the wanted member, NULL when it is a string */
  gboolean found;
  GString *key; /* scratch for keys with escapes */
} Scan;

static gboolean scan_value (Scan *scan, guint depth);

static gboolean
fail (Scan *scan, const char *what)
{
  if (scan->problem->len == 0)
    g_string_printf (scan->problem, "column %" G_GSIZE_FORMAT ": %s", (gsize)(scan->at - scan->start) + 1,
                     what);
  return FALSE;
}

static void
skip_space (Scan *scan)
{
  while (scan->at < scan->end
         && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r' || *scan->at == '\n'))
    scan->at++;
}

/* Four hexadecimal digits at `at`, or -1. */
static gint32
hex4 (const Scan *scan, const char *at)
{
  gint32 value = 0;
  if (scan->end - at < 4)
    return -1;
  for (guint i = 0; i < 4; i++)
    {
      gint digit = g_ascii_xdigit_value (at[i]);
      if (digit < 0)
        return -1;
      value = value << 4 | digit;
    }
  return value;
}

/* After "\u": one character, or a surrogate pair. Half a pair stands for no character: U+FFFD. */
static gboolean
scan_unicode_escape (Scan *scan, GString *out)
{
  gint32 unit = hex4 (scan, scan->at);
  if (unit < 0)
    return fail (scan, "\\u needs four hexadecimal digits");
  if (unit == 0 && out != NULL)
    return fail (scan, "\\u0000 is not text");
  scan->at += 4;
  gunichar character = (gunichar)unit;
  if (unit >= 0xd800 && unit < 0xe000)
    {
      gint32 low = -1;
      if (unit < 0xdc00 && scan->end - scan->at >= 6 && scan->at[0] == '\\' && scan->at[1] == 'u')
        low = hex4 (scan, scan->at + 2);
      character = 0xfffd;
      if (low >= 0xdc00 && low < 0xe000)
        {
          character = 0x10000 + (((gunichar)unit - 0xd800) << 10) + ((gunichar)low - 0xdc00);
          scan->at += 6;
        }
    }
  if (out != NULL)
    g_string_append_unichar (out, character);
  return TRUE;
}

static gboolean
scan_escape (Scan *scan, GString *out)
{
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  char c = scan->at < scan->end ? *scan->at : '\0';
  if (c == 'u')
    {
      scan->at++;
      return scan_unicode_escape (scan, out);
    }
  const char *place = c != '\0' ? strchr (from, c) : NULL;
  if (place == NULL)
    return fail (scan, "a backslash must be followed by one of \" \\ / b f n r t u");
  if (out != NULL)
    g_string_append_c (out, to[place - from]);
  scan->at++;
  return TRUE;
}

/* A string, appended to `out` unless that is NULL. */
static gboolean
scan_string (Scan *scan, GString *out)
{
  scan->at++;
  while (scan->at < scan->end)
    {
      const char *run = scan->at;
      while (scan->at < scan->end && *scan->at != '"' && *scan->at != '\\' && (guchar)*scan->at >= 0x20)
        scan->at++;
      if (out != NULL)
        g_string_append_len (out, run, scan->at - run);
      if (scan->at == scan->end)
        break;
      if ((guchar)*scan->at < 0x20)
        return fail (scan, "a control character in a string; JSON writes it as an escape");
      if (*scan->at++ == '"')
        return TRUE;
      if (!scan_escape (scan, out))
        return FALSE;
    }
  return fail (scan, "the line ends inside a string");
}

static gboolean
scan_digits (Scan *scan)
{
  const char *first = scan->at;
  while (scan->at < scan->end && g_ascii_isdigit (*scan->at))
    scan->at++;
  return scan->at > first || fail (scan, "a digit is expected");
}

static gboolean
scan_number (Scan *scan)
{
  if (*scan->at == '-')
    scan->at++;
  if (scan->at < scan->end && *scan->at == '0')
    scan->at++;
  else if (!scan_digits (scan))
    return FALSE;
  if (scan->at < scan->end && *scan->at == '.')
    {
      scan->at++;
      if (!scan_digits (scan))
        return FALSE;
    }
  if (scan->at < scan->end && (*scan->at == 'e' || *scan->at == 'E'))
    {
      scan->at++;
      if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-'))
        scan->at++;
      if (!scan_digits (scan))
        return FALSE;
    }
  return TRUE;
}

static gboolean
scan_word (Scan *scan)
{
  static const char *const words[] = { "true", "false", "null" };
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    {
      gsize n = strlen (words[i]);
      if ((gsize)(scan->end - scan->at) >= n && memcmp (scan->at, words[i], n) == 0)
        {
          scan->at += n;
          return TRUE;
        }
    }
  return fail (scan, "a value is expected");
}

/* The value of the wanted member: a string is kept, anything else is remembered as the wrong type. */
static gboolean
scan_wanted (Scan *scan)
{
  char c = scan->at < scan->end ? *scan->at : '\0';
  g_string_truncate (scan->text, 0);
  scan->found = TRUE;
  scan->wrong_type = NULL;
  if (c == '"')
    return scan_string (scan, scan->text);
  scan->wrong_type = c == '{'               ? "an object"
                     : c == '['             ? "an array"
                     : c == 'n'             ? "null"
                     : c == 't' || c == 'f' ? "true or false"
                                            : "a number";
  return scan_value (scan, 1);
}

/* One "key": value. Only the outermost object has the wanted member. */
static gboolean
scan_member (Scan *scan, guint depth)
{
  gboolean wanted = FALSE;
  skip_space (scan);
  if (scan->at == scan->end || *scan->at != '"')
    return fail (scan, "a member's name in quotes is expected");
  g_string_truncate (scan->key, 0);
  if (!scan_string (scan, depth == 1 ? scan->key : NULL))
    return FALSE;
  if (depth == 1)
    wanted
        = scan->key->len == scan->field_bytes && memcmp (scan->key->str, scan->field, scan->field_bytes) == 0;
  skip_space (scan);
  if (scan->at == scan->end || *scan->at != ':')
    return fail (scan, "':' is expected");
  scan->at++;
  skip_space (scan);
  return wanted ? scan_wanted (scan) : scan_value (scan, depth);
}

/* An object or an array, from its bracket on; `depth` counts it. */
static gboolean
scan_container (Scan *scan, guint depth)
{
  gboolean object = *scan->at == '{';
  char close = object ? '}' : ']';
  if (depth > FEN_JSON_MAX_DEPTH)
    return fail (scan, "nested deeper than " G_STRINGIFY (FEN_JSON_MAX_DEPTH) " brackets");
  scan->at++;
  skip_space (scan);
  if (scan->at < scan->end && *scan->at == close)
    {
      scan->at++;
      return TRUE;
    }
  for (;;)
    {
      if (!(object ? scan_member (scan, depth) : scan_value (scan, depth)))
        return FALSE;
      skip_space (scan);
      if (scan->at == scan->end)
        return fail (scan, object ? "the line ends inside an object" : "the line ends inside an array");
      char c = *scan->at;
      if (c != ',' && c != close)
        return fail (scan, object ? "',' or '}' is expected" : "',' or ']' is expected");
      scan->at++;
      if (c == close)
        return TRUE;
    }
}

/* Any value inside a container at `depth`. */
static gboolean
scan_value (Scan *scan, guint depth)
{
  skip_space (scan);
  if (scan->at == scan->end)
    return fail (scan, "a value is expected");
  char c = *scan->at;
  if (c == '"')
    return scan_string (scan, NULL);
  if (c == '{' || c == '[')
    return scan_container (scan, depth + 1);
  if (c == '-' || g_ascii_isdigit (c))
    return scan_number (scan);
  return scan_word (scan);
}

/* A member's name for a message: short, on one line, whole characters. */
static void
append_name (GString *out, const GString *key)
{
  g_autofree char *valid = g_utf8_make_valid (key->str, (gssize)MIN (key->len, 40));
  for (char *c = valid; *c != '\0'; c++)
    if ((guchar)*c < 0x20 || *c == 0x7f)
      *c = '?';
  g_string_append_printf (out, "%s\"%s\"", out->len > 0 ? ", " : "", valid);
}

/* `line` is known to be a valid object: the names of its members, for the message. */
static void
name_members (Scan *scan)
{
  g_autoptr (GString) names = g_string_new (NULL);
  guint n = 0;
  scan->at = scan->start;
  skip_space (scan);
  scan->at++;
  skip_space (scan);
  while (*scan->at != '}' && n++ < MAX_KEYS_NAMED)
    {
      scan->field_bytes = G_MAXSIZE; /* nothing is wanted now */
      if (!scan_member (scan, 1))
        return;
      append_name (names, scan->key);
      skip_space (scan);
      if (*scan->at == ',')
        scan->at++;
      skip_space (scan);
    }
  if (n == 0)
    g_string_append (scan->problem, "; the object is empty");
  else
    g_string_append_printf (scan->problem, "; its members are %s%s", names->str,
                            *scan->at != '}' ? ", ..." : "");
}

static void
check_utf8 (Scan *scan)
{
  const char *bad;
  if (g_utf8_validate_len (scan->start, (gsize)(scan->end - scan->start), &bad))
    return;
  scan->at = bad;
  fail (scan, *bad == '\0' ? "a NUL byte: not text" : "invalid UTF-8");
}

static void
scan_line (Scan *scan)
{
  if (*scan->at != '{')
    fail (scan, "a JSON object is expected");
  else if (scan_container (scan, 1))
    {
      skip_space (scan);
      if (scan->at < scan->end)
        fail (scan, "more text after the object");
    }
}

FenJsonlResult
fen_jsonl_read (const char *line, gsize bytes, const char *field, GString *text, GString *problem)
{
  g_autoptr (GString) key = g_string_new (NULL);
  Scan scan = { .start = line,
                .at = line,
                .end = line + bytes,
                .field = field,
                .text = text,
                .problem = problem,
                .key = key };
  scan.field_bytes = strlen (field);
  g_string_truncate (text, 0);
  g_string_truncate (problem, 0);
  skip_space (&scan);
  if (scan.at == scan.end)
    return FEN_JSONL_BLANK;
  const char *first = scan.at;
  check_utf8 (&scan);
  scan.at = first;
  if (problem->len == 0)
    scan_line (&scan);
  if (problem->len == 0 && !scan.found)
    {
      g_string_printf (problem, "no member \"%s\"", field);
      name_members (&scan);
    }
  else if (problem->len == 0 && scan.wrong_type != NULL)
    g_string_printf (problem, "\"%s\" is %s; it must be a string", field, scan.wrong_type);
  return problem->len == 0 ? FEN_JSONL_TEXT : FEN_JSONL_PROBLEM;
}
