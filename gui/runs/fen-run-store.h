/* fen-run-store.h: all known runs, newest first, as a GListModel that keeps itself up to date.
 *
 * Places are folders that hold run folders: the default one (fen_runs_root) and those a person added. Each is listed on
 * a worker, watched with GFileMonitor and looked at again every second while `active` (the window is visible), so that a
 * run started by fenestra-cli appears within 2 s. Items keep their identity while their run lives: a selection survives.
 *
 * Thread: main.
 */
#pragma once

#include <gio/gio.h>

#include "core/train/fen-run-folder.h"

G_BEGIN_DECLS

#define FEN_TYPE_RUN_ITEM (fen_run_item_get_type ())
G_DECLARE_FINAL_TYPE (FenRunItem, fen_run_item, FEN, RUN_ITEM, GObject)

/* Properties that notify: name, status-text ("Finished · loss 2.31"), status (int, FenRunStatus), loss (double). */
const FenRunInfo *fen_run_item_get_info (FenRunItem *self); /* owned by the item, replaced on change */
const char *fen_run_item_get_path (FenRunItem *self);
const char *fen_run_item_get_name (FenRunItem *self);

#define FEN_TYPE_RUN_STORE (fen_run_store_get_type ())
G_DECLARE_FINAL_TYPE (FenRunStore, fen_run_store, FEN, RUN_STORE, GObject) /* GListModel of FenRunItem */

/* `places` (NULL-terminated, may be NULL) are added to the default place. */
FenRunStore *fen_run_store_new (const char *const *places);
void fen_run_store_set_places (FenRunStore *self, const char *const *places);
void fen_run_store_set_active (FenRunStore *self, gboolean active);
/* Look now. */
void fen_run_store_refresh (FenRunStore *self);
FenRunItem *fen_run_store_find (FenRunStore *self, const char *path); /* borrowed; NULL when there is none */
/* A place that cannot be read, and why; NULL when all can. */
const char *fen_run_store_get_problem (FenRunStore *self);

/* On a worker; "problem" notifies when they fail. */
gboolean fen_run_store_rename (FenRunStore *self, FenRunItem *item, const char *name, GError **error);
/* Takes a run out of the list; gives what fen_run_store_undo_delete needs. NULL with an error when it is in use. */
char *fen_run_store_delete (FenRunStore *self, FenRunItem *item, GError **error);
gboolean fen_run_store_undo_delete (FenRunStore *self, const char *discarded_path, GError **error);
/* Deletes for good, on a worker. */
void fen_run_store_delete_for_good (FenRunStore *self, const char *discarded_path);

G_END_DECLS
