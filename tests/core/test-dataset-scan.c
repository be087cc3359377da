/* test-dataset-scan.c: what is said of a dataset before it is tokenised, against what tokenising it then gives. */
#include <glib/gstdio.h>
#include <string.h>
#include <utime.h>

#include "core/base/fen-io.h"
#include "core/corpus/fen-corpus-error.h"
#include "core/corpus/fen-dataset-scan.h"
#include "core/corpus/fen-dataset.h"

typedef struct {
  char *folder, *cache;
  FenTokenizer *bytes;
  FenDatasetScanOptions options;
  FenDatasetScan scan;
  guint n_reports;
  guint64 first_bytes;
  gint64 first_tokens;
  GCancellable *cancellable;
  gboolean cancel_at_tokens;
} Fixture;

static void
on_progress (const FenDatasetScan *scan, gpointer data)
{
  Fixture *fixture = data;
  if (fixture->n_reports++ == 0)
    {
      fixture->first_bytes = scan->bytes;
      fixture->first_tokens = scan->tokens;
    }
  if (fixture->cancel_at_tokens && scan->tokens >= 0)
    g_cancellable_cancel (fixture->cancellable);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = g_dir_make_tmp ("fenestra-scan-XXXXXX", NULL);
  g_assert_nonnull (fixture->folder);
  fixture->cache = g_build_filename (fixture->folder, "cache", NULL);
  fixture->bytes = fen_tokenizer_new_bytes ();
  fixture->cancellable = g_cancellable_new ();
  fixture->options = (FenDatasetScanOptions){ .tokenizer = fixture->bytes,
                                              .cache_folder = fixture->cache,
                                              .progress = on_progress,
                                              .progress_data = fixture };
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_assert_true (fen_io_remove_tree (fixture->folder, NULL));
  fen_tokenizer_unref (fixture->bytes);
  g_object_unref (fixture->cancellable);
  g_free (fixture->folder);
  g_free (fixture->cache);
}

