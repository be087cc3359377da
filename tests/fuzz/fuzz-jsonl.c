/* Datasets of .jsonl. Promises: what fen_jsonl_read accepts, a JSON parser accepts too and finds the same text; a text is
 * valid UTF-8 without NUL; a problem is one line of UTF-8; and the reader, which cuts lines out of a file, finds in it
 * what splitting at line feeds finds. */
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fen-json.h"
#include "core/corpus/fen-corpus-error.h"
#include "core/corpus/fen-reader-private.h"
#include "tests/fuzz/fuzz-target.h"

static char *folder, *path;

static void
remove_folder (void)
{
  g_unlink (path);
  g_rmdir (folder);
  g_free (path);
  g_free (folder);
}

static void
make_folder (void)
{
  if (folder != NULL)
    return;
  folder = g_dir_make_tmp ("fenestra-fuzz-XXXXXX", NULL);
  path = g_build_filename (folder, "x.jsonl", NULL);
  atexit (remove_folder);
}

/* An independent parser agrees. For settings it is stricter than data should be read: it rejects half a surrogate pair
 * and repeated keys, so lines with \\u escapes are not compared, and it may complain of a key. */
static void
check_text (const char *line, gsize bytes, const GString *text)
{
  g_autoptr (GError) error = NULL;
  if (memmem (line, bytes, "\\u", 2) != NULL)
    return;
  g_autoptr (JsonNode) root = fen_json_parse (line, bytes, "line", G_MAXSIZE, &error);
  if (error != NULL && strstr (error->message, "stands twice") != NULL)
    return;
  g_assert_no_error (error);
  g_assert_true (JSON_NODE_HOLDS_OBJECT (root));
  const char *expected = NULL;
  g_assert_true (fen_json_get_string (json_node_get_object (root), "line", "text", TRUE, &expected, &error));
  g_assert_cmpstr (text->str, ==, expected);
}

static void
check_problem (const char *problem)
{
  g_assert_cmpuint (strlen (problem), >, 0);
  g_assert_null (strchr (problem, '\n'));
  g_assert_true (g_utf8_validate (problem, -1, NULL));
}

/* All texts, each with a NUL behind it; in the end the number of the broken line, 0 when there is none. */
static guint64
read_by_lines (const char *data, gsize size, GString *all)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GString) problem = g_string_new (NULL);
  const char *at = data, *end = data + size;
  if (size >= 3 && memcmp (at, "\xef\xbb\xbf", 3) == 0)
    at += 3;
  for (guint64 number = 1; at < end; number++)
    {
      const char *newline = memchr (at, '\n', (gsize)(end - at));
      gsize bytes = (gsize)((newline != NULL ? newline : end) - at);
      FenJsonlResult result = fen_jsonl_read (at, bytes, "text", text, problem);
      if (result == FEN_JSONL_PROBLEM)
        {
          check_problem (problem->str);
          return number;
        }
      g_assert_true (g_utf8_validate_len (text->str, text->len, NULL));
      if (result == FEN_JSONL_TEXT)
        check_text (at, bytes, text);
      if (text->len > 0)
        g_string_append_len (all, text->str, (gssize)text->len + 1);
      at += bytes + 1;
    }
  return 0;
}

static void
check_reader (const GString *expected, guint64 bad_line)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) all = g_string_new (NULL);
  g_autoptr (FenReader) reader = fen_reader_new (path, "text", NULL, NULL, &error);
  FenReaderPiece piece = { 0 };
  g_assert_no_error (error);
  do
    {
      if (!fen_reader_next (reader, &piece, NULL, &error))
        break;
      g_string_append_len (all, piece.text != NULL ? piece.text : "", (gssize)piece.bytes);
      if (piece.last && piece.text != NULL)
        g_string_append_c (all, '\0');
    }
  while (piece.text != NULL);
  g_assert_cmpmem (all->str, all->len, expected->str, expected->len);
  if (bad_line == 0)
    g_assert_no_error (error);
  else
    {
      g_autofree char *place = g_strdup_printf (": line %" G_GUINT64_FORMAT ": ", bad_line);
      g_assert_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_LINE);
      g_assert_nonnull (strstr (error->message, place));
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (GString) all = g_string_new (NULL);
  if (size == 0)
    return 0;
  make_folder ();
  guint64 bad_line = read_by_lines ((const char *)data, size, all);
  FILE *file = fopen (path, "wb");
  g_assert_nonnull (file);
  g_assert_cmpuint (fwrite (data, 1, size, file), ==, size);
  g_assert_cmpint (fclose (file), ==, 0);
  check_reader (all, bad_line);
  return 0;
}
