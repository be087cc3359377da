/* fen-bpe-count.h: counting the words of a text, the first half of training a BPE.
 *
 * Training needs no text, only the different words and how often each occurs: 100 MB of English have some 500,000
 * different words. The text is split by GPT-2's pre-tokeniser in several threads, each with a table of its own,
 * and the tables are added up.
 */
#pragma once

#include "core/corpus/fen-tokenizer.h"

G_BEGIN_DECLS

typedef struct {
  gsize offset; /* into text */
  guint32 length;
  guint32 hash;
  gint64 count;
} FenWord;

typedef struct {
  char *text; /* all the words */
  gsize text_bytes, text_space;
  FenWord *words;
  guint32 n, space;
  guint32 *slots; /* index + 1 */
  guint32 mask;
} FenWordCounts;

void fen_word_counts_clear (FenWordCounts *counts);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (FenWordCounts, fen_word_counts_clear)

/* Counts all the text of a source into `counts`, which is empty. The parameters are those of
 * fen_tokenizer_train_bpe. The words are the same for every `n_threads`, their order is not. */
gboolean fen_bpe_count_words (FenWordCounts *counts, FenTextSource source, gpointer source_data, guint n_threads,
                              GCancellable *cancellable, FenTokenizerProgress progress, gpointer progress_data,
                              GError **error);

G_END_DECLS
