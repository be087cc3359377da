/* fen-config-check.c: settings against each other and against a model's shape (see fen-config.h).
 *
 * What cannot run is an error that names both settings and the fix. What runs but does not do what one may expect is
 * a note. What other settings leave without effect is inactive, with the reason; a setting is never inactive because
 * of its own value, since a row that cannot be reached could not be put right. Each rule is a function of its own; the
 * lists at the end are all of them.
 *
 * One sentence serves the command line (names) and the window (titles): settings and numbers are filled in as words. */
#include "core/config/fen-config-private.h"

#include <glib/gi18n-lib.h>

typedef struct {
  const FenConfig *config;
  const FenModelShape *shape; /* NULL in rules that need no model */
  FenWords words;
  GStringChunk *texts; /* what the sentences are filled with */
  GPtrArray *findings;
} Check;

/* ---- words ---- */

/* A setting: "window_size", "Window Size". */
static const char *
name_of (Check *check, const char *name)
{
  const FenOption *option = fen_config_find_option (name);
  return check->words == FEN_WORDS_TITLES ? _ (option->title) : option->name;
}

static const char *
number (Check *check, gint64 value)
{
  g_autofree char *text = fen_int_to_words (value, check->words);
  return g_string_chunk_insert (check->texts, text);
}

/* Its value now. */
static const char *
value_of (Check *check, const char *name)
{
  const FenOption *option = fen_config_find_option (name);
  FenValue value;
  fen_value_load (check->config, option, &value);
  if (option->type == FEN_OPTION_INT)
    return number (check, value.integer);
  g_autofree char *text = fen_config_get_words (check->config, option, check->words);
  return g_string_chunk_insert (check->texts, text);
}

/* One of its choices. */
static const char *
choice_of (Check *check, const char *name, int choice)
{
  const FenOption *option = fen_config_find_option (name);
  return check->words == FEN_WORDS_TITLES ? _ (option->choice_titles[choice]) : option->choices[choice];
}

/* ---- findings ---- */

static void
finding_free (gpointer data)
{
  FenFinding *finding = data;
  g_free (finding->text);
  g_free (finding);
}

static void G_GNUC_PRINTF (4, 5)
    find (Check *check, FenFindingKind kind, const char *name, const char *format, ...)
{
  FenFinding *finding = g_new0 (FenFinding, 1);
  va_list args;
  va_start (args, format);
  finding->text = g_strdup_vprintf (format, args);
  va_end (args);
  finding->kind = kind;
  finding->option = fen_config_find_option (name);
  g_ptr_array_add (check->findings, finding);
}

#define ERROR_AT(name, ...) find (check, FEN_FINDING_ERROR, name, __VA_ARGS__)
#define NOTE_AT(name, ...) find (check, FEN_FINDING_NOTE, name, __VA_ARGS__)
#define INACTIVE(name, ...) find (check, FEN_FINDING_INACTIVE, name, __VA_ARGS__)
#define NAME(field) name_of (check, #field)
#define VALUE(field) value_of (check, #field)

/* ---- settings alone ---- */

/* A run's number of tokens is counted in 64 bits everywhere. */
static void
check_tokens (Check *check)
{
  const FenConfig *config = check->config;
  guint64 tokens = (guint64)config->max_seq_len;
  if (g_uint64_checked_mul (&tokens, tokens, (guint64)config->batch_size)
      && g_uint64_checked_mul (&tokens, tokens, (guint64)config->gradient_accumulation_steps)
      && g_uint64_checked_mul (&tokens, tokens, (guint64)config->steps)
      && tokens <= (G_GUINT64_CONSTANT (1) << 62))
    return;
  /* TRANSLATORS: four settings with their values. */
  ERROR_AT ("steps", _ ("%s %s x %s %s x %s %s x %s %s is more than 2^62 tokens: lower one of them"),
            NAME (max_seq_len), VALUE (max_seq_len), NAME (batch_size), VALUE (batch_size),
            NAME (gradient_accumulation_steps), VALUE (gradient_accumulation_steps), NAME (steps),
            VALUE (steps));
}

