/* fen-safetensors-writer.c: writing the safetensors format (see fen-safetensors.h).
 *
 * The header stands before the data and says where each tensor lies, so all tensors are described first and the
 * header is written with the first data. It is padded with spaces to a multiple of 8, as the format's own writers do,
 * so that the data of a mapped file is aligned. What is written was checked as strictly as what is read.
 */
#include "core/model/fen-safetensors.h"

#include <string.h>

#include "core/base/fen-io.h"
#include "core/base/fen-json.h"
#include "core/model/fen-model-private.h"

#define ALIGNMENT 8

typedef struct {
  char *name;
  FenDType dtype;
  int rank;
  gint64 shape[FEN_TENSOR_MAX_RANK];
  guint64 bytes;
} Entry;

struct _FenSafetensorsWriter {
  char *path;
  FenFileWriter *out;
  GArray *entries;          /* of Entry */
  GHashTable *names;        /* of the entries */
  GPtrArray *metadata;      /* key, value, key, value, ... */
  char *mistake;            /* the first wrong description, reported with the first data */
  guint64 described, given; /* bytes of data */
  gboolean has_header;
};

static void
clear_entry (gpointer data)
{
  g_free (((Entry *)data)->name);
}

FenSafetensorsWriter *
fen_safetensors_writer_new (const char *path, GError **error)
{
  FenFileWriter *out = fen_file_writer_new (path, error);
  if (out == NULL)
    return NULL;
  FenSafetensorsWriter *writer = g_new0 (FenSafetensorsWriter, 1);
  writer->path = g_strdup (path);
  writer->out = out;
  writer->entries = g_array_new (FALSE, TRUE, sizeof (Entry));
  g_array_set_clear_func (writer->entries, clear_entry);
  writer->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  writer->metadata = g_ptr_array_new_with_free_func (g_free);
  return writer;
}

void
fen_safetensors_writer_free (FenSafetensorsWriter *writer)
{
  if (writer == NULL)
    return;
  fen_file_writer_free (writer->out);
  g_array_unref (writer->entries);
  g_hash_table_unref (writer->names);
  g_ptr_array_unref (writer->metadata);
  g_free (writer->mistake);
  g_free (writer->path);
  g_free (writer);
}

void
fen_safetensors_writer_set_metadata (FenSafetensorsWriter *writer, const char *key, const char *value)
{
  g_return_if_fail (!writer->has_header);
  g_ptr_array_add (writer->metadata, g_strdup (key));
  g_ptr_array_add (writer->metadata, g_strdup (value));
}

void
fen_safetensors_writer_add (FenSafetensorsWriter *writer, const char *name, FenDType dtype, int rank,
                            const gint64 *shape)
{
  g_return_if_fail (!writer->has_header && rank >= 0 && rank <= FEN_TENSOR_MAX_RANK);
  Entry entry = { .name = g_strdup (name), .dtype = dtype, .rank = rank };
  gint64 bytes = (gint64)fen_dtype_size (dtype);
  gboolean fits = TRUE;
  for (int i = 0; i < rank; i++)
    {
      entry.shape[i] = shape[i];
      fits = fits && shape[i] >= 0 && !__builtin_mul_overflow (bytes, shape[i], &bytes);
    }
  entry.bytes = fits ? (guint64)bytes : 0;
  fits = fits && !__builtin_add_overflow (writer->described, entry.bytes, &writer->described)
         && writer->described <= G_MAXINT64;
  if (!fits && writer->mistake == NULL)
    writer->mistake = g_strdup_printf ("tensor %s has an impossible shape", name);
  if (!g_hash_table_add (writer->names, g_strdup (name)) && writer->mistake == NULL)
    writer->mistake = g_strdup_printf ("tensor %s is described twice", name);
  g_array_append_val (writer->entries, entry);
}

static const char *
dtype_name (FenDType dtype)
{
  static const char *const names[] = {
    [FEN_F32] = "F32", [FEN_BF16] = "BF16", [FEN_F16] = "F16",
    [FEN_F64] = "F64", [FEN_I32] = "I32",   [FEN_U8] = "U8",
  };
  return names[dtype];
}

static void
describe (FenJsonWriter *json, const Entry *entry, guint64 begin)
{
  fen_json_writer_begin_object (json, entry->name);
  fen_json_writer_string (json, "dtype", dtype_name (entry->dtype));
  fen_json_writer_begin_array (json, "shape");
  for (int i = 0; i < entry->rank; i++)
    fen_json_writer_int (json, NULL, entry->shape[i]);
  fen_json_writer_end_array (json);
  fen_json_writer_begin_array (json, "data_offsets");
  fen_json_writer_int (json, NULL, (gint64)begin);
  fen_json_writer_int (json, NULL, (gint64)(begin + entry->bytes));
  fen_json_writer_end_array (json);
  fen_json_writer_end_object (json);
}

static gboolean
write_header (FenSafetensorsWriter *writer, GError **error)
{
  if (writer->mistake != NULL)
    {
      g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS, "%s: %s", writer->path, writer->mistake);
      return FALSE;
    }
  g_autoptr (FenJsonWriter) json = fen_json_writer_new (0);
  fen_json_writer_begin_object (json, NULL);
  if (writer->metadata->len > 0)
    {
      fen_json_writer_begin_object (json, "__metadata__");
      for (guint i = 0; i < writer->metadata->len; i += 2)
        fen_json_writer_string (json, writer->metadata->pdata[i], writer->metadata->pdata[i + 1]);
      fen_json_writer_end_object (json);
    }
  guint64 begin = 0;
  for (guint i = 0; i < writer->entries->len; i++)
    {
      const Entry *entry = &g_array_index (writer->entries, Entry, i);
      describe (json, entry, begin);
      begin += entry->bytes;
    }
  fen_json_writer_end_object (json);
  gsize length;
  const char *text = fen_json_writer_text (json, &length);
  guint64 padding = (ALIGNMENT - length % ALIGNMENT) % ALIGNMENT, total = GUINT64_TO_LE (length + padding);
  writer->has_header = TRUE;
  return fen_file_writer_write (writer->out, &total, sizeof total, error)
         && fen_file_writer_write (writer->out, text, length, error)
         && fen_file_writer_write (writer->out, "        ", padding, error);
}

gboolean
fen_safetensors_writer_data (FenSafetensorsWriter *writer, const void *data, gsize bytes, GError **error)
{
  if (!writer->has_header && !write_header (writer, error))
    return FALSE;
  if (bytes > writer->described - writer->given)
    {
      g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS,
                   "%s: more data than the %" G_GUINT64_FORMAT " bytes described", writer->path,
                   writer->described);
      return FALSE;
    }
  writer->given += bytes;
  return fen_file_writer_write (writer->out, data, bytes, error);
}

gboolean
fen_safetensors_writer_commit (FenSafetensorsWriter *writer, char hash[33], GError **error)
{
  if (!writer->has_header && !write_header (writer, error))
    return FALSE;
  if (writer->given != writer->described)
    {
      g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS,
                   "%s: %" G_GUINT64_FORMAT " bytes of data were given, but %" G_GUINT64_FORMAT " described",
                   writer->path, writer->given, writer->described);
      return FALSE;
    }
  return fen_file_writer_commit (writer->out, hash, error);
}
