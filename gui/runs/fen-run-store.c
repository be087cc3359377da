/* fen-run-store.c: the list of runs: merges what the places found, keeps the order and the identity of items (see
 * fen-run-store.h). */
#include "gui/runs/fen-run-store-private.h"

#include <string.h>

#define LOOK_SECONDS 1
/* More separate changes than this are announced as one: each costs the views a pass. */
#define MAX_SPANS 64

struct _FenRunStore {
  GObject parent_instance;

  GPtrArray *places;     /* FenRunPlace, the default one first */
  GPtrArray *items;      /* FenRunItem, newest first */
  GHashTable *by_path;   /* item's path -> item; the items own both */
  GHashTable *discarded; /* discarded path -> FenRunItem that may come back */
  GHashTable *purged;    /* places whose leftovers of earlier processes were taken care of */
  char *failure;         /* of a deletion */
  char *problem;         /* as last announced */
  gboolean active, ready;
  guint look_source;
};

enum { PROP_0, PROP_PROBLEM, PROP_READY, N_PROPS };
static GParamSpec *props[N_PROPS];

static GType
get_item_type (GListModel *model)
{
  return FEN_TYPE_RUN_ITEM;
}

static guint
get_n_items (GListModel *model)
{
  return FEN_RUN_STORE (model)->items->len;
}

static gpointer
get_item (GListModel *model, guint position)
{
  FenRunStore *self = FEN_RUN_STORE (model);
  return position < self->items->len ? g_object_ref (self->items->pdata[position]) : NULL;
}

static void
list_model_init (GListModelInterface *iface)
{
  iface->get_item_type = get_item_type;
  iface->get_n_items = get_n_items;
  iface->get_item = get_item;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (FenRunStore, fen_run_store, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_init))

/* ---- order ---- */

static int
compare_items (gconstpointer a, gconstpointer b)
{
  const FenRunInfo *x = fen_run_item_get_info (*(FenRunItem *const *)a);
  const FenRunInfo *y = fen_run_item_get_info (*(FenRunItem *const *)b);
  if (x->started != y->started)
    return x->started < y->started ? 1 : -1;
  const int by_id = strcmp (y->id, x->id);
  return by_id != 0 ? by_id : strcmp (x->path, y->path);
}

/* Replaces [first, first + removed) by `added` of `items`, those from `from` on, and says so. */
static void
splice (FenRunStore *self, guint first, guint removed, GPtrArray *items, guint from, guint added)
{
  if (removed > 0)
    g_ptr_array_remove_range (self->items, first, removed);
  for (guint i = 0; i < added; i++)
    g_ptr_array_insert (self->items, (int)(first + i), g_object_ref (items->pdata[from + i]));
  g_list_model_items_changed (G_LIST_MODEL (self), first, removed, added);
}

/* Makes the list `wanted` (sorted, borrowed items): one announcement a span of items that differ. The two walk side by
 * side: what stands in the list and is not wanted goes, what is wanted and does not stand there comes. */
static gboolean
apply_spans (FenRunStore *self, GPtrArray *wanted, GHashTable *stays)
{
  guint spans = 0, at = 0, next = 0;
  while (at < self->items->len || next < wanted->len)
    {
      guint gone = 0, come = 0;
      while (at + gone < self->items->len && !g_hash_table_contains (stays, self->items->pdata[at + gone]))
        gone++;
      FenRunItem *anchor = at + gone < self->items->len ? self->items->pdata[at + gone] : NULL;
      while (next + come < wanted->len && wanted->pdata[next + come] != anchor)
        come++;
      if (anchor != NULL && next + come == wanted->len)
        return FALSE; /* an item that stays has moved */
      if (gone > 0 || come > 0)
        {
          for (guint i = 0; i < come; i++)
            if (g_hash_table_contains (stays, wanted->pdata[next + i]))
              return FALSE;
          if (++spans > MAX_SPANS)
            return FALSE;
          splice (self, at, gone, wanted, next, come);
        }
      at += come + (anchor != NULL ? 1 : 0);
      next += come + (anchor != NULL ? 1 : 0);
    }
  return TRUE;
}

