/* fen-bpe-train.c: learning the merges of a byte-level BPE (Sennrich, Haddow, Birch, ACL 2016, algorithm 1).
 *
 * All words lie in one array of symbols, linked to their neighbours. For each pair of symbols there is its count and
 * the list of the places where it stands, so a merge costs what changes and not a pass over the words. A heap gives
 * the pair of highest count; an entry whose count is out of date is put back with the right one when it comes up.
 * Ties go to the pair with the smaller ids: the order of Hugging Face tokenizers, and one that does not depend on
 * threads.
 */
#include <stdlib.h>
#include <string.h>

#include "core/corpus/fen-bpe-count.h"
#include "core/corpus/fen-tokenizer-private.h"

#define NONE G_MAXUINT32
#define MIN_COUNT 2     /* a pair that occurs once says nothing */
#define REPORT_EVERY 64 /* merges */

typedef struct {
  guint64 key; /* left << 32 | right */
  gint64 count;
  guint32 *places; /* of the left symbol; some may be out of date */
  guint32 n, space;
  gboolean touched; /* its count has grown in this merge */
} Pair;

typedef struct {
  gint64 count;
  guint64 key;
  guint32 pair;
} Candidate;

typedef struct {
  guint32 *symbol; /* NONE: merged into the one before */
  guint32 *next, *previous;
  guint32 *word;
  const FenWord *words;
  GArray *pairs; /* Pair */
  guint32 *slots;
  guint32 mask;
  GArray *heap;    /* Candidate */
  GArray *touched; /* guint32, indexes of pairs */
  FenVocab vocab;
  GArray *merges; /* guint32, two each */
} Trainer;

/* ---- pairs ---- */

static guint32
pair_slot (const Trainer *t, guint64 key)
{
  guint64 h = key * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  return (guint32)(h >> 32) & t->mask;
}

static void
grow_pair_slots (Trainer *t)
{
  t->mask = t->slots == NULL ? 65535 : t->mask * 2 + 1;
  g_free (t->slots);
  t->slots = g_new0 (guint32, (gsize)t->mask + 1);
  for (guint32 i = 0; i < t->pairs->len; i++)
    {
      guint32 at = pair_slot (t, g_array_index (t->pairs, Pair, i).key);
      while (t->slots[at] != 0)
        at = (at + 1) & t->mask;
      t->slots[at] = i + 1;
    }
}

static guint32
find_pair (Trainer *t, guint32 left, guint32 right)
{
  const guint64 key = (guint64)left << 32 | right;

  if (t->slots == NULL || t->pairs->len > t->mask / 2)
    grow_pair_slots (t);
  guint32 at = pair_slot (t, key);
  for (; t->slots[at] != 0; at = (at + 1) & t->mask)
    if (g_array_index (t->pairs, Pair, t->slots[at] - 1).key == key)
      return t->slots[at] - 1;
  const Pair pair = { .key = key };
  g_array_append_val (t->pairs, pair);
  t->slots[at] = t->pairs->len;
  return t->pairs->len - 1;
}

static void
add_place (Trainer *t, guint32 left, guint32 right, gint64 count, guint32 place)
{
  const guint32 index = find_pair (t, left, right);
  Pair *pair = &g_array_index (t->pairs, Pair, index);

  if (pair->n == pair->space)
    {
      pair->space = MAX (4, pair->space * 2);
      pair->places = g_renew (guint32, pair->places, pair->space);
    }
  pair->places[pair->n++] = place;
  pair->count += count;
  if (pair->touched)
    return;
  pair->touched = TRUE;
  g_array_append_val (t->touched, index);
}

/* ---- the heap ---- */

static gboolean
comes_before (const Candidate *a, const Candidate *b)
{
  return a->count != b->count ? a->count > b->count : a->key < b->key;
}

static void
push_candidate (Trainer *t, guint32 index)
{
  const Pair *pair = &g_array_index (t->pairs, Pair, index);
  const Candidate candidate = { .count = pair->count, .key = pair->key, .pair = index };

  if (candidate.count < MIN_COUNT)
    return;
  g_array_append_val (t->heap, candidate);
  Candidate *heap = (Candidate *)t->heap->data;
  guint at = t->heap->len - 1;
  while (at > 0 && comes_before (&candidate, &heap[(at - 1) / 2]))
    {
      heap[at] = heap[(at - 1) / 2];
      at = (at - 1) / 2;
    }
  heap[at] = candidate;
}

static Candidate
pop_candidate (Trainer *t)
{
  Candidate *heap = (Candidate *)t->heap->data;
  const Candidate top = heap[0], last = heap[t->heap->len - 1];
  guint at = 0;

  g_array_set_size (t->heap, t->heap->len - 1);
  const guint n = t->heap->len;
  for (guint child; (child = 2 * at + 1) < n; at = child)
    {
      if (child + 1 < n && comes_before (&heap[child + 1], &heap[child]))
        child++;
      if (!comes_before (&heap[child], &last))
        break;
      heap[at] = heap[child];
    }
  if (n > 0)
    heap[at] = last;
  return top;
}

