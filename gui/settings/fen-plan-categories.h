/* fen-plan-categories.h: how the kinds of memory are called and coloured, in the plan bar and in the run's charts. */
#pragma once

#include "core/engine/fen-plan.h"

G_BEGIN_DECLS

/* "Weights", "Optimizer", ... translated. */
const char *fen_memory_category_title (FenMemoryCategory category);
/* An index into the palette that charts use. */
guint fen_memory_category_color (FenMemoryCategory category);

G_END_DECLS
