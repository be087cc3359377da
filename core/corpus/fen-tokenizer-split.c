/* fen-tokenizer-split.c: what the pre-tokenisers look for. How their finds cut a text into pieces is in
 * fen-tokenizer-encode.c. */
#include "core/corpus/fen-tokenizer-private.h"
#include "core/corpus/fen-tokenizer-unicode.h"

const char fen_gpt2_pattern[]
    = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

void
fen_split_node_free (gpointer data)
{
  FenSplitNode *node = data;
  fen_regex_free (node->regex);
  g_free (node);
}

static inline gboolean
is_delimiter (const FenSplitNode *node, gunichar c)
{
  switch (node->kind)
    {
    case FEN_SPLIT_NUMERIC:
      return fen_char_is_numeric (c);
    case FEN_SPLIT_PUNCTUATION:
      return fen_char_is_punctuation (c);
    case FEN_SPLIT_SPACE:
      return c == ' ' || c == node->mark;
    case FEN_SPLIT_NOTHING:
    case FEN_SPLIT_REGEX:
      break;
    }
  return FALSE;
}

FenRegexResult
fen_split_find (const FenSplitNode *node, FenRegexScratch *scratch, const guint8 *text, gsize bytes,
                gsize from, gboolean closed, gsize *start, gsize *end, GError **error)
{
  if (node->kind == FEN_SPLIT_REGEX)
    return fen_regex_find (node->regex, scratch, text, bytes, from, closed, start, end, error);

  for (const guint8 *p = text + from; p < text + bytes;)
    {
      const guint8 *here = p;
      if (is_delimiter (node, fen_utf8_next (&p)))
        {
          *start = (gsize)(here - text);
          *end = (gsize)(p - text);
          return FEN_REGEX_MATCH;
        }
    }
  return FEN_REGEX_NONE;
}
