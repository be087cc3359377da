/* fen-run-manage.c: renaming and deleting runs, with a way back (see fen-run-folder.h). */
#include "core/base/fen-error.h"
#include "core/base/fen-io.h"
#include "core/train/fen-run-private.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

gboolean
fen_run_rename (const char *path, const char *name, GError **error)
{
  g_autofree char *stripped = g_strstrip (g_strdup (name));
  g_autofree char *file = g_build_filename (path, "name.txt", NULL);
  if (strlen (stripped) > 200 || strpbrk (stripped, "\r\n") != NULL || !g_utf8_validate (stripped, -1, NULL))
    {
      g_autofree char *quoted = fen_error_quote (stripped);
      g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_MISMATCH,
                   "%s is no name for a run; allowed is one line of at most 200 bytes", quoted);
      return FALSE;
    }
  if (!fen_run_looks_like_one (path))
    {
      g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NOT_FOUND, "%s: not a run folder", path);
      return FALSE;
    }
  if (*stripped != '\0')
    return fen_io_write_file (file, stripped, strlen (stripped), error);
  if (g_unlink (file) != 0 && errno != ENOENT)
    return fen_error_set_errno (error, errno, file, "cannot remove");
  return TRUE;
}

char *
fen_run_discard (const char *path, GError **error)
{
  g_autofree char *full = g_canonicalize_filename (path, NULL);
  g_autofree char *root = g_path_get_dirname (full);
  g_autofree char *id = g_path_get_basename (full);
  if (!fen_run_looks_like_one (full))
    {
      g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NOT_FOUND, "%s: not a run folder", path);
      return NULL;
    }
  /* Held until the folder has its new name, so that no trainer can start in between. */
  const int lock = fen_run_lock_take (full, error);
  if (lock < 0)
    return NULL;
  g_autofree char *name = g_strconcat (FEN_RUN_DISCARDED_PREFIX, id, NULL);
  g_autofree char *target = g_build_filename (root, name, NULL);
  const gboolean ok = fen_io_rename (full, target, error);
  close (lock);
  return ok ? g_steal_pointer (&target) : NULL;
}

/* The part of the name behind the prefix, or NULL with an error: only what was discarded is restored or removed. */
static const char *
discarded_id (const char *name, const char *path, GError **error)
{
  if (g_str_has_prefix (name, FEN_RUN_DISCARDED_PREFIX) && strlen (name) > strlen (FEN_RUN_DISCARDED_PREFIX))
    return name + strlen (FEN_RUN_DISCARDED_PREFIX);
  g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_STATE, "%s: not a discarded run", path);
  return NULL;
}

gboolean
fen_run_restore (const char *discarded_path, GError **error)
{
  g_autofree char *root = g_path_get_dirname (discarded_path);
  g_autofree char *name = g_path_get_basename (discarded_path);
  const char *id = discarded_id (name, discarded_path, error);
  if (id == NULL)
    return FALSE;
  g_autofree char *target = g_build_filename (root, id, NULL);
  if (g_file_test (target, G_FILE_TEST_EXISTS))
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_EXIST, "%s: is there already", target);
      return FALSE;
    }
  return fen_io_rename (discarded_path, target, error);
}

gboolean
fen_run_remove (const char *discarded_path, GError **error)
{
  g_autofree char *name = g_path_get_basename (discarded_path);
  return discarded_id (name, discarded_path, error) != NULL && fen_io_remove_tree (discarded_path, error);
}

GPtrArray *
fen_runs_discarded (const char *root)
{
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) dir = g_dir_open (root, 0, NULL);
  for (const char *name; dir != NULL && (name = g_dir_read_name (dir)) != NULL;)
    {
      g_autofree char *path = g_build_filename (root, name, NULL);
      if (g_str_has_prefix (name, FEN_RUN_DISCARDED_PREFIX) && g_file_test (path, G_FILE_TEST_IS_DIR))
        g_ptr_array_add (paths, g_steal_pointer (&path));
    }
  return paths;
}

void
fen_runs_purge (const char *root)
{
  g_autoptr (GPtrArray) paths = fen_runs_discarded (root);
  for (guint i = 0; i < paths->len; i++)
    fen_io_remove_tree (paths->pdata[i], NULL);
}
