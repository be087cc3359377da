/* fen-export-private.h: what a chart exports is made on the main thread (a picture, frozen rows) and written by a worker,
 * whatever the kind of file. */
#pragma once

#include "gui/chart/fen-chart.h"

G_BEGIN_DECLS

/* Runs on a worker; `content` is nobody else's meanwhile. */
typedef gboolean (*FenExportWrite) (gpointer content, const char *path, GCancellable *cancellable,
                                    GError **error);

/* Completes `task` with a boolean. Takes `content`, which `destroy` frees. */
void fen_export_run (GTask *task, const char *path, gpointer content, GDestroyNotify destroy,
                     FenExportWrite write);

G_END_DECLS
