/* fen-peak.c: a card's peak rate, looked up or measured (see fen-peak.h). */
#include "core/engine/fen-peak-private.h"

#include <string.h>

#include "core/base/fen-number.h"

/* ---- published ---- */

/* A word that only says how much memory there is or of which kind: "80GB", "HBM2e". */
static gboolean
is_about_memory (const char *word)
{
  static const char *const kinds[] = { "HBM2", "HBM2E", "HBM3", "HBM3E", NULL };
  if (g_strv_contains (kinds, word))
    return TRUE;
  const char *unit = word + strspn (word, "0123456789");
  return unit > word && strcmp (unit, "GB") == 0;
}

void
fen_peak_normalize (const char *name, char *result, gsize size)
{
  g_autofree char *upper = g_ascii_strup (name, -1);
  g_auto (GStrv) words = g_strsplit_set (upper, " -_/\t", -1);
  result[0] = '\0';
  for (guint i = 0; words[i] != NULL; i++)
    {
      /* Old drivers leave the maker's name out. */
      if (*words[i] == '\0' || strcmp (words[i], "NVIDIA") == 0 || is_about_memory (words[i]))
        continue;
      if (result[0] != '\0')
        g_strlcat (result, " ", size);
      g_strlcat (result, words[i], size);
    }
}

FenPeak
fen_peak_published (const FenDeviceProperties *device)
{
  char name[sizeof device->name];
  if (strcmp (device->kind, "cuda") != 0)
    return (FenPeak){ 0 };
  fen_peak_normalize (device->name, name, sizeof name);
  for (const FenPeakCard *card = fen_peak_cards (); card->name != NULL; card++)
    if (card->units == device->units && strcmp (card->name, name) == 0)
      return (FenPeak){ card->tflops * 1e12, FEN_PEAK_PUBLISHED };
  return (FenPeak){ 0 };
}

/* ---- measured ---- */

#define MEASURE_N 4096 /* 96 MiB of bf16, and large enough that the card is full */
#define MEASURE_BATCHES 8
#define MEASURE_BATCH_US 10000 /* a batch takes at least this, so that starting it does not count */

/* The three matrices and the scratch memory in one block. */
typedef struct {
  const FenBackend *backend;
  FenDevice *device;
  FenGemm gemm;
  void *memory;
  guint64 bytes;
} Measure;

static gboolean
measure_open (Measure *m, const FenDeviceProperties *properties, FenStatus *why)
{
  const guint64 matrix = (guint64)MEASURE_N * MEASURE_N * fen_dtype_size (FEN_BF16);
  m->gemm = (FenGemm){ .m = MEASURE_N,
                       .n = MEASURE_N,
                       .k = MEASURE_N,
                       .trans_b = true,
                       .ab_dtype = FEN_BF16,
                       .c_dtype = FEN_BF16,
                       .lda = MEASURE_N,
                       .ldb = MEASURE_N,
                       .ldc = MEASURE_N,
                       .alpha = 1 };
  if (!m->backend->supports (properties, FEN_OP_GEMM, &m->gemm, why))
    return FALSE;
  m->bytes = 3 * matrix + m->backend->workspace_bytes (properties, FEN_OP_GEMM, &m->gemm);
  m->memory = m->backend->alloc (m->device, FEN_MEMORY_DEVICE, m->bytes, why);
  if (m->memory == NULL)
    return FALSE;
  guint8 *const at = m->memory;
  m->gemm.a = at;
  m->gemm.b = at + matrix;
  m->gemm.c = at + 2 * matrix;
  m->gemm.workspace = at + 3 * matrix;

  /* Numbers between 1/4 and 1 of both signs: a card that multiplies zeros draws less power and runs faster. */
  const gsize n = (gsize)matrix / sizeof (guint16);
  g_autofree guint16 *values = g_new (guint16, n);
  guint32 random = 1;
  for (gsize i = 0; i < n; i++)
    {
      random = random * 1664525u + 1013904223u;
      values[i] = (guint16)(0x3E80u + ((random >> 16) & 0x80FFu));
    }
  m->backend->copy (m->device, NULL, at, values, matrix);
  m->backend->copy (m->device, NULL, at + matrix, values, matrix);
  m->backend->synchronize (m->device, NULL);
  return TRUE;
}

/* Seconds of `n` products. */
static double
measure_batch (Measure *m, gint64 n)
{
  const gint64 begin = g_get_monotonic_time ();
  for (gint64 i = 0; i < n; i++)
    m->backend->gemm (m->device, NULL, &m->gemm);
  m->backend->synchronize (m->device, NULL);
  return (double)(g_get_monotonic_time () - begin) / G_USEC_PER_SEC;
}

FenPeak
fen_peak_measure (const FenBackend *backend, FenDevice *device, const FenDeviceProperties *properties,
                  FenStatus *why)
{
  Measure m = { .backend = backend, .device = device };
  double best = 0;
  gint64 n = 1;
  *why = (FenStatus){ 0 };
  if (!measure_open (&m, properties, why))
    return (FenPeak){ 0 };
  measure_batch (&m, 1); /* chooses the kernel, wakes the clocks */
  while (n < 1024 && measure_batch (&m, n) < MEASURE_BATCH_US / (double)G_USEC_PER_SEC)
    n *= 2;
  for (int i = 0; i < MEASURE_BATCHES; i++)
    {
      const double seconds = measure_batch (&m, n);
      const double flop = 2.0 * MEASURE_N * MEASURE_N * MEASURE_N * (double)n;
      if (seconds > 0)
        best = MAX (best, flop / seconds);
    }
  const gboolean ok = backend->check (device, why) == FEN_STATUS_OK && best > 0;
  backend->free (device, FEN_MEMORY_DEVICE, m.memory, m.bytes);
  return ok ? (FenPeak){ best, FEN_PEAK_MEASURED } : (FenPeak){ 0 };
}

/* ---- words ---- */

const char *
fen_peak_source_name (FenPeakSource source)
{
  static const char *const names[] = { "unknown", "published", "measured" };
  return names[source];
}

char *
fen_peak_text (FenPeak peak)
{
  if (peak.source == FEN_PEAK_UNKNOWN)
    return g_strdup ("unknown");
  return g_strdup_printf ("%s TFLOP/s (dense bf16, %s)", fen_number ("%.4g", peak.flops / 1e12).text,
                          fen_peak_source_name (peak.source));
}
