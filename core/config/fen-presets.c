/* fen-presets.c: the table of model shapes (see fen-presets.h). Published shapes are those of the models' own
 * config.json files. */
#include "core/config/fen-presets.h"

#include "core/base/fen-error.h"
#include "core/config/fen-config-private.h"

#include <glib/gi18n-lib.h>

/* Long contexts are what this program is for, so its own shapes rotate as slowly as Llama 3 does. */
#define OWN_ROPE_THETA 500000.0

static const FenPreset presets[] = {
  { .name = "nano",
    .architecture = "gpt2",
    .description
    = N_ ("0.8 million parameters beside the embeddings, GPT-2 architecture: nanoGPT's size for a processor"),
    .hidden = 128,
    .layers = 4,
    .heads = 4,
    .kv_heads = 4,
    .head_dim = 32,
    .intermediate = 512,
    .max_positions = 1024,
    .tie_embeddings = TRUE,
    .norm_epsilon = 1e-5 },
  { .name = "1M",
    .architecture = "llama",
    .description = N_ ("1 million parameters, Llama architecture: tries settings out in a minute"),
    .hidden = 128,
    .layers = 3,
    .heads = 4,
    .kv_heads = 2,
    .head_dim = 32,
    .intermediate = 320,
    .tie_embeddings = TRUE,
    .rope_theta = OWN_ROPE_THETA,
    .norm_epsilon = 1e-5 },
  { .name = "5M",
    .architecture = "llama",
    .description = N_ ("5 million parameters, Llama architecture: learns a small corpus on a processor"),
    .hidden = 256,
    .layers = 6,
    .heads = 4,
    .kv_heads = 2,
    .head_dim = 64,
    .intermediate = 640,
    .tie_embeddings = TRUE,
    .rope_theta = OWN_ROPE_THETA,
    .norm_epsilon = 1e-5 },
  { .name = "10M",
    .architecture = "llama",
    .description = N_ ("10 million parameters, Llama architecture: the default"),
    .hidden = 384,
    .layers = 6,
    .heads = 6,
    .kv_heads = 2,
    .head_dim = 64,
    .intermediate = 896,
    .tie_embeddings = TRUE,
    .rope_theta = OWN_ROPE_THETA,
    .norm_epsilon = 1e-5 },
  { .name = "20M",
    .architecture = "llama",
    .description
    = N_ ("20 million parameters, Llama architecture: an evening on a processor, minutes on a graphics card"),
    .hidden = 512,
    .layers = 8,
    .heads = 8,
    .kv_heads = 2,
    .head_dim = 64,
    .intermediate = 1024,
    .tie_embeddings = TRUE,
    .rope_theta = OWN_ROPE_THETA,
    .norm_epsilon = 1e-5 },
  { .name = "50M",
    .architecture = "llama",
    .description
    = N_ ("50 million parameters, Llama architecture: fluent paragraphs after hundreds of megabytes"),
    .hidden = 640,
    .layers = 12,
    .heads = 10,
    .kv_heads = 2,
    .head_dim = 64,
    .intermediate = 1536,
    .tie_embeddings = TRUE,
    .rope_theta = OWN_ROPE_THETA,
    .norm_epsilon = 1e-5 },
  { .name = "gpt2",
    .architecture = "gpt2",
    .description = N_ ("GPT-2, 124 million parameters, 1,024 positions"),
    .hidden = 768,
    .layers = 12,
    .heads = 12,
    .kv_heads = 12,
    .head_dim = 64,
    .intermediate = 3072,
    .max_positions = 1024,
    .vocab_size = 50257,
    .tie_embeddings = TRUE,
    .norm_epsilon = 1e-5 },
  { .name = "gpt2-medium",
    .architecture = "gpt2",
    .description = N_ ("GPT-2 medium, 355 million parameters, 1,024 positions"),
    .hidden = 1024,
    .layers = 24,
    .heads = 16,
    .kv_heads = 16,
    .head_dim = 64,
    .intermediate = 4096,
    .max_positions = 1024,
    .vocab_size = 50257,
    .tie_embeddings = TRUE,
    .norm_epsilon = 1e-5 },
  { .name = "qwen2-0.5b",
    .architecture = "qwen2",
    .description = N_ ("Qwen2 0.5B, 494 million parameters, 131,072 positions"),
    .hidden = 896,
    .layers = 24,
    .heads = 14,
    .kv_heads = 2,
    .head_dim = 64,
    .intermediate = 4864,
    .max_positions = 131072,
    .vocab_size = 151936,
    .tie_embeddings = TRUE,
    .rope_theta = 1000000.0,
    .norm_epsilon = 1e-6 },
  { .name = "gpt2-large",
    .architecture = "gpt2",
    .description = N_ ("GPT-2 large, 774 million parameters, 1,024 positions"),
    .hidden = 1280,
    .layers = 36,
    .heads = 20,
    .kv_heads = 20,
    .head_dim = 64,
    .intermediate = 5120,
    .max_positions = 1024,
    .vocab_size = 50257,
    .tie_embeddings = TRUE,
    .norm_epsilon = 1e-5 },
  { .name = "llama-1b",
    .architecture = "llama",
    .description = N_ ("Llama 3.2 1B, 1.24 billion parameters, 131,072 positions"),
    .hidden = 2048,
    .layers = 16,
    .heads = 32,
    .kv_heads = 8,
    .head_dim = 64,
    .intermediate = 8192,
    .max_positions = 131072,
    .vocab_size = 128256,
    .tie_embeddings = TRUE,
    .rope_theta = 500000.0,
    .rope_scaling = { 32, 1, 4, 8192 },
    .norm_epsilon = 1e-5 },
  { .name = "qwen2-1.5b",
    .architecture = "qwen2",
    .description = N_ ("Qwen2 1.5B, 1.54 billion parameters, 131,072 positions"),
    .hidden = 1536,
    .layers = 28,
    .heads = 12,
    .kv_heads = 2,
    .head_dim = 128,
    .intermediate = 8960,
    .max_positions = 131072,
    .vocab_size = 151936,
    .tie_embeddings = TRUE,
    .rope_theta = 1000000.0,
    .norm_epsilon = 1e-6 },
  { .name = "gpt2-xl",
    .architecture = "gpt2",
    .description = N_ ("GPT-2 XL, 1.56 billion parameters, 1,024 positions"),
    .hidden = 1600,
    .layers = 48,
    .heads = 25,
    .kv_heads = 25,
    .head_dim = 64,
    .intermediate = 6400,
    .max_positions = 1024,
    .vocab_size = 50257,
    .tie_embeddings = TRUE,
    .norm_epsilon = 1e-5 },
  { .name = "llama-3b",
    .architecture = "llama",
    .description = N_ ("Llama 3.2 3B, 3.21 billion parameters, 131,072 positions"),
    .hidden = 3072,
    .layers = 28,
    .heads = 24,
    .kv_heads = 8,
    .head_dim = 128,
    .intermediate = 8192,
    .max_positions = 131072,
    .vocab_size = 128256,
    .tie_embeddings = TRUE,
    .rope_theta = 500000.0,
    .rope_scaling = { 32, 1, 4, 8192 },
    .norm_epsilon = 1e-5 },
  { .name = "mistral-7b",
    .architecture = "mistral",
    .description = N_ ("Mistral 7B v0.1, 7.24 billion parameters, 32,768 positions, its own window of 4,096"),
    .hidden = 4096,
    .layers = 32,
    .heads = 32,
    .kv_heads = 8,
    .head_dim = 128,
    .intermediate = 14336,
    .max_positions = 32768,
    .vocab_size = 32000,
    .window = 4096,
    .rope_theta = 10000.0,
    .norm_epsilon = 1e-5 },
  { .name = "llama-8b",
    .architecture = "llama",
    .description = N_ ("Llama 3.1 8B, 8.03 billion parameters, 131,072 positions"),
    .hidden = 4096,
    .layers = 32,
    .heads = 32,
    .kv_heads = 8,
    .head_dim = 128,
    .intermediate = 14336,
    .max_positions = 131072,
    .vocab_size = 128256,
    .rope_theta = 500000.0,
    .rope_scaling = { 8, 1, 4, 8192 },
    .norm_epsilon = 1e-5 },
  { NULL }
};

