/* test-cuda-device.c: the CUDA back end around its operations. On a machine without a card, a driver or the module:
 * that each question is answered with a reason in words. With a card: memory, copies, order, refusals. */
#include "kernels/fen-backend.h"

#include <glib.h>
#include <string.h>

#define WRONG_INDEX 77

/* The back end; NULL when the machine has no device for it, with the reason, which is checked here. */
static const FenBackend *
find (FenStatus *status)
{
  const FenBackend *cuda = fen_backend_find ("cuda", status);
  if (cuda != NULL && cuda->device_count (status) > 0)
    return cuda;
  g_test_message ("%s", status->message);
  g_assert_true (status->code == FEN_STATUS_NO_DRIVER || status->code == FEN_STATUS_NO_DEVICE);
  g_assert_cmpuint (strlen (status->message), >, 10);
  g_assert_null (strchr (status->message, '\n'));
  return NULL;
}

static FenDevice *
open_device (const FenBackend *cuda)
{
  FenStatus status;
  FenDevice *device = cuda->open (0, NULL, &status);
  if (device == NULL)
    g_error ("%s", status.message);
  return device;
}

/* A module that is there answers properties and open with words too, and not only the count. */
static void
test_none (void)
{
  FenStatus status = { 0 };
  FenDeviceProperties properties;
  if (find (&status) != NULL)
    {
      g_test_skip ("this machine has a device");
      return;
    }
  const FenBackend *cuda = fen_backend_find ("cuda", &status);
  if (cuda == NULL)
    {
      g_assert_nonnull (strstr (status.message, "libfenestra-cuda.so"));
      return;
    }
  g_assert_false (cuda->device_properties (0, NULL, &properties, &status));
  g_assert_cmpuint (strlen (status.message), >, 10);
  g_assert_null (cuda->open (0, NULL, &status));
  g_assert_cmpuint (strlen (status.message), >, 10);
}

static void
test_index (void)
{
  FenStatus status = { 0 };
  FenDeviceProperties properties;
  const FenBackend *cuda = find (&status);
  if (cuda == NULL)
    {
      g_test_skip (status.message);
      return;
    }
  g_assert_false (cuda->device_properties (WRONG_INDEX, NULL, &properties, &status));
  g_assert_cmpint (status.code, ==, FEN_STATUS_NO_DEVICE);
  g_assert_nonnull (strstr (status.message, "cuda:77"));
  g_assert_false (cuda->device_properties (-1, NULL, &properties, &status));
  g_assert_null (cuda->open (WRONG_INDEX, NULL, &status));
  g_assert_nonnull (strstr (status.message, "cuda:77"));
}

static void
test_properties (void)
{
  FenStatus status = { 0 };
  const FenBackend *cuda = find (&status);
  if (cuda == NULL)
    {
      g_test_skip (status.message);
      return;
    }
  for (int i = 0; i < cuda->device_count (&status); i++)
    {
      FenDeviceProperties properties;
      if (!cuda->device_properties (i, NULL, &properties, &status))
        g_error ("%s", status.message);
      g_assert_cmpint (properties.index, ==, i);
      g_assert_cmpstr (properties.kind, ==, "cuda");
      g_assert_cmpuint (strlen (properties.name), >, 3);
      g_assert_cmpuint (properties.total_bytes, >, properties.free_bytes);
      g_assert_cmpuint (properties.overhead_bytes, <, properties.total_bytes / 4);
      g_assert_cmpint (properties.units, >, 0);
      g_assert_cmpint (properties.capability, >=, 80);
      g_assert_true (properties.storage[FEN_BF16] && !properties.storage[FEN_F64] && !properties.host_memory);
    }
}

static void
test_memory (void)
{
  FenStatus status = { 0 };
  guint64 before, used, total;
  const FenBackend *cuda = find (&status);
  if (cuda == NULL)
    {
      g_test_skip (status.message);
      return;
    }
  FenDevice *device = open_device (cuda);
  g_assert_null (cuda->alloc (device, FEN_MEMORY_DEVICE, G_GUINT64_CONSTANT (1) << 50, &status));
  g_assert_cmpint (status.code, ==, FEN_STATUS_OUT_OF_MEMORY);
  g_assert_nonnull (strstr (status.message, "1073741824.0 MiB"));
  g_assert_cmpint (cuda->check (device, &status), ==, FEN_STATUS_OK); /* told once, by `alloc` */
  g_assert_true (cuda->memory_info (device, &before, &total));
  void *memory = cuda->alloc (device, FEN_MEMORY_DEVICE, 64 << 20, &status);
  g_assert_nonnull (memory);
  g_assert_cmpuint ((gsize)memory % 256, ==, 0);
  g_assert_true (cuda->memory_info (device, &used, &total));
  g_assert_cmpuint (used, <=, total);
  cuda->free (device, FEN_MEMORY_DEVICE, memory, 64 << 20);
  cuda->close (device);
}

