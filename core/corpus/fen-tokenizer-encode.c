/* fen-tokenizer-encode.c: the way of a text through a tokenizer, whole or in parts.
 *
 * Every stage works on a text that is closed (all of it is there) or open (more may follow). Of an open text a
 * stage passes on only what cannot depend on what follows, and says how much it took; the rest comes again in
 * front of the next part. So a text fed in parts gets exactly the ids of the whole text, and nothing larger than
 * a part and one piece is ever held.
 *
 *   layer 0: added tokens in the text as it is | normaliser -> layer 1: added tokens in the normalised text
 *   | pre-tokenisers, one level each, depth first -> BPE
 *
 * A stretch between two added tokens is a segment: prefixes are put in front of segments.
 */
#include <string.h>

#include "core/corpus/fen-tokenizer-private.h"
#include "core/corpus/fen-tokenizer-unicode.h"

#define COPY_PART (4u << 20) /* a text that must be copied to be normalised is fed in parts of this size */
#define MAX_HELD ((gsize)1 << 30) /* bytes of a text in parts without a place to cut it */
#define FLUSH_IDS 16384

/* One of the two layers that look for added tokens. */
typedef struct {
  const FenAddedSet *set;
  GByteArray *held;    /* text that came and was not taken */
  gsize scanned;       /* how far into the held text it is certain that no token begins */
  gsize wait;          /* do not look again before so many bytes are held (else looking would be quadratic) */
  gunichar previous;   /* the character before the held text, 0 at the beginning */
  gboolean skip_space; /* a token that takes the white space on its right has just been found */
} Layer;

struct _FenEncoder {
  FenTokenizer *tokenizer;
  FenRegexScratch *regex;
  FenBpeScratch bpe;
  FenIds ids;
  GArray *target;
  GByteArray *prefixed;       /* a segment with its prefix */
  GPtrArray *prefixed_pieces; /* the same for deeper levels: GByteArray by level */
  Layer layer[2];
  gboolean normal_start; /* the normaliser has seen nothing of this segment yet */
  gboolean split_start;  /* the pre-tokenisers have seen nothing of this segment yet */
  gboolean at_origin;    /* this segment begins where the text begins */
  gboolean add_special;
  gsize tail;     /* bytes of an incomplete character at the end of layer 0's held text */
  guint64 offset; /* bytes of the text before layer 0's held text, for messages */
};

static gssize run_level (FenEncoder *e, guint level, const guint8 *text, gsize bytes, gboolean closed,
                         GError **error);

static void
flush (FenEncoder *e)
{
  if (e->ids.n > 0)
    g_array_append_vals (e->target, e->ids.data, (guint)e->ids.n);
  e->ids.n = 0;
}

/* ---- pieces ---- */

static const FenSplitNode *
node_at (const FenEncoder *e, guint level)
{
  return level < e->tokenizer->splits->len ? e->tokenizer->splits->pdata[level] : NULL;
}

/* An open piece may go on to the next levels when none of them puts a prefix in front of pieces. */
static gboolean
takes_open (const FenEncoder *e, guint level)
{
  for (; node_at (e, level) != NULL; level++)
    if (node_at (e, level)->prefix != FEN_PREFIX_NEVER)
      return FALSE;
  return TRUE;
}

static gboolean
wants_prefix (const FenEncoder *e, const FenSplitNode *node, const guint8 *text, gsize bytes)
{
  if (bytes == 0 || node->prefix == FEN_PREFIX_NEVER || (node->prefix == FEN_PREFIX_FIRST && !e->at_origin))
    return FALSE;
  return text[0] != ' ' && fen_utf8_next (&text) != node->mark;
}

static gsize
put_prefix (const FenSplitNode *node, const guint8 *text, gsize bytes, GByteArray *out)
{
  char mark[8];
  const gint n = g_unichar_to_utf8 (node->mark, mark);
  g_byte_array_set_size (out, 0);
  g_byte_array_append (out, (const guint8 *)mark, (guint)n);
  g_byte_array_append (out, text, (guint)bytes);
  return (gsize)n;
}

static gboolean
closed_piece (FenEncoder *e, guint level, const guint8 *text, gsize bytes, GError **error)
{
  const FenSplitNode *node = node_at (e, level);

  if (bytes == 0)
    return TRUE;
  if (node == NULL)
    {
      if (e->ids.n > FLUSH_IDS)
        flush (e);
      return fen_bpe_encode (&e->tokenizer->bpe, &e->bpe, text, bytes, TRUE, &e->ids, error) >= 0;
    }
  if (level > 0 && wants_prefix (e, node, text, bytes))
    {
      GByteArray *copy = e->prefixed_pieces->pdata[level];
      put_prefix (node, text, bytes, copy);
      text = copy->data;
      bytes = copy->len;
    }
  if (run_level (e, level, text, bytes, TRUE, error) < 0)
    return FALSE;
  if (level > 0)
    e->at_origin = FALSE;
  return TRUE;
}

