/* fen-op-harness.c: see the header. */
#include "tests/kernels/fen-op-harness.h"
#include "kernels/reference/fen-reference-private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GUARD 64 /* elements: keeps element 0 aligned to 256 bytes for 4-byte types and to 64 for the least */

static char *backend_name = NULL;
static gint64 seed = 0;

typedef struct {
  char *name;
  FenOpCase body;
  gconstpointer data;
  const char *isa; /* CPU only */
  int threads;     /* CPU only */
} Variant;

/* ---- random numbers: splitmix64, so that a seed means the same everywhere ---- */

static guint64
next_random (FenOpHarness *h)
{
  guint64 z = h->random += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return z ^ (z >> 31);
}

double
fen_op_uniform (FenOpHarness *h)
{
  return (double)(next_random (h) >> 11) * 0x1p-53;
}

double
fen_op_normal (FenOpHarness *h)
{
  const double radius = sqrt (-2 * log (1 - fen_op_uniform (h)));
  return radius * cos (2 * G_PI * fen_op_uniform (h));
}

/* ---- values ---- */

double
fen_op_value (FenDType dtype, gconstpointer base, gint64 i)
{
  return fen_reference_get (dtype, base, i);
}

void
fen_op_set (FenDType dtype, gpointer base, gint64 i, double value)
{
  fen_reference_set (dtype, base, i, value);
}

const char *
fen_op_dtype_name (FenDType dtype)
{
  static const char *const names[] = { "f32", "bf16", "f16", "f64", "i32", "u8" };
  return names[dtype];
}

/* ---- tensors ---- */

FenOpTensor *
fen_op_tensor (FenOpHarness *h, FenDType dtype, gint64 n)
{
  FenOpTensor *t = g_new0 (FenOpTensor, 1);
  FenStatus status;
  t->dtype = dtype;
  t->n = n;
  t->skew = h->skew;
  t->bytes = (gsize)(n + 2 * GUARD) * fen_dtype_size (dtype);
  t->host = g_malloc (t->bytes);
  t->before = g_malloc (t->bytes);
  t->device = h->backend->alloc (h->device, FEN_MEMORY_DEVICE, t->bytes, &status);
  if (t->device == NULL)
    g_error ("%s: %s", h->name->str, status.message);
  memset (t->host, 0xff, t->bytes);
  g_ptr_array_add (h->tensors, t);
  return t;
}

gpointer
fen_op_host (const FenOpTensor *t)
{
  return t == NULL ? NULL : (char *)t->host + (gsize)(GUARD - t->skew) * fen_dtype_size (t->dtype);
}

gpointer
fen_op_device (const FenOpTensor *t)
{
  return t == NULL ? NULL : (char *)t->device + (gsize)(GUARD - t->skew) * fen_dtype_size (t->dtype);
}

FenOpTensor *
fen_op_random (FenOpHarness *h, FenDType dtype, gint64 n, double mean, double deviation)
{
  FenOpTensor *t = fen_op_tensor (h, dtype, n);
  for (gint64 i = 0; i < n; i++)
    fen_op_set (dtype, fen_op_host (t), i, mean + deviation * fen_op_normal (h));
  return t;
}

FenOpTensor *
fen_op_integers (FenOpHarness *h, gint64 n, gint64 low, gint64 bound)
{
  FenOpTensor *t = fen_op_tensor (h, FEN_I32, n);
  for (gint64 i = 0; i < n; i++)
    ((gint32 *)fen_op_host (t))[i] = (gint32)(low + (gint64)(fen_op_uniform (h) * (double)(bound - low)));
  return t;
}

static void
free_tensors (FenOpHarness *h)
{
  for (guint i = 0; i < h->tensors->len; i++)
    {
      FenOpTensor *t = h->tensors->pdata[i];
      h->backend->free (h->device, FEN_MEMORY_DEVICE, t->device, t->bytes);
      g_free (t->host);
      g_free (t->before);
      g_free (t);
    }
  g_ptr_array_set_size (h->tensors, 0);
  if (h->workspace != NULL)
    h->backend->free (h->device, FEN_MEMORY_DEVICE, h->workspace, h->workspace_bytes);
  h->workspace = NULL;
}

void
fen_op_upload (FenOpHarness *h)
{
  for (guint i = 0; i < h->tensors->len; i++)
    {
      FenOpTensor *t = h->tensors->pdata[i];
      memcpy (t->before, t->host, t->bytes);
      h->backend->copy (h->device, NULL, t->device, t->host, t->bytes);
    }
}

