/* fen-bpe-encode.c: from a piece of text to ids; see fen-bpe-model.h. */
#include "core/corpus/fen-bpe-model.h"

#include <string.h>

#include "core/corpus/fen-corpus-error.h"
#include "core/corpus/fen-tokenizer-unicode.h"

#define SHORT_WORD 48    /* symbols; longer ones use the heap */
#define CACHE_BITS 15    /* 2^15 words of 40 bytes: 1.25 MiB, about a core's second-level cache */
#define CACHE_AFTER 4096 /* bytes of text; the cache does not pay for a few words */
#define CACHED_BYTES 15  /* longest word that is kept */
#define CACHED_IDS 5     /* most ids that are kept */
#define MAX_WORD (1u << 31)
#define NO_RANK G_MAXUINT32
#define NONE G_MAXUINT32

typedef struct {
  guint64 key[2]; /* the word, zeros behind it, its length in the last byte: a free entry has length 0 */
  guint32 n;
  guint32 ids[CACHED_IDS];
} CachedWord;

struct _FenBpeCache {
  CachedWord words[1 << CACHE_BITS];
};

void
fen_bpe_scratch_clear (FenBpeScratch *scratch)
{
  g_free (scratch->symbols.data);
  g_free (scratch->next);
  g_free (scratch->previous);
  g_free (scratch->heap);
  g_free (scratch->cache);
  if (scratch->spelling != NULL)
    g_string_free (scratch->spelling, TRUE);
  memset (scratch, 0, sizeof *scratch);
}

/* ---- merging ---- */

static inline void
look_up (const FenBpe *bpe, const guint32 *symbols, guint at, guint32 *rank, guint32 *made)
{
  const FenBpeMerge *merge = fen_bpe_find_merge (bpe, symbols[at], symbols[at + 1]);
  rank[at] = merge == NULL ? NO_RANK : merge->rank;
  made[at] = merge == NULL ? 0 : merge->made;
}

/* rank[i] and made[i] are those of the pair (i, i + 1). */
static gsize
merge_short (const FenBpe *bpe, guint32 *symbols, guint n)
{
  guint32 rank[SHORT_WORD], made[SHORT_WORD];

  for (guint i = 0; i + 1 < n; i++)
    look_up (bpe, symbols, i, rank, made);
  while (n > 1)
    {
      guint at = 0;
      for (guint i = 1; i + 1 < n; i++)
        if (rank[i] < rank[at])
          at = i;
      if (rank[at] == NO_RANK)
        break;
      symbols[at] = made[at];
      n--;
      for (guint i = at + 1; i < n; i++)
        symbols[i] = symbols[i + 1];
      for (guint i = at; i + 1 < n; i++)
        {
          rank[i] = rank[i + 1];
          made[i] = made[i + 1];
        }
      if (at > 0)
        look_up (bpe, symbols, at - 1, rank, made);
      if (at + 1 < n)
        look_up (bpe, symbols, at, rank, made);
    }
  return n;
}

static void
heap_sift_down (guint64 *heap, gsize n, gsize at)
{
  const guint64 value = heap[at];
  for (;;)
    {
      gsize child = 2 * at + 1;
      if (child >= n)
        break;
      if (child + 1 < n && heap[child + 1] < heap[child])
        child++;
      if (heap[child] >= value)
        break;
      heap[at] = heap[child];
      at = child;
    }
  heap[at] = value;
}

static void
heap_push (FenBpeScratch *scratch, guint64 value)
{
  if (scratch->heap_n == scratch->heap_space)
    {
      scratch->heap_space = MAX (1024, scratch->heap_space * 2);
      scratch->heap = g_renew (guint64, scratch->heap, scratch->heap_space);
    }
  guint64 *heap = scratch->heap;
  gsize at = scratch->heap_n++;
  while (at > 0 && heap[(at - 1) / 2] > value)
    {
      heap[at] = heap[(at - 1) / 2];
      at = (at - 1) / 2;
    }
  heap[at] = value;
}

static void
push_pair (const FenBpe *bpe, FenBpeScratch *scratch, const guint32 *symbols, guint32 at)
{
  const FenBpeMerge *merge = fen_bpe_find_merge (bpe, symbols[at], symbols[scratch->next[at]]);
  if (merge != NULL)
    heap_push (scratch, (guint64)merge->rank << 32 | at);
}

