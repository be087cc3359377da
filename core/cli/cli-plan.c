/* cli-plan.c: the memory of a run, before the run and without a device. */
#include "core/cli/cli.h"

#include <string.h>

#include "core/train/fen-run-plan.h"

static void
print_notes (const GPtrArray *notes)
{
  for (guint i = 0; i < notes->len; i++)
    g_printerr ("note: %s\n", (const char *)g_ptr_array_index (notes, i));
}

int
cli_plan (int argc, char **argv)
{
  gboolean json = FALSE;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    { NULL },
  };
  g_autoptr (FenConfig) config = fen_config_new ();
  int exit_code;
  if (!cli_parse ("plan", argc, argv, entries, config, NULL, NULL, &exit_code))
    return exit_code;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (FenPlan) plan = fen_run_plan (config, notes, &error);
  print_notes (notes);
  if (plan == NULL)
    return cli_report (error);
  g_autofree char *text = json ? fen_plan_to_json (plan) : fen_plan_to_text (plan);
  if (!cli_print (text, strlen (text)))
    return FEN_EXIT_WRITE;
  return fen_plan_fits (plan, &error) ? FEN_EXIT_OK : cli_report (error);
}
