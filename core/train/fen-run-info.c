/* fen-run-info.c: what a run folder says, read by any process at any time (see fen-run-folder.h).
 *
 * Nothing here is trusted: a folder may be half deleted, edited by hand or from another version. What cannot be read
 * makes the run FEN_RUN_DAMAGED with the reason; a list never fails because of one run.
 */
#include "core/base/fen-error.h"
#include "core/base/fen-io.h"
#include "core/base/fen-json.h"
#include "core/train/fen-checkpoint.h"
#include "core/train/fen-metrics.h"
#include "core/train/fen-run-private.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_NAME_BYTES 200

static const char *const status_names[]
    = { "running", "finished", "stopped", "failed", "interrupted", "damaged" };

const char *
fen_run_status_name (FenRunStatus status)
{
  return status_names[status];
}

void
fen_run_info_free (FenRunInfo *info)
{
  if (info == NULL)
    return;
  g_free (info->id);
  g_free (info->path);
  g_free (info->name);
  g_free (info->reason);
  g_free (info->model);
  g_free (info->dataset);
  g_free (info->device);
  g_free (info->peak);
  g_free (info);
}

gboolean
fen_run_looks_like_one (const char *path)
{
  /* Not config.json: every model folder has one. */
  static const char *const files[] = { "run.json", "metrics.jsonl", "checkpoints" };
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *file = g_build_filename (path, files[i], NULL);
      if (g_file_test (file, G_FILE_TEST_EXISTS))
        return TRUE;
    }
  return FALSE;
}

static gboolean
read_status (JsonObject *object, const char *where, FenRunStatus *status, GError **error)
{
  const char *text = NULL;
  if (!fen_json_get_string (object, where, "status", TRUE, &text, error))
    return FALSE;
  for (int i = FEN_RUN_RUNNING; i <= FEN_RUN_FAILED; i++)
    if (strcmp (text, status_names[i]) == 0)
      {
        *status = (FenRunStatus)i;
        return TRUE;
      }
  g_autofree char *quoted = fen_error_quote (text);
  g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_DAMAGED,
               "%s: status is %s; allowed: running, finished, stopped, failed", where, quoted);
  return FALSE;
}

static gboolean
read_text (JsonObject *object, const char *where, const char *key, char **value, GError **error)
{
  const char *text = "";
  if (!fen_json_get_string (object, where, key, FALSE, &text, error))
    return FALSE;
  g_free (*value);
  *value = g_strdup (text);
  return TRUE;
}

static gboolean
read_state (FenRunInfo *info, GError **error)
{
  g_autofree char *path = g_build_filename (info->path, "run.json", NULL);
  g_autoptr (JsonNode) root = fen_json_load (path, FEN_JSON_MAX_BYTES_CONFIG, error);
  JsonObject *object = root != NULL ? fen_json_root_object (root, path, error) : NULL;
  gint64 version = 0;
  const double max = G_MAXDOUBLE;
  return object != NULL
         && fen_json_get_int (object, path, "v", TRUE, 1, FEN_RUN_STATE_VERSION, &version, error)
         && read_status (object, path, &info->status, error)
         && read_text (object, path, "reason", &info->reason, error)
         && read_text (object, path, "name", &info->name, error)
         && read_text (object, path, "model", &info->model, error)
         && read_text (object, path, "dataset", &info->dataset, error)
         && read_text (object, path, "device", &info->device, error)
         && read_text (object, path, "peak", &info->peak, error)
         && fen_json_get_int (object, path, "parameters", FALSE, 0, G_MAXINT64, &info->parameters, error)
         && fen_json_get_int (object, path, "step", TRUE, 0, G_MAXINT64, &info->step, error)
         && fen_json_get_int (object, path, "steps", TRUE, 0, G_MAXINT64, &info->steps, error)
         && fen_json_get_int (object, path, "tokens", FALSE, 0, G_MAXINT64, &info->tokens, error)
         && fen_json_get_double (object, path, "loss", FALSE, -max, max, &info->loss, error)
         && fen_json_get_double (object, path, "eval_loss", FALSE, -max, max, &info->eval_loss, error)
         && fen_json_get_int (object, path, "started", FALSE, 0, G_MAXINT32 * G_GINT64_CONSTANT (100),
                              &info->started, error)
         && fen_json_get_int (object, path, "ended", FALSE, 0, G_MAXINT32 * G_GINT64_CONSTANT (100),
                              &info->ended, error)
         && fen_json_get_int (object, path, "pid", FALSE, 0, G_MAXINT32, &info->pid, error);
}

