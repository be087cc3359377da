/* fen-config-args.c: configurations as command lines (see fen-config.h).
 *
 * Three passes, because a flag may stand before the file that it overrides and before the --expert that allows it:
 * find the settings among the arguments, read the file and then the flags with types alone, check all ranges. */
#include "core/config/fen-config-private.h"

#include "core/base/fen-error.h"
#include "core/base/fen-json.h"

#include <glib/gi18n-lib.h>
#include <string.h>

typedef struct {
  const FenOption *option; /* NULL: --config */
  const char *value;       /* NULL: a boolean's bare flag */
  gboolean negated;        /* --no-x */
} Setting;

/* Splits "--name=value"; NULL for what is no long flag. */
static char *
split_flag (const char *argument, const char **value)
{
  if (!g_str_has_prefix (argument, "--"))
    return NULL;
  const char *equals = strchr (argument, '=');
  *value = equals != NULL ? equals + 1 : NULL;
  return equals != NULL ? g_strndup (argument + 2, (gsize)(equals - argument - 2)) : g_strdup (argument + 2);
}

/* Is this flag a setting? */
static gboolean
find_setting (const char *name, Setting *setting)
{
  *setting = (Setting){ 0 };
  if (g_str_equal (name, "config"))
    return TRUE;
  setting->option = fen_config_find_option (name);
  if (setting->option != NULL)
    return TRUE;
  if (!g_str_has_prefix (name, "no-") && !g_str_has_prefix (name, "no_"))
    return FALSE;
  setting->option = fen_config_find_option (name + 3);
  setting->negated = TRUE;
  return setting->option != NULL && setting->option->type == FEN_OPTION_BOOLEAN;
}

static gboolean
fail_missing_value (const Setting *setting, GError **error)
{
  if (setting->option == NULL)
    {
      g_set_error_literal (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_TYPE,
                           _ ("--config needs a value: a JSON file"));
      return FALSE;
    }
  g_autofree char *flag = fen_option_flag (setting->option);
  g_autofree char *allowed = fen_option_range_text (setting->option, FALSE);
  g_set_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_TYPE, _ ("%s needs a value: %s"), flag, allowed);
  return FALSE;
}

/* Sorts argv into settings and the rest, whose places are noted in `kept`. */
static gboolean
find_settings (int argc, char **argv, GArray *settings, GArray *kept, GError **error)
{
  for (int i = 0; i < argc; i++)
    {
      const char *value = NULL;
      g_autofree char *name = i > 0 ? split_flag (argv[i], &value) : NULL;
      Setting setting;
      if (name != NULL && *name == '\0' && value == NULL)
        {
          /* "--": the rest is the program's, the mark included. */
          for (; i < argc; i++)
            g_array_append_val (kept, i);
          break;
        }
      if (name == NULL || !find_setting (name, &setting))
        {
          g_array_append_val (kept, i);
          continue;
        }
      gboolean boolean = setting.option != NULL && setting.option->type == FEN_OPTION_BOOLEAN;
      if (value == NULL && !boolean)
        {
          /* A flag where the value should be is a forgotten value; "--name=--value" says it if it is meant. */
          if (i + 1 >= argc || g_str_has_prefix (argv[i + 1], "--"))
            return fail_missing_value (&setting, error);
          value = argv[++i];
        }
      setting.value = value;
      g_array_append_val (settings, setting);
    }
  return TRUE;
}

/* The file that --config names, or NULL; FALSE when there are two. */
static gboolean
find_file (const GArray *settings, const char **path, GError **error)
{
  *path = NULL;
  for (guint i = 0; i < settings->len; i++)
    {
      const Setting *setting = &g_array_index (settings, Setting, i);
      if (setting->option != NULL)
        continue;
      if (*path != NULL)
        {
          g_set_error_literal (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_CONFLICT,
                               _ ("--config is given twice; one configuration file at a time is read"));
          return FALSE;
        }
      *path = setting->value;
    }
  return TRUE;
}

static gboolean
read_file (FenConfig *config, const char *path, const char *source, GHashTable *seen, GError **error)
{
  g_autoptr (JsonNode) root = fen_json_load (path, FEN_JSON_MAX_BYTES_CONFIG, error);
  JsonObject *object = root != NULL ? fen_json_root_object (root, source, error) : NULL;
  return object != NULL && fen_config_read_json_types (config, object, source, seen, error);
}

