/* fen-tokenizer-nodes-out.c: post_processor (what stands around a text's ids) and decoder of a tokenizer.json. */
#include <string.h>

#include "core/base/fen-error.h"
#include "core/base/fen-json.h"
#include "core/corpus/fen-tokenizer-nodes.h"

#define MAX_TEMPLATE 64 /* pieces of a template, and ids of one of its tokens */

/* ---- post_processor ---- */

static gboolean
is_token (FenTokenizer *t, const char *where, gint64 id, GError **error)
{
  if (fen_tokenizer_id_to_token (t, (guint32)id) != NULL)
    return TRUE;
  g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKENIZER,
               "%s: the id %" G_GINT64_FORMAT " is no token; the vocabulary has ids below %u", where, id,
               t->vocab_size);
  return FALSE;
}

/* The ids of a SpecialToken piece: looked up in special_tokens. */
static gboolean
template_ids (FenTokenizer *t, JsonObject *node, const char *where, const char *name, GArray *ids,
              GError **error)
{
  g_autofree char *tokens_where = g_strconcat (where, ".special_tokens", NULL);
  JsonObject *tokens = NULL, *token = NULL;
  JsonArray *list = NULL;

  if (!fen_json_get_object (node, where, "special_tokens", TRUE, &tokens, error))
    return FALSE;
  if (!fen_json_has (tokens, name)) /* a stranger's name is quoted before it is shown */
    {
      g_autofree char *quoted = fen_error_quote (name);
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKENIZER, "%s: there is no %s", tokens_where,
                   quoted);
      return FALSE;
    }
  JsonNode *member = json_object_get_member (tokens, name);
  token = JSON_NODE_HOLDS_OBJECT (member) ? json_node_get_object (member) : NULL;
  if (token == NULL)
    {
      g_set_error (error, FEN_JSON_ERROR, FEN_JSON_ERROR_TYPE, "%s: each must be an object", tokens_where);
      return FALSE;
    }
  if (!fen_json_get_array (token, tokens_where, "ids", TRUE, &list, error))
    return FALSE;
  if (json_array_get_length (list) > MAX_TEMPLATE)
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKENIZER, "%s: more than %d ids", tokens_where,
                   MAX_TEMPLATE);
      return FALSE;
    }
  for (guint i = 0; i < json_array_get_length (list); i++)
    {
      JsonNode *element = json_array_get_element (list, i);
      const gint64 id = JSON_NODE_HOLDS_VALUE (element) && json_node_get_value_type (element) == G_TYPE_INT64
                            ? json_node_get_int (element)
                            : -1;
      if (id < 0 || id >= FEN_TOKENIZER_MAX_VOCAB)
        {
          g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKENIZER,
                       "%s: ids must be integers from 0 to %u", tokens_where, FEN_TOKENIZER_MAX_VOCAB - 1);
          return FALSE;
        }
      if (!is_token (t, tokens_where, id, error))
        return FALSE;
      const guint32 value = (guint32)id;
      g_array_append_val (ids, value);
    }
  return TRUE;
}

/* One piece of a template: {"Sequence": {"id": "A"}} or {"SpecialToken": {"id": "<s>"}}. */
static gboolean
read_template_piece (FenTokenizer *t, JsonObject *node, JsonObject *piece, const char *where, gboolean *seen,
                     GArray *before, GArray *after, GError **error)
{
  JsonObject *inner = NULL;
  const char *id = NULL;

  if (fen_json_has (piece, "SpecialToken"))
    return fen_json_get_object (piece, where, "SpecialToken", TRUE, &inner, error)
           && fen_json_get_string (inner, where, "id", TRUE, &id, error)
           && template_ids (t, node, where, id, *seen ? after : before, error);
  if (!fen_json_get_object (piece, where, "Sequence", TRUE, &inner, error)
      || !fen_json_get_string (inner, where, "id", TRUE, &id, error))
    return FALSE;
  if (strcmp (id, "A") != 0 || *seen)
    return fen_tokenizer_unsupported (where, "in `single`, the sequence", id, "the sequence A, once", error);
  *seen = TRUE;
  return TRUE;
}

