/* test-safetensors.c: the safetensors reader against hostile files, the writer, and 16-bit conversions. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/fen-io.h"
#include "core/model/fen-float-private.h"
#include "core/model/fen-model.h"
#include "core/model/fen-safetensors.h"

/* ---- helpers ---- */

/* A file of a header length, a header and data_bytes bytes 0, 1, 2, ... */
static GByteArray *
make_file (guint64 length, const char *header, gsize data_bytes)
{
  GByteArray *file = g_byte_array_new ();
  g_byte_array_append (file, (const guint8 *)&length, 8);
  g_byte_array_append (file, (const guint8 *)header, (guint)strlen (header));
  for (gsize i = 0; i < data_bytes; i++)
    {
      guint8 byte = (guint8)i;
      g_byte_array_append (file, &byte, 1);
    }
  return file;
}

static void
assert_refused (GByteArray *file, const char *message)
{
  g_autoptr (GError) error = NULL;
  /* A copy of exactly the file's size, so that a sanitizer sees a read beyond it. */
  g_autofree void *copy = g_memdup2 (file->data, file->len);
  FenSafetensors *parsed = fen_safetensors_parse (copy, file->len, "x.safetensors", &error);
  g_assert_null (parsed);
  g_assert_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS);
  g_assert_cmpstr (error->message, ==, message);
}

static FenSafetensors *
parse (GByteArray *file)
{
  g_autoptr (GError) error = NULL;
  FenSafetensors *parsed = fen_safetensors_parse (file->data, file->len, "x.safetensors", &error);
  g_assert_no_error (error);
  return parsed;
}

static char *
make_folder (void)
{
  g_autoptr (GError) error = NULL;
  char *folder = g_dir_make_tmp ("fen-safetensors-XXXXXX", &error);
  g_assert_no_error (error);
  return folder;
}

static void
remove_folder (char *folder)
{
  g_assert_true (fen_io_remove_tree (folder, NULL));
  g_free (folder);
}

/* ---- hostile headers ---- */

