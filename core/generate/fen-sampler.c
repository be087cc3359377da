/* fen-sampler.c: temperature, top-k and top-p over one row of logits. See fen-sampler.h. */
#include "core/generate/fen-sampler.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
  double weight; /* exp ((logit - max) / temperature), not normalised */
  gint32 id;
} Candidate;

struct _FenSampler {
  FenSamplerOptions options;
  FenRandom random;
  Candidate *candidates; /* (vocab_size) */
  gint64 vocab_size;
};

FenSampler *
fen_sampler_new (const FenSamplerOptions *options, gint64 vocab_size)
{
  FenSampler *sampler = g_new0 (FenSampler, 1);
  sampler->options = *options;
  sampler->vocab_size = vocab_size;
  sampler->candidates = g_new (Candidate, vocab_size);
  fen_random_init (&sampler->random, options->seed, FEN_RANDOM_STREAM_SAMPLE);
  return sampler;
}

void
fen_sampler_free (FenSampler *sampler)
{
  if (sampler == NULL)
    return;
  g_free (sampler->candidates);
  g_free (sampler);
}

static gint32
argmax (const float *logits, gint64 n)
{
  gint32 best = -1;
  for (gint64 i = 0; i < n; i++)
    if (!isnan (logits[i]) && (best < 0 || logits[i] > logits[best]))
      best = (gint32)i;
  return best >= 0 && logits[best] > -INFINITY ? best : -1;
}

/* Most likely first; the smaller id on a tie, so that the order does not depend on qsort. */
static int
compare_candidates (const void *a, const void *b)
{
  const Candidate *x = a, *y = b;
  if (x->weight != y->weight)
    return x->weight > y->weight ? -1 : 1;
  return x->id < y->id ? -1 : 1;
}

/* Gathers what can be chosen; *total is the weight of all tokens. Without top-k, tokens below (1 - top_p) / n of the
 * probability are left out at once: all of them together weigh less than 1 - top_p, so none belongs to the nucleus,
 * and sorting a few hundred candidates replaces sorting a vocabulary of 100,000. */
static gint64
gather (FenSampler *sampler, const float *logits, gint64 n, float max_logit, double *total_weight)
{
  Candidate *candidates = sampler->candidates;
  double total = 0;
  gint64 count = 0;
  for (gint64 i = 0; i < n; i++)
    if (!isnan (logits[i]))
      {
        /* inf - inf: an infinite logit is certain */
        const double distance = logits[i] == max_logit ? 0 : (double)logits[i] - max_logit;
        candidates[count].weight = exp (distance / sampler->options.temperature);
        candidates[count].id = (gint32)i;
        total += candidates[count].weight;
        count++;
      }
  *total_weight = total;
  const double left_out = sampler->options.top_k > 0 ? 0 : 1 - MIN (sampler->options.top_p, 1);
  const double floor_weight = total * left_out / (double)n;
  gint64 kept = 0;
  for (gint64 i = 0; i < count; i++)
    if (candidates[i].weight > 0 && candidates[i].weight >= floor_weight)
      candidates[kept++] = candidates[i];
  return kept;
}

static double
sum_weights (const Candidate *candidates, gint64 count)
{
  double total = 0;
  for (gint64 i = 0; i < count; i++)
    total += candidates[i].weight;
  return total;
}

/* Top-k, then the nucleus of what is left, renormalised between the two as transformers does. */
static gint64
restrict_candidates (const FenSamplerOptions *options, Candidate *candidates, gint64 count, double total)
{
  if (options->top_k > 0)
    {
      count = MIN (count, options->top_k);
      total = sum_weights (candidates, count);
    }
  if (options->top_p >= 1)
    return count;
  double sum = 0;
  for (gint64 i = 0; i < count; i++)
    {
      sum += candidates[i].weight;
      if (sum >= options->top_p * total)
        return i + 1;
    }
  return count;
}

gint32
fen_sampler_next (FenSampler *sampler, const float *logits, gint64 n)
{
  n = MIN (n, sampler->vocab_size);
  const gint32 best = argmax (logits, n);
  if (best < 0 || sampler->options.temperature <= 0)
    return best;

  double total;
  gint64 count = gather (sampler, logits, n, logits[best], &total);
  const gboolean whole = sampler->options.top_k <= 0 && sampler->options.top_p >= 1;
  if (!whole)
    {
      qsort (sampler->candidates, (size_t)count, sizeof (Candidate), compare_candidates);
      count = restrict_candidates (&sampler->options, sampler->candidates, count, total);
    }
  double draw = fen_random_uniform (&sampler->random) * sum_weights (sampler->candidates, count);
  for (gint64 i = 0; i < count; i++)
    {
      draw -= sampler->candidates[i].weight;
      if (draw < 0)
        return sampler->candidates[i].id;
    }
  return sampler->candidates[count - 1].id; /* rounding */
}
