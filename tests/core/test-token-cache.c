/* test-token-cache.c: what is written is read, and no damaged file is taken for a whole one. */
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/base/fen-io.h"
#include "core/corpus/fen-corpus-error.h"
#include "core/corpus/fen-token-cache-private.h"

#define KEY "0123456789abcdef0123456789abcdef"

typedef struct {
  char *folder, *path;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = g_dir_make_tmp ("fenestra-cache-XXXXXX", NULL);
  g_assert_nonnull (fixture->folder);
  fixture->path = g_build_filename (fixture->folder, "x.tokens", NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_assert_true (fen_io_remove_tree (fixture->folder, NULL));
  g_free (fixture->folder);
  g_free (fixture->path);
}

/* The token at place i: below vocab_size, different from its neighbours. */
static guint32
token_at (guint64 i, guint vocab_size)
{
  return (guint32)(i * 2654435761u % vocab_size);
}

/* Documents of the given sizes, in additions of odd sizes. */
static void
write_cache (const char *path, guint vocab_size, const gsize *sizes, guint n_documents)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenTokenCacheWriter) writer = fen_token_cache_writer_new (path, KEY, vocab_size, &error);
  guint64 place = 0;
  g_assert_no_error (error);
  for (guint d = 0; d < n_documents; d++)
    {
      for (gsize done = 0; done < sizes[d];)
        {
          guint32 some[7777];
          gsize n = MIN (sizes[d] - done, 1 + place % G_N_ELEMENTS (some));
          for (gsize i = 0; i < n; i++)
            some[i] = token_at (place++, vocab_size);
          g_assert_true (fen_token_cache_writer_add (writer, some, n, 3 * n, &error));
          done += n;
        }
      fen_token_cache_writer_end_document (writer);
    }
  g_assert_cmpint (fen_token_cache_writer_tokens (writer), ==, place);
  g_assert_true (fen_token_cache_writer_commit (writer, &error));
}

static void
test_round_trip (Fixture *fixture, gconstpointer data)
{
  static const gsize sizes[] = { 1, 0, 600001, 3, 0, 777777 }; /* several blocks, both widths, padding */
  static const guint vocabularies[] = { 2, 257, 65536, 65537, 128256 };
  for (guint v = 0; v < G_N_ELEMENTS (vocabularies); v++)
    for (guint eager = 0; eager < 2; eager++)
      {
        write_cache (fixture->path, vocabularies[v], sizes, G_N_ELEMENTS (sizes));
        g_autoptr (GError) error = NULL;
        g_autoptr (FenTokenCache) cache
            = fen_token_cache_open (fixture->path, KEY, eager ? G_MAXUINT64 : 0, NULL, NULL, NULL, &error);
        g_assert_no_error (error);
        const FenTokenCacheStats *stats = fen_token_cache_stats (cache);
        const guint64 *ends = fen_token_cache_ends (cache);
        g_assert_cmpint (stats->documents, ==, 4);
        g_assert_cmpint (stats->tokens, ==, 1377782);
        g_assert_cmpint (stats->text_bytes, ==, 3 * stats->tokens);
        g_assert_cmpint (stats->longest_document, ==, 777777);
        g_assert_cmpuint (ends[0], ==, 1);
        g_assert_cmpuint (ends[1], ==, 600002);
        g_assert_cmpuint (ends[2], ==, 600005);
        g_assert_cmpuint (ends[3], ==, 1377782);
        g_autofree gint32 *tokens = g_new (gint32, stats->tokens);
        gint64 largest = 0;
        for (gint64 first = 0, n; first < stats->tokens; first += n)
          {
            n = MIN (stats->tokens - first, 1 + first * 3);
            g_assert_true (fen_token_cache_read (cache, first, n, tokens + first, &error));
          }
        for (gint64 i = 0; i < stats->tokens; i++)
          {
            g_assert_cmpint (tokens[i], ==, token_at ((guint64)i, vocabularies[v]));
            largest = MAX (largest, tokens[i]);
          }
        g_assert_cmpint (stats->max_token_id, ==, largest);
      }
}

static void
assert_damaged (const char *path, const char *key)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenTokenCache) cache = fen_token_cache_open (path, key, G_MAXUINT64, NULL, NULL, NULL, &error);
  g_assert_null (cache);
  g_assert_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_CACHE);
  g_assert_null (strchr (error->message, '\n'));
}

