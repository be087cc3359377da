/* fen-plan-meter.c: see fen-plan-meter-private.h. */
#include "gui/settings/fen-plan-meter-private.h"

#include "gui/settings/fen-plan-categories.h"

#define METER_HEIGHT 14
#define METER_WIDTH 120
#define SWATCH_SIZE 12
#define STRIPE 4

/* ---- numbers ---- */

void
fen_plan_numbers_init (FenPlanNumbers *numbers, const FenPlan *plan)
{
  *numbers = (FenPlanNumbers){ 0 };
  fen_plan_categories (plan, numbers->categories, &numbers->unused);
  numbers->needed = fen_plan_needed_bytes (plan);
  numbers->host = fen_plan_host_bytes (plan);
  numbers->fits = fen_plan_fits (plan, NULL);
  /* Host memory is part of the bar only where the device is the host. */
  gboolean counts = numbers->needed > fen_plan_device_bytes (plan);
  numbers->categories[FEN_MEMORY_OFFLOAD_HOST] = counts ? numbers->host : 0;
}

FenMemoryCategory
fen_plan_numbers_largest (const FenPlanNumbers *numbers)
{
  FenMemoryCategory largest = 0;
  for (guint i = 1; i < FEN_N_MEMORY_CATEGORIES; i++)
    if (numbers->categories[i] > numbers->categories[largest])
      largest = i;
  return largest;
}

/* ---- colours ---- */

/* The palette's named colours, in the order of fen_memory_category_color; the style may redefine them. */
static void
look_up_category_color (GtkWidget *widget, FenMemoryCategory category, GdkRGBA *color)
{
  static const char *const names[]
      = { "accent_bg_color", "orange_3", "green_4", "purple_3", "yellow_4", "red_2", "blue_2", "brown_2" };
  GtkStyleContext *style = gtk_widget_get_style_context (widget);
  const char *name = names[fen_memory_category_color (category) % G_N_ELEMENTS (names)];
  if (!gtk_style_context_lookup_color (style, name, color))
    gtk_style_context_get_color (style, color);
}

static GdkRGBA
text_color (GtkWidget *widget, float alpha)
{
  GdkRGBA color;
  gtk_style_context_get_color (gtk_widget_get_style_context (widget), &color);
  color.alpha *= alpha;
  return color;
}

/* ---- the bar ---- */

struct _FenPlanMeter {
  GtkWidget parent;
  gboolean known;
  FenPlanNumbers numbers;
};

G_DEFINE_FINAL_TYPE (FenPlanMeter, fen_plan_meter, GTK_TYPE_WIDGET)

/* From byte `first` to `end` of a bar that shows `scale` bytes in `width` pixels; mirrored from right to left. */
static graphene_rect_t
bytes_rect (GtkWidget *widget, guint64 first, guint64 end, guint64 scale)
{
  int width = gtk_widget_get_width (widget), height = gtk_widget_get_height (widget);
  int x = (int)((double)first / (double)scale * width + 0.5);
  int right = (int)((double)end / (double)scale * width + 0.5);
  if (gtk_widget_get_direction (widget) == GTK_TEXT_DIR_RTL)
    return GRAPHENE_RECT_INIT ((float)(width - right), 0, (float)(right - x), (float)height);
  return GRAPHENE_RECT_INIT ((float)x, 0, (float)(right - x), (float)height);
}

static void
append_stripes (GtkSnapshot *snapshot, const GdkRGBA *color, const graphene_rect_t *area)
{
  gtk_snapshot_push_clip (snapshot, area);
  for (float x = area->origin.x; x < area->origin.x + area->size.width; x += 2 * STRIPE)
    gtk_snapshot_append_color (snapshot, color,
                               &GRAPHENE_RECT_INIT (x, area->origin.y, STRIPE, area->size.height));
  gtk_snapshot_pop (snapshot);
}

static void
append_categories (FenPlanMeter *self, GtkSnapshot *snapshot, guint64 scale)
{
  GtkWidget *widget = GTK_WIDGET (self);
  guint64 at = 0;
  for (guint i = 0; i < FEN_N_MEMORY_CATEGORIES; i++)
    {
      GdkRGBA color;
      guint64 bytes = self->numbers.categories[i];
      graphene_rect_t area = bytes_rect (widget, at, at + bytes, scale);
      look_up_category_color (widget, i, &color);
      gtk_snapshot_append_color (snapshot, &color, &area);
      at += bytes;
    }
  GdkRGBA gap = text_color (widget, 0.35f);
  graphene_rect_t area = bytes_rect (widget, at, MAX (at, self->numbers.needed), scale);
  gtk_snapshot_append_color (snapshot, &gap, &area);
}

