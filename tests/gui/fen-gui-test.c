/* fen-gui-test.c: see fen-gui-test.h. Looking, acting, waiting; pictures are in fen-gui-picture.c. */
#include "tests/gui/fen-gui-test.h"

#include <glib/gstdio.h>
#include <locale.h>
#include <string.h>

#define STYLE_RESOURCE "/org/fenestra/Fenestra/style.css"
#define FINALIZE_TIMEOUT_US (2 * G_USEC_PER_SEC)

static char *test_home;

/* ---- set-up ---- */

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir = NULL;
  if (!g_file_test (path, G_FILE_TEST_IS_SYMLINK))
    dir = g_dir_open (path, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *child = g_build_filename (path, name, NULL);
      remove_tree (child);
    }
  g_remove (path);
}

static void
set_home_folder (const char *variable, const char *name)
{
  g_autofree char *path = g_build_filename (test_home, name, NULL);
  g_assert_cmpint (g_mkdir_with_parents (path, 0700), ==, 0);
  g_setenv (variable, path, TRUE);
}

void
fen_gui_load_style (void)
{
  if (!g_resources_get_info (STYLE_RESOURCE, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL, NULL, NULL))
    return;
  g_autoptr (GtkCssProvider) provider = gtk_css_provider_new ();
  gtk_css_provider_load_from_resource (provider, STYLE_RESOURCE);
  gtk_style_context_add_provider_for_display (gdk_display_get_default (), GTK_STYLE_PROVIDER (provider),
                                              GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
}

void
fen_gui_test_init (int *argc, char ***argv)
{
  /* GLib reads these once, so they are set before anything else of it runs. The runtime folder stays: the session bus
   * may live there. A subprocess of a test puts its own home into its parent's, which removes both. */
  const char *outer = g_getenv ("FENESTRA_TEST_HOME");
  test_home = g_build_filename (outer ? outer : g_get_tmp_dir (), "fenestra-gui-test-XXXXXX", NULL);
  g_assert_nonnull (g_mkdtemp (test_home));
  g_setenv ("FENESTRA_TEST_HOME", test_home, TRUE);
  set_home_folder ("HOME", "home");
  set_home_folder ("XDG_DATA_HOME", "data");
  set_home_folder ("XDG_CONFIG_HOME", "config");
  set_home_folder ("XDG_CACHE_HOME", "cache");
  set_home_folder ("XDG_STATE_HOME", "state");

  setlocale (LC_ALL, "");
  /* Not G_TEST_OPTION_ISOLATE_DIRS: it also hides the system's icons, schemas and content types. */
  g_test_init (argc, argv, NULL);
  adw_init ();
  g_object_set (gtk_settings_get_default (), "gtk-enable-animations", FALSE, NULL);
  fen_gui_load_style ();
}

int
fen_gui_test_run (void)
{
  int status = g_test_run ();
  remove_tree (test_home);
  g_clear_pointer (&test_home, g_free);
  return status;
}

char *
fen_gui_test_folder (const char *name)
{
  g_autofree char *template = g_strdup_printf ("%s/%s-XXXXXX", test_home, name);
  g_assert_nonnull (g_mkdtemp (template));
  return g_steal_pointer (&template);
}

/* ---- time ---- */

void
fen_gui_step (void)
{
  if (!g_main_context_iteration (NULL, FALSE))
    g_usleep (1000);
}

void
fen_gui_run_for (guint milliseconds)
{
  gint64 end_us = g_get_monotonic_time () + (gint64)milliseconds * 1000;
  while (g_get_monotonic_time () < end_us)
    fen_gui_step ();
}

void
fen_gui_settle (GtkWidget *widget)
{
  GtkRoot *root = gtk_widget_get_root (widget);
  g_assert_nonnull (root);
  fen_gui_wait (gtk_widget_get_mapped (GTK_WIDGET (root)), 5000);
  GdkFrameClock *clock = gtk_widget_get_frame_clock (GTK_WIDGET (root));
  for (int frame = 0; frame < 2; frame++)
    {
      gint64 counter = gdk_frame_clock_get_frame_counter (clock);
      gtk_widget_queue_draw (GTK_WIDGET (root));
      fen_gui_wait (gdk_frame_clock_get_frame_counter (clock) > counter, 5000);
    }
  /* A slow machine never comes to rest while a run draws: what is due in a second is enough. */
  gint64 end_us = g_get_monotonic_time () + G_USEC_PER_SEC;
  while (g_main_context_iteration (NULL, FALSE) && g_get_monotonic_time () < end_us)
    ;
}

/* ---- life and death ---- */

GtkWidget *
fen_gui_show (GtkWidget *child, int width, int height)
{
  GtkWidget *window = gtk_window_new ();
  gtk_window_set_default_size (GTK_WINDOW (window), width, height);
  gtk_window_set_child (GTK_WINDOW (window), child);
  gtk_window_present (GTK_WINDOW (window));
  fen_gui_settle (window);
  return window;
}

/* What must be gone: a weak pointer for each widget, beside its type's name for the message. */
typedef struct {
  GWeakRef widget;
  const char *type_name;
} Watched;

static void
watched_free (gpointer data)
{
  Watched *watched = data;
  g_weak_ref_clear (&watched->widget);
  g_free (watched);
}

static void
watch_tree (GPtrArray *all, GtkWidget *widget)
{
  /* GTK's own, kept for the display and moved from window to window. */
  if (g_str_equal (G_OBJECT_TYPE_NAME (widget), "GtkTooltipWindow"))
    return;
  Watched *watched = g_new0 (Watched, 1);
  g_weak_ref_init (&watched->widget, widget);
  watched->type_name = G_OBJECT_TYPE_NAME (widget);
  g_ptr_array_add (all, watched);
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child;
       child = gtk_widget_get_next_sibling (child))
    watch_tree (all, child);
}

