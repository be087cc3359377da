/* fen-plan-categories.c: see fen-plan-categories.h. */
#include "gui/settings/fen-plan-categories.h"

#include <glib/gi18n.h>

const char *
fen_memory_category_title (FenMemoryCategory category)
{
  static const char *const titles[FEN_N_MEMORY_CATEGORIES] = {
    [FEN_MEMORY_WEIGHTS] = N_ ("Weights"),
    [FEN_MEMORY_GRADIENTS] = N_ ("Gradients"),
    [FEN_MEMORY_OPTIMIZER] = N_ ("Optimizer"),
    [FEN_MEMORY_CHECKPOINTS] = N_ ("Layer Inputs"),
    [FEN_MEMORY_ACTIVATIONS] = N_ ("Activations"),
    [FEN_MEMORY_ATTENTION] = N_ ("Attention"),
    [FEN_MEMORY_LOGITS] = N_ ("Logits"),
    [FEN_MEMORY_WORKSPACE] = N_ ("Workspace"),
    [FEN_MEMORY_OFFLOAD_HOST] = N_ ("Host Memory"),
  };
  g_return_val_if_fail ((guint)category < FEN_N_MEMORY_CATEGORIES, "");
  return _ (titles[category]);
}

guint
fen_memory_category_color (FenMemoryCategory category)
{
  return (guint)category;
}
