/* The option table and its ways in and out: text, JSON, command line. Bad input is refused in exact words. */
#include "core/base/fen-io.h"
#include "core/base/fen-json.h"
#include "core/base/fen-random.h"
#include "core/config/fen-config.h"

#include <glib/gstdio.h>
#include <string.h>

static void
assert_same (const FenConfig *a, const FenConfig *b)
{
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    {
      g_autofree char *left = fen_config_get_text (a, option);
      g_autofree char *right = fen_config_get_text (b, option);
      g_assert_cmpstr (left, ==, right);
      /* Text is exact for numbers; look at the bits as well. */
      if (option->type == FEN_OPTION_DOUBLE)
        g_assert_cmpmem ((const char *)a + option->offset, 8, (const char *)b + option->offset, 8);
    }
}

static void
check_error (GError **error, FenConfigError code, const char *message)
{
  g_assert_error (*error, FEN_CONFIG_ERROR, (int)code);
  g_assert_cmpstr ((*error)->message, ==, message);
  g_assert_null (strchr ((*error)->message, '\n'));
  g_clear_error (error);
}

/* Every entry is complete and its default is itself allowed; the defaults give no reason for a note. */
static void
test_table (void)
{
  g_autoptr (FenConfig) config = fen_config_new ();
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) offsets = g_hash_table_new (NULL, NULL);
  FenOptionGroup group = FEN_GROUP_DATA;
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    {
      g_test_message ("%s", option->name);
      g_assert_true (g_hash_table_add (names, (gpointer)option->name));
      g_assert_true (g_hash_table_add (offsets, GSIZE_TO_POINTER (option->offset)));
      g_assert_true (strspn (option->name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen (option->name));
      g_assert_false (g_str_has_prefix (option->name, "no_")); /* --no-x is taken */
      g_assert_cmpint (option->group, >=, group);
      group = option->group;
      g_assert_true (option->title[0] != '\0' && option->details[0] != '\0');
      g_assert_true (g_str_has_suffix (option->help, ".") && g_str_has_suffix (option->details, "."));
      g_assert_null (strchr (option->help, '\n'));
      gboolean number = option->type == FEN_OPTION_INT || option->type == FEN_OPTION_DOUBLE
                        || option->type == FEN_OPTION_BYTES;
      g_assert_true (!number || option->min < option->max);
      g_assert_true (option->expert_min <= option->min && option->expert_max >= option->max);
      g_assert_true ((option->type == FEN_OPTION_CHOICE) == (option->choices != NULL));
      g_assert_true ((option->check == NULL) == (option->allowed == NULL));

      g_autofree char *text = fen_config_get_text (config, option);
      g_assert_cmpstr (text, ==, option->default_text);
      g_autoptr (GError) error = NULL;
      g_assert_true (fen_config_set (config, option, text, &error));
      g_assert_no_error (error);
      g_assert_true (fen_config_find_option (option->name) == option);
      g_autofree char *dashed = g_strdelimit (g_strdup (option->name), "_", '-');
      g_assert_true (fen_config_find_option (dashed) == option);
    }
  g_assert_null (fen_config_find_option ("window"));
  g_assert_null (fen_config_find_option ("window_size_"));
  g_assert_null (fen_config_find_option (""));

  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  g_assert_true (fen_config_validate (config, notes, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (notes->len, ==, 0);
  g_assert_cmpstr (config->model, ==, "10M");
  g_assert_cmpint (config->max_seq_len, ==, 2048);
  g_assert_cmpint (config->window_size, ==, 512);
  g_assert_cmpfloat (config->learning_rate, ==, 3e-4);
  g_assert_true (config->amp && config->gradient_checkpointing && config->use_flash_attn);
}

/* Every field of FenConfig is behind an option: a copy made by the table has the same bytes, strings aside. */
static void
test_table_is_complete (void)
{
  guint8 covered[sizeof (FenConfig)] = { 0 };
  static const gsize sizes[] = {
    [FEN_OPTION_BOOLEAN] = sizeof (gboolean), [FEN_OPTION_INT] = sizeof (gint64),
    [FEN_OPTION_DOUBLE] = sizeof (double),    [FEN_OPTION_BYTES] = sizeof (guint64),
    [FEN_OPTION_STRING] = sizeof (char *),    [FEN_OPTION_FILE] = sizeof (char *),
    [FEN_OPTION_CHOICE] = sizeof (int),
  };
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    memset (covered + option->offset, 1, sizes[option->type]);
  /* What is left is padding in front of 8-byte fields: never 8 bytes in a row. */
  guint gap = 0;
  for (gsize i = 0; i < sizeof covered; i++)
    {
      gap = covered[i] ? 0 : gap + 1;
      g_assert_cmpuint (gap, <=, 4);
    }
}

static void
set_ok (FenConfig *config, const char *name, const char *text, const char *expected)
{
  g_autoptr (GError) error = NULL;
  const FenOption *option = fen_config_find_option (name);
  g_assert_true (fen_config_set (config, option, text, &error));
  g_assert_no_error (error);
  g_autofree char *value = fen_config_get_text (config, option);
  g_assert_cmpstr (value, ==, expected);
}

static void
test_set (void)
{
  g_autoptr (FenConfig) config = fen_config_new ();
  set_ok (config, "window-size", "0", "0");
  set_ok (config, "window_size", "8192", "8192");
  set_ok (config, "amp", "Off", "false");
  set_ok (config, "amp", "1", "true");
  set_ok (config, "learning_rate", "1e-3", "0.001");
  set_ok (config, "learning_rate", "3E-4", "0.0003");
  set_ok (config, "memory_limit", "1.5 GiB", "1536MiB");
  set_ok (config, "memory_limit", "8GB", "7812500KiB");
  set_ok (config, "lr_schedule", "wsd", "wsd");
  g_assert_cmpint (config->lr_schedule, ==, FEN_LR_WSD);
  set_ok (config, "window_pattern", "model", "model");
  g_assert_cmpint (config->window_pattern, ==, FEN_WINDOW_MODEL);
  set_ok (config, "chunk_carry", "truncated", "truncated");
  g_assert_cmpint (config->chunk_carry, ==, FEN_CARRY_TRUNCATED);
  set_ok (config, "amp_dtype", "fp16", "fp16");
  g_assert_cmpint (config->amp_dtype, ==, FEN_AMP_FP16);
  set_ok (config, "device", "cuda:3", "cuda:3");
  set_ok (config, "tokenizer", "bpe:8000", "bpe:8000");
  set_ok (config, "run_name", "Täst 1", "Täst 1");
  set_ok (config, "dataset_file", "", "");
  set_ok (config, "expert", "yes", "true");
  set_ok (config, "window_size", "16", "16");
}

static void
test_set_errors (void)
{
  static const struct {
    const char *name, *text;
    FenConfigError code;
    const char *message;
  } cases[] = {
    { "window_size", "100", FEN_CONFIG_ERROR_RANGE,
      "window_size is 100; allowed: 0 (full attention) or 256 to 8192 tokens (expert: 1 to 16777216 "
      "tokens)" },
    { "window_size", "-1", FEN_CONFIG_ERROR_RANGE,
      "window_size is -1; allowed: 0 (full attention) or 256 to 8192 tokens (expert: 1 to 16777216 tokens)" },
    { "window_size", "abc", FEN_CONFIG_ERROR_TYPE, "window_size must be a whole number, not \"abc\"" },
    { "window_size", "", FEN_CONFIG_ERROR_TYPE, "window_size must be a whole number, not \"\"" },
    { "window_size", " 512", FEN_CONFIG_ERROR_TYPE, "window_size must be a whole number, not \" 512\"" },
    { "window_size", "512.0", FEN_CONFIG_ERROR_TYPE, "window_size must be a whole number, not \"512.0\"" },
    { "window_size", "0x200", FEN_CONFIG_ERROR_TYPE, "window_size must be a whole number, not \"0x200\"" },
    { "steps", "99999999999999999999", FEN_CONFIG_ERROR_RANGE,
      "steps is 99999999999999999999; allowed: 1 to 1000000000 steps" },
    { "steps", "0", FEN_CONFIG_ERROR_RANGE, "steps is 0; allowed: 1 to 1000000000 steps" },
    { "learning_rate", "nan", FEN_CONFIG_ERROR_TYPE, "learning_rate must be a number, not \"nan\"" },
    { "learning_rate", "inf", FEN_CONFIG_ERROR_TYPE, "learning_rate must be a number, not \"inf\"" },
    { "learning_rate", "1e999", FEN_CONFIG_ERROR_RANGE,
      "learning_rate is 1e999; allowed: 1e-08 to 1 (expert: 0 to 100)" },
    { "learning_rate", "2", FEN_CONFIG_ERROR_RANGE,
      "learning_rate is 2; allowed: 1e-08 to 1 (expert: 0 to 100)" },
    { "learning_rate", "1e-3x", FEN_CONFIG_ERROR_TYPE, "learning_rate must be a number, not \"1e-3x\"" },
    { "learning_rate", "1,5", FEN_CONFIG_ERROR_TYPE, "learning_rate must be a number, not \"1,5\"" },
    { "eval_share", "0.6", FEN_CONFIG_ERROR_RANGE, "eval_share is 0.6; allowed: 0 to 0.5" },
    { "grad_clip", "-1", FEN_CONFIG_ERROR_RANGE, "grad_clip is -1; allowed: 0 (off) or 1e-06 to 1000000" },
    { "amp", "maybe", FEN_CONFIG_ERROR_TYPE, "amp must be true or false, not \"maybe\"" },
    { "lr_schedule", "cosin", FEN_CONFIG_ERROR_RANGE,
      "lr_schedule is \"cosin\"; allowed: cosine, linear, constant or wsd" },
    { "memory_limit", "lots", FEN_CONFIG_ERROR_TYPE,
      "memory_limit must be an amount like 8GiB, 512MiB or 1073741824, not \"lots\"" },
    { "memory_limit", "1KiB", FEN_CONFIG_ERROR_RANGE,
      "memory_limit is 1KiB; allowed: 0 (what the device has) or 64MiB to 1PiB" },
    { "device", "gpu", FEN_CONFIG_ERROR_RANGE,
      "device is \"gpu\"; allowed: auto, cpu, cuda, or cuda:0 to cuda:1023" },
    { "device", "cuda:x", FEN_CONFIG_ERROR_RANGE,
      "device is \"cuda:x\"; allowed: auto, cpu, cuda, or cuda:0 to cuda:1023" },
    { "tokenizer", "bpe:10", FEN_CONFIG_ERROR_RANGE,
      "tokenizer is \"bpe:10\"; allowed: a tokenizer.json, its folder, bytes, or bpe:257 to bpe:4194304" },
    { "model", "", FEN_CONFIG_ERROR_RANGE, "model is \"\"; allowed: a preset or a model folder" },
    { "run_name", "../x", FEN_CONFIG_ERROR_RANGE,
      "run_name is \"../x\"; allowed: at most 100 bytes without slashes and control characters, not starting "
      "with "
      "a dot, not last" },
    { "run_name", "last", FEN_CONFIG_ERROR_RANGE,
      "run_name is \"last\"; allowed: at most 100 bytes without slashes and control characters, not starting with "
      "a dot, not last" },
    { "dataset_file", "\xFF.txt", FEN_CONFIG_ERROR_TYPE, "dataset_file must be a path, not \"\\xff.txt\"" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (FenConfig) config = fen_config_new ();
      g_autoptr (FenConfig) before = fen_config_copy (config);
      g_autoptr (GError) error = NULL;
      g_assert_false (fen_config_set (config, fen_config_find_option (cases[i].name), cases[i].text, &error));
      check_error (&error, cases[i].code, cases[i].message);
      assert_same (config, before);
    }
}

/* ---- property: any valid configuration survives every way out and in ---- */

static char *
random_text (FenRandom *random, const FenOption *option)
{
  static const char *const pieces[]
      = { "a", "ü", " ", "'", "\"", "\\", "$x", "--", "=", "\t", "#", "bpe", "日本", "-" };
  if (g_str_equal (option->name, "device"))
    return g_strdup_printf ("cuda:%u", (guint)fen_random_below (random, 1024));
  if (g_str_equal (option->name, "run_name"))
    return g_strdup_printf ("run %u", fen_random_u32 (random));
  GString *text = g_string_new (option->check != NULL ? "x" : "");
  for (guint n = (guint)fen_random_below (random, 6); n > 0; n--)
    g_string_append (text, pieces[fen_random_below (random, G_N_ELEMENTS (pieces))]);
  return g_string_free (text, FALSE);
}

static char *
random_number (FenRandom *random, const FenOption *option)
{
  char buffer[32];
  if (option->zero_means != NULL && fen_random_below (random, 4) == 0)
    return g_strdup ("0");
  double low = option->expert_min, high = option->expert_max;
  double u = fen_random_uniform (random);
  /* Small values as often as large ones, and the ends. */
  double value = fen_random_below (random, 2) ? low + (high - low) * u * u * u * u : low + (high - low) * u;
  switch (fen_random_below (random, 8))
    {
    case 0:
      value = low;
      break;
    case 1:
      value = high;
      break;
    default:
      break;
    }
  if (option->type != FEN_OPTION_DOUBLE)
    return g_strdup_printf ("%" G_GINT64_FORMAT, (gint64)value);
  return g_strdup (fen_json_format_double (value, buffer));
}

static FenConfig *
random_config (FenRandom *random)
{
  FenConfig *config = fen_config_new ();
  config->expert = TRUE;
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    {
      g_autofree char *text = NULL;
      g_autoptr (GError) error = NULL;
      if (g_str_equal (option->name, "expert") || fen_random_below (random, 3) == 0)
        continue;
      if (option->type == FEN_OPTION_BOOLEAN)
        text = g_strdup (fen_random_below (random, 2) ? "true" : "false");
      else if (option->type == FEN_OPTION_CHOICE)
        text
            = g_strdup (option->choices[fen_random_below (random, g_strv_length ((char **)option->choices))]);
      else if (option->type == FEN_OPTION_STRING || option->type == FEN_OPTION_FILE)
        text = random_text (random, option);
      else
        text = random_number (random, option);
      g_assert_true (fen_config_set (config, option, text, &error));
      g_assert_no_error (error);
    }
  return config;
}

static void
test_round_trips (void)
{
  FenRandom random;
  fen_random_init (&random, 17, 0);
  g_autofree char *folder = g_dir_make_tmp ("fen-config-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "config.json", NULL);
  for (guint i = 0; i < 500; i++)
    {
      g_autoptr (FenConfig) config = random_config (&random);
      g_autoptr (GError) error = NULL;

      g_autoptr (FenConfig) copy = fen_config_copy (config);
      assert_same (copy, config);

      g_autoptr (FenConfig) from_text = fen_config_new ();
      from_text->expert = TRUE;
      for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
        {
          g_autofree char *text = fen_config_get_text (config, option);
          g_assert_true (fen_config_set (from_text, option, text, &error));
        }
      assert_same (from_text, config);

      g_autofree char *json = fen_config_to_json (config);
      g_autoptr (JsonNode) root
          = fen_json_parse (json, strlen (json), "c", FEN_JSON_MAX_BYTES_CONFIG, &error);
      g_assert_no_error (error);
      g_autoptr (FenConfig) from_json = fen_config_new ();
      g_assert_true (fen_config_read_json (from_json, json_node_get_object (root), "c", &error));
      g_assert_no_error (error);
      assert_same (from_json, config);
      g_assert_true (g_str_has_suffix (json, "}\n"));

      g_autofree char *line = fen_config_command_line (config, "fenestra-cli train");
      g_auto (GStrv) words = NULL;
      int argc;
      g_assert_true (g_shell_parse_argv (line, &argc, &words, &error));
      g_autofree char **argv = g_memdup2 (words, sizeof (char *) * (gsize)(argc + 1));
      g_autoptr (FenConfig) from_line = fen_config_new ();
      g_assert_true (fen_config_parse_args (from_line, &argc, &argv, NULL, &error));
      g_assert_no_error (error);
      g_assert_cmpint (argc, ==, 2);
      g_assert_cmpstr (argv[1], ==, "train");
      assert_same (from_line, config);

      if (i > 3)
        continue;
      g_autoptr (FenConfig) from_file = fen_config_new ();
      g_assert_true (fen_config_save (config, path, &error));
      g_assert_true (fen_config_load (from_file, path, &error));
      assert_same (from_file, config);
    }
  g_assert_true (fen_io_remove_tree (folder, NULL));
}

/* ---- JSON ---- */

static gboolean
read_json (FenConfig *config, const char *text, GError **error)
{
  g_autoptr (JsonNode) root
      = fen_json_parse (text, strlen (text), "c.json", FEN_JSON_MAX_BYTES_CONFIG, error);
  g_assert_nonnull (root);
  return fen_config_read_json (config, json_node_get_object (root), "c.json", error);
}

static void
test_json (void)
{
  g_autoptr (FenConfig) config = fen_config_new ();
  g_autoptr (GError) error = NULL;
  /* `expert` after the value that needs it; amounts as number and as text; an integer written as a float. */
  g_assert_true (read_json (config,
                            "{\"window_size\": 16, \"memory_limit\": 134217728, \"seed\": 9007199254740991,"
                            " \"steps\": 2e3, \"amp\": false, \"lr_schedule\": \"wsd\", \"grad_clip\": 2,"
                            " \"expert\": true}",
                            &error));
  g_assert_no_error (error);
  g_assert_cmpint (config->window_size, ==, 16);
  g_assert_cmpuint (config->memory_limit, ==, 134217728);
  g_assert_cmpint (config->seed, ==, G_GINT64_CONSTANT (9007199254740991));
  g_assert_cmpint (config->steps, ==, 2000);
  g_assert_cmpint (config->lr_schedule, ==, FEN_LR_WSD);
  g_assert_true (read_json (config, "{\"memory_limit\": \"2GiB\"}", &error));
  g_assert_cmpuint (config->memory_limit, ==, G_GUINT64_CONSTANT (2) << 30);
  g_assert_cmpint (config->window_size, ==, 16);
}

static void
test_json_errors (void)
{
  static const struct {
    const char *text;
    FenConfigError code;
    const char *message;
  } cases[] = {
    { "{\"steps\": 5, \"widnow_size\": 5}", FEN_CONFIG_ERROR_UNKNOWN_OPTION,
      "c.json: unknown option \"widnow_size\"; did you mean window_size?" },
    { "{\"window-size\": 512}", FEN_CONFIG_ERROR_UNKNOWN_OPTION,
      "c.json: unknown option \"window-size\"; did you mean window_size?" },
    { "{\"banana\": 1}", FEN_CONFIG_ERROR_UNKNOWN_OPTION,
      "c.json: unknown option \"banana\"; --help lists all" },
    { "{\"\": 1}", FEN_CONFIG_ERROR_UNKNOWN_OPTION, "c.json: unknown option \"\"; --help lists all" },
    { "{\"architectures\": [\"GPT2LMHeadModel\"], \"model_type\": \"gpt2\"}", FEN_CONFIG_ERROR_UNKNOWN_OPTION,
      "c.json: unknown option \"architectures\"; this is a model's config.json: give its folder as the "
      "model" },
    { "{\"window_size\": \"512\"}", FEN_CONFIG_ERROR_TYPE,
      "c.json: window_size must be a whole number, not \"512\"" },
    { "{\"window_size\": 512.5}", FEN_CONFIG_ERROR_TYPE,
      "c.json: window_size must be a whole number, not 512.5" },
    { "{\"window_size\": null}", FEN_CONFIG_ERROR_TYPE,
      "c.json: window_size must be a whole number, not null" },
    { "{\"window_size\": [512]}", FEN_CONFIG_ERROR_TYPE,
      "c.json: window_size must be a whole number, not an array" },
    { "{\"window_size\": 100}", FEN_CONFIG_ERROR_RANGE,
      "c.json: window_size is 100; allowed: 0 (full attention) or 256 to 8192 tokens (expert: 1 to 16777216 "
      "tokens)" },
    { "{\"window_size\": 1e999}", FEN_CONFIG_ERROR_RANGE,
      "c.json: window_size is a number beyond every range; allowed: 0 (full attention) or 256 to 8192 tokens "
      "(expert: 1 to 16777216 tokens)" },
    { "{\"seed\": 9007199254740993}", FEN_CONFIG_ERROR_RANGE,
      "c.json: seed is 9007199254740993; allowed: 0 to 9007199254740991" },
    { "{\"seed\": 1e300}", FEN_CONFIG_ERROR_RANGE, "c.json: seed is 1e+300; allowed: 0 to 9007199254740991" },
    { "{\"learning_rate\": -1}", FEN_CONFIG_ERROR_RANGE,
      "c.json: learning_rate is -1; allowed: 1e-08 to 1 (expert: 0 to 100)" },
    { "{\"learning_rate\": true}", FEN_CONFIG_ERROR_TYPE,
      "c.json: learning_rate must be a number, not true" },
    { "{\"amp\": 1}", FEN_CONFIG_ERROR_TYPE, "c.json: amp must be true or false, not 1" },
    { "{\"amp\": \"on\"}", FEN_CONFIG_ERROR_TYPE, "c.json: amp must be true or false, not \"on\"" },
    { "{\"model\": 10}", FEN_CONFIG_ERROR_TYPE, "c.json: model must be text, not 10" },
    { "{\"log_file\": {}}", FEN_CONFIG_ERROR_TYPE, "c.json: log_file must be a path, not an object" },
    { "{\"lr_schedule\": \"fast\\nslow\"}", FEN_CONFIG_ERROR_RANGE,
      "c.json: lr_schedule is \"fast\\nslow\"; allowed: cosine, linear, constant or wsd" },
    { "{\"lr_schedule\": 1}", FEN_CONFIG_ERROR_TYPE, "c.json: lr_schedule must be text, not 1" },
    { "{\"memory_limit\": -1}", FEN_CONFIG_ERROR_RANGE,
      "c.json: memory_limit is -1; allowed: 0 (what the device has) or 64MiB to 1PiB" },
    { "{\"memory_limit\": \"8 GeeBee\"}", FEN_CONFIG_ERROR_TYPE,
      "c.json: memory_limit must be an amount like 8GiB, 512MiB or 1073741824, not \"8 GeeBee\"" },
    { "{\"device\": \"gpu\"}", FEN_CONFIG_ERROR_RANGE,
      "c.json: device is \"gpu\"; allowed: auto, cpu, cuda, or cuda:0 to cuda:1023" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (FenConfig) config = fen_config_new ();
      g_autoptr (FenConfig) before = fen_config_copy (config);
      g_autoptr (GError) error = NULL;
      g_assert_false (read_json (config, cases[i].text, &error));
      check_error (&error, cases[i].code, cases[i].message);
      assert_same (config, before);
    }
}

static void
test_bad_files (void)
{
  g_autofree char *folder = g_dir_make_tmp ("fen-config-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "config.json", NULL);
  g_autofree char *brackets = g_strnfill (200000, '[');
  const struct {
    const char *content, *message;
    FenJsonError code;
  } cases[] = {
    { "steps = 5\n", ": line 1, column 1: not JSON: a value expected, found \"s\"", FEN_JSON_ERROR_SYNTAX },
    { "", ": line 1, column 1: not JSON: a value expected, but the text ends", FEN_JSON_ERROR_SYNTAX },
    { "{\"steps\": \xFF}", ": line 1, column 11: not UTF-8 text: byte 0xff", FEN_JSON_ERROR_SYNTAX },
    { "{\"steps\": 5, \"steps\": 6}", ": line 1, column 21: the key \"steps\" stands twice in one object",
      FEN_JSON_ERROR_SYNTAX },
    { "[]", ": must hold a JSON object, not an array", FEN_JSON_ERROR_TYPE },
    { brackets, ": line 1, column 65: nested deeper than 64 brackets", FEN_JSON_ERROR_TOO_DEEP },
  };
  g_autoptr (FenConfig) config = fen_config_new ();
  g_autoptr (FenConfig) before = fen_config_copy (config);
  g_autoptr (GError) error = NULL;
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *expected = g_strconcat (path, cases[i].message, NULL);
      g_assert_true (g_file_set_contents (path, cases[i].content, -1, NULL));
      g_assert_false (fen_config_load (config, path, &error));
      g_assert_error (error, FEN_JSON_ERROR, (int)cases[i].code);
      g_assert_cmpstr (error->message, ==, expected);
      g_clear_error (&error);
      assert_same (config, before);
    }
  g_autofree char *large = g_strnfill (FEN_JSON_MAX_BYTES_CONFIG + 1, ' ');
  g_assert_true (g_file_set_contents (path, large, -1, NULL));
  g_assert_false (fen_config_load (config, path, &error));
  g_assert_error (error, FEN_JSON_ERROR, FEN_JSON_ERROR_TOO_LARGE);
  g_clear_error (&error);
  g_assert_false (fen_config_load (config, folder, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_ISDIR);
  g_clear_error (&error);
  g_autofree char *nowhere = g_build_filename (folder, "no", "config.json", NULL);
  g_assert_false (fen_config_save (config, nowhere, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_true (fen_io_remove_tree (folder, NULL));
}

/* ---- command line ---- */

/* Parses a line of words; what is left stands in `rest`, separated by spaces. */
static gboolean
parse_line (FenConfig *config, const char *line, GHashTable *explicit_options, char **rest, GError **error)
{
  g_auto (GStrv) words = NULL;
  int argc;
  g_assert_true (g_shell_parse_argv (line, &argc, &words, NULL));
  g_autofree char **argv = g_memdup2 (words, sizeof (char *) * (gsize)(argc + 1));
  int before = argc;
  gboolean ok = fen_config_parse_args (config, &argc, &argv, explicit_options, error);
  g_assert_true (ok || argc == before);
  g_assert_null (argv[argc]);
  if (rest != NULL)
    *rest = g_strjoinv (" ", argv);
  return ok;
}

static void
test_args (void)
{
  g_autoptr (FenConfig) config = fen_config_new ();
  g_autoptr (GHashTable) given = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GError) error = NULL;
  g_autofree char *rest = NULL;
  g_assert_true (parse_line (config,
                             "cli train --model gpt2 --dataset-file=a=b.txt --window-size 16 --no-amp --json "
                             "--gradient_checkpointing=off --learning-rate 1e-3 -v --run-name=--x --steps 5 "
                             "--steps 7 --expert --no-shuffle=false -- --steps 9",
                             given, &rest, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (rest, ==, "cli train --json -v -- --steps 9");
  g_assert_cmpstr (config->model, ==, "gpt2");
  g_assert_cmpstr (config->dataset_file, ==, "a=b.txt");
  g_assert_cmpint (config->window_size, ==, 16);
  g_assert_false (config->amp);
  g_assert_false (config->gradient_checkpointing);
  g_assert_true (config->shuffle);
  g_assert_cmpstr (config->run_name, ==, "--x");
  g_assert_cmpint (config->steps, ==, 7);
  g_assert_true (g_hash_table_contains (given, "window_size"));
  g_assert_true (g_hash_table_contains (given, "shuffle"));
  g_assert_false (g_hash_table_contains (given, "batch_size"));
  g_assert_cmpuint (g_hash_table_size (given), ==, 10);
}

/* defaults < file < flags, and a flag may widen the range of a value in the file. */
static void
test_args_precedence (void)
{
  g_autofree char *folder = g_dir_make_tmp ("fen-config-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "c.json", NULL);
  g_assert_true (
      g_file_set_contents (path, "{\"steps\": 5, \"batch_size\": 3, \"window_size\": 16}", -1, NULL));
  g_autoptr (FenConfig) config = fen_config_new ();
  g_autoptr (GHashTable) given = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GError) error = NULL;
  g_autofree char *rest = NULL;
  g_autofree char *line = g_strdup_printf ("cli --steps 9 --config %s --expert", path);
  g_assert_true (parse_line (config, line, given, &rest, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (rest, ==, "cli");
  g_assert_cmpint (config->steps, ==, 9);
  g_assert_cmpint (config->batch_size, ==, 3);
  g_assert_cmpint (config->window_size, ==, 16);
  g_assert_cmpuint (g_hash_table_size (given), ==, 4);

  /* Without --expert the file is to blame, unless a flag brings the value. */
  g_autoptr (FenConfig) fresh = fen_config_new ();
  g_autofree char *blamed = g_strdup_printf ("cli --config=%s", path);
  g_autofree char *message
      = g_strdup_printf ("%s: window_size is 16; allowed: 0 (full attention) or 256 to 8192 tokens "
                         "(expert: 1 to 16777216 tokens)",
                         path);
  g_assert_false (parse_line (fresh, blamed, NULL, NULL, &error));
  check_error (&error, FEN_CONFIG_ERROR_RANGE, message);
  g_autofree char *own = g_strdup_printf ("cli --config=%s --window-size 17", path);
  g_assert_false (parse_line (fresh, own, NULL, NULL, &error));
  check_error (
      &error, FEN_CONFIG_ERROR_RANGE,
      "window_size is 17; allowed: 0 (full attention) or 256 to 8192 tokens (expert: 1 to 16777216 tokens)");
  g_assert_true (fen_io_remove_tree (folder, NULL));
}

static void
test_args_errors (void)
{
  static const struct {
    const char *line;
    FenConfigError code;
    const char *message;
  } cases[] = {
    { "cli --steps", FEN_CONFIG_ERROR_TYPE, "--steps needs a value: 1 to 1000000000 steps" },
    { "cli --steps --amp", FEN_CONFIG_ERROR_TYPE, "--steps needs a value: 1 to 1000000000 steps" },
    { "cli --steps x", FEN_CONFIG_ERROR_TYPE, "steps must be a whole number, not \"x\"" },
    { "cli --steps 0", FEN_CONFIG_ERROR_RANGE, "steps is 0; allowed: 1 to 1000000000 steps" },
    { "cli --amp=maybe", FEN_CONFIG_ERROR_TYPE, "amp must be true or false, not \"maybe\"" },
    { "cli --lr-schedule fast", FEN_CONFIG_ERROR_RANGE,
      "lr_schedule is \"fast\"; allowed: cosine, linear, constant or wsd" },
    { "cli --config", FEN_CONFIG_ERROR_TYPE, "--config needs a value: a JSON file" },
    { "cli --config a --config b", FEN_CONFIG_ERROR_CONFLICT,
      "--config is given twice; one configuration file at a time is read" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (FenConfig) config = fen_config_new ();
      g_autoptr (FenConfig) before = fen_config_copy (config);
      g_autoptr (GHashTable) given = g_hash_table_new (g_str_hash, g_str_equal);
      g_autoptr (GError) error = NULL;
      g_assert_false (parse_line (config, cases[i].line, given, NULL, &error));
      check_error (&error, cases[i].code, cases[i].message);
      assert_same (config, before);
      g_assert_cmpuint (g_hash_table_size (given), ==, 0);
    }
}

static void
test_unknown_flags (void)
{
  static const char *const own[] = { "json", "save-config", "help", NULL };
  static const char *const cases[][2] = {
    { "--widnow-size", "unknown option \"--widnow-size\"; did you mean --window-size?" },
    { "--maxseqlen=9", "unknown option \"--maxseqlen=9\"; did you mean --max-seq-len?" },
    { "--no-ampp", "unknown option \"--no-ampp\"; did you mean --no-amp?" },
    { "--no-step", "unknown option \"--no-step\"; did you mean --steps?" },
    { "--jsn", "unknown option \"--jsn\"; did you mean --json?" },
    { "--save-cofnig", "unknown option \"--save-cofnig\"; did you mean --save-config?" },
    { "--confg", "unknown option \"--confg\"; did you mean --config?" },
    { "--banana", "unknown option \"--banana\"; --help lists all" },
    { "-", "unknown option \"-\"; --help lists all" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      fen_config_set_unknown_flag (&error, cases[i][0], own);
      check_error (&error, FEN_CONFIG_ERROR_UNKNOWN_OPTION, cases[i][1]);
    }
  g_autoptr (FenConfig) config = fen_config_new ();
  g_autofree char *rest = NULL;
  g_assert_true (parse_line (config, "cli --no-steps 5 --banana", NULL, &rest, NULL));
  g_assert_cmpstr (rest, ==, "cli --no-steps 5 --banana");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config/table", test_table);
  g_test_add_func ("/config/table-is-complete", test_table_is_complete);
  g_test_add_func ("/config/set", test_set);
  g_test_add_func ("/config/set-errors", test_set_errors);
  g_test_add_func ("/config/round-trips", test_round_trips);
  g_test_add_func ("/config/json", test_json);
  g_test_add_func ("/config/json-errors", test_json_errors);
  g_test_add_func ("/config/bad-files", test_bad_files);
  g_test_add_func ("/config/args", test_args);
  g_test_add_func ("/config/args-precedence", test_args_precedence);
  g_test_add_func ("/config/args-errors", test_args_errors);
  g_test_add_func ("/config/unknown-flags", test_unknown_flags);
  return g_test_run ();
}
