/* fen-run-plan.h: the memory plan of a configuration or of a run folder, without a run.
 *
 * One place opens the model as a plan needs it (shape alone, with the vocabulary that the run would have) for
 * `fenestra-cli plan`, the settings dialog and runs that another process trains.
 *
 * Threads: reentrant. Reads a few small files (the model's config.json, perhaps a tokenizer.json): use a worker where
 * nothing may block.
 */
#pragma once

#include "core/config/fen-config.h"
#include "core/engine/fen-plan.h"

G_BEGIN_DECLS

/* The model of a configuration: its shape without its tensors. A preset gets the vocabulary of its tokenizer. */
FenModel *fen_run_plan_model (const FenConfig *config, GError **error);

/* Validates, opens the model, chooses the device and plans training. `notes` (char *, may be NULL) receives the notes of
 * the configuration, the model and the choice of device; fen_plan_notes has the plan's. A plan that does not fit is no
 * error: ask fen_plan_fits. */
FenPlan *fen_run_plan (const FenConfig *config, GPtrArray *notes, GError **error);

/* The same for a run folder's `config` (its config.json). The folder's own tokenizer says the vocabulary: a BPE that was
 * trained on little text has fewer tokens than were asked for. */
FenPlan *fen_run_plan_folder (const char *run_path, const FenConfig *config, GPtrArray *notes,
                              GError **error);

G_END_DECLS
