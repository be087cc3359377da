/* fen-gui-test.h: what the widget tests share: a display of their own, a home that is thrown away, waiting without
 * sleeping, looking at a widget as a person does, rendering it, and proving that nothing of it stays behind.
 *
 * A test program:
 *
 *   int main (int argc, char **argv)
 *   {
 *     fen_gui_test_init (&argc, &argv);
 *     g_test_add_func ("/chart/empty", test_empty);
 *     return fen_gui_test_run ();
 *   }
 *
 *   static void test_empty (void)
 *   {
 *     GtkWidget *chart = fen_chart_new (...);
 *     GtkWidget *window = fen_gui_show (chart, 640, 480);
 *     fen_gui_wait (fen_gui_shows_text (window, "No data"), 2000);
 *     fen_gui_destroy (window); // and with it the leak check of the window and of everything in it
 *   }
 *
 * Link `fen_gui_test_dep`. Everything here is called on the main thread.
 */
#pragma once

#include <adwaita.h>

#include "tests/support/patience.h"

G_BEGIN_DECLS

/* Temporary HOME and XDG folders (one for the program), g_test_init, libadwaita, the application's style, no animations
 * (what a test waits for is then there at the next frame). */
void fen_gui_test_init (int *argc, char ***argv);
/* g_test_run, then removes the temporary home. */
int fen_gui_test_run (void);
/* A fresh folder below the temporary home, removed with it. Free with g_free. */
char *fen_gui_test_folder (const char *name);
/* Loads the application's style.css for the default display when it is in a resource of this program. */
void fen_gui_load_style (void);

/* ---- time ---- */

/* One turn of the main loop; sleeps a millisecond when there was nothing to do. */
void fen_gui_step (void);
/* Turns the main loop for this long: for asserting that something does NOT happen. */
void fen_gui_run_for (guint milliseconds);
/* Until the widget's window has drawn two more frames: layout and style are then up to date. */
void fen_gui_settle (GtkWidget *widget);

/* Turns the main loop until `condition` holds; the test fails at this line when it does not in time. Under a sanitizer
 * one layout of a large window can last longer than the whole wait: what was ready behind it gets its turns before
 * anything is called late. */
#define FEN_GUI_LEAST_TURNS 50
#define fen_gui_wait(condition, milliseconds)                                                                \
  G_STMT_START                                                                                               \
  {                                                                                                          \
    guint fen_gui_turns = 0;                                                                                 \
    gint64 fen_gui_deadline_us = g_get_monotonic_time () + (gint64)(milliseconds)*1000 * test_patience ();   \
    while (!(condition))                                                                                     \
      {                                                                                                      \
        if (g_get_monotonic_time () > fen_gui_deadline_us && fen_gui_turns++ >= FEN_GUI_LEAST_TURNS)         \
          g_assertion_message (G_LOG_DOMAIN, __FILE__, __LINE__, G_STRFUNC,                                  \
                               "not within " #milliseconds " ms: " #condition);                              \
        fen_gui_step ();                                                                                     \
      }                                                                                                      \
  }                                                                                                          \
  G_STMT_END

/* ---- life and death ---- */

/* A window with `child` in it, shown and drawn. The window belongs to GTK, as every toplevel does. */
GtkWidget *fen_gui_show (GtkWidget *child, int width, int height);
/* Closes a toplevel and asserts that it and every widget in it are finalized within two seconds: a reference that a
 * handler, an idle or a closure keeps makes the test fail, naming the type. Widgets that the test itself holds a
 * reference to are not waited for; unref them first. */
void fen_gui_destroy (GtkWidget *window);
/* Drops the caller's reference and asserts that it was the last, after pending idles have run. */
void fen_gui_assert_finalized (gpointer object);
#define fen_gui_clear_finalized(pointer) (fen_gui_assert_finalized (g_steal_pointer (pointer)))

/* ---- what a person sees ---- */

/* The first descendant (or `root` itself) of this type, depth first; NULL when there is none. With `text`, only one
 * whose own label, title or text reads so. Hidden ones are found too. */
GtkWidget *fen_gui_find (GtkWidget *root, GType type, const char *text);
/* The descendant with this id in its template or builder file; NULL. */
GtkWidget *fen_gui_find_id (GtkWidget *root, const char *id);
/* Does a mapped label (or entry) below `root` contain this text? */
gboolean fen_gui_shows_text (GtkWidget *root, const char *text);
/* All mapped text below `root`, one line a label: for messages. Free with g_free. */
char *fen_gui_all_text (GtkWidget *root);

/* ---- what a person does ---- */

/* Presses a button, toggles a check box or a switch, activates a row. It must be mapped and sensitive. */
void fen_gui_click (GtkWidget *widget);
/* Replaces what stands in an entry (GtkEditable or a row or box around one), as typing does. */
void fen_gui_type (GtkWidget *widget, const char *text);
/* What pasting would insert now. Free with g_free. */
char *fen_gui_paste (GtkWidget *widget);
/* Sends a key to the widget's key controllers, then to its ancestors', until one takes it. TRUE when one did. Shortcuts
 * (GtkShortcutController) are not reached: activate their action instead. */
gboolean fen_gui_key (GtkWidget *widget, guint keyval, GdkModifierType modifiers);

/* ---- pictures ---- */

/* The widget as it is drawn now. Free with g_object_unref. */
GdkTexture *fen_gui_render (GtkWidget *widget);
/* 0xRRGGBB of one pixel; x and y inside the texture. */
guint32 fen_gui_pixel (GdkTexture *texture, int x, int y);
/* How many pixels are not of the commonest colour: 0 means that nothing is drawn. */
gsize fen_gui_n_drawn (GdkTexture *texture);
/* How many pixels are within `tolerance` of a colour (0xRRGGBB) in each channel. */
gsize fen_gui_n_pixels (GdkTexture *texture, guint32 color, guint tolerance);
/* Writes a PNG; asserts that it worked. */
void fen_gui_save_png (GtkWidget *widget, const char *path);
/* The same into the folder that FENESTRA_PICTURES names, as NAME.png; nothing without that variable. */
void fen_gui_picture (GtkWidget *widget, const char *name);

/* Labels below `root` whose text does not fit where they are: cut off, or ellipsized. One line each, NULL when there are
 * none. Free with g_free. */
char *fen_gui_clipped_text (GtkWidget *root);

G_END_DECLS
