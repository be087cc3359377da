/* The settings under a person's hands: what is typed, what is wrong and whose it is, files, the draft. No display. */
#include "gui/settings/fen-settings.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#include "core/base/fen-io.h"
#include "tests/support/comma-locale.h"

/* What is the setting's text, value, error, reason and note? */
static const FenOption *
option (const char *name)
{
  const FenOption *found = fen_config_find_option (name);
  g_assert_nonnull (found);
  return found;
}

static gboolean
set (FenSettings *settings, const char *name, const char *text)
{
  return fen_settings_set_text (settings, option (name), text);
}

#define text_of(settings, name) fen_settings_get_text (settings, option (name))
#define error_of(settings, name) fen_settings_get_error (settings, option (name))
#define reason_of(settings, name) fen_settings_get_inactive_reason (settings, option (name))
#define note_of(settings, name) fen_settings_get_note (settings, option (name))

typedef struct {
  guint count;
  char *last; /* "" = many */
} Changes;

static void
on_changed (FenSettings *settings, const char *name, Changes *changes)
{
  changes->count++;
  g_free (changes->last);
  changes->last = g_strdup (name != NULL ? name : "");
}

static void
assert_changes (Changes *changes, guint count, const char *last)
{
  g_assert_cmpuint (changes->count, ==, count);
  g_assert_cmpstr (changes->last, ==, last);
  changes->count = 0;
  g_clear_pointer (&changes->last, g_free);
}

/* ---- what is typed ---- */

static void
test_typed (void)
{
  static const struct {
    const char *name, *text;
    gint64 value; /* of the configuration afterwards */
    const char *error;
  } cases[] = {
    { "window_size", "1024", 1024, NULL },
    { "window_size", "", 0, NULL },
    { "window_size", "0", 0, NULL },
    { "window_size", "255", 0, "255 cannot be used; allowed: 0 (full attention) or 256 to 8192 tokens" },
    { "window_size", "256", 256, NULL },
    { "window_size", " 8192 ", 8192, NULL },
    { "window_size", "8193", 8192, "8193 cannot be used; allowed: 0 (full attention) or 256 to 8192 tokens" },
    { "window_size", "abc", 8192,
      "\"abc\" is not a whole number; allowed: 0 (full attention) or 256 to 8192 tokens" },
    { "window_size", "99999999999999999999", 8192,
      "99999999999999999999 cannot be used; allowed: 0 (full attention) or 256 to 8192 tokens" },
    { "window_size", "-512", 8192, "-512 cannot be used; allowed: 0 (full attention) or 256 to 8192 tokens" },
    { "window_size", "512", 512, NULL },
    { "max_seq_len", "", 2048, NULL },
    { "max_seq_len", "63", 2048, "63 cannot be used; allowed: 64 to 16777216 tokens" },
    { "chunk_size", "31", 2048, "31 cannot be used; allowed: 32 to 8192 tokens" },
    { "chunk_size", "100", 100, NULL },
    { "steps", "1e3", 100, "\"1e3\" is not a whole number; allowed: 1 to 1000000000 steps" },
  };
  g_autoptr (FenSettings) settings = fen_settings_new ();
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_test_message ("%s = %s", cases[i].name, cases[i].text);
      gboolean ok = set (settings, cases[i].name, cases[i].text);
      g_autofree char *value
          = fen_config_get_text (fen_settings_get_config (settings), option (cases[i].name));
      g_assert_cmpint (g_ascii_strtoll (value, NULL, 10), ==, cases[i].value);
      g_assert_cmpstr (error_of (settings, cases[i].name), ==, cases[i].error);
      g_assert_true (ok == (cases[i].error == NULL));
      g_assert_cmpstr (text_of (settings, cases[i].name), ==, cases[i].text);
    }
}

