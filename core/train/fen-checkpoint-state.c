/* fen-checkpoint-state.c: state.json: what a checkpoint knows besides tensors, and what its files must look like. */
#include "core/train/fen-checkpoint-private.h"

#include "core/base/fen-error.h"
#include "core/base/fen-json.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

/* Nothing else is ever opened: a manifest cannot name a file outside its folder. */
static const char *const file_names[]
    = { "config.json",          "tokenizer.json",         "tokenizer_config.json",
        FEN_CHECKPOINT_WEIGHTS, FEN_CHECKPOINT_OPTIMIZER, NULL };

void
fen_train_state_init (FenTrainState *state)
{
  memset (state, 0, sizeof *state);
  state->eval_step = -1;
  state->loss_scale = 1;
  state->loss = state->eval_loss = NAN;
}

static void
write_state (FenJsonWriter *writer, const FenTrainState *state)
{
  fen_json_writer_begin_object (writer, "state");
  fen_json_writer_int (writer, "step", state->step);
  fen_json_writer_int (writer, "tokens", state->tokens);
  fen_json_writer_int (writer, "rows_consumed", state->rows_consumed);
  fen_json_writer_int (writer, "update_count", state->update_count);
  fen_json_writer_int (writer, "skipped_updates", state->skipped_updates);
  fen_json_writer_int (writer, "skipped_in_row", state->skipped_in_row);
  fen_json_writer_int (writer, "eval_step", state->eval_step);
  fen_json_writer_int (writer, "seed", (gint64)state->seed);
  fen_json_writer_double (writer, "loss_scale", state->loss_scale);
  fen_json_writer_double (writer, "smoothed_loss", state->smoothed_loss);
  fen_json_writer_double (writer, "smoothed_weight", state->smoothed_weight);
  fen_json_writer_double (writer, "loss", state->loss);
  fen_json_writer_double (writer, "eval_loss", state->eval_loss);
  fen_json_writer_string (writer, "dataset_hash", state->dataset_hash);
  fen_json_writer_string (writer, "tokenizer_fingerprint", state->tokenizer_fingerprint);
  fen_json_writer_end_object (writer);
}

static char *
manifest_text (const FenCheckpointManifest *manifest, const char *check)
{
  g_autoptr (FenJsonWriter) writer = fen_json_writer_new (2);
  fen_json_writer_begin_object (writer, NULL);
  fen_json_writer_int (writer, "v", FEN_CHECKPOINT_VERSION);
  fen_json_writer_string (writer, "check", check);
  write_state (writer, &manifest->state);
  fen_json_writer_begin_object (writer, "files");
  for (guint i = 0; i < manifest->n_files; i++)
    {
      fen_json_writer_begin_object (writer, manifest->files[i].name);
      fen_json_writer_int (writer, "bytes", (gint64)manifest->files[i].bytes);
      fen_json_writer_string (writer, "xxh3", manifest->files[i].hash);
      fen_json_writer_end_object (writer);
    }
  fen_json_writer_end_object (writer);
  fen_json_writer_end_object (writer);
  return g_strconcat (fen_json_writer_text (writer, NULL), "\n", NULL);
}

static void
compute_check (const FenCheckpointManifest *manifest, char check[33])
{
  g_autofree char *text = manifest_text (manifest, "");
  const XXH128_hash_t hash = XXH3_128bits (text, strlen (text));
  g_snprintf (check, 33, "%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", (guint64)hash.high64,
              (guint64)hash.low64);
}

char *
fen_checkpoint_manifest_to_json (const FenCheckpointManifest *manifest)
{
  char check[33];
  compute_check (manifest, check);
  return manifest_text (manifest, check);
}

/* Copies a string member into a fixed array; too long is damaged. */
static gboolean
read_text (JsonObject *object, const char *where, const char *key, char *target, gsize size, GError **error)
{
  const char *text = NULL;
  if (!fen_json_get_string (object, where, key, TRUE, &text, error))
    return FALSE;
  if (g_strlcpy (target, text, size) < size)
    return TRUE;
  g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_DAMAGED,
               "%s: %s has %" G_GSIZE_FORMAT " characters; allowed: %" G_GSIZE_FORMAT, where, key,
               strlen (text), size - 1);
  return FALSE;
}

