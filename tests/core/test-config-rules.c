/* What settings mean together: conflicts and notes, the learning rate, presets, advice, help. */
#include "core/config/fen-advice.h"
#include "core/config/fen-config.h"
#include "core/config/fen-presets.h"

#include <math.h>
#include <string.h>

/* Applies "name=value ..." to the defaults. */
static FenConfig *
config_with (const char *settings)
{
  FenConfig *config = fen_config_new ();
  g_auto (GStrv) words = g_strsplit (settings, " ", -1);
  config->expert = TRUE;
  for (guint i = 0; words[i] != NULL && words[i][0] != '\0'; i++)
    {
      g_autoptr (GError) error = NULL;
      g_auto (GStrv) pair = g_strsplit (words[i], "=", 2);
      fen_config_set (config, fen_config_find_option (pair[0]), pair[1], &error);
      g_assert_no_error (error);
    }
  return config;
}

static char *
join (GPtrArray *notes)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < notes->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? " | " : "", (char *)notes->pdata[i]);
  return g_string_free (text, FALSE);
}

static void
test_notes (void)
{
  static const char *const cases[][2] = {
    { "", "" },
    { "window_size=4096", "window_size 4096 >= max_seq_len 2048: full attention" },
    { "window_size=2048", "window_size 2048 >= max_seq_len 2048: full attention" },
    { "window_size=2047", "" },
    { "window_size=0 max_seq_len=100000", "" },
    { "window_size=2000 sink_tokens=48",
      "window_size 2000 + sink_tokens 48 >= max_seq_len 2048: full attention" },
    { "window_size=16 sink_tokens=64",
      "sink_tokens 64 > window_size 16: tokens see more sinks than neighbours" },
    { "window_size=0 sink_tokens=4", "sink_tokens 4 has no effect: full attention sees every token" },
    { "window_size=0 window_pattern=alternate",
      "window_pattern alternate has no effect: window_size is 0, full attention" },
    { "window_pattern=model window_size=4096",
      "window_size 4096 has no effect: window_pattern model takes the model's own windows" },
    { "chunk_size=4096", "chunk_size 4096 has no effect: use_chunked_training is off" },
    { "use_chunked_training=on chunk_size=2048",
      "chunk_size 2048 >= max_seq_len 2048: one chunk, the same as without chunking" },
    { "use_chunked_training=on chunk_size=500", "" },
    { "use_chunked_training=on chunk_size=500 chunk_carry=truncated",
      "chunk_carry truncated is not exact: gradients stop at chunk borders" },
    { "checkpoint_attention=on gradient_checkpointing=off",
      "checkpoint_attention has no effect: gradient_checkpointing is off, everything is kept" },
    { "checkpoint_attention=on", "" },
    { "amp=off amp_dtype=bf16", "amp_dtype bf16 has no effect: amp is off" },
    { "amp=off amp_dtype=fp16", "amp_dtype fp16 has no effect: amp is off" },
    { "amp=off", "" },
    { "steps=10", "warmup_steps 10 = steps 10: the learning rate rises to the end and never falls" },
    { "steps=10 lr_schedule=constant", "" },
    { "steps=5", "warmup_steps 10 > steps 5: the learning rate never reaches learning_rate" },
    { "warmup_steps=90 lr_schedule=wsd",
      "warmup_steps 90 and lr_decay_share overlap in 100 steps: the decay is shortened" },
    { "warmup_steps=80 lr_schedule=wsd", "" },
    { "min_lr_ratio=1", "min_lr_ratio 1: the learning rate stays where it is after the warm-up" },
    { "text_field=body", "text_field body has no effect: the dataset is no .jsonl file" },
    { "text_field=body dataset_file=a.jsonl", "" },
    { "lr_decay_share=0.5", "lr_decay_share 0.5 has no effect: lr_schedule is not wsd" },
    { "weight_decay=0 decay_all=on", "decay_all true has no effect: weight_decay is 0" },
    { "learning_rate=0", "learning_rate 0: nothing is learned" },
    { "eval_share=0", "eval_share 0: no text is kept out, so there is no evaluation" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (FenConfig) config = config_with (cases[i][0]);
      g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
      g_autoptr (GError) error = NULL;
      g_assert_true (fen_config_validate (config, notes, &error));
      g_assert_no_error (error);
      g_autofree char *text = join (notes);
      g_assert_cmpstr (text, ==, cases[i][1]);
      g_assert_true (fen_config_validate (config, NULL, NULL));
    }
}

/* Errors carry the setting to change, also through copies; the window reads no sentences. */
static void
test_whose_error (void)
{
  static const FenModelShape gpt2 = { .hidden = 768,
                                      .heads = 12,
                                      .kv_heads = 12,
                                      .layers = 12,
                                      .vocab_size = 50257,
                                      .max_positions = 1024,
                                      .learned_positions = TRUE };
  static const struct {
    const char *settings, *option;
  } cases[] = {
    { "chunk_carry=truncated", "chunk_carry" },
    { "log_file=a.txt dataset_file=a.txt", "log_file" },
    { "window_size=16 expert=off", "window_size" },
    { "model=gpt2", "max_seq_len" },
    { "model=gpt2 max_seq_len=512 vocab_size=300", "vocab_size" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (FenConfig) config = config_with (cases[i].settings);
      g_autoptr (GError) error = NULL;
      if (fen_config_validate (config, NULL, &error))
        fen_config_validate_model (config, &gpt2, NULL, &error);
      g_assert_cmpstr (fen_config_error_get_option (error), ==, cases[i].option);
      g_autoptr (GError) copy = g_error_copy (error);
      g_prefix_error (&copy, "file: ");
      g_assert_cmpstr (fen_config_error_get_option (copy), ==, cases[i].option);
    }
  g_autoptr (GError) other = g_error_new_literal (G_FILE_ERROR, 0, "no setting's");
  g_assert_null (fen_config_error_get_option (other));
  g_assert_null (fen_config_error_get_option (NULL));
  g_autoptr (GError) preset = NULL;
  g_assert_null (fen_preset_lookup ("11M", &preset));
  g_assert_cmpstr (fen_config_error_get_option (preset), ==, "model");
}

/* The same findings in the window's words: all of them, with their kinds and options. */
static void
test_findings (void)
{
  static const struct {
    FenFindingKind kind;
    const char *option, *text;
  } expected[] = {
    { FEN_FINDING_NOTE, "window_size", "Window Size 4096 >= Context Length 2048: full attention" },
    { FEN_FINDING_INACTIVE, "sink_tokens", "full attention sees every token" },
    { FEN_FINDING_INACTIVE, "chunk_size", "Context Chunking is off" },
    { FEN_FINDING_ERROR, "chunk_carry",
      "Carry Truncated (not exact: gradients stop at chunk borders) needs Context Chunking: switch that on, "
      "or set "
      "Carry to Exact" },
    { FEN_FINDING_INACTIVE, "lr_decay_share", "Schedule is not Warm-up, Stable, Decay" },
    { FEN_FINDING_INACTIVE, "text_field", "the dataset is no .jsonl file" },
  };
  g_autoptr (FenConfig) config = config_with ("window_size=4096 sink_tokens=4 chunk_carry=truncated");
  g_autoptr (GPtrArray) findings = fen_config_check (config, NULL, FEN_WORDS_TITLES);
  g_assert_cmpuint (findings->len, ==, G_N_ELEMENTS (expected));
  for (guint i = 0; i < findings->len; i++)
    {
      const FenFinding *finding = findings->pdata[i];
      g_assert_cmpint (finding->kind, ==, expected[i].kind);
      g_assert_cmpstr (finding->option->name, ==, expected[i].option);
      g_assert_cmpstr (finding->text, ==, expected[i].text);
    }
}

static void
test_conflicts (void)
{
  static const struct {
    const char *settings;
    FenConfigError code;
    const char *message;
  } cases[] = {
    { "chunk_carry=truncated", FEN_CONFIG_ERROR_CONFLICT,
      "chunk_carry truncated needs use_chunked_training: switch that on, or set chunk_carry to exact" },
    { "max_seq_len=16777216 batch_size=65536 gradient_accumulation_steps=65536 steps=1000000000",
      FEN_CONFIG_ERROR_CONFLICT,
      "max_seq_len 16777216 x batch_size 65536 x gradient_accumulation_steps 65536 x steps 1000000000 is "
      "more than "
      "2^62 tokens: lower one of them" },
    { "log_file=./data/../a.txt dataset_file=a.txt", FEN_CONFIG_ERROR_CONFLICT,
      "log_file and dataset_file are the same file, a.txt, which would be written over: name another" },
    { "log_file=t.json tokenizer=t.json", FEN_CONFIG_ERROR_CONFLICT,
      "log_file and tokenizer are the same file, t.json, which would be written over: name another" },
    { "window_size=16 expert=off", FEN_CONFIG_ERROR_RANGE,
      "window_size is 16; allowed: 0 (full attention) or 256 to 8192 tokens (expert: 1 to 16777216 tokens)" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (FenConfig) config = config_with (cases[i].settings);
      g_autoptr (GError) error = NULL;
      g_assert_false (fen_config_validate (config, NULL, &error));
      g_assert_error (error, FEN_CONFIG_ERROR, (int)cases[i].code);
      g_assert_cmpstr (error->message, ==, cases[i].message);
    }
  /* Values put into the structure by hand are checked too. */
  g_autoptr (FenConfig) config = fen_config_new ();
  g_autoptr (GError) error = NULL;
  config->learning_rate = NAN;
  g_assert_false (fen_config_validate (config, NULL, &error));
  g_assert_cmpstr (error->message, ==,
                   "learning_rate is not a number; allowed: 1e-08 to 1 (expert: 0 to 100)");
  g_clear_error (&error);
  config->learning_rate = 1e-3;
  config->lr_schedule = 17;
  g_assert_false (fen_config_validate (config, NULL, &error));
  g_assert_cmpstr (error->message, ==, "lr_schedule is 17; allowed: cosine, linear, constant or wsd");
}

static void
test_model (void)
{
  static const FenModelShape gpt2 = { .hidden = 768,
                                      .heads = 12,
                                      .kv_heads = 12,
                                      .layers = 12,
                                      .vocab_size = 50257,
                                      .max_positions = 1024,
                                      .learned_positions = TRUE };
  static const FenModelShape mistral = { .hidden = 4096,
                                         .heads = 32,
                                         .kv_heads = 8,
                                         .layers = 32,
                                         .vocab_size = 32000,
                                         .max_positions = 32768,
                                         .model_window = 4096 };
  static const FenModelShape odd = { .hidden = 100, .heads = 12, .kv_heads = 12, .layers = 2 };
  static const FenModelShape groups = { .hidden = 96, .heads = 12, .kv_heads = 5, .layers = 2 };
  static const FenModelShape nothing = { .hidden = 96, .heads = 0, .kv_heads = 5, .layers = 2 };
  static const struct {
    const FenModelShape *shape;
    const char *settings, *error, *notes;
  } cases[] = {
    { &gpt2, "model=gpt2 max_seq_len=1024", NULL, "" },
    { &gpt2, "model=gpt2",
      "max_seq_len 2048 is more than the 1024 positions that model gpt2 has: set max_seq_len to 1024 or "
      "less, or use "
      "a model with rotary positions (10M, llama-1b, ...)",
      NULL },
    { &gpt2, "model=gpt2 max_seq_len=512 vocab_size=50304",
      "vocab_size 50304 differs from model gpt2's own vocabulary of 50257: leave vocab_size at 0", NULL },
    { &gpt2, "model=gpt2 max_seq_len=512 vocab_size=50257", NULL, "" },
    { &gpt2, "model=gpt2 max_seq_len=512 window_pattern=model", NULL,
      "window_pattern model: model gpt2 has no window of its own: full attention" },
    { &mistral, "model=m max_seq_len=65536", NULL,
      "max_seq_len 65536 is more than the 32768 positions that model m was made for: it must learn to use "
      "the others "
      "| window_size 512 replaces model m's own window of 4096; window_pattern model keeps that" },
    { &mistral, "model=m max_seq_len=8192 window_size=0", NULL,
      "model m was made with a window of 4096 tokens and runs with full attention; window_pattern model "
      "keeps its "
      "own" },
    { &mistral, "model=m max_seq_len=8192 window_size=4096", NULL, "" },
    { &mistral, "model=m max_seq_len=8192 window_pattern=model", NULL, "" },
    { &odd, "model=o", "model o: its 12 heads do not divide its hidden size 100", NULL },
    { &groups, "model=g", "model g: its 5 key/value heads do not divide its 12 heads", NULL },
    { &nothing, "model=n",
      "model n: 2 layers, hidden size 96, 0 heads and 5 key/value heads must all be at least 1", NULL },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (FenConfig) config = config_with (cases[i].settings);
      g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
      g_autoptr (GError) error = NULL;
      gboolean ok = fen_config_validate_model (config, cases[i].shape, notes, &error);
      g_assert_cmpstr (error != NULL ? error->message : NULL, ==, cases[i].error);
      g_assert_true (ok == (error == NULL));
      if (error != NULL)
        {
          g_assert_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_CONFLICT);
          continue;
        }
      g_autofree char *text = join (notes);
      g_assert_cmpstr (text, ==, cases[i].notes);
    }
}

/* Worked by hand: peak 1, floor 0.1, 10 steps of warm-up, 110 steps; the schedule spans steps 9 to 109. */
static void
test_learning_rate (void)
{
  static const struct {
    const char *settings;
    gint64 step;
    double expected;
  } cases[] = {
    { "lr_schedule=cosine", 0, 0.1 },
    { "lr_schedule=cosine", 4, 0.5 },
    { "lr_schedule=cosine", 9, 1 },
    { "lr_schedule=cosine", 34, 0.1 + 0.9 * 0.5 * (1 + M_SQRT1_2) }, /* a quarter: cos (pi / 4) */
    { "lr_schedule=cosine", 59, 0.55 },
    { "lr_schedule=cosine", 109, 0.1 },
    { "lr_schedule=cosine", 5000, 0.1 },
    { "lr_schedule=linear", 9, 1 },
    { "lr_schedule=linear", 34, 0.775 },
    { "lr_schedule=linear", 59, 0.55 },
    { "lr_schedule=linear", 109, 0.1 },
    { "lr_schedule=constant", 2, 0.3 },
    { "lr_schedule=constant", 9, 1 },
    { "lr_schedule=constant", 109, 1 },
    /* 20 steps of decay: from step 89 on. */
    { "lr_schedule=wsd lr_decay_share=0.1818", 50, 1 },
    { "lr_schedule=wsd lr_decay_share=0.1818", 89, 1 },
    { "lr_schedule=wsd lr_decay_share=0.1818", 99, 0.55 },
    { "lr_schedule=wsd lr_decay_share=0.1818", 109, 0.1 },
    { "lr_schedule=wsd lr_decay_share=0", 108, 1 },
    { "lr_schedule=wsd lr_decay_share=1", 59, 0.55 },
    { "lr_schedule=linear warmup_steps=0", 0, 1 },
    { "lr_schedule=linear warmup_steps=1", 0, 1 },
    { "lr_schedule=linear warmup_steps=0 steps=2", 1, 0.1 },
    { "lr_schedule=cosine warmup_steps=0 steps=1", 0, 1 },
    { "lr_schedule=cosine warmup_steps=110", 54, 0.5 },
    { "lr_schedule=cosine warmup_steps=220", 109, 0.5 },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *settings = g_strconcat ("learning_rate=1 min_lr_ratio=0.1 warmup_steps=10 steps=110 ",
                                               cases[i].settings, NULL);
      g_autoptr (FenConfig) config = config_with (settings);
      g_assert_cmpfloat_with_epsilon (fen_config_learning_rate (config, cases[i].step), cases[i].expected,
                                      1e-12);
    }
}

/* Between warm-up and end no schedule rises, and it stays within [floor, peak]. */
static void
test_learning_rate_falls (void)
{
  for (int schedule = FEN_LR_COSINE; schedule <= FEN_LR_WSD; schedule++)
    {
      g_autoptr (FenConfig) config = config_with ("steps=1000 warmup_steps=37");
      config->lr_schedule = (FenLrSchedule)schedule;
      double before = 0;
      for (gint64 step = 0; step < 1000; step++)
        {
          double rate = fen_config_learning_rate (config, step);
          g_assert_true (rate > 0 && rate <= config->learning_rate);
          g_assert_true (step < 37 ? rate > before : rate <= before);
          before = rate;
        }
      double floor_share = schedule == FEN_LR_CONSTANT ? 1 : config->min_lr_ratio;
      g_assert_cmpfloat_with_epsilon (before, config->learning_rate * floor_share, 1e-18);
    }
}

static void
test_presets (void)
{
  static const struct {
    const char *name;
    double millions; /* published, or what the name promises with a vocabulary of 4,096 */
    double tolerance;
  } sizes[] = {
    { "1M", 1, 0.1 },
    { "5M", 5, 0.1 },
    { "10M", 10, 0.1 },
    { "20M", 20, 0.1 },
    { "50M", 50, 0.1 },
    { "gpt2", 124.439808, 0 },
    { "gpt2-medium", 354.823168, 0 },
    { "gpt2-large", 774.030080, 0 },
    { "gpt2-xl", 1557.611200, 0 },
    { "llama-1b", 1235.814400, 0 },
    { "llama-3b", 3212.749824, 0 },
    { "llama-8b", 8030.261248, 0 },
    { "mistral-7b", 7241.732096, 0 },
    { "qwen2-0.5b", 494.032768, 0 },
    { "qwen2-1.5b", 1543.714304, 0 },
  };
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GError) error = NULL;
      const FenPreset *preset = fen_preset_lookup (sizes[i].name, &error);
      g_assert_no_error (error);
      double millions = (double)fen_preset_n_parameters (preset, 4096) / 1e6;
      g_assert_cmpfloat_with_epsilon (millions, sizes[i].millions,
                                      sizes[i].millions * sizes[i].tolerance + 1e-9);
    }
  /* The blocks of nanoGPT's recipe: 4 layers of 12 x 128 x 128 and their vectors. */
  const FenPreset *nano = fen_preset_find ("NANO");
  gint64 blocks = fen_preset_n_parameters (nano, 256) - (256 + nano->max_positions) * nano->hidden;
  g_assert_cmpint (blocks, ==, 4 * (12 * 128 * 128 + 13 * 128) + 2 * 128);

  for (const FenPreset *preset = fen_presets (); preset->name != NULL; preset++)
    {
      g_assert_true (fen_preset_find (preset->name) == preset);
      g_assert_cmpint (preset->heads * preset->head_dim, ==, preset->hidden);
      g_assert_cmpint (preset->heads % preset->kv_heads, ==, 0);
      g_assert_true (preset->head_dim % 32 == 0);
      g_assert_true (g_str_equal (preset->architecture, "gpt2") == (preset->rope_theta == 0));
      g_assert_true (preset->norm_epsilon > 0 && preset->description[0] != '\0');
      g_assert_true (preset[1].name == NULL
                     || fen_preset_n_parameters (preset, 0) <= fen_preset_n_parameters (preset + 1, 0)
                     || preset->vocab_size == 0);
    }

  g_autoptr (GError) error = NULL;
  g_assert_null (fen_preset_lookup ("11M", &error));
  g_assert_error (error, FEN_CONFIG_ERROR, FEN_CONFIG_ERROR_RANGE);
  g_assert_cmpstr (
      error->message, ==,
      "model \"11M\" is neither a folder nor a preset; the presets are nano, 1M, 5M, 10M, 20M, 50M, "
      "gpt2, gpt2-medium, qwen2-0.5b, gpt2-large, llama-1b, qwen2-1.5b, gpt2-xl, llama-3b, mistral-7b, "
      "llama-8b");
}