static void
test_typed_other_kinds (void)
{
  g_autoptr (FenSettings) settings = fen_settings_new ();
  const FenConfig *config = fen_settings_get_config (settings);

  g_assert_true (set (settings, "learning_rate", "1e-3"));
  g_assert_cmpfloat (fen_settings_get_config (settings)->learning_rate, ==, 1e-3);
  g_assert_false (set (settings, "learning_rate", "0.1x"));
  g_assert_cmpstr (error_of (settings, "learning_rate"), ==, "\"0.1x\" is not a number; allowed: 1e-08 to 1");
  g_assert_cmpfloat (config->learning_rate, ==, 1e-3);

  g_assert_true (set (settings, "memory_limit", "8GiB"));
  g_assert_cmpuint (config->memory_limit, ==, G_GUINT64_CONSTANT (8) << 30);
  g_assert_false (set (settings, "memory_limit", "1MiB"));
  g_assert_cmpstr (error_of (settings, "memory_limit"), ==,
                   "1MiB cannot be used; allowed: 0 (what the device has) or 64MiB to 1PiB");
  g_assert_true (set (settings, "memory_limit", ""));
  g_assert_cmpuint (config->memory_limit, ==, 0);

  g_assert_true (set (settings, "lr_schedule", "wsd"));
  g_assert_cmpint (config->lr_schedule, ==, FEN_LR_WSD);
  g_assert_cmpstr (text_of (settings, "lr_schedule"), ==, "wsd");
  g_assert_false (set (settings, "lr_schedule", "saw"));
  g_assert_cmpstr (error_of (settings, "lr_schedule"), ==,
                   "\"saw\" cannot be used; allowed: Cosine, Linear, Constant or Warm-up, Stable, Decay");

  g_assert_true (set (settings, "text_field", ""));
  g_assert_cmpstr (config->text_field, ==, "text");
  g_assert_false (set (settings, "device", "gpu"));
  g_assert_cmpstr (error_of (settings, "device"), ==,
                   "\"gpu\" cannot be used; allowed: auto, cpu, cuda, or cuda:0 to cuda:1023");
  /* A file name that is no UTF-8 is an error, and what is shown of it is. */
  g_assert_false (set (settings, "dataset_file", "/tmp/b\xe4r.txt"));
  g_assert_true (g_utf8_validate (text_of (settings, "dataset_file"), -1, NULL));
  g_assert_cmpstr (error_of (settings, "dataset_file"), ==, "The text is not valid UTF-8");

  g_assert_true (set (settings, "amp", "off"));
  g_assert_false (fen_settings_get_boolean (settings, option ("amp")));
  g_assert_cmpstr (text_of (settings, "amp"), ==, "false");
  fen_settings_set_boolean (settings, option ("amp"), TRUE);
  g_assert_true (config->amp);
}

/* Once a change, with its name; nothing when nothing changed. */
static void
test_changed (void)
{
  g_autoptr (FenSettings) settings = fen_settings_new ();
  Changes changes = { 0 };
  g_signal_connect (settings, "changed", G_CALLBACK (on_changed), &changes);
  set (settings, "window_size", "512");
  assert_changes (&changes, 0, NULL);
  set (settings, "window_size", "1024");
  assert_changes (&changes, 1, "window_size");
  set (settings, "window_size", "102x");
  assert_changes (&changes, 1, "window_size");
  set (settings, "window_size", "102x");
  assert_changes (&changes, 0, NULL);
  fen_settings_set_boolean (settings, option ("amp"), TRUE);
  assert_changes (&changes, 0, NULL);
  fen_settings_set_boolean (settings, option ("amp"), FALSE);
  assert_changes (&changes, 1, "amp");
  fen_settings_reset (settings, option ("window_size"));
  assert_changes (&changes, 1, "window_size");
  g_assert_cmpstr (text_of (settings, "window_size"), ==, "512");
  g_assert_null (error_of (settings, "window_size"));
  fen_settings_reset (settings, option ("window_size"));
  assert_changes (&changes, 0, NULL);
  fen_settings_set_boolean (settings, option ("expert"), TRUE);
  assert_changes (&changes, 1, "");
}

