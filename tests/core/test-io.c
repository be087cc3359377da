/* Files: whole or not there, whatever fails. */
#include "core/base/fen-io.h"
#include "core/base/fen-random.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  char *folder, *path;
} Place;

static void
set_up (Place *place, gconstpointer data)
{
  place->folder = g_dir_make_tmp ("fen-io-XXXXXX", NULL);
  place->path = g_build_filename (place->folder, "file.bin", NULL);
}

static void
tear_down (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (fen_io_remove_tree (place->folder, &error));
  g_assert_no_error (error);
  g_assert_false (g_file_test (place->folder, G_FILE_TEST_EXISTS));
  g_free (place->folder);
  g_free (place->path);
}

static guint
count_entries (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint count = 0;
  while (g_dir_read_name (dir) != NULL)
    count++;
  return count;
}

static void
assert_content (const char *path, const void *data, gsize bytes)
{
  g_autofree char *content = NULL;
  gsize length;
  g_assert_true (g_file_get_contents (path, &content, &length, NULL));
  g_assert_cmpmem (content, length, data, bytes);
}

/* Pieces of all sizes around the buffer's; content, position and hash agree with the file's. */
static void
test_write (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenFileWriter) writer = fen_file_writer_new (place->path, &error);
  g_assert_no_error (error);
  g_autoptr (GByteArray) expected = g_byte_array_new ();
  FenRandom random;
  fen_random_init (&random, 5, 0);
  static const guint sizes[] = { 1, 0, 100, 262143, 262144, 262145, 7, 1000000, 262144, 3 };
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree guchar *piece = g_malloc (sizes[i] + 1);
      for (guint b = 0; b < sizes[i]; b++)
        piece[b] = (guchar)(fen_random_u32 (&random) >> 8);
      g_byte_array_append (expected, piece, sizes[i]);
      g_assert_true (fen_file_writer_write (writer, piece, sizes[i], &error));
      g_assert_cmpuint (fen_file_writer_tell (writer), ==, expected->len);
    }
  g_assert_false (g_file_test (place->path, G_FILE_TEST_EXISTS));
  char hash[33], file_hash[33];
  g_assert_true (fen_file_writer_commit (writer, hash, &error));
  g_assert_no_error (error);
  assert_content (place->path, expected->data, expected->len);
  g_assert_cmpuint (count_entries (place->folder), ==, 1);
  g_assert_true (fen_io_hash_file (place->path, file_hash, &error));
  g_assert_cmpstr (hash, ==, file_hash);
}

/* XXH3-128 of nothing is a published constant; another content has another hash. */
static void
test_hash (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  char empty[33], other[33];
  g_assert_true (fen_io_write_file (place->path, "", 0, &error));
  g_assert_true (fen_io_hash_file (place->path, empty, &error));
  g_assert_cmpstr (empty, ==, "99aa06d3014798d86001c324468d497f");
  g_assert_true (fen_io_write_file (place->path, "x", 1, &error));
  g_assert_true (fen_io_hash_file (place->path, other, &error));
  g_assert_cmpstr (empty, !=, other);
  g_assert_false (fen_io_hash_file (place->folder, other, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_ISDIR);
}

/* Not committed: the old file stays and nothing else is left. */
static void
test_abandon (Place *place, gconstpointer data)
{
  g_assert_true (fen_io_write_file (place->path, "old", 3, NULL));
  FenFileWriter *writer = fen_file_writer_new (place->path, NULL);
  g_assert_true (fen_file_writer_write (writer, "new content", 11, NULL));
  g_assert_cmpuint (count_entries (place->folder), ==, 2);
  fen_file_writer_free (writer);
  g_assert_cmpuint (count_entries (place->folder), ==, 1);
  assert_content (place->path, "old", 3);
}

/* A file size limit stands in for a full disk: write(2) fails after some bytes, as it does there. */
static void
test_full_disk (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL, later = NULL;
  g_assert_true (fen_io_write_file (place->path, "old", 3, NULL));
  signal (SIGXFSZ, SIG_IGN);
  struct rlimit before, limit;
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  limit = before;
  limit.rlim_cur = 1000000;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);

  FenFileWriter *writer = fen_file_writer_new (place->path, NULL);
  g_autofree char *block = g_malloc0 (400000);
  gboolean ok = TRUE;
  for (guint i = 0; i < 5 && ok; i++)
    ok = fen_file_writer_write (writer, block, 400000, &error);
  g_assert_false (ok);
  /* The first error is kept, and nothing is accepted after it. */
  g_assert_false (fen_file_writer_write (writer, block, 1, NULL));
  g_assert_false (fen_file_writer_commit (writer, NULL, &later));
  g_assert_cmpstr (later->message, ==, error->message);
  fen_file_writer_free (writer);

  /* Small enough for the buffer: the failure shows at commit. */
  limit.rlim_cur = 10;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  g_clear_error (&later);
  g_assert_false (fen_io_write_file (place->path, block, 1000, &later));
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);

  g_autofree char *expected = g_strdup_printf ("%s: cannot write: File too large", place->path);
  g_assert_cmpstr (error->message, ==, expected);
  g_assert_cmpstr (later->message, ==, expected);
  assert_content (place->path, "old", 3);
  g_assert_cmpuint (count_entries (place->folder), ==, 1);
}

