/* fen-mask-view.c: draws a FenMask with one rectangle a span and row (see fen-mask-private.h for the geometry).
 *
 * Rectangles of whole pixels instead of a path: a few hundred colour nodes, no antialiasing, and a test can compare
 * pixels. The drawing is mathematics (queries down, keys from the first to the last) and is not mirrored in
 * right-to-left languages. */
#include "gui/settings/fen-mask-view.h"

#include <glib/gi18n.h>

#include "gui/settings/fen-mask-private.h"

#define SMALLEST_SIZE 96
#define NATURAL_SIZE 168
/* Chunk borders nearer than this are not drawn: they would hide the mask. The caption tells their number. */
#define NEAREST_LINES 5

struct _FenMaskView {
  GtkWidget parent;
  FenSettings *settings;
  FenMask mask;
  char *description;
};

enum { PROP_DESCRIPTION = 1, N_PROPERTIES };
static GParamSpec *properties[N_PROPERTIES];

G_DEFINE_FINAL_TYPE (FenMaskView, fen_mask_view, GTK_TYPE_WIDGET)

/* ---- drawing ---- */

typedef struct {
  GdkRGBA seen, faint, sink, other, hidden, line;
} Colors;

static GdkRGBA
with_alpha (GdkRGBA color, float alpha)
{
  color.alpha *= alpha;
  return color;
}

static void
look_up_colors (GtkWidget *widget, Colors *colors)
{
  GtkStyleContext *style = gtk_widget_get_style_context (widget);
  GdkRGBA text, accent;
  gtk_style_context_get_color (style, &text);
  if (!gtk_style_context_lookup_color (style, "accent_color", &accent))
    accent = text;
  if (!gtk_style_context_lookup_color (style, "warning_color", &colors->sink))
    colors->sink = text;
  colors->seen = accent;
  colors->faint = with_alpha (accent, 0.35f);
  colors->other = with_alpha (accent, 0.25f);
  colors->hidden = with_alpha (text, 0.08f);
  colors->line = with_alpha (text, 0.55f);
}

/* Pixels of the cells [first, end) in a square of `size` pixels. */
static void
append_cells (GtkSnapshot *snapshot, const GdkRGBA *color, guint size, guint cells, guint row,
              const FenMaskSpan *span)
{
  guint x = span->first * size / cells, right = span->end * size / cells;
  guint y = row * size / cells, bottom = (row + 1) * size / cells;
  gtk_snapshot_append_color (
      snapshot, color, &GRAPHENE_RECT_INIT ((float)x, (float)y, (float)(right - x), (float)(bottom - y)));
}

static void
append_rows (FenMaskView *self, GtkSnapshot *snapshot, const Colors *colors, guint size, guint cells)
{
  const GdkRGBA *const kinds[] = {
    [FEN_MASK_SEEN] = &colors->seen,
    [FEN_MASK_FAINT] = &colors->faint,
    [FEN_MASK_SINK] = &colors->sink,
    [FEN_MASK_OTHER] = &colors->other,
  };
  for (guint row = 0; row < cells; row++)
    {
      FenMaskSpan spans[FEN_MASK_MAX_SPANS];
      const FenMaskSpan before = { .first = 0, .end = row + 1 };
      guint n = fen_mask_row (&self->mask, cells, row, spans);
      append_cells (snapshot, &colors->hidden, size, cells, row, &before);
      for (guint i = 0; i < n; i++)
        append_cells (snapshot, kinds[spans[i].kind], size, cells, row, &spans[i]);
    }
}

/* A line over the row in which `token` begins, as far as the diagonal. */
static void
append_line (FenMaskView *self, GtkSnapshot *snapshot, const GdkRGBA *color, guint size, guint cells,
             gint64 token)
{
  guint cell = fen_mask_cell_of (&self->mask, cells, token);
  float y = (float)(cell * size / cells);
  gtk_snapshot_append_color (snapshot, color, &GRAPHENE_RECT_INIT (0, y, y, 1));
}

