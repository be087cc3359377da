/* test-run-page.c: the page of one run as a person sees it: with real runs, in every state that a run can end in. */
#include "gui/run/fen-run-page.h"

#include "gui/chart/fen-chart.h"
#include "gui/run/fen-run-charts-private.h"
#include "gui/run/fen-run-log-private.h"
#include "tests/gui/fen-gui-test.h"
#include "tests/gui/run-place-fixture.h"

#include <math.h>
#include <string.h>

#define PATIENCE_MS 60000

static FenConfig *
small_config (Place *place, gint64 steps)
{
  FenConfig *config = train_fixture_config (place->folder, steps);
  g_free (config->model);
  config->model = g_strdup ("nano");
  return config;
}

static FenRunSession *
start (FenConfig *config)
{
  g_autoptr (GError) error = NULL;
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

/* A finished run of so many steps; the path of its folder. */
static char *
past_run (Place *place, gint64 steps)
{
  g_autoptr (FenConfig) config = small_config (place, steps);
  FenRunSession *session = start (config);
  fen_gui_wait (has_ended (session), PATIENCE_MS);
  char *path = g_strdup (fen_run_session_get_path (session));
  g_assert_finalize_object (session);
  return path;
}

static GtkWidget *
show (FenRunPage **page, FenRunSession *session)
{
  *page = FEN_RUN_PAGE (fen_run_page_new ());
  GtkWidget *window = fen_gui_show (GTK_WIDGET (*page), 900, 1400);
  fen_run_page_set_session (*page, session);
  return window;
}

static void
assert_shows (GtkWidget *root, const char *text)
{
  g_autofree char *all = fen_gui_all_text (root);
  if (strstr (all, text) == NULL)
    g_error ("\"%s\" is not shown, but this is:\n%s", text, all);
}

#define assert_not_shown(root, text) g_assert_false (fen_gui_shows_text (root, text))

/* The chart with this title when it is on the screen; NULL. */
static GtkWidget *
find_chart (GtkWidget *root, const char *title)
{
  if (FEN_IS_CHART (root) && gtk_widget_get_mapped (root)
      && g_str_equal (fen_chart_get_title (FEN_CHART (root)), title))
    return root;
  for (GtkWidget *child = gtk_widget_get_first_child (root); child != NULL;
       child = gtk_widget_get_next_sibling (child))
    {
      GtkWidget *found = find_chart (child, title);
      if (found != NULL)
        return found;
    }
  return NULL;
}

/* ---- no run ---- */

static void
test_empty (void)
{
  FenRunPage *page;
  GtkWidget *window = show (&page, NULL);
  assert_shows (window, "No Run Yet");
  g_assert_null (fen_run_page_get_session (page));
  /* Buttons do what the window's actions do, and nothing without them. */
  GtkWidget *button = fen_gui_find_id (window, "start_button");
  g_assert_cmpstr (gtk_actionable_get_action_name (GTK_ACTIONABLE (button)), ==, "win.start");
  g_assert_false (gtk_widget_is_sensitive (button));
  button = fen_gui_find_id (window, "settings_button");
  g_assert_cmpstr (gtk_actionable_get_action_name (GTK_ACTIONABLE (button)), ==, "win.settings");
  fen_gui_picture (window, "run-empty");
  fen_gui_destroy (window);
}

/* ---- a run that finishes ---- */

static void
assert_finished (GtkWidget *window)
{
  assert_shows (window, "Finished");
  assert_shows (window, "Step 30 of 30, saved");
  assert_shows (window, "nano on text.txt · context 64 · batch 2 × 2 · learning rate 0.0003");
  /* Each figure says where it comes from. */
  assert_shows (window, "measured at step 30");
  assert_shows (window, "RAM Needed");
  assert_shows (window, "planned");
  assert_shows (window, "RAM in Use");
  assert_shows (window, "trained on so far");
  assert_shows (window, "7680"); /* tokens: 30 steps of 2 x 2 rows of 64 */
  assert_not_shown (window, "failed");
  g_assert_false (gtk_widget_get_mapped (fen_gui_find_id (window, "progress")));
  g_assert_false (gtk_widget_get_mapped (fen_gui_find_id (window, "resume_button")));
}

static void
assert_charts (GtkWidget *window)
{
  static const char *const titles[] = { "Loss", "RAM", "Speed", "Learning Rate", "Gradient Norm" };
  for (guint i = 0; i < G_N_ELEMENTS (titles); i++)
    g_assert_nonnull (find_chart (window, titles[i]));
  g_assert_null (find_chart (window, "Power"));
  assert_shows (window, "Not measured in this run:");
  gtk_test_accessible_assert_property (GTK_ACCESSIBLE (find_chart (window, "Loss")),
                                       GTK_ACCESSIBLE_PROPERTY_LABEL, "Loss");
}

static void
assert_badge (GtkWidget *window)
{
  GtkWidget *badge = fen_gui_find_id (window, "badge"), *label = fen_gui_find_id (window, "badge_label");
  const char *text = gtk_label_get_text (GTK_LABEL (label));
  g_assert_true (gtk_widget_get_mapped (badge));
  g_assert_true (g_str_has_prefix (text, "FlashAttn-2"));
  g_assert_nonnull (strstr (text, "window 16"));
  g_autofree char *name = g_strdup_printf ("Attention: %s", text);
  gtk_test_accessible_assert_property (GTK_ACCESSIBLE (badge), GTK_ACCESSIBLE_PROPERTY_LABEL, name);
  gtk_menu_button_popup (GTK_MENU_BUTTON (badge));
  GtkWidget *details = fen_gui_find_id (window, "badge_details");
  fen_gui_wait (gtk_widget_get_mapped (details), 2000);
  g_assert_true (g_str_has_prefix (gtk_label_get_text (GTK_LABEL (details)), text));
  gtk_menu_button_popdown (GTK_MENU_BUTTON (badge));
}

static void
test_finished (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = small_config (place, 30);
  FenRunPage *page;
  GtkWidget *window = show (&page, NULL);
  GtkWidget *phase = fen_gui_find_id (window, "phase");
  FenRunSession *session = start (config);
  /* Samples come with the main loop: nothing is measured yet. */
  fen_run_page_set_session (page, session);
  assert_not_shown (window, "No Run Yet");
  assert_shows (window, "Curves appear here with the first step.");
  g_assert_cmpstr (gtk_label_get_text (GTK_LABEL (phase)), !=, "");

  fen_gui_wait (has_ended (session) && fen_gui_shows_text (window, "Step 30 of 30, saved"), PATIENCE_MS);
  fen_gui_wait (fen_gui_shows_text (window, "measured at step 30"), 2000);
  fen_gui_settle (window);
  assert_finished (window);
  assert_charts (window);
  assert_badge (window);
  fen_gui_wait (fen_gui_shows_text (fen_gui_find_id (window, "log"), "end: finished"), 2000);
  fen_gui_picture (window, "run-finished");

  fen_run_page_set_session (page, NULL);
  fen_gui_settle (window);
  assert_shows (window, "No Run Yet");
  g_assert_finalize_object (session);
  fen_gui_destroy (window);
}

/* The page of a run that goes on: the words change with it, and a page that nobody sees does nothing. */
static void
test_running (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = small_config (place, 100000);
  FenRunSession *session = start (config);
  GtkWidget *stack = gtk_stack_new ();
  FenRunPage *page = FEN_RUN_PAGE (fen_run_page_new ());
  gtk_stack_add_child (GTK_STACK (stack), GTK_WIDGET (page));
  GtkWidget *other = gtk_stack_add_child (GTK_STACK (stack), gtk_label_new ("other")) != NULL
                         ? gtk_widget_get_last_child (stack)
                         : NULL;
  GtkWidget *window = fen_gui_show (stack, 640, 900);
  fen_run_page_set_session (page, session);
  GtkWidget *detail = fen_gui_find_id (window, "detail");
  fen_gui_wait (fen_gui_shows_text (window, "left"), PATIENCE_MS);
  assert_shows (window, "Training");
  g_assert_true (gtk_widget_get_mapped (fen_gui_find_id (window, "progress")));
  fen_gui_run_for (1200); /* a second memory sample */
  fen_gui_picture (window, "run-training-640");

  gtk_stack_set_visible_child (GTK_STACK (stack), other);
  fen_gui_run_for (300);
  g_autofree char *before = g_strdup (gtk_label_get_text (GTK_LABEL (detail)));
  fen_gui_run_for (600);
  g_assert_cmpstr (gtk_label_get_text (GTK_LABEL (detail)), ==, before);
  gtk_stack_set_visible_child (GTK_STACK (stack), GTK_WIDGET (page));
  g_assert_cmpstr (gtk_label_get_text (GTK_LABEL (detail)), !=, before);

  fen_run_session_command (session, FEN_COMMAND_PAUSE);
  fen_gui_wait (fen_gui_shows_text (window, "of training left"), PATIENCE_MS);
  assert_shows (window, "Paused");
  fen_gui_picture (window, "run-paused-640");
  fen_run_session_command (session, FEN_COMMAND_STOP);
  fen_gui_wait (has_ended (session) && fen_gui_shows_text (window, "Stopped"), PATIENCE_MS);
  fen_gui_wait (fen_gui_shows_text (window, "100000, saved"), 2000);
  fen_gui_wait (gtk_widget_get_mapped (fen_gui_find_id (window, "resume_button")), 3000);
  fen_gui_destroy (window);
  g_assert_finalize_object (session);
}

static void
count (GObject *object, GParamSpec *pspec, guint *n)
{
  (*n)++;
}

/* However often a session says that something changed, the words change 8 times a second. */
static void
test_pace (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = small_config (place, 100000);
  FenRunSession *session = start (config);
  FenRunPage *page;
  GtkWidget *window = show (&page, session);
  guint n = 0;
  fen_gui_wait (fen_gui_shows_text (window, "Training"), PATIENCE_MS);
  g_signal_connect (fen_gui_find_id (window, "detail"), "notify::label", G_CALLBACK (count), &n);
  const gint64 begin = g_get_monotonic_time ();
  /* Under a sanitizer a step takes long: it goes on until there were some. */
  while (g_get_monotonic_time () < begin + G_USEC_PER_SEC * 3 / 2
         || (n < 2 && g_get_monotonic_time () < begin + PATIENCE_MS * 1000))
    {
      g_signal_emit_by_name (session, "status-changed");
      fen_gui_step ();
    }
  g_assert_cmpuint (n, >=, 2);
  g_assert_cmpfloat (n, <=, (double)(g_get_monotonic_time () - begin) / G_USEC_PER_SEC * 8 + 1);
  fen_gui_destroy (window);
  fen_run_session_command (session, FEN_COMMAND_ABANDON);
  fen_gui_wait (has_ended (session), PATIENCE_MS);
  g_assert_finalize_object (session);
}

/* ---- runs that end badly ---- */

static void
take_suggestion (FenRunPage *page, const char *option, const char *value, char **taken)
{
  g_free (*taken);
  *taken = g_strdup_printf ("%s=%s", option, value);
}

static void
count_signal (FenRunPage *page, guint *n)
{
  (*n)++;
}

static void
test_does_not_fit (Place *place, gconstpointer data)
{
  g_autoptr (FenConfig) config = small_config (place, 30);
  g_autofree char *taken = NULL;
  guint reused = 0;
  /* Long rows, all of whose activations are kept: some single changes make it fit, others do not. */
  config->max_seq_len = 1024;
  config->batch_size = 8;
  config->gradient_checkpointing = FALSE;
  config->memory_limit = 100u << 20;
  FenRunSession *session = start (config);
  FenRunPage *page;
  GtkWidget *window = show (&page, session);
  g_signal_connect (page, "apply-suggestion", G_CALLBACK (take_suggestion), &taken);
  g_signal_connect (page, "reuse-settings", G_CALLBACK (count_signal), &reused);

  fen_gui_wait (has_ended (session) && fen_gui_shows_text (window, "The run failed"), PATIENCE_MS);
  GtkWidget *notice = fen_gui_find_id (window, "end_notice");
  gtk_test_accessible_assert_role (GTK_ACCESSIBLE (notice), GTK_ACCESSIBLE_ROLE_ALERT);
  assert_shows (notice, fen_run_session_get_reason (session));
  assert_shows (notice, "Change a setting so that the run needs less memory");
  /* The plan is made again elsewhere, so its numbers come a little later. */
  fen_gui_wait (fen_gui_shows_text (notice, "would need"), PATIENCE_MS);
  /* Nothing was trained: no dashes, no empty log, no promise of curves. */
  assert_not_shown (window, "not measured yet");
  assert_not_shown (window, "Curves appear here");
  g_assert_false (gtk_widget_get_mapped (fen_gui_find_id (window, "log")));
  fen_gui_settle (window);
  fen_gui_picture (window, "run-does-not-fit");
  GtkWidget *button = fen_gui_find (notice, GTK_TYPE_BUTTON, "Apply and Start");
  fen_gui_click (button);
  g_assert_nonnull (taken);
  /* What the button said is what it does: one of the plan's own suggestions that fits. */
  const GArray *suggestions = fen_run_session_get_suggestions (session);
  gboolean known = FALSE;
  for (guint i = 0; i < suggestions->len; i++)
    {
      const FenPlanSuggestion *suggestion = &g_array_index (suggestions, FenPlanSuggestion, i);
      g_autofree char *text = g_strdup_printf ("%s=%s", suggestion->option, suggestion->value);
      known = known || (suggestion->fits && g_str_equal (text, taken));
    }
  g_assert_true (known);
  fen_gui_click (fen_gui_find (notice, GTK_TYPE_BUTTON, "Change _Settings"));
  g_assert_cmpuint (reused, ==, 1);
  fen_gui_destroy (window);
  g_assert_finalize_object (session);
}

static void
replace_in_file (const char *folder, const char *name, const char *old, const char *new)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, &error));
  g_autoptr (GString) changed = g_string_new (text);
  g_assert_cmpuint (g_string_replace (changed, old, new, 0), >=, 1);
  g_assert_true (g_file_set_contents (path, changed->str, -1, &error));
}

