/* fen-config-validate.c: what the checks find, as the command line tells it: the first error, and the notes. */
#include "core/config/fen-config-private.h"

#include <glib/gi18n-lib.h>

static gboolean
has_note (GPtrArray *findings, const FenOption *option)
{
  for (guint i = 0; i < findings->len; i++)
    {
      const FenFinding *finding = findings->pdata[i];
      if (finding->option == option && finding->kind != FEN_FINDING_INACTIVE)
        return TRUE;
    }
  return FALSE;
}

/* A setting that something else switches off is told only when it was changed: a default says nothing. */
static char *
inactive_note (const FenConfig *config, const FenFinding *finding, GPtrArray *findings)
{
  g_autoptr (FenConfig) defaults = fen_config_new ();
  g_autofree char *value = fen_config_get_text (config, finding->option);
  g_autofree char *usual = fen_config_get_text (defaults, finding->option);
  if (g_str_equal (value, usual) || has_note (findings, finding->option))
    return NULL;
  /* TRANSLATORS: a setting's name, its value, the reason: "amp_dtype" "bf16" has no effect: "amp is off". */
  return g_strdup_printf (_ ("%s %s has no effect: %s"), finding->option->name, value, finding->text);
}

static gboolean
tell (const FenConfig *config, GPtrArray *findings, GPtrArray *notes, GError **error)
{
  for (guint i = 0; i < findings->len; i++)
    {
      const FenFinding *finding = findings->pdata[i];
      if (finding->kind == FEN_FINDING_ERROR)
        return fen_config_fail (error, FEN_CONFIG_ERROR_CONFLICT, finding->option, g_strdup (finding->text));
    }
  for (guint i = 0; notes != NULL && i < findings->len; i++)
    {
      const FenFinding *finding = findings->pdata[i];
      char *note = finding->kind == FEN_FINDING_NOTE ? g_strdup (finding->text)
                                                     : inactive_note (config, finding, findings);
      if (note != NULL)
        g_ptr_array_add (notes, note);
    }
  return TRUE;
}

gboolean
fen_config_validate (const FenConfig *config, GPtrArray *notes, GError **error)
{
  if (!fen_config_check_ranges (config, NULL, NULL, error))
    return FALSE;
  g_autoptr (GPtrArray) findings = fen_config_new_findings ();
  fen_config_check_settings (config, FEN_WORDS_NAMES, findings);
  return tell (config, findings, notes, error);
}

gboolean
fen_config_validate_model (const FenConfig *config, const FenModelShape *shape, GPtrArray *notes,
                           GError **error)
{
  g_autoptr (GPtrArray) findings = fen_config_new_findings ();
  fen_config_check_model (config, shape, FEN_WORDS_NAMES, findings);
  return tell (config, findings, notes, error);
}
