/* fen-feed.c: generating: tokens in, logits of the next one out, keys and values kept.
 *
 * A layer with full attention keeps the keys and values of all tokens, by position. A windowed layer keeps the
 * sinks and a ring of its window W: position p lies in row p (sinks) or sinks + (p - sinks) mod W.
 *
 * One token: it sees exactly what the ring then holds, and softmax does not care about the order of keys (their
 * positions are in their rotation already), so attention runs over the ring as it lies, without a mask.
 * A block of a prompt: each query has its own window, so order matters. The block is run over a copy in order:
 *     [ sinks | the last W - 1 positions before the block | the block ]
 * Rows of that copy serve as positions: distances are true but between sinks and the rest, where no mask looks.
 */
#include "core/engine/fen-engine-private.h"

gint64
fen_feed_cache_rows (const FenPlan *plan, gint64 layer)
{
  const FenPlanSettings *s = &plan->settings;
  gint64 window = s->layer_window[layer];
  return window == 0 ? s->row_tokens : MIN (s->row_tokens, s->sinks + window);
}

/* A layer's cache, as seen by the block [n_fed, n_fed + n). */
typedef struct {
  char *rows; /* the cache */
  gint64 row_bytes;
  gint64 window, sinks;
  gboolean ring;
} Cache;

static char *
cache_row (const Cache *cache, gint64 position)
{
  gint64 row = position;
  if (cache->ring && position >= cache->sinks)
    row = cache->sinks + (position - cache->sinks) % cache->window;
  return cache->rows + row * cache->row_bytes;
}

/* Positions [from, to) between the cache and `rows` in order; runs end where the ring wraps. */
static void
copy_rows (FenStep *step, const Cache *cache, gint64 from, gint64 to, char *rows, gboolean into_cache)
{
  while (from < to)
    {
      gint64 end = to;
      char *row = cache_row (cache, from);
      if (from < cache->sinks)
        end = MIN (to, cache->sinks);
      else
        end = MIN (to, from + cache->window - (from - cache->sinks) % cache->window);
      if (into_cache)
        fen_ops_copy (&step->ops, row, rows, (guint64)((end - from) * cache->row_bytes));
      else
        fen_ops_copy (&step->ops, rows, row, (guint64)((end - from) * cache->row_bytes));
      rows += (end - from) * cache->row_bytes;
      from = end;
    }
}

/* Where the block's keys and values go and what its queries see. */
static void
place_keys (FenStep *step, FenVisit *v, const Cache *cache, gint64 n_fed, gint64 n)
{
  char *rows = cache->rows;
  gint64 value = v->ldkv / 2 * (gint64)fen_dtype_size (step->plan->settings.storage);

  v->q0 = n_fed;
  v->nk = n_fed + n;
  v->kv = cache_row (cache, n_fed);
  if (cache->ring && n == 1)
    {
      v->nk = MIN (v->nk, cache->sinks + cache->window);
      v->q0 = v->nk - 1;
      v->window = v->sinks = 0;
    }
  else if (cache->ring)
    {
      gint64 kept = MIN (cache->sinks, n_fed);
      gint64 first = MAX (kept, n_fed - cache->window + 1);
      rows = fen_step_buffer (step, FEN_STEP_KV_BLOCK);
      copy_rows (step, cache, 0, kept, rows, FALSE);
      copy_rows (step, cache, first, n_fed, rows + kept * cache->row_bytes, FALSE);
      v->q0 = kept + n_fed - first;
      v->nk = v->q0 + n;
      v->kv = rows + v->q0 * cache->row_bytes;
    }
  v->keys = fen_head_view (step, rows, v->ldkv, v->nk);
  v->values = fen_head_view (step, rows + value, v->ldkv, v->nk);
}

/* The block's rows that the ring is to hold, from the ordered copy. */
static void
keep_block (FenStep *step, const FenVisit *v, const Cache *cache, gint64 n_fed, gint64 n)
{
  gint64 sinks_end = MIN (MAX (cache->sinks, n_fed), n_fed + n);
  gint64 first = MAX (sinks_end, n_fed + n - cache->window);

  if (!cache->ring || n == 1)
    return;
  copy_rows (step, cache, n_fed, sinks_end, v->kv, TRUE);
  copy_rows (step, cache, first, n_fed + n, v->kv + (first - n_fed) * cache->row_bytes, TRUE);
}

static void
feed_layer (FenStep *step, gint64 layer, gint64 n_fed, gint64 n)
{
  const FenModelConfig *m = step->config;
  const FenPlanSettings *s = &step->plan->settings;
  const FenPass pass = FEN_PASS_FORWARD;
  FenVisit v = { .layer = layer,
                 .rows = 1,
                 .row_n = n,
                 .n = n,
                 .window = s->layer_window[layer],
                 .sinks = s->sinks,
                 .ldq = m->heads * m->head_dim,
                 .ldkv = 2 * m->kv_heads * m->head_dim,
                 .out_add = TRUE };
  Cache cache = { .window = v.window, .sinks = s->sinks };

  cache.row_bytes = v.ldkv * (gint64)fen_dtype_size (s->storage);
  cache.ring = fen_feed_cache_rows (step->plan, layer) < s->row_tokens;
  fen_step_enter (step, fen_plan_forward_phase (step->plan, layer, FEN_FORWARD_ATTENTION));
  cache.rows = fen_step_layer_buffer (step, pass, layer, FEN_LAYER_KV);
  v.x = v.xmid = v.out = fen_step_buffer (step, FEN_STEP_X_FINAL);
  v.h1 = fen_step_layer_buffer (step, pass, layer, FEN_LAYER_H1);
  v.q = fen_step_layer_buffer (step, pass, layer, FEN_LAYER_Q);
  v.o = fen_step_layer_buffer (step, pass, layer, FEN_LAYER_O);
  v.h2 = fen_step_layer_buffer (step, pass, layer, FEN_LAYER_H2);
  place_keys (step, &v, &cache, n_fed, n);
  fen_layer_qkv (step, &v, FEN_WANT_Q | FEN_WANT_KV);
  fen_layer_attend (step, &v);
  keep_block (step, &v, &cache, n_fed, n);

  fen_step_enter (step, fen_plan_forward_phase (step->plan, layer, FEN_FORWARD_MLP));
  v.up = fen_step_layer_buffer (step, pass, layer, FEN_LAYER_UP);
  v.act = fen_step_layer_buffer (step, pass, layer, FEN_LAYER_ACT);
  fen_layer_mlp_up (step, &v);
  fen_layer_mlp_down (step, &v);
}

