/* fen-model-load.c: opening a model, and the values in a folder's safetensors files.
 *
 * Opening checks everything but the values: every parameter has a tensor of the right shape and a floating-point
 * type, and the files hold nothing else, because a tensor that we would not train would be lost when the model is
 * saved. Values are checked while they are converted.
 */
#include "core/model/fen-model-private.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/base/fen-error.h"
#include "core/base/fen-json.h"

#define MAX_INDEX_BYTES (64u << 20)
#define MAX_SHARDS 4096
#define PIECE ((gint64)1 << 20) /* elements converted at once */
#define WEIGHTS "model.safetensors"
#define WEIGHTS_INDEX "model.safetensors.index.json"

/* Buffers that old checkpoints carry beside their parameters: causal masks and rotary tables, which follow from the
 * configuration. Matched at the end of the name. */
static const char *const known_buffers[] = {
  ".attn.bias",
  ".attn.masked_bias",
  ".rotary_emb.inv_freq",
};

typedef struct {
  FenModel *model;
  GHashTable *by_name; /* name -> FenParamSource, of all files */
} Binder;

static gboolean G_GNUC_PRINTF (2, 3) fail_tensors (GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS, message);
  return FALSE;
}

static gboolean
add_file (Binder *binder, const char *file_name, GError **error)
{
  g_autofree char *path = g_build_filename (binder->model->folder, file_name, NULL);
  GError *inner = NULL;
  FenSafetensors *file = fen_safetensors_open (path, &inner);
  if (file == NULL)
    return fen_model_claim_error (error, FEN_MODEL_ERROR_TENSORS, inner);
  g_ptr_array_add (binder->model->files, file);
  gsize n_tensors;
  const FenTensor *tensors = fen_safetensors_tensors (file, &n_tensors);
  for (gsize i = 0; i < n_tensors; i++)
    {
      const FenParamSource *other = g_hash_table_lookup (binder->by_name, tensors[i].name);
      if (other != NULL)
        {
          g_autofree char *quoted = fen_error_quote (tensors[i].name);
          return fail_tensors (error, "%s: tensor %s is in %s as well", path, quoted,
                               fen_safetensors_source (other->file));
        }
      FenParamSource *source = g_new (FenParamSource, 1);
      *source = (FenParamSource){ file, &tensors[i] };
      g_hash_table_insert (binder->by_name, (gpointer)tensors[i].name, source);
    }
  return TRUE;
}

/* A shard's name comes from a stranger: it must name a file in this folder. */
static gboolean
check_shard_name (const char *name)
{
  return g_str_has_suffix (name, ".safetensors") && strpbrk (name, "/\\") == NULL && name[0] != '.'
         && strlen (name) <= 255;
}

/* Opens the shards that the index names, each once, in the order of first mention. */
static gboolean
add_shards (Binder *binder, JsonObject *map, const char *where, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  JsonObjectIter iter;
  const char *tensor;
  JsonNode *node;
  json_object_iter_init (&iter, map);
  while (json_object_iter_next (&iter, &tensor, &node))
    {
      const char *shard = NULL;
      if (!fen_json_get_string (map, where, tensor, TRUE, &shard, error))
        return FALSE;
      if (!check_shard_name (shard))
        {
          g_autofree char *quoted = fen_error_quote (tensor), *file = fen_error_quote (shard);
          return fail_tensors (error, "%s: %s is in %s; allowed: a .safetensors file of the same folder",
                               where, quoted, file);
        }
      if (!g_hash_table_add (seen, (gpointer)shard))
        continue;
      if (g_hash_table_size (seen) > MAX_SHARDS)
        return fail_tensors (error, "%s: more than %d files", where, MAX_SHARDS);
      if (!add_file (binder, shard, error))
        return FALSE;
    }
  return TRUE;
}

/* What the index promises must be where it says. */
static gboolean
check_index (Binder *binder, JsonObject *map, const char *where, GError **error)
{
  JsonObjectIter iter;
  const char *tensor;
  JsonNode *node;
  json_object_iter_init (&iter, map);
  while (json_object_iter_next (&iter, &tensor, &node))
    {
      const FenParamSource *source = g_hash_table_lookup (binder->by_name, tensor);
      g_autofree char *file
          = source != NULL ? g_path_get_basename (fen_safetensors_source (source->file)) : NULL;
      if (g_strcmp0 (file, json_node_get_string (node)) != 0)
        {
          g_autofree char *quoted = fen_error_quote (tensor);
          return fail_tensors (error, "%s: tensor %s is not in %s", where, quoted,
                               json_node_get_string (node));
        }
    }
  return TRUE;
}

