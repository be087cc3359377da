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

#define PART_OTHERS (1u << FEN_N_MEMORY_CATEGORIES)
#define PART_OWN (1u << (FEN_N_MEMORY_CATEGORIES + 1))

static gboolean
is_measured (FenRunData *data, FenCurve curve)
{
  return fen_series_length (fen_run_data_series (data, curve)) > 0;
}

/* Which categories the plan gives memory to, whether this process' share is known and others' use is shown, as bits. */
static guint
memory_parts (const FenSample *sample, FenRunData *data, const FenRunMemory *memory)
{
  guint parts = 0;
  for (guint i = 0; i < FEN_N_MEMORY_CATEGORIES; i++)
    if (sample->category_bytes[i] > 0)
      parts |= 1u << i;
  if (is_near (memory, memory->others) && is_measured (data, FEN_CURVE_DEVICE_OTHERS))
    parts |= PART_OTHERS;
  if (is_measured (data, FEN_CURVE_DEVICE_PROCESS))
    parts |= PART_OWN;
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
  /* The driver of a card may not tell whose the memory is: then it is everybody's. */
  if (memory->is_host)
    fen_chart_add_series (chart, _ ("In use by this run"), fen_run_data_series (self->data, FEN_CURVE_RSS),
                          FEN_CHART_LINE, 0);
  else if ((parts & PART_OWN) != 0)
    fen_chart_add_series (chart, _ ("In use by this run"),
                          fen_run_data_series (self->data, FEN_CURVE_DEVICE_PROCESS), FEN_CHART_LINE, 0);
  else
    fen_chart_add_series (chart, _ ("In use by all"), fen_run_data_series (self->data, FEN_CURVE_DEVICE_USED),
                          FEN_CHART_LINE, 0);
  if ((parts & PART_OTHERS) != 0)
    fen_chart_add_series (chart, _ ("Other processes"),
                          fen_run_data_series (self->data, FEN_CURVE_DEVICE_OTHERS), FEN_CHART_LINE, 1);
}

static char *
bytes_text (guint64 bytes, gboolean known)
{
  return fen_unit_format (FEN_UNIT_BYTES, known ? (double)bytes : NAN);
}

/* Whose the memory is that is not this run's is known with this run's share. */
static char *
memory_words (const FenRunMemory *memory)
{
  const gboolean whose = memory->used > 0;
  g_autofree char *planned = bytes_text (memory->planned, memory->planned > 0);
  g_autofree char *used = bytes_text (memory->used, whose);
  g_autofree char *others = bytes_text (memory->others, whose);
  g_autofree char *all = bytes_text (memory->all, memory->all > 0);
  g_autofree char *total = bytes_text (memory->total, memory->total > 0);
  if (memory->is_host)
    /* TRANSLATORS: four amounts of memory. */
    return g_strdup_printf (_ ("Planned %s · in use %s · other programs %s · RAM %s"), planned, used, others,
                            total);
  if (!whose && memory->all > 0)
    /* TRANSLATORS: three amounts of memory. */
    return g_strdup_printf (_ ("Planned %s · in use by all programs %s · GPU memory %s"), planned, all,
                            total);
  /* TRANSLATORS: four amounts of memory. */
  return g_strdup_printf (_ ("Planned %s · in use %s · other programs %s · GPU memory %s"), planned, used,
                          others, total);
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
  fen_chart_set_level (self->charts[CHART_MEMORY], _ ("Planned"),
                       memory.planned > 0 ? (double)memory.planned : NAN);
  fen_chart_set_level (self->charts[CHART_MEMORY], _ ("Total"),
                       is_near (&memory, memory.total) ? (double)memory.total : NAN);
  g_autofree char *text = memory_words (&memory);
  if (!g_str_equal (gtk_label_get_text (GTK_LABEL (self->memory_text)), text))
    gtk_label_set_text (GTK_LABEL (self->memory_text), text);
}
