/* fen-help-window.h: the user guide (data/guide) to read: chapters at the left, the text, search through all of it. */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define FEN_TYPE_HELP_WINDOW (fen_help_window_get_type ())
G_DECLARE_FINAL_TYPE (FenHelpWindow, fen_help_window, FEN, HELP_WINDOW, AdwWindow)

GtkWidget *fen_help_window_new (void);

G_END_DECLS
