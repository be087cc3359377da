/* fen-checkpoint.h: the state of a run on disk: whole, checked, or not there.
 *
 * A checkpoint is written into checkpoints/.writing-step-N/, every file fsynced, then the folder is renamed to step-N
 * and checkpoints/ fsynced; only then are older ones removed. So at any moment, whatever is killed or full, the newest
 * step-N is whole. state.json has the size and XXH3-128 of every file beside it, and
 * a check of itself, so that a damaged disk is noticed when the run is resumed, and the checkpoint before is used.
 *
 * A checkpoint folder is itself a model folder: config.json, model.safetensors and tokenizer.json load in transformers
 * and in `fenestra-cli generate`.
 *
 * Threads: reentrant; two threads must not write checkpoints of one run (the run's lock sees to it).
 */
#pragma once

#include "core/engine/fen-engine.h"
#include "core/train/fen-train-error.h"

G_BEGIN_DECLS

/* Everything of a run that is not a tensor. */
typedef struct {
  gint64 step;          /* optimizer steps done, skipped ones included */
  gint64 tokens;        /* trained on */
  gint64 rows_consumed; /* of the train split: the data position */
  gint64 update_count;  /* the engine's: AdamW's t */
  gint64 skipped_updates, skipped_in_row;
  gint64 eval_step; /* last step whose evaluation is in metrics.jsonl; -1 = none */
  guint64 seed;
  double loss_scale;
  double smoothed_loss, smoothed_weight; /* state of the moving average */
  double loss, eval_loss;                /* last values, NAN = none */
  char dataset_hash[33];                 /* FenDatasetInfo.content_hash, "" = none */
  char tokenizer_fingerprint[33];
} FenTrainState;

void fen_train_state_init (FenTrainState *state);

/* What a checkpoint holds. For an engine: fen_checkpoint_content_init. */
typedef struct {
  const FenStateTensor *tensors;
  gsize n_tensors;
  /* Copy n_bytes at first_byte of a tensor out of / into wherever it lives: ranges in order, each byte once. */
  gboolean (*read) (const FenStateTensor *tensor, guint64 first_byte, guint64 n_bytes, void *bytes,
                    gpointer user_data, GError **error);
  gboolean (*write) (const FenStateTensor *tensor, guint64 first_byte, guint64 n_bytes, const void *bytes,
                     gpointer user_data, GError **error);
  gpointer user_data;
  const char *model_config; /* text of config.json; NULL = none */
  const char
      *tokenizer_path; /* a tokenizer.json to copy (and tokenizer_config.json beside it); NULL = none */
} FenCheckpointContent;

void fen_checkpoint_content_init (FenCheckpointContent *content, FenEngine *engine);

/* Bytes that a checkpoint takes on the disk, about. */
guint64 fen_checkpoint_bytes (const FenCheckpointContent *content);

/* Writes checkpoints/step-N of a run folder, then removes all but the newest `keep` (>= 1). FEN_TRAIN_ERROR_NO_SPACE
 * before anything is written when the disk has not enough room. After any error the older checkpoints are as they were. */
gboolean fen_checkpoint_write (const char *run_path, const FenCheckpointContent *content,
                               const FenTrainState *state, guint keep, GError **error);

/* Steps of the folders that look like checkpoints, ascending (gint64). Not verified. */
GArray *fen_checkpoint_list (const char *run_path);
char *fen_checkpoint_path (const char *run_path, gint64 step);

/* Reads state.json and compares sizes and hashes of all files with it. */
gboolean fen_checkpoint_verify (const char *path, FenTrainState *state, GError **error);

/* The newest checkpoint that verifies; its step is in *state and its folder is returned (free with g_free). For each
 * newer one that does not, `notes` (char *) gets a line and, when `set_aside`, the folder is renamed to damaged-step-N,
 * so that it no longer counts. FEN_TRAIN_ERROR_NOT_FOUND when there is no checkpoint, FEN_TRAIN_ERROR_DAMAGED when none
 * is whole. */
char *fen_checkpoint_newest (const char *run_path, FenTrainState *state, gboolean set_aside, GPtrArray *notes,
                             GError **error);

/* Loads every tensor of `content` from a verified folder; dtype and element counts must be equal. */
gboolean fen_checkpoint_restore (const char *path, const FenCheckpointContent *content, GError **error);

/* Removes what killed writes and removals left behind. Called with the run's lock held. */
void fen_checkpoint_clean (const char *run_path);

G_END_DECLS
