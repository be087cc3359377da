/* fen-tokenizer-nodes.h: reading the nodes of a tokenizer.json (normalizer, pre_tokenizer, post_processor, decoder).
 * Inside core/corpus only.
 *
 * Each function reads one member of the root object; a member that is missing or null is no node at all.
 */
#pragma once

#include <json-glib/json-glib.h>

#include "core/corpus/fen-tokenizer-private.h"

G_BEGIN_DECLS

gboolean fen_tokenizer_read_normalizer (FenTokenizer *tokenizer, JsonObject *root, GError **error);
/* Also sets bpe.byte_level and bpe.space, which the model's tables need. */
gboolean fen_tokenizer_read_pre_tokenizer (FenTokenizer *tokenizer, JsonObject *root, GError **error);
/* After the vocabulary: checks its ids. */
gboolean fen_tokenizer_read_post_processor (FenTokenizer *tokenizer, JsonObject *root, GError **error);
gboolean fen_tokenizer_read_decoder (FenTokenizer *tokenizer, JsonObject *root, GError **error);

/* Calls `read` for a node, or for each node of a Sequence (whose list is the member `list`) in order. `where` names
 * the node in errors. At most 32 nodes. Shared by the readers above. */
typedef gboolean (*FenNodeReader) (FenTokenizer *tokenizer, JsonObject *node, const char *type,
                                   const char *where, GError **error);
gboolean fen_tokenizer_read_nodes (FenTokenizer *tokenizer, JsonObject *root, const char *member,
                                   const char *list, FenNodeReader read, GError **error);
/* Sets an error that names the node and what is supported instead; answers FALSE. */
gboolean fen_tokenizer_unsupported (const char *where, const char *what, const char *value,
                                    const char *supported, GError **error);
/* The element `index` of an array as a node of an object, NULL with `error` set. */
JsonObject *fen_tokenizer_element (JsonArray *array, guint index, const char *where, GError **error);
/* A string of one character. */
gboolean fen_tokenizer_get_char (JsonObject *node, const char *where, const char *key, gunichar *c,
                                 GError **error);
/* {"String": "..."} or {"Regex": "..."}. */
gboolean fen_tokenizer_get_pattern (JsonObject *node, const char *where, const char **text, gboolean *regex,
                                    GError **error);
/* A Replace of a string, as normaliser and as decoder; both strings are new. */
gboolean fen_tokenizer_read_replace (JsonObject *node, const char *where, char **pattern, char **content,
                                     GError **error);

G_END_DECLS
