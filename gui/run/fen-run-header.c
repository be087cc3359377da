/* fen-run-header.c: who this run is, how far it is, and what really runs.
 *
 * Everything here is about the run: the settings that somebody is editing meanwhile are never looked at.
 */
#include "gui/run/fen-run-header-private.h"

#include "gui/run/fen-run-page.h"

#include <glib/gi18n.h>
#include <math.h>

struct _FenRunHeader {
  GtkWidget parent_instance;

  GtkWidget *name, *resume_button, *phase, *detail, *progress, *summary, *badge_box, *badge, *badge_label, *badge_details;
};

G_DEFINE_FINAL_TYPE (FenRunHeader, fen_run_header, GTK_TYPE_WIDGET)

/* A label that has not changed is left alone: no new layout, and a selection stays. */
static void
set_label (GtkWidget *label, const char *text)
{
  if (!g_str_equal (gtk_label_get_text (GTK_LABEL (label)), text))
    gtk_label_set_text (GTK_LABEL (label), text);
}

static gboolean
is_final (FenTrainerPhase phase)
{
  return phase == FEN_PHASE_FINISHED || phase == FEN_PHASE_STOPPED || phase == FEN_PHASE_FAILED;
}

/* ---- status ---- */

/* A folder knows ends that no trainer has: interrupted, damaged. */
static const char *
state_title (FenRunSession *session, const FenTrainerStatus *status)
{
  const FenRunInfo *info = fen_run_session_get_info (session);
  if (fen_run_session_is_loading (session) && info == NULL)
    return _ ("Opening");
  if (fen_run_session_is_active (session) || fen_run_session_is_own (session) || info == NULL)
    return fen_phase_title (status->phase);
  return fen_run_status_title (info->status);
}

static void
show_progress (FenRunHeader *self, FenRunSession *session, const FenTrainerStatus *status)
{
  const gboolean active = fen_run_session_is_active (session), ended = !active || is_final (status->phase);
  const gboolean known = isfinite (status->progress) && status->progress >= 0;
  GtkProgressBar *bar = GTK_PROGRESS_BAR (self->progress);
  /* A full bar under "Finished" says nothing, and one of a run without steps is a lie. */
  gtk_widget_set_visible (self->progress, status->phase != FEN_PHASE_FINISHED
                                              && (active || (status->step > 0 && status->steps > 0)));
  if (ended)
    gtk_progress_bar_set_fraction (
        bar, status->steps > 0 ? CLAMP ((double)status->step / (double)status->steps, 0, 1) : 0);
  else if (known)
    gtk_progress_bar_set_fraction (bar, CLAMP (status->progress, 0, 1));
  else
    gtk_progress_bar_pulse (bar);
}

static void
show_status (FenRunHeader *self, FenRunSession *session)
{
  FenTrainerStatus status;
  const FenRunInfo *info = fen_run_session_get_info (session);
  fen_run_session_status (session, &status);
  g_autofree char *detail = fen_format_status (&status);
  const gboolean damaged
      = info != NULL && info->status == FEN_RUN_DAMAGED && !fen_run_session_is_own (session);
  set_label (self->phase, state_title (session, &status));
  set_label (self->detail, damaged ? "" : detail);
  show_progress (self, session, &status);
  gtk_widget_set_visible (self->resume_button,
                          !fen_run_session_is_active (session) && info != NULL
                              && (info->status == FEN_RUN_STOPPED || info->status == FEN_RUN_INTERRUPTED
                                  || info->status == FEN_RUN_FAILED));
}

/* ---- configuration ---- */

static char *
dataset_words (const FenConfig *config)
{
  return *config->dataset_file != '\0' ? g_path_get_basename (config->dataset_file)
                                       : g_strdup (_ ("bundled sample"));
}

