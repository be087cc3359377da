/* fen-advice-box.c: see fen-advice-box-private.h. The rules are core's (fen-advice.h); here they become sentences. */
#include "gui/settings/fen-advice-box-private.h"

#include <glib/gi18n.h>

#include "core/config/fen-advice.h"
#include "gui/settings/fen-mask-view.h"
#include "gui/settings/fen-words-private.h"

struct _FenAdviceBox {
  GtkWidget parent;
  GtkBox *box, *place;
  GtkLabel *caption, *window_advice, *method_advice, *followed;
  GtkDropDown *task;
  GtkButton *use;
  FenMaskView *mask;
  FenSettings *settings;
  FenSettingsFacts *facts;
  FenConfig *proposal; /* the settings with the advice applied */
};

G_DEFINE_FINAL_TYPE (FenAdviceBox, fen_advice_box, GTK_TYPE_WIDGET)

/* ---- words ---- */

static char *
window_text (const FenAdvice *advice)
{
  const char *reason = _ (advice->window_reason);
  g_autofree char *window = fen_words_number (advice->window_size);
  g_autofree char *min = fen_words_number (advice->window_min);
  g_autofree char *max = fen_words_number (advice->window_max);
  if (advice->window_size == 0)
    /* TRANSLATORS: %s is the reason, a clause without a full stop. */
    return g_strdup_printf (_ ("No window: %s."), reason);
  if (advice->window_min < advice->window_max)
    /* TRANSLATORS: a number of tokens, the least and the greatest that are reasonable, and the reason. */
    return g_strdup_printf (_ ("A window of %s tokens (%s to %s): %s."), window, min, max, reason);
  return g_strdup_printf (_ ("A window of %s tokens: %s."), window, reason);
}

static char *
method_text (const FenAdvice *advice, gboolean fits_as_is)
{
  const char *reason = _ (advice->method_reason);
  g_autofree char *chunk = fen_words_number (advice->chunk_size);
  if (fits_as_is)
    return g_strdup_printf (
        _ ("FlashAttn-2 alone: by the plan for this machine the whole row fits as it is, although "
           "chunks of %s tokens are the rule at this length."),
        chunk);
  if (advice->use_chunked_training)
    return g_strdup_printf (_ ("FlashAttn-2 with chunks of %s tokens: %s."), chunk, reason);
  if (advice->chunking_optional)
    return g_strdup_printf (_ ("FlashAttn-2 alone, or with chunks of %s tokens: %s."), chunk, reason);
  return g_strdup_printf (_ ("FlashAttn-2 alone: %s."), reason);
}

/* ---- advice ---- */

/* Whether the settings, as they are, are planned to fit without chunks where the rule would take some. */
static gboolean
plan_is_better (FenAdviceBox *self, const FenAdvice *advice)
{
  const FenConfig *config = fen_settings_get_config (self->settings);
  return advice->use_chunked_training && !config->use_chunked_training
         && fen_settings_facts_get_plan (self->facts) != NULL
         && fen_settings_facts_get_plan_error (self->facts, NULL) == NULL;
}

static gboolean
differs (const FenConfig *a, const FenConfig *b, const FenOption *option)
{
  g_autofree char *left = fen_config_get_text (a, option), *right = fen_config_get_text (b, option);
  return !g_str_equal (left, right);
}

static gboolean
is_new (FenAdviceBox *self)
{
  const FenConfig *config = fen_settings_get_config (self->settings);
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    if (differs (config, self->proposal, option))
      return TRUE;
  return FALSE;
}

