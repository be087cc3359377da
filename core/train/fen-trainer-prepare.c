/* fen-trainer-prepare.c: everything that can be wrong is found before a run folder exists, the quick checks first:
 * a wrong model name must not cost an hour of tokenising. */
#include "core/train/fen-trainer-private.h"

#include "core/base/fen-error.h"
#include "core/base/fen-paths.h"
#include "core/config/fen-presets.h"
#include "core/corpus/fen-reader.h"
#include "core/corpus/fen-tokenizer-spec.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Moves the lines of `notes` to the run's. */
static void
take_notes (FenTrainer *trainer, GPtrArray *notes)
{
  for (guint i = 0; i < notes->len; i++)
    fen_trainer_note (trainer, g_steal_pointer (&notes->pdata[i]));
  g_ptr_array_set_size (notes, 0);
}

static void
copy_notes (FenTrainer *trainer, const char *const *notes)
{
  for (guint i = 0; notes != NULL && notes[i] != NULL; i++)
    fen_trainer_note (trainer, g_strdup (notes[i]));
}

/* Can run folders be made here? Asked now, so that a read-only disk shows before the text is tokenised. */
static gboolean
check_root (FenTrainer *trainer, GError **error)
{
  g_autofree char *root = fen_runs_root (trainer->config);
  g_autofree char *place = g_strdup (root);
  while (!g_file_test (place, G_FILE_TEST_EXISTS))
    {
      char *parent = g_path_get_dirname (place);
      g_free (place);
      place = parent;
    }
  if (access (place, W_OK | X_OK) == 0 && g_file_test (place, G_FILE_TEST_IS_DIR))
    return TRUE;
  const int failure = errno;
  g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_CANNOT_WRITE, "output_dir: %s: cannot make run folders here: %s",
               root, g_strerror (g_file_test (place, G_FILE_TEST_IS_DIR) ? failure : ENOTDIR));
  return FALSE;
}

/* ---- model and plan ---- */

/* The model for a vocabulary of `vocab` tokens. A resumed run needs its folder's shape alone, and its newest checkpoint
 * has that too when the folder is gone. */
static FenModel *
open_model (FenTrainer *trainer, gint64 vocab, GError **error)
{
  const FenConfig *config = trainer->config;
  const gboolean preset = fen_preset_find (config->model) != NULL;
  const gint64 wanted = preset && config->vocab_size == 0 ? vocab : config->vocab_size;
  if (preset || trainer->checkpoint_path == NULL)
    return fen_model_open (config->model, wanted, error);
  FenModel *model = fen_model_open_config (config->model, wanted, NULL);
  return model != NULL ? model : fen_model_open_config (trainer->checkpoint_path, wanted, error);
}

/* Opens the model and plans the run's memory; it must fit. */
static gboolean
plan_run (FenTrainer *trainer, gint64 vocab, GError **error)
{
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  FenModelShape shape;
  g_autoptr (FenModel) model = open_model (trainer, vocab, error);
  if (model == NULL)
    return FALSE;
  fen_model_set_context (model, trainer->config->max_seq_len);
  fen_model_shape (model, &shape);
  if (!fen_config_validate_model (trainer->config, &shape, notes, error))
    return FALSE;
  g_autoptr (FenPlan) plan = fen_plan_new (trainer->config, model, trainer->choice.backend,
                                           &trainer->choice.properties, FEN_PLAN_TRAIN, error);
  if (plan == NULL)
    return FALSE;
  const gboolean first = trainer->plan == NULL;
  pthread_mutex_lock (&trainer->mutex);
  g_clear_pointer (&trainer->plan, fen_plan_unref);
  trainer->plan = fen_plan_ref (plan);
  pthread_mutex_unlock (&trainer->mutex);
  /* Kept even so: it says what is too large and what would help. */
  if (!fen_plan_fits (plan, error))
    return FALSE;
  g_clear_pointer (&trainer->model, fen_model_unref);
  trainer->model = g_steal_pointer (&model);
  if (first)
    {
      take_notes (trainer, notes);
      copy_notes (trainer, fen_model_notes (trainer->model));
      copy_notes (trainer, fen_plan_notes (plan));
    }
  return TRUE;
}

