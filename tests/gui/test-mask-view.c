/* test-mask-view.c: the drawing of the mask against a brute-force mask: every query against every key by the rule that
 * the kernels follow (kernels/fen-backend.h), written here a second time, the obvious way. */
#include "gui/settings/fen-mask-private.h"
#include "gui/settings/fen-mask-view.h"
#include "tests/gui/fen-gui-test.h"

#define DRAWING 192

/* ---- the oracle ---- */

static gboolean
pair_is_visible (const FenMask *mask, gint64 q, gint64 k, gboolean *in_window)
{
  gint64 start = mask->border > 0 && q >= mask->border ? mask->border : 0;
  *in_window = k <= q && k >= start && (mask->window == 0 || k > q - mask->window);
  return *in_window || (k <= q && k >= start && k < start + mask->sinks);
}

/* Does any pair of the cell see each other; does any in the window? */
static gboolean
cell_is_visible (const FenMask *mask, guint cells, guint row, guint column, gboolean *in_window)
{
  gboolean visible = FALSE;
  *in_window = FALSE;
  for (gint64 q = (gint64)row * mask->context / cells; q < (gint64)(row + 1) * mask->context / cells; q++)
    for (gint64 k = (gint64)column * mask->context / cells; k < (gint64)(column + 1) * mask->context / cells;
         k++)
      {
        gboolean window;
        visible |= pair_is_visible (mask, q, k, &window);
        *in_window |= window;
      }
  return visible;
}

/* ---- geometry ---- */

static void
check_mask (const FenMask *mask, guint cells)
{
  for (guint row = 0; row < cells; row++)
    {
      FenMaskSpan spans[FEN_MASK_MAX_SPANS];
      guint n = fen_mask_row (mask, cells, row, spans);
      g_assert_cmpuint (n, <=, FEN_MASK_MAX_SPANS);
      for (guint column = 0; column < cells; column++)
        {
          gboolean in_window, visible = cell_is_visible (mask, cells, row, column, &in_window);
          gboolean drawn = FALSE, drawn_window = FALSE;
          for (guint i = 0; i < n; i++)
            if (column >= spans[i].first && column < spans[i].end)
              {
                drawn |= spans[i].kind != FEN_MASK_OTHER;
                drawn_window |= spans[i].kind == FEN_MASK_SEEN || spans[i].kind == FEN_MASK_FAINT;
              }
          g_assert_cmpint (drawn, ==, visible);
          g_assert_cmpint (drawn_window, ==, in_window);
        }
    }
}

static void
test_geometry (void)
{
  static const gint64 contexts[] = { 64, 97, 200 }, windows[] = { 0, 1, 7, 63 }, sinks[] = { 0, 1, 4, 80 };
  static const gint64 borders[] = { 0, 1, 40, 63 }, chunks[] = { 0, 10, 32 };
  static const guint cells[] = { 64, 50, 13, 1 };
  for (guint i = 0; i < G_N_ELEMENTS (contexts); i++)
    for (guint j = 0; j < G_N_ELEMENTS (windows); j++)
      for (guint k = 0; k < G_N_ELEMENTS (sinks); k++)
        for (guint l = 0; l < G_N_ELEMENTS (borders); l++)
          for (guint m = 0; m < G_N_ELEMENTS (chunks); m++)
            {
              const FenMask mask = { .context = contexts[i],
                                     .window = windows[j],
                                     .sinks = windows[j] > 0 ? sinks[k] : 0,
                                     .border = borders[l],
                                     .chunk = chunks[m],
                                     .truncated = chunks[m] > 0 };
              check_mask (&mask, cells[(i + j + k + l + m) % G_N_ELEMENTS (cells)]);
            }
}

/* What truncated carry cuts off is faint: exactly the visible pairs whose key lies in an earlier chunk. */
static void
test_truncated (void)
{
  const FenMask mask = { .context = 64, .window = 20, .chunk = 16, .truncated = TRUE };
  for (guint row = 0; row < 64; row++)
    {
      FenMaskSpan spans[FEN_MASK_MAX_SPANS];
      guint n = fen_mask_row (&mask, 64, row, spans);
      for (guint i = 0; i < n; i++)
        for (guint column = spans[i].first; column < spans[i].end; column++)
          g_assert_cmpint (spans[i].kind, ==, column / 16 < row / 16 ? FEN_MASK_FAINT : FEN_MASK_SEEN);
    }
}

/* A window of 256 in 100,000 tokens is still a line. */
static void
test_thin (void)
{
  const FenMask mask = { .context = 100000, .window = 256, .border = 62500, .sinks = 4 };
  guint cells = fen_mask_cells (&mask, 168);
  g_assert_cmpuint (cells, ==, 168);
  for (guint row = 0; row < cells; row++)
    {
      FenMaskSpan spans[FEN_MASK_MAX_SPANS];
      guint n = fen_mask_row (&mask, cells, row, spans);
      g_assert_cmpint (spans[n - 1].kind, ==, FEN_MASK_SEEN);
      g_assert_cmpuint (spans[n - 1].end, ==, row + 1);
      g_assert_cmpuint (spans[n - 1].end - spans[n - 1].first, <=, 3);
    }
}

/* ---- the widget ---- */

