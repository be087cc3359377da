/* fen-settings-pages-private.h: the pages of Training Settings, made from the option table: a page a group, a part a
 * section, the seldom-used options of a page behind "More" at its end. */
#pragma once

#include <adwaita.h>

#include "gui/settings/fen-option-row-private.h"
#include "gui/settings/fen-settings-facts.h"

G_BEGIN_DECLS

typedef struct {
  const char *name;    /* "data", as fen_settings_dialog_show_page takes it */
  GtkWidget *scroller; /* the page */
  GtkBox *content;
  AdwExpanderRow *more; /* NULL when nothing is seldom used */
  guint n_more;
} FenSettingsPage;

typedef struct {
  FenSettingsPage pages[FEN_N_GROUPS];
  GHashTable *rows; /* option's name -> FenOptionRow, borrowed */
} FenSettingsPages;

/* Adds the pages to `stack`. `expert` has no row: it stands in the application's preferences. */
void fen_settings_pages_init (FenSettingsPages *self, GtkStack *stack, FenSettings *settings);
void fen_settings_pages_clear (FenSettingsPages *self);

FenOptionRow *fen_settings_pages_find_row (FenSettingsPages *self, const char *option);
/* Opens "More" when the row is behind it. */
void fen_settings_pages_reveal (FenSettingsPages *self, FenOptionRow *row);
/* How many of the settings behind each "More" are not at their default. */
void fen_settings_pages_update (FenSettingsPages *self);

/* What the table cannot know: suggestions, placeholders. Once. */
void fen_settings_extras_init (FenSettingsPages *self, FenSettings *settings);
/* What is known about the values: sizes, counts, what is wrong with a file. After each change. */
void fen_settings_extras_update (FenSettingsPages *self, FenSettings *settings, FenSettingsFacts *facts);

G_END_DECLS
