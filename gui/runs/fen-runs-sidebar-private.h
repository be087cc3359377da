/* fen-runs-sidebar-private.h: what the files of the sidebar share. */
#pragma once

#include "gui/runs/fen-run-row-private.h"
#include "gui/runs/fen-runs-sidebar.h"

G_BEGIN_DECLS

typedef enum {
  FEN_SIDEBAR_OPEN,
  FEN_SIDEBAR_REUSE,
  FEN_SIDEBAR_RESUME,
  FEN_SIDEBAR_TOAST,
  FEN_SIDEBAR_COMPARE,
  FEN_N_SIDEBAR_SIGNALS
} FenSidebarSignal;

struct _FenRunsSidebar {
  AdwBin parent_instance;

  GtkSearchEntry *search;
  GtkToggleButton *select;
  GtkWidget *problem_box, *rename_button;
  GtkLabel *problem, *n_selected, *rename_error;
  GtkStack *stack;
  GtkListView *list;
  GtkRevealer *compare_bar;
  GtkWidget *cancel, *compare;
  GMenuModel *run_menu;
  GtkPopover *rename_popover;
  GtkEditable *rename_entry;

  FenRunStore *store;
  GtkFilter *filter;
  GtkSingleSelection *selection; /* the list's cursor; not what is checked */
  char *needle;                  /* what is searched, folded; NULL = nothing */
  GHashTable *rows;              /* FenRunRow that show a run now */
  GHashTable *checked;           /* FenRunItem, references */
  GHashTable *deleting;          /* FenRunItem whose deletion is on its way */
  char *current;
  GtkWidget *menu;    /* of one row at a time */
  FenRunItem *target; /* whose menu or name entry is open */
  GSimpleActionGroup *actions;
  guint time_source;
};

/* ---- fen-runs-sidebar.c ---- */
void fen_runs_sidebar_emit (FenRunsSidebar *self, FenSidebarSignal which, gpointer argument);
FenRunRow *fen_runs_sidebar_row_of (FenRunsSidebar *self,
                                    FenRunItem *item);       /* borrowed; NULL = not in view */
FenRunItem *fen_runs_sidebar_focused (FenRunsSidebar *self); /* borrowed; NULL = none */

/* ---- fen-runs-sidebar-actions.c ---- */
void fen_runs_sidebar_init_actions (FenRunsSidebar *self);
void fen_runs_sidebar_dispose_actions (FenRunsSidebar *self);
/* x, y in the row; -1: at its menu button. */
void fen_runs_sidebar_popup_menu (FenRunsSidebar *self, FenRunItem *item, int x, int y);
void fen_runs_sidebar_rename (FenRunsSidebar *self, FenRunItem *item);
void fen_runs_sidebar_delete (FenRunsSidebar *self, FenRunItem *item);

/* ---- fen-runs-sidebar-select.c ---- */
void fen_runs_sidebar_init_select (FenRunsSidebar *self);
gboolean fen_runs_sidebar_is_selecting (FenRunsSidebar *self);
void fen_runs_sidebar_set_selecting (FenRunsSidebar *self, gboolean selecting);
void fen_runs_sidebar_check (FenRunsSidebar *self, FenRunItem *item, gboolean checked);
/* Forgets checked runs that are gone. */
void fen_runs_sidebar_prune_checked (FenRunsSidebar *self);

G_END_DECLS
