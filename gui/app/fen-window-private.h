/* fen-window-private.h: the parts of the main window: life and layout (fen-window.c), actions, closing. */
#pragma once

#include "gui/app/fen-window.h"
#include "gui/run/fen-run-page.h"
#include "gui/runs/fen-compare-page.h"
#include "gui/runs/fen-runs-sidebar.h"
#include "gui/settings/fen-settings-dialog.h"

G_BEGIN_DECLS

struct _FenWindow {
  AdwApplicationWindow parent_instance;
  FenApplication *application; /* outlives the window */

  /* from fen-window.ui */
  AdwToastOverlay *toasts;
  AdwWindowTitle *title;
  AdwFlap *flap;
  GtkStack *pages;
  GtkWidget *start_button, *pause_button, *continue_button, *stop_button;
  GtkInfoBar *problem_bar, *interrupted_bar;
  GtkLabel *problem_label, *interrupted_label;

  FenRunsSidebar *sidebar;
  FenRunPage *run_page;
  FenComparePage *compare_page;
  FenSettingsDialog *dialog; /* weak; NULL while it is not open */
  GtkWidget *question;       /* weak; the question of closing, while it is asked */

  FenRunSession *shown;   /* what the run page shows; NULL = nothing */
  char *interrupted_path; /* of the bar's run */
  GCancellable *cancellable;
  gboolean closing; /* the answer was given: close without asking again */
};

/* fen-window.c */
void fen_window_show_session (FenWindow *self, FenRunSession *session);
void fen_window_toast (FenWindow *self, AdwToast *toast);
/* The settings of a run folder become those being edited, with an Undo. */
void fen_window_reuse_settings (FenWindow *self, const FenConfig *config, const char *name);

/* fen-window-actions.c */
void fen_window_add_actions (FenWindow *self);
/* Which actions can be done now, and which of their buttons are shown. */
void fen_window_update_actions (FenWindow *self);
void fen_window_resume (FenWindow *self, const char *path);
void fen_window_open_settings (FenWindow *self, const char *option);

/* fen-window-runs.c: the sidebar's and the run page's signals, and the run that a crash interrupted. */
void fen_window_connect_rooms (FenWindow *self);
void fen_window_look_for_interrupted_run (FenWindow *self);

/* fen-window-close.c */
gboolean fen_window_close_request (GtkWindow *window);

G_END_DECLS
