/* fen-run-folder.c: making, locking and writing a run folder (see fen-run-folder.h). */
#include "core/train/fen-run-folder.h"

#include "core/base/fen-error.h"
#include "core/base/fen-io.h"
#include "core/base/fen-json.h"
#include "core/train/fen-checkpoint.h"
#include "core/train/fen-run-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct _FenRunFolder {
  char *path, *id;
  int lock, log;
  dev_t device; /* with inode: what stood at the path when its lock was taken */
  ino_t inode;
};

char *
fen_runs_root (const FenConfig *config)
{
  if (config != NULL && config->output_dir[0] != '\0')
    return g_canonicalize_filename (config->output_dir, NULL);
  return g_build_filename (g_get_user_data_dir (), "fenestra", "runs", NULL);
}

/* The option run_name, or "gpt2-20261122-160500": the model's own name, cut to what is safe in any file system, and the time. */
static char *
make_id (const FenConfig *config)
{
  if (config->run_name[0] != '\0')
    return g_strdup (config->run_name);
  g_autofree char *base = g_path_get_basename (config->model);
  g_autoptr (GString) id = g_string_new (NULL);
  for (const char *p = base; *p != '\0' && id->len < 40; p++)
    g_string_append_c (id, g_ascii_isalnum (*p) || strchr ("._-", *p) != NULL ? *p : '-');
  /* A leading dot would hide the run. */
  if (id->len == 0 || id->str[0] == '.')
    g_string_prepend (id, "run");
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *time = g_date_time_format (now, "-%Y%m%d-%H%M%S");
  g_string_append (id, time);
  return g_string_free (g_steal_pointer (&id), FALSE);
}

/* mkdir itself says whether the name was free, so two processes never share one. A name that a person chose is refused
 * when it is taken; others get a number. */
static char *
make_new_folder (const char *root, const char *id, gboolean chosen, GError **error)
{
  for (guint n = 1; n < (chosen ? 2 : 10000); n++)
    {
      g_autofree char *name = n == 1 ? g_strdup (id) : g_strdup_printf ("%s-%u", id, n);
      g_autofree char *path = g_build_filename (root, name, NULL);
      if (mkdir (path, 0777) == 0)
        return g_steal_pointer (&path);
      if (errno != EEXIST)
        {
          fen_error_set_errno (error, errno, path, "cannot make the run folder");
          return NULL;
        }
    }
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_EXIST,
               "run_name: %s has a run called %s already; choose another name", root, id);
  return NULL;
}

static FenRunFolder *
folder_new (const char *path)
{
  FenRunFolder *folder = g_new0 (FenRunFolder, 1);
  folder->path = g_canonicalize_filename (path, NULL);
  folder->id = g_path_get_basename (folder->path);
  folder->lock = folder->log = -1;
  return folder;
}

static void
remember_place (FenRunFolder *folder)
{
  struct stat status;
  if (stat (folder->path, &status) < 0)
    return; /* gone again: fen_run_folder_is_there says so */
  folder->device = status.st_dev;
  folder->inode = status.st_ino;
}

gboolean
fen_run_folder_is_there (FenRunFolder *folder, GError **error)
{
  struct stat status;
  if (stat (folder->path, &status) == 0 && status.st_dev == folder->device && status.st_ino == folder->inode)
    return TRUE;
  g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_CANNOT_WRITE,
               "%s: the run folder is not there any more: it was deleted or moved, or its disk was removed",
               folder->path);
  return FALSE;
}

