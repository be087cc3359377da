/* fen-presets.h: model shapes by name, for training from scratch.
 *
 * The small ones (1M to 50M) are Fenestra's own: the Llama architecture with tied embeddings and grouped key/value
 * heads, sized so that the name is the number of parameters with a vocabulary of 4,096. The others are published
 * shapes, initialised at random; a folder with trained weights is used by its path instead.
 *
 * Threads: constant data.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Rotary positions beyond the trained length, as in Llama 3.1 (`rope_type: llama3`). factor 0 = plain. */
typedef struct {
  double factor, low_freq_factor, high_freq_factor;
  gint64 original_positions;
} FenPresetRopeScaling;

typedef struct {
  const char *name;         /* "10M" */
  const char *architecture; /* "gpt2", "llama", "mistral" or "qwen2": model_type in config.json */
  const char *description;  /* one line for lists and the window, translatable */
  gint64 hidden, layers, heads, kv_heads, head_dim, intermediate;
  gint64 max_positions; /* 0 = no limit of its own: the saved config.json says the run's context */
  gint64 vocab_size;    /* 0 = the tokenizer's */
  gint64 window;        /* the model's own sliding window in every layer; 0 = none */
  gboolean tie_embeddings;
  double rope_theta; /* 0 = learned positions (gpt2) */
  FenPresetRopeScaling rope_scaling;
  double norm_epsilon;
} FenPreset;

/* The table, roughly from small to large, ended by an entry with name NULL. */
const FenPreset *fen_presets (void);
/* NULL when there is none; case does not matter ("10m"). */
const FenPreset *fen_preset_find (const char *name);
/* The same with FEN_CONFIG_ERROR_RANGE that lists all presets. */
const FenPreset *fen_preset_lookup (const char *name, GError **error);

/* Parameters of the preset; `vocab_size` counts where the preset has no vocabulary of its own. */
gint64 fen_preset_n_parameters (const FenPreset *preset, gint64 vocab_size);

G_END_DECLS
