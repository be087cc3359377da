/* The table of cards: every figure against what its chip can do in a clock, names as drivers give them, and names that
 * must not match. */
#include "core/engine/fen-peak-private.h"

#include <math.h>
#include <string.h>

/* The independent side: boost clocks as published, and FLOP per SM and clock by kind of card (see fen-peak-cards.c). The
 * tensor clock of H100 PCIe, H100 NVL, H200 NVL, B200 and L40S is not the boost clock: it is not published, so they
 * stand here without one and are held by order alone. */
static const struct {
  const char *name;
  int units;
  double mhz;
  double flop;
} chips[] = {
  { "A100 SXM4", 108, 1410, 2048 },
  { "A100 PCIE", 108, 1410, 2048 },
  { "A30", 56, 1440, 2048 },
  { "H100", 132, 1830, 4096 },
  { "H100 SXM5", 132, 1830, 4096 },
  { "H200", 132, 1830, 4096 },
  { "GH200", 132, 1830, 4096 },
  { "A40", 84, 1740, 1024 },
  { "A10", 72, 1695, 1024 },
  { "A2", 10, 1770, 1024 },
  { "RTX A6000", 84, 1800, 1024 },
  { "RTX A5500", 80, 1665, 1024 },
  { "RTX A5000", 64, 1695, 1024 },
  { "RTX A4500", 56, 1650, 1024 },
  { "RTX A4000", 48, 1560, 1024 },
  { "GEFORCE RTX 3090 TI", 84, 1860, 512 },
  { "GEFORCE RTX 3090", 82, 1695, 512 },
  { "GEFORCE RTX 3080 TI", 80, 1665, 512 },
  { "GEFORCE RTX 3080", 70, 1710, 512 },
  { "GEFORCE RTX 3080", 68, 1710, 512 },
  { "GEFORCE RTX 3070 TI", 48, 1770, 512 },
  { "GEFORCE RTX 3070", 46, 1725, 512 },
  { "GEFORCE RTX 3060 TI", 38, 1665, 512 },
  { "GEFORCE RTX 3060", 28, 1777, 512 },
  { "L40", 142, 2490, 512 },
  { "L4", 58, 2040, 1024 },
  { "RTX 6000 ADA GENERATION", 142, 2505, 1024 },
  { "RTX 5880 ADA GENERATION", 110, 2460, 1024 },
  { "RTX 5000 ADA GENERATION", 100, 2550, 1024 },
  { "RTX 4500 ADA GENERATION", 60, 2580, 1024 },
  { "RTX 4000 ADA GENERATION", 48, 2175, 1024 },
  { "GEFORCE RTX 4090", 128, 2520, 512 },
  { "GEFORCE RTX 4080 SUPER", 80, 2550, 512 },
  { "GEFORCE RTX 4080", 76, 2505, 512 },
  { "GEFORCE RTX 4070 TI SUPER", 66, 2610, 512 },
  { "GEFORCE RTX 4070 TI", 60, 2610, 512 },
  { "GEFORCE RTX 4070 SUPER", 56, 2475, 512 },
  { "GEFORCE RTX 4070", 46, 2475, 512 },
  { "GEFORCE RTX 4060 TI", 34, 2535, 512 },
  { "GEFORCE RTX 4060", 24, 2460, 512 },
  { "GEFORCE RTX 5090", 170, 2407, 512 },
  { "GEFORCE RTX 5080", 84, 2617, 512 },
  { "GEFORCE RTX 5070 TI", 70, 2452, 512 },
  { "GEFORCE RTX 5070", 48, 2512, 512 },
  { "GEFORCE RTX 5060 TI", 36, 2572, 512 },
  { "GEFORCE RTX 5060", 30, 2497, 512 },
  { "RTX PRO 6000 BLACKWELL WORKSTATION EDITION", 188, 2617, 1024 },
  { "H100 PCIE", 114, NAN, 4096 },
  { "H100 NVL", 132, NAN, 4096 },
  { "H200 NVL", 132, NAN, 4096 },
  { "B200", 148, NAN, 8192 },
  { "L40S", 142, NAN, 1024 },
};

