/* fen-run-place.c: one folder that holds runs: looked at on a worker, watched for new ones (see
 * fen-run-store-private.h).
 *
 * A look costs one readdir and three stat calls a run; a run is read (run.json, the end of metrics.jsonl, its
 * checkpoints' names) only when it is new, when one of these three changed, or while somebody trains it:
 *   - the run's folder: run.json, name.txt, config.json are replaced by renaming, which changes the folder's time;
 *   - run.json: edited or damaged in place;
 *   - lock: a process that takes it writes its number there.
 */
#include "gui/runs/fen-run-store-private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* A copy of a whole run tree makes thousands of events: one look for all of them. */
#define EVENT_DELAY_MS 100

struct _FenRunPlace {
  GObject parent_instance;

  char *path, *problem;
  gboolean required, ready;
  FenRunPlaceFunc func; /* NULL: stopped */
  gpointer user_data;

  GHashTable *known; /* path -> FenRunSeen of the last accepted look; constant while a worker reads it */
  gboolean looking;  /* a worker is at it */
  gboolean again;    /* one more look when it is back */
  guint generation;  /* counts our own changes */
  GCancellable *cancellable;
  GFileMonitor *monitor;
  guint event_source;
};

G_DEFINE_FINAL_TYPE (FenRunPlace, fen_run_place, G_TYPE_OBJECT)

/* ---- the worker's side ---- */

typedef struct {
  char *path;
  gboolean required, first;
  GHashTable *known;
  guint generation;
  GPtrArray *seen, *discarded;
} Look;

static void
seen_free (FenRunSeen *seen)
{
  g_free (seen->path);
  fen_run_info_free (seen->info);
  g_free (seen);
}

static void
look_free (Look *look)
{
  g_free (look->path);
  g_hash_table_unref (look->known);
  g_clear_pointer (&look->seen, g_ptr_array_unref);
  g_clear_pointer (&look->discarded, g_ptr_array_unref);
  g_free (look);
}

/* FNV-1a over the numbers of a file that change with its content. */
static guint64
mix_file (guint64 hash, const char *folder, const char *name)
{
  g_autofree char *path = name != NULL ? g_build_filename (folder, name, NULL) : g_strdup (folder);
  struct stat info;
  guint64 numbers[4] = { 0 };
  if (stat (path, &info) == 0)
    {
      numbers[0] = info.st_ino;
      numbers[1] = (guint64)info.st_size;
      numbers[2] = (guint64)info.st_mtim.tv_sec;
      numbers[3] = (guint64)info.st_mtim.tv_nsec;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    hash = (hash ^ numbers[i]) * G_GUINT64_CONSTANT (0x100000001b3);
  return hash;
}

static guint64
mark_of (const char *path)
{
  guint64 hash = G_GUINT64_CONSTANT (0xcbf29ce484222325);
  hash = mix_file (hash, path, NULL);
  hash = mix_file (hash, path, "run.json");
  return mix_file (hash, path, "lock");
}

/* NULL: nothing to list (yet). */
static FenRunSeen *
look_at_run (const Look *look, const char *path)
{
  const FenRunSeen *known = g_hash_table_lookup (look->known, path);
  const guint64 mark = mark_of (path);
  const gboolean unchanged = known != NULL && known->mark == mark && !known->trained;
  FenRunInfo *info = NULL;
  gboolean trained = FALSE;
  if (!unchanged)
    {
      if (!g_file_test (path, G_FILE_TEST_IS_DIR) || !fen_run_looks_like_one (path))
        return NULL;
      info = fen_run_info (path);
      trained = info->pid != 0 || info->status == FEN_RUN_RUNNING;
      /* Its first files are being written at this moment: not damaged, too early. */
      if (known == NULL && trained && info->status == FEN_RUN_DAMAGED)
        {
          fen_run_info_free (info);
          return NULL;
        }
    }
  FenRunSeen *seen = g_new0 (FenRunSeen, 1);
  seen->path = g_strdup (path);
  /* Taken before reading: a change in between is seen by the next look. */
  seen->mark = mark;
  seen->trained = trained;
  seen->info = info;
  return seen;
}

static void
look_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Look *look = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = NULL;
  look->seen = g_ptr_array_new_with_free_func ((GDestroyNotify)seen_free);
  if (look->required || g_file_test (look->path, G_FILE_TEST_EXISTS))
    dir = g_dir_open (look->path, 0, &error);
  if (dir != NULL && look->first)
    look->discarded = fen_runs_discarded (look->path);
  for (const char *name; dir != NULL && (name = g_dir_read_name (dir)) != NULL;)
    {
      if (g_task_return_error_if_cancelled (task))
        return;
      if (name[0] == '.')
        continue;
      g_autofree char *path = g_build_filename (look->path, name, NULL);
      FenRunSeen *seen = look_at_run (look, path);
      if (seen != NULL)
        g_ptr_array_add (look->seen, seen);
    }
  if (error != NULL)
    g_task_return_error (task, g_steal_pointer (&error));
  else
    g_task_return_boolean (task, TRUE);
}