/* What the run may not take, and what it would need of it. */
static void
append_limit (FenPlanMeter *self, GtkSnapshot *snapshot, guint64 scale)
{
  GtkWidget *widget = GTK_WIDGET (self);
  const FenPlanNumbers *numbers = &self->numbers;
  if (!numbers->fits && numbers->needed > numbers->available)
    {
      GdkRGBA error, stripe = text_color (widget, 0.5f);
      if (!gtk_style_context_lookup_color (gtk_widget_get_style_context (widget), "error_bg_color", &error))
        error = text_color (widget, 1);
      graphene_rect_t over = bytes_rect (widget, numbers->available, numbers->needed, scale);
      gtk_snapshot_append_color (snapshot, &error, &over);
      append_stripes (snapshot, &stripe, &over);
    }
  else if (numbers->available < numbers->total)
    {
      GdkRGBA taken = text_color (widget, 0.18f);
      graphene_rect_t others = bytes_rect (widget, numbers->available, numbers->total, scale);
      append_stripes (snapshot, &taken, &others);
    }
}

static void
fen_plan_meter_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  FenPlanMeter *self = FEN_PLAN_METER (widget);
  GdkRGBA back = text_color (widget, 0.10f);
  float width = (float)gtk_widget_get_width (widget), height = (float)gtk_widget_get_height (widget);
  GskRoundedRect outline;
  gsk_rounded_rect_init_from_rect (&outline, &GRAPHENE_RECT_INIT (0, 0, width, height), 4);
  gtk_snapshot_push_rounded_clip (snapshot, &outline);
  gtk_snapshot_append_color (snapshot, &back, &GRAPHENE_RECT_INIT (0, 0, width, height));
  if (self->known)
    {
      guint64 scale = MAX (MAX (self->numbers.total, self->numbers.needed), 1);
      append_categories (self, snapshot, scale);
      append_limit (self, snapshot, scale);
    }
  gtk_snapshot_pop (snapshot);
}

static void
fen_plan_meter_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum,
                        int *natural, int *minimum_baseline, int *natural_baseline)
{
  *minimum = *natural = orientation == GTK_ORIENTATION_HORIZONTAL ? METER_WIDTH : METER_HEIGHT;
}

static void
fen_plan_meter_css_changed (GtkWidget *widget, GtkCssStyleChange *change)
{
  GTK_WIDGET_CLASS (fen_plan_meter_parent_class)->css_changed (widget, change);
  gtk_widget_queue_draw (widget);
}

static void
fen_plan_meter_class_init (FenPlanMeterClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  widget_class->snapshot = fen_plan_meter_snapshot;
  widget_class->measure = fen_plan_meter_measure;
  widget_class->css_changed = fen_plan_meter_css_changed;
  gtk_widget_class_set_css_name (widget_class, "fen-meter");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_METER);
}

static void
fen_plan_meter_init (FenPlanMeter *self)
{
}

GtkWidget *
fen_plan_meter_new (void)
{
  return g_object_new (FEN_TYPE_PLAN_METER, NULL);
}

void
fen_plan_meter_set_numbers (FenPlanMeter *self, const FenPlanNumbers *numbers)
{
  g_return_if_fail (FEN_IS_PLAN_METER (self));
  self->known = numbers != NULL;
  if (numbers != NULL)
    self->numbers = *numbers;
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

/* ---- legend ---- */

#define FEN_TYPE_PLAN_SWATCH (fen_plan_swatch_get_type ())
G_DECLARE_FINAL_TYPE (FenPlanSwatch, fen_plan_swatch, FEN, PLAN_SWATCH, GtkWidget)

struct _FenPlanSwatch {
  GtkWidget parent;
  FenMemoryCategory category;
};

G_DEFINE_FINAL_TYPE (FenPlanSwatch, fen_plan_swatch, GTK_TYPE_WIDGET)

static void
fen_plan_swatch_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  GdkRGBA color;
  look_up_category_color (widget, FEN_PLAN_SWATCH (widget)->category, &color);
  gtk_snapshot_append_color (snapshot, &color, &GRAPHENE_RECT_INIT (0, 0, SWATCH_SIZE, SWATCH_SIZE));
}

static void
fen_plan_swatch_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum,
                         int *natural, int *minimum_baseline, int *natural_baseline)
{
  *minimum = *natural = SWATCH_SIZE;
}

static void
fen_plan_swatch_class_init (FenPlanSwatchClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  widget_class->snapshot = fen_plan_swatch_snapshot;
  widget_class->measure = fen_plan_swatch_measure;
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_PRESENTATION);
}

static void
fen_plan_swatch_init (FenPlanSwatch *self)
{
}

GtkWidget *
fen_plan_swatch_new (FenMemoryCategory category)
{
  FenPlanSwatch *self = g_object_new (FEN_TYPE_PLAN_SWATCH, NULL);
  self->category = category;
  gtk_widget_set_valign (GTK_WIDGET (self), GTK_ALIGN_CENTER);
  return GTK_WIDGET (self);
}
