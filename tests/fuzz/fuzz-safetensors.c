/* The safetensors reader. Promises: no input crashes it; an error is one line; of a file that it accepts, every byte
 * of data belongs to exactly one tensor, every tensor is found by its name, and all of it can be read. */
#include "core/model/fen-model.h"
#include "core/model/fen-safetensors.h"
#include "tests/fuzz/fuzz-target.h"

#include <string.h>

static void
check_tensor (FenSafetensors *file, const FenTensor *tensor, const uint8_t *end)
{
  g_assert_true (fen_safetensors_find (file, tensor->name) == tensor);
  gint64 elements = 1;
  for (int i = 0; i < tensor->rank; i++)
    elements *= tensor->shape[i];
  g_assert_cmpint (elements, ==, tensor->elements);
  g_assert_cmpuint (tensor->bytes, ==, (guint64)elements * fen_dtype_size (tensor->dtype));
  g_assert_true ((const uint8_t *)tensor->data + tensor->bytes <= end);
  for (gint64 i = 0; i < elements; i++)
    {
      float value;
      if (!fen_tensor_read_f32 (tensor, i, 1, &value))
        memcpy (&value, (const uint8_t *)tensor->data + i, 1);
    }
  fen_safetensors_release (file, tensor, 0, tensor->bytes);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenSafetensors) file = fen_safetensors_parse (data, size, "fuzz", &error);
  g_assert_true ((file == NULL) == (error != NULL));
  if (file == NULL)
    {
      g_assert_true (error->domain == FEN_MODEL_ERROR);
      g_assert_null (strchr (error->message, '\n'));
      return 0;
    }
  gsize n_tensors;
  const FenTensor *tensors = fen_safetensors_tensors (file, &n_tensors);
  guint64 header, bytes = 0;
  memcpy (&header, data, sizeof header);
  for (gsize i = 0; i < n_tensors; i++)
    {
      check_tensor (file, &tensors[i], data + size);
      bytes += tensors[i].bytes;
      if (i > 0)
        g_assert_true (tensors[i].data == (const uint8_t *)tensors[i - 1].data + tensors[i - 1].bytes);
    }
  g_assert_cmpuint (8 + header + bytes, ==, size);
  fen_safetensors_metadata (file, "format");
  return 0;
}
