/* fen-reader.h: text on disk as a stream of documents, in bounded memory.
 *
 * A dataset is one of
 *   - a .txt file: one document;
 *   - a folder: every .txt file in it and below it, one document each, ordered by relative path (bytes, not locale,
 *     so that the order is the same on every machine). Symbolic links are followed, but a folder is visited once;
 *     hidden entries are left out; .txt entries that are no files or cannot be read are skipped with a note;
 *   - a .jsonl file: one JSON object a line, one document each, its text in the string member `text_field`.
 *     Blank lines are skipped. Lines are at most FEN_READER_MAX_LINE_BYTES.
 * Text is UTF-8 without NUL. A byte order mark at the start of a file is dropped. Everything else is an error of one
 * line that names the file, the place (byte offset or line number) and what is allowed. Documents without text are
 * skipped.
 *
 * A document of any size is handed out in pieces of at most FEN_READER_PIECE_BYTES, cut after the last line feed that
 * fits, else before the last space, else between two characters; a short document is one piece.
 *
 * Threads: a FenReader is used by one thread at a time.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define FEN_READER_PIECE_BYTES (256u << 10)
#define FEN_READER_MAX_LINE_BYTES (64u << 20)

typedef struct _FenReader FenReader;

/* What is there, before anything is read. */
typedef struct {
  guint64 bytes; /* of all files */
  gint64 files;
  gint64 documents; /* .txt: files that are not empty; .jsonl: lines that are not blank */
} FenReaderScan;

typedef struct {
  const char *text; /* valid UTF-8 without NUL, not NUL-terminated; valid until the next call */
  gsize bytes;      /* > 0 */
  gboolean first;   /* of its document */
  gboolean last;
} FenReaderPiece;

/* Lists the files of `path`; nothing is read yet. `text_field` may be NULL ("text"). Notes (char *, may be NULL)
 * receive what was skipped. */
FenReader *fen_reader_new (const char *path, const char *text_field, GPtrArray *notes,
                           GCancellable *cancellable, GError **error);
void fen_reader_free (FenReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenReader, fen_reader_free)

/* The next piece; TRUE with piece->text NULL at the end of the dataset. After an error the reader is at its end. */
gboolean fen_reader_next (FenReader *reader, FenReaderPiece *piece, GCancellable *cancellable,
                          GError **error);
/* Back to the first document. */
void fen_reader_rewind (FenReader *reader);
/* Bytes of files read so far and in all: for progress. */
guint64 fen_reader_bytes_done (FenReader *reader);
guint64 fen_reader_bytes_total (FenReader *reader);

/* Size and documents: reads .jsonl files once (at the disk's speed), .txt files not at all. */
gboolean fen_reader_scan (const char *path, FenReaderScan *scan, GCancellable *cancellable, GError **error);

G_END_DECLS
