/* fen-window.h: the main window: header (Start, Pause, Stop, Training Settings, menu), runs at the left, the run in the
 * middle. Actions: win.start, win.pause, win.continue, win.stop, win.checkpoint, win.resume (the run that is shown),
 * win.settings, win.toggle-sidebar. */
#pragma once

#include "gui/app/fen-application.h"

G_BEGIN_DECLS

#define FEN_TYPE_WINDOW (fen_window_get_type ())
G_DECLARE_FINAL_TYPE (FenWindow, fen_window, FEN, WINDOW, AdwApplicationWindow)

FenWindow *fen_window_new (FenApplication *application);
void fen_window_show_run (FenWindow *self, const char *path);
/* A bar at the top that stays until it is closed or the next start succeeds. */
void fen_window_show_problem (FenWindow *self, const char *text);
/* Asks once what becomes of the run that goes on, then closes the window: the process ends with it, or stays without a
 * window while the run goes on. Without a run there is nothing to ask and the window closes. */
void fen_window_ask_to_close (FenWindow *self);

G_END_DECLS
