/* fen-model-private.h: what the files of this room share: the model's own structure and how it is made.
 *
 * A model is made in three steps, each a file: its configuration is read (fen-model-config.c) or taken from a
 * preset, its parameters get names and places (fen-model-layout.c), and, for a folder, each parameter is bound to
 * the tensor that holds its values (fen-model-load.c).
 */
#pragma once

#include "core/model/fen-model.h"
#include "core/model/fen-safetensors.h"

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* Where the values of a parameter are. */
typedef struct {
  FenSafetensors *file; /* NULL: drawn from a seed */
  const FenTensor *tensor;
} FenParamSource;

struct _FenModel {
  gatomicrefcount ref_count;
  char *name, *folder;
  FenModelConfig config;
  gint64 *layer_window; /* (layers) */
  gint64 context;       /* 0 = not said */
  GPtrArray *notes;     /* of char *, NULL-terminated */
  JsonNode *source;     /* the folder's config.json, whose harmless keys are kept when saving; sealed */
  /* layout */
  FenSlot once[FEN_N_SLOTS];
  FenSlot *layer_slots; /* (layers, FEN_N_SLOTS) */
  FenParam *params;     /* (n_params) */
  gsize n_params;
  GStringChunk *names; /* of the parameters */
  gint64 space, n_parameters, n_matmul;
  /* values */
  GPtrArray *files;         /* of FenSafetensors */
  FenParamSource *sources;  /* (n_params), or NULL: a preset, or config.json alone */
  FenParamSource tied_copy; /* an lm_head.weight that a tied folder has all the same */
};

/* Turns `inner` (freed) into an error of this room with the same words. Returns FALSE. */
gboolean fen_model_claim_error (GError **error, FenModelError code, GError *inner);

FenModel *fen_model_new (const char *name, const char *folder);
void fen_model_add_note (FenModel *model, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* config, layer_window, notes and source from a configuration in JSON; `where` names it in errors. */
gboolean fen_model_read_config (FenModel *model, JsonNode *root, const char *where, GError **error);
/* The rotary part of fen_model_read_config, once architecture and sizes are known. */
gboolean fen_model_read_rope (FenModel *model, JsonObject *object, const char *where, GError **error);
/* Relations between the values (heads divide, ...), for folders and presets alike. */
gboolean fen_model_check_config (FenModel *model, const char *where, GError **error);

/* Slots and parameters from the configuration. */
gboolean fen_model_lay_out (FenModel *model, const char *where, GError **error);
/* "transformer." or "model.": a folder of the model without its head has names without it. */
const char *fen_model_name_prefix (FenArchitecture architecture);

/* Opens the folder's files and binds every parameter. */
gboolean fen_model_bind (FenModel *model, GError **error);

/* Values [first, first + n) of a parameter that no file has. */
void fen_model_draw_param (const FenModel *model, const FenParam *param, guint64 seed, gint64 first, gint64 n,
                           float *values);

/* Index of the first NaN or infinite value, or -1. */
gint64 fen_model_find_bad_value (const float *values, gint64 n);

G_END_DECLS
