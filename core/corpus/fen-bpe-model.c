/* fen-bpe-model.c: the tables of a BPE model, made once when it is loaded. */
#include "core/corpus/fen-bpe-model.h"

#include <string.h>

#include "core/corpus/fen-tokenizer-unicode.h"

#define N_PAGES (0x110000 >> 8)

static guint64
merge_slot (const FenBpe *bpe, guint64 pair)
{
  guint64 h = pair * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  return (h ^ h >> 32) & bpe->merge_mask;
}

const FenBpeMerge *
fen_bpe_find_merge (const FenBpe *bpe, guint32 left, guint32 right)
{
  const guint64 pair = (guint64)left << 32 | right;
  for (guint64 at = merge_slot (bpe, pair);; at = (at + 1) & bpe->merge_mask)
    {
      const FenBpeMerge *merge = &bpe->merges[at];
      if (merge->pair == pair)
        return merge;
      if (merge->pair == G_MAXUINT64)
        return NULL;
    }
}

/* A pair that is listed twice has the later rank, as in Hugging Face tokenizers. */
static void
fill_merges (FenBpe *bpe, const FenBpeMergeList *list)
{
  gsize slots = 16;
  while (slots < 2 * list->n)
    slots *= 2;
  bpe->merges = g_new (FenBpeMerge, slots);
  bpe->merge_mask = slots - 1;
  for (gsize i = 0; i < slots; i++)
    bpe->merges[i] = (FenBpeMerge){ .pair = G_MAXUINT64 };

  for (gsize i = 0; i < list->n; i++)
    {
      const guint64 pair = (guint64)list->left[i] << 32 | list->right[i];
      guint64 at = merge_slot (bpe, pair);
      while (bpe->merges[at].pair != G_MAXUINT64 && bpe->merges[at].pair != pair)
        at = (at + 1) & bpe->merge_mask;
      bpe->merges[at] = (FenBpeMerge){ .pair = pair, .rank = (guint32)i, .made = list->made[i] };
    }
  bpe->n_merges = list->n;
}

static void
set_char_symbol (FenBpe *bpe, guint *n_pages, gunichar c, gint32 id)
{
  guint16 *page = &bpe->page_of[c >> 8];
  if (*page == 0)
    {
      bpe->pages = g_renew (gint32, bpe->pages, (gsize)(*n_pages + 1) << 8);
      memset (bpe->pages + ((gsize)*n_pages << 8), 0xff, 256 * sizeof (gint32));
      *page = (guint16)(*n_pages)++;
    }
  bpe->pages[(gsize)*page << 8 | (c & 0xff)] = id;
}

/* The symbols: every token that is one character; of a byte-level model, every token that spells one byte. */
static void
fill_symbols (FenBpe *bpe)
{
  guint n_pages = 1; /* page 0 is empty and stays so */

  memset (bpe->byte_symbol, 0xff, sizeof bpe->byte_symbol);
  bpe->page_of = g_new0 (guint16, N_PAGES);
  bpe->pages = g_new (gint32, 256);
  memset (bpe->pages, 0xff, 256 * sizeof (gint32));

  for (guint32 id = 0; id < bpe->vocab->size; id++)
    {
      gsize bytes;
      const char *token = fen_vocab_get (bpe->vocab, id, &bytes);
      if (token == NULL || bytes == 0 || bytes > 4)
        continue;
      const guint8 *p = (const guint8 *)token;
      const gunichar c = fen_utf8_next (&p);
      if ((const char *)p != token + bytes)
        continue;
      if (!bpe->byte_level)
        set_char_symbol (bpe, &n_pages, c, (gint32)id);
      else if (fen_char_to_byte (c) >= 0)
        bpe->byte_symbol[fen_char_to_byte (c)] = (gint32)id;
    }
  if (bpe->byte_level || !bpe->byte_fallback)
    return;
  bpe->all_bytes = TRUE;
  for (guint b = 0; b < 256; b++)
    {
      char name[8];
      g_snprintf (name, sizeof name, "<0x%02X>", b);
      bpe->byte_symbol[b] = (gint32)fen_vocab_find (bpe->vocab, name, 6);
      bpe->all_bytes &= bpe->byte_symbol[b] >= 0;
    }
}

/* The symbol that a token ends with (or begins with), -1 when its text cannot be written in symbols. */
static gint32
edge_symbol (const FenBpe *bpe, guint32 id, gboolean last)
{
  gsize bytes;
  const guint8 *text = (const guint8 *)fen_vocab_get (bpe->vocab, id, &bytes);
  const guint8 *p = text + (last ? fen_utf8_previous (text, bytes) : 0);
  const gunichar c = fen_utf8_next (&p);
  if (!bpe->byte_level)
    return fen_bpe_char_symbol (bpe, c);
  return fen_char_to_byte (c) < 0 ? -1 : bpe->byte_symbol[fen_char_to_byte (c)];
}

/* A merge of <unk> or of a fallback byte joins symbols that its text does not show. */
static gboolean
is_opaque (const FenBpe *bpe, guint32 id)
{
  if ((gint64)id == bpe->unk)
    return TRUE;
  if (bpe->byte_level || !bpe->byte_fallback)
    return FALSE;
  for (guint b = 0; b < 256; b++)
    if (bpe->byte_symbol[b] == (gint32)id)
      return TRUE;
  return FALSE;
}

static void
fill_joins (FenBpe *bpe, const FenBpeMergeList *list)
{
  guint bits = 12;
  while (bits < 24 && ((gsize)1 << bits) < 16 * list->n)
    bits++;
  bpe->joins = g_new0 (guint64, (gsize)1 << (bits - 6));
  bpe->join_shift = 64 - bits;
  bpe->cuts = !bpe->ignore_merges;

  for (gsize i = 0; i < list->n; i++)
    {
      const gint32 a = edge_symbol (bpe, list->left[i], TRUE);
      const gint32 b = edge_symbol (bpe, list->right[i], FALSE);
      if (is_opaque (bpe, list->left[i]) || is_opaque (bpe, list->right[i]))
        bpe->cuts = FALSE;
      if (a < 0 || b < 0)
        continue; /* never reached */
      const guint64 at = ((guint32)a * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)
                          + (guint32)b * G_GUINT64_CONSTANT (0xc2b2ae3d27d4eb4f))
                         >> bpe->join_shift;
      bpe->joins[at >> 6] |= G_GUINT64_CONSTANT (1) << (at & 63);
    }
}

void
fen_bpe_init (FenBpe *bpe, const FenVocab *vocab, const FenBpeMergeList *list)
{
  bpe->vocab = vocab;
  fill_symbols (bpe);
  fill_merges (bpe, list);
  fill_joins (bpe, list);
}

void
fen_bpe_clear (FenBpe *bpe)
{
  g_free (bpe->where);
  g_free (bpe->page_of);
  g_free (bpe->pages);
  g_free (bpe->merges);
  g_free (bpe->joins);
}
