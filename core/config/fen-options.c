/* fen-options.c: the option table (see fen-config.h). The only place where a setting has a name, a default, a
 * range or words; flags, help, JSON, man page and the window's rows are made from it. To add a setting: a field
 * in FenConfig, an entry here. */
#include "core/config/fen-config.h"

#include <glib/gi18n.h>
#include <string.h>

#define OPTION(field, page, kind)                                                                            \
  .name = #field, .group = FEN_GROUP_##page, .type = FEN_OPTION_##kind,                                      \
  .offset = G_STRUCT_OFFSET (FenConfig, field)
#define RANGE(low, high) .min = low, .max = high, .expert_min = low, .expert_max = high
#define RANGES(low, high, expert_low, expert_high)                                                           \
  .min = low, .max = high, .expert_min = expert_low, .expert_max = expert_high

#define CHOICES(name) .choices = name##s, .choice_titles = name##_titles

/* 2^24 tokens a row: more than any host's memory holds checkpoints for, and small enough for 32-bit positions. */
#define MAX_TOKENS 16777216
#define MAX_STEPS 1000000000
/* The largest integer that every JSON reader keeps exactly. */
#define MAX_SEED 9007199254740991.0
/* 256 bytes and the end of text; the tokenizer's own limit. */
#define MIN_BPE_TOKENS 257
#define MAX_BPE_TOKENS 4194304
#define MEBIBYTE 1048576.0
#define PEBIBYTE 1125899906842624.0

static const char *const lr_schedules[] = { "cosine", "linear", "constant", "wsd", NULL };
static const char *const amp_dtypes[] = { "auto", "bf16", "fp16", NULL };
static const char *const window_patterns[] = { "all", "alternate", "model", NULL };
static const char *const chunk_carries[] = { "exact", "truncated", NULL };

/* The same for people, in the same order. */
static const char *const lr_schedule_titles[]
    = { N_ ("Cosine"), N_ ("Linear"), N_ ("Constant"), N_ ("Warm-up, Stable, Decay"), NULL };
static const char *const amp_dtype_titles[] = { N_ ("Automatic"), N_ ("bfloat16"), N_ ("float16"), NULL };
static const char *const window_pattern_titles[]
    = { N_ ("Every Layer"), N_ ("Every Other Layer"), N_ ("The Model’s Own"), NULL };
static const char *const chunk_carry_titles[]
    = { N_ ("Exact"), N_ ("Truncated (not exact: gradients stop at chunk borders)"), NULL };

/* Texts: what only looks like a value is refused here; whether a file is there is its reader's question. */

static gboolean
check_not_empty (const char *text)
{
  return *text != '\0';
}

static gboolean
check_tokenizer (const char *text)
{
  return !g_str_has_prefix (text, "bpe:")
         || g_ascii_string_to_unsigned (text + strlen ("bpe:"), 10, MIN_BPE_TOKENS, MAX_BPE_TOKENS, NULL,
                                        NULL);
}

static gboolean
check_device (const char *text)
{
  if (g_str_has_prefix (text, "cuda:"))
    return g_ascii_string_to_unsigned (text + strlen ("cuda:"), 10, 0, 1023, NULL, NULL);
  return g_str_equal (text, "auto") || g_str_equal (text, "cpu") || g_str_equal (text, "cuda");
}

/* It becomes a folder's name, and "last" means the newest run everywhere. */
static gboolean
check_run_name (const char *text)
{
  if (*text == '.' || g_str_equal (text, "last") || strlen (text) > 100)
    return FALSE;
  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    if (*p == '/' || g_unichar_iscntrl (g_utf8_get_char (p)))
      return FALSE;
  return TRUE;
}

