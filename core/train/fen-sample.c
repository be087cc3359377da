/* fen-sample.c: a sample and its JSON line, from one table of members (see fen-sample.h). */
#include "core/train/fen-sample.h"

#include "core/base/fen-json.h"
#include "core/train/fen-train-error.h"

#include <math.h>
#include <string.h>

static const char *const kind_names[] = { "train", "eval", "memory", "event" };
static const char *const level_names[] = { "info", "warning", "error" };
G_STATIC_ASSERT (G_N_ELEMENTS (kind_names) == FEN_N_SAMPLE_KINDS);

typedef enum { MEMBER_INT, MEMBER_BYTES, MEMBER_DOUBLE, MEMBER_FLAG } MemberType;

#define T (1u << FEN_SAMPLE_TRAIN)
#define E (1u << FEN_SAMPLE_EVAL)
#define M (1u << FEN_SAMPLE_MEMORY)

/* One member of a line. `has` is the offset of the flag that says whether it is known, or NO_FLAG. Members that
 * share a flag stand together. */
typedef struct {
  const char *key;
  guint kinds; /* bits of FenSampleKind */
  MemberType type;
  gboolean null_when_unknown;
  gsize offset;
  gsize has;
} Member;

#define NO_FLAG G_MAXSIZE
#define AT(field) G_STRUCT_OFFSET (FenSample, field)

static const Member members[] = {
  { "tokens", T | E, MEMBER_INT, FALSE, AT (tokens), NO_FLAG },
  { "loss", T | E, MEMBER_DOUBLE, TRUE, AT (loss), NO_FLAG },
  { "smoothed_loss", T, MEMBER_DOUBLE, FALSE, AT (smoothed_loss), NO_FLAG },
  { "grad_norm", T, MEMBER_DOUBLE, TRUE, AT (grad_norm), NO_FLAG },
  { "lr", T, MEMBER_DOUBLE, FALSE, AT (learning_rate), NO_FLAG },
  { "tokens_per_s", T, MEMBER_DOUBLE, FALSE, AT (tokens_per_second), NO_FLAG },
  { "step_us", T, MEMBER_DOUBLE, FALSE, AT (step_us), NO_FLAG },
  { "eta_s", T, MEMBER_DOUBLE, FALSE, AT (eta_seconds), NO_FLAG },
  { "mfu", T, MEMBER_DOUBLE, FALSE, AT (mfu), NO_FLAG },
  { "skipped", T, MEMBER_INT, FALSE, AT (skipped_updates), NO_FLAG },
  { "skip", T, MEMBER_FLAG, FALSE, AT (skipped), NO_FLAG },
  { "rows", E, MEMBER_INT, FALSE, AT (eval_rows), NO_FLAG },
  { "seconds", E, MEMBER_DOUBLE, FALSE, AT (eval_seconds), NO_FLAG },
  { "device_used", M, MEMBER_BYTES, FALSE, AT (device_used_bytes), AT (has_device) },
  { "device_total", M, MEMBER_BYTES, FALSE, AT (device_total_bytes), AT (has_device) },
  { "device_process", M, MEMBER_BYTES, FALSE, AT (device_process_bytes), AT (has_device_process) },
  { "rss", M, MEMBER_BYTES, FALSE, AT (process_rss_bytes), AT (has_host) },
  { "rss_peak", M, MEMBER_BYTES, FALSE, AT (process_peak_bytes), AT (has_host) },
  { "host_available", M, MEMBER_BYTES, FALSE, AT (host_available_bytes), AT (has_host) },
  { "host_total", M, MEMBER_BYTES, FALSE, AT (host_total_bytes), AT (has_host) },
  { "cpu_process", M, MEMBER_DOUBLE, FALSE, AT (cpu_process), NO_FLAG },
  { "cpu_machine", M, MEMBER_DOUBLE, FALSE, AT (cpu_machine), NO_FLAG },
  { "gpu", M, MEMBER_DOUBLE, FALSE, AT (gpu_utilization), NO_FLAG },
  { "temperature", M, MEMBER_DOUBLE, FALSE, AT (temperature), NO_FLAG },
  { "power", M, MEMBER_DOUBLE, FALSE, AT (power), NO_FLAG },
};

#undef T
#undef E
#undef M

static gpointer
field (const FenSample *sample, gsize offset)
{
  return (guchar *)sample + offset;
}

