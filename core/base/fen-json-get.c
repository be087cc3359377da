/* fen-json-get.c: getters that check type and range and say what is wrong (see fen-json.h). */
#include "core/base/fen-json.h"

#include "core/base/fen-error.h"

#include <math.h>

/* The start of a value on one line, as it would be written. */
static char *
describe (JsonNode *node)
{
  if (JSON_NODE_HOLDS_OBJECT (node))
    return g_strdup ("an object");
  if (JSON_NODE_HOLDS_ARRAY (node))
    return g_strdup ("an array");
  if (JSON_NODE_HOLDS_NULL (node))
    return g_strdup ("null");
  if (json_node_get_value_type (node) == G_TYPE_STRING)
    return fen_error_quote (json_node_get_string (node));
  if (json_node_get_value_type (node) == G_TYPE_DOUBLE && !isfinite (json_node_get_double (node)))
    return g_strdup (json_node_get_double (node) > 0 ? "a number beyond every range"
                                                     : "a number below every range");
  g_autoptr (FenJsonWriter) writer = fen_json_writer_new (0);
  fen_json_writer_node (writer, NULL, node);
  return g_strdup (fen_json_writer_text (writer, NULL));
}

static gboolean
fail_type (JsonNode *node, const char *where, const char *key, const char *wanted, GError **error)
{
  g_autofree char *found = describe (node);
  g_set_error (error, FEN_JSON_ERROR, FEN_JSON_ERROR_TYPE, "%s: %s must be %s, not %s", where, key, wanted,
               found);
  return FALSE;
}

static gboolean
fail_range (JsonNode *node, const char *where, const char *key, const char *allowed, GError **error)
{
  g_autofree char *found = describe (node);
  g_set_error (error, FEN_JSON_ERROR, FEN_JSON_ERROR_RANGE, "%s: %s is %s; allowed: %s", where, key, found,
               allowed);
  return FALSE;
}

/* The member, or NULL when it is missing or null; then *ok says whether that is fine. */
static JsonNode *
member (JsonObject *object, const char *where, const char *key, gboolean required, gboolean *ok,
        GError **error)
{
  JsonNode *node = json_object_get_member (object, key);
  if (node != NULL && !JSON_NODE_HOLDS_NULL (node))
    return node;
  *ok = !required;
  if (required)
    g_set_error (error, FEN_JSON_ERROR, FEN_JSON_ERROR_MISSING, "%s: %s is %s", where, key,
                 node == NULL ? "missing" : "null, but it is required");
  return NULL;
}

JsonObject *
fen_json_root_object (JsonNode *root, const char *source, GError **error)
{
  if (root != NULL && JSON_NODE_HOLDS_OBJECT (root))
    return json_node_get_object (root);
  g_autofree char *found = root != NULL ? describe (root) : g_strdup ("nothing");
  g_set_error (error, FEN_JSON_ERROR, FEN_JSON_ERROR_TYPE, "%s: must hold a JSON object, not %s", source,
               found);
  return NULL;
}

static char *
int_range (gint64 min, gint64 max)
{
  if (min == G_MININT64 && max == G_MAXINT64)
    return g_strdup ("any 64-bit integer");
  if (max == G_MAXINT64)
    return g_strdup_printf ("%" G_GINT64_FORMAT " and up", min);
  if (min == G_MININT64)
    return g_strdup_printf ("up to %" G_GINT64_FORMAT, max);
  return g_strdup_printf ("%" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, min, max);
}

