/* fen-plot.c: the widget that the curves are drawn in.
 *
 * When it draws. Data comes at any pace; the first change after a frame asks for a tick callback, which goes away as
 * soon as it has drawn: no sooner than a thirtieth of a second after the last time for data, at the next frame for what
 * a person does. Unmapped, there is no callback at all; what was missed is drawn when it is mapped again.
 *
 * What it draws. Curves become one render node that is kept until something changes: the cursor moves over it without
 * touching a point.
 *
 * Assistive technology sees an image with the chart's title as its name; the description is made anew at most once a
 * second.
 */
#include "gui/chart/fen-plot-input-private.h"

#include <adwaita.h>

#define LEAST_INTERVAL_US 30000 /* a thirtieth of a second, less what frames may come early */
#define DESCRIBE_MS 1000

struct _FenPlot {
  GtkWidget parent_instance;
  FenChart *chart; /* the parent; NULL when it is going away */
  FenPlotInput *input;
  FenLook look;
  gboolean look_valid;
  GskRenderNode *curves; /* NULL: draw them */
  int drawn_width, drawn_height, drawn_scale;
  FenFrame frame;
  guint n_drawn;
  guint tick;
  gboolean queued, urgent;
  gint64 last_drawn_us;
  guint describe_timer;
  gboolean describe_again;
};

G_DEFINE_FINAL_TYPE (FenPlot, fen_plot, GTK_TYPE_WIDGET)

/* ---- colours ---- */

/* Light and dark: the libadwaita names that read on either background. The first is the accent. */
static const char *const color_names[2][FEN_N_COLORS] = {
  { "accent_color", "orange_4", "green_5", "purple_3", "red_4", "brown_4", "yellow_5", "dark_2" },
  { "accent_color", "orange_2", "green_2", "purple_1", "red_1", "brown_1", "yellow_2", "light_4" },
};

static double
brightness (const GdkRGBA *color)
{
  return 0.299 * color->red + 0.587 * color->green + 0.114 * color->blue;
}

static void
look_up (FenPlot *self)
{
  FenLook *look = &self->look;
  GtkStyleContext *style = gtk_widget_get_style_context (GTK_WIDGET (self));
  gtk_style_context_get_color (style, &look->foreground);
  gboolean dark = brightness (&look->foreground) > 0.5;
  gboolean contrast = adw_style_manager_get_high_contrast (adw_style_manager_get_default ());
  for (guint i = 0; i < FEN_N_COLORS; i++)
    if (!gtk_style_context_lookup_color (style, color_names[dark][i], &look->palette[i]))
      look->palette[i] = look->foreground;
  if (!gtk_style_context_lookup_color (style, "warning_color", &look->warning))
    look->warning = look->foreground;
  if (!gtk_style_context_lookup_color (style, "view_bg_color", &look->background))
    look->background = dark ? (GdkRGBA){ 0, 0, 0, 1 } : (GdkRGBA){ 1, 1, 1, 1 };
  look->grid_alpha = contrast ? 0.35 : 0.12;
  look->faint_alpha = contrast ? 0.6 : 0.35;
  look->area_alpha = contrast ? 0.75 : 0.5;
  look->context = gtk_widget_get_pango_context (GTK_WIDGET (self));
  look->rtl = gtk_widget_get_direction (GTK_WIDGET (self)) == GTK_TEXT_DIR_RTL;
  self->look_valid = TRUE;
}

const FenLook *
fen_plot_get_look (FenPlot *self)
{
  if (!self->look_valid)
    look_up (self);
  return &self->look;
}

static void
forget_look (FenPlot *self)
{
  self->look_valid = FALSE;
  fen_plot_queue (self, FALSE);
}

static void
fen_plot_css_changed (GtkWidget *widget, GtkCssStyleChange *change)
{
  GTK_WIDGET_CLASS (fen_plot_parent_class)->css_changed (widget, change);
  forget_look (FEN_PLOT (widget));
}

