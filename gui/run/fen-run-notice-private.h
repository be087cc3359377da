/* fen-run-notice-private.h: the bar that says what went wrong with a run, why, and what to do. */
#pragma once

#include <adwaita.h>

#include "gui/run/fen-run-session.h"

G_BEGIN_DECLS

#define FEN_TYPE_RUN_NOTICE (fen_run_notice_get_type ())
G_DECLARE_FINAL_TYPE (FenRunNotice, fen_run_notice, FEN, RUN_NOTICE, GtkWidget)

/* Signals: "apply-suggestion" (const char *option, const char *value), "reuse-settings" (). */

/* What ended the run: shown for failed, interrupted and damaged runs, hidden for all others. */
void fen_run_notice_show_end (FenRunNotice *self, FenRunSession *session);
/* What a run survived and a person should know: a checkpoint that was not written, updates left out, unreadable lines.
 * Hidden when there is nothing. */
void fen_run_notice_show_warnings (FenRunNotice *self, FenRunSession *session);

G_END_DECLS
