/* fen-schema.h: what the window remembers between two starts (data/org.fenestra.Fenestra.gschema.xml.in).
 *
 * GLib aborts when a program asks for a schema or a key that is not installed. This room looks first, also where no
 * environment variable points: in the build folder and beside the program. Thread: main.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The keys, spelled once. */
#define FEN_KEY_WINDOW_WIDTH "window-width"
#define FEN_KEY_WINDOW_HEIGHT "window-height"
#define FEN_KEY_WINDOW_MAXIMIZED "window-maximized"
#define FEN_KEY_SIDEBAR_VISIBLE "sidebar-visible"
#define FEN_KEY_COLOR_SCHEME "color-scheme"
#define FEN_KEY_START_VIEW "start-view"
#define FEN_KEY_NOTIFY "notify"
#define FEN_KEY_EXPERT "expert"
#define FEN_KEY_PLACES "places"
#define FEN_KEY_SMOOTHING "smoothing"
#define FEN_KEY_AXIS "axis"
#define FEN_KEY_LAST_RUN "last-run"
#define FEN_KEY_OWN_RUN "own-run"

typedef enum { FEN_COLOR_SCHEME_SYSTEM, FEN_COLOR_SCHEME_LIGHT, FEN_COLOR_SCHEME_DARK } FenColorScheme;
typedef enum { FEN_START_VIEW_LAST_RUN, FEN_START_VIEW_EMPTY } FenStartView;

/* NULL with G_IO_ERROR_NOT_FOUND in words when no installed schema has all the keys above. */
GSettings *fen_schema_open (GError **error);
/* Runs in this folder are listed from now on; nothing when they already are. */
void fen_schema_add_place (GSettings *gsettings, const char *path);

G_END_DECLS
