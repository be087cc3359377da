/* fen-settings.h: the settings that a person is editing: the option table's values, what was typed, what is wrong.
 *
 * It holds a FenConfig in which every single value is valid, and beside it the text that stands in each entry, which may
 * not be. What was typed stays until it is replaced. Checks between settings (fen_config_validate) run after every
 * change; the notes and the first error belong to the option that causes them.
 *
 * Signal "changed" (const char *option: the table's name, or NULL when many changed). Thread: main.
 */
#pragma once

#include "core/config/fen-config.h"

G_BEGIN_DECLS

#define FEN_TYPE_SETTINGS (fen_settings_get_type ())
G_DECLARE_FINAL_TYPE (FenSettings, fen_settings, FEN, SETTINGS, GObject)

FenSettings *fen_settings_new (void); /* defaults */

/* The valid values; owned by the settings, constant until "changed". */
const FenConfig *fen_settings_get_config (FenSettings *self);
/* Replaces everything (a file, a preset, another run's settings). One "changed" with NULL. */
void fen_settings_set_config (FenSettings *self, const FenConfig *config);
/* Loads and saves configuration files; on error nothing changes. Settings with a blocker are not saved. */
gboolean fen_settings_load (FenSettings *self, const char *path, GError **error);
gboolean fen_settings_save (FenSettings *self, const char *path, GError **error);

/* What stands in the entry of this option: what was typed, otherwise the value, with the locale's decimal mark; of a
 * choice its name in the table. Constant until "changed". */
const char *fen_settings_get_text (FenSettings *self, const FenOption *option);
/* FALSE when the text is not valid: the old value stays in the configuration, the text and its error stay here. An empty
 * text stands for 0 where 0 has a meaning of its own ("full attention"), otherwise for the default. Numbers may be
 * written as the locale does. */
gboolean fen_settings_set_text (FenSettings *self, const FenOption *option, const char *text);
void fen_settings_set_boolean (FenSettings *self, const FenOption *option, gboolean value);
gboolean fen_settings_get_boolean (FenSettings *self, const FenOption *option);
void fen_settings_reset (FenSettings *self, const FenOption *option); /* to the default */

/* The shape of the model that `model` names, once it is known (NULL: not): heads, positions and the model's own window
 * are then checked too. Forgotten when the model changes. One "changed" with NULL when something new is found. */
void fen_settings_set_model_shape (FenSettings *self, const FenModelShape *shape);

/* What is wrong with this option, for its row; NULL when nothing is: the value itself, or a conflict with others. */
const char *fen_settings_get_error (FenSettings *self, const FenOption *option);
/* Why other settings leave the option without effect ("No effect: Context Chunking is off"): its row is insensitive and
 * says so. NULL when it has an effect, and when something is wrong with it: it must then be reachable. What an option's
 * own value makes pointless is a note instead, for the same reason. */
const char *fen_settings_get_inactive_reason (FenSettings *self, const FenOption *option);
/* An allowed value with less effect than it looks ("Window Size 4,096 >= Context Length 2,048: full attention"); NULL
 * when there is none. */
const char *fen_settings_get_note (FenSettings *self, const FenOption *option);
/* The first thing that keeps a run from starting, and its option; NULL when there is none. */
const char *fen_settings_get_blocker (FenSettings *self, const FenOption **option);

/* `fenestra-cli train ...` for these settings, shell-quoted. Free with g_free. */
char *fen_settings_command_line (FenSettings *self);

/* The draft survives a crash: read now (what cannot be read is left alone), then saved 500 ms after a change, on a
 * worker. NULL path = no draft. */
void fen_settings_keep_draft (FenSettings *self, const char *path);

G_END_DECLS