static void
fen_plot_direction_changed (GtkWidget *widget, GtkTextDirection previous)
{
  GTK_WIDGET_CLASS (fen_plot_parent_class)->direction_changed (widget, previous);
  forget_look (FEN_PLOT (widget));
}

/* Resolution and font settings. */
static void
fen_plot_system_setting_changed (GtkWidget *widget, GtkSystemSetting setting)
{
  GTK_WIDGET_CLASS (fen_plot_parent_class)->system_setting_changed (widget, setting);
  forget_look (FEN_PLOT (widget));
}

/* ---- words ---- */

static void
describe (FenPlot *self)
{
  g_autofree char *text = fen_chart_describe (self->chart);
  if (!isnan (fen_chart_group_get_cursor (self->chart->group)))
    {
      g_autofree char *values = fen_chart_values_text (self->chart);
      char *both = g_strconcat (values, "\n", text, NULL);
      g_free (text);
      text = both;
    }
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, text, -1);
}

static gboolean
describe_timeout (gpointer data)
{
  FenPlot *self = data;
  if (!self->describe_again)
    {
      self->describe_timer = 0;
      return G_SOURCE_REMOVE;
    }
  self->describe_again = FALSE;
  describe (self);
  return G_SOURCE_CONTINUE;
}

/* The first change is told at once, those of the second after it together at its end. */
static void
describe_soon (FenPlot *self)
{
  if (self->describe_timer != 0)
    {
      self->describe_again = TRUE;
      return;
    }
  describe (self);
  self->describe_timer = g_timeout_add (DESCRIBE_MS, describe_timeout, self);
}

/* ---- when ---- */

