/* test-run-gpu.c: the page of a run on a card, with a made-up card and driver (fake-cuda.h, fake-nvml.h): whose memory it
 * is, temperature, power, utilisation, the badge; a driver that tells less, a card that is lost. */
#include "gui/run/fen-run-page.h"

#include "core/base/fen-io.h"
#include "gui/chart/fen-chart.h"
#include "gui/run/fen-run-data.h"
#include "gui/settings/fen-settings-dialog.h"
#include "tests/gui/fen-gui-test.h"
#include "tests/support/fake-cuda.h"
#include "tests/support/fake-nvml.h"
#include "tests/support/train-fixture.h"

#include <dlfcn.h>
#include <math.h>
#include <string.h>

#define PATIENCE_MS 60000

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

static gboolean
driver_is_idle (Place *place)
{
  pthread_mutex_lock (&place->nvml->mutex);
  const gboolean idle = place->nvml->begun == 0;
  pthread_mutex_unlock (&place->nvml->mutex);
  return idle;
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
  fen_run_sessions_wait ();
  fen_gui_wait (driver_is_idle (place), PATIENCE_MS);
  *place->nvml = place->nvml_before;
  *place->cuda = place->cuda_before;
  g_assert_true (fen_io_remove_tree (place->folder, NULL));
  g_free (place->folder);
}

static FenRunSession *
start (Place *place, gint64 steps)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FenConfig) config = train_fixture_config (place->folder, steps);
  g_free (config->model);
  config->model = g_strdup ("nano");
  g_free (config->device);
  config->device = g_strdup ("cuda");
  config->checkpoint_interval = 2;
  FenRunSession *session = fen_run_session_new (config, &error);
  g_assert_no_error (error);
  return session;
}

static gboolean
has_ended (FenRunSession *session)
{
  gboolean final;
  g_object_get (session, "final", &final, NULL);
  return final && !fen_run_session_is_active (session) && !fen_run_session_is_loading (session);
}

/* The words change a few times a second. */
static void
assert_shows (GtkWidget *root, const char *text)
{
  for (int i = 0; i < 50 && !fen_gui_shows_text (root, text); i++)
    fen_gui_run_for (100);
  g_autofree char *all = fen_gui_all_text (root);
  if (strstr (all, text) == NULL)
    g_error ("\"%s\" is not shown, but this is:\n%s", text, all);
}

static FenChart *
find_chart (GtkWidget *root, const char *title)
{
  if (FEN_IS_CHART (root) && gtk_widget_get_mapped (root)
      && g_str_equal (fen_chart_get_title (FEN_CHART (root)), title))
    return FEN_CHART (root);
  FenChart *found = NULL;
  for (GtkWidget *child = gtk_widget_get_first_child (root); child != NULL && found == NULL;
       child = gtk_widget_get_next_sibling (child))
    found = find_chart (child, title);
  return found;
}

/* The session's last memory line knows what the driver told. */
static gboolean
driver_answered (FenRunSession *session)
{
  FenRunData *data = fen_run_session_get_data (session);
  const FenSample *memory = data != NULL ? fen_run_data_last (data, FEN_SAMPLE_MEMORY) : NULL;
  return memory != NULL && isfinite (memory->temperature);
}

static GtkWidget *
show (FenRunSession *session)
{
  GtkWidget *page = fen_run_page_new ();
  GtkWidget *window = fen_gui_show (page, 900, 1700);
  fen_run_page_set_session (FEN_RUN_PAGE (page), session);
  return window;
}

static void
abandon (FenRunSession *session, GtkWidget *window)
{
  fen_run_session_command (session, FEN_COMMAND_ABANDON);
  fen_gui_wait (has_ended (session), PATIENCE_MS);
  fen_gui_destroy (window);
  g_assert_finalize_object (session);
}

