/* What a chart draws and says, looked at in its pixels. */
#include "tests/gui/chart-stage.h"

static void
test_life (void)
{
  Stage stage;
  g_autoptr (FenSeries) series = fen_series_new ();
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "train", series, FEN_CHART_SMOOTHED, 0);
  fen_chart_add_series (stage.chart, "eval", series, FEN_CHART_POINTS, 1);
  g_assert_cmpstr (fen_chart_get_title (stage.chart), ==, "Loss");
  stage_show (&stage);
  g_assert_true (fen_gui_shows_text (stage.window, "Loss"));
  g_assert_true (fen_gui_shows_text (stage.window, "train"));
  fen_chart_clear_series (stage.chart);
  stage_settle (&stage);
  g_assert_false (fen_gui_shows_text (stage.window, "train"));
  stage_clear (&stage);

  /* Never shown; with a group of its own. */
  FenChart *chart = g_object_ref_sink (fen_chart_new ("Loss", FEN_UNIT_NUMBER, NULL));
  fen_chart_data_changed (chart);
  fen_gui_assert_finalized (chart);
}

/* A chart that has no curve any more, and is perhaps hidden for that, has no say in the axis of the others. */
static void
test_cleared (void)
{
  Stage stage;
  double min, max;
  g_autoptr (FenSeries) short_run = fen_series_new (), long_run = fen_series_new ();
  for (guint i = 0; i <= 220; i++)
    append (long_run, i, 1);
  for (guint i = 0; i <= 40; i++)
    append (short_run, i, 1);
  stage_init (&stage, FEN_UNIT_NUMBER);
  FenChart *other = fen_chart_new ("Utilization", FEN_UNIT_SHARE, stage.group);
  GtkWidget *window = fen_gui_show (GTK_WIDGET (other), 300, 200);
  fen_chart_add_series (other, "Processor", long_run, FEN_CHART_LINE, 0);
  fen_chart_add_series (stage.chart, "train", short_run, FEN_CHART_LINE, 0);
  stage_show (&stage);
  fen_gui_settle (window);
  fen_chart_group_get_shown (stage.group, &min, &max);
  g_assert_cmpfloat (max, ==, 220);
  gtk_widget_set_visible (GTK_WIDGET (other), FALSE);
  fen_chart_clear_series (other);
  stage_settle (&stage);
  fen_chart_group_get_shown (stage.group, &min, &max);
  g_assert_cmpfloat (max, ==, 40);
  fen_gui_destroy (window);
  stage_clear (&stage);
}

static void
test_spike (void)
{
  Stage stage;
  g_autoptr (FenSeries) series = fen_series_new ();
  for (guint i = 0; i < 1000000; i++)
    append (series, i, i == 654321 ? 10 : 1);
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "train", series, FEN_CHART_LINE, 0);
  stage_show (&stage);
  g_autoptr (GdkTexture) all = stage_render (&stage);
  g_assert_true (stage_ink_at (&stage, all, 0, 654321, 9.9));
  g_assert_true (stage_ink_at (&stage, all, 0, 654321, 5));
  g_assert_true (stage_ink_at (&stage, all, 0, 300000, 1));
  g_assert_false (stage_ink_at (&stage, all, 0, 300000, 5));

  /* Percentiles cut it off: the ordinary values fill the chart. */
  fen_chart_set_fit_percentiles (stage.chart, TRUE);
  stage_settle (&stage);
  FenFrame frame;
  g_assert_true (fen_plot_get_frame (stage.plot, &frame));
  g_assert_cmpfloat (frame.y_max, <, 2);
  stage_clear (&stage);
}

