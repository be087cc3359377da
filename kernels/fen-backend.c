/* fen-backend.c: finds a back end by name.
 *
 * The CPU back end is part of the program. The CUDA back end is a module, because the program must start on machines
 * without a driver: it is looked for beside the program, in the lib folders next to the program's folder, and where
 * the loader looks. FENESTRA_MODULE_DIR names one more folder, asked first (a build tree, a test). A module stays
 * loaded for good: its driver library may not be unloaded safely.
 */
#include "kernels/fen-backend.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CUDA_MODULE "libfenestra-cuda.so"

/* Installed, from the programs' folder (meson's libdir, which may be lib/x86_64-linux-gnu); then a build tree. */
static const char *const module_folders[]
    = { "",        "/" FEN_MODULE_FOLDER, "/../lib/fenestra", "/../lib64/fenestra",
        "/../lib", "/../lib64",           "/../kernels/cuda", "/../../kernels/cuda" };

static bool __attribute__ ((format (printf, 3, 4)))
refuse (FenStatus *status, FenStatusCode code, const char *format, ...)
{
  va_list arguments;
  if (status == NULL)
    return false;
  status->code = code;
  va_start (arguments, format);
  vsnprintf (status->message, sizeof status->message, format, arguments);
  va_end (arguments);
  return false;
}

/* The folder of the running program, without a slash at the end. */
static bool
program_folder (char *folder, size_t size)
{
  const ssize_t n = readlink ("/proc/self/exe", folder, size);
  if (n <= 0 || (size_t)n >= size)
    return false;
  folder[n] = '\0';
  char *slash = strrchr (folder, '/');
  if (slash == NULL)
    return false;
  *slash = '\0';
  return true;
}

/* Opens the module at `path`, if there is one; why it could not be opened stays in `reason`. */
static void *
open_module (const char *path, char *reason, size_t size)
{
  if (strchr (path, '/') != NULL && access (path, F_OK) != 0)
    return NULL;
  void *module = dlopen (path, RTLD_NOW | RTLD_LOCAL);
  if (module == NULL)
    {
      const char *why = dlerror ();
      /* "libcublasLt.so.13: cannot open shared object file": of the module itself, or of what it needs. */
      if (why != NULL && strncmp (why, CUDA_MODULE ":", sizeof CUDA_MODULE) == 0
          && strchr (path, '/') == NULL)
        snprintf (reason, size,
                  CUDA_MODULE " is not there: this build is without CUDA, or the module was not "
                              "installed with the program");
      else
        snprintf (reason, size, "%.*s", (int)size - 1, why != NULL ? why : path);
    }
  return module;
}

static void *
search_module (const char *name, char *reason, size_t size)
{
  const char *extra = getenv ("FENESTRA_MODULE_DIR");
  char folder[2048], path[4096];
  void *module = NULL;
  if (extra != NULL && *extra != '\0'
      && (size_t)snprintf (path, sizeof path, "%s/%s", extra, name) < sizeof path)
    module = open_module (path, reason, size);
  if (module == NULL && program_folder (folder, sizeof folder))
    for (size_t i = 0; module == NULL && i < sizeof module_folders / sizeof module_folders[0]; i++)
      {
        snprintf (path, sizeof path, "%s%s/%s", folder, module_folders[i], name);
        module = open_module (path, reason, size);
      }
  if (module == NULL && *reason == '\0')
    module = open_module (name, reason, size);
  return module;
}

static const FenBackend *
load_cuda (FenStatus *status)
{
  char reason[400] = "";
  void *module = search_module (CUDA_MODULE, reason, sizeof reason);
  if (module == NULL)
    {
      refuse (status, FEN_STATUS_NO_DRIVER, "the CUDA back end could not be loaded: %s", reason);
      return NULL;
    }
  FenBackendModule entry;
  void *symbol = dlsym (module, FEN_BACKEND_MODULE_SYMBOL);
  memcpy (&entry, &symbol, sizeof entry);
  const FenBackend *backend = symbol != NULL ? entry () : NULL;
  if (backend == NULL)
    refuse (status, FEN_STATUS_NO_DRIVER,
            CUDA_MODULE " is not a back end of Fenestra: it lacks " FEN_BACKEND_MODULE_SYMBOL);
  else if (backend->abi != FEN_BACKEND_ABI)
    refuse (status, FEN_STATUS_NO_DRIVER,
            CUDA_MODULE " has interface %u and this program needs %u: install both "
                        "from the same build",
            backend->abi, FEN_BACKEND_ABI);
  else
    return backend;
  dlclose (module);
  return NULL;
}

const FenBackend *
fen_backend_find (const char *name, FenStatus *status)
{
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static const FenBackend *cuda; /* once it is loaded */
  refuse (status, FEN_STATUS_OK, "%s", "");
  if (name != NULL && strcmp (name, "cpu") == 0)
    return fen_backend_cpu ();
  if (name == NULL || strcmp (name, "cuda") != 0)
    {
      refuse (status, FEN_STATUS_UNSUPPORTED, "back end \"%.60s\": not one of cpu, cuda",
              name != NULL ? name : "");
      return NULL;
    }
  pthread_mutex_lock (&mutex);
  if (cuda == NULL)
    cuda = load_cuda (status);
  const FenBackend *found = cuda;
  pthread_mutex_unlock (&mutex);
  return found;
}
