/* test-dataset.c: from text on disk to rows, through the token cache: found again, damaged, made by two at once, not
 * writable; on one thread and on several; and one clear line when it cannot be. */
#include <glib/gstdio.h>
#include <string.h>
#include <utime.h>

#include "core/base/fen-io.h"
#include "core/corpus/fen-dataset-private.h"

#define END 256 /* the end-of-document token of `bytes` */

typedef struct {
  char *folder, *cache;
  FenTokenizer *tokenizer;
  GPtrArray *notes;
  FenDatasetOptions options;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = g_dir_make_tmp ("fenestra-dataset-XXXXXX", NULL);
  g_assert_nonnull (fixture->folder);
  fixture->cache = g_build_filename (fixture->folder, "cache", "tokens", NULL);
  fixture->tokenizer = fen_tokenizer_new_bytes ();
  fixture->notes = g_ptr_array_new_with_free_func (g_free);
  fixture->options = (FenDatasetOptions){
    .tokenizer = fixture->tokenizer, .cache_folder = fixture->cache, .max_seq_len = 8, .threads = 1
  };
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_assert_true (fen_io_remove_tree (fixture->folder, NULL));
  g_ptr_array_unref (fixture->notes);
  fen_tokenizer_unref (fixture->tokenizer);
  g_free (fixture->folder);
  g_free (fixture->cache);
}

static char *
put (Fixture *fixture, const char *name, const char *text, gssize bytes)
{
  char *path = g_build_filename (fixture->folder, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, text, bytes, NULL));
  return path;
}

static FenDataset *
open_path (Fixture *fixture, const char *path)
{
  g_autoptr (GError) error = NULL;
  fixture->options.path = path;
  g_ptr_array_set_size (fixture->notes, 0);
  FenDataset *dataset = fen_dataset_open (&fixture->options, fixture->notes, NULL, &error);
  g_assert_no_error (error);
  return dataset;
}

static void
assert_fails (Fixture *fixture, const char *path, int code, const char *part)
{
  g_autoptr (GError) error = NULL;
  fixture->options.path = path;
  g_assert_null (fen_dataset_open (&fixture->options, fixture->notes, NULL, &error));
  g_assert_error (error, FEN_CORPUS_ERROR, code);
  g_assert_null (strchr (error->message, '\n'));
  if (strstr (error->message, part) == NULL)
    g_error ("\"%s\" does not hold \"%s\"", error->message, part);
}

/* All tokens of a dataset that is opened for it: the rows of its eval split are padded, so none is left out. */
static GArray *
all_tokens (Fixture *fixture, const char *path)
{
  FenDatasetTokens tokens = { 0 };
  g_autoptr (GError) error = NULL;
  GArray *all = g_array_new (FALSE, FALSE, sizeof (gint32));
  fixture->options.path = path;
  g_assert_true (fen_dataset_get_tokens (&fixture->options, &tokens, NULL, NULL, &error));
  gint64 n = fen_token_cache_stats (tokens.cache)->tokens;
  g_array_set_size (all, (guint)n);
  g_assert_true (fen_token_cache_read (tokens.cache, 0, n, (gint32 *)(void *)all->data, &error));
  fen_token_cache_free (tokens.cache);
  g_free (tokens.cache_path);
  return all;
}

static guint
count_files (const char *folder, const char *suffix)
{
  guint n = 0;
  GDir *dir = g_dir_open (folder, 0, NULL);
  for (const char *name = dir ? g_dir_read_name (dir) : NULL; name != NULL; name = g_dir_read_name (dir))
    n += g_str_has_suffix (name, suffix) ? 1 : 0;
  g_clear_pointer (&dir, g_dir_close);
  return n;
}

/* ---- tokens and rows ---- */