/* The first line of name.txt, without white space around it; NULL when there is none. */
static char *
read_given_name (const char *run_path)
{
  g_autofree char *path = g_build_filename (run_path, "name.txt", NULL);
  char text[MAX_NAME_BYTES + 1];
  const int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  const ssize_t got = fd >= 0 ? read (fd, text, sizeof text - 1) : -1;
  if (fd >= 0)
    close (fd);
  if (got <= 0)
    return NULL;
  text[got] = '\0';
  text[strcspn (text, "\r\n")] = '\0';
  g_autofree char *name = g_utf8_make_valid (g_strstrip (text), -1);
  return *name != '\0' ? g_steal_pointer (&name) : NULL;
}

/* run.json is written now and then; metrics.jsonl knows every step. */
static void
read_last_metrics (FenRunInfo *info)
{
  FenSample train, eval;
  g_autofree char *path = g_build_filename (info->path, "metrics.jsonl", NULL);
  fen_metrics_last (path, &train, &eval);
  if (train.step >= 0)
    {
      info->step = train.step;
      info->tokens = train.tokens;
      info->loss = train.loss;
    }
  if (eval.step >= 0)
    info->eval_loss = eval.loss;
}

static void
read_checkpoints (FenRunInfo *info)
{
  g_autoptr (GArray) steps = fen_checkpoint_list (info->path);
  info->checkpoint_step = steps->len > 0 ? g_array_index (steps, gint64, steps->len - 1) : -1;
  g_autofree char *model = g_build_filename (info->path, "model", "model.safetensors", NULL);
  info->has_model = g_file_test (model, G_FILE_TEST_EXISTS);
}

FenRunInfo *
fen_run_info (const char *path)
{
  FenRunInfo *info = g_new0 (FenRunInfo, 1);
  g_autoptr (GError) error = NULL;
  info->path = g_canonicalize_filename (path, NULL);
  info->id = g_path_get_basename (info->path);
  info->name = g_strdup ("");
  info->reason = g_strdup ("");
  info->model = g_strdup ("");
  info->dataset = g_strdup ("");
  info->device = g_strdup ("");
  info->peak = g_strdup ("");
  info->loss = info->eval_loss = NAN;
  read_checkpoints (info);

  gint64 holder;
  const gboolean held = fen_run_lock_is_held (info->path, &holder);
  if (!read_state (info, &error))
    {
      struct stat status;
      info->status = FEN_RUN_DAMAGED;
      g_free (info->reason);
      info->reason = g_strdup (error->message);
      info->started = stat (info->path, &status) == 0 ? (gint64)status.st_mtime : 0;
    }
  else if (held)
    info->status = FEN_RUN_RUNNING;
  else if (info->status == FEN_RUN_RUNNING)
    {
      info->status = FEN_RUN_INTERRUPTED;
      g_free (info->reason);
      info->reason = g_strdup_printf ("the process %" G_GINT64_FORMAT " that trained it ended without a word",
                                      info->pid);
    }
  info->pid = held ? holder : 0;
  if (info->status == FEN_RUN_RUNNING || info->status == FEN_RUN_INTERRUPTED)
    read_last_metrics (info);

  g_autofree char *given = read_given_name (info->path);
  if (given != NULL || info->name[0] == '\0')
    {
      g_free (info->name);
      info->name = given != NULL ? g_steal_pointer (&given) : g_strdup (info->id);
    }
  return info;
}

static int
compare_newest_first (gconstpointer a, gconstpointer b)
{
  const FenRunInfo *x = *(FenRunInfo *const *)a, *y = *(FenRunInfo *const *)b;
  if (x->started != y->started)
    return x->started < y->started ? 1 : -1;
  return strcmp (y->id, x->id);
}

