/* fen-token-cache.c: reading a token cache (see fen-token-cache.h for the file).
 *
 * The file may be anything by the time it is opened: each number is checked against the file's size before it is used,
 * with arithmetic that cannot overflow, and each token against the largest id before it reaches an embedding.
 */
#include "core/corpus/fen-token-cache-private.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/corpus/fen-corpus-error.h"

struct _FenTokenCache {
  char *path;
  GMappedFile *file;
  const guint8 *tokens;
  const guint64 *ends;
  const guint64 *checksums;
  guint64 token_area; /* bytes, padding included */
  guint64 n_blocks;
  guint token_bytes;
  atomic_uchar *checked; /* (n_blocks) */
  FenTokenCacheStats stats;
};

static gboolean
damaged (const char *path, const char *what, GError **error)
{
  g_autofree char *name = g_filename_display_name (path);
  g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_CACHE, "%s: damaged token cache: %s", name, what);
  return FALSE;
}

/* Sets the areas from header and footer; everything must add up to the file's size exactly. */
static gboolean
locate (FenTokenCache *cache, const FenTokenCacheHeader *header, const FenTokenCacheFooter *footer,
        gsize size, GError **error)
{
  guint64 room = size - sizeof *header - sizeof *footer;
  guint64 n_tokens = footer->tokens, n_documents = footer->documents;
  cache->token_bytes = header->token_bytes;
  if ((cache->token_bytes != 2 && cache->token_bytes != 4)
      || header->block_bytes != FEN_TOKEN_CACHE_BLOCK_BYTES)
    return damaged (cache->path, "unknown layout", error);
  if (n_tokens == 0 || n_documents == 0 || n_documents > n_tokens || n_tokens > room / cache->token_bytes)
    return damaged (cache->path, "its counts do not fit its size", error);
  cache->token_area = (n_tokens * cache->token_bytes + 7) / 8 * 8;
  cache->n_blocks = (cache->token_area + FEN_TOKEN_CACHE_BLOCK_BYTES - 1) / FEN_TOKEN_CACHE_BLOCK_BYTES;
  /* room < 2^63, so the three areas cannot overflow: each is compared with what is left of it */
  if (cache->token_area > room || n_documents > (room - cache->token_area) / 8
      || room - cache->token_area - n_documents * 8 != cache->n_blocks * 8)
    return damaged (cache->path, "its counts do not fit its size", error);
  cache->tokens = (const guint8 *)(header + 1);
  cache->ends = (const guint64 *)(const void *)(cache->tokens + cache->token_area);
  cache->checksums = cache->ends + n_documents;
  return TRUE;
}

static gboolean
check_header (FenTokenCache *cache, const FenTokenCacheHeader *header, const char *key, GError **error)
{
  if (memcmp (header->magic, FEN_TOKEN_CACHE_MAGIC, sizeof header->magic) != 0)
    return damaged (cache->path, "not a token cache", error);
  if (header->version != FEN_TOKEN_CACHE_VERSION || header->byte_order != FEN_TOKEN_CACHE_BYTE_ORDER)
    return damaged (cache->path, "of another version or machine", error);
  if (memcmp (header->key, key, sizeof header->key) != 0)
    return damaged (cache->path, "made for another text or tokenizer", error);
  return TRUE;
}

static gboolean
check_ends (FenTokenCache *cache, const FenTokenCacheFooter *footer, GError **error)
{
  guint64 previous = 0, longest = 0;
  for (guint64 d = 0; d < footer->documents; d++)
    {
      if (cache->ends[d] <= previous)
        return damaged (cache->path, "documents out of order", error);
      longest = MAX (longest, cache->ends[d] - previous);
      previous = cache->ends[d];
    }
  if (previous != footer->tokens || longest != footer->longest_document
      || footer->max_token_id >= (cache->token_bytes == 2 ? 1u << 16 : 1u << 31))
    return damaged (cache->path, "its counts contradict its documents", error);
  return TRUE;
}

