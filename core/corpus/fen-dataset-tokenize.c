/* fen-dataset-tokenize.c: documents -> tokens, on several threads, in the documents' order.
 *
 *   reader (this thread) -> batches of whole documents -> workers -> writer (this thread, in order)
 *
 * A document is encoded by one thread, because its tokens must not depend on how it was cut; a document too long to be
 * held in memory streams through this thread's own encoder, after everything before it is written. Text in flight is
 * bounded, so memory does not grow with the corpus. Result and first error are those of one thread.
 */
#include "core/corpus/fen-dataset-private.h"

#include <pthread.h>
#include <string.h>

#define BATCH_BYTES (1u << 20)        /* of text, closed by the document that passes it */
#define MAX_DOCUMENT_BYTES (4u << 20) /* longer ones are streamed */
#define MIN_IN_FLIGHT (8u << 20)
#define MAX_IN_FLIGHT (64u << 20)

typedef struct {
  GString *text;
  GArray *text_bytes; /* gsize a document */
  GArray *ids;        /* guint32, all documents */
  GArray *id_counts;  /* gsize a document */
  GError *error;
  gboolean done;
} Batch;

typedef struct {
  const FenTokenizeJob *job;
  gint64 end_id; /* -1: none */
  FenEncoder *encoder;
  Batch *batch; /* being filled */
  gsize document_start;
  gboolean streaming; /* the current document goes through `encoder` */
  GArray *ids;        /* of the streamed document */
  gboolean any_id;
  guint32 last_id;

  GPtrArray *threads; /* the workers; none: batches are encoded here */
  GQueue batches;     /* submitted, in order; this thread's */
  gsize in_flight;    /* their text */
  /* Shared with the workers. pthread, because ThreadSanitizer cannot see the order that GLib's own locks (and its thread
   * pool) make. */
  pthread_mutex_t lock;
  pthread_cond_t finished, submitted;
  GQueue waiting; /* batches that no worker has taken */
  gboolean quit;
} Pipeline;

static Batch *
batch_new (void)
{
  Batch *batch = g_new0 (Batch, 1);
  batch->text = g_string_new (NULL);
  batch->text_bytes = g_array_new (FALSE, FALSE, sizeof (gsize));
  batch->ids = g_array_new (FALSE, FALSE, sizeof (guint32));
  batch->id_counts = g_array_new (FALSE, FALSE, sizeof (gsize));
  return batch;
}

static void
batch_free (gpointer data)
{
  Batch *batch = data;
  if (batch == NULL)
    return;
  g_string_free (batch->text, TRUE);
  g_array_unref (batch->text_bytes);
  g_array_unref (batch->ids);
  g_array_unref (batch->id_counts);
  g_clear_error (&batch->error);
  g_free (batch);
}

/* A post-processor may have put the end-of-document token there already. */
static void
append_end (GArray *ids, gsize start, gint64 end_id)
{
  guint32 id = (guint32)end_id;
  if (end_id >= 0 && ids->len > start && g_array_index (ids, guint32, ids->len - 1) != id)
    g_array_append_val (ids, id);
}

gboolean
fen_dataset_encode (FenEncoder *encoder, gint64 end_id, const char *text, gsize bytes, GArray *ids, GError **error)
{
  const gsize start = ids->len;
  if (!fen_encoder_encode (encoder, text, bytes, TRUE, ids, error))
    return FALSE;
  append_end (ids, start, end_id);
  return TRUE;
}

static void
encode_batch (Batch *batch, FenEncoder *encoder, gint64 end_id)
{
  const char *text = batch->text->str;
  for (guint d = 0; d < batch->text_bytes->len; d++)
    {
      gsize bytes = g_array_index (batch->text_bytes, gsize, d), start = batch->ids->len;
      if (!fen_dataset_encode (encoder, end_id, text, bytes, batch->ids, &batch->error))
        return;
      gsize count = batch->ids->len - start;
      g_array_append_val (batch->id_counts, count);
      text += bytes;
    }
}

static gpointer
work (gpointer data)
{
  Pipeline *pipeline = data;
  g_autoptr (FenEncoder) encoder = fen_encoder_new (pipeline->job->tokenizer);
  pthread_mutex_lock (&pipeline->lock);
  for (;;)
    {
      while (!pipeline->quit && g_queue_is_empty (&pipeline->waiting))
        pthread_cond_wait (&pipeline->submitted, &pipeline->lock);
      if (pipeline->quit)
        break;
      Batch *batch = g_queue_pop_head (&pipeline->waiting);
      pthread_mutex_unlock (&pipeline->lock);
      encode_batch (batch, encoder, pipeline->end_id);
      pthread_mutex_lock (&pipeline->lock);
      batch->done = TRUE;
      pthread_cond_signal (&pipeline->finished);
    }
  pthread_mutex_unlock (&pipeline->lock);
  return NULL;
}