static void
check_window (Check *check)
{
  const FenConfig *config = check->config;
  const gint64 window = config->window_size, context = config->max_seq_len, sinks = config->sink_tokens;
  if (config->window_pattern == FEN_WINDOW_MODEL)
    {
      /* TRANSLATORS: "window_pattern" "model". */
      INACTIVE ("window_size", _ ("%s %s takes the model's own windows"), NAME (window_pattern),
                VALUE (window_pattern));
      return;
    }
  if (window == 0 && config->window_pattern == FEN_WINDOW_ALTERNATE)
    /* TRANSLATORS: two settings with their values: "window_pattern" "alternate" ... "window_size" "0". */
    NOTE_AT ("window_pattern", _ ("%s %s has no effect: %s is %s, full attention"), NAME (window_pattern),
             VALUE (window_pattern), NAME (window_size), VALUE (window_size));
  if (window >= context)
    /* TRANSLATORS: two settings with their values: "window_size" "4096" >= "max_seq_len" "2048". */
    NOTE_AT ("window_size", _ ("%s %s >= %s %s: full attention"), NAME (window_size), VALUE (window_size),
             NAME (max_seq_len), VALUE (max_seq_len));
  else if (window > 0 && window + sinks >= context)
    /* TRANSLATORS: three settings with their values. */
    NOTE_AT ("window_size", _ ("%s %s + %s %s >= %s %s: full attention"), NAME (window_size),
             VALUE (window_size), NAME (sink_tokens), VALUE (sink_tokens), NAME (max_seq_len),
             VALUE (max_seq_len));
  else if (window > 0 && sinks > window)
    /* TRANSLATORS: two settings with their values: "sink_tokens" "64" > "window_size" "16". */
    NOTE_AT ("sink_tokens", _ ("%s %s > %s %s: tokens see more sinks than neighbours"), NAME (sink_tokens),
             VALUE (sink_tokens), NAME (window_size), VALUE (window_size));
  if (window == 0 || window >= context)
    INACTIVE ("sink_tokens", "%s", _ ("full attention sees every token"));
}

static void
check_chunks (Check *check)
{
  const FenConfig *config = check->config;
  if (!config->use_chunked_training)
    {
      /* TRANSLATORS: "use_chunked_training is off". */
      INACTIVE ("chunk_size", _ ("%s is off"), NAME (use_chunked_training));
      if (config->chunk_carry != FEN_CARRY_TRUNCATED)
        INACTIVE ("chunk_carry", _ ("%s is off"), NAME (use_chunked_training));
      else
        /* TRANSLATORS: "chunk_carry" "truncated" needs "use_chunked_training": ... set "chunk_carry" to "exact". */
        ERROR_AT ("chunk_carry", _ ("%s %s needs %s: switch that on, or set %s to %s"), NAME (chunk_carry),
                  VALUE (chunk_carry), NAME (use_chunked_training), NAME (chunk_carry),
                  choice_of (check, "chunk_carry", FEN_CARRY_EXACT));
      return;
    }
  /* TRANSLATORS: "use_chunked_training". */
  INACTIVE ("gradient_checkpointing", _ ("%s recomputes every layer already"), NAME (use_chunked_training));
  if (config->chunk_size >= config->max_seq_len)
    {
      /* TRANSLATORS: two settings with their values: "chunk_size" "4096" >= "max_seq_len" "2048". */
      NOTE_AT ("chunk_size", _ ("%s %s >= %s %s: one chunk, the same as without chunking"), NAME (chunk_size),
               VALUE (chunk_size), NAME (max_seq_len), VALUE (max_seq_len));
      if (config->chunk_carry != FEN_CARRY_TRUNCATED)
        INACTIVE ("chunk_carry", "%s", _ ("one chunk holds the whole row"));
    }
  else if (config->chunk_carry == FEN_CARRY_TRUNCATED && check->words == FEN_WORDS_TITLES)
    NOTE_AT ("chunk_carry", "%s", _ ("Not exact: gradients stop at chunk borders"));
  else if (config->chunk_carry == FEN_CARRY_TRUNCATED)
    /* TRANSLATORS: "chunk_carry" "truncated". */
    NOTE_AT ("chunk_carry", _ ("%s %s is not exact: gradients stop at chunk borders"), NAME (chunk_carry),
             VALUE (chunk_carry));
}