GPtrArray *
fen_runs_list (const char *root, GError **error)
{
  g_autoptr (GPtrArray) runs = g_ptr_array_new_with_free_func ((GDestroyNotify)fen_run_info_free);
  if (!g_file_test (root, G_FILE_TEST_EXISTS))
    return g_steal_pointer (&runs);
  g_autoptr (GDir) dir = g_dir_open (root, 0, error);
  if (dir == NULL)
    return NULL;
  for (const char *name; (name = g_dir_read_name (dir)) != NULL;)
    {
      g_autofree char *path = g_build_filename (root, name, NULL);
      if (name[0] != '.' && g_file_test (path, G_FILE_TEST_IS_DIR) && fen_run_looks_like_one (path))
        g_ptr_array_add (runs, fen_run_info (path));
    }
  g_ptr_array_sort (runs, compare_newest_first);
  return g_steal_pointer (&runs);
}

/* The only run that `matches`; NULL when there is none or more than one. */
static const FenRunInfo *
find_single (GPtrArray *runs, const char *what, gboolean (*matches) (const FenRunInfo *, const char *))
{
  const FenRunInfo *found = NULL;
  for (guint i = 0; i < runs->len; i++)
    {
      if (!matches (runs->pdata[i], what))
        continue;
      if (found != NULL)
        return NULL;
      found = runs->pdata[i];
    }
  return found;
}

static gboolean
has_id (const FenRunInfo *info, const char *what)
{
  return strcmp (info->id, what) == 0;
}

static gboolean
has_name (const FenRunInfo *info, const char *what)
{
  return strcmp (info->name, what) == 0;
}

static gboolean
has_prefix (const FenRunInfo *info, const char *what)
{
  return g_str_has_prefix (info->id, what);
}

static gboolean
is_readable (const FenRunInfo *info, const char *what)
{
  return info->status != FEN_RUN_DAMAGED;
}

static void
set_not_found (GPtrArray *runs, const char *root, const char *what, GError **error)
{
  g_autofree char *quoted = fen_error_quote (what);
  g_autoptr (GString) known = g_string_new (NULL);
  for (guint i = 0; i < MIN (runs->len, 5); i++)
    g_string_append_printf (known, "%s%s", i > 0 ? ", " : "", ((FenRunInfo *)runs->pdata[i])->id);
  if (runs->len == 0)
    g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NOT_FOUND, "no run %s: there are no runs in %s",
                 quoted, root);
  else
    g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NOT_FOUND,
                 "no run, or more than one, is called %s; in %s are: %s%s", quoted, root, known->str,
                 runs->len > 5 ? ", ..." : "");
}

char *
fen_runs_find (const char *root, const char *what, GError **error)
{
  if (g_file_test (what, G_FILE_TEST_IS_DIR) && fen_run_looks_like_one (what))
    return g_canonicalize_filename (what, NULL);
  g_autoptr (GPtrArray) runs = fen_runs_list (root, error);
  if (runs == NULL)
    return NULL;
  const FenRunInfo *found = find_single (runs, what, has_id);
  if (found == NULL && strcmp (what, "last") == 0)
    for (guint i = 0; i < runs->len && found == NULL; i++)
      found = is_readable (runs->pdata[i], NULL) ? runs->pdata[i] : NULL;
  if (found == NULL && *what != '\0')
    found = find_single (runs, what, has_name);
  if (found == NULL && *what != '\0')
    found = find_single (runs, what, has_prefix);
  if (found != NULL)
    return g_strdup (found->path);
  set_not_found (runs, root, what, error);
  return NULL;
}

char *
fen_run_model_folder (const char *path, GError **error)
{
  g_autoptr (FenRunInfo) info = fen_run_info (path);
  g_autofree char *model = g_build_filename (info->path, "model", NULL);
  if (info->has_model && info->status == FEN_RUN_FINISHED)
    return g_steal_pointer (&model);
  FenTrainState state;
  g_autoptr (GError) why = NULL;
  char *checkpoint = fen_checkpoint_newest (info->path, &state, FALSE, NULL, &why);
  if (checkpoint != NULL)
    return checkpoint;
  if (info->has_model)
    return g_steal_pointer (&model);
  g_propagate_error (error, g_steal_pointer (&why));
  return NULL;
}