static gboolean
read_template (FenTokenizer *t, JsonObject *node, const char *where, GArray *before, GArray *after,
               GError **error)
{
  JsonArray *single = NULL;
  gboolean seen = FALSE;

  if (!fen_json_get_array (node, where, "single", TRUE, &single, error))
    return FALSE;
  if (json_array_get_length (single) > MAX_TEMPLATE)
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKENIZER,
                   "%s: `single` has more than %d pieces", where, MAX_TEMPLATE);
      return FALSE;
    }
  for (guint i = 0; i < json_array_get_length (single); i++)
    {
      JsonObject *piece = fen_tokenizer_element (single, i, where, error);
      if (piece == NULL || !read_template_piece (t, node, piece, where, &seen, before, after, error))
        return FALSE;
    }
  return seen || fen_tokenizer_unsupported (where, "`single` without", "A", "the sequence A, once", error);
}

/* RobertaProcessing and BertProcessing: "cls": ["<s>", 0] in front, "sep": ["</s>", 2] behind. */
static gboolean
read_pair (FenTokenizer *t, JsonObject *node, const char *where, const char *key, GArray *ids, GError **error)
{
  JsonArray *pair = NULL;

  if (!fen_json_get_array (node, where, key, TRUE, &pair, error))
    return FALSE;
  JsonNode *id = json_array_get_length (pair) == 2 ? json_array_get_element (pair, 1) : NULL;
  if (id == NULL || !JSON_NODE_HOLDS_VALUE (id) || json_node_get_value_type (id) != G_TYPE_INT64
      || json_node_get_int (id) < 0 || json_node_get_int (id) >= FEN_TOKENIZER_MAX_VOCAB)
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKENIZER, "%s: %s must be [token, id]", where,
                   key);
      return FALSE;
    }
  const guint32 value = (guint32)json_node_get_int (id);
  g_array_append_val (ids, value);
  return is_token (t, where, value, error);
}

static gboolean
read_processor (FenTokenizer *t, JsonObject *node, const char *type, const char *where, GError **error)
{
  g_autoptr (GArray) before = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_autoptr (GArray) after = g_array_new (FALSE, FALSE, sizeof (guint32));

  if (strcmp (type, "ByteLevel") == 0)
    return TRUE; /* moves offsets, not ids */
  if (strcmp (type, "TemplateProcessing") == 0)
    {
      if (!read_template (t, node, where, before, after, error))
        return FALSE;
    }
  else if (strcmp (type, "RobertaProcessing") == 0 || strcmp (type, "BertProcessing") == 0)
    {
      if (!read_pair (t, node, where, "cls", before, error)
          || !read_pair (t, node, where, "sep", after, error))
        return FALSE;
    }
  else
    return fen_tokenizer_unsupported (
        where, "the type", type, "BertProcessing, ByteLevel, RobertaProcessing, Sequence, TemplateProcessing",
        error);
  /* A processor works on what the one before it has made. */
  if (before->len > 0)
    g_array_prepend_vals (t->before, before->data, before->len);
  if (after->len > 0)
    g_array_append_vals (t->after, after->data, after->len);
  return TRUE;
}

gboolean
fen_tokenizer_read_post_processor (FenTokenizer *tokenizer, JsonObject *root, GError **error)
{
  return fen_tokenizer_read_nodes (tokenizer, root, "post_processor", "processors", read_processor, error);
}

/* ---- decoder ---- */

static gboolean
read_decode_replace (JsonObject *node, const char *where, FenDecodeStep *step, GError **error)
{
  step->kind = FEN_DECODE_REPLACE;
  return fen_tokenizer_read_replace (node, where, &step->pattern, &step->content, error);
}

