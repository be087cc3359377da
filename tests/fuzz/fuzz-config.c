/* Configuration files and command lines. The input is a JSON file when it starts with white space or '{', otherwise
 * words of a command line, one a line. Promises: errors are in our domains and one line; a configuration that was
 * accepted is within its ranges, and its JSON and its command line give the same configuration. */
#include "core/base/fen-json.h"
#include "core/config/fen-advice.h"
#include "core/config/fen-config.h"
#include "tests/fuzz/fuzz-target.h"

#include <string.h>

static void
check_error (const GError *error)
{
  g_assert_nonnull (error);
  g_assert_true (error->domain == FEN_CONFIG_ERROR || error->domain == FEN_JSON_ERROR
                 || error->domain == G_FILE_ERROR);
  g_assert_null (strchr (error->message, '\n'));
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
}

static void
check_same (const FenConfig *a, const FenConfig *b)
{
  g_autofree char *left = fen_config_to_json (a);
  g_autofree char *right = fen_config_to_json (b);
  g_assert_cmpstr (left, ==, right);
}

static void
check_accepted (const FenConfig *config)
{
  g_autofree char *json = fen_config_to_json (config);
  g_autoptr (JsonNode) root = fen_json_parse (json, strlen (json), "again", FEN_JSON_MAX_BYTES_CONFIG, NULL);
  g_assert_nonnull (root);
  g_autoptr (FenConfig) from_json = fen_config_new ();
  g_assert_true (fen_config_read_json (from_json, json_node_get_object (root), "again", NULL));
  check_same (from_json, config);

  g_autofree char *line = fen_config_command_line (config, "x");
  g_auto (GStrv) words = NULL;
  int argc;
  g_assert_true (g_shell_parse_argv (line, &argc, &words, NULL));
  g_autofree char **argv = g_memdup2 (words, sizeof (char *) * (gsize)(argc + 1));
  g_autoptr (FenConfig) from_line = fen_config_new ();
  g_assert_true (fen_config_parse_args (from_line, &argc, &argv, NULL, NULL));
  g_assert_cmpint (argc, ==, 1);
  check_same (from_line, config);

  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  if (!fen_config_validate (config, notes, &error))
    check_error (error);
  for (gint64 step = 0; step < config->steps; step += config->steps / 3 + 1)
    {
      double rate = fen_config_learning_rate (config, step);
      g_assert_true (rate >= 0 && rate <= config->learning_rate * (1 + 1e-12));
    }
  FenAdvice advice;
  fen_advice_for (config->max_seq_len, FEN_TASK_ANY, config->memory_limit, &advice);
  g_autofree char *text = fen_advice_to_text (&advice);
  g_assert_true (g_str_has_suffix (text, "."));
}

static void
fuzz_json (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenConfig) config = fen_config_new ();
  g_autoptr (JsonNode) root
      = fen_json_parse ((const char *)data, size, "fuzz", FEN_JSON_MAX_BYTES_CONFIG, &error);
  JsonObject *object = root != NULL ? fen_json_root_object (root, "fuzz", &error) : NULL;
  if (object != NULL && fen_config_read_json (config, object, "fuzz", &error))
    check_accepted (config);
  else
    check_error (error);
}

static void
fuzz_args (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenConfig) config = fen_config_new ();
  g_autofree char *text = g_strndup ((const char *)data, size);
  g_auto (GStrv) words = g_strsplit (text, "\n", 64);
  int argc = (int)g_strv_length (words);
  /* A configuration file from the fuzzer would be any file of this machine. */
  for (int i = 0; i < argc; i++)
    if (g_str_has_prefix (words[i], "--config"))
      return;
  g_autofree char **argv = g_memdup2 (words, sizeof (char *) * (gsize)(argc + 1));
  char **rest = argv;
  if (!fen_config_parse_args (config, &argc, &rest, NULL, &error))
    {
      check_error (error);
      return;
    }
  check_accepted (config);
  for (int i = 1; i < argc; i++)
    {
      g_autoptr (GError) unknown = NULL;
      fen_config_set_unknown_flag (&unknown, rest[i], NULL);
      check_error (unknown);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  if (size > 0 && (data[0] == '{' || g_ascii_isspace (data[0])))
    fuzz_json (data, size);
  else
    fuzz_args (data, size);
  return 0;
}
