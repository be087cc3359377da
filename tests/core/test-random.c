/* Random numbers: Philox against the published known-answer vectors, and what is drawn from it against theory. */
#include "core/base/fen-random.h"

#include <math.h>

/* kat_vectors of the Random123 distribution, "philox4x32 10": counter, key, result. */
static void
test_known_answers (void)
{
  static const struct {
    guint64 seed, stream, block;
    guint32 expected[4];
  } vectors[] = {
    { 0, 0, 0, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
    { G_MAXUINT64, G_MAXUINT64, G_MAXUINT64, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
    { G_GUINT64_CONSTANT (0x299f31d0a4093822),
      G_GUINT64_CONSTANT (0x0370734413198a2e),
      G_GUINT64_CONSTANT (0x85a308d3243f6a88),
      { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
  };
  for (guint v = 0; v < G_N_ELEMENTS (vectors); v++)
    {
      guint32 out[4];
      fen_philox4x32 (vectors[v].seed, vectors[v].stream, vectors[v].block, out);
      for (int i = 0; i < 4; i++)
        g_assert_cmphex (out[i], ==, vectors[v].expected[i]);
    }
}

/* Whatever is drawn, the state is the number of words: a generator set to a counter continues the sequence. */
static void
test_sequence_is_a_function_of_the_counter (void)
{
  guint32 words[64], block[4];
  FenRandom random;
  fen_random_init (&random, 42, 7);
  for (guint i = 0; i < 64; i++)
    words[i] = fen_random_u32 (&random);
  for (guint i = 0; i < 64; i++)
    {
      fen_philox4x32 (42, 7, i / 4, block);
      g_assert_cmphex (words[i], ==, block[i % 4]);
    }
  for (guint start = 0; start < 60; start++)
    {
      FenRandom later = { .seed = 42, .stream = 7, .counter = start };
      g_assert_cmphex (fen_random_u64 (&later), ==, (guint64)words[start + 1] << 32 | words[start]);
      g_assert_cmpuint (later.counter, ==, start + 2);
      later.counter = start;
      double first = (double)(((guint64)words[start + 1] << 32 | words[start]) >> 11) / 9007199254740992.0;
      double second
          = (double)(((guint64)words[start + 3] << 32 | words[start + 2]) >> 11) / 9007199254740992.0;
      double expected = sqrt (-2 * log (1 - first)) * cos (2 * G_PI * second);
      g_assert_cmpfloat_with_epsilon (fen_random_normal (&later), expected, 1e-12);
      g_assert_cmpuint (later.counter, ==, start + 4);
    }
}

/* Chi-squared of a bound where the plain remainder of 64 bits would be badly biased, and of a small one. */
static void
test_below_is_fair (void)
{
  FenRandom random;
  fen_random_init (&random, 1, 2);
  guint counts[10] = { 0 };
  for (guint i = 0; i < 100000; i++)
    counts[fen_random_below (&random, 10)]++;
  double chi = 0;
  for (guint i = 0; i < 10; i++)
    chi += (counts[i] - 10000.0) * (counts[i] - 10000.0) / 10000.0;
  g_assert_cmpfloat (chi, <, 27.9); /* 9 degrees of freedom, p = 0.001; the seed is fixed */

  /* 3 * 2^62: taking the remainder would draw the lowest third twice as often, and scaling without a second draw
   * every third value. */
  guint64 bound = G_GUINT64_CONSTANT (3) << 62;
  guint low = 0, multiples = 0;
  for (guint i = 0; i < 30000; i++)
    {
      guint64 value = fen_random_below (&random, bound);
      g_assert_cmpuint (value, <, bound);
      low += value < bound / 3;
      multiples += value % 3 == 0;
    }
  g_assert_cmpuint (low, >, 9600); /* 10,000 with a standard deviation of 82 */
  g_assert_cmpuint (low, <, 10400);
  g_assert_cmpuint (multiples, >, 9600);
  g_assert_cmpuint (multiples, <, 10400);
  for (guint i = 0; i < 100; i++)
    g_assert_cmpuint (fen_random_below (&random, 1), ==, 0);
}

static void
test_moments (void)
{
  FenRandom random;
  fen_random_init (&random, 3, FEN_RANDOM_STREAM_INIT);
  const guint n = 200000;
  double uniform = 0, sum = 0, squares = 0, fourth = 0;
  for (guint i = 0; i < n; i++)
    {
      double u = fen_random_uniform (&random);
      g_assert_true (u >= 0 && u < 1);
      uniform += u;
      double x = fen_random_normal (&random);
      g_assert_true (isfinite (x));
      sum += x;
      squares += x * x;
      fourth += x * x * x * x;
    }
  /* Five standard errors of each estimate. */
  g_assert_cmpfloat_with_epsilon (uniform / n, 0.5, 5 * sqrt (1.0 / 12 / n));
  g_assert_cmpfloat_with_epsilon (sum / n, 0, 5 / sqrt (n));
  g_assert_cmpfloat_with_epsilon (squares / n, 1, 5 * sqrt (2.0 / n));
  g_assert_cmpfloat_with_epsilon (fourth / n, 3, 5 * sqrt (96.0 / n));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/random/known-answers", test_known_answers);
  g_test_add_func ("/random/counter", test_sequence_is_a_function_of_the_counter);
  g_test_add_func ("/random/below", test_below_is_fair);
  g_test_add_func ("/random/moments", test_moments);
  return g_test_run ();
}