static void
redraw (FenPlot *self)
{
  self->queued = self->urgent = FALSE;
  g_clear_pointer (&self->curves, gsk_render_node_unref);
  fen_chart_refresh (self->chart);
  fen_chart_update_legend (self->chart);
  describe_soon (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static gboolean
on_tick (GtkWidget *widget, GdkFrameClock *clock, gpointer data)
{
  FenPlot *self = FEN_PLOT (widget);
  gint64 now = gdk_frame_clock_get_frame_time (clock);
  if (self->queued && (self->urgent || now - self->last_drawn_us >= LEAST_INTERVAL_US))
    {
      self->last_drawn_us = now;
      redraw (self);
    }
  if (self->queued)
    return G_SOURCE_CONTINUE;
  self->tick = 0;
  return G_SOURCE_REMOVE;
}

static void
start_tick (FenPlot *self)
{
  if (self->tick == 0 && self->queued && gtk_widget_get_mapped (GTK_WIDGET (self)))
    self->tick = gtk_widget_add_tick_callback (GTK_WIDGET (self), on_tick, NULL, NULL);
}

void
fen_plot_queue (FenPlot *self, gboolean paced)
{
  self->queued = TRUE;
  self->urgent |= !paced;
  start_tick (self);
}

void
fen_plot_queue_cursor (FenPlot *self)
{
  if (!gtk_widget_get_mapped (GTK_WIDGET (self)))
    return;
  fen_chart_update_legend (self->chart);
  describe_soon (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
fen_plot_map (GtkWidget *widget)
{
  FenPlot *self = FEN_PLOT (widget);
  GTK_WIDGET_CLASS (fen_plot_parent_class)->map (widget);
  fen_plot_queue (self, FALSE);
}

static void
stop (FenPlot *self)
{
  if (self->tick != 0)
    gtk_widget_remove_tick_callback (GTK_WIDGET (self), self->tick);
  self->tick = 0;
  g_clear_handle_id (&self->describe_timer, g_source_remove);
}

static void
fen_plot_unmap (GtkWidget *widget)
{
  stop (FEN_PLOT (widget));
  GTK_WIDGET_CLASS (fen_plot_parent_class)->unmap (widget);
}

/* ---- what ---- */

static void
draw_curves (FenPlot *self, int width, int height, int scale)
{
  g_autoptr (GtkSnapshot) snapshot = gtk_snapshot_new ();
  fen_chart_draw (self->chart, snapshot, fen_plot_get_look (self), width, height, 1.0 / scale,
                  fen_chart_group_get_gutter (self->chart->group), &self->frame);
  g_clear_pointer (&self->curves, gsk_render_node_unref);
  self->curves = gtk_snapshot_free_to_node (g_steal_pointer (&snapshot));
  self->drawn_width = width;
  self->drawn_height = height;
  self->drawn_scale = scale;
  self->n_drawn++;
}

static void
fen_plot_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  FenPlot *self = FEN_PLOT (widget);
  int width = gtk_widget_get_width (widget), height = gtk_widget_get_height (widget);
  int scale = gtk_widget_get_scale_factor (widget);
  if (self->chart == NULL || width <= 0 || height <= 0)
    return;
  if (self->curves == NULL || width != self->drawn_width || height != self->drawn_height
      || scale != self->drawn_scale)
    draw_curves (self, width, height, scale);
  if (self->curves != NULL)
    gtk_snapshot_append_node (snapshot, self->curves);
  fen_chart_draw_cursor (self->chart, snapshot, fen_plot_get_look (self), &self->frame);
  fen_plot_input_draw (self->input, snapshot, fen_plot_get_look (self), &self->frame);
}

static void
fen_plot_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  FenPlot *self = FEN_PLOT (widget);
  if (self->input != NULL)
    fen_plot_input_allocate (self->input);
  /* The gutter depends on the height; and a new size is drawn at once. */
  if (height != self->drawn_height)
    fen_plot_queue (self, FALSE);
}

static void
fen_plot_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural,
                  int *minimum_baseline, int *natural_baseline)
{
  double line = fen_look_line_height (fen_plot_get_look (FEN_PLOT (widget)));
  gboolean across = orientation == GTK_ORIENTATION_HORIZONTAL;
  /* In lines of text, so that large text gets large charts. */
  *minimum = (int)(line * (across ? 12 : 7));
  *natural = (int)(line * (across ? 30 : 12));
}

gboolean
fen_plot_get_frame (FenPlot *self, FenFrame *frame)
{
  *frame = self->frame;
  return self->n_drawn > 0;
}

guint
fen_plot_get_n_drawn (FenPlot *self)
{
  return self->n_drawn;
}

/* ---- the object ---- */

static void
fen_plot_dispose (GObject *object)
{
  FenPlot *self = FEN_PLOT (object);
  stop (self);
  g_clear_pointer (&self->input, fen_plot_input_free);
  self->chart = NULL;
  g_clear_pointer (&self->curves, gsk_render_node_unref);
  G_OBJECT_CLASS (fen_plot_parent_class)->dispose (object);
}

static void
fen_plot_class_init (FenPlotClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = fen_plot_dispose;
  widget_class->css_changed = fen_plot_css_changed;
  widget_class->direction_changed = fen_plot_direction_changed;
  widget_class->system_setting_changed = fen_plot_system_setting_changed;
  widget_class->map = fen_plot_map;
  widget_class->unmap = fen_plot_unmap;
  widget_class->measure = fen_plot_measure;
  widget_class->size_allocate = fen_plot_size_allocate;
  widget_class->snapshot = fen_plot_snapshot;
  gtk_widget_class_set_css_name (widget_class, "plot");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
fen_plot_init (FenPlot *self)
{
  gtk_widget_add_css_class (GTK_WIDGET (self), "caption");
  gtk_widget_add_css_class (GTK_WIDGET (self), "numeric");
  gtk_widget_set_focusable (GTK_WIDGET (self), TRUE);
  gtk_widget_set_hexpand (GTK_WIDGET (self), TRUE);
  gtk_widget_set_vexpand (GTK_WIDGET (self), TRUE);
}

GtkWidget *
fen_plot_new (FenChart *chart)
{
  FenPlot *self = g_object_new (FEN_TYPE_PLOT, NULL);
  self->chart = chart;
  self->input = fen_plot_input_new (self, chart);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  fen_chart_get_title (chart), -1);
  return GTK_WIDGET (self);
}
