/* cli-man.c: the manual page, made from the commands and the option table, so it cannot fall behind them. */
#include "core/cli/cli.h"

#include <string.h>

static const char *const exit_codes[]
    = { "0\tDone.",
        "1\tThe run failed; the reason is on standard error and in the run folder's log.txt.",
        "2\tAn unknown option, a value out of its range, or settings that exclude each other.",
        "3\tA dataset, tokenizer, model, configuration or checkpoint that cannot be used.",
        "4\tThe run does not fit into memory, or memory ran out.",
        "5\tThe run folder is in use by another process.",
        "6\tA file cannot be written: the disk is full or read-only.",
        "7\tThe device asked for cannot be used.",
        "130\tStopped by SIGINT or SIGTERM, after writing a checkpoint.",
        NULL };

static void
append_escaped (GString *page, const char *text)
{
  for (const char *p = text; *p != '\0'; p++)
    if (*p == '-')
      g_string_append (page, "\\-");
    else if (*p == '\\')
      g_string_append (page, "\\e");
    else
      g_string_append_c (page, *p);
}

static void
append_commands (GString *page)
{
  g_string_append (page, ".SH COMMANDS\n");
  for (const FenCommand *command = cli_commands (); command->name != NULL; command++)
    {
      g_string_append_printf (page, ".TP\n.B %s\n", command->name);
      append_escaped (page, command->arguments);
      g_string_append_printf (page, "%s%s.", command->arguments[0] != '\0' ? "\n.br\n" : "",
                              command->summary);
      g_string_append (page, "\n");
    }
}

static void
append_exit_codes (GString *page)
{
  g_string_append (page, ".SH EXIT STATUS\n");
  for (const char *const *line = exit_codes; *line != NULL; line++)
    {
      const char *tab = strchr (*line, '\t');
      g_string_append_printf (page, ".TP\n.B %.*s\n%s\n", (int)(tab - *line), *line, tab + 1);
    }
}

int
cli_man (int argc, char **argv)
{
  int exit_code;
  if (!cli_parse ("man", argc, argv, NULL, NULL, NULL, NULL, &exit_code))
    return exit_code;
  g_autoptr (GString) page = g_string_new (NULL);
  g_string_append_printf (page, ".TH FENESTRA\\-CLI 1 \"\" \"Fenestra %s\"\n", FEN_VERSION);
  g_string_append (
      page, ".SH NAME\nfenestra\\-cli \\- train language models on long contexts\n"
            ".SH SYNOPSIS\n.B fenestra\\-cli\n.I COMMAND\n.RI [ OPTION ...]\n"
            ".SH DESCRIPTION\n"
            "Fenestra configures, launches and watches the training of language models. This is its command "
            "line: the same runs, settings and run folders as in the window.\n");
  append_commands (page);
  g_autofree char *settings = fen_config_roff ();
  g_string_append (page,
                   ".SH SETTINGS\nDefaults are overridden by a configuration file (\\-\\-config FILE), and "
                   "that by flags.\n");
  g_string_append (page, settings);
  append_exit_codes (page);
  g_string_append (
      page, ".SH FILES\n.TP\n.I ~/.local/share/fenestra/runs\nRun folders, unless output_dir says "
            "otherwise.\n.TP\n.I ~/.cache/fenestra/tokens\nToken caches; may be deleted at any time.\n");
  return cli_print (page->str, page->len) ? FEN_EXIT_OK : FEN_EXIT_WRITE;
}