gpointer
fen_op_workspace (FenOpHarness *h, FenOp op, gconstpointer params)
{
  FenStatus why = { 0 };
  if (!h->backend->supports (&h->properties, op, params, &why))
    g_error ("%s: %s", h->name->str, why.message);
  if (h->workspace != NULL)
    h->backend->free (h->device, FEN_MEMORY_DEVICE, h->workspace, h->workspace_bytes);
  h->workspace = NULL;
  const guint64 needed = h->backend->workspace_bytes (&h->properties, op, params);
  if (needed == 0)
    return NULL;
  /* Exactly what was asked for, between guards: poison that must survive behind it. */
  h->workspace_bytes = needed + 256;
  h->workspace = h->backend->alloc (h->device, FEN_MEMORY_DEVICE, h->workspace_bytes, &why);
  if (h->workspace == NULL)
    g_error ("%s: %s", h->name->str, why.message);
  g_autofree char *poison = g_malloc (h->workspace_bytes);
  memset (poison, 0xff, h->workspace_bytes);
  h->backend->copy (h->device, NULL, h->workspace, poison, h->workspace_bytes);
  return h->workspace;
}

void
fen_op_finish (FenOpHarness *h)
{
  FenStatus status;
  h->backend->synchronize (h->device, NULL);
  if (h->backend->check (h->device, &status) != FEN_STATUS_OK)
    g_error ("%s: %s", h->name->str, status.message);
  if (h->workspace == NULL)
    return;
  guint8 behind[256];
  h->backend->copy (h->device, NULL, behind, (char *)h->workspace + h->workspace_bytes - 256, sizeof behind);
  h->backend->synchronize (h->device, NULL);
  for (gsize i = 0; i < sizeof behind; i++)
    if (behind[i] != 0xff)
      g_error ("%s: wrote behind its workspace (%" G_GUINT64_FORMAT " bytes)", h->name->str,
               h->workspace_bytes - 256);
}

/* ---- comparing ---- */

/* The distance of neighbouring 16-bit floats at x; 0 for wider types. */
static double
storage_unit (FenDType dtype, double x)
{
  if ((dtype != FEN_BF16 && dtype != FEN_F16) || !isfinite (x))
    return 0;
  const int fraction = dtype == FEN_BF16 ? 7 : 10, lowest = dtype == FEN_BF16 ? -126 : -14;
  const int exponent = x == 0 ? lowest : MAX (ilogb (x), lowest);
  return ldexp (1, exponent - fraction);
}

static gboolean
close_enough (FenDType dtype, double got, double wanted, FenOpTolerance tolerance)
{
  if (isnan (wanted) || isnan (got))
    return isnan (wanted) && isnan (got);
  if (got == wanted)
    return TRUE;
  const double allowed = tolerance.absolute + tolerance.relative * fabs (wanted)
                         + 1.001 * storage_unit (dtype, MAX (fabs (wanted), fabs (got)));
  return fabs (got - wanted) <= allowed;
}

void
fen_op_compare (FenOpHarness *h, const char *what, FenOpTensor *t, gint64 rows, gint64 width, gint64 ld,
                FenOpTolerance tolerance)
{
  const gsize size = fen_dtype_size (t->dtype);
  g_autofree char *got = g_malloc (t->bytes);
  h->backend->copy (h->device, NULL, got, t->device, t->bytes);
  h->backend->synchronize (h->device, NULL);
  for (gint64 at = 0; at < t->n + 2 * GUARD; at++)
    {
      const gint64 i = at - (GUARD - t->skew);
      const gboolean inside = i >= 0 && i / ld < rows && i % ld < width;
      const double value = fen_op_value (t->dtype, got, at), wanted = fen_op_value (t->dtype, t->host, at);
      if (!inside && memcmp (got + (gsize)at * size, (char *)t->before + (gsize)at * size, size) != 0)
        g_error ("%s: %s wrote outside: element %" G_GINT64_FORMAT, h->name->str, what, i);
      if (inside && !close_enough (t->dtype, value, wanted, tolerance))
        g_error ("%s: %s (%" G_GINT64_FORMAT ", %" G_GINT64_FORMAT
                 ") = %.9g, reference %.9g (seed %" G_GINT64_FORMAT ")",
                 h->name->str, what, i / ld, i % ld, value, wanted, seed);
    }
}

