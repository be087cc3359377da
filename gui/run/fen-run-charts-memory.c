/* fen-run-charts-memory.c: the memory chart: what the plan gives to each category, stacked, under the line of what was
 * planned in all, beside what is measured.
 *
 * Categories are the plan's (the engine places every buffer there); use by this run and by others is measured. The
 * legend says which is which.
 */
#include "gui/run/fen-run-charts-parts-private.h"

#include "gui/run/fen-run-figures-private.h"
#include "gui/settings/fen-plan-categories.h"

#include <glib/gi18n.h>
#include <math.h>

/* Would the run's own memory still be seen beside this amount? */
static gboolean
is_near (const FenRunMemory *memory, guint64 bytes)
{
  return bytes > 0 && bytes / 4 < MAX (memory->used, memory->planned);
}

/* Which categories the plan gives memory to, and whether others' use is shown, as bits. */
static guint
memory_parts (const FenSample *sample, FenRunData *data, const FenRunMemory *memory)
{
  guint parts = 0;
  for (guint i = 0; i < FEN_N_MEMORY_CATEGORIES; i++)
    if (sample->category_bytes[i] > 0)
      parts |= 1u << i;
  if (is_near (memory, memory->others)
      && fen_series_length (fen_run_data_series (data, FEN_CURVE_DEVICE_OTHERS)) > 0)
    parts |= 1u << FEN_N_MEMORY_CATEGORIES;
  return parts;
}

/* The memory chart's title says whose memory it is, which the first plan or measurement tells. */
static void
name_memory (FenRunCharts *self, const FenRunMemory *memory)
{
  const char *title = !memory->known ? _ ("Memory") : memory->is_host ? _ ("RAM") : _ ("GPU Memory");
  if (g_str_equal (fen_chart_get_title (self->charts[CHART_MEMORY]), title))
    return;
  gtk_box_remove (GTK_BOX (self->frames[CHART_MEMORY]), GTK_WIDGET (self->charts[CHART_MEMORY]));
  gtk_box_prepend (GTK_BOX (self->frames[CHART_MEMORY]),
                   fen_run_charts_make_chart (self, CHART_MEMORY, title));
  self->memory_parts = G_MAXUINT;
  fen_run_charts_clear_markers (self);
}

static void
choose_memory (FenRunCharts *self, const FenRunMemory *memory)
{
  const FenSample *sample = fen_run_data_last (self->data, FEN_SAMPLE_MEMORY);
  FenChart *chart = self->charts[CHART_MEMORY];
  const guint parts = sample != NULL ? memory_parts (sample, self->data, memory) : G_MAXUINT;
  if (parts == self->memory_parts)
    return;
  self->memory_parts = parts;
  fen_chart_clear_series (chart);
  if (sample == NULL)
    return;
  for (guint i = 0; i < FEN_N_MEMORY_CATEGORIES; i++)
    if ((parts & (1u << i)) != 0)
      fen_chart_add_series (chart, fen_memory_category_title (i),
                            fen_run_data_series (self->data, FEN_CURVE_MEMORY + i), FEN_CHART_STACKED,
                            fen_memory_category_color (i));
  if (memory->is_host)
    fen_chart_add_series (chart, _ ("In use by this run"), fen_run_data_series (self->data, FEN_CURVE_RSS),
                          FEN_CHART_LINE, 0);
  else
    fen_chart_add_series (chart, _ ("In use by all"), fen_run_data_series (self->data, FEN_CURVE_DEVICE_USED),
                          FEN_CHART_LINE, 0);
  if ((parts & (1u << FEN_N_MEMORY_CATEGORIES)) != 0)
    fen_chart_add_series (chart, _ ("Other processes"),
                          fen_run_data_series (self->data, FEN_CURVE_DEVICE_OTHERS), FEN_CHART_LINE, 1);
}

/* The lines of what was planned and of what there is. The total and others' use are left out where the run's own memory
 * would lie flat under them; the text says them anyway. */
void
fen_run_charts_show_memory (FenRunCharts *self)
{
  FenRunMemory memory;
  fen_run_memory_look (self->session, &memory);
  name_memory (self, &memory);
  choose_memory (self, &memory);
  const double planned = memory.planned > 0 ? (double)memory.planned : NAN;
  fen_chart_set_level (self->charts[CHART_MEMORY], _ ("Planned"), planned);
  fen_chart_set_level (self->charts[CHART_MEMORY], _ ("Total"),
                       is_near (&memory, memory.total) ? (double)memory.total : NAN);
  g_autofree char *planned_text = fen_unit_format (FEN_UNIT_BYTES, planned);
  g_autofree char *used = fen_unit_format (FEN_UNIT_BYTES, memory.used > 0 ? (double)memory.used : NAN);
  g_autofree char *others = fen_unit_format (FEN_UNIT_BYTES, memory.others > 0 ? (double)memory.others : NAN);
  g_autofree char *total = fen_unit_format (FEN_UNIT_BYTES, memory.total > 0 ? (double)memory.total : NAN);
  g_autofree char *text
      = memory.is_host
            /* TRANSLATORS: four amounts of memory. */
            ? g_strdup_printf (_ ("Planned %s · in use %s · other programs %s · RAM %s"), planned_text, used,
                               others, total)
            /* TRANSLATORS: four amounts of memory. */
            : g_strdup_printf (_ ("Planned %s · in use %s · other programs %s · GPU memory %s"), planned_text,
                               used, others, total);
  if (!g_str_equal (gtk_label_get_text (GTK_LABEL (self->memory_text)), text))
    gtk_label_set_text (GTK_LABEL (self->memory_text), text);
}
