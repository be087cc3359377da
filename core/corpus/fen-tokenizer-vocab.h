/* fen-tokenizer-vocab.h: the table of tokens, string to id and id to string.
 *
 * One block of text holds all the strings (each with a NUL behind it, so that they can be given out), one open
 * hash table finds them. A GHashTable of strings would need an allocation and a pointer a token, and its hash is
 * the slowest part of a lookup.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  char *text;
  gsize text_bytes, text_space;
  guint32 *offset; /* by id, into text; G_MAXUINT32 for a hole */
  guint32 *length; /* by id */
  guint size;      /* largest id + 1 */
  guint space;     /* ids that fit */
  guint32 *slots;  /* id + 1, 0 when free */
  guint32 mask;
  guint count;
  gsize longest; /* bytes of the longest token */
} FenVocab;

typedef enum { FEN_VOCAB_ADDED, FEN_VOCAB_SAME_ID, FEN_VOCAB_SAME_TEXT, FEN_VOCAB_FULL } FenVocabResult;

/* Adds nothing when the id or the text is there already (or when the text would need more than 4 GiB). */
FenVocabResult fen_vocab_add (FenVocab *vocab, guint32 id, const char *text, gsize bytes);
gint64 fen_vocab_find (const FenVocab *vocab, const char *text, gsize bytes);
/* NULL for a hole or an id out of range. */
const char *fen_vocab_get (const FenVocab *vocab, guint32 id, gsize *bytes);
void fen_vocab_clear (FenVocab *vocab);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (FenVocab, fen_vocab_clear)

/* GPT-2's spelling of bytes as printable characters: the code point of each byte (below U+0144), and back (-1 for
 * a character that spells no byte). */
gunichar fen_byte_to_char (guint8 byte);
gint fen_char_to_byte (gunichar c);
/* Spells `bytes` at `out`, which has room for twice as many bytes; the length written is returned. */
gsize fen_bytes_spell (const guint8 *bytes, gsize n, char *out);

G_END_DECLS
