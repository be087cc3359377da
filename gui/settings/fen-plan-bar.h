/* fen-plan-bar.h: planned memory against what the device has: a stacked bar, red when it does not fit, with the numbers
 * in words ("Planned 3.2 GiB of 22.1 GiB RAM; largest: logits 1.1 GiB"). */
#pragma once

#include <gtk/gtk.h>

#include "gui/settings/fen-settings-facts.h"

G_BEGIN_DECLS

#define FEN_TYPE_PLAN_BAR (fen_plan_bar_get_type ())
G_DECLARE_FINAL_TYPE (FenPlanBar, fen_plan_bar, FEN, PLAN_BAR, GtkWidget)

GtkWidget *fen_plan_bar_new (FenSettingsFacts *facts);

G_END_DECLS
