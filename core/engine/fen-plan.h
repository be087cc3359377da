/* fen-plan.h: memory known before the run, to the byte.
 *
 * fen_plan_new lists every buffer of a run with name, category, bytes and lifetime, packs buffers whose lifetimes
 * do not overlap into the same place of one device arena (and one pinned host arena), and gives the totals without
 * touching a device. The engine then makes exactly those two allocations and places every buffer where the plan
 * says; it allocates nothing while it runs. The same plan answers the window's planned bar, `fenestra-cli plan`, the
 * refusal of what does not fit, and Optimize Settings.
 *
 * What the plan does not own (context of the driver, BLAS buffers, the program itself, token batches in host memory)
 * is FenDeviceProperties.overhead_bytes and shown as its own line.
 *
 * Threads: a FenPlan is immutable. Making one costs well under 5 ms and may happen on any thread.
 */
#pragma once

#include "core/model/fen-model.h"

G_BEGIN_DECLS

#define FEN_ENGINE_ERROR (fen_engine_error_quark ())
GQuark fen_engine_error_quark (void);

typedef enum {
  FEN_ENGINE_ERROR_DOES_NOT_FIT,  /* the plan needs more than the device or the limit has */
  FEN_ENGINE_ERROR_OUT_OF_MEMORY, /* planned to fit, but the allocation failed */
  FEN_ENGINE_ERROR_UNSUPPORTED,   /* an operation or setting that this back end or engine lacks */
  FEN_ENGINE_ERROR_DEVICE,        /* the device reported an error: the step's result is not to be used */
  FEN_ENGINE_ERROR_LOST,          /* the same, and this process cannot use the device again */
} FenEngineError;

/* The name in the option table of the setting to change, for an error of this domain that has one; otherwise NULL. */
const char *fen_engine_error_get_option (const GError *error);
/* Names it, where the error is set. Returns FALSE, so that a caller may return it. */
gboolean fen_engine_error_blame (GError **error, const char *option);

typedef enum {
  FEN_MEMORY_WEIGHTS,     /* parameters as the kernels read them */
  FEN_MEMORY_GRADIENTS,   /* fp32, whole flat space */
  FEN_MEMORY_OPTIMIZER,   /* master weights, moments */
  FEN_MEMORY_CHECKPOINTS, /* layer inputs kept for backward */
  FEN_MEMORY_ACTIVATIONS, /* everything else that a layer computes */
  FEN_MEMORY_ATTENTION,   /* q, k, v, o, LSE and their gradients; the KV cache when generating */
  FEN_MEMORY_LOGITS,
  FEN_MEMORY_WORKSPACE,   /* scratch of operations, token arrays, statistics */
  FEN_MEMORY_OFFLOAD_HOST, /* pinned host memory */
  FEN_N_MEMORY_CATEGORIES
} FenMemoryCategory;

const char *fen_memory_category_name (FenMemoryCategory category); /* "weights"; the JSON spelling */

typedef enum {
  FEN_SCHEDULE_RESIDENT,   /* everything kept for backward */
  FEN_SCHEDULE_CHECKPOINT, /* layer inputs kept, layers recomputed */
  FEN_SCHEDULE_CHUNKED,    /* exact context chunking, layer-major */
  FEN_SCHEDULE_TRUNCATED,  /* truncated carry, chunk-major: not exact */
  FEN_SCHEDULE_INFERENCE,  /* forward only, KV cache of every layer */
} FenSchedule;

const char *fen_schedule_name (FenSchedule schedule);

/* The configuration, resolved against model, back end and device: what will really run, and why it differs from
 * what was asked. */
typedef struct {
  FenSchedule schedule;
  FenDType storage;           /* weights and activations */
  gboolean master_weights;    /* fp32 master copies exist */
  gboolean adam8;
  FenAttentionPath path;
  gint64 rows, row_tokens;    /* micro-batch: rows of row_tokens */
  gint64 chunk;               /* tokens a visit of a layer; row_tokens when not chunked */
  gint64 n_chunks;
  gint64 head_rows;           /* tokens of logits at a time */
  gint64 sinks;
  gboolean keep_attention;    /* checkpointing keeps O and LSE */
  gint64 layers;
  const gint64 *layer_window; /* (layers), owned by the plan; 0 = full attention */
  char attention_kernel[96];  /* from FenBackend.describe */
} FenPlanSettings;

