/* fen-tokenizer-file.c: tokenizer.json: its root, added tokens, vocabulary and merges. The file is a stranger's:
 * whatever contradicts itself is an error that names the key and the value. */
#include <string.h>

#include "core/base/fen-error.h"
#include "core/base/fen-json.h"
#include "core/corpus/fen-tokenizer-nodes.h"
#include "core/corpus/fen-tokenizer-unicode.h"

static gboolean contradiction (FenTokenizer *t, GError **error, const char *format, ...) G_GNUC_PRINTF (3, 4);

static gboolean
contradiction (FenTokenizer *t, GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKENIZER, "%s: %s", t->source, message);
  return FALSE;
}

/* ---- vocabulary ---- */

static gboolean
add_word (FenTokenizer *t, const char *token, JsonNode *node, GError **error)
{
  g_autofree char *quoted = NULL;
  const gboolean integer = JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_INT64;
  const gint64 id = integer ? json_node_get_int (node) : -1;

  if (id < 0 || id >= FEN_TOKENIZER_MAX_VOCAB)
    {
      quoted = fen_error_quote (token);
      return contradiction (t, error, "model.vocab: the id of %s must be an integer from 0 to %u", quoted,
                            FEN_TOKENIZER_MAX_VOCAB - 1);
    }
  switch (fen_vocab_add (&t->vocab, (guint32)id, token, strlen (token)))
    {
    case FEN_VOCAB_ADDED:
      return TRUE;
    case FEN_VOCAB_SAME_TEXT:
      quoted = fen_error_quote (token);
      return contradiction (t, error, "model.vocab: %s is there twice", quoted);
      case FEN_VOCAB_SAME_ID: {
        g_autofree char *other = fen_error_quote (fen_vocab_get (&t->vocab, (guint32)id, NULL));
        quoted = fen_error_quote (token);
        return contradiction (t, error, "model.vocab: %s and %s have the same id %" G_GINT64_FORMAT, other,
                              quoted, id);
      }
    case FEN_VOCAB_FULL:
      break;
    }
  return contradiction (t, error, "model.vocab: the tokens together are too long");
}

static gboolean
read_vocab (FenTokenizer *t, JsonObject *model, const char *where, GError **error)
{
  JsonObject *vocab = NULL;
  JsonObjectIter iter;
  const char *token;
  JsonNode *node;

  if (!fen_json_get_object (model, where, "vocab", TRUE, &vocab, error))
    return FALSE;
  if (json_object_get_size (vocab) == 0)
    return contradiction (t, error, "model.vocab is empty");
  json_object_iter_init_ordered (&iter, vocab);
  while (json_object_iter_next_ordered (&iter, &token, &node))
    if (!add_word (t, token, node, error))
      return FALSE;
  return TRUE;
}

/* ---- merges ---- */

typedef struct {
  GArray *left, *right, *made; /* guint32 */
  GString *joined;
} Merges;

static gint64
find_part (FenTokenizer *t, guint index, const char *text, gsize bytes, GError **error)
{
  const gint64 id = bytes > 0 ? fen_vocab_find (&t->vocab, text, bytes) : -1;
  if (id < 0)
    {
      g_autofree char *part = g_strndup (text, bytes);
      g_autofree char *quoted = fen_error_quote (part);
      contradiction (t, error, "model.merges[%u]: %s is not in the vocabulary", index, quoted);
    }
  return id;
}

static gboolean
add_merge (FenTokenizer *t, Merges *merges, guint index, const char *left, gsize left_bytes,
           const char *right, GError **error)
{
  const gsize right_bytes = strlen (right);
  const gint64 a = find_part (t, index, left, left_bytes, error);
  const gint64 b = a < 0 ? -1 : find_part (t, index, right, right_bytes, error);
  if (b < 0)
    return FALSE;
  g_string_truncate (merges->joined, 0);
  g_string_append_len (merges->joined, left, (gssize)left_bytes);
  g_string_append_len (merges->joined, right, (gssize)right_bytes);
  const gint64 c = find_part (t, index, merges->joined->str, merges->joined->len, error);
  if (c < 0)
    return FALSE;
  const guint32 ids[3] = { (guint32)a, (guint32)b, (guint32)c };
  g_array_append_val (merges->left, ids[0]);
  g_array_append_val (merges->right, ids[1]);
  g_array_append_val (merges->made, ids[2]);
  return TRUE;
}

/* "a b", or ["a", "b"] (which can have spaces in the tokens). */
static gboolean
read_merge (FenTokenizer *t, Merges *merges, guint index, JsonNode *node, GError **error)
{
  if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING)
    {
      const char *text = json_node_get_string (node), *space = strchr (text, ' ');
      if (space != NULL && strchr (space + 1, ' ') == NULL)
        return add_merge (t, merges, index, text, (gsize)(space - text), space + 1, error);
      g_autofree char *quoted = fen_error_quote (text);
      return contradiction (t, error, "model.merges[%u]: %s is not two tokens with a space between", index,
                            quoted);
    }
  if (JSON_NODE_HOLDS_ARRAY (node) && json_array_get_length (json_node_get_array (node)) == 2)
    {
      JsonNode *left = json_array_get_element (json_node_get_array (node), 0);
      JsonNode *right = json_array_get_element (json_node_get_array (node), 1);
      if (JSON_NODE_HOLDS_VALUE (left) && json_node_get_value_type (left) == G_TYPE_STRING
          && JSON_NODE_HOLDS_VALUE (right) && json_node_get_value_type (right) == G_TYPE_STRING)
        return add_merge (t, merges, index, json_node_get_string (left), strlen (json_node_get_string (left)),
                          json_node_get_string (right), error);
    }
  return contradiction (t, error, "model.merges[%u] must be a string or a pair of strings", index);
}

