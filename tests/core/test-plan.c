/* test-plan.c: the plan's arithmetic, its packing and its words. */
#include "tests/support/engine-fixture.h"
#include "core/base/fen-json.h"
#include "core/engine/fen-engine-private.h"
#include <time.h>

static void
properties_of (FenDeviceProperties *properties)
{
  const FenDeviceOptions options = { .threads = 2 };
  FenStatus status = { 0 };

  g_assert_true (fen_backend_cpu ()->device_properties (0, &options, properties, &status));
  properties->free_bytes = properties->total_bytes = (guint64)1 << 40;
}

static FenPlan *
plan_new (const FenConfig *config, FenPlanPurpose purpose, GError **error)
{
  FenDeviceProperties properties;
  g_autoptr (FenModel) model = fen_model_open (config->model, config->vocab_size, error);

  properties_of (&properties);
  if (model == NULL)
    return NULL;
  return fen_plan_new (config, model, fen_backend_cpu (), &properties, purpose, error);
}

static FenPlan *
plan_ok (const FenConfig *config)
{
  g_autoptr (GError) error = NULL;
  FenPlan *plan = plan_new (config, FEN_PLAN_TRAIN, &error);
  g_assert_no_error (error);
  return plan;
}

static FenConfig *
gpt2_config (gint64 rows, gint64 tokens)
{
  return engine_fixture_config ("gpt2", rows, tokens);
}

/* Buffers that live at the same time never share a byte, all lie in the arena, and the packing is within 2% of the
 * busiest phase, below which nothing can be. */
static void
check_packing (const FenPlan *plan)
{
  gsize n;
  const FenPlanBuffer *b = fen_plan_buffers (plan, &n);
  guint64 categories[FEN_N_MEMORY_CATEGORIES], unused, sum = 0;

  for (gsize i = 0; i < n; i++)
    {
      g_assert_cmpuint (b[i].offset % 256, ==, 0);
      g_assert_cmpuint (b[i].offset + b[i].bytes, <=, fen_plan_device_bytes (plan));
      g_assert_cmpuint (b[i].first, <=, b[i].last);
      g_assert_cmpuint (b[i].last, <, fen_plan_n_phases (plan));
      for (gsize k = 0; k < i; k++)
        if (b[k].first <= b[i].last && b[i].first <= b[k].last)
          g_assert_true (b[k].offset + b[k].bytes <= b[i].offset || b[i].offset + b[i].bytes <= b[k].offset);
    }
  fen_plan_categories (plan, categories, &unused);
  for (guint i = 0; i < FEN_N_MEMORY_CATEGORIES; i++)
    sum += categories[i];
  g_assert_cmpuint (sum + unused, ==, fen_plan_device_bytes (plan));
  g_assert_cmpuint (unused, <=, fen_plan_device_bytes (plan) / 50);
}

static void
test_packing (void)
{
  guint64 before = G_MAXUINT64;

  for (int schedule = 0; schedule < 4; schedule++)
    {
      g_autoptr (FenConfig) config = gpt2_config (2, 1024);
      g_autoptr (FenPlan) plan = NULL;
      g_autofree char *text = NULL;

      config->gradient_checkpointing = schedule > 0;
      config->checkpoint_attention = schedule == 1;
      config->use_chunked_training = schedule == 3;
      config->chunk_size = 256;
      plan = plan_ok (config);
      check_packing (plan);
      text = fen_plan_to_text (plan);
      g_test_message ("%s", text);
      /* Each is there to need less than the one before. */
      g_assert_cmpuint (fen_plan_device_bytes (plan), <, before);
      before = fen_plan_device_bytes (plan);
    }
}

/* What a longer row costs when chunked, fp32: a layer's input each (4 d L bytes a token), the stream's gradient and
 * the last output (8 d), K, V, dK, dV of one layer (16 kv), token arrays (20). No term grows with T^2. */
