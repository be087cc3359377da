/* checkpoint-fixture.c: see checkpoint-fixture.h. */
#include "tests/support/checkpoint-fixture.h"

#include <math.h>
#include <string.h>

static gsize
bytes_of (const FenStateTensor *tensor)
{
  return (gsize)tensor->elements * fen_dtype_size (tensor->dtype);
}

static gboolean
read_tensor (const FenStateTensor *tensor, guint64 first_byte, guint64 n_bytes, void *bytes, gpointer data,
             GError **error)
{
  CheckpointFixture *fixture = data;
  g_assert_cmpuint (first_byte + n_bytes, <=, bytes_of (tensor));
  memcpy (bytes, fixture->values[tensor - fixture->tensors] + first_byte, n_bytes);
  return TRUE;
}

static gboolean
write_tensor (const FenStateTensor *tensor, guint64 first_byte, guint64 n_bytes, const void *bytes,
              gpointer data, GError **error)
{
  CheckpointFixture *fixture = data;
  g_assert_cmpuint (first_byte + n_bytes, <=, bytes_of (tensor));
  memcpy (fixture->values[tensor - fixture->tensors] + first_byte, bytes, n_bytes);
  return TRUE;
}

CheckpointFixture *
checkpoint_fixture_new (gint64 elements)
{
  const FenStateTensor tensors[FIXTURE_TENSORS] = {
    { "weights.model.norm.weight", FEN_BF16, 32, { 32, 0 }, 1, TRUE },
    { "weights.model.embed_tokens.weight", FEN_BF16, elements / 4 * 4, { 4, elements / 4 }, 2, TRUE },
    { "master.model.embed_tokens.weight", FEN_F32, elements / 4 * 4, { 4, elements / 4 }, 2, FALSE },
    { "m.model.embed_tokens.weight", FEN_U8, elements / 4 * 4, { elements / 4 * 4, 0 }, 1, FALSE },
    { "v.model.embed_tokens.weight", FEN_F32, elements / 4 * 4, { 4, elements / 4 }, 2, FALSE },
    { "v.model.embed_tokens.weight.absmax", FEN_F32, 3, { 3, 0 }, 1, FALSE },
  };
  CheckpointFixture *fixture = g_new0 (CheckpointFixture, 1);
  memcpy (fixture->tensors, tensors, sizeof tensors);
  for (int i = 0; i < FIXTURE_TENSORS; i++)
    fixture->values[i] = g_malloc (bytes_of (&tensors[i]));
  fixture->content = (FenCheckpointContent){ .tensors = fixture->tensors,
                                             .n_tensors = FIXTURE_TENSORS,
                                             .read = read_tensor,
                                             .write = write_tensor,
                                             .user_data = fixture,
                                             .model_config = "{\"model_type\": \"llama\"}\n" };
  checkpoint_fixture_set_step (fixture, 0);
  return fixture;
}

void
checkpoint_fixture_free (CheckpointFixture *fixture)
{
  for (int i = 0; i < FIXTURE_TENSORS; i++)
    g_free (fixture->values[i]);
  g_free (fixture);
}

static guchar
byte_at (gint64 step, int tensor, gsize i)
{
  return (guchar)(step * 31 + tensor * 7 + (gint64)i * 3 + (gint64)(i >> 8) + (gint64)(i >> 16));
}

static FenTrainState
state_at (gint64 step)
{
  FenTrainState state;
  fen_train_state_init (&state);
  state.step = step;
  state.tokens = step * 1000;
  state.rows_consumed = step * 12;
  state.update_count = step - 1;
  state.skipped_updates = 1;
  state.eval_step = step / 2;
  state.seed = G_MAXUINT64 - 5;
  state.loss_scale = 65536;
  state.smoothed_loss = 1.0 / 3 + (double)step;
  state.smoothed_weight = 0.1;
  state.loss = 2.0 / 7;
  g_strlcpy (state.dataset_hash, "00112233445566778899aabbccddeeff", sizeof state.dataset_hash);
  g_strlcpy (state.tokenizer_fingerprint, "ffeeddccbbaa99887766554433221100",
             sizeof state.tokenizer_fingerprint);
  return state;
}

void
checkpoint_fixture_set_step (CheckpointFixture *fixture, gint64 step)
{
  fixture->state = state_at (step);
  for (int i = 0; i < FIXTURE_TENSORS; i++)
    for (gsize k = 0; k < bytes_of (&fixture->tensors[i]); k++)
      fixture->values[i][k] = byte_at (step, i, k);
}

gboolean
checkpoint_fixture_is_step (CheckpointFixture *fixture, const FenTrainState *state, gint64 step)
{
  const FenTrainState wanted = state_at (step);
  for (int i = 0; i < FIXTURE_TENSORS; i++)
    for (gsize k = 0; k < bytes_of (&fixture->tensors[i]); k++)
      if (fixture->values[i][k] != byte_at (step, i, k))
        return FALSE;
  return state->step == wanted.step && state->tokens == wanted.tokens
         && state->rows_consumed == wanted.rows_consumed && state->update_count == wanted.update_count
         && state->skipped_updates == wanted.skipped_updates && state->eval_step == wanted.eval_step
         && state->seed == wanted.seed && state->loss_scale == wanted.loss_scale
         && state->smoothed_loss == wanted.smoothed_loss && state->smoothed_weight == wanted.smoothed_weight
         && state->loss == wanted.loss && isnan (state->eval_loss)
         && strcmp (state->dataset_hash, wanted.dataset_hash) == 0
         && strcmp (state->tokenizer_fingerprint, wanted.tokenizer_fingerprint) == 0;
}
