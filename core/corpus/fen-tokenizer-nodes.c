/* fen-tokenizer-nodes.c: normalizer, pre_tokenizer and what the readers of nodes share. The names and defaults are
 * those of Hugging Face tokenizers. */
#include <string.h>

#include "core/base/fen-error.h"
#include "core/base/fen-json.h"
#include "core/corpus/fen-tokenizer-nodes.h"

#define MAX_NODES 32

/* ---- shared ---- */

gboolean
fen_tokenizer_unsupported (const char *where, const char *what, const char *value, const char *supported,
                           GError **error)
{
  g_autofree char *quoted = fen_error_quote (value);
  g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_UNSUPPORTED,
               "%s: %s %s is not supported; supported: %s", where, what, quoted, supported);
  return FALSE;
}

JsonObject *
fen_tokenizer_element (JsonArray *array, guint index, const char *where, GError **error)
{
  JsonNode *node = json_array_get_element (array, index);
  if (JSON_NODE_HOLDS_OBJECT (node))
    return json_node_get_object (node);
  g_set_error (error, FEN_JSON_ERROR, FEN_JSON_ERROR_TYPE, "%s[%u] must be an object", where, index);
  return NULL;
}

gboolean
fen_tokenizer_get_char (JsonObject *node, const char *where, const char *key, gunichar *c, GError **error)
{
  const char *text = NULL;
  if (!fen_json_get_string (node, where, key, TRUE, &text, error))
    return FALSE;
  if (g_utf8_strlen (text, -1) != 1)
    {
      g_autofree char *quoted = fen_error_quote (text);
      g_set_error (error, FEN_JSON_ERROR, FEN_JSON_ERROR_RANGE, "%s: %s is %s; one character is allowed",
                   where, key, quoted);
      return FALSE;
    }
  *c = g_utf8_get_char (text);
  return TRUE;
}

gboolean
fen_tokenizer_get_pattern (JsonObject *node, const char *where, const char **text, gboolean *regex,
                           GError **error)
{
  g_autofree char *inner = g_strconcat (where, ".pattern", NULL);
  JsonObject *pattern = NULL;
  if (!fen_json_get_object (node, where, "pattern", TRUE, &pattern, error))
    return FALSE;
  *regex = fen_json_has (pattern, "Regex");
  return fen_json_get_string (pattern, inner, *regex ? "Regex" : "String", TRUE, text, error);
}

