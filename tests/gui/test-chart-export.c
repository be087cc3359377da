/* A chart as a file and as a table. */
#include "tests/gui/chart-stage.h"

#include "gui/chart/fen-rows-private.h"

#include <glib/gstdio.h>

typedef struct {
  gboolean done, ok;
  GError *error;
} Outcome;

static void
on_csv (GObject *chart, GAsyncResult *result, gpointer data)
{
  Outcome *outcome = data;
  outcome->ok = fen_chart_export_csv_finish (FEN_CHART (chart), result, &outcome->error);
  outcome->done = TRUE;
}

static char *
export_csv (Stage *stage, const char *folder)
{
  Outcome outcome = { 0 };
  char *text = NULL;
  g_autofree char *path = g_build_filename (folder, "chart.csv", NULL);
  fen_chart_export_csv_async (stage->chart, path, NULL, on_csv, &outcome);
  fen_gui_wait (outcome.done, 20000);
  g_assert_no_error (outcome.error);
  g_assert_true (outcome.ok && g_file_get_contents (path, &text, NULL, NULL));
  return text;
}

static void
test_csv (void)
{
  Stage stage;
  g_autofree char *folder = fen_gui_test_folder ("csv");
  g_autoptr (FenSeries) loss = fen_series_new (), eval = fen_series_new (), hidden = fen_series_new ();
  append (loss, 1, 2.5);
  append (loss, 2, 1.0 / 3);
  append (loss, 3, NAN);
  append (loss, 4, -INFINITY);
  append (eval, 2, 3e-4);
  append (eval, 2.5, 7);
  append (hidden, 9, 9);
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "loss, \"raw\"", loss, FEN_CHART_SMOOTHED, 0);
  fen_chart_add_series (stage.chart, "eval", eval, FEN_CHART_POINTS, 1);
  fen_chart_set_series_visible (stage.chart,
                                fen_chart_add_series (stage.chart, "x", hidden, FEN_CHART_LINE, 2), FALSE);
  stage_show (&stage);
  g_autofree char *text = export_csv (&stage, folder);
  g_assert_cmpstr (text, ==,
                   "step,tokens,seconds,time,\"loss, \"\"raw\"\"\",\"eval\"\r\n"
                   "1,100,0.1,2023-11-14T22:13:20.100Z,2.5,\r\n"
                   "2,200,0.2,2023-11-14T22:13:20.200Z,0.33333333333333331,0.0003\r\n"
                   "2.5,250,0.25,2023-11-14T22:13:20.250Z,,7\r\n"
                   "3,300,0.3,2023-11-14T22:13:20.300Z,NaN,\r\n"
                   "4,400,0.4,2023-11-14T22:13:20.400Z,-inf,\r\n");
  fen_chart_group_set_range (stage.group, 1.5, 2.2);
  g_autofree char *part = export_csv (&stage, folder);
  g_assert_nonnull (strstr (part, "\n2,"));
  g_assert_null (strstr (part, "\n1,"));
  g_assert_null (strstr (part, "\n2.5,"));
  stage_clear (&stage);
}

