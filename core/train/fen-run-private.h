/* fen-run-private.h: what the files about run folders share. */
#pragma once

#include "core/train/fen-run-folder.h"

G_BEGIN_DECLS

#define FEN_RUN_STATE_VERSION 1
#define FEN_RUN_DISCARDED_PREFIX ".discarded-"

/* Takes the lock of a run folder. Returns the descriptor that holds it (close gives it back), or -1 with
 * FEN_TRAIN_ERROR_LOCKED that names the holder's pid, or why there can be no lock. */
int fen_run_lock_take (const char *run_path, GError **error);
/* Is it held by anybody (this process too)? *pid is who says so in the file, 0 when unknown. Takes nothing. */
gboolean fen_run_lock_is_held (const char *run_path, gint64 *pid);

G_END_DECLS
