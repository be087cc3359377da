/* cli-common.c: arguments, errors and standard streams. See cli.h. */
#include "core/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fen-error.h"
#include "core/base/fen-json.h"
#include "core/corpus/fen-corpus-error.h"
#include "core/engine/fen-engine.h"
#include "core/train/fen-train-error.h"

/* Which exit code an error's kind has; code -1 stands for every other code of the domain. */
static int
exit_code_for (const GError *error)
{
  const struct {
    GQuark domain;
    int code;
    int exit_code;
  } kinds[] = {
    { FEN_CONFIG_ERROR, -1, FEN_EXIT_USAGE },
    { G_OPTION_ERROR, -1, FEN_EXIT_USAGE },
    { FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_OPTION, FEN_EXIT_USAGE },
    { FEN_CORPUS_ERROR, -1, FEN_EXIT_INPUT },
    { FEN_MODEL_ERROR, -1, FEN_EXIT_INPUT },
    { FEN_JSON_ERROR, -1, FEN_EXIT_INPUT },
    { FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_DOES_NOT_FIT, FEN_EXIT_MEMORY },
    { FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_OUT_OF_MEMORY, FEN_EXIT_MEMORY },
    { FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED, FEN_EXIT_USAGE },
    { FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_DEVICE, FEN_EXIT_DEVICE },
    { FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_LOST, FEN_EXIT_DEVICE },
    { FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_LOCKED, FEN_EXIT_LOCKED },
    { FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NO_SPACE, FEN_EXIT_WRITE },
    { FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_CANNOT_WRITE, FEN_EXIT_WRITE },
    { FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NOT_FINITE, FEN_EXIT_FAILED },
    { FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_STATE, FEN_EXIT_USAGE },
    { FEN_TRAIN_ERROR, -1, FEN_EXIT_INPUT },
    { G_IO_ERROR, G_IO_ERROR_NO_SPACE, FEN_EXIT_WRITE },
    { G_IO_ERROR, G_IO_ERROR_READ_ONLY, FEN_EXIT_WRITE },
    { G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED, FEN_EXIT_WRITE },
    { G_FILE_ERROR, G_FILE_ERROR_NOSPC, FEN_EXIT_WRITE },
    { G_FILE_ERROR, G_FILE_ERROR_ROFS, FEN_EXIT_WRITE },
    { G_FILE_ERROR, -1, FEN_EXIT_INPUT },
    { G_IO_ERROR, -1, FEN_EXIT_INPUT },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (error->domain == kinds[i].domain && (kinds[i].code == -1 || error->code == kinds[i].code))
      return kinds[i].exit_code;
  return FEN_EXIT_FAILED;
}

char *
cli_one_line (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  GString *line = g_string_new (NULL);
  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      const gunichar c = g_utf8_get_char (p);
      const gboolean steers
          = g_unichar_iscntrl (c) || c == 0x2028 || c == 0x2029 || g_unichar_type (c) == G_UNICODE_FORMAT;
      if (steers)
        g_string_append_printf (line, "\\u%04x", c);
      else
        g_string_append_unichar (line, c);
    }
  return g_string_free (line, FALSE);
}

int
cli_report (const GError *error)
{
  g_autofree char *line = cli_one_line (error->message);
  g_printerr ("fenestra-cli: %s\n", line);
  return exit_code_for (error);
}

int
cli_usage_error (const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  g_autofree char *message = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_printerr ("fenestra-cli: %s\n", message);
  return FEN_EXIT_USAGE;
}

static void
print_help (const char *command, const GOptionEntry *entries, gboolean has_settings)
{
  const FenCommand *found = cli_commands ();
  while (found->name != NULL && strcmp (found->name, command) != 0)
    found++;
  g_autoptr (GOptionContext) context = g_option_context_new (found->arguments);
  g_option_context_set_summary (context, found->summary);
  g_option_context_set_help_enabled (context, FALSE);
  if (entries != NULL)
    g_option_context_add_main_entries (context, entries, NULL);
  g_autofree char *own = g_option_context_get_help (context, TRUE, NULL);
  /* GOption names the program only; the command belongs into the usage line. */
  const char *after_program = strstr (own, "fenestra-cli");
  if (after_program != NULL)
    {
      after_program += strlen ("fenestra-cli");
      g_print ("%.*s %s%s", (int)(after_program - own), own, command, after_program);
    }
  else
    g_print ("%s", own);
  if (has_settings)
    {
      g_autofree char *settings = fen_config_help (100, found->settings);
      g_print ("Settings (defaults < --config FILE < flags):\n%s", settings);
    }
}

