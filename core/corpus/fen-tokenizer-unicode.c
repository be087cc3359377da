/* fen-tokenizer-unicode.c: see the header. UTF-8 by table 3-7 of The Unicode Standard ("Well-Formed UTF-8 Byte
 * Sequences"): the second byte's range depends on the first, all others are 80..BF. */
#include "core/corpus/fen-tokenizer-unicode.h"

#include <string.h>

/* Length of the well-formed character at `s`, 0 when there is none. *seen is how many bytes were right before the
 * first wrong or missing one (at least 1): the maximal subpart. *missing says that the text ended too early. */
static gsize
character_length (const guint8 *s, gsize bytes, gsize *seen, gboolean *missing)
{
  const guint8 a = s[0];
  guint8 low = 0x80, high = 0xbf;
  gsize length;

  *seen = 1;
  *missing = FALSE;
  if (a < 0x80)
    return 1;
  if (a < 0xc2 || a > 0xf4)
    return 0;
  length = a < 0xe0 ? 2 : a < 0xf0 ? 3 : 4;
  if (a == 0xe0)
    low = 0xa0;
  else if (a == 0xed)
    high = 0x9f;
  else if (a == 0xf0)
    low = 0x90;
  else if (a == 0xf4)
    high = 0x8f;

  for (gsize i = 1; i < length; i++)
    {
      if (i == bytes)
        {
          *missing = TRUE;
          return 0;
        }
      if (s[i] < low || s[i] > high)
        return 0;
      *seen = i + 1;
      low = 0x80;
      high = 0xbf;
    }
  return length;
}

gsize
fen_utf8_valid_prefix (const guint8 *text, gsize bytes, gboolean *incomplete)
{
  gsize at = 0, seen;
  gboolean missing = FALSE;

  *incomplete = FALSE;
  while (at < bytes)
    {
      guint64 eight;
      while (bytes - at >= 8
             && (memcpy (&eight, text + at, 8), (eight & G_GUINT64_CONSTANT (0x8080808080808080)) == 0))
        at += 8;
      if (at == bytes)
        break;
      gsize length = character_length (text + at, bytes - at, &seen, &missing);
      if (length == 0)
        {
          *incomplete = missing;
          break;
        }
      at += length;
    }
  return at;
}

gsize
fen_utf8_append_lossy (GString *out, const guint8 *text, gsize bytes, gboolean final)
{
  gsize at = 0, seen;
  gboolean incomplete, missing;

  while (at < bytes)
    {
      gsize valid = fen_utf8_valid_prefix (text + at, bytes - at, &incomplete);
      g_string_append_len (out, (const char *)text + at, (gssize)valid);
      at += valid;
      if (at == bytes || (incomplete && !final))
        break;
      character_length (text + at, bytes - at, &seen, &missing);
      g_string_append (out, "\357\277\275");
      at += seen;
    }
  return at;
}

gboolean
fen_char_is_space (gunichar c)
{
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680
         || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f
         || c == 0x3000;
}

gboolean
fen_char_is_numeric (gunichar c)
{
  if (c < 0x80)
    return c >= '0' && c <= '9';
  switch (g_unichar_type (c))
    {
    case G_UNICODE_DECIMAL_NUMBER:
    case G_UNICODE_LETTER_NUMBER:
    case G_UNICODE_OTHER_NUMBER:
      return TRUE;
    default:
      return FALSE;
    }
}

gboolean
fen_char_is_punctuation (gunichar c)
{
  if (c < 0x80)
    return g_ascii_ispunct ((char)c);
  switch (g_unichar_type (c))
    {
    case G_UNICODE_CONNECT_PUNCTUATION:
    case G_UNICODE_DASH_PUNCTUATION:
    case G_UNICODE_CLOSE_PUNCTUATION:
    case G_UNICODE_FINAL_PUNCTUATION:
    case G_UNICODE_INITIAL_PUNCTUATION:
    case G_UNICODE_OTHER_PUNCTUATION:
    case G_UNICODE_OPEN_PUNCTUATION:
      return TRUE;
    default:
      return FALSE;
    }
}

gboolean
fen_char_is_word (gunichar c)
{
  if (c < 0x80)
    return g_ascii_isalnum ((char)c) || c == '_';
  switch (g_unichar_type (c))
    {
    case G_UNICODE_LOWERCASE_LETTER:
    case G_UNICODE_MODIFIER_LETTER:
    case G_UNICODE_OTHER_LETTER:
    case G_UNICODE_TITLECASE_LETTER:
    case G_UNICODE_UPPERCASE_LETTER:
    case G_UNICODE_SPACING_MARK:
    case G_UNICODE_ENCLOSING_MARK:
    case G_UNICODE_NON_SPACING_MARK:
    case G_UNICODE_DECIMAL_NUMBER:
    case G_UNICODE_LETTER_NUMBER:
    case G_UNICODE_CONNECT_PUNCTUATION:
      return TRUE;
    default:
      /* Other_Alphabetic outside L, M and Nl are the circled letters; Join_Control are ZWNJ and ZWJ. */
      return (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) || (c >= 0x1f150 && c <= 0x1f169)
             || (c >= 0x1f170 && c <= 0x1f189) || c == 0x200c || c == 0x200d;
    }
}
