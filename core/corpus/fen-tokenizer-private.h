/* fen-tokenizer-private.h: what a tokenizer.json becomes in memory. Inside core/corpus only.
 *
 * The way of a text: added tokens that match the text as it is -> normaliser -> added tokens that match the
 * normalised text -> pre-tokenisers, each splitting the pieces of the one before -> BPE of each piece -> the ids
 * that the post-processor puts around the whole.
 */
#pragma once

#include "core/corpus/fen-bpe-model.h"
#include "core/corpus/fen-tokenizer-added.h"
#include "core/corpus/fen-tokenizer-regex.h"
#include "core/corpus/fen-tokenizer-vocab.h"
#include "core/corpus/fen-tokenizer.h"

G_BEGIN_DECLS

/* ---- normaliser (fen-tokenizer-normal.c) ---- */

typedef enum { FEN_NORMAL_PREPEND, FEN_NORMAL_REPLACE, FEN_NORMAL_FORM } FenNormalKind;

typedef struct {
  FenNormalKind kind;
  GNormalizeMode form;
  char *pattern; /* REPLACE */
  char *content; /* PREPEND, REPLACE */
} FenNormalStep;

/* Normalises `text`, which begins a segment when `at_start`, and appends it to `out`. */
void fen_normal_run (GPtrArray *steps, const guint8 *text, gsize bytes, gboolean at_start, GByteArray *out);
/* TRUE when `text` stays as it is. */
gboolean fen_normal_is_identity (GPtrArray *steps, const guint8 *text, gsize bytes, gboolean at_start);
/* How much of `text` may be normalised before what follows is known. */
gsize fen_normal_cut (GPtrArray *steps, const guint8 *text, gsize bytes);
void fen_normal_step_free (gpointer step);

/* ---- pre-tokenisers (fen-tokenizer-split.c) ---- */

typedef enum {
  FEN_SPLIT_NOTHING, /* a node that only puts a prefix in front */
  FEN_SPLIT_REGEX,
  FEN_SPLIT_NUMERIC,
  FEN_SPLIT_PUNCTUATION,
  FEN_SPLIT_SPACE, /* Metaspace: at ' ' and at the replacement */
} FenSplitKind;

typedef enum {
  FEN_SPLIT_REMOVED,
  FEN_SPLIT_ISOLATED,
  FEN_SPLIT_MERGED_WITH_PREVIOUS,
  FEN_SPLIT_MERGED_WITH_NEXT,
  FEN_SPLIT_CONTIGUOUS,
} FenSplitBehavior;

typedef enum { FEN_PREFIX_NEVER, FEN_PREFIX_FIRST, FEN_PREFIX_ALWAYS } FenPrefixScheme;

typedef struct {
  FenSplitKind kind; /* FEN_SPLIT_NOTHING when zero */
  FenSplitBehavior behavior;
  gboolean invert;
  FenRegex *regex;
  gunichar mark; /* ' ', or Metaspace's replacement: a piece that begins with it or with ' ' gets no prefix */
  FenPrefixScheme prefix; /* put `mark` in front */
} FenSplitNode;

/* Radford et al., GPT-2: words with the space before them, digits, signs, white space; English endings apart. */
extern const char fen_gpt2_pattern[];
void fen_split_node_free (gpointer node);
/* Finds the next match of the node's pattern at `from` or later, as fen_regex_find does. */
FenRegexResult fen_split_find (const FenSplitNode *node, FenRegexScratch *scratch, const guint8 *text,
                               gsize bytes, gsize from, gboolean closed, gsize *start, gsize *end,
                               GError **error);

/* ---- decoder (fen-tokenizer-decode.c) ---- */

typedef enum { FEN_DECODE_REPLACE, FEN_DECODE_METASPACE, FEN_DECODE_STRIP } FenDecodeKind;

/* A step on one token. */
typedef struct {
  FenDecodeKind kind;
  char *pattern, *content; /* REPLACE */
  gunichar mark;           /* METASPACE: becomes a space; STRIP: is taken away */
  gboolean drop_first;     /* METASPACE: the first token's marks vanish */
  guint start, stop;       /* STRIP: how many at most */
} FenDecodeStep;

/* What the decoder node says, in this order: steps on each token; bytes from tokens; steps on the whole. */
typedef struct {
  GPtrArray *steps;
  gboolean fused;         /* what follows works on the whole text */
  gboolean spaced;        /* no decoder in the file: tokens stand with a space between them */
  gboolean byte_level;    /* characters spell bytes */
  gboolean byte_fallback; /* <0x0A> is a byte */
  FenDecodeStep *strip;   /* on the whole text, or NULL */
} FenDecodePlan;

void fen_decode_step_free (gpointer step);

/* ---- all of it ---- */

struct _FenTokenizer {
  gatomicrefcount refs;
  char *source;   /* the file, for messages */
  FenVocab vocab; /* the model's */
  FenVocab extra; /* added tokens, also those that the model has */
  guint vocab_size;
  guint8 *special;   /* by id */
  GHashTable *spelt; /* id -> normalised content of added tokens whose normal form differs: what is decoded */
  FenBpe bpe;
  GPtrArray *normal; /* FenNormalStep */
  GPtrArray *splits; /* FenSplitNode */
  FenAddedSet added_raw, added_normal;
  GArray *before, *after; /* guint32: what add_special puts around the ids */
  FenDecodePlan decode;
  gboolean any_bytes; /* nothing looks at characters: invalid UTF-8 is welcome */
  gint64 bos, eos, end_of_document;
  char fingerprint[33];
  GBytes *json;
};

/* Reads the JSON of a tokenizer into an empty one (fen-tokenizer-file.c). */
gboolean fen_tokenizer_parse (FenTokenizer *tokenizer, const char *json, gsize bytes, GError **error);

/* The tokenizer.json of a byte-level BPE (fen-tokenizer-write.c). `merges` are `n_merges` pairs of ids in order of
 * rank; `use_regex` says that GPT-2's pre-tokeniser splits the text. Free with g_free. */
char *fen_tokenizer_write_byte_level (const FenVocab *vocab, guint32 end_of_text, gboolean use_regex,
                                      const guint32 *merges, gsize n_merges);

G_END_DECLS
