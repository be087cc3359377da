/* What is found out about settings on workers: plan, device, model, text, errors; cancelled, dropped, not overtaken.
 * No display. */
#include "gui/settings/fen-settings-facts.h"

#include <string.h>

#include "core/base/fen-io.h"

#define wait_for(condition) wait_until (condition, #condition, __LINE__)
#define wait_until(condition, words, line)                                                                   \
  G_STMT_START                                                                                               \
  {                                                                                                          \
    gint64 deadline = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;                                         \
    while (!(condition) && g_get_monotonic_time () < deadline)                                               \
      step ();                                                                                               \
    if (!(condition))                                                                                        \
      g_error ("line %d: never came true: %s", line, words);                                                 \
  }                                                                                                          \
  G_STMT_END

static void
step (void)
{
  if (!g_main_context_iteration (NULL, FALSE))
    g_usleep (1000);
}

static void
run_for (guint milliseconds)
{
  gint64 end = g_get_monotonic_time () + milliseconds * 1000;
  while (g_get_monotonic_time () < end)
    step ();
}

typedef struct {
  FenSettings *settings;
  FenSettingsFacts *facts;
  char *folder;
  guint changes;
  GThread *thread; /* whose the facts are: nobody else may tell of changes */
} Fixture;

static void
on_changed (FenSettingsFacts *facts, Fixture *fixture)
{
  g_assert_true (g_thread_self () == fixture->thread);
  fixture->changes++;
}

static void
set (Fixture *fixture, const char *name, const char *text)
{
  g_assert_true (fen_settings_set_text (fixture->settings, fen_config_find_option (name), text));
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->thread = g_thread_self ();
  fixture->folder = g_dir_make_tmp ("fenestra-facts-XXXXXX", NULL);
  fixture->settings = fen_settings_new ();
  set (fixture, "device", "cpu");
  set (fixture, "model", "1M");
  set (fixture, "tokenizer", "bytes");
  fixture->facts = fen_settings_facts_new (fixture->settings);
  g_signal_connect (fixture->facts, "changed", G_CALLBACK (on_changed), fixture);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_assert_finalize_object (fixture->facts);
  g_assert_finalize_object (fixture->settings);
  run_for (50);
  g_assert_true (fen_io_remove_tree (fixture->folder, NULL));
  g_free (fixture->folder);
}

#define settled(fixture) (!fen_settings_facts_is_busy ((fixture)->facts))

static char *
put (Fixture *fixture, const char *name, const char *text)
{
  char *path = g_build_filename (fixture->folder, name, NULL);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  return path;
}

static const char *
blamed (Fixture *fixture)
{
  const FenOption *option = NULL;
  fen_settings_facts_get_plan_error (fixture->facts, &option);
  return option != NULL ? option->name : NULL;
}

/* ---- plan ---- */

