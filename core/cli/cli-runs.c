/* cli-runs.c: lists run folders, shows one. */
#include "core/cli/cli.h"

#include <math.h>
#include <string.h>

#include "core/base/fen-json.h"
#include "core/train/fen-run-folder.h"

static void
write_run (FenJsonWriter *writer, const FenRunInfo *info)
{
  fen_json_writer_begin_object (writer, NULL);
  fen_json_writer_string (writer, "id", info->id);
  fen_json_writer_string (writer, "name", info->name);
  fen_json_writer_string (writer, "path", info->path);
  fen_json_writer_string (writer, "status", fen_run_status_name (info->status));
  fen_json_writer_string (writer, "reason", info->reason);
  fen_json_writer_int (writer, "step", info->step);
  fen_json_writer_int (writer, "steps", info->steps);
  fen_json_writer_int (writer, "tokens", info->tokens);
  fen_json_writer_double (writer, "loss", info->loss);
  fen_json_writer_double (writer, "eval_loss", info->eval_loss);
  fen_json_writer_int (writer, "started", info->started);
  fen_json_writer_int (writer, "ended", info->ended);
  fen_json_writer_string (writer, "model", info->model);
  fen_json_writer_string (writer, "dataset", info->dataset);
  fen_json_writer_string (writer, "device", info->device);
  fen_json_writer_string (writer, "peak", info->peak[0] != '\0' ? info->peak : NULL);
  fen_json_writer_int (writer, "parameters", info->parameters);
  fen_json_writer_int (writer, "checkpoint_step", info->checkpoint_step);
  fen_json_writer_boolean (writer, "has_model", info->has_model);
  fen_json_writer_end_object (writer);
}

static int
print_writer (FenJsonWriter *writer)
{
  gsize length;
  const char *text = fen_json_writer_text (writer, &length);
  return cli_print (text, length) && cli_print ("\n", 1) ? FEN_EXIT_OK : FEN_EXIT_WRITE;
}

static char *
format_loss (double loss)
{
  return isnan (loss) ? g_strdup ("-") : g_strdup_printf ("%.4f", loss);
}

static char *
format_time (gint64 seconds)
{
  if (seconds <= 0)
    return g_strdup ("-");
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_local (seconds);
  return time != NULL ? g_date_time_format (time, "%Y-%m-%d %H:%M") : g_strdup ("-");
}

static void
print_row (const FenRunInfo *info)
{
  g_autofree char *loss = format_loss (info->loss);
  g_autofree char *eval_loss = format_loss (info->eval_loss);
  g_autofree char *started = format_time (info->started);
  g_autofree char *id = cli_one_line (info->id);
  g_autofree char *text = cli_one_line (
      info->status == FEN_RUN_DAMAGED || info->status == FEN_RUN_FAILED ? info->reason : info->name);
  g_print ("%-34s %-12s %8" G_GINT64_FORMAT "/%-8" G_GINT64_FORMAT " %8s %8s  %-16s  %s\n", id,
           fen_run_status_name (info->status), info->step, info->steps, loss, eval_loss, started, text);
}

static int
list_runs (const char *root, gboolean json, GError **error)
{
  g_autoptr (GPtrArray) runs = fen_runs_list (root, error);
  if (runs == NULL)
    return cli_report (*error);
  if (json)
    {
      g_autoptr (FenJsonWriter) writer = fen_json_writer_new (2);
      fen_json_writer_begin_array (writer, NULL);
      for (guint i = 0; i < runs->len; i++)
        write_run (writer, g_ptr_array_index (runs, i));
      fen_json_writer_end_array (writer);
      return print_writer (writer);
    }
  if (runs->len == 0)
    g_print ("no runs in %s\n", root);
  else
    g_print ("%-34s %-12s %17s %8s %8s  %-16s  %s\n", "run", "status", "step", "loss", "eval", "started",
             "name");
  for (guint i = 0; i < runs->len; i++)
    print_row (g_ptr_array_index (runs, i));
  return FEN_EXIT_OK;
}

