/* fen-settings-extras.c: what the rows say beyond the table (see fen-settings-pages-private.h); suggestions, what an
 * empty entry stands for, and what is known about the values. Ranges and defaults come from the table here
 * too: a power of two is suggested when the table allows it. */
#include "gui/settings/fen-settings-pages-private.h"

#include <glib/gi18n.h>

#include "core/config/fen-presets.h"
#include "core/train/fen-run-folder.h"
#include "gui/settings/fen-words-private.h"

#define LONGEST_SUGGESTED_CONTEXT 131072

/* ---- suggestions ---- */

/* `zero`: what an empty entry stands for, as the first suggestion; or NULL. */
static void
suggest_powers (FenSettingsPages *self, const char *name, gint64 max, const char *zero)
{
  FenOptionRow *row = fen_settings_pages_find_row (self, name);
  const FenOption *option = fen_option_row_get_option (row);
  if (zero != NULL)
    fen_option_row_add_suggestion (row, "", zero, NULL);
  for (gint64 power = 1; power <= MIN (max, (gint64)option->max); power *= 2)
    if (power >= (gint64)option->min)
      {
        g_autofree char *value = g_strdup_printf ("%" G_GINT64_FORMAT, power);
        g_autofree char *title = fen_words_number (power);
        fen_option_row_add_suggestion (row, value, title, NULL);
      }
}

static void
suggest_models (FenSettingsPages *self)
{
  FenOptionRow *row = fen_settings_pages_find_row (self, "model");
  for (const FenPreset *preset = fen_presets (); preset->name != NULL; preset++)
    fen_option_row_add_suggestion (row, preset->name, preset->name, _ (preset->description));
}

static void
suggest_tokenizers (FenSettingsPages *self)
{
  FenOptionRow *row = fen_settings_pages_find_row (self, "tokenizer");
  fen_option_row_add_suggestion (
      row, "", _ ("The Model’s Own"),
      _ ("A model folder brings one; for a preset, 4,096 tokens are learned from the data"));
  fen_option_row_add_suggestion (row, "bytes", _ ("Bytes"),
                                 _ ("One token a byte: nothing to learn, long rows"));
  for (gint64 n = 1024; n <= 32768; n *= 2)
    {
      g_autofree char *value = g_strdup_printf ("bpe:%" G_GINT64_FORMAT, n);
      g_autofree char *number = fen_words_number (n);
      /* TRANSLATORS: %s is a number of tokens; byte-pair encoding is the method. */
      g_autofree char *title = g_strdup_printf (_ ("Learn %s Tokens from the Data"), number);
      fen_option_row_add_suggestion (row, value, title, NULL);
    }
}

static void
suggest_memory (FenSettingsPages *self)
{
  static const guint gibibytes[] = { 2, 4, 6, 8, 12, 16, 24, 32, 48, 80 };
  FenOptionRow *row = fen_settings_pages_find_row (self, "memory_limit");
  fen_option_row_add_suggestion (row, "", _ ("None"), _ ("What the device has"));
  for (guint i = 0; i < G_N_ELEMENTS (gibibytes); i++)
    {
      g_autofree char *value = g_strdup_printf ("%uGiB", gibibytes[i]);
      g_autofree char *title = fen_words_bytes ((guint64)gibibytes[i] << 30);
      fen_option_row_add_suggestion (row, value, title, NULL);
    }
}

static void
suggest_devices (FenSettingsPages *self)
{
  FenOptionRow *row = fen_settings_pages_find_row (self, "device");
  fen_option_row_add_suggestion (row, "auto", _ ("Automatic"),
                                 _ ("The first graphics card that works, otherwise the processor"));
  fen_option_row_add_suggestion (row, "cpu", _ ("Processor"), NULL);
  fen_option_row_add_suggestion (row, "cuda", _ ("Graphics Card"), _ ("Never the processor"));
}

/* Where there are several cards, each can be chosen: "cuda" alone is the first. */
static void
suggest_cards (FenSettingsPages *self, int n_cards)
{
  FenOptionRow *row = fen_settings_pages_find_row (self, "device");
  const int known = GPOINTER_TO_INT (g_object_get_data (G_OBJECT (row), "n-cards"));
  for (int i = known; n_cards > 1 && i < n_cards; i++)
    {
      g_autofree char *value = g_strdup_printf ("cuda:%d", i);
      /* TRANSLATORS: one of several graphics cards, counted from 1. */
      g_autofree char *title = g_strdup_printf (_ ("Graphics Card %d"), i + 1);
      fen_option_row_add_suggestion (row, value, title, NULL);
    }
  if (n_cards > 1)
    g_object_set_data (G_OBJECT (row), "n-cards", GINT_TO_POINTER (MAX (known, n_cards)));
}