static void
test_jsonl_rows (Fixture *fixture, gconstpointer data)
{
  static const gint32 expected[5][8] = { { 'a', 'b', 'c', END, 'd', END, 'e', 'f' },
                                         { 'b', 'c', END, -1, END, -1, 'f', 'g' },
                                         { 0, 0, 0, 0, 4, 4, 6, 6 },
                                         { 4, 4, 4, 4, 6, 6, 8, 8 },
                                         { 0, 1, 2, 3, 0, 1, 0, 1 } };
  g_autofree char *path
      = put (fixture, "a.jsonl", "{\"t\":\"abc\"}\n{\"t\":\"\"}\n{\"t\":\"d\"}\n{\"t\":\"efghi\"}\n", -1);
  gint32 out[5][8];
  FenRows rows = { out[0], out[1], out[2], out[3], out[4] };
  fixture->options.text_field = "t";
  fixture->options.document_mask = TRUE;
  g_autoptr (FenDataset) dataset = open_path (fixture, path);
  const FenDatasetInfo *info = fen_dataset_info (dataset);
  g_assert_cmpint (info->documents, ==, 3);
  g_assert_cmpint (info->tokens, ==, 12);
  g_assert_cmpuint (info->text_bytes, ==, 9);
  g_assert_cmpint (info->longest_document, ==, 6);
  g_assert_cmpint (info->max_token_id, ==, END);
  g_assert_cmpint (info->train_rows, ==, 1);
  g_assert_cmpint (info->eval_rows, ==, 0);
  g_assert_false (info->from_cache);
  g_assert_cmpuint (strlen (info->content_hash), ==, 32);
  g_assert_cmpint (fen_dataset_fill (dataset, FEN_SPLIT_TRAIN, 0, 1, &rows, NULL), ==, 6);
  g_assert_cmpmem (out, sizeof out, expected, sizeof expected);
}

/* nanoGPT's split of one text; the eval split counts every token once. */
static void
test_eval (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GString) text = g_string_new (NULL);
  for (guint i = 0; i < 999; i++)
    g_string_append_c (text, (char)('a' + i % 26));
  g_autofree char *path = put (fixture, "a.txt", text->str, -1);
  fixture->options.eval_share = 0.1;
  fixture->options.max_seq_len = 64;
  fixture->options.shuffle = TRUE;
  g_autoptr (FenDataset) dataset = open_path (fixture, path);
  const FenDatasetInfo *info = fen_dataset_info (dataset);
  g_assert_cmpint (info->train_tokens, ==, 900);
  g_assert_cmpint (info->eval_tokens, ==, 100);
  g_assert_cmpint (info->train_rows, ==, 14);
  g_assert_cmpint (info->eval_rows, ==, 2);
  gint32 tokens[128], targets[128];
  FenRows rows = { .tokens = tokens, .targets = targets };
  g_assert_cmpint (fen_dataset_fill (dataset, FEN_SPLIT_EVAL, 0, 2, &rows, NULL), ==, 99);
  for (guint i = 0; i < 99; i++)
    {
      g_assert_cmpint (tokens[i], ==, text->str[900 + i]);
      g_assert_cmpint (targets[i], ==, i < 98 ? text->str[901 + i] : END);
    }
  g_assert_cmpint (tokens[99], ==, END);
  for (guint i = 99; i < 128; i++)
    g_assert_cmpint (targets[i], ==, -1);

  fixture->options.eval_share = 0.001;
  g_autoptr (FenDataset) without = open_path (fixture, path);
  g_assert_cmpint (fen_dataset_info (without)->eval_rows, ==, 0);
  g_assert_cmpuint (fixture->notes->len, ==, 1);
  g_assert_nonnull (strstr (g_ptr_array_index (fixture->notes, 0), "no evaluation"));
}

/* A corpus with documents of all sizes, one of them too long for memory: the same as one after the other, whatever the
 * number of threads. */