#define TENSOR(name, dtype, shape, offsets)                                                                  \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct {
  const char *name, *header;
  gsize data_bytes;
  const char *message;
} hostile[] = {
  { "not-json", "{\"a\":}", 0,
    "x.safetensors: header: line 1, column 6: not JSON: a value expected, found \"}\"" },
  { "array", "{} []", 0,
    "x.safetensors: header: line 1, column 4: not JSON: the end of the text expected, found \"[\"" },
  { "unknown-dtype", "{" TENSOR ("a", "I64", "[1]", "[0,8]") "}", 8,
    "x.safetensors: tensor \"a\": dtype is \"I64\"; allowed: F32, BF16, F16, F64, I32, U8, BOOL" },
  { "dtype-number", "{\"a\":{\"dtype\":3,\"shape\":[],\"data_offsets\":[0,4]}}", 4,
    "x.safetensors: tensor \"a\": dtype must be a string, not 3" },
  { "no-shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4,
    "x.safetensors: tensor \"a\": shape is missing" },
  { "no-offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4,
    "x.safetensors: tensor \"a\": data_offsets is missing" },
  { "tensor-number", "{\"a\":1}", 0, "x.safetensors: tensor \"a\": must hold a JSON object, not 1" },
  { "negative-dimension", "{" TENSOR ("a", "F32", "[2,-1]", "[0,8]") "}", 8,
    "x.safetensors: tensor \"a\": shape[1] is -1; allowed: an integer of 0 to 281474976710656" },
  { "fraction-dimension", "{" TENSOR ("a", "F32", "[1.5]", "[0,8]") "}", 8,
    "x.safetensors: tensor \"a\": shape[0] is 1.5; allowed: an integer of 0 to 281474976710656" },
  { "huge-shape", "{" TENSOR ("a", "F32", "[281474976710656,281474976710656]", "[0,0]") "}", 0,
    "x.safetensors: tensor \"a\": shape has more than 2^63 elements or bytes" },
  { "huge-bytes", "{" TENSOR ("a", "F64", "[281474976710656,8192]", "[0,0]") "}", 0,
    "x.safetensors: tensor \"a\": shape has more than 2^63 elements or bytes" },
  { "rank", "{" TENSOR ("a", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}", 1,
    "x.safetensors: tensor \"a\": shape has 9 dimensions; allowed: up to 8" },
  { "three-offsets", "{" TENSOR ("a", "U8", "[1]", "[0,1,2]") "}", 1,
    "x.safetensors: tensor \"a\": data_offsets has 3 numbers; allowed: 2, [begin, end]" },
  { "outside", "{" TENSOR ("a", "F32", "[2]", "[0,8]") "}", 7,
    "x.safetensors: tensor \"a\": data_offsets[1] is 8; allowed: an integer of 0 to 7" },
  { "negative-offset", "{" TENSOR ("a", "F32", "[2]", "[-8,0]") "}", 8,
    "x.safetensors: tensor \"a\": data_offsets[0] is -8; allowed: an integer of 0 to 8" },
  { "huge-offset", "{" TENSOR ("a", "F32", "[2]", "[18446744073709551608,8]") "}", 8,
    "x.safetensors: tensor \"a\": data_offsets[0] is 1.8446744073709552e+19; allowed: an integer of 0 to 8" },
  { "backwards", "{" TENSOR ("a", "F32", "[0]", "[4,0]") "}", 4,
    "x.safetensors: tensor \"a\": data_offsets [4, 0] hold -4 bytes, but its dtype and shape need 0" },
  { "size", "{" TENSOR ("a", "F32", "[2]", "[0,4]") "}", 4,
    "x.safetensors: tensor \"a\": data_offsets [0, 4] hold 4 bytes, but its dtype and shape need 8" },
  { "overlap", "{" TENSOR ("a", "U8", "[4]", "[0,4]") "," TENSOR ("b", "U8", "[4]", "[3,7]") "}", 7,
    "x.safetensors: tensor \"b\" begins at byte 3 of the data, but \"a\" ends at 4: overlaps are not "
    "allowed" },
  { "gap", "{" TENSOR ("a", "U8", "[4]", "[0,4]") "," TENSOR ("b", "U8", "[2]", "[5,7]") "}", 7,
    "x.safetensors: tensor \"b\" begins at byte 5 of the data, but \"a\" ends at 4: gaps are not allowed" },
  { "gap-first", "{" TENSOR ("a", "U8", "[4]", "[1,5]") "}", 5,
    "x.safetensors: tensor \"a\" begins at byte 1 of the data, but the header ends at 0: gaps are not "
    "allowed" },
  { "trailing", "{" TENSOR ("a", "U8", "[4]", "[0,4]") "}", 6,
    "x.safetensors: 6 bytes of data, but the tensors end at 4" },
  { "duplicate", "{" TENSOR ("a", "U8", "[4]", "[0,4]") "," TENSOR ("a", "U8", "[4]", "[0,4]") "}", 4,
    "x.safetensors: header: line 1, column 57: the key \"a\" stands twice in one object" },
  { "metadata", "{\"__metadata__\":{\"format\":1}}", 0,
    "x.safetensors: __metadata__: \"format\" must be a string" },
  { "metadata-array", "{\"__metadata__\":[]}", 0,
    "x.safetensors: __metadata__: must hold a JSON object, not an array" },
  { "control-name", "{" TENSOR ("a\\nb", "U8", "[1]", "[0,2]") "}", 2,
    "x.safetensors: tensor \"a\\nb\": data_offsets [0, 2] hold 2 bytes, but its dtype and shape need 1" },
};

static void
test_hostile (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (GByteArray) file
      = make_file (strlen (hostile[i].header), hostile[i].header, hostile[i].data_bytes);
  assert_refused (file, hostile[i].message);
}