static void
test_advice (void)
{
  const guint64 gib = G_GUINT64_CONSTANT (1) << 30;
  static const struct {
    gint64 context;
    FenAdviceTask task;
    guint gibibytes;
    gint64 window, window_min, window_max;
    gboolean chunked, optional;
    gint64 chunk, chunk_min;
    gboolean offload;
  } cases[] = {
    { 1024, FEN_TASK_ANY, 0, 0, 0, 0, FALSE, FALSE, 0, 0, FALSE },
    { 2047, FEN_TASK_ANY, 24, 0, 0, 0, FALSE, FALSE, 0, 0, FALSE },
    { 2048, FEN_TASK_ANY, 8, 0, 2048, 2048, FALSE, FALSE, 0, 0, FALSE },
    { 4096, FEN_TASK_ANY, 8, 0, 2048, 2048, FALSE, TRUE, 4096, 2048, FALSE },
    { 4096, FEN_TASK_ANY, 24, 0, 2048, 2048, FALSE, FALSE, 0, 0, FALSE },
    { 8192, FEN_TASK_ANY, 12, 2048, 2048, 4096, FALSE, TRUE, 4096, 2048, FALSE },
    { 16383, FEN_TASK_ANY, 0, 2048, 2048, 4096, FALSE, FALSE, 0, 0, FALSE },
    { 16384, FEN_TASK_ANY, 24, 2048, 1024, 2048, TRUE, FALSE, 4096, 4096, FALSE },
    { 32768, FEN_TASK_ANY, 24, 512, 512, 1024, TRUE, FALSE, 2048, 2048, FALSE },
    { 65536, FEN_TASK_ANY, 24, 512, 256, 512, TRUE, FALSE, 1024, 512, FALSE },
    { 100000, FEN_TASK_ANY, 24, 512, 256, 512, TRUE, FALSE, 1024, 512, FALSE },
    { 131072, FEN_TASK_ANY, 24, 256, 256, 256, TRUE, FALSE, 512, 256, TRUE },
    { 1000000, FEN_TASK_GLOBAL, 24, 0, 0, 0, TRUE, FALSE, 512, 256, TRUE },
    { 16384, FEN_TASK_DOCUMENTS, 24, 2048, 1024, 4096, TRUE, FALSE, 4096, 4096, FALSE },
    { 65536, FEN_TASK_DOCUMENTS, 24, 1024, 1024, 4096, TRUE, FALSE, 1024, 512, FALSE },
    { 16384, FEN_TASK_STREAMS, 24, 512, 256, 512, TRUE, FALSE, 4096, 4096, FALSE },
    { 1000, FEN_TASK_DOCUMENTS, 24, 0, 1024, 4096, FALSE, FALSE, 0, 0, FALSE },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      FenAdvice advice;
      fen_advice_for (cases[i].context, cases[i].task, cases[i].gibibytes * gib, &advice);
      g_test_message ("%" G_GINT64_FORMAT, cases[i].context);
      g_assert_cmpint (advice.window_size, ==, cases[i].window);
      g_assert_cmpint (advice.window_min, ==, cases[i].window_min);
      g_assert_cmpint (advice.window_max, ==, cases[i].window_max);
      g_assert_true (advice.full_attention_fine == (cases[i].window == 0));
      g_assert_true (advice.use_flash_attn);
      g_assert_true (advice.use_chunked_training == cases[i].chunked);
      g_assert_true (advice.chunking_optional == cases[i].optional);
      g_assert_cmpint (advice.chunk_size, ==, cases[i].chunk);
      g_assert_cmpint (advice.chunk_min, ==, cases[i].chunk_min);
      g_assert_true (advice.cpu_offload == cases[i].offload);

      /* What is advised is allowed, for a person without expert ranges, and gives no reason for a note. */
      g_autoptr (FenConfig) config = fen_config_new ();
      g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
      g_autoptr (GError) error = NULL;
      config->max_seq_len = cases[i].context;
      fen_advice_apply (&advice, config);
      g_assert_true (fen_config_validate (config, notes, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (notes->len, ==, 0);
      g_assert_cmpint (config->window_size, ==, cases[i].window);
      g_assert_cmpint (config->chunk_size, ==, cases[i].chunked ? cases[i].chunk : 2048);
    }
  FenAdvice advice;
  fen_advice_for (16384, FEN_TASK_ANY, 0, &advice);
  g_autofree char *text = fen_advice_to_text (&advice);
  g_assert_cmpstr (
      text, ==,
      "Window 2048 (1024 to 2048): layers pass on what lies further back, and time grows with the "
      "window; FlashAttn-2 with chunks of 4096: activations of the whole row would fill the memory.");
  fen_advice_for (8000, FEN_TASK_GLOBAL, 8 * gib, &advice);
  g_autofree char *other = fen_advice_to_text (&advice);
  g_assert_cmpstr (
      other, ==,
      "No window: the task needs every token to see the whole text; FlashAttn-2 alone, or with chunks of "
      "4096 (2048 to 4096): chunks are worth trying on 12 GB or less.");
}

static void
test_advice_after_out_of_memory (void)
{
  static const gint64 steps[] = { 0, 4096, 2048, 1024, 512, 256, 0 };
  for (guint i = 0; i + 1 < G_N_ELEMENTS (steps); i++)
    g_assert_cmpint (fen_advice_window_after_out_of_memory (16384, steps[i]), ==, steps[i + 1]);
  g_assert_cmpint (fen_advice_window_after_out_of_memory (16384, 8192), ==, 4096);
  g_assert_cmpint (fen_advice_window_after_out_of_memory (16384, 20000), ==, 4096);
  g_assert_cmpint (fen_advice_window_after_out_of_memory (512, 0), ==, 0);
}

static void
test_help (void)
{
  static const guint widths[] = { 60, 80, 110 };
  for (guint w = 0; w < G_N_ELEMENTS (widths); w++)
    {
      g_autofree char *help = fen_config_help (widths[w], NULL);
      g_auto (GStrv) lines = g_strsplit (help, "\n", -1);
      for (guint i = 0; lines[i] != NULL; i++)
        {
          g_assert_cmpint (g_utf8_strlen (lines[i], -1), <=, widths[w]);
          g_assert_false (g_str_has_suffix (lines[i], " "));
        }
      for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
        {
          g_autofree char *dashed = g_strdelimit (g_strdup (option->name), "_", '-');
          g_autofree char *flag
              = g_strconcat (option->type == FEN_OPTION_BOOLEAN ? "  --[no-]" : "  --", dashed, NULL);
          g_assert_nonnull (strstr (help, flag));
        }
    }
  g_autofree char *help = fen_config_help (200, NULL);
  g_assert_nonnull (
      strstr (help, "--window-size N             How far back each token sees, itself included. Default: "
                    "512. Allowed: 0 (full attention) or 256 to 8192 tokens; with --expert: 1 to "
                    "16777216 tokens.\n"));
}

/* roff: every line is a request that we use or text that cannot be one; hyphens and backslashes are escaped. */
static void
test_roff (void)
{
  g_autofree char *roff = fen_config_roff ();
  g_auto (GStrv) lines = g_strsplit (roff, "\n", -1);
  guint options = 0, expected = 0;
  for (guint i = 0; lines[i + 1] != NULL; i++)
    {
      const char *line = lines[i];
      g_assert_true (line[0] != '\0' && line[0] != '\'');
      g_assert_true (line[0] != '.' || g_str_equal (line, ".TP") || g_str_has_prefix (line, ".SS \""));
      options += g_str_equal (line, ".TP");
      for (const char *p = line; *p != '\0'; p++)
        {
          g_assert_true (*p != '-' || (p > line && p[-1] == '\\'));
          g_assert_true (*p != '\\' || strchr ("-ef&", p[1]) != NULL);
        }
    }
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    expected++;
  g_assert_cmpuint (options, ==, expected);
  g_assert_nonnull (strstr (roff, "\\fB\\-\\-amp\\fR, \\fB\\-\\-no\\-amp\\fR\n"));
  g_assert_nonnull (strstr (roff, "\\fB\\-\\-lr\\-schedule\\fR \\fIcosine|linear|constant|wsd\\fR\n"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/config-rules/notes", test_notes);
  g_test_add_func ("/config-rules/whose-error", test_whose_error);
  g_test_add_func ("/config-rules/findings", test_findings);
  g_test_add_func ("/config-rules/conflicts", test_conflicts);
  g_test_add_func ("/config-rules/model", test_model);
  g_test_add_func ("/config-rules/learning-rate", test_learning_rate);
  g_test_add_func ("/config-rules/learning-rate-falls", test_learning_rate_falls);
  g_test_add_func ("/config-rules/presets", test_presets);
  g_test_add_func ("/config-rules/advice", test_advice);
  g_test_add_func ("/config-rules/advice-after-out-of-memory", test_advice_after_out_of_memory);
  g_test_add_func ("/config-rules/help", test_help);
  g_test_add_func ("/config-rules/roff", test_roff);
  return g_test_run ();
}
