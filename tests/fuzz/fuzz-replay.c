/* fuzz-replay.c: runs a fuzz target over the files of the folders on the command line, without libFuzzer.
 *
 * Every seed is also cut short at a few places, which is what a half-written file looks like. An empty or missing
 * folder is a failure: a target without seeds tests nothing. */
#include "tests/fuzz/fuzz-target.h"

#include <glib.h>

static void
replay (const char *content, gsize length)
{
  for (guint part = 1; part <= 8; part++)
    {
      /* A copy of exactly that size, so that sanitizers see a read past its end. */
      gsize bytes = length * part / 8;
      g_autofree guint8 *data = g_malloc (MAX (bytes, 1));
      for (gsize i = 0; i < bytes; i++)
        data[i] = (guint8)content[i];
      LLVMFuzzerTestOneInput (data, bytes);
    }
}

static gboolean
replay_folder (const char *folder)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, &error);
  const char *name;
  guint count = 0;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_autofree char *content = NULL;
      gsize length;
      if (!g_file_get_contents (path, &content, &length, &error))
        break;
      replay (content, length);
      count++;
    }
  if (error != NULL)
    g_printerr ("%s\n", error->message);
  else
    g_print ("%s: %u files\n", folder, count);
  return error == NULL && count > 0;
}

int
main (int argc, char **argv)
{
  gboolean ok = argc > 1;
  for (int i = 1; i < argc; i++)
    ok = replay_folder (argv[i]) && ok;
  return ok ? 0 : 1;
}