/* The series goes on while the worker writes; the file is of the moment when it was asked for. */
static void
test_csv_while_data_streams (void)
{
  Stage stage;
  Outcome outcome = { 0 }, cancelled = { 0 };
  char *text = NULL;
  gsize length, n_lines = 0;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autofree char *folder = fen_gui_test_folder ("csv");
  g_autofree char *path = g_build_filename (folder, "long.csv", NULL);
  g_autofree char *other = g_build_filename (folder, "cancelled.csv", NULL);
  g_autoptr (FenSeries) series = fen_series_new ();
  for (guint i = 0; i < 100000; i++)
    append (series, i, i);
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "loss", series, FEN_CHART_LINE, 0);
  stage_show (&stage);
  fen_chart_export_csv_async (stage.chart, path, NULL, on_csv, &outcome);
  fen_series_rewind (series, 50);
  for (guint i = 51; i < 5000; i++)
    append (series, i, -1);
  fen_chart_export_csv_async (stage.chart, other, cancellable, on_csv, &cancelled);
  g_cancellable_cancel (cancellable);
  fen_gui_wait (outcome.done && cancelled.done, 20000);
  g_assert_true (outcome.ok);
  g_assert_true (g_file_get_contents (path, &text, &length, NULL));
  for (gsize i = 0; i < length; i++)
    n_lines += text[i] == '\n';
  g_assert_cmpuint (n_lines, ==, 100001);
  g_assert_null (strstr (text, ",-1\r\n"));
  g_assert_error (cancelled.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_false (g_file_test (other, G_FILE_TEST_EXISTS));
  g_error_free (cancelled.error);
  g_free (text);
  stage_clear (&stage);
}

static void
test_png (void)
{
  Stage stage;
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = fen_gui_test_folder ("png");
  g_autofree char *path = g_build_filename (folder, "chart.png", NULL);
  g_autofree char *missing = g_build_filename (folder, "no", "chart.png", NULL);
  g_autoptr (FenSeries) series = fen_series_new ();
  for (guint i = 0; i < 1000; i++)
    append (series, i, i % 10);
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "loss", series, FEN_CHART_LINE, 0);
  stage_show (&stage);
  g_assert_true (fen_chart_export_png (stage.chart, path, 900, 420, &error));
  g_autoptr (GdkTexture) picture = gdk_texture_new_from_filename (path, &error);
  g_assert_no_error (error);
  g_assert_cmpint (gdk_texture_get_width (picture), ==, 900);
  g_assert_cmpint (gdk_texture_get_height (picture), ==, 420);
  const GdkRGBA *color = &fen_plot_get_look (stage.plot)->palette[0];
  guint32 rgb = ((guint32)(color->red * 255) << 16) | ((guint32)(color->green * 255) << 8)
                | (guint32)(color->blue * 255);
  g_assert_cmpuint (fen_gui_n_pixels (picture, rgb, 40), >, 5000);
  g_assert_false (fen_chart_export_png (stage.chart, missing, 900, 420, &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, "chart.png"));
  stage_clear (&stage);
}

/* What went wrong stands in the chart; what went well, too. */
static void
test_messages (void)
{
  Stage stage;
  g_autofree char *folder = fen_gui_test_folder ("messages");
  g_autofree char *path = g_build_filename (folder, "chart.png", NULL);
  g_autofree char *missing = g_build_filename (folder, "no", "chart.csv", NULL);
  stage_init (&stage, FEN_UNIT_NUMBER);
  stage_show (&stage);
  fen_chart_export_to (stage.chart, missing, TRUE);
  fen_gui_wait (fen_gui_shows_text (stage.window, "chart.csv"), 5000);
  fen_chart_export_to (stage.chart, path, FALSE);
  fen_gui_wait (fen_gui_shows_text (stage.window, "Saved as “chart.png”"), 5000);
  fen_gui_click (gtk_widget_get_last_child (stage.chart->message));
  g_assert_false (gtk_widget_get_visible (stage.chart->message));
  stage_clear (&stage);
}

