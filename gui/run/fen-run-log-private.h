/* fen-run-log-private.h: the text of log.txt: follows its end while the end is what is being read, can be searched and
 * copied. */
#pragma once

#include <adwaita.h>

G_BEGIN_DECLS

#define FEN_TYPE_RUN_LOG (fen_run_log_get_type ())
G_DECLARE_FINAL_TYPE (FenRunLog, fen_run_log, FEN, RUN_LOG, GtkWidget)

/* Shows `text`, of which what was shown before is the beginning: only the rest is appended. Of a very long text the end
 * alone is kept. */
void fen_run_log_set_text (FenRunLog *self, const char *text);
/* Forgets everything: another run's text comes next. */
void fen_run_log_clear (FenRunLog *self);
gboolean fen_run_log_is_at_end (FenRunLog *self);

G_END_DECLS