/* Each byte of a small file: changed, and cut there. */
static void
test_damage (Fixture *fixture, gconstpointer data)
{
  static const gsize sizes[] = { 5, 9, 1 };
  g_autofree char *whole = NULL;
  gsize bytes;
  write_cache (fixture->path, 300, sizes, G_N_ELEMENTS (sizes));
  g_assert_true (g_file_get_contents (fixture->path, &whole, &bytes, NULL));
  for (gsize i = 0; i < bytes; i++)
    {
      g_autofree char *copy = g_memdup2 (whole, bytes);
      copy[i] ^= 1 << (i % 8);
      g_assert_true (g_file_set_contents (fixture->path, copy, (gssize)bytes, NULL));
      assert_damaged (fixture->path, KEY);
      g_assert_true (g_file_set_contents (fixture->path, whole, (gssize)i, NULL));
      assert_damaged (fixture->path, KEY);
    }
  g_autofree char *twice = g_malloc (2 * bytes);
  memcpy (twice, whole, bytes);
  memcpy (twice + bytes, whole, bytes);
  g_assert_true (g_file_set_contents (fixture->path, twice, (gssize)(2 * bytes), NULL));
  assert_damaged (fixture->path, KEY);
  g_assert_true (g_file_set_contents (fixture->path, whole, (gssize)bytes, NULL));
  assert_damaged (fixture->path, "another key.....................");
  g_assert_cmpint (g_unlink (fixture->path), ==, 0);
  g_assert_cmpint (g_mkdir (fixture->path, 0700), ==, 0);
  assert_damaged (fixture->path, KEY);
}

/* Signs what was changed, as a hostile hand would. */
static void
sign (char *file, gsize bytes, gsize tables_start)
{
  FenTokenCacheFooter *footer = (void *)(file + bytes - sizeof *footer);
  XXH3_state_t *state = XXH3_createState ();
  XXH3_64bits_reset (state);
  XXH3_64bits_update (state, file, sizeof (FenTokenCacheHeader));
  XXH3_64bits_update (state, file + tables_start, bytes - sizeof *footer - tables_start);
  XXH3_64bits_update (state, footer, G_STRUCT_OFFSET (FenTokenCacheFooter, hash));
  footer->hash = XXH3_64bits_digest (state);
  XXH3_freeState (state);
}

/* Right checksums, wrong content: counts that overflow, documents out of order, a token above the largest id. */
static void
test_forged (Fixture *fixture, gconstpointer data)
{
  static const gsize sizes[] = { 5, 9, 2 };
  const gsize tokens = sizeof (FenTokenCacheHeader), tables = tokens + 32;
  g_autofree char *whole = NULL;
  gsize bytes;
  write_cache (fixture->path, 300, sizes, G_N_ELEMENTS (sizes));
  g_assert_true (g_file_get_contents (fixture->path, &whole, &bytes, NULL));
  for (guint c = 0; c < 8; c++)
    {
      g_autofree char *copy = g_memdup2 (whole, bytes);
      FenTokenCacheHeader *header = (void *)copy;
      FenTokenCacheFooter *footer = (void *)(copy + bytes - sizeof *footer);
      guint64 *ends = (void *)(copy + tables);
      switch (c)
        {
        case 0:
          footer->tokens = G_MAXUINT64 / 2 + 1;
          break;
        case 1:
          footer->documents = G_MAXUINT64 / 8 + 1;
          break;
        case 2:
          footer->tokens = 0;
          footer->documents = 0;
          break;
        case 3:
          ends[1] = ends[0];
          break;
        case 4:
          ends[2] = 1000;
          break;
        case 5:
          footer->longest_document = 10;
          break;
        case 6:
          header->token_bytes = 4;
          break;
        case 7:
          header->token_bytes = 0;
          break;
        }
      sign (copy, bytes, tables);
      g_assert_true (g_file_set_contents (fixture->path, copy, (gssize)bytes, NULL));
      assert_damaged (fixture->path, KEY);
    }
  g_autoptr (GError) error = NULL;
  gint32 row[16];
  ((guint16 *)(void *)(whole + tokens))[3] = 301;
  ((guint64 *)(void *)(whole + tables))[3] = XXH3_64bits (whole + tokens, 32);
  sign (whole, bytes, tables);
  g_assert_true (g_file_set_contents (fixture->path, whole, (gssize)bytes, NULL));
  g_autoptr (FenTokenCache) cache
      = fen_token_cache_open (fixture->path, KEY, G_MAXUINT64, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (fen_token_cache_read (cache, 4, 12, row, &error));
  g_assert_false (fen_token_cache_read (cache, 0, 16, row, &error));
  g_assert_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_CACHE);
}

