/* test-reference-gradients.c: the reference's backward operations against finite differences of its forward ones.
 *
 * With f (x) = sum of c * forward (x) for a fixed random c, df/dx_i is compared with (f (x + e) - f (x - e)) / 2e in
 * F64. The step 1e-4 leaves an error of about 1e-8 from curvature; fp32 statistics and gradients, 1e-6.
 */
#include "kernels/reference/fen-reference.h"

#include <glib.h>
#include <math.h>

#define STEP 1e-4
#define TOLERANCE 2e-5

static const FenBackend *reference;

/* f of a case: runs its forward and weighs the results with c. */
typedef double (*Objective) (gpointer data);

static double
slope (Objective f, gpointer data, double *x)
{
  const double before = *x;
  *x = before + STEP;
  const double above = f (data);
  *x = before - STEP;
  const double below = f (data);
  *x = before;
  return (above - below) / (2 * STEP);
}

static void
assert_close (double got, double wanted)
{
  if (fabs (got - wanted) > TOLERANCE * (1 + fabs (wanted)))
    g_error ("gradient %.9g, finite difference %.9g", got, wanted);
}

static void
randomize (double *x, int n, double mean)
{
  for (int i = 0; i < n; i++)
    x[i] = mean + g_test_rand_double_range (-1.5, 1.5);
}

static double
weigh (const double *c, const double *y, int n)
{
  double sum = 0;
  for (int i = 0; i < n; i++)
    sum += c[i] * y[i];
  return sum;
}

/* ---- norms ---- */

enum { ROWS = 3, WIDTH = 7, N = ROWS * WIDTH };

typedef struct {
  FenNormKind kind;
  double x[N], weight[WIDTH], bias[WIDTH], y[N], c[N];
  float mean[ROWS], rstd[ROWS];
} Norm;

static double
norm_objective (gpointer data)
{
  Norm *t = data;
  const FenNormForward p = { t->kind, ROWS,    WIDTH,  FEN_F64,   1e-5f,
                             t->x,    NULL,    NULL,   t->weight, t->kind == FEN_NORM_LAYER ? t->bias : NULL,
                             t->y,    t->mean, t->rstd };
  reference->norm_forward (NULL, NULL, &p);
  return weigh (t->c, t->y, N);
}

static void
test_norm (gconstpointer data)
{
  Norm t = { .kind = (FenNormKind)GPOINTER_TO_INT (data) };
  double dx[N], residual[N];
  float d_weight[WIDTH] = { 0 }, d_bias[WIDTH] = { 0 };
  randomize (t.x, N, 0.5);
  randomize (t.weight, WIDTH, 1);
  randomize (t.bias, WIDTH, 0);
  randomize (t.c, N, 0);
  randomize (residual, N, 0);
  norm_objective (&t);
  const FenNormBackward p = { t.kind, ROWS,   WIDTH,    FEN_F64, t.c,      t.x,    t.weight,
                              t.mean, t.rstd, residual, dx,      d_weight, d_bias, NULL };
  reference->norm_backward (NULL, NULL, &p);
  for (int i = 0; i < N; i++)
    assert_close (dx[i] - residual[i], slope (norm_objective, &t, &t.x[i]));
  for (int i = 0; i < WIDTH; i++)
    {
      assert_close (d_weight[i], slope (norm_objective, &t, &t.weight[i]));
      if (t.kind == FEN_NORM_LAYER)
        assert_close (d_bias[i], slope (norm_objective, &t, &t.bias[i]));
    }
}

/* ---- activations ---- */

typedef struct {
  FenActivationKind kind;
  gboolean gated;
  double x[2 * N], y[N], c[N];
} Activation;

static double
activation_objective (gpointer data)
{
  Activation *t = data;
  const FenActivation p = { t->kind, t->gated, ROWS, WIDTH, (t->gated ? 2 : 1) * WIDTH, FEN_F64, t->x, t->y };
  reference->activation_forward (NULL, NULL, &p);
  return weigh (t->c, t->y, N);
}

static void
test_activation (gconstpointer data)
{
  for (int gated = 0; gated < 2; gated++)
    {
      Activation t = { .kind = (FenActivationKind)GPOINTER_TO_INT (data), .gated = gated };
      double dx[2 * N];
      randomize (t.x, 2 * N, 0.1);
      randomize (t.c, N, 0);
      for (int i = 0; i < 2 * N; i++) /* ReLU has no derivative at 0 */
        t.x[i] += t.x[i] > 0 ? 2 * STEP : -2 * STEP;
      const FenActivation p
          = { t.kind, gated, ROWS, WIDTH, (gated ? 2 : 1) * WIDTH, FEN_F64, t.x, NULL, t.c, dx };
      reference->activation_backward (NULL, NULL, &p);
      for (int i = 0; i < (gated ? 2 : 1) * N; i++)
        assert_close (dx[i], slope (activation_objective, &t, &t.x[i]));
    }
}