static void
check_memory (Check *check)
{
  const FenConfig *config = check->config;
  if (!config->gradient_checkpointing && !config->use_chunked_training)
    {
      if (config->checkpoint_attention)
        /* TRANSLATORS: "checkpoint_attention", "gradient_checkpointing". */
        NOTE_AT ("checkpoint_attention", _ ("%s has no effect: %s is off, everything is kept"),
                 NAME (checkpoint_attention), NAME (gradient_checkpointing));
      /* TRANSLATORS: "gradient_checkpointing". */
      INACTIVE ("checkpoint_attention", _ ("%s is off, everything is kept"), NAME (gradient_checkpointing));
    }
  if (!config->amp)
    INACTIVE ("amp_dtype", _ ("%s is off"), NAME (amp));
}

static void
check_schedule (Check *check)
{
  const FenConfig *config = check->config;
  const gint64 warmup = config->warmup_steps, steps = config->steps;
  if (warmup > steps)
    /* TRANSLATORS: "warmup_steps" "10" > "steps" "5": the learning rate never reaches "learning_rate". */
    NOTE_AT ("warmup_steps", _ ("%s %s > %s %s: the learning rate never reaches %s"), NAME (warmup_steps),
             VALUE (warmup_steps), NAME (steps), VALUE (steps), NAME (learning_rate));
  else if (warmup == steps && config->lr_schedule != FEN_LR_CONSTANT)
    /* TRANSLATORS: "warmup_steps" "10" = "steps" "10". */
    NOTE_AT ("warmup_steps", _ ("%s %s = %s %s: the learning rate rises to the end and never falls"),
             NAME (warmup_steps), VALUE (warmup_steps), NAME (steps), VALUE (steps));
  else if (config->lr_schedule == FEN_LR_WSD
           && (double)warmup + config->lr_decay_share * (double)steps > (double)steps)
    /* TRANSLATORS: "warmup_steps" "90" and "lr_decay_share" overlap in "100" steps. */
    NOTE_AT ("lr_decay_share", _ ("%s %s and %s overlap in %s steps: the decay is shortened"),
             NAME (warmup_steps), VALUE (warmup_steps), NAME (lr_decay_share), VALUE (steps));
  if (config->lr_schedule != FEN_LR_CONSTANT && config->min_lr_ratio == 1)
    /* TRANSLATORS: "min_lr_ratio" "1". */
    NOTE_AT ("min_lr_ratio", _ ("%s %s: the learning rate stays where it is after the warm-up"),
             NAME (min_lr_ratio), VALUE (min_lr_ratio));
  if (config->learning_rate == 0)
    /* TRANSLATORS: "learning_rate" "0". */
    NOTE_AT ("learning_rate", _ ("%s %s: nothing is learned"), NAME (learning_rate), VALUE (learning_rate));
  if (config->lr_schedule != FEN_LR_WSD)
    /* TRANSLATORS: "lr_schedule" is not "wsd". */
    INACTIVE ("lr_decay_share", _ ("%s is not %s"), NAME (lr_schedule),
              choice_of (check, "lr_schedule", FEN_LR_WSD));
  if (config->lr_schedule == FEN_LR_CONSTANT)
    /* TRANSLATORS: a setting and its value: "lr_schedule" is "constant". */
    INACTIVE ("min_lr_ratio", _ ("%s is %s"), NAME (lr_schedule), VALUE (lr_schedule));
  else if (config->lr_schedule == FEN_LR_WSD && config->lr_decay_share == 0)
    INACTIVE ("min_lr_ratio", _ ("%s is %s"), NAME (lr_decay_share), VALUE (lr_decay_share));
  if (config->weight_decay == 0)
    INACTIVE ("decay_all", _ ("%s is %s"), NAME (weight_decay), VALUE (weight_decay));
}