static void
print_details (const FenRunInfo *info)
{
  g_autofree char *loss = format_loss (info->loss);
  g_autofree char *eval_loss = format_loss (info->eval_loss);
  g_autofree char *started = format_time (info->started);
  g_autofree char *ended = format_time (info->ended);
  g_autofree char *status = g_strconcat (fen_run_status_name (info->status),
                                         info->reason[0] != '\0' ? ": " : "", info->reason, NULL);
  g_autofree char *model
      = g_strdup_printf ("%s (%" G_GINT64_FORMAT " parameters)", info->model, info->parameters);
  const struct {
    const char *name, *value;
  } texts[] = {
    { "run", info->id }, { "name", info->name },       { "folder", info->path },   { "status", status },
    { "model", model },  { "dataset", info->dataset }, { "device", info->device },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autofree char *line = cli_one_line (texts[i].value);
      g_print ("%-11s %s\n", texts[i].name, line);
    }
  if (info->peak[0] != '\0')
    {
      g_autofree char *peak = cli_one_line (info->peak);
      g_print ("MFU         share of %s\n", peak);
    }
  g_print ("step        %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT ", %" G_GINT64_FORMAT " tokens\n",
           info->step, info->steps, info->tokens);
  g_print ("loss        %s\neval loss   %s\nstarted     %s\nended       %s\n", loss, eval_loss, started,
           ended);
  if (info->checkpoint_step >= 0)
    g_print ("checkpoint  step %" G_GINT64_FORMAT "\n", info->checkpoint_step);
}

static int
show_run (const char *root, const char *what, gboolean json, GError **error)
{
  g_autofree char *path = fen_runs_find (root, what, error);
  if (path == NULL)
    return cli_report (*error);
  g_autoptr (FenRunInfo) info = fen_run_info (path);
  if (!json)
    {
      print_details (info);
      return FEN_EXIT_OK;
    }
  g_autoptr (FenJsonWriter) writer = fen_json_writer_new (2);
  write_run (writer, info);
  return print_writer (writer);
}

static int
print_last (const char *root, GError **error)
{
  g_autofree char *path = fen_runs_find (root, "last", error);
  if (path == NULL)
    return cli_report (*error);
  g_print ("%s\n", path);
  return FEN_EXIT_OK;
}

int
cli_runs (int argc, char **argv)
{
  gboolean json = FALSE;
  g_autofree char *output_dir = NULL;
  g_auto (GStrv) rest = NULL;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    { "output-dir", 0, 0, G_OPTION_ARG_FILENAME, &output_dir, "Where the run folders are", "DIR" },
    { NULL },
  };
  int exit_code;
  if (!cli_parse ("runs", argc, argv, entries, NULL, NULL, &rest, &exit_code))
    return exit_code;
  g_autoptr (GError) error = NULL;
  g_autofree char *root = output_dir != NULL ? g_strdup (output_dir) : fen_runs_root (NULL);
  const guint n = g_strv_length (rest);
  if (n == 0 || (n == 1 && strcmp (rest[0], "list") == 0))
    return list_runs (root, json, &error);
  if (n == 1 && strcmp (rest[0], "last") == 0)
    return print_last (root, &error);
  if (n == 2 && strcmp (rest[0], "show") == 0)
    return show_run (root, rest[1], json, &error);
  if (n == 1 && strcmp (rest[0], "show") == 0)
    return cli_usage_error ("runs show: which run? Give its folder, id, name, or last");
  if (n > 1
      && (strcmp (rest[0], "list") == 0 || strcmp (rest[0], "last") == 0 || strcmp (rest[0], "show") == 0))
    return cli_usage_error ("runs %s: unexpected argument \"%s\"", rest[0],
                            rest[strcmp (rest[0], "show") == 0 ? 2 : 1]);
  return cli_usage_error ("runs: \"%s\" is not understood; allowed are list, last and show RUN", rest[0]);
}
