/* fen-run-item.c: one run of the list (see fen-run-store.h). */
#include "gui/runs/fen-run-store-private.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "gui/run/fen-run-page.h"

struct _FenRunItem {
  GObject parent_instance;

  FenRunInfo *info;
  char *status_text;
};

enum { PROP_0, PROP_NAME, PROP_STATUS_TEXT, PROP_STATUS, PROP_LOSS, N_PROPS };
static GParamSpec *props[N_PROPS];
static guint changed_signal;

G_DEFINE_FINAL_TYPE (FenRunItem, fen_run_item, G_TYPE_OBJECT)

static char *
make_status_text (const FenRunInfo *info)
{
  const char *status = fen_run_status_title (info->status);
  if (info->status == FEN_RUN_DAMAGED || !isfinite (info->loss))
    return g_strdup (status);
  if (info->status == FEN_RUN_RUNNING && info->steps > 0)
    {
      const double percent = CLAMP (100.0 * (double)info->step / (double)info->steps, 0, 100);
      /* TRANSLATORS: a run that is being trained: "Running, 42 % · loss 2.31". %% is a percent sign. */
      return g_strdup_printf (_ ("%s, %.0f %% · loss %.3g"), status, percent, info->loss);
    }
  /* TRANSLATORS: a run's state and its last loss: "Finished · loss 2.31" */
  return g_strdup_printf (_ ("%s · loss %.3g"), status, info->loss);
}

static gboolean
same_number (double a, double b)
{
  return a == b || (isnan (a) && isnan (b));
}

static gboolean
same_info (const FenRunInfo *a, const FenRunInfo *b)
{
  return strcmp (a->name, b->name) == 0 && a->status == b->status && strcmp (a->reason, b->reason) == 0
         && a->step == b->step && a->steps == b->steps && a->tokens == b->tokens
         && same_number (a->loss, b->loss) && same_number (a->eval_loss, b->eval_loss)
         && a->started == b->started && a->ended == b->ended && a->pid == b->pid
         && strcmp (a->model, b->model) == 0 && strcmp (a->dataset, b->dataset) == 0
         && strcmp (a->device, b->device) == 0 && a->parameters == b->parameters
         && a->checkpoint_step == b->checkpoint_step && a->has_model == b->has_model;
}

void
fen_run_item_take_info (FenRunItem *self, FenRunInfo *info)
{
  g_autoptr (FenRunInfo) old = self->info;
  g_autofree char *old_text = self->status_text;
  self->info = info;
  self->status_text = make_status_text (info);
  if (old == NULL || same_info (old, info))
    return;
  g_object_freeze_notify (G_OBJECT (self));
  if (strcmp (old->name, info->name) != 0)
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_NAME]);
  if (strcmp (old_text, self->status_text) != 0)
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_STATUS_TEXT]);
  if (old->status != info->status)
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_STATUS]);
  if (!same_number (old->loss, info->loss))
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_LOSS]);
  g_object_thaw_notify (G_OBJECT (self));
  g_signal_emit (self, changed_signal, 0);
}

FenRunItem *
fen_run_item_new (FenRunInfo *info)
{
  FenRunItem *self = g_object_new (FEN_TYPE_RUN_ITEM, NULL);
  fen_run_item_take_info (self, info);
  return self;
}

const FenRunInfo *
fen_run_item_get_info (FenRunItem *self)
{
  g_return_val_if_fail (FEN_IS_RUN_ITEM (self), NULL);
  return self->info;
}

const char *
fen_run_item_get_path (FenRunItem *self)
{
  g_return_val_if_fail (FEN_IS_RUN_ITEM (self), NULL);
  return self->info->path;
}

const char *
fen_run_item_get_name (FenRunItem *self)
{
  g_return_val_if_fail (FEN_IS_RUN_ITEM (self), NULL);
  return self->info->name;
}

const char *
fen_run_item_get_status_text (FenRunItem *self)
{
  g_return_val_if_fail (FEN_IS_RUN_ITEM (self), NULL);
  return self->status_text;
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  FenRunItem *self = FEN_RUN_ITEM (object);
  switch (id)
    {
    case PROP_NAME:
      g_value_set_string (value, self->info->name);
      break;
    case PROP_STATUS_TEXT:
      g_value_set_string (value, self->status_text);
      break;
    case PROP_STATUS:
      g_value_set_int (value, (int)self->info->status);
      break;
    case PROP_LOSS:
      g_value_set_double (value, self->info->loss);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
finalize (GObject *object)
{
  FenRunItem *self = FEN_RUN_ITEM (object);
  fen_run_info_free (self->info);
  g_free (self->status_text);
  G_OBJECT_CLASS (fen_run_item_parent_class)->finalize (object);
}

static void
fen_run_item_class_init (FenRunItemClass *class)
{
  GObjectClass *object_class = G_OBJECT_CLASS (class);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  props[PROP_NAME] = g_param_spec_string ("name", NULL, NULL, NULL, flags);
  props[PROP_STATUS_TEXT] = g_param_spec_string ("status-text", NULL, NULL, NULL, flags);
  props[PROP_STATUS]
      = g_param_spec_int ("status", NULL, NULL, FEN_RUN_RUNNING, FEN_RUN_DAMAGED, FEN_RUN_DAMAGED, flags);
  props[PROP_LOSS] = g_param_spec_double ("loss", NULL, NULL, -G_MAXDOUBLE, G_MAXDOUBLE, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, props);
  changed_signal
      = g_signal_new ("changed", FEN_TYPE_RUN_ITEM, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
fen_run_item_init (FenRunItem *self)
{
}