/* run.json says that it runs, and nobody holds the lock: the process was killed. */
static void
test_interrupted (Place *place, gconstpointer data)
{
  g_autofree char *path = past_run (place, 10);
  replace_in_file (path, "run.json", "\"finished\"", "\"running\"");
  FenRunSession *session = fen_run_session_new_watch (path);
  FenRunPage *page;
  GtkWidget *window = show (&page, session);
  fen_gui_wait (fen_gui_shows_text (window, "The run was interrupted"), PATIENCE_MS);
  GtkWidget *notice = fen_gui_find_id (window, "end_notice");
  assert_shows (notice, "Nothing is lost: resuming goes on after step 10.");
  g_assert_true (gtk_widget_get_mapped (fen_gui_find_id (window, "resume_button")));
  assert_shows (window, "Interrupted");
  g_assert_true (gtk_widget_has_css_class (notice, "warning"));
  fen_gui_wait (gtk_widget_get_mapped (fen_gui_find_id (window, "tail_expander")), 5000);
  fen_gui_settle (window);
  fen_gui_picture (window, "run-interrupted");
  fen_gui_destroy (window);
  g_assert_finalize_object (session);
}

static void
test_damaged (Place *place, gconstpointer data)
{
  g_autofree char *path = past_run (place, 5);
  replace_in_file (path, "run.json", "{", "[");
  FenRunSession *session = fen_run_session_new_watch (path);
  FenRunPage *page;
  GtkWidget *window = show (&page, session);
  fen_gui_wait (fen_gui_shows_text (window, "This run folder is damaged"), PATIENCE_MS);
  GtkWidget *notice = fen_gui_find_id (window, "end_notice");
  assert_shows (notice, "run.json");
  fen_gui_wait (fen_gui_shows_text (window, "1280"), 5000); /* tokens: the measurements are whole */
  assert_shows (window, "Damaged");
  g_assert_true (gtk_widget_has_css_class (notice, "error"));
  g_assert_false (gtk_widget_get_mapped (fen_gui_find_id (window, "resume_button")));
  fen_gui_settle (window);
  fen_gui_picture (window, "run-damaged");
  fen_gui_destroy (window);
  g_assert_finalize_object (session);
}

