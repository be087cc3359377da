/* test-reader.c: files and folders as documents, bounded pieces, and one clear line for every kind of bad input. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fen-io.h"
#include "core/base/fen-json.h"
#include "core/corpus/fen-corpus-error.h"
#include "core/corpus/fen-reader-private.h"

typedef struct {
  char *folder;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = g_dir_make_tmp ("fenestra-reader-XXXXXX", NULL);
  g_assert_nonnull (fixture->folder);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_assert_true (fen_io_remove_tree (fixture->folder, NULL));
  g_free (fixture->folder);
}

static char *
put (Fixture *fixture, const char *name, const char *text, gssize bytes)
{
  char *path = g_build_filename (fixture->folder, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_file_set_contents (path, text, bytes, &error);
  g_assert_no_error (error);
  return path;
}

/* All documents, each with a '|' behind it; checks the pieces' flags and bounds. NULL with `error`. */
static char *
read_all (const char *path, const char *field, GPtrArray *notes, GError **error)
{
  g_autoptr (FenReader) reader = fen_reader_new (path, field, notes, NULL, error);
  g_autoptr (GString) all = g_string_new (NULL);
  FenReaderPiece piece;
  gboolean inside = FALSE;
  if (reader == NULL)
    return NULL;
  while (fen_reader_next (reader, &piece, NULL, error))
    {
      if (piece.text == NULL)
        {
          g_assert_false (inside);
          g_assert_cmpuint (fen_reader_bytes_done (reader), ==, fen_reader_bytes_total (reader));
          return g_string_free (g_steal_pointer (&all), FALSE);
        }
      g_assert_cmpint (piece.first, ==, !inside);
      g_assert_cmpuint (piece.bytes, >, 0);
      g_assert_cmpuint (piece.bytes, <=, FEN_READER_PIECE_BYTES);
      g_assert_true (g_utf8_validate_len (piece.text, piece.bytes, NULL));
      inside = !piece.last;
      g_string_append_len (all, piece.text, (gssize)piece.bytes);
      if (piece.last)
        g_string_append_c (all, '|');
    }
  /* after an error the reader is at its end */
  g_assert_true (fen_reader_next (reader, &piece, NULL, NULL));
  g_assert_null (piece.text);
  return NULL;
}

static void
assert_reads (const char *path, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *all = read_all (path, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (all, ==, expected);
}

/* The message is one line, names the path and holds `part`. */
static void
assert_fails (const char *path, GQuark domain, int code, const char *part)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *all = read_all (path, NULL, NULL, &error);
  g_assert_null (all);
  g_assert_error (error, domain, code);
  g_assert_null (strchr (error->message, '\n'));
  g_assert_nonnull (strstr (error->message, path));
  if (strstr (error->message, part) == NULL)
    g_error ("\"%s\" does not hold \"%s\"", error->message, part);
}

static void
test_txt (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = put (fixture, "a.TXT", "one\n\ftwo <|endoftext|>\r\n", -1);
  assert_reads (path, "one\n\ftwo <|endoftext|>\r\n|");
  g_autofree char *marked = put (fixture, "b.txt",
                                 "\xef\xbb\xbf"
                                 "marked",
                                 -1);
  assert_reads (marked, "marked|");
  g_autofree char *mark_alone = put (fixture, "c.txt", "\xef\xbb\xbf", -1);
  assert_reads (mark_alone, "");
}

/* Sizes around the piece and the buffer, with line feeds, with spaces only, and with neither. */
static void
test_pieces (Fixture *fixture, gconstpointer data)
{
  static const char *const patterns[] = { "some words\nand lines ", "words and spaces ", "ünbröken€𝄞" };
  for (guint p = 0; p < G_N_ELEMENTS (patterns); p++)
    for (gsize size = FEN_READER_PIECE_BYTES - 2; size < 3 * FEN_READER_PIECE_BYTES;
         size += size < FEN_READER_PIECE_BYTES + 4 ? 1 : 99991)
      {
        g_autoptr (GString) text = g_string_new (NULL);
        while (text->len < size)
          g_string_append (text, patterns[p]);
        if (p < 2)
          g_string_truncate (text, size);
        g_autofree char *path = put (fixture, "big.txt", text->str, (gssize)text->len);
        g_string_append_c (text, '|');
        assert_reads (path, text->str);
      }
}

