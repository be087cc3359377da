/* The JSON reader. Promises: no input crashes it; an error is one line; what it accepts is written by our writer in a
 * form that it accepts again and that means the same. */
#include "core/base/fen-json.h"
#include "tests/fuzz/fuzz-target.h"

#include <string.h>

static char *
write_node (JsonNode *node, guint indent)
{
  g_autoptr (FenJsonWriter) writer = fen_json_writer_new (indent);
  fen_json_writer_node (writer, NULL, node);
  return g_strdup (fen_json_writer_text (writer, NULL));
}

/* Infinity (1e999) is written as null, so a second reading is the fixed point. */
static void
check_round_trip (JsonNode *node)
{
  g_autofree char *text = write_node (node, 0);
  g_autoptr (JsonNode) again = fen_json_parse (text, strlen (text), "again", G_MAXINT32, NULL);
  g_assert_nonnull (again);
  g_autofree char *compact = write_node (again, 0);
  g_assert_cmpstr (compact, ==, text);
  g_autofree char *pretty = write_node (again, 2);
  g_autoptr (JsonNode) third = fen_json_parse (pretty, strlen (pretty), "pretty", G_MAXINT32, NULL);
  g_assert_nonnull (third);
  g_assert_true (json_node_equal (again, third));
}

static void
check_getters (JsonObject *object)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *member;
  json_object_iter_init (&iter, object);
  while (json_object_iter_next (&iter, &name, &member))
    {
      gint64 integer = 0;
      double number = 0;
      gboolean boolean;
      const char *string;
      JsonObject *inner;
      JsonArray *array;
      g_autoptr (GError) error = NULL;
      if (fen_json_get_int (object, "o", name, TRUE, -10, 1000, &integer, &error))
        g_assert_true (integer >= -10 && integer <= 1000);
      else
        g_assert_nonnull (error);
      if (fen_json_get_double (object, "o", name, TRUE, -0.5, 1e300, &number, NULL))
        g_assert_true (number >= -0.5 && number <= 1e300);
      fen_json_get_boolean (object, "o", name, TRUE, &boolean, NULL);
      fen_json_get_string (object, "o", name, TRUE, &string, NULL);
      fen_json_get_object (object, "o", name, TRUE, &inner, NULL);
      fen_json_get_array (object, "o", name, TRUE, &array, NULL);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) node = fen_json_parse ((const char *)data, size, "fuzz", 1 << 20, &error);
  g_assert_true ((node == NULL) == (error != NULL));
  if (node == NULL)
    {
      g_assert_null (strchr (error->message, '\n'));
      return 0;
    }
  check_round_trip (node);
  if (JSON_NODE_HOLDS_OBJECT (node))
    check_getters (json_node_get_object (node));
  return 0;
}
