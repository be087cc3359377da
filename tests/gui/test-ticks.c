/* Where axes have ticks, and how numbers, times and places read. */
#include "gui/chart/fen-ticks-private.h"

#include <locale.h>
#include <math.h>

/* "value value value" of the labels. */
static char *
labels (GArray *ticks)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < ticks->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? " | " : "", g_array_index (ticks, FenTick, i).label);
  g_array_unref (ticks);
  return g_string_free (text, FALSE);
}

#define assert_labels(ticks, want)                                                                           \
  G_STMT_START                                                                                               \
  {                                                                                                          \
    g_autofree char *got = labels (ticks);                                                                   \
    g_assert_cmpstr (got, ==, want);                                                                         \
  }                                                                                                          \
  G_STMT_END

#define assert_text(call, want) assert_labels_text (call, want)
static void
assert_labels_text (char *got, const char *want)
{
  g_assert_cmpstr (got, ==, want);
  g_free (got);
}

static void
test_linear (void)
{
  assert_labels (fen_ticks_linear (FEN_UNIT_NUMBER, 0, 10, 6), "0 | 2 | 4 | 6 | 8 | 10");
  assert_labels (fen_ticks_linear (FEN_UNIT_NUMBER, 1.93, 2.61, 4), "2.0 | 2.2 | 2.4 | 2.6");
  assert_labels (fen_ticks_linear (FEN_UNIT_NUMBER, -1, 1, 5), "-1.0 | -0.5 | 0 | 0.5 | 1.0");
  assert_labels (fen_ticks_linear (FEN_UNIT_NUMBER, 0, 3e-4, 4), "0 | 1e-4 | 2e-4 | 3e-4");
  assert_labels (fen_ticks_linear (FEN_UNIT_RATE, 0, 15000, 4), "0 | 5k | 10k | 15k");
  assert_labels (fen_ticks_linear (FEN_UNIT_SHARE, 0, 1, 5), "0 % | 50 % | 100 %");
  assert_labels (fen_ticks_linear (FEN_UNIT_BYTES, 0, 5e9, 5), "0 B | 1 GiB | 2 GiB | 3 GiB | 4 GiB");
  assert_labels (fen_ticks_linear (FEN_UNIT_BYTES, 1.5e9, 1.9e9, 3), "1.5 GiB | 1.625 GiB | 1.75 GiB");
  assert_labels (fen_ticks_linear (FEN_UNIT_NUMBER, 1, 1, 5), "");
  assert_labels (fen_ticks_linear (FEN_UNIT_NUMBER, NAN, 1, 5), "");
  assert_labels (fen_ticks_linear (FEN_UNIT_NUMBER, 0, INFINITY, 5), "");
}

static void
test_log (void)
{
  assert_labels (fen_ticks_log (FEN_UNIT_NUMBER, 0.01, 100, 5), "0.01 | 0.1 | 1 | 10 | 100");
  assert_labels (fen_ticks_log (FEN_UNIT_NUMBER, 1e-8, 1, 5), "1e-8 | 1e-6 | 1e-4 | 0.01 | 1");
  assert_labels (fen_ticks_log (FEN_UNIT_NUMBER, 1, 50, 9), "1 | 2 | 5 | 10 | 20 | 50");
  assert_labels (fen_ticks_log (FEN_UNIT_NUMBER, 2, 8, 4), "2 | 4 | 6 | 8");
  assert_labels (fen_ticks_log (FEN_UNIT_NUMBER, 0, 8, 4), "");
}

static void
test_places (void)
{
  assert_labels (fen_ticks_place (FEN_AXIS_STEP, 0, 1000, 6), "0 | 200 | 400 | 600 | 800 | 1000");
  assert_labels (fen_ticks_place (FEN_AXIS_STEP, 0, 100000, 6), "0 | 20k | 40k | 60k | 80k | 100k");
  assert_labels (fen_ticks_place (FEN_AXIS_STEP, 3, 5, 10), "3 | 4 | 5"); /* no half steps */
  assert_labels (fen_ticks_place (FEN_AXIS_TOKENS, 0, 2e6, 5), "0 | 500k | 1M | 1.5M | 2M");
  assert_labels (fen_ticks_place (FEN_AXIS_RELATIVE, 0, 100, 5), "0:00 | 0:30 | 1:00 | 1:30");
  assert_labels (fen_ticks_place (FEN_AXIS_RELATIVE, 3000, 7200, 3), "1:00:00 | 1:30:00 | 2:00:00");
  assert_labels (fen_ticks_place (FEN_AXIS_RELATIVE, 0, 0.5, 6),
                 "0:00.0 | 0:00.1 | 0:00.2 | 0:00.3 | 0:00.4 | 0:00.5");
  /* 2023-11-14 22:13:20 UTC */
  assert_labels (fen_ticks_place (FEN_AXIS_WALL, 1700000000, 1700000000 + 7200, 5),
                 "Nov 14, 22:30 | 23:00 | 23:30 | Nov 15, 00:00");
  assert_labels (fen_ticks_place (FEN_AXIS_WALL, 1700000000, 1700000000 + 4 * 86400, 5),
                 "Nov 15 | Nov 16 | Nov 17 | Nov 18");
  /* What no calendar knows makes no ticks and no crash. */
  assert_labels (fen_ticks_place (FEN_AXIS_WALL, 1e17, 2e17, 5), "");
}

