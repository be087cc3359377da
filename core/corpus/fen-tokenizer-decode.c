/* fen-tokenizer-decode.c: ids to text, as the file's decoder says.
 *
 * Hugging Face tokenizers passes a list of all tokens from decoder to decoder. The decoders that language models
 * use allow doing it token by token: steps on each token's text, then (ByteLevel, ByteFallback) bytes that become
 * characters as soon as they are whole, then Strip at the two ends of the whole text. So one pass serves a whole
 * decode and a stream alike.
 */
#include <string.h>

#include "core/corpus/fen-tokenizer-private.h"
#include "core/corpus/fen-tokenizer-unicode.h"

struct _FenDecoder {
  FenTokenizer *tokenizer;
  gboolean skip_special;
  gboolean raw;   /* the very bytes, no U+FFFD */
  gboolean whole; /* not a stream: a run of fallback bytes is judged as a whole */
  gboolean any;   /* a token has come */
  GString *bytes; /* not yet a whole character */
  GString *token; /* the token at work, and */
  GString *other; /* a second one for steps that replace */
  guint stripped; /* characters taken away at the beginning; G_MAXUINT: no more */
  guint held;     /* characters at the end that may yet be taken away */
};

void
fen_decode_step_free (gpointer data)
{
  FenDecodeStep *step = data;
  g_free (step->pattern);
  g_free (step->content);
  g_free (step);
}

FenDecoder *
fen_decoder_new (FenTokenizer *tokenizer, gboolean skip_special)
{
  FenDecoder *d = g_new0 (FenDecoder, 1);
  d->tokenizer = fen_tokenizer_ref (tokenizer);
  d->skip_special = skip_special;
  d->bytes = g_string_new (NULL);
  d->token = g_string_new (NULL);
  d->other = g_string_new (NULL);
  return d;
}

void
fen_decoder_free (FenDecoder *decoder)
{
  if (decoder == NULL)
    return;
  fen_tokenizer_unref (decoder->tokenizer);
  g_string_free (decoder->bytes, TRUE);
  g_string_free (decoder->token, TRUE);
  g_string_free (decoder->other, TRUE);
  g_free (decoder);
}

/* ---- steps on one token ---- */

static void
replace (const FenDecodeStep *step, const GString *in, GString *out)
{
  const gsize pattern = strlen (step->pattern);
  const char *p = in->str, *end = in->str + in->len, *found;

  g_string_truncate (out, 0);
  while ((found = memmem (p, (gsize)(end - p), step->pattern, pattern)) != NULL)
    {
      g_string_append_len (out, p, found - p);
      g_string_append (out, step->content);
      p = found + pattern;
    }
  g_string_append_len (out, p, end - p);
}

static void
spaces_for_marks (const FenDecodeStep *step, gboolean first, const GString *in, GString *out)
{
  const guint8 *p = (const guint8 *)in->str, *end = p + in->len;

  g_string_truncate (out, 0);
  while (p < end)
    {
      const guint8 *here = p;
      if (fen_utf8_next (&p) != step->mark)
        g_string_append_len (out, (const char *)here, p - here);
      else if (!first || !step->drop_first)
        g_string_append_c (out, ' ');
    }
}

static void
strip_token (const FenDecodeStep *step, const GString *in, GString *out)
{
  const guint8 *start = (const guint8 *)in->str, *end = start + in->len;

  for (guint i = 0; i < step->start && start < end; i++)
    {
      const guint8 *p = start;
      if (fen_utf8_next (&p) != step->mark)
        break;
      start = p;
    }
  for (guint i = 0; i < step->stop && start < end; i++)
    {
      const guint8 *before = start + fen_utf8_previous (start, (gsize)(end - start)), *p = before;
      if (fen_utf8_next (&p) != step->mark)
        break;
      end = before;
    }
  g_string_truncate (out, 0);
  g_string_append_len (out, (const char *)start, end - start);
}