const FenPreset *
fen_presets (void)
{
  return presets;
}

const FenPreset *
fen_preset_find (const char *name)
{
  for (const FenPreset *preset = presets; preset->name != NULL; preset++)
    if (g_ascii_strcasecmp (preset->name, name) == 0)
      return preset;
  return NULL;
}

const FenPreset *
fen_preset_lookup (const char *name, GError **error)
{
  const FenPreset *found = fen_preset_find (name);
  if (found != NULL)
    return found;
  GString *list = g_string_new (NULL);
  for (const FenPreset *preset = presets; preset->name != NULL; preset++)
    /* TRANSLATORS: between two names of a list. */
    g_string_append_printf (list, "%s%s", list->len > 0 ? C_ ("list", ", ") : "", preset->name);
  g_autofree char *quoted = fen_error_quote (name);
  /* TRANSLATORS: what was given as the model, a list of names. */
  fen_config_fail (error, FEN_CONFIG_ERROR_RANGE, fen_config_find_option ("model"),
                   g_strdup_printf (_ ("model %s is neither a folder nor a preset; the presets are %s"),
                                    quoted, list->str));
  g_string_free (list, TRUE);
  return NULL;
}

/* GPT-2: biases everywhere, two LayerNorms a layer, learned positions. The others: RMSNorm, gated MLP; Qwen2 adds
 * biases to q, k and v. */
gint64
fen_preset_n_parameters (const FenPreset *preset, gint64 vocab_size)
{
  gint64 d = preset->hidden, q = preset->heads * preset->head_dim, kv = preset->kv_heads * preset->head_dim;
  gint64 inner = preset->intermediate;
  gint64 vocab = preset->vocab_size > 0 ? preset->vocab_size : vocab_size;
  gint64 embeddings = vocab * d * (preset->tie_embeddings ? 1 : 2);
  gint64 attention = d * (q + 2 * kv) + q * d;

  if (g_str_equal (preset->architecture, "gpt2"))
    {
      gint64 layer = attention + q + 2 * kv + d + 2 * d * inner + inner + d + 4 * d;
      return embeddings + preset->max_positions * d + preset->layers * layer + 2 * d;
    }
  gint64 biases = g_str_equal (preset->architecture, "qwen2") ? q + 2 * kv : 0;
  return embeddings + preset->layers * (attention + biases + 3 * d * inner + 2 * d) + d;
}
