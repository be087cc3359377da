/* test-gui-fixture.c: the fixtures themselves: that they see what is there, and that they fail when they must. */
#include "tests/gui/fen-gui-test.h"

static void
test_text (void)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  GtkWidget *hidden = gtk_label_new ("Hidden words");
  gtk_widget_set_visible (hidden, FALSE);
  GtkWidget *entry = gtk_entry_new ();
  gtk_box_append (GTK_BOX (box), gtk_label_new ("Window Size"));
  gtk_box_append (GTK_BOX (box), hidden);
  gtk_box_append (GTK_BOX (box), entry);
  gtk_box_append (GTK_BOX (box), gtk_button_new_with_label ("Start"));
  GtkWidget *window = fen_gui_show (box, 300, 200);

  g_assert_true (fen_gui_shows_text (window, "Window"));
  g_assert_true (fen_gui_shows_text (window, "Start"));
  g_assert_false (fen_gui_shows_text (window, "Hidden"));
  fen_gui_type (entry, "8193");
  g_assert_true (fen_gui_shows_text (window, "8193"));
  fen_gui_type (entry, "25");
  g_assert_cmpstr (gtk_editable_get_text (GTK_EDITABLE (entry)), ==, "25");
  g_assert_true (fen_gui_find (window, GTK_TYPE_BUTTON, "Start") == gtk_widget_get_last_child (box));
  g_assert_null (fen_gui_find (window, GTK_TYPE_BUTTON, "Stop"));
  fen_gui_destroy (window);
}

static void
count_click (GtkButton *button, gpointer data)
{
  ++*(guint *)data;
}

static gboolean
take_return (GtkEventControllerKey *controller, guint keyval, guint keycode, GdkModifierType state,
             gpointer data)
{
  ++*(guint *)data;
  return keyval == GDK_KEY_Return;
}

static void
test_click_and_key (void)
{
  guint clicks = 0, keys = 0;
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  GtkWidget *button = gtk_button_new_with_label ("Start");
  GtkWidget *check = gtk_check_button_new_with_label ("FlashAttn-2");
  g_signal_connect (button, "clicked", G_CALLBACK (count_click), &clicks);
  GtkEventController *controller = gtk_event_controller_key_new ();
  g_signal_connect (controller, "key-pressed", G_CALLBACK (take_return), &keys);
  gtk_widget_add_controller (box, controller);
  gtk_box_append (GTK_BOX (box), button);
  gtk_box_append (GTK_BOX (box), check);
  GtkWidget *window = fen_gui_show (box, 300, 200);

  fen_gui_click (button);
  g_assert_cmpuint (clicks, ==, 1);
  fen_gui_click (check);
  g_assert_true (gtk_check_button_get_active (GTK_CHECK_BUTTON (check)));
  /* From the button up to the box. */
  g_assert_true (fen_gui_key (button, GDK_KEY_Return, 0));
  g_assert_false (fen_gui_key (button, GDK_KEY_a, 0));
  g_assert_cmpuint (keys, ==, 2);
  fen_gui_destroy (window);
}

static void
test_picture (void)
{
  GtkWidget *label = gtk_label_new ("Loss");
  GtkWidget *window = fen_gui_show (label, 200, 100);
  g_autoptr (GdkTexture) texture = fen_gui_render (window);
  g_assert_cmpint (gdk_texture_get_width (texture), ==, gtk_widget_get_width (window));
  g_assert_cmpuint (fen_gui_n_drawn (texture), >, 20);

  gtk_label_set_text (GTK_LABEL (label), "");
  g_autoptr (GdkTexture) empty = fen_gui_render (label);
  g_assert_cmpuint (fen_gui_n_drawn (empty), ==, 0);
  fen_gui_destroy (window);
}

