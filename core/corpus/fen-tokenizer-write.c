/* fen-tokenizer-write.c: the tokenizer.json of the byte-level tokenizers that we make. */
#include "core/base/fen-json.h"
#include "core/corpus/fen-tokenizer-private.h"

static void
write_added (FenJsonWriter *w, guint32 end_of_text)
{
  static const char *const flags[] = { "single_word", "lstrip", "rstrip", "normalized" };

  fen_json_writer_begin_array (w, "added_tokens");
  fen_json_writer_begin_object (w, NULL);
  fen_json_writer_int (w, "id", end_of_text);
  fen_json_writer_string (w, "content", FEN_TOKENIZER_END_OF_TEXT);
  for (gsize i = 0; i < G_N_ELEMENTS (flags); i++)
    fen_json_writer_boolean (w, flags[i], FALSE);
  fen_json_writer_boolean (w, "special", TRUE);
  fen_json_writer_end_object (w);
  fen_json_writer_end_array (w);
}

static void
write_byte_level (FenJsonWriter *w, const char *key, gboolean use_regex)
{
  fen_json_writer_begin_object (w, key);
  fen_json_writer_string (w, "type", "ByteLevel");
  fen_json_writer_boolean (w, "add_prefix_space", FALSE);
  fen_json_writer_boolean (w, "trim_offsets", TRUE);
  fen_json_writer_boolean (w, "use_regex", use_regex);
  fen_json_writer_end_object (w);
}

static void
write_model (FenJsonWriter *w, const FenVocab *vocab, const guint32 *merges, gsize n_merges)
{
  static const char *const nulls[]
      = { "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix" };
  static const char *const falses[] = { "fuse_unk", "byte_fallback", "ignore_merges" };

  fen_json_writer_begin_object (w, "model");
  fen_json_writer_string (w, "type", "BPE");
  for (gsize i = 0; i < G_N_ELEMENTS (nulls); i++)
    fen_json_writer_null (w, nulls[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (falses); i++)
    fen_json_writer_boolean (w, falses[i], FALSE);
  fen_json_writer_begin_object (w, "vocab");
  for (guint32 id = 0; id < vocab->size; id++)
    fen_json_writer_int (w, fen_vocab_get (vocab, id, NULL), id);
  fen_json_writer_end_object (w);
  fen_json_writer_begin_array (w, "merges");
  g_autoptr (GString) merge = g_string_new (NULL);
  for (gsize i = 0; i < n_merges; i++)
    {
      g_string_printf (merge, "%s %s", fen_vocab_get (vocab, merges[2 * i], NULL),
                       fen_vocab_get (vocab, merges[2 * i + 1], NULL));
      fen_json_writer_string (w, NULL, merge->str);
    }
  fen_json_writer_end_array (w);
  fen_json_writer_end_object (w);
}

char *
fen_tokenizer_write_byte_level (const FenVocab *vocab, guint32 end_of_text, gboolean use_regex,
                                const guint32 *merges, gsize n_merges)
{
  g_autoptr (FenJsonWriter) w = fen_json_writer_new (1);
  gsize length;

  fen_json_writer_begin_object (w, NULL);
  fen_json_writer_string (w, "version", "1.0");
  fen_json_writer_null (w, "truncation");
  fen_json_writer_null (w, "padding");
  write_added (w, end_of_text);
  fen_json_writer_null (w, "normalizer");
  write_byte_level (w, "pre_tokenizer", use_regex);
  fen_json_writer_null (w, "post_processor");
  write_byte_level (w, "decoder", use_regex);
  write_model (w, vocab, merges, n_merges);
  fen_json_writer_end_object (w);
  const char *text = fen_json_writer_text (w, &length);
  return g_strconcat (text, "\n", NULL);
}
