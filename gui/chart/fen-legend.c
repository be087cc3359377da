/* fen-legend.c: one button for each curve: how it is drawn, its name, its value; pressed, the curve is shown.
 *
 * Entries stand in rows that wrap, and in a narrow chart a value stands below its name. A value keeps the widest room that
 * it ever needed, so that nothing jumps while the cursor moves.
 */
#include "gui/chart/fen-chart-private.h"

#include <glib/gi18n.h>

#define GAP 6
#define NAME_CHARS 28 /* of a line; there are two. Names of runs may be long */

/* ---- a sample of the line ---- */

#define FEN_TYPE_SWATCH (fen_swatch_get_type ())
G_DECLARE_FINAL_TYPE (FenSwatch, fen_swatch, FEN, SWATCH, GtkWidget)

struct _FenSwatch {
  GtkWidget parent_instance;
  FenPlot *plot; /* whose colours it uses; lives as long as the legend */
  FenChartItem item;
};

G_DEFINE_FINAL_TYPE (FenSwatch, fen_swatch, GTK_TYPE_WIDGET)

static void
fen_swatch_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  FenSwatch *self = FEN_SWATCH (widget);
  fen_chart_draw_sample (&self->item, snapshot, fen_plot_get_look (self->plot), 0,
                         gtk_widget_get_height (widget) / 2.0, 1.0 / gtk_widget_get_scale_factor (widget));
}

static void
fen_swatch_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural,
                    int *minimum_baseline, int *natural_baseline)
{
  *minimum = *natural = orientation == GTK_ORIENTATION_HORIZONTAL ? FEN_SAMPLE_WIDTH : FEN_SAMPLE_HEIGHT;
}

static void
fen_swatch_class_init (FenSwatchClass *klass)
{
  GTK_WIDGET_CLASS (klass)->snapshot = fen_swatch_snapshot;
  GTK_WIDGET_CLASS (klass)->measure = fen_swatch_measure;
  gtk_widget_class_set_accessible_role (GTK_WIDGET_CLASS (klass), GTK_ACCESSIBLE_ROLE_PRESENTATION);
}

static void
fen_swatch_init (FenSwatch *self)
{
  gtk_widget_set_valign (GTK_WIDGET (self), GTK_ALIGN_CENTER);
}

/* ---- rows that wrap ---- */

#define FEN_TYPE_WRAP (fen_wrap_get_type ())
G_DECLARE_FINAL_TYPE (FenWrap, fen_wrap, FEN, WRAP, GtkLayoutManager)

struct _FenWrap {
  GtkLayoutManager parent_instance;
};

G_DEFINE_FINAL_TYPE (FenWrap, fen_wrap, GTK_TYPE_LAYOUT_MANAGER)

static void
child_size (GtkWidget *child, int available, int *width, int *height)
{
  GtkRequisition minimum, natural;
  gtk_widget_get_preferred_size (child, &minimum, &natural);
  *width = MAX (minimum.width, MIN (natural.width, available));
  gtk_widget_measure (child, GTK_ORIENTATION_VERTICAL, *width, NULL, height, NULL, NULL);
}

/* Puts children into rows of this width, from the start side; returns the height. */
static int
wrap (GtkWidget *widget, int available, gboolean allocate)
{
  gboolean rtl = gtk_widget_get_direction (widget) == GTK_TEXT_DIR_RTL;
  int x = 0, y = 0, row = 0;
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL;
       child = gtk_widget_get_next_sibling (child))
    {
      int width, height;
      if (!gtk_widget_should_layout (child))
        continue;
      child_size (child, available, &width, &height);
      if (x > 0 && x + width > available)
        {
          x = 0;
          y += row + GAP / 2;
          row = 0;
        }
      if (allocate)
        gtk_widget_size_allocate (child,
                                  &(GtkAllocation){ rtl ? available - x - width : x, y, width, height }, -1);
      x += width + GAP;
      row = MAX (row, height);
    }
  return y + row;
}

static void
fen_wrap_measure (GtkLayoutManager *manager, GtkWidget *widget, GtkOrientation orientation, int for_size,
                  int *minimum, int *natural, int *minimum_baseline, int *natural_baseline)
{
  *minimum = *natural = 0;
  if (orientation == GTK_ORIENTATION_VERTICAL)
    {
      *minimum = *natural = wrap (widget, for_size < 0 ? G_MAXINT / 2 : for_size, FALSE);
      return;
    }
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL;
       child = gtk_widget_get_next_sibling (child))
    {
      GtkRequisition least, wanted;
      if (!gtk_widget_should_layout (child))
        continue;
      gtk_widget_get_preferred_size (child, &least, &wanted);
      *minimum = MAX (*minimum, least.width);
      *natural += wanted.width + (*natural > 0 ? GAP : 0);
    }
}

static GtkSizeRequestMode
fen_wrap_get_request_mode (GtkLayoutManager *manager, GtkWidget *widget)
{
  return GTK_SIZE_REQUEST_HEIGHT_FOR_WIDTH;
}

static void
fen_wrap_allocate (GtkLayoutManager *manager, GtkWidget *widget, int width, int height, int baseline)
{
  wrap (widget, width, TRUE);
}

static void
fen_wrap_class_init (FenWrapClass *klass)
{
  GtkLayoutManagerClass *manager_class = GTK_LAYOUT_MANAGER_CLASS (klass);
  manager_class->measure = fen_wrap_measure;
  manager_class->get_request_mode = fen_wrap_get_request_mode;
  manager_class->allocate = fen_wrap_allocate;
}