static gboolean
add_index (Binder *binder, const char *path, GError **error)
{
  GError *inner = NULL;
  g_autoptr (JsonNode) root = fen_json_load (path, MAX_INDEX_BYTES, &inner);
  JsonObject *object = root != NULL ? fen_json_root_object (root, path, &inner) : NULL;
  JsonObject *map = NULL;
  g_autofree char *where = g_strdup_printf ("%s: weight_map", path);
  if (object == NULL || !fen_json_get_object (object, path, "weight_map", TRUE, &map, &inner)
      || !add_shards (binder, map, where, &inner) || !check_index (binder, map, where, &inner))
    return fen_model_claim_error (error, FEN_MODEL_ERROR_TENSORS, inner);
  return TRUE;
}

static gboolean
add_files (Binder *binder, GError **error)
{
  const char *folder = binder->model->folder;
  g_autofree char *single = g_build_filename (folder, WEIGHTS, NULL);
  g_autofree char *index = g_build_filename (folder, WEIGHTS_INDEX, NULL);
  g_autofree char *pickle = g_build_filename (folder, "pytorch_model.bin", NULL);
  g_autofree char *pickles = g_build_filename (folder, "pytorch_model.bin.index.json", NULL);
  if (g_file_test (single, G_FILE_TEST_EXISTS))
    return add_file (binder, WEIGHTS, error);
  if (g_file_test (index, G_FILE_TEST_EXISTS))
    return add_index (binder, index, error);
  if (g_file_test (pickle, G_FILE_TEST_EXISTS) || g_file_test (pickles, G_FILE_TEST_EXISTS))
    return fail_tensors (
        error,
        "%s: has pytorch_model.bin only, a format that can run code when it is read; convert "
        "the model to safetensors (save_pretrained in transformers does)",
        folder);
  return fail_tensors (error, "%s: has neither " WEIGHTS " nor " WEIGHTS_INDEX, folder);
}

/* The tensor of a parameter; a checkpoint of the model without its head lacks the prefix. Taken out of the table,
 * so that what remains there is what no parameter asked for. */
static gboolean
take (Binder *binder, const char *name, FenParamSource *source)
{
  const char *prefix = fen_model_name_prefix (binder->model->config.architecture);
  const char *bare = g_str_has_prefix (name, prefix) ? name + strlen (prefix) : NULL;
  const FenParamSource *found = g_hash_table_lookup (binder->by_name, name);
  if (found == NULL && bare != NULL)
    found = g_hash_table_lookup (binder->by_name, bare);
  if (found == NULL)
    return FALSE;
  *source = *found;
  g_hash_table_remove (binder->by_name, source->tensor->name);
  return TRUE;
}

static char *
shape_text (const gint64 *shape, int rank)
{
  GString *text = g_string_new ("(");
  for (int i = 0; i < rank; i++)
    g_string_append_printf (text, "%s%" G_GINT64_FORMAT, i > 0 ? ", " : "", shape[i]);
  g_string_append_c (text, ')');
  return g_string_free (text, FALSE);
}

static gboolean
check_tensor (const FenParam *param, const FenParamSource *source, GError **error)
{
  const FenTensor *tensor = source->tensor;
  const char *path = fen_safetensors_source (source->file);
  if (tensor->rank != param->rank
      || memcmp (tensor->shape, param->shape, (gsize)param->rank * sizeof (gint64)) != 0)
    {
      g_autofree char *found = shape_text (tensor->shape, tensor->rank);
      g_autofree char *wanted = shape_text (param->shape, param->rank);
      return fail_tensors (error, "%s: tensor %s has shape %s; config.json makes it %s", path, tensor->name,
                           found, wanted);
    }
  if (tensor->dtype == FEN_I32 || tensor->dtype == FEN_U8)
    return fail_tensors (error, "%s: tensor %s has an integer type; allowed: F32, BF16, F16, F64", path,
                         tensor->name);
  return TRUE;
}

static gboolean
is_known_buffer (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (known_buffers); i++)
    if (g_str_has_suffix (name, known_buffers[i]))
      return TRUE;
  return FALSE;
}

