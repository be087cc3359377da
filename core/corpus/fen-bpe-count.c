/* fen-bpe-count.c: see the header. The caller's thread reads the source and fills blocks of about a megabyte; the
 * workers count them. Blocks go round between two queues, which bounds the memory. */
#include "core/corpus/fen-bpe-count.h"

#include <pthread.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/corpus/fen-tokenizer-private.h"
#include "core/corpus/fen-tokenizer-unicode.h"

#define BLOCK_BYTES ((gsize)1 << 20)

/* ---- the table ---- */

void
fen_word_counts_clear (FenWordCounts *counts)
{
  g_free (counts->text);
  g_free (counts->words);
  g_free (counts->slots);
  memset (counts, 0, sizeof *counts);
}

static void
grow_slots (FenWordCounts *counts)
{
  const guint32 n = counts->slots == NULL ? 4096 : (counts->mask + 1) * 2;
  g_free (counts->slots);
  counts->slots = g_new0 (guint32, n);
  counts->mask = n - 1;
  for (guint32 i = 0; i < counts->n; i++)
    {
      guint32 at = counts->words[i].hash & counts->mask;
      while (counts->slots[at] != 0)
        at = (at + 1) & counts->mask;
      counts->slots[at] = i + 1;
    }
}

static void
append_word (FenWordCounts *counts, const char *text, guint32 bytes, guint32 hash, gint64 count)
{
  if (counts->n == counts->space)
    {
      counts->space = MAX (4096, counts->space * 2);
      counts->words = g_renew (FenWord, counts->words, counts->space);
    }
  if (counts->text_bytes + bytes > counts->text_space)
    {
      counts->text_space = MAX (65536, 2 * (counts->text_bytes + bytes));
      counts->text = g_realloc (counts->text, counts->text_space);
    }
  memcpy (counts->text + counts->text_bytes, text, bytes);
  counts->words[counts->n++]
      = (FenWord){ .offset = counts->text_bytes, .length = bytes, .hash = hash, .count = count };
  counts->text_bytes += bytes;
}

static void
add_word (FenWordCounts *counts, const char *text, guint32 bytes, guint32 hash, gint64 count)
{
  if (counts->slots == NULL || counts->n > counts->mask / 2)
    grow_slots (counts);
  guint32 at = hash & counts->mask;
  for (; counts->slots[at] != 0; at = (at + 1) & counts->mask)
    {
      FenWord *word = &counts->words[counts->slots[at] - 1];
      if (word->hash == hash && word->length == bytes
          && memcmp (counts->text + word->offset, text, bytes) == 0)
        {
          word->count += count;
          return;
        }
    }
  append_word (counts, text, bytes, hash, count);
  counts->slots[at] = counts->n;
}

/* ---- workers ---- */

typedef struct {
  GByteArray *text;
  GArray *ends;  /* gsize: where each document, or part of one, ends */
  gboolean last; /* the worker that gets it stops */
} Block;

/* First in, first out. A GAsyncQueue would do, but ThreadSanitizer does not see into GLib's locks. */
typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t filled;
  GQueue blocks;
} Queue;

#define QUEUE_INIT                                                                                           \
  {                                                                                                          \
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, G_QUEUE_INIT                                        \
  }

static void
queue_push (Queue *queue, Block *block)
{
  pthread_mutex_lock (&queue->lock);
  g_queue_push_tail (&queue->blocks, block);
  pthread_cond_signal (&queue->filled);
  pthread_mutex_unlock (&queue->lock);
}

static Block *
queue_pop (Queue *queue)
{
  pthread_mutex_lock (&queue->lock);
  while (g_queue_is_empty (&queue->blocks))
    pthread_cond_wait (&queue->filled, &queue->lock);
  Block *block = g_queue_pop_head (&queue->blocks);
  pthread_mutex_unlock (&queue->lock);
  return block;
}

typedef struct {
  Queue full, empty;
  const FenRegex *regex;
} Shared;