static void
test_figures (void)
{
  guint n_cards = 0;
  for (const FenPeakCard *card = fen_peak_cards (); card->name != NULL; card++, n_cards++)
    {
      guint i = 0;
      while (i < G_N_ELEMENTS (chips)
             && (strcmp (chips[i].name, card->name) != 0 || chips[i].units != card->units))
        i++;
      if (i == G_N_ELEMENTS (chips))
        g_error ("%s with %d SMs stands in the table alone", card->name, card->units);
      const double per_ghz = chips[i].units * chips[i].flop / 1e3;
      /* Documents round to three figures, the A2's to two. */
      if (isfinite (chips[i].mhz))
        g_assert_cmpfloat_with_epsilon (card->tflops / (per_ghz * chips[i].mhz / 1e3), 1, 0.012);
      /* All these chips' tensor clocks lie here, so a figure with sparsity or fp16 sums does not. */
      g_assert_cmpfloat (card->tflops / per_ghz, >, 1.3);
      g_assert_cmpfloat (card->tflops / per_ghz, <, 2.65);
    }
  g_assert_cmpuint (n_cards, ==, G_N_ELEMENTS (chips));
}

static FenPeak
peak_of (const char *name, int units)
{
  FenDeviceProperties device = { .kind = "cuda", .units = units };
  g_strlcpy (device.name, name, sizeof device.name);
  return fen_peak_published (&device);
}

static void
test_names (void)
{
  static const struct {
    const char *name;
    int units;
    double tflops; /* 0 = unknown */
  } names[] = {
    { "NVIDIA H200", 132, 989.4 },
    { "NVIDIA H100 80GB HBM3", 132, 989.4 },
    { "NVIDIA H100 PCIe", 114, 756 },
    { "NVIDIA H100 NVL", 132, 835.5 },
    { "NVIDIA GH200 480GB", 132, 989.4 },
    { "NVIDIA A100-SXM4-80GB", 108, 312 },
    { "A100-SXM4-40GB", 108, 312 },
    { "NVIDIA A100 80GB PCIe", 108, 312 },
    { "NVIDIA A100-PCIE-40GB", 108, 312 },
    { "NVIDIA L40S", 142, 362 },
    { "NVIDIA L40", 142, 181 },
    { "NVIDIA L4", 58, 121 },
    { "NVIDIA A10", 72, 125 },
    { "GeForce RTX 3090", 82, 71.2 },
    { "NVIDIA GeForce RTX 3080", 68, 59.5 },
    { "NVIDIA GeForce RTX 3080", 70, 61.3 },
    { "NVIDIA GeForce RTX 4090", 128, 165.2 },
    { "NVIDIA RTX A6000", 84, 154.8 },
    { "NVIDIA RTX 6000 Ada Generation", 142, 364.2 },
    { "NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 188, 503.8 },
    /* others that begin alike */
    { "NVIDIA GeForce RTX 4090 Laptop GPU", 76, 0 },
    { "NVIDIA GeForce RTX 4090 Laptop GPU", 128, 0 },
    { "NVIDIA GeForce RTX 4090 D", 114, 0 },
    { "NVIDIA GeForce RTX 3080 Ti Laptop GPU", 58, 0 },
    { "NVIDIA RTX 5000 Ada Generation Laptop GPU", 76, 0 },
    { "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", 188, 0 },
    { "NVIDIA A10G", 80, 0 },
    { "NVIDIA A10", 80, 0 },
    { "NVIDIA H200 MIG 1g.18gb", 16, 0 },
    { "NVIDIA H200", 16, 0 },
    { "NVIDIA A100-SXM4-40GB MIG 3g.20gb", 42, 0 },
    { "GRID A100-10C", 108, 0 },
    { "NVIDIA H100 PCIe", 132, 0 },
    { "NVIDIA Graphics Device", 132, 0 },
    { "NVIDIA", 0, 0 },
    { "", 0, 0 },
  };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const FenPeak peak = peak_of (names[i].name, names[i].units);
      g_test_message ("%s, %d SMs", names[i].name, names[i].units);
      g_assert_cmpfloat_with_epsilon (peak.flops / 1e12, names[i].tflops, 1e-9);
      g_assert_cmpint (peak.source, ==, names[i].tflops > 0 ? FEN_PEAK_PUBLISHED : FEN_PEAK_UNKNOWN);
    }
  FenDeviceProperties cpu = { .kind = "cpu", .name = "H200", .units = 132 };
  g_assert_cmpint (fen_peak_published (&cpu).source, ==, FEN_PEAK_UNKNOWN);
}

