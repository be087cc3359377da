/* fen-sampler.h: choosing the next token from logits.
 *
 * Temperature, then top-k, then top-p (nucleus sampling: Holtzman et al. 2020), then a draw from a counter-based
 * generator, so a text is a pure function of logits, options and seed.
 *
 * Threads: a sampler is used by one thread at a time.
 */
#pragma once

#include "core/base/fen-random.h"

G_BEGIN_DECLS

typedef struct {
  double temperature; /* 0 = greedy: the largest logit, the smaller id on a tie */
  gint64 top_k;       /* keep the k most likely tokens; 0 = all */
  double top_p;       /* keep the smallest set whose probability reaches this; 1 = all */
  guint64 seed;
} FenSamplerOptions;

#define FEN_SAMPLER_DEFAULTS { .temperature = 0.8, .top_k = 0, .top_p = 0.95, .seed = 42 }

typedef struct _FenSampler FenSampler;

/* `vocab_size` is the length of the logits that will be given. */
FenSampler *fen_sampler_new (const FenSamplerOptions *options, gint64 vocab_size);
void fen_sampler_free (FenSampler *sampler);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenSampler, fen_sampler_free)

/* The id chosen among the first `n` logits (n <= vocab_size; a tokenizer's vocabulary may be smaller than the
 * model's). NaN counts as -inf; -1 when no logit is finite. */
gint32 fen_sampler_next (FenSampler *sampler, const float *logits, gint64 n);

G_END_DECLS
