/* fen-plan-phases.c: the order of a step, as numbers.
 *
 *   0                 embedding
 *   1 + 2l + part     layer l forward
 *   1 + 2L            head: final norm, logits, loss and its gradient
 *   2 + 2L + 6(L-1-l) + part   layer l backward (layers in reverse)
 *   2 + 8L            embedding's gradient
 *   3 + 8L            update
 */
#include "core/engine/fen-engine-private.h"

static guint
layers (const FenPlan *plan)
{
  return (guint)fen_model_config (plan->model)->layers;
}

guint
fen_plan_forward_phase (const FenPlan *plan, gint64 layer, guint part)
{
  return 1 + FEN_N_FORWARD_PHASES * (guint)layer + part;
}

guint
fen_plan_head_phase (const FenPlan *plan)
{
  return 1 + FEN_N_FORWARD_PHASES * layers (plan);
}

guint
fen_plan_backward_phase (const FenPlan *plan, gint64 layer, guint part)
{
  return fen_plan_head_phase (plan) + 1 + FEN_N_BACKWARD_PHASES * (layers (plan) - 1 - (guint)layer) + part;
}

guint
fen_plan_embedding_backward_phase (const FenPlan *plan)
{
  return fen_plan_head_phase (plan) + 1 + FEN_N_BACKWARD_PHASES * layers (plan);
}

guint
fen_plan_update_phase (const FenPlan *plan)
{
  return fen_plan_embedding_backward_phase (plan) + 1;
}

guint
fen_plan_n_phases (const FenPlan *plan)
{
  return plan->n_phases;
}

/* Interned: there are few of them and callers keep the pointer. */
const char *
fen_plan_phase_name (const FenPlan *plan, guint phase)
{
  static const char *const forward[] = { "attention", "MLP" };
  static const char *const backward[]
      = { "rebuild keys and values", "recompute attention", "recompute MLP", "MLP", "attention", "QKV" };
  guint head = fen_plan_head_phase (plan);
  g_autofree char *name = NULL;

  if (phase == 0)
    return "embedding";
  if (phase == head)
    return "LM head";
  if (phase < head)
    {
      guint i = phase - 1;
      name = g_strdup_printf ("layer %u forward: %s", i / FEN_N_FORWARD_PHASES,
                              forward[i % FEN_N_FORWARD_PHASES]);
    }
  else if (phase < fen_plan_embedding_backward_phase (plan))
    {
      guint i = phase - head - 1;
      name = g_strdup_printf ("layer %u backward: %s", layers (plan) - 1 - i / FEN_N_BACKWARD_PHASES,
                              backward[i % FEN_N_BACKWARD_PHASES]);
    }
  else
    return phase == fen_plan_embedding_backward_phase (plan) ? "embedding backward" : "update";
  return g_intern_string (name);
}
