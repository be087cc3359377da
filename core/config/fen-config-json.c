/* fen-config-json.c: configurations as JSON: a flat object, one member an option (see fen-config.h). */
#include "core/config/fen-config-private.h"

#include "core/base/fen-error.h"
#include "core/base/fen-io.h"
#include "core/base/fen-json.h"

#include <glib/gi18n-lib.h>
#include <string.h>

static gboolean
fail_unknown_key (JsonObject *object, const char *key, const char *source, GError **error)
{
  g_autofree const char **names = fen_option_names ();
  g_autofree char *quoted = fen_error_quote (key);
  const char *nearest = fen_error_nearest (key, names);
  if (nearest != NULL)
    g_set_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_UNKNOWN_OPTION,
                 _ ("%s: unknown option %s; did you mean %s?"), source, quoted, nearest);
  else if (json_object_has_member (object, "model_type") || json_object_has_member (object, "architectures"))
    g_set_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_UNKNOWN_OPTION,
                 _ ("%s: unknown option %s; this is a model's config.json: give its folder as the model"),
                 source, quoted);
  else
    g_set_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_UNKNOWN_OPTION,
                 _ ("%s: unknown option %s; --help lists all"), source, quoted);
  return FALSE;
}

gboolean
fen_config_read_json_types (FenConfig *config, JsonObject *object, const char *source, GHashTable *seen,
                            GError **error)
{
  JsonObjectIter iter;
  const char *key;
  JsonNode *node;
  json_object_iter_init_ordered (&iter, object);
  while (json_object_iter_next_ordered (&iter, &key, &node))
    {
      const FenOption *option = fen_config_find_option (key);
      FenValue value = { 0 };
      /* In a file the name has one spelling. */
      if (option == NULL || !g_str_equal (option->name, key))
        return fail_unknown_key (object, key, source, error);
      if (!fen_value_parse_json (option, node, source, &value, error))
        return FALSE;
      fen_value_store (config, option, &value);
      g_hash_table_add (seen, (gpointer)option->name);
    }
  return TRUE;
}

gboolean
fen_config_read_json (FenConfig *config, JsonObject *object, const char *source, GError **error)
{
  g_autoptr (FenConfig) work = fen_config_copy (config);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  if (!fen_config_read_json_types (work, object, source, seen, error)
      || !fen_config_check_ranges (work, seen, source, error))
    return FALSE;
  fen_config_take (config, g_steal_pointer (&work));
  return TRUE;
}

gboolean
fen_config_load (FenConfig *config, const char *path, GError **error)
{
  g_autofree char *source = g_filename_display_name (path);
  g_autoptr (JsonNode) root = fen_json_load (path, FEN_JSON_MAX_BYTES_CONFIG, error);
  JsonObject *object = root != NULL ? fen_json_root_object (root, source, error) : NULL;
  return object != NULL && fen_config_read_json (config, object, source, error);
}

static void
write_value (FenJsonWriter *writer, const FenOption *option, const FenValue *value)
{
  g_autofree char *text = NULL;
  switch (option->type)
    {
    case FEN_OPTION_BOOLEAN:
      fen_json_writer_boolean (writer, option->name, value->boolean);
      break;
    case FEN_OPTION_INT:
      fen_json_writer_int (writer, option->name, value->integer);
      break;
    case FEN_OPTION_DOUBLE:
      fen_json_writer_double (writer, option->name, value->number);
      break;
    case FEN_OPTION_BYTES:
    case FEN_OPTION_STRING:
    case FEN_OPTION_FILE:
    case FEN_OPTION_CHOICE:
      text = fen_value_to_text (option, value);
      fen_json_writer_string (writer, option->name, text);
      break;
    }
}

char *
fen_config_to_json (const FenConfig *config)
{
  g_autoptr (FenJsonWriter) writer = fen_json_writer_new (2);
  fen_json_writer_begin_object (writer, NULL);
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    {
      FenValue value;
      fen_value_load (config, option, &value);
      write_value (writer, option, &value);
    }
  fen_json_writer_end_object (writer);
  return g_strconcat (fen_json_writer_text (writer, NULL), "\n", NULL);
}

gboolean
fen_config_save (const FenConfig *config, const char *path, GError **error)
{
  g_autofree char *text = fen_config_to_json (config);
  return fen_io_write_file (path, text, strlen (text), error);
}
