/* fen-preferences.h: the Preferences window: what the window does, not what a run does (that is Training Settings). */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define FEN_TYPE_PREFERENCES (fen_preferences_get_type ())
G_DECLARE_FINAL_TYPE (FenPreferences, fen_preferences, FEN, PREFERENCES, AdwWindow)

GtkWidget *fen_preferences_new (GtkWindow *parent, GSettings *gsettings);
/* What the folder chooser calls: adds a place; one that is listed already, or the default one, changes nothing. */
void fen_preferences_add_place (FenPreferences *self, const char *path);

G_END_DECLS
