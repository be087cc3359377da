/* fen-config-private.h: one value of the table, between text, JSON and the structure. Inside core/config only.
 *
 * Reading has two halves, because a configuration file or command line may widen the ranges (`expert`) after the
 * value that needs it: first the type (parse), later the range (check).
 */
#pragma once

#include "core/config/fen-config.h"

G_BEGIN_DECLS

/* Which member counts is the option's type. Strings are borrowed. */
typedef struct {
  gboolean boolean;
  gint64 integer;
  double number;
  guint64 bytes;
  const char *text;
  int choice;
} FenValue;

/* FEN_CONFIG_ERROR_TYPE, or _RANGE for an unknown choice or a number that no type holds. `source` (may be NULL) is a
 * file's name, put in front; FEN_WORDS_TITLES has none. */
gboolean fen_value_parse_text (const FenOption *option, const char *text, FenWords words, FenValue *value,
                               GError **error);
gboolean fen_value_parse_json (const FenOption *option, JsonNode *node, const char *source, FenValue *value,
                               GError **error);
gboolean fen_value_check (const FenOption *option, const FenValue *value, gboolean expert, FenWords words,
                          const char *source, GError **error);
void fen_value_load (const FenConfig *config, const FenOption *option, FenValue *value);
void fen_value_store (FenConfig *config, const FenOption *option, const FenValue *value);
/* In the form that fen_value_parse_text reads, and in the window's words. Free with g_free. */
char *fen_value_to_text (const FenOption *option, const FenValue *value);
char *fen_value_to_words (const FenOption *option, const FenValue *value);

/* Reads types only and notes which options the file has; ranges are the caller's. */
gboolean fen_config_read_json_types (FenConfig *config, JsonObject *object, const char *source,
                                     GHashTable *seen, GError **error);
/* Checks the range of every option; those in `from_file` (may be NULL) are said to come from `source`. */
gboolean fen_config_check_ranges (const FenConfig *config, GHashTable *from_file, const char *source,
                                  GError **error);
/* Replaces *config's values with those of *other, which is freed. */
void fen_config_take (FenConfig *config, FenConfig *other);

/* Numbers between the program's form and the locale's: "8192" and "8,192", "0.5" and "0,5". Free with g_free. */
char *fen_double_to_locale (const char *text);
char *fen_double_from_locale (const char *text);
char *fen_int_from_locale (const char *text);
char *fen_int_to_words (gint64 value, FenWords words); /* grouped in the window */

/* Sets *error as g_set_error does, naming the setting that caused it; returns FALSE. `message` is taken. */
gboolean fen_config_fail (GError **error, FenConfigError code, const FenOption *option, char *message);

/* The halves of fen_config_check; they append to findings made by fen_config_new_findings. Every single value is in its
 * range (fen_config_check_ranges). */
GPtrArray *fen_config_new_findings (void);
void fen_config_check_settings (const FenConfig *config, FenWords words, GPtrArray *findings);
void fen_config_check_model (const FenConfig *config, const FenModelShape *shape, FenWords words,
                             GPtrArray *findings);

/* "1 to 16777216 tokens" where --expert widens the range, otherwise NULL. Free with g_free. */
char *fen_option_expert_text (const FenOption *option);
/* "--window-size" for people and shells; free with g_free. */
char *fen_option_flag (const FenOption *option);
/* "N", "FILE", "cosine|linear": what a flag's value looks like, or NULL for a boolean. Free with g_free. */
char *fen_option_placeholder (const FenOption *option);
/* "did you mean --x?" needs all names: a NULL-terminated array of the table's names, to be freed with g_free. */
const char **fen_option_names (void);

G_END_DECLS
