/* fen-mask.c: see fen-mask-private.h. Each row of cells is at most a few spans, so a drawing costs O(cells). */
#include "gui/settings/fen-mask-private.h"

#include <glib/gi18n.h>

#include "core/config/fen-presets.h"
#include "gui/settings/fen-words-private.h"

/* Where the example's second document begins, as a share of the row: off the middle, so that it looks like a text. */
#define BORDER_NUMERATOR 5
#define BORDER_DENOMINATOR 8

static gint64
window_of (const FenConfig *config, gboolean *unknown)
{
  *unknown = FALSE;
  if (config->window_pattern != FEN_WINDOW_MODEL)
    return config->window_size;
  const FenPreset *preset = fen_preset_find (config->model);
  *unknown = preset == NULL;
  return preset != NULL ? preset->window : 0;
}

void
fen_mask_init (FenMask *mask, const FenConfig *config)
{
  *mask = (FenMask){ .context = config->max_seq_len };
  mask->window = window_of (config, &mask->unknown_window);
  if (mask->window >= mask->context)
    mask->window = 0;
  mask->alternate = mask->window > 0 && config->window_pattern == FEN_WINDOW_ALTERNATE;
  mask->sinks = mask->window > 0 ? MIN (config->sink_tokens, mask->context) : 0;
  if (config->use_chunked_training && config->chunk_size < config->max_seq_len)
    {
      mask->chunk = config->chunk_size;
      mask->truncated = config->chunk_carry == FEN_CARRY_TRUNCATED;
    }
  if (config->document_mask)
    mask->border = mask->context * BORDER_NUMERATOR / BORDER_DENOMINATOR;
}

guint
fen_mask_cells (const FenMask *mask, guint pixels)
{
  return (guint)MIN ((gint64)pixels, mask->context);
}

/* First token of a cell. */
static gint64
token_of (const FenMask *mask, guint cells, guint cell)
{
  return (gint64)cell * mask->context / cells;
}

guint
fen_mask_cell_of (const FenMask *mask, guint cells, gint64 token)
{
  guint cell = (guint)(token * cells / mask->context);
  /* Cells begin at a rounded-down token, so the quotient may be one too low. */
  while (cell + 1 < cells && token_of (mask, cells, cell + 1) <= token)
    cell++;
  return cell;
}

static gint64
document_of (const FenMask *mask, gint64 query)
{
  return mask->border > 0 && query >= mask->border ? mask->border : 0;
}

static gint64
lowest_key (const FenMask *mask, gint64 query)
{
  gint64 first = document_of (mask, query);
  return mask->window > 0 ? MAX (first, query - mask->window + 1) : first;
}

static guint
add_span (const FenMask *mask, guint cells, FenMaskKind kind, gint64 first, gint64 end, FenMaskSpan *span)
{
  if (first >= end)
    return 0;
  span->kind = kind;
  span->first = fen_mask_cell_of (mask, cells, first);
  span->end = fen_mask_cell_of (mask, cells, end - 1) + 1;
  return 1;
}

/* The keys that any query of [first, end) sees are one interval: the lowest key never falls, and each query sees
 * itself. The same holds within a chunk. Sinks are an interval a document. */
guint
fen_mask_row (const FenMask *mask, guint cells, guint row, FenMaskSpan *spans)
{
  const gint64 first = token_of (mask, cells, row);
  const gint64 end = token_of (mask, cells, row + 1);
  const gint64 low = lowest_key (mask, first);
  guint n = 0;
  if (mask->alternate)
    n += add_span (mask, cells, FEN_MASK_OTHER, document_of (mask, first), end, &spans[n]);
  if (mask->sinks > 0)
    {
      gint64 start = document_of (mask, first);
      gint64 last = mask->border > start ? MIN (end, mask->border) : end;
      n += add_span (mask, cells, FEN_MASK_SINK, start, MIN (start + mask->sinks, last), &spans[n]);
      if (last < end)
        n += add_span (mask, cells, FEN_MASK_SINK, last, MIN (last + mask->sinks, end), &spans[n]);
    }
  if (!mask->truncated)
    return n + add_span (mask, cells, FEN_MASK_SEEN, low, end, &spans[n]);
  const gint64 chunk = MAX (low, first - first % mask->chunk);
  n += add_span (mask, cells, FEN_MASK_FAINT, low, chunk, &spans[n]);
  n += add_span (mask, cells, FEN_MASK_SEEN, chunk, end, &spans[n]);
  return n;
}

/* ---- in words ---- */

static void
add_line (GString *text, const char *line)
{
  if (text->len > 0)
    g_string_append_c (text, '\n');
  g_string_append (text, line);
}

static void
describe_window (const FenMask *mask, GString *text)
{
  if (mask->unknown_window)
    add_line (text, _ ("Each layer has the window that the model’s configuration gives it."));
  else if (mask->window == 0)
    add_line (text, _ ("Each token sees itself and all tokens before it."));
  else
    {
      g_autofree char *window = fen_words_number (mask->window);
      /* TRANSLATORS: %s is the number of tokens in the attention window, the token itself included. */
      g_autofree char *line
          = g_strdup_printf (ngettext ("Each token sees %s token, itself included.",
                                       "Each token sees %s tokens, itself included.", (gulong)mask->window),
                             window);
      add_line (text, line);
    }
  if (mask->alternate)
    add_line (text, _ ("Every other layer sees everything before (lighter)."));
}

static void
describe_chunks (const FenMask *mask, GString *text)
{
  gint64 count = (mask->context + mask->chunk - 1) / mask->chunk;
  g_autofree char *chunks = fen_words_number (count);
  g_autofree char *size = fen_words_number (mask->chunk);
  /* TRANSLATORS: the first %s is the number of chunks, the second the size of each. */
  g_autofree char *line = g_strdup_printf (
      ngettext ("%s chunk of %s tokens.", "%s chunks of %s tokens.", (gulong)count), chunks, size);
  add_line (text, line);
  if (mask->truncated)
    add_line (text, _ ("Not exact: gradients stop at chunk borders (fainter)."));
}

char *
fen_mask_describe (const FenMask *mask)
{
  GString *text = g_string_new (NULL);
  describe_window (mask, text);
  if (mask->sinks > 0)
    {
      g_autofree char *sinks = fen_words_number (mask->sinks);
      g_autofree char *line = g_strdup_printf (ngettext ("The first %s token of a document stays visible.",
                                                         "The first %s tokens of a document stay visible.",
                                                         (gulong)mask->sinks),
                                               sinks);
      add_line (text, line);
    }
  if (mask->chunk > 0)
    describe_chunks (mask, text);
  if (mask->border > 0)
    add_line (text, _ ("Documents do not see each other; two are drawn as an example."));
  return g_string_free (text, FALSE);
}
