/* cli-train.c: trains, or goes on with a run; shows it; ends cleanly on a signal. */
#include "core/cli/cli.h"

#include <glib-unix.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/cli/cli-progress.h"

typedef struct {
  char *resume;
  char *save_config;
  gboolean json, quiet;
} TrainArguments;

typedef struct {
  FenTrainer *trainer;
  CliProgress *progress;
  GMainLoop *loop;
  int signals; /* received */
} Session;

/* The first signal asks for a checkpoint and an end after this step; a second one gives the step up. */
static gboolean
on_signal (gpointer data)
{
  Session *session = data;
  session->signals++;
  g_printerr ("\n%s\n", session->signals == 1 ? "stopping after this step, with a checkpoint (again: without one)"
                                              : "stopping without a checkpoint");
  fen_trainer_command (session->trainer, session->signals == 1 ? FEN_COMMAND_STOP : FEN_COMMAND_ABANDON);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_tick (gpointer data)
{
  Session *session = data;
  cli_progress_update (session->progress, session->trainer);
  if (fen_trainer_is_final (session->trainer))
    g_main_loop_quit (session->loop);
  return G_SOURCE_CONTINUE;
}

static CliProgressMode
progress_mode (const TrainArguments *arguments)
{
  if (arguments->json)
    return CLI_PROGRESS_JSON;
  if (arguments->quiet)
    return CLI_PROGRESS_QUIET;
  return isatty (STDOUT_FILENO) ? CLI_PROGRESS_LIVE : CLI_PROGRESS_PLAIN;
}

static int
run_trainer (FenTrainer *trainer, const TrainArguments *arguments)
{
  g_autoptr (CliProgress) progress = cli_progress_new (progress_mode (arguments));
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Session session = { .trainer = trainer, .progress = progress, .loop = loop };
  const guint sources[] = {
    g_unix_signal_add (SIGINT, on_signal, &session),
    g_unix_signal_add (SIGTERM, on_signal, &session),
    g_timeout_add (100, on_tick, &session), /* a person reads no faster; the ring holds what comes between */
  };
  fen_trainer_start (trainer);
  g_main_loop_run (loop);
  for (gsize i = 0; i < G_N_ELEMENTS (sources); i++)
    g_source_remove (sources[i]);

  g_autoptr (GError) error = NULL;
  const gboolean ok = fen_trainer_join (trainer, &error);
  cli_progress_finish (progress, trainer);
  if (!ok)
    return cli_report (error);
  FenTrainerStatus status;
  fen_trainer_status (trainer, &status);
  return session.signals > 0 && status.phase == FEN_PHASE_STOPPED ? FEN_EXIT_INTERRUPTED : FEN_EXIT_OK;
}

/* A run goes on with its own settings; only its length may change. */
static FenTrainer *
open_resumed (const TrainArguments *arguments, const FenConfig *config, GHashTable *explicit_options, GError **error)
{
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    if (g_hash_table_contains (explicit_options, option->name) && !g_str_equal (option->name, "steps")
        && !g_str_equal (option->name, "output_dir"))
      {
        g_set_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_CONFLICT,
                     "%s cannot be changed when a run is resumed; --resume allows steps and output_dir", option->name);
        return NULL;
      }
  g_autofree char *root = fen_runs_root (config);
  g_autofree char *path = fen_runs_find (root, arguments->resume, error);
  if (path == NULL)
    return NULL;
  return fen_trainer_new_resume (path, g_hash_table_contains (explicit_options, "steps") ? config->steps : 0, error);
}

/* A run folder's config.json runs again unchanged: the name that the file brings is the old run's, so the new one gets a
 * number. A name that a flag gives is meant, and is refused when it is taken. */
static void
renew_name (FenConfig *config)
{
  g_autofree char *root = fen_runs_root (config);
  g_autofree char *old = g_strdup (config->run_name);
  for (int n = 2; n < 10000; n++)
    {
      g_autofree char *path = g_build_filename (root, config->run_name, NULL);
      if (!g_file_test (path, G_FILE_TEST_EXISTS))
        break;
      g_free (config->run_name);
      config->run_name = g_strdup_printf ("%s-%d", old, n);
    }
  if (strcmp (old, config->run_name) != 0)
    g_printerr ("note: run_name %s is taken: this run is called %s\n", old, config->run_name);
}

static gboolean
has_flag (char **argv, const char *name)
{
  for (; *argv != NULL && strcmp (*argv, "--") != 0; argv++)
    {
      const gsize length = strcspn (*argv, "=");
      g_autofree char *flag = g_strdelimit (g_strndup (*argv, length), "-", '_');
      if (g_str_has_prefix (flag, "__") && strcmp (flag + 2, name) == 0)
        return TRUE;
    }
  return FALSE;
}

static int
train (const TrainArguments *arguments, FenConfig *config, GHashTable *explicit_options, gboolean named)
{
  g_autoptr (GError) error = NULL;
  if (arguments->resume != NULL && arguments->save_config != NULL)
    return cli_usage_error ("--save-config and --resume exclude each other: a run's configuration is in its config.json");
  if (arguments->resume == NULL && arguments->save_config == NULL && !named && config->run_name[0] != '\0')
    renew_name (config);
  if (arguments->save_config != NULL)
    {
      if (!fen_config_validate (config, NULL, &error) || !fen_config_save (config, arguments->save_config, &error))
        return cli_report (error);
      g_print ("wrote %s\n", arguments->save_config);
      return FEN_EXIT_OK;
    }
  g_autoptr (FenTrainer) trainer = arguments->resume != NULL
                                       ? open_resumed (arguments, config, explicit_options, &error)
                                       : fen_trainer_new (config, &error);
  return trainer != NULL ? run_trainer (trainer, arguments) : cli_report (error);
}

int
cli_train (int argc, char **argv)
{
  TrainArguments arguments = { 0 };
  const GOptionEntry entries[] = {
    { "resume", 0, 0, G_OPTION_ARG_FILENAME, &arguments.resume,
      "Go on with a run: its folder, id, name, or \"last\"; with --steps N up to step N", "RUN" },
    { "save-config", 0, 0, G_OPTION_ARG_FILENAME, &arguments.save_config,
      "Write the complete configuration to FILE and end", "FILE" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &arguments.json, "Print the lines of metrics.jsonl", NULL },
    { "quiet", 0, 0, G_OPTION_ARG_NONE, &arguments.quiet, "Print warnings and errors only", NULL },
    { NULL },
  };
  g_autoptr (FenConfig) config = fen_config_new ();
  g_autoptr (GHashTable) explicit_options = g_hash_table_new (g_str_hash, g_str_equal);
  int exit_code = FEN_EXIT_USAGE;
  if (cli_parse ("train", argc, argv, entries, config, explicit_options, NULL, &exit_code))
    exit_code = train (&arguments, config, explicit_options, has_flag (argv + 1, "run_name"));
  g_free (arguments.resume);
  g_free (arguments.save_config);
  return exit_code;
}