static void
test_lengths (void)
{
  g_autoptr (GByteArray) empty = g_byte_array_new ();
  assert_refused (empty, "x.safetensors: not a safetensors file: 0 bytes; allowed: 10 and up");
  g_autoptr (GByteArray) zero = make_file (0, "{}", 0);
  assert_refused (zero,
                  "x.safetensors: not a safetensors file or cut short: its header length is 0; allowed: 2 to "
                  "2 in a file of 10 bytes");
  g_autoptr (GByteArray) beyond = make_file (3, "{}", 0);
  assert_refused (beyond,
                  "x.safetensors: not a safetensors file or cut short: its header length is 3; allowed: 2 "
                  "to 2 in a file of 10 bytes");
  g_autoptr (GByteArray) all_ones = make_file (G_MAXUINT64, "{}", 0);
  assert_refused (all_ones, "x.safetensors: not a safetensors file or cut short: its header length is "
                            "18446744073709551615; allowed: 2 to 2 in a file of 10 bytes");
  g_autoptr (GByteArray) text = make_file (4, "text", 0);
  assert_refused (text,
                  "x.safetensors: not a safetensors file: its header begins with byte 0x74; allowed: {");
}

/* 100 MB and a byte of header, in a file that is large enough: a sparse one. */
static void
test_long_header (void)
{
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "long.safetensors", NULL);
  guint64 length = (100u << 20) + 1;
  g_assert_true (g_file_set_contents (path, (const char *)&length, 8, NULL));
  g_assert_cmpint (truncate (path, (100 << 20) + 4096), ==, 0);
  g_autoptr (GError) error = NULL;
  g_assert_null (fen_safetensors_open (path, &error));
  g_assert_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS);
  g_autofree char *message = g_strdup_printf (
      "%s: not a safetensors file or cut short: its header length is 104857601; allowed: 2 to "
      "104857600 in a file of 104861696 bytes",
      path);
  g_assert_cmpstr (error->message, ==, message);
  remove_folder (folder);
}

static void
test_deep (void)
{
  GString *header = g_string_new ("{\"a\":");
  for (int i = 0; i < 200000; i++)
    g_string_append_c (header, '[');
  for (int i = 0; i < 200000; i++)
    g_string_append_c (header, ']');
  g_string_append_c (header, '}');
  g_autoptr (GByteArray) file = make_file (header->len, header->str, 0);
  g_autoptr (GError) error = NULL;
  g_assert_null (fen_safetensors_parse (file->data, file->len, "x.safetensors", &error));
  g_assert_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS);
  g_assert_nonnull (strstr (error->message, "x.safetensors: header: line 1, column "));
  g_assert_nonnull (strstr (error->message, "64"));
  g_string_free (header, TRUE);
}

static void
test_not_a_file (void)
{
  char *folder = make_folder ();
  g_autofree char *missing = g_build_filename (folder, "missing.safetensors", NULL);
  g_autofree char *pipe = g_build_filename (folder, "pipe.safetensors", NULL);
  g_autofree char *empty = g_build_filename (folder, "empty.safetensors", NULL);
  g_autoptr (GError) error = NULL;
  g_assert_null (fen_safetensors_open (missing, &error));
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_nonnull (strstr (error->message, missing));
  g_clear_error (&error);
  g_assert_cmpint (mkfifo (pipe, 0600), ==, 0);
  g_assert_null (fen_safetensors_open (pipe, &error)); /* and does not hang */
  g_assert_nonnull (strstr (error->message, "not a regular file"));
  g_clear_error (&error);
  g_assert_null (fen_safetensors_open (folder, &error));
  g_assert_nonnull (strstr (error->message, "not a regular file"));
  g_clear_error (&error);
  g_assert_true (g_file_set_contents (empty, "", 0, NULL));
  g_assert_null (fen_safetensors_open (empty, &error));
  g_assert_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS);
  remove_folder (folder);
}

/* ---- what is right ---- */

