/* main.c: the program `fenestra`. */
#include <glib/gi18n.h>
#include <signal.h>

#include "gui/app/fen-application.h"
#include "gui/app/fen-places.h"

int
main (int argc, char **argv)
{
  fen_places_init_translations ();
  /* A closed pipe is a failed write, not the end of a training run. */
  signal (SIGPIPE, SIG_IGN);
  g_set_prgname ("fenestra"); /* in --help; windows go by the application id */
  g_set_application_name (_ ("Fenestra"));
  g_autoptr (FenApplication) application = fen_application_new ();
  return g_application_run (G_APPLICATION (application), argc, argv);
}
