/* fen-mask-view.h: a small drawing of who sees whom: queries down, keys across, for the settings' context, window,
 * chunks, sinks and documents, scaled to the widget. */
#pragma once

#include <gtk/gtk.h>

#include "gui/settings/fen-settings.h"

G_BEGIN_DECLS

#define FEN_TYPE_MASK_VIEW (fen_mask_view_get_type ())
G_DECLARE_FINAL_TYPE (FenMaskView, fen_mask_view, FEN, MASK_VIEW, GtkWidget)

GtkWidget *fen_mask_view_new (FenSettings *settings);

/* What the drawing shows, in words, one sentence a line; also the property "description". */
const char *fen_mask_view_get_description (FenMaskView *self);

G_END_DECLS
