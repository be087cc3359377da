/* fen-run-row-private.h: one row of the list of runs: state (icon and words), name, last loss, time; what went wrong
 * when it did; a menu button, or a check box while runs are selected for comparing.
 *
 * Signals: "open"; "menu" (x, y: int, in the row; -1 = at the menu button); "checked" (boolean): the check box was
 * pressed. */
#pragma once

#include <gtk/gtk.h>

#include "gui/runs/fen-run-store.h"

G_BEGIN_DECLS

#define FEN_TYPE_RUN_ROW (fen_run_row_get_type ())
G_DECLARE_FINAL_TYPE (FenRunRow, fen_run_row, FEN, RUN_ROW, GtkWidget)

GtkWidget *fen_run_row_new (void);
void fen_run_row_set_item (FenRunRow *self, FenRunItem *item); /* NULL: none, between two uses */
FenRunItem *fen_run_row_get_item (FenRunRow *self);
/* Is it the run that the window shows? */
void fen_run_row_set_current (FenRunRow *self, gboolean current);
void fen_run_row_set_selecting (FenRunRow *self, gboolean selecting, gboolean checked);
/* Where the row's menu is to point. */
void fen_run_row_get_menu_area (FenRunRow *self, GdkRectangle *area);
/* "5 min ago" grows old. */
void fen_run_row_update_time (FenRunRow *self);

G_END_DECLS
