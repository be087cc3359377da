/* fen-config.h: every setting of a run, in one table.
 *
 * fen_config_options() is the only list of settings in the project. Command-line flags, --help, config.json (reading
 * and writing), validation, the man page and the window's rows are made from it: a name, default, range, unit or
 * help text written anywhere else is a defect. Spelling: `window_size` in JSON and here, `--window-size` as a flag.
 *
 * Precedence: defaults < configuration file < flags. A run folder's config.json is complete and runs again unchanged.
 *
 * Ownership: FenConfig owns its strings. Threads: a FenConfig is used by one thread at a time; the table is constant.
 */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

#define FEN_CONFIG_ERROR (fen_config_error_quark ())
GQuark fen_config_error_quark (void);

typedef enum {
  FEN_CONFIG_ERROR_UNKNOWN_OPTION,
  FEN_CONFIG_ERROR_TYPE,     /* "abc" for a number */
  FEN_CONFIG_ERROR_RANGE,    /* outside the allowed range or not one of the choices */
  FEN_CONFIG_ERROR_CONFLICT, /* two settings that exclude each other */
} FenConfigError;

/* The name of the setting to change, for an error of this domain that has one; NULL for any other error. */
const char *fen_config_error_get_option (const GError *error);

typedef enum { FEN_LR_COSINE, FEN_LR_LINEAR, FEN_LR_CONSTANT, FEN_LR_WSD } FenLrSchedule;
typedef enum { FEN_AMP_AUTO, FEN_AMP_BF16, FEN_AMP_FP16 } FenAmpDType;
typedef enum { FEN_WINDOW_ALL, FEN_WINDOW_ALTERNATE, FEN_WINDOW_MODEL } FenWindowPattern;
typedef enum { FEN_CARRY_EXACT, FEN_CARRY_TRUNCATED } FenChunkCarry;

/* One field an option; the table says default, range, choices, unit and help of each. */
typedef struct {
  /* data and model */
  char *dataset_file; /* "" = the bundled sample */
  char *text_field;   /* member of a .jsonl line that holds the text */
  char *model;        /* a preset's name or a Hugging Face folder */
  char *tokenizer;    /* "" = the model's, or bpe:4096 for a preset; a file; bytes; bpe:N */
  gint64 vocab_size;  /* 0 = the preset's own or the tokenizer's */
  gboolean shuffle;
  gboolean document_mask; /* tokens see their own document only */
  double eval_share;      /* share of documents held out for evaluation */
  /* training */
  gint64 max_seq_len; /* tokens a row */
  gint64 batch_size;  /* rows a micro-batch */
  gint64 gradient_accumulation_steps;
  gint64 steps;
  double learning_rate;
  FenLrSchedule lr_schedule;
  gint64 warmup_steps;
  double min_lr_ratio;   /* the schedule ends at learning_rate times this */
  double lr_decay_share; /* WSD: last share of the steps that decays */
  double weight_decay;
  gboolean decay_all; /* also norms, biases and embeddings (the goldens' rule) */
  double beta1, beta2, adam_epsilon;
  double grad_clip; /* global norm; 0 = off */
  gint64 seed;
  gint64 eval_interval; /* steps; 0 = only at the end */
  gint64 eval_rows;     /* rows an evaluation; 0 = all */
  /* attention and memory */
  gboolean use_flash_attn;
  gint64 window_size; /* 0 = full attention; W counts the token itself */
  FenWindowPattern window_pattern;
  gint64 sink_tokens;
  gboolean use_chunked_training;
  gint64 chunk_size; /* tokens */
  FenChunkCarry chunk_carry;
  gboolean gradient_checkpointing;
  gboolean checkpoint_attention; /* keep attention's O and LSE, so that it is not recomputed */
  gboolean amp;
  FenAmpDType amp_dtype;
  gboolean use_8bit_optimizer;
  guint64 memory_limit; /* bytes; 0 = what the device has */
  /* device */
  char *device;   /* auto, cpu, cuda, cuda:N */
  gint64 threads; /* CPU back end; 0 = as many as this process may use */
  /* output */
  char *output_dir;           /* the place where run folders are made; "" = the user's data folder */
  char *run_name;             /* "" = made from model and time */
  char *log_file;             /* a second copy of metrics.jsonl; "" = none */
  gint64 checkpoint_interval; /* steps; 0 = only at the end and on stop */
  gint64 keep_checkpoints;
  gboolean expert; /* widens ranges to what the engine can do */
} FenConfig;

