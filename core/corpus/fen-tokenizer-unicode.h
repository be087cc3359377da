/* fen-tokenizer-unicode.h: the few questions about characters that a tokenizer asks.
 *
 * GLib's own UTF-8 functions stop at NUL bytes, which are ordinary characters in a data set, and its character
 * classes are POSIX-like; tokenizers use the Unicode properties as the Rust standard library and Oniguruma
 * define them, so these are spelled out here.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The number of leading bytes that are whole, valid UTF-8 characters (no surrogates, nothing above U+10FFFF, no
 * overlong forms; NUL is valid). When the rest could still become a valid character with more bytes,
 * *incomplete is TRUE. */
gsize fen_utf8_valid_prefix (const guint8 *text, gsize bytes, gboolean *incomplete);

/* Appends `bytes` with every invalid part replaced by U+FFFD, one for each maximal subpart (The Unicode Standard,
 * section 3.9, "U+FFFD Substitution of Maximal Subparts"). With `final` FALSE an incomplete character at the end
 * is left; the number of bytes taken is returned. */
gsize fen_utf8_append_lossy (GString *out, const guint8 *text, gsize bytes, gboolean final);

gboolean fen_char_is_space (gunichar c);       /* property White_Space */
gboolean fen_char_is_word (gunichar c);        /* \w of UTS #18: Alphabetic, M, Nd, Pc, Join_Control */
gboolean fen_char_is_numeric (gunichar c);     /* Nd, Nl, No */
gboolean fen_char_is_punctuation (gunichar c); /* ASCII punctuation and P* */

/* The character at *p, which points into valid UTF-8; moves *p behind it. */
static inline gunichar
fen_utf8_next (const guint8 **p)
{
  const guint8 *s = *p;
  if (s[0] < 0x80)
    {
      *p = s + 1;
      return s[0];
    }
  if (s[0] < 0xe0)
    {
      *p = s + 2;
      return (gunichar)(s[0] & 0x1f) << 6 | (s[1] & 0x3f);
    }
  if (s[0] < 0xf0)
    {
      *p = s + 3;
      return (gunichar)(s[0] & 0x0f) << 12 | (gunichar)(s[1] & 0x3f) << 6 | (s[2] & 0x3f);
    }
  *p = s + 4;
  return (gunichar)(s[0] & 0x07) << 18 | (gunichar)(s[1] & 0x3f) << 12 | (gunichar)(s[2] & 0x3f) << 6
         | (s[3] & 0x3f);
}

/* The start of the character that ends just before `at`; `at` > `start`, both in valid UTF-8. */
static inline gsize
fen_utf8_previous (const guint8 *text, gsize at)
{
  do
    at--;
  while (at > 0 && (text[at] & 0xc0) == 0x80);
  return at;
}

G_END_DECLS
