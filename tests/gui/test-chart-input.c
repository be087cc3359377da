/* What keys, pointer and menu do to a chart. */
#include "tests/gui/chart-stage.h"

#include <gdk/gdkkeysyms.h>

static void
stage_with_steps (Stage *stage, FenSeries *series)
{
  for (guint i = 0; i <= 100; i++)
    append (series, i * 10, i);
  stage_init (stage, FEN_UNIT_NUMBER);
  fen_chart_add_series (stage->chart, "train", series, FEN_CHART_LINE, 0);
  stage_show (stage);
}

static void
press (Stage *stage, guint key)
{
  g_assert_true (fen_gui_key (GTK_WIDGET (stage->plot), key, 0));
}

static void
test_cursor_keys (void)
{
  Stage stage;
  g_autoptr (FenSeries) series = fen_series_new ();
  stage_with_steps (&stage, series);
  g_assert_true (gtk_widget_get_focusable (GTK_WIDGET (stage.plot)));
  g_assert_false (fen_gui_key (GTK_WIDGET (stage.plot), GDK_KEY_Escape, 0)); /* the window's */
  press (&stage, GDK_KEY_Home);
  g_assert_cmpfloat (fen_chart_group_get_cursor (stage.group), ==, 0);
  press (&stage, GDK_KEY_Left);
  g_assert_cmpfloat (fen_chart_group_get_cursor (stage.group), ==, 0);
  press (&stage, GDK_KEY_Right);
  press (&stage, GDK_KEY_Right);
  g_assert_cmpfloat (fen_chart_group_get_cursor (stage.group), ==, 20);
  g_assert_true (fen_gui_shows_text (stage.window, "Step 20"));
  fen_gui_wait (fen_gui_shows_text (stage.window, "2"), 1000);
  press (&stage, GDK_KEY_Page_Down);
  g_assert_cmpfloat (fen_chart_group_get_cursor (stage.group), ==, 120);
  press (&stage, GDK_KEY_End);
  g_assert_cmpfloat (fen_chart_group_get_cursor (stage.group), ==, 1000);
  press (&stage, GDK_KEY_Page_Up);
  g_assert_cmpfloat (fen_chart_group_get_cursor (stage.group), ==, 900);
  press (&stage, GDK_KEY_Escape);
  g_assert_true (isnan (fen_chart_group_get_cursor (stage.group)));
  g_assert_false (fen_gui_shows_text (stage.window, "Step"));
  stage_clear (&stage);
}

/* The line of the cursor is drawn without drawing a curve again. */
static void
test_cursor_is_cheap (void)
{
  Stage stage;
  FenFrame frame;
  g_autoptr (FenSeries) series = fen_series_new ();
  stage_with_steps (&stage, series);
  fen_gui_run_for (200);
  guint drawn = fen_plot_get_n_drawn (stage.plot);
  fen_chart_group_set_cursor (stage.group, 500);
  fen_gui_settle (stage.window);
  g_autoptr (GdkTexture) picture = stage_render (&stage);
  g_assert_true (fen_plot_get_frame (stage.plot, &frame));
  g_assert_true (stage_has_ink (picture, &fen_plot_get_look (stage.plot)->foreground,
                                fen_frame_x (&frame, 500), fen_frame_y (&frame, 90), 1));
  g_assert_cmpuint (fen_plot_get_n_drawn (stage.plot), ==, drawn);
  stage_clear (&stage);
}

