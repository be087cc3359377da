/* fen-batch.c: a micro-batch from the caller's arrays to the device, checked first.
 *
 * A device with memory of its own is fed through slots of the pinned host arena: the arrays are copied into one, the
 * copies to the device are enqueued, and the call returns while they wait for their turn behind the work of the step
 * before. Copies straight from the caller's memory would make the driver wait for that work. A slot is used again when
 * the event behind its last copies is done, so the program runs FEN_STAGING_SLOTS micro-batches ahead at most.
 */
#include "core/engine/fen-engine-private.h"

static gboolean
check_ids (const gint32 *ids, gint64 row_tokens, gint64 n, gint32 lowest, gint64 limit, const char *what,
           GError **error)
{
  for (gint64 i = 0; i < n; i++)
    if (G_UNLIKELY (ids[i] < lowest || ids[i] >= limit))
      {
        g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                     "%s %d at row %" G_GINT64_FORMAT ", token %" G_GINT64_FORMAT
                     " is out of range (below %" G_GINT64_FORMAT ")",
                     what, ids[i], i / row_tokens, i % row_tokens, limit);
        return FALSE;
      }
  return TRUE;
}

static gboolean
check_documents (const FenBatch *batch, GError **error)
{
  const gint64 n = batch->rows * batch->row_tokens;

  if ((batch->doc_start == NULL) != (batch->doc_end == NULL))
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "document starts and ends come together or not at all");
      return FALSE;
    }
  for (gint64 i = 0; batch->doc_start != NULL && i < n; i++)
    {
      gint64 p = i % batch->row_tokens;
      if (batch->doc_start[i] < 0 || batch->doc_start[i] > p || batch->doc_end[i] <= p
          || batch->doc_end[i] > batch->row_tokens)
        {
          g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                       "document [%d, %d) does not hold its token %" G_GINT64_FORMAT
                       " of row %" G_GINT64_FORMAT,
                       batch->doc_start[i], batch->doc_end[i], p, i / batch->row_tokens);
          return FALSE;
        }
    }
  return TRUE;
}

static gboolean
check_batch (const FenEngine *engine, const FenBatch *batch, GError **error)
{
  const FenPlanSettings *s = &engine->plan->settings;
  const FenModelConfig *m = engine->step.config;
  gint64 n, positions = m->learned_positions ? m->max_positions : G_MAXINT32;

  if (engine->plan->purpose != FEN_PLAN_TRAIN)
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "a batch needs a plan made for training, not for generating");
      return FALSE;
    }
  if (batch->rows < 1 || batch->rows > s->rows || batch->row_tokens < 1 || batch->row_tokens > s->row_tokens)
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "a batch of %" G_GINT64_FORMAT " x %" G_GINT64_FORMAT
                   " tokens is not in the plan's %" G_GINT64_FORMAT " x %" G_GINT64_FORMAT,
                   batch->rows, batch->row_tokens, s->rows, s->row_tokens);
      return FALSE;
    }
  n = batch->rows * batch->row_tokens;
  return check_ids (batch->tokens, batch->row_tokens, n, 0, m->vocab_size, "token", error)
         && (batch->targets == NULL
             || check_ids (batch->targets, batch->row_tokens, n, G_MININT32, m->vocab_size, "target", error))
         && (batch->positions == NULL
             || check_ids (batch->positions, batch->row_tokens, n, 0, positions, "position", error))
         && check_documents (batch, error);
}

/* ---- the way to the device ---- */

#define ARRAYS 5 /* tokens, targets, positions, document starts and ends */
#define STATISTICS ((guint64)256)

static guint64
array_bytes (const FenPlan *plan)
{
  return ((guint64)(plan->settings.rows * plan->settings.row_tokens) * 4 + 255) / 256 * 256;
}

guint64
fen_batch_host_bytes (const FenPlan *plan)
{
  if (plan->device.host_memory)
    return 0;
  return STATISTICS + (plan->purpose == FEN_PLAN_TRAIN ? FEN_STAGING_SLOTS * ARRAYS * array_bytes (plan) : 0);
}

/* Where array `index` of the slot goes through; NULL without a pinned arena. */
static void *
staging (FenEngine *engine, guint index)
{
  char *arena = engine->host_arena;
  if (arena == NULL)
    return NULL;
  return arena + STATISTICS + (engine->slot * ARRAYS + index) * array_bytes (engine->plan);
}

static void
write_array (FenEngine *engine, guint index, FenStepBuffer id, const gint32 *values, gint64 n)
{
  FenStep *step = &engine->step;
  void *pinned = staging (engine, index);

  if (pinned != NULL && pinned != values)
    memcpy (pinned, values, (gsize)n * 4);
  fen_ops_copy (&step->ops, fen_step_buffer (step, id), pinned != NULL ? pinned : values, (guint64)n * 4);
}

static void
count_positions (gint32 *positions, gint64 first, gint64 n, gint64 row_tokens)
{
  for (gint64 i = 0; i < n; i++)
    positions[i] = (gint32)((first + i) % row_tokens);
}

/* Without positions, a token's place in its row is its position. */
static void
write_positions (FenEngine *engine, const FenBatch *batch, gint64 n)
{
  FenStep *step = &engine->step;
  gint32 *device = fen_step_buffer (step, FEN_STEP_POSITIONS), *pinned = staging (engine, 2);
  gint32 piece[1024];

  if (batch->positions != NULL)
    {
      write_array (engine, 2, FEN_STEP_POSITIONS, batch->positions, n);
      return;
    }
  if (pinned != NULL)
    {
      count_positions (pinned, 0, n, batch->row_tokens);
      write_array (engine, 2, FEN_STEP_POSITIONS, pinned, n);
      return;
    }
  for (gint64 i = 0; i < n; i += (gint64)G_N_ELEMENTS (piece))
    {
      gint64 now = MIN ((gint64)G_N_ELEMENTS (piece), n - i);
      count_positions (piece, i, now, batch->row_tokens);
      fen_ops_copy (&step->ops, device + i, piece, (guint64)now * 4);
    }
}

gboolean
fen_batch_write (FenEngine *engine, const FenBatch *batch, GError **error)
{
  FenStep *step = &engine->step;
  const gint64 n = batch->rows * batch->row_tokens;

  if (!check_batch (engine, batch, error))
    return FALSE;
  step->rows = batch->rows;
  step->row_tokens = batch->row_tokens;
  step->documents = batch->doc_start != NULL;
  fen_step_begin (step);
  engine->slot = (engine->slot + 1) % FEN_STAGING_SLOTS;
  engine->backend->event_synchronize (engine->device, engine->staged[engine->slot]);
  write_array (engine, 0, FEN_STEP_TOKENS, batch->tokens, n);
  if (batch->targets != NULL)
    write_array (engine, 1, FEN_STEP_TARGETS, batch->targets, n);
  write_positions (engine, batch, n);
  if (step->documents)
    {
      write_array (engine, 3, FEN_STEP_DOC_START, batch->doc_start, n);
      write_array (engine, 4, FEN_STEP_DOC_END, batch->doc_end, n);
    }
  engine->backend->event_record (engine->device, step->ops.stream, engine->staged[engine->slot]);
  return TRUE;
}
