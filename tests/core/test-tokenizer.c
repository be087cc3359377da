/* Tokenizers against what Hugging Face tokenizers gave for the same files (tests/golden/data/tokenizers), whole, in
 * parts and back. */
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#include "core/base/fen-json.h"
#include "core/corpus/fen-tokenizer.h"

static const char *const golden[] = { "bytelevel-512", "metaspace-2048" };

static char *
golden_path (const char *name, const char *file)
{
  return g_build_filename (g_getenv ("FENESTRA_GOLDEN_DIR"), "tokenizers", name, file, NULL);
}

static FenTokenizer *
load_golden (const char *name)
{
  g_autofree char *path = golden_path (name, NULL);
  g_autoptr (GError) error = NULL;
  FenTokenizer *tokenizer = fen_tokenizer_load (path, &error);
  g_assert_no_error (error);
  return tokenizer;
}

static GArray *
encode (FenTokenizer *tokenizer, const char *text, gsize bytes)
{
  GArray *ids = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_autoptr (GError) error = NULL;
  fen_tokenizer_encode (tokenizer, text, bytes, TRUE, ids, &error);
  g_assert_no_error (error);
  return ids;
}

/* Feeds parts of `part` bytes, wherever that cuts. */
static GArray *
encode_in_parts (FenTokenizer *tokenizer, const char *text, gsize bytes, gsize part)
{
  g_autoptr (FenEncoder) encoder = fen_encoder_new (tokenizer);
  GArray *ids = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_autoptr (GError) error = NULL;

  fen_encoder_begin (encoder, TRUE);
  for (gsize at = 0; at < bytes; at += part)
    {
      fen_encoder_feed (encoder, text + at, MIN (part, bytes - at), ids, &error);
      g_assert_no_error (error);
    }
  fen_encoder_end (encoder, ids, &error);
  g_assert_no_error (error);
  return ids;
}

static void
assert_same_ids (GArray *a, GArray *b)
{
  g_assert_cmpmem (a->data, a->len * sizeof (guint32), b->data, b->len * sizeof (guint32));
}

static char *
stream (FenTokenizer *tokenizer, GArray *ids)
{
  g_autoptr (FenDecoder) decoder = fen_decoder_new (tokenizer, TRUE);
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < ids->len; i++)
    {
      g_autoptr (GError) error = NULL;
      fen_decoder_feed (decoder, g_array_index (ids, guint32, i), text, &error);
      g_assert_no_error (error);
      g_assert_true (g_utf8_validate (text->str, -1, NULL) || strlen (text->str) != text->len);
    }
  fen_decoder_end (decoder, text);
  return g_string_free (text, FALSE);
}

static void
check_case (FenTokenizer *tokenizer, JsonObject *object)
{
  const char *text = json_object_get_string_member (object, "text");
  const char *decoded = json_object_get_string_member (object, "decoded");
  JsonArray *wanted = json_object_get_array_member (object, "ids");
  g_autoptr (GArray) ids = encode (tokenizer, text, strlen (text));
  g_autoptr (GString) back = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (ids->len, ==, json_array_get_length (wanted));
  for (guint i = 0; i < ids->len; i++)
    g_assert_cmpint (g_array_index (ids, guint32, i), ==, json_array_get_int_element (wanted, i));
  fen_tokenizer_decode (tokenizer, (const guint32 *)ids->data, ids->len, TRUE, back, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (back->str, ==, decoded);
  g_autofree char *streamed = stream (tokenizer, ids);
  g_assert_cmpstr (streamed, ==, decoded);

  for (gsize part = 1; part < 20; part += 3)
    {
      g_autoptr (GArray) parts = encode_in_parts (tokenizer, text, strlen (text), part);
      assert_same_ids (ids, parts);
    }
}

static void
test_golden (gconstpointer name)
{
  g_autoptr (FenTokenizer) tokenizer = load_golden (name);
  g_autofree char *path = golden_path (name, "cases.json");
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) root = fen_json_load (path, FEN_JSON_MAX_BYTES_TOKENIZER, &error);
  g_assert_no_error (error);
  JsonArray *cases = json_node_get_array (root);

  g_assert_cmpuint (json_array_get_length (cases), ==, 61);
  for (guint i = 0; i < json_array_get_length (cases); i++)
    check_case (tokenizer, json_array_get_object_element (cases, i));
}

