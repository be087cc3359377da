/* fen-run-figures-private.h: the few numbers that a person looks at first, each with its kind: planned or measured. */
#pragma once

#include <adwaita.h>

#include "gui/run/fen-run-session.h"

G_BEGIN_DECLS

#define FEN_TYPE_RUN_FIGURES (fen_run_figures_get_type ())
G_DECLARE_FINAL_TYPE (FenRunFigures, fen_run_figures, FEN, RUN_FIGURES, GtkWidget)

GtkWidget *fen_run_figures_new (void);
void fen_run_figures_show (FenRunFigures *self, FenRunSession *session);

/* What a run's memory is made of, for the figures and the memory chart. Bytes; 0 = not known. */
typedef struct {
  gboolean known;   /* `is_host` is */
  gboolean is_host; /* the device's memory is RAM */
  guint64 planned;  /* the arenas and what the device itself takes */
  guint64 used;     /* by this process, measured */
  guint64 peak;     /* by this process, measured */
  guint64 all;      /* by everybody, measured */
  guint64 others;   /* by other processes, measured */
  guint64 total;    /* of the device or machine */
} FenRunMemory;
void fen_run_memory_look (FenRunSession *session, FenRunMemory *memory);

G_END_DECLS
