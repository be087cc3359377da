/* fen-plan-fits.c: does it fit, and if not, what would help.
 *
 * A suggestion is not a rule of thumb: the plan is made again with one setting changed, and the difference is what
 * the change saves.
 */
#include "core/engine/fen-engine-private.h"
#include "core/base/fen-io.h"
#include "core/engine/fen-device.h"

guint64
fen_plan_available_bytes (const FenPlan *plan)
{
  return fen_device_available_bytes (&plan->device, plan->config->memory_limit);
}

guint64
fen_plan_needed_bytes (const FenPlan *plan)
{
  return plan->device_bytes + (plan->device.host_memory ? plan->host_bytes : 0);
}

/* ---- suggestions ---- */

/* Writes the value that the option would get; FALSE when the change makes no sense here. */
typedef gboolean (*Change) (const FenPlan *plan, char value[32]);

static gboolean
whole (char value[32], gint64 number)
{
  g_snprintf (value, 32, "%" G_GINT64_FORMAT, number);
  return TRUE;
}

static gboolean
turn_on (const FenPlan *plan, char value[32])
{
  g_snprintf (value, 32, "true");
  return TRUE;
}

static gboolean
turn_off (const FenPlan *plan, char value[32])
{
  g_snprintf (value, 32, "false");
  return TRUE;
}

static gboolean
halve_chunk (const FenPlan *plan, char value[32])
{
  return fen_plan_chunked (plan) && whole (value, MAX (1, plan->settings.chunk / 2));
}

/* With twice the gradient_accumulation_steps the update stays the same; alone it sees half the tokens. */
static gboolean
halve_batch (const FenPlan *plan, char value[32])
{
  return whole (value, MAX (1, plan->config->batch_size / 2));
}

/* A processor computes in fp32 unless it is told otherwise: there amp alone saves nothing. */
static gboolean
set_bf16 (const FenPlan *plan, char value[32])
{
  g_snprintf (value, 32, "bf16");
  return plan->device.host_memory;
}

static gboolean
set_window (const FenPlan *plan, char value[32])
{
  return plan->settings.layer_window[0] == 0 && whole (value, MAX (1, plan->settings.row_tokens / 4));
}

static gboolean
halve_row (const FenPlan *plan, char value[32])
{
  return whole (value, MAX (1, plan->config->max_seq_len / 2));
}

static const struct {
  const char *option;
  Change change;
  gboolean changes_math;
} changes[] = {
  { "gradient_checkpointing", turn_on, FALSE },
  { "checkpoint_attention", turn_off, FALSE },
  { "use_chunked_training", turn_on, FALSE },
  { "chunk_size", halve_chunk, FALSE },
  { "use_flash_attn", turn_on, FALSE },
  { "batch_size", halve_batch, TRUE },
  { "use_8bit_optimizer", turn_on, TRUE },
  { "amp", turn_on, TRUE },
  { "amp_dtype", set_bf16, TRUE },
  { "window_size", set_window, TRUE },
  { "max_seq_len", halve_row, TRUE },
};

static int
by_saving (gconstpointer a, gconstpointer b)
{
  const FenPlanSuggestion *x = a, *y = b;
  return x->bytes_saved > y->bytes_saved ? -1 : x->bytes_saved < y->bytes_saved;
}

/* A change that saves nothing (chunk_size when not chunked, and so on) is not worth a line. */
GArray *
fen_plan_suggestions (const FenPlan *plan)
{
  GArray *suggestions = g_array_new (FALSE, TRUE, sizeof (FenPlanSuggestion));

  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    {
      g_autoptr (FenConfig) config = fen_config_copy (plan->config);
      g_autoptr (FenPlan) other = NULL;
      FenPlanSuggestion suggestion = { .option = changes[i].option, .changes_math = changes[i].changes_math };

      /* Set as a person would: what the option does not allow, or does not do alone, is no advice. */
      if (!changes[i].change (plan, suggestion.value)
          || !fen_config_set (config, fen_config_find_option (changes[i].option), suggestion.value, NULL))
        continue;
      other = fen_plan_new (config, plan->model, plan->backend, &plan->device, plan->purpose, NULL);
      if (other == NULL)
        continue;
      suggestion.bytes_saved = (gint64)fen_plan_needed_bytes (plan) - (gint64)fen_plan_needed_bytes (other);
      suggestion.fits = fen_plan_fits (other, NULL);
      if (suggestion.bytes_saved > 0)
        g_array_append_val (suggestions, suggestion);
    }
  g_array_sort (suggestions, by_saving);
  return suggestions;
}

