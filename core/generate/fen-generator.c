/* fen-generator.c: prompt in, text out. See fen-generator.h. */
#include "core/generate/fen-generator.h"

#include "core/corpus/fen-tokenizer.h"
#include "core/engine/fen-device.h"
#include "core/engine/fen-engine.h"

#include <string.h>

struct _FenGenerator {
  FenTokenizer *tokenizer;
  FenModel *model;
  FenPlan *plan;
  FenDeviceChoice choice;
  FenDevice *device;
  FenEngine *engine;
  GArray *tokens; /* gint32: the prompt, then what was written */
  gsize n_prompt;
  gint64 max_tokens;
  float *logits; /* (model vocabulary) */
};

void
fen_generator_free (FenGenerator *generator)
{
  if (generator == NULL)
    return;
  g_clear_pointer (&generator->engine, fen_engine_free);
  if (generator->device != NULL)
    generator->choice.backend->close (generator->device);
  g_clear_pointer (&generator->plan, fen_plan_unref);
  g_clear_pointer (&generator->model, fen_model_unref);
  g_clear_pointer (&generator->tokenizer, fen_tokenizer_unref);
  g_clear_pointer (&generator->tokens, g_array_unref);
  g_free (generator->logits);
  g_free (generator);
}

static FenTokenizer *
open_tokenizer (const FenConfig *config, const FenModel *model, GError **error)
{
  if (g_strcmp0 (config->tokenizer, "bytes") == 0)
    return fen_tokenizer_new_bytes ();
  if (config->tokenizer[0] != '\0' && !g_str_has_prefix (config->tokenizer, "bpe:"))
    return fen_tokenizer_load (config->tokenizer, error);
  return fen_tokenizer_load (fen_model_folder (model), error);
}

/* A tokenizer from elsewhere that has more tokens than the model: its ids mean something else to the model. A model's
 * own may have some that the model has no place for (added later); they count only when the prompt holds one. */
static gboolean
check_vocabulary (FenGenerator *generator, const FenConfig *config, GError **error)
{
  const gint64 room = fen_model_config (generator->model)->vocab_size;
  const gint64 tokens = (gint64)fen_tokenizer_vocab_size (generator->tokenizer);
  const gboolean own = config->tokenizer[0] == '\0' || g_str_has_prefix (config->tokenizer, "bpe:");
  if (own || tokens <= room)
    return TRUE;
  g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_CONFIG,
               "tokenizer %s has %" G_GINT64_FORMAT " tokens, but the vocabulary of %s has %" G_GINT64_FORMAT
               ": they do not belong together",
               config->tokenizer, tokens, config->model, room);
  return FALSE;
}

/* The prompt's ids. Without any, a document's start: the token that begins a text, or the one between documents. */
static gboolean
encode_prompt (FenGenerator *generator, const char *prompt, GError **error)
{
  if (!fen_tokenizer_encode (generator->tokenizer, prompt, strlen (prompt), TRUE, generator->tokens, error))
    return FALSE;
  if (generator->tokens->len == 0)
    {
      gint64 start = fen_tokenizer_bos_id (generator->tokenizer);
      if (start < 0)
        start = fen_tokenizer_end_of_document_id (generator->tokenizer);
      if (start < 0)
        {
          g_set_error (
              error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_UNSUPPORTED,
              "the prompt is empty and the tokenizer has no token that begins a text; give a prompt");
          return FALSE;
        }
      const gint32 id = (gint32)start;
      g_array_append_val (generator->tokens, id);
    }
  generator->n_prompt = generator->tokens->len;

  const gint64 vocab_size = fen_model_config (generator->model)->vocab_size;
  for (gsize i = 0; i < generator->n_prompt; i++)
    if (g_array_index (generator->tokens, gint32, i) >= vocab_size)
      {
        g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_CONFIG,
                     "the tokenizer gives token %d, but the model's vocabulary has %" G_GINT64_FORMAT
                     " tokens (0 to %" G_GINT64_FORMAT "): they do not belong together",
                     g_array_index (generator->tokens, gint32, i), vocab_size, vocab_size - 1);
        return FALSE;
      }
  return TRUE;
}

static gboolean
check_length (FenGenerator *generator, GError **error)
{
  const FenModelConfig *config = fen_model_config (generator->model);
  const gint64 total = (gint64)generator->n_prompt + generator->max_tokens;
  if (!config->learned_positions || total <= config->max_positions)
    return TRUE;
  g_set_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_CONFLICT,
               "max_tokens: the prompt's %" G_GSIZE_FORMAT " tokens and %" G_GINT64_FORMAT
               " more exceed the model's %" G_GINT64_FORMAT " positions; at most %" G_GINT64_FORMAT " fit",
               generator->n_prompt, generator->max_tokens, config->max_positions,
               MAX (0, config->max_positions - (gint64)generator->n_prompt));
  return FALSE;
}

static gboolean
open_engine (FenGenerator *generator, const FenConfig *config, GError **error)
{
  g_autoptr (FenConfig) sized = fen_config_copy (config);
  sized->max_seq_len = (gint64)generator->n_prompt + generator->max_tokens;
  sized->batch_size = 1;
  if (!fen_device_choose (sized, &generator->choice, NULL, error))
    return FALSE;
  generator->plan = fen_plan_new (sized, generator->model, generator->choice.backend,
                                  &generator->choice.properties, FEN_PLAN_GENERATE, error);
  if (generator->plan == NULL || !fen_plan_fits (generator->plan, error))
    return FALSE;
  generator->device = fen_device_open (&generator->choice, error);
  if (generator->device == NULL)
    return FALSE;
  generator->engine = fen_engine_new (generator->plan, generator->model, generator->choice.backend,
                                      generator->device, error);
  return generator->engine != NULL && fen_engine_load_parameters (generator->engine, 0, error);
}

