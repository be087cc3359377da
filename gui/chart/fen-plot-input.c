/* fen-plot-input.c: what pointer and keys do to a plot (see fen-chart.h for the list).
 *
 * Everything goes through the group, so all charts of a page follow. A press becomes a zoom only after a few pixels of
 * dragging: a click is for focus. Scrolling pans only what is zoomed; at the end of it, and without a zoom, the page
 * scrolls as everywhere else.
 */
#include "gui/chart/fen-plot-input-private.h"

#define DRAG_LEAST 6.0
#define PAN_STEP 0.1 /* of the width, for one notch of a wheel and for Page Up and Down */
#define ZOOM_STEP 1.25
#define PIXELS_A_NOTCH 40.0 /* of a touchpad */

typedef enum {
  MOVE_BACK,
  MOVE_ON,
  MOVE_FIRST,
  MOVE_LAST,
  MOVE_TENTH_BACK,
  MOVE_TENTH_ON,
  MOVE_ZOOM_IN,
  MOVE_ZOOM_OUT,
  MOVE_RESET,
  MOVE_NO_CURSOR,
} Move;

struct _FenPlotInput {
  FenPlot *plot;
  FenChart *chart;
  double pointer_x; /* NAN: not over the plot */
  gboolean dragging;
  double drag_from, drag_to; /* x in the widget */
  GtkWidget *menu;
};

static FenChartGroup *
group_of (FenPlotInput *input)
{
  return input->chart->group;
}

static double
inside (const FenFrame *frame, double x)
{
  return CLAMP (x, frame->left, frame->left + frame->width);
}

/* ---- pointer ---- */

static void
on_motion (GtkEventControllerMotion *controller, double x, double y, FenPlotInput *input)
{
  FenFrame frame;
  input->pointer_x = x;
  if (!fen_plot_get_frame (input->plot, &frame))
    return;
  fen_chart_group_set_cursor (group_of (input),
                              fen_chart_snap (input->chart, fen_frame_place (&frame, inside (&frame, x))));
}

static void
on_leave (GtkEventControllerMotion *controller, FenPlotInput *input)
{
  input->pointer_x = NAN;
  fen_chart_group_set_cursor (group_of (input), NAN);
}

static void
on_drag_update (GtkGestureDrag *gesture, double dx, double dy, FenPlotInput *input)
{
  FenFrame frame;
  double x, y;
  if (!fen_plot_get_frame (input->plot, &frame) || !gtk_gesture_drag_get_start_point (gesture, &x, &y))
    return;
  if (!input->dragging && fabs (dx) < DRAG_LEAST)
    return;
  gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  input->dragging = TRUE;
  input->drag_from = inside (&frame, x);
  input->drag_to = inside (&frame, x + dx);
  gtk_widget_queue_draw (GTK_WIDGET (input->plot));
}

static void
on_drag_end (GtkGestureDrag *gesture, double dx, double dy, FenPlotInput *input)
{
  FenFrame frame;
  if (!input->dragging)
    return;
  on_drag_update (gesture, dx, dy, input);
  input->dragging = FALSE;
  gtk_widget_queue_draw (GTK_WIDGET (input->plot));
  if (fabs (input->drag_to - input->drag_from) < DRAG_LEAST || !fen_plot_get_frame (input->plot, &frame))
    return;
  fen_chart_group_set_range (group_of (input),
                             fen_frame_place (&frame, MIN (input->drag_from, input->drag_to)),
                             fen_frame_place (&frame, MAX (input->drag_from, input->drag_to)));
}

static void
on_drag_cancel (GtkGesture *gesture, GdkEventSequence *sequence, FenPlotInput *input)
{
  input->dragging = FALSE;
  gtk_widget_queue_draw (GTK_WIDGET (input->plot));
}

static void
on_pressed (GtkGestureClick *gesture, int n_press, double x, double y, FenPlotInput *input)
{
  gtk_widget_grab_focus (GTK_WIDGET (input->plot));
  if (n_press == 2)
    fen_chart_group_reset_range (group_of (input));
}

static void
on_menu_pressed (GtkGestureClick *gesture, int n_press, double x, double y, FenPlotInput *input)
{
  gtk_widget_grab_focus (GTK_WIDGET (input->plot));
  fen_plot_input_popup (input, x, y);
}

