/* fen-train-error.c: see fen-train-error.h. */
#include "core/train/fen-train-error.h"

/* clang-format off */
G_DEFINE_QUARK (fen-train-error-quark, fen_train_error)