/* "10M on book.txt · context 2,048 · batch 4 × 2 · learning rate 0.0003" */
static char *
summary_words (const FenConfig *config)
{
  g_autofree char *model = g_path_get_basename (config->model), *dataset = dataset_words (config);
  g_autofree char *context = fen_format_count (config->max_seq_len);
  g_autofree char *batch = fen_format_count (config->batch_size);
  g_autofree char *accumulation = fen_format_count (config->gradient_accumulation_steps);
  const FenOption *rate_option = fen_config_find_option ("learning_rate");
  g_autofree char *rate = fen_config_get_words (config, rate_option, FEN_WORDS_TITLES);
  /* TRANSLATORS: the settings of the running run in short: model, text, context length in tokens, batch size and
   * accumulation steps, learning rate. */
  return g_strdup_printf (_ ("%s on %s · context %s · batch %s × %s · learning rate %s"), model, dataset,
                          context, batch, accumulation, rate);
}

static void
show_configuration (FenRunHeader *self, FenRunSession *session)
{
  const FenConfig *config = fen_run_session_get_config (session);
  gtk_widget_set_visible (self->summary, config != NULL);
  if (config == NULL)
    return;
  g_autofree char *summary = summary_words (config);
  set_label (self->summary, summary);
}

static void
show_badge (FenRunHeader *self, FenRunSession *session)
{
  g_autofree char *text = fen_run_session_badge_text (session),
                  *details = fen_run_session_badge_details (session);
  gtk_widget_set_visible (self->badge_box, text != NULL);
  if (text == NULL)
    return;
  if (!g_str_equal (gtk_label_get_text (GTK_LABEL (self->badge_label)), text))
    {
      /* TRANSLATORS: %s tells what really runs, for instance "FlashAttn-2 · fp32 · window 512". */
      g_autofree char *name = g_strdup_printf (_ ("Attention: %s"), text);
      gtk_accessible_update_property (GTK_ACCESSIBLE (self->badge), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
    }
  set_label (self->badge_label, text);
  /* The popover begins with it, too: there it can be selected and copied. */
  g_autofree char *all = details != NULL ? g_strdup_printf ("%s\n\n%s", text, details) : g_strdup (text);
  set_label (self->badge_details, all);
}

void
fen_run_header_show (FenRunHeader *self, FenRunSession *session)
{
  const char *name = fen_run_session_get_name (session);
  set_label (self->name, name != NULL && *name != '\0' ? name : _ ("New run"));
  show_status (self, session);
  show_configuration (self, session);
  show_badge (self, session);
}

/* ---- life ---- */

static void
fen_run_header_dispose (GObject *object)
{
  GtkWidget *child;
  gtk_widget_dispose_template (GTK_WIDGET (object), FEN_TYPE_RUN_HEADER);
  while ((child = gtk_widget_get_first_child (GTK_WIDGET (object))) != NULL)
    gtk_widget_unparent (child);
  G_OBJECT_CLASS (fen_run_header_parent_class)->dispose (object);
}

static void
fen_run_header_class_init (FenRunHeaderClass *class)
{
  GtkWidgetClass *widget = GTK_WIDGET_CLASS (class);
  G_OBJECT_CLASS (class)->dispose = fen_run_header_dispose;
  gtk_widget_class_set_template_from_resource (widget, "/org/fenestra/Fenestra/run/fen-run-header.ui");
  gtk_widget_class_set_css_name (widget, "fen-run-header");
  gtk_widget_class_bind_template_child (widget, FenRunHeader, name);
  gtk_widget_class_bind_template_child (widget, FenRunHeader, resume_button);
  gtk_widget_class_bind_template_child (widget, FenRunHeader, phase);
  gtk_widget_class_bind_template_child (widget, FenRunHeader, detail);
  gtk_widget_class_bind_template_child (widget, FenRunHeader, progress);
  gtk_widget_class_bind_template_child (widget, FenRunHeader, summary);
  gtk_widget_class_bind_template_child (widget, FenRunHeader, badge_box);
  gtk_widget_class_bind_template_child (widget, FenRunHeader, badge);
  gtk_widget_class_bind_template_child (widget, FenRunHeader, badge_label);
  gtk_widget_class_bind_template_child (widget, FenRunHeader, badge_details);
}

static void
fen_run_header_init (FenRunHeader *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}