/* A copy on one stream, read on another that waits for its event; pageable memory may be reused at once. */
static void
test_streams (void)
{
  enum { N = 1 << 20 };
  FenStatus status = { 0 };
  const FenBackend *cuda = find (&status);
  if (cuda == NULL)
    {
      g_test_skip (status.message);
      return;
    }
  FenDevice *device = open_device (cuda);
  FenStream *one = cuda->stream_new (device, &status), *two = cuda->stream_new (device, &status);
  FenEvent *event = cuda->event_new (device, &status);
  gint32 *there = cuda->alloc (device, FEN_MEMORY_DEVICE, N * 4, &status);
  gint32 *pinned = cuda->alloc (device, FEN_MEMORY_PINNED_HOST, N * 4, &status);
  g_autofree gint32 *here = g_new (gint32, N), *back = g_new0 (gint32, N);
  g_assert_true (one != NULL && two != NULL && event != NULL && there != NULL && pinned != NULL);
  for (int round = 0; round < 5; round++)
    {
      for (int i = 0; i < N; i++)
        here[i] = i * 7 + round;
      cuda->copy (device, one, there, here, N * 4);
      memset (here, 0xff, N * 4);
      cuda->event_record (device, one, event);
      cuda->stream_wait (device, two, event);
      cuda->copy (device, two, pinned, there, N * 4);
      cuda->event_record (device, two, event);
      cuda->event_synchronize (device, event);
      for (int i = 0; i < N; i++)
        g_assert_cmpint (pinned[i], ==, i * 7 + round);
      cuda->copy (device, two, back, there, N * 4);
      cuda->synchronize (device, two);
      g_assert_cmpmem (back, N * 4, pinned, N * 4);
    }
  g_assert_cmpint (cuda->check (device, &status), ==, FEN_STATUS_OK);
  cuda->free (device, FEN_MEMORY_PINNED_HOST, pinned, N * 4);
  cuda->free (device, FEN_MEMORY_DEVICE, there, N * 4);
  cuda->event_free (device, event);
  cuda->stream_free (device, one);
  cuda->stream_free (device, two);
  cuda->close (device);
}

/* A refused call writes nothing and is the message of the next `check`, once. */
static void
test_refusal (void)
{
  FenStatus status = { 0 };
  const FenBackend *cuda = find (&status);
  if (cuda == NULL)
    {
      g_test_skip (status.message);
      return;
    }
  FenDevice *device = open_device (cuda);
  float c[4] = { 7, 7, 7, 7 }, back[4];
  float *memory = cuda->alloc (device, FEN_MEMORY_DEVICE, sizeof c, &status);
  const FenGemm wrong = {
    .m = 2, .n = 2, .k = 2, .a = memory, .b = memory, .c = memory, .lda = 1, .ldb = 2, .ldc = 2, .alpha = 1
  };
  cuda->copy (device, NULL, memory, c, sizeof c);
  cuda->gemm (device, NULL, &wrong);
  cuda->copy (device, NULL, back, memory, sizeof back);
  cuda->synchronize (device, NULL);
  g_assert_cmpint (cuda->check (device, &status), ==, FEN_STATUS_UNSUPPORTED);
  g_assert_nonnull (strstr (status.message, "lda = 1"));
  g_assert_cmpmem (c, sizeof c, back, sizeof back);
  g_assert_cmpint (cuda->check (device, &status), ==, FEN_STATUS_OK);
  cuda->free (device, FEN_MEMORY_DEVICE, memory, sizeof c);
  cuda->close (device);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cuda-device/none", test_none);
  g_test_add_func ("/cuda-device/index", test_index);
  g_test_add_func ("/cuda-device/properties", test_properties);
  g_test_add_func ("/cuda-device/memory", test_memory);
  g_test_add_func ("/cuda-device/streams", test_streams);
  g_test_add_func ("/cuda-device/refusal", test_refusal);
  return g_test_run ();
}
