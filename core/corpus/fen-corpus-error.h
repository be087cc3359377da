/* fen-corpus-error.h: the error domain of core/corpus (tokenizers, readers, token cache, packing).
 *
 * A message is one line and names the file (or the option), the key or line number, the value found and what is
 * allowed.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define FEN_CORPUS_ERROR (fen_corpus_error_quark ())
GQuark fen_corpus_error_quark (void);

typedef enum {
  FEN_CORPUS_ERROR_NOT_FOUND, /* no such file or folder, or a folder without the file that is needed */
  FEN_CORPUS_ERROR_TOKENIZER, /* a tokenizer file that contradicts itself: ids, merges, types, sizes */
  FEN_CORPUS_ERROR_UNSUPPORTED, /* a tokenizer node, a regular expression or a file kind that is not supported */
  FEN_CORPUS_ERROR_INVALID_UTF8, /* text that must be UTF-8 and is not; the message has the byte offset */
  FEN_CORPUS_ERROR_TOKEN_ID,     /* an id outside the vocabulary */
  FEN_CORPUS_ERROR_REGEX,        /* the pre-tokeniser's expression gave up on this text (match limits) */
  FEN_CORPUS_ERROR_OPTION,       /* an argument out of its range (vocabulary size, ...) */
  FEN_CORPUS_ERROR_EMPTY,        /* no text, or less text than is needed */
  FEN_CORPUS_ERROR_BINARY,       /* a data set that is not text */
  FEN_CORPUS_ERROR_LINE,         /* a broken line of a .jsonl; the message has its number */
  FEN_CORPUS_ERROR_CACHE,        /* a token cache that is damaged or of another version */
} FenCorpusError;

G_END_DECLS