static void
test_plan (Fixture *fixture, gconstpointer data)
{
  guint64 available = 0, total = 0;
  gboolean is_cpu = FALSE;
  g_assert_true (fen_settings_facts_is_busy (fixture->facts));
  g_assert_null (fen_settings_facts_get_plan (fixture->facts));
  g_assert_null (fen_settings_facts_get_plan_error (fixture->facts, NULL));
  g_assert_false (fen_settings_facts_get_device (fixture->facts, &available, &total, &is_cpu));
  wait_for (settled (fixture));
  g_assert_cmpuint (fixture->changes, >=, 1);
  g_assert_nonnull (fen_settings_facts_get_plan (fixture->facts));
  g_assert_cmpstr (fen_settings_facts_get_plan_error (fixture->facts, NULL), ==, NULL);
  g_assert_true (fen_settings_facts_get_device (fixture->facts, &available, &total, &is_cpu));
  g_assert_true (is_cpu && available > 0 && total >= available);
  g_assert_nonnull (fen_settings_facts_get_device_name (fixture->facts));
  g_assert_cmpint (
      strncmp (fen_settings_facts_get_model_text (fixture->facts), "llama · ", strlen ("llama · ")), ==, 0);
  g_assert_null (fen_settings_facts_get_model_error (fixture->facts));
  const GPtrArray *notes = fen_settings_facts_get_notes (fixture->facts);
  g_assert_cmpuint (notes->len, ==, 1);
  g_assert_nonnull (strstr (g_ptr_array_index (notes, 0), "amp: fp32"));

  /* A longer context needs more; the number before it stands until then. */
  guint64 before = fen_plan_needed_bytes (fen_settings_facts_get_plan (fixture->facts));
  set (fixture, "max_seq_len", "8192");
  g_assert_true (fen_settings_facts_is_busy (fixture->facts));
  g_assert_cmpuint (fen_plan_needed_bytes (fen_settings_facts_get_plan (fixture->facts)), ==, before);
  wait_for (settled (fixture));
  g_assert_cmpint (fen_plan_settings (fen_settings_facts_get_plan (fixture->facts))->row_tokens, ==, 8192);
  g_assert_cmpuint (fen_plan_needed_bytes (fen_settings_facts_get_plan (fixture->facts)), >, before);

  /* What is typed and not valid changes nothing. */
  g_assert_false (
      fen_settings_set_text (fixture->settings, fen_config_find_option ("max_seq_len"), "81929x"));
  g_assert_true (settled (fixture));
}

static void
test_does_not_fit (Fixture *fixture, gconstpointer data)
{
  guint64 available = 0, total = 0;
  set (fixture, "model", "10M");
  set (fixture, "memory_limit", "64MiB");
  wait_for (settled (fixture));
  g_assert_nonnull (fen_settings_facts_get_plan (fixture->facts));
  const char *error = fen_settings_facts_get_plan_error (fixture->facts, NULL);
  g_assert_true (g_str_has_prefix (error, "It needs "));
  g_assert_nonnull (strstr (error, ", but Memory Limit leaves "));
  g_assert_cmpstr (blamed (fixture), ==, "memory_limit");
  g_assert_true (fen_settings_facts_get_device (fixture->facts, &available, &total, NULL));
  g_assert_cmpuint (available, <=, G_GUINT64_CONSTANT (64) << 20);
  g_assert_cmpuint (total, >, available);
  set (fixture, "memory_limit", "");
  wait_for (settled (fixture));
  g_assert_null (fen_settings_facts_get_plan_error (fixture->facts, NULL));

  /* Without a limit, what would help is to blame, and said in the titles of the rows. */
  set (fixture, "model", "llama-8b");
  set (fixture, "batch_size", "64");
  set (fixture, "max_seq_len", "1048576");
  wait_for (settled (fixture));
  error = fen_settings_facts_get_plan_error (fixture->facts, NULL);
  g_test_message ("%s", error);
  g_assert_true (g_str_has_prefix (error, "It needs "));
  const FenOption *option = fen_config_find_option (blamed (fixture));
  g_assert_nonnull (option);
  g_assert_nonnull (strstr (error, option->title));
}

static void
test_model_errors (Fixture *fixture, gconstpointer data)
{
  g_autofree char *none = g_build_filename (fixture->folder, "none", NULL);
  set (fixture, "model", none);
  wait_for (settled (fixture));
  g_assert_null (fen_settings_facts_get_plan (fixture->facts));
  g_assert_null (fen_settings_facts_get_model_text (fixture->facts));
  g_assert_nonnull (strstr (fen_settings_facts_get_model_error (fixture->facts), none));
  g_assert_nonnull (fen_settings_facts_get_plan_error (fixture->facts, NULL));
  g_assert_cmpstr (blamed (fixture), ==, "model");
  g_assert_true (fen_settings_facts_get_device (fixture->facts, NULL, NULL, NULL)); /* known all the same */

  set (fixture, "model", "1M");
  set (fixture, "tokenizer", none);
  wait_for (settled (fixture));
  g_assert_null (fen_settings_facts_get_model_error (fixture->facts));
  g_assert_nonnull (fen_settings_facts_get_plan_error (fixture->facts, NULL));
  g_assert_cmpstr (blamed (fixture), ==, "tokenizer");

  /* A context that the model cannot have is an error of the context's row, too. */
  set (fixture, "tokenizer", "bytes");
  set (fixture, "model", "gpt2");
  wait_for (settled (fixture));
  g_assert_cmpstr (blamed (fixture), ==, "max_seq_len");
  g_assert_nonnull (
      strstr (fen_settings_get_error (fixture->settings, fen_config_find_option ("max_seq_len")),
              "Context Length 2048 is more than the 1024 positions"));
  set (fixture, "max_seq_len", "512");
  wait_for (settled (fixture));
  g_assert_null (fen_settings_facts_get_plan_error (fixture->facts, NULL));
  g_assert_null (fen_settings_get_blocker (fixture->settings, NULL));

  set (fixture, "device", "cuda:9");
  wait_for (settled (fixture));
  g_assert_cmpstr (blamed (fixture), ==, "device");
  g_assert_null (fen_settings_facts_get_plan (fixture->facts));
}

