/* test-sampler.c: tokens are drawn with the probabilities that the logits say, from the set that top-k and top-p leave.
 *
 * Oracle: the softmax in double precision, restricted by hand; frequencies of 200,000 draws within five standard
 * deviations (one failure in a million).
 */
#include <math.h>
#include <string.h>

#include "core/generate/fen-sampler.h"

#define VOCAB 12
#define DRAWS 200000

static const float logits[VOCAB]
    = { 0.5f, 2.0f, -1.0f, 1.0f, 2.0f, 0.0f, -3.0f, 1.5f, -0.5f, 0.25f, 3.0f, -8.0f };

/* Frequencies of `DRAWS` draws. */
static void
draw (const FenSamplerOptions *options, double frequency[VOCAB])
{
  g_autoptr (FenSampler) sampler = fen_sampler_new (options, VOCAB);
  memset (frequency, 0, VOCAB * sizeof (double));
  for (int i = 0; i < DRAWS; i++)
    {
      const gint32 id = fen_sampler_next (sampler, logits, VOCAB);
      g_assert_cmpint (id, >=, 0);
      g_assert_cmpint (id, <, VOCAB);
      frequency[id] += 1.0 / DRAWS;
    }
}

/* Ids by falling logit, the smaller id first on a tie. */
static const int order[VOCAB] = { 10, 1, 4, 7, 3, 0, 9, 5, 8, 2, 6, 11 };

/* Softmax over the first `keep` of `order`. */
static void
expected_probabilities (double temperature, int keep, double probability[VOCAB])
{
  double total = 0;
  memset (probability, 0, VOCAB * sizeof (double));
  for (int i = 0; i < keep; i++)
    total += probability[order[i]] = exp (logits[order[i]] / temperature);
  for (int i = 0; i < keep; i++)
    probability[order[i]] /= total;
}

/* How many of the first `keep` reach `top_p` of their probability. */
static int
nucleus (double temperature, int keep, double top_p)
{
  double probability[VOCAB], sum = 0;
  expected_probabilities (temperature, keep, probability);
  for (int i = 0; i < keep; i++)
    if ((sum += probability[order[i]]) >= top_p)
      return i + 1;
  return keep;
}

static void
test_distribution (void)
{
  static const FenSamplerOptions cases[] = {
    { .temperature = 1, .top_k = 0, .top_p = 1, .seed = 1 },
    { .temperature = 0.7, .top_k = 0, .top_p = 1, .seed = 2 },
    { .temperature = 1, .top_k = 3, .top_p = 1, .seed = 3 },
    { .temperature = 1, .top_k = 0, .top_p = 0.6, .seed = 4 },
    { .temperature = 1.5, .top_k = 6, .top_p = 0.8, .seed = 5 },
    { .temperature = 1, .top_k = 100, .top_p = 0.999, .seed = 6 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const FenSamplerOptions *options = &cases[i];
      const int top_k = options->top_k > 0 ? (int)MIN (options->top_k, VOCAB) : VOCAB;
      const int keep = options->top_p < 1 ? nucleus (options->temperature, top_k, options->top_p) : top_k;
      double probability[VOCAB], frequency[VOCAB];
      expected_probabilities (options->temperature, keep, probability);
      draw (options, frequency);
      for (int id = 0; id < VOCAB; id++)
        {
          const double p = probability[id];
          const double tolerance = 5 * sqrt (p * (1 - p) / DRAWS);
          if (fabs (frequency[id] - p) > tolerance)
            g_error ("case %d, token %d: drawn %.5f, expected %.5f +- %.5f", (int)i, id, frequency[id], p,
                     tolerance);
        }
    }
}

static void
test_greedy (void)
{
  const FenSamplerOptions options = { .temperature = 0, .top_p = 1 };
  g_autoptr (FenSampler) sampler = fen_sampler_new (&options, VOCAB);
  g_assert_cmpint (fen_sampler_next (sampler, logits, VOCAB), ==, 10);
  /* a tie takes the smaller id; a shorter vocabulary hides what lies behind it */
  g_assert_cmpint (fen_sampler_next (sampler, logits, 8), ==, 1);
}

static void
test_not_finite (void)
{
  const FenSamplerOptions hot = { .temperature = 1, .top_p = 0.9, .seed = 1 };
  const FenSamplerOptions greedy = { .temperature = 0, .top_p = 1 };
  const float all_nan[3] = { NAN, NAN, NAN };
  const float one[3] = { NAN, -INFINITY, 0.5f };
  const float infinite[3] = { 1, INFINITY, 2 };
  g_autoptr (FenSampler) sampler = fen_sampler_new (&hot, 3);
  g_autoptr (FenSampler) greedy_sampler = fen_sampler_new (&greedy, 3);
  g_assert_cmpint (fen_sampler_next (sampler, all_nan, 3), ==, -1);
  g_assert_cmpint (fen_sampler_next (greedy_sampler, all_nan, 3), ==, -1);
  for (int i = 0; i < 100; i++)
    {
      g_assert_cmpint (fen_sampler_next (sampler, one, 3), ==, 2);
      g_assert_cmpint (fen_sampler_next (sampler, infinite, 3), ==, 1);
    }
}

static void
test_seed (void)
{
  const FenSamplerOptions options = { .temperature = 1, .top_p = 1, .seed = 9 };
  const FenSamplerOptions other = { .temperature = 1, .top_p = 1, .seed = 10 };
  g_autoptr (FenSampler) a = fen_sampler_new (&options, VOCAB);
  g_autoptr (FenSampler) b = fen_sampler_new (&options, VOCAB);
  g_autoptr (FenSampler) c = fen_sampler_new (&other, VOCAB);
  int differences = 0;
  for (int i = 0; i < 1000; i++)
    {
      const gint32 id = fen_sampler_next (a, logits, VOCAB);
      g_assert_cmpint (id, ==, fen_sampler_next (b, logits, VOCAB));
      differences += id != fen_sampler_next (c, logits, VOCAB);
    }
  g_assert_cmpint (differences, >, 100);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/sampler/distribution", test_distribution);
  g_test_add_func ("/sampler/greedy", test_greedy);
  g_test_add_func ("/sampler/not-finite", test_not_finite);
  g_test_add_func ("/sampler/seed", test_seed);
  return g_test_run ();
}
