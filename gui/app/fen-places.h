/* fen-places.h: where this program's own files are: in the build folder, or beside the program under its prefix.
 *
 * Translations and the settings schema are made by the build, so fen_data_path (the source tree's and installed data)
 * does not know them. A program that is run from the build folder takes the build's files, even where an older
 * Fenestra is installed; an installed one takes those of its own prefix, wherever that was moved to. Thread-safe.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Is the running program one of the build folder's (the application, a test)? */
gboolean fen_places_in_build_tree (void);
/* <build folder>/NAME; it need not exist. Free with g_free. */
char *fen_places_build_folder (const char *name);
/* <folder of the program>/../NAME when that exists, otherwise NULL. Free with g_free. */
char *fen_places_beside_program (const char *name);

/* Makes gettext find the translations: $FENESTRA_LOCALE_DIR, the build folder's, those beside the program, the
 * prefix's. Call once, before the first text is shown. */
void fen_places_init_translations (void);

G_END_DECLS
