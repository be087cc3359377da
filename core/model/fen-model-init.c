/* fen-model-init.c: the first values of a model that is trained from scratch.
 *
 * Matrices and embeddings are normal with the configuration's initializer_range; the projections back into the
 * residual stream (attention's and the MLP's output) are scaled by 1 / sqrt (2 layers), one factor for each addition
 * to the stream (Radford et al. 2019, "Language models are unsupervised multitask learners", section 2.3). Norms
 * begin as the identity, biases at zero. A value depends on the seed, its parameter's index and its place in it alone:
 * any order, any piece and any thread gives the same model.
 */
#include "core/model/fen-model-private.h"

#include <math.h>

#include "core/base/fen-random.h"

/* Two normals from two 32-bit words (Box, Muller 1958). The words are taken as odd multiples of 2^-33, inside (0, 1):
 * the logarithm is finite and the largest value 6.7. */
static void
two_normals (guint32 first, guint32 second, double *a, double *b)
{
  double radius = sqrt (-2.0 * log (((double)first + 0.5) * 0x1p-32));
  double angle = 2.0 * G_PI * (((double)second + 0.5) * 0x1p-32);
  *a = radius * cos (angle);
  *b = radius * sin (angle);
}

/* Values [first, first + n) of a stream: block b of the generator makes the values 4b to 4b + 3, whoever asks. */
static void
draw_normal (guint64 seed, guint64 stream, double deviation, gint64 first, gint64 n, float *values)
{
  for (gint64 at = first - first % 4; at < first + n; at += 4)
    {
      guint32 words[4];
      double normal[4];
      fen_philox4x32 (seed, stream, (guint64)at / 4, words);
      two_normals (words[0], words[1], &normal[0], &normal[1]);
      two_normals (words[2], words[3], &normal[2], &normal[3]);
      for (gint64 i = MAX (at, first); i < MIN (at + 4, first + n); i++)
        values[i - first] = (float)(deviation * normal[i - at]);
    }
}

/* ---- many values on many threads: a billion parameters took half a minute on one ---- */

#define LEAST_SHARE (1 << 13) /* fewer values are drawn before a thread has started */
#define MOST_THREADS 32

typedef struct {
  guint64 seed, stream;
  double deviation;
  gint64 first, n;
  float *values;
} Share;

static gpointer
draw_share (gpointer data)
{
  const Share *share = data;
  draw_normal (share->seed, share->stream, share->deviation, share->first, share->n, share->values);
  return NULL;
}

static void
draw_normal_together (guint64 seed, guint64 stream, double deviation, gint64 first, gint64 n, float *values)
{
  const gint64 most = MIN ((gint64)g_get_num_processors (), MOST_THREADS);
  const gint64 n_shares = CLAMP (n / LEAST_SHARE, 1, most);
  /* Multiples of four, so that hardly a block is made twice. */
  const gint64 size = (n / n_shares + 3) / 4 * 4;
  Share shares[MOST_THREADS];
  GThread *threads[MOST_THREADS] = { NULL };
  for (gint64 i = 0; i < n_shares; i++)
    {
      const gint64 begin = MIN (i * size, n), end = i + 1 == n_shares ? n : MIN ((i + 1) * size, n);
      shares[i] = (Share){ seed, stream, deviation, first + begin, end - begin, values + begin };
      threads[i] = i + 1 < n_shares ? g_thread_try_new ("fen-draw", draw_share, &shares[i], NULL) : NULL;
      if (threads[i] == NULL)
        draw_share (&shares[i]);
    }
  for (gint64 i = 0; i < n_shares; i++)
    if (threads[i] != NULL)
      g_thread_join (threads[i]);
}

static void
fill (float *values, gint64 n, float value)
{
  for (gint64 i = 0; i < n; i++)
    values[i] = value;
}

void
fen_model_draw_param (const FenModel *model, const FenParam *param, guint64 seed, gint64 first, gint64 n,
                      float *values)
{
  double deviation = model->config.initializer_range;
  switch (param->slot)
    {
    case FEN_SLOT_FINAL_NORM_WEIGHT:
    case FEN_SLOT_NORM1_WEIGHT:
    case FEN_SLOT_NORM2_WEIGHT:
      fill (values, n, 1.0f);
      return;
    case FEN_SLOT_FINAL_NORM_BIAS:
    case FEN_SLOT_NORM1_BIAS:
    case FEN_SLOT_NORM2_BIAS:
    case FEN_SLOT_QKV_BIAS:
    case FEN_SLOT_O_BIAS:
    case FEN_SLOT_UP_BIAS:
    case FEN_SLOT_DOWN_BIAS:
      fill (values, n, 0.0f);
      return;
    case FEN_SLOT_O_WEIGHT:
    case FEN_SLOT_DOWN_WEIGHT:
      deviation /= sqrt (2.0 * (double)model->config.layers);
      break;
    default:
      break;
    }
  guint64 index = (guint64)(param - model->params);
  draw_normal_together (seed, FEN_RANDOM_STREAM_INIT + index, deviation, first, n, values);
}
