/* fen-columns-layout.c: see the header. A height-for-width layout: the width says how many columns there are, and each
 * row is as high as the highest of its children wants to be. */
#include "gui/compat/fen-columns-layout.h"

struct _FenColumnsLayout {
  GtkLayoutManager parent_instance;

  int column_width, max_columns, spacing;
};

G_DEFINE_FINAL_TYPE (FenColumnsLayout, fen_columns_layout, GTK_TYPE_LAYOUT_MANAGER)

/* The shown children, in order. Free with g_ptr_array_unref. */
static GPtrArray *
shown_children (GtkWidget *widget)
{
  GPtrArray *children = g_ptr_array_new ();
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL;
       child = gtk_widget_get_next_sibling (child))
    if (gtk_widget_should_layout (child))
      g_ptr_array_add (children, child);
  return children;
}

/* The least width that a column may have. */
static int
column_minimum (FenColumnsLayout *self, GPtrArray *children, gboolean may_be_narrow)
{
  int width = may_be_narrow ? 0 : self->column_width;
  for (guint i = 0; i < children->len; i++)
    {
      int minimum;
      gtk_widget_measure (children->pdata[i], GTK_ORIENTATION_HORIZONTAL, -1, &minimum, NULL, NULL, NULL);
      width = MAX (width, minimum);
    }
  return width;
}

static int
n_columns (FenColumnsLayout *self, GPtrArray *children, int width)
{
  const int column = column_minimum (self, children, FALSE);
  const int fit = (width + self->spacing) / MAX (column + self->spacing, 1);
  const int most = CLAMP (fit, 1, MAX (MIN (self->max_columns, (int)children->len), 1));
  /* As few rows as that gives, evenly filled: six children beside five columns are three and three. */
  const int rows = ((int)children->len + most - 1) / most;
  return rows > 0 ? ((int)children->len + rows - 1) / rows : 1;
}

static void
row_height (GPtrArray *children, guint first, int columns, int width, int *minimum, int *natural)
{
  *minimum = *natural = 0;
  for (guint i = first; i < MIN (first + (guint)columns, children->len); i++)
    {
      int child_minimum, child_natural;
      gtk_widget_measure (children->pdata[i], GTK_ORIENTATION_VERTICAL, width, &child_minimum, &child_natural,
                          NULL, NULL);
      *minimum = MAX (*minimum, child_minimum);
      *natural = MAX (*natural, child_natural);
    }
}

static void
measure_height (FenColumnsLayout *self, GPtrArray *children, int width, int *minimum, int *natural)
{
  const int columns = n_columns (self, children, width);
  const int column = (width - (columns - 1) * self->spacing) / columns;
  for (guint first = 0; first < children->len; first += (guint)columns)
    {
      int row_minimum, row_natural;
      row_height (children, first, columns, column, &row_minimum, &row_natural);
      *minimum += row_minimum + (first > 0 ? self->spacing : 0);
      *natural += row_natural + (first > 0 ? self->spacing : 0);
    }
}

static void
fen_columns_layout_measure (GtkLayoutManager *manager, GtkWidget *widget, GtkOrientation orientation,
                            int for_size, int *minimum, int *natural, int *minimum_baseline,
                            int *natural_baseline)
{
  FenColumnsLayout *self = FEN_COLUMNS_LAYOUT (manager);
  g_autoptr (GPtrArray) children = shown_children (widget);
  const int columns = CLAMP ((int)children->len, 1, self->max_columns);
  const int narrow = column_minimum (self, children, TRUE);
  const int wide = columns * column_minimum (self, children, FALSE) + (columns - 1) * self->spacing;

  *minimum = *natural = 0;
  *minimum_baseline = *natural_baseline = -1;
  if (children->len == 0)
    return;
  if (orientation == GTK_ORIENTATION_HORIZONTAL)
    {
      *minimum = narrow;
      *natural = wide;
      return;
    }
  measure_height (self, children, for_size < 0 ? wide : MAX (for_size, narrow), minimum, natural);
}

static void
fen_columns_layout_allocate (GtkLayoutManager *manager, GtkWidget *widget, int width, int height,
                             int baseline)
{
  FenColumnsLayout *self = FEN_COLUMNS_LAYOUT (manager);
  g_autoptr (GPtrArray) children = shown_children (widget);
  const gboolean mirrored = gtk_widget_get_direction (widget) == GTK_TEXT_DIR_RTL;
  const int columns = n_columns (self, children, width);
  const int column = (width - (columns - 1) * self->spacing) / columns;
  int total_minimum = 0, total_natural = 0, y = 0;

  measure_height (self, children, width, &total_minimum, &total_natural);
  for (guint first = 0; first < children->len; first += (guint)columns)
    {
      int minimum, natural;
      row_height (children, first, columns, column, &minimum, &natural);
      /* With less room than all rows would like to have, every row gets by with its least. */
      const int row = height >= total_natural ? natural : minimum;
      for (guint i = first; i < MIN (first + (guint)columns, children->len); i++)
        {
          const int x = (int)(i - first) * (column + self->spacing);
          gtk_widget_size_allocate (
              children->pdata[i], &(GtkAllocation){ mirrored ? width - x - column : x, y, column, row }, -1);
        }
      y += row + self->spacing;
    }
}

static GtkSizeRequestMode
fen_columns_layout_request_mode (GtkLayoutManager *manager, GtkWidget *widget)
{
  return GTK_SIZE_REQUEST_HEIGHT_FOR_WIDTH;
}

static void
fen_columns_layout_class_init (FenColumnsLayoutClass *class)
{
  GtkLayoutManagerClass *manager = GTK_LAYOUT_MANAGER_CLASS (class);
  manager->measure = fen_columns_layout_measure;
  manager->allocate = fen_columns_layout_allocate;
  manager->get_request_mode = fen_columns_layout_request_mode;
}

static void
fen_columns_layout_init (FenColumnsLayout *self)
{
}

GtkLayoutManager *
fen_columns_layout_new (int column_width, int max_columns, int spacing)
{
  FenColumnsLayout *self = g_object_new (FEN_TYPE_COLUMNS_LAYOUT, NULL);
  self->column_width = column_width;
  self->max_columns = MAX (max_columns, 1);
  self->spacing = spacing;
  return GTK_LAYOUT_MANAGER (self);
}