typedef struct {
  Shared *shared;
  GThread *thread;
  FenWordCounts counts;
  FenRegexScratch *scratch;
  GError *error;
} Worker;

static void
count_text (Worker *w, const guint8 *text, gsize bytes)
{
  gsize at = 0, start, end;

  while (at < bytes && w->error == NULL)
    {
      /* GPT-2's expression matches any text from its first character on, so there are no gaps. */
      if (fen_regex_find (w->shared->regex, w->scratch, text, bytes, at, TRUE, &start, &end, &w->error)
          != FEN_REGEX_MATCH)
        break;
      const char *word = (const char *)text + start;
      add_word (&w->counts, word, (guint32)(end - start), (guint32)XXH3_64bits (word, end - start), 1);
      at = end;
    }
}

/* <|endoftext|> in the text is a token already. */
static void
count_document (Worker *w, const guint8 *text, gsize bytes)
{
  const gsize mark = strlen (FEN_TOKENIZER_END_OF_TEXT);
  const guint8 *found;

  while ((found = memmem (text, bytes, FEN_TOKENIZER_END_OF_TEXT, mark)) != NULL)
    {
      count_text (w, text, (gsize)(found - text));
      bytes -= (gsize)(found - text) + mark;
      text = found + mark;
    }
  count_text (w, text, bytes);
}

static gpointer
work (gpointer data)
{
  Worker *w = data;

  for (;;)
    {
      Block *block = queue_pop (&w->shared->full);
      const gboolean last = block->last;
      gsize start = 0;
      for (guint i = 0; i < block->ends->len && w->error == NULL; i++)
        {
          const gsize end = g_array_index (block->ends, gsize, i);
          count_document (w, block->text->data + start, end - start);
          start = end;
        }
      queue_push (&w->shared->empty, block);
      if (last)
        return NULL;
    }
}

static Block *
block_new (void)
{
  Block *block = g_new0 (Block, 1);
  block->text = g_byte_array_sized_new (BLOCK_BYTES + BLOCK_BYTES / 4);
  block->ends = g_array_new (FALSE, FALSE, sizeof (gsize));
  return block;
}

static void
block_free (gpointer data)
{
  Block *block = data;
  g_byte_array_unref (block->text);
  g_array_unref (block->ends);
  g_free (block);
}

static Block *
take_empty (Shared *shared)
{
  Block *block = queue_pop (&shared->empty);
  g_byte_array_set_size (block->text, 0);
  g_array_set_size (block->ends, 0);
  block->last = FALSE;
  return block;
}

/* ---- the reader ---- */

/* A part of a long document. GPT-2's expression never matches white space behind a letter or digit together with
 * it, so such a place splits words in any context. */
static gsize
part_length (const char *text, gsize bytes)
{
  if (bytes <= BLOCK_BYTES)
    return bytes;
  for (gsize at = BLOCK_BYTES; at > 0; at--)
    if ((text[at] == ' ' || text[at] == '\n') && g_ascii_isalnum (text[at - 1]))
      return at;
  for (gsize at = BLOCK_BYTES; at < bytes; at++)
    if ((text[at] == ' ' || text[at] == '\n') && g_ascii_isalnum (text[at - 1]))
      return at;
  return bytes;
}

typedef struct {
  Shared *shared;
  Block *block;
  guint64 bytes; /* given so far */
  GCancellable *cancellable;
  FenTokenizerProgress progress;
  gpointer progress_data;
} Reader;