/* The pieces of one level as they come: [start, end) is the piece being put together. */
typedef struct {
  gsize start, end;
  gboolean any;
  gboolean match; /* the last part was a match */
} Pending;

static gboolean
finish_piece (FenEncoder *e, guint level, const guint8 *text, Pending *pending, GError **error)
{
  if (!pending->any)
    return TRUE;
  pending->any = FALSE;
  return closed_piece (e, level + 1, text + pending->start, pending->end - pending->start, error);
}

static gboolean
joins_pending (FenSplitBehavior behavior, const Pending *pending, gboolean match)
{
  if (!pending->any)
    return FALSE;
  switch (behavior)
    {
    case FEN_SPLIT_CONTIGUOUS:
      return match == pending->match;
    case FEN_SPLIT_MERGED_WITH_PREVIOUS:
      return match && !pending->match;
    case FEN_SPLIT_MERGED_WITH_NEXT:
      return !match && pending->match;
    case FEN_SPLIT_REMOVED:
    case FEN_SPLIT_ISOLATED:
      break;
    }
  return FALSE;
}

/* A match of the node's pattern, or a gap between two. */
static gboolean
next_part (FenEncoder *e, guint level, const guint8 *text, gsize start, gsize end, gboolean match,
           Pending *pending, GError **error)
{
  const FenSplitNode *node = node_at (e, level);

  if (start == end)
    return TRUE;
  match = match != node->invert;
  if (node->behavior == FEN_SPLIT_REMOVED && match)
    return finish_piece (e, level, text, pending, error);
  if (joins_pending (node->behavior, pending, match))
    pending->end = end;
  else
    {
      if (!finish_piece (e, level, text, pending, error))
        return FALSE;
      *pending = (Pending){ .start = start, .end = end, .any = TRUE };
      if (node->behavior == FEN_SPLIT_ISOLATED || node->behavior == FEN_SPLIT_REMOVED)
        return finish_piece (e, level, text, pending, error);
    }
  pending->match = match;
  return TRUE;
}

/* The end of an open text: [gap, known) is certainly a gap, and goes on; what begins at `known` is not certain.
 * Returns how much of the text is taken. */
static gssize
leave_open (FenEncoder *e, guint level, const guint8 *text, gsize gap, gsize known, Pending *pending,
            GError **error)
{
  const FenSplitNode *node = node_at (e, level);
  const gboolean match = node->invert;
  gsize start = gap;

  if (known > gap && !(node->behavior == FEN_SPLIT_REMOVED && match))
    {
      if (joins_pending (node->behavior, pending, match))
        start = pending->start;
      else if (!finish_piece (e, level, text, pending, error))
        return -1;
      if (node->behavior == FEN_SPLIT_MERGED_WITH_PREVIOUS || match || !takes_open (e, level + 1))
        return (gssize)start;
      const gssize taken = run_level (e, level + 1, text + start, known - start, FALSE, error);
      return taken < 0 ? -1 : (gssize)start + taken;
    }
  if (known > gap)
    return (gssize)known;
  return (gssize)(pending->any ? pending->start : gap);
}

static gssize
run_level (FenEncoder *e, guint level, const guint8 *text, gsize bytes, gboolean closed, GError **error)
{
  const FenSplitNode *node = node_at (e, level);
  Pending pending = { .any = FALSE };
  gsize gap = 0, start = 0, end = 0;

  if (node == NULL)
    return fen_bpe_encode (&e->tokenizer->bpe, &e->bpe, text, bytes, closed, &e->ids, error);
  if (node->kind == FEN_SPLIT_NOTHING)
    {
      if (!closed)
        return takes_open (e, level + 1) ? run_level (e, level + 1, text, bytes, FALSE, error) : 0;
      return closed_piece (e, level + 1, text, bytes, error) ? (gssize)bytes : -1;
    }
  if (!closed && node->kind == FEN_SPLIT_REGEX && fen_regex_looks_back (node->regex))
    return 0;
  for (;;)
    {
      switch (fen_split_find (node, e->regex, text, bytes, gap, closed, &start, &end, error))
        {
        case FEN_REGEX_ERROR:
          return -1;
        case FEN_REGEX_MATCH:
          if (!next_part (e, level, text, gap, start, FALSE, &pending, error)
              || !next_part (e, level, text, start, end, TRUE, &pending, error))
            return -1;
          gap = end;
          break;
        case FEN_REGEX_NONE:
          if (!closed)
            return leave_open (e, level, text, gap, bytes, &pending, error);
          if (!next_part (e, level, text, gap, bytes, FALSE, &pending, error)
              || !finish_piece (e, level, text, &pending, error))
            return -1;
          return (gssize)bytes;
        case FEN_REGEX_OPEN:
          return leave_open (e, level, text, gap, start, &pending, error);
        }
    }
}

