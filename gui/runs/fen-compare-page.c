/* fen-compare-page.c: several runs in one set of charts (see fen-compare-page.h).
 *
 * Every run is read through a watching FenRunSession of its own, so that a live one is followed as on its own page.
 * What they say is shown a few times a second at most, however many of them say something. */
#include "gui/runs/fen-compare-page.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "gui/chart/fen-chart.h"
#include "gui/run/fen-run-session.h"
#include "gui/runs/fen-compare-tables-private.h"

#define UPDATE_MS 250
#define CHART_HEIGHT 220
#define LOSS_HEIGHT 300

typedef enum { CHART_LOSS, CHART_SPEED, CHART_MEMORY, N_CHARTS } ChartKind;

static const struct {
  const char *title; /* N_ */
  FenUnit unit;
  int height;
} specs[N_CHARTS] = {
  [CHART_LOSS] = { N_ ("Loss"), FEN_UNIT_NUMBER, LOSS_HEIGHT },
  [CHART_SPEED] = { N_ ("Speed"), FEN_UNIT_RATE, CHART_HEIGHT },
  [CHART_MEMORY] = { N_ ("Memory"), FEN_UNIT_BYTES, CHART_HEIGHT },
};

struct _FenComparePage {
  AdwBin parent_instance;

  GtkWidget *back, *smoothing_scale;
  GtkLabel *title, *settings_note;
  GtkDropDown *axis;
  GtkAdjustment *smoothing;
  GtkBox *charts_box;
  GtkGrid *figures, *settings;

  FenChartGroup *group;
  FenChart *charts[N_CHARTS];
  GListModel *runs;    /* FenRunItem */
  GPtrArray *sessions; /* FenRunSession, while mapped */
  guint n_on_device;   /* how many runs' share of a device is known: the memory chart was made for it */
  guint update_source;
};

static guint back_signal;

G_DEFINE_FINAL_TYPE (FenComparePage, fen_compare_page, ADW_TYPE_BIN)

/* ---- names ---- */

static FenRunItem *
nth_run (FenComparePage *self, guint n)
{
  g_autoptr (FenRunItem) item = g_list_model_get_item (self->runs, n);
  return item; /* the model holds it */
}

/* Two runs of one name are told apart by their folders'. */
static char *
run_name (FenComparePage *self, guint n)
{
  FenRunItem *item = nth_run (self, n);
  const char *name = fen_run_item_get_name (item);
  for (guint i = 0; i < self->sessions->len; i++)
    if (i != n && strcmp (fen_run_item_get_name (nth_run (self, i)), name) == 0)
      /* TRANSLATORS: a run's name and its folder's. */
      return g_strdup_printf (_ ("%s (%s)"), name, fen_run_item_get_info (item)->id);
  return g_strdup (name);
}

/* ---- charts ---- */

static gboolean
on_device (FenRunData *data)
{
  return fen_series_length (fen_run_data_series (data, FEN_CURVE_DEVICE_PROCESS)) > 0;
}

/* One colour a run in all charts. The chart gives its nth line the nth dash, so evaluations come after all other lines:
 * a run then has one dash everywhere, too. */
static void
add_run (FenComparePage *self, guint n)
{
  FenRunData *data = fen_run_session_get_data (self->sessions->pdata[n]);
  g_autofree char *name = run_name (self, n);
  const FenCurve memory = on_device (data) ? FEN_CURVE_DEVICE_PROCESS : FEN_CURVE_RSS;
  fen_chart_add_series (self->charts[CHART_LOSS], name, fen_run_data_series (data, FEN_CURVE_LOSS),
                        FEN_CHART_SMOOTHED, n);
  fen_chart_add_series (self->charts[CHART_SPEED], name,
                        fen_run_data_series (data, FEN_CURVE_TOKENS_PER_SECOND), FEN_CHART_SMOOTHED, n);
  fen_chart_add_series (self->charts[CHART_MEMORY], name, fen_run_data_series (data, memory), FEN_CHART_LINE,
                        n);
}

static void
add_evaluation (FenComparePage *self, guint n)
{
  FenRunData *data = fen_run_session_get_data (self->sessions->pdata[n]);
  g_autofree char *name = run_name (self, n);
  /* TRANSLATORS: in a chart's legend, the evaluation loss of a run. */
  g_autofree char *eval_name = g_strdup_printf (_ ("%s, evaluation"), name);
  fen_chart_add_series (self->charts[CHART_LOSS], eval_name, fen_run_data_series (data, FEN_CURVE_EVAL_LOSS),
                        FEN_CHART_POINTS, n);
}

static guint
count_on_device (FenComparePage *self)
{
  guint n = 0;
  for (guint i = 0; i < self->sessions->len; i++)
    n += on_device (fen_run_session_get_data (self->sessions->pdata[i]));
  return n;
}

static void
fill_charts (FenComparePage *self)
{
  for (guint i = 0; i < N_CHARTS; i++)
    fen_chart_clear_series (self->charts[i]);
  self->n_on_device = count_on_device (self);
  for (guint i = 0; i < self->sessions->len; i++)
    add_run (self, i);
  for (guint i = 0; i < self->sessions->len; i++)
    add_evaluation (self, i);
}

