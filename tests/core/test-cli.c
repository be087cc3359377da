/* test-cli.c: fenestra-cli as a person or a script meets it: exit codes, errors that name the thing, and the whole way
 * from a text file to a model that writes.
 *
 * Given: the program in $FENESTRA_CLI, a temporary home. Oracles: the shared tokenizer cases, and the program's own
 * uninterrupted run for a stopped and resumed one.
 */
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/fen-io.h"
#include "core/train/fen-metrics.h"

typedef struct {
  char *home; /* everything of this test is in here */
  char *text; /* home/text.txt: 40 KB of words */
} Fixture;

typedef struct {
  char *out, *err;
  int status; /* exit code */
} Result;

static void
result_clear (Result *result)
{
  g_clear_pointer (&result->out, g_free);
  g_clear_pointer (&result->err, g_free);
}

static char **
make_environment (const Fixture *fixture)
{
  g_autofree char *data = g_build_filename (fixture->home, "data", NULL);
  g_autofree char *cache = g_build_filename (fixture->home, "cache", NULL);
  char **environment = g_get_environ ();
  environment = g_environ_setenv (environment, "HOME", fixture->home, TRUE);
  environment = g_environ_setenv (environment, "XDG_DATA_HOME", data, TRUE);
  return g_environ_setenv (environment, "XDG_CACHE_HOME", cache, TRUE);
}

/* Runs the program with the words of `arguments` ('|' separates them) and standard input `input` (or NULL). */
static Result
run_cli (const Fixture *fixture, const char *arguments, const char *input)
{
  g_auto (GStrv) words = g_strsplit (arguments, "|", -1);
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_ptr_array_add (argv, (gpointer)g_getenv ("FENESTRA_CLI"));
  for (char **word = words; *word != NULL; word++)
    g_ptr_array_add (argv, *word);
  g_ptr_array_add (argv, NULL);

  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
  g_auto (GStrv) environment = make_environment (fixture);
  g_subprocess_launcher_set_environ (launcher, environment);
  g_autoptr (GSubprocess) process
      = g_subprocess_launcher_spawnv (launcher, (const char *const *)argv->pdata, &error);
  g_assert_no_error (error);
  Result result = { 0 };
  g_subprocess_communicate_utf8 (process, input != NULL ? input : "", NULL, &result.out, &result.err, &error);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_get_if_exited (process)); /* whatever comes in, no signal ends it */
  result.status = g_subprocess_get_exit_status (process);
  return result;
}

/* The error is one line, and every part (separated by '|') is in it. */
static void
assert_error (const Fixture *fixture, const char *arguments, const char *input, int status, const char *parts)
{
  Result result = run_cli (fixture, arguments, input);
  if (result.status != status)
    g_test_message ("%s\nout: %s\nerr: %s", arguments, result.out, result.err);
  g_assert_cmpint (result.status, ==, status);
  const char *line = strstr (result.err, "fenestra-cli: ");
  g_assert_nonnull (line);
  const char *newline = strchr (line, '\n');
  g_assert_nonnull (newline);
  g_assert_cmpstr (newline, ==, "\n");
  g_auto (GStrv) expected = g_strsplit (parts, "|", -1);
  for (char **part = expected; *part != NULL; part++)
    if (strstr (line, *part) == NULL)
      g_error ("\"%s\" is not in: %s", *part, line);
  result_clear (&result);
}

static void
write_text (const char *path, gsize bytes)
{
  static const char *const words[]
      = { "window", "token", "attention", "the",    "a",    "row",    "sees",  "of",
          "keys",   "and",   "learns",    "memory", "plan", "before", "after", "every" };
  g_autoptr (GString) text = g_string_new (NULL);
  guint32 state = 12345;
  while (text->len < bytes)
    {
      state = state * 1664525u + 1013904223u;
      g_string_append (text, words[state >> 28]);
      g_string_append (text, (state & 0x7000) == 0 ? ".\n" : " ");
    }
  g_assert_true (g_file_set_contents (path, text->str, (gssize)text->len, NULL));
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->home = g_dir_make_tmp ("fenestra-cli-XXXXXX", NULL);
  fixture->text = g_build_filename (fixture->home, "text.txt", NULL);
  write_text (fixture->text, 40000);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  fen_io_remove_tree (fixture->home, NULL);
  g_free (fixture->home);
  g_free (fixture->text);
}