/* A segment, or a part of one, for the pre-tokenisers. Returns how much was taken, or -1. */
static gssize
split_segment (FenEncoder *e, const guint8 *text, gsize bytes, gboolean closed, GError **error)
{
  const FenSplitNode *node = node_at (e, 0);
  gsize prefix = 0;
  gssize taken;

  if (bytes == 0)
    return 0;
  if (e->split_start && node != NULL && wants_prefix (e, node, text, bytes))
    {
      prefix = put_prefix (node, text, bytes, e->prefixed);
      text = e->prefixed->data;
      bytes += prefix;
    }
  taken = run_level (e, 0, text, bytes, closed, error);
  if (e->ids.n > FLUSH_IDS)
    flush (e);
  if (taken <= 0)
    return taken;
  e->split_start = e->at_origin = FALSE;
  /* Of a prefix taken alone nothing is left to say; part of one is never taken: it is one character. */
  return taken - (gssize)prefix;
}

/* ---- added tokens ---- */

static gboolean run_layer (FenEncoder *e, guint layer, const guint8 *text, gsize bytes, gboolean closed,
                           gsize *taken, GError **error);

/* Layer 0's segments go through the normaliser into layer 1. */
static gboolean
normal_segment (FenEncoder *e, const guint8 *text, gsize bytes, gboolean closed, gsize *taken, GError **error)
{
  FenTokenizer *t = e->tokenizer;
  Layer *layer = &e->layer[1];
  gsize used;

  *taken = closed ? bytes : fen_normal_cut (t->normal, text, bytes);
  if (layer->held->len == 0 && fen_normal_is_identity (t->normal, text, *taken, e->normal_start))
    {
      const gsize offered = *taken;
      if (!run_layer (e, 1, text, offered, closed, taken, error))
        return FALSE;
      e->normal_start &= *taken == 0;
      return TRUE;
    }
  fen_normal_run (t->normal, text, *taken, e->normal_start, layer->held);
  e->normal_start &= *taken == 0;
  if (layer->held->len > MAX_HELD)
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKENIZER,
                   "%s: %u bytes of text without a place to cut them", t->source, layer->held->len);
      return FALSE;
    }
  if (!run_layer (e, 1, layer->held->data, layer->held->len, closed, &used, error))
    return FALSE;
  g_byte_array_remove_range (layer->held, 0, (guint)used);
  return TRUE;
}

static gboolean
run_segment (FenEncoder *e, guint layer, const guint8 *text, gsize bytes, gboolean closed, gsize *taken,
             GError **error)
{
  if (layer == 0 && (e->tokenizer->normal->len > 0 || e->layer[1].set->longest > 0))
    return normal_segment (e, text, bytes, closed, taken, error);
  const gssize used = split_segment (e, text, bytes, closed, error);
  *taken = (gsize)MAX (used, 0);
  return used >= 0;
}

static void
begin_segment (FenEncoder *e, guint layer)
{
  if (layer == 0)
    {
      e->normal_start = TRUE;
      e->layer[1].scanned = e->layer[1].wait = 0;
      e->layer[1].previous = 0;
      e->layer[1].skip_space = FALSE;
      g_byte_array_set_size (e->layer[1].held, 0);
    }
  e->split_start = TRUE;
}

static gsize
leading_space (const guint8 *text, gsize bytes)
{
  const guint8 *p = text;
  while (p < text + bytes)
    {
      const guint8 *here = p;
      if (!fen_char_is_space (fen_utf8_next (&p)))
        return (gsize)(here - text);
    }
  return bytes;
}

/* White space before `end` may still be taken by a token that begins at `end` or later. */
static gsize
before_space (const guint8 *text, gsize start, gsize end)
{
  while (end > start)
    {
      const gsize before = fen_utf8_previous (text, end);
      const guint8 *p = text + before;
      if (!fen_char_is_space (fen_utf8_next (&p)))
        break;
      end = before;
    }
  return end;
}

