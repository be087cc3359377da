/* fen-chart.c: the chart widget's doors: what others add, set and ask (see fen-chart.h).
 *
 * The widget is a column: title and cursor's place, legend, plot, and a line for what went wrong with an export.
 */
#include "gui/chart/fen-chart-private.h"

#include <glib/gi18n.h>

enum { PROP_0, PROP_TITLE, PROP_LOG_SCALE, PROP_FIT_PERCENTILES, N_PROPS };

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (FenChart, fen_chart, GTK_TYPE_WIDGET)

/* ---- parts ---- */

static void
item_free (gpointer data)
{
  FenChartItem *item = data;
  g_free (item->name);
  g_clear_pointer (&item->smoothed, fen_smoothed_free);
  fen_series_unref (item->series);
  g_free (item);
}

static void
level_clear (gpointer data)
{
  g_free (((FenLevel *)data)->name);
}

static void
marker_clear (gpointer data)
{
  g_free (((FenMarker *)data)->text);
}

static void
queue (FenChart *self)
{
  if (self->plot != NULL)
    fen_plot_queue (FEN_PLOT (self->plot), TRUE);
}

const char *
fen_chart_get_title (FenChart *self)
{
  g_return_val_if_fail (FEN_IS_CHART (self), NULL);
  return self->title;
}

/* Curves of one chart differ by dash as well as by colour: the nth line has the nth dash. */
static FenDash
next_dash (FenChart *self)
{
  guint n = 0;
  for (guint i = 0; i < self->items->len; i++)
    n += fen_chart_item (self, i)->style != FEN_CHART_STACKED;
  return (FenDash)(n % FEN_N_DASHES);
}

guint
fen_chart_add_series (FenChart *self, const char *name, FenSeries *series, FenChartStyle style, guint color)
{
  g_return_val_if_fail (FEN_IS_CHART (self) && name != NULL && series != NULL, 0);
  FenChartItem *item = g_new0 (FenChartItem, 1);
  item->name = g_strdup (name);
  item->series = fen_series_ref (series);
  item->style = style;
  item->color = color;
  item->dash = style == FEN_CHART_STACKED ? FEN_DASH_SOLID : next_dash (self);
  item->visible = TRUE;
  if (style == FEN_CHART_SMOOTHED)
    item->smoothed = fen_smoothed_new (series, fen_chart_group_get_smoothing (self->group));
  g_ptr_array_add (self->items, item);
  self->stack_stale = TRUE;
  fen_chart_build_legend (self);
  queue (self);
  return self->items->len - 1;
}

void
fen_chart_clear_series (FenChart *self)
{
  g_return_if_fail (FEN_IS_CHART (self));
  g_ptr_array_set_size (self->items, 0);
  fen_stack_clear (self->stack);
  /* A chart that is not shown is never drawn again, and what it told last would widen the axis of all others. */
  fen_chart_group_forget (self->group, self);
  fen_chart_build_legend (self);
  queue (self);
}

void
fen_chart_set_series_visible (FenChart *self, guint number, gboolean visible)
{
  g_return_if_fail (FEN_IS_CHART (self) && number < self->items->len);
  FenChartItem *item = fen_chart_item (self, number);
  if (item->visible == !!visible)
    return;
  item->visible = !!visible;
  self->stack_stale = TRUE;
  if (item->entry != NULL)
    gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (item->entry), visible);
  fen_plot_queue (FEN_PLOT (self->plot), FALSE);
}

void
fen_chart_set_level (FenChart *self, const char *name, double value)
{
  g_return_if_fail (FEN_IS_CHART (self) && name != NULL);
  guint i = 0;
  while (i < self->levels->len && !g_str_equal (g_array_index (self->levels, FenLevel, i).name, name))
    i++;
  if (i < self->levels->len && g_array_index (self->levels, FenLevel, i).value == value)
    return;
  if (i < self->levels->len)
    g_array_remove_index (self->levels, i);
  if (isfinite (value))
    {
      FenLevel level = { g_strdup (name), value };
      g_array_append_val (self->levels, level);
    }
  queue (self);
}