static void
push_touched (Trainer *t)
{
  for (guint i = 0; i < t->touched->len; i++)
    {
      const guint32 index = g_array_index (t->touched, guint32, i);
      g_array_index (t->pairs, Pair, index).touched = FALSE;
      push_candidate (t, index);
    }
  g_array_set_size (t->touched, 0);
}

/* ---- merging ---- */

static int
compare_places (const void *a, const void *b)
{
  const guint32 x = *(const guint32 *)a, y = *(const guint32 *)b;
  return (x > y) - (x < y);
}

/* Overlapping places ("aaa") are merged from the left. */
static void
sort_places (guint32 *places, guint32 n)
{
  for (guint32 i = 1; i < n; i++)
    if (places[i - 1] > places[i])
      {
        qsort (places, n, sizeof *places, compare_places);
        return;
      }
}

static void
merge_place (Trainer *t, guint32 at, guint32 made)
{
  const guint32 right = t->next[at], before = t->previous[at], behind = t->next[right];
  const gint64 count = t->words[t->word[at]].count;

  if (before != NONE)
    {
      const guint32 old = find_pair (t, t->symbol[before], t->symbol[at]);
      g_array_index (t->pairs, Pair, old).count -= count;
      add_place (t, t->symbol[before], made, count, before);
    }
  if (behind != NONE)
    {
      const guint32 old = find_pair (t, t->symbol[right], t->symbol[behind]);
      g_array_index (t->pairs, Pair, old).count -= count;
      add_place (t, made, t->symbol[behind], count, at);
      t->previous[behind] = at;
    }
  t->symbol[at] = made;
  t->symbol[right] = NONE;
  t->next[at] = behind;
}

static void
merge_pair (Trainer *t, guint32 index, guint32 made)
{
  Pair *pair = &g_array_index (t->pairs, Pair, index);
  const guint32 left = (guint32)(pair->key >> 32), right = (guint32)pair->key, n = pair->n;
  g_autofree guint32 *places = g_steal_pointer (&pair->places);

  pair->n = pair->space = 0;
  sort_places (places, n);
  for (guint32 i = 0; i < n; i++)
    {
      const guint32 at = places[i];
      if (t->symbol[at] == left && t->next[at] != NONE && t->symbol[t->next[at]] == right)
        merge_place (t, at, made);
    }
  /* All of them are gone; overlapping ones have been counted down below zero. */
  g_array_index (t->pairs, Pair, index).count = 0;
  push_touched (t);
}

/* The token of a pair: usually new, but another pair may have made the same text before. */
static guint32
token_of_pair (Trainer *t, guint64 key)
{
  gsize left_bytes, right_bytes;
  const char *left = fen_vocab_get (&t->vocab, (guint32)(key >> 32), &left_bytes);
  const char *right = fen_vocab_get (&t->vocab, (guint32)key, &right_bytes);
  g_autoptr (GString) text = g_string_new_len (left, (gssize)left_bytes);

  g_string_append_len (text, right, (gssize)right_bytes);
  const gint64 known = fen_vocab_find (&t->vocab, text->str, text->len);
  if (known >= 0)
    return (guint32)known;
  const guint32 id = t->vocab.size;
  fen_vocab_add (&t->vocab, id, text->str, text->len);
  return id;
}

/* ---- the whole ---- */

/* Tokens 0 (<|endoftext|>) to 256, the bytes in the order of the characters that spell them. */
static void
add_alphabet (Trainer *t, guint32 symbol_of_byte[256])
{
  fen_vocab_add (&t->vocab, 0, FEN_TOKENIZER_END_OF_TEXT, strlen (FEN_TOKENIZER_END_OF_TEXT));
  for (gunichar c = 0; c < 0x144; c++)
    {
      char spelling[8];
      const gint byte = fen_char_to_byte (c);
      if (byte < 0)
        continue;
      symbol_of_byte[byte] = t->vocab.size;
      fen_vocab_add (&t->vocab, t->vocab.size, spelling, (gsize)g_unichar_to_utf8 (c, spelling));
    }
}