gboolean
fen_json_get_int (JsonObject *object, const char *where, const char *key, gboolean required, gint64 min,
                  gint64 max, gint64 *value, GError **error)
{
  gboolean ok;
  JsonNode *node = member (object, where, key, required, &ok, error);
  if (node == NULL)
    return ok;
  GType type = json_node_get_value_type (node);
  gint64 number = 0;
  gboolean fits = TRUE;
  if (type == G_TYPE_INT64)
    number = json_node_get_int (node);
  else if (type == G_TYPE_DOUBLE && trunc (json_node_get_double (node)) == json_node_get_double (node))
    {
      /* 2048.0 and 1e3 are integers to JSON; beyond 2^53 a double no longer says which. */
      double exact = json_node_get_double (node);
      fits = fabs (exact) <= 0x1p53;
      number = fits ? (gint64)exact : 0;
    }
  else
    return fail_type (node, where, key, "an integer", error);
  if (fits && number >= min && number <= max)
    {
      *value = number;
      return TRUE;
    }
  g_autofree char *allowed = int_range (min, max);
  return fail_range (node, where, key, allowed, error);
}

static char *
double_range (double min, double max)
{
  char low[32], high[32];
  gboolean has_min = min > -G_MAXDOUBLE, has_max = max < G_MAXDOUBLE;
  if (!has_min && !has_max)
    return g_strdup ("any finite number");
  if (!has_max)
    return g_strdup_printf ("%s and up", fen_json_format_double (min, low));
  if (!has_min)
    return g_strdup_printf ("up to %s", fen_json_format_double (max, high));
  return g_strdup_printf ("%s to %s", fen_json_format_double (min, low), fen_json_format_double (max, high));
}

gboolean
fen_json_get_double (JsonObject *object, const char *where, const char *key, gboolean required, double min,
                     double max, double *value, GError **error)
{
  gboolean ok;
  JsonNode *node = member (object, where, key, required, &ok, error);
  if (node == NULL)
    return ok;
  GType type = json_node_get_value_type (node);
  if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE)
    return fail_type (node, where, key, "a number", error);
  double number = type == G_TYPE_INT64 ? (double)json_node_get_int (node) : json_node_get_double (node);
  if (isfinite (number) && number >= min && number <= max)
    {
      *value = number;
      return TRUE;
    }
  g_autofree char *allowed = double_range (min, max);
  return fail_range (node, where, key, allowed, error);
}

gboolean
fen_json_get_boolean (JsonObject *object, const char *where, const char *key, gboolean required,
                      gboolean *value, GError **error)
{
  gboolean ok;
  JsonNode *node = member (object, where, key, required, &ok, error);
  if (node == NULL)
    return ok;
  if (json_node_get_value_type (node) != G_TYPE_BOOLEAN)
    return fail_type (node, where, key, "true or false", error);
  *value = json_node_get_boolean (node);
  return TRUE;
}

gboolean
fen_json_get_string (JsonObject *object, const char *where, const char *key, gboolean required,
                     const char **value, GError **error)
{
  gboolean ok;
  JsonNode *node = member (object, where, key, required, &ok, error);
  if (node == NULL)
    return ok;
  if (json_node_get_value_type (node) != G_TYPE_STRING)
    return fail_type (node, where, key, "a string", error);
  *value = json_node_get_string (node);
  return TRUE;
}

gboolean
fen_json_get_object (JsonObject *object, const char *where, const char *key, gboolean required,
                     JsonObject **value, GError **error)
{
  gboolean ok;
  JsonNode *node = member (object, where, key, required, &ok, error);
  if (node == NULL)
    return ok;
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return fail_type (node, where, key, "an object", error);
  *value = json_node_get_object (node);
  return TRUE;
}

gboolean
fen_json_get_array (JsonObject *object, const char *where, const char *key, gboolean required,
                    JsonArray **value, GError **error)
{
  gboolean ok;
  JsonNode *node = member (object, where, key, required, &ok, error);
  if (node == NULL)
    return ok;
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return fail_type (node, where, key, "an array", error);
  *value = json_node_get_array (node);
  return TRUE;
}

gboolean
fen_json_has (JsonObject *object, const char *key)
{
  JsonNode *node = json_object_get_member (object, key);
  return node != NULL && !JSON_NODE_HOLDS_NULL (node);
}