/* All pairs at once, then Floyd's heap construction: O(n). */
static void
start_heap (const FenBpe *bpe, FenBpeScratch *scratch, const guint32 *symbols, gsize n)
{
  if (n > scratch->list_space)
    {
      scratch->list_space = n + n / 2;
      scratch->next = g_renew (guint32, scratch->next, scratch->list_space);
      scratch->previous = g_renew (guint32, scratch->previous, scratch->list_space);
    }
  if (n > scratch->heap_space)
    {
      scratch->heap_space = n + n / 2;
      scratch->heap = g_renew (guint64, scratch->heap, scratch->heap_space);
    }
  scratch->heap_n = 0;
  for (gsize i = 0; i < n; i++)
    {
      scratch->next[i] = i + 1 < n ? (guint32)i + 1 : NONE;
      scratch->previous[i] = i > 0 ? (guint32)i - 1 : NONE;
      const FenBpeMerge *merge = i + 1 < n ? fen_bpe_find_merge (bpe, symbols[i], symbols[i + 1]) : NULL;
      if (merge != NULL)
        scratch->heap[scratch->heap_n++] = (guint64)merge->rank << 32 | i;
    }
  for (gsize i = scratch->heap_n / 2; i-- > 0;)
    heap_sift_down (scratch->heap, scratch->heap_n, i);
}

/* A doubly linked list of symbols and a heap of (rank, position). An entry whose pair has changed since is
 * recognised by its rank: the pair at a position only ever grows, so it never has the same rank again. */
static gsize
merge_long (const FenBpe *bpe, FenBpeScratch *scratch, guint32 *symbols, gsize n)
{
  guint32 *next, *previous;

  start_heap (bpe, scratch, symbols, n);
  next = scratch->next;
  previous = scratch->previous;
  while (scratch->heap_n > 0)
    {
      const guint32 at = (guint32)scratch->heap[0], rank = (guint32)(scratch->heap[0] >> 32);
      scratch->heap[0] = scratch->heap[--scratch->heap_n];
      if (scratch->heap_n > 0)
        heap_sift_down (scratch->heap, scratch->heap_n, 0);

      const guint32 right = next[at];
      if (symbols[at] == NONE || right == NONE)
        continue;
      const FenBpeMerge *merge = fen_bpe_find_merge (bpe, symbols[at], symbols[right]);
      if (merge == NULL || merge->rank != rank)
        continue;
      symbols[at] = merge->made;
      symbols[right] = NONE;
      next[at] = next[right];
      if (next[at] != NONE)
        {
          previous[next[at]] = at;
          push_pair (bpe, scratch, symbols, at);
        }
      if (previous[at] != NONE)
        push_pair (bpe, scratch, symbols, previous[at]);
    }
  gsize left = 0;
  for (gsize i = 0; i < n; i++)
    if (symbols[i] != NONE)
      symbols[left++] = symbols[i];
  return left;
}

gsize
fen_bpe_merge_symbols (const FenBpe *bpe, FenBpeScratch *scratch, guint32 *symbols, gsize n)
{
  if (n < 2 || bpe->n_merges == 0)
    return n;
  return n <= SHORT_WORD ? merge_short (bpe, symbols, (guint)n) : merge_long (bpe, scratch, symbols, n);
}

/* ---- words ---- */

static CachedWord *
cache_slot (FenBpeScratch *scratch, const guint8 *text, gsize bytes, guint64 key[2])
{
  if (scratch->cache == NULL)
    {
      scratch->bytes_seen += bytes;
      if (scratch->bytes_seen < CACHE_AFTER)
        return NULL;
      scratch->cache = g_new0 (FenBpeCache, 1);
    }
  if (bytes > CACHED_BYTES)
    return NULL;
  key[0] = key[1] = 0;
  memcpy (key, text, bytes);
  ((guint8 *)key)[15] = (guint8)bytes;
  guint64 h
      = key[0] * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15) + key[1] * G_GUINT64_CONSTANT (0xc2b2ae3d27d4eb4f);
  return &scratch->cache->words[(h ^ h >> 29) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15) >> (64 - CACHE_BITS)];
}

static inline gboolean
cache_read (const CachedWord *slot, const guint64 key[2], FenIds *out)
{
  if (slot == NULL || slot->key[0] != key[0] || slot->key[1] != key[1])
    return FALSE;
  for (guint32 i = 0; i < slot->n; i++)
    fen_ids_push (out, slot->ids[i]);
  return TRUE;
}

