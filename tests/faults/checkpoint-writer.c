/* checkpoint-writer.c: checkpoint-writer RUN STEP KEEP: writes one checkpoint of a made-up state, for test-faults. Exit
 * status 0 = written, 3 = an error that was told in one line. */
#include "tests/support/checkpoint-fixture.h"

#include <stdio.h>
#include <stdlib.h>

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  if (argc != 4)
    return 2;
  g_autoptr (CheckpointFixture) fixture = checkpoint_fixture_new (3000);
  checkpoint_fixture_set_step (fixture, atoll (argv[2]));
  fen_checkpoint_clean (argv[1]);
  if (fen_checkpoint_write (argv[1], &fixture->content, &fixture->state, (guint)atoi (argv[3]), &error))
    return 0;
  fprintf (stderr, "%s\n", error->message);
  return 3;
}
