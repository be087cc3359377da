/* fen-dataset.c: the door: tokens, their split, and a packer for each side (see fen-dataset.h). */
#include "core/corpus/fen-dataset-private.h"

#include <string.h>

#include "core/base/fen-number.h"
#include "core/corpus/fen-packer.h"

struct _FenDataset {
  gatomicrefcount references;
  char *name; /* for messages */
  FenDatasetTokens tokens;
  FenPacker *packers[2]; /* by FenSplit; eval: NULL when there is none */
  FenDatasetInfo info;
};

static gboolean
check_options (const FenDatasetOptions *options, GError **error)
{
  if (options->max_seq_len < 1 || options->max_seq_len > G_MAXINT32)
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_OPTION,
                   "max_seq_len %" G_GINT64_FORMAT ": must be 1 to %d tokens", options->max_seq_len,
                   G_MAXINT32);
      return FALSE;
    }
  if (!(options->eval_share >= 0 && options->eval_share < 1))
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_OPTION,
                   "eval_share %s: must be at least 0 and less than 1",
                   fen_number ("%g", options->eval_share).text);
      return FALSE;
    }
  return TRUE;
}

/* At least one row, and something in it to learn. */
static gboolean
check_length (const FenDataset *dataset, const FenDatasetOptions *options, GError **error)
{
  const FenDatasetInfo *info = &dataset->info;
  if (options->document_mask && info->longest_document < 2)
    {
      g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_EMPTY,
                   "%s: no document has two tokens; with document_mask there is nothing to learn from it",
                   dataset->name);
      return FALSE;
    }
  if (info->train_tokens >= MAX (options->max_seq_len, 2))
    return TRUE;
  g_autofree char *held
      = info->eval_tokens > 0
            ? g_strdup_printf (" (%" G_GINT64_FORMAT " more are held out by eval_share %s)",
                               info->eval_tokens, fen_number ("%g", options->eval_share).text)
            : g_strdup ("");
  g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_EMPTY,
               "%s: %" G_GINT64_FORMAT
               " tokens to train on%s are fewer than one row of max_seq_len %" G_GINT64_FORMAT
               "; use more text or max_seq_len <= %" G_GINT64_FORMAT,
               dataset->name, info->train_tokens, held, options->max_seq_len, info->train_tokens);
  return FALSE;
}

static void
fill_info (FenDataset *dataset)
{
  const FenTokenCacheStats *stats = fen_token_cache_stats (dataset->tokens.cache);
  FenDatasetInfo *info = &dataset->info;
  info->text_bytes = (guint64)stats->text_bytes;
  info->documents = stats->documents;
  info->tokens = stats->tokens;
  info->longest_document = stats->longest_document;
  info->max_token_id = stats->max_token_id;
  info->from_cache = dataset->tokens.from_cache;
  info->cache_path = dataset->tokens.cache_path;
  info->content_hash = dataset->tokens.content_hash;
}

/* The two packers. A split that leaves nothing to evaluate is a note. */
static gboolean
make_packers (FenDataset *dataset, const FenDatasetOptions *options, GPtrArray *notes, GError **error)
{
  FenDatasetInfo *info = &dataset->info;
  FenPart train = { 0 }, eval = { 0 };
  FenPackerOptions packing = {
    .row_tokens = options->max_seq_len,
    .seed = options->seed,
    .shuffle = options->shuffle,
    .document_mask = options->document_mask,
  };
  FenPackerOptions eval_packing = packing;
  eval_packing.shuffle = FALSE;
  eval_packing.pad = TRUE;
  fen_part_split (fen_token_cache_ends (dataset->tokens.cache), info->documents, options->eval_share, &train,
                  &eval);
  info->train_documents = train.n_documents;
  info->train_tokens = train.n_tokens;
  info->eval_documents = eval.n_documents;
  info->eval_tokens = eval.n_tokens;
  if (options->eval_share > 0 && eval.n_tokens == 0 && notes != NULL)
    g_ptr_array_add (notes, g_strdup_printf ("%s: eval_share %s of %" G_GINT64_FORMAT
                                             " tokens cannot be held out: no evaluation",
                                             dataset->name, fen_number ("%g", options->eval_share).text,
                                             info->tokens));
  dataset->packers[FEN_SPLIT_TRAIN] = fen_packer_new (dataset->tokens.cache, &train, &packing);
  info->train_rows = fen_packer_rows (dataset->packers[FEN_SPLIT_TRAIN]);
  if (info->eval_tokens > 0)
    {
      dataset->packers[FEN_SPLIT_EVAL] = fen_packer_new (dataset->tokens.cache, &eval, &eval_packing);
      info->eval_rows = fen_packer_rows (dataset->packers[FEN_SPLIT_EVAL]);
    }
  return check_length (dataset, options, error);
}

FenDataset *
fen_dataset_open (const FenDatasetOptions *options, GPtrArray *notes, GCancellable *cancellable,
                  GError **error)
{
  g_return_val_if_fail (options->path != NULL && options->tokenizer != NULL, NULL);
  if (!check_options (options, error))
    return NULL;
  g_autoptr (FenDataset) dataset = g_new0 (FenDataset, 1);
  g_atomic_ref_count_init (&dataset->references);
  dataset->name = fen_source_display (options->path);
  if (!fen_dataset_get_tokens (options, &dataset->tokens, notes, cancellable, error))
    return NULL;
  fill_info (dataset);
  if (!make_packers (dataset, options, notes, error))
    return NULL;
  return g_steal_pointer (&dataset);
}

FenDataset *
fen_dataset_ref (FenDataset *dataset)
{
  g_atomic_ref_count_inc (&dataset->references);
  return dataset;
}

void
fen_dataset_unref (FenDataset *dataset)
{
  if (dataset == NULL || !g_atomic_ref_count_dec (&dataset->references))
    return;
  for (guint i = 0; i < G_N_ELEMENTS (dataset->packers); i++)
    fen_packer_free (dataset->packers[i]);
  fen_token_cache_free (dataset->tokens.cache);
  g_free (dataset->tokens.cache_path);
  g_free (dataset->name);
  g_free (dataset);
}

const FenDatasetInfo *
fen_dataset_info (FenDataset *dataset)
{
  return &dataset->info;
}

gint64
fen_dataset_fill (FenDataset *dataset, FenSplit split, gint64 first_row, gint64 n_rows, const FenRows *rows,
                  GError **error)
{
  g_return_val_if_fail (dataset->packers[split] != NULL, -1);
  gint64 n_targets = fen_packer_fill (dataset->packers[split], first_row, n_rows, rows, error);
  if (n_targets < 0)
    g_prefix_error (error, "%s: ", dataset->name);
  return n_targets;
}

gboolean
fen_dataset_check_vocab (FenDataset *dataset, gint64 vocab_size, GError **error)
{
  if (dataset->info.max_token_id < vocab_size)
    return TRUE;
  g_set_error (error, FEN_CORPUS_ERROR, FEN_CORPUS_ERROR_TOKEN_ID,
               "%s: the tokenizer made the id %" G_GINT64_FORMAT
               ", but the model's vocab_size is %" G_GINT64_FORMAT
               ": tokenizer and model do not belong together",
               dataset->name, dataset->info.max_token_id, vocab_size);
  return FALSE;
}
