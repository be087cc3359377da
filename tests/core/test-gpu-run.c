/* A run on a card, where there is none: the CUDA back end is fake-cuda.h's, the driver fake-nvml.h's. What the trainer
 * writes about the card, and `fenestra-cli info`. */
#include "core/train/fen-trainer.h"

#include "core/base/fen-io.h"
#include "core/engine/fen-plan.h"
#include "core/train/fen-metrics.h"
#include "core/train/fen-run-folder.h"
#include "tests/support/fake-cuda.h"
#include "tests/support/fake-nvml.h"
#include "tests/support/patience.h"
#include "tests/support/train-fixture.h"

#include <dlfcn.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#define GIB(n) ((guint64)(n) << 30)

typedef struct {
  char *folder;
  FakeCuda *cuda, cuda_before;
  FakeNvml *nvml, nvml_before;
} Place;

static void *
symbol_of (const char *file, const char *symbol)
{
  g_autofree char *path = g_build_filename (FAKE_GPU_FOLDER, file, NULL);
  void *module = dlopen (path, RTLD_NOW | RTLD_LOCAL);
  void *found = module != NULL ? dlsym (module, symbol) : NULL;
  if (found == NULL)
    g_error ("%s", dlerror ());
  return found;
}

static void
set_up (Place *place, gconstpointer data)
{
  place->folder = train_fixture_folder ();
  train_fixture_write_text (place->folder, 200);
  place->cuda = symbol_of ("libfenestra-cuda.so", "fake_cuda");
  place->nvml = symbol_of ("libfake-nvml-full.so", "fake_nvml");
  place->cuda_before = *place->cuda;
  place->nvml_before = *place->nvml;
}

static void
tear_down (Place *place, gconstpointer data)
{
  /* The monitor's thread may still be on its way out. */
  const gint64 end = g_get_monotonic_time () + 10 * test_patience () * G_USEC_PER_SEC;
  int begun = 1;
  while (begun != 0 && g_get_monotonic_time () < end)
    {
      g_usleep (1000);
      pthread_mutex_lock (&place->nvml->mutex);
      begun = place->nvml->begun;
      pthread_mutex_unlock (&place->nvml->mutex);
    }
  g_assert_cmpint (begun, ==, 0);
  *place->nvml = place->nvml_before;
  *place->cuda = place->cuda_before;
  g_assert_true (fen_io_remove_tree (place->folder, NULL));
  g_free (place->folder);
}

/* A run to its end; one line of each kind, and the log. */
typedef struct {
  FenSample train, memory;
  guint n_lost;
  gboolean measured; /* the peak, as run.json has it */
  double flops_per_token;
  char *log;
} Outcome;

static FenConfig *
make_config (Place *place, gint64 steps)
{
  FenConfig *config = train_fixture_config (place->folder, steps);
  g_free (config->device);
  config->device = g_strdup ("cuda");
  return config;
}

/* The thread that asks the driver is faster than the first steps, but nothing makes it be: the run is paused until it
 * has answered. */
static void
wait_for_driver (Place *place)
{
  const gint64 end = g_get_monotonic_time () + 10 * test_patience () * G_USEC_PER_SEC;
  int n = 0;
  while (n < 2 && g_get_monotonic_time () < end)
    {
      g_usleep (1000);
      pthread_mutex_lock (&place->nvml->mutex);
      n = place->nvml->n_reads;
      pthread_mutex_unlock (&place->nvml->mutex);
    }
}

static void
read_run (const char *path, Outcome *outcome)
{
  g_autofree char *metrics = g_build_filename (path, "metrics.jsonl", NULL);
  g_autofree char *log = g_build_filename (path, "log.txt", NULL);
  g_autoptr (FenMetricsReader) reader = fen_metrics_reader_new (metrics);
  FenSample sample;
  g_autoptr (GError) error = NULL;
  while (fen_metrics_reader_next (reader, &sample, &error) == FEN_METRICS_SAMPLE)
    {
      if (sample.kind == FEN_SAMPLE_TRAIN)
        outcome->train = sample;
      else if (sample.kind == FEN_SAMPLE_MEMORY)
        outcome->memory = sample;
      else if (sample.kind == FEN_SAMPLE_EVENT)
        outcome->n_lost += strcmp (sample.event, "gpu-lost") == 0;
    }
  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (log, &outcome->log, NULL, NULL));
}

