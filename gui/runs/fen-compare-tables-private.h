/* fen-compare-tables-private.h: the words of the compare page's two tables, one column a run. */
#pragma once

#include <gtk/gtk.h>

#include "gui/run/fen-run-session.h"

G_BEGIN_DECLS

/* Tables as arrays of rows (GStrv): a title and one cell a run. Free with g_ptr_array_unref. `sessions`: FenRunSession. */
GPtrArray *fen_compare_figures (GPtrArray *sessions);
/* Settings in which the runs differ, in the option table's order and under its titles. `*known`: how many of the runs'
 * settings could be read. */
GPtrArray *fen_compare_settings (GPtrArray *sessions, guint *known);

/* Writes header and rows into a grid; labels that are there already only change their text. */
void fen_compare_fill_grid (GtkGrid *grid, char **header, GPtrArray *rows);

G_END_DECLS
