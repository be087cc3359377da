/* fen-safetensors.c: reading the safetensors format (see fen-safetensors.h).
 *
 * The header comes from strangers. Everything a tensor claims is checked before its pointer is handed out: after
 * fen_safetensors_open, `data` and `bytes` of every tensor lie inside the file and tensors share no byte. The file
 * is mapped, not read: a model larger than memory opens, and a page is read when its values are.
 */
#include "core/model/fen-safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fen-error.h"
#include "core/base/fen-json.h"
#include "core/model/fen-float-private.h"
#include "core/model/fen-model-private.h"

#if G_BYTE_ORDER != G_LITTLE_ENDIAN
#error "safetensors data is little-endian and is used in place"
#endif

#define LENGTH_BYTES 8                /* of the field that says how long the header is */
#define MAX_HEADER_BYTES (100u << 20) /* the format's own limit is 100,000,000 */
#define MAX_TENSORS 262144
#define MAX_DIMENSION ((gint64)1 << 48)

struct _FenSafetensors {
  GMappedFile *mapped; /* NULL when parsed from memory */
  const guint8 *data;  /* behind the header */
  guint64 data_bytes;
  char *source;
  JsonNode *root;       /* owns the names */
  JsonObject *metadata; /* in root, or NULL */
  FenTensor *tensors;   /* in the order of their data */
  gsize n_tensors;
  GHashTable *by_name; /* name -> FenTensor in `tensors` */
};

/* BOOL is one byte of 0 or 1. What the table lacks (I64, F8_E4M3, ...) has no place in a model that we train. */
static const struct {
  const char *name;
  FenDType dtype;
} dtype_names[] = {
  { "F32", FEN_F32 }, { "BF16", FEN_BF16 }, { "F16", FEN_F16 }, { "F64", FEN_F64 },
  { "I32", FEN_I32 }, { "U8", FEN_U8 },     { "BOOL", FEN_U8 },
};

static gboolean
read_dtype (JsonObject *object, const char *where, FenDType *dtype, GError **error)
{
  const char *name = NULL;
  if (!fen_json_get_string (object, where, "dtype", TRUE, &name, error))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (dtype_names); i++)
    if (strcmp (dtype_names[i].name, name) == 0)
      {
        *dtype = dtype_names[i].dtype;
        return TRUE;
      }
  g_autofree char *quoted = fen_error_quote (name);
  g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS,
               "%s: dtype is %s; allowed: F32, BF16, F16, F64, I32, U8, BOOL", where, quoted);
  return FALSE;
}

/* An integer of 0 to max at `index` of an array. */
static gboolean
read_element (JsonArray *array, guint index, const char *where, const char *key, gint64 max, gint64 *value,
              GError **error)
{
  JsonNode *node = json_array_get_element (array, index);
  if (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_INT64)
    {
      *value = json_node_get_int (node);
      if (*value >= 0 && *value <= max)
        return TRUE;
    }
  g_autoptr (FenJsonWriter) writer = fen_json_writer_new (0);
  fen_json_writer_node (writer, NULL, node);
  g_autofree char *found = g_strndup (fen_json_writer_text (writer, NULL), 60);
  g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS,
               "%s: %s[%u] is %s; allowed: an integer of 0 to %" G_GINT64_FORMAT, where, key, index, found,
               max);
  return FALSE;
}

static gboolean
read_shape (JsonObject *object, const char *where, FenTensor *tensor, GError **error)
{
  JsonArray *shape = NULL;
  if (!fen_json_get_array (object, where, "shape", TRUE, &shape, error))
    return FALSE;
  guint rank = json_array_get_length (shape);
  if (rank > FEN_TENSOR_MAX_RANK)
    {
      g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS,
                   "%s: shape has %u dimensions; allowed: up to %d", where, rank, FEN_TENSOR_MAX_RANK);
      return FALSE;
    }
  tensor->rank = (int)rank;
  tensor->elements = 1;
  for (guint i = 0; i < rank; i++)
    if (!read_element (shape, i, where, "shape", MAX_DIMENSION, &tensor->shape[i], error))
      return FALSE;
  gboolean fits = TRUE;
  for (guint i = 0; i < rank; i++)
    fits = fits && !__builtin_mul_overflow (tensor->elements, tensor->shape[i], &tensor->elements);
  gint64 bytes = 0;
  fits = fits && !__builtin_mul_overflow (tensor->elements, (gint64)fen_dtype_size (tensor->dtype), &bytes);
  tensor->bytes = (guint64)bytes;
  if (!fits)
    g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS,
                 "%s: shape has more than 2^63 elements or bytes", where);
  return fits;
}