/* As many workers as the system gives; without any, this thread does the work. */
static void
start_workers (Pipeline *pipeline)
{
  for (guint i = 0; i < pipeline->job->threads; i++)
    {
      GThread *thread = g_thread_try_new ("tokenize", work, pipeline, NULL);
      if (thread == NULL)
        return;
      g_ptr_array_add (pipeline->threads, thread);
    }
}

/* A batch that is being encoded is finished; the others stay as they are. */
static void
stop_workers (Pipeline *pipeline)
{
  pthread_mutex_lock (&pipeline->lock);
  pipeline->quit = TRUE;
  pthread_cond_broadcast (&pipeline->submitted);
  pthread_mutex_unlock (&pipeline->lock);
  for (guint i = 0; i < pipeline->threads->len; i++)
    g_thread_join (g_ptr_array_index (pipeline->threads, i));
}

static gboolean
write_batch (Pipeline *pipeline, const Batch *batch, GError **error)
{
  const guint32 *ids = (const guint32 *)(const void *)batch->ids->data;
  if (batch->error != NULL)
    {
      g_propagate_error (error, g_error_copy (batch->error));
      return FALSE;
    }
  for (guint d = 0; d < batch->text_bytes->len; d++)
    {
      gsize count = g_array_index (batch->id_counts, gsize, d);
      if (!fen_token_cache_writer_add (pipeline->job->writer, ids, count,
                                       g_array_index (batch->text_bytes, gsize, d), error))
        return FALSE;
      fen_token_cache_writer_end_document (pipeline->job->writer);
      ids += count;
    }
  return TRUE;
}

/* Writes the oldest batch, waiting for it. */
static gboolean
retire (Pipeline *pipeline, GError **error)
{
  Batch *batch = g_queue_pop_head (&pipeline->batches);
  pthread_mutex_lock (&pipeline->lock);
  while (!batch->done)
    pthread_cond_wait (&pipeline->finished, &pipeline->lock);
  pthread_mutex_unlock (&pipeline->lock);
  pipeline->in_flight -= batch->text->len;
  gboolean ok = write_batch (pipeline, batch, error);
  batch_free (batch);
  return ok;
}

static gboolean
submit (Pipeline *pipeline, GError **error)
{
  Batch *batch = g_steal_pointer (&pipeline->batch);
  gsize room = CLAMP (2 * (gsize)pipeline->job->threads * BATCH_BYTES, MIN_IN_FLIGHT, MAX_IN_FLIGHT);
  pipeline->batch = batch_new ();
  pipeline->document_start = 0;
  gboolean alone = pipeline->threads->len == 0;
  g_queue_push_tail (&pipeline->batches, batch);
  pipeline->in_flight += batch->text->len;
  if (alone)
    {
      encode_batch (batch, pipeline->encoder, pipeline->end_id);
      batch->done = TRUE;
    }
  else
    {
      pthread_mutex_lock (&pipeline->lock);
      g_queue_push_tail (&pipeline->waiting, batch);
      pthread_cond_signal (&pipeline->submitted);
      pthread_mutex_unlock (&pipeline->lock);
    }
  while (!g_queue_is_empty (&pipeline->batches) && (alone || pipeline->in_flight > room))
    if (!retire (pipeline, error))
      return FALSE;
  return TRUE;
}

static gboolean
drain (Pipeline *pipeline, GError **error)
{
  while (!g_queue_is_empty (&pipeline->batches))
    if (!retire (pipeline, error))
      return FALSE;
  return TRUE;
}

/* ---- documents that do not fit into memory ---- */

static gboolean
write_streamed (Pipeline *pipeline, gsize text_bytes, GError **error)
{
  GArray *ids = pipeline->ids;
  if (ids->len > 0)
    {
      pipeline->any_id = TRUE;
      pipeline->last_id = g_array_index (ids, guint32, ids->len - 1);
    }
  gboolean ok = fen_token_cache_writer_add (pipeline->job->writer, (const guint32 *)(const void *)ids->data,
                                            ids->len, text_bytes, error);
  g_array_set_size (ids, 0);
  return ok;
}