/* Everything between the first and the last difference, as one change. */
static void
apply_whole (FenRunStore *self, GPtrArray *wanted)
{
  guint head = 0, tail = 0;
  const guint least = MIN (self->items->len, wanted->len);
  while (head < least && self->items->pdata[head] == wanted->pdata[head])
    head++;
  while (tail < least - head
         && self->items->pdata[self->items->len - 1 - tail] == wanted->pdata[wanted->len - 1 - tail])
    tail++;
  splice (self, head, self->items->len - head - tail, wanted, head, wanted->len - head - tail);
}

/* `wanted` need not be sorted; it holds references of its own. */
static void
set_items (FenRunStore *self, GPtrArray *wanted)
{
  g_ptr_array_sort (wanted, compare_items);
  if (wanted->len == self->items->len
      && (wanted->len == 0
          || memcmp (wanted->pdata, self->items->pdata, wanted->len * sizeof (gpointer)) == 0))
    return;
  g_autoptr (GHashTable) now = g_hash_table_new (NULL, NULL);
  g_autoptr (GHashTable) stays = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < self->items->len; i++)
    g_hash_table_add (now, self->items->pdata[i]);
  g_hash_table_remove_all (self->by_path);
  for (guint i = 0; i < wanted->len; i++)
    {
      g_hash_table_insert (self->by_path, (gpointer)fen_run_item_get_path (wanted->pdata[i]),
                           wanted->pdata[i]);
      if (g_hash_table_contains (now, wanted->pdata[i]))
        g_hash_table_add (stays, wanted->pdata[i]);
    }
  if (!apply_spans (self, wanted, stays))
    apply_whole (self, wanted);
}

static GPtrArray *
copy_items (FenRunStore *self)
{
  GPtrArray *copy = g_ptr_array_new_full (self->items->len + 1, g_object_unref);
  for (guint i = 0; i < self->items->len; i++)
    g_ptr_array_add (copy, g_object_ref (self->items->pdata[i]));
  return copy;
}

void
fen_run_store_insert (FenRunStore *self, FenRunItem *item)
{
  if (fen_run_store_find (self, fen_run_item_get_path (item)) != NULL)
    return;
  g_autoptr (GPtrArray) wanted = copy_items (self);
  g_ptr_array_add (wanted, g_object_ref (item));
  set_items (self, wanted);
}

void
fen_run_store_remove (FenRunStore *self, FenRunItem *item)
{
  g_autoptr (GPtrArray) wanted = copy_items (self);
  if (g_ptr_array_remove (wanted, item))
    set_items (self, wanted);
}

/* ---- what places say ---- */

static void
update_problem (FenRunStore *self)
{
  const char *problem = self->failure;
  gboolean ready = TRUE;
  for (guint i = 0; i < self->places->len; i++)
    {
      FenRunPlace *place = self->places->pdata[i];
      if (problem == NULL)
        problem = fen_run_place_get_problem (place);
      ready = ready && fen_run_place_is_ready (place);
    }
  if (g_strcmp0 (problem, self->problem) != 0)
    {
      g_free (self->problem);
      self->problem = g_strdup (problem);
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_PROBLEM]);
    }
  if (ready && !self->ready)
    {
      self->ready = TRUE;
      g_object_notify_by_pspec (G_OBJECT (self), props[PROP_READY]);
    }
}

static gboolean
is_in (const char *run_path, FenRunPlace *place)
{
  g_autofree char *folder = g_path_get_dirname (run_path);
  return strcmp (folder, fen_run_place_get_path (place)) == 0;
}

FenRunPlace *
fen_run_store_place_of (FenRunStore *self, const char *run_path)
{
  for (guint i = 0; i < self->places->len; i++)
    if (is_in (run_path, self->places->pdata[i]))
      return self->places->pdata[i];
  return NULL;
}

