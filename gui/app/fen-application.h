/* fen-application.h: the application: one process a person, actions, command line, what outlives a window.
 *
 * Command line: `fenestra` opens the window; `fenestra --config FILE` opens it with these settings; `fenestra RUN` shows a
 * run folder. A second start hands its arguments to the first.
 */
#pragma once

#include <adwaita.h>

#include "gui/run/fen-run-session.h"
#include "gui/runs/fen-run-store.h"
#include "gui/settings/fen-settings-facts.h"

G_BEGIN_DECLS

#define FEN_TYPE_APPLICATION (fen_application_get_type ())
G_DECLARE_FINAL_TYPE (FenApplication, fen_application, FEN, APPLICATION, AdwApplication)

FenApplication *fen_application_new (void);

/* Shared by all windows; borrowed. */
GSettings *fen_application_get_gsettings (FenApplication *self);
FenSettings *fen_application_get_settings (FenApplication *self);
FenSettingsFacts *fen_application_get_facts (FenApplication *self);
FenRunStore *fen_application_get_runs (FenApplication *self);
/* The run that this process trains; NULL when none does. At most one at a time. */
FenRunSession *fen_application_get_own_run (FenApplication *self);

/* Property own-run notifies; so does what it stands for (see FenRunSession). */
void fen_application_stop_own_run (FenApplication *self); /* with a checkpoint, after this step */
/* Ends the process: at once, or, while a run goes on, when it has stopped with a checkpoint. */
void fen_application_stop_and_quit (FenApplication *self);

/* Start from the settings, or go on with a run folder. NULL with an error; the session is the application's. */
FenRunSession *fen_application_start_run (FenApplication *self, GError **error);
FenRunSession *fen_application_resume_run (FenApplication *self, const char *path, gint64 steps,
                                           GError **error);

G_END_DECLS
