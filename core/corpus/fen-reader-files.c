/* fen-reader-files.c: which files a dataset's path stands for.
 *
 * The order of files decides the order of tokens, so it must not depend on the machine: paths are compared as bytes.
 * A folder may be anything a user can point at, so links that lead back up, unreadable entries and names that are not
 * UTF-8 are ordinary input here.
 */
#include "core/corpus/fen-reader-private.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fen-error.h"
#include "core/corpus/fen-corpus-error.h"

#define MAX_NOTES 10

typedef struct {
  FenSource *source;
  GHashTable *visited; /* "device:inode" of folders: a link back up ends there */
  GPtrArray *notes;
  guint n_skipped;
  GCancellable *cancellable;
} Walk;

static gboolean walk_folder (Walk *walk, const char *path, GError **error);

static void
source_file_free (gpointer data)
{
  FenSourceFile *file = data;
  g_free (file->path);
  g_free (file);
}

void
fen_source_free (FenSource *source)
{
  if (source == NULL)
    return;
  g_free (source->path);
  g_ptr_array_unref (source->files);
  g_free (source);
}

char *
fen_source_display (const char *path)
{
  char *name = g_filename_display_name (path);
  for (char *c = name; *c != '\0'; c++)
    if ((guchar)*c < 0x20 || *c == 0x7f)
      *c = '?';
  return name;
}

static void
skip (Walk *walk, const char *path, const char *why)
{
  walk->n_skipped++;
  if (walk->notes == NULL || walk->n_skipped > MAX_NOTES)
    return;
  g_autofree char *name = fen_source_display (path);
  g_ptr_array_add (walk->notes, g_strdup_printf ("%s: skipped: %s", name, why));
}

static gboolean
has_suffix (const char *path, const char *suffix)
{
  gsize n = strlen (path), m = strlen (suffix);
  return n > m && g_ascii_strcasecmp (path + n - m, suffix) == 0;
}

static void
add_file (FenSource *source, const char *path, FenFileKind kind, const struct stat *info)
{
  FenSourceFile *file = g_new0 (FenSourceFile, 1);
  file->path = g_strdup (path);
  file->kind = kind;
  file->bytes = (guint64)info->st_size;
  file->mtime_ns = (gint64)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec;
  file->ctime_ns = (gint64)info->st_ctim.tv_sec * 1000000000 + info->st_ctim.tv_nsec;
  file->inode = (guint64)info->st_ino;
  file->device = (guint64)info->st_dev;
  g_ptr_array_add (source->files, file);
  source->bytes += file->bytes;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

static int
compare_files (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(FenSourceFile *const *)a)->path, (*(FenSourceFile *const *)b)->path);
}

static gboolean
walk_entry (Walk *walk, const char *path, GError **error)
{
  struct stat info;
  gboolean txt = has_suffix (path, ".txt");
  if (stat (path, &info) != 0)
    {
      if (txt || errno == ELOOP)
        skip (walk, path, g_strerror (errno));
      return TRUE;
    }
  if (S_ISDIR (info.st_mode))
    {
      char *id = g_strdup_printf ("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, (guint64)info.st_dev,
                                  (guint64)info.st_ino);
      if (!g_hash_table_add (walk->visited, id)) /* takes `id` in any case */
        return TRUE;
      return walk_folder (walk, path, error);
    }
  if (!txt)
    return TRUE;
  if (!S_ISREG (info.st_mode))
    skip (walk, path, "not a regular file");
  else if (access (path, R_OK) != 0)
    skip (walk, path, g_strerror (errno));
  else
    add_file (walk->source, path, FEN_FILE_TXT, &info);
  return TRUE;
}

/* The names are taken in before going deeper, so that the depth is not limited by open files. */
static gboolean
walk_folder (Walk *walk, const char *path, GError **error)
{
  if (g_cancellable_set_error_if_cancelled (walk->cancellable, error))
    return FALSE;
  g_autoptr (GError) local = NULL;
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  GDir *dir = g_dir_open (path, 0, &local);
  if (dir == NULL)
    {
      skip (walk, path, "the folder cannot be read");
      return TRUE;
    }
  for (const char *name = g_dir_read_name (dir); name != NULL; name = g_dir_read_name (dir))
    if (name[0] != '.')
      g_ptr_array_add (names, g_strdup (name));
  g_dir_close (dir);
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *child = g_build_filename (path, g_ptr_array_index (names, i), NULL);
      if (!walk_entry (walk, child, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
list_folder (FenSource *source, const struct stat *info, GPtrArray *notes, GCancellable *cancellable,
             GError **error)
{
  g_autofree char *name = fen_source_display (source->path);
  g_autoptr (GHashTable) visited = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Walk walk = { .source = source, .visited = visited, .notes = notes, .cancellable = cancellable };
  g_hash_table_add (visited, g_strdup_printf ("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT,
                                              (guint64)info->st_dev, (guint64)info->st_ino));
  if (access (source->path, R_OK | X_OK) != 0)
    return fen_error_set_errno (error, errno, source->path, "cannot read the folder");
  if (!walk_folder (&walk, source->path, error))
    return FALSE;
  if (notes != NULL && walk.n_skipped > MAX_NOTES)
    g_ptr_array_add (notes,
                     g_strdup_printf ("%s: %u more entries skipped", name, walk.n_skipped - MAX_NOTES));
  g_ptr_array_sort (source->files, compare_files);
  if (source->files->len == 0)
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_EMPTY,
                   "%s: no readable .txt file in this folder or below it; a dataset is a .txt file, a .jsonl "
                   "file or a folder of .txt files",
                   name);
      return FALSE;
    }
  return TRUE;
}

static gboolean
list_file (FenSource *source, const struct stat *info, GError **error)
{
  g_autofree char *name = fen_source_display (source->path);
  gboolean jsonl = has_suffix (source->path, ".jsonl");
  if (!S_ISREG (info->st_mode) || (!jsonl && !has_suffix (source->path, ".txt")))
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_UNSUPPORTED,
                   "%s: not a dataset; a dataset is a .txt file, a .jsonl file or a folder of .txt files",
                   name);
      return FALSE;
    }
  if (access (source->path, R_OK) != 0)
    return fen_error_set_errno (error, errno, source->path, "cannot read");
  add_file (source, source->path, jsonl ? FEN_FILE_JSONL : FEN_FILE_TXT, info);
  return TRUE;
}

FenSource *
fen_source_new (const char *path, GPtrArray *notes, GCancellable *cancellable, GError **error)
{
  g_autoptr (FenSource) source = g_new0 (FenSource, 1);
  struct stat info;
  source->path = g_strdup (path);
  source->files = g_ptr_array_new_with_free_func (source_file_free);
  if (stat (path, &info) != 0)
    {
      g_autofree char *name = fen_source_display (path);
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_NOT_FOUND,
                   "%s: %s; a dataset is a .txt file, a .jsonl file or a folder of .txt files",
                   *path != '\0' ? name : "dataset_file is empty", g_strerror (errno));
      return NULL;
    }
  if (!(S_ISDIR (info.st_mode) ? list_folder (source, &info, notes, cancellable, error)
                               : list_file (source, &info, error)))
    return NULL;
  if (source->bytes == 0)
    {
      g_autofree char *name = fen_source_display (path);
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_EMPTY, "%s: empty: a dataset needs text", name);
      return NULL;
    }
  return g_steal_pointer (&source);
}
