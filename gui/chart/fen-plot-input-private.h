/* fen-plot-input-private.h: pointer, keys and menu of a plot. */
#pragma once

#include "gui/chart/fen-chart-private.h"

G_BEGIN_DECLS

typedef struct _FenPlotInput FenPlotInput;

FenPlotInput *fen_plot_input_new (FenPlot *plot, FenChart *chart);
void fen_plot_input_free (FenPlotInput *input);
/* The context menu; x NAN: at the cursor. */
void fen_plot_input_popup (FenPlotInput *input, double x, double y);
/* From the plot's size_allocate: places the open menu. */
void fen_plot_input_allocate (FenPlotInput *input);
/* The range that is being dragged. */
void fen_plot_input_draw (FenPlotInput *input, GtkSnapshot *snapshot, const FenLook *look,
                          const FenFrame *frame);

G_END_DECLS
