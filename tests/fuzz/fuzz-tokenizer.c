/* tokenizer.json from a stranger, and text for it. An input is the JSON, a NUL byte and the text.
 *
 * Promises: no input crashes the loader; an error is one line; a tokenizer that loads encodes text in parts exactly as
 * the whole; its ids are inside the vocabulary; what it gives decodes. */
#include "core/corpus/fen-tokenizer.h"
#include "tests/fuzz/fuzz-target.h"

#include <string.h>

static void
check_error (gboolean ok, const GError *error)
{
  g_assert_true (ok == (error == NULL));
  if (error != NULL)
    g_assert_null (strchr (error->message, '\n'));
}

static gboolean
encode_parts (FenTokenizer *tokenizer, const char *text, gsize bytes, gsize part, GArray *ids, GError **error)
{
  g_autoptr (FenEncoder) encoder = fen_encoder_new (tokenizer);
  fen_encoder_begin (encoder, TRUE);
  for (gsize at = 0; at < bytes; at += part)
    if (!fen_encoder_feed (encoder, text + at, MIN (part, bytes - at), ids, error))
      return FALSE;
  return fen_encoder_end (encoder, ids, error);
}

static void
check_decode (FenTokenizer *tokenizer, GArray *ids)
{
  g_autoptr (GString) whole = g_string_new (NULL);
  g_autoptr (GString) raw = g_string_new (NULL);
  g_autoptr (GString) streamed = g_string_new (NULL);
  g_autoptr (FenDecoder) decoder = fen_decoder_new (tokenizer, FALSE);
  const guint32 *data = (const guint32 *)ids->data;

  g_assert_true (fen_tokenizer_decode (tokenizer, data, ids->len, FALSE, whole, NULL));
  g_assert_true (fen_tokenizer_decode_bytes (tokenizer, data, ids->len, FALSE, raw, NULL));
  for (guint i = 0; i < ids->len; i++)
    g_assert_true (fen_decoder_feed (decoder, data[i], streamed, NULL));
  fen_decoder_end (decoder, streamed);
}

static void
check_text (FenTokenizer *tokenizer, const char *text, gsize bytes)
{
  g_autoptr (GArray) whole = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_autoptr (GArray) parts = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) parts_error = NULL;
  const gboolean ok = fen_tokenizer_encode (tokenizer, text, bytes, TRUE, whole, &error);
  const gboolean parts_ok = encode_parts (tokenizer, text, bytes, 1 + bytes % 7, parts, &parts_error);

  check_error (ok, error);
  check_error (parts_ok, parts_error);
  g_assert_true (ok == parts_ok);
  if (!ok)
    return;
  g_assert_cmpmem (whole->data, whole->len * sizeof (guint32), parts->data, parts->len * sizeof (guint32));
  for (guint i = 0; i < whole->len; i++)
    g_assert_nonnull (fen_tokenizer_id_to_token (tokenizer, g_array_index (whole, guint32, i)));
  check_decode (tokenizer, whole);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const uint8_t *nul = size > 0 ? memchr (data, 0, size) : NULL;
  const size_t bytes = nul != NULL ? (size_t)(nul - data) : size;
  g_autoptr (GError) error = NULL;
  g_autoptr (FenTokenizer) tokenizer = fen_tokenizer_load_text ((const char *)data, bytes, "fuzz", &error);

  check_error (tokenizer != NULL, error);
  if (tokenizer != NULL && nul != NULL)
    check_text (tokenizer, (const char *)nul + 1, size - bytes - 1);
  return 0;
}