/* A large cache is checked block by block when it is used; damage removes the file. */
static void
test_lazy (Fixture *fixture, gconstpointer data)
{
  static const gsize sizes[] = { 2000000 }; /* four blocks */
  g_autofree char *whole = NULL;
  g_autoptr (GError) error = NULL;
  gsize bytes;
  gint32 row[16];
  write_cache (fixture->path, 300, sizes, 1);
  g_assert_true (g_file_get_contents (fixture->path, &whole, &bytes, NULL));
  whole[3000000] ^= 4;
  g_assert_true (g_file_set_contents (fixture->path, whole, (gssize)bytes, NULL));
  assert_damaged (fixture->path, KEY);
  g_autoptr (FenTokenCache) cache = fen_token_cache_open (fixture->path, KEY, 1000, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (fen_token_cache_read (cache, 524288, 16, row, &error));
  g_assert_cmpint (row[1], ==, token_at (524289, 300));
  g_assert_false (
      fen_token_cache_read (cache, 1048576 - 8, 16, row, &error)); /* its end is in the bad block */
  g_assert_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_CACHE);
  g_assert_false (g_file_test (fixture->path, G_FILE_TEST_EXISTS));
}

static void
test_bad_id (Fixture *fixture, gconstpointer data)
{
  const guint32 ids[] = { 1, 65536 };
  g_autoptr (GError) error = NULL;
  g_autoptr (FenTokenCacheWriter) writer = fen_token_cache_writer_new (fixture->path, KEY, 1000, &error);
  g_assert_false (fen_token_cache_writer_add (writer, ids, 2, 2, &error));
  g_assert_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKEN_ID);
}

/* Two writers of the same cache: whoever comes last replaces the first; a reader keeps what it has. */
static void
test_two_writers (Fixture *fixture, gconstpointer data)
{
  const guint32 ids[] = { 1, 2, 3 };
  g_autoptr (GError) error = NULL;
  gint32 row[3];
  FenTokenCacheWriter *writers[2];
  for (guint i = 0; i < 2; i++)
    {
      writers[i] = fen_token_cache_writer_new (fixture->path, KEY, 1000, &error);
      g_assert_true (fen_token_cache_writer_add (writers[i], ids, 3, 3, &error));
      fen_token_cache_writer_end_document (writers[i]);
    }
  g_assert_true (fen_token_cache_writer_commit (writers[0], &error));
  g_autoptr (FenTokenCache) cache = fen_token_cache_open (fixture->path, KEY, 0, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (fen_token_cache_writer_commit (writers[1], &error));
  for (guint i = 0; i < 2; i++)
    fen_token_cache_writer_free (writers[i]);
  g_assert_true (fen_token_cache_read (cache, 0, 3, row, &error));
  g_assert_cmpint (row[2], ==, 3);
}

static guint
count_entries (const char *folder)
{
  guint n = 0;
  GDir *dir = g_dir_open (folder, 0, NULL);
  while (g_dir_read_name (dir) != NULL)
    n++;
  g_dir_close (dir);
  return n;
}

/* A disk that takes no more (here: a limit on the size of files) is an error, and leaves nothing behind. */
static void
test_full_disk (void)
{
  if (g_test_subprocess ())
    {
      static const gsize size = 1000000;
      g_autoptr (GError) error = NULL;
      g_autofree char *folder = g_dir_make_tmp ("fenestra-cache-XXXXXX", NULL);
      g_autofree char *path = g_build_filename (folder, "x.tokens", NULL);
      g_autofree guint32 *ids = g_new0 (guint32, size);
      const struct rlimit limit = { 500000, 500000 };
      signal (SIGXFSZ, SIG_IGN);
      g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
      FenTokenCacheWriter *writer = fen_token_cache_writer_new (path, KEY, 100, &error);
      g_assert_no_error (error);
      gboolean ok = fen_token_cache_writer_add (writer, ids, size, size, &error);
      fen_token_cache_writer_end_document (writer);
      g_assert_false (ok && fen_token_cache_writer_commit (writer, &error));
      g_assert_true (error != NULL && error->domain == G_FILE_ERROR);
      g_assert_nonnull (strstr (error->message, path));
      fen_token_cache_writer_free (writer);
      g_assert_cmpuint (count_entries (folder), ==, 0);
      g_assert_cmpint (g_rmdir (folder), ==, 0);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_test_trap_assert_passed ();
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add ("/token-cache/" #name, Fixture, NULL, set_up, test_##name, tear_down)
  ADD (round_trip);
  ADD (damage);
  ADD (forged);
  ADD (lazy);
  ADD (bad_id);
  ADD (two_writers);
#undef ADD
  g_test_add_func ("/token-cache/full_disk", test_full_disk);
  return g_test_run ();
}
