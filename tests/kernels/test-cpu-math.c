/* test-cpu-math.c: the vector functions against double precision, over their whole range, in units of the last place.
 */
#include "kernels/fen-backend.h"
#include "tests/kernels/fen-cpu-math-probe.h"

#include <glib.h>
#include <math.h>

enum { COUNT = 400003 };

static double
logistic (double x)
{
  return 1 / (1 + exp (-x));
}

static double
normal_cdf (double x)
{
  return 0.5 * erfc (-x * M_SQRT1_2);
}

/* |got - wanted| in units of the last place of an fp32 result. */
static double
ulps (float got, double wanted)
{
  const int exponent = wanted == 0 ? -126 : MAX (ilogb (wanted), -126);
  if ((double)got == wanted || (isinf (got) && fabs (wanted) > 3.4028235e38))
    return 0;
  return fabs (got - wanted) / ldexp (1, exponent - 23);
}

static void
assert_ulps (const char *name, void (*vector) (const float *, float *, int), double (*exact) (double),
             double low, double high, double bound)
{
  g_autofree float *x = g_new (float, COUNT), *y = g_new (float, COUNT);
  double worst = 0, worst_x = 0;
  for (int i = 0; i < COUNT; i++)
    x[i] = (float)(low + (high - low) * i / (COUNT - 1));
  vector (x, y, COUNT);
  for (int i = 0; i < COUNT; i++)
    if (!(ulps (y[i], exact (x[i])) <= worst))
      {
        worst = ulps (y[i], exact (x[i]));
        worst_x = x[i];
      }
  g_test_message ("%s on [%g, %g]: %.2f ulp at %.9g", name, low, high, worst, worst_x);
  if (!(worst <= bound))
    g_error ("%s (%.9g): %.2f ulp, allowed %.2f", name, worst_x, worst, bound);
}

static void
test_functions (gconstpointer data)
{
  const FenCpuMathProbe *probe = data;
  assert_ulps ("exp", probe->exp, exp, -110, 92, 2);
  assert_ulps ("exp", probe->exp, exp, -1, 1, 2);
  assert_ulps ("tanh", probe->tanh, tanh, -12, 12, 3);
  assert_ulps ("tanh", probe->tanh, tanh, -0.7, 0.7, 3);
  assert_ulps ("sigmoid", probe->sigmoid, logistic, -87, 87, 3);
  assert_ulps ("normal_cdf", probe->normal_cdf, normal_cdf, -9, 9, 6);
}

static void
test_ends (gconstpointer data)
{
  const FenCpuMathProbe *probe = data;
  const float x[] = { INFINITY, -INFINITY, NAN, 0, -1000, 1000 };
  float y[G_N_ELEMENTS (x)];
  probe->exp (x, y, G_N_ELEMENTS (x));
  g_assert_true (isinf (y[0]) && y[1] == 0 && isnan (y[2]) && y[3] == 1 && y[4] == 0 && isinf (y[5]));
  probe->tanh (x, y, G_N_ELEMENTS (x));
  g_assert_true (y[0] == 1 && y[1] == -1 && isnan (y[2]) && y[3] == 0 && y[4] == -1 && y[5] == 1);
  probe->sigmoid (x, y, G_N_ELEMENTS (x));
  g_assert_true (y[0] == 1 && y[1] == 0 && isnan (y[2]) && y[3] == 0.5f && y[4] == 0 && y[5] == 1);
  probe->normal_cdf (x, y, G_N_ELEMENTS (x));
  g_assert_true (y[0] == 1 && y[1] < 1e-37f && isnan (y[2]) && fabsf (y[3] - 0.5f) < 1e-7f && y[5] == 1);
}

/* Angles of positions up to 2^31 at frequency 1. */
static void
test_sincos (gconstpointer data)
{
  const FenCpuMathProbe *probe = data;
  static const double bounds[] = { 1, 100, 1e6, 2147483647 };
  g_autofree double *x = g_new (double, COUNT);
  g_autofree float *s = g_new (float, COUNT), *c = g_new (float, COUNT);
  for (guint b = 0; b < G_N_ELEMENTS (bounds); b++)
    {
      for (int i = 0; i < COUNT; i++)
        x[i] = g_test_rand_double_range (-bounds[b], bounds[b]);
      probe->sincos (x, s, c, COUNT);
      for (int i = 0; i < COUNT; i++)
        if (fabs (s[i] - sin (x[i])) > 0x1p-24 + 1e-16 * bounds[b]
            || fabs (c[i] - cos (x[i])) > 0x1p-24 + 1e-16 * bounds[b])
          g_error ("sincos (%.17g) = %.9g, %.9g", x[i], s[i], c[i]);
    }
}

static void
add (const char *set, const FenCpuMathProbe *probe)
{
  g_autofree char *functions = g_strdup_printf ("/cpu-math/%s/functions", set);
  g_autofree char *ends = g_strdup_printf ("/cpu-math/%s/ends", set);
  g_autofree char *sincos = g_strdup_printf ("/cpu-math/%s/sincos", set);
  g_test_add_data_func (functions, probe, test_functions);
  g_test_add_data_func (ends, probe, test_ends);
  g_test_add_data_func (sincos, probe, test_sincos);
}

int
main (int argc, char **argv)
{
  FenDeviceProperties properties;
  FenStatus status;
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("FENESTRA_CPU_ISA");
  if (!fen_backend_cpu ()->device_properties (0, NULL, &properties, &status))
    g_error ("%s", status.message);
  add ("plain", &fen_cpu_math_probe_plain);
#ifdef __x86_64__
  if (properties.capability >= 256)
    add ("avx2", &fen_cpu_math_probe_avx2);
  if (properties.capability >= 512)
    add ("avx512", &fen_cpu_math_probe_avx512);
#endif
  return g_test_run ();
}