static void
append_event (GString *lines, gint64 step, FenEventLevel level, const char *event, const char *text)
{
  FenSample sample;
  fen_sample_init_event (&sample, step, level, event, text);
  g_autofree char *line = fen_sample_to_json (&sample);
  g_string_append_printf (lines, "%s\n", line);
}

/* What a run survived is told, and a checkpoint that failed only until one succeeds. */
static void
test_warnings (Place *place, gconstpointer data)
{
  g_autofree char *path = past_run (place, 10), *metrics = g_build_filename (path, "metrics.jsonl", NULL);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (metrics, &text, NULL, NULL));
  g_autoptr (GString) lines = g_string_new (text);
  append_event (lines, 10, FEN_EVENT_WARNING, "checkpoint-failed", "disk A is full");
  append_event (lines, 10, FEN_EVENT_INFO, "checkpoint", "step 10 in 0.1 s");
  append_event (lines, 10, FEN_EVENT_WARNING, "metrics-failed", "disk B is full");
  g_string_append (lines, "no line of ours\n");
  g_assert_true (g_file_set_contents (metrics, lines->str, -1, NULL));

  FenRunSession *session = fen_run_session_new_watch (path);
  FenRunPage *page;
  GtkWidget *window = show (&page, session);
  GtkWidget *notice = fen_gui_find_id (window, "warning_notice");
  fen_gui_wait (fen_gui_shows_text (notice, "disk B is full"), PATIENCE_MS);
  assert_shows (notice, "Problems during the run");
  assert_shows (notice, "1 line of the measurements cannot be read");
  assert_not_shown (notice, "disk A is full");
  gtk_test_accessible_assert_role (GTK_ACCESSIBLE (notice), GTK_ACCESSIBLE_ROLE_ALERT);
  g_assert_false (gtk_widget_get_mapped (fen_gui_find_id (window, "end_notice")));
  fen_gui_settle (window);
  fen_gui_picture (window, "run-warnings");
  fen_gui_destroy (window);
  g_assert_finalize_object (session);
}