/* Wider ranges make right what was typed; narrow ones keep it as text, and the configuration valid. */
static void
test_expert (void)
{
  g_autoptr (FenSettings) settings = fen_settings_new ();
  const FenConfig *config = fen_settings_get_config (settings);
  g_assert_false (set (settings, "window_size", "16"));
  g_assert_cmpint (config->window_size, ==, 512);
  fen_settings_set_boolean (settings, option ("expert"), TRUE);
  g_assert_null (error_of (settings, "window_size"));
  g_assert_cmpint (config->window_size, ==, 16);

  fen_settings_set_boolean (settings, option ("expert"), FALSE);
  g_assert_cmpstr (text_of (settings, "window_size"), ==, "16");
  g_assert_cmpstr (error_of (settings, "window_size"), ==,
                   "16 cannot be used; allowed: 0 (full attention) or 256 to 8192 tokens");
  g_assert_cmpint (config->window_size, ==, 512);
  g_autoptr (GError) error = NULL;
  g_assert_true (fen_config_validate (config, NULL, &error));
  g_assert_no_error (error);
}

/* ---- what is wrong, and whose it is ---- */

/* "name=value ..." on fresh settings. */
static FenSettings *
settings_with (const char *values)
{
  FenSettings *settings = fen_settings_new ();
  g_auto (GStrv) words = g_strsplit (values, " ", -1);
  for (guint i = 0; words[i] != NULL && words[i][0] != '\0'; i++)
    {
      g_auto (GStrv) pair = g_strsplit (words[i], "=", 2);
      set (settings, pair[0], pair[1]);
    }
  return settings;
}