static void
place_words (Trainer *t, const FenWordCounts *counts, const guint32 symbol_of_byte[256])
{
  guint32 at = 0;

  t->words = counts->words;
  t->symbol = g_new (guint32, counts->text_bytes);
  t->next = g_new (guint32, counts->text_bytes);
  t->previous = g_new (guint32, counts->text_bytes);
  t->word = g_new (guint32, counts->text_bytes);
  for (guint32 w = 0; w < counts->n; w++)
    {
      const FenWord *word = &counts->words[w];
      for (guint32 i = 0; i < word->length; i++, at++)
        {
          t->symbol[at] = symbol_of_byte[(guint8)counts->text[word->offset + i]];
          t->word[at] = w;
          t->previous[at] = i == 0 ? NONE : at - 1;
          t->next[at] = i + 1 == word->length ? NONE : at + 1;
        }
    }
  for (guint32 i = 0; i < at; i++)
    if (t->next[i] != NONE)
      add_place (t, t->symbol[i], t->symbol[i + 1], t->words[t->word[i]].count, i);
  push_touched (t);
}

static gboolean
learn (Trainer *t, gsize vocab_size, guint64 bytes, GCancellable *cancellable, FenTokenizerProgress progress,
       gpointer progress_data, GError **error)
{
  while (t->vocab.size < vocab_size && t->heap->len > 0)
    {
      const Candidate top = pop_candidate (t);
      const Pair *pair = &g_array_index (t->pairs, Pair, top.pair);
      if (pair->count != top.count)
        {
          push_candidate (t, top.pair);
          continue;
        }
      const guint32 parts[2] = { (guint32)(top.key >> 32), (guint32)top.key };
      g_array_append_vals (t->merges, parts, 2);
      merge_pair (t, top.pair, token_of_pair (t, top.key));
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      if (progress != NULL && t->merges->len % (2 * REPORT_EVERY) == 0)
        progress ((double)t->vocab.size / (double)vocab_size, bytes, t->vocab.size, progress_data);
    }
  return TRUE;
}

static void
trainer_clear (Trainer *t)
{
  for (guint i = 0; i < t->pairs->len; i++)
    g_free (g_array_index (t->pairs, Pair, i).places);
  g_array_unref (t->pairs);
  g_array_unref (t->heap);
  g_array_unref (t->touched);
  g_array_unref (t->merges);
  g_free (t->slots);
  g_free (t->symbol);
  g_free (t->next);
  g_free (t->previous);
  g_free (t->word);
  fen_vocab_clear (&t->vocab);
}

static FenTokenizer *
train_words (const FenWordCounts *counts, gsize vocab_size, GCancellable *cancellable,
             FenTokenizerProgress progress, gpointer progress_data, GError **error)
{
  Trainer t = { .pairs = g_array_new (FALSE, FALSE, sizeof (Pair)),
                .heap = g_array_new (FALSE, FALSE, sizeof (Candidate)),
                .touched = g_array_new (FALSE, FALSE, sizeof (guint32)),
                .merges = g_array_new (FALSE, FALSE, sizeof (guint32)) };
  guint32 symbol_of_byte[256];
  guint64 bytes = 0;
  FenTokenizer *tokenizer = NULL;

  for (guint32 i = 0; i < counts->n; i++)
    bytes += (guint64)counts->words[i].count * counts->words[i].length;
  add_alphabet (&t, symbol_of_byte);
  place_words (&t, counts, symbol_of_byte);
  if (learn (&t, vocab_size, bytes, cancellable, progress, progress_data, error))
    {
      g_autofree char *json = fen_tokenizer_write_byte_level (
          &t.vocab, 0, TRUE, (const guint32 *)t.merges->data, t.merges->len / 2);
      tokenizer = fen_tokenizer_load_text (json, strlen (json), "trained tokenizer", error);
      if (tokenizer != NULL && progress != NULL)
        progress (1, bytes, t.vocab.size, progress_data);
    }
  trainer_clear (&t);
  return tokenizer;
}

FenTokenizer *
fen_tokenizer_train_bpe (FenTextSource source, gpointer source_data, gsize vocab_size, guint n_threads,
                         GCancellable *cancellable, FenTokenizerProgress progress, gpointer progress_data,
                         GError **error)
{
  g_auto (FenWordCounts) counts = { NULL };

  if (vocab_size < 257 || vocab_size > FEN_TOKENIZER_MAX_VOCAB)
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_OPTION,
                   "a vocabulary of %" G_GSIZE_FORMAT " tokens; 257 to %u are allowed", vocab_size,
                   FEN_TOKENIZER_MAX_VOCAB);
      return NULL;
    }
  if (!fen_bpe_count_words (&counts, source, source_data, n_threads, cancellable, progress, progress_data,
                            error))
    return NULL;
  if (counts.n == 0 || counts.text_bytes >= NONE)
    {
      if (counts.n == 0)
        g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_EMPTY, "no text to train a tokenizer on");
      else
        g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_OPTION,
                     "the different words of the text have %" G_GSIZE_FORMAT
                     " bytes; at most %u are allowed to train a tokenizer: is this text?",
                     counts.text_bytes, NONE - 1);
      return NULL;
    }
  return train_words (&counts, vocab_size, cancellable, progress, progress_data, error);
}
