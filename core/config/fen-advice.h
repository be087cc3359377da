/* fen-advice.h: which window and which method suit a context, as rules of thumb.
 *
 * Pure functions over two small tables, made from context length, kind of task and device memory. They are shown as
 * one line with a "Use" button and never applied silently. They know nothing of the model: where a memory plan says
 * something better for this machine, the plan wins and the line should say so.
 *
 * K is 1,024: a context of 16,384 is the first of "16K to 32K".
 *
 * Threads: reentrant.
 */
#pragma once

#include "core/config/fen-config.h"

G_BEGIN_DECLS

typedef enum {
  FEN_TASK_ANY,
  FEN_TASK_GLOBAL,    /* needs the whole text at once: question answering over a document, code bases */
  FEN_TASK_DOCUMENTS, /* long documents, stories */
  FEN_TASK_STREAMS,   /* streams, chat logs, very long texts with near context */
} FenAdviceTask;

typedef struct {
  gint64 window_size;            /* the pick; 0 = full attention */
  gint64 window_min, window_max; /* what is reasonable, tokens; 0, 0 = full attention only */
  gboolean full_attention_fine;  /* no window is reasonable too */
  const char *window_reason;     /* static, a clause for people, translatable */

  gboolean use_flash_attn;
  gboolean use_chunked_training;
  gboolean chunking_optional;  /* not picked, but worth a try on this device */
  gint64 chunk_size;           /* the pick, tokens; 0 when chunking is neither picked nor optional */
  gint64 chunk_min, chunk_max; /* what is reasonable, tokens */
  gboolean cpu_offload;        /* checkpoints in host memory */
  const char *method_reason;   /* static, a clause for people, translatable */
} FenAdvice;

/* `context` is max_seq_len (tokens, >= 1); `memory_bytes` is the device's, 0 = unknown. */
void fen_advice_for (gint64 context, FenAdviceTask task, guint64 memory_bytes, FenAdvice *advice);

/* "Window 2048 (2048 to 4096): ...; FlashAttn-2 with chunks of 4096: ...". Free with g_free. */
char *fen_advice_to_text (const FenAdvice *advice);

/* What "Use" does: window_size, use_flash_attn, use_chunked_training and chunk_size. Other settings, and chunk_size
 * when it has no effect, are left alone. */
void fen_advice_apply (const FenAdvice *advice, FenConfig *config);

/* After the device ran out of memory: a quarter of the context, then half of that again each time, rounded down to
 * what a window may be; 0 when there is nothing smaller to try. `window` is the one that failed, 0 = full. */
gint64 fen_advice_window_after_out_of_memory (gint64 context, gint64 window);

G_END_DECLS
