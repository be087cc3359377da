/* fen-reader.c: files -> documents -> pieces of valid text, in memory that does not depend on their size.
 *
 * One buffer holds what is read and not yet handed out. For .txt it is a piece long plus a byte, so that a piece is
 * known to be its document's last before it is handed out; for .jsonl it grows to the longest line, up to a bound.
 */
#include "core/corpus/fen-reader-private.h"

#include <string.h>
#include <unistd.h>

#include "core/corpus/fen-corpus-error.h"

struct _FenReader {
  FenSource *owned;
  const FenSource *source;
  char *text_field;

  guint index; /* of the next file */
  const FenSourceFile *file;
  int fd; /* -1: no file is open */
  gboolean at_eof;
  gboolean finished; /* the end, or an error */
  guint64 done;      /* bytes of files read */
  FenContentHash hash;

  char *buffer;
  gsize capacity, start, length; /* text is buffer[start, length) */
  guint64 offset;                /* of buffer[0] in the file */
  gboolean first;                /* the next piece begins a document */

  guint64 line;     /* .jsonl: number of the last line */
  GString *text;    /* .jsonl: the document */
  gsize text_start; /* what of it is already handed out */
  GString *problem;
};

FenReader *
fen_reader_new_for_source (const FenSource *source, const char *text_field)
{
  FenReader *reader = g_new0 (FenReader, 1);
  reader->source = source;
  reader->text_field = g_strdup (text_field != NULL && *text_field != '\0' ? text_field : "text");
  reader->fd = -1;
  reader->capacity = FEN_READER_PIECE_BYTES + 1;
  reader->buffer = g_malloc (reader->capacity);
  reader->text = g_string_new (NULL);
  reader->problem = g_string_new (NULL);
  fen_reader_rewind (reader);
  return reader;
}

FenReader *
fen_reader_new (const char *path, const char *text_field, GPtrArray *notes, GCancellable *cancellable,
                GError **error)
{
  FenSource *source = fen_source_new (path, notes, cancellable, error);
  if (source == NULL)
    return NULL;
  FenReader *reader = fen_reader_new_for_source (source, text_field);
  reader->owned = source;
  return reader;
}

static void
close_file (FenReader *reader)
{
  if (reader->fd >= 0)
    close (reader->fd);
  reader->fd = -1;
}

void
fen_reader_free (FenReader *reader)
{
  if (reader == NULL)
    return;
  close_file (reader);
  fen_content_hash_clear (&reader->hash);
  fen_source_free (reader->owned);
  g_free (reader->text_field);
  g_free (reader->buffer);
  g_string_free (reader->text, TRUE);
  g_string_free (reader->problem, TRUE);
  g_free (reader);
}

void
fen_reader_rewind (FenReader *reader)
{
  close_file (reader);
  reader->index = 0;
  reader->finished = FALSE;
  reader->done = 0;
  g_string_truncate (reader->text, 0);
  reader->text_start = 0;
  fen_content_hash_begin (&reader->hash, reader->source, reader->text_field);
}

guint64
fen_reader_bytes_done (FenReader *reader)
{
  return reader->done;
}

guint64
fen_reader_bytes_total (FenReader *reader)
{
  return MAX (reader->source->bytes, reader->done); /* a file may have grown since it was listed */
}

guint64
fen_reader_bytes_consumed (FenReader *reader)
{
  /* A closed file's buffer is done with. */
  return reader->done - (reader->fd >= 0 ? reader->length - reader->start : 0);
}

void
fen_reader_content_hash (FenReader *reader, char hex[33])
{
  fen_content_hash_finish (&reader->hash, hex);
}

/* Moves what is left to the front and reads until the buffer is full or the file ends. */
static gboolean
refill (FenReader *reader, GError **error)
{
  gsize left = reader->length - reader->start;
  memmove (reader->buffer, reader->buffer + reader->start, left);
  reader->offset += reader->start;
  reader->start = 0;
  reader->length = left;
  if (reader->at_eof)
    return TRUE;
  gsize wanted = reader->capacity - left;
  gssize n = fen_source_read (reader->file, reader->fd, reader->buffer + left, wanted, error);
  if (n < 0)
    return FALSE;
  reader->length += (gsize)n;
  reader->done += (guint64)n;
  reader->at_eof = (gsize)n < wanted;
  fen_content_hash_update (&reader->hash, reader->buffer + left, (gsize)n);
  return TRUE;
}