void
fen_run_store_update (FenRunStore *self, FenRunInfo *info)
{
  FenRunItem *item = fen_run_store_find (self, info->path);
  if (item == NULL)
    {
      fen_run_info_free (info);
      return;
    }
  /* by_path's key is a string of the old info. */
  g_hash_table_remove (self->by_path, info->path);
  g_hash_table_insert (self->by_path, info->path, item);
  fen_run_item_take_info (item, info);
}

/* The item of what was seen: the same as before, with the news, or a new one. NULL: seen as "as it was" and not known. */
static FenRunItem *
item_of (FenRunStore *self, FenRunSeen *seen)
{
  FenRunItem *item = fen_run_store_find (self, seen->path);
  if (item == NULL)
    return seen->info != NULL ? fen_run_item_new (g_steal_pointer (&seen->info)) : NULL;
  if (seen->info != NULL)
    fen_run_store_update (self, g_steal_pointer (&seen->info));
  return g_object_ref (item);
}

static void
place_looked (FenRunPlace *place, GPtrArray *seen, GPtrArray *discarded, gpointer user_data)
{
  FenRunStore *self = user_data;
  G_GNUC_UNUSED g_autoptr (FenRunStore) keep = g_object_ref (self);
  g_autoptr (GPtrArray) wanted = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < self->items->len; i++)
    if (!is_in (fen_run_item_get_path (self->items->pdata[i]), place))
      g_ptr_array_add (wanted, g_object_ref (self->items->pdata[i]));
  for (guint i = 0; i < seen->len; i++)
    {
      FenRunItem *item = item_of (self, seen->pdata[i]);
      if (item != NULL)
        g_ptr_array_add (wanted, item);
    }
  set_items (self, wanted);
  /* Not again when the place is taken away and comes back: an undo may be pending by then. */
  if (discarded != NULL && g_hash_table_add (self->purged, g_strdup (fen_run_place_get_path (place))))
    for (guint i = 0; i < discarded->len; i++)
      fen_run_store_delete_for_good (self, discarded->pdata[i]);
  update_problem (self);
}

/* ---- looking ---- */

void
fen_run_store_refresh (FenRunStore *self)
{
  g_return_if_fail (FEN_IS_RUN_STORE (self));
  for (guint i = 0; i < self->places->len; i++)
    fen_run_place_look (self->places->pdata[i]);
}

static gboolean
look_timeout (gpointer user_data)
{
  fen_run_store_refresh (user_data);
  return G_SOURCE_CONTINUE;
}

void
fen_run_store_set_active (FenRunStore *self, gboolean active)
{
  g_return_if_fail (FEN_IS_RUN_STORE (self));
  active = active != FALSE;
  if (self->active == active)
    return;
  self->active = active;
  for (guint i = 0; i < self->places->len; i++)
    fen_run_place_set_watched (self->places->pdata[i], active);
  g_clear_handle_id (&self->look_source, g_source_remove);
  if (!active)
    return;
  self->look_source = g_timeout_add_seconds (LOOK_SECONDS, look_timeout, self);
  fen_run_store_refresh (self);
}

static void
free_place (gpointer place)
{
  fen_run_place_stop (place);
  g_object_unref (place);
}

/* The place of this path among the old ones, or a new one. */
static void
add_place (FenRunStore *self, GPtrArray *old, const char *path, gboolean required)
{
  g_autofree char *full = g_canonicalize_filename (path, NULL);
  for (guint i = 0; i < self->places->len; i++)
    if (strcmp (fen_run_place_get_path (self->places->pdata[i]), full) == 0)
      return;
  for (guint i = 0; i < old->len; i++)
    if (strcmp (fen_run_place_get_path (old->pdata[i]), full) == 0)
      {
        g_ptr_array_add (self->places, g_ptr_array_steal_index (old, i));
        return;
      }
  FenRunPlace *place = fen_run_place_new (full, required, place_looked, self);
  g_ptr_array_add (self->places, place);
  fen_run_place_set_watched (place, self->active);
  fen_run_place_look (place);
}