static void
test_threads (Fixture *fixture, gconstpointer data)
{
  static const gsize sizes[] = { 10, 300000, 1, 2000000, 5, 5000000, 7, 1048576, 90000, 4194305 };
  g_autoptr (GArray) expected = g_array_new (FALSE, FALSE, sizeof (gint32));
  for (guint d = 0; d < G_N_ELEMENTS (sizes); d++)
    {
      gint32 end = END;
      g_autofree char *name = g_strdup_printf ("tree/%02u.txt", d);
      g_autofree char *text = g_malloc (sizes[d]);
      for (gsize i = 0; i < sizes[d]; i++)
        {
          gint32 c = i % 61 == 60 ? '\n' : 'a' + (gint32)((i + d) % 26);
          text[i] = (char)c;
          g_array_append_val (expected, c);
        }
      g_array_append_val (expected, end);
      g_free (put (fixture, name, text, (gssize)sizes[d]));
    }
  g_autofree char *tree = g_build_filename (fixture->folder, "tree", NULL);
  for (guint threads = 1; threads <= 4; threads++)
    {
      fixture->options.threads = threads;
      g_autoptr (GArray) tokens = all_tokens (fixture, tree);
      g_assert_cmpmem (tokens->data, tokens->len * 4, expected->data, expected->len * 4);
      g_assert_true (fen_io_remove_tree (fixture->cache, NULL));
    }
}

