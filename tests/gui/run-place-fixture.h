/* run-place-fixture.h: a folder with a text to train on, for the tests of runs in this process. */
#pragma once

#include "core/base/fen-io.h"
#include "gui/run/fen-run-session.h"
#include "tests/support/train-fixture.h"

typedef struct {
  char *folder;
} Place;

static inline void
place_set_up (Place *place, gconstpointer data)
{
  place->folder = train_fixture_folder ();
  train_fixture_write_text (place->folder, 200);
}

/* Runs are let go of in the background: their folders go when the last has ended. */
static inline void
place_tear_down (Place *place, gconstpointer data)
{
  fen_run_sessions_wait ();
  g_assert_true (fen_io_remove_tree (place->folder, NULL));
  g_free (place->folder);
}
