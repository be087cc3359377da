/* fen-places.c: see fen-places.h. FEN_BUILD_DIR and FEN_LOCALE_DIR come from meson.build. */
#include "gui/app/fen-places.h"

#include <libintl.h>
#include <locale.h>
#include <string.h>

/* NULL where /proc is not there. */
static char *
program_folder (void)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  return program != NULL ? g_path_get_dirname (program) : NULL;
}

gboolean
fen_places_in_build_tree (void)
{
  g_autofree char *folder = program_folder ();
  return folder != NULL && g_str_has_prefix (folder, FEN_BUILD_DIR "/");
}

char *
fen_places_build_folder (const char *name)
{
  return g_build_filename (FEN_BUILD_DIR, name, NULL);
}

char *
fen_places_beside_program (const char *name)
{
  g_autofree char *folder = program_folder ();
  if (folder == NULL)
    return NULL;
  g_autofree char *prefix = g_path_get_dirname (folder);
  char *path = g_build_filename (prefix, name, NULL);
  if (!g_file_test (path, G_FILE_TEST_IS_DIR))
    g_clear_pointer (&path, g_free);
  return path;
}

void
fen_places_init_translations (void)
{
  setlocale (LC_ALL, "");
  g_autofree char *built = fen_places_in_build_tree () ? fen_places_build_folder ("po") : NULL;
  g_autofree char *beside = fen_places_beside_program ("share/locale");
  const char *folder = g_getenv ("FENESTRA_LOCALE_DIR");
  if (folder == NULL || folder[0] == '\0')
    folder = built != NULL ? built : beside != NULL ? beside : FEN_LOCALE_DIR;
  bindtextdomain (GETTEXT_PACKAGE, folder);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
}
