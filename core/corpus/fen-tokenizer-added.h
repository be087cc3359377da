/* fen-tokenizer-added.h: finding added tokens (<|endoftext|>, <s>, ...) in a text, before anything else looks at it.
 *
 * At each place the longest token wins, and matches do not overlap. A trie over bytes finds them; most bytes of a
 * text begin no token and cost one look into a table.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint32 id;
  gboolean single_word; /* not next to a letter, digit or underscore */
  gboolean lstrip;      /* takes the white space on its left along */
  gboolean rstrip;
} FenAddedToken;

typedef struct {
  GArray *nodes;  /* of the trie */
  GArray *tokens; /* FenAddedToken */
  guint32 first[256];
  gsize longest; /* bytes; 0 when the set is empty */
  gboolean any_lstrip;
} FenAddedSet;

void fen_added_init (FenAddedSet *set);
void fen_added_clear (FenAddedSet *set);
/* FALSE when the text is in the set already. `bytes` > 0. */
gboolean fen_added_insert (FenAddedSet *set, const char *text, gsize bytes, const FenAddedToken *token);

/* What a scan found. [start, end) is the token with the white space that it takes; `open_right` says that it takes
 * white space on its right and that all of the text behind it is white space: more may follow. */
typedef struct {
  const FenAddedToken *token;
  gsize start, end;
  gboolean open_right;
} FenAddedMatch;

/* A text being scanned, perhaps in parts. */
typedef struct {
  const guint8 *text; /* valid UTF-8 */
  gsize bytes;
  gsize floor;       /* white space on a token's left is taken back to here (the end of the last match) */
  gsize from;        /* where to look next; moved by fen_added_find */
  gunichar previous; /* the character before `text`, 0 at the beginning */
  gboolean closed;   /* FALSE: more text may follow */
} FenAddedScan;

/* Finds the next token and moves scan->from and scan->floor behind it. FALSE: there is none, and scan->from says
 * how far that is certain (scan->bytes when closed): text before it is ordinary. */
gboolean fen_added_find (const FenAddedSet *set, FenAddedScan *scan, FenAddedMatch *match);

G_END_DECLS
