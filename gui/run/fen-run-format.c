/* fen-run-format.c: a run's numbers and states in words, as the window, its notifications and lists show them.
 *
 * Every sentence is one string for translators; numbers follow the person's locale. What is not known is left out of a
 * sentence and never shown as a 0.
 */
#include "gui/run/fen-run-page.h"

#include <glib/gi18n.h>
#include <math.h>

const char *
fen_phase_title (FenTrainerPhase phase)
{
  switch (phase)
    {
    case FEN_PHASE_NEW:
      return _ ("Not started");
    case FEN_PHASE_PLANNING:
      return _ ("Planning");
    case FEN_PHASE_TOKENIZING:
      return _ ("Preparing text");
    case FEN_PHASE_LOADING:
      return _ ("Loading");
    case FEN_PHASE_TRAINING:
      return C_ ("state of a run", "Training");
    case FEN_PHASE_EVALUATING:
      return _ ("Evaluating");
    case FEN_PHASE_CHECKPOINTING:
      return _ ("Saving");
    case FEN_PHASE_PAUSING:
      return _ ("Pausing");
    case FEN_PHASE_PAUSED:
      return _ ("Paused");
    case FEN_PHASE_STOPPING:
      return _ ("Stopping");
    case FEN_PHASE_FINISHED:
      return _ ("Finished");
    case FEN_PHASE_STOPPED:
      return _ ("Stopped");
    case FEN_PHASE_FAILED:
      return _ ("Failed");
    }
  return _ ("Unknown");
}

const char *
fen_run_status_title (FenRunStatus status)
{
  switch (status)
    {
    case FEN_RUN_RUNNING:
      return _ ("Running");
    case FEN_RUN_FINISHED:
      return _ ("Finished");
    case FEN_RUN_STOPPED:
      return _ ("Stopped");
    case FEN_RUN_FAILED:
      return _ ("Failed");
    case FEN_RUN_INTERRUPTED:
      return _ ("Interrupted");
    case FEN_RUN_DAMAGED:
      return _ ("Damaged");
    }
  return _ ("Unknown");
}

char *
fen_format_count (gint64 count)
{
  return g_strdup_printf ("%'" G_GINT64_FORMAT, count);
}

/* Two units at most, rounded to the smaller: an estimate with seconds beside hours would claim too much. */
char *
fen_format_duration (double seconds)
{
  if (!isfinite (seconds) || seconds < 0)
    return g_strdup ("–");
  const gint64 whole = (gint64)fmin (round (seconds), 1e12);
  const gint64 minutes = (whole + 30) / 60, hours = (whole + 1800) / 3600;
  if (whole < 120)
    /* TRANSLATORS: a duration in seconds. */
    return g_strdup_printf (_ ("%d s"), MAX ((int)whole, 1));
  if (minutes < 60)
    /* TRANSLATORS: a duration in minutes. */
    return g_strdup_printf (_ ("%d min"), (int)minutes);
  if (minutes < 24 * 60 && minutes % 60 == 0)
    /* TRANSLATORS: a duration in hours. */
    return g_strdup_printf (_ ("%d h"), (int)(minutes / 60));
  if (minutes < 24 * 60)
    /* TRANSLATORS: a duration in hours and minutes. */
    return g_strdup_printf (_ ("%d h %d min"), (int)(minutes / 60), (int)(minutes % 60));
  g_autofree char *days = fen_format_count (hours / 24);
  /* TRANSLATORS: a duration in days (a number, already written out) and hours. */
  return g_strdup_printf (_ ("%s d %d h"), days, (int)(hours % 24));
}

/* Before the first step there is nothing but the phase's own progress. */
static char *
format_preparation (const FenTrainerStatus *status)
{
  if (status->progress >= 0 && isfinite (status->progress))
    /* TRANSLATORS: how much of the preparation (reading the text, for instance) is done. */
    return g_strdup_printf (_ ("%d%% done"), (int)(CLAMP (status->progress, 0, 1) * 100));
  switch (status->phase)
    {
    case FEN_PHASE_NEW:
      return g_strdup (_ ("Waiting to begin"));
    case FEN_PHASE_PLANNING:
      return g_strdup (_ ("Planning the memory of the run"));
    case FEN_PHASE_TOKENIZING:
      return g_strdup (_ ("Turning the text into tokens"));
    default:
      return g_strdup (_ ("Opening the device and reading the parameters"));
    }
}

/* A run that has ended: what of it is safe on the disk. */
static char *
format_end (const FenTrainerStatus *status, const char *step, const char *steps)
{
  g_autofree char *checkpoint = fen_format_count (status->checkpoint_step);
  if (status->phase == FEN_PHASE_FINISHED
      || (status->checkpoint_step >= 0 && status->checkpoint_step == status->step))
    return g_strdup_printf (_ ("Step %s of %s, saved"), step, steps);
  if (status->checkpoint_step >= 0)
    return g_strdup_printf (_ ("Step %s of %s, last checkpoint at step %s"), step, steps, checkpoint);
  if (status->step > 0)
    return g_strdup_printf (_ ("Step %s of %s, no checkpoint"), step, steps);
  return g_strdup (_ ("No step was made"));
}

char *
fen_format_status (const FenTrainerStatus *status)
{
  g_autofree char *step = fen_format_count (status->step), *steps = fen_format_count (status->steps);
  g_autofree char *left = fen_format_duration (status->eta_seconds);
  switch (status->phase)
    {
    case FEN_PHASE_NEW:
    case FEN_PHASE_PLANNING:
    case FEN_PHASE_TOKENIZING:
    case FEN_PHASE_LOADING:
      return format_preparation (status);
    case FEN_PHASE_FINISHED:
    case FEN_PHASE_STOPPED:
    case FEN_PHASE_FAILED:
      return format_end (status, step, steps);
    case FEN_PHASE_TRAINING:
    case FEN_PHASE_EVALUATING:
    case FEN_PHASE_CHECKPOINTING:
    case FEN_PHASE_PAUSING:
    case FEN_PHASE_PAUSED:
    case FEN_PHASE_STOPPING:
      break;
    }
  if (status->phase == FEN_PHASE_PAUSED && isfinite (status->eta_seconds))
    return g_strdup_printf (_ ("Step %s of %s, about %s of training left"), step, steps, left);
  if (isfinite (status->eta_seconds) && status->eta_seconds >= 0 && status->step < status->steps
      && status->phase != FEN_PHASE_STOPPING)
    /* TRANSLATORS: step, all steps, and a duration: "Step 1,240 of 10,000, about 12 min left". */
    return g_strdup_printf (_ ("Step %s of %s, about %s left"), step, steps, left);
  return g_strdup_printf (_ ("Step %s of %s"), step, steps);
}
