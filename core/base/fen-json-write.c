/* fen-json-write.c: writing JSON that every reader understands (see fen-json.h). */
#include "core/base/fen-json.h"

#include <float.h>
#include <math.h>
#include <string.h>

struct _FenJsonWriter {
  GString *text;
  guint indent;
  guint level;
  gboolean first; /* nothing yet in the innermost container */
};

/* The digits that %g needs: any decimal of DBL_DIG digits survives a double, and %g drops trailing zeros, so the
 * search for the shortest form starts there; only subnormal numbers can do with fewer than they show. */
static void
format_shortest (double value, int first_digits, gboolean as_float, char *buffer)
{
  for (int digits = first_digits;; digits++)
    {
      char format[8];
      g_snprintf (format, sizeof format, "%%.%dg", digits);
      g_ascii_formatd (buffer, 32, format, value);
      double back = g_ascii_strtod (buffer, NULL);
      if (digits >= 17 || (as_float ? (float)back == (float)value : back == value))
        return;
    }
}

const char *
fen_json_format_double (double value, char buffer[32])
{
  if (!isfinite (value))
    return NULL;
  format_shortest (value, fabs (value) < DBL_MIN ? 1 : DBL_DIG, FALSE, buffer);
  return buffer;
}

FenJsonWriter *
fen_json_writer_new (guint indent)
{
  FenJsonWriter *writer = g_new0 (FenJsonWriter, 1);
  writer->text = g_string_new (NULL);
  writer->indent = indent;
  writer->first = TRUE;
  return writer;
}

void
fen_json_writer_free (FenJsonWriter *writer)
{
  if (writer == NULL)
    return;
  g_string_free (writer->text, TRUE);
  g_free (writer);
}

static void
new_line (FenJsonWriter *writer)
{
  if (writer->indent == 0)
    return;
  g_string_append_c (writer->text, '\n');
  for (guint i = 0; i < writer->indent * writer->level; i++)
    g_string_append_c (writer->text, ' ');
}

static void
append_piece (GString *text, const char *value, gsize bytes)
{
  g_autofree char *valid
      = g_utf8_validate_len (value, bytes, NULL) ? NULL : g_utf8_make_valid (value, (gssize)bytes);
  const char *from = valid != NULL ? valid : value;
  const char *end = valid != NULL ? valid + strlen (valid) : value + bytes;
  for (const char *p = from; p < end; p++)
    {
      guchar c = (guchar)*p;
      if (c == '"' || c == '\\')
        g_string_append_printf (text, "\\%c", c);
      else if (c == '\n')
        g_string_append (text, "\\n");
      else if (c == '\t')
        g_string_append (text, "\\t");
      else if (c < 0x20 || c == 0x7F)
        g_string_append_printf (text, "\\u%04x", c);
      else
        g_string_append_c (text, *p);
    }
}

static void
append_string (GString *text, const char *value, gsize bytes)
{
  /* A NUL is valid UTF-8 but not to g_utf8_validate, and g_utf8_make_valid replaces it: pieces between NULs. */
  g_string_append_c (text, '"');
  for (gsize start = 0; start <= bytes;)
    {
      const char *nul = start < bytes ? memchr (value + start, '\0', bytes - start) : NULL;
      const gsize length = nul != NULL ? (gsize)(nul - (value + start)) : bytes - start;
      append_piece (text, value + start, length);
      if (nul != NULL)
        g_string_append (text, "\\u0000");
      start += length + 1;
    }
  g_string_append_c (text, '"');
}

/* What stands before a value: comma, line break, key. */
static void
begin_value (FenJsonWriter *writer, const char *key)
{
  if (!writer->first)
    g_string_append_c (writer->text, ',');
  if (writer->level > 0)
    new_line (writer);
  writer->first = FALSE;
  if (key == NULL)
    return;
  append_string (writer->text, key, strlen (key));
  g_string_append (writer->text, writer->indent > 0 ? ": " : ":");
}

static void
begin_container (FenJsonWriter *writer, const char *key, char bracket)
{
  begin_value (writer, key);
  g_string_append_c (writer->text, bracket);
  writer->level++;
  writer->first = TRUE;
}

static void
end_container (FenJsonWriter *writer, char bracket)
{
  g_return_if_fail (writer->level > 0);
  writer->level--;
  if (!writer->first)
    new_line (writer);
  writer->first = FALSE;
  g_string_append_c (writer->text, bracket);
}