static gboolean
apply_flags (FenConfig *config, const GArray *settings, GHashTable *from_file, GHashTable *from_flags,
             GError **error)
{
  for (guint i = 0; i < settings->len; i++)
    {
      const Setting *setting = &g_array_index (settings, Setting, i);
      FenValue value = { .boolean = TRUE };
      if (setting->option == NULL)
        continue;
      if (setting->value != NULL
          && !fen_value_parse_text (setting->option, setting->value, FEN_WORDS_NAMES, &value, error))
        return FALSE;
      if (setting->negated)
        value.boolean = !value.boolean;
      fen_value_store (config, setting->option, &value);
      g_hash_table_add (from_flags, (gpointer)setting->option->name);
      g_hash_table_remove (from_file, setting->option->name);
    }
  return TRUE;
}

static void
compact (int *argc, char ***argv, const GArray *kept)
{
  for (guint i = 0; i < kept->len; i++)
    (*argv)[i] = (*argv)[g_array_index (kept, int, i)];
  if ((int)kept->len < *argc)
    (*argv)[kept->len] = NULL;
  *argc = (int)kept->len;
}

static void
add_all (GHashTable *set, GHashTable *names)
{
  GHashTableIter iter;
  gpointer name;
  g_hash_table_iter_init (&iter, names);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    g_hash_table_add (set, name);
}

gboolean
fen_config_parse_args (FenConfig *config, int *argc, char ***argv, GHashTable *explicit_options,
                       GError **error)
{
  g_autoptr (GArray) settings = g_array_new (FALSE, FALSE, sizeof (Setting));
  g_autoptr (GArray) kept = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr (GHashTable) from_file = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) from_flags = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (FenConfig) work = fen_config_copy (config);
  const char *path;
  if (!find_settings (*argc, *argv, settings, kept, error) || !find_file (settings, &path, error))
    return FALSE;
  g_autofree char *source = path != NULL ? g_filename_display_name (path) : NULL;
  if ((path != NULL && !read_file (work, path, source, from_file, error))
      || !apply_flags (work, settings, from_file, from_flags, error)
      || !fen_config_check_ranges (work, from_file, source, error))
    return FALSE;

  fen_config_take (config, g_steal_pointer (&work));
  compact (argc, argv, kept);
  if (explicit_options != NULL)
    {
      add_all (explicit_options, from_file);
      add_all (explicit_options, from_flags);
    }
  return TRUE;
}

void
fen_config_set_unknown_flag (GError **error, const char *flag, const char *const *own_flags)
{
  g_autofree const char **names = fen_option_names ();
  const char *bare = flag + strspn (flag, "-");
  g_autofree char *name = g_strndup (bare, strcspn (bare, "="));
  g_autofree char *quoted = fen_error_quote (flag);

  g_autoptr (GPtrArray) candidates = g_ptr_array_new ();
  for (guint i = 0; names[i] != NULL; i++)
    g_ptr_array_add (candidates, (gpointer)names[i]);
  for (guint i = 0; own_flags != NULL && own_flags[i] != NULL; i++)
    g_ptr_array_add (candidates, (gpointer)own_flags[i]);
  g_ptr_array_add (candidates, (gpointer) "config");
  g_ptr_array_add (candidates, NULL);

  gboolean negated = g_str_has_prefix (name, "no-");
  const char *nearest = fen_error_nearest (name + (negated ? 3 : 0), (const char *const *)candidates->pdata);
  const FenOption *option = nearest != NULL ? fen_config_find_option (nearest) : NULL;
  negated = negated && option != NULL && option->type == FEN_OPTION_BOOLEAN;
  g_autofree char *spelled = nearest != NULL ? g_strdelimit (g_strdup (nearest), "_", '-') : NULL;
  if (nearest != NULL)
    g_set_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_UNKNOWN_OPTION,
                 _ ("unknown option %s; did you mean --%s%s?"), quoted, negated ? "no-" : "", spelled);
  else
    g_set_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_UNKNOWN_OPTION,
                 _ ("unknown option %s; --help lists all"), quoted);
}

static void
append_setting (GString *line, const FenOption *option, const char *text)
{
  g_autofree char *flag = fen_option_flag (option);
  if (option->type == FEN_OPTION_BOOLEAN)
    {
      g_string_append_printf (line, " --%s%s", g_str_equal (text, "true") ? "" : "no-", flag + 2);
      return;
    }
  gboolean plain = *text != '\0'
                   && strspn (text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    "_-+./:,@%")
                          == strlen (text);
  g_autofree char *quoted = plain ? g_strdup (text) : g_shell_quote (text);
  g_string_append_printf (line, " %s%s%s", flag, *text == '-' ? "=" : " ", quoted);
}

char *
fen_config_command_line (const FenConfig *config, const char *program)
{
  g_autoptr (FenConfig) defaults = fen_config_new ();
  GString *line = g_string_new (program);
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    {
      g_autofree char *text = fen_config_get_text (config, option);
      g_autofree char *usual = fen_config_get_text (defaults, option);
      if (!g_str_equal (text, usual))
        append_setting (line, option, text);
    }
  return g_string_free (line, FALSE);
}