typedef enum {
  FEN_OPTION_BOOLEAN, /* gboolean */
  FEN_OPTION_INT,     /* gint64 */
  FEN_OPTION_DOUBLE,  /* double */
  FEN_OPTION_BYTES,   /* guint64; text like 8GiB */
  FEN_OPTION_STRING,  /* char *, never NULL */
  FEN_OPTION_FILE,    /* char *, a path; the window shows a chooser */
  FEN_OPTION_CHOICE,  /* an enum stored as int; choices are NULL-terminated names in the enum's order */
} FenOptionType;

/* Groups are the pages of Training Settings, in order. */
typedef enum {
  FEN_GROUP_DATA,
  FEN_GROUP_TRAINING,
  FEN_GROUP_ATTENTION,
  FEN_GROUP_OUTPUT,
  FEN_N_GROUPS
} FenOptionGroup;

/* A text that is, or may be, the path of something: what a chooser should offer. */
typedef enum {
  FEN_PATH_OPEN_FILE = 1 << 0,   /* a file that is there */
  FEN_PATH_OPEN_FOLDER = 1 << 1, /* a folder that is there */
  FEN_PATH_MAKE_FOLDER = 1 << 2, /* a folder that is made when it is missing */
  FEN_PATH_SAVE_FILE = 1 << 3,   /* a file that will be written */
} FenOptionPath;

typedef struct {
  const char *name; /* snake_case, as in JSON */
  FenOptionGroup group;
  FenOptionType type;
  gsize offset; /* into FenConfig */
  /* The default as text, in the form that a flag accepts. */
  const char *default_text;
  /* Numbers: allowed range, both ends included; `zero_means` names what 0 stands for when 0 is allowed outside
   * the range ("full attention"), or NULL. `expert_*` are the wider bounds when FenConfig.expert is set. */
  double min, max, expert_min, expert_max;
  const char *zero_means;
  const char *const *choices;       /* FEN_OPTION_CHOICE */
  const char *const *choice_titles; /* the same for people, translatable */
  FenOptionPath path;               /* 0 = no path */
  const char *unit;                 /* "tokens", "steps", ... or NULL */
  const char *title;                /* the window's row title, translatable */
  const char *help;                 /* one line */
  const char *details;              /* longer help: what it does, what it costs, common misconceptions */
  /* The part of the page that begins with this option, translatable; NULL goes on with the part before it. */
  const char *section;
  gboolean seldom; /* the window shows it among the seldom-used ones, behind "More" */
  /* FEN_OPTION_STRING and FILE: is the (UTF-8) text allowed, and what is, in words. NULL: any text. */
  gboolean (*check) (const char *text);
  const char *allowed;
} FenOption;

/* The table, ended by an entry with name NULL. */
const FenOption *fen_config_options (void);
const FenOption *fen_config_find_option (const char *name); /* accepts - for _; NULL when unknown */
/* English; its translation has the context "settings page". */
const char *fen_config_group_title (FenOptionGroup group);

FenConfig *fen_config_new (void); /* defaults */
FenConfig *fen_config_copy (const FenConfig *config);
void fen_config_free (FenConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FenConfig, fen_config_free)

/* Parses and checks one value; on error the configuration is unchanged and the message names the option, the value
 * and what is allowed. Booleans: true/false, on/off, yes/no, 1/0. */
gboolean fen_config_set (FenConfig *config, const FenOption *option, const char *text, GError **error);
/* The value in the form that fen_config_set accepts. Free with g_free. */
char *fen_config_get_text (const FenConfig *config, const FenOption *option);
/* "0 (full attention) or 256 to 8192 tokens": for errors, help and the window. Free with g_free. */
char *fen_option_range_text (const FenOption *option, gboolean expert);

/* What settings are called in a sentence. On the command line, in files and logs by their names ("window_size 4096 >=
 * max_seq_len 2048"); in the window by the titles of their rows, with numbers and choices in the person's language
 * ("Window Size 4,096 >= Context Length 2,048"). One sentence serves both. */
typedef enum { FEN_WORDS_NAMES, FEN_WORDS_TITLES } FenWords;

/* fen_config_set and fen_option_range_text in these words. With titles an error leaves out the option, whose row it
 * stands in ("255 cannot be used; allowed: 0 (full attention) or 256 to 8,192 tokens"), and numbers may be typed as the locale
 * writes them. */
