/* fen-tokenizer.c: the tokenizer object: made, asked, saved. */
#include <glib/gstdio.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/base/fen-error.h"
#include "core/base/fen-io.h"
#include "core/base/fen-json.h"
#include "core/corpus/fen-tokenizer-private.h"

/* Changes when the same tokenizer.json gives other ids than before: token caches must not outlive it. */
#define RULES "fenestra tokenizer rules 1\n"
#define MAX_BYTES_CONFIG (64u << 20) /* tokenizer_config.json repeats the added tokens */

static FenTokenizer *
tokenizer_new (const char *source)
{
  FenTokenizer *t = g_new0 (FenTokenizer, 1);
  g_atomic_ref_count_init (&t->refs);
  t->source = g_strdup (source);
  t->normal = g_ptr_array_new_with_free_func (fen_normal_step_free);
  t->splits = g_ptr_array_new_with_free_func (fen_split_node_free);
  t->decode.steps = g_ptr_array_new_with_free_func (fen_decode_step_free);
  t->before = g_array_new (FALSE, FALSE, sizeof (guint32));
  t->after = g_array_new (FALSE, FALSE, sizeof (guint32));
  fen_added_init (&t->added_raw);
  fen_added_init (&t->added_normal);
  t->bos = t->eos = t->end_of_document = -1;
  return t;
}

FenTokenizer *
fen_tokenizer_ref (FenTokenizer *tokenizer)
{
  g_atomic_ref_count_inc (&tokenizer->refs);
  return tokenizer;
}

void
fen_tokenizer_unref (FenTokenizer *t)
{
  if (t == NULL || !g_atomic_ref_count_dec (&t->refs))
    return;
  fen_bpe_clear (&t->bpe);
  fen_vocab_clear (&t->vocab);
  fen_vocab_clear (&t->extra);
  fen_added_clear (&t->added_raw);
  fen_added_clear (&t->added_normal);
  g_ptr_array_unref (t->normal);
  g_ptr_array_unref (t->splits);
  g_ptr_array_unref (t->decode.steps);
  g_array_unref (t->before);
  g_array_unref (t->after);
  if (t->decode.strip != NULL)
    fen_decode_step_free (t->decode.strip);
  g_clear_pointer (&t->spelt, g_hash_table_unref);
  g_clear_pointer (&t->json, g_bytes_unref);
  g_free (t->special);
  g_free (t->source);
  g_free (t);
}

/* ---- bos, eos, end of document ---- */

static gint64
first_known (FenTokenizer *t, const char *const *names)
{
  for (; *names != NULL; names++)
    if (fen_tokenizer_token_to_id (t, *names) >= 0)
      return fen_tokenizer_token_to_id (t, *names);
  return -1;
}

static void
guess_ends (FenTokenizer *t)
{
  static const char *const bos[] = { "<s>", "<|begin_of_text|>", "<|startoftext|>", "<bos>", NULL };
  static const char *const eos[]
      = { "</s>", "<|end_of_text|>", FEN_TOKENIZER_END_OF_TEXT, "<eos>", "<|im_end|>", NULL };
  t->bos = first_known (t, bos);
  t->eos = first_known (t, eos);
}

static void
finish (FenTokenizer *t)
{
  static const char *const ends[] = { FEN_TOKENIZER_END_OF_TEXT, "<|end_of_text|>", "</s>", "<eos>", NULL };
  gsize bytes;
  const void *json = g_bytes_get_data (t->json, &bytes);
  XXH3_state_t *state = XXH3_createState ();

  t->end_of_document = first_known (t, ends);
  if (t->end_of_document < 0)
    t->end_of_document = t->eos;
  XXH3_128bits_reset (state);
  XXH3_128bits_update (state, RULES, strlen (RULES));
  XXH3_128bits_update (state, &t->end_of_document, sizeof t->end_of_document);
  XXH3_128bits_update (state, json, bytes);
  const XXH128_hash_t hash = XXH3_128bits_digest (state);
  XXH3_freeState (state);
  g_snprintf (t->fingerprint, sizeof t->fingerprint, "%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x",
              (guint64)hash.high64, (guint64)hash.low64);
}

/* "bos_token": "<s>", or {"content": "<s>", ...}, or null: there is none. */
static gboolean
read_end (FenTokenizer *t, JsonObject *config, const char *path, const char *key, gint64 *id, GError **error)
{
  JsonNode *node = json_object_get_member (config, key);
  const char *name = NULL;

  if (node == NULL)
    return TRUE;
  *id = -1;
  if (JSON_NODE_HOLDS_NULL (node))
    return TRUE;
  if (JSON_NODE_HOLDS_OBJECT (node))
    {
      g_autofree char *where = g_strdup_printf ("%s: %s", path, key);
      if (!fen_json_get_string (json_node_get_object (node), where, "content", TRUE, &name, error))
        return FALSE;
    }
  else if (!fen_json_get_string (config, path, key, TRUE, &name, error))
    return FALSE;
  *id = fen_tokenizer_token_to_id (t, name);
  if (*id >= 0)
    return TRUE;
  g_autofree char *quoted = fen_error_quote (name);
  g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKENIZER,
               "%s: %s is %s, which tokenizer.json does not have", path, key, quoted);
  return FALSE;
}