static void
add_placeholders (FenSettingsPages *self)
{
  g_autofree char *runs = fen_runs_root (NULL);
  fen_option_row_set_placeholder (fen_settings_pages_find_row (self, "dataset_file"), _ ("Bundled sample"));
  fen_option_row_set_placeholder (fen_settings_pages_find_row (self, "tokenizer"), _ ("The model’s own"));
  fen_option_row_set_placeholder (fen_settings_pages_find_row (self, "run_name"), _ ("Model and time"));
  fen_option_row_set_placeholder (fen_settings_pages_find_row (self, "log_file"), _ ("None"));
  /* What none means stands below it in full, and has no room here in most languages. */
  fen_option_row_set_placeholder (fen_settings_pages_find_row (self, "memory_limit"), _ ("None"));
  fen_option_row_set_placeholder (fen_settings_pages_find_row (self, "output_dir"), runs);
}

void
fen_settings_extras_init (FenSettingsPages *self, FenSettings *settings)
{
  fen_option_row_add_suggestion (fen_settings_pages_find_row (self, "dataset_file"), "", _ ("Bundled Sample"),
                                 _ ("The user guide of Fenestra, to try things out"));
  suggest_models (self);
  suggest_tokenizers (self);
  suggest_memory (self);
  suggest_devices (self);
  suggest_powers (self, "max_seq_len", LONGEST_SUGGESTED_CONTEXT, NULL);
  suggest_powers (self, "window_size", G_MAXINT64, _ ("Full Attention"));
  suggest_powers (self, "chunk_size", G_MAXINT64, NULL);
  add_placeholders (self);
}

/* ---- facts ---- */

static void
set_fact (FenSettingsPages *self, const char *option, const char *fact, const char *error)
{
  FenOptionRow *row = fen_settings_pages_find_row (self, option);
  fen_option_row_set_fact (row, error == NULL ? fact : NULL);
  fen_option_row_set_fact_error (row, error);
}

/* "Effective batch: 2 × 8 = 16 rows, 32,768 tokens a step" under the second of the two factors. */
static void
update_batch (FenSettingsPages *self, const FenConfig *config)
{
  const gint64 product = config->batch_size * config->gradient_accumulation_steps;
  g_autofree char *rows = fen_words_number (config->batch_size);
  g_autofree char *times = fen_words_number (config->gradient_accumulation_steps);
  g_autofree char *all = fen_words_number (product);
  g_autofree char *tokens = g_strdup_printf ("%'.0f", (double)product * (double)config->max_seq_len);
  /* TRANSLATORS: batch size, accumulation, their product, tokens. */
  g_autofree char *text
      = g_strdup_printf (ngettext ("Effective batch: %s × %s = %s row, %s tokens a step",
                                   "Effective batch: %s × %s = %s rows, %s tokens a step", (gulong)product),
                         rows, times, all, tokens);
  set_fact (self, "gradient_accumulation_steps", text, NULL);
}

static void
update_chunks (FenSettingsPages *self, const FenConfig *config)
{
  gint64 chunks = (config->max_seq_len - 1) / config->chunk_size + 1;
  g_autofree char *number = fen_words_number (chunks);
  g_autofree char *text
      = g_strdup_printf (ngettext ("%s chunk a row", "%s chunks a row", (gulong)chunks), number);
  set_fact (self, "chunk_size", config->use_chunked_training ? text : NULL, NULL);
}

/* "Device: NVIDIA ..." and why it is not another one, a line each. */
static void
update_device (FenSettingsPages *self, FenSettingsFacts *facts)
{
  const GPtrArray *notes = fen_settings_facts_get_notes (facts);
  GString *text = g_string_new (fen_settings_facts_get_device_name (facts));
  for (guint i = 0; notes != NULL && i < notes->len; i++)
    {
      if (text->len > 0)
        g_string_append_c (text, '\n');
      g_string_append (text, g_ptr_array_index (notes, i));
    }
  set_fact (self, "device", text->len > 0 ? text->str : NULL, NULL);
  g_string_free (text, TRUE);
}

void
fen_settings_extras_update (FenSettingsPages *self, FenSettings *settings, FenSettingsFacts *facts)
{
  const FenConfig *config = fen_settings_get_config (settings);
  set_fact (self, "dataset_file", fen_settings_facts_get_dataset_text (facts),
            fen_settings_facts_get_dataset_error (facts));
  set_fact (self, "model", fen_settings_facts_get_model_text (facts),
            fen_settings_facts_get_model_error (facts));
  update_batch (self, config);
  update_chunks (self, config);
  update_device (self, facts);
  suggest_cards (self, fen_settings_facts_get_n_cards (facts));
}
