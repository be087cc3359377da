/* fen-config-validate.c: settings against each other and against a model's shape (see fen-config.h).
 *
 * What cannot run is an error that names both settings and the fix. What runs but does not do what one may expect is
 * a note. Each rule is a function of its own; the lists at the end are all of them. */
#include "core/config/fen-config-private.h"

#define INT G_GINT64_FORMAT

static void G_GNUC_PRINTF (2, 3) note (GPtrArray *notes, const char *format, ...)
{
  if (notes == NULL)
    return;
  va_list args;
  va_start (args, format);
  g_ptr_array_add (notes, g_strdup_vprintf (format, args));
  va_end (args);
}

static gboolean G_GNUC_PRINTF (2, 3) conflict (GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_CONFLICT, message);
  return FALSE;
}

/* ---- settings alone ---- */

/* A run's number of tokens is counted in 64 bits everywhere. */
static gboolean
check_tokens (const FenConfig *config, GPtrArray *notes, GError **error)
{
  guint64 tokens = (guint64)config->max_seq_len;
  if (g_uint64_checked_mul (&tokens, tokens, (guint64)config->batch_size)
      && g_uint64_checked_mul (&tokens, tokens, (guint64)config->gradient_accumulation_steps)
      && g_uint64_checked_mul (&tokens, tokens, (guint64)config->steps)
      && tokens <= (G_GUINT64_CONSTANT (1) << 62))
    return TRUE;
  return conflict (error,
                   "max_seq_len %" INT " x batch_size %" INT " x gradient_accumulation_steps %" INT
                   " x steps %" INT " is more than 2^62 tokens: lower one of them",
                   config->max_seq_len, config->batch_size, config->gradient_accumulation_steps,
                   config->steps);
}

static gboolean
check_window (const FenConfig *config, GPtrArray *notes, GError **error)
{
  const gint64 window = config->window_size, context = config->max_seq_len, sinks = config->sink_tokens;
  gboolean used = config->window_pattern != FEN_WINDOW_MODEL;
  if (used && window == 0 && config->window_pattern == FEN_WINDOW_ALTERNATE)
    note (notes, "window_pattern alternate has no effect: window_size is 0, full attention");
  if (used && window >= context)
    note (notes, "window_size %" INT " >= max_seq_len %" INT ": full attention", window, context);
  else if (used && window > 0 && window + sinks >= context)
    note (notes, "window_size %" INT " + sink_tokens %" INT " >= max_seq_len %" INT ": full attention",
          window, sinks, context);
  else if (used && window > 0 && sinks > window)
    note (notes, "sink_tokens %" INT " > window_size %" INT ": tokens see more sinks than neighbours", sinks,
          window);
  if (used && sinks > 0 && (window == 0 || window >= context))
    note (notes, "sink_tokens %" INT " has no effect: full attention sees every token", sinks);
  return TRUE;
}

static gboolean
check_chunks (const FenConfig *config, GPtrArray *notes, GError **error)
{
  if (!config->use_chunked_training)
    {
      if (config->chunk_carry == FEN_CARRY_TRUNCATED)
        return conflict (error, "chunk_carry truncated needs use_chunked_training: switch that on, or set "
                                "chunk_carry to exact");
      return TRUE;
    }
  if (config->chunk_size >= config->max_seq_len)
    note (notes, "chunk_size %" INT " >= max_seq_len %" INT ": one chunk, the same as without chunking",
          config->chunk_size, config->max_seq_len);
  else if (config->chunk_carry == FEN_CARRY_TRUNCATED)
    note (notes, "chunk_carry truncated is not exact: gradients stop at chunk borders");
  return TRUE;
}

static gboolean
check_memory (const FenConfig *config, GPtrArray *notes, GError **error)
{
  if (config->checkpoint_attention && !config->gradient_checkpointing && !config->use_chunked_training)
    note (notes, "checkpoint_attention has no effect: gradient_checkpointing is off, everything is kept");
  if (!config->amp && config->amp_dtype == FEN_AMP_BF16)
    note (notes, "amp_dtype bf16 has no effect: amp is off");
  if (!config->amp && config->amp_dtype == FEN_AMP_FP16)
    note (notes, "amp_dtype fp16 has no effect: amp is off");
  return TRUE;
}

