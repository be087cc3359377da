/* fen-settings-dialog.h: Training Settings: pages made from the option table, the plan bar at the foot of each. */
#pragma once

#include <adwaita.h>

#include "gui/settings/fen-settings-facts.h"

G_BEGIN_DECLS

#define FEN_TYPE_SETTINGS_DIALOG (fen_settings_dialog_get_type ())
G_DECLARE_FINAL_TYPE (FenSettingsDialog, fen_settings_dialog, FEN, SETTINGS_DIALOG, AdwWindow)

/* Signal "start" (): the person pressed Start and nothing blocks it. */
GtkWidget *fen_settings_dialog_new (GtkWindow *parent, FenSettings *settings, FenSettingsFacts *facts);
/* Shows the page and focuses the row of an option. */
void fen_settings_dialog_show_option (FenSettingsDialog *self, const char *option);
/* "data", "training", "attention", "output". */
void fen_settings_dialog_show_page (FenSettingsDialog *self, const char *page);
/* Start is refused with this reason while set ("a run goes on in this window"); NULL allows it. */
void fen_settings_dialog_set_blocked (FenSettingsDialog *self, const char *reason);

G_END_DECLS
