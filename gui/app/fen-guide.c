/* fen-guide.c: see fen-guide.h. */
#include "gui/app/fen-guide.h"

#include <string.h>

#define MAX_CHAPTER_BYTES (4u << 20) /* a guide is read, not downloaded: more is some other file */

static void
chapter_free (gpointer data)
{
  FenGuideChapter *chapter = data;
  g_free (chapter->title);
  g_free (chapter->text);
  g_free (chapter->folded);
  g_free (chapter);
}

static FenGuideChapter *
chapter_new (const char *content, gsize length)
{
  g_autofree char *valid = g_utf8_make_valid (content, (gssize)length);
  char *end = strchr (valid, '\n');
  FenGuideChapter *chapter = g_new0 (FenGuideChapter, 1);
  chapter->title = end != NULL ? g_strndup (valid, (gsize)(end - valid)) : g_strdup (valid);
  chapter->text = g_strdup (end != NULL ? end : "");
  g_strstrip (chapter->title);
  g_strstrip (chapter->text);
  chapter->folded = g_utf8_casefold (valid, -1);
  return chapter;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
}

static GPtrArray *
list_files (const char *folder, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, error);
  if (dir == NULL)
    return NULL;
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  for (const char *name = g_dir_read_name (dir); name != NULL; name = g_dir_read_name (dir))
    if (g_str_has_suffix (name, ".txt") && name[0] != '.')
      g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  return names;
}

GPtrArray *
fen_guide_load (const char *folder, GError **error)
{
  g_autoptr (GPtrArray) names = list_files (folder, error);
  if (names == NULL)
    return NULL;
  g_autoptr (GPtrArray) chapters = g_ptr_array_new_with_free_func (chapter_free);
  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *path = g_build_filename (folder, g_ptr_array_index (names, i), NULL);
      g_autofree char *content = NULL;
      gsize length = 0;
      if (!g_file_get_contents (path, &content, &length, error))
        return NULL;
      if (length > 0 && length <= MAX_CHAPTER_BYTES)
        g_ptr_array_add (chapters, chapter_new (content, length));
    }
  if (chapters->len == 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "%s: no chapter in this folder", folder);
      return NULL;
    }
  return g_steal_pointer (&chapters);
}

gboolean
fen_guide_chapter_matches (const FenGuideChapter *chapter, const char *query)
{
  g_autofree char *folded = g_utf8_casefold (query, -1);
  g_auto (GStrv) words = g_strsplit_set (folded, " \t\n", -1);
  for (guint i = 0; words[i] != NULL; i++)
    if (strstr (chapter->folded, words[i]) == NULL)
      return FALSE;
  return TRUE;
}
