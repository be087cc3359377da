/* fen-run-figures.c: loss, evaluation, speed, tokens and memory in large type.
 *
 * Under each number stands where it comes from, because a planned number beside a measured one must not be taken for
 * one.
 */
#include "gui/run/fen-run-figures-private.h"

#include "gui/chart/fen-chart.h"
#include "gui/compat/fen-columns-layout.h"
#include "gui/run/fen-run-page.h"

#include <glib/gi18n.h>
#include <math.h>

typedef enum { LOSS, EVAL_LOSS, SPEED, TOKENS, PLANNED, MEASURED, N_FIGURES } Figure;

struct _FenRunFigures {
  GtkWidget parent_instance;

  GtkWidget *title[N_FIGURES], *value[N_FIGURES], *note[N_FIGURES];
};

G_DEFINE_FINAL_TYPE (FenRunFigures, fen_run_figures, GTK_TYPE_WIDGET)

/* ---- memory ---- */

/* On the CPU the trainer reports its own resident size as the device's process, so that tells where no plan does. */
static void
look_at_sample (const FenSample *sample, FenRunMemory *memory)
{
  const gboolean host_process = sample->has_device_process && sample->has_host
                                && sample->device_process_bytes == sample->process_rss_bytes;
  if (!memory->known)
    {
      memory->known = sample->has_device || sample->has_host;
      memory->is_host = host_process || (sample->has_host && !sample->has_device);
    }
  if (memory->is_host && sample->has_host)
    {
      const guint64 busy
          = sample->host_total_bytes - MIN (sample->host_available_bytes, sample->host_total_bytes);
      memory->used = sample->process_rss_bytes;
      memory->peak = sample->process_peak_bytes;
      memory->others = busy - MIN (sample->process_rss_bytes, busy);
      memory->total = sample->host_total_bytes;
    }
  else if (!memory->is_host && sample->has_device)
    {
      memory->total = sample->device_total_bytes;
      memory->all = sample->device_used_bytes;
      /* Without the driver's help nobody knows whose the used memory is: then it is not called this process'. */
      memory->used = sample->has_device_process ? sample->device_process_bytes : 0;
      memory->others
          = sample->has_device_process
                ? sample->device_used_bytes - MIN (sample->device_process_bytes, sample->device_used_bytes)
                : 0;
    }
}

/* A card's driver tells what is used now; the largest amount is that of all measurements. */
static guint64
peak_on_device (FenRunData *data)
{
  const FenSeries *series = fen_run_data_series (data, FEN_CURVE_DEVICE_PROCESS);
  double least, peak;
  return fen_series_min_max (series, 0, fen_series_length (series), &least, &peak) ? (guint64)peak : 0;
}

void
fen_run_memory_look (FenRunSession *session, FenRunMemory *memory)
{
  FenRunData *data = fen_run_session_get_data (session);
  FenPlan *plan = fen_run_session_get_plan (session);
  const FenSample *sample = data != NULL ? fen_run_data_last (data, FEN_SAMPLE_MEMORY) : NULL;
  *memory = (FenRunMemory){ 0 };
  if (plan != NULL)
    {
      const FenDeviceProperties *device = fen_plan_device (plan);
      memory->known = TRUE;
      memory->is_host = device->host_memory;
      memory->planned = fen_plan_needed_bytes (plan) + device->overhead_bytes;
      memory->total = device->total_bytes;
    }
  if (sample != NULL)
    look_at_sample (sample, memory);
  if (sample != NULL && !memory->is_host)
    memory->peak = peak_on_device (data);
}

/* ---- figures ---- */

static void
set_label (GtkWidget *label, const char *text)
{
  if (!g_str_equal (gtk_label_get_text (GTK_LABEL (label)), text))
    gtk_label_set_text (GTK_LABEL (label), text);
}

static void
show_number (FenRunFigures *self, Figure figure, FenUnit unit, double value, const char *note)
{
  g_autofree char *text = fen_unit_format (unit, value);
  set_label (self->value[figure], text);
  set_label (self->note[figure], isfinite (value) ? note : _ ("not measured yet"));
}

static char *
measured_at (gint64 step)
{
  g_autofree char *number = fen_format_count (step);
  /* TRANSLATORS: where a number comes from; %s is the training step. */
  return g_strdup_printf (_ ("measured at step %s"), number);
}

static void
show_losses (FenRunFigures *self, FenRunSession *session, const FenTrainerStatus *status)
{
  FenRunData *data = fen_run_session_get_data (session);
  const FenSample *train = data != NULL ? fen_run_data_last (data, FEN_SAMPLE_TRAIN) : NULL;
  const FenSample *eval = data != NULL ? fen_run_data_last (data, FEN_SAMPLE_EVAL) : NULL;
  g_autofree char *train_note = measured_at (train != NULL ? train->step : status->step);
  g_autofree char *eval_note = measured_at (eval != NULL ? eval->step : status->step);
  show_number (self, LOSS, FEN_UNIT_NUMBER, train != NULL ? train->loss : status->loss, train_note);
  show_number (self, EVAL_LOSS, FEN_UNIT_NUMBER, eval != NULL ? eval->loss : status->eval_loss, eval_note);
}