static void
test_accepted (void)
{
  /* Any order in the header, a scalar, an empty tensor, trailing spaces, escapes in names. */
  const char *header
      = "{\"__metadata__\":{\"format\":\"pt\"}," TENSOR ("b", "I32", "[]", "[4,8]") "," TENSOR (
          "\\u00e9", "U8", "[2,2]", "[0,4]") "," TENSOR ("none", "F32", "[3,0]",
                                                         "[4,4]") "," TENSOR ("mask", "BOOL", "[1]",
                                                                              "[8,9]") "}   ";
  g_autoptr (GByteArray) file = make_file (strlen (header), header, 9);
  g_autoptr (FenSafetensors) parsed = parse (file);
  gsize n;
  const FenTensor *tensors = fen_safetensors_tensors (parsed, &n);
  g_assert_cmpuint (n, ==, 4);
  g_assert_cmpstr (tensors[0].name, ==, "é");
  g_assert_cmpstr (tensors[1].name, ==, "none");
  const FenTensor *b = fen_safetensors_find (parsed, "b");
  g_assert_cmpint (b->rank, ==, 0);
  g_assert_cmpint (b->elements, ==, 1);
  g_assert_cmpuint (b->bytes, ==, 4);
  g_assert_cmpmem (b->data, 4, "\x04\x05\x06\x07", 4);
  g_assert_cmpint (fen_safetensors_find (parsed, "none")->elements, ==, 0);
  g_assert_cmpint (fen_safetensors_find (parsed, "mask")->dtype, ==, FEN_U8);
  g_assert_null (fen_safetensors_find (parsed, "c"));
  g_assert_cmpstr (fen_safetensors_metadata (parsed, "format"), ==, "pt");
  g_assert_null (fen_safetensors_metadata (parsed, "other"));
  float value;
  g_assert_false (fen_tensor_read_f32 (b, 0, 1, &value));
  fen_safetensors_release (parsed, b, 0, b->bytes); /* no mapping: without effect */
}

/* ---- 16-bit numbers ---- */

