/* cli-progress.h: how a run looks on a terminal, in a log file, and to a machine. */
#pragma once

#include "core/train/fen-trainer.h"

G_BEGIN_DECLS

typedef enum {
  CLI_PROGRESS_LIVE,  /* a terminal: one line that is rewritten */
  CLI_PROGRESS_PLAIN, /* no terminal: a line now and then */
  CLI_PROGRESS_JSON,  /* the lines of metrics.jsonl on standard output */
  CLI_PROGRESS_QUIET, /* warnings and errors only */
} CliProgressMode;

typedef struct _CliProgress CliProgress;

CliProgress *cli_progress_new (CliProgressMode mode);
void cli_progress_free (CliProgress *progress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (CliProgress, cli_progress_free)

/* Shows what is new: samples, phase, notes. Called whenever the trainer's fd is readable and a few times a second. */
void cli_progress_update (CliProgress *progress, FenTrainer *trainer);
/* The last line: what was reached, how fast, and where it is. */
void cli_progress_finish (CliProgress *progress, FenTrainer *trainer);

G_END_DECLS