const char *
fen_sample_kind_name (FenSampleKind kind)
{
  return kind_names[kind];
}

const char *
fen_event_level_name (FenEventLevel level)
{
  return level_names[level];
}

static void
clear (FenSample *sample, FenSampleKind kind)
{
  memset (sample, 0, sizeof *sample);
  sample->kind = kind;
  sample->time = NAN;
  sample->step = -1;
  for (gsize i = 0; i < G_N_ELEMENTS (members); i++)
    if (members[i].type == MEMBER_DOUBLE)
      *(double *)field (sample, members[i].offset) = NAN;
}

void
fen_sample_init (FenSample *sample, FenSampleKind kind, gint64 step)
{
  clear (sample, kind);
  sample->time = (double)g_get_real_time () / G_USEC_PER_SEC;
  sample->step = step;
}

/* Copies what fits, never half a UTF-8 character. */
static void
copy_text (char *target, gsize size, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_strlcpy (target, valid, size);
  const char *end;
  if (!g_utf8_validate (target, -1, &end))
    target[end - target] = '\0';
}

void
fen_sample_init_event (FenSample *sample, gint64 step, FenEventLevel level, const char *event,
                       const char *text)
{
  fen_sample_init (sample, FEN_SAMPLE_EVENT, step);
  sample->level = level;
  copy_text (sample->event, sizeof sample->event, event);
  copy_text (sample->text, sizeof sample->text, text);
}

/* ---- writing ---- */

static void
write_member (FenJsonWriter *writer, const FenSample *sample, const Member *member)
{
  if (member->has != NO_FLAG && !*(gboolean *)field (sample, member->has))
    return;
  gpointer value = field (sample, member->offset);
  switch (member->type)
    {
    case MEMBER_INT:
      fen_json_writer_int (writer, member->key, *(gint64 *)value);
      break;
    case MEMBER_BYTES:
      fen_json_writer_int (writer, member->key, (gint64)MIN (*(guint64 *)value, (guint64)G_MAXINT64));
      break;
    case MEMBER_FLAG:
      if (*(gboolean *)value)
        fen_json_writer_boolean (writer, member->key, TRUE);
      break;
    case MEMBER_DOUBLE:
      if (isfinite (*(double *)value) || member->null_when_unknown)
        fen_json_writer_double (writer, member->key, *(double *)value);
      break;
    }
}

static void
write_categories (FenJsonWriter *writer, const FenSample *sample)
{
  fen_json_writer_begin_object (writer, "memory");
  for (guint i = 0; i < FEN_N_MEMORY_CATEGORIES; i++)
    if (sample->category_bytes[i] > 0)
      fen_json_writer_int (writer, fen_memory_category_name (i),
                           (gint64)MIN (sample->category_bytes[i], (guint64)G_MAXINT64));
  fen_json_writer_end_object (writer);
}

char *
fen_sample_to_json (const FenSample *sample)
{
  g_autoptr (FenJsonWriter) writer = fen_json_writer_new (0);
  fen_json_writer_begin_object (writer, NULL);
  fen_json_writer_int (writer, "v", FEN_SAMPLE_VERSION);
  fen_json_writer_string (writer, "kind", kind_names[sample->kind]);
  fen_json_writer_int (writer, "step", sample->step);
  /* Milliseconds are enough, and shorter. */
  fen_json_writer_double (writer, "time", round (sample->time * 1000) / 1000);
  for (gsize i = 0; i < G_N_ELEMENTS (members); i++)
    if (members[i].kinds & (1u << sample->kind))
      write_member (writer, sample, &members[i]);
  if (sample->kind == FEN_SAMPLE_MEMORY)
    write_categories (writer, sample);
  if (sample->kind == FEN_SAMPLE_EVENT)
    {
      fen_json_writer_string (writer, "level", level_names[sample->level]);
      fen_json_writer_string (writer, "event", sample->event);
      fen_json_writer_string (writer, "text", sample->text);
    }
  fen_json_writer_end_object (writer);
  return g_strdup (fen_json_writer_text (writer, NULL));
}

/* ---- reading ---- */