typedef struct {
  const char *name; /* "layer 3 qkv"; owned by the plan */
  FenMemoryCategory category;
  gboolean host;       /* in the pinned host arena */
  guint64 bytes;       /* as used; rounded up to 256 when packed */
  guint first, last;   /* phases of a step in which it lives, both included; see fen_plan_phase_name */
  guint64 offset;      /* in its arena */
} FenPlanBuffer;

typedef enum { FEN_PLAN_TRAIN, FEN_PLAN_GENERATE } FenPlanPurpose;

typedef struct _FenPlan FenPlan;

/* `backend` answers workspace sizes; `device` need not be here. For FEN_PLAN_GENERATE, config->max_seq_len is the
 * longest text (prompt and continuation) and rows is 1. Errors: unsupported settings (FEN_ENGINE_ERROR_UNSUPPORTED,
 * naming the setting), sizes that overflow. A plan that does not fit is NOT an error here: ask fen_plan_fits. */
FenPlan *fen_plan_new (const FenConfig *config, const FenModel *model, const FenBackend *backend,
                       const FenDeviceProperties *device, FenPlanPurpose purpose, GError **error);
FenPlan *fen_plan_ref (FenPlan *plan);
void fen_plan_unref (FenPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenPlan, fen_plan_unref)

const FenPlanSettings *fen_plan_settings (const FenPlan *plan);
/* Lines in words where what runs differs from what was asked: "amp: fp32, because ...". NULL-terminated. */
const char *const *fen_plan_notes (const FenPlan *plan);
const FenPlanBuffer *fen_plan_buffers (const FenPlan *plan, gsize *n_buffers);
guint64 fen_plan_device_bytes (const FenPlan *plan); /* size of the device arena */
guint64 fen_plan_host_bytes (const FenPlan *plan);   /* size of the pinned host arena */
/* What counts against the device's memory: its arena, and the pinned one too where the device is the host. Without
 * fen_plan_device ()->overhead_bytes. */
guint64 fen_plan_needed_bytes (const FenPlan *plan);
/* The device that the plan was made for; owned by the plan. */
const FenDeviceProperties *fen_plan_device (const FenPlan *plan);
/* Bytes by category at the moment of the device arena's peak; they add up to the arena with `unused` for packing
 * gaps. The array has FEN_N_MEMORY_CATEGORIES entries. */
void fen_plan_categories (const FenPlan *plan, guint64 *bytes, guint64 *unused);
const char *fen_plan_phase_name (const FenPlan *plan, guint phase);
guint fen_plan_n_phases (const FenPlan *plan);

/* One change of one setting and what it would save, largest first. */
typedef struct {
  const char *option; /* name in the option table */
  char value[32];     /* what to set it to, as text */
  gint64 bytes_saved;
  gboolean fits;         /* with this change alone */
  gboolean changes_math; /* the run would compute something else */
} FenPlanSuggestion;

/* TRUE when the arenas fit into the smaller of the device's free memory (less overhead) and config->memory_limit.
 * Otherwise FEN_ENGINE_ERROR_DOES_NOT_FIT: needed, available, the largest buffers, and the best change. */
gboolean fen_plan_fits (const FenPlan *plan, GError **error);
/* An array of FenPlanSuggestion. */
GArray *fen_plan_suggestions (const FenPlan *plan);
/* The one that fits and keeps the mathematics, else one that fits, else the one that saves most; NULL of none. */
const FenPlanSuggestion *fen_plan_best_suggestion (GArray *suggestions);
/* Bytes that fen_plan_needed_bytes may grow to: what is free, cut by memory_limit. G_MAXUINT64: not known. */
guint64 fen_plan_available_bytes (const FenPlan *plan);

/* For people (a table) and for machines (JSON). Free with g_free. */
char *fen_plan_to_text (const FenPlan *plan);
char *fen_plan_to_json (const FenPlan *plan);

/* FLOPs of one token, forward and backward, in-window pairs only (engine.md, Metrics of a step). */
double fen_plan_flops_per_token (const FenPlan *plan);
/* Tokens that reach a token through all layers: min (T, 1 + sum over layers of (W - 1)). */
gint64 fen_plan_receptive_field (const FenPlan *plan);

G_END_DECLS