static void
test_blockers (void)
{
  static const struct {
    const char *values, *option, *error, *blocker;
  } cases[] = {
    { "", NULL, NULL, NULL },
    { "window_size=255", "window_size",
      "255 cannot be used; allowed: 0 (full attention) or 256 to 8192 tokens",
      "Window Size: 255 cannot be used; allowed: 0 (full attention) or 256 to 8192 tokens" },
    { "log_file=/a/b.txt dataset_file=/a/b.txt", "log_file",
      "Metrics Copy and Dataset are the same file, /a/b.txt, which would be written over: name another",
      NULL },
    { "chunk_carry=truncated", "chunk_carry",
      "Carry Truncated (not exact: gradients stop at chunk borders) needs Context Chunking: switch that on, "
      "or "
      "set Carry to Exact",
      NULL },
    { "max_seq_len=16777216 batch_size=65536 gradient_accumulation_steps=65536 steps=1000000000", "steps",
      "Context Length 16777216 x Batch Size 65536 x Gradient Accumulation 65536 x Steps 1000000000 is more "
      "than "
      "2^62 tokens: lower one of them",
      NULL },
    /* The first in the table's order. */
    { "window_size=1 steps=0", "steps", "0 cannot be used; allowed: 1 to 1000000000 steps",
      "Steps: 0 cannot be used; allowed: 1 to 1000000000 steps" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (FenSettings) settings = settings_with (cases[i].values);
      const FenOption *blamed = option ("seed"); /* anything, to be replaced */
      const char *blocker = fen_settings_get_blocker (settings, &blamed);
      const char *expected = cases[i].blocker != NULL ? cases[i].blocker : cases[i].error;
      g_assert_cmpstr (blocker, ==, expected);
      g_assert_cmpstr (blamed != NULL ? blamed->name : NULL, ==, cases[i].option);
      for (const FenOption *each = fen_config_options (); each->name != NULL; each++)
        if (blamed != NULL && g_str_equal (each->name, blamed->name))
          g_assert_cmpstr (fen_settings_get_error (settings, each), ==, cases[i].error);
        else if (blamed == NULL || i < 5)
          g_assert_null (fen_settings_get_error (settings, each));
    }
}

/* Which settings other ones leave without effect: exactly these. */
static void
test_inactive (void)
{
  static const struct {
    const char *values, *option, *reason;
  } cases[] = {
    { "", "chunk_size", "No effect: Context Chunking is off" },
    { "", "chunk_carry", "No effect: Context Chunking is off" },
    { "", "lr_decay_share", "No effect: Schedule is not Warm-up, Stable, Decay" },
    { "lr_schedule=wsd", "lr_decay_share", NULL },
    { "lr_schedule=constant", "min_lr_ratio", "No effect: Schedule is Constant" },
    { "lr_schedule=wsd lr_decay_share=0", "min_lr_ratio", "No effect: Decay Share is 0" },
    { "lr_schedule=linear", "min_lr_ratio", NULL },
    { "", "text_field", "No effect: the dataset is no .jsonl file" },
    { "dataset_file=/a/b.txt", "text_field", "No effect: the dataset is no .jsonl file" },
    { "dataset_file=/a/folder", "text_field", "No effect: the dataset is no .jsonl file" },
    { "dataset_file=/a/b.JSONL", "text_field", NULL },
    { "use_chunked_training=on chunk_size=512", "chunk_size", NULL },
    { "use_chunked_training=on chunk_size=512", "chunk_carry", NULL },
    { "use_chunked_training=on chunk_size=4096", "chunk_size", NULL }, /* or it could not be made smaller */
    { "use_chunked_training=on chunk_size=4096", "chunk_carry", "No effect: one chunk holds the whole row" },
    { "use_chunked_training=on", "gradient_checkpointing",
      "No effect: Context Chunking recomputes every layer already" },
    { "gradient_checkpointing=off", "checkpoint_attention",
      "No effect: Gradient Checkpointing is off, everything is kept" },
    { "gradient_checkpointing=off use_chunked_training=on", "checkpoint_attention", NULL },
    { "", "checkpoint_attention", NULL },
    { "amp=off", "amp_dtype", "No effect: Mixed Precision is off" },
    { "", "amp_dtype", NULL },
    { "window_size=", "sink_tokens", "No effect: full attention sees every token" },
    { "window_size=4096", "sink_tokens", "No effect: full attention sees every token" },
    { "window_size=4096", "window_size", NULL }, /* a note: it must stay within reach */
    { "window_size=", "window_pattern", NULL },
    { "", "sink_tokens", NULL },
    { "window_pattern=model", "window_size",
      "No effect: Window Pattern The Model’s Own takes the model's own windows" },
    { "weight_decay=0", "decay_all", "No effect: Weight Decay is 0" },
    { "eval_share=0", "eval_interval", "No effect: Evaluation Share is 0" },
    { "eval_share=0", "eval_rows", "No effect: Evaluation Share is 0" },
    { "", "eval_rows", NULL },
    /* What is wrong must be within reach. */
    { "chunk_size=abc", "chunk_size", NULL },
    { "chunk_carry=truncated", "chunk_carry", NULL },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_test_message ("%s: %s", cases[i].values, cases[i].option);
      g_autoptr (FenSettings) settings = settings_with (cases[i].values);
      g_assert_cmpstr (reason_of (settings, cases[i].option), ==, cases[i].reason);
    }
}

static void
test_notes (void)
{
  static const struct {
    const char *values, *option, *note;
  } cases[] = {
    { "", "window_size", NULL },
    { "window_size=4096", "window_size", "Window Size 4096 >= Context Length 2048: full attention" },
    { "window_size=4096 max_seq_len=8192", "window_size", NULL },
    { "use_chunked_training=on chunk_size=2048", "chunk_size",
      "Chunk Size 2048 >= Context Length 2048: one chunk, the same as without chunking" },
    { "use_chunked_training=on chunk_size=512 chunk_carry=truncated", "chunk_carry",
      "Not exact: gradients stop at chunk borders" },
    { "window_size= window_pattern=alternate", "window_pattern",
      "Window Pattern Every Other Layer has no effect: Window Size is 0, full attention" },
    { "steps=5", "warmup_steps", "Warm-up 10 > Steps 5: the learning rate never reaches Learning Rate" },
    { "eval_share=0", "eval_share", "Evaluation Share 0: no text is kept out, so there is no evaluation" },
    { "window_size=x max_seq_len=300", "window_size", NULL }, /* the error comes first */
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (FenSettings) settings = settings_with (cases[i].values);
      g_assert_cmpstr (note_of (settings, cases[i].option), ==, cases[i].note);
    }
}

/* The model's shape is checked while it is known, and forgotten with the model. */
static void
test_model_shape (void)
{
  const FenModelShape gpt2 = { .hidden = 768,
                               .heads = 12,
                               .kv_heads = 12,
                               .layers = 12,
                               .vocab_size = 50257,
                               .max_positions = 1024,
                               .learned_positions = TRUE };
  g_autoptr (FenSettings) settings = settings_with ("model=gpt2");
  Changes changes = { 0 };
  g_signal_connect (settings, "changed", G_CALLBACK (on_changed), &changes);
  g_assert_null (error_of (settings, "max_seq_len"));
  fen_settings_set_model_shape (settings, &gpt2);
  assert_changes (&changes, 1, "");
  g_assert_cmpstr (
      error_of (settings, "max_seq_len"), ==,
      "Context Length 2048 is more than the 1024 positions that model gpt2 has: set Context Length "
      "to 1024 or less, or use a model with rotary positions (10M, llama-1b, ...)");
  fen_settings_set_model_shape (settings, &gpt2);
  assert_changes (&changes, 0, NULL);
  set (settings, "max_seq_len", "1024");
  g_assert_null (fen_settings_get_blocker (settings, NULL));
  set (settings, "window_pattern", "model");
  g_assert_cmpstr (reason_of (settings, "sink_tokens"), ==, "No effect: full attention sees every token");
  set (settings, "max_seq_len", "4096");
  g_assert_nonnull (error_of (settings, "max_seq_len"));
  set (settings, "model", "10M");
  g_assert_null (error_of (settings, "max_seq_len"));
  g_free (changes.last);
}

/* ---- files ---- */

static char *
temporary_folder (void)
{
  g_autoptr (GError) error = NULL;
  char *folder = g_dir_make_tmp ("fenestra-settings-XXXXXX", &error);
  g_assert_no_error (error);
  return folder;
}

static void
remove_folder (const char *folder)
{
  g_assert_true (fen_io_remove_tree (folder, NULL));
}

static char *
run_cli (const char *arguments)
{
  g_autofree char *program = g_shell_quote (g_getenv ("FENESTRA_CLI"));
  g_autofree char *line = g_strconcat (program, " ", arguments, NULL);
  g_autofree char *output = NULL, *errors = NULL;
  g_autoptr (GError) error = NULL;
  int status;
  g_assert_true (g_spawn_command_line_sync (line, &output, &errors, &status, &error));
  g_assert_no_error (error);
  g_spawn_check_wait_status (status, &error);
  if (error != NULL)
    g_test_message ("%s", errors);
  g_assert_no_error (error);
  return g_steal_pointer (&output);
}

static char *
read_file (const char *path)
{
  char *text = NULL;
  g_autoptr (GError) error = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, &error));
  g_assert_no_error (error);
  return text;
}

