/* fen-model.h: what a model is: its shape, its parameters' names and places, where their values come from.
 *
 * A model is read from a Hugging Face folder (config.json, model.safetensors or shards with
 * model.safetensors.index.json) or made from a preset and initialised. Parameter names are transformers' own, in and
 * out: what fen_model_save writes loads in transformers unchanged.
 *
 * All parameters live in one flat space of elements. A tensor begins at a multiple of FEN_PARAM_ALIGN elements,
 * except that tensors which one GEMM reads together (q, k, v; gate, up) follow each other without a gap: together
 * they form one slot, a matrix that the engine uses whole. Weights, gradients, master weights and both moments all
 * use the same offsets, so a checkpoint, an optimizer step and a gradient check are loops over one table.
 *
 * Behind the LM head's rows (the token embedding's when they are tied) lie as many rows of zeros as make their number a
 * multiple of FEN_VOCAB_ALIGN. GEMMs read them as if they belonged to the matrix: with GPT-2's 50,257 rows the tensor
 * cores' kernels could not be used, and an H200 multiplied at an eighth of its rate.
 *
 * Threads: a FenModel is immutable after creation and may be read from any thread. Ownership: reference counted.
 */
#pragma once

#include <gio/gio.h>
#include "core/config/fen-config.h"
#include "kernels/fen-backend.h"

G_BEGIN_DECLS

#define FEN_MODEL_ERROR (fen_model_error_quark ())
GQuark fen_model_error_quark (void);

typedef enum {
  FEN_MODEL_ERROR_NOT_FOUND,   /* neither a preset nor a model folder */
  FEN_MODEL_ERROR_CONFIG,      /* config.json: wrong, out of range, missing */
  FEN_MODEL_ERROR_UNSUPPORTED, /* an architecture, or a key that changes the mathematics, that we do not do */
  FEN_MODEL_ERROR_TENSORS, /* a safetensors file: damaged, missing or wrongly shaped tensors, NaN values */
} FenModelError;

#define FEN_PARAM_ALIGN 128 /* elements */
#define FEN_VOCAB_ALIGN 64  /* rows */

typedef enum { FEN_ARCH_GPT2, FEN_ARCH_LLAMA, FEN_ARCH_MISTRAL, FEN_ARCH_QWEN2 } FenArchitecture;

typedef enum { FEN_ROPE_NONE, FEN_ROPE_DEFAULT, FEN_ROPE_LINEAR, FEN_ROPE_LLAMA3 } FenRopeKind;

typedef struct {
  FenArchitecture architecture;
  gint64 hidden, layers, heads, kv_heads, head_dim, intermediate, vocab_size;
  gint64 max_positions; /* trained context, 0 = none yet (presets); a hard limit with learned_positions */
  gboolean learned_positions;
  FenNormKind norm;
  double norm_epsilon;
  FenActivationKind activation;
  gboolean gated; /* MLP with gate and up */
  gboolean tied;  /* the LM head is the token embedding */
  gboolean qkv_bias, o_bias, mlp_bias;
  FenRopeKind rope;
  double rope_theta, rope_factor, rope_low_freq_factor, rope_high_freq_factor;
  gint64 rope_original_positions;
  double attention_scale; /* 1 / sqrt (head_dim) unless the configuration says otherwise */
  const gint64
      *layer_window; /* (layers): the model's own window of each layer, 0 = full; owned by the model */
  double initializer_range;
  gint64 bos_id, eos_id; /* -1 = none */
  gint64
      pad_id; /* its embedding gets no gradient, as in transformers (nn.Embedding's padding_idx); -1 = none */
} FenModelConfig;

/* What the engine asks for. A slot that the architecture lacks has elements == 0. */
typedef enum {
  /* once a model */
  FEN_SLOT_TOKEN_EMBEDDING,    /* (vocab, hidden) */
  FEN_SLOT_POSITION_EMBEDDING, /* (max_positions, hidden) */
  FEN_SLOT_FINAL_NORM_WEIGHT,
  FEN_SLOT_FINAL_NORM_BIAS,
  FEN_SLOT_LM_HEAD, /* (vocab, hidden); the token embedding's place when tied */
  /* once a layer */
  FEN_SLOT_NORM1_WEIGHT,
  FEN_SLOT_NORM1_BIAS,
  FEN_SLOT_QKV_WEIGHT, /* out = (heads + 2 kv_heads) head_dim: all q, then all k, then all v */
  FEN_SLOT_QKV_BIAS,
  FEN_SLOT_O_WEIGHT,
  FEN_SLOT_O_BIAS,
  FEN_SLOT_NORM2_WEIGHT,
  FEN_SLOT_NORM2_BIAS,
  FEN_SLOT_UP_WEIGHT, /* out = intermediate, or 2 intermediate when gated: all gate, then all up */
  FEN_SLOT_UP_BIAS,
  FEN_SLOT_DOWN_WEIGHT,
  FEN_SLOT_DOWN_BIAS,
  FEN_N_SLOTS
} FenSlotKind;

