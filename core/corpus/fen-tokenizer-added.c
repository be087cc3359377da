/* fen-tokenizer-added.c: see the header. */
#include "core/corpus/fen-tokenizer-added.h"

#include <string.h>

#include "core/corpus/fen-tokenizer-unicode.h"

typedef struct {
  guint32 child;   /* first child, 0 when none: node 0 is never a child */
  guint32 sibling; /* next child of the same parent */
  guint32 token;   /* index + 1 */
  guint8 byte;
} Node;

void
fen_added_init (FenAddedSet *set)
{
  memset (set, 0, sizeof *set);
  set->nodes = g_array_new (FALSE, TRUE, sizeof (Node));
  g_array_set_size (set->nodes, 1);
  set->tokens = g_array_new (FALSE, FALSE, sizeof (FenAddedToken));
}

void
fen_added_clear (FenAddedSet *set)
{
  g_clear_pointer (&set->nodes, g_array_unref);
  g_clear_pointer (&set->tokens, g_array_unref);
}

static guint32
find_child (const FenAddedSet *set, guint32 first, guint8 byte)
{
  for (guint32 at = first; at != 0; at = g_array_index (set->nodes, Node, at).sibling)
    if (g_array_index (set->nodes, Node, at).byte == byte)
      return at;
  return 0;
}

gboolean
fen_added_insert (FenAddedSet *set, const char *text, gsize bytes, const FenAddedToken *token)
{
  const guint8 *p = (const guint8 *)text;
  guint32 at = set->first[p[0]];

  for (gsize i = 0; i < bytes; i++)
    {
      guint32 next = i == 0 ? at : find_child (set, g_array_index (set->nodes, Node, at).child, p[i]);
      if (next == 0)
        {
          Node node = { .byte = p[i] };
          next = set->nodes->len;
          if (i == 0)
            set->first[p[0]] = next;
          else
            {
              node.sibling = g_array_index (set->nodes, Node, at).child;
              g_array_index (set->nodes, Node, at).child = next;
            }
          g_array_append_val (set->nodes, node);
        }
      at = next;
    }
  Node *last = &g_array_index (set->nodes, Node, at);
  if (last->token != 0)
    return FALSE;
  g_array_append_vals (set->tokens, token, 1);
  last->token = set->tokens->len;
  set->longest = MAX (set->longest, bytes);
  set->any_lstrip |= token->lstrip;
  return TRUE;
}

/* The longest token that begins at `start`; *end behind it. */
static const FenAddedToken *
longest_at (const FenAddedSet *set, const FenAddedScan *scan, gsize start, gsize *end)
{
  const FenAddedToken *best = NULL;
  guint32 at = set->first[scan->text[start]];

  for (gsize i = start; at != 0;)
    {
      const Node *node = &g_array_index (set->nodes, Node, at);
      i++;
      if (node->token != 0)
        {
          best = &g_array_index (set->tokens, FenAddedToken, node->token - 1);
          *end = i;
        }
      if (i == scan->bytes)
        break;
      at = find_child (set, node->child, scan->text[i]);
    }
  return best;
}

static gboolean
stands_alone (const FenAddedScan *scan, gsize start, gsize end)
{
  if (start > 0 || scan->previous != 0)
    {
      const guint8 *before = scan->text + (start > 0 ? fen_utf8_previous (scan->text, start) : 0);
      if (fen_char_is_word (start > 0 ? fen_utf8_next (&before) : scan->previous))
        return FALSE;
    }
  const guint8 *behind = scan->text + end;
  return end == scan->bytes || !fen_char_is_word (fen_utf8_next (&behind));
}

static gsize
skip_space_left (const FenAddedScan *scan, gsize at)
{
  while (at > scan->floor)
    {
      const gsize before = fen_utf8_previous (scan->text, at);
      const guint8 *p = scan->text + before;
      if (!fen_char_is_space (fen_utf8_next (&p)))
        break;
      at = before;
    }
  return at;
}

static gsize
skip_space_right (const FenAddedScan *scan, gsize at)
{
  while (at < scan->bytes)
    {
      const guint8 *p = scan->text + at;
      if (!fen_char_is_space (fen_utf8_next (&p)))
        break;
      at = (gsize)(p - scan->text);
    }
  return at;
}

/* Where it is certain what begins: a token that begins before it would have ended, with a character to spare, in
 * the text that is there. White space that a token still to come may take is not certain either. */
static gsize
certain_end (const FenAddedSet *set, const FenAddedScan *scan)
{
  if (scan->closed)
    return scan->bytes;
  const gsize keep = set->longest + 4;
  gsize end = scan->bytes > keep ? scan->bytes - keep : 0;
  while (end > 0 && (scan->text[end] & 0xc0) == 0x80)
    end--;
  return MAX (end, scan->from);
}

gboolean
fen_added_find (const FenAddedSet *set, FenAddedScan *scan, FenAddedMatch *match)
{
  const gsize limit = set->longest == 0 ? scan->bytes : certain_end (set, scan);

  for (gsize at = set->longest == 0 ? limit : scan->from; at < limit; at++)
    {
      gsize end = 0;
      if (set->first[scan->text[at]] == 0)
        continue;
      const FenAddedToken *token = longest_at (set, scan, at, &end);
      if (token == NULL)
        continue;
      if (token->single_word && !stands_alone (scan, at, end))
        {
          at = end - 1;
          continue;
        }
      match->token = token;
      match->start = token->lstrip ? skip_space_left (scan, at) : at;
      match->end = token->rstrip ? skip_space_right (scan, end) : end;
      match->open_right = token->rstrip && match->end == scan->bytes && !scan->closed;
      scan->from = scan->floor = match->end;
      return TRUE;
    }
  scan->from = MAX (limit, scan->from);
  return FALSE;
}
