/* fen-plan-measure.c: a step without a device.
 *
 * The step's own code runs with operations that only ask the back end whether it has them and how much workspace
 * they need. Layers differ by their window alone and chunks by their place, so one layer of each window, and the
 * first, second and last chunk of a row, are enough; that keeps a plan of a million tokens as cheap as a short one.
 */
#include "core/engine/fen-engine-private.h"

static void
measure_training (FenStep *step)
{
  const FenUpdate update = { .learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-8 };
  const FenHeadRun head = { .grad_scale = 1, .gradient = TRUE, .loss_sum = (double *)(void *)FEN_NOWHERE };
  const FenHeadRun read = { .logits = (float *)(void *)FEN_NOWHERE };

  fen_step_embed (step);
  fen_step_forward (step);
  fen_head_run (step, &read);
  fen_head_run (step, &head);
  fen_step_backward (step);
  fen_optimizer_run (step, &update, 1, 1);
}

static void
measure_inference (FenStep *step)
{
  const FenPlanSettings *s = &step->plan->settings;

  /* A full block at the start and one at the end, and one token at both: the two ways of feeding. */
  fen_feed_block (step, NULL, 0, s->chunk);
  fen_feed_block (step, NULL, s->row_tokens - s->chunk, s->chunk);
  fen_feed_block (step, NULL, 0, 1);
  fen_feed_block (step, NULL, s->row_tokens - 1, 1);
}

/* Layers that were not run need what their like needs. */
static void
copy_to_like_layers (const FenStep *step, guint64 *need)
{
  const FenPlan *plan = step->plan;

  for (gint64 layer = 0; layer < step->config->layers; layer++)
    {
      gint64 like = fen_step_like (step, layer);
      for (guint part = 0; part < FEN_N_FORWARD_PHASES; part++)
        need[fen_plan_forward_phase (plan, layer, part)] = need[fen_plan_forward_phase (plan, like, part)];
      for (guint part = 0; part < FEN_N_BACKWARD_PHASES && plan->purpose == FEN_PLAN_TRAIN; part++)
        need[fen_plan_backward_phase (plan, layer, part)] = need[fen_plan_backward_phase (plan, like, part)];
    }
}

gboolean
fen_plan_measure (FenPlan *plan, guint64 *need, GError **error)
{
  FenStep step = { .plan = plan,
                   .model = plan->model,
                   .config = fen_model_config (plan->model),
                   .arena = FEN_NOWHERE,
                   .measuring = TRUE,
                   .rows = plan->settings.rows,
                   .row_tokens = plan->settings.row_tokens,
                   .documents = TRUE };
  step.ops.backend = plan->backend;
  step.ops.properties = &plan->device;
  step.ops.need = need;

  for (guint documents = 0; documents < 2; documents++)
    {
      step.documents = documents != 0;
      if (plan->purpose == FEN_PLAN_TRAIN)
        measure_training (&step);
      else
        measure_inference (&step);
    }
  copy_to_like_layers (&step, need);
  if (step.ops.error == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&step.ops.error));
  return FALSE;
}