static gboolean
is_jsonl (const char *path)
{
  g_autofree char *lower = g_ascii_strdown (path, -1);
  return g_str_has_suffix (lower, ".jsonl");
}

static void
check_files (Check *check)
{
  const FenConfig *config = check->config;
  const char *const inputs[][2] = {
    { "dataset_file", config->dataset_file },
    { "tokenizer", config->tokenizer },
    { "model", config->model },
  };
  if (!is_jsonl (config->dataset_file))
    INACTIVE ("text_field", "%s", _ ("the dataset is no .jsonl file"));
  if (config->log_file[0] == '\0')
    return;
  g_autofree char *log = g_canonicalize_filename (config->log_file, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (inputs); i++)
    {
      g_autofree char *input = inputs[i][1][0] != '\0' ? g_canonicalize_filename (inputs[i][1], NULL) : NULL;
      if (input != NULL && g_str_equal (log, input))
        /* TRANSLATORS: "log_file" and "dataset_file" are the same file, "text.txt", ... */
        ERROR_AT ("log_file",
                  _ ("%s and %s are the same file, %s, which would be written over: name another"),
                  NAME (log_file), name_of (check, inputs[i][0]), inputs[i][1]);
    }
}

static void
check_evaluation (Check *check)
{
  if (check->config->eval_share != 0)
    return;
  /* TRANSLATORS: "eval_share" "0". */
  NOTE_AT ("eval_share", _ ("%s %s: no text is kept out, so there is no evaluation"), NAME (eval_share),
           VALUE (eval_share));
  INACTIVE ("eval_interval", _ ("%s is %s"), NAME (eval_share), VALUE (eval_share));
  INACTIVE ("eval_rows", _ ("%s is %s"), NAME (eval_share), VALUE (eval_share));
}

/* ---- with a model ---- */

static void
check_heads (Check *check)
{
  const FenModelShape *shape = check->shape;
  const char *model = check->config->model;
  if (shape->hidden < 1 || shape->heads < 1 || shape->kv_heads < 1 || shape->layers < 1)
    ERROR_AT (
        "model",
        _ ("model %s: %s layers, hidden size %s, %s heads and %s key/value heads must all be at least 1"),
        model, number (check, shape->layers), number (check, shape->hidden), number (check, shape->heads),
        number (check, shape->kv_heads));
  else if (shape->hidden % shape->heads != 0)
    /* TRANSLATORS: a model's name, number of heads, hidden size. */
    ERROR_AT ("model", _ ("model %s: its %s heads do not divide its hidden size %s"), model,
              number (check, shape->heads), number (check, shape->hidden));
  else if (shape->heads % shape->kv_heads != 0)
    /* TRANSLATORS: a model's name, number of key/value heads, number of heads. */
    ERROR_AT ("model", _ ("model %s: its %s key/value heads do not divide its %s heads"), model,
              number (check, shape->kv_heads), number (check, shape->heads));
}

static void
check_positions (Check *check)
{
  const FenModelShape *shape = check->shape;
  const char *model = check->config->model, *positions = number (check, shape->max_positions);
  if (shape->max_positions == 0 || check->config->max_seq_len <= shape->max_positions)
    return;
  if (shape->learned_positions)
    /* TRANSLATORS: "max_seq_len" "2048" ... "1024" positions ... model "gpt2" ... set "max_seq_len" to "1024". */
    ERROR_AT (
        "max_seq_len",
        _ ("%s %s is more than the %s positions that model %s has: set %s to %s or less, or use a model "
           "with rotary positions (10M, llama-1b, ...)"),
        NAME (max_seq_len), VALUE (max_seq_len), positions, model, NAME (max_seq_len), positions);
  else
    /* TRANSLATORS: "max_seq_len" "65536" ... "32768" positions ... model "mistral". */
    NOTE_AT (
        "max_seq_len",
        _ ("%s %s is more than the %s positions that model %s was made for: it must learn to use the others"),
        NAME (max_seq_len), VALUE (max_seq_len), positions, model);
}