/* ---- chart controls ---- */

static void
test_controls (Place *place, gconstpointer data)
{
  g_autofree char *path = past_run (place, 10);
  FenRunSession *session = fen_run_session_new_watch (path);
  FenRunPage *page;
  GtkWidget *window = show (&page, session);
  fen_gui_wait (find_chart (window, "Loss") != NULL, PATIENCE_MS);
  FenChart *loss = FEN_CHART (find_chart (window, "Loss"));
  GtkWidget *axis = fen_gui_find_id (window, "axis"), *charts = fen_gui_find_id (window, "charts");
  FenChartGroup *group = fen_run_charts_get_group (FEN_RUN_CHARTS (charts));
  GtkWidget *smoothing = fen_gui_find_id (window, "smoothing");

  g_assert_cmpfloat (fen_chart_group_get_smoothing (group), ==, 0.6);
  g_assert_cmpfloat (gtk_range_get_value (GTK_RANGE (smoothing)), ==, 0.6);
  gtk_range_set_value (GTK_RANGE (smoothing), 2); /* 0.99 is the most */
  g_assert_cmpfloat (fen_chart_group_get_smoothing (group), ==, 0.99);
  gtk_drop_down_set_selected (GTK_DROP_DOWN (axis), FEN_AXIS_WALL);
  g_assert_cmpint (fen_chart_group_get_axis (group), ==, FEN_AXIS_WALL);
  fen_chart_group_set_axis (group, FEN_AXIS_TOKENS);
  g_assert_cmpuint (gtk_drop_down_get_selected (GTK_DROP_DOWN (axis)), ==, FEN_AXIS_TOKENS);

  g_assert_true (gtk_widget_activate_action (charts, "charts.log-scale", NULL));
  g_assert_true (fen_chart_get_log_scale (loss));
  fen_chart_group_set_range (group, 200, 800);
  g_assert_true (gtk_widget_activate_action (charts, "charts.reset", NULL));
  g_assert_false (fen_chart_group_get_range (group, &(double){ 0 }, &(double){ 0 }));
  gtk_test_accessible_assert_relation (GTK_ACCESSIBLE (smoothing), GTK_ACCESSIBLE_RELATION_LABELLED_BY,
                                       fen_gui_find_id (window, "smoothing_label"), NULL);
  fen_gui_destroy (window);
  g_assert_finalize_object (session);
}

