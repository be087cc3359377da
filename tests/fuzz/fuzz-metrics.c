/* metrics.jsonl of a stranger, followed to its end. Promises: no input crashes the reader; a damaged line is named in one
 * line of words and reading goes on behind it; what is read is written by our writer as a line that reads as the same. */
#include "core/train/fen-metrics.h"
#include "tests/fuzz/fuzz-target.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Unknown members and digits of the time are lost at the first reading; the second is the fixed point. */
static void
check_round_trip (const FenSample *sample)
{
  FenSample again;
  g_autofree char *first = fen_sample_to_json (sample);
  g_assert_true (fen_sample_from_json (&again, first, strlen (first), "again", NULL));
  g_autofree char *second = fen_sample_to_json (&again);
  g_assert_cmpstr (first, ==, second);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const int fd = memfd_create ("metrics", MFD_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, data, size), ==, size);
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autoptr (FenMetricsReader) reader = fen_metrics_reader_new (path);
  /* Each call but the last consumes a line. */
  for (size_t calls = 0;; calls++)
    {
      FenSample sample;
      g_autoptr (GError) error = NULL;
      const FenMetricsStatus status = fen_metrics_reader_next (reader, &sample, &error);
      g_assert_cmpuint (calls, <=, size + 1);
      if (status == FEN_METRICS_SAMPLE)
        check_round_trip (&sample);
      else if (status == FEN_METRICS_DAMAGED)
        g_assert_null (strchr (error->message, '\n'));
      else
        {
          g_assert_cmpint (status, ==, FEN_METRICS_END);
          break;
        }
    }
  FenSample train, eval;
  fen_metrics_last (path, &train, &eval);
  close (fd);
  return 0;
}