static void
remember (Layer *layer, const guint8 *text, gsize bytes, gsize taken, gsize scanned)
{
  if (taken > 0)
    {
      const guint8 *last = text + fen_utf8_previous (text, taken);
      layer->previous = fen_utf8_next (&last);
    }
  layer->scanned = scanned > taken ? scanned - taken : 0;
  layer->wait = taken < bytes / 2 ? 2 * (bytes - taken) : 0;
}

/* Splits a text at the added tokens of a layer. */
static gboolean
run_layer (FenEncoder *e, guint layer_index, const guint8 *text, gsize bytes, gboolean closed, gsize *taken,
           GError **error)
{
  Layer *layer = &e->layer[layer_index];
  FenAddedScan scan = { .text = text,
                        .bytes = bytes,
                        .from = MIN (layer->scanned, bytes),
                        .previous = layer->previous,
                        .closed = closed };
  FenAddedMatch match;
  gsize start = 0, used = 0;

  *taken = 0;
  if (!closed && bytes < layer->wait)
    return TRUE;
  if (layer->skip_space)
    {
      start = scan.floor = leading_space (text, bytes);
      scan.from = MAX (scan.from, start);
      layer->skip_space = start == bytes && !closed;
    }
  while (fen_added_find (layer->set, &scan, &match))
    {
      if (!run_segment (e, layer_index, text + start, match.start - start, TRUE, &used, error))
        return FALSE;
      fen_ids_push (&e->ids, match.token->id);
      e->at_origin = FALSE;
      begin_segment (e, layer_index);
      layer->skip_space = match.open_right;
      start = match.end;
    }
  gsize end = MAX (scan.from, start);
  if (!closed && layer->set->any_lstrip)
    end = before_space (text, start, end);
  if (!run_segment (e, layer_index, text + start, end - start, closed, &used, error))
    return FALSE;
  *taken = start + used;
  if (!e->tokenizer->any_bytes)
    remember (layer, text, bytes, *taken, scan.from);
  return TRUE;
}

/* ---- the calls ---- */

FenEncoder *
fen_encoder_new (FenTokenizer *tokenizer)
{
  FenEncoder *e = g_new0 (FenEncoder, 1);
  e->tokenizer = fen_tokenizer_ref (tokenizer);
  e->regex = fen_regex_scratch_new ();
  e->prefixed = g_byte_array_new ();
  e->prefixed_pieces = g_ptr_array_new_with_free_func ((GDestroyNotify)g_byte_array_unref);
  for (guint i = 0; i < tokenizer->splits->len; i++)
    g_ptr_array_add (e->prefixed_pieces, g_byte_array_new ());
  for (guint i = 0; i < 2; i++)
    e->layer[i].held = g_byte_array_sized_new (4096);
  e->layer[0].set = &tokenizer->added_raw;
  e->layer[1].set = &tokenizer->added_normal;
  fen_encoder_begin (e, FALSE);
  return e;
}

void
fen_encoder_free (FenEncoder *encoder)
{
  if (encoder == NULL)
    return;
  fen_regex_scratch_free (encoder->regex);
  fen_bpe_scratch_clear (&encoder->bpe);
  g_free (encoder->ids.data);
  g_byte_array_unref (encoder->prefixed);
  g_ptr_array_unref (encoder->prefixed_pieces);
  for (guint i = 0; i < 2; i++)
    g_byte_array_unref (encoder->layer[i].held);
  fen_tokenizer_unref (encoder->tokenizer);
  g_free (encoder);
}

void
fen_encoder_begin (FenEncoder *encoder, gboolean add_special)
{
  Layer *first = &encoder->layer[0];
  g_byte_array_set_size (first->held, 0);
  first->scanned = first->wait = 0;
  first->previous = 0;
  first->skip_space = FALSE;
  begin_segment (encoder, 0);
  encoder->at_origin = TRUE;
  encoder->add_special = add_special;
  encoder->tail = 0;
  encoder->offset = 0;
  encoder->ids.n = 0;
  for (guint i = 0; add_special && i < encoder->tokenizer->before->len; i++)
    fen_ids_push (&encoder->ids, g_array_index (encoder->tokenizer->before, guint32, i));
}

static gboolean
not_utf8 (FenEncoder *e, const guint8 *text, guint64 offset, GError **error)
{
  g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_INVALID_UTF8,
               "the text is not UTF-8: byte %02X at offset %" G_GUINT64_FORMAT, text[0], offset);
  return FALSE;
}