static void
set (FenSettings *settings, const char *option, const char *text)
{
  g_assert_true (fen_settings_set_text (settings, fen_config_find_option (option), text));
}

/* The window's picture, because the drawing itself is partly transparent, and where the drawing lies in it. */
typedef struct {
  GdkTexture *picture;
  int x, y;
} Drawing;

static guint32
cell_pixel (const Drawing *drawing, guint cells, guint row, guint column)
{
  return fen_gui_pixel (drawing->picture, drawing->x + (int)((column * 2 + 1) * DRAWING / cells / 2),
                        drawing->y + (int)((row * 2 + 1) * DRAWING / cells / 2));
}

static void
check_pixels (GtkWidget *view, FenSettings *settings)
{
  FenMask mask;
  fen_mask_init (&mask, fen_settings_get_config (settings));
  guint cells = fen_mask_cells (&mask, DRAWING);
  fen_gui_settle (view);
  GtkWidget *window = GTK_WIDGET (gtk_widget_get_root (view));
  g_autoptr (GdkTexture) texture = fen_gui_render (window);
  double x, y;
  g_assert_cmpint (gtk_widget_get_width (view), ==, DRAWING);
  g_assert_cmpint (gtk_widget_get_height (view), ==, DRAWING);
  g_assert_true (gtk_widget_translate_coordinates (view, window, 0, 0, &x, &y));
  const Drawing drawing = { texture, (int)x, (int)y }, *const picture = &drawing;
  const guint32 seen = cell_pixel (picture, cells, cells - 1, cells - 1);
  const guint32 empty = cell_pixel (picture, cells, 0, cells - 1);
  g_assert_cmphex (seen, !=, empty);
  for (guint row = 0; row < cells; row++)
    for (guint column = 0; column < cells; column++)
      {
        gboolean in_window, visible = cell_is_visible (&mask, cells, row, column, &in_window);
        guint32 pixel = cell_pixel (picture, cells, row, column);
        g_assert_cmpint (pixel == seen, ==, in_window);
        if (column > row)
          g_assert_cmphex (pixel, ==, empty);
        else
          g_assert_cmphex (pixel, !=, empty);
        if (visible && !in_window) /* a sink: its own colour, not that of what is hidden */
          g_assert_cmphex (
              pixel, ==,
              cell_pixel (picture, cells, cells - 1, fen_mask_cell_of (&mask, cells, mask.border)));
      }
}

static void
test_pixels (void)
{
  FenSettings *settings = fen_settings_new ();
  set (settings, "expert", "true");
  set (settings, "max_seq_len", "64");
  GtkWidget *view = fen_mask_view_new (settings);
  gtk_widget_set_size_request (view, DRAWING, DRAWING);
  gtk_widget_set_halign (view, GTK_ALIGN_CENTER);
  gtk_widget_set_valign (view, GTK_ALIGN_CENTER);
  GtkWidget *window = fen_gui_show (view, 300, 300);
  static const char *const cases[][2] = {
    { "window_size", "0" },
    { "window_size", "16" },
    { "document_mask", "false" },
    { "sink_tokens", "4" },
    { "document_mask", "true" },
    { "window_size", "1" },
    { "use_chunked_training", "true" },
    { "chunk_size", "16" },
    { "max_seq_len", "61" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      set (settings, cases[i][0], cases[i][1]);
      check_pixels (view, settings);
    }
  fen_gui_destroy (window);
  fen_gui_assert_finalized (settings);
}

static void
test_words (void)
{
  FenSettings *settings = fen_settings_new ();
  GtkWidget *view = fen_mask_view_new (settings);
  GtkWidget *window = fen_gui_show (view, 300, 300);
  gtk_test_accessible_assert_role (view, GTK_ACCESSIBLE_ROLE_IMG);
  set (settings, "document_mask", "false");
  gtk_test_accessible_assert_property (view, GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                       "Each token sees 512 tokens, itself included.");
  set (settings, "window_size", "");
  gtk_test_accessible_assert_property (view, GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                       "Each token sees itself and all tokens before it.");
  set (settings, "use_chunked_training", "true");
  set (settings, "chunk_size", "600");
  gtk_test_accessible_assert_property (
      view, GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
      "Each token sees itself and all tokens before it.\n4 chunks of 600 tokens.");
  set (settings, "window_size", "256");
  set (settings, "sink_tokens", "4");
  set (settings, "chunk_carry", "truncated");
  g_assert_cmpstr (fen_mask_view_get_description (FEN_MASK_VIEW (view)), ==,
                   "Each token sees 256 tokens, itself included.\n"
                   "The first 4 tokens of a document stay visible.\n"
                   "4 chunks of 600 tokens.\n"
                   "Not exact: gradients stop at chunk borders (fainter).");
  fen_gui_picture (window, "mask-view");
  fen_gui_destroy (window);
  fen_gui_assert_finalized (settings);
}

int
main (int argc, char **argv)
{
  fen_gui_test_init (&argc, &argv);
  g_test_add_func ("/mask-view/geometry", test_geometry);
  g_test_add_func ("/mask-view/truncated", test_truncated);
  g_test_add_func ("/mask-view/thin", test_thin);
  g_test_add_func ("/mask-view/pixels", test_pixels);
  g_test_add_func ("/mask-view/words", test_words);
  return fen_gui_test_run ();
}