/* ---- tests ---- */

#define TINY                                                                                                 \
  "--model|nano|--tokenizer|bytes|--max-seq-len|64|--batch-size|2|--device|cpu|--threads|1|--eval-rows|2"

static void
test_usage (Fixture *fixture, gconstpointer data)
{
  assert_error (fixture, "frobnicate", NULL, 2, "frobnicate|--help");
  assert_error (fixture, "train|--stepz|5", NULL, 2, "stepz|steps");
  assert_error (fixture, "train|--steps|0", NULL, 2, "steps|0");
  assert_error (fixture, "train|--steps|abc", NULL, 2, "steps|abc");
  assert_error (fixture, "train|--window-size|255", NULL, 2, "window_size|255|256|8192");
  assert_error (fixture, "train|--window-size|8193", NULL, 2, "window_size|8193|256|8192");
  assert_error (fixture, "train|leftover", NULL, 2, "leftover");
  assert_error (fixture, "train|--device|tpu", NULL, 2, "device|tpu");
  assert_error (fixture, "generate|--model|10M", NULL, 3, "10M|preset");
  assert_error (fixture, "generate|--model|10M|--top-p|2", NULL, 2, "top-p|2");
  assert_error (fixture, "tokenize", NULL, 2, "--tokenizer");
  assert_error (fixture, "runs|show|nothing", NULL, 3, "nothing");
  assert_error (fixture, "runs|dance", NULL, 2, "dance|list");
}

static void
test_help (Fixture *fixture, gconstpointer data)
{
  static const char *const commands[]
      = { "train", "plan", "generate", "tokenize", "detokenize", "runs", "info", "man" };
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      g_autofree char *arguments = g_strconcat (commands[i], "|--help", NULL);
      Result result = run_cli (fixture, arguments, NULL);
      g_assert_cmpint (result.status, ==, 0);
      g_assert_nonnull (strstr (result.out, commands[i]));
      result_clear (&result);
    }
  Result man = run_cli (fixture, "man", NULL);
  g_assert_cmpint (man.status, ==, 0);
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    {
      g_auto (GStrv) words = g_strsplit (option->name, "_", -1);
      g_autofree char *escaped = g_strjoinv ("\\-", words);
      if (strstr (man.out, escaped) == NULL)
        g_error ("the manual page lacks %s", escaped);
    }
  result_clear (&man);
}

static void
test_bad_data (Fixture *fixture, gconstpointer data)
{
  assert_error (fixture, "train|" TINY "|--dataset-file|/nonexistent/x.txt", NULL, 3, "/nonexistent/x.txt");

  g_autofree char *path = g_build_filename (fixture->home, "bad.txt", NULL);
  g_autofree char *train = g_strconcat ("train|" TINY "|--dataset-file|", path, NULL);
  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  assert_error (fixture, train, NULL, 3, "bad.txt|empty");
  g_assert_true (g_file_set_contents (path, "ab\0cd", 5, NULL));
  assert_error (fixture, train, NULL, 3, "bad.txt|2");
  g_assert_true (g_file_set_contents (path, "abc\xff\xfe", 5, NULL));
  assert_error (fixture, train, NULL, 3, "bad.txt|UTF-8|3");
  g_assert_true (g_file_set_contents (path, "too short", 9, NULL));
  assert_error (fixture, train, NULL, 3, "max_seq_len|64");

  g_autofree char *lines = g_build_filename (fixture->home, "bad.jsonl", NULL);
  g_autofree char *train_lines = g_strconcat ("train|" TINY "|--dataset-file|", lines, NULL);
  g_assert_true (g_file_set_contents (lines, "{\"text\": \"one\"}\n{\"text\": broken\n", -1, NULL));
  assert_error (fixture, train_lines, NULL, 3, "bad.jsonl|2");

  /* nothing half-written: no run folder was made for any of these */
  Result list = run_cli (fixture, "runs|list|--json", NULL);
  g_assert_cmpstr (list.out, ==, "[]\n");
  result_clear (&list);
}