/* ---- text ---- */

static void
test_text (Fixture *fixture, gconstpointer data)
{
  wait_for (!fen_settings_facts_is_scanning (fixture->facts)); /* the bundled sample */
  g_assert_null (fen_settings_facts_get_dataset_error (fixture->facts));
  g_assert_nonnull (strstr (fen_settings_facts_get_dataset_text (fixture->facts), " documents · "));

  g_autofree char *one = put (fixture, "one.txt", "twelve bytes");
  set (fixture, "dataset_file", one);
  g_assert_null (
      fen_settings_facts_get_dataset_text (fixture->facts)); /* the other text's is told no longer */
  wait_for (!fen_settings_facts_is_scanning (fixture->facts));
  g_assert_cmpstr (fen_settings_facts_get_dataset_text (fixture->facts), ==,
                   "12 bytes · 1 document · 13 tokens");

  /* Another window is no reason to read the text again. */
  set (fixture, "window_size", "1024");
  g_assert_false (fen_settings_facts_is_scanning (fixture->facts));
  wait_for (settled (fixture));

  /* An estimate says that it is one: 3 MB of lines with 8 letters. */
  g_autoptr (GString) lines = g_string_new (NULL);
  while (lines->len < 3000000)
    g_string_append (lines, "{\"text\": \"tokens!!\"}\n");
  g_autofree char *many = put (fixture, "many.jsonl", lines->str);
  set (fixture, "dataset_file", many);
  wait_for (!fen_settings_facts_is_scanning (fixture->facts));
  g_autofree char *size = g_format_size (lines->len);
  g_autofree char *expected = g_strdup_printf ("%s · %u documents · about 1300000 tokens", size,
                                               (guint)(lines->len / strlen ("{\"text\": \"tokens!!\"}\n")));
  g_assert_cmpstr (fen_settings_facts_get_dataset_text (fixture->facts), ==, expected);
}

static void
test_text_errors (Fixture *fixture, gconstpointer data)
{
  g_autofree char *none = g_build_filename (fixture->folder, "none.txt", NULL);
  g_autofree char *broken = put (fixture, "broken.jsonl", "{\"text\": \"a\"}\n{\"text\": 1}\n");
  set (fixture, "dataset_file", none);
  wait_for (settled (fixture) && !fen_settings_facts_is_scanning (fixture->facts));
  g_assert_nonnull (strstr (fen_settings_facts_get_dataset_error (fixture->facts), "none.txt"));
  g_assert_null (fen_settings_facts_get_dataset_text (fixture->facts));
  g_assert_null (
      fen_settings_facts_get_plan_error (fixture->facts, NULL)); /* the memory is planned without it */
  set (fixture, "dataset_file", broken);
  g_assert_null (fen_settings_facts_get_dataset_error (fixture->facts));
  wait_for (!fen_settings_facts_is_scanning (fixture->facts));
  g_assert_nonnull (strstr (fen_settings_facts_get_dataset_error (fixture->facts), "line 2"));

  /* It is mended on the disk, and the window looks again. */
  g_free (put (fixture, "broken.jsonl", "{\"text\": \"a\"}\n"));
  fen_settings_facts_refresh (fixture->facts);
  wait_for (!fen_settings_facts_is_scanning (fixture->facts));
  g_assert_null (fen_settings_facts_get_dataset_error (fixture->facts));
}