static void
test_refused_targets (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (fen_io_write_file ("/dev/null", "x", 1, &error));
  g_assert_cmpstr (error->message, ==, "/dev/null: cannot write: not a regular file");
  g_clear_error (&error);
  g_assert_false (fen_io_write_file (place->folder, "x", 1, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_ISDIR);
  g_clear_error (&error);
  g_autofree char *nowhere = g_build_filename (place->folder, "no", "file", NULL);
  g_assert_false (fen_io_write_file (nowhere, "x", 1, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_autofree char *expected = g_strdup_printf ("%s: cannot create: No such file or directory", nowhere);
  g_assert_cmpstr (error->message, ==, expected);
  g_clear_error (&error);

  /* A link keeps pointing where it did; the file behind it changes. */
  g_autofree char *link = g_build_filename (place->folder, "link", NULL);
  g_assert_cmpint (symlink ("file.bin", link), ==, 0);
  g_assert_false (fen_io_write_file (link, "x", 1, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_true (fen_io_write_file (place->path, "old", 3, NULL));
  g_assert_true (fen_io_write_file (link, "new", 3, NULL));
  g_assert_true (g_file_test (link, G_FILE_TEST_IS_SYMLINK));
  assert_content (place->path, "new", 3);
}

/* Removing a tree must not follow a link out of it. */
static void
test_folders (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *outside = g_build_filename (place->folder, "outside", "kept", NULL);
  g_autofree char *outside_folder = g_path_get_dirname (outside);
  g_autofree char *deep = g_build_filename (place->folder, "tree", "a", "b", NULL);
  g_autofree char *tree = g_build_filename (place->folder, "tree", NULL);
  g_autofree char *link = g_build_filename (deep, "link", NULL);
  g_autofree char *file = g_build_filename (deep, "file", NULL);
  g_assert_true (fen_io_make_folder (outside_folder, &error));
  g_assert_true (fen_io_make_folder (deep, &error));
  g_assert_true (fen_io_make_folder (deep, &error));
  g_assert_true (fen_io_write_file (outside, "x", 1, &error));
  g_assert_true (fen_io_write_file (file, "x", 1, &error));
  g_assert_cmpint (symlink (outside_folder, link), ==, 0);
  g_assert_true (fen_io_sync_folder (deep, &error));
  g_assert_true (fen_io_remove_tree (tree, &error));
  g_assert_no_error (error);
  g_assert_false (g_file_test (tree, G_FILE_TEST_EXISTS));
  assert_content (outside, "x", 1);
  g_assert_true (fen_io_remove_tree (tree, &error));

  g_assert_false (fen_io_make_folder (outside, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  g_assert_true (fen_io_rename (outside_folder, tree, &error));
  g_assert_no_error (error);
  g_assert_false (fen_io_rename (outside_folder, tree, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);

  guint64 free_here = 0, free_below = 0;
  g_autofree char *unborn = g_build_filename (place->folder, "x", "y", "z", NULL);
  g_assert_true (fen_io_free_bytes (place->folder, &free_here, NULL));
  g_assert_true (fen_io_free_bytes (unborn, &free_below, NULL));
  g_assert_cmpuint (free_here, >, 0);
  g_assert_cmpuint (free_below, >, 0);
}

static void
test_format_bytes (void)
{
  static const struct {
    guint64 bytes;
    const char *text;
  } cases[] = {
    { 0, "0 bytes" },
    { 1, "1 byte" },
    { 1023, "1023 bytes" },
    { 1024, "1 KiB" },
    { 1536, "1.5 KiB" },
    { 640 * 1024, "640 KiB" },
    { 1023 * 1024, "0.999 MiB" },
    { G_GUINT64_CONSTANT (12345678), "11.8 MiB" },
    { G_GUINT64_CONSTANT (8) << 30, "8 GiB" },
    { G_MAXUINT64, "16 EiB" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = fen_format_bytes (cases[i].bytes);
      g_assert_cmpstr (text, ==, cases[i].text);
    }
}

static void
test_parse_bytes (void)
{
  static const struct {
    const char *text;
    guint64 bytes;
  } good[] = {
    { "0", 0 },
    { "123456", 123456 },
    { "8GiB", G_GUINT64_CONSTANT (8) << 30 },
    { "8g", G_GUINT64_CONSTANT (8) << 30 },
    { "8 GB", G_GUINT64_CONSTANT (8000000000) },
    { "1.5 KiB", 1536 },
    { "0.1k", 102 },
    { "512mib", 512 << 20 },
    { "12 bytes", 12 },
    { "18446744073709551615", G_MAXUINT64 },
  };
  static const char *const bad[] = { "",         "GiB",    "-1",   "1.",      ".",
                                     "1.2.3",    "8 GiBs", "8XB",  "0x10",    "1e3",
                                     " 8G",      "8G ",    "8,5G", "nan",     "18446744073709551616",
                                     "16384PiB", "0.5",    "8.0",  "0.0001k", "999999999999999999999" };
  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      guint64 bytes = 1;
      g_assert_true (fen_parse_bytes (good[i].text, &bytes));
      g_assert_cmpuint (bytes, ==, good[i].bytes);
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      guint64 bytes = 77;
      g_test_message ("\"%s\"", bad[i]);
      g_assert_false (fen_parse_bytes (bad[i], &bytes));
      g_assert_cmpuint (bytes, ==, 77);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/io/write", Place, NULL, set_up, test_write, tear_down);
  g_test_add ("/io/hash", Place, NULL, set_up, test_hash, tear_down);
  g_test_add ("/io/abandon", Place, NULL, set_up, test_abandon, tear_down);
  g_test_add ("/io/full-disk", Place, NULL, set_up, test_full_disk, tear_down);
  g_test_add ("/io/refused-targets", Place, NULL, set_up, test_refused_targets, tear_down);
  g_test_add ("/io/folders", Place, NULL, set_up, test_folders, tear_down);
  g_test_add_func ("/io/format-bytes", test_format_bytes);
  g_test_add_func ("/io/parse-bytes", test_parse_bytes);
  return g_test_run ();
}
