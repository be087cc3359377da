/* fen-settings-facts.h: what is known about the settings' model, text, device and memory: looked up on a worker.
 *
 * A change of the settings starts a new look 150 ms later and cancels the one before; "changed" says that something new
 * is known. Scanning a large dataset reports on its way. Nothing here blocks the main loop. Thread: main.
 */
#pragma once

#include "core/engine/fen-plan.h"
#include "gui/settings/fen-settings.h"

G_BEGIN_DECLS

#define FEN_TYPE_SETTINGS_FACTS (fen_settings_facts_get_type ())
G_DECLARE_FINAL_TYPE (FenSettingsFacts, fen_settings_facts, FEN, SETTINGS_FACTS, GObject)

FenSettingsFacts *fen_settings_facts_new (FenSettings *settings);

/* Looks again: the device's free memory, the files. For a window that is opened again. */
void fen_settings_facts_refresh (FenSettingsFacts *self);

/* Each is NULL while it is not known. Strings are owned by the facts and constant until "changed". While busy, plan,
 * device and model are still those of the settings before the change, so that nothing flickers at each key. */
gboolean fen_settings_facts_is_busy (FenSettingsFacts *self);     /* with device, model and plan */
gboolean fen_settings_facts_is_scanning (FenSettingsFacts *self); /* the dataset, which may take long */
/* The memory plan, also when it does not fit. */
FenPlan *fen_settings_facts_get_plan (FenSettingsFacts *self);
/* Why there is no plan or tokenizer, or why the plan does not fit, and the option to blame (may be NULL). */
const char *fen_settings_facts_get_plan_error (FenSettingsFacts *self, const FenOption **option);
/* Device memory that a run may take: free now, cut by memory_limit; total of the device. FALSE while not known. */
gboolean fen_settings_facts_get_device (FenSettingsFacts *self, guint64 *available, guint64 *total,
                                        gboolean *is_cpu);
const char *fen_settings_facts_get_device_name (FenSettingsFacts *self);
/* How many graphics cards there are to choose from; 0 while not known. */
int fen_settings_facts_get_n_cards (FenSettingsFacts *self);
/* Why `auto` did not take a graphics card, ... (GPtrArray of char *). */
const GPtrArray *fen_settings_facts_get_notes (FenSettingsFacts *self);
/* "llama · 10,123,456 parameters · own window 4,096" and what is wrong with the model, if so. */
const char *fen_settings_facts_get_model_text (FenSettingsFacts *self);
const char *fen_settings_facts_get_model_error (FenSettingsFacts *self);
/* "1.1 MB · 1 document · about 300,000 tokens" and what is wrong with the dataset, if so. A token count that was not
 * counted says "about". */
const char *fen_settings_facts_get_dataset_text (FenSettingsFacts *self);
const char *fen_settings_facts_get_dataset_error (FenSettingsFacts *self);

G_END_DECLS
