/* fen-safetensors.h: the safetensors format, read from strangers and written atomically.
 *
 * Format: 8 bytes little-endian header length N, N bytes of JSON {name: {dtype, shape, data_offsets: [begin, end]},
 * "__metadata__": {string: string}}, then the data. https://github.com/huggingface/safetensors
 *
 * A reader maps the file and checks everything before it hands out a pointer: header length against the file and
 * against 100 MB, JSON depth, names, dtypes, shapes without overflow, end - begin == elements * size, ranges inside
 * the file, no overlaps, no gaps. Errors are FEN_MODEL_ERROR_TENSORS and name file, tensor and value.
 */
#pragma once

#include <gio/gio.h>
#include "kernels/fen-backend.h"

G_BEGIN_DECLS

#define FEN_TENSOR_MAX_RANK 8

typedef struct {
  const char *name;
  FenDType dtype; /* F32, BF16, F16, F64, I32, U8 (also BOOL) */
  int rank;
  gint64 shape[FEN_TENSOR_MAX_RANK];
  gint64 elements;
  const void *data; /* in the mapped file; little-endian; may be unaligned */
  guint64 bytes;
} FenTensor;

typedef struct _FenSafetensors FenSafetensors;

FenSafetensors *fen_safetensors_open (const char *path, GError **error);
/* The same checks on bytes in memory, which must outlive the result (for tests and fuzzing). */
FenSafetensors *fen_safetensors_parse (const void *data, gsize bytes, const char *source, GError **error);
void fen_safetensors_free (FenSafetensors *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenSafetensors, fen_safetensors_free)

const FenTensor *fen_safetensors_tensors (FenSafetensors *file, gsize *n_tensors);
const FenTensor *fen_safetensors_find (FenSafetensors *file, const char *name); /* NULL when not there */
const char *fen_safetensors_metadata (FenSafetensors *file, const char *key);   /* NULL when not there */

/* The path (or the name given to parse), for error messages; owned by the file. */
const char *fen_safetensors_source (FenSafetensors *file);
/* Gives back the memory of the tensor's bytes [first, first + bytes) after they were read, so that a model's files do
 * not stay resident beside its weights; reading them again is allowed and reads the disk again. */
void fen_safetensors_release (FenSafetensors *file, const FenTensor *tensor, guint64 first, guint64 bytes);

/* Converts a tensor's elements [first, first + n) to fp32. FALSE for integer types. */
gboolean fen_tensor_read_f32 (const FenTensor *tensor, gint64 first, gint64 n, float *values);

/* Writing: describe all tensors, then give their bytes in the same order. Atomic through fen-io. */
typedef struct _FenSafetensorsWriter FenSafetensorsWriter;

FenSafetensorsWriter *fen_safetensors_writer_new (const char *path, GError **error);
void fen_safetensors_writer_set_metadata (FenSafetensorsWriter *writer, const char *key, const char *value);
void fen_safetensors_writer_add (FenSafetensorsWriter *writer, const char *name, FenDType dtype, int rank,
                                 const gint64 *shape);
/* Appends data of the tensors in the order of `add`; any piece sizes. */
gboolean fen_safetensors_writer_data (FenSafetensorsWriter *writer, const void *data, gsize bytes,
                                      GError **error);
/* Fails when the data given is not exactly what was described. `hash`: XXH3-128 of the file in hex, or NULL. */
gboolean fen_safetensors_writer_commit (FenSafetensorsWriter *writer, char hash[33], GError **error);
void fen_safetensors_writer_free (FenSafetensorsWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenSafetensorsWriter, fen_safetensors_writer_free)

G_END_DECLS