/* ---- words ---- */

static void
fill_tables (FenComparePage *self)
{
  guint known;
  g_autoptr (GPtrArray) figures = fen_compare_figures (self->sessions);
  g_autoptr (GPtrArray) settings = fen_compare_settings (self->sessions, &known);
  g_auto (GStrv) header = g_new0 (char *, self->sessions->len + 2);
  header[0] = g_strdup ("");
  for (guint i = 0; i < self->sessions->len; i++)
    header[i + 1] = run_name (self, i);
  fen_compare_fill_grid (self->figures, header, figures);
  fen_compare_fill_grid (self->settings, header, settings);
  const char *note = "";
  if (known < self->sessions->len)
    note = _ ("The settings of some of these runs cannot be read.");
  else if (settings->len == 0)
    note = _ ("These runs have the same settings.");
  gtk_label_set_text (self->settings_note, note);
  gtk_widget_set_visible (GTK_WIDGET (self->settings_note), *note != '\0');
}

static gboolean
update (gpointer user_data)
{
  FenComparePage *self = user_data;
  self->update_source = 0;
  if (count_on_device (self) != self->n_on_device)
    fill_charts (self);
  for (guint i = 0; i < N_CHARTS; i++)
    fen_chart_data_changed (self->charts[i]);
  fill_tables (self);
  return G_SOURCE_REMOVE;
}

static void
queue_update (FenComparePage *self)
{
  if (self->update_source == 0 && gtk_widget_get_mapped (GTK_WIDGET (self)))
    self->update_source = g_timeout_add (UPDATE_MS, update, self);
}

/* A name stands in legends and headers, data behind the lines. */
static void
on_replaced (FenComparePage *self)
{
  fill_charts (self);
  queue_update (self);
}

/* ---- runs ---- */

static void
close_sessions (FenComparePage *self)
{
  g_clear_handle_id (&self->update_source, g_source_remove);
  for (guint i = 0; i < N_CHARTS; i++)
    if (self->charts[i] != NULL)
      fen_chart_clear_series (self->charts[i]);
  for (guint i = 0; i < self->sessions->len; i++)
    {
      FenRunSession *session = self->sessions->pdata[i];
      g_signal_handlers_disconnect_by_data (session, self);
      g_signal_handlers_disconnect_by_data (fen_run_session_get_data (session), self);
      g_signal_handlers_disconnect_by_data (nth_run (self, i), self);
    }
  g_ptr_array_set_size (self->sessions, 0);
}

static void
open_sessions (FenComparePage *self)
{
  const guint n = self->runs != NULL ? g_list_model_get_n_items (self->runs) : 0;
  close_sessions (self);
  for (guint i = 0; i < n; i++)
    {
      FenRunItem *item = nth_run (self, i);
      FenRunSession *session = fen_run_session_new_watch (fen_run_item_get_path (item));
      g_ptr_array_add (self->sessions, session);
      g_signal_connect_swapped (session, "status-changed", G_CALLBACK (queue_update), self);
      g_signal_connect_swapped (session, "notify::data", G_CALLBACK (on_replaced), self);
      g_signal_connect_swapped (fen_run_session_get_data (session), "changed", G_CALLBACK (queue_update),
                                self);
      g_signal_connect_swapped (item, "notify::name", G_CALLBACK (on_replaced), self);
    }
  fill_charts (self);
  fill_tables (self);
}

void
fen_compare_page_set_runs (FenComparePage *self, GListModel *runs)
{
  g_return_if_fail (FEN_IS_COMPARE_PAGE (self));
  close_sessions (self);
  g_clear_object (&self->runs);
  const guint n = runs != NULL ? g_list_model_get_n_items (runs) : 0;
  /* A copy: what the caller does with its list later is its own business. */
  GListStore *copy = g_list_store_new (FEN_TYPE_RUN_ITEM);
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (FenRunItem) item = g_list_model_get_item (runs, i);
      g_list_store_append (copy, item);
    }
  self->runs = G_LIST_MODEL (copy);
  g_autofree char *title = g_strdup_printf (ngettext ("Comparing %u Run", "Comparing %u Runs", n), n);
  gtk_label_set_text (self->title, title);
  fen_chart_group_reset_range (self->group);
  fen_chart_group_set_cursor (self->group, NAN);
  if (gtk_widget_get_mapped (GTK_WIDGET (self)))
    open_sessions (self);
}

/* ---- controls ---- */

static void
on_axis_selected (FenComparePage *self)
{
  const guint selected = gtk_drop_down_get_selected (self->axis);
  if (selected < FEN_N_AXES && (FenAxis)selected != fen_chart_group_get_axis (self->group))
    fen_chart_group_set_axis (self->group, (FenAxis)selected);
}

static void
on_smoothing (FenComparePage *self)
{
  if (gtk_adjustment_get_value (self->smoothing) != fen_chart_group_get_smoothing (self->group))
    fen_chart_group_set_smoothing (self->group, gtk_adjustment_get_value (self->smoothing));
}

