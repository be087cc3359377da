/* fen-number.h: numbers in text that is written down.
 *
 * printf writes 2,12 in a window whose person counts with commas. What goes into a log, a file or an error must read the
 * same everywhere: there a number is formatted by this and printed with %s.
 *
 * Threads: reentrant.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Any double as "%.17g", any float as "%.4f". */
typedef struct {
  char text[64];
} FenNumber;

/* `format` as printf's for one double ("%.4f"). Write fen_number ("%.4f", loss).text in place as an argument: it lasts
 * until the call has returned. */
FenNumber fen_number (const char *format, double value);

G_END_DECLS
