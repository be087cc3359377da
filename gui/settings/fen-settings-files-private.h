/* fen-settings-files-private.h: configuration files of the dialog, read and written by workers: the disk may be slow or
 * gone. The callback gets a GAsyncResult for the _finish of the same name. */
#pragma once

#include <gio/gio.h>

#include "core/config/fen-config.h"

G_BEGIN_DECLS

void fen_settings_file_load_async (const char *path, GCancellable *cancellable, GAsyncReadyCallback callback,
                                   gpointer user_data);
/* A new configuration: the defaults with what the file says. */
FenConfig *fen_settings_file_load_finish (GAsyncResult *result, GError **error);

void fen_settings_file_save_async (const FenConfig *config, const char *path, GCancellable *cancellable,
                                   GAsyncReadyCallback callback, gpointer user_data);
gboolean fen_settings_file_save_finish (GAsyncResult *result, GError **error);
/* Of the result's file; owned by the result. */
const char *fen_settings_file_path (GAsyncResult *result);

/* The settings that come with the program: an array of their names ("sample"), sorted; presets/NAME.json. */
void fen_settings_presets_async (GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *fen_settings_presets_finish (GAsyncResult *result, GError **error);
/* The path of a preset; NULL when it is not there. Free with g_free. */
char *fen_settings_preset_path (const char *name);

G_END_DECLS