static Outcome
run (Place *place, gint64 steps)
{
  Outcome outcome = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (FenConfig) config = make_config (place, steps);
  g_autoptr (FenTrainer) trainer = fen_trainer_new (config, &error);
  g_assert_no_error (error);
  fen_trainer_command (trainer, FEN_COMMAND_PAUSE); /* after the first step */
  fen_trainer_start (trainer);
  wait_for_driver (place);
  g_usleep (1100000); /* memory lines are a second apart */
  fen_trainer_command (trainer, FEN_COMMAND_CONTINUE);
  g_assert_true (fen_trainer_join (trainer, &error));
  g_assert_no_error (error);
  g_autofree char *path = fen_trainer_run_path (trainer);
  g_autoptr (FenPlan) plan = fen_trainer_plan (trainer);
  g_autoptr (FenRunInfo) info = fen_run_info (path);
  outcome.measured = strstr (info->peak, "TFLOP/s (dense bf16, measured)") != NULL;
  outcome.flops_per_token = fen_plan_flops_per_token (plan);
  read_run (path, &outcome);
  return outcome;
}

static void
test_run (Place *place, gconstpointer data)
{
  Outcome outcome = run (place, 3);
  const FenSample *memory = &outcome.memory, *train = &outcome.train;
  g_assert_true (memory->has_device && memory->has_device_process && memory->has_host);
  g_assert_cmpuint (memory->device_used_bytes, ==, GIB (9));
  g_assert_cmpuint (memory->device_total_bytes, ==, GIB (24) - (512u << 20));
  g_assert_cmpuint (memory->device_process_bytes, ==, GIB (5));
  g_assert_cmpfloat (memory->gpu_utilization, ==, 0.87);
  g_assert_cmpfloat (memory->temperature, ==, 61);
  g_assert_cmpfloat (memory->power, ==, 254.5);
  const double expected = outcome.flops_per_token * train->tokens_per_second / 71.2e12;
  g_assert_cmpfloat_with_epsilon (train->mfu / expected, 1, 1e-6);
  g_assert_nonnull (strstr (outcome.log, "MFU is the share of 71.2 TFLOP/s (dense bf16, published)"));
  g_assert_nonnull (strstr (outcome.log, "cuda flash sm_80"));
  g_assert_cmpint (place->cuda->n_measured, ==, 0);
  g_free (outcome.log);
}

/* A card that the table does not have is measured, and the log says so. */
static void
test_measured (Place *place, gconstpointer data)
{
  g_strlcpy (place->cuda->name, "NVIDIA GeForce RTX 3090 Laptop GPU", sizeof place->cuda->name);
  Outcome outcome = run (place, 2);
  g_assert_cmpint (place->cuda->n_measured, >, 0);
  g_assert_true (outcome.measured);
  g_assert_nonnull (strstr (outcome.log, "TFLOP/s (dense bf16, measured)"));
  g_assert_cmpfloat (outcome.train.mfu, >, 0);
  g_free (outcome.log);
}

/* A driver that tells nothing: the device's own figure stays, the rest is left out, also of the file. */
static void
test_silent_driver (Place *place, gconstpointer data)
{
  place->nvml->memory = place->nvml->processes = place->nvml->temperature = place->nvml->power = 3;
  place->nvml->utilization = 3;
  Outcome outcome = run (place, 2);
  g_assert_true (outcome.memory.has_device);
  g_assert_false (outcome.memory.has_device_process);
  g_assert_cmpuint (outcome.memory.device_used_bytes, ==, GIB (1));
  g_assert_true (isnan (outcome.memory.gpu_utilization) && isnan (outcome.memory.temperature)
                 && isnan (outcome.memory.power));
  g_free (outcome.log);
}

/* Where only this process' share is not told, it is the plan's arena and what was measured beside it. */
static void
test_own_share (Place *place, gconstpointer data)
{
  place->nvml->processes = 3;
  place->cuda->overhead_bytes = GIB (1);
  Outcome outcome = run (place, 2);
  guint64 arena = 0;
  g_assert_true (outcome.memory.has_device_process);
  g_assert_cmpuint (outcome.memory.device_process_bytes, >, GIB (1));
  g_assert_cmpuint (outcome.memory.device_process_bytes, <, GIB (1) + (256u << 20));
  for (guint i = 0; i < FEN_N_MEMORY_CATEGORIES; i++)
    arena += outcome.memory.category_bytes[i];
  g_assert_cmpuint (arena, >, 0);
  g_free (outcome.log);
}