static void
test_bad_files (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = g_build_filename (fixture->home, "bad.json", NULL);
  g_autofree char *train = g_strconcat ("train|--config|", path, NULL);
  g_autofree char *tokenize = g_strconcat ("tokenize|--tokenizer|", path, NULL);
  g_autofree char *folder = g_build_filename (fixture->home, "model", NULL);
  g_autofree char *config = g_build_filename (folder, "config.json", NULL);
  g_autofree char *use_model = g_strconcat ("plan|--model|", folder, NULL);
  g_assert_cmpint (g_mkdir (folder, 0777), ==, 0);
  assert_error (fixture, use_model, NULL, 3, "config.json");

  g_autofree char *brackets = g_strnfill (200000, '[');
  const char *const texts[] = { "this is not JSON", brackets };
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_assert_true (g_file_set_contents (path, texts[i], -1, NULL));
      g_assert_true (g_file_set_contents (config, texts[i], -1, NULL));
      assert_error (fixture, train, NULL, 3, "bad.json");
      assert_error (fixture, tokenize, "text", 3, "bad.json");
      assert_error (fixture, use_model, NULL, 3, "config.json");
    }
  g_assert_true (g_file_set_contents (path, "{\"stepz\": 3}", -1, NULL));
  assert_error (fixture, train, NULL, 2, "bad.json|stepz");
  g_assert_true (g_file_set_contents (path, "{\"steps\": \"many\"}", -1, NULL));
  assert_error (fixture, train, NULL, 2, "bad.json|steps|many");
  g_assert_true (g_file_set_contents (path, "{\"steps\": -3}", -1, NULL));
  assert_error (fixture, train, NULL, 2, "bad.json|steps|-3");
  g_assert_true (g_file_set_contents (config, "{\"model_type\": \"resnet\"}", -1, NULL));
  assert_error (fixture, use_model, NULL, 3, "resnet|gpt2|llama");
}

static void
test_does_not_fit (Fixture *fixture, gconstpointer data)
{
  assert_error (fixture, "plan|--model|gpt2|--max-seq-len|1024|--memory-limit|100MiB|--device|cpu", NULL, 4,
                "100 MiB");
  assert_error (fixture, "train|--model|gpt2|--max-seq-len|64|--memory-limit|100MiB|--device|cpu", NULL, 4,
                "100 MiB");
  Result plan = run_cli (fixture, "plan|--model|gpt2|--max-seq-len|1024|--device|cpu|--json", NULL);
  g_assert_cmpint (plan.status, ==, 0);
  g_autoptr (JsonNode) node = json_from_string (plan.out, NULL);
  g_assert_nonnull (node);
  result_clear (&plan);
}

static void
test_config_round_trip (Fixture *fixture, gconstpointer data)
{
  g_autofree char *first = g_build_filename (fixture->home, "a.json", NULL);
  g_autofree char *second = g_build_filename (fixture->home, "b.json", NULL);
  g_autofree char *save
      = g_strconcat ("train|--steps|7|--learning-rate|1e-8|--memory-limit|8GB|--save-config|", first, NULL);
  g_autofree char *again = g_strconcat ("train|--config|", first, "|--save-config|", second, NULL);
  Result result = run_cli (fixture, save, NULL);
  g_assert_cmpint (result.status, ==, 0);
  result_clear (&result);
  result = run_cli (fixture, again, NULL);
  g_assert_cmpint (result.status, ==, 0);
  result_clear (&result);
  g_autofree char *a = NULL, *b = NULL;
  g_assert_true (g_file_get_contents (first, &a, NULL, NULL));
  g_assert_true (g_file_get_contents (second, &b, NULL, NULL));
  g_assert_cmpstr (a, ==, b);
  g_assert_nonnull (strstr (a, "1e-08"));
}