static gboolean
read_offsets (FenSafetensors *file, JsonObject *object, const char *where, FenTensor *tensor, GError **error)
{
  JsonArray *offsets = NULL;
  if (!fen_json_get_array (object, where, "data_offsets", TRUE, &offsets, error))
    return FALSE;
  if (json_array_get_length (offsets) != 2)
    {
      g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS,
                   "%s: data_offsets has %u numbers; allowed: 2, [begin, end]", where,
                   json_array_get_length (offsets));
      return FALSE;
    }
  gint64 begin = 0, end = 0;
  if (!read_element (offsets, 0, where, "data_offsets", (gint64)file->data_bytes, &begin, error)
      || !read_element (offsets, 1, where, "data_offsets", (gint64)file->data_bytes, &end, error))
    return FALSE;
  if (end < begin || (guint64)(end - begin) != tensor->bytes)
    {
      g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS,
                   "%s: data_offsets [%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT "] hold %" G_GINT64_FORMAT
                   " bytes, but its dtype and shape need %" G_GUINT64_FORMAT,
                   where, begin, end, end - begin, tensor->bytes);
      return FALSE;
    }
  tensor->data = file->data + begin;
  return TRUE;
}

static gboolean
read_tensor (FenSafetensors *file, const char *name, JsonNode *node, FenTensor *tensor, GError **error)
{
  g_autofree char *quoted = fen_error_quote (name);
  g_autofree char *where = g_strdup_printf ("%s: tensor %s", file->source, quoted);
  tensor->name = name;
  JsonObject *object = fen_json_root_object (node, where, error);
  return object != NULL && read_dtype (object, where, &tensor->dtype, error)
         && read_shape (object, where, tensor, error) && read_offsets (file, object, where, tensor, error);
}

static gboolean
read_metadata (FenSafetensors *file, JsonNode *node, GError **error)
{
  g_autofree char *where = g_strdup_printf ("%s: __metadata__", file->source);
  file->metadata = fen_json_root_object (node, where, error);
  if (file->metadata == NULL)
    return FALSE;
  JsonObjectIter iter;
  const char *key;
  JsonNode *value;
  json_object_iter_init (&iter, file->metadata);
  while (json_object_iter_next (&iter, &key, &value))
    if (!JSON_NODE_HOLDS_VALUE (value) || json_node_get_value_type (value) != G_TYPE_STRING)
      {
        g_autofree char *quoted = fen_error_quote (key);
        g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS, "%s: %s must be a string", where,
                     quoted);
        return FALSE;
      }
  return TRUE;
}

static int
compare_data (const void *a, const void *b)
{
  const FenTensor *x = a, *y = b;
  if (x->data != y->data)
    return (const guint8 *)x->data < (const guint8 *)y->data ? -1 : 1;
  return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

/* Sorts the tensors by place; they must fill the data exactly: no overlaps, no gaps, nothing behind the last. */
static gboolean
check_places (FenSafetensors *file, GError **error)
{
  if (file->n_tensors > 0)
    qsort (file->tensors, file->n_tensors, sizeof (FenTensor), compare_data);
  guint64 expected = 0;
  for (gsize i = 0; i < file->n_tensors; i++)
    {
      const FenTensor *tensor = &file->tensors[i];
      guint64 begin = (guint64)((const guint8 *)tensor->data - file->data);
      if (begin != expected)
        {
          g_autofree char *quoted = fen_error_quote (tensor->name);
          g_autofree char *before
              = i > 0 ? fen_error_quote (file->tensors[i - 1].name) : g_strdup ("the header");
          g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS,
                       "%s: tensor %s begins at byte %" G_GUINT64_FORMAT
                       " of the data, but %s ends at %" G_GUINT64_FORMAT ": %s are not allowed",
                       file->source, quoted, begin, before, expected, begin < expected ? "overlaps" : "gaps");
          return FALSE;
        }
      expected = begin + tensor->bytes;
    }
  if (expected != file->data_bytes)
    {
      g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS,
                   "%s: %" G_GUINT64_FORMAT " bytes of data, but the tensors end at %" G_GUINT64_FORMAT,
                   file->source, file->data_bytes, expected);
      return FALSE;
    }
  return TRUE;
}