static void
test_chunked_growth (void)
{
  g_autoptr (FenConfig) config = engine_fixture_config ("llama-1b", 1, 8192);
  g_autoptr (FenPlan) small = NULL, large = NULL;
  const FenModelConfig *m;
  g_autoptr (FenModel) model = fen_model_open ("llama-1b", 0, NULL);
  gint64 per_token;

  g_assert_nonnull (model);
  m = fen_model_config (model);
  config->use_chunked_training = TRUE;
  config->chunk_size = 1024;
  small = plan_ok (config);
  config->max_seq_len = 65536;
  large = plan_ok (config);
  per_token = 4 * m->hidden * m->layers + 8 * m->hidden + 16 * m->kv_heads * m->head_dim + 20;
  g_assert_cmpuint (fen_plan_device_bytes (large) - fen_plan_device_bytes (small), <=,
                    (guint64)(65536 - 8192) * (guint64)per_token + (1 << 20));
}

/* gpt2: 12 layers of 12 d^2 weights (d = 768) and a head of 50257 d multiply; 1024 tokens see 512.5 keys each. */
static void
test_flops (void)
{
  g_autoptr (FenConfig) config = gpt2_config (1, 1024);
  g_autoptr (FenPlan) plan = plan_ok (config), windowed = NULL, narrow = NULL;
  double matmul = 12 * 12 * 768.0 * 768 + 50257 * 768.0;
  double pairs = 128 * 129 / 2 + (1024 - 128) * 128;

  g_assert_cmpfloat_with_epsilon (fen_plan_flops_per_token (plan), 6 * matmul + 12 * 768.0 * 12 * 512.5, 1);
  g_assert_cmpint (fen_plan_receptive_field (plan), ==, 1024);
  config->window_size = 128;
  config->window_pattern = FEN_WINDOW_ALL;
  windowed = plan_ok (config);
  g_assert_cmpfloat_with_epsilon (fen_plan_flops_per_token (windowed),
                                  6 * matmul + 12 * 768.0 * 12 * pairs / 1024, 1);
  g_assert_cmpint (fen_plan_receptive_field (windowed), ==, 1024);
  config->window_size = 5;
  config->sink_tokens = 2;
  narrow = plan_ok (config);
  g_assert_cmpint (fen_plan_receptive_field (narrow), ==, 1 + 12 * 4);
  /* Sinks: query 5 sees one token more, later ones two; counted one by one. */
  pairs = 0;
  for (int q = 0; q < 1024; q++)
    for (int k = 0; k <= q; k++)
      pairs += k > q - 5 || k < 2;
  g_assert_cmpfloat_with_epsilon (fen_plan_flops_per_token (narrow),
                                  6 * matmul + 12 * 768.0 * 12 * pairs / 1024, 1);
}

static void
test_settings (void)
{
  g_autoptr (FenConfig) config = gpt2_config (3, 100);
  g_autoptr (FenPlan) plain = plan_ok (config), amp = NULL, half = NULL, chunked = NULL;

  g_assert_cmpint (fen_plan_settings (plain)->schedule, ==, FEN_SCHEDULE_RESIDENT);
  g_assert_cmpint (fen_plan_settings (plain)->storage, ==, FEN_F32);
  g_assert_cmpint (fen_plan_settings (plain)->chunk, ==, 100);
  g_assert_cmpint (fen_plan_settings (plain)->head_rows, <=, 300);
  config->amp = TRUE;
  amp = plan_ok (config);
  g_assert_cmpint (fen_plan_settings (amp)->storage, ==, FEN_F32);
  g_assert_nonnull (strstr (fen_plan_notes (amp)[0], "amp: fp32"));
  config->amp_dtype = FEN_AMP_BF16;
  half = plan_ok (config);
  g_assert_cmpint (fen_plan_settings (half)->storage, ==, FEN_BF16);
  g_assert_true (fen_plan_settings (half)->master_weights);
  config->use_chunked_training = TRUE;
  config->chunk_size = 30;
  chunked = plan_ok (config);
  g_assert_cmpint (fen_plan_settings (chunked)->schedule, ==, FEN_SCHEDULE_CHUNKED);
  g_assert_cmpint (fen_plan_settings (chunked)->n_chunks, ==, 4);
}

