/* fen-about.h: the About window, filled from the metainfo that is compiled into the program. */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

GtkWidget *fen_about_window_new (GtkWindow *parent);

G_END_DECLS