void
fen_chart_add_marker (FenChart *self, FenMarkerKind kind, const double *x, const char *text)
{
  g_return_if_fail (FEN_IS_CHART (self) && (guint)kind <= FEN_MARKER_SETTINGS && x != NULL);
  FenMarker marker = { .kind = kind, .text = g_strdup (text != NULL ? text : "") };
  memcpy (marker.x, x, sizeof marker.x);
  g_array_append_val (self->markers, marker);
  queue (self);
}

void
fen_chart_clear_markers (FenChart *self)
{
  g_return_if_fail (FEN_IS_CHART (self));
  g_array_set_size (self->markers, 0);
  queue (self);
}

void
fen_chart_set_log_scale (FenChart *self, gboolean log_scale)
{
  g_return_if_fail (FEN_IS_CHART (self));
  if (self->log_scale == !!log_scale)
    return;
  self->log_scale = !!log_scale;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_LOG_SCALE]);
  fen_plot_queue (FEN_PLOT (self->plot), FALSE);
}

gboolean
fen_chart_get_log_scale (FenChart *self)
{
  g_return_val_if_fail (FEN_IS_CHART (self), FALSE);
  return self->log_scale;
}

void
fen_chart_set_fit_percentiles (FenChart *self, gboolean fit)
{
  g_return_if_fail (FEN_IS_CHART (self));
  if (self->fit_percentiles == !!fit)
    return;
  self->fit_percentiles = !!fit;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_FIT_PERCENTILES]);
  fen_plot_queue (FEN_PLOT (self->plot), FALSE);
}

gboolean
fen_chart_get_fit_percentiles (FenChart *self)
{
  g_return_val_if_fail (FEN_IS_CHART (self), FALSE);
  return self->fit_percentiles;
}

void
fen_chart_data_changed (FenChart *self)
{
  g_return_if_fail (FEN_IS_CHART (self));
  queue (self);
}

/* The cursor alone moves without drawing a curve again. What another chart told comes with data, at the pace of data;
 * what this one told, it is about to draw. */
static void
on_group_changed (FenChart *self)
{
  guint64 generation = fen_chart_group_get_generation (self->group);
  if (generation == self->generation)
    fen_plot_queue_cursor (FEN_PLOT (self->plot));
  else if (fen_chart_group_get_teller (self->group) != self)
    fen_plot_queue (FEN_PLOT (self->plot), fen_chart_group_get_teller (self->group) != NULL);
  self->generation = generation;
}

/* ---- the object ---- */

