/* test-plan-bar.c: the planned memory in words, as a meter and as a drawing, when it fits and when it does not. */
#include "gui/settings/fen-plan-bar.h"
#include "gui/settings/fen-plan-categories.h"
#include "tests/gui/fen-gui-test.h"

#include <string.h>

static void
set (FenSettings *settings, FenSettingsFacts *facts, const char *option, const char *text)
{
  g_assert_true (fen_settings_set_text (settings, fen_config_find_option (option), text));
  fen_gui_wait (!fen_settings_facts_is_busy (facts), 20000);
}

static GtkWidget *
part (GtkWidget *bar, const char *id)
{
  GtkWidget *widget = fen_gui_find_id (bar, id);
  g_assert_nonnull (widget);
  return widget;
}

static void
test_bar (void)
{
  FenSettings *settings = fen_settings_new ();
  FenSettingsFacts *facts = fen_settings_facts_new (settings);
  GtkWidget *bar = fen_plan_bar_new (facts), *window = fen_gui_show (bar, 600, 80);
  GtkLabel *summary = GTK_LABEL (part (bar, "summary"));
  GtkWidget *meter = part (bar, "meter");
  set (settings, facts, "model", "1M");
  g_assert_true (g_str_has_prefix (gtk_label_get_text (summary), "Planned "));
  g_assert_nonnull (strstr (gtk_label_get_text (summary), "largest part: "));
  g_assert_false (gtk_widget_has_css_class (bar, "error"));
  gtk_test_accessible_assert_role (meter, GTK_ACCESSIBLE_ROLE_METER);
  gtk_test_accessible_assert_property (meter, GTK_ACCESSIBLE_PROPERTY_VALUE_TEXT,
                                       gtk_label_get_text (summary));
  g_assert_nonnull (strstr (gtk_widget_get_tooltip_text (meter), "Weights: "));
  fen_gui_settle (window);
  g_autoptr (GdkTexture) fits = fen_gui_render (meter);
  g_assert_cmpuint (fen_gui_n_drawn (fits), >, 0);

  set (settings, facts, "memory_limit", "64MiB");
  set (settings, facts, "max_seq_len", "8192");
  fen_gui_settle (window);
  g_assert_true (g_str_has_prefix (gtk_label_get_text (summary), "Does not fit: "));
  g_assert_true (gtk_widget_has_css_class (bar, "error"));
  gtk_test_accessible_assert_property (meter, GTK_ACCESSIBLE_PROPERTY_VALUE_TEXT,
                                       gtk_label_get_text (summary));
  fen_gui_picture (window, "plan-bar-does-not-fit");

  set (settings, facts, "memory_limit", "");
  set (settings, facts, "model", "gpt2"); /* which has 1024 positions */
  g_assert_cmpstr (gtk_label_get_text (summary), ==, "No plan for these settings");
  g_assert_true (gtk_widget_has_css_class (bar, "error"));
  fen_gui_destroy (window);
  fen_gui_wait (!fen_settings_facts_is_busy (facts), 20000);
  fen_gui_wait (!fen_settings_facts_is_scanning (facts), 20000);
  fen_gui_assert_finalized (facts);
  fen_gui_assert_finalized (settings);
}

static void
test_categories (void)
{
  for (guint i = 0; i < FEN_N_MEMORY_CATEGORIES; i++)
    for (guint j = 0; j < i; j++)
      {
        g_assert_cmpstr (fen_memory_category_title (i), !=, fen_memory_category_title (j));
        g_assert_cmpuint (fen_memory_category_color (i), !=, fen_memory_category_color (j));
      }
}

int
main (int argc, char **argv)
{
  fen_gui_test_init (&argc, &argv);
  g_test_add_func ("/plan-bar/bar", test_bar);
  g_test_add_func ("/plan-bar/categories", test_categories);
  return fen_gui_test_run ();
}