static void
fen_wrap_init (FenWrap *self)
{
}

/* A box for its life cycle; the rows are the layout manager's. */
static GtkWidget *
wrap_box_new (void)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0);
  gtk_widget_set_layout_manager (box, g_object_new (FEN_TYPE_WRAP, NULL));
  return box;
}

/* ---- the legend ---- */

GtkWidget *
fen_legend_new (void)
{
  GtkWidget *legend = wrap_box_new ();
  gtk_widget_add_css_class (legend, "fen-legend");
  return legend;
}

static void
on_toggled (GtkToggleButton *entry, FenChart *self)
{
  for (guint i = 0; i < self->items->len; i++)
    if (fen_chart_item (self, i)->entry == GTK_WIDGET (entry))
      fen_chart_set_series_visible (self, i, gtk_toggle_button_get_active (entry));
}

static GtkWidget *
entry_new (FenChart *self, FenChartItem *item)
{
  GtkWidget *entry = gtk_toggle_button_new ();
  GtkWidget *box = wrap_box_new (), *named = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, GAP);
  FenSwatch *swatch = g_object_new (FEN_TYPE_SWATCH, NULL);
  GtkWidget *name = gtk_label_new (item->name);
  swatch->plot = FEN_PLOT (self->plot);
  /* What its look depends on; nothing it would have to own. */
  swatch->item = (FenChartItem){ .style = item->style, .color = item->color, .dash = item->dash };
  item->value_label = gtk_label_new (NULL);
  gtk_label_set_ellipsize (GTK_LABEL (name), PANGO_ELLIPSIZE_MIDDLE);
  gtk_label_set_wrap (GTK_LABEL (name), TRUE);
  gtk_label_set_wrap_mode (GTK_LABEL (name), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_lines (GTK_LABEL (name), 2);
  gtk_label_set_max_width_chars (GTK_LABEL (name), NAME_CHARS);
  gtk_label_set_xalign (GTK_LABEL (name), 0);
  gtk_label_set_xalign (GTK_LABEL (item->value_label), 0);
  gtk_widget_add_css_class (item->value_label, "numeric");
  gtk_box_append (GTK_BOX (named), GTK_WIDGET (swatch));
  gtk_box_append (GTK_BOX (named), name);
  gtk_box_append (GTK_BOX (box), named);
  gtk_box_append (GTK_BOX (box), item->value_label);
  gtk_button_set_child (GTK_BUTTON (entry), box);
  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (entry), item->visible);
  gtk_widget_add_css_class (entry, "flat");
  gtk_widget_add_css_class (entry, "caption");
  gtk_widget_set_tooltip_text (entry, _ ("Show or hide this curve"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (entry), GTK_ACCESSIBLE_PROPERTY_LABEL, item->name, -1);
  g_signal_connect_object (entry, "toggled", G_CALLBACK (on_toggled), self, 0);
  return entry;
}

void
fen_chart_build_legend (FenChart *self)
{
  GtkWidget *child;
  while ((child = gtk_widget_get_first_child (self->legend)) != NULL)
    gtk_box_remove (GTK_BOX (self->legend), child);
  for (guint i = 0; i < self->items->len; i++)
    {
      FenChartItem *item = fen_chart_item (self, i);
      item->entry = entry_new (self, item);
      gtk_box_append (GTK_BOX (self->legend), item->entry);
    }
  fen_chart_update_legend (self);
}

static void
update_entry (FenChart *self, FenChartItem *item)
{
  g_autofree char *value = fen_chart_item_value (self, item);
  if (g_strcmp0 (value, gtk_label_get_text (GTK_LABEL (item->value_label))) == 0)
    return;
  int chars = (int)g_utf8_strlen (value, -1);
  if (chars > gtk_label_get_width_chars (GTK_LABEL (item->value_label)))
    gtk_label_set_width_chars (GTK_LABEL (item->value_label), chars);
  gtk_label_set_text (GTK_LABEL (item->value_label), value);
}

void
fen_chart_update_legend (FenChart *self)
{
  double cursor = fen_chart_group_get_cursor (self->group);
  for (guint i = 0; i < self->items->len; i++)
    update_entry (self, fen_chart_item (self, i));
  if (isnan (cursor))
    {
      gtk_label_set_text (GTK_LABEL (self->place_label), "");
      return;
    }
  double min, max, width = MAX (1, gtk_widget_get_width (self->plot));
  FenAxis axis = fen_chart_group_get_axis (self->group);
  fen_chart_group_get_shown (self->group, &min, &max);
  g_autofree char *place = fen_axis_format (axis, cursor);
  /* TRANSLATORS: what an axis shows and where the cursor is on it, such as "Step 1,240" */
  g_autofree char *text = g_strdup_printf (_ ("%s %s"), fen_axis_title (axis), place);
  g_autofree char *marker = fen_chart_markers_near (self, cursor, FEN_MARKER_REACH / width * (max - min));
  if (marker == NULL)
    {
      gtk_label_set_text (GTK_LABEL (self->place_label), text);
      return;
    }
  /* A row has room for the first of them; the tooltip has all. */
  g_strdelimit (marker, "\n", '\0');
  /* TRANSLATORS: where the cursor is and what happened there: "Step 1,240 – Checkpoint saved" */
  g_autofree char *both = g_strdup_printf (_ ("%s – %s"), text, marker);
  gtk_label_set_text (GTK_LABEL (self->place_label), both);
}