static void
run_steps (FenDecoder *d)
{
  const FenDecodePlan *plan = &d->tokenizer->decode;

  for (guint i = 0; i < plan->steps->len; i++)
    {
      const FenDecodeStep *step = plan->steps->pdata[i];
      GString *swap = d->token;
      switch (step->kind)
        {
        case FEN_DECODE_REPLACE:
          replace (step, d->token, d->other);
          break;
        case FEN_DECODE_METASPACE:
          spaces_for_marks (step, !d->any, d->token, d->other);
          break;
        case FEN_DECODE_STRIP:
          strip_token (step, d->token, d->other);
          break;
        }
      d->token = d->other;
      d->other = swap;
    }
}

/* ---- Strip at the ends of the whole text ---- */

static void
give_back_held (FenDecoder *d, GString *out)
{
  for (; d->held > 0; d->held--)
    g_string_append_unichar (out, d->tokenizer->decode.strip->mark);
}

/* Appends text, keeping back what may be the end that Strip takes away. Raw bytes may be no characters at all, so
 * marks are compared as bytes. */
static void
write_text (FenDecoder *d, const char *text, gsize bytes, GString *out)
{
  const FenDecodeStep *strip = d->tokenizer->decode.strip;
  const char *p = text, *end = text + bytes;
  char mark[8];

  if (strip == NULL)
    {
      g_string_append_len (out, text, (gssize)bytes);
      return;
    }
  const gsize n = (gsize)g_unichar_to_utf8 (strip->mark, mark);
  for (; p < end && d->stripped < strip->start; p += n)
    {
      if ((gsize)(end - p) < n || memcmp (p, mark, n) != 0)
        {
          d->stripped = G_MAXUINT;
          break;
        }
      d->stripped++;
    }
  if (strip->stop == 0)
    {
      g_string_append_len (out, p, end - p);
      return;
    }
  while (p < end)
    if ((gsize)(end - p) >= n && memcmp (p, mark, n) == 0)
      {
        if (d->held < strip->stop)
          d->held++;
        else
          g_string_append_len (out, mark, (gssize)n);
        p += n;
      }
    else
      {
        give_back_held (d, out);
        g_string_append_c (out, *p++);
      }
}

/* ---- bytes that become characters ---- */

/* Writes the characters that are whole; with `final`, all of it. */
static void
write_bytes (FenDecoder *d, gboolean final, GString *out)
{
  if (d->raw)
    {
      write_text (d, d->bytes->str, d->bytes->len, out);
      g_string_truncate (d->bytes, 0);
      return;
    }
  g_autoptr (GString) text = g_string_new (NULL);
  const gsize used = fen_utf8_append_lossy (text, (const guint8 *)d->bytes->str, d->bytes->len, final);
  g_string_erase (d->bytes, 0, (gssize)used);
  write_text (d, text->str, text->len, out);
}

/* A run of fallback bytes is over. As a whole it is text, or each of its bytes is U+FFFD. */
static void
end_run (FenDecoder *d, GString *out)
{
  gboolean incomplete;

  if (d->bytes->len == 0)
    return;
  if (d->whole && !d->raw
      && fen_utf8_valid_prefix ((const guint8 *)d->bytes->str, d->bytes->len, &incomplete) < d->bytes->len)
    {
      for (gsize i = 0; i < d->bytes->len; i++)
        write_text (d, "\357\277\275", 3, out);
      g_string_truncate (d->bytes, 0);
      return;
    }
  write_bytes (d, TRUE, out);
}

/* "<0x0A>": 10; -1 for anything else. */
static gint
fallback_byte (const GString *token)
{
  if (token->len != 6 || strncmp (token->str, "<0x", 3) != 0 || token->str[5] != '>'
      || !g_ascii_isxdigit (token->str[3]) || !g_ascii_isxdigit (token->str[4]))
    return -1;
  return g_ascii_xdigit_value (token->str[3]) << 4 | g_ascii_xdigit_value (token->str[4]);
}