static void
on_long_press (GtkGestureLongPress *gesture, double x, double y, FenPlotInput *input)
{
  fen_plot_input_popup (input, x, y);
}

static gboolean
on_scroll (GtkEventControllerScroll *controller, double dx, double dy, FenPlotInput *input)
{
  FenFrame frame;
  GdkModifierType state = gtk_event_controller_get_current_event_state (GTK_EVENT_CONTROLLER (controller));
  if (!fen_plot_get_frame (input->plot, &frame))
    return GDK_EVENT_PROPAGATE;
  if (gtk_event_controller_scroll_get_unit (controller) == GDK_SCROLL_UNIT_SURFACE)
    {
      dx /= PIXELS_A_NOTCH;
      dy /= PIXELS_A_NOTCH;
    }
  if (state & GDK_CONTROL_MASK)
    {
      double x = isnan (input->pointer_x) ? frame.left + frame.width / 2 : inside (&frame, input->pointer_x);
      fen_chart_group_zoom (group_of (input), fen_frame_place (&frame, x), pow (ZOOM_STEP, dy));
      return GDK_EVENT_STOP;
    }
  return fen_chart_group_pan (group_of (input), (dx + dy) * PAN_STEP);
}

/* ---- keys ---- */

/* Puts the cursor there; what is shown follows it. */
static void
move_cursor (FenPlotInput *input, double place)
{
  double min, max;
  if (isnan (place))
    return;
  fen_chart_group_set_cursor (group_of (input), place);
  fen_chart_group_get_shown (group_of (input), &min, &max);
  if (place < min)
    fen_chart_group_pan (group_of (input), (place - min) / (max - min) - PAN_STEP);
  else if (place > max)
    fen_chart_group_pan (group_of (input), (place - max) / (max - min) + PAN_STEP);
}

/* Keys begin where the cursor is, or at the end where new data comes in. */
static double
cursor_or_end (FenPlotInput *input, int direction)
{
  double min, max, cursor = fen_chart_group_get_cursor (group_of (input));
  if (!isnan (cursor))
    return cursor;
  fen_chart_group_get_shown (group_of (input), &min, &max);
  return direction > 0 ? min : max;
}

static void
move_by (FenPlotInput *input, Move move)
{
  double min, max, at;
  fen_chart_group_get_shown (group_of (input), &min, &max);
  switch (move)
    {
    case MOVE_BACK:
    case MOVE_ON:
      at = cursor_or_end (input, move == MOVE_ON ? 1 : -1);
      /* Without a cursor, the first press goes to a point at the edge, not past it. */
      if (isnan (fen_chart_group_get_cursor (group_of (input))))
        move_cursor (input, fen_chart_snap (input->chart, at));
      else
        move_cursor (input, fen_chart_neighbour (input->chart, at, move == MOVE_ON ? 1 : -1));
      break;
    case MOVE_FIRST:
    case MOVE_LAST:
      if (fen_chart_extent (input->chart, &min, &max))
        move_cursor (input, move == MOVE_FIRST ? min : max);
      break;
    case MOVE_TENTH_BACK:
    case MOVE_TENTH_ON:
      at = cursor_or_end (input, move == MOVE_TENTH_ON ? 1 : -1);
      move_cursor (input, fen_chart_snap (input->chart,
                                          at + (max - min) * (move == MOVE_TENTH_ON ? PAN_STEP : -PAN_STEP)));
      break;
    case MOVE_ZOOM_IN:
    case MOVE_ZOOM_OUT:
      at = fen_chart_group_get_cursor (group_of (input));
      fen_chart_group_zoom (group_of (input), isnan (at) ? (min + max) / 2 : at,
                            move == MOVE_ZOOM_IN ? 1 / ZOOM_STEP : ZOOM_STEP);
      break;
    case MOVE_RESET:
      fen_chart_group_reset_range (group_of (input));
      break;
    case MOVE_NO_CURSOR:
    default:
      fen_chart_group_set_cursor (group_of (input), NAN);
    }
}

typedef struct {
  guint key;
  Move move;
} Key;

