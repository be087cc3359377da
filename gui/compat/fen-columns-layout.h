/* fen-columns-layout.h: children in as many equal columns as fit, rows below one another.
 *
 * GtkFlowBox would do it, but it makes every child a focus stop and a grid cell of its own, which is noise for the
 * keyboard and for screen readers where children are plain content.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define FEN_TYPE_COLUMNS_LAYOUT (fen_columns_layout_get_type ())
G_DECLARE_FINAL_TYPE (FenColumnsLayout, fen_columns_layout, FEN, COLUMNS_LAYOUT, GtkLayoutManager)

/* A column is at least `column_width` pixels wide (and as wide as the widest child needs); there are at most
 * `max_columns` of them. */
GtkLayoutManager *fen_columns_layout_new (int column_width, int max_columns, int spacing);

G_END_DECLS