static gboolean
wants_help (int argc, char **argv)
{
  for (int i = 1; i < argc && strcmp (argv[i], "--") != 0; i++)
    if (strcmp (argv[i], "--help") == 0 || strcmp (argv[i], "-h") == 0)
      return TRUE;
  return FALSE;
}

/* The command's own flags first (unknown ones stay), then the option table, which complains about the rest. */
static gboolean
parse_all (int *argc, char ***argv, const GOptionEntry *entries, FenConfig *config,
           GHashTable *explicit_options, GError **error)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_option_context_set_help_enabled (context, FALSE);
  g_option_context_set_ignore_unknown_options (context,
                                               TRUE); /* named by us, with the nearest one that exists */
  if (entries != NULL)
    g_option_context_add_main_entries (context, entries, NULL);
  return g_option_context_parse (context, argc, argv, error)
         && (config == NULL || fen_config_parse_args (config, argc, argv, explicit_options, error));
}

/* Names the flag that was probably meant: a setting, or one of the command's own. */
static void
set_unknown_flag (GError **error, const char *flag, gboolean has_settings, const GOptionEntry *entries)
{
  g_autoptr (GPtrArray) own = g_ptr_array_new ();
  for (const GOptionEntry *entry = entries; entry != NULL && entry->long_name != NULL; entry++)
    g_ptr_array_add (own, (gpointer)entry->long_name);
  g_ptr_array_add (own, NULL);
  if (!has_settings)
    {
      /* The table's settings are not this command's: only its own flags are worth a guess. */
      g_autofree char *quoted = fen_error_quote (flag);
      g_autofree char *flags = own->len > 1 ? g_strjoinv (", --", (char **)own->pdata) : g_strdup ("help");
      g_set_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_UNKNOWN_OPTION,
                   "unknown option %s; allowed are --%s", quoted, flags);
      return;
    }
  fen_config_set_unknown_flag (error, flag, (const char *const *)own->pdata);
}

gboolean
cli_parse (const char *command, int argc, char **argv, const GOptionEntry *entries, FenConfig *config,
           GHashTable *explicit_options, GStrv *rest, int *exit_code)
{
  if (wants_help (argc, argv))
    {
      print_help (command, entries, config != NULL);
      *exit_code = FEN_EXIT_OK;
      return FALSE;
    }
  /* The parsers compact the array that they are given, so they get one of their own; the strings are main's. */
  g_autofree char **own = g_new0 (char *, argc + 1);
  memcpy (own, argv, sizeof (char *) * (gsize)argc);
  char **left = own;
  g_autoptr (GError) error = NULL;
  if (!parse_all (&argc, &left, entries, config, explicit_options, &error))
    {
      *exit_code = cli_report (error);
      return FALSE;
    }
  for (int i = 1; i < argc && strcmp (left[i], "--") != 0; i++)
    if (left[i][0] == '-' && left[i][1] != '\0')
      {
        set_unknown_flag (&error, left[i], config != NULL, entries);
        *exit_code = cli_report (error);
        return FALSE;
      }
  if (rest != NULL)
    *rest = g_strdupv (left + 1);
  else if (argc > 1)
    {
      *exit_code
          = cli_usage_error ("%s: unexpected argument \"%s\"; fenestra-cli %s --help lists what is allowed",
                             command, left[1], command);
      return FALSE;
    }
  return TRUE;
}

gboolean
cli_read_stdin (GString *text, gsize max_bytes, GError **error)
{
  char buffer[65536];
  gsize n;
  while ((n = fread (buffer, 1, sizeof buffer, stdin)) > 0)
    {
      if (text->len + n > max_bytes)
        {
          g_autofree char *limit = g_format_size_full (max_bytes, G_FORMAT_SIZE_IEC_UNITS);
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "standard input is larger than %s", limit);
          return FALSE;
        }
      g_string_append_len (text, buffer, (gssize)n);
    }
  if (ferror (stdin))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "standard input cannot be read: %s",
                   g_strerror (errno));
      return FALSE;
    }
  return TRUE;
}

gboolean
cli_print (const char *text, gsize bytes)
{
  return fwrite (text, 1, bytes, stdout) == bytes && fflush (stdout) == 0;
}