/* ByteLevel: a token that holds a character which spells no byte is taken as it is. */
static void
spell_back (const GString *token, GString *bytes)
{
  const guint8 *p = (const guint8 *)token->str, *end = p + token->len;
  const gsize before = bytes->len;

  while (p < end)
    {
      const gint byte = fen_char_to_byte (fen_utf8_next (&p));
      if (byte < 0)
        {
          g_string_truncate (bytes, before);
          g_string_append_len (bytes, token->str, (gssize)token->len);
          return;
        }
      g_string_append_c (bytes, (char)byte);
    }
}

/* ---- the calls ---- */

/* The token of an id as the decoder takes it, NULL when there is none. */
static const char *
token_text (FenTokenizer *t, guint32 id, gsize *bytes)
{
  const char *spelt = t->spelt == NULL ? NULL : g_hash_table_lookup (t->spelt, GUINT_TO_POINTER (id));
  if (spelt != NULL)
    {
      *bytes = strlen (spelt);
      return spelt;
    }
  const char *text = fen_vocab_get (&t->extra, id, bytes);
  return text != NULL ? text : fen_vocab_get (&t->vocab, id, bytes);
}

gboolean
fen_decoder_feed (FenDecoder *decoder, guint32 id, GString *text, GError **error)
{
  FenTokenizer *t = decoder->tokenizer;
  const FenDecodePlan *plan = &t->decode;
  gsize bytes;
  const char *token = token_text (t, id, &bytes);

  if (token == NULL)
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKEN_ID,
                   "%s: no token has the id %u; the vocabulary has ids below %u", t->source, id,
                   t->vocab_size);
      return FALSE;
    }
  if (decoder->skip_special && t->special[id])
    return TRUE;

  g_string_truncate (decoder->token, 0);
  if (plan->spaced && decoder->any)
    g_string_append_c (decoder->token, ' ');
  g_string_append_len (decoder->token, token, (gssize)bytes);
  run_steps (decoder);
  decoder->any = TRUE;
  if (plan->byte_level)
    {
      spell_back (decoder->token, decoder->bytes);
      write_bytes (decoder, FALSE, text);
      return TRUE;
    }
  const gint byte = plan->byte_fallback ? fallback_byte (decoder->token) : -1;
  if (byte >= 0)
    {
      g_string_append_c (decoder->bytes, (char)byte);
      if (!decoder->whole)
        write_bytes (decoder, FALSE, text);
      return TRUE;
    }
  end_run (decoder, text);
  write_text (decoder, decoder->token->str, decoder->token->len, text);
  return TRUE;
}

void
fen_decoder_end (FenDecoder *decoder, GString *text)
{
  if (decoder->tokenizer->decode.byte_level)
    write_bytes (decoder, TRUE, text);
  else
    end_run (decoder, text);
  decoder->any = FALSE;
  decoder->stripped = decoder->held = 0; /* what is held back now was the end that Strip takes */
}

static gboolean
decode (FenTokenizer *tokenizer, const guint32 *ids, gsize n, gboolean skip_special, gboolean raw,
        GString *out, GError **error)
{
  g_autoptr (FenDecoder) decoder = fen_decoder_new (tokenizer, skip_special);
  const gsize before = out->len;

  decoder->raw = raw;
  decoder->whole = TRUE;
  for (gsize i = 0; i < n; i++)
    if (!fen_decoder_feed (decoder, ids[i], out, error))
      {
        g_string_truncate (out, before);
        return FALSE;
      }
  fen_decoder_end (decoder, out);
  return TRUE;
}

gboolean
fen_tokenizer_decode (FenTokenizer *tokenizer, const guint32 *ids, gsize n, gboolean skip_special,
                      GString *text, GError **error)
{
  return decode (tokenizer, ids, n, skip_special, FALSE, text, error);
}

gboolean
fen_tokenizer_decode_bytes (FenTokenizer *tokenizer, const guint32 *ids, gsize n, gboolean skip_special,
                            GString *bytes, GError **error)
{
  return decode (tokenizer, ids, n, skip_special, TRUE, bytes, error);
}