/* Never more than asked for, never outside, always rising and told apart by their labels. */
static void
test_promises (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (8);
  for (guint i = 0; i < 20000; i++)
    {
      double width = pow (10, g_rand_double_range (rand, -9, 14));
      double min = g_rand_double_range (rand, -2, 2) * width, max = min + width;
      guint most = g_rand_int_range (rand, 1, 20);
      FenUnit unit = g_rand_int_range (rand, 0, FEN_UNIT_WATTS + 1);
      gboolean is_place = i % 2 == 0;
      g_autoptr (GArray) ticks
          = is_place ? fen_ticks_place (i / 2 % 3, min, max, most) : fen_ticks_linear (unit, min, max, most);
      g_assert_cmpuint (ticks->len, <=, most);
      for (guint k = 0; k < ticks->len; k++)
        {
          const FenTick *tick = &g_array_index (ticks, FenTick, k);
          g_assert_cmpfloat (tick->value, >=, min - 1e-6 * width);
          g_assert_cmpfloat (tick->value, <=, max + 1e-6 * width);
          if (k > 0)
            {
              g_assert_cmpfloat (tick->value, >, (tick - 1)->value);
              if (width > 1e-6 && !is_place)
                g_assert_cmpstr (tick->label, !=, (tick - 1)->label);
            }
        }
    }
}

static void
test_units (void)
{
  assert_text (fen_unit_format (FEN_UNIT_NUMBER, 2.41318), "2.4132");
  assert_text (fen_unit_format (FEN_UNIT_NUMBER, 0.983801), "0.9838");
  assert_text (fen_unit_format (FEN_UNIT_NUMBER, 2.4), "2.4000"); /* does not jump while it changes */
  assert_text (fen_unit_format (FEN_UNIT_NUMBER, 0.003), "0.003");
  assert_text (fen_unit_format (FEN_UNIT_NUMBER, 0.00298123), "0.0029812");
  assert_text (fen_unit_format (FEN_UNIT_NUMBER, 0), "0");
  assert_text (fen_unit_format (FEN_UNIT_NUMBER, -0.0), "0");
  assert_text (fen_unit_format (FEN_UNIT_NUMBER, 100), "100");
  assert_text (fen_unit_format (FEN_UNIT_NUMBER, 3e-4), "3e-4");
  assert_text (fen_unit_format (FEN_UNIT_NUMBER, 9.99996e-5), "1e-4");
  assert_text (fen_unit_format (FEN_UNIT_NUMBER, -1.2345e9), "-1.234e9");
  assert_text (fen_unit_format (FEN_UNIT_NUMBER, 5e-324), "4.941e-324");
  assert_text (fen_unit_format (FEN_UNIT_NUMBER, NAN), "–");
  assert_text (fen_unit_format (FEN_UNIT_NUMBER, INFINITY), "∞");
  assert_text (fen_unit_format (FEN_UNIT_BYTES, 3.2 * 1073741824), "3.2 GiB");
  assert_text (fen_unit_format (FEN_UNIT_BYTES, 12), "12 B");
  assert_text (fen_unit_format (FEN_UNIT_BYTES, 1048575), "1 MiB");
  assert_text (fen_unit_format (FEN_UNIT_RATE, 12400), "12.4k tokens/s");
  assert_text (fen_unit_format (FEN_UNIT_RATE, 999960), "1M tokens/s");
  assert_text (fen_unit_format (FEN_UNIT_RATE, 87.25), "87.2 tokens/s");
  assert_text (fen_unit_format (FEN_UNIT_SHARE, 0.87), "87 %");
  assert_text (fen_unit_format (FEN_UNIT_CELSIUS, 61), "61 °C");
  assert_text (fen_unit_format (FEN_UNIT_WATTS, 312), "312 W");
  assert_text (fen_axis_format (FEN_AXIS_STEP, 1240), "1240");
  assert_text (fen_axis_format (FEN_AXIS_RELATIVE, 3723), "1:02:03");
  assert_text (fen_axis_format (FEN_AXIS_RELATIVE, 59.996), "1:00.00");
  assert_text (fen_axis_format (FEN_AXIS_WALL, 1700000000), "Nov 14, 22:13:20");
  assert_text (fen_axis_format (FEN_AXIS_WALL, 1e300), "–");
}

static void
test_axis_titles (void)
{
  for (guint axis = 0; axis < FEN_N_AXES; axis++)
    for (guint other = 0; other < axis; other++)
      g_assert_cmpstr (fen_axis_title (axis), !=, fen_axis_title (other));
}

int
main (int argc, char *argv[])
{
  g_setenv ("TZ", "UTC", TRUE);
  setlocale (LC_ALL, "C.UTF-8");
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ticks/linear", test_linear);
  g_test_add_func ("/ticks/log", test_log);
  g_test_add_func ("/ticks/places", test_places);
  g_test_add_func ("/ticks/promises", test_promises);
  g_test_add_func ("/ticks/units", test_units);
  g_test_add_func ("/ticks/axis-titles", test_axis_titles);
  return g_test_run ();
}
