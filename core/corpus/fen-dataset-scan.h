/* fen-dataset-scan.h: what is known of a dataset before it is tokenised, for a person who is choosing one.
 *
 * The size is there as soon as the files are listed. Documents are counted: .txt files from the list, .jsonl lines by
 * reading (at the disk's speed). Tokens come from the token cache of an earlier run when there is one; otherwise the
 * beginning of the text is tokenised and the rest taken to be like it, which is exact when that was all of it. A BPE that
 * a run would train is trained on that beginning.
 *
 * Threads: reentrant; reads files, so it belongs on a worker.
 */
#pragma once

#include "core/corpus/fen-tokenizer.h"

G_BEGIN_DECLS

typedef struct {
  guint64 bytes; /* of all files */
  gint64 files;
  gint64 documents, tokens; /* -1 = not known yet */
  gboolean documents_exact, tokens_exact;
} FenDatasetScan;

/* Called on the scan's thread whenever more is known, and a few times a second while lines are counted. */
typedef void (*FenDatasetScanFunc) (const FenDatasetScan *scan, gpointer user_data);

typedef struct {
  const char *path;            /* .txt, .jsonl or a folder of .txt */
  const char *text_field;      /* NULL = "text" */
  FenTokenizer *tokenizer;     /* NULL: a BPE of `bpe_tokens` */
  gint64 bpe_tokens;           /* without either, tokens stay unknown */
  const char *cache_folder;    /* NULL = fenestra/tokens in the user's cache folder */
  FenDatasetScanFunc progress; /* or NULL */
  gpointer progress_data;
} FenDatasetScanOptions;

/* Errors are those of fen_dataset_open, as far as the beginning of the text shows them. */
gboolean fen_dataset_scan (const FenDatasetScanOptions *options, FenDatasetScan *scan,
                           GCancellable *cancellable, GError **error);

G_END_DECLS
