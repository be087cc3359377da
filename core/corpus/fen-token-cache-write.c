/* fen-token-cache-write.c: writing a token cache, front to back in one pass (see fen-token-cache.h for the file).
 *
 * Memory: 8 bytes a document and 8 a MiB of tokens; the tokens themselves pass through.
 */
#include "core/corpus/fen-token-cache-private.h"

#include <string.h>
#include <xxhash.h>

#include "core/base/fen-io.h"
#include "core/corpus/fen-corpus-error.h"

#define NARROW_TOKENS 4096

struct _FenTokenCacheWriter {
  FenFileWriter *file;
  FenTokenCacheHeader header;
  FenTokenCacheFooter footer;
  GArray *ends;      /* of guint64 */
  GArray *checksums; /* of guint64 */
  XXH3_state_t *block;
  gsize block_bytes; /* of the block so far */
  guint64 document_start;
};

FenTokenCacheWriter *
fen_token_cache_writer_new (const char *path, const char *key, guint vocab_size, GError **error)
{
  FenFileWriter *file = fen_file_writer_new (path, error);
  if (file == NULL)
    return NULL;
  g_autoptr (FenTokenCacheWriter) writer = g_new0 (FenTokenCacheWriter, 1);
  writer->file = file;
  writer->ends = g_array_new (FALSE, FALSE, sizeof (guint64));
  writer->checksums = g_array_new (FALSE, FALSE, sizeof (guint64));
  writer->block = XXH3_createState ();
  XXH3_64bits_reset (writer->block);
  memcpy (writer->header.magic, FEN_TOKEN_CACHE_MAGIC, sizeof writer->header.magic);
  memcpy (writer->header.key, key, sizeof writer->header.key);
  writer->header.version = FEN_TOKEN_CACHE_VERSION;
  writer->header.byte_order = FEN_TOKEN_CACHE_BYTE_ORDER;
  writer->header.token_bytes = vocab_size <= 1u << 16 ? 2 : 4;
  writer->header.block_bytes = FEN_TOKEN_CACHE_BLOCK_BYTES;
  if (!fen_file_writer_write (file, &writer->header, sizeof writer->header, error))
    return NULL;
  return g_steal_pointer (&writer);
}

void
fen_token_cache_writer_free (FenTokenCacheWriter *writer)
{
  if (writer == NULL)
    return;
  fen_file_writer_free (writer->file);
  g_array_unref (writer->ends);
  g_array_unref (writer->checksums);
  XXH3_freeState (writer->block);
  g_free (writer);
}

static void
end_block (FenTokenCacheWriter *writer)
{
  guint64 checksum = XXH3_64bits_digest (writer->block);
  g_array_append_val (writer->checksums, checksum);
  XXH3_64bits_reset (writer->block);
  writer->block_bytes = 0;
}

/* Bytes of the token area: to the file and, block by block, to the checksums. */
static gboolean
put (FenTokenCacheWriter *writer, const void *data, gsize bytes, GError **error)
{
  const guint8 *at = data;
  if (!fen_file_writer_write (writer->file, data, bytes, error))
    return FALSE;
  while (bytes > 0)
    {
      gsize n = MIN (bytes, FEN_TOKEN_CACHE_BLOCK_BYTES - writer->block_bytes);
      XXH3_64bits_update (writer->block, at, n);
      writer->block_bytes += n;
      at += n;
      bytes -= n;
      if (writer->block_bytes == FEN_TOKEN_CACHE_BLOCK_BYTES)
        end_block (writer);
    }
  return TRUE;
}

static gboolean
put_narrow (FenTokenCacheWriter *writer, const guint32 *tokens, gsize n, GError **error)
{
  guint16 narrow[NARROW_TOKENS];
  for (gsize done = 0; done < n;)
    {
      gsize some = MIN (n - done, NARROW_TOKENS);
      for (gsize i = 0; i < some; i++)
        narrow[i] = (guint16)tokens[done + i];
      if (!put (writer, narrow, some * sizeof *narrow, error))
        return FALSE;
      done += some;
    }
  return TRUE;
}

gboolean
fen_token_cache_writer_add (FenTokenCacheWriter *writer, const guint32 *tokens, gsize n, gsize text_bytes,
                            GError **error)
{
  guint32 largest = (guint32)writer->footer.max_token_id;
  gboolean narrow = writer->header.token_bytes == 2;
  for (gsize i = 0; i < n; i++)
    largest = MAX (largest, tokens[i]);
  if (largest > (narrow ? (guint32)G_MAXUINT16 : (guint32)G_MAXINT32))
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKEN_ID,
                   "the tokenizer made the id %u, which is outside its vocabulary", largest);
      return FALSE;
    }
  if (writer->ends->len >= G_MAXINT32)
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_OPTION,
                   "more than %d documents; join short ones, or leave some out", G_MAXINT32);
      return FALSE;
    }
  writer->footer.max_token_id = largest;
  writer->footer.tokens += n;
  writer->footer.text_bytes += text_bytes;
  if (n == 0)
    return TRUE;
  return narrow ? put_narrow (writer, tokens, n, error) : put (writer, tokens, n * sizeof *tokens, error);
}

void
fen_token_cache_writer_end_document (FenTokenCacheWriter *writer)
{
  guint64 end = writer->footer.tokens;
  if (end == writer->document_start)
    return;
  g_array_append_val (writer->ends, end);
  writer->footer.longest_document = MAX (writer->footer.longest_document, end - writer->document_start);
  writer->document_start = end;
}

gint64
fen_token_cache_writer_tokens (FenTokenCacheWriter *writer)
{
  return (gint64)writer->footer.tokens;
}

gboolean
fen_token_cache_writer_commit (FenTokenCacheWriter *writer, GError **error)
{
  static const guint8 zeros[8] = { 0 };
  FenTokenCacheFooter *footer = &writer->footer;
  gsize tail = footer->tokens * writer->header.token_bytes % 8;
  if (tail != 0 && !put (writer, zeros, 8 - tail, error))
    return FALSE;
  if (writer->block_bytes > 0)
    end_block (writer);
  footer->documents = writer->ends->len;
  memcpy (footer->magic, FEN_TOKEN_CACHE_MAGIC, sizeof footer->magic);
  XXH3_64bits_reset (writer->block);
  XXH3_64bits_update (writer->block, &writer->header, sizeof writer->header);
  XXH3_64bits_update (writer->block, writer->ends->data, (gsize)writer->ends->len * 8);
  XXH3_64bits_update (writer->block, writer->checksums->data, (gsize)writer->checksums->len * 8);
  XXH3_64bits_update (writer->block, footer, G_STRUCT_OFFSET (FenTokenCacheFooter, hash));
  footer->hash = XXH3_64bits_digest (writer->block);
  return fen_file_writer_write (writer->file, writer->ends->data, (gsize)writer->ends->len * 8, error)
         && fen_file_writer_write (writer->file, writer->checksums->data, (gsize)writer->checksums->len * 8,
                                   error)
         && fen_file_writer_write (writer->file, footer, sizeof *footer, error)
         && fen_file_writer_commit (writer->file, NULL, error);
}