static void
open_log (FenRunFolder *folder)
{
  g_autofree char *path = fen_run_folder_file (folder, "log.txt");
  folder->log = open (path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
}

FenRunFolder *
fen_run_folder_create (const FenConfig *config, GError **error)
{
  g_autofree char *root = fen_runs_root (config);
  g_autofree char *id = make_id (config);
  if (!fen_io_make_folder (root, error))
    return NULL;
  g_autofree char *path = make_new_folder (root, id, config->run_name[0] != '\0', error);
  if (path == NULL)
    return NULL;
  g_autoptr (FenRunFolder) folder = folder_new (path);
  g_autofree char *config_path = fen_run_folder_file (folder, "config.json");
  folder->lock = fen_run_lock_take (path, error);
  if (folder->lock < 0 || !fen_config_save (config, config_path, error) || !fen_io_sync_folder (root, error))
    {
      fen_io_remove_tree (path, NULL);
      return NULL;
    }
  remember_place (folder);
  open_log (folder);
  return g_steal_pointer (&folder);
}

/* Temporary files of writes that were killed: ".config.json.1234abcd.tmp", ".model.writing.tmp". A model/ that was moved
 * away for a new one which never came is brought back first. */
static void
remove_leftovers (const char *path)
{
  g_autofree char *model = g_build_filename (path, "model", NULL);
  g_autofree char *replaced = g_build_filename (path, ".model.replaced.tmp", NULL);
  if (!g_file_test (model, G_FILE_TEST_EXISTS) && g_file_test (replaced, G_FILE_TEST_EXISTS))
    fen_io_rename (replaced, model, NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  for (const char *name; dir != NULL && (name = g_dir_read_name (dir)) != NULL;)
    {
      if (name[0] != '.' || !g_str_has_suffix (name, ".tmp"))
        continue;
      g_autofree char *leftover = g_build_filename (path, name, NULL);
      fen_io_remove_tree (leftover, NULL);
    }
}

FenRunFolder *
fen_run_folder_open (const char *path, GError **error)
{
  if (!g_file_test (path, G_FILE_TEST_IS_DIR) || !fen_run_looks_like_one (path))
    {
      g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NOT_FOUND, "%s: not a run folder", path);
      return NULL;
    }
  g_autoptr (FenRunFolder) folder = folder_new (path);
  folder->lock = fen_run_lock_take (folder->path, error);
  if (folder->lock < 0)
    return NULL;
  remove_leftovers (folder->path);
  fen_checkpoint_clean (folder->path);
  remember_place (folder);
  open_log (folder);
  return g_steal_pointer (&folder);
}

void
fen_run_folder_free (FenRunFolder *folder)
{
  if (folder == NULL)
    return;
  if (folder->log >= 0)
    close (folder->log);
  if (folder->lock >= 0)
    close (folder->lock);
  g_free (folder->path);
  g_free (folder->id);
  g_free (folder);
}

const char *
fen_run_folder_path (FenRunFolder *folder)
{
  return folder->path;
}

const char *
fen_run_folder_id (FenRunFolder *folder)
{
  return folder->id;
}

char *
fen_run_folder_file (FenRunFolder *folder, const char *name)
{
  return g_build_filename (folder->path, name, NULL);
}

gboolean
fen_run_folder_write_state (FenRunFolder *folder, const FenRunInfo *info, GError **error)
{
  g_autoptr (FenJsonWriter) writer = fen_json_writer_new (2);
  fen_json_writer_begin_object (writer, NULL);
  fen_json_writer_int (writer, "v", FEN_RUN_STATE_VERSION);
  fen_json_writer_string (writer, "status", fen_run_status_name (info->status));
  fen_json_writer_string (writer, "reason", info->reason);
  fen_json_writer_string (writer, "name", info->name);
  fen_json_writer_string (writer, "model", info->model);
  fen_json_writer_string (writer, "dataset", info->dataset);
  fen_json_writer_string (writer, "device", info->device);
  if (info->peak != NULL && info->peak[0] != '\0')
    fen_json_writer_string (writer, "peak", info->peak);
  fen_json_writer_int (writer, "parameters", info->parameters);
  fen_json_writer_int (writer, "step", info->step);
  fen_json_writer_int (writer, "steps", info->steps);
  fen_json_writer_int (writer, "tokens", info->tokens);
  fen_json_writer_double (writer, "loss", info->loss);
  fen_json_writer_double (writer, "eval_loss", info->eval_loss);
  fen_json_writer_int (writer, "started", info->started);
  fen_json_writer_int (writer, "ended", info->ended);
  fen_json_writer_int (writer, "pid", (gint64)getpid ());
  fen_json_writer_string (writer, "version", FEN_VERSION);
  fen_json_writer_end_object (writer);
  g_autofree char *text = g_strconcat (fen_json_writer_text (writer, NULL), "\n", NULL);
  g_autofree char *path = fen_run_folder_file (folder, "run.json");
  return fen_io_write_file (path, text, strlen (text), error);
}

void
fen_run_folder_log (FenRunFolder *folder, const char *text)
{
  if (folder->log < 0)
    return;
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *time = g_date_time_format (now, "%Y-%m-%dT%H:%M:%SZ");
  g_autofree char *line = g_strdup_printf ("%s %s\n", time, text);
  /* One line an entry, whatever stands in it. */
  for (char *p = line; p[1] != '\0'; p++)
    if (*p == '\n' || *p == '\r')
      *p = ' ';
  if (write (folder->log, line, strlen (line)) < 0)
    g_debug ("%s: log.txt cannot be written", folder->path);
}
