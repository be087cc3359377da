/* The ring: order, capacity, drops, and two threads at full speed (run this under TSan too). */
#include "core/train/fen-ring.h"

#include <string.h>

static void
fill (FenSample *sample, gint64 step)
{
  memset (sample, 0, sizeof *sample);
  sample->step = step;
  /* Bytes at both ends of the struct depend on the step, so that a torn copy shows. */
  sample->tokens = step * 3;
  memset (sample->text, 'a' + (int)(step % 26), sizeof sample->text - 1);
}

static void
assert_whole (const FenSample *sample)
{
  const char letter = (char)('a' + sample->step % 26);
  g_assert_cmpint (sample->tokens, ==, sample->step * 3);
  g_assert_cmpint (sample->text[0], ==, letter);
  g_assert_cmpint (sample->text[sizeof sample->text - 2], ==, letter);
}

static void
test_order_and_drops (void)
{
  g_autoptr (FenRing) ring = fen_ring_new (5); /* becomes 8 */
  FenSample sample;
  g_assert_false (fen_ring_pop (ring, &sample));
  for (gint64 i = 0; i < 10; i++)
    {
      fill (&sample, i);
      g_assert_cmpint (fen_ring_push (ring, &sample), ==, i < 8);
    }
  g_assert_cmpuint (fen_ring_dropped (ring), ==, 2);
  for (gint64 i = 0; i < 8; i++)
    {
      g_assert_true (fen_ring_pop (ring, &sample));
      g_assert_cmpint (sample.step, ==, i);
      assert_whole (&sample);
    }
  g_assert_false (fen_ring_pop (ring, &sample));
  /* Many times round. */
  for (gint64 i = 0; i < 1000; i++)
    {
      fill (&sample, i);
      g_assert_true (fen_ring_push (ring, &sample));
      fill (&sample, 77);
      g_assert_true (fen_ring_pop (ring, &sample));
      g_assert_cmpint (sample.step, ==, i);
    }
}

typedef struct {
  FenRing *ring;
  gint64 n;
  gint64 accepted;
} Producer;

static gpointer
produce (gpointer data)
{
  Producer *producer = data;
  FenSample sample;
  for (gint64 i = 0; i < producer->n; i++)
    {
      fill (&sample, i);
      if (fen_ring_push (producer->ring, &sample))
        producer->accepted++;
      else
        g_thread_yield ();
    }
  fill (&sample, producer->n); /* the end mark must arrive */
  while (!fen_ring_push (producer->ring, &sample))
    g_thread_yield ();
  return NULL;
}

/* Whatever is dropped, what arrives is whole, in order, and as much as was accepted. The rate is the contract:
 * 200,000 a second (TSan and valgrind runs are slower and only print it). */
static void
test_two_threads (void)
{
  g_autoptr (FenRing) ring = fen_ring_new (1024);
  Producer producer = { .ring = ring, .n = 400000 };
  const gint64 begin = g_get_monotonic_time ();
  GThread *thread = g_thread_new ("producer", produce, &producer);
  gint64 received = 0, last = -1;
  FenSample sample;
  for (;;)
    {
      if (!fen_ring_pop (ring, &sample))
        {
          g_thread_yield ();
          continue;
        }
      g_assert_cmpint (sample.step, >, last);
      assert_whole (&sample);
      last = sample.step;
      if (last == producer.n)
        break;
      received++;
    }
  const double seconds = (double)(g_get_monotonic_time () - begin) / G_USEC_PER_SEC;
  g_thread_join (thread);
  g_assert_cmpint (received, ==, producer.accepted);
  g_test_message ("%.0f samples a second pushed, %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " received",
                  (double)producer.n / seconds, received, producer.n);
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
  g_assert_cmpfloat ((double)producer.n / seconds, >, 200000);
#endif
}

/* A consumer that is away costs the producer nothing and loses only what did not fit. */
static void
test_never_blocks (void)
{
  g_autoptr (FenRing) ring = fen_ring_new (16);
  FenSample sample;
  for (gint64 i = 0; i < 100000; i++)
    {
      fill (&sample, i);
      fen_ring_push (ring, &sample);
    }
  g_assert_cmpuint (fen_ring_dropped (ring), ==, 100000 - 16);
  g_assert_true (fen_ring_pop (ring, &sample));
  g_assert_cmpint (sample.step, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ring/order-and-drops", test_order_and_drops);
  g_test_add_func ("/ring/two-threads", test_two_threads);
  g_test_add_func ("/ring/never-blocks", test_never_blocks);
  return g_test_run ();
}
