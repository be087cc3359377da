/* fen-token-cache-private.h: the two ends of a token cache file. */
#pragma once

#include "core/corpus/fen-token-cache.h"

G_BEGIN_DECLS

#define FEN_TOKEN_CACHE_MAGIC "FenTok\r\n"
#define FEN_TOKEN_CACHE_VERSION 1u
#define FEN_TOKEN_CACHE_BYTE_ORDER 0x01020304u

typedef struct {
  char magic[8];
  guint32 version, byte_order;
  guint32 token_bytes, block_bytes;
  char key[32];
  guint64 reserved; /* 0 */
} FenTokenCacheHeader;

typedef struct {
  guint64 tokens, documents, text_bytes, longest_document, max_token_id;
  guint64 reserved; /* 0 */
  guint64 hash;     /* XXH3-64 of header, ends, checksums and this footer so far */
  char magic[8];
} FenTokenCacheFooter;

G_STATIC_ASSERT (sizeof (FenTokenCacheHeader) == 64 && sizeof (FenTokenCacheFooter) == 64);

G_END_DECLS