static const Key keys[] = {
  { GDK_KEY_Left, MOVE_BACK },
  { GDK_KEY_KP_Left, MOVE_BACK },
  { GDK_KEY_Right, MOVE_ON },
  { GDK_KEY_KP_Right, MOVE_ON },
  { GDK_KEY_Home, MOVE_FIRST },
  { GDK_KEY_KP_Home, MOVE_FIRST },
  { GDK_KEY_End, MOVE_LAST },
  { GDK_KEY_KP_End, MOVE_LAST },
  { GDK_KEY_Page_Up, MOVE_TENTH_BACK },
  { GDK_KEY_KP_Page_Up, MOVE_TENTH_BACK },
  { GDK_KEY_Page_Down, MOVE_TENTH_ON },
  { GDK_KEY_KP_Page_Down, MOVE_TENTH_ON },
  { GDK_KEY_plus, MOVE_ZOOM_IN },
  { GDK_KEY_equal, MOVE_ZOOM_IN }, /* plus without Shift */
  { GDK_KEY_KP_Add, MOVE_ZOOM_IN },
  { GDK_KEY_minus, MOVE_ZOOM_OUT },
  { GDK_KEY_KP_Subtract, MOVE_ZOOM_OUT },
  { GDK_KEY_0, MOVE_RESET },
  { GDK_KEY_KP_0, MOVE_RESET },
  { GDK_KEY_Escape, MOVE_NO_CURSOR },
};

static gboolean
on_key (GtkEventControllerKey *controller, guint key, guint code, GdkModifierType state, FenPlotInput *input)
{
  if (key == GDK_KEY_Menu || (key == GDK_KEY_F10 && (state & GDK_SHIFT_MASK)))
    {
      fen_plot_input_popup (input, NAN, NAN);
      return GDK_EVENT_STOP;
    }
  if (state & (GDK_CONTROL_MASK | GDK_ALT_MASK | GDK_SUPER_MASK))
    return GDK_EVENT_PROPAGATE;
  /* Without a cursor, Escape is for the window. */
  if (key == GDK_KEY_Escape && isnan (fen_chart_group_get_cursor (group_of (input))))
    return GDK_EVENT_PROPAGATE;
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    if (keys[i].key == key)
      {
        move_by (input, keys[i].move);
        return GDK_EVENT_STOP;
      }
  return GDK_EVENT_PROPAGATE;
}

/* ---- markers ---- */

static gboolean
on_query_tooltip (GtkWidget *widget, int x, int y, gboolean keyboard, GtkTooltip *tooltip,
                  FenPlotInput *input)
{
  FenFrame frame;
  if (!fen_plot_get_frame (input->plot, &frame))
    return FALSE;
  double place = keyboard ? fen_chart_group_get_cursor (group_of (input)) : fen_frame_place (&frame, x);
  g_autofree char *text = fen_chart_markers_near (
      input->chart, place, FEN_MARKER_REACH / frame.width * (frame.x_max - frame.x_min));
  gtk_tooltip_set_text (tooltip, text);
  return text != NULL;
}

/* ---- menu ---- */

/* NAN: where the cursor is, or in the middle. */
void
fen_plot_input_popup (FenPlotInput *input, double x, double y)
{
  FenFrame frame;
  if (input->menu == NULL)
    {
      g_autoptr (GMenuModel) model = fen_chart_menu_new ();
      input->menu = gtk_popover_menu_new_from_model (model);
      gtk_popover_set_has_arrow (GTK_POPOVER (input->menu), FALSE);
      gtk_widget_set_halign (input->menu, GTK_ALIGN_START);
      gtk_widget_set_parent (input->menu, GTK_WIDGET (input->plot));
    }
  if (isnan (x) && fen_plot_get_frame (input->plot, &frame))
    {
      double cursor = fen_chart_group_get_cursor (group_of (input));
      x = isnan (cursor) ? frame.left + frame.width / 2 : inside (&frame, fen_frame_x (&frame, cursor));
      y = frame.top + frame.height / 2;
    }
  gtk_popover_set_pointing_to (GTK_POPOVER (input->menu), &(GdkRectangle){ (int)x, (int)y, 1, 1 });
  gtk_popover_popup (GTK_POPOVER (input->menu));
}

