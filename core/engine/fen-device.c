/* fen-device.c: from the option `device` to a back end and an index. See fen-device.h. */
#include "core/engine/fen-device.h"

#include <string.h>

/* In the order that `auto` tries them. */
static const char *const backend_names[] = { "cuda", "cpu" };

/* Number of devices of a back end; 0 with the reason in `status`. */
static int
count_devices (const char *name, const FenBackend **backend, FenStatus *status)
{
  memset (status, 0, sizeof *status);
  *backend = fen_backend_find (name, status);
  return *backend != NULL ? (*backend)->device_count (status) : 0;
}

static gboolean
choose_from (const char *name, int index, const FenConfig *config, FenDeviceChoice *choice, FenStatus *status)
{
  const FenBackend *backend;
  const int n_devices = count_devices (name, &backend, status);
  if (n_devices <= 0)
    return FALSE;
  if (index >= n_devices)
    {
      status->code = FEN_STATUS_NO_DEVICE;
      g_snprintf (status->message, sizeof status->message, "there is no %s:%d; this machine has %d (0 to %d)",
                  name, index, n_devices, n_devices - 1);
      return FALSE;
    }
  choice->backend = backend;
  choice->index = index;
  choice->options = (FenDeviceOptions) { .threads = (int) config->threads };
  return backend->device_properties (index, &choice->options, &choice->properties, status);
}

/* Splits "cuda:1"; FALSE when it is no name of a device. */
static gboolean
parse_device (const char *text, char name[16], int *index)
{
  const char *colon = strchr (text, ':');
  const gsize length = colon != NULL ? (gsize) (colon - text) : strlen (text);
  if (length == 0 || length >= 16)
    return FALSE;
  memcpy (name, text, length);
  name[length] = '\0';
  *index = 0;
  if (colon != NULL)
    {
      guint64 value;
      if (!g_ascii_string_to_unsigned (colon + 1, 10, 0, 1023, &value, NULL))
        return FALSE;
      *index = (int) value;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (backend_names); i++)
    if (strcmp (name, backend_names[i]) == 0)
      return TRUE;
  return FALSE;
}

static FenEngineError
code_of (const FenStatus *status)
{
  return status->code == FEN_STATUS_DEVICE_LOST ? FEN_ENGINE_ERROR_LOST : FEN_ENGINE_ERROR_DEVICE;
}

gboolean
fen_device_choose (const FenConfig *config, FenDeviceChoice *choice, GPtrArray *notes, GError **error)
{
  FenStatus status = { 0 };
  memset (choice, 0, sizeof *choice);
  if (strcmp (config->device, "auto") == 0)
    {
      for (gsize i = 0; i < G_N_ELEMENTS (backend_names); i++)
        {
          if (choose_from (backend_names[i], 0, config, choice, &status))
            return TRUE;
          if (notes != NULL)
            g_ptr_array_add (notes, g_strdup_printf ("device: %s is not used: %s", backend_names[i], status.message));
        }
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_DEVICE, "no device works: %s", status.message);
      return fen_engine_error_blame (error, "device");
    }

  char name[16];
  int index;
  if (!parse_device (config->device, name, &index))
    {
      g_set_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_DEVICE,
                   "device: \"%s\" is not a device; allowed are auto, cpu, cuda and cuda:N", config->device);
      return fen_engine_error_blame (error, "device");
    }
  if (choose_from (name, index, config, choice, &status))
    return TRUE;
  g_set_error (error, FEN_ENGINE_ERROR, code_of (&status),
               "device: %s cannot be used: %s; --device auto takes what works", config->device, status.message);
  return fen_engine_error_blame (error, "device");
}

guint64
fen_device_available_bytes (const FenDeviceProperties *device, guint64 memory_limit)
{
  const guint64 free_bytes = device->free_bytes != 0 ? device->free_bytes : device->total_bytes;
  guint64 available = free_bytes == 0 ? G_MAXUINT64 : free_bytes - MIN (free_bytes, device->overhead_bytes);
  if (memory_limit != 0)
    available = MIN (available, memory_limit - MIN (memory_limit, device->overhead_bytes));
  return available;
}

FenDevice *
fen_device_open (const FenDeviceChoice *choice, GError **error)
{
  FenStatus status = { 0 };
  FenDevice *device = choice->backend->open (choice->index, &choice->options, &status);
  if (device == NULL)
    g_set_error (error, FEN_ENGINE_ERROR, code_of (&status), "%s:%d cannot be opened: %s",
                 choice->backend->name, choice->index, status.message);
  return device;
}

void
fen_device_list (FenBackendList *list)
{
  memset (list, 0, sizeof *list);
  G_STATIC_ASSERT (G_N_ELEMENTS (backend_names) < G_N_ELEMENTS (((FenBackendList *) 0)->backends));
  for (gsize i = 0; i < G_N_ELEMENTS (backend_names); i++)
    {
      FenStatus status;
      const FenBackend *backend;
      list->backends[i].name = backend_names[i];
      list->backends[i].n_devices = count_devices (backend_names[i], &backend, &status);
      if (list->backends[i].n_devices <= 0)
        g_strlcpy (list->backends[i].reason, status.message, sizeof list->backends[i].reason);
    }
}
