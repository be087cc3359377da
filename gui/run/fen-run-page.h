/* fen-run-page.h: the middle of the window: one run's status line, badge, failure bar, charts and log.
 *
 * Buttons use the window's actions: win.start and win.settings on the empty page, win.resume where the run shown ended
 * before its last step. */
#pragma once

#include <adwaita.h>

#include "gui/chart/fen-chart.h"
#include "gui/run/fen-run-session.h"

G_BEGIN_DECLS

#define FEN_TYPE_RUN_PAGE (fen_run_page_get_type ())
G_DECLARE_FINAL_TYPE (FenRunPage, fen_run_page, FEN, RUN_PAGE, AdwBin)

/* Signals:
 *   "apply-suggestion" (const char *option, const char *value): a button of the failure bar: start again with this
 *   setting changed.
 *   "reuse-settings" (): the failure bar's "Change Settings". */
GtkWidget *fen_run_page_new (void);
/* NULL shows the empty page ("press Start"). */
void fen_run_page_set_session (FenRunPage *self, FenRunSession *session);
FenRunSession *fen_run_page_get_session (FenRunPage *self);
/* What its charts share; the window remembers axis and smoothing. */
FenChartGroup *fen_run_page_get_chart_group (FenRunPage *self);

/* "about 12 min left", "1,240", "12.4k tokens/s": words for the status line, in the person's locale. Free with g_free. */
char *fen_format_duration (double seconds);
char *fen_format_count (gint64 count);
char *fen_format_status (const FenTrainerStatus *status);
const char *fen_phase_title (FenTrainerPhase phase);     /* "Training", translated */
const char *fen_run_status_title (FenRunStatus status); /* "Interrupted", translated */

G_END_DECLS
