/* fen-settings-look-private.h: what a worker finds out about settings: plain functions from a configuration to a result,
 * without objects or signals. Threads: reentrant; they read files. */
#pragma once

#include "core/corpus/fen-dataset-scan.h"
#include "core/engine/fen-plan.h"

G_BEGIN_DECLS

/* ---- device, model, memory ---- */

typedef struct {
  gboolean has_device, is_cpu;
  guint64 available, total;
  char *device_name;
  int n_cards; /* graphics cards that could be chosen */
  GPtrArray *notes; /* char *: of the device's choice, the model and the plan */

  char *model_text, *model_error;
  gboolean has_shape;
  FenModelShape shape;

  FenPlan *plan;
  char *plan_error;
  const FenOption *blamed; /* for the plan error; may be NULL */
} FenPlanLook;

FenPlanLook *fen_plan_look_new (const FenConfig *config);
void fen_plan_look_free (FenPlanLook *look);

/* ---- text ---- */

typedef struct {
  FenDatasetScan scan; /* bytes 0: nothing known */
  char *error;
  char *tokenizer_error;
} FenTextLook;

/* `progress` is called on this thread. NULL when cancelled. */
FenTextLook *fen_text_look_new (const FenConfig *config, FenDatasetScanFunc progress, gpointer progress_data,
                                GCancellable *cancellable);
void fen_text_look_free (FenTextLook *look);
/* The settings that it depends on, as one text; free with g_free. */
char *fen_text_look_key (const FenConfig *config);
/* "1.1 MB · 1 document · about 300,000 tokens"; free with g_free. */
char *fen_text_look_describe (const FenDatasetScan *scan);

G_END_DECLS
