/* test-cpu-device.c: the CPU device around its operations: finding it, memory, threads, refusals, equal bits. */
#include "kernels/fen-backend.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

static FenDevice *
open_device (int threads)
{
  FenStatus status;
  FenDevice *device = fen_backend_cpu ()->open (0, &(FenDeviceOptions){ .threads = threads }, &status);
  if (device == NULL)
    g_error ("%s", status.message);
  return device;
}

static void
test_find (void)
{
  FenStatus status;
  g_assert_true (fen_backend_find ("cpu", &status) == fen_backend_cpu ());
  g_assert_cmpint (status.code, ==, FEN_STATUS_OK);
  g_assert_null (fen_backend_find ("tpu", &status));
  g_assert_cmpint (status.code, ==, FEN_STATUS_UNSUPPORTED);
  g_assert_nonnull (strstr (status.message, "tpu"));
  g_assert_null (fen_backend_find (NULL, &status));
}

/* A file that is no module, and a library that is no back end, give a reason instead of a crash. */
static void
test_find_bad_module (void)
{
  g_autofree char *folder = g_dir_make_tmp ("fenestra-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "libfenestra-cuda.so", NULL);
  FenStatus status;
  g_assert_true (g_file_set_contents (path, "this is not a library", -1, NULL));
  g_setenv ("FENESTRA_MODULE_DIR", folder, TRUE);
  const FenBackend *found = fen_backend_find ("cuda", &status);
  g_unsetenv ("FENESTRA_MODULE_DIR");
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  if (found != NULL) /* a real module lies beside this program */
    return;
  g_assert_cmpint (status.code, ==, FEN_STATUS_NO_DRIVER);
  g_assert_nonnull (strstr (status.message, "libfenestra-cuda.so"));
}

static void
test_properties (void)
{
  const FenBackend *cpu = fen_backend_cpu ();
  FenDeviceProperties properties;
  FenStatus status;
  g_assert_cmpint (cpu->device_count (&status), ==, 1);
  g_assert_true (cpu->device_properties (0, NULL, &properties, &status));
  g_assert_cmpint (properties.units, >=, 1);
  g_assert_cmpint (properties.units, <=, (int)g_get_num_processors ());
  g_assert_cmpuint (properties.total_bytes, >, 0);
  g_assert_cmpuint (properties.free_bytes, <=, properties.total_bytes);
  g_assert_true (properties.storage[FEN_BF16] && !properties.storage[FEN_F64]);
  g_assert_false (cpu->device_properties (1, NULL, &properties, &status));
  g_assert_cmpint (status.code, ==, FEN_STATUS_NO_DEVICE);
  g_assert_false (cpu->device_properties (0, &(FenDeviceOptions){ .threads = -1 }, &properties, &status));
  g_assert_false (cpu->device_properties (0, &(FenDeviceOptions){ .threads = 100000 }, &properties, &status));
  g_assert_nonnull (strstr (status.message, "100000"));
}

static void
test_isa (void)
{
  const FenBackend *cpu = fen_backend_cpu ();
  FenDeviceProperties properties;
  FenStatus status;
  g_setenv ("FENESTRA_CPU_ISA", "mmx", TRUE);
  g_assert_null (cpu->open (0, NULL, &status));
  g_assert_nonnull (strstr (status.message, "mmx"));
  g_setenv ("FENESTRA_CPU_ISA", "plain", TRUE);
  g_assert_true (cpu->device_properties (0, NULL, &properties, &status));
  g_assert_cmpint (properties.capability, ==, 128);
  g_unsetenv ("FENESTRA_CPU_ISA");
}

static void
test_memory (void)
{
  const FenBackend *cpu = fen_backend_cpu ();
  FenDevice *device = open_device (1);
  FenStatus status;
  guint64 used, total;
  g_assert_null (cpu->alloc (device, FEN_MEMORY_DEVICE, G_GUINT64_CONSTANT (1) << 55, &status));
  g_assert_cmpint (status.code, ==, FEN_STATUS_OUT_OF_MEMORY);
  g_assert_nonnull (strstr (status.message, "36028797018963968"));
  g_assert_null (cpu->alloc (device, FEN_MEMORY_DEVICE, G_MAXUINT64, &status));
  static const guint64 sizes[] = { 0, 1, 4097, 3 << 20 };
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      char *memory = cpu->alloc (device, FEN_MEMORY_PINNED_HOST, sizes[i], &status);
      g_assert_nonnull (memory);
      g_assert_cmpuint ((gsize)memory % 256, ==, 0);
      if (sizes[i] > 0)
        memory[0] = memory[sizes[i] - 1] = 1;
      cpu->free (device, FEN_MEMORY_PINNED_HOST, memory, sizes[i]);
    }
  g_assert_true (cpu->memory_info (device, &used, &total));
  g_assert_cmpuint (used, <=, total);
  cpu->close (device);
}