static gboolean
check_schedule (const FenConfig *config, GPtrArray *notes, GError **error)
{
  const gint64 warmup = config->warmup_steps, steps = config->steps;
  if (warmup > steps)
    note (notes, "warmup_steps %" INT " > steps %" INT ": the learning rate never reaches learning_rate",
          warmup, steps);
  else if (warmup == steps && config->lr_schedule != FEN_LR_CONSTANT)
    note (notes, "warmup_steps %" INT " = steps %" INT ": the learning rate rises to the end and never falls",
          warmup, steps);
  else if (config->lr_schedule == FEN_LR_WSD
           && (double)warmup + config->lr_decay_share * (double)steps > (double)steps)
    note (notes, "warmup_steps %" INT " and lr_decay_share overlap in %" INT " steps: the decay is shortened",
          warmup, steps);
  if (config->lr_schedule != FEN_LR_CONSTANT && config->min_lr_ratio == 1)
    note (notes, "min_lr_ratio 1: the learning rate stays where it is after the warm-up");
  if (config->learning_rate == 0)
    note (notes, "learning_rate 0: nothing is learned");
  return TRUE;
}

static gboolean
check_files (const FenConfig *config, GPtrArray *notes, GError **error)
{
  const char *const inputs[][2] = {
    { "dataset_file", config->dataset_file },
    { "tokenizer", config->tokenizer },
    { "model", config->model },
  };
  if (config->log_file[0] == '\0')
    return TRUE;
  g_autofree char *log = g_canonicalize_filename (config->log_file, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (inputs); i++)
    {
      g_autofree char *input = inputs[i][1][0] != '\0' ? g_canonicalize_filename (inputs[i][1], NULL) : NULL;
      if (input != NULL && g_str_equal (log, input))
        return conflict (error,
                         "log_file and %s are the same file, %s, which would be written over: name another",
                         inputs[i][0], inputs[i][1]);
    }
  return TRUE;
}

/* Settings that something else switches off. Told only when they were changed: a default says nothing. */
static gboolean
check_unused (const FenConfig *config, GPtrArray *notes, GError **error)
{
  const gboolean no_jsonl = config->dataset_file[0] == '\0' || g_str_has_suffix (config->dataset_file, ".txt");
  const gboolean model_window = config->window_pattern == FEN_WINDOW_MODEL;
  const struct {
    gboolean off;
    const char *name, *why;
  } rules[] = {
    { no_jsonl, "text_field", "the dataset is no .jsonl file" },
    { model_window, "window_size", "window_pattern model takes the model's own windows" },
    { config->lr_schedule != FEN_LR_WSD, "lr_decay_share", "lr_schedule is not wsd" },
    { config->lr_schedule == FEN_LR_CONSTANT, "min_lr_ratio", "lr_schedule is constant" },
    { config->weight_decay == 0, "decay_all", "weight_decay is 0" },
    { config->eval_share == 0, "eval_interval", "eval_share is 0" },
    { config->eval_share == 0, "eval_rows", "eval_share is 0" },
    { !config->use_chunked_training, "chunk_size", "use_chunked_training is off" },
  };
  g_autoptr (FenConfig) defaults = fen_config_new ();
  for (guint i = 0; i < G_N_ELEMENTS (rules); i++)
    {
      const FenOption *option = fen_config_find_option (rules[i].name);
      g_autofree char *value = fen_config_get_text (config, option);
      g_autofree char *usual = fen_config_get_text (defaults, option);
      if (rules[i].off && !g_str_equal (value, usual))
        note (notes, "%s %s has no effect: %s", rules[i].name, value, rules[i].why);
    }
  return TRUE;
}

static gboolean
check_evaluation (const FenConfig *config, GPtrArray *notes, GError **error)
{
  if (config->eval_share == 0)
    note (notes, "eval_share 0: no text is kept out, so there is no evaluation");
  return TRUE;
}

