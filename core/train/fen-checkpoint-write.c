/* fen-checkpoint-write.c: writing a checkpoint so that any crash leaves the old one or the new one
 * (fen-checkpoint.h says how). */
#include "core/train/fen-checkpoint-private.h"

#include "core/base/fen-error.h"
#include "core/base/fen-io.h"
#include "core/base/fen-json.h"
#include "core/model/fen-safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITING "writing"   /* .writing-step-N: being written */
#define REMOVING "removing" /* .removing-step-N: being removed */
#define REPLACED "replaced" /* .replaced-step-N: moved away for a new one of the same step */

/* File system blocks, JSON headers and small files, beside the tensors. */
#define SLACK_BYTES (1u << 20)

/* ---- an engine's content ---- */

static gboolean
read_engine (const FenStateTensor *tensor, guint64 first_byte, guint64 n_bytes, void *bytes, gpointer engine,
             GError **error)
{
  return fen_engine_read_state (engine, tensor, first_byte, n_bytes, bytes, error);
}

static gboolean
write_engine (const FenStateTensor *tensor, guint64 first_byte, guint64 n_bytes, const void *bytes,
              gpointer engine, GError **error)
{
  return fen_engine_write_state (engine, tensor, first_byte, n_bytes, bytes, error);
}

void
fen_checkpoint_content_init (FenCheckpointContent *content, FenEngine *engine)
{
  *content = (FenCheckpointContent){ .read = read_engine, .write = write_engine, .user_data = engine };
  content->tensors = fen_engine_state_tensors (engine, &content->n_tensors);
}

guint64
fen_checkpoint_bytes (const FenCheckpointContent *content)
{
  guint64 bytes = SLACK_BYTES;
  struct stat info;
  for (gsize i = 0; i < content->n_tensors; i++)
    bytes += fen_state_tensor_bytes (&content->tensors[i]);
  if (content->tokenizer_path != NULL && stat (content->tokenizer_path, &info) == 0)
    bytes += (guint64)info.st_size;
  return bytes;
}

/* ---- the files ---- */

typedef struct {
  const char *folder; /* the temporary one */
  const FenCheckpointContent *content;
  FenCheckpointManifest manifest;
  void *buffer; /* FEN_CHECKPOINT_PIECE_BYTES */
} Writing;

static FenCheckpointFile *
add_file (Writing *writing, const char *name)
{
  FenCheckpointFile *file = &writing->manifest.files[writing->manifest.n_files++];
  g_strlcpy (file->name, name, sizeof file->name);
  return file;
}

static gboolean
write_text (Writing *writing, const char *name, const char *text, gsize bytes, GError **error)
{
  FenCheckpointFile *file = add_file (writing, name);
  g_autofree char *path = g_build_filename (writing->folder, name, NULL);
  g_autoptr (FenFileWriter) writer = fen_file_writer_new (path, error);
  file->bytes = bytes;
  return writer != NULL && fen_file_writer_write (writer, text, bytes, error)
         && fen_file_writer_commit (writer, file->hash, error);
}

static gboolean
copy_file (Writing *writing, const char *source, const char *name, GError **error)
{
  struct stat info;
  if (stat (source, &info) == 0 && (guint64)info.st_size > FEN_JSON_MAX_BYTES_TOKENIZER)
    return fen_error_set_errno (error, EFBIG, source, "cannot copy");
  g_autofree char *text = NULL;
  gsize bytes;
  return g_file_get_contents (source, &text, &bytes, error) && write_text (writing, name, text, bytes, error);
}

/* tokenizer.json, and the file beside it that says which tokens begin and end a text. */
static gboolean
copy_tokenizer (Writing *writing, GError **error)
{
  const char *source = writing->content->tokenizer_path;
  if (source == NULL)
    return TRUE;
  g_autofree char *folder = g_path_get_dirname (source);
  g_autofree char *beside = g_build_filename (folder, "tokenizer_config.json", NULL);
  if (!copy_file (writing, source, "tokenizer.json", error))
    return FALSE;
  return !g_file_test (beside, G_FILE_TEST_IS_REGULAR)
         || copy_file (writing, beside, "tokenizer_config.json", error);
}

