/* fen-lr.c: the learning rate's schedules (see fen-config.h).
 *
 *   cosine   min + (1 - min) (1 + cos (pi p)) / 2    Loshchilov and Hutter, "SGDR", 2017
 *   linear   1 - (1 - min) p
 *   wsd      1, then linear over the last share      Hu et al., "MiniCPM", 2024
 *
 * times learning_rate. p runs from 0 at the last step of the warm-up, which has the full rate, to 1 at the last step,
 * which has exactly the smallest. */
#include "core/config/fen-config.h"

#include <math.h>

/* 0 at step `first` and before, 1 at step `last` and after. */
static double
progress (gint64 step, gint64 first, gint64 last)
{
  if (step <= first)
    return 0;
  if (step >= last)
    return 1;
  return (double)(step - first) / (double)(last - first);
}

double
fen_config_learning_rate (const FenConfig *config, gint64 step)
{
  const double peak = config->learning_rate, min = config->min_lr_ratio;
  if (step < config->warmup_steps)
    return peak * (double)(step + 1) / (double)config->warmup_steps;

  const gint64 last = config->steps - 1;
  const gint64 top = MAX (config->warmup_steps - 1, 0); /* the step with the full rate */
  const gint64 decay_steps = llround (config->lr_decay_share * (double)config->steps);
  switch (config->lr_schedule)
    {
    case FEN_LR_COSINE:
      return peak * (min + (1 - min) * 0.5 * (1 + cos (G_PI * progress (step, top, last))));
    case FEN_LR_LINEAR:
      return peak * (1 - (1 - min) * progress (step, top, last));
    case FEN_LR_WSD:
      return peak * (1 - (1 - min) * progress (step, MAX (top, last - decay_steps), last));
    case FEN_LR_CONSTANT:
      return peak;
    }
  g_return_val_if_reached (peak);
}
