/* fen-chart-group.c: axis, range, cursor and smoothing that the charts of a page share (see fen-chart.h). */
#include "gui/chart/fen-chart-group-private.h"

#include <math.h>

#define DEFAULT_SMOOTHING 0.6
#define MAX_SMOOTHING 0.99
/* Closer than this share of everything, places are not told apart by a double on a token axis of 1e12. */
#define LEAST_SHARE 1e-9

typedef struct {
  double min, max, gutter;
} Told;

struct _FenChartGroup {
  GObject parent_instance;
  FenAxis axis;
  double smoothing;
  gboolean zoomed;
  double min, max; /* when zoomed */
  double cursor;
  GHashTable *told; /* chart -> Told */
  Told all;         /* of all of them */
  gpointer teller;  /* while a chart's telling is passed on */
  guint64 generation;
};

enum { PROP_0, PROP_AXIS, PROP_SMOOTHING, PROP_ZOOMED, PROP_CURSOR, N_PROPS };
enum { CHANGED, N_SIGNALS };

static GParamSpec *properties[N_PROPS];
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (FenChartGroup, fen_chart_group, G_TYPE_OBJECT)

static void
emit_changed (FenChartGroup *self)
{
  self->generation++;
  g_signal_emit (self, signals[CHANGED], 0);
}

FenAxis
fen_chart_group_get_axis (FenChartGroup *self)
{
  g_return_val_if_fail (FEN_IS_CHART_GROUP (self), FEN_AXIS_STEP);
  return self->axis;
}

void
fen_chart_group_set_axis (FenChartGroup *self, FenAxis axis)
{
  g_return_if_fail (FEN_IS_CHART_GROUP (self) && (guint)axis < FEN_N_AXES);
  if (axis == self->axis)
    return;
  self->axis = axis;
  /* What the charts told was about the other axis; they tell again when they hear of the change. */
  g_hash_table_remove_all (self->told);
  self->all = (Told){ INFINITY, -INFINITY, 0 };
  g_object_freeze_notify (G_OBJECT (self));
  fen_chart_group_set_cursor (self, NAN);
  if (self->zoomed)
    {
      self->zoomed = FALSE;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_ZOOMED]);
    }
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_AXIS]);
  g_object_thaw_notify (G_OBJECT (self));
  emit_changed (self);
}

double
fen_chart_group_get_smoothing (FenChartGroup *self)
{
  g_return_val_if_fail (FEN_IS_CHART_GROUP (self), 0);
  return self->smoothing;
}

void
fen_chart_group_set_smoothing (FenChartGroup *self, double smoothing)
{
  g_return_if_fail (FEN_IS_CHART_GROUP (self));
  smoothing = isnan (smoothing) ? 0 : CLAMP (smoothing, 0, MAX_SMOOTHING);
  if (smoothing == self->smoothing)
    return;
  self->smoothing = smoothing;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SMOOTHING]);
  emit_changed (self);
}

/* ---- range ---- */

gboolean
fen_chart_group_get_range (FenChartGroup *self, double *min, double *max)
{
  g_return_val_if_fail (FEN_IS_CHART_GROUP (self), FALSE);
  if (!self->zoomed)
    return FALSE;
  *min = self->min;
  *max = self->max;
  return TRUE;
}

void
fen_chart_group_set_range (FenChartGroup *self, double min, double max)
{
  g_return_if_fail (FEN_IS_CHART_GROUP (self));
  if (!isfinite (min) || !isfinite (max) || !(min < max) || !isfinite (max - min)
      || (self->zoomed && min == self->min && max == self->max))
    return;
  self->min = min;
  self->max = max;
  if (!self->zoomed)
    {
      self->zoomed = TRUE;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_ZOOMED]);
    }
  emit_changed (self);
}

void
fen_chart_group_reset_range (FenChartGroup *self)
{
  g_return_if_fail (FEN_IS_CHART_GROUP (self));
  if (!self->zoomed)
    return;
  self->zoomed = FALSE;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_ZOOMED]);
  emit_changed (self);
}

gboolean
fen_chart_group_get_extent (FenChartGroup *self, double *min, double *max)
{
  *min = self->all.min;
  *max = self->all.max;
  return self->all.min <= self->all.max;
}

void
fen_chart_group_get_shown (FenChartGroup *self, double *min, double *max)
{
  if (fen_chart_group_get_range (self, min, max))
    return;
  if (!fen_chart_group_get_extent (self, min, max))
    {
      *min = 0;
      *max = 1;
    }
  if (*max - *min < 1e-12 * fabs (*max) || *max == *min)
    {
      /* One point stands in the middle. */
      double half = fmax (0.5, 1e-9 * fabs (*max));
      *min -= half;
      *max += half;
    }
}

/* Keeps the width and stays where there is something. */
static gboolean
set_inside (FenChartGroup *self, double min, double width)
{
  double low, high, old_min, old_max;
  if (!fen_chart_group_get_extent (self, &low, &high) || low == high)
    return FALSE;
  fen_chart_group_get_shown (self, &old_min, &old_max);
  if (width >= high - low)
    {
      gboolean was_zoomed = self->zoomed;
      fen_chart_group_reset_range (self);
      return was_zoomed;
    }
  min = CLAMP (min, low, high - width);
  fen_chart_group_set_range (self, min, min + width);
  return min != old_min || min + width != old_max;
}

gboolean
fen_chart_group_pan (FenChartGroup *self, double share)
{
  return self->zoomed
         && set_inside (self, self->min + share * (self->max - self->min), self->max - self->min);
}

