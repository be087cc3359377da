/* fen-packer.c: rows cut from an epoch's stream of documents (fen-dataset.h says what a row is).
 *
 * An epoch is a rotation and two permutations, of its documents and of its rows, and one table: where each document, in
 * the epoch's order, starts in the stream. A row is found by binary search in that table and walked from there. The
 * tables of the last two epochs are kept, so that threads on both sides of an epoch's end do not take turns in making
 * them.
 */
#include "core/corpus/fen-packer.h"

#include <pthread.h>
#include <string.h>

#include "core/base/fen-random.h"

#define N_KEPT 2

enum { PURPOSE_ROWS = 1, PURPOSE_DOCUMENTS = 2, PURPOSE_ROTATION = 3 };

typedef struct {
  guint references; /* under the packer's lock */
  gint64 number;
  gint64 rotation; /* row 0 starts here in the stream */
  FenPermutation rows, documents;
  gint64 *starts; /* (documents + 1), in the epoch's order */
} Epoch;

struct _FenPacker {
  FenTokenCache *cache;
  FenPart part;
  FenPackerOptions options;
  gint64 rows;
  pthread_mutex_t lock; /* not a GMutex, whose order ThreadSanitizer cannot see */
  Epoch *kept[N_KEPT];  /* the most recently used first */
};

/* A stretch of a row that lies in one document. */
typedef struct {
  gint64 first, n; /* tokens of the cache */
  gint64 follower; /* the token after the last one, as a target; -1: none */
} Segment;

/* With the packer's lock held. */
static void
epoch_unref (Epoch *epoch)
{
  if (--epoch->references > 0)
    return;
  g_free (epoch->starts);
  g_free (epoch);
}

static gint64
document_at (const FenPacker *packer, const Epoch *epoch, gint64 k)
{
  return packer->options.shuffle ? (gint64)fen_permutation_at (&epoch->documents, (guint64)k) : k;
}

static Epoch *
epoch_new (const FenPacker *packer, gint64 number)
{
  Epoch *epoch = g_new0 (Epoch, 1);
  guint64 stream = FEN_RANDOM_STREAM_SHUFFLE + ((guint64)number << 8);
  gint64 n = packer->part.n_documents;
  epoch->references = 1;
  epoch->number = number;
  fen_permutation_init (&epoch->rows, packer->options.seed, stream, PURPOSE_ROWS,
                        (guint64)MAX (packer->rows, 1));
  fen_permutation_init (&epoch->documents, packer->options.seed, stream, PURPOSE_DOCUMENTS,
                        (guint64)MAX (n, 1));
  if (packer->options.shuffle)
    {
      guint32 random[4];
      fen_philox4x32 (packer->options.seed, stream, (guint64)PURPOSE_ROTATION << 56, random);
      epoch->rotation
          = (gint64)(((guint64)random[1] << 32 | random[0]) % (guint64)packer->options.row_tokens);
    }
  epoch->starts = g_new (gint64, n + 1);
  epoch->starts[0] = 0;
  for (gint64 k = 0; k < n; k++)
    {
      gint64 begin, end;
      fen_part_range (&packer->part, document_at (packer, epoch, k), &begin, &end);
      epoch->starts[k + 1] = epoch->starts[k] + end - begin;
    }
  return epoch;
}

/* A new reference. Sequential epochs are all alike. */
static Epoch *
get_epoch (FenPacker *packer, gint64 number)
{
  if (!packer->options.shuffle)
    number = 0;
  pthread_mutex_lock (&packer->lock);
  guint i = 0;
  while (i < N_KEPT - 1 && !(packer->kept[i] != NULL && packer->kept[i]->number == number))
    i++;
  Epoch *epoch = packer->kept[i];
  if (epoch == NULL || epoch->number != number)
    {
      g_clear_pointer (&packer->kept[i], epoch_unref);
      epoch = epoch_new (packer, number);
    }
  memmove (packer->kept + 1, packer->kept, i * sizeof *packer->kept);
  packer->kept[0] = epoch;
  epoch->references++;
  pthread_mutex_unlock (&packer->lock);
  return epoch;
}

static void
put_epoch (FenPacker *packer, Epoch *epoch)
{
  pthread_mutex_lock (&packer->lock);
  epoch_unref (epoch);
  pthread_mutex_unlock (&packer->lock);
}

FenPacker *
fen_packer_new (FenTokenCache *cache, FenPart *part, const FenPackerOptions *options)
{
  FenPacker *packer = g_new0 (FenPacker, 1);
  packer->cache = cache;
  packer->part = *part;
  packer->options = *options;
  packer->rows = packer->part.n_tokens / options->row_tokens;
  if (options->pad && packer->part.n_tokens % options->row_tokens != 0)
    packer->rows++;
  pthread_mutex_init (&packer->lock, NULL);
  memset (part, 0, sizeof *part);
  return packer;
}

void
fen_packer_free (FenPacker *packer)
{
  if (packer == NULL)
    return;
  for (guint i = 0; i < N_KEPT; i++)
    g_clear_pointer (&packer->kept[i], epoch_unref);
  pthread_mutex_destroy (&packer->lock);
  fen_part_clear (&packer->part);
  g_free (packer);
}

gint64
fen_packer_rows (FenPacker *packer)
{
  return packer->rows;
}

/* The document, in the epoch's order, that holds place `p` of the stream. */
static gint64
find_document (const FenPacker *packer, const Epoch *epoch, gint64 p)
{
  gint64 low = 0, high = packer->part.n_documents;
  while (high - low > 1)
    {
      gint64 middle = low + (high - low) / 2;
      if (epoch->starts[middle] <= p)
        low = middle;
      else
        high = middle;
    }
  return low;
}