static void
test_questions (void)
{
  g_autoptr (FenTokenizer) bytelevel = load_golden (golden[0]);
  g_autoptr (FenTokenizer) metaspace = load_golden (golden[1]);

  g_assert_cmpuint (fen_tokenizer_vocab_size (bytelevel), ==, 512);
  g_assert_cmpint (fen_tokenizer_token_to_id (bytelevel, "<|endoftext|>"), ==, 0);
  g_assert_cmpstr (fen_tokenizer_id_to_token (bytelevel, 1), ==, "!");
  g_assert_null (fen_tokenizer_id_to_token (bytelevel, 512));
  g_assert_true (fen_tokenizer_is_special (bytelevel, 0));
  g_assert_false (fen_tokenizer_is_special (bytelevel, 1));
  g_assert_false (fen_tokenizer_is_special (bytelevel, G_MAXUINT32));
  g_assert_cmpint (fen_tokenizer_end_of_document_id (bytelevel), ==, 0);
  g_assert_cmpint (fen_tokenizer_bos_id (bytelevel), ==, -1);
  g_assert_cmpint (fen_tokenizer_bos_id (metaspace), ==, 1);
  g_assert_cmpint (fen_tokenizer_eos_id (metaspace), ==, 2);
  g_assert_cmpint (fen_tokenizer_end_of_document_id (metaspace), ==, 2);
  g_assert_cmpuint (strlen (fen_tokenizer_fingerprint (bytelevel)), ==, 32);
  g_assert_cmpstr (fen_tokenizer_fingerprint (bytelevel), !=, fen_tokenizer_fingerprint (metaspace));
}

static void
test_bytes (void)
{
  g_autoptr (FenTokenizer) tokenizer = fen_tokenizer_new_bytes ();
  GString *text = g_string_new (NULL);
  g_autoptr (GString) back = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  for (guint i = 0; i < 512; i++)
    g_string_append_c (text, (char)(i * 7));
  g_autoptr (GArray) ids = encode (tokenizer, text->str, text->len);
  g_autoptr (GArray) parts = encode_in_parts (tokenizer, text->str, text->len, 3);
  g_autoptr (GArray) mark = encode (tokenizer, "a<|endoftext|>", 14);

  g_assert_cmpuint (ids->len, ==, 512);
  for (guint i = 0; i < 512; i++)
    g_assert_cmpuint (g_array_index (ids, guint32, i), ==, (i * 7) & 255);
  assert_same_ids (ids, parts);
  g_assert_true (
      fen_tokenizer_decode_bytes (tokenizer, (const guint32 *)ids->data, ids->len, FALSE, back, &error));
  g_assert_cmpmem (back->str, back->len, text->str, text->len);
  g_assert_cmpuint (mark->len, ==, 2);
  g_assert_cmpuint (g_array_index (mark, guint32, 1), ==, 256);
  g_assert_cmpuint (fen_tokenizer_vocab_size (tokenizer), ==, 257);
  g_assert_cmpint (fen_tokenizer_end_of_document_id (tokenizer), ==, 256);
  g_string_free (text, TRUE);
}

static void
test_save (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("fen-tokenizer-XXXXXX", &error);
  g_autofree char *path = g_build_filename (folder, "tokenizer.json", NULL);
  g_autoptr (FenTokenizer) tokenizer = fen_tokenizer_new_bytes ();

  g_assert_true (fen_tokenizer_save (tokenizer, path, &error));
  g_autoptr (FenTokenizer) again = fen_tokenizer_load (folder, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (fen_tokenizer_fingerprint (tokenizer), ==, fen_tokenizer_fingerprint (again));
  g_autoptr (GArray) a = encode (tokenizer, "\xff\x80 x", 4), b = encode (again, "\xff\x80 x", 4);
  assert_same_ids (a, b);

  /* tokenizer_config.json says what ends a text. */
  g_autofree char *config = g_build_filename (folder, "tokenizer_config.json", NULL);
  g_assert_true (
      g_file_set_contents (config, "{\"bos_token\": {\"content\": \"!\"}, \"eos_token\": null}", -1, NULL));
  g_autoptr (FenTokenizer) configured = fen_tokenizer_load (path, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fen_tokenizer_bos_id (configured), ==, '!');
  g_assert_cmpint (fen_tokenizer_eos_id (configured), ==, -1);
  g_assert_true (g_file_set_contents (config, "{\"eos_token\": \"<none>\"}", -1, NULL));
  g_assert_null (fen_tokenizer_load (path, &error));
  g_assert_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKENIZER);
  g_clear_error (&error);

  g_assert_cmpint (g_unlink (config), ==, 0);
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_null (fen_tokenizer_load (folder, &error));
  g_assert_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_NOT_FOUND);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

