/* main.c: the program fenestra-cli: finds the command and runs it. */
#include "core/cli/cli.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const FenCommand commands[] = {
  { "train", "[--resume RUN] [SETTING...]", "Train a model, or go on with a run", cli_train, NULL },
  { "plan", "[SETTING...]", "Show the memory that a run would need, without a device", cli_plan, NULL },
  { "generate", "--model DIR [SETTING...]", "Write text with a model", cli_generate, cli_generate_settings },
  { "tokenize", "--tokenizer FILE", "Standard input's text to token ids", cli_tokenize, NULL },
  { "detokenize", "--tokenizer FILE", "Standard input's token ids to text", cli_detokenize, NULL },
  { "runs", "[list | last | show RUN]", "List run folders, or show one", cli_runs, NULL },
  { "info", "", "Show back ends, devices and versions", cli_info, NULL },
  { "man", "", "Print this program's manual page (roff)", cli_man, NULL },
  { NULL },
};

const FenCommand *
cli_commands (void)
{
  return commands;
}

static void
print_usage (void)
{
  g_print ("Usage: fenestra-cli COMMAND [OPTION...]\n\n"
           "Trains language models on long contexts.\n\nCommands:\n");
  for (const FenCommand *command = commands; command->name != NULL; command++)
    g_print ("  %-11s %s\n", command->name, command->summary);
  g_print (
      "\nfenestra-cli COMMAND --help lists a command's options; fenestra-cli --version prints the "
      "version.\n\n"
      "Exit status: 0 done; 1 the run failed; 2 wrong option or value; 3 unusable dataset, tokenizer, "
      "model,\n"
      "configuration or checkpoint; 4 does not fit into memory; 5 run folder in use by another process;\n"
      "6 cannot write (full or read-only disk); 7 the device cannot be used; 130 stopped by a signal after "
      "a\n"
      "checkpoint.\n");
}

/* What was printed must have arrived: `fenestra-cli runs > file` on a full disk is no success. A run goes on without its
 * terminal, and a reader that has read enough (| head) needs no message. */
static int
check_output (const FenCommand *command, int exit_code)
{
  struct stat info;
  if (command->run == cli_train || (fflush (stdout) == 0 && !ferror (stdout)))
    return exit_code;
  if (fstat (STDOUT_FILENO, &info) != 0 || !(S_ISFIFO (info.st_mode) || S_ISSOCK (info.st_mode)))
    g_printerr ("fenestra-cli: standard output cannot be written (a full disk, or closed)\n");
  return exit_code == FEN_EXIT_OK || exit_code == FEN_EXIT_INTERRUPTED ? FEN_EXIT_WRITE : exit_code;
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  setlocale (LC_NUMERIC, "C"); /* numbers are read and written the same everywhere */
  signal (SIGPIPE, SIG_IGN);   /* a closed pipe is a failed write, not the end of a training run */
  g_set_prgname ("fenestra-cli");

  if (argc < 2 || strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0
      || strcmp (argv[1], "help") == 0)
    {
      print_usage ();
      return argc < 2 ? FEN_EXIT_USAGE : FEN_EXIT_OK;
    }
  if (strcmp (argv[1], "--version") == 0)
    {
      g_print ("fenestra-cli %s\n", FEN_VERSION);
      return FEN_EXIT_OK;
    }
  for (const FenCommand *command = commands; command->name != NULL; command++)
    if (strcmp (command->name, argv[1]) == 0)
      return check_output (command, command->run (argc - 1, argv + 1));
  return cli_usage_error ("\"%s\" is not a command; fenestra-cli --help lists them", argv[1]);
}