/* For every card: what a driver may write around its name changes nothing, one more word of another kind or another
 * number of SMs makes it unknown. And no text at all harms. */
static void
test_properties (void)
{
  static const char *const before[] = { "", "NVIDIA ", "nvidia-" };
  static const char *const after[] = { "", " 80GB", " 16GB HBM2e", "-141GB" };
  static const char *const another[]
      = { " Laptop GPU", " Max-Q", " D", "D", "X", " MIG 1g.5gb", " SUPER TI", " GB", " 80G" };
  for (const FenPeakCard *card = fen_peak_cards (); card->name != NULL; card++)
    {
      const char *b = before[g_test_rand_int_range (0, G_N_ELEMENTS (before))];
      const char *a = after[g_test_rand_int_range (0, G_N_ELEMENTS (after))];
      g_autofree char *lower = g_ascii_strdown (card->name, -1);
      g_autofree char *name = g_strconcat (b, lower, a, NULL);
      g_assert_cmpfloat (peak_of (name, card->units).flops, ==, card->tflops * 1e12);
      g_assert_cmpint (peak_of (name, card->units - 1).source, ==, FEN_PEAK_UNKNOWN);
      for (guint i = 0; i < G_N_ELEMENTS (another); i++)
        {
          g_autofree char *other = g_strconcat (name, another[i], NULL);
          g_assert_cmpint (peak_of (other, card->units).source, ==, FEN_PEAK_UNKNOWN);
        }
    }
  for (int i = 0; i < 10000; i++)
    {
      char text[127] = "", result[16];
      const int length = g_test_rand_int_range (0, (int)sizeof text - 1);
      for (int j = 0; j < length; j++)
        text[j] = (char)g_test_rand_int_range (1, 256);
      peak_of (text, 132);
      fen_peak_normalize (text, result, sizeof result);
      g_assert_cmpuint (strlen (result), <, sizeof result);
    }
}

static void
test_words (void)
{
  g_autofree char *published = fen_peak_text (peak_of ("NVIDIA H200", 132));
  g_assert_cmpstr (published, ==, "989.4 TFLOP/s (dense bf16, published)");
  g_autofree char *measured = fen_peak_text ((FenPeak){ 61.23e12, FEN_PEAK_MEASURED });
  g_assert_cmpstr (measured, ==, "61.23 TFLOP/s (dense bf16, measured)");
  g_autofree char *unknown = fen_peak_text ((FenPeak){ 0 });
  g_assert_cmpstr (unknown, ==, "unknown");
}

/* ---- measuring, on a back end that counts ---- */

#define FAKE_US 500 /* of one product */

static struct {
  guint64 bytes; /* allocated now */
  gint64 n_gemms;
  gint64 pending;
  gboolean no_memory, fails, refuses;
  guint32 bits; /* of the inputs, or-ed: they are not zeros */
} fake;

static void *
fake_alloc (FenDevice *device, FenMemoryKind kind, uint64_t bytes, FenStatus *status)
{
  if (fake.no_memory)
    {
      *status = (FenStatus){ FEN_STATUS_OUT_OF_MEMORY, "there is none" };
      return NULL;
    }
  fake.bytes += bytes;
  return g_malloc0 (bytes);
}

