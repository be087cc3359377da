/* fen-option-row-private.h: one option of the table as a row of a page: title, help, what is wrong or why it has no
 * effect, the control that its type asks for, reset to the default, and the longer help behind a button.
 *
 * A row of its own rather than AdwEntryRow, AdwComboRow and a row with a switch: all rows then say errors, reasons and
 * notes in the same place, and control and words are tied for screen readers (labelled-by, described-by), which needs
 * the labels themselves.
 *
 * The row follows its FenSettings and never keeps a value of its own.
 */
#pragma once

#include <adwaita.h>

#include "gui/settings/fen-settings.h"

G_BEGIN_DECLS

#define FEN_TYPE_OPTION_ROW (fen_option_row_get_type ())
G_DECLARE_FINAL_TYPE (FenOptionRow, fen_option_row, FEN, OPTION_ROW, AdwPreferencesRow)

GtkWidget *fen_option_row_new (FenSettings *settings, const FenOption *option);
const FenOption *fen_option_row_get_option (FenOptionRow *self);

/* What is known about the value ("4 chunks"), and what was found wrong with it elsewhere (the file is not there). NULL
 * hides it. */
void fen_option_row_set_fact (FenOptionRow *self, const char *text);
void fen_option_row_set_fact_error (FenOptionRow *self, const char *text);
/* What an empty entry stands for. */
void fen_option_row_set_placeholder (FenOptionRow *self, const char *text);
/* An entry in the list behind the arrow. `description` may be NULL. */
void fen_option_row_add_suggestion (FenOptionRow *self, const char *value, const char *title,
                                    const char *description);

/* The check button, entry or drop-down. */
GtkWidget *fen_option_row_get_control (FenOptionRow *self);
/* Is the value another than the default (or not valid)? */
gboolean fen_option_row_is_changed (FenOptionRow *self);

G_END_DECLS