static void
test_zoom_keys (void)
{
  Stage stage;
  double min, max;
  gboolean zoomed;
  g_autoptr (FenSeries) series = fen_series_new ();
  stage_with_steps (&stage, series);
  fen_chart_group_set_cursor (stage.group, 500);
  press (&stage, GDK_KEY_plus);
  g_assert_true (fen_chart_group_get_range (stage.group, &min, &max));
  g_assert_cmpfloat_with_epsilon (max - min, 800, 1e-6);
  g_assert_cmpfloat_with_epsilon ((min + max) / 2, 500, 1e-6);
  press (&stage, GDK_KEY_plus);
  /* The cursor takes what is shown along. */
  press (&stage, GDK_KEY_End);
  g_assert_true (fen_chart_group_get_range (stage.group, &min, &max));
  g_assert_cmpfloat (max, ==, 1000);
  g_assert_cmpfloat_with_epsilon (max - min, 640, 1e-6);
  press (&stage, GDK_KEY_minus);
  press (&stage, GDK_KEY_minus);
  g_assert_false (fen_chart_group_get_range (stage.group, &min, &max)); /* all of it is no zoom */
  press (&stage, GDK_KEY_plus);
  press (&stage, GDK_KEY_0);
  g_object_get (stage.group, "zoomed", &zoomed, NULL);
  g_assert_false (zoomed);
  /* Never out of what doubles can tell apart. */
  for (guint i = 0; i < 300; i++)
    press (&stage, GDK_KEY_plus);
  stage_settle (&stage);
  g_assert_true (fen_chart_group_get_range (stage.group, &min, &max));
  g_assert_cmpfloat (min, <, max);
  gtk_widget_activate_action (GTK_WIDGET (stage.plot), "chart.reset", NULL);
  g_assert_false (fen_chart_group_get_range (stage.group, &min, &max));
  stage_clear (&stage);
}

static GtkEventController *
find_controller (GtkWidget *widget, GType type, guint button)
{
  g_autoptr (GListModel) all = gtk_widget_observe_controllers (widget);
  for (guint i = 0; i < g_list_model_get_n_items (all); i++)
    {
      g_autoptr (GtkEventController) controller = g_list_model_get_item (all, i);
      if (G_TYPE_CHECK_INSTANCE_TYPE (controller, type)
          && (button == 0 || gtk_gesture_single_get_button (GTK_GESTURE_SINGLE (controller)) == button))
        return controller; /* the widget keeps it */
    }
  g_assert_not_reached ();
}

static void
test_pointer (void)
{
  Stage stage;
  FenFrame frame;
  double min, max;
  gboolean stopped = FALSE;
  g_autoptr (FenSeries) series = fen_series_new ();
  stage_with_steps (&stage, series);
  GtkWidget *plot = GTK_WIDGET (stage.plot);
  g_assert_true (fen_plot_get_frame (stage.plot, &frame));

  /* Over the plot the cursor goes to the nearest point. */
  GtkEventController *motion = find_controller (plot, GTK_TYPE_EVENT_CONTROLLER_MOTION, 0);
  g_signal_emit_by_name (motion, "motion", fen_frame_x (&frame, 303), 50.0);
  g_assert_cmpfloat (fen_chart_group_get_cursor (stage.group), ==, 300);
  g_signal_emit_by_name (motion, "leave");
  g_assert_true (isnan (fen_chart_group_get_cursor (stage.group)));

  /* Without a zoom, scrolling is the page's. */
  GtkEventController *scroll = find_controller (plot, GTK_TYPE_EVENT_CONTROLLER_SCROLL, 0);
  g_signal_emit_by_name (scroll, "scroll", 0.0, 1.0, &stopped);
  g_assert_false (stopped);
  fen_chart_group_set_range (stage.group, 200, 300);
  g_signal_emit_by_name (scroll, "scroll", 0.0, 1.0, &stopped);
  g_assert_true (stopped);
  g_assert_true (fen_chart_group_get_range (stage.group, &min, &max));
  g_assert_cmpfloat_with_epsilon (min, 210, 1e-6);
  g_assert_cmpfloat_with_epsilon (max, 310, 1e-6);
  /* At the end it is the page's again. */
  fen_chart_group_set_range (stage.group, 900, 1000);
  g_signal_emit_by_name (scroll, "scroll", 0.0, 1.0, &stopped);
  g_assert_false (stopped);

  /* A double click shows everything. */
  GtkEventController *click = find_controller (plot, GTK_TYPE_GESTURE_CLICK, GDK_BUTTON_PRIMARY);
  g_signal_emit_by_name (click, "pressed", 1, 50.0, 50.0);
  g_assert_true (fen_chart_group_get_range (stage.group, &min, &max));
  g_signal_emit_by_name (click, "pressed", 2, 50.0, 50.0);
  g_assert_false (fen_chart_group_get_range (stage.group, &min, &max));
  g_assert_true (gtk_widget_has_focus (plot));
  stage_clear (&stage);
}