/* Last train loss of each step, in order. */
static GArray *
read_losses (const char *run)
{
  GArray *losses = g_array_new (FALSE, TRUE, sizeof (double));
  g_autofree char *path = g_build_filename (run, "metrics.jsonl", NULL);
  g_autoptr (FenMetricsReader) reader = fen_metrics_reader_new (path);
  FenSample sample;
  while (fen_metrics_reader_next (reader, &sample, NULL) == FEN_METRICS_SAMPLE)
    if (sample.kind == FEN_SAMPLE_TRAIN)
      {
        if ((gint64)losses->len < sample.step)
          g_array_set_size (losses, (guint)sample.step);
        g_array_index (losses, double, sample.step - 1) = sample.loss;
      }
  return losses;
}

static char *
last_run (const Fixture *fixture)
{
  Result result = run_cli (fixture, "runs|last", NULL);
  g_assert_cmpint (result.status, ==, 0);
  char *path = g_strdup (g_strstrip (result.out));
  result_clear (&result);
  return path;
}

/* Trains, stops by SIGINT, resumes, and compares with a run that was left alone; then lets the model write. */
static void
test_journey (Fixture *fixture, gconstpointer data)
{
  g_autofree char *train = g_strconcat ("train|" TINY "|--steps|60|--learning-rate|1e-2|--warmup-steps|5|"
                                        "--dataset-file|",
                                        fixture->text, NULL);
  Result result = run_cli (fixture, train, NULL);
  if (result.status != 0)
    g_error ("train failed: %s", result.err);
  result_clear (&result);
  g_autofree char *whole = last_run (fixture);
  g_autoptr (GArray) expected = read_losses (whole);
  g_assert_cmpuint (expected->len, ==, 60);
  g_assert_cmpfloat (g_array_index (expected, double, 59), <, 0.7 * g_array_index (expected, double, 0));

  /* the same again in a second place, interrupted */
  g_autofree char *place = g_build_filename (fixture->home, "second", NULL);
  g_auto (GStrv) words = g_strsplit (train, "|", -1);
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_ptr_array_add (argv, (gpointer)g_getenv ("FENESTRA_CLI"));
  for (char **word = words; *word != NULL; word++)
    g_ptr_array_add (argv, *word);
  g_ptr_array_add (argv, (gpointer) "--output-dir");
  g_ptr_array_add (argv, place);
  g_ptr_array_add (argv, (gpointer) "--json");
  g_ptr_array_add (argv, NULL);
  g_autoptr (GSubprocessLauncher) launcher
      = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE);
  g_auto (GStrv) environment = make_environment (fixture);
  g_subprocess_launcher_set_environ (launcher, environment);
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) process
      = g_subprocess_launcher_spawnv (launcher, (const char *const *)argv->pdata, &error);
  g_assert_no_error (error);
  g_autoptr (GDataInputStream) lines = g_data_input_stream_new (g_subprocess_get_stdout_pipe (process));
  for (char *line; (line = g_data_input_stream_read_line (lines, NULL, NULL, NULL)) != NULL;)
    {
      const gboolean first_step = strstr (line, "\"train\"") != NULL;
      g_free (line);
      if (first_step)
        break;
    }
  g_subprocess_send_signal (process, SIGINT);
  g_assert_true (g_subprocess_wait (process, NULL, NULL));
  g_assert_true (g_subprocess_get_if_exited (process));
  const int status = g_subprocess_get_exit_status (process);
  g_assert_true (status == 130 || status == 0); /* 0: it was done before the signal came */
  if (status == 130)
    {
      g_autofree char *resume = g_strconcat ("train|--resume|last|--output-dir|", place, NULL);
      result = run_cli (fixture, resume, NULL);
      if (result.status != 0)
        g_error ("resume failed: %s", result.err);
      result_clear (&result);
    }
  g_autofree char *list = g_strconcat ("runs|last|--output-dir|", place, NULL);
  result = run_cli (fixture, list, NULL);
  g_autofree char *resumed = g_strdup (g_strstrip (result.out));
  result_clear (&result);
  g_autoptr (GArray) losses = read_losses (resumed);
  g_assert_cmpuint (losses->len, ==, 60);
  for (guint i = 0; i < 60; i++)
    g_assert_cmpfloat (g_array_index (losses, double, i), ==, g_array_index (expected, double, i));

  /* the model writes, the same for the same seed */
  g_autofree char *generate
      = g_strconcat ("generate|--model|", whole, "|--prompt|the |--max-tokens|40|--seed|3|--json", NULL);
  Result one = run_cli (fixture, generate, NULL), two = run_cli (fixture, generate, NULL);
  g_assert_cmpint (one.status, ==, 0);
  g_autoptr (JsonNode) a = json_from_string (one.out, NULL), b = json_from_string (two.out, NULL);
  const char *text = json_object_get_string_member (json_node_get_object (a), "text");
  g_assert_cmpstr (text, ==, json_object_get_string_member (json_node_get_object (b), "text"));
  g_assert_cmpint (json_object_get_int_member (json_node_get_object (a), "new_tokens"), ==, 40);
  result_clear (&one);
  result_clear (&two);

  /* config.json of the run runs again unchanged and gives the same losses */
  g_autofree char *third = g_build_filename (fixture->home, "third", NULL);
  g_autofree char *rerun = g_strconcat ("train|--config|", whole, "/config.json|--output-dir|", third, NULL);
  result = run_cli (fixture, rerun, NULL);
  g_assert_cmpint (result.status, ==, 0);
  result_clear (&result);
  g_autofree char *list_third = g_strconcat ("runs|last|--output-dir|", third, NULL);
  result = run_cli (fixture, list_third, NULL);
  g_autofree char *third_run = g_strdup (g_strstrip (result.out));
  result_clear (&result);
  g_autoptr (GArray) third_losses = read_losses (third_run);
  g_assert_cmpuint (third_losses->len, ==, 60);
  for (guint i = 0; i < 60; i++)
    g_assert_cmpfloat (g_array_index (third_losses, double, i), ==, g_array_index (expected, double, i));
}