/* ---- room ---- */

/* The page beside nothing in a window of 600 pixels, and in both directions. */
static void
test_narrow (Place *place, gconstpointer data)
{
  g_autofree char *path = past_run (place, 10);
  FenRunSession *session = fen_run_session_new_watch (path);
  FenRunPage *page;
  GtkWidget *window = show (&page, session);
  int minimum;
  fen_gui_wait (find_chart (window, "Loss") != NULL && fen_gui_shows_text (window, "end: finished"),
                PATIENCE_MS);
  gtk_widget_measure (GTK_WIDGET (page), GTK_ORIENTATION_HORIZONTAL, -1, &minimum, NULL, NULL, NULL);
  g_assert_cmpint (minimum, <=, 560);
  for (GtkTextDirection direction = GTK_TEXT_DIR_LTR; direction <= GTK_TEXT_DIR_RTL; direction++)
    {
      gtk_widget_set_default_direction (direction);
      gtk_window_set_default_size (GTK_WINDOW (window), 600, 1500);
      fen_gui_settle (window);
      fen_gui_wait (gtk_widget_get_width (window) == 600, 5000);
      fen_gui_settle (window);
      fen_gui_picture (window, direction == GTK_TEXT_DIR_RTL ? "run-narrow-rtl" : "run-narrow");
      g_autofree char *clipped = fen_gui_clipped_text (window);
      g_assert_cmpstr (clipped, ==, NULL);
    }
  gtk_widget_set_default_direction (GTK_TEXT_DIR_LTR);
  fen_gui_destroy (window);
  g_assert_finalize_object (session);
}