static void
test_bad_text (void)
{
  static const struct {
    const char *text;
    gsize bytes;
    const char *offset;
  } cases[] = { { "abc\xff", 4, "offset 3" },
                { "ab\xed\xa0\x80", 5, "offset 2" },
                { "\xc3", 1, "offset 0" },
                { "a\xf4\x90\x80\x80", 5, "offset 1" },
                { "abcdefgh\xc0\x80", 10, "offset 8" } };
  g_autoptr (FenTokenizer) tokenizer = load_golden (golden[0]);
  g_autoptr (FenEncoder) encoder = fen_encoder_new (tokenizer);

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    for (gsize part = 1; part <= cases[i].bytes; part++)
      {
        g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (guint32));
        g_autoptr (GError) error = NULL, error2 = NULL;
        gboolean ok = TRUE;
        g_assert_false (fen_encoder_encode (encoder, cases[i].text, cases[i].bytes, FALSE, ids, &error));
        g_assert_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_INVALID_UTF8);
        g_assert_nonnull (strstr (error->message, cases[i].offset));
        g_assert_cmpuint (ids->len, ==, 0);
        fen_encoder_begin (encoder, FALSE);
        for (gsize at = 0; ok && at < cases[i].bytes; at += part)
          ok = fen_encoder_feed (encoder, cases[i].text + at, MIN (part, cases[i].bytes - at), ids, &error2);
        g_assert_false (ok && fen_encoder_end (encoder, ids, &error2));
        g_assert_cmpstr (error2->message, ==, error->message);
      }
}

static void
test_bad_id (void)
{
  g_autoptr (FenTokenizer) tokenizer = load_golden (golden[0]);
  g_autoptr (GString) text = g_string_new ("kept");
  g_autoptr (GError) error = NULL;
  const guint32 ids[] = { 40, 512 };

  g_assert_false (fen_tokenizer_decode (tokenizer, ids, 2, TRUE, text, &error));
  g_assert_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKEN_ID);
  g_assert_cmpstr (text->str, ==, "kept");
}

/* A megabyte without any place to cut must not be quadratic: 20 seconds would pass in the quadratic case. */
static void
test_long_word (void)
{
  g_autoptr (FenTokenizer) tokenizer = load_golden (golden[1]);
  const gsize n = 1 << 20;
  g_autofree char *text = g_malloc (n);
  memset (text, 'e', n);
  const gint64 start = g_get_monotonic_time ();
  g_autoptr (GArray) ids = encode (tokenizer, text, n);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 10 * G_USEC_PER_SEC);
  g_autoptr (GString) back = g_string_new (NULL);
  g_assert_true (fen_tokenizer_decode (tokenizer, (const guint32 *)ids->data, ids->len, TRUE, back, NULL));
  g_assert_cmpmem (back->str, back->len, text, n);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (golden); i++)
    {
      g_autofree char *path = g_strconcat ("/tokenizer/golden/", golden[i], NULL);
      g_test_add_data_func (path, golden[i], test_golden);
    }
  g_test_add_func ("/tokenizer/questions", test_questions);
  g_test_add_func ("/tokenizer/bytes", test_bytes);
  g_test_add_func ("/tokenizer/save", test_save);
  g_test_add_func ("/tokenizer/bad-text", test_bad_text);
  g_test_add_func ("/tokenizer/bad-id", test_bad_id);
  g_test_add_func ("/tokenizer/long-word", test_long_word);
  return g_test_run ();
}