static gboolean
read_header (FenSafetensors *file, JsonObject *header, GError **error)
{
  guint members = json_object_get_size (header);
  if (members > MAX_TENSORS)
    {
      g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS, "%s: %u tensors; allowed: up to %d",
                   file->source, members, MAX_TENSORS);
      return FALSE;
    }
  file->tensors = g_new0 (FenTensor, MAX (members, 1));
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;
  json_object_iter_init (&iter, header);
  while (json_object_iter_next (&iter, &name, &node))
    {
      if (strcmp (name, "__metadata__") == 0)
        {
          if (!read_metadata (file, node, error))
            return FALSE;
        }
      else if (!read_tensor (file, name, node, &file->tensors[file->n_tensors++], error))
        return FALSE;
    }
  if (!check_places (file, error))
    return FALSE;
  for (gsize i = 0; i < file->n_tensors; i++)
    g_hash_table_insert (file->by_name, (gpointer)file->tensors[i].name, &file->tensors[i]);
  return TRUE;
}

/* The header as text, its length checked; NULL on error. */
static const char *
find_header (const guint8 *bytes, gsize size, const char *source, gsize *length, GError **error)
{
  guint64 said = 0;
  if (size < LENGTH_BYTES)
    {
      g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS,
                   "%s: not a safetensors file: %" G_GSIZE_FORMAT " bytes; allowed: 10 and up", source, size);
      return NULL;
    }
  memcpy (&said, bytes, LENGTH_BYTES);
  guint64 most = MIN (size - LENGTH_BYTES, MAX_HEADER_BYTES);
  if (said < 2 || said > most)
    {
      g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS,
                   "%s: not a safetensors file or cut short: its header length is %" G_GUINT64_FORMAT
                   "; allowed: 2 to %" G_GUINT64_FORMAT " in a file of %" G_GSIZE_FORMAT " bytes",
                   source, said, most, size);
      return NULL;
    }
  if (bytes[LENGTH_BYTES] != '{')
    {
      g_set_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS,
                   "%s: not a safetensors file: its header begins with byte 0x%02X; allowed: {", source,
                   bytes[LENGTH_BYTES]);
      return NULL;
    }
  *length = (gsize)said;
  return (const char *)bytes + LENGTH_BYTES;
}

/* Takes over `mapped`. */
static FenSafetensors *
parse (const void *data, gsize bytes, const char *source, GMappedFile *mapped, GError **error)
{
  g_autoptr (FenSafetensors) file = g_new0 (FenSafetensors, 1);
  file->mapped = mapped;
  file->source = g_strdup (source);
  file->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  gsize length;
  const char *text = find_header (data, bytes, source, &length, error);
  if (text == NULL)
    return NULL;
  file->data = (const guint8 *)text + length;
  file->data_bytes = bytes - LENGTH_BYTES - length;
  g_autofree char *where = g_strdup_printf ("%s: header", source);
  GError *inner = NULL;
  file->root = fen_json_parse (text, length, where, MAX_HEADER_BYTES, &inner);
  JsonObject *header = file->root != NULL ? fen_json_root_object (file->root, where, &inner) : NULL;
  if (header == NULL || !read_header (file, header, &inner))
    {
      fen_model_claim_error (error, FEN_MODEL_ERROR_TENSORS, inner);
      return NULL;
    }
  return g_steal_pointer (&file);
}