static gboolean
read_merges (FenTokenizer *t, JsonObject *model, const char *where, GError **error)
{
  JsonArray *array = NULL;

  if (!fen_json_get_array (model, where, "merges", TRUE, &array, error))
    return FALSE;
  g_autoptr (GArray) left = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_autoptr (GArray) right = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_autoptr (GArray) made = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_autoptr (GString) joined = g_string_new (NULL);
  Merges merges = { left, right, made, joined };

  for (guint i = 0; i < json_array_get_length (array); i++)
    if (!read_merge (t, &merges, i, json_array_get_element (array, i), error))
      return FALSE;
  const FenBpeMergeList list = { .left = (const guint32 *)left->data,
                                 .right = (const guint32 *)right->data,
                                 .made = (const guint32 *)made->data,
                                 .n = left->len };
  fen_bpe_init (&t->bpe, &t->vocab, &list);
  return TRUE;
}

/* ---- model ---- */

/* Keys that change the ids and that we do not do. GPT-2's file has the two strings empty, which is none. */
static gboolean
check_model_options (FenTokenizer *t, JsonObject *model, const char *where, GError **error)
{
  static const char *const strings[] = { "continuing_subword_prefix", "end_of_word_suffix" };
  double dropout = 0;
  const char *type = "BPE";

  if (!fen_json_get_string (model, where, "type", FALSE, &type, error)
      || !fen_json_get_double (model, where, "dropout", FALSE, 0, 1, &dropout, error))
    return FALSE;
  if (strcmp (type, "BPE") != 0)
    return fen_tokenizer_unsupported (where, "the type", type, "BPE", error);
  if (dropout > 0)
    return fen_tokenizer_unsupported (where, "a value above 0 of", "dropout", "null or 0", error);
  for (gsize i = 0; i < G_N_ELEMENTS (strings); i++)
    {
      const char *value = "";
      if (!fen_json_get_string (model, where, strings[i], FALSE, &value, error))
        return FALSE;
      if (value[0] != '\0')
        return fen_tokenizer_unsupported (where, strings[i], value, "null or an empty string", error);
    }
  return TRUE;
}

static gboolean
read_model (FenTokenizer *t, JsonObject *root, GError **error)
{
  g_autofree char *where = g_strconcat (t->source, ": model", NULL);
  JsonObject *model = NULL;
  const char *unk = NULL;

  if (!fen_json_get_object (root, t->source, "model", TRUE, &model, error)
      || !check_model_options (t, model, where, error)
      || !fen_json_get_boolean (model, where, "fuse_unk", FALSE, &t->bpe.fuse_unk, error)
      || !fen_json_get_boolean (model, where, "byte_fallback", FALSE, &t->bpe.byte_fallback, error)
      || !fen_json_get_boolean (model, where, "ignore_merges", FALSE, &t->bpe.ignore_merges, error)
      || !fen_json_get_string (model, where, "unk_token", FALSE, &unk, error)
      || !read_vocab (t, model, where, error))
    return FALSE;
  t->bpe.where = g_strdup (t->source);
  t->bpe.unk = unk == NULL ? -1 : fen_vocab_find (&t->vocab, unk, strlen (unk));
  return read_merges (t, model, where, error);
}

/* ---- added tokens ---- */

typedef struct {
  FenAddedToken token;
  const char *content;
  gboolean special, normalized;
} Added;

static gboolean
read_added_fields (JsonObject *node, const char *where, Added *added, GError **error)
{
  gint64 id = 0;

  if (!fen_json_get_int (node, where, "id", TRUE, 0, FEN_TOKENIZER_MAX_VOCAB - 1, &id, error)
      || !fen_json_get_string (node, where, "content", TRUE, &added->content, error)
      || !fen_json_get_boolean (node, where, "special", FALSE, &added->special, error))
    return FALSE;
  added->token.id = (guint32)id;
  added->normalized = !added->special;
  return fen_json_get_boolean (node, where, "normalized", FALSE, &added->normalized, error)
         && fen_json_get_boolean (node, where, "single_word", FALSE, &added->token.single_word, error)
         && fen_json_get_boolean (node, where, "lstrip", FALSE, &added->token.lstrip, error)
         && fen_json_get_boolean (node, where, "rstrip", FALSE, &added->token.rstrip, error);
}