/* Few points: a line joins them, but not over a gap and not where the run began anew. */
static void
test_breaks (void)
{
  Stage stage;
  g_autoptr (FenSeries) series = fen_series_new ();
  append (series, 0, 1);
  append (series, 10, 2);
  append (series, 20, NAN);
  append (series, 30, 4);
  append (series, 40, 4);
  append (series, 50, 9);
  fen_series_rewind (series, 40);
  append (series, 60, 4);
  append (series, 70, 4);
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "train", series, FEN_CHART_LINE, 0);
  stage_show (&stage);
  g_autoptr (GdkTexture) picture = stage_render (&stage);
  g_assert_true (stage_ink_at (&stage, picture, 0, 5, 1.5));
  g_assert_false (stage_ink_at (&stage, picture, 0, 20, 3));
  g_assert_true (stage_ink_at (&stage, picture, 0, 35, 4));
  g_assert_false (stage_ink_at (&stage, picture, 0, 50, 4));
  g_assert_true (stage_ink_at (&stage, picture, 0, 65, 4));
  stage_clear (&stage);
}

static void
test_nothing_to_draw (void)
{
  Stage stage;
  g_autoptr (FenSeries) series = fen_series_new ();
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "train", series, FEN_CHART_SMOOTHED, 0);
  stage_show (&stage);
  gtk_test_accessible_assert_property (GTK_ACCESSIBLE (stage.plot), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                       "No values yet");
  g_autoptr (GdkTexture) empty = stage_render (&stage);
  g_assert_cmpuint (fen_gui_n_drawn (empty), >, 100); /* axes and words */

  /* Only gaps: a place but no value. */
  append (series, 1, NAN);
  append (series, 2, INFINITY);
  append (series, 3, -INFINITY);
  for (guint log_scale = 0; log_scale < 2; log_scale++)
    {
      fen_chart_set_log_scale (stage.chart, log_scale);
      stage_settle (&stage);
      g_autoptr (GdkTexture) gaps = stage_render (&stage);
      g_assert_cmpuint (fen_gui_n_drawn (gaps), >, 100);
      g_assert_false (stage_ink_at (&stage, gaps, 0, 2, 0.5));
    }
  stage_clear (&stage);
}

static void
test_one_point (void)
{
  static const double values[] = { 3, 0, -1e300, 1e-300 };
  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      Stage stage;
      g_autoptr (FenSeries) series = fen_series_new ();
      append (series, 1000000, values[i]);
      stage_init (&stage, FEN_UNIT_NUMBER);
      fen_chart_add_series (stage.chart, "train", series, FEN_CHART_LINE, 0);
      stage_show (&stage);
      g_autoptr (GdkTexture) picture = stage_render (&stage);
      g_assert_true (stage_ink_at (&stage, picture, 0, 1000000, values[i]));
      stage_clear (&stage);
    }
}

static void
test_log_scale (void)
{
  Stage stage;
  FenFrame frame;
  g_autoptr (FenSeries) series = fen_series_new ();
  for (guint i = 0; i <= 100; i++)
    append (series, i, i < 50 ? pow (10, 4 - i / 10.0) : i == 70 ? -5 : i == 71 ? 0 : 0.1);
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "train", series, FEN_CHART_LINE, 0);
  stage_show (&stage);
  fen_chart_set_log_scale (stage.chart, TRUE);
  stage_settle (&stage);
  g_autoptr (GdkTexture) picture = stage_render (&stage);
  g_assert_true (fen_plot_get_frame (stage.plot, &frame));
  g_assert_true (frame.log);
  g_assert_cmpfloat (frame.y_min, <, -1);
  g_assert_cmpfloat (frame.y_min, >, -2);
  g_assert_true (stage_ink_at (&stage, picture, 0, 20, 100)); /* the line is straight there */
  g_assert_true (stage_ink_at (&stage, picture, 0, 90, 0.1));

  /* None that could be shown. */
  fen_series_clear (series);
  append (series, 1, -3);
  append (series, 2, 0);
  stage_settle (&stage);
  g_assert_true (fen_plot_get_frame (stage.plot, &frame));
  g_assert_false (frame.log);
  stage_clear (&stage);
}

