/* fen-token-cache.h: a corpus as token ids in one file, memory-mapped.
 *
 * The file, in the machine's byte order (a cache stays on its machine; another order is "damaged", so made again):
 *
 *   header     64 bytes: magic, version, byte order, bytes a token (2 or 4), block size, key
 *   tokens     u16 or u32 each, zeros up to a multiple of 8 bytes
 *   ends       u64 a document: where it ends, in tokens; rising, the last is the number of tokens
 *   checksums  u64 a block of FEN_TOKEN_CACHE_BLOCK_BYTES of tokens: XXH3-64
 *   footer     64 bytes: counts, largest id, XXH3-64 of everything but the tokens, magic
 *
 * Counts stand at the end because they are known last, and a file is written once, front to back, through fen-io: it is
 * whole or not there, and two processes that make the same cache at once both succeed.
 *
 * Everything but the tokens is checked when a cache is opened. The tokens are checked at once when they are few
 * (FEN_TOKEN_CACHE_EAGER_BYTES, for instance); otherwise, reading all of a large corpus only to start would cost minutes, and each
 * block is checked when it is first used.
 *
 * Threads: an open cache is constant; fen_token_cache_read may be called from any thread. A writer belongs to one.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define FEN_TOKEN_CACHE_BLOCK_BYTES (1u << 20)
#define FEN_TOKEN_CACHE_EAGER_BYTES ((guint64)1 << 30)

typedef struct _FenTokenCache FenTokenCache;
typedef struct _FenTokenCacheWriter FenTokenCacheWriter;

typedef struct {
  gint64 tokens, documents;
  gint64 text_bytes;       /* of the documents' text */
  gint64 longest_document; /* tokens */
  gint64 max_token_id;
} FenTokenCacheStats;

typedef void (*FenTokenCacheProgress) (guint64 done_bytes, guint64 total_bytes, gpointer user_data);

/* ---- reading ---- */

/* `key` (32 characters) is what the writer was given; up to `eager_bytes` of tokens are checked at once. FEN_CORPUS_ERROR_CACHE: damaged, truncated, of another version
 * or for another key; FEN_CORPUS_ERROR_NOT_FOUND: no such file. */
FenTokenCache *fen_token_cache_open (const char *path, const char *key, guint64 eager_bytes,
                                     FenTokenCacheProgress progress, gpointer user_data,
                                     GCancellable *cancellable, GError **error);
void fen_token_cache_free (FenTokenCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenTokenCache, fen_token_cache_free)

const FenTokenCacheStats *fen_token_cache_stats (FenTokenCache *cache);
/* (documents): document d is the tokens [ends[d - 1], ends[d]), none of them empty. Owned by the cache. */
const guint64 *fen_token_cache_ends (FenTokenCache *cache);
/* Copies tokens [first, first + n). FEN_CORPUS_ERROR_CACHE when a block is damaged, or holds an id above the largest
 * one: the file is then removed, so that the next open makes a new one. */
gboolean fen_token_cache_read (FenTokenCache *cache, gint64 first, gint64 n, gint32 *tokens, GError **error);

/* ---- writing ---- */

/* `vocab_size` decides between 2 and 4 bytes a token. */
FenTokenCacheWriter *fen_token_cache_writer_new (const char *path, const char *key, guint vocab_size,
                                                 GError **error);
/* Appends tokens of the current document; its text has `text_bytes` more bytes. */
gboolean fen_token_cache_writer_add (FenTokenCacheWriter *writer, const guint32 *tokens, gsize n,
                                     gsize text_bytes, GError **error);
/* Ends the current document; one without tokens does not count. */
void fen_token_cache_writer_end_document (FenTokenCacheWriter *writer);
gint64 fen_token_cache_writer_tokens (FenTokenCacheWriter *writer);
gboolean fen_token_cache_writer_commit (FenTokenCacheWriter *writer, GError **error);
void fen_token_cache_writer_free (FenTokenCacheWriter *writer); /* removes what is not committed */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenTokenCacheWriter, fen_token_cache_writer_free)

G_END_DECLS
