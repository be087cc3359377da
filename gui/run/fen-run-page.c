/* fen-run-page.c: one run, from its name down to its log, or what to do while there is none.
 *
 * The page never asks on its own: the session says that something changed, and the parts are then brought up to date at
 * most 8 times a second and only while the page is on the screen. A change that comes earlier waits in one timeout,
 * which does not exist while nothing is waiting or nobody looks.
 *
 * Where drawing is dear (no GPU for it, and the processor that draws is the one that trains), the updates come more
 * seldom, so that they take no more than about a sixtieth of one core. What a person caused (pause, stop) is shown at
 * once all the same.
 */
#include "gui/run/fen-run-page.h"

#include "gui/run/fen-run-charts-private.h"
#include "gui/run/fen-run-figures-private.h"
#include "gui/run/fen-run-header-private.h"
#include "gui/run/fen-run-log-private.h"
#include "gui/run/fen-run-notice-private.h"

#include <time.h>

#define SHORTEST_INTERVAL_US (G_USEC_PER_SEC / 8)
#define LONGEST_INTERVAL_US (G_USEC_PER_SEC * 6 / 10)
/* How much longer the time between two updates is than what one takes of the core. */
#define INTERVAL_PER_COST 64

struct _FenRunPage {
  AdwBin parent_instance;

  GtkWidget *stack, *scroller, *header, *end_notice, *warning_notice, *figures, *charts, *log;

  FenRunSession *session;
  FenRunData *data;  /* whose "changed" is heard */
  gboolean stale;    /* something changed since the last update */
  guint timeout;     /* 0 = none */
  gint64 updated_us; /* when the parts were brought up to date last */
  gint64 spent_us;   /* what this thread had used of its core by then */
  gint64 cost_us;    /* of an update with the frames that follow it, averaged */
};

G_DEFINE_FINAL_TYPE (FenRunPage, fen_run_page, ADW_TYPE_BIN)

enum { SIGNAL_APPLY_SUGGESTION, SIGNAL_REUSE_SETTINGS, N_SIGNALS };
static guint signals[N_SIGNALS];

/* ---- keeping up to date ---- */

/* A run that ended before it had anything to say shows its failure alone, not rows of dashes and an empty log. */
static gboolean
has_substance (FenRunPage *self)
{
  return fen_run_session_is_active (self->session) || fen_run_session_is_loading (self->session)
         || (self->data != NULL && fen_run_data_last (self->data, FEN_SAMPLE_TRAIN) != NULL);
}

static gint64
thread_time_us (void)
{
  struct timespec time = { 0 };
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return (gint64)time.tv_sec * G_USEC_PER_SEC + time.tv_nsec / 1000;
}

/* All that the thread did since the last update counts as its cost; what else the window did meanwhile is noise. */
static void
weigh (FenRunPage *self)
{
  const gint64 spent_us = thread_time_us ();
  self->cost_us += (spent_us - self->spent_us - self->cost_us) / 4;
  self->spent_us = spent_us;
  self->updated_us = g_get_monotonic_time ();
}

static void
update (FenRunPage *self)
{
  self->stale = FALSE;
  weigh (self);
  if (self->session == NULL)
    return;
  fen_run_header_show (FEN_RUN_HEADER (self->header), self->session);
  fen_run_notice_show_end (FEN_RUN_NOTICE (self->end_notice), self->session);
  fen_run_notice_show_warnings (FEN_RUN_NOTICE (self->warning_notice), self->session);
  fen_run_figures_show (FEN_RUN_FIGURES (self->figures), self->session);
  fen_run_charts_update (FEN_RUN_CHARTS (self->charts));
  const char *log = fen_run_session_get_log (self->session);
  fen_run_log_set_text (FEN_RUN_LOG (self->log), log);
  gtk_widget_set_visible (self->figures, has_substance (self));
  gtk_widget_set_visible (self->log, has_substance (self) || (log != NULL && *log != '\0'));
}

static gboolean
on_timeout (gpointer data)
{
  FenRunPage *self = data;
  self->timeout = 0;
  update (self);
  return G_SOURCE_REMOVE;
}

static void
on_turned (FenRunPage *self)
{
  self->stale = TRUE;
  g_clear_handle_id (&self->timeout, g_source_remove);
  if (gtk_widget_get_mapped (GTK_WIDGET (self)))
    update (self);
}

/* At once when the last update is long enough ago. */
static void
on_changed (FenRunPage *self)
{
  self->stale = TRUE;
  if (self->timeout != 0 || !gtk_widget_get_mapped (GTK_WIDGET (self)))
    return;
  const gint64 interval_us
      = CLAMP (self->cost_us * INTERVAL_PER_COST, SHORTEST_INTERVAL_US, LONGEST_INTERVAL_US);
  const gint64 wait_us = self->updated_us + interval_us - g_get_monotonic_time ();
  if (wait_us <= 0)
    update (self);
  else
    self->timeout = g_timeout_add ((guint)(wait_us / 1000) + 1, on_timeout, self);
}

static void
fen_run_page_map (GtkWidget *widget)
{
  FenRunPage *self = FEN_RUN_PAGE (widget);
  self->spent_us = thread_time_us ();
  if (self->stale)
    update (self);
  GTK_WIDGET_CLASS (fen_run_page_parent_class)->map (widget);
}

static void
fen_run_page_unmap (GtkWidget *widget)
{
  FenRunPage *self = FEN_RUN_PAGE (widget);
  g_clear_handle_id (&self->timeout, g_source_remove);
  GTK_WIDGET_CLASS (fen_run_page_parent_class)->unmap (widget);
}

