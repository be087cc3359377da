/* fen-json.c: the parser and the checked getters (see fen-json.h).
 *
 * The tree is json-glib's; the parser is not. json-glib 1.6's recurses without a limit, is quadratic in repeated
 * keys, and accepts comments, assignments and hexadecimal numbers. This one is RFC 8259 to the letter, bounded in
 * bytes, depth and number of values, and settles what the RFC leaves open:
 *   - text is UTF-8 without NUL; a byte order mark at the start is skipped;
 *   - a key that stands twice in an object is an error;
 *   - \u0000 and surrogates without their other half are errors;
 *   - an integer that fits int64 is read exactly, any other number as the nearest double (1e999: infinity, which
 *     no getter lets pass).
 */
#include "core/base/fen-json.h"

#include "core/base/fen-error.h"
#include "core/base/fen-io.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A value costs up to 200 bytes as a tree ("[]," is three as text). The largest public tokenizer has 2.3 million. */
#define MAX_VALUES (8u << 20)

typedef struct {
  const char *start, *p, *end;
  const char *source;
  guint depth, values;
  GString *scratch; /* the string being read */
  GError **error;
} Parser;

G_DEFINE_QUARK (fen - json - error - quark, fen_json_error)

static JsonNode *parse_value (Parser *parser);

/* Sets an error at the parser's place and returns NULL. */
static gpointer G_GNUC_PRINTF (3, 4) fail (Parser *parser, FenJsonError code, const char *format, ...)
{
  guint line = 1, column = 1;
  for (const char *p = parser->start; p < parser->p; p++)
    {
      if (*p == '\n')
        {
          line++;
          column = 1;
        }
      else if (((guchar)*p & 0xC0) != 0x80)
        column++;
    }
  va_list args;
  va_start (args, format);
  g_autofree char *what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (parser->error, FEN_JSON_ERROR, (int)code, "%s: line %u, column %u: %s", parser->source, line,
               column, what);
  return NULL;
}

static gpointer
fail_expected (Parser *parser, const char *expected)
{
  if (parser->p == parser->end)
    return fail (parser, FEN_JSON_ERROR_SYNTAX, "not JSON: %s expected, but the text ends", expected);
  g_autofree char *found = g_strndup (parser->p, (gsize)(g_utf8_next_char (parser->p) - parser->p));
  g_autofree char *quoted = fen_error_quote (found);
  return fail (parser, FEN_JSON_ERROR_SYNTAX, "not JSON: %s expected, found %s", expected, quoted);
}

static void
skip_space (Parser *parser)
{
  while (parser->p < parser->end
         && (*parser->p == ' ' || *parser->p == '\n' || *parser->p == '\r' || *parser->p == '\t'))
    parser->p++;
}

/* After white space: is the next byte `c`? Then it is consumed. */
static gboolean
take (Parser *parser, char c)
{
  skip_space (parser);
  if (parser->p == parser->end || *parser->p != c)
    return FALSE;
  parser->p++;
  return TRUE;
}

/* Four hexadecimal digits, or -1. */
static int
parse_hex4 (Parser *parser)
{
  if (parser->end - parser->p < 4)
    return -1;
  int value = 0;
  for (int i = 0; i < 4; i++)
    {
      int digit = g_ascii_xdigit_value (parser->p[i]);
      if (digit < 0)
        return -1;
      value = value << 4 | digit;
    }
  parser->p += 4;
  return value;
}

/* What follows \u. */
static gboolean
parse_unicode_escape (Parser *parser)
{
  int unit = parse_hex4 (parser);
  if (unit < 0)
    return fail_expected (parser, "four hexadecimal digits after \\u") != NULL;
  if (unit == 0)
    return fail (parser, FEN_JSON_ERROR_SYNTAX, "\\u0000 in a string is not supported") != NULL;
  gunichar c = (gunichar)unit;
  if (unit >= 0xD800 && unit <= 0xDFFF)
    {
      int low = -1;
      if (unit <= 0xDBFF && parser->end - parser->p >= 2 && parser->p[0] == '\\' && parser->p[1] == 'u')
        {
          parser->p += 2;
          low = parse_hex4 (parser);
        }
      if (low < 0xDC00 || low > 0xDFFF)
        return fail (parser, FEN_JSON_ERROR_SYNTAX, "not Unicode: half a surrogate pair (\\u%04x)", unit)
               != NULL;
      c = 0x10000 + (((gunichar)unit - 0xD800) << 10) + ((gunichar)low - 0xDC00);
    }
  g_string_append_unichar (parser->scratch, c);
  return TRUE;
}

