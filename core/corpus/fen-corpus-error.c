/* fen-corpus-error.c: the quark of the room's error domain. */
#include "core/corpus/fen-corpus-error.h"

G_DEFINE_QUARK (fen - corpus - error - quark, fen_corpus_error)
