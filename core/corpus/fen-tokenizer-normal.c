/* fen-tokenizer-normal.c: normalisers: Prepend, Replace of a string, and the Unicode forms NFC, NFD, NFKC, NFKD.
 *
 * GLib's g_utf8_normalize takes a NUL-terminated text, allocates several times its size and is slow, and nearly
 * all text is normal already. So only the stretches that may change go through it; a stretch begins and ends at
 * characters that the form leaves alone and that never combine with what stands before them.
 */
#include <string.h>

#include "core/corpus/fen-tokenizer-private.h"
#include "core/corpus/fen-tokenizer-unicode.h"

void
fen_normal_step_free (gpointer data)
{
  FenNormalStep *step = data;
  g_free (step->pattern);
  g_free (step->content);
  g_free (step);
}

/* TRUE for characters that stay as they are and do not combine with the character before them. Not all such
 * characters, but those that make up most of the world's text. For the other three forms, ASCII alone. */
static inline gboolean
is_inert (GNormalizeMode form, gunichar c)
{
  if (c < 0x80)
    return TRUE;
  if (form != G_NORMALIZE_NFC)
    return FALSE;
  return c < 0x300 || (c >= 0x400 && c <= 0x482) || (c >= 0x48a && c <= 0x52f) || (c >= 0x5d0 && c <= 0x5ea)
         || (c >= 0x621 && c <= 0x64a) || (c >= 0x2010 && c <= 0x2027) || (c >= 0x2030 && c <= 0x205e)
         || (c >= 0x3041 && c <= 0x3096) || (c >= 0x30a1 && c <= 0x30fa) || (c >= 0x4e00 && c <= 0x9fff)
         || (c >= 0xac00 && c <= 0xd7a3) || (c >= 0x1f300 && c <= 0x1faff);
}

/* A stretch for g_utf8_normalize, which stops at NUL: NUL is inert, so it can only be the first character. */
static void
normalise_stretch (GNormalizeMode form, const guint8 *text, gsize bytes, GByteArray *out)
{
  if (bytes > 0 && text[0] == 0)
    {
      g_byte_array_append (out, text++, 1);
      bytes--;
    }
  g_autofree char *normal = g_utf8_normalize ((const char *)text, (gssize)bytes, form);
  g_byte_array_append (out, (const guint8 *)normal, (guint)strlen (normal));
}

static void
run_form (GNormalizeMode form, const guint8 *text, gsize bytes, GByteArray *out)
{
  const guint8 *end = text + bytes, *copied = text, *last = text;

  for (const guint8 *p = text; p < end;)
    {
      const guint8 *here = p;
      if (is_inert (form, fen_utf8_next (&p)))
        {
          last = here;
          continue;
        }
      /* From the inert character before it, with which it may combine, to the next inert one. */
      g_byte_array_append (out, copied, (guint)(last - copied));
      while (p < end)
        {
          here = p;
          if (is_inert (form, fen_utf8_next (&p)))
            {
              p = here;
              break;
            }
        }
      normalise_stretch (form, last, (gsize)(p - last), out);
      copied = last = p;
    }
  g_byte_array_append (out, copied, (guint)(end - copied));
}

static void
run_replace (const FenNormalStep *step, const guint8 *text, gsize bytes, GByteArray *out)
{
  const gsize pattern = strlen (step->pattern), content = strlen (step->content);
  const guint8 *end = text + bytes, *found;

  while ((found = memmem (text, (gsize)(end - text), step->pattern, pattern)) != NULL)
    {
      g_byte_array_append (out, text, (guint)(found - text));
      g_byte_array_append (out, (const guint8 *)step->content, (guint)content);
      text = found + pattern;
    }
  g_byte_array_append (out, text, (guint)(end - text));
}

static void
run_step (const FenNormalStep *step, const guint8 *text, gsize bytes, gboolean at_start, GByteArray *out)
{
  switch (step->kind)
    {
    case FEN_NORMAL_PREPEND:
      if (at_start && bytes > 0)
        g_byte_array_append (out, (const guint8 *)step->content, (guint)strlen (step->content));
      g_byte_array_append (out, text, (guint)bytes);
      break;
    case FEN_NORMAL_REPLACE:
      run_replace (step, text, bytes, out);
      break;
    case FEN_NORMAL_FORM:
      run_form (step->form, text, bytes, out);
      break;
    }
}

void
fen_normal_run (GPtrArray *steps, const guint8 *text, gsize bytes, gboolean at_start, GByteArray *out)
{
  g_autoptr (GByteArray) a = NULL;

  for (guint i = 0; i + 1 < steps->len; i++)
    {
      GByteArray *b = g_byte_array_sized_new ((guint)MIN (bytes + bytes / 8 + 64, G_MAXINT32));
      run_step (steps->pdata[i], text, bytes, at_start, b);
      g_clear_pointer (&a, g_byte_array_unref);
      a = b;
      text = a->data;
      bytes = a->len;
    }
  if (steps->len > 0)
    run_step (steps->pdata[steps->len - 1], text, bytes, at_start, out);
  else
    g_byte_array_append (out, text, (guint)bytes);
}

gboolean
fen_normal_is_identity (GPtrArray *steps, const guint8 *text, gsize bytes, gboolean at_start)
{
  for (guint i = 0; i < steps->len; i++)
    {
      const FenNormalStep *step = steps->pdata[i];
      if (step->kind == FEN_NORMAL_PREPEND && at_start && bytes > 0)
        return FALSE;
      if (step->kind == FEN_NORMAL_REPLACE
          && memmem (text, bytes, step->pattern, strlen (step->pattern)) != NULL)
        return FALSE;
      if (step->kind == FEN_NORMAL_FORM)
        for (const guint8 *p = text; p < text + bytes;)
          if (!is_inert (step->form, fen_utf8_next (&p)))
            return FALSE;
    }
  return TRUE;
}

gsize
fen_normal_cut (GPtrArray *steps, const guint8 *text, gsize bytes)
{
  gboolean replaced = FALSE, ascii_only = FALSE, forms = FALSE;

  for (guint i = 0; i < steps->len; i++)
    {
      const FenNormalStep *step = steps->pdata[i];
      if (step->kind == FEN_NORMAL_REPLACE)
        {
          /* A pattern of several characters may lie across any cut. */
          if (g_utf8_strlen (step->pattern, -1) > 1)
            return 0;
          replaced = TRUE;
        }
      if (step->kind == FEN_NORMAL_FORM)
        {
          /* What a replacement brings may combine with anything. */
          if (replaced)
            return 0;
          forms = TRUE;
          ascii_only |= step->form != G_NORMALIZE_NFC;
        }
    }
  if (!forms)
    return bytes;
  for (gsize at = bytes; at > 0;)
    {
      at = fen_utf8_previous (text, at);
      const guint8 *p = text + at;
      if (is_inert (ascii_only ? G_NORMALIZE_NFKC : G_NORMALIZE_NFC, fen_utf8_next (&p)))
        return at;
    }
  return 0;
}