/* A text as long as a piece, ending where a cut would be: one piece, the first and the last. */
static void
test_piece_that_just_fits (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = g_strnfill (FEN_READER_PIECE_BYTES, 'x');
  text[FEN_READER_PIECE_BYTES - 1] = '\n';
  g_autofree char *path = put (fixture, "fits.txt", text, -1);
  g_autofree char *expected = g_strconcat (text, "|", NULL);
  assert_reads (path, expected);
}

static void
test_folder (Fixture *fixture, gconstpointer data)
{
  static const char *const names[]
      = { "z.txt",       "b/2.txt",    "b/1.txt",  "a.txt",     "b.txt",          "B.txt",
          ".hidden.txt", ".git/x.txt", "notes.md", "empty.txt", "b/deep/er/q.txt" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      gboolean is_empty = g_str_equal (names[i], "empty.txt");
      g_free (put (fixture, names[i], is_empty ? "" : names[i], -1));
    }
  g_autofree char *loop = g_build_filename (fixture->folder, "b", "loop", NULL);
  g_autofree char *self = g_build_filename (fixture->folder, "self.txt", NULL);
  g_autofree char *dangling = g_build_filename (fixture->folder, "dangling.txt", NULL);
  g_autofree char *fifo = g_build_filename (fixture->folder, "fifo.txt", NULL);
  g_assert_cmpint (symlink (fixture->folder, loop), ==, 0);
  g_assert_cmpint (symlink ("self.txt", self), ==, 0);
  g_assert_cmpint (symlink ("nowhere", dangling), ==, 0);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);

  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  g_autofree char *all = read_all (fixture->folder, NULL, notes, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (all, ==, "B.txt|a.txt|b.txt|b/1.txt|b/2.txt|b/deep/er/q.txt|z.txt|");
  g_assert_cmpuint (notes->len, ==, 3); /* self, dangling, fifo */

  FenReaderScan scan;
  g_assert_true (fen_reader_scan (fixture->folder, &scan, NULL, &error));
  g_assert_cmpint (scan.files, ==, 8);
  g_assert_cmpint (scan.documents, ==, 7);
  g_assert_cmpuint (scan.bytes, ==, strlen (all) - 7);
}