const char *
fen_checkpoint_tensor_name (const FenStateTensor *tensor)
{
  static const char prefix[] = "weights.";
  return tensor->is_weight && g_str_has_prefix (tensor->name, prefix) ? tensor->name + strlen (prefix)
                                                                      : tensor->name;
}

static gboolean
write_tensor (Writing *writing, FenSafetensorsWriter *writer, const FenStateTensor *tensor, GError **error)
{
  const FenCheckpointContent *content = writing->content;
  const guint64 bytes = fen_state_tensor_bytes (tensor);
  for (guint64 first = 0; first < bytes; first += FEN_CHECKPOINT_PIECE_BYTES)
    {
      const guint64 n = MIN (FEN_CHECKPOINT_PIECE_BYTES, bytes - first);
      if (!content->read (tensor, first, n, writing->buffer, content->user_data, error)
          || !fen_safetensors_writer_data (writer, writing->buffer, n, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
write_tensors (Writing *writing, gboolean weights, const char *name, GError **error)
{
  const FenCheckpointContent *content = writing->content;
  FenCheckpointFile *file = add_file (writing, name);
  g_autofree char *path = g_build_filename (writing->folder, name, NULL);
  g_autoptr (FenSafetensorsWriter) writer = fen_safetensors_writer_new (path, error);
  struct stat info;
  if (writer == NULL)
    return FALSE;
  fen_safetensors_writer_set_metadata (writer, "format", "pt"); /* transformers asks for it */
  for (gsize i = 0; i < content->n_tensors; i++)
    if (content->tensors[i].is_weight == weights)
      fen_safetensors_writer_add (writer, fen_checkpoint_tensor_name (&content->tensors[i]),
                                  content->tensors[i].dtype, content->tensors[i].rank,
                                  content->tensors[i].shape);
  for (gsize i = 0; i < content->n_tensors; i++)
    if (content->tensors[i].is_weight == weights
        && !write_tensor (writing, writer, &content->tensors[i], error))
      return FALSE;
  if (!fen_safetensors_writer_commit (writer, file->hash, error))
    return FALSE;
  if (stat (path, &info) != 0)
    return fen_error_set_errno (error, errno, path, "cannot read");
  file->bytes = (guint64)info.st_size;
  return TRUE;
}

static gboolean
write_manifest (Writing *writing, GError **error)
{
  g_autofree char *path = g_build_filename (writing->folder, FEN_CHECKPOINT_STATE, NULL);
  g_autofree char *text = fen_checkpoint_manifest_to_json (&writing->manifest);
  return fen_io_write_file (path, text, strlen (text), error);
}

static gboolean
write_files (Writing *writing, GError **error)
{
  const FenCheckpointContent *content = writing->content;
  g_autofree void *buffer = g_malloc (FEN_CHECKPOINT_PIECE_BYTES);
  writing->buffer = buffer;
  const char *config = content->model_config;
  return (config == NULL || write_text (writing, "config.json", config, strlen (config), error))
         && copy_tokenizer (writing, error) && write_tensors (writing, TRUE, FEN_CHECKPOINT_WEIGHTS, error)
         && write_tensors (writing, FALSE, FEN_CHECKPOINT_OPTIMIZER, error)
         && write_manifest (writing, error);
}

/* ---- the folders ---- */

char *
fen_checkpoint_folder (const char *run_path)
{
  return g_build_filename (run_path, "checkpoints", NULL);
}

char *
fen_checkpoint_path (const char *run_path, gint64 step)
{
  g_autofree char *name = g_strdup_printf ("step-%" G_GINT64_FORMAT, step);
  return g_build_filename (run_path, "checkpoints", name, NULL);
}

static char *
temporary_path (const char *run_path, const char *purpose, gint64 step)
{
  g_autofree char *name = g_strdup_printf (".%s-step-%" G_GINT64_FORMAT, purpose, step);
  return g_build_filename (run_path, "checkpoints", name, NULL);
}

gboolean
fen_checkpoint_publish (const char *written, const char *target, const char *replaced, GError **error)
{
  if (!g_file_test (target, G_FILE_TEST_EXISTS))
    return fen_io_rename (written, target, error);
  if (renameat2 (AT_FDCWD, written, AT_FDCWD, target, RENAME_EXCHANGE) == 0)
    {
      g_autofree char *folder = g_path_get_dirname (target);
      fen_io_remove_tree (written, NULL);
      return fen_io_sync_folder (folder, error);
    }
  if (!fen_io_remove_tree (replaced, error) || !fen_io_rename (target, replaced, error))
    return FALSE;
  if (!fen_io_rename (written, target, error))
    {
      fen_io_rename (replaced, target, NULL);
      return FALSE;
    }
  fen_io_remove_tree (replaced, NULL);
  return TRUE;
}

/* Removes all but the newest `keep`, and what was found damaged. Renamed first: a folder that is being removed must
 * not look like a checkpoint. What cannot be removed only costs space. */
static void
prune (const char *run_path, guint keep)
{
  g_autoptr (GArray) steps = fen_checkpoint_list (run_path);
  for (guint i = 0; i + MAX (keep, 1) < steps->len; i++)
    {
      const gint64 step = g_array_index (steps, gint64, i);
      g_autofree char *path = fen_checkpoint_path (run_path, step);
      g_autofree char *away = temporary_path (run_path, REMOVING, step);
      if (fen_io_rename (path, away, NULL))
        fen_io_remove_tree (away, NULL);
    }
  g_autofree char *folder = fen_checkpoint_folder (run_path);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  for (const char *name; dir != NULL && (name = g_dir_read_name (dir)) != NULL;)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      if (g_str_has_prefix (name, "damaged-step-"))
        fen_io_remove_tree (path, NULL);
    }
}

static gboolean
check_space (const char *run_path, const FenCheckpointContent *content, gint64 step, GError **error)
{
  const guint64 needed = fen_checkpoint_bytes (content);
  guint64 available;
  if (!fen_io_free_bytes (run_path, &available, error))
    return FALSE;
  if (needed <= available)
    return TRUE;
  g_autofree char *needed_text = fen_format_bytes (needed), *available_text = fen_format_bytes (available);
  g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NO_SPACE,
               "the checkpoint of step %" G_GINT64_FORMAT " needs %s, the disk of %s has %s free", step,
               needed_text, run_path, available_text);
  return FALSE;
}

gboolean
fen_checkpoint_write (const char *run_path, const FenCheckpointContent *content, const FenTrainState *state,
                      guint keep, GError **error)
{
  g_autofree char *folder = fen_checkpoint_folder (run_path);
  g_autofree char *temporary = temporary_path (run_path, WRITING, state->step);
  g_autofree char *replaced = temporary_path (run_path, REPLACED, state->step);
  g_autofree char *target = fen_checkpoint_path (run_path, state->step);
  Writing writing = { .folder = temporary, .content = content, .manifest = { .state = *state } };
  if (!check_space (run_path, content, state->step, error) || !fen_io_make_folder (folder, error)
      || !fen_io_remove_tree (temporary, error) || !fen_io_make_folder (temporary, error))
    return FALSE;
  if (!write_files (&writing, error) || !fen_io_sync_folder (temporary, error)
      || !fen_checkpoint_publish (temporary, target, replaced, error))
    {
      fen_io_remove_tree (temporary, NULL);
      return FALSE;
    }
  prune (run_path, keep);
  return TRUE;
}

void
fen_checkpoint_clean (const char *run_path)
{
  g_autofree char *folder = fen_checkpoint_folder (run_path);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  for (const char *name; dir != NULL && (name = g_dir_read_name (dir)) != NULL;)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      if (g_str_has_prefix (name, "." REPLACED "-"))
        {
          g_autofree char *target = g_build_filename (folder, name + strlen ("." REPLACED "-"), NULL);
          if (!g_file_test (target, G_FILE_TEST_EXISTS) && fen_io_rename (path, target, NULL))
            continue;
          fen_io_remove_tree (path, NULL);
        }
      else if (g_str_has_prefix (name, "." WRITING "-") || g_str_has_prefix (name, "." REMOVING "-"))
        fen_io_remove_tree (path, NULL);
    }
}