static void
fen_chart_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  FenChart *self = FEN_CHART (object);
  switch (id)
    {
    case PROP_TITLE:
      g_value_set_string (value, self->title);
      break;
    case PROP_LOG_SCALE:
      g_value_set_boolean (value, self->log_scale);
      break;
    case PROP_FIT_PERCENTILES:
      g_value_set_boolean (value, self->fit_percentiles);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
fen_chart_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  FenChart *self = FEN_CHART (object);
  switch (id)
    {
    case PROP_LOG_SCALE:
      fen_chart_set_log_scale (self, g_value_get_boolean (value));
      break;
    case PROP_FIT_PERCENTILES:
      fen_chart_set_fit_percentiles (self, g_value_get_boolean (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
fen_chart_dispose (GObject *object)
{
  FenChart *self = FEN_CHART (object);
  if (self->group != NULL)
    {
      g_clear_signal_handler (&self->group_changed, self->group);
      fen_chart_group_forget (self->group, self);
    }
  g_clear_pointer (&self->header, gtk_widget_unparent);
  g_clear_pointer (&self->legend, gtk_widget_unparent);
  g_clear_pointer (&self->plot, gtk_widget_unparent);
  g_clear_pointer (&self->message, gtk_widget_unparent);
  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->chooser);
  G_OBJECT_CLASS (fen_chart_parent_class)->dispose (object);
}

static void
fen_chart_finalize (GObject *object)
{
  FenChart *self = FEN_CHART (object);
  g_clear_object (&self->group);
  g_clear_object (&self->cancellable);
  g_ptr_array_unref (self->items);
  g_array_unref (self->levels);
  g_array_unref (self->markers);
  fen_stack_free (self->stack);
  g_free (self->title);
  G_OBJECT_CLASS (fen_chart_parent_class)->finalize (object);
}

static void
fen_chart_class_init (FenChartClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  object_class->get_property = fen_chart_get_property;
  object_class->set_property = fen_chart_set_property;
  object_class->dispose = fen_chart_dispose;
  object_class->finalize = fen_chart_finalize;
  properties[PROP_TITLE]
      = g_param_spec_string ("title", NULL, NULL, NULL, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  properties[PROP_LOG_SCALE] = g_param_spec_boolean ("log-scale", NULL, NULL, FALSE, flags);
  properties[PROP_FIT_PERCENTILES] = g_param_spec_boolean ("fit-percentiles", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BOX_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "chart");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_GROUP);
  fen_chart_install_actions (widget_class);
}

static void
fen_chart_init (FenChart *self)
{
  self->items = g_ptr_array_new_with_free_func (item_free);
  self->levels = g_array_new (FALSE, FALSE, sizeof (FenLevel));
  g_array_set_clear_func (self->levels, level_clear);
  self->markers = g_array_new (FALSE, FALSE, sizeof (FenMarker));
  g_array_set_clear_func (self->markers, marker_clear);
  self->stack = fen_stack_new ();
  self->cancellable = g_cancellable_new ();
  gtk_orientable_set_orientation (GTK_ORIENTABLE (gtk_widget_get_layout_manager (GTK_WIDGET (self))),
                                  GTK_ORIENTATION_VERTICAL);
  gtk_box_layout_set_spacing (GTK_BOX_LAYOUT (gtk_widget_get_layout_manager (GTK_WIDGET (self))), 6);
}

static void
build_header (FenChart *self)
{
  self->header = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);
  self->title_label = gtk_label_new (self->title);
  gtk_label_set_ellipsize (GTK_LABEL (self->title_label), PANGO_ELLIPSIZE_END);
  gtk_label_set_xalign (GTK_LABEL (self->title_label), 0);
  gtk_widget_set_hexpand (self->title_label, TRUE);
  gtk_widget_add_css_class (self->title_label, "heading");
  self->place_label = gtk_label_new (NULL);
  gtk_widget_add_css_class (self->place_label, "caption");
  gtk_widget_add_css_class (self->place_label, "numeric");
  gtk_widget_add_css_class (self->place_label, "dim-label");
  gtk_box_append (GTK_BOX (self->header), self->title_label);
  gtk_box_append (GTK_BOX (self->header), self->place_label);
  gtk_widget_set_parent (self->header, GTK_WIDGET (self));
}

FenChart *
fen_chart_new (const char *title, FenUnit unit, FenChartGroup *group)
{
  FenChart *self = g_object_new (FEN_TYPE_CHART, NULL);
  self->title = g_strdup (title != NULL ? title : "");
  self->unit = unit;
  self->group = group != NULL ? g_object_ref (group) : fen_chart_group_new ();
  self->generation = fen_chart_group_get_generation (self->group);
  self->group_changed = g_signal_connect_object (self->group, "changed", G_CALLBACK (on_group_changed), self,
                                                 G_CONNECT_SWAPPED);
  build_header (self);
  self->legend = fen_legend_new ();
  gtk_widget_set_parent (self->legend, GTK_WIDGET (self));
  self->plot = fen_plot_new (self);
  gtk_widget_set_parent (self->plot, GTK_WIDGET (self));
  fen_chart_build_message (self);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, self->title, -1);
  return self;
}