static const char *
first_alive (GPtrArray *all)
{
  for (guint i = 0; i < all->len; i++)
    {
      Watched *watched = g_ptr_array_index (all, i);
      g_autoptr (GObject) alive = g_weak_ref_get (&watched->widget);
      if (alive)
        return watched->type_name;
    }
  return NULL;
}

void
fen_gui_destroy (GtkWidget *window)
{
  g_assert_true (GTK_IS_WINDOW (window));
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (watched_free);
  watch_tree (all, window);
  gtk_window_destroy (GTK_WINDOW (window));

  gint64 deadline_us = g_get_monotonic_time () + FINALIZE_TIMEOUT_US;
  while (first_alive (all))
    {
      if (g_get_monotonic_time () > deadline_us)
        g_error ("a %s outlives its window: something keeps a reference", first_alive (all));
      fen_gui_step ();
    }
}

void
fen_gui_assert_finalized (gpointer object)
{
  g_assert_true (G_IS_OBJECT (object));
  const char *type_name = G_OBJECT_TYPE_NAME (object);
  GWeakRef weak;
  g_weak_ref_init (&weak, object);
  g_object_unref (object);

  gint64 deadline_us = g_get_monotonic_time () + FINALIZE_TIMEOUT_US;
  for (;;)
    {
      g_autoptr (GObject) alive = g_weak_ref_get (&weak);
      if (!alive)
        break;
      if (g_get_monotonic_time () > deadline_us)
        g_error ("a %s is still alive with %u references", type_name, alive->ref_count - 1);
      g_clear_object (&alive);
      fen_gui_step ();
    }
  g_weak_ref_clear (&weak);
}

/* ---- what a person sees ---- */

/* The words of one widget itself, not of its children; NULL for what has none. */
static const char *
own_text (GtkWidget *widget)
{
  if (GTK_IS_LABEL (widget))
    return gtk_label_get_text (GTK_LABEL (widget));
  if (GTK_IS_BUTTON (widget))
    return gtk_button_get_label (GTK_BUTTON (widget));
  if (GTK_IS_CHECK_BUTTON (widget))
    return gtk_check_button_get_label (GTK_CHECK_BUTTON (widget));
  if (ADW_IS_PREFERENCES_ROW (widget))
    return adw_preferences_row_get_title (ADW_PREFERENCES_ROW (widget));
  if (ADW_IS_PREFERENCES_GROUP (widget))
    return adw_preferences_group_get_title (ADW_PREFERENCES_GROUP (widget));
  if (ADW_IS_STATUS_PAGE (widget))
    return adw_status_page_get_title (ADW_STATUS_PAGE (widget));
  if (GTK_IS_EDITABLE (widget))
    return gtk_editable_get_text (GTK_EDITABLE (widget));
  return NULL;
}

GtkWidget *
fen_gui_find (GtkWidget *root, GType type, const char *text)
{
  if (g_type_is_a (G_OBJECT_TYPE (root), type) && (!text || g_strcmp0 (own_text (root), text) == 0))
    return root;
  for (GtkWidget *child = gtk_widget_get_first_child (root); child;
       child = gtk_widget_get_next_sibling (child))
    {
      GtkWidget *found = fen_gui_find (child, type, text);
      if (found)
        return found;
    }
  return NULL;
}

GtkWidget *
fen_gui_find_id (GtkWidget *root, const char *id)
{
  if (g_strcmp0 (gtk_buildable_get_buildable_id (GTK_BUILDABLE (root)), id) == 0)
    return root;
  for (GtkWidget *child = gtk_widget_get_first_child (root); child;
       child = gtk_widget_get_next_sibling (child))
    {
      GtkWidget *found = fen_gui_find_id (child, id);
      if (found)
        return found;
    }
  return NULL;
}

