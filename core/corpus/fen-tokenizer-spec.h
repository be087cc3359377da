/* fen-tokenizer-spec.h: the option `tokenizer`, understood in one place.
 *
 *   ""        the model folder's own tokenizer; for a preset a BPE of FEN_TOKENIZER_DEFAULT_VOCAB trained on the data
 *   bytes     one token a byte
 *   bpe:N     a byte-level BPE with N tokens, trained on the data
 *   a path    a tokenizer.json, or a folder with one
 *
 * The trainer, the planner (which has to know the vocabulary before any text is read), text generation and the window
 * all ask here.
 */
#pragma once

#include "core/corpus/fen-tokenizer.h"

G_BEGIN_DECLS

#define FEN_TOKENIZER_DEFAULT_VOCAB 4096

typedef enum {
  FEN_TOKENIZER_BYTES,
  FEN_TOKENIZER_FILE,  /* load `path` */
  FEN_TOKENIZER_TRAIN, /* train a BPE with `vocab_size` tokens on the data */
} FenTokenizerKind;

typedef struct {
  FenTokenizerKind kind;
  const char *path;  /* points into one of the arguments of fen_tokenizer_spec_parse */
  gint64 vocab_size; /* FEN_TOKENIZER_TRAIN */
} FenTokenizerSpec;

/* `text` is the option's value; `model_folder` is NULL for a preset. FEN_CORPUS_ERROR_OPTION for a bad bpe:N. */
gboolean fen_tokenizer_spec_parse (const char *text, const char *model_folder, FenTokenizerSpec *spec,
                                   GError **error);
/* Loads it; FEN_TOKENIZER_TRAIN needs text and is FEN_CORPUS_ERROR_OPTION here. */
FenTokenizer *fen_tokenizer_spec_load (const FenTokenizerSpec *spec, GError **error);
/* The vocabulary that a preset's model gets, before anything is trained: N of bpe:N (a small text may give fewer
 * tokens), the file's, or that of bytes. -1 with an error when the file cannot be loaded. */
gint64 fen_tokenizer_spec_vocab_size (const FenTokenizerSpec *spec, GError **error);

G_END_DECLS
