/* fen-rows-private.h: the visible points of a chart as rows: what the table shows and what a CSV file holds.
 *
 * A row is a place; curves that have a point at exactly that place (on all four axes) share the row, the others leave
 * their cells empty. Rows are ordered along the axis that the chart shows. They are of frozen series: made on the main
 * thread in no time, read on any one thread at a time.
 *
 * Nothing is written out: every thousandth row remembers where it is in each curve, and a row is found from there.
 */
#pragma once

#include "gui/chart/fen-chart-private.h"

G_BEGIN_DECLS

typedef struct _FenRows FenRows;

/* What the chart shows now: visible curves, visible range. */
FenRows *fen_rows_new (FenChart *chart);
FenRows *fen_rows_ref (FenRows *rows);
void fen_rows_unref (FenRows *rows);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenRows, fen_rows_unref)

FenAxis fen_rows_axis (const FenRows *rows);
FenUnit fen_rows_unit (const FenRows *rows);
guint fen_rows_n_columns (const FenRows *rows);
const char *fen_rows_column_name (const FenRows *rows, guint column);

/* Counts the rows and remembers every thousandth: a pass over all points. FALSE when cancelled. */
gboolean fen_rows_index (FenRows *rows, GCancellable *cancellable);
gsize fen_rows_length (const FenRows *rows); /* after fen_rows_index */

typedef struct {
  double x[FEN_N_AXES];
  double *y;       /* n_columns */
  gboolean *there; /* n_columns: has this curve a point here? */
} FenRow;

/* Reads rows one after the other, or any one. */
typedef struct _FenRowReader FenRowReader;
FenRowReader *fen_row_reader_new (FenRows *rows);
void fen_row_reader_free (FenRowReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenRowReader, fen_row_reader_free)
/* FALSE after the last. The row is valid until the next call. */
gboolean fen_row_reader_next (FenRowReader *reader, const FenRow **row);
/* The next row will be `index`. After fen_rows_index. */
void fen_row_reader_seek (FenRowReader *reader, gsize index);

G_END_DECLS
