/* fen-run-notice.c: what went wrong with a run, why, and what to do: state in the page, never a dialog.
 *
 * The reason is the core's own message, which names file, value and limit; the advice is chosen by the kind of error.
 * Suggestions come from the plan: each was planned again with one setting changed, so what they need is known, not
 * guessed.
 */
#include "gui/run/fen-run-notice-private.h"

#include "gui/chart/fen-chart.h"
#include "gui/run/fen-run-page.h"

#include <glib/gi18n.h>
#include <string.h>

#define MAX_SUGGESTIONS 4
#define TAIL_LINES 8

struct _FenRunNotice {
  GtkWidget parent_instance;

  GtkWidget *icon, *title, *reason, *advice, *suggestions, *tail_expander, *tail, *settings_button;

  char *shown_suggestions; /* what the buttons stand for: they are made again only when this changes */
  /* What the events warn of, for as many events as were looked at: up to 10,000 are not read again 8 times a second. */
  FenRunData *seen_data; /* weak */
  guint64 seen_events;
  char *event_warnings;
};

G_DEFINE_FINAL_TYPE (FenRunNotice, fen_run_notice, GTK_TYPE_WIDGET)

enum { SIGNAL_APPLY_SUGGESTION, SIGNAL_REUSE_SETTINGS, N_SIGNALS };
static guint signals[N_SIGNALS];

/* A label that was not changed keeps its selection. */
static void
set_label (GtkWidget *label, const char *text)
{
  const char *shown = text != NULL ? text : "";
  if (!g_str_equal (gtk_label_get_text (GTK_LABEL (label)), shown))
    gtk_label_set_text (GTK_LABEL (label), shown);
  gtk_widget_set_visible (label, *shown != '\0');
}

/* ---- suggestions ---- */

static char *
suggestion_text (const FenPlanSuggestion *suggestion)
{
  const FenOption *option = fen_config_find_option (suggestion->option);
  const char *title = option != NULL ? _ (option->title) : suggestion->option;
  g_autofree char *number = fen_format_count (g_ascii_strtoll (suggestion->value, NULL, 10));
  if (g_str_equal (suggestion->value, "true"))
    /* TRANSLATORS: a setting is switched on: "FlashAttn-2 on". */
    return g_strdup_printf (_ ("%s on"), title);
  if (g_str_equal (suggestion->value, "false"))
    /* TRANSLATORS: a setting is switched off. */
    return g_strdup_printf (_ ("%s off"), title);
  /* TRANSLATORS: a setting and its value: "Chunk Size 2,048". */
  return g_strdup_printf (_ ("%s %s"), title,
                          option != NULL && option->type == FEN_OPTION_INT ? number : suggestion->value);
}

static char *
suggestion_effect (const FenPlanSuggestion *suggestion, FenPlan *plan)
{
  const guint64 planned = plan != NULL ? fen_plan_needed_bytes (plan) : 0;
  const guint64 saved = (guint64)MAX (suggestion->bytes_saved, 0);
  g_autofree char *needed = fen_unit_format (FEN_UNIT_BYTES, (double)(planned - MIN (saved, planned)));
  g_autofree char *less = fen_unit_format (FEN_UNIT_BYTES, (double)saved);
  if (planned == 0 && suggestion->changes_math)
    return g_strdup_printf (_ ("needs %s less, but trains differently"), less);
  if (planned == 0)
    return g_strdup_printf (_ ("needs %s less, with the same result"), less);
  if (suggestion->changes_math)
    return g_strdup_printf (_ ("would need %s, but trains differently"), needed);
  return g_strdup_printf (_ ("would need %s, with the same result"), needed);
}

static void
on_apply (FenRunNotice *self, GtkButton *button)
{
  g_signal_emit (self, signals[SIGNAL_APPLY_SUGGESTION], 0,
                 g_object_get_data (G_OBJECT (button), "fen-option"),
                 g_object_get_data (G_OBJECT (button), "fen-value"));
}

static GtkWidget *
suggestion_label (const char *text, const char *style)
{
  GtkWidget *label = gtk_label_new (text);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  if (style != NULL)
    gtk_widget_add_css_class (label, style);
  return label;
}

