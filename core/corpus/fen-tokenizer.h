/* fen-tokenizer.h: text to token ids and back, as Hugging Face tokenizers does it.
 *
 * A tokenizer is what a `tokenizer.json` says: added tokens are split out first, the rest is normalised,
 * pre-tokenised into pieces, and each piece is encoded by byte pair encoding (Sennrich, Haddow, Birch: "Neural
 * Machine Translation of Rare Words with Subword Units", ACL 2016). Supported are the two families that language
 * models use:
 *   byte-level   gpt2, llama 3, qwen2, mistral-nemo, smollm, ... (ByteLevel, Split, Digits, ... pre-tokenisers)
 *   characters   llama 2, mistral, ... (SentencePiece: Metaspace or Prepend/Replace, byte fallback)
 * A node that is not supported is an error that names it and the file; nothing is skipped silently. The file's
 * `truncation` and `padding` are not read: they shape batches, not tokens.
 *
 * Threads: a FenTokenizer never changes after it is made, and any number of threads may use it. A FenEncoder and
 * a FenDecoder belong to one thread at a time; make one a thread.
 *
 * Ids are guint32, below fen_tokenizer_vocab_size(). Functions that answer an id answer -1 when there is none.
 */
#pragma once

#include <gio/gio.h>

#include "core/corpus/fen-corpus-error.h"

G_BEGIN_DECLS

/* Ids stay below this; the largest public vocabularies have about 262,144 tokens. */
#define FEN_TOKENIZER_MAX_VOCAB (1u << 22)
#define FEN_TOKENIZER_END_OF_TEXT "<|endoftext|>"

typedef struct _FenTokenizer FenTokenizer;

/* ---- making one ---- */

/* Reads a tokenizer.json, or the one in a folder. The file beside it named tokenizer_config.json, when there is
 * one, says which tokens begin and end a text. */
FenTokenizer *fen_tokenizer_load (const char *path, GError **error);
/* The same from memory; `source` names it in errors. */
FenTokenizer *fen_tokenizer_load_text (const char *json, gsize bytes, const char *source, GError **error);
/* One token a byte: ids 0 to 255, and <|endoftext|> = 256. Takes any bytes, also invalid UTF-8. */
FenTokenizer *fen_tokenizer_new_bytes (void);

/* Gives the next piece of training text (a document, or a part of one: no token is learned across two pieces).
 * *text = NULL says that there is no more. The text stays valid until the next call. FALSE with `error` set
 * stops the training. Always called from the thread that called fen_tokenizer_train_bpe. */
typedef gboolean (*FenTextSource) (gpointer user_data, const char **text, gsize *bytes, GError **error);
/* `fraction` is of the whole training, 0 to 1; while text is being counted its total is unknown and `fraction`
 * is -1. `bytes` is the text counted so far, `tokens` the size of the vocabulary so far. Same thread as above. */
typedef void (*FenTokenizerProgress) (double fraction, guint64 bytes, guint tokens, gpointer user_data);

/* Learns a byte-level BPE: GPT-2's pre-tokeniser, <|endoftext|> = 0, then the 256 bytes, then the merges by
 * falling count; ties go to the pair with the smaller ids, as Hugging Face tokenizers does. The result does not
 * depend on `n_threads` (0 = one a processor). A pair that occurs once is not learned, so little text gives fewer
 * than `vocab_size` (257 to FEN_TOKENIZER_MAX_VOCAB) tokens. Text that is not UTF-8 is
 * FEN_CORPUS_ERROR_INVALID_UTF8; no text at all is FEN_CORPUS_ERROR_EMPTY. */
FenTokenizer *fen_tokenizer_train_bpe (FenTextSource source, gpointer source_data, gsize vocab_size,
                                       guint n_threads, GCancellable *cancellable,
                                       FenTokenizerProgress progress, gpointer progress_data, GError **error);

FenTokenizer *fen_tokenizer_ref (FenTokenizer *tokenizer);
void fen_tokenizer_unref (FenTokenizer *tokenizer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenTokenizer, fen_tokenizer_unref)

/* Writes a tokenizer.json that Hugging Face tokenizers loads: for a loaded tokenizer, the very text that was
 * loaded. Whole or not at all. */
gboolean fen_tokenizer_save (FenTokenizer *tokenizer, const char *path, GError **error);

/* ---- what it knows ---- */

