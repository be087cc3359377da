/* fen-settings-look.c: asks core what it knows about settings (see fen-settings-look-private.h). */
#include "gui/settings/fen-settings-look-private.h"

#include "core/base/fen-paths.h"
#include "core/config/fen-presets.h"
#include "core/corpus/fen-tokenizer-spec.h"
#include "core/engine/fen-device.h"
#include "core/model/fen-model.h"
#include "core/train/fen-run-plan.h"

#include <glib/gi18n.h>
#include <math.h>

/* ---- device, model, memory ---- */

static void
blame (FenPlanLook *look, const char *option, const char *text)
{
  if (look->plan_error != NULL)
    return;
  look->plan_error = g_strdup (text);
  look->blamed = option != NULL ? fen_config_find_option (option) : NULL;
}

static void
set_device (FenPlanLook *look, const FenDeviceProperties *device, guint64 available)
{
  look->has_device = TRUE;
  look->is_cpu = device->host_memory;
  look->available = available;
  look->total = device->total_bytes;
  g_free (look->device_name);
  look->device_name = g_strdup (device->name);
}

/* Only counted: to know a card's name or memory is to open it, which takes some of its memory. */
static int
count_cards (void)
{
  FenBackendList list;
  fen_device_list (&list);
  for (const FenBackendInfo *info = list.backends; info->name != NULL; info++)
    if (g_str_equal (info->name, "cuda"))
      return info->n_devices;
  return 0;
}

static gboolean
look_at_device (FenPlanLook *look, const FenConfig *config)
{
  FenDeviceChoice choice;
  g_autoptr (GError) error = NULL;
  if (!fen_device_choose (config, &choice, look->notes, &error))
    {
      blame (look, "device", error->message);
      return FALSE;
    }
  set_device (look, &choice.properties,
              fen_device_available_bytes (&choice.properties, config->memory_limit));
  return TRUE;
}

/* "llama · 10,123,456 parameters · own window 4,096" */
static char *
describe_model (const FenModel *model, const FenModelShape *shape)
{
  const char *architecture = fen_model_architecture_name (fen_model_config (model)->architecture);
  const gint64 n_parameters = fen_model_n_parameters (model);
  g_autofree char *number = g_strdup_printf ("%'" G_GINT64_FORMAT, n_parameters);
  g_autofree char *parameters = g_strdup_printf (
      ngettext ("%s parameter", "%s parameters", (gulong)MIN (n_parameters, G_MAXINT)), number);
  if (shape->model_window <= 0)
    /* TRANSLATORS: architecture of a model, its number of parameters. */
    return g_strdup_printf (_ ("%s · %s"), architecture, parameters);
  g_autofree char *window = g_strdup_printf ("%'" G_GINT64_FORMAT, shape->model_window);
  /* TRANSLATORS: architecture of a model, its number of parameters, its window in tokens. */
  return g_strdup_printf (_ ("%s · %s · own window %s"), architecture, parameters, window);
}

static void
add_notes (FenPlanLook *look, const char *const *notes)
{
  for (guint i = 0; notes != NULL && notes[i] != NULL; i++)
    g_ptr_array_add (look->notes, g_strdup (notes[i]));
}

static gboolean
look_at_model (FenPlanLook *look, const FenConfig *config)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenModel) model = fen_run_plan_model (config, &error);
  if (model != NULL)
    {
      fen_model_shape (model, &look->shape);
      look->has_shape = TRUE;
      look->model_text = describe_model (model, &look->shape);
      add_notes (look, fen_model_notes (model));
      return TRUE;
    }
  /* Of a preset nothing can fail but its tokenizer, which says the vocabulary. */
  if (fen_preset_find (config->model) != NULL && error->domain != FEN_MODEL_ERROR)
    blame (look, "tokenizer", error->message);
  else
    {
      look->model_error = g_strdup (error->message);
      blame (look, "model", error->message);
    }
  return FALSE;
}

/* Settings that exclude each other, in the window's words. */
static gboolean
check_settings (FenPlanLook *look, const FenConfig *config)
{
  g_autoptr (GPtrArray) findings = fen_config_check (config, &look->shape, FEN_WORDS_TITLES);
  for (guint i = 0; i < findings->len; i++)
    {
      const FenFinding *finding = findings->pdata[i];
      if (finding->kind != FEN_FINDING_ERROR)
        continue;
      blame (look, finding->option->name, finding->text);
      return FALSE;
    }
  return TRUE;
}