static void
test_zoom_stays (void)
{
  Stage stage;
  FenFrame frame;
  g_autoptr (FenSeries) series = fen_series_new ();
  for (guint i = 0; i < 1000; i++)
    append (series, i, i < 500 ? 1 : 5);
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "train", series, FEN_CHART_LINE, 0);
  stage_show (&stage);
  fen_chart_group_set_range (stage.group, 100, 200);
  stage_settle (&stage);
  for (guint i = 1000; i < 3000; i++)
    append (series, i, 100);
  guint drawn = fen_plot_get_n_drawn (stage.plot);
  fen_chart_data_changed (stage.chart);
  fen_gui_wait (fen_plot_get_n_drawn (stage.plot) > drawn, 5000);
  g_assert_true (fen_plot_get_frame (stage.plot, &frame));
  g_assert_cmpfloat (frame.x_min, ==, 100);
  g_assert_cmpfloat (frame.x_max, ==, 200);
  g_assert_cmpfloat (frame.y_max, <, 2); /* fitted to what is seen */
  fen_chart_group_reset_range (stage.group);
  stage_settle (&stage);
  g_assert_true (fen_plot_get_frame (stage.plot, &frame));
  g_assert_cmpfloat (frame.x_max, ==, 2999);
  g_assert_cmpfloat (frame.y_max, >, 100);
  stage_clear (&stage);
}

/* Data at any pace is drawn at most thirty times a second, and never while nobody can see it. */
static void
test_pace (void)
{
  Stage stage;
  g_autoptr (FenSeries) series = fen_series_new ();
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "train", series, FEN_CHART_LINE, 0);
  stage_show (&stage);
  guint drawn = fen_plot_get_n_drawn (stage.plot);
  gint64 end = g_get_monotonic_time () + G_TIME_SPAN_SECOND;
  for (guint i = 0; g_get_monotonic_time () < end; i++)
    {
      append (series, i, i % 7);
      fen_chart_data_changed (stage.chart);
      fen_gui_step ();
    }
  drawn = fen_plot_get_n_drawn (stage.plot) - drawn;
  g_assert_cmpuint (drawn, >=, 5); /* a loaded machine is slow, but it draws */
  g_assert_cmpuint (drawn, <=, 34);

  /* Told once, it draws once and then rests. */
  fen_gui_run_for (200);
  drawn = fen_plot_get_n_drawn (stage.plot);
  fen_chart_data_changed (stage.chart);
  fen_gui_run_for (300);
  g_assert_cmpuint (fen_plot_get_n_drawn (stage.plot), ==, drawn + 1);

  gtk_widget_set_visible (GTK_WIDGET (stage.chart), FALSE);
  drawn = fen_plot_get_n_drawn (stage.plot);
  append (series, 1e6, 1);
  fen_chart_data_changed (stage.chart);
  fen_gui_run_for (200);
  g_assert_cmpuint (fen_plot_get_n_drawn (stage.plot), ==, drawn);
  gtk_widget_set_visible (GTK_WIDGET (stage.chart), TRUE);
  fen_gui_wait (fen_plot_get_n_drawn (stage.plot) > drawn, 2000);
  stage_clear (&stage);
}

