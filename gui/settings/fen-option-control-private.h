/* fen-option-control-private.h: the control of one option: a check button, an entry with suggestions and choosers, or a
 * drop-down. It writes what a person does into the settings and shows what the settings have; part of FenOptionRow. */
#pragma once

#include <gtk/gtk.h>

#include "gui/settings/fen-settings.h"

G_BEGIN_DECLS

typedef struct _FenOptionControl FenOptionControl;

FenOptionControl *fen_option_control_new (FenSettings *settings, const FenOption *option);
void fen_option_control_free (FenOptionControl *self);

/* Holds the control and its buttons; a widget for the row to place. */
GtkWidget *fen_option_control_get_box (FenOptionControl *self);
/* What has the focus and the value. */
GtkWidget *fen_option_control_get_widget (FenOptionControl *self);
/* Paths need a line of their own. */
gboolean fen_option_control_is_wide (FenOptionControl *self);

/* Shows the settings' value, the error style and whether it can be used. */
void fen_option_control_update (FenOptionControl *self, gboolean error, gboolean inactive);

void fen_option_control_set_placeholder (FenOptionControl *self, const char *text);
void fen_option_control_add_suggestion (FenOptionControl *self, const char *value, const char *title,
                                        const char *description);

G_END_DECLS
