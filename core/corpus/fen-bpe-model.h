/* fen-bpe-model.h: byte pair encoding of one piece of text.
 *
 * The piece's symbols (its bytes, or its characters) are merged pair by pair, always the pair of lowest rank, the
 * leftmost first, until no adjacent pair has a merge. Three things make this fast:
 *   - A cut. Two symbols that stand side by side inside no token can never be merged across, so the text may be
 *     cut between them and each side encoded by itself. For SentencePiece models, whose "piece" is a whole text,
 *     this finds the words (almost no token has a space mark behind a letter) and bounds the memory.
 *   - A direct-mapped cache of short words.
 *   - Short words scan an array for the lowest rank; long ones keep a heap, O(n log n).
 *
 * Threads: FenBpe is immutable; FenBpeScratch belongs to one thread.
 */
#pragma once

#include <glib.h>

#include "core/corpus/fen-tokenizer-vocab.h"

G_BEGIN_DECLS

typedef struct {
  guint64 pair; /* left << 32 | right; G_MAXUINT64 when the slot is free */
  guint32 rank;
  guint32 made;
} FenBpeMerge;

typedef struct {
  const FenVocab *vocab;  /* not owned */
  char *where;            /* names the tokenizer in errors */
  gboolean byte_level;    /* symbols are bytes, otherwise characters */
  gboolean ignore_merges; /* a piece that is a token is that token */
  gboolean fuse_unk;
  gboolean byte_fallback; /* a character without a symbol becomes the tokens of its bytes, <0x00> to <0xFF> */
  gboolean all_bytes;     /* every byte has such a token */
  gint64 unk;             /* -1: none */
  gunichar space;         /* what ' ' is read as (Metaspace), or ' ' */

  gint32 byte_symbol[256]; /* byte level: the token of each byte; otherwise of the fallback; -1: none */
  guint16 *page_of;        /* characters: page of c >> 8, 0 when empty */
  gint32 *pages;           /* 256 symbols a page, -1: none */

  FenBpeMerge *merges;
  guint64 merge_mask;
  gsize n_merges;
  guint64 *
      joins; /* bit set: these two symbols may stand side by side in a token (or share the hash of two that do) */
  guint join_shift;
  gboolean cuts;      /* FALSE: never cut */
  gboolean any_bytes; /* byte level: the text need not be UTF-8 */
} FenBpe;

/* What fen_bpe_init needs besides the flags above, which the caller sets first. `left`, `right` and `made` are ids
 * of `vocab`, in order of rank. */
typedef struct {
  const guint32 *left, *right, *made;
  gsize n;
} FenBpeMergeList;

void fen_bpe_init (FenBpe *bpe, const FenVocab *vocab, const FenBpeMergeList *list);
void fen_bpe_clear (FenBpe *bpe);

typedef struct {
  guint32 *data;
  gsize n, space;
} FenIds;

static inline void
fen_ids_push (FenIds *ids, guint32 id)
{
  if (ids->n == ids->space)
    {
      ids->space = ids->space == 0 ? 1024 : ids->space * 2;
      ids->data = g_renew (guint32, ids->data, ids->space);
    }
  ids->data[ids->n++] = id;
}

typedef struct _FenBpeCache FenBpeCache;

typedef struct {
  FenIds symbols;    /* of the word being read */
  guint32 *next;     /* long words: the linked list, */
  guint32 *previous; /* */
  gsize list_space;  /* */
  guint64 *heap;     /* and the heap of rank << 32 | position */
  gsize heap_n, heap_space;
  FenBpeCache *cache; /* made after the first few kilobytes */
  gsize bytes_seen;
  GString *spelling; /* a piece as the vocabulary spells it */
} FenBpeScratch;

void fen_bpe_scratch_clear (FenBpeScratch *scratch);

/* Appends the ids of a piece, valid UTF-8 unless byte_level. With `closed` FALSE more of the piece may follow, and
 * only what is certain is encoded. Returns how many bytes were taken (all of them when closed), or -1 with `error`
 * set: a character has no token, and there is no token for the unknown. */
gssize fen_bpe_encode (const FenBpe *bpe, FenBpeScratch *scratch, const guint8 *text, gsize bytes,
                       gboolean closed, FenIds *out, GError **error);

/* Merges symbols[0..n) in place; returns how many are left. */
gsize fen_bpe_merge_symbols (const FenBpe *bpe, FenBpeScratch *scratch, guint32 *symbols, gsize n);
/* NULL when the two do not merge. */
const FenBpeMerge *fen_bpe_find_merge (const FenBpe *bpe, guint32 left, guint32 right);

/* The symbol of a character, -1: none. */
static inline gint32
fen_bpe_char_symbol (const FenBpe *bpe, gunichar c)
{
  return bpe->pages[(gsize)bpe->page_of[c >> 8] << 8 | (c & 0xff)];
}

static inline gboolean
fen_bpe_may_join (const FenBpe *bpe, guint32 left, guint32 right)
{
  const guint64 at
      = (left * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15) + right * G_GUINT64_CONSTANT (0xc2b2ae3d27d4eb4f))
        >> bpe->join_shift;
  return (bpe->joins[at >> 6] >> (at & 63) & 1) != 0;
}

G_END_DECLS