void
fen_run_store_set_places (FenRunStore *self, const char *const *places)
{
  g_return_if_fail (FEN_IS_RUN_STORE (self));
  g_autoptr (GPtrArray) old = g_steal_pointer (&self->places);
  self->places = g_ptr_array_new_with_free_func (free_place);
  g_autofree char *root = fen_runs_root (NULL);
  add_place (self, old, root, FALSE);
  for (gsize i = 0; places != NULL && places[i] != NULL; i++)
    if (places[i][0] != '\0')
      add_place (self, old, places[i], TRUE);
  g_autoptr (GPtrArray) wanted = copy_items (self);
  for (guint i = wanted->len; i > 0; i--)
    if (fen_run_store_place_of (self, fen_run_item_get_path (wanted->pdata[i - 1])) == NULL)
      g_ptr_array_remove_index_fast (wanted, i - 1);
  set_items (self, wanted);
  update_problem (self);
}

FenRunItem *
fen_run_store_find (FenRunStore *self, const char *path)
{
  g_return_val_if_fail (FEN_IS_RUN_STORE (self), NULL);
  return path != NULL ? g_hash_table_lookup (self->by_path, path) : NULL;
}

const char *
fen_run_store_get_problem (FenRunStore *self)
{
  g_return_val_if_fail (FEN_IS_RUN_STORE (self), NULL);
  return self->problem;
}

gboolean
fen_run_store_is_ready (FenRunStore *self)
{
  g_return_val_if_fail (FEN_IS_RUN_STORE (self), FALSE);
  return self->ready;
}

void
fen_run_store_set_failure (FenRunStore *self, const char *text)
{
  g_free (self->failure);
  self->failure = g_strdup (text);
  update_problem (self);
}

GHashTable *
fen_run_store_discarded_items (FenRunStore *self)
{
  return self->discarded;
}

FenRunStore *
fen_run_store_new (const char *const *places)
{
  FenRunStore *self = g_object_new (FEN_TYPE_RUN_STORE, NULL);
  fen_run_store_set_places (self, places);
  return self;
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  FenRunStore *self = FEN_RUN_STORE (object);
  if (id == PROP_PROBLEM)
    g_value_set_string (value, self->problem);
  else if (id == PROP_READY)
    g_value_set_boolean (value, self->ready);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
dispose (GObject *object)
{
  FenRunStore *self = FEN_RUN_STORE (object);
  g_clear_handle_id (&self->look_source, g_source_remove);
  g_ptr_array_set_size (self->places, 0);
  G_OBJECT_CLASS (fen_run_store_parent_class)->dispose (object);
}

static void
finalize (GObject *object)
{
  FenRunStore *self = FEN_RUN_STORE (object);
  g_hash_table_unref (self->by_path);
  g_hash_table_unref (self->discarded);
  g_hash_table_unref (self->purged);
  g_ptr_array_unref (self->places);
  g_ptr_array_unref (self->items);
  g_free (self->failure);
  g_free (self->problem);
  G_OBJECT_CLASS (fen_run_store_parent_class)->finalize (object);
}

static void
fen_run_store_class_init (FenRunStoreClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  object_class->get_property = get_property;
  object_class->dispose = dispose;
  object_class->finalize = finalize;
  props[PROP_PROBLEM] = g_param_spec_string ("problem", NULL, NULL, NULL, flags);
  props[PROP_READY] = g_param_spec_boolean ("ready", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
fen_run_store_init (FenRunStore *self)
{
  self->places = g_ptr_array_new_with_free_func (free_place);
  self->items = g_ptr_array_new_with_free_func (g_object_unref);
  self->by_path = g_hash_table_new (g_str_hash, g_str_equal);
  self->discarded = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_object_unref);
  self->purged = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
}
