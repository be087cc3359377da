/* fen-tokenizer-spec.c: see fen-tokenizer-spec.h. */
#include "core/corpus/fen-tokenizer-spec.h"

#include <string.h>

#define MIN_TRAINED_VOCAB 257 /* <|endoftext|> and 256 bytes */

gboolean
fen_tokenizer_spec_parse (const char *text, const char *model_folder, FenTokenizerSpec *spec, GError **error)
{
  memset (spec, 0, sizeof *spec);
  if (text[0] == '\0')
    {
      spec->kind = model_folder != NULL ? FEN_TOKENIZER_FILE : FEN_TOKENIZER_TRAIN;
      spec->path = model_folder;
      spec->vocab_size = model_folder != NULL ? 0 : FEN_TOKENIZER_DEFAULT_VOCAB;
      return TRUE;
    }
  if (strcmp (text, "bytes") == 0)
    {
      spec->kind = FEN_TOKENIZER_BYTES;
      return TRUE;
    }
  if (!g_str_has_prefix (text, "bpe:"))
    {
      spec->kind = FEN_TOKENIZER_FILE;
      spec->path = text;
      return TRUE;
    }
  guint64 vocab_size;
  if (!g_ascii_string_to_unsigned (text + strlen ("bpe:"), 10, MIN_TRAINED_VOCAB, FEN_TOKENIZER_MAX_VOCAB,
                                   &vocab_size, NULL))
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_OPTION,
                   "tokenizer: \"%s\" is not bpe:N with N from %d to %u", text, MIN_TRAINED_VOCAB,
                   FEN_TOKENIZER_MAX_VOCAB);
      return FALSE;
    }
  spec->kind = FEN_TOKENIZER_TRAIN;
  spec->vocab_size = (gint64)vocab_size;
  return TRUE;
}

FenTokenizer *
fen_tokenizer_spec_load (const FenTokenizerSpec *spec, GError **error)
{
  switch (spec->kind)
    {
    case FEN_TOKENIZER_BYTES:
      return fen_tokenizer_new_bytes ();
    case FEN_TOKENIZER_FILE:
      return fen_tokenizer_load (spec->path, error);
    case FEN_TOKENIZER_TRAIN:
      break;
    }
  g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_OPTION,
               "tokenizer: bpe:%" G_GINT64_FORMAT " is trained on the data by a run and cannot be loaded",
               spec->vocab_size);
  return NULL;
}

gint64
fen_tokenizer_spec_vocab_size (const FenTokenizerSpec *spec, GError **error)
{
  if (spec->kind == FEN_TOKENIZER_TRAIN)
    return spec->vocab_size;
  g_autoptr (FenTokenizer) tokenizer = fen_tokenizer_spec_load (spec, error);
  return tokenizer != NULL ? (gint64)fen_tokenizer_vocab_size (tokenizer) : -1;
}