/* Rows against a merge that looks at everything, in order and at random. */
static void
test_rows (void)
{
  Stage stage;
  g_autoptr (GRand) rand = g_rand_new_with_seed (5);
  g_autoptr (FenSeries) one = fen_series_new (), two = fen_series_new ();
  g_autoptr (GArray) want
      = g_array_new (FALSE, FALSE, sizeof (double)); /* step, y one or NAN, y two or NAN */
  const FenRow *row;
  for (guint i = 0; i < 20000; i++)
    {
      guint which = g_rand_int_range (rand, 1, 4);
      double cells[3] = { i, which & 1 ? g_rand_double (rand) : NAN, which & 2 ? g_rand_double (rand) : NAN };
      if (which & 1)
        append (one, i, cells[1]);
      if (which & 2)
        append (two, i, cells[2]);
      g_array_append_vals (want, cells, 3);
    }
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "one", one, FEN_CHART_LINE, 0);
  fen_chart_add_series (stage.chart, "two", two, FEN_CHART_LINE, 1);
  stage_show (&stage);
  g_autoptr (FenRows) rows = fen_rows_new (stage.chart);
  g_assert_true (fen_rows_index (rows, NULL));
  g_assert_cmpuint (fen_rows_length (rows), ==, 20000);
  g_autoptr (FenRowReader) reader = fen_row_reader_new (rows);
  for (guint i = 0; i < 3000; i++)
    {
      guint at = i < 1000 ? i : (guint)g_rand_int_range (rand, 0, 20000);
      const double *cells = &g_array_index (want, double, at * 3);
      fen_row_reader_seek (reader, at);
      g_assert_true (fen_row_reader_next (reader, &row));
      g_assert_cmpfloat (row->x[FEN_AXIS_STEP], ==, cells[0]);
      for (guint column = 0; column < 2; column++)
        {
          g_assert_cmpint (row->there[column], ==, !isnan (cells[column + 1]));
          if (row->there[column])
            g_assert_cmpfloat (row->y[column], ==, cells[column + 1]);
        }
    }
  fen_row_reader_seek (reader, 20000);
  g_assert_false (fen_row_reader_next (reader, &row));
  stage_clear (&stage);
}

/* A million rows: shown at once, at the end as at the beginning. */
static void
test_table (void)
{
  Stage stage;
  g_autoptr (FenSeries) series = fen_series_new ();
  for (guint i = 0; i < 1000000; i++)
    append (series, i, i / 4.0);
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "loss", series, FEN_CHART_LINE, 0);
  stage_show (&stage);
  GtkWidget *window = fen_chart_table_window_new (stage.chart);
  gtk_window_present (GTK_WINDOW (window));
  fen_gui_wait (fen_gui_shows_text (window, "0.2500"), 10000);
  GtkWidget *view = fen_gui_find (window, GTK_TYPE_COLUMN_VIEW, NULL);
  GListModel *model = G_LIST_MODEL (gtk_column_view_get_model (GTK_COLUMN_VIEW (view)));
  g_assert_cmpuint (g_list_model_get_n_items (model), ==, 1000000);
  fen_gui_settle (window);
  GtkAdjustment *down = gtk_scrollable_get_vadjustment (GTK_SCROLLABLE (view));
  gtk_adjustment_set_value (down, gtk_adjustment_get_upper (down));
  fen_gui_wait (fen_gui_shows_text (window, "999999"), 10000);

  /* Refreshed: what has come since, in the range that is shown now. */
  append (series, 2000000, 3);
  fen_chart_group_set_range (stage.group, 999998.5, 3000000);
  fen_gui_click (fen_gui_find (window, GTK_TYPE_BUTTON, NULL));
  fen_gui_wait (fen_gui_shows_text (window, "2000000"), 10000);
  model = G_LIST_MODEL (gtk_column_view_get_model (GTK_COLUMN_VIEW (view)));
  g_assert_cmpuint (g_list_model_get_n_items (model), ==, 2);
  fen_gui_destroy (window);
  stage_clear (&stage);
}

int
main (int argc, char *argv[])
{
  fen_gui_test_init (&argc, &argv);
  g_test_add_func ("/chart-export/csv", test_csv);
  g_test_add_func ("/chart-export/csv-while-data-streams", test_csv_while_data_streams);
  g_test_add_func ("/chart-export/png", test_png);
  g_test_add_func ("/chart-export/messages", test_messages);
  g_test_add_func ("/chart-export/rows", test_rows);
  g_test_add_func ("/chart-export/table", test_table);
  return fen_gui_test_run ();
}