static gboolean
parse_escape (Parser *parser)
{
  static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  if (parser->p == parser->end)
    return fail_expected (parser, "an escape") != NULL;
  if (*parser->p == 'u')
    {
      parser->p++;
      return parse_unicode_escape (parser);
    }
  const char *letter = memchr (letters, *parser->p, sizeof letters - 1);
  if (letter == NULL)
    return fail_expected (parser, "one of \"\\/bfnrtu after a backslash") != NULL;
  g_string_append_c (parser->scratch, values[letter - letters]);
  parser->p++;
  return TRUE;
}

/* After the opening quote; leaves the text in `scratch`. */
static gboolean
parse_string (Parser *parser)
{
  g_string_truncate (parser->scratch, 0);
  for (;;)
    {
      const char *run = parser->p;
      while (parser->p < parser->end && *parser->p != '"' && *parser->p != '\\' && (guchar)*parser->p >= 0x20)
        parser->p++;
      g_string_append_len (parser->scratch, run, parser->p - run);
      if (parser->p == parser->end)
        return fail_expected (parser, "the end of a string") != NULL;
      if (*parser->p == '"')
        {
          parser->p++;
          return TRUE;
        }
      if (*parser->p != '\\')
        return fail_expected (parser, "an escape for a control character in a string") != NULL;
      parser->p++;
      if (!parse_escape (parser))
        return FALSE;
    }
}

static gboolean
skip_digits (Parser *parser)
{
  const char *first = parser->p;
  while (parser->p < parser->end && g_ascii_isdigit (*parser->p))
    parser->p++;
  return parser->p > first || fail_expected (parser, "a digit") != NULL;
}

static JsonNode *
parse_number (Parser *parser)
{
  const char *first = parser->p;
  gboolean integer = TRUE;
  if (*parser->p == '-')
    parser->p++;
  if (parser->p < parser->end && *parser->p == '0')
    parser->p++;
  else if (!skip_digits (parser))
    return NULL;
  if (parser->p < parser->end && *parser->p == '.')
    {
      parser->p++;
      integer = FALSE;
      if (!skip_digits (parser))
        return NULL;
    }
  if (parser->p < parser->end && (*parser->p == 'e' || *parser->p == 'E'))
    {
      parser->p++;
      integer = FALSE;
      if (parser->p < parser->end && (*parser->p == '+' || *parser->p == '-'))
        parser->p++;
      if (!skip_digits (parser))
        return NULL;
    }
  g_autofree char *number = g_strndup (first, (gsize)(parser->p - first));
  gint64 value;
  /* "-0" stays a double, so that a negative zero survives being written and read. */
  if (integer && strcmp (number, "-0") != 0
      && g_ascii_string_to_signed (number, 10, G_MININT64, G_MAXINT64, &value, NULL))
    return json_node_init_int (json_node_alloc (), value);
  return json_node_init_double (json_node_alloc (), g_ascii_strtod (number, NULL));
}

static JsonNode *
parse_word (Parser *parser)
{
  gsize left = (gsize)(parser->end - parser->p);
  if (left >= 4 && memcmp (parser->p, "true", 4) == 0)
    {
      parser->p += 4;
      return json_node_init_boolean (json_node_alloc (), TRUE);
    }
  if (left >= 5 && memcmp (parser->p, "false", 5) == 0)
    {
      parser->p += 5;
      return json_node_init_boolean (json_node_alloc (), FALSE);
    }
  if (left >= 4 && memcmp (parser->p, "null", 4) == 0)
    {
      parser->p += 4;
      return json_node_init_null (json_node_alloc ());
    }
  return fail_expected (parser, "a value");
}

static JsonNode *
parse_object (Parser *parser)
{
  g_autoptr (JsonObject) object = json_object_new ();
  gboolean more = !take (parser, '}');
  while (more)
    {
      if (!take (parser, '"'))
        return fail_expected (parser, "a key in double quotes");
      if (!parse_string (parser))
        return NULL;
      g_autofree char *key = g_strdup (parser->scratch->str);
      if (json_object_has_member (object, key))
        {
          g_autofree char *quoted = fen_error_quote (key);
          return fail (parser, FEN_JSON_ERROR_SYNTAX, "the key %s stands twice in one object", quoted);
        }
      if (!take (parser, ':'))
        return fail_expected (parser, "':'");
      JsonNode *member = parse_value (parser);
      if (member == NULL)
        return NULL;
      json_object_set_member (object, key, member);
      more = take (parser, ',');
      if (!more && !take (parser, '}'))
        return fail_expected (parser, "',' or '}'");
    }
  return json_node_init_object (json_node_alloc (), object);
}

static JsonNode *
parse_array (Parser *parser)
{
  g_autoptr (JsonArray) array = json_array_new ();
  gboolean more = !take (parser, ']');
  while (more)
    {
      JsonNode *element = parse_value (parser);
      if (element == NULL)
        return NULL;
      json_array_add_element (array, element);
      more = take (parser, ',');
      if (!more && !take (parser, ']'))
        return fail_expected (parser, "',' or ']'");
    }
  return json_node_init_array (json_node_alloc (), array);
}