static void
add_suggestion (FenRunNotice *self, const FenPlanSuggestion *suggestion, FenPlan *plan)
{
  g_autofree char *what = suggestion_text (suggestion), *effect = suggestion_effect (suggestion, plan);
  /* TRANSLATORS: a change of the settings and what comes of it, said by a screen reader. */
  g_autofree char *description = g_strdup_printf (C_ ("suggestion", "%s, %s"), what, effect);
  GtkWidget *row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);
  GtkWidget *words = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  GtkWidget *button = gtk_button_new_with_label (_ ("Apply and Start"));

  gtk_box_append (GTK_BOX (words), suggestion_label (what, NULL));
  gtk_box_append (GTK_BOX (words), suggestion_label (effect, "caption"));
  gtk_widget_set_hexpand (words, TRUE);
  gtk_box_append (GTK_BOX (row), words);
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  g_object_set_data_full (G_OBJECT (button), "fen-option", g_strdup (suggestion->option), g_free);
  g_object_set_data_full (G_OBJECT (button), "fen-value", g_strdup (suggestion->value), g_free);
  /* Several buttons read alike: the description says which change this one makes. */
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, description,
                                  -1);
  g_signal_connect_object (button, "clicked", G_CALLBACK (on_apply), self, G_CONNECT_SWAPPED);
  gtk_box_append (GTK_BOX (row), button);
  gtk_box_append (GTK_BOX (self->suggestions), row);
}

static void
show_suggestions (FenRunNotice *self, const GArray *suggestions, FenPlan *plan)
{
  g_autoptr (GString) key = g_string_new (NULL);
  GtkWidget *child;
  for (guint i = 0; suggestions != NULL && i < suggestions->len; i++)
    {
      const FenPlanSuggestion *suggestion = &g_array_index (suggestions, FenPlanSuggestion, i);
      g_string_append_printf (key, "%s=%s:%d;", suggestion->option, suggestion->value, plan != NULL);
    }
  if (g_strcmp0 (key->str, self->shown_suggestions) == 0)
    return;
  g_free (self->shown_suggestions);
  self->shown_suggestions = g_strdup (key->str);
  while ((child = gtk_widget_get_first_child (self->suggestions)) != NULL)
    gtk_box_remove (GTK_BOX (self->suggestions), child);
  guint n = 0;
  for (guint i = 0; suggestions != NULL && i < suggestions->len && n < MAX_SUGGESTIONS; i++)
    {
      const FenPlanSuggestion *suggestion = &g_array_index (suggestions, FenPlanSuggestion, i);
      if (!suggestion->fits)
        continue;
      add_suggestion (self, suggestion, plan);
      n++;
    }
  gtk_widget_set_visible (self->suggestions, n > 0);
}

/* ---- the end of a run ---- */

/* What to do about an error, by its kind; NULL when the reason says all there is. */
static const char *
advice_for (const GError *error)
{
  if (g_error_matches (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_DOES_NOT_FIT)
      || g_error_matches (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_OUT_OF_MEMORY))
    return _ ("Change a setting so that the run needs less memory, or close other programs that use it.");
  if (g_error_matches (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_DEVICE))
    return _ ("Check that the device works and is not used up by another program, or choose another device.");
  if (g_error_matches (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_LOST))
    return _ ("Close Fenestra and start it again to use the graphics card, then resume the run from its last "
              "checkpoint.");
  if (g_error_matches (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NO_SPACE))
    return _ ("Make room on the disk or choose another place for runs.");
  if (g_error_matches (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_CANNOT_WRITE))
    return _ ("Check that the disk is there and that you may write to it, or choose another place for runs.");
  if (g_error_matches (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NOT_FINITE))
    return _ ("Lower the learning rate or the gradient clipping and start again.");
  if (g_error_matches (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_LOCKED))
    return _ ("Wait until the other program has finished, or stop it.");
  if (error != NULL && (error->domain == G_FILE_ERROR || error->domain == G_IO_ERROR))
    return _ ("Check that the files of the run are there and can be read.");
  return NULL;
}

/* The last lines, without an end of line. Free with g_free. */
static char *
log_tail (const char *log)
{
  if (log == NULL || *log == '\0')
    return NULL;
  const char *end = log + strlen (log);
  while (end > log && end[-1] == '\n')
    end--;
  const char *start = end;
  for (guint lines = 0; start > log; start--)
    if (start[-1] == '\n' && ++lines == TAIL_LINES)
      break;
  return g_utf8_make_valid (start, end - start);
}

static FenRunStatus
end_of (FenRunSession *session)
{
  FenTrainerStatus status;
  const FenRunInfo *info = fen_run_session_get_info (session);
  if (fen_run_session_is_active (session))
    return FEN_RUN_RUNNING;
  fen_run_session_status (session, &status);
  /* A run of this process knows first, and one that failed before its first step has no folder at all. */
  if (fen_run_session_is_own (session) && status.phase == FEN_PHASE_FAILED)
    return FEN_RUN_FAILED;
  return info != NULL ? info->status : FEN_RUN_RUNNING;
}

static void
set_kind (FenRunNotice *self, gboolean error)
{
  gtk_image_set_from_icon_name (GTK_IMAGE (self->icon),
                                error ? "dialog-error-symbolic" : "dialog-warning-symbolic");
  gtk_widget_remove_css_class (GTK_WIDGET (self), error ? "warning" : "error");
  gtk_widget_add_css_class (GTK_WIDGET (self), error ? "error" : "warning");
}

