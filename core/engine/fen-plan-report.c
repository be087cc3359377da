/* fen-plan-report.c: a plan for people and for machines. */
#include "core/engine/fen-engine-private.h"
#include "core/base/fen-io.h"
#include "core/base/fen-number.h"
#include "core/base/fen-json.h"

static const char *
storage_name (FenDType dtype)
{
  static const char *const names[] = { "fp32", "bf16", "fp16", "fp64", "int32", "uint8" };
  return names[dtype];
}

G_GNUC_PRINTF (3, 4)
static void
line (GString *text, const char *name, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_string_append_printf (text, "%-18s ", name);
  g_string_append_vprintf (text, format, args);
  g_string_append_c (text, '\n');
  va_end (args);
}

static void
bytes_line (GString *text, const char *name, guint64 bytes, const char *remark)
{
  g_autofree char *size = fen_format_bytes (bytes);
  line (text, name, "%12s%s%s", size, remark[0] == '\0' ? "" : "  ", remark);
}

static void
append_settings (const FenPlan *plan, GString *text)
{
  const FenPlanSettings *s = &plan->settings;
  gint64 windowed = 0, window = 0, layers = fen_model_config (plan->model)->layers;

  for (gint64 i = 0; i < layers; i++)
    if (s->layer_window[i] != 0)
      {
        windowed++;
        window = MAX (window, s->layer_window[i]);
      }
  line (text, "model", "%s, %" G_GINT64_FORMAT " parameters", fen_model_name (plan->model),
        fen_model_n_parameters (plan->model));
  line (text, "device", "%s", plan->device.name);
  line (text, "schedule", "%s%s", fen_schedule_name (s->schedule),
        s->keep_attention ? ", attention kept" : "");
  line (text, "storage", "%s%s%s", storage_name (s->storage),
        s->master_weights ? ", fp32 master weights" : "", s->adam8 ? ", 8-bit optimizer" : "");
  line (text, "micro-batch", "%" G_GINT64_FORMAT " x %" G_GINT64_FORMAT " tokens", s->rows, s->row_tokens);
  if (s->schedule == FEN_SCHEDULE_CHUNKED)
    line (text, "chunks", "%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " tokens", s->n_chunks, s->chunk);
  line (text, "attention", "%s", s->attention_kernel);
  if (windowed > 0)
    line (text, "window",
          "%" G_GINT64_FORMAT " tokens in %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
          " layers, receptive field %" G_GINT64_FORMAT,
          window, windowed, layers, fen_plan_receptive_field (plan));
  line (text, "computation", "%s GFLOP a token",
        fen_number ("%.4g", fen_plan_flops_per_token (plan) / 1e9).text);
}

char *
fen_plan_to_text (const FenPlan *plan)
{
  GString *text = g_string_new (NULL);
  guint64 categories[FEN_N_MEMORY_CATEGORIES], unused;
  const char *const *notes = fen_plan_notes (plan);
  g_autoptr (GError) error = NULL;

  append_settings (plan, text);
  g_string_append (text, "\nmemory at its peak\n");
  fen_plan_categories (plan, categories, &unused);
  for (guint i = 0; i < FEN_N_MEMORY_CATEGORIES; i++)
    if (categories[i] > 0)
      bytes_line (text, fen_memory_category_name (i), categories[i], "");
  bytes_line (text, "unused", unused, "gaps between buffers");
  bytes_line (text, "total", plan->device_bytes, "");
  if (plan->host_bytes > 0)
    bytes_line (text, "host", plan->host_bytes, "pinned");
  if (plan->device.overhead_bytes > 0)
    bytes_line (text, "overhead", plan->device.overhead_bytes, "outside the plan: driver, BLAS");
  line (text, "peak", "%s", fen_plan_phase_name (plan, plan->peak_phase));
  for (guint i = 0; notes[i] != NULL; i++)
    g_string_append_printf (text, "note: %s\n", notes[i]);
  if (fen_plan_fits (plan, &error))
    g_string_append (text, "fits\n");
  else
    g_string_append_printf (text, "%s\n", error->message);
  return g_string_free (text, FALSE);
}

/* ---- JSON ---- */

static void
write_settings (const FenPlan *plan, FenJsonWriter *json)
{
  const FenPlanSettings *s = &plan->settings;

  fen_json_writer_begin_object (json, "settings");
  fen_json_writer_string (json, "schedule", fen_schedule_name (s->schedule));
  fen_json_writer_string (json, "storage", storage_name (s->storage));
  fen_json_writer_boolean (json, "master_weights", s->master_weights);
  fen_json_writer_boolean (json, "use_8bit_optimizer", s->adam8);
  fen_json_writer_string (json, "attention_path", s->path == FEN_ATTENTION_FLASH ? "flash" : "plain");
  fen_json_writer_string (json, "attention_kernel", s->attention_kernel);
  fen_json_writer_int (json, "rows", s->rows);
  fen_json_writer_int (json, "row_tokens", s->row_tokens);
  fen_json_writer_int (json, "chunk", s->chunk);
  fen_json_writer_int (json, "n_chunks", s->n_chunks);
  fen_json_writer_int (json, "head_rows", s->head_rows);
  fen_json_writer_int (json, "sink_tokens", s->sinks);
  fen_json_writer_boolean (json, "keep_attention", s->keep_attention);
  fen_json_writer_begin_array (json, "layer_window");
  for (gint64 i = 0; i < fen_model_config (plan->model)->layers; i++)
    fen_json_writer_int (json, NULL, s->layer_window[i]);
  fen_json_writer_end_array (json);
  fen_json_writer_end_object (json);
}

static void
write_buffers (const FenPlan *plan, FenJsonWriter *json)
{
  fen_json_writer_begin_array (json, "buffers");
  for (guint i = 0; i < plan->buffers->len; i++)
    {
      const FenPlanBuffer *b = &g_array_index (plan->buffers, FenPlanBuffer, i);
      fen_json_writer_begin_object (json, NULL);
      fen_json_writer_string (json, "name", b->name);
      fen_json_writer_string (json, "category", fen_memory_category_name (b->category));
      fen_json_writer_boolean (json, "host", b->host);
      fen_json_writer_int (json, "bytes", (gint64)b->bytes);
      fen_json_writer_int (json, "offset", (gint64)b->offset);
      fen_json_writer_string (json, "first", fen_plan_phase_name (plan, b->first));
      fen_json_writer_string (json, "last", fen_plan_phase_name (plan, b->last));
      fen_json_writer_end_object (json);
    }
  fen_json_writer_end_array (json);
}

static void
write_suggestions (const FenPlan *plan, FenJsonWriter *json)
{
  g_autoptr (GArray) suggestions = fen_plan_suggestions (plan);

  fen_json_writer_begin_array (json, "suggestions");
  for (guint i = 0; i < suggestions->len; i++)
    {
      const FenPlanSuggestion *s = &g_array_index (suggestions, FenPlanSuggestion, i);
      fen_json_writer_begin_object (json, NULL);
      fen_json_writer_string (json, "option", s->option);
      fen_json_writer_string (json, "value", s->value);
      fen_json_writer_int (json, "bytes_saved", s->bytes_saved);
      fen_json_writer_boolean (json, "fits", s->fits);
      fen_json_writer_boolean (json, "changes_math", s->changes_math);
      fen_json_writer_end_object (json);
    }
  fen_json_writer_end_array (json);
}

char *
fen_plan_to_json (const FenPlan *plan)
{
  g_autoptr (FenJsonWriter) json = fen_json_writer_new (2);
  guint64 categories[FEN_N_MEMORY_CATEGORIES], unused;
  const char *const *notes = fen_plan_notes (plan);
  gsize length;

  fen_plan_categories (plan, categories, &unused);
  fen_json_writer_begin_object (json, NULL);
  fen_json_writer_string (json, "model", fen_model_name (plan->model));
  fen_json_writer_int (json, "parameters", fen_model_n_parameters (plan->model));
  fen_json_writer_string (json, "device", plan->device.name);
  write_settings (plan, json);
  fen_json_writer_int (json, "device_bytes", (gint64)plan->device_bytes);
  fen_json_writer_int (json, "host_bytes", (gint64)plan->host_bytes);
  fen_json_writer_int (json, "overhead_bytes", (gint64)plan->device.overhead_bytes);
  fen_json_writer_boolean (json, "fits", fen_plan_fits (plan, NULL));
  fen_json_writer_string (json, "peak_phase", fen_plan_phase_name (plan, plan->peak_phase));
  fen_json_writer_begin_object (json, "categories");
  for (guint i = 0; i < FEN_N_MEMORY_CATEGORIES; i++)
    fen_json_writer_int (json, fen_memory_category_name (i), (gint64)categories[i]);
  fen_json_writer_int (json, "unused", (gint64)unused);
  fen_json_writer_end_object (json);
  fen_json_writer_double (json, "flops_per_token", fen_plan_flops_per_token (plan));
  fen_json_writer_int (json, "receptive_field", fen_plan_receptive_field (plan));
  fen_json_writer_begin_array (json, "notes");
  for (guint i = 0; notes[i] != NULL; i++)
    fen_json_writer_string (json, NULL, notes[i]);
  fen_json_writer_end_array (json);
  write_suggestions (plan, json);
  write_buffers (plan, json);
  fen_json_writer_end_object (json);
  return g_strdup (fen_json_writer_text (json, &length));
}