/* clang-format off */
static const FenOption options[] = {
  /* ---- data and model ---- */
  { OPTION (dataset_file, DATA, FILE), .default_text = "", .path = FEN_PATH_OPEN_FILE | FEN_PATH_OPEN_FOLDER,
    .title = N_ ("Dataset"), .section = N_ ("Text"),
    .help = N_ ("Text to learn from: a .txt or .jsonl file, or a folder of .txt files. Empty: the "
                "bundled sample."),
    .details = N_ ("A .txt file is one document, a folder of .txt files one document a file, and each "
                   "line of a .jsonl file one document (see text_field). Text must be UTF-8. It is "
                   "turned into tokens once and kept in a cache, so the next run with the same text and "
                   "tokenizer starts at once, and a corpus may be larger than memory.") },
  { OPTION (text_field, DATA, STRING), .default_text = "text",
    .check = check_not_empty, .allowed = N_ ("a member's name"),
    .title = N_ ("Text Field"), .seldom = TRUE,
    .help = N_ ("The member of a .jsonl line that holds the text."),
    .details = N_ ("Other members of the line are ignored. A line without it, or where it is not a "
                   "string, is an error that names the line. Without effect on .txt files.") },
  { OPTION (model, DATA, STRING), .default_text = "10M", .path = FEN_PATH_OPEN_FOLDER,
    .check = check_not_empty, .allowed = N_ ("a preset or a model folder"),
    .title = N_ ("Model"), .section = N_ ("Model"),
    .help = N_ ("A preset (nano, 1M, 5M, 10M, 20M, 50M, gpt2, llama-1b, ...) or a Hugging Face model "
                "folder."),
    .details = N_ ("A preset is a shape with random weights: training starts from nothing. A folder "
                   "holds config.json and model.safetensors (one file or several), and its weights are "
                   "trained on; gpt2, llama, mistral and qwen2 are supported. A folder in the current "
                   "place that is named like a preset is written ./NAME.") },
  { OPTION (tokenizer, DATA, STRING), .default_text = "", .path = FEN_PATH_OPEN_FILE | FEN_PATH_OPEN_FOLDER,
    .check = check_tokenizer, .allowed = N_ ("a tokenizer.json, its folder, bytes, or bpe:257 to bpe:4194304"),
    .title = N_ ("Tokenizer"),
    .help = N_ ("A tokenizer.json, bytes, or bpe:N to learn N tokens from the data. Empty: the model's "
                "own."),
    .details = N_ ("A model folder brings its tokenizer. A preset has none, so the empty setting stands "
                   "for bpe:4096 there: a byte-level BPE that is learned from the dataset before "
                   "training. \"bytes\" uses one token a byte: nothing to learn, three to five times as "
                   "many tokens. A trained model understands only the tokenizer it was trained with.") },
  { OPTION (vocab_size, DATA, INT), .default_text = "0", RANGES (256, 1048576, 2, 4194304),
    .zero_means = N_ ("the model's own or the tokenizer's"), .unit = N_ ("tokens"),
    .title = N_ ("Vocabulary"), .seldom = TRUE,
    .help = N_ ("Number of tokens that a preset without a vocabulary of its own has room for."),
    .details = N_ ("Seldom needed: a model's own vocabulary or the tokenizer's is right. A larger number "
                   "adds rows that no text uses; a smaller one than the tokenizer's is refused, because "
                   "its tokens would have no place.") },
  { OPTION (shuffle, DATA, BOOLEAN), .default_text = "true",
    .title = N_ ("Shuffle"), .section = N_ ("Use of the Text"), .seldom = TRUE,
    .help = N_ ("Train on the rows in random order, another one each time through the data."),
    .details = N_ ("Off trains on the text from its beginning to its end. The order depends on the seed "
                   "alone, so a run can be repeated, and a resumed run goes on where it stopped.") },
  { OPTION (document_mask, DATA, BOOLEAN), .default_text = "true",
    .title = N_ ("Separate Documents"),
    .help = N_ ("A token sees only its own document, also where several share a row."),
    .details = N_ ("Short documents are packed into one row so that no token is wasted. With this on, a "
                   "document does not see the unrelated one before it; it also makes attention cheaper. "
                   "Without effect when the dataset is one document.") },
  { OPTION (eval_share, DATA, DOUBLE), .default_text = "0.05", RANGE (0, 0.5),
    .title = N_ ("Evaluation Share"),
    .help = N_ ("Share of the text that is kept out of training to measure the evaluation loss."),
    .details = N_ ("The training loss alone cannot show that a model learns by heart; the loss on text "
                   "that it has never seen can. Which text is kept out depends on the text alone, so that "
                   "runs can be compared. 0 trains on everything and evaluates nothing.") },

  /* ---- training ---- */
  { OPTION (max_seq_len, TRAINING, INT), .default_text = "2048", RANGES (64, MAX_TOKENS, 2, MAX_TOKENS),
    .unit = N_ ("tokens"),
    .title = N_ ("Context Length"), .section = N_ ("Length and Batch"),
    .help = N_ ("Tokens trained on in a row: how long a text the model learns to handle."),
    .details = N_ ("Memory grows with it; how much is shown before the run starts. It is not the window: "
                   "with a context of 100,000 and a window of 512, each row has 100,000 tokens and each "
                   "token sees 512 of them directly, and more through the layers. GPT-2 cannot go beyond "
                   "the positions that it was made with (1,024).") },
  { OPTION (batch_size, TRAINING, INT), .default_text = "1", RANGE (1, 65536), .unit = N_ ("rows"),
    .title = N_ ("Batch Size"),
    .help = N_ ("Rows that are computed at the same time."),
    .details = N_ ("Memory grows with it. The optimizer sees batch_size x gradient_accumulation_steps "
                   "rows a step; when a larger batch does not fit, raise the accumulation instead: the "
                   "result is the same.") },
  { OPTION (gradient_accumulation_steps, TRAINING, INT), .default_text = "1", RANGE (1, 65536),
    .unit = N_ ("batches"),
    .title = N_ ("Gradient Accumulation"),
    .help = N_ ("Batches whose gradients are added up before the weights change."),
    .details = N_ ("Costs time in proportion and no memory. Use it for a larger effective batch than "
                   "fits.") },
  { OPTION (steps, TRAINING, INT), .default_text = "100", RANGE (1, MAX_STEPS), .unit = N_ ("steps"),
    .title = N_ ("Steps"),
    .help = N_ ("Changes of the weights until the run ends."),
    .details = N_ ("Each step trains on batch_size x gradient_accumulation_steps x max_seq_len tokens. "
                   "The learning rate's schedule is laid out over this number, so decide on it before "
                   "the run rather than stopping early.") },
  { OPTION (learning_rate, TRAINING, DOUBLE), .default_text = "0.0003", RANGES (1e-8, 1, 0, 100),
    .title = N_ ("Learning Rate"), .section = N_ ("Learning Rate"),
    .help = N_ ("The largest step size, reached after the warm-up."),
    .details = N_ ("Too high: the loss jumps up or becomes NaN. Too low: it hardly falls. From scratch, "
                   "small models like 1e-3 and large ones 3e-4; to train on from finished weights, a "
                   "tenth of that.") },
  { OPTION (lr_schedule, TRAINING, CHOICE), .default_text = "cosine", CHOICES (lr_schedule),
    .title = N_ ("Schedule"),
    .help = N_ ("How the learning rate falls after the warm-up."),
    .details = N_ ("cosine: slowly, then faster, then slowly (the usual choice). linear: evenly. "
                   "constant: not at all. wsd (warm-up, stable, decay): constant, then evenly down over "
                   "the last lr_decay_share of the steps.") },
  { OPTION (warmup_steps, TRAINING, INT), .default_text = "10", RANGE (0, MAX_STEPS), .unit = N_ ("steps"),
    .title = N_ ("Warm-up"),
    .help = N_ ("Steps over which the learning rate rises from nearly nothing."),
    .details = N_ ("The optimizer knows little about the gradients at first, and large steps then do "
                   "lasting harm. One to ten percent of the steps is usual.") },
  { OPTION (min_lr_ratio, TRAINING, DOUBLE), .default_text = "0.1", RANGE (0, 1),
    .title = N_ ("Final Learning Rate"),
    .help = N_ ("Where the schedule ends, as a share of the learning rate."),
    .details = N_ ("0.1 ends at a tenth. Without effect on the constant schedule.") },
  { OPTION (lr_decay_share, TRAINING, DOUBLE), .default_text = "0.2", RANGE (0, 1),
    .title = N_ ("Decay Share"), .seldom = TRUE,
    .help = N_ ("Schedule wsd: the last share of the steps, over which the learning rate falls."),
    .details = N_ ("Without effect on the other schedules.") },
  { OPTION (weight_decay, TRAINING, DOUBLE), .default_text = "0.1", RANGES (0, 1, 0, 10),
    .title = N_ ("Weight Decay"), .section = N_ ("Optimizer"),
    .help = N_ ("Pull of the weights towards zero, in proportion to the learning rate."),
    .details = N_ ("AdamW's decoupled decay (Loshchilov and Hutter, 2019). Applies to matrices and "
                   "embeddings; norms and biases are left alone unless decay_all says otherwise.") },
  { OPTION (decay_all, TRAINING, BOOLEAN), .default_text = "false",
    .title = N_ ("Decay Everything"), .seldom = TRUE,
    .help = N_ ("Weight decay also on norms and biases."),
    .details = N_ ("What torch.optim.AdamW does with model.parameters(); for comparing with it.") },
  { OPTION (beta1, TRAINING, DOUBLE), .default_text = "0.9", RANGES (0, 0.999, 0, 0.999999),
    .title = N_ ("Beta 1"), .seldom = TRUE,
    .help = N_ ("AdamW: how slowly the mean of the gradients changes."),
    .details = N_ ("0.9 averages over about 10 steps. Seldom worth changing.") },
  { OPTION (beta2, TRAINING, DOUBLE), .default_text = "0.95", RANGES (0, 0.9999, 0, 0.9999999),
    .title = N_ ("Beta 2"), .seldom = TRUE,
    .help = N_ ("AdamW: how slowly the mean of the squared gradients changes."),
    .details = N_ ("0.95 averages over about 20 steps and is the language models' choice; 0.999 is "
                   "steadier with very small batches.") },
  { OPTION (adam_epsilon, TRAINING, DOUBLE), .default_text = "1e-08", RANGES (1e-15, 0.01, 1e-30, 1),
    .title = N_ ("Epsilon"), .seldom = TRUE,
    .help = N_ ("AdamW: added to the root of the mean squared gradient before dividing by it."),
    .details = N_ ("Keeps weights that get almost no gradient from taking large steps. Seldom worth "
                   "changing.") },
  { OPTION (grad_clip, TRAINING, DOUBLE), .default_text = "1", RANGE (1e-6, 1e6), .zero_means = N_ ("off"),
    .title = N_ ("Gradient Clipping"),
    .help = N_ ("Longest gradient, as the norm over all weights; a longer one is scaled down."),
    .details = N_ ("One odd text can give a gradient that throws the model far off; clipping keeps its "
                   "direction and limits its length. The gradient norm in the charts is the one before "
                   "clipping.") },
  { OPTION (seed, TRAINING, INT), .default_text = "42", RANGE (0, MAX_SEED),
    .title = N_ ("Seed"), .seldom = TRUE,
    .help = N_ ("Start of all random numbers: first weights, order of the rows, text that is written."),
    .details = N_ ("The same seed and settings on the same machine give the same run; on the CPU bit for "
                   "bit.") },
  { OPTION (eval_interval, TRAINING, INT), .default_text = "50", RANGE (1, MAX_STEPS),
    .zero_means = N_ ("only at the end"), .unit = N_ ("steps"),
    .title = N_ ("Evaluate Every"), .section = N_ ("Evaluation"),
    .help = N_ ("Steps between measurements of the evaluation loss."),
    .details = N_ ("An evaluation of N rows takes about as long as N / 3 rows of training.") },
  { OPTION (eval_rows, TRAINING, INT), .default_text = "8", RANGE (1, MAX_STEPS),
    .zero_means = N_ ("all"), .unit = N_ ("rows"),
    .title = N_ ("Evaluation Rows"), .seldom = TRUE,
    .help = N_ ("Rows of max_seq_len tokens that each evaluation measures; always the same ones."),
    .details = N_ ("More rows give a steadier number and take longer. When the evaluation text has fewer "
                   "rows, all of them are used.") },

  /* ---- attention and memory ---- */
  { OPTION (use_flash_attn, ATTENTION, BOOLEAN), .default_text = "true",
    .title = N_ ("FlashAttn-2"), .section = N_ ("Attention"),
    .help = N_ ("Attention in tiles, without ever holding the table of all pairs of tokens."),
    .details = N_ ("The same mathematics as plain attention (Dao, 2023), faster, and its memory grows "
                   "with the context instead of with its square. Off takes the plain path, block by "
                   "block, for comparison. The run says which path and kernel really ran, and why. It "
                   "works with and without a window and does not depend on it.") },
  { OPTION (window_size, ATTENTION, INT), .default_text = "512", RANGES (256, 8192, 1, MAX_TOKENS),
    .zero_means = N_ ("full attention"), .unit = N_ ("tokens"),
    .title = N_ ("Window Size"),
    .help = N_ ("How far back each token sees, itself included."),
    .details = N_ ("The time for attention grows with context x window instead of context x context. "
                   "Often misunderstood: it is not the number of tokens trained on (that is the context "
                   "length); it does not switch FlashAttention on; larger is not always better, because "
                   "layers pass on what lies further back (L layers reach L x (W - 1) + 1 tokens); and a "
                   "window as large as the context is just full attention.") },
  { OPTION (window_pattern, ATTENTION, CHOICE), .default_text = "all", CHOICES (window_pattern),
    .title = N_ ("Window Pattern"), .seldom = TRUE,
    .help = N_ ("Which layers have the window: all, every other one, or as the model's own configuration "
                "says."),
    .details = N_ ("alternate gives layers 0, 2, 4, ... the window and the others full attention: "
                   "dearer, and sees everything. model uses the windows in the model's config.json and "
                   "leaves window_size unused.") },
  { OPTION (sink_tokens, ATTENTION, INT), .default_text = "0", RANGES (0, 64, 0, MAX_TOKENS), .unit = N_ ("tokens"),
    .title = N_ ("Sink Tokens"), .seldom = TRUE,
    .help = N_ ("First tokens of the document that every token sees in addition to its window."),
    .details = N_ ("Models park attention on the first tokens when nothing else fits (Xiao et al., "
                   "2023); with a window, 4 of them keep a model that was trained without one usable. "
                   "Not needed when training from scratch.") },
  { OPTION (use_chunked_training, ATTENTION, BOOLEAN), .default_text = "false",
    .title = N_ ("Context Chunking"), .section = N_ ("Context Chunking"),
    .help = N_ ("Visit each row in chunks, so that only a chunk's activations exist at a time."),
    .details = N_ ("For contexts that do not fit. With the exact carry the gradients equal those of the "
                   "whole row up to rounding: nothing is cut off, only time is paid, about as much as "
                   "gradient checkpointing costs.") },
  { OPTION (chunk_size, ATTENTION, INT), .default_text = "2048", RANGES (32, 8192, 1, MAX_TOKENS),
    .unit = N_ ("tokens"),
    .title = N_ ("Chunk Size"),
    .help = N_ ("Tokens of a chunk when context chunking is on."),
    .details = N_ ("Smaller needs less memory and is slower below about 512. Any number will do; it need "
                   "not divide the context.") },
  { OPTION (chunk_carry, ATTENTION, CHOICE), .default_text = "exact", .choices = chunk_carries,
    .choice_titles = chunk_carry_titles,
    .title = N_ ("Carry"),
    .help = N_ ("What passes between chunks: exact, or truncated (not exact: gradients stop at chunk "
                "borders)."),
    .details = N_ ("exact gives the gradients of the whole row. truncated runs each chunk forward and "
                   "backward on its own; later chunks see the earlier ones' keys and values but send no "
                   "gradient back into them. It needs the least memory, and it trains something else: "
                   "prefer exact.") },
  { OPTION (gradient_checkpointing, ATTENTION, BOOLEAN), .default_text = "true",
    .title = N_ ("Gradient Checkpointing"), .section = N_ ("Memory and Precision"),
    .help = N_ ("Keep only each layer's input and compute the layer again for the gradient."),
    .details = N_ ("The same result for much less memory and about a third more time. Off is faster when "
                   "it fits.") },
  { OPTION (checkpoint_attention, ATTENTION, BOOLEAN), .default_text = "false",
    .title = N_ ("Keep Attention"), .seldom = TRUE,
    .help = N_ ("With gradient checkpointing: keep attention's result, so that it is not computed again."),
    .details = N_ ("Doubles the memory of the checkpoints and saves the part of the recomputation that "
                   "grows with context x window. Worth it for long contexts with full attention.") },
  { OPTION (amp, ATTENTION, BOOLEAN), .default_text = "true",
    .title = N_ ("Mixed Precision"),
    .help = N_ ("Weights and activations in 16 bits where the device gains from it; sums stay in 32."),
    .details = N_ ("The optimizer keeps 32-bit master weights. Which 16-bit format, and whether the "
                   "device gains, is amp_dtype's matter.") },
  { OPTION (amp_dtype, ATTENTION, CHOICE), .default_text = "auto", CHOICES (amp_dtype),
    .title = N_ ("Precision"), .seldom = TRUE,
    .help = N_ ("The 16-bit format of mixed precision."),
    .details = N_ ("auto is bf16 on a graphics card that has it, and plain fp32 on the CPU, which is "
                   "faster in fp32. bf16 forces 16-bit storage on the CPU too: less memory, more time. "
                   "fp16 is for cards without bf16; its narrow range needs a loss scaler.") },
  { OPTION (use_8bit_optimizer, ATTENTION, BOOLEAN), .default_text = "false",
    .title = N_ ("8-bit Optimizer"),
    .help = N_ ("AdamW's two moments in 8 bits each instead of 32."),
    .details = N_ ("Saves 6 bytes a parameter. Block-wise quantisation (Dettmers et al., 2021) keeps the "
                   "loss curve practically the same; small runs do not need it.") },
  { OPTION (memory_limit, ATTENTION, BYTES), .default_text = "0", RANGE (64 * MEBIBYTE, PEBIBYTE),
    .zero_means = N_ ("what the device has"),
    .title = N_ ("Memory Limit"),
    .help = N_ ("Device memory that the run may use at most, for example 8GiB."),
    .details = N_ ("The run is planned to the byte before it starts; a plan over the limit is refused "
                   "and says what would make it fit. 8G and 8GiB are 8 x 1024^3 bytes, 8GB are 8 x "
                   "1000^3. Also good for trying what a smaller card could do.") },
  { OPTION (device, ATTENTION, STRING), .default_text = "auto",
    .check = check_device, .allowed = N_ ("auto, cpu, cuda, or cuda:0 to cuda:1023"),
    .title = N_ ("Device"), .section = N_ ("Device"),
    .help = N_ ("What computes: auto, cpu, cuda, or cuda:N for one of several cards."),
    .details = N_ ("auto takes the first graphics card that works and says why when it takes the CPU. "
                   "cuda never falls back to the CPU.") },
  { OPTION (threads, ATTENTION, INT), .default_text = "0", RANGE (1, 256),
    .zero_means = N_ ("as many as this process may use"), .unit = N_ ("threads"),
    .title = N_ ("Threads"), .seldom = TRUE,
    .help = N_ ("Threads of the CPU back end and of the tokenizer."),
    .details = N_ ("More than the processor has cores makes it slower. Another number adds sums up in another order, so "
                   "the last digits of the losses differ.") },

  /* ---- output ---- */
  { OPTION (output_dir, OUTPUT, FILE), .default_text = "", .path = FEN_PATH_MAKE_FOLDER,
    .title = N_ ("Output Folder"), .section = N_ ("Run Folder"),
    .help = N_ ("The place where run folders are made. Empty: fenestra/runs in your data folder."),
    .details = N_ ("A run folder is the whole truth of a run: configuration, metrics, log, checkpoints "
                   "and the final model, which transformers loads.") },
  { OPTION (run_name, OUTPUT, STRING), .default_text = "",
    .check = check_run_name,
    .allowed = N_ ("at most 100 bytes without slashes and control characters, not starting with a dot, not last"),
    .title = N_ ("Run Name"),
    .help = N_ ("Name of the run and its folder. Empty: made from the model and the time."),
    .details = N_ ("A name that is taken is refused rather than written over.") },
  { OPTION (log_file, OUTPUT, FILE), .default_text = "", .path = FEN_PATH_SAVE_FILE,
    .title = N_ ("Metrics Copy"), .seldom = TRUE,
    .help = N_ ("A second copy of the run's metrics.jsonl. Empty: none."),
    .details = N_ ("One JSON object a line, written as the run goes; a file that is there is replaced.") },
  { OPTION (checkpoint_interval, OUTPUT, INT), .default_text = "500", RANGE (1, MAX_STEPS),
    .zero_means = N_ ("only at the end and when stopped"), .unit = N_ ("steps"),
    .title = N_ ("Checkpoint Every"), .section = N_ ("Checkpoints"),
    .help = N_ ("Steps between checkpoints, from which an interrupted run goes on."),
    .details = N_ ("A run that is stopped writes a checkpoint in any case; this is for power cuts and "
                   "crashes. A checkpoint takes 12 bytes a parameter on the disk.") },
  { OPTION (keep_checkpoints, OUTPUT, INT), .default_text = "2", RANGE (1, 1000), .unit = N_ ("checkpoints"),
    .title = N_ ("Keep Checkpoints"), .seldom = TRUE,
    .help = N_ ("Checkpoints that are kept; older ones are removed once a newer one is whole."),
    .details = N_ ("With 2, a newest one that turns out to be damaged still leaves the one before it.") },
  { OPTION (expert, OUTPUT, BOOLEAN), .default_text = "false",
    .title = N_ ("Expert Ranges"),
    .help = N_ ("Widen the allowed ranges to all that the engine can do."),
    .details = N_ ("For example windows from 1 token up. Nothing else changes.") },
  { NULL }
};
/* clang-format on */

const FenOption *
fen_config_options (void)
{
  return options;
}

const FenOption *
fen_config_find_option (const char *name)
{
  for (const FenOption *option = options; option->name != NULL; option++)
    {
      const char *a = option->name, *b = name;
      while (*a != '\0' && (*a == *b || (*a == '_' && *b == '-')))
        {
          a++;
          b++;
        }
      if (*a == '\0' && *b == '\0')
        return option;
    }
  return NULL;
}

const char *
fen_config_group_title (FenOptionGroup group)
{
  static const char *const titles[FEN_N_GROUPS] = {
    [FEN_GROUP_DATA] = NC_ ("settings page", "Data and Model"),
    [FEN_GROUP_TRAINING] = NC_ ("settings page", "Training"),
    [FEN_GROUP_ATTENTION] = NC_ ("settings page", "Attention and Memory"),
    [FEN_GROUP_OUTPUT] = NC_ ("settings page", "Output"),
  };
  g_return_val_if_fail ((guint)group < FEN_N_GROUPS, "");
  return titles[group];
}