static void
test_page (Place *place, gconstpointer data)
{
  place->nvml->process_bytes[0] = 500u
                                  << 20; /* near enough to what this run plans that all lines are drawn */
  place->nvml->process_bytes[1] = 80u << 20;
  place->nvml->used = 580u << 20;
  FenRunSession *session = start (place, 100000);
  GtkWidget *window = show (session);
  fen_gui_wait (driver_answered (session), PATIENCE_MS);
  fen_gui_wait (find_chart (window, "Temperature") != NULL, PATIENCE_MS);
  static const char *const charts[]
      = { "GPU Memory", "Utilization", "Temperature", "Power", "Loss", "Speed" };
  for (guint i = 0; i < G_N_ELEMENTS (charts); i++)
    g_assert_nonnull (find_chart (window, charts[i]));
  assert_shows (window, "GPU Memory Needed");
  assert_shows (window, "GPU Memory in Use");
  assert_shows (window, "measured, whole program; at most 500 MiB");
  assert_shows (window, "in use 500 MiB · other programs 80 MiB · GPU memory 23.5 GiB");
  assert_shows (window, "In use by this run");
  assert_shows (window, "Other processes");
  assert_shows (window, "Of the peak rate");
  assert_shows (window, "FlashAttn-2 (cuda flash sm_80 128x64)");
  g_assert_false (fen_gui_shows_text (window, "In use by all"));
  g_autofree char *details = fen_run_session_badge_details (session);
  g_assert_nonnull (strstr (details, "Device: NVIDIA GeForce RTX 3090"));
  g_assert_nonnull (strstr (details, "MFU is the share of 71.2 TFLOP/s (dense bf16, published)"));

  const FenSample *memory = fen_run_data_last (fen_run_session_get_data (session), FEN_SAMPLE_MEMORY);
  g_assert_cmpfloat (memory->power, ==, 254.5);
  g_assert_cmpfloat (memory->gpu_utilization, ==, 0.87);
  fen_gui_run_for (1500); /* a second memory sample, for the picture */
  fen_gui_picture (window, "run-gpu-900");
  abandon (session, window);
}

/* A driver that does not tell whose the memory is: everybody's is shown as everybody's. */
static void
test_whose_is_unknown (Place *place, gconstpointer data)
{
  place->nvml->processes = 3;
  place->nvml->power = 3;
  FenRunSession *session = start (place, 100000);
  GtkWidget *window = show (session);
  fen_gui_wait (driver_answered (session), PATIENCE_MS);
  fen_gui_wait (find_chart (window, "Temperature") != NULL, PATIENCE_MS);
  assert_shows (window, "measured, all programs");
  assert_shows (window, "in use by all programs 9 GiB · GPU memory 23.5 GiB");
  assert_shows (window, "In use by all");
  g_assert_null (find_chart (window, "Power"));
  assert_shows (window, "Not measured in this run: ");
  g_assert_false (fen_gui_shows_text (window, "In use by this run"));
  abandon (session, window);
}

/* The window stays, and says what to do. */
static void
test_lost (Place *place, gconstpointer data)
{
  FenTrainerStatus status;
  FenRunSession *session = start (place, 100000);
  GtkWidget *window = show (session);
  fen_gui_wait ((fen_run_session_status (session, &status), status.checkpoint_step >= 2), PATIENCE_MS);
  g_atomic_int_set (&place->cuda->lost, 1);
  fen_gui_wait (has_ended (session), PATIENCE_MS);
  assert_shows (window, "Close Fenestra and start it again to use the graphics card");
  assert_shows (window, "an illegal memory access was encountered");
  assert_shows (window, "is intact");
  fen_gui_picture (window, "run-gpu-lost-900");
  fen_gui_destroy (window);
  g_assert_finalize_object (session);
}

