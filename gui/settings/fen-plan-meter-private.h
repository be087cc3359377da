/* fen-plan-meter-private.h: the drawing inside FenPlanBar: a stacked bar of planned memory against the device's.
 *
 * From the start of the line: the categories in their order, packing gaps, what stays free, and at the end what the run
 * may not take (other programs, the memory limit). A plan that needs more than it may take is drawn over that end and
 * beyond the mark, and the part that is too much is red and striped, so that colour alone tells nothing. */
#pragma once

#include <gtk/gtk.h>

#include "core/engine/fen-plan.h"

G_BEGIN_DECLS

typedef struct {
  guint64 categories[FEN_N_MEMORY_CATEGORIES]; /* at the peak of the device's memory */
  guint64 unused;                              /* gaps of the packing */
  guint64 needed;                              /* what counts against the device's memory */
  gboolean fits;
  guint64 host;             /* pinned host arena */
  guint64 available, total; /* of the device; 0 while not known */
  gboolean is_cpu;
} FenPlanNumbers;

void fen_plan_numbers_init (FenPlanNumbers *numbers, const FenPlan *plan);
/* The category that takes most of the peak. */
FenMemoryCategory fen_plan_numbers_largest (const FenPlanNumbers *numbers);

#define FEN_TYPE_PLAN_METER (fen_plan_meter_get_type ())
G_DECLARE_FINAL_TYPE (FenPlanMeter, fen_plan_meter, FEN, PLAN_METER, GtkWidget)

GtkWidget *fen_plan_meter_new (void);
/* NULL: nothing is known. */
void fen_plan_meter_set_numbers (FenPlanMeter *self, const FenPlanNumbers *numbers);
/* A small square in the category's colour, for legends. */
GtkWidget *fen_plan_swatch_new (FenMemoryCategory category);

G_END_DECLS
