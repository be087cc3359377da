/* cli.h: what the commands of fenestra-cli share: exit codes, arguments, errors.
 *
 * Every setting of a run comes from the option table (core/config); a command's own few flags are GOption entries.
 */
#pragma once

#include "core/config/fen-config.h"

G_BEGIN_DECLS

/* Documented in --help and in the man page. */
typedef enum {
  FEN_EXIT_OK = 0,
  FEN_EXIT_FAILED = 1,      /* the run failed: the reason is on standard error and in the run folder's log */
  FEN_EXIT_USAGE = 2,       /* an unknown option, a value out of range, settings that exclude each other */
  FEN_EXIT_INPUT = 3,       /* a dataset, tokenizer, model, configuration or checkpoint cannot be used */
  FEN_EXIT_MEMORY = 4,      /* does not fit, or memory ran out */
  FEN_EXIT_LOCKED = 5,      /* the run folder is in use by another process */
  FEN_EXIT_WRITE = 6,       /* a file cannot be written: full or read-only disk */
  FEN_EXIT_DEVICE = 7,      /* the device asked for cannot be used */
  FEN_EXIT_INTERRUPTED = 130 /* stopped by SIGINT or SIGTERM after writing a checkpoint */
} FenExit;

typedef struct {
  const char *name;
  const char *arguments; /* "[OPTION...]" */
  const char *summary;   /* one line */
  int (*run) (int argc, char **argv); /* argv[0] is the command's name */
  /* Ended by NULL: the options of the table that have an effect; others are told to have none. NULL: all of them. */
  const char *const *settings;
} FenCommand;

const FenCommand *cli_commands (void); /* ended by name NULL */

int cli_train (int argc, char **argv);
int cli_plan (int argc, char **argv);
int cli_generate (int argc, char **argv);
extern const char *const cli_generate_settings[]; /* what writing text uses of the table */
int cli_tokenize (int argc, char **argv);
int cli_detokenize (int argc, char **argv);
int cli_runs (int argc, char **argv);
int cli_info (int argc, char **argv);
int cli_man (int argc, char **argv);

/* Parses a command's own `entries` and, when `config` is not NULL, the options of the table. What is left over is an
 * error unless `rest` is given. Answers --help itself. FALSE: print nothing more and return *exit_code. */
gboolean cli_parse (const char *command, int argc, char **argv, const GOptionEntry *entries, FenConfig *config,
                    GHashTable *explicit_options, GStrv *rest, int *exit_code);

/* Prints "fenestra-cli: message" and gives the exit code of the error's kind. */
int cli_report (const GError *error);
int cli_usage_error (const char *format, ...) G_GNUC_PRINTF (1, 2);

/* `text` as it may be shown on a terminal: run folders and models can come from anybody, and their names must neither
 * break a line nor steer the terminal. Free with g_free. */
char *cli_one_line (const char *text);

/* Reads standard input to its end, at most `max_bytes`. */
gboolean cli_read_stdin (GString *text, gsize max_bytes, GError **error);

/* Writes and flushes; FALSE when standard output is closed or full (the caller then stops quietly). */
gboolean cli_print (const char *text, gsize bytes);

/* A FenConfig whose `model` may be a run (path, id, name or "last"): replaced by its final model or newest checkpoint.
 * Settings that the flags did not give are taken from the run, also for a model folder or checkpoint inside of it. */
gboolean cli_resolve_run (FenConfig *config, GHashTable *explicit_options, GError **error);

G_END_DECLS
