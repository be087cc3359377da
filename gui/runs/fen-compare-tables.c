/* fen-compare-tables.c: key figures and different settings of several runs (see fen-compare-tables-private.h). */
#include "gui/runs/fen-compare-tables-private.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "gui/chart/fen-chart.h"
#include "gui/run/fen-run-page.h"

#define NOTHING "–"

/* ---- key figures ---- */

static char *
state_cell (FenRunSession *session)
{
  const FenRunInfo *info = fen_run_session_get_info (session);
  return g_strdup (info != NULL ? fen_run_status_title (info->status) : NOTHING);
}

static char *
steps_cell (FenRunSession *session)
{
  FenTrainerStatus status;
  fen_run_session_status (session, &status);
  g_autofree char *step = fen_format_count (status.step), *steps = fen_format_count (status.steps);
  /* TRANSLATORS: steps done and steps wanted: "1,240 of 10,000". */
  return g_strdup_printf (_ ("%s of %s"), step, steps);
}

static char *
loss_cell (FenRunSession *session)
{
  const FenSample *train = fen_run_data_last (fen_run_session_get_data (session), FEN_SAMPLE_TRAIN);
  return fen_unit_format (FEN_UNIT_NUMBER, train != NULL ? train->loss : NAN);
}

static char *
eval_cell (FenRunSession *session)
{
  const FenSample *eval = fen_run_data_last (fen_run_session_get_data (session), FEN_SAMPLE_EVAL);
  return fen_unit_format (FEN_UNIT_NUMBER, eval != NULL ? eval->loss : NAN);
}

/* The median: warm-up and pauses do not count. */
static char *
speed_cell (FenRunSession *session)
{
  const FenSeries *series
      = fen_run_data_series (fen_run_session_get_data (session), FEN_CURVE_TOKENS_PER_SECOND);
  double value = NAN;
  if (!fen_series_quantile (series, 0, fen_series_length (series), 0.5, &value))
    value = NAN;
  return fen_unit_format (FEN_UNIT_RATE, value);
}

/* What the run itself took of its device where that was measured, otherwise its process' peak in RAM. What other programs
 * take is not a run's merit. */
static char *
memory_cell (FenRunSession *session)
{
  FenRunData *data = fen_run_session_get_data (session);
  const FenSample *memory = fen_run_data_last (data, FEN_SAMPLE_MEMORY);
  const FenSeries *series = fen_run_data_series (data, FEN_CURVE_DEVICE_PROCESS);
  double least, peak = NAN;
  if (fen_series_min_max (series, 0, fen_series_length (series), &least, &peak))
    return fen_unit_format (FEN_UNIT_BYTES, peak);
  if (memory != NULL && memory->has_host)
    {
      g_autofree char *bytes = fen_unit_format (FEN_UNIT_BYTES, (double)memory->process_peak_bytes);
      /* TRANSLATORS: an amount of memory: "1.2 GiB of RAM". */
      return g_strdup_printf (_ ("%s of RAM"), bytes);
    }
  return g_strdup (NOTHING);
}

static char *
time_cell (FenRunSession *session)
{
  const FenSeries *loss = fen_run_data_series (fen_run_session_get_data (session), FEN_CURVE_LOSS);
  const gsize length = fen_series_length (loss);
  return length > 0 ? fen_format_duration (fen_series_x (loss, FEN_AXIS_RELATIVE, length - 1))
                    : g_strdup (NOTHING);
}

static const struct {
  const char *title; /* N_ */
  char *(*cell) (FenRunSession *session);
} figures[] = {
  { N_ ("State"), state_cell },
  { N_ ("Steps"), steps_cell },
  { N_ ("Last loss"), loss_cell },
  { N_ ("Last evaluation loss"), eval_cell },
  { N_ ("Speed (median)"), speed_cell },
  { N_ ("Peak memory"), memory_cell },
  { N_ ("Time"), time_cell },
};

GPtrArray *
fen_compare_figures (GPtrArray *sessions)
{
  GPtrArray *rows = g_ptr_array_new_with_free_func ((GDestroyNotify)g_strfreev);
  for (gsize i = 0; i < G_N_ELEMENTS (figures); i++)
    {
      char **row = g_new0 (char *, sessions->len + 2);
      row[0] = g_strdup (_ (figures[i].title));
      for (guint k = 0; k < sessions->len; k++)
        row[k + 1] = figures[i].cell (sessions->pdata[k]);
      g_ptr_array_add (rows, row);
    }
  return rows;
}

