/* fen-run-store-private.h: what the files of the run store share: items are filled by it alone, a place is one folder
 * that holds runs and knows how to look at it. */
#pragma once

#include "gui/runs/fen-run-store.h"

G_BEGIN_DECLS

FenRunItem *fen_run_item_new (FenRunInfo *info); /* takes the info */
void fen_run_item_take_info (FenRunItem *self, FenRunInfo *info);

/* ---- a place ---- */

/* What a look found in one folder. */
typedef struct {
  char *path;
  guint64 mark;     /* of the files whose change means that the run is to be read again */
  gboolean trained; /* somebody writes it: read at every look, since a killed process changes no file */
  FenRunInfo *info; /* NULL: as it was. The receiver may steal it */
} FenRunSeen;

#define FEN_TYPE_RUN_PLACE (fen_run_place_get_type ())
G_DECLARE_FINAL_TYPE (FenRunPlace, fen_run_place, FEN, RUN_PLACE, GObject)

/* `seen`: array of FenRunSeen, all runs of the place. `discarded`: paths that an earlier process left (first look only,
 * otherwise NULL). */
typedef void (*FenRunPlaceFunc) (FenRunPlace *place, GPtrArray *seen, GPtrArray *discarded,
                                 gpointer user_data);

/* `required`: that the folder is not there is a problem (the default place is only made by the first run). */
FenRunPlace *fen_run_place_new (const char *path, gboolean required, FenRunPlaceFunc func,
                                gpointer user_data);
/* No calls of the function after this. */
void fen_run_place_stop (FenRunPlace *self);
const char *fen_run_place_get_path (FenRunPlace *self);
const char *fen_run_place_get_problem (FenRunPlace *self); /* of the last look; NULL = none */
gboolean fen_run_place_is_ready (FenRunPlace *self);       /* looked at once */
/* Looks again; a look on its way is not doubled, one more follows it. */
void fen_run_place_look (FenRunPlace *self);
/* Something was changed in it by ourselves: what a look on its way brings is from before and is dropped. */
void fen_run_place_invalidate (FenRunPlace *self);
void fen_run_place_set_watched (FenRunPlace *self, gboolean watched);

/* ---- the store's insides for the file that changes runs ---- */

FenRunPlace *fen_run_store_place_of (FenRunStore *self, const char *run_path); /* borrowed; NULL = none */
/* Gives the item of this run its news (takes them). */
void fen_run_store_update (FenRunStore *self, FenRunInfo *info);
void fen_run_store_insert (FenRunStore *self, FenRunItem *item);
void fen_run_store_remove (FenRunStore *self, FenRunItem *item);
void fen_run_store_set_failure (FenRunStore *self, const char *text);
GHashTable *fen_run_store_discarded_items (FenRunStore *self); /* discarded path -> FenRunItem */

G_END_DECLS
