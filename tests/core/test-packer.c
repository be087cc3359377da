/* test-packer.c: the split, the order of rows, and every number of a row, against what can be seen from outside.
 *
 * Corpora here have the token i at place i, so a row tells by itself where each of its tokens comes from; what a row
 * must hold is then worked out from the documents' sizes alone.
 */
#include <string.h>

#include "core/base/fen-io.h"
#include "core/corpus/fen-packer.h"

#define KEY "0123456789abcdef0123456789abcdef"

typedef struct {
  char *folder;
  FenTokenCache *cache;
  gint64 *document; /* (tokens) whose token it is */
} Corpus;

static Corpus
corpus_new (const gint64 *sizes, guint n)
{
  Corpus corpus = { 0 };
  g_autoptr (GError) error = NULL;
  gint64 place = 0;
  corpus.folder = g_dir_make_tmp ("fenestra-packer-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (corpus.folder, "x.tokens", NULL);
  g_autoptr (GArray) document = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_autoptr (FenTokenCacheWriter) writer = fen_token_cache_writer_new (path, KEY, 1 << 20, &error);
  for (guint d = 0; d < n; d++)
    {
      for (gint64 i = 0; i < sizes[d]; i++, place++)
        {
          guint32 id = (guint32)place;
          gint64 number = d;
          g_array_append_val (document, number);
          g_assert_true (fen_token_cache_writer_add (writer, &id, 1, 1, &error));
        }
      fen_token_cache_writer_end_document (writer);
    }
  g_assert_true (fen_token_cache_writer_commit (writer, &error));
  corpus.cache = fen_token_cache_open (path, KEY, G_MAXUINT64, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  corpus.document = (gint64 *)(void *)g_array_free (g_steal_pointer (&document), FALSE);
  return corpus;
}

static void
corpus_clear (Corpus *corpus)
{
  fen_token_cache_free (corpus->cache);
  g_assert_true (fen_io_remove_tree (corpus->folder, NULL));
  g_free (corpus->folder);
  g_free (corpus->document);
}

/* `n` sizes, most of them small. */
static gint64 *
random_sizes (guint n)
{
  gint64 *sizes = g_new (gint64, n);
  for (guint d = 0; d < n; d++)
    sizes[d]
        = g_test_rand_int_range (0, 8) == 0 ? g_test_rand_int_range (1, 90) : g_test_rand_int_range (1, 9);
  return sizes;
}

static FenPacker *
packer_of_all (const Corpus *corpus, gint64 row_tokens, gboolean shuffle, gboolean mask, gboolean pad)
{
  FenPart train, eval;
  FenPackerOptions options = { row_tokens, 42, shuffle, mask, pad };
  fen_part_split (fen_token_cache_ends (corpus->cache), fen_token_cache_stats (corpus->cache)->documents, 0,
                  &train, &eval);
  g_assert_cmpint (eval.n_documents, ==, 0);
  return fen_packer_new (corpus->cache, &train, &options);
}

typedef struct {
  gint32 *data;
  FenRows rows;
  gint64 n_targets;
} Filled;

static Filled
fill (FenPacker *packer, gint64 row_tokens, gint64 first, gint64 n)
{
  g_autoptr (GError) error = NULL;
  gint64 size = row_tokens * n;
  Filled filled = { .data = g_new (gint32, 5 * size) };
  memset (filled.data, 0x77, (gsize)(5 * size) * sizeof *filled.data);
  filled.rows = (FenRows){ filled.data, filled.data + size, filled.data + 2 * size, filled.data + 3 * size,
                           filled.data + 4 * size };
  filled.n_targets = fen_packer_fill (packer, first, n, &filled.rows, &error);
  g_assert_no_error (error);
  return filled;
}

/* ---- permutation ---- */

static void
test_permutation (void)
{
  for (guint64 n = 1; n < 300; n++)
    {
      FenPermutation permutation;
      g_autofree guint8 *seen = g_malloc0 (n);
      fen_permutation_init (&permutation, 7, n, 1, n);
      for (guint64 i = 0; i < n; i++)
        {
          guint64 value = fen_permutation_at (&permutation, i);
          g_assert_cmpuint (value, <, n);
          g_assert_false (seen[value]);
          seen[value] = 1;
        }
    }
  FenPermutation large;
  fen_permutation_init (&large, 7, 1, 1, G_GUINT64_CONSTANT (3000000000000));
  for (guint64 i = 0; i < 1000; i++)
    g_assert_cmpuint (fen_permutation_at (&large, i * 2999999999), <, G_GUINT64_CONSTANT (3000000000000));
}

/* Each number is equally often at each place, and each pair in each order: chi-square over many seeds. The bounds are
 * those that a fair draw passes with probability 1 - 1e-6; the seeds are fixed. */
static void
test_permutation_is_fair (void)
{
  enum { N = 6, DRAWS = 12000 };
  double counts[N][N] = { 0 }, follows[N][N] = { 0 };
  for (guint64 seed = 0; seed < DRAWS; seed++)
    {
      FenPermutation permutation;
      guint64 previous = 0;
      fen_permutation_init (&permutation, seed, 2, 1, N);
      for (guint64 i = 0; i < N; i++)
        {
          guint64 value = fen_permutation_at (&permutation, i);
          counts[i][value]++;
          if (i > 0)
            follows[previous][value]++;
          previous = value;
        }
    }
  double place = 0, pair = 0, expected = DRAWS / (double)N,
         expected_pair = DRAWS * (N - 1) / (double)(N * (N - 1));
  for (guint i = 0; i < N; i++)
    for (guint j = 0; j < N; j++)
      {
        place += (counts[i][j] - expected) * (counts[i][j] - expected) / expected;
        if (i != j)
          pair += (follows[i][j] - expected_pair) * (follows[i][j] - expected_pair) / expected_pair;
      }
  g_test_message ("chi-square: places %.1f (25 degrees of freedom), pairs %.1f", place, pair);
  g_assert_cmpfloat (place, <, 70);
  g_assert_cmpfloat (pair, <, 80);
}

/* ---- rows ---- */

/* What a row of unpadded, distinct tokens must say, given the documents. */
static void
check_row (const Corpus *corpus, const FenRows *rows, gint64 offset, gint64 length, gboolean mask,
           gint64 *n_targets)
{
  const gint32 *tokens = rows->tokens + offset;
  gint64 n_tokens = fen_token_cache_stats (corpus->cache)->tokens;
  for (gint64 t = 0, start = 0; t < length; t++)
    {
      gint64 token = tokens[t], last_of_document = token + 1 == n_tokens
                                                   || corpus->document[token + 1] != corpus->document[token];
      /* a new stretch begins where the tokens do not follow each other inside one document */
      if (t > 0
          && (tokens[t] != tokens[t - 1] + 1
              || corpus->document[tokens[t]] != corpus->document[tokens[t - 1]]))
        start = t;
      gint64 end = t + 1;
      while (end < length && tokens[end] == tokens[end - 1] + 1
             && corpus->document[tokens[end]] == corpus->document[token])
        end++;
      gint64 target = rows->targets[offset + t];
      g_assert_cmpint (rows->doc_start[offset + t], ==, mask ? start : 0);
      g_assert_cmpint (rows->doc_end[offset + t], ==, mask ? end : length);
      g_assert_cmpint (rows->positions[offset + t], ==, mask ? t - start : t);
      if (!last_of_document)
        g_assert_cmpint (target, ==, token + 1);
      else if (mask)
        g_assert_cmpint (target, ==, -1);
      else if (t + 1 < length && target >= 0) /* not at the stream's end, which a row may wrap around */
        g_assert_cmpint (target, ==, tokens[t + 1]);
      *n_targets += target >= 0 ? 1 : 0;
    }
}

/* An epoch: rows say the right things, no token comes twice, and only the tail is left out. */
static void
check_epoch (const Corpus *corpus, FenPacker *packer, gint64 row_tokens, gint64 epoch, gboolean mask)
{
  gint64 n_tokens = fen_token_cache_stats (corpus->cache)->tokens, rows = fen_packer_rows (packer);
  g_autofree guint8 *seen = g_malloc0 ((gsize)n_tokens);
  Filled filled = fill (packer, row_tokens, epoch * rows, rows);
  gint64 n_targets = 0, streams_ends = 0;
  g_assert_cmpint (rows, ==, n_tokens / row_tokens);
  for (gint64 r = 0; r < rows; r++)
    check_row (corpus, &filled.rows, r * row_tokens, row_tokens, mask, &n_targets);
  g_assert_cmpint (n_targets, ==, filled.n_targets);
  for (gint64 i = 0; i < rows * row_tokens; i++)
    {
      g_assert_false (seen[filled.rows.tokens[i]]);
      seen[filled.rows.tokens[i]] = 1;
      streams_ends += filled.rows.targets[i] < 0 ? 1 : 0;
    }
  if (!mask)
    g_assert_cmpint (streams_ends, <=, 1);
  /* a row's last target is the first token of the next stretch of the stream, whose row may be anywhere */
  g_free (filled.data);
}

static void
test_epochs (void)
{
  for (guint n_documents = 1; n_documents <= 40; n_documents += 3)
    {
      g_autofree gint64 *sizes = random_sizes (n_documents);
      sizes[0] += 16;
      Corpus corpus = corpus_new (sizes, n_documents);
      for (gint64 row_tokens = 1; row_tokens <= 17; row_tokens += 4)
        for (guint flags = 0; flags < 4; flags++)
          {
            gboolean mask = (flags & 1) != 0;
            g_autoptr (FenPacker) packer = packer_of_all (&corpus, row_tokens, (flags & 2) != 0, mask, FALSE);
            for (gint64 epoch = 0; epoch < 3; epoch++)
              check_epoch (&corpus, packer, row_tokens, epoch, mask);
          }
      corpus_clear (&corpus);
    }
}

/* Sequential rows are the stream itself. */
static void
test_sequential (void)
{
  static const gint64 sizes[] = { 5, 1, 7, 10 };
  Corpus corpus = corpus_new (sizes, G_N_ELEMENTS (sizes));
  g_autoptr (FenPacker) packer = packer_of_all (&corpus, 6, FALSE, FALSE, FALSE);
  g_assert_cmpint (fen_packer_rows (packer), ==, 3);
  Filled filled = fill (packer, 6, 0, 4); /* the fourth is the first again */
  for (gint64 i = 0; i < 24; i++)
    {
      g_assert_cmpint (filled.rows.tokens[i], ==, i % 18);
      g_assert_cmpint (filled.rows.targets[i], ==, i % 18 + 1);
    }
  g_assert_cmpint (filled.n_targets, ==, 24);
  g_free (filled.data);
  corpus_clear (&corpus);
}

/* By hand: two documents and a bit in a row. */
static void
test_masked_row (void)
{
  static const gint64 sizes[] = { 3, 2, 9 };
  static const gint32 expected[5][8] = {
    { 0, 1, 2, 3, 4, 5, 6, 7 }, { 1, 2, -1, 4, -1, 6, 7, 8 }, { 0, 0, 0, 3, 3, 5, 5, 5 },
    { 3, 3, 3, 5, 5, 8, 8, 8 }, { 0, 1, 2, 0, 1, 0, 1, 2 },
  };
  Corpus corpus = corpus_new (sizes, G_N_ELEMENTS (sizes));
  g_autoptr (FenPacker) packer = packer_of_all (&corpus, 8, FALSE, TRUE, FALSE);
  Filled filled = fill (packer, 8, 0, 1);
  for (guint a = 0; a < 5; a++)
    for (guint t = 0; t < 8; t++)
      g_assert_cmpint (filled.data[8 * a + t], ==, expected[a][t]);
  g_assert_cmpint (filled.n_targets, ==, 6);
  g_free (filled.data);
  corpus_clear (&corpus);
}

/* The last row of an eval split is padded; a split shorter than a row is one padded row. */
static void
test_padding (void)
{
  static const gint64 sizes[] = { 3, 2 };
  Corpus corpus = corpus_new (sizes, G_N_ELEMENTS (sizes));
  for (guint mask = 0; mask < 2; mask++)
    for (gint64 row_tokens = 1; row_tokens <= 9; row_tokens++)
      {
        g_autoptr (FenPacker) packer = packer_of_all (&corpus, row_tokens, FALSE, mask != 0, TRUE);
        gint64 rows = (5 + row_tokens - 1) / row_tokens;
        g_assert_cmpint (fen_packer_rows (packer), ==, rows);
        Filled filled = fill (packer, row_tokens, 0, rows);
        g_assert_cmpint (filled.n_targets, ==, mask ? 3 : 4);
        for (gint64 i = 0; i < rows * row_tokens; i++)
          {
            gboolean last = mask ? i == 2 || i == 4 : i == 4;
            g_assert_cmpint (filled.rows.tokens[i], ==, i < 5 ? i : 0);
            g_assert_cmpint (filled.rows.targets[i], ==, i < 5 && !last ? i + 1 : -1);
            if (i >= 5 && mask)
              g_assert_cmpint (filled.rows.doc_start[i], ==, MAX (5 - i / row_tokens * row_tokens, 0));
            if (i >= 5)
              g_assert_cmpint (filled.rows.doc_end[i], ==, row_tokens);
          }
        g_free (filled.data);
      }
  corpus_clear (&corpus);
}

/* A row is the same whether filled alone, in a batch, by another packer, in another order, without the other arrays. */
static void
test_purity (void)
{
  g_autofree gint64 *sizes = random_sizes (30);
  Corpus corpus = corpus_new (sizes, 30);
  for (guint flags = 0; flags < 4; flags++)
    {
      g_autoptr (FenPacker) packer = packer_of_all (&corpus, 8, (flags & 1) != 0, (flags & 2) != 0, FALSE);
      g_autoptr (FenPacker) other = packer_of_all (&corpus, 8, (flags & 1) != 0, (flags & 2) != 0, FALSE);
      gint64 n = 5 * fen_packer_rows (packer) + 3;
      Filled all = fill (packer, 8, 0, n);
      for (gint64 i = 0; i < 3 * n; i++)
        {
          gint64 row = g_test_rand_int_range (0, (gint32)n);
          gint32 tokens[8];
          Filled one = fill (other, 8, row, 1);
          for (guint a = 0; a < 5; a++)
            g_assert_cmpmem (one.data + 8 * a, 32, all.data + 8 * (a * n + row), 32);
          FenRows only = { .tokens = tokens };
          g_assert_cmpint (fen_packer_fill (other, row, 1, &only, NULL), ==, one.n_targets);
          g_assert_cmpmem (tokens, 32, one.data, 32);
          g_free (one.data);
        }
      g_free (all.data);
    }
  corpus_clear (&corpus);
}

/* Epochs differ, in the order of rows and in where rows begin; so do seeds. Sequential epochs do not. */
static void
test_epochs_differ (void)
{
  static const gint64 sizes[] = { 3333 };
  Corpus corpus = corpus_new (sizes, 1);
  g_autoptr (FenPacker) packer = packer_of_all (&corpus, 32, TRUE, FALSE, FALSE);
  gint64 rows = fen_packer_rows (packer);
  guint32 starts = 0;
  for (gint64 epoch = 0; epoch < 8; epoch++)
    {
      Filled filled = fill (packer, 32, epoch * rows, rows);
      guint in_order = 0;
      starts |= 1u << (filled.rows.tokens[0] % 32);
      for (gint64 r = 1; r < rows; r++)
        in_order += filled.rows.tokens[32 * r] == filled.rows.tokens[32 * (r - 1)] + 32 ? 1 : 0;
      g_assert_cmpuint (in_order, <, 10); /* 1 is expected of a random order */
      g_free (filled.data);
    }
  g_assert_cmpint (__builtin_popcount (starts), >=, 4);
  corpus_clear (&corpus);
}

static gpointer
fill_many (gpointer data)
{
  FenPacker *packer = data;
  guint64 sum = 0;
  for (gint64 i = 0; i < 400; i++)
    {
      Filled filled = fill (packer, 8, 3 * i, 4);
      for (guint j = 0; j < 5 * 32; j++)
        sum = sum * 31 + (guint64)filled.data[j];
      g_free (filled.data);
    }
  return GUINT_TO_POINTER ((guint)(sum ^ sum >> 32));
}

static void
test_threads (void)
{
  g_autofree gint64 *sizes = random_sizes (30);
  Corpus corpus = corpus_new (sizes, 30);
  g_autoptr (FenPacker) packer = packer_of_all (&corpus, 8, TRUE, TRUE, FALSE);
  GThread *threads[4];
  gpointer expected = fill_many (packer);
  for (guint i = 0; i < 4; i++)
    threads[i] = g_thread_new ("fill", fill_many, packer);
  for (guint i = 0; i < 4; i++)
    g_assert_true (g_thread_join (threads[i]) == expected);
  corpus_clear (&corpus);
}

/* ---- split ---- */

/* Marks the tokens of a part; returns how many. */
static gint64
mark (const FenPart *part, guint8 *seen)
{
  gint64 n = 0, previous = -1;
  for (gint64 j = 0; j < part->n_documents; j++)
    {
      gint64 begin, end;
      fen_part_range (part, j, &begin, &end);
      g_assert_cmpint (begin, <, end);
      g_assert_cmpint (begin, >, previous);
      previous = begin;
      for (gint64 i = begin; i < end; i++, n++)
        {
          g_assert_false (seen[i]);
          seen[i] = 1;
        }
    }
  g_assert_cmpint (n, ==, part->n_tokens);
  return n;
}

/* Together the parts are the corpus, no token is in both, the share is about right, and at most one document is cut. */
static void
check_split (const guint64 *ends, guint n, double share)
{
  FenPart train, eval;
  gint64 n_tokens = (gint64)ends[n - 1];
  g_autofree guint8 *seen = g_malloc0 ((gsize)n_tokens);
  fen_part_split (ends, n, share, &train, &eval);
  gint64 held = mark (&eval, seen), target = (gint64)(share * (double)n_tokens + 0.5);
  g_assert_cmpint (mark (&train, seen) + held, ==, n_tokens);
  g_assert_cmpint (train.n_documents, >=, 1);
  if (share * (double)n_tokens >= 3 && (1 - share) * (double)n_tokens >= 1) /* otherwise there is no split */
    {
      g_assert_cmpint (held, >=, target / 2 - 1);
      g_assert_cmpint (held, <=, target + target / 10 + 2); /* the target is rounded up */
    }
  g_assert_cmpint (train.n_documents + eval.n_documents, ==, train.cut_document >= 0 ? n + 1 : n);
  g_assert_cmpint (train.cut_document, ==, eval.n_documents > 0 ? eval.cut_document : -1);
  fen_part_clear (&train);
  fen_part_clear (&eval);
}

static void
test_split (void)
{
  static const double shares[] = { 0, 0.001, 0.05, 0.1, 0.25, 0.5, 0.9, 0.999 };
  for (guint n = 1; n < 200; n += 1 + n / 3)
    for (guint s = 0; s < G_N_ELEMENTS (shares); s++)
      {
        g_autofree gint64 *sizes = random_sizes (n);
        g_autofree guint64 *ends = g_new (guint64, n);
        for (guint d = 0; d < n; d++)
          ends[d] = (d > 0 ? ends[d - 1] : 0) + (guint64)sizes[d];
        check_split (ends, n, shares[s]);
      }
  /* one giant among small ones; two equal ones; two of two tokens */
  static const guint64 giant[] = { 10, 10010, 10020, 10030 }, equal[] = { 1000, 2000 }, tiny[] = { 2, 4 };
  for (guint s = 0; s < G_N_ELEMENTS (shares); s++)
    {
      check_split (giant, 4, shares[s]);
      check_split (equal, 2, shares[s]);
      check_split (tiny, 2, shares[s]);
    }
}

/* A single text: nanoGPT's data[:int(n * 0.9)] and data[int(n * 0.9):]. */
static void
test_split_of_one (void)
{
  static const guint64 ends[] = { 1115394 };
  FenPart train, eval;
  gint64 begin, end;
  fen_part_split (ends, 1, 0.1, &train, &eval);
  fen_part_range (&train, 0, &begin, &end);
  g_assert_cmpint (begin, ==, 0);
  g_assert_cmpint (end, ==, 1003854);
  g_assert_true (train.cut_is_open);
  fen_part_range (&eval, 0, &begin, &end);
  g_assert_cmpint (begin, ==, 1003854);
  g_assert_cmpint (end, ==, 1115394);
  g_assert_false (eval.cut_is_open);
  fen_part_clear (&train);
  fen_part_clear (&eval);
}

/* Many documents of a size: whole ones are held out, and not the same number at each end of the corpus. */
static void
test_split_is_by_document (void)
{
  guint64 ends[1000];
  FenPart train, eval;
  for (guint d = 0; d < 1000; d++)
    ends[d] = 50 * (d + 1);
  fen_part_split (ends, 1000, 0.1, &train, &eval);
  g_assert_cmpint (eval.cut_document, ==, -1);
  g_assert_cmpint (eval.n_documents, >=, 99);
  g_assert_cmpint (eval.n_documents, <=, 110);
  guint first_half = 0;
  for (gint64 j = 0; j < eval.n_documents; j++)
    first_half += eval.documents[j] < 500 ? 1 : 0;
  g_assert_cmpuint (first_half, >, 20);
  g_assert_cmpuint (first_half, <, 80);
  fen_part_clear (&train);
  fen_part_clear (&eval);
}

/* No target of the train rows comes from the held-out part, whatever stands behind the cut. */
static void
test_cut_is_no_leak (void)
{
  static const gint64 sizes[] = { 100, 40 };
  Corpus corpus = corpus_new (sizes, 2);
  for (guint mask = 0; mask < 2; mask++)
    {
      FenPart train, eval;
      FenPackerOptions options = { 7, 1, TRUE, mask != 0, FALSE };
      fen_part_split (fen_token_cache_ends (corpus.cache), 2, 0.1, &train, &eval);
      g_assert_cmpint (train.cut_end, ==, 86);
      g_autoptr (FenPacker) packer = fen_packer_new (corpus.cache, &train, &options);
      gint64 rows = fen_packer_rows (packer);
      Filled filled = fill (packer, 7, 0, 20 * rows);
      for (gint64 i = 0; i < 20 * rows * 7; i++)
        {
          g_assert_true (filled.rows.tokens[i] < 86 || filled.rows.tokens[i] >= 100);
          g_assert_true (filled.rows.targets[i] < 86 || filled.rows.targets[i] >= 100);
          if (filled.rows.tokens[i] == 85)
            g_assert_cmpint (filled.rows.targets[i], ==, -1);
        }
      g_free (filled.data);
      fen_part_clear (&eval);
    }
  corpus_clear (&corpus);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/packer/permutation", test_permutation);
  g_test_add_func ("/packer/permutation_is_fair", test_permutation_is_fair);
  g_test_add_func ("/packer/epochs", test_epochs);
  g_test_add_func ("/packer/sequential", test_sequential);
  g_test_add_func ("/packer/masked_row", test_masked_row);
  g_test_add_func ("/packer/padding", test_padding);
  g_test_add_func ("/packer/purity", test_purity);
  g_test_add_func ("/packer/epochs_differ", test_epochs_differ);
  g_test_add_func ("/packer/threads", test_threads);
  g_test_add_func ("/packer/split", test_split);
  g_test_add_func ("/packer/split_of_one", test_split_of_one);
  g_test_add_func ("/packer/split_is_by_document", test_split_is_by_document);
  g_test_add_func ("/packer/cut_is_no_leak", test_cut_is_no_leak);
  return g_test_run ();
}
