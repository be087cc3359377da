/* fen-run-charts.c: which curves stand in which chart, and the controls that all charts share.
 *
 * The table below is the composition. A chart without a single point is hidden, and a line at the end names what this
 * run does not measure, so that nobody looks for it. Charts are never rebuilt while a run goes on: curves grow behind
 * them. Only the memory chart chooses its areas when the first measurement says which kinds of memory there are.
 */
#include "gui/run/fen-run-charts-parts-private.h"

#include "gui/compat/fen-columns-layout.h"

#include <glib/gi18n.h>
#include <math.h>

#define COLUMN_WIDTH 300 /* two columns beside the list of runs at 1024 pixels */
#define CHART_HEIGHT 220
#define FIRST_HEIGHT 300 /* loss and memory, over the whole width: memory has many areas */

typedef struct {
  FenCurve curve;
  const char *name; /* NC_ ("curve", ...); NULL ends the list */
  FenChartStyle style;
  guint color;
} CurveSpec;

static const struct {
  const char *title; /* N_ */
  FenUnit unit;
  gboolean quiet; /* marks of checkpoints and warnings, of which there may be many, explain little here */
  CurveSpec curves[4];
} specs[N_RUN_CHARTS] = {
  [CHART_LOSS] = { N_ ("Loss"),
                   FEN_UNIT_NUMBER,
                   FALSE,
                   { { FEN_CURVE_LOSS, NC_ ("curve", "Training"), FEN_CHART_SMOOTHED, 0 },
                     { FEN_CURVE_EVAL_LOSS, NC_ ("curve", "Evaluation"), FEN_CHART_POINTS, 1 } } },
  /* Its areas are added when the first measurement is there. */
  [CHART_MEMORY] = { N_ ("Memory"), FEN_UNIT_BYTES, TRUE, { { 0 } } },
  [CHART_THROUGHPUT]
  = { N_ ("Speed"),
      FEN_UNIT_RATE,
      FALSE,
      { { FEN_CURVE_TOKENS_PER_SECOND, NC_ ("curve", "Training"), FEN_CHART_SMOOTHED, 0 } } },
  [CHART_LEARNING_RATE]
  = { N_ ("Learning Rate"),
      FEN_UNIT_NUMBER,
      TRUE,
      { { FEN_CURVE_LEARNING_RATE, NC_ ("curve", "Learning rate"), FEN_CHART_LINE, 0 } } },
  [CHART_GRAD_NORM]
  = { N_ ("Gradient Norm"),
      FEN_UNIT_NUMBER,
      FALSE,
      { { FEN_CURVE_GRAD_NORM, NC_ ("curve", "Before clipping"), FEN_CHART_SMOOTHED, 0 } } },
  [CHART_UTILIZATION] = { N_ ("Utilization"),
                          FEN_UNIT_SHARE,
                          TRUE,
                          { { FEN_CURVE_GPU, NC_ ("curve", "GPU"), FEN_CHART_LINE, 0 },
                            { FEN_CURVE_CPU, NC_ ("curve", "Processor"), FEN_CHART_LINE, 1 },
                            { FEN_CURVE_MFU, NC_ ("curve", "Of the peak rate"), FEN_CHART_LINE, 2 } } },
  [CHART_TEMPERATURE] = { N_ ("Temperature"),
                          FEN_UNIT_CELSIUS,
                          TRUE,
                          { { FEN_CURVE_TEMPERATURE, NC_ ("curve", "Device"), FEN_CHART_LINE, 0 } } },
  [CHART_POWER] = { N_ ("Power"),
                    FEN_UNIT_WATTS,
                    TRUE,
                    { { FEN_CURVE_POWER, NC_ ("curve", "Device"), FEN_CHART_LINE, 0 } } },
};

G_DEFINE_FINAL_TYPE (FenRunCharts, fen_run_charts, GTK_TYPE_WIDGET)

/* ---- curves ---- */

static void
add_curves (FenRunCharts *self, FenRunChartKind kind)
{
  for (guint i = 0; i < G_N_ELEMENTS (specs[kind].curves) && specs[kind].curves[i].name != NULL; i++)
    {
      const CurveSpec *spec = &specs[kind].curves[i];
      FenSeries *series = fen_run_data_series (self->data, spec->curve);
      /* A legend entry for what is never measured would be a riddle; eval points come late and are always expected. */
      if (kind != CHART_UTILIZATION || fen_series_length (series) > 0)
        fen_chart_add_series (self->charts[kind], g_dpgettext2 (NULL, "curve", spec->name), series,
                              spec->style, spec->color);
    }
}