static gboolean
read_member (JsonObject *object, const char *where, FenSample *sample, const Member *member, GError **error)
{
  gpointer value = field (sample, member->offset);
  gint64 bytes = 0;
  switch (member->type)
    {
    case MEMBER_INT:
      return fen_json_get_int (object, where, member->key, FALSE, 0, G_MAXINT64, value, error);
    case MEMBER_FLAG:
      return fen_json_get_boolean (object, where, member->key, FALSE, value, error);
    case MEMBER_DOUBLE:
      return fen_json_get_double (object, where, member->key, FALSE, -G_MAXDOUBLE, G_MAXDOUBLE, value, error);
    case MEMBER_BYTES:
      if (!fen_json_has (object, member->key))
        return TRUE;
      if (!fen_json_get_int (object, where, member->key, FALSE, 0, G_MAXINT64, &bytes, error))
        return FALSE;
      *(guint64 *)value = (guint64)bytes;
      *(gboolean *)field (sample, member->has) = TRUE;
      return TRUE;
    }
  return TRUE;
}

static gboolean
read_categories (JsonObject *object, const char *where, FenSample *sample, GError **error)
{
  JsonObject *memory = NULL;
  if (!fen_json_get_object (object, where, "memory", FALSE, &memory, error))
    return FALSE;
  for (guint i = 0; memory != NULL && i < FEN_N_MEMORY_CATEGORIES; i++)
    {
      gint64 bytes = 0;
      if (!fen_json_get_int (memory, where, fen_memory_category_name (i), FALSE, 0, G_MAXINT64, &bytes,
                             error))
        return FALSE;
      sample->category_bytes[i] = (guint64)bytes;
    }
  return TRUE;
}

/* The index of `text` in `names`, or -1 with an error that lists them. */
static int
find_name (const char *text, const char *const *names, guint n_names, const char *where, const char *key,
           GError **error)
{
  g_autoptr (GString) allowed = g_string_new (NULL);
  for (guint i = 0; i < n_names; i++)
    {
      if (strcmp (text, names[i]) == 0)
        return (int)i;
      g_string_append_printf (allowed, "%s%s", i > 0 ? ", " : "", names[i]);
    }
  g_set_error (error, FEN_TRAIN_ERROR, FEN_TRAIN_ERROR_DAMAGED, "%s: %s is \"%.40s\"; allowed: %s", where,
               key, text, allowed->str);
  return -1;
}

static gboolean
read_event (JsonObject *object, const char *where, FenSample *sample, GError **error)
{
  const char *level = NULL, *event = NULL, *text = "";
  if (!fen_json_get_string (object, where, "level", TRUE, &level, error)
      || !fen_json_get_string (object, where, "event", TRUE, &event, error)
      || !fen_json_get_string (object, where, "text", FALSE, &text, error))
    return FALSE;
  const int found = find_name (level, level_names, G_N_ELEMENTS (level_names), where, "level", error);
  if (found < 0)
    return FALSE;
  sample->level = (FenEventLevel)found;
  copy_text (sample->event, sizeof sample->event, event);
  copy_text (sample->text, sizeof sample->text, text);
  return TRUE;
}

/* ---- reading in a hurry ---- */

/* Nearly all lines are train lines as fen_sample_to_json writes them, and a window that opens a run of a million steps
 * reads a million of them: those are read here, ten times faster than through a tree. Whatever is not exactly like that
 * (another order of the first members, white space, null, an unknown member, a number out of its range) is left to the
 * parser, which also says what is wrong; so there is one judge of what is allowed. */
#define TRAIN_BEGIN "{\"v\":1,\"kind\":\"train\","

static const char *
skip_digits (const char *p, const char *end)
{
  while (p < end && g_ascii_isdigit (*p))
    p++;
  return p;
}

/* The end of a JSON number (RFC 8259), or NULL. */
static const char *
skip_number (const char *p, const char *end, gboolean *whole)
{
  const char *digits = p + (p < end && *p == '-');
  p = skip_digits (digits, end);
  if (p == digits || (*digits == '0' && p - digits > 1))
    return NULL;
  *whole = TRUE;
  if (p < end && *p == '.')
    {
      const char *first = ++p;
      *whole = FALSE;
      p = skip_digits (p, end);
      if (p == first)
        return NULL;
    }
  if (p < end && (*p == 'e' || *p == 'E'))
    {
      p++;
      p += p < end && (*p == '+' || *p == '-');
      const char *first = p;
      *whole = FALSE;
      p = skip_digits (p, end);
      if (p == first)
        return NULL;
    }
  return p;
}