static void
show_memory (FenRunFigures *self, FenRunSession *session)
{
  FenRunMemory memory;
  fen_run_memory_look (session, &memory);
  set_label (self->title[PLANNED], !memory.known    ? _ ("Memory Needed")
                                   : memory.is_host ? _ ("RAM Needed")
                                                    : _ ("GPU Memory Needed"));
  set_label (self->title[MEASURED], !memory.known    ? _ ("Memory in Use")
                                    : memory.is_host ? _ ("RAM in Use")
                                                     : _ ("GPU Memory in Use"));
  show_number (self, PLANNED, FEN_UNIT_BYTES, memory.planned > 0 ? (double)memory.planned : NAN,
               _ ("planned"));
  if (memory.planned == 0)
    set_label (self->note[PLANNED], _ ("not planned yet"));
  g_autofree char *peak = fen_unit_format (FEN_UNIT_BYTES, (double)memory.peak);
  /* On the CPU that is the program's own memory too, which the plan cannot know.
   * TRANSLATORS: %s is the largest amount of memory so far. */
  g_autofree char *note
      = memory.peak > 0 ? g_strdup_printf (_ ("measured, whole program; at most %s"), peak) : NULL;
  if (memory.used == 0 && memory.all > 0)
    show_number (self, MEASURED, FEN_UNIT_BYTES, (double)memory.all, _ ("measured, all programs"));
  else
    show_number (self, MEASURED, FEN_UNIT_BYTES, memory.used > 0 ? (double)memory.used : NAN,
                 note != NULL ? note : _ ("measured"));
}

void
fen_run_figures_show (FenRunFigures *self, FenRunSession *session)
{
  FenTrainerStatus status;
  fen_run_session_status (session, &status);
  FenRunData *data = fen_run_session_get_data (session);
  const FenSample *train = data != NULL ? fen_run_data_last (data, FEN_SAMPLE_TRAIN) : NULL;
  /* Of a damaged folder the measurements may be all that is left. */
  g_autofree char *tokens = fen_format_count (MAX (status.tokens, train != NULL ? train->tokens : 0));
  show_losses (self, session, &status);
  show_number (self, SPEED, FEN_UNIT_RATE, status.tokens_per_second,
               fen_run_session_is_active (session) ? _ ("measured, recent steps")
                                                   : _ ("measured, last steps"));
  set_label (self->value[TOKENS], tokens);
  set_label (self->note[TOKENS], _ ("trained on so far"));
  show_memory (self, session);
}

/* ---- life ---- */

static GtkWidget *
add_label (GtkWidget *box, const char *text, const char *style)
{
  GtkWidget *label = gtk_label_new (text);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_widget_add_css_class (label, style);
  gtk_box_append (GTK_BOX (box), label);
  return label;
}

static void
fen_run_figures_dispose (GObject *object)
{
  GtkWidget *child;
  while ((child = gtk_widget_get_first_child (GTK_WIDGET (object))) != NULL)
    gtk_widget_unparent (child);
  G_OBJECT_CLASS (fen_run_figures_parent_class)->dispose (object);
}

static void
fen_run_figures_class_init (FenRunFiguresClass *class)
{
  G_OBJECT_CLASS (class)->dispose = fen_run_figures_dispose;
  gtk_widget_class_set_css_name (GTK_WIDGET_CLASS (class), "fen-run-figures");
  gtk_widget_class_set_accessible_role (GTK_WIDGET_CLASS (class), GTK_ACCESSIBLE_ROLE_GROUP);
}

static void
fen_run_figures_init (FenRunFigures *self)
{
  const char *const titles[N_FIGURES] = { _ ("Loss"),   _ ("Evaluation Loss"), _ ("Speed"),
                                          _ ("Tokens"), _ ("Memory Needed"),   _ ("Memory in Use") };
  gtk_widget_set_layout_manager (GTK_WIDGET (self), fen_columns_layout_new (150, N_FIGURES, 12));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Key figures"),
                                  -1);
  for (guint i = 0; i < N_FIGURES; i++)
    {
      GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 3);
      gtk_widget_add_css_class (box, "card");
      gtk_widget_add_css_class (box, "fen-figure");
      self->title[i] = add_label (box, titles[i], "caption-heading");
      self->value[i] = add_label (box, "–", "title-4");
      gtk_widget_add_css_class (self->value[i], "numeric");
      self->note[i] = add_label (box, "", "caption");
      gtk_widget_set_parent (box, GTK_WIDGET (self));
    }
}

GtkWidget *
fen_run_figures_new (void)
{
  return g_object_new (FEN_TYPE_RUN_FIGURES, NULL);
}