static gboolean
read_state (JsonObject *object, const char *where, FenTrainState *state, GError **error)
{
  gint64 seed = 0;
  const struct {
    const char *key;
    gint64 min;
    gint64 *value;
  } integers[] = {
    { "step", 0, &state->step },
    { "tokens", 0, &state->tokens },
    { "rows_consumed", 0, &state->rows_consumed },
    { "update_count", 0, &state->update_count },
    { "skipped_updates", 0, &state->skipped_updates },
    { "skipped_in_row", 0, &state->skipped_in_row },
    { "eval_step", -1, &state->eval_step },
    { "seed", G_MININT64, &seed },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (integers); i++)
    if (!fen_json_get_int (object, where, integers[i].key, TRUE, integers[i].min, G_MAXINT64,
                           integers[i].value, error))
      return FALSE;
  state->seed = (guint64)seed;
  const struct {
    const char *key;
    gboolean required;
    double *value;
  } doubles[] = {
    { "loss_scale", TRUE, &state->loss_scale },
    { "smoothed_loss", TRUE, &state->smoothed_loss },
    { "smoothed_weight", TRUE, &state->smoothed_weight },
    { "loss", FALSE, &state->loss },
    { "eval_loss", FALSE, &state->eval_loss },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (doubles); i++)
    if (!fen_json_get_double (object, where, doubles[i].key, doubles[i].required, -G_MAXDOUBLE, G_MAXDOUBLE,
                              doubles[i].value, error))
      return FALSE;
  return read_text (object, where, "dataset_hash", state->dataset_hash, sizeof state->dataset_hash, error)
         && read_text (object, where, "tokenizer_fingerprint", state->tokenizer_fingerprint,
                       sizeof state->tokenizer_fingerprint, error);
}

static gboolean
read_file (JsonObject *files, const char *where, const char *name, FenCheckpointFile *file, GError **error)
{
  JsonObject *object = NULL;
  gint64 bytes = 0;
  if (!fen_json_get_object (files, where, name, TRUE, &object, error)
      || !fen_json_get_int (object, where, "bytes", TRUE, 0, G_MAXINT64, &bytes, error))
    return FALSE;
  g_strlcpy (file->name, name, sizeof file->name);
  file->bytes = (guint64)bytes;
  return read_text (object, where, "xxh3", file->hash, sizeof file->hash, error);
}

static gboolean
read_files (JsonObject *object, const char *where, FenCheckpointManifest *manifest, GError **error)
{
  JsonObject *files = NULL;
  if (!fen_json_get_object (object, where, "files", TRUE, &files, error))
    return FALSE;
  g_autoptr (GList) names = json_object_get_members (files);
  for (GList *l = names; l != NULL; l = l->next)
    {
      if (!g_strv_contains (file_names, l->data) || manifest->n_files == FEN_CHECKPOINT_MAX_FILES)
        {
          g_autofree char *quoted = fen_error_quote (l->data);
          g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_DAMAGED, "%s: %s is no file of a checkpoint",
                       where, quoted);
          return FALSE;
        }
      if (!read_file (files, where, l->data, &manifest->files[manifest->n_files++], error))
        return FALSE;
    }
  if (json_object_has_member (files, FEN_CHECKPOINT_WEIGHTS)
      && json_object_has_member (files, FEN_CHECKPOINT_OPTIMIZER))
    return TRUE;
  g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_DAMAGED, "%s: names no %s and %s", where,
               FEN_CHECKPOINT_WEIGHTS, FEN_CHECKPOINT_OPTIMIZER);
  return FALSE;
}

gboolean
fen_checkpoint_manifest_load (FenCheckpointManifest *manifest, const char *path, GError **error)
{
  g_autofree char *file = g_build_filename (path, FEN_CHECKPOINT_STATE, NULL);
  gint64 version = 0;
  JsonObject *state = NULL;
  char check[33] = "", computed[33];

  memset (manifest, 0, sizeof *manifest);
  fen_train_state_init (&manifest->state);
  g_autoptr (JsonNode) root = fen_json_load (file, FEN_JSON_MAX_BYTES_CONFIG, error);
  JsonObject *object = root != NULL ? fen_json_root_object (root, file, error) : NULL;
  if (object == NULL
      || !fen_json_get_int (object, file, "v", TRUE, 1, FEN_CHECKPOINT_VERSION, &version, error)
      || !read_text (object, file, "check", check, sizeof check, error)
      || !fen_json_get_object (object, file, "state", TRUE, &state, error)
      || !read_state (state, file, &manifest->state, error) || !read_files (object, file, manifest, error))
    return FALSE;
  compute_check (manifest, computed);
  if (strcmp (check, computed) == 0)
    return TRUE;
  g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_DAMAGED, "%s: its check is %s, its content gives %s",
               file, check, computed);
  return FALSE;
}