/* ---- the run ---- */

static void
listen_to_data (FenRunPage *self)
{
  FenRunData *data = self->session != NULL ? fen_run_session_get_data (self->session) : NULL;
  if (self->data == data)
    return;
  if (self->data != NULL)
    g_signal_handlers_disconnect_by_data (self->data, self);
  g_set_object (&self->data, data);
  if (data != NULL)
    g_signal_connect_object (data, "changed", G_CALLBACK (on_changed), self, G_CONNECT_SWAPPED);
}

static void
on_data_replaced (FenRunPage *self)
{
  listen_to_data (self);
  on_changed (self);
}

static void
listen (FenRunPage *self)
{
  static const char *const changes[] = { "status-changed", "log-line" };
  static const char *const turns[] = { "notify::phase", "notify::path", "notify::final" };
  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    g_signal_connect_object (self->session, changes[i], G_CALLBACK (on_changed), self, G_CONNECT_SWAPPED);
  for (guint i = 0; i < G_N_ELEMENTS (turns); i++)
    g_signal_connect_object (self->session, turns[i], G_CALLBACK (on_turned), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->session, "notify::data", G_CALLBACK (on_data_replaced), self,
                           G_CONNECT_SWAPPED);
}

void
fen_run_page_set_session (FenRunPage *self, FenRunSession *session)
{
  g_return_if_fail (FEN_IS_RUN_PAGE (self));
  if (self->session == session)
    return;
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  g_set_object (&self->session, session);
  listen_to_data (self);
  fen_run_charts_set_session (FEN_RUN_CHARTS (self->charts), session);
  fen_run_log_clear (FEN_RUN_LOG (self->log));
  gtk_adjustment_set_value (gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (self->scroller)), 0);
  gtk_stack_set_visible_child_name (GTK_STACK (self->stack), session != NULL ? "run" : "empty");
  if (session == NULL)
    return;
  listen (self);
  update (self);
}

FenChartGroup *
fen_run_page_get_chart_group (FenRunPage *self)
{
  return fen_run_charts_get_group (FEN_RUN_CHARTS (self->charts));
}

FenRunSession *
fen_run_page_get_session (FenRunPage *self)
{
  g_return_val_if_fail (FEN_IS_RUN_PAGE (self), NULL);
  return self->session;
}

/* ---- what the parts ask for ---- */

static void
on_apply_suggestion (FenRunPage *self, const char *option, const char *value)
{
  g_signal_emit (self, signals[SIGNAL_APPLY_SUGGESTION], 0, option, value);
}

static void
on_reuse_settings (FenRunPage *self)
{
  g_signal_emit (self, signals[SIGNAL_REUSE_SETTINGS], 0);
}

/* ---- life ---- */

static void
fen_run_page_dispose (GObject *object)
{
  FenRunPage *self = FEN_RUN_PAGE (object);
  g_clear_handle_id (&self->timeout, g_source_remove);
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  if (self->data != NULL)
    g_signal_handlers_disconnect_by_data (self->data, self);
  g_clear_object (&self->session);
  g_clear_object (&self->data);
  adw_bin_set_child (ADW_BIN (self), NULL);
  gtk_widget_dispose_template (GTK_WIDGET (object), FEN_TYPE_RUN_PAGE);
  G_OBJECT_CLASS (fen_run_page_parent_class)->dispose (object);
}

static void
add_signals (void)
{
  signals[SIGNAL_APPLY_SUGGESTION]
      = g_signal_new ("apply-suggestion", FEN_TYPE_RUN_PAGE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                      G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_STRING);
  signals[SIGNAL_REUSE_SETTINGS] = g_signal_new ("reuse-settings", FEN_TYPE_RUN_PAGE, G_SIGNAL_RUN_LAST, 0,
                                                 NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
fen_run_page_class_init (FenRunPageClass *class)
{
  GtkWidgetClass *widget = GTK_WIDGET_CLASS (class);
  G_OBJECT_CLASS (class)->dispose = fen_run_page_dispose;
  widget->map = fen_run_page_map;
  widget->unmap = fen_run_page_unmap;
  add_signals ();
  g_type_ensure (FEN_TYPE_RUN_HEADER);
  g_type_ensure (FEN_TYPE_RUN_NOTICE);
  g_type_ensure (FEN_TYPE_RUN_FIGURES);
  g_type_ensure (FEN_TYPE_RUN_CHARTS);
  g_type_ensure (FEN_TYPE_RUN_LOG);
  gtk_widget_class_set_template_from_resource (widget, "/org/fenestra/Fenestra/run/fen-run-page.ui");
  gtk_widget_class_set_css_name (widget, "fen-run-page");
  gtk_widget_class_bind_template_child (widget, FenRunPage, stack);
  gtk_widget_class_bind_template_child (widget, FenRunPage, scroller);
  gtk_widget_class_bind_template_child (widget, FenRunPage, header);
  gtk_widget_class_bind_template_child (widget, FenRunPage, end_notice);
  gtk_widget_class_bind_template_child (widget, FenRunPage, warning_notice);
  gtk_widget_class_bind_template_child (widget, FenRunPage, figures);
  gtk_widget_class_bind_template_child (widget, FenRunPage, charts);
  gtk_widget_class_bind_template_child (widget, FenRunPage, log);
  gtk_widget_class_bind_template_callback (widget, on_apply_suggestion);
  gtk_widget_class_bind_template_callback (widget, on_reuse_settings);
}

static void
fen_run_page_init (FenRunPage *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
fen_run_page_new (void)
{
  return g_object_new (FEN_TYPE_RUN_PAGE, NULL);
}