static inline void
cache_write (CachedWord *slot, const guint64 key[2], const guint32 *ids, gsize n)
{
  if (slot == NULL || n > CACHED_IDS)
    return;
  slot->key[0] = key[0];
  slot->key[1] = key[1];
  slot->n = (guint32)n;
  memcpy (slot->ids, ids, n * sizeof *ids);
}

static void
merge_into (const FenBpe *bpe, FenBpeScratch *scratch, CachedWord *slot, const guint64 key[2], FenIds *out)
{
  FenIds *symbols = &scratch->symbols;
  const gsize n = fen_bpe_merge_symbols (bpe, scratch, symbols->data, symbols->n);
  for (gsize i = 0; i < n; i++)
    fen_ids_push (out, symbols->data[i]);
  cache_write (slot, key, symbols->data, n);
  symbols->n = 0;
}

/* The word [text, text + bytes) whose symbols have been read. */
static void
finish_word (const FenBpe *bpe, FenBpeScratch *scratch, const guint8 *text, gsize bytes, FenIds *out)
{
  guint64 key[2];
  if (scratch->symbols.n == 1)
    {
      fen_ids_push (out, scratch->symbols.data[0]);
      scratch->symbols.n = 0;
      return;
    }
  CachedWord *slot = cache_slot (scratch, text, bytes, key);
  if (cache_read (slot, key, out))
    scratch->symbols.n = 0;
  else
    merge_into (bpe, scratch, slot, key, out);
}

static void
no_symbol (const FenBpe *bpe, gunichar c, GError **error)
{
  g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKENIZER,
               bpe->byte_level
                   ? "%s: the vocabulary has no token for the byte %02X, and there is no unk_token"
                   : "%s: the vocabulary has no token for the character U+%04X, no unk_token and no byte "
                     "fallback",
               bpe->where, c);
}

/* One character's symbols. A character without any becomes its bytes' tokens, or <unk>; runs of <unk> are one when
 * fuse_unk says so. An <unk> is written only when the next character that has a symbol comes (*pending), which
 * matters when some bytes have a token and others do not: Hugging Face tokenizers does it so. */
static gboolean
read_symbol (const FenBpe *bpe, FenIds *symbols, const guint8 *bytes, gsize n_bytes, gint32 symbol,
             gboolean *pending)
{
  guint8 spelled[4];

  if (symbol >= 0)
    {
      if (*pending)
        fen_ids_push (symbols, (guint32)bpe->unk);
      *pending = FALSE;
      fen_ids_push (symbols, (guint32)symbol);
      return TRUE;
    }
  if (bpe->byte_fallback && !bpe->byte_level)
    {
      gboolean all = TRUE;
      if (n_bytes == 1 && bytes[0] == ' ' && bpe->space != ' ')
        {
          n_bytes = (gsize)g_unichar_to_utf8 (bpe->space, (char *)spelled);
          bytes = spelled;
        }
      for (gsize i = 0; i < n_bytes; i++)
        all &= bpe->byte_symbol[bytes[i]] >= 0;
      for (gsize i = 0; all && i < n_bytes; i++)
        fen_ids_push (symbols, (guint32)bpe->byte_symbol[bytes[i]]);
      if (all)
        return TRUE;
    }
  if (bpe->unk < 0)
    return FALSE;
  if (*pending && !bpe->fuse_unk)
    fen_ids_push (symbols, (guint32)bpe->unk);
  *pending = TRUE;
  return TRUE;
}

/* What an open text leaves untaken must begin with a whole character, for the stages before this one. */
static inline gboolean
inside_character (const FenBpe *bpe, guint8 byte)
{
  return bpe->byte_level && !bpe->any_bytes && (byte & 0xc0) == 0x80;
}

/* Reads symbols, cuts where it may, and finishes each word. There is no cut next to a pending <unk>: the next
 * unknown character may belong to it. */
