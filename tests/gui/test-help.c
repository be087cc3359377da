/* test-help.c: the guide in its window, and the About window: what is read, found and shown. */
#include "gui/app/fen-about.h"
#include "gui/app/fen-guide.h"
#include "gui/app/fen-help-window.h"
#include "gui/app/fen-metainfo.h"
#include "tests/gui/fen-gui-test.h"

#include <string.h>

/* ---- metainfo ---- */

static const char *const METAINFO
    = "<?xml version='1.0'?><component><name>Fen</name><name xml:lang='de'>Fenn</name>"
      "<summary>Train\n   models</summary><summary xml:lang='fr'>Former</summary>"
      "<developer_name>Us &amp; them</developer_name><project_license>Apache-2.0</project_license>"
      "<url type='homepage'>https://example.org/</url><url type='bugtracker'>https://example.org/b</url>"
      "<releases><release version='0.2'><description><p>New &lt;things&gt;:</p>"
      "<p xml:lang='de'>Neue Dinge:</p><ul><li>one</li><li xml:lang='de'>eins</li><li>two</li></ul>"
      "</description></release><release "
      "version='0.1'><description><p>Old</p></description></release></releases>"
      "</component>";

static FenMetainfo *
parse (const char *language)
{
  const char *const languages[] = { language, "C", NULL };
  GError *error = NULL;
  FenMetainfo *metainfo = fen_metainfo_parse (METAINFO, strlen (METAINFO), languages, &error);
  g_assert_no_error (error);
  return metainfo;
}

static void
test_metainfo_fields (void)
{
  g_autoptr (FenMetainfo) metainfo = parse ("en");
  g_assert_cmpstr (metainfo->name, ==, "Fen");
  g_assert_cmpstr (metainfo->summary, ==, "Train models");
  g_assert_cmpstr (metainfo->developer, ==, "Us & them");
  g_assert_cmpstr (metainfo->license, ==, "Apache-2.0");
  g_assert_cmpstr (metainfo->homepage, ==, "https://example.org/");
  g_assert_cmpstr (metainfo->issues, ==, "https://example.org/b");
  g_assert_cmpstr (metainfo->version, ==, "0.2");
  g_assert_cmpstr (metainfo->release_notes, ==,
                   "<p>New &lt;things&gt;:</p><ul><li>one</li><li>two</li></ul>");
}

/* What is not translated stays in English; what is, is taken whatever its place. */
static void
test_metainfo_language (void)
{
  g_autoptr (FenMetainfo) metainfo = parse ("de");
  g_assert_cmpstr (metainfo->name, ==, "Fenn");
  g_assert_cmpstr (metainfo->summary, ==, "Train models");
  g_assert_cmpstr (metainfo->release_notes, ==, "<p>Neue Dinge:</p><ul><li>eins</li><li>two</li></ul>");
}

static void
test_metainfo_damaged (void)
{
  const char *const languages[] = { "C", NULL };
  for (gsize length = 0; length < strlen (METAINFO); length += 7)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (fen_metainfo_parse (METAINFO, length, languages, &error));
      g_assert_true (error != NULL && error->domain == G_MARKUP_ERROR);
    }
}

static void
test_about (void)
{
  GtkWidget *parent = fen_gui_show (gtk_label_new ("parent"), 300, 200);
  GtkWidget *about = fen_about_window_new (GTK_WINDOW (parent));
  gtk_window_present (GTK_WINDOW (about));
  fen_gui_settle (about);
  g_assert_true (fen_gui_shows_text (about, "Fenestra"));
  g_assert_true (fen_gui_shows_text (about, FEN_VERSION));
  g_assert_cmpstr (adw_about_window_get_release_notes_version (ADW_ABOUT_WINDOW (about)), ==, FEN_VERSION);
  g_assert_true (g_str_has_prefix (adw_about_window_get_release_notes (ADW_ABOUT_WINDOW (about)), "<p>"));
  g_assert_nonnull (strstr (adw_about_window_get_debug_info (ADW_ABOUT_WINDOW (about)), "GTK 4."));
  fen_gui_picture (about, "about");
  fen_gui_destroy (about);
  fen_gui_destroy (parent);
}

/* ---- the guide ---- */

static void
write_chapter (const char *folder, const char *name, const char *content, gssize length)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_assert_true (g_file_set_contents (path, content, length, NULL));
}

