/* fen-words-private.h: numbers as people read them in their locale, for the widgets of this room. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

char *fen_words_number (gint64 number); /* "2,048" */
char *fen_words_bytes (guint64 bytes);  /* "3.2 GiB" */

G_END_DECLS
