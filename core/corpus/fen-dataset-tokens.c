/* fen-dataset-tokens.c: finds the token cache of a dataset, or makes it.
 *
 *   files --stat--> stamp --"<stamp>.source" or reading--> content hash --with the tokenizer--> "<key>.tokens"
 *
 * All of it is a cache: whatever is missing, damaged or cannot be written costs time, and a note, never the run.
 */
#include "core/corpus/fen-dataset-private.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fen-io.h"

#define RULES_VERSION "1" /* of what this room adds to a tokenizer's ids: beginnings and ends of documents */
#define PROGRESS_INTERVAL_US 100000
#define RECALL_HASH_BYTES (64u << 20) /* read within a moment */
#define STALE_SECONDS (24 * 60 * 60)

typedef struct {
  const FenDatasetOptions *options;
  FenDatasetTokens *tokens;
  GPtrArray *notes;
  GCancellable *cancellable;
  const FenSource *source;
  const char *text_field;
  char *folder;
  char key[33];
  FenDatasetPhase phase;
  gint64 last_report_us;
} Search;

static void
add_note (Search *search, const char *problem, const char *consequence)
{
  if (search->notes != NULL)
    g_ptr_array_add (search->notes, g_strdup_printf ("%s; %s", problem, consequence));
}

/* The user hears of it a few times a second and at the end of a phase. */
static void
report (guint64 done_bytes, guint64 total_bytes, gpointer user_data)
{
  Search *search = user_data;
  gint64 now = g_get_monotonic_time ();
  if (search->options->progress == NULL
      || (done_bytes < total_bytes && now - search->last_report_us < PROGRESS_INTERVAL_US))
    return;
  search->last_report_us = now;
  search->options->progress (search->phase, done_bytes, total_bytes, search->options->progress_data);
}

static char *
file_in_folder (const char *folder, const char *name, const char *suffix)
{
  g_autofree char *file = g_strconcat (name, suffix, NULL);
  return g_build_filename (folder, file, NULL);
}

static gboolean
is_hash (const char *text, gsize bytes)
{
  gboolean ok = bytes == 32;
  for (gsize i = 0; ok && i < 32; i++)
    ok = g_ascii_isxdigit (text[i]);
  return ok;
}

/* ---- content hash ---- */

/* What an earlier run found for files that look exactly like these. */
static gboolean
recall_hash (Search *search, const char *stamp)
{
  g_autofree char *path = file_in_folder (search->folder, stamp, ".source");
  g_autofree char *text = NULL;
  gsize bytes = 0;
  GStatBuf info;
  if (g_stat (path, &info) != 0 || info.st_size != 32 || !g_file_get_contents (path, &text, &bytes, NULL)
      || !is_hash (text, bytes))
    return FALSE;
  memcpy (search->tokens->content_hash, text, 33);
  return TRUE;
}

static gboolean
find_hash (Search *search, GError **error)
{
  char stamp[33];
  gboolean settled = fen_source_stamp (search->source, search->text_field, stamp);
  if (settled && recall_hash (search, stamp))
    return TRUE;
  search->phase = FEN_DATASET_HASHING;
  if (!fen_source_hash (search->source, search->text_field, search->tokens->content_hash, report, search,
                        search->cancellable, error))
    return FALSE;
  g_autofree char *path = file_in_folder (search->folder, stamp, ".source");
  if (settled && fen_io_make_folder (search->folder, NULL))
    (void)fen_io_write_file (path, search->tokens->content_hash, 32,
                             NULL); /* without it, the next run reads again */
  return TRUE;
}

/* Everything that decides the tokens. */
static void
make_key (Search *search)
{
  g_autofree char *all
      = g_strdup_printf ("%s %s %s %" G_GINT64_FORMAT, RULES_VERSION, search->tokens->content_hash,
                         fen_tokenizer_fingerprint (search->options->tokenizer),
                         fen_tokenizer_end_of_document_id (search->options->tokenizer));
  XXH128_hash_t hash = XXH3_128bits (all, strlen (all));
  g_snprintf (search->key, sizeof search->key, "%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x",
              (guint64)hash.high64, (guint64)hash.low64);
}

/* ---- making a cache ---- */

/* What a killed process left behind. Other processes may be writing right now: only old files go. */
static void
remove_stale (const char *folder)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  for (const char *name = dir != NULL ? g_dir_read_name (dir) : NULL; name != NULL;
       name = g_dir_read_name (dir))
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      GStatBuf info;
      if (name[0] == '.' && strstr (name, ".tokens.") != NULL && g_str_has_suffix (name, ".tmp")
          && g_lstat (path, &info) == 0 && S_ISREG (info.st_mode) && now - info.st_mtime > STALE_SECONDS)
        (void)g_unlink (path);
    }
  if (dir != NULL)
    g_dir_close (dir);
}

/* A writer in the cache folder, or with a note in a temporary place. *path is where the file will be. */
static FenTokenCacheWriter *
new_writer (Search *search, char **path, gboolean *temporary, GError **error)
{
  g_autoptr (GError) local = NULL;
  guint vocab_size = fen_tokenizer_vocab_size (search->options->tokenizer);
  FenTokenCacheWriter *writer = NULL;
  *temporary = FALSE;
  *path = file_in_folder (search->folder, search->key, ".tokens");
  if (fen_io_make_folder (search->folder, &local))
    {
      remove_stale (search->folder);
      writer = fen_token_cache_writer_new (*path, search->key, vocab_size, &local);
    }
  if (writer != NULL)
    return writer;
  add_note (search, local->message,
            "the tokens go into a temporary file and are made again at the next start");
  *temporary = TRUE;
  g_free (*path);
  g_autofree char *uuid = g_uuid_string_random ();
  g_autofree char *name = g_strconcat ("fenestra-", uuid, NULL);
  *path = file_in_folder (g_get_tmp_dir (), name, ".tokens");
  return fen_token_cache_writer_new (*path, search->key, vocab_size, error);
}