static gboolean
read_nodes (FenTokenizer *t, JsonObject *node, const char *where, const char *list, FenNodeReader read,
            guint *count, GError **error)
{
  const char *type = NULL;
  JsonArray *array = NULL;

  if (++*count > MAX_NODES)
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_UNSUPPORTED, "%s: more than %d nodes", where,
                   MAX_NODES);
      return FALSE;
    }
  if (!fen_json_get_string (node, where, "type", TRUE, &type, error))
    return FALSE;
  if (strcmp (type, "Sequence") != 0)
    return read (t, node, type, where, error);

  g_autofree char *path = g_strconcat (where, ".", list, NULL);
  if (!fen_json_get_array (node, where, list, TRUE, &array, error))
    return FALSE;
  for (guint i = 0; i < json_array_get_length (array); i++)
    {
      g_autofree char *inner = g_strdup_printf ("%s[%u]", path, i);
      JsonObject *element = fen_tokenizer_element (array, i, path, error);
      if (element == NULL || !read_nodes (t, element, inner, list, read, count, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
fen_tokenizer_read_nodes (FenTokenizer *tokenizer, JsonObject *root, const char *member, const char *list,
                          FenNodeReader read, GError **error)
{
  g_autofree char *where = g_strconcat (tokenizer->source, ": ", member, NULL);
  JsonObject *node = NULL;
  guint count = 0;

  if (!fen_json_get_object (root, tokenizer->source, member, FALSE, &node, error))
    return FALSE;
  return node == NULL || read_nodes (tokenizer, node, where, list, read, &count, error);
}

/* ---- normalizer ---- */

gboolean
fen_tokenizer_read_replace (JsonObject *node, const char *where, char **pattern, char **content,
                            GError **error)
{
  const char *from = NULL, *to = NULL;
  gboolean regex = FALSE;

  if (!fen_tokenizer_get_pattern (node, where, &from, &regex, error)
      || !fen_json_get_string (node, where, "content", TRUE, &to, error))
    return FALSE;
  if (regex || from[0] == '\0')
    return fen_tokenizer_unsupported (where, regex ? "a Replace of the regular expression" : "a Replace of",
                                      from, "a Replace of a string", error);
  *pattern = g_strdup (from);
  *content = g_strdup (to);
  return TRUE;
}

static gboolean
read_replace (JsonObject *node, const char *where, FenNormalStep *step, GError **error)
{
  step->kind = FEN_NORMAL_REPLACE;
  return fen_tokenizer_read_replace (node, where, &step->pattern, &step->content, error);
}

static gboolean
fill_normal_step (JsonObject *node, const char *type, const char *where, FenNormalStep *step, GError **error)
{
  static const struct {
    const char *type;
    GNormalizeMode form;
  } forms[] = { { "NFC", G_NORMALIZE_NFC },
                { "NFD", G_NORMALIZE_NFD },
                { "NFKC", G_NORMALIZE_NFKC },
                { "NFKD", G_NORMALIZE_NFKD } };
  const char *content = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (forms); i++)
    if (strcmp (type, forms[i].type) == 0)
      {
        step->kind = FEN_NORMAL_FORM;
        step->form = forms[i].form;
        return TRUE;
      }
  if (strcmp (type, "Replace") == 0)
    return read_replace (node, where, step, error);
  if (strcmp (type, "Prepend") != 0)
    return fen_tokenizer_unsupported (where, "the type", type,
                                      "NFC, NFD, NFKC, NFKD, Prepend, Replace, Sequence", error);
  if (!fen_json_get_string (node, where, "prepend", TRUE, &content, error))
    return FALSE;
  step->kind = FEN_NORMAL_PREPEND;
  step->content = g_strdup (content);
  return TRUE;
}

static gboolean
read_normal_step (FenTokenizer *t, JsonObject *node, const char *type, const char *where, GError **error)
{
  FenNormalStep *step = g_new0 (FenNormalStep, 1);
  g_ptr_array_add (t->normal, step);
  return fill_normal_step (node, type, where, step, error);
}

gboolean
fen_tokenizer_read_normalizer (FenTokenizer *tokenizer, JsonObject *root, GError **error)
{
  return fen_tokenizer_read_nodes (tokenizer, root, "normalizer", "normalizers", read_normal_step, error);
}

/* ---- pre_tokenizer ---- */

static gboolean
read_behavior (JsonObject *node, const char *where, gboolean required, FenSplitBehavior *behavior,
               GError **error)
{
  static const char *const names[]
      = { "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous" };
  const char *name = NULL;

  if (!fen_json_get_string (node, where, "behavior", required, &name, error))
    return FALSE;
  for (guint i = 0; name != NULL && i < G_N_ELEMENTS (names); i++)
    if (strcmp (name, names[i]) == 0)
      {
        *behavior = (FenSplitBehavior)i;
        return TRUE;
      }
  return name == NULL
         || fen_tokenizer_unsupported (where, "the behavior", name,
                                       "Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous",
                                       error);
}

static gboolean
read_split (FenTokenizer *t, JsonObject *json, const char *where, FenSplitNode *node, GError **error)
{
  const char *pattern = NULL;
  gboolean regex = FALSE;

  node->kind = FEN_SPLIT_REGEX;
  if (!fen_tokenizer_get_pattern (json, where, &pattern, &regex, error)
      || !read_behavior (json, where, TRUE, &node->behavior, error)
      || !fen_json_get_boolean (json, where, "invert", FALSE, &node->invert, error))
    return FALSE;
  node->regex = fen_regex_new (pattern, !regex, where, error);
  return node->regex != NULL;
}

static gboolean
read_byte_level (FenTokenizer *t, JsonObject *json, const char *where, FenSplitNode *node, GError **error)
{
  gboolean prefix = TRUE, use_regex = TRUE;

  if (!fen_json_get_boolean (json, where, "add_prefix_space", TRUE, &prefix, error)
      || !fen_json_get_boolean (json, where, "use_regex", FALSE, &use_regex, error))
    return FALSE;
  t->bpe.byte_level = TRUE;
  node->prefix = prefix ? FEN_PREFIX_ALWAYS : FEN_PREFIX_NEVER;
  node->behavior = FEN_SPLIT_ISOLATED;
  if (!use_regex)
    return TRUE;
  node->kind = FEN_SPLIT_REGEX;
  node->regex = fen_regex_new (fen_gpt2_pattern, FALSE, where, error);
  return node->regex != NULL;
}

/* `add_prefix_space` is the older spelling of `prepend_scheme`: true is always, false is never. */
static gboolean
read_metaspace (FenTokenizer *t, JsonObject *json, const char *where, FenSplitNode *node, GError **error)
{
  const char *scheme = NULL;
  gboolean split = TRUE, prefix = TRUE;

  if (!fen_tokenizer_get_char (json, where, "replacement", &node->mark, error)
      || !fen_json_get_boolean (json, where, "split", FALSE, &split, error)
      || !fen_json_get_boolean (json, where, "add_prefix_space", FALSE, &prefix, error)
      || !fen_json_get_string (json, where, "prepend_scheme", FALSE, &scheme, error))
    return FALSE;
  if (scheme == NULL)
    scheme = prefix ? "always" : "never";
  if (strcmp (scheme, "always") == 0)
    node->prefix = FEN_PREFIX_ALWAYS;
  else if (strcmp (scheme, "first") == 0)
    node->prefix = FEN_PREFIX_FIRST;
  else if (strcmp (scheme, "never") == 0)
    node->prefix = FEN_PREFIX_NEVER;
  else
    return fen_tokenizer_unsupported (where, "the prepend_scheme", scheme, "first, always, never", error);
  if (!prefix && node->prefix != FEN_PREFIX_NEVER)
    return fen_tokenizer_unsupported (where, "add_prefix_space false with the prepend_scheme", scheme,
                                      "never", error);
  node->kind = split ? FEN_SPLIT_SPACE : FEN_SPLIT_NOTHING;
  node->behavior = FEN_SPLIT_MERGED_WITH_NEXT;
  t->bpe.space = node->mark;
  return TRUE;
}

static gboolean
fill_split_node (FenTokenizer *t, JsonObject *json, const char *type, const char *where, FenSplitNode *node,
                 GError **error)
{
  gboolean individual = FALSE;

  if (t->bpe.byte_level || t->bpe.space != ' ')
    return fen_tokenizer_unsupported (where, "after ByteLevel or Metaspace, the type", type, "nothing",
                                      error);
  if (strcmp (type, "ByteLevel") == 0)
    return read_byte_level (t, json, where, node, error);
  if (strcmp (type, "Metaspace") == 0)
    return read_metaspace (t, json, where, node, error);
  if (strcmp (type, "Split") == 0)
    return read_split (t, json, where, node, error);
  if (strcmp (type, "Punctuation") == 0)
    {
      node->kind = FEN_SPLIT_PUNCTUATION;
      return read_behavior (json, where, FALSE, &node->behavior, error);
    }
  if (strcmp (type, "Digits") != 0)
    return fen_tokenizer_unsupported (where, "the type", type,
                                      "ByteLevel, Digits, Metaspace, Punctuation, Sequence, Split", error);
  node->kind = FEN_SPLIT_NUMERIC;
  if (!fen_json_get_boolean (json, where, "individual_digits", TRUE, &individual, error))
    return FALSE;
  node->behavior = individual ? FEN_SPLIT_ISOLATED : FEN_SPLIT_CONTIGUOUS;
  return TRUE;
}

static gboolean
read_split_node (FenTokenizer *t, JsonObject *json, const char *type, const char *where, GError **error)
{
  FenSplitNode *node = g_new0 (FenSplitNode, 1);

  node->mark = ' ';
  node->behavior = FEN_SPLIT_ISOLATED;
  g_ptr_array_add (t->splits, node);
  if (!fill_split_node (t, json, type, where, node, error))
    return FALSE;
  if (node->kind == FEN_SPLIT_NOTHING && node->prefix == FEN_PREFIX_NEVER)
    g_ptr_array_set_size (t->splits, (gint)t->splits->len - 1);
  return TRUE;
}

gboolean
fen_tokenizer_read_pre_tokenizer (FenTokenizer *tokenizer, JsonObject *root, GError **error)
{
  return fen_tokenizer_read_nodes (tokenizer, root, "pre_tokenizer", "pretokenizers", read_split_node, error);
}