gboolean
fen_chart_group_zoom (FenChartGroup *self, double center, double factor)
{
  double min, max, low, high;
  if (!fen_chart_group_get_extent (self, &low, &high))
    return FALSE;
  fen_chart_group_get_shown (self, &min, &max);
  center = CLAMP (center, min, max);
  double least = fmax (LEAST_SHARE * fmax (fabs (low), fabs (high)), LEAST_SHARE);
  double width = fmax (least, (max - min) * factor);
  return set_inside (self, center - (center - min) * width / (max - min), width);
}

/* ---- what charts tell ---- */

static void
gather (FenChartGroup *self)
{
  Told all = { INFINITY, -INFINITY, 0 };
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, self->told);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const Told *told = value;
      all.min = MIN (all.min, told->min);
      all.max = MAX (all.max, told->max);
      all.gutter = MAX (all.gutter, told->gutter);
    }
  gboolean same = all.gutter == self->all.gutter
                  && (self->zoomed || (all.min == self->all.min && all.max == self->all.max));
  self->all = all;
  if (!same)
    emit_changed (self);
}

void
fen_chart_group_tell (FenChartGroup *self, gpointer chart, double min, double max, double gutter)
{
  Told *told = g_hash_table_lookup (self->told, chart);
  if (told != NULL && told->min == min && told->max == max && told->gutter == gutter)
    return;
  if (told == NULL)
    g_hash_table_insert (self->told, chart, told = g_new (Told, 1));
  *told = (Told){ min, max, gutter };
  self->teller = chart;
  gather (self);
  self->teller = NULL;
}

gpointer
fen_chart_group_get_teller (FenChartGroup *self)
{
  return self->teller;
}

void
fen_chart_group_forget (FenChartGroup *self, gpointer chart)
{
  if (!g_hash_table_remove (self->told, chart))
    return;
  self->teller = chart;
  gather (self);
  self->teller = NULL;
}

double
fen_chart_group_get_gutter (FenChartGroup *self)
{
  return self->all.gutter;
}

guint64
fen_chart_group_get_generation (FenChartGroup *self)
{
  return self->generation;
}

/* ---- cursor ---- */

double
fen_chart_group_get_cursor (FenChartGroup *self)
{
  g_return_val_if_fail (FEN_IS_CHART_GROUP (self), NAN);
  return self->cursor;
}

void
fen_chart_group_set_cursor (FenChartGroup *self, double x)
{
  g_return_if_fail (FEN_IS_CHART_GROUP (self));
  if (!isfinite (x))
    x = NAN;
  if (x == self->cursor || (isnan (x) && isnan (self->cursor)))
    return;
  self->cursor = x;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_CURSOR]);
  /* Not a new generation: curves stay as they were drawn. */
  g_signal_emit (self, signals[CHANGED], 0);
}

/* ---- the object ---- */

static void
fen_chart_group_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  FenChartGroup *self = FEN_CHART_GROUP (object);
  switch (id)
    {
    case PROP_AXIS:
      g_value_set_int (value, (int)self->axis);
      break;
    case PROP_SMOOTHING:
      g_value_set_double (value, self->smoothing);
      break;
    case PROP_ZOOMED:
      g_value_set_boolean (value, self->zoomed);
      break;
    case PROP_CURSOR:
      g_value_set_double (value, self->cursor);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
fen_chart_group_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  FenChartGroup *self = FEN_CHART_GROUP (object);
  switch (id)
    {
    case PROP_AXIS:
      fen_chart_group_set_axis (self, (FenAxis)g_value_get_int (value));
      break;
    case PROP_SMOOTHING:
      fen_chart_group_set_smoothing (self, g_value_get_double (value));
      break;
    case PROP_CURSOR:
      fen_chart_group_set_cursor (self, g_value_get_double (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
fen_chart_group_finalize (GObject *object)
{
  g_hash_table_unref (FEN_CHART_GROUP (object)->told);
  G_OBJECT_CLASS (fen_chart_group_parent_class)->finalize (object);
}

static void
fen_chart_group_class_init (FenChartGroupClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  object_class->get_property = fen_chart_group_get_property;
  object_class->set_property = fen_chart_group_set_property;
  object_class->finalize = fen_chart_group_finalize;
  properties[PROP_AXIS] = g_param_spec_int ("axis", NULL, NULL, 0, FEN_N_AXES - 1, FEN_AXIS_STEP, flags);
  properties[PROP_SMOOTHING]
      = g_param_spec_double ("smoothing", NULL, NULL, 0, MAX_SMOOTHING, DEFAULT_SMOOTHING, flags);
  properties[PROP_ZOOMED]
      = g_param_spec_boolean ("zoomed", NULL, NULL, FALSE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  properties[PROP_CURSOR] = g_param_spec_double ("cursor", NULL, NULL, -G_MAXDOUBLE, G_MAXDOUBLE, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  signals[CHANGED] = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 0);
}

static void
fen_chart_group_init (FenChartGroup *self)
{
  self->smoothing = DEFAULT_SMOOTHING;
  self->cursor = NAN;
  self->all = (Told){ INFINITY, -INFINITY, 0 };
  self->told = g_hash_table_new_full (NULL, NULL, NULL, g_free);
}

FenChartGroup *
fen_chart_group_new (void)
{
  return g_object_new (FEN_TYPE_CHART_GROUP, NULL);
}