/* What is left in the table belongs to no parameter. */
static gboolean
check_rest (Binder *binder, GError **error)
{
  GHashTableIter iter;
  gpointer key, value;
  const FenParamSource *first = NULL;
  guint count = 0;
  g_hash_table_iter_init (&iter, binder->by_name);
  while (g_hash_table_iter_next (&iter, &key, &value))
    if (!is_known_buffer (key))
      {
        const FenParamSource *source = value;
        count++;
        if (first == NULL || strcmp (source->tensor->name, first->tensor->name) < 0)
          first = source;
      }
  if (count == 0)
    return TRUE;
  g_autofree char *quoted = fen_error_quote (first->tensor->name);
  const FenModelConfig *config = &binder->model->config;
  return fail_tensors (error,
                       "%s: tensor %s is no part of a %s model of %" G_GINT64_FORMAT
                       " layers (%u such tensors); allowed: its parameters and known buffers",
                       fen_safetensors_source (first->file), quoted,
                       fen_model_architecture_name (config->architecture), config->layers, count);
}

gboolean
fen_model_bind (FenModel *model, GError **error)
{
  g_autoptr (GHashTable) by_name = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  Binder binder = { model, by_name };
  if (!add_files (&binder, error))
    return FALSE;
  model->sources = g_new0 (FenParamSource, model->n_params);
  for (gsize i = 0; i < model->n_params; i++)
    {
      const FenParam *param = &model->params[i];
      if (!take (&binder, param->name, &model->sources[i]))
        return fail_tensors (error, "%s: tensor %s is missing%s", model->folder, param->name,
                             param->slot == FEN_SLOT_LM_HEAD ? " (tie_word_embeddings is false)" : "");
      if (!check_tensor (param, &model->sources[i], error))
        return FALSE;
    }
  if (model->config.tied && take (&binder, "lm_head.weight", &model->tied_copy)
      && !check_tensor (&model->params[0], &model->tied_copy, error))
    return FALSE;
  return check_rest (&binder, error);
}

gint64
fen_model_find_bad_value (const float *values, gint64 n)
{
  for (gint64 i = 0; i < n; i++)
    if (!isfinite (values[i]))
      return i;
  return -1;
}

/* Converts values [first, first + n) piece by piece and lets the pages of each go again: the file's copy never
 * stands in memory beside the values. */
static gboolean
read_values (const FenParamSource *source, gint64 first, gint64 n, float *values, GError **error)
{
  const FenTensor *tensor = source->tensor;
  guint64 size = fen_dtype_size (tensor->dtype);
  for (gint64 i = 0; i < n; i += PIECE)
    {
      gint64 count = MIN (n - i, PIECE);
      fen_tensor_read_f32 (tensor, first + i, count, values + i);
      fen_safetensors_release (source->file, tensor, (guint64)(first + i) * size, (guint64)count * size);
    }
  gint64 bad = fen_model_find_bad_value (values, n);
  if (bad < 0)
    return TRUE;
  return fail_tensors (error, "%s: tensor %s: element %" G_GINT64_FORMAT " is %s; allowed: finite numbers",
                       fen_safetensors_source (source->file), tensor->name, first + bad,
                       isnan (values[bad]) ? "NaN" : "infinite");
}

/* A head beside a tied embedding is harmless only when it is the same. */
static gboolean
check_tied_copy (const FenModel *model, gint64 first, gint64 n, const float *values, GError **error)
{
  const FenTensor *tensor = model->tied_copy.tensor;
  guint64 size = fen_dtype_size (tensor->dtype);
  float piece[1024];
  for (gint64 i = 0; i < n; i += (gint64)G_N_ELEMENTS (piece))
    {
      gint64 count = MIN (n - i, (gint64)G_N_ELEMENTS (piece));
      fen_tensor_read_f32 (tensor, first + i, count, piece);
      if (memcmp (piece, values + i, (gsize)count * sizeof (float)) != 0)
        return fail_tensors (error,
                             "%s: lm_head.weight differs from the token embedding, but config.json says "
                             "tie_word_embeddings; allowed: equal, or tie_word_embeddings false",
                             fen_safetensors_source (model->tied_copy.file));
    }
  fen_safetensors_release (model->tied_copy.file, tensor, (guint64)first * size, (guint64)n * size);
  return TRUE;
}

gboolean
fen_model_read_param (const FenModel *model, const FenParam *param, guint64 seed, gint64 first, gint64 n,
                      float *values, GError **error)
{
  g_return_val_if_fail (param >= model->params && param < model->params + model->n_params, FALSE);
  g_return_val_if_fail (first >= 0 && n >= 0 && n <= param->elements - first, FALSE);
  if (model->sources == NULL)
    {
      fen_model_draw_param (model, param, seed, first, n, values);
      return TRUE;
    }
  if (!read_values (&model->sources[param - model->params], first, n, values, error))
    return FALSE;
  if (param->slot == FEN_SLOT_TOKEN_EMBEDDING && model->tied_copy.tensor != NULL)
    return check_tied_copy (model, first, n, values, error);
  return TRUE;
}
