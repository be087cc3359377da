/* fen-rows.c: see fen-rows-private.h. A merge of sorted lists. */
#include "gui/chart/fen-rows-private.h"

#define STRIDE 1024         /* rows between two that are remembered */
#define CANCEL_STRIDE 65536 /* rows between two looks at the cancellable */

typedef struct {
  char *name;
  FenSeries *series; /* frozen */
  gsize first, end;
} RowColumn;

struct _FenRows {
  gatomicrefcount refs;
  FenAxis axis;
  FenUnit unit;
  GArray *columns; /* RowColumn */
  gsize length;
  GArray *index; /* gsize, n_columns of them for each STRIDE rows: where each column stands there */
};

struct _FenRowReader {
  FenRows *rows;
  gsize *at; /* n_columns: the next point of each */
  gsize next;
  FenRow row;
};

#define column_at(rows, i) (&g_array_index ((rows)->columns, RowColumn, i))

static void
column_clear (gpointer data)
{
  g_free (((RowColumn *)data)->name);
  fen_series_unref (((RowColumn *)data)->series);
}

FenRows *
fen_rows_new (FenChart *chart)
{
  FenRows *rows = g_new0 (FenRows, 1);
  double x_min, x_max;
  g_atomic_ref_count_init (&rows->refs);
  rows->axis = fen_chart_group_get_axis (chart->group);
  rows->unit = chart->unit;
  rows->columns = g_array_new (FALSE, FALSE, sizeof (RowColumn));
  g_array_set_clear_func (rows->columns, column_clear);
  rows->index = g_array_new (FALSE, FALSE, sizeof (gsize));
  gboolean zoomed = fen_chart_group_get_range (chart->group, &x_min, &x_max);
  for (guint i = 0; i < chart->items->len; i++)
    {
      const FenChartItem *item = fen_chart_item (chart, i);
      RowColumn column = { 0 };
      if (!item->visible)
        continue;
      column.name = g_strdup (item->name);
      column.series = fen_series_freeze (item->series);
      column.first = zoomed ? fen_series_lower_bound (column.series, rows->axis, x_min) : 0;
      column.end = zoomed ? fen_series_upper_bound (column.series, rows->axis, x_max)
                          : fen_series_length (column.series);
      g_array_append_val (rows->columns, column);
    }
  return rows;
}

FenRows *
fen_rows_ref (FenRows *rows)
{
  g_atomic_ref_count_inc (&rows->refs);
  return rows;
}

void
fen_rows_unref (FenRows *rows)
{
  if (!g_atomic_ref_count_dec (&rows->refs))
    return;
  g_array_unref (rows->columns);
  g_array_unref (rows->index);
  g_free (rows);
}

FenAxis
fen_rows_axis (const FenRows *rows)
{
  return rows->axis;
}

FenUnit
fen_rows_unit (const FenRows *rows)
{
  return rows->unit;
}

guint
fen_rows_n_columns (const FenRows *rows)
{
  return rows->columns->len;
}

const char *
fen_rows_column_name (const FenRows *rows, guint column)
{
  return column_at (rows, column)->name;
}

gsize
fen_rows_length (const FenRows *rows)
{
  return rows->length;
}

gboolean
fen_rows_index (FenRows *rows, GCancellable *cancellable)
{
  g_autoptr (FenRowReader) reader = fen_row_reader_new (rows);
  const FenRow *row;
  gsize n = 0;
  g_array_set_size (rows->index, 0);
  do
    {
      if (n % STRIDE == 0)
        g_array_append_vals (rows->index, reader->at, rows->columns->len);
      if (n % CANCEL_STRIDE == 0 && g_cancellable_is_cancelled (cancellable))
        return FALSE;
      n++;
    }
  while (fen_row_reader_next (reader, &row));
  rows->length = n - 1;
  return TRUE;
}

/* ---- reading ---- */

FenRowReader *
fen_row_reader_new (FenRows *rows)
{
  FenRowReader *reader = g_new0 (FenRowReader, 1);
  guint n = rows->columns->len;
  reader->rows = fen_rows_ref (rows);
  reader->at = g_new (gsize, n + 1);
  reader->row.y = g_new (double, n + 1);
  reader->row.there = g_new (gboolean, n + 1);
  for (guint i = 0; i < n; i++)
    reader->at[i] = column_at (rows, i)->first;
  return reader;
}

void
fen_row_reader_free (FenRowReader *reader)
{
  fen_rows_unref (reader->rows);
  g_free (reader->at);
  g_free (reader->row.y);
  g_free (reader->row.there);
  g_free (reader);
}

/* By the rows' axis first: that is how the columns are sorted. */
static int
compare_places (FenAxis axis, const double *a, const double *b)
{
  if (a[axis] != b[axis])
    return a[axis] < b[axis] ? -1 : 1;
  for (guint i = 0; i < FEN_N_AXES; i++)
    if (a[i] != b[i])
      return a[i] < b[i] ? -1 : 1;
  return 0;
}

static void
places_of (const FenSeries *series, gsize index, double *x)
{
  for (guint axis = 0; axis < FEN_N_AXES; axis++)
    x[axis] = fen_series_x (series, axis, index);
}

gboolean
fen_row_reader_next (FenRowReader *reader, const FenRow **row)
{
  const FenRows *rows = reader->rows;
  gboolean any = FALSE;
  double x[FEN_N_AXES];
  for (guint i = 0; i < rows->columns->len; i++)
    {
      const RowColumn *column = column_at (rows, i);
      if (reader->at[i] >= column->end)
        continue;
      places_of (column->series, reader->at[i], x);
      if (!any || compare_places (rows->axis, x, reader->row.x) < 0)
        memcpy (reader->row.x, x, sizeof x);
      any = TRUE;
    }
  if (!any)
    return FALSE;
  for (guint i = 0; i < rows->columns->len; i++)
    {
      const RowColumn *column = column_at (rows, i);
      reader->row.there[i] = FALSE;
      if (reader->at[i] >= column->end)
        continue;
      places_of (column->series, reader->at[i], x);
      if (compare_places (rows->axis, x, reader->row.x) != 0)
        continue;
      reader->row.there[i] = TRUE;
      reader->row.y[i] = fen_series_y (column->series, reader->at[i]++);
    }
  reader->next++;
  *row = &reader->row;
  return TRUE;
}

void
fen_row_reader_seek (FenRowReader *reader, gsize index)
{
  const FenRow *row;
  guint n = reader->rows->columns->len;
  if (reader->next > index || index - reader->next >= STRIDE)
    {
      gsize block = MIN (index, reader->rows->length) / STRIDE;
      if (n > 0)
        memcpy (reader->at, &g_array_index (reader->rows->index, gsize, block * n), n * sizeof (gsize));
      reader->next = block * STRIDE;
    }
  while (reader->next < index && fen_row_reader_next (reader, &row))
    ;
}
