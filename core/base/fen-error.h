/* fen-error.h: the words of an error.
 *
 * Every error is one line that names the thing, the value and what is allowed. Values come from files and command
 * lines of strangers, so they are quoted, escaped and cut before they are shown.
 *
 * Threads: reentrant.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Sets a G_FILE_ERROR "PATH: what: errno's words", for example "run/config.json: cannot write: No space left on
 * device". `path` is in the file name encoding. Returns FALSE, so that a caller may return it. */
gboolean fen_error_set_errno (GError **error, int errnum, const char *path, const char *what);

/* `text` in double quotes, on one line, control characters and invalid UTF-8 escaped, cut after 60 characters. */
char *fen_error_quote (const char *text);

/* The string of a NULL-terminated list that is nearest to `text` (Damerau-Levenshtein distance, at most a third of
 * the length away), for "did you mean ...?"; NULL when none is near. - and _ and case count as equal. */
const char *fen_error_nearest (const char *text, const char *const *candidates);

G_END_DECLS