static guint64
hash_tables (const FenTokenCache *cache, const FenTokenCacheHeader *header, const FenTokenCacheFooter *footer)
{
  XXH3_state_t *state = XXH3_createState ();
  XXH3_64bits_reset (state);
  XXH3_64bits_update (state, header, sizeof *header);
  XXH3_64bits_update (state, cache->ends, footer->documents * 8);
  XXH3_64bits_update (state, cache->checksums, cache->n_blocks * 8);
  XXH3_64bits_update (state, footer, G_STRUCT_OFFSET (FenTokenCacheFooter, hash));
  guint64 hash = XXH3_64bits_digest (state);
  XXH3_freeState (state);
  return hash;
}

static gboolean
parse (FenTokenCache *cache, const char *key, GError **error)
{
  gsize size = g_mapped_file_get_length (cache->file);
  const char *start = g_mapped_file_get_contents (cache->file);
  if (size < sizeof (FenTokenCacheHeader) + sizeof (FenTokenCacheFooter) || size % 8 != 0)
    return damaged (cache->path, "truncated", error);
  const FenTokenCacheHeader *header = (const void *)start;
  const FenTokenCacheFooter *footer = (const void *)(start + size - sizeof *footer);
  if (!check_header (cache, header, key, error))
    return FALSE;
  if (memcmp (footer->magic, FEN_TOKEN_CACHE_MAGIC, sizeof footer->magic) != 0)
    return damaged (cache->path, "truncated", error);
  if (!locate (cache, header, footer, size, error))
    return FALSE;
  if (hash_tables (cache, header, footer) != footer->hash)
    return damaged (cache->path, "its checksum is wrong", error);
  if (!check_ends (cache, footer, error))
    return FALSE;
  cache->stats = (FenTokenCacheStats){
    .tokens = (gint64)footer->tokens,
    .documents = (gint64)footer->documents,
    .text_bytes = (gint64)footer->text_bytes,
    .longest_document = (gint64)footer->longest_document,
    .max_token_id = (gint64)footer->max_token_id,
  };
  cache->checked = g_new0 (atomic_uchar, cache->n_blocks);
  return TRUE;
}

/* Lets the pages of the tokens' bytes [begin, end) go, whole blocks of them. Mapped pages count as the process's
 * memory, and a shuffled run comes by every block: without this, the whole corpus would stand beside the model. They
 * stay in the system's page cache as long as there is room; a thread that reads one meanwhile gets it from there. */
static void
release (const FenTokenCache *cache, guint64 begin, guint64 end)
{
  guintptr page = (guintptr)sysconf (_SC_PAGESIZE);
  begin -= begin % FEN_TOKEN_CACHE_BLOCK_BYTES;
  end = MIN ((end / FEN_TOKEN_CACHE_BLOCK_BYTES + 1) * FEN_TOKEN_CACHE_BLOCK_BYTES, cache->token_area);
  guintptr from = ((guintptr)cache->tokens + begin) & ~(page - 1);
  guintptr to = ((guintptr)cache->tokens + end) & ~(page - 1);
  if (to > from)
    madvise ((void *)from, to - from, MADV_DONTNEED);
}

/* Two threads may check the same block at once: both find the same. */
static gboolean
check_block (FenTokenCache *cache, guint64 block, GError **error)
{
  guint64 start = block * FEN_TOKEN_CACHE_BLOCK_BYTES;
  guint64 bytes = MIN (cache->token_area - start, FEN_TOKEN_CACHE_BLOCK_BYTES);
  if (atomic_load_explicit (&cache->checked[block], memory_order_relaxed))
    return TRUE;
  if (XXH3_64bits (cache->tokens + start, bytes) != cache->checksums[block])
    return damaged (cache->path, "the checksum of its tokens is wrong", error);
  atomic_store_explicit (&cache->checked[block], 1, memory_order_relaxed);
  return TRUE;
}