/* ---- showing ---- */

static gboolean
has_points (FenRunCharts *self, FenRunChartKind kind)
{
  if (kind == CHART_MEMORY)
    return fen_run_data_last (self->data, FEN_SAMPLE_MEMORY) != NULL;
  for (guint i = 0; i < G_N_ELEMENTS (specs[kind].curves) && specs[kind].curves[i].name != NULL; i++)
    if (fen_series_length (fen_run_data_series (self->data, specs[kind].curves[i].curve)) > 0)
      return TRUE;
  return FALSE;
}

/* "Not measured on this device: Temperature, Power" */
static void
show_missing (FenRunCharts *self, gboolean measured)
{
  g_autoptr (GString) names = g_string_new (NULL);
  for (guint i = 0; i < N_RUN_CHARTS; i++)
    if (!gtk_widget_get_visible (self->frames[i]))
      /* TRANSLATORS: between two names of a list. */
      g_string_append_printf (names, "%s%s", names->len > 0 ? C_ ("list", ", ") : "", _ (specs[i].title));
  /* TRANSLATORS: %s is a list of charts: "Temperature, Power". */
  g_autofree char *text = g_strdup_printf (_ ("Not measured in this run: %s"), names->str);
  if (!g_str_equal (gtk_label_get_text (GTK_LABEL (self->missing)), text))
    gtk_label_set_text (GTK_LABEL (self->missing), text);
  gtk_widget_set_visible (self->missing, measured && names->len > 0);
}

static void
show_charts (FenRunCharts *self)
{
  gboolean any = FALSE;
  for (guint i = 0; i < N_RUN_CHARTS; i++)
    {
      const gboolean shown = has_points (self, i);
      /* The kinds of utilisation that are measured are known with their first points. */
      if (i == CHART_UTILIZATION && shown && !gtk_widget_get_visible (self->frames[i]))
        {
          fen_chart_clear_series (self->charts[i]);
          add_curves (self, i);
        }
      gtk_widget_set_visible (self->frames[i], shown);
      any = any || shown;
    }
  /* Of a run that ended before its first step there will never be any. */
  gtk_widget_set_visible (
      self->waiting,
      !any && (fen_run_session_is_active (self->session) || fen_run_session_is_loading (self->session)));
  gtk_widget_set_visible (self->controls, any);
  show_missing (self, fen_run_data_last (self->data, FEN_SAMPLE_MEMORY) != NULL);
}

void
fen_run_charts_update (FenRunCharts *self)
{
  if (self->data == NULL)
    return;
  show_charts (self);
  fen_run_charts_show_memory (self);
  fen_run_charts_update_markers (self);
  for (guint i = 0; i < N_RUN_CHARTS; i++)
    if (gtk_widget_get_visible (self->frames[i]))
      fen_chart_data_changed (self->charts[i]);
}

/* ---- a run ---- */

static void
use_data (FenRunCharts *self, FenRunData *data)
{
  fen_run_charts_clear_markers (self);
  for (guint i = 0; i < N_RUN_CHARTS; i++)
    fen_chart_clear_series (self->charts[i]);
  self->memory_parts = G_MAXUINT;
  fen_chart_group_reset_range (self->group);
  fen_chart_group_set_cursor (self->group, NAN);
  g_set_object (&self->data, data);
  for (guint i = 0; data != NULL && i < N_RUN_CHARTS; i++)
    {
      gtk_widget_set_visible (self->frames[i], FALSE);
      if (i != CHART_UTILIZATION)
        add_curves (self, i);
    }
}

static void
on_data_replaced (FenRunCharts *self)
{
  use_data (self, fen_run_session_get_data (self->session));
  fen_run_charts_update (self);
}

void
fen_run_charts_set_session (FenRunCharts *self, FenRunSession *session)
{
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  g_set_object (&self->session, session);
  if (session != NULL)
    g_signal_connect_object (session, "notify::data", G_CALLBACK (on_data_replaced), self, G_CONNECT_SWAPPED);
  use_data (self, session != NULL ? fen_run_session_get_data (session) : NULL);
  fen_run_charts_update (self);
}

