/* fen-optimizer.c: clipping by the global norm, then AdamW on every slot.
 *
 * The gradient's norm is taken over the flat space at once: gaps between slots are zero, since only slots are added
 * to. A norm that is not finite sets `skip` on the device, and no kernel changes anything.
 */
#include "core/engine/fen-engine-private.h"

static void
update_slot (FenStep *step, const FenUpdate *u, const FenEngineSlot *entry, gint64 t,
             const FenStepStats *stats)
{
  const FenSlot *slot = entry->slot;
  const FenDType dtype = step->plan->settings.storage;
  float *master = fen_step_buffer (step, FEN_STEP_MASTER),
        *gradients = fen_step_buffer (step, FEN_STEP_GRADIENTS);
  const float decay = u->decay_all || slot->decay ? (float)u->weight_decay : 0;
  const float bias1 = (float)(1 - pow (u->beta1, (double)t)), bias2 = (float)(1 - pow (u->beta2, (double)t));

  if (step->plan->settings.adam8)
    {
      guint8 *m = fen_step_buffer (step, FEN_STEP_MOMENT1), *v = fen_step_buffer (step, FEN_STEP_MOMENT2);
      float *m_absmax = fen_step_buffer (step, FEN_STEP_ABSMAX1),
            *v_absmax = fen_step_buffer (step, FEN_STEP_ABSMAX2);
      FenAdamW8 params = { .n = slot->elements,
                           .dtype = dtype,
                           .param = fen_step_weight (step, entry->layer, entry->kind),
                           .master = master == NULL ? NULL : master + slot->offset,
                           .gradient = gradients + slot->offset,
                           .m = m + slot->offset,
                           .v = v + slot->offset,
                           .m_absmax = m_absmax + entry->absmax,
                           .v_absmax = v_absmax + entry->absmax,
                           .lr = (float)u->learning_rate,
                           .beta1 = (float)u->beta1,
                           .beta2 = (float)u->beta2,
                           .epsilon = (float)u->epsilon,
                           .weight_decay = decay,
                           .bias1 = bias1,
                           .bias2 = bias2,
                           .stats = stats };
      fen_ops_adamw8 (&step->ops, &params);
    }
  else
    {
      float *m = fen_step_buffer (step, FEN_STEP_MOMENT1), *v = fen_step_buffer (step, FEN_STEP_MOMENT2);
      FenAdamW params = { .n = slot->elements,
                          .dtype = dtype,
                          .param = fen_step_weight (step, entry->layer, entry->kind),
                          .master = master == NULL ? NULL : master + slot->offset,
                          .gradient = gradients + slot->offset,
                          .m = m + slot->offset,
                          .v = v + slot->offset,
                          .lr = (float)u->learning_rate,
                          .beta1 = (float)u->beta1,
                          .beta2 = (float)u->beta2,
                          .epsilon = (float)u->epsilon,
                          .weight_decay = decay,
                          .bias1 = bias1,
                          .bias2 = bias2,
                          .stats = stats };
      fen_ops_adamw (&step->ops, &params);
    }
}

void
fen_optimizer_run (FenStep *step, const FenUpdate *update, gint64 t, double loss_scale)
{
  const GArray *slots = step->plan->slots;
  const gint64 space = fen_model_space (step->model);
  float *gradients;
  FenStepStats *stats;
  FenSum sum;
  FenClip clip;

  fen_step_enter (step, fen_plan_update_phase (step->plan));
  gradients = fen_step_buffer (step, FEN_STEP_GRADIENTS);
  stats = fen_step_buffer (step, FEN_STEP_STATS);
  sum = (FenSum){ .n = space, .dtype = FEN_F32, .x = gradients, .sum = &stats->gradient_sumsq };
  clip = (FenClip){ .stats = stats,
                    .max_norm = (float)update->grad_clip,
                    .inverse_loss_scale = (float)(1 / loss_scale) };
  fen_ops_sum_squares (&step->ops, &sum);
  fen_ops_clip (&step->ops, &clip);
  for (guint i = 0; i < slots->len; i++)
    update_slot (step, update, &g_array_index (slots, FenEngineSlot, i), t, stats);
  fen_ops_fill (&step->ops, FEN_F32, gradients, space, 0);
}