FenSafetensors *
fen_safetensors_parse (const void *data, gsize bytes, const char *source, GError **error)
{
  return parse (data, bytes, source, NULL, error);
}

FenSafetensors *
fen_safetensors_open (const char *path, GError **error)
{
  /* O_NONBLOCK: a pipe of that name must not hang us. */
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status;
  if (fd < 0 || fstat (fd, &status) != 0 || !S_ISREG (status.st_mode))
    {
      int errnum = fd < 0 ? errno : EINVAL;
      fen_error_set_errno (error, errnum, path, fd < 0 ? "cannot open" : "not a regular file");
      if (fd >= 0)
        close (fd);
      return NULL;
    }
  GMappedFile *mapped = g_mapped_file_new_from_fd (fd, FALSE, error);
  close (fd);
  if (mapped == NULL)
    {
      g_prefix_error (error, "%s: ", path);
      return NULL;
    }
  return parse (g_mapped_file_get_contents (mapped), g_mapped_file_get_length (mapped), path, mapped, error);
}

void
fen_safetensors_free (FenSafetensors *file)
{
  if (file == NULL)
    return;
  g_clear_pointer (&file->by_name, g_hash_table_unref);
  g_clear_pointer (&file->root, json_node_unref);
  g_clear_pointer (&file->mapped, g_mapped_file_unref);
  g_free (file->tensors);
  g_free (file->source);
  g_free (file);
}

const FenTensor *
fen_safetensors_tensors (FenSafetensors *file, gsize *n_tensors)
{
  *n_tensors = file->n_tensors;
  return file->tensors;
}

const FenTensor *
fen_safetensors_find (FenSafetensors *file, const char *name)
{
  return g_hash_table_lookup (file->by_name, name);
}

const char *
fen_safetensors_metadata (FenSafetensors *file, const char *key)
{
  if (file->metadata == NULL || !json_object_has_member (file->metadata, key))
    return NULL;
  return json_object_get_string_member (file->metadata, key);
}

const char *
fen_safetensors_source (FenSafetensors *file)
{
  return file->source;
}

void
fen_safetensors_release (FenSafetensors *file, const FenTensor *tensor, guint64 first, guint64 bytes)
{
  g_return_if_fail (first <= tensor->bytes && bytes <= tensor->bytes - first);
  if (file->mapped == NULL || bytes == 0)
    return;
  /* The page at the beginning whole, so that ranges read one after the other leave none; its neighbour's values, when
   * somebody needs them, come back from the page cache. */
  guintptr page = (guintptr)sysconf (_SC_PAGESIZE);
  guintptr begin = ((guintptr)tensor->data + first) & ~(page - 1);
  guintptr end = ((guintptr)tensor->data + first + bytes) & ~(page - 1);
  if (end > begin)
    madvise ((void *)begin, end - begin, MADV_DONTNEED);
}

gboolean
fen_tensor_read_f32 (const FenTensor *tensor, gint64 first, gint64 n, float *values)
{
  g_return_val_if_fail (first >= 0 && n >= 0 && n <= tensor->elements - first, FALSE);
  const guint8 *from = (const guint8 *)tensor->data + (gsize)first * fen_dtype_size (tensor->dtype);
  switch (tensor->dtype)
    {
    case FEN_F32:
      if (n > 0)
        memcpy (values, from, (gsize)n * sizeof (float));
      return TRUE;
    case FEN_BF16:
    case FEN_F16:
      for (gint64 i = 0; i < n; i++)
        {
          guint16 half;
          memcpy (&half, from + 2 * i, sizeof half); /* the data may be unaligned */
          values[i] = tensor->dtype == FEN_BF16 ? fen_float_from_bf16 (half) : fen_float_from_f16 (half);
        }
      return TRUE;
    case FEN_F64:
      for (gint64 i = 0; i < n; i++)
        {
          double wide;
          memcpy (&wide, from + 8 * i, sizeof wide);
          values[i] = (float)wide;
        }
      return TRUE;
    case FEN_I32:
    case FEN_U8:
      break;
    }
  return FALSE;
}