/* ---- the refusal ---- */

static void
append_largest (const FenPlan *plan, GString *text)
{
  guint64 categories[FEN_N_MEMORY_CATEGORIES], unused;
  gboolean said[FEN_N_MEMORY_CATEGORIES] = { FALSE };

  fen_plan_categories (plan, categories, &unused);
  for (guint k = 0; k < 3; k++)
    {
      int best = -1;
      g_autofree char *bytes = NULL;
      for (int i = 0; i < FEN_N_MEMORY_CATEGORIES; i++)
        if (!said[i] && categories[i] > 0 && (best < 0 || categories[i] > categories[best]))
          best = i;
      if (best < 0)
        return;
      said[best] = TRUE;
      bytes = fen_format_bytes (categories[best]);
      g_string_append_printf (text, "%s%s %s", k == 0 ? "" : ", ", fen_memory_category_name (best), bytes);
    }
}

const FenPlanSuggestion *
fen_plan_best_suggestion (GArray *suggestions)
{
  const FenPlanSuggestion *best = NULL;

  for (guint i = 0; i < suggestions->len; i++)
    {
      const FenPlanSuggestion *s = &g_array_index (suggestions, FenPlanSuggestion, i);
      int rank = s->fits ? (s->changes_math ? 1 : 2) : 0;
      int best_rank = best == NULL ? -1 : best->fits ? (best->changes_math ? 1 : 2) : 0;
      if (rank > best_rank)
        best = s;
    }
  return best;
}

static void
append_best (const FenPlan *plan, const FenPlanSuggestion *best, GString *text)
{
  g_autofree char *saved = fen_format_bytes ((guint64)best->bytes_saved);
  g_string_append_printf (text, "; %s %s would save %s%s", best->option, best->value, saved,
                          best->fits ? " and fit" : "");
  if (strcmp (best->option, "batch_size") == 0)
    g_string_append_printf (text,
                            " (with gradient_accumulation_steps %" G_GINT64_FORMAT " it is the same update)",
                            2 * plan->config->gradient_accumulation_steps);
}

/* The setting to change: the limit when it alone is in the way, otherwise what would help most. */
static const char *
to_blame (const FenPlan *plan, guint64 needed, const FenPlanSuggestion *best)
{
  if (plan->config->memory_limit != 0 && needed <= fen_device_available_bytes (&plan->device, 0))
    return "memory_limit";
  return best != NULL ? best->option : NULL;
}

/* "memory_limit 100 MiB leaves 68 MiB; largest: ", or what the device has. */
static void
append_available (const FenPlan *plan, GString *text, guint64 available)
{
  g_autofree char *bytes = fen_format_bytes (available);
  g_autofree char *limit = fen_format_bytes (plan->config->memory_limit);

  if (plan->config->memory_limit != 0)
    g_string_append_printf (text, "memory_limit %s leaves %s on %s; largest: ", limit, bytes,
                            plan->device.name);
  else
    g_string_append_printf (text, "%s has %s; largest: ", plan->device.name, bytes);
}

gboolean
fen_plan_fits (const FenPlan *plan, GError **error)
{
  guint64 needed = fen_plan_needed_bytes (plan), available = fen_plan_available_bytes (plan);
  g_autoptr (GArray) suggestions = NULL;
  const FenPlanSuggestion *best;
  g_autofree char *needed_text = NULL;
  g_autoptr (GString) text = NULL;

  if (needed <= available)
    return TRUE;
  if (error == NULL)
    return FALSE;
  needed_text = fen_format_bytes (needed);
  text = g_string_new (NULL);
  g_string_append_printf (text, "%s does not fit: it needs %s, ", fen_model_name (plan->model), needed_text);
  append_available (plan, text, available);
  append_largest (plan, text);
  suggestions = fen_plan_suggestions (plan);
  best = fen_plan_best_suggestion (suggestions);
  if (best != NULL)
    append_best (plan, best, text);
  g_set_error_literal (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_DOES_NOT_FIT, text->str);
  return fen_engine_error_blame (error, to_blame (plan, needed, best));
}
