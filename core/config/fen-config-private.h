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
 * file's name, put in front. */
gboolean fen_value_parse_text (const FenOption *option, const char *text, FenValue *value, GError **error);
gboolean fen_value_parse_json (const FenOption *option, JsonNode *node, const char *source, FenValue *value,
                               GError **error);
gboolean fen_value_check (const FenOption *option, const FenValue *value, gboolean expert, const char *source,
                          GError **error);
void fen_value_load (const FenConfig *config, const FenOption *option, FenValue *value);
void fen_value_store (FenConfig *config, const FenOption *option, const FenValue *value);
/* In the form that fen_value_parse_text reads. */
char *fen_value_to_text (const FenOption *option, const FenValue *value);

/* Reads types only and notes which options the file has; ranges are the caller's. */
gboolean fen_config_read_json_types (FenConfig *config, JsonObject *object, const char *source,
                                     GHashTable *seen, GError **error);
/* Checks the range of every option; those in `from_file` (may be NULL) are said to come from `source`. */
gboolean fen_config_check_ranges (const FenConfig *config, GHashTable *from_file, const char *source,
                                  GError **error);
/* Replaces *config's values with those of *other, which is freed. */
void fen_config_take (FenConfig *config, FenConfig *other);

/* "1 to 16777216 tokens" where --expert widens the range, otherwise NULL. Free with g_free. */
char *fen_option_expert_text (const FenOption *option);
/* "--window-size" for people and shells; free with g_free. */
char *fen_option_flag (const FenOption *option);
/* "N", "FILE", "cosine|linear": what a flag's value looks like, or NULL for a boolean. Free with g_free. */
char *fen_option_placeholder (const FenOption *option);
/* "did you mean --x?" needs all names: a NULL-terminated array of the table's names, to be freed with g_free. */
const char **fen_option_names (void);

G_END_DECLS
