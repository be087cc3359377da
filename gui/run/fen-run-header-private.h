/* fen-run-header-private.h: the top of the run page: name, phase, progress, the RUNNING configuration, and the badge that
 * tells what really runs. */
#pragma once

#include <adwaita.h>

#include "gui/run/fen-run-session.h"

G_BEGIN_DECLS

#define FEN_TYPE_RUN_HEADER (fen_run_header_get_type ())
G_DECLARE_FINAL_TYPE (FenRunHeader, fen_run_header, FEN, RUN_HEADER, GtkWidget)

void fen_run_header_show (FenRunHeader *self, FenRunSession *session);

G_END_DECLS
