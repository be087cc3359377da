/* fen-window.h: the main window: header (Start, Pause, Stop, Training Settings, menu), runs at the left, the run in the
 * middle. Actions: win.start, win.pause, win.continue, win.stop, win.checkpoint, win.settings, win.toggle-sidebar. */
#pragma once

#include "gui/app/fen-application.h"

G_BEGIN_DECLS

#define FEN_TYPE_WINDOW (fen_window_get_type ())
G_DECLARE_FINAL_TYPE (FenWindow, fen_window, FEN, WINDOW, AdwApplicationWindow)

FenWindow *fen_window_new (FenApplication *application);
void fen_window_show_run (FenWindow *self, const char *path);

G_END_DECLS
