/* fen-advice.c: the rules of thumb as tables (see fen-advice.h). */
#include "core/config/fen-advice.h"

#include <glib/gi18n-lib.h>

#define K 1024
#define GIBIBYTE (G_GUINT64_CONSTANT (1) << 30)
#define SMALL_DEVICE_BYTES (12 * GIBIBYTE)
#define SMALLEST_WINDOW 256

typedef struct {
  gint64 below; /* the row holds for contexts below this */
  gint64 window_min, window_max;
  gboolean full_attention_fine;
  const char *reason;
} WindowRow;

static const WindowRow windows[] = {
  { 2 * K, 0, 0, TRUE, N_ ("a context this short gains nothing from a window") },
  { 8 * K, 2048, 2048, TRUE,
    N_ ("full attention is affordable here; 2048 is faster from about 4,000 tokens") },
  { 16 * K, 2048, 4096, FALSE, N_ ("attention would cost more than the rest of the model without one") },
  { 32 * K, 1024, 2048, FALSE, N_ ("layers pass on what lies further back, and time grows with the window") },
  { 64 * K, 512, 1024, FALSE, N_ ("at this length a small window is what keeps a step short") },
  { 100 * K, 256, 512, FALSE, N_ ("at this length a small window is what keeps a step short") },
  { G_MAXINT64, 256, 256, FALSE, N_ ("beyond 100,000 tokens only the smallest windows keep a step short") },
};

/* By task; below = 0 stands for any context. */
static const WindowRow tasks[] = {
  [FEN_TASK_GLOBAL] = { 0, 0, 0, TRUE, N_ ("the task needs every token to see the whole text") },
  [FEN_TASK_DOCUMENTS] = { 0, 1024, 4096, FALSE, N_ ("documents and stories refer back over pages") },
  [FEN_TASK_STREAMS] = { 0, 256, 512, FALSE, N_ ("in streams and chat logs what matters is near") },
};

typedef struct {
  gint64 below;
  gint64 chunk_min, chunk_max, chunk_size;
  gboolean chunked;  /* on every device */
  gboolean if_small; /* optional on a small device */
  gboolean offload;
  const char *reason;
} MethodRow;

static const MethodRow methods[] = {
  { 2 * K + 1, 0, 0, 0, FALSE, FALSE, FALSE,
    N_ ("up to 2,048 tokens, with memory to spare, even plain attention would do") },
  { 4 * K, 0, 0, 0, FALSE, FALSE, FALSE, N_ ("it is enough up to 4,096 tokens") },
  { 16 * K, 2048, 4096, 4096, FALSE, TRUE, FALSE, N_ ("chunks are worth trying on 12 GB or less") },
  { 32 * K, 4096, 4096, 4096, TRUE, FALSE, FALSE, N_ ("activations of the whole row would fill the memory") },
  { 64 * K, 2048, 2048, 2048, TRUE, FALSE, FALSE, N_ ("activations of the whole row would fill the memory") },
  { 100 * K, 512, 1024, 1024, TRUE, FALSE, FALSE, N_ ("small chunks leave the memory to the checkpoints") },
  { G_MAXINT64, 256, 512, 512, TRUE, FALSE, TRUE,
    N_ ("the checkpoints alone outgrow a card, so they go to host memory") },
};

/* The pick within a row: none under 8K, 2048 under 32K, otherwise 512. */
static gint64
rule_of_thumb (gint64 context)
{
  return context < 8 * K ? 0 : context < 32 * K ? 2048 : 512;
}

static void
advise_window (gint64 context, FenAdviceTask task, FenAdvice *advice)
{
  const WindowRow *row = &tasks[task];
  if (task == FEN_TASK_ANY)
    for (row = windows; context >= row->below && row->below != G_MAXINT64;)
      row++;
  advice->window_min = row->window_min;
  advice->window_max = row->window_max;
  advice->full_attention_fine = row->full_attention_fine;
  advice->window_reason = row->reason;
  gint64 pick = rule_of_thumb (context);
  if (!row->full_attention_fine)
    pick = CLAMP (pick, row->window_min, row->window_max);
  else if (task == FEN_TASK_GLOBAL)
    pick = 0;
  if (pick >= context)
    {
      pick = 0;
      advice->full_attention_fine = TRUE;
      advice->window_reason = N_ ("a window as large as the context is just full attention");
    }
  advice->window_size = pick;
}