/* ---- the log ---- */

static void
test_log (void)
{
  g_autoptr (GString) text = g_string_new (NULL);
  FenRunLog *log = g_object_new (FEN_TYPE_RUN_LOG, NULL);
  GtkWidget *window = fen_gui_show (GTK_WIDGET (log), 500, 300);
  GtkWidget *scroller = fen_gui_find_id (window, "scroller"),
            *button = fen_gui_find_id (window, "end_button");
  GtkAdjustment *position = gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (scroller));
#define AT_END                                                                                               \
  (gtk_adjustment_get_value (position) + gtk_adjustment_get_page_size (position)                             \
   >= gtk_adjustment_get_upper (position) - 2)

  /* At the end it follows. */
  for (guint i = 0; i < 200; i++)
    {
      g_string_append_printf (text, "line %u\n", i);
      fen_run_log_set_text (log, text->str);
    }
  fen_gui_wait (AT_END && gtk_adjustment_get_value (position) > 500, 5000);
  fen_gui_run_for (300); /* and it stays there once all is measured */
  g_assert_true (AT_END);
  g_assert_false (gtk_widget_get_mapped (button));

  /* Scrolled up, what is read stays where it is. */
  gtk_adjustment_set_value (position, 300);
  for (guint i = 0; i < 100; i++)
    g_string_append_printf (text, "more %u\n", i);
  fen_run_log_set_text (log, text->str);
  fen_gui_run_for (200);
  g_assert_cmpfloat (gtk_adjustment_get_value (position), ==, 300);
  g_assert_true (gtk_widget_get_mapped (button));
  g_assert_false (fen_run_log_is_at_end (log));
  fen_gui_picture (window, "run-log");

  /* Back at the end it follows again. */
  fen_gui_click (button);
  g_string_append (text, "the last line\n");
  fen_run_log_set_text (log, text->str);
  fen_gui_wait (AT_END && gtk_adjustment_get_value (position) > 500, 5000);
  g_assert_true (fen_gui_shows_text (window, "the last line"));

  /* Nothing is doubled by being shown again, and another run's text replaces this one's. */
  fen_run_log_set_text (log, text->str);
  GtkWidget *view = fen_gui_find_id (window, "view");
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (GTK_TEXT_VIEW (view));
  g_assert_cmpint (gtk_text_buffer_get_char_count (buffer), ==, (int)text->len);
  fen_run_log_set_text (log, "short\n");
  g_assert_cmpint (gtk_text_buffer_get_char_count (buffer), ==, 6);
  fen_gui_destroy (window);
}

