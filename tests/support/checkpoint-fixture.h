/* checkpoint-fixture.h: a made-up engine state for tests of checkpoints: a few arrays whose bytes depend on the step, so
 * that a mixture of two checkpoints shows. */
#pragma once

#include "core/train/fen-checkpoint.h"

#define FIXTURE_TENSORS 6

typedef struct {
  FenStateTensor tensors[FIXTURE_TENSORS];
  guchar *values[FIXTURE_TENSORS];
  FenCheckpointContent content;
  FenTrainState state;
} CheckpointFixture;

/* `elements` of the largest array. */
CheckpointFixture *checkpoint_fixture_new (gint64 elements);
void checkpoint_fixture_free (CheckpointFixture *fixture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (CheckpointFixture, checkpoint_fixture_free)

/* All bytes and numbers as they are after `step` steps. */
void checkpoint_fixture_set_step (CheckpointFixture *fixture, gint64 step);
/* Are all bytes and numbers those of `step`? */
gboolean checkpoint_fixture_is_step (CheckpointFixture *fixture, const FenTrainState *state, gint64 step);
