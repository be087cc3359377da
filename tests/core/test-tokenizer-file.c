/* tokenizer.json: the nodes that real models use, each against Hugging Face tokenizers on random Unicode text
 * (variants.json), and files that contradict themselves or ask for what is not supported. */
#include <gio/gio.h>
#include <string.h>

#include "core/base/fen-json.h"
#include "core/corpus/fen-tokenizer.h"

static JsonNode *
load_golden (const char *name)
{
  g_autofree char *path = g_build_filename (g_getenv ("FENESTRA_GOLDEN_DIR"), "tokenizers", name, NULL);
  g_autoptr (GError) error = NULL;
  JsonNode *node = fen_json_load (path, FEN_JSON_MAX_BYTES_TOKENIZER, &error);
  g_assert_no_error (error);
  return node;
}

/* The base's tokenizer.json with some members replaced; "model.x" is a member of model. */
static FenTokenizer *
load_variant (JsonObject *variant)
{
  g_autofree char *file
      = g_build_filename (json_object_get_string_member (variant, "base"), "tokenizer.json", NULL);
  g_autoptr (JsonNode) base = load_golden (file);
  g_autoptr (FenJsonWriter) writer = fen_json_writer_new (0);
  g_autoptr (GError) error = NULL;
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;
  gsize bytes;

  json_object_iter_init (&iter, json_object_get_object_member (variant, "patch"));
  while (json_object_iter_next (&iter, &name, &value))
    {
      JsonObject *object = json_node_get_object (base);
      if (g_str_has_prefix (name, "model."))
        {
          object = json_object_get_object_member (object, "model");
          name += strlen ("model.");
        }
      json_object_set_member (object, name, json_node_copy (value));
    }
  fen_json_writer_node (writer, NULL, base);
  const char *text = fen_json_writer_text (writer, &bytes);
  FenTokenizer *tokenizer
      = fen_tokenizer_load_text (text, bytes, json_object_get_string_member (variant, "name"), &error);
  g_assert_no_error (error);
  return tokenizer;
}

static void
check_parts (FenEncoder *encoder, const char *text, gsize part, GArray *wanted)
{
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (guint32));
  const gsize bytes = strlen (text);

  fen_encoder_begin (encoder, TRUE);
  for (gsize at = 0; at < bytes; at += part)
    g_assert_true (fen_encoder_feed (encoder, text + at, MIN (part, bytes - at), ids, NULL));
  g_assert_true (fen_encoder_end (encoder, ids, NULL));
  g_assert_cmpmem (ids->data, ids->len * sizeof (guint32), wanted->data, wanted->len * sizeof (guint32));
}

static void
check_case (FenTokenizer *tokenizer, FenEncoder *encoder, JsonObject *object)
{
  const char *text = json_object_get_string_member (object, "text");
  JsonArray *wanted = json_object_get_array_member (object, "ids");
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_autoptr (GString) back = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  fen_encoder_encode (encoder, text, strlen (text), TRUE, ids, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < MIN (ids->len, json_array_get_length (wanted)); i++)
    g_assert_cmpint (g_array_index (ids, guint32, i), ==, json_array_get_int_element (wanted, i));
  g_assert_cmpuint (ids->len, ==, json_array_get_length (wanted));
  g_assert_true (fen_tokenizer_decode (tokenizer, (const guint32 *)ids->data, ids->len, TRUE, back, &error));
  g_assert_cmpstr (back->str, ==, json_object_get_string_member (object, "decoded"));
  for (gsize part = 1; part < 40; part += 5)
    check_parts (encoder, text, part, ids);
}

static void
test_variants (void)
{
  g_autoptr (JsonNode) root = load_golden ("variants.json");
  JsonArray *variants = json_node_get_array (root);

  g_assert_cmpuint (json_array_get_length (variants), >=, 17);
  for (guint i = 0; i < json_array_get_length (variants); i++)
    {
      JsonObject *variant = json_array_get_object_element (variants, i);
      JsonArray *cases = json_object_get_array_member (variant, "cases");
      g_autoptr (FenTokenizer) tokenizer = load_variant (variant);
      g_autoptr (FenEncoder) encoder = fen_encoder_new (tokenizer);
      g_test_message ("%s", json_object_get_string_member (variant, "name"));
      for (guint k = 0; k < json_array_get_length (cases); k++)
        check_case (tokenizer, encoder, json_array_get_object_element (cases, k));
    }
}

/* ---- files that are wrong ---- */