gboolean fen_config_set_words (FenConfig *config, const FenOption *option, const char *text, FenWords words,
                               GError **error);
char *fen_option_range_words (const FenOption *option, gboolean expert, FenWords words);
/* fen_config_get_text in these words: with titles, choices by their translated titles and numbers as the locale writes
 * them, without grouping, so that they can be typed again. Free with g_free. */
char *fen_config_get_words (const FenConfig *config, const FenOption *option, FenWords words);

/* JSON. Unknown keys, wrong types and values out of range are errors that name `source`, key and value.
 * Ranges of a file are checked after all of it is read, so `expert` may stand anywhere in it. */
gboolean fen_config_read_json (FenConfig *config, JsonObject *object, const char *source, GError **error);
gboolean fen_config_load (FenConfig *config, const char *path, GError **error);
char *fen_config_to_json (const FenConfig *config); /* complete, indented, ends with a newline */
gboolean fen_config_save (const FenConfig *config, const char *path, GError **error);

/* Command line: consumes --name value, --name=value, --flag, --no-flag for every option of the table from argv
 * (argc and argv are compacted; what is left are the program's own arguments). `--config FILE` is read first,
 * whatever its place; `--` ends the search. Ranges are checked at the end, so `--expert` may stand anywhere.
 * `explicit_options` (may be NULL; a set of g_str_hash, its keys are the table's) receives the names that the flags
 * or the file set. On error nothing has changed. */
gboolean fen_config_parse_args (FenConfig *config, int *argc, char ***argv, GHashTable *explicit_options,
                                GError **error);
/* FEN_CONFIG_ERROR_UNKNOWN_OPTION for a flag that is neither in the table nor the program's own: names the nearest of
 * both. `own_flags` (may be NULL) are the program's, NULL-terminated, without dashes in front ("json", "help"). */
void fen_config_set_unknown_flag (GError **error, const char *flag, const char *const *own_flags);
/* The help text of the options that `only` names (ended by NULL; NULL: all), wrapped at `width` columns. */
char *fen_config_help (guint width, const char *const *only);
/* The same with the details, as roff for the man page: one .SS a group, one .TP an option. Free with g_free. */
char *fen_config_roff (void);
/* `fenestra-cli train --...`: flags for every setting that differs from its default, shell-quoted. */
char *fen_config_command_line (const FenConfig *config, const char *program);

/* ---- what settings mean together ---- */

typedef enum {
  FEN_FINDING_ERROR,    /* a run cannot start */
  FEN_FINDING_NOTE,     /* allowed, but does less or something else than it looks */
  FEN_FINDING_INACTIVE, /* other settings leave this one without effect, whatever its value */
} FenFindingKind;

typedef struct {
  FenFindingKind kind;
  const FenOption *option; /* the setting to change; never NULL */
  char *text;              /* one line; INACTIVE: the reason alone ("amp is off") */
} FenFinding;

/* Checks against a model's shape; `model_window` is the model's own window or 0. Positions: 0 = no limit. */
typedef struct {
  gint64 hidden, heads, kv_heads, layers, vocab_size, max_positions, model_window;
  gboolean learned_positions; /* GPT-2: a context over max_positions is impossible, not merely untrained */
} FenModelShape;

/* All that can be said about the settings, and about them with a model when `shape` is not NULL. An array of
 * FenFinding, in the order of importance within an option; free with g_ptr_array_unref. */
GPtrArray *fen_config_check (const FenConfig *config, const FenModelShape *shape, FenWords words);

/* The same as errors and notes for the command line. Checks between settings that need no model: window against
 * context, chunk against context, warm-up against steps, sinks against window, ... Errors name both settings and the
 * fix. Notes (GPtrArray of char *, may be NULL) receive what is allowed and has no effect ("window_size 4096 >=
 * max_seq_len 2048: full attention"); an inactive setting is told only when it was changed. */
gboolean fen_config_validate (const FenConfig *config, GPtrArray *notes, GError **error);
gboolean fen_config_validate_model (const FenConfig *config, const FenModelShape *shape, GPtrArray *notes,
                                    GError **error);

/* The learning rate of optimizer step `step` (0-based): linear warm-up over warmup_steps, then the schedule.
 * A pure function, so a resumed run needs no state. */
double fen_config_learning_rate (const FenConfig *config, gint64 step);

G_END_DECLS