/* The charts' own keys and menus may change it, too. */
static void
on_group_changed (FenComparePage *self)
{
  gtk_drop_down_set_selected (self->axis, (guint)fen_chart_group_get_axis (self->group));
  gtk_adjustment_set_value (self->smoothing, fen_chart_group_get_smoothing (self->group));
}

static void
on_back (FenComparePage *self)
{
  g_signal_emit (self, back_signal, 0);
}

static gboolean
on_key (GtkEventControllerKey *controller, guint keyval, guint keycode, GdkModifierType state,
        FenComparePage *self)
{
  if (keyval != GDK_KEY_Escape || (state & gtk_accelerator_get_default_mod_mask ()) != 0)
    return GDK_EVENT_PROPAGATE;
  on_back (self);
  return GDK_EVENT_STOP;
}

static void
make_controls (FenComparePage *self)
{
  g_autoptr (GtkStringList) axes = gtk_string_list_new (NULL);
  for (guint i = 0; i < FEN_N_AXES; i++)
    gtk_string_list_append (axes, fen_axis_title ((FenAxis)i));
  gtk_drop_down_set_model (self->axis, G_LIST_MODEL (axes));
  on_group_changed (self);
  g_signal_connect_swapped (self->axis, "notify::selected", G_CALLBACK (on_axis_selected), self);
  g_signal_connect_swapped (self->smoothing, "value-changed", G_CALLBACK (on_smoothing), self);
  g_signal_connect_object (self->group, "changed", G_CALLBACK (on_group_changed), self, G_CONNECT_SWAPPED);
  g_signal_connect_swapped (self->back, "clicked", G_CALLBACK (on_back), self);
  GtkEventController *keys = gtk_event_controller_key_new ();
  g_signal_connect (keys, "key-pressed", G_CALLBACK (on_key), self);
  gtk_widget_add_controller (GTK_WIDGET (self), keys);
}

/* ---- life ---- */

static void
map (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (fen_compare_page_parent_class)->map (widget);
  open_sessions (FEN_COMPARE_PAGE (widget));
}

static void
unmap (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (fen_compare_page_parent_class)->unmap (widget);
  close_sessions (FEN_COMPARE_PAGE (widget));
}

static void
dispose (GObject *object)
{
  FenComparePage *self = FEN_COMPARE_PAGE (object);
  close_sessions (self);
  memset (self->charts, 0, sizeof self->charts);
  G_OBJECT_CLASS (fen_compare_page_parent_class)->dispose (object);
  g_clear_object (&self->runs);
  g_clear_object (&self->group);
}

static void
finalize (GObject *object)
{
  g_ptr_array_unref (FEN_COMPARE_PAGE (object)->sessions);
  G_OBJECT_CLASS (fen_compare_page_parent_class)->finalize (object);
}

static void
fen_compare_page_class_init (FenComparePageClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (class);
  object_class->dispose = dispose;
  object_class->finalize = finalize;
  widget_class->map = map;
  widget_class->unmap = unmap;
  back_signal
      = g_signal_new ("back", FEN_TYPE_COMPARE_PAGE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/org/fenestra/Fenestra/runs/fen-compare-page.ui");
  gtk_widget_class_bind_template_child (widget_class, FenComparePage, back);
  gtk_widget_class_bind_template_child (widget_class, FenComparePage, title);
  gtk_widget_class_bind_template_child (widget_class, FenComparePage, axis);
  gtk_widget_class_bind_template_child (widget_class, FenComparePage, smoothing);
  gtk_widget_class_bind_template_child (widget_class, FenComparePage, smoothing_scale);
  gtk_widget_class_bind_template_child_full (widget_class, "charts", FALSE,
                                             G_STRUCT_OFFSET (FenComparePage, charts_box));
  gtk_widget_class_bind_template_child (widget_class, FenComparePage, figures);
  gtk_widget_class_bind_template_child (widget_class, FenComparePage, settings);
  gtk_widget_class_bind_template_child (widget_class, FenComparePage, settings_note);
}

static void
fen_compare_page_init (FenComparePage *self)
{
  self->sessions = g_ptr_array_new_with_free_func (g_object_unref);
  gtk_widget_init_template (GTK_WIDGET (self));
  self->group = fen_chart_group_new ();
  for (guint i = 0; i < N_CHARTS; i++)
    {
      self->charts[i] = fen_chart_new (_ (specs[i].title), specs[i].unit, self->group);
      gtk_widget_set_size_request (GTK_WIDGET (self->charts[i]), -1, specs[i].height);
      gtk_box_append (self->charts_box, GTK_WIDGET (self->charts[i]));
    }
  make_controls (self);
}

FenChartGroup *
fen_compare_page_get_chart_group (FenComparePage *self)
{
  return self->group;
}

GtkWidget *
fen_compare_page_new (void)
{
  return g_object_new (FEN_TYPE_COMPARE_PAGE, NULL);
}
