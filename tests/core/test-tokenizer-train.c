/* Training a byte-level BPE: the merges that Hugging Face tokenizers learns from the same text, the same for any
 * number of threads and any cut of a long text, and clear errors. */
#include <gio/gio.h>
#include <string.h>

#include "core/corpus/fen-tokenizer.h"

typedef struct {
  const char *const *texts; /* NULL-terminated */
  guint calls;
} Texts;

static gboolean
give_texts (gpointer data, const char **text, gsize *bytes, GError **error)
{
  Texts *texts = data;
  *text = *texts->texts;
  *bytes = *text == NULL ? 0 : strlen (*text);
  texts->texts += *text != NULL;
  texts->calls++;
  return TRUE;
}

static FenTokenizer *
train (const char *const *list, gsize vocab_size, guint n_threads, GError **error)
{
  Texts texts = { .texts = list };
  return fen_tokenizer_train_bpe (give_texts, &texts, vocab_size, n_threads, NULL, NULL, NULL, error);
}

/* The tokens after the bytes in the order in which Hugging Face's BpeTrainer (0.23.3; min_frequency 2, alphabet of
 * bytes) made them. */
static void
test_merges (void)
{
  static const char *const text[]
      = { "low lower lowest newer newest widest wide aaaa aaaaaa baaab 2026 2025's 'aaa'", NULL };
  static const char *const wanted[]
      = { "aa",   "we",   "lo",  "st",    "aaaa", "02",    "202",   "de",  "ewe",  "ide",
          "newe", "wide", "Ġlo", "Ġaaaa", "Ġ202", "Ġnewe", "Ġwide", "aaa", "Ġlowe" };
  g_autoptr (GError) error = NULL;
  g_autoptr (FenTokenizer) tokenizer = train (text, 400, 1, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (fen_tokenizer_vocab_size (tokenizer), ==, 257 + G_N_ELEMENTS (wanted));
  for (guint i = 0; i < G_N_ELEMENTS (wanted); i++)
    g_assert_cmpstr (fen_tokenizer_id_to_token (tokenizer, 257 + i), ==, wanted[i]);
  g_assert_cmpint (fen_tokenizer_end_of_document_id (tokenizer), ==, 0);
  g_assert_cmpstr (fen_tokenizer_id_to_token (tokenizer, 0), ==, "<|endoftext|>");
}

/* More than two blocks of text, so that long documents are cut and several threads have work. */
static char *
long_text (void)
{
  GString *text = g_string_new (NULL);
  guint32 state = 1;
  while (text->len < (5u << 20) / 2)
    {
      state = state * 1664525 + 1013904223;
      g_string_append_printf (text, "%s%x%s", (state >> 28) % 5 == 0 ? "\n" : " ", (state >> 20) & 0x3ff,
                              (state >> 9) % 7 == 0 ? ", don't;  \t" : "");
    }
  return g_string_free (text, FALSE);
}

static void
test_threads (void)
{
  g_autofree char *text = long_text ();
  g_autoptr (GPtrArray) lines = g_ptr_array_new ();
  const char *const whole[] = { text, NULL };
  g_autoptr (GError) error = NULL;

  g_autoptr (FenTokenizer) one = train (whole, 600, 1, &error);
  g_assert_no_error (error);
  g_autoptr (FenTokenizer) three = train (whole, 600, 3, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (fen_tokenizer_vocab_size (one), ==, 600);
  g_assert_cmpstr (fen_tokenizer_fingerprint (one), ==, fen_tokenizer_fingerprint (three));

  /* Documents that end where words end anyway hold the same words. */
  g_auto (GStrv) parts = g_strsplit (text, " don't", -1);
  for (guint i = 0; parts[i] != NULL; i++)
    {
      if (i > 0)
        g_ptr_array_add (lines, (gpointer) " don't");
      g_ptr_array_add (lines, parts[i]);
    }
  g_ptr_array_add (lines, NULL);
  g_autoptr (FenTokenizer) cut = train ((const char *const *)lines->pdata, 600, 2, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (fen_tokenizer_fingerprint (one), ==, fen_tokenizer_fingerprint (cut));
}

static void
test_round_trip (void)
{
  g_autofree char *text = long_text ();
  const char *const whole[] = { text, NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (FenTokenizer) tokenizer = train (whole, 1000, 2, &error);
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_autoptr (GString) back = g_string_new (NULL);

  g_assert_true (fen_tokenizer_encode (tokenizer, text, strlen (text), FALSE, ids, &error));
  g_assert_cmpuint (ids->len, <, strlen (text) / 3 * 2);
  g_assert_true (fen_tokenizer_decode (tokenizer, (const guint32 *)ids->data, ids->len, FALSE, back, &error));
  g_assert_cmpstr (back->str, ==, text);
}

/* <|endoftext|> in the text is a token, not a word to learn. */
static void
test_special (void)
{
  static const char *const with[] = { "ab ab<|endoftext|>ab ab cd<|endoftext|>", NULL };
  static const char *const without[] = { "ab ab", "ab ab cd", NULL };
  g_autoptr (FenTokenizer) a = train (with, 300, 1, NULL), b = train (without, 300, 1, NULL);
  g_assert_cmpstr (fen_tokenizer_fingerprint (a), ==, fen_tokenizer_fingerprint (b));
}

static gboolean
fail_source (gpointer data, const char **text, gsize *bytes, GError **error)
{
  if ((*(int *)data)++ == 0)
    {
      *text = "some text";
      *bytes = 9;
      return TRUE;
    }
  g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_LINE, "line 7");
  return FALSE;
}

static void
test_errors (void)
{
  static const char *const none[] = { NULL }, *const empty[] = { "", NULL },
                           *const bad[] = { "ok", "a\xff", NULL }, *const good[] = { "abc", NULL };
  static const struct {
    const char *const *texts;
    gsize vocab_size;
    FenCorpusError code;
  } cases[] = { { none, 300, FEN_CORPUS_ERROR_EMPTY },
                { empty, 300, FEN_CORPUS_ERROR_EMPTY },
                { bad, 300, FEN_CORPUS_ERROR_INVALID_UTF8 },
                { good, 256, FEN_CORPUS_ERROR_OPTION },
                { good, FEN_TOKENIZER_MAX_VOCAB + 1, FEN_CORPUS_ERROR_OPTION } };
  int calls = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (train (cases[i].texts, cases[i].vocab_size, 2, &error));
      g_assert_error (error, FEN_CORPUS_ERROR, (gint)cases[i].code);
      g_assert_null (strchr (error->message, '\n'));
    }
  g_autoptr (GError) error = NULL;
  g_assert_null (fen_tokenizer_train_bpe (fail_source, &calls, 300, 2, NULL, NULL, NULL, &error));
  g_assert_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_LINE);
}

static void
note_progress (double fraction, guint64 bytes, guint tokens, gpointer data)
{
  double *last = data;
  g_assert_true (fraction == -1 || (fraction > 0 && fraction <= 1));
  g_assert_cmpfloat (fraction, >=, *last);
  *last = fraction;
}

static void
test_progress_and_cancel (void)
{
  g_autofree char *text = long_text ();
  const char *const whole[] = { text, NULL };
  Texts texts = { .texts = whole };
  double last = -1;
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (FenTokenizer) tokenizer
      = fen_tokenizer_train_bpe (give_texts, &texts, 600, 2, cancellable, note_progress, &last, &error);

  g_assert_no_error (error);
  g_assert_nonnull (tokenizer);
  g_assert_cmpfloat (last, ==, 1);
  g_cancellable_cancel (cancellable);
  texts.texts = whole;
  g_assert_null (fen_tokenizer_train_bpe (give_texts, &texts, 600, 2, cancellable, NULL, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tokenizer-train/merges", test_merges);
  g_test_add_func ("/tokenizer-train/threads", test_threads);
  g_test_add_func ("/tokenizer-train/round-trip", test_round_trip);
  g_test_add_func ("/tokenizer-train/special", test_special);
  g_test_add_func ("/tokenizer-train/errors", test_errors);
  g_test_add_func ("/tokenizer-train/progress-and-cancel", test_progress_and_cancel);
  return g_test_run ();
}
