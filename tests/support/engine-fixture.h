/* engine-fixture.h: a model on a device with a plan and an engine, for tests, golden-check and benches. */
#pragma once

#include "core/config/fen-config.h"
#include "core/engine/fen-engine.h"

typedef struct {
  FenConfig *config;
  FenModel *model;
  const FenBackend *backend;
  FenDeviceProperties properties;
  FenDevice *device;
  FenPlan *plan;
  FenEngine *engine;
} EngineFixture;

/* Defaults of a test: no amp, the folder's own windows, nothing chunked or checkpointed. */
FenConfig *engine_fixture_config (const char *model, gint64 rows, gint64 row_tokens);

/* Opens model, device, plan and engine, and loads the parameters with config->seed. The device is config->device's,
 * or the first one of `backend` when that is not NULL. `guard` > 0: buffers are poisoned and guarded. What was opened
 * before an error is closed by engine_fixture_close all the same. */
gboolean engine_fixture_open (EngineFixture *fixture, const FenConfig *config, FenPlanPurpose purpose,
                              guint64 guard, const FenBackend *backend, GError **error);
void engine_fixture_close (EngineFixture *fixture);

/* A batch over arrays that the caller owns: targets[i] = tokens[i + 1] in the row, the last one ignored. */
void engine_fixture_targets (const gint32 *tokens, gint64 rows, gint64 row_tokens, gint32 *targets);
