/* fen-run-badge.c: the truth about a run's attention in words, from its plan. */
#include "gui/run/fen-run-session-private.h"

#include <glib/gi18n.h>
#include <math.h>

static const char *const dtype_names[] = { "fp32", "bf16", "fp16", "fp64" };

static char *
count_text (gint64 count)
{
  return g_strdup_printf ("%'" G_GINT64_FORMAT, count);
}

static void
add (GPtrArray *parts, char *part)
{
  g_ptr_array_add (parts, part);
}

static char *
join (GPtrArray *parts, const char *separator)
{
  g_ptr_array_add (parts, NULL);
  return g_strjoinv (separator, (char **)parts->pdata);
}

/* The widest window that any layer has and how many layers have a window at all. */
static gint64
widest_window (const FenPlanSettings *settings, gint64 *n_windowed)
{
  gint64 widest = 0;
  *n_windowed = 0;
  for (gint64 i = 0; i < settings->layers; i++)
    {
      *n_windowed += settings->layer_window[i] > 0;
      widest = MAX (widest, settings->layer_window[i]);
    }
  return widest;
}

static void
add_window (GPtrArray *parts, const FenPlanSettings *settings)
{
  gint64 n_windowed;
  g_autofree char *window = count_text (widest_window (settings, &n_windowed));
  g_autofree char *layers = count_text (settings->layers);
  if (n_windowed == 0)
    add (parts, g_strdup (_ ("full attention")));
  else if (n_windowed == settings->layers)
    /* TRANSLATORS: the sliding window of attention, in tokens */
    add (parts, g_strdup_printf (_ ("window %s"), window));
  else
    {
      g_autofree char *some = count_text (n_windowed);
      /* TRANSLATORS: window 512 in 6 of 12 layers (of the model) */
      add (parts, g_strdup_printf (_ ("window %s in %s of %s layers"), window, some, layers));
    }
  if (settings->sinks > 0)
    add (parts, g_strdup_printf (ngettext ("%d sink token", "%d sink tokens", (gulong)settings->sinks),
                                 (int)settings->sinks));
}

static void
add_reach (GPtrArray *parts, const FenPlan *plan, const FenPlanSettings *settings)
{
  gint64 n_windowed;
  const gint64 widest = widest_window (settings, &n_windowed);
  if (n_windowed < settings->layers)
    return;
  g_autofree char *window = count_text (widest);
  g_autofree char *reach = count_text (fen_plan_receptive_field (plan));
  add (parts, g_strdup_printf (ngettext ("each token sees %s token, itself included",
                                         "each token sees %s tokens, itself included", (gulong)widest),
                               window));
  /* TRANSLATORS: through all layers of the model, a token depends on this many tokens before it */
  add (parts, g_strdup_printf (
                  ngettext ("%d layer reaches back %s", "%d layers reach back %s", (gulong)settings->layers),
                  (int)settings->layers, reach));
}

char *
fen_run_session_badge_text (FenRunSession *self)
{
  g_return_val_if_fail (FEN_IS_RUN_SESSION (self), NULL);
  if (self->plan == NULL)
    return NULL;
  const FenPlanSettings *settings = fen_plan_settings (self->plan);
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_free);
  /* TRANSLATORS: %s is the technical name of the kernel that runs, as "cpu flash avx512" */
  add (parts, g_strdup_printf (settings->path == FEN_ATTENTION_FLASH ? _ ("FlashAttn-2 (%s)")
                                                                     : _ ("Plain attention (%s)"),
                               settings->attention_kernel));
  add (parts, g_strdup (dtype_names[settings->storage]));
  add_window (parts, settings);
  if (settings->n_chunks > 1)
    {
      g_autofree char *chunk = count_text (settings->chunk);
      /* TRANSLATORS: the context is worked on in chunks of so many tokens */
      add (parts, g_strdup_printf (_ ("chunks of %s"), chunk));
    }
  add_reach (parts, self->plan, settings);
  return join (parts, " · ");
}

char *
fen_run_session_badge_details (FenRunSession *self)
{
  g_return_val_if_fail (FEN_IS_RUN_SESSION (self), NULL);
  if (self->plan == NULL)
    return NULL;
  const FenPlanSettings *settings = fen_plan_settings (self->plan);
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
  if (self->info != NULL && self->info->device[0] != '\0')
    add (lines, g_strdup_printf (_ ("Device: %s"), self->info->device));
  if (self->info != NULL && self->info->peak[0] != '\0')
    /* TRANSLATORS: model FLOPs utilisation; %s is a rate and where it comes from */
    add (lines, g_strdup_printf (_ ("MFU is the share of %s"), self->info->peak));
  /* TRANSLATORS: how the memory of a step is used: resident, checkpoint or chunked */
  add (lines, g_strdup_printf (_ ("Schedule: %s"), fen_schedule_name (settings->schedule)));
  if (settings->adam8)
    add (lines, g_strdup (_ ("The optimizer keeps its states in 8 bits")));
  for (guint i = 0; i < self->notes->len; i++)
    add (lines, g_strdup (g_ptr_array_index (self->notes, i)));
  return join (lines, "\n");
}
