/* fen-column-private.h: a list of numbers that grows without copying and is shared without copying.
 *
 * Blocks of 1,024: growing never holds twice what is needed (a doubling array would, and 40 bytes of numbers would become
 * 80). Blocks are counted, so a frozen copy shares them: appending writes behind what the copy may read, and only taking
 * numbers back has to copy a block that somebody else holds. A column does not know its length: the columns of a series
 * are equally long, and the series counts once.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define FEN_BLOCK_SHIFT 10
#define FEN_BLOCK_LENGTH (1u << FEN_BLOCK_SHIFT)

typedef struct {
  gatomicrefcount refs;
  guint capacity;
  double values[];
} FenBlock;

/* All zero: an empty one. */
typedef struct {
  FenBlock **blocks;
  gsize n_blocks, allocated;
} FenColumn;

static inline double
fen_column_get (const FenColumn *column, gsize index)
{
  return column->blocks[index >> FEN_BLOCK_SHIFT]->values[index & (FEN_BLOCK_LENGTH - 1)];
}

/* `index` is how many numbers there are. */
void fen_column_append (FenColumn *column, gsize index, double value);
/* Keeps the first `length` numbers. */
void fen_column_truncate (FenColumn *column, gsize length);
/* Into an empty column: the numbers of `from`, for reading alone. O(n / 1024). */
void fen_column_share (FenColumn *column, const FenColumn *from);
void fen_column_clear (FenColumn *column);
gsize fen_column_bytes (const FenColumn *column); /* of memory in use, without the struct */

G_END_DECLS