void
fen_op_unchanged (FenOpHarness *h, const char *what, FenOpTensor *t)
{
  fen_op_compare (h, what, t, 0, 0, 1, (FenOpTolerance){ 0, 0 });
}

/* ---- variants ---- */

static void
run_variant (gconstpointer data)
{
  const Variant *variant = data;
  FenOpHarness h = { .random = (guint64)seed ^ g_str_hash (variant->name) };
  const FenDeviceOptions options = { .threads = variant->threads, .deterministic = TRUE };
  FenStatus status;
  if (variant->isa != NULL)
    g_setenv ("FENESTRA_CPU_ISA", variant->isa, TRUE);
  h.backend = fen_backend_find (backend_name, &status);
  if (h.backend == NULL)
    g_error ("%s", status.message);
  h.reference = fen_backend_reference ();
  h.reference_device = h.reference->open (0, NULL, &status);
  h.device = h.backend->open (0, &options, &status);
  if (h.device == NULL || !h.backend->device_properties (0, &options, &h.properties, &status))
    g_error ("%s", status.message);
  h.tensors = g_ptr_array_new ();
  h.name = g_string_new (variant->name);
  variant->body (&h, variant->data);
  free_tensors (&h);
  h.backend->close (h.device);
  h.reference->close (h.reference_device);
  g_ptr_array_unref (h.tensors);
  g_string_free (h.name, TRUE);
}

static void
variant_free (gpointer data)
{
  Variant *variant = data;
  g_free (variant->name);
  g_free (variant);
}

static void
add_variant (const char *name, FenOpCase body, gconstpointer data, const char *isa, int threads)
{
  Variant *variant = g_new0 (Variant, 1); /* the test owns it */
  *variant = (Variant){ NULL, body, data, isa, threads };
  if (isa != NULL)
    variant->name = g_strdup_printf ("/%s/%s-%d%s", backend_name, isa, threads, name);
  else
    variant->name = g_strdup_printf ("/%s%s", backend_name, name);
  g_test_add_data_func_full (variant->name, variant, run_variant, variant_free);
}

/* The widest set of this processor; the narrower ones are there too. */
static int
sets_available (void)
{
  FenDeviceProperties properties;
  FenStatus status;
  const FenBackend *cpu = fen_backend_find ("cpu", &status);
  g_unsetenv ("FENESTRA_CPU_ISA");
  if (!cpu->device_properties (0, NULL, &properties, &status))
    g_error ("%s", status.message);
  return properties.capability >= 512 ? 3 : properties.capability >= 256 ? 2 : 1;
}

void
fen_op_add (const char *name, FenOpCase body, gconstpointer data)
{
  static const char *const sets[] = { "plain", "avx2", "avx512" };
  if (!g_str_equal (backend_name, "cpu"))
    {
      add_variant (name, body, data, NULL, 0);
      return;
    }
  for (int i = 0; i < sets_available (); i++)
    {
      add_variant (name, body, data, sets[i], 1);
      add_variant (name, body, data, sets[i], 3);
    }
}

/* Ends the program with TAP's skip when the back end has no device: the plan of no tests, and why. */
static void
skip_without_device (void)
{
  FenStatus status = { 0 };
  const FenBackend *backend = fen_backend_find (backend_name, &status);
  if (backend != NULL && backend->device_count (&status) > 0)
    return;
  g_print ("1..0 # SKIP no %s device: %s\n", backend_name, status.message);
  exit (0);
}

void
fen_op_add_once (const char *name, FenOpCase body, gconstpointer data)
{
  add_variant (name, body, data, NULL, 3);
}

void
fen_op_init (int *argc, char ***argv)
{
  const GOptionEntry entries[] = {
    { "backend", 0, 0, G_OPTION_ARG_STRING, &backend_name, "back end to test (cpu)", "NAME" },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &seed, "seed of the inputs (from the clock)", "N" },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  seed = g_get_real_time ();
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_set_help_enabled (context, FALSE);
  /* Ours first: GLib has a --seed too, of another form. */
  g_option_context_set_ignore_unknown_options (context, TRUE);
  if (!g_option_context_parse (context, argc, argv, &error))
    g_error ("%s", error->message);
  g_test_init (argc, argv, NULL);
  if (backend_name == NULL)
    backend_name = g_strdup ("cpu");
  skip_without_device ();
  g_test_message ("seed %" G_GINT64_FORMAT, seed);
}