FenChartGroup *
fen_run_charts_get_group (FenRunCharts *self)
{
  return self->group;
}

/* ---- controls ---- */

static void
on_axis_selected (FenRunCharts *self)
{
  const guint selected = gtk_drop_down_get_selected (GTK_DROP_DOWN (self->axis));
  if (self->group != NULL && selected < FEN_N_AXES
      && (FenAxis)selected != fen_chart_group_get_axis (self->group))
    fen_chart_group_set_axis (self->group, (FenAxis)selected);
}

static void
on_smoothing_changed (FenRunCharts *self)
{
  if (self->group != NULL)
    fen_chart_group_set_smoothing (self->group, gtk_adjustment_get_value (self->smoothing_adjustment));
}

/* The loss chart's own menu has the same two. */
static void
on_chart_notify (FenRunCharts *self, GParamSpec *pspec)
{
  g_object_notify (G_OBJECT (self), pspec->name);
}

/* A chart's own keys and menu may change what the group shows. */
static void
on_group_changed (FenRunCharts *self)
{
  gtk_drop_down_set_selected (GTK_DROP_DOWN (self->axis), fen_chart_group_get_axis (self->group));
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "charts.reset",
                                 fen_chart_group_get_range (self->group, &(double){ 0 }, &(double){ 0 }));
}

static void
reset_zoom (GtkWidget *widget, const char *name, GVariant *parameter)
{
  fen_chart_group_reset_range (FEN_RUN_CHARTS (widget)->group);
}

typedef enum { PROP_LOG_SCALE = 1, PROP_FIT_PERCENTILES, PROP_MARKERS } Property;