/* One more than the largest id. A model's vocabulary is often larger (padding); comparing them is the caller's. */
guint fen_tokenizer_vocab_size (FenTokenizer *tokenizer);
gint64 fen_tokenizer_token_to_id (FenTokenizer *tokenizer, const char *token);
/* The token as the file spells it ("Ġthe", "▁the", "<0x0A>"), NULL for a hole or an id out of range. Owned by the
 * tokenizer. */
const char *fen_tokenizer_id_to_token (FenTokenizer *tokenizer, guint32 id);
gboolean fen_tokenizer_is_special (FenTokenizer *tokenizer, guint32 id);
/* What tokenizer_config.json says, otherwise the well-known names (<s>, <|begin_of_text|>, </s>, ...). */
gint64 fen_tokenizer_bos_id (FenTokenizer *tokenizer);
gint64 fen_tokenizer_eos_id (FenTokenizer *tokenizer);
/* What stands between two documents in training data: <|endoftext|>, <|end_of_text|>, </s>, <eos> if the
 * vocabulary has it, otherwise eos. (A chat model's eos ends a turn, not a document.) */
gint64 fen_tokenizer_end_of_document_id (FenTokenizer *tokenizer);
/* 32 hexadecimal digits, XXH3-128 of everything that determines the ids of a text and of the version of this
 * code's rules: two tokenizers with the same fingerprint encode alike. Key of the token cache. */
const char *fen_tokenizer_fingerprint (FenTokenizer *tokenizer);

/* ---- encoding ---- */

/* Appends the ids of `text` to `ids` (guint32 elements). `add_special` adds what the file's post-processor adds
 * (for example <s> in front). Convenient for short texts; for many texts keep a FenEncoder. */
gboolean fen_tokenizer_encode (FenTokenizer *tokenizer, const char *text, gsize bytes, gboolean add_special,
                               GArray *ids, GError **error);

/* Scratch memory and a cache of words, for one thread at a time. Holds a reference to the tokenizer. */
typedef struct _FenEncoder FenEncoder;

FenEncoder *fen_encoder_new (FenTokenizer *tokenizer);
void fen_encoder_free (FenEncoder *encoder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenEncoder, fen_encoder_free)

gboolean fen_encoder_encode (FenEncoder *encoder, const char *text, gsize bytes, gboolean add_special,
                             GArray *ids, GError **error);

/* A long text in parts: begin, feed as often as needed, end. The ids appended by all the calls together are those
 * of one call on the whole text; the caller may take them and empty `ids` between two calls. A part may end
 * anywhere, also inside a UTF-8 character. Memory stays near the size of a part plus the longest piece that the
 * tokenizer cannot cut (a word; a few kilobytes in natural text). Feed 64 KiB to 4 MiB at a time. After an error
 * the encoder is ready for the next begin. */
void fen_encoder_begin (FenEncoder *encoder, gboolean add_special);
gboolean fen_encoder_feed (FenEncoder *encoder, const char *text, gsize bytes, GArray *ids, GError **error);
gboolean fen_encoder_end (FenEncoder *encoder, GArray *ids, GError **error);

/* ---- decoding ---- */

/* Appends the text of `ids`. The text is valid UTF-8: what is not becomes U+FFFD, as Hugging Face does.
 * `skip_special` leaves special tokens out. FEN_CORPUS_ERROR_TOKEN_ID for an id that is not in the vocabulary. */
gboolean fen_tokenizer_decode (FenTokenizer *tokenizer, const guint32 *ids, gsize n, gboolean skip_special,
                               GString *text, GError **error);
/* The same without the U+FFFD: the very bytes, which may not be UTF-8. For lossless round trips. */
gboolean fen_tokenizer_decode_bytes (FenTokenizer *tokenizer, const guint32 *ids, gsize n,
                                     gboolean skip_special, GString *bytes, GError **error);

/* A text that arrives id by id. Only whole characters come out; what is still incomplete waits for the next id.
 * Everything together is what fen_tokenizer_decode gives, except that bytes that never become UTF-8 may count a
 * different number of U+FFFD. */
typedef struct _FenDecoder FenDecoder;

FenDecoder *fen_decoder_new (FenTokenizer *tokenizer, gboolean skip_special);
void fen_decoder_free (FenDecoder *decoder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenDecoder, fen_decoder_free)

gboolean fen_decoder_feed (FenDecoder *decoder, guint32 id, GString *text, GError **error);
/* Gives what is left (an incomplete character becomes U+FFFD) and starts a new text. */
void fen_decoder_end (FenDecoder *decoder, GString *text);

G_END_DECLS
