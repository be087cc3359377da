/* fen-run-lock.c: one writer a run folder.
 *
 * An open file description lock (fcntl (2), F_OFD_SETLK): it goes when the process goes, however it is killed; two
 * trainers in one process exclude each other as well; and it can be asked about without being taken, so a list of runs
 * never gets in the way of a run that starts.
 */
#include "core/train/fen-run-private.h"

#include "core/base/fen-error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct flock
whole_file (short type)
{
  return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 0 };
}

static gint64
read_pid (int fd)
{
  char text[32];
  const ssize_t got = pread (fd, text, sizeof text - 1, 0);
  if (got <= 0)
    return 0;
  text[got] = '\0';
  const gint64 pid = g_ascii_strtoll (text, NULL, 10);
  return MAX (pid, 0);
}

int
fen_run_lock_take (const char *run_path, GError **error)
{
  g_autofree char *path = g_build_filename (run_path, "lock", NULL);
  const int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0)
    {
      fen_error_set_errno (error, errno, path, "cannot lock the run folder");
      return -1;
    }
  struct flock lock = whole_file (F_WRLCK);
  if (fcntl (fd, F_OFD_SETLK, &lock) != 0)
    {
      const int saved = errno;
      const gint64 pid = read_pid (fd);
      close (fd);
      if (saved != EAGAIN && saved != EACCES)
        fen_error_set_errno (error, saved, path, "cannot lock the run folder");
      else if (pid > 0)
        g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_LOCKED,
                     "%s: in use by the process %" G_GINT64_FORMAT "; stop that one first", run_path, pid);
      else
        g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_LOCKED, "%s: in use by another process",
                     run_path);
      return -1;
    }
  /* The pid is a courtesy for messages: a full disk must not keep a run from being locked. */
  g_autofree char *text = g_strdup_printf ("%ld\n", (long)getpid ());
  if (ftruncate (fd, 0) != 0 || pwrite (fd, text, strlen (text), 0) < 0)
    g_debug ("%s: the pid cannot be written", path);
  return fd;
}

gboolean
fen_run_lock_is_held (const char *run_path, gint64 *pid)
{
  *pid = 0;
  g_autofree char *path = g_build_filename (run_path, "lock", NULL);
  const int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return FALSE;
  /* A read lock is what a read-only descriptor may ask about; it conflicts with the writer's lock all the same. */
  struct flock lock = whole_file (F_RDLCK);
  const gboolean held = fcntl (fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  if (held)
    *pid = read_pid (fd);
  close (fd);
  return held;
}