/* The first token after document k (document number j of the part) when it counts as a target, or -1. */
static gint64
follower_of_document (const FenPacker *packer, const Epoch *epoch, gint64 k, gint64 j)
{
  const FenPart *part = &packer->part;
  gint64 d = part->documents != NULL ? (gint64)part->documents[j] : j;
  gint64 begin, end;
  if (packer->options.document_mask || k + 1 == part->n_documents
      || (d == part->cut_document && part->cut_is_open))
    return -1;
  fen_part_range (part, document_at (packer, epoch, k + 1), &begin, &end);
  return begin;
}

/* The stretch from place `p` (in document k) on, at most `room` long. */
static Segment
segment_at (const FenPacker *packer, const Epoch *epoch, gint64 k, gint64 p, gint64 room)
{
  gint64 j = document_at (packer, epoch, k), begin, end;
  fen_part_range (&packer->part, j, &begin, &end);
  gint64 inside = p - epoch->starts[k];
  Segment segment = { .first = begin + inside, .n = MIN (end - begin - inside, room) };
  gboolean whole = segment.first + segment.n == end;
  segment.follower = whole ? follower_of_document (packer, epoch, k, j) : segment.first + segment.n;
  return segment;
}

/* Where one row goes. */
typedef struct {
  gint32 *tokens, *targets, *doc_start, *doc_end, *positions;
  gint64 length;
  gboolean document_mask;
} Row;

/* doc_start, doc_end and positions of places [t, t + n), a document of their own. */
static void
put_document (const Row *row, gint64 t, gint64 n)
{
  gint64 start = row->document_mask ? t : 0, end = row->document_mask ? t + n : row->length;
  for (gint64 i = t; i < t + n; i++)
    {
      if (row->doc_start != NULL)
        row->doc_start[i] = (gint32)start;
      if (row->doc_end != NULL)
        row->doc_end[i] = (gint32)end;
      if (row->positions != NULL)
        row->positions[i] = (gint32)(i - start);
    }
}

static gboolean
put_segment (const Row *row, FenTokenCache *cache, const Segment *segment, gint64 t, gint64 *n_targets,
             GError **error)
{
  gint32 follower = -1;
  if (!fen_token_cache_read (cache, segment->first, segment->n, row->tokens + t, error)
      || (segment->follower >= 0 && !fen_token_cache_read (cache, segment->follower, 1, &follower, error)))
    return FALSE;
  if (row->targets != NULL)
    {
      memcpy (row->targets + t, row->tokens + t + 1, (gsize)(segment->n - 1) * sizeof *row->targets);
      row->targets[t + segment->n - 1] = follower;
    }
  *n_targets += segment->n - (follower < 0 ? 1 : 0);
  put_document (row, t, segment->n);
  return TRUE;
}

static void
put_padding (const Row *row, gint64 t)
{
  gint64 n = row->length - t;
  memset (row->tokens + t, 0, (gsize)n * sizeof *row->tokens);
  for (gint64 i = t; row->targets != NULL && i < row->length; i++)
    row->targets[i] = -1;
  put_document (row, t, n);
}

/* Row `index` of the epoch. */
static gboolean
fill_row (FenPacker *packer, const Epoch *epoch, gint64 index, const Row *row, gint64 *n_targets,
          GError **error)
{
  gint64 n_tokens = packer->part.n_tokens;
  gint64 place = packer->options.shuffle ? (gint64)fen_permutation_at (&epoch->rows, (guint64)index) : index;
  gint64 p = epoch->rotation + place * row->length; /* < n_tokens: only a row's end can wrap around */
  gint64 k = find_document (packer, epoch, p);
  for (gint64 t = 0; t < row->length;)
    {
      Segment segment = segment_at (packer, epoch, k, p, row->length - t);
      if (!put_segment (row, packer->cache, &segment, t, n_targets, error))
        return FALSE;
      t += segment.n;
      p += segment.n;
      k += p == epoch->starts[k + 1] ? 1 : 0;
      if (p == n_tokens && packer->options.pad)
        {
          put_padding (row, t);
          return TRUE;
        }
      if (p == n_tokens)
        p = k = 0;
    }
  return TRUE;
}

static Row
row_at (const FenPacker *packer, const FenRows *rows, gint64 i)
{
  gint64 offset = i * packer->options.row_tokens;
  return (Row){
    .tokens = rows->tokens + offset,
    .targets = rows->targets != NULL ? rows->targets + offset : NULL,
    .doc_start = rows->doc_start != NULL ? rows->doc_start + offset : NULL,
    .doc_end = rows->doc_end != NULL ? rows->doc_end + offset : NULL,
    .positions = rows->positions != NULL ? rows->positions + offset : NULL,
    .length = packer->options.row_tokens,
    .document_mask = packer->options.document_mask,
  };
}

gint64
fen_packer_fill (FenPacker *packer, gint64 first_row, gint64 n_rows, const FenRows *rows, GError **error)
{
  gint64 n_targets = 0;
  g_return_val_if_fail (packer->rows > 0 && first_row >= 0 && n_rows >= 0 && rows->tokens != NULL, -1);
  for (gint64 i = 0; i < n_rows; i++)
    {
      Epoch *epoch = get_epoch (packer, (first_row + i) / packer->rows);
      Row row = row_at (packer, rows, i);
      gboolean ok = fill_row (packer, epoch, (first_row + i) % packer->rows, &row, &n_targets, error);
      put_epoch (packer, epoch);
      if (!ok)
        return -1;
    }
  return n_targets;
}
