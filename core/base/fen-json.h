/* fen-json.h: reading JSON from strangers and writing JSON for anybody.
 *
 * Reading. The tree is json-glib's; the parser is our own, because json-glib's recurses without a limit (200,000
 * nested brackets overflow the stack) and takes comments, assignments and hexadecimal numbers for JSON. Text is
 * RFC 8259 to the letter and bounded in bytes, depth and values; a repeated key, NUL (also as \u0000) and half a
 * surrogate pair are syntax errors; integers that fit 64 bits are exact. Every member is read through the getters
 * below, because json-glib's answer a wrong type with a default: these check type and range and name file, key,
 * value and what is allowed. An integer may be written 2048.0 or 1e3.
 *
 * Writing. json-glib 1.6 writes 1e-8 as `1e-08.0` and NaN as `nan.0`; FenJsonWriter writes the shortest text that
 * reads back to the same number, and null for what JSON cannot say.
 *
 * Threads: all functions are reentrant; an object is used by one thread at a time.
 */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

#define FEN_JSON_ERROR (fen_json_error_quark ())
GQuark fen_json_error_quark (void);

typedef enum {
  FEN_JSON_ERROR_TOO_LARGE, /* more bytes than the caller allows, or over eight million values */
  FEN_JSON_ERROR_TOO_DEEP,  /* more than FEN_JSON_MAX_DEPTH nested containers */
  FEN_JSON_ERROR_SYNTAX,    /* not JSON, or not UTF-8 */
  FEN_JSON_ERROR_TYPE,      /* a member of the wrong type */
  FEN_JSON_ERROR_RANGE,     /* a member outside its range */
  FEN_JSON_ERROR_MISSING,   /* a required member is not there */
} FenJsonError;

#define FEN_JSON_MAX_DEPTH 64
#define FEN_JSON_MAX_BYTES_CONFIG (4u << 20) /* config.json, run state, our own options */
#define FEN_JSON_MAX_BYTES_TOKENIZER                                                                         \
  (256u << 20) /* tokenizer.json; the largest public ones are about 35 MB */

/* Parses `text` (`length` bytes, not necessarily NUL-terminated). `source` names it in errors ("config.json").
 * Syntax errors name line and column. Returns a node owned by the caller (json_node_unref), or NULL. */
JsonNode *fen_json_parse (const char *text, gsize length, const char *source, gsize max_bytes,
                          GError **error);

/* Reads and parses a file; G_FILE_ERROR when it cannot be read (the message names the path). */
JsonNode *fen_json_load (const char *path, gsize max_bytes, GError **error);

/* The object at the root, or NULL with FEN_JSON_ERROR_TYPE. Not a new reference. */
JsonObject *fen_json_root_object (JsonNode *root, const char *source, GError **error);

/* Getters. `where` names the object in errors ("config.json: rope_scaling"). When the member is missing or null
 * and `required` is FALSE, *value is left alone and TRUE is returned: initialise it with the default. */
gboolean fen_json_get_int (JsonObject *object, const char *where, const char *key, gboolean required,
                           gint64 min, gint64 max, gint64 *value, GError **error);
/* Accepts an integer as well. NaN and infinity are out of every range. */
gboolean fen_json_get_double (JsonObject *object, const char *where, const char *key, gboolean required,
                              double min, double max, double *value, GError **error);
gboolean fen_json_get_boolean (JsonObject *object, const char *where, const char *key, gboolean required,
                               gboolean *value, GError **error);
/* The string stays owned by `object`. */
gboolean fen_json_get_string (JsonObject *object, const char *where, const char *key, gboolean required,
                              const char **value, GError **error);
gboolean fen_json_get_object (JsonObject *object, const char *where, const char *key, gboolean required,
                              JsonObject **value, GError **error);
gboolean fen_json_get_array (JsonObject *object, const char *where, const char *key, gboolean required,
                             JsonArray **value, GError **error);
gboolean fen_json_has (JsonObject *object, const char *key); /* there and not null */

/* ---- writing ---- */

typedef struct _FenJsonWriter FenJsonWriter;

/* `indent` 0 writes one line (metrics.jsonl), otherwise that many spaces a level. */
FenJsonWriter *fen_json_writer_new (guint indent);
void fen_json_writer_free (FenJsonWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenJsonWriter, fen_json_writer_free)

/* `key` is NULL inside an array and at the root. Strings are UTF-8; invalid bytes become U+FFFD. */
void fen_json_writer_begin_object (FenJsonWriter *writer, const char *key);
void fen_json_writer_end_object (FenJsonWriter *writer);
void fen_json_writer_begin_array (FenJsonWriter *writer, const char *key);
void fen_json_writer_end_array (FenJsonWriter *writer);
void fen_json_writer_string (FenJsonWriter *writer, const char *key,
                             const char *value); /* NULL writes null */
/* `bytes` of text that may hold NULs, which are written as \u0000. */
void fen_json_writer_string_len (FenJsonWriter *writer, const char *key, const char *value, gsize bytes);
void fen_json_writer_int (FenJsonWriter *writer, const char *key, gint64 value);
void fen_json_writer_double (FenJsonWriter *writer, const char *key, double value); /* NaN, inf: null */
void fen_json_writer_float (FenJsonWriter *writer, const char *key, float value);   /* shortest float form */
void fen_json_writer_boolean (FenJsonWriter *writer, const char *key, gboolean value);
void fen_json_writer_null (FenJsonWriter *writer, const char *key);
void fen_json_writer_node (FenJsonWriter *writer, const char *key,
                           JsonNode *node); /* a parsed value, copied */
/* The text so far, without a trailing newline; owned by the writer. */
const char *fen_json_writer_text (FenJsonWriter *writer, gsize *length);
void fen_json_writer_reset (FenJsonWriter *writer);

/* Shortest text that strtod reads back to exactly `value` ("0.1", "1e-08", "3"); NULL for NaN and infinities. */
const char *fen_json_format_double (double value, char buffer[32]);

G_END_DECLS
