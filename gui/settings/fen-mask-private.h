/* fen-mask-private.h: the attention mask of a configuration as geometry: which cells of a square drawing are visible.
 *
 * The drawing has `cells` x `cells` cells; cell i of an axis stands for tokens [i T / cells, (i + 1) T / cells) of a
 * context of T. A cell is visible when ANY of its query/key pairs is, so that a window of 256 in 100,000 tokens is
 * still a line and not nothing.
 *
 * The mask is the kernels' own (kernels/fen-backend.h): query q sees key k when
 *     max (doc_start, q - window + 1) <= k <= q,   or   doc_start <= k < doc_start + sinks and k <= q.
 */
#pragma once

#include "core/config/fen-config.h"

G_BEGIN_DECLS

typedef struct {
  gint64 context;          /* tokens a row, T */
  gint64 window;           /* 0 = full attention */
  gint64 sinks;            /* 0 when they change nothing */
  gint64 chunk;            /* tokens a chunk; 0 = the row is one chunk */
  gboolean truncated;      /* gradients stop at chunk borders */
  gboolean alternate;      /* the layers between see everything */
  gboolean unknown_window; /* the model's own window, which stands in its folder */
  gint64 border;           /* first token of a second document; 0 = one document */
} FenMask;

/* The mask of the settings. Where documents meet is the text's matter: with document_mask, two are drawn as an example. */
void fen_mask_init (FenMask *mask, const FenConfig *config);

/* Cells for a drawing of `pixels` pixels: no cell without a token. */
guint fen_mask_cells (const FenMask *mask, guint pixels);
/* First cell of the second document or of the chunk with this number; the token's cell. */
guint fen_mask_cell_of (const FenMask *mask, guint cells, gint64 token);

typedef enum {
  FEN_MASK_SEEN,  /* in the window */
  FEN_MASK_FAINT, /* seen, but without gradient (truncated carry) */
  FEN_MASK_SINK,  /* visible as one of the document's first tokens */
  FEN_MASK_OTHER, /* seen by every other layer only */
} FenMaskKind;

typedef struct {
  FenMaskKind kind;
  guint first, end; /* cells */
} FenMaskSpan;

#define FEN_MASK_MAX_SPANS 6

/* The visible spans of one row of cells, in the order in which they are painted over each other. */
guint fen_mask_row (const FenMask *mask, guint cells, guint row, FenMaskSpan *spans);

/* The same in words, one sentence a line, translated. Free with g_free. */
char *fen_mask_describe (const FenMask *mask);

G_END_DECLS