static gboolean
check_tokens (FenTokenCache *cache, guint64 eager_bytes, FenTokenCacheProgress progress, gpointer user_data,
              GCancellable *cancellable, GError **error)
{
  if (cache->token_area > eager_bytes)
    return TRUE;
  for (guint64 block = 0; block < cache->n_blocks; block++)
    {
      if (g_cancellable_set_error_if_cancelled (cancellable, error) || !check_block (cache, block, error))
        return FALSE;
      release (cache, block * FEN_TOKEN_CACHE_BLOCK_BYTES, (block + 1) * FEN_TOKEN_CACHE_BLOCK_BYTES - 1);
      if (progress != NULL)
        progress (MIN ((block + 1) * FEN_TOKEN_CACHE_BLOCK_BYTES, cache->token_area), cache->token_area,
                  user_data);
    }
  return TRUE;
}

FenTokenCache *
fen_token_cache_open (const char *path, const char *key, guint64 eager_bytes, FenTokenCacheProgress progress,
                      gpointer user_data, GCancellable *cancellable, GError **error)
{
  g_autoptr (FenTokenCache) cache = g_new0 (FenTokenCache, 1);
  g_autoptr (GError) local = NULL;
  cache->path = g_strdup (path);
  cache->file = g_mapped_file_new (path, FALSE, &local);
  if (cache->file == NULL)
    {
      gboolean missing = g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT)
                         || g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOTDIR);
      g_set_error_literal (error, FEN_CORPUS_ERROR,
                           missing ? FEN_CORPUS_ERROR_NOT_FOUND : FEN_CORPUS_ERROR_CACHE, local->message);
      return NULL;
    }
  if (!parse (cache, key, error)
      || !check_tokens (cache, eager_bytes, progress, user_data, cancellable, error))
    return NULL;
  return g_steal_pointer (&cache);
}

void
fen_token_cache_free (FenTokenCache *cache)
{
  if (cache == NULL)
    return;
  g_clear_pointer (&cache->file, g_mapped_file_unref);
  g_free (cache->checked);
  g_free (cache->path);
  g_free (cache);
}

const FenTokenCacheStats *
fen_token_cache_stats (FenTokenCache *cache)
{
  return &cache->stats;
}

const guint64 *
fen_token_cache_ends (FenTokenCache *cache)
{
  return cache->ends;
}

/* Widens to int32; FALSE when an id is above the largest one. */
static gboolean
copy_tokens (const FenTokenCache *cache, guint64 first, gint64 n, gint32 *tokens)
{
  guint32 largest = 0;
  if (cache->token_bytes == 2)
    {
      const guint16 *from = (const guint16 *)(const void *)cache->tokens + first;
      for (gint64 i = 0; i < n; i++)
        {
          largest = MAX (largest, from[i]);
          tokens[i] = from[i];
        }
    }
  else
    {
      const guint32 *from = (const guint32 *)(const void *)cache->tokens + first;
      for (gint64 i = 0; i < n; i++)
        {
          largest = MAX (largest, from[i]);
          tokens[i] = (gint32)from[i];
        }
    }
  return largest <= (guint32)cache->stats.max_token_id;
}

gboolean
fen_token_cache_read (FenTokenCache *cache, gint64 first, gint64 n, gint32 *tokens, GError **error)
{
  g_return_val_if_fail (first >= 0 && n > 0 && first <= cache->stats.tokens - n, FALSE);
  guint64 begin = (guint64)first * cache->token_bytes, end = (guint64)(first + n) * cache->token_bytes;
  gboolean ok = TRUE;
  for (guint64 b = begin / FEN_TOKEN_CACHE_BLOCK_BYTES; ok && b * FEN_TOKEN_CACHE_BLOCK_BYTES < end; b++)
    ok = check_block (cache, b, error);
  if (ok && !copy_tokens (cache, (guint64)first, n, tokens))
    ok = damaged (cache->path, "a token above its largest id", error);
  release (cache, begin, end);
  if (!ok)
    {
      (void)unlink (cache->path);
      g_prefix_error (error,
                      "the data cannot be read on (the cache was removed; a new start makes another): ");
    }
  return ok;
}