static void
test_folder_notes_are_bounded (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  g_free (put (fixture, "good.txt", "x", -1));
  for (guint i = 0; i < 50; i++)
    {
      g_autofree char *name = g_strdup_printf ("%u\n.txt", i);
      g_autofree char *path = g_build_filename (fixture->folder, name, NULL);
      g_assert_cmpint (symlink ("nowhere", path), ==, 0);
    }
  g_autofree char *all = read_all (fixture->folder, NULL, notes, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (all, ==, "x|");
  g_assert_cmpuint (notes->len, ==, 11);
  g_assert_null (strchr (g_ptr_array_index (notes, 0), '\n'));
  g_assert_nonnull (strstr (g_ptr_array_index (notes, 10), "40 more"));
}

static void
test_jsonl (Fixture *fixture, gconstpointer data)
{
  static const char text[]
      = "\xef\xbb\xbf{\"text\": \"one\"}\r\n"
        "\n  \t\r\n"
        "{\"a\":[1,-2.5e+3,{\"text\":\"no\"},[],{}],\"text\":\"a\\n\\\"\\\\\\/\\b\\f\\r\\t\","
        "\"z\":true,\"y\":null,\"x\":false}\n"
        "{\"text\":\"\"}\n"
        "{\"text\":\"\\u00e9\\u20ac\\ud834\\udd1e\\ud834x\"}\n"
        "{\"te\\u0078t\":1, \"text\":\"first\" , \"text\":\"last\" } \n"
        "{\"text\":\"no line feed\"}";
  g_autofree char *path = put (fixture, "a.jsonl", text, sizeof text - 1);
  assert_reads (path, "one|a\n\"\\/\b\f\r\t|é€𝄞\xef\xbf\xbdx|last|no line feed|");
  FenReaderScan scan;
  g_assert_true (fen_reader_scan (path, &scan, NULL, NULL));
  g_assert_cmpint (scan.documents, ==, 6); /* the empty text is only found by reading */
  g_assert_cmpuint (scan.bytes, ==, sizeof text - 1);

  g_autoptr (GError) error = NULL;
  g_autofree char *body = put (fixture, "b.jsonl", "{\"body\":\"x\",\"text\":3}", -1);
  g_autofree char *all = read_all (body, "body", NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (all, ==, "x|");
}

/* Lines longer than the first buffer, and a text longer than a piece. */
static void
test_jsonl_long (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GString) file = g_string_new (NULL);
  g_autoptr (GString) expected = g_string_new (NULL);
  for (guint i = 0; i < 5; i++)
    {
      g_string_append (file, "{\"text\":\"");
      for (guint j = 0; j < 200000u * i + 1; j++)
        {
          g_string_append (file, "word\\n");
          g_string_append (expected, "word\n");
        }
      g_string_append (file, "\"}\n");
      g_string_append_c (expected, '|');
    }
  g_autofree char *path = put (fixture, "long.jsonl", file->str, (gssize)file->len);
  assert_reads (path, expected->str);
}

typedef struct {
  const char *line, *problem;
} BadLine;

static void
test_jsonl_bad_lines (Fixture *fixture, gconstpointer data)
{
  static const BadLine bad[] = {
    { "{\"text\":\"x\"", "inside an object" },
    { "{\"text\":\"x", "inside a string" },
    { "{\"text\":\"x\"} {}", "more text after the object" },
    { "[\"text\"]", "column 1: a JSON object is expected" },
    { "text", "a JSON object is expected" },
    { "{text:\"x\"}", "name in quotes" },
    { "{\"text\" \"x\"}", "':' is expected" },
    { "{\"text\":\"x\",}", "name in quotes" },
    { "{\"text\":\"x\" \"b\":1}", "',' or '}'" },
    { "{\"a\":[1 2],\"text\":\"x\"}", "',' or ']'" },
    { "{\"a\":[1,],\"text\":\"x\"}", "a value is expected" },
    { "{\"a\":01,\"text\":\"x\"}", "',' or '}'" },
    { "{\"a\":1.,\"text\":\"x\"}", "digit" },
    { "{\"a\":-,\"text\":\"x\"}", "digit" },
    { "{\"a\":1e,\"text\":\"x\"}", "digit" },
    { "{\"a\":tru,\"text\":\"x\"}", "a value is expected" },
    { "{\"a\":NaN,\"text\":\"x\"}", "a value is expected" },
    { "{\"a\":\"\\x\",\"text\":\"x\"}", "backslash" },
    { "{\"text\":\"\\u12g4\"}", "hexadecimal" },
    { "{\"text\":\"\\u12", "hexadecimal" },
    { "{\"text\":\"\\u0000\"}", "\\u0000" },
    { "{\"text\":\"a\tb\"}", "control character" },
    { "{\"body\":\"x\",\"k\\n\":1}", "no member \"text\"; its members are \"body\", \"k?\"" },
    { "{}", "the object is empty" },
    { "{\"text\":3}", "\"text\" is a number; it must be a string" },
    { "{\"text\":null}", "\"text\" is null" },
    { "{\"text\":[\"x\"]}", "\"text\" is an array" },
    { "{\"text\":{\"text\":\"x\"}}", "\"text\" is an object" },
    { "{\"text\":true}", "\"text\" is true or false" },
    { "{\"text\":\"\xff\"}", "column 10: invalid UTF-8" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *text
          = g_strdup_printf ("{\"text\":\"good\"}\n\n%s\n{\"text\":\"good\"}\n", bad[i].line);
      g_autofree char *path = put (fixture, "bad.jsonl", text, -1);
      assert_fails (path, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_LINE, bad[i].problem);
      assert_fails (path, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_LINE, "line 3: ");
    }
  g_autofree char *nul = put (fixture, "nul.jsonl", "{\"text\":\"\0\"}", 12);
  assert_fails (nul, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_LINE, "NUL");
}

static void
test_jsonl_depth (Fixture *fixture, gconstpointer data)
{
  for (guint depth = FEN_JSON_MAX_DEPTH - 1; depth <= 200000;
       depth += depth == FEN_JSON_MAX_DEPTH ? 199936 : 1)
    {
      g_autoptr (GString) line = g_string_new ("{\"a\":");
      for (guint i = 0; i < depth; i++)
        g_string_append_c (line, '[');
      for (guint i = 0; i < depth; i++)
        g_string_append_c (line, ']');
      g_string_append (line, ",\"text\":\"x\"}");
      g_autofree char *path = put (fixture, "deep.jsonl", line->str, -1);
      if (depth < FEN_JSON_MAX_DEPTH)
        assert_reads (path, "x|");
      else
        assert_fails (path, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_LINE, "nested deeper than 64");
    }
}

static void
test_jsonl_too_long (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = put (fixture, "endless.jsonl", "{\"text\":\"x\"}\n", -1);
  int fd = g_open (path, O_WRONLY, 0); /* a hole of zeros behind the first line */
  g_assert_cmpint (ftruncate (fd, (gint64)1 << 32), ==, 0);
  close (fd);
  assert_fails (path, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_LINE, "line 2: longer than 64 MiB");
}

static void
test_bad_files (Fixture *fixture, gconstpointer data)
{
  g_autofree char *missing = g_build_filename (fixture->folder, "missing.txt", NULL);
  assert_fails (missing, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_NOT_FOUND,
                "a .txt file, a .jsonl file or a folder");
  g_autofree char *empty = put (fixture, "empty.txt", "", 0);
  assert_fails (empty, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_EMPTY, "needs text");
  assert_fails (fixture->folder, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_EMPTY, "needs text");
  g_autofree char *folder = g_build_filename (fixture->folder, "none", NULL);
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  assert_fails (folder, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_EMPTY, "no readable .txt file");
  g_autofree char *neither = put (fixture, "a.pdf", "text", -1);
  assert_fails (neither, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_UNSUPPORTED,
                "a .txt file, a .jsonl file or a folder");
  g_autofree char *fifo = g_build_filename (fixture->folder, "fifo.txt", NULL);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  assert_fails (fifo, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_UNSUPPORTED, "not a dataset");
  g_autofree char *utf16 = put (fixture, "utf16.txt", "\xff\xfeh\0i\0", 6);
  assert_fails (utf16, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_INVALID_UTF8, "UTF-16");
  g_autofree char *binary = put (fixture, "png.txt", "\x89PNG\r\n\x1a\n\0\0", 10);
  assert_fails (binary, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_BINARY, "byte 8 is NUL");

  g_autoptr (GError) error = NULL;
  g_assert_null (fen_reader_new ("", NULL, NULL, NULL, &error));
  g_assert_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_NOT_FOUND);
}

/* The offset is of the file, wherever the pieces were cut. */
static void
test_bad_utf8 (Fixture *fixture, gconstpointer data)
{
  static const gsize places[] = { 0,
                                  1,
                                  1000,
                                  FEN_READER_PIECE_BYTES - 1,
                                  FEN_READER_PIECE_BYTES,
                                  FEN_READER_PIECE_BYTES + 1,
                                  3 * FEN_READER_PIECE_BYTES - 1 };
  g_autofree char *text = g_malloc (3 * FEN_READER_PIECE_BYTES);
  for (guint newlines = 0; newlines < 2; newlines++)
    for (guint i = 0; i < G_N_ELEMENTS (places); i++)
      {
        memset (text, 'x', 3 * FEN_READER_PIECE_BYTES);
        for (gsize j = 77; newlines && j < 3 * FEN_READER_PIECE_BYTES; j += 77)
          text[j] = '\n';
        text[places[i]] = '\xe2';
        g_autofree char *path = put (fixture, "bad.txt", text, 3 * FEN_READER_PIECE_BYTES);
        g_autofree char *part
            = g_strdup_printf ("invalid UTF-8 at byte %" G_GSIZE_FORMAT " (0xe2)", places[i]);
        assert_fails (path, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_INVALID_UTF8, part);
      }
}

/* Both passes give the same hash; it depends on content, file borders and the member, not on names. */
static void
test_hash (Fixture *fixture, gconstpointer data)
{
  static const char *const trees[][3] = { { "a.txt", "onetwo", NULL },
                                          { "b.txt", "one", "two" },
                                          { "c.txt", "on", "etwo" },
                                          { "d.txt", "onetwo", NULL } };
  char hashes[4][33];
  for (guint i = 0; i < 4; i++)
    {
      g_autofree char *root = g_strdup_printf ("%u", i);
      g_autofree char *first = g_strdup_printf ("%u/%s", i, trees[i][0]);
      g_autofree char *second = g_strdup_printf ("%u/z.txt", i);
      g_free (put (fixture, first, trees[i][1], -1));
      if (trees[i][2] != NULL)
        g_free (put (fixture, second, trees[i][2], -1));
      g_autofree char *folder = g_build_filename (fixture->folder, root, NULL);
      g_autoptr (FenSource) source = fen_source_new (folder, NULL, NULL, NULL);
      g_assert_true (fen_source_hash (source, "text", hashes[i], NULL, NULL, NULL, NULL));
      FenReader *reader = fen_reader_new_for_source (source, "text");
      for (guint pass = 0; pass < 2; pass++)
        {
          FenReaderPiece piece;
          char hash[33];
          do
            g_assert_true (fen_reader_next (reader, &piece, NULL, NULL));
          while (piece.text != NULL);
          fen_reader_content_hash (reader, hash);
          g_assert_cmpstr (hash, ==, hashes[i]);
          fen_reader_rewind (reader);
        }
      fen_reader_free (reader);
    }
  g_assert_cmpstr (hashes[0], ==, hashes[3]);
  g_assert_cmpstr (hashes[0], !=, hashes[1]);
  g_assert_cmpstr (hashes[1], !=, hashes[2]);
}

/* The stamp follows what stat says; a file that was just written is not trusted. */
static void
test_stamp (Fixture *fixture, gconstpointer data)
{
  char a[33], b[33], c[33];
  g_autofree char *path = put (fixture, "a.txt", "text", -1);
  g_autoptr (FenSource) source = fen_source_new (path, NULL, NULL, NULL);
  FenSourceFile *file = g_ptr_array_index (source->files, 0);
  g_assert_false (fen_source_stamp (source, "text", a));
  file->mtime_ns -= 10000000000;
  file->ctime_ns -= 10000000000;
  g_assert_true (fen_source_stamp (source, "text", b));
  g_assert_cmpstr (a, !=, b);
  g_assert_true (fen_source_stamp (source, "body", c));
  g_assert_cmpstr (b, !=, c);
  file->mtime_ns++;
  g_assert_true (fen_source_stamp (source, "text", c));
  g_assert_cmpstr (b, !=, c);
}

static void
test_cancelled (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *path = put (fixture, "a.jsonl", "{\"text\":\"x\"}", -1);
  g_autoptr (FenReader) reader = fen_reader_new (path, NULL, NULL, cancellable, &error);
  FenReaderPiece piece;
  FenReaderScan scan;
  g_cancellable_cancel (cancellable);
  g_assert_false (fen_reader_next (reader, &piece, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_false (fen_reader_scan (path, &scan, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_null (fen_reader_new (fixture->folder, NULL, NULL, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add ("/reader/" #name, Fixture, NULL, set_up, test_##name, tear_down)
  ADD (txt);
  ADD (pieces);
  ADD (piece_that_just_fits);
  ADD (folder);
  ADD (folder_notes_are_bounded);
  ADD (jsonl);
  ADD (jsonl_long);
  ADD (jsonl_bad_lines);
  ADD (jsonl_depth);
  ADD (jsonl_too_long);
  ADD (bad_files);
  ADD (bad_utf8);
  ADD (hash);
  ADD (stamp);
  ADD (cancelled);
#undef ADD
  return g_test_run ();
}