/* A slice of a card: the driver's figures are the whole card's, the device's are the slice's. */
static void
test_slice (Place *place, gconstpointer data)
{
  place->cuda->total_bytes = GIB (4);
  Outcome outcome = run (place, 2);
  g_assert_cmpuint (outcome.memory.device_total_bytes, ==, GIB (4));
  g_assert_cmpuint (outcome.memory.device_used_bytes, ==, GIB (1));
  g_assert_false (outcome.memory.has_device_process);
  g_assert_cmpfloat (outcome.memory.temperature, ==, 61);
  g_free (outcome.log);
}

/* The card goes while the run does: told once. */
static void
test_lost (Place *place, gconstpointer data)
{
  place->nvml->memory = place->nvml->processes = place->nvml->temperature = place->nvml->power = 15;
  place->nvml->utilization = 15;
  Outcome outcome = run (place, 3);
  g_assert_cmpuint (outcome.n_lost, ==, 1);
  g_free (outcome.log);
}

/* An illegal access in a kernel: the process cannot use the card any more. The run ends saying so, its last checkpoint
 * is whole, and a process for which the card works goes on from it. */
static void
test_lost_for_good (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenConfig) config = make_config (place, 1000000);
  FenTrainerStatus status = { 0 };
  config->checkpoint_interval = 2;
  g_autoptr (FenTrainer) trainer = fen_trainer_new (config, &error);
  g_assert_no_error (error);
  fen_trainer_start (trainer);
  while (status.checkpoint_step < 2 && !fen_trainer_is_final (trainer))
    {
      g_usleep (1000);
      fen_trainer_status (trainer, &status);
    }
  g_atomic_int_set (&place->cuda->lost, 1);
  g_assert_false (fen_trainer_join (trainer, &error));
  g_assert_error (error, FEN_ENGINE_ERROR, FEN_ENGINE_ERROR_LOST);
  g_assert_nonnull (strstr (error->message, "restart the application to use it again"));
  g_assert_nonnull (strstr (error->message, "is intact"));
  g_clear_error (&error);

  g_autofree char *path = fen_trainer_run_path (trainer);
  g_autoptr (FenRunInfo) before = fen_run_info (path);
  g_assert_cmpint (before->status, ==, FEN_RUN_FAILED);
  g_assert_cmpint (before->checkpoint_step, >=, 2);
  g_atomic_int_set (&place->cuda->lost, 0);
  const gint64 steps = before->checkpoint_step + 3;
  g_autoptr (FenTrainer) again = fen_trainer_new_resume (path, steps, &error);
  g_assert_no_error (error);
  fen_trainer_start (again);
  g_assert_true (fen_trainer_join (again, &error));
  g_assert_no_error (error);
  g_autoptr (FenRunInfo) after = fen_run_info (path);
  g_assert_cmpint (after->status, ==, FEN_RUN_FINISHED);
  g_assert_cmpint (after->step, ==, steps);
}

/* ---- info ---- */

static char *
info (const char *argument)
{
  g_autoptr (GError) error = NULL;
  char *out = NULL;
  g_autoptr (GSubprocess) process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error,
                                                      g_getenv ("FENESTRA_CLI"), "info", argument, NULL);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_communicate_utf8 (process, NULL, NULL, &out, NULL, &error));
  g_assert_true (g_subprocess_get_successful (process));
  return out;
}