static void
check_vocabulary (Check *check)
{
  const gint64 own = check->shape->vocab_size, wanted = check->config->vocab_size;
  if (wanted == 0 || own == 0 || wanted == own)
    return;
  /* TRANSLATORS: "vocab_size" "50304" differs from model "gpt2"'s own vocabulary of "50257": leave "vocab_size". */
  ERROR_AT ("vocab_size", _ ("%s %s differs from model %s's own vocabulary of %s: leave %s at 0"),
            NAME (vocab_size), VALUE (vocab_size), check->config->model, number (check, own),
            NAME (vocab_size));
}

static void
check_model_window (Check *check)
{
  const FenConfig *config = check->config;
  const gint64 own = check->shape->model_window;
  gboolean full = config->window_size == 0 || config->window_size >= config->max_seq_len;
  if (config->window_pattern == FEN_WINDOW_MODEL)
    {
      if (own > 0)
        return;
      /* TRANSLATORS: "window_pattern" "model": model "gpt2". */
      NOTE_AT ("window_pattern", _ ("%s %s: model %s has no window of its own: full attention"),
               NAME (window_pattern), VALUE (window_pattern), config->model);
      INACTIVE ("sink_tokens", "%s", _ ("full attention sees every token"));
    }
  else if (own > 0 && full && config->max_seq_len > own)
    /* TRANSLATORS: a model, its window, "window_pattern" "model". */
    NOTE_AT (
        "window_size",
        _ ("model %s was made with a window of %s tokens and runs with full attention; %s %s keeps its own"),
        config->model, number (check, own), NAME (window_pattern),
        choice_of (check, "window_pattern", FEN_WINDOW_MODEL));
  else if (own > 0 && !full && config->window_size != own)
    /* TRANSLATORS: "window_size" "512", a model, its window, "window_pattern" "model". */
    NOTE_AT ("window_size", _ ("%s %s replaces model %s's own window of %s; %s %s keeps that"),
             NAME (window_size), VALUE (window_size), config->model, number (check, own),
             NAME (window_pattern), choice_of (check, "window_pattern", FEN_WINDOW_MODEL));
}

/* ---- all of them ---- */

typedef void (*Rule) (Check *check);

static void
run_rules (Check *check, const Rule *rules, gsize n_rules)
{
  check->texts = g_string_chunk_new (256);
  for (gsize i = 0; i < n_rules; i++)
    rules[i](check);
  g_string_chunk_free (check->texts);
}

void
fen_config_check_settings (const FenConfig *config, FenWords words, GPtrArray *findings)
{
  static const Rule rules[] = {
    check_tokens, check_window, check_chunks, check_memory, check_schedule, check_files, check_evaluation,
  };
  Check check = { .config = config, .words = words, .findings = findings };
  run_rules (&check, rules, G_N_ELEMENTS (rules));
}

void
fen_config_check_model (const FenConfig *config, const FenModelShape *shape, FenWords words,
                        GPtrArray *findings)
{
  static const Rule rules[] = { check_heads, check_positions, check_vocabulary, check_model_window };
  Check check = { .config = config, .shape = shape, .words = words, .findings = findings };
  run_rules (&check, rules, G_N_ELEMENTS (rules));
}

GPtrArray *
fen_config_new_findings (void)
{
  return g_ptr_array_new_with_free_func (finding_free);
}

GPtrArray *
fen_config_check (const FenConfig *config, const FenModelShape *shape, FenWords words)
{
  GPtrArray *findings = fen_config_new_findings ();
  fen_config_check_settings (config, words, findings);
  if (shape != NULL)
    fen_config_check_model (config, shape, words, findings);
  return findings;
}