/* ---- the main loop's side ---- */

/* What the next look compares with. */
static void
remember (FenRunPlace *self, GPtrArray *seen)
{
  g_hash_table_unref (self->known);
  self->known = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify)seen_free);
  for (guint i = 0; i < seen->len; i++)
    {
      const FenRunSeen *one = seen->pdata[i];
      FenRunSeen *copy = g_new0 (FenRunSeen, 1);
      copy->path = g_strdup (one->path);
      copy->mark = one->mark;
      copy->trained = one->trained;
      g_hash_table_insert (self->known, copy->path, copy);
    }
}

static void
look_done (GObject *object, GAsyncResult *result, gpointer user_data)
{
  FenRunPlace *self = FEN_RUN_PLACE (object);
  g_autoptr (GError) error = NULL;
  Look *look = g_task_get_task_data (G_TASK (result));
  self->looking = FALSE;
  g_task_propagate_boolean (G_TASK (result), &error);
  if (self->func == NULL)
    return;
  if (look->generation == self->generation)
    {
      g_free (self->problem);
      self->problem = error != NULL ? g_strdup (error->message) : NULL;
      self->ready = TRUE;
      remember (self, look->seen);
      self->func (self, look->seen, look->discarded, self->user_data);
    }
  else
    self->again = TRUE;
  if (self->again && self->func != NULL)
    fen_run_place_look (self);
}

void
fen_run_place_look (FenRunPlace *self)
{
  if (self->looking || self->func == NULL)
    {
      self->again = TRUE;
      return;
    }
  Look *look = g_new0 (Look, 1);
  look->path = g_strdup (self->path);
  look->required = self->required;
  look->first = !self->ready;
  look->known = g_hash_table_ref (self->known);
  look->generation = self->generation;
  self->looking = TRUE;
  self->again = FALSE;
  g_autoptr (GTask) task = g_task_new (self, self->cancellable, look_done, NULL);
  g_task_set_source_tag (task, fen_run_place_look);
  g_task_set_task_data (task, look, (GDestroyNotify)look_free);
  g_task_run_in_thread (task, look_in_thread);
}

void
fen_run_place_invalidate (FenRunPlace *self)
{
  self->generation++;
  fen_run_place_look (self);
}

static gboolean
event_timeout (gpointer user_data)
{
  FenRunPlace *self = user_data;
  self->event_source = 0;
  fen_run_place_look (self);
  return G_SOURCE_REMOVE;
}

static void
folder_changed (FenRunPlace *self)
{
  if (self->event_source == 0)
    self->event_source = g_timeout_add (EVENT_DELAY_MS, event_timeout, self);
}

void
fen_run_place_set_watched (FenRunPlace *self, gboolean watched)
{
  if (watched == (self->monitor != NULL))
    return;
  if (!watched)
    {
      g_clear_handle_id (&self->event_source, g_source_remove);
      g_file_monitor_cancel (self->monitor);
      g_clear_object (&self->monitor);
      return;
    }
  g_autoptr (GFile) folder = g_file_new_for_path (self->path);
  /* Without one (too many watches, a file system that has none) the look a second finds the same, a little later. */
  self->monitor = g_file_monitor_directory (folder, G_FILE_MONITOR_NONE, NULL, NULL);
  if (self->monitor != NULL)
    g_signal_connect_object (self->monitor, "changed", G_CALLBACK (folder_changed), self, G_CONNECT_SWAPPED);
}

const char *
fen_run_place_get_path (FenRunPlace *self)
{
  return self->path;
}

const char *
fen_run_place_get_problem (FenRunPlace *self)
{
  return self->problem;
}

gboolean
fen_run_place_is_ready (FenRunPlace *self)
{
  return self->ready;
}

FenRunPlace *
fen_run_place_new (const char *path, gboolean required, FenRunPlaceFunc func, gpointer user_data)
{
  FenRunPlace *self = g_object_new (FEN_TYPE_RUN_PLACE, NULL);
  self->path = g_canonicalize_filename (path, NULL);
  self->required = required;
  self->func = func;
  self->user_data = user_data;
  return self;
}

void
fen_run_place_stop (FenRunPlace *self)
{
  self->func = NULL;
  g_cancellable_cancel (self->cancellable);
  fen_run_place_set_watched (self, FALSE);
}

static void
finalize (GObject *object)
{
  FenRunPlace *self = FEN_RUN_PLACE (object);
  g_clear_handle_id (&self->event_source, g_source_remove);
  g_clear_object (&self->monitor);
  g_clear_object (&self->cancellable);
  g_hash_table_unref (self->known);
  g_free (self->path);
  g_free (self->problem);
  G_OBJECT_CLASS (fen_run_place_parent_class)->finalize (object);
}

static void
fen_run_place_class_init (FenRunPlaceClass *class)
{
  G_OBJECT_CLASS (class)->finalize = finalize;
}

static void
fen_run_place_init (FenRunPlace *self)
{
  self->cancellable = g_cancellable_new ();
  self->known = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify)seen_free);
}
