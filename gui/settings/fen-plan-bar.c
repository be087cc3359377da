/* fen-plan-bar.c: see fen-plan-bar.h. The drawing is FenPlanMeter; here are the words, the table of all parts behind a
 * button (a tooltip alone would need a pointer) and the accessible meter. While a new plan is being made, the old one
 * stays, marked as old: a bar that jumps to nothing at each keystroke could not be read. */
#include "gui/settings/fen-plan-bar.h"

#include <glib/gi18n.h>

#include "gui/settings/fen-plan-categories.h"
#include "gui/settings/fen-plan-meter-private.h"
#include "gui/settings/fen-words-private.h"

struct _FenPlanBar {
  GtkWidget parent;
  FenSettingsFacts *facts;
  FenPlanMeter *meter;
  GtkLabel *summary;
  GtkWidget *details;
  GtkGrid *legend;
};

G_DEFINE_FINAL_TYPE (FenPlanBar, fen_plan_bar, GTK_TYPE_WIDGET)

/* ---- words ---- */

static char *
summary_text (const FenPlanNumbers *numbers)
{
  g_autofree char *needed = fen_words_bytes (numbers->needed);
  g_autofree char *available = fen_words_bytes (numbers->available);
  FenMemoryCategory largest = fen_plan_numbers_largest (numbers);
  g_autofree char *part = fen_words_bytes (numbers->categories[largest]);
  const char *title = fen_memory_category_title (largest);
  if (numbers->total == 0)
    /* TRANSLATORS: planned bytes, then the largest part's name and bytes. */
    return g_strdup_printf (_ ("Planned %s; largest part: %s, %s"), needed, title, part);
  if (numbers->fits)
    return g_strdup_printf (
        numbers->is_cpu
            /* TRANSLATORS: planned bytes, available bytes, the largest part's name and bytes. */
            ? _ ("Planned %s of %s available RAM; largest part: %s, %s")
            : _ ("Planned %s of %s available device memory; largest part: %s, %s"),
        needed, available, title, part);
  return g_strdup_printf (
      numbers->is_cpu
          /* TRANSLATORS: planned bytes, available bytes, the largest part's name and bytes. */
          ? _ ("Does not fit: planned %s, %s of RAM available; largest part: %s, %s")
          : _ ("Does not fit: planned %s, %s of device memory available; largest part: %s, %s"),
      needed, available, title, part);
}

static void
add_legend_row (FenPlanBar *self, int row, GtkWidget *swatch, const char *title, guint64 bytes)
{
  g_autofree char *amount = fen_words_bytes (bytes);
  GtkWidget *name = gtk_label_new (title), *value = gtk_label_new (amount);
  gtk_label_set_xalign (GTK_LABEL (name), 0);
  gtk_label_set_xalign (GTK_LABEL (value), 1);
  gtk_widget_set_hexpand (name, TRUE);
  gtk_widget_add_css_class (value, "numeric");
  if (swatch != NULL)
    gtk_grid_attach (self->legend, swatch, 0, row, 1, 1);
  gtk_grid_attach (self->legend, name, 1, row, 1, 1);
  gtk_grid_attach (self->legend, value, 2, row, 1, 1);
}

static void
fill_legend (FenPlanBar *self, const FenPlanNumbers *numbers)
{
  GtkWidget *child;
  int row = 0;
  while ((child = gtk_widget_get_first_child (GTK_WIDGET (self->legend))) != NULL)
    gtk_grid_remove (self->legend, child);
  for (guint i = 0; i < FEN_N_MEMORY_CATEGORIES; i++)
    if (numbers->categories[i] > 0)
      add_legend_row (self, row++, fen_plan_swatch_new (i), fen_memory_category_title (i),
                      numbers->categories[i]);
  if (numbers->unused > 0)
    add_legend_row (self, row++, NULL, _ ("Gaps"), numbers->unused);
  add_legend_row (self, row++, NULL, _ ("Planned in All"), numbers->needed);
  if (numbers->host > 0)
    add_legend_row (self, row++, NULL, _ ("Planned Host Memory"), numbers->host);
  if (numbers->total == 0)
    return;
  add_legend_row (self, row++, NULL, _ ("Available to the Run"), numbers->available);
  add_legend_row (self, row++, NULL, numbers->is_cpu ? _ ("RAM of This Machine") : _ ("Memory of the Device"),
                  numbers->total);
}

/* One line a part, for the pointer. */
static char *
tooltip_text (const FenPlanNumbers *numbers)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < FEN_N_MEMORY_CATEGORIES; i++)
    {
      g_autofree char *amount = fen_words_bytes (numbers->categories[i]);
      if (numbers->categories[i] == 0)
        continue;
      if (text->len > 0)
        g_string_append_c (text, '\n');
      /* TRANSLATORS: a kind of memory and its bytes. */
      g_string_append_printf (text, _ ("%s: %s"), fen_memory_category_title (i), amount);
    }
  return g_string_free (text, FALSE);
}