static gboolean
read_config (FenTokenizer *t, const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *config_path = g_build_filename (folder, "tokenizer_config.json", NULL);

  if (!g_file_test (config_path, G_FILE_TEST_IS_REGULAR))
    return TRUE;
  g_autoptr (JsonNode) node = fen_json_load (config_path, MAX_BYTES_CONFIG, error);
  JsonObject *root = node == NULL ? NULL : fen_json_root_object (node, config_path, error);
  return root != NULL && read_end (t, root, config_path, "bos_token", &t->bos, error)
         && read_end (t, root, config_path, "eos_token", &t->eos, error);
}

/* ---- made ---- */

static FenTokenizer *
load_bytes (GBytes *json, const char *source, const char *path, GError **error)
{
  g_autoptr (FenTokenizer) t = tokenizer_new (source);
  gsize bytes;
  const char *text = g_bytes_get_data (json, &bytes);

  t->json = g_bytes_ref (json);
  if (!fen_tokenizer_parse (t, text != NULL ? text : "", bytes, error)) /* no bytes have no address */
    return NULL;
  guess_ends (t);
  if (path != NULL && !read_config (t, path, error))
    return NULL;
  finish (t);
  return g_steal_pointer (&t);
}

FenTokenizer *
fen_tokenizer_load_text (const char *json, gsize bytes, const char *source, GError **error)
{
  g_autoptr (GBytes) copy = g_bytes_new (json, bytes);
  return load_bytes (copy, source, NULL, error);
}

FenTokenizer *
fen_tokenizer_load (const char *path, GError **error)
{
  const gboolean folder = g_file_test (path, G_FILE_TEST_IS_DIR);
  g_autofree char *file = folder ? g_build_filename (path, "tokenizer.json", NULL) : g_strdup (path);
  g_autofree char *shown = g_filename_display_name (file);
  GStatBuf info;
  char *text = NULL;
  gsize bytes;

  if (g_stat (file, &info) != 0)
    {
      const int errnum = errno;
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_NOT_FOUND, "%s: cannot read the tokenizer: %s",
                   shown, g_strerror (errnum));
      return NULL;
    }
  if (!S_ISREG (info.st_mode) || (guint64)info.st_size > FEN_JSON_MAX_BYTES_TOKENIZER)
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKENIZER,
                   "%s: a tokenizer.json must be a regular file of at most %u MiB", shown,
                   FEN_JSON_MAX_BYTES_TOKENIZER >> 20);
      return NULL;
    }
  if (!g_file_get_contents (file, &text, &bytes, error))
    return NULL;
  g_autoptr (GBytes) json = g_bytes_new_take (text, bytes);
  return load_bytes (json, shown, file, error);
}

/* The byte tokenizer is a BPE without merges, so that it is saved, loaded and cached like any other. */
FenTokenizer *
fen_tokenizer_new_bytes (void)
{
  g_auto (FenVocab) vocab = { NULL };

  for (guint b = 0; b < 256; b++)
    {
      char spelling[8];
      const guint8 byte = (guint8)b;
      fen_vocab_add (&vocab, b, spelling, fen_bytes_spell (&byte, 1, spelling));
    }
  fen_vocab_add (&vocab, 256, FEN_TOKENIZER_END_OF_TEXT, strlen (FEN_TOKENIZER_END_OF_TEXT));
  g_autofree char *json = fen_tokenizer_write_byte_level (&vocab, 256, FALSE, NULL, 0);
  return fen_tokenizer_load_text (json, strlen (json), "bytes", NULL);
}

gboolean
fen_tokenizer_save (FenTokenizer *tokenizer, const char *path, GError **error)
{
  gsize bytes;
  const char *json = g_bytes_get_data (tokenizer->json, &bytes);
  return fen_io_write_file (path, json, bytes, error);
}

/* ---- asked ---- */

guint
fen_tokenizer_vocab_size (FenTokenizer *tokenizer)
{
  return tokenizer->vocab_size;
}

gint64
fen_tokenizer_token_to_id (FenTokenizer *tokenizer, const char *token)
{
  const gint64 id = fen_vocab_find (&tokenizer->extra, token, strlen (token));
  return id >= 0 ? id : fen_vocab_find (&tokenizer->vocab, token, strlen (token));
}

const char *
fen_tokenizer_id_to_token (FenTokenizer *tokenizer, guint32 id)
{
  const char *token = fen_vocab_get (&tokenizer->extra, id, NULL);
  return token != NULL ? token : fen_vocab_get (&tokenizer->vocab, id, NULL);
}

gboolean
fen_tokenizer_is_special (FenTokenizer *tokenizer, guint32 id)
{
  return id < tokenizer->vocab_size && tokenizer->special[id];
}

gint64
fen_tokenizer_bos_id (FenTokenizer *tokenizer)
{
  return tokenizer->bos;
}

gint64
fen_tokenizer_eos_id (FenTokenizer *tokenizer)
{
  return tokenizer->eos;
}

gint64
fen_tokenizer_end_of_document_id (FenTokenizer *tokenizer)
{
  return tokenizer->end_of_document;
}

const char *
fen_tokenizer_fingerprint (FenTokenizer *tokenizer)
{
  return tokenizer->fingerprint;
}