/* A refused call writes nothing and is the message of the next `check`, once. */
static void
test_refusal (void)
{
  const FenBackend *cpu = fen_backend_cpu ();
  FenDevice *device = open_device (2);
  FenStatus status;
  float c[4] = { 7, 7, 7, 7 };
  const FenGemm wrong
      = { .m = 2, .n = 2, .k = 2, .a = c, .b = c, .c = c, .lda = 1, .ldb = 2, .ldc = 2, .alpha = 1 };
  cpu->gemm (device, NULL, &wrong);
  g_assert_cmpint (cpu->check (device, &status), ==, FEN_STATUS_UNSUPPORTED);
  g_assert_nonnull (strstr (status.message, "lda = 1"));
  g_assert_cmpfloat (c[0], ==, 7);
  g_assert_cmpint (cpu->check (device, &status), ==, FEN_STATUS_OK);
  const FenAdd wide = { .n = 1, .dtype = FEN_F64, .x = c, .y = c };
  g_assert_false (cpu->supports (NULL, FEN_OP_ADD, &wide, &status));
  g_assert_nonnull (strstr (status.message, "BF16"));
  cpu->close (device);
}

/* Reductions are cut by shape alone: equal bits for any number of threads. */
static void
test_equal_bits (void)
{
  enum { ROWS = 1000, WIDTH = 300 };
  const FenBackend *cpu = fen_backend_cpu ();
  g_autofree float *x = g_new (float, ROWS *WIDTH);
  float first[WIDTH];
  double first_sum = 0;
  for (int i = 0; i < ROWS * WIDTH; i++)
    x[i] = (float)((gint64)i * 7919 % 10007) / 1000;
  for (int threads = 1; threads <= 5; threads++)
    {
      FenDevice *device = open_device (threads);
      FenDeviceProperties properties;
      FenStatus status;
      float d_bias[WIDTH] = { 0 };
      double sum = 0;
      FenBiasGradient bias = { ROWS, WIDTH, WIDTH, FEN_F32, x, d_bias, NULL };
      FenSum squares = { ROWS * WIDTH, FEN_F32, x, &sum, NULL };
      cpu->device_properties (0, &(FenDeviceOptions){ .threads = threads }, &properties, &status);
      g_autofree void *bias_space
          = g_malloc (cpu->workspace_bytes (&properties, FEN_OP_BIAS_GRADIENT, &bias));
      g_autofree void *sum_space
          = g_malloc (cpu->workspace_bytes (&properties, FEN_OP_SUM_SQUARES, &squares));
      bias.workspace = bias_space;
      squares.workspace = sum_space;
      cpu->bias_gradient (device, NULL, &bias);
      cpu->sum_squares (device, NULL, &squares);
      if (threads == 1)
        {
          memcpy (first, d_bias, sizeof first);
          first_sum = sum;
        }
      g_assert_cmpmem (first, sizeof first, d_bias, sizeof d_bias);
      g_assert_cmpmem (&first_sum, sizeof sum, &sum, sizeof sum);
      cpu->close (device);
    }
}

/* Many short sections, with pauses that let the workers fall asleep: every element is added exactly once. */
static void
test_sections (void)
{
  enum { N = 100000, ROUNDS = 400 };
  const FenBackend *cpu = fen_backend_cpu ();
  FenDevice *device = open_device (4);
  g_autofree float *x = g_new (float, N), *y = g_new0 (float, N);
  for (int i = 0; i < N; i++)
    x[i] = 1;
  for (int round = 0; round < ROUNDS; round++)
    {
      cpu->add (device, NULL, &(FenAdd){ N, FEN_F32, x, y });
      if (round % 40 == 0)
        g_usleep (500);
    }
  for (int i = 0; i < N; i++)
    g_assert_cmpfloat (y[i], ==, ROUNDS);
  cpu->close (device);
}

/* Devices of different threads multiply at the same time: OpenBLAS's settings are the process's. */
static gpointer
multiply (gpointer data)
{
  enum { N = 150 };
  const FenBackend *cpu = fen_backend_cpu ();
  FenDevice *device = open_device (2);
  g_autofree float *a = g_new (float, N *N), *c = g_new (float, N *N);
  for (int i = 0; i < N * N; i++)
    a[i] = (float)GPOINTER_TO_INT (data);
  for (int round = 0; round < 20; round++)
    {
      const FenGemm p
          = { .m = N, .n = N, .k = N, .a = a, .b = a, .c = c, .lda = N, .ldb = N, .ldc = N, .alpha = 1 };
      cpu->gemm (device, NULL, &p);
      for (int i = 0; i < N * N; i++)
        if (c[i] != a[0] * a[0] * N)
          g_error ("product of a device disturbed by another's");
    }
  cpu->close (device);
  return NULL;
}

static void
test_devices (void)
{
  GThread *threads[3];
  for (int i = 0; i < 3; i++)
    threads[i] = g_thread_new ("device", multiply, GINT_TO_POINTER (i + 1));
  for (int i = 0; i < 3; i++)
    g_thread_join (threads[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cpu-device/find", test_find);
  g_test_add_func ("/cpu-device/find-bad-module", test_find_bad_module);
  g_test_add_func ("/cpu-device/properties", test_properties);
  g_test_add_func ("/cpu-device/isa", test_isa);
  g_test_add_func ("/cpu-device/memory", test_memory);
  g_test_add_func ("/cpu-device/refusal", test_refusal);
  g_test_add_func ("/cpu-device/equal-bits", test_equal_bits);
  g_test_add_func ("/cpu-device/sections", test_sections);
  g_test_add_func ("/cpu-device/devices", test_devices);
  return g_test_run ();
}