void
fen_plot_input_allocate (FenPlotInput *input)
{
  if (input->menu != NULL)
    gtk_popover_present (GTK_POPOVER (input->menu));
}

void
fen_plot_input_draw (FenPlotInput *input, GtkSnapshot *snapshot, const FenLook *look, const FenFrame *frame)
{
  if (!input->dragging)
    return;
  GdkRGBA color = look->palette[0];
  double from = MIN (input->drag_from, input->drag_to), to = MAX (input->drag_from, input->drag_to);
  fen_draw_box (snapshot, &color, from, frame->top, 1, frame->height);
  fen_draw_box (snapshot, &color, to - 1, frame->top, 1, frame->height);
  color.alpha *= 0.15f;
  fen_draw_box (snapshot, &color, from, frame->top, to - from, frame->height);
}

/* ---- life ---- */

static void
add_gesture (FenPlotInput *input, GtkGesture *gesture, guint button, const char *signal, GCallback callback)
{
  if (GTK_IS_GESTURE_SINGLE (gesture))
    gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (gesture), button);
  g_signal_connect (gesture, signal, callback, input);
  gtk_widget_add_controller (GTK_WIDGET (input->plot), GTK_EVENT_CONTROLLER (gesture));
}

FenPlotInput *
fen_plot_input_new (FenPlot *plot, FenChart *chart)
{
  FenPlotInput *input = g_new0 (FenPlotInput, 1);
  input->plot = plot;
  input->chart = chart;
  input->pointer_x = NAN;

  GtkEventController *motion = gtk_event_controller_motion_new ();
  g_signal_connect (motion, "enter", G_CALLBACK (on_motion), input);
  g_signal_connect (motion, "motion", G_CALLBACK (on_motion), input);
  g_signal_connect (motion, "leave", G_CALLBACK (on_leave), input);
  gtk_widget_add_controller (GTK_WIDGET (plot), motion);
  GtkEventController *scroll = gtk_event_controller_scroll_new (GTK_EVENT_CONTROLLER_SCROLL_BOTH_AXES);
  g_signal_connect (scroll, "scroll", G_CALLBACK (on_scroll), input);
  gtk_widget_add_controller (GTK_WIDGET (plot), scroll);

  GtkEventController *key = gtk_event_controller_key_new ();
  g_signal_connect (key, "key-pressed", G_CALLBACK (on_key), input);
  gtk_widget_add_controller (GTK_WIDGET (plot), key);

  GtkGesture *drag = gtk_gesture_drag_new ();
  g_signal_connect (drag, "drag-update", G_CALLBACK (on_drag_update), input);
  g_signal_connect (drag, "cancel", G_CALLBACK (on_drag_cancel), input);
  add_gesture (input, drag, GDK_BUTTON_PRIMARY, "drag-end", G_CALLBACK (on_drag_end));
  add_gesture (input, gtk_gesture_click_new (), GDK_BUTTON_PRIMARY, "pressed", G_CALLBACK (on_pressed));
  add_gesture (input, gtk_gesture_click_new (), GDK_BUTTON_SECONDARY, "pressed",
               G_CALLBACK (on_menu_pressed));
  GtkGesture *hold = gtk_gesture_long_press_new ();
  gtk_gesture_single_set_touch_only (GTK_GESTURE_SINGLE (hold), TRUE);
  add_gesture (input, hold, 0, "pressed", G_CALLBACK (on_long_press));

  gtk_widget_set_has_tooltip (GTK_WIDGET (plot), TRUE);
  g_signal_connect (plot, "query-tooltip", G_CALLBACK (on_query_tooltip), input);
  return input;
}

/* Before the plot is gone: its controllers may not call any more. */
void
fen_plot_input_free (FenPlotInput *input)
{
  g_autoptr (GListModel) controllers = gtk_widget_observe_controllers (GTK_WIDGET (input->plot));
  for (guint i = g_list_model_get_n_items (controllers); i > 0; i--)
    {
      g_autoptr (GtkEventController) controller = g_list_model_get_item (controllers, i - 1);
      g_signal_handlers_disconnect_by_data (controller, input);
    }
  g_signal_handlers_disconnect_by_data (input->plot, input);
  g_clear_pointer (&input->menu, gtk_widget_unparent);
  g_free (input);
}