/* ldexp and nearbyint in double: the definition, not the bit tricks. */
static double
f16_value (guint16 half)
{
  int exponent = half >> 10 & 31, mantissa = half & 1023;
  double magnitude = exponent == 31  ? (mantissa != 0 ? NAN : INFINITY)
                     : exponent == 0 ? ldexp (mantissa, -24)
                                     : ldexp (1024 + mantissa, exponent - 25);
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

static double
bf16_value (guint16 half)
{
  int exponent = half >> 7 & 255, mantissa = half & 127;
  double magnitude = exponent == 255 ? (mantissa != 0 ? NAN : INFINITY)
                     : exponent == 0 ? ldexp (mantissa, -133)
                                     : ldexp (128 + mantissa, exponent - 134);
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

static void
test_halves (void)
{
  for (guint i = 0; i < 65536; i++)
    {
      guint16 half = (guint16)i;
      float f16 = fen_float_from_f16 (half), bf16 = fen_float_from_bf16 (half);
      if (isnan (f16_value (half)))
        g_assert_true (isnan (f16) && isnan (fen_float_from_f16 (fen_float_to_f16 (f16))));
      else
        {
          g_assert_cmpfloat (f16, ==, f16_value (half));
          g_assert_cmpuint (fen_float_to_f16 (f16), ==, half);
        }
      if (isnan (bf16_value (half)))
        g_assert_true (isnan (bf16) && isnan (fen_float_from_bf16 (fen_float_to_bf16 (bf16))));
      else
        {
          g_assert_cmpfloat (bf16, ==, bf16_value (half));
          g_assert_cmpuint (fen_float_to_bf16 (bf16), ==, half);
        }
    }
}

/* The middle between neighbours goes to the even one, a little more or less to the nearer one. */
static void
test_rounding (void)
{
  for (guint i = 0; i < 0x7BFF; i++)
    {
      float low = fen_float_from_f16 ((guint16)i), high = fen_float_from_f16 ((guint16)(i + 1));
      float middle = low + (high - low) / 2;
      g_assert_cmpuint (fen_float_to_f16 (middle), ==, i % 2 == 0 ? i : i + 1);
      g_assert_cmpuint (fen_float_to_f16 (nextafterf (middle, 0)), ==, i);
      g_assert_cmpuint (fen_float_to_f16 (nextafterf (middle, INFINITY)), ==, i + 1);
      g_assert_cmpuint (fen_float_to_f16 (-middle), ==, 0x8000 | (i % 2 == 0 ? i : i + 1));
    }
  g_assert_cmpuint (fen_float_to_f16 (65519.99f), ==, 0x7BFF);
  g_assert_cmpuint (fen_float_to_f16 (65520.0f), ==, 0x7C00);
  g_assert_cmpuint (fen_float_to_f16 (3e38f), ==, 0x7C00);
  for (guint i = 0; i < 0x7F7F; i += 7)
    {
      float low = fen_float_from_bf16 ((guint16)i), high = fen_float_from_bf16 ((guint16)(i + 1));
      float middle = low + (high - low) / 2;
      g_assert_cmpuint (fen_float_to_bf16 (middle), ==, i % 2 == 0 ? i : i + 1);
      g_assert_cmpuint (fen_float_to_bf16 (nextafterf (middle, 0)), ==, i);
      g_assert_cmpuint (fen_float_to_bf16 (nextafterf (middle, INFINITY)), ==, i + 1);
    }
}

static void
test_unaligned_reads (void)
{
  /* One byte in front makes every number that follows unaligned. */
  const char *header
      = "{" TENSOR ("a", "U8", "[1]", "[0,1]") "," TENSOR ("h", "F16", "[4]", "[1,9]") "," TENSOR (
          "w", "F64", "[2]", "[9,25]") "," TENSOR ("f", "F32", "[2]", "[25,33]") "}";
  g_autoptr (GByteArray) file = make_file (strlen (header), header, 33);
  guint8 *data = file->data + 8 + strlen (header);
  static const guint16 halves[] = { 0x3C00, 0xC000, 0x0001, 0x7C00 };
  static const double wide[] = { 0.5, 1e300 };
  static const float narrow[] = { 1.25f, -3.0f };
  memcpy (data + 1, halves, sizeof halves);
  memcpy (data + 9, wide, sizeof wide);
  memcpy (data + 25, narrow, sizeof narrow);
  g_autoptr (FenSafetensors) parsed = parse (file);
  float values[4];
  g_assert_true (fen_tensor_read_f32 (fen_safetensors_find (parsed, "h"), 0, 4, values));
  g_assert_cmpfloat (values[0], ==, 1);
  g_assert_cmpfloat (values[1], ==, -2);
  g_assert_cmpfloat (values[2], ==, 0x1p-24f);
  g_assert_true (isinf (values[3]));
  g_assert_true (fen_tensor_read_f32 (fen_safetensors_find (parsed, "w"), 0, 2, values));
  g_assert_cmpfloat (values[0], ==, 0.5f);
  g_assert_true (isinf (values[1]));
  g_assert_true (fen_tensor_read_f32 (fen_safetensors_find (parsed, "f"), 1, 1, values));
  g_assert_cmpfloat (values[0], ==, -3.0f);
}

/* ---- the writer ---- */

static void
test_round_trip (void)
{
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "a.safetensors", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (FenSafetensorsWriter) writer = fen_safetensors_writer_new (path, &error);
  g_assert_no_error (error);
  fen_safetensors_writer_set_metadata (writer, "format", "pt");
  fen_safetensors_writer_set_metadata (writer, "a \"quoted\" key", "line\nbreak");
  fen_safetensors_writer_add (writer, "w", FEN_F32, 2, (gint64[]){ 2, 3 });
  fen_safetensors_writer_add (writer, "s", FEN_I32, 0, NULL);
  fen_safetensors_writer_add (writer, "e", FEN_BF16, 1, (gint64[]){ 0 });
  const float w[6] = { 1, 2, 3, 4, 5, 6 };
  const gint32 s = 77;
  /* Pieces need not end where tensors do. */
  guint8 data[28];
  memcpy (data, w, 24);
  memcpy (data + 24, &s, 4);
  g_assert_true (fen_safetensors_writer_data (writer, data, 13, &error));
  g_assert_true (fen_safetensors_writer_data (writer, data + 13, 15, &error));
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS)); /* whole or not there */
  char hash[33], again[33];
  g_assert_true (fen_safetensors_writer_commit (writer, hash, &error));
  g_assert_no_error (error);
  g_assert_true (fen_io_hash_file (path, again, NULL));
  g_assert_cmpstr (hash, ==, again);

  g_autoptr (FenSafetensors) file = fen_safetensors_open (path, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (fen_safetensors_metadata (file, "a \"quoted\" key"), ==, "line\nbreak");
  const FenTensor *tensor = fen_safetensors_find (file, "w");
  g_assert_cmpint (tensor->shape[1], ==, 3);
  g_assert_cmpmem (tensor->data, tensor->bytes, w, sizeof w);
  fen_safetensors_release (file, tensor, 0, tensor->bytes);
  g_assert_cmpmem (tensor->data, tensor->bytes, w, sizeof w);
  g_assert_cmpmem (fen_safetensors_find (file, "s")->data, 4, &s, 4);
  g_autofree char *content = NULL;
  g_assert_true (g_file_get_contents (path, &content, NULL, NULL));
  guint64 header;
  memcpy (&header, content, 8);
  g_assert_cmpuint (header % 8, ==, 0);
  remove_folder (folder);
}

/* A writer given too little, too much, or nonsense fails and leaves the old file. */
static void
test_writer_mistakes (void)
{
  char *folder = make_folder ();
  g_autofree char *path = g_build_filename (folder, "a.safetensors", NULL);
  g_assert_true (g_file_set_contents (path, "old", -1, NULL));
  const char *messages[] = {
    "a.safetensors: 4 bytes of data were given, but 8 described",
    "a.safetensors: more data than the 8 bytes described",
    "a.safetensors: tensor a is described twice",
    "a.safetensors: tensor a has an impossible shape",
  };
  for (int mistake = 0; mistake < 4; mistake++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (FenSafetensorsWriter) writer = fen_safetensors_writer_new (path, &error);
      g_assert_no_error (error);
      gint64 shape[2] = { 2, mistake == 3 ? G_MAXINT64 : 1 };
      fen_safetensors_writer_add (writer, "a", FEN_F32, 2, shape);
      if (mistake == 2)
        fen_safetensors_writer_add (writer, "a", FEN_F32, 2, shape);
      guint8 data[12] = { 0 };
      gboolean ok = fen_safetensors_writer_data (writer, data, mistake == 1 ? 12 : 4, &error)
                    && fen_safetensors_writer_commit (writer, NULL, &error);
      g_assert_false (ok);
      g_assert_error (error, FEN_MODEL_ERROR, FEN_MODEL_ERROR_TENSORS);
      g_assert_true (g_str_has_suffix (error->message, messages[mistake]));
    }
  g_autofree char *content = NULL;
  g_assert_true (g_file_get_contents (path, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, "old");
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_assert_cmpstr (g_dir_read_name (dir), ==, "a.safetensors");
  g_assert_null (g_dir_read_name (dir)); /* no temporary files */
  remove_folder (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (hostile); i++)
    {
      g_autofree char *path = g_strconcat ("/safetensors/hostile/", hostile[i].name, NULL);
      g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_hostile);
    }
  g_test_add_func ("/safetensors/hostile/lengths", test_lengths);
  g_test_add_func ("/safetensors/hostile/long-header", test_long_header);
  g_test_add_func ("/safetensors/hostile/deep", test_deep);
  g_test_add_func ("/safetensors/hostile/not-a-file", test_not_a_file);
  g_test_add_func ("/safetensors/accepted", test_accepted);
  g_test_add_func ("/safetensors/halves", test_halves);
  g_test_add_func ("/safetensors/rounding", test_rounding);
  g_test_add_func ("/safetensors/unaligned", test_unaligned_reads);
  g_test_add_func ("/safetensors/writer/round-trip", test_round_trip);
  g_test_add_func ("/safetensors/writer/mistakes", test_writer_mistakes);
  return g_test_run ();
}