void
fen_json_writer_begin_object (FenJsonWriter *writer, const char *key)
{
  begin_container (writer, key, '{');
}

void
fen_json_writer_end_object (FenJsonWriter *writer)
{
  end_container (writer, '}');
}

void
fen_json_writer_begin_array (FenJsonWriter *writer, const char *key)
{
  begin_container (writer, key, '[');
}

void
fen_json_writer_end_array (FenJsonWriter *writer)
{
  end_container (writer, ']');
}

void
fen_json_writer_string_len (FenJsonWriter *writer, const char *key, const char *value, gsize bytes)
{
  begin_value (writer, key);
  append_string (writer->text, value, bytes);
}

void
fen_json_writer_string (FenJsonWriter *writer, const char *key, const char *value)
{
  if (value != NULL)
    {
      fen_json_writer_string_len (writer, key, value, strlen (value));
      return;
    }
  begin_value (writer, key);
  g_string_append (writer->text, "null");
}

void
fen_json_writer_int (FenJsonWriter *writer, const char *key, gint64 value)
{
  begin_value (writer, key);
  g_string_append_printf (writer->text, "%" G_GINT64_FORMAT, value);
}

void
fen_json_writer_double (FenJsonWriter *writer, const char *key, double value)
{
  char buffer[32];
  const char *text = fen_json_format_double (value, buffer);
  begin_value (writer, key);
  g_string_append (writer->text, text != NULL ? text : "null");
}

void
fen_json_writer_float (FenJsonWriter *writer, const char *key, float value)
{
  char buffer[32] = "null";
  if (isfinite (value))
    format_shortest (value, fabsf (value) < FLT_MIN ? 1 : FLT_DIG, TRUE, buffer);
  begin_value (writer, key);
  g_string_append (writer->text, buffer);
}

void
fen_json_writer_boolean (FenJsonWriter *writer, const char *key, gboolean value)
{
  begin_value (writer, key);
  g_string_append (writer->text, value ? "true" : "false");
}

void
fen_json_writer_null (FenJsonWriter *writer, const char *key)
{
  fen_json_writer_string (writer, key, NULL);
}

static void
write_object_node (FenJsonWriter *writer, const char *key, JsonObject *object)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *member;
  fen_json_writer_begin_object (writer, key);
  json_object_iter_init_ordered (&iter, object);
  while (json_object_iter_next_ordered (&iter, &name, &member))
    fen_json_writer_node (writer, name, member);
  fen_json_writer_end_object (writer);
}

static void
write_array_node (FenJsonWriter *writer, const char *key, JsonArray *array)
{
  fen_json_writer_begin_array (writer, key);
  for (guint i = 0; i < json_array_get_length (array); i++)
    fen_json_writer_node (writer, NULL, json_array_get_element (array, i));
  fen_json_writer_end_array (writer);
}

void
fen_json_writer_node (FenJsonWriter *writer, const char *key, JsonNode *node)
{
  switch (json_node_get_node_type (node))
    {
    case JSON_NODE_OBJECT:
      write_object_node (writer, key, json_node_get_object (node));
      return;
    case JSON_NODE_ARRAY:
      write_array_node (writer, key, json_node_get_array (node));
      return;
    case JSON_NODE_NULL:
      fen_json_writer_null (writer, key);
      return;
    case JSON_NODE_VALUE:
      break;
    }
  GType type = json_node_get_value_type (node);
  if (type == G_TYPE_STRING)
    fen_json_writer_string (writer, key, json_node_get_string (node));
  else if (type == G_TYPE_BOOLEAN)
    fen_json_writer_boolean (writer, key, json_node_get_boolean (node));
  else if (type == G_TYPE_INT64)
    fen_json_writer_int (writer, key, json_node_get_int (node));
  else
    fen_json_writer_double (writer, key, json_node_get_double (node));
}

const char *
fen_json_writer_text (FenJsonWriter *writer, gsize *length)
{
  if (length != NULL)
    *length = writer->text->len;
  return writer->text->str;
}

void
fen_json_writer_reset (FenJsonWriter *writer)
{
  g_string_truncate (writer->text, 0);
  writer->level = 0;
  writer->first = TRUE;
}