static const Member *
find_train_member (const char *key, gsize length, guint *index)
{
  /* Beside the table: they stand in every line. */
  static const Member step = { "step", 1, MEMBER_INT, FALSE, G_STRUCT_OFFSET (FenSample, step), NO_FLAG };
  static const Member time = { "time", 1, MEMBER_DOUBLE, FALSE, G_STRUCT_OFFSET (FenSample, time), NO_FLAG };
  for (*index = 0; *index < G_N_ELEMENTS (members); (*index)++)
    if ((members[*index].kinds & (1u << FEN_SAMPLE_TRAIN)) && strlen (members[*index].key) == length
        && memcmp (members[*index].key, key, length) == 0)
      return &members[*index];
  if (length != 4 || (memcmp (key, "step", 4) != 0 && memcmp (key, "time", 4) != 0))
    return NULL;
  *index += key[0] == 't';
  return key[0] == 't' ? &time : &step;
}

/* The value of one member; its end, or NULL. */
static const char *
scan_value (FenSample *sample, const Member *member, const char *p, const char *end)
{
  gboolean whole = FALSE;
  const char *after = member->type != MEMBER_FLAG ? skip_number (p, end, &whole) : NULL;
  /* The number is whole in the line: something that is no part of it follows. */
  if (after == NULL || after >= end)
    return NULL;
  if (member->type == MEMBER_DOUBLE)
    {
      const double value = g_ascii_strtod (p, NULL);
      *(double *)field (sample, member->offset) = value;
      return fabs (value) < 1e15 ? after : NULL;
    }
  if (!whole || *p == '-' || after - p > 18)
    return NULL;
  *(gint64 *)field (sample, member->offset) = g_ascii_strtoll (p, NULL, 10);
  return after;
}

static gboolean
scan_train (FenSample *sample, const char *line, gsize length)
{
  const char *p = line + strlen (TRAIN_BEGIN), *const end = line + length;
  guint seen = 0, index;
  if (length < strlen (TRAIN_BEGIN) || memcmp (line, TRAIN_BEGIN, strlen (TRAIN_BEGIN)) != 0)
    return FALSE;
  clear (sample, FEN_SAMPLE_TRAIN);
  for (;;)
    {
      if (p >= end || *p++ != '"')
        return FALSE;
      const char *quote = memchr (p, '"', (gsize)(end - p));
      const Member *member = quote != NULL ? find_train_member (p, (gsize)(quote - p), &index) : NULL;
      if (member == NULL || (seen & (1u << index)) || end - quote < 3 || quote[1] != ':')
        return FALSE;
      seen |= 1u << index;
      p = scan_value (sample, member, quote + 2, end);
      if (p == NULL)
        return FALSE;
      if (*p == '}')
        return p + 1 == end && sample->step >= 0 && !(sample->time < 0);
      if (*p++ != ',')
        return FALSE;
    }
}

gboolean
fen_sample_from_json (FenSample *sample, const char *line, gsize length, const char *where, GError **error)
{
  if (scan_train (sample, line, length))
    return TRUE;
  g_autoptr (JsonNode) root = fen_json_parse (line, length, where, FEN_JSON_MAX_BYTES_CONFIG, error);
  JsonObject *object = root != NULL ? fen_json_root_object (root, where, error) : NULL;
  gint64 version = 0;
  const char *kind_text = NULL;
  if (object == NULL || !fen_json_get_int (object, where, "v", TRUE, 1, FEN_SAMPLE_VERSION, &version, error)
      || !fen_json_get_string (object, where, "kind", TRUE, &kind_text, error))
    return FALSE;
  const int kind = find_name (kind_text, kind_names, FEN_N_SAMPLE_KINDS, where, "kind", error);
  if (kind < 0)
    return FALSE;
  clear (sample, (FenSampleKind)kind);
  if (!fen_json_get_int (object, where, "step", TRUE, 0, G_MAXINT64, &sample->step, error)
      || !fen_json_get_double (object, where, "time", FALSE, 0, 1e15, &sample->time, error))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (members); i++)
    if ((members[i].kinds & (1u << kind)) && !read_member (object, where, sample, &members[i], error))
      return FALSE;
  if (kind == FEN_SAMPLE_MEMORY)
    return read_categories (object, where, sample, error);
  return kind != FEN_SAMPLE_EVENT || read_event (object, where, sample, error);
}