static gboolean
text_error (FenReader *reader, const char *bad, GError **error)
{
  g_autofree char *name = fen_source_display (reader->file->path);
  const char *text = reader->buffer + reader->start;
  gsize left = reader->length - reader->start;
  guint64 at = reader->offset + (guint64)(bad - reader->buffer);
  const char *nul = memchr (text, '\0', left);
  if (at == 0 && left >= 2 && (memcmp (text, "\xff\xfe", 2) == 0 || memcmp (text, "\xfe\xff", 2) == 0))
    g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_INVALID_UTF8,
                 "%s: UTF-16 text; a dataset must be UTF-8 (iconv -f UTF-16 -t UTF-8 converts it)", name);
  else if (nul != NULL)
    g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_BINARY,
                 "%s: a binary file (byte %" G_GUINT64_FORMAT " is NUL); a dataset must be UTF-8 text", name,
                 reader->offset + (guint64)(nul - reader->buffer));
  else
    g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_INVALID_UTF8,
                 "%s: invalid UTF-8 at byte %" G_GUINT64_FORMAT " (0x%02x); a dataset must be UTF-8 text",
                 name, at, (guint)(guchar)*bad);
  return FALSE;
}

/* Where a piece of `text` ends that may be at most `limit` < bytes long. */
static gsize
cut (const char *text, gsize limit)
{
  const char *newline = memrchr (text, '\n', limit);
  if (newline != NULL)
    return (gsize)(newline - text) + 1;
  const char *space = memrchr (text + 1, ' ', limit - 1);
  if (space != NULL)
    return (gsize)(space - text);
  gsize n = limit;
  while (n > limit - 4 && ((guchar)text[n] & 0xc0) == 0x80)
    n--;
  return n;
}

static gboolean
next_txt (FenReader *reader, FenReaderPiece *piece, GError **error)
{
  const char *bad;
  if (!refill (reader, error))
    return FALSE;
  gsize bytes = reader->length;
  piece->last = reader->at_eof && bytes <= FEN_READER_PIECE_BYTES;
  if (!piece->last)
    bytes = cut (reader->buffer, FEN_READER_PIECE_BYTES);
  if (!g_utf8_validate_len (reader->buffer, bytes, &bad))
    return text_error (reader, bad, error);
  if (bytes > 0)
    piece->text = reader->buffer;
  piece->bytes = bytes;
  piece->first = reader->first;
  reader->first = FALSE;
  reader->start = bytes;
  return TRUE;
}

static gboolean
line_error (FenReader *reader, const char *problem, GError **error)
{
  g_autofree char *name = fen_source_display (reader->file->path);
  g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_LINE, "%s: line %" G_GUINT64_FORMAT ": %s", name,
               reader->line, problem);
  return FALSE;
}

/* The next line without its end (LF or CR LF), valid until the next call; *line is NULL at the end of the file. */
static gboolean
next_line (FenReader *reader, const char **line, gsize *bytes, GError **error)
{
  gsize searched = 0;
  *line = NULL;
  for (;;)
    {
      const char *from = reader->buffer + reader->start;
      gsize left = reader->length - reader->start;
      const char *newline = memchr (from + searched, '\n', left - searched);
      if (newline != NULL || reader->at_eof)
        {
          *line = left > 0 ? from : NULL;
          *bytes = newline != NULL ? (gsize)(newline - from) : left;
          reader->start += *bytes + (newline != NULL ? 1 : 0);
          if (*bytes > 0 && from[*bytes - 1] == '\r')
            *bytes -= 1;
          reader->line++;
          return TRUE;
        }
      searched = left;
      if (left > FEN_READER_MAX_LINE_BYTES)
        {
          reader->line++;
          return line_error (reader, "longer than 64 MiB; a document that long belongs into a .txt file",
                             error);
        }
      if (left == reader->capacity)
        {
          reader->capacity = MIN (reader->capacity * 2, FEN_READER_MAX_LINE_BYTES + 2);
          reader->buffer = g_realloc (reader->buffer, reader->capacity);
        }
      if (!refill (reader, error))
        return FALSE;
    }
}

/* Reads lines until one has text; reader->text is empty at the end of the file. */
static gboolean
next_jsonl_document (FenReader *reader, GError **error)
{
  const char *line;
  gsize bytes;
  g_string_truncate (reader->text, 0);
  reader->text_start = 0;
  do
    {
      if (!next_line (reader, &line, &bytes, error))
        return FALSE;
      if (line != NULL
          && fen_jsonl_read (line, bytes, reader->text_field, reader->text, reader->problem)
                 == FEN_JSONL_PROBLEM)
        return line_error (reader, reader->problem->str, error);
    }
  while (line != NULL && reader->text->len == 0);
  reader->first = TRUE;
  return TRUE;
}

static gboolean
next_jsonl (FenReader *reader, FenReaderPiece *piece, GError **error)
{
  if (reader->text_start == reader->text->len && !next_jsonl_document (reader, error))
    return FALSE;
  const char *text = reader->text->str + reader->text_start;
  gsize left = reader->text->len - reader->text_start;
  piece->last = left <= FEN_READER_PIECE_BYTES;
  piece->bytes = piece->last ? left : cut (text, FEN_READER_PIECE_BYTES);
  piece->text = left > 0 ? text : NULL;
  piece->first = reader->first;
  reader->first = FALSE;
  reader->text_start += piece->bytes;
  return TRUE;
}