static void
expect_error (const FenConfig *config, const char *words, const char *option)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (plan_new (config, FEN_PLAN_TRAIN, &error));
  g_assert_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, words));
  g_assert_cmpstr (fen_engine_error_get_option (error), ==, option);
  g_assert_null (strchr (error->message, '\n'));
}

static void
test_errors (void)
{
  g_autoptr (FenConfig) positions = gpt2_config (1, 1025), truncated = gpt2_config (1, 64);
  g_autoptr (FenConfig) chunk = gpt2_config (1, 64), huge = engine_fixture_config ("llama-1b", 1, 64);

  expect_error (positions, "max_seq_len: 1025", "max_seq_len");
  truncated->use_chunked_training = TRUE;
  truncated->chunk_carry = FEN_CARRY_TRUNCATED;
  expect_error (truncated, "chunk_carry", "chunk_carry");
  chunk->use_chunked_training = TRUE;
  chunk->chunk_size = 0;
  expect_error (chunk, "chunk_size: 0", "chunk_size");
  huge->max_seq_len = G_MAXINT32 - 1;
  huge->batch_size = G_MAXINT32 - 1;
  expect_error (huge, "64-bit", "max_seq_len");
}

/* The refusal names numbers, the largest parts and a change, and the change does what it promises. */
static void
test_fits (void)
{
  g_autoptr (FenConfig) config = gpt2_config (8, 1024);
  g_autoptr (FenPlan) plan = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) suggestions = NULL;
  gboolean checkpointing = FALSE;

  plan = plan_ok (config);
  g_assert_true (fen_plan_fits (plan, NULL));
  config->memory_limit = (guint64)5 << 30;
  g_clear_pointer (&plan, fen_plan_unref);
  plan = plan_ok (config);
  g_assert_false (fen_plan_fits (plan, &error));
  g_assert_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_DOES_NOT_FIT);
  g_assert_cmpstr (fen_engine_error_get_option (error), ==, "memory_limit");
  g_assert_nonnull (strstr (error->message, "5 GiB"));
  g_assert_nonnull (strstr (error->message, "activations"));
  g_assert_nonnull (strstr (error->message, "would save"));
  suggestions = fen_plan_suggestions (plan);
  for (guint i = 0; i < suggestions->len; i++)
    {
      const FenPlanSuggestion *s = &g_array_index (suggestions, FenPlanSuggestion, i);
      g_assert_cmpint (s->bytes_saved, >, 0);
      if (i > 0)
        g_assert_cmpint (s->bytes_saved, <=, (s - 1)->bytes_saved);
      /* Each as it says: this option set to this text, and nothing else. */
      g_autoptr (FenConfig) changed = fen_config_copy (config);
      g_autoptr (FenPlan) other = NULL;
      checkpointing |= strcmp (s->option, "gradient_checkpointing") == 0 && s->fits && !s->changes_math;
      g_assert_true (fen_config_set (changed, fen_config_find_option (s->option), s->value, NULL));
      other = plan_ok (changed);
      g_assert_cmpuint (fen_plan_device_bytes (plan) - fen_plan_device_bytes (other), ==,
                        (guint64)s->bytes_saved);
      g_assert_cmpint (fen_plan_fits (other, NULL), ==, s->fits);
    }
  g_assert_true (checkpointing);
}