static void
fen_run_charts_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  FenRunCharts *self = FEN_RUN_CHARTS (object);
  switch ((Property)id)
    {
    case PROP_LOG_SCALE:
      g_value_set_boolean (value, fen_chart_get_log_scale (self->charts[CHART_LOSS]));
      break;
    case PROP_FIT_PERCENTILES:
      g_value_set_boolean (value, fen_chart_get_fit_percentiles (self->charts[CHART_LOSS]));
      break;
    case PROP_MARKERS:
      g_value_set_boolean (value, self->show_markers);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
fen_run_charts_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  FenRunCharts *self = FEN_RUN_CHARTS (object);
  const gboolean on = g_value_get_boolean (value);
  switch ((Property)id)
    {
    case PROP_LOG_SCALE:
      fen_chart_set_log_scale (self->charts[CHART_LOSS], on);
      break;
    case PROP_FIT_PERCENTILES:
      for (guint i = 0; i < N_RUN_CHARTS; i++)
        fen_chart_set_fit_percentiles (self->charts[i], on);
      break;
    case PROP_MARKERS:
      self->show_markers = on;
      fen_run_charts_clear_markers (self);
      fen_run_charts_update (self);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

/* ---- life ---- */

static void
fen_run_charts_dispose (GObject *object)
{
  FenRunCharts *self = FEN_RUN_CHARTS (object);
  GtkWidget *child;
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  g_clear_object (&self->session);
  g_clear_object (&self->data);
  gtk_widget_dispose_template (GTK_WIDGET (object), FEN_TYPE_RUN_CHARTS);
  while ((child = gtk_widget_get_first_child (GTK_WIDGET (object))) != NULL)
    gtk_widget_unparent (child);
  g_clear_object (&self->group);
  G_OBJECT_CLASS (fen_run_charts_parent_class)->dispose (object);
}

static void
add_property (GObjectClass *object, Property id, const char *name, const char *action)
{
  g_object_class_install_property (
      object, id, g_param_spec_boolean (name, NULL, NULL, FALSE, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS));
  gtk_widget_class_install_property_action (GTK_WIDGET_CLASS (object), action, name);
}

static void
fen_run_charts_class_init (FenRunChartsClass *class)
{
  GObjectClass *object = G_OBJECT_CLASS (class);
  GtkWidgetClass *widget = GTK_WIDGET_CLASS (class);
  object->dispose = fen_run_charts_dispose;
  object->get_property = fen_run_charts_get_property;
  object->set_property = fen_run_charts_set_property;
  add_property (object, PROP_LOG_SCALE, "log-scale", "charts.log-scale");
  add_property (object, PROP_FIT_PERCENTILES, "fit-percentiles", "charts.fit-percentiles");
  add_property (object, PROP_MARKERS, "markers", "charts.markers");
  gtk_widget_class_install_action (widget, "charts.reset", NULL, reset_zoom);
  gtk_widget_class_set_template_from_resource (widget, "/org/fenestra/Fenestra/run/fen-run-charts.ui");
  gtk_widget_class_set_css_name (widget, "fen-run-charts");
  gtk_widget_class_bind_template_child (widget, FenRunCharts, controls);
  gtk_widget_class_bind_template_child (widget, FenRunCharts, axis);
  gtk_widget_class_bind_template_child (widget, FenRunCharts, smoothing);
  gtk_widget_class_bind_template_child (widget, FenRunCharts, smoothing_adjustment);
  gtk_widget_class_bind_template_child (widget, FenRunCharts, waiting);
  gtk_widget_class_bind_template_child (widget, FenRunCharts, first);
  gtk_widget_class_bind_template_child (widget, FenRunCharts, others);
  gtk_widget_class_bind_template_child (widget, FenRunCharts, missing);
  gtk_widget_class_bind_template_callback (widget, on_axis_selected);
  gtk_widget_class_bind_template_callback (widget, on_smoothing_changed);
}

GtkWidget *
fen_run_charts_make_chart (FenRunCharts *self, FenRunChartKind kind, const char *title)
{
  self->charts[kind] = fen_chart_new (title, specs[kind].unit, self->group);
  gtk_widget_set_size_request (GTK_WIDGET (self->charts[kind]), -1,
                               kind <= CHART_MEMORY ? FIRST_HEIGHT : CHART_HEIGHT);
  gtk_widget_set_vexpand (GTK_WIDGET (self->charts[kind]), TRUE);
  return GTK_WIDGET (self->charts[kind]);
}

gboolean
fen_run_charts_is_quiet (FenRunChartKind kind)
{
  return specs[kind].quiet;
}

/* A chart with what belongs to it, as one card. */
static GtkWidget *
make_frame (FenRunCharts *self, FenRunChartKind kind)
{
  GtkWidget *frame = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  gtk_widget_add_css_class (frame, "card");
  gtk_widget_add_css_class (frame, "fen-chart-card");
  gtk_widget_set_visible (frame, FALSE);
  gtk_box_append (GTK_BOX (frame), fen_run_charts_make_chart (self, kind, _ (specs[kind].title)));
  return frame;
}

static void
fen_run_charts_init (FenRunCharts *self)
{
  g_autoptr (GtkStringList) axes = gtk_string_list_new (NULL);
  gtk_widget_init_template (GTK_WIDGET (self));
  self->group = fen_chart_group_new ();
  self->show_markers = TRUE;
  self->memory_parts = G_MAXUINT;
  for (guint axis = 0; axis < FEN_N_AXES; axis++)
    gtk_string_list_append (axes, fen_axis_title (axis));
  gtk_drop_down_set_model (GTK_DROP_DOWN (self->axis), G_LIST_MODEL (axes));
  gtk_widget_set_layout_manager (self->others, fen_columns_layout_new (COLUMN_WIDTH, 3, 12));
  for (guint i = 0; i < N_RUN_CHARTS; i++)
    {
      self->frames[i] = make_frame (self, i);
      gtk_box_append (GTK_BOX (i <= CHART_MEMORY ? self->first : self->others), self->frames[i]);
    }
  self->memory_text = gtk_label_new ("");
  gtk_label_set_wrap (GTK_LABEL (self->memory_text), TRUE);
  gtk_label_set_xalign (GTK_LABEL (self->memory_text), 0);
  gtk_widget_add_css_class (self->memory_text, "caption");
  gtk_box_append (GTK_BOX (self->frames[CHART_MEMORY]), self->memory_text);
  g_signal_connect_object (self->group, "changed", G_CALLBACK (on_group_changed), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->charts[CHART_LOSS], "notify::log-scale", G_CALLBACK (on_chart_notify), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->charts[CHART_LOSS], "notify::fit-percentiles", G_CALLBACK (on_chart_notify),
                           self, G_CONNECT_SWAPPED);
  on_smoothing_changed (self);
  on_group_changed (self);
}
