/* cli-info.c: what this build and this machine can do. */
#include "core/cli/cli.h"

#include "core/base/fen-io.h"
#include "core/base/fen-json.h"
#include "core/config/fen-presets.h"
#include "core/engine/fen-device.h"

static gboolean
device_properties (const char *name, int index, FenDeviceProperties *properties)
{
  FenStatus status = { 0 };
  const FenBackend *backend = fen_backend_find (name, &status);
  const FenDeviceOptions options = { 0 };
  return backend != NULL && backend->device_properties (index, &options, properties, &status);
}

static void
print_device (const char *name, int index)
{
  FenDeviceProperties properties;
  if (!device_properties (name, index, &properties))
    return;
  g_autofree char *total = fen_format_bytes (properties.total_bytes);
  g_autofree char *free_bytes = fen_format_bytes (properties.free_bytes);
  g_print ("  %s:%d  %s\n         memory %s, %s free\n", name, index, properties.name, total, free_bytes);
  if (properties.peak_flops > 0)
    g_print ("         peak %.1f TFLOP/s\n", properties.peak_flops / 1e12);
}

static int
print_text (const FenBackendList *list)
{
  g_print ("fenestra-cli %s\n\nBack ends and devices:\n", FEN_VERSION);
  for (const FenBackendInfo *info = list->backends; info->name != NULL; info++)
    {
      if (info->n_devices <= 0)
        g_print ("  %-6s off: %s\n", info->name, info->reason);
      for (int i = 0; i < info->n_devices; i++)
        print_device (info->name, i);
    }
  g_print ("\nModel presets (--model NAME, or a Hugging Face folder):\n");
  for (const FenPreset *preset = fen_presets (); preset->name != NULL; preset++)
    g_print ("  %-12s %s\n", preset->name, preset->description);
  return FEN_EXIT_OK;
}

static void
write_device (FenJsonWriter *writer, const char *name, int index)
{
  FenDeviceProperties properties;
  if (!device_properties (name, index, &properties))
    return;
  fen_json_writer_begin_object (writer, NULL);
  fen_json_writer_int (writer, "index", index);
  fen_json_writer_string (writer, "name", properties.name);
  fen_json_writer_int (writer, "total_bytes", (gint64)properties.total_bytes);
  fen_json_writer_int (writer, "free_bytes", (gint64)properties.free_bytes);
  fen_json_writer_int (writer, "units", properties.units);
  fen_json_writer_int (writer, "capability", properties.capability);
  if (properties.peak_flops > 0)
    fen_json_writer_double (writer, "peak_flops", properties.peak_flops);
  else
    fen_json_writer_null (writer, "peak_flops");
  fen_json_writer_end_object (writer);
}

static int
print_json (const FenBackendList *list)
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
        write_device (writer, info->name, i);
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
  gboolean json = FALSE;
  const GOptionEntry entries[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    { NULL },
  };
  int exit_code;
  if (!cli_parse ("info", argc, argv, entries, NULL, NULL, NULL, &exit_code))
    return exit_code;
  FenBackendList list;
  fen_device_list (&list);
  return json ? print_json (&list) : print_text (&list);
}