/* Text of any length and with broken characters: the end is kept, nothing is fatal. */
static void
test_log_long (void)
{
  g_autoptr (GString) text = g_string_new ("\xff\xfe broken\n");
  FenRunLog *log = g_object_new (FEN_TYPE_RUN_LOG, NULL);
  GtkWidget *window = fen_gui_show (GTK_WIDGET (log), 500, 300);
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (GTK_TEXT_VIEW (fen_gui_find_id (window, "view")));
  fen_run_log_set_text (log, text->str);
  g_assert_cmpint (gtk_text_buffer_get_char_count (buffer), ==, 10);
  for (guint i = 0; text->len < 3 << 20; i++)
    g_string_append_printf (text, "line %u of a log that goes on and on and on and on and on and on\n", i);
  fen_run_log_set_text (log, text->str);
  g_assert_cmpint (gtk_text_buffer_get_char_count (buffer), <=, 1 << 20);
  g_string_append (text, "the last line\n");
  fen_run_log_set_text (log, text->str);
  g_assert_true (fen_gui_shows_text (window, "the last line"));
  fen_gui_destroy (window);
}

static void
test_log_find (void)
{
  FenRunLog *log = g_object_new (FEN_TYPE_RUN_LOG, NULL);
  GtkWidget *window = fen_gui_show (GTK_WIDGET (log), 500, 300);
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (GTK_TEXT_VIEW (fen_gui_find_id (window, "view")));
  GtkTextIter from, to;
  fen_run_log_set_text (log, "one\nloss 2\nLoss 3\n");
  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (fen_gui_find_id (window, "search_button")), TRUE);
  GtkWidget *entry = fen_gui_find_id (window, "search_entry");
  fen_gui_wait (gtk_widget_get_mapped (entry), 2000);
  gtk_editable_set_text (GTK_EDITABLE (entry), "LOSS");
  fen_gui_wait (gtk_text_buffer_get_selection_bounds (buffer, &from, &to), 2000);
  g_assert_cmpint (gtk_text_iter_get_line (&from), ==, 1);
  g_signal_emit_by_name (entry, "next-match");
  gtk_text_buffer_get_selection_bounds (buffer, &from, &to);
  g_assert_cmpint (gtk_text_iter_get_line (&from), ==, 2);
  g_signal_emit_by_name (entry, "next-match"); /* around the end */
  gtk_text_buffer_get_selection_bounds (buffer, &from, &to);
  g_assert_cmpint (gtk_text_iter_get_line (&from), ==, 1);
  gtk_editable_set_text (GTK_EDITABLE (entry), "nowhere");
  fen_gui_wait (fen_gui_shows_text (window, "Not found"), 2000);
  fen_gui_destroy (window);
}

int
main (int argc, char **argv)
{
  fen_gui_test_init (&argc, &argv);
  g_test_add_func ("/run-page/empty", test_empty);
#define ADD(name, function)                                                                                  \
  g_test_add ("/run-page/" name, Place, NULL, place_set_up, function, place_tear_down)
  ADD ("finished", test_finished);
  ADD ("running", test_running);
  ADD ("pace", test_pace);
  ADD ("does-not-fit", test_does_not_fit);
  ADD ("interrupted", test_interrupted);
  ADD ("damaged", test_damaged);
  ADD ("warnings", test_warnings);
  ADD ("controls", test_controls);
  ADD ("narrow", test_narrow);
  g_test_add_func ("/run-page/log", test_log);
  g_test_add_func ("/run-page/log/long", test_log_long);
  g_test_add_func ("/run-page/log/find", test_log_find);
  return fen_gui_test_run ();
}
