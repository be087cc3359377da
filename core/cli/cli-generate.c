/* cli-generate.c: writes text with a model, streaming it. */
#include "core/cli/cli.h"

#include <glib-unix.h>
#include <stdio.h>
#include <string.h>

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
  g_string_append_len (output->text, text, (gssize) bytes);
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
  fen_json_writer_string (writer, "text", output->text->str);
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

typedef struct {
  char *prompt;
  gint64 max_tokens;
  double temperature, top_p;
  gint64 top_k;
  gboolean json;
} GenerateArguments;

static gboolean
check_arguments (const GenerateArguments *arguments, GError **error)
{
  const struct {
    const char *name;
    double value, min, max;
  } checks[] = {
    { "max-tokens", (double) arguments->max_tokens, 1, 16777216 },
    { "temperature", arguments->temperature, 0, 100 },
    { "top-k", (double) arguments->top_k, 0, 16777216 },
    { "top-p", arguments->top_p, 1e-6, 1 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (checks); i++)
    if (!(checks[i].value >= checks[i].min && checks[i].value <= checks[i].max))
      {
        char value[32], min[32], max[32];
        g_set_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_RANGE, "--%s: %s is out of range; allowed: %s to %s",
                     checks[i].name, fen_json_format_double (checks[i].value, value) ? value : "nan",
                     fen_json_format_double (checks[i].min, min), fen_json_format_double (checks[i].max, max));
        return FALSE;
      }
  return TRUE;
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

/* Generation runs beside the main loop, which only listens for signals. */
static gpointer
run_job (gpointer data)
{
  Job *job = data;
  fen_generator_run (job->generator, &job->sampler, write_text, &job->output, job->output.cancellable, &job->result,
                     &job->error);
  g_main_loop_quit (job->loop);
  return NULL;
}

static int
generate (const GenerateArguments *arguments, const FenConfig *config, GError **error)
{
  g_autoptr (FenGenerator) generator
      = fen_generator_new (config, arguments->prompt != NULL ? arguments->prompt : "", arguments->max_tokens, error);
  if (generator == NULL)
    return cli_report (*error);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Job job = {
    .generator = generator,
    .sampler = { .temperature = arguments->temperature, .top_k = arguments->top_k, .top_p = arguments->top_p,
                 .seed = (guint64) config->seed },
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
  GenerateArguments arguments = { .max_tokens = 256, .temperature = defaults.temperature, .top_p = defaults.top_p,
                                  .top_k = defaults.top_k };
  const GOptionEntry entries[] = {
    { "prompt", 0, 0, G_OPTION_ARG_STRING, &arguments.prompt, "Text to go on from", "TEXT" },
    { "max-tokens", 0, 0, G_OPTION_ARG_INT64, &arguments.max_tokens, "Longest continuation (256)", "N" },
    { "temperature", 0, 0, G_OPTION_ARG_DOUBLE, &arguments.temperature, "0 = always the likeliest token (0.8)", "T" },
    { "top-k", 0, 0, G_OPTION_ARG_INT64, &arguments.top_k, "Draw from the K likeliest tokens; 0 = all (0)", "K" },
    { "top-p", 0, 0, G_OPTION_ARG_DOUBLE, &arguments.top_p, "Draw from this share of the probability (0.95)", "P" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &arguments.json, "Print one JSON object at the end", NULL },
    { NULL },
  };
  g_autoptr (FenConfig) config = fen_config_new ();
  g_autoptr (GHashTable) explicit_options = g_hash_table_new (g_str_hash, g_str_equal);
  g_autofree char *prompt = NULL;
  g_autoptr (GError) error = NULL;
  int exit_code;
  const gboolean parsed = cli_parse ("generate", argc, argv, entries, config, explicit_options, NULL, &exit_code);
  prompt = arguments.prompt;
  if (!parsed)
    return exit_code;
  if (!check_arguments (&arguments, &error) || !cli_resolve_run (config, explicit_options, &error))
    return cli_report (error);
  return generate (&arguments, config, &error);
}
