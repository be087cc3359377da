/* fen-plan-pack.c: buffers whose lifetimes do not overlap share a place.
 *
 * Dynamic storage allocation with known lifetimes (NP-hard in general). Largest first, each into the lowest gap that
 * is free during its whole life; done in two orders, the smaller arena wins. The largest sum of live buffers of any
 * phase is a lower bound, and most plans reach it: what lives through the whole step comes first and wastes nothing,
 * and the layers' buffers repeat in sizes.
 */
#include "core/engine/fen-engine-private.h"

#define ALIGN 256

guint64
fen_plan_packed_bytes (const FenPlan *plan, const FenPlanBuffer *buffer)
{
  return (buffer->bytes + plan->guard + ALIGN - 1) / ALIGN * ALIGN;
}

/* Sizes and lives in the order of placement. */
typedef struct {
  guint index, first, last;
  guint64 bytes;
  guint64 offset;
} Item;

static int
by_bytes (const void *a, const void *b)
{
  const Item *x = a, *y = b;
  if (x->bytes != y->bytes)
    return x->bytes < y->bytes ? 1 : -1;
  if (x->first != y->first)
    return x->first < y->first ? -1 : 1;
  return x->index < y->index ? -1 : 1;
}

static int
by_life (const void *a, const void *b)
{
  const Item *x = a, *y = b;
  guint p = x->last - x->first, q = y->last - y->first;
  if (p != q)
    return p < q ? 1 : -1;
  return by_bytes (a, b);
}

/* Places items one by one. `placed` holds pointers to those placed, by offset. Returns the end of the highest. */
static guint64
place (Item *items, guint n, Item **placed)
{
  guint64 top = 0;

  for (guint i = 0; i < n; i++)
    {
      Item *item = &items[i];
      guint64 cursor = 0;
      guint at = i;

      for (guint k = 0; k < i; k++)
        {
          const Item *other = placed[k];
          if (other->first > item->last || other->last < item->first)
            continue;
          if (other->offset >= cursor + item->bytes)
            break;
          cursor = MAX (cursor, other->offset + other->bytes);
        }
      item->offset = cursor;
      top = MAX (top, cursor + item->bytes);
      while (at > 0 && placed[at - 1]->offset > cursor)
        {
          placed[at] = placed[at - 1];
          at--;
        }
      placed[at] = item;
    }
  return top;
}

static void
find_peak (FenPlan *plan)
{
  g_autofree gint64 *change = g_new0 (gint64, plan->n_phases + 1);
  gint64 live = 0;

  for (guint i = 0; i < plan->buffers->len; i++)
    {
      const FenPlanBuffer *buffer = &g_array_index (plan->buffers, FenPlanBuffer, i);
      if (buffer->host)
        continue;
      change[buffer->first] += (gint64)fen_plan_packed_bytes (plan, buffer);
      change[buffer->last + 1] -= (gint64)fen_plan_packed_bytes (plan, buffer);
    }
  plan->peak_bytes = 0;
  for (guint phase = 0; phase < plan->n_phases; phase++)
    {
      live += change[phase];
      if ((guint64)live > plan->peak_bytes)
        {
          plan->peak_bytes = (guint64)live;
          plan->peak_phase = phase;
        }
    }
}

void
fen_plan_pack (FenPlan *plan)
{
  guint n = plan->buffers->len, n_items = 0;
  g_autofree Item *items = g_new (Item, n);
  g_autofree Item **placed = g_new (Item *, n);
  guint64 bottom = 0, best = G_MAXUINT64;
  static int (*const orders[]) (const void *, const void *) = { by_bytes, by_life };

  plan->host_bytes = 0;
  for (guint i = 0; i < n; i++)
    {
      FenPlanBuffer *buffer = &g_array_index (plan->buffers, FenPlanBuffer, i);
      guint64 bytes = fen_plan_packed_bytes (plan, buffer);
      if (buffer->host)
        {
          buffer->offset = plan->host_bytes;
          plan->host_bytes += bytes;
        }
      else if (buffer->first == 0 && buffer->last == plan->n_phases - 1)
        {
          buffer->offset = bottom;
          bottom += bytes;
        }
      else
        items[n_items++] = (Item){ .index = i, .first = buffer->first, .last = buffer->last, .bytes = bytes };
    }
  find_peak (plan);
  for (guint order = 0; order < G_N_ELEMENTS (orders) && best + bottom != plan->peak_bytes; order++)
    {
      guint64 top;
      qsort (items, n_items, sizeof *items, orders[order]);
      top = place (items, n_items, placed);
      if (top >= best)
        continue;
      best = top;
      for (guint i = 0; i < n_items; i++)
        g_array_index (plan->buffers, FenPlanBuffer, items[i].index).offset = bottom + items[i].offset;
    }
  plan->device_bytes = bottom + (n_items > 0 ? best : 0);
}