FenGenerator *
fen_generator_new (const FenConfig *config, const char *prompt, gint64 max_tokens, GError **error)
{
  g_autoptr (FenGenerator) generator = g_new0 (FenGenerator, 1);
  generator->tokens = g_array_new (FALSE, FALSE, sizeof (gint32));
  generator->max_tokens = max_tokens;
  generator->model = fen_model_open (config->model, 0, error);
  if (generator->model == NULL)
    return NULL;
  if (fen_model_folder (generator->model) == NULL)
    {
      g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_NOT_FOUND,
                   "model: \"%s\" is a preset without trained weights; give a model folder or a run folder",
                   config->model);
      return NULL;
    }
  generator->tokenizer = open_tokenizer (config, generator->model, error);
  if (generator->tokenizer == NULL || !check_vocabulary (generator, config, error)
      || !encode_prompt (generator, prompt, error) || !check_length (generator, error)
      || !open_engine (generator, config, error))
    return NULL;
  generator->logits = g_new (float, fen_model_config (generator->model)->vocab_size);
  return g_steal_pointer (&generator);
}

/* The model ended its text: the end-of-document token, the tokenizer's eos, or the one config.json names. */
static gboolean
is_end (FenGenerator *generator, gint32 id)
{
  return id == fen_tokenizer_end_of_document_id (generator->tokenizer)
         || id == fen_tokenizer_eos_id (generator->tokenizer)
         || id == fen_model_config (generator->model)->eos_id;
}

/* Feeds what the engine has not seen, which leaves the next token's logits. */
static gboolean
feed_pending (FenGenerator *generator, GError **error)
{
  const gint64 fed = fen_engine_n_fed (generator->engine);
  return fen_engine_feed (generator->engine, &g_array_index (generator->tokens, gint32, fed),
                          (gint64)generator->tokens->len - fed, generator->logits, error);
}

static gboolean
write_tokens (FenGenerator *generator, FenSampler *sampler, FenDecoder *decoder, FenGenerateText callback,
              gpointer user_data, GCancellable *cancellable, FenGenerateResult *result, GError **error)
{
  /* Ids beyond the tokenizer's vocabulary (padding of the model's) have no text: they are not drawn. */
  const gint64 n_logits = MIN (fen_model_config (generator->model)->vocab_size,
                               (gint64)fen_tokenizer_vocab_size (generator->tokenizer));
  g_autoptr (GString) text = g_string_new (NULL);
  result->end = FEN_GENERATE_MAX_TOKENS;
  while (result->new_tokens < generator->max_tokens)
    {
      if (g_cancellable_is_cancelled (cancellable))
        {
          result->end = FEN_GENERATE_CANCELLED;
          return TRUE;
        }
      const gint32 id = fen_sampler_next (sampler, generator->logits, n_logits);
      if (id < 0)
        {
          g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_DEVICE,
                       "the model's output after %u tokens is not a number: its weights are damaged",
                       generator->tokens->len);
          return FALSE;
        }
      if (is_end (generator, id))
        {
          result->end = FEN_GENERATE_END;
          return TRUE;
        }
      g_array_append_val (generator->tokens, id);
      result->new_tokens++;
      g_string_truncate (text, 0);
      if (!fen_decoder_feed (decoder, (guint32)id, text, error))
        return FALSE;
      if (text->len > 0)
        callback (text->str, text->len, user_data);
      if (result->new_tokens < generator->max_tokens && !feed_pending (generator, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
fen_generator_run (FenGenerator *generator, const FenSamplerOptions *options, FenGenerateText callback,
                   gpointer user_data, GCancellable *cancellable, FenGenerateResult *result, GError **error)
{
  g_autoptr (FenSampler) sampler = fen_sampler_new (options, fen_model_config (generator->model)->vocab_size);
  g_autoptr (FenDecoder) decoder = fen_decoder_new (generator->tokenizer, TRUE);
  *result = (FenGenerateResult){ .prompt_tokens = (gint64)generator->n_prompt };
  g_array_set_size (generator->tokens, (guint)generator->n_prompt);
  fen_engine_rewind (generator->engine);

  /* The prompt passes through the decoder too: how a token is written can depend on the one before it. */
  g_autoptr (GString) text = g_string_new (NULL);
  for (gsize i = 0; i < generator->n_prompt; i++)
    if (!fen_decoder_feed (decoder, (guint32)g_array_index (generator->tokens, gint32, i), text, error))
      return FALSE;

  const gint64 start = g_get_monotonic_time ();
  if (!feed_pending (generator, error))
    return FALSE;
  const gint64 prompt_end = g_get_monotonic_time ();
  result->prompt_seconds = (double)(prompt_end - start) / 1e6;
  if (!write_tokens (generator, sampler, decoder, callback, user_data, cancellable, result, error))
    return FALSE;
  g_string_truncate (text, 0);
  fen_decoder_end (decoder, text);
  if (text->len > 0)
    callback (text->str, text->len, user_data);
  result->new_seconds = (double)(g_get_monotonic_time () - prompt_end) / 1e6;
  return TRUE;
}

const gint32 *
fen_generator_tokens (FenGenerator *generator, gsize *n_tokens)
{
  *n_tokens = generator->tokens->len;
  return (const gint32 *)(gpointer)generator->tokens->data;
}