#define MODEL "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}"
#define WITH(member) "{" member "," MODEL "}"
#define VOCAB(vocab, merges) "{\"model\":{\"type\":\"BPE\",\"vocab\":" vocab ",\"merges\":" merges "}}"
#define SPLIT(regex)                                                                                         \
  WITH ("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex                              \
        "\"},\"behavior\":\"Isolated\",\"invert\":false}")

static const struct {
  const char *json;
  const char *named[3]; /* what the message must name */
} wrong[] = {
  { "", { "file.json" } },
  { "[]", { "file.json" } },
  { "{}", { "file.json", "model" } },
  { "{\"model\":3}", { "model" } },
  { "{\"version\":\"2.0\"," MODEL "}", { "version", "2.0" } },
  { "{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", { "model", "Unigram" } },
  { "{\"model\":{\"type\":\"BPE\",\"vocab\":[],\"merges\":[]}}", { "vocab" } },
  { "{\"model\":{\"type\":\"BPE\",\"dropout\":0.1,\"vocab\":{\"a\":0},\"merges\":[]}}", { "dropout" } },
  { "{\"model\":{\"end_of_word_suffix\":\"</w>\",\"vocab\":{\"a\":0},\"merges\":[]}}",
    { "end_of_word_suffix", "</w>" } },
  { "{\"model\":{\"byte_fallback\":1,\"vocab\":{\"a\":0},\"merges\":[]}}", { "byte_fallback" } },
  { VOCAB ("{}", "[]"), { "vocab" } },
  { VOCAB ("{\"a\":0,\"b\":0}", "[]"), { "\"a\"", "\"b\"", "same id" } },
  { VOCAB ("{\"a\":-1}", "[]"), { "\"a\"" } },
  { VOCAB ("{\"a\":4194304}", "[]"), { "\"a\"", "4194303" } },
  { VOCAB ("{\"a\":1.5}", "[]"), { "\"a\"" } },
  { VOCAB ("{\"a\":\"0\"}", "[]"), { "\"a\"" } },
  { VOCAB ("{\"a\":0}", "[\"a a\"]"), { "merges[0]", "\"aa\"" } },
  { VOCAB ("{\"a\":0}", "[\"a c\"]"), { "merges[0]", "\"c\"" } },
  { VOCAB ("{\"a\":0}", "[\"a\"]"), { "merges[0]" } },
  { VOCAB ("{\"a\":0}", "[\"a a a\"]"), { "merges[0]" } },
  { VOCAB ("{\"a\":0}", "[\" a\"]"), { "merges[0]" } },
  { VOCAB ("{\"a\":0}", "[[\"a\"]]"), { "merges[0]" } },
  { VOCAB ("{\"a\":0}", "[[\"a\",1]]"), { "merges[0]" } },
  { VOCAB ("{\"a\":0}", "{}"), { "merges" } },
  { WITH ("\"added_tokens\":[{\"id\":7,\"content\":\"a\"}]"), { "added_tokens[0]", "\"a\"", "7" } },
  { WITH ("\"added_tokens\":[{\"id\":0,\"content\":\"x\"}]"), { "added_tokens[0]", "\"x\"", "\"a\"" } },
  { WITH ("\"added_tokens\":[{\"id\":7,\"content\":\"x\"},{\"id\":8,\"content\":\"x\"}]"),
    { "added_tokens[1]" } },
  { WITH ("\"added_tokens\":[{\"id\":7,\"content\":\"\"}]"), { "added_tokens[0]", "empty" } },
  { WITH ("\"added_tokens\":[{\"id\":4194304,\"content\":\"x\"}]"), { "added_tokens[0]", "4194304" } },
  { WITH ("\"added_tokens\":[4]"), { "added_tokens[0]" } },
  { WITH ("\"normalizer\":{\"type\":\"Lowercase\"}"), { "normalizer", "Lowercase", "NFC" } },
  { WITH ("\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a+\"},\"content\":\"\"}"),
    { "normalizer", "a+" } },
  { WITH ("\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Nmt\"}]}"),
    { "normalizer.normalizers[1]", "Nmt" } },
  { WITH ("\"normalizer\":{\"normalizers\":[]}"), { "normalizer", "type" } },
  { WITH ("\"pre_tokenizer\":{\"type\":\"Whitespace\"}"), { "pre_tokenizer", "Whitespace", "ByteLevel" } },
  { WITH ("\"pre_tokenizer\":{\"type\":\"Punctuation\",\"behavior\":\"Odd\"}"), { "behavior", "Odd" } },
  { WITH ("\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"ab\"}"), { "replacement", "\"ab\"" } },
  { WITH ("\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"last\"}"),
    { "prepend_scheme", "last" } },
  { WITH ("\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\","
          "\"add_prefix_space\":false},{\"type\":\"Digits\",\"individual_digits\":true}]}"),
    { "pretokenizers[1]", "Digits" } },
  { SPLIT ("(a"), { "(a" } },
  { SPLIT ("a)"), { "a)" } },
  { SPLIT ("[a"), { "bracket" } },
  { SPLIT ("[[:alpha:]]"), { "bracket" } },
  { SPLIT ("[a&&b]"), { "&&" } },
  { SPLIT ("a*"), { "nothing" } },
  { SPLIT ("\\\\h"), { "\\\\h" } },
  { SPLIT ("(a)\\\\1"), { "not supported" } },
  { SPLIT ("(?<n>a)"), { "group" } },
  { SPLIT ("(?m:a)"), { "group" } },
  { SPLIT ("\\\\p{NoSuchThing}"), { "NoSuchThing" } },
  { SPLIT ("a{2}?"), { "{n}?" } },
  { SPLIT ("\\\\"), { "regular expression" } },
  { WITH ("\"post_processor\":{\"type\":\"Odd\"}"), { "post_processor", "Odd" } },
  { WITH ("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[],\"special_tokens\":{}}"),
    { "single" } },
  { WITH ("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"B\"}}],"
          "\"special_tokens\":{}}"),
    { "post_processor", "\"B\"" } },
  { WITH (
        "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"q\"}}],"
        "\"special_tokens\":{}}"),
    { "special_tokens", "\"q\"" } },
  { WITH (
        "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"q\"}}],"
        "\"special_tokens\":{\"q\":{\"ids\":[9]}}}"),
    { "special_tokens", "9" } },
  { WITH ("\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"a\",0],\"cls\":[\"b\"]}"), { "cls" } },
  { WITH ("\"decoder\":{\"type\":\"CTC\"}"), { "decoder", "CTC" } },
  { WITH (
        "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{\"type\":\"ByteFallback\"}]}"),
    { "decoders[1]", "ByteFallback" } },
  { WITH ("\"decoder\":{\"type\":\"Strip\",\"content\":\"a\",\"start\":-1,\"stop\":0}"), { "start", "-1" } },
};

