/* fen-checkpoint-read.c: finding the newest whole checkpoint and loading it (see fen-checkpoint.h). */
#include "core/train/fen-checkpoint-private.h"

#include "core/base/fen-error.h"
#include "core/base/fen-io.h"
#include "core/model/fen-safetensors.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static int
compare_steps (gconstpointer a, gconstpointer b)
{
  const gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
  return (x > y) - (x < y);
}

GArray *
fen_checkpoint_list (const char *run_path)
{
  static const char prefix[] = "step-";
  GArray *steps = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_autofree char *folder = fen_checkpoint_folder (run_path);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  for (const char *name; dir != NULL && (name = g_dir_read_name (dir)) != NULL;)
    {
      guint64 number;
      if (!g_str_has_prefix (name, prefix)
          || !g_ascii_string_to_unsigned (name + strlen (prefix), 10, 0, G_MAXINT64, &number, NULL))
        continue;
      const gint64 step = (gint64)number;
      g_autofree char *path = fen_checkpoint_path (run_path, step);
      if (g_file_test (path, G_FILE_TEST_IS_DIR))
        g_array_append_val (steps, step);
    }
  g_array_sort (steps, compare_steps);
  return steps;
}

static gboolean
verify_file (const char *folder, const FenCheckpointFile *file, GError **error)
{
  g_autofree char *path = g_build_filename (folder, file->name, NULL);
  struct stat info;
  char hash[33];
  if (stat (path, &info) != 0)
    return fen_error_set_errno (error, errno, path, "cannot read");
  if (!S_ISREG (info.st_mode) || (guint64)info.st_size != file->bytes)
    {
      g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_DAMAGED,
                   "%s: has %" G_GINT64_FORMAT " bytes, %s says %" G_GUINT64_FORMAT, path,
                   (gint64)info.st_size, FEN_CHECKPOINT_STATE, file->bytes);
      return FALSE;
    }
  if (!fen_io_hash_file (path, hash, error))
    return FALSE;
  if (strcmp (hash, file->hash) == 0)
    return TRUE;
  g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_DAMAGED, "%s: its content has the hash %s, %s says %s",
               path, hash, FEN_CHECKPOINT_STATE, file->hash);
  return FALSE;
}

gboolean
fen_checkpoint_verify (const char *path, FenTrainState *state, GError **error)
{
  FenCheckpointManifest manifest;
  if (!fen_checkpoint_manifest_load (&manifest, path, error))
    return FALSE;
  for (guint i = 0; i < manifest.n_files; i++)
    if (!verify_file (path, &manifest.files[i], error))
      return FALSE;
  *state = manifest.state;
  return TRUE;
}

/* Damaged checkpoints keep their bytes for whoever wants to look, until the next one is whole. */
static void
set_checkpoint_aside (const char *run_path, const char *path)
{
  g_autofree char *folder = fen_checkpoint_folder (run_path);
  g_autofree char *base = g_path_get_basename (path);
  g_autofree char *name = g_strconcat ("damaged-", base, NULL);
  g_autofree char *target = g_build_filename (folder, name, NULL);
  fen_io_remove_tree (target, NULL);
  fen_io_rename (path, target, NULL);
}

char *
fen_checkpoint_newest (const char *run_path, FenTrainState *state, gboolean set_aside, GPtrArray *notes,
                       GError **error)
{
  g_autoptr (GArray) steps = fen_checkpoint_list (run_path);
  g_autoptr (GPtrArray) damaged = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) last = NULL;
  for (guint i = steps->len; i-- > 0;)
    {
      const gint64 step = g_array_index (steps, gint64, i);
      g_autofree char *path = fen_checkpoint_path (run_path, step);
      g_clear_error (&last);
      if (fen_checkpoint_verify (path, state, &last))
        {
          /* Only now that there is one to go on from: else the next attempt would find none and begin anew. */
          for (guint k = 0; set_aside && k < damaged->len; k++)
            set_checkpoint_aside (run_path, damaged->pdata[k]);
          return g_steal_pointer (&path);
        }
      if (notes != NULL)
        g_ptr_array_add (notes, g_strdup_printf ("the checkpoint of step %" G_GINT64_FORMAT
                                                 " is damaged and not used: %s",
                                                 step, last->message));
      g_ptr_array_add (damaged, g_steal_pointer (&path));
    }
  if (last == NULL)
    g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NOT_FOUND, "%s: has no checkpoint", run_path);
  else
    g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_DAMAGED, "%s: no checkpoint is whole: %s", run_path,
                 last->message);
  return NULL;
}

/* ---- loading ---- */

static const char *
dtype_name (FenDType dtype)
{
  static const char *const names[] = { "F32", "BF16", "F16", "F64", "I32", "U8" };
  return names[dtype];
}

/* Piece by piece, and the pages of each go again: the file must not stand in memory beside the arena. */
static gboolean
copy_tensor (FenSafetensors *file, const FenCheckpointContent *content, const FenStateTensor *wanted,
             const FenTensor *found, GError **error)
{
  for (guint64 first = 0; first < found->bytes; first += FEN_CHECKPOINT_PIECE_BYTES)
    {
      const guint64 n = MIN (FEN_CHECKPOINT_PIECE_BYTES, found->bytes - first);
      if (!content->write (wanted, first, n, (const char *)found->data + first, content->user_data, error))
        return FALSE;
      fen_safetensors_release (file, found, first, n);
    }
  return TRUE;
}

static gboolean
restore_tensor (FenSafetensors *file, const char *path, const FenCheckpointContent *content,
                const FenStateTensor *wanted, GError **error)
{
  const char *name = fen_checkpoint_tensor_name (wanted);
  const FenTensor *found = fen_safetensors_find (file, name);
  if (found == NULL)
    {
      g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_MISMATCH,
                   "%s: has no %s, which this run needs: a setting of the run was changed", path, name);
      return FALSE;
    }
  if (found->dtype != wanted->dtype || found->elements != wanted->elements)
    {
      g_set_error (
          error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_MISMATCH,
          "%s: %s is %s with %" G_GINT64_FORMAT " elements, this run needs %s with %" G_GINT64_FORMAT, path,
          name, dtype_name (found->dtype), found->elements, dtype_name (wanted->dtype), wanted->elements);
      return FALSE;
    }
  return copy_tensor (file, content, wanted, found, error);
}

gboolean
fen_checkpoint_restore (const char *path, const FenCheckpointContent *content, GError **error)
{
  g_autofree char *weights_path = g_build_filename (path, FEN_CHECKPOINT_WEIGHTS, NULL);
  g_autofree char *optimizer_path = g_build_filename (path, FEN_CHECKPOINT_OPTIMIZER, NULL);
  g_autoptr (FenSafetensors) weights = fen_safetensors_open (weights_path, error);
  g_autoptr (FenSafetensors) optimizer
      = weights != NULL ? fen_safetensors_open (optimizer_path, error) : NULL;
  if (optimizer == NULL)
    return FALSE;
  for (gsize i = 0; i < content->n_tensors; i++)
    {
      const FenStateTensor *tensor = &content->tensors[i];
      if (!restore_tensor (tensor->is_weight ? weights : optimizer,
                           tensor->is_weight ? weights_path : optimizer_path, content, tensor, error))
        return FALSE;
    }
  return TRUE;
}
