/* train-fixture.h: a small run for tests: generated text, a configuration, and the losses that a run wrote. */
#pragma once

#include "core/config/fen-config.h"

/* A new temporary folder, on a RAM disk when there is one (checkpoints are fsynced). Free with g_free after
 * fen_io_remove_tree. */
char *train_fixture_folder (void);
/* Writes `folder`/text.txt: about `lines` lines of words. */
void train_fixture_write_text (const char *folder, guint lines);
/* The preset 1M on that text with bytes; runs go to `folder`/runs. */
FenConfig *train_fixture_config (const char *folder, gint64 steps);
/* The last value of every step of a run's metrics.jsonl, one line a step: losses, norms, rates and tokens in full
 * precision, times left out. Two runs that trained alike give equal texts. */
char *train_fixture_losses (const char *run_path);
/* Number of lines of that kind of event. */
guint train_fixture_count_events (const char *run_path, const char *event);
