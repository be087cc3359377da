/* fen-runs-sidebar.h: the list of runs at the left of the window: state, last loss, menu a row, selection mode for
 * comparing, search by name.
 *
 * A click or Enter opens a run; the arrow keys only move. Keys in the list: F2 renames, Delete deletes, Menu and
 * Shift+F10 (and the secondary button, and a long press) open the run's menu, Ctrl+F searches, Escape leaves the
 * selection. */
#pragma once

#include <adwaita.h>

#include "gui/runs/fen-run-store.h"

G_BEGIN_DECLS

#define FEN_TYPE_RUNS_SIDEBAR (fen_runs_sidebar_get_type ())
G_DECLARE_FINAL_TYPE (FenRunsSidebar, fen_runs_sidebar, FEN, RUNS_SIDEBAR, AdwBin)

/* Signals (item: FenRunItem):
 *   "open" (item); "reuse-settings" (item); "resume" (item); "toast" (AdwToast *, transfer full): something to show
 *   ("Run deleted", with Undo); "compare" (GListModel of FenRunItem, two or more). */
GtkWidget *fen_runs_sidebar_new (FenRunStore *store);
/* Marks the run that the window shows; NULL for none. */
void fen_runs_sidebar_set_current (FenRunsSidebar *self, const char *path);

G_END_DECLS