typedef struct {
  gint64 offset;   /* elements, in the flat space */
  gint64 elements; /* rows * columns */
  gint64 out, in;  /* as a linear map; vectors have in == 1 */
  gboolean in_out; /* stored (in, out), GPT-2's Conv1D; otherwise (out, in) */
  gboolean decay;  /* weight decay by default: matrices yes; norms, biases no; embeddings yes */
} FenSlot;

/* One tensor of the folder: a part of one slot. */
typedef struct {
  const char *name; /* transformers' name */
  FenSlotKind slot;
  gint64 layer; /* -1 = once a model */
  gint64 offset, elements;
  gint64 shape[2];
  int rank;
} FenParam;

typedef struct _FenModel FenModel;

/* `name` is a preset or a folder; a preset wins, `./gpt2` is always the folder. `vocab_size` (0 = unknown) sizes
 * presets without a vocabulary of their own (4096 when unknown) and must not be larger than any other model's;
 * a folder's files are opened and checked here (header, shapes, missing tensors), values when they are read. */
FenModel *fen_model_open (const char *name, gint64 vocab_size, GError **error);
/* Like fen_model_open of a folder, but config.json alone: no tensors are needed (planning, training its shape from
 * scratch). Its parameters are drawn from the seed, like a preset's. */
FenModel *fen_model_open_config (const char *name, gint64 vocab_size, GError **error);
FenModel *fen_model_ref (FenModel *model);
void fen_model_unref (FenModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenModel, fen_model_unref)

const char *fen_model_name (const FenModel *model);
const char *fen_model_folder (const FenModel *model); /* NULL for a preset */
const FenModelConfig *fen_model_config (const FenModel *model);
const char *fen_model_architecture_name (FenArchitecture architecture); /* "gpt2" */
void fen_model_shape (const FenModel *model, FenModelShape *shape);

/* What the model's configuration asks for that does not happen here and does no harm ("attn_pdrop 0.1: trained
 * without dropout"); NULL-terminated, owned by the model. */
const char *const *fen_model_notes (const FenModel *model);

/* Layer -1 for the slots that stand once a model. Never NULL; look at elements. */
const FenSlot *fen_model_slot (const FenModel *model, gint64 layer, FenSlotKind slot);
const FenParam *fen_model_params (const FenModel *model, gsize *n_params);
/* Size of the flat space, gaps included (allocate this), and the parameters in it (report this). */
gint64 fen_model_space (const FenModel *model);
gint64 fen_model_n_parameters (const FenModel *model);
/* The LM head's rows, those of zeros included. */
gint64 fen_model_vocab_rows (const FenModel *model);
/* Parameters that multiply: all matrices, the LM head once, embeddings not (engine.md, Metrics of a step). */
gint64 fen_model_n_matmul_parameters (const FenModel *model);

/* Values [first, first + n) of one parameter as fp32: from the folder's file (F32, BF16, F16 converted; NaN or
 * infinite values are an error that names tensor and index), or, for a preset, drawn from `seed`: normal with
 * initializer_range, residual projections scaled by 1 / sqrt (2 layers), norms 1, biases 0. A value does not depend on
 * the range that it is read in, so a reader needs no memory for a whole embedding. */
gboolean fen_model_read_param (const FenModel *model, const FenParam *param, guint64 seed, gint64 first,
                               gint64 n, float *values, GError **error);

/* inv_freq (head_dim / 2) of the model's rotary positions, after rope scaling; FEN_ROPE_NONE: nothing written. */
void fen_model_inverse_frequencies (const FenModel *model, float *inv_freq);

/* The model's own window of a layer and a configuration's choice make the window that runs: window_pattern `all`
 * uses window_size in every layer, `alternate` in every other (0, 2, 4, ...), `model` what the folder says. */
gint64 fen_model_layer_window (const FenModel *model, const FenConfig *config, gint64 layer);

/* The run's context in tokens, which the saved config.json states as trained positions of a preset that has no limit
 * of its own; without effect on other models. Call it before the model is shared. */
void fen_model_set_context (FenModel *model, gint64 context);

/* Supplies the fp32 values [first, first + n) of `param` when saving: ranges in order, each value once. */
typedef gboolean (*FenParamReader) (const FenParam *param, gint64 first, gint64 n, float *values,
                                    gpointer user_data, GError **error);

/* Writes `folder` (made when missing): config.json, model.safetensors in `dtype` (F32, BF16 or F16), atomically
 * each. A folder model keeps the harmless keys of its config.json. NaN, infinity and what `dtype` cannot hold are
 * errors, and nothing is replaced then. */
gboolean fen_model_save (const FenModel *model, const char *folder, FenDType dtype, FenParamReader reader,
                         gpointer user_data, GError **error);
/* config.json alone, as text. Free with g_free. */
char *fen_model_config_json (const FenModel *model, FenDType dtype);

G_END_DECLS