static gboolean
write_tokens (Search *search, FenTokenCacheWriter *writer, GError **error)
{
  g_autoptr (FenReader) reader = fen_reader_new_for_source (search->source, search->text_field);
  g_autofree char *name = fen_source_display (search->options->path);
  guint threads = search->options->threads;
  FenTokenizeJob job = {
    .reader = reader,
    .tokenizer = search->options->tokenizer,
    .writer = writer,
    .threads = threads > 0 ? threads : g_get_num_processors (),
    .progress = report,
    .progress_data = search,
    .cancellable = search->cancellable,
  };
  char hash[33];
  search->phase = FEN_DATASET_TOKENIZING;
  if (!fen_dataset_tokenize (&job, error))
    return FALSE;
  fen_reader_content_hash (reader, hash);
  if (strcmp (hash, search->tokens->content_hash) != 0)
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_CACHE,
                   "%s: changed while it was read; start again when nothing writes to it", name);
      return FALSE;
    }
  if (fen_token_cache_writer_tokens (writer) == 0)
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_EMPTY, "%s: no text in it", name);
      return FALSE;
    }
  return fen_token_cache_writer_commit (writer, error);
}

static gboolean
open_cache (Search *search, const char *path, GError **error)
{
  search->phase = FEN_DATASET_CHECKING;
  search->tokens->cache = fen_token_cache_open (path, search->key, FEN_TOKEN_CACHE_EAGER_BYTES, report,
                                                search, search->cancellable, error);
  return search->tokens->cache != NULL;
}

static gboolean
make_cache (Search *search, GError **error)
{
  g_autofree char *path = NULL;
  gboolean temporary;
  g_autoptr (FenTokenCacheWriter) writer = new_writer (search, &path, &temporary, error);
  if (writer == NULL || !write_tokens (search, writer, error))
    return FALSE;
  gboolean ok = open_cache (search, path, error);
  if (temporary)
    (void)g_unlink (path); /* mapped, so it lives as long as the dataset */
  else
    search->tokens->cache_path = g_steal_pointer (&path);
  return ok;
}

/* An existing cache, when it is whole. FALSE with an error when cancelled, otherwise without. */
static gboolean
find_cache (Search *search, GError **error)
{
  g_autofree char *path = file_in_folder (search->folder, search->key, ".tokens");
  g_autoptr (GError) local = NULL;
  if (open_cache (search, path, &local))
    {
      search->tokens->cache_path = g_steal_pointer (&path);
      search->tokens->from_cache = TRUE;
      return TRUE;
    }
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_propagate_error (error, g_steal_pointer (&local));
  else if (!g_error_matches (local, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_NOT_FOUND))
    add_note (search, local->message, "it is made again");
  return FALSE;
}

static char *
get_folder (const char *folder)
{
  return folder != NULL ? g_strdup (folder)
                        : g_build_filename (g_get_user_cache_dir (), "fenestra", "tokens", NULL);
}

gboolean
fen_dataset_recall (const FenSource *source, const char *text_field, FenTokenizer *tokenizer,
                    const char *cache_folder, FenTokenCacheStats *stats, GCancellable *cancellable)
{
  const FenDatasetOptions options = { .tokenizer = tokenizer };
  FenDatasetTokens tokens = { 0 };
  g_autofree char *folder = get_folder (cache_folder);
  Search search
      = { .options = &options, .tokens = &tokens, .source = source, .text_field = text_field, .folder = folder };
  char stamp[33];
  gboolean known = fen_source_stamp (source, text_field, stamp) && recall_hash (&search, stamp);
  if (!known && source->bytes <= RECALL_HASH_BYTES)
    known = fen_source_hash (source, text_field, tokens.content_hash, NULL, NULL, cancellable, NULL);
  if (!known)
    return FALSE;
  make_key (&search);
  g_autofree char *path = file_in_folder (folder, search.key, ".tokens");
  g_autoptr (FenTokenCache) cache = fen_token_cache_open (path, search.key, 0, NULL, NULL, NULL, NULL);
  if (cache != NULL)
    *stats = *fen_token_cache_stats (cache);
  return cache != NULL;
}

gboolean
fen_dataset_get_tokens (const FenDatasetOptions *options, FenDatasetTokens *tokens, GPtrArray *notes,
                        GCancellable *cancellable, GError **error)
{
  Search search = { .options = options, .tokens = tokens, .notes = notes, .cancellable = cancellable };
  g_autoptr (GError) local = NULL;
  g_autoptr (FenSource) source = fen_source_new (options->path, notes, cancellable, error);
  if (source == NULL)
    return FALSE;
  g_autofree char *folder = get_folder (options->cache_folder);
  search.source = source;
  search.folder = folder;
  search.text_field
      = options->text_field != NULL && *options->text_field != '\0' ? options->text_field : "text";
  if (!find_hash (&search, error))
    return FALSE;
  make_key (&search);
  if (find_cache (&search, &local))
    return TRUE;
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  return make_cache (&search, error);
}