static void
test_json (void)
{
  g_autoptr (FenConfig) config = gpt2_config (1, 512);
  g_autoptr (FenPlan) plan = plan_ok (config);
  g_autofree char *text = fen_plan_to_json (plan);
  g_autoptr (GError) error = NULL;
  JsonNode *root = fen_json_parse (text, strlen (text), "plan", 1 << 24, &error);
  JsonObject *object, *categories = NULL;
  gint64 bytes = 0, sum = 0;
  JsonArray *buffers = NULL;

  g_assert_no_error (error);
  object = fen_json_root_object (root, "plan", &error);
  fen_json_get_int (object, "plan", "device_bytes", TRUE, 0, G_MAXINT64, &bytes, &error);
  fen_json_get_object (object, "plan", "categories", TRUE, &categories, &error);
  fen_json_get_array (object, "plan", "buffers", TRUE, &buffers, &error);
  g_assert_no_error (error);
  g_assert_cmpint (bytes, ==, (gint64)fen_plan_device_bytes (plan));
  for (guint i = 0; i <= FEN_N_MEMORY_CATEGORIES; i++)
    {
      gint64 part = 0;
      fen_json_get_int (categories, "plan",
                        i < FEN_N_MEMORY_CATEGORIES ? fen_memory_category_name (i) : "unused", TRUE, 0,
                        G_MAXINT64, &part, &error);
      g_assert_no_error (error);
      sum += part;
    }
  g_assert_cmpint (sum, ==, bytes);
  g_assert_cmpuint (json_array_get_length (buffers), >, 100);
  json_node_unref (root);
}

/* "Making one costs well under 5 ms": processor time of this thread, so that a busy machine does not matter; the
 * bound is loose for builds without optimisation. */
static void
test_cost (void)
{
  g_autoptr (FenConfig) config = engine_fixture_config ("llama-1b", 1, 1 << 20);
  g_autoptr (FenModel) model = fen_model_open ("llama-1b", 0, NULL);
  FenDeviceProperties properties;
  double best = 1e9;

  properties_of (&properties);
  config->use_chunked_training = TRUE;
  config->chunk_size = 4096;
  for (int i = 0; i < 5; i++)
    {
      clock_t start = clock ();
      g_autoptr (FenPlan) plan
          = fen_plan_new (config, model, fen_backend_cpu (), &properties, FEN_PLAN_TRAIN, NULL);
      double ms = (double)(clock () - start) * 1e3 / CLOCKS_PER_SEC;
      g_assert_nonnull (plan);
      best = MIN (best, ms);
    }
  g_test_message ("a plan of 1,048,576 tokens costs %.2f ms", best);
  g_assert_cmpfloat (best, <, 50);
}

static void
test_generate (void)
{
  g_autoptr (FenConfig) config = gpt2_config (1, 1024);
  g_autoptr (GError) error = NULL;
  g_autoptr (FenPlan) full = plan_new (config, FEN_PLAN_GENERATE, &error), ring = NULL;
  guint64 a[FEN_N_MEMORY_CATEGORIES], b[FEN_N_MEMORY_CATEGORIES], unused;

  g_assert_no_error (error);
  check_packing (full);
  g_assert_cmpint (fen_plan_settings (full)->schedule, ==, FEN_SCHEDULE_INFERENCE);
  config->window_size = 64;
  config->window_pattern = FEN_WINDOW_ALL;
  ring = plan_new (config, FEN_PLAN_GENERATE, &error);
  g_assert_no_error (error);
  check_packing (ring);
  fen_plan_categories (full, a, &unused);
  fen_plan_categories (ring, b, &unused);
  /* Caches of 64 instead of 1,024 rows in each of 12 layers, K and V of 768 floats. */
  g_assert_cmpuint (a[FEN_MEMORY_ATTENTION] - b[FEN_MEMORY_ATTENTION], >, (guint64)12 * 900 * 2 * 768 * 4);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plan/packing", test_packing);
  g_test_add_func ("/plan/chunked-growth", test_chunked_growth);
  g_test_add_func ("/plan/flops", test_flops);
  g_test_add_func ("/plan/settings", test_settings);
  g_test_add_func ("/plan/errors", test_errors);
  g_test_add_func ("/plan/fits", test_fits);
  g_test_add_func ("/plan/json", test_json);
  g_test_add_func ("/plan/cost", test_cost);
  g_test_add_func ("/plan/generate", test_generate);
  return g_test_run ();
}
