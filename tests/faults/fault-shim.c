/* fault-shim.c: a disk that fails, or a power cut, at the Nth call.
 *
 * Preloaded into a program (LD_PRELOAD), it counts the calls that change files (open for writing, write, pwrite, fsync,
 * fdatasync, ftruncate, mkdir, rename, renameat2, unlink, unlinkat, remove, rmdir) and at call number FENESTRA_FAULT_AT
 * does what FENESTRA_FAULT says:
 *   ENOSPC, EIO   the call fails with that error and does nothing; so do all that follow when FENESTRA_FAULT_STAYS is
 *                 set (a disk that stays full), except those that remove
 *   KILL          SIGKILL before the call
 *   TEAR          a write writes half its bytes, then SIGKILL; other calls as with KILL
 * With FENESTRA_FAULT_COUNT=PATH the number of calls is written there at exit, so that a test knows how far to go.
 * FENESTRA_FAULT_PATH=TEXT begins counting at the first call that names a path with TEXT in it.
 */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* fortified and redirected prototypes must not rename what is defined here */
#undef open
#undef open64

static atomic_long n_calls;
static atomic_int counting;

static long
fault_at (void)
{
  const char *text = getenv ("FENESTRA_FAULT_AT");
  return text != NULL ? atol (text) : 0;
}

static int
mode_is (const char *mode)
{
  const char *text = getenv ("FENESTRA_FAULT");
  return text != NULL && strcmp (text, mode) == 0;
}

static void
die (void)
{
  kill (getpid (), SIGKILL);
  for (;;)
    pause ();
}

/* Counts a call. Returns 0 to let it pass, or the error that it has to fail with; may not return at all. `torn_fd` is
 * that of a write, which TEAR does by half. */
static int
count_call (const char *path, int removes, int torn_fd, const void *data, size_t bytes, off_t offset)
{
  const char *begin = getenv ("FENESTRA_FAULT_PATH");
  if (begin != NULL && !atomic_load (&counting))
    {
      if (path == NULL || strstr (path, begin) == NULL)
        return 0;
      atomic_store (&counting, 1);
    }
  const long call = atomic_fetch_add (&n_calls, 1) + 1;
  const long at = fault_at ();
  const int stays = getenv ("FENESTRA_FAULT_STAYS") != NULL;
  if (at <= 0 || call < at || (call > at && !(stays && !removes)))
    return 0;
  if (mode_is ("ENOSPC"))
    return ENOSPC;
  if (mode_is ("EIO"))
    return EIO;
  if (mode_is ("TEAR") && torn_fd >= 0)
    {
      if (offset < 0)
        syscall (SYS_write, torn_fd, data, bytes / 2);
      else
        syscall (SYS_pwrite64, torn_fd, data, bytes / 2, offset);
    }
  die ();
  return 0;
}

static int
count_path (const char *path, int removes)
{
  return count_call (path, removes, -1, NULL, 0, -1);
}

#define FAIL_IF(expression)                                                                                  \
  do                                                                                                         \
    {                                                                                                        \
      const int error_ = (expression);                                                                       \
      if (error_ != 0)                                                                                       \
        {                                                                                                    \
          errno = error_;                                                                                    \
          return -1;                                                                                         \
        }                                                                                                    \
    }                                                                                                        \
  while (0)

static int
open_any (const char *path, int flags, mode_t mode)
{
  if ((flags & O_ACCMODE) != O_RDONLY && strncmp (path, "/dev/", 5) != 0)
    FAIL_IF (count_path (path, 0));
  return (int)syscall (SYS_openat, AT_FDCWD, path, flags, mode);
}

static mode_t
mode_of (int flags, va_list args)
{
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg (args, mode_t) : 0;
}

int open (const char *path, int flags, ...);
int
open (const char *path, int flags, ...)
{
  va_list args;
  va_start (args, flags);
  const mode_t mode = mode_of (flags, args);
  va_end (args);
  return open_any (path, flags, mode);
}

int open64 (const char *path, int flags, ...);
int
open64 (const char *path, int flags, ...)
{
  va_list args;
  va_start (args, flags);
  const mode_t mode = mode_of (flags, args);
  va_end (args);
  return open_any (path, flags, mode);
}

/* Writes to pipes, terminals and eventfds are no disk. */
static int
is_file (int fd)
{
  struct stat info;
  return fstat (fd, &info) == 0 && S_ISREG (info.st_mode);
}

ssize_t
write (int fd, const void *data, size_t bytes)
{
  if (is_file (fd))
    FAIL_IF (count_call (NULL, 0, fd, data, bytes, -1));
  return syscall (SYS_write, fd, data, bytes);
}

static ssize_t
pwrite_any (int fd, const void *data, size_t bytes, off_t offset)
{
  if (is_file (fd))
    FAIL_IF (count_call (NULL, 0, fd, data, bytes, offset));
  return syscall (SYS_pwrite64, fd, data, bytes, offset);
}

ssize_t
pwrite (int fd, const void *data, size_t bytes, off_t offset)
{
  return pwrite_any (fd, data, bytes, offset);
}

ssize_t
pwrite64 (int fd, const void *data, size_t bytes, __off64_t offset)
{
  return pwrite_any (fd, data, bytes, offset);
}

int
fsync (int fd)
{
  FAIL_IF (count_path (NULL, 0));
  return (int)syscall (SYS_fsync, fd);
}

int
fdatasync (int fd)
{
  FAIL_IF (count_path (NULL, 0));
  return (int)syscall (SYS_fdatasync, fd);
}

int
ftruncate (int fd, off_t length)
{
  FAIL_IF (count_path (NULL, 1));
  return (int)syscall (SYS_ftruncate, fd, length);
}

int
ftruncate64 (int fd, __off64_t length)
{
  FAIL_IF (count_path (NULL, 1));
  return (int)syscall (SYS_ftruncate, fd, length);
}

int
mkdir (const char *path, mode_t mode)
{
  FAIL_IF (count_path (path, 0));
  return (int)syscall (SYS_mkdirat, AT_FDCWD, path, mode);
}

int
rename (const char *from, const char *to)
{
  FAIL_IF (count_path (from, 0));
  return (int)syscall (SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
renameat2 (int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)
{
  FAIL_IF (count_path (from, 0));
  return (int)syscall (SYS_renameat2, from_fd, from, to_fd, to, flags);
}

int
unlink (const char *path)
{
  FAIL_IF (count_path (path, 1));
  return (int)syscall (SYS_unlinkat, AT_FDCWD, path, 0);
}

int
unlinkat (int fd, const char *path, int flags)
{
  FAIL_IF (count_path (path, 1));
  return (int)syscall (SYS_unlinkat, fd, path, flags);
}

int
rmdir (const char *path)
{
  FAIL_IF (count_path (path, 1));
  return (int)syscall (SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}

int
remove (const char *path)
{
  FAIL_IF (count_path (path, 1));
  if (syscall (SYS_unlinkat, AT_FDCWD, path, 0) == 0)
    return 0;
  return errno == EISDIR ? (int)syscall (SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR) : -1;
}

__attribute__ ((destructor)) static void
report (void)
{
  const char *path = getenv ("FENESTRA_FAULT_COUNT");
  char text[32];
  if (path == NULL)
    return;
  const int fd = (int)syscall (SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  const int length = snprintf (text, sizeof text, "%ld\n", atomic_load (&n_calls));
  if (fd >= 0 && syscall (SYS_write, fd, text, length) != length)
    _exit (99);
  if (fd >= 0)
    syscall (SYS_close, fd);
}