/* An added token is a new id, or a token of the vocabulary with the same id. */
static gboolean
check_added_id (FenTokenizer *t, const char *where, const Added *added, GError **error)
{
  const guint32 id = added->token.id;
  const gint64 known = fen_vocab_find (&t->vocab, added->content, strlen (added->content));
  const char *other = known >= 0 && known != id ? added->content : fen_vocab_get (&t->vocab, id, NULL);

  if (added->content[0] == '\0')
    return contradiction (t, error, "%s: content is empty", where);
  if (other != NULL && (known != id || strcmp (other, added->content) != 0))
    {
      g_autofree char *quoted = fen_error_quote (added->content), *quoted_other = fen_error_quote (other);
      return contradiction (t, error, "%s: %s has the id %u, but the vocabulary has %s = %" G_GINT64_FORMAT,
                            where, quoted, id, quoted_other, known >= 0 ? known : id);
    }
  if (fen_vocab_add (&t->extra, id, added->content, strlen (added->content)) != FEN_VOCAB_ADDED)
    {
      g_autofree char *quoted = fen_error_quote (added->content);
      return contradiction (t, error, "%s: %s or the id %u was added before", where, quoted, id);
    }
  return TRUE;
}

/* What the token is looked for as: its normalised content when it is matched against normalised text. */
static gboolean
insert_added (FenTokenizer *t, const char *where, const Added *added, GError **error)
{
  const gsize bytes = strlen (added->content);
  g_autoptr (GByteArray) normal = g_byte_array_new ();
  gboolean fresh;

  if (!added->normalized)
    fresh = fen_added_insert (&t->added_raw, added->content, bytes, &added->token);
  else
    {
      fen_normal_run (t->normal, (const guint8 *)added->content, bytes, TRUE, normal);
      fresh = normal->len == 0
              || fen_added_insert (&t->added_normal, (const char *)normal->data, normal->len, &added->token);
      if (normal->len != bytes || memcmp (normal->data, added->content, bytes) != 0)
        {
          if (t->spelt == NULL)
            t->spelt = g_hash_table_new_full (NULL, NULL, NULL, g_free);
          g_hash_table_insert (t->spelt, GUINT_TO_POINTER (added->token.id),
                               g_strndup ((const char *)normal->data, normal->len));
        }
    }
  if (fresh)
    return TRUE;
  g_autofree char *quoted = fen_error_quote (added->content);
  return contradiction (t, error, "%s: normalised, %s is the same as another added token", where, quoted);
}

static gboolean
read_added (FenTokenizer *t, JsonObject *root, GArray *special, GError **error)
{
  JsonArray *array = NULL;

  if (!fen_json_get_array (root, t->source, "added_tokens", FALSE, &array, error))
    return FALSE;
  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    {
      g_autofree char *where = g_strdup_printf ("added_tokens[%u]", i);
      g_autofree char *long_where = g_strdup_printf ("%s: %s", t->source, where);
      Added added = { .content = NULL };
      JsonObject *node = fen_tokenizer_element (array, i, "added_tokens", error);
      if (node == NULL)
        {
          g_prefix_error (error, "%s: ", t->source);
          return FALSE;
        }
      if (!read_added_fields (node, long_where, &added, error) || !check_added_id (t, where, &added, error)
          || !insert_added (t, where, &added, error))
        return FALSE;
      if (added.special)
        g_array_append_val (special, added.token.id);
      if (added.token.single_word || added.token.lstrip || added.token.rstrip)
        t->any_bytes = FALSE;
    }
  return TRUE;
}

/* ---- the whole ---- */

static gboolean
check_version (FenTokenizer *t, JsonObject *root, GError **error)
{
  const char *version = "1.0";
  if (!fen_json_get_string (root, t->source, "version", FALSE, &version, error))
    return FALSE;
  return strcmp (version, "1.0") == 0
         || fen_tokenizer_unsupported (t->source, "the version", version, "1.0", error);
}

gboolean
fen_tokenizer_parse (FenTokenizer *t, const char *json, gsize bytes, GError **error)
{
  g_autoptr (JsonNode) node = fen_json_parse (json, bytes, t->source, FEN_JSON_MAX_BYTES_TOKENIZER, error);
  g_autoptr (GArray) special = g_array_new (FALSE, FALSE, sizeof (guint32));
  JsonObject *root = node == NULL ? NULL : fen_json_root_object (node, t->source, error);

  t->bpe.space = ' ';
  if (root == NULL || !check_version (t, root, error) || !fen_tokenizer_read_normalizer (t, root, error)
      || !fen_tokenizer_read_pre_tokenizer (t, root, error))
    return FALSE;
  t->any_bytes = t->bpe.byte_level && t->normal->len == 0 && t->splits->len == 0;
  if (!read_model (t, root, error) || !read_added (t, root, special, error))
    return FALSE;
  t->bpe.any_bytes = t->any_bytes;
  t->vocab_size = MAX (t->vocab.size, t->extra.size);
  t->special = g_new0 (guint8, t->vocab_size);
  for (guint i = 0; i < special->len; i++)
    t->special[g_array_index (special, guint32, i)] = TRUE;
  return fen_tokenizer_read_post_processor (t, root, error) && fen_tokenizer_read_decoder (t, root, error);
}