static void
set_error (FenPlanBar *self, gboolean error)
{
  if (error)
    gtk_widget_add_css_class (GTK_WIDGET (self), "error");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self), "error");
}

static void
set_text (FenPlanBar *self, const char *text, double now, double max)
{
  gtk_label_set_text (self->summary, text);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->meter), GTK_ACCESSIBLE_PROPERTY_VALUE_MIN, 0.0,
                                  GTK_ACCESSIBLE_PROPERTY_VALUE_MAX, max, GTK_ACCESSIBLE_PROPERTY_VALUE_NOW,
                                  now, GTK_ACCESSIBLE_PROPERTY_VALUE_TEXT, text, -1);
}

static void
show_plan (FenPlanBar *self, const FenPlan *plan)
{
  FenPlanNumbers numbers;
  fen_plan_numbers_init (&numbers, plan);
  fen_settings_facts_get_device (self->facts, &numbers.available, &numbers.total, &numbers.is_cpu);
  g_autofree char *summary = summary_text (&numbers);
  g_autofree char *tooltip = tooltip_text (&numbers);
  if (numbers.host > 0)
    {
      g_autofree char *host = fen_words_bytes (numbers.host);
      g_autofree char *both = g_strdup_printf (_ ("%s. Planned host memory: %s"), summary, host);
      g_free (summary);
      summary = g_steal_pointer (&both);
    }
  fen_plan_meter_set_numbers (self->meter, &numbers);
  fill_legend (self, &numbers);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->meter), tooltip);
  gtk_widget_set_sensitive (self->details, TRUE);
  set_error (self, !numbers.fits);
  set_text (self, summary, (double)numbers.needed, (double)MAX (numbers.total, numbers.needed));
}

static void
show_none (FenPlanBar *self, const char *text, gboolean error)
{
  fen_plan_meter_set_numbers (self->meter, NULL);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->meter), NULL);
  gtk_widget_set_sensitive (self->details, FALSE);
  set_error (self, error);
  set_text (self, text, 0, 1);
}

static void
update (FenPlanBar *self)
{
  gboolean busy = fen_settings_facts_is_busy (self->facts);
  FenPlan *plan = fen_settings_facts_get_plan (self->facts);
  const char *error = fen_settings_facts_get_plan_error (self->facts, NULL);
  gtk_widget_set_opacity (GTK_WIDGET (self->meter), busy ? 0.5 : 1.0);
  gtk_accessible_update_state (GTK_ACCESSIBLE (self->meter), GTK_ACCESSIBLE_STATE_BUSY, busy, -1);
  if (plan != NULL)
    show_plan (self, plan);
  else if (error != NULL)
    /* The setting that is to blame and the line above Start say why.
     * TRANSLATORS: It takes the place of the planned bytes. */
    show_none (self, _ ("No plan for these settings"), TRUE);
  else if (busy)
    {
      /* Keeps what it showed: the next plan is there within a moment. */
      if (*gtk_label_get_text (self->summary) == '\0')
        show_none (self, _ ("Planning the memory…"), FALSE);
    }
  else
    show_none (self, _ ("The memory is not planned yet"), FALSE);
}

/* ---- object ---- */

static void
fen_plan_bar_dispose (GObject *object)
{
  FenPlanBar *self = FEN_PLAN_BAR (object);
  GtkWidget *child;
  if (self->facts != NULL)
    g_signal_handlers_disconnect_by_data (self->facts, self);
  gtk_widget_dispose_template (GTK_WIDGET (self), FEN_TYPE_PLAN_BAR);
  while ((child = gtk_widget_get_first_child (GTK_WIDGET (self))) != NULL)
    gtk_widget_unparent (child);
  g_clear_object (&self->facts);
  G_OBJECT_CLASS (fen_plan_bar_parent_class)->dispose (object);
}

static void
fen_plan_bar_class_init (FenPlanBarClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  G_OBJECT_CLASS (klass)->dispose = fen_plan_bar_dispose;
  g_type_ensure (FEN_TYPE_PLAN_METER);
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/org/fenestra/Fenestra/settings/fen-plan-bar.ui");
  gtk_widget_class_bind_template_child (widget_class, FenPlanBar, meter);
  gtk_widget_class_bind_template_child (widget_class, FenPlanBar, summary);
  gtk_widget_class_bind_template_child (widget_class, FenPlanBar, details);
  gtk_widget_class_bind_template_child (widget_class, FenPlanBar, legend);
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BOX_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "fen-plan-bar");
}

static void
fen_plan_bar_init (FenPlanBar *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
fen_plan_bar_new (FenSettingsFacts *facts)
{
  g_return_val_if_fail (FEN_IS_SETTINGS_FACTS (facts), NULL);
  FenPlanBar *self = g_object_new (FEN_TYPE_PLAN_BAR, "hexpand", TRUE, NULL);
  self->facts = g_object_ref (facts);
  g_signal_connect_object (facts, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  update (self);
  return GTK_WIDGET (self);
}
