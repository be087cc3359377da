/* cli-progress.c: see cli-progress.h. People's lines go to standard error when standard output carries JSON. */
#include "core/cli/cli-progress.h"

#include <math.h>
#include <string.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/fen-io.h"
#include "core/cli/cli.h"

#define PLAIN_INTERVAL_US (5 * G_USEC_PER_SEC)
#define LIVE_INTERVAL_US (G_USEC_PER_SEC / 10)

struct _CliProgress {
  CliProgressMode mode;
  FenSample train;      /* last of its kind; step 0 = none yet */
  guint64 memory_bytes; /* of the device, by this process; 0 = not known */
  gint64 last_line_us;  /* when a step line was shown */
  gint64 last_step;     /* its step */
  FenTrainerPhase phase;
  guint n_notes;
  gboolean live_line; /* the cursor stands behind a line that will be rewritten */
};

CliProgress *
cli_progress_new (CliProgressMode mode)
{
  CliProgress *progress = g_new0 (CliProgress, 1);
  progress->mode = mode;
  fen_sample_init (&progress->train, FEN_SAMPLE_TRAIN, 0);
  return progress;
}

void
cli_progress_free (CliProgress *progress)
{
  g_free (progress);
}

static void
clear_live_line (CliProgress *progress)
{
  if (progress->live_line)
    cli_print ("\r\033[K", 4);
  progress->live_line = FALSE;
}

G_GNUC_PRINTF (2, 3)
static void
print_line (CliProgress *progress, const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *line = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  clear_live_line (progress);
  g_autofree char *with_newline = g_strconcat (line, "\n", NULL);
  cli_print (with_newline, strlen (with_newline));
}

static char *
format_duration (double seconds)
{
  if (isnan (seconds) || seconds < 0 || seconds > 1e9)
    return g_strdup ("-");
  const gint64 s = (gint64)(seconds + 0.5);
  if (s >= 3600)
    return g_strdup_printf ("%" G_GINT64_FORMAT ":%02d:%02d", s / 3600, (int)(s / 60 % 60), (int)(s % 60));
  return g_strdup_printf ("%d:%02d", (int)(s / 60), (int)(s % 60));
}

static char *
format_rate (double tokens_per_second)
{
  if (isnan (tokens_per_second))
    return g_strdup ("-");
  if (tokens_per_second >= 10000)
    return g_strdup_printf ("%.1fk", tokens_per_second / 1000);
  return g_strdup_printf ("%.0f", tokens_per_second);
}

/* "step 120/1000  loss 2.3456  lr 3.0e-04  12.3k tokens/s  ETA 2:10  memory 310 MiB  MFU 31.2%": MFU on cards alone */
static char *
step_line (CliProgress *progress, FenTrainer *trainer)
{
  FenTrainerStatus status;
  fen_trainer_status (trainer, &status);
  g_autofree char *rate = format_rate (status.tokens_per_second);
  g_autofree char *eta = format_duration (status.eta_seconds);
  g_autofree char *memory
      = progress->memory_bytes > 0 ? fen_format_bytes (progress->memory_bytes) : g_strdup ("-");
  g_autofree char *mfu = isfinite (progress->train.mfu)
                             ? g_strdup_printf ("  MFU %.1f%%", 100 * progress->train.mfu)
                             : g_strdup ("");
  return g_strdup_printf ("step %" G_GINT64_FORMAT "/%" G_GINT64_FORMAT
                          "  loss %.4f  lr %.2e  %s tokens/s  ETA %s  "
                          "memory %s%s",
                          progress->train.step, status.steps, progress->train.loss,
                          progress->train.learning_rate, rate, eta, memory, mfu);
}