static void
test_menu (void)
{
  Stage stage;
  g_autoptr (FenSeries) series = fen_series_new ();
  stage_with_steps (&stage, series);
  g_assert_true (fen_gui_key (GTK_WIDGET (stage.plot), GDK_KEY_F10, GDK_SHIFT_MASK));
  GtkWidget *menu = fen_gui_find (GTK_WIDGET (stage.plot), GTK_TYPE_POPOVER_MENU, NULL);
  g_assert_nonnull (menu);
  fen_gui_wait (gtk_widget_get_mapped (menu), 2000);
  gtk_popover_popdown (GTK_POPOVER (menu));
  gtk_widget_activate_action (GTK_WIDGET (stage.plot), "chart.log-scale", NULL);
  g_assert_true (fen_chart_get_log_scale (stage.chart));
  gtk_widget_activate_action (GTK_WIDGET (stage.plot), "chart.fit-percentiles", NULL);
  g_assert_true (fen_chart_get_fit_percentiles (stage.chart));
  stage_clear (&stage);
}

static void
test_copy (void)
{
  Stage stage;
  g_autoptr (FenSeries) series = fen_series_new ();
  stage_with_steps (&stage, series);
  fen_chart_group_set_cursor (stage.group, 500);
  gtk_widget_activate_action (GTK_WIDGET (stage.plot), "chart.copy-value", NULL);
  g_autofree char *text = fen_gui_paste (stage.window);
  g_assert_cmpstr (text, ==, "Step 500\ntrain: 50");
  stage_clear (&stage);
}

/* What happened is said in a tooltip and, for the keyboard, beside the cursor's place. */
static void
test_markers (void)
{
  Stage stage;
  FenFrame frame;
  g_autoptr (FenSeries) series = fen_series_new ();
  stage_with_steps (&stage, series);
  const double x[FEN_N_AXES] = { 500, 50000, 50, 1.7e9 + 50 };
  fen_chart_add_marker (stage.chart, FEN_MARKER_CHECKPOINT, x, "Checkpoint saved");
  for (guint i = 0; i < 8; i++)
    fen_chart_add_marker (stage.chart, FEN_MARKER_WARNING, x, "Loss is not a number");
  stage_settle (&stage);
  g_autoptr (GdkTexture) picture = stage_render (&stage);
  g_assert_true (fen_plot_get_frame (stage.plot, &frame));
  g_assert_true (stage_has_ink (picture, &fen_plot_get_look (stage.plot)->foreground,
                                fen_frame_x (&frame, 500), frame.top - 5, 3));
  g_autofree char *text = fen_chart_markers_near (stage.chart, 502, 5);
  g_assert_true (g_str_has_prefix (text, "Checkpoint saved\nLoss is not a number\n"));
  g_assert_true (g_str_has_suffix (text, "\nand 3 more"));
  g_assert_null (fen_chart_markers_near (stage.chart, 510, 5));
  fen_chart_group_set_cursor (stage.group, 500);
  g_assert_true (fen_gui_shows_text (stage.window, "Step 500 – Checkpoint saved"));
  fen_chart_clear_markers (stage.chart);
  g_assert_null (fen_chart_markers_near (stage.chart, 500, 5));
  stage_clear (&stage);
}

int
main (int argc, char *argv[])
{
  fen_gui_test_init (&argc, &argv);
  g_test_add_func ("/chart-input/cursor-keys", test_cursor_keys);
  g_test_add_func ("/chart-input/cursor-is-cheap", test_cursor_is_cheap);
  g_test_add_func ("/chart-input/zoom-keys", test_zoom_keys);
  g_test_add_func ("/chart-input/pointer", test_pointer);
  g_test_add_func ("/chart-input/menu", test_menu);
  g_test_add_func ("/chart-input/copy", test_copy);
  g_test_add_func ("/chart-input/markers", test_markers);
  return fen_gui_test_run ();
}
