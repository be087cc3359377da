/* fen-settings-draft-private.h: a file that follows the settings, half a second behind. Thread: main. */
#pragma once

#include "core/config/fen-config.h"

G_BEGIN_DECLS

typedef struct _FenSettingsDraft FenSettingsDraft;

FenSettingsDraft *fen_settings_draft_new (const char *path);
/* Writes what has not been written yet, and frees. */
void fen_settings_draft_free (FenSettingsDraft *draft);
void fen_settings_draft_changed (FenSettingsDraft *draft, const FenConfig *config);

G_END_DECLS
