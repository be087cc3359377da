/* fen-guide.h: the chapters of the user guide: text files whose first line is the title, in the order of their names. */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct {
  char *title;  /* valid UTF-8, as is text */
  char *text;   /* without the title; paragraphs are parted by empty lines */
  char *folded; /* title and text as g_utf8_casefold gives them, for searching */
} FenGuideChapter;

/* Reads a folder. An array of FenGuideChapter that frees them; an error when the folder or a file cannot be read, or when
 * it has no chapter. Blocks: call on a worker. */
GPtrArray *fen_guide_load (const char *folder, GError **error);
/* Does every word of `query` stand in the chapter? An empty query matches all. Letter case does not matter. */
gboolean fen_guide_chapter_matches (const FenGuideChapter *chapter, const char *query);

G_END_DECLS