/* The stack shows the parts of one moment: the greatest of each were never there together. */
static void
test_stack (void)
{
  Stage stage;
  FenFrame frame;
  g_autoptr (FenSeries) below = fen_series_new (), above = fen_series_new ();
  for (guint i = 0; i < 100000; i++)
    {
      append (below, i, i % 2 == 0 ? 6e9 : 1e9);
      append (above, i, i % 2 == 0 ? 1e9 : 2e9);
    }
  stage_init (&stage, FEN_UNIT_BYTES);
  fen_chart_add_series (stage.chart, "Weights", below, FEN_CHART_STACKED, 0);
  fen_chart_add_series (stage.chart, "Gradients", above, FEN_CHART_STACKED, 1);
  fen_chart_set_level (stage.chart, "Planned", 10e9);
  stage_show (&stage);
  g_assert_true (fen_plot_get_frame (stage.plot, &frame));
  g_assert_cmpfloat (frame.y_min, ==, 0);
  g_assert_cmpfloat (frame.y_max, >, 10e9); /* the level is in sight */
  g_autoptr (GdkTexture) picture = stage_render (&stage);
  g_assert_true (stage_ink_at (&stage, picture, 0, 50000, 6e9));
  g_assert_true (stage_ink_at (&stage, picture, 1, 50000, 7e9));
  g_assert_false (stage_ink_at (&stage, picture, 1, 50000, 8e9));

  fen_chart_set_series_visible (stage.chart, 0, FALSE);
  fen_chart_set_level (stage.chart, "Planned", NAN);
  stage_settle (&stage);
  g_assert_true (fen_plot_get_frame (stage.plot, &frame));
  g_assert_cmpfloat (frame.y_max, <, 2.5e9);

  /* Taken back, and a part that began later. */
  fen_chart_set_series_visible (stage.chart, 0, TRUE);
  fen_series_rewind (below, 999);
  fen_series_clear (above);
  append (above, 500, 2e9);
  for (guint i = 1000; i < 1100; i++)
    append (below, i, 3e9);
  stage_settle (&stage);
  FenSeries *total = fen_stack_total (stage.chart->stack);
  g_assert_cmpuint (fen_series_length (total), ==, 1100);
  g_assert_cmpfloat (fen_series_y (total, 498), ==, 6e9);
  g_assert_cmpfloat (fen_series_y (total, 500), ==, 8e9);
  g_assert_cmpfloat (fen_series_y (total, 1050), ==, 5e9);
  stage_clear (&stage);
}

/* Clicking a legend entry hides its curve, and what is left fills the chart. */
static void
test_legend (void)
{
  Stage stage;
  FenFrame frame;
  g_autoptr (FenSeries) low = fen_series_new (), high = fen_series_new ();
  for (guint i = 0; i < 100; i++)
    {
      append (low, i, 1 + i / 100.0);
      append (high, i, 50);
    }
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "train", low, FEN_CHART_LINE, 0);
  g_assert_cmpuint (fen_chart_add_series (stage.chart, "other run", high, FEN_CHART_LINE, 1), ==, 1);
  stage_show (&stage);
  g_assert_true (fen_gui_shows_text (stage.window, "1.9900"));
  GtkWidget *entry = gtk_widget_get_last_child (stage.chart->legend);
  g_assert_true (gtk_widget_get_focusable (entry));
  gtk_test_accessible_assert_property (GTK_ACCESSIBLE (entry), GTK_ACCESSIBLE_PROPERTY_LABEL, "other run");
  fen_gui_click (entry);
  stage_settle (&stage);
  g_assert_true (fen_plot_get_frame (stage.plot, &frame));
  g_assert_cmpfloat (frame.y_max, <, 3);
  g_autoptr (GdkTexture) picture = stage_render (&stage);
  g_assert_true (stage_ink_at (&stage, picture, 0, 50, 1.5));
  fen_chart_set_series_visible (stage.chart, 1, TRUE);
  g_assert_true (gtk_toggle_button_get_active (GTK_TOGGLE_BUTTON (entry)));
  stage_clear (&stage);
}

