/* comma-locale.c: see comma-locale.h. */
#include "tests/support/comma-locale.h"

#include <glib.h>
#include <locale.h>

void
comma_locale_begin (const char *folder)
{
  static const char source[] = "comment_char %\nescape_char /\nLC_NUMERIC\ndecimal_point \"<U002C>\"\n"
                               "thousands_sep \"<U002E>\"\ngrouping 3;3\nEND LC_NUMERIC\n";
  g_autofree char *file = g_build_filename (folder, "source", NULL);
  g_autofree char *target = g_build_filename (folder, "comma", NULL);
  const char *argv[] = { "localedef", "--no-archive", "-c", "-i", file, target, NULL };
  g_autoptr (GError) error = NULL;
  g_assert_true (g_file_set_contents (file, source, -1, NULL));
  /* It warns of the categories that are left out, and says so by its status. */
  g_spawn_sync (NULL, (char **)argv, NULL,
                G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL,
                NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_setenv ("LOCPATH", folder, TRUE);
  g_assert_nonnull (setlocale (LC_NUMERIC, "comma"));
  g_assert_cmpstr (localeconv ()->decimal_point, ==, ",");
}

void
comma_locale_end (void)
{
  g_assert_nonnull (setlocale (LC_NUMERIC, "C"));
  g_unsetenv ("LOCPATH");
}