/* Text that is drawn: labels, what stands in entries and text views. Buttons and rows draw theirs through a label. */
static char *
drawn_text (GtkWidget *widget)
{
  if (GTK_IS_LABEL (widget))
    return g_strdup (gtk_label_get_text (GTK_LABEL (widget)));
  if (GTK_IS_TEXT (widget))
    return g_strdup (gtk_editable_get_text (GTK_EDITABLE (widget)));
  if (GTK_IS_INSCRIPTION (widget))
    return g_strdup (gtk_inscription_get_text (GTK_INSCRIPTION (widget)));
  if (GTK_IS_TEXT_VIEW (widget))
    {
      GtkTextBuffer *buffer = gtk_text_view_get_buffer (GTK_TEXT_VIEW (widget));
      GtkTextIter start, end;
      gtk_text_buffer_get_bounds (buffer, &start, &end);
      return gtk_text_buffer_get_text (buffer, &start, &end, FALSE);
    }
  return NULL;
}

static void
collect_text (GtkWidget *widget, GString *all)
{
  if (!gtk_widget_get_mapped (widget))
    return;
  g_autofree char *text = drawn_text (widget);
  if (text && *text)
    g_string_append_printf (all, "%s\n", text);
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child;
       child = gtk_widget_get_next_sibling (child))
    collect_text (child, all);
}

char *
fen_gui_all_text (GtkWidget *root)
{
  GString *all = g_string_new (NULL);
  collect_text (root, all);
  return g_string_free (all, FALSE);
}

gboolean
fen_gui_shows_text (GtkWidget *root, const char *text)
{
  g_autofree char *all = fen_gui_all_text (root);
  return strstr (all, text) != NULL;
}

/* ---- what a person does ---- */

void
fen_gui_click (GtkWidget *widget)
{
  g_assert_nonnull (widget);
  g_assert_true (gtk_widget_get_mapped (widget));
  g_assert_true (gtk_widget_is_sensitive (widget));
  if (GTK_IS_SWITCH (widget))
    gtk_switch_set_active (GTK_SWITCH (widget), !gtk_switch_get_active (GTK_SWITCH (widget)));
  else if (GTK_IS_BUTTON (widget))
    g_signal_emit_by_name (widget, "clicked");
  else if (ADW_IS_ACTION_ROW (widget))
    adw_action_row_activate (ADW_ACTION_ROW (widget));
  else
    g_assert_true (gtk_widget_activate (widget));
}

void
fen_gui_type (GtkWidget *widget, const char *text)
{
  g_assert_nonnull (widget);
  GtkWidget *entry = GTK_IS_TEXT (widget) ? widget : fen_gui_find (widget, GTK_TYPE_TEXT, NULL);
  g_assert_nonnull (entry);
  g_assert_true (gtk_widget_get_mapped (entry));
  g_assert_true (gtk_widget_is_sensitive (entry));
  gtk_widget_grab_focus (entry);
  gtk_editable_delete_text (GTK_EDITABLE (entry), 0, -1);
  int position = 0;
  /* One character after the other, as a keyboard gives them: a handler that rewrites the text meets every state. */
  for (const char *c = text; *c; c = g_utf8_next_char (c))
    gtk_editable_insert_text (GTK_EDITABLE (entry), c, g_utf8_next_char (c) - c, &position);
}

typedef struct {
  gboolean done;
  char *text;
  GError *error;
} Pasted;

static void
on_pasted (GObject *clipboard, GAsyncResult *result, gpointer data)
{
  Pasted *pasted = data;
  pasted->text = gdk_clipboard_read_text_finish (GDK_CLIPBOARD (clipboard), result, &pasted->error);
  pasted->done = TRUE;
}

char *
fen_gui_paste (GtkWidget *widget)
{
  Pasted pasted = { FALSE };
  gdk_clipboard_read_text_async (gtk_widget_get_clipboard (widget), NULL, on_pasted, &pasted);
  fen_gui_wait (pasted.done, 2000);
  g_assert_no_error (pasted.error);
  return pasted.text;
}

static gboolean
key_to_widget (GtkWidget *widget, guint keyval, GdkModifierType modifiers)
{
  gboolean handled = FALSE;
  g_autoptr (GListModel) controllers = gtk_widget_observe_controllers (widget);
  for (guint i = 0; !handled && i < g_list_model_get_n_items (controllers); i++)
    {
      g_autoptr (GObject) controller = g_list_model_get_item (controllers, i);
      if (GTK_IS_EVENT_CONTROLLER_KEY (controller))
        g_signal_emit_by_name (controller, "key-pressed", keyval, 0, modifiers, &handled);
    }
  return handled;
}

gboolean
fen_gui_key (GtkWidget *widget, guint keyval, GdkModifierType modifiers)
{
  for (; widget; widget = gtk_widget_get_parent (widget))
    if (key_to_widget (widget, keyval, modifiers))
      return TRUE;
  return FALSE;
}