static void
test_info (void)
{
  g_autofree char *text = info (NULL);
  g_assert_nonnull (strstr (text, "cuda:0  NVIDIA GeForce RTX 3090\n"
                                  "         memory 23.5 GiB, 11.8 GiB free\n"
                                  "         compute capability 8.6, 82 SMs, driver 580.95.05\n"
                                  "         peak 71.2 TFLOP/s (dense bf16, published)\n"
                                  "         now 61 degrees C, 254.5 W, 87% busy, 4 GiB used by others\n"));
  g_autofree char *measured = info ("--measure");
  g_assert_nonnull (strstr (measured, "(dense bf16, measured)"));

  g_autofree char *json = info ("--json");
  g_autoptr (JsonNode) root = json_from_string (json, NULL);
  JsonObject *cuda = json_array_get_object_element (
      json_object_get_array_member (json_node_get_object (root), "backends"), 0);
  JsonObject *card = json_array_get_object_element (json_object_get_array_member (cuda, "devices"), 0);
  g_assert_cmpstr (json_object_get_string_member (card, "pci_bus_id"), ==, FAKE_NVML_BUS_ID);
  g_assert_cmpstr (json_object_get_string_member (card, "driver"), ==, FAKE_NVML_DRIVER);
  g_assert_cmpfloat (json_object_get_double_member (card, "peak_flops"), ==, 71.2e12);
  g_assert_cmpstr (json_object_get_string_member (card, "peak_source"), ==, "published");
  g_assert_cmpint (json_object_get_int_member (card, "others_bytes"), ==, GIB (4));
  g_assert_cmpfloat (json_object_get_double_member (card, "power"), ==, 254.5);
  g_assert_true (json_object_get_null_member (card, "not_monitored"));
}

/* The terminal's line has MFU on a card, and the log of an fp32 run says that it cannot be much. */
static void
test_progress (Place *place, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = g_build_filename (place->folder, "text.txt", NULL);
  g_autofree char *runs = g_build_filename (place->folder, "runs", NULL);
  g_autofree char *out = NULL;
  g_autoptr (GSubprocess) process = g_subprocess_new (
      G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, g_getenv ("FENESTRA_CLI"), "train", "--device", "cuda",
      "--model", "nano", "--tokenizer", "bytes", "--dataset-file", text, "--output-dir", runs,
      "--max-seq-len", "64", "--threads", "1", "--no-amp", "--steps", "12", NULL);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_communicate_utf8 (process, NULL, NULL, &out, NULL, &error));
  g_assert_true (g_subprocess_get_successful (process));
  g_assert_nonnull (strstr (out, "step 12/12  loss "));
  g_assert_nonnull (strstr (out, "  MFU 0."));
  g_autoptr (GDir) folder = g_dir_open (runs, 0, NULL);
  g_autofree char *log = g_build_filename (runs, g_dir_read_name (folder), "log.txt", NULL);
  g_autofree char *log_text = NULL;
  g_assert_true (g_file_get_contents (log, &log_text, NULL, NULL));
  g_assert_nonnull (strstr (log_text, "MFU: fp32, as here, reaches a small part"));
}

/* Without the driver's library the card is there all the same, and why it is not monitored. */
static void
test_info_unmonitored (void)
{
  g_autofree char *before = g_strdup (g_getenv ("FENESTRA_NVML"));
  g_setenv ("FENESTRA_NVML", "/no/such/library.so", TRUE);
  g_autofree char *text = info (NULL);
  g_autofree char *json = info ("--json");
  g_setenv ("FENESTRA_NVML", before, TRUE);
  g_assert_nonnull (strstr (text, "driver unknown"));
  g_assert_nonnull (strstr (text, "not monitored: the driver's monitoring library cannot be loaded"));
  g_assert_nonnull (strstr (text, "peak 71.2 TFLOP/s"));
  g_autoptr (JsonNode) root = json_from_string (json, NULL);
  g_assert_nonnull (root);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_setenv ("FENESTRA_MODULE_DIR", FAKE_GPU_FOLDER, TRUE);
  g_setenv ("FENESTRA_NVML", FAKE_GPU_FOLDER "/libfake-nvml-full.so", TRUE);
#define ADD(path, function) g_test_add (path, Place, NULL, set_up, function, tear_down)
  ADD ("/gpu-run/run", test_run);
  ADD ("/gpu-run/measured", test_measured);
  ADD ("/gpu-run/silent-driver", test_silent_driver);
  ADD ("/gpu-run/own-share", test_own_share);
  ADD ("/gpu-run/slice", test_slice);
  ADD ("/gpu-run/lost", test_lost);
  ADD ("/gpu-run/lost-for-good", test_lost_for_good);
  ADD ("/gpu-run/progress", test_progress);
  g_test_add_func ("/gpu-run/info", test_info);
  g_test_add_func ("/gpu-run/info-unmonitored", test_info_unmonitored);
  return g_test_run ();
}