static gboolean
read_decode_metaspace (JsonObject *node, const char *where, FenDecodeStep *step, GError **error)
{
  const char *scheme = NULL;
  gboolean prefix = TRUE;

  if (!fen_tokenizer_get_char (node, where, "replacement", &step->mark, error)
      || !fen_json_get_boolean (node, where, "add_prefix_space", FALSE, &prefix, error)
      || !fen_json_get_string (node, where, "prepend_scheme", FALSE, &scheme, error))
    return FALSE;
  step->kind = FEN_DECODE_METASPACE;
  step->drop_first = scheme != NULL ? strcmp (scheme, "never") != 0 : prefix;
  return TRUE;
}

static gboolean
read_decode_strip (JsonObject *node, const char *where, FenDecodeStep *step, GError **error)
{
  gint64 start = 0, stop = 0;

  if (!fen_tokenizer_get_char (node, where, "content", &step->mark, error)
      || !fen_json_get_int (node, where, "start", TRUE, 0, 1 << 20, &start, error)
      || !fen_json_get_int (node, where, "stop", TRUE, 0, 1 << 20, &stop, error))
    return FALSE;
  step->kind = FEN_DECODE_STRIP;
  step->start = (guint)start;
  step->stop = (guint)stop;
  return TRUE;
}

/* Which nodes may follow which: steps on tokens; then bytes; then, on the fused text, one Strip. */
typedef enum { ON_TOKENS, AFTER_BYTES, FUSED, FINISHED } DecodePhase;

static DecodePhase
decode_phase (const FenTokenizer *t)
{
  const FenDecodePlan *plan = &t->decode;
  if (plan->strip != NULL)
    return FINISHED;
  if (plan->fused)
    return FUSED;
  return plan->byte_fallback ? AFTER_BYTES : ON_TOKENS;
}

static gboolean
read_decode_step (JsonObject *node, const char *type, const char *where, FenDecodeStep *step, GError **error)
{
  if (strcmp (type, "Replace") == 0)
    return read_decode_replace (node, where, step, error);
  if (strcmp (type, "Metaspace") == 0)
    return read_decode_metaspace (node, where, step, error);
  if (strcmp (type, "Strip") == 0)
    return read_decode_strip (node, where, step, error);
  return fen_tokenizer_unsupported (
      where, "the type", type, "ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip", error);
}

static gboolean
read_decoder_node (FenTokenizer *t, JsonObject *node, const char *type, const char *where, GError **error)
{
  const DecodePhase phase = decode_phase (t);
  FenDecodePlan *plan = &t->decode;

  if (strcmp (type, "Fuse") == 0)
    {
      plan->fused = TRUE;
      return TRUE;
    }
  if (phase == ON_TOKENS && strcmp (type, "ByteLevel") == 0)
    {
      plan->byte_level = plan->fused = TRUE;
      return TRUE;
    }
  if (phase == ON_TOKENS && strcmp (type, "ByteFallback") == 0)
    {
      plan->byte_fallback = TRUE;
      return TRUE;
    }
  if (phase != ON_TOKENS && (phase != FUSED || strcmp (type, "Strip") != 0))
    return fen_tokenizer_unsupported (where, "here, the type", type,
                                      "after ByteFallback a Fuse, after Fuse or ByteLevel one Strip", error);

  FenDecodeStep *step = g_new0 (FenDecodeStep, 1);
  if (phase == FUSED)
    plan->strip = step;
  else
    g_ptr_array_add (plan->steps, step);
  return read_decode_step (node, type, where, step, error);
}

gboolean
fen_tokenizer_read_decoder (FenTokenizer *tokenizer, JsonObject *root, GError **error)
{
  tokenizer->decode.spaced = !fen_json_has (root, "decoder");
  return fen_tokenizer_read_nodes (tokenizer, root, "decoder", "decoders", read_decoder_node, error);
}
