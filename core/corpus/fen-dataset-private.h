/* fen-dataset-private.h: from documents to a token cache. */
#pragma once

#include "core/corpus/fen-dataset.h"
#include "core/corpus/fen-reader-private.h"
#include "core/corpus/fen-token-cache.h"
#include "core/corpus/fen-tokenizer.h"

G_BEGIN_DECLS

typedef struct {
  FenReader *reader;
  FenTokenizer *tokenizer;
  FenTokenCacheWriter *writer;
  guint threads; /* >= 1; the result does not depend on it */
  FenTokenCacheProgress progress;
  gpointer progress_data;
  GCancellable *cancellable;
} FenTokenizeJob;

/* Writes all documents of the reader, each with what the tokenizer's post-processor adds (Llama's <s>) and the
 * end-of-document token behind it. Does not commit. */
gboolean fen_dataset_tokenize (const FenTokenizeJob *job, GError **error);

/* One whole document as it stands in a cache; appends to `ids` (guint32). */
gboolean fen_dataset_encode (FenEncoder *encoder, gint64 end_id, const char *text, gsize bytes, GArray *ids,
                             GError **error);

/* What the cache of an earlier run says of these files with this tokenizer; FALSE when there is none, or when finding it
 * would take more than a glance at the files. */
gboolean fen_dataset_recall (const FenSource *source, const char *text_field, FenTokenizer *tokenizer,
                             const char *cache_folder, FenTokenCacheStats *stats, GCancellable *cancellable);

/* The tokens of a dataset, from the cache or newly made. */
typedef struct {
  FenTokenCache *cache;
  char *cache_path; /* NULL: a temporary file */
  char content_hash[33];
  gboolean from_cache;
} FenDatasetTokens;

gboolean fen_dataset_get_tokens (const FenDatasetOptions *options, FenDatasetTokens *tokens, GPtrArray *notes,
                                 GCancellable *cancellable, GError **error);

G_END_DECLS
