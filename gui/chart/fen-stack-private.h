/* fen-stack-private.h: the sum of several curves, kept as a curve of its own.
 *
 * A stack is drawn at the moment of its greatest sum in each pixel column: the parts of one real sample, not the
 * greatest of each part, which may never have been there together. The sum's pyramid finds that moment.
 *
 * Parts are read at the places of the first one; a part that has no point there stands at its last value before.
 */
#pragma once

#include "gui/chart/fen-draw-private.h"

G_BEGIN_DECLS

typedef struct _FenStack FenStack;

FenStack *fen_stack_new (void);
void fen_stack_free (FenStack *stack);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenStack, fen_stack_free)

void fen_stack_clear (FenStack *stack);
void fen_stack_add (FenStack *stack, FenSeries *part);
/* Adds up what is new. */
void fen_stack_update (FenStack *stack);
/* The sum, borrowed; NULL when there are no parts. */
FenSeries *fen_stack_total (FenStack *stack);
guint fen_stack_n_parts (FenStack *stack);
/* Finite: a gap in a part counts as 0 while other parts have values. */
double fen_stack_value (FenStack *stack, guint part, gsize index);

/* `colors`: one a part, bottom first. */
void fen_draw_stack (GtkSnapshot *snapshot, const FenFrame *frame, FenStack *stack, FenAxis axis,
                     const GdkRGBA *colors, double area_alpha);

G_END_DECLS