/* The window's file, the CLI's file and the CLI's file from the copied command are the same. */
static void
test_files (void)
{
  g_autofree char *folder = temporary_folder ();
  g_autofree char *mine = g_build_filename (folder, "mine.json", NULL);
  g_autofree char *theirs = g_build_filename (folder, "theirs.json", NULL);
  g_autoptr (FenSettings) settings
      = settings_with ("window_size=1024 learning_rate=0.001 memory_limit=2GiB lr_schedule=wsd amp=off "
                       "max_seq_len=8192 use_chunked_training=on chunk_size=500 seed=7");
  set (settings, "dataset_file", "/tmp/it's a \"text\" ä.txt");
  set (settings, "run_name", "-x y");
  g_autoptr (GError) error = NULL;
  g_assert_true (fen_settings_save (settings, mine, &error));
  g_assert_no_error (error);

  g_autofree char *command = fen_settings_command_line (settings);
  g_assert_true (g_str_has_prefix (command, "fenestra-cli train --"));
  g_autofree char *arguments
      = g_strconcat (command + strlen ("fenestra-cli "), " --save-config ", theirs, NULL);
  g_free (run_cli (arguments));
  g_autofree char *my_text = read_file (mine), *their_text = read_file (theirs);
  g_assert_cmpstr (my_text, ==, their_text);

  g_autoptr (FenSettings) other = settings_with ("window_size=abc steps=7");
  Changes changes = { 0 };
  g_signal_connect (other, "changed", G_CALLBACK (on_changed), &changes);
  g_assert_true (fen_settings_load (other, theirs, &error));
  g_assert_no_error (error);
  assert_changes (&changes, 1, "");
  g_assert_cmpstr (text_of (other, "window_size"), ==, "1024");
  g_assert_null (fen_settings_get_blocker (other, NULL));
  g_autofree char *again = fen_config_to_json (fen_settings_get_config (other));
  g_assert_cmpstr (again, ==, my_text);
  remove_folder (folder);
}

