/* fen-packer-split.c: which documents, or which part of one, are held out for evaluation.
 *
 * Whole documents are held out where that is possible, because the rest of a document that was trained on is no test.
 * The share counts tokens, not documents: one novel among ten thousand notes is most of the corpus.
 */
#include <string.h>

#include "core/base/fen-random.h"
#include "core/corpus/fen-packer.h"

#define SPLIT_PURPOSE 1
#define SPLIT_SEED 0 /* the same documents for every run on this corpus */

void
fen_part_clear (FenPart *part)
{
  g_clear_pointer (&part->documents, g_free);
  memset (part, 0, sizeof *part);
  part->cut_document = -1;
}

static gint64
document_begin (const guint64 *ends, gint64 d)
{
  return d > 0 ? (gint64)ends[d - 1] : 0;
}

void
fen_part_range (const FenPart *part, gint64 j, gint64 *begin, gint64 *end)
{
  gint64 d = part->documents != NULL ? (gint64)part->documents[j] : j;
  *begin = d == part->cut_document ? part->cut_begin : document_begin (part->ends, d);
  *end = d == part->cut_document ? part->cut_end : (gint64)part->ends[d];
}

/* Marks documents in random order as held out while they fit; returns their tokens. A document that is too long for
 * what is left is passed over, so a few long ones cannot keep the share from being met. */
static gint64
draw_documents (const guint64 *ends, gint64 n_documents, gint64 target, gint64 limit, guint8 *held)
{
  FenPermutation order;
  gint64 tokens = 0;
  fen_permutation_init (&order, SPLIT_SEED, FEN_RANDOM_STREAM_SPLIT, SPLIT_PURPOSE, (guint64)n_documents);
  for (gint64 i = 0; i < n_documents && tokens < target - target / 100; i++)
    {
      gint64 d = (gint64)fen_permutation_at (&order, (guint64)i);
      gint64 n = (gint64)ends[d] - document_begin (ends, d);
      if (tokens + n <= limit)
        {
          held[d] = 1;
          tokens += n;
        }
    }
  return tokens;
}

static gint64
longest_left (const guint64 *ends, gint64 n_documents, const guint8 *held)
{
  gint64 longest = -1, most = 0;
  for (gint64 d = 0; d < n_documents; d++)
    if (!held[d] && (gint64)ends[d] - document_begin (ends, d) > most)
      {
        longest = d;
        most = (gint64)ends[d] - document_begin (ends, d);
      }
  return longest;
}

/* The documents with held[d] == which, and the cut document. */
static void
collect (FenPart *part, const guint64 *ends, gint64 n_documents, const guint8 *held, guint8 which,
         gint64 cut_document)
{
  gint64 n = 0;
  for (gint64 d = 0; d < n_documents; d++)
    n += held[d] == which || d == cut_document ? 1 : 0;
  part->n_documents = 0;
  part->cut_document = cut_document;
  part->documents = g_new (guint32, MAX (n, 1));
  for (gint64 d = 0; d < n_documents; d++)
    if (held[d] == which || d == cut_document)
      part->documents[part->n_documents++] = (guint32)d;
}

static void
count_tokens (FenPart *part)
{
  part->n_tokens = 0;
  for (gint64 j = 0; j < part->n_documents; j++)
    {
      gint64 begin, end;
      fen_part_range (part, j, &begin, &end);
      part->n_tokens += end - begin;
    }
}

void
fen_part_split (const guint64 *ends, gint64 n_documents, double eval_share, FenPart *train, FenPart *eval)
{
  gint64 n_tokens = (gint64)ends[n_documents - 1];
  /* the form of nanoGPT's split, so that its figures can be compared: train is the first int (n * 0.9) */
  gint64 target = n_tokens - (gint64)((double)n_tokens * (1.0 - eval_share));
  *train = (FenPart){ .ends = ends, .n_documents = n_documents, .n_tokens = n_tokens, .cut_document = -1 };
  *eval = (FenPart){ .ends = ends, .cut_document = -1 };
  if (eval_share <= 0 || target < 2 || target >= n_tokens)
    {
      *train
          = (FenPart){ .ends = ends, .n_documents = n_documents, .n_tokens = n_tokens, .cut_document = -1 };
      return;
    }
  g_autofree guint8 *held = g_malloc0 ((gsize)n_documents);
  /* a little more than the target is as good as a little less; train keeps at least half of its share */
  gint64 limit = target + MIN (target / 10, (n_tokens - target) / 2);
  gint64 drawn = draw_documents (ends, n_documents, target, limit, held);
  gint64 cut_document = drawn < target / 2 ? longest_left (ends, n_documents, held) : -1;
  collect (train, ends, n_documents, held, 0, cut_document);
  collect (eval, ends, n_documents, held, 1, cut_document);
  if (cut_document >= 0)
    {
      /* it was passed over, so it is longer than limit - drawn >= target - drawn: both parts get some of it */
      train->cut_begin = document_begin (ends, cut_document);
      eval->cut_end = (gint64)ends[cut_document];
      train->cut_end = eval->cut_begin = eval->cut_end - (target - drawn);
      train->cut_is_open = TRUE;
    }
  count_tokens (train);
  count_tokens (eval);
}
