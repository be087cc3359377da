/* fen-run-store.h: all known runs, newest first, as a GListModel that keeps itself up to date.
 *
 * Places are folders that hold run folders: the default one (fen_runs_root) and those a person added. Each is listed on
 * a worker of its own, so that a slow disk holds up nobody else, watched with GFileMonitor and looked at again every
 * second while `active` (the window is visible), so that a run started by fenestra-cli appears within 2 s. A look reads
 * only the folders that changed and those being trained. Items keep their identity while their run lives: a selection
 * survives.
 *
 * Thread: main.
 */
#pragma once

#include <gio/gio.h>

#include "core/train/fen-run-folder.h"

G_BEGIN_DECLS

#define FEN_TYPE_RUN_ITEM (fen_run_item_get_type ())
G_DECLARE_FINAL_TYPE (FenRunItem, fen_run_item, FEN, RUN_ITEM, GObject)

/* Properties that notify: name, status-text ("Finished · loss 2.31"), status (int, FenRunStatus), loss (double).
 * Signal "changed": anything of the info is another one. */
const FenRunInfo *fen_run_item_get_info (FenRunItem *self); /* owned by the item, replaced on change */
const char *fen_run_item_get_path (FenRunItem *self);
const char *fen_run_item_get_name (FenRunItem *self);
const char *fen_run_item_get_status_text (FenRunItem *self);

#define FEN_TYPE_RUN_STORE (fen_run_store_get_type ())
G_DECLARE_FINAL_TYPE (FenRunStore, fen_run_store, FEN, RUN_STORE, GObject) /* GListModel of FenRunItem */

/* Properties: problem (string, read only, notifies); ready (boolean, notifies): every place was looked at once.
 *
 * `places` (NULL-terminated, may be NULL) are added to the default place. What an earlier process discarded in a place
 * and did not delete is deleted for good when the place is first looked at. */
FenRunStore *fen_run_store_new (const char *const *places);
void fen_run_store_set_places (FenRunStore *self, const char *const *places);
void fen_run_store_set_active (FenRunStore *self, gboolean active);
gboolean fen_run_store_is_ready (FenRunStore *self);
/* Look now. */
void fen_run_store_refresh (FenRunStore *self);
FenRunItem *fen_run_store_find (FenRunStore *self, const char *path); /* borrowed; NULL when there is none */
/* A place that cannot be read, or a deletion that failed, and why; NULL when all is well. */
const char *fen_run_store_get_problem (FenRunStore *self);

/* ---- changing runs: on a worker, since the disk may be busy with a checkpoint ---- */

/* The name that lists show; "" takes it back to the default. */
void fen_run_store_rename_async (FenRunStore *self, FenRunItem *item, const char *name,
                                 GAsyncReadyCallback callback, gpointer user_data);
gboolean fen_run_store_rename_finish (FenRunStore *self, GAsyncResult *result, GError **error);
/* Takes a run out of the list. finish gives what undo_delete and delete_for_good need (free with g_free); NULL with
 * FEN_TRAIN_ERROR_LOCKED when it is in use. */
void fen_run_store_delete_async (FenRunStore *self, FenRunItem *item, GAsyncReadyCallback callback,
                                 gpointer user_data);
char *fen_run_store_delete_finish (FenRunStore *self, GAsyncResult *result, GError **error);
/* The same item comes back. */
void fen_run_store_undo_delete_async (FenRunStore *self, const char *discarded_path,
                                      GAsyncReadyCallback callback, gpointer user_data);
gboolean fen_run_store_undo_delete_finish (FenRunStore *self, GAsyncResult *result, GError **error);
/* A failure becomes the problem; the next start tries again. */
void fen_run_store_delete_for_good (FenRunStore *self, const char *discarded_path);

G_END_DECLS