/* ---- cross-entropy ---- */

typedef struct {
  float softcap;
  double x[N];
  gint32 targets[ROWS];
} Loss;

static double
loss_objective (gpointer data)
{
  const Loss *t = data;
  double logits[N], sum = 0;
  float losses[ROWS];
  for (int i = 0; i < N; i++)
    logits[i] = t->x[i];
  /* Losses are fp32, which would drown differences of a step this small: -log softmax of the target is taken from
   * its gradient, softmax - 1, instead. That the losses agree is checked once, below. */
  const FenCrossEntropy p = { ROWS, WIDTH, WIDTH, FEN_F64, logits, t->targets, losses, 1, t->softcap, TRUE };
  reference->cross_entropy (NULL, NULL, &p);
  for (int r = 0; r < ROWS; r++)
    if (t->targets[r] >= 0)
      {
        const int at = r * WIDTH + t->targets[r];
        const double value = t->softcap > 0 ? t->softcap * tanh (t->x[at] / t->softcap) : t->x[at];
        const double cap_slope = t->softcap > 0 ? 1 - pow (value / t->softcap, 2) : 1;
        sum -= log (logits[at] / cap_slope + 1); /* -log softmax of the target */
      }
  return sum;
}

static void
test_loss (gconstpointer data)
{
  Loss t = { .softcap = (float)GPOINTER_TO_INT (data), .targets = { 2, -1, 6 } };
  double gradient[N];
  float losses[ROWS];
  randomize (t.x, N, 0);
  for (int i = 0; i < N; i++)
    gradient[i] = t.x[i];
  const FenCrossEntropy p = { ROWS, WIDTH, WIDTH, FEN_F64, gradient, t.targets, losses, 1, t.softcap, TRUE };
  reference->cross_entropy (NULL, NULL, &p);
  for (int i = 0; i < N; i++)
    assert_close (gradient[i], slope (loss_objective, &t, &t.x[i]));
  assert_close (losses[0] + losses[1] + losses[2], loss_objective (&t));
}

/* ---- rotary positions: the inverse undoes it, and is its transpose ---- */

static void
test_rope (void)
{
  enum { DIM = 6 };
  double x[DIM], y[DIM], before[DIM], d_y[DIM], d_x[DIM];
  const gint32 position = 12345;
  const float frequencies[DIM / 2] = { 1, 0.1f, 0.001f };
  randomize (x, DIM, 0);
  randomize (d_y, DIM, 0);
  for (int i = 0; i < DIM; i++)
    y[i] = before[i] = x[i], d_x[i] = d_y[i];
  FenRope p = { 1, 1, DIM, DIM, FEN_F64, y, DIM, DIM, &position, frequencies, 1, FALSE };
  reference->rope (NULL, NULL, &p);
  assert_close (y[0], x[0] * cos (12345) - x[3] * sin (12345));
  p.x = d_x;
  p.inverse = TRUE;
  reference->rope (NULL, NULL, &p);
  assert_close (weigh (d_y, y, DIM), weigh (d_x, x, DIM));
  p.x = y;
  reference->rope (NULL, NULL, &p);
  for (int i = 0; i < DIM; i++)
    assert_close (y[i], before[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  reference = fen_backend_reference ();
  g_test_add_data_func ("/reference/norm/layer", GINT_TO_POINTER (FEN_NORM_LAYER), test_norm);
  g_test_add_data_func ("/reference/norm/rms", GINT_TO_POINTER (FEN_NORM_RMS), test_norm);
  g_test_add_data_func ("/reference/activation/gelu-tanh", GINT_TO_POINTER (FEN_GELU_TANH), test_activation);
  g_test_add_data_func ("/reference/activation/gelu-erf", GINT_TO_POINTER (FEN_GELU_ERF), test_activation);
  g_test_add_data_func ("/reference/activation/silu", GINT_TO_POINTER (FEN_SILU), test_activation);
  g_test_add_data_func ("/reference/activation/relu", GINT_TO_POINTER (FEN_RELU), test_activation);
  g_test_add_data_func ("/reference/cross-entropy", GINT_TO_POINTER (0), test_loss);
  g_test_add_data_func ("/reference/cross-entropy/softcap", GINT_TO_POINTER (2), test_loss);
  g_test_add_func ("/reference/rope", test_rope);
  return g_test_run ();
}