static void
append_chunks (FenMaskView *self, GtkSnapshot *snapshot, const Colors *colors, guint size, guint cells)
{
  const FenMask *mask = &self->mask;
  if (mask->chunk == 0 || mask->chunk * size < NEAREST_LINES * mask->context)
    return;
  for (gint64 token = mask->chunk; token < mask->context; token += mask->chunk)
    append_line (self, snapshot, &colors->line, size, cells, token);
}

static void
fen_mask_view_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  FenMaskView *self = FEN_MASK_VIEW (widget);
  int width = gtk_widget_get_width (widget), height = gtk_widget_get_height (widget);
  int size = MIN (width, height);
  if (size < 1)
    return;
  Colors colors;
  look_up_colors (widget, &colors);
  guint cells = fen_mask_cells (&self->mask, (guint)size);
  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (snapshot,
                          &GRAPHENE_POINT_INIT ((float)((width - size) / 2), (float)((height - size) / 2)));
  append_rows (self, snapshot, &colors, (guint)size, cells);
  append_chunks (self, snapshot, &colors, (guint)size, cells);
  gtk_snapshot_restore (snapshot);
}

static void
fen_mask_view_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum,
                       int *natural, int *minimum_baseline, int *natural_baseline)
{
  *minimum = SMALLEST_SIZE;
  *natural = NATURAL_SIZE;
}

/* ---- what it shows ---- */

static void
update (FenMaskView *self)
{
  fen_mask_init (&self->mask, fen_settings_get_config (self->settings));
  g_autofree char *description = fen_mask_describe (&self->mask);
  gtk_widget_queue_draw (GTK_WIDGET (self));
  if (g_strcmp0 (description, self->description) == 0)
    return;
  g_free (self->description);
  self->description = g_steal_pointer (&description);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                  self->description, -1);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self), self->description);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_DESCRIPTION]);
}

const char *
fen_mask_view_get_description (FenMaskView *self)
{
  g_return_val_if_fail (FEN_IS_MASK_VIEW (self), NULL);
  return self->description;
}

static void
fen_mask_view_css_changed (GtkWidget *widget, GtkCssStyleChange *change)
{
  GTK_WIDGET_CLASS (fen_mask_view_parent_class)->css_changed (widget, change);
  gtk_widget_queue_draw (widget);
}

static void
fen_mask_view_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  g_value_set_string (value, FEN_MASK_VIEW (object)->description);
}

static void
fen_mask_view_dispose (GObject *object)
{
  FenMaskView *self = FEN_MASK_VIEW (object);
  if (self->settings != NULL)
    g_signal_handlers_disconnect_by_data (self->settings, self);
  g_clear_object (&self->settings);
  G_OBJECT_CLASS (fen_mask_view_parent_class)->dispose (object);
}

static void
fen_mask_view_finalize (GObject *object)
{
  g_free (FEN_MASK_VIEW (object)->description);
  G_OBJECT_CLASS (fen_mask_view_parent_class)->finalize (object);
}

static void
fen_mask_view_class_init (FenMaskViewClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  object_class->get_property = fen_mask_view_get_property;
  object_class->dispose = fen_mask_view_dispose;
  object_class->finalize = fen_mask_view_finalize;
  widget_class->snapshot = fen_mask_view_snapshot;
  widget_class->measure = fen_mask_view_measure;
  widget_class->css_changed = fen_mask_view_css_changed;
  properties[PROP_DESCRIPTION]
      = g_param_spec_string ("description", NULL, NULL, NULL, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
  gtk_widget_class_set_css_name (widget_class, "fen-mask");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
fen_mask_view_init (FenMaskView *self)
{
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Attention mask"),
                                  -1);
}

GtkWidget *
fen_mask_view_new (FenSettings *settings)
{
  g_return_val_if_fail (FEN_IS_SETTINGS (settings), NULL);
  FenMaskView *self = g_object_new (FEN_TYPE_MASK_VIEW, NULL);
  self->settings = g_object_ref (settings);
  g_signal_connect_object (settings, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  update (self);
  return GTK_WIDGET (self);
}
