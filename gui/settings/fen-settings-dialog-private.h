/* fen-settings-dialog-private.h: what the file chooser and the menu of the dialog end in; tests call it without them. */
#pragma once

#include "gui/settings/fen-settings-dialog.h"

G_BEGIN_DECLS

/* Reads and writes by a worker; a failure is shown in the dialog, a success as a toast (with Undo after loading). */
void fen_settings_dialog_load_file (FenSettingsDialog *self, const char *path);
void fen_settings_dialog_save_file (FenSettingsDialog *self, const char *path);

G_END_DECLS
