/* fen-reader-private.h: the files behind a dataset, and the text of one line of .jsonl. */
#pragma once

#include <xxhash.h>

#include "core/corpus/fen-reader.h"

G_BEGIN_DECLS

typedef enum { FEN_FILE_TXT, FEN_FILE_JSONL } FenFileKind;

typedef struct {
  char *path;
  FenFileKind kind;
  guint64 bytes; /* when it was listed */
  gint64 mtime_ns, ctime_ns;
  guint64 inode, device;
} FenSourceFile;

/* The files of a dataset in their order. */
typedef struct {
  char *path;       /* as given, for messages */
  GPtrArray *files; /* of FenSourceFile, at least one */
  guint64 bytes;
} FenSource;

FenSource *fen_source_new (const char *path, GPtrArray *notes, GCancellable *cancellable, GError **error);
void fen_source_free (FenSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenSource, fen_source_free)

/* A path for a message: printable and on one line, whatever bytes a file name holds. Free with g_free. */
char *fen_source_display (const char *path);

/* 32 hexadecimal digits that change whenever a file of the source does, as far as stat can tell (size, times to the
 * nanosecond, inode); nothing is read. FALSE when a file changed so recently that a further change might not show. */
gboolean fen_source_stamp (const FenSource *source, const char *text_field, char stamp[33]);

/* XXH3-128 over the files' contents and sizes in order (names do not count), and over text_field where it matters.
 * One of these is fed by every pass over the text, so that a pass that tokenises also knows what it has read. */
typedef struct {
  XXH3_state_t *state;
  guint64 file_bytes;
} FenContentHash;

void fen_content_hash_begin (FenContentHash *hash, const FenSource *source, const char *text_field);
void fen_content_hash_update (FenContentHash *hash, const void *data, gsize bytes);
void fen_content_hash_end_file (FenContentHash *hash);
void fen_content_hash_finish (FenContentHash *hash, char hex[33]);
void fen_content_hash_clear (FenContentHash *hash);

typedef void (*FenByteProgress) (guint64 done_bytes, guint64 total_bytes, gpointer user_data);

/* A pass that only hashes. */
gboolean fen_source_hash (const FenSource *source, const char *text_field, char hex[33],
                          FenByteProgress progress, gpointer user_data, GCancellable *cancellable,
                          GError **error);

/* Opens a file of a source for reading from front to back; -1 with an error that names it. */
int fen_source_open_file (const FenSourceFile *file, GError **error);
/* Reads until `bytes` are there or the file ends; -1 with an error. */
gssize fen_source_read (const FenSourceFile *file, int fd, void *data, gsize bytes, GError **error);

/* The reader of an already listed source; takes no ownership: `source` outlives the reader. */
FenReader *fen_reader_new_for_source (const FenSource *source, const char *text_field);
/* Bytes of the files that what was handed out stands in, without what is only buffered. */
guint64 fen_reader_bytes_consumed (FenReader *reader);
/* The hash of what was read; meaningful at the reader's end. */
void fen_reader_content_hash (FenReader *reader, char hex[33]);

/* .txt files that are not empty and .jsonl lines that are not blank, reading the latter. `progress` (may be NULL) hears
 * of the lines and bytes so far. */
typedef void (*FenLineProgress) (gint64 lines, guint64 done_bytes, gpointer user_data);
gboolean fen_source_count_documents (const FenSource *source, gint64 *documents, FenLineProgress progress,
                                     gpointer user_data, GCancellable *cancellable, GError **error);

typedef enum {
  FEN_JSONL_TEXT,    /* `text` holds the document */
  FEN_JSONL_BLANK,   /* nothing but white space */
  FEN_JSONL_PROBLEM, /* `problem` says what is wrong with the line */
} FenJsonlResult;

/* Reads the string member `field` of the JSON object in `line` (without its line feed; any bytes). All of the line is
 * checked against RFC 8259; the memory needed does not depend on what it holds besides the text. As in every common
 * reader, the last of two equal members counts; half a surrogate pair becomes U+FFFD. */
FenJsonlResult fen_jsonl_read (const char *line, gsize bytes, const char *field, GString *text,
                               GString *problem);

G_END_DECLS
