/* fen-compare-page.h: two or more runs in the same charts, their key figures, and a table of the settings in which they
 * differ.
 *
 * Runs are read (and live ones followed) while the page is mapped, and let go of when it is not.
 *
 * Signal: "back" (): the Back button or Escape; the window shows the run again. */
#pragma once

#include <adwaita.h>

#include "gui/chart/fen-chart.h"
#include "gui/runs/fen-run-store.h"

G_BEGIN_DECLS

#define FEN_TYPE_COMPARE_PAGE (fen_compare_page_get_type ())
G_DECLARE_FINAL_TYPE (FenComparePage, fen_compare_page, FEN, COMPARE_PAGE, AdwBin)

GtkWidget *fen_compare_page_new (void);
/* `runs`: GListModel of FenRunItem; live ones are followed. NULL: none. */
void fen_compare_page_set_runs (FenComparePage *self, GListModel *runs);
/* What its charts share; the window remembers axis and smoothing. */
FenChartGroup *fen_compare_page_get_chart_group (FenComparePage *self);

G_END_DECLS
