/* train-driver.c: trains without a command line, for tests that kill it.
 *
 *   train-driver new CONFIG.json       a new run
 *   train-driver resume RUN [STEPS]    goes on with one
 *
 * Prints the run folder. Exit status 0 = finished or stopped, 3 = an error that was told in one line. */
#include "core/train/fen-trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FenTrainer *
make_trainer (int argc, char **argv, GError **error)
{
  if (strcmp (argv[1], "resume") == 0)
    return fen_trainer_new_resume (argv[2], argc > 3 ? atoll (argv[3]) : 0, error);
  g_autoptr (FenConfig) config = fen_config_new ();
  return fen_config_load (config, argv[2], error) ? fen_trainer_new (config, error) : NULL;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  if (argc < 3)
    return 2;
  g_autoptr (FenTrainer) trainer = make_trainer (argc, argv, &error);
  if (trainer != NULL)
    {
      fen_trainer_start (trainer);
      if (fen_trainer_join (trainer, &error))
        {
          g_autofree char *path = fen_trainer_run_path (trainer);
          printf ("%s\n", path != NULL ? path : "");
          return 0;
        }
    }
  fprintf (stderr, "%s\n", error->message);
  return 3;
}