static gboolean
feed (Pipeline *pipeline, const char *text, gsize bytes, GError **error)
{
  return fen_encoder_feed (pipeline->encoder, text, bytes, pipeline->ids, error)
         && write_streamed (pipeline, bytes, error);
}

/* The current document, the last of the batch, has become too long: everything before it is written, and what is there
 * of it is fed. */
static gboolean
begin_streaming (Pipeline *pipeline, GError **error)
{
  gsize bytes = pipeline->batch->text->len - pipeline->document_start;
  g_autofree char *text = g_memdup2 (pipeline->batch->text->str + pipeline->document_start, bytes);
  g_string_truncate (pipeline->batch->text, pipeline->document_start);
  if (!submit (pipeline, error) || !drain (pipeline, error))
    return FALSE;
  pipeline->streaming = TRUE;
  pipeline->any_id = FALSE;
  fen_encoder_begin (pipeline->encoder, TRUE);
  return feed (pipeline, text, bytes, error);
}

static gboolean
end_streaming (Pipeline *pipeline, GError **error)
{
  pipeline->streaming = FALSE;
  if (!fen_encoder_end (pipeline->encoder, pipeline->ids, error) || !write_streamed (pipeline, 0, error))
    return FALSE;
  if (pipeline->any_id && pipeline->end_id >= 0 && pipeline->last_id != (guint32)pipeline->end_id)
    {
      guint32 id = (guint32)pipeline->end_id;
      if (!fen_token_cache_writer_add (pipeline->job->writer, &id, 1, 0, error))
        return FALSE;
    }
  fen_token_cache_writer_end_document (pipeline->job->writer);
  return TRUE;
}

/* ---- all of it ---- */

static gboolean
take_piece (Pipeline *pipeline, const FenReaderPiece *piece, GError **error)
{
  Batch *batch = pipeline->batch;
  if (pipeline->streaming)
    return feed (pipeline, piece->text, piece->bytes, error)
           && (!piece->last || end_streaming (pipeline, error));
  g_string_append_len (batch->text, piece->text, (gssize)piece->bytes);
  gsize bytes = batch->text->len - pipeline->document_start;
  if (!piece->last)
    return bytes <= MAX_DOCUMENT_BYTES || begin_streaming (pipeline, error);
  g_array_append_val (batch->text_bytes, bytes);
  pipeline->document_start = batch->text->len;
  return batch->text->len < BATCH_BYTES || submit (pipeline, error);
}

static gboolean
run (Pipeline *pipeline, GError **error)
{
  const FenTokenizeJob *job = pipeline->job;
  FenReaderPiece piece;
  for (;;)
    {
      if (!fen_reader_next (job->reader, &piece, job->cancellable, error))
        return FALSE;
      if (piece.text == NULL)
        return submit (pipeline, error) && drain (pipeline, error);
      if (!take_piece (pipeline, &piece, error))
        return FALSE;
      if (job->progress != NULL)
        job->progress (fen_reader_bytes_done (job->reader), fen_reader_bytes_total (job->reader),
                       job->progress_data);
    }
}

gboolean
fen_dataset_tokenize (const FenTokenizeJob *job, GError **error)
{
  Pipeline pipeline = { .job = job, .end_id = fen_tokenizer_end_of_document_id (job->tokenizer) };
  pthread_mutex_init (&pipeline.lock, NULL);
  pthread_cond_init (&pipeline.finished, NULL);
  pthread_cond_init (&pipeline.submitted, NULL);
  g_queue_init (&pipeline.batches);
  g_queue_init (&pipeline.waiting);
  pipeline.batch = batch_new ();
  pipeline.encoder = fen_encoder_new (job->tokenizer);
  pipeline.ids = g_array_new (FALSE, FALSE, sizeof (guint32));
  pipeline.threads = g_ptr_array_new ();
  /* a second thread costs more than a batch's work */
  if (job->threads > 1 && fen_reader_bytes_total (job->reader) > BATCH_BYTES)
    start_workers (&pipeline);

  gboolean ok = run (&pipeline, error);

  stop_workers (&pipeline);
  g_ptr_array_unref (pipeline.threads);
  g_queue_clear (&pipeline.waiting);
  g_queue_clear_full (&pipeline.batches, batch_free);
  g_array_unref (pipeline.ids);
  fen_encoder_free (pipeline.encoder);
  batch_free (pipeline.batch);
  pthread_mutex_destroy (&pipeline.lock);
  pthread_cond_destroy (&pipeline.finished);
  pthread_cond_destroy (&pipeline.submitted);
  return ok;
}