/* ---- tokenizer ---- */

/* The text as pieces for the BPE trainer. */
static gboolean
next_piece (gpointer data, const char **text, gsize *bytes, GError **error)
{
  FenTrainer *trainer = ((gpointer *)data)[0];
  FenReader *reader = ((gpointer *)data)[1];
  FenReaderPiece piece = { 0 };
  if (!fen_trainer_go_on (trainer, error) || !fen_reader_next (reader, &piece, trainer->cancellable, error))
    return FALSE;
  *text = piece.text;
  *bytes = piece.bytes;
  return TRUE;
}

static void
show_tokenizer_progress (double fraction, guint64 bytes, guint tokens, gpointer data)
{
  FenTrainer *trainer = ((gpointer *)data)[0];
  FenReader *reader = ((gpointer *)data)[1];
  const guint64 total = fen_reader_bytes_total (reader);
  /* Counting the text is the first half, learning the merges the second. */
  const double counted = total > 0 ? (double)bytes / (double)total : 0;
  if (fen_trainer_stop_wanted (trainer))
    g_cancellable_cancel (trainer->cancellable);
  fen_trainer_set_phase (
      trainer, FEN_PHASE_TOKENIZING, fraction < 0 ? counted / 2 : 0.5 + fraction / 2,
      fraction < 0 ? "counting words for the tokenizer" : "training the tokenizer: %u tokens", tokens);
}

static FenTokenizer *
train_tokenizer (FenTrainer *trainer, const char *dataset, gint64 vocab_size, GError **error)
{
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (FenReader) reader
      = fen_reader_new (dataset, trainer->config->text_field, notes, trainer->cancellable, error);
  if (reader == NULL)
    return NULL;
  gpointer both[] = { trainer, reader };
  return fen_tokenizer_train_bpe (next_piece, both, (gsize)vocab_size, (guint)trainer->config->threads,
                                  trainer->cancellable, show_tokenizer_progress, both, error);
}

/* A path to a tokenizer.json, from the option's file or folder. */
static char *
tokenizer_file (const char *path)
{
  return g_file_test (path, G_FILE_TEST_IS_DIR) ? g_build_filename (path, "tokenizer.json", NULL)
                                                : g_strdup (path);
}

static gboolean
make_tokenizer (FenTrainer *trainer, const char *dataset, GError **error)
{
  const char *model_folder = fen_model_folder (trainer->model);
  FenTokenizerSpec spec;
  if (!fen_tokenizer_spec_parse (trainer->config->tokenizer, model_folder, &spec, error))
    return FALSE;
  g_autofree char *own = trainer->resume ? fen_run_folder_file (trainer->folder, "tokenizer.json") : NULL;
  if (own != NULL && spec.kind != FEN_TOKENIZER_BYTES && g_file_test (own, G_FILE_TEST_EXISTS))
    {
      trainer->tokenizer = fen_tokenizer_load (own, error);
      trainer->tokenizer_source = g_steal_pointer (&own);
    }
  else if (spec.kind == FEN_TOKENIZER_TRAIN)
    trainer->tokenizer = train_tokenizer (trainer, dataset, spec.vocab_size, error);
  else
    {
      trainer->tokenizer = fen_tokenizer_spec_load (&spec, error);
      trainer->tokenizer_source = spec.kind == FEN_TOKENIZER_FILE ? tokenizer_file (spec.path) : NULL;
    }
  return trainer->tokenizer != NULL;
}

/* The vocabulary that a preset's model will have, as far as it is known before the tokenizer is there. */
static gboolean
guess_vocab (FenTrainer *trainer, gint64 *vocab, GError **error)
{
  const gboolean preset = fen_preset_find (trainer->config->model) != NULL;
  FenTokenizerSpec spec;
  *vocab = 0;
  if (!preset)
    return TRUE;
  if (!fen_tokenizer_spec_parse (trainer->config->tokenizer, NULL, &spec, error))
    return FALSE;
  g_autofree char *own = trainer->resume ? fen_run_folder_file (trainer->folder, "tokenizer.json") : NULL;
  if (own != NULL && spec.kind != FEN_TOKENIZER_BYTES && g_file_test (own, G_FILE_TEST_EXISTS))
    spec = (FenTokenizerSpec){ .kind = FEN_TOKENIZER_FILE, .path = own };
  *vocab = fen_tokenizer_spec_vocab_size (&spec, error);
  return *vocab >= 0;
}