static void
test_bad_files (void)
{
  g_autofree char *folder = temporary_folder ();
  g_autofree char *path = g_build_filename (folder, "bad.json", NULL);
  g_autoptr (FenSettings) settings = settings_with ("steps=7 window_size=12");
  g_autoptr (GError) error = NULL;
  Changes changes = { 0 };
  g_assert_true (g_file_set_contents (path, "{\"window_size\": 12}", -1, NULL));
  g_signal_connect (settings, "changed", G_CALLBACK (on_changed), &changes);
  g_assert_false (fen_settings_load (settings, path, &error));
  g_assert_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_RANGE);
  g_assert_cmpstr (fen_config_error_get_option (error), ==, "window_size");
  assert_changes (&changes, 0, NULL);
  g_assert_cmpint (fen_settings_get_config (settings)->steps, ==, 7);
  g_clear_error (&error);
  /* The old value would be saved in place of what stands there. */
  g_assert_false (fen_settings_save (settings, path, &error));
  g_assert_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_CONFLICT);
  g_assert_nonnull (strstr (error->message, "Window Size: 12"));
  remove_folder (folder);
}

/* Another run's settings, even with values that no file may hold. */
static void
test_set_config (void)
{
  g_autoptr (FenSettings) settings = settings_with ("window_size=abc");
  g_autoptr (FenConfig) config = fen_config_new ();
  Changes changes = { 0 };
  g_signal_connect (settings, "changed", G_CALLBACK (on_changed), &changes);
  config->steps = 77;
  config->window_size = 16;
  fen_settings_set_config (settings, config);
  assert_changes (&changes, 1, "");
  g_assert_cmpint (fen_settings_get_config (settings)->steps, ==, 77);
  g_assert_cmpstr (text_of (settings, "window_size"), ==, "16");
  g_assert_nonnull (error_of (settings, "window_size"));
  g_assert_cmpint (fen_settings_get_config (settings)->window_size, ==, 512);
  fen_settings_set_config (settings, fen_settings_get_config (settings)); /* its own */
  g_assert_cmpstr (text_of (settings, "window_size"), ==, "512");
  g_assert_null (fen_settings_get_blocker (settings, NULL));
  g_free (changes.last);
}

/* ---- draft ---- */

static gboolean
draft_has (const char *path, const char *what)
{
  g_autofree char *text = NULL;
  return g_file_get_contents (path, &text, NULL, NULL) && strstr (text, what) != NULL;
}

static void
test_draft (void)
{
  g_autofree char *folder = temporary_folder ();
  g_autofree char *path = g_build_filename (folder, "new", "draft.json", NULL);
  FenSettings *settings = fen_settings_new ();
  fen_settings_keep_draft (settings, path);
  set (settings, "steps", "7");
  set (settings, "steps", "77");
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS)); /* not at every key */
  gint64 deadline = g_get_monotonic_time () + 5 * G_USEC_PER_SEC;
  while (!draft_has (path, "\"steps\": 77") && g_get_monotonic_time () < deadline)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (1000);
  g_assert_true (draft_has (path, "\"steps\": 77"));

  /* As after a crash: another object finds it while the first is still there. */
  g_autoptr (FenSettings) after = fen_settings_new ();
  fen_settings_keep_draft (after, path);
  g_assert_cmpint (fen_settings_get_config (after)->steps, ==, 77);
  fen_settings_keep_draft (after, NULL);

  /* What was changed within the last half second is there too after a clean end. */
  set (settings, "steps", "777");
  g_assert_finalize_object (settings);
  g_assert_true (draft_has (path, "\"steps\": 777"));

  g_assert_true (g_file_set_contents (path, "{\"steps\": ", -1, NULL));
  g_autoptr (FenSettings) damaged = settings_with ("steps=5");
  fen_settings_keep_draft (damaged, path);
  g_assert_cmpint (fen_settings_get_config (damaged)->steps, ==, 5);
  remove_folder (folder);
}

/* ---- numbers and locales ---- */

