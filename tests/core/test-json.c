/* JSON: what is accepted, what is refused and in which words, and that numbers survive being written and read. */
#include "core/base/fen-error.h"
#include "core/base/fen-json.h"
#include "core/base/fen-random.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static JsonNode *
parse (const char *text, GError **error)
{
  return fen_json_parse (text, strlen (text), "x.json", FEN_JSON_MAX_BYTES_CONFIG, error);
}

static JsonNode *
parse_ok (const char *text)
{
  g_autoptr (GError) error = NULL;
  JsonNode *node = parse (text, &error);
  g_assert_no_error (error);
  g_assert_nonnull (node);
  return node;
}

/* One line, in the room's domain, and exactly these words. */
static void
check_error (GError *error, FenJsonError code, const char *message)
{
  g_assert_error (error, FEN_JSON_ERROR, (int)code);
  g_assert_cmpstr (error->message, ==, message);
  g_assert_null (strchr (error->message, '\n'));
}

static void
test_accepts (void)
{
  static const char *const texts[][2] = {
    { "null", "null" },
    { " true ", "true" },
    { "\xEF\xBB\xBF[]", "[]" },
    { "{}", "{}" },
    { "[1, -2,3.5 ,1e3,-0,0.1,1E+2]", "[1,-2,3.5,1000,-0,0.1,100]" },
    { "{\"a\":{\"b\":[{},[],\"\"]}}", "{\"a\":{\"b\":[{},[],\"\"]}}" },
    { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\"", "\"\\\"\\\\/\\u0008\\u000c\\n\\u000d\\té😀\"" },
    { "[9223372036854775807,-9223372036854775808]", "[9223372036854775807,-9223372036854775808]" },
    { "9223372036854775808", "9.223372036854776e+18" },
    { "{\"b\":1,\"a\":2}", "{\"b\":1,\"a\":2}" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (JsonNode) node = parse_ok (texts[i][0]);
      g_autoptr (FenJsonWriter) writer = fen_json_writer_new (0);
      fen_json_writer_node (writer, NULL, node);
      g_assert_cmpstr (fen_json_writer_text (writer, NULL), ==, texts[i][1]);
    }
}

static void
test_refuses (void)
{
  static const char *const texts[][2] = {
    { "", "x.json: line 1, column 1: not JSON: a value expected, but the text ends" },
    { "hello", "x.json: line 1, column 1: not JSON: a value expected, found \"h\"" },
    { "{\"a\" 1}", "x.json: line 1, column 6: not JSON: ':' expected, found \"1\"" },
    { "{\n \"é\": 1,\n}",
      "x.json: line 3, column 1: not JSON: a key in double quotes expected, found \"}\"" },
    { "[1,]", "x.json: line 1, column 4: not JSON: a value expected, found \"]\"" },
    { "[1 2]", "x.json: line 1, column 4: not JSON: ',' or ']' expected, found \"2\"" },
    { "[1", "x.json: line 1, column 3: not JSON: ',' or ']' expected, but the text ends" },
    { "{\"a\":1", "x.json: line 1, column 7: not JSON: ',' or '}' expected, but the text ends" },
    { "1 é", "x.json: line 1, column 3: not JSON: the end of the text expected, found \"é\"" },
    { "// x\n1", "x.json: line 1, column 1: not JSON: a value expected, found \"/\"" },
    { "var a = 1", "x.json: line 1, column 1: not JSON: a value expected, found \"v\"" },
    { "0x10", "x.json: line 1, column 2: not JSON: the end of the text expected, found \"x\"" },
    { "01", "x.json: line 1, column 2: not JSON: the end of the text expected, found \"1\"" },
    { "-", "x.json: line 1, column 2: not JSON: a digit expected, but the text ends" },
    { "1.", "x.json: line 1, column 3: not JSON: a digit expected, but the text ends" },
    { ".5", "x.json: line 1, column 1: not JSON: a value expected, found \".\"" },
    { "1e", "x.json: line 1, column 3: not JSON: a digit expected, but the text ends" },
    { "NaN", "x.json: line 1, column 1: not JSON: a value expected, found \"N\"" },
    { "-Infinity", "x.json: line 1, column 2: not JSON: a digit expected, found \"I\"" },
    { "tru", "x.json: line 1, column 1: not JSON: a value expected, found \"t\"" },
    { "'a'", "x.json: line 1, column 1: not JSON: a value expected, found \"'\"" },
    { "\"abc", "x.json: line 1, column 5: not JSON: the end of a string expected, but the text ends" },
    { "\"a\tb\"", "x.json: line 1, column 3: not JSON: an escape for a control character in a string "
                  "expected, found \"\\t\"" },
    { "\"\\x\"",
      "x.json: line 1, column 3: not JSON: one of \"\\/bfnrtu after a backslash expected, found \"x\"" },
    { "\"\\", "x.json: line 1, column 3: not JSON: an escape expected, but the text ends" },
    { "\"\\u12g4\"",
      "x.json: line 1, column 4: not JSON: four hexadecimal digits after \\u expected, found \"1\"" },
    { "\"\\ud83d\"", "x.json: line 1, column 8: not Unicode: half a surrogate pair (\\ud83d)" },
    { "\"\\ud83d\\u0041\"", "x.json: line 1, column 14: not Unicode: half a surrogate pair (\\ud83d)" },
    { "\"\\ud83d\\ue000\"", "x.json: line 1, column 14: not Unicode: half a surrogate pair (\\ud83d)" },
    { "\"\\ude00\"", "x.json: line 1, column 8: not Unicode: half a surrogate pair (\\ude00)" },
    { "\"\\u0000\"", "x.json: line 1, column 8: \\u0000 in a string is not supported" },
    { "{\"a\":1,\"b\":2,\"a\":3}", "x.json: line 1, column 17: the key \"a\" stands twice in one object" },
    { "[\"\xFF\"]", "x.json: line 1, column 3: not UTF-8 text: byte 0xff" },
    { "\"\xC3", "x.json: line 1, column 2: not UTF-8 text: byte 0xc3" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (parse (texts[i][0], &error));
      check_error (error, FEN_JSON_ERROR_SYNTAX, texts[i][1]);
    }
  g_autoptr (GError) error = NULL;
  g_assert_null (fen_json_parse ("[1,\0]", 5, "x.json", 100, &error));
  check_error (error, FEN_JSON_ERROR_SYNTAX, "x.json: line 1, column 4: not UTF-8 text: byte 0x00");
}

static char *
nested (guint depth)
{
  g_autofree char *open = g_strnfill (depth, '[');
  g_autofree char *close = g_strnfill (depth, ']');
  return g_strconcat (open, close, NULL);
}

static void
test_limits (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *allowed = nested (FEN_JSON_MAX_DEPTH);
  json_node_unref (parse_ok (allowed));
  g_autofree char *deeper = nested (FEN_JSON_MAX_DEPTH + 1);
  g_assert_null (parse (deeper, &error));
  check_error (error, FEN_JSON_ERROR_TOO_DEEP, "x.json: line 1, column 65: nested deeper than 64 brackets");
  g_clear_error (&error);

  g_autofree char *bomb = g_strnfill (200000, '[');
  g_assert_null (parse (bomb, &error));
  check_error (error, FEN_JSON_ERROR_TOO_DEEP, "x.json: line 1, column 65: nested deeper than 64 brackets");
  g_clear_error (&error);
  /* Brackets in strings, and siblings, do not count. */
  g_autofree char *in_string = g_strdup_printf ("[\"%s\"]", bomb);
  json_node_unref (parse_ok (in_string));

  g_assert_null (fen_json_parse ("[1,2,3]", 7, "x.json", 6, &error));
  check_error (error, FEN_JSON_ERROR_TOO_LARGE, "x.json: larger than the 6 bytes allowed for such a file");
  g_clear_error (&error);

  GString *many = g_string_new ("[1");
  for (guint i = 0; i < 9 << 20; i++)
    g_string_append (many, ",1");
  g_assert_null (fen_json_parse (many->str, many->len, "x.json", FEN_JSON_MAX_BYTES_TOKENIZER, &error));
  check_error (error, FEN_JSON_ERROR_TOO_LARGE, "x.json: line 1, column 16777216: more than 8388608 values");
  g_string_free (many, TRUE);
}

/* A length that is not the string's: nothing beyond it is read (ASan watches). */
static void
test_not_terminated (void)
{
  static const char *const texts[]
      = { "[1,2]", "\"abc\"", "true", "-12.5e3", "\"\\ud83d\\ude00\"", "{\"a\":null}" };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    for (gsize length = 0; length <= strlen (texts[i]); length++)
      {
        char *copy = g_memdup2 (texts[i], length);
        g_autoptr (JsonNode) node = fen_json_parse (copy, length, "x", 100, NULL);
        g_assert_true (length < strlen (texts[i]) || node != NULL);
        g_free (copy);
      }
}

static void
test_getters (void)
{
  g_autoptr (JsonNode) root
      = parse_ok ("{\"i\":7,\"d\":0.5,\"f\":2048.0,\"b\":true,\"s\":\"té\",\"o\":{\"x\":1},"
                  "\"a\":[1,2],\"n\":null,\"big\":9007199254740993}");
  g_autoptr (GError) error = NULL;
  JsonObject *object = fen_json_root_object (root, "x.json", &error);
  gint64 i = 0;
  double d = 0;
  gboolean b = FALSE;
  const char *s = NULL;
  JsonObject *o = NULL;
  JsonArray *a = NULL;
  g_assert_true (fen_json_get_int (object, "x", "i", TRUE, 7, 7, &i, &error));
  g_assert_cmpint (i, ==, 7);
  g_assert_true (fen_json_get_int (object, "x", "f", TRUE, 0, 4096, &i, &error));
  g_assert_cmpint (i, ==, 2048);
  g_assert_true (fen_json_get_int (object, "x", "big", TRUE, 0, G_MAXINT64, &i, &error));
  g_assert_cmpint (i, ==, G_GINT64_CONSTANT (9007199254740993));
  g_assert_true (fen_json_get_double (object, "x", "d", TRUE, 0.5, 0.5, &d, &error));
  g_assert_cmpfloat (d, ==, 0.5);
  g_assert_true (fen_json_get_double (object, "x", "i", TRUE, 0, 10, &d, &error));
  g_assert_cmpfloat (d, ==, 7);
  g_assert_true (fen_json_get_boolean (object, "x", "b", TRUE, &b, &error));
  g_assert_true (b);
  g_assert_true (fen_json_get_string (object, "x", "s", TRUE, &s, &error));
  g_assert_cmpstr (s, ==, "té");
  g_assert_true (fen_json_get_object (object, "x", "o", TRUE, &o, &error));
  g_assert_true (fen_json_has (o, "x"));
  g_assert_true (fen_json_get_array (object, "x", "a", TRUE, &a, &error));
  g_assert_cmpuint (json_array_get_length (a), ==, 2);
  g_assert_false (fen_json_has (object, "n"));
  g_assert_false (fen_json_has (object, "none"));

  /* Missing and null leave the default alone. */
  i = 5;
  g_assert_true (fen_json_get_int (object, "x", "none", FALSE, 0, 1, &i, &error));
  g_assert_true (fen_json_get_int (object, "x", "n", FALSE, 0, 1, &i, &error));
  g_assert_cmpint (i, ==, 5);
  g_assert_no_error (error);
}

typedef gboolean (*Getter) (JsonObject *object, const char *key, GError **error);

static gboolean
get_small_int (JsonObject *object, const char *key, GError **error)
{
  gint64 value;
  return fen_json_get_int (object, "x.json", key, TRUE, 1, 10, &value, error);
}

static gboolean
get_size (JsonObject *object, const char *key, GError **error)
{
  gint64 value;
  return fen_json_get_int (object, "x.json", key, TRUE, 0, G_MAXINT64, &value, error);
}

static gboolean
get_share (JsonObject *object, const char *key, GError **error)
{
  double value;
  return fen_json_get_double (object, "x.json", key, TRUE, 0, 0.5, &value, error);
}

static gboolean
get_finite (JsonObject *object, const char *key, GError **error)
{
  double value;
  return fen_json_get_double (object, "x.json", key, TRUE, -G_MAXDOUBLE, G_MAXDOUBLE, &value, error);
}

static gboolean
get_boolean (JsonObject *object, const char *key, GError **error)
{
  gboolean value;
  return fen_json_get_boolean (object, "x.json", key, TRUE, &value, error);
}

static gboolean
get_string (JsonObject *object, const char *key, GError **error)
{
  const char *value;
  return fen_json_get_string (object, "x.json", key, TRUE, &value, error);
}

static gboolean
get_object (JsonObject *object, const char *key, GError **error)
{
  JsonObject *value;
  return fen_json_get_object (object, "x.json", key, TRUE, &value, error);
}

static gboolean
get_array (JsonObject *object, const char *key, GError **error)
{
  JsonArray *value;
  return fen_json_get_array (object, "x.json", key, TRUE, &value, error);
}

static void
test_getter_errors (void)
{
  static const struct {
    const char *value;
    Getter get;
    FenJsonError code;
    const char *message;
  } cases[] = {
    { "11", get_small_int, FEN_JSON_ERROR_RANGE, "x.json: k is 11; allowed: 1 to 10" },
    { "-1", get_size, FEN_JSON_ERROR_RANGE, "x.json: k is -1; allowed: 0 and up" },
    { "1e30", get_size, FEN_JSON_ERROR_RANGE, "x.json: k is 1e+30; allowed: 0 and up" },
    { "9223372036854775808", get_size, FEN_JSON_ERROR_RANGE,
      "x.json: k is 9.223372036854776e+18; allowed: 0 and up" },
    { "1e999", get_size, FEN_JSON_ERROR_RANGE,
      "x.json: k is a number beyond every range; allowed: 0 and up" },
    { "1.5", get_small_int, FEN_JSON_ERROR_TYPE, "x.json: k must be an integer, not 1.5" },
    { "\"1\"", get_small_int, FEN_JSON_ERROR_TYPE, "x.json: k must be an integer, not \"1\"" },
    { "true", get_small_int, FEN_JSON_ERROR_TYPE, "x.json: k must be an integer, not true" },
    { "{}", get_small_int, FEN_JSON_ERROR_TYPE, "x.json: k must be an integer, not an object" },
    { "null", get_small_int, FEN_JSON_ERROR_MISSING, "x.json: k is null, but it is required" },
    { "0.75", get_share, FEN_JSON_ERROR_RANGE, "x.json: k is 0.75; allowed: 0 to 0.5" },
    { "-1e999", get_finite, FEN_JSON_ERROR_RANGE,
      "x.json: k is a number below every range; allowed: any finite number" },
    { "[]", get_share, FEN_JSON_ERROR_TYPE, "x.json: k must be a number, not an array" },
    { "1", get_boolean, FEN_JSON_ERROR_TYPE, "x.json: k must be true or false, not 1" },
    { "3", get_string, FEN_JSON_ERROR_TYPE, "x.json: k must be a string, not 3" },
    { "[]", get_object, FEN_JSON_ERROR_TYPE, "x.json: k must be an object, not an array" },
    { "\"a\\nb\"", get_array, FEN_JSON_ERROR_TYPE, "x.json: k must be an array, not \"a\\nb\"" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = g_strdup_printf ("{\"k\":%s}", cases[i].value);
      g_autoptr (JsonNode) root = parse_ok (text);
      g_autoptr (GError) error = NULL;
      g_assert_false (cases[i].get (json_node_get_object (root), "k", &error));
      check_error (error, cases[i].code, cases[i].message);
      g_clear_error (&error);
      g_assert_false (cases[i].get (json_node_get_object (root), "other", &error));
      check_error (error, FEN_JSON_ERROR_MISSING, "x.json: other is missing");
    }
  g_autoptr (JsonNode) array = parse_ok ("[1]");
  g_autoptr (GError) error = NULL;
  g_assert_null (fen_json_root_object (array, "x.json", &error));
  check_error (error, FEN_JSON_ERROR_TYPE, "x.json: must hold a JSON object, not an array");
}

/* Random bit patterns: what is written reads back to the same double, through our parser too. */
static void
test_numbers_round_trip (void)
{
  static const struct {
    double value;
    const char *text;
  } known[] = {
    { 0.1, "0.1" },
    { 1e-8, "1e-08" },
    { 3, "3" },
    { 3e-4, "0.0003" },
    { 5e-324, "5e-324" },
    { -2.5, "-2.5" },
    { 1e22, "1e+22" },
    { 123456789012, "123456789012" },
    { 0.3, "0.3" },
    { 2.0 / 3, "0.6666666666666666" },
    { G_MAXDOUBLE, "1.7976931348623157e+308" },
  };
  char buffer[32];
  for (guint i = 0; i < G_N_ELEMENTS (known); i++)
    g_assert_cmpstr (fen_json_format_double (known[i].value, buffer), ==, known[i].text);
  g_assert_null (fen_json_format_double (NAN, buffer));
  g_assert_null (fen_json_format_double (-INFINITY, buffer));

  FenRandom random;
  fen_random_init (&random, 11, 0);
  for (guint i = 0; i < 20000; i++)
    {
      union {
        guint64 bits;
        double value;
      } number = { .bits = fen_random_u64 (&random) };
      if (i % 4 == 0)
        number.value = (double)fen_random_below (&random, 1000000) / 1000;
      const char *text = fen_json_format_double (number.value, buffer);
      if (text == NULL)
        continue;
      g_autoptr (JsonNode) root = parse_ok (text);
      double back = json_node_get_double (root);
      g_assert_cmpmem (&back, sizeof back, &number.value, sizeof number.value);
    }
  /* -0 keeps its sign; the writer's form is a double for our reader. */
  g_autoptr (JsonNode) zero = parse_ok (fen_json_format_double (-0.0, buffer));
  g_assert_true (signbit (json_node_get_double (zero)));
}

static void
test_writer (void)
{
  g_autoptr (FenJsonWriter) writer = fen_json_writer_new (2);
  fen_json_writer_begin_object (writer, NULL);
  fen_json_writer_string (writer, "s", "a\"\\\n\x01\xFFz");
  fen_json_writer_string_len (writer, "len", "a\0\xFF\0", 4);
  fen_json_writer_string_len (writer, "zero", "", 0);
  fen_json_writer_string (writer, "none", NULL);
  fen_json_writer_int (writer, "i", G_MININT64);
  fen_json_writer_double (writer, "nan", NAN);
  fen_json_writer_float (writer, "f", 0.1f);
  fen_json_writer_float (writer, "third", 1.0f / 3);
  fen_json_writer_float (writer, "inf", INFINITY);
  fen_json_writer_boolean (writer, "b", FALSE);
  fen_json_writer_begin_array (writer, "a");
  fen_json_writer_end_array (writer);
  fen_json_writer_begin_array (writer, "c");
  fen_json_writer_begin_object (writer, NULL);
  fen_json_writer_end_object (writer);
  fen_json_writer_null (writer, NULL);
  fen_json_writer_end_array (writer);
  fen_json_writer_end_object (writer);
  gsize length;
  const char *text = fen_json_writer_text (writer, &length);
  g_assert_cmpstr (text, ==,
                   "{\n"
                   "  \"s\": \"a\\\"\\\\\\n\\u0001\xEF\xBF\xBDz\",\n"
                   "  \"len\": \"a\\u0000\xEF\xBF\xBD\\u0000\",\n"
                   "  \"zero\": \"\",\n"
                   "  \"none\": null,\n"
                   "  \"i\": -9223372036854775808,\n"
                   "  \"nan\": null,\n"
                   "  \"f\": 0.1,\n"
                   "  \"third\": 0.33333334,\n"
                   "  \"inf\": null,\n"
                   "  \"b\": false,\n"
                   "  \"a\": [],\n"
                   "  \"c\": [\n"
                   "    {},\n"
                   "    null\n"
                   "  ]\n"
                   "}");
  g_assert_cmpuint (length, ==, strlen (text));
  fen_json_writer_reset (writer);
  fen_json_writer_int (writer, NULL, 1);
  g_assert_cmpstr (fen_json_writer_text (writer, NULL), ==, "1");
}

static void
test_load (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("fen-json-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "c.json", NULL);
  g_assert_null (fen_json_load (path, 100, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_autofree char *missing = g_strdup_printf ("%s: cannot open: No such file or directory", path);
  g_assert_cmpstr (error->message, ==, missing);
  g_clear_error (&error);

  g_assert_null (fen_json_load (folder, 100, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_ISDIR);
  g_clear_error (&error);

  /* No size to look at, and no end. */
  g_assert_null (fen_json_load ("/dev/zero", 1 << 20, &error));
  check_error (error, FEN_JSON_ERROR_TOO_LARGE, "/dev/zero: larger than the 1 MiB allowed for such a file");
  g_clear_error (&error);

  g_assert_true (g_file_set_contents (path, "{\"a\": 12}", -1, NULL));
  g_autoptr (JsonNode) root = fen_json_load (path, 9, &error);
  g_assert_no_error (error);
  g_assert_true (fen_json_has (json_node_get_object (root), "a"));
  g_assert_null (fen_json_load (path, 8, &error));
  g_assert_error (error, FEN_JSON_ERROR, FEN_JSON_ERROR_TOO_LARGE);
  g_unlink (path);
  g_rmdir (folder);
}

static void
test_error_words (void)
{
  static const char *const names[] = { "window_size", "chunk_size", "steps", "seed", NULL };
  g_assert_cmpstr (fen_error_nearest ("window-siez", names), ==, "window_size");
  g_assert_cmpstr (fen_error_nearest ("Chunksize", names), ==, "chunk_size");
  g_assert_cmpstr (fen_error_nearest ("step", names), ==, "steps");
  g_assert_null (fen_error_nearest ("banana", names));
  g_assert_null (fen_error_nearest ("", names));
  g_autofree char *long_name = g_strnfill (100000, 'x');
  g_assert_null (fen_error_nearest (long_name, names));

  g_autofree char *quoted = fen_error_quote ("a\"\n\x01\xFF\xC3");
  g_assert_cmpstr (quoted, ==, "\"a\\\"\\n\\u0001\\xff\\xc3\"");
  g_autofree char *cut = fen_error_quote (long_name);
  g_assert_cmpuint (strlen (cut), ==, 65);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/json/accepts", test_accepts);
  g_test_add_func ("/json/refuses", test_refuses);
  g_test_add_func ("/json/limits", test_limits);
  g_test_add_func ("/json/not-terminated", test_not_terminated);
  g_test_add_func ("/json/getters", test_getters);
  g_test_add_func ("/json/getter-errors", test_getter_errors);
  g_test_add_func ("/json/numbers", test_numbers_round_trip);
  g_test_add_func ("/json/writer", test_writer);
  g_test_add_func ("/json/load", test_load);
  g_test_add_func ("/json/error-words", test_error_words);
  return g_test_run ();
}
