/* fen-generator.h: writing text with a model.
 *
 * Opens a model folder, its tokenizer and a device, plans memory for prompt and continuation (KV cache: everything
 * for full layers, a ring of the window for windowed ones), and streams the text as whole UTF-8 characters.
 *
 * Threads: a generator is used by one thread at a time.
 */
#pragma once

#include "core/config/fen-config.h"
#include "core/generate/fen-sampler.h"

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _FenGenerator FenGenerator;

/* Uses of `config`: model (a folder), tokenizer ("" = the model's), device, threads, amp, use_flash_attn,
 * window_size, window_pattern, sink_tokens. `max_tokens` and the prompt together size the cache; a model with learned
 * positions that they exceed is an error that says how many tokens fit. A preset has no trained weights and is
 * refused. An empty prompt starts from the tokenizer's beginning or end-of-document token. */
FenGenerator *fen_generator_new (const FenConfig *config, const char *prompt, gint64 max_tokens, GError **error);
void fen_generator_free (FenGenerator *generator);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenGenerator, fen_generator_free)

typedef enum {
  FEN_GENERATE_MAX_TOKENS, /* wrote as many as asked */
  FEN_GENERATE_END,        /* the model ended its text */
  FEN_GENERATE_CANCELLED,
} FenGenerateEnd;

typedef struct {
  gint64 prompt_tokens, new_tokens;
  double prompt_seconds, new_seconds;
  FenGenerateEnd end;
} FenGenerateResult;

/* Called with each piece of new text, whole UTF-8 characters. */
typedef void (*FenGenerateText) (const char *text, gsize bytes, gpointer user_data);

gboolean fen_generator_run (FenGenerator *generator, const FenSamplerOptions *options, FenGenerateText callback,
                            gpointer user_data, GCancellable *cancellable, FenGenerateResult *result,
                            GError **error);

/* The ids of the prompt and of what was written by the last run, in order; owned by the generator. */
const gint32 *fen_generator_tokens (FenGenerator *generator, gsize *n_tokens);

G_END_DECLS