/* What an error leaves behind is cleared. */
static gboolean
fail (FenEncoder *e)
{
  fen_encoder_begin (e, FALSE);
  return FALSE;
}

/* `text` is everything that is held and the new part, or the new part itself when nothing is held. */
static gboolean
feed_text (FenEncoder *e, const guint8 *text, gsize bytes, gboolean closed, gsize *taken, GError **error)
{
  gboolean incomplete = FALSE;
  gsize valid = bytes;

  if (!e->tokenizer->any_bytes)
    {
      const gsize known = e->layer[0].held->data == text ? e->layer[0].held->len - e->tail : 0;
      valid = known + fen_utf8_valid_prefix (text + known, bytes - known, &incomplete);
      if (valid < bytes && (closed || !incomplete))
        return not_utf8 (e, text + valid, e->offset + valid, error);
    }
  e->tail = bytes - valid;
  if (!run_layer (e, 0, text, valid, closed, taken, error))
    return FALSE;
  e->offset += *taken;
  return TRUE;
}

gboolean
fen_encoder_feed (FenEncoder *encoder, const char *text, gsize bytes, GArray *ids, GError **error)
{
  GByteArray *held = encoder->layer[0].held;
  gsize taken = 0;

  encoder->target = ids;
  if (held->len + bytes > MAX_HELD)
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKENIZER,
                   "%s: %" G_GSIZE_FORMAT
                   " bytes of text in one part or without a place to cut them; %" G_GSIZE_FORMAT
                   " are allowed",
                   encoder->tokenizer->source, held->len + bytes, MAX_HELD);
      return fail (encoder);
    }
  if (held->len == 0)
    {
      if (!feed_text (encoder, (const guint8 *)text, bytes, FALSE, &taken, error))
        return fail (encoder);
      g_byte_array_append (held, (const guint8 *)text + taken, (guint)(bytes - taken));
    }
  else
    {
      const gsize tail = encoder->tail;
      const guint before = held->len;
      g_byte_array_append (held, (const guint8 *)text, (guint)bytes);
      encoder->tail = held->len - (before - tail);
      if (!feed_text (encoder, held->data, held->len, FALSE, &taken, error))
        return fail (encoder);
      g_byte_array_remove_range (held, 0, (guint)taken);
    }
  flush (encoder);
  return TRUE;
}

/* The rest of the text, and what the post-processor puts behind it. */
static gboolean
finish (FenEncoder *e, const guint8 *text, gsize bytes, GError **error)
{
  gsize taken = 0;

  if (!feed_text (e, text, bytes, TRUE, &taken, error))
    return fail (e);
  for (guint i = 0; e->add_special && i < e->tokenizer->after->len; i++)
    fen_ids_push (&e->ids, g_array_index (e->tokenizer->after, guint32, i));
  flush (e);
  fen_encoder_begin (e, FALSE);
  return TRUE;
}

gboolean
fen_encoder_end (FenEncoder *encoder, GArray *ids, GError **error)
{
  encoder->target = ids;
  return finish (encoder, encoder->layer[0].held->data, encoder->layer[0].held->len, error);
}

static gboolean
encode_in_parts (FenEncoder *encoder, const char *text, gsize bytes, GArray *ids, GError **error)
{
  for (gsize at = 0; at < bytes; at += COPY_PART)
    if (!fen_encoder_feed (encoder, text + at, MIN (COPY_PART, bytes - at), ids, error))
      return FALSE;
  return fen_encoder_end (encoder, ids, error);
}

gboolean
fen_encoder_encode (FenEncoder *encoder, const char *text, gsize bytes, gboolean add_special, GArray *ids,
                    GError **error)
{
  const guint before = ids->len;
  const gboolean copies = encoder->tokenizer->normal->len > 0;

  fen_encoder_begin (encoder, add_special);
  encoder->target = ids;
  if (copies && bytes > COPY_PART ? encode_in_parts (encoder, text, bytes, ids, error)
                                  : finish (encoder, (const guint8 *)text, bytes, error))
    return TRUE;
  g_array_set_size (ids, before);
  return FALSE;
}

gboolean
fen_tokenizer_encode (FenTokenizer *tokenizer, const char *text, gsize bytes, gboolean add_special,
                      GArray *ids, GError **error)
{
  g_autoptr (FenEncoder) encoder = fen_encoder_new (tokenizer);
  return fen_encoder_encode (encoder, text, bytes, add_special, ids, error);
}
