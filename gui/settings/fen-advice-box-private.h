/* fen-advice-box-private.h: the drawing of the mask with its words, and beside it the advice for the context with "Use".
 * Nothing is applied before a person presses it. Where the plan says better (the row fits as it is), the plan wins and
 * the line says so. */
#pragma once

#include <gtk/gtk.h>

#include "gui/settings/fen-settings-facts.h"

G_BEGIN_DECLS

#define FEN_TYPE_ADVICE_BOX (fen_advice_box_get_type ())
G_DECLARE_FINAL_TYPE (FenAdviceBox, fen_advice_box, FEN, ADVICE_BOX, GtkWidget)

GtkWidget *fen_advice_box_new (FenSettings *settings, FenSettingsFacts *facts);

G_END_DECLS
