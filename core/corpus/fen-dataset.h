/* fen-dataset.h: text on disk -> documents -> tokens (a memory-mapped cache) -> rows for the engine.
 *
 * Which files are a dataset: see fen-reader.h. They are tokenised once; the tokens stay in a cache file
 * (fen-token-cache.h) that is found again by the content of the text and the tokenizer's fingerprint, and mapped, so a
 * corpus larger than memory works. A document ends with the tokenizer's end-of-document token when it has one.
 *
 * Train and eval. Documents are drawn in a fixed random order (Philox, FEN_RANDOM_STREAM_SPLIT, seed 0: the same
 * documents are held out whatever the run's seed, so runs can be compared) until about eval_share of the TOKENS are
 * held out. When whole documents cannot come near that share - above all when there is a single document - the last
 * part of the longest document is held out instead: eval_share 0.1 of one text is nanoGPT's 90/10 split.
 * eval_share 0 = no eval split.
 *
 * Rows. An epoch's documents in order form one stream of N tokens, cut every T = max_seq_len tokens into
 * floor (N / T) rows.
 *   sequential: documents in their order, rows from the stream's start; the tail shorter than a row is left out.
 *   shuffled:   documents in a random order of the epoch's own, the stream rotated by a random offset in [0, T) of the
 *               epoch's own (the row that wraps around the stream's end starts a document there), rows in a random
 *               order. All three are Philox-keyed permutations of (seed, epoch): no table of rows exists.
 * Row number i of the run (0, 1, 2, ...; epoch i / train_rows) is a pure function of (dataset, T, seed, i), so a
 * checkpoint's data position is the number of rows consumed, and a resume is exact.
 * The eval split is always sequential and its last row is padded with ignored targets, so that nothing is left out
 * and an eval split shorter than a row still works.
 *
 * Threads: after fen_dataset_open a FenDataset is constant; any thread may call fen_dataset_fill at any time.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _FenTokenizer FenTokenizer;
typedef struct _FenDataset FenDataset;

typedef enum { FEN_SPLIT_TRAIN, FEN_SPLIT_EVAL } FenSplit;

typedef enum {
  FEN_DATASET_HASHING,    /* reading the text to find its cache */
  FEN_DATASET_CHECKING,   /* reading the cache's checksums */
  FEN_DATASET_TOKENIZING, /* making the cache */
} FenDatasetPhase;

/* Called from the thread that opens the dataset, a few times a second. `total` may be 0 for an instant phase. */
typedef void (*FenDatasetProgress) (FenDatasetPhase phase, guint64 done_bytes, guint64 total_bytes,
                                    gpointer user_data);

/* Strings and tokenizer are used during fen_dataset_open only. Set what differs from { 0 }. */
typedef struct {
  const char *path;       /* .txt, .jsonl or a folder of .txt */
  const char *text_field; /* .jsonl: member that holds the text; NULL = "text" */
  FenTokenizer *tokenizer;
  const char *cache_folder; /* NULL = fenestra/tokens in the user's cache folder */
  gint64 max_seq_len;       /* T, tokens a row, >= 1 */
  guint64 seed;             /* of the shuffling */
  double eval_share;        /* [0, 1) of the tokens */
  gboolean shuffle;
  gboolean document_mask;      /* tokens see their own document only */
  guint threads;               /* for tokenising; 0 = as many as this process may use */
  FenDatasetProgress progress; /* or NULL */
  gpointer progress_data;
} FenDatasetOptions;

typedef struct {
  guint64 text_bytes; /* of the documents' text (for .jsonl: without the JSON around it) */
  gint64 documents;
  gint64 tokens;                                    /* end-of-document tokens included */
  gint64 longest_document;                          /* tokens */
  gint64 train_documents, train_tokens, train_rows; /* rows an epoch, >= 1 */
  gint64 eval_documents, eval_tokens, eval_rows;    /* all 0 without an eval split */
  gint64 max_token_id;                              /* must be < the model's vocabulary */
  gboolean from_cache;                              /* nothing was tokenised */
  const char *cache_path;                           /* NULL: a temporary file, gone with the dataset */
  const char *content_hash; /* XXH3-128 of the text files in hex: names the data in state.json */
} FenDatasetInfo;

/* Opens a dataset, tokenising when no whole cache is there. Errors (FEN_CORPUS_ERROR, G_FILE_ERROR, G_IO_ERROR): the
 * path is missing, neither of the three kinds, empty, binary, not UTF-8; a broken .jsonl line; fewer train tokens than
 * one row; a full disk; cancelled. `notes` (GPtrArray of char *, may be NULL) receives what was worked around: a
 * damaged cache rebuilt, a cache folder that cannot be written, no room for an eval split, skipped files. */
FenDataset *fen_dataset_open (const FenDatasetOptions *options, GPtrArray *notes, GCancellable *cancellable,
                              GError **error);
FenDataset *fen_dataset_ref (FenDataset *dataset);
void fen_dataset_unref (FenDataset *dataset);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenDataset, fen_dataset_unref)

/* Owned by the dataset, constant. */
const FenDatasetInfo *fen_dataset_info (FenDataset *dataset);

/* Where rows go: arrays of (n_rows, T), any but tokens may be NULL. Targets that do not count: of the stream's last
 * token, of padding, of the last train token before a held-out part, and with document_mask of a document's last token
 * (what follows belongs to an unrelated document). */
typedef struct {
  gint32 *tokens;
  gint32 *targets;   /* the next token, or -1: does not count (see below) */
  gint32 *doc_start; /* place in the row where the position's document starts; 0 without document_mask */
  gint32 *doc_end;   /* place in the row where it ends, exclusive; T without document_mask */
  gint32 *positions; /* t - doc_start: a document that began in an earlier row counts from this row's start */
} FenRows;

/* Rows first_row .. first_row + n_rows - 1 of the split; rows past an epoch (eval: past the end) continue with the
 * next (eval: from the start). Returns the number of targets that count (>= 0), or -1 with FEN_CORPUS_ERROR when the
 * cache turns out damaged (it is removed, so that the next open makes a new one). Padding is token 0. */
gint64 fen_dataset_fill (FenDataset *dataset, FenSplit split, gint64 first_row, gint64 n_rows,
                         const FenRows *rows, GError **error);

/* FEN_CORPUS_ERROR naming dataset and largest id unless every token is below `vocab_size`. */
gboolean fen_dataset_check_vocab (FenDataset *dataset, gint64 vocab_size, GError **error);

G_END_DECLS