/* Curves differ without their colours, and a dash never hides a spike. */
static void
test_dashes (void)
{
  Stage stage;
  FenFrame frame;
  g_autoptr (FenSeries) flat = fen_series_new (), dashed = fen_series_new ();
  for (guint i = 0; i < 2000; i++)
    {
      append (flat, i, 1);
      append (dashed, i, i % 40 == 39 ? 4 : 2);
    }
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "one", flat, FEN_CHART_LINE, 0);
  fen_chart_add_series (stage.chart, "two", dashed, FEN_CHART_LINE, 1);
  stage_show (&stage);
  g_assert_cmpint (fen_chart_item (stage.chart, 0)->dash, !=, fen_chart_item (stage.chart, 1)->dash);
  g_autoptr (GdkTexture) picture = stage_render (&stage);
  g_assert_true (fen_plot_get_frame (stage.plot, &frame));
  const GdkRGBA *color = &fen_plot_get_look (stage.plot)->palette[0];
  for (int x = (int)frame.left + 2; x < (int)(frame.left + frame.width) - 2; x++)
    g_assert_true (stage_has_ink (picture, color, x, fen_frame_y (&frame, 1), 1));
  /* Every spike leaves something above the line, in a gap of the dash or not. */
  guint32 background = fen_gui_pixel (picture, (int)frame.left + 3, (int)fen_frame_y (&frame, 1.5));
  for (guint i = 39; i < 1960; i += 40)
    {
      int y = (int)fen_frame_y (&frame, 3.3), n = 0;
      for (int x = (int)fen_frame_x (&frame, i) - 1; x <= (int)fen_frame_x (&frame, i) + 1; x++)
        n += fen_gui_pixel (picture, x, y) != background;
      g_assert_cmpint (n, >, 0);
    }
  stage_clear (&stage);
}

static void
test_description (void)
{
  Stage stage;
  g_autoptr (FenSeries) series = fen_series_new ();
  append (series, 1, 7.01);
  append (series, 2, 2.38);
  append (series, 3, 2.41);
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "train", series, FEN_CHART_LINE, 0);
  stage_show (&stage);
  fen_gui_run_for (2200); /* what showing it told is over */
  gtk_test_accessible_assert_role (GTK_ACCESSIBLE (stage.plot), GTK_ACCESSIBLE_ROLE_IMG);
  gtk_test_accessible_assert_property (GTK_ACCESSIBLE (stage.plot), GTK_ACCESSIBLE_PROPERTY_LABEL, "Loss");
  gtk_test_accessible_assert_property (GTK_ACCESSIBLE (stage.plot), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                       "train: last 2.4100, minimum 2.3800, maximum 7.0100");
  /* Told twice within a second: the second telling waits. */
  append (series, 4, 2);
  fen_chart_data_changed (stage.chart);
  fen_gui_run_for (150);
  append (series, 5, 1);
  fen_chart_data_changed (stage.chart);
  fen_gui_run_for (150);
  gtk_test_accessible_assert_property (GTK_ACCESSIBLE (stage.plot), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                       "train: last 2, minimum 2, maximum 7.0100");
  fen_gui_run_for (1100);
  gtk_test_accessible_assert_property (GTK_ACCESSIBLE (stage.plot), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                       "train: last 1, minimum 1, maximum 7.0100");
  fen_chart_set_level (stage.chart, "Planned", 9);
  fen_chart_group_set_cursor (stage.group, 3);
  fen_gui_run_for (2200);
  gtk_test_accessible_assert_property (
      GTK_ACCESSIBLE (stage.plot), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
      "Step 3\ntrain: 2.4100\ntrain: last 1, minimum 1, maximum 7.0100; Planned: 9");
  stage_clear (&stage);
}

