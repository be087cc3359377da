/* fen-train-error.h: the error domain of core/train. A message is one line and names the folder or file, the value
 * found and what is allowed. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define FEN_TRAIN_ERROR (fen_train_error_quark ())
GQuark fen_train_error_quark (void);

typedef enum {
  FEN_TRAIN_ERROR_LOCKED,     /* a run folder in use by another process; the message has its pid */
  FEN_TRAIN_ERROR_NOT_FOUND,  /* no such run, or nothing in it to resume from */
  FEN_TRAIN_ERROR_DAMAGED,    /* a run folder, checkpoint or metrics line that contradicts itself */
  FEN_TRAIN_ERROR_MISMATCH,   /* checkpoint, model, tokenizer and data do not belong together */
  FEN_TRAIN_ERROR_NO_SPACE,   /* the disk has less room than is needed, known beforehand */
  FEN_TRAIN_ERROR_CANNOT_WRITE, /* a place where this user may not write, or no such place */
  FEN_TRAIN_ERROR_NOT_FINITE, /* too many updates in a row with NaN or infinite gradients */
  FEN_TRAIN_ERROR_STATE,      /* the call does not fit the state: finished already, running, ... */
} FenTrainError;

G_END_DECLS