/* Red shows as red: channels are in the order that fen_gui_pixel promises. */
static void
test_pixel (void)
{
  g_autoptr (GtkCssProvider) provider = gtk_css_provider_new ();
  gtk_css_provider_load_from_data (
      provider, ".fen-red { background: #ff0000; min-width: 20px; min-height: 20px; }", -1);
  gtk_style_context_add_provider_for_display (gdk_display_get_default (), GTK_STYLE_PROVIDER (provider),
                                              GTK_STYLE_PROVIDER_PRIORITY_USER);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  gtk_widget_add_css_class (box, "fen-red");
  GtkWidget *window = fen_gui_show (box, 40, 40);
  g_autoptr (GdkTexture) texture = fen_gui_render (box);
  g_assert_cmphex (fen_gui_pixel (texture, 10, 10), ==, 0xff0000);
  g_assert_cmpuint (fen_gui_n_pixels (texture, 0xfe0101, 1), >=, 400);
  g_assert_cmpuint (fen_gui_n_pixels (texture, 0x0000ff, 1), ==, 0);
  fen_gui_destroy (window);
  gtk_style_context_remove_provider_for_display (gdk_display_get_default (), GTK_STYLE_PROVIDER (provider));
}

static void
test_clipped (void)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  GtkWidget *label = gtk_label_new ("A sentence that is much longer than the room it has");
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
  GtkWidget *wrapped = gtk_label_new ("Another one that may take as many lines as it needs");
  gtk_label_set_wrap (GTK_LABEL (wrapped), TRUE);
  gtk_box_append (GTK_BOX (box), label);
  gtk_box_append (GTK_BOX (box), wrapped);
  GtkWidget *window = fen_gui_show (box, 120, 200);

  g_autofree char *clipped = fen_gui_clipped_text (window);
  g_assert_cmpstr (clipped, ==, "ellipsized: A sentence that is much longer than the room it has\n");
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_NONE);
  fen_gui_settle (window);
  g_assert_null (fen_gui_clipped_text (window));
  fen_gui_destroy (window);
}

static void
test_folders (void)
{
  g_autofree char *first = fen_gui_test_folder ("runs");
  g_autofree char *second = fen_gui_test_folder ("runs");
  g_assert_cmpstr (first, !=, second);
  g_assert_true (g_file_test (first, G_FILE_TEST_IS_DIR));
  g_assert_true (g_str_has_prefix (first, g_get_tmp_dir ()));
  g_assert_true (g_str_has_prefix (g_getenv ("HOME"), g_get_tmp_dir ()));
}

/* ---- what must fail, in a process of its own ---- */

static void
test_finds_kept_widget (void)
{
  if (g_test_subprocess ())
    {
      GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
      GtkWidget *label = gtk_label_new ("kept");
      gtk_box_append (GTK_BOX (box), label);
      GtkWidget *window = fen_gui_show (box, 100, 100);
      g_object_ref (label);
      fen_gui_destroy (window);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr ("*GtkLabel outlives its window*");
}

static void
test_finds_kept_object (void)
{
  if (g_test_subprocess ())
    {
      GObject *object = g_object_new (G_TYPE_OBJECT, NULL);
      g_object_ref (object);
      fen_gui_assert_finalized (object);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr ("*GObject is still alive with 1 references*");
}

static void
test_waits_no_longer (void)
{
  if (g_test_subprocess ())
    {
      fen_gui_wait (1 + 1 == 3, 50);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr ("*not within 50 ms: 1 + 1 == 3*");
}

int
main (int argc, char **argv)
{
  fen_gui_test_init (&argc, &argv);
  g_test_add_func ("/gui-fixture/text", test_text);
  g_test_add_func ("/gui-fixture/click-and-key", test_click_and_key);
  g_test_add_func ("/gui-fixture/picture", test_picture);
  g_test_add_func ("/gui-fixture/pixel", test_pixel);
  g_test_add_func ("/gui-fixture/clipped", test_clipped);
  g_test_add_func ("/gui-fixture/folders", test_folders);
  g_test_add_func ("/gui-fixture/finds-kept-widget", test_finds_kept_widget);
  g_test_add_func ("/gui-fixture/finds-kept-object", test_finds_kept_object);
  g_test_add_func ("/gui-fixture/waits-no-longer", test_waits_no_longer);
  return fen_gui_test_run ();
}
