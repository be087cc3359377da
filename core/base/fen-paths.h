/* fen-paths.h: where the files that come with the program are.
 *
 * Threads: reentrant.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The path of a file or folder that comes with Fenestra ("guide", "presets/sample.json"), looked for in
 * $FENESTRA_DATA_DIR, beside the program's installation (<prefix>/share/fenestra), and in the source tree that it was
 * built from. NULL when it is in none of them. Free with g_free. */
char *fen_data_path (const char *name);

/* The bundled sample: Fenestra's own user guide, a folder of .txt chapters. NULL when it is not there. */
char *fen_sample_path (void);

G_END_DECLS