static gssize
encode_words (const FenBpe *bpe, FenBpeScratch *scratch, const guint8 *text, gsize bytes, gboolean closed,
              FenIds *out, GError **error)
{
  FenIds *symbols = &scratch->symbols;
  const guint8 *word = text, *end = text + bytes;
  gboolean pending = FALSE;

  symbols->n = 0;
  for (const guint8 *p = text; p < end;)
    {
      const guint8 *here = p;
      const gsize before = symbols->n;
      const gboolean was_pending = pending;
      if (before > MAX_WORD)
        {
          g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKENIZER,
                       "%s: more than %u characters without a place to cut them", bpe->where, MAX_WORD);
          return -1;
        }
      const gunichar c = bpe->byte_level ? *p++ : fen_utf8_next (&p);
      const gint32 symbol
          = bpe->byte_level ? bpe->byte_symbol[c] : fen_bpe_char_symbol (bpe, c == ' ' ? bpe->space : c);
      if (!read_symbol (bpe, symbols, here, (gsize)(p - here), symbol, &pending))
        {
          symbols->n = 0;
          no_symbol (bpe, c, error);
          return -1;
        }
      if (!bpe->cuts || before == 0 || was_pending || pending || (!closed && inside_character (bpe, *here))
          || fen_bpe_may_join (bpe, symbols->data[before - 1], symbols->data[before]))
        continue;

      /* A cut before this character: its symbols move to the front of the next word. */
      guint32 moved[4];
      const gsize n = symbols->n - before;
      memcpy (moved, symbols->data + before, n * sizeof *moved);
      symbols->n = before;
      finish_word (bpe, scratch, word, (gsize)(here - word), out);
      memcpy (symbols->data, moved, n * sizeof *moved);
      symbols->n = n;
      word = here;
    }
  if (!closed)
    {
      symbols->n = 0;
      return word - text;
    }
  if (pending)
    fen_ids_push (symbols, (guint32)bpe->unk);
  if (symbols->n > 0)
    finish_word (bpe, scratch, word, (gsize)(end - word), out);
  return (gssize)bytes;
}

/* ignore_merges: the whole piece as the vocabulary spells it. */
static gint64
find_whole (const FenBpe *bpe, FenBpeScratch *scratch, const guint8 *text, gsize bytes)
{
  if (bytes > bpe->vocab->longest)
    return -1;
  if (scratch->spelling == NULL)
    scratch->spelling = g_string_new (NULL);
  GString *spelling = scratch->spelling;
  g_string_set_size (spelling, 2 * bytes);
  if (bpe->byte_level)
    return fen_vocab_find (bpe->vocab, spelling->str, fen_bytes_spell (text, bytes, spelling->str));
  if (bpe->space == ' ')
    return fen_vocab_find (bpe->vocab, (const char *)text, bytes);
  g_string_set_size (spelling, 0);
  for (gsize i = 0; i < bytes; i++)
    if (text[i] == ' ')
      g_string_append_unichar (spelling, bpe->space);
    else
      g_string_append_c (spelling, (char)text[i]);
  return fen_vocab_find (bpe->vocab, spelling->str, spelling->len);
}

/* The usual case, without the questions that encode_words asks. FALSE when a byte has no token. */
static gboolean
read_bytes (const FenBpe *bpe, FenIds *symbols, const guint8 *text, gsize bytes)
{
  symbols->n = 0;
  for (gsize i = 0; i < bytes; i++)
    {
      const gint32 symbol = bpe->byte_symbol[text[i]];
      if (symbol < 0)
        return FALSE;
      fen_ids_push (symbols, (guint32)symbol);
    }
  return TRUE;
}

gssize
fen_bpe_encode (const FenBpe *bpe, FenBpeScratch *scratch, const guint8 *text, gsize bytes, gboolean closed,
                FenIds *out, GError **error)
{
  guint64 key[2];

  if (!closed)
    return bpe->cuts ? encode_words (bpe, scratch, text, bytes, FALSE, out, error) : 0;

  CachedWord *slot = cache_slot (scratch, text, bytes, key);
  if (cache_read (slot, key, out))
    return (gssize)bytes;
  if (bpe->ignore_merges)
    {
      const gint64 id = find_whole (bpe, scratch, text, bytes);
      if (id >= 0)
        {
          const guint32 whole = (guint32)id;
          fen_ids_push (out, whole);
          cache_write (slot, key, &whole, 1);
          return (gssize)bytes;
        }
    }
  if (bpe->byte_level && bytes <= SHORT_WORD && read_bytes (bpe, &scratch->symbols, text, bytes))
    {
      merge_into (bpe, scratch, slot, key, out);
      return (gssize)bytes;
    }
  const gsize before = out->n;
  if (encode_words (bpe, scratch, text, bytes, TRUE, out, error) < 0)
    return -1;
  cache_write (slot, key, out->data + before, out->n - before);
  return (gssize)bytes;
}