/* Right to left: places still rise to the right, the labels of the values are at the other side. */
static void
test_right_to_left (void)
{
  Stage stage;
  FenFrame ltr, rtl;
  g_autoptr (FenSeries) series = fen_series_new ();
  for (guint i = 0; i < 100; i++)
    append (series, i, i);
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "train", series, FEN_CHART_LINE, 0);
  stage_show (&stage);
  g_assert_true (fen_plot_get_frame (stage.plot, &ltr));
  gtk_widget_set_direction (stage.chart->legend, GTK_TEXT_DIR_RTL);
  gtk_widget_set_direction (GTK_WIDGET (stage.plot), GTK_TEXT_DIR_RTL);
  stage_settle (&stage);
  g_assert_true (fen_plot_get_frame (stage.plot, &rtl));
  g_assert_cmpfloat (ltr.left, >, 10);
  g_assert_cmpfloat (rtl.left, <, 3);
  g_assert_cmpfloat (rtl.width, ==, ltr.width);
  g_autoptr (GdkTexture) picture = stage_render (&stage);
  g_assert_true (stage_ink_at (&stage, picture, 0, 25, 25));
  graphene_rect_t entry;
  g_assert_true (gtk_widget_compute_bounds (gtk_widget_get_first_child (stage.chart->legend),
                                            stage.chart->legend, &entry));
  g_assert_cmpfloat (entry.origin.x + entry.size.width, ==, gtk_widget_get_width (stage.chart->legend));
  stage_clear (&stage);
}

/* Charts of a group show the same range, whichever of them has the longer curve. */
static void
test_group (void)
{
  Stage stage;
  FenFrame one, two;
  g_autoptr (FenSeries) series = fen_series_new (), longer = fen_series_new ();
  append (series, 10, 1);
  append (series, 20, 1e6);
  append (longer, 5, 1);
  append (longer, 90, 2);
  stage_init (&stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage.chart, "train", series, FEN_CHART_LINE, 0);
  FenChart *other = fen_chart_new ("Throughput", FEN_UNIT_RATE, stage.group);
  fen_chart_add_series (other, "tokens", longer, FEN_CHART_LINE, 0);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (stage.chart));
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (other));
  stage.window = fen_gui_show (box, 600, 600);
  stage_settle (&stage);
  stage_settle (&stage);
  g_assert_true (fen_plot_get_frame (stage.plot, &one) && fen_plot_get_frame (FEN_PLOT (other->plot), &two));
  g_assert_cmpfloat (one.x_min, ==, 5);
  g_assert_cmpfloat (one.x_max, ==, 90);
  g_assert_cmpfloat (two.x_min, ==, 5);
  g_assert_cmpfloat (two.left, ==, one.left); /* and at the same place, too */
  fen_chart_group_set_cursor (stage.group, 90);
  g_assert_true (fen_gui_shows_text (GTK_WIDGET (other), "Step 90"));
  g_assert_true (fen_gui_shows_text (GTK_WIDGET (stage.chart), "at 20")); /* its nearest point is far away */

  fen_chart_group_set_axis (stage.group, FEN_AXIS_TOKENS);
  g_assert_true (isnan (fen_chart_group_get_cursor (stage.group)));
  stage_settle (&stage);
  stage_settle (&stage);
  g_assert_true (fen_plot_get_frame (stage.plot, &one));
  g_assert_cmpfloat (one.x_max, ==, 9000);
  stage_clear (&stage);
}

int
main (int argc, char *argv[])
{
  fen_gui_test_init (&argc, &argv);
  g_test_add_func ("/chart/life", test_life);
  g_test_add_func ("/chart/cleared", test_cleared);
  g_test_add_func ("/chart/spike", test_spike);
  g_test_add_func ("/chart/breaks", test_breaks);
  g_test_add_func ("/chart/nothing-to-draw", test_nothing_to_draw);
  g_test_add_func ("/chart/one-point", test_one_point);
  g_test_add_func ("/chart/log-scale", test_log_scale);
  g_test_add_func ("/chart/zoom-stays", test_zoom_stays);
  g_test_add_func ("/chart/pace", test_pace);
  g_test_add_func ("/chart/stack", test_stack);
  g_test_add_func ("/chart/legend", test_legend);
  g_test_add_func ("/chart/dashes", test_dashes);
  g_test_add_func ("/chart/description", test_description);
  g_test_add_func ("/chart/right-to-left", test_right_to_left);
  g_test_add_func ("/chart/group", test_group);
  return fen_gui_test_run ();
}