static void
test_wrong (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) error = NULL;
      g_test_message ("%s", wrong[i].json);
      g_assert_null (fen_tokenizer_load_text (wrong[i].json, strlen (wrong[i].json), "file.json", &error));
      g_assert_nonnull (error);
      g_test_message ("-> %s", error->message);
      g_assert_true (g_str_has_prefix (error->message, "file.json"));
      g_assert_null (strchr (error->message, '\n'));
      for (guint k = 0; k < 3 && wrong[i].named[k] != NULL; k++)
        g_assert_nonnull (strstr (error->message, wrong[i].named[k]));
    }
}

/* 200,000 brackets. */
static void
test_deep (void)
{
  g_autofree char *json = g_strnfill (200000, '[');
  g_autoptr (GError) error = NULL;
  g_assert_null (fen_tokenizer_load_text (json, 200000, "file.json", &error));
  g_assert_error (error, FEN_JSON_ERROR, FEN_JSON_ERROR_TOO_DEEP);
}

/* A character that nothing in the vocabulary can stand for is not dropped. */
static void
test_no_token (void)
{
  g_autoptr (FenTokenizer) tokenizer
      = fen_tokenizer_load_text ("{" MODEL "}", strlen ("{" MODEL "}"), "file.json", NULL);
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_autoptr (GError) error = NULL;

  g_assert_true (fen_tokenizer_encode (tokenizer, "abba", 4, TRUE, ids, NULL));
  g_assert_cmpuint (ids->len, ==, 3);
  g_assert_false (fen_tokenizer_encode (tokenizer, "abxa", 4, TRUE, ids, &error));
  g_assert_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKENIZER);
  g_assert_nonnull (strstr (error->message, "U+0078"));
  g_assert_cmpuint (ids->len, ==, 3);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tokenizer-file/variants", test_variants);
  g_test_add_func ("/tokenizer-file/wrong", test_wrong);
  g_test_add_func ("/tokenizer-file/deep", test_deep);
  g_test_add_func ("/tokenizer-file/no-token", test_no_token);
  return g_test_run ();
}