/* A worker that has something to tell while nobody runs the main loop waits, instead of running it itself: see
 * on_changed. */
static void
test_resting_loop (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < 200 && fen_settings_facts_is_scanning (fixture->facts); i++)
    {
      step ();
      g_usleep (20000);
    }
  g_assert_false (fen_settings_facts_is_scanning (fixture->facts));
  g_assert_nonnull (fen_settings_facts_get_dataset_text (fixture->facts));
}

/* ---- cancelled, dropped ---- */

/* While a person types, nothing is planned; then once, for what stands there at the end. */
static void
test_rapid_changes (Fixture *fixture, gconstpointer data)
{
  wait_for (settled (fixture) && !fen_settings_facts_is_scanning (fixture->facts));
  FenPlan *first = fen_settings_facts_get_plan (fixture->facts);
  fixture->changes = 0;
  for (guint i = 0; i < 40; i++)
    {
      g_autofree char *text = g_strdup_printf ("%u", 3000 + i);
      set (fixture, "max_seq_len", text);
      step (); /* less than the quiet that a look waits for, also on a busy machine */
      g_assert_true (fen_settings_facts_get_plan (fixture->facts) == first);
      g_assert_true (fen_settings_facts_is_busy (fixture->facts));
    }
  g_assert_cmpuint (fixture->changes, ==, 40); /* "busy", each time */
  wait_for (settled (fixture));
  g_assert_cmpint (fen_plan_settings (fen_settings_facts_get_plan (fixture->facts))->row_tokens, ==, 3039);
  g_assert_cmpuint (fixture->changes, ==, 41);
  run_for (300);
  g_assert_cmpuint (fixture->changes, ==, 41);
}

/* A look whose result is already waiting when something changes is dropped: it never shows. */
static void
test_overtaken (Fixture *fixture, gconstpointer data)
{
  wait_for (settled (fixture) && !fen_settings_facts_is_scanning (fixture->facts));
  FenPlan *first = fen_settings_facts_get_plan (fixture->facts);
  set (fixture, "max_seq_len", "500");
  g_usleep (160000);
  g_main_context_iteration (NULL, FALSE); /* the quiet is over: the look begins ... */
  g_usleep (300000);                      /* ... and ends, unseen */
  set (fixture, "max_seq_len", "501");
  for (guint i = 0; i < 20; i++)
    g_main_context_iteration (NULL, FALSE);
  g_assert_true (fen_settings_facts_get_plan (fixture->facts) == first);
  wait_for (settled (fixture));
  g_assert_cmpint (fen_plan_settings (fen_settings_facts_get_plan (fixture->facts))->row_tokens, ==, 501);
}

/* At every moment of a look the facts can go; what the worker finds then goes with them. */
static void
test_dropped_while_busy (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GString) lines = g_string_new (NULL);
  while (lines->len < 8000000)
    g_string_append (lines, "{\"text\": \"tokens!!\"}\n");
  g_autofree char *many = put (fixture, "many.jsonl", lines->str);
  set (fixture, "dataset_file", many);
  for (guint i = 0; i < 12; i++)
    {
      FenSettingsFacts *facts = fen_settings_facts_new (fixture->settings);
      run_for (3 * i);
      g_assert_finalize_object (facts);
    }
  run_for (300);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
#define ADD(name) g_test_add ("/settings-facts/" #name, Fixture, NULL, set_up, test_##name, tear_down)
  ADD (plan);
  ADD (does_not_fit);
  ADD (model_errors);
  ADD (text);
  ADD (text_errors);
  ADD (resting_loop);
  ADD (rapid_changes);
  ADD (overtaken);
  ADD (dropped_while_busy);
#undef ADD
  return g_test_run ();
}