static gboolean
give_document (Reader *r, const char *text, gsize bytes, GError **error)
{
  gboolean incomplete;
  const gsize valid = fen_utf8_valid_prefix ((const guint8 *)text, bytes, &incomplete);

  if (valid < bytes || bytes > G_MAXINT32)
    {
      if (valid < bytes)
        g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_INVALID_UTF8,
                     "the text is not UTF-8: byte %02X at offset %" G_GUINT64_FORMAT, (guint8)text[valid],
                     r->bytes + valid);
      else
        g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_OPTION,
                     "a piece of training text has %" G_GSIZE_FORMAT " bytes; at most %d are allowed", bytes,
                     G_MAXINT32);
      return FALSE;
    }
  while (bytes > 0)
    {
      const gsize part = part_length (text, bytes);
      g_byte_array_append (r->block->text, (const guint8 *)text, (guint)part);
      const gsize end = r->block->text->len;
      g_array_append_val (r->block->ends, end);
      text += part;
      bytes -= part;
      r->bytes += part;
      if (end < BLOCK_BYTES)
        continue;
      queue_push (&r->shared->full, r->block);
      r->block = take_empty (r->shared);
      if (g_cancellable_set_error_if_cancelled (r->cancellable, error))
        return FALSE;
      if (r->progress != NULL)
        r->progress (-1, r->bytes, 0, r->progress_data);
    }
  return TRUE;
}

static gboolean
read_source (Reader *r, FenTextSource source, gpointer source_data, GError **error)
{
  for (;;)
    {
      const char *text = NULL;
      gsize bytes = 0;
      if (!source (source_data, &text, &bytes, error))
        return FALSE;
      if (text == NULL)
        return TRUE;
      if (!give_document (r, text, bytes, error))
        return FALSE;
    }
}

/* Every worker gets one last block; the reader's half-full one is among them. */
static void
stop_workers (Reader *r, Worker *workers, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      Block *block = i == 0 ? r->block : take_empty (r->shared);
      block->last = TRUE;
      queue_push (&r->shared->full, block);
    }
  for (guint i = 0; i < n; i++)
    g_thread_join (workers[i].thread);
}

static void
add_table (FenWordCounts *sum, const FenWordCounts *part)
{
  for (guint32 i = 0; i < part->n; i++)
    {
      const FenWord *word = &part->words[i];
      add_word (sum, part->text + word->offset, word->length, word->hash, word->count);
    }
}

static gboolean
run (FenWordCounts *counts, Reader *r, Worker *workers, guint n, FenTextSource source, gpointer source_data,
     GError **error)
{
  for (guint i = 0; i < n; i++)
    {
      workers[i].shared = r->shared;
      workers[i].scratch = fen_regex_scratch_new ();
      workers[i].thread = g_thread_new ("fen-bpe-count", work, &workers[i]);
    }
  r->block = take_empty (r->shared);
  gboolean ok = read_source (r, source, source_data, error);
  stop_workers (r, workers, n);

  for (guint i = 0; i < n; i++)
    {
      fen_regex_scratch_free (workers[i].scratch);
      if (ok && workers[i].error != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&workers[i].error));
          ok = FALSE;
        }
      if (ok)
        add_table (counts, &workers[i].counts);
      g_clear_error (&workers[i].error);
      fen_word_counts_clear (&workers[i].counts);
    }
  return ok;
}

gboolean
fen_bpe_count_words (FenWordCounts *counts, FenTextSource source, gpointer source_data, guint n_threads,
                     GCancellable *cancellable, FenTokenizerProgress progress, gpointer progress_data,
                     GError **error)
{
  FenRegex *regex = fen_regex_new (fen_gpt2_pattern, FALSE, "bpe", error);
  if (regex == NULL)
    return FALSE;
  const guint n = CLAMP (n_threads == 0 ? g_get_num_processors () : n_threads, 1, 64);
  g_autofree Worker *workers = g_new0 (Worker, n);
  Shared shared = { .full = QUEUE_INIT, .empty = QUEUE_INIT, .regex = regex };
  Reader reader = {
    .shared = &shared, .cancellable = cancellable, .progress = progress, .progress_data = progress_data
  };

  for (guint i = 0; i < 2 * n + 1; i++)
    queue_push (&shared.empty, block_new ());
  const gboolean ok = run (counts, &reader, workers, n, source, source_data, error);
  g_queue_clear_full (&shared.empty.blocks, block_free); /* the workers have given all of them back */
  fen_regex_free (regex);
  return ok;
}