/* "Chunk Size 1,024 would make it fit." */
static char *
describe_suggestion (const FenPlanSuggestion *suggestion)
{
  const FenOption *option = fen_config_find_option (suggestion->option);
  g_autoptr (FenConfig) config = fen_config_new ();
  g_autofree char *saved = g_format_size_full ((guint64)suggestion->bytes_saved, G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *value = NULL;
  config->expert = TRUE;
  if (option->type != FEN_OPTION_BOOLEAN && fen_config_set (config, option, suggestion->value, NULL))
    value = fen_config_get_words (config, option, FEN_WORDS_TITLES);
  if (option->type == FEN_OPTION_BOOLEAN)
    {
      gboolean off = g_str_equal (suggestion->value, "false");
      if (suggestion->fits)
        /* TRANSLATORS: the title of a setting. */
        return g_strdup_printf (off ? _ ("Without %s it would fit.") : _ ("With %s it would fit."),
                                _ (option->title));
      /* TRANSLATORS: the title of a setting, an amount of memory. */
      return g_strdup_printf (off ? _ ("Without %s it would need %s less.")
                                  : _ ("With %s it would need %s less."),
                              _ (option->title), saved);
    }
  if (suggestion->fits)
    /* TRANSLATORS: the title of a setting and a value for it. */
    return g_strdup_printf (_ ("With %s %s it would fit."), _ (option->title),
                            value != NULL ? value : suggestion->value);
  /* TRANSLATORS: the title of a setting, a value for it, an amount of memory. */
  return g_strdup_printf (_ ("With %s %s it would need %s less."), _ (option->title),
                          value != NULL ? value : suggestion->value, saved);
}

/* "Needs 3.2 GB, but Memory Limit leaves 1.1 GB. With Chunk Size 1,024 it would fit." */
static char *
describe_misfit (const FenPlan *plan, const char *blamed)
{
  g_autofree char *needed = g_format_size_full (fen_plan_needed_bytes (plan), G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *available = g_format_size_full (fen_plan_available_bytes (plan), G_FORMAT_SIZE_IEC_UNITS);
  g_autoptr (GArray) suggestions = fen_plan_suggestions (plan);
  const FenPlanSuggestion *best = fen_plan_best_suggestion (suggestions);
  g_autofree char *advice = best != NULL ? describe_suggestion (best) : NULL;
  g_autofree char *problem = g_strcmp0 (blamed, "memory_limit") == 0
                                 /* TRANSLATORS: bytes, the title of the setting "Memory Limit", bytes. */
                                 ? g_strdup_printf (_ ("It needs %s, but %s leaves %s."), needed,
                                                    _ (fen_config_find_option (blamed)->title), available)
                                 /* TRANSLATORS: bytes, a device's name, bytes. */
                                 : g_strdup_printf (_ ("It needs %s, but %s has %s available."), needed,
                                                    fen_plan_device (plan)->name, available);
  return advice != NULL ? g_strjoin (" ", problem, advice, NULL) : g_steal_pointer (&problem);
}

static void
look_at_plan (FenPlanLook *look, const FenConfig *config)
{
  g_autoptr (GError) error = NULL;
  look->plan = fen_run_plan (config, NULL, &error);
  if (look->plan == NULL)
    {
      const char *option = fen_engine_error_get_option (error);
      blame (look, option != NULL ? option : fen_config_error_get_option (error), error->message);
      return;
    }
  set_device (look, fen_plan_device (look->plan), fen_plan_available_bytes (look->plan));
  add_notes (look, fen_plan_notes (look->plan));
  if (fen_plan_fits (look->plan, &error))
    return;
  const char *option = fen_engine_error_get_option (error);
  g_autofree char *text = describe_misfit (look->plan, option);
  blame (look, option, text);
}

FenPlanLook *
fen_plan_look_new (const FenConfig *config)
{
  FenPlanLook *look = g_new0 (FenPlanLook, 1);
  look->notes = g_ptr_array_new_with_free_func (g_free);
  look->n_cards = count_cards ();
  const gboolean device = look_at_device (look, config);
  if (look_at_model (look, config) && check_settings (look, config) && device)
    look_at_plan (look, config);
  return look;
}

void
fen_plan_look_free (FenPlanLook *look)
{
  if (look == NULL)
    return;
  g_free (look->device_name);
  g_ptr_array_unref (look->notes);
  g_free (look->model_text);
  g_free (look->model_error);
  g_clear_pointer (&look->plan, fen_plan_unref);
  g_free (look->plan_error);
  g_free (look);
}

/* ---- text ---- */

char *
fen_text_look_key (const FenConfig *config)
{
  return g_strjoin ("\n", config->dataset_file, config->text_field, config->tokenizer, config->model, NULL);
}

/* The tokenizer, or how large a BPE is to be; both unknown with an error. */
static FenTokenizer *
load_tokenizer (const FenConfig *config, gint64 *bpe_tokens, GError **error)
{
  const gboolean preset = fen_preset_find (config->model) != NULL;
  FenTokenizerSpec spec;
  *bpe_tokens = 0;
  if (!fen_tokenizer_spec_parse (config->tokenizer, preset ? NULL : config->model, &spec, error))
    return NULL;
  if (spec.kind == FEN_TOKENIZER_TRAIN)
    {
      *bpe_tokens = spec.vocab_size;
      return NULL;
    }
  return fen_tokenizer_spec_load (&spec, error);
}

FenTextLook *
fen_text_look_new (const FenConfig *config, FenDatasetScanFunc progress, gpointer progress_data,
                   GCancellable *cancellable)
{
  FenTextLook *look = g_new0 (FenTextLook, 1);
  g_autofree char *path
      = config->dataset_file[0] != '\0' ? g_strdup (config->dataset_file) : fen_sample_path ();
  FenDatasetScanOptions options = {
    .path = path, .text_field = config->text_field, .progress = progress, .progress_data = progress_data
  };
  g_autoptr (GError) tokenizer_error = NULL, error = NULL;
  g_autoptr (FenTokenizer) tokenizer = load_tokenizer (config, &options.bpe_tokens, &tokenizer_error);
  options.tokenizer = tokenizer;
  /* A model that is not there has no tokenizer either: one error is enough. */
  if (tokenizer_error != NULL
      && (config->tokenizer[0] != '\0' || g_file_test (config->model, G_FILE_TEST_IS_DIR)))
    look->tokenizer_error = g_strdup (tokenizer_error->message);
  if (path == NULL)
    look->error = g_strdup (_ ("The bundled sample is not installed: choose a text"));
  else if (!fen_dataset_scan (&options, &look->scan, cancellable, &error))
    look->error = g_strdup (error->message);
  if (!g_cancellable_is_cancelled (cancellable))
    return look;
  fen_text_look_free (look);
  return NULL;
}

void
fen_text_look_free (FenTextLook *look)
{
  if (look == NULL)
    return;
  g_free (look->error);
  g_free (look->tokenizer_error);
  g_free (look);
}

/* Two digits are all that an estimate is worth: 312,345 becomes 310,000. */
static gint64
round_estimate (gint64 value)
{
  const double unit = value < 100 ? 1 : pow (10, floor (log10 ((double)value)) - 1);
  return (gint64)(round ((double)value / unit) * unit);
}

static char *
describe_count (gint64 count, gboolean exact, const char *exact_format, const char *about_format)
{
  g_autofree char *number = g_strdup_printf ("%'" G_GINT64_FORMAT, exact ? count : round_estimate (count));
  GString *text = g_string_new (exact ? exact_format : about_format);
  g_string_replace (text, "%s", number, 1);
  return g_string_free (text, FALSE);
}

char *
fen_text_look_describe (const FenDatasetScan *scan)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_free);
  const gulong documents = (gulong)CLAMP (scan->documents, 0, G_MAXINT);
  const gulong tokens = (gulong)CLAMP (scan->tokens, 0, G_MAXINT);
  g_ptr_array_add (parts, g_format_size (scan->bytes));
  if (scan->documents >= 0)
    g_ptr_array_add (parts, describe_count (scan->documents, scan->documents_exact,
                                            ngettext ("%s document", "%s documents", documents),
                                            ngettext ("about %s document", "about %s documents", documents)));
  if (scan->tokens >= 0)
    g_ptr_array_add (parts, describe_count (scan->tokens, scan->tokens_exact,
                                            ngettext ("%s token", "%s tokens", tokens),
                                            ngettext ("about %s token", "about %s tokens", tokens)));
  g_ptr_array_add (parts, NULL);
  return g_strjoinv (" · ", (char **)parts->pdata);
}