/* Opens the next file and drops a byte order mark. */
static gboolean
open_file (FenReader *reader, GError **error)
{
  reader->file = g_ptr_array_index (reader->source->files, reader->index++);
  reader->fd = fen_source_open_file (reader->file, error);
  if (reader->fd < 0)
    return FALSE;
  reader->at_eof = FALSE;
  reader->start = reader->length = 0;
  reader->offset = 0;
  reader->line = 0;
  reader->first = TRUE;
  g_string_truncate (reader->text, 0);
  reader->text_start = 0;
  if (!refill (reader, error))
    return FALSE;
  if (reader->length >= 3 && memcmp (reader->buffer, "\xef\xbb\xbf", 3) == 0)
    reader->start = 3;
  return TRUE;
}

static gboolean
next_piece (FenReader *reader, FenReaderPiece *piece, GError **error)
{
  while (piece->text == NULL)
    {
      if (reader->fd < 0)
        {
          if (reader->index == reader->source->files->len)
            return TRUE;
          if (!open_file (reader, error))
            return FALSE;
        }
      if (!(reader->file->kind == FEN_FILE_TXT ? next_txt (reader, piece, error)
                                               : next_jsonl (reader, piece, error)))
        return FALSE;
      if (piece->text == NULL)
        {
          close_file (reader);
          fen_content_hash_end_file (&reader->hash);
        }
    }
  return TRUE;
}

gboolean
fen_reader_next (FenReader *reader, FenReaderPiece *piece, GCancellable *cancellable, GError **error)
{
  memset (piece, 0, sizeof *piece);
  if (reader->finished)
    return TRUE;
  gboolean ok
      = !g_cancellable_set_error_if_cancelled (cancellable, error) && next_piece (reader, piece, error);
  if (!ok || piece->text == NULL)
    {
      reader->finished = TRUE;
      close_file (reader);
    }
  if (!ok)
    piece->text = NULL;
  return ok;
}

/* ---- scan ---- */

typedef struct {
  gint64 documents;
  guint64 done;
  FenLineProgress progress;
  gpointer user_data;
  GCancellable *cancellable;
} Count;

/* Lines that hold more than white space, by reading the file once. */
static gboolean
count_lines (Count *count, const FenSourceFile *file, GError **error)
{
  const gsize capacity = 1u << 20;
  g_autofree char *buffer = g_malloc (capacity);
  gboolean text = FALSE;
  int fd = fen_source_open_file (file, error);
  gssize n = fd < 0 ? -1 : 1;
  while (n > 0)
    {
      n = g_cancellable_set_error_if_cancelled (count->cancellable, error)
              ? -1
              : fen_source_read (file, fd, buffer, capacity, error);
      for (gssize i = 0; i < n;)
        {
          const char *newline = memchr (buffer + i, '\n', (gsize)(n - i));
          gssize end = newline != NULL ? newline - buffer : n;
          for (; !text && i < end; i++)
            text = buffer[i] != ' ' && buffer[i] != '\t' && buffer[i] != '\r';
          count->documents += newline != NULL && text ? 1 : 0;
          text = newline == NULL && text;
          i = end + 1;
        }
      count->done += (guint64)MAX (n, 0);
      if (n > 0 && count->progress != NULL)
        count->progress (count->documents, count->done, count->user_data);
    }
  count->documents += text ? 1 : 0;
  if (fd >= 0)
    close (fd);
  return n == 0;
}

gboolean
fen_source_count_documents (const FenSource *source, gint64 *documents, FenLineProgress progress,
                            gpointer user_data, GCancellable *cancellable, GError **error)
{
  Count count = { .progress = progress, .user_data = user_data, .cancellable = cancellable };
  for (guint i = 0; i < source->files->len; i++)
    {
      const FenSourceFile *file = g_ptr_array_index (source->files, i);
      if (file->kind == FEN_FILE_TXT)
        count.documents += file->bytes > 0 ? 1 : 0;
      else if (!count_lines (&count, file, error))
        return FALSE;
    }
  *documents = count.documents;
  return TRUE;
}

gboolean
fen_reader_scan (const char *path, FenReaderScan *scan, GCancellable *cancellable, GError **error)
{
  g_autoptr (FenSource) source = fen_source_new (path, NULL, cancellable, error);
  memset (scan, 0, sizeof *scan);
  if (source == NULL)
    return FALSE;
  scan->bytes = source->bytes;
  scan->files = source->files->len;
  return fen_source_count_documents (source, &scan->documents, NULL, NULL, cancellable, error);
}
