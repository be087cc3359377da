/* fen-compare-page.h: two or more runs in the same charts, and a table of the settings in which they differ. */
#pragma once

#include <adwaita.h>

#include "gui/runs/fen-run-store.h"

G_BEGIN_DECLS

#define FEN_TYPE_COMPARE_PAGE (fen_compare_page_get_type ())
G_DECLARE_FINAL_TYPE (FenComparePage, fen_compare_page, FEN, COMPARE_PAGE, AdwBin)

GtkWidget *fen_compare_page_new (void);
/* `runs`: GListModel of FenRunItem; live ones are followed. */
void fen_compare_page_set_runs (FenComparePage *self, GListModel *runs);

G_END_DECLS