static void
advise_method (gint64 context, guint64 memory_bytes, FenAdvice *advice)
{
  const MethodRow *row = methods;
  while (context >= row->below && row->below != G_MAXINT64)
    row++;
  gboolean small = memory_bytes > 0 && memory_bytes <= SMALL_DEVICE_BYTES;
  advice->use_flash_attn = TRUE;
  advice->use_chunked_training = row->chunked;
  advice->chunking_optional = row->if_small && small;
  if (row->chunked || advice->chunking_optional)
    {
      advice->chunk_size = row->chunk_size;
      advice->chunk_min = row->chunk_min;
      advice->chunk_max = row->chunk_max;
    }
  advice->cpu_offload = row->offload;
  advice->method_reason = row->reason;
  if (row->if_small && !small)
    advice->method_reason
        = memory_bytes > 0 ? N_ ("this device has the memory for the whole row") : row->reason;
}

void
fen_advice_for (gint64 context, FenAdviceTask task, guint64 memory_bytes, FenAdvice *advice)
{
  *advice = (FenAdvice){ 0 };
  advise_window (context, task, advice);
  advise_method (context, memory_bytes, advice);
}

/* "2048 (1024 to 4096)" */
static char *
with_range (gint64 pick, gint64 min, gint64 max)
{
  if (min >= max)
    return g_strdup_printf ("%" G_GINT64_FORMAT, pick);
  g_autofree char *low = g_strdup_printf ("%" G_GINT64_FORMAT, min);
  g_autofree char *high = g_strdup_printf ("%" G_GINT64_FORMAT, max);
  g_autofree char *middle = g_strdup_printf ("%" G_GINT64_FORMAT, pick);
  /* TRANSLATORS: a number of tokens, and the range that is reasonable. */
  return g_strdup_printf (_ ("%s (%s to %s)"), middle, low, high);
}

static char *
window_text (const FenAdvice *advice)
{
  if (advice->window_size == 0)
    return g_strdup (_ ("No window"));
  g_autofree char *tokens = with_range (advice->window_size, advice->window_min, advice->window_max);
  /* TRANSLATORS: a window of attention, in tokens. */
  return g_strdup_printf (_ ("Window %s"), tokens);
}

static char *
method_text (const FenAdvice *advice)
{
  g_autofree char *tokens = with_range (advice->chunk_size, advice->chunk_min, advice->chunk_max);
  if (!advice->use_chunked_training && !advice->chunking_optional)
    return g_strdup (advice->cpu_offload ? _ ("FlashAttn-2 alone and CPU offload") : _ ("FlashAttn-2 alone"));
  if (!advice->use_chunked_training)
    return g_strdup_printf (_ ("FlashAttn-2 alone, or with chunks of %s"), tokens);
  return g_strdup_printf (advice->cpu_offload ? _ ("FlashAttn-2 with chunks of %s and CPU offload")
                                              : _ ("FlashAttn-2 with chunks of %s"),
                          tokens);
}

char *
fen_advice_to_text (const FenAdvice *advice)
{
  g_autofree char *window = window_text (advice), *method = method_text (advice);
  /* TRANSLATORS: "Window 2048", why, "FlashAttn-2 alone", why. */
  return g_strdup_printf (_ ("%s: %s; %s: %s."), window, _ (advice->window_reason), method,
                          _ (advice->method_reason));
}

void
fen_advice_apply (const FenAdvice *advice, FenConfig *config)
{
  config->window_size = advice->window_size;
  config->use_flash_attn = advice->use_flash_attn;
  config->use_chunked_training = advice->use_chunked_training;
  if (advice->use_chunked_training)
    config->chunk_size = advice->chunk_size;
}

gint64
fen_advice_window_after_out_of_memory (gint64 context, gint64 window)
{
  gboolean full = window == 0 || window >= context;
  /* A window that was already at a quarter or below is halved; anything above falls back to the quarter. */
  gint64 next = full || window > context / 4 ? context / 4 : window / 2;
  return next >= SMALLEST_WINDOW ? next : 0;
}
