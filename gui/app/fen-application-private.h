/* fen-application-private.h: the parts of the application: life (fen-application.c), actions, the run of this process. */
#pragma once

#include "gui/app/fen-application.h"
#include "gui/app/fen-window.h"

G_BEGIN_DECLS

struct _FenApplication {
  AdwApplication parent_instance;
  GSettings *gsettings;
  FenSettings *settings;
  FenSettingsFacts *facts; /* made when first asked for: it looks at devices */
  FenRunStore *runs;

  FenRunSession *own_run; /* NULL when this process trains nothing */
  guint inhibit_cookie;   /* suspend and logout are held off while own_run is there */
  guint signals_received;
  gboolean quit_when_done;
  guint signal_sources[3];
};

/* fen-application.c */
FenWindow *fen_application_present_window (FenApplication *self);

/* fen-application-actions.c: app.preferences, app.help, app.about, app.quit, app.show-run and the keys of all actions. */
void fen_application_add_actions (FenApplication *self);

/* fen-application-run.c */
void fen_application_run_watch_signals (FenApplication *self);
/* Before the process ends: a run that still goes on is stopped with a checkpoint, and waited for. */
void fen_application_run_shutdown (FenApplication *self);

G_END_DECLS