/* A file whose times are long past: only such a one is known by its stamp. */
static char *
put (Fixture *fixture, const char *name, const char *text)
{
  struct utimbuf old = { .actime = 1600000000, .modtime = 1600000000 };
  char *path = g_build_filename (fixture->folder, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_assert_cmpint (utime (path, &old), ==, 0);
  return path;
}

static void
scan_ok (Fixture *fixture, const char *path)
{
  g_autoptr (GError) error = NULL;
  fixture->options.path = path;
  fixture->n_reports = 0;
  g_assert_true (fen_dataset_scan (&fixture->options, &fixture->scan, fixture->cancellable, &error));
  g_assert_no_error (error);
}

/* The truth. */
static void
tokenize (Fixture *fixture, const char *path, FenTokenizer *tokenizer, gint64 *documents, gint64 *tokens)
{
  FenDatasetOptions options = {
    .path = path, .tokenizer = tokenizer, .cache_folder = fixture->cache, .max_seq_len = 8, .threads = 1
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (FenDataset) dataset = fen_dataset_open (&options, NULL, NULL, &error);
  g_assert_no_error (error);
  *documents = fen_dataset_info (dataset)->documents;
  *tokens = fen_dataset_info (dataset)->tokens;
}

/* Words that a small grammar makes, so that a BPE finds something. */
static char *
make_text (gsize bytes, const char *line_format)
{
  static const char *const words[]
      = { "the", "window", "of", "a", "token", "sees", "what", "lies", "before", "it" };
  g_autoptr (GRand) random = g_rand_new_with_seed (7);
  GString *text = g_string_new (NULL);
  while (text->len < bytes)
    {
      g_autoptr (GString) line = g_string_new (NULL);
      for (int i = g_rand_int_range (random, 3, 12); i > 0; i--)
        g_string_append_printf (line, "%s ", words[g_rand_int_range (random, 0, G_N_ELEMENTS (words))]);
      if (line_format != NULL)
        g_string_append_printf (text, "{\"text\": \"%s\", \"other\": \"xyz\"}\n", line->str);
      else
        g_string_append_printf (text, "%s\n", line->str);
    }
  return g_string_free (text, FALSE);
}

/* What fits into the sample is counted, not estimated: a folder, .jsonl and a BPE of the whole text. */
static void
test_small (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = make_text (50000, NULL), *lines = make_text (50000, "jsonl");
  g_autofree char *a = put (fixture, "texts/a.txt", text), *jsonl = put (fixture, "d.jsonl", lines);
  g_free (put (fixture, "texts/b/c.txt", "short one"));
  g_free (put (fixture, "texts/empty.txt", ""));
  g_autofree char *texts = g_path_get_dirname (a);
  const char *const paths[] = { texts, jsonl };
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      gint64 documents, tokens;
      scan_ok (fixture, paths[i]);
      g_assert_true (fixture->scan.tokens_exact && fixture->scan.documents_exact);
      tokenize (fixture, paths[i], fixture->bytes, &documents, &tokens);
      g_assert_cmpint (fixture->scan.tokens, ==, tokens);
      g_assert_cmpint (fixture->scan.documents, ==, documents);
      g_assert_cmpuint (fixture->scan.bytes, ==, fixture->first_bytes);
      g_assert_cmpint (fixture->first_tokens, ==, -1); /* the size is there before anything is read */
    }
  scan_ok (fixture, texts);
  g_assert_cmpuint (fixture->scan.bytes, ==, strlen (text) + strlen ("short one"));
  g_assert_cmpint (fixture->scan.files, ==, 3);

  gint64 bytes_tokens = fixture->scan.tokens;
  fixture->options.tokenizer = NULL;
  fixture->options.bpe_tokens = 300;
  scan_ok (fixture, texts);
  g_assert_true (fixture->scan.tokens_exact);
  g_assert_cmpint (fixture->scan.tokens, <, bytes_tokens / 2);
  fixture->options.bpe_tokens = 0;
  scan_ok (fixture, texts);
  g_assert_cmpint (fixture->scan.tokens, ==, -1);
  g_assert_cmpint (fixture->scan.documents, ==, 2);
}

/* What is larger is estimated and says so, until an earlier run has counted it. */
static void
test_large (Fixture *fixture, gconstpointer data)
{
  g_autofree char *lines = make_text (2500000, "jsonl");
  g_autofree char *path = put (fixture, "large.jsonl", lines);
  gint64 documents, tokens;
  scan_ok (fixture, path);
  g_assert_false (fixture->scan.tokens_exact);
  g_assert_true (fixture->scan.documents_exact);
  gint64 estimate = fixture->scan.tokens;
  tokenize (fixture, path, fixture->bytes, &documents, &tokens);
  g_assert_cmpint (fixture->scan.documents, ==, documents);
  /* Lines of 3 to 11 words drawn alike: a sample of a megabyte is some 30,000 of them, 0.3% off at most. */
  g_assert_cmpint (ABS (estimate - tokens), <, tokens / 300);

  scan_ok (fixture, path);
  g_assert_true (fixture->scan.tokens_exact);
  g_assert_cmpint (fixture->scan.tokens, ==, tokens);
  g_assert_cmpint (fixture->scan.documents, ==, documents);

  /* Another tokenizer's tokens are not these. */
  fixture->options.tokenizer = NULL;
  fixture->options.bpe_tokens = 300;
  scan_ok (fixture, path);
  g_assert_false (fixture->scan.tokens_exact);
  g_assert_cmpint (fixture->scan.tokens, <, tokens / 2);
}

static void
test_cancelled (Fixture *fixture, gconstpointer data)
{
  g_autofree char *lines = make_text (3000000, "jsonl");
  g_autofree char *path = put (fixture, "large.jsonl", lines);
  g_autoptr (GError) error = NULL;
  fixture->options.path = path;
  fixture->cancel_at_tokens = TRUE;
  g_assert_false (fen_dataset_scan (&fixture->options, &fixture->scan, fixture->cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_false (fixture->scan.documents_exact);
}

static void
test_bad_input (Fixture *fixture, gconstpointer data)
{
  g_autofree char *none = g_build_filename (fixture->folder, "none.txt", NULL);
  g_autofree char *empty = put (fixture, "empty.txt", ""), *blank = put (fixture, "blank.jsonl", "\n \n"),
                  *latin = put (fixture, "latin.txt", "b\xe4r"),
                  *broken = put (fixture, "broken.jsonl", "{\"text\": \n"),
                  *other = put (fixture, "image.png", "x");
  const struct {
    const char *path;
    int code;
  } cases[] = {
    { none, FEN_CORPUS_ERROR_NOT_FOUND }, { empty, FEN_CORPUS_ERROR_EMPTY },
    { blank, FEN_CORPUS_ERROR_EMPTY },    { latin, FEN_CORPUS_ERROR_INVALID_UTF8 },
    { broken, FEN_CORPUS_ERROR_LINE },    { other, FEN_CORPUS_ERROR_UNSUPPORTED },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      fixture->options.path = cases[i].path;
      g_assert_false (fen_dataset_scan (&fixture->options, &fixture->scan, NULL, &error));
      g_assert_error (error, FEN_CORPUS_ERROR, cases[i].code);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add ("/dataset-scan/" #name, Fixture, NULL, set_up, test_##name, tear_down)
  ADD (small);
  ADD (large);
  ADD (cancelled);
  ADD (bad_input);
#undef ADD
  return g_test_run ();
}
