/* cli-info.c: what this build and this machine can do. */
#include "core/cli/cli.h"

#include "core/base/fen-io.h"
#include "core/base/fen-json.h"
#include "core/base/fen-number.h"
#include "core/config/fen-presets.h"
#include "core/engine/fen-device.h"
#include "core/engine/fen-peak.h"
#include "core/monitor/fen-gpu-monitor.h"

#include <math.h>
#include <string.h>

/* All that is known of one device. */
typedef struct {
  FenDeviceProperties properties;
  FenPeak peak;
  char no_peak[480]; /* why it could not be measured */
  gboolean is_card;
  char driver[FEN_GPU_DRIVER_BYTES];
  FenGpuSample gpu;
  char no_gpu[FEN_GPU_REASON_BYTES]; /* why the driver does not tell */
} Look;

static void
measure (const FenBackend *backend, int index, Look *look)
{
  FenStatus status = { 0 };
  const FenDeviceOptions options = { 0 };
  FenDevice *device = backend->open (index, &options, &status);
  if (device != NULL)
    {
      look->peak = fen_peak_measure (backend, device, &look->properties, &status);
      backend->close (device);
    }
  g_strlcpy (look->no_peak, status.message, sizeof look->no_peak);
}

static gboolean
look_at (const char *name, int index, gboolean measured, Look *look)
{
  FenStatus status = { 0 };
  const FenBackend *backend = fen_backend_find (name, &status);
  const FenDeviceOptions options = { 0 };
  *look = (Look){ 0 };
  if (backend == NULL || !backend->device_properties (index, &options, &look->properties, &status))
    return FALSE;
  look->is_card = look->properties.pci_bus_id[0] != '\0';
  look->peak = fen_peak_published (&look->properties);
  if (look->is_card && measured)
    measure (backend, index, look);
  if (look->is_card)
    {
      fen_gpu_driver_version (NULL, look->driver);
      fen_gpu_look_once (NULL, look->properties.pci_bus_id, &look->gpu, look->no_gpu);
    }
  return TRUE;
}

static void
print_peak (const Look *look)
{
  g_autofree char *peak = fen_peak_text (look->peak);
  if (look->peak.source != FEN_PEAK_UNKNOWN)
    g_print ("         peak %s\n", peak);
  else if (look->no_peak[0] != '\0')
    g_print ("         peak unknown: %s\n", look->no_peak);
  else
    g_print ("         peak unknown: not in the table of cards; measured when a run begins, or now by "
             "--measure\n");
}

/* "now 41 degrees C, 118.2 W, 0% busy, 1.2 GiB used by others": what of it the driver tells. */
static void
print_now (const Look *look)
{
  const FenGpuSample *gpu = &look->gpu;
  g_autoptr (GString) text = g_string_new (NULL);
  if (look->no_gpu[0] != '\0')
    {
      g_print ("         not monitored: %s\n", look->no_gpu);
      return;
    }
  if (isfinite (gpu->temperature))
    g_string_append_printf (text, ", %s degrees C", fen_number ("%.0f", gpu->temperature).text);
  if (isfinite (gpu->power))
    g_string_append_printf (text, ", %s W", fen_number ("%.1f", gpu->power).text);
  if (isfinite (gpu->utilization))
    g_string_append_printf (text, ", %s%% busy", fen_number ("%.0f", 100 * gpu->utilization).text);
  if (gpu->has_process)
    {
      g_autofree char *others
          = fen_format_bytes (gpu->used_bytes - MIN (gpu->process_bytes, gpu->used_bytes));
      g_string_append_printf (text, ", %s used by others", others);
    }
  if (gpu->lost)
    g_string_append (text, ", lost: the driver cannot reach it any more");
  if (text->len > 0)
    g_print ("         now%s\n", text->str + 1);
}

static void
print_device (const char *name, int index, gboolean measured)
{
  Look look;
  if (!look_at (name, index, measured, &look))
    return;
  g_autofree char *total = fen_format_bytes (look.properties.total_bytes);
  g_autofree char *free_bytes = fen_format_bytes (look.properties.free_bytes);
  g_print ("  %s:%d  %s\n         memory %s, %s free\n", name, index, look.properties.name, total,
           free_bytes);
  if (!look.is_card)
    return;
  g_print ("         compute capability %d.%d, %d SMs, driver %s\n", look.properties.capability / 10,
           look.properties.capability % 10, look.properties.units,
           look.driver[0] != '\0' ? look.driver : "unknown");
  print_peak (&look);
  print_now (&look);
}