static void
update (FenAdviceBox *self)
{
  if (self->settings == NULL)
    return;
  guint64 available = 0, total = 0;
  gboolean is_cpu = FALSE;
  FenAdvice advice;
  const FenConfig *config = fen_settings_get_config (self->settings);
  fen_settings_facts_get_device (self->facts, &available, &total, &is_cpu);
  fen_advice_for (config->max_seq_len, (FenAdviceTask)gtk_drop_down_get_selected (self->task), total,
                  &advice);
  gboolean better = plan_is_better (self, &advice);
  g_autofree char *window = window_text (&advice), *method = method_text (&advice, better);
  if (better)
    advice.use_chunked_training = FALSE;
  g_clear_pointer (&self->proposal, fen_config_free);
  self->proposal = fen_config_copy (config);
  fen_advice_apply (&advice, self->proposal);
  gboolean news = is_new (self);
  gtk_label_set_text (self->window_advice, window);
  gtk_label_set_text (self->method_advice, method);
  gtk_widget_set_visible (GTK_WIDGET (self->followed), !news);
  gtk_label_set_text (self->caption, fen_mask_view_get_description (self->mask));
  gtk_widget_set_sensitive (GTK_WIDGET (self->use), news);
}

/* One option at a time: what was typed elsewhere stays. */
static void
on_use (FenAdviceBox *self)
{
  g_autoptr (FenConfig) proposal = fen_config_copy (self->proposal);
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    if (differs (fen_settings_get_config (self->settings), proposal, option))
      {
        g_autofree char *text = fen_config_get_text (proposal, option);
        fen_settings_set_text (self->settings, option, text);
      }
}

/* ---- object ---- */

static void
fen_advice_box_dispose (GObject *object)
{
  FenAdviceBox *self = FEN_ADVICE_BOX (object);
  GtkWidget *child;
  if (self->settings != NULL)
    g_signal_handlers_disconnect_by_data (self->settings, self);
  if (self->facts != NULL)
    g_signal_handlers_disconnect_by_data (self->facts, self);
  gtk_widget_dispose_template (GTK_WIDGET (self), FEN_TYPE_ADVICE_BOX);
  while ((child = gtk_widget_get_first_child (GTK_WIDGET (self))) != NULL)
    gtk_widget_unparent (child);
  g_clear_object (&self->settings);
  g_clear_object (&self->facts);
  G_OBJECT_CLASS (fen_advice_box_parent_class)->dispose (object);
}

static void
fen_advice_box_finalize (GObject *object)
{
  g_clear_pointer (&FEN_ADVICE_BOX (object)->proposal, fen_config_free);
  G_OBJECT_CLASS (fen_advice_box_parent_class)->finalize (object);
}

static void
fen_advice_box_class_init (FenAdviceBoxClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = fen_advice_box_dispose;
  G_OBJECT_CLASS (klass)->finalize = fen_advice_box_finalize;
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/org/fenestra/Fenestra/settings/fen-advice-box.ui");
  gtk_widget_class_bind_template_child (widget_class, FenAdviceBox, box);
  gtk_widget_class_bind_template_child (widget_class, FenAdviceBox, place);
  gtk_widget_class_bind_template_child (widget_class, FenAdviceBox, caption);
  gtk_widget_class_bind_template_child (widget_class, FenAdviceBox, window_advice);
  gtk_widget_class_bind_template_child (widget_class, FenAdviceBox, method_advice);
  gtk_widget_class_bind_template_child (widget_class, FenAdviceBox, followed);
  gtk_widget_class_bind_template_child (widget_class, FenAdviceBox, task);
  gtk_widget_class_bind_template_child (widget_class, FenAdviceBox, use);
  gtk_widget_class_bind_template_callback (widget_class, update);
  gtk_widget_class_bind_template_callback (widget_class, on_use);
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
}

static void
fen_advice_box_init (FenAdviceBox *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
fen_advice_box_new (FenSettings *settings, FenSettingsFacts *facts)
{
  FenAdviceBox *self = g_object_new (FEN_TYPE_ADVICE_BOX, NULL);
  self->settings = g_object_ref (settings);
  self->facts = g_object_ref (facts);
  self->mask = FEN_MASK_VIEW (fen_mask_view_new (settings));
  gtk_box_append (self->place, GTK_WIDGET (self->mask));
  g_signal_connect_object (settings, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (facts, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  update (self);
  return GTK_WIDGET (self);
}