static char *
interrupted_advice (FenRunSession *session)
{
  const FenRunInfo *info = fen_run_session_get_info (session);
  if (info->checkpoint_step < 0)
    return g_strdup (_ ("No checkpoint had been written yet: resuming begins again at the first step."));
  g_autofree char *step = fen_format_count (info->checkpoint_step);
  g_autofree char *lost = fen_format_count (MAX (info->step - info->checkpoint_step, 0));
  if (info->step <= info->checkpoint_step)
    return g_strdup_printf (_ ("Nothing is lost: resuming goes on after step %s."), step);
  return g_strdup_printf (
      ngettext ("Resuming goes on after step %s, the last checkpoint; %s step is trained again.",
                "Resuming goes on after step %s, the last checkpoint; %s steps are trained again.",
                (gulong)(info->step - info->checkpoint_step)),
      step, lost);
}

void
fen_run_notice_show_end (FenRunNotice *self, FenRunSession *session)
{
  const FenRunStatus end = end_of (session);
  const gboolean bad = end == FEN_RUN_FAILED || end == FEN_RUN_INTERRUPTED || end == FEN_RUN_DAMAGED;
  g_autofree char *advice = NULL, *tail = NULL;
  gtk_widget_set_visible (GTK_WIDGET (self), bad);
  if (!bad)
    return;
  const char *reason = fen_run_session_get_reason (session);
  set_kind (self, end != FEN_RUN_INTERRUPTED);
  set_label (self->reason, reason);
  if (end == FEN_RUN_FAILED)
    {
      set_label (self->title, _ ("The run failed"));
      advice = g_strdup (advice_for (fen_run_session_get_error (session)));
    }
  else if (end == FEN_RUN_INTERRUPTED)
    {
      set_label (self->title, _ ("The run was interrupted"));
      if (reason == NULL || *reason == '\0')
        set_label (self->reason, _ ("The program was closed by force or the computer went off."));
      advice = interrupted_advice (session);
    }
  else
    {
      set_label (self->title, _ ("This run folder is damaged"));
      advice = g_strdup (_ ("Other runs are not affected."));
    }
  set_label (self->advice, advice);
  show_suggestions (self, end == FEN_RUN_FAILED ? fen_run_session_get_suggestions (session) : NULL,
                    fen_run_session_get_plan (session));
  tail = log_tail (fen_run_session_get_log (session));
  set_label (self->tail, tail);
  gtk_widget_set_visible (self->tail_expander, tail != NULL);
  gtk_widget_set_visible (self->settings_button,
                          end == FEN_RUN_FAILED && fen_run_session_get_config (session) != NULL);
}

/* ---- warnings of a run that goes on ---- */

static void
add_line (GString *text, const char *line)
{
  if (text->len > 0)
    g_string_append_c (text, '\n');
  g_string_append (text, line);
}

/* The newest event of each kind that matters, unless a later one says that it is over. */
static void
add_event_warnings (FenRunData *data, GString *text)
{
  const char *checkpoint = NULL, *metrics = NULL, *changed = NULL, *damaged = NULL;
  for (guint i = 0, n = fen_run_data_n_events (data); i < n; i++)
    {
      const FenRunEvent *event = fen_run_data_event (data, i);
      if (g_str_equal (event->event, "checkpoint-failed"))
        checkpoint = event->text;
      else if (g_str_equal (event->event, "checkpoint"))
        checkpoint = NULL;
      else if (g_str_equal (event->event, "metrics-failed"))
        metrics = event->text;
      else if (g_str_equal (event->event, "data-changed"))
        changed = event->text;
      else if (g_str_equal (event->event, "damaged-checkpoint"))
        damaged = event->text;
    }
  const struct {
    const char *text, *format;
  } lines[] = {
    { checkpoint, N_ ("The last checkpoint could not be written: %s") },
    { metrics, N_ ("Measurements could not be written: %s") },
    { changed, N_ ("The data is not what it was when the run began: %s") },
    { damaged, N_ ("A checkpoint is damaged and was passed over: %s") },
  };
  for (guint i = 0; i < G_N_ELEMENTS (lines); i++)
    if (lines[i].text != NULL)
      {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        g_autofree char *line = g_strdup_printf (_ (lines[i].format), lines[i].text);
#pragma GCC diagnostic pop
        add_line (text, line);
      }
}