/* A learned tokenizer: a text that streams through in parts has the tokens of one call. */
static void
test_streamed_text (Fixture *fixture, gconstpointer data)
{
  g_autofree char *file = g_build_filename (g_getenv ("FENESTRA_GOLDEN_DIR"), "tokenizers", "bytelevel-512",
                                            "tokenizer.json", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (FenTokenizer) tokenizer = fen_tokenizer_load (file, &error);
  g_assert_no_error (error);
  g_autoptr (GString) text = g_string_new (NULL);
  for (guint i = 0; text->len < 5000000; i++)
    g_string_append_printf (text, "Line %u: the quick brown fox,  jumps\tover ünïcode…%s", i,
                            i % 7 ? " " : "\n\n");
  g_autofree char *path = put (fixture, "a.txt", text->str, (gssize)text->len);
  g_autoptr (GArray) expected = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_assert_true (fen_tokenizer_encode (tokenizer, text->str, text->len, TRUE, expected, &error));
  fixture->options.tokenizer = tokenizer;
  g_autoptr (GArray) tokens = all_tokens (fixture, path);
  g_assert_cmpuint (tokens->len - expected->len, <=, 1); /* the end of the document */
  g_assert_cmpmem (tokens->data, expected->len * 4, expected->data, expected->len * 4);
}

/* ---- the cache ---- */

static void
test_cache_hit (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = put (fixture, "a.txt", "some text to train on", -1);
  g_autoptr (FenDataset) first = open_path (fixture, path);
  g_assert_false (fen_dataset_info (first)->from_cache);
  g_assert_true (g_file_test (fen_dataset_info (first)->cache_path, G_FILE_TEST_IS_REGULAR));
  g_autoptr (FenDataset) again = open_path (fixture, path);
  g_assert_true (fen_dataset_info (again)->from_cache);
  g_autofree char *copy = put (fixture, "elsewhere/b.txt", "some text to train on", -1);
  g_autoptr (FenDataset) moved = open_path (fixture, copy);
  g_assert_true (fen_dataset_info (moved)->from_cache);
  g_assert_cmpstr (fen_dataset_info (moved)->content_hash, ==, fen_dataset_info (first)->content_hash);
  /* the same size, other text */
  g_autofree char *changed = put (fixture, "a.txt", "Some text to train on", -1);
  g_autoptr (FenDataset) other = open_path (fixture, changed);
  g_assert_false (fen_dataset_info (other)->from_cache);
  g_assert_cmpuint (fixture->notes->len, ==, 0);
  g_assert_cmpuint (count_files (fixture->cache, ".tokens"), ==, 2);
}

static void
test_cache_is_of_a_tokenizer (Fixture *fixture, gconstpointer data)
{
  g_autofree char *file = g_build_filename (g_getenv ("FENESTRA_GOLDEN_DIR"), "tokenizers", "bytelevel-512",
                                            "tokenizer.json", NULL);
  g_autofree char *path = put (fixture, "a.txt", "some text to train on", -1);
  g_autoptr (FenDataset) first = open_path (fixture, path);
  g_autoptr (FenTokenizer) tokenizer = fen_tokenizer_load (file, NULL);
  fixture->options.tokenizer = tokenizer;
  g_autoptr (FenDataset) second = open_path (fixture, path);
  g_assert_false (fen_dataset_info (second)->from_cache);
  g_assert_cmpint (fen_dataset_info (second)->tokens, <, fen_dataset_info (first)->tokens);
}

static void
note_phase (FenDatasetPhase phase, guint64 done, guint64 total, gpointer user_data)
{
  guint *phases = user_data;
  g_assert_cmpuint (done, <=, total);
  *phases |= 1u << phase;
}

/* Files that have not changed for a while are not read again; when they change, they are. */
static void
test_unchanged_files_are_not_read (Fixture *fixture, gconstpointer data)
{
  guint phases = 0;
  g_autofree char *path = put (fixture, "a.txt", "some text to train on", -1);
  fixture->options.progress = note_phase;
  fixture->options.progress_data = &phases;
  g_usleep (2600000); /* a younger file is not trusted */
  g_autoptr (FenDataset) first = open_path (fixture, path);
  g_assert_cmpuint (phases, ==,
                    1u << FEN_DATASET_HASHING | 1u << FEN_DATASET_TOKENIZING | 1u << FEN_DATASET_CHECKING);
  phases = 0;
  g_autoptr (FenDataset) again = open_path (fixture, path);
  g_assert_cmpuint (phases, ==, 1u << FEN_DATASET_CHECKING);
  g_assert_cmpstr (fen_dataset_info (first)->content_hash, ==, fen_dataset_info (again)->content_hash);
  g_autofree char *changed = put (fixture, "a.txt", "Some text to train on", -1);
  g_autoptr (FenDataset) other = open_path (fixture, changed);
  g_assert_cmpuint (phases & 1u << FEN_DATASET_HASHING, !=, 0);
  g_assert_false (fen_dataset_info (other)->from_cache);
}

static void
test_damaged_cache_is_made_again (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = put (fixture, "a.txt", "some text to train on", -1);
  g_autoptr (FenDataset) first = open_path (fixture, path);
  const char *cache = fen_dataset_info (first)->cache_path;
  g_autofree char *whole = NULL;
  gsize bytes;
  g_assert_true (g_file_get_contents (cache, &whole, &bytes, NULL));
  for (guint kind = 0; kind < 3; kind++)
    {
      g_autofree char *bad = g_memdup2 (whole, bytes);
      bad[70] ^= 1;
      g_assert_true (g_file_set_contents (cache, bad, kind == 0 ? (gssize)bytes : kind == 1 ? 100 : 0, NULL));
      g_autoptr (FenDataset) again = open_path (fixture, path);
      g_assert_false (fen_dataset_info (again)->from_cache);
      g_assert_cmpint (fen_dataset_info (again)->tokens, ==, 22);
      g_assert_cmpuint (fixture->notes->len, ==, 1);
      g_assert_nonnull (strstr (g_ptr_array_index (fixture->notes, 0), "damaged token cache"));
      g_autofree char *made = NULL;
      gsize made_bytes;
      g_assert_true (g_file_get_contents (cache, &made, &made_bytes, NULL));
      g_assert_cmpmem (made, made_bytes, whole, bytes);
    }
}

static void
test_cache_folder_not_writable (Fixture *fixture, gconstpointer data)
{
  gint32 tokens[8];
  FenRows rows = { .tokens = tokens };
  g_autofree char *path = put (fixture, "a.txt", "some text to train on", -1);
  g_autofree char *below_a_file = g_build_filename (path, "cache", NULL);
  fixture->options.cache_folder = below_a_file;
  g_autoptr (FenDataset) dataset = open_path (fixture, path);
  g_assert_null (fen_dataset_info (dataset)->cache_path);
  g_assert_cmpuint (fixture->notes->len, ==, 1);
  g_assert_nonnull (strstr (g_ptr_array_index (fixture->notes, 0), "temporary file"));
  g_assert_cmpint (fen_dataset_fill (dataset, FEN_SPLIT_TRAIN, 0, 1, &rows, NULL), ==, 8);
  g_assert_cmpint (tokens[0], ==, 's');
}

static gpointer
open_in_thread (gpointer data)
{
  const FenDatasetOptions *options = data;
  return fen_dataset_open (options, NULL, NULL, NULL);
}

static void
test_made_by_several_at_once (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = g_strnfill (3000000, 'x');
  g_autofree char *path = put (fixture, "a.txt", text, -1);
  GThread *threads[4];
  fixture->options.path = path;
  for (guint i = 0; i < 4; i++)
    threads[i] = g_thread_new ("open", open_in_thread, &fixture->options);
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (FenDataset) dataset = g_thread_join (threads[i]);
      g_assert_nonnull (dataset);
      g_assert_cmpint (fen_dataset_info (dataset)->tokens, ==, 3000001);
    }
  g_assert_cmpuint (count_files (fixture->cache, ".tokens"), ==, 1);
  g_assert_cmpuint (count_files (fixture->cache, ".tmp"), ==, 0);
}