static int
print_text (const FenBackendList *list, gboolean measured)
{
  g_print ("fenestra-cli %s\n\nBack ends and devices:\n", FEN_VERSION);
  for (const FenBackendInfo *info = list->backends; info->name != NULL; info++)
    {
      if (info->n_devices <= 0)
        g_print ("  %-6s off: %s\n", info->name, info->reason);
      for (int i = 0; i < info->n_devices; i++)
        print_device (info->name, i, measured);
    }
  g_print ("\nModel presets (--model NAME, or a Hugging Face folder):\n");
  for (const FenPreset *preset = fen_presets (); preset->name != NULL; preset++)
    g_print ("  %-12s %s\n", preset->name, preset->description);
  return FEN_EXIT_OK;
}

/* Numbers that are not known are null. */
static void
write_card (FenJsonWriter *writer, const Look *look)
{
  const FenGpuSample *gpu = &look->gpu;
  fen_json_writer_string (writer, "pci_bus_id", look->properties.pci_bus_id);
  fen_json_writer_string (writer, "driver", look->driver[0] != '\0' ? look->driver : NULL);
  if (gpu->has_process)
    {
      fen_json_writer_int (writer, "process_bytes", (gint64)gpu->process_bytes);
      fen_json_writer_int (writer, "others_bytes",
                           (gint64)(gpu->used_bytes - MIN (gpu->process_bytes, gpu->used_bytes)));
    }
  else
    {
      fen_json_writer_null (writer, "process_bytes");
      fen_json_writer_null (writer, "others_bytes");
    }
  const gboolean told = look->no_gpu[0] == '\0';
  fen_json_writer_double (writer, "gpu", told ? gpu->utilization : NAN);
  fen_json_writer_double (writer, "temperature", told ? gpu->temperature : NAN);
  fen_json_writer_double (writer, "power", told ? gpu->power : NAN);
  fen_json_writer_string (writer, "not_monitored", told ? NULL : look->no_gpu);
}

static void
write_device (FenJsonWriter *writer, const char *name, int index, gboolean measured)
{
  Look look;
  if (!look_at (name, index, measured, &look))
    return;
  const FenDeviceProperties *properties = &look.properties;
  fen_json_writer_begin_object (writer, NULL);
  fen_json_writer_int (writer, "index", index);
  fen_json_writer_string (writer, "name", properties->name);
  fen_json_writer_int (writer, "total_bytes", (gint64)properties->total_bytes);
  fen_json_writer_int (writer, "free_bytes", (gint64)properties->free_bytes);
  fen_json_writer_int (writer, "units", properties->units);
  fen_json_writer_int (writer, "capability", properties->capability);
  fen_json_writer_double (writer, "peak_flops", look.peak.flops > 0 ? look.peak.flops : NAN);
  fen_json_writer_string (writer, "peak_source", fen_peak_source_name (look.peak.source));
  if (look.is_card)
    write_card (writer, &look);
  fen_json_writer_end_object (writer);
}

static int
print_json (const FenBackendList *list, gboolean measured)
{
  g_autoptr (FenJsonWriter) writer = fen_json_writer_new (2);
  fen_json_writer_begin_object (writer, NULL);
  fen_json_writer_string (writer, "version", FEN_VERSION);
  fen_json_writer_begin_array (writer, "backends");
  for (const FenBackendInfo *info = list->backends; info->name != NULL; info++)
    {
      fen_json_writer_begin_object (writer, NULL);
      fen_json_writer_string (writer, "name", info->name);
      fen_json_writer_string (writer, "off", info->n_devices <= 0 ? info->reason : NULL);
      fen_json_writer_begin_array (writer, "devices");
      for (int i = 0; i < info->n_devices; i++)
        write_device (writer, info->name, i, measured);
      fen_json_writer_end_array (writer);
      fen_json_writer_end_object (writer);
    }
  fen_json_writer_end_array (writer);
  fen_json_writer_begin_array (writer, "presets");
  for (const FenPreset *preset = fen_presets (); preset->name != NULL; preset++)
    fen_json_writer_string (writer, NULL, preset->name);
  fen_json_writer_end_array (writer);
  fen_json_writer_end_object (writer);
  gsize length;
  const char *text = fen_json_writer_text (writer, &length);
  return cli_print (text, length) && cli_print ("\n", 1) ? FEN_EXIT_OK : FEN_EXIT_WRITE;
}

int
cli_info (int argc, char **argv)
{
  gboolean json = FALSE, measured = FALSE;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    { "measure", 0, 0, G_OPTION_ARG_NONE, &measured, "Measure the peak of each card instead of looking it up",
      NULL },
    { NULL },
  };
  int exit_code;
  if (!cli_parse ("info", argc, argv, entries, NULL, NULL, NULL, &exit_code))
    return exit_code;
  FenBackendList list;
  fen_device_list (&list);
  return json ? print_json (&list, measured) : print_text (&list, measured);
}
