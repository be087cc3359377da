/* fen-column.c: see fen-column-private.h. */
#include "gui/chart/fen-column-private.h"

#include <string.h>

#define FIRST_CAPACITY 16 /* the first block grows: a run has many curves, most of them short */

static FenBlock *
block_new (guint capacity)
{
  FenBlock *block = g_malloc (sizeof (FenBlock) + capacity * sizeof (double));
  g_atomic_ref_count_init (&block->refs);
  block->capacity = capacity;
  return block;
}

static void
block_unref (FenBlock *block)
{
  if (g_atomic_ref_count_dec (&block->refs))
    g_free (block);
}

/* A block of one's own with the first `length` numbers of `block`, whose reference is given up. */
static FenBlock *
block_copy (FenBlock *block, guint capacity, guint length)
{
  FenBlock *copy = block_new (capacity);
  memcpy (copy->values, block->values, length * sizeof (double));
  block_unref (block);
  return copy;
}

void
fen_column_append (FenColumn *column, gsize index, double value)
{
  gsize b = index >> FEN_BLOCK_SHIFT;
  guint at = index & (FEN_BLOCK_LENGTH - 1);
  if (b == column->n_blocks)
    {
      if (column->n_blocks == column->allocated)
        {
          column->allocated = MAX (4, column->allocated + column->allocated / 2);
          column->blocks = g_renew (FenBlock *, column->blocks, column->allocated);
        }
      column->blocks[column->n_blocks++] = block_new (b == 0 ? FIRST_CAPACITY : FEN_BLOCK_LENGTH);
    }
  else if (at == column->blocks[b]->capacity)
    column->blocks[b] = block_copy (column->blocks[b], at * 2, at);
  column->blocks[b]->values[at] = value;
}

/* What comes next is written where a frozen copy may be reading: it keeps the block, we go on in another. */
void
fen_column_truncate (FenColumn *column, gsize length)
{
  gsize keep = (length + FEN_BLOCK_LENGTH - 1) >> FEN_BLOCK_SHIFT;
  guint at = length & (FEN_BLOCK_LENGTH - 1);
  while (column->n_blocks > keep)
    block_unref (column->blocks[--column->n_blocks]);
  if (at != 0 && !g_atomic_ref_count_compare (&column->blocks[keep - 1]->refs, 1))
    column->blocks[keep - 1] = block_copy (column->blocks[keep - 1], column->blocks[keep - 1]->capacity, at);
}

void
fen_column_share (FenColumn *column, const FenColumn *from)
{
  column->blocks = g_memdup2 (from->blocks, from->n_blocks * sizeof (FenBlock *));
  column->n_blocks = column->allocated = from->n_blocks;
  for (gsize i = 0; i < from->n_blocks; i++)
    g_atomic_ref_count_inc (&from->blocks[i]->refs);
}

void
fen_column_clear (FenColumn *column)
{
  fen_column_truncate (column, 0);
  g_clear_pointer (&column->blocks, g_free);
  column->allocated = 0;
}

gsize
fen_column_bytes (const FenColumn *column)
{
  gsize bytes = column->allocated * sizeof (FenBlock *);
  for (gsize i = 0; i < column->n_blocks; i++)
    bytes += sizeof (FenBlock) + column->blocks[i]->capacity * sizeof (double);
  return bytes;
}
