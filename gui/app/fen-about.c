/* fen-about.c: see fen-about.h. libadwaita 1.4 could read the metainfo itself; the floor is 1.2. */
#include "gui/app/fen-about.h"

#include <glib/gi18n.h>

#include "gui/app/fen-metainfo.h"

/* What a report of a defect needs to begin with. */
static char *
debug_info (void)
{
  return g_strdup_printf ("Fenestra %s (%s)\nGTK %u.%u.%u\nlibadwaita %u.%u.%u\nGLib %u.%u.%u\n", FEN_VERSION,
                          FEN_APPLICATION_ID, gtk_get_major_version (), gtk_get_minor_version (),
                          gtk_get_micro_version (), adw_get_major_version (), adw_get_minor_version (),
                          adw_get_micro_version (), glib_major_version, glib_minor_version,
                          glib_micro_version);
}

GtkWidget *
fen_about_window_new (GtkWindow *parent)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes
      = g_resources_lookup_data ("/org/fenestra/Fenestra/metainfo.xml", G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
  g_autoptr (FenMetainfo) metainfo = NULL;
  if (bytes != NULL)
    metainfo = fen_metainfo_parse (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                                   g_get_language_names (), &error);
  GtkWidget *window = adw_about_window_new ();
  AdwAboutWindow *about = ADW_ABOUT_WINDOW (window);
  gtk_window_set_transient_for (GTK_WINDOW (window), parent);
  adw_about_window_set_application_icon (about, FEN_APPLICATION_ID);
  adw_about_window_set_version (about, FEN_VERSION);
  adw_about_window_set_license_type (about, GTK_LICENSE_APACHE_2_0);
  /* TRANSLATORS: your names, one a line; they are shown as the translation's authors. */
  const char *translators = _ ("translator-credits");
  if (!g_str_equal (translators, "translator-credits"))
    adw_about_window_set_translator_credits (about, translators);
  if (metainfo
      == NULL) /* it is compiled in and tested: it cannot be missing, but an About window is no place to fail */
    return window;
  g_autofree char *info = debug_info ();
  adw_about_window_set_application_name (about, metainfo->name);
  adw_about_window_set_developer_name (about, metainfo->developer);
  adw_about_window_set_comments (about, metainfo->summary);
  adw_about_window_set_website (about, metainfo->homepage);
  adw_about_window_set_issue_url (about, metainfo->issues);
  adw_about_window_set_release_notes_version (about, metainfo->version);
  adw_about_window_set_release_notes (about, metainfo->release_notes);
  adw_about_window_set_debug_info (about, info);
  adw_about_window_set_debug_info_filename (about, "fenestra.txt");
  adw_about_window_add_legal_section (about, _ ("Built With"),
                                      "GTK 4, libadwaita, GLib, JSON-GLib, OpenBLAS, PCRE2, xxHash",
                                      GTK_LICENSE_CUSTOM, NULL);
  return window;
}