/* Logits of the last of n rows, in the logits' buffer. */
static void
feed_head (FenStep *step, gint64 n)
{
  const FenModelConfig *m = step->config;
  const FenDType dtype = step->plan->settings.storage;
  const char *x = fen_step_buffer (step, FEN_STEP_X_FINAL);
  FenNormForward norm = { .kind = m->norm,
                          .rows = 1,
                          .width = m->hidden,
                          .dtype = dtype,
                          .epsilon = (float)m->norm_epsilon,
                          .x = x + (n - 1) * m->hidden * (gint64)fen_dtype_size (dtype),
                          .weight = fen_step_weight (step, -1, FEN_SLOT_FINAL_NORM_WEIGHT),
                          .bias = fen_step_weight (step, -1, FEN_SLOT_FINAL_NORM_BIAS) };

  fen_step_enter (step, fen_plan_head_phase (step->plan));
  norm.y = fen_step_buffer (step, FEN_STEP_DX);
  fen_ops_norm_forward (&step->ops, &norm);
  fen_head_logits_row (step, norm.y, fen_step_buffer (step, FEN_STEP_LOGITS));
}

/* n <= FEN_PROMPT_BLOCK tokens (host memory) that follow n_fed others. */
void
fen_feed_block (FenStep *step, const gint32 *tokens, gint64 n_fed, gint64 n)
{
  gint32 positions[FEN_PROMPT_BLOCK];
  FenEmbeddingForward embedding = { .rows = n,
                                    .width = step->config->hidden,
                                    .dtype = step->plan->settings.storage,
                                    .tokens = fen_step_buffer (step, FEN_STEP_TOKENS),
                                    .positions = fen_step_buffer (step, FEN_STEP_POSITIONS),
                                    .token_table = fen_step_weight (step, -1, FEN_SLOT_TOKEN_EMBEDDING),
                                    .position_table = fen_step_weight (step, -1, FEN_SLOT_POSITION_EMBEDDING),
                                    .out = fen_step_buffer (step, FEN_STEP_X_FINAL) };

  for (gint64 i = 0; i < n; i++)
    positions[i] = (gint32)(n_fed + i);
  fen_step_enter (step, 0);
  fen_ops_copy (&step->ops, fen_step_buffer (step, FEN_STEP_TOKENS), tokens, (guint64)n * 4);
  fen_ops_copy (&step->ops, fen_step_buffer (step, FEN_STEP_POSITIONS), positions, (guint64)n * 4);
  fen_ops_embedding_forward (&step->ops, &embedding);
  for (gint64 layer = 0; layer < step->config->layers; layer++)
    feed_layer (step, layer, n_fed, n);
  feed_head (step, n);
}

gboolean
fen_engine_feed (FenEngine *engine, const gint32 *tokens, gint64 n, float *logits, GError **error)
{
  FenStep *step = &engine->step;
  const gint64 limit = engine->plan->settings.row_tokens, block = engine->plan->settings.chunk;

  if (engine->plan->purpose != FEN_PLAN_GENERATE)
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "generating needs a plan made for generating, not for training");
      return FALSE;
    }
  if (n < 1 || n > limit - engine->n_fed)
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                   "%" G_GINT64_FORMAT " tokens after %" G_GINT64_FORMAT
                   " are more than max_seq_len %" G_GINT64_FORMAT,
                   n, engine->n_fed, limit);
      return FALSE;
    }
  for (gint64 i = 0; i < n; i++)
    if (tokens[i] < 0 || tokens[i] >= step->config->vocab_size)
      {
        g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED,
                     "token %d is outside the model's vocabulary of %" G_GINT64_FORMAT, tokens[i],
                     step->config->vocab_size);
        return FALSE;
      }
  for (gint64 i = 0; i < n; i += block)
    {
      gint64 now = MIN (block, n - i);
      fen_feed_block (step, tokens + i, engine->n_fed, now);
      engine->n_fed += now;
    }
  fen_ops_copy (&step->ops, logits, fen_step_buffer (step, FEN_STEP_LOGITS),
                (guint64)step->config->vocab_size * 4);
  engine->backend->synchronize (engine->device, step->ops.stream);
  return fen_engine_finish (engine, error);
}

void
fen_engine_rewind (FenEngine *engine)
{
  engine->n_fed = 0;
}

gint64
fen_engine_n_fed (const FenEngine *engine)
{
  return engine->n_fed;
}
