/* fen-checkpoint-private.h: what writing and reading a checkpoint share: names and state.json. */
#pragma once

#include "core/train/fen-checkpoint.h"

G_BEGIN_DECLS

#define FEN_CHECKPOINT_VERSION 1
#define FEN_CHECKPOINT_WEIGHTS "model.safetensors"
#define FEN_CHECKPOINT_OPTIMIZER "optimizer.safetensors"
#define FEN_CHECKPOINT_STATE "state.json"
#define FEN_CHECKPOINT_MAX_FILES 8
#define FEN_CHECKPOINT_PIECE_BYTES ((guint64)1 << 20) /* of a tensor in memory at a time */

/* One file beside state.json. */
typedef struct {
  char name[32];
  guint64 bytes;
  char hash[33]; /* XXH3-128 in hex */
} FenCheckpointFile;

typedef struct {
  FenTrainState state;
  FenCheckpointFile files[FEN_CHECKPOINT_MAX_FILES];
  guint n_files;
} FenCheckpointManifest;

/* The text of state.json. It carries a hash of itself: of the text with an empty `check`. Numbers are written in the
 * one shortest form, so a reader makes the same text again from what it read and compares. */
char *fen_checkpoint_manifest_to_json (const FenCheckpointManifest *manifest);
gboolean fen_checkpoint_manifest_load (FenCheckpointManifest *manifest, const char *path, GError **error);

/* <run>/checkpoints; free with g_free. */
char *fen_checkpoint_folder (const char *run_path);
/* A tensor's name in its file: weights go by the parameter's own. */
const char *fen_checkpoint_tensor_name (const FenStateTensor *tensor);
/* Gives the finished folder `written` the name `target`. Where there is one of that name already, the two change places
 * in one atomic step and the old one is removed; on a file system without that, the old one is first moved to
 * `replaced`, from where it has to be brought back should the process die in between. */
gboolean fen_checkpoint_publish (const char *written, const char *target, const char *replaced,
                                 GError **error);

G_END_DECLS
