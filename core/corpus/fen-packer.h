/* fen-packer.h: which tokens stand in which row.
 *
 * Private to the corpus room; fen-dataset.h says what a row is. A packer knows documents as ranges of a token cache and
 * deals in numbers only: 4 bytes a document for the split, 8 for the order of an epoch, nothing a row.
 *
 * Threads: a packer may be used by any thread.
 */
#pragma once

#include "core/corpus/fen-dataset.h"
#include "core/corpus/fen-token-cache.h"

G_BEGIN_DECLS

/* ---- a random order without a table ---- */

/* A permutation of 0 .. n-1 as a pure function of (seed, stream, purpose): a Feistel network whose round function is
 * Philox, over a power of four not below n, walked until it is back below n (Black, Rogaway: "Ciphers with arbitrary finite
 * domains", CT-RSA 2002). */
typedef struct {
  guint64 seed, stream, purpose, n;
  guint half_bits;
} FenPermutation;

/* `purpose` (1 to 255) tells apart permutations of one stream. n >= 1. */
void fen_permutation_init (FenPermutation *permutation, guint64 seed, guint64 stream, guint purpose,
                           guint64 n);
guint64 fen_permutation_at (const FenPermutation *permutation, guint64 i); /* i < n */

/* ---- one side of the split ---- */

/* Documents of a corpus in their order. At most one is there in part: tokens cut_begin .. cut_end - 1 of the corpus. */
typedef struct {
  const guint64 *ends; /* the cache's table */
  guint32 *documents;  /* (n_documents) rising numbers; NULL: all of them */
  gint64 n_documents, n_tokens;
  gint64 cut_document; /* -1: none */
  gint64 cut_begin, cut_end;
  gboolean cut_is_open; /* the part ends before its document does: its last token has no target */
} FenPart;

void fen_part_clear (FenPart *part);
/* Tokens [*begin, *end) of document number j of the part. */
void fen_part_range (const FenPart *part, gint64 j, gint64 *begin, gint64 *end);

/* Splits `n_documents` documents as fen-dataset.h says. Both parts are output; the caller clears them. eval has no documents when
 * eval_share is 0 or would give fewer than two tokens. */
void fen_part_split (const guint64 *ends, gint64 n_documents, double eval_share, FenPart *train,
                     FenPart *eval);

/* ---- rows ---- */

typedef struct _FenPacker FenPacker;

typedef struct {
  gint64 row_tokens;
  guint64 seed;
  gboolean shuffle, document_mask;
  gboolean pad; /* the last row is filled up with padding instead of left out */
} FenPackerOptions;

/* `part` is moved in; `cache` is borrowed. Rows may be 0. */
FenPacker *fen_packer_new (FenTokenCache *cache, FenPart *part, const FenPackerOptions *options);
void fen_packer_free (FenPacker *packer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenPacker, fen_packer_free)

gint64 fen_packer_rows (FenPacker *packer); /* an epoch */
/* fen_dataset_fill for one part. */
gint64 fen_packer_fill (FenPacker *packer, gint64 first_row, gint64 n_rows, const FenRows *rows,
                        GError **error);

G_END_DECLS