static void
add_count_warnings (FenRunSession *session, FenRunData *data, GString *text)
{
  const char *why = NULL;
  const guint damaged = fen_run_data_n_damaged (data, &why);
  FenTrainerStatus status;
  fen_run_session_status (session, &status);
  if (status.skipped_updates > 0)
    {
      g_autofree char *count = fen_format_count (status.skipped_updates);
      g_autofree char *line = g_strdup_printf (
          ngettext ("%s update was left out, because its gradient was not a finite number.",
                    "%s updates were left out, because their gradients were not finite numbers.",
                    (gulong)status.skipped_updates),
          count);
      add_line (text, line);
    }
  if (damaged > 0)
    {
      g_autofree char *count = fen_format_count (damaged);
      g_autofree char *line = g_strdup_printf (
          ngettext ("%s line of the measurements cannot be read: %s",
                    "%s lines of the measurements cannot be read, the last one: %s", damaged),
          count, why != NULL ? why : "");
      add_line (text, line);
    }
}

void
fen_run_notice_show_warnings (FenRunNotice *self, FenRunSession *session)
{
  g_autoptr (GString) text = g_string_new (NULL);
  FenRunData *data = fen_run_session_get_data (session);
  if (data != NULL)
    {
      if (self->event_warnings == NULL || self->seen_data != data
          || self->seen_events != fen_run_data_events_added (data))
        {
          g_autoptr (GString) events = g_string_new (NULL);
          add_event_warnings (data, events);
          g_free (self->event_warnings);
          self->event_warnings = g_strdup (events->str);
          g_set_weak_pointer (&self->seen_data, data);
          self->seen_events = fen_run_data_events_added (data);
        }
      g_string_append (text, self->event_warnings);
      add_count_warnings (session, data, text);
    }
  gtk_widget_set_visible (GTK_WIDGET (self), text->len > 0);
  if (text->len == 0)
    return;
  set_kind (self, FALSE);
  set_label (self->title, fen_run_session_is_active (session) ? _ ("The run goes on, with a problem")
                                                              : _ ("Problems during the run"));
  set_label (self->reason, text->str);
  set_label (self->advice, NULL);
  gtk_widget_set_visible (self->tail_expander, FALSE);
  gtk_widget_set_visible (self->settings_button, FALSE);
}

/* ---- life ---- */

static void
on_change_settings (FenRunNotice *self)
{
  g_signal_emit (self, signals[SIGNAL_REUSE_SETTINGS], 0);
}

static void
fen_run_notice_dispose (GObject *object)
{
  GtkWidget *child;
  gtk_widget_dispose_template (GTK_WIDGET (object), FEN_TYPE_RUN_NOTICE);
  while ((child = gtk_widget_get_first_child (GTK_WIDGET (object))) != NULL)
    gtk_widget_unparent (child);
  g_clear_pointer (&FEN_RUN_NOTICE (object)->shown_suggestions, g_free);
  g_clear_pointer (&FEN_RUN_NOTICE (object)->event_warnings, g_free);
  g_clear_weak_pointer (&FEN_RUN_NOTICE (object)->seen_data);
  G_OBJECT_CLASS (fen_run_notice_parent_class)->dispose (object);
}

static void
fen_run_notice_class_init (FenRunNoticeClass *class)
{
  GtkWidgetClass *widget = GTK_WIDGET_CLASS (class);
  G_OBJECT_CLASS (class)->dispose = fen_run_notice_dispose;
  signals[SIGNAL_APPLY_SUGGESTION]
      = g_signal_new ("apply-suggestion", FEN_TYPE_RUN_NOTICE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                      G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_STRING);
  signals[SIGNAL_REUSE_SETTINGS] = g_signal_new ("reuse-settings", FEN_TYPE_RUN_NOTICE, G_SIGNAL_RUN_LAST, 0,
                                                 NULL, NULL, NULL, G_TYPE_NONE, 0);
  gtk_widget_class_set_template_from_resource (widget, "/org/fenestra/Fenestra/run/fen-run-notice.ui");
  gtk_widget_class_set_css_name (widget, "fen-run-notice");
  gtk_widget_class_set_accessible_role (widget, GTK_ACCESSIBLE_ROLE_ALERT);
  gtk_widget_class_bind_template_child (widget, FenRunNotice, icon);
  gtk_widget_class_bind_template_child (widget, FenRunNotice, title);
  gtk_widget_class_bind_template_child (widget, FenRunNotice, reason);
  gtk_widget_class_bind_template_child (widget, FenRunNotice, advice);
  gtk_widget_class_bind_template_child (widget, FenRunNotice, suggestions);
  gtk_widget_class_bind_template_child (widget, FenRunNotice, tail_expander);
  gtk_widget_class_bind_template_child (widget, FenRunNotice, tail);
  gtk_widget_class_bind_template_child (widget, FenRunNotice, settings_button);
  gtk_widget_class_bind_template_callback (widget, on_change_settings);
}

static void
fen_run_notice_init (FenRunNotice *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}
