/* cli-generate.c: writes text with a model, streaming it. */
#include "core/cli/cli.h"

#include <glib-unix.h>
#include <stdio.h>
#include <string.h>

#include "core/base/fen-error.h"
#include "core/base/fen-json.h"
#include "core/generate/fen-generator.h"

typedef struct {
  GString *text;  /* everything written */
  gboolean quiet; /* --json: nothing is streamed */
  GCancellable *cancellable;
} Output;

static void
write_text (const char *text, gsize bytes, gpointer user_data)
{
  Output *output = user_data;
  g_string_append_len (output->text, text, (gssize)bytes);
  if (!output->quiet && !cli_print (text, bytes))
    g_cancellable_cancel (output->cancellable); /* nobody listens any more */
}

static const char *
end_name (FenGenerateEnd end)
{
  static const char *const names[] = { "max_tokens", "end", "cancelled" };
  return names[end];
}

static void
print_json (const char *prompt, const Output *output, const FenGenerateResult *result)
{
  g_autoptr (FenJsonWriter) writer = fen_json_writer_new (0);
  fen_json_writer_begin_object (writer, NULL);
  fen_json_writer_string (writer, "prompt", prompt);
  fen_json_writer_string_len (writer, "text", output->text->str, output->text->len);
  fen_json_writer_int (writer, "prompt_tokens", result->prompt_tokens);
  fen_json_writer_int (writer, "new_tokens", result->new_tokens);
  fen_json_writer_double (writer, "prompt_seconds", result->prompt_seconds);
  fen_json_writer_double (writer, "new_seconds", result->new_seconds);
  fen_json_writer_string (writer, "end", end_name (result->end));
  fen_json_writer_end_object (writer);
  gsize length;
  const char *line = fen_json_writer_text (writer, &length);
  cli_print (line, length);
  cli_print ("\n", 1);
}

const char *const cli_generate_settings[]
    = { "model",          "tokenizer",   "seed",   "use_flash_attn", "window_size",
        "window_pattern", "sink_tokens", "amp",    "amp_dtype",      "memory_limit",
        "device",         "threads",     "expert", "output_dir",     NULL };

typedef struct {
  char *prompt;
  gint64 max_tokens;
  double temperature, top_p;
  gint64 top_k;
  gboolean json;
} GenerateArguments;

/* A flag as it was typed, and what it may be. Parsed here and not by GOption, whose errors do not say what is allowed
 * and who refuses UTF-8 where the locale is none. */
typedef struct {
  const char *name;
  double min, max;
  gboolean whole;
  const char *text; /* NULL: not given */
  double value;
} Number;

static gboolean
parse_number (Number *number, GError **error)
{
  if (number->text == NULL)
    return TRUE;
  char *end = NULL;
  number->value = g_ascii_strtod (number->text, &end);
  const gboolean read = end != number->text && *end == '\0' && !g_ascii_isspace (number->text[0]);
  if (read && number->value >= number->min && number->value <= number->max
      && (!number->whole || number->value == (double)(gint64)number->value))
    return TRUE;
  char min[32], max[32];
  g_autofree char *quoted = fen_error_quote (number->text);
  g_set_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_RANGE, "--%s is %s; allowed: %s%s to %s",
               number->name, quoted, number->whole ? "whole numbers from " : "",
               fen_json_format_double (number->min, min), fen_json_format_double (number->max, max));
  return FALSE;
}

static gboolean
check_prompt (const char *prompt, GError **error)
{
  const char *end;
  if (prompt == NULL || g_utf8_validate (prompt, -1, &end))
    return TRUE;
  g_set_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_TYPE,
               "--prompt is not UTF-8 text: byte 0x%02x at offset %" G_GSIZE_FORMAT, (guchar)*end,
               (gsize)(end - prompt));
  return FALSE;
}

/* Settings of training have nothing to say here, and that is said. */
static void
note_unused (const FenConfig *config, GHashTable *explicit_options)
{
  g_autoptr (GString) unused = g_string_new (NULL);
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    if (g_hash_table_contains (explicit_options, option->name)
        && !g_strv_contains (cli_generate_settings, option->name))
      g_string_append_printf (unused, "%s%s", unused->len > 0 ? ", " : "", option->name);
  if (unused->len > 0)
    g_printerr ("note: without effect on generate: %s\n", unused->str);
  if (g_hash_table_contains (explicit_options, "tokenizer") && g_str_has_prefix (config->tokenizer, "bpe:"))
    g_printerr ("note: tokenizer %s is for training; the model's own is used\n", config->tokenizer);
}

static gboolean
on_signal (gpointer cancellable)
{
  g_cancellable_cancel (cancellable);
  return G_SOURCE_REMOVE;
}

typedef struct {
  FenGenerator *generator;
  FenSamplerOptions sampler;
  Output output;
  FenGenerateResult result;
  GMainLoop *loop;
  GError *error;
} Job;