static GtkWidget *
find_suggestions (GtkWidget *root, const char *tooltip)
{
  if (GTK_IS_MENU_BUTTON (root) && g_strcmp0 (gtk_widget_get_tooltip_text (root), tooltip) == 0)
    return root;
  GtkWidget *found = NULL;
  for (GtkWidget *child = gtk_widget_get_first_child (root); child != NULL && found == NULL;
       child = gtk_widget_get_next_sibling (child))
    found = find_suggestions (child, tooltip);
  return found;
}

/* Two cards can each be chosen, and the settings know the chosen one's memory. */
static void
test_settings (Place *place, gconstpointer data)
{
  place->cuda->n_devices = 2;
  FenSettings *settings = fen_settings_new ();
  fen_settings_set_text (settings, fen_config_find_option ("model"), "1M");
  fen_settings_set_text (settings, fen_config_find_option ("tokenizer"), "bytes");
  fen_settings_set_text (settings, fen_config_find_option ("device"), "cuda:1");
  FenSettingsFacts *facts = fen_settings_facts_new (settings);
  guint64 available = 0, total = 0;
  gboolean is_cpu = TRUE;
  fen_gui_wait (!fen_settings_facts_is_busy (facts), PATIENCE_MS);
  g_assert_cmpint (fen_settings_facts_get_n_cards (facts), ==, 2);
  g_assert_true (fen_settings_facts_get_device (facts, &available, &total, &is_cpu));
  g_assert_false (is_cpu);
  g_assert_cmpuint (total, ==, place->cuda->total_bytes);
  g_assert_cmpuint (available, ==, place->cuda->total_bytes / 2);
  g_assert_cmpstr (fen_settings_facts_get_device_name (facts), ==, "NVIDIA GeForce RTX 3090");
  g_assert_null (fen_settings_facts_get_plan_error (facts, NULL));

  GtkWidget *dialog = fen_settings_dialog_new (NULL, settings, facts);
  gtk_window_present (GTK_WINDOW (dialog));
  fen_gui_settle (dialog);
  GtkWidget *button = find_suggestions (dialog, "Suggestions for Device");
  g_assert_nonnull (button);
  gtk_menu_button_popup (GTK_MENU_BUTTON (button));
  assert_shows (GTK_WIDGET (gtk_menu_button_get_popover (GTK_MENU_BUTTON (button))), "Graphics Card 2");
  /* Looked at again, they are not there twice. */
  fen_settings_facts_refresh (facts);
  fen_gui_wait (!fen_settings_facts_is_busy (facts), PATIENCE_MS);
  g_autofree char *all
      = fen_gui_all_text (GTK_WIDGET (gtk_menu_button_get_popover (GTK_MENU_BUTTON (button))));
  g_assert_true (strstr (all, "Graphics Card 2") == g_strrstr (all, "Graphics Card 2"));
  gtk_menu_button_popdown (GTK_MENU_BUTTON (button));
  fen_gui_destroy (dialog);

  fen_settings_set_text (settings, fen_config_find_option ("device"), "cuda:2");
  fen_gui_wait (!fen_settings_facts_is_busy (facts), PATIENCE_MS);
  g_assert_nonnull (strstr (fen_settings_facts_get_plan_error (facts, NULL), "this machine has 2 (0 to 1)"));
  g_assert_finalize_object (facts);
  g_assert_finalize_object (settings);
}

int
main (int argc, char **argv)
{
  g_setenv ("FENESTRA_MODULE_DIR", FAKE_GPU_FOLDER, TRUE);
  g_setenv ("FENESTRA_NVML", FAKE_GPU_FOLDER "/libfake-nvml-full.so", TRUE);
  fen_gui_test_init (&argc, &argv);
#define ADD(path, function) g_test_add (path, Place, NULL, set_up, function, tear_down)
  ADD ("/run-gpu/page", test_page);
  ADD ("/run-gpu/whose-is-unknown", test_whose_is_unknown);
  ADD ("/run-gpu/lost", test_lost);
  ADD ("/run-gpu/settings", test_settings);
  return fen_gui_test_run ();
}