static void
test_guide_load (void)
{
  g_autofree char *folder = fen_gui_test_folder ("guide");
  write_chapter (folder, "02.txt", "Second\n\nÄpfel und Birnen.\n", -1);
  write_chapter (folder, "01.txt", "First\n\nNothing here.\n", -1);
  write_chapter (folder, "03.txt", "bad \xff\xfe\n\nbytes", -1);
  write_chapter (folder, "empty.txt", "", 0);
  write_chapter (folder, "notes.md", "no chapter", -1);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) guide = fen_guide_load (folder, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (guide->len, ==, 3);
  const FenGuideChapter *first = g_ptr_array_index (guide, 0), *second = g_ptr_array_index (guide, 1);
  const FenGuideChapter *third = g_ptr_array_index (guide, 2);
  g_assert_cmpstr (first->title, ==, "First");
  g_assert_cmpstr (first->text, ==, "Nothing here.");
  g_assert_true (g_utf8_validate (third->title, -1, NULL));
  g_assert_true (fen_guide_chapter_matches (second, "BIRNEN äpfel"));
  g_assert_true (fen_guide_chapter_matches (second, "  "));
  g_assert_false (fen_guide_chapter_matches (first, "birnen"));
}

static void
test_guide_missing (void)
{
  g_autofree char *folder = fen_gui_test_folder ("no-guide");
  g_autoptr (GError) error = NULL;
  g_assert_null (fen_guide_load (folder, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_autofree char *none = g_build_filename (folder, "none", NULL);
  g_assert_null (fen_guide_load (none, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
}

static guint
rows_shown (GtkListBox *list)
{
  guint shown = 0;
  for (int i = 0; gtk_list_box_get_row_at_index (list, i) != NULL; i++)
    shown += gtk_widget_get_mapped (GTK_WIDGET (gtk_list_box_get_row_at_index (list, i)));
  return shown;
}

/* Does the chapter that is shown have this text? */
static gboolean
reads (GtkWidget *window, const char *text)
{
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (GTK_TEXT_VIEW (fen_gui_find_id (window, "text")));
  g_autofree char *all = NULL;
  g_object_get (buffer, "text", &all, NULL);
  return strstr (all, text) != NULL;
}

/* The real guide: its chapters are listed, the first is shown, a search leaves those that have the words. */
static void
test_window (void)
{
  GtkWidget *window = fen_help_window_new ();
  gtk_window_present (GTK_WINDOW (window));
  fen_gui_wait (fen_gui_shows_text (window, "What Fenestra is"), 5000);
  GtkListBox *list = GTK_LIST_BOX (fen_gui_find_id (window, "chapters"));
  GtkWidget *search = fen_gui_find_id (window, "search");
  const guint all = rows_shown (list);
  g_assert_cmpuint (all, >=, 19);
  g_assert_true (reads (window, "Latin word for window"));
  fen_gui_settle (window);
  GtkScrollable *text = GTK_SCROLLABLE (fen_gui_find_id (window, "text"));
  g_assert_cmpfloat (gtk_adjustment_get_value (gtk_scrollable_get_vadjustment (text)), ==, 0);
  g_autofree char *clipped = fen_gui_clipped_text (window);
  g_assert_cmpstr (clipped, ==, NULL);
  fen_gui_picture (window, "help");

  fen_gui_type (search, "wsd constant");
  fen_gui_wait (reads (window, "lr_decay_share"), 3000);
  g_assert_cmpuint (rows_shown (list), <, all);
  g_assert_cmpuint (rows_shown (list), >, 0);
  fen_gui_picture (window, "help-search");

  fen_gui_type (search, "zxqv");
  fen_gui_wait (fen_gui_shows_text (window, "Nothing Found"), 3000);
  fen_gui_type (search, "");
  fen_gui_wait (rows_shown (list) == all, 3000);
  fen_gui_destroy (window);
}

/* Closed before the files are read: nothing of it may come back. */
static void
test_closed_early (void)
{
  GtkWidget *window = fen_help_window_new ();
  gtk_window_present (GTK_WINDOW (window));
  fen_gui_destroy (window);
}

int
main (int argc, char **argv)
{
  fen_gui_test_init (&argc, &argv);
  g_test_add_func ("/metainfo/fields", test_metainfo_fields);
  g_test_add_func ("/metainfo/language", test_metainfo_language);
  g_test_add_func ("/metainfo/damaged", test_metainfo_damaged);
  g_test_add_func ("/about/window", test_about);
  g_test_add_func ("/guide/load", test_guide_load);
  g_test_add_func ("/guide/missing", test_guide_missing);
  g_test_add_func ("/help/window", test_window);
  g_test_add_func ("/help/closed-early", test_closed_early);
  return fen_gui_test_run ();
}