gboolean
fen_config_validate (const FenConfig *config, GPtrArray *notes, GError **error)
{
  static gboolean (*const checks[]) (const FenConfig *, GPtrArray *, GError **) = {
    check_tokens, check_window, check_chunks, check_memory, check_schedule, check_files, check_evaluation,
    check_unused,
  };
  if (!fen_config_check_ranges (config, NULL, NULL, error))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (checks); i++)
    if (!checks[i](config, notes, error))
      return FALSE;
  return TRUE;
}

/* ---- with a model ---- */

static gboolean
check_heads (const FenConfig *config, const FenModelShape *shape, GPtrArray *notes, GError **error)
{
  if (shape->hidden < 1 || shape->heads < 1 || shape->kv_heads < 1 || shape->layers < 1)
    return conflict (error,
                     "model %s: %" INT " layers, hidden size %" INT ", %" INT " heads and %" INT
                     " key/value heads must all be at least 1",
                     config->model, shape->layers, shape->hidden, shape->heads, shape->kv_heads);
  if (shape->hidden % shape->heads != 0)
    return conflict (error, "model %s: its %" INT " heads do not divide its hidden size %" INT, config->model,
                     shape->heads, shape->hidden);
  if (shape->heads % shape->kv_heads != 0)
    return conflict (error, "model %s: its %" INT " key/value heads do not divide its %" INT " heads",
                     config->model, shape->kv_heads, shape->heads);
  return TRUE;
}

static gboolean
check_positions (const FenConfig *config, const FenModelShape *shape, GPtrArray *notes, GError **error)
{
  if (shape->max_positions == 0 || config->max_seq_len <= shape->max_positions)
    return TRUE;
  if (shape->learned_positions)
    return conflict (error,
                     "max_seq_len %" INT " is more than the %" INT
                     " positions that model %s has: set max_seq_len to "
                     "%" INT " or less, or use a model with rotary positions (10M, llama-1b, ...)",
                     config->max_seq_len, shape->max_positions, config->model, shape->max_positions);
  note (notes,
        "max_seq_len %" INT " is more than the %" INT " positions that model %s was made for: it must learn "
        "to use the others",
        config->max_seq_len, shape->max_positions, config->model);
  return TRUE;
}

static gboolean
check_vocabulary (const FenConfig *config, const FenModelShape *shape, GPtrArray *notes, GError **error)
{
  if (config->vocab_size == 0 || shape->vocab_size == 0 || config->vocab_size == shape->vocab_size)
    return TRUE;
  return conflict (
      error, "vocab_size %" INT " differs from model %s's own vocabulary of %" INT ": leave vocab_size at 0",
      config->vocab_size, config->model, shape->vocab_size);
}

static gboolean
check_model_window (const FenConfig *config, const FenModelShape *shape, GPtrArray *notes, GError **error)
{
  gboolean full = config->window_size == 0 || config->window_size >= config->max_seq_len;
  if (config->window_pattern == FEN_WINDOW_MODEL)
    {
      if (shape->model_window == 0)
        note (notes, "window_pattern model: model %s has no window of its own: full attention",
              config->model);
    }
  else if (shape->model_window > 0 && full && config->max_seq_len > shape->model_window)
    note (notes,
          "model %s was made with a window of %" INT " tokens and runs with full attention; window_pattern "
          "model keeps its own",
          config->model, shape->model_window);
  else if (shape->model_window > 0 && !full && config->window_size != shape->model_window)
    note (notes,
          "window_size %" INT " replaces model %s's own window of %" INT "; window_pattern model keeps that",
          config->window_size, config->model, shape->model_window);
  return TRUE;
}

gboolean
fen_config_validate_model (const FenConfig *config, const FenModelShape *shape, GPtrArray *notes,
                           GError **error)
{
  static gboolean (*const checks[]) (const FenConfig *, const FenModelShape *, GPtrArray *, GError **) = {
    check_heads,
    check_positions,
    check_vocabulary,
    check_model_window,
  };
  for (guint i = 0; i < G_N_ELEMENTS (checks); i++)
    if (!checks[i](config, shape, notes, error))
      return FALSE;
  return TRUE;
}