/* ---- settings ---- */

static char *
setting_cell (const FenConfig *config, const FenOption *option)
{
  if (config == NULL)
    return g_strdup (NOTHING);
  g_autofree char *text = fen_config_get_text (config, option);
  if (option->type == FEN_OPTION_BOOLEAN)
    return g_strdup (*(const gboolean *)((const char *)config + option->offset) ? _ ("On") : _ ("Off"));
  if (option->zero_means != NULL && strcmp (text, "0") == 0)
    return g_strdup (_ (option->zero_means));
  if (option->type == FEN_OPTION_BYTES)
    return fen_unit_format (FEN_UNIT_BYTES,
                            (double)*(const guint64 *)((const char *)config + option->offset));
  return *text != '\0' ? fen_config_get_words (config, option, FEN_WORDS_TITLES) : g_strdup (NOTHING);
}

/* Where a run's files lie changes nothing of what it computes, and what it is called stands above its column. */
static gboolean
is_place (const FenOption *option)
{
  return option->group == FEN_GROUP_OUTPUT
         && (option->type == FEN_OPTION_STRING || option->type == FEN_OPTION_FILE);
}

static gboolean
differs (GPtrArray *sessions, const FenOption *option)
{
  g_autofree char *first = NULL;
  for (guint i = 0; i < sessions->len; i++)
    {
      const FenConfig *config = fen_run_session_get_config (sessions->pdata[i]);
      g_autofree char *text = config != NULL ? fen_config_get_text (config, option) : NULL;
      if (text != NULL && first != NULL && strcmp (first, text) != 0)
        return TRUE;
      if (first == NULL)
        first = g_steal_pointer (&text);
    }
  return FALSE;
}

GPtrArray *
fen_compare_settings (GPtrArray *sessions, guint *known)
{
  GPtrArray *rows = g_ptr_array_new_with_free_func ((GDestroyNotify)g_strfreev);
  *known = 0;
  for (guint i = 0; i < sessions->len; i++)
    *known += fen_run_session_get_config (sessions->pdata[i]) != NULL;
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    {
      if (is_place (option) || !differs (sessions, option))
        continue;
      char **row = g_new0 (char *, sessions->len + 2);
      row[0] = g_strdup (_ (option->title));
      for (guint i = 0; i < sessions->len; i++)
        row[i + 1] = setting_cell (fen_run_session_get_config (sessions->pdata[i]), option);
      g_ptr_array_add (rows, row);
    }
  return rows;
}

/* ---- a grid of labels ---- */

static void
set_cell (GtkGrid *grid, int column, int row, const char *text)
{
  GtkWidget *label = gtk_grid_get_child_at (grid, column, row);
  if (label == NULL)
    {
      label = gtk_label_new (NULL);
      gtk_label_set_xalign (GTK_LABEL (label), 0);
      gtk_label_set_ellipsize (GTK_LABEL (label), column > 0 ? PANGO_ELLIPSIZE_MIDDLE : PANGO_ELLIPSIZE_NONE);
      gtk_label_set_max_width_chars (GTK_LABEL (label), 32);
      gtk_label_set_selectable (GTK_LABEL (label), column > 0 && row > 0);
      gtk_widget_add_css_class (label, row == 0 ? "heading" : column == 0 ? "dim-label" : "numeric");
      gtk_grid_attach (grid, label, column, row, 1, 1);
    }
  if (strcmp (gtk_label_get_text (GTK_LABEL (label)), text) == 0)
    return;
  gtk_label_set_text (GTK_LABEL (label), text);
  gtk_widget_set_tooltip_text (label, text);
}

void
fen_compare_fill_grid (GtkGrid *grid, char **header, GPtrArray *rows)
{
  const guint n = g_strv_length (header);
  while (gtk_grid_get_child_at (grid, 0, (int)rows->len + 1) != NULL)
    gtk_grid_remove_row (grid, (int)rows->len + 1);
  while (gtk_grid_get_child_at (grid, (int)n, 0) != NULL)
    gtk_grid_remove_column (grid, (int)n);
  for (guint i = 0; i < n; i++)
    set_cell (grid, (int)i, 0, header[i]);
  for (guint k = 0; k < rows->len; k++)
    for (guint i = 0; i < n; i++)
      set_cell (grid, (int)i, (int)k + 1, ((char **)rows->pdata[k])[i]);
  gtk_widget_set_visible (GTK_WIDGET (grid), rows->len > 0);
}