static void
test_locale (void)
{
  g_autofree char *folder = temporary_folder ();
  g_autofree char *path = g_build_filename (folder, "c.json", NULL);
  g_autoptr (FenSettings) settings = fen_settings_new ();
  comma_locale_begin (folder);
  const FenConfig *config = fen_settings_get_config (settings);

  /* What a person sees and types is the locale's ... */
  g_assert_cmpstr (text_of (settings, "eval_share"), ==, "0,05");
  g_assert_true (set (settings, "learning_rate", "0,001"));
  g_assert_cmpfloat (config->learning_rate, ==, 0.001);
  g_assert_true (set (settings, "weight_decay", "0.25")); /* never a group of three */
  g_assert_cmpfloat (config->weight_decay, ==, 0.25);
  g_assert_true (set (settings, "window_size", "4.096"));
  g_assert_cmpint (config->window_size, ==, 4096);
  g_assert_cmpstr (note_of (settings, "window_size"), ==,
                   "Window Size 4.096 >= Context Length 2.048: full attention");
  g_assert_false (set (settings, "window_size", "4,096"));
  g_assert_false (set (settings, "window_size", "40.96"));
  g_assert_cmpstr (error_of (settings, "window_size"), ==,
                   "\"40.96\" is not a whole number; allowed: 0 (full attention) or 256 to 8.192 tokens");
  g_assert_true (set (settings, "window_size", "1024"));
  g_assert_false (set (settings, "eval_share", "0,75"));
  g_assert_cmpstr (error_of (settings, "eval_share"), ==, "0,75 cannot be used; allowed: 0 to 0,5");
  g_assert_true (set (settings, "eval_share", "0,125"));

  /* ... and what programs read is not. */
  g_autofree char *command = fen_settings_command_line (settings);
  g_assert_nonnull (strstr (command, " --learning-rate 0.001"));
  g_assert_nonnull (strstr (command, " --eval-share 0.125"));
  g_assert_nonnull (strstr (command, " --window-size 1024"));
  g_autoptr (GError) error = NULL;
  g_assert_true (fen_settings_save (settings, path, &error));
  g_assert_no_error (error);
  g_autofree char *text = read_file (path);
  g_assert_nonnull (strstr (text, "\"eval_share\": 0.125"));
  g_autoptr (FenSettings) other = fen_settings_new ();
  g_assert_true (fen_settings_load (other, path, &error));
  g_assert_cmpfloat (fen_settings_get_config (other)->eval_share, ==, 0.125);
  g_assert_cmpstr (text_of (other, "eval_share"), ==, "0,125");
  g_autofree char *range = fen_option_range_text (option ("window_size"), FALSE);
  g_assert_cmpstr (range, ==, "0 (full attention) or 256 to 8192 tokens");
  g_autoptr (FenConfig) plain = fen_config_new ();
  g_assert_false (fen_config_set (plain, option ("eval_share"), "0,1", NULL));

  comma_locale_end ();
  remove_folder (folder);
}

/* ---- the table ---- */

static void
test_table (void)
{
  for (const FenOption *each = fen_config_options (); each->name != NULL; each++)
    {
      g_assert_true ((each->type == FEN_OPTION_CHOICE) == (each->choice_titles != NULL));
      if (each->choice_titles != NULL)
        g_assert_cmpuint (g_strv_length ((char **)each->choices), ==,
                          g_strv_length ((char **)each->choice_titles));
      g_assert_true (each->type != FEN_OPTION_FILE || each->path != 0);
      g_assert_true (each->path == 0 || each->type == FEN_OPTION_FILE || each->type == FEN_OPTION_STRING);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* First: it changes the environment, which no thread may read meanwhile. */
  g_test_add_func ("/settings/locale", test_locale);
  g_test_add_func ("/settings/typed", test_typed);
  g_test_add_func ("/settings/typed-other-kinds", test_typed_other_kinds);
  g_test_add_func ("/settings/changed", test_changed);
  g_test_add_func ("/settings/expert", test_expert);
  g_test_add_func ("/settings/blockers", test_blockers);
  g_test_add_func ("/settings/inactive", test_inactive);
  g_test_add_func ("/settings/notes", test_notes);
  g_test_add_func ("/settings/model-shape", test_model_shape);
  g_test_add_func ("/settings/files", test_files);
  g_test_add_func ("/settings/bad-files", test_bad_files);
  g_test_add_func ("/settings/set-config", test_set_config);
  g_test_add_func ("/settings/draft", test_draft);
  g_test_add_func ("/settings/table", test_table);
  return g_test_run ();
}
