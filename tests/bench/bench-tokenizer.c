/* bench-tokenizer: megabytes (10^6 bytes) a second of one thread.
 *
 *   bench-tokenizer [TEXT [VOCAB]]
 *
 * Trains a byte-level BPE (4,096 tokens unless told) on TEXT, without one on the sample that comes with the program,
 * and encodes
 *   cold      the text once with a new encoder (the best of five): every word is new to the word cache once
 *   repeated  the text again and again, 32 MB in all: nearly every word is in the cache
 *   no words  random letters, cut into words of 12 to 20: no word is in the cache
 *   in parts  as repeated, through fen_encoder_feed in parts of 256 KiB
 * and decodes the ids. */
#include <stdio.h>
#include <string.h>

#include "core/base/fen-paths.h"
#include "core/base/fen-random.h"
#include "core/corpus/fen-tokenizer.h"

#define REPEATED_BYTES 32000000

typedef struct {
  const char *text;
  gsize bytes;
} Source;

static gboolean
give_once (gpointer data, const char **text, gsize *bytes, GError **error)
{
  Source *source = data;
  *text = source->text;
  *bytes = source->bytes;
  source->text = NULL;
  return TRUE;
}

static void
report (const char *name, gsize bytes, gint64 start)
{
  const double seconds = (double)(g_get_monotonic_time () - start) / 1e6;
  printf ("%-10s %8.2f MB/s  (%.1f MB in %.3f s)\n", name, (double)bytes / 1e6 / seconds, (double)bytes / 1e6,
          seconds);
}

static void
encode_once (FenEncoder *encoder, const char *text, gsize bytes, GArray *ids)
{
  g_autoptr (GError) error = NULL;
  g_array_set_size (ids, 0);
  if (!fen_encoder_encode (encoder, text, bytes, FALSE, ids, &error))
    g_error ("%s", error->message);
}

static void
bench_cold (FenTokenizer *tokenizer, const char *text, gsize bytes, GArray *ids)
{
  double best = 0;
  for (int i = 0; i < 5; i++)
    {
      const gint64 start = g_get_monotonic_time ();
      g_autoptr (FenEncoder) encoder = fen_encoder_new (tokenizer);
      encode_once (encoder, text, bytes, ids);
      best = MAX (best, (double)bytes / (double)(g_get_monotonic_time () - start));
    }
  printf ("%-10s %8.2f MB/s  (%u tokens, %.3f bytes a token)\n", "cold", best, ids->len,
          (double)bytes / MAX (ids->len, 1));
}

static void
bench_repeated (FenTokenizer *tokenizer, const char *text, gsize bytes, GArray *ids)
{
  g_autoptr (FenEncoder) encoder = fen_encoder_new (tokenizer);
  const gint64 start = g_get_monotonic_time ();
  gsize done = 0;
  for (; done < REPEATED_BYTES; done += bytes)
    encode_once (encoder, text, bytes, ids);
  report ("repeated", done, start);
}

static void
bench_parts (FenTokenizer *tokenizer, const char *text, gsize bytes, GArray *ids)
{
  g_autoptr (FenEncoder) encoder = fen_encoder_new (tokenizer);
  const gsize part = 256 << 10;
  const gint64 start = g_get_monotonic_time ();
  gsize done = 0;

  fen_encoder_begin (encoder, FALSE);
  for (gsize at = 0; done < REPEATED_BYTES; at = at + part < bytes ? at + part : 0)
    {
      const gsize n = MIN (part, bytes - at);
      g_array_set_size (ids, 0);
      if (!fen_encoder_feed (encoder, text + at, n, ids, NULL))
        g_error ("feeding failed");
      done += n;
    }
  fen_encoder_end (encoder, ids, NULL);
  report ("in parts", done, start);
}

static void
bench_random (FenTokenizer *tokenizer, GArray *ids)
{
  g_autofree char *text = g_malloc (4000000);
  g_autoptr (FenEncoder) encoder = fen_encoder_new (tokenizer);
  FenRandom random;
  fen_random_init (&random, 1, 0);
  for (gsize i = 0, left = 0; i < 4000000; i++, left--)
    {
      if (left == 0)
        left = 12 + fen_random_below (&random, 9);
      text[i] = left == 1 ? ' ' : (char)('a' + fen_random_below (&random, 26));
    }
  const gint64 start = g_get_monotonic_time ();
  encode_once (encoder, text, 4000000, ids);
  report ("no words", 4000000, start);
}

static void
bench_decode (FenTokenizer *tokenizer, const char *text, gsize bytes, GArray *ids)
{
  g_autoptr (FenEncoder) encoder = fen_encoder_new (tokenizer);
  g_autoptr (GString) back = g_string_sized_new (bytes + 1);
  encode_once (encoder, text, bytes, ids);
  const gint64 start = g_get_monotonic_time ();
  fen_tokenizer_decode (tokenizer, (const guint32 *)ids->data, ids->len, FALSE, back, NULL);
  report ("decode", back->len, start);
  if (back->len != bytes || memcmp (back->str, text, bytes) != 0)
    g_error ("the decoded text is another one");
}

/* A file, or all the .txt of a folder. */
static char *
read_text (const char *path, gsize *bytes, GError **error)
{
  char *text = NULL;
  if (!g_file_test (path, G_FILE_TEST_IS_DIR))
    return g_file_get_contents (path, &text, bytes, error) ? text : NULL;

  g_autoptr (GDir) dir = g_dir_open (path, 0, error);
  GString *all = g_string_new (NULL);
  for (const char *name; dir != NULL && (name = g_dir_read_name (dir)) != NULL;)
    {
      g_autofree char *file = g_build_filename (path, name, NULL), *part = NULL;
      gsize n;
      if (g_str_has_suffix (name, ".txt") && g_file_get_contents (file, &part, &n, NULL))
        g_string_append_len (all, part, (gssize)n);
    }
  *bytes = all->len;
  return g_string_free (all, dir == NULL);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *sample = argc > 1 ? g_strdup (argv[1]) : fen_sample_path ();
  g_autofree char *text = NULL;
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (guint32));
  const gsize vocab_size = argc > 2 ? (gsize)g_ascii_strtoull (argv[2], NULL, 10) : 4096;
  gsize bytes = 0;

  if (sample != NULL)
    text = read_text (sample, &bytes, &error);
  if (text == NULL || bytes == 0)
    {
      g_printerr ("bench-tokenizer: %s\n",
                  error != NULL ? error->message : "no sample text; name a text file");
      return 2;
    }
  Source source = { text, bytes };
  gint64 start = g_get_monotonic_time ();
  g_autoptr (FenTokenizer) tokenizer
      = fen_tokenizer_train_bpe (give_once, &source, vocab_size, 0, NULL, NULL, NULL, &error);
  if (tokenizer == NULL)
    {
      g_printerr ("bench-tokenizer: %s\n", error->message);
      return 1;
    }
  printf ("%s, %u tokens\n", sample, fen_tokenizer_vocab_size (tokenizer));
  report ("train", bytes, start);
  bench_cold (tokenizer, text, bytes, ids);
  bench_repeated (tokenizer, text, bytes, ids);
  bench_parts (tokenizer, text, bytes, ids);
  bench_random (tokenizer, ids);
  bench_decode (tokenizer, text, bytes, ids);
  return 0;
}