static void
fake_free (FenDevice *device, FenMemoryKind kind, void *memory, uint64_t bytes)
{
  fake.bytes -= bytes;
  g_free (memory);
}

static void
fake_copy (FenDevice *device, FenStream *stream, void *dst, const void *src, uint64_t bytes)
{
  memcpy (dst, src, bytes);
}

static void
fake_synchronize (FenDevice *device, FenStream *stream)
{
  g_usleep ((gulong)(fake.pending * FAKE_US));
  fake.pending = 0;
}

static void
fake_gemm (FenDevice *device, FenStream *stream, const FenGemm *p)
{
  const guint16 *a = p->a, *b = p->b;
  g_assert_true (p->m == 4096 && p->n == 4096 && p->k == 4096 && p->beta == 0);
  g_assert_true (p->ab_dtype == FEN_BF16 && p->c_dtype == FEN_BF16);
  fake.bits |= a[p->m * p->lda - 1] | b[p->n * p->ldb - 1];
  memset ((char *)p->c + (p->m * p->ldc - 1) * 2, 0, 2); /* the last byte of it is there */
  memset (p->workspace, 0, 256);
  fake.n_gemms++;
  fake.pending++;
}

static FenStatusCode
fake_check (FenDevice *device, FenStatus *status)
{
  *status = fake.fails ? (FenStatus){ FEN_STATUS_LAUNCH, "it did not run" } : (FenStatus){ 0 };
  return status->code;
}

static bool
fake_supports (const FenDeviceProperties *properties, FenOp op, const void *params, FenStatus *why)
{
  if (fake.refuses)
    *why = (FenStatus){ FEN_STATUS_UNSUPPORTED, "no bf16" };
  return !fake.refuses;
}

static uint64_t
fake_workspace (const FenDeviceProperties *properties, FenOp op, const void *params)
{
  return 256;
}

static void
test_measure (void)
{
  static const FenBackend backend = { .alloc = fake_alloc,
                                      .free = fake_free,
                                      .copy = fake_copy,
                                      .synchronize = fake_synchronize,
                                      .gemm = fake_gemm,
                                      .check = fake_check,
                                      .supports = fake_supports,
                                      .workspace_bytes = fake_workspace };
  const FenDeviceProperties device = { .kind = "cuda" };
  const double true_rate = 2.0 * 4096 * 4096 * 4096 / (FAKE_US * 1e-6);
  FenStatus why;
  FenPeak peak = fen_peak_measure (&backend, NULL, &device, &why);
  g_assert_cmpint (peak.source, ==, FEN_PEAK_MEASURED);
  g_assert_cmpfloat (peak.flops, <=, true_rate * 1.001); /* sleeping takes longer, never less */
  g_assert_cmpfloat (peak.flops, >, true_rate * 0.2);
  g_assert_cmpuint (fake.bits, !=, 0);
  g_assert_cmpint (fake.n_gemms, >, 100);
  g_assert_cmpuint (fake.bytes, ==, 0);

  gboolean *const troubles[] = { &fake.no_memory, &fake.fails, &fake.refuses };
  for (guint i = 0; i < G_N_ELEMENTS (troubles); i++)
    {
      *troubles[i] = TRUE;
      peak = fen_peak_measure (&backend, NULL, &device, &why);
      *troubles[i] = FALSE;
      g_assert_cmpint (peak.source, ==, FEN_PEAK_UNKNOWN);
      g_assert_cmpstr (why.message, !=, "");
      g_assert_cmpuint (fake.bytes, ==, 0);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/peak/figures", test_figures);
  g_test_add_func ("/peak/names", test_names);
  g_test_add_func ("/peak/properties", test_properties);
  g_test_add_func ("/peak/words", test_words);
  g_test_add_func ("/peak/measure", test_measure);
  return g_test_run ();
}