/* ---- data ---- */

static void
show_dataset_progress (FenDatasetPhase phase, guint64 done, guint64 total, gpointer data)
{
  static const char *const words[]
      = { "looking for tokens of earlier runs", "checking the token cache", "tokenizing" };
  FenTrainer *trainer = data;
  if (fen_trainer_stop_wanted (trainer))
    g_cancellable_cancel (trainer->cancellable);
  fen_trainer_set_phase (trainer, FEN_PHASE_TOKENIZING, total > 0 ? (double)done / (double)total : -1, "%s",
                         words[phase]);
}

static gboolean
open_dataset (FenTrainer *trainer, const char *path, GError **error)
{
  const FenConfig *config = trainer->config;
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  const FenDatasetOptions options = { .path = path,
                                      .text_field = config->text_field,
                                      .tokenizer = trainer->tokenizer,
                                      .max_seq_len = config->max_seq_len,
                                      .seed = (guint64)config->seed,
                                      .eval_share = config->eval_share,
                                      .shuffle = config->shuffle,
                                      .document_mask = config->document_mask,
                                      .threads = (guint)config->threads,
                                      .progress = show_dataset_progress,
                                      .progress_data = trainer };
  trainer->dataset = fen_dataset_open (&options, notes, trainer->cancellable, error);
  take_notes (trainer, notes);
  return trainer->dataset != NULL
         && fen_dataset_check_vocab (trainer->dataset, fen_model_config (trainer->model)->vocab_size, error);
}

/* A run that was killed before its first checkpoint begins anew; a damaged newest one is told. */
static gboolean
find_checkpoint (FenTrainer *trainer, GError **error)
{
  g_autoptr (GError) failure = NULL;
  if (!trainer->resume)
    return TRUE;
  trainer->checkpoint_path
      = fen_checkpoint_newest (trainer->run_path, &trainer->state, TRUE, trainer->damaged, &failure);
  for (guint i = 0; i < trainer->damaged->len; i++)
    fen_trainer_note (trainer, g_strdup (trainer->damaged->pdata[i]));
  if (trainer->checkpoint_path != NULL)
    {
      trainer->checkpoint_step = trainer->state.step;
      return TRUE;
    }
  if (g_error_matches (failure, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

gboolean
fen_trainer_prepare (FenTrainer *trainer, GError **error)
{
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  gint64 vocab;
  fen_trainer_set_phase (trainer, FEN_PHASE_PLANNING, -1, "planning the memory");
  const char *log_file = trainer->config->log_file;
  if (!trainer->resume && *log_file != '\0' && !fen_metrics_check_copy (log_file, error))
    return FALSE;
  if ((!trainer->resume && !check_root (trainer, error)) || !find_checkpoint (trainer, error))
    return FALSE;
  const gboolean chosen = fen_device_choose (trainer->config, &trainer->choice, notes, error);
  take_notes (trainer, notes);
  if (!chosen || !guess_vocab (trainer, &vocab, error) || !plan_run (trainer, vocab, error)
      || !fen_trainer_go_on (trainer, error))
    return FALSE;

  g_autofree char *dataset = trainer->config->dataset_file[0] != '\0'
                                 ? g_strdup (trainer->config->dataset_file)
                                 : fen_sample_path ();
  if (dataset == NULL)
    {
      g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_NOT_FOUND,
                   "dataset_file is not set and the bundled sample is not installed; name a text file");
      return FALSE;
    }
  fen_trainer_set_phase (trainer, FEN_PHASE_TOKENIZING, -1, "reading the tokenizer");
  if (!make_tokenizer (trainer, dataset, error))
    return FALSE;
  /* A BPE trained on little text has fewer tokens than it was asked for. */
  const gint64 real = (gint64)fen_tokenizer_vocab_size (trainer->tokenizer);
  if (vocab > 0 && real != vocab && !plan_run (trainer, real, error))
    return FALSE;
  return open_dataset (trainer, dataset, error) && fen_trainer_go_on (trainer, error);
}
