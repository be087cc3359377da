/* fen-paths.c: see fen-paths.h. */
#include "core/base/fen-paths.h"

#include <unistd.h>

/* The folder of the running program; NULL where /proc is not there. */
static char *
program_folder (void)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  return program != NULL ? g_path_get_dirname (program) : NULL;
}

static char *
existing (const char *folder, const char *name)
{
  if (folder == NULL || folder[0] == '\0')
    return NULL;
  char *path = g_build_filename (folder, name, NULL);
  if (g_file_test (path, G_FILE_TEST_EXISTS))
    return path;
  g_free (path);
  return NULL;
}

char *
fen_data_path (const char *name)
{
  g_autofree char *program = program_folder ();
  g_autofree char *installed
      = program != NULL ? g_build_filename (program, "..", "share", "fenestra", NULL) : NULL;
  const char *const folders[]
      = { g_getenv ("FENESTRA_DATA_DIR"), installed, FEN_DATA_DIR, FEN_SOURCE_DATA_DIR };
  for (gsize i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      char *path = existing (folders[i], name);
      if (path != NULL)
        return path;
    }
  return NULL;
}

char *
fen_sample_path (void)
{
  return fen_data_path ("guide");
}
