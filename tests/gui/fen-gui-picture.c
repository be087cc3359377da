/* fen-gui-picture.c: rendering widgets and looking at the pixels, and text that does not fit (see fen-gui-test.h). */
#include "tests/gui/fen-gui-test.h"

#include <string.h>

GdkTexture *
fen_gui_render (GtkWidget *widget)
{
  fen_gui_settle (widget);
  int width = gtk_widget_get_width (widget), height = gtk_widget_get_height (widget);
  g_assert_cmpint (width, >, 0);
  g_assert_cmpint (height, >, 0);
  g_autoptr (GdkPaintable) paintable = gtk_widget_paintable_new (widget);
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  gdk_paintable_snapshot (paintable, GDK_SNAPSHOT (snapshot), width, height);
  g_autoptr (GskRenderNode) node = gtk_snapshot_free_to_node (snapshot);
  graphene_rect_t bounds = GRAPHENE_RECT_INIT (0, 0, width, height);
  /* A widget that draws nothing at all has no node; its picture is empty. */
  g_autoptr (GskRenderNode) empty = gsk_color_node_new (&(GdkRGBA){ 0 }, &bounds);
  GskRenderer *renderer = gtk_native_get_renderer (gtk_widget_get_native (widget));
  return gsk_renderer_render_texture (renderer, node ? node : empty, &bounds);
}

/* Cairo's ARGB32: one native-endian word a pixel, premultiplied. Downloaded once, kept by the texture. */
static const guint32 *
texture_pixels (GdkTexture *texture, gsize *n)
{
  int width = gdk_texture_get_width (texture), height = gdk_texture_get_height (texture);
  *n = (gsize)width * height;
  guint32 *pixels = g_object_get_data (G_OBJECT (texture), "fen-gui-pixels");
  if (!pixels)
    {
      pixels = g_new (guint32, *n);
      gdk_texture_download (texture, (guchar *)pixels, (gsize)width * sizeof *pixels);
      g_object_set_data_full (G_OBJECT (texture), "fen-gui-pixels", pixels, g_free);
    }
  return pixels;
}

guint32
fen_gui_pixel (GdkTexture *texture, int x, int y)
{
  g_assert_true (x >= 0 && x < gdk_texture_get_width (texture));
  g_assert_true (y >= 0 && y < gdk_texture_get_height (texture));
  gsize n;
  const guint32 *pixels = texture_pixels (texture, &n);
  return pixels[(gsize)y * gdk_texture_get_width (texture) + x] & 0xffffff;
}

gsize
fen_gui_n_drawn (GdkTexture *texture)
{
  gsize n, commonest = 0;
  const guint32 *pixels = texture_pixels (texture, &n);
  g_autoptr (GHashTable) counts = g_hash_table_new (NULL, NULL);
  for (gsize i = 0; i < n; i++)
    {
      gpointer key = GUINT_TO_POINTER (pixels[i]);
      gsize count = GPOINTER_TO_SIZE (g_hash_table_lookup (counts, key)) + 1;
      g_hash_table_insert (counts, key, GSIZE_TO_POINTER (count));
      commonest = MAX (commonest, count);
    }
  return n - commonest;
}

static gboolean
channel_near (guint32 a, guint32 b, int shift, guint tolerance)
{
  int difference = (int)(a >> shift & 0xff) - (int)(b >> shift & 0xff);
  return (guint)ABS (difference) <= tolerance;
}

gsize
fen_gui_n_pixels (GdkTexture *texture, guint32 color, guint tolerance)
{
  gsize n, count = 0;
  const guint32 *pixels = texture_pixels (texture, &n);
  for (gsize i = 0; i < n; i++)
    count += channel_near (pixels[i], color, 0, tolerance) && channel_near (pixels[i], color, 8, tolerance)
             && channel_near (pixels[i], color, 16, tolerance);
  return count;
}

void
fen_gui_save_png (GtkWidget *widget, const char *path)
{
  g_autoptr (GdkTexture) texture = fen_gui_render (widget);
  if (!gdk_texture_save_to_png (texture, path))
    g_error ("cannot write %s", path);
}

void
fen_gui_picture (GtkWidget *widget, const char *name)
{
  const char *folder = g_getenv ("FENESTRA_PICTURES");
  if (!folder || !*folder)
    return;
  g_assert_cmpint (g_mkdir_with_parents (folder, 0755), ==, 0);
  g_autofree char *path = g_strdup_printf ("%s/%s.png", folder, name);
  fen_gui_save_png (widget, path);
}

/* ---- text that does not fit ---- */

/* Does the label's layout need more room than it got? Layouts of wrapping labels are laid out at the width they have, so
 * one comparison serves both kinds; a pixel is rounding. */
static const char *
label_problem (GtkLabel *label)
{
  PangoLayout *layout = gtk_label_get_layout (label);
  if (pango_layout_is_ellipsized (layout))
    return "ellipsized";
  int width, height;
  pango_layout_get_pixel_size (layout, &width, &height);
  if (width > gtk_widget_get_width (GTK_WIDGET (label)) + 1)
    return "too wide";
  if (height > gtk_widget_get_height (GTK_WIDGET (label)) + 1)
    return "too high";
  return NULL;
}

/* Can a person bring what lies outside this widget into sight, along its lines? */
static gboolean
scrolls_sideways (GtkWidget *widget)
{
  GtkPolicyType policy;
  if (!GTK_IS_SCROLLED_WINDOW (widget))
    return FALSE;
  gtk_scrolled_window_get_policy (GTK_SCROLLED_WINDOW (widget), &policy, NULL);
  return policy != GTK_POLICY_NEVER;
}

/* A label can have all its room and still be cut by an ancestor that clips: everything but a scrolling one counts. */
static const char *
ancestor_problem (GtkWidget *label)
{
  GtkWidget *parent = gtk_widget_get_parent (label);
  for (; parent; parent = gtk_widget_get_parent (parent))
    {
      if (scrolls_sideways (parent))
        return NULL;
      graphene_rect_t bounds;
      if (!gtk_widget_compute_bounds (label, parent, &bounds))
        return NULL;
      /* What a scrollable holds is its scroller's business. */
      if (GTK_IS_SCROLLABLE (parent))
        continue;
      if (gtk_widget_get_overflow (parent) == GTK_OVERFLOW_HIDDEN || GTK_IS_ROOT (parent))
        if (bounds.origin.x < -1 || bounds.origin.x + bounds.size.width > gtk_widget_get_width (parent) + 1)
          return "outside its container";
    }
  return NULL;
}

static void
collect_clipped (GtkWidget *widget, GString *all)
{
  if (!gtk_widget_get_mapped (widget) || !gtk_widget_get_child_visible (widget)
      || gtk_widget_get_opacity (widget) == 0)
    return;
  if (GTK_IS_LABEL (widget) && gtk_label_get_text (GTK_LABEL (widget))[0])
    {
      const char *problem = label_problem (GTK_LABEL (widget));
      if (!problem)
        problem = ancestor_problem (widget);
      if (problem)
        g_string_append_printf (all, "%s: %s\n", problem, gtk_label_get_text (GTK_LABEL (widget)));
    }
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child;
       child = gtk_widget_get_next_sibling (child))
    collect_clipped (child, all);
}

char *
fen_gui_clipped_text (GtkWidget *root)
{
  GString *all = g_string_new (NULL);
  collect_clipped (root, all);
  return g_string_free (all, all->len == 0);
}
