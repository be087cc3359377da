/* fen-reader-hash.c: what identifies a dataset's content, by reading it (hash) or by asking stat (stamp).
 *
 * The token cache is found by content, so that a moved or copied dataset is not tokenised again. Hashing runs at the
 * disk's speed; for files that have not changed since they were hashed, the stamp leads to the hash without reading.
 */
#include "core/corpus/fen-reader-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/base/fen-error.h"

#define HASH_BUFFER_BYTES (1u << 20)
/* Clocks of file systems tick in up to two seconds (FAT): a younger file may change without its times showing it. */
#define SETTLED_NS G_GINT64_CONSTANT (2500000000)

static void
digest_hex (XXH3_state_t *state, char hex[33])
{
  static const char digits[] = "0123456789abcdef";
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash (&canonical, XXH3_128bits_digest (state));
  for (guint i = 0; i < 16; i++)
    {
      hex[2 * i] = digits[canonical.digest[i] >> 4];
      hex[2 * i + 1] = digits[canonical.digest[i] & 15];
    }
  hex[32] = '\0';
}

gboolean
fen_source_stamp (const FenSource *source, const char *text_field, char stamp[33])
{
  XXH3_state_t *state = XXH3_createState ();
  g_autofree char *root = g_canonicalize_filename (source->path, NULL);
  gint64 newest = G_MININT64;
  XXH3_128bits_reset (state);
  XXH3_128bits_update (state, root, strlen (root) + 1);
  XXH3_128bits_update (state, text_field, strlen (text_field) + 1);
  for (guint i = 0; i < source->files->len; i++)
    {
      const FenSourceFile *file = g_ptr_array_index (source->files, i);
      guint64 facts[]
          = { file->bytes, (guint64)file->mtime_ns, (guint64)file->ctime_ns, file->inode, file->device };
      XXH3_128bits_update (state, file->path, strlen (file->path) + 1);
      XXH3_128bits_update (state, facts, sizeof facts);
      newest = MAX (newest, MAX (file->mtime_ns, file->ctime_ns));
    }
  digest_hex (state, stamp);
  XXH3_freeState (state);
  return newest < g_get_real_time () * 1000 - SETTLED_NS;
}

void
fen_content_hash_begin (FenContentHash *hash, const FenSource *source, const char *text_field)
{
  const FenSourceFile *first = g_ptr_array_index (source->files, 0);
  if (hash->state == NULL)
    hash->state = XXH3_createState ();
  hash->file_bytes = 0;
  XXH3_128bits_reset (hash->state);
  if (first->kind == FEN_FILE_JSONL)
    XXH3_128bits_update (hash->state, text_field, strlen (text_field) + 1);
}

void
fen_content_hash_update (FenContentHash *hash, const void *data, gsize bytes)
{
  XXH3_128bits_update (hash->state, data, bytes);
  hash->file_bytes += bytes;
}

void
fen_content_hash_end_file (FenContentHash *hash)
{
  guint64 bytes = GUINT64_TO_LE (hash->file_bytes); /* two files are not one file with the same bytes */
  XXH3_128bits_update (hash->state, &bytes, sizeof bytes);
  hash->file_bytes = 0;
}

void
fen_content_hash_finish (FenContentHash *hash, char hex[33])
{
  digest_hex (hash->state, hex);
}

void
fen_content_hash_clear (FenContentHash *hash)
{
  if (hash->state != NULL)
    XXH3_freeState (hash->state);
  hash->state = NULL;
}

int
fen_source_open_file (const FenSourceFile *file, GError **error)
{
  int fd = open (file->path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    {
      fen_error_set_errno (error, errno, file->path, "cannot read");
      return -1;
    }
  (void)posix_fadvise (fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  return fd;
}

gssize
fen_source_read (const FenSourceFile *file, int fd, void *data, gsize bytes, GError **error)
{
  gsize done = 0;
  while (done < bytes)
    {
      gssize n = read (fd, (char *)data + done, bytes - done);
      if (n == 0)
        break;
      if (n > 0)
        done += (gsize)n;
      else if (errno != EINTR)
        {
          fen_error_set_errno (error, errno, file->path, "cannot read");
          return -1;
        }
    }
  return (gssize)done;
}

typedef struct {
  const FenSource *source;
  FenContentHash hash;
  guint64 done;
  FenByteProgress progress;
  gpointer user_data;
  GCancellable *cancellable;
  guint8 *buffer;
} HashPass;

static gboolean
hash_file (HashPass *pass, const FenSourceFile *file, GError **error)
{
  int fd = fen_source_open_file (file, error);
  gssize n = fd < 0 ? -1 : 1;
  while (n > 0)
    {
      n = g_cancellable_set_error_if_cancelled (pass->cancellable, error)
              ? -1
              : fen_source_read (file, fd, pass->buffer, HASH_BUFFER_BYTES, error);
      if (n > 0)
        fen_content_hash_update (&pass->hash, pass->buffer, (gsize)n);
      pass->done += (guint64)MAX (n, 0);
      if (n > 0 && pass->progress != NULL)
        pass->progress (pass->done, MAX (pass->done, pass->source->bytes), pass->user_data);
    }
  if (fd >= 0)
    close (fd);
  fen_content_hash_end_file (&pass->hash);
  return n == 0;
}

gboolean
fen_source_hash (const FenSource *source, const char *text_field, char hex[33], FenByteProgress progress,
                 gpointer user_data, GCancellable *cancellable, GError **error)
{
  HashPass pass
      = { .source = source, .progress = progress, .user_data = user_data, .cancellable = cancellable };
  gboolean ok = TRUE;
  pass.buffer = g_malloc (HASH_BUFFER_BYTES);
  fen_content_hash_begin (&pass.hash, source, text_field);
  for (guint i = 0; ok && i < source->files->len; i++)
    ok = hash_file (&pass, g_ptr_array_index (source->files, i), error);
  if (ok)
    fen_content_hash_finish (&pass.hash, hex);
  fen_content_hash_clear (&pass.hash);
  g_free (pass.buffer);
  return ok;
}