/* On the main thread: a quit before the loop runs would be lost, and a short text is done before it does. */
static gboolean
quit_loop (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

/* Generation runs beside the main loop, which only listens for signals. */
static gpointer
run_job (gpointer data)
{
  Job *job = data;
  fen_generator_run (job->generator, &job->sampler, write_text, &job->output, job->output.cancellable,
                     &job->result, &job->error);
  g_idle_add (quit_loop, job->loop);
  return NULL;
}

/* Nobody reads any more, or the disk is full: main says what there is to say. */
static gboolean
output_lost (const Output *output)
{
  return !output->quiet && ferror (stdout);
}

static int
generate (const GenerateArguments *arguments, const FenConfig *config, GError **error)
{
  g_autoptr (FenGenerator) generator = fen_generator_new (
      config, arguments->prompt != NULL ? arguments->prompt : "", arguments->max_tokens, error);
  if (generator == NULL)
    return cli_report (*error);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Job job = {
    .generator = generator,
    .sampler = { .temperature = arguments->temperature,
                 .top_k = arguments->top_k,
                 .top_p = arguments->top_p,
                 .seed = (guint64)config->seed },
    .output = { .text = text, .quiet = arguments->json, .cancellable = cancellable },
    .loop = loop,
  };
  g_unix_signal_add (SIGINT, on_signal, cancellable);
  g_unix_signal_add (SIGTERM, on_signal, cancellable);
  if (!arguments->json && arguments->prompt != NULL)
    cli_print (arguments->prompt, strlen (arguments->prompt));
  GThread *thread = g_thread_new ("generate", run_job, &job);
  g_main_loop_run (loop);
  g_thread_join (thread);
  if (output_lost (&job.output))
    return FEN_EXIT_WRITE;
  if (job.error != NULL)
    {
      if (!arguments->json)
        cli_print ("\n", 1);
      g_propagate_error (error, job.error);
      return cli_report (*error);
    }
  if (arguments->json)
    print_json (arguments->prompt != NULL ? arguments->prompt : "", &job.output, &job.result);
  else
    cli_print ("\n", 1);
  return job.result.end == FEN_GENERATE_CANCELLED ? FEN_EXIT_INTERRUPTED : FEN_EXIT_OK;
}

int
cli_generate (int argc, char **argv)
{
  const FenSamplerOptions defaults = FEN_SAMPLER_DEFAULTS;
  GenerateArguments arguments = { 0 };
  Number max_tokens = { "max-tokens", 1, 16777216, TRUE, NULL, 256 };
  Number temperature = { "temperature", 0, 100, FALSE, NULL, defaults.temperature };
  Number top_k = { "top-k", 0, 16777216, TRUE, NULL, (double)defaults.top_k };
  Number top_p = { "top-p", 1e-6, 1, FALSE, NULL, defaults.top_p };
  g_autofree char *prompt = NULL, *tokens_text = NULL, *temperature_text = NULL, *k_text = NULL,
                  *p_text = NULL;
  const GOptionEntry entries[] = {
    { "prompt", 0, 0, G_OPTION_ARG_FILENAME, &prompt, "Text to go on from", "TEXT" },
    { "max-tokens", 0, 0, G_OPTION_ARG_FILENAME, &tokens_text, "Longest continuation (256)", "N" },
    { "temperature", 0, 0, G_OPTION_ARG_FILENAME, &temperature_text, "0 = always the likeliest token (0.8)",
      "T" },
    { "top-k", 0, 0, G_OPTION_ARG_FILENAME, &k_text, "Draw from the K likeliest tokens; 0 = all (0)", "K" },
    { "top-p", 0, 0, G_OPTION_ARG_FILENAME, &p_text, "Draw from this share of the probability (0.95)", "P" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &arguments.json, "Print one JSON object at the end", NULL },
    { NULL },
  };
  g_autoptr (FenConfig) config = fen_config_new ();
  g_autoptr (GHashTable) explicit_options = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GError) error = NULL;
  int exit_code;
  if (!cli_parse ("generate", argc, argv, entries, config, explicit_options, NULL, &exit_code))
    return exit_code;
  max_tokens.text = tokens_text;
  temperature.text = temperature_text;
  top_k.text = k_text;
  top_p.text = p_text;
  if (!check_prompt (prompt, &error) || !parse_number (&max_tokens, &error)
      || !parse_number (&temperature, &error) || !parse_number (&top_k, &error)
      || !parse_number (&top_p, &error))
    return cli_report (error);
  note_unused (config, explicit_options);
  if (!cli_resolve_run (config, explicit_options, &error))
    return cli_report (error);
  arguments.prompt = prompt;
  arguments.max_tokens = (gint64)max_tokens.value;
  arguments.temperature = temperature.value;
  arguments.top_k = (gint64)top_k.value;
  arguments.top_p = top_p.value;
  return generate (&arguments, config, &error);
}
