/* fen-tokenizer-vocab.c: see the header. */
#include "core/corpus/fen-tokenizer-vocab.h"

#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

#define NO_OFFSET G_MAXUINT32

static void
insert_slot (FenVocab *vocab, guint32 id)
{
  guint32 at = (guint32)XXH3_64bits (vocab->text + vocab->offset[id], vocab->length[id]) & vocab->mask;
  while (vocab->slots[at] != 0)
    at = (at + 1) & vocab->mask;
  vocab->slots[at] = id + 1;
}

/* Keeps the table at most half full. */
static void
grow_slots (FenVocab *vocab)
{
  const guint32 n = vocab->slots == NULL ? 1024 : (vocab->mask + 1) * 2;
  g_free (vocab->slots);
  vocab->slots = g_new0 (guint32, n);
  vocab->mask = n - 1;
  for (guint id = 0; id < vocab->size; id++)
    if (vocab->offset[id] != NO_OFFSET)
      insert_slot (vocab, id);
}

static void
grow_ids (FenVocab *vocab, guint32 id)
{
  if (id >= vocab->space)
    {
      guint space = MAX (1024, vocab->space);
      while (space <= id)
        space *= 2;
      vocab->offset = g_renew (guint32, vocab->offset, space);
      vocab->length = g_renew (guint32, vocab->length, space);
      vocab->space = space;
    }
  for (; vocab->size <= id; vocab->size++)
    {
      vocab->offset[vocab->size] = NO_OFFSET;
      vocab->length[vocab->size] = 0;
    }
}

FenVocabResult
fen_vocab_add (FenVocab *vocab, guint32 id, const char *text, gsize bytes)
{
  if (id < vocab->size && vocab->offset[id] != NO_OFFSET)
    return FEN_VOCAB_SAME_ID;
  if (fen_vocab_find (vocab, text, bytes) >= 0)
    return FEN_VOCAB_SAME_TEXT;
  if (bytes >= NO_OFFSET - vocab->text_bytes - 1)
    return FEN_VOCAB_FULL;

  grow_ids (vocab, id);
  if (vocab->text_bytes + bytes + 1 > vocab->text_space)
    {
      vocab->text_space = MAX (4096, 2 * (vocab->text_bytes + bytes + 1));
      vocab->text = g_realloc (vocab->text, vocab->text_space);
    }
  memcpy (vocab->text + vocab->text_bytes, text, bytes);
  vocab->text[vocab->text_bytes + bytes] = '\0';
  vocab->offset[id] = (guint32)vocab->text_bytes;
  vocab->length[id] = (guint32)bytes;
  vocab->text_bytes += bytes + 1;
  vocab->longest = MAX (vocab->longest, bytes);
  vocab->count++;
  if (vocab->slots == NULL || vocab->count > vocab->mask / 2)
    grow_slots (vocab);
  else
    insert_slot (vocab, id);
  return FEN_VOCAB_ADDED;
}

gint64
fen_vocab_find (const FenVocab *vocab, const char *text, gsize bytes)
{
  if (vocab->slots == NULL || bytes > vocab->longest)
    return -1;
  guint32 at = (guint32)XXH3_64bits (text, bytes) & vocab->mask;
  for (; vocab->slots[at] != 0; at = (at + 1) & vocab->mask)
    {
      const guint32 id = vocab->slots[at] - 1;
      if (vocab->length[id] == bytes && memcmp (vocab->text + vocab->offset[id], text, bytes) == 0)
        return id;
    }
  return -1;
}

const char *
fen_vocab_get (const FenVocab *vocab, guint32 id, gsize *bytes)
{
  if (id >= vocab->size || vocab->offset[id] == NO_OFFSET)
    return NULL;
  if (bytes != NULL)
    *bytes = vocab->length[id];
  return vocab->text + vocab->offset[id];
}

void
fen_vocab_clear (FenVocab *vocab)
{
  g_free (vocab->text);
  g_free (vocab->offset);
  g_free (vocab->length);
  g_free (vocab->slots);
  memset (vocab, 0, sizeof *vocab);
}

/* Printable Latin-1 stands for itself; the 68 others (controls, the space, U+00AD) are U+0100 onwards in order. */
static gboolean
stands_for_itself (guint c)
{
  return (c >= '!' && c <= '~') || (c >= 0xa1 && c <= 0xac) || (c >= 0xae && c <= 0xff);
}

gunichar
fen_byte_to_char (guint8 byte)
{
  if (stands_for_itself (byte))
    return byte;
  if (byte <= ' ')
    return 0x100u + byte;
  if (byte <= 0xa0)
    return 0x100u + 33 + (byte - 0x7fu);
  return 0x143;
}

gint
fen_char_to_byte (gunichar c)
{
  if (c < 0x100)
    return stands_for_itself (c) ? (gint)c : -1;
  if (c <= 0x120)
    return (gint)(c - 0x100);
  if (c <= 0x142)
    return (gint)(c - 0x121 + 0x7f);
  return c == 0x143 ? 0xad : -1;
}

gsize
fen_bytes_spell (const guint8 *bytes, gsize n, char *out)
{
  char *p = out;
  for (gsize i = 0; i < n; i++)
    {
      const gunichar c = fen_byte_to_char (bytes[i]);
      if (c < 0x80)
        *p++ = (char)c;
      else
        {
          *p++ = (char)(0xc0 | c >> 6);
          *p++ = (char)(0x80 | (c & 0x3f));
        }
    }
  return (gsize)(p - out);
}
