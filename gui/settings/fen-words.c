/* fen-words.c: see fen-words-private.h. Sentences take numbers as %s, so that one function decides how they read. */
#include "gui/settings/fen-words-private.h"

#include <gio/gio.h>

char *
fen_words_number (gint64 number)
{
  return g_strdup_printf ("%'" G_GINT64_FORMAT, number);
}

char *
fen_words_bytes (guint64 bytes)
{
  return g_format_size_full (bytes, G_FORMAT_SIZE_IEC_UNITS);
}
