/* fen-config.c: a configuration's life: defaults, copy, set, get (see fen-config.h). */
#include "core/config/fen-config-private.h"

#include "core/base/fen-error.h"

/* ---- errors that know their setting ---- */

typedef struct {
  const char *option; /* the table's */
} FenConfigErrorPrivate;

static void
fen_config_error_private_init (FenConfigErrorPrivate *priv)
{
  priv->option = NULL;
}

static void
fen_config_error_private_copy (const FenConfigErrorPrivate *from, FenConfigErrorPrivate *to)
{
  to->option = from->option;
}

static void
fen_config_error_private_clear (FenConfigErrorPrivate *priv)
{
}

G_DEFINE_EXTENDED_ERROR (FenConfigError, fen_config_error)

const char *
fen_config_error_get_option (const GError *error)
{
  if (error == NULL || error->domain != FEN_CONFIG_ERROR)
    return NULL;
  return fen_config_error_get_private (error)->option;
}

gboolean
fen_config_fail (GError **error, FenConfigError code, const FenOption *option, char *message)
{
  g_autofree char *owned = message;
  if (error != NULL)
    {
      g_set_error_literal (error, FEN_CONFIG_ERROR, (int)code, owned);
      fen_config_error_get_private (*error)->option = option != NULL ? option->name : NULL;
    }
  return FALSE;
}

/* ---- life ---- */

FenConfig *
fen_config_new (void)
{
  FenConfig *config = g_new0 (FenConfig, 1);
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    {
      FenValue value = { 0 };
      g_autoptr (GError) error = NULL;
      /* A default that does not parse is a defect of the table, and every test would hit it. */
      if (!fen_value_parse_text (option, option->default_text, FEN_WORDS_NAMES, &value, &error))
        g_error ("default of %s", error->message);
      fen_value_store (config, option, &value);
    }
  return config;
}

FenConfig *
fen_config_copy (const FenConfig *config)
{
  FenConfig *copy = g_new0 (FenConfig, 1);
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    {
      FenValue value;
      fen_value_load (config, option, &value);
      fen_value_store (copy, option, &value);
    }
  return copy;
}

static void
clear (FenConfig *config)
{
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    if (option->type == FEN_OPTION_STRING || option->type == FEN_OPTION_FILE)
      g_free (*(char **)((char *)config + option->offset));
}

void
fen_config_free (FenConfig *config)
{
  if (config == NULL)
    return;
  clear (config);
  g_free (config);
}

void
fen_config_take (FenConfig *config, FenConfig *other)
{
  clear (config);
  *config = *other;
  g_free (other);
}

gboolean
fen_config_set_words (FenConfig *config, const FenOption *option, const char *text, FenWords words,
                      GError **error)
{
  FenValue value = { 0 };
  if (!fen_value_parse_text (option, text, words, &value, error)
      || !fen_value_check (option, &value, config->expert, words, NULL, error))
    return FALSE;
  fen_value_store (config, option, &value);
  return TRUE;
}

gboolean
fen_config_set (FenConfig *config, const FenOption *option, const char *text, GError **error)
{
  return fen_config_set_words (config, option, text, FEN_WORDS_NAMES, error);
}

char *
fen_config_get_text (const FenConfig *config, const FenOption *option)
{
  FenValue value;
  fen_value_load (config, option, &value);
  return fen_value_to_text (option, &value);
}

gboolean
fen_config_check_ranges (const FenConfig *config, GHashTable *from_file, const char *source, GError **error)
{
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    {
      FenValue value;
      fen_value_load (config, option, &value);
      gboolean in_file = from_file != NULL && g_hash_table_contains (from_file, option->name);
      if (!fen_value_check (option, &value, config->expert, FEN_WORDS_NAMES, in_file ? source : NULL, error))
        return FALSE;
    }
  return TRUE;
}

const char **
fen_option_names (void)
{
  gsize count = 0;
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    count++;
  const char **names = g_new0 (const char *, count + 1);
  for (gsize i = 0; i < count; i++)
    names[i] = fen_config_options ()[i].name;
  return names;
}

char *
fen_option_flag (const FenOption *option)
{
  char *flag = g_strconcat ("--", option->name, NULL);
  return g_strdelimit (flag, "_", '-');
}