static JsonNode *
parse_container (Parser *parser)
{
  if (parser->depth == FEN_JSON_MAX_DEPTH)
    return fail (parser, FEN_JSON_ERROR_TOO_DEEP, "nested deeper than %d brackets", FEN_JSON_MAX_DEPTH);
  parser->depth++;
  gboolean object = *parser->p++ == '{';
  JsonNode *node = object ? parse_object (parser) : parse_array (parser);
  parser->depth--;
  return node;
}

static JsonNode *
parse_value (Parser *parser)
{
  skip_space (parser);
  if (++parser->values > MAX_VALUES)
    return fail (parser, FEN_JSON_ERROR_TOO_LARGE, "more than %u values", MAX_VALUES);
  if (parser->p == parser->end)
    return fail_expected (parser, "a value");
  char c = *parser->p;
  if (c == '{' || c == '[')
    return parse_container (parser);
  if (c == '-' || g_ascii_isdigit (c))
    return parse_number (parser);
  if (c != '"')
    return parse_word (parser);
  parser->p++;
  if (!parse_string (parser))
    return NULL;
  return json_node_init_string (json_node_alloc (), parser->scratch->str);
}

static gboolean
fail_too_large (const char *source, gsize max_bytes, GError **error)
{
  g_autofree char *limit = fen_format_bytes (max_bytes);
  g_set_error (error, FEN_JSON_ERROR, FEN_JSON_ERROR_TOO_LARGE,
               "%s: larger than the %s allowed for such a file", source, limit);
  return FALSE;
}

JsonNode *
fen_json_parse (const char *text, gsize length, const char *source, gsize max_bytes, GError **error)
{
  if (length > max_bytes)
    {
      fail_too_large (source, max_bytes, error);
      return NULL;
    }
  if (text == NULL)
    text = ""; /* an empty buffer may have no address */
  Parser parser = { .start = text, .p = text, .end = text + length, .source = source, .error = error };
  const char *invalid;
  if (!g_utf8_validate_len (text, length, &invalid))
    {
      parser.p = invalid;
      return fail (&parser, FEN_JSON_ERROR_SYNTAX, "not UTF-8 text: byte 0x%02x", (guchar)*invalid);
    }
  if (length >= 3 && memcmp (text, "\xEF\xBB\xBF", 3) == 0)
    parser.p += 3;
  parser.scratch = g_string_new (NULL);
  g_autoptr (JsonNode) root = parse_value (&parser);
  g_string_free (parser.scratch, TRUE);
  if (root == NULL)
    return NULL;
  skip_space (&parser);
  if (parser.p < parser.end)
    return fail_expected (&parser, "the end of the text");
  return g_steal_pointer (&root);
}

/* Reads at most `max_bytes`: the size that stat tells is only a hint (a pipe has none, a file may grow). */
static GByteArray *
read_bounded (int fd, const char *path, gsize max_bytes, GError **error)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  gsize block = 64 * 1024;
  for (;;)
    {
      guint used = bytes->len;
      g_byte_array_set_size (bytes, used + (guint)block);
      gssize got = read (fd, bytes->data + used, block);
      if (got < 0 && errno == EINTR)
        got = 0;
      else if (got < 0)
        {
          fen_error_set_errno (error, errno, path, "cannot read");
          return NULL;
        }
      else if (got == 0)
        {
          g_byte_array_set_size (bytes, used);
          return g_steal_pointer (&bytes);
        }
      g_byte_array_set_size (bytes, used + (guint)got);
      if (bytes->len > max_bytes)
        {
          g_autofree char *shown = g_filename_display_name (path);
          fail_too_large (shown, max_bytes, error);
          return NULL;
        }
      block = MIN (block * 2, 8u << 20);
    }
}

JsonNode *
fen_json_load (const char *path, gsize max_bytes, GError **error)
{
  g_return_val_if_fail (max_bytes <= G_MAXINT32, NULL);
  g_autofree char *shown = g_filename_display_name (path);
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    {
      fen_error_set_errno (error, errno, path, "cannot open");
      return NULL;
    }
  struct stat info;
  g_autoptr (GByteArray) bytes = NULL;
  if (fstat (fd, &info) == 0 && S_ISREG (info.st_mode) && (guint64)info.st_size > max_bytes)
    fail_too_large (shown, max_bytes, error);
  else
    bytes = read_bounded (fd, path, max_bytes, error);
  close (fd);
  if (bytes == NULL)
    return NULL;
  return fen_json_parse ((const char *)bytes->data, bytes->len, shown, max_bytes, error);
}