/* Every case of the shared tokenizers, through the program. A call a case would be slow, so a dozen of them. */
static void
test_tokenize (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = g_build_filename (g_getenv ("FENESTRA_GOLDEN_DIR"), "tokenizers", data, NULL);
  g_autofree char *cases_path = g_build_filename (folder, "cases.json", NULL);
  g_autofree char *tokenize = g_strconcat ("tokenize|--json|--tokenizer|", folder, "/tokenizer.json", NULL);
  g_autofree char *detokenize
      = g_strconcat ("detokenize|--json|--tokenizer|", folder, "/tokenizer.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_assert_true (json_parser_load_from_file (parser, cases_path, NULL));
  JsonArray *cases = json_node_get_array (json_parser_get_root (parser));
  guint checked = 0;
  for (guint i = 0; i < json_array_get_length (cases); i += 5)
    {
      JsonObject *object = json_array_get_object_element (cases, i);
      Result ids = run_cli (fixture, tokenize, json_object_get_string_member (object, "text"));
      g_assert_cmpint (ids.status, ==, 0);
      g_autoptr (JsonNode) got = json_from_string (ids.out, NULL);
      g_assert_true (json_node_equal (json_object_get_member (json_node_get_object (got), "ids"),
                                      json_object_get_member (object, "ids")));
      Result text = run_cli (fixture, detokenize, ids.out);
      g_assert_cmpint (text.status, ==, 0);
      g_autoptr (JsonNode) decoded = json_from_string (text.out, NULL);
      g_assert_cmpstr (json_object_get_string_member (json_node_get_object (decoded), "text"), ==,
                       json_object_get_string_member (object, "decoded"));
      result_clear (&ids);
      result_clear (&text);
      checked++;
    }
  g_assert_cmpuint (checked, >=, 12);
}

static void
test_info (Fixture *fixture, gconstpointer data)
{
  Result result = run_cli (fixture, "info|--json", NULL);
  g_assert_cmpint (result.status, ==, 0);
  g_autoptr (JsonNode) node = json_from_string (result.out, NULL);
  JsonArray *backends = json_object_get_array_member (json_node_get_object (node), "backends");
  gboolean cpu_works = FALSE, cuda_told = FALSE;
  for (guint i = 0; i < json_array_get_length (backends); i++)
    {
      JsonObject *backend = json_array_get_object_element (backends, i);
      const gboolean has_device
          = json_array_get_length (json_object_get_array_member (backend, "devices")) > 0;
      /* a back end has a device or a reason in words */
      g_assert_true (has_device || strlen (json_object_get_string_member (backend, "off")) > 10);
      cpu_works |= has_device && strcmp (json_object_get_string_member (backend, "name"), "cpu") == 0;
      cuda_told |= strcmp (json_object_get_string_member (backend, "name"), "cuda") == 0;
    }
  g_assert_true (cuda_told);
  g_assert_true (cpu_works);
  result_clear (&result);
}

/* Ids in, text out: a NUL is a byte like others, and what is no list of ids is refused, never read half. */
static void
test_ids (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const char *input, *output;
  } good[] = {
    { "97 0 98", "{\"text\":\"a\\u0000b\"}\n" },
    { "[97,98]", "{\"text\":\"ab\"}\n" },
    { " {\"ids\": [97, 98]}\n", "{\"text\":\"ab\"}\n" },
    { "", "{\"text\":\"\"}\n" },
    { "{\"ids\": []}", "{\"text\":\"\"}\n" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    {
      Result result = run_cli (fixture, "detokenize|--tokenizer|bytes|--json", good[i].input);
      g_assert_cmpint (result.status, ==, 0);
      g_assert_cmpstr (result.out, ==, good[i].output);
      result_clear (&result);
    }
  static const char *const bad[][2] = {
    { "65 x 66", "\"x\"|byte 3" },
    { "1.5", "\"1.5\"|byte 0" },
    { "-1", "\"-1\"" },
    { "{\"ids\": [65, 66", "the end|byte 15" },
    { "[65]]", "\"]\"" },
    { "{\"text\": [65]}", "byte 0" },
    { "99999999999999999999999", "99999999999999999999999|4194303" },
    { "300", "300|257" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    assert_error (fixture, "detokenize|--tokenizer|bytes", bad[i][0], 3, bad[i][1]);
  assert_error (fixture, "tokenize|--tokenizr|bytes", "a", 2, "--tokenizr|--tokenizer|--json");
  assert_error (fixture, "runs|--jsn", NULL, 2, "--jsn|--json");
}

/* A run of few steps with a window that its model folder does not know of; returns its folder. */
static char *
train_windowed (Fixture *fixture)
{
  g_autofree char *train
      = g_strconcat ("train|" TINY "|--expert|--window-size|3|--steps|2|--run-name|narrow|--quiet|"
                     "--dataset-file|",
                     fixture->text, NULL);
  Result result = run_cli (fixture, train, NULL);
  g_assert_cmpint (result.status, ==, 0);
  result_clear (&result);
  return last_run (fixture);
}

static char *
greedy (Fixture *fixture, const char *model, const char *more)
{
  g_autofree char *arguments = g_strconcat (
      "generate|--temperature|0|--max-tokens|24|--prompt|the window sees|--model|", model, more, NULL);
  Result result = run_cli (fixture, arguments, NULL);
  if (result.status != 0)
    g_error ("%s: %s", arguments, result.err);
  char *text = g_strdup (result.out);
  result_clear (&result);
  return text;
}

/* A run's window goes with every way to name the run's weights. */
static void
test_window_is_inherited (Fixture *fixture, gconstpointer data)
{
  g_autofree char *run = train_windowed (fixture);
  g_autofree char *expected = greedy (fixture, run, "|--window-size|3|--expert");
  g_autofree char *full = greedy (fixture, run, "|--window-size|0");
  g_assert_cmpstr (expected, !=, full);
  g_autofree char *model = g_build_filename (run, "model", NULL);
  g_autofree char *slash = g_strconcat (model, "/", NULL);
  g_autofree char *checkpoint = g_build_filename (run, "checkpoints", "step-2", NULL);
  const char *const ways[] = { run, model, slash, checkpoint, "narrow", "last" };
  for (gsize i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_autofree char *text = greedy (fixture, ways[i], "");
      g_assert_cmpstr (text, ==, expected);
    }
  /* a copy elsewhere is a model like any other */
  g_autofree char *copy = g_build_filename (fixture->home, "model", NULL);
  g_assert_cmpint (g_rename (model, copy), ==, 0);
  g_autofree char *text = greedy (fixture, copy, "");
  g_assert_cmpstr (text, ==, full);
}

static void
test_generate_arguments (Fixture *fixture, gconstpointer data)
{
  g_autofree char *run = train_windowed (fixture);
  g_autofree char *base = g_strconcat ("generate|--max-tokens|2|--model|", run, "|", NULL);
  static const char *const bad[][2] = {
    { "--temperature|abc", "--temperature|abc|0 to 100" },
    { "--temperature|nan", "nan" },
    { "--top-k|1.5", "--top-k|1.5|whole" },
    { "--max-tokens|0", "--max-tokens|0|1 to 16777216" },
    { "--top-p|", "--top-p" },
    { "--prompt|a\xff"
      "b",
      "--prompt|0xff|offset 1" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *arguments = g_strconcat (base, bad[i][0], NULL);
      assert_error (fixture, arguments, NULL, 2, bad[i][1]);
    }
  /* what has no effect is told */
  g_autofree char *unused = g_strconcat (base, "--prompt|a|--steps|7|--chunk-size|64", NULL);
  Result result = run_cli (fixture, unused, NULL);
  g_assert_cmpint (result.status, ==, 0);
  g_assert_nonnull (strstr (result.err, "without effect on generate: steps, chunk_size"));
  result_clear (&result);
  /* a tokenizer with more tokens than the model has room for */
  g_autofree char *other
      = g_build_filename (g_getenv ("FENESTRA_GOLDEN_DIR"), "tokenizers", "metaspace-2048", NULL);
  g_autofree char *mismatch = g_strconcat (base, "--prompt|a|--tokenizer|", other, NULL);
  assert_error (fixture, mismatch, NULL, 3, "metaspace-2048|2048|257");
}

/* No file of anybody's is written over, and a place that cannot be written is known before a run folder is made. */
static void
test_outputs_are_checked_first (Fixture *fixture, gconstpointer data)
{
  g_autofree char *run = train_windowed (fixture);
  g_autofree char *metrics = g_build_filename (run, "metrics.jsonl", NULL);
  g_autofree char *before = NULL, *after = NULL;
  g_assert_true (g_file_get_contents (metrics, &before, NULL, NULL));
  g_autofree char *train = g_strconcat ("train|" TINY "|--steps|2|--dataset-file|", fixture->text, "|", NULL);
  g_autofree char *over_run = g_strconcat (train, "--log-file|", metrics, NULL);
  assert_error (fixture, over_run, NULL, 3, "log_file|metrics.jsonl");
  g_assert_true (g_file_get_contents (metrics, &after, NULL, NULL));
  g_assert_cmpstr (before, ==, after);

  g_autofree char *foreign = g_build_filename (fixture->home, "letter.txt", NULL);
  g_assert_true (g_file_set_contents (foreign, "Dear reader", -1, NULL));
  g_autofree char *over_letter = g_strconcat (train, "--log-file|", foreign, NULL);
  assert_error (fixture, over_letter, NULL, 3, "log_file|letter.txt");
  g_autofree char *nowhere = g_strconcat (train, "--log-file|/nonexistent/x.jsonl", NULL);
  assert_error (fixture, nowhere, NULL, 6, "log_file|/nonexistent/x.jsonl");
  g_autofree char *below_file = g_strconcat (train, "--output-dir|", foreign, "/runs", NULL);
  assert_error (fixture, below_file, NULL, 6, "output_dir|letter.txt/runs");

  Result list = run_cli (fixture, "runs|list|--json", NULL);
  g_autoptr (JsonNode) node = json_from_string (list.out, NULL);
  g_assert_cmpuint (json_array_get_length (json_node_get_array (node)), ==, 1);
  result_clear (&list);

  /* the run's own configuration runs again unchanged, beside it; a name on the command line is meant */
  g_autofree char *config = g_build_filename (run, "config.json", NULL);
  g_autofree char *again = g_strconcat ("train|--quiet|--config|", config, NULL);
  Result result = run_cli (fixture, again, NULL);
  g_assert_cmpint (result.status, ==, 0);
  result_clear (&result);
  g_autofree char *second = last_run (fixture);
  g_assert_true (g_str_has_suffix (second, "/narrow-2"));
  g_autofree char *meant = g_strconcat (again, "|--run-name|narrow", NULL);
  assert_error (fixture, meant, NULL, 3, "run_name|narrow");
}

/* Standard output on a full disk is a failure, and a hostile name does not steer the terminal. */
static void
test_printing (Fixture *fixture, gconstpointer data)
{
  static const char *const commands[] = { "info", "runs", "man", "plan --help" };
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      g_autofree char *line
          = g_strdup_printf ("%s %s >/dev/full 2>/dev/null", g_getenv ("FENESTRA_CLI"), commands[i]);
      g_assert_cmpint (WEXITSTATUS (system (line)), ==, 6);
    }
  g_autofree char *run = train_windowed (fixture);
  g_autofree char *name = g_build_filename (run, "name.txt", NULL);
  g_assert_true (g_file_set_contents (name, "x\033[31mRED", -1, NULL));
  const char *const lists[] = { "runs", "runs|show|last" };
  for (gsize i = 0; i < G_N_ELEMENTS (lists); i++)
    {
      Result result = run_cli (fixture, lists[i], NULL);
      g_assert_nonnull (strstr (result.out, "RED"));
      g_assert_null (strchr (result.out, '\033'));
      result_clear (&result);
    }
}

#define ADD(path, function, data) g_test_add (path, Fixture, data, set_up, function, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/cli/usage", test_usage, NULL);
  ADD ("/cli/help", test_help, NULL);
  ADD ("/cli/bad-data", test_bad_data, NULL);
  ADD ("/cli/bad-files", test_bad_files, NULL);
  ADD ("/cli/does-not-fit", test_does_not_fit, NULL);
  ADD ("/cli/config-round-trip", test_config_round_trip, NULL);
  ADD ("/cli/info", test_info, NULL);
  ADD ("/cli/tokenize/byte-level", test_tokenize, "bytelevel-512");
  ADD ("/cli/tokenize/metaspace", test_tokenize, "metaspace-2048");
  ADD ("/cli/journey", test_journey, NULL);
  ADD ("/cli/ids", test_ids, NULL);
  ADD ("/cli/window-is-inherited", test_window_is_inherited, NULL);
  ADD ("/cli/generate-arguments", test_generate_arguments, NULL);
  ADD ("/cli/outputs-are-checked-first", test_outputs_are_checked_first, NULL);
  ADD ("/cli/printing", test_printing, NULL);
  return g_test_run ();
}
