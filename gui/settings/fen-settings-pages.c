/* fen-settings-pages.c: see fen-settings-pages-private.h. */
#include "gui/settings/fen-settings-pages-private.h"

#include <glib/gi18n.h>

/* Wider than a preferences page: a row has words, an entry with its unit, and two buttons. */
#define PAGE_WIDTH 760
#define PAGE_TIGHT_WIDTH 560

/* Names for code; titles are the table's. */
static const char *const page_names[FEN_N_GROUPS] = {
  [FEN_GROUP_DATA] = "data",
  [FEN_GROUP_TRAINING] = "training",
  [FEN_GROUP_ATTENTION] = "attention",
  [FEN_GROUP_OUTPUT] = "output",
};

/* ---- making ---- */

static void
add_page (FenSettingsPage *page, FenOptionGroup group, GtkStack *stack)
{
  GtkWidget *clamp = adw_clamp_new ();
  page->name = page_names[group];
  page->scroller = gtk_scrolled_window_new ();
  page->content = GTK_BOX (gtk_box_new (GTK_ORIENTATION_VERTICAL, 18));
  gtk_widget_set_margin_start (GTK_WIDGET (page->content), 12);
  gtk_widget_set_margin_end (GTK_WIDGET (page->content), 12);
  gtk_widget_set_margin_top (GTK_WIDGET (page->content), 18);
  gtk_widget_set_margin_bottom (GTK_WIDGET (page->content), 18);
  adw_clamp_set_maximum_size (ADW_CLAMP (clamp), PAGE_WIDTH);
  adw_clamp_set_tightening_threshold (ADW_CLAMP (clamp), PAGE_TIGHT_WIDTH);
  adw_clamp_set_child (ADW_CLAMP (clamp), GTK_WIDGET (page->content));
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (page->scroller), GTK_POLICY_NEVER,
                                  GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (page->scroller), clamp);
  gtk_stack_add_titled (stack, page->scroller, page->name,
                        g_dpgettext2 (NULL, "settings page", fen_config_group_title (group)));
}

static AdwPreferencesGroup *
add_part (FenSettingsPage *page, const char *title)
{
  GtkWidget *part = adw_preferences_group_new ();
  if (title != NULL)
    adw_preferences_group_set_title (ADW_PREFERENCES_GROUP (part), title);
  gtk_box_append (page->content, part);
  return ADW_PREFERENCES_GROUP (part);
}

static GtkWidget *
add_row (FenSettingsPages *self, FenSettings *settings, const FenOption *option)
{
  GtkWidget *row = fen_option_row_new (settings, option);
  g_hash_table_insert (self->rows, (gpointer)option->name, row);
  return row;
}

/* The expander is made before its part is: it goes to the end of the page. */
static void
add_more (FenSettingsPages *self, FenSettingsPage *page, FenSettings *settings, const FenOption *option)
{
  if (page->more == NULL)
    {
      page->more = g_object_ref_sink (ADW_EXPANDER_ROW (adw_expander_row_new ()));
      adw_preferences_row_set_title (ADW_PREFERENCES_ROW (page->more), _ ("More"));
    }
  adw_expander_row_add_row (page->more, add_row (self, settings, option));
  page->n_more++;
}

void
fen_settings_pages_init (FenSettingsPages *self, GtkStack *stack, FenSettings *settings)
{
  AdwPreferencesGroup *parts[FEN_N_GROUPS] = { NULL };
  const char *titles[FEN_N_GROUPS] = { NULL };
  *self = (FenSettingsPages){ .rows = g_hash_table_new (g_str_hash, g_str_equal) };
  for (guint i = 0; i < FEN_N_GROUPS; i++)
    add_page (&self->pages[i], i, stack);
  for (const FenOption *option = fen_config_options (); option->name != NULL; option++)
    {
      FenSettingsPage *page = &self->pages[option->group];
      if (g_str_equal (option->name, "expert"))
        continue;
      if (option->section != NULL)
        {
          parts[option->group] = NULL;
          titles[option->group] = _ (option->section);
        }
      if (option->seldom)
        {
          add_more (self, page, settings, option);
          continue;
        }
      /* A part whose options are all seldom used gets no empty heading. */
      if (parts[option->group] == NULL)
        parts[option->group] = add_part (page, titles[option->group]);
      adw_preferences_group_add (parts[option->group], add_row (self, settings, option));
    }
  for (guint i = 0; i < FEN_N_GROUPS; i++)
    if (self->pages[i].more != NULL)
      {
        adw_preferences_group_add (add_part (&self->pages[i], NULL), GTK_WIDGET (self->pages[i].more));
        g_object_unref (self->pages[i].more); /* the page's now */
      }
}

void
fen_settings_pages_clear (FenSettingsPages *self)
{
  g_clear_pointer (&self->rows, g_hash_table_unref);
}

/* ---- using ---- */

FenOptionRow *
fen_settings_pages_find_row (FenSettingsPages *self, const char *option)
{
  const FenOption *found = fen_config_find_option (option);
  return found != NULL ? g_hash_table_lookup (self->rows, found->name) : NULL;
}

void
fen_settings_pages_reveal (FenSettingsPages *self, FenOptionRow *row)
{
  const FenOption *option = fen_option_row_get_option (row);
  if (option->seldom)
    adw_expander_row_set_expanded (self->pages[option->group].more, TRUE);
}

static guint
count_changed (FenSettingsPages *self, FenOptionGroup group)
{
  GHashTableIter iter;
  gpointer row;
  guint n = 0;
  g_hash_table_iter_init (&iter, self->rows);
  while (g_hash_table_iter_next (&iter, NULL, &row))
    {
      const FenOption *option = fen_option_row_get_option (row);
      n += option->group == group && option->seldom && fen_option_row_is_changed (row);
    }
  return n;
}

void
fen_settings_pages_update (FenSettingsPages *self)
{
  for (guint i = 0; i < FEN_N_GROUPS; i++)
    {
      FenSettingsPage *page = &self->pages[i];
      guint n = page->more != NULL ? count_changed (self, i) : 0;
      if (page->more == NULL)
        continue;
      g_autofree char *all = g_strdup_printf (
          ngettext ("%u seldom-used setting", "%u seldom-used settings", page->n_more), page->n_more);
      /* TRANSLATORS: %s is "9 seldom-used settings"; %u of them are not at their default. */
      g_autofree char *some = g_strdup_printf (ngettext ("%s, %u changed", "%s, %u changed", n), all, n);
      adw_expander_row_set_subtitle (page->more, n > 0 ? some : all);
    }
}
