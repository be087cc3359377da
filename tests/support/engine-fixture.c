/* engine-fixture.c: see engine-fixture.h. */
#include "tests/support/engine-fixture.h"
#include "core/engine/fen-device.h"
#include "core/engine/fen-engine-private.h"

FenConfig *
engine_fixture_config (const char *model, gint64 rows, gint64 row_tokens)
{
  FenConfig *config = fen_config_new ();

  g_free (config->model);
  config->model = g_strdup (model);
  g_free (config->device);
  config->device = g_strdup ("cpu");
  config->batch_size = rows;
  config->max_seq_len = row_tokens;
  config->amp = FALSE;
  config->window_pattern = FEN_WINDOW_MODEL;
  config->window_size = 0;
  config->sink_tokens = 0;
  config->use_flash_attn = TRUE;
  config->use_chunked_training = FALSE;
  config->gradient_checkpointing = FALSE;
  config->checkpoint_attention = FALSE;
  config->use_8bit_optimizer = FALSE;
  return config;
}

static gboolean
open_device (EngineFixture *f, const FenBackend *backend, GError **error)
{
  FenDeviceChoice choice = { .backend = backend };
  FenStatus status = { 0 };

  if (backend == NULL && !fen_device_choose (f->config, &choice, NULL, error))
    return FALSE;
  choice.options.threads = (int)f->config->threads;
  if (backend != NULL && !backend->device_properties (0, &choice.options, &choice.properties, &status))
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_DEVICE, "%s: %s", backend->name, status.message);
      return FALSE;
    }
  f->device = fen_device_open (&choice, error);
  f->backend = choice.backend;
  f->properties = choice.properties;
  return f->device != NULL;
}

gboolean
engine_fixture_open (EngineFixture *f, const FenConfig *config, FenPlanPurpose purpose, guint64 guard,
                     const FenBackend *backend, GError **error)
{
  *f = (EngineFixture){ .config = fen_config_copy (config) };
  f->model = fen_model_open (config->model, config->vocab_size, error);
  if (f->model == NULL || !open_device (f, backend, error))
    return FALSE;
  f->plan = fen_plan_new_guarded (config, f->model, f->backend, &f->properties, purpose, guard, error);
  if (f->plan == NULL)
    return FALSE;
  f->engine = fen_engine_new (f->plan, f->model, f->backend, f->device, error);
  if (f->engine == NULL || !fen_engine_load_parameters (f->engine, (guint64)config->seed, error))
    return FALSE;
  fen_engine_set_checking (f->engine, guard > 0);
  return TRUE;
}

void
engine_fixture_close (EngineFixture *f)
{
  g_clear_pointer (&f->engine, fen_engine_free);
  g_clear_pointer (&f->plan, fen_plan_unref);
  if (f->device != NULL)
    f->backend->close (f->device);
  f->device = NULL;
  g_clear_pointer (&f->model, fen_model_unref);
  g_clear_pointer (&f->config, fen_config_free);
}

void
engine_fixture_targets (const gint32 *tokens, gint64 rows, gint64 row_tokens, gint32 *targets)
{
  for (gint64 i = 0; i < rows * row_tokens; i++)
    targets[i] = (i + 1) % row_tokens == 0 ? -1 : tokens[i + 1];
}