/* What a killed process left goes when it is old; what another process may be writing stays. */
static void
test_stale_files (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = put (fixture, "a.txt", "some text to train on", -1);
  g_autofree char *old = put (fixture, "cache/tokens/.0.tokens.0badf00d.tmp", "x", -1);
  g_autofree char *fresh = put (fixture, "cache/tokens/.1.tokens.0badf00d.tmp", "x", -1);
  g_autofree char *foreign = put (fixture, "cache/tokens/.notes.tmp", "x", -1);
  struct utimbuf long_ago = { 1000000000, 1000000000 };
  g_assert_cmpint (g_utime (old, &long_ago), ==, 0);
  g_assert_cmpint (g_utime (foreign, &long_ago), ==, 0);
  g_autoptr (FenDataset) dataset = open_path (fixture, path);
  g_assert_false (fen_dataset_info (dataset)->from_cache);
  g_assert_false (g_file_test (old, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (fresh, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (foreign, G_FILE_TEST_EXISTS));
}

/* ---- what cannot be ---- */

static void
test_bad_input (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = put (fixture, "short.txt", "short", -1);
  fixture->options.max_seq_len = 7;
  assert_fails (fixture, text, FEN_CORPUS_ERROR_EMPTY, "short.txt: 6 tokens to train on");
  assert_fails (fixture, text, FEN_CORPUS_ERROR_EMPTY, "max_seq_len 7");
  assert_fails (fixture, text, FEN_CORPUS_ERROR_EMPTY, "max_seq_len <= 6");
  fixture->options.eval_share = 0.5;
  fixture->options.max_seq_len = 4;
  assert_fails (fixture, text, FEN_CORPUS_ERROR_EMPTY, "3 more are held out by eval_share 0.5");
  fixture->options.eval_share = 1;
  assert_fails (fixture, text, FEN_CORPUS_ERROR_OPTION, "eval_share 1");
  fixture->options.eval_share = 0;
  fixture->options.max_seq_len = 0;
  assert_fails (fixture, text, FEN_CORPUS_ERROR_OPTION, "max_seq_len 0");
  fixture->options.max_seq_len = 2;

  g_autofree char *missing = g_build_filename (fixture->folder, "missing", NULL);
  assert_fails (fixture, missing, FEN_CORPUS_ERROR_NOT_FOUND, "missing");
  g_autofree char *empty = put (fixture, "empty.txt", "", 0);
  assert_fails (fixture, empty, FEN_CORPUS_ERROR_EMPTY, "empty.txt");
  g_autofree char *no_text = put (fixture, "no.jsonl", "{\"text\":\"\"}\n\n", -1);
  assert_fails (fixture, no_text, FEN_CORPUS_ERROR_EMPTY, "no text");
  g_autofree char *binary = put (fixture, "binary.txt", "text\0text", 9);
  assert_fails (fixture, binary, FEN_CORPUS_ERROR_BINARY, "byte 4 is NUL");
  g_autofree char *invalid = put (fixture, "invalid.txt", "text\xff", -1);
  assert_fails (fixture, invalid, FEN_CORPUS_ERROR_INVALID_UTF8, "byte 4");
  g_autofree char *broken = put (fixture, "broken.jsonl", "{\"text\":\"fine\"}\n{\"text\":", -1);
  assert_fails (fixture, broken, FEN_CORPUS_ERROR_LINE, "broken.jsonl: line 2");
  g_assert_cmpuint (count_files (fixture->cache, ".tmp"), ==, 0);
  g_assert_cmpuint (count_files (fixture->cache, ".tokens"), ==, 1); /* of short.txt, which is a good text */
}

static void
test_vocab (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = put (fixture, "a.txt", "some text to train on", -1);
  g_autoptr (FenDataset) dataset = open_path (fixture, path);
  g_assert_true (fen_dataset_check_vocab (dataset, 257, &error));
  g_assert_false (fen_dataset_check_vocab (dataset, 256, &error));
  g_assert_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKEN_ID);
  g_assert_nonnull (strstr (error->message, "256"));
}

static void
cancel (FenDatasetPhase phase, guint64 done, guint64 total, gpointer user_data)
{
  if (phase == FEN_DATASET_TOKENIZING)
    g_cancellable_cancel (user_data);
}

static void
test_cancelled (Fixture *fixture, gconstpointer data)
{
  g_autofree char *text = g_strnfill (8000000, 'x');
  g_autofree char *path = put (fixture, "a.txt", text, -1);
  for (guint threads = 1; threads <= 2; threads++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (GError) error = NULL;
      fixture->options.path = path;
      fixture->options.threads = threads;
      fixture->options.progress = cancel;
      fixture->options.progress_data = cancellable;
      g_assert_null (fen_dataset_open (&fixture->options, fixture->notes, cancellable, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_assert_cmpuint (count_files (fixture->cache, ".tokens"), ==, 0);
      g_assert_cmpuint (count_files (fixture->cache, ".tmp"), ==, 0);
      g_assert_cmpuint (fixture->notes->len, ==, 0);
    }
}

typedef struct {
  Fixture *fixture;
  gboolean done;
} Writer;

static void
append (FenDatasetPhase phase, guint64 done, guint64 total, gpointer user_data)
{
  Writer *writer = user_data;
  if (phase == FEN_DATASET_HASHING && done == total && !writer->done)
    {
      writer->done = TRUE;
      g_free (put (writer->fixture, "a.txt", "another text altogether", -1));
    }
}

static void
test_changed_while_read (Fixture *fixture, gconstpointer data)
{
  Writer writer = { .fixture = fixture };
  g_autofree char *path = put (fixture, "a.txt", "some text to train on", -1);
  fixture->options.progress = append;
  fixture->options.progress_data = &writer;
  assert_fails (fixture, path, FEN_CORPUS_ERROR_CACHE, "changed while it was read");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add ("/dataset/" #name, Fixture, NULL, set_up, test_##name, tear_down)
  ADD (jsonl_rows);
  ADD (eval);
  ADD (threads);
  ADD (streamed_text);
  ADD (cache_hit);
  ADD (cache_is_of_a_tokenizer);
  ADD (unchanged_files_are_not_read);
  ADD (damaged_cache_is_made_again);
  ADD (cache_folder_not_writable);
  ADD (made_by_several_at_once);
  ADD (stale_files);
  ADD (bad_input);
  ADD (vocab);
  ADD (cancelled);
  ADD (changed_while_read);
#undef ADD
  return g_test_run ();
}