static int
terminal_width (void)
{
  struct winsize size;
  return ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void
show_live (CliProgress *progress, const char *line)
{
  g_autofree char *cut = g_strndup (line, MIN (strlen (line), (gsize)terminal_width () - 1));
  g_autofree char *text = g_strconcat ("\r\033[K", cut, NULL);
  progress->live_line = cli_print (text, strlen (text));
}

static void
show_step (CliProgress *progress, FenTrainer *trainer)
{
  const gint64 now = g_get_monotonic_time ();
  const gint64 interval = progress->mode == CLI_PROGRESS_LIVE ? LIVE_INTERVAL_US : PLAIN_INTERVAL_US;
  const gboolean is_new = progress->train.step != progress->last_step;
  if (!is_new || (progress->last_step > 0 && now - progress->last_line_us < interval))
    return;
  g_autofree char *line = step_line (progress, trainer);
  if (progress->mode == CLI_PROGRESS_LIVE)
    show_live (progress, line);
  else
    print_line (progress, "%s", line);
  progress->last_line_us = now;
  progress->last_step = progress->train.step;
}

static void
show_event (CliProgress *progress, const FenSample *sample)
{
  if (sample->level != FEN_EVENT_INFO)
    {
      clear_live_line (progress);
      g_printerr ("%s: step %" G_GINT64_FORMAT ": %s\n", fen_event_level_name (sample->level), sample->step,
                  sample->text);
    }
  else if (progress->mode != CLI_PROGRESS_QUIET)
    print_line (progress, "step %" G_GINT64_FORMAT ": %s: %s", sample->step, sample->event, sample->text);
}

static void
take_sample (CliProgress *progress, FenTrainer *trainer, const FenSample *sample)
{
  if (sample->kind == FEN_SAMPLE_TRAIN)
    progress->train = *sample;
  else if (sample->kind == FEN_SAMPLE_MEMORY && sample->has_device_process)
    progress->memory_bytes = sample->device_process_bytes;

  if (progress->mode == CLI_PROGRESS_JSON)
    {
      g_autofree char *json = fen_sample_to_json (sample);
      g_autofree char *line = g_strconcat (json, "\n", NULL);
      cli_print (line, strlen (line));
    }
  else if (sample->kind == FEN_SAMPLE_EVENT)
    show_event (progress, sample);
  else if (progress->mode == CLI_PROGRESS_QUIET)
    return;
  else if (sample->kind == FEN_SAMPLE_EVAL)
    print_line (progress, "step %" G_GINT64_FORMAT ": eval loss %.4f (%" G_GINT64_FORMAT " rows)",
                sample->step, sample->loss, sample->eval_rows);
  else if (sample->kind == FEN_SAMPLE_TRAIN)
    show_step (progress, trainer);
}

static void
show_notes (CliProgress *progress, FenTrainer *trainer)
{
  g_autoptr (GPtrArray) notes = fen_trainer_notes (trainer);
  for (; progress->n_notes < notes->len; progress->n_notes++)
    {
      const char *note = g_ptr_array_index (notes, progress->n_notes);
      if (progress->mode == CLI_PROGRESS_JSON)
        g_printerr ("note: %s\n", note);
      else if (progress->mode != CLI_PROGRESS_QUIET)
        print_line (progress, "note: %s", note);
    }
}

static void
show_phase (CliProgress *progress, FenTrainer *trainer)
{
  FenTrainerStatus status;
  fen_trainer_status (trainer, &status);
  if (progress->mode == CLI_PROGRESS_LIVE && status.phase != FEN_PHASE_TRAINING && status.message[0] != '\0'
      && !fen_trainer_is_final (trainer))
    {
      g_autofree char *line = status.progress >= 0
                                  ? g_strdup_printf ("%s (%.0f%%)", status.message, 100 * status.progress)
                                  : g_strdup (status.message);
      show_live (progress, line);
    }
  else if (progress->mode == CLI_PROGRESS_PLAIN && status.phase != progress->phase
           && status.message[0] != '\0' && status.phase < FEN_PHASE_TRAINING)
    print_line (progress, "%s", status.message);
  progress->phase = status.phase;
}

void
cli_progress_update (CliProgress *progress, FenTrainer *trainer)
{
  FenSample sample;
  if (progress->mode == CLI_PROGRESS_LIVE || progress->mode == CLI_PROGRESS_PLAIN)
    show_phase (progress, trainer);
  show_notes (progress, trainer);
  while (fen_trainer_poll (trainer, &sample))
    take_sample (progress, trainer, &sample);
}

void
cli_progress_finish (CliProgress *progress, FenTrainer *trainer)
{
  cli_progress_update (progress, trainer);
  if (progress->mode != CLI_PROGRESS_LIVE && progress->mode != CLI_PROGRESS_PLAIN)
    return;
  if (progress->train.step > 0 && (progress->train.step != progress->last_step || progress->live_line))
    {
      g_autofree char *line = step_line (progress, trainer);
      print_line (progress, "%s", line);
    }
  clear_live_line (progress);
  FenTrainerStatus status;
  fen_trainer_status (trainer, &status);
  g_autofree char *path = fen_trainer_run_path (trainer);
  if (path == NULL)
    return;
  g_autofree char *eval_loss
      = isnan (status.eval_loss) ? g_strdup ("") : g_strdup_printf (", eval loss %.4f", status.eval_loss);
  print_line (progress, "%s at step %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT "%s\nrun folder: %s",
              fen_trainer_phase_name (status.phase), status.step, status.steps, eval_loss, path);
}
