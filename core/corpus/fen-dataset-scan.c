/* fen-dataset-scan.c: see fen-dataset-scan.h. */
#include "core/corpus/fen-dataset-scan.h"

#include <string.h>
#include <unistd.h>

#include "core/corpus/fen-dataset-private.h"

/* Text that stands for the rest. More would say it better and let a person wait. */
#define SAMPLE_BYTES (1u << 20)
#define PROGRESS_INTERVAL_US 200000

typedef struct {
  const FenDatasetScanOptions *options;
  const char *text_field;
  FenSource *source;
  FenDatasetScan *scan;
  GCancellable *cancellable;
  gint64 reported_us;

  /* The sample: documents one after another, and where each ends. */
  GString *text;
  GArray *ends;     /* gsize */
  FenReader *again; /* the same text, for the BPE trainer, */
  gsize given;      /* which has got this much */
  guint64 consumed; /* bytes of the files that the sample stands in */
  gboolean all;     /* the sample is the whole dataset */
} Scan;

static void
report (Scan *scan)
{
  scan->reported_us = g_get_monotonic_time ();
  if (scan->options->progress != NULL)
    scan->options->progress (scan->scan, scan->options->progress_data);
}

/* ---- the sample ---- */

/* The beginning of the text, whole documents as far as they fit. */
static gboolean
read_sample (Scan *scan, GError **error)
{
  g_autoptr (FenReader) reader = fen_reader_new_for_source (scan->source, scan->text_field);
  FenReaderPiece piece;
  gboolean open = FALSE;
  while (scan->text->len < SAMPLE_BYTES)
    {
      if (!fen_reader_next (reader, &piece, scan->cancellable, error))
        return FALSE;
      if (piece.text == NULL)
        {
          scan->all = TRUE;
          break;
        }
      g_string_append_len (scan->text, piece.text, (gssize)piece.bytes);
      open = !piece.last;
      if (piece.last)
        g_array_append_val (scan->ends, scan->text->len);
    }
  if (open)
    g_array_append_val (scan->ends, scan->text->len);
  scan->consumed = fen_reader_bytes_consumed (reader);
  if (scan->text->len > 0)
    return TRUE;
  g_autofree char *name = fen_source_display (scan->options->path);
  g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_EMPTY, "%s: no text in it", name);
  return FALSE;
}

/* What `counted` in the sample comes to in all files. */
static gint64
extrapolate (const Scan *scan, gint64 counted)
{
  if (scan->all || scan->consumed == 0)
    return counted;
  double share = (double)scan->source->bytes / (double)scan->consumed;
  return (gint64)((double)counted * MAX (share, 1.0));
}

/* ---- tokens ---- */

/* The sample again, in the pieces that a run's training gets: of the whole dataset it gives the same BPE. */
static gboolean
next_piece (gpointer data, const char **text, gsize *bytes, GError **error)
{
  Scan *scan = data;
  FenReaderPiece piece = { 0 };
  if (scan->given < scan->text->len && !fen_reader_next (scan->again, &piece, scan->cancellable, error))
    return FALSE;
  scan->given += piece.bytes;
  *text = piece.text;
  *bytes = piece.bytes;
  return TRUE;
}

static FenTokenizer *
get_tokenizer (Scan *scan, GError **error)
{
  if (scan->options->tokenizer != NULL)
    return fen_tokenizer_ref (scan->options->tokenizer);
  scan->again = fen_reader_new_for_source (scan->source, scan->text_field);
  FenTokenizer *tokenizer = fen_tokenizer_train_bpe (next_piece, scan, (gsize)scan->options->bpe_tokens, 1,
                                                     scan->cancellable, NULL, NULL, error);
  g_clear_pointer (&scan->again, fen_reader_free);
  return tokenizer;
}

