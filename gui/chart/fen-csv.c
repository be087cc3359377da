/* fen-csv.c: a chart's rows as a CSV file (RFC 4180), for any reader in any locale.
 *
 * Header "step,tokens,seconds,time,NAME..."; seconds since the run's first sample, time in UTC (ISO 8601). Numbers have
 * the fewest digits that read back to the same value; what is not finite reads NaN, inf or -inf; an empty cell: this
 * curve has no point there. Written on a worker, whole or not at all.
 */
#include "core/base/fen-io.h"
#include "gui/chart/fen-export-private.h"
#include "gui/chart/fen-rows-private.h"

#include <glib/gi18n.h>
#include <time.h>

#define CANCEL_STRIDE 4096 /* rows */

static void
append_number (GString *line, double value)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  if (isnan (value))
    g_string_append (line, "NaN");
  else if (isinf (value))
    g_string_append (line, value > 0 ? "inf" : "-inf");
  else if (value == floor (value) && fabs (value) < 1e15)
    g_string_append_printf (line, "%" G_GINT64_FORMAT, (gint64)value);
  else
    {
      g_ascii_formatd (text, sizeof text, "%.15g", value);
      if (g_ascii_strtod (text, NULL) != value)
        g_ascii_formatd (text, sizeof text, "%.17g", value);
      g_string_append (line, text);
    }
}

/* Milliseconds are what metrics carry. Years beyond what the calendar knows stay empty. */
static void
append_time (GString *line, double seconds)
{
  struct tm parts;
  if (!(fabs (seconds) < 2e11))
    return;
  gint64 ms = (gint64)llround (seconds * 1000);
  time_t whole = (time_t)(ms >= 0 ? ms / 1000 : -((999 - ms) / 1000));
  if (gmtime_r (&whole, &parts) == NULL)
    return;
  g_string_append_printf (line, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                          parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (int)(ms - whole * 1000));
}

static void
append_name (GString *line, const char *name)
{
  g_string_append (line, ",\"");
  for (const char *p = name; *p != '\0'; p++)
    {
      if (*p == '"')
        g_string_append_c (line, '"');
      g_string_append_c (line, *p);
    }
  g_string_append_c (line, '"');
}

static void
append_row (GString *line, const FenRow *row, guint n_columns)
{
  append_number (line, row->x[FEN_AXIS_STEP]);
  g_string_append_c (line, ',');
  append_number (line, row->x[FEN_AXIS_TOKENS]);
  g_string_append_c (line, ',');
  append_number (line, row->x[FEN_AXIS_RELATIVE]);
  g_string_append_c (line, ',');
  append_time (line, row->x[FEN_AXIS_WALL]);
  for (guint i = 0; i < n_columns; i++)
    {
      g_string_append_c (line, ',');
      if (row->there[i])
        append_number (line, row->y[i]);
    }
  g_string_append (line, "\r\n");
}

static gboolean
write_rows (gpointer content, const char *path, GCancellable *cancellable, GError **error)
{
  FenRows *rows = content;
  g_autoptr (FenFileWriter) writer = fen_file_writer_new (path, error);
  if (writer == NULL)
    return FALSE;
  g_autoptr (FenRowReader) reader = fen_row_reader_new (rows);
  g_autoptr (GString) line = g_string_new ("step,tokens,seconds,time");
  guint n_columns = fen_rows_n_columns (rows);
  const FenRow *row;
  for (guint i = 0; i < n_columns; i++)
    append_name (line, fen_rows_column_name (rows, i));
  g_string_append (line, "\r\n");
  for (gsize n = 0; fen_row_reader_next (reader, &row); n++)
    {
      append_row (line, row, n_columns);
      if (n % CANCEL_STRIDE != 0)
        continue;
      if (g_cancellable_set_error_if_cancelled (cancellable, error)
          || !fen_file_writer_write (writer, line->str, line->len, error))
        return FALSE;
      g_string_truncate (line, 0);
    }
  return fen_file_writer_write (writer, line->str, line->len, error)
         && fen_file_writer_commit (writer, NULL, error);
}

void
fen_chart_export_csv_async (FenChart *self, const char *path, GCancellable *cancellable,
                            GAsyncReadyCallback callback, gpointer user_data)
{
  g_return_if_fail (FEN_IS_CHART (self) && path != NULL);
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, fen_chart_export_csv_async);
  fen_export_run (task, path, fen_rows_new (self), (GDestroyNotify)fen_rows_unref, write_rows);
}

gboolean
fen_chart_export_csv_finish (FenChart *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  return g_task_propagate_boolean (G_TASK (result), error);
}