static gboolean
count_sample (Scan *scan, FenTokenizer *tokenizer, GError **error)
{
  g_autoptr (FenEncoder) encoder = fen_encoder_new (tokenizer);
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (guint32));
  gint64 tokens = 0;
  for (guint i = 0; i < scan->ends->len; i++)
    {
      gsize start = i > 0 ? g_array_index (scan->ends, gsize, i - 1) : 0;
      gsize end = g_array_index (scan->ends, gsize, i);
      g_array_set_size (ids, 0);
      if (g_cancellable_set_error_if_cancelled (scan->cancellable, error)
          || !fen_dataset_encode (encoder, fen_tokenizer_end_of_document_id (tokenizer),
                                  scan->text->str + start, end - start, ids, error))
        return FALSE;
      tokens += ids->len;
    }
  scan->scan->tokens = extrapolate (scan, tokens);
  scan->scan->tokens_exact = scan->all;
  return TRUE;
}

static gboolean
count_tokens (Scan *scan, GError **error)
{
  /* A BPE that was trained on everything is the one that a run trains; one from a part is not. */
  gboolean same = scan->options->tokenizer != NULL || scan->all;
  if (scan->options->tokenizer == NULL && scan->options->bpe_tokens <= 0)
    return TRUE;
  g_autoptr (FenTokenizer) tokenizer = get_tokenizer (scan, error);
  if (tokenizer == NULL)
    return FALSE;
  FenTokenCacheStats stats;
  if (same
      && fen_dataset_recall (scan->source, scan->text_field, tokenizer, scan->options->cache_folder, &stats,
                             scan->cancellable))
    {
      scan->scan->tokens = stats.tokens;
      scan->scan->documents = stats.documents;
      scan->scan->tokens_exact = scan->scan->documents_exact = TRUE;
      return TRUE;
    }
  return count_sample (scan, tokenizer, error);
}

/* ---- documents ---- */

static void
on_lines (gint64 lines, guint64 bytes, gpointer data)
{
  Scan *scan = data;
  gint64 now = g_get_monotonic_time ();
  if (now - scan->reported_us < PROGRESS_INTERVAL_US || bytes == 0)
    return;
  scan->scan->documents = (gint64)((double)lines * (double)scan->source->bytes / (double)bytes);
  report (scan);
}

static gboolean
count_documents (Scan *scan, GError **error)
{
  gint64 documents;
  if (scan->scan->documents_exact)
    return TRUE;
  if (!fen_source_count_documents (scan->source, &documents, on_lines, scan, scan->cancellable, error))
    return FALSE;
  scan->scan->documents = documents;
  scan->scan->documents_exact = TRUE;
  return TRUE;
}

static gboolean
run (Scan *scan, GError **error)
{
  scan->scan->bytes = scan->source->bytes;
  scan->scan->files = scan->source->files->len;
  report (scan);
  const FenSourceFile *first = g_ptr_array_index (scan->source->files, 0);
  if (first->kind == FEN_FILE_TXT && !count_documents (scan, error)) /* nothing to read */
    return FALSE;
  if (!read_sample (scan, error))
    return FALSE;
  if (!scan->scan->documents_exact || scan->all)
    {
      scan->scan->documents = extrapolate (scan, scan->ends->len);
      scan->scan->documents_exact = scan->all;
    }
  if (!count_tokens (scan, error))
    return FALSE;
  report (scan);
  return count_documents (scan, error);
}

gboolean
fen_dataset_scan (const FenDatasetScanOptions *options, FenDatasetScan *result, GCancellable *cancellable,
                  GError **error)
{
  Scan scan = { .options = options, .scan = result, .cancellable = cancellable };
  *result = (FenDatasetScan){ .documents = -1, .tokens = -1 };
  g_autoptr (FenSource) source = fen_source_new (options->path, NULL, cancellable, error);
  if (source == NULL)
    return FALSE;
  scan.source = source;
  scan.text_field
      = options->text_field != NULL && *options->text_field != '\0' ? options->text_field : "text";
  scan.text = g_string_new (NULL);
  scan.ends = g_array_new (FALSE, FALSE, sizeof (gsize));
  gboolean ok = run (&scan, error);
  g_string_free (scan.text, TRUE);
  g_array_unref (scan.ends);
  return ok;
}
